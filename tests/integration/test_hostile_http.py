"""Hostile HTTP, as a table: what each pattern is answered with, and that nothing of it is left.

Each pattern is sent whole, then the client says that it sends no more: so the daemon answers what it must and
closes, and all of its answers can be counted. Behind a pattern comes a request that must not be seen as one of its
own. test_sse_handshake has the plain ambiguities of a request; these are the shapes around them.
"""

import contextlib
import json
import os
import random
import re
import socket
import struct
import subprocess
import sys
import textwrap
import time

import fleet as fleets
import pytest
from streamable import BOTH, Door

pytestmark = pytest.mark.sanitizers

HOST = "Host: localhost\r\n"
PING = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"})
BEHIND = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
LIMITS = {"request_bytes": "64KiB", "header_bytes": "16KiB", "connections": 400}
BAD = {400}
WELL_FORMED = {403, 404, 405, 421}  # it could be read: the connection goes on


def post(lines, body="12345"):
    """A POST with these header lines beside the usual."""
    return f"POST /mcp HTTP/1.1\r\n{HOST}Content-Type: application/json\r\nAccept: {BOTH}\r\n{lines}\r\n{body}"


def chunked(body):
    return post("Transfer-Encoding: chunked\r\n", body)


def get(lines="", target="/health"):
    return f"GET {target} HTTP/1.1\r\n{HOST}{lines}\r\n"


