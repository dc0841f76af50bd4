"""git_clone, git_fetch, git_pull, git_push, git_push_feature, with remotes made by the git program.

Remotes are bare repositories inside the allowed directory, reached with the protocol `file`; what must
be refused is tried with every protocol. Nothing here needs a network.
"""

import json
import os
import shutil
import time

import pytest

from test_git_write import PROGRAM, Repo, Tools, repo, roots  # noqa: F401 (fixtures)
from stdio_worker import StdioWorker


@pytest.fixture
def start(roots, repo):  # noqa: F811
    started = []

    def start(**settings):
        settings.setdefault("default_repository", str(repo.path))
        settings.setdefault("allowed_protocols", ["file", "https", "ssh"])
        started.append(Tools([roots[0]], settings))
        return started[-1]

    yield start
    for tools in started:
        assert tools.worker.close() == 0


@pytest.fixture
def tools(start):
    return start()


@pytest.fixture
def remote(roots, repo):  # noqa: F811
    """A bare repository with the history of `repo`, which has it as origin."""
    path = roots[0] / "remote.git"
    repo.git("tag", "-a", "-m", "one", "v1")
    repo.git("clone", "-q", "--bare", str(repo.path), str(path))
    repo.git("remote", "add", "origin", str(path))
    repo.git("fetch", "-q", "origin")
    repo.git("branch", "-q", "--set-upstream-to=origin/main", "main")
    yield Repo(path)
    assert Repo(path).git("fsck", "--strict", "--no-dangling") == ""


@pytest.fixture
def other(roots, remote):
    """Somebody else's clone of the remote."""
    path = roots[0] / "other"
    remote.git("clone", "-q", str(remote.path), str(path))
    other = Repo(path)
    other.git("config", "user.name", "Somebody Else")
    other.git("config", "user.email", "else@example.org")
    return other


# Clone

def test_clone(tools, remote, roots):
    done = tools.ok("git_clone", url=str(remote.path), path="copy")
    copy = Repo(roots[0] / "copy")
    assert done == {"path": "copy", "url": str(remote.path), "branch": "main",
                    "head": remote.head("main")}
    assert tools.text == f"Cloned {remote.path} into copy"
    assert copy.status() == []
    assert copy.branch() == "main"
    assert copy.read("a") == "one\n"
    assert copy.git("config", "remote.origin.url") == str(remote.path)
    assert copy.git("rev-parse", "--abbrev-ref", "main@{upstream}") == "origin/main"
    assert copy.git("symbolic-ref", "refs/remotes/origin/HEAD") == "refs/remotes/origin/main"
    assert copy.git("tag") == "v1"
    assert copy.git("fsck", "--strict") == ""
    assert copy.git("fetch", "origin") == ""


def test_clone_branch_url_and_bare(tools, remote, repo, roots):  # noqa: F811
    repo.git("push", "-q", "origin", "main:refs/heads/topic")
    done = tools.ok("git_clone", url=f"file://{remote.path}", path=str(roots[0] / "t"),
                    branch="topic")
    assert done["branch"] == "topic"
    assert done["path"] == str(roots[0] / "t")
    assert Repo(roots[0] / "t").branch() == "topic"

    done = tools.ok("git_clone", url="remote.git", path="bare.git", bare=True)
    bare = Repo(roots[0] / "bare.git")
    assert bare.git("rev-parse", "--is-bare-repository") == "true"
    assert bare.git("branch", "--format=%(refname:short)").splitlines() == ["main", "topic"]
    assert bare.git("tag") == "v1"
    assert done["head"] == bare.head()


def test_clone_path_with_special_characters(tools, remote, roots):
    odd = roots[0] / "a b:c%41é.git"
    shutil.copytree(remote.path, odd)
    tools.ok("git_clone", url=str(odd), path="copy")
    assert Repo(roots[0] / "copy").head() == remote.head("main")


