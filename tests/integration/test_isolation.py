"""isolation: session, turns among sessions, and the working directory of a command."""

import json
import os
import signal
import sys
import time

import pytest

import fleet as fleets

OVERLOADED = -31003
COUNTER = fleets.HERE / "workers" / "counter_server.py"


def counter(*args, **settings):
    return {"counter": {"command": [sys.executable, str(COUNTER), *map(str, args)], **settings}}


def processes(fleet):
    return {pid for pid in fleet.processes() if str(COUNTER) in fleets.command_line(pid)}


def count(session, tool="counter_count", **arguments):
    return told(session.call(tool, arguments))


def told(answer):
    assert "result" in answer, answer
    return json.loads(answer["result"]["content"][0]["text"])


@pytest.fixture
def isolated(start_fleet):
    return start_fleet(counter(isolation="session", processes={"max": 3}))


@pytest.mark.sanitizers
def test_each_session_has_a_process_of_its_own(isolated):
    with isolated.session() as one, isolated.session() as other:
        first = [count(one) for _ in range(3)]
        second = [count(other) for _ in range(2)]
        assert [each["count"] for each in first] == [1, 2, 3]
        assert [each["count"] for each in second] == [1, 2]
        pids = {each["pid"] for each in first}, {each["pid"] for each in second}
        assert len(pids[0]) == len(pids[1]) == 1 and pids[0] != pids[1]
        fleets.wait_until(lambda: len(processes(isolated)) == 3, 5, "one more is kept ready")
    fleets.wait_until(lambda: not (pids[0] | pids[1]) & processes(isolated), 5, "they end with their sessions")
    fleets.wait_until(lambda: len(processes(isolated)) == 1, 5, "the spare one is left")


def test_one_more_than_there_may_be(isolated):
    with isolated.session() as one, isolated.session() as two, isolated.session() as three, isolated.session() as four:
        for session in (one, two, three):
            count(session)
        refused = four.call("counter_count")
        assert refused["error"]["code"] == OVERLOADED and "processes.max" in refused["error"]["message"], refused
        assert "processes.max" in isolated.log()
        assert count(one)["count"] == 2
        two.close()
        fleets.wait_until(lambda: "result" in four.call("counter_count"), 10, "a process is free")
        assert count(four)["count"] == 2


@pytest.mark.sanitizers
def test_a_killed_process_is_replaced_for_its_session(isolated):
    with isolated.session() as one, isolated.session() as other:
        before, untouched = count(one), count(other)
        os.kill(before["pid"], signal.SIGKILL)
        fleets.wait_until(lambda: not fleets.is_alive(before["pid"]), 5, "it is dead")
        after = count(one)
        assert after["pid"] != before["pid"] and after["count"] == 1
        assert count(one)["pid"] == after["pid"]
        assert count(other) == {**untouched, "count": 2}


def test_a_session_ends_in_the_middle_of_a_call(isolated):
    with isolated.session() as session:
        pid = count(session)["pid"]
        session.start_call("counter_sleep", {"seconds": 60})
    fleets.wait_until(lambda: not fleets.is_alive(pid), 10, "its process has ended")
    with isolated.session() as session:
        assert count(session)["count"] == 1


def test_many_sessions_come_and_go(isolated):
    seen = set()
    for _ in range(12):
        with isolated.session() as session:
            told = fleets.wait_until(lambda: session.call("counter_count").get("result"), 10, "a process")
            told = json.loads(told["content"][0]["text"])
            assert told["count"] == 1 and told["pid"] not in seen
            seen.add(told["pid"])
        assert len(processes(isolated)) <= 3


def test_a_greedy_client_does_not_starve_another(start_fleet):
    """Twenty calls of 0.3 s wait in front: the other client's calls are not behind them."""
    fleet = start_fleet({"fake": fleets.fake_domain("fake", concurrency=1, processes={"max": 2})})
    fleet.check_fds = False  # there are two processes in the end
    with fleet.session() as greedy, fleet.session() as other:
        other.call("fake_echo")
        numbers = [greedy.start_call("fake_sleep", {"seconds": 0.3}) for _ in range(20)]
        greedy.wait(numbers[0])
        began = time.monotonic()
        for _ in range(5):
            assert "result" in other.call("fake_echo")
        assert time.monotonic() - began < 3 * fleets.SLOWNESS  # behind them it would be 5 s
        assert fleet.domain("fake")["calls_queued"] > 5
        for number in numbers[1:]:
            assert "result" in greedy.wait(number)


def test_working_directory(start_fleet, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    fleet = start_fleet(counter(cwd=str(folder)))
    with fleet.session() as session:
        assert count(session)["cwd"] == str(folder)


def test_working_directory_that_is_not_there(start_fleet, tmp_path):
    folder = tmp_path / "missing"
    fleet = start_fleet(counter(cwd=str(folder)), wait=False)
    fleet.wait_listening()
    fleets.wait_until(lambda: fleet.domain("counter")["state"] == "parked", 10, "it is parked")
    [reason] = fleet.status()["reasons"]
    assert f"cannot enter the directory '{folder}'" in reason and "No such file" in reason
    folder.mkdir()
    fleet.signal(signal.SIGHUP)
    fleet.wait_ready()
    fleet.check_fds = False
