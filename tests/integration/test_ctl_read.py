"""What mcp-fleetctl shows: status, top, tools, call, sessions, logs, version.

Against a daemon that works, is down, hangs, goes away, or is of another release; by output and exit status, in a
pipe and on a terminal.
"""

import json
import os
import pathlib
import re
import signal
import sys

import pytest

import ctl
import doorkeys
import fleet as fleets

pytestmark = pytest.mark.sanitizers

VERBS = {
    "status": ["status"],
    "status DOMAIN": ["status", "git"],
    "top": ["top", "--count", "1"],
    "tools": ["tools"],
    "call": ["call", "some_tool"],
    "sessions": ["sessions"],
    "sessions close": ["sessions", "close", "--all"],
    "logs": ["logs"],
    "logs -f": ["logs", "-f"],
    "version": ["version"],
}
EVIL = "\x1b]0;title\x07\u202eevil"


def each_verb(test):
    return pytest.mark.parametrize("words", VERBS.values(), ids=VERBS.keys())(test)


@pytest.fixture
def fleet(start_fleet, tmp_path):
    """A fleet of a fake domain, which is of Python, and utils."""
    started = start_fleet({"fake": fleets.fake_domain("fake", "--log", tmp_path / "fake.log"), "utils": {}})
    started.message_log = tmp_path / "fake.log"
    started.check_fds = False  # a closed connection is noticed a moment later
    return started


def run(fleet, *words, **options):
    return ctl.run(*words, socket=fleet.control_socket, **options)


def terminal(fleet, *words, **options):
    return ctl.run_pty(*words, socket=fleet.control_socket, **options)


# --- a daemon that is not as it should be ---------------------------------------------------------


@each_verb
def test_no_daemon(words, socket_path):
    result = ctl.run(*words, socket=socket_path)
    assert result.code == 3
    assert f"no daemon listens at {socket_path}: is mcp-fleetd running?" in result.err
    assert result.out == "" or words == ["version"]


@each_verb
def test_no_daemon_as_json(words, socket_path):
    result = ctl.run("--json", *words, socket=socket_path)
    assert result.code == 3
    if words == ["version"]:
        assert result.json()["daemon"] is None
    else:
        assert result.json()["error"]["exit_status"] == 3
        assert result.json()["error"]["message"] in result.err


@each_verb
def test_daemon_that_refuses_connections(words, socket_path):
    with ctl.FakeDaemon(socket_path, listen=False):
        result = ctl.run(*words, socket=socket_path)
        assert result.code == 3
        assert "no daemon listens" in result.err


@each_verb
def test_daemon_that_hangs(words, socket_path):
    """It takes the connection, as the kernel does for it, and never answers."""
    with ctl.FakeDaemon(socket_path) as daemon:
        daemon.serve = lambda connection: None
        result = ctl.run("--timeout", "0.3", *words, socket=socket_path)
        assert result.code == 3
        assert f"process {os.getpid()}) does not answer 'hello' within 0.3 s" in result.err


@each_verb
def test_daemon_that_hangs_after_its_hello(words, socket_path):
    with ctl.FakeDaemon(socket_path) as daemon:
        answer = daemon.answer
        daemon.answer = lambda c, message: answer(c, message) if message["method"] == "hello" else None
        result = ctl.run("--timeout", "0.3", *words, socket=socket_path)
        assert result.code == (0 if words == ["version"] else 3)
        assert words == ["version"] or "does not answer" in result.err


@each_verb
def test_daemon_of_another_protocol(words, socket_path):
    with ctl.FakeDaemon(socket_path, hello={"protocol": 2}):
        result = ctl.run(*words, socket=socket_path)
        assert result.code == 3
        assert "is mcp-fleetd 9.9.9 and speaks version 2 of the control protocol" in result.err


@each_verb
def test_something_else_listens(words, socket_path):
    with ctl.FakeDaemon(socket_path) as daemon:
        daemon.serve = lambda connection: connection.sendall(b"220 mail.example ESMTP \x1b[2J\r\n")
        result = ctl.run(*words, socket=socket_path)
        assert result.code == 3
        assert "does not speak the control protocol of mcp-fleetd; it sent" in result.err
        assert "\x1b" not in result.err


