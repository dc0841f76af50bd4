"""The filesystem tools that write: what they do, what they leave alone, and how they fail."""

import hashlib
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import time

import pytest

from stdio_worker import StdioWorker, ToolFailed

BUILD = pathlib.Path(os.environ["MCP_FLEET_BUILD"])
PROGRAM = BUILD / "worker-filesystem"
TEMPORARY = re.compile(r"^\..+\.mcp-fleet-[0-9a-f]{8}\.tmp$")
IS_ROOT = os.geteuid() == 0

pytestmark = pytest.mark.sanitizers


def start(*roots, **settings):
    """A worker; a root may be {path, access}."""
    paths = [str(root) if isinstance(root, os.PathLike) else root for root in roots]
    return StdioWorker(PROGRAM, settings={"roots": paths, **settings})


@pytest.fixture
def root(tmp_path):
    path = tmp_path / "root"
    path.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret\n")
    return path


@pytest.fixture
def worker(root):
    with start(root) as started:
        yield started
    left = [str(p) for p in root.rglob("*") if TEMPORARY.match(p.name)]
    assert not left
    assert [p.name for p in (root.parent / "outside").iterdir()] == ["secret"]
    assert (root.parent / "outside" / "secret").read_text() == "secret\n"


def error(worker, tool, **arguments):
    with pytest.raises(ToolFailed) as failed:
        worker.call(tool, **arguments)
    return failed.value.code


def sha(content):
    return hashlib.sha256(content).hexdigest()


def snapshot(path):
    """Everything below a directory: kind, mode, content."""
    found = {}
    for entry in sorted(path.rglob("*")):
        st = entry.lstat()
        content = os.readlink(entry) if entry.is_symlink() else entry.read_bytes() if entry.is_file() else None
        found[str(entry.relative_to(path))] = (oct(st.st_mode), content)
    return found


# code_write

def test_write(worker, root):
    data, text = worker.call("code_write", path="a/b/new.txt", content="one\n")
    assert data == {"path": "a/b/new.txt", "size": 4, "created": True, "sha256": sha(b"one\n")}
    assert text == "Created file: a/b/new.txt\nSize: 4 bytes"
    assert (root / "a/b/new.txt").read_bytes() == b"one\n"
    data, text = worker.call("code_write", path="a/b/new.txt", content="zwei ä\n")
    assert data["created"] is False and data["size"] == 8 and data["sha256"] == sha("zwei ä\n".encode())
    assert re.fullmatch(r"a/b/new\.txt\.\d{8}_\d{6}\.bak", data["backup"])
    assert text == f"Updated file: a/b/new.txt\nSize: 8 bytes\nBackup: {data['backup']}"
    assert (root / data["backup"]).read_bytes() == b"one\n"
    absolute = str(root / "a/b/new.txt")
    data, _ = worker.call("code_write", path=absolute, content="")
    assert data["path"] == absolute and data["backup"].startswith(str(root))
    assert (root / "a/b/new.txt").read_bytes() == b""


def test_backups_are_never_overwritten(worker, root):
    (root / "f").write_text("0")
    names = {worker.data("code_write", path="f", content=str(i))["backup"] for i in range(1, 6)}
    assert len(names) == 5
    assert {(root / name).read_text() for name in names} == set("01234")


def test_modes_of_writing(worker, root):
    assert error(worker, "code_write", path="f", content="x", mode="other") == "invalid_argument"
    worker.call("code_write", path="f", content="x", mode="create")
    assert error(worker, "code_write", path="f", content="y", mode="create") == "already_exists"
    (root / "dangling").symlink_to("nowhere")
    assert error(worker, "code_write", path="dangling", content="y", mode="create") == "already_exists"
    data = worker.data("code_write", path="f", content="y", mode="append", backup=False)
    assert (root / "f").read_text() == "xy"
    assert data["size"] == 2 and data["sha256"] == sha(b"xy") and "backup" not in data
    data = worker.data("code_write", path="f", content="z", mode="append")
    assert (root / "f").read_text() == "xyz" and (root / data["backup"]).read_text() == "xy"
    assert data["sha256"] == sha(b"xyz")
    assert worker.data("code_write", path="g", content="z", mode="append")["created"]


def test_append_keeps_inode_but_not_of_two_names(worker, root):
    (root / "f").write_text("a")
    inode = (root / "f").stat().st_ino
    worker.call("code_write", path="f", content="b", mode="append", backup=False)
    assert (root / "f").stat().st_ino == inode
    os.link(root / "f", root / "other")
    worker.call("code_write", path="f", content="c", mode="append", backup=False)
    assert (root / "f").read_text() == "abc" and (root / "other").read_text() == "ab"
    assert (root / "other").stat().st_nlink == 1


@pytest.mark.parametrize("tool,arguments", [
    ("code_write", {"content": "new"}),
    ("code_edit", {"edits": [{"old_text": "old", "new_text": "new"}]}),
])
def test_other_names_keep_the_content(worker, root, tool, arguments):
    (root / "f").write_text("old")
    os.link(root / "f", root / "other")
    worker.call(tool, path="f", **arguments)
    assert (root / "f").read_text() == "new" and (root / "other").read_text() == "old"


@pytest.mark.parametrize("mode,want", [(0o640, 0o640), (0o6755, 0o755), (0o1644, 0o644), (0o600, 0o600)])
def test_mode_is_kept_but_set_id_bits(worker, root, mode, want):
    (root / "f").write_text("old\n")
    (root / "f").chmod(mode)
    worker.call("code_write", path="f", content="new\n", backup=False)
    assert (root / "f").stat().st_mode & 0o7777 == want
    (root / "f").chmod(mode)
    worker.call("code_edit", path="f", edits=[{"old_text": "new", "new_text": "newer"}])
    assert (root / "f").stat().st_mode & 0o7777 == want
    (root / "f").chmod(mode)
    worker.call("code_copy", source="f", destination="g")
    assert (root / "g").stat().st_mode & 0o7777 == want & 0o777
    data = worker.data("code_write", path="f", content="n")
    assert (root / data["backup"]).stat().st_mode & 0o7777 == want