# name: what is sent, and the statuses that may answer it (None: it is closed without a word).
FRAMING = {
    "coding of another name": (post("Transfer-Encoding: xchunked\r\n"), {400, 501}),
    "coding with a blank before its colon": (post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), BAD),
    "coding with a tab before its colon": (post("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"), BAD),
    "coding behind a vertical tab": (post("Transfer-Encoding:\x0bchunked\r\n", "0\r\n\r\n"), BAD),
    "coding with NUL": (post("Transfer-Encoding: chunked\0\r\n", "0\r\n\r\n"), BAD),
    "coding on a folded line": (post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), BAD),
    "coding folded behind another header": (post("X-A: b\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), BAD),
    "coding behind a bare LF": (post("X-A: b\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), BAD),
    "coding behind a bare CR": (post("X-A: b\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), BAD),
    "coding in quotes": (post('Transfer-Encoding: "chunked"\r\n', "0\r\n\r\n"), BAD | {501}),
    "coding with a parameter": (post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"), BAD | {501}),
    "coding in a list of two": (post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"), BAD | {501}),
    "no coding": (post("Transfer-Encoding: \r\n", "0\r\n\r\n"), BAD | {501}),
    "length, then coding in odd case": (post("Content-Length: 5\r\ntRANSFER-eNCODING: cHUNKED\r\n", "0\r\n\r\n"), BAD),
    "coding, then length": (post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), BAD),
    "coding in HTTP/1.0": (chunked("0\r\n\r\n").replace("HTTP/1.1", "HTTP/1.0"), BAD),
    "length with a semicolon": (post("Content-Length: 5;\r\n"), BAD),
    "length with a fraction": (post("Content-Length: 5.0\r\n"), BAD),
    "length with an exponent": (post("Content-Length: 5e0\r\n"), BAD),
    "length in wide digits": (post("Content-Length: \uff15\r\n").encode(), BAD),
    "length that is minus nothing": (post("Content-Length: -0\r\n"), BAD),
    "length that wraps at 64 bits": (post("Content-Length: 18446744073709551621\r\n"), BAD | {413}),
    "length of 63 bits": (post("Content-Length: 9223372036854775807\r\n"), BAD | {413}),
    "length of a thousand digits": (post(f"Content-Length: {'9' * 1000}\r\n"), BAD | {413}),
    "length behind a vertical tab": (post("Content-Length:\x0b5\r\n"), BAD),
    "length in a folded line": (post("Content-Length:\r\n 5\r\n"), BAD),
    "chunk size with a blank in front": (chunked(" 5\r\n12345\r\n0\r\n\r\n"), BAD),
    "chunk size below nothing": (chunked("-1\r\n12345\r\n0\r\n\r\n"), BAD),
    "chunk size that is no number": (chunked("g\r\n12345\r\n0\r\n\r\n"), BAD),
    "chunk size of 68 bits": (chunked("fffffffffffffffff\r\n12345\r\n"), BAD | {413}),
    "chunk size of 64 bits": (chunked("ffffffffffffffff\r\n12345\r\n"), BAD | {413}),
    "chunk size behind many zeros": (chunked("0" * 5000 + "5\r\n12345\r\n0\r\n\r\n"), BAD),
    "chunk size by bare CR": (chunked("5\r12345\r\n0\r\n\r\n"), BAD),
    "chunk extension by bare LF": (chunked("5;a=b\n12345\r\n0\r\n\r\n"), BAD),
    "chunk extension with bare CR": (chunked("5;a\rb\r\n12345\r\n0\r\n\r\n"), BAD),
    "chunk extension without an end": (chunked("5;" + "a" * 100_000), BAD | {413, 431}),
    "chunk with more behind it": (chunked("5\r\n12345X\r\n0\r\n\r\n"), BAD),
    "chunk ended by bare LF": (chunked("5\r\n12345\n0\r\n\r\n"), BAD),
    "many small chunks": (chunked("1\r\na\r\n" * 70_000), {400, 413}),
    "trailer by bare LF": (chunked("1\r\na\r\n0\r\nX-A: b\nX-C: d\r\n\r\n"), BAD),
    "trailer that is folded": (chunked("1\r\na\r\n0\r\nX-A: b\r\n c\r\n\r\n"), BAD),
    "trailer that is no header": (chunked("1\r\na\r\n0\r\nnonsense\r\n\r\n"), BAD),
    "trailers without an end": (chunked("1\r\na\r\n0\r\n" + "X-A: b\r\n" * 20_000), BAD | {413, 431}),
    "last chunk cut off": (chunked("1\r\na\r\n0\r\n"), None),
}

LINES = {
    "HTTP/0.9": ("GET /health\r\n", BAD),
    "HTTP/0.9 by bare LF": ("GET /health\n\n", BAD),
    "method alone": ("GET\r\n\r\n", BAD),
    "blank in front": (" " + get(), BAD),
    "version twice": ("GET /health HTTP/1.1 HTTP/1.1\r\n" + HOST + "\r\n", BAD),
    "version without a minor": ("GET /health HTTP/1\r\n" + HOST + "\r\n", BAD),
    "version with a zero in front": ("GET /health HTTP/01.1\r\n" + HOST + "\r\n", BAD | {505}),
    "version with two digits": ("GET /health HTTP/1.10\r\n" + HOST + "\r\n", BAD | {505}),
    "version with NUL": ("GET /health HTTP/1.1\0\r\n" + HOST + "\r\n", BAD),
    "HTTP/2 with prior knowledge": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD | {505}),
    "CONNECT": ("CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + "\r\n", {400, 404, 405, 501}),
    "TRACE": ("TRACE /mcp HTTP/1.1\r\n" + HOST + "\r\n", {405, 501}),
    "target of another scheme": (get(target="file:///etc/passwd"), {400, 404}),
    "target of another host": (get(target="http://evil.example/mcp"), {400, 403, 421}),
    "target with two slashes": (get(target="//evil.example/health"), {400, 403, 404}),
    "target with a user": (get(target="http://u:p@localhost/health"), {400}),
    "target above the root": (get(target="/../../etc/passwd"), {400, 404}),
    "target above the root, encoded": (get(target="/%2e%2e/%2e%2e/etc/passwd"), {400, 404}),
    "target with an encoded NUL": (get(target="/health%00"), {400, 404}),
    "target with a broken escape": (get(target="/health%zz"), {400, 404}),
    "target with a fragment": (get(target="/health#x"), BAD),
    "target with DEL": (get(target="/health\x7f"), BAD),
    "target with bytes that are no text": (get(target="/\xff\xfe"), {400, 404}),
    "target of a star": (get(target="*"), BAD | {404}),
    "target of 60 KB": (get(target="/" + "a" * 60_000), {414}),
    "method of 8000 letters": ("A" * 8000 + " /health HTTP/1.1\r\n" + HOST + "\r\n", {400, 405, 414, 431, 501}),
    "nothing but line breaks": ("\r\n" * 40_000, BAD | {431}),
    "nothing but CR": ("\r" * 40_000, BAD | {414, 431}),
    "nothing but NUL": ("\0" * 40_000, BAD | {414, 431}),
    "one line without an end": ("A" * 200_000, BAD | {414, 431}),
    "SSH": ("SSH-2.0-OpenSSH_9.2\r\n", BAD),
    "SMTP": ("EHLO evil.example\r\nMAIL FROM:<a@b>\r\n", BAD),
    "a database's protocol": ("*1\r\n$4\r\nPING\r\n", BAD),
    "noise": (random.Random(7).randbytes(20_000), BAD | {414, 431}),
}

HEADERS = {
    "ten thousand headers": (get("".join(f"X-{i}: y\r\n" for i in range(10_000))), {431}),
    "a value of a megabyte": (get("X-A: " + "b" * 1_000_000 + "\r\n"), {431}),
    "a name of a megabyte": (get("X" * 1_000_000 + ": b\r\n"), {431}),
    "blanks without an end": (get("X-A:" + " " * 100_000), {431}),
    "empty names": (get(": a\r\n" * 50), BAD),
    "a host of 15 KB": (f"GET /health HTTP/1.1\r\nHost: {'a' * 15_000}\r\n\r\n", {400, 403, 421, 431}),
    "a host with a path": ("GET /mcp HTTP/1.1\r\nHost: localhost/x\r\n\r\n", {400, 403, 421}),
    "a host with a user": ("GET /mcp HTTP/1.1\r\nHost: evil.example@localhost\r\n\r\n", {400, 403, 421}),
    "a host with half a bracket": ("GET /mcp HTTP/1.1\r\nHost: [::1\r\n\r\n", {400, 403, 421}),
    "a host with a port that is none": ("GET /mcp HTTP/1.1\r\nHost: localhost:99999\r\n\r\n", {400, 403, 421}),
    "two hosts in one": ("GET /mcp HTTP/1.1\r\nHost: localhost, evil.example\r\n\r\n", {400, 403, 421}),
    "a credential of 15 KB": (get(f"Authorization: Bearer {'a' * 15_000}\r\n", "/mcp"), {400, 401, 406, 431}),
    "2500 types": (get("Accept: " + "a/b," * 2_500 + "\r\n", "/mcp"), {400, 406, 431}),
    "5000 quotes": (get('Accept: a/b;c="' + '\\"' * 5_000 + "\r\n", "/mcp"), {400, 406, 431}),
    "an expectation of 15 KB": (post(f"Expect: {'a' * 15_000}\r\nContent-Length: 5\r\n"), {417, 431}),
    "a session of 15 KB": (post(f"Mcp-Session-Id: {'a' * 15_000}\r\nContent-Length: {len(PING)}\r\n", PING), {404, 400, 431}),
    "a session with bytes that are no text": (
        post(f"Mcp-Session-Id: \xff\xfe\r\nContent-Length: {len(PING)}\r\n", PING), {404, 400}),
    "a content type with NUL": (post("Content-Length: 5\r\n").replace("/json", "/json\0"), BAD),
    "an origin of another": (get("Origin: http://evil.example\r\n", "/mcp"), {403}),
    "an origin that is null": (get("Origin: null\r\n", "/mcp"), {403}),
}

BODIES = {
    "arrays, 30000 deep": "[" * 30_000,
    "objects, 10000 deep": '{"a":' * 10_000,
    "params, 10000 deep": '{"jsonrpc":"2.0","id":1,"method":"ping","params":' + "[" * 10_000 + "]" * 10_000 + "}",
    "bytes that are no text": b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}',
    "overlong bytes": b'{"jsonrpc":"2.0","id":1,"method":"\xc0\xaf"}',
    "a surrogate in bytes": b'{"jsonrpc":"2.0","id":1,"method":"\xed\xa0\x80"}',
    "half a surrogate": '{"jsonrpc":"2.0","id":1,"method":"\\ud800"}',
    "NUL": '{"jsonrpc":"2.0","id":1,"method":"pi\0ng"}',
    "an escaped NUL": '{"jsonrpc":"2.0","id":1,"method":"ping\\u0000"}',
    "nothing but NUL": "\0" * 1000,
    "a mark of byte order": b"\xef\xbb\xbf" + PING.encode(),
    "sixteen bits": PING.encode("utf-16"),
    "an exponent": PING.replace("1,", "1e999999999,"),
    "an id of 10000 digits": PING.replace("1,", "9" * 10_000 + ","),
    "an id of 60000 letters": PING.replace("1,", f'"{"a" * 60_000}",'),
    "an id that is an object": PING.replace("1,", '{"a":1},'),
    "an id that is an array": PING.replace("1,", "[1],"),
    "an id that is null": PING.replace("1,", "null,"),
    "ids, three of them": PING.replace('"id": 1', '"id": 1, "id": 2, "id": 3'),
    "a method that is an array": '{"jsonrpc":"2.0","id":1,"method":["ping"]}',
    "methods, two of them": '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}',
    "a method of 60000 letters": '{"jsonrpc":"2.0","id":1,"method":"' + "a" * 60_000 + '"}',
    "not a number": PING.replace("1,", "NaN,"),
    "a comment": "/* */" + PING,
    "single quotes": PING.replace('"', "'"),
    "two messages": PING + PING,
    "a bracket too many": PING + "}",
    "a text without an end": '{"jsonrpc":"2.0","id":1,"method":"ping',
    "60000 blanks": " " * 60_000,
    "60000 backslashes": '{"jsonrpc":"2.0","id":1,"method":"' + "\\" * 60_000,
    "a batch of 1200": "[" + ",".join([PING] * 1200) + "]",
    "a batch of nothing": "[]",
    "a batch of numbers": "[" + "1," * 20_000 + "1]",
    "a batch of batches": "[[" + PING + "]]",
    "4000 keys": json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {f"k{i}": i for i in range(4000)}}),
    "one key 5000 times": '{"jsonrpc":"2.0","id":1,"method":"ping","params":{' + '"a":1,' * 5000 + '"a":1}}',
    "a cancellation of everything": '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"*"}}',
    "an answer that nobody asked for": '{"jsonrpc":"2.0","id":99,"result":{}}',
}


def statuses(text):
    """Of the answers in what a connection has brought, which must be nothing but answers."""
    found = []
    while text:
        head, _, rest = text.partition(b"\r\n\r\n")
        match = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
        assert match, text[:200]
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if re.search(rb"(?i)\r\ntransfer-encoding: chunked", head):
            rest = rest.partition(b"0\r\n\r\n")[2]
        found.append(int(match[1]))
        text = rest[int(length[1]) if length else 0:]
    return found


def exchange(fleet, data, address="127.0.0.1"):
    """All that comes back until the daemon closes."""
    received = b""
    with socket.create_connection(("127.0.0.1", fleet.port), 15 * fleets.SLOWNESS, (address, 0)) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while more := connection.recv(262144):
                received += more
    return received


@pytest.fixture
def hostile(start_fleet):
    fleet = start_fleet(settings={"limits": LIMITS})
    fleet.door = Door(fleet.port, timeout=15 * fleets.SLOWNESS)
    fleet.door.id = fleet.door.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}},
    ).header("Mcp-Session-Id")
    fleet.door.version = "2025-03-26"
    yield fleet
    fleet.door.ask("DELETE")


