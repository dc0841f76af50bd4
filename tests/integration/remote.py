"""mcp-fleet-remote by itself on a socket, and an HTTP server that speaks MCP as well or as badly as a test wants."""

import contextlib
import copy
import http.server
import json
import os
import select
import socket
import struct
import subprocess
import threading
import time

import fleet as fleets

INITIALIZE = {"jsonrpc": "2.0", "id": "initialize", "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
VERSION = "io.modelcontextprotocol/protocolVersion"


class Remote:
    """The program with one socket as standard input and output, as the supervisor starts it."""

    def __init__(self, url, env=None, stderr=None, **settings):
        ours, theirs = socket.socketpair()
        wrapper = os.environ.get("MCP_FLEET_WRAPPER", "").split()
        self.socket = ours
        self.stderr_path = stderr
        with theirs, open(stderr, "ab") as log:
            self.process = fleets.spawn(
                [*wrapper, str(fleets.build_dir() / "mcp-fleet-remote")], stdin=theirs, stdout=theirs, stderr=log,
                env={"PATH": os.environ["PATH"], "MCP_FLEET_REMOTE": json.dumps({"url": url, **settings}),
                     **fleets.sanitizer_environment(), **(env or {})})
        self.buffer = b""
        self.others = []  # what came before the answer that was waited for

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def write(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def send(self, message):
        self.write(json.dumps(message) + "\n")

    def read(self, timeout=10.0):
        """The next message; None at the end."""
        deadline = time.monotonic() + timeout * fleets.SLOWNESS
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.socket], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                raise TimeoutError(f"no message within {timeout} s\n{self.stderr()}")
            more = self.socket.recv(1 << 18)
            if not more:
                assert self.buffer == b"", f"the last line has no end: {self.buffer[:300]!r}"
                return None
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def answer(self, number, timeout=10.0):
        while (message := self.read(timeout)) is not None:
            if message.get("id") == number and "method" not in message:
                return message
            self.others.append(message)
        raise AssertionError(f"it ended before the answer\n{self.stderr()}")

    def request(self, number, method, params=None, timeout=10.0):
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}})
        return self.answer(number, timeout)

    def call(self, number, name="echo", timeout=10.0, **arguments):
        return self.request(number, "tools/call", {"name": name, "arguments": arguments}, timeout)

    def modern(self, number, method, version="2026-07-28", **params):
        """Sends a request of the stateless revision."""
        meta = {VERSION: version, "io.modelcontextprotocol/clientCapabilities": {}}
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": meta}})

    def open(self):
        self.send(INITIALIZE)
        answer = self.answer("initialize")
        self.send(INITIALIZED)
        return answer

    def wait_notification(self, method, timeout=10.0):
        for at, message in enumerate(self.others):
            if message.get("method") == method:
                return self.others.pop(at)
        while (message := self.read(timeout)) is not None:
            if message.get("method") == method:
                return message
            self.others.append(message)
        raise AssertionError(f"it ended before {method}")

    def is_silent(self, seconds):
        return not self.buffer and not select.select([self.socket], [], [], seconds)[0]

    def cpu_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self):
        return int(open(f"/proc/{self.process.pid}/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def end(self):
        """Closes the input; the rest of the output."""
        self.socket.shutdown(socket.SHUT_WR)
        rest = []
        while (message := self.read()) is not None:
            rest.append(message)
        return rest

    def finish(self, code=0):
        try:
            if self.process.poll() is None:
                with contextlib.suppress(OSError):
                    self.socket.shutdown(socket.SHUT_WR)
            ended = self.process.wait(10 * fleets.SLOWNESS)
            assert ended == code, f"it ended with {ended}\n{self.stderr()}"
            found = [line for line in self.stderr().splitlines() if fleets.REPORTS.search(line)]
            assert not found, "\n".join(found[:20])
        finally:
            self.socket.close()
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


class Exchange(http.server.BaseHTTPRequestHandler):
    """One request. Tests get it in their hooks, to answer it in any way."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def serve(self):
        peer = self.server.peer
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        self.message = json.loads(body) if body else None
        self.raw = body
        with peer.lock:
            peer.requests.append(copy.copy(self))  # a connection has one handler for all its requests
            peer.n_now += 1
            peer.n_most = max(peer.n_most, peer.n_now)
        try:
            getattr(peer, f"on_{self.command.lower()}")(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with peer.lock:
                peer.n_now -= 1

    do_GET = do_POST = do_DELETE = serve

    def reply(self, status, body=b"", kind="application/json", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        if body:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def stream(self, **headers):
        """Begins an event stream, which ends with the connection."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True

    def event(self, message=None, name=None, **fields):
        lines = [f"event: {name}"] if name else []
        lines += [f"{key}: {value}" for key, value in fields.items()]
        lines.append(f"data: {message if isinstance(message, str) else json.dumps(message) if message else ''}")
        self.wfile.write(("\n".join(lines) + "\n\n").encode())
        self.wfile.flush()

    def cut(self):
        """Breaks the connection with a reset."""
        self.close_connection = True
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.shutdown(socket.SHUT_RDWR)

    def is_left(self, timeout=5.0):
        """Whether the client closes the connection within this time."""
        ready, _, _ = select.select([self.request], [], [], timeout * fleets.SLOWNESS)
        return bool(ready) and self.request.recv(1, socket.MSG_PEEK) == b""


class Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True
    block_on_close = False


class Peer:
    """An MCP server over Streamable HTTP with sessions. Its methods on_… are replaced by tests."""

    def __init__(self, port=0):
        self.lock = threading.Lock()
        self.requests = []
        self.n_now = self.n_most = 0
        self.sessions = set()
        self.n_sessions = 0
        self.version = "2025-11-25"
        self.tools = [{"name": "echo", "description": "Echoes.", "inputSchema": {"type": "object"}}]
        self.port = port
        self.server = None
        self.start()

    def start(self):
        self.server = Listener(("127.0.0.1", self.port), Exchange)
        self.server.peer = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        """Refuses connections from now on, and forgets its sessions."""
        self.server.shutdown()
        self.server.server_close()
        self.sessions.clear()
        for each in self.requests:
            with contextlib.suppress(OSError):
                each.request.shutdown(socket.SHUT_RDWR)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/mcp"

    def methods(self):
        return [each.message.get("method") if each.message else each.command for each in list(self.requests)]

    def of(self, method):
        return [each for each in list(self.requests) if (each.message or {}).get("method", each.command) == method]

    # What it answers -------------------------------------------------------------------------------

    def on_post(self, x):
        message = x.message
        method = message.get("method")
        if method == "initialize":
            self.on_initialize(x)
        elif x.headers.get("Mcp-Session-Id") not in self.sessions:
            x.reply(404, {"jsonrpc": "2.0", "id": None, "error": {"code": -32001, "message": "Session not found"}})
        elif "id" not in message or not method:
            self.on_note(x)
        elif method == "tools/call":
            self.on_call(x)
        else:
            x.reply(200, self.result(x, {"tools": self.tools} if method == "tools/list" else {}))

    def on_initialize(self, x):
        self.n_sessions += 1
        session = f"session-{self.n_sessions}"
        self.sessions.add(session)
        x.reply(200, self.result(x, {
            "protocolVersion": self.version, "capabilities": {"tools": {"listChanged": True}, "logging": {}},
            "serverInfo": {"name": "peer", "version": "1"}}), Mcp_Session_Id=session)

    def on_note(self, x):
        x.reply(202)

    def on_call(self, x):
        x.reply(200, self.result(x, self.echo(x)))

    def on_get(self, x):
        x.reply(405)

    def on_delete(self, x):
        self.sessions.discard(x.headers.get("Mcp-Session-Id"))
        x.reply(200)

    @staticmethod
    def result(x, result):
        return {"jsonrpc": "2.0", "id": x.message["id"], "result": result}

    @staticmethod
    def echo(x):
        return {"content": [{"type": "text", "text": json.dumps(x.message["params"].get("arguments", {}))}]}


def text_of(answer):
    return answer["result"]["content"][0]["text"]


def run_sdk(python, script, *args, log):
    """A server of an SDK on a free port, as a process; (process, port) once it listens."""
    port = args[0] if args else fleets.free_port()
    with open(log, "ab") as file:
        process = fleets.spawn([str(python), str(script), str(port), *map(str, args[1:])],
                               stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def listens():
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False
    fleets.wait_until(listens, 20, "the SDK's server listens")
    return process, port