@each_verb
def test_daemon_that_closes_in_the_middle(words, socket_path):
    def close(params):
        raise ctl.FakeDaemon.Close

    methods = ["status", "watch", "tools", "sessions", "logs"]
    with ctl.FakeDaemon(socket_path, {method: close for method in methods}):
        result = ctl.run(*words, socket=socket_path)
        assert result.code == (0 if words == ["version"] else 3)
        assert words == ["version"] or "has closed the connection" in result.err


def test_daemon_of_another_release_works(socket_path):
    with ctl.FakeDaemon(socket_path, {"status": {"ready": True, "new": {"member": 1}, "domains": "?"}}):
        assert ctl.run("status", socket=socket_path).code == 0
        version = ctl.run("version", socket=socket_path)
        assert version.code == 0
        assert "mcp-fleetd 9.9.9" in version.out
        assert ctl.run("version", "--json", socket=socket_path).json()["daemon"]["version"] == "9.9.9"


def test_daemon_that_is_older(socket_path):
    with ctl.FakeDaemon(socket_path):
        result = ctl.run("sessions", socket=socket_path)
        assert result.code == 1
        assert "mcp-fleetd 9.9.9, does not know 'sessions': it is older" in result.err


def test_usual_places(socket_path):
    """Without --socket and MCP_FLEET_CONTROL: the system's, then the user's."""
    if pathlib.Path("/run/mcp-fleet/control.sock").exists():
        pytest.skip("this system has a daemon of its own")
    runtime = socket_path.parent
    absent = ctl.run("status", env={"XDG_RUNTIME_DIR": str(runtime)})
    assert absent.code == 3
    assert f"/run/mcp-fleet/control.sock or {runtime}/mcp-fleet/control.sock" in absent.err
    (runtime / "mcp-fleet").mkdir()
    with ctl.FakeDaemon(runtime / "mcp-fleet" / "control.sock", {"status": {"ready": True}}):
        assert ctl.run("status", env={"XDG_RUNTIME_DIR": str(runtime)}).code == 0
        assert ctl.run("status", env={"XDG_RUNTIME_DIR": "relative"}).code == 3
    (runtime / "mcp-fleet").rmdir()


@each_verb
def test_full_disk(words, socket_path):
    answers = {"status": {"ready": True, "domains": [{"name": "git", "state": "up"}], "local_socket": None},
               "tools": {"tools": []}, "sessions": {"sessions": []}, "logs": {"lines": [{"text": "x"}]},
               "session/close": {}}
    if words[0] == "top" or words[0] == "call" or "-f" in words:
        pytest.skip("ends otherwise")
    with ctl.FakeDaemon(socket_path, answers), open("/dev/full", "wb") as full:
        done = fleets.subprocess.run(ctl.command(*words), stdout=full, stderr=fleets.subprocess.PIPE, check=False,
                                     env=ctl.environment(socket_path), timeout=20 * fleets.SLOWNESS)
    assert done.returncode == 1
    assert b"cannot write to standard output: No space left" in done.stderr


# --- status ---------------------------------------------------------------------------------------


def test_status(fleet):
    result = run(fleet, "status")
    assert result.code == 0
    assert re.match(rf"mcp-fleetd \S+, process {fleet.pid}, up .*: ready\n", result.out)
    assert re.search(r"^DOMAIN +STATE +TOOLS +PROCS ", result.out, re.M)
    assert re.search(r"^fake +up +\d+ +1 +0 ", result.out, re.M)
    assert f"sse at 127.0.0.1:{fleet.port}" in result.out
    assert "\x1b" not in result.out and result.err == ""
    status = run(fleet, "status", "--json")
    assert status.code == 0
    assert status.json()["ready"] is True
    assert [domain["name"] for domain in status.json()["domains"]] == ["fake", "utils"]


def test_status_of_a_domain(fleet):
    result = run(fleet, "status", "fake")
    pid = fleet.workers("fake")[0]
    assert result.code == 0
    assert re.search(rf"^fake/1 +{pid} +ready ", result.out, re.M)
    assert run(fleet, "status", "fake", "--json").json()["processes"][0]["pid"] == pid
    unknown = run(fleet, "status", "faek")
    assert unknown.code == 1
    assert "there is no domain 'faek'; did you mean 'fake'?" in unknown.err


