"""mcp-fleet-registrar against the real gateway: whatever happens to the gateway's entries, each domain is
there once, with all its tools, within an interval; and what is right or not ours is not touched."""

import os
import signal

import pytest

import fleet as fleets
import gateway as gateways
import registrar as registrars

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

WRITES = ("creates", "updates", "deletes")


@pytest.fixture(scope="module")
def gateway(envs, tmp_path_factory):
    started = gateways.Gateway(tmp_path_factory.mktemp("gateway") / "run", envs / "venv-gateway")
    try:
        yield started.start()
    finally:
        started.stop()


@pytest.fixture
def peers(start_fleet):
    """A fleet of three domains, and what each of them lists."""
    fleet = start_fleet({"alpha": fleets.fake_domain("alpha"), "beta": fleets.fake_domain("beta"), "utils": {}})
    fleet.tools = {}
    for name in ("alpha", "beta", "utils"):
        with fleet.session(f"/{name}/sse") as session:
            fleet.tools[name] = session.tools()
    return fleet


@pytest.fixture
def start(gateway, peers, tmp_path):
    """Starts a registrar; afterwards the gateway is empty again."""
    started = []

    def make(**settings):
        folder = tmp_path / "registrar"
        folder.mkdir(exist_ok=True)
        new = registrars.Registrar(folder, gateway, peers.tools, **{"public_url": peers.url, **settings})
        started.append(new)
        return new

    yield make
    try:
        for each in started:
            each.stop()
    finally:
        for entry in entries(gateway):
            gateway.request("DELETE", f"/v1/gateways/{entry['id']}")
        for server in gateway.request("GET", "/v1/servers?limit=0&include_inactive=true")[1]:
            gateway.request("DELETE", f"/v1/servers/{server['id']}")


def entries(gateway):
    status, found = gateway.request("GET", "/v1/gateways?limit=0&include_inactive=true")
    assert status == 200, found
    return found


def entry_of(gateway, name):
    found = [entry for entry in entries(gateway) if entry["slug"] == f"fleet-{name}"]
    assert len(found) == 1, found
    return found[0]


def versions(gateway):
    """What a write changes; updatedAt also moves with each health check."""
    return {entry["name"]: (entry["id"], entry["version"], entry["modifiedUserAgent"]) for entry in entries(gateway)}


def writes(report):
    return {name: report["counters"][name] for name in WRITES}


def assert_right(gateway, peers, names=("alpha", "beta", "utils")):
    """Each of them once, with all its tools, and nothing else."""
    assert sorted(entry["name"] for entry in entries(gateway)) == sorted(f"fleet-{name}" for name in names)
    for name in names:
        entry = entry_of(gateway, name)
        assert entry["enabled"]
        assert set(gateway.tools(entry["id"])) == {tool["name"] for tool in peers.tools[name]}


def test_from_nothing_and_again(gateway, peers, start):
    registrar = start(tags=["zone-a"])
    registrar.tell_all()
    report = registrar.result("registrar/register", {"timeout_ms": 30000})
    assert all(registrar.is_complete(domain) for domain in report["domains"]), report
    assert report["gateway"]["state"] == "connected"
    assert report["gateway"]["token"]["source"] == "file"
    assert report["gateway"]["token"]["days_left"] == 0
    assert report["counters"]["creates"] == 3
    assert_right(gateway, peers)
    entry = entry_of(gateway, "alpha")
    assert {"mcp-fleet", "zone-a"} < {tag["id"] for tag in entry["tags"]}
    assert entry["description"] == "The domain alpha"

    before = versions(gateway)
    registrar.wait_round()
    again = registrar.result("registrar/register", {"timeout_ms": 30000})
    assert writes(again) == writes(report)
    assert versions(gateway) == before
    assert again["drift"] == []

    # Neither a restart changes anything, with what was kept and without it.
    registrar.stop()
    for _ in range(2):
        registrar.start().tell_all()
        fresh = registrar.wait_registered()
        assert writes(fresh) == {"creates": 0, "updates": 0, "deletes": 0}
        registrar.stop()
        (registrar.folder / "registration.json").unlink(missing_ok=True)
    assert versions(gateway) == before
    assert gateway.token not in registrar.log()


