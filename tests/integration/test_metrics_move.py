"""Every metric moves when it should: what is done, which samples change, and by how much. And what is told is bounded,
accepted by promtool, and what the alert rules and the dashboard in etc/ name."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

import ctl
import fleet as fleets
import metrics
import wire
from metrics import total

TOP = pathlib.Path(__file__).resolve().parents[2]
RULES = TOP / "etc" / "prometheus" / "mcp-fleet.rules.yml"
RULES_TEST = TOP / "tests" / "data" / "prometheus" / "mcp-fleet.rules.test.yml"
DASHBOARD = TOP / "etc" / "grafana" / "mcp-fleet.json"


@pytest.fixture
def admin():
    return fleets.free_port()


@pytest.fixture
def fleet(start_fleet, admin, tmp_path):
    """Two fake domains, small limits, and /metrics."""
    return start_fleet(
        {"fake": fleets.fake_domain("fake", call_timeout="30s", health={"interval": "1h"}),
         "other": fleets.fake_domain("other")},
        {"admin": {"listen": f"127.0.0.1:{admin}"},
         "limits": {"request_bytes": "64KiB", "calls_per_session": 8}})


class Watch:
    """What the samples were, and the checks of what has changed since."""

    def __init__(self, port):
        self.port = port
        self.before = metrics.read(port)

    def moved(self, name, **labels):
        return total(metrics.read(self.port), name, **labels) - total(self.before, name, **labels)

    def check(self, *wanted):
        """Each (name, labels, by how much), within a moment: what is counted at an end is counted when it comes."""
        for name, labels, change in wanted:
            fleets.wait_until(lambda: self.moved(name, **labels) == change, 5,
                              f"{name} {labels} moves by {change}, not {self.moved(name, **labels)}")


@pytest.mark.sanitizers
def test_calls(fleet, admin):
    with fleet.session() as session:
        watch = Watch(admin)
        assert "result" in session.call("fake_echo", {"text": "x"})
        assert "result" in session.call("other_echo", {"text": "x"})
        assert "error" in session.call("no_such_tool")
        assert "error" in session.request("no/such/method")
        assert "result" in session.request("tools/list")
        here = {"transport": "sse", "domain": ""}
        watch.check(
            ("messages_received_total", {**here, "method": "tools/call"}, 3),
            ("messages_received_total", {**here, "method": "tools/list"}, 1),
            ("messages_received_total", {**here, "method": "other"}, 1),
            ("request_duration_seconds_count", {"method": "tools/call", "domain": "fake", "tool": "fake_echo"}, 1),
            ("request_duration_seconds_count", {"method": "tools/call", "domain": "other", "tool": "other_echo"}, 1),
            ("request_duration_seconds_count", {"method": "tools/call", "domain": "", "tool": ""}, 1),
            ("request_duration_seconds_count", {"method": "other"}, 1),
            ("errors_total", {"kind": "invalid_params", **here}, 1),
            ("errors_total", {"kind": "method_not_found", **here}, 1),
            ("mcp_fleet_domain_calls_total", {"domain": "fake", "outcome": "ok"}, 1),
            ("mcp_fleet_domain_call_duration_seconds_count", {"domain": "fake"}, 1),
            ("mcp_fleet_domain_call_duration_seconds_count", {"domain": "other"}, 1))
        watch = Watch(admin)
        assert "result" in session.call("fake_sleep", {"seconds": 0.3})
        assert watch.moved("request_duration_seconds_sum", tool="fake_sleep") >= 0.3
        assert watch.moved("request_duration_seconds_bucket", tool="fake_sleep", le="0.262144") == 0
        assert watch.moved("request_duration_seconds_bucket", tool="fake_sleep", le="+Inf") == 1


@pytest.mark.sanitizers
def test_calls_that_fail(fleet, admin):
    """A cancelled call, a deadline, a crash, a tool's own failure."""
    with fleet.session() as session:
        watch = Watch(admin)
        number = session.start_call("fake_sleep", {"seconds": 60})
        fleets.wait_until(lambda: watch.moved("mcp_fleet_domain_calls_in_flight", domain="fake") == 1, 5, "in flight")
        session.notify("notifications/cancelled", {"requestId": number})
        watch.check(
            ("mcp_fleet_domain_calls_total", {"domain": "fake", "outcome": "cancelled"}, 1),
            ("messages_received_total", {"method": "notifications/cancelled"}, 1),
            ("request_duration_seconds_count", {"tool": "fake_sleep"}, 0),
            ("mcp_fleet_domain_calls_in_flight", {"domain": "fake"}, 0))
        watch = Watch(admin)
        assert session.call("fake_die")["error"]["code"] == -31001
        watch.check(
            ("errors_total", {"kind": "worker_died", "domain": "fake", "transport": "sse"}, 1),
            ("mcp_fleet_domain_calls_total", {"domain": "fake", "outcome": "lost"}, 1),
            ("mcp_fleet_domain_restarts_total", {"domain": "fake", "cause": "serving"}, 1),
            ("mcp_fleet_domain_restarts_total", {"domain": "fake"}, 1),
            ("mcp_fleet_domain_restarts_total", {"domain": "other"}, 0),
            ("mcp_fleet_domain_up", {"domain": "fake"}, 0))
        assert watch.moved("mcp_fleet_log_lines_total", level="warning") >= 1
        assert total(metrics.read(admin), "mcp_fleet_domain_cpu_seconds_total", domain="fake") > 0
        watch = Watch(admin)
        session.start_call("fake_garbage", {"hex": b'{"jsonrpc":"2.0","id":1,"broken\n'.hex()})
        watch.check(("mcp_fleet_domain_restarts_total", {"domain": "fake", "cause": "protocol"}, 1))


