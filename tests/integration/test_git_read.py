"""The git tools that read, compared with what the git program says of the same repository."""

import base64
import json
import os
import subprocess
import time

import pytest

from test_git_write import ENV, Repo, Tools
from test_git_write import repo, roots, start, tools  # noqa: F401 (fixtures)


def raw(repo, *args):
    """git's output as bytes."""
    return subprocess.run(["git", *args], cwd=repo.path, env=ENV, capture_output=True,
                          timeout=60, check=True).stdout


def plumb(repo, text, *args):
    return subprocess.run(["git", *args], cwd=repo.path, env=ENV, input=text, capture_output=True,
                          timeout=60, check=True).stdout.decode().strip()


def numbered(first, last):
    return "".join(f"line {i}\n" for i in range(first, last + 1))


@pytest.fixture
def history(repo):
    """Renames, a merge, binary and empty files, a link, a mode, deletions."""
    repo.commit("src/long.txt", numbered(1, 60), "second\n\nWith a body,\n\n\tand a tab.")
    repo.git("tag", "v1.0")
    repo.git("checkout", "-qb", "side")
    repo.commit("src/long.txt", numbered(1, 60).replace("line 50\n", "side 50\n"), "on the side")
    repo.git("checkout", "-q", "main")
    repo.commit("src/long.txt", numbered(1, 60).replace("line 5\n", "main 5\n"), "on main")
    repo.git("merge", "-q", "--no-ff", "-m", "join", "side")
    repo.git("mv", "src/long.txt", "src/longer.txt")
    repo.commit("src/longer.txt", repo.read("src/longer.txt") + "one more\n", "rename")
    (repo.path / "image").write_bytes(b"\0\1\2" * 100)
    (repo.path / "empty").write_bytes(b"")
    (repo.path / "link").symlink_to("/etc/passwd")
    (repo.path / "no end").write_text("no line end")
    repo.git("add", ".")
    repo.git("commit", "-qm", "kinds of files")
    (repo.path / "image").write_bytes(b"\0\1\2" * 110)
    (repo.path / "a").chmod(0o755)
    (repo.path / "no end").write_text("no line end\nnow")
    repo.git("rm", "-q", "empty")
    repo.git("commit", "-qam", "changes of them")
    repo.git("tag", "-am", "the second", "v1.10")
    repo.git("tag", "-am", "between", "v1.9", "HEAD~1")
    return repo


# Patches

def test_show_as_git(tools, history):
    for commit in history.git("rev-list", "--no-merges", "HEAD").splitlines():
        shown = tools.ok("git_show", revision=commit)
        assert tools.text.rstrip("\n") == history.git("show", commit)
        assert shown["type"] == "commit" and shown["hash"] == commit
        tools.ok("git_show", revision=commit, stat=True)
        assert tools.text.rstrip("\n") == history.git("show", "--stat=80", commit)


def test_show_merge(tools, history):
    merge = history.git("rev-list", "--merges", "HEAD")
    shown = tools.ok("git_show", revision=merge)
    assert tools.text.rstrip("\n") == history.git("show", "-m", "--first-parent", merge)
    assert len(shown["commit"]["parents"]) == 2
    assert [f["path"] for f in shown["commit"]["files"]] == ["src/long.txt"]


def test_diff_as_git(tools, history):
    (history.path / "a").write_text("two\n")
    history.write("src/longer.txt", history.read("src/longer.txt").replace("line 20", "LINE 20"))
    history.git("add", "a")
    history.write("new", "untracked\n")
    for ours, theirs in (
        ({}, []),
        ({"cached": True}, ["--cached"]),
        ({"target": "HEAD~2"}, ["HEAD~2"]),
        ({"target": "HEAD~2", "cached": True}, ["--cached", "HEAD~2"]),
        ({"target": "v1.0..HEAD"}, ["v1.0..HEAD"]),
        ({"target": "side...main~1"}, ["side...main~1"]),
        ({"target": "v1.0..", "context_lines": 0}, ["-U0", "v1.0.."]),
        ({"target": "v1.0..HEAD", "detect_renames": False}, ["--no-renames", "v1.0..HEAD"]),
        ({"target": "v1.0..HEAD", "file_path": "src"}, ["v1.0..HEAD", "--", "src"]),
        ({"target": "v1.0..HEAD", "stat": True}, ["--stat=80", "v1.0..HEAD"]),
        ({"target": "v1.0..HEAD", "name_only": True}, ["--name-only", "v1.0..HEAD"]),
    ):
        out = tools.ok("git_diff", **ours)
        assert tools.text.rstrip("\n") == history.git("diff", *theirs), ours
        assert not out["truncated"]
        counts = [line.split("\t") for line in history.git(
            "diff", "--numstat", *[a for a in theirs if not a.startswith(("--stat", "--name", "-U"))],
        ).splitlines()]
        assert out["additions"] == sum(int(c[0]) for c in counts if c[0] != "-")
        assert out["deletions"] == sum(int(c[1]) for c in counts if c[1] != "-")
        assert [f["binary"] for f in out["files"]] == [c[0] == "-" for c in counts]


