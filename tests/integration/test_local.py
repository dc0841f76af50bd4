"""The local Unix socket: the same as standard input and output, for clients that did not start the daemon."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import tempfile
import time

import pytest

import fleet as fleets
from stdio import Local

NOBODY = 65534
GROUP = "games"  # is there on every system, and nobody who runs tests is in it
BY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.fixture
def needs_libsystemd():
    if not fleets.has_libsystemd():
        pytest.skip("built without libsystemd")


@pytest.fixture
def folder():
    """Short enough for a socket's address, and open to other users, which tmp_path is not."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="mcp-local-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def start_local(start_fleet, folder, tmp_path):
    """start_local(settings) is a fleet that listens at fleet.local too."""

    def start(settings=None, start=True, **options):
        fleet = start_fleet(
            {"utils": {}, "fake": fleets.fake_domain("fake", "--log", tmp_path / "fake.log")},
            fleets.merge({"local": {"path": str(folder / "mcp.sock")}}, settings or {}), start=False, **options)
        fleet.local = folder / "mcp.sock"
        fleet.message_log = tmp_path / "fake.log"
        return fleet.start() if start else fleet

    return start


def sleep(number, seconds):
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call",
            "params": {"name": "fake_sleep", "arguments": {"seconds": seconds}}}


def echo(number, text):
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call",
            "params": {"name": "fake_echo", "arguments": {"text": text}}}


def text_of(answer):
    return answer["result"]["content"][0]["text"]


def count_sessions(fleet):
    return fleet.status()["sessions"]


# --- what is said --------------------------------------------------------------------------------------