def test_status_that_is_not_ready(start_fleet):
    fleet = start_fleet({"bad": {"command": [sys.executable, "-c", "import sys; sys.exit(7)"]}, "utils": {}}, wait=False)
    fleets.wait_until(lambda: run(fleet, "status", "utils").code == 0, 10, "utils is up")
    fleets.wait_until(lambda: "exit" in run(fleet, "status").out, 10, "the domain has died")
    result = run(fleet, "status")
    assert result.code == 4
    assert ": not ready\n" in result.out
    assert re.search(r"Last errors\nbad: .* ago\n    remedy: ", result.out)
    assert run(fleet, "status", "--json").code == 4
    assert run(fleet, "status", "bad").code == 4


def test_status_on_a_terminal(fleet):
    result = terminal(fleet, "status")
    assert result.code == 0
    assert "\x1b[32mup\x1b[0m" in result.out
    plain = terminal(fleet, "status", env={"NO_COLOR": "1"})
    assert "\x1b" not in plain.out
    assert "\x1b" not in terminal(fleet, "status", env={"TERM": "dumb"}).out
    narrow = terminal(fleet, "status", columns=30, env={"NO_COLOR": "1"})
    assert all(len(line) <= 30 for line in narrow.lines() if line.startswith(("DOMAIN", "fake", "utils")))


def door_status(**over):
    """A daemon of whose door there is something to tell."""
    return {"ready": True, "domains": [{"name": "git", "state": "up", "processes": [
                {"name": "git/1", "pid": 7, "state": "ready", "memory_bytes": 3 * 1024 * 1024, "cpu_ms": 1234},
                {"name": "git/2", "pid": 0, "state": "backoff", "memory_bytes": None, "cpu_ms": None}]}],
            "memory_bytes": 20 * 1024 * 1024, "cpu_ms": 61_500,
            "tls": {"subject": "CN=fleet.example.org", "serial": "0A1B", "days_left": 14},
            "keys": {"count": 3, "fault": None}, "keys_path": "/etc/mcp-fleet/keys.json",
            "limits": {"limits.sessions": 2, "limits.per_key.rate": 11, "limits.calls": 0},
            "refusals": {"no_credential": 40, "host": 0, "expired": 1}, **over}


def test_the_door(socket_path):
    with ctl.FakeDaemon(socket_path, {"status": door_status()}):
        out = ctl.run("status", socket=socket_path).lines()
        for line in ["memory          20.0 MiB, processor time 61.50 s",
                     "certificate     CN=fleet.example.org, serial 0A1B, 14 days left",
                     "keys            3 in /etc/mcp-fleet/keys.json",
                     "limits reached  limits.sessions 2, limits.per_key.rate 11",
                     "refused         no_credential 40, expired 1"]:
            assert line in out, out
        rows = ctl.run("status", "git", socket=socket_path).out
        assert re.search(r"^git/1 +7 +ready .* 3\.0 MiB +1\.23 s$", rows, re.M)
        assert re.search(r"^git/2 +(- +)?backoff [^M]*$", rows, re.M)
        assert ctl.run("status", "--json", socket=socket_path).json() == door_status()


@pytest.mark.parametrize("days,text,color", [(13, "13 days left", 33), (0, "0 days left", 33), (-1, "has ended", 31)])
def test_certificate_that_ends(socket_path, days, text, color):
    status = door_status(tls={"subject": "CN=x", "serial": "1", "days_left": days},
                         keys={"count": 1, "fault": "it is open to others"})
    with ctl.FakeDaemon(socket_path, {"status": status}):
        out = ctl.run_pty("status", socket=socket_path).out
    assert f"\x1b[{color}mcertificate     CN=x, serial 1, {text}: renew it, then mcp-fleetctl reload\x1b[0m" in out
    assert "\x1b[33mkeys            1 in /etc/mcp-fleet/keys.json; its last change is not taken: it is open to others" in out


def test_a_door_of_which_nothing_is_to_tell(socket_path):
    with ctl.FakeDaemon(socket_path, {"status": door_status(tls=None, keys=None, limits={}, refusals={}, memory_bytes=None)}):
        out = ctl.run("status", socket=socket_path).out
    for word in ("certificate", "keys", "limits reached", "refused", "memory"):
        assert not re.search(rf"^{word} ", out, re.M), word


