"""Calls tools by Streamable HTTP with the official Python SDK 1, as it is told line by line.

A line is JSON: {"url", "token", "calls": [{"tool", "arguments"}]}; for each there comes one line
{"tools": [names], "results": [...]} or {"failed": words}. Runs in a virtual environment of its own.
"""

import json
import sys

import anyio
import httpx
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client


async def carry_out(plan):
    headers = {"Authorization": f"Bearer {plan['token']}"}
    async with httpx.AsyncClient(headers=headers, timeout=60, follow_redirects=True) as client, \
            streamable_http_client(plan["url"], http_client=client) as (read, write, *_), \
            ClientSession(read, write) as session:
        await session.initialize()
        names, cursor = [], None
        while True:
            page = await session.list_tools(cursor)
            names += [tool.name for tool in page.tools]
            cursor = page.nextCursor
            if not cursor:
                break
        results = [(await session.call_tool(step["tool"], step["arguments"])).model_dump(mode="json", by_alias=True)
                   for step in plan["calls"]]
        return {"tools": names, "results": results}


def main():
    for line in sys.stdin:
        try:
            outcome = anyio.run(carry_out, json.loads(line))
        except Exception as error:  # noqa: BLE001 (the SDK raises several kinds, in groups; each is a finding)
            outcome = {"failed": repr(error)}
        print(json.dumps(outcome), flush=True)


main()
