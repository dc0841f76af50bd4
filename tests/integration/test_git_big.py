"""The git tools on a long history and a wide tree: memory stays bounded, and a cancelled call ends at once.

100,000 commits of one file and 20,000 files beside it, made by `git fast-import` in a few seconds. What the
worker may use is far below what the repository would need in memory; the figures are printed (pytest -s).
"""

import json
import time

import pytest

from biginputs import COMMITS, MEMORY_MAX_MIB, peak_kib
from test_git_write import Repo, Tools

NOTICE_MAX_S = 1.0


@pytest.fixture(scope="module")
def big(long_history):
    return Repo(long_history)


@pytest.fixture
def tools(big):
    tools = Tools([big.path], {"default_repository": str(big.path)})
    yield tools
    assert tools.worker.close() == 0


# What test_big_inputs.py asks too, of the whole fleet, where their memory is measured.
MEASURED_THERE = [
    ("git_log", {"max_count": 1000}),
    ("git_log", {"max_count": 1000, "skip": COMMITS - 500}),
    ("git_log", {"grep": "nothing has this"}),
    ("git_blame", {"file_path": "file"}),
    ("git_get_status", {"max_entries": 20000}),
    ("git_grep", {"pattern": "one", "max_results": 5000}),
]
MEASURED_HERE = [
    ("git_log", {"file_path": "file", "max_count": 1000}),
    ("git_show", {"revision": f"HEAD~{COMMITS}"}),
    ("git_diff", {"target": f"HEAD~{COMMITS}..HEAD", "stat": True}),
    ("git_branch", {"contains": f"HEAD~{COMMITS}"}),
]
CHANGING = [("git_add", {}), ("git_reset", {"mode": "hard", "confirm": True})]


@pytest.mark.slow
@pytest.mark.parametrize("tool, args", MEASURED_HERE)
def test_memory_is_bounded(tool, args, tools):
    began = time.monotonic()
    answer = tools.ok(tool, **args)
    peak = peak_kib(tools.worker.process.pid) // 1024
    print(f"{tool} {json.dumps(args)}: {time.monotonic() - began:.2f} s, {peak} MiB")
    assert peak < MEMORY_MAX_MIB["git"]
    if tool == "git_log":
        assert len(answer["commits"]) == 1000


def test_pages_of_the_log_fit_together(tools, big):
    wanted = big.git("log", "-3000", "--format=%H").splitlines()
    pages = [tools.ok("git_log", max_count=1000, skip=skip)["commits"] for skip in (0, 1000, 2000)]
    assert [commit["hash"] for page in pages for commit in page] == wanted


@pytest.mark.slow
@pytest.mark.parametrize("tool, args", MEASURED_THERE + MEASURED_HERE + CHANGING)
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
