"""mcp-fleetctl doctor: each thing that is broken on purpose is found, with what to do, and nothing else is."""

import contextlib
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

import pytest

import certs
import ctl
import fleet as fleets

pytestmark = pytest.mark.sanitizers
BY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
NOBODY = 65534
# What depends on the machine and not on the fleet.
OF_THE_MACHINE = {"landlock", "seccomp", "clock", "sandbox", "open_files"}


class Told:
    def __init__(self, result):
        self.result = result
        self.code = result.code
        self.all = result.json()["findings"]
        counted = {kind: sum(each["result"] == kind for each in self.all) for kind in ("ok", "warn", "fail", "skip")}
        for name, kind in (("ok", "ok"), ("warnings", "warn"), ("failures", "fail"), ("skipped", "skip")):
            assert result.json()[name] == counted[kind]
        assert self.code == (1 if counted["fail"] else 0)
        for each in self.all:
            assert sorted(each) == ["check", "remedy", "result", "subject", "text"]
            assert each["result"] in ("ok", "skip") or each["remedy"], f"nothing to do about {each}"

    def find(self, check, subject=None):
        found = [each for each in self.all if each["check"] == check and subject in (None, each["subject"])]
        assert found, f"no {check} {subject} among {json.dumps(self.all, indent=1)}"
        return found[0]

    def bad(self):
        """The names of what is not right, but for what this machine is not."""
        return [each["check"] for each in self.all
                if each["result"] in ("fail", "warn") and each["check"] not in OF_THE_MACHINE]


def doctor(socket_path, *options, env=None):
    return Told(ctl.run("doctor", "--json", *options, socket=socket_path, env=env))


def test_all_is_well(utils):
    told = doctor(utils.control_socket)
    assert told.code == 0
    assert told.bad() == []
    assert told.find("daemon")["text"] == f"mcp-fleetd (process {utils.pid}) answers at {utils.control_socket}"
    assert told.find("domain", "utils")["text"].startswith("up, ")
    assert told.find("settings")["subject"] == str(utils.settings_path)
    assert told.find("listener", f"127.0.0.1:{utils.port}")["text"] == "/health answers 200"
    assert "mode 0660" in told.find("control_socket")["text"]
    assert told.find("gateway")["result"] == "skip"
    assert {"landlock", "seccomp", "clock", "open_files", "state_dir"} <= {each["check"] for each in told.all}


def test_on_a_terminal_and_in_a_pipe(utils):
    plain = ctl.run("doctor", socket=utils.control_socket)
    assert plain.code == 0 and "\x1b" not in plain.out
    assert "✓ ready: the fleet is ready\n" in plain.out
    assert plain.lines()[-1].endswith("not looked at")
    coloured = ctl.run_pty("doctor", socket=utils.control_socket)
    assert coloured.code == 0 and "\x1b[32m✓ ready" in coloured.out
    assert "\x1b" not in ctl.run_pty("doctor", socket=utils.control_socket, env={"NO_COLOR": "1"}).out


def test_no_daemon(socket_path):
    told = doctor(socket_path)
    assert told.find("daemon")["result"] == "fail"
    assert "systemctl start" in told.find("daemon")["remedy"]
    assert told.find("settings")["result"] == "ok"
    assert not [each for each in told.all if each["check"] in ("version", "ready", "domain")]


def test_daemon_hangs(socket_path):
    with ctl.FakeDaemon(socket_path, listen=False) as daemon:
        daemon.listener.listen(16)
        told = doctor(socket_path, "--timeout", "0.3")
    assert "does not answer" in told.find("daemon")["text"]


def fake_status(**over):
    return {"version": "0", "pid": os.getpid(), "ready": True, "reasons": [], "transport": "stdio", "listeners": [],
            "local_socket": None, "control_socket": None, "settings": None, "state_dir": None,
            "sandbox": "Landlock ABI 7, seccomp, a cgroup for each worker (bounds: memory)", "domains": [],
            "gateway": None, **over}


