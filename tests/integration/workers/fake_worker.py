#!/usr/bin/env python3
"""A stdio MCP server that misbehaves on request.

Its tools sleep, report progress, die, write nonsense, or answer too much, so that the tests can see
what the supervisor makes of it. Every message it receives goes as one JSON line to --log FILE.
Standard library only; each call runs in a thread of its own.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--name", default="fake", help="prefix of the tools' names")
parser.add_argument("--log", help="append each received message to this file")
parser.add_argument("--exit-at-start", type=int, metavar="CODE")
parser.add_argument("--unless", metavar="FILE", help="not when FILE exists (with --exit-at-start)")
parser.add_argument("--silent", action="store_true", help="never answer anything")
parser.add_argument("--no-tools", action="store_true", help="list no tools")
parser.add_argument("--page", type=int, default=0, help="tools a page of tools/list; 0: all")
options = parser.parse_args()

write_lock = threading.Lock()
cancelled = {}  # request id -> Event
extra_tools = []


def write_line(data):
    with write_lock:
        os.write(1, data if isinstance(data, bytes) else data.encode())


def send(message):
    write_line(json.dumps({"jsonrpc": "2.0", **message}) + "\n")


def text_result(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return {"content": [{"type": "text", "text": text}]}


def note(message):
    if options.log:
        with open(options.log, "a", encoding="utf-8") as log:
            log.write(json.dumps({"pid": os.getpid(), "message": message}) + "\n")


def run_echo(call):
    return text_result({"pid": os.getpid(), "text": call.arguments.get("text", "")})


def run_sleep(call):
    """Sleeps; stops early when cancelled (then nothing is answered)."""
    if call.cancelled.wait(call.arguments.get("seconds", 1)):
        return None
    return text_result({"pid": os.getpid()})


def run_block(call):
    """Sleeps without reading anything: no cancellation, no ping."""
    time.sleep(call.arguments.get("seconds", 1))
    return text_result("done")


def run_progress(call):
    steps = call.arguments.get("steps", 3)
    for step in range(1, steps + 1):
        if call.token is not None:
            send({"method": "notifications/progress",
                  "params": {"progressToken": call.token, "progress": step, "total": steps,
                             "message": f"step {step}"}})
        if call.cancelled.wait(call.arguments.get("delay", 0.02)):
            return None
    return text_result("done")


def run_foreign_progress(call):
    """Progress for a token that nobody gave."""
    send({"method": "notifications/progress",
          "params": {"progressToken": "no-such-token", "progress": 1}})
    return text_result("done")


def run_die(call):
    """Dies: always, or only while the file `once` does not exist (then it is made)."""
    once = call.arguments.get("once")
    if once:
        try:
            os.close(os.open(once, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return text_result({"pid": os.getpid(), "second": True})
    time.sleep(call.arguments.get("after", 0))
    if "exit" in call.arguments:
        os._exit(call.arguments["exit"])
    os.kill(os.getpid(), call.arguments.get("signal", signal.SIGKILL))
    time.sleep(60)


def run_garbage(call):
    """Writes bytes to the link instead of an answer."""
    write_line(bytes.fromhex(call.arguments["hex"]))
    call.cancelled.wait(60)


def run_noise(call):
    """Writes words for a person to the link, as careless servers do, and then its answer."""
    write_line("Server is ready!\n\n  \033[32mdone\033[0m\n{}\n[INFO] x\n{'a': 1}\n" '{"level":30,"msg":"x"}\n')
    return text_result("done")


def run_flood(call):
    """Writes bytes without a line break until the peer has had enough."""
    piece = b"x" * 65536
    for _ in range(call.arguments.get("pieces", 1024)):
        write_line(piece)
    time.sleep(60)


def run_twice(call):
    """Answers its own request twice."""
    send({"id": call.number, "result": text_result("first")})
    return text_result("second")


def run_big(call):
    return text_result("x" * call.arguments.get("bytes", 1000))


def run_fork(call):
    """Leaves a grandchild behind that would live for ten minutes."""
    child = os.fork()
    if child == 0:
        os.execvp("sleep", ["sleep", "600"])
    return text_result({"child": child})


def run_add_tool(call):
    extra_tools.append({"name": f"{options.name}_{call.arguments['name']}",
                        "description": "Came later.", "inputSchema": {"type": "object"}})
    send({"method": "notifications/tools/list_changed"})
    return text_result("done")


def run_stderr(call):
    print(call.arguments["text"], file=sys.stderr, flush=True)
    return text_result("done")


def run_environment(call):
    return text_result(dict(os.environ))


READ_ONLY = {"readOnlyHint": True}
IDEMPOTENT = {"readOnlyHint": False, "idempotentHint": True, "destructiveHint": False}
WRITES = {"readOnlyHint": False, "idempotentHint": False, "destructiveHint": True}

TOOLS = {
    "echo": (run_echo, READ_ONLY),
    "sleep": (run_sleep, WRITES),
    "sleep_read": (run_sleep, READ_ONLY),
    "block": (run_block, WRITES),
    "progress": (run_progress, READ_ONLY),
    "foreign_progress": (run_foreign_progress, READ_ONLY),
    "die": (run_die, WRITES),
    "die_read": (run_die, READ_ONLY),
    "die_idempotent": (run_die, IDEMPOTENT),
    "garbage": (run_garbage, WRITES),
    "noise": (run_noise, WRITES),
    "flood": (run_flood, WRITES),
    "twice": (run_twice, WRITES),
    "big": (run_big, READ_ONLY),
    "fork": (run_fork, WRITES),
    "add_tool": (run_add_tool, WRITES),
    "stderr": (run_stderr, WRITES),
    "environment": (run_environment, READ_ONLY),
}


class Call:
    def __init__(self, message):
        params = message["params"]
        self.number = message["id"]
        self.arguments = params.get("arguments") or {}
        self.token = (params.get("_meta") or {}).get("progressToken")
        self.cancelled = cancelled.setdefault(self.number, threading.Event())
        self.run = TOOLS[params["name"].removeprefix(f"{options.name}_")][0]

    def __call__(self):
        try:
            result = self.run(self)
        except (KeyError, ValueError) as error:
            result = {**text_result(f"invalid_argument: {error}"), "isError": True}
        cancelled.pop(self.number, None)
        if result is not None and not self.cancelled.is_set():
            send({"id": self.number, "result": result})


def start(call):
    if call.run is run_block:
        call()
    else:
        threading.Thread(target=call, daemon=True).start()


def list_tools(params):
    tools = [] if options.no_tools else [
        {"name": f"{options.name}_{name}", "description": (run.__doc__ or name).strip(),
         "inputSchema": {"type": "object"}, "annotations": annotations}
        for name, (run, annotations) in TOOLS.items()
    ] + extra_tools
    if not options.page:
        return {"tools": tools}
    start = int(params.get("cursor") or 0)
    page = {"tools": tools[start:start + options.page]}
    if start + options.page < len(tools):
        page["nextCursor"] = str(start + options.page)
    return page


def answer(message):
    method, params = message.get("method"), message.get("params") or {}
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": options.name, "version": "1.0"}}
    if method == "tools/list":
        return list_tools(params)
    return {}


def main():
    if options.exit_at_start is not None and not (options.unless and os.path.exists(options.unless)):
        print(f"{options.name}: cannot start, as asked", file=sys.stderr, flush=True)
        sys.exit(options.exit_at_start)
    for line in sys.stdin.buffer:
        message = json.loads(line)
        note(message)
        if options.silent or "method" not in message:
            continue
        if message["method"] == "notifications/cancelled":
            if event := cancelled.get(message["params"]["requestId"]):
                event.set()
        elif message["method"] == "tools/call":
            start(Call(message))
        elif "id" in message:
            send({"id": message["id"], "result": answer(message)})
    os._exit(0)


main()
