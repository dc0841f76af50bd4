"""Who may come in over HTTP: requests × credentials × endpoints, sessions of others, keys that change."""

import base64
import contextlib
import json

import doorkeys
import fleet as fleets
import pytest
import tokens
import wire
from streamable import BOTH, Door, Modern

pytestmark = pytest.mark.sanitizers

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}
LIST = Modern(0).request("tools/list")


@pytest.fixture
def keys(tmp_path):
    made = doorkeys.Keys(tmp_path)
    return made.add("all").add("utils", domains=["utils"]).add("boss", admin=True).add("old", expires=doorkeys.when(-1)).save()


@pytest.fixture
def guarded(start_fleet, tmp_path, keys):
    """A fleet that wants keys or tokens, with an admin listener."""
    port = fleets.free_port()
    fleet = start_fleet({"utils": {}, "fake": fleets.fake_domain("fake")}, {
        "admin": {"listen": f"127.0.0.1:{port}", "public": True},
        "auth": {"issuer": tokens.ISSUER, "audience": [tokens.AUDIENCE],
                 "secret_file": tokens.write_secret(tmp_path / "secret", tokens.Key("HS256")),
                 "scopes": {"fleet:utils": {"domains": ["utils"]}, "fleet:all": {}}}})
    fleet.admin_port = port
    return fleet


