"""mcp-fleet-registrar against the real gateway, driven directly: what the daemon's part in it would hide.
What happens to a fleet that is registered, from end to end, is in test_registration.py; what a gateway may answer,
in test_registrar_answers.py."""

import os
import signal

import pytest

import fleet as fleets
import registrar as registrars

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

WRITES = ("creates", "updates", "deletes")


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


def test_tools_change(gateway, peers, start):
    registrar = start(server="mcp-fleet")
    registrar.tell_all()
    registrar.wait_registered()
    entry = entry_of(gateway, "alpha")
    server = registrar.wait_state(is_bundled, what="the virtual server")["server"]
    with peers.session("/alpha/sse") as session:
        session.call("alpha_add_tool", {"name": "new"})
        fleets.wait_until(lambda: len(session.tools()) > len(peers.tools["alpha"]), 10, "the new tool")
        peers.tools["alpha"] = session.tools()
    registrar.tell_domain("alpha")
    registrar.wait_state(lambda report: report["counters"]["updates"] > 0, what="an update")
    registrar.wait_registered()
    assert_right(gateway, peers)
    assert entry_of(gateway, "alpha")["id"] == entry["id"]
    wider = registrar.wait_state(
        lambda report: is_bundled(report) and report["server"]["tools_wanted"] > server["tools_wanted"],
        what="the new tool in the virtual server")["server"]
    assert wider["id"] == server["id"]


def is_bundled(report):
    server = report["server"]
    return bool(server) and server["state"] == "registered" and server["tools_found"] == server["tools_wanted"] > 0


def test_virtual_server(gateway, peers, start):
    registrar = start()
    registrar.tell_all()
    report = registrar.result("registrar/register", {"server": "everything", "timeout_ms": 30000})
    assert is_bundled(report), report["server"]
    total = sum(len(tools) for tools in peers.tools.values())
    assert report["server"]["tools_wanted"] == total
    assert report["server"]["url"].endswith(f"/servers/{report['server']['id']}/mcp")

    # Emptied by hand, then deleted by hand: filled, and made again under the same id.
    path = f"/v1/servers/{report['server']['id']}"
    assert gateway.request("PUT", path, {"associated_tools": []})[0] == 200
    registrar.result("registrar/reconcile")
    assert len(gateway.request("GET", path)[1]["associatedToolIds"]) == total
    assert gateway.request("DELETE", path)[0] == 200
    registrar.result("registrar/reconcile")
    assert len(gateway.request("GET", path)[1]["associatedToolIds"]) == total

    # A tool that an operator switched off is no reason to write each time.
    entry = entry_of(gateway, "alpha")
    tool = gateway.request("GET", f"/v1/tools?gateway_id={entry['id']}&limit=0")[1][0]
    assert gateway.request("POST", f"/v1/tools/{tool['id']}/state?activate=false")[0] == 200
    before = registrar.result("registrar/reconcile")["counters"]
    registrar.wait_round()
    assert writes(registrar.report) == {name: before[name] for name in WRITES}
    assert registrar.domain("alpha")["state"] == "registered"

    registrar.result("registrar/unregister")
    assert entries(gateway) == []
    assert gateway.request("GET", path)[0] == 404


def test_a_virtual_server_of_somebody_else(gateway, peers, start):
    status, other = gateway.request("POST", "/v1/servers", {
        "server": {"name": "taken", "description": "theirs", "associated_tools": []}, "visibility": "public"})
    assert status == 201, other
    registrar = start(server="taken")
    registrar.tell_all()
    registrar.wait_registered()
    report = registrar.wait_state(lambda report: report["server"]["state"] == "foreign", what="it is foreign")
    assert report["server"]["remedy"]
    assert gateway.request("GET", f"/v1/servers/{other['id']}")[1]["description"] == "theirs"


def test_orders(gateway, peers, start):
    """An order stands over the settings and outlives a restart; what was unregistered stays away."""
    registrar = start(url="")
    registrar.tell_all()
    registrar.wait_state(lambda report: report["gateway"]["state"] == "off", what="it is off")
    url = f"http://127.0.0.1:{gateway.port}"
    report = registrar.result("registrar/register", {"gateway": url + "/", "domains": ["alpha"], "timeout_ms": 30000})
    assert registrar.states(report) == {"alpha": "registered", "beta": "unregistered", "utils": "unregistered"}
    registrar.stop()
    registrar.start().tell_all()
    registrar.wait_registered("alpha")
    registrar.result("registrar/register", {"domains": ["beta"], "timeout_ms": 30000})
    assert_right(gateway, peers, ("alpha", "beta"))
    registrar.result("registrar/unregister", {"domains": ["alpha"]})
    registrar.wait_round()
    assert_right(gateway, peers, ("beta",))
    report = registrar.result("registrar/unregister")
    assert entries(gateway) == [] and report["gateway"]["state"] == "off"

    registrar.tell_settings(url=url, server="mcp-fleet")
    registrar.wait_registered()
    registrar.wait_state(is_bundled, what="the virtual server")
    registrar.result("registrar/unregister")
    registrar.stop()
    registrar.start().tell_all()
    registrar.wait_state(lambda report: report["counters"]["rounds"] >= 2, what="two rounds")
    assert entries(gateway) == [] == gateway.request("GET", "/v1/servers?limit=0&include_inactive=true")[1]
    assert set(registrar.states().values()) == {"unregistered"}
    report = registrar.result("registrar/register", {"timeout_ms": 30000})
    assert set(registrar.states(report).values()) == {"registered"}

    answer = registrar.ask("registrar/register", {"domains": ["nobody"]})
    assert answer["error"]["code"] == -32602 and "nobody" in answer["error"]["message"]
    answer = registrar.ask("registrar/register", {"gateway": "http://user:open-sesame@127.0.0.1/"})
    assert answer["error"]["code"] == -32602 and "sesame" not in answer["error"]["message"]


