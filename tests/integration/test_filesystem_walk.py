"""The filesystem tools that walk and search: what is found, what is left out, how much memory and time
that takes. .gitignore files are compared with what git says of them."""

import json
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

from fleet import SLOWNESS
from stdio_worker import StdioWorker, ToolFailed

PROGRAM = pathlib.Path(os.environ.get("MCP_FLEET_BUILD", ".")).resolve() / "worker-filesystem"
MIB = 1 << 20
# A million takes half a minute to make. Under sanitizers no memory and no time are measured: more than the 50,000 that one call may list are enough.
WIDE = int(os.environ.get("MCP_FLEET_WIDE_ENTRIES", "200000" if SLOWNESS == 1 else "60000"))

pytestmark = pytest.mark.sanitizers


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "docs"
    root.mkdir()
    return root


@pytest.fixture
def start(root):
    started = []

    def start(*more_roots, program=PROGRAM, **settings):
        started.append(StdioWorker(program, [root, *more_roots], settings))
        return started[-1]

    yield start
    for worker in started:
        assert worker.close() == 0


@pytest.fixture
def worker(start):
    return start()


def put(root, *names, content=""):
    for name in names:
        path = os.path.join(os.fsencode(root), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def tree(root):
    """Files of all kinds, and names that sort in another order than one might think."""
    put(root, "a/x.c", "a/sub/y.c", "a/sub/.hidden.c", "a-b.c", "a0.h", ".git/config.c", "a/.git/z.c",
        content="one\n")
    (root / "empty").mkdir()
    (root / "link.c").symlink_to("a/x.c")
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to("..")
    (root / "dir").symlink_to("a")
    os.mkfifo(root / "fifo.c")
    with socket.socket(socket.AF_UNIX) as listener:
        fd = os.open(root, os.O_PATH)
        listener.bind(f"/proc/self/fd/{fd}/socket.c")  # the whole path may be too long for an address
        os.close(fd)
    return root


def failure(worker, tool, **arguments):
    """The text of a call that must fail."""
    result = worker.result(tool, **arguments)
    assert result.get("isError"), result
    return result["content"][0]["text"]


def paths(data):
    return [file["path"] for file in data["files"]]


def names(nodes):
    """A tree's nodes as nested lists."""
    return [[n["name"], names(n["children"])] if "children" in n else n["name"] for n in nodes]


WALKS = [
    ("code_list_files", {}),
    ("code_list_directory", {}),
    ("code_tree", {}),
    ("code_find_file", {"name_pattern": "*"}),
    ("code_search_content", {"query": "x"}),
    ("code_disk_usage", {}),
]


# What holds for all

@pytest.mark.parametrize("tool, arguments", WALKS, ids=[tool for tool, _ in WALKS])
def test_errors(worker, root, tool, arguments):
    put(root, "file", content="text\n")
    os.mkfifo(root / "fifo")
    (root / "out").symlink_to("..")
    (root / "away").symlink_to("/etc")
    (root / "loop").symlink_to("loop")
    long = "x" * 300
    for path, code in [
        ("none", "not_found"), ("file/x", "not_a_directory"), ("..", "outside_roots"),
        ("/etc", "outside_roots"), ("out", "outside_roots"), ("away", "outside_roots"),
        ("", "invalid_argument"), (long, "invalid_argument"), ("a/" * 2500, "invalid_argument"),
    ]:
        assert worker.error_code(tool, path=path, **arguments) == code, path
    assert worker.error_code(tool, path="loop", **arguments) is not None
    if tool != "code_search_content":
        assert worker.error_code(tool, path="file", **arguments) == "not_a_directory"
        assert worker.error_code(tool, path="fifo", **arguments) == "not_a_directory"
    else:
        assert worker.error_code(tool, path="fifo", **arguments) == "special_file"
    assert worker.error_code(tool, path=".", unknown=1, **arguments) == "invalid_argument"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to drop to a user who may not read all")
def test_permission_denied(start, root, tmp_path):
    put(root, "open/a", "closed/b", content="needle\n")
    (root / "closed").chmod(0)
    put(root, "unreadable", content="needle\n")
    (root / "unreadable").chmod(0)
    for path in [root, *root.parents]:
        if path.stat().st_uid == 0 and path != pathlib.Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    program = tmp_path / "as-nobody"
    program.write_text(f'#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 --clear-groups {PROGRAM} "$@"\n')
    program.chmod(0o755)
    if subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", PROGRAM, "--version"],
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("the build's folder is closed to other users")
    worker = start(program=program)
    for tool, arguments in WALKS:
        assert worker.error_code(tool, path="closed", **arguments) == "permission_denied", tool
    assert worker.data("code_find_file", name_pattern="?")["matches"] == ["open/a"]
    data, text = worker.call("code_search_content", query="needle")
    assert [m["file"] for m in data["matches"]] == ["open/a"]
    assert "2 files or directories may not be read" in text
    told = "(1 files or directories may not be read by this server.)"
    assert worker.text("code_find_file", name_pattern="?") == f"Found 1 file(s):\n  open/a\n{told}"
    assert worker.text("code_list_files", path=".", recursive=True).endswith(told)
    assert worker.text("code_list_files", path=".", recursive=True, max_files=1).count(told) == 1
    assert worker.text("code_disk_usage").splitlines() == ["14 bytes in 2 files, 2 directories", told]
    assert names(worker.data("code_tree")["tree"]) == ["closed", ["open", ["a"]], "unreadable"]


def test_paths_come_back_as_asked(worker, root):
    put(root, "d/e/f.c", content="x")
    for asked, shown in [("d", "d/e/f.c"), ("./d/../d/", "d/e/f.c"), (f"{root}/d", f"{root}/d/e/f.c"),
                         (".", "d/e/f.c"), (str(root), f"{root}/d/e/f.c")]:
        assert paths(worker.data("code_list_files", path=asked, recursive=True)) == [shown]
        assert worker.data("code_find_file", path=asked, name_pattern="*.c")["matches"] == [shown]
        found = worker.data("code_search_content", path=asked, query="x")["matches"]
        assert [m["file"] for m in found] == [shown]
    assert worker.data("code_disk_usage", path=f"{root}/")["path"] == str(root)
    assert worker.data("code_tree")["path"] == "."


def test_hostile_names(worker, root):
    put(root, b"new\nline", b"\xff\xfe", b"quote\"d", b"tab\t", "é", " ", content="needle\n")
    shown = ["\ufffd\ufffd", " ", "é", "new\nline", "quote\"d", "tab\t"]
    data, text = worker.call("code_list_files", path=".")
    assert sorted(paths(data)) == sorted(shown)
    assert len(text.splitlines()) == 1 + len(shown)
    assert '  "new\\nline" (' in text
    data, text = worker.call("code_find_file", name_pattern="*")
    assert sorted(data["matches"]) == sorted(shown)
    assert len(text.splitlines()) == 1 + len(shown)
    data, text = worker.call("code_list_directory")
    assert '[FILE] "tab\\t"' in text
    assert sorted(e["name"] for e in data["entries"]) == sorted(shown)
    data, text = worker.call("code_tree")
    assert '  "new\\nline"' in text
    data, text = worker.call("code_search_content", query="needle")
    assert '\n"new\\nline":\n  Line 1: needle' in text
    assert worker.data("code_find_file", name_pattern="new\n*")["matches"] == ["new\nline"]


def test_nothing_is_followed(worker, tree):
    assert paths(worker.data("code_list_files", path=".", recursive=True)) == [
        "a-b.c", "a/sub/.hidden.c", "a/sub/y.c", "a/x.c", "a0.h"]
    assert worker.data("code_find_file", name_pattern="*")["matches"] == [
        "a-b.c", "a/sub/.hidden.c", "a/sub/y.c", "a/x.c", "a0.h", "dir", "link.c", "loop", "up"]
    found = worker.data("code_search_content", query="one", file_pattern="*.c")
    assert [m["file"] for m in found["matches"]] == [
        "a-b.c", "a/sub/.hidden.c", "a/sub/y.c", "a/x.c"]
    assert worker.data("code_disk_usage") == {
        "path": ".", "bytes": 20, "files": 5, "directories": 5, "truncated": False}
    assert names(worker.data("code_tree")["tree"]) == [
        ".git", ["a", [".git", ["sub", [".hidden.c", "y.c"]], "x.c"]], "a-b.c", "a0.h", "dir",
        ["empty", []], "link.c", "loop", "up"]


def test_start_may_be_a_link_or_in_git(worker, tree):
    assert paths(worker.data("code_list_files", path="dir")) == ["dir/x.c"]
    assert paths(worker.data("code_list_files", path=".git")) == [".git/config.c"]


def wrapped(tmp_path, before):
    """A program that runs the worker in a mount namespace of its own, after some commands."""
    program = tmp_path / "in-namespace"
    program.write_text(f"#!/bin/sh\nexec unshare -m sh -ec '{before}\nexec {PROGRAM} \"$@\"' sh \"$@\"\n")
    program.chmod(0o755)
    return program


@pytest.mark.skipif(subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"],
                                   stderr=subprocess.DEVNULL).returncode != 0,
                    reason="no mounts may be made here")