@pytest.mark.skipif(not IS_ROOT, reason="only root may give files away")
def test_owner_is_kept(worker, root):
    (root / "f").write_text("old\n")
    os.chown(root / "f", 12345, 23456)
    worker.call("code_write", path="f", content="new\n")
    st = (root / "f").stat()
    assert (st.st_uid, st.st_gid) == (12345, 23456)


@pytest.mark.skipif(IS_ROOT, reason="root may write everything")
def test_what_the_system_refuses(worker, root):
    (root / "f").write_text("x")
    (root / "f").chmod(0o444)
    assert error(worker, "code_write", path="f", content="y") == "permission_denied"
    assert error(worker, "code_edit", path="f", edits=[{"old_text": "x", "new_text": "y"}]) == "permission_denied"
    (root / "d").mkdir()
    (root / "d").chmod(0o555)
    assert error(worker, "code_write", path="d/new", content="y") == "permission_denied"
    assert error(worker, "code_create_directory", path="d/new") == "permission_denied"
    (root / "d").chmod(0o755)


def test_encodings(worker, root):
    worker.call("code_write", path="f", content="ä€\r\n", encoding="utf-16le")
    assert (root / "f").read_bytes() == "ä€\r\n".encode("utf-16le")
    worker.call("code_write", path="f", content="ä€", encoding="windows-1252", backup=False)
    assert (root / "f").read_bytes() == b"\xe4\x80"
    assert error(worker, "code_write", path="f", content="a€", encoding="latin1") == "bad_encoding"
    assert error(worker, "code_write", path="new/f", content="ж", encoding="latin1") == "bad_encoding"
    assert not (root / "new").exists()
    assert (root / "f").read_bytes() == b"\xe4\x80"


def test_expected_sha256(worker, root):
    (root / "f").write_text("one\n")
    wrong = sha(b"two\n")
    for tool, arguments in (("code_write", {"content": "x"}),
                            ("code_edit", {"edits": [{"old_text": "one", "new_text": "x"}]})):
        assert error(worker, tool, path="f", expected_sha256=wrong, **arguments) == "conflict"
        assert error(worker, tool, path="f", expected_sha256="ab", **arguments) == "invalid_argument"
    assert error(worker, "code_write", path="new", content="x", expected_sha256=wrong) == "conflict"
    assert error(worker, "code_write", path="d/new", content="x", expected_sha256=wrong) == "not_found"
    assert not (root / "d").exists()
    assert (root / "f").read_text() == "one\n"
    worker.call("code_edit", path="f", expected_sha256=sha(b"one\n").upper(),
                edits=[{"old_text": "one", "new_text": "two"}])
    worker.call("code_write", path="f", content="three\n", expected_sha256=sha(b"two\n"))


@pytest.mark.parametrize("name", [".gitignore", ".env", ".env.local", "Dockerfile", "package.json"])
def test_precious_files(worker, root, name):
    (root / name).write_text("0123456789")
    assert error(worker, "code_write", path=name, content="0123") == "protected"
    assert (root / name).read_text() == "0123456789" and len(list(root.iterdir())) == 1
    worker.call("code_write", path=name, content="01234", backup=False)
    worker.call("code_write", path=name, content="", force=True, backup=False)
    assert error(worker, "code_delete", path=name) == "protected"
    worker.call("code_delete", path=name, force=True)
    assert not (root / name).exists()


# code_edit

def test_edit(worker, root):
    (root / "f").write_bytes(b"one\r\ntwo\r\n\xff\xfe three\r\nno end")
    data, text = worker.call("code_edit", path="f", edits=[
        {"old_text": "one\ntwo\n", "new_text": "1\n2\n"},
        {"old_text": "1", "new_text": "I"},
        {"old_text": "e", "new_text": "E", "replace_all": True}])
    assert (root / "f").read_bytes() == b"I\r\n2\r\n\xff\xfe thrEE\r\nno End"
    assert data["replacements"] == 5 and data["applied"] and not data["truncated"]
    assert data["sha256"] == sha((root / "f").read_bytes())
    assert text == data["diff"]
    assert text.startswith("--- a/f\n+++ b/f\n@@ -1,4 +1,4 @@\n-one\r\n-two\r\n")


def test_edits_all_or_none(worker, root):
    (root / "f").write_text("a\nb\nb\n")
    before = (root / "f").stat()
    for edits, code in (
        ([{"old_text": "a", "new_text": "x"}, {"old_text": "zz", "new_text": "y"}], "no_match"),
        ([{"old_text": "a", "new_text": "x"}, {"old_text": "b", "new_text": "y"}], "ambiguous"),
        ([{"old_text": "", "new_text": "x"}], "invalid_argument"),
        ([{"old_text": "a"}], "invalid_argument"),
        ([], "invalid_argument"),
        ([{"old_text": "a", "new_text": "a"}] * 201, "invalid_argument"),
    ):
        assert error(worker, "code_edit", path="f", edits=edits) == code
    after = (root / "f").stat()
    assert (root / "f").read_text() == "a\nb\nb\n" and after.st_ino == before.st_ino
    data = worker.data("code_edit", path="f", edits=[{"old_text": "a", "new_text": "x"}], dry_run=True)
    assert not data["applied"] and "+x" in data["diff"] and data["sha256"] == sha(b"x\nb\nb\n")
    assert (root / "f").read_text() == "a\nb\nb\n"
    data, text = worker.call("code_edit", path="f", edits=[{"old_text": "a", "new_text": "a"}])
    assert text == "The edits change nothing." and data["diff"] == ""
    assert (root / "f").stat().st_ino == before.st_ino