@pytest.mark.sanitizers
@pytest.mark.parametrize("revision", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_the_whole_fleet(start_local, revision):
    fleet = start_local()
    with Local(fleet.local) as client:
        assert client.initialize(revision)["protocolVersion"] == revision
        assert {"fake_echo", "string_to_upper"} <= {tool["name"] for tool in client.tools()}
        answer = client.request(1, "tools/call", {"name": "string_to_upper", "arguments": {"text": "straße"}})
        assert json.loads(text_of(answer))["result"] == "STRASSE"
        assert client.end() == []


@pytest.mark.sanitizers
def test_clients_with_the_same_ids(start_local):
    """Each hears its own answers, and all of them."""
    fleet = start_local()
    with Local(fleet.local) as one, Local(fleet.local) as two:
        for client in (one, two):
            client.initialize()
        for number in range(50):
            one.send(echo(number, f"one {number}"))
            two.send(echo(number, f"two {number}"))
        for name, client in (("one", one), ("two", two)):
            answers = [client.read() for _ in range(50)]
            assert sorted(answer["id"] for answer in answers) == list(range(50))
            assert all(f"{name} {answer['id']}" in text_of(answer) for answer in answers)


def test_errors_come_as_lines(start_local):
    fleet = start_local()
    with Local(fleet.local) as client:
        client.initialize()
        client.write(b"nonsense\n")
        assert client.read()["error"]["code"] == -32700
        client.write(b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"' + b"y" * (5 << 20) + b'"}\n')
        answer = client.read()
        assert answer["id"] == 1 and "limits.request_bytes" in answer["error"]["message"]
        client.write(b'{"jsonrpc":"2.0","id":1,"result":{"x":"' + b"y" * (5 << 20) + b'"}}\n')
        assert client.read()["id"] is None, "an answer of ours has no answer"
        assert client.request(7, "ping")["result"] == {}


def test_a_reload_changes_the_limit_of_open_connections_too(start_local):
    fleet = start_local()
    with Local(fleet.local) as client:
        client.initialize()
        fleet.write_settings(limits={"request_bytes": "2KiB"})
        fleet.signal(signal.SIGHUP)
        fleets.wait_until(lambda: "limits.request_bytes changed" in fleet.log(), 5, "the reload")
        client.write(b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"' + b"y" * 4000 + b'"}\n')
        assert "limits.request_bytes" in client.read()["error"]["message"]


# --- the end -------------------------------------------------------------------------------------------


@pytest.mark.sanitizers
def test_who_ends_its_input_gets_the_answers(start_local):
    fleet = start_local()
    with Local(fleet.local) as client:
        client.initialize()
        for number in range(5):
            client.send(sleep(number, 0.5))
        rest = client.end()
        assert sorted(message["id"] for message in rest) == list(range(5))
        assert all("result" in message for message in rest)
    fleets.wait_until(lambda: count_sessions(fleet) == 0, 5, "its session has ended")


def test_who_ends_its_input_after_a_cancelled_call_is_not_waited_for(start_local):
    fleet = start_local()
    with Local(fleet.local) as client:
        client.initialize()
        client.send(sleep(1, 30))
        client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
        assert client.end() == []


@pytest.mark.sanitizers
def test_the_calls_of_a_client_that_is_gone_are_cancelled(start_local):
    fleet = start_local()
    with Local(fleet.local) as client:
        client.initialize()
        client.send(sleep(1, 30))
        fleets.wait_until(lambda: "tools/call" in str(fleet.messages()), 5, "the call is under way")
    fleets.wait_until(fleet.cancellations, 5, "the call is cancelled")
    fleets.wait_until(lambda: count_sessions(fleet) == 0, 5, "its session has ended")


def test_who_ends_its_input_and_then_goes(start_local):
    fleet = start_local()
    with Local(fleet.local) as client:
        client.initialize()
        client.send(sleep(1, 30))
        client.socket.shutdown(socket.SHUT_WR)
        fleets.wait_until(lambda: "tools/call" in str(fleet.messages()), 5, "the call is under way")
        assert fleets.stays(lambda: not fleet.cancellations(), 0.5)
    fleets.wait_until(fleet.cancellations, 5, "the call is cancelled")


def test_a_hundred_that_come_and_go(start_local):
    """Some say nothing, some break off in a line, some do not read: nothing of them stays."""
    fleet = start_local()
    for number in range(100):
        with Local(fleet.local) as client:
            if number % 4:
                client.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n' * (number % 4) + b'{"json')
    fleets.wait_until(lambda: count_sessions(fleet) == 0, 5, "no session is left")


@pytest.mark.sanitizers
def test_sigterm(start_local):
    """Calls in flight are answered, then the connection is closed, and the file is gone."""
    fleet = start_local()
    with Local(fleet.local) as client, Local(fleet.local) as idle:
        client.initialize()
        client.send(sleep(1, 0.7))
        fleets.wait_until(lambda: "tools/call" in str(fleet.messages()), 5, "the call is under way")
        fleet.signal(signal.SIGTERM)
        assert "result" in client.read()
        assert client.read() is None
        assert idle.read() is None
    fleet.process.wait(10 * fleets.SLOWNESS)
    assert not fleet.local.exists()


@pytest.mark.sanitizers
def test_who_stands_in_the_door_is_served(start_local):
    """Connected, and not accepted when the signal comes: stopped, the daemon finds both at once."""
    fleet = start_local()
    fleet.signal(signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Local(fleet.local)) for _ in range(20)]
        for number, client in enumerate(clients):
            client.send({"jsonrpc": "2.0", "id": number, "method": "ping"})
        fleet.signal(signal.SIGTERM)
        fleet.signal(signal.SIGCONT)
        for number, client in enumerate(clients):
            assert client.read() == {"jsonrpc": "2.0", "id": number, "result": {}}
            assert client.read() is None
    fleet.process.wait(10 * fleets.SLOWNESS)


def test_the_log_says_whose_end_it_was(start_local):
    fleet = start_local()
    with Local(fleet.local) as there:
        there.initialize()
        with Local(fleet.local) as client:  # ends its input, and waits
            client.initialize()
            client.end()
        with Local(fleet.local) as client:  # goes in a call, with answers to read
            client.initialize()
            client.send(sleep(1, 30))
            client.send(PING)
        fleets.wait_until(lambda: count_sessions(fleet) == 1, 5, "their sessions have ended")
        assert ends(fleet) == ["its client has left"] * 2
        fleet.signal(signal.SIGTERM)
        fleet.process.wait(10 * fleets.SLOWNESS)
    assert ends(fleet) == ["its client has left", "its client has left", "the fleet is stopping"]


def ends(fleet):
    return re.findall(r"session ended: (.*?) \(local", fleet.log())


# --- who does not read -----------------------------------------------------------------------------------


PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
BIG = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "fake_big", "arguments": {"bytes": 300_000}}}


