"""TLS at the door, by openssl, curl, Python's ssl and the official SDKs; its certificate is replaced under load."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import certs
import doorkeys
import fleet as fleets
import pytest
import sdk
import wire
from streamable import Door, Modern
from tlsdoor import connect, door

pytestmark = pytest.mark.sanitizers

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
MIB = 1024 * 1024


@pytest.fixture
def tls(start_tls):
    return start_tls()


def raw(fleet):
    """A connection that does not shake hands."""
    return wire.Connection(fleet.tls_port, timeout=15 * fleets.SLOWNESS)


def health(connection):
    connection.request("GET", "/health")
    return connection.read_response().status


def is_well(fleet):
    with connect(fleet) as connection:
        return health(connection) == 200


def s_client(fleet, *args, text=""):
    """What openssl s_client says, with `text` sent after the handshake."""
    ended = fleets.run(["openssl", "s_client", "-connect", f"127.0.0.1:{fleet.tls_port}", *args], input=text.encode())
    return ended.returncode, (ended.stdout + ended.stderr).decode(errors="replace")


def text_of(response):
    return response.json()["result"]["content"][0]["text"]


def echo(fleet, at, text, connection=None):
    """Calls utils over the session of `at`; the answer is the text's."""
    response = at.post(at.call("fake_echo", {"text": text}), connection=connection)
    assert response.status == 200, response
    assert json.loads(text_of(response))["text"] == text


# --- the handshake --------------------------------------------------------------------------------


OLD = "ALL:@SECLEVEL=0"


@pytest.mark.parametrize("min_version", ["1.2", "1.3"])
def test_versions(start_tls, min_version):
    fleet = start_tls({"min_version": min_version})
    allowed = ["1.2", "1.3"] if min_version == "1.2" else ["1.3"]
    for version in ("1.0", "1.1", "1.2", "1.3"):
        option = {"1.0": "-tls1"}.get(version, "-tls" + version.replace(".", "_"))
        code, said = s_client(fleet, option, "-cipher", OLD)
        if version in allowed:
            assert code == 0 and f"New, TLSv{version}, Cipher is " in said, said
        else:
            assert code != 0 and "alert protocol version" in said, said
    assert "no version of TLS that is allowed (tls.min_version)" in fleet.log()
    assert is_well(fleet)


@pytest.mark.parametrize(("cipher", "is_allowed"), [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-CHACHA20-POLY1305", True),
    ("ECDHE-ECDSA-AES128-SHA256", False), ("ECDHE-ECDSA-AES256-SHA", False), ("AES128-GCM-SHA256", False),
    ("AECDH-AES128-SHA", False), ("ECDHE-ECDSA-NULL-SHA", False)])