def test_file_that_became_a_link(tools, repo):
    repo.write("b", "text\n")
    repo.git("add", "b")
    repo.git("commit", "-qm", "a file")
    (repo.path / "b").unlink()
    (repo.path / "b").symlink_to("a")
    assert tools.ok("git_get_status")["unstaged"] == [{"path": "b", "status": "typechange"}]
    out = tools.ok("git_diff")
    assert tools.text.rstrip("\n") == repo.git("diff")
    assert out["files"] == [{"path": "b", "status": "typechange", "additions": 1, "deletions": 1,
                             "binary": False}]
    tools.ok("git_diff", stat=True)
    assert tools.text.rstrip("\n") == repo.git("diff", "--stat=80")
    tools.ok("git_diff", name_only=True)
    assert tools.text == "b\n"


def test_diff_of_nothing(tools):
    assert tools.ok("git_diff")["files"] == []
    assert tools.text == "No changes."


def test_diff_white_space(tools, repo):
    repo.write("a", "one  \n")
    assert tools.ok("git_diff")["additions"] == 1
    assert tools.ok("git_diff", ignore_whitespace=True)["additions"] == 0


def test_diff_is_cut_at_a_line(tools, repo):
    repo.write("a", "".join(f"{i:050}\n" for i in range(100)))
    repo.write("b", "unrelated\n")
    repo.git("add", "b")
    out = tools.ok("git_diff", max_bytes=1024)
    assert out["truncated"] and len(out["diff"]) <= 1024 and out["diff"].endswith("\n")
    assert out["additions"] == 100 and out["deletions"] == 1
    assert "max_bytes" in tools.text.splitlines()[-1]
    whole = tools.ok("git_diff", max_bytes=100000)
    assert whole["diff"].startswith(out["diff"]) and not whole["truncated"]


def test_diff_refuses(tools, history):
    tools.fails("bad_revision", "git_diff", target="nothing")
    tools.fails("bad_revision", "git_diff", target="main..nothing")
    tools.fails("invalid_argument", "git_diff", target="v1.0..main", cached=True)
    tools.fails("invalid_argument", "git_diff", file_path="a", paths=["a"])
    tools.fails("outside_roots", "git_diff", file_path="../x")
    tools.fails("bad_revision", "git_diff", target="--output=/tmp/x")


def test_paths_are_literal(tools, repo):
    repo.write("*", "star\n")
    repo.write("b", "b\n")
    repo.git("add", ".")
    out = tools.ok("git_diff", cached=True, paths=["*"])
    assert [f["path"] for f in out["files"]] == ["*"]
    assert tools.ok("git_diff", cached=True, paths=[":(top)b"])["files"] == []


# Objects

def test_show_blob_tree_tag(tools, history):
    blob = tools.ok("git_show", revision="HEAD:src/longer.txt")
    assert tools.text == blob["content"] == history.read("src/longer.txt")
    assert blob["encoding"] == "utf-8" and blob["type"] == "blob"
    image = tools.ok("git_show", revision="HEAD:image")
    assert base64.b64decode(image["content"]) == b"\0\1\2" * 110
    assert image["encoding"] == "base64" and tools.text == "Binary blob, 330 bytes"
    assert tools.ok("git_show", revision="HEAD:link")["content"] == "/etc/passwd"
    tree = tools.ok("git_show", revision="HEAD^{tree}")
    assert tree["entries"] == ["a", "image", "link", "no end", "src/"]
    assert tools.text.splitlines() == tree["entries"]
    tag = tools.ok("git_show", revision="v1.10")
    assert tag["type"] == "tag" and tools.text.rstrip("\n") == history.git("show", "v1.10")
    tools.fails("bad_revision", "git_show", revision="HEAD:absent")
    tools.fails("bad_revision", "git_show", revision="HEAD:../outside")


# History

