"""Workers that die, hang, or talk nonsense with calls in flight; reload; the end of the daemon.

The promise under test: every accepted request gets exactly one answer, and other domains serve on.
"""

import json
import os
import signal
import time

import pytest

import fleet as fleets
import streamable

WORKER_DIED, DEADLINE, UNAVAILABLE = -31001, -31002, -31004
QUICK_RESTART = {"restart": {"first": "50ms", "cap": "200ms", "park_after": 3}}


def answers(session, count, timeout=15.0):
    """The next `count` answers by id; none may come twice, and nothing may follow them."""
    found = {}
    deadline = time.monotonic() + timeout * fleets.SLOWNESS
    while len(found) < count:
        message = session.stream.read_message(max(deadline - time.monotonic(), 0.001)).json()
        if "method" in message:
            continue
        assert message["id"] not in found, f"{message['id']} was answered twice"
        found[message["id"]] = message
    marker = session.start("ping")
    assert session.wait(marker)["result"] == {}
    return found


def text_of(answer):
    return json.loads(answer["result"]["content"][0]["text"])


def other_serves(fleet):
    with fleet.session() as session:
        return "result" in session.call("other_echo", {"text": "x"}, timeout=5 * fleets.SLOWNESS)


# --- a worker that dies ---------------------------------------------------------------------------


@pytest.mark.sanitizers
def test_kill_9_with_calls_in_flight(fake):
    """Read-only calls are run again; of the others the client hears that they may have taken effect."""
    with fake.session() as session:
        [before] = fake.workers("fake")
        writing = [session.start_call("fake_sleep", {"seconds": 0.7}) for _ in range(5)]
        reading = [session.start_call("fake_sleep_read", {"seconds": 0.7}) for _ in range(5)]
        fleets.wait_until(lambda: fake.message_log.read_text().count("tools/call") == 10, 3, "the calls are at the worker")
        os.kill(before, signal.SIGKILL)
        found = answers(session, 10)
        for number in writing:
            assert found[number]["error"]["code"] == WORKER_DIED, found[number]
            assert "effect" in found[number]["error"]["message"]
        for number in reading:
            assert text_of(found[number])["pid"] != before
        assert other_serves(fake)
    [after] = fleets.wait_until(lambda: fake.workers("fake"), 3, "a new worker")
    assert after != before


@pytest.mark.parametrize("tool, again", [("fake_die", False), ("fake_die_read", True), ("fake_die_idempotent", True)])
def test_run_again_rule(fake, tmp_path, tool, again):
    with fake.session() as session:
        answer = session.call(tool, {"once": str(tmp_path / "once")})
        if again:
            assert text_of(answer)["second"] is True
        else:
            assert answer["error"]["code"] == WORKER_DIED


def test_run_again_only_once(fake):
    """A call that kills every worker it reaches is not passed on for ever."""
    with fake.session() as session:
        answer = session.call("fake_die_read", {})
        assert answer["error"]["code"] == WORKER_DIED
        deaths = fake.message_log.read_text().count("fake_die_read")
        assert deaths == 2
        assert other_serves(fake)
        fleets.wait_until(lambda: fake.workers("fake"), 5, "a new worker")
        assert "result" in session.call("fake_echo", timeout=10)


def test_a_worker_killed_while_idle_is_replaced(fake):
    [before] = fake.workers("fake")
    os.kill(before, signal.SIGKILL)
    fleets.wait_until(lambda: fake.workers("fake") not in ([], [before]), 3, "a new worker")
    with fake.session() as session:
        assert text_of(session.call("fake_echo"))["pid"] != before


@pytest.mark.parametrize("code", [0, 1, 77])
def test_a_worker_that_exits_in_a_call(fake, code):
    with fake.session() as session:
        answer = session.call("fake_die", {"exit": code})
        assert answer["error"]["code"] == WORKER_DIED
        assert "result" in session.call("fake_echo", timeout=10)


def test_native_worker_killed_twenty_times(start_fleet):
    """Calls a client makes meanwhile: each has one answer, and all that can be run again succeed."""
    fleet = start_fleet({"utils": {"processes": {"min": 2, "max": 2}}})
    with fleet.session() as session:
        for turn in range(20):
            numbers = [session.start_call("string_to_upper", {"text": f"{turn}"}) for _ in range(5)]
            os.kill(fleets.wait_until(lambda: fleet.workers("utils"), 3)[0], signal.SIGKILL)
            found = answers(session, 5)
            assert sorted(found) == numbers
            for answer in found.values():
                assert "result" in answer, answer
    fleets.wait_until(lambda: len(fleet.workers("utils")) == 2, 5, "two workers")