def test_what_cannot_be_edited(worker, root):
    (root / "binary").write_bytes(b"a\0b")
    (root / "utf16").write_bytes("\ufeffab".encode("utf-16le"))
    (root / "d").mkdir()
    with open(root / "large", "wb") as large:
        large.write(b"a\n")
        large.truncate(50 * 1024 * 1024 + 1)
    edits = [{"old_text": "a", "new_text": "x"}]
    for path, code in (("binary", "binary_file"), ("utf16", "bad_encoding"), ("large", "too_large"),
                       ("d", "is_a_directory"), ("none", "not_found"), (".", "is_a_directory"),
                       ("../x", "outside_roots"), ("binary/x", "not_a_directory")):
        assert error(worker, "code_edit", path=path, edits=edits) == code, path


def test_long_diffs_say_that_they_are_cut(worker, root):
    (root / "f").write_text("".join(f"line {i}\n{'x' * 50}\n" * 1 for i in range(10000)))
    data, text = worker.call("code_edit", path="f", edits=[
        {"old_text": "x" * 50, "new_text": "y" * 50, "replace_all": True}])
    assert data["truncated"] and "was cut here" in text.splitlines()[-1]
    assert (root / "f").read_text().count("y" * 50) == 10000


# code_apply_patch

def test_patch_as_git_makes_it(worker, root, tmp_path):
    if not os.access("/usr/bin/git", os.X_OK):
        pytest.skip("no git")
    (root / "d").mkdir()
    (root / "a").write_text("".join(f"{i}\n" for i in range(50)))
    (root / "d/gone").write_text("x\n")
    (root / "old name").write_text("".join(f"line {i}\n" for i in range(20)))
    (root / "run").write_text("#!/bin/sh\n")
    after = tmp_path / "after"
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*args):
        return subprocess.run(["git", *args], cwd=after, env=env, capture_output=True, check=True).stdout

    subprocess.run(["cp", "-a", root, after], check=True)
    git("init", "-q")
    git("add", ".")
    first = git("write-tree").decode().strip()
    (after / "a").write_text("".join(f"{i}\n" for i in range(50) if i not in (3, 40)) + "end")
    (after / "d/gone").unlink()
    (after / "old name").rename(after / "d/new\tname")
    (after / "d/new\tname").write_text((after / "d/new\tname").read_text() + "more\n")
    (after / "run").chmod(0o755)
    (after / "empty").write_text("")
    (after / "x").mkdir()
    (after / "x/ä").write_text("new\n")
    git("add", ".")
    patch = git("diff", "--cached", "-M", "--no-color", first).decode()
    data = worker.data("code_apply_patch", patch=patch)
    assert sorted((f["path"], f["status"]) for f in data["files"]) == [
        ("a", "modified"), ("d/gone", "deleted"), ("d/new\tname", "renamed"), ("empty", "added"),
        ("run", "modified"), ("x/ä", "added")]
    subprocess.run(["rm", "-rf", after / ".git"], check=True)
    assert snapshot(root) == snapshot(after)


def test_patch_changes_everything_or_nothing(worker, root):
    (root / "a").write_text("a\nb\n")
    (root / "b").write_text("a\nb\n")
    (root / "gone").write_text("x\n")
    (root / "from").write_text("f\n")
    good = ("--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n-a\n+A\n b\n"
            "--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
            "diff --git a/from b/new/to\nrename from from\nrename to new/to\n"
            "diff --git a/n/e/w b/n/e/w\nnew file mode 100644\n--- /dev/null\n+++ b/n/e/w\n@@ -0,0 +1 @@\n+new\n")
    before = snapshot(root)
    for bad, code in (
        ("--- a/b\n+++ b/b\n@@ -1,2 +1,2 @@\n-c\n+A\n b\n", "no_match"),
        ("--- a/none\n+++ b/none\n@@ -1,2 +1,2 @@\n-c\n+A\n b\n", "not_found"),
        ("--- /dev/null\n+++ b/b\n@@ -0,0 +1 @@\n+A\n", "already_exists"),
        ("--- a/../outside/secret\n+++ b/../outside/secret\n@@ -1 +1 @@\n-secret\n+A\n", "outside_roots"),
        ("--- a//etc/passwd\n+++ b//etc/passwd\n@@ -1 +1 @@\n-secret\n+A\n", "not_found"),
        ("--- /dev/null\n+++ b/.Git/hooks/x\n@@ -0,0 +1 @@\n+A\n", "protected"),
        ("--- a/a\n+++ b/a\n@@ -2 +2 @@\n-b\n+B\n", "invalid_argument"),
        ("--- a/b\n+++ b/b\n@@ -1,2 +1,3 @@\n-c\n+A\n b\n", "invalid_argument"),
    ):
        assert error(worker, "code_apply_patch", patch=good + bad) == code, bad
        assert snapshot(root) == before, bad
    data = worker.data("code_apply_patch", patch=good, dry_run=True)
    assert not data["applied"] and snapshot(root) == before
    data, text = worker.call("code_apply_patch", patch=good)
    assert data["applied"] and text.splitlines() == [
        "modified: a", "deleted: gone", "renamed: from to new/to", "added: n/e/w"]
    assert {k for k in snapshot(root)} == {"a", "b", "n", "n/e", "n/e/w", "new", "new/to"}
    assert (root / "a").read_text() == "A\nb\n" and (root / "new/to").read_text() == "f\n"


