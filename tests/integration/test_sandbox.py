"""What the sandbox holds: a hostile program stands where each worker stands, and tries.

The daemon is given a folder of programs in which the workers are tests/hostile; mcp-fleet-exec is the
real one. What is refused must be refused by the kernel, for the hostile program checks nothing itself.
"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import uuid

import pytest

import fleet as fleets

NATIVE = ["filesystem", "git", "network", "utils"]
EXTERNAL = ["strict", "node", "python"]
WITH_ROOTS = {"filesystem", "git"}
CONNECTED = {"git", "network"}
REFUSED = {"EACCES", "EPERM", "ENOSYS"}

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("LSAN_OPTIONS") or os.environ.get("MCP_FLEET_WRAPPER")),
    reason="sanitizers and valgrind need what the sandbox refuses, so such builds refuse less")


def program(name):
    found = fleets.build_dir() / "tests" / "hostile" / name
    if not found.exists():
        subprocess.run(["make", "-s", f"tests/hostile/{name}"], cwd=fleets.build_dir(), check=True)
    return found


@pytest.fixture
def libexec(tmp_path):
    """Our programs, but for the workers."""
    folder = tmp_path / "libexec"
    folder.mkdir()
    (folder / "mcp-fleet-exec").symlink_to(fleets.build_dir() / "mcp-fleet-exec")
    for name in NATIVE:
        (folder / f"worker-{name}").symlink_to(program("hostile"))
    return folder


@pytest.fixture
def ground(tmp_path):
    """Files inside and outside of the roots."""
    for name in ("writable", "readable", "writable-not", "outside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("content")
    return tmp_path


class Hostile:
    """One domain that is served by the hostile program."""

    def __init__(self, fleet, domain):
        self.session = fleet.session(f"/{domain}/sse")
        [self.tool] = [tool["name"] for tool in self.session.tools() if tool["name"].endswith("attempt")]

    def attempt(self, what, **arguments):
        answer = self.session.call(self.tool, {"what": what, **{key: str(value) if isinstance(value, pathlib.Path) else value
                                                               for key, value in arguments.items()}})
        return answer["result"]["content"][0]["text"]


def settings_of(domain, ground, **sandbox):
    if domain in EXTERNAL:
        sandbox = {"profile": domain, "read": [str(ground / "readable")], "write": [str(ground / "writable")], **sandbox}
        return {"command": [str(program("hostile"))], "sandbox": sandbox}
    settings = {"sandbox": sandbox} if sandbox else {}
    if domain in WITH_ROOTS:
        settings["roots"] = [str(ground / "writable"), {"path": str(ground / "readable"), "access": "read"}]
    if domain == "filesystem":
        settings["code_tools"] = False
    return settings


@pytest.fixture(params=[*NATIVE, *EXTERNAL])
def hostile(request, start_fleet, libexec, ground):
    fleet = start_fleet({request.param: settings_of(request.param, ground)}, env={"MCP_FLEET_LIBEXEC": str(libexec)})
    one = Hostile(fleet, request.param)
    one.domain = request.param
    one.fleet = fleet
    yield one
    one.session.close()


def may_write(domain):
    return domain in WITH_ROOTS or domain in EXTERNAL


def test_files_outside(hostile, ground):
    """Beside the roots nothing can be read, listed, created, changed or removed."""
    outside = ground / "outside"
    for what, path in [("read", outside / "file"), ("list", outside), ("write", outside / "file"),
                       ("create", outside / "new"), ("truncate", outside / "file"), ("mkdir", outside / "folder"),
                       ("unlink", outside / "file"), ("symlink", outside / "link"), ("fifo", outside / "fifo"),
                       ("device", outside / "null"), ("handle", outside / "file"),
                       ("read", ground / "writable-not" / "file"), ("write", ground / "writable-not" / "file"),
                       ("list", pathlib.Path("/")), ("list", pathlib.Path("/root")), ("read", pathlib.Path("/etc/shadow")),
                       ("create", pathlib.Path("/tmp") / f"hostile-{uuid.uuid4()}"),
                       ("read", pathlib.Path("/proc/1/environ")), ("read", pathlib.Path(f"/proc/{os.getpid()}/environ")),
                       ("create", pathlib.Path("/dev/shm/hostile")), ("read", pathlib.Path("/dev/full"))]:
        found = hostile.attempt(what, path=path, to=path)
        assert found in REFUSED, (what, path, found)
    for what in ("rename", "link"):
        for source, target in [(outside / "file", ground / "writable" / "stolen"), (ground / "writable" / "file", outside / "put")]:
            assert hostile.attempt(what, path=source, to=target) in REFUSED | {"EXDEV"}, (what, source)
    assert sorted(os.listdir(outside)) == ["file"]
    assert (outside / "file").read_text() == "content"


def test_files_inside(hostile, ground):
    """What is granted is granted, and nothing more."""
    granted = may_write(hostile.domain)
    for path in (ground / "writable" / "file", ground / "readable" / "file"):
        assert (hostile.attempt("read", path=path) == "worked") == granted
    for what in ("write", "create", "truncate"):
        assert (hostile.attempt(what, path=ground / "writable" / "file") == "worked") == granted
    for what, name in [("create", "new"), ("mkdir", "folder"), ("unlink", "file"), ("symlink", "link")]:
        path = ground / "readable" / name
        assert hostile.attempt(what, path=path, to=path) in REFUSED
    for what in ("write", "truncate"):
        assert hostile.attempt(what, path=ground / "readable" / "file") in REFUSED
    for what in ("fifo", "device"):
        assert hostile.attempt(what, path=ground / "writable" / what) in REFUSED
    assert (ground / "readable" / "file").read_text() == "content"


def test_a_symlink_in_the_place_of_a_grant(start_fleet, ground):
    """What a worker may write it may replace; its next start must not follow that."""
    place = ground / "writable" / "sub"
    place.mkdir()
    fleet = start_fleet({"strict": settings_of("strict", ground, read=[str(place)])})
    one = Hostile(fleet, "strict")
    assert one.attempt("rename", path=place, to=ground / "writable" / "away") == "worked"
    assert one.attempt("symlink", path=place, to=ground / "outside") == "worked"
    one.session.close()
    [before] = fleets.descendants(fleet.pid)
    os.kill(before, signal.SIGKILL)
    fleets.wait_until(lambda: fleets.descendants(fleet.pid) not in ([], [before]), 10, "it is started again")
    fleet.wait_ready()
    again = Hostile(fleet, "strict")
    assert again.attempt("read", path=ground / "writable" / "file") == "worked"
    assert again.attempt("read", path=place / "file") in REFUSED
    assert again.attempt("read", path=ground / "outside" / "file") in REFUSED
    again.session.close()


def test_metadata_by_path(hostile, ground):
    """Landlock does not judge chmod and its like: native workers have no such calls."""
    if hostile.domain in EXTERNAL:
        pytest.skip("programs of others need them; doc/sandbox.md tells")
    before = os.stat(ground / "outside" / "file")
    for what in ("chmod", "chown", "touch"):
        assert hostile.attempt(what, path=ground / "outside" / "file") in REFUSED
    after = os.stat(ground / "outside" / "file")
    assert (before.st_mode, before.st_uid, before.st_mtime_ns) == (after.st_mode, after.st_uid, after.st_mtime_ns)


def test_network(hostile):
    with socket.socket() as listener, socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as abstract:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        path = hostile.fleet.folder / "named.sock"
        port = listener.getsockname()[1]
        name = f"hostile-{uuid.uuid4()}"
        abstract.bind("\0" + name)
        abstract.listen()
        tcp = hostile.attempt("tcp", number=port)
        assert tcp == "worked" if hostile.domain == "network" else tcp in REFUSED, tcp
        udp = hostile.attempt("udp", number=port)
        assert udp == "worked" if hostile.domain in CONNECTED else udp in REFUSED, udp
        assert hostile.attempt("bind", number=0) in REFUSED
        assert hostile.attempt("abstract", path=name) in REFUSED
        named.bind(str(path))
        named.listen()
        assert hostile.attempt("unix", path=path) in REFUSED
    for what in ("raw", "packet", "vsock"):
        assert hostile.attempt(what) in REFUSED, what


def test_other_processes(hostile):
    """Neither a stranger nor the supervisor can be signalled, traced, or looked into."""
    for pid in (os.getpid(), hostile.fleet.pid, 1):
        for what in ("signal", "ptrace", "peek"):
            assert hostile.attempt(what, number=pid) in REFUSED, (what, pid)


def test_other_processes_without_signals(hostile):
    """Limits, priorities and owners of sockets reach other processes of the same user too."""
    strangers = [os.getpid(), hostile.fleet.pid]
    for what in ("limit_other", "nice_other", "affinity_other", "scheduler_other"):
        for pid in strangers:
            assert hostile.attempt(what, number=pid) in REFUSED, (what, pid)
    for what in ("nice_user", "shared_memory"):
        assert hostile.attempt(what) in REFUSED, what
    if hostile.domain in NATIVE:
        assert hostile.attempt("signal_by_owner", number=hostile.fleet.pid) in REFUSED
        assert hostile.attempt("outlive") in REFUSED
    assert os.getpriority(os.PRIO_PROCESS, hostile.fleet.pid) == os.getpriority(os.PRIO_PROCESS, 0)


def test_unix_datagram(hostile):
    """A pair of sockets would do to send a message to the journal or the service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as named:
        path = hostile.fleet.folder / "datagram.sock"
        named.bind(str(path))
        named.setblocking(False)
        assert hostile.attempt("unix_datagram", path=path) in REFUSED
        with pytest.raises(BlockingIOError):
            named.recv(10)