META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {}}


@pytest.mark.sanitizers
def test_kinds_of_errors(fleet, admin):
    """Each is counted by its name, as the client was answered."""
    modern = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    strange = {**META, "io.modelcontextprotocol/protocolVersion": "2999-01-01"}
    with fleet.session() as session:
        def send(body, **headers):
            return lambda: post(fleet.port, body, **headers)
        for kind, transport, act in [
                ("parse_error", "sse", lambda: session.post('{"jsonrpc": "2.0", ')),
                ("invalid_request", "sse", lambda: session.post({"jsonrpc": "1.0", "id": 1, "method": "ping"})),
                ("header_mismatch", "streamable", send(ask, **{**modern, "Mcp-Method": "tools/call"})),
                ("unsupported_version", "streamable", send({**ask, "params": {"_meta": strange}},
                                                          **{**modern, "MCP-Protocol-Version": "2999-01-01"}))]:
            watch = Watch(admin)
            act()
            watch.check(("errors_total", {"kind": kind, "transport": transport}, 1),
                        ("errors_total", {"transport": transport}, 1))


def test_deadline_and_hang(start_fleet, admin):
    start = start_fleet({"fake": fleets.fake_domain("fake", call_timeout="1s", cancel_grace="1s", concurrency=1)},
                        {"admin": {"listen": f"127.0.0.1:{admin}"}})
    with start.session() as session:
        watch = Watch(admin)
        assert session.call("fake_block", {"seconds": 60})["error"]["code"] == -31002
        watch.check(
            ("errors_total", {"kind": "deadline", "domain": "fake"}, 1),
            ("request_duration_seconds_count", {"tool": "fake_block"}, 1),
            ("mcp_fleet_domain_calls_total", {"outcome": "timed_out"}, 1),
            ("mcp_fleet_domain_restarts_total", {"cause": "hung"}, 1))


def test_tool_errors_and_drill(start_fleet, admin):
    fleet = start_fleet({"utils": {}}, {"admin": {"listen": f"127.0.0.1:{admin}"}})
    with fleet.session() as session:
        watch = Watch(admin)
        answer = session.call("calculator_divide", {"a": 1, "b": 0})
        assert answer["result"]["isError"] is True
        watch.check(("errors_total", {"kind": "tool_error", "domain": "utils"}, 1),
                    ("mcp_fleet_domain_calls_total", {"outcome": "ok"}, 1))
    watch = Watch(admin)
    assert ctl.run("drill", "kill", "utils", "--yes", socket=fleet.control_socket).code == 0
    watch.check(("mcp_fleet_domain_restarts_total", {"domain": "utils", "cause": "drill"}, 1),
                ("mcp_fleet_domain_restarts_total", {"domain": "utils"}, 1))