def test_edit_diffs_can_be_applied(worker, root):
    (root / "f").write_text("".join(f"{i}\n" for i in range(100)))
    (root / "g").write_text((root / "f").read_text())
    edits = [{"old_text": "\n50\n", "new_text": "\nfifty\n"}, {"old_text": "99\n", "new_text": "99"}]
    diff = worker.data("code_edit", path="f", edits=edits)["diff"]
    worker.call("code_apply_patch", patch=diff.replace("a/f", "a/g").replace("b/f", "b/g"))
    assert (root / "g").read_text() == (root / "f").read_text()


# code_delete

def test_delete(worker, root):
    (root / "d/e").mkdir(parents=True)
    (root / "d/f").write_text("12345")
    (root / "d/e/out").symlink_to("../../../outside")
    (root / "link").symlink_to("../outside/secret")
    os.mkfifo(root / "d/fifo")
    assert error(worker, "code_delete", path="none") == "not_found"
    assert error(worker, "code_delete", path="d") == "is_a_directory"
    assert error(worker, "code_delete", path=".") == "protected"
    assert error(worker, "code_delete", path=str(root), recursive=True, force=True) == "protected"
    assert error(worker, "code_delete", path="d/e/out/secret") == "outside_roots"
    assert worker.call("code_delete", path="link")[1] == "Deleted: link"
    data = worker.data("code_delete", path="d", recursive=True)
    assert (data["entries"], data["size"], data["deleted"]) == (5, 5, True)
    assert list(root.iterdir()) == []
    (root / "empty").mkdir()
    worker.call("code_delete", path="empty")


