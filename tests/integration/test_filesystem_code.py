"""The code tools, with real linters and formatters on friendly and hostile projects, and with programs
in their place that hang, fork, print without end or lie."""

import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import time

import pytest

from fleet import SLOWNESS
from stdio_worker import StdioWorker

PROGRAM = pathlib.Path(os.environ.get("MCP_FLEET_BUILD", ".")).resolve() / "worker-filesystem"
TOOLS = pathlib.Path(sys.prefix) / "bin"
LINTERS = ["ruff", "pylint", "flake8"]
FORMATTERS = ["black", "ruff"]
CODE_TOOLS = {"code_lint", "code_format", "code_analyze", "code_check_tools"}
UGLY = "import os\nx=1\n"
GOOD = '"""Doc."""\n\nX = 1\n'


class Worker(StdioWorker):
    """As its parent, for tools that have an argument `tool`."""

    def ask(self, name, /, **arguments):
        return self.request("tools/call", {"name": name, "arguments": arguments})["result"]

    def data_of(self, name, /, **arguments):
        result = self.ask(name, **arguments)
        assert not result.get("isError"), result["content"][0]["text"]
        return result["structuredContent"], result["content"][0]["text"]

    def failure_of(self, name, /, **arguments):
        result = self.ask(name, **arguments)
        assert result.get("isError"), result
        text = result["content"][0]["text"]
        return text.split(":", 1)[0], text


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "root"
    (root / "pkg" / "deep").mkdir(parents=True)
    (root / "ugly.py").write_text(UGLY)
    (root / "good.py").write_text(GOOD)
    (root / "pkg" / "deep" / "ugly.py").write_text(UGLY)
    (root / "pkg" / "stub.pyi").write_text("def f()->int: ...\n")
    return root


@pytest.fixture
def start(project):
    started = []

    def start(tools=TOOLS, roots=None, grant=None, **settings):
        settings["code_tools_path"] = [str(tools)]
        if roots is None:
            settings["roots"] = [str(project)]
        else:
            settings["roots"] = roots
        if tools != TOOLS:  # shell scripts of ours, which call other programs
            grant = {"programs": ["/usr/bin", "/bin"], **(grant or {})}
        started.append(Worker(PROGRAM, settings=settings, grant=grant))
        return started[-1]

    yield start
    for worker in started:
        assert worker.close() == 0


@pytest.fixture
def worker(start):
    return start()


def snapshot(folder):
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_ino, path.lstat().st_mode)
            for path in [folder, *folder.rglob("*")]}


# What they do

@pytest.mark.sanitizers
@pytest.mark.parametrize("tool", LINTERS)
def test_lint_a_file(worker, project, tool):
    before = snapshot(project)
    data, text = worker.data_of("code_lint", path="ugly.py", tool=tool)
    lines = text.split("\n")
    assert lines[0] == f"Linting ugly.py with {tool}:"
    assert all(line.startswith("ugly.py:") for line in lines[1:])
    assert "imported but unused" in text or "Unused import os" in text
    assert data["issues_found"] and data["success"] and not data["truncated"]
    assert data["exit_code"] == (20 if tool == "pylint" else 1)
    assert "\n".join(lines[1:]) == data["output"].rstrip("\n")

    data, text = worker.data_of("code_lint", path=str(project / "good.py"), tool=tool)
    assert text == f"Linting {project}/good.py with {tool}:\nNo issues found"
    assert not data["issues_found"] and data["success"] and data["exit_code"] == 0
    assert snapshot(project) == before


@pytest.mark.parametrize("tool", LINTERS)
def test_lint_a_directory(worker, project, tool):
    (project / "pkg" / "bad.py").write_text("def f(:\n")
    (project / "node_modules").mkdir()
    (project / "node_modules" / "theirs.py").write_text(UGLY)
    (project / ".hidden").mkdir()
    (project / ".hidden" / "theirs.py").write_text(UGLY)
    data, text = worker.data_of("code_lint", path="pkg/", tool=tool)
    places = {line.split(":")[0] for line in data["output"].splitlines()}
    assert {"pkg/bad.py", "pkg/deep/ugly.py"} <= places
    assert data["success"] and data["issues_found"]

    data, text = worker.data_of("code_lint", path=".", tool=tool)
    places = {line.split(":")[0] for line in data["output"].splitlines()}
    assert {"ugly.py", "pkg/deep/ugly.py"} <= places
    assert not any("theirs" in place for place in places)


