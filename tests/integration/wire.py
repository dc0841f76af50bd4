"""HTTP/1.1 and Server-Sent Events over plain sockets.

The tests say what bytes go out and see what bytes come back, so nothing here repairs, retries or
normalises. Every wait has a deadline.
"""

import json
import re
import socket
import ssl
import time
import weakref
from dataclasses import dataclass, field

TIMEOUT = 10.0
connections = weakref.WeakSet()  # all that are still referred to, so that a failed test's can be closed


class WireError(AssertionError):
    """The peer did something that HTTP or SSE does not allow, or nothing at all."""


@dataclass
class Response:
    status: int
    reason: str
    headers: list  # of (name as sent, value)
    body: bytes = b""
    version: str = "HTTP/1.1"

    def header(self, name):
        """The value of a header, None when absent; a header that comes twice is an error."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        if len(values) > 1:
            raise WireError(f"{name} came {len(values)} times: {values}")
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)


@dataclass
class Event:
    name: str
    data: str
    raw: bytes

    def json(self):
        return json.loads(self.data)


class Connection:
    """One TCP connection: bytes out, responses in. With `tls`, an ssl.SSLContext, TLS over it.

    `name` is whom it asks for, where that is not the address; `source` an address of ours to come from.
    """

    def __init__(self, port, host="127.0.0.1", timeout=TIMEOUT, tls=None, name=None, source=None):
        self.timeout = timeout
        self.host_header = name or f"{host}:{port}"
        self.socket = socket.create_connection((host, port), timeout, source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            try:
                # An end without close_notify is an error, not an end.
                self.socket = tls.wrap_socket(self.socket, server_hostname=name or host, suppress_ragged_eofs=False)
            except BaseException:
                self.socket.close()
                raise
        self.buffer = b""
        connections.add(self)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, data):
        self.socket.settimeout(self.timeout)
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def request(self, method, target, headers=(), body=None):
        """Sends a well-formed request; reads nothing."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host_header}"]
        lines += [f"{name}: {value}" for name, value in dict(headers).items()]
        if body is not None:
            body = body if isinstance(body, bytes) else body.encode()
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))

    def fill(self, deadline):
        """Reads more bytes into the buffer; False at the end of the stream."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing more came; so far: {self.buffer[:300]!r}")
        self.socket.settimeout(left)
        try:
            more = self.socket.recv(262144)
        except TimeoutError:
            raise TimeoutError(f"nothing more came; so far: {self.buffer[:300]!r}") from None
        self.buffer += more
        return bool(more)

    def take_until(self, mark, deadline):
        while mark not in self.buffer:
            if not self.fill(deadline):
                raise WireError(f"closed before {mark!r}: {self.buffer[:300]!r}")
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def take(self, count, deadline):
        while len(self.buffer) < count:
            if not self.fill(deadline):
                raise WireError(f"closed {count - len(self.buffer)} bytes early")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read_head(self, timeout=None):
        """Status line and headers of the next response."""
        deadline = time.monotonic() + (timeout or self.timeout)
        head = self.take_until(b"\r\n\r\n", deadline).decode("latin-1")
        status_line, *lines = head.split("\r\n")
        match = re.fullmatch(r"(HTTP/1\.[01]) (\d{3}) ([ -~]*)", status_line)
        if not match:
            raise WireError(f"bad status line {status_line!r}")
        headers = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
                raise WireError(f"bad header line {line!r}")
            headers.append((name, value.strip(" \t")))
        return Response(int(match[2]), match[3], headers, version=match[1])

    def read_response(self, method="GET", timeout=None):
        """The next whole response, 1xx ones included."""
        deadline = time.monotonic() + (timeout or self.timeout)
        response = self.read_head(timeout)
        if method == "HEAD" or response.status < 200 or response.status in (204, 304):
            return response
        if (response.header("Transfer-Encoding") or "").lower() == "chunked":
            chunks = []
            while chunk := self.read_chunk(deadline):
                chunks.append(chunk)
            response.body = b"".join(chunks)
        elif response.header("Content-Length") is not None:
            response.body = self.take(int(response.header("Content-Length")), deadline)
        else:
            while self.fill(deadline):
                pass
            response.body, self.buffer = self.buffer, b""
        return response

    def read_chunk(self, deadline):
        size = int(self.take_until(b"\r\n", deadline), 16)
        data = self.take(size, deadline)
        if self.take(2, deadline) != b"\r\n":
            raise WireError("a chunk does not end with a line break")
        return data

    def is_closed(self, timeout=2.0):
        """Whether the peer closes within `timeout`, sending nothing more before it."""
        deadline = time.monotonic() + timeout
        try:
            return not self.buffer and not self.fill(deadline)
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True


class EventStream(Connection):
    """A GET on an SSE endpoint; events come from read_event()."""

    def __init__(self, port, target="/sse", headers=(), host="127.0.0.1", timeout=TIMEOUT, tls=None, **options):
        super().__init__(port, host, timeout, tls, **options)
        self.text = b""  # decoded from chunks, not yet cut into events
        self.started = time.monotonic()
        self.request("GET", target, {"Accept": "text/event-stream", **dict(headers)})
        try:
            self.response = self.read_head()
        except BaseException:
            self.close()
            raise
        self.chunked = (self.response.header("Transfer-Encoding") or "").lower() == "chunked"

    def more_text(self, deadline):
        """One piece of the body; False at its end."""
        if self.chunked:
            piece = self.read_chunk(deadline)
        else:
            if not self.buffer and not self.fill(deadline):
                return False
            piece, self.buffer = self.buffer, b""
        self.text += piece
        return bool(piece)

    def read_event(self, timeout=None):
        """The next event, ping or not; None when the stream has ended."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while b"\n\n" not in self.text:
            if not self.more_text(deadline):
                if self.text:
                    raise WireError(f"ended within an event: {self.text[:300]!r}")
                return None
        raw, self.text = self.text.split(b"\n\n", 1)
        return parse_event(raw)

    def read_message(self, timeout=None):
        """The next JSON-RPC message as an Event; pings are skipped. None at the end."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while True:
            event = self.read_event(max(deadline - time.monotonic(), 0.001))
            if event is None or event.name == "message":
                return event
            if event.name != "ping":
                raise WireError(f"unexpected event {event.raw!r}")

    def has_ended(self, timeout=5.0):
        """Whether the stream ends within `timeout`, with nothing but pings and messages before."""
        deadline = time.monotonic() + timeout
        try:
            while self.read_event(max(deadline - time.monotonic(), 0.001)) is not None:
                pass
        except TimeoutError:
            return False
        except (WireError, ConnectionResetError):
            return True
        return True


def close_all():
    for connection in list(connections):
        connection.close()


def parse_event(raw):
    name, data = None, []
    for line in raw.decode().split("\n"):
        if "\r" in line:
            raise WireError(f"a carriage return in an event: {raw!r}")
        key, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "event" and name is None:
            name = value
        elif key == "data" and colon:
            data.append(value)
        else:
            raise WireError(f"unexpected line in an event: {raw!r}")
    return Event(name or "message", "\n".join(data), raw)


@dataclass(eq=False)
class Session:
    """An MCP session over HTTP+SSE, as a client would hold it."""

    port: int
    target: str = "/sse"
    version: str = "2025-11-25"
    headers: dict = field(default_factory=dict)
    timeout: float = TIMEOUT
    tls: ssl.SSLContext | None = None
    options: dict = field(default_factory=dict)  # more of them for each Connection

    def __post_init__(self):
        self.number = 0
        self.poster = None
        self.stream = EventStream(self.port, self.target, self.headers, timeout=self.timeout, tls=self.tls, **self.options)
        try:
            if self.stream.response.status != 200:
                raise WireError(f"{self.target} answered {self.stream.response.status}")
            first = self.stream.read_event()
            if first is None or first.name != "endpoint":
                raise WireError(f"the first event is {first}")
            self.endpoint = first.data
        except BaseException:
            self.stream.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.stream.close()
        if self.poster:
            self.poster.close()

    def post(self, body, headers=()):
        """POSTs exact bytes (or a message) on the session's kept connection."""
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if self.poster is None:
            self.poster = Connection(self.port, timeout=self.timeout, tls=self.tls, **self.options)
        self.poster.request("POST", self.endpoint,
                            {"Content-Type": "application/json", **self.headers, **dict(headers)}, body)
        response = self.poster.read_response("POST")
        if (response.header("Connection") or "").lower() == "close":
            self.poster.close()
            self.poster = None
        return response

    def send(self, message):
        """POSTs a message that must be accepted."""
        response = self.post(message)
        if response.status != 202 or response.body != b"":
            raise WireError(f"expected an empty 202, got {response.status} {response.body!r}")

    def start(self, method, params=None, **extra):
        """Sends a request and returns its id; the answer is read later."""
        self.number += 1
        message = {"jsonrpc": "2.0", "id": self.number, "method": method, **extra}
        if params is not None:
            message["params"] = params
        self.send(message)
        return self.number

    def notify(self, method, params=None):
        message = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        self.send(message)

    def wait(self, number, timeout=None, aside=None):
        """The answer to request `number`; notifications before it are appended to `aside`."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while True:
            event = self.stream.read_message(max(deadline - time.monotonic(), 0.001))
            if event is None:
                raise WireError(f"the stream ended before the answer to {number}")
            message = event.json()
            if "method" not in message and message.get("id") == number:
                return message
            if "method" not in message:
                raise WireError(f"an answer nobody asked for: {event.data[:300]}")
            if aside is not None:
                aside.append(message)

    def request(self, method, params=None, timeout=None):
        return self.wait(self.start(method, params), timeout)

    def initialize(self, version=None):
        answer = self.request("initialize", {
            "protocolVersion": version or self.version,
            "capabilities": {},
            "clientInfo": {"name": "integration-test", "version": "1"},
        })
        self.notify("notifications/initialized")
        return answer["result"]

    def start_call(self, tool, arguments=None, meta=None):
        params = {"name": tool, "arguments": arguments or {}}
        if meta is not None:
            params["_meta"] = meta
        return self.start("tools/call", params)

    def call(self, tool, arguments=None, timeout=None):
        """The whole answer to a tools/call."""
        return self.wait(self.start_call(tool, arguments), timeout)

    def tools(self):
        return self.request("tools/list")["result"]["tools"]
