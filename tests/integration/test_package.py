"""The Debian package in a machine of its own: installed by apt, run by systemd, upgraded, removed, purged."""

import contextlib
import json
import re
import subprocess

import pytest

import fleet as fleets
import machine as machines

DOMAINS = {"filesystem", "git", "network", "utils"}


@pytest.fixture(scope="module")
def machine(package, envs, tmp_path_factory):
    """Booted, with what the package depends on, and without the package."""
    new = machines.Machine(machines.root_for(package, envs), tmp_path_factory.mktemp("machine"))
    try:
        yield new.boot()
    finally:
        new.close()


def newer(package, folder, version):
    """The same package with another version: what an upgrade and a downgrade need."""
    subprocess.run(["dpkg-deb", "-R", package, folder / "tree"], check=True)
    control = folder / "tree/DEBIAN/control"
    control.write_text(re.sub("^Version: .*", f"Version: {version}", control.read_text(), flags=re.M))
    built = folder / f"mcp-fleet_{version}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", folder / "tree", built], check=True, capture_output=True)
    return built


def install(machine, package):
    (machine.root / "root" / package.name).write_bytes(package.read_bytes())
    return machine.run("apt-get", "install", "-y", "--allow-downgrades", f"/root/{package.name}").stdout


def status(machine):
    """Its exit status says whether the fleet is ready."""
    return json.loads(machine.run("mcp-fleetctl", "--json", "status", check=False).stdout)


def show(machine, *names):
    said = machine.run("systemctl", "show", "mcp-fleet", *(f"-p{name}" for name in names)).stdout
    return dict(line.split("=", 1) for line in said.splitlines())


def modes(machine, *paths):
    return machine.run("stat", "-c", "%a %U:%G %n", *paths).stdout.splitlines()


def processes(machine):
    """Of the service's user: pid -> program."""
    said = machine.run("ps", "-u", "mcp-fleet", "-o", "pid=,comm=", check=False).stdout
    return {int(line.split()[0]): line.split()[1] for line in said.splitlines()}


def wait_until_ready(machine, timeout=10):
    return fleets.wait_until(lambda: machine.run("mcp-fleetctl", "status", check=False).returncode == 0, timeout, "the fleet is ready")


