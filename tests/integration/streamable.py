"""A client of Streamable HTTP that hides nothing: exact heads, chunks, events and comments.

A Door is an endpoint with the session that was opened there (or none); each request goes over a
connection of its own unless one is given, so that streams can be broken one by one.
"""

import json
import time
from dataclasses import dataclass

import wire

BOTH = "application/json, text/event-stream"
MODERN = "2026-07-28"
META = "io.modelcontextprotocol/"


@dataclass
class Event:
    id: str | None = None
    data: str | None = None
    retry: str | None = None
    name: str = "message"

    def json(self):
        return json.loads(self.data)


class Stream:
    """The event stream that a response on `connection` is."""

    def __init__(self, connection, response):
        self.connection, self.response = connection, response
        self.text, self.comments, self.ended = b"", 0, False
        self.chunked = (response.header("Transfer-Encoding") or "").lower() == "chunked"

    def fill(self, deadline):
        connection = self.connection
        if self.chunked:
            piece = connection.read_chunk(deadline)
            self.ended = not piece
        elif connection.buffer or connection.fill(deadline):
            piece, connection.buffer = connection.buffer, b""
        else:
            piece, self.ended = b"", True
        self.text += piece

    def read(self, timeout=None):
        """The next event; None at the end of the stream. Comments are counted."""
        deadline = time.monotonic() + (timeout or self.connection.timeout)
        while True:
            while b"\n\n" not in self.text:
                if self.ended:
                    if self.text:
                        raise wire.WireError(f"ended within an event: {self.text[:300]!r}")
                    return None
                self.fill(deadline)
            raw, self.text = self.text.split(b"\n\n", 1)
            event = self.parse(raw)
            if event:
                return event

    def parse(self, raw):
        event = Event()
        for line in raw.decode().split("\n"):
            if line.startswith(":"):
                self.comments += 1
                continue
            key, colon, value = line.partition(":")
            value = value.removeprefix(" ")
            if not colon or key not in ("id", "data", "retry", "event") or "\r" in line:
                raise wire.WireError(f"unexpected line in an event: {raw!r}")
            setattr(event, "name" if key == "event" else key, value)
        return event if event != Event() else None

    def rest(self, timeout=None):
        """All events up to the end of the stream."""
        events = []
        while (event := self.read(timeout)) is not None:
            events.append(event)
        return events

    def close(self):
        self.connection.close()


class Door:
    def __init__(self, port, target="/mcp", version="2025-11-25", **options):
        self.port, self.target, self.version = port, target, version
        self.options = options  # of each wire.Connection
        self.timeout = options.get("timeout", wire.TIMEOUT)
        self.hint = "no"  # to proxies, with event streams
        self.id = None  # of the session
        self.credential = {}  # headers of each request
        self.last_number = 0

    def connect(self):
        return wire.Connection(self.port, **self.options)

    def headers(self, **more):
        """What a well-behaved client sends; None takes a header away."""
        headers = {"Accept": BOTH, "Content-Type": "application/json", "Mcp-Session-Id": self.id, **self.credential}
        if self.id and self.version >= "2025-06-18":
            headers["MCP-Protocol-Version"] = self.version
        headers.update({name.replace("_", "-"): value for name, value in more.items()})
        return {name: value for name, value in headers.items() if value is not None}

    def send(self, method, body=None, connection=None, **headers):
        """Sends a request and returns its connection; nothing is read."""
        connection = connection or self.connect()
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection.request(method, self.target, self.headers(**headers), body)
        return connection

    def ask(self, method, body=None, connection=None, **headers):
        """The response, read whole."""
        used = self.send(method, body, connection, **headers)
        try:
            return used.read_response(method)
        finally:
            if not connection:
                used.close()

    def post(self, body, **options):
        return self.ask("POST", body, **options)

    def stream(self, method, body=None, **options):
        """A request that must be answered with an event stream."""
        connection = self.send(method, body, **options)
        response = connection.read_head()
        assert (response.status, response.header("Content-Type")) == (200, "text/event-stream"), response
        assert response.header("X-Accel-Buffering") == self.hint
        return Stream(connection, response)

    def listen(self, last=None, **options):
        """The GET stream."""
        return self.stream("GET", Last_Event_ID=last, Accept="text/event-stream", Content_Type=None, **options)

    def number(self):
        self.last_number += 1
        return self.last_number

    def request(self, method, params=None, **extra):
        """A message with a new id."""
        message = {"jsonrpc": "2.0", "id": self.number(), "method": method, **extra}
        return message if params is None else {**message, "params": params}

    def call(self, tool, arguments=None, **meta):
        params = {"name": tool, "arguments": arguments or {}}
        return self.request("tools/call", {**params, "_meta": meta} if meta else params)

    def open(self, capabilities=None):
        """initialize and its notification; returns the result."""
        response = self.post(self.request("initialize", {
            "protocolVersion": self.version, "capabilities": capabilities or {},
            "clientInfo": {"name": "integration-test", "version": "1"}}))
        assert (response.status, response.header("Content-Type")) == (200, "application/json"), response
        self.id = response.header("Mcp-Session-Id")
        self.version = response.json()["result"]["protocolVersion"]
        accepted = self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert (accepted.status, accepted.body) == (202, b"")
        return response.json()["result"]

    def end(self):
        return self.ask("DELETE", Content_Type=None)


class Modern(Door):
    """The same endpoint in the way of the stateless revision."""

    def __init__(self, port, target="/mcp", **options):
        super().__init__(port, target, MODERN, **options)

    def headers(self, **more):
        return super().headers(**{"MCP_Protocol_Version": MODERN, **more})

    def request(self, method, params=None, **extra):
        params = dict(params or {})
        params["_meta"] = {META + "protocolVersion": MODERN, META + "clientCapabilities": {},
                           META + "clientInfo": {"name": "integration-test", "version": "1"},
                           **params.get("_meta", {})}
        return super().request(method, params, **extra)

    def send(self, method, body=None, connection=None, **headers):
        if isinstance(body, dict) and "method" in body:
            params = body.get("params", {})
            headers = {"Mcp_Method": body["method"], "Mcp_Name": params.get("name", params.get("uri")), **headers}
        return super().send(method, body, connection, **headers)