def test_delete_deep_and_odd_names(worker, root):
    names = [b"new\nline", b"\xff\xfe", b"tab\there", "ä".encode(), b" "]
    base = os.fsencode(root) + b"/d"
    os.mkdir(base)
    for name in names:
        os.mkdir(base + b"/" + name)
        open(base + b"/" + name + b"/" + name, "w").close()
    worker.call("code_copy", source="d", destination="copy", recursive=True)
    assert sorted(os.listdir(os.fsencode(root) + b"/copy")) == sorted(names)
    assert worker.data("code_delete", path="d", recursive=True)["entries"] == 11
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(1500):
        os.mkdir("deep", dir_fd=here)
        down = os.open("deep", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = down
    os.close(here)
    assert worker.data("code_delete", path="deep", recursive=True)["entries"] == 1500
    assert worker.text("code_create_directory", path="new\nline") == 'Created directory: "new\\nline"'


def test_nothing_is_deleted_beside_git(worker, root):
    for name in (".git", "sub/.GIT"):
        (root / "project" / name).mkdir(parents=True)
        (root / "project" / name / "config").write_text("x")
    (root / "project/file").write_text("x")
    before = snapshot(root)
    for tool, arguments in (
        ("code_delete", {"path": "project", "recursive": True, "force": True}),
        ("code_delete", {"path": "project/sub", "recursive": True}),
        ("code_delete", {"path": "project/.git", "recursive": True, "force": True}),
        ("code_delete", {"path": "project/.git/config", "force": True}),
        ("code_write", {"path": "project/.git/hooks/post-commit", "content": "x"}),
        ("code_write", {"path": "project/.git/config", "content": "x", "force": True}),
        ("code_write", {"path": "project/sub/.GIT/config", "content": "x", "mode": "append"}),
        ("code_write", {"path": ".gIt", "content": "gitdir: x"}),
        ("code_edit", {"path": "project/.git/config", "edits": [{"old_text": "x", "new_text": "y"}]}),
        ("code_create_directory", {"path": "new/.git/hooks"}),
        ("code_create_directory", {"path": "new/.giT"}),
        ("code_move", {"source": "project/.git", "destination": "g"}),
        ("code_move", {"source": "project/file", "destination": "project/.git/file"}),
        ("code_move", {"source": "project", "destination": "moved"}),
        ("code_move", {"source": "project/file", "destination": ".GIT"}),
        ("code_copy", {"source": "project/file", "destination": "project/.git/file"}),
        ("code_copy", {"source": "project/file", "destination": ".GIT"}),
    ):
        assert error(worker, tool, **arguments) == "protected", (tool, arguments)
        assert snapshot(root) == before, (tool, arguments)
    (root / "way").symlink_to("project/.git")
    assert error(worker, "code_write", path="way/hooks", content="x") == "protected"
    (root / "config").symlink_to("project/.git/config")
    assert error(worker, "code_write", path="config", content="x") == "protected"
    # Reading is allowed; and a copy of the project has no repository in it.
    worker.call("code_copy", source="project/.git/config", destination="c")
    data = worker.data("code_copy", source="project", destination="copy", recursive=True)
    assert data["skipped"] == 2 and sorted(snapshot(root / "copy")) == ["file", "sub"]


def test_git_may_be_opened(root):
    (root / "project/.git/objects").mkdir(parents=True)
    with start(root, protect_git_dir=False) as worker:
        worker.call("code_write", path="project/.git/config", content="x")
        worker.call("code_move", source="project", destination="p")
        worker.call("code_copy", source="p", destination="q", recursive=True)
        assert (root / "q/.git/config").exists()
        worker.call("code_delete", path="p", recursive=True)
    assert not (root / "p").exists()


def test_too_many_entries(worker, root):
    (root / "d").mkdir()
    for i in range(100001):
        os.mknod(root / "d" / str(i))
    assert error(worker, "code_delete", path="d", recursive=True) == "too_large"
    assert error(worker, "code_copy", source="d", destination="e", recursive=True) == "too_large"
    (root / "d/0").unlink()
    assert worker.data("code_delete", path="d", recursive=True)["entries"] == 100001


# code_create_directory, code_move, code_copy

def test_create_directory(worker, root):
    assert worker.call("code_create_directory", path="a/b") == (
        {"path": "a/b", "created": True}, "Created directory: a/b")
    assert worker.text("code_create_directory", path="a/b") == "Directory exists: a/b"
    assert worker.text("code_create_directory", path=".") == "Directory exists: ."
    (root / "f").write_text("")
    (root / "dangling").symlink_to("none")
    assert error(worker, "code_create_directory", path="f") == "already_exists"
    assert error(worker, "code_create_directory", path="dangling") == "already_exists"
    assert error(worker, "code_create_directory", path="f/x") == "not_a_directory"
    assert error(worker, "code_create_directory", path="x/y", parents=False) == "not_found"
    assert error(worker, "code_create_directory", path="../x") == "outside_roots"
    assert error(worker, "code_create_directory", path="n" * 256) == "invalid_argument"
    (root / "out").symlink_to("../outside")
    assert error(worker, "code_create_directory", path="out/x/y") == "outside_roots"


def test_move(worker, root):
    (root / "f").write_text("f")
    (root / "g").write_text("g")
    (root / "d/e").mkdir(parents=True)
    (root / "link").symlink_to("f")
    for source, destination, overwrite, code in (
        ("none", "x", False, "not_found"),
        ("f", "g", False, "already_exists"),
        ("f", "d", True, "already_exists"),
        ("d", "g", True, "already_exists"),
        ("d", "d/e/x", False, "invalid_argument"),
        ("f", "no/x", False, "not_found"),
        (".", "x", False, "protected"),
        ("f", ".", True, "protected"),
        ("f", "../outside/f", False, "outside_roots"),
        ("../outside/secret", "f2", False, "outside_roots"),
    ):
        assert error(worker, "code_move", source=source, destination=destination,
                     overwrite=overwrite) == code, (source, destination)
    data, text = worker.call("code_move", source="link", destination="d/e/link")
    assert text == "Moved link to d/e/link" and not data["overwritten"]
    assert os.readlink(root / "d/e/link") == "f" and not (root / "link").is_symlink()
    assert worker.data("code_move", source="f", destination="g", overwrite=True)["overwritten"]
    assert (root / "g").read_text() == "f" and not (root / "f").exists()
    worker.call("code_move", source="d", destination="D")
    assert (root / "D/e/link").is_symlink()
    os.link(root / "g", root / "same")
    worker.call("code_move", source="g", destination="same", overwrite=True)
    assert not (root / "g").exists() and (root / "same").read_text() == "f"
    worker.call("code_move", source="same", destination="same", overwrite=True)
    assert (root / "same").read_text() == "f"


def test_move_across_file_systems(root):
    other = pathlib.Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == root.stat().st_dev:
        pytest.skip("no other file system")
    (root / "f").write_text("f")
    away = other / f"mcp-fleet-test-{os.getpid()}"
    away.mkdir()
    try:
        with start(root, away) as worker:
            assert error(worker, "code_move", source="f", destination=f"{away}/f") == "cross_device"
            worker.call("code_copy", source="f", destination=f"{away}/f")
            worker.call("code_move", source=f"{away}/f", destination=f"{away}/g")
            worker.call("code_write", path=f"{away}/g", content="x")
        assert (root / "f").read_text() == "f" and (away / "g").read_text() == "x"
    finally:
        subprocess.run(["rm", "-rf", away], check=True)


def test_copy(worker, root):
    (root / "d/e").mkdir(parents=True)
    (root / "d/e/f").write_bytes(bytes(range(256)) * 5000)
    (root / "d/e/f").chmod(0o640)
    (root / "d/e").chmod(0o750)
    (root / "d/out").symlink_to("../../outside/secret")
    (root / "d/abs").symlink_to("/etc/passwd")
    os.mkfifo(root / "d/fifo")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(root / "s"))
    os.rename(root / "s", root / "d/socket")
    assert error(worker, "code_copy", source="d", destination="c") == "is_a_directory"
    assert error(worker, "code_copy", source="d", destination="d/x", recursive=True) == "invalid_argument"
    assert error(worker, "code_copy", source="d", destination="d", recursive=True, overwrite=True) == "invalid_argument"
    assert error(worker, "code_copy", source="d/fifo", destination="c") == "special_file"
    assert error(worker, "code_copy", source="none", destination="c") == "not_found"
    assert error(worker, "code_copy", source="d/e/f", destination="no/c") == "not_found"
    assert error(worker, "code_copy", source="/etc/passwd", destination="c") == "outside_roots"
    assert error(worker, "code_copy", source="d/e/f", destination="../outside/c") == "outside_roots"
    data, text = worker.call("code_copy", source="d", destination="c", recursive=True)
    assert data == {"source": "d", "destination": "c", "files": 3, "bytes": 1280000, "skipped": 2}
    assert text.splitlines()[0] == "Copied d to c (3 file(s))"
    want = {k: v for k, v in snapshot(root / "d").items() if k not in ("fifo", "socket")}
    assert snapshot(root / "c") == want
    assert error(worker, "code_copy", source="d", destination="c", recursive=True) == "already_exists"
    (root / "c/e/f").write_text("changed")
    (root / "c/more").write_text("stays")
    worker.call("code_copy", source="d", destination="c", recursive=True, overwrite=True)
    assert snapshot(root / "c")["e/f"] == want["e/f"] and (root / "c/more").read_text() == "stays"
    (root / "g").write_text("g")
    assert error(worker, "code_copy", source="g", destination="c/e/f") == "already_exists"
    assert error(worker, "code_copy", source="g", destination="c/e", overwrite=True) == "already_exists"
    worker.call("code_copy", source="g", destination="c/out", overwrite=True)
    assert (root / "c/out").read_text() == "g" and not (root / "c/out").is_symlink()
    sock.close()


