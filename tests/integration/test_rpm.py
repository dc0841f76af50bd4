"""The RPM, installed by rpm into a root of its own: what its scriptlets do, what an upgrade keeps, and how its files
differ from the Debian package's.

The root is the Debian of test_package.py, which has the libraries that the packages need under other packages' names. So
rpm is told --nodeps, and each thing that the RPM requires is looked for in the root itself.
"""

import io
import pathlib
import re
import tarfile
import tempfile

import pytest

import container
import fleet as fleets
import machine as machines
from test_package import processes, show, wait_until_ready

TOP = pathlib.Path(__file__).resolve().parents[2]
DEFAULTS_OF_FEDORA = "disable *\n"

# What shows, in the root, that a requirement is met which is no library.
MET_BY = {"/bin/sh": "bin/sh", "shadow-utils": "usr/sbin/useradd", "systemd": "bin/systemctl"}
# rpm's own: its abilities, the hash table that glibc's loader reads, and that settings and package are of one version.
OWN = re.compile(r"rpmlib\(|rtld\(GNU_HASH\)|config\(mcp-fleet\)")

# Where Debian has another place for the same file: its place -> the RPM's.
MOVED = {
    "/lib/systemd/": "/usr/lib/systemd/",  # Debian 12's systemd and debhelper look for units in /lib
    "/etc/default/": "/etc/sysconfig/",  # each distribution's folder for the environment of services
    "/usr/share/zsh/vendor-completions/": "/usr/share/zsh/site-functions/",  # Debian leaves the latter to the operator
    "/usr/share/doc/mcp-fleet/NEWS.md": "/usr/share/doc/mcp-fleet/CHANGELOG.md",  # a native package's changelog is debian's
}
# What only one of them has, and why.
DEBIAN_ONLY = {
    "/usr/share/doc/mcp-fleet/changelog": "debian/changelog; an RPM's is in its header",
    "/usr/share/doc/mcp-fleet/copyright": "the licence in Debian's form",
}
RPM_ONLY = {
    "/usr/share/licenses/mcp-fleet": "the licence in Fedora's place",
    "/usr/lib/.build-id": "links from build ids to programs, for debuggers; Debian has them in -dbgsym",
    "/var/lib/mcp-fleet": "on Debian systemd-tmpfiles makes it after the installation: the user is not there before",
}
# Modes that differ for the same reason: on Debian systemd-tmpfiles sets them, when the group is there.
MODES = {"/etc/mcp-fleet": ("755", "750"), "/etc/mcp-fleet/conf.d": ("755", "750")}


def run(*words, **options):
    result = fleets.run([str(word) for word in words], text=True, **options)
    assert result.returncode == 0, f"{words} ended with {result.returncode}: {result.stdout}{result.stderr}"
    return result.stdout


def query(package, what):
    """Of a package that is not installed. Debian's rpm would make a list of packages in our home."""
    with tempfile.TemporaryDirectory() as folder:
        return run("rpm", "--dbpath", folder, "--query", "--package", what, package)


def programs_of(files):
    programs = re.findall(r"^/usr/(?:s?bin|libexec/mcp-fleet)/.+", files, re.M)
    assert len(programs) >= 10
    return programs


@pytest.fixture(scope="module")
def debian(packages):
    return next(packages.glob("mcp-fleet_*.deb"))


@pytest.fixture(scope="module")
def package(packages):
    return next(path for path in packages.glob("mcp-fleet-[0-9]*.rpm") if not path.name.endswith(".src.rpm"))