def check_whole(fleet):
    """It answers as before, holds no descriptor more, and complains of nothing."""
    answer = fleet.door.post(PING)
    assert (answer.status, answer.json()["result"]) == (200, {})
    fleets.wait_until(lambda: fleets.count_fds(fleet.pid) <= fleet.base_fds, 3, "connections have ended")
    assert not re.search(r"^\S+ \S+ (error|critical|alert|emergency): ", fleet.log(), re.MULTILINE)


def run_table(fleet, table):
    failures = []
    for name, (data, allowed) in table.items():
        data = data if isinstance(data, bytes) else data.encode("latin-1")
        try:
            found = statuses(exchange(fleet, data + BEHIND if allowed else data))
            if found and found[0] in WELL_FORMED:
                assert found.pop() == 404, "the request behind it was lost"
            assert len(found) == 1 and found[0] in allowed if allowed else found == [], f"{found}, not one of {allowed}"
            check_whole(fleet)
        except AssertionError as error:
            failures.append(f"{name}: {error}")
    assert not failures, "\n".join(failures)


def test_framing(hostile):
    run_table(hostile, FRAMING)


def test_request_lines(hostile):
    run_table(hostile, LINES)


def test_headers(hostile):
    # These heads are whole, and refused for what they say: a refusal by what they say lets the connection go on.
    failures = []
    for name, (data, allowed) in HEADERS.items():
        found = statuses(exchange(hostile, data))
        if len(found) != 1 or found[0] not in allowed:
            failures.append(f"{name}: {found}, not one of {allowed}")
        check_whole(hostile)
    assert not failures, "\n".join(failures)