def test_copy_too_much(worker, root):
    (root / "d").mkdir()
    for i in range(3):
        with open(root / f"d/{i}", "wb") as sparse:
            sparse.truncate(400 * 1024 * 1024)
    assert error(worker, "code_copy", source="d", destination="c", recursive=True) == "too_large"
    assert not (root / "c").exists()


# Roots, links, special files

def test_read_only_root(root, tmp_path):
    work = root / "work"
    work.mkdir()
    (root / "f").write_text("x")
    (root / "way").symlink_to("work")
    (work / "f").write_text("x")
    with start({"path": str(root), "access": "read"}, work) as worker:
        for tool, arguments in (
            ("code_write", {"path": "f", "content": "y"}),
            ("code_write", {"path": "new/f", "content": "y"}),
            ("code_edit", {"path": "f", "edits": [{"old_text": "x", "new_text": "y"}]}),
            ("code_delete", {"path": "f"}),
            ("code_create_directory", {"path": "d"}),
            ("code_move", {"source": "f", "destination": "work/g"}),
            ("code_move", {"source": "work/f", "destination": "g"}),
            ("code_copy", {"source": "work/f", "destination": "g"}),
            ("code_apply_patch", {"patch": "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n\\ No newline\n+y\n"}),
        ):
            assert error(worker, tool, **arguments) == "read_only", (tool, arguments)
        worker.call("code_write", path=str(work / "f"), content="y", backup=False)
        worker.call("code_copy", source="f", destination=str(work / "g"))
    assert (root / "f").read_text() == "x" and (work / "f").read_text() == "y"


def test_read_only_root_in_a_writable_one(root):
    (root / "a/docs").mkdir(parents=True)
    (root / "a/docs/f").write_text("x")
    (root / "way").symlink_to("a/docs")
    (root / "file").symlink_to("a/docs/f")
    with start(root, {"path": str(root / "a/docs"), "access": "read"}) as worker:
        for tool, arguments, code in (
            ("code_write", {"path": "a/docs/f", "content": "y"}, "read_only"),
            ("code_write", {"path": "way/f", "content": "y"}, "read_only"),
            ("code_write", {"path": "way/n/f", "content": "y"}, "read_only"),
            ("code_write", {"path": "file", "content": "y"}, "read_only"),
            ("code_delete", {"path": "way/f"}, "read_only"),
            ("code_delete", {"path": "a", "recursive": True}, "protected"),
            ("code_move", {"source": "a", "destination": "b"}, "protected"),
            ("code_move", {"source": "a/docs", "destination": "b"}, "read_only"),
            ("code_copy", {"source": "a", "destination": "a/docs/b", "recursive": True}, "read_only"),
        ):
            assert error(worker, tool, **arguments) == code, (tool, arguments)
    assert (root / "a/docs/f").read_text() == "x" and os.listdir(root / "a/docs") == ["f"]


def test_links(worker, root):
    (root / "d").mkdir()
    (root / "d/f").write_text("x")
    (root / "l1").symlink_to("d/l2")
    (root / "d/l2").symlink_to("../d/f")
    data = worker.data("code_write", path="l1", content="y")
    assert (root / "l1").is_symlink() and (root / "d/l2").is_symlink()
    assert (root / "d/f").read_text() == "y" and data["backup"].startswith("d/f.")
    worker.call("code_edit", path="l1", edits=[{"old_text": "y", "new_text": "z"}])
    assert (root / "d/f").read_text() == "z" and (root / "l1").is_symlink()
    (root / "dangling").symlink_to("new/file")
    worker.call("code_write", path="dangling", content="x")
    assert (root / "new/file").read_text() == "x"
    for name, target, code in (
        ("out", "../outside/secret", "outside_roots"), ("new-out", "../outside/new", "outside_roots"),
        ("absolute", "/etc/passwd", "outside_roots"), ("loop", "loop", "outside_roots"),
        ("dir", "d", "is_a_directory"), ("dots", "d/..", "is_a_directory"), ("git", ".git/x", "protected"),
        ("self", "../root/d/f", "outside_roots"), ("magic", "/proc/self/root/etc/x", "outside_roots"),
    ):
        (root / name).symlink_to(target)
        assert error(worker, "code_write", path=name, content="x") == code, name
        assert error(worker, "code_edit", path=name, edits=[{"old_text": "s", "new_text": "x"}]) in (
            code, "not_found"), name
    (root / "dirout").symlink_to("../outside")
    for tool, arguments in (
        ("code_write", {"path": "dirout/new", "content": "x"}),
        ("code_delete", {"path": "dirout/secret"}),
        ("code_move", {"source": "dirout/secret", "destination": "s"}),
        ("code_move", {"source": "d/f", "destination": "dirout/s"}),
        ("code_copy", {"source": "dirout/secret", "destination": "s"}),
        ("code_create_directory", {"path": "dirout/s/t"}),
    ):
        assert error(worker, tool, **arguments) == "outside_roots", (tool, arguments)


