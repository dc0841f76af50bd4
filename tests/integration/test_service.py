"""Under a service manager: what it is told, the watchdog, sockets it hands over, the journal's form."""

import contextlib
import json
import os
import signal
import socket
import time

import pytest

import fleet as fleets


@pytest.fixture(autouse=True)
def needs_libsystemd():
    """The build may leave libsystemd out; then there is nothing of this to test."""
    if not fleets.has_libsystemd():
        pytest.skip("built without libsystemd")


class Manager:
    """The socket that sd_notify(3) writes to."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.told = []  # of dicts

    def read(self):
        """What was told by now, earlier messages included."""
        with contextlib.suppress(BlockingIOError):
            while True:
                message = self.socket.recv(65536, socket.MSG_DONTWAIT).decode()
                self.told.append(dict(line.split("=", 1) for line in message.splitlines()))
        return self.told

    def wait_for(self, key, value=None, timeout=5):
        def has_come():
            return [told for told in self.read() if key in told and value in (None, told[key])]
        return fleets.wait_until(has_come, timeout, f"{key}={value}")[-1]


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.socket.close()


@pytest.mark.sanitizers
def test_the_manager_is_told(start_fleet, manager):
    fleet = start_fleet({"utils": {}, "fake": fleets.fake_domain("fake")}, env={"NOTIFY_SOCKET": manager.path})
    ready = manager.wait_for("READY", "1")
    assert "2/2 domains up" in ready["STATUS"] and "tools" in ready["STATUS"]
    with fleet.session():
        fleets.wait_until(lambda: any("1 sessions" in told.get("STATUS", "") for told in manager.read()), 5, "the status")
    fleet.signal(signal.SIGHUP)
    assert int(manager.wait_for("RELOADING", "1")["MONOTONIC_USEC"]) > 0
    fleets.wait_until(lambda: sum("READY" in told for told in manager.read()) == 2, 5, "ready after the reload")
    fleet.signal(signal.SIGTERM)
    manager.wait_for("STOPPING", "1")


def test_the_status_tells_that_a_domain_is_down(start_fleet, manager):
    start_fleet({"broken": {"command": ["/no/such/program"]}, "utils": {}},
                env={"NOTIFY_SOCKET": manager.path}, wait=False)
    fleets.wait_until(lambda: any("1/2 domains up" in told.get("STATUS", "") for told in manager.read()), 10, "the status")


def test_a_failed_reload_is_in_the_status(start_fleet, manager):
    fleet = start_fleet(env={"NOTIFY_SOCKET": manager.path})
    manager.wait_for("READY", "1")
    fleet.settings_path.write_text("nonsense: 1\n")
    fleet.signal(signal.SIGHUP)
    fleets.wait_until(lambda: any("nonsense" in told.get("STATUS", "") for told in manager.read()), 5, "the reason")
    fleet.write_settings()


def test_the_watchdog_is_fed_only_by_a_turning_loop(start_fleet, manager):
    fleet = start_fleet(env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"})

    def fed():
        return sum("WATCHDOG" in told for told in manager.read())

    fleets.wait_until(lambda: fed() >= 3, 5, "the watchdog is fed")
    fleet.signal(signal.SIGSTOP)
    time.sleep(0.3)
    before = fed()
    time.sleep(0.6)
    assert fed() == before
    fleet.signal(signal.SIGCONT)
    fleets.wait_until(lambda: fed() > before, 5, "the watchdog is fed again")


def listening_socket():
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken


def hand_over(fleet, taken, names=""):
    """Starts the daemon as systemd would, with `taken` as its descriptor 3."""
    number = taken.fileno()
    fleet.port = taken.getsockname()[1]
    fleet.prefix = ["bash", "-c", f'export LISTEN_PID=$$; exec "$@" 3<&{number} {number}<&-', "bash"]
    fleet.pass_fds = [number]
    fleet.env.update({"LISTEN_FDS": "1", "LISTEN_FDNAMES": names} if names else {"LISTEN_FDS": "1"})
    fleet.start()


def test_socket_activation(start_fleet):
    fleet = start_fleet({"utils": {}, "fake": fleets.fake_domain("fake")}, start=False)
    with listening_socket() as taken:
        hand_over(fleet, taken)
        with fleet.session() as session:
            assert "result" in session.call("fake_echo")
        with fleet.session("/utils/sse") as session:
            assert session.tools()


def test_socket_activation_of_a_domain(start_fleet):
    fleet = start_fleet({"utils": {}, "fake": fleets.fake_domain("fake")}, start=False)
    with listening_socket() as taken:
        hand_over(fleet, taken, "fake")
        with fleet.session() as session:
            assert {tool["name"].split("_")[0] for tool in session.tools()} == {"fake"}


def test_json_log(start_fleet):
    """One object a line, with the fields that say what the line is about."""
    fleet = start_fleet({"fake": fleets.fake_domain("fake")}, settings={"log": {"format": "json", "level": "debug"}})
    os.kill(fleet.workers("fake")[0], signal.SIGKILL)
    fleets.wait_until(lambda: fleet.domain("fake")["restarts"] == 1, 5, "a restart")
    lines = [json.loads(line) for line in fleet.log().splitlines()]
    assert lines
    assert any(line.get("domain") == "fake" and line.get("worker") for line in lines)
