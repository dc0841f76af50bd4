"""Tokens at the door of a running fleet: keys that an issuer replaces, a key server that fails, files that are read
again, for whom a token is, and what its scopes reach: 403 with the scopes that a call of a tool would take."""

import json
import os
import signal

import doorkeys
import fleet as fleets
import pytest
import tokens
import wire
from streamable import Door, Modern

pytestmark = pytest.mark.sanitizers

SCOPES = {"echo": {"tools": ["one_echo"]}, "one": {"domains": ["one"]}, "rest": {"domains": ["two"], "tools": ["two_echo"]}}


@pytest.fixture(scope="module")
def issuer():
    """Its keys, by name; making them takes a while."""
    return {"old": tokens.Key("RS256", "old"), "new": tokens.Key("ES256", "new"), "third": tokens.Key("ES256", "third")}


@pytest.fixture
def start(start_fleet):
    """A fleet of two domains that takes tokens."""
    def make(**auth):
        fleet = start_fleet({"one": fleets.fake_domain("one"), "two": fleets.fake_domain("two")}, settings={
            "auth": {"issuer": tokens.ISSUER, "audience": [tokens.AUDIENCE], **auth}})
        fleet.check_fds = False  # the link to the courier
        return fleet
    return make


def bearer(key, **claims):
    return {"Authorization": "Bearer " + key.sign(tokens.claims(**claims))}


def ask(fleet, credential):
    with fleet.connect(timeout=10 * fleets.SLOWNESS) as connection:
        connection.request("HEAD", "/sse", credential)
        return connection.read_response("HEAD")


def status(fleet, credential):
    return ask(fleet, credential).status


def becomes(fleet, credential, wanted, timeout=40):
    """The courier asks for a key that is not known at most every 30 s."""
    fleets.wait_until(lambda: status(fleet, credential) == wanted, timeout, f"the status becomes {wanted}")


# --- keys -----------------------------------------------------------------------------------------


def test_an_issuer_that_changes_its_keys(start, issuer):
    with tokens.KeySetServer(issuer["old"], issuer["new"]) as server:
        fleet = start(jwks_url=server.url)
        becomes(fleet, bearer(issuer["old"]), 200, 10)
        asked = server.n_requests
        server.keys = (issuer["new"], issuer["third"])
        refused = ask(fleet, bearer(issuer["third"]))  # asks for it, whatever becomes of this one
        assert refused.status in (401, 503)
        assert refused.status == 401 or refused.header("Retry-After")
        assert status(fleet, bearer(issuer["old"])) == 200  # until it is known to be gone
        becomes(fleet, bearer(issuer["third"]), 200)
        assert server.n_requests == asked + 1
        assert status(fleet, bearer(issuer["old"])) == 401
        assert status(fleet, bearer(issuer["new"])) == 200


def test_a_key_server_that_is_down(start, issuer):
    """What is known stays; what is not known is refused, and the server is not asked for each of them."""
    with tokens.KeySetServer(issuer["old"]) as server:
        fleet = start(jwks_url=server.url)
        becomes(fleet, bearer(issuer["old"]), 200, 10)
        for answer in ((500, {}, b"no"), (200, {}, b"nonsense"), (200, {}, b'{"keys": []}')):
            server.answer = answer
            before = server.n_requests
            statuses = [status(fleet, bearer(issuer["new"], sub=f"s{i}")) for i in range(20)]
            assert set(statuses) <= {401, 503}
            assert server.n_requests <= before + 2
            assert status(fleet, bearer(issuer["old"], sub="still here")) == 200
    assert status(fleet, bearer(issuer["old"], sub="nobody serves keys now")) == 200
    refused = ask(fleet, bearer(issuer["third"]))
    assert refused.status in (401, 503)


def test_a_key_server_that_was_never_there(start, issuer):
    """503 with Retry-After, not 401: the client's token may be good."""
    port = fleets.free_port()
    fleet = start(jwks_url=f"http://127.0.0.1:{port}/keys")
    refused = ask(fleet, bearer(issuer["old"]))
    assert refused.status == 503
    assert int(refused.header("Retry-After")) >= 1
    assert status(fleet, {"Authorization": "Bearer nonsense"}) == 401


