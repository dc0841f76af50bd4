"""mcp-fleetctl as a person or a script runs it, and daemons that are not what they should be.

    result = ctl.run("status", "--json", socket=fleet.control)     # in a pipe
    result.code, result.out, result.err, result.json()
    screen = ctl.run_pty("status", socket=…)                       # on a terminal
    with ctl.Pty("top", socket=…) as pty: pty.wait_for("git"); pty.press("q"); pty.wait()

FakeDaemon answers the control protocol from a script, or hangs, or speaks nonsense.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time

import fleet as fleets

REPORTS = fleets.REPORTS
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def command(*args):
    wrapper = shlex.split(os.environ.get("MCP_FLEET_WRAPPER", ""))
    return [*wrapper, str(fleets.build_dir() / "mcp-fleetctl"), *map(str, args)]


@contextlib.contextmanager
def open_to_all(*names):
    """A folder with copies of these programs: the build may lie where only we may go."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            shutil.copy(fleets.build_dir() / name, folder)
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


def environment(socket=None, **over):
    """Nothing of the caller's: where the socket is must be told by the test."""
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8",
           "TERM": "xterm-256color", **fleets.sanitizer_environment()}
    if socket is not None:
        env["MCP_FLEET_CONTROL"] = str(socket)
    return {**env, **over}


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        found = [line for line in (out + err).splitlines() if REPORTS.search(line)]
        assert not found, "\n".join(found[:20])

    def json(self):
        return json.loads(self.out)

    def lines(self):
        return self.out.splitlines()

    def __repr__(self):
        return f"exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


def run(*args, socket=None, input="", timeout=30.0, env=None, cwd=None):
    """The verb in a pipe, to its end. A signal's end is a negative code."""
    done = subprocess.run(command(*args), input=input.encode(), capture_output=True, check=False, cwd=cwd,
                          timeout=timeout * fleets.SLOWNESS, env=environment(socket, **(env or {})))
    return Result(done.returncode, done.stdout.decode(errors="surrogateescape"),
                  done.stderr.decode(errors="surrogateescape"))


class Pty:
    """The verb on a terminal of its own: what it writes there, keys, resizing."""

    def __init__(self, *args, socket=None, columns=100, rows=30, env=None, argv=None):
        """`argv` is another program than mcp-fleetctl."""
        self.text = ""
        self.master, slave = pty.openpty()
        self.resize(columns, rows, slave)
        self.modes = termios.tcgetattr(slave)
        self.process = fleets.spawn(
            argv or command(*args), stdin=slave, stdout=slave, stderr=slave,
            env=environment(socket, **(env or {})),
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.slave = slave  # held, so that its modes can be read afterwards

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.slave)
        os.close(self.master)

    def resize(self, columns, rows, fd=None):
        fcntl.ioctl(self.master if fd is None else fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds=0.05):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            with contextlib.suppress(OSError):
                self.text += os.read(self.master, 65536).decode(errors="replace")
        return self.text

    def plain(self):
        return ESCAPES.sub("", self.text)

    def wait_for(self, wanted, timeout=10.0):
        """Until the text, without its escapes, holds `wanted`; what is on the screen before does not count twice
        when the caller clears `text`."""
        deadline = time.monotonic() + timeout * fleets.SLOWNESS
        while wanted not in ESCAPES.sub("", self.read()):
            assert time.monotonic() < deadline, f"{wanted!r} does not come; there is {self.text!r}"
            assert self.process.poll() is None or wanted in ESCAPES.sub("", self.read()), \
                f"ended with {self.process.returncode}: {self.text!r}"
        return self.text

    def press(self, keys):
        os.write(self.master, keys.encode())

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=15.0):
        """The exit status; what was written until then is in `text`."""
        deadline = time.monotonic() + timeout * fleets.SLOWNESS
        while self.process.poll() is None:
            self.read()
            assert time.monotonic() < deadline, f"does not end; there is {self.text!r}"
        while select.select([self.master], [], [], 0)[0]:
            before = len(self.text)
            self.read(0)
            if len(self.text) == before:
                break
        assert not REPORTS.search(self.text), self.text
        return self.process.returncode

    def is_restored(self):
        """The terminal's modes are those of before."""
        return termios.tcgetattr(self.slave) == self.modes


def run_pty(*args, socket=None, columns=100, env=None, timeout=15.0):
    """The verb on a terminal, to its end: standard error is in `out` too. Lines end with a plain break."""
    with Pty(*args, socket=socket, columns=columns, env=env) as terminal:
        code = terminal.wait(timeout)
        return Result(code, terminal.text.replace("\r\n", "\n"), "")


class FakeDaemon:
    """Listens as a daemon does; `answers` maps a method to its result, to a function of params, or to an Error.

    `notices` are sent behind the answer of the method that is their key. hello is answered by itself.

    A message that was answered is in `asked` once its client has the answer. One that gets none (a notification,
    the answer to a question) is there when the client has ended and settle() or close() has returned.
    """

    class Error(Exception):
        def __init__(self, code, message, remedy=None):
            super().__init__(message)
            self.value = {"code": code, "message": message, **({"data": {"remedy": remedy}} if remedy else {})}

    class Close(Exception):
        """Raised by an answer: the connection is closed instead."""

    def __init__(self, path, answers=None, notices=None, hello=None, listen=True):
        self.path, self.asked, self.connections = str(path), [], []
        self.serving = set()  # the connections from which somebody still reads
        self.answers = answers or {}
        self.notices = notices or {}
        self.hello = {"version": "9.9.9", "protocol": 1, "pid": os.getpid(), "may_change": True,
                      "transport": "sse", "settings": None, "state_dir": None, **(hello or {})}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        if listen:
            self.listener.listen(16)
            threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def settle(self):
        """Waits until all that the clients have sent is in `asked`: they must have ended, or are about to."""
        fleets.wait_until(lambda: not self.serving, 10, "the clients of the fake daemon have ended")

    def close(self):
        """What clients that have ended left behind is read first."""
        try:
            self.settle()
        finally:
            self.shut()

    def shut(self):
        for each in [self.listener, *self.connections]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                self.serving.add(connection)
                threading.Thread(target=self.serve_one, args=(connection,), daemon=True).start()

    def serve_one(self, connection):
        try:
            self.serve(connection)
        finally:
            self.serving.discard(connection)

    def serve(self, connection):
        """May be replaced by what a test needs."""
        with contextlib.suppress(OSError, ValueError), connection.makefile("rb") as lines:
            for line in lines:
                with contextlib.suppress(OSError):  # the client may be gone, and more of its lines still be here
                    self.answer(connection, json.loads(line))

    def methods(self):
        return [message["method"] for message in self.asked]

    def params(self, method):
        return [message.get("params") for message in self.asked if message["method"] == method]

    def send(self, connection, message):
        connection.sendall(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def notify(self, method, params):
        """To all who are connected."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                self.send(connection, {"method": method, "params": params})

    def answer(self, connection, message):
        self.asked.append(message)
        method = message["method"]
        answer = self.hello if method == "hello" else self.answers.get(method)
        try:
            if callable(answer):
                answer = answer(message.get("params"))
            if answer is None:
                raise self.Error(-32601, f"no method '{method}'")
            self.send(connection, {"id": message["id"], "result": answer})
        except self.Error as error:
            self.send(connection, {"id": message["id"], "error": error.value})
        except self.Close:
            connection.shutdown(socket.SHUT_RDWR)
            return
        for name, params in self.notices.get(method, []):
            self.send(connection, {"method": name, "params": params})


def interrupt(process):
    """Ctrl-C for what is not on a terminal."""
    process.send_signal(signal.SIGINT)
