"""The guard at the door: what each request gets with each kind of credential, whose a session is, what a change of the
keys does at once, and what pages of other origins may."""

import json
import signal
import time
import uuid

import doorkeys
import fleet as fleets
import pytest
import streamable
import tokens
import wire
from doorkeys import when

pytestmark = pytest.mark.sanitizers

INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}
LIST_MODERN = streamable.Modern(0).request("tools/list")
STRANGER = "mcpf_aaaaaaaa_" + "A" * 43  # the form of a key, and none
UNKNOWN = str(uuid.UUID(int=0x40008000 << 48))

JSON = {"Accept": streamable.BOTH, "Content-Type": "application/json"}
STREAM = {"Accept": "text/event-stream"}
MODERN = {**JSON, "MCP-Protocol-Version": streamable.MODERN, "Mcp-Method": "tools/list"}

# Name of a row: method, target, headers, body.
REQUESTS = {
    "sse": ("GET", "/sse", STREAM, None),
    "sse HEAD": ("HEAD", "/sse", STREAM, None),
    "sse of one": ("GET", "/one/sse", STREAM, None),
    "sse of two": ("GET", "/two/sse", STREAM, None),
    "sse of none": ("GET", "/none/sse", STREAM, None),
    "sse POST": ("POST", "/sse", JSON, INITIALIZE),
    "message": ("POST", f"/messages?session_id={UNKNOWN}", JSON, INITIALIZE),
    "message of two": ("POST", f"/two/messages?session_id={UNKNOWN}", JSON, INITIALIZE),
    "message, no id": ("POST", "/messages", JSON, INITIALIZE),
    "initialize": ("POST", "/mcp", JSON, INITIALIZE),
    "initialize one": ("POST", "/one/mcp", JSON, INITIALIZE),
    "initialize two": ("POST", "/two/mcp", JSON, INITIALIZE),
    "initialize none": ("POST", "/none/mcp", JSON, INITIALIZE),
    "modern": ("POST", "/mcp", MODERN, LIST_MODERN),
    "modern one": ("POST", "/one/mcp", MODERN, LIST_MODERN),
    "modern two": ("POST", "/two/mcp", MODERN, LIST_MODERN),
    "no JSON": ("POST", "/mcp", {**JSON, "Content-Type": "text/plain"}, {}),
    "listen": ("GET", "/mcp", {**STREAM, "Mcp-Session-Id": UNKNOWN}, None),
    "listen, no id": ("GET", "/mcp", STREAM, None),
    "DELETE": ("DELETE", "/mcp", {"Mcp-Session-Id": UNKNOWN}, None),
    "DELETE /sse": ("DELETE", "/sse", {}, None),
    "OPTIONS": ("OPTIONS", "/mcp", {}, None),
    "PUT": ("PUT", "/mcp", {}, None),
    "no path": ("GET", "/nothing/here", {}, None),
    "root": ("GET", "/", {}, None),
    "odd path": ("GET", "/%2fmcp", {}, None),
    "health": ("GET", "/health", {}, None),
    "ready HEAD": ("HEAD", "/ready", {}, None),
    "health DELETE": ("DELETE", "/health", {}, None),
    "metadata": ("GET", "/.well-known/oauth-protected-resource/mcp", {}, None),
    "metrics": ("GET", "/metrics", {}, None),
    "metrics HEAD": ("HEAD", "/metrics", {}, None),
    "status": ("GET", "/status", {}, None),
}