def test_a_program_that_cannot_be_run(start_fleet, admin):
    start_fleet({"utils": {}, "gone": {"command": ["/no/such/program"], "required": False}},
                {"admin": {"listen": f"127.0.0.1:{admin}"}}, wait=False).wait_listening()
    parked = 'mcp_fleet_domain_state{domain="gone",state="parked"}'
    fleets.wait_until(lambda: metrics.read(admin)[parked] == 1, 10, "it is parked")
    samples = metrics.read(admin)
    assert total(samples, "mcp_fleet_domain_restarts_total", domain="gone", cause="cannot_run") == 1
    assert total(samples, "mcp_fleet_domain_processes", domain="gone", state="parked") == 1
    assert total(samples, "mcp_fleet_domain_up", domain="gone") == 0
    assert total(samples, "mcp_fleet_domain_state", domain="gone") == 1


@pytest.mark.sanitizers
def test_sessions(fleet, admin):
    watch = Watch(admin)
    sse = fleet.session("/sse")
    git = fleet.session("/fake/sse")
    watch.check(
        ("mcp_fleet_sessions", {"transport": "sse", "domain": ""}, 1),
        ("mcp_fleet_sessions", {"transport": "sse", "domain": "fake"}, 1),
        ("mcp_fleet_sessions_opened_total", {"transport": "sse"}, 2),
        ("sse_connections_active", {"transport": "sse", "domain": "fake"}, 1),
        ("sse_connections_active", {"transport": "sse"}, 2),
        ("session_duration_seconds_count", {"transport": "sse"}, 0))
    assert watch.moved("mcp_fleet_http_connections") >= 2
    sse.close()
    git.close()
    watch.check(
        ("mcp_fleet_sessions", {"transport": "sse"}, 0),
        ("sse_connections_active", {"transport": "sse"}, 0),
        ("mcp_fleet_sessions_closed_total", {"transport": "sse", "reason": "client"}, 2),
        ("session_duration_seconds_count", {"transport": "sse"}, 2))


def post(port, body, **headers):
    with wire.Connection(port) as connection:
        connection.request("POST", "/mcp", {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
                                            **headers}, json.dumps(body))
        return connection.read_response("POST")


INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}