@pytest.mark.sanitizers
def test_what_a_worker_forked_dies_with_it(fake):
    with fake.session() as session:
        child = text_of(session.call("fake_fork"))["child"]
        assert fleets.is_alive(child)
        os.kill(fake.workers("fake")[0], signal.SIGKILL)
        fleets.wait_until(lambda: not fleets.is_alive(child), 3, "the grandchild is gone")


def test_what_a_worker_forked_dies_with_the_daemon(fake):
    with fake.session() as session:
        child = text_of(session.call("fake_fork"))["child"]
    fake.seen.add(child)
    fake.stop()
    assert not fleets.is_alive(child)


def test_workers_end_when_the_daemon_is_killed(start_fleet):
    """A worker ends when its socket closes: kill -9 of the daemon leaves nobody behind."""
    fleet = start_fleet({"utils": {}, "fake": fleets.fake_domain("fake")})
    below = fleet.processes()
    assert len(below) >= 2
    fleet.signal(signal.SIGKILL)
    fleet.process.wait(5)
    fleets.wait_until(lambda: not any(map(fleets.is_alive, below)), 5, "the workers are gone")
    fleet.expected_exit = -signal.SIGKILL


# --- a worker that hangs --------------------------------------------------------------------------


@pytest.mark.sanitizers
def test_stopped_worker_runs_into_the_deadline(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake", call_timeout="1s", cancel_grace="500ms"),
                         "other": fleets.fake_domain("other")})
    with fleet.session() as session:
        [before] = fleet.workers("fake")
        os.kill(before, signal.SIGSTOP)
        numbers = [session.start_call("fake_echo") for _ in range(3)]
        assert other_serves(fleet)
        found = answers(session, 3)
        assert sorted(found) == numbers
        assert {answer["error"]["code"] for answer in found.values()} == {DEADLINE}
        fleets.wait_until(lambda: not fleets.is_alive(before), 5, "the stopped worker was killed")
        assert text_of(session.call("fake_echo", timeout=10))["pid"] != before


def test_stopped_native_worker(start_fleet):
    fleet = start_fleet({"utils": {"call_timeout": "1s", "cancel_grace": "500ms", "processes": {"max": 1}}})
    with fleet.session() as session:
        [before] = fleet.workers("utils")
        os.kill(before, signal.SIGSTOP)
        numbers = [session.start_call("string_to_upper", {"text": "x"}) for _ in range(3)]
        found = answers(session, 3)
        assert sorted(found) == numbers
        fleets.wait_until(lambda: not fleets.is_alive(before), 5, "the stopped worker was killed")
        assert "result" in session.call("string_to_upper", {"text": "x"}, timeout=10)