# One row a request, one column a credential: the status that it must get. `narrow` may only use the domain `one`,
# `scoped` is a token for that, `boss` is a key that may look after the fleet.
TABLE = """
                  none strange expired basic two  twice query empty | key  narrow boss token scoped late
sse               401  401     401     401   400  400   401   400   | 200  200    200  200   200    401
sse HEAD          401  401     401     401   400  400   401   400   | 200  200    200  200   200    401
sse of one        401  401     401     401   400  400   401   400   | 200  200    200  200   200    401
sse of two        401  401     401     401   400  400   401   400   | 200  403    200  200   403    401
sse of none       401  401     401     401   400  400   401   400   | 404  404    404  404   404    401
sse POST          401  401     401     401   400  400   401   400   | 405  405    405  405   405    401
message           401  401     401     401   400  400   401   400   | 404  404    404  404   404    401
message of two    401  401     401     401   400  400   401   400   | 404  403    404  404   403    401
message, no id    401  401     401     401   400  400   401   400   | 400  400    400  400   400    401
initialize        401  401     401     401   400  400   401   400   | 200  200    200  200   200    401
initialize one    401  401     401     401   400  400   401   400   | 200  200    200  200   200    401
initialize two    401  401     401     401   400  400   401   400   | 200  403    200  200   403    401
initialize none   401  401     401     401   400  400   401   400   | 404  404    404  404   404    401
modern            401  401     401     401   400  400   401   400   | 200  200    200  200   200    401
modern one        401  401     401     401   400  400   401   400   | 200  200    200  200   200    401
modern two        401  401     401     401   400  400   401   400   | 200  403    200  200   403    401
no JSON           401  401     401     401   400  400   401   400   | 415  415    415  415   415    401
listen            401  401     401     401   400  400   401   400   | 404  404    404  404   404    401
listen, no id     401  401     401     401   400  400   401   400   | 400  400    400  400   400    401
DELETE            401  401     401     401   400  400   401   400   | 404  404    404  404   404    401
DELETE /sse       401  401     401     401   400  400   401   400   | 405  405    405  405   405    401
OPTIONS           401  401     401     401   400  400   401   400   | 204  204    204  204   204    401
PUT               401  401     401     401   400  400   401   400   | 405  405    405  405   405    401
no path           401  401     401     401   400  400   401   400   | 404  404    404  404   404    401
root              401  401     401     401   400  400   401   400   | 404  404    404  404   404    401
odd path          401  401     401     401   400  400   401   400   | 404  404    404  404   404    401
health            200  200     200     200   200  200   200   200   | 200  200    200  200   200    200
ready HEAD        200  200     200     200   200  200   200   200   | 200  200    200  200   200    200
health DELETE     405  405     405     405   405  405   405   405   | 405  405    405  405   405    405
metadata          200  200     200     200   200  200   200   200   | 200  200    200  200   200    200
metrics           401  401     401     400   400  400   401   400   | 403  403    200  403   403    401
metrics HEAD      401  401     401     400   400  400   401   400   | 403  403    200  403   403    401
status            401  401     401     400   400  400   401   400   | 403  403    200  403   403    401
"""

HOSTILE_ORIGIN = "https://evil.example"
PAGE = "https://app.example"


class Ring(doorkeys.Keys):
    """Each change is written at once."""

    def make(self, name, **members):
        """The text of a new key."""
        return self.add(name, **members).save().text[name]

    def revoke(self, name):
        del self.entries[name]
        self.save()

    def file(self):
        return json.dumps({"version": 1, "keys": list(self.entries.values())})

    def put(self, text, mode):
        """Any bytes in the place of the file."""
        fresh = self.path.with_name("keys.put")
        fresh.write_text(text)
        fresh.chmod(mode)
        fresh.rename(self.path)


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def api_key(text):
    return {"X-API-Key": text}


def read_table():
    head, *rows = [line.replace("|", " ") for line in TABLE.strip("\n").splitlines()]
    names = head.split()
    table = {}
    for row in rows:
        words = row[18:].split()
        assert len(words) == len(names), row
        table[row[:18].strip()] = dict(zip(names, map(int, words)))
    assert table.keys() == REQUESTS.keys()
    return table


def ask(fleet, method, target, headers=None, body=None):
    """The head of the answer to one request, and the body if there is an end to it."""
    with fleet.connect(timeout=10 * fleets.SLOWNESS) as connection:
        connection.request(method, target, headers or {}, None if body is None else json.dumps(body))
        head = connection.read_head()
        if method == "HEAD" or head.header("Content-Length") is None:
            return head, b""
        length = int(head.header("Content-Length"))
        return head, connection.take(length, time.monotonic() + 10 * fleets.SLOWNESS)


def status_of(fleet, credential, method="GET", target="/sse"):
    return ask(fleet, method, target, {**STREAM, **credential})[0].status


@pytest.fixture
def keys(tmp_path):
    return Ring(tmp_path)


@pytest.fixture
def start(start_fleet):
    """A fleet of two domains whose keys file lies beside its settings."""
    def make(settings=None, **options):
        started = start_fleet({"one": fleets.fake_domain("one"), "two": fleets.fake_domain("two")},
                              settings=settings, **options)
        started.check_fds = False
        return started
    return make


