"""mcp-fleet-remote against a server that the test writes: what it sends, what it makes of answers, and
what it does when the server is slow, wrong, gone or back."""

import base64
import gzip
import json
import os
import socket
import threading
import time

import pytest

import fleet as fleets
import remote as remotes
from remote import INITIALIZE, INITIALIZED, VERSION, text_of

pytestmark = pytest.mark.sanitizers
LOST, UNAVAILABLE, OVERLOADED = -31001, -31004, -31003
BOMB = gzip.compress(b": " + b"x" * (64 << 20) + b"\n\n")


@pytest.fixture
def peer():
    made = remotes.Peer()
    yield made
    made.stop()


@pytest.fixture
def start(tmp_path):
    started = []

    def make(url, **options):
        new = remotes.Remote(url, stderr=tmp_path / f"stderr-{len(started)}", **options)
        started.append(new)
        return new
    yield make
    for each in started:
        each.finish(getattr(each, "expected_exit", 0))


@pytest.fixture
def opened(peer, start):
    remote = start(peer.url)
    remote.open()
    return remote


# --- Streamable HTTP ------------------------------------------------------------------------------


def test_what_is_sent(peer, start):
    remote = start(peer.url)
    assert remote.open()["result"]["serverInfo"]["name"] == "peer"
    assert text_of(remote.call(1, text="hello")) == '{"text": "hello"}'
    assert remote.end() == []
    assert peer.methods()[:2] == ["initialize", "notifications/initialized"]
    assert "DELETE" in peer.methods() and not peer.sessions
    for x in peer.of("initialize"):
        assert x.headers.get("Mcp-Session-Id") is None and x.headers.get("MCP-Protocol-Version") is None
    for x in [*peer.of("tools/call"), *peer.of("notifications/initialized"), *peer.of("GET"), *peer.of("DELETE")]:
        assert x.headers["Mcp-Session-Id"] == "session-1"
        assert x.headers["MCP-Protocol-Version"] == "2025-11-25"
    for x in peer.of("tools/call"):
        assert x.headers["Content-Type"] == "application/json"
        assert x.headers["Accept"] == "application/json, text/event-stream"
        assert x.headers.get("Accept-Encoding") is None and x.headers.get("Expect") is None
    assert peer.of("GET")[0].headers["Accept"] == "text/event-stream"


def test_the_bytes_go_through(peer, opened):
    """Ids, numbers and escapes come and go as they are; raw line breaks become blanks."""
    line = '{"id":9007199254740993,"jsonrpc":"2.0","method":"tools/call","params":{"n":1e400,"s":"\\ud83d\\ude00\\u0000"}}'
    peer.on_call = lambda x: x.reply(200, b'{"jsonrpc": "2.0",\r\n "id": 9007199254740993,\n"result": {"a": 1.50, "b": "\\n"}}')
    opened.write(line + "\n")
    opened.socket.settimeout(10)
    raw = b""
    while b"\n" not in raw:
        raw += opened.socket.recv(65536)
    assert raw == b'{"jsonrpc": "2.0",   "id": 9007199254740993, "result": {"a": 1.50, "b": "\\n"}}\n'
    assert peer.of("tools/call")[0].raw.decode() == line


def test_answers_by_events(peer, opened):
    def on_call(x):
        x.stream()
        x.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}})
        x.event({"jsonrpc": "2.0", "id": 77, "method": "sampling/createMessage", "params": {}})
        x.event(peer.result(x, peer.echo(x)))
    peer.on_call = on_call
    assert text_of(opened.call(1)) == "{}"
    assert [message["method"] for message in opened.others] == ["notifications/progress", "sampling/createMessage"]
    opened.send({"jsonrpc": "2.0", "id": 77, "result": {"role": "user"}})
    fleets.wait_until(lambda: any((x.message or {}).get("id") == 77 for x in peer.requests), 5, "the response arrives")


def test_calls_are_concurrent_but_not_without_bound(peer, start):
    gate = threading.Event()
    remote = start(peer.url)
    remote.open()

    def on_call(x):
        gate.wait(20)
        x.reply(200, peer.result(x, peer.echo(x)))
    peer.on_call = on_call
    for number in range(200):
        remote.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": "echo"}})
    fleets.wait_until(lambda: len(peer.of("tools/call")) == 64, 10, "64 calls are under way")
    # A notification gets through nevertheless.
    remote.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}})
    fleets.wait_until(lambda: peer.of("notifications/cancelled"), 5, "the cancellation arrives")
    assert len(peer.of("tools/call")) == 64
    gate.set()
    got = {remote.read()["id"] for _ in range(199)}
    assert got == set(range(200)) - {3}
    assert peer.n_most <= 64 + 3  # the GET stream, the cancellation


