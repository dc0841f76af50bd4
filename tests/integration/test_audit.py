"""The audit and the log: each call of a tool is recorded once, however it ends and by whichever door it came;
what a client sent, and what lets one speak for a session, is in no line; a peer cannot flood the log."""

import hashlib
import json
import os
import re
import signal
import stat

import pytest

import fleet as fleets
import metrics
import streamable
import wire
from stdio import Local

pytestmark = pytest.mark.sanitizers

MARK = "Pr1vate-Thing"
UNKNOWN = -32602  # invalid params


class Audited:
    """A fleet whose calls are recorded in a file."""

    def __init__(self, start_fleet, folder, socket_path, settings=None, **options):
        self.path = folder / "audit.jsonl"
        self.fleet = start_fleet({
            "utils": {},
            "fake": fleets.fake_domain("fake", call_timeout=f"{round(fleets.SLOWNESS)}s"),
            "slow": fleets.fake_domain("slow"),
        }, fleets.merge({"log": {"level": "debug", "format": "json"}, "audit": {"target": str(self.path)},
                         "local": {"path": str(socket_path)}, "limits": {"calls_per_session": 2}}, settings or {}), **options)
        self.socket_path = socket_path

    def records(self):
        text = self.path.read_text()
        assert text.endswith("\n") or not text
        return [json.loads(line) for line in text.splitlines()]

    def wait(self, n):
        fleets.wait_until(lambda: len(self.records()) >= n, 5, f"{n} records; there are {self.records()}")
        return self.records()

    def the_one(self):
        """The only record."""
        found = self.wait(1)
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def audited(start_fleet, tmp_path, socket_path):
    return Audited(start_fleet, tmp_path, socket_path)


def log_lines(fleet):
    """Each line of the log, which is JSON."""
    return [json.loads(line) for line in fleet.log().splitlines()]


def ended(fleet):
    """What the log says at debug of calls that ended."""
    return [line for line in log_lines(fleet) if re.match(r"call \d+: .* ended: ", line["message"])]


# --- doors ---------------------------------------------------------------------------------------------


def over_sse(audited):
    session = audited.fleet.session()
    session.call("fake_echo", {"text": MARK})
    return session.endpoint.split("session_id=")[1]


def over_http(audited):
    door = streamable.Door(audited.fleet.port, timeout=15 * fleets.SLOWNESS)
    door.open()
    assert "result" in door.post(door.call("fake_echo", {"text": MARK})).json()
    return door.id


def over_modern(audited):
    door = streamable.Modern(audited.fleet.port, timeout=15 * fleets.SLOWNESS)
    assert "result" in door.post(door.call("fake_echo", {"text": MARK})).json()
    return None


def over_socket(audited):
    with Local(audited.socket_path) as client:
        client.initialize()
        client.request(1, "tools/call", {"name": "fake_echo", "arguments": {"text": MARK}})
    return "local"


DOORS = {"sse": over_sse, "streamable": over_http, "modern": over_modern, "local": over_socket}


@pytest.mark.parametrize("door", DOORS)
def test_each_door(audited, door):
    session = DOORS[door](audited)
    record = audited.the_one()
    assert record["event"] == "tool_call"
    assert (record["domain"], record["tool"], record["worker"]) == ("fake", "fake_echo", "fake/1")
    assert record["outcome"] == "ok" and "code" not in record
    assert record["arguments"] == [{"name": "text", "bytes": len(MARK) + 2}] and "values" not in record
    assert 0 < record["duration"] < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
    assert record["transport"] == ("streamable" if door == "modern" else door)
    assert record.get("client_ip") == (None if door == "local" else "127.0.0.1")
    if door == "local":
        assert (record["kind"], record["pid"], record["uid"]) == ("local", os.getpid(), os.getuid())
    elif door == "modern":
        assert "session" not in record
    else:
        assert record["session"] == session[:8]
    lines = ended(audited.fleet)
    line = [each for each in lines if each.get("tool") == "fake_echo"]
    assert len(line) == 1, lines
    assert (line[0]["domain"], line[0]["worker"], line[0]["call"]) == ("fake", "fake/1", record["call"])
    assert line[0]["level"] == "debug" and line[0]["duration"] > 0
    assert (line[0].get("session_id"), line[0].get("client_ip")) == (record.get("session"), record.get("client_ip"))


def test_one_line_a_session(audited):
    session = audited.fleet.session()
    session.call("fake_echo")
    session.close()
    fleets.wait_until(lambda: [x for x in log_lines(audited.fleet) if "session ended" in x["message"]], 5, "the line")
    lines = [x for x in log_lines(audited.fleet) if x.get("session_id") == session.endpoint.split("=")[1][:8]]
    told = [x for x in lines if x["level"] != "debug"]
    assert len(told) == 1 and told[0]["level"] == "info", lines
    assert "sse" in told[0]["message"] and "integration-test" in told[0]["message"]
    assert told[0]["duration"] >= 0 and told[0]["client_ip"] == "127.0.0.1"


