"""A ContextForge gateway for the tests: the real program, with SQLite, on a free port of loopback."""

import contextlib
import http.client
import json
import os
import secrets
import signal
import subprocess

import fleet as fleets

ADMIN = "admin@example.com"
# What a registration needs, and nothing more; see doc/registration.md.
PERMISSIONS = [f"gateways.{right}" for right in ("read", "create", "update", "delete")] + ["tools.read"]
SERVER_PERMISSIONS = [f"servers.{right}" for right in ("read", "create", "update", "delete")]


class Gateway:
    """Starts it in a folder of its own; request() speaks its REST interface as an administrator.

    It may be stopped and started again with the same records; `options` are of its environment.
    """

    def __init__(self, folder, environment, **options):
        self.folder = folder
        self.program = environment / "bin" / "mcpgateway"
        self.python = environment / "bin" / "python"
        self.port = fleets.free_port()
        self.log_path = folder / "gateway.log"
        self.process = None
        self.token = None
        # It elects the process that runs the health checks with a lock in TMPDIR, so two gateways
        # must not share one.
        (folder / "tmp").mkdir(parents=True)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder / "tmp"), "LANG": "C.UTF-8",
            "HOST": "127.0.0.1", "PORT": str(self.port), "APP_DOMAIN": f"http://127.0.0.1:{self.port}",
            "DATABASE_URL": "sqlite:///./mcp.db", "CACHE_TYPE": "database",
            "ENVIRONMENT": "development", "LOG_LEVEL": "INFO",
            "AUTH_REQUIRED": "true", "PLATFORM_ADMIN_EMAIL": ADMIN,
            "JWT_SECRET_KEY": secrets.token_hex(32), "AUTH_ENCRYPTION_SECRET": secrets.token_hex(32),
            "PLATFORM_ADMIN_PASSWORD": "Aa1!" + secrets.token_hex(16), "BASIC_AUTH_PASSWORD": "Aa1!" + secrets.token_hex(16),
            # The fleet is on this machine; and a test asks more often than a person.
            "SSRF_ALLOW_LOCALHOST": "true", "RATE_LIMITING_ENABLED": "false",
            "EXPOSE_ERROR_DETAILS": "true",
            "HEALTH_CHECK_INTERVAL": "2", "UNHEALTHY_THRESHOLD": "2", "HEALTH_CHECK_TIMEOUT": "5",
            **options,
        }

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        with self.log_path.open("ab") as log:
            self.process = fleets.spawn(
                [self.program, "--host", "127.0.0.1", "--port", str(self.port)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment,
                cwd=self.folder, start_new_session=True)
        fleets.wait_until(self.is_ready, 90, "the gateway is ready")
        self.token = self.token or self.make_token()
        return self

    def restart(self, **options):
        """Its records stay; `options` hold from now on."""
        self.stop(grace=2)
        self.environment.update(options)
        return self.start()

    def wipe(self):
        """Stops it and takes its records away."""
        self.stop(grace=2)
        for path in self.folder.glob("mcp.db*"):
            path.unlink()

    def freeze(self):
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the gateway ended with {self.process.returncode}: {self.log()[-3000:]}")
        with contextlib.suppress(OSError):
            return self.request("GET", "/ready")[0] == 200
        return False

    def make_token(self):
        made = fleets.run(
            [self.python, "-m", "mcpgateway.utils.create_jwt_token", "--username", ADMIN, "--admin", "--exp", "120"],
            env={**self.environment, "LOG_LEVEL": "ERROR"}, cwd=self.folder)
        words = made.stdout.decode().split()
        assert words and words[-1].count(".") == 2, made.stderr.decode()[-2000:]
        return words[-1]

    def stop(self, grace=15):
        """It has a session of its own, so that all of its processes can be ended at once.

        `grace`: seconds until it is killed; it waits for its clients, of which the registrar is one.
        """
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
            os.killpg(self.process.pid, signal.SIGCONT)
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(5)
        self.process = None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def request(self, method, path, body=None, timeout=45):
        """(status, decoded JSON)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout * fleets.SLOWNESS)
        with contextlib.closing(connection):
            headers = {"Content-Type": "application/json"}
            if self.token:
                headers["Authorization"] = f"Bearer {self.token}"
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            text = response.read()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, text.decode(errors="replace")

    def make_api_token(self, name, permissions=tuple(PERMISSIONS + SERVER_PERMISSIONS)):
        """(id, token) of a token that may do so much."""
        status, made = self.request("POST", "/v1/tokens", {
            "name": name, "expires_in_days": 30, "scope": {"permissions": list(permissions)}})
        assert status == 201, made
        return made["token"]["id"], made["access_token"]

    def revoke(self, token_id):
        assert self.request("DELETE", f"/v1/tokens/{token_id}")[0] == 204

    def entries(self):
        status, found = self.request("GET", "/v1/gateways?limit=0&include_inactive=true")
        assert status == 200, found
        return found

    def servers(self):
        status, found = self.request("GET", "/v1/servers?limit=0&include_inactive=true")
        assert status == 200, found
        return found

    def empty(self):
        for server in self.servers():
            self.request("DELETE", f"/v1/servers/{server['id']}")
        for entry in self.entries():
            self.request("DELETE", f"/v1/gateways/{entry['id']}")

    def register(self, name, url):
        """As the user of the README does it; returns the gateway's id of the peer."""
        status, peer = self.request("POST", "/v1/gateways", {
            "name": name, "url": url, "transport": "SSE", "visibility": "public"})
        assert status == 200, peer
        assert not peer.get("skippedTools"), peer["skippedTools"]
        return peer["id"]

    def tools(self, peer):
        """What it has discovered of a peer: the tool's own name -> the name at the gateway."""
        status, tools = self.request("GET", f"/v1/tools?gateway_id={peer}&limit=0&include_inactive=true")
        assert status == 200, tools
        names = {tool["originalName"]: tool["name"] for tool in tools}
        assert len(names) == len(tools) == len(set(names.values()))
        return names

    def peer(self, peer):
        return self.request("GET", f"/v1/gateways/{peer}")[1]

    def call(self, name, arguments):
        """The answer to a tools/call through the gateway."""
        status, answer = self.request("POST", "/rpc", {
            "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
        assert status == 200, answer
        return answer
