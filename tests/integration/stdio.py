"""One message a line: mcp-fleetd on standard input and output, as the client that started it sees it, and at
its local socket."""

import json
import os
import select
import socket
import subprocess
import time

import fleet as fleets


class Lines:
    """What both have in common: write() and `output`, which is read, are the other class's."""

    def __init__(self, output):
        self.output = output
        self.buffer = b""

    def send(self, message):
        self.write(json.dumps(message) + "\n")

    def read(self, timeout=15.0):
        """The next message; None at the end of the stream. Anything else on the line is an error."""
        deadline = time.monotonic() + timeout * fleets.SLOWNESS
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.output], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                raise TimeoutError(f"no message within {timeout} s; so far {self.buffer[:300]!r}")
            more = os.read(self.output.fileno(), 262144)
            if not more:
                assert self.buffer == b"", f"the last line has no end: {self.buffer[:300]!r}"
                return None
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        message = json.loads(line.decode())
        assert message["jsonrpc"] == "2.0"
        return message

    def request(self, number, method, params=None):
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}})
        while (message := self.read()) is not None:
            if message.get("id") == number and "method" not in message:
                return message
        raise AssertionError("the stream ended before the answer")

    def initialize(self, version="2025-11-25"):
        answer = self.request("init", "initialize", {
            "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer["result"]

    def tools(self):
        return self.request("tools", "tools/list")["result"]["tools"]


class Local(Lines):
    """A client at the local socket. `wait`: how long it may take until somebody listens there."""

    def __init__(self, path, wait=5.0):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(15 * fleets.SLOWNESS)
        fleets.wait_until(lambda: self.socket.connect_ex(str(path)) == 0, wait, f"somebody listens at {path}")
        super().__init__(self.socket)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def write(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def end(self):
        """Closes the direction in which it speaks; the rest of what it hears."""
        self.socket.shutdown(socket.SHUT_WR)
        rest = []
        while (message := self.read()) is not None:
            rest.append(message)
        return rest


class Stdio(Lines):
    """mcp-fleetd as a child with pipes; the checks of a Fleet when it has ended."""

    def __init__(self, folder, domains, args=(), env=None, settings=None):
        self.fleet = fleets.Fleet(folder, domains, settings, env)
        self.fleet.write_settings()
        self.fleet.known_children = fleets.adopted()
        log = self.fleet.log_path.open("ab")
        with log:
            self.process = subprocess.Popen(
                [*fleets.daemon_command(), "--config", str(self.fleet.settings_path), *args],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=folder, bufsize=0,
                env={**self.fleet.environment(), "MCP_TRANSPORT": "stdio"})
        self.fleet.process = self.process
        fleets.helpers.add(self.process.pid)
        super().__init__(self.process.stdout)

    def write(self, data):
        self.process.stdin.write(data if isinstance(data, bytes) else data.encode())

    def end_input(self):
        self.fleet.processes()
        self.process.stdin.close()

    def end(self):
        """Closes the input; the rest of the output."""
        self.end_input()
        rest = []
        while (message := self.read()) is not None:
            rest.append(message)
        return rest

    def finish(self):
        try:
            if not self.process.stdin.closed:
                self.end()
            code = self.process.wait(15 * fleets.SLOWNESS)
            assert code == self.fleet.expected_exit, f"ended with {code}"
            self.fleet.check_nothing_left()
            self.fleet.check_reports()
        finally:
            self.process.stdout.close()
            self.fleet.kill_everything()
