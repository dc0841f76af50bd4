"""Who was turned away is in the audit: where from, why, at which endpoint, for whom it was known; never what was shown.
A peer cannot fill the disk with it, and hides nobody else."""

import json
import ssl

import certs
import doorkeys
import fleet as fleets
import pytest
import tokens
import wire
from streamable import Door, Modern
from tlsdoor import connect

pytestmark = pytest.mark.sanitizers

STRANGER = "mcpf_aaaaaaaa_" + "A" * 43


@pytest.fixture
def keys(tmp_path):
    return doorkeys.Keys(tmp_path)


@pytest.fixture
def start(start_fleet, tmp_path, keys):
    def make(settings=None, **options):
        keys.save()
        fleet = start_fleet({"one": fleets.fake_domain("one"), "two": fleets.fake_domain("two")},
                            fleets.merge({"audit": {"target": str(tmp_path / "audit.jsonl")}}, settings or {}), **options)
        fleet.check_fds = False
        return fleet
    return make


@pytest.fixture
def records(tmp_path):
    """Those of refusals, without what each has: event and time."""
    def read():
        made = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
        return [{name: value for name, value in record.items() if name not in ("event", "time")}
                for record in made if record["event"] == "refused" and record["time"].endswith("Z")]
    return read


def ask(fleet, method, target, headers=None, body=None):
    with fleet.connect(timeout=10 * fleets.SLOWNESS) as connection:
        connection.request(method, target, headers or {}, body)
        return connection.read_response(method)


def test_what_is_recorded(start, keys, records, tmp_path):
    keys.add("narrow", domains=["one"]).add("late", expires=doorkeys.when(-5))
    issuer = tokens.Key("ES256", "k")
    fleet = start({"auth": {"issuer": tokens.ISSUER, "audience": [tokens.AUDIENCE],
                            "jwks_file": tokens.write_key_set(tmp_path / "set", issuer)}})
    token = issuer.sign(tokens.claims(aud="somebody else"))
    asked = [
        ("GET", "/sse", {}, 401, "no_credential"),
        ("POST", "/one/mcp", {"Authorization": f"Bearer {STRANGER}"}, 401, "bad_credential"),
        ("GET", "/one/sse", {"X-API-Key": keys.text["late"]}, 401, "expired"),
        ("GET", "/sse", {"Authorization": f"Bearer {token}"}, 401, "bad_credential"),
        ("GET", "/two/sse", keys.bearer("narrow"), 403, "forbidden"),
        ("GET", "/sse", {"Authorization": "Bearer"}, 400, "bad_request"),
        ("GET", f"/sse?access_token={STRANGER}", {}, 401, "no_credential"),
        ("GET", "/sse", {"Origin": "https://evil.example"}, 403, "origin"),
        ("GET", "/nothing/of/the/kind", {}, 401, "no_credential"),
    ]
    for method, target, headers, status, _ in asked:
        assert ask(fleet, method, target, headers).status == status
    found = records()
    assert [(record["status"], record["reason"]) for record in found] == [(status, reason) for *_, status, reason in asked]
    assert all(record["client_ip"] == "127.0.0.1" and record["why"] for record in found)
    assert found[1]["method"] == "POST" and found[1]["endpoint"] == "/mcp" and found[1]["domain"] == "one"
    assert (found[2]["key"], found[2]["kind"]) == ("late", "key")
    assert "audience" in found[3]["why"] and "key" not in found[3]
    assert (found[4]["key"], found[4]["domain"]) == ("narrow", "two")
    assert "endpoint" not in found[8]
    text = (tmp_path / "audit.jsonl").read_text()
    for secret in (STRANGER, keys.text["late"], keys.text["narrow"], token, token.rsplit(".", 1)[1], "evil", "kind/of"):
        assert secret not in text


