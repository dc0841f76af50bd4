"""Spans: each call makes one, below the client's and above the worker's, and a collector gets them whatever happens
to it, to its answers and to the process that carries them."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

import fleet as fleets
import metrics
import streamable
from collector import Collector, make_certificate

pytestmark = pytest.mark.sanitizers

SERVER = Path(__file__).parent / "workers" / "meta_server.py"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE_ID}-{PARENT_ID}-01"
UNSAMPLED = f"00-{TRACE_ID}-{PARENT_ID}-00"
ERROR = 2


@pytest.fixture
def collector():
    started = Collector()
    yield started
    started.stop()


@pytest.fixture
def start(start_fleet, tmp_path, collector):
    def make(**otlp):
        return start_fleet(
            {"meta": {"command": [sys.executable, str(SERVER)]},
             "fake": fleets.fake_domain("fake", call_timeout="1s"), "utils": {}},
            settings={"otlp": {"url": collector.url, "interval": "100ms", **otlp}})
    return make


def door(fleet):
    opened = streamable.Door(fleet.port, timeout=15 * fleets.SLOWNESS)
    opened.open()
    return opened


def ask(opened, **meta):
    """What the worker was told about the trace."""
    return json.loads(opened.post(opened.call("meta_meta", **meta)).json()["result"]["content"][0]["text"])


def courier_of(fleet):
    return [pid for pid in fleet.processes() if "mcp-fleet-courier" in " ".join(fleets.command_line(pid))]


def reload(fleet, **over):
    fleet.write_settings(**over)
    before = fleet.log().count("reload: ")
    fleet.signal(signal.SIGHUP)
    fleets.wait_until(lambda: fleet.log().count("reload: ") > before, what="the reload")


def test_between_client_and_worker(start, collector):
    told = ask(door(start()), traceparent=SAMPLED, tracestate="a=1,b=2", baggage="user=alice")
    [span] = collector.wait(1)
    assert told == {"traceparent": f"00-{TRACE_ID}-{span.id}-01", "tracestate": "a=1,b=2", "baggage": "user=alice"}
    assert (span.trace_id, span.parent, span.state) == (TRACE_ID, PARENT_ID, "a=1,b=2")
    assert span.id != PARENT_ID and len(span.id) == 16 and span.flags == 0x301


def test_what_a_span_says(start, collector):
    fleet = start()
    opened = door(fleet)
    ask(opened)
    [span] = collector.wait(1)
    assert (span.name, span.kind, span.status.code, span.parent) == ("tools/call meta_meta", 2, 0, "")
    assert 0 < span.end - span.start < 60e9 and len(span.trace_id) == 32
    assert span.attributes.pop("jsonrpc.request.id")
    assert span.attributes.pop("client.address", "127.0.0.1") == "127.0.0.1"
    assert span.attributes == {
        "mcp.method.name": "tools/call", "mcp.protocol.version": "2025-11-25", "mcp.session.id": opened.id[:8],
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "meta_meta", "network.transport": "tcp",
        "network.protocol.name": "http", "mcp_fleet.transport": "streamable", "mcp_fleet.domain": "meta",
        "mcp_fleet.worker": "meta/1"}
    assert (span.resource["service.name"], len(span.resource["service.instance.id"])) == ("mcp-fleet", 36)
    assert span.resource["service.version"]
    path, headers = collector.requests[0]
    assert (path, headers["Content-Type"]) == ("/v1/traces", "application/json")


def test_how_calls_end(start, collector):
    opened = door(start())
    assert opened.post(opened.call("calculator_divide", {"a": 1, "b": 0})).json()["result"]["isError"]
    [span] = collector.wait(1)
    assert span.attributes["error.type"] == "tool_error" and span.status.code == ERROR
    assert "rpc.response.status_code" not in span.attributes and not span.status.message
    error = opened.post(opened.call("fake_die", {})).json()["error"]
    span = collector.wait(2)[1]
    assert span.attributes["error.type"] == span.attributes["rpc.response.status_code"] == str(error["code"])
    assert span.status.code == ERROR and span.status.message == error["message"]
    assert span.attributes["mcp_fleet.domain"] == "fake" and "mcp_fleet.worker" not in span.attributes


def test_a_deadline(start, collector):
    opened = door(start())
    answer = opened.post(opened.call("fake_sleep", {"seconds": 30})).json()
    [span] = collector.wait(1)
    assert span.attributes["rpc.response.status_code"] == span.attributes["error.type"] == "-31002"
    assert span.status.code == ERROR and span.status.message == answer["error"]["message"][:256]


def test_nobody_waits_any_more(start, collector):
    """A call that is cancelled, and one whose client is gone."""
    fleet = start()
    session = fleet.session()
    for number in (70, 71):
        session.post({"jsonrpc": "2.0", "id": number, "method": "tools/call",
                      "params": {"name": "fake_sleep", "arguments": {"seconds": 0.5 if number == 70 else 30}}})
    session.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 70}})
    first = collector.wait(1)[0]
    session.close()
    second = collector.wait(2)[1]
    for span, number in ((first, "70"), (second, "71")):
        assert span.attributes["jsonrpc.request.id"] == number and span.status.code == ERROR
        assert span.attributes["error.type"] == "cancelled" and "mcp_fleet.worker" not in span.attributes
        assert span.attributes["mcp_fleet.transport"] == "sse"


def test_the_clients_choice(start, collector):
    opened = door(start(sample=0))
    assert ask(opened) == {}
    assert ask(opened, traceparent=UNSAMPLED, tracestate="a=1") == {"traceparent": UNSAMPLED, "tracestate": "a=1"}
    ask(opened, traceparent=SAMPLED)
    [span] = collector.wait(1)
    assert span.parent == PARENT_ID
    assert fleets.stays(lambda: len(collector.spans) == 1, 0.5)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_not_now(start, collector, status):
    collector.answers = [(status, {"Retry-After": "2"})]
    ask(door(start()))
    assert len(collector.wait(1)) == 1
    assert len(collector.requests) == 2 and collector.times[1] - collector.times[0] > 1.9


@pytest.mark.parametrize("status, headers", [(400, {}), (401, {}), (404, {}), (500, {}), (307, {"Location": "/elsewhere"})])
def test_refused(start, collector, status, headers):
    """What would be refused again is given up, and what comes later is not."""
    collector.answers = [(status, headers)]
    fleet = start()
    opened = door(fleet)
    ask(opened)
    fleets.wait_until(lambda: f"refuses spans with HTTP status {status}" in fleet.log(), what="the warning")
    ask(opened, traceparent=SAMPLED)
    [span] = collector.wait(1)
    assert span.trace_id == TRACE_ID


def test_refused_in_part(start, collector):
    collector.words = json.dumps({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}}).encode()
    fleet = start()
    ask(door(fleet))
    fleets.wait_until(lambda: 'refuses 1 of 1 spans, they are lost: "too old"' in fleet.log(), what="the warning")
    assert len(collector.requests) == 1


def test_a_collector_that_is_down(start, collector):
    collector.stop()
    fleet = start()
    opened = door(fleet)
    for _ in range(5):
        ask(opened)
    fleets.wait_until(lambda: "spans cannot be delivered" in fleet.log(), what="the warning")
    collector.start()
    assert len(collector.wait(5)) == 5
    fleets.wait_until(lambda: "spans are delivered again" in fleet.log(), what="the good news")


def test_a_slow_collector_delays_nobody(start, collector):
    collector.delay = 2
    opened = door(start())
    for _ in range(20):
        ask(opened)
    assert not collector.spans
    assert len({span.id for span in collector.wait(20)}) == len(collector.spans) == 20


def test_the_courier_is_killed(start, collector):
    collector.delay = 1
    fleet = start()
    opened = door(fleet)
    ask(opened)
    fleets.wait_until(lambda: collector.requests, what="a request")
    [pid] = courier_of(fleet)
    os.kill(pid, signal.SIGKILL)
    collector.delay = 0
    ask(opened, traceparent=SAMPLED)
    fleets.wait_until(lambda: any(span.trace_id == TRACE_ID for span in collector.spans), 20, "the second span")
    assert [pid] != courier_of(fleet)
    assert ask(opened)["traceparent"]


def test_metrics(start_fleet, collector):
    admin = fleets.free_port()
    collector.answers = [(400, {}), (503, {})]
    fleet = start_fleet(settings={"admin": {"listen": f"127.0.0.1:{admin}"},
                                  "otlp": {"url": collector.url, "interval": "100ms"}})
    opened = door(fleet)
    for count in (1, 2):
        opened.post(opened.call("calculator_add", {"a": 1, "b": 1}))
        fleets.wait_until(lambda: len(collector.requests) >= count, what="the request")
    collector.wait(1)
    fleets.wait_until(lambda: metrics.read(admin)["mcp_fleet_spans_sent_total"] == 1, what="the counter")
    samples = metrics.read(admin)
    assert [samples[f"mcp_fleet_{name}"] for name in (
        "spans_total", "spans_dropped_total", "spans_waiting", "span_requests_failed_total",
        "courier_restarts_total")] == [2, 1, 0, 2, 0]


def test_reload(start, collector):
    fleet = start(url="")
    opened = door(fleet)
    assert ask(opened, traceparent=SAMPLED) == {"traceparent": SAMPLED}
    assert courier_of(fleet) == []
    reload(fleet, otlp={"url": collector.url})
    fleets.wait_until(lambda: courier_of(fleet), what="the courier")
    assert ask(opened, traceparent=SAMPLED) != {"traceparent": SAMPLED}
    collector.wait(1)
    reload(fleet, otlp={"url": ""})
    assert ask(opened, traceparent=SAMPLED) == {"traceparent": SAMPLED}
    fleets.wait_until(lambda: not courier_of(fleet), what="the end of the courier")


@pytest.fixture
def secure(tmp_path):
    started = Collector(certificate=make_certificate(tmp_path))
    yield started
    started.stop()


def test_tls_and_headers(start, secure, tmp_path):
    """A reload that names other files is enough; who has no right certificate gets neither spans nor headers."""
    headers = tmp_path / "secrets" / "headers"
    headers.parent.mkdir(mode=0o700)
    headers.touch(mode=0o600)
    headers.write_text("# for the collector\nAuthorization: Bearer s3cret\nX-Tenant: one\n")
    fleet = start(url=secure.url, headers_file=str(headers))
    fleet.check_fds = False
    ask(door(fleet))
    fleets.wait_until(lambda: "spans cannot be delivered" in fleet.log(), 20, "the refusal of its certificate")
    assert not secure.requests
    reload(fleet, otlp={"ca_file": str(tmp_path / "cert.pem")})
    secure.wait(1, 30)
    assert secure.requests[0][1]["Authorization"] == "Bearer s3cret" and secure.requests[0][1]["X-Tenant"] == "one"
    other = headers.with_suffix(".new")
    other.touch(mode=0o600)
    other.write_text("X-Tenant: two\n")
    other.rename(headers)
    ask(door(fleet))
    secure.wait(2)
    assert secure.requests[-1][1]["X-Tenant"] == "two" and "Authorization" not in secure.requests[-1][1]
    assert "s3cret" not in fleet.log()


def test_headers_that_others_may_read(start, collector, tmp_path):
    headers = tmp_path / "headers"
    headers.write_text("X: y\n")
    headers.chmod(0o644)
    fleet = start(headers_file=str(headers))
    ask(door(fleet))
    fleets.wait_until(lambda: "headers_file is open to others" in fleet.log(), what="the warning")
    assert not collector.requests


def test_the_end_of_the_daemon(start, collector):
    """What waits is sent."""
    fleet = start(interval="1h")
    ask(door(fleet))
    assert fleets.stays(lambda: not collector.spans, 0.3)
    fleet.signal(signal.SIGTERM)
    assert len(collector.wait(1)) == 1