class Root:
    """The root of a machine that is not booted."""

    def __init__(self, machine):
        self.path = machine.root
        self.presets("99-default-disable.preset", DEFAULTS_OF_FEDORA)

    def presets(self, name, text):
        folder = self.path / "etc/systemd/system-preset"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        folder = folder.with_name("user-preset")
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    def run(self, *words):
        return run("chroot", self.path, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", *words)

    def rpm(self, *words):
        """What rpm says, from out here, on the root's own list of packages; its scriptlets are run in there."""
        result = fleets.run([str(word) for word in ("rpm", "--root", self.path, "--dbpath", "/var/lib/rpm", *words)], text=True)
        assert result.returncode == 0, f"{words}: {result.stdout}{result.stderr}"
        # Debian's wants to be sure that we mean it.
        return re.sub("^rpm: (RPM should not be used|However assuming).*\n", "", result.stdout + result.stderr, flags=re.M)

    def modes(self, *paths):
        return self.run("stat", "-c", "%a %U:%G %n", *paths).splitlines()

    def links(self):
        """By which units are started."""
        return sorted(link.name for link in (self.path / "etc/systemd").glob("*/*.wants/mcp-fleet.*"))


@pytest.fixture
def root(debian, envs, tmp_path):
    if why := container.why_not():
        pytest.skip(why)
    machine = machines.Machine(machines.root_for(debian, envs), tmp_path / "machine")
    try:
        yield Root(machine)
    finally:
        machine.close()


def newer(package, folder, version):
    """The same files and scriptlets as another version, with changed settings: the spec, whose sections that build are
    replaced by a copy of what the package holds."""
    tree, spec = folder / "tree", folder / "newer.spec"
    run("rpm", "--root", tree, "--dbpath", "/var/lib/rpm", "--nodeps", "--noscripts", "--nouser", "--nogroup", "-i", package)
    settings = tree / "etc/mcp-fleet/fleet.yaml"
    settings.write_text(settings.read_text() + "# something new\n")
    text = (TOP / "packaging/rpm/mcp-fleet.spec").read_text()
    text = re.sub(r"^%prep$.*?(?=^%if 0%\{\?makes_user\}$)",
                  f"%install\nmkdir -p %{{buildroot}}\ncp -a {tree}/etc {tree}/usr {tree}/var %{{buildroot}}\n"
                  f"rm -r %{{buildroot}}/var/lib/rpm %{{buildroot}}/usr/lib/.build-id %{{buildroot}}%{{_licensedir}}\n\n",
                  text, count=1, flags=re.M | re.S)
    text = re.sub(r"^Version:.*", f"Version: {version}", text, flags=re.M).replace("%license LICENSE\n", "")
    spec.write_text(text)
    run("rpmbuild", "-bb", "--quiet", "--nodeps", "--define", f"_topdir {folder}/build", "--load",
        TOP / "packaging/rpm/macros.fedora", spec)
    return next((folder / "build/RPMS").glob("*/mcp-fleet-[0-9]*.rpm"))


# --- what it requires, and what its scriptlets do ---------------------------------------------------


@pytest.mark.timeout(600)
def test_installs_upgrades_erases(root, package, tmp_path):
    assert root.rpm("--install", "--nodeps", package) == ""
    check_requirements(root, package)
    check_installation(root)

    # Changed settings stay; what the new package brings is put beside them.
    settings = root.path / "etc/mcp-fleet/fleet.yaml"
    changed = settings.read_text() + "# mine\n"
    settings.write_text(changed)
    (root.path / "etc/mcp-fleet/conf.d/mine.yaml").write_text("limits: {sessions: 5}\n")
    (root.path / "var/lib/mcp-fleet/state").write_text("kept\n")
    newest = newer(package, tmp_path, "0.99.0")
    said = root.rpm("--upgrade", "--nodeps", newest)
    assert "/etc/mcp-fleet/fleet.yaml created as /etc/mcp-fleet/fleet.yaml.rpmnew" in said
    assert settings.read_text() == changed
    assert settings.with_name("fleet.yaml.rpmnew").read_text().endswith("# something new\n")
    assert root.rpm("--query", "mcp-fleet").startswith("mcp-fleet-0.99.0-")
    assert root.links() == []
    # A downgrade, too.
    root.rpm("--upgrade", "--nodeps", "--oldpackage", package)
    assert settings.read_text() == changed

    said = root.rpm("--erase", "mcp-fleet")
    assert "/etc/mcp-fleet/fleet.yaml saved as /etc/mcp-fleet/fleet.yaml.rpmsave" in said
    assert not settings.exists() and settings.with_name("fleet.yaml.rpmsave").read_text() == changed
    assert (root.path / "etc/mcp-fleet/conf.d/mine.yaml").exists() and (root.path / "var/lib/mcp-fleet/state").exists()
    left = root.run("find", "/", "-xdev", "-name", "*mcp-fleet*").split()
    assert sorted(left) == ["/etc/mcp-fleet", "/var/lib/mcp-fleet"]
    assert root.run("id", "-un", "mcp-fleet").strip() == "mcp-fleet"  # never used for somebody else


def check_requirements(root, package):
    """--nodeps, so by hand. That a library has the versions of symbols that are asked for is seen by programs starting."""
    libraries = {line.split()[0] for line in root.run("ldconfig", "-p").splitlines()[1:]}
    required = query(package, "--requires").splitlines()
    assert any("libevent_core" in line for line in required)
    for line in required:
        name = line.split()[0]
        if library := re.match(r"(lib[^()]+\.so[.0-9]*)\(", name):
            assert library[1] in libraries, line
        elif not OWN.match(name):
            assert (root.path / MET_BY[name]).exists(), line
    for program in programs_of(query(package, "--list")):
        assert "not found" not in root.run("ldd", program), program


def check_installation(root):
    """The user, owners and modes, nothing that differs from what the package says; and not enabled, because Fedora's
    presets enable nothing."""
    assert root.run("getent", "passwd", "mcp-fleet").split(":")[4:] == ["MCP fleet supervisor", "/var/lib/mcp-fleet",
                                                                        "/sbin/nologin\n"]
    assert int(root.run("id", "-u", "mcp-fleet")) < 1000
    assert root.modes("/etc/mcp-fleet", "/etc/mcp-fleet/conf.d", "/etc/mcp-fleet/fleet.yaml", "/etc/sysconfig/mcp-fleet",
                      "/var/lib/mcp-fleet", "/usr/sbin/mcp-fleetd") == [
        "750 root:mcp-fleet /etc/mcp-fleet", "750 root:mcp-fleet /etc/mcp-fleet/conf.d", "644 root:root /etc/mcp-fleet/fleet.yaml",
        "644 root:root /etc/sysconfig/mcp-fleet", "750 mcp-fleet:mcp-fleet /var/lib/mcp-fleet",
        "755 root:root /usr/sbin/mcp-fleetd"]
    assert root.rpm("--verify", "--nodeps", "mcp-fleet") == ""
    assert root.links() == []
    root.run("setpriv", "--reuid=mcp-fleet", "--regid=mcp-fleet", "--clear-groups", "mcp-fleetd", "--check-config")


@pytest.mark.timeout(600)
def test_a_preset_enables_it(root, package):
    """The operator's word, before the distribution's; who erases it is left with no dangling link."""
    root.presets("50-mine.preset", "enable mcp-fleet.service\n")
    root.rpm("--install", "--nodeps", package)
    assert root.links() == ["mcp-fleet.service", "mcp-fleet.service"]  # of the system's manager, and of each user's
    said = root.rpm("--erase", "mcp-fleet")
    assert re.sub("^Removed .*\n", "", said, flags=re.M) == ""
    assert root.links() == []


@pytest.mark.timeout(600)
def test_under_systemd(debian, package, envs, tmp_path):
    """In a machine that runs: nothing starts by itself, an upgrade restarts what runs, and what is erased has ended."""
    if why := container.why_not():
        pytest.skip(why)
    machine = machines.Machine(machines.root_for(debian, envs), tmp_path / "machine")
    try:
        Root(machine)  # with Fedora's presets
        machine.boot()
        rpm_in(machine, "--install", package)
        assert show(machine, "ActiveState", "UnitFileState") == {"ActiveState": "inactive", "UnitFileState": "disabled"}
        machine.run("systemctl", "enable", "--now", "mcp-fleet")
        wait_until_ready(machine)
        before = show(machine, "MainPID")["MainPID"]
        for options, other in (((), newer(package, tmp_path, "0.99.0")), (("--oldpackage",), package)):
            rpm_in(machine, "--upgrade", *options, other)
            wait_until_ready(machine)
            after = show(machine, "MainPID", "UnitFileState")
            assert after["MainPID"] not in (before, "0") and after["UnitFileState"] == "enabled"
            before = after["MainPID"]
        machine.run("rpm", "--dbpath", "/var/lib/rpm", "--erase", "mcp-fleet")
        assert processes(machine) == {}
        assert machine.run("systemctl", "is-active", "mcp-fleet", check=False).stdout == "inactive\n"
    finally:
        machine.close()


def rpm_in(machine, *words):
    *options, package = words
    (machine.root / "root" / package.name).write_bytes(package.read_bytes())
    machine.run("rpm", "--dbpath", "/var/lib/rpm", "--nodeps", *options, f"/root/{package.name}")


def test_symbols_are_apart(package):
    """Those of each program, in -debuginfo; what they are of, without them."""
    programs = programs_of(query(package, "--list"))
    symbols = next(package.parent.glob("mcp-fleet-debuginfo-*.rpm"))
    told = set(re.findall(r"^/usr/lib/debug(/.+?)-[0-9][^/]*\.debug$", query(symbols, "--list"), re.M))
    assert told == set(programs)
    sources = query(next(package.parent.glob("mcp-fleet-debugsource-*.rpm")), "--list")
    assert "/supervisor/main.c\n" in sources


# --- beside the Debian package ----------------------------------------------------------------------


def files_of_debian(debian):
    """path -> its mode, with the places of an RPM; and which of them are folders."""
    files, folders = {}, set()
    packed = fleets.run(["dpkg-deb", "--fsys-tarfile", debian])
    assert packed.returncode == 0, packed.stderr
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        for member in archive:
            path = member.name.removeprefix(".").removesuffix(".gz")
            for there, here in MOVED.items():
                path = re.sub(f"^{re.escape(there)}", here, path)
            files[path] = f"{member.mode & 0o7777:o}"
            if member.isdir():
                folders.add(path)
    return files, folders


def files_of_rpm(package):
    files = {}
    for line in query(package, "--dump").splitlines():
        path, _, _, _, mode = line.split()[:5]
        files[path.removesuffix(".gz")] = f"{int(mode, 8) & 0o7777:o}"
    return files


def is_below(path, folders):
    return any(path == folder or path.startswith((f"{folder}/", f"{folder}-")) for folder in folders)


def test_has_the_files_of_the_debian_package(debian, package):
    """List by list; each known difference is in a table above, and every entry of the tables is one."""
    (theirs, folders), ours = files_of_debian(debian), files_of_rpm(package)
    assert {path for path in theirs if path not in ours and path not in folders} == set(DEBIAN_ONLY)
    only_here = {path for path in ours if path not in theirs}
    assert {path for path in only_here if not is_below(path, RPM_ONLY)} == set()
    assert {folder for folder in RPM_ONLY if any(is_below(path, [folder]) for path in only_here)} == set(RPM_ONLY)
    assert {path: (theirs[path], ours[path]) for path in ours if path in theirs and theirs[path] != ours[path]} == MODES