def test_key(start_fleet, tmp_path, socket_path):
    """Its name is in each line of its client; what is secret of it is in none, nor of one that is refused."""
    text = fleets.make_key(tmp_path / "own-keys.json", "ci")
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")
    audited = Audited(start_fleet, tmp_path, socket_path, {"auth": {"keys_file": str(tmp_path / "own-keys.json")}})
    headers = {"Authorization": f"Bearer {text}"}
    door = streamable.Door(audited.fleet.port, timeout=15 * fleets.SLOWNESS)
    assert door.post(door.request("initialize"), Authorization=f"Bearer {wrong}").status == 401
    session = wire.Session(audited.fleet.port, headers=headers, timeout=15 * fleets.SLOWNESS)
    session.number = 1
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "fake_echo", "arguments": {"text": MARK}}}
    assert session.post(call, headers).status == 202
    assert "result" in session.wait(1)
    session.close()
    refused, record = audited.wait(2)
    assert (refused["event"], refused["reason"], refused["status"]) == ("refused", "bad_credential", 401)
    assert (record["kind"], record["key"], record["client_ip"]) == ("key", "ci", "127.0.0.1")
    line, = ended(audited.fleet)
    assert (line["key"], line["session_id"]) == ("ci", record["session"])
    fleets.wait_until(lambda: "session ended" in audited.fleet.log(), 5, "the end of the session")
    line, = [each for each in log_lines(audited.fleet) if "session ended" in each["message"]]
    assert (line["key"], line["session_id"]) == ("ci", record["session"])
    log = audited.fleet.log()
    for secret in text, wrong, text[14:], hashlib.sha256(text.encode()).hexdigest():
        assert secret not in log and secret not in audited.path.read_text()


# --- outcomes ------------------------------------------------------------------------------------------


def end_ok(audited, session):
    session.call("fake_echo", {"text": MARK})


def end_tool_error(audited, session):
    assert session.call("fake_garbage", {"no": MARK})["result"]["isError"]


def end_bad_arguments(audited, session):
    answer = session.call("calculator_add", {"a": MARK, MARK[:3]: [MARK]})
    assert answer["result"]["isError"]


def end_unknown(audited, session):
    assert session.call("no_such_tool", {"a": MARK})["error"]["code"] == UNKNOWN


def end_malformed(audited, session):
    number = session.start("tools/call", {"name": "fake_echo", "arguments": [MARK]})
    assert session.wait(number)["error"]["code"] == UNKNOWN


def end_deadline(audited, session):
    assert "call_timeout" in session.call("fake_sleep", {"seconds": 600, "x": MARK})["error"]["message"]


def end_cancelled(audited, session):
    number = session.start_call("slow_sleep", {"seconds": 600, "x": MARK})
    session.notify("notifications/cancelled", {"requestId": number, "reason": MARK})


def end_left(audited, session):
    session.start_call("slow_sleep", {"seconds": 600, "x": MARK})
    session.close()


def end_died(audited, session):
    assert "died" in session.call("fake_die", {"x": MARK})["error"]["message"]


OUTCOMES = {
    end_ok: ("ok", "fake", "fake/1"), end_tool_error: ("tool_error", "fake", "fake/1"),
    end_bad_arguments: ("tool_error", "utils", "utils/1"), end_unknown: ("error", None, None),
    end_malformed: ("error", None, None), end_deadline: ("deadline", "fake", None),
    end_cancelled: ("cancelled", "slow", None), end_left: ("cancelled", "slow", None),
    end_died: ("worker_died", "fake", "fake/1"),
}


@pytest.mark.parametrize("end", OUTCOMES, ids=lambda end: end.__name__)
def test_each_outcome(audited, end):
    outcome, domain, worker = OUTCOMES[end]
    session = audited.fleet.session()
    end(audited, session)
    record = audited.the_one()
    assert (record["outcome"], record.get("domain"), record.get("worker")) == (outcome, domain, worker)
    assert ("code" in record) == (outcome not in ("ok", "tool_error", "cancelled"))
    if end is not end_malformed:
        assert sum(each["bytes"] for each in record["arguments"]) >= len(MARK)
    # Nothing of it anywhere, nor what would let a reader of the log speak for the session.
    log = audited.fleet.log()
    assert MARK not in log and MARK not in audited.path.read_text()
    assert session.endpoint.split("session_id=")[1] not in log
    assert len(ended(audited.fleet)) == (0 if domain is None else 1)
    assert len(audited.records()) == 1


