"""Servers that others write, with the official SDKs, under the profiles that are made for them: they
work, and reach no more than they were given."""

import http.server
import os
import pathlib
import shutil
import subprocess
import threading

import pytest

import fleet as fleets

WORKERS = pathlib.Path(__file__).resolve().parent / "workers"

pytestmark = pytest.mark.skipif(bool(os.environ.get("MCP_FLEET_WRAPPER")), reason="the same under valgrind")


def installation_of(python):
    """What an interpreter reads: its environment, and where it is installed."""
    done = subprocess.run([python, "-c", "import sys; print(sys.prefix, sys.base_prefix)"], capture_output=True, text=True, check=True)
    return [path for path in done.stdout.split() if path not in ("/usr", "/usr/local")]


def python_server(envs):
    python = envs / "venv-sdk1" / "bin" / "python"
    return {"command": [str(python), str(WORKERS / "sdk_server.py")], "env": {"PYTHONDONTWRITEBYTECODE": "1"}}, installation_of(python)


def node_server(envs):
    node = shutil.which("node")
    assert node, "node is needed"
    return {"command": [node, str(WORKERS / "sdk_server.mjs"), str(envs / "node")]}, [str(envs / "node")]


SERVERS = {"python": python_server, "node": node_server}


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


@pytest.fixture
def page():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


class Server:
    """One domain, called ext, that is served by such a server."""

    def __init__(self, start_fleet, folder, envs, profile, **sandbox):
        self.profile = profile
        self.folder = folder
        for name in ("data", "outside"):
            (folder / name).mkdir()
            (folder / name / "file").write_text("content")
        settings, reads = SERVERS[profile](envs)
        settings["sandbox"] = {"profile": profile, "read": [*reads, str(WORKERS)], "write": [str(folder / "data")], **sandbox}
        self.fleet = start_fleet({"ext": settings})
        self.session = self.fleet.session("/ext/sse")

    def call(self, tool, **arguments):
        """(is_error, text)"""
        result = self.session.call(f"ext_{tool}", {key: str(value) if isinstance(value, pathlib.Path) else value
                                                   for key, value in arguments.items()}, timeout=60 * fleets.SLOWNESS)["result"]
        return bool(result.get("isError")), result["content"][0]["text"]

    def refuses(self, tool, **arguments):
        failed, text = self.call(tool, **arguments)
        return failed and ("EACCES" in text or "EPERM" in text or "Permission" in text or "not permitted" in text)


@pytest.fixture(params=SERVERS)
def serve(request, start_fleet, tmp_path, envs):
    return lambda **sandbox: Server(start_fleet, tmp_path, envs, request.param, **sandbox)


def test_calls(serve):
    server = serve()
    assert {"ext_add", "ext_read", "ext_run"} <= {tool["name"] for tool in server.session.tools()}
    assert server.call("add", a=2, b=3) == (False, "5")
    assert server.fleet.status()["domains"]["ext"]["sandbox"] == server.profile


def test_files(serve):
    server = serve()
    data, outside = server.folder / "data", server.folder / "outside"
    assert server.call("read", path=data / "file") == (False, "content")
    assert server.call("write", path=data / "new", text="other") == (False, "written")
    assert (data / "new").read_text() == "other"
    assert server.refuses("read", path=outside / "file")
    assert server.refuses("write", path=outside / "new", text="x")
    assert server.refuses("write", path=WORKERS / "new", text="x")
    assert server.refuses("read", path="/etc/shadow")
    assert os.listdir(outside) == ["file"]


def test_programs(serve):
    """Those of the system and its own interpreter; none that it could have written itself."""
    server = serve()
    assert server.call("run", command=["/bin/echo", "one", "two"]) == (False, "one two\n")
    assert server.call("run", command=["/bin/sh", "-c", "echo $((6 * 7)) | cat"]) == (False, "42\n")
    assert server.call("run_self") == (False, "42\n")
    shutil.copy("/bin/true", server.folder / "data" / "program")
    assert server.refuses("run", command=[str(server.folder / "data" / "program")])
    assert "content" not in server.call("run", command=["/bin/cat", str(server.folder / "outside" / "file")])[1]


def test_git(serve):
    """Servers for repositories run git(1), which reads settings of the system."""
    server = serve()
    repository = server.folder / "data" / "repository"
    git = ["/usr/bin/env", "GIT_CONFIG_GLOBAL=/dev/null", "git", "-C", str(repository.parent)]
    assert server.call("run", command=[*git, "init", "-q", str(repository)]) == (False, "")
    assert server.call("run", command=[*git, "-C", "repository", "status", "--porcelain"]) == (False, "")
    assert (repository / ".git" / "HEAD").exists()


def test_threads_of_node(start_fleet, tmp_path, envs):
    assert Server(start_fleet, tmp_path, envs, "node").call("work") == (False, "42 true")


def test_without_connect(serve, page):
    failed, _ = serve().call("get", url=f"http://127.0.0.1:{page}/")
    assert failed


def test_connect(serve, page):
    """To the port that it was given, by name too."""
    server = serve(connect=[str(page)])
    for host in ("127.0.0.1", "localhost"):
        assert server.call("get", url=f"http://{host}:{page}/") == (False, "hello")
    failed, _ = server.call("get", url=f"http://127.0.0.1:{server.fleet.port}/health")
    assert failed


def test_environment_is_cleaned(start_fleet, tmp_path, envs):
    """What stands in the daemon's environment is no business of a confined server, unless it is said."""
    settings, reads = python_server(envs)
    settings["env"]["WANTED"] = "yes"
    settings["sandbox"] = {"profile": "python", "read": [*reads, str(WORKERS)]}
    fleet = start_fleet({"ext": settings}, env={"SECRET_TOKEN": "x", "LD_LIBRARY_PATH": "/nowhere", "SSH_AUTH_SOCK": "/nowhere"})
    result = fleet.session("/ext/sse").call("ext_run", {"command": ["/usr/bin/env"]})["result"]
    names = {line.split("=")[0] for line in result["content"][0]["text"].splitlines()}
    assert {"PATH", "WANTED"} <= names
    assert not names & {"SECRET_TOKEN", "LD_LIBRARY_PATH", "SSH_AUTH_SOCK"}


def test_an_interpreter_by_the_first_line(start_fleet, tmp_path, envs):
    """As pip installs programs: a script that names the environment's interpreter."""
    python = envs / "venv-sdk1" / "bin" / "python"
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "server"
    script.write_text(f"#!{python}\nimport runpy\nrunpy.run_path({str(WORKERS / 'sdk_server.py')!r}, run_name='__main__')\n")
    script.chmod(0o755)
    fleet = start_fleet({"ext": {"command": [str(script)], "sandbox": {
        "profile": "python", "read": [*installation_of(python), str(WORKERS), str(folder)]}}})
    assert fleet.session("/ext/sse").call("ext_add", {"a": 1, "b": 1})["result"]["content"][0]["text"] == "2"
