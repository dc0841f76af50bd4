"""What an operator does with mcp-fleetctl: restart, enable, disable, reload, check, drill, register, unregister.

Against a daemon that works, is down, hangs, or refuses; by output and exit status, on a terminal and in a pipe.
"""

import json
import os
import re
import shutil
import stat
import threading

import pytest

import ctl
import fleet as fleets

pytestmark = pytest.mark.sanitizers

# Each verb with what it needs, for what holds of all.
VERBS = {
    "restart": ["restart", "git"],
    "enable": ["enable", "git"],
    "disable": ["disable", "git"],
    "reload": ["reload"],
    "drill": ["drill", "kill", "git", "--yes"],
    "register": ["register"],
    "register --check": ["register", "--check"],
    "unregister": ["unregister"],
}
GREEN = "\x1b[32m"


def each_verb(test):
    return pytest.mark.parametrize("words", VERBS.values(), ids=VERBS.keys())(test)


def refuse(code, text, remedy=None):
    def answer(params):
        raise ctl.FakeDaemon.Error(code, text, remedy)
    return answer


def error_of(result):
    """The error of --json, which is on standard output; the words are on standard error too."""
    return result.json()["error"]


# --- a daemon that is not as it should be ---------------------------------------------------------


@each_verb
def test_no_daemon(words, socket_path):
    result = ctl.run(*words, socket=socket_path)
    assert result.code == 3
    assert result.out == ""
    assert f"no daemon listens at {socket_path}" in result.err
    assert ctl.run(*words, "--json", socket=socket_path).json()["error"]


@each_verb
def test_daemon_hangs(words, socket_path):
    with ctl.FakeDaemon(socket_path, listen=False) as daemon:
        daemon.listener.listen(16)  # the kernel takes connections, nobody else does
        result = ctl.run(*words, "--timeout", "0.3", socket=socket_path)
    assert result.code == 3
    assert "does not answer" in result.err


@each_verb
def test_daemon_of_another_protocol(words, socket_path):
    with ctl.FakeDaemon(socket_path, hello={"version": "7.0.0", "protocol": 7}):
        result = ctl.run(*words, socket=socket_path)
    assert result.code == 3
    assert "7.0.0" in result.err and "version 7 of the control protocol" in result.err


@each_verb
def test_daemon_goes_away(words, socket_path):
    def close(params):
        raise ctl.FakeDaemon.Close
    answers = {method: close for method in ("status", "reload", "gateway/register", "gateway/check", "gateway/unregister",
                                            "domain/restart", "domain/enable", "domain/disable")}
    with ctl.FakeDaemon(socket_path, answers):
        result = ctl.run(*words, socket=socket_path)
    assert result.code == 3
    assert "has closed the connection" in result.err


@each_verb
def test_not_allowed(words, socket_path):
    refused = refuse(-31010, "only root may change this", "ask root")
    answers = {method: refused for method in ("reload", "drill", "gateway/register", "gateway/check", "gateway/unregister",
                                              "domain/restart", "domain/enable", "domain/disable")}
    with ctl.FakeDaemon(socket_path, {**answers, "status": {"domains": [], "gateway": None}, "watch": {}}):
        result = ctl.run(*words, socket=socket_path)
    assert result.code == 1
    assert "only root may change this; ask root" in result.err


# --- restart, enable, disable ---------------------------------------------------------------------


def test_some_of_several(socket_path):
    def restart(params):
        if params["domain"] == "web":
            raise ctl.FakeDaemon.Error(-31012, 'there is no domain "web"')
        return {"domain": params["domain"], "text": "2 processes replaced"}
    with ctl.FakeDaemon(socket_path, {"domain/restart": restart}) as daemon:
        result = ctl.run("restart", "git", "web", "git", socket=socket_path)
        assert result.code == 4
        assert result.out == "git: restarted (2 processes replaced)\n"
        assert 'web: not restarted: there is no domain "web"' in result.err
        assert daemon.params("domain/restart") == [{"domain": "git"}, {"domain": "web"}]
        result = ctl.run("restart", "web", socket=socket_path)
        assert (result.code, result.out) == (1, "")
        result = ctl.run("restart", "web", "git", "--json", socket=socket_path)
        assert result.code == 4
        assert result.json() == {"domains": [
            {"domain": "web", "ok": False, "error": 'there is no domain "web"'},
            {"domain": "git", "ok": True, "text": "2 processes replaced"}]}