def test_clone_empty(tools, roots):
    Repo(roots[0]).git("init", "-q", "--bare", "empty.git")
    done = tools.ok("git_clone", url="empty.git", path="copy")
    assert "branch" not in done and "head" not in done
    assert Repo(roots[0] / "copy").status() == []


def test_clone_refusals_leave_nothing(tools, remote, roots):
    inside = roots[0]
    before = sorted(os.listdir(inside))
    tools.fails("already_exists", "git_clone", url="remote.git", path="repo")
    tools.fails("outside_roots", "git_clone", url="remote.git", path="../copy")
    tools.fails("outside_roots", "git_clone", url="remote.git", path="/tmp/copy")
    tools.fails("protected", "git_clone", url="remote.git", path="repo/.git/copy")
    tools.fails("not_found", "git_clone", url="remote.git", path="copy", branch="nope")
    tools.fails("invalid_argument", "git_clone", url="remote.git", path="copy", branch="-x")
    tools.fails("not_found", "git_clone", url="remote.git", path="no/where/copy")
    tools.fails("remote_refused", "git_clone", url="nothing-here", path="copy")
    tools.fails("remote_refused", "git_clone", url=str(roots[1]), path="copy")
    (inside / "mine").mkdir()
    tools.fails("already_exists", "git_clone", url="remote.git", path="mine")
    (inside / "mine").rmdir()
    assert sorted(os.listdir(inside)) == before


def test_clone_of_damaged_remote_is_removed(remote, roots):
    """libgit2 1.5 itself loses some memory when a file remote turns out to be broken."""
    with StdioWorker(PROGRAM, [roots[0]], {"allowed_protocols": ["file"]},
                     env={"ASAN_OPTIONS": "detect_leaks=0"}) as worker:
        for name in (remote.head("main"), remote.head("main:a")):
            damaged = roots[0] / "damaged.git"
            shutil.copytree(remote.path, damaged)
            path = damaged / "objects" / name[:2] / name[2:]
            os.chmod(path, 0o600)
            path.write_bytes(b"nonsense")
            assert worker.error_code("git_clone", url="damaged.git", path="copy") == "repo_refused"
            assert not (roots[0] / "copy").exists()
            shutil.rmtree(damaged)


def test_clone_through_symlink_out(tools, remote, roots):
    os.symlink(roots[1], roots[0] / "out")
    shutil.copytree(remote.path, roots[1] / "secret.git")
    tools.fails("outside_roots", "git_clone", url="remote.git", path="out/copy")
    tools.fails("remote_refused", "git_clone", url="out/secret.git", path="copy")
    tools.fails("remote_refused", "git_clone", url=f"file://{roots[1]}/secret.git", path="copy")
    tools.fails("remote_refused", "git_clone", url="../outside/secret.git", path="copy")
    assert os.listdir(roots[1]) == ["secret.git"]
    assert not (roots[0] / "copy").exists()


def test_clone_writes_no_symlinked_directory(tools, repo, remote, roots):  # noqa: F811
    """A tree that has a link and a file behind it cannot be checked out through the link."""
    target = roots[1] / "target"
    target.mkdir()
    os.symlink(target, repo.path / "link")
    repo.git("add", "link")
    repo.git("commit", "-qm", "link")
    repo.git("push", "-q", "origin", "main")
    tools.ok("git_clone", url="remote.git", path="copy")
    assert os.path.islink(roots[0] / "copy" / "link")
    assert os.listdir(target) == []


# Fetch

def test_fetch(tools, repo, remote, other):  # noqa: F811
    assert tools.ok("git_fetch") == {"remote": "origin", "updated": [], "pruned": []}
    assert tools.text == "Already up to date."

    old = repo.head("origin/main")
    new = other.commit("b", "two\n")
    other.git("push", "-q", "origin", "main", "main:refs/heads/topic")
    done = tools.ok("git_fetch", repo_path=str(repo.path))
    assert done["updated"] == [
        {"ref": "refs/remotes/origin/main", "old": old, "new": new},
        {"ref": "refs/remotes/origin/topic", "new": new},
    ]
    assert f"refs/remotes/origin/main: {old[:7]}..{new[:7]}\n" in tools.text
    assert f"refs/remotes/origin/topic: (new)..{new[:7]}\n" in tools.text
    assert repo.head("origin/main") == new
    assert repo.head() == old
    assert repo.reflog("origin/main")[0] == "fetch origin"