# --- the table ------------------------------------------------------------------------------------


def test_table(start, keys, tmp_path):
    issuer = tokens.Key("ES256", "k")
    key = keys.make("all")
    narrow = keys.make("narrow", domains=["one"])
    boss = keys.make("boss", admin=True)
    old = keys.make("old", expires=when(-5))
    fleet = start({
        "admin": {"public": True},
        "auth": {"issuer": tokens.ISSUER, "audience": [tokens.AUDIENCE],
                 "jwks_file": tokens.write_key_set(tmp_path / "set", issuer),
                 "scopes": {"all": {}, "one": {"domains": ["one"]}}}})
    credentials = {
        "none": {},
        "strange": bearer(STRANGER),
        "expired": api_key(old),
        "basic": {"Authorization": "Basic " + key},
        "two": {**bearer(key), **api_key(boss)},
        "twice": {"x-api-key": key, "X-API-Key": key},
        "query": {},
        "empty": {"Authorization": "Bearer"},
        "key": bearer(key),
        "narrow": api_key(narrow),
        "boss": {"AUTHORIZATION": "bEARER " + boss, **api_key(boss)},
        "token": bearer(issuer.sign(tokens.claims(scope="all"))),
        "scoped": bearer(issuer.sign(tokens.claims(scope="one"))),
        "late": bearer(issuer.sign(tokens.claims(scope="all", exp=int(time.time()) - 100))),
    }
    wrong = []
    for row, expected in read_table().items():
        method, target, headers, body = REQUESTS[row]
        for column, status in expected.items():
            shown = target
            if column == "query":
                shown += ("&" if "?" in target else "?") + f"access_token={key}&api_key={key}"
            head, answer = ask(fleet, method, shown, {**headers, **credentials[column]}, body)
            if head.status != status:
                wrong.append(f"{row} with {column}: {head.status}, not {status}")
            wrong += [f"{row} with {column}: {fault}" for fault in faults_of(head, answer, method)]
    assert not wrong, "\n".join(wrong)
    for secret in (key, narrow, boss, old, STRANGER):
        assert secret not in fleet.log()


def faults_of(head, body, method):
    """What each refusal has."""
    challenges = [value for name, value in head.headers if name.lower() == "www-authenticate"]
    if head.status == 401 and not (challenges and challenges[0].startswith("Bearer ")):
        yield f"WWW-Authenticate is {challenges}"
    if challenges[1:] not in ([], ['Basic realm="mcp-fleet", charset="UTF-8"']):  # where people look: test_guard.py
        yield f"WWW-Authenticate is {challenges}"
    if head.status not in (401, 403) and challenges:
        yield "a challenge that nobody asked for"
    if head.status in (400, 401, 403, 404, 405, 415) and method != "HEAD":
        if head.header("Content-Type") != "application/json" or "error" not in json.loads(body):
            yield f"no JSON error: {body!r}"


def test_nothing_is_told_before_the_credential(start, keys):
    """What exists and what does not is refused in the same bytes."""
    keys.make("all")
    fleet = start()

    def refusal(method, target):
        head, body = ask(fleet, method, target, JSON, {} if method == "POST" else None)
        return head.status, sorted(name for name, _ in head.headers), body

    assert refusal("POST", "/one/mcp") == refusal("POST", "/none/mcp")
    assert refusal("GET", "/one/sse") == refusal("GET", "/none/sse") == refusal("GET", "/nothing")
    assert refusal("DELETE", "/mcp") == refusal("DELETE", "/none/mcp")
    assert refusal("PUT", "/sse") == refusal("PUT", "/nothing")


def test_probes_tell_no_words(start_fleet, keys):
    """Why the fleet is not ready may hold what a worker wrote when it died: for operators, not for everybody."""
    keys.make("all")
    port = fleets.free_port()
    dying = {"command": ["sh", "-c", "echo the-password-is-4711 >&2; exit 1"]}
    fleet = start_fleet({"one": fleets.fake_domain("one"), "dying": dying},
                        {"admin": {"listen": f"127.0.0.1:{port}"}}, wait=False)
    fleets.wait_until(lambda: "4711" in fleet.log(), what="a death")
    clients, fleet.port = fleet.port, port
    fleets.wait_until(lambda: b"4711" in fleet.get("/ready").body, what="the last words, for operators")
    fleet.port = clients
    response = fleet.get("/ready")
    assert response.status == 503 and response.json() == {"ready": False}
    assert fleet.get("/health").json() == {"status": "alive"}


