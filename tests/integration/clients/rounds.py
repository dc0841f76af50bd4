"""Calls without a pause, while somebody else restarts the server: each call and what became of it is a line.

rounds.py SERVER OUTCOMES STOP: SERVER is JSON for the stdio transport of the official Python SDK (1 or 2);
OUTCOMES gets a JSON line for each call that has ended; it goes on until the file STOP is there. Runs in a
virtual environment of its own, so it imports nothing of the tests.
"""

import asyncio
import json
import os
import sys
import time
from importlib.metadata import version

import anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

SLOWNESS = float(os.environ.get("MCP_FLEET_SLOWNESS", "1"))
PATIENCE = 20 * SLOWNESS
server, outcomes_path, stop_path = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
outcomes = open(outcomes_path, "a", buffering=1, encoding="utf-8")  # noqa: SIM115


def note(kind, began, **what):
    outcomes.write(json.dumps({"kind": kind, "seconds": time.monotonic() - began, **what}) + "\n")


async def attempt(kind, token, function):
    """One request: answered, answered with an error, or not at all."""
    began = time.monotonic()
    try:
        with anyio.fail_after(PATIENCE):
            found = await function()
        note(kind, began, token=token, found=found)
    except TimeoutError:
        note(kind, began, token=token, silent=True)
    except Exception as error:  # noqa: BLE001 (the SDK raises several kinds; each is a finding)
        code = getattr(getattr(error, "error", None), "code", None)
        note(kind, began, token=token, code=code, words=str(error)[:300])


async def call_on_and_on(session, caller):
    number = 0
    while not os.path.exists(stop_path):
        token = f"token-{caller}-{number}."

        async def call(text=token):
            result = await session.call_tool("fake_echo", {"text": text})
            return result.content[0].text

        await attempt("call", token, call)
        number += 1
        await asyncio.sleep(0.002)


async def list_on_and_on(session):
    while not os.path.exists(stop_path):
        async def names():
            return sorted(tool.name for tool in (await session.list_tools()).tools)

        await attempt("list", None, names)
        await asyncio.sleep(0.01)


async def main():
    heard = []

    async def on_message(message):
        told = getattr(message, "root", message)
        if getattr(told, "method", "").startswith("notifications/"):
            heard.append(told.method)

    async with stdio_client(StdioServerParameters(**server)) as (read, write), \
            ClientSession(read, write, message_handler=on_message) as session:
        began = time.monotonic()
        await session.initialize()
        note("initialize", began)
        async with anyio.create_task_group() as group:
            for caller in range(4):
                group.start_soon(call_on_and_on, session, caller)
            group.start_soon(list_on_and_on, session)
    note("end", began, sdk=version("mcp"), heard={name: heard.count(name) for name in set(heard)})


anyio.run(main)
