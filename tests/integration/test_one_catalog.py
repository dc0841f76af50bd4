"""One catalog: the same bytes over every door, endpoint and revision."""

import itertools
import json
import os
import socket

import pytest

import fleet as fleets
import servers
import streamable
import wire

LEGACY = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
MODERN = streamable.MODERN
LISTS = {"tools/list": "tools", "resources/list": "resources", "resources/templates/list": "resourceTemplates",
         "prompts/list": "prompts"}

pytestmark = pytest.mark.skipif(bool(os.environ.get("MCP_FLEET_WRAPPER")), reason="the same under valgrind")


def items_of(text, key):
    """The exact texts of the items of a list in the text of an answer."""
    text = text.decode() if isinstance(text, bytes) else text
    assert "result" in json.loads(text), text[:1000]
    decoder, at, items = json.JSONDecoder(), text.index(f'"{key}":[') + len(key) + 4, []
    while text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        items.append(text[at:end])
        at = end + (text[end] == ",")
    return items


def modern_params():
    return {"_meta": {f"{streamable.META}protocolVersion": MODERN, f"{streamable.META}clientCapabilities": {}}}


def over_sse(fleet, prefix, revision, method):
    with wire.Session(fleet.port, f"{prefix}/sse", timeout=15 * fleets.SLOWNESS) as session:
        session.initialize(revision)
        session.start(method)
        return session.stream.read_message().data


def over_mcp(fleet, prefix, revision, method):
    kind = streamable.Modern(fleet.port, f"{prefix}/mcp") if revision == MODERN \
        else streamable.Door(fleet.port, f"{prefix}/mcp", revision)
    if revision != MODERN:
        kind.open()
    response = kind.post(kind.request(method))
    assert (response.status, response.header("Content-Type")) == (200, "application/json")
    return response.body


def over_lines(send, read, revision, method):
    """What a stream of lines says to `method`, with `initialize` before it where the revision has that."""
    numbers = itertools.count()

    def ask(method, params):
        number = f"{revision}/{next(numbers)}"
        send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n")
        while json.loads(line := read()).get("id") != number:
            pass
        return line

    if revision == MODERN:
        return ask(method, modern_params())
    answer = json.loads(ask("initialize", {"protocolVersion": revision, "capabilities": {},
                                           "clientInfo": {"name": "integration-test", "version": "1"}}))
    assert answer["result"]["protocolVersion"] == revision
    send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    return ask(method, {})


def over_socket(path, revision, method):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(15 * fleets.SLOWNESS)
        client.connect(str(path))
        with client.makefile("rb") as lines:
            return over_lines(client.sendall, lines.readline, revision, method)


@pytest.fixture
def domains(envs):
    """One with everything, one with tools only, and one of our own."""
    return {"ext": servers.SERVERS["python-1"](envs, None).settings(), "fake": fleets.fake_domain("fake"), "utils": {}}


@pytest.mark.parametrize("method", LISTS)
def test_every_door_endpoint_and_revision(start_fleet, start_stdio, socket_path, domains, method):
    key = LISTS[method]
    fleet = start_fleet(domains, settings={"local": {"path": str(socket_path)}})
    ways = {}
    endpoints = [f"/{name}" for name in domains] if method == "tools/list" else ["/ext"]
    for prefix in ("", *endpoints):
        ways |= {(prefix, "sse", revision): over_sse(fleet, prefix, revision, method) for revision in LEGACY}
        ways |= {(prefix, "mcp", revision): over_mcp(fleet, prefix, revision, method) for revision in (*LEGACY[1:], MODERN)}
    ways |= {("", "socket", revision): over_socket(socket_path, revision, method) for revision in (*LEGACY, MODERN)}
    for revision in (*LEGACY, MODERN):
        started = start_stdio(domains)
        ways["", "stdio", revision] = over_lines(started.write, read_line(started), revision, method)
    found = {way: items_of(text, key) for way, text in ways.items()}

    whole = found["", "sse", LEGACY[-1]]
    assert len(whole) == len({json.loads(item)["name"] for item in whole}) >= (40 if method == "tools/list" else 1)
    parts = {prefix: found[prefix, "sse", LEGACY[-1]] for prefix in endpoints}
    assert all(parts.values()) and sum(parts.values(), []) == whole
    for (prefix, door, revision), items in found.items():
        assert items == parts.get(prefix, whole), (prefix, door, revision)


def read_line(started):
    """The lines of a daemon's standard output as they are."""
    return started.process.stdout.readline