def test_overload(audited):
    session = audited.fleet.session()
    waiting = [session.start_call("slow_sleep", {"seconds": 600, "x": MARK}) for _ in range(2)]
    answer = session.call("slow_echo", {"text": MARK})
    assert "calls_per_session" in answer["error"]["message"]
    record = audited.the_one()
    assert (record["tool"], record["outcome"], record["code"]) == ("slow_echo", "overloaded", answer["error"]["code"])
    assert record["arguments"] == [{"name": "text", "bytes": len(MARK) + 2}] and "call" not in record
    session.close()
    outcomes = [each["outcome"] for each in audited.wait(3)]
    assert outcomes == ["overloaded", "cancelled", "cancelled"] and len(waiting) == 2


def test_the_end(start_fleet, tmp_path, socket_path):
    """What is in flight when the daemon ends is recorded, too."""
    audited = Audited(start_fleet, tmp_path, socket_path, {"drain": "100ms"})
    session = audited.fleet.session()
    session.start_call("slow_sleep", {"seconds": 600, "x": MARK})
    audited.fleet.signal(signal.SIGTERM)
    fleets.wait_until(lambda: audited.fleet.process.poll() is not None, 15, "the end")
    assert audited.the_one()["outcome"] == "unavailable"
    assert MARK not in audited.fleet.log()


# --- settings ------------------------------------------------------------------------------------------


def test_values_only_if_set(start_fleet, tmp_path, socket_path):
    audited = Audited(start_fleet, tmp_path, socket_path, {"audit": {"values": True}})
    with audited.fleet.session() as session:
        session.call("fake_echo", {"text": MARK, "n": [1, {"a": None}]})
        session.call("fake_echo", {"text": "x" * 70000})
    first, second = audited.wait(2)
    assert first["values"] == {"text": MARK, "n": [1, {"a": None}]}
    assert second["values_left_out"] is True and "values" not in second
    assert MARK not in audited.fleet.log()


def test_rotation(audited):
    fleet = audited.fleet
    assert stat.S_IMODE(audited.path.stat().st_mode) & ~0o640 == 0
    moved = audited.path.with_suffix(".1")
    with fleet.session() as session:
        session.call("fake_echo")
        audited.path.rename(moved)
        session.call("utils_no_such")
        before = fleet.log().count("reload")
        fleet.signal(signal.SIGHUP)
        fleets.wait_until(lambda: audited.path.exists() and fleet.log().count("reload") > before, 5, "the new file")
        session.call("fake_echo")
    assert [each["outcome"] for each in audited.wait(1)] == ["ok"]
    assert len(moved.read_text().splitlines()) == 2


def test_rotation_with_broken_settings(audited):
    """The old settings stay, but records do not go on into a file that is about to be compressed and deleted."""
    fleet = audited.fleet
    moved = audited.path.with_suffix(".1")
    good = fleet.settings_path.read_text()
    with fleet.session() as session:
        session.call("fake_echo")
        audited.path.rename(moved)
        fleet.settings_path.write_text("no_such_setting: 1\n")
        fleet.signal(signal.SIGHUP)
        fleets.wait_until(lambda: "reload refused" in fleet.log(), 5, "the refusal")
        session.call("fake_echo")
    fleet.settings_path.write_text(good)
    assert [each["outcome"] for each in audited.wait(1)] == ["ok"]
    assert len(moved.read_text().splitlines()) == 1