def login(name, password):
    """As a browser shows what a person has typed."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def credentials(keys):
    """What is shown, by name."""
    sign = tokens.Key("HS256").sign
    wrong = dict(iss="https://other.example", aud="other", exp=1, scope="fleet:all")
    return {
        "none": {},
        "key": keys.bearer("all"),
        "api-key": keys.header("all"),
        "small letters": {"authorization": "bearer " + keys.text["all"]},
        "utils only": keys.bearer("utils"),
        "boss": keys.bearer("boss"),
        "expired key": keys.bearer("old"),
        "no key": {"Authorization": "Bearer mcpf_aaaaaaaa_" + "A" * 43},
        "cut key": {"Authorization": "Bearer " + keys.text["all"][:-1]},
        "basic": {"Authorization": "Basic YTpi"},
        "login": login("boss", keys.text["boss"]),
        "login of no boss": login("", keys.text["all"]),
        "login with a token": login("", sign(tokens.claims(scope="fleet:all"))),
        "login without a name": {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()},
        "empty": {"Authorization": "Bearer "},
        "two": {**keys.bearer("all"), **keys.header("utils")},
        "twice the same": {**keys.bearer("all"), **keys.header("all")},
        "token": {"Authorization": "Bearer " + sign(tokens.claims(scope="fleet:all"))},
        "utils token": {"Authorization": "Bearer " + sign(tokens.claims(scope="fleet:utils"))},
        "no scope": {"Authorization": "Bearer " + sign(tokens.claims())},
        **{f"wrong {name}": {"Authorization": "Bearer " + sign(tokens.claims(**{"scope": "fleet:all", name: value}))}
           for name, value in wrong.items() if name != "scope"},
        "future": {"Authorization": "Bearer " + sign(tokens.claims(nbf=10**10, scope="fleet:all"))},
        "alg none": {"Authorization": "Bearer " + tokens.unsigned(tokens.claims(scope="fleet:all"), {"alg": "none"})},
        "confused": {"Authorization": "Bearer " + tokens.sign_as_secret(
            tokens.claims(scope="fleet:all"), tokens.Key("RS256").public_pem())},
        "huge token": {"Authorization": "Bearer " + "a." + "b" * 9000 + ".c"},
        "token as api-key": {"X-API-Key": sign(tokens.claims(scope="fleet:all"))},
    }


ACCEPT = {"Accept": BOTH, "Content-Type": "application/json"}
MODERN = Modern(0).headers(Mcp_Method="tools/list")

REQUESTS = {  # by name: method, path, headers, body
    "sse": ("HEAD", "/sse", {}, None),
    "sse of utils": ("HEAD", "/utils/sse", {}, None),
    "sse of fake": ("HEAD", "/fake/sse", {}, None),
    "message": ("POST", "/messages?session_id=00000000-0000-4000-8000-000000000000", ACCEPT, PING),
    "initialize": ("POST", "/mcp", ACCEPT, INITIALIZE),
    "initialize utils": ("POST", "/utils/mcp", ACCEPT, INITIALIZE),
    "initialize fake": ("POST", "/fake/mcp", ACCEPT, INITIALIZE),
    "stateless": ("POST", "/mcp", MODERN, LIST),
    "stateless fake": ("POST", "/fake/mcp", MODERN, LIST),
    "listen": ("GET", "/mcp", {"Accept": "text/event-stream", "Mcp-Session-Id": "x"}, None),
    "end": ("DELETE", "/mcp", {"Mcp-Session-Id": "x"}, None),
    "options": ("OPTIONS", "/mcp", {}, None),
    "nowhere": ("GET", "/nowhere", {}, None),
    "no domain": ("GET", "/nowhere/sse", {}, None),
    "query": ("HEAD", "/sse?access_token=%s", {}, None),
    "health": ("GET", "/health", {}, None),
    "ready": ("GET", "/ready", {}, None),
    "metrics": ("GET", "/metrics", {}, None),
    "status": ("GET", "/status", {}, None),
    "metadata": ("GET", "/.well-known/oauth-protected-resource/mcp", {}, None),
}

GOOD = {"sse": 200, "sse of utils": 200, "sse of fake": 200, "message": 404, "initialize": 200, "initialize utils": 200,
        "initialize fake": 200, "stateless": 200, "stateless fake": 200, "listen": 404, "end": 404, "options": 204,
        "nowhere": 404, "no domain": 404, "query": 200, "health": 200, "ready": 200, "metrics": 403, "status": 403,
        "metadata": 200}
OPEN = {"health": 200, "ready": 200, "metadata": 200}
UTILS = {**GOOD, "sse of fake": 403, "initialize fake": 403, "stateless fake": 403}
BAD = {name: OPEN.get(name, 401) for name in REQUESTS}
NOTHING = {name: OPEN.get(name, 403) for name in REQUESTS}
LOGIN = {**BAD, "metrics": 200, "status": 200}  # for people who look, never for tools
NO_LOGIN = {**BAD, "metrics": 400, "status": 400}
MALFORMED = {name: OPEN.get(name, 400) for name in REQUESTS}
EXPECTED = {"key": GOOD, "api-key": GOOD, "small letters": GOOD, "twice the same": GOOD, "token": GOOD,
            "boss": {**GOOD, "metrics": 200, "status": 200}, "utils only": UTILS, "utils token": UTILS,
            "login": LOGIN, "login without a name": NO_LOGIN, "no scope": NOTHING, "two": MALFORMED, "empty": MALFORMED}


def test_table(guarded, keys):
    """Every credential at every endpoint."""
    wrong = []
    for shown, headers in credentials(keys).items():
        for name, (method, path, more, body) in REQUESTS.items():
            if "%s" in path:
                path = path % keys.text["all"]
            with guarded.connect() as connection:
                connection.request(method, path, {**more, **headers}, body and json.dumps(body))
                answer = connection.read_response(method)
            expected = EXPECTED.get(shown, BAD)[name]
            if answer.status != expected:
                wrong.append((shown, name, answer.status, expected, answer.body[:200]))
            if answer.status == 401:
                challenges = [value for key, value in answer.headers if key.lower() == "www-authenticate"]
                assert challenges[0].startswith("Bearer"), (shown, name)
                assert challenges[1:] == (['Basic realm="mcp-fleet", charset="UTF-8"'] if name in ("metrics", "status")
                                          else []), (shown, name)
            if answer.status >= 400 and method != "HEAD":
                assert "error" in answer.json(), (shown, name)
    assert not wrong, "\n".join(map(str, wrong))
    assert keys.text["all"] not in guarded.log()


def test_challenges(guarded, keys):
    """What MCP's authorization chapter asks for."""
    without = guarded.get("/mcp").header("WWW-Authenticate")
    assert f'resource_metadata="http://127.0.0.1:{guarded.port}/.well-known/oauth-protected-resource/mcp"' in without
    assert "error=" not in without
    bad = guarded.get("/mcp", Authorization="Bearer x").header("WWW-Authenticate")
    assert 'error="invalid_token"' in bad
    token = tokens.Key("HS256").sign(tokens.claims(scope="fleet:utils"))
    small = guarded.get("/fake/sse", Authorization=f"Bearer {token}")
    assert small.status == 403
    assert 'error="insufficient_scope"' in small.header("WWW-Authenticate")
    assert "fleet:all" in small.header("WWW-Authenticate")


def test_admin_listener(guarded, keys):
    """On loopback nobody is asked there, whatever is asked for elsewhere."""
    for path in ("/metrics", "/status", "/health", "/ready"):
        with wire.Connection(guarded.admin_port) as connection:
            connection.request("GET", path)
            assert connection.read_response().status == 200, path


def test_a_stolen_session(guarded, keys):
    """Somebody else's session is a session that does not exist."""
    with guarded.session(headers=keys.bearer("all")) as session:
        own = session.post(PING)
        stolen = guarded_post(guarded, session.endpoint, keys.bearer("boss"))
        unknown = guarded_post(guarded, "/messages?session_id=00000000-0000-4000-8000-000000000000", keys.bearer("boss"))
        assert (own.status, stolen.status, unknown.status) == (202, 404, 404)
        assert stolen.body == unknown.body
        assert guarded_post(guarded, session.endpoint, {}).status == 401
        assert "pong" not in guarded.log()
    door = Door(guarded.port)
    response = door.post(INITIALIZE, **keys.bearer("all"))
    door.id = response.header("Mcp-Session-Id")
    assert door.post(PING, **keys.bearer("all")).status == 200
    assert door.post(PING, **keys.header("all")).status == 200
    assert door.post(PING, **keys.bearer("boss")).status == 404
    assert door.ask("GET", Accept="text/event-stream", Content_Type=None, **keys.bearer("boss")).status == 404
    assert door.ask("DELETE", Content_Type=None, **keys.bearer("boss")).status == 404
    assert door.ask("DELETE", Content_Type=None, **keys.bearer("all")).status == 204
    assert "belongs to all; refused" in guarded.log()