def test_refusals_of_a_fleet(start_fleet, tmp_path):
    keys = doorkeys.Keys(tmp_path).add("one").save()
    fleet = start_fleet({"utils": {}})
    assert fleet.get("/sse").status == 401
    assert fleet.get("/sse", Authorization="Bearer wrong").status == 401
    out = run(fleet, "status").lines()
    assert "refused         no_credential 1, bad_credential 1" in out
    assert f"keys            1 in {keys.path}" in out
    assert run(fleet, "status", "--json").json()["keys"] == {"count": 1, "fault": None}
    keys.add("two").save(mode=0o644)
    fleets.wait_until(lambda: "; its last change is not taken: " in run(fleet, "status").out, 5, "the fault is told")


def gateway_report():
    return {"gateway": {"url": "http://gw:4444", "state": "connected", "error": None, "remedy": None,
                        "token": {"source": "file", "expires": "2026-12-01T00:00:00Z", "days_left": 3}},
            "domains": [{"name": "git", "state": "registered", "tools_wanted": 31, "tools_found": 31},
                        {"name": "utils", "state": "degraded", "tools_wanted": 5, "tools_found": 4,
                         "error": "a tool is missing", "remedy": "wait"}],
            "server": {"name": "fleet", "state": "registered", "tools_wanted": 36, "tools_found": 35},
            "drift": [{"domain": "git", "what": "url differs", "action": "updated"}]}


def test_gateway_of_the_status(socket_path):
    status = {"ready": True, "domains": [{"name": "git", "state": "up"}], "gateway": gateway_report()}
    with ctl.FakeDaemon(socket_path, {"status": status}):
        out = ctl.run("status", socket=socket_path).out
        for line in ["Gateway http://gw:4444 connected", "  git 31/31 registered", "  utils 4/5 degraded",
                     "    a tool is missing", "    remedy: wait", "  server fleet 35/36 registered",
                     "  git: url differs (updated)", "  token expires 2026-12-01T00:00:00Z, in 3 days"]:
            assert line in out.splitlines()
        assert "  git 31/31 registered" in ctl.run("status", "git", socket=socket_path).out


def evil_answers():
    domain = {"name": EVIL, "state": EVIL, "sandbox": EVIL, "last_error": {"text": EVIL, "remedy": EVIL, "age_ms": -5},
              "processes": [{"name": EVIL, "state": EVIL, "last_end": EVIL, "pid": -1}], "calls": EVIL}
    return {
        "status": {"version": EVIL, "ready": True, "reasons": [EVIL, 5], "transport": EVIL, "settings": EVIL,
                   "listeners": [EVIL, 7], "tls": {"subject": EVIL, "serial": EVIL, "days_left": 1}, "keys_path": EVIL,
                   "keys": {"count": 1, "fault": EVIL}, "limits": {EVIL: 1}, "refusals": {EVIL: 2}, "domains": [domain, 5], "gateway": {"gateway": {"url": EVIL, "state": EVIL}}},
        "tools": {"tools": [{"name": EVIL, "domain": EVIL, "description": EVIL + "\nmore",
                             "inputSchema": {"properties": {EVIL: {"type": EVIL}}}}, 7]},
        "sessions": {"sessions": [{"id": EVIL, "client": EVIL, "queued_bytes": -1}, "x"]},
        "logs": {"lines": [{"time": EVIL, "level": EVIL, "worker": EVIL, "text": EVIL, "tool": EVIL}, 5]},
        "watch": {},
    }


@pytest.mark.parametrize("words", [["status"], ["status", EVIL], ["tools"], ["tools", "--long"], ["sessions"], ["logs"],
                                   ["version"]])
def test_texts_that_steer_a_terminal(words, socket_path):
    with ctl.FakeDaemon(socket_path, evil_answers(), hello={"version": EVIL}):
        for result in (ctl.run(*words, socket=socket_path), ctl.run_pty(*words, socket=socket_path)):
            assert result.code in (0, 4)
            assert not re.search("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f\u202e]", result.out)
            assert "\x1b]" not in result.out
            assert "\\x1B]0;title\\x07\\u{202E}evil" in result.out


# --- tools and call -------------------------------------------------------------------------------


