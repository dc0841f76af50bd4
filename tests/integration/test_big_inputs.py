"""Big inputs through the whole fleet: memory stays bounded, and nobody else waits for them.

While some clients ask for a file of 1 GiB, a folder of very many entries and a history of 100,000
commits, others ask the same domain, another domain and the daemon itself for small things, each with
words of its own that the answer must bring back. The folder has 1,000,000 files, or MCP_FLEET_WIDE_ENTRIES;
the figures are printed (pytest -s).
"""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import fleet as fleets
from biginputs import (COMMITS, GIB, LINES, MEMORY_MAX_MIB, MIB, make_huge_file, make_wide_folder, peak_kib,
                       text_block, wide_name)
from fleet import SLOWNESS

WIDE = int(os.environ.get("MCP_FLEET_WIDE_ENTRIES", "1000000"))
SMALL_MAX_S = 2.0
HEALTH_MAX_S = 1.0
BIG_MAX_S = 60.0
PAUSE_S = 0.02  # between a bystander's calls: they are to notice a wait, not to be a load
SMALL_LINES = 1000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def structured(answer):
    """The structured content of a call that must have succeeded."""
    result = answer.get("result")
    assert result and not result.get("isError"), json.dumps(answer)[:500]
    return result["structuredContent"]


class Bystander(threading.Thread):
    """Asks for small things all the time, and remembers the longest wait."""

    def __init__(self, name, ask, max_s):
        super().__init__(name=name, daemon=True)
        self.ask, self.max_s = ask, max_s * SLOWNESS
        self.waits = []
        self.error = None
        self.enough = threading.Event()

    def run(self):
        while not self.enough.is_set() and not self.error:
            began = time.monotonic()
            try:
                self.ask(len(self.waits))
            except Exception as error:  # shown by finish(), in the thread of the test
                self.error = error
            self.waits.append(time.monotonic() - began)
            self.enough.wait(PAUSE_S)

    def finish(self):
        self.enough.set()
        self.join()
        longest = max(self.waits)
        print(f"  {self.name}: {len(self.waits)} times, at most {longest:.3f} s (time {self.waits.index(longest) + 1})")
        if self.error:
            raise self.error
        assert len(self.waits) >= 5, f"{self.name}: {len(self.waits)} calls are too few to tell"
        assert longest < self.max_s, f"{self.name} had to wait for {longest:.2f} s"


def reverse(session):
    def ask(number):
        text = f"{number} by {id(session)}"
        assert structured(session.call("string_reverse", {"text": text}))["result"] == text[::-1]
    return ask


def read_small(session):
    def ask(number):
        line = number % SMALL_LINES + 1
        answer = structured(session.call("code_read", {"path": "small", "offset": line, "limit": 1}))
        assert answer["content"] == text_block(line, line, "small").decode()
    return ask


def log_small(session):
    def ask(number):
        skip = number % 100
        answer = structured(session.call("git_log", {"max_count": 1, "skip": skip}))
        assert [commit["subject"] for commit in answer["commits"]] == [f"commit {COMMITS - 1 - skip}"]
    return ask


def ask_health(fleet):
    return lambda number: fleet.health()


def come_and_go(fleet):
    def ask(number):
        with fleet.session() as session:
            assert session.request("ping")["result"] == {}
    return ask


SMALL = {"filesystem": read_small, "git": log_small}


@contextlib.contextmanager
def bystanders(fleet, domain):
    """Nobody waits, is lost or gets something else while the block runs."""
    fleet.check_fds = False  # there will be more processes than at the start
    sessions = [fleet.session() for _ in range(3)]
    threads = [
        Bystander("another domain", reverse(sessions[0]), SMALL_MAX_S),
        Bystander("the same domain", SMALL[domain](sessions[1]), SMALL_MAX_S),
        Bystander("the same domain, another client", SMALL[domain](sessions[2]), SMALL_MAX_S),
        Bystander("new sessions", come_and_go(fleet), SMALL_MAX_S),
        Bystander("GET /health", ask_health(fleet), HEALTH_MAX_S),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.enough.set()
    for thread in threads:
        thread.finish()
    for session in sessions:
        session.close()


def ask_big(fleet, calls):
    """One client's big calls one after the other: what each answers."""
    answers = []
    with fleet.session(timeout=BIG_MAX_S * SLOWNESS) as session:
        for tool, arguments in calls:
            began = time.monotonic()
            answers.append(structured(session.call(tool, arguments)))
            print(f"  {tool} {json.dumps(arguments)}: {time.monotonic() - began:.2f} s")
    return answers


def ask_all(fleet, domain, *clients):
    """The answers to the calls of several clients that ask at the same time, with others beside them."""
    with bystanders(fleet, domain), ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(lambda calls: ask_big(fleet, calls), clients))
    check_processes(fleet, domain)
    return answers


