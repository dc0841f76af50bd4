"""From nothing: a Debian with its essential packages and apt, the sources, and what README.md says to do with them."""

import os
import pathlib
import re
import signal
import subprocess

import pytest

import container
import fleet as fleets
import machine as machines
import sdk

TOP = pathlib.Path(__file__).resolve().parents[2]
FLAGS = "CFLAGS=-O0 -g0"  # built twice, to be run for seconds
NOT_SOURCES = ("build", "autom4te.cache", "__pycache__")  # of a tree that is no clone


def sources():
    if (TOP / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=TOP, check=True,
                                capture_output=True, text=True).stdout
        return [name for name in listed.split("\0") if name and (TOP / name).is_file()]
    files = (path.relative_to(TOP) for path in TOP.rglob("*") if path.is_file())
    return [str(path) for path in files if not any(part.startswith(NOT_SOURCES) for part in path.parts[:-1])]


@pytest.fixture(scope="module")
def bare(envs, tmp_path_factory):
    if why := container.why_not():
        pytest.skip(why)
    machine = machines.Machine(machines.bare_root(envs), tmp_path_factory.mktemp("machine"))
    try:
        packed = subprocess.run(["tar", "-c", "--null", "-T", "-"], cwd=TOP, check=True, capture_output=True,
                                input="\0".join(sources()).encode()).stdout
        (machine.root / "src").mkdir()
        subprocess.run(["tar", "-x", "-C", machine.root / "src"], check=True, input=packed)
        yield machine
    finally:
        machine.close()


@pytest.mark.timeout(1200)
def test_quickstart_and_check(bare, envs, tmp_path):
    """One command installs, builds and serves; a second one is quick; another installs, builds and tests."""
    quickstart(bare, envs, tmp_path / "said")
    quickstart_again(bare)
    check(bare)


def quickstart(bare, envs, output):
    port = fleets.free_port()
    with output.open("wb") as file:  # a pipe that nobody reads could be full before it serves
        running = bare.begin("env", FLAGS, "/src/quickstart", "--port", port, "--root", "/src", stdout=file, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"

    def serves():
        assert running.poll() is None, output.read_text(errors="replace")
        return fleets.run(["curl", "-sf", f"{address}/ready"]).returncode == 0
    fleets.wait_until(serves, 900, "the fleet of quickstart is ready")
    sdk.every_tool_of_utils(sdk.python_client(envs, 2), {"http": f"{address}/utils/mcp"})
    assert "quickstart" in bare.run("/src/build/mcp-fleetctl", "call", "code_list_files", "path=/src").stdout
    daemon = next(pid for pid in fleets.descendants(running.pid) if fleets.command_line(pid)[0].endswith("mcp-fleetd"))
    os.kill(daemon, signal.SIGINT)  # Ctrl-C
    status = running.wait(60 * fleets.SLOWNESS)
    said = output.read_text(errors="replace")
    assert status == 0, said
    assert f"serving filesystem, git, network and utils on {address} for /src" in said


def run(bare, *words):
    running = bare.begin("env", FLAGS, *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = running.communicate(timeout=900)[0].decode(errors="replace")
    # nspawn's own word, where /run is no tmpfs
    return running.returncode, re.sub("^Attempted to remove disk file system under .*\n", "", said, flags=re.M)


def quickstart_again(bare):
    built = bare.root / "src/build/mcp-fleetd"
    before = built.stat().st_mtime_ns
    assert run(bare, "/src/quickstart", "--no-start") == (0, "quickstart: built: /src/build/mcp-fleetd\n")
    assert built.stat().st_mtime_ns == before


def check(bare):
    """With the stages that need no client from outside; ./check as a whole would come to here again."""
    status, said = run(bare, "/src/check", "--stage", "unit")
    last = said.rstrip().splitlines()[-1]
    assert status == 0 and re.fullmatch(r"check: \d{4,} passed, 0 failed, \d+ skipped", last), said[-6000:]