def test_ciphers_of_tls12(tls, cipher, is_allowed):
    code, said = s_client(tls, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    if is_allowed:
        assert code == 0 and f"Cipher is {cipher}" in said, said
    else:
        assert code != 0 and "handshake failure" in said, said


def test_alpn(tls, authority):
    for offered, chosen in ((["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"), ([], None)):
        context = authority.context()
        if offered:
            context.set_alpn_protocols(offered)
        with connect(tls, context) as connection:
            assert connection.socket.selected_alpn_protocol() == chosen
            assert health(connection) == 200
    code, said = s_client(tls, "-alpn", "h2")
    assert code != 0 and "alert no application protocol" in said, said
    assert "it does not offer http/1.1 (ALPN)" in tls.log()


def test_renegotiation_is_refused(tls):
    process = fleets.spawn(["openssl", "s_client", "-connect", f"127.0.0.1:{tls.tls_port}", "-tls1_2"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        process.stdin.write(b"R\n")
        process.stdin.flush()
        said = process.stdout.read()  # up to its end: it gives up
        assert process.wait(10 * fleets.SLOWNESS) != 0
    finally:
        process.kill()
        process.communicate()
    assert b"RENEGOTIATING" in said and b"no renegotiation" in said, said
    assert is_well(tls)


def test_plain_http_is_told_so(tls):
    for method in ("GET", "POST", "OPTIONS", "PUT"):
        with raw(tls) as connection:
            connection.request(method, "/mcp", {"Content-Type": "application/json"}, json.dumps(PING))
            response = connection.read_response(method)
            assert (response.status, response.header("Connection")) == (400, "close")
            assert "https://" in response.json()["error"]
            assert connection.is_closed()
    assert is_well(tls)


def test_half_handshakes_end_by_header_timeout(start_tls):
    fleet = start_tls(settings={"limits": {"header_timeout": "1s"}})
    hello = certs.client_hello()
    began = time.monotonic()
    waiting = [raw(fleet) for _ in range(4)]
    for connection, piece in zip(waiting, (b"", hello[:1], hello[:60], hello), strict=True):
        connection.send(piece)
    for connection in waiting:
        with contextlib.suppress(ConnectionResetError):
            while connection.fill(began + 10 * fleets.SLOWNESS):
                pass
        connection.close()
    assert time.monotonic() - began > 0.9
    # A peer that goes on sending its hello byte by byte gains nothing.
    with raw(fleet) as connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for i in range(len(hello)):
            connection.send(hello[i:i + 1])
            assert i < 100 * fleets.SLOWNESS
            if connection.is_closed(0.1):
                break


def test_idle_handshakes_beside_a_working_client(tls):
    hello = certs.client_hello()
    waiting = [raw(tls) for _ in range(200)]
    for i, connection in enumerate(waiting):
        connection.send(hello if i % 2 else hello[:i])
    at = door(tls)
    at.open()
    for i in range(20):
        echo(tls, at, f"call {i}")  # each by a handshake of its own
    for connection in waiting:
        connection.close()


GARBAGE = {
    "zeros": bytes(4000), "ones": b"\xff" * 4000, "text": b"hello, who is there?\r\n" * 100,
    "a large record": b"\x16\x03\x01\xff\xff" + bytes(70000),
    "an empty record": b"\x16\x03\x01\x00\x00" * 1000,
    "alerts": b"\x15\x03\x01\x00\x02\x01\x00" * 2000,
    "data before the handshake": b"\x17\x03\x03\x00\x05hello" * 50,
    "SSLv2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(35),
    "a hello of nothing": b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
    "a hello that lies": b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\x00" * 3,
    "a letter": b"G\x00\x16\x03\x01" + b"\x80" * 3000,
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage(tls, kind):
    with raw(tls) as connection, contextlib.suppress(ConnectionError):
        connection.send(GARBAGE[kind])
        connection.socket.shutdown(socket.SHUT_WR)
        while connection.fill(time.monotonic() + 10 * fleets.SLOWNESS):
            pass
    assert is_well(tls)


def test_garbage_within_a_connection(tls):
    """What is not TLS after the handshake ends this connection; the request before it is not lost."""
    with connect(tls) as connection:
        assert health(connection) == 200
        plain = socket.socket(fileno=os.dup(connection.socket.fileno()))
        with plain, contextlib.suppress(ConnectionError, ssl.SSLError):
            plain.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
            while connection.fill(time.monotonic() + 10 * fleets.SLOWNESS):
                pass
    assert is_well(tls)


def test_mutated_hellos(tls):
    hello = certs.client_hello()
    for i in range(0, len(hello), 7):
        with raw(tls) as connection, contextlib.suppress(ConnectionError):
            connection.send(hello[:i] + bytes([hello[i] ^ 0xff]) + hello[i + 1:])
            connection.socket.shutdown(socket.SHUT_WR)
            while connection.fill(time.monotonic() + 10 * fleets.SLOWNESS):
                pass
    assert is_well(tls)


# --- truncation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_request_that_is_cut_off_is_not_carried_out(tls, is_reset):
    at = door(tls)
    at.open()
    body = json.dumps(at.call("fake_echo", {"text": "cut"})).encode()
    connection = connect(tls)
    connection.send("\r\n".join(["POST /mcp HTTP/1.1", f"Host: {connection.host_header}", "Transfer-Encoding: chunked"]
                                + [f"{name}: {value}" for name, value in at.headers().items()]).encode() + b"\r\n\r\n")
    connection.send(b"%x\r\n%s\r\n" % (len(body), body))
    if is_reset:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()  # Python's ssl sends no close_notify here
    echo(tls, at, "after it")
    texts = [message["params"]["arguments"].get("text") for message in tls.messages() if message.get("method") == "tools/call"]
    assert texts == ["after it"]


def test_the_end_is_said(tls):
    """Answers that end with their connection end by close_notify: they cannot be cut off unseen."""
    with connect(tls) as connection:
        connection.request("GET", "/health", {"Connection": "close"})
        assert connection.read_response().status == 200
        assert connection.is_closed()  # an end without close_notify would raise
    with connect(tls) as connection:
        connection.send("GET /health HTTP/1.0\r\n\r\n")
        assert connection.read_response().status == 200
        assert connection.is_closed()


# --- HTTP over it ---------------------------------------------------------------------------------


def test_curl(tls, authority):
    curl = ["curl", "-sS", "--noproxy", "*", "--cacert", authority.path]
    url = f"https://localhost:{tls.tls_port}"
    ended = fleets.run([*curl, f"{url}/health", "-w", "%{http_code} %{http_version} %{ssl_verify_result}"])
    assert ended.stdout.endswith(b"200 1.1 0"), ended
    ended = fleets.run([*curl[:-2], f"{url}/health"])
    assert ended.returncode == 60, ended  # curl does not know the authority
    posted = fleets.run([*curl, f"{url}/mcp", "-H", "Content-Type: application/json", "-H",
                         "Accept: application/json, text/event-stream", "-d", json.dumps({
                             **PING, "method": "initialize", "params": {
                                 "protocolVersion": "2025-11-25", "capabilities": {},
                                 "clientInfo": {"name": "curl", "version": "1"}}})])
    assert json.loads(posted.stdout)["result"]["protocolVersion"] == "2025-11-25"


def test_keep_alive_and_pipelining(tls):
    with connect(tls) as connection:
        for _ in range(50):
            assert health(connection) == 200
        request = f"GET /%s HTTP/1.1\r\nHost: {connection.host_header}\r\n\r\n"
        connection.send("".join(request % path for path in ["health", "nothing", "ready"] * 20))
        statuses = [connection.read_response().status for _ in range(60)]
        assert statuses == [200, 404, 200] * 20


def test_bytes_one_by_one(tls):
    """Each in a record of its own."""
    with connect(tls) as connection:
        for byte in f"GET /health HTTP/1.1\r\nHost: {connection.host_header}\r\n\r\n":
            connection.send(byte)
        assert connection.read_response().status == 200


@pytest.mark.parametrize("size", [16 * 1024 - 200, 16 * 1024, 16 * 1024 + 1, 100_000, 3 * MIB])
def test_large_answers(tls, size):
    at = door(tls)
    at.open()
    assert text_of(at.post(at.call("fake_big", {"bytes": size}))) == "x" * size


def test_large_requests(tls):
    at = door(tls)
    at.open()
    for size in (16 * 1024, 100_000, MIB // 2):
        echo(tls, at, "y" * size)


def test_a_slow_reader_holds_nobody_up(tls):
    slow, quick = door(tls), door(tls)
    slow.open()
    quick.open()
    connection = connect(tls)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    slow.send("POST", slow.call("fake_big", {"bytes": 3 * MIB}), connection)
    for i in range(10):
        assert connection.socket.recv(1000)
        echo(tls, quick, f"call {i}")
    assert b"x" * 100 in connection.socket.recv(4000)
    while True:
        piece = connection.socket.recv(65536)
        if b"}" in piece[-3:]:
            break
    assert health(connection) == 200
    connection.close()


def test_sse_with_heartbeats(start_tls):
    fleet = start_tls(env={"SSE_HEARTBEAT_SECONDS": "0.2"})
    with wire.Session(fleet.tls_port, tls=fleet.context, timeout=15 * fleets.SLOWNESS) as session:
        session.initialize()
        for _ in range(3):
            assert session.stream.read_event().name == "ping"
        assert session.call("fake_echo", {"text": "x"})["result"]
        assert len(session.call("fake_big", {"bytes": MIB})["result"]["content"][0]["text"]) == MIB
        assert session.stream.read_event().name == "ping"


@pytest.mark.parametrize("kind", [Door, Modern])
def test_streamable_http(start_tls, kind):
    """An answer in one piece, which takes less than a second, and one as a stream with progress and comments in it."""
    fleet = start_tls(env={"SSE_HEARTBEAT_SECONDS": "1"})
    at = door(fleet, kind)
    if kind is Door:
        at.open()
    echo(fleet, at, "x")
    stream = at.stream("POST", at.call("fake_progress", {"steps": 3, "delay": 1.1}, progressToken="t"))
    messages = [event.json() for event in stream.rest() if event.data]
    assert [message["params"]["progress"] for message in messages[:-1]] == [1, 2, 3]
    assert messages[-1]["result"]["content"][0]["text"] == "done"
    stream.close()


@pytest.mark.parametrize(("major", "transport"), [(1, "http"), (1, "sse"), (2, "http")])
def test_python_sdk(tls, authority, envs, monkeypatch, major, transport):
    monkeypatch.setenv("SSL_CERT_FILE", authority.path)
    monkeypatch.setenv("NO_PROXY", "*")
    url = f"https://localhost:{tls.tls_port}/{'mcp' if transport == 'http' else 'sse'}"
    said = sdk.python_client(envs, major).run({transport: url}, "calls", calls=[
        {"tool": "fake_echo", "arguments": {"text": "by the SDK"}}, {"tool": "fake_big", "arguments": {"bytes": 100_000}}])
    first, second = (result["result"]["content"][0]["text"] for result in said["results"])
    assert json.loads(first)["text"] == "by the SDK"
    assert second == "x" * 100_000


# --- certificates of clients ----------------------------------------------------------------------


@pytest.fixture
def clients(tmp_path, authority):
    """The keys file, and by name the certificates of clients."""
    keys = doorkeys.Keys(tmp_path)
    keys.add("bearer").add("ci", certificates=["ci.example.org"]).save()
    other = certs.Authority(tmp_path, "Other authority")
    return keys, {
        "good": authority.write_client("ci.example.org"),
        "no key": authority.write_client("nobody.example.org"),
        "expired": authority.write_client("old.example.org", days=(-10, -1)),
        "foreign": other.write_client("foreign.example.org"),
        "server's": authority.write_server(tmp_path / "other-server.pem"),
    }


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_ticket_is_no_certificate(start_tls, authority, clients, tmp_path, version):
    """A session that is resumed is the same client's; after a reload with another authority there is no resuming."""
    _, shown = clients
    other = certs.Authority(tmp_path, "Third authority")
    fleet = start_tls({"client_ca_file": authority.path, "client_certs": "required"})
    context = authority.context(shown["good"])
    context.minimum_version = context.maximum_version = version

    def resume(session):
        """The status of a request, whether it was resumed, and the session's ticket; None: refused."""
        raw = socket.create_connection(("127.0.0.1", fleet.tls_port), 15 * fleets.SLOWNESS)
        try:
            with context.wrap_socket(raw, server_hostname="localhost", session=session) as talk:
                talk.sendall(b"HEAD /sse HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answer = talk.recv(1000)
                return (int(answer.split()[1]), talk.session_reused, talk.session) if answer else None
        except (ssl.SSLError, ConnectionError):
            return None

    first = resume(None)
    assert first[:2] == (200, False)
    again = resume(first[2])
    assert again[:2] == (200, True)
    fleet.settings["tls"]["client_ca_file"] = str(other.path)
    fleet.write_settings()
    fleet.signal(signal.SIGHUP)
    fleets.wait_until(lambda: resume(None) is None, 10, "the other authority holds")
    assert resume(again[2]) is None


# --- the certificate is replaced ------------------------------------------------------------------


class Caller(threading.Thread):
    """Calls without a pause: on one connection, or on a new one for each call; `serials` are those it has seen."""

    def __init__(self, fleet, keeps):
        super().__init__(daemon=True)
        self.fleet, self.keeps = fleet, keeps
        self.stopping, self.n, self.trouble, self.serials = threading.Event(), 0, None, set()

    def run(self):
        try:
            self.call_until_stopped()
        except Exception as error:  # noqa: BLE001 (whatever it is, the test shows it)
            self.trouble = error

    def call_until_stopped(self):
        at = door(self.fleet)
        at.open()
        connection = connect(self.fleet)
        while not self.stopping.is_set():
            echo(self.fleet, at, f"call {self.n}", connection)
            self.n += 1
            self.serials.add(certs.serial_of(connection))
            if not self.keeps:
                connection.close()
                connection = connect(self.fleet)
        connection.close()


def shown_serial(fleet):
    with connect(fleet) as connection:
        return certs.serial_of(connection)


def reload_with(fleet, serial):
    fleet.signal(signal.SIGHUP)
    fleets.wait_until(lambda: shown_serial(fleet) == serial, 5, f"new connections see {serial}")


def test_replaced_under_load(tls, authority):
    callers = [Caller(tls, keeps=i % 2 == 0) for i in range(6)]
    for caller in callers:
        caller.start()
    for serial in (1002, 1003, 1004):
        fleets.wait_until(lambda: all(caller.n > 3 or caller.trouble for caller in callers), 20, "all are calling")
        authority.write_server(tls.cert, serial=serial)
        reload_with(tls, serial)
        before = [caller.n for caller in callers]
        fleets.wait_until(lambda: all(caller.n > n + 3 or caller.trouble for caller, n in zip(callers, before, strict=True)),  # noqa: B023
                          20, "all go on")
    for caller in callers:
        caller.stopping.set()
    for caller in callers:
        caller.join(20 * fleets.SLOWNESS)
    assert [caller.trouble for caller in callers] == [None] * 6
    for caller in callers:
        assert caller.serials == {1001} if caller.keeps else {1002, 1003, 1004} <= caller.serials
    assert "serial 03EC" in tls.log()  # 1004


def test_a_stream_outlives_its_certificate(start_tls, authority):
    fleet = start_tls(env={"SSE_HEARTBEAT_SECONDS": "0.2"})
    with wire.Session(fleet.tls_port, tls=fleet.context, timeout=15 * fleets.SLOWNESS) as session:
        session.initialize()
        authority.write_server(fleet.cert, serial=1002)
        reload_with(fleet, 1002)
        assert session.stream.read_event().name == "ping"
        assert session.call("fake_echo", {"text": "x"})["result"]
        assert certs.serial_of(session.stream) == 1001


def broken(tmp_path, authority):
    """By what is wrong: what is written in the place of the certificate, the file's mode, and words of the refusal."""
    cert, key = authority.server()
    _, other_key = authority.server()
    return {
        "empty": (b"", 0o600, "no certificate in PEM form"),
        "garbage": (b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n" + key, 0o600, "no certificate in PEM form"),
        "cut off": (cert[:-100] + key, 0o600, "tls.cert_file"),
        "no key": (cert, 0o600, "no private key in PEM form"),
        "another's key": (cert + other_key, 0o600, "does not belong to the certificate"),
        "open to all": (cert + key, 0o644, "may be read or changed by others"),
    }


def test_a_broken_one_is_refused_and_the_old_one_stays(tls, authority, tmp_path):
    for kind, (data, mode, words) in broken(tmp_path, authority).items():
        tls.cert.unlink()
        tls.cert.touch(mode=0o600)
        tls.cert.write_bytes(data)
        tls.cert.chmod(mode)
        at = len(tls.log())
        tls.signal(signal.SIGHUP)
        fleets.wait_until(lambda: "reload refused, the old settings stay" in tls.log()[at:], 5, kind)  # noqa: B023
        assert words in tls.log()[at:], (kind, tls.log()[at:])
        assert shown_serial(tls) == 1001
    tls.cert.unlink()
    at = len(tls.log())
    tls.signal(signal.SIGHUP)
    fleets.wait_until(lambda: "reload refused" in tls.log()[at:], 5, "a file that is gone")
    authority.write_server(tls.cert, serial=1002)
    reload_with(tls, 1002)


def test_a_broken_one_is_no_start(start_tls, authority, tmp_path):
    fleet = start_tls()
    fleet.stop()
    for kind, (data, mode, words) in broken(tmp_path, authority).items():
        fleet.cert.write_bytes(data)
        fleet.cert.chmod(mode)
        for option in ((), ("--check-config",)):
            ended = fleets.run([*fleets.daemon_command(), "--config", str(fleet.settings_path), *option], env=fleet.environment())
            assert ended.returncode != 0, (kind, option)
            assert words in ended.stderr.decode(), (kind, option, ended.stderr)
    assert not pathlib.Path(fleet.runtime).exists()
