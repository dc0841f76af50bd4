"""mcp-fleetctl stdio: the bridge between a client that stays and a daemon that comes and goes."""

import collections
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

import fleet as fleets
import pytest
import remote
import sdk
from stdio import Lines

import ctl

WORKER_DIED, UNAVAILABLE = -31001, -31004
N_CONNECTIONS = 40
ROUNDS_CLIENT = fleets.HERE / "clients" / "rounds.py"


@pytest.fixture
def folder():
    """Short enough for a socket's address."""
    with tempfile.TemporaryDirectory(prefix="mcp-b-") as path:
        yield pathlib.Path(path)


# --- the client's side, by hand ---------------------------------------------------------------------------


class Bridge(Lines):
    """mcp-fleetctl stdio as a child on pipes."""

    def __init__(self, *args, env=None):
        self.process = fleets.spawn(ctl.command("stdio", *args), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, bufsize=0, env=ctl.environment(**(env or {})))
        super().__init__(self.process.stdout)

    def write(self, data):
        self.process.stdin.write(data if isinstance(data, bytes) else data.encode())

    def call(self, number, name="fake_echo", **arguments):
        self.send({"jsonrpc": "2.0", "id": number, "method": "tools/call",
                   "params": {"name": name, "arguments": arguments}})

    def end(self):
        """Closes the input; the rest of the output."""
        self.process.stdin.close()
        rest = []
        while (message := self.read()) is not None:
            rest.append(message)
        return rest

    def finish(self, code=0):
        """The exit status and what it said on standard error."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            ended = self.process.wait(15 * fleets.SLOWNESS)
        finally:
            self.process.kill()
            self.process.wait()
        words = self.process.stderr.read().decode()
        assert not [line for line in words.splitlines() if fleets.REPORTS.search(line)], words
        assert ended == code, f"exit {ended}\n{words}"
        self.process.stdout.close()
        self.process.stderr.close()
        return words


@pytest.fixture
def start_bridge():
    started = []

    def start(*args, **options):
        started.append(Bridge(*args, **options))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


@pytest.fixture
def start_local(start_fleet, folder, tmp_path):
    """A fleet with the domain `fake`, whose messages are logged, at the socket fleet.local."""

    def start(settings=None, **options):
        domains = options.pop("domains", {"fake": fleets.fake_domain("fake", "--log", tmp_path / "fake.log")})
        fleet = start_fleet(domains, fleets.merge({"local": {"path": str(folder / "mcp.sock")}}, settings or {}),
                            **options)
        fleet.local = folder / "mcp.sock"
        fleet.message_log = tmp_path / "fake.log"
        fleet.check_fds = False
        return fleet

    return start


def kill(fleet):
    """Without a word, as a crash; its workers end with their links."""
    fleet.processes()
    fleet.process.kill()
    fleet.process.wait()


def rss_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def text_of(answer):
    return answer["result"]["content"][0]["text"]


@pytest.mark.sanitizers
def test_a_client_notices_nothing_but_what_was_lost(start_local, start_bridge):
    fleet = start_local()
    bridge = start_bridge(fleet.local)
    assert bridge.initialize()["serverInfo"]["name"] == "mcp-fleet"
    bridge.call(1, "fake_sleep", seconds=60)
    fleets.wait_until(lambda: len(fleet.messages()) and any(
        message.get("method") == "tools/call" for message in fleet.messages()), 5, "the call runs")
    kill(fleet)
    lost = bridge.read()
    assert lost["id"] == 1 and lost["error"]["code"] == WORKER_DIED
    assert "may have taken effect" in lost["error"]["message"]
    bridge.call(2, text="waits")
    fleet.start()
    found = {}
    while 2 not in found:
        message = bridge.read()
        found[message.get("id", message.get("method"))] = message
    assert "notifications/tools/list_changed" in found
    assert "waits" in text_of(found[2])
    assert bridge.end() == []
    words = bridge.finish()
    assert words.count("lost the connection") == 1 and words.count("again") >= 1


@pytest.mark.sanitizers
def test_a_daemon_that_is_not_there(start_bridge, folder):
    """Each request waits, and then hears what is wrong and what to do."""
    bridge = start_bridge("--wait", "1", folder / "mcp.sock")
    bridge.call(7)
    answer = bridge.read()
    assert answer["id"] == 7 and answer["error"]["code"] == UNAVAILABLE
    assert str(folder / "mcp.sock") in answer["error"]["message"] and "is it running?" in answer["error"]["message"]
    assert "no such socket" in answer["error"]["message"]
    bridge.send({"jsonrpc": "2.0", "id": 8, "method": "ping"})
    assert bridge.end()[0]["error"]["code"] == UNAVAILABLE
    bridge.finish()


def test_a_daemon_that_comes_late(start_local, start_bridge, folder):
    bridge = start_bridge("--mcp-socket", folder / "mcp.sock")
    bridge.send({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}})
    start_local()
    assert bridge.read()["result"]["protocolVersion"] == "2025-11-25"
    bridge.finish()


def test_where_it_looks(start_local, start_bridge, folder):
    fleet = start_local()
    (folder / "mcp-fleet").mkdir()
    (folder / "mcp-fleet" / "mcp.sock").symlink_to(fleet.local)
    for env in ({"MCP_FLEET_SOCKET": str(fleet.local)}, {"XDG_RUNTIME_DIR": str(folder)}):
        bridge = start_bridge(env=env)
        assert bridge.initialize()
        bridge.finish()


@pytest.mark.parametrize(("args", "words"), [
    (["git"], "neither a path nor a URL"),
    (["--key-file", "/x", "/a/b"], "--key-file is for a URL"),
    (["--mcp-socket", "/x", "/a/b"], "both"),
    (["--wait", "0"], "number of seconds"),
    (["--wait", "1x"], "number of seconds"),
    (["--transport", "carrier-pigeon", "http://x/"], "none of"),
    (["/a", "/b"], "unexpected"),
])
def test_usage(start_bridge, args, words):
    assert words in start_bridge(*args).finish(2)


@pytest.mark.sanitizers
def test_a_signal_ends_it_with_answers(start_local, start_bridge):
    fleet = start_local()
    bridge = start_bridge(fleet.local)
    bridge.initialize()
    bridge.call(1, "fake_sleep", seconds=60)
    assert bridge.request(2, "ping")["result"] == {}
    bridge.process.send_signal(signal.SIGTERM)
    assert bridge.read()["error"]["code"] == WORKER_DIED
    assert bridge.read() is None
    bridge.finish()


def test_the_end_of_input_awaits_the_answers(start_local, start_bridge):
    fleet = start_local()
    bridge = start_bridge(fleet.local)
    bridge.initialize()
    bridge.call(1, "fake_sleep", seconds=0.5)
    assert [message["id"] for message in bridge.end()] == [1]
    bridge.finish()


def test_a_client_that_reads_no_more(start_local, start_bridge):
    """Its end is noticed, though its end of the input stays open."""
    fleet = start_local()
    bridge = start_bridge(fleet.local)
    bridge.initialize()
    bridge.process.stdout.close()
    assert bridge.process.wait(10 * fleets.SLOWNESS) == 0


@pytest.mark.sanitizers
def test_a_slow_reader_bounds_all(start_local, start_bridge):
    """Calls with big answers, none of which is read for a while: memory stays bounded, and all come."""
    fleet = start_local({"limits": {"calls_per_session": 200}})
    bridge = start_bridge(fleet.local)
    bridge.initialize()
    writer = threading.Thread(target=lambda: [bridge.call(n, "fake_big", bytes=1 << 20) for n in range(60)])
    writer.start()
    assert fleets.stays(lambda: rss_bytes(bridge.process.pid) < (64 << 20) * fleets.SLOWNESS, 2)
    found = [bridge.read()["id"] for _ in range(60)]
    writer.join()
    assert sorted(found) == list(range(60))
    bridge.finish()


def test_long_lines(start_local, start_bridge):
    fleet = start_local()
    bridge = start_bridge(fleet.local)
    bridge.initialize()
    for size, words in ((17 << 20, "larger than 16 MiB"), (5 << 20, "limits.request_bytes")):
        bridge.write(b'{"x":"' + b"y" * (17 << 20) + b'"}\n')
        assert "larger than 16 MiB" in bridge.read()["error"]["message"]
        bridge.write(b'{"jsonrpc":"2.0","id":"long","method":"ping","x":"' + b"y" * size + b'"}\n')
        answer = bridge.read()
        assert answer["id"] == "long" and words in answer["error"]["message"]
        assert bridge.request(7, "ping")["result"] == {}
    assert bridge.end() == []
    bridge.finish()


def test_a_last_line_without_its_end(start_local, start_bridge):
    fleet = start_local()
    for place in (fleet.local, f"{fleet.url}/mcp"):
        bridge = start_bridge(place)
        bridge.initialize()
        bridge.write('{"jsonrpc":"2.0","id":5,"method":"ping"}')
        assert [message["id"] for message in bridge.end()] == [5]
        bridge.finish()


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.sanitizers
def test_it_is_idle_when_there_is_nothing_to_do(start_bridge, folder):
    """With and without a daemon, and when one is there that does not answer."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "mcp.sock"))
        bridge = start_bridge(folder / "mcp.sock")
        used = cpu_seconds(bridge.process.pid)
        assert fleets.stays(lambda: cpu_seconds(bridge.process.pid) - used < 0.3 * fleets.SLOWNESS, 1)
        listener.listen(4)
        listener.settimeout(10 * fleets.SLOWNESS)
        peer = Peer(listener)
        bridge.call(1)
        peer.expect("tools/call")
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        bridge.call(2, text="x" * (1 << 20))  # not read
        used = cpu_seconds(bridge.process.pid)
        assert fleets.stays(lambda: cpu_seconds(bridge.process.pid) - used < 0.3 * fleets.SLOWNESS, 1)
        peer.close()
    assert {bridge.read()["id"], bridge.read()["id"]} == {1, 2}
    bridge.finish()