def test_set_id(hostile, ground):
    """A program with the set-user-ID bit would give its starter our rights, unconfined."""
    if hostile.domain in NATIVE:
        assert hostile.attempt("set_id_open", path=ground / "writable" / "one") in REFUSED
        assert hostile.attempt("set_id_fchmod", path=ground / "writable" / "two") in REFUSED
        return
    for what in ("set_id_open", "set_id_openat2", "set_id_fchmod", "set_id_chmod"):
        assert hostile.attempt(what, path=ground / "writable" / "file") in REFUSED, what
    assert not os.stat(ground / "writable" / "file").st_mode & 0o6000


@pytest.mark.parametrize("what", ["x32", "i386"])
def test_other_abis(what):
    """The numbers of system calls mean something else there: the kernel ends who tries."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "hostile_attempt", "arguments": {"what": what}}}
    for profile in ("utils", "strict", "python"):
        done = fleets.run([fleets.build_dir() / "mcp-fleet-exec", "--plan", json.dumps({"profile": profile}), "--", program("hostile")],
                          input=json.dumps(call) + "\n", text=True)
        if os.uname().machine == "x86_64":
            assert done.returncode == -signal.SIGSYS, (profile, done)


def test_programs(hostile):
    """A native worker can start nothing, not even a copy of itself."""
    if hostile.domain in EXTERNAL:
        assert hostile.attempt("fork") == "worked"
        assert hostile.attempt("exec", path="/bin/true") == "worked"
        return
    assert hostile.attempt("fork") in REFUSED
    for path in ("/bin/true", "/bin/sh", str(program("hostile")), "/lib64/ld-linux-x86-64.so.2"):
        assert hostile.attempt("exec", path=path) in REFUSED, path
        assert hostile.attempt("exec_fd", path=path) in REFUSED, path


def test_programs_outside(hostile, ground):
    """What a worker has written it cannot run."""
    copy = ground / "writable" / "program"
    copy.write_bytes(pathlib.Path("/bin/true").read_bytes())
    copy.chmod(0o755)
    assert hostile.attempt("exec", path=copy) in REFUSED
    assert hostile.attempt("exec_fd", path=copy) in REFUSED


def test_linters_only(start_fleet, libexec, ground):
    """With code tools the file worker may execute the linters that are there, and no other program."""
    tools = ground / "tools"
    tools.mkdir()
    (tools / "ruff").write_bytes(pathlib.Path("/bin/true").read_bytes())
    (tools / "other").write_bytes(pathlib.Path("/bin/true").read_bytes())
    for path in tools.iterdir():
        path.chmod(0o755)
    settings = {**settings_of("filesystem", ground), "code_tools": True, "code_tools_path": [str(tools)]}
    one = Hostile(start_fleet({"filesystem": settings}, env={"MCP_FLEET_LIBEXEC": str(libexec)}), "filesystem")
    assert one.attempt("exec", path=tools / "ruff") == "worked"
    for path in (tools / "other", "/bin/true", "/bin/sh"):
        assert one.attempt("exec", path=path) in REFUSED, path
    one.session.close()


def test_system(hostile, ground):
    """Nothing of what changes the system, or gives other rights; as root too."""
    for what in ("mount", "chroot", "unshare_user", "unshare_mount", "clone_user", "setuid", "keyctl", "bpf", "perf",
                 "io_uring", "userfaultfd", "module", "kexec", "reboot", "swap", "clock", "personality", "terminal",
                 "terminal_wide", "terminal_paste", "clone_wide", "raise_limit"):
        assert hostile.attempt(what, path=ground / "writable") in REFUSED, what
    if hostile.domain in NATIVE:
        for what in ("clone3", "exec_memory"):
            assert hostile.attempt(what) in REFUSED, what


def test_status_of_a_worker(hostile):
    """As the kernel shows it."""
    [pid] = hostile.fleet.workers(hostile.domain) if hostile.domain in NATIVE else fleets.descendants(hostile.fleet.pid)
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    files_only = 0b11111  # CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID
    for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[key], 16) & ~files_only == 0 or (key == "CapBnd" and os.geteuid() != 0), key
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert "Max core file size        0" in limits
    assert os.readlink(f"/proc/{pid}/cwd") == "/" or hostile.domain in EXTERNAL
    assert os.getsid(pid) == pid and os.getpgid(pid) == pid
    # 0, 1, 2 and nothing of the supervisor's.
    assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]


def test_memory_is_bounded(start_fleet, libexec, ground):
    fleet = start_fleet({"utils": settings_of("utils", ground, memory="64MiB"), "strict": settings_of("strict", ground, memory="64MiB")},
                        env={"MCP_FLEET_LIBEXEC": str(libexec)})
    for domain in ("utils", "strict"):
        one = Hostile(fleet, domain)
        assert one.attempt("memory", number=32) == "worked"
        assert one.attempt("memory", number=100) == "ENOMEM"
        one.session.close()


def test_ports_of_an_external_server(start_fleet, ground):
    with socket.socket() as listener, socket.socket() as other:
        for each in (listener, other):
            each.bind(("127.0.0.1", 0))
            each.listen()
        port = listener.getsockname()[1]
        fleet = start_fleet({"strict": settings_of("strict", ground, connect=[str(port)])})
        one = Hostile(fleet, "strict")
        assert one.attempt("tcp", number=port) == "worked"
        assert one.attempt("tcp", number=other.getsockname()[1]) in REFUSED
        assert one.attempt("bind", number=0) in REFUSED
        # Neither data that starts the connection nor another protocol gets around the port.
        for what in ("fast_sendto", "fast_sendmsg", "fast_sendmmsg", "mptcp", "sctp", "smc"):
            assert one.attempt(what, number=other.getsockname()[1]) in REFUSED, what
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()
        one.session.close()


def test_profile_none(start_fleet, ground):
    """Limits only, said so in /ready."""
    fleet = start_fleet({"free": {"command": [str(program("hostile"))]}})
    one = Hostile(fleet, "free")
    assert one.attempt("read", path=ground / "outside" / "file") == "worked"
    assert fleet.status()["domains"]["free"]["sandbox"] == "none"
    one.session.close()


# --- what a plan asks for and the system lacks ----------------------------------------------------


def test_ready_tells(start_fleet, ground):
    fleet = start_fleet({"utils": {}, "strict": settings_of("strict", ground, cpu=2)})
    status = fleet.status()
    assert "Landlock" in status["sandbox"] and "seccomp" in status["sandbox"]
    assert status["domains"]["utils"]["sandbox"] == "utils"
    assert status["domains"]["strict"]["sandbox"] == "strict"
    if "no cgroup" in status["sandbox"]:
        assert "cpu" in status["domains"]["strict"]["not_enforced"]
        assert "cpu has no effect" in fleet.log()
    assert "sandbox: " in fleet.log()


def check_refusal(fleet, *words):
    fleet.write_settings()
    done = fleets.run([*fleets.daemon_command(), "--config", str(fleet.settings_path), "--transport", "sse"],
                      env=fleet.environment(), text=True)
    assert done.returncode != 0
    for word in words:
        assert word in done.stderr, done.stderr


def test_required(start_fleet, ground):
    """On a system that can do it, it starts; what it cannot do refuses the start and names it."""
    fleet = start_fleet({"utils": {"sandbox": {"required": True}}}, settings={"sandbox": {"required": True}})
    assert "not_enforced" not in fleet.status()["domains"]["utils"]
    if "no cgroup" in fleet.status()["sandbox"]:
        refused = start_fleet({"strict": settings_of("strict", ground, cpu=1, required=True)}, start=False)
        check_refusal(refused, "sandbox.required", "cpu")


def test_required_without_a_profile(start_fleet, ground):
    """Nothing confines a command that has no profile: only its own word makes that right."""
    command = [str(program("hostile"))]
    for sandbox in ({"required": True}, {"required": True, "profile": "none"}):
        check_refusal(start_fleet({"free": {"command": command, "sandbox": sandbox}}, start=False), "domains.free", "nothing confines it")
    check_refusal(start_fleet({"free": {"command": command}}, settings={"sandbox": {"required": True}}, start=False),
                  "domains.free", "nothing confines it")
    fleet = start_fleet({"free": {"command": command, "sandbox": {"profile": "none"}}}, settings={"sandbox": {"required": True}})
    assert fleet.status()["domains"]["free"]["sandbox"] == "none"


def test_without_mcp_fleet_exec(start_fleet, libexec):
    """Nothing runs unconfined instead, and the reason is told."""
    (libexec / "mcp-fleet-exec").unlink()
    fleet = start_fleet({"utils": {}}, env={"MCP_FLEET_LIBEXEC": str(libexec)}, wait=False)
    fleet.wait_listening()
    fleets.wait_until(lambda: fleet.status()["domains"]["utils"]["state"] == "parked", 10, "the domain is parked")
    assert "mcp-fleet-exec" in fleet.status()["domains"]["utils"]["last_death"]


def test_missing_path(start_fleet, ground):
    """A path that somebody granted and that is not there: parked, with the path in the reason."""
    fleet = start_fleet({"strict": settings_of("strict", ground, read=[str(ground / "absent")])}, wait=False)
    fleet.wait_listening()
    fleets.wait_until(lambda: fleet.status()["domains"]["strict"]["state"] == "parked", 10, "the domain is parked")
    assert "absent" in fleet.status()["domains"]["strict"]["last_death"]


def test_settings_are_checked(start_fleet, ground):
    check_refusal(start_fleet({"utils": {"sandbox": {"profile": "node"}}}, start=False), "domains.utils.sandbox.profile", "built in")
    check_refusal(start_fleet({"x": {"command": ["cat"], "sandbox": {"connect": ["70000"]}}}, start=False), "connect", "70000")
    check_refusal(start_fleet({"x": {"command": ["cat"], "sandbox": {"read": ["relative"]}}}, start=False), "read", "relative")


# --- nothing outlives its worker ------------------------------------------------------------------


def named(name):
    """The pids of living processes of this name."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                stat = pathlib.Path("/proc", entry, "stat").read_text()
                if f"({name}) " in stat and f"({name}) Z" not in stat:
                    found.append(int(entry))
    return found


