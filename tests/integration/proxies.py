"""Real proxies with the files that operators copy, of which only addresses, paths, the user and the name are replaced.

Each replacement must have something to replace, so that the file and this one cannot drift apart. They run in the
foreground, without privileges of their own, and end by their pid. nginx, with more to it, is in nginx.py.
"""

import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket

import certs
import ctl
import fleet as fleets
import wire
from cryptography import x509
from streamable import BOTH, Door

ETC = pathlib.Path(__file__).resolve().parents[2] / "etc"
NAME = "fleet.example.org"


def replace(text, changes):
    for old, new in changes.items():
        assert old in text, f"there is no {old!r}"
        text = text.replace(old, new)
    return text


class Proxy:
    """One before daemons at `upstreams`, ports of this machine; `changes` are made to its file first."""

    program = None
    takes_hint = False  # it follows X-Accel-Buffering, and takes it away

    def __init__(self, folder, authority, upstreams, changes=None, name=NAME):
        self.folder = folder / f"{self.program}-{fleets.free_port()}"
        self.folder.mkdir()
        self.port, self.plain_port = fleets.free_port(), fleets.free_port()
        self.name = name
        self.context = authority.context()
        self.process = None
        cert, key = authority.server(names=[x509.DNSName(NAME), *certs.NAMES])
        (self.folder / "fullchain.pem").write_bytes(cert)
        certs.write_private(self.folder / "privkey.pem", key)
        certs.write_private(self.folder / "both.pem", cert + key)
        self.prepare()
        self.path = self.folder / "configuration"
        self.path.write_text(self.configuration(upstreams, changes or {}).replace(NAME, name))

    def prepare(self):
        """What must be there before it is started."""

    def configuration(self, upstreams, changes):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def start(self):
        with (self.folder / "start.log").open("ab") as log:
            self.process = fleets.spawn(
                self.command(), stdin=fleets.subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env={"PATH": f"{os.environ['PATH']}:/usr/sbin", "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)})
        fleets.wait_until(self.answers, 10, f"{self.program} answers")
        return self

    def answers(self):
        assert self.process.poll() is None, f"{self.program} has ended: {self.log()}"
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        return False

    def log(self):
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10 * fleets.SLOWNESS)
        finally:
            self.process.kill()
            self.process.wait()

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
        if self.takes_hint:
            door.hint = None
        return door


# What no client is to get at, whatever way it is written.
PRIVATE = ["/metrics", "/status", "/ready", "//metrics", "/%6detrics", "/metrics/", "/metrics?x", "/sse/../metrics",
           "/mcp/%2e%2e/metrics", "/mcp%2f..%2fmetrics", "/metrics%2f..%2fmcp", "/metrics/../mcp", "/mcp;/../metrics",
           "/a/mcp/../../metrics", "/./metrics", f"https://{NAME}/metrics", "/.well-known/oauth-protected-resource/../../metrics",
           "/.well-known/oauth-protected-resource/%2e%2e/%2e%2e/status", "/utils/metrics", "/", "/nothing"]


def sessions_of(fleet):
    """How many are open, as the daemon tells its operator."""
    return ctl.run("status", "--json", socket=fleet.control_socket).json()["sessions"]["open"]


class Behind:
    """A daemon as the heads of the files want it, behind `proxy`, and one who has a key."""

    def __init__(self, fleet, proxy, keys, audit):
        self.fleet, self.proxy, self.keys, self.audit = fleet, proxy, keys, audit
        self.key = keys.bearer("client")

    def session(self, **options):
        return self.proxy.session(self.key, **options)

    def stream(self, headers=(), **options):
        return self.proxy.stream({**self.key, **dict(headers)}, **options)

    def door(self, kind=Door, **options):
        return self.proxy.door(kind, self.key, **options)

    def post(self, body, source=None, **headers):
        return self.proxy.ask("POST", "/mcp", {"Accept": BOTH, "Content-Type": "application/json", **self.key, **headers},
                              body if isinstance(body, bytes) else json.dumps(body), source)

    def sessions(self):
        return sessions_of(self.fleet)

    def clients(self):
        """Whom the calls were recorded of, in order."""
        return [json.loads(line).get("client_ip") for line in self.audit.read_text().splitlines()]


def settings_behind(folder, name=NAME):
    """Of such a daemon."""
    return {"http": {"allowed_hosts": [name], "trusted_proxies": ["127.0.0.1"]}, "log": {"format": "json"},
            "audit": {"target": str(folder / "audit.jsonl")}}


class Haproxy(Proxy):
    program = "haproxy"

    def configuration(self, upstreams, changes):
        text = replace((ETC / "haproxy.cfg").read_text(), changes)
        user = pwd.getpwuid(os.getuid()).pw_name
        return replace(text, {
            "    user haproxy\n    group haproxy\n": f"    user {user}\n" if os.getuid() == 0 else "",
            "maxconn 10000": "maxconn 1000",
            "log /dev/log local0": "log stdout format raw local0",
            "/etc/haproxy/fleet.example.org.pem": str(self.folder / "both.pem"),
            "bind :443": f"bind 127.0.0.1:{self.port}", "bind :80": f"bind 127.0.0.1:{self.plain_port}",
            **{f"127.0.0.1:{8000 + i}": f"127.0.0.1:{port}" for i, port in enumerate(upstreams)},
        })

    def command(self):
        return ["haproxy", "-db", "-f", self.path]

    def stop(self):
        """At once: SIGTERM to it is not an orderly end that waits for streams."""
        super().stop()
        assert "[ALERT]" not in self.log() and "[WARNING]" not in self.log(), self.log()


class Caddy(Proxy):
    program = "caddy"

    def configuration(self, upstreams, changes):
        text = replace((ETC / "Caddyfile").read_text(), changes)
        certificate = f"tls {self.folder}/fullchain.pem {self.folder}/privkey.pem"
        return replace(text, {
            "\tauto_https disable_redirects\n": "\tauto_https disable_redirects\n\tadmin off\n"
                                                f"\thttp_port {self.plain_port}\n\thttps_port {self.port}\n\tgrace_period 1s\n",
            "\nfleet.example.org {\n": f"\n{NAME} {{\n\tbind 127.0.0.1\n\t{certificate}\n",
            "\nhttp://fleet.example.org {\n": f"\nhttp://{NAME} {{\n\tbind 127.0.0.1\n",
            "/var/log/caddy/": f"{self.folder}/",
            **{f"127.0.0.1:{8000 + i}": f"127.0.0.1:{port}" for i, port in enumerate(upstreams)},
        })

    def command(self):
        return ["caddy", "run", "--config", self.path, "--adapter", "caddyfile"]


def missing(kind):
    return shutil.which(kind.program, path=f"{os.environ['PATH']}:/usr/sbin") is None