def test_what_belongs_to_the_project_is_known(worker, project):
    """ruff sorts imports of the project behind those of others; the rest of the project is not read."""
    (project / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (project / "pkg" / "__init__.py").write_text("")
    text = "import os\n\nimport requests\n\nfrom pkg import deep\n\nprint(os, requests, deep)\n"
    (project / "pkg" / "main.py").write_text(text)
    data, _ = worker.data_of("code_lint", path="pkg/main.py")
    assert not data["issues_found"], data["output"]


def test_line_length(worker, project):
    (project / "long.py").write_text(f'"""Doc."""\n\nX = [{", ".join("1" * 30)}]\n')
    for tool, rule in (("flake8", "E501"), ("pylint", "line-too-long")):
        assert rule in worker.data_of("code_lint", path="long.py", tool=tool, line_length=60)[0]["output"]
        assert rule not in worker.data_of("code_lint", path="long.py", tool=tool, line_length=120)[0]["output"]
    for tool in FORMATTERS:
        for length, code in ((120, 0), (40, 1)):
            data, _ = worker.data_of("code_format", path="long.py", tool=tool, check_only=True,
                                     line_length=length)
            assert data["exit_code"] == code, (tool, length)
    assert worker.failure_of("code_lint", path="long.py", line_length=0)[0] == "invalid_argument"
    assert worker.failure_of("code_lint", path="long.py", line_length=321)[0] == "invalid_argument"


def test_analyze(worker, project):
    data, text = worker.data_of("code_analyze", path=".")
    assert text.startswith("Analyzing .:\n2\tF401\tunused-import\n")
    assert "findings of" in data["statistics"].splitlines()[-1] and data["success"]
    data, text = worker.data_of("code_analyze", path="good.py")
    assert text == "Analyzing good.py:\nNo issues found" and data["success"]
    (project / "empty").mkdir()
    assert "no Python file" in worker.data_of("code_analyze", path="empty")[1]
    assert "no Python file" in worker.data_of("code_lint", path="empty")[1]
    assert "no Python file" in worker.data_of("code_format", path="empty")[1]


@pytest.mark.sanitizers
@pytest.mark.parametrize("tool", FORMATTERS)
def test_format_a_file(worker, project, tool):
    ugly = project / "ugly.py"
    ugly.chmod(0o751)
    before = snapshot(project)
    data, text = worker.data_of("code_format", path="ugly.py", tool=tool, check_only=True)
    assert text == f"Formatting ugly.py with {tool}:\nwould reformat ugly.py\n1 file would be reformatted"
    assert not data["modified"] and data["success"]
    assert data["changed_files"] == 1 and data["exit_code"] == 1
    assert snapshot(project) == before

    data, text = worker.data_of("code_format", path="ugly.py", tool=tool)
    assert text == f"Formatting ugly.py with {tool}:\nreformatted ugly.py\n1 file reformatted"
    assert data["modified"] and data["success"] and data["exit_code"] == 0
    assert ugly.read_text() == "import os\n\nx = 1\n"
    assert ugly.stat().st_mode & 0o777 == 0o751

    before = snapshot(project)
    data, text = worker.data_of("code_format", path="ugly.py", tool=tool)
    assert text.endswith("1 file left unchanged") and not data["modified"]
    assert snapshot(project) == before


@pytest.mark.parametrize("tool", FORMATTERS)
def test_format_a_directory(worker, project, tool):
    (project / "pkg" / "bad.py").write_text("def f(:\n")
    data, text = worker.data_of("code_format", path=str(project), tool=tool)
    assert data["changed_files"] == 3 and data["modified"] and not data["success"]
    assert f"reformatted {project}/pkg/stub.pyi" in text and "1 file could not be formatted" in text
    assert f"{project}/pkg/bad.py: {tool} failed" in text
    assert (project / "pkg" / "deep" / "ugly.py").read_text() == "import os\n\nx = 1\n"
    assert (project / "pkg" / "bad.py").read_text() == "def f(:\n"
    assert {path.name for path in project.rglob("*")} == {
        "ugly.py", "good.py", "pkg", "deep", "stub.pyi", "bad.py"}


@pytest.mark.parametrize("tool", FORMATTERS)
def test_format_keeps_line_ends_and_what_is_no_python(worker, project, tool):
    (project / "dos.py").write_bytes(b"x=1\r\ny='\xc3\xa9'\r\n")
    worker.data_of("code_format", path="dos.py", tool=tool)
    assert (project / "dos.py").read_bytes() == b'x = 1\r\ny = "\xc3\xa9"\r\n'
    (project / "latin.py").write_bytes(b"x='\xe9'\n")
    data, _ = worker.data_of("code_format", path="latin.py", tool=tool)
    assert not data["success"] and not data["modified"]
    assert (project / "latin.py").read_bytes() == b"x='\xe9'\n"
    (project / "blank.py").write_bytes(b"\n\n")
    assert worker.data_of("code_format", path="blank.py", tool=tool)[0]["success"]


def test_what_is_python(worker, project):
    (project / "script").write_text("#!/usr/bin/env python3\n" + UGLY)
    (project / "shell").write_text("#!/bin/sh\n")
    (project / "data.json").write_text("[1,2]")
    (project / "n.ipynb").write_text(
        '{"cells":[{"cell_type":"code","execution_count":null,"id":"a","metadata":{},"outputs":[],'
        '"source":["import os"]}],"metadata":{},"nbformat":4,"nbformat_minor":5}\n')
    assert worker.data_of("code_lint", path="script")[0]["issues_found"]
    assert worker.failure_of("code_lint", path="shell")[0] == "invalid_argument"
    assert worker.failure_of("code_format", path="data.json")[0] == "invalid_argument"
    assert "F401" in worker.data_of("code_lint", path="n.ipynb")[0]["output"]
    code, text = worker.failure_of("code_format", path="n.ipynb")
    assert code == "invalid_argument" and "Use ruff" in text


def test_a_large_file(worker, project):
    (project / "large.py").write_bytes(b"#" * (5 * 1024 * 1024))
    assert worker.data_of("code_lint", path="large.py")[0]["success"]
    with open(project / "large.py", "ab") as file:
        file.write(b"#")
    code, text = worker.failure_of("code_lint", path="large.py")
    assert code == "too_large" and text.endswith("Name a smaller file.")
    data, text = worker.data_of("code_lint", path=".")
    assert "large.py: cannot be read: File too large" in text and not data["success"]


def test_odd_names(worker, project):
    names = ["-x.py", "--fix.py", "a b.py", "new\nline.py", 'quo"te.py', "é.py", "@x.py", "$(id).py"]
    for name in names:
        (project / name).write_text(UGLY)
    for tool in LINTERS:
        for name in names if tool == "ruff" else ["--fix.py", "new\nline.py"]:
            data, _ = worker.data_of("code_lint", path=name, tool=tool)
            shown = '"new\\nline.py"' if "\n" in name else name
            assert data["issues_found"] and data["path"] == name
            assert all(line.startswith(shown + ":") for line in data["output"].splitlines())
    for name in names:
        assert worker.data_of("code_format", path=name, tool="ruff")[0]["modified"], name
    (project / os.fsdecode(b"by\xfftes.py")).write_text(UGLY)
    assert "by\ufffdtes.py:1:8: F401" in worker.data_of("code_lint", path=".")[0]["output"]


# Where they may not

def test_paths_that_are_refused(worker, project, tmp_path):
    (tmp_path / "secret.py").write_text("TOPSECRET = 1\n")
    (project / "out.py").symlink_to("../secret.py")
    (project / "abs.py").symlink_to(tmp_path / "secret.py")
    (project / "in.py").symlink_to("ugly.py")
    os.mkfifo(project / "fifo.py")
    for tool in ("code_lint", "code_format", "code_analyze"):
        for path, code in (("none.py", "not_found"), ("../secret.py", "outside_roots"),
                           ("out.py", "outside_roots"), ("abs.py", "outside_roots"),
                           (str(tmp_path / "secret.py"), "outside_roots"),
                           ("fifo.py", "special_file"), ("", "invalid_argument"),
                           ("good.py/x", "not_a_directory")):
            found, text = worker.failure_of(tool, path=path)
            assert (found, "TOPSECRET" in text) == (code, False), (tool, path)
    assert worker.data_of("code_lint", path="in.py")[0]["issues_found"]


@pytest.mark.parametrize("tool", LINTERS)
def test_a_walk_follows_no_links(worker, project, tmp_path, tool):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.py").write_text("import TOPSECRET\n")
    (project / "link.py").symlink_to("../outside/secret.py")
    (project / "dir").symlink_to("../outside")
    (project / "loop").symlink_to(".")
    data, text = worker.data_of("code_lint", path=".", tool=tool)
    assert "TOPSECRET" not in text and "link.py" not in text and "loop" not in text
    for formatter in FORMATTERS:
        worker.data_of("code_format", path=".", tool=formatter)
    assert (tmp_path / "outside" / "secret.py").read_text() == "import TOPSECRET\n"


def test_format_through_a_link_changes_its_target(worker, project):
    (project / "in.py").symlink_to("pkg/deep/ugly.py")
    os.link(project / "ugly.py", project / "other_name.py")
    assert worker.data_of("code_format", path="in.py")[0]["modified"]
    assert (project / "in.py").is_symlink()
    assert (project / "pkg" / "deep" / "ugly.py").read_text() == "import os\n\nx = 1\n"
    # A second name of the file keeps the old text: it may lie anywhere.
    assert worker.data_of("code_format", path="ugly.py")[0]["modified"]
    assert (project / "other_name.py").read_text() == UGLY


def test_read_only_roots_and_git(start, project):
    (project / ".git" / "hooks").mkdir(parents=True)
    (project / ".git" / "hooks" / "x.py").write_text(UGLY)
    (project / "inner").mkdir()
    (project / "inner" / "ugly.py").write_text(UGLY)
    worker = start(roots=[str(project), {"path": str(project / "inner"), "access": "read"}])
    before = snapshot(project)
    assert worker.failure_of("code_format", path=".git/hooks/x.py")[0] == "protected"
    assert worker.failure_of("code_format", path="inner/ugly.py")[0] == "read_only"
    assert worker.failure_of("code_format", path="inner")[0] == "read_only"
    # Under names that other file systems take for .git as well.
    (project / "git~1").mkdir()
    (project / "git~1" / "x.py").write_text(UGLY)
    assert worker.failure_of("code_format", path="git~1/x.py")[0] == "protected"
    (project / "git~1" / "x.py").unlink()
    (project / "git~1").rmdir()
    before = snapshot(project)
    # Nothing of a directory is changed when a part of it may not be.
    code, text = worker.failure_of("code_format", path=".")
    assert code == "read_only" and "inner/ugly.py" in text
    assert snapshot(project) == before
    assert worker.data_of("code_format", path="inner", check_only=True)[0]["changed_files"] == 1
    assert worker.data_of("code_lint", path="inner")[0]["issues_found"]
    assert snapshot(project) == before


# Hostile projects

BAIT = """
def f():
    import pathlib
    pathlib.Path({marker!r}).write_text("caught")
f()
"""


BAITS = ["sitecustomize", "bait_plugin", "colorama", "json", "usercustomize", "conftest", "setup",
         "astroid", "pylint", "black", "flake8", "tomllib", "pycodestyle", "click",
         "typing_extensions", "isort", "dill", "uvloop", "colorlog"]


@pytest.fixture
def hostile(project, tmp_path):
    """A project in which whatever is run of it leaves a marker."""
    marker = tmp_path / "marker"
    bait = BAIT.format(marker=str(marker))
    run = f"import pathlib; pathlib.Path({str(marker)!r}).write_text('caught')"
    for folder in (project, project / "pkg" / "deep"):
        # The lower folder is walked through: each file costs a process.
        for name in BAITS if folder == project else BAITS[:4]:
            (folder / f"{name}.py").write_text(bait)
        (folder / ".pylintrc").write_text(f"[MAIN]\ninit-hook={run}\nload-plugins=bait_plugin\n")
        (folder / "pylintrc").write_text(f"[MAIN]\ninit-hook={run}\nload-plugins=bait_plugin\n")
        flake8 = ("[flake8]\nenable-extensions = X\n[flake8:local-plugins]\nextension =\n"
                  f"    X = bait_plugin:f\npaths = {folder}\n")
        for name in ("setup.cfg", "tox.ini", ".flake8"):
            (folder / name).write_text(flake8)
        (folder / "pyproject.toml").write_text(
            f"[tool.pylint.main]\ninit-hook = {run!r}\nload-plugins = ['bait_plugin']\n"
            "[tool.black]\nline-length = 'x'\ncode = 'PWNED = 1'\n"
            "[tool.ruff]\nextend = '/etc/passwd'\n")
        (folder / "ruff.toml").write_text("extend = '/etc/passwd'\n[[[\n")
        source = folder / "bait.c"
        source.write_text(
            "#include <fcntl.h>\n__attribute__((constructor)) static void f(void)\n"
            f'{{ (void)!open("{marker}", O_CREAT | O_WRONLY, 0600); }}\n')
        subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "winreg.so", source], check=True)
        source.unlink()
        (folder / "msvcrt.so").write_bytes((folder / "winreg.so").read_bytes())
        (folder / "victim.py").write_text(
            "import winreg\nimport msvcrt\nimport bait_plugin\nfrom . import sitecustomize\n"
            "winreg.OpenKey()\nmsvcrt.getch()\nbait_plugin.f()\nsitecustomize.f()\nx=1\n")
    return marker


