"""Sessions under stress: clients that do not read, vanish, come in hundreds, or say nothing."""

import json
import socket
import time

import pytest

import fleet as fleets
import wire


@pytest.mark.sanitizers
def test_a_client_that_vanishes(fake):
    """Its calls are cancelled at the worker at once, and nothing of it is left."""
    session = fake.session()
    for _ in range(5):
        session.start_call("fake_sleep", {"seconds": 30})
    fleets.wait_until(lambda: sum(m.get("method") == "tools/call" for m in fake.messages()) == 5, 3, "5 calls at the worker")
    session.close()
    fleets.wait_until(lambda: len(fake.cancellations()) == 5, 3, "5 cancellations at the worker")
    called = {m["id"] for m in fake.messages() if m.get("method") == "tools/call"}
    assert {m["params"]["requestId"] for m in fake.cancellations()} == called
    fleets.wait_until(lambda: fake.health()["sessions"] == 0, 3, "no session")


def test_a_client_that_is_reset(fake):
    session = fake.session()
    session.start_call("fake_sleep", {"seconds": 30})
    fleets.wait_until(lambda: any(m.get("method") == "tools/call" for m in fake.messages()), 3, "a call at the worker")
    session.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    session.close()
    fleets.wait_until(lambda: len(fake.cancellations()) == 1, 3, "a cancellation at the worker")


def test_vanishing_between_request_and_answer(fake):
    """Many times over, at every moment: the daemon neither leaks nor mixes sessions up."""
    for turn in range(60):
        session = fake.session(initialize=turn % 2 == 0)
        session.start_call("fake_sleep_read", {"seconds": 0.01 * (turn % 5)})
        if turn % 3 == 0:
            time.sleep(0.005)
        session.close()
    with fake.session() as session:
        assert "result" in session.call("fake_echo", {"text": "still here"})
    fleets.wait_until(lambda: fake.health()["sessions"] == 0, 3, "no session")


def test_a_post_connection_that_vanishes_changes_nothing(fake):
    """The answer comes on the stream, whatever happened to the connection of the request."""
    with fake.session() as session:
        number = session.start_call("fake_sleep", {"seconds": 0.3})
        session.poster.close()
        session.poster = None
        assert "result" in session.wait(number)


@pytest.mark.sanitizers
def test_a_slow_client_harms_only_itself(start_fleet):
    """Its queue has a bound; others are served as if it were not there; in the end it is closed."""
    fleet = start_fleet({"fake": fleets.fake_domain("fake")},
                        settings={"limits": {"session_queue_bytes": "1MiB", "calls_per_session": 64},
                                  "tools": {"max_result_bytes": "512KiB"}})
    slow = wire.Session(fleet.port)
    slow.initialize()
    slow.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    refused = 0
    with fleet.session() as quick:
        for _ in range(200):
            slow.number += 1
            response = slow.post({"jsonrpc": "2.0", "id": slow.number, "method": "tools/call",
                                  "params": {"name": "fake_big", "arguments": {"bytes": 200_000}}})
            if response.status != 202:
                refused = response.status
                break
            begin = time.monotonic()
            assert "result" in quick.call("fake_echo", {"text": "x"})
            assert time.monotonic() - begin < 2 * fleets.SLOWNESS
        assert refused, "a client that reads nothing was never refused"
        assert refused in (404, 429, 503)
        memory = sum(resident_bytes(pid) for pid in [fleet.pid])
        assert memory < 120_000_000 * fleets.SLOWNESS
        assert "result" in quick.call("fake_echo", {"text": "x"})
    slow.close()


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


def test_a_client_that_reads_late_gets_everything(fake):
    with fake.session() as session:
        numbers = [session.start_call("fake_big", {"bytes": 50_000}) for _ in range(40)]
        time.sleep(0.5)
        seen = [session.stream.read_message().json() for _ in numbers]
        assert sorted(message["id"] for message in seen) == numbers
        assert all(len(message["result"]["content"][0]["text"]) == 50_000 for message in seen)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_thousand_sessions(start_fleet):
    """The default limit, under the usual limit of 1024 descriptors a process starts with."""
    fleet = start_fleet({"fake": fleets.fake_domain("fake", concurrency=64, queue=2000)})
    sessions = []
    for _ in range(1000):
        sessions.append(wire.Session(fleet.port, timeout=30 * fleets.SLOWNESS))
    assert len({session.endpoint for session in sessions}) == 1000
    with fleet.stream() as refused:
        assert refused.response.status == 503
    poster = fleet.connect(timeout=30 * fleets.SLOWNESS)
    for index, session in enumerate(sessions):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                           "params": {"name": "fake_echo", "arguments": {"text": str(index)}}})
        poster.request("POST", session.endpoint, {"Content-Type": "application/json"}, body)
        assert poster.read_response("POST").status == 202
    poster.close()
    for index, session in enumerate(sessions):
        answer = session.wait(1)
        assert json.loads(answer["result"]["content"][0]["text"])["text"] == str(index)
    assert fleet.health()["sessions"] == 1000
    for session in sessions:
        session.close()
    fleets.wait_until(lambda: fleet.health()["sessions"] == 0, 5, "no session")


def test_idle_sessions_are_closed(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake")},
                        settings={"limits": {"session_idle": "1s", "sweep": "1s"}, "sse": {"heartbeat": "200ms"}})
    idle, busy = fleet.session(), fleet.session()
    begin = time.monotonic()
    while time.monotonic() - begin < 3:
        assert "result" in busy.call("fake_echo")
        time.sleep(0.2)
    # Pings of ours do not count as activity.
    assert idle.stream.has_ended(3)
    assert idle.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}).status == 404
    assert "result" in busy.call("fake_echo")
    idle.close()
    busy.close()


def test_a_session_with_a_call_in_flight_is_not_idle(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake")},
                        settings={"limits": {"session_idle": "1s", "sweep": "1s"}})
    with fleet.session() as session:
        assert "result" in session.call("fake_sleep", {"seconds": 3.5})


def test_half_closed_stream(fake):
    """A client that shuts down its sending side may still read: the session lives until it is gone."""
    with fake.session() as session:
        number = session.start_call("fake_sleep", {"seconds": 0.5})
        session.stream.socket.shutdown(socket.SHUT_WR)
        try:
            assert "result" in session.wait(number)
        except (wire.WireError, ConnectionResetError):
            # The daemon may also take it for gone; then the session must be gone for good.
            assert session.post({"jsonrpc": "2.0", "id": 9, "method": "ping"}).status == 404
