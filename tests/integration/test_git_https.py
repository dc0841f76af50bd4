"""git over https for real: TLS, credentials, redirects, and names that lead to private addresses.

The worker talks to public addresses only, so this file runs itself in a network namespace of its own,
in which 9.9.9.9 is a loopback address with git's own HTTP server behind it, and the names and the
certificate authority are the test's. Needs user namespaces; skipped without them.
"""

import base64
import http.server
import json
import os
import pathlib
import shutil
import socketserver
import ssl
import subprocess
import sys
import threading
import time

ADDRESS = "9.9.9.9"
AUTHORITIES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
BACKEND = pathlib.Path("/usr/lib/git-core/git-http-backend")
HOSTS = f"""127.0.0.1 localhost
{ADDRESS} git.test elsewhere.test mixed.test wrong.test
127.0.0.1 mixed.test inner.test
"""
SCENE = """set -e
ip link set lo up
ip addr add {address}/32 dev lo
mount --bind {where}/hosts /etc/hosts
mount --bind {where}/cert.pem {authorities}
exec {python} {script} {where} {program}
"""


class Handler(http.server.BaseHTTPRequestHandler):
    """git http-backend behind basic authentication; some paths lead elsewhere."""

    protocol_version = "HTTP/1.1"
    root = None
    redirects = {"/away": "https://elsewhere.test", "/private": "https://127.0.0.1",
                 "/same": "https://git.test", "/plain": "http://git.test"}

    def log_message(self, *_):
        pass

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while True:
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body

    def serve(self):
        body = self.read_body()
        for path, to in self.redirects.items():
            if self.path.startswith(path + "/"):
                return self.answer(302, [("Location", to + self.path[len(path):])])
        if self.path.startswith("/stall/"):
            time.sleep(60)
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(b"me:p@ss").decode():
            return self.answer(401, [("WWW-Authenticate", 'Basic realm="test"')])
        path, _, query = self.path.partition("?")
        env = dict(os.environ, GIT_PROJECT_ROOT=str(self.root), GIT_HTTP_EXPORT_ALL="1",
                   REMOTE_USER="me", PATH_INFO=path, QUERY_STRING=query,
                   REQUEST_METHOD=self.command, CONTENT_LENGTH=str(len(body)),
                   CONTENT_TYPE=self.headers.get("Content-Type", ""))
        out = subprocess.run([BACKEND], env=env, input=body, capture_output=True).stdout
        head, _, rest = out.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = [value for name, value in headers if name == "Status"] or ["200"]
        return self.answer(int(status[0].split()[0]),
                           [(n, v) for n, v in headers if n != "Status"], rest)

    do_GET = do_POST = serve


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def serve(where):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(where / "cert.pem", where / "key.pem")
    Handler.root = where / "served"
    server = Server((ADDRESS, 443), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def play(where, program):
    """What is done inside of the namespace; prints what came of it."""
    from stdio_worker import StdioWorker

    serve(where)
    credentials = where / "credentials"
    credentials.write_text("https://me:p%40ss@git.test\n")
    credentials.chmod(0o600)
    inside = where / "inside"
    settings = {"credentials_file": str(credentials), "user_name": "A", "user_email": "a@b"}
    with StdioWorker(program, [inside], settings) as worker:
        outcome = {}

        def call(name, tool, **arguments):
            result = worker.result(tool, **arguments)
            outcome[name] = [bool(result.get("isError")), result["content"][0]["text"]]

        call("clone", "git_clone", url="https://git.test/x.git", path="a")
        call("same", "git_clone", url="https://git.test/same/x.git", path="b")
        for name, url in (
                ("user", "https://other:hunter2@git.test/x.git"),
                ("missing", "https://git.test/none.git"), ("away", "https://git.test/away/x.git"),
                ("private", "https://git.test/private/x.git"),
                ("plain", "https://git.test/plain/x.git"), ("mixed", "https://mixed.test/x.git"),
                ("inner", "https://inner.test/x.git"), ("wrong", "https://wrong.test/x.git"),
                ("port", "https://git.test:444/x.git"),
                ("elsewhere", "https://elsewhere.test/x.git")):
            call(name, "git_clone", url=url, path="c")
        call("start", "git_start_feature", repo_path="a", task_id=1, description="x")
        call("commit", "git_commit", repo_path="a", message="m", allow_empty=True)
        call("push", "git_push_feature", repo_path="a")
        call("fetch", "git_fetch", repo_path="b")
        call("pull", "git_pull", repo_path="a", branch="main")
        credentials.write_text("https://me:hunter2@git.test\n")
        call("rejected", "git_fetch", repo_path="a")
        credentials.chmod(0o640)
        call("open file", "git_fetch", repo_path="a")

        worker.send({"jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": {
            "name": "git_clone", "arguments": {"url": "https://git.test/stall/x", "path": "c"}}})
        time.sleep(0.5)
        worker.notify("notifications/cancelled", {"requestId": "c"})
        began = time.monotonic()
        worker.request("ping")
        outcome["seconds to cancel"] = time.monotonic() - began
        outcome["inside"] = sorted(os.listdir(inside))
    print(json.dumps(outcome))


def test_https(tmp_path):
    import pytest
    from test_git_write import PROGRAM, Repo

    if not AUTHORITIES.is_file() or not BACKEND.is_file() or not shutil.which("openssl") or \
            subprocess.run(["unshare", "-rnm", "ip", "link"], capture_output=True).returncode != 0:
        pytest.skip("needs user namespaces, openssl and git http-backend")
    for name in ("inside", "served", "source"):
        (tmp_path / name).mkdir()
    source = Repo(tmp_path / "source")
    source.git("init", "-q", "-b", "main")
    source.git("config", "user.name", "A")
    source.git("config", "user.email", "a@b")
    for i in range(100):
        source.write(f"f{i}", f"{i}\n")
    source.git("add", ".")
    head = source.commit("a", "one\n")
    source.git("clone", "-q", "--bare", ".", str(tmp_path / "served" / "x.git"))
    served = Repo(tmp_path / "served" / "x.git")
    served.git("config", "http.receivepack", "true")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=git.test", "-addext", "subjectAltName=DNS:git.test,DNS:elsewhere.test,DNS:mixed.test",
         "-keyout", "key.pem", "-out", "cert.pem"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "hosts").write_text(HOSTS)
    scene = SCENE.format(address=ADDRESS, where=tmp_path, authorities=AUTHORITIES,
                         python=sys.executable, script=__file__, program=PROGRAM)
    done = subprocess.run(["unshare", "-rnm", "sh", "-c", scene], capture_output=True, text=True,
                          timeout=120, env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)

    for name in ("clone", "same", "start", "commit", "push", "fetch", "pull"):
        assert not outcome[name][0], outcome[name]
    codes = {name: text.split(":")[0] for name, (failed, text) in (
        (n, v) for n, v in outcome.items() if isinstance(v, list) and len(v) == 2 and
        isinstance(v[0], bool)) if failed}
    assert codes == {
        "user": "auth_failed", "missing": "not_found", "away": "remote_refused",
        "private": "remote_refused", "plain": "remote_refused", "mixed": "address_refused",
        "inner": "address_refused", "wrong": "tls_failed", "port": "connect_failed",
        "elsewhere": "auth_failed", "rejected": "auth_failed", "open file": "auth_failed"}
    assert "hunter2" not in done.stdout and "p@ss" not in done.stdout
    assert outcome["inside"] == ["a", "b"]
    assert outcome["seconds to cancel"] < 5

    copy = Repo(tmp_path / "inside" / "a")
    assert copy.head("origin/main") == head
    assert copy.git("config", "remote.origin.url") == "https://git.test/x.git"
    assert served.head("feature/task-1-x") == copy.head("feature/task-1-x")
    assert copy.git("fsck", "--strict") == ""


if __name__ == "__main__":
    play(pathlib.Path(sys.argv[1]), sys.argv[2])