def test_too_many_wait(peer, opened):
    gate = threading.Event()
    peer.on_call = lambda x: (gate.wait(20), x.reply(200, peer.result(x, {})))
    for number in range(1100):
        opened.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {}})
    refused = [opened.read() for _ in range(1100 - 1024)]
    assert {message["error"]["code"] for message in refused} == {OVERLOADED}
    gate.set()
    assert all("result" in opened.read(20) for _ in range(1024))


def test_the_server_speaks_by_itself(peer, start):
    """The GET stream: messages pass, it comes back where it broke, and ends with the session."""
    streams = []

    def on_get(x):
        x.stream()
        streams.append(x.headers.get("Last-Event-ID"))
        if len(streams) == 1:
            x.event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}, id="e1", retry="20")
            return
        x.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {}}, id="e2")
        x.is_left(20)
    peer.on_get = on_get
    remote = start(peer.url)
    remote.open()
    remote.wait_notification("notifications/tools/list_changed")
    remote.wait_notification("notifications/message")
    assert streams == [None, "e1"]
    remote.end()


def test_a_get_stream_that_ends_at_once_is_no_busy_loop(peer, opened):
    peer.on_get = lambda x: x.stream()
    peer.sessions.clear()  # so that it opens anew, now with such a stream
    opened.call(1)
    time.sleep(1.5)
    assert 1 < len(peer.of("GET")) < 12


# --- streams that break ---------------------------------------------------------------------------


def test_resumed(peer, opened):
    """With event ids the answer is fetched by GET, after as long as the server says."""
    def on_call(x):
        x.stream()
        x.event(id="s1-1", retry="50")  # the priming event
        x.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {}}, id="s1-2")
        peer.waiting = x

    def on_get(x):
        if x.headers.get("Last-Event-ID") == "s1-2":
            x.stream()
            return x.event(peer.result(peer.waiting, {"content": [{"type": "text", "text": "late"}]}), id="s1-3")
        return x.reply(405)
    peer.on_call, peer.on_get = on_call, on_get
    assert text_of(opened.call(1)) == "late"
    assert len(peer.of("tools/call")) == 1
    assert opened.others[0]["method"] == "notifications/message"


def test_resumed_more_than_once(peer, opened):
    """Polling: each connection ends before the answer; what has no event ids of its own goes on."""
    def on_call(x):
        x.stream()
        x.event(id="p", retry="10")
        peer.waiting = x

    def on_get(x):
        resumed = [each for each in peer.of("GET") if each.headers.get("Last-Event-ID") == "p"]
        if not x.headers.get("Last-Event-ID"):
            return x.reply(405)
        x.stream()
        if len(resumed) == 4:
            x.event(peer.result(peer.waiting, {"content": [{"type": "text", "text": "at last"}]}))
        return None
    peer.on_call, peer.on_get = on_call, on_get
    assert text_of(opened.call(1)) == "at last"


def test_cannot_be_resumed(peer, opened):
    def on_call(x):
        x.stream()
        x.event(id="s1", retry="10")
        x.cut()
    peer.on_call = on_call  # and GET is 405
    error = opened.call(1)["error"]
    assert error["code"] == LOST and "may have taken effect" in error["message"] and "405" in error["message"]


@pytest.mark.parametrize("how", ["stream ends", "stream cut", "no answer", "half a body"])
def test_lost_for_good(peer, opened, how):
    """A call is never sent twice, also not by libcurl on a kept connection; the error says what to fear."""
    def on_call(x):
        if how.startswith("stream"):
            x.stream()
            x.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
            if how == "stream ends":
                return
        elif how == "half a body":
            x.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        x.cut() if how == "stream cut" else x.request.shutdown(2)
        x.close_connection = True
    assert "result" in opened.request(0, "ping")
    peer.on_call = on_call
    error = opened.call(1)["error"]
    assert error["code"] == LOST and "may have taken effect" in error["message"]
    assert f"http://127.0.0.1:{peer.port}/mcp" in error["message"]
    assert len(peer.of("tools/call")) == 1
    peer.on_call = lambda x: x.reply(200, peer.result(x, peer.echo(x)))
    assert text_of(opened.call(2)) == "{}"


# --- sessions -------------------------------------------------------------------------------------


def test_the_session_is_lost(peer, start):
    """404: the same bytes open it again, the call that was refused is repeated, the client hears of the lists."""
    remote = start(peer.url)
    line = json.dumps(INITIALIZE).replace("{", "{ ", 1)
    remote.write(line + "\n")
    remote.answer("initialize")
    remote.send(INITIALIZED)
    assert text_of(remote.call(1, a=1)) == '{"a": 1}'
    peer.sessions.clear()
    assert text_of(remote.call(2, a=2)) == '{"a": 2}'
    remote.wait_notification("notifications/tools/list_changed")
    assert [x.raw.decode() for x in peer.of("initialize")] == [line, line]
    assert len(peer.of("notifications/initialized")) == 2
    calls = [x.headers["Mcp-Session-Id"] for x in peer.of("tools/call")]
    assert calls == ["session-1", "session-1", "session-2"]
    # Only of the lists that the server has.
    assert not [message for message in remote.others if "list_changed" in message.get("method", "")]
    assert "session is lost" in remote.stderr() and "open again" in remote.stderr()
    assert remote.end() == []


