#!/usr/bin/env python3
"""Runs as a service inside the container of test_journal.py: uses mcp-fleetd as clients do, stops it as an operator does,
and writes what systemd and its journal say to /test. Standard library only."""

import http.client
import json
import pathlib
import socket
import subprocess
import sys
import time
import traceback

OUT = pathlib.Path("/test")
UNIT = "mcp-fleet.service"
ODD_TOOL = "odd\nPRIORITY=0\nFORGED=1"


def show():
    text = subprocess.run(["systemctl", "show", UNIT], stdout=subprocess.PIPE, check=True, text=True).stdout
    return dict(line.split("=", 1) for line in text.splitlines())


def wait_for(condition, what):
    until = time.monotonic() + 20
    while not (value := condition()):
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(0.05)
    return value


def call(number, name, **arguments):
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def initialize(number):
    return {"jsonrpc": "2.0", "id": number, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "probe", "version": "1"}}}


def over_http(port):
    """A session from its first request to its end; returns its id."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
               "Authorization": "Bearer " + (OUT / "key").read_text()}

    def ask(method, message=None):
        connection.request(method, "/mcp", message and json.dumps(message), headers)
        response = connection.getresponse()
        return response, response.read()

    response, _ = ask("POST", initialize(1))
    headers["Mcp-Session-Id"] = response.headers["Mcp-Session-Id"]
    ask("POST", {"jsonrpc": "2.0", "method": "notifications/initialized"})
    _, body = ask("POST", call(2, "string_reverse", text="Pr1vate"))
    assert b"etav1rP" in body, body
    ask("POST", call(3, ODD_TOOL, text="Pr1vate"))
    ask("DELETE")
    return headers["Mcp-Session-Id"]


def over_socket(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(path)
        lines = client.makefile("rw")
        for message in (initialize(1), call(2, "string_reverse", text="Pr1vate")):
            lines.write(json.dumps(message) + "\n")
            lines.flush()
            assert json.loads(lines.readline())["id"] == message["id"]


def probe(port):
    ready = show()  # Type=notify: we were started after READY=1
    told = {"ready": ready, "session": over_http(port)}
    over_socket("/run/mcp-fleet/mcp.sock")
    told["status"] = wait_for(lambda: show() if "0 sessions" in show()["StatusText"] else None, "no session in the status")
    subprocess.run(["systemctl", "reload", UNIT], check=True)
    told["reloaded"] = show()
    subprocess.run(["systemctl", "stop", UNIT], check=True)
    told["stopped"] = show()
    subprocess.run(["journalctl", "--sync"], check=True)
    with (OUT / "journal.jsonl").open("w") as out:
        subprocess.run(["journalctl", "--no-pager", "--all", "-o", "json", "-u", UNIT], stdout=out, check=True)
    # As an operator would ask for them.
    told["of_tool"] = subprocess.run(["journalctl", "--no-pager", "-q", "-o", "cat", "DOMAIN=utils", "TOOL=string_reverse"],
                                     stdout=subprocess.PIPE, check=True, text=True).stdout
    (OUT / "told.json").write_text(json.dumps(told))


def main():
    status = 1
    try:
        probe(int(sys.argv[1]))
        status = 0
    except BaseException:
        (OUT / "trouble").write_text(traceback.format_exc() + subprocess.run(
            ["journalctl", "--no-pager", "-n", "200"], stdout=subprocess.PIPE, check=False, text=True).stdout)
    subprocess.run(["systemctl", "exit", str(status)], check=True)


main()