@pytest.mark.sanitizers
def test_sockets_as_standard_input_and_output(start_local, folder):
    """As Node makes them. One whose peer is gone is no reason to spin."""
    fleet = start_local()
    ours_in, its_in = socket.socketpair()
    ours_out, its_out = socket.socketpair()
    process = fleets.spawn(ctl.command("stdio", fleet.local), stdin=its_in, stdout=its_out, stderr=subprocess.DEVNULL,
                           env=ctl.environment())
    try:
        its_in.close()
        its_out.close()
        ours_in.sendall(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
        assert json.loads(ours_out.makefile("rb").readline())["id"] == 1
        ours_out.close()
        assert process.wait(10 * fleets.SLOWNESS) == 0
    finally:
        process.kill()
        process.wait()
        ours_in.close()


def test_many_connections(start_bridge, folder):
    """Each of them is closed behind it, none costs memory, and nobody has to read what is said of it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "mcp.sock"))
        listener.listen(4)
        listener.settimeout(10 * fleets.SLOWNESS)
        bridge = start_bridge(folder / "mcp.sock")
        fcntl.fcntl(bridge.process.stderr, fcntl.F_SETPIPE_SZ, 4096)
        fds = pathlib.Path(f"/proc/{bridge.process.pid}/fd")
        for number in range(N_CONNECTIONS):
            peer = Peer(listener)
            peer.send({"jsonrpc": "2.0", "method": "notifications/message", "params": {"n": number}})
            assert bridge.read()["params"]["n"] == number
            peer.close()
            if number == 20:
                before = len(list(fds.iterdir())), rss_bytes(bridge.process.pid)
        peer = Peer(listener)
        assert len(list(fds.iterdir())) <= before[0] + 1
        assert rss_bytes(bridge.process.pid) - before[1] < (4 << 20) * fleets.SLOWNESS
        peer.close()
    bridge.finish()


def test_a_stranger_at_the_socket(start_bridge, folder):
    """The socket of another user in a folder that is not his gets nothing to read."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    path = folder / "mcp.sock"
    script = ("import os, socket, sys\nos.setuid(65534)\ns = socket.socket(socket.AF_UNIX, fileno=int(sys.argv[1]))\n"
              "s.listen(4)\nprint('listens', flush=True)\n"
              "while True:\n c, _ = s.accept()\n print(repr(c.recv(100)), flush=True)\n")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        os.chmod(folder, 0o755)
        stranger = fleets.spawn([sys.executable, "-c", script, str(listener.fileno())], pass_fds=[listener.fileno()],
                                stdout=subprocess.PIPE, text=True)
        try:
            assert stranger.stdout.readline() == "listens\n"
            bridge = start_bridge(path)
            bridge.call(1)
            assert "65534" in bridge.read()["error"]["message"]
            assert "65534" in bridge.finish()
            assert stranger.stdout.readline() == "b''\n"
        finally:
            stranger.kill()
            stranger.wait()
            stranger.stdout.close()


@pytest.mark.sanitizers
def test_a_session_is_set_up_again(start_local, start_bridge, folder):
    """Against a daemon of our own, that says what it hears: log level, subscriptions, and ids that are ours."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "mcp.sock"))
        listener.listen(4)
        listener.settimeout(10 * fleets.SLOWNESS)
        bridge = start_bridge(folder / "mcp.sock")
        peer = Peer(listener)
        bridge.send({"jsonrpc": "2.0", "id": "i", "method": "initialize", "params": {"protocolVersion": "2025-11-25"}})
        peer.answer(peer.expect("initialize"), {"protocolVersion": "2025-11-25", "capabilities": {
            "tools": {"listChanged": True}, "resources": {"subscribe": True}, "logging": {}}})
        assert bridge.read()["id"] == "i"
        bridge.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        peer.expect("notifications/initialized")
        for number, method, params in ((1, "logging/setLevel", {"level": "info"}),
                                       (2, "resources/subscribe", {"uri": "x://a"}),
                                       (3, "resources/subscribe", {"uri": "x://b"}),
                                       (4, "resources/unsubscribe", {"uri": "x://a"})):
            bridge.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            peer.answer(peer.expect(method), {})
            assert bridge.read() == {"jsonrpc": "2.0", "id": number, "result": {}}
        peer.send({"jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": {"message": "old"}})
        assert bridge.read()["params"]["message"] == "old"
        peer.close()
        assert bridge.read() == {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {
            "requestId": 1, "reason": "the connection to mcp-fleetd was lost"}}

        peer = Peer(listener)
        again = peer.expect("initialize")
        assert again["params"] == {"protocolVersion": "2025-11-25"} and again["id"] != "i"
        peer.answer(again, {"protocolVersion": "2025-11-25", "capabilities": {}})
        peer.expect("notifications/initialized")
        level, watch = peer.expect("logging/setLevel"), peer.expect("resources/subscribe")
        assert level["params"] == {"level": "info"} and watch["params"] == {"uri": "x://b"}
        peer.answer(level, {})
        peer.answer(watch, {})
        assert bridge.read()["method"] == "notifications/tools/list_changed"
        assert bridge.read() == {"jsonrpc": "2.0", "method": "notifications/resources/updated",
                                 "params": {"uri": "x://b"}}
        # The new daemon numbers its questions as the old one did; the answer to the old one goes nowhere.
        peer.send({"jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": {"message": "new"}})
        question = bridge.read()
        assert question["params"]["message"] == "new" and question["id"] != 1
        bridge.send({"jsonrpc": "2.0", "id": 1, "result": {"action": "decline"}})
        bridge.send({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept"}})
        assert peer.read() == {"jsonrpc": "2.0", "id": 1, "result": {"action": "accept"}}
        peer.close()
        peer = Peer(listener)
        peer.answer(peer.expect("initialize"), {"protocolVersion": "2024-11-05", "capabilities": {}})
        assert bridge.read() is None
        assert "2025-11-25" in bridge.finish(1)
        peer.close()


class Peer(Lines):
    """A daemon of the test's: one connection to its socket."""

    def __init__(self, listener):
        self.socket = listener.accept()[0]
        super().__init__(self.socket)

    def write(self, data):
        self.socket.sendall(data.encode())

    def expect(self, method):
        message = self.read()
        assert message["method"] == method, message
        return message

    def answer(self, message, result):
        self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})

    def close(self):
        self.socket.close()