def test_the_bait_is_taken(hostile, project):
    """What the next test shows is worth something: given a path, pylint runs what lies beside it."""
    env = {"PATH": str(TOOLS), "HOME": "/dev/null", "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([TOOLS / "pylint", "--rcfile=/dev/null", "--", project / "victim.py"],
                   cwd="/", env=env, capture_output=True, timeout=60, check=False)
    assert hostile.exists()


@pytest.mark.parametrize("tool", LINTERS)
@pytest.mark.parametrize("path", ["victim.py", "pkg/deep/victim.py", "pkg"])
def test_lint_runs_nothing_of_a_hostile_project(worker, hostile, project, tool, path):
    before = snapshot(project)
    data, text = worker.data_of("code_lint", path=path, tool=tool)
    assert data["success"] and data["issues_found"], text
    assert "root:" not in text
    assert not hostile.exists()
    assert snapshot(project) == before


@pytest.mark.parametrize("tool", FORMATTERS)
def test_format_runs_nothing_of_a_hostile_project(worker, hostile, project, tool):
    assert worker.data_of("code_analyze", path=".")[0]["success"]
    worker.data_of("code_check_tools")
    before = snapshot(project)
    assert worker.data_of("code_format", path="pkg", tool=tool, check_only=True)[0]["success"]
    assert snapshot(project) == before
    assert worker.data_of("code_format", path="victim.py", tool=tool)[0]["modified"]
    assert (project / "victim.py").read_text().endswith("sitecustomize.f()\nx = 1\n")
    assert not hostile.exists()
    assert set(snapshot(project)) == set(before)