@pytest.mark.sanitizers
@pytest.mark.parametrize("flood, end", [(PING, TimeoutError), (BIG, BrokenPipeError)])
def test_a_flood_without_reading_harms_only_itself(start_local, flood, end):
    """Whose answers fill half of its queue is not read any more; if more come than fit, it is closed."""
    fleet = start_local()
    with Local(fleet.local) as flooder, Local(fleet.local) as other:
        flooder.initialize()
        other.initialize()
        flooder.socket.settimeout(1)
        with pytest.raises(end):
            for number in range(500_000):
                flooder.write(json.dumps({**flood, "id": number}) + "\n")
        memory = int(pathlib.Path(f"/proc/{fleet.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        assert memory < 64 << 20 or fleets.SLOWNESS > 1 or fleets.sanitizer_environment()
        for number in range(20):
            assert text_of(other.request(number, "tools/call", {"name": "fake_echo", "arguments": {"text": "x"}}))
        assert count_sessions(fleet) == (2 if end is TimeoutError else 1)
    fleets.wait_until(lambda: count_sessions(fleet) == 0, 5, "no session is left")


def test_who_reads_late_gets_everything(start_local):
    fleet = start_local()
    with Local(fleet.local) as client:
        client.initialize()
        for number in range(20):
            client.send({"jsonrpc": "2.0", "id": number, "method": "tools/call",
                         "params": {"name": "fake_big", "arguments": {"bytes": 200_000}}})
        time.sleep(1)
        rest = client.end()
        assert sorted(message["id"] for message in rest) == list(range(20))


def test_who_does_not_read_is_not_waited_for_at_the_end(start_local):
    """No longer than `drain`."""
    fleet = start_local({"drain": "1s"})
    with Local(fleet.local) as client:
        client.initialize()
        for number in range(10):
            client.send({**BIG, "id": number})
        fleets.wait_until(lambda: str(fleet.messages()).count("tools/call") == 10, 5, "the calls are there")
        fleet.signal(signal.SIGTERM)
        fleet.process.wait(10 * fleets.SLOWNESS)


# --- limits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["sessions", "connections"])
def test_one_too_many_is_told_so(start_local, limit):
    fleet = start_local({"limits": {limit: 2}})
    with Local(fleet.local) as one, Local(fleet.local) as two:
        one.initialize()
        two.initialize()
        with Local(fleet.local) as third:
            message = third.read()
            assert (message["id"], message["error"]["code"]) == (None, -31003)
            assert f"limits.{limit}" in message["error"]["message"]
            assert third.read() is None
        assert one.request(1, "ping")["result"] == {}
    fleets.wait_until(lambda: count_sessions(fleet) == 0, 5, "there is room again")
    with Local(fleet.local) as again:
        again.initialize()


# --- who may ---------------------------------------------------------------------------------------------


def as_somebody(gid, groups, function):
    """What function() returns (JSON) in a process of the user nobody."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        result = {"failed": True}
        try:
            os.setgroups(groups)
            os.setgid(gid)
            os.setuid(NOBODY)
            result = function()
        except OSError as error:
            result = {"errno": error.errno}
        finally:
            os.write(write, json.dumps(result).encode())
            os._exit(0)
    fleets.helpers.add(child)
    os.close(write)
    with os.fdopen(read) as pipe:
        result = json.load(pipe)
    os.waitpid(child, 0)
    return result


def greet(address):
    """The first message that who connects there hears."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10 * fleets.SLOWNESS)
        client.connect(address)
        with contextlib.suppress(BrokenPipeError):  # who is refused may be too late to ask
            client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
        return json.loads(client.makefile().readline())


def gid_of(name):
    with open("/etc/group") as groups:
        return next(int(line.split(":")[2]) for line in groups if line.startswith(name + ":"))


@BY_ROOT
def test_the_members_of_the_group_may_connect(start_local):
    fleet = start_local({"local": {"group": GROUP}})
    status = fleet.local.stat()
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert (status.st_uid, status.st_gid) == (os.geteuid(), gid_of(GROUP))
    pong = {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert as_somebody(NOBODY, [1, gid_of(GROUP)], lambda: greet(str(fleet.local))) == pong
    assert as_somebody(gid_of(GROUP), [], lambda: greet(str(fleet.local))) == pong
    assert as_somebody(NOBODY, [1], lambda: greet(str(fleet.local))) == {"errno": 13}
    assert f"uid {NOBODY}, gid {gid_of(GROUP)}" in fleet.log()


@BY_ROOT
@pytest.mark.usefixtures("needs_libsystemd")
def test_who_gets_past_the_file_is_judged_again(start_local, tmp_path):
    """At an abstract address the kernel asks nobody; the daemon does."""
    fleet = start_local(start=False)
    fleet.settings = {**fleet.settings, "audit": {"target": str(tmp_path / "audit.jsonl")}}
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(f"\0mcp-fleet-test-{os.getpid()}")
        taken.listen()
        address = taken.getsockname().decode()
        hand_over(fleet, taken)
        fleet.start()
        message = as_somebody(NOBODY, [], lambda: greet(address))
        assert (message["id"], message["error"]["code"]) == (None, -32600)
        assert f"user {NOBODY}" in message["error"]["message"]
        with Local(address) as client:
            client.initialize()
    assert "refused a local client: pid" in fleet.log()
    record = json.loads((tmp_path / "audit.jsonl").read_text())
    assert (record["event"], record["reason"], record["uid"]) == ("refused", "local_peer", NOBODY)


def hand_over(fleet, taken):
    """Starts the daemon as systemd would, with `taken` as its descriptor 3."""
    number = taken.fileno()
    fleet.prefix = ["bash", "-c", f'export LISTEN_PID=$$; exec "$@" 3<&{number} {number}<&-', "bash"]
    fleet.pass_fds = [number]
    fleet.env.update({"LISTEN_FDS": "1", "LISTEN_FDNAMES": "local"})


@pytest.mark.usefixtures("needs_libsystemd")
def test_socket_activation(start_local, folder):
    """A socket of the name `local` takes the place of local.path, and of nothing else."""
    fleet = start_local(start=False)
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(folder / "passed.sock"))
        taken.listen()
        hand_over(fleet, taken)
        fleet.start()  # HTTP is there too, or it were not ready
        with Local(folder / "passed.sock") as client:
            client.initialize()
            fleet.write_settings(local={"path": str(folder / "new.sock")})
            fleet.signal(signal.SIGHUP)
            fleets.wait_until(lambda: "local.path changed" in fleet.log(), 5, "the reload")
            assert client.request(1, "ping")["result"] == {}
        assert sorted(path.name for path in folder.iterdir()) == ["passed.sock"]
        fleet.signal(signal.SIGTERM)
        fleet.process.wait(10 * fleets.SLOWNESS)
        assert (folder / "passed.sock").exists()  # the manager's


# --- the file --------------------------------------------------------------------------------------------


def test_the_mode_does_not_depend_on_the_umask(start_local):
    for mask in ("000", "077"):
        fleet = start_local(start=False)
        fleet.prefix = ["bash", "-c", f'umask {mask}; exec "$@"', "bash"]
        fleet.start()
        assert stat.S_IMODE(fleet.local.stat().st_mode) == 0o660
        fleet.stop()
        fleet.process = None


def test_the_socket_of_a_dead_daemon_is_replaced(start_local):
    fleet = start_local()
    fleet.processes()
    fleet.process.kill()
    fleet.process.wait()
    assert fleet.local.exists()
    fleet.check_nothing_left()
    fleet.start()
    with Local(fleet.local) as client:
        client.initialize()


@pytest.mark.sanitizers
def test_a_second_daemon_is_told_of_the_first(start_local):
    fleet = start_local()
    second = start_local({"listen": [{"address": "127.0.0.1:0"}]}, start=False)
    second.expected_exit = 1
    second.start(wait=False)
    second.process.wait(10 * fleets.SLOWNESS)
    assert f"cannot listen on '{fleet.local}': the process {fleet.pid} does" in second.log()
    with Local(fleet.local) as client:
        client.initialize()


def test_nothing_but_a_socket_is_removed(start_local):
    fleet = start_local(start=False)
    fleet.local.write_text("precious")
    fleet.expected_exit = 1
    fleet.start(wait=False)
    fleet.process.wait(10 * fleets.SLOWNESS)
    assert "something is there that is no socket" in fleet.log()
    assert fleet.local.read_text() == "precious"


def test_the_file_of_another_is_left_at_the_end(start_local):
    fleet = start_local()
    fleet.local.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(fleet.local))
        fleet.signal(signal.SIGTERM)
        fleet.process.wait(10 * fleets.SLOWNESS)
        assert fleet.local.exists()


def test_beside_the_folder_of_the_service_manager(start_fleet, folder):
    fleet = start_fleet(env={"RUNTIME_DIRECTORY": f"{folder}:/nowhere"})
    with Local(folder / "mcp.sock") as client:
        client.initialize()
    assert f", {folder}/mcp.sock" in fleet.log()


def test_a_path_that_is_too_long(start_fleet, tmp_path):
    fleet = start_fleet(env={"RUNTIME_DIRECTORY": f"/{'x' * 108}"}, start=False)
    fleet.expected_exit = 1
    fleet.start(wait=False)
    fleet.process.wait(10 * fleets.SLOWNESS)
    assert "too long for a socket: at most 107 bytes" in fleet.log()


# --- reload ------------------------------------------------------------------------------------------------


def reload(fleet, word, **settings):
    seen = fleet.log().count(word)
    fleet.write_settings(**settings)
    fleet.signal(signal.SIGHUP)
    fleets.wait_until(lambda: fleet.log().count(word) > seen, 5, f"'{word}' in the log")


@pytest.mark.sanitizers
def test_another_path(start_local, folder):
    fleet = start_local()
    fleet.check_fds = False
    with Local(fleet.local) as old:
        old.initialize()
        reload(fleet, "local.path changed", local={"path": str(folder / "new.sock")})
        with Local(folder / "new.sock") as new:
            new.initialize()
        assert [path.name for path in folder.iterdir()] == ["new.sock"]
        assert old.request(1, "ping")["result"] == {}
        reload(fleet, "local.path changed", local={"path": ""})
        assert list(folder.iterdir()) == []
        assert old.request(2, "ping")["result"] == {}
        reload(fleet, "local.path changed", local={"path": str(fleet.local)})
        with Local(fleet.local) as again:
            again.initialize()


@pytest.mark.parametrize("wrong, words", [
    ({"local": {"group": "no-such-group"}}, "local.group: there is no group 'no-such-group'"),
    ({"local": {"path": "/nowhere/mcp.sock"}}, "cannot open the folder '/nowhere'"),
    ({"local": {"path": "relative"}}, "local.path: 'relative' is not auto, an absolute path, or empty"),
    ({"local": {"path": "NEW"}, "listen": [{"address": "127.0.0.1:1"}, {"address": "TAKEN"}]}, "cannot listen on 127"),
])
def test_a_reload_that_fails_changes_nothing(start_local, folder, wrong, words):
    fleet = start_local()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        text = json.dumps(wrong).replace("NEW", str(folder / "new.sock")) \
            .replace("TAKEN", f"127.0.0.1:{taken.getsockname()[1]}")
        reload(fleet, words, **json.loads(text))
    assert [path.name for path in folder.iterdir()] == ["mcp.sock"]
    with Local(fleet.local) as client:
        client.initialize()


@BY_ROOT
def test_another_group(start_local):
    fleet = start_local()
    with Local(fleet.local) as client:
        client.initialize()
        reload(fleet, "local.group changed", local={"group": GROUP})
        assert fleet.local.stat().st_gid == gid_of(GROUP)
        assert stat.S_IMODE(fleet.local.stat().st_mode) == 0o660
        assert client.request(1, "ping")["result"] == {}


# --- beside standard input and output ------------------------------------------------------------------------


def test_beside_stdio(start_stdio, folder):
    """Off unless a path is set; and when the client of stdio goes, those at the socket get their answers."""
    stdio = start_stdio(env={"RUNTIME_DIRECTORY": str(folder)})
    stdio.initialize()
    assert list(folder.iterdir()) == []
    (stdio.fleet.folder / "conf.d").mkdir()
    (stdio.fleet.folder / "conf.d" / "local.yaml").write_text(f"local: {{path: {folder}/mcp.sock}}\n")
    stdio.process.send_signal(signal.SIGHUP)
    with Local(folder / "mcp.sock") as client:
        client.initialize()
        client.send(sleep(1, 1))
        assert client.request(2, "ping")["result"] == {}
        assert stdio.request(1, "tools/call", {"name": "fake_echo"})["result"]
        stdio.end_input()
        assert "result" in client.read()
        assert client.read() is None
    assert stdio.read() is None
    stdio.process.wait(10 * fleets.SLOWNESS)
    assert list(folder.iterdir()) == []


def test_the_end_of_stdio_does_not_wait_for_those_at_the_socket(start_stdio, folder):
    """One that is idle, one whose call takes long, one that does not read its answers."""
    stdio = start_stdio()
    stdio.initialize()
    (stdio.fleet.folder / "conf.d").mkdir()
    (stdio.fleet.folder / "conf.d" / "local.yaml").write_text(f"{{drain: 1s, local: {{path: {folder}/mcp.sock}}}}\n")
    stdio.process.send_signal(signal.SIGHUP)
    with Local(folder / "mcp.sock") as idle, Local(folder / "mcp.sock") as busy, Local(folder / "mcp.sock") as slow:
        busy.initialize()
        busy.send(sleep(1, 30))
        slow.initialize()
        for number in range(10):
            slow.send({**BIG, "id": number})
        assert stdio.request(1, "tools/call", {"name": "fake_sleep", "arguments": {"seconds": 0.5}})["result"]
        stdio.end_input()
        assert idle.read() is None
        assert "error" in busy.read()
        assert busy.read() is None
        stdio.process.wait(10 * fleets.SLOWNESS)


@pytest.mark.sanitizers
def test_a_client_of_stdio_that_does_not_read_any_more(start_stdio, folder):
    """Its calls are given up; the fleet ends, and those at the socket are told."""
    stdio = start_stdio()
    stdio.initialize()
    assert stdio.tools()  # not before the fleet is up
    (stdio.fleet.folder / "conf.d").mkdir()
    (stdio.fleet.folder / "conf.d" / "local.yaml").write_text(f"local: {{path: {folder}/mcp.sock}}\n")
    stdio.process.send_signal(signal.SIGHUP)
    with Local(folder / "mcp.sock") as client:
        client.initialize()
        client.send(sleep(1, 1))
        assert client.request(2, "ping")["result"] == {}
        stdio.send(sleep(1, 30))
        stdio.process.stdout.close()
        stdio.send({"jsonrpc": "2.0", "id": 2, "method": "ping"})
        assert "result" in client.read()
        assert client.read() is None
    stdio.process.stdin.close()
    stdio.process.wait(10 * fleets.SLOWNESS)