def breed(fleet, domain, count, name):
    session = fleet.session(f"/{domain}/sse")
    [tool] = [tool["name"] for tool in session.tools() if tool["name"].endswith("brood")]
    answer = session.call(tool, {"n": count, "name": name}, timeout=60 * fleets.SLOWNESS)
    assert answer["result"]["content"][0]["text"] == "worked"
    fleets.wait_until(lambda: len(named(name)) == count, 30, f"{count} processes live")
    session.close()


@pytest.mark.parametrize("profile", ["none", "strict"])
def test_a_thousand_survivors(start_fleet, ground, profile):
    """Deaf to SIGTERM, in sessions of their own, orphaned twice, with no descriptors and no
    environment: when the worker dies they die."""
    sandbox = {"profile": profile}
    fleet = start_fleet({"wild": {"command": [str(program("hostile"))], "sandbox": sandbox}, "utils": {}})
    name = f"wild-{uuid.uuid4().hex[:8]}"
    breed(fleet, "wild", 1000, name)
    [worker] = [pid for pid in fleets.descendants(fleet.pid) if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "hostile"]
    os.kill(worker, 9)
    fleets.wait_until(lambda: not named(name), 30, "nothing of the worker is left")
    assert fleet.status()["domains"]["utils"]["state"] == "up"


