"""One command registers the fleet with the real gateway, and it stays so: whatever happens to either of
them, each domain is there once with all its tools within an interval of the gateway's return, the status
says the truth meanwhile, and its tools can be called through the gateway."""

import json
import os
import pathlib
import signal
import ssl

import pytest

import doorkeys
import fleet as fleets
import metrics
import registration
import relay as relays
import wire
from registration import BOUND, DOMAINS, INTERVAL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def caller(envs):
    started = registration.Caller(envs)
    yield started
    started.close()


@pytest.fixture
def token(gateway):
    """One that may do what doc/registration.md names, and nothing more."""
    return gateway.make_api_token(f"fleet-{os.urandom(4).hex()}")[1]


def only_utils():
    return {"utils": {}}


@pytest.fixture
def rig(request, gateway, caller, token, repository, tmp_path):
    """rig(domains=…, **settings of the gateway): a fleet that is not registered yet. Afterwards the gateway is empty."""
    made = []
    request.node.fleets = []

    def make(domains=None, start=True, prefix="fleet-", **settings):
        folder = tmp_path / f"at-{prefix}"
        folder.mkdir()
        admin = fleets.free_port()
        fleet = fleets.Fleet(folder, domains or registration.all_domains(repository), {
            "admin": {"listen": f"127.0.0.1:{admin}"},
            "gateway": {"interval": f"{int(INTERVAL * 1000)}ms", "name_prefix": prefix, **settings}})
        fleet.admin = admin
        request.node.fleets.append(fleet)
        new = registration.Rig(gateway, fleet, caller, token, repository, prefix)
        made.append(new)
        return new.start() if start else new

    yield make
    wire.close_all()
    try:
        for each in made:
            each.check_secrets()
            each.fleet.stop()
    finally:
        for each in made:
            each.fleet.kill_everything()
        if gateway.process is None:
            gateway.start()
        gateway.empty()


