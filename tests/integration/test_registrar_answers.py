"""mcp-fleet-registrar and gateways that answer in other ways than the one that is installed: older ones,
asynchronous ones, limited ones, broken and hostile ones. Quick, so they run under sanitizers too."""

import email.utils
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import threading
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

    def make(gateway, tell=True, folder=tmp_path, **settings):
        new = registrars.Registrar(folder, gateway, TOOLS, **{
            "url": gateway.url, "public_url": "http://127.0.0.1:1", "interval_ms": 500, **settings})
        started.append(new)
        if tell:
            new.tell_all()
        return new

    yield make
    for each in started:
        each.stop()


@pytest.fixture
def start_other(start, tmp_path):
    """A second fleet, with a folder of its own."""
    def make(gateway, **settings):
        folder = tmp_path / "other"
        folder.mkdir(exist_ok=True)
        return start(gateway, folder=folder, **settings)

    return make


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

    # Somebody's edit wiped the credentials; then put others in their place, which look the same.
    registrar.wait_registered()
    entry = next(iter(gateway.entries.values()))
    entry.update(authType=None, authToken=None)
    registrar.wait_state(lambda report: report["counters"]["updates"] == 4, what="the key is back")
    registrar.wait_registered()
    entry.update(version=entry["version"] + 1)
    registrar.wait_state(lambda report: report["counters"]["updates"] == 5, what="the key is back again")
    assert [request[3] for request in gateway.requests if request[0] == "PUT"][-1]["auth_token"] == "second-key-for-the-peers"
    assert entry["authToken"] == "*****" and gateway.count("DELETE") == 0
    registrar.wait_registered()
    registrar.wait_round()
    assert gateway.count("PUT") == 5
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
    gateway.rules.clear()
    registrar.wait_registered("alpha")
    assert registrar.domain("alpha")["error"] is None


def test_what_is_refused_is_tried_more_and_more_rarely(make_gateway, start):
    """First within an interval; and at once when it is another thing, or the gateway was away."""
    gateway = make_gateway()
    times = []

    def refuse(handler):
        times.append(time.monotonic())
        handler.reply(422, {"detail": "An error occurred, please try again."})

    gateway.rule("POST", "gateways", times=1000, act=refuse)
    registrar = start(gateway, tell=False)
    registrar.tell_settings()
    registrar.tell_domain("alpha")
    fleets.wait_until(lambda: len(times) == 4, 15, "four tries")
    assert times[3] - times[2] > 1.5 * (times[1] - times[0])
    registrar.tell_settings(interval_ms=60000)
    tried = fleets.wait_until(lambda: len(times) > 4 and len(times), 5, "one more, for new settings")
    registrar.tell_domain("alpha", description="Something else")
    fleets.wait_until(lambda: len(times) > tried, 5, "one more, for something else")
    registrar.wait_state(lambda report: registrar.states(report)["alpha"] == "refused", what="refused")

    registrar.tell_settings(interval_ms=3600000)
    fleets.wait_until(lambda: len(times) > tried + 1, 5, "one more, for new settings")
    gateway.rule("GET", "gateways", status=500, body={"message": "Unexpected error"})
    assert registrar.result("registrar/check")["gateway"]["state"] == "unreachable"
    gateway.rules.clear()
    registrar.wait_registered("alpha")


def test_what_is_not_known_is_kept_and_what_is_not_ready_waits(make_gateway, start):
    gateway = make_gateway()
    registrar = start(gateway, tell=False, domains=["alpha", "beta", "gamma"])
    registrar.tell_settings()
    registrar.tell_domain("alpha")
    registrar.tell_domain("beta", is_ready=False, tools=[])
    registrar.wait_registered("alpha")
    assert registrar.states() == {"alpha": "registered", "beta": "waiting", "gamma": "waiting"}
    assert registrar.domain("beta")["error"] == "it is starting"
    report = registrar.result("registrar/register", {"timeout_ms": 500})
    assert registrar.states(report)["beta"] == "waiting"
    registrar.tell_domain("beta")
    registrar.wait_registered("alpha", "beta")

    # After a restart nothing is known of them: they stay.
    registrar.stop()
    registrar.start().tell_settings()
    registrar.wait_state(lambda report: report["counters"]["rounds"] >= 1, what="a round")
    assert_peace(gateway, registrar)
    assert gateway.count("POST") == 2 and gateway.count("PUT", "DELETE") == 0


