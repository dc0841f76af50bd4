#!/usr/bin/env python3
"""A stdio MCP server with one tool, which answers with the `_meta` that its call came with."""

import json
import sys

RESULTS = {
    "initialize": lambda params: {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                                  "serverInfo": {"name": "meta", "version": "1"}},
    "ping": lambda params: {},
    "tools/list": lambda params: {"tools": [{"name": "meta", "inputSchema": {"type": "object"}}]},
    "tools/call": lambda params: {"content": [{"type": "text", "text": json.dumps(params.get("_meta", {}))}]},
}

for line in sys.stdin:
    request = json.loads(line)
    if request.get("method") in RESULTS:
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"],
                          "result": RESULTS[request["method"]](request.get("params", {}))}), flush=True)
