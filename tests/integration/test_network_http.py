"""The HTTP tools of the network worker: what they fetch, and what nobody gets them to fetch."""

import gzip
import json
import os
import pathlib
import socket
import ssl
import subprocess
import time

import pytest

import fleet as fleets
from netpeers import A, AAAA, CNAME, HttpServer, NameServer
from stdio_worker import StdioWorker, ToolFailed

WORKER = pathlib.Path(os.environ.get("MCP_FLEET_BUILD", "build")) / "worker-network"


@pytest.fixture
def server():
    started = HttpServer()
    yield started
    started.close()


@pytest.fixture
def start():
    """start(settings…) is a worker; robots is off unless a test is about it."""
    started = []

    def make(env=None, **settings):
        settings.setdefault("robots", False)
        started.append(StdioWorker(WORKER, settings=settings, env=env))
        return started[-1]

    yield make
    for each in started:
        assert each.close() == 0


@pytest.fixture
def worker(start, server):
    """One that may reach the server, and nothing else here."""
    return start(allow=[f"127.0.0.1:{server.port}"])


@pytest.fixture
def names():
    started = []

    def make(answers):
        started.append(NameServer(answers))
        return started[-1]

    yield make
    for each in started:
        each.close()


def failure(worker, tool, **arguments):
    """The text with which a call fails."""
    with pytest.raises(ToolFailed) as caught:
        worker.call(tool, **arguments)
    return caught.value.text


# Plain fetching

@pytest.mark.sanitizers
def test_html_as_markdown(worker, server):
    server.page("/", "<title>A page</title><h1>Head</h1><p>Some <b>bold</b> text.",
                headers=["Content-Type: text/html; charset=utf-8"])
    data, text = worker.call("fetch_url", url=server.url)
    assert text == data["content"]
    assert "# Head" in text and "**bold**" in text and "<p>" not in text
    assert data["title"] == "A page" and data["status"] == 200
    assert data["final_url"] == server.url + "/" and data["redirects"] == []
    assert data["charset"] == "utf-8" and data["content_type"] == "text/html"
    assert data["robots"] == "ignored" and not data["truncated"] and "next_index" not in data
    assert worker.data("fetch", url=server.url)["content"] == text
    raw = worker.data("fetch_url", url=server.url, raw=True)
    assert raw["content"].startswith("<title>")
    assert "**" not in worker.data("fetch_url", url=server.url, format="text")["content"]


def test_what_is_sent(worker, server):
    for path in ("/a%20b?x=%c3%a4", "/a%20b?x=%C3%A4"):  # as it pleases libcurl
        server.page(path, "here")
    assert worker.text("fetch_url", url=server.url + "/a b?x=ä#part") == "here"
    request = server.requests[0].lower()
    assert request.startswith("get /a%20b?x=%c3%a4 http/1.1\r\n")
    assert "user-agent: mcp-fleet/" in request
    assert "accept-encoding: gzip, deflate\r\n" in request
    for name in ("cookie", "authorization", "referer", "proxy-"):
        assert name not in request


def test_windows_of_code_points(worker, server):
    text = "".join(chr(0x4E00 + i) for i in range(100)) + "😀" * 20
    server.page("/", text, headers=["Content-Type: text/plain; charset=utf-8"])
    whole, at = "", 0
    while True:
        result = worker.result("fetch_url", url=server.url, max_length=50, start_index=at)
        data = result["structuredContent"]
        assert data["total_length"] == 120 and data["start_index"] == at
        whole += data["content"]
        if not data["truncated"]:
            assert len(result["content"]) == 1
            break
        assert len(data["content"]) == 50 and data["next_index"] == at + 50
        assert result["content"][1]["text"] == (
            f"Content truncated: characters {at} to {at + 50} of 120. "
            f"Call again with start_index={at + 50}.")
        at = data["next_index"]
    assert whole == text
    assert worker.error_code("fetch_url", url=server.url, start_index=120) == "invalid_argument"


def test_json(worker, server):
    server.page("/good", '{"b":1.10,"a":[{},[],{"c":"\\"x\\u00e4"}]}', headers=["Content-Type: application/json"])
    data = worker.data("fetch_url", url=server.url + "/good", format="json")
    assert data["content"] == ('{\n  "b": 1.10,\n  "a": [\n    {},\n    [],\n    {\n'
                               '      "c": "\\"x\\u00e4"\n    }\n  ]\n}')
    server.page("/bad", "{", headers=["Content-Type: application/json"])
    assert worker.error_code("fetch_url", url=server.url + "/bad", format="json") == "bad_json"
    assert worker.data("fetch_url", url=server.url + "/bad")["content"] == "{"


