"""HTTP+SSE on the wire: the opening of a stream, its heartbeat, and every refusal."""

import json
import re
import threading
import time

import pytest

import fleet as fleets
import wire

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
PING = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"})
JSON = {"Content-Type": "application/json"}


def curl(*args, seconds=2):
    return fleets.run(["curl", "-sS", "--noproxy", "*", "--max-time", str(seconds * fleets.SLOWNESS), *args])


# --- opening --------------------------------------------------------------------------------------


@pytest.mark.sanitizers
def test_handshake_by_curl(utils):
    """What a person types first: headers, then the endpoint event, and the stream stays open."""
    ended = curl("-N", "-i", f"{utils.url}/sse", seconds=1)
    assert ended.returncode == 28, ended.stderr  # curl's own time limit ended it
    head, body = ended.stdout.decode().split("\r\n\r\n", 1)
    status, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert status == "HTTP/1.1 200 OK"
    assert headers["content-type"].split(";")[0] == "text/event-stream"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert "content-length" not in headers
    assert re.fullmatch(rf"event: endpoint\ndata: /messages\?session_id={UUID}\n\n", body)


def test_round_trip_by_curl(utils):
    with utils.stream() as stream:
        endpoint = stream.read_event().data
        posted = curl("-i", "-H", "Content-Type: application/json", "-d", PING, utils.url + endpoint)
        assert posted.stdout.startswith(b"HTTP/1.1 202 ")
        assert posted.stdout.endswith(b"\r\n\r\n")
        event = stream.read_event()
        assert event.raw.startswith(b"event: message\ndata: ")
        assert event.json() == {"jsonrpc": "2.0", "id": 1, "result": {}}


def test_endpoint_comes_first_and_at_once(utils):
    for _ in range(20):
        with utils.stream() as stream:
            event = stream.read_event()
            elapsed = time.monotonic() - stream.started
            assert event.name == "endpoint"
            assert re.fullmatch(rf"/messages\?session_id={UUID}", event.data)
            # The promise is a millisecond of the daemon; the rest is the noise of a test machine.
            assert elapsed < 0.25 * fleets.SLOWNESS


def test_session_ids_differ(utils):
    streams = [utils.stream() for _ in range(50)]
    assert len({stream.read_event().data for stream in streams}) == 50
    for stream in streams:
        stream.close()


def test_endpoint_of_a_domain(start_fleet):
    fleet = start_fleet({"utils": {}, "fake": fleets.fake_domain("fake")})
    for domain in ("utils", "fake"):
        with fleet.session(f"/{domain}/sse") as session:
            assert re.fullmatch(rf"/{domain}/messages\?session_id={UUID}", session.endpoint)
            assert session.tools()
    with fleet.session("/fake/sse") as session:
        assert all(tool["name"].startswith("fake_") for tool in session.tools())
        # Another domain's tool is not there, by whatever name.
        assert session.call("hash_compute", {"text": "x"})["error"]["code"] == -32602


def test_listener_for_one_domain(start_fleet):
    port = fleets.free_port()
    fleet = start_fleet({"fake": fleets.fake_domain("fake"), "other": fleets.fake_domain("other")}, start=False)
    fleet.settings = {"listen": [{"address": f"127.0.0.1:{fleet.port}"},
                                 {"address": f"127.0.0.1:{port}", "domain": "other"}]}
    fleet.start()
    with wire.Session(port) as session:
        session.initialize()
        assert {tool["name"].split("_")[0] for tool in session.tools()} == {"other"}


def test_http_1_0_gets_no_chunks(utils):
    with utils.connect() as connection:
        connection.send(f"GET /sse HTTP/1.0\r\nHost: {connection.host_header}\r\n\r\n")
        response = connection.read_head()
        assert response.status == 200
        assert response.header("Transfer-Encoding") is None
        connection.take_until(b"\n\n", time.monotonic() + 5)


# --- heartbeat ------------------------------------------------------------------------------------


def test_ping_events(start_fleet):
    fleet = start_fleet(env={"SSE_HEARTBEAT_SECONDS": "0.2"})
    with fleet.stream() as stream:
        assert stream.read_event().name == "endpoint"
        times = []
        for _ in range(6):
            event = stream.read_event(3)
            assert event.raw == b"event: ping\ndata: {}"
            times.append(time.monotonic())
    gaps = [after - before for before, after in zip(times, times[1:])]
    assert 0.1 < sum(gaps) / len(gaps) < 0.4 * fleets.SLOWNESS