# --- a hundred rounds -------------------------------------------------------------------------------------


class Rounds:
    """rounds.py, and what came of its calls."""

    def __init__(self, envs, major, server, folder):
        self.outcomes_path, self.stop_path = folder / "outcomes", folder / "stop"
        self.log_path = folder / "client.log"
        with self.log_path.open("wb") as log:
            self.process = fleets.spawn(
                [str(envs / f"venv-sdk{major}" / "bin" / "python"), str(ROUNDS_CLIENT), json.dumps(server),
                 str(self.outcomes_path), str(self.stop_path)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def outcomes(self):
        if not self.outcomes_path.exists():
            return []
        return [json.loads(line) for line in self.outcomes_path.read_text().splitlines()
                if line.endswith("}")]

    def n_done(self):
        return self.outcomes_path.read_text().count('"found": "') if self.outcomes_path.exists() else 0

    def wait_calls(self, n):
        """Until n more calls have succeeded."""
        before = self.n_done()

        def is_done():
            assert self.process.poll() is None, self.log_path.read_text()
            return self.n_done() >= before + n
        fleets.wait_until(is_done, 40, f"{n} calls succeed")

    def finish(self):
        self.stop_path.touch()
        try:
            code = self.process.wait(60 * fleets.SLOWNESS)
        finally:
            self.process.kill()
            self.process.wait()
        words = self.log_path.read_text()
        assert code == 0, words
        assert not [line for line in words.splitlines() if fleets.REPORTS.search(line)], words
        return self.outcomes()


def check_outcomes(outcomes, effects, may_fail):
    """Each call was answered in time: with its own answer, or with an error that says what is known. None had
    its effect twice, and each that succeeded has had it once."""
    calls = [each for each in outcomes if each["kind"] == "call"]
    lists = [each for each in outcomes if each["kind"] == "list"]
    assert not [each for each in outcomes if each.get("silent")]
    for each in calls:
        if "found" in each:
            assert each["token"] in each["found"], each
        else:
            assert each["code"] in may_fail, each
    assert not [each for each in lists if "found" not in each], "a list is asked for again"
    times = collections.Counter(effects)
    assert not [token for token, n in times.items() if n > 1], "called twice"
    assert not [each for each in calls if "found" in each and times[each["token"]] != 1]
    assert max(each["seconds"] for each in outcomes if each["kind"] != "end") < 15 * fleets.SLOWNESS
    return calls, lists


def effects_of(fleet):
    return [message["params"]["arguments"]["text"] for message in fleet.messages()
            if message.get("method") == "tools/call"]


class Upgrades:
    """Another build of the daemon, with another tool, takes the place of the one before."""

    def __init__(self, fleet, folder, monkeypatch):
        self.fleet = fleet
        self.monkeypatch = monkeypatch
        self.n = 0
        self.binary = folder / "other-mcp-fleetd"
        shutil.copy(fleets.build_dir() / "mcp-fleetd", self.binary)
        self.command = fleets.daemon_command()
        fleet.env["MCP_FLEET_LIBEXEC"] = str(fleets.build_dir())

    def change(self):
        self.n += 1
        is_other = self.n % 2 == 1
        self.monkeypatch.setattr(fleets, "daemon_command", lambda: [
            *self.command[:-1], str(self.binary)] if is_other else self.command)
        self.fleet.domains["more"] = fleets.fake_domain("more" if is_other else "less")


def run_rounds(fleet, client, upgrades, n):
    client.wait_calls(4)
    for number in range(n):
        kind = number % 3
        if kind == 0:
            kill(fleet)
        else:
            fleet.processes()
            fleet.signal(signal.SIGTERM)
            fleet.process.wait(15 * fleets.SLOWNESS)
        if kind == 2:
            upgrades.change()
        fleet.start(wait=False)
        client.wait_calls(3)


N_ROUNDS = 100 if fleets.SLOWNESS == 1 else 12


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.sanitizers
@pytest.mark.parametrize("major", [1, 2], ids=["sdk1", "sdk2"])
def test_a_hundred_rounds(start_local, envs, folder, tmp_path, monkeypatch, major):
    fleet = start_local()
    upgrades = Upgrades(fleet, folder, monkeypatch)
    command = ctl.command("stdio", fleet.local)
    client = Rounds(envs, major, {"command": command[0], "args": command[1:], "env": ctl.environment()}, tmp_path)
    try:
        run_rounds(fleet, client, upgrades, N_ROUNDS if major == 1 else max(N_ROUNDS // 5, 3))
    finally:
        outcomes = client.finish()
    calls, lists = check_outcomes(outcomes, effects_of(fleet), {WORKER_DIED})
    assert {"more_echo" in each["found"] for each in lists} == {True, False}
    end = outcomes[-1]
    assert end["kind"] == "end" and end["heard"]["notifications/tools/list_changed"] >= N_ROUNDS // 5
    assert len([each for each in calls if "found" in each]) >= 3 * N_ROUNDS // 5


# --- by URL -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["mcp", "sse"])
def test_rounds_by_url(start_fleet, envs, folder, tmp_path, monkeypatch, door):
    """mcp-fleet-remote does for a fleet elsewhere what the bridge does for the one that is here."""
    fleet = start_fleet({"fake": fleets.fake_domain("fake", "--log", tmp_path / "fake.log")})
    fleet.message_log = tmp_path / "fake.log"
    fleet.check_fds = False
    upgrades = Upgrades(fleet, folder, monkeypatch)
    command = ctl.command("stdio", f"{fleet.url}/{door}")
    client = Rounds(envs, 1, {"command": command[0], "args": command[1:], "env": ctl.environment()}, tmp_path)
    try:
        run_rounds(fleet, client, upgrades, 12)
    finally:
        outcomes = client.finish()
    calls, _ = check_outcomes(outcomes, effects_of(fleet), {WORKER_DIED})
    assert len([each for each in calls if "found" in each]) >= 36


def test_a_key_from_a_file(start_bridge, tmp_path):
    """It goes to the server with each request, is in no argument and in no environment, and may be changed."""
    peer = remote.Peer()
    key = tmp_path / "key"
    key.write_text("first-secret\n")
    key.chmod(0o600)
    bridge = start_bridge(peer.url, "--key-file", key, "--transport", "streamable")
    bridge.initialize()
    assert bridge.request(1, "tools/list")["result"]["tools"]
    key.write_text("second-secret")
    assert bridge.request(2, "tools/list")["result"]["tools"]
    keys = [each.headers.get("Authorization") for each in peer.of("tools/list")]
    assert keys == ["Bearer first-secret", "Bearer second-secret"]
    assert all(each.headers.get("Authorization") in keys for each in peer.requests)
    place = pathlib.Path("/proc", str(bridge.process.pid))
    assert "secret" not in (place / "environ").read_text() + (place / "cmdline").read_text()
    assert bridge.end() == []
    bridge.finish()
    peer.stop()


@pytest.mark.parametrize(("content", "mode", "words"), [
    ("secret", 0o644, "open to others"),
    ("", 0o600, "no key in it"),
    ("two words", 0o600, "the key and nothing else"),
    ("a\r\nX-Y: z", 0o600, "the key and nothing else"),
    (None, 0, "cannot be read"),
])
def test_a_key_file_that_is_refused(start_bridge, tmp_path, content, mode, words):
    key = tmp_path / "key"
    if content is not None:
        key.write_text(content)
        key.chmod(mode)
    said = start_bridge("http://127.0.0.1:1/mcp", "--key-file", key).finish(1)
    assert words in said and "key_file" in said
    assert "secret" not in said


def test_a_url_where_nobody_is(start_bridge):
    bridge = start_bridge("--wait", "1", f"http://127.0.0.1:{fleets.free_port()}/mcp")
    bridge.send({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})
    bridge.send({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
    found = {message["id"]: message["error"]["code"] for message in (bridge.read(), bridge.read())}
    assert found == {1: UNAVAILABLE, 2: UNAVAILABLE}
    bridge.finish()


# --- other clients -------------------------------------------------------------------------------------------


def by_bridge(doors):
    plan = doors.over_socket({"fake": fleets.fake_domain("fake")})
    command = ctl.command("stdio", doors.socket_path)
    return {"stdio": {"command": command[0], "args": command[1:], "env": plan["stdio"]["env"]}}


@pytest.mark.parametrize("make", [sdk.typescript_client, lambda envs: sdk.python_client(envs, 2)], ids=["ts", "python2"])
def test_other_sdks(envs, doors, make):
    client = make(envs)
    transport = by_bridge(doors)
    sdk.progress(client, transport)
    sdk.cancel(client, transport)


@pytest.mark.parametrize("era", ["2026-07-28", "auto"])
def test_the_stateless_revision(envs, doors, era):
    outcome = sdk.python_client(envs, 2).run(by_bridge(doors), "tour", era=era, steps="fake_progress", calls=[
        {"tool": "fake_echo", "arguments": {"text": "x"}}])
    assert outcome["revision"] == "2026-07-28"
    assert "result" in outcome["answers"][0] and len(outcome["progress"]) == 3