def test_another_version(socket_path):
    with ctl.FakeDaemon(socket_path, {"status": fake_status()}):
        told = doctor(socket_path)
    assert told.find("version")["result"] == "warn"
    assert "the daemon is 9.9.9" in told.find("version")["text"]
    assert told.find("state_dir")["result"] == "warn"


def test_what_is_not_ready(start_fleet):
    fleet = start_fleet({"utils": {}, "lost": {"command": ["/nonexistent/program"]},
                         "maybe": {"command": ["no-such-program-anywhere"], "required": False}}, wait=False)
    fleet.wait_listening()
    fleets.wait_until(lambda: fleet.domain("lost")["state"] == "parked", what="it is given up")
    fleets.wait_until(lambda: fleet.domain("utils")["state"] == "up", what="the other one is up")
    told = doctor(fleet.control_socket)
    assert told.code == 1
    assert told.find("ready")["result"] == "fail" and "lost" in told.find("ready")["text"]
    assert told.find("domain", "lost")["result"] == "fail"
    assert "/nonexistent/program" in told.find("domain", "lost")["text"]
    assert told.find("domain", "maybe")["result"] == "warn"
    assert told.find("domain", "utils")["result"] == "ok"
    assert told.find("program", "lost")["text"] == "'/nonexistent/program' is not there"
    assert "in no folder of" in told.find("program", "maybe")["text"]
    assert "install it" in told.find("program", "maybe")["remedy"]


