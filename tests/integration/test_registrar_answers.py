"""mcp-fleet-registrar and gateways that answer in other ways than the one that is installed: older ones,
asynchronous ones, limited ones, broken and hostile ones. Quick, so they run under sanitizers too."""

import socket
import subprocess
import time

import pytest

import fakegateway
import fleet as fleets
import registrar as registrars

pytestmark = [pytest.mark.sanitizers, pytest.mark.timeout(120)]

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
TOOLS = {name: [{"name": f"{name}_{i}", "description": f"Tool {i}", "inputSchema": SCHEMA} for i in range(3)]
         for name in ("alpha", "beta")}


@pytest.fixture
def make_gateway():
    made = []

    def make(**options):
        made.append(fakegateway.FakeGateway(TOOLS, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def start(tmp_path):
    started = []

    def make(gateway, tell=True, **settings):
        new = registrars.Registrar(tmp_path, gateway, TOOLS, url=gateway.url, public_url="http://127.0.0.1:1",
                                   **{"interval_ms": 500, **settings})
        started.append(new)
        if tell:
            new.tell_all()
        return new

    yield make
    for each in started:
        each.stop()


def wait_contact(registrar, state):
    return registrar.wait_state(lambda report: report["gateway"]["state"] == state, what=state)["gateway"]


def test_an_older_gateway_without_versions(make_gateway, start):
    gateway = make_gateway(prefix="")
    registrar = start(gateway)
    registrar.wait_registered()
    assert gateway.count("POST") == 2
    registrar.wait_round()
    assert gateway.count("POST", "PUT", "DELETE") == 2
    # It is upgraded, and the old paths go.
    gateway.prefix = "/v1"
    registrar.wait_round()
    assert registrar.report["gateway"]["state"] == "connected"
    assert gateway.count("POST", "PUT", "DELETE") == 2


def test_an_asynchronous_gateway(make_gateway, start, tmp_path):
    (tmp_path / "key").write_text("the-key-for-the-peers")
    gateway = make_gateway()
    gateway.pending = 3
    registrar = start(gateway, interval_ms=60000, peer_key_file=str(tmp_path / "key"))
    registrar.wait_state(lambda report: registrar.states(report) == dict.fromkeys(TOOLS, "registering"), what="registering")
    registrar.wait_registered()
    assert gateway.count("POST") == 2 and gateway.count("PUT", "DELETE") == 0


def test_the_key_and_the_ca_of_the_peers(make_gateway, start, tmp_path):
    key, ca = tmp_path / "key", tmp_path / "ca.pem"
    key.write_text("first-key-for-the-peers\n")
    ca.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    gateway = make_gateway()
    registrar = start(gateway, peer_key_file=str(key), peer_ca_file=str(ca))
    registrar.wait_registered()
    bodies = [request[3] for request in gateway.requests if request[0] == "POST"]
    assert {body["auth_token"] for body in bodies} == {"first-key-for-the-peers"}
    assert {body["auth_type"] for body in bodies} == {"bearer"}
    assert all("BEGIN CERTIFICATE" in body["ca_certificate"] for body in bodies)

    # It is sent once; what is changed later carries the mask, until the key changes.
    registrar.wait_round()
    assert gateway.count("PUT") == 0
    registrar.tell_domain("alpha", description="Another one")
    registrar.wait_state(lambda report: report["counters"]["updates"] == 1, what="an update")
    assert gateway.requests[-2][3]["auth_token"] == "*****"
    key.write_text("second-key-for-the-peers\n")
    registrar.wait_state(lambda report: report["counters"]["updates"] == 3, what="both have the new key")
    assert {request[3]["auth_token"] for request in gateway.requests if request[0] == "PUT"} == {
        "*****", "second-key-for-the-peers"}

    # Somebody's edit wiped the credentials.
    entry = next(iter(gateway.entries.values()))
    entry.update(authType=None, authToken=None)
    registrar.wait_state(lambda report: report["counters"]["updates"] == 4, what="the key is back")
    assert entry["authToken"] == "*****" and gateway.count("DELETE") == 0
    kept = (tmp_path / "registration.json").read_text()
    assert "for-the-peers" not in kept + registrar.log()
    assert (tmp_path / "registration.json").stat().st_mode & 0o777 == 0o600


def test_what_it_is_told_to_wait_is_obeyed(make_gateway, start):
    gateway = make_gateway()
    registrar = start(gateway)
    registrar.wait_registered()
    gateway.rule("GET", "gateways", status=429, headers={"Retry-After": "3"}, body={"error": "Rate limit exceeded"})
    before = wait_contact(registrar, "rate_limited")
    assert before["remedy"] and before["next_try_ms"] > 1000
    seen, since = len(gateway.requests), time.monotonic()
    registrar.tell_domain("alpha", description="In a hurry")
    report = registrar.result("registrar/reconcile")
    assert report["gateway"]["state"] == "rate_limited"
    wait_contact(registrar, "connected")
    assert time.monotonic() - since > 1.5
    registrar.wait_state(lambda report: report["counters"]["updates"] == 1, what="the update")
    assert len(gateway.requests) > seen


def test_a_time_out_of_a_write_is_looked_at_first(make_gateway, start):
    """What was answered with nothing may have been done: it is not done again."""
    gateway = make_gateway()

    def take_and_say_nothing(handler):
        hang_up(handler)
        gateway.write({"id": "0" * 32, "looks": 0}, gateway.requests[-1][3])

    gateway.rule("POST", "gateways", act=take_and_say_nothing)
    registrar = start(gateway)
    registrar.wait_registered()
    assert gateway.count("POST") == 2 and len(gateway.entries) == 2


@pytest.mark.parametrize("status, body, state", [
    (422, {"detail": "An error occurred, please try again."}, "refused"),
    (400, {"message": "Unable to process input"}, "refused"),
    (409, {"message": "Gateway name already exists"}, "foreign"),
    (502, {"message": "Failed to initialize gateway at http://localhost:1: All connection attempts failed"}, "unreachable"),
    (502, {"message": "Failed to fetch tools: All 3 tools failed validation. First error: x"}, "refused"),
    (500, {"message": "Unexpected error"}, "unregistered"),
])
def test_refusals(make_gateway, start, status, body, state):
    gateway = make_gateway()
    gateway.rule("POST", "gateways", times=1000, status=status, body=body)
    registrar = start(gateway, tell=False)
    registrar.tell_settings()
    registrar.tell_domain("alpha")
    report = registrar.wait_state(lambda report: registrar.states(report)["alpha"] == state
                                  and registrar.domain("alpha", report)["error"], what=state)
    alpha = registrar.domain("alpha", report)
    assert str(status) in alpha["error"] and (body.get("message") or body["detail"])[:20] in alpha["error"]
    assert alpha["remedy"] or status == 500
    posts = gateway.count("POST")
    registrar.wait_round()
    if state == "refused":  # the same again would be refused again, something else is tried at once
        assert gateway.count("POST") == posts
        gateway.rules.clear()
        registrar.tell_domain("alpha", description="Something else")
    else:
        gateway.rules.clear()
    registrar.wait_registered("alpha")
    assert registrar.domain("alpha")["error"] is None


def test_a_token_that_may_not_make_servers(make_gateway, start):
    """The domains are registered all the same."""
    gateway = make_gateway()
    gateway.rule("GET", "servers", times=1000, status=403, body={"detail": "Access denied"})
    registrar = start(gateway, server="mcp-fleet")
    registrar.wait_registered()
    server = registrar.wait_state(lambda report: report["server"]["state"] == "refused", what="refused")["server"]
    assert "403" in server["error"] and "servers.create" in server["remedy"]
    assert registrar.report["gateway"]["state"] == "connected"


def test_secrets_are_not_repeated(make_gateway, start, tmp_path):
    (tmp_path / "key").write_text("the-key-for-the-peers")
    gateway = make_gateway()
    gateway.rule("POST", "alpha|gateways", times=1, status=422, body={"detail": [
        {"type": "x", "loc": ["body", "url"], "msg": f"bad {gateway.token} and the-key-for-the-peers",
         "input": {"auth_token": "the-key-for-the-peers"}}]})
    registrar = start(gateway, peer_key_file=str(tmp_path / "key"))
    report = registrar.wait_state(lambda report: "refused" in registrar.states(report).values(), what="refused")
    text = str(report) + registrar.log()
    assert "body.url: bad [hidden] and [hidden]" in text
    assert gateway.token not in text and "the-key" not in text


def hang_up(handler):
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def write_too_much(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(20):
            handler.wfile.write(b"[" * 2**20)
    except OSError:
        pass
    handler.close_connection = True


@pytest.mark.parametrize("answer", [
    {"body": b"<html>Welcome</html>"}, {"body": b""}, {"body": {}}, {"body": "text"}, {"body": b"[" * 5000},
    {"status": 204, "body": b""}, {"status": 404, "body": {"detail": "Not Found"}, "times": 2},
    {"status": 302, "body": b"", "headers": {"Location": "http://127.0.0.1:9/"}}, {"status": 500, "body": b"\xff\xfe"},
    {"status": 503, "body": {"detail": {"error": 5}}}, {"act": hang_up, "times": 8}, {"act": write_too_much},
], ids=["a page", "nothing", "an object", "a text", "deep", "204", "404", "302", "500", "503", "hung up", "too much"])
def test_no_gateway_answers(make_gateway, start, answer):
    gateway = make_gateway()
    registrar = start(gateway)
    registrar.wait_registered()
    gateway.rule("GET", "gateways", **answer)
    contact = wait_contact(registrar, "unreachable")
    assert contact["error"]
    wait_contact(registrar, "connected")
    registrar.wait_registered()
    assert gateway.count("POST", "PUT", "DELETE") == 2


@pytest.mark.parametrize("entries", [
    [None, 5, "x", [], {}], [{"id": "../../x", "slug": "fleet-alpha"}], [{"id": 7, "name": [], "tags": {}}],
    [{"id": "a" * 32, "slug": None, "url": None, "tags": [None, {"id": 5}, "mcp-fleet"]}],
])
def test_strange_entries(make_gateway, start, entries):
    gateway = make_gateway()
    gateway.rule("GET", "gateways", body=entries)
    registrar = start(gateway)
    registrar.wait_registered()
    assert gateway.count("DELETE") == 0


def test_strange_messages(make_gateway, start):
    registrar = start(make_gateway())
    registrar.wait_registered()
    for line in (b"nonsense", b"[]", b'{"jsonrpc":"2.0"}', b'{"jsonrpc":"2.0","method":"x","params":3}', b"\xff"):
        registrar.process.stdin.write(line + b"\n")
        registrar.process.stdin.flush()
    for params in ({}, {"name": 5}, {"name": "ghost", "tools": 5}, {"name": "alpha", "is_ready": True, "tools": [None, {}]}):
        registrar.tell("registrar/domain", params)
    registrar.tell("registrar/settings", {"url": 5})
    registrar.wait_state(lambda report: registrar.states(report)["alpha"] == "refused", what="alpha has no tools")
    assert registrar.ask("registrar/register", {"timeout_ms": "x"})["error"]["code"] == -32602
    assert registrar.ask("nobody/knows")["error"]["code"] == -32601
    registrar.tell_all()
    registrar.wait_registered()


def test_a_damaged_state_file(make_gateway, start, tmp_path):
    gateway = make_gateway()
    registrar = start(gateway)
    registrar.wait_registered()
    registrar.stop()
    (tmp_path / "registration.json").write_bytes(b'{"version":1,"instance":')
    registrar.start().tell_all()
    registrar.wait_registered()
    assert "is damaged" in registrar.log()
    assert gateway.count("POST") == 2 and gateway.count("PUT", "DELETE") == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True, timeout=60)
    return folder / "cert.pem", folder / "key.pem"


def test_tls(make_gateway, start, certificate):
    gateway = make_gateway(tls=certificate)
    registrar = start(gateway)
    contact = wait_contact(registrar, "unreachable")
    assert "certificate" in contact["error"] and "ca_file" in contact["remedy"]
    assert gateway.requests == []
    registrar.tell_settings(ca_file=str(certificate[0]))
    registrar.wait_registered()
    registrar.tell_settings(ca_file="", verify=False)
    registrar.wait_round()
    assert registrar.report["gateway"]["state"] == "connected"
    assert "certificate is not checked" in registrar.log()


def test_a_proxy(make_gateway, start, tmp_path, monkeypatch):
    """The environment's proxy is used: here the gateway itself, which takes the absolute form as well."""
    gateway = make_gateway()
    seen = []
    gateway.rule("GET", "^http://gateway.test/v1/gateways", times=1000,
                 act=lambda handler: (seen.append(handler.path), handler.reply(200, []))[1])
    registrar = start(gateway, tell=False)
    registrar.stop()
    registrar.environment = {"http_proxy": gateway.url}
    registrar.start().tell_settings(url="http://gateway.test")
    wait_contact(registrar, "connected")
    assert seen


def test_help_and_version():
    program = fleets.build_dir() / "mcp-fleet-registrar"
    shown = fleets.run([program, "--help"])
    assert shown.returncode == 0 and b"registrar/register" in shown.stdout
    assert b"mcp-fleet-registrar (mcp-fleet)" in fleets.run([program, "--version"]).stdout
    assert fleets.run([program, "--nonsense"]).returncode == 2
