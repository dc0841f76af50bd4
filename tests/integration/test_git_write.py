"""The git tools that change a repository, on real repositories made by the git program.

Every test ends with git's own judgement: `git fsck` and a look at what git shows.
"""

import fcntl
import functools
import os
import pathlib
import re
import subprocess

import pytest

from stdio_worker import StdioWorker

PROGRAM = pathlib.Path(os.environ.get("MCP_FLEET_BUILD", ".")).resolve() / "worker-git"
ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "LC_ALL": "C.UTF-8",
}


# Every failure says what failed, and in another sentence or part of one what to do.
SAYS_WHAT_TO_DO = re.compile(r"[.;] [\"'A-Za-z_]| must be ")


class Repo:
    """A repository, seen through the git program."""

    def __init__(self, path):
        self.path = path

    def git(self, *args, check=True):
        done = subprocess.run(["git", *args], cwd=self.path, env=ENV, text=True,
                              capture_output=True, timeout=60)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self, name):
        return (self.path / name).read_text()

    def commit(self, name, text, message=None):
        self.write(name, text)
        self.git("add", "--", name)
        self.git("commit", "-qm", message or f"change {name}")
        return self.head()

    def head(self, name="HEAD"):
        return self.git("rev-parse", name)

    def branch(self):
        return self.git("symbolic-ref", "--short", "HEAD")

    def status(self):
        return self.git("status", "--porcelain").splitlines()

    def reflog(self, ref="HEAD"):
        return self.git("reflog", "show", "--format=%gs", ref).splitlines()


JSON_TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}


def check_against(schema, value, where):
    """The few keywords that our output schemas have."""
    assert isinstance(value, JSON_TYPES[schema["type"]]), where
    assert schema["type"] == "boolean" or not isinstance(value, bool), where
    if schema["type"] == "array":
        for item in value:
            check_against(schema["items"], item, where)
    elif schema["type"] == "object" and "properties" in schema:
        assert set(schema.get("required", ())) <= set(value) <= set(schema["properties"]), where
        for name, part in value.items():
            check_against(schema["properties"][name], part, f"{where}.{name}")


class Tools:
    """The worker, with the two outcomes of a call told apart."""

    def __init__(self, roots, settings):
        self.worker = StdioWorker(PROGRAM, roots, settings)

    def ok(self, tool, **args):
        result = self.worker.result(tool, **args)
        assert not result.get("isError"), result["content"][0]["text"]
        self.text = result["content"][0]["text"]
        if tool in self.schemas:
            check_against(self.schemas[tool], result["structuredContent"], tool)
        return result["structuredContent"]

    @functools.cached_property
    def schemas(self):
        """What each tool says that its answers look like."""
        listed = self.worker.request("tools/list")["result"]["tools"]
        return {tool["name"]: tool["outputSchema"] for tool in listed}

    def fails(self, code, tool, **args):
        result = self.worker.result(tool, **args)
        text = result["content"][0]["text"]
        assert result.get("isError"), text
        assert text.startswith(code + ": "), text
        assert SAYS_WHAT_TO_DO.search(text), text
        return text


@pytest.fixture
def roots(tmp_path):
    """The allowed directory, and one beside it that is not."""
    inside = tmp_path / "inside"
    outside = tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    return inside, outside


@pytest.fixture
def repo(roots):
    path = roots[0] / "repo"
    path.mkdir()
    repo = Repo(path)
    repo.git("init", "-q", "-b", "main")
    repo.git("config", "user.name", "A U Thor")
    repo.git("config", "user.email", "author@example.org")
    repo.commit("a", "one\n", "first")
    yield repo
    assert repo.git("fsck", "--strict", "--no-dangling") == ""


@pytest.fixture
def start(roots, repo):
    started = []

    def start(**settings):
        settings.setdefault("default_repository", str(repo.path))
        started.append(Tools([roots[0]], settings))
        return started[-1]

    yield start
    for tools in started:
        assert tools.worker.close() == 0


@pytest.fixture
def tools(start):
    return start()


# What is true of every tool

