"""net_dns_lookup, net_tcp_check and net_tls_check against servers of this test on loopback."""

import datetime
import hashlib
import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from stdio_worker import StdioWorker

PROGRAM = pathlib.Path(os.environ.get("MCP_FLEET_BUILD", ".")).resolve() / "worker-network"
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "CAA": 257}
NXDOMAIN, REFUSED, SERVFAIL = 3, 5, 2


def name(text):
    labels = [label for label in text.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def addresses(*texts):
    return [("A", socket.inet_aton(text)) for text in texts]


RECORDS = {
    "www.test": addresses("127.0.0.1") + [
        ("AAAA", socket.inet_pton(socket.AF_INET6, "::1")),
        ("MX", struct.pack(">H", 10) + name("mail.test")),
        ("NS", name("ns.test")),
        ("TXT", b"\3one\4 two"),
        ("SOA", name("ns.test") + name("root.test") + struct.pack(">5I", 1, 2, 3, 4, 5)),
        ("CAA", b"\0\5issueca.test"),
    ],
    "_x._tcp.www.test": [("SRV", struct.pack(">3H", 1, 2, 443) + name("www.test"))],
    "alias.test": [("CNAME", name("www.test"))],
    "lines.test": [("TXT", b"\x0ca\nevil 1 A x")],
    "big.test": [("TXT", bytes([200]) + bytes([65 + i]) * 200) for i in range(20)],
    "1.2.0.192.in-addr.arpa": [("PTR", name("www.test"))],
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": [("PTR", name("six.test"))],
    "mixed.test": addresses("8.8.8.8", "127.0.0.1"),
    "private.test": addresses("10.1.2.3"),
    "nothing.test": [],
}
CODES = {"refused.test": REFUSED, "broken.test": SERVFAIL}


class NameServer:
    """Answers over UDP and TCP on one port. Silent for slow.test, malformed for bad.test."""

    def __init__(self):
        while True:
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            self.tcp = socket.socket()
            try:
                self.tcp.bind(("127.0.0.1", self.port))
                break
            except OSError:
                self.udp.close()
                self.tcp.close()
        self.tcp.listen()
        self.asked = []
        self.was_slow = threading.Event()
        self.threads = [threading.Thread(target=serve, daemon=True) for serve in (self.serve_udp, self.serve_tcp)]
        for thread in self.threads:
            thread.start()

    def close(self):
        """close(2) alone would leave the threads waiting, at descriptors that soon are another's."""
        self.udp.sendto(b"", ("127.0.0.1", self.port))
        self.tcp.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(10)
        for each in (self.udp, self.tcp):
            each.close()

    def answer(self, query, is_tcp):
        number, _flags, _n = struct.unpack(">HHH", query[:6])
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        host = ".".join(labels).lower()
        question = query[12:at + 5]
        wanted = struct.unpack(">H", query[at + 1:at + 3])[0]
        self.asked.append((host, is_tcp))
        if host == "slow.test":
            self.was_slow.set()
            return None
        code = CODES.get(host, 0 if host in RECORDS else NXDOMAIN)
        records = [(kind, data) for kind, data in RECORDS.get(host, ()) if TYPES[kind] == wanted]
        if not records and host == "alias.test":
            records = RECORDS[host] + [each for each in RECORDS["www.test"] if TYPES[each[0]] == wanted]
        cut = host == "big.test" and not is_tcp
        body = b""
        for kind, data in [] if cut else records:
            owner = name("www.test") if host == "alias.test" and kind != "CNAME" else b"\xc0\x0c"
            body += owner + struct.pack(">HHIH", TYPES[kind], 1, 300, len(data)) + data
        if host == "bad.test":
            code, records, body = 0, [None], b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 300, 3) + b"abc"
        flags = 0x8180 | code | (0x0200 if cut else 0)
        return struct.pack(">6H", number, flags, 1, 0 if cut else len(records), 0, 0) + question + body

    def serve_udp(self):
        while True:
            query, peer = self.udp.recvfrom(4096)
            if not query:
                return
            answer = self.answer(query, False)
            if answer:
                self.udp.sendto(answer, peer)

    def serve_tcp(self):
        while True:
            try:
                peer = self.tcp.accept()[0]
            except OSError:
                return
            with peer, peer.makefile("rwb") as stream:
                head = stream.read(2)
                while len(head) == 2:
                    answer = self.answer(stream.read(struct.unpack(">H", head)[0]), True)
                    if answer:
                        stream.write(struct.pack(">H", len(answer)) + answer)
                        stream.flush()
                    head = stream.read(2)