def test_restart_all_leaves_out_what_is_disabled(socket_path):
    domains = [{"name": "a", "state": "up"}, {"name": "b", "state": "disabled"}, {"name": "c", "state": "parked"}]
    with ctl.FakeDaemon(socket_path, {"status": {"domains": domains}, "domain/restart": {"text": "x"}}) as daemon:
        assert ctl.run("restart", "--all", socket=socket_path).code == 0
        assert daemon.params("domain/restart") == [{"domain": "a"}, {"domain": "c"}]


@pytest.mark.parametrize("words", [["restart"], ["restart", "--all", "git"], ["enable"], ["disable"], ["reload", "x"],
                                   ["reload", "--wait=1"], ["add", "x", "--wait", "--", "y"], ["import", "x", "--wait"],
                                   ["drill"], ["drill", "kill"], ["drill", "explode", "git"], ["drill", "gateway", "git"],
                                   ["drill", "kill", "git"], ["register", "x"], ["register", "--check", "--server", "s"],
                                   ["check", "a", "b"], ["doctor", "x"]])
def test_usage(words, socket_path):
    result = ctl.run(*words, socket=socket_path)
    assert result.code == 2
    assert "Try 'mcp-fleetctl" in result.err


def test_it_is_told_whether_it_outlasts_a_restart(socket_path):
    answers = {"domain/disable": {"domain": "git", "persists": False, "text": "there is no state folder"},
               "domain/enable": {"domain": "git", "persists": True, "text": "kept"}}
    with ctl.FakeDaemon(socket_path, answers):
        assert ctl.run("disable", "git", socket=socket_path).out == \
            "git: disabled; only until the daemon restarts (there is no state folder)\n"
        assert ctl.run("enable", "git", socket=socket_path).out == \
            "git: enabled; it stays so when the daemon restarts\n"
        assert ctl.run("disable", "git", "--json", socket=socket_path).json() == {"domains": [
            {"domain": "git", "ok": True, "persists": False, "text": "there is no state folder"}]}


def test_foreign_texts_do_not_steer_the_terminal(socket_path):
    with ctl.FakeDaemon(socket_path, {"domain/restart": {"text": "\x1b]0;owned\x07"}}):
        result = ctl.run_pty("restart", "git", socket=socket_path)
    assert "\x1b]" not in result.out and "\x07" not in result.out
    assert "\\x1B]0;owned\\x07" in result.out


def test_progress_on_a_terminal_alone(socket_path):
    with ctl.FakeDaemon(socket_path, {"domain/restart": {"text": "x"}}):
        assert "restarting git …" in ctl.run_pty("restart", "git", socket=socket_path).out
        assert "\x1b" not in ctl.run_pty("restart", "git", socket=socket_path, env={"TERM": "dumb"}).out
        assert "restarting" not in ctl.run("restart", "git", socket=socket_path).out


def test_an_error_stays_on_the_terminal(socket_path):
    """What was drawn is taken away before the error comes, not with it."""
    with ctl.FakeDaemon(socket_path, {"domain/restart": refuse(-31011, "no process is ready")}):
        result = ctl.run_pty("restart", "git", socket=socket_path)
    assert result.code == 1
    assert result.out.rindex("\x1b[J") < result.out.index("no process is ready")


def test_rolling_restart_under_load(start_fleet):
    """Real processes, calls all the time: none fails, and all processes are other ones afterwards."""
    fleet = start_fleet({"fake": fleets.fake_domain("fake", concurrency=4, processes={"min": 2, "max": 2})})
    before = set(fleet.workers("fake"))
    answers, stop = [], threading.Event()

    def load():
        with fleet.session() as session:
            while not stop.is_set():
                answers.append(session.call("fake_sleep", {"seconds": 0.02}))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        fleets.wait_until(lambda: len(answers) > 10, what="calls")
        for words in (["fake"], ["--all"]):
            result = ctl.run("restart", *words, socket=fleet.control_socket)
            assert result.code == 0, result
            assert "fake: restarted" in result.out
        n_answers = len(answers)
        fleets.wait_until(lambda: len(answers) > n_answers + 10, what="calls go on")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert all("result" in answer and not answer["result"].get("isError") for answer in answers), \
        [answer for answer in answers if "result" not in answer][:3]
    after = set(fleet.workers("fake"))
    assert len(after) == 2 and not after & before


