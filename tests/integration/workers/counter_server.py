#!/usr/bin/env python3
"""A stdio MCP server that keeps state: it counts its calls, and tells its pid and working directory.

--tools FILE: names of further tools, one a line; read at the start, so that a later run can offer others.
Standard library only.
"""

import argparse
import json
import os
import sys
import time

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--tools", metavar="FILE")
parser.add_argument("--start-log", metavar="FILE", help="append a line at each start")
options = parser.parse_args()
count = 0


def names():
    more = open(options.tools, encoding="utf-8").read().split() if options.tools else []
    return ["counter_count", "counter_sleep", *more]


def call(params):
    global count
    count += 1
    if params["name"] == "counter_sleep":
        time.sleep((params.get("arguments") or {}).get("seconds", 1))
    told = {"pid": os.getpid(), "count": count, "cwd": os.getcwd(), "tool": params["name"]}
    return {"content": [{"type": "text", "text": json.dumps(told)}]}


def answer(message):
    method, params = message["method"], message.get("params") or {}
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "counter", "version": "1.0"}}
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names()]}
    if method == "tools/call":
        return call(params)
    return {} if method == "ping" else None


def main():
    if options.start_log:
        with open(options.start_log, "a", encoding="utf-8") as log:
            log.write(f"{os.getpid()}\n")
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        result = answer(message)
        told = {"result": result} if result is not None else {"error": {"code": -32601, "message": "no such method"}}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **told}), flush=True)


main()