def test_bodies(hostile):
    failures = []
    for name, body in BODIES.items():
        body = body if isinstance(body, bytes) else body.encode()
        session = f"Mcp-Session-Id: {hostile.door.id}\r\nContent-Length: {len(body)}\r\n"
        found = statuses(exchange(hostile, post(session, "").encode() + body))
        if len(found) != 1 or found[0] not in {200, 202, 400, 413}:
            failures.append(f"{name}: {found}")
        check_whole(hostile)
    assert not failures, "\n".join(failures)


def test_there_are_a_hundred():
    assert sum(map(len, (FRAMING, LINES, HEADERS, BODIES))) >= 100


# --- what connections do --------------------------------------------------------------------------


def abort(connection):
    """Ends it with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_pipelining_flood(hostile):
    found = statuses(exchange(hostile, get() * 3000))
    assert found == [200] * 3000
    body = post(f"Mcp-Session-Id: {hostile.door.id}\r\nContent-Length: {len(PING)}\r\n", PING)
    assert statuses(exchange(hostile, body * 500)) == [200] * 500
    check_whole(hostile)


@pytest.mark.parametrize("sent", [
    "", "GET /hea", get()[:-2], post("Content-Length: 5000\r\n", "abc"), chunked("5\r\nab"),
    post("Expect: 100-continue\r\nContent-Length: 5000\r\n", ""), get() * 100,
    get("Accept: text/event-stream\r\n", "/sse")])
@pytest.mark.parametrize("how", ["reset", "closed", "half closed"])
def test_clients_that_leave(hostile, sent, how):
    for _ in range(30):
        connection = socket.create_connection(("127.0.0.1", hostile.port), 10)
        connection.sendall(sent.encode())
        if how == "reset":
            abort(connection)
        elif how == "half closed":
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        connection.close()
    check_whole(hostile)
    fleets.wait_until(lambda: hostile.status()["sessions"] == 1, 3, "their sessions have ended")


# --- floods from one address ----------------------------------------------------------------------

FLOODS = {
    "slow heads": """
        held = []
        for i in range(1000):
            held.append(connect())
            held[-1].sendall(b"GET /mcp HTTP/1.1\\r\\nHost: localh")
        say()
        while True:
            for i, each in enumerate(held):
                try:
                    each.send(b"x")
                except OSError:
                    held[i] = connect()
                if i % 10 == 0:
                    time.sleep(0.01)
    """,
    "bodies that do not come": """
        held = []
        while True:
            held.append(connect())
            held[-1].sendall(b"POST /mcp HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Type: application/json\\r\\n"
                             b"Accept: application/json, text/event-stream\\r\\nContent-Length: 5000\\r\\n\\r\\n{")
            if len(held) == 1000:
                say()
            if len(held) > 1000:
                held.pop(0).close()
                time.sleep(0.002)
    """,
    "connections, as fast as they come": """
        say()
        while True:
            connect().close()
    """,
}

FLOODER = """
import resource, socket, sys, time