def test_switched_off_and_then_not_configured_any_more(make_gateway, start):
    """The one is an operator's, and left so; with the other there is no reason for it to stay."""
    gateway = make_gateway()
    registrar = start(gateway)
    registrar.wait_registered()
    beta = next(entry for entry in gateway.entries.values() if entry["name"] == "fleet-beta")
    beta.update(enabled=False, description="By hand")
    said = registrar.domain("beta", registrar.wait_state(
        lambda report: registrar.states(report)["beta"] == "disabled", what="beta is disabled"))
    assert "switched off" in said["error"] and said["remedy"]
    assert_peace(gateway, registrar)
    assert beta["enabled"] is False

    # Its tags were taken away, and the gateway does not want to delete it at once: it is not forgotten.
    beta.update(tags=[])
    gateway.rule("DELETE", "gateways", times=2, status=500, body={"message": "Unexpected error"})
    registrar.tell_settings(domains=["alpha"])
    registrar.wait_state(lambda report: registrar.states(report).get("beta") == "degraded", what="beta is still there")
    registrar.wait_state(lambda report: "beta" not in registrar.states(report), what="beta is forgotten")
    assert gateway.count("DELETE") == 3
    assert [entry["name"] for entry in gateway.entries.values()] == ["fleet-alpha"]

    # It comes back, as a domain like any other.
    registrar.tell_settings(domains=["alpha", "beta"])
    registrar.tell_domain("beta")
    registrar.wait_state(lambda report: "beta" in registrar.states(report), what="beta is known")
    registrar.wait_registered()


def test_check_names_what_is_one_too_many(make_gateway, start):
    gateway = make_gateway()
    registrar = start(gateway, interval_ms=3600000)
    registrar.wait_registered()
    gateway.strangers = [{**gateway.show(next(iter(gateway.entries.values()))), "id": "f" * 32, "createdAt": "2027-01-01"}]
    assert [each["action"] for each in registrar.result("registrar/check")["drift"]] == ["delete"]
    assert gateway.count("DELETE") == 0
    registrar.result("registrar/reconcile")
    assert gateway.strangers == [] and len(gateway.entries) == 2
    assert registrar.result("registrar/check")["drift"] == []


def test_settings_twice_and_tools_that_change_in_a_round(make_gateway, start):
    """What is told while a request waits counts behind the round, the last word of it."""
    gateway = make_gateway()
    registrar = start(gateway, interval_ms=3600000)
    registrar.wait_registered()
    held = threading.Event()

    def hold(handler):
        held.wait(10)
        handler.reply(*gateway.serve(handler.command, handler.path, handler.headers, None))

    gateway.rule("GET", "gateways", act=hold)
    asked = registrar.start_request("registrar/reconcile")
    fewer = TOOLS["alpha"][:2]
    registrar.tell_settings(name_prefix="first-")
    registrar.tell_domain("alpha", tools=TOOLS["alpha"] + TOOLS["beta"])
    registrar.tell_settings(name_prefix="second-")
    gateway.tools = {**TOOLS, "alpha": fewer}
    registrar.tell_domain("alpha", tools=fewer)
    held.set()
    registrar.wait(asked)
    registrar.wait_state(lambda report: report["counters"]["updates"] == 2, what="two updates")
    registrar.wait_registered()
    assert registrar.domain("alpha")["tools_found"] == 2
    assert sorted(entry["name"] for entry in gateway.entries.values()) == ["second-alpha", "second-beta"]
    assert gateway.count("POST") == 2 and gateway.count("PUT") == 2 and gateway.count("DELETE") == 0