def test_tools(fleet):
    result = run(fleet, "tools", "utils")
    assert result.code == 0
    assert re.search(r"^calculator_add +utils +\S", result.out, re.M)
    assert "fake_echo" not in result.out
    tools = run(fleet, "tools", "--json").json()["tools"]
    assert {"fake", "utils"} == {tool["domain"] for tool in tools}
    assert all("inputSchema" in tool for tool in tools)
    assert re.search(r"^    a: number, required: ", run(fleet, "tools", "-l", "utils").out, re.M)
    assert run(fleet, "tools", "nope").code == 1


def test_call(fleet, tmp_path):
    added = run(fleet, "call", "calculator_add", "a=1", "b=2")
    assert added.code == 0
    assert json.loads(added.out)["result"] == 3
    whole = run(fleet, "call", "calculator_add", "a=1", "b=2", "--json")
    assert whole.json()["structuredContent"]["result"] == 3
    (tmp_path / "text").write_text("größer\n")
    assert json.loads(run(fleet, "call", "string_to_upper", f"text=@{tmp_path}/text").out)["result"] == "GRÖSSER\n"
    piped = run(fleet, "call", "calculator_add", "a=5", "--json-args", "-", input='{"a": 1, "b": 2}')
    assert json.loads(piped.out)["result"] == 7


def test_call_that_fails(fleet):
    failed = run(fleet, "call", "calculator_divide", "a=1", "b=0")
    assert failed.code == 1
    assert failed.out == "" and "the divisor is zero" in failed.err
    as_json = run(fleet, "call", "calculator_divide", "a=1", "b=0", "--json")
    assert as_json.code == 1 and as_json.json()["isError"] is True
    died = run(fleet, "call", "fake_die")
    assert died.code == 1
    assert died.out == "" and died.err != ""


def test_call_with_wrong_words(fleet):
    unknown = run(fleet, "call", "calculator_ad", "a=1")
    assert unknown.code == 1
    assert "did you mean 'calculator_add'?" in unknown.err
    for words, said in [(["c=1"], "there is no argument 'c'; known: a, b"), (["a=x"], "a: 'x' is not of the type number"),
                        (["a"], "not of the form name=value"), (["a=1", "a=2"], "'a' is given twice"),
                        (["-a", "[]"], "an object is needed"), (["-a", "{"], "not JSON")]:
        result = run(fleet, "call", "calculator_add", *words)
        assert result.code == 2
        assert said in result.err
    absent = run(fleet, "call", "calculator_add", "a=@/nowhere")
    assert absent.code == 1
    assert "cannot read '/nowhere': No such file or directory" in absent.err


def test_call_shows_progress_on_a_terminal_only(fleet):
    result = terminal(fleet, "call", "fake_progress", "steps=3")
    assert result.code == 0
    assert "\r\x1b[K33% step 1" in result.out
    assert result.out.endswith("\r\x1b[Kdone\n")
    piped = run(fleet, "call", "fake_progress", "steps=3")
    assert (piped.code, piped.out, piped.err) == (0, "done\n", "")


def test_call_is_cancelled(fleet):
    process = fleets.spawn(ctl.command("call", "fake_sleep", "seconds=60"), env=ctl.environment(fleet.control_socket),
                           stdout=fleets.subprocess.PIPE, stderr=fleets.subprocess.PIPE)
    fleets.wait_until(lambda: any(m.get("method") == "tools/call" for m in fleet.messages()), 10, "the call is running")
    ctl.interrupt(process)
    out, err = process.communicate(timeout=20 * fleets.SLOWNESS)
    assert (process.returncode, out) == (1, b"")
    assert b"interrupted; the call was cancelled" in err
    fleets.wait_until(fleet.cancellations, 5, "the server has heard of it")


def test_call_with_a_time_limit(fleet):
    result = run(fleet, "call", "fake_sleep", "seconds=60", "--timeout", "1")
    assert result.code == 1
    assert "no answer in time; the call was cancelled" in result.err
    fleets.wait_until(fleet.cancellations, 5, "the server has heard of it")


def test_call_without_a_local_socket(start_fleet):
    fleet = start_fleet(settings={"local": {"path": ""}})
    result = run(fleet, "call", "calculator_add", "a=1", "b=2")
    assert result.code == 1
    assert "the daemon has no local socket" in result.err and "set local.path" in result.err


class FakeServer(ctl.FakeDaemon):
    """An MCP server at the local socket, by its answers; `asks` are sent before the answer of tools/call."""

    asks = ()

    def answer(self, connection, message):
        if "method" not in message or "id" not in message:
            self.asked.append({"method": "", **message})
            return
        if message["method"] == "tools/call":
            for ask in self.asks:
                self.send(connection, ask)
        super().answer(connection, message)