def hashes(out):
    return [c["hash"] for c in out["commits"]]


def test_log_as_git(tools, history):
    for ours, theirs in (
        ({}, ["-10"]),
        ({"revision": "v1.0..HEAD"}, ["v1.0..HEAD"]),
        ({"revision": "side...main"}, ["side...main"]),
        ({"file_path": "src/long.txt"}, ["--", "src/long.txt"]),
        ({"file_path": "src"}, ["--", "src"]),
        ({"file_path": "absent"}, ["--", "absent"]),
        ({"first_parent": True}, ["--first-parent"]),
        ({"revision": "v1.0..HEAD", "file_path": "src/long.txt"}, ["v1.0..HEAD", "--", "src/long.txt"]),
        ({"grep": "THE SIDE"}, ["-i", "--grep=THE SIDE"]),
        ({"author": "AUTHOR@EXAMPLE"}, ["-i", "--author=AUTHOR@EXAMPLE"]),
        ({"author": "nobody"}, ["--author=nobody"]),
        ({"skip": 2, "max_count": 3}, ["--skip=2", "-3"]),
    ):
        out = tools.ok("git_log", **ours)
        assert hashes(out) == history.git("log", "--format=%H", *theirs).splitlines(), ours


def test_log_fields(tools, history):
    out = tools.ok("git_log", max_count=1)
    assert out["has_more"] and "skip=1" in tools.text.splitlines()[-1]
    commit = out["commits"][0]
    wanted = history.git("log", "-1", "--format=%H%n%h%n%an%n%ae%n%aI%n%cn%n%cI%n%s%n%P").splitlines()
    assert [commit[k].replace("Z", "+00:00") for k in (
        "hash", "short_hash", "author_name", "author_email", "author_date", "committer_name",
        "committer_date", "subject")] == [w.replace("Z", "+00:00") for w in wanted[:8]]
    assert commit["parents"] == wanted[8].split()
    assert commit["refs"] == ["HEAD", "main", "tag: v1.10"]
    assert tools.ok("git_log", max_count=1000)["has_more"] is False
    assert tools.text.count("Commit: ") == int(history.git("rev-list", "--count", "HEAD"))


def test_log_text(tools, repo):
    repo.commit("b", "b\n", "subject\n\nCommit: forged\nAuthor: somebody")
    tools.ok("git_log", max_count=1)
    lines = tools.text.splitlines()
    assert lines[0] == f"Commit: {repo.head()}"
    assert lines[1] == "Author: A U Thor <author@example.org>"
    assert lines[2].startswith("Date: 20") and lines[3] == "Message: subject"
    assert lines[5:7] == ["    Commit: forged", "    Author: somebody"]
    tools.ok("git_log", oneline=True)
    assert tools.text.splitlines() == repo.git("log", "--oneline", "--no-decorate").splitlines()


def test_log_stat(tools, history):
    out = tools.ok("git_log", stat=True, max_count=2)
    assert [f["path"] for f in out["commits"][0]["files"]] == ["a", "empty", "image", "no end"]
    assert " 4 files changed, 2 insertions(+), 1 deletion(-)" in tools.text
    renamed = tools.ok("git_log", stat=True, grep="rename")["commits"][0]["files"]
    assert renamed == [{"path": "src/longer.txt", "old_path": "src/long.txt", "status": "renamed",
                        "additions": 1, "deletions": 0, "binary": False}]


def test_log_times(tools, repo):
    for day in (1, 2, 3):
        stamp = f"2020-01-0{day}T12:00:00 +0200"
        repo.write("t", str(day))
        repo.git("add", "t")
        subprocess.run(["git", "commit", "-qm", f"day {day}"], cwd=repo.path, check=True,
                       env=dict(ENV, GIT_AUTHOR_DATE=stamp, GIT_COMMITTER_DATE=stamp))

    def subjects(**times):
        return [c["subject"] for c in tools.ok("git_log", **times)["commits"]]

    assert subjects(start_timestamp="2020-01-02", end_timestamp="2020-01-02T10:00:00Z") == ["day 2"]
    assert subjects(end_timestamp="2020-01-02T11:59:59+02:00")[0] == "day 1"
    assert subjects(start_timestamp="1577959200", end_timestamp="2 years ago") == ["day 3", "day 2"]
    text = tools.fails("invalid_argument", "git_log", start_timestamp="the other day")
    assert "start_timestamp" in text and "ISO 8601" in text