def test_nothing_is_told_by_a_challenge(start, keys, tmp_path):
    """Nor by what it points to."""
    key_set = tokens.write_key_set(tmp_path / "set.json", tokens.Key("ES256", "k"))
    fleet = start({"auth": {"issuer": tokens.ISSUER, "audience": [tokens.AUDIENCE], "jwks_file": key_set}})

    def told(name):
        head, _ = ask(fleet, "POST", f"/{name}/mcp", JSON, {})
        meta = fleet.get(f"/.well-known/oauth-protected-resource/{name}/mcp")
        return head.status, head.header("WWW-Authenticate").replace(name, "X"), meta.status, meta.body.decode().replace(name, "X")

    assert told("one") == told("none")


def test_a_challenge_for_want_of_scope(start, keys, tmp_path):
    issuer = tokens.Key("ES256", "k")
    fleet = start({"auth": {"issuer": tokens.ISSUER, "audience": [tokens.AUDIENCE],
                            "jwks_file": tokens.write_key_set(tmp_path / "set", issuer),
                            "scopes": {"first": {"domains": ["one"]}, "second": {"domains": ["two"]}}}})
    head, _ = ask(fleet, "GET", "/two/sse", {**STREAM, **bearer(issuer.sign(tokens.claims(scope="first")))})
    challenge = head.header("WWW-Authenticate")
    assert head.status == 403 and 'error="insufficient_scope"' in challenge and "resource_metadata=" in challenge
    assert "first" in challenge and "second" in challenge
    narrow = keys.make("narrow", domains=["one"])
    fleets.wait_until(lambda: status_of(fleet, bearer(narrow)) == 200, 5, "the key is taken")
    head, _ = ask(fleet, "GET", "/two/sse", {**STREAM, **bearer(narrow)})
    assert head.status == 403 and head.header("WWW-Authenticate") is None


# --- whose a session is ---------------------------------------------------------------------------


def same_answer(a, b):
    return (a.status, a.body) == (b.status, b.body)


def test_a_stolen_session_over_sse(start, keys):
    owner, thief = keys.make("owner"), keys.make("thief", admin=True)
    fleet = start()
    with fleet.session(headers=bearer(owner)) as session:
        session.headers = bearer(thief)
        stolen = session.post({"jsonrpc": "2.0", "id": 9, "method": "tools/list"})
        endpoint, session.endpoint = session.endpoint, f"/messages?session_id={UNKNOWN}"
        assert stolen.status == 404 and same_answer(stolen, session.post({"jsonrpc": "2.0", "id": 9, "method": "ping"}))
        session.endpoint = endpoint
        session.headers = {}
        assert session.post({"jsonrpc": "2.0", "id": 9, "method": "tools/list"}).status == 401
        session.headers = api_key(owner)
        assert session.tools()
    assert "showed the id of a session that belongs to owner" in fleet.log()


def test_a_stolen_session_over_http(start, keys):
    owner, thief = keys.make("owner"), keys.make("thief")
    fleet = start()
    door = streamable.Door(fleet.port)
    door.credential = bearer(owner)
    door.open()
    stream = door.listen()
    nobody = streamable.Door(fleet.port)
    nobody.id, nobody.credential = UNKNOWN, bearer(thief)
    door.credential = bearer(thief)
    ping = door.request("ping")
    assert door.post(ping).status == 404 and same_answer(door.post(ping), nobody.post(ping))
    for options in ({}, {"Last_Event_ID": "1-1"}):
        listens = [each.ask("GET", Accept="text/event-stream", Content_Type=None, **options) for each in (door, nobody)]
        assert listens[0].status == 404 and same_answer(*listens)
    assert door.end().status == 404 and same_answer(door.end(), nobody.end())
    door.credential = bearer(owner)
    assert door.post(door.call("one_echo", {"text": "x"})).status == 200
    stream.close()
    assert door.end().status == 204