def test_fetch_prune(tools, repo, remote, other):  # noqa: F811
    repo.git("push", "-q", "origin", "main:refs/heads/gone")
    repo.git("update-ref", "refs/remotes/elsewhere/keep", "HEAD")
    other.git("push", "-q", "origin", ":refs/heads/gone")
    assert tools.ok("git_fetch")["pruned"] == []
    assert repo.head("origin/gone")
    assert tools.ok("git_fetch", prune=True)["pruned"] == ["refs/remotes/origin/gone"]
    assert "(gone)" in tools.text
    refs = repo.git("for-each-ref", "--format=%(refname)").splitlines()
    assert refs == ["refs/heads/main", "refs/remotes/elsewhere/keep", "refs/remotes/origin/main",
                    "refs/tags/v1"]


def test_fetch_tags(tools, repo, remote, other):  # noqa: F811
    other.git("tag", "followed")
    other.git("tag", "aside", other.git("commit-tree", "-m", "aside", "HEAD^{tree}"))
    other.git("push", "-q", "origin", "followed", "aside")
    other.commit("b", "two\n")
    other.git("push", "-q", "origin", "main")
    repo.git("config", "remote.origin.tagOpt", "--no-tags")
    tools.ok("git_fetch")
    assert repo.git("tag").splitlines() == ["v1"]
    tools.ok("git_fetch", tags=True)
    assert repo.git("tag").splitlines() == ["aside", "followed", "v1"]


def test_fetch_unknown_remote(tools, repo):  # noqa: F811
    for name in ("nope", "-x", "a/../b", "or igin", "http://x/y"):
        tools.fails("not_found", "git_fetch", remote=name)
    repo.git("config", "remote.empty.fetch", "+refs/heads/*:refs/remotes/empty/*")
    tools.fails("not_found", "git_fetch", remote="empty")


@pytest.mark.parametrize("spec", ["+refs/heads/*:refs/heads/*", "+refs/*:refs/*", "main:HEAD",
                                  "+refs/heads/main:refs/heads/main"])
def test_fetch_never_writes_local_branches(tools, repo, remote, other, spec):  # noqa: F811
    old = repo.head()
    other.commit("b", "two\n")
    other.git("push", "-q", "origin", "main")
    repo.git("config", "remote.origin.fetch", spec)
    tools.fails("repo_refused", "git_fetch")
    assert repo.head() == old


def test_fetch_needs_a_writable_root(roots, repo, remote):  # noqa: F811
    worker = StdioWorker(PROGRAM, [], {
        "roots": [{"path": str(roots[0]), "access": "read"}],
        "default_repository": str(repo.path), "allowed_protocols": ["file"]})
    with worker:
        assert worker.error_code("git_fetch") == "read_only"
        assert worker.error_code("git_push", branch="topic") == "read_only"
        assert worker.error_code("git_pull") == "read_only"
        assert worker.error_code("git_clone", url="remote.git", path="copy") == "read_only"


# Pull

def test_pull_fast_forward(tools, repo, remote, other):  # noqa: F811
    old = repo.head()
    assert tools.ok("git_pull") == {"result": "up_to_date", "head": old, "previous_head": old,
                                    "conflicts": []}
    assert tools.text == "Already up to date."
    new = other.commit("a", "two\n")
    other.git("push", "-q", "origin", "main")
    done = tools.ok("git_pull")
    assert done == {"result": "fast_forward", "head": new, "previous_head": old, "conflicts": []}
    assert tools.text == f"Fast-forwarded main to {new[:7]}"
    assert repo.head() == new
    assert repo.status() == []
    assert repo.read("a") == "two\n"


