"""A client of the control socket, as plain as doc/control.md describes it."""

import json
import os
import socket

import fleet as fleets


class Refused(Exception):
    """The daemon's error: code, message, remedy."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]
        self.remedy = error.get("data", {}).get("remedy")


class Control:
    """One connection; notifications that come meanwhile wait in `notices`."""

    def __init__(self, path, hello=True, timeout=20.0):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout * fleets.SLOWNESS)
        self.socket.connect(str(path))
        self.buffer = b""
        self.last_id = 0
        self.notices = []
        self.hello = self.call("hello", client="test", version="0", protocol=1) if hello else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, line):
        self.socket.sendall(line + b"\n")

    def read(self):
        """The next message; EOFError at the end."""
        while b"\n" not in self.buffer:
            more = self.socket.recv(1 << 20)
            if not more:
                raise EOFError
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def ask(self, method, **params):
        """Sends a request and returns its id."""
        self.last_id += 1
        self.send(json.dumps({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}).encode())
        return self.last_id

    def answer(self, number):
        while True:
            message = self.read()
            if message.get("id") == number:
                if "error" in message:
                    raise Refused(message["error"])
                return message["result"]
            self.notices.append(message)

    def call(self, method, **params):
        return self.answer(self.ask(method, **params))

    def notice(self, method):
        """The next notification of this method: its params."""
        while True:
            for i, message in enumerate(self.notices):
                if message.get("method") == method:
                    return self.notices.pop(i)["params"]
            self.notices.append(self.read())


def status(fleet):
    with Control(fleet.control_socket) as control:
        return control.call("status")


def domain(fleet, name):
    return next(each for each in status(fleet)["domains"] if each["name"] == name)


def as_user(uid, gid, task):
    """What task() returns, a JSON value, when it is run by another user in a process of its own."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            os.write(writer, json.dumps(task()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as result:
        text = result.read()
    os.waitpid(pid, 0)
    return json.loads(text)