@pytest.fixture
def names():
    server = NameServer()
    yield server
    server.close()


@pytest.fixture
def start(names):
    started = []

    def start(env=None, **settings):
        settings.setdefault("dns_servers", [f"127.0.0.1:{names.port}"])
        started.append(StdioWorker(PROGRAM, settings=settings, env=env))
        return started[-1]

    yield start
    for worker in started:
        assert worker.close() == 0


def listen(backlog=8):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(backlog)
    return listener, listener.getsockname()[1]


def free_port():
    listener, port = listen()
    listener.close()
    return port


def is_cancelled_at_once(worker, tool, has_begun, **arguments):
    """Calls, cancels as soon as the call is at work, and waits for the next answer of the worker."""
    worker.last_id += 1
    number = worker.last_id
    worker.send({"jsonrpc": "2.0", "id": number, "method": "tools/call",
                 "params": {"name": tool, "arguments": arguments}})
    assert has_begun()
    begin = time.monotonic()
    worker.notify("notifications/cancelled", {"requestId": number})
    assert worker.request("ping")["result"] == {}
    assert number not in [message.get("id") for message in worker.notifications]
    return time.monotonic() - begin < 5


# Names

DATA = {
    "A": "127.0.0.1",
    "AAAA": "::1",
    "MX": "10 mail.test",
    "NS": "ns.test",
    "TXT": "one two",
    "SOA": "ns.test root.test 1 2 3 4 5",
    "CAA": '0 issue "ca.test"',
}


@pytest.mark.sanitizers
def test_record_types(start, names):
    worker = start()
    for kind, data in DATA.items():
        found, text = worker.call("net_dns_lookup", name="www.test", type=kind)
        assert found["answers"] == [{"name": "www.test", "type": kind, "ttl": 300, "data": data}]
        assert (found["rcode"], found["type"], found["name"]) == ("NOERROR", kind, "www.test")
        assert found["server"] == f"127.0.0.1:{names.port}"
        assert found["elapsed_ms"] >= 0 and not found["truncated"]
        shown = f'"{data}"' if kind == "TXT" else data
        assert text == f"www.test 300 {kind} {shown}\n"
    assert worker.data("net_dns_lookup", name="_x._tcp.www.test", type="SRV")["answers"][0]["data"] == "1 2 443 www.test"


def test_alias_is_followed_by_the_server(start):
    answers = start().data("net_dns_lookup", name="ALIAS.test.")["answers"]
    assert [(each["name"], each["type"], each["data"]) for each in answers] == [
        ("ALIAS.test" if answers[0]["name"][0] == "A" else "alias.test", "CNAME", "www.test"),
        ("www.test", "A", "127.0.0.1")]


def test_addresses_backwards(start):
    worker = start(allow=["192.0.2.0/24", "2001:db8::/32"])
    assert worker.data("net_dns_lookup", name="192.0.2.1", type="PTR")["answers"][0]["data"] == "www.test"
    assert worker.data("net_dns_lookup", name="2001:db8::1", type="PTR")["answers"][0]["data"] == "six.test"
    assert worker.error_code("net_dns_lookup", name="192.0.2.1") == "invalid_argument"


@pytest.mark.sanitizers
def test_codes_are_answers(start):
    worker = start()
    for host, code, text in (("gone.test", "NXDOMAIN", "NXDOMAIN"), ("nothing.test", "NOERROR", "No records"),
                             ("refused.test", "REFUSED", "REFUSED"), ("broken.test", "SERVFAIL", "SERVFAIL")):
        found, shown = worker.call("net_dns_lookup", name=host, timeout_seconds=30)
        assert (found["rcode"], found["answers"], shown) == (code, [], text)


def test_truncated_answers_come_by_tcp(start, names):
    found = start().data("net_dns_lookup", name="big.test", type="TXT")
    assert len(found["answers"]) == 20 and found["answers"][1]["data"] == "B" * 200
    assert ("big.test", False) in names.asked and ("big.test", True) in names.asked


def test_text_cannot_forge_a_line(start):
    found, text = start().call("net_dns_lookup", name="lines.test", type="TXT")
    assert found["answers"][0]["data"] == "a\nevil 1 A x"
    assert text.count("\n") == 1 and text.endswith('"a\\nevil 1 A x"\n')