def test_pull_diverged(tools, repo, remote, other):  # noqa: F811
    theirs = other.commit("b", "two\n")
    other.git("push", "-q", "origin", "main")
    ours = repo.commit("c", "three\n")
    tools.fails("not_fast_forward", "git_pull")
    assert repo.head() == ours
    done = tools.ok("git_pull", ff_only=False)
    assert done["result"] == "merged"
    assert done["previous_head"] == ours
    assert repo.git("log", "-1", "--format=%P") == f"{ours} {theirs}"
    assert repo.git("log", "-1", "--format=%s") == "Merge remote-tracking branch 'origin/main'"
    assert repo.status() == []


def test_pull_conflict(tools, repo, remote, other):  # noqa: F811
    other.commit("a", "theirs\n")
    other.git("push", "-q", "origin", "main")
    repo.commit("a", "ours\n")
    text = tools.fails("merge_conflict", "git_pull", ff_only=False)
    assert " a." in text
    assert repo.status() == ["UU a"]
    tools.fails("dirty_tree", "git_pull")
    tools.ok("git_merge", abort=True)
    assert repo.status() == []


def test_pull_keeps_local_changes(tools, repo, remote, other):  # noqa: F811
    other.commit("a", "two\n")
    other.git("push", "-q", "origin", "main")
    repo.write("a", "mine\n")
    tools.fails("dirty_tree", "git_pull")
    assert repo.read("a") == "mine\n"
    repo.git("checkout", "-q", "a")


def test_pull_which_branch(tools, repo, remote, other):  # noqa: F811
    new = other.commit("b", "two\n")
    other.git("push", "-q", "origin", "main:refs/heads/topic")
    tools.fails("not_found", "git_pull", branch="nope")
    tools.fails("not_found", "git_pull", remote="nope")
    assert tools.ok("git_pull", branch="topic")["head"] == new
    repo.git("checkout", "-qb", "alone")
    tools.fails("not_found", "git_pull")
    repo.git("checkout", "-q", "--detach")
    tools.fails("invalid_argument", "git_pull")
    tools.fails("repo_refused", "git_pull", repo_path=str(remote.path))


def test_pull_branch_outside_the_refspecs(tools, repo, remote, other):  # noqa: F811
    new = other.commit("b", "two\n")
    other.git("push", "-q", "origin", "main:refs/heads/topic")
    repo.git("config", "remote.origin.fetch", "+refs/heads/main:refs/remotes/origin/main")
    assert tools.ok("git_pull", branch="topic")["head"] == new
    assert "refs/remotes/origin/topic" not in repo.git("for-each-ref")


def test_pull_enforce_protected(start, repo, remote, other):  # noqa: F811
    tools = start(enforce_protected=True)  # noqa: F811
    new = other.commit("b", "two\n")
    other.git("push", "-q", "origin", "main")
    assert tools.ok("git_pull")["head"] == new
    tools.fails("policy", "git_pull", ff_only=False)


# Push

def test_push(tools, repo, remote):  # noqa: F811
    repo.git("checkout", "-qb", "topic")
    new = repo.commit("b", "two\n")
    done = tools.ok("git_push")
    assert done == {"remote": "origin", "branch": "topic", "hash": new, "result": "created"}
    assert tools.text == f"Pushed topic to origin ({new[:7]})"
    assert remote.head("topic") == new
    assert repo.head("origin/topic") == new
    assert repo.git("config", "branch.topic.merge", check=False) == ""
    assert tools.ok("git_push", set_upstream=True)["result"] == "up_to_date"
    assert repo.git("rev-parse", "--abbrev-ref", "topic@{upstream}") == "origin/topic"
    newer = repo.commit("b", "three\n")
    repo.git("checkout", "-q", "main")
    assert tools.ok("git_push", branch="topic")["result"] == "updated"
    assert remote.head("topic") == newer


