"""Clients with the same ids, tokens and cursors, over all doors at once, at full load: no message crosses over.

Random schedules of calls, cancellations, lists, disconnections and resumptions; see crossing.py. The seed is in the output of a
failure; MCP_FLEET_CROSSING_SEED runs it again, MCP_FLEET_CROSSING_SECONDS longer or shorter than the minute.
"""

import asyncio
import collections
import gc
import os
import pathlib
import random
import socket
import sys

import pytest

import crossing
import fleet as fleets

SECONDS = float(os.environ.get("MCP_FLEET_CROSSING_SECONDS", "60" if fleets.SLOWNESS == 1 else "10"))
SEED = os.environ.get("MCP_FLEET_CROSSING_SEED") or random.SystemRandom().randrange(1 << 32)
WORKER = pathlib.Path(__file__).resolve().parent / "workers" / "secret_server.py"
CLIENTS = 2  # of each door and endpoint
TOOLS = 250  # of each domain
PAGE = 60  # tools: five pages of a domain, nine of both

pytestmark = pytest.mark.timeout(SECONDS * fleets.SLOWNESS + 120)


def domain(name):
    return {"command": [sys.executable, str(WORKER), "--name", name, "--tools", str(TOOLS)], "concurrency": 256}


def tools_of(*domains):
    return sorted(f"{name}_{tool}" for name in domains for tool in ("tell", *(f"more_{index:03}" for index in range(TOOLS))))


def settings(socket_path):
    return {"local": {"path": str(socket_path)}, "tools": {"page_size": PAGE}}


class Crowd:
    """Clients, some of each door and endpoint."""

    def __init__(self):
        self.clients = []

    def add(self, door, make, domain="", count=CLIENTS):
        tools = tools_of(domain) if domain else tools_of("one", "two")
        for index in range(count):
            self.clients.append(crossing.Client(
                f"{door}-{domain or 'all'}-{index}", SEED, make, f"{domain or 'one'}_tell", tools))

    def run(self, seconds):
        print("seed", SEED)
        counts = asyncio.run(crossing.run_all(self.clients, seconds))
        gc.collect()  # closes connections that had something to write when their loop ended
        print(counts)
        # Nobody was left out, so the silence of the others proves something.
        cancelled = collections.Counter()
        for name, found in counts.items():
            assert found["answers"] > seconds and found["progress"], (name, found)
            assert found["cursors"] >= 4 * found["lists"] > 0, (name, found)
            cancelled[name.split("-")[0]] += found["cancelled"]
        assert all(cancelled.values()), cancelled
        return counts


@pytest.mark.slow
@pytest.mark.sanitizers
def test_no_message_crosses_over(start_fleet, socket_path):
    fleet = start_fleet({"one": domain("one"), "two": domain("two")}, settings=settings(socket_path))
    crowd = Crowd()
    for name in ("", "one", "two"):
        prefix = f"/{name}" if name else ""
        crowd.add("sse", lambda hear, prefix=prefix: crossing.Sse(hear, fleet.port, prefix), name)
        crowd.add("mcp", lambda hear, prefix=prefix: crossing.Streamable(hear, fleet.port, prefix), name)
        crowd.add("modern", lambda hear, prefix=prefix: crossing.Modern(hear, fleet.port, prefix), name)
    crowd.add("socket", lambda hear: crossing.Lines(hear, socket_path))
    crowd.run(SECONDS)
    fleets.wait_until(lambda: fleet.health()["sessions"] == 0, 10, "no session")


def can_connect(path):
    """The file is there a moment before anybody listens."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


@pytest.mark.slow
def test_no_message_crosses_over_from_standard_output(start_stdio, socket_path):
    started = start_stdio({"one": domain("one"), "two": domain("two")}, settings=settings(socket_path))
    fleets.wait_until(lambda: can_connect(socket_path), 20, "the socket takes connections")
    crowd = Crowd()
    crowd.add("stdio", lambda hear: crossing.Pipes(hear, started.process), count=1)
    crowd.add("socket", lambda hear: crossing.Lines(hear, socket_path))
    crowd.run(SECONDS / 6)


# --- the judge ------------------------------------------------------------------------------------

FOREIGN = {
    "an answer to nothing": {"id": 2, "result": {"content": [{"type": "text", "text": "me/0"}]}},
    "another's word": {"id": 1, "result": {"content": [{"type": "text", "text": "you/0"}]}},
    "the word of an earlier call": {"id": 1, "result": {"content": [{"type": "text", "text": "me/7"}]}},
    "an id of another type": {"id": "1", "result": {"content": [{"type": "text", "text": "me/0"}]}},
    "an error": {"id": 1, "error": {"code": -31003, "message": "busy"}},
    "progress of nothing": {"method": "notifications/progress", "params": {"progressToken": 2, "progress": 1, "message": "me/0"}},
    "progress with another's word": {"method": "notifications/progress", "params": {"progressToken": 1, "progress": 1, "message": "you/0"}},
    "a token of another type": {"method": "notifications/progress", "params": {"progressToken": "1", "progress": 1, "message": "me/0"}},
    "a request": {"id": 1, "method": "roots/list"},
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_foreign_is_seen(what):
    async def hear():
        ledger = crossing.Ledger("me")
        ledger.begin(1, 1)
        with pytest.raises(crossing.Crossed):
            ledger.hear({"jsonrpc": "2.0", **FOREIGN[what]})

    asyncio.run(hear())


def test_what_is_ones_own_is_taken():
    async def hear():
        ledger = crossing.Ledger("me")
        call = ledger.begin(1, 1)
        ledger.hear({"method": "notifications/progress", "params": {"progressToken": 1, "progress": 1, "message": "me/0"}})
        ledger.hear({"id": 1, "result": {"content": [{"type": "text", "text": "me/0"}]}})
        assert call.done.done()
        with pytest.raises(crossing.Crossed):  # twice
            ledger.hear({"id": 1, "result": {"content": [{"type": "text", "text": "me/0"}]}})

    asyncio.run(hear())
