"""The parts of a ContextForge gateway that the registrar uses, in memory, which misbehave as a test wants."""

import http.server
import json
import re
import ssl
import threading
import uuid


class FakeGateway:
    """Answers as the real one does, but for what rule() says. Every request is in `requests`."""

    def __init__(self, tools, prefix="/v1", tls=None, client_ca=None):
        self.tools = tools  # domain -> list of tool objects, found whatever the URL's host is
        self.prefix = prefix
        self.token = "the-token-of-this-gateway"
        self.strangers = []  # entries that are shown beside those that were written
        self.entries = {}
        self.requests = []
        self.rules = []
        self.pending = None  # the number of looks after which what was written is active
        self.clock = 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.make_handler())
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            if client_ca:  # whoever has no certificate of it is not let in
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(client_ca)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def rule(self, method, path, times=1, status=200, headers=(), body=None, act=None):
        """The next `times` requests whose path matches are answered so; act(handler) instead writes itself."""
        self.rules.append([method, re.compile(path), times, status, dict(headers), body, act])

    def make_handler(fake):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def reply(self, status, body, headers=()):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in dict(headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = json.loads(body) if body else None
                fake.requests.append((self.command, self.path, dict(self.headers), body))
                for rule in fake.rules:
                    method, path, times, status, headers, text, act = rule
                    if times > 0 and method == self.command and path.search(self.path):
                        rule[2] -= 1
                        if act:
                            act(self)
                        else:
                            self.reply(status, text, headers)
                        return
                self.reply(*fake.serve(self.command, self.path, self.headers, body))

            do_GET = do_POST = do_PUT = do_DELETE = answer

        return Handler

    def serve(self, method, path, headers, body):
        if headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {"detail": "Invalid authentication credentials"}
        if not path.startswith(self.prefix + "/"):
            return 404, {"detail": "Not Found"}
        path = path[len(self.prefix):]
        if path.startswith("/tools?"):
            entry = self.entries[re.search(r"gateway_id=(\w+)", path)[1]]
            return 200, [{"id": uuid.uuid5(uuid.NAMESPACE_URL, entry["id"] + tool["name"]).hex, "enabled": True,
                          "originalName": tool["name"], "originalDescription": tool.get("description"),
                          "inputSchema": tool["inputSchema"]} for tool in entry["found"]]
        if path.startswith("/gateways?"):
            return 200, [*self.strangers, *(self.show(entry) for entry in self.entries.values())]
        if method == "DELETE" and any(entry["id"] in path for entry in self.strangers):
            self.strangers = [entry for entry in self.strangers if entry["id"] not in path]
            return 200, {"status": "success"}
        if method == "POST" and path == "/gateways":
            return self.write({"id": uuid.uuid4().hex, "looks": self.pending or 0}, body)
        entry = self.entries.get(path.rpartition("/")[2])
        if entry is None:
            return 404, {"message": "Gateway not found"}
        if method == "PUT":
            return self.write(entry, body)
        if method == "DELETE":
            del self.entries[entry["id"]]
            return 200, {"status": "success"}
        return 200, self.show(entry)

    def write(self, entry, body):
        self.clock += 1
        domain = re.search(r"/(\w+)/(?:sse|mcp)$", body["url"])[1]
        entry.update({"name": body["name"], "slug": body["name"], "url": body["url"].replace("127.0.0.1", "localhost"),
                      "transport": body["transport"], "description": body["description"], "visibility": body["visibility"],
                      "tags": [{"id": tag, "label": tag} for tag in body["tags"]], "authType": body.get("auth_type"),
                      "authToken": "*****" if body.get("auth_token") else None, "enabled": True, "reachable": True,
                      "caCertificate": body.get("ca_certificate"), "lastSeen": f"2026-01-01T00:00:{self.clock:02}",
                      "version": entry.get("version", 0) + 1, "found": list(self.tools[domain]), "createdAt": entry.get("createdAt", f"2026-01-01T00:00:{self.clock:02}")})
        self.entries[entry["id"]] = entry
        if entry["looks"]:
            return 202, self.show(entry), {"Retry-After": "1"}
        return 200, {**self.show(entry), "toolCount": 0}

    def show(self, entry):
        if entry["looks"]:
            entry["looks"] -= 1
            return {**entry, "status": "pending", "toolCount": 0, "found": None}
        return {**entry, "status": "active", "toolCount": len(entry["found"]), "found": None}

    def count(self, *methods):
        return sum(request[0] in methods for request in self.requests)
