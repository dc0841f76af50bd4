"""One running mcp-fleetd, and the checks that hold after every test.

The daemon gets a folder, a port, a settings file and an environment of its own. When it has ended,
stop() looks for what must not be: another exit code than 0, a process left over, a descriptor
leaked, a report of a sanitizer or of valgrind.
"""

import base64
import contextlib
import ctypes
import hashlib
import itertools
import json
import os
import pathlib
import random
import re
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

import wire

HERE = pathlib.Path(__file__).resolve().parent
FAKE_WORKER = HERE / "workers" / "fake_worker.py"
# Under valgrind or sanitizers everything takes longer; deadlines are multiplied by this.
SLOWNESS = float(os.environ.get("MCP_FLEET_SLOWNESS", "1"))
REPORTS = re.compile(
    r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:"
    r"|==\d+== (Invalid|Conditional jump|.* definitely lost: [1-9])|Assertion .* failed")

PR_SET_CHILD_SUBREAPER = 36
helpers = set()  # pids of the processes that tests started themselves, daemons included


def adopt_orphans():
    """Makes this process the parent of whatever its descendants leave behind."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def build_dir():
    path = os.environ.get("MCP_FLEET_BUILD")
    if not path or not os.access(os.path.join(path, "mcp-fleetd"), os.X_OK):
        raise RuntimeError("MCP_FLEET_BUILD must name the build directory that holds mcp-fleetd")
    return pathlib.Path(path).resolve()


def has_libsystemd():
    """The build may leave libsystemd out; then no sockets are taken and nobody is told anything."""
    return "#define HAVE_SYSTEMD 1" in (build_dir() / "config.h").read_text()


def daemon_command():
    wrapper = shlex.split(os.environ.get("MCP_FLEET_WRAPPER", ""))
    return [*wrapper, str(build_dir() / "mcp-fleetd")]


def own_ports():
    """Endless: those of this one of pytest's processes, so that no two tests take the same, nor one test the same twice.
    They are below the range from which the kernel takes ports for outgoing connections."""
    n_processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = (31000 - 15000) // n_processes
    first = 15000 + share * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    begin = random.randrange(share)
    return itertools.cycle(first + (begin + i) % share for i in range(share))


ports = own_ports()


def free_port():
    while True:
        port = next(ports)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def wait_until(condition, timeout=5.0, what="the condition"):
    """Waits until condition() is true, and returns its value."""
    deadline = time.monotonic() + timeout * SLOWNESS
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout * SLOWNESS:g} s")
        time.sleep(0.02)
    return value


def stays(condition, seconds):
    """Whether condition() is true for the whole time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            return False
        time.sleep(0.02)
    return True


def spawn(*args, **options):
    """subprocess.Popen for tests: the process does not count as one left over by a daemon."""
    process = subprocess.Popen(*args, **options)
    helpers.add(process.pid)
    return process


def run(command, **options):
    """subprocess.run for tests, with a deadline."""
    options.setdefault("timeout", 60 * SLOWNESS)
    return subprocess.run(command, capture_output=True, check=False, **options)


# --- /proc ----------------------------------------------------------------------------------------


def process_entry(pid):
    """(ppid, state); None: there is no such process. Each test asks for hundreds: so without objects for files."""
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        stat = os.read(file, 512)
    except OSError:
        return None
    finally:
        os.close(file)
    state, ppid = stat[stat.rindex(b")") + 2:].split(None, 2)[:2]
    return int(ppid), state.decode()


def process_table():
    """pid -> (ppid, state) of every process."""
    entries = {int(name): process_entry(name) for name in os.listdir("/proc") if name.isdigit()}
    return {pid: entry for pid, entry in entries.items() if entry}


def descendants(pid):
    """The living processes below `pid`, itself not included."""
    table, found, todo = process_table(), [], [pid]
    while todo:
        parent = todo.pop()
        below = [child for child, (ppid, state) in table.items() if ppid == parent]
        found += [child for child in below if table[child][1] != "Z"]
        todo += below
    return found


def zombies_of(pid):
    return [child for child, (ppid, state) in process_table().items() if ppid == pid and state == "Z"]


def is_alive(pid):
    entry = process_entry(pid)
    return entry is not None and entry[1] != "Z"


