"""The control socket: what it tells, who may do what, and clients that misbehave."""

import grp
import json
import os
import pathlib
import signal
import socket
import stat

import pytest

import fleet as fleets
from control import Control, Refused, as_user, domain, status

NOBODY = 65534
GROUP = "games"
BY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
pytestmark = pytest.mark.sanitizers


def open_control(fleet, **options):
    return Control(fleet.control_socket, **options)


def test_hello_comes_first(utils):
    with open_control(utils, hello=False) as control:
        with pytest.raises(Refused, match="the first method is hello"):
            control.call("status")
        with pytest.raises(Refused, match="speaks version 1 of the control protocol"):
            control.call("hello", protocol=2)
        with pytest.raises(Refused, match="the first method is hello"):
            control.call("status")
        hello = control.call("hello", protocol=1)
        assert hello["may_change"] is True
        assert hello["pid"] == utils.pid
        assert hello["settings"] == str(utils.settings_path)
        assert control.call("status")["pid"] == utils.pid


def test_the_socket_is_for_the_owner_and_the_group(utils):
    mode = os.stat(utils.control_socket).st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660
    utils.stop()
    assert not utils.control_socket.exists()


def test_status_tells_the_truth(fake):
    with fake.session() as session:
        session.call("fake_echo", {"text": "x"})
        now = status(fake)
        assert now["ready"] is True
        assert now["reasons"] == []
        assert now["listeners"] == [f"127.0.0.1:{fake.port}"]
        assert now["control_socket"] == str(fake.control_socket)
        assert now["local_socket"] == str(fake.local_socket)
        assert now["sessions"]["open"] == 1
        assert now["gateway"] is None
    found = domain(fake, "fake")
    assert found["state"] == "up"
    assert found["calls"]["total"] == found["calls"]["ok"] == 1
    assert found["latency"][-1][1] == 1
    [process] = found["processes"]
    assert process["pid"] in fake.workers("fake")
    assert process["state"] == "ready"
    assert process["answered"] == 1
    os.kill(process["pid"], signal.SIGKILL)
    fleets.wait_until(lambda: domain(fake, "fake")["restarts"] == 1, what="the restart is counted")
    fleets.wait_until(lambda: domain(fake, "fake")["state"] == "up", what="it is up again")
    found = domain(fake, "fake")
    assert "killed by signal 9" in found["last_error"]["text"]
    assert found["last_error"]["remedy"]
    assert found["processes"][0]["pid"] != process["pid"]


def test_watch(fake):
    with open_control(fake) as control:
        assert control.call("watch", interval_ms=3600000) == {}
        assert control.notice("status")["ready"] is True
        os.kill(fake.workers("fake")[0], signal.SIGKILL)
        while not (told := control.notice("status"))["domains"][0]["restarts"]:
            pass
        assert told["domains"][0]["name"] == "fake"
        control.call("watch", interval_ms=100)
        for _ in range(3):
            control.notice("status")
        with pytest.raises(Refused, match="allowed are 100 to 3600000"):
            control.call("watch", interval_ms=1)


def test_tools(fake):
    with open_control(fake) as control:
        tools = control.call("tools")["tools"]
        assert {tool["domain"] for tool in tools} == {"fake", "other"}
        assert all(tool["name"].startswith(tool["domain"] + "_") and tool["inputSchema"] for tool in tools)
        assert control.call("tools", domain="other")["tools"] == [t for t in tools if t["domain"] == "other"]
        with pytest.raises(Refused, match='there is no domain "nope"') as refused:
            control.call("tools", domain="nope")
        assert refused.value.code == -31012


def test_reload(utils):
    utils.check_fds = False
    with open_control(utils) as control:
        assert control.call("reload") == {"changed": [], "domains": [], "needs_restart": []}
        utils.domains["fake"] = fleets.fake_domain("fake")
        utils.write_settings(limits={"sessions": 7}, control={"group": "root"})
        assert control.call("reload") == {
            "changed": ["control.group", "limits.sessions"],
            "domains": [{"name": "fake", "change": "added"}], "needs_restart": ["control.group"]}
        utils.settings_path.write_text("limits: {sesions: 3}\n")
        with pytest.raises(Refused, match=r"fleet.yaml:1:10: limits.sesions: unknown key") as refused:
            control.call("reload")
        assert "old ones are in use" in refused.value.remedy
        assert control.call("status")["sessions"]["limit"] == 7


def test_restart_is_rolling(fake):
    before = fake.workers("fake")
    with open_control(fake) as control, fake.session() as session:
        number = session.start_call("fake_sleep", {"seconds": 0.5})
        fleets.wait_until(lambda: domain(fake, "fake")["calls"]["in_flight"] == 1, what="the call runs")
        assert control.call("domain/restart", domain="fake")["text"]
        assert "result" in session.wait(number)
        after = fake.workers("fake")
        assert not set(before) & set(after)
        assert len(after) == 1
        with pytest.raises(Refused) as refused:
            control.call("domain/restart", domain="nope")
        assert refused.value.code == -31012


