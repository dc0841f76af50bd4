"""What the filesystem tools say: the first words of each answer, under each name, and that every refusal
has a code and says what to do about it."""

import os
import pathlib
import re

import pytest

from stdio_worker import StdioWorker

PROGRAM = pathlib.Path(os.environ.get("MCP_FLEET_BUILD", ".")).resolve() / "worker-filesystem"
# "code: what failed, on what. What to do."
REFUSAL = re.compile(r'[a-z_]+: .+[^.]\. ("?[A-Z]|code_)[^\n]+\.')
NO_TOOLS = "/nonexistent"

pytestmark = pytest.mark.sanitizers


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    for folder in (".git", "d", "full", "empty", "pkg"):
        (root / folder).mkdir(parents=True)
    (root / ".git" / "config").write_text("c\n")
    (root / ".env").write_text("A=1\n" * 10)
    (root / "a.txt").write_text("one\ntwo\nthree\n")
    (root / "b.txt").write_text("x\nx\n")
    (root / "d" / "x.py").write_text("x = 1\n")
    (root / "full" / "f").write_text("")
    (root / "bin").write_bytes(b"\0\1\2")
    (root / "utf16").write_bytes("h\n".encode("utf-16"))
    (root / "image.png").write_bytes(bytes.fromhex("89504e470d0a1a0a") + bytes(20))
    (root / "big").write_bytes(b"x" * (6 << 20))
    (root / "note.ipynb").write_text("{}")
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to("a.txt")
    (root / "absolute").symlink_to("/etc/passwd")
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to("../..")
    (tmp_path / "fixed").mkdir()
    (tmp_path / "fixed" / "r.txt").write_text("read\n")
    return root


@pytest.fixture
def worker(root):
    roots = [str(root), {"path": str(root.parent / "fixed"), "access": "read"}]
    with StdioWorker(PROGRAM, settings={"roots": roots, "code_tools_path": [NO_TOOLS]}) as worker:
        yield worker


def patch(old, new="z\n", name="a.txt"):
    return f"--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-{old}+{new}"


def edit(old_text, new_text="z", **more):
    return {"edits": [{"old_text": old_text, "new_text": new_text, **more}]}