def test_disabled_over_a_restart_of_the_daemon(start_fleet):
    fleet = start_fleet({"utils": {}, "fake": fleets.fake_domain("fake", required=False)})
    fleet.check_fds = False  # it starts with one domain and ends with two
    result = ctl.run("disable", "fake", socket=fleet.control_socket)
    assert (result.code, result.out) == (0, "fake: disabled; it stays so when the daemon restarts\n")
    fleets.wait_until(lambda: fleet.workers("fake") == [], what="its processes have ended")
    fleet.stop()
    fleet.start()
    assert fleet.workers("fake") == []
    with fleet.session() as session:
        assert not [tool for tool in session.tools() if tool["name"].startswith("fake_")]
    result = ctl.run("enable", "fake", socket=fleet.control_socket)
    assert (result.code, result.out) == (0, "fake: enabled; it stays so when the daemon restarts\n")
    fleets.wait_until(lambda: fleet.workers("fake"), what="it runs again")
    result = ctl.run("disable", "nope", socket=fleet.control_socket)
    assert result.code == 1 and "nope" in result.err


# --- reload ---------------------------------------------------------------------------------------


def test_reload(fake):
    fake.check_fds = False
    result = ctl.run("reload", socket=fake.control_socket)
    assert (result.code, result.out) == (0, "nothing has changed\n")
    fake.settings = {"limits": {"sessions": 7}, "domains": {"fake": {"queue": 99}, "third": {**fleets.fake_domain("third")}}}
    fake.write_settings()
    result = ctl.run("reload", socket=fake.control_socket)
    assert result.code == 0
    assert sorted(result.lines()) == ["domain fake: tuned", "domain third: added", "limits.sessions: changed"]
    fake.settings = {"limits": {"sessions": 8}, "state_dir": str(fake.folder / "other")}
    fake.write_settings()
    result = ctl.run("reload", "--json", socket=fake.control_socket)
    assert result.code == 0
    assert sorted(result.json()["changed"]) == ["limits.sessions", "state_dir"]
    assert result.json()["needs_restart"] == ["state_dir"]
    assert {"name": "third", "change": "removed"} in result.json()["domains"]


def test_reload_of_a_bad_file(fake):
    pids = fake.workers("fake")
    fake.settings_path.write_text("domains: {utils: {}}\nlimits: {sesions: 5}\n")
    result = ctl.run("reload", socket=fake.control_socket)
    assert result.code == 1
    assert f"{fake.settings_path}:2:10: limits.sesions: unknown key" in result.err
    assert "the old ones are in use" in result.err
    assert f"{fake.settings_path}:2:10" in error_of(ctl.run("reload", "--json", socket=fake.control_socket))["message"]
    assert fake.workers("fake") == pids
    with fake.session() as session:
        assert "result" in session.call("fake_echo", {"text": "x"})


# --- reload --wait --------------------------------------------------------------------------------


def serving(**domains):
    """What a daemon says of domains whose only process, a new one, is in this state; None: one of before."""
    def process(name, state, end="it ended with exit 3"):
        return {"name": f"{name}/2", "state": state, "retiring": False, "last_end": end if state == "backoff" else None}
    return {"domains": [{"name": name, "state": "up", "last_error": {"text": "x", "remedy": "mend it", "age_ms": 5},
                         "processes": [{"name": f"{name}/1", "state": "ready", "retiring": True}] +
                         ([process(name, state)] if state else [])} for name, state in domains.items()]}


def changes(*names, change="replaced"):
    return {"changed": [], "domains": [{"name": name, "change": change} for name in names], "needs_restart": []}


def in_turn(*answers):
    """Each answer once, the last one for ever."""
    left = list(answers)
    return lambda params: left.pop(0) if len(left) > 1 else left[0]


def test_wait_until_all_serve(socket_path):
    status = in_turn(serving(a="starting", b=None), serving(a="ready", b="listing"), serving(a="ready", b="ready"))
    answer = changes("a", "b")
    answer["domains"] += [{"name": "c", "change": "tuned"}, {"name": "d", "change": "removed"}]
    with ctl.FakeDaemon(socket_path, {"reload": answer, "status": status}) as daemon:
        result = ctl.run("reload", "--wait", socket=socket_path)
        assert daemon.methods().count("status") == 3
    assert (result.code, result.err) == (0, "")
    assert result.lines() == ["domain c: tuned", "domain d: removed",
                              "domain a: replaced, and serves", "domain b: replaced, and serves"]


