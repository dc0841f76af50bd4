"""A worker driven directly over its standard input and output, without a supervisor.

Speaks just enough MCP to call tools: one JSON-RPC message a line. Used by the tests of single tools;
what the whole fleet does is tested through the supervisor. The worker is confined as the supervisor
confines it, so that each test of a tool also shows that the sandbox leaves it what it needs.
"""
import json
import os
import pathlib
import select
import subprocess
import time

import fleet as fleets

LINTERS = ["/usr/bin", "/usr/local/bin"]
PORTS = {"https": "443", "ssh": "22"}


class WorkerDied(Exception):
    """The worker ended, or said nothing in time."""


class ToolFailed(Exception):
    """A call answered isError: `code` is what stands before the first colon."""

    def __init__(self, text):
        super().__init__(text)
        self.text = text
        self.code = text.split(":", 1)[0]


def profile_of(program):
    return pathlib.Path(program).name.removeprefix("worker-")


def confined(program, roots, settings, grant):
    """The words in front of the worker's command: what supervisor/fleet/confine.c would say."""
    program = pathlib.Path(program).resolve()
    wrapper = program.parent / "mcp-fleet-exec"
    profile = profile_of(program)
    if not wrapper.exists() or profile not in ("filesystem", "git", "network", "utils"):
        return []
    plan = {"profile": profile, "read": [], "write": [], "connect": [], "programs": [], "memory": 2**30, "files": 1024}
    for root in [*roots, *settings.get("roots", [])]:
        path, access = (root["path"], root.get("access", "write")) if isinstance(root, dict) else (root, "write")
        plan[access].append(str(path))
    if profile in ("filesystem", "git") and not plan["read"] and not plan["write"]:
        plan["write"].append(os.getcwd())
    if profile == "git":
        plan["connect"] = [PORTS[name] for name in settings.get("allowed_protocols", PORTS) if name in PORTS]
        plan["read"] += [path for path in [settings.get("credentials_file"), os.path.expanduser("~/.ssh")]
                         if path and os.path.exists(path)]
    if profile == "network":
        plan["connect"] = ["any"]
    if profile == "filesystem" and settings.get("code_tools", True):
        for folder in map(pathlib.Path, settings.get("code_tools_path", LINTERS)):
            for linter in filter(os.path.exists, (folder / name for name in ("ruff", "black", "pylint", "flake8", "mypy"))):
                plan["programs"].append(os.path.realpath(linter))
                first = linter.read_bytes()[:256].split(b"\n")[0].decode(errors="replace")
                if first.startswith("#!"):
                    plan["programs"].append(os.path.realpath(first[2:].split()[0]))
            plan["read"] += [str(folder)]
            if os.path.exists(f"{folder}/../pyvenv.cfg"):
                plan["read"].append(os.path.dirname(folder))
                plan["read"].append(os.path.dirname(os.path.dirname(os.path.realpath(f"{folder}/python3"))))
    plan["read"], plan["write"], plan["programs"] = (
        [path for path in plan[key] if os.path.exists(path)] for key in ("read", "write", "programs"))
    for key, paths in grant.items():
        plan[key] += [str(path) for path in paths]
    return [str(wrapper), "--plan", json.dumps(plan), "--"]


class StdioWorker:
    """Starts `program` and initialises it; a context manager that ends it."""

    def __init__(self, program, roots=(), settings=None, env=None, timeout=60, grant=None):
        """`grant`: what the worker may do beside that, for programs of the tests that it runs."""
        command = [*confined(program, roots, settings or {}, grant or {}), str(program)]
        for root in roots:
            command += ["--root", str(root)]
        if settings is not None:
            command += ["--settings", json.dumps(settings)]
        self.timeout = timeout
        self.last_id = 0
        self.buffer = b""
        self.notifications = []
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **(fleets.whole_stacks() if profile_of(program) == "git" else {}), **(env or {})},
        )
        self.info = self.request(
            "initialize",
            {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        )["result"]
        self.notify("notifications/initialized", {})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the worker by end of file; returns its exit status."""
        self.process.stdin.close()
        try:
            status = self.process.wait(timeout=self.timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()
        return status

    def send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def notify(self, method, params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def receive(self):
        """The next message."""
        deadline = time.monotonic() + self.timeout
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise WorkerDied("no answer in time")
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise WorkerDied(f"the worker ended with status {self.process.wait()}")
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def request(self, method, params=None):
        """Sends a request and returns the whole response; notifications before it are kept."""
        self.last_id += 1
        self.send({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params or {}})
        while True:
            message = self.receive()
            if message.get("id") == self.last_id:
                return message
            self.notifications.append(message)

    def result(self, tool, **arguments):
        """The result of a call, also when it has isError."""
        response = self.request("tools/call", {"name": tool, "arguments": arguments})
        if "error" in response:
            raise AssertionError(f"{tool}: {response['error']}")
        return response["result"]

    def call(self, tool, **arguments):
        """(structured content, text) of a call that must succeed, else ToolFailed."""
        result = self.result(tool, **arguments)
        text = "".join(part.get("text", "") for part in result["content"])
        if result.get("isError"):
            raise ToolFailed(text)
        return result.get("structuredContent"), text

    def text(self, tool, **arguments):
        return self.call(tool, **arguments)[1]

    def data(self, tool, **arguments):
        return self.call(tool, **arguments)[0]

    def error_code(self, tool, **arguments):
        """The code with which a call fails; None when it does not."""
        try:
            self.call(tool, **arguments)
        except ToolFailed as failure:
            return failure.code
        return None