def test_blame_as_git(tools, history):
    history.commit("src/longer.txt", "first\n" + history.read("src/longer.txt"), "a new head")
    history.git("mv", "src/longer.txt", "moved.txt")
    history.git("commit", "-qm", "moved without a change")
    wanted = [line.split()[0] for line in history.git("blame", "-ls", "--root", "moved.txt").splitlines()]
    out = tools.ok("git_blame", file_path="moved.txt")
    assert [line["hash"] for line in out["lines"]] == wanted
    assert [line["content"] for line in out["lines"]] == history.read("moved.txt").splitlines()
    assert len(set(wanted)) == 5
    part = tools.ok("git_blame", file_path="moved.txt", start_line=50, end_line=52)
    assert part["lines"] == out["lines"][49:52]
    assert tools.text.splitlines()[0].endswith(" 50) line 49")
    tools.fails("invalid_argument", "git_blame", file_path="moved.txt", start_line=5, end_line=4)
    tools.fails("not_found", "git_blame", file_path="absent")
    tools.fails("binary_file", "git_blame", file_path="image")
    tools.fails("is_a_directory", "git_blame", file_path="src", revision="v1.0")


def test_blame_is_cut(tools, repo):
    repo.commit("many", numbered(1, 2500))
    out = tools.ok("git_blame", file_path="many")
    assert out["truncated"] and len(out["lines"]) == 2000
    assert "start_line=2001" in tools.text.splitlines()[-1]
    rest = tools.ok("git_blame", file_path="many", start_line=2001)
    assert not rest["truncated"] and len(rest["lines"]) == 500


# Lists

def test_branches(tools, history):
    for kind, option in (("local", []), ("remote", ["-r"]), ("all", ["-a"])):
        tools.ok("git_branch", branch_type=kind)
        assert tools.text.rstrip("\n") == (history.git("branch", *option) or "No branches.")
    history.git("clone", "-q", ".", "../clone")
    clone = Repo(history.path.parent / "clone")
    clone.git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "--allow-empty", "-m", "on")
    for kind, option in (("local", []), ("remote", ["-r"]), ("all", ["-a"])):
        out = tools.ok("git_branch", branch_type=kind, repo_path="clone")
        assert tools.text.rstrip("\n") == clone.git("branch", *option)
    main = [b for b in out["branches"] if b["name"] == "main"][0]
    assert main["current"] and main["upstream"] == "origin/main"
    assert (main["ahead"], main["behind"]) == (1, 0)
    out = tools.ok("git_branch", contains="side")
    assert [b["name"] for b in out["branches"]] == ["main", "side"]
    out = tools.ok("git_branch", not_contains="main")
    assert [b["name"] for b in out["branches"]] == ["side"]
    tools.fails("bad_revision", "git_branch", contains="nothing")


def test_tags(tools, history):
    out = tools.ok("git_tag_list")
    assert [t["name"] for t in out["tags"]] == ["v1.0", "v1.9", "v1.10"]
    assert out["tags"][2]["annotated"] and out["tags"][2]["message"] == "the second\n"
    assert not out["tags"][0]["annotated"] and "tagger" not in out["tags"][0]
    assert out["tags"][2]["target"] == history.head("v1.10^{}")
    assert out["tags"][2]["hash"] == history.head("v1.10")
    out = tools.ok("git_tag_list", pattern="v1.?")
    assert [t["name"] for t in out["tags"]] == ["v1.0", "v1.9"]
    out = tools.ok("git_tag_list", max_count=1)
    assert out["truncated"] and [t["name"] for t in out["tags"]] == ["v1.10"]
    assert "max_count" in tools.text.splitlines()[-1]


def test_stashes_remotes_reflog(tools, history):
    assert tools.ok("git_stash_list")["stashes"] == [] and tools.text == "No stashes."
    history.write("a", "changed\n")
    history.git("stash", "-q", "-m", "aside")
    assert tools.ok("git_stash_list")["stashes"] == [
        {"index": 0, "message": "On main: aside", "hash": history.head("stash")}]
    assert tools.text == "stash@{0}: On main: aside\n"
    history.git("remote", "add", "origin", "https://user:pass@example.org/x.git?key=1")
    history.git("config", "remote.origin.pushurl", "ssh://git@example.org/x.git")
    assert tools.ok("git_remote_list")["remotes"] == [
        {"name": "origin", "fetch_url": "https://***@example.org/x.git?***",
         "push_url": "ssh://***@example.org/x.git"}]
    assert "pass" not in tools.text
    tools.ok("git_reflog", max_count=3)
    shown = [line for line in tools.text.splitlines() if not line.startswith("…")]
    assert shown == history.git("reflog", "-3", "--no-decorate").splitlines()
    assert len(tools.ok("git_reflog", ref="side")["entries"]) == 2
    tools.fails("bad_revision", "git_reflog", ref="nothing")


