#!/usr/bin/env python3
"""Runs an MCP server in a way that makes trouble for who supervises it.

usage: troubled.py TROUBLE [VALUE] COMMAND...

    noisy          words for a person before, between and behind its messages on standard output
    slow SECONDS   begins only then
    never          reads what it gets and says nothing, for ever
    once FILE      runs if FILE does not exist yet (and makes it); later it cannot start any more
"""

import os
import subprocess
import sys
import threading
import time

NOISE = b"Welcome!\n\n  \033[32mready\033[0m\n[INFO] listening\n{\"level\":30,\"msg\":\"started\"}\n\xff\xfe bytes \xc3\n"


def run_noisily(command):
    """Between the server and our own standard input and output, line by line."""
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def pass_down():
        while data := os.read(0, 65536):
            server.stdin.write(data)
        server.stdin.close()

    threading.Thread(target=pass_down, daemon=True).start()
    os.write(1, NOISE)
    for line in server.stdout:
        os.write(1, line + NOISE)
    sys.exit(server.wait())


trouble, *rest = sys.argv[1:]
if trouble == "noisy":
    run_noisily(rest)
if trouble == "slow":
    time.sleep(float(rest.pop(0)))
if trouble == "never":
    while os.read(0, 65536):
        pass
    sys.exit(0)
if trouble == "once":
    try:
        os.close(os.open(rest.pop(0), os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        sys.exit("gone for good")
os.execvp(rest[0], rest)