def test_files_are_read_again(start, issuer, tmp_path):
    path = tokens.write_key_set(tmp_path / "set", issuer["old"])
    fleet = start(jwks_file=path)
    assert status(fleet, bearer(issuer["old"])) == 200
    tokens.write_key_set(tmp_path / "set", issuer["new"])
    becomes(fleet, bearer(issuer["new"]), 200)  # at once: a token has named it
    assert status(fleet, bearer(issuer["old"])) == 401
    tokens.write_key_set(tmp_path / "set", issuer["third"])
    fleet.signal(signal.SIGHUP)
    becomes(fleet, bearer(issuer["third"]), 200, 10)
    assert status(fleet, bearer(issuer["new"])) == 401


def test_a_secret_is_read_again(start, tmp_path):
    first, second = (tokens.Key("HS256", secret=os.urandom(48).hex().encode()) for _ in range(2))
    fleet = start(secret_file=tokens.write_secret(tmp_path / "secret", first))
    shown = bearer(first)
    with fleet.session(headers=shown) as session:
        assert session.initialize()
        tokens.write_secret(tmp_path / "secret", second)
        assert status(fleet, shown) == 200
        fleet.signal(signal.SIGHUP)
        becomes(fleet, bearer(second), 200, 10)
        assert status(fleet, shown) == 401
        session.headers = shown
        assert session.post({"jsonrpc": "2.0", "id": 9, "method": "ping"}).status == 401


def test_for_whom_it_is(start, issuer, tmp_path):
    fleet = start(jwks_file=tokens.write_key_set(tmp_path / "set", issuer["new"]), audience=["fleet", "https://other"])
    key = issuer["new"]
    for audience in ("fleet", "https://other", ["nobody", "fleet"]):
        assert status(fleet, bearer(key, aud=audience)) == 200, audience
    for audience in (None, "", "Fleet", "fleet/", ["nobody"], [], ["nobody", 7], "https://other/"):
        refused = ask(fleet, bearer(key, aud=audience))
        assert refused.status == 401, audience
        assert 'error="invalid_token"' in refused.header("WWW-Authenticate")
    for claims in ({"iss": "https://issuer.example/"}, {"exp": 1}, {"exp": None}, {"nbf": 4102444800}):
        assert status(fleet, bearer(key, **claims)) == 401, claims


# --- scopes ---------------------------------------------------------------------------------------


@pytest.fixture
def scoped(start, issuer, tmp_path):
    return start(jwks_file=tokens.write_key_set(tmp_path / "set", issuer["new"]), scopes=SCOPES)


def open_door(fleet, kind, credential, target="/mcp"):
    door = kind(fleet.port, target)
    door.credential = credential
    if kind is Door:
        door.open()
    return door


def tools_of(door):
    return {tool["name"] for tool in door.post(door.request("tools/list")).json()["result"]["tools"]}


def parameters(challenge):
    scheme, rest = challenge.split(" ", 1)
    assert scheme == "Bearer"
    return dict(part.split("=", 1) for part in rest.replace('"', "").split(", "))


@pytest.mark.parametrize("kind", [Door, Modern])
def test_scopes(scoped, issuer, kind):
    echo = open_door(scoped, kind, bearer(issuer["new"], scope="echo unknown"))
    assert tools_of(echo) == {"one_echo"}
    both = open_door(scoped, kind, bearer(issuer["new"], scp=["echo", "rest"]))
    assert tools_of(both) == {"one_echo", "two_echo"}
    one = open_door(scoped, kind, bearer(issuer["new"], scope="one"))
    assert "one_big" in tools_of(one) and all(name.startswith("one_") for name in tools_of(one))
    none = kind(scoped.port)
    none.credential = bearer(issuer["new"], scope="unknown")
    assert none.post(none.request("tools/list")).status == 403