def test_many_calls_lose_one_session(peer, opened):
    opened.request("first", "ping")
    peer.sessions.clear()
    for number in range(20):
        opened.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": "echo"}})
    answers = [message for message in (opened.read() for _ in range(21)) if "id" in message]
    assert {message["id"] for message in answers if "result" in message} == set(range(20))
    assert len(peer.of("initialize")) == 2


def test_a_server_that_forgets_each_session(peer, opened):
    """No endless loop: a call is repeated once, and the pauses grow."""
    peer.on_note = lambda x: (peer.sessions.clear(), x.reply(202))
    peer.sessions.clear()
    error = opened.call(1)["error"]
    assert error["code"] == UNAVAILABLE
    before = len(peer.of("initialize"))
    time.sleep(1)
    assert len(peer.of("initialize")) - before < 10


def test_gone_and_back(peer, opened):
    peer.stop()
    error = opened.call(1)["error"]
    assert error["code"] == UNAVAILABLE
    assert f"http://127.0.0.1:{peer.port}/mcp" in error["message"] and "cannot be reached" in error["message"]
    # Soon known, and then told at once.
    began = time.monotonic()
    for number in range(20):
        assert opened.call(10 + number)["error"]["code"] == UNAVAILABLE
    assert time.monotonic() - began < 8 * fleets.SLOWNESS
    used = opened.cpu_seconds()
    time.sleep(1)
    assert opened.cpu_seconds() - used < 0.5 * fleets.SLOWNESS
    peer.start()
    opened.wait_notification("notifications/tools/list_changed", 40)
    assert text_of(opened.call(2)) == "{}"
    assert len([line for line in opened.stderr().splitlines() if "trying again" in line]) <= 2


def test_a_request_ends_a_long_pause(peer, opened):
    """A call comes through as soon as the server is back, whatever the pause has grown to; and asks not too often."""
    opened.request("before", "ping")
    usual = peer.on_initialize
    peer.on_initialize = lambda x: x.reply(503)
    peer.sessions.clear()
    assert opened.call(0)["error"]["code"] == UNAVAILABLE
    fleets.wait_until(lambda: len(peer.of("initialize")) >= 8, 30, "the pauses are long")
    time.sleep(3.1)
    before = len(peer.of("initialize"))
    for number in range(100):
        assert opened.call(100 + number)["error"]["code"] == UNAVAILABLE
    assert len(peer.of("initialize")) - before <= 3
    time.sleep(3.1)
    peer.on_initialize = usual
    began = time.monotonic()
    assert text_of(opened.call(1)) == "{}"
    assert time.monotonic() - began < 3 * fleets.SLOWNESS


def test_not_there_at_the_start(peer, start):
    """initialize is answered when there is an answer, and not before."""
    peer.stop()
    remote = start(peer.url)
    remote.send(INITIALIZE)
    assert remote.is_silent(1.0)
    assert len(remote.stderr().splitlines()) == 1 and "cannot be reached" in remote.stderr()
    peer.start()
    assert "result" in remote.answer("initialize", 20)


def test_an_unhelpful_start(peer, start):
    """So it is while the server answers with HTTP errors: a proxy may be there before it."""
    usual = peer.on_initialize
    peer.on_initialize = lambda x: x.reply(503) if len(peer.requests) < 4 else usual(x)
    remote = start(peer.url)
    assert "result" in remote.open()
    assert "HTTP 503" in remote.stderr()


def test_it_never_becomes_reachable(peer, start):
    peer.stop()
    remote = start(peer.url)
    remote.send(INITIALIZE)
    fleets.wait_until(lambda: "cannot be reached" in remote.stderr(), 5, "it says so")
    assert remote.end() == []


