"""A real nginx with etc/nginx.conf, of which only addresses, paths, the user and the name are replaced.

Each replacement must have something to replace, so that the file and this one cannot drift apart. It
runs in the foreground, without privileges of its own, and ends by its pid.
"""

import os
import pwd
import shutil
import signal
import socket

import fleet as fleets
from proxies import ETC, Proxy, replace

CONFIGURATION = ETC / "nginx.conf"


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


class Nginx(Proxy):
    program = "nginx"
    takes_hint = True

    def prepare(self):
        (self.folder / "acme" / ".well-known" / "acme-challenge").mkdir(parents=True)

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
        return text

    def command(self):
        program = shutil.which("nginx") or "/usr/sbin/nginx"  # where the path of a user may not lead
        return [program, "-c", self.path, "-p", self.folder, "-e", self.folder / "start.log", "-g", "daemon off;"]

    def answers(self):
        return super().answers() and bool(self.workers())

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
        super().stop()
        assert "[emerg]" not in self.log(), self.log()