def test_ping_from_the_settings(start_fleet):
    fleet = start_fleet(settings={"sse": {"heartbeat": "200ms"}})
    with fleet.stream() as stream:
        stream.read_event()
        assert stream.read_event(3).name == "ping"


def test_pings_are_spread_over_sessions(start_fleet):
    """Sessions that were opened together are not all pinged in the same moment."""
    fleet = start_fleet(env={"SSE_HEARTBEAT_SECONDS": "1"})
    streams = [fleet.stream() for _ in range(40)]
    for stream in streams:
        stream.read_event()
    times = []

    def first_ping(stream):
        stream.read_event(5)
        times.append(time.monotonic())

    threads = [threading.Thread(target=first_ping, args=(stream,)) for stream in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for stream in streams:
        stream.close()
    assert len(times) == 40
    assert max(times) - min(times) > 0.3


def test_no_ping_within_an_answer(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake")}, env={"SSE_HEARTBEAT_SECONDS": "0.05"})
    with fleet.session() as session:
        for _ in range(50):
            answer = session.call("fake_big", {"bytes": 100_000})
            assert len(answer["result"]["content"][0]["text"]) == 100_000


# --- methods, paths, status codes -----------------------------------------------------------------


def test_head_opens_no_stream(utils):
    with utils.connect() as connection:
        connection.request("HEAD", "/sse")
        response = connection.read_response("HEAD")
        assert response.status in (200, 405)
        # The connection is still good for a request, so nothing else was sent on it.
        connection.request("GET", "/health")
        assert connection.read_response().status == 200
    wait_sessions(utils, 0)


def wait_sessions(fleet, count):
    fleets.wait_until(lambda: fleet.health()["sessions"] == count, 3, f"{count} sessions")


def test_head_of_health_has_no_body(utils):
    with utils.connect() as connection:
        connection.request("HEAD", "/health")
        assert connection.read_response("HEAD").status == 200
        connection.request("GET", "/health")
        assert connection.read_response().json()


@pytest.mark.parametrize("method, target, allowed", [
    ("POST", "/sse", "GET"),
    ("DELETE", "/sse", "GET"),
    ("PUT", "/utils/sse", "GET"),
    ("GET", "/messages?session_id=x", "POST"),
    ("DELETE", "/utils/messages?session_id=x", "POST"),
    ("POST", "/health", "GET"),
    ("PATCH", "/ready", "GET"),
])
def test_wrong_method(utils, method, target, allowed):
    with utils.connect() as connection:
        connection.request(method, target, JSON, PING if method in ("POST", "PUT", "PATCH") else None)
        response = connection.read_response(method)
    assert response.status == 405
    assert allowed in re.split(r",\s*", response.header("Allow"))


@pytest.mark.parametrize("target", ["/", "/nothing", "/sse/", "/utils", "/nothing/sse", "/utils/nothing",
                                    "/utils/utils/sse", "//sse", "/%73se/x", "/sse%00"])
def test_unknown_path(utils, target):
    response = utils.get(target)
    assert response.status == 404
    assert response.header("Content-Type").split(";")[0] == "application/json"
    assert isinstance(response.json(), dict)


@pytest.mark.parametrize("query", ["", "?session_id=", "?session_id=00000000-0000-4000-8000-000000000000",
                                   "?session_id=..%2f..%2f", "?session=x", "?session_id=" + "x" * 2000])
def test_unknown_session(utils, query):
    with utils.connect() as connection:
        connection.request("POST", "/messages" + query, JSON, PING)
        response = connection.read_response("POST")
    # A request that names no session is a bad request; one that names a foreign one finds nothing.
    assert response.status == 404 or (response.status == 400 and query in ("", "?session=x"))
    assert response.header("Content-Type").split(";")[0] == "application/json"
    assert isinstance(response.json(), dict)


def test_a_closed_session_is_unknown(utils):
    session = utils.session()
    session.stream.close()
    fleets.wait_until(lambda: session.post(PING).status == 404, 3, "404 after the stream was closed")
    session.close()


@pytest.mark.parametrize("content_type, status", [
    ("application/json", 202),
    ("Application/JSON", 202),
    ("application/json; charset=utf-8", 202),
    ("application/json;charset=utf-8", 202),
    ("text/plain", 415),
    ("application/jsonp", 415),
    ("application/x-www-form-urlencoded", 415),
])
def test_content_type(utils, content_type, status):
    with utils.session() as session:
        assert session.post(PING, {"Content-Type": content_type}).status == status


def test_content_type_missing(utils):
    with utils.session() as session, utils.connect() as connection:
        connection.request("POST", session.endpoint, {}, PING)
        assert connection.read_response("POST").status == 415


# --- limits ---------------------------------------------------------------------------------------


def test_body_too_large_by_length(start_fleet):
    """Answered from Content-Length at once; and the client reads the 413, not a reset."""
    fleet = start_fleet(settings={"limits": {"request_bytes": "64KiB"}})
    with fleet.session() as session:
        with fleet.connect() as connection:
            connection.send(f"POST {session.endpoint} HTTP/1.1\r\nHost: {connection.host_header}\r\n"
                            "Content-Type: application/json\r\nContent-Length: 65537\r\n\r\n")
            assert connection.read_response("POST").status == 413
        with fleet.connect() as connection:
            connection.request("POST", session.endpoint, JSON, b" " * 300_000)
            assert connection.read_response("POST").status == 413
        assert session.request("ping") == {"jsonrpc": "2.0", "id": 2, "result": {}}


def test_body_of_just_the_limit(start_fleet):
    fleet = start_fleet(settings={"limits": {"request_bytes": "64KiB"}})
    with fleet.session() as session:
        assert session.post(PING.ljust(65536)).status == 202
        assert session.post(PING.ljust(65537)).status == 413


def test_chunked_body_too_large(start_fleet):
    fleet = start_fleet(settings={"limits": {"request_bytes": "64KiB"}})
    with fleet.session() as session, fleet.connect() as connection:
        connection.send(f"POST {session.endpoint} HTTP/1.1\r\nHost: {connection.host_header}\r\n"
                        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            connection.send(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        assert connection.read_response("POST").status == 413


@pytest.mark.parametrize("length", ["99999999999999999999", "18446744073709551616", "9223372036854775807"])
def test_absurd_content_length(utils, length):
    with utils.session() as session:
        response, closed = utils.exchange(
            f"POST {session.endpoint} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n\r\n", "POST")
    assert response.status in (400, 413)
    assert closed


def test_head_too_large(utils):
    response, closed = utils.exchange("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + "x" * 200_000 + "\r\n\r\n")
    assert response.status == 431
    assert closed


def test_too_many_headers(utils):
    lines = "".join(f"X-{i}: y\r\n" for i in range(5000))
    response, closed = utils.exchange(f"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n")
    assert response.status == 431
    assert closed


def test_request_line_too_long(utils):
    response, closed = utils.exchange("GET /" + "x" * 200_000 + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert response.status in (414, 431)
    assert closed


@pytest.mark.parametrize("sent", [b"", b"GET /hea", b"GET /health HTTP/1.1\r\nHost: x\r\n"])
def test_slow_head(start_fleet, sent):
    """408 to a request that was begun; a connection that asked nothing may be closed without words."""
    fleet = start_fleet(settings={"limits": {"header_timeout": "300ms", "keepalive_timeout": "300ms"}})
    with fleet.connect(timeout=10) as connection:
        connection.send(sent)
        if sent:
            assert connection.read_response().status == 408
        assert connection.is_closed(5)


def test_slow_head_in_drops(start_fleet):
    """The time is for the whole head: a byte now and then does not prolong it."""
    fleet = start_fleet(settings={"limits": {"header_timeout": "500ms"}})
    with fleet.connect(timeout=10) as connection:
        begin = time.monotonic()
        for byte in b"GET /health HTTP/1.1\r\n" + b"X: " + b"y" * 200:
            try:
                connection.send(bytes([byte]))
            except OSError:
                break
            time.sleep(0.05)
            if time.monotonic() - begin > 2:
                break
        assert connection.read_response().status == 408


def test_slow_body(start_fleet):
    fleet = start_fleet(settings={"limits": {"body_timeout": "300ms"}})
    with fleet.session() as session, fleet.connect(timeout=10) as connection:
        connection.send(f"POST {session.endpoint} HTTP/1.1\r\nHost: {connection.host_header}\r\n"
                        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        assert connection.read_response("POST").status == 408
        assert connection.is_closed(5)


def test_session_limit(start_fleet):
    fleet = start_fleet(settings={"limits": {"sessions": 3}})
    streams = [fleet.stream() for _ in range(3)]
    with fleet.stream() as refused:
        assert refused.response.status == 503
        assert int(refused.response.header("Retry-After")) > 0
    streams.pop().close()

    def is_let_in():
        with fleet.stream() as again:
            return again.response.status == 200
    fleets.wait_until(is_let_in, 3, "a place is free again")
    for stream in streams:
        stream.close()


# --- bodies and connections -----------------------------------------------------------------------


def chunked(*pieces, trailer=b""):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailer + b"\r\n"


@pytest.mark.parametrize("body", [
    chunked(PING.encode()),
    chunked(*(bytes([byte]) for byte in PING.encode())),
    chunked(PING.encode(), trailer=b"X-Trailer: yes\r\n"),
    chunked(PING.encode()).replace(b"\r\n", b";name=value\r\n", 1),
], ids=["one", "bytewise", "trailer", "extension"])
def test_chunked_body(utils, body):
    with utils.session() as session, utils.connect() as connection:
        connection.send(f"POST {session.endpoint} HTTP/1.1\r\nHost: {connection.host_header}\r\n"
                        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + body)
        assert connection.read_response("POST").status == 202
        assert session.stream.read_message().json()["id"] == 1
        connection.request("GET", "/health")
        assert connection.read_response().status == 200


def test_expect_100_continue(utils):
    with utils.session() as session, utils.connect() as connection:
        connection.send(f"POST {session.endpoint} HTTP/1.1\r\nHost: {connection.host_header}\r\n"
                        f"Content-Type: application/json\r\nContent-Length: {len(PING)}\r\nExpect: 100-continue\r\n\r\n")
        assert connection.read_response("POST").status == 100
        connection.send(PING)
        assert connection.read_response("POST").status == 202


def test_expect_100_continue_of_what_is_refused(utils):
    """The refusal comes instead of the 100, so that the body need not be sent."""
    with utils.connect() as connection:
        connection.send(f"POST /messages?session_id=x HTTP/1.1\r\nHost: {connection.host_header}\r\n"
                        "Content-Type: application/json\r\nContent-Length: 9999999999\r\nExpect: 100-continue\r\n\r\n")
        assert connection.read_response("POST").status in (404, 413)


def test_unknown_expectation(utils):
    response, _ = utils.exchange("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: miracles\r\n\r\n")
    assert response.status in (200, 417)


def test_keep_alive(utils):
    with utils.session() as session:
        for number in range(100):
            assert session.request("ping")["id"] == number + 2
        assert session.poster is not None


def test_connection_close(utils):
    response, closed = utils.exchange("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert response.status == 200
    assert closed


def test_http_1_0_closes(utils):
    response, closed = utils.exchange("GET /health HTTP/1.0\r\n\r\n")
    assert response.status == 200
    assert closed


def test_pipelining(utils):
    """Requests sent at once are answered in order, and the answers' events too."""
    with utils.session() as session, utils.connect() as connection:
        def post(number):
            body = json.dumps({"jsonrpc": "2.0", "id": number, "method": "ping"})
            return (f"POST {session.endpoint} HTTP/1.1\r\nHost: {connection.host_header}\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}")
        connection.send("".join(map(post, range(100, 130))) + "GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert [connection.read_response("POST").status for _ in range(30)] == [202] * 30
        assert connection.read_response().status == 404
        assert [session.stream.read_message().json()["id"] for _ in range(30)] == list(range(100, 130))


def test_request_byte_by_byte(utils):
    with utils.session() as session, utils.connect() as connection:
        for byte in (f"POST {session.endpoint} HTTP/1.1\r\nhOsT:127.0.0.1\r\nCONTENT-TYPE:\tapplication/json \r\n"
                     f"content-length: {len(PING)}\r\n\r\n{PING}").encode():
            connection.send(bytes([byte]))
        assert connection.read_response("POST").status == 202
        assert session.stream.read_message().json()["id"] == 1


def test_absolute_form(utils):
    response, _ = utils.exchange(f"GET {utils.url}/health HTTP/1.1\r\nHost: 127.0.0.1:{utils.port}\r\n\r\n")
    assert response.status == 200


def test_options_grants_nothing(utils):
    response, _ = utils.exchange("OPTIONS /sse HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n\r\n", "OPTIONS")
    assert response.status in (204, 403, 405)
    assert response.header("Access-Control-Allow-Origin") is None


# --- ambiguous requests ---------------------------------------------------------------------------

POST = "POST {endpoint} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
LENGTH = f"Content-Length: {len(PING)}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"
AMBIGUOUS = {
    "two lengths": POST + LENGTH + "Content-Length: 5\r\n\r\n" + PING,
    "two equal lengths": POST + LENGTH + LENGTH + "\r\n" + PING,
    "length list": POST + f"Content-Length: {len(PING)}, {len(PING)}\r\n\r\n" + PING,
    "plus sign": POST + f"Content-Length: +{len(PING)}\r\n\r\n" + PING,
    "minus sign": POST + "Content-Length: -1\r\n\r\n" + PING,
    "hexadecimal length": POST + "Content-Length: 0x2a\r\n\r\n" + PING,
    "empty length": POST + "Content-Length: \r\n\r\n" + PING,
    "length with a blank": POST + "Content-Length: 4 2\r\n\r\n" + PING,
    "length and chunked": POST + LENGTH + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": POST + "Transfer-Encoding: gzip\r\n\r\n" + PING,
    "chunked not last": POST + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two codings": POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "coding with a tab inside": POST + "Transfer-Encoding: chu\tnked\r\n\r\n0\r\n\r\n",
    "chunk size 0x": POST + CHUNKED + "0x5\r\n12345\r\n0\r\n\r\n",
    "chunk size with a sign": POST + CHUNKED + "+5\r\n12345\r\n0\r\n\r\n",
    "chunk size empty": POST + CHUNKED + "\r\n12345\r\n0\r\n\r\n",
    "chunk size overflow": POST + CHUNKED + "10000000000000005\r\n12345\r\n0\r\n\r\n",
    "chunk too short": POST + CHUNKED + "4\r\n12345\r\n0\r\n\r\n",
    "chunk by bare LF": POST + CHUNKED + "5\n12345\r\n0\r\n\r\n",
    "blank before colon": "GET /health HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
    "folded header": "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Folded: a\r\n b\r\n\r\n",
    "bare LF": "GET /health HTTP/1.1\nHost: 127.0.0.1\n\n",
    "bare LF in a header": "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b\nX-C: d\r\n\r\n",
    "bare CR in a header": "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b\rX-C: d\r\n\r\n",
    "NUL in a header": "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b\0c\r\n\r\n",
    "NUL in the target": "GET /hea\0lth HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no host": "GET /health HTTP/1.1\r\n\r\n",
    "two hosts": "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: localhost\r\n\r\n",
    "two equal hosts": "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no colon": "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nnonsense\r\n\r\n",
    "empty name": "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n: value\r\n\r\n",
    "name with a bracket": "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX(y): value\r\n\r\n",
    "header before the first": "GET /health HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n",
    "two blanks": "GET  /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "tab for blank": "GET\t/health\tHTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no version": "GET /health\r\nHost: 127.0.0.1\r\n\r\n",
    "version in lower case": "GET /health http/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "version with blank": "GET /health HTTP/1.1 \r\nHost: 127.0.0.1\r\n\r\n",
    "method not a token": "G@T /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "binary": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 nothing of HTTP\r\n\r\n",
}


@pytest.mark.sanitizers
@pytest.mark.parametrize("name", AMBIGUOUS)
def test_ambiguous_request_is_refused_and_closed(utils, name):
    with utils.session() as session:
        request = AMBIGUOUS[name].replace("{endpoint}", session.endpoint)
        # What follows must never be taken for a request of its own.
        response, closed = utils.exchange(request.encode("latin-1") + b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert response.status == 400
        assert closed
        assert session.request("ping")["result"] == {}


@pytest.mark.parametrize("version, status", [("HTTP/2.0", (400, 505)), ("HTTP/1.2", (200, 400, 505)), ("HTTP/0.9", (400, 505))])
def test_other_versions(utils, version, status):
    response, _ = utils.exchange(f"GET /health {version}\r\nHost: 127.0.0.1\r\n\r\n")
    assert response.status in status


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.1.2.3"])
def test_foreign_host(utils, host):
    response, _ = utils.exchange(f"GET /sse HTTP/1.1\r\nHost: {host}\r\n\r\n")
    assert response.status in (403, 421)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:1", "[::1]", "127.0.0.1:65535"])
def test_local_host(utils, host):
    response, _ = utils.exchange(f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n")
    assert response.status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1.evil.example", "http://localhost@evil.example"])
@pytest.mark.parametrize("target", ["/sse", "/messages?session_id=x"])
def test_foreign_origin(utils, origin, target):
    with utils.connect() as connection:
        method = "GET" if target == "/sse" else "POST"
        connection.request(method, target, {**JSON, "Origin": origin}, PING if method == "POST" else None)
        assert connection.read_response(method).status == 403