def test_push_tags(tools, repo, remote):  # noqa: F811
    repo.git("checkout", "-qb", "topic")
    repo.git("tag", "-a", "-m", "two", "v2")
    tools.ok("git_push", tags=True)
    assert remote.git("tag").splitlines() == ["v1", "v2"]
    repo.git("tag", "-d", "v2")
    repo.commit("b", "two\n")
    repo.git("tag", "v2")
    tools.fails("already_exists", "git_push", tags=True)
    assert remote.head("topic") == repo.head("topic~")


def test_push_refusals(tools, repo, remote):  # noqa: F811
    tools.fails("policy", "git_push")
    tools.fails("policy", "git_push", branch="main")
    tools.fails("not_found", "git_push", branch="nope")
    tools.fails("not_found", "git_push", branch="-x")
    tools.fails("policy", "git_push", branch="main", force_with_lease=True)
    repo.git("checkout", "-qb", "topic")
    tools.fails("policy", "git_push", force_with_lease=True)
    tools.fails("not_found", "git_push", remote="nope")
    repo.git("checkout", "-q", "--detach")
    tools.fails("invalid_argument", "git_push")
    assert remote.git("branch", "--format=%(refname:short)") == "main"


def test_push_rejected_then_forced(start, repo, remote, other):  # noqa: F811
    tools = start(allow_force_push=True)  # noqa: F811
    repo.git("checkout", "-qb", "topic")
    repo.commit("b", "one\n")
    tools.ok("git_push")
    seen = repo.head()
    repo.git("commit", "-q", "--amend", "-m", "again")
    tools.fails("not_fast_forward", "git_push")
    assert remote.head("topic") == seen

    # Somebody else pushed: neither a plain push nor one with a lease may win.
    other.git("fetch", "-q")
    other.git("checkout", "-q", "topic")
    theirs = other.commit("c", "else\n")
    other.git("push", "-q", "origin", "topic")
    text = tools.fails("not_fast_forward", "git_push", force_with_lease=True)
    assert "Fetch" in text
    assert remote.head("topic") == theirs

    tools.ok("git_fetch")
    done = tools.ok("git_push", force_with_lease=True)
    assert done["result"] == "forced"
    assert remote.head("topic") == repo.head() == repo.head("origin/topic")


def test_force_needs_to_have_seen_it(start, repo, remote, other):  # noqa: F811
    tools = start(allow_force_push=True)  # noqa: F811
    other.commit("b", "else\n")
    other.git("push", "-q", "origin", "main:refs/heads/topic")
    theirs = remote.head("topic")
    repo.git("checkout", "-qb", "topic")
    repo.commit("c", "mine\n")
    tools.fails("not_fast_forward", "git_push", force_with_lease=True)
    assert remote.head("topic") == theirs


def test_push_to_working_tree(tools, repo, other):  # noqa: F811
    repo.git("remote", "add", "tree", str(other.path))
    repo.git("checkout", "-qb", "topic")
    tools.fails("remote_refused", "git_push", remote="tree")
    assert "topic" not in other.git("branch")


def test_hooks_of_the_remote_do_not_run(tools, repo, remote, roots):  # noqa: F811
    marker = roots[0] / "ran"
    for where in (remote.path / "hooks", repo.path / ".git" / "hooks"):
        where.mkdir(exist_ok=True)
        for name in ("pre-receive", "update", "post-receive", "post-update", "pre-push",
                     "reference-transaction", "post-merge", "post-checkout"):
            hook = where / name
            hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
            hook.chmod(0o755)
    repo.git("-c", "core.hooksPath=/dev/null", "checkout", "-qb", "topic")
    tools.ok("git_push")
    tools.ok("git_fetch")
    tools.ok("git_clone", url="remote.git", path="copy")
    tools.ok("git_pull", branch="main")
    assert not marker.exists()
    for where in (remote.path / "hooks", repo.path / ".git" / "hooks"):
        shutil.rmtree(where)