def test_mounts_are_not_crossed(start, root, tmp_path):
    put(root, "a", "m/below", "z", content="needle\n")
    mount = root / "m"
    worker = start(program=wrapped(
        tmp_path, f"mount -t tmpfs none {mount}; mkdir {mount}/d; echo needle >{mount}/d/inner"))
    assert worker.data("code_find_file", name_pattern="*")["matches"] == ["a", "z"]
    assert paths(worker.data("code_list_files", path=".", recursive=True)) == ["a", "z"]
    assert worker.data("code_search_content", query="needle")["files_searched"] == 2
    assert names(worker.data("code_tree")["tree"]) == ["a", "m", "z"]
    usage = worker.data("code_disk_usage")
    assert (usage["files"], usage["directories"]) == (2, 1)
    # Who asks for the mount itself gets it.
    assert worker.data("code_find_file", path="m", name_pattern="*")["matches"] == ["m/d/inner"]
    assert names(worker.data("code_tree", path="m")["tree"]) == [["d", ["inner"]]]


# code_list_files

def test_list_files(worker, tree):
    data, text = worker.call("code_list_files", path=".")
    assert paths(data) == ["a-b.c", "a0.h"] and data["count"] == 2 and not data["truncated"]
    assert data["path"] == "."
    assert text == "Found 2 file(s) in '.':\n  a-b.c (0.0 KB)\n  a0.h (0.0 KB)"
    file = data["files"][0]
    stat = (tree / "a-b.c").stat()
    assert file["size"] == 4
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", file["modified"])
    assert file["modified"] == time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(stat.st_mtime))
    for pattern, expected in [("*.c", ["a-b.c", "a/sub/.hidden.c", "a/sub/y.c", "a/x.c"]),
                              ("a/*.c", ["a/x.c"]), ("a/**/*.c", ["a/sub/.hidden.c", "a/sub/y.c", "a/x.c"]),
                              ("*.{h,x}", ["a0.h"]), ("[!.a]*.c", ["a/sub/y.c", "a/x.c"]),
                              ("/a/x.c", []), ("../docs/*", []), ("x.c/", [])]:
        data = worker.data("code_list_files", path=".", pattern=pattern, recursive=True)
        assert paths(data) == expected, pattern


