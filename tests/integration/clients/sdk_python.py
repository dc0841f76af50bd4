"""Carries out a plan with the official Python SDK, major version 1 or 2, whichever is installed.

The plan comes as JSON on standard input, what happened goes as JSON to standard output; sdk.py has
both. Runs in a virtual environment of its own, so it imports nothing of the tests.
"""

import contextlib
import json
import sys
import time
from importlib.metadata import version

import anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

MAJOR = int(version("mcp").split(".")[0])


@contextlib.asynccontextmanager
async def connect(plan, **options):
    """An initialized session, and what the server said."""
    async with streams_of(plan["transport"]) as (read, write, *_), ClientSession(read, write, **options) as session:
        yield session, await session.initialize()


def streams_of(transport):
    if "sse" in transport:
        # A hundred clients in one process on a busy machine take their time to connect.
        return sse_client(transport["sse"], headers=transport.get("headers"), timeout=60)
    if "http" in transport:
        client = create_mcp_http_client(headers=transport["headers"]) if "headers" in transport else None
        return streamable_http_client(transport["http"], http_client=client)
    return stdio_client(StdioServerParameters(**transport["stdio"]))


def dump(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def call(session, tool, arguments, **options):
    """The result of a call, or its error, as plain data."""
    try:
        return {"result": dump(await session.call_tool(tool, arguments, **options))}
    except Exception as error:  # noqa: BLE001 (the SDK raises several kinds; each is a finding)
        return {"raised": f"{type(error).__name__}: {error}"}


async def run_calls(plan):
    async with connect(plan) as (session, server):
        tools = dump(await session.list_tools())["tools"]
        results = [await call(session, step["tool"], step["arguments"]) for step in plan["calls"]]
        return {"server": dump(server), "tools": tools, "results": results}


async def run_progress(plan):
    seen = []

    async def on_progress(progress, total, message):
        seen.append([progress, total, message])

    async with connect(plan) as (session, _):
        answer = await call(session, plan["tool"], plan["arguments"], progress_callback=on_progress)
        await anyio.sleep(0.1)  # callbacks of version 2 run beside the call
        return {"answer": answer, "progress": seen}


async def cancel_by_notification(session, number):
    """Version 1 does not tell the server when a caller gives up; its user does."""
    from mcp import types

    await session.send_notification(types.ClientNotification(types.CancelledNotification(
        method="notifications/cancelled",
        params=types.CancelledNotificationParams(requestId=number, reason="enough"))))


async def run_cancel(plan):
    """Starts a call, gives it up after `after` seconds, and makes another one."""
    async with connect(plan) as (session, _):
        number = session._request_id if MAJOR == 1 else None
        with anyio.move_on_after(plan["after"]) as scope:
            await session.call_tool(plan["tool"], plan["arguments"])
        if number is not None:
            await cancel_by_notification(session, number)
        begin = time.monotonic()
        then = await call(session, plan["then"], {})
        return {"gave_up": scope.cancelled_caught, "then": then, "seconds": time.monotonic() - begin}


async def run_tour(plan):
    """What a client does on a first visit: the list, calls, one of them with progress."""
    seen = []

    async def on_progress(progress, total, message):
        seen.append([progress, total, message])

    async with visit(plan) as (session, revision):
        tools = dump(await session.list_tools())["tools"]
        answers = [await call(session, step["tool"], step["arguments"]) for step in plan["calls"]]
        steps = await call(session, plan["steps"], {"count": 3}, progress_callback=on_progress)
        await anyio.sleep(0.1)
        return {"revision": revision, "tools": tools, "answers": answers, "steps": steps, "progress": seen}


@contextlib.asynccontextmanager
async def visit(plan, **options):
    """A session and its revision; version 2 negotiates as the plan's `era` says: legacy, auto, or a modern revision."""
    if "era" not in plan:
        async with connect(plan, **options) as (session, server):
            yield session, server.protocolVersion if MAJOR == 1 else server.protocol_version
        return
    from mcp import Client

    async with Client(streams_of(plan["transport"]), mode=plan["era"], **options) as client:
        yield client, client.protocol_version


async def run_many(plan):
    """`clients` sessions at once, each with `turns` calls whose answers only it can have."""
    wrong = []

    async def one(index):
        try:
            async with connect(plan) as (session, _):
                for turn in range(plan["turns"]):
                    text = f"client-{index}-turn-{turn}"
                    result = dump(await session.call_tool(plan["tool"], {"text": text}))
                    if text.upper() not in result["content"][0]["text"].upper():
                        wrong.append([text, result])
        except Exception as error:  # noqa: BLE001
            wrong.append([f"client-{index}", repr(error)])

    async with anyio.create_task_group() as group:
        for index in range(plan["clients"]):
            group.start_soon(one, index)
    return {"wrong": wrong}


async def run_roots(plan):
    """Two calls with each of the sets of roots; a client with a session says that they have changed."""
    from mcp import types

    told = {"roots": [], "times": 0}

    async def list_roots(_):
        told["times"] += 1
        return types.ListRootsResult(roots=[types.Root(uri=uri) for uri in told["roots"]])

    answers = []
    async with visit(plan, list_roots_callback=list_roots) as (session, revision):
        for roots in plan["roots"]:
            told["roots"] = roots
            if answers and plan.get("era") != "auto":
                await getattr(session, "session", session).send_roots_list_changed()
            answers += [await call(session, plan["tool"], {}) for _ in range(2)]
    return {"revision": revision, "answers": answers, "times_asked": told["times"]}


SCENARIOS = {"calls": run_calls, "progress": run_progress, "cancel": run_cancel, "many": run_many, "tour": run_tour,
             "roots": run_roots}


def main():
    plan = json.load(sys.stdin)
    outcome = anyio.run(SCENARIOS[plan["scenario"]], plan)
    json.dump({"sdk": version("mcp"), **outcome}, sys.stdout)


if __name__ == "__main__":
    main()