def test_a_token_file_that_goes_and_comes_back(make_gateway, start):
    """It is looked at although the next round is far away; and never told."""
    gateway = make_gateway()
    registrar = start(gateway, tell=False, interval_ms=3600000)
    registrar.write_token("nonsense-token-that-is-refused")
    registrar.tell_all()
    report = registrar.result("registrar/register", {"timeout_ms": 30000})
    assert report["gateway"]["state"] == "refused"
    assert "401" in report["gateway"]["error"] and "token" in report["gateway"]["remedy"]
    registrar.token_file.unlink()
    registrar.wait_state(lambda report: "cannot be used" in (report["gateway"]["error"] or ""), what="no token")
    registrar.write_token(gateway.token)
    registrar.wait_registered()
    registrar.token_file.chmod(0o644)
    registrar.result("registrar/reconcile")
    assert "give it mode 0600" in registrar.log()
    kept = (registrar.folder / "registration.json").read_text()
    assert "nonsense-token" not in registrar.log() + kept and gateway.token not in registrar.log() + kept


def test_a_token_that_is_mended_at_the_gateway(make_gateway, start):
    """Its file stays as it is: only asking shows it."""
    gateway = make_gateway()
    registrar = start(gateway)
    registrar.wait_registered()
    right, gateway.token = gateway.token, "another one"
    wait_contact(registrar, "refused")
    gateway.token = right
    registrar.wait_registered(timeout=5)
    assert gateway.count("POST", "PUT", "DELETE") == 2


@pytest.mark.parametrize("status, when", [(503, "seconds"), (429, "date"), (503, "date")])
def test_it_says_when_to_come_again(make_gateway, start, status, when):
    gateway = make_gateway()
    registrar = start(gateway)
    registrar.wait_registered()
    after = "4" if when == "seconds" else email.utils.formatdate(time.time() + 4, usegmt=True)
    gateway.rule("GET", "gateways", status=status, headers={"Retry-After": after}, body={"detail": "Not now"})
    said = wait_contact(registrar, "rate_limited")
    assert str(status) in said["error"] and said["remedy"] and 1000 < said["next_try_ms"] <= 4000
    asked = len(gateway.requests)
    registrar.result("registrar/reconcile")
    assert len(gateway.requests) == asked
    wait_contact(registrar, "connected")


def test_a_name_that_is_taken_by_our_own_late_request(make_gateway, start):
    """A 409 is looked into before it is told: the entry may be ours, of a request whose answer was lost."""
    gateway = make_gateway()

    def take_late(handler):
        handler.reply(409, {"message": "Gateway name already exists"})
        gateway.write({"id": "0" * 32, "looks": 0}, gateway.requests[-1][3])

    gateway.rule("POST", "gateways", act=take_late)
    registrar = start(gateway, tell=False)
    registrar.tell_settings()
    registrar.tell_domain("alpha")
    report = registrar.result("registrar/register", {"domains": ["alpha"], "timeout_ms": 20000})
    assert registrar.states(report)["alpha"] == "registered", report
    assert gateway.count("POST") == 1 and len(gateway.entries) == 1


@pytest.mark.parametrize("edit", [
    {"name": "mine", "slug": "mine"}, {"url": "http://localhost:2/alpha/sse"}, {"transport": "STREAMABLEHTTP"},
    {"description": "Mine"}, {"description": None}, {"visibility": "private"}, {"tags": []}, {"tags": [{"id": "mine"}]},
    {"tags": [{"id": "mcp-fleet"}]}, {"tags": [{"id": "mcp-fleet"}, {"id": "mcp-fleet-0123456789ab"}]},
    {"authType": "basic"}, {"reachable": False},
    {"name": "mine", "slug": "mine", "url": "http://localhost:2/", "tags": [], "transport": "STREAMABLEHTTP"},
], ids=lambda edit: ",".join(edit))
def test_an_entry_edited_by_hand(make_gateway, start, edit):
    """Whatever is changed of it, it is put right, once, and nothing is made or deleted."""
    gateway = make_gateway()
    registrar = start(gateway)
    registrar.wait_registered()
    entry = next(entry for entry in gateway.entries.values() if entry["name"] == "fleet-alpha")
    before = dict(entry)
    entry.update(edit)
    registrar.wait_state(lambda report: report["counters"]["updates"] == 1, what="an update")
    registrar.wait_registered()
    registrar.wait_round()
    volatile = ("lastSeen", "version", "authType")
    assert {name: entry[name] for name in before if name not in volatile} == {
        name: before[name] for name in before if name not in volatile}
    assert entry["authType"] in (None, "none")
    assert gateway.count("POST") == 2 and gateway.count("PUT") == 1 and gateway.count("DELETE") == 0