def test_another_version_than_before(peer, opened):
    """The client would not know: it ends, so that the supervisor starts it anew."""
    peer.version = "2025-03-26"
    peer.sessions.clear()
    opened.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo"}})
    assert text_of(opened.answer(1)) == "{}"
    assert opened.read() in (None, {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    assert opened.process.wait(10) == 0 and "another version" in opened.stderr()


def test_refused_initialize(peer, start):
    peer.on_initialize = lambda x: x.reply(400, {
        "jsonrpc": "2.0", "id": x.message["id"], "error": {"code": -32022, "message": "only 2026-07-28"}})
    remote = start(peer.url)
    remote.send(INITIALIZE)
    assert remote.answer("initialize")["error"]["code"] == -32022
    assert peer.methods() == ["initialize"]


# --- the stateless revision -----------------------------------------------------------------------


@pytest.fixture
def modern(peer, start):
    peer.on_post = lambda x: peer.on_call(x)
    peer.on_call = lambda x: x.reply(200, peer.result(x, {"resultType": "complete", "tools": peer.tools}),
                                     Mcp_Session_Id="not-for-you")
    return start(peer.url)


def test_modern_headers(peer, modern):
    modern.modern(1, "server/discover")
    modern.answer(1)
    modern.modern(2, "tools/call", name="echo", arguments={})
    modern.answer(2)
    modern.modern(3, "tools/call", name=" é", arguments={})
    modern.answer(3)
    modern.modern(4, "resources/read", uri="file:///a b")
    modern.answer(4)
    modern.modern(5, "prompts/get", name="=?base64?eA==?=")
    modern.answer(5)
    modern.modern(6, "tools/list", name="not a name")
    modern.answer(6)
    names = [x.headers.get("Mcp-Name") for x in peer.requests]
    assert names == [None, "echo", "=?base64?" + base64.b64encode(" é".encode()).decode() + "?=", "file:///a b",
                     "=?base64?" + base64.b64encode(b"=?base64?eA==?=").decode() + "?=", None]
    for x in peer.requests:
        assert x.headers["Mcp-Method"] == x.message["method"]
        assert x.headers["MCP-Protocol-Version"] == "2026-07-28"
        assert x.headers.get("Mcp-Session-Id") is None
    assert modern.end() == [] and "DELETE" not in peer.methods() and "GET" not in peer.methods()


def test_arguments_in_headers(peer, modern):
    peer.tools = [{"name": "find", "inputSchema": {"type": "object", "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}}}}}]
    call = {"name": "find", "arguments": {"region": "Zürich", "deep": {"n": 7}}}
    modern.modern(1, "tools/call", **call)
    modern.answer(1)
    modern.modern(2, "tools/list")
    modern.answer(2)
    modern.modern(3, "tools/call", **call)
    modern.answer(3)
    modern.modern(4, "tools/call", name="find", arguments={"region": None})
    modern.answer(4)
    sent = [{name: value for name, value in x.headers.items() if name.startswith("Mcp-Param-")} for x in peer.requests]
    assert sent == [{}, {}, {"Mcp-Param-Region": "=?base64?WsO8cmljaA==?=", "Mcp-Param-N": "7"}, {}]


@pytest.mark.parametrize("status, code", [(404, -32601), (400, -32020), (400, -32022), (500, -32603)])
def test_modern_errors_are_answers(peer, modern, status, code):
    peer.on_call = lambda x: x.reply(status, {"jsonrpc": "2.0", "id": x.message["id"], "error": {
        "code": code, "message": "no", "data": {"supported": ["2026-07-28"]}}})
    modern.modern(1, "nothing")
    assert modern.answer(1)["error"] == {"code": code, "message": "no", "data": {"supported": ["2026-07-28"]}}


def test_modern_cancellation_closes_the_stream(peer, modern):
    left = threading.Event()

    def on_call(x):
        x.stream()
        x.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
        if x.is_left():
            left.set()
    peer.on_call = on_call
    modern.modern(1, "tools/call", name="slow", arguments={})
    modern.wait_notification("notifications/message")
    modern.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
    assert left.wait(5 * fleets.SLOWNESS)
    assert "notifications/cancelled" not in peer.methods()
    assert modern.end() == []


def test_modern_subscription(peer, modern):
    gate = threading.Event()

    def on_call(x):
        x.stream()
        x.event({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {}})
        gate.wait(10)
        x.event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {}})
        x.cut()
    peer.on_call = on_call
    modern.modern("listen", "subscriptions/listen", notifications={"toolsListChanged": True})
    modern.wait_notification("notifications/subscriptions/acknowledged")
    gate.set()
    modern.wait_notification("notifications/tools/list_changed")
    assert modern.answer("listen")["error"]["code"] == LOST


def test_modern_start_waits_for_the_server(peer, start):
    peer.on_post = lambda x: x.reply(200, peer.result(x, {"supportedVersions": ["2026-07-28"]}))
    peer.stop()
    remote = start(peer.url)
    remote.modern(1, "server/discover")
    assert remote.is_silent(0.7)
    peer.start()
    assert remote.answer(1, 20)["result"]["supportedVersions"] == ["2026-07-28"]
    peer.stop()
    remote.modern(2, "tools/list")
    assert remote.answer(2)["error"]["code"] == UNAVAILABLE


# --- HTTP+SSE -------------------------------------------------------------------------------------


class SsePeer(remotes.Peer):
    """The transport of 2024-11-05."""

    endpoint = "/messages?session_id=1"
    status = 405

    def on_get(self, x):
        x.stream()
        self.events = x
        x.event(self.endpoint, name="endpoint")
        x.event("1", name="ping")
        x.is_left(30)

    def on_post(self, x):
        if not x.path.startswith("/messages"):
            return x.reply(self.status)
        x.reply(202, b"Accepted", kind="text/plain")
        if x.message.get("method") == "tools/call":
            return self.on_call(x)
        if "id" in x.message:
            self.events.event(self.result(x, {
                "protocolVersion": "2024-11-05", "capabilities": {"tools": {}, "prompts": {}}, "serverInfo": {"name": "p", "version": "1"}}))
        return None

    def on_call(self, x):
        self.events.event(self.result(x, self.echo(x)))


@pytest.fixture
def sse():
    made = SsePeer()
    yield made
    made.stop()


@pytest.mark.parametrize("status", [400, 404, 405])
def test_sse_fallback(sse, start, status):
    sse.status = status
    remote = start(sse.url)
    assert remote.open()["result"]["protocolVersion"] == "2024-11-05"
    assert text_of(remote.call(1, a=1)) == '{"a": 1}'
    assert [x.path for x in sse.requests][:3] == ["/mcp", "/mcp", "/messages?session_id=1"]
    assert "no JSON-RPC" not in remote.stderr()


def test_sse_fixed(sse, start):
    remote = start(sse.url, transport="sse")
    remote.open()
    assert sse.methods()[0] == "GET"
    assert text_of(remote.call(1)) == "{}"


def test_streamable_fixed(sse, start):
    remote = start(sse.url, transport="streamable")
    remote.send(INITIALIZE)
    fleets.wait_until(lambda: "HTTP 405" in remote.stderr(), 5, "it says why")
    assert "GET" not in sse.methods()


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1/m", "//localhost/m", "https://127.0.0.1/m", "http://a@b/m", "javascript:1"])
def test_sse_endpoint_elsewhere(sse, start, endpoint):
    sse.endpoint = endpoint
    remote = start(sse.url)
    remote.send(INITIALIZE)
    fleets.wait_until(lambda: "endpoint is refused" in remote.stderr(), 5, "it is refused")
    assert remote.is_silent(0.3)
    assert not [x for x in sse.requests if x.path != "/mcp"]


def test_sse_stream_ends(sse, start):
    """What was accepted is lost with the stream; the session comes back, and so do the lists."""
    remote = start(sse.url)
    remote.open()
    sse.on_call = lambda x: sse.events.cut()
    error = remote.call(1)["error"]
    assert error["code"] == LOST and "may have taken effect" in error["message"]
    del sse.on_call
    remote.wait_notification("notifications/tools/list_changed")
    remote.wait_notification("notifications/prompts/list_changed")
    assert text_of(remote.call(2)) == "{}"


def test_neither_transport(peer, start):
    peer.on_post = lambda x: x.reply(404, b"<html>", kind="text/html")
    peer.on_get = lambda x: x.reply(404, b"<html>", kind="text/html")
    remote = start(peer.url)
    remote.send(INITIALIZE)
    fleets.wait_until(lambda: remote.stderr().count("HTTP 404") == 2, 5, "both are named")
    assert remote.end() == []


# --- what is not taken ----------------------------------------------------------------------------


def test_redirects(peer, start):
    other = remotes.Peer()
    targets = {}
    usual = peer.on_post

    def on_post(x):
        status, to = targets.get((x.message or {}).get("method"), (None, None))
        return x.reply(status, Location=to) if status and x.path == "/mcp" else usual(x)
    try:
        peer.on_post = on_post
        targets["initialize"] = targets["ping"] = (307, "/mcp/")
        remote = start(peer.url)
        remote.open()
        assert "result" in remote.request(1, "ping")
        assert [x.path for x in peer.of("ping")] == ["/mcp", "/mcp/"]
        for status, to, why in [(307, other.url, "another origin"), (308, "https://127.0.0.1/x", "another origin"),
                                (302, "/mcp/", "GET of a POST"), (307, "http://u:p@127.0.0.1/", "not followed")]:
            targets["tools/call"] = (status, to)
            assert why in remote.call(2)["error"]["message"]
        targets["tools/call"] = (307, "/mcp")
        assert "more than 3 times" in remote.call(3)["error"]["message"]
        assert other.requests == []
    finally:
        other.stop()


@pytest.mark.parametrize("answer, why", [
    (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "compressed"),
    (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" +
     b"%x\r\n%s\r\n0\r\n\r\n" % (len(BOMB), BOMB), "compressed"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n", ""),
    (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000 + b"\r\n", "64 KiB"),
    (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", "without a JSON-RPC answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", "without a JSON-RPC answer"),
    (b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", "without a JSON-RPC answer"),
    (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "headers_file"),
    (b"HTTP/1.1 500 No\r\nContent-Length: 37\r\n\r\n" + b'{"error":{"message":"out of paper."}}', 'HTTP 500: "out of paper."'),
    (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b"[" * 100000, "without a JSON-RPC answer"),
    (b"nonsense\r\n\r\n", ""),
])
def test_what_is_no_answer(peer, opened, answer, why):
    def on_call(x):
        x.wfile.write(answer)
        x.wfile.flush()
        x.close_connection = True
    peer.on_call = on_call
    error = opened.call(1)["error"]
    assert why in error["message"]
    assert "result" in opened.request(2, "ping")


def test_an_answer_for_somebody_else(peer, opened):
    peer.on_call = lambda x: x.reply(200, {"jsonrpc": "2.0", "id": "other", "result": {}})
    assert "without a JSON-RPC answer" in opened.call(1)["error"]["message"]
    assert opened.others == []


def test_an_answer_in_the_stream_of_another(peer, start):
    """A request is answered where it was asked: not in another's answer, not on the stream of notifications, and once."""
    gate = threading.Event()
    forged = [{"jsonrpc": "2.0", "id": 1, "result": {"forged": True}}, {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "forged"}},
              {"jsonrpc": "2.0", "id": "initialize", "result": {"forged": True}}]

    def speak(x):
        x.stream()
        for message in forged:
            x.event(message)

    def on_call(x):
        if x.message["id"] == 1:
            gate.wait(10)
            return x.reply(200, peer.result(x, peer.echo(x)))
        if x.message["id"] == 3:  # a question to us, where its answer should be
            return x.reply(200, {"jsonrpc": "2.0", "id": 3, "method": "sampling/createMessage"})
        speak(x)
        x.event(peer.result(x, peer.echo(x)))
        return x.event(peer.result(x, peer.echo(x)))
    peer.on_call, peer.on_get = on_call, speak
    remote = start(peer.url)
    remote.open()
    remote.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"arguments": {"n": 1}}})
    fleets.wait_until(lambda: peer.of("tools/call") and len(peer.of("GET")) > 1, 10, "the call is under way, the stream has spoken")
    assert text_of(remote.call(2, n=2)) == '{"n": 2}'
    assert "without a JSON-RPC answer" in remote.call(3)["error"]["message"]
    gate.set()
    assert text_of(remote.answer(1)) == '{"n": 1}'
    assert remote.end() == [] and remote.others == []


@pytest.mark.parametrize("part", [b"x" * 65536, b"data: " + b"x" * 65530 + b"\n", b"data: x\n" * 8192])
def test_an_event_without_end(peer, start, part):
    """Its memory is bounded whatever comes."""
    remote = start(peer.url, max_bytes=1 << 20)
    remote.open()
    before = remote.rss_bytes()

    def on_call(x):
        x.stream()
        for _ in range(4096):
            x.wfile.write(part)
    peer.on_call = on_call
    assert "over the limit" in remote.call(1)["error"]["message"]
    if not os.environ.get("ASAN_OPTIONS") and fleets.SLOWNESS == 1:
        assert remote.rss_bytes() - before < 32 << 20


def test_a_body_without_end(peer, start):
    remote = start(peer.url, max_bytes=1 << 20)
    remote.open()

    def on_call(x):
        x.wfile.write(b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\n\r\n" % peer.status)
        for _ in range(4096):
            x.wfile.write(b" " * 65536)
    peer.on_call = on_call
    peer.status = 200
    assert "over the limit" in remote.call(1)["error"]["message"]
    peer.status = 503
    assert "HTTP 503" in remote.call(2)["error"]["message"]


def test_many_big_answers_at_once(peer, start):
    """What is held of all of them is bounded, and calls that come later are served."""
    remote = start(peer.url, max_bytes=1 << 20)
    remote.open()
    gate = threading.Event()

    def on_call(x):
        x.stream()
        x.wfile.write(b"data: " + b"x" * 900000)
        x.wfile.flush()
        gate.wait(20)
    peer.on_call = on_call
    for number in range(16):
        remote.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {}})
    refused = [remote.read(20)["error"]["message"] for _ in range(12)]
    assert all("too big together" in message for message in refused)
    gate.set()
    assert {remote.read(20)["error"]["code"] for _ in range(4)} == {LOST}
    peer.on_call = lambda x: x.reply(200, peer.result(x, peer.echo(x)))
    assert text_of(remote.call(99)) == "{}"


def test_a_redirect_with_an_endless_body(peer, opened):
    """It is cut off, and what comes after the redirect is judged by itself: here it breaks."""
    usual = peer.on_post

    def on_post(x):
        if (x.message or {}).get("method") != "tools/call":
            return usual(x)
        if x.path == "/mcp":
            x.wfile.write(b"HTTP/1.1 307 Go on\r\nLocation: /there\r\n\r\n" + b" " * 200000)
        x.close_connection = True
        return x.request.shutdown(2)
    peer.on_post = on_post
    error = opened.call(1)["error"]
    assert error["code"] == LOST and "may have taken effect" in error["message"]


def test_noise_between_events(peer, opened):
    def on_call(x):
        x.stream()
        for data in ["nonsense", "[]", "42", "{}", '{"jsonrpc":"2.0","id":99,"result":{}}']:
            x.event(data)
        x.wfile.write(b": comment\n\nunknown: field\n\n")
        x.event(peer.result(x, {"content": [{"type": "text", "text": "fine"}]}))
    peer.on_call = on_call
    assert text_of(opened.call(1)) == "fine"
    assert opened.others == [] and opened.stderr().count("skipped") == 1


def test_slow_byte_by_byte(peer, opened):
    def on_call(x):
        x.stream()
        for byte in b'data: {"jsonrpc":"2.0",\r\ndata:"id":1,"result":{"content":[{"type":"text","text":"slow"}]}}\r\n\r\n':
            x.wfile.write(bytes([byte]))
            x.wfile.flush()
    peer.on_call = on_call
    assert text_of(opened.call(1)) == "slow"


def test_a_client_that_does_not_read(peer, opened):
    """Nothing more is read from the network; when it reads again all is there."""
    big = "x" * 1000000
    peer.on_call = lambda x: x.reply(200, peer.result(x, {"content": [{"type": "text", "text": big}]}))
    for number in range(40):
        opened.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {}})
    fleets.wait_until(lambda: len(peer.of("tools/call")) > 5, 10, "calls arrive")
    time.sleep(1)
    used = opened.cpu_seconds()
    time.sleep(0.5)
    assert opened.cpu_seconds() - used < 0.3 * fleets.SLOWNESS
    assert {opened.read(20)["id"] for _ in range(40)} == set(range(40))