def test_list_files_stops(worker, tree):
    data, text = worker.call("code_list_files", path=".", recursive=True, max_files=3)
    assert paths(data) == ["a-b.c", "a/sub/.hidden.c", "a/sub/y.c"] and data["truncated"]
    assert text.splitlines()[-1].startswith("… there are more.")
    data = worker.data("code_list_files", path=".", recursive=True, max_files=5)
    assert data["count"] == 5 and not data["truncated"]


@pytest.mark.parametrize("tool, argument", [
    ("code_list_files", "pattern"), ("code_find_file", "name_pattern"),
    ("code_search_content", "file_pattern"), ("code_find_file", "exclude_patterns"),
    ("code_search_content", "exclude_patterns"), ("code_tree", "exclude_patterns")])
def test_patterns_that_are_refused(worker, root, tool, argument):
    arguments = {"code_list_files": {"path": "."}, "code_find_file": {"name_pattern": "x"},
                 "code_search_content": {"query": "x"}, "code_tree": {}}[tool]
    many = "{a,b}" * 11
    for value in [many, "" if argument != "exclude_patterns" else "x" * 5000]:
        arguments[argument] = [value] if argument == "exclude_patterns" else value
        text = failure(worker, tool, **arguments)
        assert text.startswith("invalid_argument: ") and argument in text, text
    if argument == "exclude_patterns":
        arguments[argument] = ["x"] * 101
        assert worker.error_code(tool, **arguments) == "invalid_argument"


def test_hostile_patterns_end(worker, root):
    put(root, "a" * 250, "a/" * 100 + "a" * 100, content="x\n")
    began = time.monotonic()
    for pattern in ["*a" * 500 + "b", "**/a/" * 200 + "b", "{" * 1000, "{a,{b," * 100 + "}}" * 100,
                    "[" * 1000, "*?" * 500 + "b", "{*a*a*a*a*a*b,*a*a*a*a*c}" * 5]:
        assert worker.data("code_find_file", name_pattern=pattern)["count"] == 0
        worker.data("code_find_file", name_pattern="x", exclude_patterns=[pattern] * 5)
    assert time.monotonic() - began < 30 * SLOWNESS


# code_list_directory

def test_list_directory(worker, tree):
    os.utime(tree / "a0.h", (1, 1))
    put(tree, "large", content="x" * 5000)
    data, text = worker.call("code_list_directory")
    assert text.splitlines() == [
        "[DIR] .git", "[DIR] a", "[FILE] a-b.c", "[FILE] a0.h", "[LINK] dir -> a", "[DIR] empty",
        "[OTHER] fifo.c", "[FILE] large", "[LINK] link.c -> a/x.c", "[LINK] loop -> loop",
        "[OTHER] socket.c", "[LINK] up -> .."]
    assert data["count"] == len(data["entries"]) == 12 and not data["truncated"]
    assert {e["name"]: e["type"] for e in data["entries"]} == {
        ".git": "directory", "a": "directory", "a-b.c": "file", "a0.h": "file", "dir": "symlink",
        "empty": "directory", "fifo.c": "fifo", "large": "file", "link.c": "symlink",
        "loop": "symlink", "socket.c": "socket", "up": "symlink"}
    data, text = worker.call("code_list_directory", sort_by="size")
    sizes = [e["size"] for e in data["entries"]]
    assert sizes == sorted(sizes, reverse=True)
    assert "[FILE] large (4.88 KB)" in text and "[FILE] a0.h (4 B)" in text
    data = worker.data("code_list_directory", sort_by="modified")
    assert data["entries"][-1] == {"name": "a0.h", "type": "file", "size": 4,
                                   "modified": "1970-01-01T00:00:01+00:00"}


def test_list_directory_stops(worker, tree):
    data, text = worker.call("code_list_directory", max_entries=2)
    assert [e["name"] for e in data["entries"]] == [".git", "a"] and data["truncated"]
    assert text.splitlines()[-1].startswith("… there are more than these 2.")
    assert worker.error_code("code_list_directory", sort_by="colour") == "invalid_argument"
    assert worker.text("code_list_directory", path="empty") == "The directory is empty."


def test_list_directory_aliases(worker, tree):
    put(tree, "large", content="x" * 5000)
    data, text = worker.call("list_directory", path="a")
    assert text == "[DIR] .git\n[DIR] sub\n[FILE] x.c" and data == {"content": text}
    data, text = worker.call("list_directory_with_sizes", path=".", sortBy="size")
    assert data == {"content": text}
    lines = text.splitlines()
    assert re.fullmatch(r"\[FILE\] large {26}   4\.88 KB", next(x for x in lines if "large" in x))
    assert "[DIR] empty" in lines
    files = sum(not x.startswith("[DIR]") for x in lines[:12])
    assert lines[12:14] == ["", f"Total: {files} files, 3 directories"]
    assert re.fullmatch(r"Combined size: 4\.9\d KB", lines[14])
    assert worker.error_code("list_directory_with_sizes", path=".", sort_by="size") == "invalid_argument"


