#!/usr/bin/env python3
"""Measures mcp-fleet beside its peers, in one run on one machine, and prints a table for doc/bench.md.

    run.py --build DIR --envs DIR [--seconds S] [--clients 1,10,100,1000] [--skip-kill]

--build has mcp-fleetd, worker-utils and tests/bench/load; --envs has venv-sdk2 (the SDK), venv-bench
(mcp-proxy, which needs the older SDK) and node-bench (supergateway); tests/bench/bench makes them. Servers listen on 127.0.0.1 only. Every figure of a server is of its whole
process tree. The order of servers alternates between rounds, so that drift of the machine hits both.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tree(pid):
    """pid and all its descendants."""
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                todo += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def cpu_seconds(pid):
    ticks = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += sum(map(int, fields[11:15]))  # own, and of children that have ended
    return ticks / TICK


def pss_kib(pid):
    total = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total


class Server:
    """A server under test: started on a free port, ended with all its children."""

    def __init__(self, name, argv, path="/sse", env=None, victim=None):
        self.name, self.argv, self.path, self.env, self.victim = name, argv, path, env or {}, victim

    def __enter__(self):
        self.port = free_port()
        argv = [part.replace("PORT", str(self.port)) for part in self.argv]
        env = {**os.environ, **{k: v.replace("PORT", str(self.port)) for k, v in self.env.items()}}
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            argv, env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True
        )
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                time.sleep(1.0)  # its workers, too
                return self
            time.sleep(0.05)
        self.log.seek(0)
        raise SystemExit(f"{self.name} does not listen: {self.log.read()[-2000:].decode(errors='replace')}")

    def __exit__(self, *_):
        members = tree(self.process.pid)
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        for member in members:
            with contextlib.suppress(OSError):
                os.kill(member, signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def find_victim(self):
        for member in tree(self.process.pid)[1:]:
            command = pathlib.Path(f"/proc/{member}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if self.victim in command and "sh -c" not in command:
                return member
        raise SystemExit(f"{self.name}: no process with '{self.victim}'")


def load_command(options, server, clients, seconds, *more):
    return [
        str(options.build / "tests/bench/load"), "--address", f"127.0.0.1:{server.port}", "--path", server.path,
        "--clients", str(clients), "--seconds", str(seconds), *more,
    ]  # fmt: skip


def measure(options, server, clients):
    before = cpu_seconds(server.process.pid)
    command = load_command(options, server, clients, options.seconds)
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=options.seconds + 90).stdout
    figures = json.loads(out)
    answers = sum(figures.pop("answers_per_100ms"))
    figures["cpu_us_per_call"] = (cpu_seconds(server.process.pid) - before) * 1e6 / max(answers, 1)
    return figures


def measure_idle(options, server, sessions):
    before = pss_kib(server.process.pid)
    command = load_command(options, server, sessions, 1, "--hold")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        time.sleep(2)
        after = pss_kib(server.process.pid)
        holder.communicate(b"\n", timeout=60)
    return {"sessions": sessions, "before_kib": before, "after_kib": after, "each_kib": (after - before) / sessions}


def measure_kill(options, server):
    """10 clients; after 3 s the process that runs the tools is killed; 4 s more are watched."""
    command = load_command(options, server, 10, 6.5, "--unique-ids")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as load:
        time.sleep(3)
        os.kill(server.find_victim(), signal.SIGKILL)
        figures = json.loads(load.communicate(timeout=90)[0])
    tenths = figures["answers_per_100ms"]
    before = statistics.median(tenths[10:25])
    figures["before_per_s"] = before * 10
    figures["second_after_per_s"] = statistics.median(tenths[41:56]) * 10
    figures["after"] = sum(tenths[32:])
    return figures


def servers(options):
    python = str(options.envs / "venv-sdk2/bin/python")
    fleet = Server("mcp-fleet", [str(options.build / "mcp-fleetd"), "--config", str(options.settings)],
                   env={"MCP_TRANSPORT": "sse", "PORT": "PORT"}, victim="worker-utils")  # fmt: skip
    sdk = Server("Python SDK 2", [python, str(HERE / "peers/python_sdk_sse.py"), "PORT"])
    child = [python, str(HERE / "peers/python_sdk_stdio.py")]
    supergateway = Server("supergateway", [str(options.envs / "node-bench/node_modules/.bin/supergateway"), "--stdio",
                          " ".join(child), "--port", "PORT", "--logLevel", "none"], victim="python_sdk_stdio")  # fmt: skip
    proxy = Server("mcp-proxy", [str(options.envs / "venv-bench/bin/mcp-proxy"), "--port", "PORT", "--", *child],
                   victim="python_sdk_stdio")  # fmt: skip
    return fleet, sdk, supergateway, proxy


COLUMNS = [
    ("calls_per_second", "calls/s", "{:.0f}"), ("p50_us", "p50 µs", "{:.0f}"), ("p99_us", "p99 µs", "{:.0f}"),
    ("cpu_us_per_call", "CPU µs/call", "{:.1f}"), ("connect_p50_us", "connect p50 µs", "{:.0f}"),
    ("lost", "lost", "{}"), ("doubled", "doubled", "{}"), ("misdelivered", "misdelivered", "{}"),
]  # fmt: skip


def print_table(rows):
    print("| clients | server | " + " | ".join(title for _, title, _ in COLUMNS) + " |")
    print("|---|---|" + "---|" * len(COLUMNS))
    for clients, name, figures in rows:
        cells = [form.format(figures[key]) for key, _, form in COLUMNS]
        print(f"| {clients} | {name} | " + " | ".join(cells) + " |")
    sys.stdout.flush()


def run_speed(options, fleet, sdk):
    rows = []
    for turn, clients in enumerate(options.clients):
        for server in (fleet, sdk) if turn % 2 == 0 else (sdk, fleet):
            with server:
                rows.append((clients, server.name, measure(options, server, clients)))
    print("\n### Speed\n")
    print_table(sorted(rows, key=lambda row: row[0]))
    print("\nRatios (peer beside mcp-fleet):\n")
    for clients in options.clients:
        ours, theirs = (next(f for c, n, f in rows if c == clients and n == s.name) for s in (fleet, sdk))
        print(
            f"- {clients} clients: calls/s ×{ours['calls_per_second'] / max(theirs['calls_per_second'], 0.1):.1f}, "
            f"CPU a call 1/{theirs['cpu_us_per_call'] / ours['cpu_us_per_call']:.1f}, "
            f"p50 1/{theirs['p50_us'] / ours['p50_us']:.1f}, p99 1/{theirs['p99_us'] / ours['p99_us']:.1f}"
        )
    return all(f["lost"] + f["doubled"] + f["misdelivered"] == 0 for _, n, f in rows if n == fleet.name)


def run_idle(options, fleet, sdk):
    print("\n### Memory of idle sessions (PSS of the whole process tree)\n")
    print("| server | sessions | before KiB | with them KiB | each KiB | all of it / sessions KiB |")
    print("|---|---|---|---|---|---|")
    for server, sessions in ((fleet, 2000), (sdk, 500)):
        with server:
            f = measure_idle(options, server, sessions)
        print(f"| {server.name} | {sessions} | {f['before_kib']} | {f['after_kib']} | {f['each_kib']:.2f} | "
              f"{f['after_kib'] / sessions:.2f} |")  # fmt: skip


def run_kill(options, *candidates):
    print("\n### The worker is killed (SIGKILL) under 10 clients in the middle of calls\n")
    print("| server | calls/s before | calls/s from 1 s after on | answers after the kill | lost | errors told | doubled | to a wrong client |")
    print("|---|---|---|---|---|---|---|---|")
    for server in candidates:
        with server:
            f = measure_kill(options, server)
        print(f"| {server.name} | {f['before_per_s']:.0f} | {f['second_after_per_s']:.0f} | {f['after']} | "
              f"{f['lost']} | {f['errors']} | {f['doubled']} | {f['misdelivered']} |")  # fmt: skip
        sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--envs", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", type=lambda text: [int(n) for n in text.split(",")], default=[1, 10, 100, 1000])
    parser.add_argument("--skip-kill", action="store_true")
    options = parser.parse_args()
    options.settings = HERE / "fleet.yaml"
    fleet, sdk, supergateway, proxy = servers(options)
    print(f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, "
          f"{options.seconds:g} s a figure, 0.5 s of warming up before")  # fmt: skip
    good = run_speed(options, fleet, sdk)
    run_idle(options, fleet, sdk)
    if not options.skip_kill:
        run_kill(options, fleet, supergateway, proxy)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