def test_program_that_cannot_be_executed(start_fleet, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    fleet = start_fleet({"utils": {}, "ext": {"command": [str(program)], "required": False}})
    told = doctor(fleet.control_socket)
    assert told.find("program", "ext")["result"] == "fail"
    assert "chmod" in told.find("program", "ext")["remedy"]


def test_disabled_domain(start_fleet):
    fleet = start_fleet({"utils": {}, "fake": fleets.fake_domain("fake", required=False)})
    ctl.run("disable", "fake", socket=fleet.control_socket)
    told = doctor(fleet.control_socket)
    assert (told.find("domain", "fake")["result"], told.find("domain", "fake")["text"]) == ("warn", "it is disabled")
    assert "mcp-fleetctl enable" in told.find("domain", "fake")["remedy"]


def test_settings_broken_while_it_runs(utils):
    utils.settings_path.write_text("domains: {utils: {}}\nlimits: {sesions: 5}\n")
    told = doctor(utils.control_socket)
    assert told.bad() == ["settings"]
    assert f"{utils.settings_path}:2:10: limits.sesions" in told.find("settings")["text"]
    assert "reload" in told.find("settings")["remedy"]


@BY_ROOT
def test_settings_that_are_closed_to_the_operator(socket_path, tmp_path):
    """What we may not read is not wrong."""
    settings = tmp_path / "fleet.yaml"
    settings.write_text("domains: {utils: {}}\n")
    settings.chmod(0o600)
    with ctl.FakeDaemon(socket_path, {"status": fake_status(settings=str(settings))}), \
            ctl.open_to_all("mcp-fleetctl", "mcp-fleetd") as folder:
        os.chmod(socket_path.parent, 0o755)
        os.chmod(socket_path, 0o666)
        done = fleets.run([f"{folder}/mcp-fleetctl", "doctor", "--json"], user=NOBODY, group=NOBODY, extra_groups=[],
                          cwd="/", env=ctl.environment(socket_path))
    told = Told(ctl.Result(done.returncode, done.stdout.decode(), done.stderr.decode()))
    assert told.find("settings")["result"] == "skip"
    assert "Permission denied" in told.find("settings")["text"] and "as root" in told.find("settings")["remedy"]


def test_root_that_is_gone(start_fleet, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    fleet = start_fleet({"filesystem": {"roots": [str(root)]}})
    assert doctor(fleet.control_socket).find("root", str(root))["result"] == "ok"
    root.rmdir()
    told = doctor(fleet.control_socket)
    assert told.bad() == ["settings"]
    assert str(root) in told.find("settings")["text"] and "No such file" in told.find("settings")["text"]


def test_listener_that_does_not_answer(socket_path):
    port = fleets.free_port()
    with ctl.FakeDaemon(socket_path, {"status": fake_status(transport="sse", listeners=[f"127.0.0.1:{port}"])}):
        told = doctor(socket_path)
        assert "the port is free" in told.find("listener")["text"]
    with http_server(lambda path: (404, b"")) as url, ctl.FakeDaemon(
            socket_path, {"status": fake_status(transport="sse", listeners=[url.removeprefix("http://")])}):
        assert "/health answers 404" in doctor(socket_path).find("listener")["text"]


# --- certificates ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certs.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def trusting(authority):
    """A system that has this one authority."""
    return {"SSL_CERT_FILE": authority.path, "SSL_CERT_DIR": "/nonexistent"}


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """A system that has another one."""
    other = certs.Authority(tmp_path_factory.mktemp("stranger"), "Somebody else")
    return {"SSL_CERT_FILE": other.path, "SSL_CERT_DIR": "/nonexistent"}


def tls_doctor(socket_path, tmp_path, certificate, env, gateway=None):
    """Of a listener that shows this certificate, and settings with this gateway."""
    settings = tmp_path / "fleet.yaml"
    settings.write_text(json.dumps({"domains": {"utils": {}}, **({"gateway": gateway} if gateway else {})}))
    with http_server(lambda path: (200, b"{}"), (certificate, certificate)) as url, ctl.FakeDaemon(
            socket_path, {"status": fake_status(transport="sse", listeners=[url], settings=str(settings))}):
        told = doctor(socket_path, env=env)
    assert told.find("listener", url)["text"] == "/health answers 200"
    return told, [each for each in told.all if each["check"] == "certificate"]


def test_certificate_that_is_fine(socket_path, tmp_path, authority, trusting, stranger):
    certificate = authority.write_server(tmp_path / "server.pem", days=(-1, 20.5))
    told, found = tls_doctor(socket_path, tmp_path, certificate, trusting)
    assert [each["result"] for each in found] == ["ok"]
    assert found[0]["text"] == "for localhost, 127.0.0.1, with 20 days left, over TLSv1.3"
    # The fleet's own authority is known to be one where the gateway is told of it.
    gateway = {"url": "https://gateway.example", "public_url": "https://localhost:8443", "peer_ca_file": authority.path}
    told, found = tls_doctor(socket_path, tmp_path, certificate, stranger, gateway)
    assert [each["result"] for each in found] == ["ok"]


def test_certificate_of_an_authority_of_ones_own(socket_path, tmp_path, authority, stranger):
    """No failure, but something to know."""
    told, found = tls_doctor(socket_path, tmp_path, authority.write_server(tmp_path / "server.pem"), stranger)
    assert [each["result"] for each in found] == ["warn"]
    assert found[0]["text"] == ("clients that know the system's authorities alone refuse it: "
                                "unable to get local issuer certificate")
    assert "NODE_EXTRA_CA_CERTS" in found[0]["remedy"] and "tls.cert_file" in found[0]["remedy"]


@pytest.mark.parametrize("days,result,text,remedy", [
    ((-9, 14.1), "ok", "with 14 days left", None),
    ((-9, 13.9), "warn", "it ends in 13 days", "renew the file of tls.cert_file, then mcp-fleetctl reload"),
    ((-9, -1), "fail", "it has ended, and clients refuse it", "renew the file of tls.cert_file, then mcp-fleetctl reload"),
    ((1, 20), "fail", "it is not valid yet, and clients refuse it", "look at the clock of this machine, or wait"),
], ids=["fine", "soon", "over", "not yet"])
def test_time_of_a_certificate(socket_path, tmp_path, authority, trusting, days, result, text, remedy):
    told, found = tls_doctor(socket_path, tmp_path, authority.write_server(tmp_path / "server.pem", days=days), trusting)
    assert [each["result"] for each in found] == [result]
    assert text in found[0]["text"]
    assert found[0]["remedy"] == remedy
    assert told.code == (1 if result == "fail" else 0)


def test_name_of_a_certificate(socket_path, tmp_path, authority, trusting):
    certificate = authority.write_server(tmp_path / "server.pem")
    for url, result in (("https://localhost:8443/x", "ok"), ("https://127.0.0.1", "ok"), ("http://other.example", "ok"),
                        ("https://fleet.example", "warn"), ("https://127.0.0.2:1", "warn")):
        gateway = {"url": "https://gateway.example", "public_url": url}
        told, found = tls_doctor(socket_path, tmp_path, certificate, trusting, gateway)
        assert [each["result"] for each in found] == [result], url
    assert found[0]["text"] == "it is not for 127.0.0.2, the host of gateway.public_url, but for localhost, 127.0.0.1"


def test_listener_that_speaks_no_tls(socket_path, stranger):
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b""):
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()

            def serve(server=server, answer=answer):
                with contextlib.suppress(OSError):
                    while True:
                        peer, _ = server.accept()
                        with peer:
                            peer.sendall(answer)
            serving = threading.Thread(target=serve, daemon=True)
            serving.start()
            url = f"https://127.0.0.1:{server.getsockname()[1]}"
            with ctl.FakeDaemon(socket_path, {"status": fake_status(transport="sse", listeners=[url])}):
                told = doctor(socket_path, env=stranger)
            server.shutdown(socket.SHUT_RDWR)
            serving.join(10)
        assert told.find("certificate", url)["result"] == "fail"
        assert told.find("certificate", url)["text"].startswith("no handshake of TLS with it: ")
    url = f"https://[::1]:{fleets.free_port()}"
    with ctl.FakeDaemon(socket_path, {"status": fake_status(transport="sse", listeners=[url])}):
        assert "cannot connect: " in doctor(socket_path, env=stranger).find("certificate", url)["text"]


@pytest.mark.parametrize("wants", ["optional", "required"])
def test_tls_of_a_fleet(start_fleet, tmp_path, authority, trusting, wants):
    """With a listener of admin.listen, and hosts that are served."""
    port, admin = fleets.free_port(), fleets.free_port()
    certificate = authority.write_server(tmp_path / "server.pem", days=(-1, 20.5))
    fleet = start_fleet({"utils": {}}, {
        "listen": [{"address": f"https://0.0.0.0:{port}"}, {"address": f"127.0.0.1:{fleets.free_port()}"}],
        "auth": "none", "http": {"allowed_hosts": ["fleet.example.org"]}, "admin": {"listen": f"127.0.0.1:{admin}"},
        "tls": {"cert_file": certificate, "client_ca_file": authority.path, "client_certs": wants,
                "min_version": "1.2" if wants == "optional" else "1.3"}}, wait=False)
    fleets.wait_until(lambda: ctl.run("status", socket=fleet.control_socket).code == 0, 20, "it is ready")
    told = doctor(fleet.control_socket, env=trusting)
    assert told.find("certificate", f"https://0.0.0.0:{port}")["result"] == "ok"
    listener = told.find("listener", f"https://0.0.0.0:{port}")
    assert listener["text"] == ("/health answers 200" if wants == "optional" else
                                "a client has to show a certificate (tls.client_certs), and we have none")
    assert told.find("admin", f"127.0.0.1:{admin}")["text"] == "/health answers 200"
    status = ctl.run("status", socket=fleet.control_socket)
    assert ", 20 days left\n" in status.out and "certificate     " in status.out


def test_admin_listener_that_does_not_answer(socket_path):
    port = fleets.free_port()
    with ctl.FakeDaemon(socket_path, {"status": fake_status(admin=f"127.0.0.1:{port}")}):
        assert "the port is free" in doctor(socket_path).find("admin")["text"]
    with ctl.FakeDaemon(socket_path, {"status": fake_status(admin=None)}):
        assert not [each for each in doctor(socket_path).all if each["check"] == "admin"]


@contextlib.contextmanager
def installation(settings):
    """The two programs in a folder, as if these settings were the default ones."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "mcp-fleetctl")
        shutil.copy(fleets.build_dir() / "mcp-fleetctl", program)
        path = os.path.join(folder, "fleet.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(settings, file)
        with open(os.path.join(folder, "mcp-fleetd"), "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec {fleets.build_dir()}/mcp-fleetd "$@" --config={path}\n')
        os.chmod(file.name, 0o755)
        yield program


def run_installed(program, nowhere):
    done = fleets.run([program, "doctor", "--json"], env=ctl.environment(nowhere))
    return Told(ctl.Result(done.returncode, done.stdout.decode(), done.stderr.decode()))


def test_port_taken_while_no_daemon_runs(socket_path):
    free = fleets.free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = {"listen": [{"address": f"127.0.0.1:{port}"}, {"address": f"127.0.0.1:{free}"}],
                    "domains": {"utils": {}}}
        with installation(settings) as program:
            told = run_installed(program, socket_path)
    assert told.find("listener", f"127.0.0.1:{port}")["text"].startswith(f"the port is taken by process {os.getpid()} (")
    assert told.find("listener", f"127.0.0.1:{free}")["text"] == "the port is free"


@BY_ROOT
def test_state_dir_that_cannot_be_written(tmp_path):
    """The daemon of another user: what that user may is asked of the kernel."""
    for parent in [tmp_path, *tmp_path.parents[:3]]:
        parent.chmod(0o755)
    state = tmp_path / "theirs"
    state.mkdir(mode=0o755)
    with tempfile.TemporaryDirectory() as runtime:
        os.chown(runtime, NOBODY, NOBODY)
        path = os.path.join(runtime, "c.sock")
        process = fleets.spawn(["/bin/sleep", "600"], user=NOBODY, group=NOBODY, extra_groups=[])
        try:
            hello = {"pid": process.pid}
            with ctl.FakeDaemon(path, {"status": fake_status(state_dir=str(state))}, hello=hello):
                told = doctor(path)
                assert told.find("state_dir")["result"] == "fail"
                assert f"user {NOBODY} may not read and write it: Permission denied" == told.find("state_dir")["text"]
                os.chown(state, NOBODY, NOBODY)
                assert doctor(path).find("state_dir")["result"] == "ok"
                state.rmdir()
                assert "No such file" in doctor(path).find("state_dir")["text"]
        finally:
            process.kill()
            process.wait()


def test_sockets(socket_path, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    with ctl.FakeDaemon(socket_path, {"status": fake_status(control_socket=str(socket_path), local_socket=str(plain))}):
        os.chmod(socket_path, 0o666)
        told = doctor(socket_path)
        assert "open to everybody" in told.find("control_socket")["text"]
        assert told.find("local_socket")["text"] == "it is not a socket"
        os.chmod(socket_path, 0o660)
        plain.unlink()
        told = doctor(socket_path)
        assert told.find("control_socket")["result"] == "ok"
        assert "was removed" in told.find("local_socket")["remedy"]


# --- the gateway ----------------------------------------------------------------------------------


@contextlib.contextmanager
def http_server(answer, certificate=None):
    """A server for GET: answer(path) is (status, body). `certificate`: the files of one and of its key."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answer(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def report(url, domain_url, state="connected", days_left=30, drift=(), error=None, remedy=None, domain_state="registered"):
    return {"gateway": {"url": url, "state": state, "error": error, "remedy": remedy,
                        "token": {"source": "file", "expires": "2027-01-01T00:00:00Z", "days_left": days_left}},
            "domains": [{"name": "git", "state": domain_state, "url": domain_url, "tools_found": 3, "tools_wanted": 3,
                         "error": error, "remedy": remedy}],
            "server": None, "drift": list(drift)}


def gateway_doctor(socket_path, what):
    with ctl.FakeDaemon(socket_path, {"status": fake_status(gateway=what), "gateway/check": what}):
        return doctor(socket_path)


@pytest.fixture
def healthy():
    with http_server(lambda path: (200, b"{}") if path == "/health" else (404, b"")) as url:
        yield url


ENDPOINT = b"event: endpoint\ndata: /git/messages?session_id=x\n\n"


def test_gateway_both_ways(socket_path, healthy):
    with http_server(lambda path: (200, ENDPOINT)) as fleet:
        told = gateway_doctor(socket_path, report(healthy, f"{fleet}/git/sse"))
    for check in ("gateway_reachable", "gateway", "token", "registration", "public_url"):
        assert told.find(check)["result"] == "ok", told.find(check)
    assert told.find("public_url")["text"] == "it sends the endpoint event"


def test_real_fleet_at_its_url(socket_path, healthy, fake):
    """As registered, over both transports."""
    for target in ("fake/sse", "fake/mcp"):
        told = gateway_doctor(socket_path, report(healthy, f"{fake.url}/{target}"))
        assert told.find("public_url")["result"] == "ok", told.find("public_url")
    told = gateway_doctor(socket_path, report(healthy, f"{fake.url}/nope/sse"))
    assert told.find("public_url")["result"] == "fail" and "404" in told.find("public_url")["text"]


def test_gateway_down(socket_path):
    nobody = f"http://127.0.0.1:{fleets.free_port()}"
    told = gateway_doctor(socket_path, report(nobody, f"{nobody}/git/sse", "unreachable", error="connection refused",
                                              remedy="see whether it runs", domain_state="unreachable"))
    for check in ("gateway_reachable", "gateway", "registration", "public_url"):
        assert told.find(check)["result"] == "fail"
    assert told.find("gateway")["remedy"] == "see whether it runs"
    assert "onnect" in told.find("gateway_reachable")["text"]


def test_a_gateway_without_a_key(socket_path, healthy):
    with http_server(lambda path: (401, b"{}")) as fleet:
        told = gateway_doctor(socket_path, report(healthy, f"{fleet}/git/sse"))
    assert told.find("public_url")["result"] == "fail"
    assert "gateway.key_file is not set" in told.find("public_url")["text"]
    assert "mcp-fleetctl key add" in told.find("public_url")["remedy"]


def test_gateway_that_refuses(socket_path, healthy):
    with http_server(lambda path: (200, b": nothing\n\n")) as fleet:
        told = gateway_doctor(socket_path, report(healthy, f"{fleet}/git/sse", "refused", -3, error="the token is refused",
                                                  remedy="make a new one"))
    assert told.find("gateway")["text"] == "refused: the token is refused"
    assert told.find("token")["result"] == "fail" and "ended on 2027" in told.find("token")["text"]
    assert "no endpoint event comes" in told.find("public_url")["text"]


def test_token_near_its_end_and_drift(socket_path, healthy):
    drift = [{"domain": "git", "what": "a tool is missing", "action": "refresh"}]
    with http_server(lambda path: (200, ENDPOINT)) as fleet:
        told = gateway_doctor(socket_path, report(healthy, f"{fleet}/git/sse", days_left=2, drift=drift))
    assert told.find("token")["result"] == "warn"
    assert (told.find("drift", "git")["result"], told.find("drift")["remedy"]) == ("warn", "refresh")


@pytest.mark.skipif(fleets.SLOWNESS > 1, reason="under sanitizers the system's certificates are read for 20 seconds")
def test_certificate_that_nobody_knows(socket_path, tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-keyout", str(key), "-out", str(cert), "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    settings = tmp_path / "fleet.yaml"
    with http_server(lambda path: (200, b""), (cert, key)) as url:
        for ca_file, verify, expected in (("", True, "fail"), (str(cert), True, "ok"), ("", False, "ok")):
            settings.write_text(json.dumps({"domains": {"utils": {}},
                                            "gateway": {"url": url, "ca_file": ca_file, "verify": verify}}))
            with ctl.FakeDaemon(socket_path, {"status": fake_status(settings=str(settings))}):
                told = doctor(socket_path)
            assert told.find("gateway_reachable")["result"] == expected, told.find("gateway_reachable")
    assert told.find("gateway_verify")["result"] == "warn"