REFUSALS = [
    ("code_read", {"path": "no"}, "not_found"),
    ("code_read", {"path": "d"}, "is_a_directory"),
    ("code_read", {"path": "fifo"}, "special_file"),
    ("code_read", {"path": "bin"}, "binary_file"),
    ("code_read", {"path": "big"}, "too_large"),
    ("code_read", {"path": "big", "head": 1}, "too_large"),
    ("code_read", {"path": "big", "tail": 1}, "too_large"),
    ("code_read", {"path": "a.txt", "head": 1, "tail": 1}, "invalid_argument"),
    ("code_read", {"path": "a.txt/x"}, "not_a_directory"),
    ("code_read", {"path": ""}, "invalid_argument"),
    ("code_read", {"path": "n" * 256}, "invalid_argument"),
    ("code_read", {"path": "n/" * 2100}, "invalid_argument"),
    ("code_read", {"path": "/etc/passwd"}, "outside_roots"),
    ("code_read", {"path": "../x"}, "outside_roots"),
    ("code_read", {"path": "up/x"}, "outside_roots"),
    ("code_read", {"path": "absolute"}, "outside_roots"),
    ("code_read", {"path": "loop"}, "outside_roots"),
    ("code_read_media", {"path": "no"}, "not_found"),
    ("code_read_media", {"path": "d"}, "is_a_directory"),
    ("code_read_media", {"path": "fifo"}, "special_file"),
    ("code_read_media", {"path": "big"}, "too_large"),
    ("code_read_media", {"path": "big", "max_size_mb": 50}, "too_large"),
    ("code_write", {"path": "a.txt", "content": "", "mode": "create"}, "already_exists"),
    ("code_write", {"path": "d", "content": ""}, "is_a_directory"),
    ("code_write", {"path": ".", "content": ""}, "is_a_directory"),
    ("code_write", {"path": "fifo", "content": ""}, "special_file"),
    ("code_write", {"path": "a.txt", "content": "", "expected_sha256": "0" * 64}, "conflict"),
    ("code_write", {"path": "no", "content": "", "expected_sha256": "0" * 64}, "conflict"),
    ("code_write", {"path": ".git/x", "content": ""}, "protected"),
    ("code_write", {"path": ".env", "content": ""}, "protected"),
    ("code_write", {"path": "a.txt", "content": "\u00e9", "encoding": "shift_jis"}, "bad_encoding"),
    ("code_write", {"path": "absolute", "content": ""}, "outside_roots"),
    ("code_write", {"path": "{fixed}/r.txt", "content": ""}, "read_only"),
    ("code_write", {"path": "no/x", "content": "", "create_dirs": False}, "not_found"),
    ("code_edit", {"path": "no", **edit("x")}, "not_found"),
    ("code_edit", {"path": "a.txt", **edit("thre!")}, "no_match"),
    ("code_edit", {"path": "a.txt", **edit("qqqqqqqqq")}, "no_match"),
    ("code_edit", {"path": "b.txt", **edit("x")}, "ambiguous"),
    ("code_edit", {"path": "a.txt", **edit("one"), "expected_sha256": "0" * 64}, "conflict"),
    ("code_edit", {"path": "bin", **edit("x")}, "binary_file"),
    ("code_edit", {"path": "utf16", **edit("x")}, "bad_encoding"),
    ("code_edit", {"path": ".git/config", **edit("c")}, "protected"),
    ("code_edit", {"path": "big", **edit("x", "y" * 1000, replace_all=True)}, "too_large"),
    ("code_apply_patch", {"patch": "nothing"}, "invalid_argument"),
    ("code_apply_patch", {"patch": "--- a/a.txt\n+++ b/a.txt\n@@ -1,5 +1 @@\n-one\n+z\n"}, "invalid_argument"),
    ("code_apply_patch", {"patch": "--- a/a.txt\n+++ b/a.txt\n@@ -x +1 @@\n-one\n+z\n"}, "invalid_argument"),
    ("code_apply_patch", {"patch": patch("one\n"), "strip": 5}, "invalid_argument"),
    ("code_apply_patch", {"patch": patch("one\n") + patch("one\n")}, "invalid_argument"),
    ("code_apply_patch", {"patch": patch("other\n")}, "no_match"),
    ("code_apply_patch", {"patch": "--- a/a.txt\n+++ b/a.txt\n@@ -90,0 +91 @@\n+z\n"}, "no_match"),
    ("code_apply_patch", {"patch": "--- a/a.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n"}, "no_match"),
    ("code_apply_patch", {"patch": patch("x\n", name="../a.txt")}, "outside_roots"),
    ("code_apply_patch", {"patch": patch("c\n", name=".git/config")}, "protected"),
    ("code_apply_patch", {"patch": "--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+z\n"}, "already_exists"),
    ("code_delete", {"path": "no"}, "not_found"),
    ("code_delete", {"path": "full"}, "is_a_directory"),
    ("code_delete", {"path": ".env"}, "protected"),
    ("code_delete", {"path": ".", "recursive": True, "force": True}, "protected"),
    ("code_delete", {"path": ".git", "recursive": True, "force": True}, "protected"),
    ("code_delete", {"path": "{fixed}/r.txt"}, "read_only"),
    ("code_get_info", {"path": "no"}, "not_found"),
    ("code_list_files", {"path": "no"}, "not_found"),
    ("code_list_files", {"path": "a.txt"}, "not_a_directory"),
    ("code_list_files", {"path": ".", "pattern": "{a,b}" * 12}, "invalid_argument"),
    ("code_list_directory", {"path": "a.txt"}, "not_a_directory"),
    ("code_tree", {"path": "a.txt"}, "not_a_directory"),
    ("code_find_file", {"name_pattern": "*", "path": "no"}, "not_found"),
    ("code_search_content", {"query": "x", "path": "no"}, "not_found"),
    ("code_search_content", {"query": "(", "regex": True}, "bad_regex"),
    ("code_search_content", {"query": "(x+x+)+y", "regex": True, "path": "big"}, "regex_limit"),
    ("code_search_content", {"query": "one\ntwo"}, "invalid_argument"),
    ("code_create_directory", {"path": "a.txt"}, "already_exists"),
    ("code_create_directory", {"path": "no/x", "parents": False}, "not_found"),
    ("code_create_directory", {"path": "{fixed}/x"}, "read_only"),
    ("code_create_directory", {"path": "x/.git"}, "protected"),
    ("code_move", {"source": "no", "destination": "x"}, "not_found"),
    ("code_move", {"source": "full", "destination": "full/x"}, "invalid_argument"),
    ("code_move", {"source": "a.txt", "destination": "b.txt"}, "already_exists"),
    ("code_move", {"source": "a.txt", "destination": "d", "overwrite": True}, "already_exists"),
    ("code_move", {"source": "d", "destination": "a.txt", "overwrite": True}, "already_exists"),
    ("code_move", {"source": "fifo", "destination": "x"}, "special_file"),
    ("code_move", {"source": ".", "destination": "x"}, "protected"),
    ("code_copy", {"source": "no", "destination": "x"}, "not_found"),
    ("code_copy", {"source": "d", "destination": "x"}, "is_a_directory"),
    ("code_copy", {"source": "d", "destination": "d/x", "recursive": True}, "invalid_argument"),
    ("code_copy", {"source": "a.txt", "destination": "b.txt"}, "already_exists"),
    ("code_copy", {"source": "fifo", "destination": "x"}, "special_file"),
    ("code_disk_usage", {"path": "a.txt"}, "not_a_directory"),
    ("code_lint", {"path": "d"}, "tool_missing"),
    ("code_lint", {"path": "a.txt"}, "invalid_argument"),
    ("code_lint", {"path": "note.ipynb", "tool": "flake8"}, "invalid_argument"),
    ("code_lint", {"path": "fifo"}, "special_file"),
    ("code_format", {"path": "d"}, "tool_missing"),
    ("code_analyze", {"path": "no"}, "not_found"),
]