def test_kinds_of_content(worker, server):
    server.page("/image", b"\x89PNG\0\1", headers=["Content-Type: image/png"])
    assert "image/png" in failure(worker, "fetch_url", url=server.url + "/image")
    assert worker.error_code("fetch_url", url=server.url + "/image", raw=True) == "unsupported_content"
    server.pages["/none"] = lambda c, r: c.sendall(
        b"HTTP/1.0 200 OK\r\n\r\n<!DOCTYPE html><h2>Old</h2>")
    assert worker.text("fetch_url", url=server.url + "/none") == "## Old"
    server.pages["/binary"] = lambda c, r: c.sendall(b"HTTP/1.0 200 OK\r\n\r\n\0\1\2")
    assert worker.error_code("fetch_url", url=server.url + "/binary") == "unsupported_content"
    server.page("/feed", "<a/>", headers=["Content-Type: application/atom+xml"])
    assert worker.text("fetch_url", url=server.url + "/feed") == "<a/>"


@pytest.mark.sanitizers
def test_http_status_has_an_excerpt(worker, server):
    server.page("/", "<h1>Gone</h1>\n<p>since " + "long " * 500, status="410 Gone away",
                headers=["Content-Type: text/html"])
    text = failure(worker, "fetch_url", url=server.url)
    assert text.startswith("http_status: 127.0.0.1 answered 410 Gone away. It says: ")
    assert "since long" in text and len(text) < 600 and "\n" not in text
    server.page("/304", status="304 Not Modified")
    assert worker.error_code("fetch_url", url=server.url + "/304") == "http_status"


# URLs and addresses that are refused

REFUSED = [
    ("http://10.0.0.1/", "address_refused"),
    ("http://127.0.0.1:1/", "address_refused"),
    ("http://2130706433/", "address_refused"),
    ("http://127.1/", "address_refused"),
    ("http://0177.0.0.1/", "address_refused"),
    ("http://0x7f000001/", "address_refused"),
    ("http://0x7f.0.0.1/", "address_refused"),
    ("http://127.0.0.1./", "address_refused"),
    ("http://１２７.０.０.１/", "address_refused"),
    ("http://①②⑦.⓪.⓪.①/", "address_refused"),
    ("http://[::1]/", "address_refused"),
    ("http://[::]/", "address_refused"),
    ("http://[::ffff:127.0.0.1]/", "address_refused"),
    ("http://[::ffff:7f00:1]/", "address_refused"),
    ("http://[::127.0.0.1]/", "address_refused"),
    ("http://[64:ff9b::7f00:1]/", "address_refused"),
    ("http://[2002:7f00:1::]/", "address_refused"),
    ("http://[2001:0:7f00:1::]/", "address_refused"),
    ("http://[fd00::1]/", "address_refused"),
    ("http://169.254.169.254/latest/meta-data/", "address_refused"),
    ("http://localhost/", "address_refused"),
    ("http://LOCALHOST./", "address_refused"),
    ("http://a.localhost/", "address_refused"),
    ("http://ｌocalhost/", "address_refused"),
    ("http://127%2e0.0.1/", "invalid_url"),
    ("http://%31%32%37.0.0.1/", "invalid_url"),
    ("http://[fe80::1%25lo]/", "invalid_url"),
    ("http://[fe80::1%lo]/", "invalid_url"),
    ("http://example.org\\@127.0.0.1/", "invalid_url"),
    ("http:\\\\127.0.0.1/", "invalid_url"),
    ("http:/127.0.0.1/", "invalid_url"),
    ("http:///127.0.0.1/", "invalid_url"),
    ("http:127.0.0.1/", "invalid_url"),
    ("http://a b/", "invalid_url"),
    ("http://a\tb/", "invalid_url"),
    ("http://a\nb/", "invalid_url"),
    ("http://example.org/\r\nX: y", "invalid_url"),
    ("http://example.org:0/", "invalid_url"),
    ("http://example.org:99999/", "invalid_url"),
    ("http://example.org:80:80/", "invalid_url"),
    ("http://a..b/", "invalid_url"),
    ("http://@/", "invalid_url"),
    (" http://example.org/", "invalid_url"),
    ("example.org", "invalid_url"),
    ("//example.org/", "invalid_url"),
    ("file:///etc/passwd", "scheme_refused"),
    ("FILE:///etc/passwd", "scheme_refused"),
    ("gopher://127.0.0.1:70/", "scheme_refused"),
    ("ftp://example.org/", "scheme_refused"),
    ("dict://example.org/d:x", "scheme_refused"),
    ("ldap://example.org/", "scheme_refused"),
    ("javascript:alert(1)", "scheme_refused"),
    ("data:text/html,x", "scheme_refused"),
]


@pytest.mark.sanitizers
def test_refused_urls(worker):
    for url, code in REFUSED:
        for tool in ("fetch_url", "check_site_status"):
            assert worker.error_code(tool, url=url) == code, (tool, url)
        parsed = worker.error_code("net_parse_url", url=url)
        if parsed:
            assert parsed == "invalid_url" and code != "address_refused", url
        else:
            data = worker.data("net_parse_url", url=url)
            assert not data["fetch_allowed"] and data["refusal"].startswith(code), url


