#!/usr/bin/env python3
"""A stdio MCP server whose every message about a call names who called: what comes to another is seen at once.

Its tool `tell` takes a word, reports `steps` times progress with it, `pause` milliseconds apart, and answers it.
--tools N lists as many more, so that the list has pages worth the name. Standard library only; one loop for all calls.
"""

import argparse
import asyncio
import json
import os
import sys

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--name", required=True)
parser.add_argument("--tools", type=int, default=0)
options = parser.parse_args()
running = {}  # request id -> task


def send(message):
    data = json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
    while data:
        data = data[os.write(1, data):]


def tool(name):
    return {"name": name, "description": f"Of {options.name}.", "inputSchema": {"type": "object"},
            "annotations": {"readOnlyHint": True}}


async def tell(number, params):
    arguments, token = params["arguments"], params.get("_meta", {}).get("progressToken")
    try:
        for step in range(1, arguments["steps"] + 1):
            await asyncio.sleep(arguments["pause"] / 1000)
            if token is not None:
                send({"method": "notifications/progress", "params": {
                    "progressToken": token, "progress": step, "message": arguments["word"]}})
        send({"id": number, "result": {"content": [{"type": "text", "text": arguments["word"]}]}})
    finally:
        running.pop(number, None)


def take(message):
    method, params, number = message.get("method"), message.get("params", {}), message.get("id")
    if method == "initialize":
        send({"id": number, "result": {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                                       "serverInfo": {"name": options.name, "version": "1"}}})
    elif method == "tools/list":
        names = ["tell", *(f"more_{index:03}" for index in range(options.tools))]
        send({"id": number, "result": {"tools": [tool(name) for name in names]}})
    elif method == "tools/call":
        running[number] = asyncio.get_running_loop().create_task(tell(number, params))
    elif method == "notifications/cancelled":
        if task := running.get(params["requestId"]):
            task.cancel()
    elif method == "ping":
        send({"id": number, "result": {}})
    elif number is not None:
        send({"id": number, "error": {"code": -32601, "message": "Method not found"}})


async def main():
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        take(json.loads(line))


asyncio.run(main())