def test_worktrees(tools, history, roots):
    history.git("worktree", "add", "-q", "../linked", "side")
    history.git("worktree", "add", "-q", "--detach", str(roots[1] / "away"))
    history.git("worktree", "lock", str(roots[1] / "away"))
    out = tools.ok("git_worktree_list")["worktrees"]
    main, away, linked = out[0], *sorted(out[1:], key=lambda tree: tree["path"])
    assert main == {"path": str(history.path), "head": history.head(), "branch": "main",
                    "detached": False, "locked": False, "prunable": False, "main": True}
    assert away["path"] == "(outside the allowed directories)"
    assert away["detached"] and away["locked"] and "branch" not in away
    assert linked["path"] == str(roots[0] / "linked") and linked["branch"] == "side"
    # The same from the other side, asked relatively.
    out = tools.ok("git_worktree_list", repo_path="linked")["worktrees"]
    assert out[0]["path"] == "repo" and out[0]["main"] and out[0]["branch"] == "main"
    assert tools.ok("git_get_status", repo_path="linked")["branch"] == "side"


def test_grep(tools, history):
    def lines(**args):
        return [f"HEAD:{m['path']}:{m['line']}:{m['content']}"
                for m in tools.ok("git_grep", **args)["matches"]]

    assert lines(pattern="line 1") == history.git("grep", "-nI", "line 1", "HEAD").splitlines()
    assert lines(pattern="LINE 1", case_sensitive=False) == lines(pattern="line 1")
    assert lines(pattern="LINE 1") == []
    assert lines(pattern="^(main|side) [0-9]+$", regex=True) == [
        "HEAD:src/longer.txt:5:main 5", "HEAD:src/longer.txt:50:side 50"]
    assert lines(pattern="line", paths=["src"]) == lines(pattern="line", paths=["src/longer.txt"])
    assert lines(pattern="one", paths=["sr"]) == []
    out = tools.ok("git_grep", pattern="line", max_results=2)
    assert out["truncated"] and len(out["matches"]) == 2
    tools.fails("bad_regex", "git_grep", pattern="(", regex=True)
    tools.fails("bad_revision", "git_grep", pattern="x", revision="nothing")


def test_list_repos(tools, history, roots):
    for name in ("two", "deep/er/three", "deep/bare.git"):
        (roots[0] / name).mkdir(parents=True)
        extra = ["--bare"] if name.endswith(".git") else []
        subprocess.run(["git", "init", "-q", "-b", "trunk", *extra], cwd=roots[0] / name,
                       env=ENV, check=True)
    (roots[0] / "way_out").symlink_to(roots[1])
    Repo(roots[1]).git("init", "-q")
    out = tools.ok("git_list_repos")["repositories"]
    assert sorted((os.path.relpath(r["path"], roots[0]), r["bare"], r["branch"], r["default"])
                  for r in out) == [("deep/bare.git", True, "trunk", False),
                                    ("deep/er/three", False, "trunk", False),
                                    ("repo", False, "main", True), ("two", False, "trunk", False)]
    assert [r["path"] for r in tools.ok("git_list_repos", path="deep", max_depth=1)["repositories"]] == [
        "deep/bare.git"]
    tools.fails("outside_roots", "git_list_repos", path=str(roots[1]))
    tools.fails("outside_roots", "git_list_repos", path="way_out")


def test_safety_rules(start):
    tools = start(protected_branches=["trunk"], feature_prefix="f/", enforce_protected=True)
    out = tools.ok("git_get_safety_rules")
    assert out["protected_branches"] == ["trunk"] and out["feature_prefix"] == "f/"
    assert out["enforced"] and not out["force_push_allowed"]
    assert [f"{i}. {rule}" for i, rule in enumerate(out["rules"], 1)] == tools.text.splitlines()
    assert start(protected_branches=[]).ok("git_get_safety_rules")["protected_branches"] == []


# Status