def test_wait_for_one_that_does_not_come_up(socket_path):
    words = "does not come up: b/2: it ended with exit 3 (mend it)"
    answers = {"reload": changes("a", "b"), "status": in_turn(serving(a="starting", b="backoff"), serving(a="ready"))}
    with ctl.FakeDaemon(socket_path, answers):
        result = ctl.run("reload", "--wait", socket=socket_path)
    assert result.code == 4
    assert (result.out, result.err) == ("domain a: replaced, and serves\n", f"mcp-fleetctl: b: {words}\n")
    with ctl.FakeDaemon(socket_path, {"reload": changes("b"), "status": serving(b="backoff")}):
        result = ctl.run("reload", "--wait", "--json", socket=socket_path)
    assert (result.code, result.err) == (1, "")
    assert result.json() == {**changes("b"), "waited": [{"domain": "b", "ok": False, "error": words}]}


def test_wait_for_one_that_has_no_process(socket_path):
    domains = [{"name": "off", "state": "disabled", "processes": []}, {"name": "lazy", "state": "asleep", "processes": []}]
    with ctl.FakeDaemon(socket_path, {"reload": changes("off", "lazy", "gone", change="added"),
                                      "status": {"domains": domains}}):
        result = ctl.run("reload", "--wait", socket=socket_path)
    assert result.code == 0
    assert result.lines() == ["domain off: added, but it is disabled",
                              "domain lazy: added, and sleeps until its first call", "domain gone: added, and gone since"]


def test_wait_has_an_end(socket_path):
    answers = {"reload": changes("a", "b"), "status": serving(a="ready", b="starting")}
    with ctl.FakeDaemon(socket_path, answers):
        result = ctl.run("reload", "--wait", "--timeout", "0.4", socket=socket_path)
    assert result.code == 4
    assert result.out == "domain a: replaced, and serves\n"
    assert "b: has not come up within 0.4 s; the daemon goes on with it. --timeout lets" in result.err


def test_wait_while_the_daemon_goes_away(socket_path):
    def close(params):
        raise ctl.FakeDaemon.Close
    with ctl.FakeDaemon(socket_path, {"reload": changes("a", "b"), "status": close}):
        result = ctl.run("reload", "--wait", socket=socket_path)
    assert (result.code, result.out) == (3, "")
    assert result.err.count("whether it comes up is not known: ") == 2 and "has closed the connection" in result.err


def test_nothing_to_wait_for(socket_path):
    with ctl.FakeDaemon(socket_path, {"reload": changes()}) as daemon:
        result = ctl.run("reload", "--wait", socket=socket_path)
        assert (result.code, result.out) == (0, "nothing has changed\n")
        assert ctl.run("reload", "--wait", "--json", socket=socket_path).json()["waited"] == []
        assert "status" not in daemon.methods()


def test_wait_on_a_terminal(socket_path):
    answers = {"reload": changes("\x1b]0;a\x07"), "status": in_turn(serving(**{"\x1b]0;a\x07": "starting"}), serving())}
    with ctl.FakeDaemon(socket_path, answers):
        result = ctl.run_pty("reload", "--wait", socket=socket_path)
    assert "waiting for \\x1B]0;a\\x07 …" in result.out and "\x1b]" not in result.out
    assert result.out.rindex("\x1b[J") < result.out.index("and gone since")


def test_wait_for_real_processes(fake):
    """Not before the new process serves; one that cannot run fails, and the old ones serve on."""
    fake.check_fds = False
    before = set(fake.workers("fake"))
    added = {"fake": {"env": {"X": "1"}}, "third": fleets.fake_domain("third")}
    fake.settings = {"domains": added}
    fake.write_settings()
    result = ctl.run("reload", "--wait", socket=fake.control_socket)
    assert (result.code, sorted(result.lines())) == (0, ["domain fake: replaced, and serves", "domain third: added, and serves"])
    with fake.session() as session:
        for name in "fake", "third":
            answer = session.call(f"{name}_echo", {"text": "x"})
            assert json.loads(answer["result"]["content"][0]["text"])["pid"] not in before
    fake.settings = {"domains": {**added, "third": fleets.fake_domain("third", "--exit-at-start", 3),
                                 "fourth": {"command": ["/nowhere/server"]}}}
    fake.write_settings()
    result = ctl.run("reload", "--wait", socket=fake.control_socket)
    assert (result.code, result.out) == (1, "")
    assert re.search(r"^mcp-fleetctl: third: does not come up: third/\d+: .*exit.* 3.* \(.*\)$", result.err, re.M), result
    assert re.search(r"^mcp-fleetctl: fourth: does not come up: fourth/1: .*/nowhere/server.* \(mend the cause", result.err, re.M)
    with fake.session() as session:
        assert "result" in session.call("third_echo", {"text": "x"})
    # One that was parked says nothing against its next process.
    fake.settings = {"domains": {**added, "third": fleets.fake_domain("third", "--exit-at-start", 3),
                                 "fourth": fleets.fake_domain("fourth")}}
    fake.write_settings()
    result = ctl.run("reload", "--wait", socket=fake.control_socket)
    assert (result.code, result.out) == (0, "domain fourth: replaced, and serves\n")


