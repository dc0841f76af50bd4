"""What the tests of the official SDKs have in common: the plan that a client carries out, the files and
the real repository it works on, and the tables of calls in tests/data/calls."""

import base64
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys

import jsonschema

import fleet as fleets
import netpeers
import prefork

HERE = pathlib.Path(__file__).resolve().parent
CALLS = HERE.parent / "data" / "calls"


def filesystem_domain(files):
    """Settings of the domain filesystem: the linters are those of the tests' own environment."""
    return {"roots": [str(files.root)], "code_tools_path": [str(pathlib.Path(sys.prefix) / "bin")]}


def git_domain(repository):
    """Settings of the domain git: the only remotes are repositories inside the root."""
    return {"roots": [str(repository.root)], "allowed_protocols": ["file"], "env": fleets.whole_stacks()}


class Client:
    """A program that carries out plans with some SDK (clients/)."""

    def __init__(self, name, command, envs):
        self.name = name
        self.command = [str(word) for word in command]
        self.envs = envs

    def run(self, transport, scenario, timeout=120, **plan):
        plan = {"transport": transport, "scenario": scenario, **plan}
        code, out, errors = self.execute(
            json.dumps(plan).encode(), timeout * fleets.SLOWNESS,
            {**os.environ, "MCP_FLEET_ENVS": str(self.envs), "PYTHONDONTWRITEBYTECODE": "1"})
        assert code == 0, errors.decode()[-4000:]
        # On stdio the words of the daemon come out here.
        assert not fleets.REPORTS.search(errors.decode(errors="replace")), errors.decode(errors="replace")[-8000:]
        return json.loads(out)

    def execute(self, given, timeout, env):
        """(exit status, output, words on standard error)"""
        process = fleets.spawn(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        try:
            out, errors = process.communicate(given, timeout)
        finally:
            process.kill()
            process.wait()
        return process.returncode, out, errors


class PythonClient(Client):
    """One in Python: loaded once, and forked for each run."""

    def execute(self, given, timeout, env):
        return prefork.zygote(*self.command).run(given, env, timeout)


def python_client(envs, major):
    return PythonClient(f"python-{major}", [envs / f"venv-sdk{major}" / "bin" / "python", HERE / "clients" / "sdk_python.py"], envs)


def typescript_client(envs):
    return Client("typescript", ["node", HERE / "clients" / "sdk_typescript.mjs"], envs)


def fastmcp_client(envs):
    return PythonClient("fastmcp", [envs / "venv-servers" / "bin" / "python", HERE / "clients" / "fastmcp_client.py"], envs)


def way(door, fleet):
    """How a client gets at a fleet that runs."""
    if door == "socket":
        return {"stdio": {"command": sys.executable, "env": fleet.environment(),
                          "args": [str(HERE / "clients" / "bridge.py"), fleet.settings["local"]["path"]]}}
    return {door: fleet.url + {"sse": "/sse", "http": "/mcp"}[door]}


def fill(value, places):
    """A table's value with {name} replaced by places[name]; a text that is nothing else takes its type."""
    if isinstance(value, str):
        for name, text in places.items():
            if value == "{%s}" % name:
                return text
            value = value.replace("{%s}" % name, str(text))
        return value
    if isinstance(value, list):
        return [fill(item, places) for item in value]
    if isinstance(value, dict):
        return {key: fill(item, places) for key, item in value.items()}
    return value


# --- some files -----------------------------------------------------------------------------------


# An image of one pixel.
DOT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")


class Files:
    """A folder that the tools of the domain filesystem read and change."""

    def __init__(self, root):
        self.root = root
        (root / "src").mkdir(parents=True)
        (root / "README.md").write_text("# Files\n\nSome words.\n")
        (root / "src" / "app.py").write_text("import os\nx=1\n")
        (root / "dot.png").write_bytes(DOT)

    def fill(self, value):
        return fill(value, {"root": str(self.root)})

    def check_after_the_calls(self):
        """What is there when all of the table's calls were made: that, and nothing else."""
        found = {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}
        assert found == {
            "README.md": b"# Files\n\nSome words.\n",
            "dot.png": DOT,
            "made/moved.py": b"import os\n\nx = 1\n",
            "notes/todo.txt": b"eins\nzwo\ndrei\nvier\n",
            "src/app.py": b"import os\nx=1\n",
        }
        assert not list((self.root / "made" / "src").iterdir())
        assert not (self.root / "made" / "deep").exists()


# --- a real repository ----------------------------------------------------------------------------


class Repository:
    """A repository with some history, made by git itself, and a bare one beside it as its remote."""

    def __init__(self, root):
        self.root = root
        self.repo = root / "project"
        self.remote = root / "remote.git"
        self.root.mkdir()
        self.git("init", "-q", "--bare", "-b", "main", str(self.remote), where=root)
        self.git("init", "-q", "-b", "main", str(self.repo), where=root)
        self.identify(self.repo)
        self.commit("Add readme", {"README.md": "# Project\n", "src/app.py": "print('hello')\n"})
        self.commit("Add a module", {"src/mod.py": "VALUE = 42\n"})
        self.git("tag", "-a", "-m", "First release", "v1.0")
        for branch, path in (("topic", "topic.txt"), ("pick", "picked.txt")):
            self.git("checkout", "-q", "-b", branch, "main")
            self.commit(f"Work on {branch}", {path: f"{branch}\n"})
        self.git("checkout", "-q", "main")
        self.git("remote", "add", "origin", str(self.remote))
        self.git("push", "-q", "-u", "origin", "main")
        self.commit_by_somebody_else()
        # Changes that nobody has committed yet.
        (self.repo / "README.md").write_text("# Project\n\nMore words.\n".replace("\n\n", "\n", 1))
        (self.repo / "new.txt").write_text("hello\n")

    def git(self, *args, where=None):
        done = fleets.run(["git", *args], cwd=where or self.repo, env={
            "PATH": os.environ["PATH"], "HOME": str(self.root), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"})
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def identify(self, where):
        self.git("config", "user.name", "Ada", where=where)
        self.git("config", "user.email", "ada@example.org", where=where)

    def commit(self, subject, files, where=None):
        where = where or self.repo
        for name, text in files.items():
            path = where / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            self.git("add", name, where=where)
        self.git("commit", "-q", "-m", subject, where=where)

    def commit_by_somebody_else(self):
        other = self.root / "somebody-else"
        self.git("clone", "-q", str(self.remote), str(other), where=self.root)
        self.identify(other)
        self.commit("Work of somebody else", {"else.txt": "else\n"}, where=other)
        self.git("push", "-q", "origin", "main", where=other)

    def fill(self, value):
        """A table's value with its placeholders filled in."""
        return fill(value, {name: str(getattr(self, name)) for name in ("root", "repo", "remote")})

    def check_after_the_calls(self):
        """What git itself says of the repository when all of the table's calls were made."""
        self.git("fsck", "--strict", "--no-dangling")
        assert self.git("status", "--porcelain") == ""
        assert self.git("branch", "--show-current") == "topic"
        assert self.git("log", "-1", "--format=%s|%an|%ae", "topic") == "Nothing new|Ada|ada@example.org"
        assert self.git("merge-base", "main", "topic") == self.git("rev-parse", "main")
        assert self.git("log", "--format=%s", "main").splitlines()[0].startswith("Revert")
        assert "Merge the greeting" in self.git("log", "--format=%s", "main")
        assert self.git("rev-list", "--count", "--merges", "main") == "1"
        assert "Work of somebody else" in self.git("log", "--format=%s", "main")
        assert self.git("tag").splitlines() == ["v1.0", "v1.1"]
        assert self.git("cat-file", "-t", "v1.1") == "tag"
        assert self.git("stash", "list") == ""
        assert self.git("branch", "--format=%(refname:short)").splitlines() == ["beside", "main", "pick", "topic"]
        at_the_remote = self.git("for-each-ref", "--format=%(refname:short)", where=self.remote).splitlines()
        assert at_the_remote == ["feature/task-7-greet-the-user", "main", "topic"]
        assert self.git("rev-parse", "topic", where=self.remote) == self.git("rev-parse", "topic")
        assert not (self.root / "tree").exists()
        assert (self.root / "copy" / "else.txt").read_text() == "else\n"
        assert self.git("symbolic-ref", "HEAD", where=self.root / "fresh") == "refs/heads/main"


# --- hosts to talk to -------------------------------------------------------------------------------


class Hosts:
    """A web server, one with TLS, a port where nobody listens, and a name server, on loopback."""

    def __init__(self, folder):
        folder.mkdir()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=www.example.test", "-addext", "subjectAltName=DNS:www.example.test",
                        "-keyout", "key.pem", "-out", "cert.pem"],
                       cwd=folder, check=True, capture_output=True, timeout=60)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self.web = netpeers.HttpServer()
        self.web_tls = netpeers.HttpServer(tls=context)
        self.names = netpeers.NameServer(self.answers)
        self.web.page("/robots.txt", "User-agent: *\nDisallow: /private\n")
        self.web.page("/page", "<title>A page</title><h1>Words</h1><p>and <a href=more>more</a>",
                      headers=["Content-Type: text/html"])
        self.web.redirect("/moved", "page")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.closed = f"http://127.0.0.1:{taken.getsockname()[1]}"

    @staticmethod
    def answers(name, kind, n):
        if name != "www.example.test":
            return None
        return [(netpeers.A, "127.0.0.1")] if kind == netpeers.A else []

    def close(self):
        for each in (self.web, self.web_tls, self.names):
            each.close()

    def domain(self):
        """Settings of the domain network."""
        return {"allow": ["127.0.0.1"], "dns_servers": [self.names.address]}

    def fill(self, value):
        """A table's value with its placeholders filled in."""
        return fill(value, {"web": self.web.url, "closed": self.closed, "name_server": self.names.address,
                            "port": self.web.port, "tls_port": self.web_tls.port})


# --- the table of calls ---------------------------------------------------------------------------


def table(domain):
    return json.loads((CALLS / f"{domain}.json").read_text())


def assert_fits(expected, found, where="result"):
    """`found` has all that `expected` says: objects may have more members, lists not more items."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert key in found, f"{where}: no {key} in {found}"
            assert_fits(value, found[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), f"{where}: {found}"
        for index, value in enumerate(expected):
            assert_fits(value, found[index], f"{where}[{index}]")
    else:
        assert found == expected, f"{where}: {found!r}, not {expected!r}"


def check_tools(tools):
    """What holds for the list of a native domain."""
    for tool in tools:
        jsonschema.Draft202012Validator.check_schema(tool["inputSchema"])
        jsonschema.Draft202012Validator.check_schema(tool["outputSchema"])
        assert tool["title"] and tool["description"]
        assert set(tool["annotations"]) >= {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}


def check_calls(calls, outcome):
    """Every call of the table succeeded, with structured content that fits its schema and the table;
    and the table has every tool of the list."""
    tools = {tool["name"]: tool for tool in outcome["tools"]}
    failures = [f"{name}: the table has no call of it" for name in set(tools) - {call["tool"] for call in calls}]
    for call, answer in zip(calls, outcome["results"], strict=True):
        if call["tool"] not in tools:
            failures.append(f"{call['tool']}: it is not listed")
            continue
        try:
            check_call(call, answer, tools[call["tool"]])
        except (AssertionError, jsonschema.ValidationError) as error:
            failures.append(f"{call['tool']}: {str(error)[:1000]}")
    assert not failures, "\n".join(failures)


def check_call(call, answer, tool):
    assert "result" in answer, answer
    result = answer["result"]
    assert not result.get("isError"), result["content"]
    assert result["content"][0]["type"] == call.get("content", "text")
    jsonschema.validate(result["structuredContent"], tool["outputSchema"])
    assert_fits(call.get("expect", {}), result["structuredContent"])


# --- what each SDK must be able to do ---------------------------------------------------------------


def every_tool_of_utils(client, transport):
    calls = table("utils")
    outcome = client.run(transport, "calls", calls=calls)
    check_tools(outcome["tools"])
    check_calls(calls, outcome)


def every_tool_of_git(client, transport, repository):
    calls = repository.fill(table("git"))
    outcome = client.run(transport, "calls", calls=calls)
    check_tools(outcome["tools"])
    check_calls(calls, outcome)
    repository.check_after_the_calls()


def every_tool_of_network(client, transport, hosts):
    calls = hosts.fill(table("network"))
    outcome = client.run(transport, "calls", calls=calls)
    check_tools(outcome["tools"])
    check_calls(calls, outcome)


def every_tool_of_filesystem(client, transport, files):
    calls = files.fill(table("filesystem"))
    outcome = client.run(transport, "calls", calls=calls)
    check_tools(outcome["tools"])
    check_calls(calls, outcome)
    files.check_after_the_calls()


def progress(client, transport):
    outcome = client.run(transport, "progress", tool="fake_progress", arguments={"steps": 4})
    assert outcome["progress"] == [[step, 4, f"step {step}"] for step in range(1, 5)]
    assert outcome["answer"]["result"]["content"][0]["text"] == "done"


def cancel(client, transport):
    outcome = client.run(transport, "cancel", tool="fake_sleep", arguments={"seconds": 30}, after=0.5, then="fake_echo")
    assert outcome["gave_up"]
    assert "result" in outcome["then"]
    assert outcome["seconds"] < 5 * fleets.SLOWNESS


def many(client, transport, clients, tool="string_to_upper"):
    """Each client hears its own answers and no other's, though all number their calls alike."""
    outcome = client.run(transport, "many", clients=clients, turns=3, tool=tool)
    assert outcome["wrong"] == []