def test_status(tools, history):
    history.write("a", "changed\n")
    history.write("new name\n.txt", "untracked\n")
    history.write("dir/deep", "untracked\n")
    history.write(".gitignore", "*.o\n")
    history.write("x.o", "ignored\n")
    history.write("staged", "s\n")
    history.git("add", "staged", ".gitignore")
    history.git("mv", "src/longer.txt", "elsewhere.txt")
    out = tools.ok("git_get_status", include_ignored=True)
    assert out["branch"] == "main" and out["head"] == history.head() and not out["detached"]
    assert out["staged"] == [
        {"path": ".gitignore", "status": "added"},
        {"path": "elsewhere.txt", "old_path": "src/longer.txt", "status": "renamed"},
        {"path": "staged", "status": "added"}]
    assert out["unstaged"] == [{"path": "a", "status": "modified"}]
    assert out["untracked"] == ["dir/", "new name\n.txt"] and out["ignored"] == ["x.o"]
    assert out["state"] == "none" and not out["clean"] and not out["truncated"]
    assert tools.text.splitlines()[:4] == [
        "Branch: main", "Staged Files: .gitignore, elsewhere.txt, staged", "Modified Files: a",
        'Untracked Files: dir/, "new name\\n.txt"']
    assert tools.ok("git_get_status", include_untracked=False)["untracked"] == []
    cut = tools.ok("git_get_status", max_entries=2)
    assert cut["truncated"] and "max_entries" in tools.text
    assert len(cut["staged"]) + len(cut["unstaged"]) + len(cut["untracked"]) == 2


def test_status_of_states(tools, history):
    history.git("checkout", "-qb", "other", "v1.0")
    history.commit("src/long.txt", numbered(1, 60).replace("line 5\n", "other 5\n"), "conflicting")
    history.git("merge", "main", check=False)
    out = tools.ok("git_get_status")
    assert out["state"] == "merge" and out["conflicted"] == ["src/longer.txt"]
    assert "Conflicted Files: src/longer.txt" in tools.text
    history.git("merge", "--abort")
    history.git("checkout", "-q", "--detach")
    out = tools.ok("git_get_status")
    assert out["detached"] and "branch" not in out and out["clean"]
    assert tools.ok("git_branch").get("current") is None


def test_empty_repository(tools, roots):
    (roots[0] / "fresh").mkdir()
    fresh = Repo(roots[0] / "fresh")
    fresh.git("init", "-q", "-b", "topic")
    out = tools.ok("git_get_status", repo_path="fresh")
    assert out["branch"] == "topic" and "head" not in out and out["clean"]
    assert tools.ok("git_log", repo_path="fresh")["commits"] == []
    assert tools.text == "No commits yet."
    fresh.write("first", "1\n")
    fresh.git("add", "first")
    assert tools.ok("git_get_status", repo_path="fresh")["staged"] == [
        {"path": "first", "status": "added"}]
    tools.ok("git_diff", cached=True, repo_path="fresh")
    assert tools.text.rstrip("\n") == fresh.git("diff", "--cached")
    assert tools.ok("git_branch", repo_path="fresh") == {"current": "topic", "branches": []}
    assert tools.ok("git_reflog", repo_path="fresh")["entries"] == []
    tools.fails("bad_revision", "git_show", revision="HEAD", repo_path="fresh")


def test_bare_repository(tools, history, roots):
    history.git("clone", "-q", "--bare", ".", "../bare.git")
    assert tools.ok("git_log", repo_path="bare.git", max_count=1)["commits"][0]["hash"] == history.head()
    assert tools.ok("git_show", repo_path="bare.git", revision="v1.0")["type"] == "commit"
    assert tools.ok("git_worktree_list", repo_path="bare.git")["worktrees"][0]["path"] == "bare.git"
    tools.fails("repo_refused", "git_get_status", repo_path="bare.git")
    tools.fails("repo_refused", "git_diff", repo_path="bare.git")


def test_bytes_that_are_not_utf8(tools, repo):
    blob = plumb(repo, b"caf\xe9\n", "hash-object", "-w", "--stdin")
    listing = f"100644 blob {blob}\t".encode() + b"na\xefve.txt\0"
    tree = plumb(repo, listing, "mktree", "-z")
    commit = (f"tree {tree}\nparent {repo.head()}\n".encode() +
              b"author J\xf6rg <j\xf6rg@example.org> 1500000000 +0200\n"
              b"committer J\xf6rg <j@example.org> 1500000000 +0200\n"
              b"encoding ISO-8859-1\n\nGr\xfc\xdfe\n")
    made = plumb(repo, commit, "hash-object", "-t", "commit", "-w", "--stdin")
    listed = tools.ok("git_log", revision=made, max_count=1)["commits"][0]
    assert listed["author_name"] == "Jörg" and listed["subject"] == "Grüße"
    assert "Jörg <jörg@example.org>" in tools.text
    shown = tools.ok("git_show", revision=made)
    assert "+caf\ufffd" in shown["content"]
    assert shown["commit"]["files"][-1]["path"] == "na\ufffdve.txt"
    assert tools.ok("git_show", revision=made + "^{tree}")["entries"] == ["na\ufffdve.txt"]
    assert tools.ok("git_grep", revision=made, pattern="caf")["matches"][0]["content"] == "caf\ufffd"