@pytest.mark.sanitizers
def test_lookups_that_fail(start):
    worker = start()
    assert worker.error_code("net_dns_lookup", name="bad.test", timeout_seconds=30) == "dns_failed"
    assert worker.error_code("net_dns_lookup", name="slow.test", timeout_seconds=0.3) == "timeout"
    for wrong in ("a..b", "a b", "a/b", "-" * 300, "a\nb", "2130706433", "x" * 64 + ".test"):
        assert worker.error_code("net_dns_lookup", name=wrong) == "invalid_argument"
    assert worker.error_code("net_dns_lookup", name="www.test", type="ANY") == "invalid_argument"
    assert worker.error_code("net_dns_lookup", name="www.test", server="9.9.9.9") == "invalid_argument"


def test_no_server(start):
    worker = start(dns_servers=[f"127.0.0.1:{free_port()}"])
    assert worker.error_code("net_dns_lookup", name="www.test", timeout_seconds=30) == "dns_failed"


def test_names_that_are_not_asked_for(start, names):
    worker = start(deny=[".denied.test"])
    for host in ("localhost", "x.LOCALHOST", "www.denied.test"):
        assert worker.error_code("net_dns_lookup", name=host) == "address_refused"
    assert names.asked == []


@pytest.mark.sanitizers
@pytest.mark.parametrize("tool, arguments", [
    ("net_dns_lookup", {"name": "slow.test"}),
    ("net_tcp_check", {"host": "slow.test", "port": 80}),
    ("net_tls_check", {"host": "slow.test"}),
])
def test_cancelled_lookup(start, names, tool, arguments):
    assert is_cancelled_at_once(start(), tool, lambda: names.was_slow.wait(30), timeout_seconds=30, **arguments)


# Ports

@pytest.mark.sanitizers
def test_open_and_closed_ports(start):
    listener, port = listen()
    closed = free_port()
    with listener:
        worker = start(allow=["127.0.0.1"])
        for host in ("127.0.0.1", "www.test"):
            # ::1 of www.test is not allowed.
            if host == "www.test":
                assert worker.error_code("net_tcp_check", host=host, port=port) == "address_refused"
                continue
            found, text = worker.call("net_tcp_check", host=host, port=port)
            assert found["open"] and found["address"] == "127.0.0.1" and "error" not in found
            assert text.startswith(f"{host}:{port} is open (")
        found, text = worker.call("net_tcp_check", host="127.0.0.1", port=closed)
        assert not found["open"] and found["error"] == "connection refused"
        assert text == f"127.0.0.1:{closed} is closed (connection refused)"


def test_nothing_is_sent(start):
    listener, port = listen()
    with listener:
        assert start(allow=["127.0.0.1"]).data("net_tcp_check", host="127.0.0.1", port=port)["open"]
        with listener.accept()[0] as peer:
            assert peer.recv(1) == b""
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_the_second_address_is_tried(start):
    """Only one of a name's addresses has a listener."""
    listener, port = listen()
    with listener:
        found = start(allow=["127.0.0.1", "::1"]).data("net_tcp_check", host="www.test", port=port)
    assert found["open"] and found["address"] == "127.0.0.1"


def test_names_without_addresses_are_closed(start):
    worker = start()
    for host in ("gone.test", "nothing.test"):
        found, text = worker.call("net_tcp_check", host=host, port=80)
        assert not found["open"] and host in found["error"] and "address" not in found
        assert text.startswith(f"{host}:80 is closed (")
    found = worker.data("net_tcp_check", host="slow.test", port=80, timeout_seconds=0.3)
    assert not found["open"] and "in time" in found["error"]


REFUSED_HOSTS = ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "::1", "::",
                 "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "fe80::1", "fd00::1", "224.0.0.1",
                 "localhost", "x.localhost", "private.test", "mixed.test", "127.1", "0x7f000001", "2130706433"]


@pytest.mark.sanitizers
@pytest.mark.parametrize("tool", ["net_tcp_check", "net_tls_check"])
def test_refused_addresses(start, tool):
    listener, port = listen()
    with listener:
        worker = start()
        for host in REFUSED_HOSTS:
            assert worker.error_code(tool, host=host, port=port) == "address_refused", host
        for host in ("a b", "a..b", "user@host", "http://x"):
            assert worker.error_code(tool, host=host, port=port) == "invalid_argument", host
        for wrong in (0, 65536, -1):
            assert worker.error_code(tool, host="www.test", port=wrong) == "invalid_argument"
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_rule_with_a_port_allows_only_that(start):
    listener, port = listen()
    with listener:
        worker = start(allow=[f"127.0.0.1:{port}"])
        assert worker.data("net_tcp_check", host="127.0.0.1", port=port)["open"]
        assert worker.error_code("net_tcp_check", host="127.0.0.1", port=port ^ 1) == "address_refused"