def check_processes(fleet, domain):
    """None was lost, and none has ever had more memory than it may have."""
    assert fleet.domain(domain)["restarts"] == 0
    peaks = {"daemon": [peak_kib(fleet.pid) // 1024],
             domain: [peak_kib(pid) // 1024 for pid in fleet.workers(domain)]}
    print(f"  MiB at most: {peaks}")
    assert peaks[domain]
    if SLOWNESS == 1:  # else it is other programs that take the memory, too
        for name, found in peaks.items():
            assert max(found) < MEMORY_MAX_MIB[name], peaks


@pytest.fixture
def root(tmp_path):
    path = tmp_path / "root"
    path.mkdir()
    (path / "small").write_bytes(text_block(1, SMALL_LINES, "small"))
    return path


@pytest.fixture
def huge(root):
    """Number of lines before the hole of the file of 1 GiB; it and its copies do not stay on the disk."""
    yield make_huge_file(root / "huge")
    for path in root.glob("huge*"):
        path.unlink()


@pytest.fixture
def memory_disk():
    """Where very many files are made soonest, if there is room for them."""
    inodes = os.statvfs("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    path = pathlib.Path(tempfile.mkdtemp(
        prefix="mcp-fleet-big.", dir="/dev/shm" if inodes and inodes.f_favail > 2 * WIDE else None))
    yield path
    shutil.rmtree(path)


def test_file(start_fleet, root, huge):
    texts = root / "texts"
    texts.mkdir()
    for number in range(4):
        (texts / f"{number}").write_bytes(text_block(1, 19 * MIB // 64, "text"))
    # A slow disk may take more than the usual 30 s for the copy.
    fleet = start_fleet({"filesystem": {"roots": [str(root)], "call_timeout": f"{BIG_MAX_S * SLOWNESS:.0f}s"},
                         "utils": {}})
    most = 2700 * 1024 // 64  # lines of the largest answer that is possible
    reading = [
        ("code_read", {"path": "huge", "head": 3}),
        ("code_read", {"path": "huge", "offset": huge - most, "limit": most}),
        ("code_read", {"path": "huge", "tail": 2}),
        ("code_read", {"path": "huge", "offset": huge + 2, "limit": 2}),
        ("code_get_info", {"path": "huge", "hash": True}),
    ]
    searching = [
        ("code_search_content", {"query": "nowhere"}),
        ("code_search_content", {"query": "text 299", "path": "texts", "max_results": 5000}),
        ("code_search_content", {"query": "(x+)+y", "regex": True, "path": "texts"}),
    ]
    copying = [("code_copy", {"source": "huge", "destination": "huge copy"})]

    read, found, (copy,) = ask_all(fleet, "filesystem", reading, searching, copying)
    assert read[0]["content"] == text_block(1, 3, "begin").decode() and read[0]["size"] == GIB
    assert read[1]["content"] == text_block(huge - most, huge - 1, "begin").decode()
    assert read[2]["content"] == text_block(1999, 2000, "end").decode()
    assert read[3]["content"] == text_block(1, 2, "end").decode()
    assert len(read[4]["sha256"]) == 64
    assert (found[0]["count"], found[0]["files_searched"]) == (0, 5)  # the four texts and `small`
    assert found[1]["count"] == 4444 and not found[1]["truncated"]
    assert found[2]["count"] == 0
    assert (copy["files"], copy["bytes"]) == (1, GIB)
    [[info]] = ask_all(fleet, "filesystem", [("code_get_info", {"path": "huge copy", "hash": True})])
    assert info["sha256"] == read[4]["sha256"]


def test_folder(start_fleet, root, memory_disk):
    make_wide_folder(memory_disk / "wide", WIDE)
    # A million files may take more than the usual 30 s to search beside all the rest.
    fleet = start_fleet({"filesystem": {"roots": [str(root), str(memory_disk)], "call_timeout": f"{BIG_MAX_S * SLOWNESS:.0f}s"},
                         "utils": {}})
    wide = str(memory_disk / "wide")
    listing = [
        ("code_list_directory", {"path": wide, "max_entries": 1000}),
        ("code_list_directory", {"path": wide, "max_entries": 1000, "sort_by": "modified"}),
        ("code_tree", {"path": wide, "max_entries": 1000}),
        ("code_tree", {"path": wide, "max_entries": 20000}),
    ]
    finding = [
        ("code_find_file", {"path": wide, "name_pattern": wide_name(WIDE - 1)[:-4] + "*"}),
        ("code_find_file", {"path": wide, "name_pattern": "*", "max_results": 20000}),
        ("code_search_content", {"path": wide, "query": "nowhere"}),
        ("code_disk_usage", {"path": wide, "max_entries": 2000000}),
    ]

    listed, found = ask_all(fleet, "filesystem", listing, finding)
    first = [wide_name(number) for number in range(20000)]
    assert [entry["name"] for entry in listed[0]["entries"]] == first[:1000] and listed[0]["truncated"]
    assert listed[1]["count"] == 1000 and listed[1]["truncated"]
    for answer, count in (listed[2], 1000), (listed[3], 20000):
        assert [node["name"] for node in answer["tree"]] == first[:count] and answer["truncated"]
    assert [pathlib.Path(path).name for path in found[0]["matches"]] == [wide_name(WIDE - 1)]
    assert [pathlib.Path(path).name for path in found[1]["matches"]] == first
    assert (found[2]["count"], found[2]["files_searched"]) == (0, WIDE)
    assert found[3]["files"] == WIDE and not found[3]["truncated"]


def test_history(start_fleet, long_history):
    fleet = start_fleet({"git": {"roots": [str(long_history)]}, "utils": {}})
    walking = [
        ("git_log", {"max_count": 1000}),
        ("git_log", {"max_count": 1000, "skip": COMMITS - 500}),
        ("git_log", {"grep": "nothing has this"}),
    ]
    comparing = [
        ("git_blame", {"file_path": "file"}),
        ("git_get_status", {"max_entries": 20000}),
        ("git_grep", {"pattern": "one", "max_results": 5000}),
        ("git_grep", {"pattern": "nothing has this"}),
    ]

    logs, (blame, status, grep, nothing) = ask_all(fleet, "git", walking, comparing)
    assert [commit["subject"] for commit in logs[0]["commits"]] == [
        f"commit {COMMITS - 1 - number}" for number in range(1000)]
    assert len(logs[1]["commits"]) == 501 and logs[1]["commits"][-1]["subject"] == "wide"
    assert logs[2]["commits"] == []
    assert len(blame["lines"]) == LINES
    assert status["clean"] and not status["truncated"]
    assert len(grep["matches"]) == 5000 and grep["truncated"]
    assert nothing["matches"] == [] and not nothing["truncated"]


def test_long_calls_of_one_client_leave_a_process_to_the_others(start_fleet, root):
    """With each long call the domain grows, up to its most; the last process is for a client that has none.
    What has to wait is not lost."""
    with (root / "endless").open("wb") as file:
        file.truncate(200 * GIB)
    fleet = start_fleet({"filesystem": {"roots": [str(root)], "processes": {"min": 1, "max": 3}}, "utils": {}})
    endless = {"path": "endless", "hash": True}
    with fleet.session() as busy, fleet.session() as other:
        with bystanders(fleet, "filesystem"):
            long = [busy.start_call("code_get_info", endless) for _ in range(2)]
            time.sleep(1)
        read_small(other)(0)
        long.append(busy.start_call("code_get_info", endless))
        last = busy.start_call("code_read", {"path": "small", "offset": 1, "limit": 1})
        waiting = [other.start_call("code_read", {"path": "small", "offset": line, "limit": 1})
                   for line in range(1, 41)]
        for line, number in enumerate(waiting, 1):
            answer = structured(other.wait(number, SMALL_MAX_S * SLOWNESS))
            assert answer["content"] == text_block(line, line, "small").decode()
        assert structured(busy.call("string_reverse", {"text": "ab"}))["result"] == "ba"
        assert fleet.health()
        assert len(fleet.workers("filesystem")) <= 3
        with pytest.raises(TimeoutError):
            busy.wait(last, 0.5)
        for number in long:
            busy.notify("notifications/cancelled", {"requestId": number})
        structured(busy.wait(last, SMALL_MAX_S * SLOWNESS))
    check_processes(fleet, "filesystem")