@pytest.mark.parametrize("kind", [Door, Modern])
def test_a_call_that_takes_another_scope(scoped, issuer, kind):
    door = open_door(scoped, kind, bearer(issuer["new"], scope="echo"))
    good = door.post(door.call("one_echo", {"text": "x"}))
    assert good.status == 200 and good.json()["result"]
    for tool, scopes in (("one_big", "echo one"), ("two_echo", "echo rest")):
        call = door.call(tool)
        refused = door.post(call)
        assert (refused.status, refused.header("Content-Type")) == (403, "application/json")
        said = parameters(refused.header("WWW-Authenticate"))
        assert (said["error"], said["scope"]) == ("insufficient_scope", scopes)
        assert said["resource_metadata"] == f"http://127.0.0.1:{scoped.port}/.well-known/oauth-protected-resource/mcp"
        error = refused.json()
        assert error["id"] == call["id"] and error["error"]["code"] == -32602
        assert scopes in error["error"]["message"]
    for tool in ("two_big", "nothing"):  # no scope reaches it; there is no such tool
        unknown = door.post(door.call(tool))
        assert unknown.status == 200 and unknown.header("WWW-Authenticate") is None
        assert unknown.json()["error"] == {"code": -32602, "message": f"Unknown tool: {tool}"}
    assert door.post(door.call("one_echo", {"text": "y"})).status == 200  # the session goes on
    # With the scopes that were asked for the same session goes on.
    door.credential = bearer(issuer["new"], scope="echo one")
    assert door.post(door.call("one_big", {"bytes": 10})).json()["result"]


def test_at_an_endpoint_of_a_domain(scoped, issuer):
    door = open_door(scoped, Modern, bearer(issuer["new"], scope="echo"), "/one/mcp")
    refused = door.post(door.call("one_big"))
    assert refused.status == 403
    assert parameters(refused.header("WWW-Authenticate"))["resource_metadata"].endswith("/one/mcp")


def test_a_key_learns_nothing(scoped, issuer, tmp_path):
    """A key cannot be had with more scopes: what is not for it does not exist."""
    keys = doorkeys.Keys(tmp_path).add("narrow", tools=["one_echo"]).save()
    fleets.wait_until(lambda: status(scoped, keys.bearer("narrow")) == 200, 5, "the key is known")
    door = open_door(scoped, Modern, keys.bearer("narrow"))
    hidden, unknown = door.post(door.call("one_big")), door.post(door.call("nothing"))
    assert hidden.status == unknown.status == 200
    assert hidden.json()["error"]["message"].replace("one_big", "nothing") == unknown.json()["error"]["message"]


def test_over_sse_and_in_batches(scoped, issuer):
    """Where an answer has no status of its own it says the same in words."""
    with wire.Session(scoped.port, headers=bearer(issuer["new"], scope="echo"), version="2025-03-26") as session:
        session.initialize()
        error = session.call("one_big")["error"]
        assert error["code"] == -32602 and error["message"].endswith("it takes echo one")
        assert session.call("two_big")["error"]["message"] == "Unknown tool: two_big"
        assert session.call("one_echo", {"text": "x"})["result"]
    door = Door(scoped.port, version="2025-03-26")
    door.credential = bearer(issuer["new"], scope="echo")
    door.open()
    answers = door.post([door.call("one_big"), door.call("one_echo", {"text": "x"})])
    assert answers.status == 200
    assert sorted("error" in answer for answer in json.loads(answers.body)) == [False, True]


def test_what_the_operator_is_told(scoped, issuer):
    door = open_door(scoped, Modern, bearer(issuer["new"], scope="echo", sub="ann"))
    assert door.post(door.call("one_big")).status == 403
    fleets.wait_until(lambda: "refused a call of a tool with 403: the scopes that it needs are: echo one" in scoped.log(), 5,
                      "the refusal is logged")
    line = next(line for line in scoped.log().splitlines() if "the scopes that it needs" in line)
    assert "key=ann" in line and "client_ip=127.0.0.1" in line
