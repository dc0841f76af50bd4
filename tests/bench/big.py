#!/usr/bin/env python3
"""Measures calls on big inputs through mcp-fleetd, and prints a table for doc/bench.md.

    big.py --build DIR [--entries N] [--repeat N] [--disk DIR]

A file of 1 GiB that has all its bytes on --disk, a folder of --entries empty files in /dev/shm, a
repository of 100,000 commits on --disk: those of tests/integration/biginputs.py. Each call is the only one
of a fleet that was started for it, so that the peak memory (VmHWM) is of this call. The time is what a
client waits, from its POST to the whole answer; the median of the repetitions is told, of the memory the
most.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
sys.dont_write_bytecode = True

import biginputs  # noqa: E402 (after the line that finds it)
import fleet as fleets  # noqa: E402
from biginputs import COMMITS, GIB, MIB  # noqa: E402

CALL_MAX_S = 120


def measure_once(folder, domain, root, tool, arguments):
    """Seconds, peak MiB of the worker and of the daemon, MiB of the answer."""
    fleet = fleets.Fleet(folder, {domain: {"roots": [str(root)], "call_timeout": f"{CALL_MAX_S}s"}})
    fleet.start()
    try:
        with fleet.session(timeout=CALL_MAX_S) as session:
            began = time.monotonic()
            answer = session.call(tool, arguments)
            took = time.monotonic() - began
        if "error" in answer or answer["result"].get("isError"):
            raise SystemExit(f"{tool} {arguments}: {json.dumps(answer)[:500]}")
        peak = max(biginputs.peak_kib(pid) for pid in fleet.workers(domain)) / 1024
        daemon = biginputs.peak_kib(fleet.pid) / 1024
    finally:
        fleet.stop()
    return took, peak, daemon, len(json.dumps(answer, separators=(",", ":"))) / MIB


def measure(options, folder, domain, root, calls):
    for tool, arguments in calls:
        runs = list(zip(*(measure_once(folder, domain, root, tool, arguments) for _ in range(options.repeat))))
        shown = ", ".join(f"{name} {json.dumps(value)}" for name, value in arguments.items())
        print(f"| {tool} {shown} | {statistics.median(runs[0]):.2f} | {max(runs[1]):.0f} | {max(runs[2]):.0f} | "
              f"{max(runs[3]):.2f} |", flush=True)  # fmt: skip


def print_head(title):
    print(f"\n### {title}\n")
    print("| call | s | worker MiB | daemon MiB | answer MiB |")
    print("|---|---|---|---|---|", flush=True)


def measure_file(options, folder):
    root = folder / "file"
    root.mkdir()
    lines = biginputs.make_huge_file(root / "huge", GIB - MIB)
    most = 2700 * 1024 // 64  # lines of the largest answer that is possible
    print_head(f"A file of 1 GiB, {lines + 2001} lines")
    measure(options, folder, "filesystem", root, [
        ("code_read", {"path": "huge", "head": 3}),
        ("code_read", {"path": "huge", "tail": 3}),
        ("code_read", {"path": "huge", "offset": lines // 2, "limit": 3}),
        ("code_read", {"path": "huge", "offset": lines - most, "limit": most}),
        ("code_get_info", {"path": "huge"}),
        ("code_get_info", {"path": "huge", "hash": True}),
        ("code_search_content", {"query": "begin"}),
        ("code_copy", {"source": "huge", "destination": "copy", "overwrite": True}),
    ])


def measure_folder(options, folder):
    with tempfile.TemporaryDirectory(prefix="mcp-fleet-big.", dir="/dev/shm") as name:
        root = pathlib.Path(name)
        biginputs.make_wide_folder(root / "wide", options.entries)
        print_head(f"A folder of {options.entries} files")
        last = biginputs.wide_name(options.entries - 1)
        measure(options, folder, "filesystem", root, [
            ("code_list_directory", {"path": "wide", "max_entries": 2000}),
            ("code_list_directory", {"path": "wide", "sort_by": "modified"}),
            ("code_list_files", {"path": "wide"}),
            ("code_tree", {}),
            ("code_find_file", {"name_pattern": last}),
            ("code_find_file", {"name_pattern": "*", "max_results": 50000}),
            ("code_search_content", {"query": "nowhere"}),
            ("code_disk_usage", {"max_entries": 2000000}),
        ])


def measure_history(options, folder):
    root = folder / "repo"
    biginputs.make_long_history(root)
    print_head(f"A repository of {COMMITS} commits, {biginputs.FILES} files")
    measure(options, folder, "git", root, [
        ("git_log", {"max_count": 10}),
        ("git_log", {"max_count": 1000}),
        ("git_log", {"max_count": 1000, "skip": COMMITS - 500}),
        ("git_log", {"grep": "nothing has this"}),
        ("git_log", {"file_path": "file", "max_count": 1000}),
        ("git_blame", {"file_path": "file"}),
        ("git_show", {"revision": f"HEAD~{COMMITS}"}),
        ("git_diff", {"target": f"HEAD~{COMMITS}..HEAD", "stat": True}),
        ("git_get_status", {}),
        ("git_grep", {"pattern": "nothing has this"}),
        ("git_branch", {"contains": f"HEAD~{COMMITS}"}),
    ])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--entries", type=int, default=1000000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--disk", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()))
    options = parser.parse_args()
    os.environ["MCP_FLEET_BUILD"] = str(options.build.resolve())
    fleets.adopt_orphans()
    print(f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, "
          f"load {os.getloadavg()[0]:.1f} at the start, median of {options.repeat}")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="mcp-fleet-big.", dir=options.disk) as name:
        for each in measure_file, measure_folder, measure_history:
            folder = pathlib.Path(name, each.__name__)
            folder.mkdir()
            each(options, folder)
            with contextlib.suppress(FileNotFoundError):  # two GiB that nobody needs any more
                for path in (folder / "file").iterdir():
                    path.unlink()


main()