def test_descriptors(tools):
    for tool in tools.worker.request("tools/list")["result"]["tools"]:
        assert len(tool["description"]) <= 300
        assert set(tool["annotations"]) == {
            "title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
        for name, property in tool["inputSchema"]["properties"].items():
            assert len(property["description"]) <= 160, (tool["name"], name)


WRITING = [
    ("git_add", {}),
    ("git_reset", {}),
    ("git_restore", {"paths": ["a"]}),
    ("git_commit", {"message": "m"}),
    ("git_smart_commit", {"message": "m"}),
    ("git_create_branch", {"branch_name": "b"}),
    ("git_delete_branch", {"branch_name": "b"}),
    ("git_rename_branch", {"old_name": "a", "new_name": "b"}),
    ("git_checkout", {"branch_name": "b"}),
    ("git_merge", {"branch": "b"}),
    ("git_cherry_pick", {"commits": ["HEAD"]}),
    ("git_revert", {"commits": ["HEAD"]}),
    ("git_rebase", {"onto": "b"}),
    ("git_stash", {}),
    ("git_tag", {"name": "t"}),
    ("git_worktree_add", {"worktree_path": "w"}),
    ("git_worktree_remove", {"worktree_path": "w"}),
    ("git_start_feature", {"task_id": 1, "description": "d"}),
    ("git_finish_feature", {"branch_name": "feature/x"}),
]


@pytest.mark.parametrize("tool, args", WRITING)
def test_every_tool_refuses(tool, args, tools, roots, start):
    (roots[0] / "plain").mkdir()
    tools.fails("not_a_repository", tool, repo_path=str(roots[0] / "plain"), **args)
    tools.fails("outside_roots", tool, repo_path=str(roots[1]), **args)
    tools.fails("invalid_argument", tool, nonsense=1, **args)


@pytest.mark.parametrize("tool, args", WRITING)
def test_read_only_root(tool, args, repo, roots):
    settings = {"roots": [{"path": str(roots[0]), "access": "read"}],
                "default_repository": str(repo.path)}
    with StdioWorker(PROGRAM, settings=settings) as worker:
        assert worker.error_code(tool, **args) == "read_only"


@pytest.mark.parametrize("tool, args", WRITING[:3] + WRITING[8:10] + WRITING[13:14])
def test_foreign_lock_is_busy_and_stays(tool, args, tools, repo):
    lock = repo.write(".git/index.lock", "")
    tools.fails("busy", tool, **args)
    assert lock.exists()
    lock.unlink()


def test_locked_branch_changes_nothing(tools, repo):
    diverged(repo)
    repo.write("new", "x\n")
    lock = repo.write(".git/refs/heads/main.lock", "")
    tools.fails("busy", "git_merge", branch="other")
    tools.fails("busy", "git_commit", message="m", files=["new"])
    lock.unlink()
    assert repo.status() == ["?? new"]


def test_another_worker_is_waited_for(tools, repo):
    fd = os.open(repo.path / ".git", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    tools.fails("busy", "git_add")
    os.close(fd)
    tools.ok("git_add")


def test_no_identity(roots, repo, start):
    repo.git("config", "--unset", "user.name")
    repo.git("config", "--unset", "user.email")
    repo.write("a", "two\n")
    tools = start()
    tools.fails("no_identity", "git_commit", message="m", files=["a"])
    tools.fails("no_identity", "git_stash")
    tools.fails("no_identity", "git_tag", name="t", message="m")
    named = start(user_name="Service", user_email="service@example.org")
    named.ok("git_commit", message="m", files=["a"])
    assert repo.git("log", "-1", "--format=%an <%ae>") == "Service <service@example.org>"
    assert "Service" in (repo.path / ".git/logs/HEAD").read_text()


def test_nothing_of_the_repository_is_run(tools, repo):
    """Hooks, filters, fsmonitor: each would leave a mark."""
    mark = repo.path.parent / "mark"
    command = f"touch {mark}; cat"
    for hook in ["pre-commit", "commit-msg", "post-commit", "post-checkout", "reference-transaction",
                 "pre-rebase", "post-merge", "post-index-change", "prepare-commit-msg"]:
        path = repo.write(f".git/hooks/{hook}", f"#!/bin/sh\ntouch {mark}\n")
        path.chmod(0o755)
    for key in ["filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "core.fsmonitor",
                "diff.evil.command", "diff.evil.textconv", "merge.evil.driver", "core.editor",
                "gpg.program", "core.sshCommand"]:
        repo.git("config", key, command)
    repo.git("config", "commit.gpgsign", "true")
    repo.write(".gitattributes", "* filter=evil diff=evil merge=evil\n")
    repo.write("f", "x\n")
    mark.unlink(missing_ok=True)

    tools.ok("git_add")
    done = tools.ok("git_commit", message="m")
    assert done["hooks_run"] is False and done["signed"] is False
    tools.ok("git_checkout", branch_name="other", create=True)
    repo.write("f", "y\n")
    tools.ok("git_commit", message="n", files=["f"])
    tools.ok("git_checkout", branch_name="main")
    tools.ok("git_merge", branch="other", no_ff=True)
    repo.write("f", "z\n")
    tools.ok("git_stash")
    tools.ok("git_stash", action="pop")
    tools.ok("git_restore", paths=["f"])
    tools.ok("git_rebase", onto="other")
    assert not mark.exists()
    for key in ["core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process"]:
        repo.git("config", "--unset", key)


# git_add

def test_add(tools, repo):
    repo.write("a", "two\n")
    repo.write("new/b", "b\n")
    done = tools.ok("git_add", files=["a"])
    assert done["staged"] == [{"path": "a", "status": "modified"}]
    assert done["count"] == 1 and done["branch"] == "main"
    assert tools.text == "Staged 1 file(s) on main"
    assert repo.status() == ["M  a", "?? new/"]

    done = tools.ok("git_add")
    assert tools.text == "Staged all changes on main"
    assert done["staged"] == [{"path": "new/b", "status": "added"}]
    assert tools.ok("git_add")["count"] == 0
    assert tools.text.startswith("No changes were staged: ")


def test_add_deletions_and_directories(tools, repo):
    repo.commit("d/x", "x\n")
    repo.commit("d/y", "y\n")
    (repo.path / "d/x").unlink()
    (repo.path / "a").unlink()
    repo.write("d/z", "z\n")
    assert tools.ok("git_add", files=["d/"])["count"] == 2
    assert sorted(repo.status()) == [" D a", "A  d/z", "D  d/x"]
    assert tools.ok("git_add", files=[str(repo.path / "a")])["staged"] == [
        {"path": "a", "status": "deleted"}]


def test_add_everything_by_dot_and_update(tools, repo):
    repo.write("a", "two\n")
    repo.write("b", "b\n")
    assert tools.ok("git_add", update=True)["count"] == 1
    assert repo.status() == ["M  a", "?? b"]
    assert tools.ok("git_add", files=["."])["count"] == 1


def test_add_keeps_modes_links_and_types(tools, repo):
    (repo.path / "a").chmod(0o755)
    (repo.path / "link").symlink_to("/etc/passwd")
    tools.ok("git_add")
    assert repo.git("ls-files", "-s", "a").startswith("100755")
    assert repo.git("ls-files", "-s", "link").startswith("120000")
    (repo.path / "a").unlink()
    (repo.path / "a").symlink_to("b")
    assert tools.ok("git_add")["staged"] == [{"path": "a", "status": "typechange"}]


def test_add_literal_names(tools, repo):
    for name in ["*", "-x", ":(top)a", "[a]", "x y", "a\nb"]:
        repo.write(name, "x\n")
    tools.fails("not_found", "git_add", files=["?"])
    done = tools.ok("git_add", files=["*"])
    assert done["staged"] == [{"path": "*", "status": "added"}]
    assert tools.ok("git_add", files=["-x", ":(top)a", "[a]", "a\nb"])["count"] == 4
    assert repo.status()[-1] == '?? "x y"'


def test_add_refuses(tools, repo, roots):
    (roots[1] / "secret").write_text("secret\n")
    (repo.path / "dirlink").symlink_to(roots[1])
    os.mkfifo(repo.path / "fifo")
    repo.write(".gitignore", "ignored\n")
    repo.write("ignored", "x\n")
    tools.fails("outside_roots", "git_add", files=["dirlink/secret"])
    tools.fails("outside_roots", "git_add", files=["../x"])
    tools.fails("outside_roots", "git_add", files=[str(roots[1] / "secret")])
    tools.fails("not_found", "git_add", files=["a", "missing"])
    tools.fails("ignored", "git_add", files=["ignored"])
    tools.fails("protected", "git_add", files=[".git/config"])
    tools.fails("protected", "git_add", files=["x/.GIT/config"])
    tools.fails("special_file", "git_add", files=["fifo"])
    assert repo.git("diff", "--cached", "--name-only") == ""
    tools.ok("git_add", files=["ignored"], force=True)
    tools.ok("git_add")
    assert repo.git("ls-files").split() == [".gitignore", "a", "dirlink", "ignored"]
    assert repo.git("ls-files", "-s", "dirlink").startswith("120000")


def test_add_leaves_nested_repositories_out(tools, repo):
    nested = repo.path / "nested"
    nested.mkdir()
    Repo(nested).git("init", "-q")
    (nested / "f").write_text("x\n")
    tools.ok("git_add")
    assert "Left out: 1 repositories" in tools.text
    tools.fails("repo_refused", "git_add", files=["nested"])
    assert repo.git("ls-files") == "a"


def test_add_resolves_a_conflict(tools, repo):
    conflict(repo)
    repo.git("merge", "other", check=False)
    tools.ok("git_add", files=["a"])
    assert repo.git("ls-files", "-u") == ""


def test_add_on_a_protected_branch(start, repo):
    repo.write("a", "two\n")
    tools = start(enforce_protected=True)
    tools.fails("policy", "git_add")
    tools.fails("policy", "git_commit", message="m", files=["a"])
    tools.fails("policy", "git_reset")
    tools.fails("policy", "git_merge", branch="main")
    repo.git("checkout", "-qb", "work")
    tools.ok("git_add")


def test_sparse_checkout_loses_nothing(tools, repo):
    """Files that a sparse checkout leaves out are not taken as deleted."""
    repo.commit("in/f", "in\n")
    repo.commit("out/f", "out\n")
    conflict(repo)
    repo.git("config", "core.sparseCheckout", "true")
    repo.write(".git/info/sparse-checkout", "/in/\n/a\n")
    repo.git("read-tree", "-mu", "HEAD")
    assert not (repo.path / "out").exists()
    repo.write("in/f", "changed\n")
    assert tools.ok("git_add")["staged"] == [{"path": "in/f", "status": "modified"}]
    tools.ok("git_commit", message="m")
    repo.write("in/f", "again\n")
    tools.ok("git_stash", include_untracked=True)
    tools.ok("git_stash", action="pop")
    repo.git("checkout", "-q", "in/f")
    tools.fails("merge_conflict", "git_merge", branch="other")
    tools.ok("git_merge", abort=True)
    tools.ok("git_add")
    assert "out/f" in repo.git("ls-files").split()
    assert repo.git("ls-tree", "--name-only", "HEAD", "out/f") == "out/f"
    assert repo.git("diff", "--cached", "--name-only") == ""


def test_submodule_entries(tools, repo):
    """What the index has of a submodule is committed and reset; its own repository is not opened."""
    commit = repo.head()
    (repo.path / "sub").mkdir()
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    tools.ok("git_add")
    assert tools.ok("git_commit", message="sub")["files_changed"] == 1
    repo.git("update-index", "--cacheinfo", f"160000,{repo.head()},sub")
    assert tools.ok("git_reset")["unstaged"] == ["sub"]
    repo.git("update-index", "--cacheinfo", f"160000,{repo.head()},sub")
    tools.fails("dirty_tree", "git_checkout", branch_name="main~1")
    tools.ok("git_reset", paths=["sub"])
    tools.ok("git_checkout", branch_name="main~1")
    assert repo.git("ls-files") == "a"
    tools.ok("git_checkout", branch_name="main")
    (repo.path / "sub").rmdir()
    assert tools.ok("git_add")["staged"] == [{"path": "sub", "status": "deleted"}]


# git_reset, git_restore

def test_reset_mixed_and_paths(tools, repo):
    repo.write("a", "two\n")
    repo.write("b", "b\n")
    repo.write("d/c", "c\n")
    repo.git("add", "-A")
    done = tools.ok("git_reset", paths=["d"])
    assert done["unstaged"] == ["d/c"]
    assert repo.status() == ["M  a", "A  b", "?? d/"]
    done = tools.ok("git_reset")
    assert tools.text == "All staged changes reset"
    assert done["unstaged"] == ["a", "b"] and done["mode"] == "mixed"
    assert "previous_head" not in done
    assert repo.status() == [" M a", "?? b", "?? d/"]


def test_reset_moves_the_branch(tools, repo):
    first = repo.head()
    second = repo.commit("b", "b\n", "second")
    done = tools.ok("git_reset", mode="soft", target="HEAD~1")
    assert done == {"head": first, "previous_head": second, "mode": "soft", "unstaged": [],
                    "truncated": False}
    assert tools.text == f"HEAD is now at {repo.git('rev-parse', '--short', 'HEAD')} first"
    assert repo.status() == ["A  b"]
    assert repo.reflog()[0] == "reset: moving to HEAD~1"
    assert repo.head("ORIG_HEAD") == second


def test_reset_hard(tools, repo):
    repo.commit("b", "b\n", "second")
    repo.write("a", "changed\n")
    repo.write("staged", "x\n")
    repo.git("add", "staged")
    repo.write("untracked", "x\n")
    tools.fails("confirm_required", "git_reset", mode="hard")
    assert repo.read("a") == "changed\n"
    tools.ok("git_reset", mode="hard", target="HEAD~1", confirm=True)
    assert repo.read("a") == "one\n"
    assert repo.status() == ["?? untracked"]
    assert not (repo.path / "b").exists()


def test_reset_hard_ends_a_merge(tools, repo):
    conflict(repo)
    repo.git("merge", "other", check=False)
    tools.fails("merge_conflict", "git_reset", mode="soft")
    tools.ok("git_reset", mode="hard", confirm=True)
    assert repo.status() == []
    assert not (repo.path / ".git/MERGE_HEAD").exists()


def test_reset_refuses(tools, repo):
    tools.fails("bad_revision", "git_reset", target="nowhere")
    tools.fails("bad_revision", "git_reset", target="--hard")
    tools.fails("invalid_argument", "git_reset", mode="soft", paths=["a"])
    tools.fails("outside_roots", "git_reset", paths=["../a"])
    tools.fails("bad_revision", "git_reset", target="HEAD^{tree}")


def test_reset_before_the_first_commit(tools, roots):
    fresh = Repo(roots[0] / "fresh")
    fresh.path.mkdir()
    fresh.git("init", "-q", "-b", "main")
    fresh.write("a", "x\n")
    fresh.git("add", "a")
    path = str(fresh.path)
    assert tools.ok("git_reset", repo_path=path)["unstaged"] == ["a"]
    assert fresh.status() == ["?? a"]
    tools.fails("bad_revision", "git_reset", repo_path=path, mode="soft")


def test_restore(tools, repo):
    first = repo.head()
    repo.commit("a", "two\n")
    repo.commit("b", "b\n")
    repo.write("a", "three\n")
    assert tools.ok("git_restore", paths=["a"])["restored"] == ["a"]
    assert tools.text == "Restored 1 path(s)"
    assert repo.read("a") == "two\n"
    repo.write("a", "four\n")
    repo.git("add", "a")
    tools.ok("git_restore", paths=["a"], staged=True, worktree=False)
    assert repo.status() == [" M a"]
    tools.ok("git_restore", paths=["a"], source=first)
    assert repo.read("a") == "one\n" and repo.status() == [" M a"]
    tools.ok("git_restore", paths=["."], source=first, staged=True)
    assert repo.status() == ["M  a", "D  b"]
    assert not (repo.path / "b").exists()


def test_restore_only_what_was_named(tools, repo):
    repo.commit("*", "x\n")
    repo.commit("d/b", "b\n")
    for name in ["a", "*", "d/b"]:
        repo.write(name, "changed\n")
    tools.ok("git_restore", paths=["*"])
    assert repo.read("*") == "x\n" and repo.read("a") == "changed\n"
    (repo.path / "d/b").unlink()
    tools.ok("git_restore", paths=["d"])
    assert repo.read("d/b") == "b\n" and repo.read("a") == "changed\n"
    tools.ok("git_restore", paths=["."])
    assert repo.status() == []


def test_restore_refuses(tools, repo, roots):
    repo.commit("d/b", "b\n")
    (roots[1] / "b").write_text("outside\n")
    (repo.path / "d/b").unlink()
    (repo.path / "d").rmdir()
    (repo.path / "d").symlink_to(roots[1])
    tools.fails("not_found", "git_restore", paths=["missing"])
    tools.fails("bad_revision", "git_restore", paths=["a"], source="nowhere")
    tools.fails("invalid_argument", "git_restore", paths=["a"], worktree=False)
    tools.fails("outside_roots", "git_restore", paths=["d/b"])
    tools.fails("repo_refused", "git_restore", paths=["."])
    tools.fails("repo_refused", "git_restore", paths=["d"])
    assert (roots[1] / "b").read_text() == "outside\n"
    repo.write("a", "x\n")
    tools.ok("git_restore", paths=["a"])


# git_commit, git_smart_commit

def test_commit(tools, repo):
    repo.write("a", "one\ntwo\n")
    repo.git("add", "a")
    done = tools.ok("git_commit", message="Subject\n\n# not a comment\n")
    assert tools.text == f"Changes committed successfully with hash {repo.head()}"
    assert done == {
        "hash": repo.head(), "short_hash": repo.git("rev-parse", "--short", "HEAD"),
        "branch": "main", "subject": "Subject", "files_changed": 1, "additions": 1,
        "deletions": 0, "hooks_run": False, "signed": False}
    assert repo.git("log", "-1", "--format=%B").rstrip() == "Subject\n\n# not a comment"
    assert repo.git("log", "-1", "--format=%an %ae %cn") == "A U Thor author@example.org A U Thor"
    assert repo.reflog()[0] == repo.reflog("main")[0] == "commit: Subject"
    assert repo.status() == []


def test_commit_files_author_and_empty(tools, repo):
    repo.write("b", "b\n")
    repo.write("c", "c\n")
    tools.ok("git_commit", message="b", files=["b"], author_name="Other")
    assert repo.git("log", "-1", "--format=%an <%ae> %cn") == "Other <author@example.org> A U Thor"
    assert repo.status() == ["?? c"]
    tools.fails("nothing_to_commit", "git_commit", message="m")
    assert tools.ok("git_commit", message="m", allow_empty=True)["files_changed"] == 0


def test_nobody_adds_lines_to_commits_and_reflogs(tools, repo):
    forged = "x@y> 0 +0000\ngpgsig forged\nx <x@y"
    tools.fails("invalid_argument", "git_commit", message="m", allow_empty=True, author_email=forged)
    tools.fails("invalid_argument", "git_commit", message="m", allow_empty=True, author_name="a\nb")
    repo.write("a", "two\n")
    tools.ok("git_stash", message="one\ntwo")
    assert repo.reflog("stash") == ["On main: one two"]
    for spec in ["HEAD\n", "main\nx", ":/first", "HEAD^{/first}"]:
        tools.fails("bad_revision", "git_create_branch", branch_name="b", base_branch=spec)
        tools.fails("bad_revision", "git_checkout", branch_name=spec)
        tools.fails("bad_revision", "git_reset", target=spec)
    for log in ["HEAD", "refs/stash"]:
        for line in (repo.path / ".git/logs" / log).read_text().splitlines():
            assert "\t" in line, line
    repo.git("config", "user.name", "a\nb")
    tools.fails("no_identity", "git_commit", message="m", allow_empty=True)


def test_commit_amend(tools, repo):
    first = repo.head()
    repo.commit("b", "b\n", "second")
    repo.git("commit", "-q", "--amend", "--no-edit", "--author", "Old <old@example.org>")
    repo.write("c", "c\n")
    done = tools.ok("git_commit", message="better", amend=True, files=["c"])
    assert done["files_changed"] == 2
    assert repo.git("log", "-1", "--format=%P %an") == f"{first} Old"
    assert repo.reflog()[0] == "commit (amend): better"
    tools.fails("invalid_argument", "git_commit", message=" \n\t", amend=True)


def test_commit_first(tools, roots):
    fresh = Repo(roots[0] / "fresh")
    fresh.path.mkdir()
    fresh.git("init", "-q", "-b", "trunk")
    fresh.git("config", "user.name", "N")
    fresh.git("config", "user.email", "n@example.org")
    path = str(fresh.path)
    tools.fails("nothing_to_commit", "git_commit", repo_path=path, message="m")
    tools.fails("nothing_to_commit", "git_commit", repo_path=path, message="m", amend=True)
    fresh.write("a", "x\n")
    assert tools.ok("git_commit", repo_path=path, message="m", files=["."])["branch"] == "trunk"
    assert fresh.reflog() == ["commit (initial): m"]
    assert fresh.git("fsck", "--strict", "--no-dangling") == ""


def test_commit_detached(tools, repo):
    repo.git("checkout", "-q", "--detach")
    repo.write("a", "two\n")
    done = tools.ok("git_commit", message="m", files=["a"])
    assert "branch" not in done
    assert repo.head() == done["hash"] != repo.head("main")


def test_commit_concludes_a_merge(tools, repo):
    conflict(repo)
    ours, theirs = repo.head(), repo.head("other")
    repo.git("merge", "other", check=False)
    tools.fails("merge_conflict", "git_commit", message="m")
    tools.fails("merge_conflict", "git_commit", message="m", amend=True)
    repo.write("a", "both\n")
    tools.ok("git_commit", message="merged", files=["a"])
    assert repo.git("log", "-1", "--format=%P") == f"{ours} {theirs}"
    assert repo.reflog()[0] == "commit (merge): merged"
    for name in ["MERGE_HEAD", "MERGE_MSG", "MERGE_MODE"]:
        assert not (repo.path / ".git" / name).exists()


def test_smart_commit(tools, repo):
    repo.write("a", "two\n")
    repo.git("add", "a")
    assert "git_start_feature" in tools.fails("policy", "git_smart_commit", message="m")
    repo.git("checkout", "-qb", "topic")
    tools.fails("policy", "git_smart_commit", message="m")
    repo.git("checkout", "-q", "--detach")
    tools.fails("policy", "git_smart_commit", message="m")
    repo.git("checkout", "-qb", "feature/x")
    done = tools.ok("git_smart_commit", message="work")
    assert tools.text == f"Commit successful. Hash: {repo.head()}"
    assert done["branch"] == "feature/x" and len(done["checks"]) >= 4
    tools.fails("nothing_to_commit", "git_smart_commit", message="m")


def test_smart_commit_finds_secrets(start, repo):
    tools = start(secret_patterns=["corp-[0-9]+"])
    repo.commit("old", "password = hunter2\n")
    repo.git("checkout", "-qb", "feature/x")
    repo.write("old", "password = hunter2\nharmless\n")
    repo.write("conf", "x\napi_key: abcdefgh\n")
    repo.write("corp", "CORP-17\n")
    repo.write(".gitattributes", "hidden binary\n")
    repo.write("hidden", "token=abcdefgh\n")
    repo.git("add", "-A")
    text = tools.fails("secret_found", "git_smart_commit", message="m")
    for place in ["conf:2", "corp:1", "hidden:1"]:
        assert place in text
    for wrong in ["old", "abcdefgh", "CORP"]:
        assert wrong not in text
    (repo.path / "conf").unlink()
    (repo.path / "corp").unlink()
    (repo.path / "hidden").unlink()
    repo.git("add", "-A")
    tools.ok("git_smart_commit", message="m")


def test_smart_commit_protects_files(tools, repo):
    repo.commit(".env", "".join(f"{i}\n" for i in range(9)))
    repo.git("checkout", "-qb", "feature/x")
    repo.write(".env", "0\n1\n")
    repo.git("add", "-A")
    assert "7 of 9" in tools.fails("protected", "git_smart_commit", message="m")
    repo.write(".env", "0\n1\n2\n")
    repo.git("add", "-A")
    tools.ok("git_smart_commit", message="m")
    repo.git("rm", "-q", ".env")
    tools.fails("protected", "git_smart_commit", message="m")


def test_smart_commit_bad_pattern(start, repo):
    tools = start(secret_patterns=["(open"])
    repo.git("checkout", "-qb", "feature/x")
    tools.fails("bad_regex", "git_smart_commit", message="m")


# Branches

def test_branches(tools, repo):
    done = tools.ok("git_create_branch", branch_name="b")
    assert done == {"branch": "b", "hash": repo.head(), "base": "main"}
    assert tools.text == "Created branch 'b' from 'main'"
    second = repo.commit("a", "two\n")
    assert tools.ok("git_create_branch", branch_name="c", base_branch="main~1", checkout=True)[
        "hash"] == repo.head("main~1")
    assert repo.branch() == "c" and repo.read("a") == "one\n"
    assert repo.reflog("c")[-1] == "branch: Created from main~1"
    assert repo.reflog()[0] == "checkout: moving from main to c"
    tools.ok("git_rename_branch", old_name="c", new_name="d")
    assert repo.branch() == "d"
    short = repo.git("rev-parse", "--short", "b")
    assert tools.ok("git_delete_branch", branch_name="b")["hash"] == repo.head()
    assert tools.text == f"Deleted branch b (was {short})"
    assert second == repo.head("main")


def test_branch_settings_follow(tools, repo):
    for name in ["b", "b.c", "gone"]:
        repo.git("branch", name)
        repo.git("config", f"branch.{name}.remote", "origin")
        repo.git("config", f"branch.{name}.merge", "refs/heads/x=y")
    tools.ok("git_rename_branch", old_name="b", new_name="new")
    tools.ok("git_delete_branch", branch_name="gone")
    assert repo.git("config", "--get-regexp", "^branch").splitlines() == [
        "branch.b.c.remote origin", "branch.b.c.merge refs/heads/x=y",
        "branch.new.remote origin", "branch.new.merge refs/heads/x=y"]
    assert repo.reflog("new")[0] == "Branch: renamed refs/heads/b to refs/heads/new"
    assert not (repo.path / ".git/logs/refs/heads/gone").exists()


def test_branch_refuses(tools, repo):
    repo.git("branch", "b")
    tools.fails("already_exists", "git_create_branch", branch_name="b")
    tools.fails("already_exists", "git_create_branch", branch_name="b", checkout=True)
    for name in ["-x", "HEAD", "a..b", "a b", "x.lock", "/x", "a\nb", "@{-1}"]:
        tools.fails("invalid_argument", "git_create_branch", branch_name=name)
    tools.fails("bad_revision", "git_create_branch", branch_name="c", base_branch="nowhere")
    tools.fails("not_found", "git_delete_branch", branch_name="c")
    tools.fails("policy", "git_delete_branch", branch_name="main")
    tools.fails("not_found", "git_rename_branch", old_name="c", new_name="d")
    repo.git("branch", "c")
    tools.fails("already_exists", "git_rename_branch", old_name="b", new_name="c")
    tools.fails("invalid_argument", "git_rename_branch", old_name="b", new_name="..")
    tools.fails("policy", "git_rename_branch", old_name="main", new_name="x")
    tools.fails("policy", "git_rename_branch", old_name="b", new_name="master")
    repo.git("checkout", "-qb", "current")
    tools.fails("policy", "git_delete_branch", branch_name="current")
    tools.fails("already_exists", "git_create_branch", branch_name="b/below")


def test_delete_unmerged(tools, repo):
    repo.git("checkout", "-qb", "b")
    tip = repo.commit("b", "b\n")
    repo.git("checkout", "-q", "main")
    tools.fails("not_merged", "git_delete_branch", branch_name="b")
    assert tools.ok("git_delete_branch", branch_name="b", force=True)["hash"] == tip


# git_checkout

def test_checkout(tools, repo):
    first = repo.head()
    repo.git("checkout", "-qb", "other")
    other = repo.commit("d/b", "b\n")
    repo.git("tag", "-am", "m", "v1")
    done = tools.ok("git_checkout", branch_name="main")
    assert done == {"branch": "main", "detached": False, "head": first, "previous": "other"}
    assert tools.text == "Switched to branch 'main'"
    assert not (repo.path / "d").exists() and repo.status() == []
    done = tools.ok("git_checkout", branch_name="v1")
    assert done == {"detached": True, "head": other, "previous": "main"}
    assert tools.text.startswith("HEAD is now detached at ")
    assert repo.reflog()[0] == "checkout: moving from main to v1"
    assert tools.ok("git_checkout", branch_name=first[:10])["previous"] == other[:7]
    tools.ok("git_checkout", branch_name="new", create=True, base_branch="other")
    assert repo.branch() == "new" and repo.read("d/b") == "b\n"
    tools.ok("git_checkout", branch_name="new")
    assert tools.text == "Already on 'new'"


def test_checkout_keeps_local_changes(tools, repo):
    repo.commit("b", "b\n")
    repo.git("checkout", "-qb", "other")
    repo.commit("a", "theirs\n")
    repo.commit("fresh", "fresh\n")
    repo.git("checkout", "-q", "main")
    repo.write("b", "mine\n")
    tools.ok("git_checkout", branch_name="other")
    assert repo.read("b") == "mine\n" and repo.status() == [" M b"]
    tools.ok("git_checkout", branch_name="main")

    head = repo.head()
    for prepare in [lambda: repo.write("a", "mine\n"),
                    lambda: repo.write("fresh", "mine\n"),
                    lambda: (repo.write("a", "mine\n"), repo.git("add", "a"), repo.write("a", "one\n")),
                    lambda: (repo.write(".gitignore", "fresh\n"), repo.write("fresh", "mine\n")),
                    lambda: repo.write("fresh/inside", "mine\n")]:
        prepare()
        before = repo.status()
        text = tools.fails("dirty_tree", "git_checkout", branch_name="other")
        assert "a" in text and repo.status() == before and repo.head() == head
        assert repo.branch() == "main"
        tools.fails("dirty_tree", "git_checkout", branch_name="x", create=True, base_branch="other")
        assert repo.git("branch", "--list", "x") == ""
        repo.git("reset", "-q", "--hard")
        repo.git("clean", "-qfdx")


def test_checkout_refuses(tools, repo):
    repo.git("branch", "other")
    tools.fails("bad_revision", "git_checkout", branch_name="nowhere")
    tools.fails("bad_revision", "git_checkout", branch_name="--force")
    tools.fails("bad_revision", "git_checkout", branch_name="a")
    tools.fails("already_exists", "git_checkout", branch_name="other", create=True)
    tools.fails("invalid_argument", "git_checkout", branch_name="other", base_branch="main")
    tools.fails("invalid_argument", "git_checkout", branch_name="-b", create=True)
    repo.git("worktree", "add", "-q", "../wt", "other")
    tools.fails("checked_out_elsewhere", "git_checkout", branch_name="other")
    tools.fails("checked_out_elsewhere", "git_checkout", branch_name="main",
                repo_path=str(repo.path.parent / "wt"))
    tools.fails("policy", "git_delete_branch", branch_name="other", force=True)


def test_checkout_during_a_merge(tools, repo):
    conflict(repo)
    repo.git("merge", "other", check=False)
    tools.fails("dirty_tree", "git_checkout", branch_name="other")


def test_checkout_before_the_first_commit(tools, roots):
    fresh = Repo(roots[0] / "fresh")
    fresh.path.mkdir()
    fresh.git("init", "-q", "-b", "main")
    path = str(fresh.path)
    tools.ok("git_checkout", repo_path=path, branch_name="trunk", create=True)
    assert fresh.branch() == "trunk"
    tools.fails("bad_revision", "git_create_branch", repo_path=path, branch_name="x")
    tools.fails("bad_revision", "git_start_feature", repo_path=path, task_id=1, description="d")


def symlinked(repo, outside):
    """On disk `d` is a link to the outside; the branch `other` has a directory there."""
    repo.git("checkout", "-qb", "other")
    repo.commit("d/f", "inside\n")
    repo.git("checkout", "-q", "main")
    (outside / "f").write_text("outside\n")
    (repo.path / "d").symlink_to(outside)


@pytest.mark.parametrize("tool, args", [
    ("git_checkout", {"branch_name": "other"}),
    ("git_checkout", {"branch_name": "x", "create": True, "base_branch": "other"}),
    ("git_create_branch", {"branch_name": "x", "checkout": True, "base_branch": "other"}),
    ("git_reset", {"mode": "hard", "target": "other", "confirm": True}),
    ("git_merge", {"branch": "other"}),
    ("git_merge", {"branch": "other", "no_ff": True}),
    ("git_merge", {"branch": "other", "squash": True}),
    ("git_cherry_pick", {"commits": ["other"]}),
    ("git_rebase", {"onto": "other"}),
    ("git_restore", {"paths": ["."], "source": "other"}),
    ("git_start_feature", {"task_id": 1, "description": "d", "base_branch": "other"}),
])
def test_nothing_is_written_through_a_symlink(tool, args, tools, repo, roots):
    symlinked(repo, roots[1])
    head = repo.head()
    tools.fails("repo_refused", tool, **args)
    assert (roots[1] / "f").read_text() == "outside\n"
    assert os.listdir(roots[1]) == ["f"]
    assert repo.head() == head and repo.status() == ["?? d"]
    assert (repo.path / "d").is_symlink()


def test_stash_and_symlinks(tools, repo, roots):
    repo.commit("d/f", "inside\n")
    repo.write("d/f", "changed\n")
    repo.write("new/g", "new\n")
    repo.git("stash", "-uq")
    repo.git("rm", "-rq", "d")
    repo.git("commit", "-qm", "without d")
    (roots[1] / "f").write_text("outside\n")
    (repo.path / "d").symlink_to(roots[1])
    for action in ["apply", "pop"]:
        tools.fails("repo_refused", "git_stash", action=action)
    (repo.path / "d").unlink()
    (repo.path / "new").symlink_to(roots[1])
    tools.fails("repo_refused", "git_stash", action="pop")
    assert (roots[1] / "f").read_text() == "outside\n" and os.listdir(roots[1]) == ["f"]


def test_stash_push_through_a_symlink(tools, repo, roots):
    repo.commit("d/f", "inside\n")
    (repo.path / "d/f").unlink()
    (repo.path / "d").rmdir()
    (roots[1] / "f").write_text("outside\n")
    (repo.path / "d").symlink_to(roots[1])
    tools.fails("repo_refused", "git_stash")
    tools.fails("repo_refused", "git_stash", include_untracked=True)
    tools.fails("repo_refused", "git_reset", mode="hard", confirm=True)
    assert (roots[1] / "f").read_text() == "outside\n"


# git_merge

def conflict(repo):
    """main and other both change a."""
    repo.git("checkout", "-qb", "other")
    repo.commit("a", "theirs\n", "theirs")
    repo.git("checkout", "-q", "main")
    repo.commit("a", "ours\n", "ours")


def diverged(repo):
    repo.git("checkout", "-qb", "other")
    repo.commit("b", "b\n", "theirs")
    repo.git("checkout", "-q", "main")
    repo.commit("c", "c\n", "ours")


def test_merge_fast_forward(tools, repo):
    first = repo.head()
    repo.git("checkout", "-qb", "other")
    tip = repo.commit("b", "b\n")
    assert tools.ok("git_merge", branch="main")["result"] == "up_to_date"
    repo.git("checkout", "-q", "main")
    repo.write("untouched", "x\n")
    done = tools.ok("git_merge", branch="other", ff_only=True)
    assert done == {"result": "fast_forward", "head": tip, "conflicts": []}
    assert repo.reflog()[0] == "merge other: Fast-forward"
    assert repo.status() == ["?? untouched"] and repo.head("ORIG_HEAD") == first


def test_merge_commit(tools, repo):
    diverged(repo)
    ours, theirs = repo.head(), repo.head("other")
    tools.fails("not_fast_forward", "git_merge", branch="other", ff_only=True)
    done = tools.ok("git_merge", branch="other")
    assert done["result"] == "merged" and done["head"] == repo.head()
    assert repo.git("log", "-1", "--format=%P") == f"{ours} {theirs}"
    assert repo.git("log", "-1", "--format=%B").strip() == "Merge branch 'other'"
    assert repo.reflog()[0] == "merge other: Merge made by the 'ort' strategy."
    assert repo.status() == [] and repo.read("b") == "b\n"


def test_merge_no_ff_and_message(tools, repo):
    repo.git("checkout", "-qb", "other")
    repo.commit("b", "b\n")
    repo.git("checkout", "-qb", "side", "main")
    tools.ok("git_merge", branch="other", no_ff=True)
    assert repo.git("log", "-1", "--format=%s") == "Merge branch 'other' into side"
    assert len(repo.git("log", "-1", "--format=%P").split()) == 2
    repo.git("tag", "v1", "other")
    repo.git("checkout", "-q", "main")
    tools.ok("git_merge", branch="v1", no_ff=True, message="own words")
    assert repo.git("log", "-1", "--format=%s") == "own words"


def test_merge_squash(tools, repo):
    diverged(repo)
    head = repo.head()
    done = tools.ok("git_merge", branch="other", squash=True)
    assert done["result"] == "squashed" and repo.head() == head
    assert repo.status() == ["A  b"]
    assert not (repo.path / ".git/MERGE_HEAD").exists()
    tools.ok("git_commit", message="squashed")
    assert len(repo.git("log", "-1", "--format=%P").split()) == 1


def test_merge_conflict_and_abort(tools, repo):
    repo.commit("keep", "keep\n")
    conflict(repo)
    repo.git("checkout", "-q", "other")
    repo.commit("added", "added\n")
    repo.git("checkout", "-q", "main")
    head = repo.head()
    repo.write("keep", "local\n")
    text = tools.fails("merge_conflict", "git_merge", branch="other")
    assert "conflicts in: a." in text and "abort" in text
    assert repo.head() == head and repo.head("MERGE_HEAD") == repo.head("other")
    assert "UU a" in repo.status() and "<<<<<<<" in repo.read("a")
    tools.fails("dirty_tree", "git_merge", branch="other")
    done = tools.ok("git_merge", abort=True)
    assert done == {"result": "aborted", "head": head, "conflicts": []}
    assert repo.status() == [" M keep"] and repo.read("keep") == "local\n"
    assert repo.read("a") == "ours\n" and not (repo.path / "added").exists()
    tools.fails("invalid_argument", "git_merge", abort=True)


def test_merge_conflict_is_concluded_by_commit(tools, repo):
    conflict(repo)
    tools.fails("merge_conflict", "git_merge", branch="other")
    repo.write("a", "both\n")
    tools.ok("git_add", files=["a"])
    tools.ok("git_commit", message="both")
    assert len(repo.git("log", "-1", "--format=%P").split()) == 2
    assert repo.status() == []


def test_squash_conflict_can_be_aborted(tools, repo):
    conflict(repo)
    tools.fails("merge_conflict", "git_merge", branch="other", squash=True)
    assert not (repo.path / ".git/MERGE_HEAD").exists()
    tools.ok("git_merge", abort=True)
    assert repo.status() == []


def test_merge_keeps_local_changes(tools, repo):
    diverged(repo)
    head = repo.head()
    repo.write("b", "mine\n")
    assert "b" in tools.fails("dirty_tree", "git_merge", branch="other")
    repo.git("add", "b")
    tools.fails("dirty_tree", "git_merge", branch="other")
    assert repo.read("b") == "mine\n" and repo.head() == head
    assert repo.git("status", "--porcelain") == "A  b"


def test_merge_conflict_keeps_local_changes(tools, repo):
    conflict(repo)
    repo.write("a", "mine\n")
    tools.fails("dirty_tree", "git_merge", branch="other")
    assert repo.read("a") == "mine\n"
    assert not (repo.path / ".git/MERGE_HEAD").exists()


def test_merge_refuses(tools, repo):
    tools.fails("bad_revision", "git_merge", branch="nowhere")
    tools.fails("invalid_argument", "git_merge")
    tools.fails("invalid_argument", "git_merge", branch="main", no_ff=True, ff_only=True)
    tools.fails("invalid_argument", "git_merge", branch="main", abort=True)
    repo.git("checkout", "-q", "--orphan", "apart")
    repo.git("rm", "-q", "--cached", "a")
    repo.commit("b", "b\n")
    tools.fails("dirty_tree", "git_merge", branch="main")
    (repo.path / "a").unlink()
    assert tools.ok("git_merge", branch="main")["result"] == "merged"


def test_merge_on_a_protected_branch_can_be_aborted(start, repo):
    conflict(repo)
    repo.git("merge", "other", check=False)
    start(enforce_protected=True).ok("git_merge", abort=True)
    assert repo.status() == []


def test_merge_before_the_first_commit(tools, repo):
    repo.git("checkout", "-q", "--orphan", "fresh")
    repo.git("rm", "-rqf", ".")
    assert tools.ok("git_merge", branch="main")["head"] == repo.head("main")
    assert repo.branch() == "fresh" and repo.status() == [] and repo.read("a") == "one\n"


# git_cherry_pick, git_revert

def test_cherry_pick(tools, repo):
    repo.git("checkout", "-qb", "other")
    one = repo.commit("b", "b\n", "one")
    two = repo.commit("c", "c\n", "two")
    repo.git("commit", "-q", "--amend", "--no-edit", "--author", "Else <else@example.org>")
    two = repo.head()
    repo.git("checkout", "-q", "main")
    repo.commit("d", "d\n")
    done = tools.ok("git_cherry_pick", commits=[one, "other"])
    assert done == {"picked": [one, two], "head": repo.head(), "conflicts": []}
    assert tools.text == "Picked 2 commit(s)"
    assert repo.git("log", "-2", "--format=%s %an").splitlines() == ["two Else", "one A U Thor"]
    assert repo.reflog()[:2] == ["cherry-pick: two", "cherry-pick: one"]
    assert repo.status() == []
    assert tools.ok("git_cherry_pick", commits=[one])["picked"] == []
    assert "left out" in tools.text


def test_cherry_pick_no_commit(tools, repo):
    repo.git("checkout", "-qb", "other")
    tip = repo.commit("b", "b\n")
    repo.git("checkout", "-q", "main")
    head = repo.head()
    assert tools.ok("git_cherry_pick", commits=["other"], no_commit=True)["picked"] == [tip]
    assert repo.status() == ["A  b"] and repo.head() == head


def test_cherry_pick_conflict(tools, repo):
    repo.git("checkout", "-qb", "other")
    repo.commit("b", "b\n", "fits")
    repo.commit("a", "theirs\n", "does not")
    repo.git("commit", "-q", "--amend", "--no-edit", "--author", "Else <else@example.org>")
    repo.git("checkout", "-q", "main")
    repo.commit("a", "ours\n")
    head = repo.head()
    tools.fails("merge_conflict", "git_cherry_pick", commits=["other~1", "other"], no_commit=True)
    assert repo.status() == [] and repo.head() == head
    text = tools.fails("merge_conflict", "git_cherry_pick", commits=["other~1", "other"])
    assert "conflicts in: a." in text and "1 commit(s)" in text
    assert repo.git("log", "-1", "--format=%s") == "fits"
    assert repo.head("CHERRY_PICK_HEAD") == repo.head("other")
    picked = repo.head()
    tools.ok("git_merge", abort=True)
    assert repo.status() == [] and repo.head() == picked
    tools.fails("merge_conflict", "git_cherry_pick", commits=["other"])
    repo.write("a", "both\n")
    tools.ok("git_commit", message="both", files=["a"])
    assert repo.git("log", "-1", "--format=%an") == "Else"
    assert repo.reflog()[0] == "commit (cherry-pick): both"
    assert not (repo.path / ".git/CHERRY_PICK_HEAD").exists()


def test_pick_and_revert_refuse(tools, repo):
    diverged(repo)
    tools.ok("git_merge", branch="other")
    tools.fails("invalid_argument", "git_cherry_pick", commits=["HEAD"])
    tools.fails("invalid_argument", "git_revert", commits=["HEAD"])
    tools.fails("bad_revision", "git_cherry_pick", commits=["nowhere"])
    tools.fails("bad_revision", "git_revert", commits=["HEAD~1", "nowhere"])
    repo.write("b", "mine\n")
    tools.fails("dirty_tree", "git_revert", commits=["other"])
    repo.git("add", "b")
    tools.fails("dirty_tree", "git_cherry_pick", commits=["other"])
    assert repo.read("b") == "mine\n"


def test_revert(tools, repo):
    first = repo.head()
    second = repo.commit("a", "two\n", "second")
    third = repo.commit("b", "b\n", "third")
    done = tools.ok("git_revert", commits=[third, second])
    assert done["reverted"] == [third, second] and tools.text == "Reverted 2 commit(s)"
    assert repo.head("HEAD^{tree}") == repo.head(first + "^{tree}")
    assert repo.git("log", "-1", "--format=%B").strip() == (
        f'Revert "second"\n\nThis reverts commit {second}.')
    assert repo.reflog()[0] == 'revert: Revert "second"'
    assert repo.status() == []


def test_revert_conflict(tools, repo):
    second = repo.commit("a", "two\n", "second")
    repo.commit("a", "three\n", "third")
    tools.fails("merge_conflict", "git_revert", commits=[second])
    assert (repo.path / ".git/REVERT_HEAD").exists() and repo.status() == ["UU a"]
    tools.ok("git_merge", abort=True)
    assert repo.status() == [] and not (repo.path / ".git/REVERT_HEAD").exists()


# git_rebase

def test_rebase(tools, repo):
    diverged(repo)
    repo.git("checkout", "-q", "other")
    repo.commit("b2", "b2\n", "more")
    done = tools.ok("git_rebase", onto="main")
    assert done == {"result": "rebased", "head": repo.head("other"), "rebased": 2, "conflicts": []}
    assert repo.branch() == "other" and repo.status() == []
    assert repo.git("log", "--format=%s").splitlines() == ["more", "theirs", "ours", "first"]
    assert tools.ok("git_rebase", onto="main")["result"] == "up_to_date"
    assert not (repo.path / ".git/rebase-merge").exists()
    repo.git("checkout", "-q", "main")
    assert tools.ok("git_rebase", onto="other")["rebased"] == 0
    assert repo.head() == repo.head("other")


def rebase_conflict(tools, repo):
    conflict(repo)
    repo.git("checkout", "-q", "other")
    repo.commit("later", "later\n", "later")
    text = tools.fails("merge_conflict", "git_rebase", onto="main")
    assert "conflicts in: a." in text and "continue" in text
    assert (repo.path / ".git/rebase-merge").exists()


def test_rebase_continue(tools, repo):
    rebase_conflict(tools, repo)
    tools.fails("dirty_tree", "git_rebase", onto="main")
    tools.fails("merge_conflict", "git_rebase", action="continue")
    repo.write("a", "both\n")
    tools.ok("git_add", files=["a"])
    assert tools.ok("git_rebase", action="continue")["rebased"] == 2
    assert repo.git("log", "--format=%s").splitlines() == ["later", "theirs", "ours", "first"]
    assert repo.branch() == "other" and repo.status() == []


def test_rebase_skip(tools, repo):
    rebase_conflict(tools, repo)
    assert tools.ok("git_rebase", action="skip")["rebased"] == 1
    assert repo.git("log", "--format=%s").splitlines() == ["later", "ours", "first"]
    assert repo.branch() == "other" and repo.status() == []


def test_rebase_abort(tools, repo):
    rebase_conflict(tools, repo)
    tools.fails("invalid_argument", "git_merge", abort=True)
    done = tools.ok("git_rebase", action="abort")
    assert done["result"] == "aborted" and done["head"] == repo.head("other")
    assert repo.branch() == "other" and repo.status() == [] and repo.read("a") == "theirs\n"


def test_rebase_refuses(tools, repo, start):
    diverged(repo)
    tools.fails("invalid_argument", "git_rebase")
    tools.fails("bad_revision", "git_rebase", onto="nowhere")
    for action in ["continue", "skip", "abort"]:
        tools.fails("invalid_argument", "git_rebase", action=action)
    repo.write("a", "mine\n")
    tools.fails("dirty_tree", "git_rebase", onto="other")
    repo.git("checkout", "-q", "a")
    repo.write("b", "untracked\n")
    tools.fails("dirty_tree", "git_rebase", onto="other")
    assert repo.read("b") == "untracked\n" and repo.branch() == "main"
    assert not (repo.path / ".git/rebase-merge").exists()
    start(enforce_protected=True).fails("policy", "git_rebase", onto="other")


# git_stash

def test_stash(tools, repo):
    repo.write("a", "two\n")
    repo.write("new", "new\n")
    tools.fails("nothing_to_stash", "git_stash", repo_path=str(clean_clone(repo)))
    done = tools.ok("git_stash", message="words")
    assert done["hash"] == repo.head("stash@{0}") and done["action"] == "push"
    assert tools.text == "Saved working directory and index state On main: words"
    assert repo.status() == ["?? new"]
    tools.ok("git_stash", include_untracked=True)
    assert repo.status() == []
    assert tools.text.startswith("Saved working directory and index state WIP on main: ")
    tools.ok("git_stash", action="apply", index=1)
    assert tools.text == "Applied stash@{1}" and repo.status() == [" M a"]
    repo.git("checkout", "-q", "a")
    tools.ok("git_stash", action="pop")
    assert repo.status() == ["?? new"] and repo.read("new") == "new\n"
    tools.ok("git_stash", action="drop")
    assert tools.text == "Dropped stash@{0}"
    assert repo.git("stash", "list") == ""
    for action in ["pop", "apply", "drop"]:
        tools.fails("not_found", "git_stash", action=action)


def clean_clone(repo):
    path = repo.path.parent / "clone"
    repo.git("clone", "-q", ".", str(path))
    clone = Repo(path)
    clone.git("config", "user.name", "N")
    clone.git("config", "user.email", "n@example.org")
    return path


@pytest.mark.parametrize("include_untracked", [False, True])
def test_stash_keeps_what_the_index_has_dropped(include_untracked, tools, repo):
    """A file that was removed from the index only is still a change of a tracked file."""
    repo.git("rm", "-q", "--cached", "a")
    repo.write("a", "precious\n")
    tools.ok("git_stash", include_untracked=include_untracked)
    assert repo.status() == [] and repo.read("a") == "one\n"
    tools.ok("git_stash", action="pop")
    assert repo.read("a") == "precious\n"


def test_stash_takes_no_ignored_files(tools, repo):
    """A directory with untracked and ignored files keeps the ignored ones."""
    repo.commit(".gitignore", "*.o\n")
    repo.write("d/x.c", "x\n")
    repo.write("d/x.o", "object\n")
    repo.write("e/only.o", "object\n")
    tools.ok("git_stash", include_untracked=True)
    assert repo.read("d/x.o") == "object\n" and repo.read("e/only.o") == "object\n"
    assert not (repo.path / "d/x.c").exists()
    tools.ok("git_stash", action="pop")
    assert repo.read("d/x.c") == "x\n"


def test_stash_takes_no_nested_repository(tools, repo):
    nested = repo.path / "d/nested"
    nested.mkdir(parents=True)
    Repo(nested).git("init", "-q")
    (nested / "f").write_text("precious\n")
    repo.write("d/x", "x\n")
    tools.ok("git_stash", include_untracked=True)
    assert (nested / "f").read_text() == "precious\n" and (nested / ".git").is_dir()


def test_stash_conflicts(tools, repo):
    repo.write("a", "stashed\n")
    tools.ok("git_stash")
    repo.write("a", "local\n")
    tools.fails("dirty_tree", "git_stash", action="pop")
    assert repo.read("a") == "local\n"
    repo.git("commit", "-qam", "local")
    text = tools.fails("merge_conflict", "git_stash", action="pop")
    assert "kept" in text and repo.git("stash", "list") != ""
    assert repo.status() == ["UU a"]
    tools.ok("git_merge", abort=True)
    assert repo.status() == [] and repo.read("a") == "local\n"


def test_stash_untracked_in_the_way(tools, repo):
    repo.write("a", "two\n")
    repo.write("new", "stashed\n")
    tools.ok("git_stash", include_untracked=True)
    repo.write("new", "other\n")
    tools.fails("dirty_tree", "git_stash", action="pop")
    assert repo.read("new") == "other\n" and repo.read("a") == "one\n"


# git_tag

def test_tag(tools, repo):
    done = tools.ok("git_tag", name="v1")
    assert done == {"name": "v1", "hash": repo.head(), "action": "create"}
    assert tools.text == f"Created tag v1 at {repo.git('rev-parse', '--short', 'HEAD')}"
    done = tools.ok("git_tag", name="v2", message="words")
    assert repo.git("cat-file", "-t", "v2") == "tag" and done["hash"] == repo.head("v2")
    tools.fails("already_exists", "git_tag", name="v1")
    repo.commit("a", "two\n")
    tools.ok("git_tag", name="v1", force=True)
    assert repo.head("v1") == repo.head()
    tools.ok("git_tag", name="v1", action="delete")
    assert tools.text == "Deleted tag v1" and repo.git("tag") == "v2"
    tools.fails("not_found", "git_tag", name="v1", action="delete")
    tools.fails("bad_revision", "git_tag", name="v3", revision="nowhere")
    tools.fails("invalid_argument", "git_tag", name="v3", message=" ")
    for name in ["-d", "a..b", "HEAD", "a b"]:
        tools.fails("invalid_argument", "git_tag", name=name)


# Worktrees

def test_worktree(tools, repo, roots):
    done = tools.ok("git_worktree_add", worktree_path="wt")
    assert done == {"path": "wt", "branch": "wt", "head": repo.head()}
    assert tools.text == "Added worktree wt on wt"
    linked = Repo(roots[0] / "wt")
    assert linked.read("a") == "one\n" and linked.status() == [] and linked.branch() == "wt"
    assert "wt" in repo.git("worktree", "list")
    linked.write("a", "two\n")
    path = str(linked.path)
    tools.ok("git_commit", repo_path=path, message="m", files=["a"])
    assert repo.read("a") == "one\n" and repo.head("wt") == linked.head()

    linked.write("untracked", "x\n")
    tools.fails("dirty_tree", "git_worktree_remove", worktree_path=path)
    tools.ok("git_worktree_remove", worktree_path=path, force=True)
    assert not linked.path.exists() and "wt" not in repo.git("worktree", "list").split()[3:]
    assert repo.git("worktree", "prune", "-v") == ""


def test_worktree_with_branch(tools, repo, roots):
    second = repo.commit("a", "two\n")
    tools.ok("git_worktree_add", worktree_path=str(roots[0] / "one"), branch_name="old",
             base_branch="main~1")
    assert Repo(roots[0] / "one").read("a") == "one\n"
    repo.git("branch", "other")
    tools.ok("git_worktree_add", worktree_path="two", branch_name="other")
    assert Repo(roots[0] / "two").head() == second
    tools.ok("git_worktree_remove", worktree_path="two")
    assert not (roots[0] / "two").exists()


def test_worktree_refuses(tools, repo, roots):
    (roots[0] / "there").mkdir()
    (roots[0] / "link").symlink_to(roots[1])
    tools.fails("already_exists", "git_worktree_add", worktree_path="there")
    tools.fails("already_exists", "git_worktree_add", worktree_path="link")
    tools.fails("outside_roots", "git_worktree_add", worktree_path="link/wt")
    tools.fails("outside_roots", "git_worktree_add", worktree_path=str(roots[1] / "wt"))
    tools.fails("protected", "git_worktree_add", worktree_path="repo/.git/wt")
    tools.fails("not_found", "git_worktree_add", worktree_path="missing/wt")
    tools.fails("checked_out_elsewhere", "git_worktree_add", worktree_path="wt", branch_name="main")
    tools.fails("bad_revision", "git_worktree_add", worktree_path="wt", base_branch="nowhere")
    tools.fails("invalid_argument", "git_worktree_add", worktree_path="wt", branch_name="a..b")
    tools.fails("not_found", "git_worktree_remove", worktree_path="there")
    tools.fails("not_found", "git_worktree_remove", worktree_path="repo", force=True)
    tools.fails("outside_roots", "git_worktree_remove", worktree_path=str(roots[1]))
    assert repo.git("branch", "--format=%(refname:short)") == "main"
    assert not (roots[0] / "wt").exists() and not (repo.path / ".git/worktrees").exists()


def test_worktree_remove_checks_the_link(tools, repo, roots):
    """An entry of the repository may name any directory as its worktree."""
    tools.ok("git_worktree_add", worktree_path="wt")
    victim = roots[0] / "victim"
    victim.mkdir()
    (victim / ".git").write_text("gitdir: /nowhere\n")
    (victim / "precious").write_text("x\n")
    repo.write(".git/worktrees/wt/gitdir", f"{victim}/.git\n")
    tools.fails("repo_refused", "git_worktree_remove", worktree_path="victim", force=True)
    assert (victim / "precious").exists()


def test_worktree_remove_follows_no_symlink(tools, repo, roots):
    tools.ok("git_worktree_add", worktree_path="wt")
    (roots[1] / "precious").write_text("x\n")
    (roots[0] / "wt/link").symlink_to(roots[1])
    tools.ok("git_worktree_remove", worktree_path="wt", force=True)
    assert (roots[1] / "precious").exists() and not (roots[0] / "wt").exists()


def test_worktree_remove_locked_and_gone(tools, repo, roots):
    tools.ok("git_worktree_add", worktree_path="wt")
    repo.git("worktree", "lock", "../wt")
    tools.fails("policy", "git_worktree_remove", worktree_path="wt", force=True)
    repo.git("worktree", "unlock", "../wt")
    subprocess.run(["rm", "-r", str(roots[0] / "wt")], check=True)
    tools.ok("git_worktree_remove", worktree_path="wt")
    assert not (repo.path / ".git/worktrees/wt").exists()


# git_init

def test_init(tools, roots):
    done = tools.ok("git_init", path="new/deep")
    assert done == {"path": "new/deep", "initial_branch": "main", "bare": False, "created": True}
    assert tools.text == "Initialized empty Git repository in new/deep"
    fresh = Repo(roots[0] / "new/deep")
    assert fresh.branch() == "main" and fresh.status() == []
    fresh.git("config", "user.name", "N")
    fresh.git("config", "user.email", "n@example.org")
    fresh.commit("a", "x\n")
    assert tools.ok("git_init", path="new/deep", initial_branch="x") == {
        "path": "new/deep", "initial_branch": "main", "bare": False, "created": False}
    assert tools.text == "Reinitialized existing Git repository in new/deep"
    done = tools.ok("git_init", path=str(roots[0] / "b.git"), bare=True, initial_branch="trunk")
    assert done["bare"] and done["path"] == str(roots[0] / "b.git")
    bare = Repo(roots[0] / "b.git")
    assert bare.branch() == "trunk" and bare.git("rev-parse", "--is-bare-repository") == "true"
    assert tools.ok("git_init", path="b.git")["created"] is False
    for tool, args in [("git_add", {}), ("git_commit", {"message": "m"})]:
        tools.fails("repo_refused", tool, repo_path="b.git", **args)


def test_init_refuses(tools, roots, repo):
    (roots[0] / "link").symlink_to(roots[1])
    repo.write("file", "x\n")
    tools.fails("outside_roots", "git_init", path=str(roots[1] / "x"))
    tools.fails("outside_roots", "git_init", path="../outside/x")
    tools.fails("outside_roots", "git_init", path="link")
    tools.fails("outside_roots", "git_init", path="link/x")
    tools.fails("protected", "git_init", path="repo/.git/x")
    (roots[0] / "into").symlink_to("repo/.git")
    assert tools.worker.error_code("git_init", path="into/x") in ["protected", "permission_denied"]
    tools.fails("protected", "git_init", path="into")
    assert not (repo.path / ".git/x").exists()
    tools.fails("not_a_directory", "git_init", path="repo/file")
    tools.fails("invalid_argument", "git_init", path="x", initial_branch="a..b")
    tools.fails("invalid_argument", "git_init", path="x", initial_branch="HEAD")
    tools.fails("invalid_argument", "git_init", path="")
    assert os.listdir(roots[1]) == [] and not (roots[0] / "x").exists()


def test_init_does_not_touch_a_strange_layout(tools, roots):
    (roots[0] / "odd").mkdir()
    (roots[1] / "gitdir").mkdir()
    (roots[0] / "odd/.git").symlink_to(roots[1] / "gitdir")
    result = tools.worker.result("git_init", path="odd")
    assert result["isError"] and os.listdir(roots[1] / "gitdir") == []


# The feature workflow

def test_feature(tools, repo):
    name = "feature/task-7-add-the-login"
    done = tools.ok("git_start_feature", task_id="7", description="Add the *login*!")
    assert done == {"branch": name, "created": True, "hash": repo.head()}
    assert tools.text == f"Created and switched to new feature branch: {name}"
    tools.ok("git_start_feature", task_id=7, description="add the login")
    assert tools.text == f"Already on feature branch: {name}"
    repo.git("checkout", "-q", "main")
    assert not tools.ok("git_start_feature", task_id=7, description="add the login")["created"]
    assert tools.text == f"Switched to existing feature branch: {name}"
    assert name in tools.fails("policy", "git_start_feature", task_id=8, description="x")

    tip = repo.commit("b", "b\n")
    tools.fails("not_merged", "git_finish_feature", branch_name=name)
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", name)
    repo.git("checkout", "-q", name)
    done = tools.ok("git_finish_feature", branch_name=name)
    assert done == {"branch": name, "hash": tip, "merged": True, "how": "ancestor"}
    assert tools.text == f"Finished feature {name}"
    assert repo.branch() == "main" and repo.git("branch", "--list", "feature/*") == ""


def test_finish_feature_after_a_squash(tools, repo):
    repo.git("checkout", "-qb", "feature/x")
    repo.commit("b", "b\n")
    repo.commit("b", "bb\n")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--squash", "feature/x")
    repo.git("commit", "-qm", "squashed")
    repo.commit("c", "c\n", "and more")
    done = tools.ok("git_finish_feature", branch_name="feature/x")
    assert done["merged"] and done["how"] == "same_content"


def test_finish_feature_looks_at_the_remote(tools, repo, roots):
    origin = roots[0] / "origin.git"
    repo.git("clone", "-q", "--bare", ".", str(origin))
    repo.git("remote", "add", "origin", str(origin))
    repo.git("fetch", "-q")
    repo.git("branch", "-q", "-u", "origin/main")
    repo.git("checkout", "-qb", "feature/x")
    repo.commit("b", "b\n")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "feature/x")
    tools.fails("not_merged", "git_finish_feature", branch_name="feature/x")
    repo.git("push", "-q", "origin", "main")
    tools.ok("git_finish_feature", branch_name="feature/x")


def test_finish_feature_refuses(tools, repo):
    repo.git("checkout", "-qb", "feature/x")
    tools.fails("policy", "git_finish_feature", branch_name="main")
    tools.fails("policy", "git_finish_feature", branch_name="feature/")
    tools.fails("not_found", "git_finish_feature", branch_name="feature/y")
    repo.write("a", "two\n")
    tools.fails("dirty_tree", "git_finish_feature", branch_name="feature/x")
    repo.git("commit", "-qam", "two")
    done = tools.ok("git_finish_feature", branch_name="feature/x", force=True)
    assert done["merged"] is False and done["how"] == "forced"


def test_start_feature_refuses(tools, repo):
    tools.fails("invalid_argument", "git_start_feature", task_id="seven", description="x")
    tools.fails("invalid_argument", "git_start_feature", task_id=-1, description="x")
    tools.fails("bad_revision", "git_start_feature", task_id=1, description="x", base_branch="no")
    repo.git("checkout", "-qb", "other")
    repo.commit("a", "two\n")
    repo.git("checkout", "-q", "main")
    repo.write("a", "mine\n")
    tools.fails("dirty_tree", "git_start_feature", task_id=1, description="x", base_branch="other")
    assert repo.git("branch", "--list", "feature/*") == "" and repo.branch() == "main"
    tools.ok("git_start_feature", task_id=1, description="???")
    assert repo.branch() == "feature/task-1" and repo.read("a") == "mine\n"


# Several workers on one repository

def test_workers_do_not_undo_each_other(start, repo):
    """Two workers stage different files at the same time, again and again; no file gets lost."""
    workers = [start().worker, start().worker]
    n = 40
    for i in range(n):
        for k, worker in enumerate(workers):
            repo.write(f"f{k}-{i}", "x\n")
    for i in range(n):
        for k, worker in enumerate(workers):
            worker.send({"jsonrpc": "2.0", "id": 1000 + i, "method": "tools/call", "params": {
                "name": "git_add", "arguments": {"files": [f"f{k}-{i}"]}}})
    for worker in workers:
        for _ in range(n):
            assert not worker.receive()["result"].get("isError")
    assert len(repo.git("ls-files").split()) == 2 * n + 1