# Programs that are not what they should be

@pytest.fixture
def fake(tmp_path):
    """fake(script) puts a shell script in the place of every tool; returns their directory."""
    folder = tmp_path / "tools"
    folder.mkdir()

    def fake(script):
        for name in ("ruff", "black", "pylint", "flake8", "mypy"):
            path = folder / name
            path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
            path.chmod(0o755)
        return folder

    return fake


def processes_with(word):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if word.encode() in words:
                found.append(int(entry.name))
    return found


@pytest.fixture
def forever():
    """An argument for sleep(1) by which its processes are known; none must be left."""
    word = f"98{os.getpid()}.{time.monotonic_ns() % 10**9:09}"
    yield word
    left = processes_with(word)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def test_what_a_program_gets(start, project, tmp_path):
    """Its arguments, environment, working directory and descriptors, and nothing more."""
    program = tmp_path / "tools" / "flake8"
    program.parent.mkdir()
    program.write_text(f"""#!{sys.executable}
import json, os, sys
fds = [fd for fd in range(256) if os.path.exists(f"/proc/self/fd/{{fd}}")]
env = open("/proc/self/environ").read().split("\\0")[:-1]
print("1:1:", json.dumps([sys.argv[1:], os.getcwd(), sys.stdin.read(), fds, sorted(env)]))
""")
    program.chmod(0o755)
    data, _ = start(program.parent, grant={"read": ["/proc", sys.prefix, sys.base_prefix]}).data_of(
        "code_lint", path="good.py", tool="flake8")
    arguments, cwd, text, fds, env = json.loads(data["output"].removeprefix("good.py:1:1: "))
    assert arguments == ["--isolated", "--jobs=1", "--color=never",
                         "--format=%(row)d:%(col)d: %(code)s %(text)s", "-"]
    assert cwd == str(program.parent) and text == GOOD and fds == [0, 1, 2]
    assert env == ["HOME=/dev/null", "LANG=C.UTF-8", "NO_COLOR=1", f"PATH={program.parent}",
                   "PYTHONDONTWRITEBYTECODE=1", "PYTHONNOUSERSITE=1", "PYTHONSAFEPATH=1",
                   "PYTHONUTF8=1"]