# code_tree

def test_tree(worker, root):
    put(root, "a/b/c/d/e/f", "x/y", "top", ".gitignore", content="*.o\n")
    put(root, "x/z.o")
    data, text = worker.call("code_tree")
    assert names(data["tree"]) == [".gitignore", ["a", [["b", [["c", ["d"]]]]]], "top", ["x", ["y"]]]
    assert data["entries"] == 8 and data["truncated"]
    assert text.splitlines() == [
        "./", "  .gitignore", "  a/", "    b/", "      c/", "        d/ …", "  top", "  x/", "    y",
        "… there is more below level 4. Ask with a greater max_depth (at most 32), or for one of the "
        "directories."]
    data = worker.data("code_tree", max_depth=32, respect_gitignore=False, exclude_patterns=["b/", "t*"])
    assert names(data["tree"]) == [".gitignore", ["a", []], ["x", ["y", "z.o"]]]
    assert not data["truncated"]
    data = worker.data("code_tree", max_depth=6)
    assert not data["truncated"]
    data = worker.data("code_tree", path="x", max_depth=1)
    assert names(data["tree"]) == ["y", "z.o"] and not data["truncated"]


def test_tree_is_cut_evenly(worker, root):
    put(root, *[f"{d}/{i}" for d in "abc" for i in range(10)])
    data, text = worker.call("code_tree", max_entries=15)
    assert data["entries"] == 15 and data["truncated"]
    assert [[name, len(below)] for name, below in names(data["tree"])[:2]] == [["a", 10], ["b", 2]]
    assert names(data["tree"])[2] == "c"
    assert text.splitlines()[-1].startswith("… cut after 15 entries.")
    data = worker.data("code_tree", max_entries=3)
    assert names(data["tree"]) == ["a", "b", "c"] and data["truncated"]
    data = worker.data("code_tree", max_entries=33)
    assert data["entries"] == 33 and not data["truncated"]


def test_directory_tree(worker, root):
    put(root, "a/b/c/d/e/f", "x.o", ".gitignore", content="*.o\n")
    (root / "empty").mkdir()
    data, text = worker.call("directory_tree", path=".", excludePatterns=["d"])
    assert data == {"content": text}
    assert json.loads(text) == [
        {"name": ".gitignore", "type": "file"},
        {"name": "a", "type": "directory", "children": [
            {"name": "b", "type": "directory", "children": [
                {"name": "c", "type": "directory", "children": []}]}]},
        {"name": "empty", "type": "directory", "children": []},
        {"name": "x.o", "type": "file"},
    ]
    text = worker.text("directory_tree", path=".", max_entries=2)
    assert json.loads(text)[-1]["type"] == "truncated"
    assert worker.error_code("directory_tree", path=".", max_depth=3) is None
    assert '"f"' in worker.text("directory_tree", path=".", max_depth=3)


# code_find_file

def test_find_file(worker, tree):
    data, text = worker.call("code_find_file", name_pattern="*.c")
    assert text == "Found 5 file(s):\n  a-b.c\n  a/sub/.hidden.c\n  a/sub/y.c\n  a/x.c\n  link.c"
    assert data == {"matches": ["a-b.c", "a/sub/.hidden.c", "a/sub/y.c", "a/x.c", "link.c"],
                    "count": 5, "truncated": False}
    assert worker.data("code_find_file", name_pattern="[ae]*", include_dirs=True)["matches"] == [
        "a", "a-b.c", "a0.h", "empty"]
    assert worker.data("code_find_file", name_pattern="*.c", exclude_patterns=["a/sub", "link*"])[
        "matches"] == ["a-b.c", "a/x.c"]
    assert worker.data("code_find_file", path="a", name_pattern="sub/*", exclude_patterns=["**/.*"])[
        "matches"] == ["a/sub/y.c"]
    assert worker.text("code_find_file", name_pattern="nothing\n") == \
        'No files found matching \'"nothing\\n"\''
    data, text = worker.call("code_find_file", name_pattern="*.c", max_results=2)
    assert data["matches"] == ["a-b.c", "a/sub/.hidden.c"] and data["truncated"]
    assert text.splitlines()[-1].startswith("… there are more.")


def test_search_files(worker, tree):
    data, text = worker.call("search_files", path=".", pattern="s*", excludePatterns=["up"])
    assert text == f"{tree}/a/sub" and data == {"content": text}
    assert worker.text("search_files", path=str(tree), pattern="a?*.?") == f"{tree}/a-b.c\n{tree}/a0.h"
    assert worker.text("search_files", path=".", pattern="none") == "No files found matching 'none'"


# code_search_content