# --- check ----------------------------------------------------------------------------------------


def test_check_a_file(tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("domains: {utils: {}}\n")
    bad.write_text("domains:\n  utils: {}\nlimits: {sesions: 1}\n")
    nowhere = tmp_path / "s"
    result = ctl.run("check", good, socket=nowhere)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"the settings are right: {good}")
    assert ctl.run("check", good, "--json", socket=nowhere).json() == {
        "ok": True, "text": result.out.strip(), "file": None, "line": None, "column": None}
    result = ctl.run("check", bad, socket=nowhere)
    assert (result.code, result.out) == (1, "")
    assert f"{bad}:3:10: limits.sesions: unknown key; did you mean 'sessions'?" in result.err
    result = ctl.run("check", "bad.yaml", "--json", socket=nowhere, cwd=tmp_path)
    assert result.code == 1
    assert (result.json()["ok"], result.json()["file"], result.json()["line"], result.json()["column"]) == \
        (False, "bad.yaml", 3, 10)
    result = ctl.run("check", tmp_path / "none.yaml", "--json", socket=nowhere)
    assert result.code == 1
    assert result.json()["file"] is None and "No such file" in result.json()["text"]
    assert GREEN in ctl.run_pty("check", good, socket=nowhere).out
    assert "\x1b" not in ctl.run_pty("check", good, socket=nowhere, env={"NO_COLOR": "1"}).out


def test_check_what_the_daemon_uses(utils):
    assert str(utils.settings_path) in ctl.run("check", socket=utils.control_socket).out
    utils.settings_path.write_text("domains: []\n")
    result = ctl.run("check", socket=utils.control_socket)
    assert result.code == 1
    assert f"{utils.settings_path}:1:10" in result.err


def test_check_a_relative_file_of_the_daemon(socket_path, tmp_path):
    """The daemon names its file as it was given to it: from where the daemon is, which is not where we are."""
    here = os.path.relpath(tmp_path / "its.yaml")
    (tmp_path / "its.yaml").write_text("domains: {utils: {}}\n")
    with ctl.FakeDaemon(socket_path, hello={"settings": here}):
        result = ctl.run("check", socket=socket_path, cwd="/")
    assert result.code == 0
    assert "its.yaml" in result.out


def test_check_while_the_daemon_hangs(socket_path):
    with ctl.FakeDaemon(socket_path, listen=False) as daemon:
        daemon.listener.listen(16)
        result = ctl.run("check", "--timeout", "0.3", socket=socket_path)
    assert "the settings are right" in result.out
    assert "the default file is checked" in result.err


@pytest.mark.parametrize("words", [["add", "x", "--", "/bin/true"], ["remove", "x"], ["import", "/dev/null"]])
def test_nothing_is_written_beside_the_default_settings_while_the_daemon_hangs(socket_path, words):
    with ctl.FakeDaemon(socket_path, listen=False) as daemon:
        daemon.listener.listen(16)
        result = ctl.run("--timeout", "0.3", *words, socket=socket_path)
    assert result.code == 3
    assert "which settings are in use is not known" in result.err


@pytest.mark.parametrize("words", [["logs", "-f"], ["top", "--json"]])
def test_a_daemon_that_freezes_while_it_is_followed(socket_path, words):
    """It has answered, and then it is silent."""
    with ctl.FakeDaemon(socket_path, {"logs": {"lines": []}, "watch": {}}) as daemon:
        answer = daemon.answer
        daemon.answer = lambda c, message: None if "hello" in daemon.methods() and message["method"] == "hello" \
            else answer(c, message)
        result = ctl.run("--timeout", "0.5", *words, socket=socket_path)
    assert result.code == 3
    assert "does not answer when it is asked whether it lives" in result.err


def test_check_without_mcp_fleetd(tmp_path):
    """A copy of the program, beside which there is no mcp-fleetd; nor is one installed."""
    if os.path.exists("/usr/local/sbin/mcp-fleetd"):
        pytest.skip("mcp-fleetd is installed on this machine")
    copy = tmp_path / "mcp-fleetctl"
    shutil.copy(fleets.build_dir() / "mcp-fleetctl", copy)
    result = fleets.run([str(copy), "check"], env=ctl.environment(tmp_path / "s"))
    assert result.returncode == 1
    assert b"is mcp-fleet installed completely?" in result.stderr