def test_entries_changed_by_hand(gateway, peers, start):
    registrar = start()
    registrar.tell_all()
    registrar.wait_registered()

    alpha = entry_of(gateway, "alpha")
    assert gateway.request("DELETE", f"/v1/gateways/{alpha['id']}")[0] == 200
    beta = entry_of(gateway, "beta")
    status, answer = gateway.request("PUT", f"/v1/gateways/{beta['id']}", {
        "name": "renamed", "url": beta["url"], "description": "edited", "transport": "SSE",
        "tags": [tag["id"] for tag in beta["tags"]]})
    assert status == 200, answer
    check = registrar.result("registrar/check")
    assert {(each["domain"], each["action"]) for each in check["drift"]} == {("alpha", "create"), ("beta", "update")}
    registrar.result("registrar/reconcile")
    assert_right(gateway, peers)
    assert entry_of(gateway, "beta")["id"] == beta["id"]
    assert entry_of(gateway, "beta")["description"] == "The domain beta"
    assert registrar.result("registrar/check")["drift"] == []


def test_disabled_foreign_and_left_over(gateway, peers, start):
    registrar = start()
    status, foreign = gateway.request("POST", "/v1/gateways", {
        "name": "fleet-alpha", "url": f"{peers.url}/alpha/sse", "transport": "SSE"})
    assert status == 200, foreign
    registrar.tell_all()
    registrar.wait_registered("beta", "utils")
    alpha = registrar.domain("alpha", registrar.result("registrar/register", {"timeout_ms": 20000}))
    assert alpha["state"] == "foreign" and foreign["id"] in alpha["error"] and alpha["remedy"]
    assert gateway.peer(foreign["id"])["version"] == foreign["version"]

    beta = entry_of(gateway, "beta")
    assert gateway.request("POST", f"/v1/gateways/{beta['id']}/state?activate=false")[0] == 200
    registrar.wait_state(lambda report: registrar.states(report)["beta"] == "disabled", what="beta is disabled")
    registrar.wait_round()
    assert not gateway.peer(beta["id"])["enabled"]

    # Somebody else's is gone, ours is not configured any more.
    assert gateway.request("DELETE", f"/v1/gateways/{foreign['id']}")[0] == 200
    registrar.tell_settings(domains=["alpha", "utils"])
    registrar.wait_registered()
    registrar.wait_state(lambda report: "beta" not in registrar.states(report), what="beta is forgotten")
    assert_right(gateway, peers, ("alpha", "utils"))


def test_unknown_is_kept_and_not_ready_waits(gateway, peers, start):
    registrar = start()
    registrar.tell_settings()
    registrar.tell_domain("alpha")
    registrar.tell_domain("beta", is_ready=False, tools=[])
    registrar.wait_registered("alpha")
    assert registrar.states() == {"alpha": "registered", "beta": "waiting", "utils": "waiting"}
    assert registrar.domain("beta")["error"] == "it is starting"
    report = registrar.result("registrar/register", {"timeout_ms": 500})
    assert registrar.states(report)["beta"] == "waiting"
    registrar.tell_domain("beta")
    registrar.tell_domain("utils")
    registrar.wait_registered()

    # After a restart nothing is known of them: they stay.
    before = versions(gateway)
    registrar.stop()
    registrar.start().tell_settings()
    registrar.wait_state(lambda report: report["counters"]["rounds"] >= 2, what="two rounds")
    assert versions(gateway) == before


def test_tools_change(gateway, peers, start):
    registrar = start()
    registrar.tell_all()
    registrar.wait_registered()
    entry = entry_of(gateway, "alpha")
    updates = registrar.report["counters"]["updates"]

    # The fleet's list is another one: the gateway has to look again.
    with peers.session("/alpha/sse") as session:
        session.call("add_tool", {"name": "alpha_new"}) if any(
            tool["name"] == "add_tool" for tool in peers.tools["alpha"]) else pytest.skip("the fake cannot")
        peers.tools["alpha"] = session.tools()
    registrar.tell_domain("alpha")
    registrar.wait_state(lambda report: report["counters"]["updates"] > updates, what="an update")
    registrar.wait_registered()
    assert_right(gateway, peers)
    assert entry_of(gateway, "alpha")["id"] == entry["id"]