def test_search(worker, root):
    put(root, "a.txt", content="first\nThe needle is here, the Needle\r\nthird\n")
    put(root, "b/c.txt", content="no line end, needle")
    put(root, "d.txt", content="nothing\n")
    data, text = worker.call("code_search_content", query="NEEDLE")
    assert data == {
        "matches": [
            {"file": "a.txt", "line": 2, "column": 5, "content": "The needle is here, the Needle"},
            {"file": "b/c.txt", "line": 1, "column": 14, "content": "no line end, needle"}],
        "count": 2, "files_searched": 3, "truncated": False}
    assert text == ("Found 2 match(es):\na.txt:\n  Line 2: The needle is here, the Needle\n"
                    "b/c.txt:\n  Line 1: no line end, needle")
    data = worker.data("code_search_content", query="Needle", case_sensitive=True)
    assert [(m["line"], m["column"]) for m in data["matches"]] == [(2, 25)]
    data = worker.data("code_search_content", query=r"^\w+$", regex=True, path="a.txt")
    assert [m["content"] for m in data["matches"]] == ["first", "third"]
    assert worker.text("code_search_content", query="absent") == "No matches found for 'absent'"
    data = worker.data("code_search_content", query="needle", file_pattern="b/*.{md,txt}")
    assert [m["file"] for m in data["matches"]] == ["b/c.txt"] and data["files_searched"] == 1
    data = worker.data("code_search_content", query="needle", exclude_patterns=["b"])
    assert [m["file"] for m in data["matches"]] == ["a.txt"]
    data = worker.data("code_search_content", query="n", path="a.txt", file_pattern="*.md")
    assert data["files_searched"] == 0


def test_search_by_characters(worker, root):
    put(root, "u", content="ä€😀 STRASSE Ünï needle\n")
    put(root, "bad", content=b"\xff\xfe\xc3 needle \xe2\x82\n")
    for query, column in [("ÜNÏ", 13), ("strasse", 5), ("needle", 17), ("😀", 3), ("ünÏ n", 13)]:
        data = worker.data("code_search_content", query=query, path="u")
        assert [m["column"] for m in data["matches"]] == [column], query
    assert worker.data("code_search_content", query="Ünï", case_sensitive=True, path="u")["count"] == 1
    assert worker.data("code_search_content", query="ünï", case_sensitive=True, path="u")["count"] == 0
    for arguments in [{}, {"regex": True}, {"case_sensitive": True}]:
        match, = worker.data("code_search_content", query="needle", path="bad", **arguments)["matches"]
        assert match["content"] == "\ufffd\ufffd\ufffd needle \ufffd" and match["column"] == 5
    match, = worker.data("code_search_content", query=r"\p{Lu}+", regex=True, case_sensitive=True,
                         path="u")["matches"]
    assert match["column"] == 5


def test_search_special_characters_are_text(worker, root):
    put(root, "a", content="a.b*(c)[d]\\E ü{2}\naxb\n")
    for query in ["a.b*(c)[d]", "\\E", "[d]\\E Ü{2}", "A.B"]:
        assert worker.data("code_search_content", query=query)["count"] == 1, query
    assert worker.error_code("code_search_content", query="a\nb") == "invalid_argument"
    assert worker.error_code("code_search_content", query="") == "invalid_argument"
    assert worker.error_code("code_search_content", query="x" * 4097) == "invalid_argument"


def test_search_context(worker, root):
    put(root, "f", content="1\n2\nx3\n4\nx5\n6\n7\n8\n9\nx10\n")
    data, text = worker.call("code_search_content", query="x", context_lines=2)
    assert [(m["line"], m["before"], m["after"]) for m in data["matches"]] == [
        (3, ["1", "2"], ["4", "x5"]), (5, ["x3", "4"], ["6", "7"]), (10, ["8", "9"], [])]
    assert text.splitlines()[2:] == [
        "  Line 1- 1", "  Line 2- 2", "  Line 3: x3", "  Line 4- 4", "  Line 5: x5", "  Line 6- 6",
        "  Line 7- 7", "  Line 8- 8", "  Line 9- 9", "  Line 10: x10"]
    # What follows the last match is still shown when there are more.
    for max_results, after in [(1, ["4", "x5"]), (2, ["6", "7"])]:
        data, text = worker.call("code_search_content", query="x", context_lines=2,
                                 max_results=max_results)
        assert data["matches"][-1]["after"] == after
        assert data["count"] == max_results and data["truncated"]
        assert text.splitlines()[-1].startswith("… there are more.")
    assert not worker.data("code_search_content", query="x", max_results=3)["truncated"]
    put(root, "many", content="".join(f"y{i}\n" for i in range(100)))
    data = worker.data("code_search_content", query="y", context_lines=20, path="many")
    for i, match in enumerate(data["matches"]):
        assert match["before"] == [f"y{k}" for k in range(max(0, i - 20), i)]
        assert match["after"] == [f"y{k}" for k in range(i + 1, min(100, i + 21))]


def test_search_long_lines(worker, root):
    line = "a" * 3000 + "needle" + "b" * 3000
    put(root, "long", content=f"{line}\n{'é' * 600}x\n{'c' * 700}\n")
    match, = worker.data("code_search_content", query="needle")["matches"]
    assert match["column"] == 3001 and len(match["content"]) == 500
    assert re.fullmatch("…a+needleb+…", match["content"])
    match, = worker.data("code_search_content", query="x", path="long")["matches"]
    assert match["column"] == 601 and match["content"] == "…" + "é" * 497 + "x"
    match, = worker.data("code_search_content", query="c{600}", regex=True)["matches"]
    assert match["content"] == "c" * 498 + "…" and match["column"] == 1
    put(root, "one", content="z" * (5 * MIB) + "END")
    match, = worker.data("code_search_content", query="end", path="one")["matches"]
    assert match["column"] == 5 * MIB + 1 and match["content"].endswith("zEND")


