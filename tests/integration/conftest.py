"""Fixtures of all integration tests; see fleet.py for what is checked after each."""

import contextlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile

import pytest

pytest.register_assert_rewrite("fleet", "gateway", "nginx", "proxies", "registrar", "registration", "remote", "sdk", "stdio", "streamable",
                               "tlsdoor", "wire")

import biginputs  # noqa: E402 (after the line above, or its assertions explain nothing)
import certs  # noqa: E402
import container  # noqa: E402
import fleet as fleets  # noqa: E402
import gateway as gateways  # noqa: E402
import machine as machines  # noqa: E402
import prefork  # noqa: E402
import sdk  # noqa: E402
import stdio  # noqa: E402
import wire  # noqa: E402


def pytest_configure():
    fleets.adopt_orphans()
    # A shell starts what it runs in the background with both ignored, and our children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# Fixtures of a session that cost ten seconds of a processor to make.
DEAR = {"gateway", "long_history"}
# Takes minutes: begun among the last, it would be waited for alone.
LONGEST = "test_bare_root.py"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """The tests that share what is dear stand together, in front: so one of pytest's parallel processes has them all,
    and makes it once. Each gets as many at first: the second one begins with the longest."""
    items.sort(key=lambda item: sorted(DEAR.intersection(item.fixturenames)) or ["~"])
    longest = [item for item in items if item.path.name == LONGEST]
    items[:] = [item for item in items if item.path.name != LONGEST]
    at = len(items) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) % max(len(items), 1)
    items[at:at] = longest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows below a failure what the daemons logged, and machines."""
    report = yield
    if report.failed:
        for started in getattr(item, "fleets", []):
            report.sections.append((f"log of mcp-fleetd, {call.when}", started.log()[-20000:]))
        for machine in getattr(item, "funcargs", {}).values():
            if isinstance(machine, machines.Machine):
                report.sections.append((f"the machine's journal, {call.when}", machine.journal()))
    return report


@contextlib.contextmanager
def starting_fleets(node, folder):
    started = []
    node.fleets = getattr(node, "fleets", [])

    def make(domains=None, settings=None, env=None, args=(), wait=True, start=True):
        new = fleets.Fleet(folder, domains or {"utils": {}}, settings, env, args)
        started.append(new)
        node.fleets.append(new)
        return new.start(wait) if start else new

    yield make
    wire.close_all()
    failures = []
    for each in started:
        try:
            each.stop()
        except AssertionError as error:
            failures.append(str(error))
        except subprocess.TimeoutExpired:
            failures.append("mcp-fleetd did not end after SIGTERM")
    assert not failures, "\n".join(failures)


@pytest.fixture
def start_fleet(request, tmp_path):
    """Starts a fleet: start_fleet(domains={…}, settings={…}, env={…}, args=[…]).

    With wait=False it may not be ready yet, with start=False the test starts it itself.
    """
    with starting_fleets(request.node, tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def start_standing_fleet(request, tmp_path_factory):
    """The same for a fleet that stays for all tests of the module, with the checks at its end."""
    with starting_fleets(request.node, tmp_path_factory.mktemp("standing")) as start:
        yield start


@pytest.fixture
def authority(tmp_path):
    return certs.Authority(tmp_path)


@pytest.fixture
def start_tls(start_fleet, tmp_path, authority):
    """Starts a fleet of utils and fake with a listener of plain HTTP (port) and one of TLS (tls_port)."""
    def start(tls=None, settings=None, **options):
        fleet = start_fleet({"utils": {}, "fake": fleets.fake_domain("fake", "--log", tmp_path / "fake.log")},
                            start=False, **options)
        fleet.tls_port = fleets.free_port()
        fleet.cert = tmp_path / "server.pem"
        authority.write_server(fleet.cert, serial=1001)
        fleet.settings = {"listen": [{"address": f"127.0.0.1:{fleet.port}"},
                                     {"address": f"https://127.0.0.1:{fleet.tls_port}"}],
                          "tls": {"cert_file": str(fleet.cert), **(tls or {})}, **(settings or {})}
        fleet.message_log = tmp_path / "fake.log"
        fleet.context = authority.context()
        return fleet.start()
    return start


@pytest.fixture
def utils(start_fleet):
    """A fleet that serves the domain `utils`."""
    return start_fleet()


@pytest.fixture
def fake(start_fleet, tmp_path):
    """A fleet of two fake domains, `fake` and `other`; fake's messages are logged in fake.log."""
    started = start_fleet({
        "fake": fleets.fake_domain("fake", "--log", tmp_path / "fake.log"),
        "other": fleets.fake_domain("other"),
    })
    started.message_log = tmp_path / "fake.log"
    return started


