"""GET /status on the listener of admin.listen: the page for people, over the wire."""

import json
import os
import pathlib
import signal

import pytest

import certs
import control
import doorkeys
import fleet as fleets
import wire

pytestmark = pytest.mark.sanitizers

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
POLICY = {"default-src": "'none'", "style-src": "'self'", "script-src": "'self'", "connect-src": "'self'",
          "img-src": "'self' data:", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}
MAX_STREAMS = 64  # PAGE_MAX_STREAMS


@pytest.fixture
def admin():
    return fleets.free_port()


@pytest.fixture
def start(start_fleet, admin):
    def start(domains=None, **options):
        return start_fleet(domains or {"utils": {}}, settings={"admin": {"listen": f"127.0.0.1:{admin}"}}, **options)
    return start


def get(port, target, method="GET", **headers):
    with wire.Connection(port) as connection:
        connection.request(method, target, headers)
        return connection.read_response(method)


def policy_of(response):
    parts = [part.strip().partition(" ") for part in response.header("Content-Security-Policy").split(";")]
    return {name: value for name, _, value in parts}


def without_ages(value):
    """Without what is another at each look."""
    if isinstance(value, dict):
        return {name: without_ages(each) for name, each in value.items()
                if name not in ("age_ms", "uptime_ms", "memory_bytes", "cpu_ms")}
    return [without_ages(each) for each in value] if isinstance(value, list) else value


def watch(port):
    stream = wire.EventStream(port, "/status/events", timeout=20 * fleets.SLOWNESS)
    assert stream.response.status == 200
    return stream


def next_fleet(stream):
    event = stream.read_event()
    assert event.name == "fleet"
    return event.data


def wait_for(stream, words):
    while words not in (page := next_fleet(stream)):
        pass
    return page


@pytest.mark.parametrize("target,kind,words", [
    ("/status", "text/html; charset=utf-8", b"<!doctype html>"),
    ("/status.json", "application/json", b'"domains"'),
    ("/status.css", "text/css; charset=utf-8", b"prefers-color-scheme"),
    ("/status.js", "text/javascript; charset=utf-8", b"EventSource"),
])
def test_answers(start, admin, target, kind, words):
    fleet = start()
    response = get(admin, target)
    assert response.status == 200
    assert response.header("Content-Type") == kind
    assert policy_of(response) == POLICY
    assert response.header("X-Content-Type-Options") == "nosniff"
    assert response.header("Referrer-Policy") == "no-referrer"
    assert response.header("Cache-Control") == "no-store"
    assert words in response.body
    head = get(admin, target, "HEAD")
    assert head.status == 200 and head.header("Content-Type") == kind
    assert head.header("Content-Security-Policy") == response.header("Content-Security-Policy")
    assert get(admin, target, "POST").status == 405
    assert get(admin, target + "/x").status == 404
    assert fleet.get(target).status == 404  # not where clients come


def test_the_same_as_the_control_socket(start, admin):
    fleet = start({"utils": {}, "fake": fleets.fake_domain("fake")})
    with fleet.session() as session:
        session.call("calculator_add", {"a": 1, "b": 2})
        by_path = get(admin, "/status.json").json()
        by_accept = get(admin, "/status", Accept="application/json")
        by_socket = control.status(fleet)
    assert by_accept.header("Content-Type") == "application/json"
    assert by_accept.header("Vary") == "Accept"
    assert without_ages(by_path) == without_ages(by_accept.json()) == without_ages(by_socket)
    assert by_path["sessions"]["by_transport"] == {"sse": 1}