def test_pushurl(tools, repo, remote, roots):  # noqa: F811
    shutil.copytree(remote.path, roots[0] / "second.git")
    repo.git("config", "remote.origin.pushurl", str(roots[0] / "second.git"))
    repo.git("checkout", "-qb", "topic")
    tools.ok("git_push")
    assert "topic" in Repo(roots[0] / "second.git").git("branch")
    assert "topic" not in remote.git("branch")


# The workflow

def test_push_feature(start, repo, remote):  # noqa: F811
    tools = start()  # noqa: F811
    tools.fails("policy", "git_push_feature")
    repo.git("checkout", "-qb", "topic")
    tools.fails("policy", "git_push_feature")
    tools.ok("git_start_feature", task_id=7, description="Greet")
    new = repo.commit("b", "two\n")
    done = tools.ok("git_push_feature", no_verify=True)
    assert done == {"remote": "origin", "branch": "feature/task-7-greet", "hash": new,
                    "result": "created"}
    assert tools.text == f"Verified push to feature/task-7-greet (Hash: {new[:7]})."
    assert remote.head("feature/task-7-greet") == new
    assert tools.ok("git_push_feature")["result"] == "up_to_date"

    repo.git("commit", "-q", "--amend", "-m", "again")
    tools.fails("not_fast_forward", "git_push_feature")
    tools.fails("policy", "git_push_feature", force=True)
    assert start(allow_force_push=True).ok("git_push_feature", force=True)["result"] == "forced"
    assert remote.head("feature/task-7-greet") == repo.head()


# What is refused, whatever asks for it

REFUSED = [
    "ext::sh -c touch% /tmp/ran", "fd::17", "foo::bar", "-oProxyCommand=touch /tmp/ran",
    "--upload-pack=touch /tmp/ran", "ssh://-oProxyCommand=x/y", "ssh://-x@example.org/y",
    "ssh://git@-example.org/y", "ssh://example.org/-y", "-x@example.org:y", "git@-oX:y",
    "git@example.org:-y", "http://example.org/x.git", "git://example.org/x.git",
    "ftp://example.org/x", "git+ssh://example.org/x", "HTTPS://example.org/x.git",
    "https://", "https:///x", "https://example.org", "https://exa mple.org/x",
    "https://example.org/a b", "https://example.org:99999/x", "https://example.org:x/y",
    "https://example.org:0/y", "https://example.org/x?y", "https://example.org/x#y",
    "https://[::1]/x", "https://user@@/x", "ssh://example.org/x'y", "ssh://%2dx@example.org/y",
    "file://host/x", "file://%00", "file:x",
]
PRIVATE = [
    "https://127.0.0.1/x.git", "https://localhost/x.git", "https://LOCALHOST./x.git",
    "https://a.localhost/x.git", "https://10.0.0.1/x", "https://192.168.1.1:8443/x",
    "https://169.254.169.254/latest", "https://0.0.0.0/x", "https://2130706433/x",
    "https://127.1/x", "https://0x7f.0.0.1/x", "https://0177.0.0.1/x", "https://172.16.5.4/x",
    "https://user:secret@127.0.0.1/x", "https://localhost:443/x", "https://224.0.0.1/x",
]


@pytest.mark.parametrize("code,urls", [("remote_refused", REFUSED), ("address_refused", PRIVATE)])
def test_refused_urls(tools, repo, remote, roots, code, urls):  # noqa: F811
    repo.git("checkout", "-qb", "topic")
    repo.git("remote", "add", "evil", "x")
    for url in urls:
        text = tools.fails(code, "git_clone", url=url, path="copy")
        assert "secret" not in text
        repo.git("config", "remote.evil.url", url)
        tools.fails(code, "git_fetch", remote="evil")
        tools.fails(code, "git_pull", remote="evil", branch="main")
        tools.fails(code, "git_push", remote="evil")
    assert not (roots[0] / "copy").exists()


