#!/usr/bin/env python3
"""The server that the documents take for somebody's own: it keeps notes in a folder, and cannot start without it.

usage: server [FOLDER]. Standard library only.
"""

import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/tmp")
if not folder.is_dir():
    sys.exit(f"notes: there is no folder {folder}")

TOOLS = [{"name": name, "description": text, "inputSchema": {"type": "object", "properties": {argument: {"type": "string"}},
                                                            "required": [argument]}}
         for name, text, argument in (("add", "Add a note.", "text"), ("search", "Search the notes.", "query"))]


def call(name, arguments):
    kept = folder / "notes.txt"
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    if name == "add":
        kept.write_text("\n".join([*lines, arguments["text"]]) + "\n", encoding="utf-8")
        return "added"
    return "\n".join(line for line in lines if arguments["query"] in line) or "nothing was found"


def answer(message):
    method, params = message["method"], message.get("params") or {}
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "notes", "version": "1.0"}}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": call(params["name"], params.get("arguments") or {})}]}
    return {} if method == "ping" else None


for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked and "method" in asked:
        result = answer(asked)
        told = {"result": result} if result is not None else {"error": {"code": -32601, "message": "no such method"}}
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **told}), flush=True)