def test_a_text_that_was_replaced(start, keys):
    """It may have leaked: what was opened with it ends, without a time in which both are taken."""
    old = keys.make("ci")
    fleet = start()
    door = streamable.Door(fleet.port)
    door.credential = bearer(old)
    door.open()
    stream = door.listen()
    key = keys.entries["ci"]
    fresh = keys.make("later")
    key["hash"] = keys.entries.pop("later")["hash"]
    keys.save()
    fleets.wait_until(lambda: status_of(fleet, bearer(fresh)) == 200, 5, "the new text is taken")
    assert door.post(door.request("ping")).status == 401
    assert has_ended(stream)


def test_a_text_that_is_being_replaced(start, keys):
    """Both are the same owner, for a time."""
    old = keys.make("ci")
    fleet = start()
    door = streamable.Door(fleet.port)
    door.credential = bearer(old)
    door.open()
    fresh = keys.make("later")
    key = keys.entries["ci"]
    key.update(rotated={"hash": key["hash"], "until": when(3600)}, hash=keys.entries.pop("later")["hash"])
    keys.save()
    for text in (fresh, old):
        door.credential = bearer(text)
        fleets.wait_until(lambda: door.post(door.request("ping")).status == 200, 5, "both are taken")


# --- changes of the keys --------------------------------------------------------------------------


def open_streams(fleet, key):
    """One of each kind: HTTP+SSE, the GET stream of a session, a subscription of the stateless revision."""
    door = streamable.Door(fleet.port)
    door.credential = bearer(key)
    door.open()
    modern = streamable.Modern(fleet.port)
    modern.credential = bearer(key)
    subscription = modern.stream("POST", modern.request(
        "subscriptions/listen", {"notifications": {"toolsListChanged": True}}))
    return [fleet.session(headers=bearer(key)).stream, door.listen(), subscription]


def has_ended(stream):
    if isinstance(stream, wire.EventStream):
        return stream.has_ended(5 * fleets.SLOWNESS)
    try:
        stream.rest(5 * fleets.SLOWNESS)
    except TimeoutError:
        return False
    except (wire.WireError, ConnectionResetError):
        pass
    return True


def test_a_revoked_key_ends_what_it_opened(start, keys):
    leaked, kept = keys.make("leaked"), keys.make("kept")
    fleet = start()
    streams, others = open_streams(fleet, leaked), open_streams(fleet, kept)
    keys.revoke("leaked")
    assert all(has_ended(stream) for stream in streams)
    assert status_of(fleet, bearer(leaked)) == 401
    assert status_of(fleet, bearer(kept)) == 200
    assert not others[0].has_ended(1)
    for stream in others[1:]:
        with pytest.raises(TimeoutError):
            stream.rest(0.5)


def test_an_expired_key_ends_what_it_opened(start, keys):
    key = keys.make("short", expires=when(4 * fleets.SLOWNESS))
    fleet = start()
    streams = open_streams(fleet, key)
    assert all(has_ended(stream) for stream in streams)
    assert status_of(fleet, bearer(key)) == 401


def test_an_expired_token_ends_what_it_opened(start, tmp_path):
    issuer = tokens.Key("ES256", "k")
    fleet = start({"auth": {"issuer": tokens.ISSUER, "audience": [tokens.AUDIENCE], "leeway": "0s",
                            "jwks_file": tokens.write_key_set(tmp_path / "set", issuer)}})
    streams = open_streams(fleet, issuer.sign(tokens.claims(exp=int(time.time() + 4 * fleets.SLOWNESS))))
    assert all(has_ended(stream) for stream in streams)


def test_another_issuer_ends_what_a_token_opened(start, tmp_path):
    issuer = tokens.Key("ES256", "k")
    settings = {"issuer": tokens.ISSUER, "audience": [tokens.AUDIENCE], "jwks_file": tokens.write_key_set(tmp_path / "set", issuer)}
    fleet = start({"auth": settings})
    token = issuer.sign(tokens.claims())
    streams = open_streams(fleet, token)
    fleet.write_settings(auth={**settings, "issuer": "https://other.example"})
    fleet.signal(signal.SIGHUP)
    assert all(has_ended(stream) for stream in streams)
    assert status_of(fleet, bearer(token)) == 401


def test_a_key_that_may_less_than_before(start, keys):
    key = keys.make("ci")
    fleet = start()
    assert status_of(fleet, bearer(key), target="/two/sse") == 200
    keys.entries["ci"]["domains"] = ["one"]
    keys.save()
    fleets.wait_until(lambda: status_of(fleet, bearer(key), target="/two/sse") == 403, 5, "it may less")
    assert status_of(fleet, bearer(key), target="/one/sse") == 200


