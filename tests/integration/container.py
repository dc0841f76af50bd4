"""A container with a real systemd as its first process, for what only that can show: systemd-nspawn over this machine's
own /usr, with everything else empty and in memory. Nothing is downloaded and nothing stays.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import uuid

import fleet as fleets

CAP_SYS_ADMIN = 21


def why_not():
    """Why no container can be had here; None: it can."""
    if os.geteuid() != 0:
        return "only root can boot a container"
    status = pathlib.Path("/proc/self/status").read_text()
    effective = int(status.split("CapEff:")[1].split()[0], 16)
    if not effective >> CAP_SYS_ADMIN & 1:
        return "booting a container needs CAP_SYS_ADMIN"
    if not any(line.split()[4] == "/" for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()):
        return "no container can be booted in a chroot: / is no mount point there"
    return None


def own_cgroups():
    """Our cgroup in the hierarchies that systemd keeps processes apart with: version 1, version 2, or both."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for root in {"name=systemd": ["/sys/fs/cgroup/systemd"],
                     "": ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]}.get(controllers, []):
            if os.path.exists(f"{root}{path}/cgroup.procs"):
                yield pathlib.Path(root + path)


class Container:
    """Boots with the units in `folder` (NAME.service, …) until one of them says `systemctl exit N`.

    The folder is /test in there, and writable; `show` are other files and folders that can be read, at their own paths.
    """

    def __init__(self, folder, target, show=()):
        self.folder, self.target = folder, target
        self.name = f"mcp-fleet-{uuid.uuid4().hex[:8]}"
        self.shown = [pathlib.Path(path).resolve() for path in (*show, sys.base_prefix)]
        self.cgroups = [group / self.name for group in own_cgroups()]

    def command(self):
        program = shutil.which("systemd-nspawn")
        assert program, "systemd-nspawn is missing: packaging/needs tests installs it"
        words = [program, "--quiet", "--register=no", f"--machine={self.name}", "--directory=/", "--volatile=yes",
                 "--private-network", "--link-journal=no", "--resolv-conf=off", "--timezone=off", "--console=pipe",
                 f"--bind={self.folder}:/test"]
        if not os.path.isdir("/run/systemd/system"):
            words.append("--keep-unit")  # there is no manager here that could make us a scope
        words += [f"--bind-ro={path}" for path in self.shown if not path.is_relative_to("/usr")]
        words += [f"--bind-ro={unit}:/run/systemd/system/{unit.name}"
                  for unit in self.folder.iterdir() if unit.suffix in (".service", ".target", ".socket")]
        return [*words, "--boot", "--", f"--unit={self.target}"]

    def run(self, timeout):
        """What `systemctl exit` was given, and what stood on the console."""
        command = self.command()
        for group in self.cgroups:  # nspawn makes its own below: they are to go, and to be no other container's
            group.mkdir()
        with fleets.spawn(command, preexec_fn=self.enter, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]}) as process:
            try:
                console = process.communicate(timeout=timeout * fleets.SLOWNESS)[0]
            except subprocess.TimeoutExpired:
                kill(process)
                console = b"(it did not end in time) " + process.communicate()[0]
            finally:
                kill(process)
                self.clean()
        return process.returncode, console.decode(errors="replace")

    def enter(self):
        for group in self.cgroups:
            (group / "cgroup.procs").write_text("0")

    def clean(self):
        for path in (*self.cgroups, pathlib.Path("/run/systemd/nspawn/propagate", self.name)):
            with contextlib.suppress(FileNotFoundError):
                fleets.wait_until(lambda path=path: remove(path), 5, f"{path} is gone")


def kill(process):
    """With all that it has started; what is left of that is ours then (fleet.adopt_orphans)."""
    for pid in (*fleets.descendants(process.pid), process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    fleets.reap_adopted()


def remove(path):
    """False: something is in it still."""
    try:
        for below in sorted(path.rglob("*"), reverse=True):
            if below.is_dir():
                below.rmdir()
        path.rmdir()
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    return True