def test_lines_of_the_client(peer, start):
    remote = start(peer.url, max_bytes=4096)
    remote.open()
    for line, code in [("nonsense", -32700), ("[]", -32600), ('{"jsonrpc":"2.0","id":1}', -32600),
                       ('{"jsonrpc":"2.0","id":1,"method":"x","params":[]}', -32602), ("x" * 5000, -32600)]:
        remote.write(line + "\n")
        assert remote.read()["error"]["code"] == code
    remote.write("\n  \r\n")
    assert "result" in remote.request(2, "ping")


def test_answers_after_the_end_of_input(peer, opened):
    peer.on_call = lambda x: (time.sleep(0.5), x.reply(200, peer.result(x, peer.echo(x))))
    for number in range(3):
        opened.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {}})
    assert sorted(message["id"] for message in opened.end()) == [0, 1, 2]


@pytest.mark.parametrize("how", ["input", "signal"])
def test_the_end_with_calls_under_way(peer, opened, how):
    """They are not waited for without end: each gets an error, and the server hears of the end."""
    gate = threading.Event()
    peer.on_call = lambda x: gate.wait(30)
    for number in range(70):  # more than are sent at a time
        opened.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {}})
    fleets.wait_until(lambda: len(peer.of("tools/call")) == 64, 10, "calls are under way")
    if how == "signal":
        opened.process.terminate()
    else:
        opened.socket.shutdown(socket.SHUT_WR)
    codes = {}
    while (message := opened.read()) is not None:
        assert codes.setdefault(message["id"], message["error"]["code"]) and len(codes) == message["id"] + 1
    assert [codes[number] for number in range(70)] == 64 * [LOST] + 6 * [UNAVAILABLE]
    assert opened.process.wait(5 * fleets.SLOWNESS) == 0
    assert len(peer.of("DELETE")) == 1
    gate.set()