# --- drills ---------------------------------------------------------------------------------------


def drill_domains():
    hung = {"health": {"interval": "1s", "timeout": "1s"}}
    return {"utils": {**hung, "processes": {"min": 2}}, "fake": fleets.fake_domain("fake", **hung)}


@pytest.mark.parametrize("kind", ["kill", "stop", "garbage"])
@pytest.mark.parametrize("domain", ["utils", "fake"])
def test_drill(kind, domain, start_fleet):
    fleet = start_fleet(drill_domains())
    before = fleet.workers(domain)
    result = ctl.run("drill", kind, domain, "--yes", "--json", "--timeout", str(60 * fleets.SLOWNESS),
                     socket=fleet.control_socket, timeout=70)
    assert result.code == 0, result
    told = result.json()
    assert (told["kind"], told["domain"], told["healed"], told["state"]) == (kind, domain, True, "up")
    assert told["pid"] in before
    assert told["process"].startswith(f"{domain}/")
    assert told["new_pid"] in fleet.workers(domain) and told["new_pid"] not in before
    assert (told["restarts_before"], told["restarts_after"], told["calls_lost"]) == (0, 1, 0)
    assert told["healed_ms"] >= 0
    assert not fleets.is_alive(told["pid"])


def test_drill_loses_a_call(fake):
    """A tool that says nothing of itself is not run again: its call is lost, and told so."""
    with fake.session() as session:
        number = session.start_call("fake_sleep", {"seconds": 30})
        fleets.wait_until(lambda: any(message.get("method") == "tools/call" for message in fake.messages()),
                          what="the call is with its worker")
        result = ctl.run("drill", "kill", "fake", "--yes", socket=fake.control_socket)
        assert result.code == 0, result
        fault, healed, lost, restarts = result.lines()
        assert fault.startswith("fake/1 (process ") and fault.endswith("was killed")
        assert healed.startswith("a new process (") and healed.endswith("it is up")
        assert (lost, restarts) == ("calls lost: 1", "restarts: 0 before, 1 now")
        assert "result" not in session.wait(number) or session.wait(number)["result"]["isError"]


def test_drill_asks(fake):
    pids = fake.workers("fake")
    with ctl.Pty("drill", "kill", "fake", socket=fake.control_socket) as terminal:
        terminal.wait_for("Go on? [y/N]")
        terminal.press("n\n")
        assert terminal.wait() == 1
        assert "nothing was done" in terminal.text
    assert fake.workers("fake") == pids
    with ctl.Pty("drill", "kill", "fake", socket=fake.control_socket) as terminal:
        terminal.wait_for("Go on? [y/N]")
        terminal.press("y\n")
        assert terminal.wait() == 0
        assert GREEN in terminal.text and "a new process" in terminal.plain()
    assert fake.workers("fake") != pids


def status_of(state="up", restarts=0, pid=10):
    return {"domains": [{"name": "git", "state": state, "restarts": restarts, "calls": {"lost": 0},
                         "processes": [{"name": "git/1", "pid": pid, "state": "ready"}]}]}


def test_drill_that_does_not_heal(socket_path):
    answers = {"status": status_of(), "watch": {}, "drill": {"process": "git/1", "pid": 10, "restarts": 0}}
    with ctl.FakeDaemon(socket_path, answers, notices={"drill": [("status", status_of("starting", 1, 0))]}):
        result = ctl.run("drill", "kill", "git", "--yes", "--timeout", "0.5", socket=socket_path)
        assert result.code == 1
        assert "not healed within 0 s: it is starting" in result.out
        result = ctl.run("drill", "kill", "git", "--yes", "--timeout", "0.5", "--json", socket=socket_path)
        assert (result.json()["healed"], result.json()["healed_ms"], result.json()["state"]) == (False, None, "starting")


def gateway_status(pid, sync, state="connected"):
    return {"domains": [], "gateway": {
        "gateway": {"state": state}, "process": {"pid": pid, "state": "ready", "restarts": pid - 20},
        "domains": [{"name": "git", "state": "registered", "last_sync": sync}]}}


