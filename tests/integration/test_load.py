"""The load of doc/bench.md's "Many clients", in short: every call is answered, once, on the stream of the client that
made it, and with its own text. `make bench-load-clients` measures for five minutes; times are no matter here."""

import json
import subprocess

import pytest

import fleet as fleets

CLIENTS = 100
FAULTS = ("errors", "lost", "doubled", "misdelivered", "refused", "failed_clients")


def load(fleet, *options):
    program = fleets.build_dir() / "tests" / "bench" / "load"
    if not program.exists():
        fleets.run(["make", "-C", str(fleets.build_dir()), "tests/bench/load"], timeout=120 * fleets.SLOWNESS)
    return fleets.spawn([str(program), "--address", f"127.0.0.1:{fleet.port}", "--warm", "0", *map(str, options)],
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process, timeout):
    out, err = process.communicate(timeout=timeout * fleets.SLOWNESS)
    assert process.returncode == 0, err
    return json.loads(out), err.decode()


@pytest.mark.timeout(180)
def test_many_clients(start_fleet):
    """At twenty times the rate of the long run, with whole rounds of all clients."""
    utils = start_fleet({"utils": {"processes": {"max": 1}}})  # else the descriptors of a grown pool are left at the end
    figures, err = finish(load(utils, "--clients", CLIENTS, "--per-minute", 20000, "--seconds", 10), 100)
    assert {name: figures[name] for name in FAULTS} == dict.fromkeys(FAULTS, 0), err
    # A slow machine may be behind with its calls; a load that is none would show nothing.
    assert figures["calls"] >= CLIENTS * 5
    fleets.wait_until(lambda: utils.status()["sessions"] == 0, 5, "all sessions have ended")


def test_a_fault_is_seen(start_fleet):
    """By the generator, when calls fail and when answers are not the client's: else its zeros would mean nothing."""
    fleet = start_fleet({"fake": fleets.fake_domain("fake"), "utils": {}})
    process = load(fleet, "--clients", 10, "--per-minute", 6000, "--seconds", 1, "--tool", "no_such_tool")
    figures, _ = finish(process, 60)
    assert figures["errors"] > 10 and figures["calls"] == 0
    process = load(fleet, "--clients", 10, "--per-minute", 6000, "--seconds", 1, "--tool", "fake_environment")
    figures, _ = finish(process, 60)
    assert figures["misdelivered"] > 10 and figures["calls"] == 0
