"""The first hour of an operator, from apt to purge, in one machine and in order: each step stands on the one before."""

import contextlib
import json
import re
import subprocess
import threading
import time

import pytest

import fleet as fleets
import gateway as gateways
import wire
from test_package import drop_in, install, machine, newer, processes, show, status, wait_until_ready  # noqa: F401

DESKTOP = {"mcpServers": {"notes": {"command": "/opt/notes/server", "args": [], "env": {"NOTES_TOKEN": "s3cret-of-notes"}}}}

# An MCP server of somebody else's, as small as can be.
SERVER = r"""#!/bin/sh
while read -r line; do
	id=$(printf %s "$line" | sed -n 's/.*"id": *\("[^"]*"\|[0-9]*\).*/\1/p')
	case $line in
		*'"initialize"'*) result='{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"notes","version":"1"}}' ;;
		*'"tools/list"'*) result='{"tools":[{"name":"add","inputSchema":{"type":"object"}}]}' ;;
		*'"tools/call"'*) result='{"content":[{"type":"text","text":"noted"}]}' ;;
		*'"ping"'*) result='{}' ;;
		*) continue ;;
	esac
	printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"""


@pytest.mark.timeout(900)
def test_first_hour(machine, package, envs, tmp_path):  # noqa: F811
    hour = Hour(machine, package, envs, tmp_path)
    hour.install()
    hour.connect_a_desktop_client()
    hour.import_a_server_that_fails_and_mend_it()
    hour.add_and_remove()
    with hour.gateway() as gateway:
        hour.register(gateway)
        hour.upgrade_under_load(gateway)
    hour.keys()
    hour.logs_by_field()
    hour.limits()
    hour.restart_of_a_domain()
    hour.reboot()
    hour.remove_and_purge()