@pytest.mark.sanitizers
@pytest.mark.parametrize("tool", ["code_lint", "code_format", "code_analyze"])
def test_a_program_that_hangs(start, fake, forever, tool):
    script = f"trap '' TERM HUP INT; setsid sleep {forever} & (sleep {forever} &) ; sleep {forever}"
    worker = start(fake(script), call_timeout_ms=3000)
    code, text = worker.failure_of(tool, path="ugly.py")
    assert code == "timeout" and "0 of 1 files" in text
    assert not processes_with(forever)
    assert worker.data_of("code_list_roots")


@pytest.mark.sanitizers
def test_a_program_that_ends_before_its_children(start, fake, forever):
    """Its descendants hold the pipes: the answer does not wait for them."""
    worker = start(fake(f"echo '1:1: X'; setsid sleep {forever} & exit 0"))
    data, _ = worker.data_of("code_lint", path="ugly.py", tool="flake8")
    assert data["output"] == "ugly.py:1:1: X\n"
    assert not processes_with(forever)


@pytest.mark.sanitizers
@pytest.mark.parametrize("tool", ["code_lint", "code_format", "code_analyze"])
def test_cancellation(start, fake, forever, tmp_path, tool):
    script = f"trap '' TERM; touch {tmp_path}/runs; setsid sleep {forever} & sleep {forever}"
    worker = start(fake(script), grant={"write": [tmp_path]})
    worker.send({"jsonrpc": "2.0", "id": "slow", "method": "tools/call",
                 "params": {"name": tool, "arguments": {"path": "."}}})
    deadline = time.monotonic() + 30 * SLOWNESS
    while not (tmp_path / "runs").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    begin = time.monotonic()
    worker.notify("notifications/cancelled", {"requestId": "slow"})
    # A ping behind a cancellation is answered when the call has ended.
    assert worker.request("ping")["result"] == {}
    assert time.monotonic() - begin < 1 * SLOWNESS
    assert not processes_with(forever)
    assert not any(message.get("id") == "slow" for message in worker.notifications)


