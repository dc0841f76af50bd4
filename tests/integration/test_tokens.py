"""Tokens in a daemon: what it needs to begin, where it gets its keys, what it tells clients of the issuer."""

import json
import signal

import pytest

import fleet as fleets
import tokens

pytestmark = pytest.mark.sanitizers

META = "/.well-known/oauth-protected-resource"


@pytest.fixture(scope="module")
def keys():
    return {"old": tokens.Key("RS256", "old"), "new": tokens.Key("ES256", "new")}


def auth(**more):
    return {"auth": {"issuer": tokens.ISSUER, "audience": [tokens.AUDIENCE], **more}}


def read_meta(fleet, path=""):
    answer = fleet.get(META + path)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def test_metadata(start_fleet, tmp_path, keys):
    fleet = start_fleet(settings=auth(
        jwks_file=tokens.write_key_set(tmp_path / "keys", keys["old"]),
        scopes={"fleet:utils": {"domains": ["utils"]}, "offline_access": {}}))
    meta = read_meta(fleet, "/mcp")
    assert meta["resource"].endswith(f":{fleet.port}/mcp") and meta["resource"].startswith("http://")
    assert meta["authorization_servers"] == [tokens.ISSUER]
    assert meta["scopes_supported"] == ["fleet:utils"]
    assert meta["bearer_methods_supported"] == ["header"]
    assert read_meta(fleet)["resource"] == meta["resource"].removesuffix("/mcp")
    assert read_meta(fleet, "/utils/sse")["resource"].endswith("/utils/sse")
    assert read_meta(fleet, "/nothing/mcp")["resource"].endswith("/nothing/mcp")  # which domains there are is not told
    for path in ("/health", "/No/mcp", "/mcp/more", "/%2e%2e/mcp"):
        assert fleet.get(META + path).status == 404, path


def test_no_metadata_without_an_issuer(start_fleet):
    assert start_fleet().get(META + "/mcp").status == 404


@pytest.mark.parametrize(("setting", "text", "mode", "words"), [
    ("secret_file", "short", 0o600, "a secret for HS256 has 32 to 4096 bytes, this one 5"),
    ("secret_file", "s" * 48, 0o644, "is not closed to others"),
    ("jwks_file", "{}", 0o644, "it is no key set"),
    ("jwks_file", None, 0o644, "cannot read"),
])
def test_files_that_do_not_fit(start_fleet, tmp_path, setting, text, mode, words):
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    fleet = start_fleet(settings=auth(**{setting: str(path)}), start=False)
    fleet.expected_exit = 1
    fleet.start(wait=False)
    fleet.process.wait(20 * fleets.SLOWNESS)
    assert words in fleet.log()


def test_a_reload_with_such_a_file(start_fleet, tmp_path, keys):
    good = tokens.write_key_set(tmp_path / "keys", keys["old"])
    fleet = start_fleet(settings=auth(jwks_file=good))
    (tmp_path / "keys").write_text("{}")
    fleet.signal(signal.SIGHUP)
    fleets.wait_until(lambda: "reload refused" in fleet.log(), 10, "the reload is refused")
    tokens.write_key_set(tmp_path / "keys", keys["old"], keys["new"])
    fleet.signal(signal.SIGHUP)
    fleets.wait_until(lambda: f"keys of tokens from {good}: 2" in fleet.log(), 10, "the new keys are read")


def test_keys_are_fetched(start_fleet, keys):
    """By the courier; a server that fails is asked again, and what it says then holds."""
    with tokens.KeySetServer(keys["old"], {"kty": "oct", "k": "AAAA"}) as server:
        server.answer = (500, {}, b"no")
        fleet = start_fleet(settings=auth(jwks_url=server.url + "?secret=x"))
        fleet.check_fds = False  # the link to the courier
        fleets.wait_until(lambda: "was answered with status 500" in fleet.log(), 10, "a fetch has failed")
        server.answer = None
        line = f"keys of tokens from {server.url}: 1 of use, 1 not used"
        fleets.wait_until(lambda: line in fleet.log(), 15, "the keys have come")
        assert server.n_requests == 2
        assert "secret=x" not in fleet.log()