class Doors:
    """What a client needs to get at a fleet, by the door that it uses: its address, or a command to start.

    On stdio the client starts the daemon; it and its workers must be gone when the client is.
    """

    def __init__(self, start_fleet, folder, socket_path):
        self.start_fleet = start_fleet
        self.folder = folder
        self.socket_path = socket_path
        self.by_stdio = []

    def enter(self, door, domains):
        return getattr(self, f"over_{door}")(domains)

    def over_sse(self, domains):
        return sdk.way("sse", self.start_fleet(domains))

    def over_http(self, domains):
        return sdk.way("http", self.start_fleet(domains))

    def over_stdio(self, domains):
        fleet = fleets.Fleet(self.folder, domains)
        fleet.known_children = fleets.adopted()
        self.by_stdio.append(fleet)
        fleet.write_settings()
        command = [*fleets.daemon_command(), "--config", str(fleet.settings_path)]
        return {"stdio": {"command": command[0], "args": command[1:],
                          "env": {**fleet.environment(), "MCP_TRANSPORT": "stdio"}}}

    def over_socket(self, domains):
        return sdk.way("socket", self.start_fleet(domains, settings={"local": {"path": str(self.socket_path)}}))

    def close(self):
        for fleet in self.by_stdio:
            try:
                fleet.check_nothing_left()
            finally:
                fleet.kill_everything()


@pytest.fixture
def socket_path():
    """Short enough for a socket's address."""
    with tempfile.TemporaryDirectory(prefix="mcp-s-") as folder:
        yield pathlib.Path(folder, "s")


@pytest.fixture
def doors(start_fleet, tmp_path, socket_path):
    made = Doors(start_fleet, tmp_path, socket_path)
    yield made
    made.close()


@pytest.fixture(params=["sse", "stdio"])
def reach(request, doors):
    """reach(domains) is what a client needs to get at a fleet by one of these doors."""
    return lambda domains: doors.enter(request.param, domains)


@pytest.fixture
def start_stdio(request, tmp_path):
    """Starts mcp-fleetd on pipes: start_stdio(domains, args=[…], env={…}, settings={…})."""
    started = []
    request.node.fleets = getattr(request.node, "fleets", [])

    def start(domains=None, args=(), env=None, settings=None):
        new = stdio.Stdio(tmp_path, domains or {"utils": {}, "fake": fleets.fake_domain("fake")}, args, env, settings)
        started.append(new)
        request.node.fleets.append(new.fleet)
        return new

    yield start
    for each in started:
        each.finish()


@pytest.fixture
def files(tmp_path):
    return sdk.Files(tmp_path / "files")


@pytest.fixture
def repository(tmp_path):
    return sdk.Repository(tmp_path / "repositories")


@pytest.fixture
def hosts(tmp_path):
    started = sdk.Hosts(tmp_path / "hosts")
    yield started
    started.close()


@pytest.fixture(scope="session")
def gateway(envs, tmp_path_factory):
    """A real gateway; who uses it leaves it running, with nothing registered."""
    started = gateways.Gateway(tmp_path_factory.mktemp("gateway") / "run", envs / "venv-gateway")
    try:
        yield started.start()
    finally:
        started.stop()


@pytest.fixture(scope="session")
def long_history(tmp_path_factory):
    """The path of a repository with 100,000 commits, made once; who uses it leaves it as it is."""
    path = tmp_path_factory.mktemp("long") / "repo"
    # Without compression it is there in half the time.
    biginputs.make_long_history(path, "-c", "core.compression=0", "-c", "pack.compression=0")
    yield path
    # pytest would keep it, and remove the 20,000 files of three such runs at the end of a later one.
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def envs():
    """The folder with the virtual environments and node modules that ./check has made."""
    path = pathlib.Path(os.environ.get("MCP_FLEET_ENVS", ""))
    assert os.environ.get("MCP_FLEET_ENVS") and path.is_dir(), \
        "MCP_FLEET_ENVS must name the folder of the clients' environments: run ./check --stage envs"
    yield path
    prefork.close_all()


@pytest.fixture(scope="session")
def packages():
    """The folder of the packages that ./check has made."""
    if not (folder := os.environ.get("MCP_FLEET_PACKAGES")):
        pytest.skip("no packages are here: ./check --stage package makes them, MCP_FLEET_PACKAGES says where they are")
    return pathlib.Path(folder)


@pytest.fixture(scope="session")
def package(packages):
    """The Debian package; what wants it wants to boot a machine, too."""
    if why := container.why_not():
        pytest.skip(why)
    return next(packages.glob("mcp-fleet_*.deb"))