@pytest.fixture
def relay():
    """relay(port, …), closed at the end."""
    made = []

    def make(*args, **options):
        made.append(relays.Relay(*args, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


# --- one command ------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["sse", "streamable"])
def test_from_nothing_and_again(rig, transport):
    made = rig(transport=transport)
    assert made.report() is None
    done = made.register()
    lines = {line.split()[0]: line.split() for line in done.lines() if line.split()[0] in DOMAINS}
    for domain in DOMAINS:
        count = len(made.tools(domain))
        assert lines[domain][1:4] == [f"{count}/{count}", "registered", f"fleet-{domain}"], done
        assert made.entry(domain)["transport"] == {"sse": "SSE", "streamable": "STREAMABLEHTTP"}[transport]
    assert sum(len(made.tools(domain)) for domain in DOMAINS) == 105
    assert made.what_is_wrong() is None
    made.call_each()
    samples = metrics.read(made.fleet.admin)
    assert samples["mcp_fleet_gateway_connected"] == 1
    assert samples["mcp_fleet_gateway_creates_total"] == 4
    for domain in DOMAINS:
        assert samples[f'mcp_fleet_gateway_domain_state{{domain="{domain}",state="registered"}}'] == 1
        assert samples[f'mcp_fleet_gateway_tools_found{{domain="{domain}"}}'] == len(made.tools(domain))
    if transport == "streamable":
        return  # what comes then is the same

    before, counters = made.records(), made.counters()
    assert counters == {"creates": 4, "updates": 0, "deletes": 0}
    report = made.register("--json").json()
    assert {each["name"]: each["tools_found"] for each in report["domains"]} == {
        domain: len(made.tools(domain)) for domain in DOMAINS}
    made.wait_rounds(2)
    assert made.ctl("register", "--check").code == 0
    assert made.counters() == counters
    assert made.records() == before


def test_by_the_environment_in_its_sandbox(rig, gateway, token):
    """MCP_GATEWAY_URL and MCPGATEWAY_BEARER_TOKEN do; and the process that holds the token is confined."""
    made = rig(only_utils())
    done = made.ctl("register", env={"MCP_GATEWAY_URL": gateway.url, "MCPGATEWAY_BEARER_TOKEN": token})
    assert done.code == 0, done
    kept = made.fleet.folder / "state" / "gateway.token"
    assert kept.read_text().strip() == token
    assert kept.stat().st_mode & 0o777 == 0o600
    report = made.report()
    assert report["gateway"]["token"]["source"] == "file"
    assert 28 <= report["gateway"]["token"]["days_left"] <= 30

    status = pathlib.Path("/proc", str(report["process"]["pid"]), "status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"
    state = made.fleet.folder / "state" / "registration.json"
    assert state.stat().st_mode & 0o777 == 0o600
    assert json.loads(state.read_text())["domains"]["utils"]["id"] == made.entry("utils")["id"]
    assert str(report["process"]["pid"]) != str(made.fleet.pid)


def test_all_in_a_virtual_server(rig, gateway):
    made = rig()
    report = made.register("--server", "everything", "--json").json()
    server = report["server"]
    assert (server["state"], server["tools_found"], server["tools_wanted"]) == ("registered", 105, 105)
    assert len(made.call_each(path=f"/servers/{server['id']}/mcp")) == 105

    # Deleted by hand, it is made again under its address.
    assert gateway.request("DELETE", f"/v1/servers/{server['id']}")[0] == 200
    fleets.wait_until(lambda: [each["id"] for each in gateway.servers()] == [server["id"]], BOUND, "it is there again")
    fleets.wait_until(lambda: made.report()["server"]["tools_found"] == 105, BOUND, "all tools are in it")
    assert made.ctl("unregister").code == 0
    assert gateway.servers() == gateway.entries() == []


# --- what is changed at the gateway -----------------------------------------------------------------


def test_entries_deleted_and_edited_by_hand(rig, gateway):
    made = rig()
    made.register()
    ids = {domain: made.entry(domain)["id"] for domain in DOMAINS}

    def edit(domain, **fields):
        status, answer = gateway.request("PUT", f"/v1/gateways/{ids[domain]}", fields)
        assert status == 200, answer

    assert gateway.request("DELETE", f"/v1/gateways/{ids['git']}")[0] == 200
    edit("filesystem", name="my files")
    edit("network", url=f"{made.fleet.url}/network/mcp", transport="STREAMABLEHTTP")
    edit("utils", tags=["else"], description="Changed by hand")
    made.wait_right()
    for domain in ("filesystem", "network", "utils"):
        assert made.entry(domain)["id"] == ids[domain]
    assert made.entry("network")["url"].endswith("/network/sse")
    assert made.entry("utils")["description"] != "Changed by hand"
    made.call_each()


def test_switched_off_by_hand_is_left_so(rig, gateway):
    made = rig()
    made.register()
    path = f"/v1/gateways/{made.entry('utils')['id']}/state"
    assert gateway.request("POST", f"{path}?activate=false")[0] == 200
    said = made.wait_domain("utils", "disabled")
    assert "switched off" in said["error"] and "switch it on again" in said["remedy"]
    done = made.register(code=4)
    assert "utils: it was switched off at the gateway" in done.out and "3 of 4 registered" in done.out
    made.wait_rounds(1)
    assert made.entry("utils")["enabled"] is False
    made.call_each(("filesystem", "git", "network"))

    assert gateway.request("POST", f"{path}?activate=true")[0] == 200
    made.wait_right()
    made.call_each()


def test_duplicates_and_what_is_not_ours(rig, relay, gateway):
    made = rig()
    elsewhere = relay(made.fleet.port)
    by_name = gateway.register("fleet-git", f"{elsewhere.url}/git/sse")
    by_url = gateway.register("theirs", f"{made.fleet.url}/network/sse")
    before = made.records()
    done = made.register(code=4)
    assert "2 of 4 registered" in done.out
    for domain, what in (("git", f"its name is taken by the entry {by_name}"), ("network", f"its URL is taken by the entry {by_url}")):
        said = made.domain(domain)
        assert said["state"] == "foreign" and what in said["error"] and "name_prefix" in said["remedy"]
    made.wait_rounds(1)
    assert {key: value for key, value in made.records().items() if key in before} == before
    for entry in (by_name, by_url):
        assert gateway.request("DELETE", f"/v1/gateways/{entry}")[0] == 200
    made.wait_right()

    entry = made.entry("utils")
    status, copy = gateway.request("POST", "/v1/gateways", {
        "name": "fleet-utils-2", "url": f"{made.fleet.url}/utils/sse", "transport": "SSE", "auth_type": "bearer",
        "auth_token": "another", "tags": [tag["id"] for tag in entry["tags"]]})
    assert status == 200, copy
    made.wait_right()
    assert made.entry("utils")["id"] == entry["id"]
    made.call_each()


def test_check_tells_and_changes_nothing(rig, gateway):
    made = rig(interval="1h")
    made.register()
    assert made.ctl("register", "--check", "--json").json()["drift"] == []
    assert gateway.request("DELETE", f"/v1/gateways/{made.entry('utils')['id']}")[0] == 200
    assert gateway.request("PUT", f"/v1/gateways/{made.entry('git')['id']}", {"description": "By hand"})[0] == 200
    before = made.records()
    done = made.ctl("register", "--check")
    assert done.code == 4, done
    assert "utils: it is not registered; to do: create" in done.out
    assert "git: its description differs; to do: update" in done.out
    assert made.records() == before
    made.register()
    assert made.what_is_wrong() is None
    assert made.ctl("register", "--check").code == 0
    made.call_each()


def test_two_fleets_at_one_gateway(rig, gateway):
    one, other = rig(only_utils()), rig({"utils": {}, "network": {}}, prefix="other-")
    one.register()
    other.register()
    assert one.what_is_wrong() is None and other.what_is_wrong() is None
    one.call_each()
    other.call_each()
    before = other.records()
    done = one.ctl("unregister")
    assert done.code == 0 and "1 of 1 unregistered" in done.out
    assert one.ours() == {}
    one.fleet.stop()
    one.fleet.start()
    one.wait_gateway("off")
    assert one.domain("utils")["state"] == "unregistered"
    assert other.records() == {key: value for key, value in before.items() if key[0] != "fleet-utils" and key != "fleet-utils"}
    other.wait_right()


# --- the gateway goes and comes back ----------------------------------------------------------------


def versions(made):
    return {key: value[:-1] for key, value in made.records().items()}


@pytest.mark.parametrize("how", ["restarted", "wiped"])
def test_gateway_goes_and_comes_back(rig, gateway, how):
    made = rig()
    if how == "wiped":
        made.write_token(gateway.token)  # one that is not in its database
    made.register()
    before, counters = versions(made), made.counters()
    gateway.stop(grace=2) if how == "restarted" else gateway.wipe()
    said = made.wait_gateway("unreachable", BOUND)
    assert "onnect" in said["error"] and "check that the gateway runs" in said["remedy"]
    assert said["next_try_ms"] <= INTERVAL * 1000
    assert made.ctl("register", "--check").code == 1
    done = made.register("--timeout", "1", code=1)
    assert "4 of 4 were registered when the gateway was last heard" in done.out
    gateway.start()
    made.wait_right()
    if how == "restarted":
        assert made.counters() == counters
        assert versions(made) == before
    made.call_each()


def test_gateway_is_away_at_first(rig, relay, gateway):
    """For many intervals, as nobody listens at its address; the pauses never grow beyond one of them."""
    made = rig(start=False)
    port = fleets.free_port()
    url = f"http://127.0.0.1:{port}"
    made.fleet.settings["gateway"].update(url=url, token_file=str(made.token_file))
    made.start()
    made.wait_gateway("unreachable")
    done = made.register("--timeout", "1", code=1, url=url)
    assert "0 of 4 registered" in done.out and "check that the gateway runs" in done.out
    rounds = made.report()["counters"]["rounds"]

    def has_tried():
        report = made.report()
        assert (report["gateway"]["next_try_ms"] or 0) <= INTERVAL * 1000
        assert report["gateway"]["state"] == "unreachable"
        assert {each["state"] for each in report["domains"]} == {"unregistered"}
        return report["counters"]["rounds"] >= rounds + 4
    fleets.wait_until(has_tried, 5 * INTERVAL + 3, "four more tries")
    assert made.log_of_registrar.count("the gateway is unreachable") <= 2  # at first, and for the order
    relay(gateway.port, at=port)
    made.wait_right()
    made.call_each()


def test_gateway_freezes(rig, gateway):
    made = rig(only_utils())
    made.fleet.check_fds = False
    made.register()
    gateway.freeze()
    try:
        said = made.wait_gateway("unreachable", 25)
        assert said["error"] and said["remedy"]
        made.fleet.domains["network"] = {}
        made.reload()
        with made.fleet.session("/utils/sse") as session:  # the fleet itself has no part in it
            assert session.call("string_to_upper", {"text": "meanwhile"})["result"]
    finally:
        gateway.thaw()
    made.wait_right()
    made.call_each()


def test_gateway_is_slow(rig, relay, gateway):
    """Each request takes a second more; so does each of the three that put a thing right."""
    made = rig(only_utils())
    slow = relay(gateway.port, delay=1.0)
    made.register(url=slow.url)
    assert made.what_is_wrong() is None
    assert gateway.request("DELETE", f"/v1/gateways/{made.entry('utils')['id']}")[0] == 200
    made.wait_right(timeout=BOUND + 4 * slow.delay)
    slow.delay = 0.0
    made.call_each()


def test_token_is_wrong_revoked_and_mended(rig, gateway):
    made = rig()
    made.write_token(gateway.token[:-8] + "AAAAAAAA")
    done = made.register(code=1)
    assert "gateway http" in done.out and ": refused" in done.out and "0 of 4 registered" in done.out
    said = made.report()["gateway"]
    assert said["state"] == "refused" and "make a new token" in said["remedy"]
    number, token = gateway.make_api_token("to be revoked")
    made.write_token(token)
    made.wait_right()

    before = made.records()
    gateway.revoke(number)
    said = made.wait_gateway("refused", BOUND)
    assert "revoked" in said["error"] and "make a new token" in said["remedy"]
    assert made.ctl("register", "--check").code == 1
    made.write_token(gateway.make_api_token("mended")[1])
    made.wait_right()
    assert made.records() == before
    made.call_each()


def test_rate_limit_is_obeyed(rig, gateway):
    """The gateway says when to come back; until then nothing is sent."""
    made = rig(only_utils())
    made.register()
    gateway.restart(RATE_LIMITING_ENABLED="true", RATE_LIMIT_LOW_RPM="8", RATE_LIMIT_LOW_BURST="0",
                    RATE_LIMITING_REDIS_ENABLED="false")
    try:
        fleets.wait_until(lambda: made.ctl("register", "--check").code == 1, 30, "too many requests")
        said = made.report()["gateway"]
        assert said["state"] == "rate_limited"
        assert said["next_try_ms"] > 10 * INTERVAL * 1000
        assert "rate limit" in said["remedy"]
        requests = made.report()["counters"]["requests"]
        made.ctl("register", "--timeout", "3")
        assert made.report()["counters"]["requests"] == requests
        assert made.report()["gateway"]["state"] == "rate_limited"
    finally:
        gateway.restart(RATE_LIMITING_ENABLED="false")


# --- the fleet goes, comes back, and changes --------------------------------------------------------


def test_daemon_and_registrar_restart(rig):
    made = rig()
    made.register()
    ids = {domain: made.entry(domain)["id"] for domain in DOMAINS}

    made.fleet.stop()
    made.fleet.start()
    made.wait_right()
    made.call_each()

    made.fleet.processes()
    made.fleet.process.kill()
    made.fleet.process.wait()
    made.fleet.check_nothing_left()
    made.fleet.start()
    made.wait_right()

    pid = made.report()["process"]["pid"]
    os.kill(pid, signal.SIGKILL)
    fleets.wait_until(lambda: made.report()["process"]["pid"] not in (0, pid), BOUND, "another registrar")
    made.wait_right()
    assert {domain: made.entry(domain)["id"] for domain in DOMAINS} == ids
    assert made.counters()["creates"] == 0
    made.call_each()


def test_domains_and_tools_change(rig):
    made = rig({"utils": {}, "network": {}})
    made.fleet.check_fds = False
    made.register()
    made.fleet.domains["extra"] = fleets.fake_domain("extra")
    made.reload()
    made.wait_right()
    extra, before = made.entry("extra")["id"], made.tools("extra")

    made.fleet.domains["utils"] = {"tools": {"deny": ["hash_*"]}}
    made.fleet.domains["extra"] = fleets.fake_domain("others")
    made.reload()
    fleets.wait_until(lambda: not before & made.fleet_tools("extra"), 10, "other tools")
    made.wait_right()
    assert made.entry("extra")["id"] == extra
    assert not any(name.startswith("hash_") for name in made.gateway.tools(made.entry("utils")["id"]))

    with made.fleet.session("/extra/sse") as session:
        before = made.tools("extra")
        assert session.call(next(name for name in before if name.endswith("others_add_tool")), {"name": "late"})["result"]
    fleets.wait_until(lambda: len(made.fleet_tools("extra")) > len(before), 10, "one more tool")
    made.wait_right()

    del made.fleet.domains["extra"]
    made.reload()
    made.wait_right()
    made.call_each()


def test_address_that_the_gateway_cannot_reach(rig):
    made = rig(only_utils(), public_url=f"http://127.0.0.1:{fleets.free_port()}")
    done = made.register("--timeout", "10", code=1)
    assert "0 of 1 registered" in done.out
    said = made.domain("utils")
    assert said["state"] == "unreachable" and "public_url" in said["remedy"]
    assert made.report()["gateway"]["state"] == "connected"
    made.reload(gateway={"public_url": ""})
    made.wait_right()
    made.call_each()


# --- the ways between the two -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Of the relay (ours), of a CA that has nothing to do with it (other), and of a client (client)."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ours", "other", "client"):
        done = fleets.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                           "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                           "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"])
        assert done.returncode == 0, done.stderr
    return folder


def tls_context(folder, asks_for_client=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ours.pem", folder / "ours.key")
    if asks_for_client:
        context.load_verify_locations(folder / "client.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_gateway_by_tls(rig, relay, gateway, certificates):
    made = rig(only_utils(), ca_file=str(certificates / "other.pem"))
    door = relay(gateway.port, tls=tls_context(certificates))
    done = made.register("--timeout", "3", code=1, url=door.url)
    assert "certificate" in done.out and "ca_file" in done.out
    assert door.heads == []  # nor has it got the token
    made.reload(gateway={"ca_file": str(certificates / "ours.pem")})
    made.wait_right()

    # An order without the check of the certificate stands, too, and is warned of on both sides.
    made.reload(gateway={"ca_file": str(certificates / "other.pem")})
    made.wait_gateway("unreachable", BOUND)
    done = made.ctl("register", "--gateway", door.url, "--token-file", made.token_file,
                    env={"GATEWAY_VERIFY_SSL": "false"})
    assert done.code == 0 and "certificate is not checked" in done.err, done
    assert "certificate is not checked" in made.log_of_registrar
    made.wait_right()

    strict = relay(gateway.port, tls=tls_context(certificates, asks_for_client=True))
    made.register("--timeout", "3", code=1, url=strict.url)
    assert strict.heads == []
    assert made.domain("utils")["state"] == "unregistered"  # it is another gateway, as far as is known
    made.reload(gateway={"ca_file": str(certificates / "ours.pem"), "client_cert": str(certificates / "client.pem"),
                         "client_key": str(certificates / "client.key")})
    made.wait_right()
    made.call_each()


def test_key_and_path_of_the_fleet(rig, relay, gateway, tmp_path):
    """Behind a proxy with a path of its own, and with a key: the gateway sends it with every request."""
    made = rig(only_utils(), start=False, transport="streamable", key_file=str(tmp_path / "key"))
    key = "a-key-of-this-fleet-0123456789"
    made.secrets.append(key)
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text(key + "\n")
    door = relay(made.fleet.port, prefix="/edge/fleet")
    made.fleet.settings["gateway"]["public_url"] = door.url
    made.start().register()
    assert made.what_is_wrong() is None
    entry = made.entry("utils")
    assert entry["url"].endswith("/edge/fleet/utils/mcp")
    assert (entry["authType"], entry["authToken"]) == ("bearer", "*****")

    # Edited by hand: a PUT without the key wipes it at the gateway.
    assert gateway.request("PUT", f"/v1/gateways/{entry['id']}", {"description": "By hand"})[0] == 200
    made.wait_right()
    fleets.wait_until(lambda: made.entry("utils")["authToken"] == "*****", BOUND, "the key is there again")
    door.heads.clear()
    made.call_each()
    assert door.heads
    assert all(f"authorization: bearer {key}" in head.lower() for head in door.heads), door.heads


@pytest.mark.parametrize("transport", ["sse", "streamable"])
def test_a_fleet_that_wants_keys(rig, gateway, tmp_path, transport):
    """The gateway has one: every tool is found and called. Without it nothing is, also when its entry was edited by hand."""
    made = rig({"utils": {}, "network": {}}, start=False, transport=transport, key_file=str(tmp_path / "key"))
    keys = doorkeys.Keys(made.fleet.folder).add("gateway").add("test").save()
    made.credential = keys.bearer("test")
    made.secrets.append(keys.text["gateway"])
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text(keys.text["gateway"] + "\n")
    made.start().register()
    assert made.what_is_wrong() is None
    made.call_each()
    entry = made.entry("utils")
    gateway.request("PUT", f"/v1/gateways/{entry['id']}", {"description": "By hand"})  # which loses the key
    made.wait_right()
    made.call_each()
    assert made.fleet.get("/utils/sse").status == 401


def test_the_listener_that_serves_all(rig):
    """Of several listeners the first that serves the whole fleet is where the gateway is sent."""
    made = rig({"utils": {}, "network": {}}, start=False)
    alone = fleets.free_port()
    made.fleet.settings["listen"] = [{"address": f"127.0.0.1:{alone}", "domain": "utils"},
                                     {"address": f"127.0.0.1:{made.fleet.port}"}]
    made.start().register()
    assert made.what_is_wrong() is None
    assert all(f":{made.fleet.port}/" in entry["url"] for entry in made.ours().values())
    made.call_each()
