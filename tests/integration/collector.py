"""An OpenTelemetry collector for tests: takes spans by OTLP/HTTP in JSON, and reads them with the official schema."""

import base64
import http.server
import json
import ssl
import subprocess
import threading
import time

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

import fleet as fleets


def make_certificate(folder):
    """A certificate for 127.0.0.1 that nobody knows, and its key."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", "/CN=collector", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem",
                    "-out", "cert.pem"], cwd=folder, check=True, capture_output=True, timeout=60)
    return folder / "cert.pem", folder / "key.pem"


def with_bytes(message):
    """OTLP writes ids in hexadecimal digits, where the JSON of Protocol Buffers has base64."""
    for resource in message["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in span:
                        span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    return message


class Span:
    """One span as the collector has read it, with what it came with."""

    def __init__(self, span, resource):
        self.trace_id, self.id, self.parent = (x.hex() for x in (span.trace_id, span.span_id, span.parent_span_id))
        self.name, self.kind, self.state, self.status = span.name, span.kind, span.trace_state, span.status
        self.start, self.end, self.flags = span.start_time_unix_nano, span.end_time_unix_nano, span.flags
        self.attributes = {each.key: each.value.string_value for each in span.attributes}
        self.resource = {each.key: each.value.string_value for each in resource.attributes}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.owner.take(self, body)


class Collector:
    def __init__(self, port=0, certificate=None):
        self.port, self.certificate = port, certificate
        self.spans, self.requests, self.times = [], [], []
        self.answers = []  # (status, headers) of the next requests; then 200
        self.words = b"{}"  # of each answer
        self.delay = 0
        self.start()

    def start(self):
        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.server.owner = self
        self.port = self.server.server_port
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}/v1/traces"

    def take(self, handler, body):
        self.requests.append((handler.path, dict(handler.headers)))
        self.times.append(time.monotonic())
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        time.sleep(self.delay)
        if status == 200:
            self.read(body)
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(self.words)))
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        handler.wfile.write(self.words)

    def read(self, body):
        message = with_bytes(json.loads(body))
        # Unknown members are an error here: what is sent is what the schema has.
        request = json_format.ParseDict(message, trace_service_pb2.ExportTraceServiceRequest())
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                assert scope.scope.name == "mcp-fleet"
                self.spans += [Span(span, resource.resource) for span in scope.spans]

    def wait(self, count, timeout=15.0):
        fleets.wait_until(lambda: len(self.spans) >= count, timeout, f"{count} spans")
        return self.spans