@pytest.mark.sanitizers
def test_a_program_that_prints_without_end(start, fake, project):
    worker = start(fake("yes '1:1: E1 a finding'"))
    data, text = worker.data_of("code_lint", path=".", tool="flake8")
    assert data["truncated"] and data["issues_found"]
    assert 200 * 1024 < len(data["output"]) <= 256 * 1024
    assert text.endswith("There is more: name a single file or a smaller directory.")
    before = snapshot(project)
    data, text = worker.data_of("code_format", path="ugly.py")
    assert not data["success"] and "wrote too much" in text
    assert snapshot(project) == before

    worker = start(fake("yes oops >&2"), call_timeout_ms=3000)
    assert worker.failure_of("code_lint", path="ugly.py")[0] == "timeout"


@pytest.mark.parametrize("script, words", [
    ("echo oops >&2; exit 1", "exit status 1: oops"),
    ("echo oops >&2; exit 2", "exit status 2: oops"),
    ("kill -SEGV $$", "exit status 139"),
    ("printf 'l%s\\n' $(seq 1000) >&2; exit 77", "l1000"),
])
def test_a_program_that_fails(start, fake, project, script, words):
    worker = start(fake(script))
    before = snapshot(project)
    for tool in ("code_lint", "code_format", "code_analyze"):
        data, text = worker.data_of(tool, path="ugly.py")
        assert not data["success"] and words in text and "No issues" not in text, (tool, text)
        assert len(text) < 1000
    assert snapshot(project) == before


def test_a_formatter_that_says_nothing_destroys_nothing(start, fake, project):
    worker = start(fake("exit 0"))
    data, text = worker.data_of("code_format", path="ugly.py")
    assert not data["success"] and not data["modified"] and "gave no text" in text
    assert (project / "ugly.py").read_text() == UGLY


def test_a_file_that_changes_meanwhile_is_left_alone(start, fake, project):
    worker = start(fake(f"cat >/dev/null; echo new >> {project}/ugly.py; echo formatted"))
    code, text = worker.failure_of("code_format", path="ugly.py")
    assert code == "conflict" and "Try again" in text
    assert (project / "ugly.py").read_text() == UGLY + "new\n"
    assert not list(project.glob(".mcp-fleet*"))


