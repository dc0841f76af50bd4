"""A machine of its own with Debian 12: a root made by debootstrap, kept for later runs, and booted by systemd-nspawn with
a network that is only its own loopback; or one in which a single command is run, with the network of the host. What a
test changes in it lies in an overlay and goes away with it.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import uuid

import container
import fleet as fleets

MIRROR = "http://deb.debian.org/debian"
SUITE = "bookworm"
# What is in it beside what the package depends on: what tests and documents (test_documents.py) use.
TOOLS = ["systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "ca-certificates", "curl", "git", "procps",
         "iproute2", "acl", "jq", "python3", "rpm", "socat", "strace"]
CLONE_NEWNET = 0x40000000
ASKED_FOR_REBOOT = 133  # what systemd-nspawn --keep-unit ends with
# What nspawn 252 does not let through by itself.
SYSTEM_CALLS = "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self"


def mirror():
    """Where this machine has its own packages from, if it is the same Debian."""
    for path in sorted(pathlib.Path("/etc/apt").glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            fields = dict(re.findall(r"^(URIs|Suites):\s*(.+)", stanza, flags=re.M))
            if SUITE in fields.get("Suites", "").split() and "URIs" in fields:
                return fields["URIs"].split()[0]
    return MIRROR


@contextlib.contextmanager
def making(envs, name, packages=()):
    """Gives the folder to make the root `name` in, which is kept when that went well; None: it is there already."""
    digest = hashlib.sha256(" ".join([SUITE, *sorted(packages)]).encode()).hexdigest()[:12]
    root = envs / f"debian-{name}-{digest}"
    with open(envs / f"debian-{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if root.is_dir():
            yield root, None
            return
        new = envs / f"debian-{name}.new"
        shutil.rmtree(new, ignore_errors=True)
        yield root, new
        for archive in (new / "var/cache/apt/archives").glob("*.deb"):
            archive.unlink()
        new.rename(root)


def bare_root(envs):
    """The folder of a root with what Debian calls essential, and apt."""
    with making(envs, "bare") as (root, new):
        if new:
            check(["debootstrap", "--variant=minbase", SUITE, new, mirror()])
            (new / "etc/hostname").write_text("fleet\n")
    return root


def root_for(package, envs):
    """The root in which a package can be installed without the Internet."""
    said = subprocess.run(["dpkg-deb", "-f", package, "Depends"], check=True, capture_output=True, text=True).stdout
    packages = [*TOOLS, *(re.split(r"[ |]", one.strip())[0] for one in said.split(","))]
    with making(envs, "fleet", packages) as (root, new):
        if new:
            check(["cp", "-a", "--reflink=auto", bare_root(envs), new])
            apt = [*nspawn(new), "--resolv-conf=copy-host", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
            check([*apt, "update"])
            check([*apt, "--no-install-recommends", "install", *packages])
    return root


def check(command):
    """Runs what may take minutes."""
    done = fleets.run([str(word) for word in command], timeout=600)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")[-3000:]


def nspawn(root):
    """With what is the same for every machine."""
    return [shutil.which("systemd-nspawn"), "--quiet", "--register=no", "--keep-unit", f"--directory={root}", "--timezone=off",
            "--console=pipe", f"--system-call-filter={SYSTEM_CALLS}"]


def enter(libc, namespace):
    if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Machine:
    """One that is booted from `root`; `show` are folders of the host that can be read in there, at their own paths."""

    def __init__(self, root, folder, show=()):
        self.folder = folder
        self.root = folder / "root"
        self.name = f"mcp-fleet-{uuid.uuid4().hex[:8]}"
        self.show = show
        self.groups = [group / self.name for group in container.own_cgroups()]
        self.console = folder / "console"
        self.process = None
        for part in ("upper", "root"):
            (folder / part).mkdir(parents=True)
        # Overlays on overlays are not had everywhere, but a tmpfs is.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder / "upper"], check=True)
        (folder / "upper" / "changed").mkdir()
        (folder / "upper" / "work").mkdir()
        layers = f"lowerdir={root},upperdir={folder}/upper/changed,workdir={folder}/upper/work"
        try:
            subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", self.root], check=True)
        except subprocess.CalledProcessError:
            subprocess.run(["umount", folder / "upper"], check=True)
            raise

    def command(self):
        return [*nspawn(self.root), f"--machine={self.name}", "--private-network", "--link-journal=no", "--resolv-conf=off",
                *(f"--bind-ro={path}" for path in self.show), "--boot"]

    def boot(self):
        for group in self.groups:
            group.mkdir(exist_ok=True)
        with self.console.open("ab") as console:
            self.process = fleets.spawn(self.command(), preexec_fn=self.enter, stdin=subprocess.DEVNULL, stdout=console,
                                        stderr=console, env={"PATH": os.environ["PATH"],
                                                             "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        self.wait_until_up()
        return self

    def begin(self, *words, **options):
        """Runs a command in it in the place of booting it; close() ends it, if it has not ended by then."""
        self.process = fleets.spawn([*nspawn(self.root), f"--machine={self.name}", "--resolv-conf=copy-host", "--as-pid2",
                                     *map(str, words)], stdin=subprocess.DEVNULL, **options)
        return self.process

    def enter(self):
        for group in self.groups:
            (group / "cgroup.procs").write_text("0")

    def wait_until_up(self):
        def state():
            assert self.process.poll() is None, self.console.read_text(errors="replace")
            told = self.run("systemctl", "is-system-running", check=False)
            return told.stdout.strip() in ("running", "degraded")
        fleets.wait_until(state, 60, "the machine is up")

    def leader(self):
        """The pid, out here, of its first process; None while there is none."""
        table = fleets.process_table()
        return next((pid for pid, (ppid, _) in table.items() if ppid == self.process.pid), None)

    def enter_command(self, leader, *words):
        assert leader, "the machine is not up"
        return ["nsenter", "--target", str(leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd",
                "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
                "TERM=dumb", *map(str, words)]

    def run(self, *words, check=True, timeout=120, **options):
        """What a command in it says, as root."""
        leader = self.leader()  # asked for once: while it boots, nspawn's first child is another for a moment
        if not leader:
            return subprocess.CompletedProcess(words, 255, "", "no first process")
        result = fleets.run(self.enter_command(leader, *words), text=True, timeout=timeout * fleets.SLOWNESS, **options)
        assert not check or result.returncode == 0, f"{words} ended with {result.returncode}: {result.stdout}{result.stderr}"
        return result

    def journal(self):
        return self.run("journalctl", "--no-pager", "-n", "60", check=False).stdout

    def start(self, *words, **options):
        """A process in it that goes on; the caller ends it."""
        return fleets.spawn(self.enter_command(self.leader(), *words), **options)

    @contextlib.contextmanager
    def network(self):
        """What this thread connects, binds and starts meanwhile is at home on the machine's loopback."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", "rb") as ours, open(f"/proc/{self.leader()}/ns/net", "rb") as its:
            enter(libc, its)
            try:
                yield
            finally:
                enter(libc, ours)

    def reboot(self):
        self.run("systemctl", "reboot", check=False)
        assert self.process.wait(60 * fleets.SLOWNESS) == ASKED_FOR_REBOOT
        self.boot()

    def close(self):
        """Ends it the quick way, and takes its traces away."""
        if self.process:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)  # nspawn: an orderly end
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(20 * fleets.SLOWNESS)
            container.kill(self.process)
        for path in (*self.groups, pathlib.Path("/run/systemd/nspawn/propagate", self.name)):
            with contextlib.suppress(FileNotFoundError):
                fleets.wait_until(lambda path=path: container.remove(path), 5, f"{path} is gone")
        for path in (self.root, self.folder / "upper"):
            subprocess.run(["umount", path], check=True)