def test_a_worker_that_hangs_while_idle_is_found_by_its_health_ping(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake", health={"interval": "1s", "timeout": "1s"})})
    [before] = fleet.workers("fake")
    os.kill(before, signal.SIGSTOP)
    fleets.wait_until(lambda: not fleets.is_alive(before), 8, "the stopped worker was killed")
    fleets.wait_until(lambda: fleet.workers("fake") not in ([], [before]), 5, "a new worker")


def test_a_call_that_takes_too_long(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake", call_timeout="1s")})
    with fleet.session() as session:
        begin = time.monotonic()
        answer = session.call("fake_sleep", {"seconds": 60})
        assert answer["error"]["code"] == DEADLINE
        assert 0.9 < time.monotonic() - begin < 3 * fleets.SLOWNESS
        assert "result" in session.call("fake_echo")


# --- a worker that talks nonsense -----------------------------------------------------------------

GARBAGE = {
    "other protocol": b'{"jsonrpc":"1.0","id":1,"result":{}}\n',
    "batch cut off": b'[{"jsonrpc":"2.0","id":1,"result":{}},\n',
    "cut off": b'{"jsonrpc":"2.0","id":1,"result":{\n',
    "binary": b"\xff\xfe\0\1\2\n",
    "invalid UTF-8": b'{"jsonrpc":"2.0","id":1,"result":{"x":"\xff"}}\n',
    "answer without result": b'{"jsonrpc":"2.0","id":1}\n',
    "lone surrogate": b'{"jsonrpc":"2.0","id":1,"result":{"x":"\\ud800"}}\n',
}


@pytest.mark.sanitizers
@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_on_the_link(fake, name):
    """The link is broken: its worker is replaced, every call of it answered, others unharmed."""
    with fake.session() as session:
        [before] = fake.workers("fake")
        numbers = [session.start_call("fake_sleep", {"seconds": 20}) for _ in range(3)]
        numbers.append(session.start_call("fake_garbage", {"hex": GARBAGE[name].hex()}))
        found = answers(session, 4)
        assert sorted(found) == numbers
        assert {answer["error"]["code"] for answer in found.values()} == {WORKER_DIED}
        assert other_serves(fake)
        assert text_of(session.call("fake_echo", timeout=10))["pid"] != before


def test_words_for_a_person_on_the_link(fake):
    """A foreign server that prints to its standard output is told of in the log, and lives on."""
    with fake.session() as session:
        before = fake.workers("fake")
        sleeping = session.start_call("fake_sleep", {"seconds": 0.5})
        noisy = session.start_call("fake_noise")
        found = answers(session, 2)
        assert "result" in found[sleeping] and "result" in found[noisy]
        assert fake.workers("fake") == before
    assert "Server is ready!" in fake.log()


def test_a_line_without_end(fake):
    with fake.session() as session:
        answer = session.call("fake_flood", {"pieces": 1024}, timeout=20)
        assert answer["error"]["code"] == WORKER_DIED
        assert other_serves(fake)
        assert "result" in session.call("fake_echo", timeout=10)


def test_answers_nobody_waits_for_are_dropped(fake):
    with fake.session() as session:
        number = session.start_call("fake_twice")
        found = answers(session, 1)
        assert found[number]["result"]["content"][0]["text"] == "first"
        session.start_call("fake_garbage", {"hex": b'{"jsonrpc":"2.0","id":987654,"result":{}}\n'.hex()})
        assert "result" in session.call("fake_echo")


def test_progress_for_nobody_is_dropped(fake):
    with fake.session() as session:
        aside = []
        number = session.start_call("fake_foreign_progress", meta={"progressToken": "mine"})
        assert "result" in session.wait(number, aside=aside)
        assert aside == []


def test_an_answer_that_is_too_large(start_fleet):
    """An answer above tools.max_result_bytes is an error to the asker; nobody dies for it."""
    fleet = start_fleet({"fake": fleets.fake_domain("fake")}, settings={"tools": {"max_result_bytes": "64KiB"}})
    with fleet.session() as session:
        before = fleet.workers("fake")
        assert "result" in session.call("fake_big", {"bytes": 60_000})
        answer = session.call("fake_big", {"bytes": 1_000_000})
        assert answer["error"]["code"] == -32603
        assert "max_result_bytes" in answer["error"]["message"]
        assert "result" in session.call("fake_echo")
        assert fleet.workers("fake") == before


def test_stderr_of_a_worker_is_in_the_log(fake):
    with fake.session() as session:
        session.call("fake_stderr", {"text": "words for the journal\nsecond line"})
    fleets.wait_until(lambda: "words for the journal" in fake.log() and "second line" in fake.log(), 3, "the words")
    [line] = [line for line in fake.log().splitlines() if "words for the journal" in line]
    assert "fake" in line.replace("words for the journal", "")


PRIVATE = {"SSE_HEARTBEAT_SECONDS": "20", "PORT": "8111", "NOTIFY_SOCKET": "/nowhere", "LISTEN_FDNAMES": "x"}


def test_environment_of_a_foreign_worker(start_fleet):
    """The daemon's own, less what is meant for the daemon alone, and what the settings say."""
    fleet = start_fleet({"fake": fleets.fake_domain("fake", env={"MODE": "fast", "LANG": "C"})}, env=PRIVATE)
    with fleet.session() as session:
        environment = text_of(session.call("fake_environment"))
    assert (environment["MODE"], environment["LANG"], environment["HOME"]) == ("fast", "C", str(fleet.folder))
    assert not {"MCP_TRANSPORT", *PRIVATE} & set(environment)


def test_environment_of_a_native_worker(start_fleet):
    fleet = start_fleet(env={"AWS_SECRET_ACCESS_KEY": "hush", "LD_BIND_NOW": "1", "GIT_DIR": "/", **PRIVATE})
    with open(f"/proc/{fleet.workers('utils')[0]}/environ", encoding="utf-8") as environ:
        names = {line.split("=")[0] for line in environ.read().split("\0")}
    assert not {"AWS_SECRET_ACCESS_KEY", "LD_BIND_NOW", "GIT_DIR", "HOME", "MCP_TRANSPORT", *PRIVATE} & names


# --- a program that cannot start ------------------------------------------------------------------


def reasons(fleet):
    response = fleet.get("/ready")
    return response.status, response.body.decode()


@pytest.mark.sanitizers
@pytest.mark.parametrize("broken", [
    {"command": ["/no/such/program"]},
    {"command": ["/etc/passwd"]},
    fleets.fake_domain("broken", "--exit-at-start", "3"),
    {"command": ["/bin/true"]},
], ids=["not found", "not a program", "exits", "exits with 0"])
def test_a_program_that_cannot_start(start_fleet, broken):
    """Parked: said in /ready and in the log; its tools are not listed; the others serve."""
    fleet = start_fleet({"broken": {**broken, **QUICK_RESTART}, "other": fleets.fake_domain("other")}, wait=False)
    fleet.wait_listening()
    fleets.wait_until(lambda: fleet.domain("broken")["state"] == "parked", 10, "the domain is parked")
    status, body = reasons(fleet)
    assert status == 503
    assert "broken" in body
    with fleet.session() as session:
        assert {tool["name"].split("_")[0] for tool in session.tools()} == {"other"}
        assert "result" in session.call("other_echo")
        assert session.call("broken_echo")["error"]["code"] in (-32602, UNAVAILABLE)
    assert "broken" in fleet.log()
    fleet.processes()


def test_the_last_words_of_a_program_that_cannot_start_are_in_the_log(start_fleet):
    fleet = start_fleet({"broken": fleets.fake_domain("broken", "--exit-at-start", "3", **QUICK_RESTART),
                         "other": fleets.fake_domain("other")}, wait=False)
    fleets.wait_until(lambda: "broken: cannot start, as asked" in fleet.log(), 10, "its last words")


def test_a_domain_that_is_not_required_may_be_parked(start_fleet):
    fleet = start_fleet({"broken": {"command": ["/no/such/program"], "required": False, **QUICK_RESTART},
                         "other": fleets.fake_domain("other")})
    assert fleet.get("/ready").status == 200


def test_a_required_domain_without_tools_is_not_ready(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake", "--no-tools")}, wait=False)
    fleet.wait_listening()
    fleets.wait_until(lambda: fleet.workers("fake"), 5)
    assert fleets.stays(lambda: reasons(fleet)[0] == 503, 1)


def test_a_program_that_never_answers_initialize(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake", "--silent", start_timeout="1s", **QUICK_RESTART),
                         "other": fleets.fake_domain("other")}, wait=False)
    fleet.wait_listening()
    fleets.wait_until(lambda: fleet.domain("fake")["state"] == "parked", 15, "the domain is parked")
    assert other_serves(fleet)


def test_tools_of_a_foreign_worker_come_in_pages(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake", "--page", "3"), "other": fleets.fake_domain("other")})
    with fleet.session() as session:
        names = [tool["name"] for tool in session.tools()]
    assert len(names) == len(set(names))
    assert {name.removeprefix("fake_") for name in names if name.startswith("fake_")} \
        == {name.removeprefix("other_") for name in names if name.startswith("other_")}


# --- health ---------------------------------------------------------------------------------------


def test_ready_tells_each_domain(start_fleet):
    fleet = start_fleet({"utils": {}, "fake": fleets.fake_domain("fake")})
    status = fleet.status()
    assert set(status["domains"]) == {"utils", "fake"}
    with fleet.session() as session:
        listed = len([tool for tool in session.tools() if tool["name"].startswith("fake_")])
    domain = fleet.domain("fake")
    assert (domain["state"], domain["tools"], domain["processes"], domain["restarts"]) == ("up", listed, 1, 0)
    os.kill(fleet.workers("fake")[0], signal.SIGKILL)
    fleets.wait_until(lambda: fleet.domain("fake")["restarts"] == 1, 5, "a restart is counted")
    assert "SIGKILL" in fleet.domain("fake")["last_death"] or "signal 9" in fleet.domain("fake")["last_death"]


# --- the end of the daemon ------------------------------------------------------------------------


@pytest.mark.sanitizers
def test_sigterm_during_a_call(fake):
    """The call is answered, then the stream ends, then the daemon, with 0."""
    with fake.session() as session:
        number = session.start_call("fake_sleep", {"seconds": 1})
        time.sleep(0.2)
        fake.signal(signal.SIGTERM)
        assert "result" in session.wait(number)
        assert session.stream.has_ended(5)
    assert fake.process.wait(5 * fleets.SLOWNESS) == 0


def test_nothing_new_is_accepted_after_sigterm(fake):
    with fake.session() as session:
        number = session.start_call("fake_sleep", {"seconds": 1.5})
        time.sleep(0.2)
        fake.signal(signal.SIGTERM)
        time.sleep(0.2)
        with pytest.raises(OSError):
            fake.connect(timeout=1)
        # On a connection that is still there: an error, not silence.
        session.number += 1
        response = session.post({"jsonrpc": "2.0", "id": session.number, "method": "tools/call", "params": {"name": "fake_echo"}})
        if response.status == 202:
            assert session.wait(session.number)["error"]["code"] == UNAVAILABLE
        else:
            assert response.status == 503
        assert "result" in session.wait(number)


@pytest.mark.sanitizers
def test_who_stands_in_the_door_is_served(fake):
    """Connected before the end, and nothing asked yet: served as ever, but not waited for without an end."""
    at = streamable.Modern(fake.port)
    with fake.connect() as late, fake.connect() as silent:
        fake.get("/health")  # both are accepted, or wait in the socket
        begin = time.monotonic()
        fake.signal(signal.SIGTERM)
        fleets.wait_until(lambda: "stopping on SIGTERM" in fake.log(), what="the end begins")
        assert "result" in at.post(at.call("fake_echo", {"text": "x"}), connection=late).json()
        assert fake.process.wait(8 * fleets.SLOWNESS) == 0
        assert time.monotonic() - begin < 5 * fleets.SLOWNESS
        assert silent.socket.recv(1) == b""


def test_signals_up_to_the_very_end(fake):
    """Whoever sends SIGTERM again and again does not turn an end into a failure."""
    with fake.session():
        while fake.process.poll() is None:
            fake.signal(signal.SIGTERM)
    assert fake.process.returncode == 0


def test_drain_has_an_end(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake")}, settings={"drain": "1s"})
    with fleet.session() as session:
        number = session.start_call("fake_sleep", {"seconds": 60})
        time.sleep(0.2)
        begin = time.monotonic()
        fleet.signal(signal.SIGTERM)
        assert session.wait(number)["error"]["code"] == UNAVAILABLE
        assert fleet.process.wait(8 * fleets.SLOWNESS) == 0
        assert 0.8 < time.monotonic() - begin < 5 * fleets.SLOWNESS


def test_a_second_sigterm_ends_at_once(fake):
    with fake.session() as session:
        session.start_call("fake_sleep", {"seconds": 60})
        time.sleep(0.2)
        fake.signal(signal.SIGTERM)
        time.sleep(0.3)
        assert fake.process.poll() is None
        begin = time.monotonic()
        fake.signal(signal.SIGTERM)
        code = fake.process.wait(5 * fleets.SLOWNESS)
        assert time.monotonic() - begin < 2 * fleets.SLOWNESS
    assert code in (0, 1)
    fake.expected_exit = code


def test_sigint_is_like_sigterm(fake):
    fake.signal(signal.SIGINT)
    assert fake.process.wait(5 * fleets.SLOWNESS) == 0


@pytest.mark.parametrize("when", [0, 0.02, 0.1])
def test_sigterm_while_starting(start_fleet, when):
    fleet = start_fleet({"fake": fleets.fake_domain("fake"), "utils": {}}, wait=False)
    time.sleep(when)
    fleet.signal(signal.SIGTERM)
    code = fleet.process.wait(8 * fleets.SLOWNESS)
    # Before the handlers are there, the signal itself ends the process.
    assert code in ((0, -signal.SIGTERM) if when < 0.1 else (0,))
    fleet.expected_exit = code


# --- reload ---------------------------------------------------------------------------------------


def reload(fleet, words, timeout=5):
    """SIGHUP, and waits until the log says what came of it."""
    before = len(fleet.log())
    fleet.signal(signal.SIGHUP)
    fleets.wait_until(lambda: words in fleet.log()[before:].lower(), timeout, f"the log says {words!r}")


@pytest.mark.sanitizers
def test_reload_adds_and_removes_domains(fake):
    fake.check_fds = False
    with fake.session() as session:
        fake.domains["third"] = fleets.fake_domain("third")
        del fake.domains["other"]
        fake.write_settings()
        reload(fake, "reload")
        prefixes = fleets.wait_until(
            lambda: {tool["name"].split("_")[0] for tool in session.tools()} == {"fake", "third"}, 5, "the new list")
        assert prefixes
        assert "result" in session.call("third_echo")
        assert session.call("other_echo")["error"]["code"] == -32602
        fleets.wait_until(lambda: not fake.workers("other"), 5, "the removed domain's worker is gone")


def test_reload_keeps_sessions_and_untouched_workers(fake):
    with fake.session() as session:
        before = fake.workers("fake"), fake.workers("other")
        number = session.start_call("fake_sleep", {"seconds": 1})
        fake.settings["sse"] = {"heartbeat": "20s"}
        fake.write_settings()
        reload(fake, "reload")
        assert "result" in session.wait(number)
        assert (fake.workers("fake"), fake.workers("other")) == before


def test_reload_replaces_the_workers_of_a_changed_domain(fake):
    """One after the other, with calls in flight answered."""
    with fake.session() as session:
        before = fake.workers("fake"), fake.workers("other")
        number = session.start_call("fake_sleep", {"seconds": 1})
        fake.domains["fake"]["env"] = {"MODE": "new"}
        fake.write_settings()
        reload(fake, "reload")
        assert "result" in session.wait(number)
        fleets.wait_until(lambda: fake.workers("fake") and fake.workers("fake") != before[0], 5, "a new worker")
        assert text_of(session.call("fake_environment"))["MODE"] == "new"
        assert fake.workers("other") == before[1]


@pytest.mark.sanitizers
@pytest.mark.parametrize("text", ["limits: {sessions: none}\n", "nonsense: [\n", "\0\1\2", "domains: {}\n"])
def test_reload_of_a_broken_file_keeps_the_old_set(fake, text):
    with fake.session() as session:
        before = fake.workers("fake")
        fake.settings_path.write_text(text)
        reload(fake, "fleet.yaml")
        assert "result" in session.call("fake_echo")
        assert fake.workers("fake") == before
        assert fake.get("/ready").status == 200
        fake.write_settings()
        reload(fake, "reload")
        assert "result" in session.call("fake_echo")


def test_reload_moves_a_listener(fake):
    fake.check_fds = False
    with fake.session() as session:
        fake.port = fleets.free_port()
        fake.write_settings()
        reload(fake, "reload")
        fleets.wait_until(lambda: fake.get("/health").status == 200, 5, "the new listener")
        assert "result" in session.wait(session.start_call("fake_echo"))


def test_reload_of_a_live_limit(fake):
    first = fake.session()
    fake.settings["limits"] = {"sessions": 1}
    fake.write_settings()
    reload(fake, "reload")
    with fake.stream() as refused:
        assert refused.response.status == 503
    assert "result" in first.call("fake_echo")
    first.close()


def test_many_reloads(fake):
    with fake.session() as session:
        for _ in range(30):
            fake.signal(signal.SIGHUP)
            assert "result" in session.call("fake_echo")


# --- growing and shrinking ------------------------------------------------------------------------


def test_a_pool_grows_under_load_and_shrinks_when_idle(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain(
        "fake", concurrency=1, processes={"min": 1, "max": 3}, idle_shrink="1s")})
    with fleet.session() as session:
        numbers = [session.start_call("fake_sleep", {"seconds": 1}) for _ in range(6)]
        fleets.wait_until(lambda: len(fleet.workers("fake")) == 3, 5, "three workers")
        found = answers(session, 6)
        assert sorted(found) == numbers
        assert len({text_of(answer)["pid"] for answer in found.values()}) == 3
        fleets.wait_until(lambda: len(fleet.workers("fake")) == 1, 10, "one worker")
        assert "result" in session.call("fake_echo")