def test_every_refusal_says_what_to_do(worker, root):
    wrong = []
    for tool, arguments, code in REFUSALS:
        if arguments.get("path") == "big" and "edits" in arguments and os.environ.get("ASAN_OPTIONS"):
            continue  # AddressSanitizer reads all the rest of a text at each memmem(): minutes for this one
        arguments = {key: value.replace("{fixed}", str(root.parent / "fixed")) if isinstance(value, str) else value
                     for key, value in arguments.items()}
        result = worker.request("tools/call", {"name": tool, "arguments": arguments})["result"]
        text = result["content"][0]["text"]
        if not result.get("isError") or not text.startswith(f"{code}: ") or not REFUSAL.fullmatch(text):
            wrong.append(f"{tool} {str(arguments)[:80]}: {text[:300]}")
    assert not wrong, "\n".join(wrong)
    assert (root / "a.txt").read_text() == "one\ntwo\nthree\n"


# Under every name, in an order in which each finds what the one before has left; {} is the root.
TEXTS = [
    ("code_read", {"path": "a.txt"}, "one\ntwo\nthree\n"),
    ("read_file", {"path": "a.txt", "tail": 1}, "three\n"),
    ("read_text_file", {"path": "a.txt", "head": 1}, "one\n"),
    ("code_read", {"path": "a.txt", "offset": 2, "line_numbers": True}, "     2\ttwo\n     3\tthree\n"),
    ("code_read_many", {"paths": ["link", "no"]}, "link:\none\ntwo\nthree\n---\nno: Error - not_found: "),
    ("read_multiple_files", {"paths": ["b.txt", "b.txt"]}, "b.txt:\nx\nx\n---\nb.txt:\nx\nx\n"),
    ("code_write", {"path": "new/w", "content": "hi"}, "Created file: new/w\nSize: 2 bytes"),
    ("code_write", {"path": "new/w", "content": "hey"}, "Updated file: new/w\nSize: 3 bytes\nBackup: new/w.2"),
    ("write_file", {"path": "{}/new/w", "content": "x"}, "Updated file: {}/new/w\nSize: 1 bytes"),
    ("code_edit", {"path": "new/w", **edit("x", "y")}, "--- a/new/w\n+++ b/new/w\n@@ -1 +1 @@\n-x\n"),
    ("edit_file", {"path": "new/w", "edits": [{"oldText": "y", "newText": "x"}], "dryRun": True}, "--- a/new/w\n"),
    ("code_apply_patch", {"patch": patch("x\n", name="b.txt").replace("@@ -1 +1 @@", "@@ -1,2 +1,2 @@") + " x\n"},
     "modified: b.txt"),
    ("code_get_info", {"path": "a.txt"}, "File info for a.txt:\n  Size: 14 bytes (0.0 KB)\n  Lines: 3\n  Modified: 20"),
    ("code_get_info", {"path": "d/x.py"}, "File info for d/x.py:\n  Language: Python\n  Size: 6 bytes"),
    ("get_file_info", {"path": "a.txt"}, "size: 14\n"),
    ("code_list_files", {"path": "d"}, "Found 1 file(s) in 'd':\n  d/x.py (0.0 KB)"),
    ("code_list_directory", {"path": "full"}, "[FILE] f"),
    ("code_list_directory", {}, "[FILE] .env\n[DIR] .git\n[FILE] a.txt\n[LINK] absolute -> /etc/passwd\n"),
    ("list_directory", {"path": "d"}, "[FILE] x.py"),
    ("list_directory_with_sizes", {"path": "d", "sortBy": "size"}, "[FILE] x.py "),
    ("code_tree", {"path": "d"}, "d/\n  x.py"),
    ("directory_tree", {"path": "d"}, '[\n  {\n    "name": "x.py",\n    "type": "file"\n  }\n]'),
    ("code_find_file", {"name_pattern": "*.py"}, "Found 1 file(s):\n  d/x.py"),
    ("code_find_file", {"name_pattern": "zz"}, "No files found matching 'zz'"),
    ("search_files", {"path": "d", "pattern": "*.py"}, "{}/d/x.py"),
    ("code_search_content", {"query": "tw", "path": "a.txt"}, "Found 1 match(es):\na.txt:\n  Line 2: two"),
    ("code_search_content", {"query": "zzz"}, "No matches found for 'zzz'"),
    ("code_create_directory", {"path": "made/deep"}, "Created directory: made/deep"),
    ("create_directory", {"path": "made"}, "Directory exists: made"),
    ("code_move", {"source": "made", "destination": "moved"}, "Moved made to moved"),
    ("move_file", {"source": "moved", "destination": "made"}, "Moved moved to made"),
    ("code_copy", {"source": "a.txt", "destination": "c.txt"}, "Copied a.txt to c.txt (1 file(s))"),
    ("copy_file", {"source": "d", "destination": "e"}, "Copied d to e (1 file(s))"),
    ("code_delete", {"path": "e", "recursive": True}, "Deleted: e"),
    ("delete_file", {"path": "c.txt"}, "Deleted: c.txt"),
    ("code_list_roots", {}, "Allowed directories:\n{}\n"),
    ("list_allowed_directories", {}, "Allowed directories:\n{}\n"),
    ("code_disk_usage", {"path": "d"}, "6 bytes in 1 files, 0 directories"),
    ("code_check_tools", {}, f"Available code tools:\nruff: not found in {NO_TOOLS}\n"),
]