def test_the_end_with_orders_under_way(fake):
    """A second SIGTERM while an order waits for its end: who has it ends it when the control has gone."""
    fake.check_fds = False
    with open_control(fake) as control, fake.session() as session:
        session.start_call("fake_sleep", {"seconds": 60})
        fleets.wait_until(lambda: domain(fake, "fake")["calls"]["in_flight"] == 1, what="the call runs")
        control.ask("domain/restart", domain="fake")
        fleets.wait_until(lambda: any(p["retiring"] for p in domain(fake, "fake")["processes"]), what="one drains")
        fake.signal(signal.SIGTERM)
        fleets.wait_until(lambda: "stopping on SIGTERM" in fake.log(), what="it stops")
        assert "the fleet is stopping" in status(fake)["reasons"]
        with open_control(fake) as other, pytest.raises(Refused, match="the fleet is stopping"):
            other.call("domain/disable", domain="other")
        fake.signal(signal.SIGTERM)
        assert fake.process.wait(20 * fleets.SLOWNESS) == 0


def test_disable_outlasts_a_restart(fake):
    fake.check_fds = False
    with open_control(fake) as control:
        assert control.call("domain/disable", domain="fake")["persists"] is True
    assert domain(fake, "fake")["state"] == "disabled"
    assert status(fake)["ready"] is True
    fake.stop()
    fake.start()
    assert domain(fake, "fake")["state"] == "disabled"
    assert not fake.workers("fake")
    with open_control(fake) as control:
        control.call("domain/enable", domain="fake")
    fleets.wait_until(lambda: domain(fake, "fake")["state"] == "up", what="it is up again")


# --- who may what -----------------------------------------------------------------------------------------


@BY_ROOT
def test_others_are_kept_out(start_fleet):
    fleet = start_fleet()

    def connect():
        try:
            Control(fleet.control_socket)
        except OSError as error:
            return type(error).__name__
        return "in"

    assert as_user(NOBODY, NOBODY, connect) == "PermissionError"


@BY_ROOT
def test_readers_do_not_learn_session_ids(start_fleet):
    gid = grp.getgrnam(GROUP).gr_gid
    fleet = start_fleet(settings={"control": {"group": GROUP}})

    def look():
        with Control(fleet.control_socket) as control:
            ids = [each["id"] for each in control.call("sessions")["sessions"]]
            return ids + [line["session"] for line in control.call("logs", lines=2000)["lines"] if "session" in line]

    with fleet.session():
        whole = look()
        shown = as_user(NOBODY, gid, look)
        assert whole and {len(each) for each in whole} == {36}
        assert shown == [each[:8] for each in whole]


def try_both(path):
    """What a member of the group may do: look, change."""

    def look():
        with Control(path) as control:
            may = control.hello["may_change"]
            control.call("status")
            try:
                control.call("reload")
            except Refused as refused:
                return [may, refused.code, str(refused), refused.remedy]
            return [may, 0, "", ""]

    return look


@BY_ROOT
def test_the_group_looks_and_admins_change(start_fleet):
    gid = grp.getgrnam(GROUP).gr_gid
    fleet = start_fleet(settings={"control": {"group": GROUP}})
    assert os.stat(fleet.control_socket).st_gid == gid
    may, code, words, remedy = as_user(NOBODY, gid, try_both(fleet.control_socket))
    assert (may, code) == (False, -31010)
    assert words == "the user 65534 may look, but not change anything"
    assert "control.admins" in remedy
    for admins in (["nobody"], [f"%{GROUP}"], ["no-such-user", "nobody"]):
        fleet.write_settings(control={"group": GROUP, "admins": admins})
        with open_control(fleet) as control:
            control.call("reload")
        assert as_user(NOBODY, gid, try_both(fleet.control_socket))[:2] == [True, 0]
    assert "there is no user 'no-such-user', ignoring it" in fleet.log()


# --- hostile ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line, code", [
    (b"x", -32700), (b"[]", -32600), (b'{"jsonrpc":"2.0"}', -32600), (b"\xff\xfe", -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"status","params":[]}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools","params":{"domain":"\\u0000"}}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":5}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"no/such"}', -32601),
    (b"[" * 100000, -32700),
])
def test_nonsense_gets_an_error(utils, line, code):
    with open_control(utils) as control:
        control.send(line)
        assert control.read()["error"]["code"] == code
        assert control.call("status")["ready"] is True