@pytest.mark.sanitizers
def test_streamable(fleet, admin):
    watch = Watch(admin)
    opened = post(fleet.port, INITIALIZE)
    own = {"Mcp-Session-Id": opened.header("Mcp-Session-Id")}
    with wire.Connection(fleet.port) as stream:
        stream.request("GET", "/mcp", {"Accept": "text/event-stream", **own})
        assert stream.read_head().status == 200
        watch.check(
            ("sse_connections_active", {"transport": "streamable", "domain": ""}, 1),
            ("mcp_fleet_sessions", {"transport": "streamable"}, 1),
            ("messages_received_total", {"transport": "streamable", "method": "initialize"}, 1),
            ("request_duration_seconds_count", {"transport": "streamable", "method": "initialize"}, 1))
    watch.check(("sse_connections_active", {"transport": "streamable"}, 0))
    with wire.Connection(fleet.port) as connection:
        connection.request("DELETE", "/mcp", own)
        assert connection.read_response().status == 204
    watch.check(
        ("mcp_fleet_sessions_closed_total", {"transport": "streamable", "reason": "client"}, 1),
        ("mcp_fleet_http_responses_total", {"code": "204"}, 1))
    answer = post(fleet.port, {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}},
                  **{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"})
    assert answer.status == 200, answer.body
    watch.check(("mcp_fleet_stateless_requests_total", {}, 1),
                ("request_duration_seconds_count", {"transport": "streamable", "method": "tools/list"}, 1))


def test_refusals(fleet, admin):
    watch = Watch(admin)
    assert fleet.get("/nothing").status == 404
    assert fleet.exchange(b"GET /sse HTTP/1.1\r\nHost: evil.example\r\n\r\n")[0].status == 421
    assert fleet.get("/health", Origin="http://evil.example").status == 403
    assert post(fleet.port, {"jsonrpc": "2.0", "id": 1, "method": "x" * 100_000}).status == 413
    assert fleet.get("/health", X="y" * 100_000).status == 431
    assert fleet.exchange(b"GARBAGE\r\n\r\n")[0].status == 400
    watch.check(
        ("errors_total", {"kind": "http_404", "transport": "http"}, 1),
        ("errors_total", {"kind": "http_421"}, 1),
        ("errors_total", {"kind": "http_413"}, 1),
        ("mcp_fleet_http_responses_total", {"code": "404"}, 1),
        ("mcp_fleet_refusals_total", {"reason": "host"}, 1),
        ("mcp_fleet_refusals_total", {"reason": "origin"}, 1),
        ("mcp_fleet_refusals_total", {"reason": "bad_request"}, 1),
        ("mcp_fleet_limit_reached_total", {"limit": "limits.request_bytes"}, 1),
        ("mcp_fleet_limit_reached_total", {"limit": "limits.header_bytes"}, 1))


def test_limits(start_fleet, admin):
    fleet = start_fleet(
        {"fake": fleets.fake_domain("fake", queue=1, concurrency=1, processes={"max": 1})},
        {"admin": {"listen": f"127.0.0.1:{admin}"}, "tools": {"max_result_bytes": "64KiB"},
         "limits": {"sessions": 2, "calls_per_session": 3, "header_timeout": "1s", "body_timeout": "1s"}})
    watch = Watch(admin)
    with fleet.session() as one, fleet.session() as two:
        assert fleet.get("/sse").status == 503
        watch.check(("mcp_fleet_sessions_refused_total", {}, 1),
                    ("mcp_fleet_limit_reached_total", {"limit": "limits.sessions"}, 1),
                    ("errors_total", {"kind": "http_503"}, 1))
        assert "error" in one.call("fake_big", {"bytes": 100_000})
        watch.check(("mcp_fleet_limit_reached_total", {"limit": "tools.max_result_bytes"}, 1),
                    ("errors_total", {"kind": "internal_error", "domain": "fake"}, 1))
        numbers = [one.start_call("fake_sleep", {"seconds": 60})]
        fleets.wait_until(lambda: watch.moved("mcp_fleet_domain_calls_in_flight") == 1, 5, "one is in flight")
        numbers.append(one.start_call("fake_sleep", {"seconds": 60}))
        watch.check(("mcp_fleet_domain_calls_queued", {"domain": "fake"}, 1))
        assert two.call("fake_sleep")["error"]["code"] == -31003
        watch.check(("mcp_fleet_limit_reached_total", {"limit": "domains.*.queue"}, 1),
                    ("errors_total", {"kind": "overloaded"}, 1))
        samples = metrics.read(admin)
        assert samples['mcp_fleet_domain_queue_limit{domain="fake"}'] == 1
        assert samples["mcp_fleet_sessions_limit"] == 2
        for number in numbers:
            one.notify("notifications/cancelled", {"requestId": number})
    with wire.Connection(fleet.port) as head, wire.Connection(fleet.port) as body:
        head.send(b"GET /health HT")
        body.send(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
        watch.check(("mcp_fleet_limit_reached_total", {"limit": "limits.header_timeout"}, 1),
                    ("mcp_fleet_limit_reached_total", {"limit": "limits.body_timeout"}, 1))


def test_a_slow_client(start_fleet, admin):
    fleet = start_fleet({"fake": fleets.fake_domain("fake")},
                        {"admin": {"listen": f"127.0.0.1:{admin}"}, "tools": {"max_result_bytes": "512KiB"},
                         "limits": {"session_queue_bytes": "1MiB", "calls_per_session": 64}})
    watch = Watch(admin)
    slow = fleet.session()
    slow.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for number in range(100, 140):
        slow.post({"jsonrpc": "2.0", "id": number, "method": "tools/call",
                   "params": {"name": "fake_big", "arguments": {"bytes": 400_000}}})
    watch.check(("errors_total", {"kind": "slow_client", "transport": "sse"}, 1),
                ("mcp_fleet_limit_reached_total", {"limit": "limits.session_queue_bytes"}, 1),
                ("mcp_fleet_sessions_closed_total", {"reason": "slow_client"}, 1),
                ("mcp_fleet_session_queue_bytes", {}, 0))
    slow.close()


def test_reload(fleet, admin):
    with fleet.session() as session:
        assert "result" in session.call("other_echo")
        assert "result" in session.call("fake_echo")
    assert total(metrics.read(admin), "request_duration_seconds_count", domain="other", tool="other_echo") == 1
    del fleet.domains["other"]
    fleet.write_settings(limits={"sessions": 77})
    assert ctl.run("reload", socket=fleet.control_socket).code == 0
    fleets.wait_until(lambda: 'domain="other"' not in metrics.fetch(admin), 5, "it is forgotten")
    samples = metrics.read(admin)
    assert samples["mcp_fleet_sessions_limit"] == 77
    assert total(samples, "request_duration_seconds_count", domain="fake", tool="fake_echo") == 1


def test_tls(start_fleet, admin, tmp_path):
    port = fleets.free_port()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")],
                   check=True, capture_output=True, timeout=60)
    start_fleet({"utils": {}}, {
        "admin": {"listen": f"127.0.0.1:{admin}"},
        "listen": [{"address": f"https://127.0.0.1:{port}"}],
        "tls": {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}}, wait=False)
    fleets.wait_until(lambda: answers(admin), 20, "it listens")
    watch = Watch(admin)
    left = metrics.read(admin)["mcp_fleet_tls_certificate_end_timestamp_seconds"] - time.time()
    assert 29 * 86400 < left <= 30 * 86400
    context = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    with socket.create_connection(("127.0.0.1", port), 10) as raw, context.wrap_socket(raw, server_hostname="localhost"):
        watch.check(("mcp_fleet_tls_handshakes_total", {"outcome": "completed"}, 1))
    with socket.create_connection(("127.0.0.1", port), 10) as raw:
        raw.sendall(b"\x16\x03\x01\x00\x05hello")
        watch.check(("mcp_fleet_tls_handshakes_total", {"outcome": "failed"}, 1),
                    ("mcp_fleet_refusals_total", {"reason": "tls"}, 1))


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_process(fleet, admin):
    samples = metrics.read(admin)
    assert 1_000_000 < samples["process_resident_memory_bytes"] < samples["process_virtual_memory_bytes"]
    assert abs(samples["process_open_fds"] - fleets.count_fds(fleet.pid)) <= 3
    assert samples["process_max_fds"] >= 256
    assert abs(samples["process_start_time_seconds"] - time.time()) < 60
    assert samples['mcp_fleet_domain_resident_memory_bytes{domain="fake"}'] > 1_000_000
    assert abs(samples['mcp_fleet_domain_last_start_timestamp_seconds{domain="fake"}'] - time.time()) < 60
    assert samples['mcp_fleet_domain_processes{domain="fake",state="ready"}'] >= 1
    assert samples['mcp_fleet_domain_tools{domain="fake"}'] > 5
    watch = Watch(admin)
    fleets.wait_until(lambda: watch.moved("mcp_fleet_loop_lag_seconds_count") >= 1, 5, "the loop's lag is measured")
    assert watch.moved("mcp_fleet_http_responses_total", code="200") >= 1


def test_what_processes_use(fleet, admin):
    """Memory and processor time of a domain and of the daemon, and the lag of its loop, which is stopped for a while."""
    watch = Watch(admin)
    with fleet.session() as session:
        def works():
            session.call("fake_big", {"bytes": 60_000})
            return (watch.moved("mcp_fleet_domain_cpu_seconds_total", domain="fake") > 0
                    and watch.moved("process_cpu_seconds_total") > 0)
        fleets.wait_until(works, 30, "the processor time moves")
        spent = total(metrics.read(admin), "mcp_fleet_domain_cpu_seconds_total", domain="fake")
        session.call("fake_die", {})
        watch.check(("mcp_fleet_domain_restarts_total", {"domain": "fake"}, 1))
        fleets.wait_until(lambda: watch.moved("mcp_fleet_domain_up", domain="fake") == 0, 10, "it is up again")
    # What the one that died has used is not forgotten.
    assert total(metrics.read(admin), "mcp_fleet_domain_cpu_seconds_total", domain="fake") >= spent
    assert total(metrics.read(admin), "mcp_fleet_domain_resident_memory_bytes", domain="fake") > 1_000_000
    before = watch.moved("mcp_fleet_loop_lag_seconds_sum")
    os.kill(fleet.pid, signal.SIGSTOP)
    time.sleep(2.5)  # that long it is late
    os.kill(fleet.pid, signal.SIGCONT)
    fleets.wait_until(lambda: watch.moved("mcp_fleet_loop_lag_seconds_sum") - before > 1, 10, "the lag is told")
    assert watch.moved("mcp_fleet_uptime_seconds") >= 2  # whole seconds


def test_what_clients_make_up(fleet, admin):
    """Ten thousand methods, tools and domains that do not exist make no series."""
    def count():
        return len(metrics.read(admin))

    with fleet.session() as session:
        session.call("no_such_tool_at_all")
        session.request("no/such/method/at/all")
        fleet.get("/no_such_domain/sse")
        before = count()
        watch = Watch(admin)
        for start in range(0, 10_000, 8):
            batch = [{"jsonrpc": "2.0", "id": f"{start + i}", "method": "tools/call", "params": {"name": f"made_up_{start + i}"}}
                     if i % 2 else {"jsonrpc": "2.0", "id": f"{start + i}", "method": f"made/up/{start + i}"} for i in range(8)]
            for message in batch:
                assert session.post(message).status == 202
            for _ in batch:
                assert "error" in session.stream.read_message().json()
        with wire.Connection(fleet.port) as connection:
            for number in range(10_000):
                connection.request("GET", f"/domain_{number}/sse")
                assert connection.read_response().status == 404
        watch.check(("messages_received_total", {"method": "other"}, 5000),
                    ("errors_total", {"kind": "invalid_params"}, 5000),
                    ("errors_total", {"kind": "http_404"}, 10_000))
        assert count() == before


# --- the formats ----------------------------------------------------------------------------------


def test_formats(fleet, admin):
    """Both parsers read the same; who accepts neither by name gets the older one."""
    with fleet.session() as session:
        session.call("fake_echo")
    plain = metrics.families(metrics.fetch(admin))
    opened = metrics.families(metrics.fetch(admin, metrics.ACCEPT))
    assert [(family.name, family.type, family.documentation) for family in plain] == \
        [(family.name, family.type, family.documentation) for family in opened]
    assert {family.name for family in opened if family.unit} == \
        {family.name for family in opened if family.name.endswith(("_seconds", "_bytes"))}
    for accept in (None, "*/*", "text/plain", "text/html"):
        assert not metrics.fetch(admin, accept).endswith("# EOF\n")
    with wire.Connection(admin) as connection:
        connection.request("GET", "/metrics", {"Accept": "application/openmetrics-text;q=0, text/plain"})
        assert connection.read_response().header("Content-Type") == metrics.TEXT
        connection.request("HEAD", "/metrics", {"Accept": metrics.ACCEPT})
        head = connection.read_response("HEAD")
        assert head.status == 200 and head.header("Content-Type") == metrics.OPEN and int(head.header("Content-Length")) > 1000
        connection.request("POST", "/metrics", {}, "x")
        assert connection.read_response("POST").status == 405


def promtool():
    found = shutil.which("promtool")
    if not found:
        pytest.skip("promtool is not installed (packaging/needs tests)")
    return found


def test_promtool_takes_what_is_served(fleet, admin):
    with fleet.session() as session:
        session.call("fake_echo")
        session.call("fake_nothing")
    done = subprocess.run([promtool(), "check", "metrics"], input=metrics.fetch(admin).encode(),
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b"" and done.stdout == b""


def test_promtool_takes_the_rules(tmp_path):
    """Their form, and when they fire; what they say is left out there."""
    program = promtool()
    done = subprocess.run([program, "check", "rules", str(RULES)], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    text, n = re.subn(r"\n        annotations:\n(?:          .*\n?)+", "\n", RULES.read_text())
    assert n == RULES.read_text().count("- alert:")
    (tmp_path / RULES.name).write_text(text)
    shutil.copy(RULES_TEST, tmp_path)
    done = subprocess.run([program, "test", "rules", RULES_TEST.name], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


def test_each_alert_is_tested_and_explained():
    rules, tests = RULES.read_text(), RULES_TEST.read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    assert len(alerts) == len(set(alerts)) > 10
    for alert in alerts:
        assert f"alertname: {alert}\n" in tests, alert
    for word in ("summary: ", "runbook: ", "severity: "):
        assert rules.count(word) >= len(alerts), word


# What stands in an expression of PromQL and names no metric.
WORDS = {"and", "or", "unless", "bool", "offset", "by", "on", "without", "ignoring", "group_left", "group_right"}


def metrics_in(expression):
    """The names in it that are metrics, for PromQL: all that is no function, keyword, label, number or text."""
    text = re.sub(r'"[^"]*"', '""', expression)
    text = re.sub(r"\{[^}]*\}|\[[^]]*\]", " ", text)
    text = re.sub(r"\b(by|on|without|ignoring|group_left|group_right|label_values)\s*\([^)]*\)",
                  lambda found: found[0].split("(")[1].split(",")[0] if found[1] == "label_values" else " ", text)
    return {name for name in re.findall(r"\b[a-zA-Z_]\w*\b(?!\s*\()", text) if name not in WORDS}


def labels_in(expression):
    """(metric, label) of each matcher."""
    for metric, matchers in re.findall(r"(\w+)\{([^}]*)\}", expression):
        for label in re.findall(r'(\w+)\s*[=!]', re.sub(r'"[^"]*"', '""', matchers)):
            yield metric, label


def documented_labels():
    """Of each metric in doc/metrics.md, which a unit test compares with the table."""
    text = (TOP / "doc" / "metrics.md").read_text()
    return {name: set(filter(None, labels.split(","))) for name, labels in re.findall(r"(?m)^\| `(\w+)(?:\{([\w,]*)\})?` \|", text)}


def expressions_of_rules():
    found = re.findall(r"(?m)^ +expr: (?:\|\n((?: {10}.*\n)+)|(.+)\n)", RULES.read_text())
    assert len(found) == RULES.read_text().count("expr:")
    return [block or line for block, line in found]


def test_metrics_in_expressions():
    """The reading itself: a name that is none is found wherever it stands."""
    assert metrics_in('sum by (a, b) (rate(x_total{c=~"d|e", f!=""}[15m])) > 3 unless on (g) y == 1 or time() - z < 14 * 1e9') == \
        {"x_total", "y", "z"}
    assert metrics_in("label_values(mcp_fleet_domain_up, domain)") == {"mcp_fleet_domain_up"}
    assert set(labels_in('x{a="1", b!~"c=d"} / y{e=~""}')) == {("x", "a"), ("x", "b"), ("y", "e")}


def expressions_of(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def test_what_rules_and_dashboard_name_is_there(start_fleet, admin, tmp_path):
    """In a fleet with a gateway (which does not answer, so no token's end is known) and without TLS."""
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("secret-of-the-gateway\n")
    fleet = start_fleet({"utils": {}}, {
        "admin": {"listen": f"127.0.0.1:{admin}"},
        "gateway": {"url": f"http://127.0.0.1:{fleets.free_port()}", "token_file": str(token), "interval": "1s"}})
    fleet.check_fds = False
    fleets.wait_until(lambda: "mcp_fleet_gateway_connected" in metrics.fetch(admin), 10, "the registrar reports")
    known = {"mcp_fleet_gateway_token_days_left", "mcp_fleet_tls_certificate_end_timestamp_seconds",
             "mcp_fleet_tls_handshakes_total"}
    for family in metrics.families(metrics.fetch(admin)):
        known.add(family.name + "_total" if family.type == "counter" else family.name)
        if family.type == "histogram":
            known |= {family.name + suffix for suffix in ("_bucket", "_sum", "_count")}
    labels = documented_labels()
    dashboard = json.loads(DASHBOARD.read_text())
    rules = expressions_of_rules()
    for where, text in [*(("rules", text) for text in rules), *(("dashboard", text) for text in expressions_of(dashboard))]:
        named = metrics_in(text)
        assert named, f"{where}: {text}"
        assert named <= known, f"{where}: {named - known} in {text}"
        for metric, label in labels_in(text):
            family = re.sub(r"_(bucket|sum|count)$", "", metric)
            assert label in labels.get(metric, labels.get(family, set())) | {"instance", "job"}, f"{where}: {metric}: {label}"
    assert len({name for text in rules for name in metrics_in(text)}) > 15


def test_the_dashboard():
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard["panels"]
    assert dashboard["schemaVersion"] >= 38 and dashboard["uid"] == "mcp-fleet" and dashboard["title"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == [
        "Overview", "Domains", "Sessions and transports", "Errors and limits", "Gateway", "Process"]
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    cells = set()
    for panel in panels:
        place = panel["gridPos"]
        own = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not own & cells and place["x"] + place["w"] <= 24, panel["title"]
        cells |= own
        if panel["type"] == "row":
            continue
        assert panel["title"] and panel["description"] and panel["targets"]
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= {"instance", "domain", "__rate_interval"}