def test_format_keeps_attributes(start, fake, project):
    path = project / "ugly.py"
    path.chmod(0o4740)
    # Version 2: the owner, one user more, the group, the mask, others.
    acl = struct.pack("<I" + "HHI" * 5, 2, 1, 6, 2**32 - 1, 2, 4, 65534, 4, 4, 2**32 - 1, 16, 4, 2**32 - 1, 32, 0, 2**32 - 1)
    try:
        os.setxattr(path, "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("no ACLs here")
    worker = start(fake("cat >/dev/null; echo formatted"))
    assert worker.data_of("code_format", path="ugly.py")[0]["modified"]
    assert path.read_text() == "formatted\n"
    assert os.getxattr(path, "system.posix_acl_access") == acl
    assert path.stat().st_mode & 0o7777 == 0o640
    assert not list(project.glob(".*mcp-fleet*"))


def test_what_is_not_named_any_more_is_told(start, fake, project):
    """The output has its limit, and the answer says that it was reached."""
    deep = project / "/".join(["d" * 200] * 10)
    deep.mkdir(parents=True)
    for i in range(140):
        (deep / f"{i}.py").write_text(UGLY)
    worker = start(fake("cat >/dev/null; echo formatted"))
    data, text = worker.data_of("code_format", path="d" * 200, check_only=True)
    assert data["truncated"] and data["changed_files"] == 140
    assert "Not all files are named here" in text and len(data["output"]) < 300_000
    worker = start(fake("exit 3"))
    for tool in ("code_format", "code_lint", "code_analyze"):
        data, text = worker.data_of(tool, path="d" * 200)
        assert data["truncated"] and not data["success"], tool
        assert "name a" in text.splitlines()[-1] or "name a" in text.splitlines()[-2], tool


def test_a_program_that_gives_garbage(start, fake):
    worker = start(fake("printf '\\377\\000\\033[2J1:1: X\\n***\\n1:2: \\377'"))
    data, _ = worker.data_of("code_lint", path="ugly.py", tool="pylint")
    assert "ugly.py:1:2: \ufffd" in data["output"] and data["success"]
    data, _ = worker.data_of("code_analyze", path="ugly.py")
    assert not data["success"]


# Which there are

def test_check_tools(worker, start, fake):
    data, text = worker.data_of("code_check_tools")
    tools = {tool["name"]: tool for tool in data["tools"]}
    assert text.startswith("Available code tools:\nruff: ")
    assert list(tools) == ["ruff", "black", "pylint", "flake8", "mypy"]
    for name in ("ruff", "black", "pylint", "flake8"):
        said = subprocess.run([TOOLS / name, "--version"], capture_output=True, text=True, check=True)
        assert tools[name]["available"] and tools[name]["version"] in said.stdout
        assert tools[name]["path"] == str(TOOLS / name)
    assert tools["mypy"] == {"name": "mypy", "available": False}

    data, text = start(fake("exit 3")).data_of("code_check_tools")
    assert not any(tool["available"] for tool in data["tools"]) and "exit status 3" in text


def test_tool_missing_says_where_it_looked(start, tmp_path):
    (tmp_path / "empty").mkdir()
    worker = start(tmp_path / "empty")
    for tool in ("code_lint", "code_format", "code_analyze"):
        code, text = worker.failure_of(tool, path="ugly.py")
        assert code == "tool_missing" and str(tmp_path / "empty") in text
    (tmp_path / "empty" / "ruff").write_text("#!/no/such/interpreter\n")
    (tmp_path / "empty" / "ruff").chmod(0o755)
    code, text = worker.failure_of("code_lint", path="ugly.py")
    assert code == "tool_missing" and "cannot be started" in text


def test_tools_in_a_writable_root_are_refused(project):
    (project / "bin").mkdir()
    for path, words in ((project / "bin", "lies in a root that may be written"),
                        ("bin", "not an absolute path")):
        settings = f'{{"roots":["{project}"],"code_tools_path":["{path}"]}}'
        done = subprocess.run([PROGRAM, "--settings", settings], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1 and words in done.stderr and str(path) in done.stderr


def test_switched_off(start):
    worker = start(code_tools=False)
    names = {tool["name"] for tool in worker.request("tools/list")["result"]["tools"]}
    assert "code_list_roots" in names and not names & CODE_TOOLS
    for name in CODE_TOOLS:
        answer = worker.request("tools/call", {"name": name, "arguments": {"path": "."}})
        assert answer["error"]["code"] == -32602
