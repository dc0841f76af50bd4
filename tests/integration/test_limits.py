"""What one key, one address and all together may have at the door."""

import json
import time

import control
import doorkeys
import fleet as fleets
import metrics
import pytest
from streamable import Door

pytestmark = pytest.mark.sanitizers


def head(fleet, **headers):
    with fleet.connect() as connection:
        connection.request("HEAD", "/sse", headers)
        return connection.read_response("HEAD")


def connect_from(fleet, address):
    return fleets.socket.create_connection(("127.0.0.1", fleet.port), 10 * fleets.SLOWNESS, (address, 0))


def ask_from(fleet, address, what="GET /health"):
    """The status of a request that comes from another address of this machine."""
    with connect_from(fleet, address) as connection:
        connection.sendall(f"{what} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        return int(connection.recv(1000).split()[1])


def reached(fleet):
    with control.Control(fleet.control_socket) as asked:
        return asked.call("status")["limits"]


@pytest.fixture
def keys(tmp_path):
    return doorkeys.Keys(tmp_path).add("one").add("two", rate=1000, sessions=5).save()


def test_rate_of_an_address(start_fleet):
    admin = fleets.free_port()
    fleet = start_fleet(settings={"limits": {"per_address": {"rate": 1, "burst": 3}},
                                  "admin": {"listen": f"127.0.0.1:{admin}"}})
    answers = [head(fleet) for _ in range(6)]
    assert [answer.status for answer in answers][:3] == [200, 200, 200]
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert 1 <= int(refused[0].header("Retry-After")) <= 3
    assert fleet.get("/health").status == 200  # probes are not counted
    assert reached(fleet)["limits.per_address.rate"] == len(refused)
    error = f'errors_total{{kind="http_429",transport="http",domain=""}} {len(refused)}'
    assert error in metrics.fetch(admin).splitlines()
    assert ask_from(fleet, "127.0.0.2", "HEAD /sse") == 200


def test_rate_of_a_key(start_fleet, keys):
    fleet = start_fleet(settings={"limits": {"per_key": {"rate": 1, "burst": 2}}})
    statuses = [head(fleet, **keys.bearer("one")).status for _ in range(5)]
    assert statuses[:2] == [200, 200]
    assert 429 in statuses
    assert {head(fleet, **keys.bearer("two")).status for _ in range(20)} == {200}  # its own quota


def test_sessions_and_streams_of_a_key(start_fleet, keys):
    fleet = start_fleet(settings={"limits": {"per_key": {"sessions": 2, "streams": 2}}})
    one = keys.bearer("one")
    with fleet.session(headers=one), fleet.session(headers=one):
        third = fleet.get("/sse", **one)
        assert third.status == 429
        assert "limits.per_key.sessions" in third.json()["error"]
        with fleet.session(headers=keys.bearer("two")):
            pass
    fleets.wait_until(lambda: fleet.log().count("session ended: ") == 3, 5, "the sessions have ended")
    with fleet.session(headers=one):  # what has ended does not count
        door = Door(fleet.port)
        door.id = door.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}},
            **one).header("Mcp-Session-Id")
        stream = door.listen(**one)
        second = Door(fleet.port).post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}, **one)
        assert second.status == 429
        stream.close()
        assert door.ask("DELETE", Content_Type=None, **one).status == 204


def test_all_streams(start_fleet):
    fleet = start_fleet(settings={"limits": {"streams": 1}})
    with fleet.session():
        refused = fleet.get("/sse")
        assert (refused.status, refused.header("Retry-After")) == (503, "1")
        assert "limits.streams" in refused.json()["error"]
    fleets.wait_until(lambda: head(fleet).status == 200, 5, "the stream has ended")
    with fleet.session():
        pass


def test_calls(start_fleet, keys):
    fleet = start_fleet({"fake": fleets.fake_domain("fake", concurrency=8)}, {"limits": {"per_key": {"calls": 1}, "calls": 2}})
    with fleet.session(headers=keys.bearer("one")) as one, fleet.session(headers=keys.bearer("two")) as two:
        def start(session, number):
            assert session.post({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {
                "name": "fake_sleep", "arguments": {"seconds": 30}}}).status == 202

        start(one, 1)
        start(one, 2)
        refusal = one.stream.read_event().json()
        assert (refusal["id"], refusal["error"]["code"]) == (2, -31003)
        assert "limits.per_key.calls" in refusal["error"]["message"]
        start(two, 1)
        start(two, 2)
        assert "limits.calls" in two.stream.read_event().json()["error"]["message"]