def test_search_leaves_out(worker, root):
    put(root, "binary", content=b"needle\n\0")
    put(root, "late", content=b"needle\n" + b"x" * 8192 + b"\0")
    put(root, "utf16", content="needle\n".encode("utf-16"))
    put(root, "empty", content="")
    with open(root / "large", "wb") as file:
        file.write(b"needle\n")
        file.truncate(20 * MIB + 1)
    put(root, "just", content="needle\n" + "x" * (20 * MIB - 7))
    data = worker.data("code_search_content", query="needle")
    assert [m["file"] for m in data["matches"]] == ["just", "late"]
    assert data["files_searched"] == 3
    for name in ["binary", "large", "utf16"]:
        assert worker.data("code_search_content", query="needle", path=name)["files_searched"] == 0


def test_search_bad_regex(worker, root):
    put(root, "a", content="aaaa\n")
    for query in ["(", "[z-a]", "(?C1)a", "(*LIMIT_MATCH=9)a", "a\\C"]:
        text = failure(worker, "code_search_content", query=query, regex=True)
        assert text.startswith("bad_regex: "), text
    assert worker.data("code_search_content", query="(", path=".")["count"] == 0


def test_search_regex_limits(worker, root):
    put(root, "evil", content="a" * 100 + "!\n")
    text = failure(worker, "code_search_content", query="(a+)+$", regex=True)
    assert text.startswith("regex_limit: evil: ")
    # Each line is cheap enough, all together are not.
    put(root, "evil", content=("a" * 14 + "!\n") * 50000)
    began = time.monotonic()
    text = failure(worker, "code_search_content", query="(a+)+$", regex=True)
    assert text.startswith("regex_limit: evil: more than 2 s were needed for this file.")
    assert time.monotonic() - began < 4 * SLOWNESS


def test_search_is_cut_by_size(start, root):
    worker = start(max_result_bytes=100000)
    put(root, *[f"f{i}" for i in range(30)], content=("x" * 400 + "\n") * 10)
    for arguments in [{}, {"context_lines": 3}]:
        data, text = worker.call("code_search_content", query="x", max_results=5000, **arguments)
        assert data["truncated"] and 10 < data["count"] < 300
        assert text.splitlines()[-1].startswith("… there are more.")


@pytest.mark.parametrize("name", ["plain", "contr\x01\x02\x03\x04ol", 'quo"""""te\\\\\\', "é" * 20, b"\xff" * 20])
def test_lists_are_cut_by_size(start, root, name):
    """Never refused for its size, whatever the names are made of."""
    worker = start(max_result_bytes=65536)
    put(root, *[b"d/%s%04d" % (os.fsencode(name), i) for i in range(2000)])
    for tool, arguments in [
        ("code_list_files", {"path": "d"}), ("code_list_directory", {"path": "d"}), ("code_tree", {}),
        ("code_find_file", {"name_pattern": "*", "max_results": 50000}), ("list_directory", {"path": "d"}),
        ("list_directory_with_sizes", {"path": "d"}), ("directory_tree", {"path": "."}),
        ("search_files", {"path": ".", "pattern": "*"}),
    ]:
        data, text = worker.call(tool, **arguments)
        assert "… there" in text or "… cut after" in text, tool
        assert data.get("truncated", True), tool


# .gitignore

GIT_ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
           "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C.UTF-8"}