def test_special_files(worker, root):
    os.mkfifo(root / "fifo")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(root / "socket"))
    names = ["fifo", "socket"]
    if IS_ROOT:
        os.mknod(root / "device", 0o600 | 0o020000, os.makedev(1, 3))
        names.append("device")
    for name in names:
        for tool, arguments in (
            ("code_write", {"content": "x"}),
            ("code_write", {"content": "x", "mode": "append"}),
            ("code_edit", {"edits": [{"old_text": "x", "new_text": "y"}]}),
        ):
            started = time.monotonic()
            assert error(worker, tool, path=name, **arguments) == "special_file"
            assert time.monotonic() - started < 10
        assert error(worker, "code_move", source=name, destination=f"{name}.moved") == "special_file"
        worker.call("code_delete", path=name)
    sock.close()


def test_paths_that_are_none(worker):
    for path in ("", "a\0b", "x/" * 2500, "n" * 256):
        for tool, arguments in (("code_write", {"path": path, "content": ""}), ("code_delete", {"path": path}),
                                ("code_move", {"source": path, "destination": "x"})):
            assert error(worker, tool, **arguments) == "invalid_argument", path[:10]


# Names of other servers

def test_aliases(worker, root):
    assert error(worker, "write_file", path="no/f", content="x") == "not_found"
    result = worker.result("write_file", path="f", content="one\n")
    assert result["structuredContent"] == {"content": "Created file: f\nSize: 4 bytes"}
    worker.call("write_file", path="f", content="one\ntwo\n")
    assert os.listdir(root) == ["f"]
    data = worker.data("edit_file", path="f", edits=[{"oldText": "one", "newText": "1"}], dryRun=True)
    assert "-one\n+1\n" in data["content"] and (root / "f").read_text() == "one\ntwo\n"
    worker.call("edit_file", path="f", edits=[{"oldText": "one", "newText": "1"}])
    assert error(worker, "edit_file", path="f", edits=[{"old_text": "1", "new_text": "2"}]) == "invalid_argument"
    worker.call("create_directory", path="d")
    worker.call("move_file", source="f", destination="d/f")
    worker.call("copy_file", source="d", destination="e")
    assert (root / "e/f").read_text() == "1\ntwo\n"
    worker.call("delete_file", path="d/f")
    assert os.listdir(root / "d") == []


# Cancelling

def test_cancelled_delete_says_how_far(root):
    for i in range(300):
        (root / f"d/{i}").mkdir(parents=True)
        for k in range(200):
            os.mknod(root / f"d/{i}/{k}")
    with start(root) as worker:
        worker.send({"jsonrpc": "2.0", "id": 900, "method": "tools/call",
                     "params": {"name": "code_delete", "arguments": {"path": "d", "recursive": True}}})
        time.sleep(0.2)
        worker.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 900}})
        started = time.monotonic()
        assert worker.request("ping")["result"] == {}
        assert time.monotonic() - started < 20
        worker.call("code_write", path="after", content="x")
        if (root / "d").exists():
            worker.call("code_delete", path="d", recursive=True)
    assert os.listdir(root) == ["after"]


# Races and kills

SLOWNESS = float(os.environ.get("MCP_FLEET_SLOWNESS", "1"))
ROUNDS = int(10000 / SLOWNESS)
# What a kill leaves is the same with sanitizers, and there are 1,000 without; here they look at the code on the way.
KILLS = 1000 if SLOWNESS == 1 else 100

SWAP = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
a, b = (os.fsencode(path) for path in sys.argv[1:3])
print("ready", flush=True)
while os.getppid() == int(sys.argv[3]):
    libc.renameat2(-100, a, -100, b, 2)
