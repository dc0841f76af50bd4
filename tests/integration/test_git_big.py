"""The git tools on a long history and a wide tree: memory stays bounded, and a cancelled call ends at once.

100,000 commits of one file and 20,000 files beside it, made by `git fast-import` in a few seconds. What the
worker may use is far below what the repository would need in memory; the figures are printed (pytest -s).
"""

import json
import subprocess
import time

import pytest

from test_git_write import ENV, Repo, Tools

COMMITS = 100000
FILES = 20000
LINES = 200
MEMORY_MAX_KB = 400 * 1024  # 64 MiB of objects that libgit2 keeps, mapped packs, and the answer
NOTICE_MAX_S = 1.0


def history():
    """A stream in which each commit changes one line of `file`, after one with the wide tree."""
    yield "blob\nmark :1\ndata 4\none\n\n"
    yield "commit refs/heads/main\ncommitter A <a@example.org> 1400000000 +0000\ndata 4\nwide\n"
    for number in range(FILES):
        yield f"M 100644 :1 wide/d{number % 200}/e{number % 7}/f{number}\n"
    lines = [f"line {number}\n" for number in range(LINES)]
    for number in range(COMMITS):
        lines[number % LINES] = f"changed by {number}\n"
        subject = f"commit {number}"
        yield (f"\ncommit refs/heads/main\nauthor A{number % 50} <a@example.org> {1400000000 + number} +0000\n"
               f"committer A <a@example.org> {1400000000 + number} +0000\ndata {len(subject)}\n{subject}\n")
        if number % 100 == 0:
            body = "".join(lines)
            yield f"M 100644 inline file\ndata {len(body)}\n{body}\n"
        else:
            yield f"M 100644 inline small\ndata {len(subject)}\n{subject}\n"


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    root = tmp_path_factory.mktemp("big")
    path = root / "repo"
    path.mkdir()
    repo = Repo(path)
    repo.git("init", "-q", "-b", "main")
    with subprocess.Popen(["git", "fast-import", "--quiet"], cwd=path, env=ENV, stdin=subprocess.PIPE) as importer:
        for part in history():
            importer.stdin.write(part.encode())
        importer.stdin.close()
    assert importer.returncode == 0
    repo.git("reset", "-q", "--hard")
    return repo


@pytest.fixture
def tools(big):
    tools = Tools([big.path], {"default_repository": str(big.path)})
    yield tools
    assert tools.worker.close() == 0


def peak_kb(tools):
    with open(f"/proc/{tools.worker.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


CALLS = [
    ("git_log", {"max_count": 1000}),
    ("git_log", {"max_count": 1000, "skip": COMMITS - 500}),
    ("git_log", {"grep": "nothing has this"}),
    ("git_log", {"file_path": "file", "max_count": 1000}),
    ("git_blame", {"file_path": "file"}),
    ("git_show", {"revision": f"HEAD~{COMMITS}"}),
    ("git_get_status", {"max_entries": 20000}),
    ("git_diff", {"target": f"HEAD~{COMMITS // 2}"}),
    ("git_diff", {"target": f"HEAD~{COMMITS}..HEAD", "stat": True}),
    ("git_grep", {"pattern": "one", "max_results": 5000}),
    ("git_branch", {"contains": f"HEAD~{COMMITS}"}),
]


@pytest.mark.slow
@pytest.mark.parametrize("tool, args", CALLS)
def test_memory_is_bounded(tool, args, tools):
    began = time.monotonic()
    answer = tools.ok(tool, **args)
    peak = peak_kb(tools)
    print(f"{tool} {json.dumps(args)}: {time.monotonic() - began:.2f} s, {peak // 1024} MiB")
    assert peak < MEMORY_MAX_KB
    if tool == "git_log" and "grep" not in args:
        assert len(answer["commits"]) in (501, 1000)
    elif tool == "git_grep":
        assert answer["truncated"] and len(answer["matches"]) == 5000


def test_pages_of_the_log_fit_together(tools, big):
    wanted = big.git("log", "-3000", "--format=%H").splitlines()
    pages = [tools.ok("git_log", max_count=1000, skip=skip)["commits"] for skip in (0, 1000, 2000)]
    assert [commit["hash"] for page in pages for commit in page] == wanted


@pytest.mark.slow
@pytest.mark.parametrize("tool, args", CALLS + [("git_add", {}), ("git_reset", {"mode": "hard", "confirm": True})])
def test_cancellation_is_noticed(tool, args, tools, big):
    """Whenever it comes: sent at some moment of the call, the worker answers a ping within a second."""
    worker = tools.worker
    for delay in (0.02, 0.2):
        worker.send({"jsonrpc": "2.0", "id": f"slow {delay}", "method": "tools/call",
                     "params": {"name": tool, "arguments": args}})
        time.sleep(delay)
        worker.notify("notifications/cancelled", {"requestId": f"slow {delay}"})
        began = time.monotonic()
        assert worker.request("ping")["result"] == {}
        took = time.monotonic() - began
        print(f"{tool} {json.dumps(args)}: cancelled after {delay} s, noticed in {took:.2f} s")
        assert took < NOTICE_MAX_S
    assert not (big.path / ".git/index.lock").exists()