def drop_in(machine, text):
    folder = machine.root / "etc/systemd/system/mcp-fleet.service.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test.conf").write_text(f"[Service]\n{text}\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "mcp-fleet")


@pytest.fixture(scope="module")
def installed(machine, package):
    install(machine, package)
    return machine


@pytest.mark.timeout(600)
def test_runs_after_the_installation(installed):
    machine = installed
    assert show(machine, "ActiveState", "SubState", "StatusText", "User", "UnitFileState") == {
        "ActiveState": "active", "SubState": "running", "StatusText": "4/4 domains up, 105 tools, 0 sessions",
        "User": "mcp-fleet", "UnitFileState": "enabled"}
    assert "4/4 domains up, 105 tools" in machine.run("systemctl", "--no-pager", "status", "mcp-fleet").stdout
    assert modes(machine, "/etc/mcp-fleet", "/etc/mcp-fleet/conf.d", "/etc/mcp-fleet/fleet.yaml", "/var/lib/mcp-fleet",
                 "/var/lib/mcp-fleet/work", "/run/mcp-fleet", "/run/mcp-fleet/mcp.sock", "/run/mcp-fleet/control.sock") == [
        "750 root:mcp-fleet /etc/mcp-fleet", "750 root:mcp-fleet /etc/mcp-fleet/conf.d", "644 root:root /etc/mcp-fleet/fleet.yaml",
        "750 mcp-fleet:mcp-fleet /var/lib/mcp-fleet", "750 mcp-fleet:mcp-fleet /var/lib/mcp-fleet/work",
        "755 mcp-fleet:mcp-fleet /run/mcp-fleet", "660 mcp-fleet:mcp-fleet /run/mcp-fleet/mcp.sock",
        "660 mcp-fleet:mcp-fleet /run/mcp-fleet/control.sock"]
    listening = machine.run("ss", "-Hltn").stdout.split()
    assert [word for word in listening if ":8000" in word] == ["127.0.0.1:8000"]
    assert machine.run("mcp-fleetctl", "call", "string_to_upper", "text=hello").stdout.strip() == '{"success":true,"result":"HELLO"}'
    machine.run("mcp-fleetctl", "call", "code_write", "path=/var/lib/mcp-fleet/work/a", "content=x")
    machine.run("mcp-fleetctl", "doctor")


def test_exposure(installed):
    """systemd-analyze's own scale; doc/operating.md."""
    said = installed.run("systemd-analyze", "security", "--no-pager", "mcp-fleet.service").stdout
    level = float(re.search(r"Overall exposure level for mcp-fleet.service: ([0-9.]+)", said).group(1))
    assert level <= 2.0, said


def test_a_cgroup_for_each_worker(installed):
    machine = installed
    shown = machine.run("systemd-cgls", "--no-pager", "/system.slice/mcp-fleet.service").stdout
    for name in DOMAINS:
        assert re.search(rf"worker\.{name}\.\d+", shown), shown
    assert "supervisor" in shown
    assert status(machine)["sandbox"].startswith("Landlock ABI")
    for action in ("kill --signal=KILL --kill-whom=all", "restart"):
        before = set(processes(machine))
        assert len(before) >= 5
        machine.run("systemctl", *action.split(), "mcp-fleet")
        fleets.wait_until(lambda: not before & set(processes(machine)), 10, f"nobody is left after {action}")  # noqa: B023
        wait_until_ready(machine)
        assert len(processes(machine)) == 5
    machine.run("systemctl", "stop", "mcp-fleet")
    assert processes(machine) == {}
    assert not (machine.root / "sys/fs/cgroup/system.slice/mcp-fleet.service").exists()
    machine.run("systemctl", "start", "mcp-fleet")


def test_a_frozen_daemon_is_replaced(installed):
    machine = installed
    drop_in(machine, "WatchdogSec=1s")
    before = int(show(machine, "MainPID")["MainPID"])
    machine.run("kill", "-STOP", before)
    fleets.wait_until(lambda: int(show(machine, "MainPID")["MainPID"]) not in (0, before), 30, "another one is there")
    wait_until_ready(machine)
    assert "watchdog" in machine.run("journalctl", "--no-pager", "-u", "mcp-fleet").stdout.lower()
    machine.run("rm", "-r", "/etc/systemd/system/mcp-fleet.service.d")
    machine.run("systemctl", "daemon-reload")


def test_reload(installed):
    """What the check refuses changes nothing, and systemctl fails."""
    machine = installed
    with settings(machine, "limits: {sessions: 77}\n") as conf:
        machine.run("systemctl", "reload", "mcp-fleet")
        assert status(machine)["sessions"]["limit"] == 77
        conf.write_text("limits: {sesions: 78}\n")
        assert machine.run("systemctl", "reload", "mcp-fleet", check=False).returncode != 0
        assert "sesions" in machine.run("journalctl", "--no-pager", "-u", "mcp-fleet", "-n", "20").stdout
        assert (status(machine)["ready"], status(machine)["sessions"]["limit"]) == (True, 77)
    machine.run("systemctl", "reload", "mcp-fleet")


def test_wrong_settings_are_not_tried_again_and_again(installed):
    machine = installed
    with settings(machine, "nonsense: 1\n"):
        assert machine.run("systemctl", "restart", "mcp-fleet", check=False).returncode != 0
        assert show(machine, "ActiveState", "NRestarts") == {"ActiveState": "failed", "NRestarts": "0"}
        assert "conf.d/test.yaml:1:1" in machine.run("journalctl", "--no-pager", "-u", "mcp-fleet", "-n", "20").stdout
    machine.run("systemctl", "start", "mcp-fleet")
    wait_until_ready(machine)


@contextlib.contextmanager
def settings(machine, text):
    """In conf.d for as long as it takes."""
    conf = machine.root / "etc/mcp-fleet/conf.d/test.yaml"
    conf.write_text(text)
    try:
        yield conf
    finally:
        conf.unlink()


THERE = "/run/credentials/mcp-fleet.service"
WITH_CREDENTIALS = f"""listen: [{{address: "https://127.0.0.1:8443"}}]
tls: {{cert_file: /etc/mcp-fleet/fleet.pem, key_file: {THERE}/tls.key}}
auth: {{keys_file: {THERE}/keys.json, secret_file: {THERE}/token.secret, issuer: "https://issuer.example",
        audience: [fleet]}}
"""


def test_credentials(installed, authority):
    """What only root may read is handed over by systemd: a key of TLS, keys of clients, a secret of tokens."""
    machine = installed
    cert, private = authority.server()
    (machine.root / "etc/mcp-fleet/fleet.pem").write_bytes(cert)
    key = machine.run("mcp-fleetctl", "key", "add", "ci", "--file", "/root/keys.json").stdout.strip()
    store = machine.root / "etc/credstore"
    store.mkdir(exist_ok=True)
    for name, data in {"tls.key": private, "token.secret": b"0123456789abcdef0123456789abcdef",
                       "keys.json": (machine.root / "root/keys.json").read_bytes()}.items():
        path = store / f"mcp-fleet.{name}"
        path.write_bytes(data)
        path.chmod(0o600)
    with settings(machine, WITH_CREDENTIALS):
        machine.run("systemctl", "restart", "mcp-fleet")
        ask = ["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "https://127.0.0.1:8443/mcp", "-d", "{}"]
        assert machine.run(*ask).stdout == "401"
        with_key = [*ask, "-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"]
        assert machine.run(*with_key).stdout in ("400", "406")
        machine.run("systemctl", "reload", "mcp-fleet")
        assert machine.run(*ask).stdout == "401"
    machine.run("sh", "-c", "rm -r /etc/credstore/mcp-fleet.* /etc/mcp-fleet/fleet.pem /root/keys.json")
    machine.run("systemctl", "restart", "mcp-fleet")
    wait_until_ready(machine)


@pytest.mark.timeout(600)
def test_upgrade_downgrade_remove_purge(installed, package, tmp_path):
    machine = installed
    settings = machine.root / "etc/mcp-fleet/fleet.yaml"
    settings.write_text(settings.read_text() + "\nlimits: {sessions: 55}\n" if "\nlimits:" not in settings.read_text()
                        else settings.read_text().replace("#sessions: 1000", "sessions: 55", 1))
    machine.run("mcp-fleetctl", "key", "add", "ci")
    for built in (newer(package, tmp_path, "0.2.0"), package):
        install(machine, built)
        wait_until_ready(machine)
        assert status(machine)["sessions"]["limit"] == 55
        assert "ci" in machine.run("mcp-fleetctl", "key", "list").stdout
    machine.run("mcp-fleetctl", "disable", "network")
    machine.run("sh", "-c", "cd /var/lib/mcp-fleet && mkdir notes ../../cache/mcp-fleet && touch work/mine notes/mine")
    machine.run("apt-get", "remove", "-y", "mcp-fleet")
    assert processes(machine) == {}
    assert (machine.root / "var/lib/mcp-fleet/disabled").exists()
    assert settings.exists() and not (machine.root / "usr/sbin/mcp-fleetd").exists()
    install(machine, package)
    assert wait_until_ready(machine) and status(machine)["sessions"]["limit"] == 55
    assert next(domain for domain in status(machine)["domains"] if domain["name"] == "network")["state"] == "disabled"
    # A disk of its own for one of the folders.
    machine.run("sh", "-c", "mkdir -p /var/log/mcp-fleet && mount -t tmpfs tmpfs /var/log/mcp-fleet && touch /var/log/mcp-fleet/audit")
    machine.run("apt-get", "purge", "-y", "mcp-fleet")
    assert processes(machine) == {}
    machine.run("sh", "-c", "umount /var/log/mcp-fleet && rmdir /var/log/mcp-fleet")
    left = machine.run("find", "/", "-xdev", "-name", "*mcp-fleet*", "-not", "-path", "/proc/*", "-not", "-path", "/root/*").stdout
    assert left.split() == ["/var/lib/mcp-fleet"]
    kept = machine.run("find", "/var/lib/mcp-fleet", "-type", "f", "-not", "-name", "a").stdout
    assert sorted(kept.split()) == ["/var/lib/mcp-fleet/notes/mine", "/var/lib/mcp-fleet/work/mine"]


LATE_ADDRESS = """[Unit]
Before=network-online.target
[Service]
Type=oneshot
ExecStart=sh -c 'sleep 2; ip address add 192.0.2.1/32 dev lo'
[Install]
WantedBy=network-online.target
"""


@pytest.mark.timeout(600)
def test_reboot(installed, package):
    """The fleet serves within two seconds of its start, and does not start before its addresses are there."""
    machine = installed
    install(machine, package)
    (machine.root / "etc/systemd/system/late-address.service").write_text(LATE_ADDRESS)
    machine.run("systemctl", "enable", "late-address")
    with settings(machine, 'listen: [{address: "127.0.0.1:8000"}, {address: "http://192.0.2.1:8000"}]\nauth: {mode: none}\n'):
        machine.reboot()
        wait_until_ready(machine)
        assert show(machine, "NRestarts") == {"NRestarts": "0"}
        assert status(machine)["listeners"] == ["127.0.0.1:8000", "192.0.2.1:8000"]
    machine.run("systemctl", "disable", "late-address")
    started, ready = (int(show(machine, name)[name]) for name in ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic"))
    assert ready - started < 2_000_000


@pytest.mark.timeout(600)
def test_socket_activation(installed, package):
    """While the fleet restarts, who connects to the unit's socket waits; when it is removed, nobody is asked to any more."""
    machine = installed
    install(machine, package)
    machine.run("systemctl", "stop", "mcp-fleet")
    machine.run("systemctl", "enable", "--now", "mcp-fleet.socket")
    # The first who asks starts it.
    ask = "curl -sS --max-time 30 http://127.0.0.1:8000/health -o /dev/null -w '%{http_code}\\n'"
    assert machine.run("sh", "-c", ask).stdout.strip() == "200"
    # A hundred who begin while it is being restarted, one after the other and several at a time.
    with machine.start("sh", "-c", f"for i in $(seq 100); do {ask} & sleep 0.03; done; wait", stdout=subprocess.PIPE,
                       text=True) as asking:
        for _ in range(6):
            machine.run("systemctl", "restart", "mcp-fleet")
        told = asking.communicate(timeout=60 * fleets.SLOWNESS)[0].split()
    assert told == ["200"] * 100
    # Nor do those who ask meanwhile start what is being removed.
    asks = "while curl -s --max-time 2 http://127.0.0.1:8000/health; do :; done"
    with machine.start("timeout", "20", "sh", "-c", asks, stdout=subprocess.DEVNULL) as asking:
        machine.run("apt-get", "purge", "-y", "mcp-fleet")
        asking.wait(30 * fleets.SLOWNESS)
    assert processes(machine) == {}
    assert machine.run("systemctl", "is-active", "mcp-fleet.socket", check=False).stdout == "inactive\n"
    assert machine.run("find", "/etc/systemd", "-name", "mcp-fleet*").stdout == ""


@pytest.mark.timeout(300)
def test_a_developers_own_fleet(installed, package):
    """The user unit: not without settings, beside the fleet of the machine, and mcp-fleetctl finds its own."""
    machine = installed
    install(machine, package)
    machine.run("useradd", "--create-home", "dev")
    uid = machine.run("id", "-u", "dev").stdout.strip()
    machine.run("systemctl", "start", f"user@{uid}")

    def as_user(*words, **options):
        return machine.run("runuser", "-u", "dev", "--", "env", f"XDG_RUNTIME_DIR=/run/user/{uid}", "HOME=/home/dev", *words, **options)

    as_user("systemctl", "--user", "start", "mcp-fleet")
    assert as_user("systemctl", "--user", "is-active", "mcp-fleet", check=False).stdout == "inactive\n"
    as_user("mkdir", "-p", "/home/dev/.config/mcp-fleet", "/home/dev/src")
    (machine.root / "home/dev/.config/mcp-fleet/fleet.yaml").write_text(
        "listen: [{address: 127.0.0.1:8010}]\ndomains: {git: {roots: [/home/dev/src]}, utils: {}}\n")
    as_user("systemctl", "--user", "enable", "--now", "mcp-fleet")
    told = json.loads(as_user("mcp-fleetctl", "--json", "status").stdout)
    assert (told["ready"], told["listeners"], {domain["name"] for domain in told["domains"]}) == (
        True, ["127.0.0.1:8010"], {"git", "utils"})
    as_user("systemctl", "--user", "reload", "mcp-fleet")
    as_user("systemctl", "--user", "stop", "mcp-fleet")
    assert "mcp-fleetd" not in machine.run("ps", "-u", "dev", "-o", "comm=", check=False).stdout