"""


class Swapper:
    """A process that exchanges a directory with a symlink, as fast as it can."""

    def __init__(self, a, b):
        self.process = subprocess.Popen([sys.executable, "-c", SWAP, a, b, str(os.getpid())],
                                        stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def fill(directory, word):
    (directory / "sub/deep").mkdir(parents=True, exist_ok=True)
    for name in ("f", "g", "sub/f", "sub/deep/f"):
        (directory / name).write_text(word)


def full_state(path):
    found = {}
    for entry in [path, *sorted(path.rglob("*"))]:
        st = entry.lstat()
        found[entry] = (st.st_ino, st.st_mode, st.st_size, st.st_mtime_ns, st.st_nlink,
                        entry.read_bytes() if entry.is_file() else None)
    return found


def race_step(rng, i):
    """A call that goes through `d`, which is a directory or a symlink that leads outside."""
    name = rng.choice(("d/f", "d/g", "d/sub/f", "d/sub/deep/f"))
    return rng.choice((
        ("code_read", {"path": name}),
        ("code_write", {"path": name, "content": "inside", "backup": bool(i & 1)}),
        ("code_write", {"path": name, "content": "inside", "mode": "append", "backup": False}),
        ("code_write", {"path": f"d/new/{i}", "content": "inside"}),
        ("code_edit", {"path": name, "edits": [{"old_text": "i", "new_text": "j", "replace_all": True}]}),
        ("code_edit", {"path": name, "edits": [{"old_text": "secret", "new_text": "read"}], "dry_run": True}),
        ("code_delete", {"path": name}),
        ("code_delete", {"path": "d/sub", "recursive": True}),
        ("code_delete", {"path": "d/new", "recursive": True}),
        ("code_move", {"source": name, "destination": f"m/{i}"}),
        ("code_move", {"source": "m/seed", "destination": name, "overwrite": True}),
        ("code_move", {"source": "d/sub", "destination": f"m/{i}"}),
        ("code_copy", {"source": name, "destination": f"m/{i}"}),
        ("code_copy", {"source": "d", "destination": f"m/{i}", "recursive": True}),
        ("code_copy", {"source": "m/seed", "destination": name, "overwrite": True}),
        ("code_create_directory", {"path": f"d/made/{i}/x"}),
        ("code_apply_patch", {"patch": "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-secret\n\\ No newline\n+x\n", "path": "d"}),
        ("code_delete", {"path": "t", "recursive": True}),
    ))


def rebuild(root):
    """What earlier rounds deleted is put back, wherever the directory is just now."""
    (root / "m").mkdir(exist_ok=True)
    (root / "m/seed").write_text("inside")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            fd = os.open(root / "d", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        fill(pathlib.Path(f"/proc/self/fd/{fd}"), "inside")
        os.close(fd)
        return
    raise AssertionError("the directory never came back")


def test_races_lead_nowhere(root):
    """While a directory and a symlink to the outside change places, nothing outside is read, created,
    changed or deleted: everything that goes through is refused or reaches the directory."""
    rng = random.Random(7)
    outside = root.parent / "outside"
    fill(outside, "secret")
    fill(root / "d", "inside")
    (root / "l").symlink_to("../outside")
    before = full_state(outside)
    codes = {}
    with Swapper(root / "d", root / "l"), start(root) as worker:
        for i in range(ROUNDS):
            if i % 50 == 0:
                rebuild(root)
                if not (root / "t").exists():
                    (root / "t/x").mkdir(parents=True)
                    (root / "t/way").symlink_to("../d")
            tool, arguments = race_step(rng, i)
            result = worker.result(tool, **arguments)
            text = result["content"][0]["text"]
            code = text.split(":", 1)[0] if result.get("isError") else "ok"
            codes[code] = codes.get(code, 0) + 1
            assert "secret" not in text or code == "no_match", (tool, arguments, text)
            assert code not in ("internal", "timeout"), (tool, arguments, text)
            if i % 500 == 0:
                assert full_state(outside) == before, (i, tool, arguments)
    assert full_state(outside) == before
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert b"secret" not in path.read_bytes(), path
    # Both ways were taken, often.
    assert codes["ok"] > ROUNDS / 50 and codes["outside_roots"] > ROUNDS / 50, codes


def test_races_of_deleting(root):
    """A directory that changes places with a symlink while what is around it is deleted."""
    outside = root.parent / "outside"
    fill(outside, "secret")
    before = full_state(outside)
    codes = set()
    with Swapper(root / "t/2", root / "t/l"), start(root) as worker:
        for _ in range(int(1000 / SLOWNESS)):
            for k in range(5):
                (root / f"t/{k}").mkdir(parents=True)
                (root / f"t/{k}/f").write_text("inside")
            fill((root / "t/2"), "inside")
            (root / "t/l").symlink_to("../../outside")
            while (root / "t").exists():
                codes.add(worker.error_code("code_delete", path="t", recursive=True))
    assert full_state(outside) == before
    assert None in codes and codes <= {None, "not_empty", "busy", "not_found"}, codes


def kill_in_call(root, rng, longest, tool, arguments):
    """Starts a worker, calls, kills it at a random moment; True: it had answered."""
    worker = start(root)
    worker.send({"jsonrpc": "2.0", "id": 99, "method": "tools/call",
                 "params": {"name": tool, "arguments": arguments}})
    deadline = time.perf_counter() + rng.uniform(0, longest)
    while time.perf_counter() < deadline:
        pass
    worker.process.kill()
    answered = b'"id":99' in worker.process.stdout.read()
    worker.process.wait()
    worker.process.stdin.close()
    worker.process.stdout.close()
    return answered


def time_of_call(root, tool, arguments):
    with start(root) as worker:
        started = time.perf_counter()
        worker.call(tool, **arguments)
        return time.perf_counter() - started


def has_nameless_files(directory):
    """O_TMPFILE: else a file has its temporary name while it is being written."""
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600))
    except OSError:
        return False
    return True


@pytest.mark.timeout(600)
def test_killed_at_any_moment(root):
    """Kills in the middle of writing, editing and moving: under its name each file is wholly the
    old one or wholly the new one. What is left over has a name that tells what it is, and is rare."""
    rng = random.Random(11)
    old, new = "old line\n" * 30000, "new line\n" * 30000
    wholes = {old, new}
    (root / "f").write_text(old)
    (root / "g").write_text(old)
    write = ("code_write", {"path": "f", "content": new, "backup": False})
    edit = ("code_edit", {"path": "f", "edits": [{"old_text": "old", "new_text": "new", "replace_all": True}]})
    move = ("code_move", {"source": "f", "destination": "g", "overwrite": True})
    longest = {}
    for tool, arguments in (write, edit, move):
        (root / "f").write_text(old)
        longest[tool] = 1.5 * time_of_call(root, tool, arguments)
    seen = {"old": 0, "new": 0, "answered": 0}
    for i in range(KILLS):
        tool, arguments = (write, edit, move)[i % 3]
        (root / "f").write_text(old)
        (root / "g").write_text(new)
        answered = kill_in_call(root, rng, longest[tool], tool, arguments)
        seen["answered"] += answered
        if tool == "code_move":
            moved = not (root / "f").exists()
            assert (root / "g").read_text() == (old if moved else new)
            assert moved or (root / "f").read_text() == old
            seen["new" if moved else "old"] += 1
            assert moved or not answered
        else:
            content = (root / "f").read_text()
            assert content in wholes, (tool, len(content))
            assert content == new or not answered
            seen["new" if content == new else "old"] += 1
    left = [p for p in root.iterdir() if p.name not in ("f", "g")]
    print(f"kills: {KILLS}, {seen}, left over: {len(left)}")
    assert all(TEMPORARY.match(p.name) for p in left), left
    if has_nameless_files(root):
        assert all(p.read_text() in wholes for p in left)
        assert len(left) <= max(2, KILLS // 50)
    assert seen["old"] > KILLS / 20 and seen["new"] > KILLS / 20, seen