# Safety

def snapshot(path):
    """Every file below .git with all that a write would change."""
    found = {}
    for directory, _, names in os.walk(path / ".git"):
        for name in [".", *names]:
            st = os.lstat(os.path.join(directory, name))
            found[os.path.join(directory, name)] = (st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino)
    return found


def test_reading_writes_nothing(tools, history):
    history.write("untracked", "u\n")
    time.sleep(0.01)
    os.utime(history.path / "a")  # what git status would refresh in the index
    before = snapshot(history.path)
    for tool, args in (
        ("git_get_status", {}), ("git_diff", {}), ("git_diff", {"target": "HEAD~1"}),
        ("git_diff", {"cached": True}), ("git_log", {"stat": True}), ("git_show", {"revision": "HEAD"}),
        ("git_blame", {"file_path": "a"}), ("git_branch", {"branch_type": "all"}),
        ("git_tag_list", {}), ("git_stash_list", {}), ("git_remote_list", {}),
        ("git_worktree_list", {}), ("git_reflog", {}), ("git_grep", {"pattern": "x"}),
        ("git_list_repos", {}), ("git_get_safety_rules", {}),
    ):
        tools.ok(tool, **args)
    assert snapshot(history.path) == before


def test_no_program_is_run(tools, history):
    """Whatever a repository's configuration names as a command stays unused."""
    trap = history.path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {history.path}/sprung\ncat\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "diff.external", "diff.x.command", "diff.x.textconv",
                "filter.x.clean", "filter.x.smudge", "filter.x.process", "core.pager",
                "core.sshCommand", "credential.helper", "core.editor", "gpg.program"):
        history.git("config", key, str(trap))
    history.write(".gitattributes", "* diff=x filter=x\n")
    history.write("a", "changed\n")
    for tool, args in (("git_get_status", {}), ("git_diff", {}), ("git_diff", {"target": "HEAD"}),
                       ("git_log", {"stat": True}), ("git_show", {"revision": "HEAD"}),
                       ("git_blame", {"file_path": "a"}), ("git_grep", {"pattern": "one"})):
        tools.ok(tool, **args)
    assert not (history.path / "sprung").exists()


