"""Peers for the tests of the network worker, on loopback: an HTTP server that may misbehave in any way,
and a name server that says what a test wants."""

import select
import socket
import struct
import threading


class HttpServer:
    """Answers each request by a function of its path: page(connection, request) writes bytes.

    Keeps every request (as text) in `requests`; `closed` is set when a client has hung up on a page that
    waits for that with wait_for_close().
    """

    def __init__(self, address="127.0.0.1", port=0, tls=None):
        self.pages = {}
        self.requests = []
        self.n_connections = 0
        self.closed = threading.Event()
        self.ending = threading.Event()
        self.tls = tls
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, port), family=family, backlog=64)
        self.port = self.listener.getsockname()[1]
        host = f"[{address}]" if ":" in address else address
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def close(self):
        self.ending.set()
        self.thread.join(10)
        self.listener.close()

    def page(self, path, body=b"", status="200 OK", headers=()):
        """A plain page."""
        body = body.encode() if isinstance(body, str) else body
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
        if not any(h.lower().startswith("content-type:") for h in headers):
            head.append("Content-Type: text/plain")
        whole = "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body
        self.pages[path] = lambda connection, request: connection.sendall(whole)

    def redirect(self, path, to, status="302 Found"):
        self.page(path, status=status, headers=[f"Location: {to}"])

    def paths(self):
        return [request.split(" ")[1] for request in self.requests]

    def accept(self):
        while not self.ending.is_set():
            if select.select([self.listener], [], [], 0.1)[0]:
                connection = self.listener.accept()[0]
                self.n_connections += 1
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        connection.settimeout(30)
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            request = b""
            while b"\r\n\r\n" not in request:
                chunk = connection.recv(65536)
                if not chunk:
                    return
                request += chunk
            head, body = request.split(b"\r\n\r\n", 1)
            length = [line.split(b":")[1] for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length:")]
            while length and len(body) < int(length[0]):
                body += connection.recv(65536)
            text = (head + b"\r\n\r\n" + body).decode("latin-1")
            self.requests.append(text)
            page = self.pages.get(text.split(" ")[1])
            if page:
                page(connection, text)
            else:
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n"
                                   b"Connection: close\r\n\r\nno page\n")
        except OSError:
            pass
        finally:
            connection.close()

    def wait_for_close(self, connection):
        """Until the client hangs up."""
        while not self.ending.is_set():
            if not select.select([connection], [], [], 0.05)[0]:
                continue
            try:
                if connection.recv(4096):
                    continue
            except OSError:
                pass
            self.closed.set()
            return


A, AAAA, CNAME, PTR = 1, 28, 5, 12


class NameServer:
    """answers(name, type, n) gives a list of (type, text) for the nth question of that name and type; None
    is NXDOMAIN. `questions` counts them."""

    def __init__(self, answers):
        self.answers = answers
        self.questions = {}
        self.ending = threading.Event()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        self.ending.set()
        self.thread.join(10)
        self.socket.close()

    def asked(self, name, kind=A):
        return self.questions.get((name, kind), 0)

    def serve(self):
        while not self.ending.is_set():
            if select.select([self.socket], [], [], 0.1)[0]:
                query, peer = self.socket.recvfrom(4096)
                answer = self.answer(query)
                if answer:
                    self.socket.sendto(answer, peer)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        question = query[12:at + 5]
        name, kind = ".".join(labels), struct.unpack("!H", query[at + 1:at + 3])[0]
        self.questions[name, kind] = self.questions.get((name, kind), 0) + 1
        records = self.answers(name, kind, self.questions[name, kind])
        if records == "silence":
            return None
        flags = 0x8180 if records is not None else 0x8183
        out = query[:2] + struct.pack("!HHHHH", flags, 1, len(records or []), 0, 0) + question
        owner = b"\xc0\x0c"
        for record_kind, text in records or []:
            data = encode(record_kind, text)
            out += owner + struct.pack("!HHIH", record_kind, 1, 60, len(data)) + data
            if record_kind == CNAME:
                owner = data
        return out


def encode(kind, text):
    if kind == A:
        return socket.inet_pton(socket.AF_INET, text)
    if kind == AAAA:
        return socket.inet_pton(socket.AF_INET6, text)
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"