def test_bytes(start_fleet):
    fleet = start_fleet(settings={"limits": {"per_address": {"bytes_rate": "10KiB"}}})
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "y" * 60_000}})
    assert Door(fleet.port).post(body).status == 400  # no session, but it has been paid for
    refused = Door(fleet.port).post(body)
    assert refused.status == 429
    assert int(refused.header("Retry-After")) >= 3


def test_guessing_counts(start_fleet, keys):
    """The rate of an address holds before its credential is looked at."""
    fleet = start_fleet(settings={"limits": {"per_address": {"rate": 1, "burst": 2}}})
    wrong = {"Authorization": "Bearer mcpf_abcdefgh_" + "A" * 43}
    assert [head(fleet, **wrong).status for _ in range(3)] == [401, 401, 429]
    assert head(fleet, **keys.bearer("one")).status == 429  # who guesses and who knows are one address


@pytest.mark.parametrize(("method", "path"), [("OPTIONS", "/mcp"), ("GET", "/metrics"), ("HEAD", "/status"), ("GET", "/nothing")])
def test_guessing_counts_everywhere(start_fleet, keys, method, path):
    """Wherever a credential is judged: a signature costs more than all else that a stranger can ask for."""
    fleet = start_fleet(settings={"limits": {"per_address": {"rate": 1, "burst": 2}},
                                  "admin": {"listen": f"127.0.0.1:{fleets.free_port()}", "public": True}})
    with fleet.connect() as connection:
        statuses = []
        for _ in range(4):
            connection.request(method, path, {"Authorization": "Bearer mcpf_abcdefgh_" + "A" * 43})
            statuses.append(connection.read_response(method).status)
    assert (statuses[:2], statuses[-1]) == ([401, 401], 429)


