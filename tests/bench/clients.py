#!/usr/bin/env python3
"""Many clients that each ask now and then, as people and agents do, for minutes: latency, throughput, errors.

    clients.py --build DIR [--clients 100] [--per-minute 1000] [--seconds 300]

Prints a table for doc/bench.md, and ends with 1 when a call failed, was lost, doubled or misdelivered. The calls are
spread evenly: no two clients call at the same time, so what is measured is one call on an almost idle machine.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys

import run

FAULTS = ("errors", "lost", "doubled", "misdelivered", "refused", "failed_clients", "late")


def measure(options):
    command = [str(options.build / "mcp-fleetd"), "--config", str(run.HERE / "fleet.yaml")]
    with run.Server("mcp-fleet", command, env={"MCP_TRANSPORT": "sse", "PORT": "PORT"}) as server:
        before = run.cpu_seconds(server.process.pid)
        load = run.load_command(options, server, options.clients, options.seconds,
                                "--warm", "0", "--per-minute", str(options.per_minute))
        out = subprocess.run(load, stdout=subprocess.PIPE, check=True, timeout=options.seconds + 90).stdout
        figures = json.loads(out)
        figures["cpu_us_per_call"] = (run.cpu_seconds(server.process.pid) - before) * 1e6 / max(figures["calls"], 1)
        figures["pss_kib"] = run.pss_kib(server.process.pid)
        return figures


def show(options, figures):
    n_faults = sum(figures[name] for name in FAULTS)
    print(f"{datetime.date.today()}, {options.seconds:g} s, {platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}\n")
    print("| clients | calls | calls/minute | p50 µs | p95 µs | p99 µs | longest µs | errors | error rate | CPU µs/call | PSS KiB |")
    print("|---" * 11 + "|")
    print(f"| {options.clients} | {figures['calls']} | {figures['calls'] * 60 / options.seconds:.0f} "
          f"| {figures['p50_us']:.0f} | {figures['p95_us']:.0f} | {figures['p99_us']:.0f} | {figures['max_us']:.0f} "
          f"| {n_faults} | {n_faults / max(figures['calls'], 1):.2%} "
          f"| {figures['cpu_us_per_call']:.0f} | {figures['pss_kib']} |")
    print("\n" + ", ".join(f"{name.replace('_', ' ')} {figures[name]}" for name in FAULTS))
    return n_faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--per-minute", type=float, default=1000)
    parser.add_argument("--seconds", type=float, default=300)
    options = parser.parse_args()
    options.build = options.build.resolve()
    figures = measure(options)
    n_faults = show(options, figures)
    wanted = options.per_minute * options.seconds / 60
    if figures["calls"] < wanted * 0.99:
        sys.exit(f"{figures['calls']} calls of {wanted:g} were measured")
    sys.exit(n_faults > 0)


if __name__ == "__main__":
    main()