def call_fake(socket_path, result, words=(), asks=(), on_terminal=False):
    """`call tool` against a server that answers with `result`; what it printed, and the server."""
    local = socket_path.with_name("l")
    tools = [{"name": "tool", "domain": "d", "inputSchema": {}}]
    server = FakeServer(local, {"initialize": {"protocolVersion": "2025-11-25"}, "tools/call": result})
    server.asks = asks
    with server, ctl.FakeDaemon(socket_path, {"status": {"local_socket": str(local)}, "tools": {"tools": tools}}):
        run_it = ctl.run_pty if on_terminal else ctl.run
        return run_it("call", "tool", *words, socket=socket_path), server


def test_call_prints_what_is_no_text_as_json(socket_path):
    image = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
    result, _ = call_fake(socket_path, {"content": [image, {"type": "text", "text": "words"}], "structuredContent": {"a": 0.1}})
    assert result.code == 0
    assert json.loads(result.out[:result.out.rindex("words")]) == image
    structured, _ = call_fake(socket_path, {"content": [], "structuredContent": {"a": 0.1}})
    assert structured.out == '{\n  "a": 0.1\n}\n'


def test_call_is_raw_in_a_pipe_and_clean_on_a_terminal(socket_path):
    answer = {"content": [{"type": "text", "text": "a\u0000\x1b[2J\nb"}]}
    assert call_fake(socket_path, answer)[0].out == "a\0\x1b[2J\nb\n"
    assert call_fake(socket_path, answer, on_terminal=True)[0].out == "a\\x00\\x1B[2J\nb\n"


def test_call_answers_no_questions(socket_path):
    asks = [{"id": "e", "method": "elicitation/create", "params": {}}, {"id": "p", "method": "ping"}]
    result, server = call_fake(socket_path, {"content": [{"type": "text", "text": "x"}]}, asks=asks)
    assert result.out == "x\n"
    answers = {message["id"]: message for message in server.asked if message["method"] == "" and "id" in message}
    assert answers["e"]["error"]["code"] == -32601
    assert "cannot answer 'elicitation/create'" in answers["e"]["error"]["message"]
    assert answers["p"]["result"] == {}


@pytest.mark.parametrize("line, said", [
    (b"\xff\x1b[2J\n", "does not speak MCP; it sent"), (b'{"id": 2, "result": 5}\n', "neither a result nor an error"),
    (b'{"id": 2, "error": {"code": 1, "message": "no \\u001b"}}\n', "no \\x1B"), (None, "has closed the connection"),
    (b'{"error": {"code": 1, "message": "too many"}}\n', "too many")])
def test_call_of_a_server_that_is_broken(line, said, socket_path):
    def broken(params):
        if line is None:
            raise ctl.FakeDaemon.Close
        server[0].connections[-1].sendall(line)
        return {"content": []}

    local = socket_path.with_name("l")
    server = [FakeServer(local, {"initialize": {}, "tools/call": broken})]
    with server[0], ctl.FakeDaemon(socket_path, {"status": {"local_socket": str(local)},
                                                 "tools": {"tools": [{"name": "tool"}]}}):
        result = ctl.run("call", "tool", socket=socket_path)
    assert result.code in (1, 3)
    assert said in result.err


def test_call_when_the_local_socket_is_gone(fleet):
    fleet.local_socket.unlink()
    result = run(fleet, "call", "calculator_add", "a=1", "b=2")
    assert result.code == 3
    assert "cannot connect to the daemon's local socket" in result.err


# --- sessions -------------------------------------------------------------------------------------


def test_sessions(fleet):
    assert run(fleet, "sessions").out == "no sessions\n"
    first, second = fleet.session(), fleet.session()
    listed = run(fleet, "sessions", "--json").json()["sessions"]
    assert len(listed) == 2
    ids = [session["id"] for session in listed]
    assert all(each in run(fleet, "sessions", "list").out for each in ids)
    closed = run(fleet, "sessions", "close", ids[0], "nope")
    assert closed.code == 4
    assert closed.out == "1 session closed\n" and "session nope: there is no session" in closed.err
    fleets.wait_until(lambda: len(run(fleet, "sessions", "--json").json()["sessions"]) == 1, 5, "it is gone")
    rest = run(fleet, "sessions", "close", "--all", "--json")
    assert rest.code == 0
    assert rest.json() == {"closed": [ids[1]], "failed": []}
    none = run(fleet, "sessions", "close", "nope", "--json")
    assert none.code == 1 and none.json()["failed"][0]["id"] == "nope"
    del first, second