def test_none_after_the_end(start_fleet):
    """The same when the daemon stops."""
    fleet = start_fleet({"wild": {"command": [str(program("hostile"))]}})
    name = f"wild-{uuid.uuid4().hex[:8]}"
    breed(fleet, "wild", 200, name)
    fleet.stop()
    assert not named(name)


def test_a_living_worker_keeps_its_orphans(start_fleet):
    """One worker's death is no reason to kill what belongs to another."""
    fleet = start_fleet({"one": {"command": [str(program("hostile"))]}, "two": {"command": [str(program("hostile"))]}})
    name = f"wild-{uuid.uuid4().hex[:8]}"
    breed(fleet, "one", 8, name)
    kept = set(named(name))
    marked = {pid for pid in kept if b"MCP_FLEET_WORKER=" in pathlib.Path(f"/proc/{pid}/environ").read_bytes()}
    assert marked
    other = f"wild-{uuid.uuid4().hex[:8]}"
    breed(fleet, "two", 8, other)
    [parent] = {fleets.process_table()[pid][0] for pid in named(other) if fleets.process_table()[pid][0] != fleet.pid}
    os.kill(parent, 9)
    fleets.wait_until(lambda: not named(other), 10, "the dead worker's processes are gone")
    assert marked <= set(named(name))