@pytest.mark.parametrize(("text", "mode", "words"), [
    ("{", 0o640, "keys.json"),
    ('{"version": 2, "keys": []}', 0o640, "version"),
    (None, 0o644, "chmod 0640"),
    (None, 0o660, "chmod 0640"),
])
def test_a_broken_file_changes_nothing(start, keys, text, mode, words):
    key = keys.make("ci")
    fleet = start()
    stream = fleet.session(headers=bearer(key)).stream
    keys.revoke("ci")
    if text is None:
        text = keys.file()
    keys.entries.clear()
    # As it was for the daemon, and then the bad one in its place: what was revoked meanwhile is revoked.
    fresh = keys.make("again")
    fleets.wait_until(lambda: status_of(fleet, bearer(fresh)) == 200, 5, "the new key is taken")
    assert stream.has_ended(5)
    keys.put(text, mode)
    fleets.wait_until(lambda: "the keys stay as they were" in fleet.log(), 5, "the log says so")
    assert words in fleet.log()
    assert (status_of(fleet, bearer(fresh)), status_of(fleet, bearer(key)), status_of(fleet, {})) == (200, 401, 401)
    keys.save()
    other = keys.make("other")
    fleets.wait_until(lambda: status_of(fleet, bearer(other)) == 200, 5, "a good file is taken again")


def test_a_file_that_vanishes_opens_no_door(start, keys):
    key = keys.make("ci")
    fleet = start()
    stream = fleet.session(headers=bearer(key)).stream
    keys.path.unlink()
    assert stream.has_ended(5 * fleets.SLOWNESS)
    assert (status_of(fleet, bearer(key)), status_of(fleet, {})) == (401, 401)
    fleet.signal(signal.SIGHUP)
    fleets.wait_until(lambda: "nothing changed" in fleet.log(), 5, "the settings were read")
    assert (status_of(fleet, bearer(key)), status_of(fleet, {})) == (401, 401)
    keys.save()
    fleets.wait_until(lambda: status_of(fleet, bearer(key)) == 200, 5, "the file is back")


def test_the_first_key_closes_the_door(start, keys):
    """Without keys loopback is open; the first one ends what anybody has opened."""
    fleet = start()
    stream = fleet.session().stream
    key = keys.make("first")
    assert stream.has_ended(5 * fleets.SLOWNESS)
    assert (status_of(fleet, {}), status_of(fleet, bearer(key))) == (401, 200)


def test_a_first_file_that_is_broken_closes_the_door(start, keys):
    """Somebody wants keys: that they cannot be read lets nobody in."""
    fleet = start()
    assert status_of(fleet, {}) == 200
    keys.put('{"version": 1, "keys": []}', 0o644)
    fleets.wait_until(lambda: status_of(fleet, {}) == 401, 5, "a key is wanted")
    assert "chmod 0640" in fleet.log()


def test_auth_none_is_said_by_a_reload(start, keys):
    key = keys.make("ci")
    fleet = start()
    stream = fleet.session(headers=bearer(key)).stream
    assert status_of(fleet, {}) == 401
    fleet.write_settings(auth={"mode": "none"})
    fleet.signal(signal.SIGHUP)
    fleets.wait_until(lambda: status_of(fleet, {}) == 200, 5, "nobody is asked any more")
    assert stream.has_ended(5 * fleets.SLOWNESS)  # its owner could not send with it
    assert status_of(fleet, bearer(STRANGER)) == 200


def test_required_without_any_key(start, keys):
    fleet = start({"auth": {"mode": "required"}})
    assert status_of(fleet, {}) == 401 and status_of(fleet, bearer(STRANGER)) == 401
    key = keys.make("first")
    fleets.wait_until(lambda: status_of(fleet, bearer(key)) == 200, 5, "the first key is taken")