def test_notifications_that_are_never_taken(peer, opened):
    """They do not stop up the input."""
    opened.request("before", "ping")
    gate = threading.Event()
    peer.on_note = lambda x: gate.wait(60)
    for _ in range(80):
        opened.send({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"})
    assert "result" in opened.request(1, "ping", timeout=20)
    assert "was not delivered" in opened.stderr()
    gate.set()


def test_another_initialize_before_the_answer(peer, start):
    gate = threading.Event()
    usual = peer.on_initialize
    peer.on_initialize = lambda x: usual(x) if x.message["id"] == 2 else gate.wait(20)
    remote = start(peer.url)
    remote.send({**INITIALIZE, "id": 1})
    remote.send({**INITIALIZE, "id": 2})
    assert "another initialize" in remote.answer(1)["error"]["message"]
    assert "result" in remote.answer(2)
    gate.set()


def test_values_that_go_into_headers(peer, start):
    """A session id goes back as it came, whatever it looks like; a version that is none does not."""
    session = "=?base64?eA==?="
    peer.on_initialize = lambda x: (peer.sessions.add(session), x.reply(
        200, peer.result(x, {"protocolVersion": "x" * 100000, "capabilities": {}}), Mcp_Session_Id=session))
    remote = start(peer.url)
    remote.open()
    assert text_of(remote.call(1)) == "{}"
    assert peer.of("tools/call")[0].headers["Mcp-Session-Id"] == session
    assert peer.of("tools/call")[0].headers.get("MCP-Protocol-Version") is None


def test_a_stream_that_breaks_all_the_time(peer, opened):
    """A server that polls may do so for long, but not in a busy loop, whatever it says."""
    def on_call(x):
        x.stream()
        x.event(id="0", retry="1")
        peer.waiting = x

    def on_get(x):
        last = x.headers.get("Last-Event-ID")
        x.stream()
        if last == "14":
            return x.event(peer.result(peer.waiting, peer.echo(peer.waiting)))
        return x.event(id=int(last) + 1) if last else x.is_left(20)
    peer.on_call, peer.on_get = on_call, on_get
    began = time.monotonic()
    assert "result" in opened.call(1, timeout=20)
    assert time.monotonic() - began > 1.4


def test_a_cancelled_call_does_not_hold_its_place(peer, opened):
    """Legacy: the server is told, and what it never ends is given up after a while."""
    left = threading.Event()

    def on_call(x):
        x.stream()
        if x.is_left(20):
            left.set()
    peer.on_call = on_call
    opened.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {}})
    fleets.wait_until(lambda: peer.of("tools/call"), 5, "the call arrives")
    opened.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
    fleets.wait_until(lambda: peer.of("notifications/cancelled"), 5, "so does its end")
    assert left.wait(15 * fleets.SLOWNESS)