class Hour:
    def __init__(self, machine, package, envs, folder):  # noqa: F811
        self.machine, self.package, self.envs, self.folder = machine, package, envs, folder
        self.key = None

    def ctl(self, *words, **options):
        return self.machine.run("mcp-fleetctl", *words, **options).stdout

    def call(self, tool, *arguments):
        return json.loads(self.ctl("call", tool, *arguments))

    def domain(self, name):
        return next(each for each in status(self.machine)["domains"] if each["name"] == name)

    def journal(self, *words):
        said = self.machine.run("journalctl", "--no-pager", "-u", "mcp-fleet", "-o", "json", *words).stdout
        return [json.loads(line) for line in said.splitlines()]

    def install(self):
        install(self.machine, self.package)
        assert "4/4 domains up" in show(self.machine, "StatusText")["StatusText"]
        assert "ready" in self.ctl("status").splitlines()[0]
        assert self.call("string_to_upper", "text=hello") == {"success": True, "result": "HELLO"}

    def connect_a_desktop_client(self):
        """The client starts what stands in its configuration, and it works."""
        self.machine.run("sh", "-c", "mkdir -p /root/.config/Claude && echo '{}' >/root/.config/Claude/claude_desktop_config.json")
        self.ctl("connect", "claude-desktop", "--yes")
        written = json.loads(self.machine.run("cat", "/root/.config/Claude/claude_desktop_config.json").stdout)
        (entry,) = written["mcpServers"].values()
        lines = [{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "desktop", "version": "1"}}},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}]
        said = self.machine.run(entry["command"], *entry["args"], input="".join(json.dumps(line) + "\n" for line in lines)).stdout
        assert len(json.loads(said.splitlines()[-1])["result"]["tools"]) == 105

    def import_a_server_that_fails_and_mend_it(self):
        """A server of somebody else's, whose program is not there yet."""
        (self.machine.root / "root/mcp.json").write_text(json.dumps(DESKTOP))
        self.ctl("import", "/root/mcp.json", "--yes", "--reload")
        fleets.wait_until(lambda: self.domain("notes")["last_error"], 10, "its error is told")
        assert "/opt/notes/server" in self.ctl("status", check=False)
        assert self.machine.run("mcp-fleetctl", "doctor", check=False).returncode != 0
        self.machine.run("mkdir", "-p", "/opt/notes")
        server = self.machine.root / "opt/notes/server"
        server.write_text(SERVER)
        server.chmod(0o755)
        self.ctl("restart", "notes")
        fleets.wait_until(lambda: self.domain("notes")["state"] == "up", 10, "it is mended")
        assert "noted" in self.ctl("call", "notes_add")
        assert "s3cret" not in json.dumps(status(self.machine)) + json.dumps(self.journal())

    def add_and_remove(self):
        self.ctl("add", "other", "--reload", "--", "/opt/notes/server")
        fleets.wait_until(lambda: self.domain("other")["state"] == "up", 10, "it is up")
        self.ctl("remove", "other", "--yes", "--reload")
        assert "other" not in self.ctl("status")

    @contextlib.contextmanager
    def gateway(self):
        with self.machine.network():
            started = gateways.Gateway(self.folder / "gateway", self.envs / "venv-gateway")
            try:
                yield started.start()
            finally:
                started.stop()

    def register(self, gateway):
        """One command; the gateway has every tool then."""
        _, token = gateway.make_api_token("fleet")
        (self.machine.root / "etc/mcp-fleet/gateway.token").write_text(token)
        self.machine.run("sh", "-c", "cd /etc/mcp-fleet && chgrp mcp-fleet gateway.token && chmod 640 gateway.token")
        self.ctl("register", "--gateway", gateway.url, "--token-file", "/etc/mcp-fleet/gateway.token", timeout=90)
        registered = {peer["name"]: len(gateway.tools(peer["id"])) for peer in gateway.entries()}
        assert sum(registered.values()) == status(self.machine)["tools"], registered

    def upgrade_under_load(self, gateway):
        """Clients that ask on connections of their own: who is answered is answered right, and nobody hears nothing."""
        answers, stop = [], threading.Event()

        def ask():
            with self.machine.network():
                while not stop.is_set():
                    answers.append(self.ask())

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        try:
            for version in (newer(self.package, self.folder, "0.2.0"), self.package):
                install(self.machine, version)
                wait_until_ready(self.machine)
        finally:
            stop.set()
            for asker in askers:
                asker.join()
        assert len(answers) > 100 and answers.count("answered") > 50
        assert set(answers) <= {"answered", "refused"}, set(answers)
        tools = fleets.wait_until(lambda: sum(len(gateway.tools(peer["id"])) for peer in gateway.entries()) == status(self.machine)["tools"],
                                  60, "the gateway has all again")
        assert tools

    @staticmethod
    def ask():
        try:
            with wire.Connection(8000) as connection:
                connection.request("GET", "/health")
                return "answered" if connection.read_response().status == 200 else "failed"
        except ConnectionRefusedError:
            time.sleep(0.01)
            return "refused"
        except OSError as error:
            return str(error)

    def keys(self):
        self.key = self.ctl("key", "add", "ci", "--domains", "utils").strip()
        assert re.fullmatch(r"mcpf_[A-Za-z0-9_-]+", self.key)
        ask = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", "{}", "http://127.0.0.1:8000/mcp"]
        fleets.wait_until(lambda: self.machine.run(*ask).stdout == "401", 5, "a key is wanted")
        # A stream that its client leaves after a second.
        said = self.machine.run("curl", "-sN", "--max-time", "1", "-H", f"Authorization: Bearer {self.key}",
                                "http://127.0.0.1:8000/sse", check=False).stdout
        assert said.startswith("event: endpoint")

    def logs_by_field(self):
        """One domain's lines, one key's lines."""
        assert all(entry["DOMAIN"] == "notes" for entry in self.journal("DOMAIN=notes")) and self.journal("DOMAIN=notes")
        fleets.wait_until(lambda: self.journal("KEY=ci"), 10, "the session of the key")
        assert self.key not in json.dumps(self.journal())

    def limits(self):
        (self.machine.root / "etc/mcp-fleet/conf.d/limits.yaml").write_text("limits: {per_key: {sessions: 3}}\n")
        self.machine.run("systemctl", "reload", "mcp-fleet")
        assert wait_until_ready(self.machine)

    def restart_of_a_domain(self):
        before = self.domain("git")["processes"][0]["pid"]
        self.ctl("restart", "git")
        assert self.domain("git")["processes"][0]["pid"] != before
        assert self.domain("git")["state"] == "up"

    def reboot(self):
        """All is as it was: the key, the domain that was imported."""
        self.machine.reboot()
        wait_until_ready(self.machine)
        started, ready = (int(show(self.machine, name)[name]) for name in (
            "ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic"))
        assert ready - started < 2_000_000
        assert self.domain("notes")["state"] == "up" and "ci" in self.ctl("key", "list")

    def remove_and_purge(self):
        self.machine.run("apt-get", "remove", "-y", "mcp-fleet")
        assert processes(self.machine) == {}
        assert (self.machine.root / "etc/mcp-fleet/keys.json").exists()
        self.machine.run("apt-get", "purge", "-y", "mcp-fleet")
        left = self.machine.run("find", "/etc", "/usr", "/var/lib", "-name", "*mcp-fleet*").stdout
        assert left == "", left