# --- Host, Origin, CORS ---------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "origin", "status"), [
    ("127.0.0.1", None, 200),
    ("fleet.example", None, 200),
    ("FLEET.example:8443", None, 200),
    ("only.example:1", None, 200),
    ("only.example:2", None, 421),
    ("evil.example", None, 421),
    ("fleet.example.evil.example", None, 421),
    ("127.0.0.1", PAGE, 200),
    ("fleet.example", "https://fleet.example", 200),
    ("127.0.0.1", "http://localhost:3000", 200),
    ("127.0.0.1", "http://app.example", 403),
    ("127.0.0.1", PAGE + ".evil.example", 403),
    ("127.0.0.1", HOSTILE_ORIGIN, 403),
    ("127.0.0.1", "null", 403),
    ("evil.example", "https://evil.example", 421),
])
def test_host_and_origin(start_fleet, host, origin, status):
    fleet = start_fleet(settings={"http": {"allowed_hosts": ["fleet.example", "only.example:1"],
                                           "allowed_origins": [PAGE]}})
    lines = [f"GET /health HTTP/1.1\r\nHost: {host}"] + ([f"Origin: {origin}"] if origin else [])
    answer, _ = fleet.exchange("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n")
    assert answer.status == status
    if status != 200:
        assert "http.allowed_hosts" in answer.json()["error"] or "http.allowed_origins" in answer.json()["error"]
    granted = origin if status == 200 else None
    assert answer.header("Access-Control-Allow-Origin") == granted


def test_a_page_with_a_key(start, keys):
    """Preflight, refusal, initialize, a session's stream: what a browser asks before it lets a page read."""
    key = keys.make("page")
    fleet = start({"http": {"allowed_origins": [PAGE]}})
    wanted = "authorization, mcp-session-id, mcp-param-region, x-other"
    for target in ("/mcp", "/one/mcp", "/none/mcp", "/sse", "/nothing"):
        head, _ = ask(fleet, "OPTIONS", target, {"Origin": PAGE, "Access-Control-Request-Method": "POST",
                                                 "Access-Control-Request-Headers": wanted})
        allowed = [name.strip().lower() for name in head.header("Access-Control-Allow-Headers").split(",")]
        assert head.status == 204 and head.header("Access-Control-Allow-Origin") == PAGE, target
        assert {"authorization", "x-api-key", "mcp-session-id", "last-event-id", "mcp-param-region"} <= set(allowed)
        assert "x-other" not in allowed and head.header("Access-Control-Allow-Credentials") is None
    head, _ = ask(fleet, "OPTIONS", "/mcp", {"Origin": HOSTILE_ORIGIN, "Access-Control-Request-Method": "POST"})
    assert head.status == 403 and head.header("Access-Control-Allow-Origin") is None
    head, _ = ask(fleet, "POST", "/mcp", {**JSON, "Origin": PAGE}, INITIALIZE)
    assert head.status == 401 and head.header("Access-Control-Allow-Origin") == PAGE
    assert "WWW-Authenticate" in head.header("Access-Control-Expose-Headers")
    for target in ("/sse", "/one/sse"):
        head, _ = ask(fleet, "GET", target, {**STREAM, **bearer(key), "Origin": PAGE})
        assert head.status == 200 and head.header("Access-Control-Allow-Origin") == PAGE
        assert head.header("Vary") == "Origin"
    head, _ = ask(fleet, "POST", "/mcp", {**JSON, **bearer(key), "Origin": PAGE}, INITIALIZE)
    assert head.status == 200 and "Mcp-Session-Id" in head.header("Access-Control-Expose-Headers")


# --- what is not quite a request ------------------------------------------------------------------


@pytest.mark.parametrize("size", [1000, 8000, 20000, 200000])
def test_huge_credentials(start, keys, size):
    """Refused, by the parser's limits where it is larger than they are; the daemon goes on."""
    key = keys.make("ci")
    fleet = start()
    for head in (f"Authorization: Bearer {'A' * size}", f"X-API-Key: {key}{'A' * size}",
                 f"Authorization: Bearer {'A' * size}.{'B' * size}.C"):
        with fleet.connect() as connection:
            try:
                connection.send(f"GET /sse HTTP/1.1\r\nHost: {connection.host_header}\r\n{head}\r\n\r\n")
            except OSError:
                continue  # it was refused while it was sent
            assert connection.read_response().status in (401, 431)
    assert status_of(fleet, bearer(key)) == 200


def test_the_credential_of_one_request_is_not_that_of_the_next(start, keys):
    """On one connection: a request without one, ahead of the answer to one with it."""
    key = keys.make("ci")
    fleet = start()
    with fleet.connect() as connection:
        host = f"Host: {connection.host_header}\r\n"
        connection.send(f"OPTIONS /sse HTTP/1.1\r\n{host}X-API-Key: {key}\r\n\r\n"
                        f"OPTIONS /sse HTTP/1.1\r\n{host}\r\n"
                        f"OPTIONS /sse HTTP/1.1\r\n{host}X-API-Key: {key}\r\n\r\n")
        statuses = [connection.read_response().status for _ in range(3)]
    assert statuses == [204, 401, 204]


