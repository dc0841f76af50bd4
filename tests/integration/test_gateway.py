"""The real ContextForge gateway in front of the fleet: it finds every tool, and calls get through,
also after a worker was killed and after the daemon was started anew."""

import os
import signal

import pytest

import fleet as fleets
import sdk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def succeeds(gateway, name, arguments, expected):
    answer = gateway.call(name, arguments)
    result = answer.get("result")
    return bool(result) and not result.get("isError") and expected in str(result["content"])


DOMAINS = ("filesystem", "git", "network", "utils")


def all_domains(repository):
    """The four workers, each listing all that it has: 105 tools."""
    return {"filesystem": {"roots": [str(repository.root)]}, "git": sdk.git_domain(repository), "network": {}, "utils": {}}


def assert_all_answer(gateway, names, repository):
    """One tool of each domain, called through the gateway."""
    calls = {
        "code_list_directory": ({"path": str(repository.repo)}, "[DIR] .git"),
        "net_parse_url": ({"url": "http://127.0.0.1/a?b=c"}, "address_refused"),
        "git_get_status": ({"repo_path": str(repository.repo)}, "Branch: main"),
        "string_to_upper": ({"text": "through the gateway"}, "THROUGH THE GATEWAY"),
    }
    for tool, (arguments, expected) in calls.items():
        answer = gateway.call(names[tool], arguments)
        assert "result" in answer, answer
        assert not answer["result"].get("isError"), answer
        assert expected in answer["result"]["content"][0]["text"]


def listed(fleet, domain):
    with fleet.session(f"/{domain}/sse") as session:
        return {tool["name"] for tool in session.tools()}


def test_registration_discovery_calls_and_restarts(gateway, start_fleet, repository):
    fleet = start_fleet(all_domains(repository))
    names, peers = {}, {}
    for domain in DOMAINS:
        peers[domain] = gateway.register(f"fleet-{domain}", f"{fleet.url}/{domain}/sse")
        found = gateway.tools(peers[domain])
        # Every single one, and nothing else.
        assert set(found) == listed(fleet, domain)
        names.update(found)
    assert_all_answer(gateway, names, repository)

    for domain in DOMAINS:
        for pid in fleet.workers(domain):
            os.kill(pid, signal.SIGKILL)
    assert_all_answer(gateway, names, repository)

    fleet.stop()
    fleet.start()
    fleets.wait_until(
        lambda: succeeds(gateway, names["string_to_upper"], {"text": "again"}, "AGAIN"), 30, "a call gets through")
    assert_all_answer(gateway, names, repository)
    for domain, peer in peers.items():
        fleets.wait_until(lambda peer=peer: gateway.peer(peer)["reachable"], 20, "the peer is reachable")
        assert set(gateway.tools(peer)) == listed(fleet, domain)
        assert gateway.request("DELETE", f"/v1/gateways/{peer}")[0] == 200


def test_a_health_check_passes(gateway, utils):
    peer = gateway.register("fleet-health", f"{utils.url}/utils/sse")
    before = gateway.peer(peer)["lastSeen"]
    fleets.wait_until(lambda: gateway.peer(peer)["lastSeen"] != before, 20, "a health check")
    assert gateway.peer(peer)["reachable"] is True
    assert gateway.request("DELETE", f"/v1/gateways/{peer}")[0] == 200


def test_the_whole_fleet_as_one_peer(gateway, start_fleet, repository):
    fleet = start_fleet(all_domains(repository))
    peer = gateway.register("fleet-all", f"{fleet.url}/sse")
    names = gateway.tools(peer)
    assert set(names) == set().union(*(listed(fleet, domain) for domain in DOMAINS))
    assert len(names) == 105
    assert_all_answer(gateway, names, repository)
    assert gateway.request("DELETE", f"/v1/gateways/{peer}")[0] == 200


def test_the_gateway_as_a_worker(gateway, start_fleet, tmp_path):
    """Its own MCP endpoint is a domain of a fleet, whose calls go through it to another fleet and back."""
    behind = start_fleet()
    peer = gateway.register("behind", f"{behind.url}/utils/sse")
    name = gateway.tools(peer)["string_to_upper"]
    headers = tmp_path / "headers"
    headers.touch(mode=0o600)
    headers.write_text(f"Authorization: Bearer {gateway.token}\n")
    fleet = start_fleet({"forge": {"url": f"http://127.0.0.1:{gateway.port}/mcp", "headers_file": str(headers),
                                   "concurrency": 8, "start_timeout": "60s"}})
    for target in ("/sse", "/forge/sse"):
        with fleet.session(target) as session:
            assert f"forge_{name}" in {tool["name"] for tool in session.tools()}
            for spelling in (f"forge_{name}", f"forge_{name}".replace("-", "_")):
                answer = session.call(spelling, {"text": "there and back"}, timeout=60 * fleets.SLOWNESS)
                assert "THERE AND BACK" in answer["result"]["content"][0]["text"], answer
    assert gateway.request("DELETE", f"/v1/gateways/{peer}")[0] == 200
