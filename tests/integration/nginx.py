"""A real nginx with etc/nginx.conf, of which only addresses, paths, the user and the name are replaced.

Each replacement must have something to replace, so that the file and this one cannot drift apart. It
runs in the foreground, without privileges of its own, and ends by its pid.
"""

import os
import pathlib
import pwd
import shutil
import signal
import socket

import certs
import fleet as fleets
import wire
from cryptography import x509

CONFIGURATION = pathlib.Path(__file__).resolve().parents[2] / "etc" / "nginx.conf"
NAME = "fleet.example.org"


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def replace(text, changes):
    for old, new in changes.items():
        assert old in text, f"there is no {old!r}"
        text = text.replace(old, new)
    return text


class Nginx:
    """nginx before daemons at `upstreams`, ports of this machine."""

    def __init__(self, folder, authority, upstreams, changes=None, name=NAME):
        self.folder = folder / f"nginx-{fleets.free_port()}"
        self.folder.mkdir()
        self.port, self.plain_port = fleets.free_port(), fleets.free_port()
        self.name = name
        self.context = authority.context()
        self.process = None
        cert, key = authority.server(names=[x509.DNSName(NAME), *certs.NAMES])
        (self.folder / "fullchain.pem").write_bytes(cert)
        certs.write_private(self.folder / "privkey.pem", key)
        (self.folder / "acme" / ".well-known" / "acme-challenge").mkdir(parents=True)
        self.path = self.folder / "nginx.conf"
        self.path.write_text(self.configuration(upstreams, changes or {}))

    def configuration(self, upstreams, changes):
        text = CONFIGURATION.read_text()
        if not has_ipv6():
            text = "".join(line for line in text.splitlines(True) if "listen [::]:" not in line)
        text = replace(text, changes)
        text = replace(text, {
            "user www-data;": f"user {pwd.getpwuid(os.getuid()).pw_name};",
            "/run/nginx.pid": str(self.folder / "pid"),
            "/etc/letsencrypt/live/fleet.example.org": str(self.folder),
            "/var/log/nginx/": f"{self.folder}/",
            "/var/www/acme": str(self.folder / "acme"),
            # Those that are not used have folders, too.
            "proxy_temp_path /var/lib/nginx/proxy;": "".join(
                f"{kind}_temp_path {self.folder}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi")),
            "/var/lib/nginx/body": str(self.folder / "body"),
            "listen 443": f"listen 127.0.0.1:{self.port}",
            "listen 80": f"listen 127.0.0.1:{self.plain_port}",
            **({"listen [::]:443": f"listen [::1]:{self.port}", "listen [::]:80": f"listen [::1]:{self.plain_port}"}
               if has_ipv6() else {}),
            **{f"server 127.0.0.1:{8000 + i};": f"server 127.0.0.1:{port};" for i, port in enumerate(upstreams)},
        })
        return text.replace(NAME, self.name)

    def start(self):
        program = shutil.which("nginx") or "/usr/sbin/nginx"  # where the path of a user may not lead
        self.process = fleets.spawn([program, "-c", self.path, "-p", self.folder, "-e", self.folder / "start.log",
                                     "-g", "daemon off;"], stdin=fleets.subprocess.DEVNULL)
        fleets.wait_until(self.answers, 10, "nginx answers")
        return self

    def answers(self):
        assert self.process.poll() is None, f"nginx has ended: {self.log()}"
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except ConnectionRefusedError:
            return False
        return bool(self.workers())

    def log(self):
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def workers(self):
        """Those that take new connections."""
        return {pid for pid in fleets.descendants(self.process.pid)
                if fleets.command_line(pid)[:1] == ["nginx: worker process"]}

    def reload(self):
        """Returns when only new workers take connections."""
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        fleets.wait_until(lambda: self.workers() and not self.workers() & before, 10, "new workers")

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10 * fleets.SLOWNESS)
        finally:
            self.process.kill()
            self.process.wait()
        assert "[emerg]" not in self.log(), self.log()

    # Asking ----------------------------------------------------------------------------------------

    def options(self, source=None):
        """Of a wire.Connection."""
        return {"tls": self.context, "timeout": 15 * fleets.SLOWNESS, "name": self.name, "source": source}

    def connect(self, source=None, **options):
        return wire.Connection(self.port, **{**self.options(source), **options})

    def ask(self, method, target, headers=(), body=None, source=None):
        with self.connect(source) as connection:
            connection.request(method, target, headers, body)
            return connection.read_response(method)

    def get(self, target, headers=(), source=None):
        return self.ask("GET", target, headers, source=source)

    def stream(self, headers=(), source=None, target="/sse"):
        return wire.EventStream(self.port, target, headers, **self.options(source))

    def session(self, headers=(), source=None, target="/sse"):
        options = self.options(source)
        session = wire.Session(self.port, target, headers=dict(headers), timeout=options.pop("timeout"),
                               tls=options.pop("tls"), options=options)
        session.initialize()
        return session

    def door(self, kind, headers=(), source=None, target="/mcp"):
        door = kind(self.port, target, **self.options(source))
        door.credential = dict(headers)
        door.hint = None  # nginx follows it, and takes it away
        return door