def test_ports_of_allow_rules(start, server):
    other = start(allow=["127.0.0.1:1", "127.0.0.2/31"])
    assert other.error_code("fetch_url", url=server.url) == "address_refused"
    assert server.n_connections == 0
    server.page("/", "x")
    assert start(allow=["127.0.0.0/8"]).text("fetch_url", url=server.url) == "x"
    denied = start(allow=["127.0.0.0/8"], deny=[f"127.0.0.1:{server.port}"])
    assert denied.error_code("fetch_url", url=server.url) == "address_refused"
    assert server.n_connections == 1


def test_wrong_settings_name_the_rule():
    for settings, words in (({"allow": ["300.1.1.1/8"]}, 'allow: rule \\"300.1.1.1/8\\"'),
                            ({"deny": ["10.0.0.1/8"]}, "deny: rule"),
                            ({"dns_servers": ["dns.example"]}, "dns_servers"),
                            ({"allow_methods": ["GET", "post"]}, 'allow_methods: \\"post\\" is none of')):
        done = subprocess.run([WORKER, "--settings", json.dumps(settings)], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=30, text=True)
        assert done.returncode != 0
        assert words.replace("\\", "") in done.stderr.replace("\\", "")


@pytest.mark.sanitizers
def test_user_and_password_are_dropped(worker, server):
    server.page("/", "x")
    url = server.url.replace("//", "//someone:s3cret@")
    result = worker.result("fetch_url", url=url)
    assert not result.get("isError")
    assert "s3cret" not in json.dumps(result) and "someone" not in json.dumps(result)
    assert "authorization" not in server.requests[0].lower()
    for bad in ("http://someone:s3cret@10.0.0.1/", "http://someone:s3cret@a..b/",
                "http://someone:s3cret@[::1/", "http://someone:s3cret@/", "http:someone:s3cret@x/"):
        for tool in ("fetch_url", "net_parse_url", "check_site_status"):
            assert "s3cret" not in json.dumps(worker.result(tool, url=bad)), bad
    server.redirect("/r", url + "gone")
    assert "s3cret" not in json.dumps(worker.result("fetch_url", url=server.url + "/r"))
    assert "s3cret" not in json.dumps(worker.result("check_site_status", url=server.url + "/r"))