def guarded_post(fleet, path, headers):
    with fleet.connect() as connection:
        connection.request("POST", path, {**ACCEPT, **headers}, json.dumps(PING))
        return connection.read_response("POST")


def test_a_revoked_key(guarded, keys):
    """Its streams end at once, those of others go on."""
    with guarded.session(headers=keys.bearer("utils")) as gone, guarded.session(headers=keys.bearer("all")) as stays:
        del keys.entries["utils"]
        keys.save()
        assert gone.stream.read_event(timeout=5 * fleets.SLOWNESS) is None
        assert guarded.get("/sse", **keys.bearer("utils")).status == 401
        assert stays.post(PING).status == 202


def test_a_key_that_expires(guarded, keys):
    keys.add("short", expires=doorkeys.when(3)).save()
    fleets.wait_until(lambda: head(guarded, keys.bearer("short")) == 200, 5, "the key is known")
    with guarded.session(headers=keys.bearer("short")) as session:
        assert session.stream.read_event(timeout=10 * fleets.SLOWNESS) is None
    assert head(guarded, keys.bearer("short")) == 401


def head(fleet, headers):
    with fleet.connect() as connection:
        connection.request("HEAD", "/sse", headers)
        return connection.read_response("HEAD").status


def test_files_that_are_wrong(guarded, keys):
    keys.path.with_name("x").write_text("{")
    keys.path.with_name("x").chmod(0o640)
    keys.path.with_name("x").rename(keys.path)
    fleets.wait_until(lambda: "the keys stay as they were" in guarded.log(), 5, "the fault is told")
    assert head(guarded, keys.bearer("all")) == 200
    keys.add("new").save(mode=0o644)
    fleets.wait_until(lambda: "is open to others" in guarded.log(), 5, "the mode is told")
    assert head(guarded, keys.bearer("new")) == 401
    keys.path.unlink()
    fleets.wait_until(lambda: head(guarded, keys.bearer("all")) == 401, 5, "the keys are gone")
    assert head(guarded, {}) == 401  # no key is no open door


def test_the_first_key_closes_the_door(start_fleet, tmp_path):
    fleet = start_fleet()
    keys = doorkeys.Keys(tmp_path).add("first")
    with fleet.session() as before:
        assert head(fleet, {}) == 200
        keys.save()
        fleets.wait_until(lambda: head(fleet, {}) == 401, 5, "a key is wanted")
        assert before.stream.read_event(timeout=5 * fleets.SLOWNESS) is None
    assert head(fleet, keys.bearer("first")) == 200


def test_local_clients_need_no_key(guarded):
    with contextlib.closing(fleets.socket.socket(fleets.socket.AF_UNIX)) as local:
        local.connect(str(guarded.local_socket))
        local.sendall(json.dumps(INITIALIZE).encode() + b"\n")
        assert b'"result"' in local.recv(100_000)


def test_hosts_and_origins(start_fleet):
    fleet = start_fleet(settings={"http": {"allowed_hosts": ["fleet.example.org"],
                                           "allowed_origins": ["https://app.example.org"]}})

    def ask(host, **headers):
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return fleet.exchange(f"GET /ready HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode())[0]

    assert ask("fleet.example.org").status == ask("localhost").status == ask("fleet.example.org:80").status == 200
    refused = ask("evil.example.org")
    assert refused.status == 421
    assert "http.allowed_hosts" in refused.json()["error"]
    assert ask("localhost", Origin="https://evil.example.org").status == 403
    assert ask("localhost", Origin="null").status == 403
    allowed = ask("localhost", Origin="https://app.example.org")
    assert (allowed.status, allowed.header("Access-Control-Allow-Origin")) == (200, "https://app.example.org")
    assert "Origin" in allowed.header("Vary")
    preflight = fleet.exchange(
        b"OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example.org\r\n"
        b"Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n", "OPTIONS")[0]
    assert preflight.status == 204
    assert "Authorization" in preflight.header("Access-Control-Allow-Headers")
    assert "POST" in preflight.header("Access-Control-Allow-Methods")


def test_without_tls_elsewhere_is_refused(start_fleet, keys, tmp_path):
    """Keys make other addresses possible, TLS or `http://` written out makes them allowed."""
    for address, said in (("0.0.0.0:0", "without TLS"), ("https://0.0.0.0:0", "tls.cert_file")):
        fleet = start_fleet(settings={"listen": [{"address": address}]}, start=False)
        fleet.write_settings()
        ended = fleets.run([*fleets.daemon_command(), "--check-config", "--config", str(fleet.settings_path)],
                           text=True)
        assert ended.returncode == 2
        assert said in ended.stderr