def test_preflights_do_not_count(start_fleet):
    fleet = start_fleet(settings={"limits": {"per_address": {"rate": 1, "burst": 1}},
                                  "http": {"allowed_origins": ["https://app.example"]}})
    for _ in range(5):
        with fleet.connect() as connection:
            connection.request("OPTIONS", "/mcp", {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"})
            assert connection.read_response("OPTIONS").status == 204
    assert head(fleet).status == 200
    refused = head(fleet, Origin="https://app.example")
    assert (refused.status, refused.header("Access-Control-Allow-Origin")) == (429, "https://app.example")  # the page reads it
    refused = head(fleet, Origin="https://evil.example")
    assert (refused.status, refused.header("Access-Control-Allow-Origin")) == (429, None)


def test_clients_behind_a_proxy(start_fleet):
    """Each has its own share; the proxy itself may have as many connections as it likes."""
    fleet = start_fleet(settings={"auth": "none", "http": {"trusted_proxies": ["127.0.0.1"]},
                                  "limits": {"per_address": {"rate": 1, "burst": 1, "connections": 1}}})
    with fleet.connect(), fleet.connect():
        statuses = [head(fleet, **{"X-Forwarded-For": client}).status
                    for client in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")]
    assert statuses == [200, 429, 200, 200, 429, 200]


@pytest.mark.parametrize("how", ["answered", "cancelled", "left"])
def test_calls_of_an_address_are_given_back(start_fleet, how):
    """However a call ends."""
    fleet = start_fleet({"fake": fleets.fake_domain("fake")}, {"limits": {"per_address": {"calls": 1}}})
    with fleet.session() as other, fleet.session() as session:
        def call(asker, number, seconds):
            assert asker.post({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {
                "name": "fake_sleep", "arguments": {"seconds": seconds}}}).status == 202

        call(session, 1, 0.5 if how == "answered" else 30)
        call(other, 1, 0)
        assert other.stream.read_message().json()["error"]["code"] == -31003
        if how == "answered":
            assert "result" in session.stream.read_message().json()
        elif how == "cancelled":
            session.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
        else:
            session.close()

        def is_free():
            call(other, 2, 0)
            return "result" in other.stream.read_message().json()

        fleets.wait_until(is_free, 5, "the place of the call")


def test_a_reload_changes_limits(start_fleet):
    fleet = start_fleet()
    with fleet.session():
        fleet.write_settings(limits={"per_address": {"sessions": 1}})
        fleet.signal(fleets.signal.SIGHUP)
        fleets.wait_until(lambda: "reload: limits.per_address.sessions changed" in fleet.log(), 5, "the reload")
        with fleet.session():
            assert fleet.get("/sse").status == 429


def test_connections_of_an_address(start_fleet):
    fleet = start_fleet(settings={"limits": {"per_address": {"connections": 3}}})
    held = [connect_from(fleet, "127.0.0.5") for _ in range(3)]
    for each in held:
        each.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert each.recv(1000).startswith(b"HTTP/1.1 200")
    assert ask_from(fleet, "127.0.0.5") == 503
    assert ask_from(fleet, "127.0.0.9") == 200
    for each in held:
        each.close()
    fleets.wait_until(lambda: ask_from(fleet, "127.0.0.5") == 200, 5, "places are free again")


@pytest.mark.parametrize("wants_keys", [False, True])
def test_a_flood_keeps_nobody_out(start_fleet, keys, wants_keys):
    """A thousand connections of one address that never ask, while another works undisturbed."""
    if not wants_keys:
        keys.path.unlink()
    fleet = start_fleet(settings={"limits": {"connections": 300, "unauthenticated": 100, "header_timeout": "60s"}})
    shown = keys.bearer("one") if wants_keys else {}
    held = []
    with fleet.session(headers=shown) as session:
        for i in range(1000):
            flood = connect_from(fleet, "127.0.0.66")
            flood.sendall(b"GET /sse HTTP/1.1\r\nHost: lo")
            held.append(flood)
            if i % 50 == 0:
                assert session.post({"jsonrpc": "2.0", "id": i, "method": "ping"}).status == 202
                assert session.stream.read_event().json()["id"] == i
                assert fleet.get("/health").status == 200
        with fleet.session(headers=shown):
            pass
        limits = reached(fleet)
        assert limits["limits.unauthenticated" if wants_keys else "limits.connections"] >= 500
    for each in held:
        each.close()


def test_strangers_take_the_places_of_strangers(start_fleet, keys):
    """With all places taken, too: whoever has shown a key is not closed for one who may not have more of them."""
    fleet = start_fleet(settings={"limits": {"connections": 20, "unauthenticated": 8}})
    request = f"HEAD /sse HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {keys.text['one']}\r\n\r\n".encode()
    strangers = [connect_from(fleet, f"127.0.1.{i}") for i in range(1, 9)]
    known = []
    for _ in range(12):
        known.append(connect_from(fleet, "127.0.0.7"))
        known[-1].sendall(request)
        assert known[-1].recv(1000).startswith(b"HTTP/1.1 200")
    strangers += [connect_from(fleet, f"127.0.2.{i}") for i in range(1, 21)]
    fleets.wait_until(lambda: reached(fleet).get("limits.unauthenticated", 0) >= 20, 5, "strangers were closed")
    for each in known:
        each.sendall(request)
        assert each.recv(1000).startswith(b"HTTP/1.1 200")
    for each in strangers:
        each.close()


def test_a_trickling_body(start_fleet):
    fleet = start_fleet(settings={"limits": {"min_rate": 1024, "body_timeout": "60s"}})
    with fleet.connect(timeout=30 * fleets.SLOWNESS) as connection:
        connection.send(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        b"Accept: application/json, text/event-stream\r\nContent-Length: 100000\r\n\r\n")
        started = time.monotonic()
        while not connection.buffer and time.monotonic() - started < 20 * fleets.SLOWNESS:
            connection.send(b"x")
            try:
                connection.fill(time.monotonic() + 0.5)
            except TimeoutError:
                continue
        assert connection.read_response().status == 408
        assert reached(fleet)["limits.min_rate"] == 1