def test_proxies_of_the_environment_are_ignored(start, server):
    server.page("/", "direct")
    proxy = HttpServer()
    env = {name: proxy.url for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy")}
    worker = start(env={**env, "NO_PROXY": ""}, allow=["127.0.0.1"])
    assert worker.text("fetch_url", url=server.url) == "direct"
    assert proxy.n_connections == 0
    proxy.close()


# Redirects

@pytest.mark.sanitizers
def test_redirects(worker, server):
    server.page("/end/page", "arrived")
    for i, status in enumerate(("301 M", "302 F", "303 S", "307 T", "308 P")):
        to = ["1", f"{server.url}/2", f"//127.0.0.1:{server.port}/3", "./x/../4", "/end/page#f"][i]
        server.redirect(f"/{i}", to, status)
    data, text = worker.call("fetch_url", url=server.url + "/0")
    assert text == "arrived" and data["final_url"] == server.url + "/end/page"
    assert data["redirects"] == [server.url + p for p in ("/1", "/2", "/3", "/4", "/end/page")]


def test_too_many_redirects(worker, server):
    server.redirect("/loop", "/loop")
    assert worker.error_code("fetch_url", url=server.url + "/loop") == "too_many_redirects"
    assert server.paths() == ["/loop"] * 6


@pytest.mark.sanitizers
def test_redirects_are_judged(worker, server):
    forbidden = HttpServer("127.0.0.2")
    forbidden.page("/", "secret")
    for to, code in ((forbidden.url, "address_refused"),
                     ("http://2130706433/", "address_refused"),
                     ("http://localhost/", "address_refused"),
                     (f"//127.0.0.2:{forbidden.port}/", "address_refused"),
                     ("http://127%2e0.0.1/", "invalid_url"),
                     ("file:///etc/passwd", "scheme_refused"),
                     ("ftp://example.org/", "scheme_refused")):
        server.redirect("/to", to)
        assert worker.error_code("fetch_url", url=server.url + "/to") == code, to
        assert worker.error_code("check_site_status", url=server.url + "/to",
                                 follow_redirects=True) == code, to
    assert forbidden.n_connections == 0
    forbidden.close()


# Names

def test_names_are_looked_up_once(start, server, names):
    """A name that changes its address between judging and connecting."""
    port = server.port
    other = HttpServer("127.0.0.3", port)
    server.page("/", "judged")
    other.page("/", "rebound")
    addresses = ["127.0.0.1", "127.0.0.3"]
    dns = names(lambda name, kind, n: [(A, addresses[min(n, 2) - 1])] if kind == A else [])
    worker = start(allow=["127.0.0.1"], dns_servers=[dns.address])
    data, text = worker.call("fetch_url", url=f"http://rebind.test:{port}/")
    assert text == "judged" and dns.asked("rebind.test") == 1
    assert f"\r\nhost: rebind.test:{port}\r\n" in server.requests[0].lower()
    assert worker.error_code("fetch_url", url=f"http://rebind.test:{port}/") == "address_refused"
    assert dns.asked("rebind.test") == 2 and other.n_connections == 0
    other.close()


def test_rebinding_between_robots_and_page(start, server, names):
    other = HttpServer("127.0.0.3", server.port)
    dns = names(lambda name, kind, n: [(A, "127.0.0.1" if n == 1 else "127.0.0.3")] if kind == A else [])
    worker = start(allow=["127.0.0.1"], dns_servers=[dns.address], robots=True)
    url = f"http://rebind.test:{server.port}/"
    assert worker.error_code("fetch_url", url=url) == "address_refused"
    assert server.paths() == ["/robots.txt"] and other.n_connections == 0
    other.close()


@pytest.mark.sanitizers
def test_every_address_is_judged(start, server, names):
    records = {
        "mixed.test": [(A, "127.0.0.1"), (A, "10.1.2.3")],
        "public.test": [(A, "93.184.216.34"), (A, "127.0.0.1")],
        "alias.test": [(CNAME, "real.test"), (A, "127.0.0.1")],
        "local.test": [(CNAME, "x.localhost"), (A, "127.0.0.1")],
        "denied.test": [(CNAME, "a.evil.test"), (A, "127.0.0.1")],
        "good.test": [(A, "127.0.0.1")],
        "mapped.test": [(A, "127.0.0.1")],
    }

    def answers(name, kind, n):
        if name == "mapped.test" and kind == AAAA:
            return [(AAAA, "::ffff:169.254.169.254")]
        if name not in records:
            return None
        return [r for r in records[name] if r[0] in (kind, CNAME)]

    dns = names(answers)
    worker = start(allow=[f"127.0.0.1:{server.port}"], deny=[".evil.test"], dns_servers=[dns.address])
    server.page("/", "x")
    for name in ("mixed.test", "local.test", "denied.test", "mapped.test", "b.evil.test"):
        url = f"http://{name}:{server.port}/"
        assert worker.error_code("fetch_url", url=url) == "address_refused", name
    assert server.n_connections == 0 and dns.asked("b.evil.test") == 0
    no_loopback = start(dns_servers=[dns.address])
    assert no_loopback.error_code("fetch_url", url=f"http://public.test:{server.port}/") == "address_refused"
    assert server.n_connections == 0
    for name in ("good.test", "alias.test", "GOOD.test."):
        assert worker.text("fetch_url", url=f"http://{name}:{server.port}/") == "x", name
    assert worker.error_code("fetch_url", url=f"http://none.test:{server.port}/") == "dns_failed"


def test_a_name_may_be_allowed(start, server, names):
    dns = names(lambda name, kind, n: [(A, "127.0.0.1")] if kind == A else [])
    server.page("/", "x")
    worker = start(allow=[f"inside.test:{server.port}"], dns_servers=[dns.address])
    assert worker.text("fetch_url", url=f"http://inside.test:{server.port}/") == "x"
    assert worker.error_code("fetch_url", url=f"http://other.test:{server.port}/") == "address_refused"
    assert worker.error_code("fetch_url", url="http://inside.test:1/") == "address_refused"


def test_second_address_is_tried(start, server, names):
    dns = names(lambda name, kind, n: [(A, "127.0.0.9"), (A, "127.0.0.1")] if kind == A else [])
    server.page("/", "x")
    worker = start(allow=["127.0.0.0/8"], dns_servers=[dns.address])
    assert worker.text("fetch_url", url=f"http://two.test:{server.port}/") == "x"


def test_ipv6(start, names):
    try:
        server = HttpServer("::1")
    except OSError:
        pytest.skip("no IPv6 here")
    server.page("/", "six")
    dns = names(lambda name, kind, n: [(AAAA, "::1")] if kind == AAAA else [])
    worker = start(allow=[f"[::1]:{server.port}"], dns_servers=[dns.address])
    assert worker.text("fetch_url", url=server.url) == "six"
    assert worker.text("fetch_url", url=f"http://six.test:{server.port}/") == "six"
    assert worker.text("fetch_url", url=f"http://[0:0::0:1]:{server.port}/") == "six"
    assert f"host: [::1]:{server.port}\r\n" in server.requests[2].lower()
    assert worker.error_code("fetch_url", url="http://[::1]:1/") == "address_refused"
    server.close()


def test_silent_name_server(start, names):
    dns = names(lambda name, kind, n: "silence")
    worker = start(dns_servers=[dns.address])
    assert worker.error_code("fetch_url", url="http://x.test/", timeout_seconds=0.5) == "timeout"


def test_names_that_are_not_ascii(start, server, names):
    dns = names(lambda name, kind, n: [(A, "127.0.0.1")] if kind == A else [])
    server.page("/", "x")
    worker = start(allow=["127.0.0.1"], dns_servers=[dns.address])
    data = worker.data("fetch_url", url=f"http://BÜcher.test:{server.port}/")
    assert data["final_url"] == f"http://xn--bcher-kva.test:{server.port}/"
    assert dns.asked("xn--bcher-kva.test") == 1


# Servers that misbehave

@pytest.mark.sanitizers
def test_endless_body(start, server):
    def endless(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while not server.ending.is_set():
            connection.sendall(b"x" * 65536)

    server.pages["/"] = endless
    worker = start(allow=["127.0.0.1"], max_response_bytes=100000)
    assert worker.error_code("fetch_url", url=server.url) == "response_too_large"
    assert worker.data("check_site_status", url=server.url, method="GET")["ok"]


@pytest.mark.sanitizers
def test_compressed(worker, server):
    server.page("/good", gzip.compress(b"plain words"), headers=["Content-Encoding: gzip"])
    data = worker.data("fetch_url", url=server.url + "/good")
    assert data["content"] == "plain words" and data["bytes"] == 11
    bomb = gzip.compress(b"\0" * (200 << 20), 9)
    server.page("/bomb", bomb, headers=["Content-Encoding: gzip"])
    assert len(bomb) < 300000
    assert worker.error_code("fetch_url", url=server.url + "/bomb") == "response_too_large"
    server.page("/twice", gzip.compress(bomb), headers=["Content-Encoding: gzip, gzip"])
    assert worker.error_code("fetch_url", url=server.url + "/twice") == "unsupported_content"
    server.page("/broken", b"no gzip at all", headers=["Content-Encoding: gzip"])
    assert worker.error_code("fetch_url", url=server.url + "/broken") == "unsupported_content"


@pytest.mark.sanitizers
def test_headers_have_a_limit(worker, server):
    def many(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for i in range(10000):
            connection.sendall(b"X-%d: " % i + b"y" * 100 + b"\r\n")

    def long(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not server.ending.is_set():
            connection.sendall(b"y" * 65536)

    def interim(connection, request):
        while not server.ending.is_set():
            connection.sendall(b"HTTP/1.1 103 Early\r\nX: " + b"y" * 1000 + b"\r\n\r\n")

    for page in (many, long, interim):
        server.pages["/"] = page
        assert worker.error_code("fetch_url", url=server.url) == "response_too_large", page


def test_slow_body_and_header(worker, server):
    def drip(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while not server.ending.wait(0.05):
            connection.sendall(b"x")

    def drip_header(connection, request):
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100000:
            if server.ending.wait(0.05):
                return
            connection.sendall(bytes([byte]))

    for page in (drip, drip_header):
        server.pages["/"] = page
        assert worker.error_code("fetch_url", url=server.url, timeout_seconds=0.7) == "timeout"
    data, text = worker.call("check_site_status", url=server.url, timeout_seconds=0.5)
    assert not data["up"] and "DOWN (timeout" in text


def test_too_slow_ends_before_the_time_is_over(worker, server):
    """Less than 1 KiB in 10 s."""
    def drip(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while not server.ending.wait(0.2):
            connection.sendall(b"x")

    server.pages["/"] = drip
    text = failure(worker, "fetch_url", url=server.url, timeout_seconds=50)
    assert text.startswith("timeout: ") and "in 10 s" in text


def test_not_http(worker, server):
    server.pages["/"] = lambda c, r: c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    assert worker.error_code("fetch_url", url=server.url) == "connect_failed"
    server.pages["/"] = lambda c, r: None
    assert worker.error_code("fetch_url", url=server.url) == "connect_failed"
    server.pages["/"] = lambda c, r: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxx")
    assert worker.error_code("fetch_url", url=server.url) == "connect_failed"


@pytest.mark.sanitizers
def test_cancelled_within_a_second(worker, server):
    def hang(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + b"x" * 1000)
        server.wait_for_close(connection)

    server.pages["/"] = hang
    worker.send({"jsonrpc": "2.0", "id": 99, "method": "tools/call",
                 "params": {"name": "fetch_url", "arguments": {"url": server.url, "timeout_seconds": 60}}})
    deadline = time.monotonic() + 10
    while not server.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.requests
    # No thread: nobody resolves behind our back.
    assert len(os.listdir(f"/proc/{worker.process.pid}/task")) == 1
    began = time.monotonic()
    worker.notify("notifications/cancelled", {"requestId": 99})
    assert server.closed.wait(10)
    assert worker.request("ping")["result"] == {}
    assert time.monotonic() - began < 2 * fleets.SLOWNESS
    assert not [m for m in worker.notifications if m.get("id") == 99]


def test_progress(worker, server):
    def slow(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        for _ in range(8):
            connection.sendall(b"x" * 1000)
            time.sleep(0.2)

    server.pages["/"] = slow
    worker.request("tools/call", {"name": "fetch_url", "arguments": {"url": server.url},
                                  "_meta": {"progressToken": "p"}})
    numbers = [m["params"]["progress"] for m in worker.notifications
               if m.get("method") == "notifications/progress"]
    assert numbers and numbers == sorted(set(numbers)) and numbers[-1] <= 8000


# robots.txt

def robots_case(start, server, text, status="200 OK"):
    server.page("/robots.txt", text, status=status)
    server.page("/a/page", "a page")
    server.page("/open", "open")
    return start(allow=["127.0.0.1"], robots=True)


def test_robots(start, server):
    worker = robots_case(start, server, "User-agent: *\nDisallow: /a/\n")
    assert worker.error_code("fetch_url", url=server.url + "/a/page") == "robots_refused"
    assert "/a/page" not in server.paths()
    data = worker.data("fetch_url", url=server.url + "/open")
    assert data["content"] == "open" and data["robots"] == "allowed"
    assert server.paths().count("/robots.txt") == 1
    assert worker.data("check_site_status", url=server.url + "/a/page")["ok"]
    server.redirect("/to", "/a/page")
    assert worker.error_code("fetch_url", url=server.url + "/to") == "robots_refused"
    assert start(allow=["127.0.0.1"]).text("fetch_url", url=server.url + "/a/page") == "a page"


@pytest.mark.parametrize("status, code, word", [
    ("404 Not Found", None, "none"), ("410 Gone", None, "none"), ("429 Slow down", None, "none"),
    ("401 Who", "robots_refused", ""), ("403 No", "robots_refused", ""),
    ("500 Oops", "robots_refused", ""), ("503 Busy", "robots_refused", ""),
])
def test_robots_status(start, server, status, code, word):
    worker = robots_case(start, server, "User-agent: *\nDisallow: /\n", status)
    assert worker.error_code("fetch_url", url=server.url + "/open") == code
    if not code:
        assert worker.data("fetch_url", url=server.url + "/open")["robots"] == word
    assert server.paths().count("/robots.txt") == 1


def test_robots_of_redirects_and_their_hosts(start, server):
    other = HttpServer()
    other.page("/robots.txt", "User-agent: mcp-fleet\nDisallow: /\n")
    other.page("/x", "x")
    worker = robots_case(start, server, "")
    server.redirect("/to", other.url + "/x")
    assert worker.error_code("fetch_url", url=server.url + "/to") == "robots_refused"
    assert other.paths() == ["/robots.txt"]
    other.close()


def test_robots_is_redirected_to_a_private_address(start, server):
    private = HttpServer("127.0.0.2")
    worker = start(allow=["127.0.0.1"], robots=True)
    server.redirect("/robots.txt", private.url)
    server.page("/open", "open")
    assert worker.error_code("fetch_url", url=server.url + "/open") == "robots_refused"
    assert private.n_connections == 0 and "/open" not in server.paths()
    private.close()


def test_robots_of_a_server_that_is_not_there(start, server):
    port = server.port
    server.close()
    worker = start(allow=["127.0.0.1"], robots=True)
    assert worker.error_code("fetch_url", url=f"http://127.0.0.1:{port}/") == "connect_failed"


# TLS

@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A CA, and a certificate of it for 127.0.0.1 and good.test."""
    folder = tmp_path_factory.mktemp("ca")
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:good.test\n")

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True, timeout=60)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=Test CA")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "req.pem", "-subj", "/CN=good.test")
    openssl("x509", "-req", "-in", "req.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "ext", "-out", "cert.pem")
    return folder


def tls_context(folder, version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    if version:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
    return context


def test_tls(start, names, certificates):
    server = HttpServer(tls=tls_context(certificates))
    server.page("/", "safe")
    dns = names(lambda name, kind, n: [(A, "127.0.0.1")] if kind == A else [])
    settings = {"allow": ["127.0.0.1"], "dns_servers": [dns.address]}
    trusting = start(env={"SSL_CERT_FILE": str(certificates / "ca.pem")}, **settings)
    assert trusting.text("fetch_url", url=server.url) == "safe"
    assert trusting.text("fetch_url", url=f"https://good.test:{server.port}/") == "safe"
    assert trusting.error_code("fetch_url", url=f"https://bad.test:{server.port}/") == "tls_failed"
    assert start(**settings).error_code("fetch_url", url=server.url) == "tls_failed"
    data = start(**settings).data("check_site_status", url=server.url)
    assert not data["up"] and data["error"].startswith("tls_failed")

    plain = HttpServer()
    server.redirect("/down", plain.url)
    plain.redirect("/up", server.url)
    assert trusting.error_code("fetch_url", url=server.url + "/down") == "scheme_refused"
    assert plain.n_connections == 0
    assert trusting.text("fetch_url", url=plain.url + "/up") == "safe"
    for each in (plain, server):
        each.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(start, certificates):
    server = HttpServer(tls=tls_context(certificates, ssl.TLSVersion.TLSv1_1))
    worker = start(env={"SSL_CERT_FILE": str(certificates / "ca.pem")}, allow=["127.0.0.1"])
    assert worker.error_code("fetch_url", url=server.url) == "tls_failed"
    server.close()


# check_site_status

@pytest.mark.sanitizers
def test_check_site(worker, server):
    server.page("/", "x")
    server.page("/broken", status="503 Busy \xe4now")
    server.redirect("/to", "/")
    data, text = worker.call("check_site_status", url=server.url)
    assert text == f"{server.url}/ is UP (Status: 200)" and data["up"] and data["ok"]
    assert data["reason"] == "OK" and data["remote_address"] == "127.0.0.1"
    data = worker.data("check_site_status", url=server.url + "/broken")
    assert data["up"] and not data["ok"] and data["status"] == 503
    data = worker.data("check_site_status", url=server.url + "/to")
    assert data["status"] == 302 and data["location"] == server.url + "/"
    assert worker.data("check_site_status", url=server.url + "/to", follow_redirects=True)["status"] == 200
    assert all(r.startswith("HEAD ") for r in server.requests)


def test_check_site_falls_back_to_get(worker, server):
    for status in ("405 Method", "501 Not"):
        server.pages["/"] = lambda c, r: c.sendall(
            f"HTTP/1.1 {'200 OK' if r.startswith('GET') else status}\r\nContent-Length: 0\r\n\r\n".encode())
        assert worker.data("check_site_status", url=server.url)["status"] == 200
    assert [r.split()[0] for r in server.requests] == ["HEAD", "GET"] * 2


def test_check_site_that_is_down(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    data, text = start(allow=["127.0.0.1"]).call("check_site_status", url=f"http://127.0.0.1:{port}/")
    assert not data["up"] and not data["ok"] and "status" not in data
    assert "is DOWN (connect_failed" in text and "refused" in data["error"]


# Many

def test_fetch_many(worker, server):
    running, most = [], []

    def page(connection, request):
        running.append(1)
        most.append(len(running))
        time.sleep(0.05)
        running.pop()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\npage")

    for i in range(5):
        server.pages[f"/{i}"] = page
    urls = [f"{server.url}/{i}" for i in range(5)] + [server.url + "/none", "http://10.0.0.1/", "nonsense"]
    data, text = worker.call("net_fetch_many", urls=urls, max_length=3)
    assert data["failed"] == 3 and max(most) == 1
    assert [r["ok"] for r in data["results"]] == [True] * 5 + [False] * 3
    assert data["results"][0]["content"] == "pag" and data["results"][0]["next_index"] == 3
    assert [r["error"].split(":")[0] for r in data["results"][5:]] == ["http_status", "address_refused", "invalid_url"]
    assert f"## 1. {server.url}/0\n\npag" in text and "start_index=3" in text
    assert worker.error_code("net_fetch_many", urls=["http://10.0.0.1/"]) == "address_refused"


@pytest.mark.sanitizers
def test_fetch_many_of_several_hosts(start, names):
    dns = names(lambda name, kind, n: [(A, f"127.0.0.{name[1]}")] if kind == A else [])
    worker = start(allow=["127.0.0.0/8"], dns_servers=[dns.address])
    servers = [HttpServer(f"127.0.0.{i + 1}") for i in range(6)]
    waiting, alone = [], []

    def page(connection, request):
        """Nobody is answered until four are here."""
        waiting.append(1)
        deadline = time.monotonic() + 10
        while len(waiting) < 4:
            time.sleep(0.01)
            if time.monotonic() > deadline:
                alone.append(1)
                break
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")

    for server in servers:
        server.pages["/"] = page
    urls = [f"http://h{i + 1}.test:{s.port}/" for i, s in enumerate(servers)]
    data = worker.data("net_fetch_many", urls=urls)
    assert data["failed"] == 0 and [r["final_url"] for r in data["results"]] == urls
    assert not alone
    for server in servers:
        server.close()


# net_http_request

@pytest.mark.sanitizers
def test_http_request(start, server):
    def echo(connection, request):
        body = request.encode()
        connection.sendall(b"HTTP/1.1 201 Made\r\nContent-Type: text/plain\r\nX-A: 1\r\nx-a: 2\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body) + body)

    server.pages["/"] = echo
    worker = start(allow=["127.0.0.1"], allow_methods=["GET", "POST", "DELETE"])
    data, text = worker.call("net_http_request", url=server.url, method="POST", body="héllo",
                             headers={"X-Own": "a, b", "X-Empty": ""})
    assert data["status"] == 201 and data["headers"]["x-a"] == "1, 2" and not data["truncated"]
    assert data["body"].startswith("POST / HTTP/1.1\r\n") and "\r\nX-Own: a, b\r\n" in data["body"]
    assert "\r\nX-Empty:\r\n" in data["body"] and "charset=utf-8" in data["body"]
    assert text.startswith("201 Made\n") and "x-a: 1, 2\n" in text
    assert worker.data("net_http_request", url=server.url, method="DELETE")["body"].startswith("DELETE /")
    server.redirect("/to", "http://10.0.0.1/")
    assert worker.data("net_http_request", url=server.url + "/to", method="GET")["status"] == 302
    assert worker.data("net_http_request", url=server.url + "/none", method="GET")["status"] == 404


def test_http_request_refuses(worker, server):
    assert worker.error_code("net_http_request", url=server.url, method="POST") == "policy"
    assert worker.error_code("net_http_request", url=server.url, method="GET", body="x") == "invalid_argument"
    for headers in ({"Host": "evil"}, {"content-length": "5"}, {"Transfer-Encoding": "chunked"}, {"A B": "x"},
                    {"A:": "x"}, {"": "x"}, {"A": "x\r\nB: y"}, {"A": "x\ny"}, {"A": 5}, {"Proxy-Authorization": "x"}):
        assert worker.error_code("net_http_request", url=server.url, method="GET",
                                 headers=headers) == "invalid_argument", headers
    assert worker.error_code("net_http_request", url="http://10.0.0.1/", method="GET") == "address_refused"
    assert server.n_connections == 0


def test_http_request_without_a_body_has_no_type(start, server):
    server.page("/", "x")
    worker = start(allow=["127.0.0.1"], allow_methods=["POST", "PUT"])
    for method in ("POST", "PUT"):
        worker.call("net_http_request", url=server.url, method=method)
        assert "content-type" not in server.requests[-1].lower() and "Content-Length: 0\r\n" in server.requests[-1]
    worker.call("net_http_request", url=server.url, method="POST", headers={"Content-type": "a/b"})
    assert server.requests[-1].count("a/b") == server.requests[-1].lower().count("content-type") == 1


def test_http_request_without_any_method(start, server):
    worker = start(allow=["127.0.0.1"], allow_methods=[])
    assert worker.error_code("net_http_request", url=server.url, method="GET") == "policy"
    assert server.n_connections == 0


def test_http_request_cuts(worker, server):
    server.page("/", b"y" * (3 << 20))
    data, text = worker.call("net_http_request", url=server.url, method="GET")
    assert data["truncated"] and len(data["body"]) == 1 << 20
    assert "Body truncated" in text.splitlines()[-1]


# net_parse_url

@pytest.mark.sanitizers
def test_parse_url(worker):
    data, text = worker.call("net_parse_url", url="HTTPS://u:p@EXAMPLE.org:8443/a/../b?x=1&y=%41+b&x=2&z#frag")
    assert data == {"scheme": "https", "host": "example.org", "port": 8443, "path": "/b",
                    "query": {"x": ["1", "2"], "y": ["A b"], "z": [""]}, "fragment": "frag", "has_userinfo": True,
                    "normalized": "https://example.org:8443/b?x=1&y=%41+b&x=2&z#frag", "fetch_allowed": True}
    assert "host: example.org\n" in text


# The whole fleet

def test_through_the_daemon(start_fleet, server, names):
    """Settings get through, and a call's cancellation does."""
    dns = names(lambda name, kind, n: [(A, "127.0.0.1")] if kind == A else [])
    server.page("/", "small")
    server.page("/large", "x" * 20000)
    server.pages["/hang"] = lambda connection, request: server.wait_for_close(connection)
    fleet = start_fleet({"network": {"allow": [f"127.0.0.1:{server.port}"], "deny": [".denied.test"],
                                     "dns_servers": [dns.address], "robots": False,
                                     "max_response_bytes": "10KiB"}})
    base = f"http://x.test:{server.port}"
    with fleet.session() as session:
        def text(url):
            return session.call("fetch_url", {"url": url})["result"]["content"][0]["text"]

        assert text(base) == "small"
        assert text(base + "/large").startswith("response_too_large: ")
        assert text(f"http://a.denied.test:{server.port}/").startswith("address_refused: ")
        call = session.start_call("fetch_url", {"url": base + "/hang", "timeout_seconds": 60})
        fleets.wait_until(lambda: "/hang" in server.paths(), what="the request")
        session.notify("notifications/cancelled", {"requestId": call})
        assert server.closed.wait(10)
        assert text(base) == "small"