# --- cgroups --------------------------------------------------------------------------------------


def unified():
    """Where cgroups of version 2 are mounted, if we may make some there."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup2 " in line:
            place = next((entry[3:] for entry in pathlib.Path("/proc/self/cgroup").read_text().splitlines()
                          if entry.startswith("0::")), "/")
            folder = pathlib.Path(line.split()[4] + place)
            if os.access(folder, os.W_OK) and os.geteuid() == 0 and (folder / "cgroup.procs").exists():
                return folder
    return None


@pytest.fixture
def delegated():
    """A cgroup as systemd hands one over with Delegate=yes."""
    above = unified()
    if above is None:
        pytest.skip("no cgroups of version 2 that may be written to")
    folder = above / f"mcp-fleet-{uuid.uuid4().hex[:8]}"
    try:
        folder.mkdir()
        os.setxattr(folder, "user.delegate", b"1")
    except OSError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        pytest.skip(f"no cgroup can be made: {error}")
    yield folder
    for path in [*(each for each in folder.iterdir() if each.is_dir()), folder]:
        (path / "cgroup.kill").write_text("1")
        fleets.wait_until(lambda path=path: "populated 0" in (path / "cgroup.events").read_text(), 5, "it is empty")
        path.rmdir()


def start_in(start_fleet, cgroup, domains, **options):
    fleet = start_fleet(domains, start=False, **options)
    fleet.prefix = ["/bin/sh", "-c", f'echo $$ >{cgroup}/cgroup.procs && exec "$@"', "sh"]
    return fleet.start()


def test_each_process_has_a_cgroup(start_fleet, delegated):
    fleet = start_in(start_fleet, delegated, {"utils": {}, "wild": {"command": [str(program("hostile"))]}})
    assert "a cgroup for each worker" in fleet.status()["sandbox"]
    assert (delegated / "supervisor" / "cgroup.procs").read_text().split() == [str(fleet.pid)]
    found = {path.name.split(".")[1]: path for path in delegated.iterdir() if path.name.startswith("worker.")}
    assert sorted(found) == ["utils", "wild"]
    name = f"wild-{uuid.uuid4().hex[:8]}"
    breed(fleet, "wild", 200, name)
    members = set((found["wild"] / "cgroup.procs").read_text().split())
    assert {str(pid) for pid in named(name)} <= members
    [worker] = [int(pid) for pid in members if int(pid) not in named(name)]
    os.kill(worker, 9)
    fleets.wait_until(lambda: not named(name), 10, "nothing of the worker is left")
    fleets.wait_until(lambda: not found["wild"].exists(), 5, "its cgroup is removed")
    fleet.wait_ready()
    fleet.stop()
    assert [path.name for path in delegated.iterdir() if path.is_dir()] == ["supervisor"]


def test_restart_in_its_own_cgroup(start_fleet, delegated):
    """Started again below `supervisor`, as systemd does after a crash, it finds what was delegated."""
    start_in(start_fleet, delegated, {"utils": {}}).stop()
    fleet = start_in(start_fleet, delegated / "supervisor", {"utils": {}})
    assert "a cgroup for each worker" in fleet.status()["sandbox"]
    fleet.stop()


def test_leftovers_of_a_killed_daemon(start_fleet, delegated):
    """A daemon that is killed cannot kill: the next one finds what lived on, in its old cgroups."""
    name = f"wild-{uuid.uuid4().hex[:8]}"
    killed = start_in(start_fleet, delegated, {"wild": {"command": [str(program("hostile"))]}})
    breed(killed, "wild", 8, name)
    killed.signal(signal.SIGKILL)
    killed.expected_exit = -signal.SIGKILL
    killed.process.wait()
    assert named(name)
    fleet = start_in(start_fleet, delegated / "supervisor", {"wild": {"command": [str(program("hostile"))]}})
    fleets.wait_until(lambda: not named(name), 10, "nothing of the killed daemon's worker is left")
    assert fleet.status()["domains"]["wild"]["state"] == "up"
    fleet.stop()