# --- settings -------------------------------------------------------------------------------------


def write_private(path, text, mode=0o600):
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(mode)
    new.rename(path)


def test_headers_from_a_file(peer, start, tmp_path):
    path = tmp_path / "headers"
    write_private(path, "# ours\nAuthorization: Bearer one\nX-Tenant: t\n")
    remote = start(peer.url, headers_file=str(path))
    remote.open()
    remote.call(1)
    write_private(path, "Authorization: Bearer two\n")
    remote.call(2)
    write_private(path, "Authorization: Bearer three\n", 0o644)
    remote.call(3)
    remote.send({"jsonrpc": "2.0", "id": 4, "method": "ping"})
    remote.end()
    assert [x.headers.get("Authorization") for x in peer.of("tools/call")] == ["Bearer one", "Bearer two", "Bearer two"]
    assert [x.headers.get("X-Tenant") for x in peer.of("tools/call")] == ["t", None, None]
    assert peer.of("initialize")[0].headers["Authorization"] == "Bearer one"
    assert peer.of("GET")[0].headers["Authorization"] == "Bearer one"
    assert "open to others" in remote.stderr() and "Bearer" not in remote.stderr()


@pytest.mark.parametrize("text, mode, why", [
    ("A: secret\n", 0o644, "open to others"), ("Host: secret\n", 0o600, "belongs to the protocol"),
    ("secret\n", 0o600, "line 1 is not of the form"), ("A: s\x01ecret\n", 0o600, "control character"),
])
def test_headers_that_are_refused(peer, start, tmp_path, text, mode, why):
    path = tmp_path / "headers"
    write_private(path, text, mode)
    remote = start(peer.url, headers_file=str(path))
    remote.expected_exit = 1
    assert remote.process.wait(10) == 1
    assert why in remote.stderr() and "ecret" not in remote.stderr()