def test_a_file_that_cannot_be_written(start_fleet, tmp_path, socket_path):
    admin = fleets.free_port()
    audited = Audited(start_fleet, tmp_path, socket_path,
                      {"audit": {"target": "/dev/full"}, "admin": {"listen": f"127.0.0.1:{admin}"}})
    with audited.fleet.session() as session:
        for _ in range(20):
            assert "result" in session.call("fake_echo")
    assert "\nmcp_fleet_audit_dropped_total 20\n" in metrics.fetch(admin)
    told = [line for line in log_lines(audited.fleet) if "audit.target" in line["message"]]
    assert len(told) == 1 and told[0]["level"] == "error" and "No space left" in told[0]["message"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_in_the_log(start_fleet, tmp_path, socket_path, form):
    """With the fields of the call; also where the log is set to errors only."""
    audited = Audited(start_fleet, tmp_path, socket_path,
                      {"audit": {"target": "log"}, "log": {"level": "error", "format": form}})
    with audited.fleet.session() as session:
        session.call("fake_echo", {"text": MARK})
        shown = session.endpoint.split("=")[1][:8]
    if form == "json":
        line, = log_lines(audited.fleet)
        assert line["message"] == "audit: fake_echo: ok" and line["level"] == "info"
        assert (line["domain"], line["tool"], line["worker"], line["session_id"]) == ("fake", "fake_echo", "fake/1", shown)
        record = line["audit"]
        assert line["call"] == record["call"] and line["duration"] == record["duration"]
    else:
        line, = audited.fleet.log().splitlines()
        assert " info: audit: fake_echo: ok domain=fake worker=fake/1 " in line and f" session_id={shown} " in line
        record = json.loads(re.search(r" audit=(\{.*\}) call=", line)[1])
    assert record["arguments"] == [{"name": "text", "bytes": len(MARK) + 2}]
    assert MARK not in line


# --- what no line says ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_in_the_log(start_fleet, tmp_path, socket_path, form):
    """At debug, and whatever was refused: values, credentials in each header, queries, URIs, bodies that are no JSON."""
    audited = Audited(start_fleet, tmp_path, socket_path, {"log": {"format": form}})
    fleet = audited.fleet
    secrets = {"Authorization": f"Bearer {MARK}", "X-API-Key": MARK, "Cookie": f"a={MARK}"}
    session = fleet.session(headers=secrets)
    ids = [session.endpoint.split("=")[1]]
    session.call("fake_echo", {"text": MARK})
    session.request("resources/read", {"uri": f"file:///{MARK}"})
    session.request("prompts/get", {"name": f"x{MARK}", "arguments": {"a": MARK}})
    session.request("completion/complete", {"ref": {"type": "ref/prompt", "name": MARK}, "argument": {"name": "a", "value": MARK}})
    session.request(f"no/{MARK}")
    session.post(f'{{"jsonrpc": "2.0", "{MARK}')
    fleet.get(f"/nowhere/{MARK}?key={MARK}", **secrets)
    fleet.exchange(f"GET /sse?{MARK} HTTP/9\r\n{MARK}: {MARK}\r\n\r\n")
    door = streamable.Door(fleet.port, timeout=15 * fleets.SLOWNESS)
    door.open()
    ids.append(door.id)
    door.post(door.call("fake_echo", {"text": MARK}), **secrets)
    door.end()
    session.close()
    log = fleet.log()
    assert MARK not in log
    assert not [each for each in ids if each in log]
    assert MARK not in audited.path.read_text()


# --- floods --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["sse", "streamable"])
def test_many_sessions(start_fleet, tmp_path, socket_path, door):
    """1,000 sessions come and go: a bounded number of lines, and one that says how many were left out."""
    count = 1000 if fleets.SLOWNESS == 1 else 200
    fleet = start_fleet(settings={"log": {"level": "info", "format": "json"}})
    before = len(log_lines(fleet))
    for _ in range(count):
        if door == "sse":
            with fleet.session(initialize=False):
                pass
        else:
            client = streamable.Door(fleet.port, timeout=15 * fleets.SLOWNESS)
            client.open()
            client.end()
    fleets.wait_until(lambda: fleet.status()["sessions"] == 0, 10, "all sessions have ended")
    lines = log_lines(fleet)[before:]
    # 100 in 10 s, whatever the machine's speed; a first window may begin anywhere.
    windows = 2 + (float_time(lines[-1]) - float_time(lines[0])) // 10
    assert 0 < len(lines) <= 101 * windows, len(lines)
    assert len(lines) < count or windows > 9


def float_time(line):
    hours, minutes, seconds = line["time"][11:-1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def test_calls_that_are_refused_do_not_flood_info(start_fleet, tmp_path, socket_path):
    audited = Audited(start_fleet, tmp_path, socket_path, {"log": {"level": "info"}})
    before = len(log_lines(audited.fleet))
    with audited.fleet.session() as session:
        for n in range(300):
            session.call(f"no_such_{n}")
            session.post('{"jsonrpc": "2.0", "id": 1')
    assert len(audited.wait(300)) == 300
    assert len(log_lines(audited.fleet)) - before <= 30


def test_answers_that_are_too_large(start_fleet, tmp_path, socket_path):
    audited = Audited(start_fleet, tmp_path, socket_path, {"log": {"level": "info"}, "tools": {"max_result_bytes": 65536}})
    with audited.fleet.session() as session:
        for _ in range(50):
            assert "max_result_bytes" in session.call("fake_big", {"bytes": 70000})["error"]["message"]
    assert [each["outcome"] for each in audited.wait(50)] == ["error"] * 50
    told = [line for line in log_lines(audited.fleet) if "max_result_bytes" in line["message"]]
    assert 0 < len(told) <= 30


def test_an_endless_tool_name(audited):
    with audited.fleet.session() as session:
        session.call("x\n" + "y" * 500000, {"a": 1})
    record = audited.the_one()
    assert record["tool"].startswith("x?yyy") and len(record["tool"]) == 256
    assert audited.path.stat().st_size < 1000
    assert "yyyyyyyy" not in audited.fleet.log()