@pytest.mark.parametrize("words", [["close"], ["close", "--all", "x"], ["--all"], ["list", "x"], ["kill"]])
def test_sessions_with_wrong_words(words, socket_path):
    assert ctl.run("sessions", *words, socket=socket_path).code == 2


# --- logs -----------------------------------------------------------------------------------------


def test_logs(fleet):
    result = run(fleet, "logs", env={"TZ": "XXX-5"})
    assert result.code == 0
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} info    .*domain fake: up", result.out, re.M)
    lines = [json.loads(line) for line in run(fleet, "logs", "--json").lines()]
    utc = next(line["time"] for line in lines if "domain fake: up" in line["text"])
    shown = next(line for line in result.lines() if "domain fake: up" in line)
    assert int(shown[11:13]) == (int(utc[11:13]) + 5) % 24
    assert len(run(fleet, "logs", "-n", "2").lines()) == 2
    assert run(fleet, "logs", "-n", "0").out == ""
    assert "ready" not in run(fleet, "logs", "fake").out
    assert "domain fake: up" not in run(fleet, "logs", "--level", "error").out
    assert run(fleet, "logs", "-n", "x").code == 2


def test_logs_are_followed(fleet):
    with ctl.Pty("logs", "-f", "-n", "0", socket=fleet.control_socket) as shown:
        def kill():
            for pid in fleet.workers("fake"):
                os.kill(pid, signal.SIGKILL)
            return "killed by signal 9" in shown.read(0.2)

        fleets.wait_until(kill, 10, "what is logged is shown")
        shown.press("\x03")
        assert shown.wait() == 0
        assert "\x1b[33m" in shown.text


def test_logs_when_the_daemon_goes_away(start_fleet):
    fleet = start_fleet()
    with ctl.Pty("logs", "-f", socket=fleet.control_socket) as shown:
        shown.wait_for("ready")
        fleet.signal(signal.SIGTERM)
        assert shown.wait() == 3
        assert "has closed the connection: has it been stopped?" in shown.plain()


def test_lines_that_were_lost_are_told(socket_path):
    notices = {"logs": [("log", {"dropped": 7}), ("log", {"time": "2026-01-31T12:00:00.000Z", "level": "info", "text": "x"})]}
    with ctl.FakeDaemon(socket_path, {"logs": {"lines": []}}, notices) as daemon:
        with ctl.Pty("logs", "-f", socket=socket_path) as shown:
            shown.wait_for("7 lines were lost")
            shown.press("\x03")
            assert shown.wait() == 0
        assert daemon.params("logs") == [{"follow": True, "lines": 10}]


# --- top ------------------------------------------------------------------------------------------


def test_top_in_a_pipe(fleet):
    result = run(fleet, "top", "--count", "2", "--interval", "0.2")
    assert result.code == 0
    assert result.out.count("NAME ") == 2
    assert re.search(rf"^  fake/1 +{fleet.workers('fake')[0]} +ready +0\.0 ", result.out, re.M)
    assert "\x1b" not in result.out


def test_top_as_json_counts_calls(fleet):
    process = fleets.spawn(ctl.command("top", "--json", "--interval", "0.3", "--sort", "calls"),
                           env=ctl.environment(fleet.control_socket), stdout=fleets.subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            snapshot = json.loads(line)
            domain = next(each for each in snapshot["domains"] if each["name"] == "fake")
            if domain["calls_per_second"] > 0:
                break
            run(fleet, "call", "fake_echo", "text=x")
        assert snapshot["domains"][0]["name"] == "fake"
        assert domain["p50_ms"] > 0 and domain["p99_ms"] >= domain["p50_ms"]
        assert domain["rss_bytes"] > 1 << 20
        assert domain["processes"][0]["calls_per_second"] > 0
        assert snapshot["daemon"]["pid"] == fleet.pid and snapshot["daemon"]["cpu_percent"] >= 0
        ctl.interrupt(process)
        assert process.wait(20 * fleets.SLOWNESS) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


def expect_restored(shown, code):
    assert shown.wait() == code
    assert shown.text.rindex(LEAVE) > shown.text.rindex(ENTER)
    assert "\x1b[?25h" in shown.text[shown.text.rindex(ENTER):]
    assert shown.is_restored()


@pytest.mark.parametrize("key", ["q", "\x03", "\x1c"], ids=["q", "Ctrl-C", "Ctrl-backslash"])
def test_top_ends_by_a_key(fleet, key):
    with ctl.Pty("top", socket=fleet.control_socket) as shown:
        shown.wait_for("fake/1")
        assert ENTER in shown.text
        shown.press(key)
        expect_restored(shown, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGABRT])