def test_limits_and_sessions_of_others(start, keys, records):
    keys.add("owner").add("thief", rate=1, burst=2)
    fleet = start()
    door = Door(fleet.port)
    door.credential = keys.bearer("owner")
    door.open()
    door.credential = keys.bearer("thief")
    assert door.post(door.request("ping")).status == 404
    fleets.wait_until(lambda: ask(fleet, "HEAD", "/sse", keys.bearer("thief")).status == 429, 10, "the limit is reached")
    stolen, limited = records()[:2]
    assert (stolen["reason"], stolen["status"], stolen["key"], stolen["owner"]) == ("foreign_session", 404, "thief", "owner")
    assert (limited["reason"], limited["status"], limited["key"]) == ("limits.per_key.rate", 429, "thief")
    assert limited["endpoint"] == "/sse"
    assert door.id not in json.dumps(records())


def test_a_flood(start, keys, records):
    """Of one address a few in ten seconds; another one is seen all the same, and the sum is right."""
    keys.add("one")
    fleet = start()
    with fleet.connect() as connection:
        for i in range(300):
            connection.request("HEAD", "/sse", {"X-API-Key": f"wrong-{i}"})
            assert connection.read_response("HEAD").status == 401
    assert 10 <= len(records()) <= 40
    ask_from(fleet, "127.0.0.2")
    found = records()
    assert found[-1]["client_ip"] == "127.0.0.2"
    assert sum(1 + record.get("left_out", 0) for record in found) == 301


def ask_from(fleet, address):
    with wire.Connection(fleet.port, source=address) as connection:
        connection.request("HEAD", "/sse")
        assert connection.read_response("HEAD").status == 401


def test_in_the_log(start_fleet, keys):
    keys.add("one").save()
    fleet = start_fleet(settings={"audit": {"target": "log"}, "log": {"level": "error", "format": "json"}})
    assert ask(fleet, "HEAD", "/sse").status == 401
    line = json.loads(fleets.wait_until(lambda: next((line for line in fleet.log().splitlines() if '"audit"' in line), None),
                                        5, "the record is in the log"))
    assert line["audit"]["event"] == "refused" and line["audit"]["reason"] == "no_credential"
    assert line["client_ip"] == "127.0.0.1"


def test_certificates(start_tls, authority, keys, records, tmp_path):
    keys.add("ci", certificates=["ci"]).save()
    fleet = start_tls({"client_ca_file": authority.path, "client_crl_file": authority.write_crl(77)},
                      {"audit": {"target": str(tmp_path / "audit.jsonl")}})
    other = certs.Authority(tmp_path, "Other authority")
    for shown in (other.write_client("foreign"), authority.write_client("ci", serial=77)):
        with pytest.raises((ssl.SSLError, ConnectionError)), connect(fleet, authority.context(shown)) as connection:
            connection.request("HEAD", "/sse")
            connection.read_response("HEAD")
    with connect(fleet, authority.context(authority.write_client("nobody"))) as connection:
        connection.request("HEAD", "/sse")
        assert connection.read_response("HEAD").status == 401
    fleets.wait_until(lambda: len(records()) >= 3, 5, "they are recorded")
    foreign, revoked, unknown = records()
    assert (foreign["reason"], revoked["reason"]) == ("tls", "tls")
    assert "not vouched for" in foreign["why"] and "revoked" in revoked["why"]
    assert unknown["why"] == "no name of this certificate stands for a key" and unknown["status"] == 401


def test_a_key_that_ends_while_a_body_comes(start, keys, records):
    keys.add("gone").add("other")
    fleet = start()
    body = json.dumps(Modern(0).request("tools/list"))
    with wire.Connection(fleet.port, timeout=10 * fleets.SLOWNESS) as connection:
        heads = {**Modern(0).headers(Mcp_Method="tools/list"), **keys.bearer("gone"), "Content-Length": str(len(body)),
                 "Expect": "100-continue"}
        connection.request("POST", "/mcp", heads)
        assert connection.read_response("POST").status == 100  # the head has been let in
        connection.send(body[:10])
        del keys.entries["gone"]
        keys.save()
        fleets.wait_until(lambda: ask(fleet, "HEAD", "/sse", keys.bearer("gone")).status == 401, 5, "the key is gone")
        connection.send(body[10:])
        assert connection.read_response("POST").status == 401
    last = records()[-1]
    assert (last["reason"], last["status"], last["key"], last["endpoint"]) == ("expired", 401, "gone", "/mcp")