def assert_peace(gateway, *registrars_):
    """Nobody writes any more."""
    writes = gateway.count("POST", "PUT", "DELETE")
    for each in registrars_:
        each.wait_round()
        each.wait_round()
    assert gateway.count("POST", "PUT", "DELETE") == writes


def wait_foreign(registrar):
    report = registrar.wait_state(lambda report: set(registrar.states(report).values()) == {"foreign"}, what="foreign")
    assert all("not ours" in domain["error"] and domain["remedy"] for domain in report["domains"])


def test_two_fleets_with_one_prefix(make_gateway, start, start_other):
    """The second one sees that, and touches nothing; when the first one goes, it comes to its own."""
    gateway = make_gateway()
    one = start(gateway)
    one.wait_registered()
    other = start_other(gateway, public_url="http://127.0.0.1:2")
    wait_foreign(other)
    assert_peace(gateway, one, other)
    one.result("registrar/unregister")
    other.wait_registered()
    assert_peace(gateway, one, other)
    assert all(":2/" in entry["url"] for entry in gateway.entries.values())


def test_the_state_of_another_machine(make_gateway, start, start_other, tmp_path):
    """A copy of the state folder makes another fleet where the address is another one: no fight."""
    gateway = make_gateway()
    one = start(gateway)
    one.wait_registered()
    one.wait_round()
    kept = json.loads((tmp_path / "registration.json").read_text())
    kept["host"] = "0" * 32  # as the other machine sees it
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "registration.json").write_text(json.dumps(kept))
    other = start_other(gateway, public_url="http://127.0.0.1:2")
    wait_foreign(other)
    assert "comes from another machine" in other.log()
    assert_peace(gateway, one, other)
    assert gateway.count("POST", "PUT", "DELETE") == 2


def test_another_address_is_the_same_fleet(make_gateway, start):
    """On the same machine: its entries are changed, not made anew; also when the state is lost afterwards."""
    gateway = make_gateway()
    registrar = start(gateway)
    registrar.wait_registered()
    numbers = set(gateway.entries)
    registrar.tell_settings(public_url="http://127.0.0.1:2")
    registrar.wait_state(lambda report: report["counters"]["updates"] == 2, what="two updates")
    registrar.wait_registered()
    registrar.stop()
    (registrar.folder / "registration.json").unlink()
    registrar.start().tell_all()
    registrar.wait_registered()
    assert_peace(gateway, registrar)
    assert set(gateway.entries) == numbers and gateway.count("POST", "PUT", "DELETE") == 4


def test_an_address_that_every_machine_has(make_gateway, start, start_other):
    """Told to a gateway that is elsewhere, it is not taken for that of the fleet beside the gateway."""
    gateway = make_gateway()
    start(gateway).wait_registered()
    gateway.prefix = "http://gateway.test/v1"  # reached by the proxy, which this is as well
    other = start_other(gateway, tell=False)
    other.stop()
    other.environment = {"http_proxy": gateway.url}
    other.start()
    other.settings.update(url="http://gateway.test", domains=["alpha"])
    other.tell_all()
    wait_foreign(other)
    assert_peace(gateway, other)
    assert gateway.count("POST", "PUT", "DELETE") == 2


def test_names_are_shown_without_what_they_hide(make_gateway, start):
    gateway = make_gateway()
    registrar = start(gateway)
    registrar.wait_registered()
    ours = next(iter(gateway.entries.values()))
    gateway.strangers = [{**gateway.show(ours), "id": "f" * 32, "slug": "left", "url": "http://localhost:3/",
                          "name": f"left\x1b[31m over {gateway.token}\n{'x' * 5000}"}]
    report = registrar.wait_state(lambda report: report["counters"]["deletes"] == 1, what="it is deleted")
    text = json.dumps(report) + registrar.log()
    assert "left [31m over [hidden] xx" in registrar.log()
    assert gateway.token not in text and "\x1b" not in registrar.log() and "x" * 500 not in text


