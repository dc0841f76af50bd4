"""Loads a client once, which takes a second or two of a processor, and forks for each run of it.

zygote.py CLIENT SOCKET: CLIENT is a program of this folder with a main(). An order on SOCKET is JSON {"cwd", "env"} with
three descriptors; the process that comes of it has these as its standard input, output and error, ends as a program of
its own does, and is an orphan, so that who adopts orphans is its parent. The answer is its pid. Ends when SOCKET does.
"""

import gc
import importlib.util
import json
import os
import socket
import sys

ORDER_MAX = 1 << 17


def load(path):
    spec = importlib.util.spec_from_file_location("client", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # A fork would have none of the other threads, and their locks for ever.
    assert len(os.listdir("/proc/self/task")) == 1, f"{path} starts threads while it is loaded"
    return module


def fork_orphan():
    """0 in the new process, its pid in this one, when it is an orphan."""
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            os.close(writing)
            return 0
        os.write(writing, str(pid).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(between, 0)
    pid = int(os.read(reading, 32))
    os.close(reading)
    return pid


def become(order, descriptors):
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])


def is_child(orders):
    """Carries out orders; true in each process that comes of one, false when there are no more."""
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, ORDER_MAX, 3)
        if not order:
            return False
        pid = fork_orphan()
        if pid == 0:
            become(json.loads(order), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        if pid == 0:
            return True
        orders.send(str(pid).encode())


def main():
    client = load(sys.argv[1])
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[2])) as orders:
        if not is_child(orders):
            return
    client.main()


main()
