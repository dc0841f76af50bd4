"""start: lazy and idle_stop: lists without processes, and what is kept of them."""

import json
import os
import signal
import stat
import sys

import pytest

import fleet as fleets

COUNTER = fleets.HERE / "workers" / "counter_server.py"


class Lazy:
    """A fleet whose domain `counter` starts lazily; each run() is a run of the daemon."""

    def __init__(self, start_fleet, folder):
        self.state = folder / "state"
        self.kept = self.state / "offerings" / "counter.json"
        self.more = folder / "tools"
        self.started = folder / "starts"
        self.more.write_text("")
        self.command = [sys.executable, str(COUNTER), "--tools", str(self.more), "--start-log", str(self.started)]
        self.fleet = start_fleet({"counter": {"command": self.command, "start": "lazy"}},
                                 {"state_dir": str(self.state)}, start=False)
        self.fleet.check_fds = False  # processes come and go

    def configure(self, **settings):
        self.fleet.domains["counter"].update(settings)

    def run(self):
        self.fleet.start()
        return self.fleet

    def run_once(self):
        """The first run: nothing is kept yet."""
        self.run()
        fleets.wait_until(self.kept.exists, 5, "the lists are kept")
        self.fleet.stop()
        self.started.unlink()

    def starts(self):
        return len(self.started.read_text().split()) if self.started.exists() else 0

    def domain(self):
        return self.fleet.domain("counter")


@pytest.fixture
def lazy(start_fleet, tmp_path):
    return Lazy(start_fleet, tmp_path)


def names(session):
    return [tool["name"] for tool in session.tools()]


def told(answer):
    assert "result" in answer, answer
    return json.loads(answer["result"]["content"][0]["text"])


@pytest.mark.sanitizers
def test_the_second_run_begins_asleep(lazy):
    fleet = lazy.run()
    assert lazy.starts() == 1 and lazy.domain()["state"] == "up"  # nothing was kept
    fleets.wait_until(lazy.kept.exists, 5, "the lists are kept")
    assert stat.S_IMODE(lazy.kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(lazy.state.stat().st_mode) == 0o700
    fleet.stop()
    lazy.run()
    assert fleet.status()["ready"] and lazy.domain()["state"] == "asleep"
    with fleet.session() as session:
        assert names(session) == ["counter_count", "counter_sleep"]
        assert fleet.processes() == [] and lazy.starts() == 1
        assert told(session.call("counter_count"))["count"] == 1
        assert lazy.domain()["state"] == "up" and lazy.starts() == 2
        assert told(session.call("counter_count"))["count"] == 2
    assert lazy.kept.read_text().startswith("mcp-fleet offering 1 ")


def test_several_calls_wait_for_the_process(lazy):
    lazy.run_once()
    with lazy.run().session() as session:
        numbers = [session.start_call("counter_count") for _ in range(10)]
        counts = [told(session.wait(number))["count"] for number in numbers]
        assert counts == list(range(1, 11)) and lazy.starts() == 1


def test_lists_that_have_changed(lazy):
    lazy.run_once()
    lazy.more.write_text("counter_new\n")
    with lazy.run().session() as session:
        assert "counter_new" not in names(session)
        aside = []
        assert told(session.wait(session.start_call("counter_count"), aside=aside))["count"] == 1
        assert [message["method"] for message in aside] == ["notifications/tools/list_changed"]
        assert "counter_new" in names(session)
        assert told(session.call("counter_new"))["tool"] == "counter_new"
    fleets.wait_until(lambda: "counter_new" in lazy.kept.read_text(), 5, "the new lists are kept")


def test_another_command_does_not_offer_the_old_lists(lazy):
    lazy.run_once()
    lazy.configure(env={"MODE": "other"})
    lazy.run()
    assert lazy.starts() == 1 and lazy.domain()["state"] == "up"


@pytest.mark.parametrize("damage", ["empty", "cut", "symlink", "fifo", "writable"])
def test_what_is_kept_is_foreign(lazy, damage, tmp_path):
    lazy.run_once()
    kept = lazy.kept.read_bytes()
    lazy.kept.unlink()
    if damage == "empty":
        lazy.kept.write_bytes(b"")
    elif damage == "cut":
        lazy.kept.write_bytes(kept[:-10])
    elif damage == "symlink":
        (tmp_path / "elsewhere").write_bytes(kept)
        lazy.kept.symlink_to(tmp_path / "elsewhere")
    elif damage == "fifo":
        os.mkfifo(lazy.kept, 0o600)
    else:
        lazy.kept.write_bytes(kept)
        lazy.kept.chmod(0o666)
    fleet = lazy.run()
    assert lazy.starts() == 1 and lazy.domain()["state"] == "up"

    def is_kept_anew():
        found = lazy.kept.lstat()
        return stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600 and lazy.kept.read_bytes() == kept

    fleets.wait_until(is_kept_anew, 5, "it is kept anew")
    assert fleet.status()["ready"]


def test_without_a_folder(lazy):
    lazy.fleet.settings["state_dir"] = "/proc/mcp-fleet"
    fleet = lazy.run()
    assert lazy.starts() == 1 and lazy.domain()["state"] == "up"
    assert fleet.log().count("lazy domains are started at once") == 1


def test_the_folder_of_the_service_manager(lazy, tmp_path):
    del lazy.fleet.settings["state_dir"]
    lazy.fleet.env["STATE_DIRECTORY"] = f"{tmp_path}/given:{tmp_path}/other"
    lazy.run()
    fleets.wait_until((tmp_path / "given" / "offerings" / "counter.json").exists, 5, "the lists are kept")


@pytest.mark.sanitizers
def test_idle_processes_end_and_come_back(lazy):
    lazy.configure(start="eager", idle_stop="300ms")
    fleet = lazy.run()
    with fleet.session() as session:
        first = told(session.call("counter_count"))
        fleets.wait_until(lambda: lazy.domain()["state"] == "asleep", 5, "it sleeps")
        fleets.wait_until(lambda: fleet.processes() == [], 5, "its process has ended")
        assert fleet.status()["ready"] and names(session) == ["counter_count", "counter_sleep"]
        again = told(session.call("counter_count"))
        assert again["pid"] != first["pid"] and again["count"] == 1
        # A call that is longer than idle_stop is no idleness.
        assert told(session.call("counter_sleep", {"seconds": 1}))["pid"] == again["pid"]
        assert fleet.domain("counter")["restarts"] == 0
    assert not lazy.kept.exists()


def test_a_process_that_does_not_start_any_more(lazy):
    lazy.configure(restart={"first": "20ms", "cap": "50ms", "park_after": 2})
    lazy.run_once()
    lazy.more.unlink()  # now it dies at tools/list
    with lazy.run().session() as session:
        answer = session.call("counter_count")
        assert "error" in answer
        assert lazy.domain()["state"] == "parked" and not lazy.fleet.status()["ready"]
        assert names(session) == []
        lazy.more.write_text("")
        lazy.fleet.signal(signal.SIGHUP)
        lazy.fleet.wait_ready()
        assert told(session.call("counter_count"))["count"] == 1