def test_protocols_must_be_allowed(start, repo, remote, roots):  # noqa: F811
    default = Tools([roots[0]], {"default_repository": str(repo.path)})
    for url in (str(remote.path), f"file://{remote.path}", "remote.git"):
        default.fails("remote_refused", "git_clone", url=url, path="copy")
    default.fails("remote_refused", "git_fetch")
    assert default.worker.close() == 0
    only_file = start(allowed_protocols=["file"])
    only_file.fails("remote_refused", "git_clone", url="https://example.org/x", path="copy")
    only_file.fails("remote_refused", "git_clone", url="ssh://example.org/x", path="copy")
    only_file.fails("remote_refused", "git_clone", url="git@example.org:x", path="copy")
    only_file.ok("git_fetch")


def test_rewritten_url_is_judged(tools, repo, remote, roots):  # noqa: F811
    secret = roots[1] / "secret.git"
    shutil.copytree(remote.path, secret)
    repo.git("checkout", "-qb", "topic")
    repo.git("config", f"url.{secret}.insteadOf", str(remote.path))
    tools.fails("remote_refused", "git_fetch")
    tools.fails("remote_refused", "git_pull", branch="main")
    tools.fails("remote_refused", "git_push")
    repo.git("config", "--remove-section", f"url.{secret}")

    repo.git("config", f"url.{secret}.pushInsteadOf", str(remote.path))
    tools.ok("git_fetch")
    tools.fails("remote_refused", "git_push")
    repo.git("config", "--remove-section", f"url.{secret}")

    repo.git("config", "url.http://example.org/.insteadOf", "https://example.org/")
    repo.git("config", "remote.far.url", "https://example.org/x.git")
    tools.fails("remote_refused", "git_fetch", remote="far")
    repo.git("config", "url.ext::sh -c x .insteadOf", "short:")
    repo.git("config", "remote.short.url", "short:y")
    tools.fails("remote_refused", "git_fetch", remote="short")
    assert "topic" not in Repo(secret).git("branch")

    # The longest prefix wins, as in git, and a good one is followed.
    repo.git("config", f"url.{roots[0]}/.insteadOf", "here:")
    repo.git("config", f"url.{secret}/.insteadOf", "he")
    repo.git("config", "remote.near.url", "here:remote.git")
    repo.git("config", "remote.near.fetch", "+refs/heads/*:refs/remotes/near/*")
    tools.ok("git_fetch", remote="near")
    assert repo.head("near/main") == remote.head("main")


def test_programs_of_the_configuration_do_not_run(tools, repo, remote, roots):  # noqa: F811
    marker = roots[0] / "ran"
    script = roots[0] / "script"
    script.write_text(f"#!/bin/sh\ntouch {marker}\nexit 1\n")
    script.chmod(0o755)
    for key in ("remote.origin.uploadpack", "remote.origin.receivepack", "credential.helper",
                "core.sshCommand", "core.askPass", "core.gitProxy", "core.fsmonitor"):
        repo.git("config", key, str(script))
    repo.git("config", "remote.origin.vcs", "ext")
    repo.git("config", "remote.origin.proxy", "http://127.0.0.1:1/")
    repo.git("config", "core.fsmonitor", str(script))
    tools.ok("git_fetch")
    tools.ok("git_start_feature", task_id=1, description="x")
    tools.ok("git_push_feature")
    tools.ok("git_pull", branch="main")
    assert not marker.exists()
    repo.git("config", "--unset", "core.fsmonitor")


def test_remote_with_parts_outside(tools, repo, remote, roots):  # noqa: F811
    """A remote inside of the roots whose objects lie outside is as good as one outside."""
    tricky = roots[0] / "tricky.git"
    shutil.copytree(remote.path, tricky)
    shutil.move(tricky / "objects", roots[1] / "objects")
    os.symlink(roots[1] / "objects", tricky / "objects")
    tools.fails("remote_refused", "git_clone", url="tricky.git", path="copy")
    os.unlink(tricky / "objects")
    (tricky / "objects" / "info").mkdir(parents=True)
    (tricky / "objects" / "info" / "alternates").write_text(f"{roots[1]}/objects\n")
    tools.fails("remote_refused", "git_clone", url="tricky.git", path="copy")
    assert not (roots[0] / "copy").exists()