@pytest.mark.parametrize("settings", [{"url": "http://u:s3cret@127.0.0.1/"}, {"url": "ftp://127.0.0.1/"}, {"transport": "x"},
                                      {"max_bytes": 1}, {"unknown": 1}])
def test_settings_that_are_refused(start, settings):
    remote = start(**{"url": "http://127.0.0.1:1/", **settings})
    remote.expected_exit = 1
    assert remote.process.wait(10) == 1
    assert remote.stderr().startswith("mcp-fleet-remote: ") and "s3cret" not in remote.stderr()


def test_no_secret_in_words(peer, start):
    """A key in the query is sent, but stands in no error and no line of the log."""
    remote = start(peer.url + "?key=s3cret")
    remote.open()
    assert peer.requests[0].path == "/mcp?key=s3cret"
    peer.stop()
    assert "s3cret" not in remote.call(1)["error"]["message"]
    assert "s3cret" not in remote.stderr()
    assert b"s3cret" not in open(f"/proc/{remote.process.pid}/cmdline", "rb").read()


def test_no_proxy(peer, start):
    dead = "http://127.0.0.1:1"
    remote = start(peer.url, env={"http_proxy": dead, "HTTP_PROXY": dead, "ALL_PROXY": dead, "all_proxy": dead})
    assert "result" in remote.open()
