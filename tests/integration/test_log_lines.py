"""What a peer can make the log say: a bounded number of lines, whatever it floods us with, and never a credential."""

import base64
import contextlib
import hashlib
import json
import socket

import pytest

import certs
import doorkeys
import fleet as fleets
import tokens
import wire
from streamable import Door

pytestmark = pytest.mark.sanitizers

FLOOD = 300
BURST = 10  # lines of a kind within ten seconds


def lines_of(fleet):
    return [json.loads(line) for line in fleet.log().splitlines()]


def check_bounded(fleet, before, words, n_windows=3):
    """Of what has come since some lines are about it, with the client's address, and not one for each."""
    lines = lines_of(fleet)[before:]
    about = [line for line in lines if words in line["message"]]
    assert 0 < len(about) <= BURST * n_windows, len(about)
    assert all(line["client_ip"] == "127.0.0.1" for line in about)
    assert len(lines) <= (BURST + 1) * n_windows + 5, lines[:50]


def ask_often(fleet, method="GET", target="/sse", body=None, **headers):
    """On one connection as long as it lasts."""
    statuses = set()
    connection = None
    for _ in range(FLOOD):
        connection = connection or fleet.connect()
        connection.request(method, target, headers, body)
        answer = connection.read_response(method)
        statuses.add(answer.status)
        if (answer.header("Connection") or "").lower() == "close":
            connection.close()
            connection = None
    if connection:
        connection.close()
    return statuses


@pytest.fixture
def guarded(start_fleet, tmp_path):
    """Wants keys, has limits that are no help here, and tells all."""
    doorkeys.Keys(tmp_path).add("one").save()
    return start_fleet({"utils": {}}, {"log": {"level": "debug", "format": "json"},
                                       "limits": {"per_address": {"rate": 0}}})


@pytest.mark.parametrize("kind", ["none", "wrong", "malformed", "origin", "login"])
def test_flood_of_refusals(guarded, kind):
    headers, status, words = {
        "none": ({}, 401, "with 401: a key or token is wanted"),
        "wrong": ({"Authorization": "Bearer wrong"}, 401, "with 401: this key or token is not valid here"),
        "malformed": ({"Authorization": "Bearer"}, 400, "with 400: Authorization: Bearer must be"),
        "origin": ({"Origin": "https://evil.example"}, 403, "with 403: requests from this Origin"),
        "login": ({"Authorization": "Basic YTpi"}, 401, "with 401: only Authorization: Bearer"),
    }[kind]
    before = len(lines_of(guarded))
    assert ask_often(guarded, **headers) == {status}
    check_bounded(guarded, before, words)


@pytest.mark.parametrize("request_bytes,words", [
    (b"GARBAGE\r\n\r\n", "refused with 400"),
    (b"GET /sse HTTP/1.1\r\nHost: a b\r\n\r\n", "refused with 400"),
    (b"GET /sse HTTP/1.1\r\nHost: evil.example\r\n\r\n", "with 421: this Host is not served"),
    (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "refused with 431"),
], ids=["no HTTP", "no host", "another host", "large"])
def test_flood_of_bad_requests(guarded, request_bytes, words):
    before = len(lines_of(guarded))
    for _ in range(FLOOD):
        with guarded.connect() as connection, contextlib.suppress(OSError, wire.WireError):
            connection.send(request_bytes)
            assert connection.read_response().status in (400, 421, 431)
    check_bounded(guarded, before, words)


def test_flood_of_bad_messages(start_fleet):
    """Bodies that are no JSON, methods that do not exist: counted, and no line at info."""
    fleet = start_fleet({"utils": {}}, {"log": {"level": "info", "format": "json"}})
    before = len(lines_of(fleet))
    with fleet.session() as session:
        for n in range(FLOOD):
            assert session.post('{"jsonrpc": "2.0", ').status in (202, 400)
            assert session.post({"jsonrpc": "2.0", "method": f"no/such/{n}"}).status == 202
    assert len(lines_of(fleet)) - before <= 30


def test_flood_of_handshakes_that_fail(start_fleet, tmp_path):
    port = fleets.free_port()
    fleet = start_fleet({"utils": {}}, {
        "listen": [{"address": f"https://127.0.0.1:{port}"}], "log": {"level": "debug", "format": "json"},
        "tls": {"cert_file": certs.Authority(tmp_path).write_server(tmp_path / "server.pem")}}, wait=False)
    fleets.wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, 20, "it listens")
    before = len(lines_of(fleet))
    for garbage in (b"\x16\x03\x01\x00\x05hello", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 100):
        for _ in range(FLOOD):
            with socket.create_connection(("127.0.0.1", port), 10) as raw, contextlib.suppress(OSError):
                raw.sendall(garbage)
                while raw.recv(1000):
                    pass
    check_bounded(fleet, before, "TLS with 127.0.0.1 failed", 4)


# --- credentials --------------------------------------------------------------------------------------


def basic(text):
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_credential_in_the_log(start_fleet, tmp_path, form):
    """Right ones and wrong ones, as they were sent and decoded: neither in the log nor in the audit, at debug."""
    keys = doorkeys.Keys(tmp_path).add("boss", admin=True).add("old", expires=doorkeys.when(-5)).save()
    secret = tokens.Key("HS256")
    signed = {name: secret.sign(tokens.claims(sub=f"sub-{name}", scope="fleet:all", **claims)) for name, claims in {
        "good": {}, "expired": {"exp": 1}, "other": {"aud": "elsewhere"}}.items()}
    stranger = tokens.Key("HS256", secret=b"another secret of the tests, as long").sign(tokens.claims(scope="fleet:all"))
    fleet = start_fleet({"utils": {}}, {
        "log": {"level": "debug", "format": form}, "audit": {"target": str(tmp_path / "audit.jsonl")},
        "admin": {"listen": f"127.0.0.1:{fleets.free_port()}", "auth": "required", "public": True},
        "auth": {"issuer": tokens.ISSUER, "audience": [tokens.AUDIENCE], "scopes": {"fleet:all": {}},
                 "secret_file": tokens.write_secret(tmp_path / "secret", secret)}})
    unknown = "mcpf_aaaaaaaa_" + "Z" * 43
    texts = [*keys.text.values(), unknown, *signed.values(), stranger, "mistyped-password"]
    for text in texts:
        for headers in ({"Authorization": f"Bearer {text}"}, {"X-API-Key": text}, basic(f"user-{text}:{text}")):
            for target in ("/status", "/mcp", f"/sse?access_token={text}", f"/nowhere/{text}"):
                with fleet.connect() as connection:
                    connection.request("HEAD", target, headers)
                    connection.read_response("HEAD")
    for headers in (keys.bearer("boss"), {"Authorization": f"Bearer {signed['good']}"}):
        door = Door(fleet.port, timeout=15 * fleets.SLOWNESS)
        opened = door.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}, **headers)
        door.id = opened.header("Mcp-Session-Id")
        assert door.post(door.call("calculator_add", {"a": 1, "b": 2}), **headers).status == 200
        assert door.ask("DELETE", Content_Type=None, **headers).status == 204
    fleets.wait_until(lambda: fleet.log().count("session ended: ") == 2, 5, "both sessions have ended")
    said = fleet.log() + (tmp_path / "audit.jsonl").read_text()
    assert "boss" in said and "sub-good" in said
    for text in texts:
        for part in (text, base64.b64encode(text.encode()).decode().rstrip("=")[:20],
                     hashlib.sha256(text.encode()).hexdigest(), text.rpartition(".")[2][:40] if "." in text else text[-43:]):
            assert part not in said, part