@pytest.mark.parametrize("item", [b"{},", b"[],", b"0,", b'"",'])
def test_millions_of_things(make_gateway, start, item):
    """Answers that are a hundred times their length in memory are not read."""
    gateway = make_gateway()
    registrar = start(gateway)
    registrar.wait_registered()
    gateway.rule("GET", "gateways", body=b"[" + item * (15 * 2**20 // len(item)) + b"0]")
    assert wait_contact(registrar, "unreachable")["error"]
    wait_contact(registrar, "connected")
    assert gateway.count("POST", "PUT", "DELETE") == 2
    status = pathlib.Path(f"/proc/{registrar.process.pid}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0])
    assert peak < 150 * 1024 or fleets.sanitizer_environment()


def test_an_answer_that_drips(make_gateway, start):
    """A byte now and then does not make the time longer; and the link is served."""
    gateway = make_gateway()
    registrar = start(gateway)
    registrar.wait_registered()

    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(200):
                handler.wfile.write(b" ")
                time.sleep(0.2)
        except OSError:
            pass
        handler.close_connection = True

    gateway.rule("GET", "gateways", act=drip)
    since = time.monotonic()
    asked = registrar.start_request("registrar/reconcile")
    assert registrar.ask("ping", timeout=2)["result"] == {}
    assert registrar.ask("tools/list", timeout=2)["error"]["code"] == -32601
    assert registrar.wait(asked, 20)["result"]["gateway"]["state"] == "unreachable"
    assert time.monotonic() - since > 8
    registrar.wait_registered()


def test_no_core(tmp_path):
    """It holds the token in its memory: that is not for a file, nor for a debugger."""
    def ends_with_core(command):
        process = subprocess.Popen(
            command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2))
        process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGQUIT)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -signal.SIGQUIT
        process.stdin.close()
        process.stdout.close()
        assert os.WIFSIGNALED(status)
        return os.WCOREDUMP(status)

    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY or not ends_with_core(["cat"]):
        pytest.skip("no program leaves a core here")
    assert not ends_with_core([fleets.build_dir() / "mcp-fleet-registrar"])


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


def make_certificate(folder, name):
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name}", "-keyout", paths[1], "-out", paths[0]],
                   check=True, capture_output=True, timeout=60)
    return paths


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost")


def test_tls(make_gateway, start, certificate, tmp_path):
    gateway = make_gateway(tls=certificate)
    # With the system's bundle it would be the same, but that takes sanitizers longer to read than a request may last.
    registrar = start(gateway, ca_file=str(make_certificate(tmp_path, "another")[0]))
    contact = wait_contact(registrar, "unreachable")
    assert "certificate" in contact["error"] and "ca_file" in contact["remedy"]
    assert gateway.requests == []
    registrar.tell_settings(ca_file=str(certificate[0]))
    registrar.wait_registered()
    registrar.tell_settings(ca_file="", verify=False)
    registrar.wait_round()
    assert registrar.report["gateway"]["state"] == "connected"
    assert "certificate is not checked" in registrar.log()


def test_tls_with_a_certificate_of_ours(make_gateway, start, certificate, tmp_path):
    """A gateway that asks for one gets it; with another one, or without, nothing is sent."""
    mine, key = make_certificate(tmp_path, "fleet")
    gateway = make_gateway(tls=certificate, client_ca=mine)
    registrar = start(gateway, ca_file=str(certificate[0]))
    contact = wait_contact(registrar, "unreachable")
    assert contact["error"] and contact["remedy"]  # the words depend on whether its alert came before its end
    registrar.tell_settings(client_cert=str(certificate[0]), client_key=str(certificate[1]))
    registrar.wait_round()
    assert registrar.report["gateway"]["state"] == "unreachable" and gateway.requests == []
    registrar.tell_settings(client_cert=str(mine), client_key=str(key))
    registrar.wait_registered()

    # Both in one file; then one that is not there.
    both = tmp_path / "both.pem"
    both.touch(mode=0o600)
    both.write_bytes(mine.read_bytes() + key.read_bytes())
    registrar.tell_settings(client_cert=str(both), client_key="")
    registrar.wait_round()
    assert registrar.report["gateway"]["state"] == "connected"
    registrar.tell_settings(client_cert=str(tmp_path / "nothing"))
    contact = wait_contact(registrar, "unreachable")
    assert "certificate" in contact["error"] and "client_cert" in contact["remedy"]


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