def test_ssh_hosts_must_be_known(tools):
    text = tools.fails("remote_refused", "git_clone", url="git@unknown.invalid:x.git", path="copy")
    assert "known_hosts" in text
    tools.fails("remote_refused", "git_clone", url="ssh://git@127.0.0.1/x.git", path="copy")


def test_names_that_do_not_resolve(tools, roots):
    result = tools.worker.result("git_clone", url="https://nowhere.invalid/x.git", path="copy")
    assert result["isError"]
    assert result["content"][0]["text"].split(":")[0] in ("dns_failed", "address_refused")
    assert not (roots[0] / "copy").exists()


def test_no_credentials_in_answers(tools, repo, roots):  # noqa: F811
    url = "https://someone:hunter2@nowhere.invalid/x.git"
    results = [tools.worker.result("git_clone", url=url, path="copy")]
    repo.git("remote", "add", "far", url)
    repo.git("checkout", "-qb", "topic")
    results += [tools.worker.result(tool, remote="far", **args) for tool, args in (
        ("git_fetch", {}), ("git_pull", {"branch": "main"}), ("git_push", {}))]
    results.append(tools.worker.result("git_remote_list"))
    for url in ("http://a:hunter2@x.org/", "ssh://a:hunter2@/x", "a:hunter2@b::c"):
        results.append(tools.worker.result("git_clone", url=url, path="copy"))
    for result in results:
        assert "hunter2" not in json.dumps(result)
    assert all(result.get("isError") for result in results[:4] + results[5:])


# Stopping

def test_progress_and_cancel(start, repo, roots):  # noqa: F811
    """A cancelled clone ends at once and leaves nothing."""
    big = roots[0] / "big.git"
    Repo(roots[0]).git("init", "-q", "--bare", "-b", "main", str(big))
    stream = ["commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nx\n"]
    for i in range(30000):
        body = f"{i} {os.urandom(40).hex()}"
        stream.append(f"M 100644 inline d{i % 100}/f{i}\ndata {len(body)}\n{body}\n")
    import subprocess
    subprocess.run(["git", "fast-import", "--quiet"], cwd=big, input="".join(stream).encode(),
                   check=True, timeout=120)
    tools = start()  # noqa: F811
    worker = tools.worker
    worker.send({"jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": {
        "name": "git_clone", "arguments": {"url": "big.git", "path": "copy"},
        "_meta": {"progressToken": "p"}}})
    time.sleep(0.1)
    worker.notify("notifications/cancelled", {"requestId": "c"})
    began = time.monotonic()
    assert worker.request("ping")["result"] == {}
    assert time.monotonic() - began < 10
    assert not (roots[0] / "copy").exists()
    assert all(n["method"] == "notifications/progress" for n in worker.notifications)
    tools.ok("git_clone", url="big.git", path="copy")


def test_leaves_no_connection_or_memory_behind(tools, repo, remote, other):  # noqa: F811
    """Many exchanges in one process: no descriptor stays open."""
    descriptors = f"/proc/{tools.worker.process.pid}/fd"
    tools.ok("git_fetch")
    before = len(os.listdir(descriptors))
    for _ in range(20):
        tools.ok("git_fetch")
        tools.fails("policy", "git_push")
        tools.fails("already_exists", "git_clone", url="remote.git", path="repo")
    assert len(os.listdir(descriptors)) == before


def test_descriptors(tools):
    listed = tools.worker.request("tools/list")["result"]["tools"]
    names = [tool["name"] for tool in listed]
    assert names[-8:] == ["git_init", "git_clone", "git_fetch", "git_pull", "git_push",
                          "git_start_feature", "git_finish_feature", "git_push_feature"]
    for tool in listed:
        if tool["name"] in ("git_clone", "git_fetch", "git_pull", "git_push", "git_push_feature"):
            assert tool["annotations"]["openWorldHint"]
            assert tool["annotations"]["destructiveHint"] == ("push" in tool["name"])
