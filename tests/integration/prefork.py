"""Programs in Python that take long to load and run often: clients/zygote.py loads each once, and forks for each run."""

import contextlib
import json
import os
import pathlib
import select
import selectors
import signal
import socket
import subprocess
import tempfile
import time

import fleet as fleets

ZYGOTE = pathlib.Path(__file__).resolve().parent / "clients" / "zygote.py"
zygotes = {}  # (interpreter, program) -> its zygote


class Zygote:
    """One of them; run() is subprocess.run() for its program."""

    def __init__(self, python, program):
        # Whole orders, each with its descriptors.
        self.orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = fleets.spawn([python, ZYGOTE, program, str(theirs.fileno())], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()])

    def start(self, files, env):
        """The pid of a new process, which is our child: we adopt orphans."""
        order = json.dumps({"cwd": os.getcwd(), "env": env}).encode()
        socket.send_fds(self.orders, [order], [file.fileno() for file in files])
        pid = self.orders.recv(32)
        assert pid, f"{self.process.args}: it ended with {self.process.wait(5)}"
        fleets.helpers.add(int(pid))
        return int(pid)

    def run(self, given, env, timeout):
        """(exit status, output, words on standard error), as soon as nobody holds either of the two any more."""
        deadline = time.monotonic() + timeout
        with contextlib.ExitStack() as stack:
            stdin = stack.enter_context(tempfile.TemporaryFile())
            stdin.write(given)
            stdin.seek(0)
            (out, their_out), (err, their_err) = pipe(stack), pipe(stack)
            pid = self.start([stdin, their_out, their_err], env)
            try:
                their_out.close()
                their_err.close()
                texts = read_all([out, err], deadline)
                return wait(pid, deadline), *texts
            except BaseException:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise

    def close(self):
        self.orders.close()
        self.process.wait(10)


def pipe(stack):
    return [stack.enter_context(open(fd, mode, buffering=0)) for fd, mode in zip(os.pipe(), ("rb", "wb"))]


def read_all(files, deadline):
    """What comes from each of them until its end."""
    found = {file: bytearray() for file in files}
    with selectors.DefaultSelector() as selector:
        for file in files:
            selector.register(file, selectors.EVENT_READ)
        while selector.get_map():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no end of the output: {[bytes(text[-2000:]) for text in found.values()]}")
            for key, _ in selector.select(deadline - time.monotonic()):
                data = key.fileobj.read(1 << 16)
                found[key.fileobj] += data
                if not data:
                    selector.unregister(key.fileobj)
    return [bytes(text) for text in found.values()]


def wait(pid, deadline):
    """The exit status of a child of ours."""
    handle = os.pidfd_open(pid)
    try:
        if not select.select([handle], [], [], max(deadline - time.monotonic(), 0))[0]:
            raise TimeoutError(f"process {pid} does not end")
    finally:
        os.close(handle)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def zygote(python, program):
    key = (str(python), str(program))
    if key not in zygotes:
        zygotes[key] = Zygote(*key)
    return zygotes[key]


def close_all():
    while zygotes:
        zygotes.popitem()[1].close()
