"""Carries out a plan with FastMCP's client; sdk.py and sdk_python.py have the plan and what comes back."""

import json
import sys
from importlib.metadata import version

import anyio
from fastmcp import Client
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport


def dump(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def transport_of(plan):
    way = plan["transport"]
    if "sse" in way:
        return SSETransport(way["sse"])
    if "http" in way:
        return StreamableHttpTransport(way["http"])
    return StdioTransport(**way["stdio"], keep_alive=False)


async def attempt(coroutine):
    try:
        return {"result": dump(await coroutine)}
    except Exception as error:  # noqa: BLE001 (each kind is a finding)
        return {"raised": f"{type(error).__name__}: {error}"}


async def run_tour(plan):
    seen = []

    async def on_progress(progress, total, message):
        seen.append([progress, total, message])

    async with Client(transport_of(plan), mode=plan.get("era", "legacy")) as client:
        tools = [dump(tool) for tool in await client.list_tools()]
        answers = [await attempt(client.call_tool_mcp(step["tool"], step["arguments"])) for step in plan["calls"]]
        steps = await attempt(client.call_tool_mcp(plan["steps"], {"count": 3}, progress_handler=on_progress))
        await anyio.sleep(0.1)
        return {"revision": client.protocol_version, "tools": tools, "answers": answers, "steps": steps, "progress": seen}


def main():
    plan = json.load(sys.stdin)
    outcome = anyio.run(run_tour, plan)
    json.dump({"sdk": version("fastmcp"), **outcome}, sys.stdout)


if __name__ == "__main__":
    main()