def test_top_restores_the_terminal_on_a_signal(fleet, number):
    if number == signal.SIGABRT and os.environ.get("ASAN_OPTIONS"):
        pytest.skip("the sanitizer takes it")
    with ctl.Pty("top", socket=fleet.control_socket) as shown:
        shown.wait_for("fake/1")
        shown.signal(number)
        expect_restored(shown, -number if number == signal.SIGABRT else 0)


def test_top_restores_the_terminal_when_the_daemon_goes(start_fleet):
    fleet = start_fleet()
    with ctl.Pty("top", socket=fleet.control_socket) as shown:
        shown.wait_for("utils/1")
        fleet.signal(signal.SIGTERM)
        expect_restored(shown, 3)
        assert "has closed the connection" in shown.text[shown.text.rindex(LEAVE):]


def last_frame(shown):
    return ctl.ESCAPES.sub("", shown.read().split("\x1b[?2026h\x1b[H")[-1])


def test_top_follows_the_size_of_the_terminal(fleet):
    with ctl.Pty("top", "--interval", "0.2", socket=fleet.control_socket, columns=100) as shown:
        shown.wait_for("utils/1")
        shown.text = ""
        shown.resize(40, 5)
        shown.wait_for("… 3 more")
        assert max(len(line) for line in last_frame(shown).splitlines()) <= 40
        shown.press("q")
        expect_restored_after_clear(shown)


def expect_restored_after_clear(shown):
    assert shown.wait() == 0
    assert LEAVE in shown.text
    assert shown.is_restored()


def test_top_is_suspended_and_continued(fleet):
    with ctl.Pty("top", "--interval", "0.2", socket=fleet.control_socket) as shown:
        shown.wait_for("utils/1")
        shown.press("\x1a")
        fleets.wait_until(lambda: fleets.process_table()[shown.process.pid][1] == "T", 5, "it is stopped")
        shown.read()
        assert LEAVE in shown.text and shown.is_restored()
        shown.text = ""
        shown.signal(signal.SIGCONT)
        shown.wait_for("utils/1")
        assert ENTER in shown.text and not shown.is_restored()
        shown.press("q")
        expect_restored(shown, 0)


def test_top_sorts_and_tells_of_silence(socket_path):
    domains = [{"name": "a", "state": "up", "calls": {"total": 1, "queued": 0}},
               {"name": "b", "state": "up", "calls": {"total": 9, "queued": 5}}]
    status = {"pid": os.getpid(), "uptime_ms": 1000, "domains": domains}
    with ctl.FakeDaemon(socket_path, {"watch": {}}, {"watch": [("status", status)]}):
        with ctl.Pty("top", "--interval", "0.1", socket=socket_path) as shown:
            shown.wait_for("\nb ")
            assert shown.plain().index("\na ") < shown.plain().index("\nb ")
            shown.press("w")
            fleets.wait_until(lambda: re.search(r"\nb .*\na ", last_frame(shown), re.DOTALL), 5, "the busiest is first")
            shown.wait_for("the daemon has told nothing for")
            shown.press("q")
            assert shown.wait() == 0


def test_top_on_a_dumb_terminal(fleet):
    result = terminal(fleet, "top", "--count", "1", "--interval", "0.2", env={"TERM": "dumb"})
    assert result.code == 0
    assert "\x1b" not in result.out and "fake/1" in result.out


@pytest.mark.parametrize("words", [["--interval", "0.01"], ["--interval", "x"], ["--count", "0"], ["--sort", "size"]])
def test_top_with_wrong_words(words, socket_path):
    assert ctl.run("top", *words, socket=socket_path).code == 2
