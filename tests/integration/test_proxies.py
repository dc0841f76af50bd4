"""HAProxy and Caddy in front of the daemon, with the files that operators copy (etc/haproxy.cfg, etc/Caddyfile): the same as of
nginx (test_nginx.py), in short."""

import json
import os
import time

import certs
import doorkeys
import fleet as fleets
import pytest
import wire
from proxies import ETC, NAME, PRIVATE, Behind, Caddy, Haproxy, missing, settings_behind
from streamable import Door, Modern

MIB = 1024 * 1024
CLIENT = "127.0.0.2"

pytestmark = pytest.mark.skipif(bool(os.environ.get("MCP_FLEET_WRAPPER")), reason="of the proxies, not of the daemon")


@pytest.fixture(params=[Haproxy, Caddy], ids=lambda kind: kind.program)
def behind(request, start_fleet, tmp_path):
    """behind(changes of the proxy's file)"""
    assert not missing(request.param), f"{request.param.program} is missing: packaging/needs tests installs it"
    started = []
    keys = doorkeys.Keys(tmp_path).add("client").add("boss", admin=True).save()

    def start(changes=None, heartbeat="0.5"):
        fleet = start_fleet({"fake": fleets.fake_domain("fake"), "utils": {}},
                            fleets.merge(settings_behind(tmp_path), {"admin": {"public": True}}),
                            {"SSE_HEARTBEAT_SECONDS": heartbeat})
        started.append(request.param(tmp_path, certs.Authority(tmp_path), [fleet.port], changes=changes))
        return Behind(fleet, started[-1].start(), keys, tmp_path / "audit.jsonl")

    yield start
    wire.close_all()
    for each in started:
        each.stop()


def test_streams(behind):
    """The endpoint event is there at once, the next ones come as they are made; who leaves is noticed."""
    started = behind()
    begin = time.monotonic()
    session = started.session()
    assert time.monotonic() - begin < 5 * fleets.SLOWNESS
    assert [session.stream.read_event().name for _ in range(3)] == ["ping"] * 3
    assert started.sessions() == 1
    session.close()
    fleets.wait_until(lambda: started.sessions() == 0, 10, "its session has ended")


def test_long_streams(behind, request):
    """Heartbeats keep a stream open for longer than the proxy waits, and a call that takes long becomes one."""
    changes = {"timeout server 5m": "timeout server 2s"} \
        if "haproxy" in request.node.name else {"response_header_timeout 5m": "response_header_timeout 2s"}
    started = behind(changes)
    with started.session() as session:
        session.call("fake_sleep", {"seconds": 4})
        session.call("fake_echo", {"text": "x"})
    door = started.door()
    door.open()
    stream = door.stream("POST", door.call("fake_sleep", {"seconds": 4}))
    assert [event.json()["id"] for event in stream.rest() if event.data] == [door.last_number]
    stream.close()


def test_calls(behind):
    """Over each transport, small and large, in both directions."""
    started = behind(heartbeat="15")
    with started.session() as session:
        assert session.call("fake_big", {"bytes": 3 * MIB})["result"]["content"][0]["text"] == "x" * 3 * MIB
    for kind in (Door, Modern):
        door = started.door(kind)
        if kind is Door:
            door.open()
        answer = door.post(door.call("fake_echo", {"text": "y" * 3 * MIB})).json()["result"]["content"][0]["text"]
        assert json.loads(answer)["text"] == "y" * 3 * MIB
    if isinstance(started.proxy, Caddy):
        return  # it closes when the daemon has refused, before the client has sent all and reads
    refused = started.post(b"[" + b" " * (4 * MIB + 100_000) + b"]")  # between the daemon's limit and the proxy's
    assert refused.status == 413 and "limits.request_bytes" in refused.body.decode()


def test_addresses(behind):
    """Of the client, whatever it says of itself; and what is asked is not in the proxy's log."""
    started = behind()
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "fake_echo", "arguments": {"text": "x"}, "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "x", "version": "1"}, "io.modelcontextprotocol/clientCapabilities": {}}}}
    forged = {"X-Forwarded-For": "192.0.2.1", "x-forwarded-for": "192.0.2.2", "X-Forwarded-Proto": "http"}
    modern = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "fake_echo"}
    assert started.post(body, CLIENT, **modern, **forged).status == 200
    assert started.clients() == [CLIENT]
    challenge = started.proxy.get("/mcp")
    assert challenge.status == 401 and challenge.header("WWW-Authenticate").startswith("Bearer")
    started.session().close()
    written = started.proxy.log()
    assert "/messages" in written and "session_id" not in written
    assert started.key["Authorization"] not in written


def test_what_is_private(behind):
    """Also for who may see it, and where the daemon would show it to clients; and nobody is led on from http://."""
    started = behind()
    boss = started.keys.bearer("boss")
    for path in PRIVATE:
        response = started.proxy.get(path, boss)
        assert response.status in (400, 404, 405, 308), (path, response)
        assert b"mcp_fleet_" not in response.body and b"mcp-fleet" not in response.body, (path, response)
    assert started.proxy.get("/health").status == 200
    with wire.Connection(started.proxy.plain_port, name=NAME) as plain:
        plain.request("POST", "/mcp", {"Authorization": "Bearer x"}, "{}")
        answer = plain.read_response()
    assert answer.status == 403 and "https://" in answer.json()["error"]


def test_the_daemon_restarts(behind):
    """502 or 503 meanwhile, and then as before."""
    started = behind()
    started.fleet.stop()
    assert started.proxy.get("/health").status in (502, 503)
    started.fleet.start()
    fleets.wait_until(lambda: started.proxy.get("/health").status == 200, 10, "the daemon is served again")


def test_numbers():
    """Of the files beside those of nginx, which test_nginx.py compares with the daemon's own."""
    haproxy, caddy = (ETC / "haproxy.cfg").read_text(), (ETC / "Caddyfile").read_text()
    nginx = (ETC / "nginx.conf").read_text()
    assert "proxy_read_timeout 5m;" in nginx and "timeout server 5m" in haproxy and "response_header_timeout 5m" in caddy
    assert "client_max_body_size 5m;" in nginx and "gt 5242880 }" in haproxy and "max_size 5MiB" in caddy
    for text in (nginx, haproxy, caddy):
        assert "(sse|messages|mcp)" in text and "allowed_hosts: [fleet.example.org]" in text