def test_a_key_revoked_between_head_and_body(start, keys):
    key = keys.make("slow")
    fleet = start()
    body = json.dumps(LIST_MODERN)
    with fleet.connect() as connection:
        fields = {**MODERN, **bearer(key), "Content-Length": str(len(body)), "Host": connection.host_header}
        connection.send("POST /mcp HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n")
        connection.send(body[:10])
        assert status_of(fleet, bearer(key)) == 200
        keys.revoke("slow")
        fleets.wait_until(lambda: status_of(fleet, bearer(key)) == 401, 5, "the key is gone")
        connection.send(body[10:])
        assert connection.read_response().status == 401


# --- those who look after us ----------------------------------------------------------------------


@pytest.mark.parametrize(("auth", "nobody", "key", "boss"), [
    ("auto", 200, 200, 200),
    ("none", 200, 200, 200),
    ("required", 401, 403, 200),
])
def test_the_listener_for_operators(start, keys, auth, nobody, key, boss):
    plain, admin = keys.make("plain"), keys.make("boss", admin=True)
    port = fleets.free_port()
    fleet = start({"admin": {"listen": f"127.0.0.1:{port}", "auth": auth}})
    clients, fleet.port = fleet.port, port
    for target in ("/metrics", "/status"):
        statuses = [status_of(fleet, credential, target=target) for credential in ({}, bearer(plain), bearer(admin))]
        assert statuses == [nobody, key, boss], target
    assert status_of(fleet, {}, target="/health") == 200
    fleet.port = clients
    assert status_of(fleet, bearer(admin), target="/metrics") == 404


@pytest.mark.parametrize("change", ["revoked", "demoted"])
def test_who_may_not_watch_any_more(start, keys, change):
    """The stream of the status page ends, with whose key it was opened with."""
    boss, kept = keys.make("boss", admin=True), keys.make("kept", admin=True)
    port = fleets.free_port()
    start({"admin": {"listen": f"127.0.0.1:{port}", "auth": "required"}})
    with (wire.EventStream(port, "/status/events", bearer(boss), timeout=5 * fleets.SLOWNESS) as stream,
          wire.EventStream(port, "/status/events", bearer(kept), timeout=15 * fleets.SLOWNESS) as other):
        assert stream.response.status == other.response.status == 200
        if change == "revoked":
            keys.revoke("boss")
        else:
            del keys.entries["boss"]["admin"]
            keys.save()
        assert stream.has_ended(5 * fleets.SLOWNESS)
        assert other.read_event() and other.read_event()  # at once, and within a beat


def test_refusals_are_counted(start, keys):
    key, boss = keys.make("ci", domains=["one"]), keys.make("boss", admin=True)
    fleet = start({"admin": {"public": True}})

    def counts():
        text = fleet.get("/metrics", **bearer(boss)).body.decode()
        return {line.split('"')[1]: float(line.split()[-1]) for line in text.splitlines()
                if "refus" in line and not line.startswith("#") and "reason=" in line}

    before = counts()
    status_of(fleet, {})
    status_of(fleet, bearer(STRANGER))
    status_of(fleet, {**bearer(key), **api_key(boss)})
    status_of(fleet, bearer(key), target="/two/sse")
    ask(fleet, "GET", "/sse", {"Origin": HOSTILE_ORIGIN})
    after = counts()
    for reason in ("no_credential", "bad_credential", "bad_request", "forbidden", "origin"):
        assert after[reason] == before[reason] + 1, (reason, before, after)


def test_the_log_names_the_key_and_no_secret(start, keys):
    key = keys.make("ci", domains=["one"])
    fleet = start({"log": {"format": "json"}})
    status_of(fleet, bearer(key), target="/two/sse")
    status_of(fleet, bearer(key + "x"))
    line = next(json.loads(line) for line in fleet.log().splitlines() if '"refused GET' in line)
    assert line["key"] == "ci" and "may not use this domain" in line["message"]
    assert key not in fleet.log() and key[14:30] not in fleet.log()