@pytest.mark.parametrize("method, params", [
    ("domain/restart", {}), ("domain/restart", {"domain": 5}), ("domain/disable", {"domain": ["x"]}),
    ("domain/enable", {"domain": "\u0000"}), ("watch", {"interval_ms": "x"}), ("tools", {"domain": "x" * 100000}),
])
def test_wrong_params(utils, method, params):
    with open_control(utils) as control:
        with pytest.raises(Refused):
            control.call(method, **params)
        assert control.call("status")["ready"] is True


def test_a_line_without_end(utils):
    with open_control(utils) as control:
        with pytest.raises((EOFError, ConnectionError)):
            for _ in range(64):
                control.socket.sendall(b"x" * 65536)
            control.read()
    assert status(utils)["ready"] is True


def test_a_client_that_does_not_read_is_closed(start_fleet):
    fleet = start_fleet()
    with open_control(fleet) as control, open_control(fleet) as other:
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools"}).encode() + b"\n"
        with pytest.raises(OSError):
            for _ in range(100000):
                control.socket.sendall(line)
                if other.call("status")["ready"] is not True:
                    break
    fleets.wait_until(lambda: "does not read what it asked for" in fleet.log(), what="it is closed")


def test_too_many_connections(utils):
    utils.check_fds = False
    held = [open_control(utils) for _ in range(64)]
    try:
        one_more = socket.socket(socket.AF_UNIX)
        one_more.settimeout(10)
        one_more.connect(str(utils.control_socket))
        assert json.loads(one_more.makefile().readline())["error"]["code"] == -31013
    finally:
        for each in held:
            each.socket.close()
    fleets.wait_until(lambda: can_connect(utils), what="there is room again")


def can_connect(fleet):
    try:
        return status(fleet)["ready"]
    except (OSError, EOFError, Refused):
        return False


def test_a_second_daemon_does_not_take_the_socket(utils, tmp_path):
    other = fleets.Fleet(pathlib.Path(tmp_path / "other"), {"utils": {}})
    (tmp_path / "other").mkdir()
    other.env["RUNTIME_DIRECTORY"] = str(utils.runtime)
    other.write_settings()
    done = fleets.run([*fleets.daemon_command(), "--config", str(other.settings_path)], env=other.environment())
    assert done.returncode == 1
    assert b"control.path: " in done.stderr
    assert status(utils)["pid"] == utils.pid


@pytest.mark.parametrize("kind", ["kill", "garbage"])
def test_drill(fake, kind):
    with open_control(fake) as control:
        drill = control.call("drill", kind=kind, domain="fake")
        assert drill["process"] == "fake/1"
        assert drill["restarts"] == 0
        fleets.wait_until(lambda: domain(fake, "fake")["restarts"] == 1, what="it was replaced")
        fleets.wait_until(lambda: domain(fake, "fake")["state"] == "up", what="it is up again")
        assert drill["pid"] not in fake.workers("fake")
        for wrong in ({"kind": "kill"}, {"kind": "x", "domain": "fake"}, {"domain": "fake"},
                      {"kind": "kill", "domain": "nope"}, {"kind": "gateway"}):
            with pytest.raises(Refused):
                control.call("drill", **wrong)


def test_sessions(fake):
    with open_control(fake) as control, fake.session("/fake/sse") as session, fake.session() as other:
        listed = {each["id"]: each for each in control.call("sessions")["sessions"]}
        assert len(listed) == 2
        mine = next(each for each in listed.values() if each["domain"] == "fake")
        assert mine["transport"] == "sse"
        assert mine["client"]
        assert mine["calls"] == 0
        assert control.call("session/close", id=mine["id"]) == {}
        assert session.stream.has_ended()
        assert [each["domain"] for each in control.call("sessions")["sessions"]] == [None]
        assert other.call("fake_echo", {"text": "x"})["result"]
        with pytest.raises(Refused) as refused:
            control.call("session/close", id=mine["id"])
        assert refused.value.code == -31012
    assert f"close session {mine['id'][:8]}, ordered by" in fake.log()
    assert mine["id"] not in fake.log()


def test_logs(fake):
    with open_control(fake) as control:
        lines = control.call("logs", lines=2000)["lines"]
        assert any(line["text"].startswith("ready: ") and line["level"] == "info" for line in lines)
        assert [line["seq"] for line in lines] == sorted(line["seq"] for line in lines)
        assert {line["domain"] for line in control.call("logs", domain="fake")["lines"]} == {"fake"}
        assert control.call("logs", level="error")["lines"] == []
        assert len(control.call("logs", lines=1)["lines"]) == 1
        with pytest.raises(Refused, match="allowed are debug"):
            control.call("logs", level="loud")
        control.call("logs", follow=True, lines=0, domain="fake")
        os.kill(fake.workers("fake")[0], signal.SIGKILL)
        while "killed by signal 9" not in (line := control.notice("log"))["text"]:
            assert line["domain"] == "fake"
        assert line["worker"] == "fake/1"