def test_what_would_be_refused_is_named(gateway, peers, start):
    registrar = start()
    tool = {"name": "clear", "description": "a && b", "inputSchema": {"type": "object"}}
    registrar.tell_settings()
    registrar.tell_domain("alpha", tools=[tool])
    registrar.tell_domain("beta", tools=[{**tool, "description": "", "inputSchema": "text"}])
    registrar.tell_domain("utils")
    report = registrar.result("registrar/register", {"timeout_ms": 30000})
    assert registrar.states(report) == {"alpha": "refused", "beta": "refused", "utils": "registered"}
    assert "&&" in registrar.domain("alpha", report)["error"]
    assert "inputSchema" in registrar.domain("beta", report)["error"]
    assert report["counters"]["creates"] == 1
    registrar.tell_domain("alpha")
    registrar.tell_domain("beta")
    registrar.wait_registered()


def test_a_fleet_that_goes_and_comes_back(gateway, peers, start):
    """The gateway says 200 to a PUT also when it cannot reach the peer: that is no confirmation."""
    registrar = start()
    registrar.tell_all()
    registrar.wait_registered()
    peers.stop()
    registrar.tell_domain("alpha", description="Written while nobody answers")
    alpha = registrar.domain("alpha", registrar.wait_state(
        lambda report: registrar.states(report)["alpha"] == "unreachable", what="alpha is unreachable"))
    assert alpha["error"] and alpha["remedy"]
    peers.start()
    registrar.wait_registered()
    assert entry_of(gateway, "alpha")["description"] == "Written while nobody answers"
    fleets.wait_until(lambda: all(entry["reachable"] for entry in entries(gateway)), 20, "all are reachable")
    assert_right(gateway, peers)


def test_streamable_key_and_prefix(gateway, peers, start, tmp_path):
    """What is registered changes with the settings, and keeps its id."""
    key = tmp_path / "key"
    key.write_text("a-key-for-the-peers\n")
    registrar = start()
    registrar.tell_all()
    registrar.wait_registered()
    before = {entry["slug"]: entry["id"] for entry in entries(gateway)}
    registrar.tell_settings(transport="streamable", peer_key_file=str(key), visibility="private")
    registrar.wait_state(lambda report: report["counters"]["updates"] == 3, what="three updates")
    registrar.wait_registered()
    for entry in entries(gateway):
        assert entry["id"] == before[entry["slug"]]
        assert entry["url"].endswith("/mcp") and entry["transport"] == "STREAMABLEHTTP"
        assert entry["authType"] == "bearer" and entry["authToken"] == "*****"
        assert entry["visibility"] == "private"
    assert_right(gateway, peers)
    registrar.wait_round()
    assert writes(registrar.report) == {"creates": 3, "updates": 3, "deletes": 0}

    # Credentials that a PUT of somebody else wiped are sent again; and none where none are wanted.
    alpha = entry_of(gateway, "alpha")
    status, answer = gateway.request("PUT", f"/v1/gateways/{alpha['id']}", {
        "name": alpha["name"], "url": alpha["url"], "transport": "STREAMABLEHTTP", "description": alpha["description"]})
    assert status == 200 and answer["authToken"] is None, answer
    registrar.result("registrar/reconcile")
    assert entry_of(gateway, "alpha")["authToken"] == "*****"

    # Others in their place look the same, but that somebody wrote is seen.
    status, answer = gateway.request("PUT", f"/v1/gateways/{alpha['id']}", {
        "name": alpha["name"], "url": alpha["url"], "transport": "STREAMABLEHTTP", "description": alpha["description"],
        "visibility": "private", "tags": [tag["id"] for tag in alpha["tags"]], "auth_type": "bearer", "auth_token": "another"})
    assert status == 200 and answer["authToken"] == "*****", answer
    report = registrar.result("registrar/reconcile")
    assert writes(report) == {"creates": 3, "updates": 5, "deletes": 0}
    assert writes(registrar.result("registrar/reconcile")) == writes(report)
    registrar.tell_settings(peer_key_file="", name_prefix="other-", visibility="public", transport="sse")
    registrar.wait_state(lambda report: report["counters"]["updates"] == 8, what="three more updates")
    registrar.wait_registered()
    assert {entry["slug"]: entry["id"] for entry in entries(gateway)} == {
        slug.replace("fleet-", "other-"): number for slug, number in before.items()}
    assert not any(entry["authToken"] for entry in entries(gateway))


def test_the_end(gateway, peers, start):
    """SIGTERM ends it at once, also in a request, and leaves everything at the gateway."""
    registrar = start()
    registrar.tell_all()
    registrar.wait_registered()
    os.killpg(gateway.process.pid, signal.SIGSTOP)
    try:
        registrar.start_request("registrar/reconcile")
        assert registrar.ask("ping", timeout=2)["result"] == {}
        registrar.process.send_signal(signal.SIGTERM)
        assert registrar.process.wait(2 * fleets.SLOWNESS) == 0
    finally:
        os.killpg(gateway.process.pid, signal.SIGCONT)
    assert_right(gateway, peers)