def test_environment_and_users_configuration_are_not_read(roots, repo, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Home\n[include]\n\tpath = /etc/passwd\n")
    tools = Tools.__new__(Tools)
    from stdio_worker import StdioWorker
    from test_git_write import PROGRAM
    tools.worker = StdioWorker(PROGRAM, [roots[0]], {"default_repository": str(repo.path)}, env={
        "HOME": str(home), "GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/nowhere",
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"), "XDG_CONFIG_HOME": str(home)})
    assert tools.ok("git_get_status")["branch"] == "main"
    assert tools.worker.close() == 0


def test_hidden_words_of_other_files(tools, repo, roots):
    secret = roots[1] / "secret"
    secret.write_text("[core]\n\tpassphrase the-secret-words\n")
    config = repo.path / ".git" / "config"
    kept = config.read_text()
    config.write_text(kept + f"[include]\n\tpath = {secret}\n")
    text = tools.fails("repo_refused", "git_get_status")
    assert "secret" not in text
    config.write_text(kept + "[core]\n\tpassphrase the-secret-words\n")
    text = tools.fails("repo_refused", "git_get_status")
    assert "secret" not in text
    config.write_text(kept)


def test_submodules_are_not_opened(tools, repo, roots):
    """A nested repository is not what was asked for: its configuration is never read."""
    nested = Repo(repo.path / "sub")
    nested.path.mkdir()
    nested.git("init", "-q")
    nested.git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "--allow-empty", "-m", "x")
    repo.git("-c", "advice.addEmbeddedRepo=false", "add", "sub")
    repo.git("commit", "-qm", "with a submodule")
    (nested.path / ".git" / "config").write_text("[include]\n\tpath = /etc/passwd\n[broken")
    assert tools.ok("git_get_status")["clean"]
    assert tools.ok("git_diff")["files"] == []


def test_symlinked_directory_is_not_entered(tools, repo, roots):
    repo.commit("dir/f", "inside\n")
    (roots[1] / "f").write_text("outside words\n")
    (repo.path / "dir" / "f").unlink()
    (repo.path / "dir").rmdir()
    (repo.path / "dir").symlink_to(roots[1])
    out = tools.ok("git_diff")
    assert "outside words" not in json.dumps(out)
    assert [f["status"] for f in out["files"]] == ["deleted"]


def make_long_history(repo, count):
    """`count` empty commits on the branch `long`."""
    lines = []
    for i in range(count):
        lines.append(f"commit refs/heads/long\ncommitter L <l@example.org> {1500000000 + i} +0000\n"
                     f"data 4\nmore\n")
    subprocess.run(["git", "fast-import", "--quiet"], cwd=repo.path, env=ENV, check=True,
                   input="\n".join(lines).encode(), timeout=60)


def test_cancel(tools, repo):
    """A cancelled call sends nothing more, and the worker serves on at once."""
    make_long_history(repo, 100000)
    worker = tools.worker
    slow = {"revision": "long", "grep": "nothing has this"}
    began = time.monotonic()
    assert tools.ok("git_log", **slow)["commits"] == []
    whole = time.monotonic() - began
    worker.send({"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": {
        "name": "git_log", "arguments": slow}})
    time.sleep(0.05)
    began = time.monotonic()
    worker.notify("notifications/cancelled", {"requestId": "slow"})
    assert tools.ok("git_get_status")["branch"] == "main"
    assert time.monotonic() - began < max(whole / 2, 0.3)
    assert [m for m in worker.notifications if m.get("id") == "slow"] == []


def test_aliases(tools, repo):
    repo.write("a", "changed\n")
    assert tools.ok("git_status")["unstaged"] == [{"path": "a", "status": "modified"}]
    assert len(tools.ok("git_diff_unstaged")["files"]) == 1
    assert tools.ok("git_diff_staged")["files"] == []
    repo.git("add", "a")
    assert len(tools.ok("git_diff_staged")["files"]) == 1
    assert tools.ok("git_diff_unstaged")["files"] == []
    names = [t["name"] for t in tools.worker.request("tools/list")["result"]["tools"]]
    assert "git_status" not in names and "git_get_status" in names


def test_dates_of_no_calendar(tools, repo):
    tree = repo.head("HEAD^{tree}")
    for stamp in ("99999999999999999 +0000", "9223372036854775807 +9959", "0 -0030"):
        commit = f"tree {tree}\nauthor A <a@b> {stamp}\ncommitter A <a@b> {stamp}\n\nx\n"
        made = plumb(repo, commit.encode(), "hash-object", "-t", "commit", "-w", "--stdin",
                     "--literally")
        listed = tools.ok("git_log", revision=made)["commits"][0]
        assert listed["author_date"].startswith(("1970-01-01T00:00:00", "1969-12-31T23:30:00-00:30"))
        tools.ok("git_show", revision=made)
        assert "Date:   Thu Jan 1 00:00:00 1970" in tools.text or "1969 -0030" in tools.text


def test_light_tag_leads_to_its_commit(tools, repo):
    repo.git("tag", "light")
    repo.git("tag", "-am", "said", "annotated")
    repo.git("tag", "tree", "HEAD^{tree}")
    repo.git("pack-refs", "--all")
    tags = {tag["name"]: tag for tag in tools.ok("git_tag_list")["tags"]}
    for name in ("light", "annotated", "tree"):
        assert tags[name]["hash"] == repo.git("rev-parse", name)
        assert tags[name]["target"] == repo.git("rev-parse", name + "^{}")
        assert repo.git("rev-parse", "--short", name + "^{}") in tools.text


def test_diff_of_a_conflict(tools, repo):
    repo.git("checkout", "-qb", "side")
    repo.commit("a", "side\n")
    repo.git("checkout", "-q", "main")
    repo.commit("a", "main\n")
    repo.git("merge", "-q", "side", check=False)
    repo.write("b", "b\n")
    repo.git("add", "b")
    for cached in (False, True):
        out = tools.ok("git_diff", cached=cached)
        assert tools.text.startswith("* Unmerged path a\n")
        assert "a" in [file["path"] for file in out["files"]]
    assert tools.text.rstrip("\n") == repo.git("diff", "--cached")
