"""Fixtures of all integration tests; see fleet.py for what is checked after each."""

import os
import pathlib
import resource
import shutil
import subprocess

import pytest

pytest.register_assert_rewrite("fleet", "gateway", "remote", "sdk", "stdio", "wire")

import biginputs  # noqa: E402 (after the line above, or its assertions explain nothing)
import fleet as fleets  # noqa: E402
import sdk  # noqa: E402
import stdio  # noqa: E402
import wire  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def pytest_configure():
    fleets.adopt_orphans()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the daemons' logs below a failure."""
    report = yield
    if report.failed:
        for started in getattr(item, "fleets", []):
            report.sections.append((f"log of mcp-fleetd, {call.when}", started.log()[-20000:]))
    return report


@pytest.fixture
def start_fleet(request, tmp_path):
    """Starts a fleet: start_fleet(domains={…}, settings={…}, env={…}, args=[…]).

    With wait=False it may not be ready yet, with start=False the test starts it itself.
    """
    started = []
    request.node.fleets = getattr(request.node, "fleets", [])

    def make(domains=None, settings=None, env=None, args=(), wait=True, start=True):
        new = fleets.Fleet(tmp_path, domains or {"utils": {}}, settings, env, args)
        started.append(new)
        request.node.fleets.append(new)
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


@pytest.fixture(params=["sse", "stdio"])
def reach(request, start_fleet, tmp_path):
    """reach(domains) is what a client needs to get at a fleet: its address, or its command.

    On stdio the client starts the daemon; it and its workers must be gone when the client is.
    """
    by_stdio = []

    def over_sse(domains):
        return {"sse": f"{start_fleet(domains).url}/sse"}

    def over_stdio(domains):
        fleet = fleets.Fleet(tmp_path, domains)
        fleet.known_children = fleets.adopted()
        by_stdio.append(fleet)
        fleet.write_settings()
        command = [*fleets.daemon_command(), "--config", str(fleet.settings_path)]
        return {"stdio": {"command": command[0], "args": command[1:],
                          "env": {**fleet.environment(), "MCP_TRANSPORT": "stdio"}}}

    yield over_sse if request.param == "sse" else over_stdio
    for fleet in by_stdio:
        try:
            fleet.check_nothing_left()
        finally:
            fleet.kill_everything()


@pytest.fixture
def start_stdio(request, tmp_path):
    """Starts mcp-fleetd on pipes: start_stdio(domains, args=[…], env={…})."""
    started = []
    request.node.fleets = getattr(request.node, "fleets", [])

    def start(domains=None, args=(), env=None):
        new = stdio.Stdio(tmp_path, domains or {"utils": {}, "fake": fleets.fake_domain("fake")}, args, env)
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
    return path