port = int(sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

def connect():
    while True:
        try:
            new = socket.socket()
            new.settimeout(5)
            new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            new.bind(("127.0.0.2", 0))
            new.connect(("127.0.0.1", port))
            return new
        except OSError:
            new.close()
            time.sleep(0.01)

def say():
    print("at work", flush=True)
"""


def latencies(fleet, seconds):
    """Of calls of one client: half of them over connections of their own. Every one has to succeed."""
    found = []
    end = time.monotonic() + seconds
    with fleet.door.connect() as kept:
        while time.monotonic() < end:
            for connection in (kept, None):
                began = time.monotonic()
                answer = fleet.door.post(PING, connection=connection)
                found.append(time.monotonic() - began)
                assert (answer.status, answer.json()["result"]) == (200, {})
    return found


def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_from_one_address(hostile, flood):
    """Who comes from elsewhere does not notice: twice the calm latency, or what is noise on a busy machine."""
    calm = p99(latencies(hostile, 2))
    flooder = fleets.spawn([sys.executable, "-c", FLOODER + textwrap.dedent(FLOODS[flood]), str(hostile.port)],
                           stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]})
    try:
        assert flooder.stdout.readline() == b"at work\n"
        during = latencies(hostile, 4)
        assert flooder.poll() is None
    finally:
        flooder.kill()
        flooder.wait()
        flooder.stdout.close()
    print(f"p99 calm {calm * 1000:.2f} ms, in the flood {p99(during) * 1000:.2f} ms")
    assert p99(during) <= max(2 * calm, 0.1 * fleets.SLOWNESS), (calm, p99(during), max(during))
    check_whole(hostile)