def test_drill_of_the_gateway(socket_path):
    news = [("status", gateway_status(21, "T1", "unknown")), ("status", gateway_status(21, "T1")),
            ("status", gateway_status(21, "T2"))]
    answers = {"status": gateway_status(20, "T1"), "watch": {}, "drill": {"pid": 20, "restarts": 0}}
    with ctl.FakeDaemon(socket_path, answers, notices={"drill": news}) as daemon:
        result = ctl.run("drill", "gateway", "--yes", socket=socket_path)
        assert result.code == 0, result
        assert daemon.params("drill") == [{"kind": "gateway"}]
        assert "the registrar (process 20) was killed" in result.out
        assert "what was registered is confirmed again" in result.out
    with ctl.FakeDaemon(socket_path, answers, notices={"drill": news[:2]}):
        assert ctl.run("drill", "gateway", "--yes", "--timeout", "0.5", socket=socket_path).code == 1


# --- register, unregister -------------------------------------------------------------------------


def entry(name, state, found=31, wanted=31, error=None, remedy=None):
    return {"name": name, "state": state, "id": "1", "gateway_name": f"fleet-{name}", "url": f"http://f/{name}/sse",
            "tools_wanted": wanted, "tools_found": found, "error": error, "remedy": remedy, "last_sync": None}


def report(*domains, state="connected", server=None, drift=(), error=None, remedy=None):
    return {"gateway": {"url": "http://gw", "state": state, "error": error, "remedy": remedy, "last_contact": None,
                        "next_try_ms": None, "token": {"source": "file", "expires": None, "days_left": None}},
            "domains": list(domains), "server": server, "drift": list(drift), "counters": {}}


def registering(socket_path, final, *progress, method="gateway/register", state_dir=None):
    """A daemon that tells what goes on before it answers."""
    def answer(params):
        for each in progress:
            daemon.notify("gateway", each)
        return final
    daemon = ctl.FakeDaemon(socket_path, {method: answer, "status": {"state_dir": state_dir}})
    return daemon


def test_register(socket_path):
    half = report(entry("git", "registering", 0), entry("web", "waiting", None, None))
    done = report(entry("git", "registered"), entry("web", "registered", 5, 5))
    with registering(socket_path, done, half) as daemon:
        result = ctl.run("register", socket=socket_path)
        assert result.code == 0, result
        assert "git     31/31  registered" in result.out and "web       5/5  registered" in result.out
        assert "all is registered" in result.out and "registering" not in result.out
        assert daemon.params("gateway/register") == [{}]
        assert ctl.run("register", "--json", socket=socket_path).json() == done
        screen = ctl.run_pty("register", socket=socket_path)
        assert screen.code == 0
        assert "git 0/31 registering\nweb  waiting\n" in screen.out
        assert "\x1b[2A\r\x1b[J" in screen.out  # the lines of before are taken away


def test_register_some(socket_path):
    done = report(entry("git", "registered"), entry("web", "refused", 0, 5, "the name is taken", "set gateway.name_prefix"))
    with registering(socket_path, done):
        result = ctl.run("register", socket=socket_path)
        assert result.code == 4
        assert "web: the name is taken\n  set gateway.name_prefix\n" in result.out
        assert "1 of 2 registered" in result.out
        assert ctl.run("register", "--json", socket=socket_path).code == 4
        assert ctl.run("register", "--domain", "git", socket=socket_path).code == 0


def test_register_none(socket_path):
    done = report(entry("git", "waiting"), state="refused", error="the token is refused", remedy="make a new one")
    with registering(socket_path, done):
        result = ctl.run("register", socket=socket_path)
    assert result.code == 1
    assert "gateway http://gw: refused" in result.out
    assert "the token is refused" in result.out and "make a new one" in result.out


def test_register_with_all_options(socket_path, tmp_path):
    token = tmp_path / "token"
    token.write_text("t\n")
    server = {**entry("all", "unreachable"), "error": "it lacks tools"}
    with registering(socket_path, report(entry("git", "registered"), server=server)) as daemon:
        result = ctl.run("register", "--gateway", "https://gw", "--token-file", "token", "--domain", "git", "--domain",
                         "web", "--server", "all", "--timeout", "60", socket=socket_path, cwd=tmp_path,
                         env={"GATEWAY_VERIFY_SSL": "true", "MCP_GATEWAY_URL": "http://other"})
        assert result.code == 4  # the virtual server is not right, and web is not there
        assert daemon.params("gateway/register") == [{
            "gateway": "https://gw", "server": "all", "timeout_ms": 60000, "domains": ["git", "web"],
            "verify": True, "token_file": str(token)}]