def command_line(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path("/proc", str(pid), "cmdline").read_bytes().decode().split("\0")[:-1]
    return []


def count_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


# --- settings -------------------------------------------------------------------------------------


def fake_domain(name, *args, **settings):
    """Settings of a domain that workers/fake_worker.py serves. It needs nothing but Python itself (-IS), and so starts sooner."""
    return {
        "command": [sys.executable, "-IS", str(FAKE_WORKER), "--name", name, *map(str, args)],
        "concurrency": 16,
        **settings,
    }


def merge(base, over):
    """A copy of `base` in which the values of `over` replace or complete those that are there."""
    result = dict(base)
    for key, value in over.items():
        known = result.get(key)
        result[key] = merge(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result


def make_key(path, name):
    """A keys file with one key, as `mcp-fleetctl key add` would make it; the text of the key."""
    text = f"mcpf_abcdefgh_{base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip('=')}"
    path.touch(mode=0o640)
    path.write_text(json.dumps({"version": 1, "keys": [
        {"name": name, "id": "abcdefgh", "hash": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
         "created": "2026-01-31T12:00:00Z"}]}))
    return text


class Fleet:
    """mcp-fleetd over HTTP+SSE on a free port. Tests get one from the fixture `start_fleet`."""

    def __init__(self, folder, domains, settings=None, env=None, args=()):
        self.folder = folder
        self.port = free_port()
        self.settings_path = folder / "fleet.yaml"
        self.log_path = folder / f"daemon-{uuid.uuid4().hex[:6]}.log"
        # Short, because the path of a Unix socket is; made and removed with the daemon.
        self.runtime = pathlib.Path(tempfile.gettempdir(), f"fleet-{uuid.uuid4().hex[:8]}")
        self.domains = domains
        self.settings = settings or {}
        self.args = [str(arg) for arg in args]
        self.env = env or {}
        self.process = None
        self.known_children = set()
        self.seen = set()  # every process that was below the daemon when somebody looked
        self.base_fds = None
        self.check_fds = True  # tests that change listeners or domains on purpose clear it
        self.expected_exit = 0
        self.prefix = []  # a command that executes the daemon
        self.pass_fds = []
        self.message_log = None  # what the domain `fake` was started with as --log

    def write_settings(self, **over):
        """The settings file: JSON is YAML."""
        settings = merge({
            "listen": [{"address": f"127.0.0.1:{self.port}"}],
            "domains": self.domains,
        }, merge(self.settings, over))
        self.settings_path.write_text(json.dumps(settings, indent=1))

    def start(self, wait=True):
        self.write_settings()
        self.runtime.mkdir(mode=0o755, exist_ok=True)
        (self.folder / "state").mkdir(mode=0o700, exist_ok=True)
        self.known_children = adopted()
        log = self.log_path.open("ab")
        with log:
            self.process = subprocess.Popen(
                [*self.prefix, *daemon_command(), "--config", str(self.settings_path), *self.args],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(),
                cwd=self.folder, preexec_fn=lower_limits, pass_fds=self.pass_fds)
        helpers.add(self.pid)
        if wait:
            self.wait_ready()
            self.base_fds = count_fds(self.pid)
        return self

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder),
                "LANG": "C.UTF-8", "MCP_TRANSPORT": "sse", "RUNTIME_DIRECTORY": str(self.runtime),
                "STATE_DIRECTORY": str(self.folder / "state"), **sanitizer_environment(), **self.env}

    @property
    def control_socket(self):
        return self.runtime / "control.sock"

    @property
    def local_socket(self):
        return self.runtime / "mcp.sock"

    @property
    def pid(self):
        return self.process.pid

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_ready(self, timeout=20.0):
        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError(f"mcp-fleetd ended with {self.process.returncode}")
            with contextlib.suppress(OSError):
                return self.get("/ready").status == 200
            return False
        wait_until(is_ready, timeout, "/ready answers 200")

    def wait_listening(self, timeout=20.0):
        def answers():
            with contextlib.suppress(OSError):
                return self.get("/health").status == 200
            return False
        wait_until(answers, timeout, "/health answers 200")

    # What is asked of it ---------------------------------------------------------------------------

    def connect(self, **options):
        return wire.Connection(self.port, **options)

    def get(self, target, **headers):
        with self.connect(timeout=10 * SLOWNESS) as connection:
            connection.request("GET", target, headers)
            return connection.read_response()

    def exchange(self, data, method="GET", timeout=10.0):
        """The answer to exact bytes, and whether the connection was closed behind it."""
        with self.connect(timeout=timeout * SLOWNESS) as connection:
            connection.send(data)
            response = connection.read_response(method)
            return response, connection.is_closed(1.0)

    def stream(self, target="/sse", **options):
        return wire.EventStream(self.port, target, timeout=10 * SLOWNESS, **options)

    def session(self, target="/sse", initialize=True, **options):
        options.setdefault("timeout", 15 * SLOWNESS)
        session = wire.Session(self.port, target, **options)
        if initialize:
            session.initialize()
        return session

    def health(self):
        return self.get("/health").json()

    def status(self):
        """What /ready says of each domain, whether it is ready or not."""
        return self.get("/ready").json()

    def domain(self, name):
        return self.status()["domains"][name]

    def messages(self):
        """The messages that the domain `fake` has got."""
        if not self.message_log.exists():
            return []
        return [json.loads(line)["message"] for line in self.message_log.read_text().splitlines()]

    def cancellations(self):
        return [message for message in self.messages() if message.get("method") == "notifications/cancelled"]

    # Its processes ---------------------------------------------------------------------------------

    def processes(self):
        below = descendants(self.pid)
        self.seen.update(below)
        return below

    def workers(self, domain):
        """The pids of a domain's processes: worker-<domain>, or fake workers of that name."""
        found = []
        for pid in self.processes():
            words = command_line(pid)
            if words and (any(os.path.basename(word) == f"worker-{domain}" for word in words[:4])
                          or words[-1:] and str(FAKE_WORKER) in words
                          and words[words.index(str(FAKE_WORKER)) + 2] == domain):
                found.append(pid)
        return found

    def signal(self, number):
        self.process.send_signal(number)

    # The end ---------------------------------------------------------------------------------------

    def settle(self):
        """Holds once a test's clients are gone: no zombie, no descriptor more than at the start."""
        if self.base_fds is None or self.process.poll() is not None:
            return
        self.processes()
        wait_until(lambda: not zombies_of(self.pid), 2, "the daemon has reaped all its children")
        if self.check_fds:
            try:
                wait_until(lambda: count_fds(self.pid) <= self.base_fds, 2, "descriptors")
            except AssertionError:
                raise AssertionError(self.describe_fds()) from None

    def describe_fds(self):
        folder = f"/proc/{self.pid}/fd"
        targets = sorted(os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder))
        sockets = [line for name in ("tcp", "unix") for line in pathlib.Path(f"/proc/{self.pid}/net/{name}").read_text().splitlines()
                   if any(f" {target[8:-1]} " in f"{line} " for target in targets if target.startswith("socket:["))]
        return "\n".join([f"{len(targets)} descriptors, {self.base_fds} at the start: {targets}", *sockets])

    def stop(self):
        """SIGTERM, and the checks. Raises what it finds, after everything was cleaned up."""
        if self.process is None:
            return
        try:
            self.settle()
            if self.process.poll() is None:
                self.processes()
                self.signal(signal.SIGTERM)
                self.process.wait(15 * SLOWNESS)
            assert self.process.returncode == self.expected_exit, \
                f"mcp-fleetd ended with {self.process.returncode}, not {self.expected_exit}"
            self.check_nothing_left()
            self.check_reports()
        finally:
            self.kill_everything()

    def left_over(self):
        """Processes of this daemon that outlived it: seen below it before, or adopted by us."""
        return {pid for pid in self.seen if is_alive(pid)} | adopted() - self.known_children

    def check_nothing_left(self):
        reap_adopted()
        try:
            wait_until(lambda: not self.left_over(), 2, "no process is left")
        except AssertionError:
            left = {pid: command_line(pid) for pid in self.left_over()}
            raise AssertionError(f"processes left over: {left}") from None

    def check_reports(self):
        found = [line for line in self.log().splitlines() if REPORTS.search(line)]
        assert not found, "\n".join(found[:20])

    def kill_everything(self):
        """Leaves nothing for the next test, whatever happened in this one."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)
        for pid in self.left_over():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.runtime, ignore_errors=True)
        reap_adopted()


def lower_limits():
    """As a service or a shell has it: 1024 descriptors unless the daemon raises its own limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))


def sanitizer_environment():
    return {name: value for name, value in os.environ.items()
            if name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")}


def whole_stacks():
    """For the environment of what uses libgit2: each allocation is kept with its whole stack, in which lsan.supp finds
    the leak of libgit2. That doubles what a test costs, so it is not for the rest."""
    options = os.environ.get("ASAN_OPTIONS")
    return {"ASAN_OPTIONS": f"{options}:fast_unwind_on_malloc=0"} if options else {}


def orphans():
    """pid -> state of our children that nobody here has started."""
    return {pid: state for pid, (ppid, state) in process_table().items()
            if ppid == os.getpid() and pid not in helpers}


def adopted():
    """Living processes that were left behind by others, with what is below them."""
    living = {pid for pid, state in orphans().items() if state != "Z"}
    return living.union(*map(descendants, living))


def reap_adopted():
    for pid, state in orphans().items():
        if state == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