@pytest.fixture
def full_port():
    """A port whose queue is full, so that it does not answer."""
    listener, port = listen(0)
    peers = []
    while True:
        peer = socket.socket()
        peers.append(peer)
        peer.settimeout(0.3)
        try:
            peer.connect(("127.0.0.1", port))
        except TimeoutError:
            break
    yield port
    for each in peers + [listener]:
        each.close()


def test_a_port_that_does_not_answer(start, full_port):
    found = start(allow=["127.0.0.1"]).data("net_tcp_check", host="127.0.0.1", port=full_port, timeout_seconds=0.3)
    assert not found["open"] and found["error"] == "no answer in time"


# TLS

CA_CONFIG = """[ca]
default_ca = test
[test]
database = {where}/index
serial = {where}/serial
new_certs_dir = {where}
default_md = sha256
policy = policy
copy_extensions = copy
unique_subject = no
[policy]
commonName = supplied
"""
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, where):
        self.where = where
        (where / "index").touch()
        (where / "serial").write_text("1000\n")
        (where / "ca.cnf").write_text(CA_CONFIG.format(where=where))
        self.openssl("req", "-x509", *KEY, "-days", "100", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem")
        self.bundle = where / "ca.pem"

    def openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.where, check=True, capture_output=True, timeout=60)

    def issue(self, label, names, begin_days, end_days):
        """The file of a certificate and its key."""
        dates = [(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days, hours=1)).strftime(
            "%Y%m%d%H%M%SZ") for days in (begin_days, end_days)]
        self.openssl("req", "-new", *KEY, "-subj", f"/CN={label}", "-addext", f"subjectAltName={names}",
                     "-keyout", f"{label}.key", "-out", f"{label}.csr")
        self.openssl("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-notext",
                     "-startdate", dates[0], "-enddate", dates[1], "-in", f"{label}.csr", "-out", f"{label}.crt")
        return self.join(label, f"{label}.key", f"{label}.crt", "ca.pem")

    def self_signed(self, label, names):
        self.openssl("req", "-x509", *KEY, "-days", "10", "-subj", f"/CN={label}", "-addext",
                     f"subjectAltName={names}", "-keyout", f"{label}.key", "-out", f"{label}.crt")
        return self.join(label, f"{label}.key", f"{label}.crt")

    def join(self, label, *files):
        path = self.where / f"{label}.pem"
        path.write_text("".join((self.where / file).read_text() for file in files))
        return path


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    return Authority(tmp_path_factory.mktemp("authority"))


class TlsServer:
    """Shakes hands with whoever comes, and keeps the names that were sent."""

    def __init__(self, certificate, newest=ssl.TLSVersion.TLSv1_3):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.maximum_version = newest
        context.sni_callback = lambda _socket, sent, _context: self.sent.append(sent)
        self.sent = []
        self.context = context
        self.listener, self.port = listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                peer = self.listener.accept()[0]
            except OSError:
                return
            try:
                with self.context.wrap_socket(peer, server_side=True) as stream:
                    stream.recv(1)
            except OSError:
                peer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.listener.close()


@pytest.fixture
def checker(start, authority):
    """A worker that trusts the test's authority and may use loopback."""
    return start(env={"SSL_CERT_FILE": str(authority.bundle)}, allow=["127.0.0.1", "www.test"])


@pytest.mark.sanitizers
def test_valid_certificate(checker, authority):
    certificate = authority.issue("good", "DNS:www.test,DNS:*.example.test,IP:127.0.0.1", -1, 30)
    with TlsServer(certificate) as server:
        found, text = checker.call("net_tls_check", host="127.0.0.1", port=server.port, server_name="WWW.test.")
        assert not found["truncated"]
        assert found["valid"] and "verify_error" not in found
        assert found["protocol"] == "TLSv1.3" and found["cipher"].startswith("TLS_")
        assert (found["subject"], found["issuer"]) == ("CN=good", "CN=Test CA")
        assert found["san"] == ["www.test", "*.example.test", "127.0.0.1"]
        assert found["days_remaining"] == 30 and found["chain_length"] == 2
        assert datetime.datetime.fromisoformat(found["not_after"].replace("Z", "+00:00")) > \
            datetime.datetime.now(datetime.timezone.utc)
        der = ssl.PEM_cert_to_DER_cert((authority.where / "good.crt").read_text())
        assert found["fingerprint_sha256"] == hashlib.sha256(der).hexdigest()
        assert text.startswith("valid\n") and "CN=good" in text
        assert checker.data("net_tls_check", host="127.0.0.1", port=server.port)["valid"]
        assert checker.data("net_tls_check", host="127.0.0.1", port=server.port, server_name="a.example.test")["valid"]
        assert server.sent == ["www.test", None, "a.example.test"]