def test_first_words(worker, root):
    def fill(value):
        return value.replace("{}", str(root)) if isinstance(value, str) else value

    tools = set()
    for tool, arguments, words in TEXTS:
        data, text = worker.call(tool, **{key: fill(value) for key, value in arguments.items()})
        assert text.startswith(fill(words)), (tool, arguments, text)
        tools.add(tool)
        if not tool.startswith("code_"):
            assert data == {"content": text}, tool
    listed = {tool["name"] for tool in worker.request("tools/list")["result"]["tools"]}
    # Those with text of their own elsewhere: images, and what needs a linter.
    assert listed - tools == {"code_read_media", "code_lint", "code_format", "code_analyze"}


# Each is cut, says so, and how to get more.
CUT = [
    ("code_list_files", {"path": "big", "max_files": 1}, "max_files"),
    ("code_list_directory", {"path": "big", "max_entries": 1}, "max_entries"),
    ("code_tree", {"path": "big", "max_entries": 1}, "max_entries"),
    ("code_tree", {"path": ".", "max_depth": 1}, "max_depth"),
    ("code_find_file", {"path": "big", "name_pattern": "*", "max_results": 1}, "max_results"),
    ("code_search_content", {"path": "big", "query": "x", "max_results": 1}, "max_results"),
    ("code_disk_usage", {"path": "big", "max_entries": 1}, "max_entries"),
]


@pytest.mark.parametrize(("tool", "arguments", "more"), CUT)
def test_what_is_cut_says_so(worker, root, tool, arguments, more):
    (root / "big").unlink()
    (root / "big").mkdir()
    for name in "abc":
        (root / "big" / name).write_text("x\n")
    data, text = worker.call(tool, **arguments)
    assert data["truncated"] is True
    assert more in text.splitlines()[-1]
