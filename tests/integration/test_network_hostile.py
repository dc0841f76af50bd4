"""The network worker against servers that want it to work for hours, to fill its memory, or to forge what
the reader sees; and against ports that say nothing at all."""

import gzip
import json
import os
import pathlib
import socket
import time
import zlib

import pytest

import fleet as fleets
from netpeers import HttpServer
from stdio_worker import StdioWorker, ToolFailed

WORKER = pathlib.Path(os.environ.get("MCP_FLEET_BUILD", "build")) / "worker-network"
MAX_RESULT = 6 << 20


@pytest.fixture
def server():
    started = HttpServer()
    yield started
    started.close()


@pytest.fixture
def start():
    started = []

    def make(**settings):
        started.append(StdioWorker(WORKER, settings={"robots": False, "allow": ["127.0.0.1"], **settings}))
        return started[-1]

    yield make
    for each in started:
        assert each.close() == 0


@pytest.fixture
def worker(start):
    return start()


def cpu_seconds(worker):
    fields = pathlib.Path(f"/proc/{worker.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(worker):
    status = pathlib.Path(f"/proc/{worker.process.pid}/status").read_text()
    return next(int(line.split()[1]) >> 10 for line in status.splitlines() if line.startswith("VmHWM:"))


# Time and memory

def nothing_in_gzip(mib):
    """A gzip stream of so many MiB that holds nothing: blocks of no bytes."""
    return b"\x1f\x8b\x08\0\0\0\0\0\0\3" + b"\0\0\0\xff\xff" * (mib * (1 << 20) // 5)


@pytest.mark.parametrize("field", ["Content-Encoding: gzip, gzip", "Transfer-Encoding: gzip, gzip",
                                   "content-encoding:gzip\r\nContent-Encoding: deflate",
                                   "Content-Encoding: gzip\r\nTransfer-Encoding: gzip"])
def test_compressed_more_than_once(worker, server, field):
    """Within libcurl nobody asks for the time between two layers: more of them are not unpacked at all."""
    server.page("/", gzip.compress(nothing_in_gzip(64)), headers=[field])
    before = cpu_seconds(worker)
    with pytest.raises(ToolFailed, match="^unsupported_content: .* more than once"):
        worker.call("fetch_url", url=server.url)
    assert cpu_seconds(worker) - before < 0.1 * fleets.SLOWNESS


def test_compressed_once_in_each_way(worker, server):
    for field, body in (("Content-Encoding: gzip", gzip.compress(b"words")),
                        ("Content-Encoding: identity, deflate", zlib.compress(b"words")),
                        ("Content-Encoding: identity", b"words"), ("Content-Encoding: ", b"words")):
        server.page("/", body, headers=[field])
        assert worker.text("fetch_url", url=server.url) == "words", field


def test_json_deep_down_is_not_multiplied(worker, server):
    """Each of these numbers stands on a line with 1000 blanks before it, if that were done to the end."""
    body = "[" * 500 + "1," * 500000 + "1" + "]" * 500
    server.page("/", body, headers=["Content-Type: application/json"])
    total = worker.data("fetch_url", url=server.url, format="json")["total_length"]
    assert total < 40 << 20
    data = worker.data("fetch_url", url=server.url, format="json", start_index=total - 3000)
    assert data["content"] == body[-3000:]
    assert peak_mib(worker) < 300 or fleets.SLOWNESS > 1


def test_json_needs_no_tree(worker, server):
    server.page("/", "[" + "{}," * 1500000 + "0]", headers=["Content-Type: application/json"])
    assert worker.data("fetch_url", url=server.url, format="json")["total_length"] > 9000000
    assert peak_mib(worker) < 150 * fleets.SLOWNESS


def test_numbers_of_json_are_not_judged(worker, server):
    server.page("/", "[123456789012345678901234567890, 1e999]", headers=["Content-Type: application/json"])
    assert worker.text("fetch_url", url=server.url, format="json") == \
        "[\n  123456789012345678901234567890,\n  1e999\n]"


def test_bad_json_says_where(worker, server):
    for body, words in (("[1,\n ä]", "line 2, column 2"), ("[1,", "ends too soon: line 1, column 4"), ("", "ends too soon"),
                        ('{"a": "\\ud800"}', "line 1"), ("[1] x", "line 1, column 5"), ("[" * 513, "at most 512 levels.* column 513")):
        server.page("/", body, headers=["Content-Type: application/json"])
        with pytest.raises(ToolFailed, match="^bad_json: .*" + words):
            worker.call("fetch_url", url=server.url, format="json")


def test_small_json_is_indented_to_its_end(worker, server):
    body = "[" * 500 + "1" + "]" * 500
    server.page("/", body, headers=["Content-Type: application/json"])
    text = worker.text("fetch_url", url=server.url, format="json", max_length=1000000)
    assert text == json.dumps(json.loads(body), indent=2)


@pytest.mark.sanitizers
def test_many_fields_of_one_name(worker, server):
    server.pages["/"] = lambda connection, request: connection.sendall(
        b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 13000 + b"Content-Length: 0\r\n\r\n")
    before = cpu_seconds(worker)
    data = worker.data("net_http_request", url=server.url, method="GET")
    assert data["headers"]["a"] == ", ".join("b" * 13000)
    assert cpu_seconds(worker) - before < 1 * fleets.SLOWNESS


# Answers that would be larger than one may be

@pytest.mark.parametrize("character", ["\U0001F600", "\x01", '"', "\n.", "é"])
def test_what_does_not_fit_is_cut(worker, server, character):
    body = character * (1000000 // len(character))
    server.page("/", body, headers=["Content-Type: text/plain; charset=utf-8"])
    data, text = worker.call("fetch_url", url=server.url, max_length=1000000)
    size = len(json.dumps(worker.result("fetch_url", url=server.url, max_length=1000000), ensure_ascii=False).encode())
    assert size < MAX_RESULT
    assert data["total_length"] == len(body)
    if character not in "\U0001F600\x01":
        assert data["content"] == body and not data["truncated"]
        return
    assert data["truncated"] and text.endswith(f"Call again with start_index={data['next_index']}.")
    rest = worker.data("fetch_url", url=server.url, max_length=1000000, start_index=data["next_index"])
    assert (data["content"] + rest["content"]) == body[:rest.get("next_index", len(body))]


def test_many_that_do_not_fit_are_cut(worker, server):
    server.page("/", "\U0001F600" * 100000, headers=["Content-Type: text/plain; charset=utf-8"])
    data = worker.data("net_fetch_many", urls=[server.url] * 10, max_length=100000)
    assert data["failed"] == 0 and len(data["results"]) == 10
    for each in data["results"]:
        assert each["truncated"] and each["next_index"] == len(each["content"]) > 50000


def test_the_answer_to_a_request_is_not_lost(start, server):
    """It may have taken effect: an error would get it repeated."""
    server.page("/", "\x01" * 1000000)
    data, text = start(allow_methods=["POST"]).call("net_http_request", url=server.url, method="POST")
    assert data["status"] == 200 and data["truncated"] and len(data["body"]) > 400000
    assert "Body truncated" in text.splitlines()[-1]


def test_a_body_that_is_no_text_is_left_out(start, server):
    """And all else is said, for the same reason."""
    server.page("/", b"\x89PNG\0", status="201 Made", headers=["Content-Type: image/png", "Location: /new"])
    data, text = start(allow_methods=["POST"]).call("net_http_request", url=server.url, method="POST")
    assert data["status"] == 201 and data["headers"]["location"] == "/new"
    assert data["body"] == "" and data["truncated"]
    assert text.startswith("201 Made\n") and 'Body left out: the answer is "image/png" of 5 bytes.' in text


# Fields

@pytest.mark.sanitizers
def test_fields_cannot_forge_lines(worker, server):
    server.pages["/"] = lambda connection, request: connection.sendall(
        b"HTTP/1.1 200 Fi\x1b[1mne\r\nX: a\rHTTP/1.1 500 evil\x07\t!\r\nContent-Length: 0\r\n\r\n")
    data, text = worker.call("net_http_request", url=server.url, method="GET")
    assert data["headers"]["x"] == "a HTTP/1.1 500 evil  !"
    assert not [c for c in text if c < " " and c != "\n"] and text.startswith("200 Fi [1mne\nx: a HTTP")
    assert worker.data("check_site_status", url=server.url)["reason"] == "Fi [1mne"


def test_blanks_behind_a_location(worker, server):
    server.page("/x", "here")
    for blanks in (b" ", b" \t "):
        server.pages["/"] = lambda connection, request, blanks=blanks: connection.sendall(
            b"HTTP/1.1 302 Found\r\nLocation: \t/x" + blanks + b"\r\nContent-Length: 0\r\n\r\n")
        assert worker.data("fetch_url", url=server.url)["final_url"] == server.url + "/x"


def test_a_site_that_answers_only_to_head_is_up(worker, server):
    def page(connection, request):
        if request.startswith("HEAD"):
            connection.sendall(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")
        else:
            server.wait_for_close(connection)

    server.pages["/"] = page
    data, text = worker.call("check_site_status", url=server.url, timeout_seconds=0.5)
    assert data["up"] and not data["ok"] and data["status"] == 405 and "is UP (Status: 405)" in text
    assert [request.split()[0] for request in server.requests] == ["HEAD", "GET"]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_site_whose_answer_cannot_be_read_is_up(worker, server, method):
    for body, field in ((b"x", "Content-Encoding: gzip, gzip"), (b"x" * 100, "Content-Encoding: gzip"),
                        (b"x", "X: " + "y" * 70000)):
        server.page("/", body, headers=[field])
        data, text = worker.call("check_site_status", url=server.url, method=method)
        assert data["up"] and " is UP (" in text, text


def test_slow_first_byte(worker, server):
    """10 s without 1 KiB end it, also when more time was given; the error says which limit that was."""
    server.pages["/"] = lambda connection, request: server.wait_for_close(connection)
    began = time.monotonic()
    with pytest.raises(ToolFailed, match="^timeout: .* less than 1024 bytes in 10 s .*whatever timeout_seconds is"):
        worker.call("fetch_url", url=server.url, timeout_seconds=60)
    assert 8 < time.monotonic() - began < 30 * fleets.SLOWNESS


def test_robots_file_may_be_read(start, server):
    server.page("/robots.txt", "User-agent: *\nDisallow: /\n")
    worker = start(robots=True)
    assert worker.error_code("fetch_url", url=server.url + "/x") == "robots_refused"
    assert "Disallow" in worker.text("fetch_url", url=server.url + "/robots.txt")


# Ports that do not answer

@pytest.fixture
def silent_port():
    """Its queue is full: what is sent to it gets no answer at all, as behind a firewall."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = listener.getsockname()[1]
    peers = []
    while True:
        peers.append(socket.socket())
        peers[-1].settimeout(0.5)
        try:
            peers[-1].connect(("127.0.0.1", port))
        except TimeoutError:
            break
    yield port
    for each in [*peers, listener]:
        each.close()


def is_connecting(port):
    """Whether some socket of this machine waits for that port (state 2: SYN_SENT)."""
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[2].endswith(f":{port:04X}") and fields[3] == "02":
            yield fields[9]


def own_sockets(worker):
    folder = pathlib.Path(f"/proc/{worker.process.pid}/fd")
    links = [os.readlink(each) for each in folder.iterdir()]
    return {link[8:-1] for link in links if link.startswith("socket:[")}


@pytest.mark.sanitizers
@pytest.mark.parametrize("tool, arguments", [
    ("fetch_url", {"url": "http://127.0.0.1:{port}/"}),
    ("fetch_url", {"url": "https://127.0.0.1:{port}/"}),
    ("check_site_status", {"url": "http://127.0.0.1:{port}/"}),
    ("net_fetch_many", {"urls": ["http://127.0.0.1:{port}/", "http://127.0.0.1:{port}/x"]}),
    ("net_http_request", {"url": "http://127.0.0.1:{port}/", "method": "GET"}),
    ("net_tcp_check", {"host": "127.0.0.1", "port": "{port}"}),
    ("net_tls_check", {"host": "127.0.0.1", "port": "{port}"}),
])
def test_cancelled_while_it_connects(worker, silent_port, tool, arguments):
    """Within a second; nothing more is said of the call, and its socket is closed."""
    text = json.dumps(arguments).replace('"{port}"', str(silent_port)).replace("{port}", str(silent_port))
    worker.last_id += 1
    number = worker.last_id
    worker.send({"jsonrpc": "2.0", "id": number, "method": "tools/call",
                 "params": {"name": tool, "arguments": {**json.loads(text), "timeout_seconds": 30}}})
    fleets.wait_until(lambda: own_sockets(worker) & set(is_connecting(silent_port)), what="a connection")
    began = time.monotonic()
    worker.notify("notifications/cancelled", {"requestId": number})
    assert worker.request("ping")["result"] == {}
    assert time.monotonic() - began < 1 * fleets.SLOWNESS
    assert not own_sockets(worker) & set(is_connecting(silent_port))
    assert number not in [message.get("id") for message in worker.notifications]


def test_connecting_ends_by_itself(worker, silent_port):
    """After 5 s, whatever the time of the whole is."""
    began = time.monotonic()
    with pytest.raises(ToolFailed, match="^connect_failed: .*no connection within 5 s"):
        worker.call("fetch_url", url=f"http://127.0.0.1:{silent_port}/", timeout_seconds=60)
    assert 4 < time.monotonic() - began < 20 * fleets.SLOWNESS