def not_ignored(root):
    """All files that git would look at, by git's own judgement of each."""
    files = [os.path.relpath(os.path.join(at, name), os.fsencode(root))
             for at, _, found in os.walk(os.fsencode(root)) for name in found]
    files = sorted(f for f in files if not f.startswith(b".git/"))
    done = subprocess.run(["git", "check-ignore", "--no-index", "-z", "--stdin"], cwd=root, env=GIT_ENV,
                          input=b"\0".join(files), capture_output=True, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    ignored = set(done.stdout.split(b"\0"))
    return [os.fsdecode(f) for f in files if f not in ignored]


def check_as_git(worker, root, rules):
    expected = not_ignored(root)
    found = worker.data("code_find_file", name_pattern="*", max_results=50000, respect_gitignore=True)
    assert found["matches"] == expected, rules
    listed = worker.data("code_list_files", path=".", recursive=True, respect_gitignore=True)
    assert paths(listed) == expected, rules
    searched = worker.data("code_search_content", query="text")
    assert [m["file"] for m in searched["matches"]] == [
        f for f in expected if not f.endswith(".gitignore")], rules
    flat = []

    def flatten(prefix, nodes):
        for node in nodes:
            if "children" in node:
                flatten(f"{prefix}{node['name']}/", node["children"])
            elif node["name"] != ".git":
                flat.append(prefix + node["name"])

    flatten("", worker.data("code_tree", max_depth=32, max_entries=50000)["tree"])
    assert sorted(flat) == expected, rules


@pytest.fixture
def ignored(root):
    subprocess.run(["git", "init", "-q", root], env=GIT_ENV, check=True)
    for name in ["ab", "b", "a.o", "b.o", "A.O", "#x", "!x", "x ", "[a]", "a\\", "é", "*", "ad/a", "d/a",
                 "d/b.o", "d/e/a", "d/e/ab", "d/e/f/a", "d/e/f/b.o", "build/out", "build/keep/x",
                 "src/build/out", "src/a/b", "src/x/y/b", "foo/bar/baz", "abc/d/e", "ax/y/b", "x y", "x-y",
                 "x/1", "{a,b}", "a-c", "0", "_"]:
        put(root, name, content="text\n")
    return root


RULES = [
    "a", "/a", "a/", "*.o", "*.o\n!b.o", "!b.o\n*.o", "d/a", "/d/a", "d/**", "d/**/a", "**/a", "**/e/a",
    "**/e/**", "d/*/a", "d/e*", "build", "build/", "/build", "build/*\n!build/keep", "build/\n!build/keep/x",
    "*\n!*/\n!*.o", "/*\n!/d\n/d/*\n!/d/e", "#x", "\\#x", "!x", "\\!x", "x ", "x\\ ", "x\\  ", "  ", "\\*",
    "\\[a]", "[[]a]", "[ab]", "[!ab]", "[^ab]", "[a-c]", "[[:digit:]]", "[[:alpha:][:punct:]]",
    "[[:bad:]]", "[a", "[]a]", "[!]a]", "[\\]a]", "a\\", "a\\\\", "é", "?", "??", "[é]", "a**", "a**/b",
    "**b", "a*/**/b", "abc/**/e", "**/", "/**", "**", "***", "src/**/b", "src/**/build", "src/*",
    "foo//bar", "foo/bar/", "./a", "../a", "/", "//", "x y", "x\\ y", "{a,b}", "*\\", "a.o\r\n*.o\r",
    "\ufeffa.o", "[a-]*", "[-a]*", "a[/]c", "a[!x]c", "a[,-.]c", "a\\-c", "d", "!d\nd/e", "d/e/f\n!d/e/f/a",
]


@pytest.mark.parametrize("rules", RULES)
def test_gitignore_as_git(worker, ignored, rules):
    put(ignored, ".gitignore", content=rules)
    check_as_git(worker, ignored, rules)


def test_gitignore_levels(worker, ignored):
    put(ignored, ".gitignore", content="*.o\n/d/e/f/a\nbuild\n")
    put(ignored, "d/.gitignore", content="!b.o\n/e/ab\n")
    put(ignored, "d/e/.gitignore", content="f/b.o\n!ab\na\n")
    put(ignored, "src/.gitignore", content="!build\n")
    check_as_git(worker, ignored, "levels")


def test_gitignore_random(worker, ignored):
    """Rules of random pieces, in several files; the seed is shown when git disagrees."""
    pieces = ["a", "b", "d", "e", "*", "**", "?", "/", "/", "[ab]", "[!a]", ".o", "\\", " ", "!", "x", "é",
              "[", "]", "build", "src", "-", "**/", "/**", "[[:alpha:]]", "#"]
    for seed in range(150):
        source = random.Random(seed)
        for name in [".gitignore", "d/.gitignore", "d/e/.gitignore"]:
            lines = ["".join(source.choices(pieces, k=source.randint(1, 5)))
                     for _ in range(source.randint(0, 3))]
            put(ignored, name, content="\n".join(lines))
        expected = not_ignored(ignored)
        found = worker.data("code_find_file", name_pattern="*", max_results=50000, respect_gitignore=True)
        assert found["matches"] == expected, (seed, [
            (ignored / name).read_text() for name in [".gitignore", "d/.gitignore", "d/e/.gitignore"]])


def test_gitignore_only_below_the_start(worker, ignored):
    put(ignored, ".gitignore", content="a\n")
    data = worker.data("code_find_file", path="d", name_pattern="a", respect_gitignore=True)
    assert data["matches"] == ["d/a", "d/e/a", "d/e/f/a"]


def test_gitignore_hostile(worker, root):
    put(root, "a" * 250, content="text\n")
    put(root, ".gitignore", content=("*a" * 100 + "b\n") * 4000)
    began = time.monotonic()
    assert worker.data("code_search_content", query="text")["count"] == 1
    (root / ".gitignore").unlink()
    (root / ".gitignore").symlink_to("/etc/passwd")
    assert worker.data("code_search_content", query="text")["count"] == 1
    (root / ".gitignore").unlink()
    os.mkfifo(root / ".gitignore")
    assert worker.data("code_search_content", query="text")["count"] == 1
    assert time.monotonic() - began < 10 * SLOWNESS


# Depth, width, time

def peak_memory(worker):
    """VmHWM in bytes."""
    status = pathlib.Path(f"/proc/{worker.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


def make_deep(root, levels, name, leaf):
    fd = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    file = os.open(leaf, os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    os.write(file, b"needle\n")
    os.close(file)
    os.close(fd)


@pytest.fixture
def deep(root):
    """A thousand levels, with paths far over what a path may be; too deep for pytest to remove."""
    make_deep(root, 1000, "directory", "leaf")
    yield
    subprocess.run(["rm", "-rf", root / "directory"], check=True)


def test_deep(worker, root, deep):
    path = "directory/" * 1000 + "leaf"
    assert worker.data("code_find_file", name_pattern="leaf")["matches"] == [path]
    assert worker.data("code_find_file", name_pattern="**/directory/leaf")["matches"] == [path]
    assert paths(worker.data("code_list_files", path=".", recursive=True)) == [path]
    match, = worker.data("code_search_content", query="needle")["matches"]
    assert match["file"] == path
    assert worker.data("code_disk_usage")["directories"] == 1000
    data = worker.data("code_tree", max_depth=32)
    assert data["entries"] == 32 and data["truncated"]
    # All their paths together are more than an answer may have.
    data = worker.data("code_find_file", name_pattern="*", include_dirs=True)
    assert 500 < data["count"] < 1000 and data["truncated"]
    assert len(os.listdir(f"/proc/{worker.process.pid}/fd")) < 20


@pytest.fixture
def memory_disk():
    """Where a million files are made soonest."""
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    path = pathlib.Path(tempfile.mkdtemp(prefix="mcp-fleet-wide.", dir=where))
    yield path
    shutil.rmtree(path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_wide(memory_disk):
    """A directory with very many entries, in no order: little memory, soon, and the right ones."""
    wide = memory_disk / "wide"
    wide.mkdir()
    fd = os.open(wide, os.O_RDONLY)
    for i in range(WIDE):
        os.close(os.open(f"{i * 7919 % WIDE:07d}.txt", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=fd))
    os.close(fd)
    with StdioWorker(PROGRAM, [memory_disk], timeout=60 * SLOWNESS) as worker:
        first = [f"{i:07d}.txt" for i in range(100)]
        data = worker.data("code_list_files", path="wide", max_files=100)
        assert paths(data) == [f"wide/{name}" for name in first] and data["truncated"]
        data = worker.data("code_list_directory", path="wide", max_entries=100)
        assert [e["name"] for e in data["entries"]] == first and data["truncated"]
        data = worker.data("code_list_directory", path="wide", max_entries=100, sort_by="modified")
        assert data["count"] == 100 and data["truncated"]
        data = worker.data("code_tree", max_entries=101)
        assert names(data["tree"]) == [["wide", first]] and data["truncated"]
        data = worker.data("code_find_file", name_pattern=f"{WIDE - 1:07d}*")
        assert data["matches"] == [f"wide/{WIDE - 1:07d}.txt"] and not data["truncated"]
        data = worker.data("code_disk_usage", max_entries=2000000)
        assert data["files"] == WIDE and not data["truncated"]
        data = worker.data("code_disk_usage", max_entries=1000)
        assert data["files"] == 999 and data["truncated"]
        data = worker.data("code_find_file", name_pattern="*", max_results=50000)
        assert data["count"] == 50000 and data["truncated"]
        assert data["matches"] == [f"wide/{i:07d}.txt" for i in range(50000)]
        if SLOWNESS == 1 and "asan" not in subprocess.run(
                ["ldd", PROGRAM], capture_output=True, text=True).stdout:
            assert peak_memory(worker) < 64 * MIB


def fill(root, n, content):
    for i in range(n):
        put(root, f"d{i // 100}/{i}", content=content)


def test_cancelled_soon(worker, root):
    """A search that would take many seconds; the call behind it is answered within one."""
    fill(root, 400, ("a" * 10 + "!\n") * 1000)
    worker.last_id += 1
    worker.send({"jsonrpc": "2.0", "id": worker.last_id, "method": "tools/call", "params": {
        "name": "code_search_content", "arguments": {"query": "(a+)+$", "regex": True}}})
    cancelled = worker.last_id
    time.sleep(1)
    began = time.monotonic()
    worker.notify("notifications/cancelled", {"requestId": cancelled})
    response = worker.request("ping")
    took = time.monotonic() - began
    assert "result" in response and took < 1 * SLOWNESS + 0.5
    assert not [m for m in worker.notifications if m.get("id") == cancelled]


def test_timeout_says_how_far(start, root):
    fill(root, 400, ("a" * 10 + "!\n") * 1000)
    worker = start(call_timeout_ms=1000)
    text = failure(worker, "code_search_content", query="(a+)+$", regex=True)
    assert re.search(r"^(timeout|regex_limit): ", text)
    if text.startswith("timeout"):
        assert re.search(r"\d+ files were searched, 0 matches were found", text)


@pytest.mark.parametrize("tool, arguments", [
    ("code_search_content", {"query": "[b-d]{2}e", "regex": True}),
])
def test_progress_rises(worker, root, tool, arguments):
    fill(root, 300, ("a b c d e" * 8 + "\n") * 1500)
    worker.last_id += 1
    worker.send({"jsonrpc": "2.0", "id": worker.last_id, "method": "tools/call", "params": {
        "name": tool, "arguments": arguments, "_meta": {"progressToken": "t"}}})
    numbers = []
    while True:
        message = worker.receive()
        if message.get("id") == worker.last_id:
            break
        assert message["params"]["progressToken"] == "t"
        numbers.append(message["params"]["progress"])
    assert "error" not in message and not message["result"].get("isError"), message
    assert numbers and numbers == sorted(set(numbers))


def test_files_that_change(worker, root):
    """Files come and go while a search runs: it ends, with an answer."""
    fill(root, 200, "needle\n" * 100)
    churn = subprocess.Popen(
        ["sh", "-c", "while :; do for i in 1 2 3 4 5; do rm -rf d$i; mkdir d$i; echo needle >d$i/f; done; done"],
        cwd=root)
    try:
        for _ in range(10):
            for tool, arguments in WALKS:
                try:
                    worker.call(tool, **{"path": ".", **arguments})
                except ToolFailed as failed:
                    raise AssertionError(f"{tool}: {failed}") from failed
    finally:
        churn.kill()
        churn.wait()