def test_name_is_resolved_and_checked(checker, authority):
    certificate = authority.issue("named", "DNS:www.test", -1, 30)
    with TlsServer(certificate, ssl.TLSVersion.TLSv1_2) as server:
        found = checker.data("net_tls_check", host="www.test", port=server.port)
        assert found["valid"] and found["protocol"] == "TLSv1.2"


@pytest.mark.sanitizers
def test_invalid_certificates_are_answers(checker, authority):
    cases = [
        (authority.issue("expired", "DNS:www.test", -40, -10), "expired", -10),
        (authority.issue("future", "DNS:www.test", 5, 30), "not yet valid", 30),
        (authority.issue("wrong", "DNS:other.test", -1, 30), "mismatch", 30),
        (authority.self_signed("alone", "DNS:www.test"), "self", 10),
    ]
    for certificate, why, days in cases:
        with TlsServer(certificate) as server:
            found, text = checker.call("net_tls_check", host="127.0.0.1", port=server.port, server_name="www.test")
        assert not found["valid"] and why in found["verify_error"], found
        assert text.startswith(f"INVALID: {found['verify_error']}\n")
        # The test's clock may stand just before a full day.
        assert found["days_remaining"] in (days, days - 1), found


def test_unknown_authority(start, authority):
    certificate = authority.issue("unknown", "DNS:www.test", -1, 30)
    worker = start(env={"SSL_CERT_FILE": "/nonexistent", "SSL_CERT_DIR": "/nonexistent"}, allow=["127.0.0.1"])
    with TlsServer(certificate) as server:
        found = worker.data("net_tls_check", host="127.0.0.1", port=server.port, server_name="www.test")
    assert not found["valid"] and "self" in found["verify_error"]


def serve_once(listener, answer):
    """Reads something and answers with these bytes, then closes."""
    with listener.accept()[0] as peer:
        peer.recv(4096)
        peer.sendall(answer)


@pytest.mark.sanitizers
def test_no_tls(checker):
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\x15\x03\x03\0\2\2\x28", os.urandom(1000)):
        listener, port = listen()
        with listener:
            thread = threading.Thread(target=serve_once, args=(listener, answer))
            thread.start()
            assert checker.error_code("net_tls_check", host="127.0.0.1", port=port) == "tls_failed"
            thread.join()
    assert checker.error_code("net_tls_check", host="127.0.0.1", port=free_port()) == "connect_failed"
    assert checker.error_code("net_tls_check", host="gone.test") == "dns_failed"
    assert checker.error_code("net_tls_check", host="127.0.0.1", server_name="a b") == "invalid_argument"


def test_many_names(checker, authority):
    """A certificate may have any number of names: some are shown."""
    names = ",".join(f"DNS:h{i}.test" for i in range(300))
    with TlsServer(authority.issue("many", names, -1, 30)) as server:
        found, text = checker.call("net_tls_check", host="127.0.0.1", port=server.port, server_name="h299.test")
    assert found["valid"] and found["truncated"] and found["san"] == [f"h{i}.test" for i in range(200)]
    assert "(300 in all)" in text


@pytest.mark.sanitizers
def test_silent_server(checker):
    listener, port = listen()
    with listener:
        assert checker.error_code("net_tls_check", host="127.0.0.1", port=port, timeout_seconds=0.3) == "timeout"
        listener.accept()[0].close()

        def has_begun():
            listener.settimeout(30)
            peer = listener.accept()[0]
            peers.append(peer)
            return peer.recv(1) == b"\x16"

        peers = []
        assert is_cancelled_at_once(checker, "net_tls_check", has_begun, host="127.0.0.1", port=port,
                                    timeout_seconds=30)
        assert peers[0].recv(65536)  # the rest of what was sent, then the end
        peers[0].settimeout(30)
        while peers[0].recv(65536):
            pass
        peers[0].close()