def members_of(value):
    """The names in it, but for those of maps whose names are data."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from () if name in ("limits", "refusals", "by_transport") else members_of(each)
    for each in value if isinstance(value, list) else ():
        yield from members_of(each)


def test_each_member_is_documented(start_fleet, admin, tmp_path):
    """Of a fleet that has all: TLS, keys, trouble, a gateway."""
    keys = doorkeys.Keys(tmp_path).add("one").save()
    fleet = start_fleet({"utils": {}, "fake": fleets.fake_domain("fake", "--exit-at-start", 3, required=False)}, {
        "admin": {"listen": f"127.0.0.1:{admin}"},
        "listen": [{"address": f"https://127.0.0.1:{fleets.free_port()}"}],
        "tls": {"cert_file": certs.Authority(tmp_path).write_server(tmp_path / "server.pem", days=(-1, 20.5))},
        "gateway": {"url": f"http://127.0.0.1:{fleets.free_port()}"}}, wait=False)
    fleet.check_fds = False  # the registrar

    def ask():
        return get(admin, "/status.json").json()
    fleets.wait_until(lambda: fleets.socket.socket().connect_ex(("127.0.0.1", admin)) == 0, 20, "it listens")
    fleets.wait_until(lambda: all(domain["last_error"] or domain["name"] == "utils" for domain in ask()["domains"])
                      and ask()["gateway"] and ask()["ready"], 20, "all is there")
    status = ask()
    assert status["tls"]["days_left"] == 20 and status["keys"] == {"count": 1, "fault": None}
    assert status["keys_path"] == str(keys.path) and status["admin"] == f"127.0.0.1:{admin}"
    text = (pathlib.Path(__file__).resolve().parents[2] / "doc" / "control.md").read_text()
    missing = {name for name in members_of(status) if f'"{name}"' not in text}
    assert not missing
    page = get(admin, "/status").body.decode()
    assert "CN=localhost, serial" in page and f"1 in {keys.path}" in page


def test_memory_and_processor_time(start, admin):
    """Of each process, its domain, and the daemon: what the kernel says."""
    fleet = start({"utils": {}, "zero": fleets.fake_domain("zero", "--exit-at-start", 3, required=False)})

    def ask():
        return get(admin, "/status.json").json()
    with fleet.session() as session:
        process = ask()["domains"][0]["processes"][0]
        assert process["pid"] == fleet.workers("utils")[0]
        assert abs(process["memory_bytes"] // 1024 - resident_kib(process["pid"])) < 1024 * fleets.SLOWNESS
        before = ask()
        assert abs(before["memory_bytes"] // 1024 - resident_kib(fleet.pid)) < 4096 * fleets.SLOWNESS

        def works():
            assert "result" in session.call("calculator_calculate", {"expression": "+".join("1" * 400)})
            return (ask()["domains"][0]["processes"][0]["cpu_ms"] > process["cpu_ms"]
                    and ask()["domains"][0]["cpu_ms"] > before["domains"][0]["cpu_ms"]
                    and ask()["cpu_ms"] > before["cpu_ms"])
        fleets.wait_until(works, 30, "the numbers move")
    fleets.wait_until(lambda: any(each["pid"] == 0 for each in ask()["domains"][1]["processes"]), 10, "one waits")
    os.kill(fleet.workers("utils")[0], signal.SIGKILL)
    fleets.wait_until(lambda: ask()["domains"][0]["restarts"] == 1 and fleet.workers("utils"), 10, "it was replaced")
    domain = ask()["domains"][0]
    assert domain["cpu_ms"] >= process["cpu_ms"]  # with that of the one that has ended
    waiting = [each for each in ask()["domains"][1]["processes"] if each["pid"] == 0]
    assert all(each["memory_bytes"] is None and each["cpu_ms"] is None for each in waiting)
    page = get(admin, "/status").body.decode()
    for words in ('data-label="Memory" class="number"><bdi>', 'data-label="CPU" class="number"><bdi>', "<dt>Memory</dt>",
                  "<dt>Processor time</dt>"):
        assert words in page, words


def test_what_is_shown(start, admin):
    start({"utils": {}, "fake": fleets.fake_domain("fake", "--exit-at-start", 3, required=False)})
    fleets.wait_until(lambda: b"cannot start" in get(admin, "/status").body, 10, "the death is shown")
    page = get(admin, "/status").body.decode()
    status = get(admin, "/status.json").json()
    for words in (status["version"], str(status["pid"]), "<strong>Ready</strong>", "1 of 2 domains up", "utils/1",
                  "fake: cannot start, as asked", status["listeners"][0], status["sandbox"], "No gateway is known"):
        assert words in page, words


def test_events(start, admin):
    fleet = start()
    with watch(admin) as stream:
        assert stream.response.header("Content-Type") == "text/event-stream"
        assert policy_of(stream.response) == POLICY
        assert "utils/1" in next_fleet(stream)
        os.kill(fleet.workers("utils")[0], signal.SIGKILL)
        page = wait_for(stream, "killed by signal 9")
        assert "utils/1: killed by signal 9" in page
        with fleet.session() as session:
            session.call("calculator_add", {"a": 1, "b": 2})
            wait_for(stream, "Open, by sse")
    head = get(admin, "/status/events", "HEAD")
    assert head.status == 200 and head.header("Content-Type") == "text/event-stream"


def test_many_watch(start, admin):
    fleet = start()
    streams = [watch(admin) for _ in range(MAX_STREAMS)]
    response = get(admin, "/status/events")
    assert response.status == 503
    assert response.header("Retry-After")
    assert "too many" in response.json()["error"]
    assert get(admin, "/status").status == 200
    os.kill(fleet.workers("utils")[0], signal.SIGKILL)
    for stream in streams:
        wait_for(stream, "killed by signal 9")
        stream.close()

    def is_free():
        with wire.EventStream(admin, "/status/events") as stream:
            return stream.response.status == 200
    fleets.wait_until(is_free, 5, "there is room again")


def resident_kib(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def test_nobody_reads(start, admin):
    """Streams whose clients never read cost no more than they may, and disturb nobody."""
    fleet = start({"utils": {}, "fake": fleets.fake_domain("fake")})
    streams = []
    for _ in range(MAX_STREAMS - 1):
        streams.append(wire.Connection(admin))
        streams[-1].request("GET", "/status/events", {"Accept": "text/event-stream"})
    with watch(admin) as reader, fleet.session() as session:
        before = resident_kib(fleet.pid)
        for i in range(1, 4):
            session.call("fake_echo", {"text": "x"})
            wait_for(reader, f'data-label="Calls" class="number">{i}<')
        assert resident_kib(fleet.pid) - before < 8 * 1024 * fleets.SLOWNESS
    for stream in streams:
        stream.close()


def test_hostile_words(start, admin):
    start({"utils": {}, "fake": fleets.fake_domain(HOSTILE, "--exit-at-start", 3, required=False)})
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;&quot;&#39;&amp;: cannot start"
    with watch(admin) as stream:
        page = wait_for(stream, escaped)
    for text in (page, get(admin, "/status").body.decode()):
        assert escaped in text
        assert "<script>" not in text and "<img" not in text
    assert HOSTILE in json.dumps(get(admin, "/status.json").json(), ensure_ascii=False).replace('\\"', '"')
