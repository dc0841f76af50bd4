#!/usr/bin/env python3
"""`mcp-fleetctl register` from nothing beside the same by plain calls of the gateway's interface, one after
another; prints JSON for doc/bench.md.

    register.py --build DIR --envs DIR [--rounds N]

--envs has venv-gateway, as ./check makes it. Each run has a daemon of its own with the four native domains and a
gateway without a record of them, and ends when every tool of each domain was seen there. The order of the two
alternates between rounds, so that drift of the machine hits both.
"""

import argparse
import http.client
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

DOMAINS = ("filesystem", "git", "network", "utils")


def by_command(ctl, gateway, fleet, token_file):
    """With the start of the registrar, and of the command itself."""
    begin = time.monotonic()
    done = ctl.run("register", "--gateway", gateway.url, "--token-file", token_file, socket=fleet.control_socket)
    seconds = time.monotonic() - begin
    assert done.code == 0, done
    return seconds


def by_plain_calls(gateway, fleet, wanted):
    """A script that runs already, and keeps its connection."""
    begin = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {gateway.token}"}

    def ask(method, path, body=None):
        connection.request(method, path, body and json.dumps(body), headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return answer

    for domain in DOMAINS:
        peer = ask("POST", "/v1/gateways", {
            "name": f"fleet-{domain}", "url": f"{fleet.url}/{domain}/sse", "transport": "SSE", "visibility": "public",
            "description": domain, "tags": ["mcp-fleet"]})
        tools = ask("GET", f"/v1/tools?gateway_id={peer['id']}&limit=0&include_inactive=true")
        assert len(tools) == wanted[domain], (domain, len(tools))
    connection.close()
    return time.monotonic() - begin


def count_tools(ctl, fleet):
    tools = ctl.run("tools", "--json", socket=fleet.control_socket).json()["tools"]
    return {domain: sum(tool["domain"] == domain for tool in tools) for domain in DOMAINS}


def measure(modules, gateway, folder, kind):
    ctl, fleets = modules
    (folder / "root").mkdir(parents=True)
    fleet = fleets.Fleet(folder, {"filesystem": {"roots": [str(folder / "root")]}, "git": {"roots": [str(folder / "root")]},
                                  "network": {}, "utils": {}})
    token_file = folder / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(gateway.token)
    fleet.check_fds = False
    fleet.start()
    try:
        if kind == "command":
            return by_command(ctl, gateway, fleet, token_file)
        return by_plain_calls(gateway, fleet, count_tools(ctl, fleet))
    finally:
        fleet.stop()
        gateway.empty()


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--envs", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    os.environ["MCP_FLEET_BUILD"] = str(options.build.resolve())
    import ctl
    import fleet as fleets
    import gateway as gateways

    found = {"command": [], "plain": []}
    with tempfile.TemporaryDirectory() as folder:
        gateway = gateways.Gateway(pathlib.Path(folder, "gateway"), options.envs.resolve() / "venv-gateway")
        try:
            gateway.start()
            for number in range(-1, options.rounds):
                for kind in ("command", "plain") if number % 2 else ("plain", "command"):
                    seconds = measure((ctl, fleets), gateway, pathlib.Path(folder, f"{kind}{number}"), kind)
                    if number >= 0:  # the one before warms the gateway up
                        found[kind].append(seconds)
        finally:
            gateway.stop()
    ratios = [command / plain for command, plain in zip(found["command"], found["plain"], strict=True)]
    print(json.dumps({"rounds": options.rounds, "command_s": spread(found["command"]), "plain_s": spread(found["plain"]),
                      "command_to_plain": spread(ratios)}, indent=1))


main()
