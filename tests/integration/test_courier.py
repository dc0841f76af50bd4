"""mcp-fleet-courier by itself on a socket, against servers that are slow, endless, wrong or plainly hostile: each order
is answered once, within its time and its size, with words for what was wrong."""

import contextlib
import json
import os
import select
import socket
import threading
import time

import pytest

import fleet as fleets
from collector import make_certificate

pytestmark = pytest.mark.sanitizers


class Courier:
    def __init__(self, log):
        ours, theirs = socket.socketpair()
        self.socket, self.log_path, self.buffer, self.answers, self.number = ours, log, b"", {}, 0
        with theirs, log.open("ab") as stderr:
            self.process = fleets.spawn(
                [*fleets.daemon_command()[:-1], str(fleets.build_dir() / "mcp-fleet-courier")], stdin=theirs,
                stdout=theirs, stderr=stderr, env={"PATH": os.environ["PATH"], **fleets.sanitizer_environment()})

    def send(self, method, **params):
        self.number += 1
        line = json.dumps({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        self.socket.sendall(line.encode() + b"\n")
        return self.number

    def answer(self, number, timeout=20.0):
        deadline = time.monotonic() + timeout * fleets.SLOWNESS
        while number not in self.answers:
            while b"\n" not in self.buffer:
                ready, _, _ = select.select([self.socket], [], [], max(deadline - time.monotonic(), 0))
                assert ready, f"no answer to {number} within {timeout} s"
                more = self.socket.recv(1 << 18)
                assert more, self.log_path.read_text()
                self.buffer += more
            line, self.buffer = self.buffer.split(b"\n", 1)
            message = json.loads(line)
            assert message["id"] not in self.answers
            self.answers[message["id"]] = message
        return self.answers[number]

    def result(self, method, **params):
        return self.answer(self.send(method, **params))["result"]

    def error(self, method, **params):
        return self.answer(self.send(method, **params))["error"]["message"]

    def fetch(self, url, **params):
        return self.result("courier/fetch", url=url, **params)

    def refusal(self, url, **params):
        return self.error("courier/fetch", url=url, **params)

    def end(self):
        self.socket.close()
        assert self.process.wait(10 * fleets.SLOWNESS) == 0
        text = self.log_path.read_text()
        assert text == "", text


class Server:
    """Answers each connection by `serve(connection, head)`, whatever that is."""

    def __init__(self, serve):
        self.serve, self.heads = serve, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.ended = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while not self.ended.is_set():
            with contextlib.suppress(OSError):
                connection, _ = self.listener.accept()
                threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                more = connection.recv(65536)
                if not more:
                    return
                head += more
            self.heads.append(head.decode(errors="replace"))
            self.serve(connection, self.heads[-1])

    def stop(self):
        self.ended.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def serve():
    started = []

    def make(what):
        """A function, or the bytes of an answer."""
        started.append(Server(what if callable(what) else lambda connection, _: connection.sendall(what)))
        return started[-1]

    yield make
    for each in started:
        each.stop()


@pytest.fixture
def courier(tmp_path):
    started = Courier(tmp_path / "courier.log")
    answer = started.result("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={})
    assert answer["serverInfo"]["name"] == "mcp-fleet-courier"
    yield started
    started.end()


def reply(body=b"", status="200 OK", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def drip(head, byte):
    def serve(connection, _):
        connection.sendall(head)
        while True:
            connection.sendall(byte)
            time.sleep(0.02)
    return serve


def test_fetch(courier, serve):
    server = serve(reply('{"keys": ["ä"]}'.encode(), "200 OK", "Cache-Control: public, max-age=300"))
    assert courier.fetch(f"{server.url}/jwks?x=1", accept="application/json") == {
        "status": 200, "body": '{"keys": ["ä"]}', "max_age_s": 300}
    head = server.heads[0]
    assert head.startswith("GET /jwks?x=1 HTTP/1.1\r\n") and "\r\nAccept: application/json\r\n" in head
    assert courier.fetch(serve(reply(b"gone", "404 Not Found")).url) == {"status": 404, "body": "gone"}
    assert courier.fetch(serve(reply(b"", "200 OK", "Cache-Control: no-store, max-age=9")).url)["max_age_s"] == 0


def test_post(courier, serve, tmp_path):
    headers = tmp_path / "headers"
    headers.touch(mode=0o600)
    headers.write_text("Authorization: Bearer s3cret\n")
    server = serve(reply(b"", "503 Service Unavailable", "Retry-After: 120"))
    body = "x" * 100000
    answer = courier.result("courier/post", url=server.url, content_type="text/plain", body=body,
                            headers_file=str(headers))
    assert answer == {"status": 503, "retry_after_s": 120}
    assert server.heads[0].startswith("POST / HTTP/1.1\r\n") and "Authorization: Bearer s3cret\r\n" in server.heads[0]
    assert "Content-Length: 100000\r\n" in server.heads[0]


@pytest.mark.parametrize("answer, body", [
    (reply(b'{"a": "b"}'), '{"a": "b"}'), (reply(b"\xff"), None), (reply(b""), None),
    (reply(b"no", "400 Bad Request"), None)])
def test_what_a_post_is_answered(courier, serve, answer, body):
    result = courier.result("courier/post", url=serve(answer).url, content_type="a/b", body="x")
    assert result.get("body") == body


def test_a_long_answer_to_a_post(courier, serve):
    """It was done: nobody is to do it again because of what is said about it."""
    result = courier.result("courier/post", url=serve(reply(b"x" * 1000000)).url, content_type="a/b", body="x")
    assert result["status"] == 200 and len(result["body"]) <= 65536


@pytest.mark.parametrize("text, words", [
    ("not a header\n", "line 1 is not of the form"), ("Host: x\n", "belongs to the protocol"), (None, "No such file")])
def test_headers_that_cannot_be_used(courier, serve, tmp_path, text, words):
    headers = tmp_path / "headers"
    if text:
        headers.touch(mode=0o600)
        headers.write_text(text)
    server = serve(reply())
    assert words in courier.error("courier/post", url=server.url, content_type="a/b", body="",
                                  headers_file=str(headers))
    assert not server.heads


@pytest.mark.parametrize("what, words", [
    (reply(b"x" * 1001), "over the limit"),
    (drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000), "over the limit"),
    (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x"), "Timeout was reached"),
    (drip(b"HTTP/1.1 200 OK\r\nX: ", b"x"), "Timeout was reached"),
    (drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 5000), "headers"),
    (drip(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 5000), "headers"),
    (lambda connection, head: time.sleep(30), "Timeout was reached"),
    (lambda connection, head: None, "Empty reply"),
    (reply(b"x", "200 OK", "Content-Encoding: gzip"), "compressed"),
    (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {}\n\n", "stream of events"),
    (reply(b"\xff\xfe"), "no text in UTF-8"),
    (b"SSH-2.0-x\r\n", "HTTP/0.9"),
])
def test_hostile(courier, serve, what, words):
    server = serve(what)
    begun = time.monotonic()
    message = courier.refusal(f"{server.url}/a?token=s3cret", max_bytes=1000, timeout_ms=1500)
    assert words in message and message.startswith(f"{server.url}/a: ") and "s3cret" not in message
    assert time.monotonic() - begun < 15 * fleets.SLOWNESS


@pytest.mark.parametrize("url, words", [
    ("ftp://127.0.0.1/", "must be http"), ("file:///etc/passwd", "must be http"), ("", "url"), ("http://", "must be http"),
    ("http://u:p@127.0.0.1/", "must be http"), ("http://127.0.0.1:1/", "Connection refused"),
    ("http://nowhere.invalid/", "resolve host")])
def test_urls(courier, url, words):
    assert words in courier.refusal(url, timeout_ms=5000)


def test_redirects(courier, serve, tmp_path):
    end = serve(reply(b"here"))
    step = serve(reply(b"", "302 Found", f"Location: {end.url}/x"))
    assert courier.fetch(step.url)["body"] == "here"
    loop = serve(lambda connection, _: connection.sendall(reply(b"", "301 Moved", "Location: /again")))
    assert "redirects more than 3 times" in courier.refusal(loop.url)
    assert len(loop.heads) == 4
    assert "not followed" in courier.refusal(serve(reply(b"", "302 Found", "Location: file:///etc/passwd")).url)
    assert courier.result("courier/post", url=step.url, content_type="a/b", body="x") == {"status": 302}
    assert len(end.heads) == 1


def test_no_way_from_https_to_http(courier, serve, tmp_path):
    import ssl
    certificate, key = make_certificate(tmp_path)
    (tmp_path / "another").mkdir()
    another, _ = make_certificate(tmp_path / "another")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    end = serve(reply(b"here"))
    step = Server(lambda connection, _: connection.sendall(reply(b"", "302 Found", f"Location: {end.url}/x")))
    step.listener = context.wrap_socket(step.listener, server_side=True)
    url = step.url.replace("http:", "https:")
    try:
        with contextlib.suppress(OSError), socket.create_connection(step.listener.getsockname()):
            pass  # the accept that began before there was TLS
        assert "from https to http" in courier.refusal(url, ca_file=str(certificate))
        assert "certificate" in courier.refusal(url, ca_file=str(another))  # the system's: half a minute under sanitizers
        assert not end.heads
    finally:
        step.stop()


@pytest.mark.parametrize("params", [
    {"timeout_ms": 0}, {"timeout_ms": 10**9}, {"max_bytes": 10**9}, {"accept": "a\r\nX: y"}, {"unknown": 1}, {"url": 1}])
def test_orders_that_are_none(courier, params):
    assert courier.answer(courier.send("courier/fetch", **{"url": "http://127.0.0.1:1/", **params}))["error"]


def test_many_at_a_time(courier, serve):
    """A ping is answered while everything waits; nobody waits for somebody else's server."""
    slow = serve(lambda connection, _: (time.sleep(2), connection.sendall(reply(b"slow"))))
    quick = serve(reply(b"quick"))
    numbers = [courier.send("courier/fetch", url=slow.url) for _ in range(20)]
    assert courier.result("ping") == {}
    assert courier.fetch(quick.url)["body"] == "quick"
    assert not courier.answers.keys() & set(numbers)
    assert all(courier.answer(number)["result"]["body"] == "slow" for number in numbers)
    numbers = [courier.send("courier/fetch", url=slow.url) for _ in range(40)]
    refused = [number for number in numbers if "error" in courier.answer(number)]
    assert len(refused) == 8


def test_its_end_with_orders(courier, serve):
    courier.send("courier/fetch", url=serve(lambda connection, _: time.sleep(30)).url)
    assert courier.result("ping") == {}
