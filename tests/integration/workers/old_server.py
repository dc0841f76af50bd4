#!/usr/bin/env python3
"""A stdio MCP server as they were written in 2024: it knows the revision 2024-11-05 and nothing later.

No titles, annotations or output schemas, no completions, no structured content; its list comes in pages of one.
It answers whatever it does not know with -32601, also `server/discover`. Standard library only.
"""

import json
import sys

TOOLS = [
    {"name": "echo", "description": "Gives back what it gets.",
     "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}},
    {"name": "add", "description": "Adds.",
     "inputSchema": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}},
]


class Refusal(Exception):
    """An error with a code."""


def text(value):
    return {"content": [{"type": "text", "text": str(value)}]}


def list_tools(params):
    page = int(params.get("cursor", 0))
    result = {"tools": TOOLS[page:page + 1]}
    return {**result, "nextCursor": str(page + 1)} if page + 1 < len(TOOLS) else result


def call_tool(params):
    arguments = params.get("arguments", {})
    if params["name"] == "echo":
        return text(arguments["text"])
    if params["name"] == "add":
        return text(arguments["a"] + arguments["b"])
    raise Refusal(-32602, f"Unknown tool: {params['name']}")


def read_resource(params):
    if params["uri"] != "test://note":
        raise Refusal(-32002, "Resource not found")
    return {"contents": [{"uri": "test://note", "mimeType": "text/plain", "text": "noted"}]}


METHODS = {
    "initialize": lambda params: {
        "protocolVersion": "2024-11-05", "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
        "serverInfo": {"name": "old", "version": "0.1"}},
    "ping": lambda params: {},
    "tools/list": list_tools,
    "tools/call": call_tool,
    "resources/list": lambda params: {"resources": [{"uri": "test://note", "name": "note", "mimeType": "text/plain"}]},
    "resources/templates/list": lambda params: {"resourceTemplates": []},
    "resources/read": read_resource,
    "prompts/list": lambda params: {"prompts": [{"name": "greet", "arguments": [{"name": "name", "required": True}]}]},
    "prompts/get": lambda params: {"messages": [
        {"role": "user", "content": {"type": "text", "text": f"Hello, {params['arguments']['name']}"}}]},
}


def answer(message):
    try:
        if message["method"] not in METHODS:
            raise Refusal(-32601, "Method not found")
        return {"result": METHODS[message["method"]](message.get("params", {}))}
    except Refusal as refusal:
        return {"error": {"code": refusal.args[0], "message": refusal.args[1]}}


for line in sys.stdin:
    request = json.loads(line)
    if "id" in request and "method" in request:
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer(request)}), flush=True)