def test_register_by_the_environment(socket_path, tmp_path):
    tmp_path.chmod(0o700)
    secret = "eyJhbGciOi.secret"
    env = {"MCP_GATEWAY_URL": "https://gw", "MCPGATEWAY_BEARER_TOKEN": secret, "GATEWAY_VERIFY_SSL": "false"}
    with registering(socket_path, report(entry("git", "registered")), state_dir=str(tmp_path)) as daemon:
        result = ctl.run("register", socket=socket_path, env=env)
        assert result.code == 0, result
        assert "warning: GATEWAY_VERIFY_SSL=false" in result.err
        written = tmp_path / "gateway.token"
        assert daemon.params("gateway/register") == [{"gateway": "https://gw", "verify": False, "token_file": str(written)}]
        assert secret not in json.dumps(daemon.asked)
    assert written.read_text() == secret + "\n"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["gateway.token"]


def test_the_folder_for_the_token_is_made(socket_path, tmp_path):
    """The daemon makes it when it keeps something, and that may be later."""
    folder = tmp_path / "state"
    with registering(socket_path, report(entry("git", "registered")), state_dir=str(folder)):
        assert ctl.run("register", socket=socket_path, env={"MCPGATEWAY_BEARER_TOKEN": "secret"}).code == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "gateway.token").read_text() == "secret\n"


def test_token_that_cannot_be_handed_over(socket_path, tmp_path):
    env = {"MCPGATEWAY_BEARER_TOKEN": "secret"}
    for state_dir in (None, str(tmp_path / "missing" / "folder")):
        with registering(socket_path, report(), state_dir=state_dir) as daemon:
            result = ctl.run("register", socket=socket_path, env=env)
            assert result.code == 1
            assert "--token-file" in result.err and "secret" not in result.err
            daemon.settle()
            assert "gateway/register" not in daemon.methods()
    with registering(socket_path, report(), state_dir=str(tmp_path)):
        assert "is no token" in ctl.run("register", socket=socket_path, env={"MCPGATEWAY_BEARER_TOKEN": "a b"}).err


@pytest.mark.parametrize("value", ["False", "0", "no", " false"])
def test_verify_is_exact(value, socket_path):
    result = ctl.run("register", socket=socket_path, env={"GATEWAY_VERIFY_SSL": value})
    assert result.code == 2
    assert "must be true or false" in result.err


def test_check_of_the_registration(socket_path):
    right = report(entry("git", "registered"))
    drift = report(entry("git", "degraded"), drift=[{"domain": "git", "what": "3 tools are missing", "action": "refresh"}])
    away = report(entry("git", "waiting"), state="unreachable", error="connection refused", remedy="start it")
    with registering(socket_path, right, method="gateway/check") as daemon:
        result = ctl.run("register", "--check", socket=socket_path)
        assert result.code == 0 and "no drift" in result.out
        assert daemon.methods() == ["hello", "gateway/check"]
    with registering(socket_path, drift, method="gateway/check"):
        result = ctl.run("register", "--check", socket=socket_path)
        assert result.code == 4 and "git: 3 tools are missing; to do: refresh" in result.out
        assert ctl.run("register", "--check", "--json", socket=socket_path).json() == drift
    with registering(socket_path, away, method="gateway/check"):
        result = ctl.run("register", "--check", socket=socket_path)
        assert result.code == 1 and "connection refused" in result.out and "no drift" not in result.out


@pytest.mark.parametrize("verb", ["register", "unregister", "restart"])
def test_names_that_are_no_text(verb, socket_path):
    """Left out of the list, one would turn "this domain" into "all"."""
    option = [] if verb == "restart" else ["--domain"]
    with ctl.FakeDaemon(socket_path) as daemon:
        result = ctl.run(verb, *option, "\udcff", socket=socket_path)
        assert result.code == (1 if verb == "restart" else 2)
        daemon.settle()
        assert set(daemon.methods()) <= {"hello"}


def test_unregister(socket_path):
    done = report(entry("git", "unregistered", None, None), entry("web", "registered"))
    with registering(socket_path, done, method="gateway/unregister") as daemon:
        result = ctl.run("unregister", socket=socket_path)
        assert result.code == 4 and "1 of 2 unregistered" in result.out
        result = ctl.run("unregister", "--domain", "git", socket=socket_path)
        assert result.code == 0 and "web" not in result.out
        assert daemon.params("gateway/unregister") == [{}, {"domains": ["git"]}]
        assert ctl.run("unregister", "-d", "web", "--json", socket=socket_path).code == 1
