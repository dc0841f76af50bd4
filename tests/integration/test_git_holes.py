"""Ways in which other git servers were broken, each tried on ours.

Programs that a repository's configuration or hooks name, options smuggled in as names, repositories
whose parts lie elsewhere, paths and links that lead out, also while a call runs. What must not happen
leaves a trace outside of the allowed directory: a marker that a planted program makes, a changed file,
words of a secret. The control at the top shows that the traps do spring, for the git program.
"""

import ctypes
import json
import multiprocessing
import os
import pathlib
import subprocess
import time

import pytest

from stdio_worker import StdioWorker
from test_git_write import ENV, PROGRAM, Repo, Tools
from test_git_write import repo, roots  # noqa: F401 (fixtures)

SECRET = "words-of-the-secret"
SETTINGS = {"allowed_protocols": ["file", "https", "ssh"], "allow_force_push": True}
HOOKS = """applypatch-msg commit-msg fsmonitor-watchman post-applypatch post-checkout post-commit post-index-change
post-merge post-receive post-rewrite post-update pre-applypatch pre-auto-gc pre-commit pre-merge-commit pre-push
pre-rebase pre-receive prepare-commit-msg proc-receive push-to-checkout reference-transaction sendemail-validate
update""".split()
# Keys that name a program, and what stands beside them to make git run it.
PROGRAM_KEYS = """alias.add alias.commit alias.status blame.ignoreRevsFile browser.x.cmd core.alternateRefsCommand
core.askPass core.editor core.fsmonitor core.gitProxy core.pager core.sshCommand credential.helper
credential.https://example.org.helper diff.evil.command diff.evil.textconv diff.external difftool.x.cmd
filter.evil.clean filter.evil.process filter.evil.smudge filter.lfs.clean filter.lfs.process filter.lfs.smudge
gpg.program gpg.ssh.defaultKeyCommand gpg.ssh.program gpg.x509.program guitool.x.cmd http.proxy
imap.tunnel instaweb.httpd interactive.diffFilter man.x.cmd merge.evil.driver mergetool.x.cmd pager.log pager.status
remote.origin.proxy remote.origin.receivepack remote.origin.uploadpack remote.origin.vcs sendemail.smtpserver
sequence.editor submodule.sub.update trailer.x.command trailer.x.cmd uploadpack.packObjectsHook""".split()
SWITCHES = {"commit.gpgSign": "true", "tag.gpgSign": "true", "push.gpgSign": "true", "filter.evil.required": "true",
            "merge.default": "evil", "protocol.allow": "always", "protocol.ext.allow": "always",
            "core.autocrlf": "false", "diff.tool": "x", "merge.tool": "x", "fetch.recurseSubmodules": "true",
            "submodule.recurse": "true", "submodule.sub.url": "ext::sh -c x", "rebase.autoStash": "true",
            "gc.auto": "1", "receive.autogc": "true", "maintenance.auto": "true", "push.default": "matching"}


def outside_of(repo):
    inside = next(parent for parent in repo.path.parents if parent.name == "inside")
    return inside.parent / "outside"


def script(path, mark):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n: > '{mark}'\ncat\n")
    path.chmod(0o755)
    return path


def value_of(key, trap):
    if key.startswith(("alias.", "submodule.")):
        return f"!{trap}"
    return f"{trap} --" if key.endswith(".cmd") else str(trap)


def plant(repo, where=None):
    """Every hook and every key, each with a marker of its own. Returns the directory of the markers."""
    git_dir = where or repo.path / ".git"
    marks = outside_of(repo) / "marks"
    marks.mkdir(exist_ok=True)
    for hook in HOOKS:
        script(git_dir / "hooks" / hook, marks / f"hook {hook}")
        script(outside_of(repo) / "hooks" / hook, marks / f"hooksPath {hook}")
    lines = [f'[core]\n\thooksPath = {outside_of(repo) / "hooks"}\n']
    for number, key in enumerate(PROGRAM_KEYS):
        trap = script(outside_of(repo) / "traps" / str(number), marks / key.replace("/", "_"))
        lines.append(setting(key, value_of(key, trap)))
    lines += [setting(*item) for item in SWITCHES.items()]
    with open(git_dir / "config", "a") as config:
        config.write("".join(lines))
    return marks


def setting(key, value):
    section, _, rest = key.partition(".")
    middle, _, name = rest.rpartition(".")
    head = f'[{section} "{middle}"]' if middle else f"[{section}]"
    value = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'{head}\n\t{name} = "{value}"\n'


def found(marks):
    return sorted(os.listdir(marks))


@pytest.fixture
def kept(repo):  # noqa: F811
    """What was planted goes again before the fixture `repo` lets git judge the repository."""
    config = repo.path / ".git" / "config"
    text = config.read_text()
    yield repo
    config.write_text(text)
    subprocess.run(["rm", "-rf", str(repo.path / ".git" / "hooks")], check=True)


@pytest.fixture
def start(roots, repo):  # noqa: F811
    started = []

    def start(**settings):
        started.append(Tools([roots[0]], {"default_repository": str(repo.path), **SETTINGS, **settings}))
        return started[-1]

    yield start
    for tools in started:
        assert tools.worker.close() == 0


@pytest.fixture
def tools(start):
    return start()


@pytest.fixture
def remote(roots, repo):  # noqa: F811
    path = roots[0] / "remote.git"
    repo.git("clone", "-q", "--bare", str(repo.path), str(path))
    repo.git("remote", "add", "origin", str(path))
    repo.git("fetch", "-q", "origin")
    repo.git("branch", "-q", "--set-upstream-to=origin/main", "main")
    return Repo(path)


# What starts programs

class Tour:
    """Calls every tool in an order in which each has something to do."""

    def __init__(self, tools, repo):
        self.tools = tools
        self.repo = repo
        self.called = set()

    def __call__(self, tool, **args):
        self.called.add(tool)
        return self.tools.ok(tool, **args)

    def conflict(self, tool, **args):
        self.called.add(tool)
        self.tools.fails("merge_conflict", tool, **args)

    def read(self):
        for tool in ("git_get_status", "git_diff", "git_log", "git_branch", "git_tag_list", "git_stash_list",
                     "git_remote_list", "git_worktree_list", "git_list_repos", "git_get_safety_rules",
                     "git_reflog"):
            self(tool)
        self("git_get_status", include_ignored=True)
        self("git_diff", cached=True)
        self("git_diff", target="HEAD")
        self("git_diff", stat=True, ignore_whitespace=True)
        self("git_log", stat=True, file_path="f")
        self("git_show", revision="HEAD")
        self("git_show", revision="HEAD:a")
        self("git_blame", file_path="a")
        self("git_grep", pattern="one", regex=True)

    def write(self):
        write = self.repo.write
        write("f", "1\n2\n3\n")
        self.read()
        self("git_add")
        self("git_commit", message="f")
        self("git_create_branch", branch_name="b")
        self("git_checkout", branch_name="b")
        write("f", "1\n2\n3 b\n")
        self("git_commit", message="on b", files=["f"])
        self("git_checkout", branch_name="main")
        write("f", "1 main\n2\n3\n")
        self("git_commit", message="on main", files=["f"], amend=True)
        self("git_cherry_pick", commits=["b"], no_commit=True)
        self("git_reset", mode="hard", confirm=True)
        self.conflict("git_merge", branch="b", no_ff=True)
        self.read()
        self("git_merge", abort=True)
        self("git_create_branch", branch_name="c", base_branch="main~1", checkout=True)
        write("c", "c\n")
        self("git_commit", message="on c", files=["c"])
        self("git_merge", branch="main", no_ff=True)
        self("git_rename_branch", old_name="b", new_name="d")
        self("git_delete_branch", branch_name="d", force=True)
        self("git_revert", commits=["HEAD~1"])
        write("f", "stash\n")
        write("new", "new\n")
        self("git_stash", include_untracked=True)
        self("git_stash", action="apply")
        self("git_restore", paths=["f"])
        (self.repo.path / "new").unlink()
        self("git_stash", action="pop")
        self("git_add", files=["f"])
        self("git_reset")
        self("git_restore", paths=["f"], source="HEAD~1", staged=True)
        self("git_reset", mode="hard", confirm=True)
        (self.repo.path / "new").unlink()
        self("git_create_branch", branch_name="e", base_branch="main~1", checkout=True)
        write("f", "1 e\n2\n3\n")
        self("git_commit", message="on e", files=["f"])
        self.conflict("git_rebase", onto="main")
        write("f", "1 both\n2\n3\n")
        self("git_add", files=["f"])
        self("git_rebase", action="continue")
        self("git_tag", name="v1", message="signed?")
        self("git_worktree_add", worktree_path="wt")
        self("git_worktree_remove", worktree_path="wt")
        self("git_init", path="fresh")

    def exchange(self):
        self("git_checkout", branch_name="main")
        self("git_clone", url="remote.git", path="copy")
        self("git_fetch", prune=True, tags=True)
        self("git_start_feature", task_id=1, description="x")
        self.repo.write("feature", "1\n")
        self("git_add", files=["feature"])
        self("git_smart_commit", message="feature")
        self("git_push_feature")
        self("git_push", branch="e", tags=True, set_upstream=True, force_with_lease=True)
        self("git_finish_feature", branch_name="feature/task-1-x", force=True)
        self("git_pull", ff_only=False)
        self("git_pull", branch="e", ff_only=False)


def test_control_traps_spring(kept, remote):
    """The git program runs what is planted, so its absence below means something."""
    marks = plant(kept)
    kept.write(".gitattributes", "* filter=evil\n")

    def git(*command):
        subprocess.run(["git", *command], cwd=kept.path, env=ENV, capture_output=True, timeout=60,
                       stdin=subprocess.DEVNULL, check=False)

    git("status")
    (kept.path / ".gitattributes").unlink()
    git("commit", "-qm", "x", "--allow-empty")
    assert {"core.fsmonitor", "filter.evil.process", "gpg.program", "hooksPath pre-commit"} <= set(found(marks))


@pytest.mark.sanitizers
def test_no_program_is_started(tools, kept, remote):
    marks = plant(kept)
    plant(kept, remote.path)
    kept.write(".gitattributes", "* filter=evil diff=evil merge=evil\n*.bin filter=lfs -text\n")
    kept.write(".gitmodules", '[submodule "sub"]\n\tpath = sub\n\turl = ext::sh -c x\n')
    tour = Tour(tools, kept)
    tour.write()
    tour.exchange()
    listed = {tool["name"] for tool in tools.worker.request("tools/list")["result"]["tools"]}
    assert tour.called == listed
    assert found(marks) == []
    assert set(os.listdir(kept.path.parent / "copy/.git/hooks")) <= {"README.sample"}


READS = [("git_get_status", {}), ("git_diff", {}), ("git_log", {}), ("git_show", {"revision": "HEAD"}),
         ("git_blame", {"file_path": "a"}), ("git_grep", {"pattern": "o"}), ("git_branch", {}),
         ("git_tag_list", {}), ("git_stash_list", {}), ("git_remote_list", {}), ("git_worktree_list", {}),
         ("git_reflog", {})]
WRITES = [("git_add", {}), ("git_reset", {}), ("git_restore", {"paths": ["a"]}),
          ("git_commit", {"message": "m", "allow_empty": True}), ("git_smart_commit", {"message": "m"}),
          ("git_create_branch", {"branch_name": "n"}), ("git_delete_branch", {"branch_name": "side"}),
          ("git_rename_branch", {"old_name": "side", "new_name": "n"}), ("git_checkout", {"branch_name": "side"}),
          ("git_merge", {"branch": "side"}), ("git_cherry_pick", {"commits": ["side"]}),
          ("git_revert", {"commits": ["HEAD"]}), ("git_rebase", {"onto": "side"}), ("git_stash", {}),
          ("git_tag", {"name": "t"}), ("git_worktree_add", {"worktree_path": "wt"}),
          ("git_worktree_remove", {"worktree_path": "wt"}), ("git_fetch", {}), ("git_pull", {}),
          ("git_push", {"branch": "side"}), ("git_push_feature", {}),
          ("git_start_feature", {"task_id": 1, "description": "d"}),
          ("git_finish_feature", {"branch_name": "feature/x"})]


def refused_by_all(tools, code, **more):
    """Each tool on a repository says so, and in words that say no more than they should."""
    for tool, args in READS + WRITES:
        text = tools.fails(code, tool, **args, **more)
        assert SECRET not in text and "passwd" not in text, text


@pytest.mark.parametrize("words", [
    "[include]\n\tpath = {outside}/config\n",
    "[INCLUDE]\n\tPath = {outside}/config\n",
    '[includeIf "gitdir:/"]\n\tpath = {outside}/config\n',
    '[includeIf "onbranch:main"]\n\tpath = ~/config\n',
    "[core]\n\tworktree = {outside}\n",
    "[core]\n\tworktree = ../../elsewhere\n",
    "[core]\n\tattributesFile = {outside}/config\n",
    "[core]\n\texcludesFile = /etc/passwd\n",
    "[core]\n\texcludesFile = ~/.ssh/config\n",
    "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tworktreeConfig = true\n",
    "[extensions]\n\tpartialClone = origin\n",
    '[remote "origin"]\n\tpromisor = true\n',
])
def test_configuration_that_leads_elsewhere(words, tools, kept, roots):  # noqa: F811
    (roots[0] / "elsewhere").mkdir()
    (roots[1] / "config").write_text(f"[core]\n\tfsmonitor = {SECRET}\n{SECRET}\n")
    with open(kept.path / ".git" / "config", "a") as config:
        config.write(words.format(outside=roots[1]))
    refused_by_all(tools, "repo_refused")


def test_files_named_by_the_configuration_are_not_read(tools, kept, roots):  # noqa: F811
    """Templates, mail maps, lists of commits: not read, so nothing of them can come out."""
    (roots[1] / "secret").write_text(f"{SECRET}\n")
    (roots[1] / "template" / "hooks").mkdir(parents=True)
    script(roots[1] / "template" / "hooks" / "post-checkout", roots[1] / "ran")
    with open(kept.path / ".git" / "config", "a") as config:
        for key in ("commit.template", "mailmap.file", "blame.ignoreRevsFile", "http.cookieFile",
                    "http.sslCAInfo", "gpg.ssh.allowedSignersFile", "merge.log", "core.notesRef"):
            config.write(setting(key, roots[1] / "secret"))
        config.write(setting("init.templateDir", roots[1] / "template"))
    kept.write("f", "f\n")
    answers = [tools.ok("git_commit", message="m", files=["f"]), tools.ok("git_log"),
               tools.ok("git_blame", file_path="f"), tools.ok("git_init", path="fresh")]
    assert SECRET not in json.dumps(answers) and SECRET not in kept.git("log", "--format=%B")
    assert not (roots[0] / "fresh/.git/hooks/post-checkout").exists() and not (roots[1] / "ran").exists()


# Names that are options for others

OPTIONS = ["--upload-pack=touch {mark}", "--output={mark}", "-o{mark}", "--exec=touch {mark}", "-c", "--help",
           "--", "-", "--git-dir={outside}", "-C{outside}", "ext::sh -c touch% {mark}", "--config=core.pager=x",
           "$(touch {mark})", "`touch {mark}`", "; touch {mark}", "| touch {mark}", "\ntouch {mark}\n",
           "--open-files-in-pager=touch {mark}", "-Otouch {mark}"]


@pytest.mark.parametrize("option", OPTIONS)
def test_options_as_names(option, tools, repo, roots):  # noqa: F811
    """Every text that a caller chooses, given as an option: it is a name that does not exist."""
    mark = roots[1] / "mark"
    text = option.format(mark=mark, outside=roots[1])
    head = repo.head()
    for tool, name, more in (
        ("git_diff", "target", {}), ("git_log", "revision", {}), ("git_show", "revision", {}),
        ("git_blame", "revision", {"file_path": "a"}), ("git_branch", "contains", {}),
        ("git_branch", "not_contains", {}), ("git_reflog", "ref", {}), ("git_grep", "revision", {"pattern": "x"}),
        ("git_reset", "target", {}), ("git_reset", "target", {"mode": "hard", "confirm": True}),
        ("git_restore", "source", {"paths": ["a"]}), ("git_checkout", "branch_name", {}),
        ("git_create_branch", "base_branch", {"branch_name": "n"}), ("git_merge", "branch", {}),
        ("git_rebase", "onto", {}), ("git_tag", "revision", {"name": "n"}),
        ("git_worktree_add", "base_branch", {"worktree_path": "wt"}),
        ("git_start_feature", "base_branch", {"task_id": 1, "description": "x"}),
    ):
        said = tools.fails("bad_revision", tool, **{name: text}, **more)
        assert len(said) < 600
    for tool, name, more, codes in (
        ("git_create_branch", "branch_name", {}, {"invalid_argument"}),
        ("git_checkout", "branch_name", {"create": True}, {"invalid_argument"}),
        ("git_delete_branch", "branch_name", {}, {"not_found"}),
        ("git_rename_branch", "old_name", {"new_name": "n"}, {"not_found"}),
        ("git_tag", "name", {}, {"invalid_argument"}),
        ("git_tag", "name", {"action": "delete"}, {"invalid_argument", "not_found"}),
        ("git_fetch", "remote", {}, {"not_found"}), ("git_pull", "remote", {}, {"not_found"}),
        ("git_push", "remote", {"branch": "side"}, {"not_found"}), ("git_push", "branch", {}, {"not_found"}),
        ("git_push_feature", "remote", {}, {"policy", "not_found"}),
        ("git_finish_feature", "branch_name", {}, {"policy"}),
        ("git_clone", "url", {"path": "copy"}, {"remote_refused"}),
        ("git_clone", "branch", {"url": "repo", "path": "copy"}, {"invalid_argument", "not_found"}),
        ("git_init", "initial_branch", {"path": "fresh"}, {"invalid_argument"}),
        ("git_worktree_add", "branch_name", {"worktree_path": "wt"}, {"invalid_argument"}),
        ("git_blame", "file_path", {}, {"not_found"}), ("git_restore", "paths", {}, {"not_found"}),
        ("git_add", "files", {}, {"not_found"}), ("git_commit", "files", {"message": "m"}, {"not_found"}),
    ):
        value = [text] if name in ("paths", "files") else text
        assert tools.worker.error_code(tool, **{name: value}, **more) in codes, (tool, name)
    assert tools.ok("git_diff", file_path=text)["files"] == []
    assert tools.ok("git_log", file_path=text, author=text, grep=text)["commits"] == []
    assert tools.ok("git_grep", pattern=text)["matches"] == []
    assert tools.ok("git_tag_list", pattern=text)["tags"] == []
    assert not mark.exists() and repo.head() == head and repo.git("branch", "--format=%(refname:short)") == "main"
    assert sorted(os.listdir(roots[0])) == ["repo"]


@pytest.mark.parametrize("option", OPTIONS)
def test_options_as_words_are_words(option, tools, repo, roots):  # noqa: F811
    text = option.format(mark=roots[1] / "mark", outside=roots[1])
    tools.ok("git_commit", message=text, allow_empty=True)
    assert repo.git("log", "-1", "--format=%B").strip() == text.strip()
    tools.ok("git_tag", name="t", message=text)
    assert repo.git("tag", "-l", "--format=%(contents)", "t").strip() == text.strip()
    repo.write("a", "two\n")
    tools.ok("git_stash", message=text)
    assert repo.git("stash", "list", "--format=%gs") == f"On main: {text.replace(chr(10), ' ')}".rstrip()
    assert not (roots[1] / "mark").exists()


def test_file_names_that_look_like_options(tools, repo, roots):  # noqa: F811
    names = ["-rf", "--output=x", "-", "--", ":(glob)*", "$(touch x)", "a\nb", "\t", "x" * 255, "é", "\x7f\x01"]
    for name in names:
        (repo.path / name).write_text("x\n")
    (repo.path / os.fsdecode(b"\xff\xfe")).write_text("x\n")
    assert tools.ok("git_add", files=names)["count"] == len(names)
    assert tools.ok("git_get_status")["untracked"] == ["\ufffd\ufffd"]
    tools.ok("git_commit", message="m")
    for name in names:
        assert tools.ok("git_log", file_path=name)["commits"][0]["hash"] == repo.head()
        assert tools.ok("git_blame", file_path=name)["lines"][0]["content"] == "x"
        assert tools.ok("git_show", revision=f"HEAD:{name}")["content"] == "x\n"
        (repo.path / name).write_text("y\n")
    assert tools.ok("git_restore", paths=names)["restored"] == names
    assert repo.status() == [r'?? "\377\376"']
    tools.ok("git_add")
    assert repo.status() == [r'A  "\377\376"']
    for line in tools.text.splitlines():
        assert "\x01" not in line


# Repositories whose parts are elsewhere

def secret_repository(path):
    """A repository that holds the secret in its history."""
    path.mkdir()
    other = Repo(path)
    other.git("init", "-q", "-b", "main")
    other.git("config", "user.name", SECRET)
    other.git("config", "user.email", "s@example.org")
    other.commit("a", SECRET)
    return other


def as_file(target, repo):
    (repo.path / ".git").write_text(f"gitdir: {target}/.git\n")


def as_relative_file(target, repo):
    (repo.path / ".git").write_text("gitdir: ../../outside/other/.git\n")


def as_link(target, repo):
    (repo.path / ".git").symlink_to(target / ".git")


def as_chain(target, repo):
    """A directory whose parts are links."""
    (repo.path / ".git").mkdir()
    for name in ("HEAD", "objects", "refs", "config", "index", "logs"):
        (repo.path / ".git" / name).symlink_to(target / ".git" / name)


def by_common(target, repo):
    (repo.path / ".git").mkdir()
    (repo.path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (repo.path / ".git" / "commondir").write_text(f"{target}/.git\n")


def by_alternates(target, repo):
    repo.git("init", "-q", "-b", "main")
    (repo.path / ".git/objects/info").mkdir(exist_ok=True)
    (repo.path / ".git/objects/info/alternates").write_text(f"{target}/.git/objects\n")
    (repo.path / ".git/refs/heads/main").write_text(Repo(target).head() + "\n")


@pytest.mark.sanitizers
@pytest.mark.parametrize("how", [as_file, as_relative_file, as_link, as_chain, by_common, by_alternates])
def test_planted_repository(how, tools, roots):  # noqa: F811
    other = secret_repository(roots[1] / "other")
    before = other.git("rev-parse", "HEAD"), other.status()
    (roots[0] / "planted" / "sub").mkdir(parents=True)
    how(other.path, Repo(roots[0] / "planted"))
    refused_by_all(tools, "repo_refused", repo_path="planted")
    refused_by_all(tools, "repo_refused", repo_path="planted/sub")
    assert "planted" not in tools.ok("git_list_repos")["repositories"] and SECRET not in tools.text
    tools.fails("remote_refused", "git_clone", url="planted", path="copy")
    assert (other.git("rev-parse", "HEAD"), other.status()) == before


def test_repository_inside_a_repository(tools, kept, roots):  # noqa: F811
    """A whole .git, or the layout of a bare repository, that came as files of a directory: whoever works in
    that directory gets that repository, but nothing it names is run or read."""
    marks = roots[1] / "marks"
    for name, bare in (("sub", False), ("bare", True)):
        (kept.path / name).mkdir()
        inner = Repo(kept.path / name)
        inner.git("init", "-q", "-b", "main", *(["--bare"] if bare else []))
        plant(inner, inner.path if bare else None)
    tour = Tour(tools, kept)
    tour.read()
    for name in ("sub", "bare"):
        for tool, args in READS + WRITES:
            tools.worker.result(tool, repo_path=f"repo/{name}", **args)
    tools.worker.result("git_add")
    assert tools.ok("git_add")["count"] == 0 or "sub" not in kept.git("ls-files")
    assert found(marks) == []
    for name in ("sub", "bare"):
        subprocess.run(["rm", "-rf", str(kept.path / name)], check=True)


def raw_tree(repo, entries):
    """A tree object with whatever names, written past git's own checks."""
    body = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
    return subprocess.run(["git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally"], cwd=repo.path, env=ENV,
                          input=body, capture_output=True, check=True).stdout.decode().strip()


BAD_NAMES = [b".git", b".GIT", b".Git", b"git~1", b"GIT~1", b".git ", b".git.", b".g\xe2\x80\x8cit", b"..", b".", b"",
             b"../outside/x", b"a/../../outside/x", b"/tmp/x", b".git/hooks/pre-commit", b".git\\hooks", b"..\\x",
             b"\xff", b"x\ny", b".git::$INDEX_ALLOCATION"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_trees_with_names_that_lead_out(name, tools, kept, roots):  # noqa: F811
    """Whether the names are refused or written as they are: .git and the outside stay as they were."""
    blob = kept.git("rev-parse", "HEAD:a")
    config = (kept.path / ".git/config").read_bytes()
    for number in (0, 1):
        inner = raw_tree(kept, [(b"100755", b"pre-commit", blob)])
        tree = raw_tree(kept, [(b"100644", b"config", blob), (b"40000", b"hooks", inner)])
        root = raw_tree(kept, [(b"100755", name, blob) if number else (b"40000", name, tree)])
        commit = kept.git("commit-tree", "-m", "bad", "-p", "HEAD", root)
        kept.git("update-ref", f"refs/heads/bad{number}", commit)
        for tool, args in (
            ("git_show", {"revision": commit}), ("git_log", {"revision": commit, "stat": True}),
            ("git_grep", {"revision": commit, "pattern": "one"}), ("git_diff", {"target": commit}),
            ("git_checkout", {"branch_name": commit}), ("git_checkout", {"branch_name": "main"}),
            ("git_merge", {"branch": commit}), ("git_reset", {"mode": "hard", "confirm": True, "target": "main"}),
            ("git_cherry_pick", {"commits": [commit]}), ("git_reset", {"mode": "hard", "confirm": True}),
            ("git_restore", {"paths": ["."], "source": commit}), ("git_reset", {"target": commit, "mode": "hard",
                                                                                "confirm": True}),
            ("git_worktree_add", {"worktree_path": "wt", "branch_name": f"bad{number}"}),
            ("git_clone", {"url": "repo", "path": "copy", "branch": f"bad{number}"}),
        ):
            tools.worker.result(tool, **args)
        assert (kept.path / ".git/config").read_bytes().startswith(config[:40])
        assert not (kept.path / ".git/hooks/pre-commit").exists()
        for place in ("wt", "copy"):
            assert not (roots[0] / place / ".git/hooks/pre-commit").exists()
            subprocess.run(["rm", "-rf", str(roots[0] / place)], check=True)
        assert os.listdir(roots[1]) == [] and not pathlib.Path("/tmp/x").exists()
        assert set(os.listdir(roots[0])) == {"repo"}
        clean(kept, blob)


def clean(repo, blob):
    """Back to a main with one file, past anything the bad trees left."""
    tree = raw_tree(repo, [(b"100644", b"a", blob)])
    commit = repo.git("commit-tree", "-m", "clean", tree)
    subprocess.run(["rm", "-rf", str(repo.path / ".git/worktrees"), str(repo.path / ".git/index")], check=True)
    for ref in repo.git("for-each-ref", "--format=%(refname)").splitlines():
        repo.git("update-ref", "-d", ref)
    (repo.path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    repo.git("update-ref", "refs/heads/main", commit)
    repo.git("read-tree", "HEAD")
    subprocess.run(["rm", "-rf", str(repo.path / ".git/logs"), str(repo.path / ".git/ORIG_HEAD")], check=True)
    repo.git("prune", "--expire=now")


def test_odd_submodules(tools, kept, remote, roots):  # noqa: F811
    """Submodules are never opened, fetched or cloned, wherever they say they are."""
    words = "".join(f'[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n' for name, path, url in (
        ("../../../outside/x", "../outside", "../../outside/other"), ("x", "-x", "ext::sh -c touch% x"),
        ("y", "/tmp/y", "--upload-pack=touch x"), ("z", "z", "file:///etc")))
    kept.write(".gitmodules", words)
    kept.git("update-index", "--add", "--cacheinfo", f"160000,{kept.head()},z")
    tour = Tour(tools, kept)
    tour.write()
    tour.exchange()
    tools.ok("git_clone", url="repo", path="twice")
    assert not (roots[0] / "twice/.git/modules").exists() and os.listdir(roots[1]) == []
    subprocess.run(["rm", "-rf", str(kept.path)], check=True)
    kept.path.mkdir()
    kept.git("init", "-q")


# The worker's environment

def test_environment(roots, repo, tmp_path):  # noqa: F811
    """What git reads from the environment has no effect on what the worker does."""
    marks = tmp_path / "marks"
    marks.mkdir()
    other = secret_repository(roots[1] / "other")
    trap = str(script(tmp_path / "trap", marks / "sprung"))
    settings = {"core.fsmonitor": trap, "core.hooksPath": str(tmp_path / "hooks"), "user.name": SECRET}
    for hook in HOOKS:
        script(tmp_path / "hooks" / hook, marks / hook)
    home = tmp_path / "home"
    (home / ".config/git").mkdir(parents=True)
    for path in (home / ".gitconfig", home / ".config/git/config", tmp_path / "system"):
        path.write_text("".join(setting(*item) for item in settings.items()))
    env = {
        "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "EMAIL": SECRET, "PAGER": trap, "EDITOR": trap,
        "VISUAL": trap, "GIT_DIR": str(other.path / ".git"), "GIT_WORK_TREE": str(other.path),
        "GIT_COMMON_DIR": str(other.path / ".git"), "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_OBJECT_DIRECTORY": str(tmp_path / "objects"), "GIT_NAMESPACE": "x",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(other.path / ".git/objects"), "GIT_CEILING_DIRECTORIES": str(roots[0]),
        "GIT_DISCOVERY_ACROSS_FILESYSTEM": "1", "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_SYSTEM": str(tmp_path / "system"), "GIT_CONFIG": str(tmp_path / "system"),
        "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor'='{trap}'", "GIT_TEMPLATE_DIR": str(tmp_path),
        "GIT_AUTHOR_NAME": SECRET, "GIT_COMMITTER_NAME": SECRET, "GIT_AUTHOR_DATE": "1", "GIT_COMMITTER_DATE": "1",
        "GIT_EXTERNAL_DIFF": trap, "GIT_SSH": trap, "GIT_SSH_COMMAND": trap, "GIT_PROXY_COMMAND": trap,
        "GIT_ASKPASS": trap, "SSH_ASKPASS": trap, "GIT_PAGER": trap, "GIT_EDITOR": trap, "GIT_SEQUENCE_EDITOR": trap,
        "GIT_EXEC_PATH": str(tmp_path), "GIT_ALLOW_PROTOCOL": "ext:file", "GIT_PROTOCOL_FROM_USER": "1",
        "GIT_TRACE": str(marks / "trace"), "GIT_TRACE2": str(marks / "trace2"), "GIT_GRAFT_FILE": str(tmp_path / "g"),
        "GIT_SHALLOW_FILE": str(tmp_path / "s"), "GIT_REPLACE_REF_BASE": "refs/x/", "GIT_ATTR_SOURCE": "HEAD",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings.items()):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    before = other.head(), other.status()
    tools = Tools.__new__(Tools)
    tools.worker = StdioWorker(PROGRAM, [roots[0]], {"default_repository": str(repo.path), **SETTINGS}, env=env)
    repo.write("f", "f\n")
    assert tools.ok("git_get_status")["untracked"] == ["f"]
    tools.ok("git_commit", message="m", files=["f"])
    assert repo.git("log", "-1", "--format=%an %cn") == "A U Thor A U Thor"
    assert int(repo.git("log", "-1", "--format=%at")) > 1700000000
    tools.fails("bad_revision", "git_show", revision=other.head())
    tools.ok("git_init", path="fresh")
    tools.ok("git_clone", url="repo", path="copy")
    tools.fails("remote_refused", "git_clone", url="ext::sh -c x", path="copy2")
    assert repo.status() == [] and tools.worker.close() == 0
    assert found(marks) == [] and (other.head(), other.status()) == before
    for name in ("index", "objects"):
        assert not (tmp_path / name).exists()


# Paths that lead out

def ways_out(roots):  # noqa: F811
    inside, outside = roots
    (outside / "f").write_text(f"{SECRET}\n")
    (outside / "d").mkdir()
    (outside / "d" / "f").write_text(f"{SECRET}\n")
    beside = inside.parent / "inside-evil"
    beside.mkdir()
    (beside / "f").write_text(f"{SECRET}\n")
    repo = inside / "repo"  # noqa: F811
    (repo / "out").symlink_to(outside)
    (repo / "up").symlink_to("../..")
    (repo / "cwd").symlink_to("/proc/self/cwd")
    return ["../../outside/f", "../../outside", "..", "x/../../../outside/f", str(outside / "f"), str(beside / "f"),
            f"{inside}-evil/f", f"{repo}/../../outside/f", "out/f", "out/d/f", "up/outside/f", "/proc/self/environ",
            f"/proc/self/root{outside}/f", f"/proc/{os.getpid()}/cwd", "cwd/x", "/dev/fd/0", "/etc/passwd",
            f"//{outside}/f", "./../../outside/f"]


@pytest.mark.sanitizers
def test_paths_that_lead_out(tools, repo, roots):  # noqa: F811
    ways = ways_out(roots)
    before = sorted(os.listdir(roots[1]))
    for way in ways:
        for tool, args in (
            ("git_add", {"files": [way]}), ("git_add", {"files": [way], "force": True}),
            ("git_commit", {"files": [way], "message": "m"}), ("git_restore", {"paths": [way]}),
            ("git_restore", {"paths": [way], "source": "HEAD"}), ("git_blame", {"file_path": way}),
            ("git_show", {"revision": f"HEAD:{way}"}), ("git_get_status", {"repo_path": way}),
            ("git_log", {"repo_path": way}), ("git_add", {"repo_path": way}),
        ):
            result = tools.worker.result(tool, **args)
            assert result.get("isError"), (tool, args, result)
            assert SECRET not in json.dumps(result)
        for tool, args in (
            ("git_diff", {"file_path": way}), ("git_diff", {"paths": [way], "target": "HEAD"}),
            ("git_log", {"file_path": way}), ("git_grep", {"paths": [way], "pattern": SECRET}),
            ("git_reset", {"paths": [way]}), ("git_show", {"revision": "HEAD", "file_path": way}),
        ):
            result = tools.worker.result(tool, **args)
            told = json.dumps(result.get("structuredContent", {}))
            assert result.get("isError") or (SECRET not in told and '"status"' not in told), (tool, args, result)
        for tool, args in (
            ("git_init", {"path": f"{way}/new"}), ("git_clone", {"url": "repo", "path": f"{way}/new"}),
            ("git_worktree_add", {"worktree_path": f"{way}/new", "branch_name": "n"}),
        ):
            if way == "..":
                continue  # beside the repository, but inside
            made = way if way.startswith("/") else str(roots[0] / "repo" / way)
            args = {name: f"{made}/new" if str(value).endswith("/new") else value for name, value in args.items()}
            assert tools.worker.result(tool, **args).get("isError"), (tool, args)
        assert tools.worker.result("git_list_repos", path=way).get("isError") or not tools.text.count("outside")
    assert sorted(os.listdir(roots[1])) == before
    assert repo.git("ls-files") == "a" and repo.git("branch", "--format=%(refname:short)") == "main"
    everything = subprocess.run(["git", "cat-file", "--batch-all-objects", "--batch"], cwd=repo.path, env=ENV,
                                capture_output=True, check=True).stdout
    assert SECRET.encode() not in everything


FORCED = [
    ("git_restore", {"paths": ["a"]}), ("git_restore", {"paths": ["."], "source": "HEAD~1"}),
    ("git_restore", {"paths": ["a"], "staged": True}), ("git_reset", {"mode": "hard", "confirm": True}),
    ("git_reset", {"mode": "hard", "target": "HEAD~1", "confirm": True}), ("git_stash", {}),
    ("git_rebase", {"action": "abort"}), ("git_merge", {"abort": True}),
]


@pytest.mark.sanitizers
@pytest.mark.parametrize("target", ["file", "fifo", "outside"])
@pytest.mark.parametrize("tool, args", FORCED)
def test_forced_checkout_replaces_links(tool, args, target, tools, repo, roots):  # noqa: F811
    """Where git has a file and the disk a link, the link goes, and what it led to stays as it was."""
    repo.commit("a", "two\n")
    repo.git("checkout", "-qb", "side", "HEAD~1")
    repo.commit("a", "side\n")
    repo.git("checkout", "-q", "main")
    if tool == "git_rebase":
        tools.fails("merge_conflict", "git_rebase", onto="side")
    elif tool == "git_merge":
        repo.git("merge", "side", check=False)
    targets = {"file": roots[0] / "victim", "fifo": roots[0] / "fifo", "outside": roots[1] / "victim"}
    for name in ("file", "outside"):
        targets[name].write_text("victim\n")
    os.mkfifo(targets["fifo"])
    (repo.path / "a").unlink()
    (repo.path / "a").symlink_to(targets[target])
    tools.ok(tool, **args)
    assert (repo.path / "a").is_file() and not (repo.path / "a").is_symlink()
    for name in ("file", "outside"):
        assert targets[name].read_text() == "victim\n"
    assert len(list(roots[0].iterdir())) == 3


def in_steps(repo):
    """What each tool that writes files can be asked for on the repository of the test below."""
    return [
        ("git_checkout", {"branch_name": "HEAD~1"}), ("git_checkout", {"branch_name": "main"}),
        ("git_reset", {"mode": "hard", "target": "HEAD~1", "confirm": True}),
        ("git_restore", {"paths": ["a"], "source": "ORIG_HEAD"}), ("git_stash", {}), ("git_stash", {"action": "pop"}),
        ("git_restore", {"paths": ["a"]}), ("git_merge", {"branch": "later"}),
        ("git_revert", {"commits": ["HEAD"]}), ("git_cherry_pick", {"commits": ["later"]}),
        ("git_rebase", {"onto": "side"}), ("git_rebase", {"action": "abort"}),
        ("git_merge", {"branch": "side"}), ("git_merge", {"abort": True}),
        ("git_create_branch", {"branch_name": "n", "base_branch": "side", "checkout": True}),
        ("git_start_feature", {"task_id": 1, "description": "x", "base_branch": "main"}),
    ]


@pytest.mark.sanitizers
@pytest.mark.parametrize("ignore_case", ["false", "true"])
def test_hard_links_keep_what_they_had(ignore_case, tools, repo, roots):  # noqa: F811
    """A file that is also known elsewhere is replaced, not written to; so does git."""
    repo.commit("a", "two\n")
    repo.git("checkout", "-qb", "later")
    repo.commit("a", "three\n")
    repo.git("checkout", "-qb", "side", "main~1")
    repo.commit("a", "side\n")
    repo.git("checkout", "-q", "main")
    repo.git("config", "core.ignoreCase", ignore_case)
    (repo.path / "a").chmod(0o755)
    (repo.path / "a").chmod(0o644)
    other = roots[1] / "same"
    for tool, args in in_steps(repo):
        other.unlink(missing_ok=True)
        os.link(repo.path / "a", other)
        words = other.read_text()
        tools.worker.result(tool, **args)
        assert other.read_text() == words, (tool, args)
    assert repo.branch() == "feature/task-1-x" and repo.status() == []
    assert sorted(os.listdir(repo.path)) == [".git", "a"]


def test_copy_of_a_hard_link_keeps_its_mode(tools, repo, roots):  # noqa: F811
    repo.commit("run", "#!/bin/sh\n")
    repo.git("update-index", "--chmod=+x", "run")
    repo.git("commit", "-qm", "may be run")
    repo.git("branch", "side")
    repo.commit("run", "#!/bin/sh\n# more\n")
    (repo.path / "run").chmod(0o755)
    os.link(repo.path / "run", roots[1] / "same")
    repo.git("commit", "-qam", "x", check=False)
    tools.ok("git_checkout", branch_name="side")
    assert (repo.path / "run").stat().st_mode & 0o777 == 0o755
    assert (roots[1] / "same").read_text() == "#!/bin/sh\n# more\n"
    repo.git("checkout", "-q", "main")


# Files that never end, or that nobody writes to

@pytest.mark.sanitizers
@pytest.mark.parametrize("name", ["a", "fifo", "d/.gitignore", "new/.gitattributes", ".gitignore", "d/.git", ".mailmap"])
@pytest.mark.parametrize("kind", ["fifo", "link to fifo", "device", "link to device", "socket"])
def test_special_files_stop_nobody(name, kind, tools, repo, roots):  # noqa: F811
    repo.commit("d/f", "1\n")
    repo.git("branch", "side", "main~1")
    path = repo.path / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link to fifo":
        os.mkfifo(repo.path / "real fifo")
        path.symlink_to(repo.path / "real fifo")
    elif kind == "device":
        if os.geteuid() != 0:
            pytest.skip("only root can make a device")
        os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5))
    elif kind == "link to device":
        path.symlink_to("/dev/zero")
    else:
        os.mknod(path, 0o600 | 0o140000)
    tools.worker.timeout = 20
    for tool, args in READS + [("git_log", {"stat": True}), ("git_diff", {"target": "HEAD"})] + WRITES[:17] + [
            ("git_stash", {"include_untracked": True}), ("git_reset", {"mode": "hard", "confirm": True}),
            ("git_restore", {"paths": ["."]}), ("git_clone", {"url": "repo", "path": "copy"})]:
        tools.worker.result(tool, **args)
    assert tools.worker.request("ping")["result"] == {}
    if path.is_symlink() or path.exists():
        path.unlink()


# Races

RENAME_EXCHANGE = 2
ROUNDS = 10000


def exchange_for_ever(one, other, rounds, stop):
    libc = ctypes.CDLL(None, use_errno=True)
    while not stop.value:
        if libc.renameat2(-100, one, -100, other, RENAME_EXCHANGE) != 0:
            raise OSError(ctypes.get_errno(), "renameat2")
        rounds.value += 1
        time.sleep(0.0001)


class Swapper:
    """A process that exchanges two paths for as long as the block lasts, and at least ROUNDS times."""

    def __init__(self, one, other):
        self.rounds = multiprocessing.Value("q", 0)
        self.stop = multiprocessing.Value("b", 0)
        self.process = multiprocessing.Process(target=exchange_for_ever, args=(
            os.fsencode(one), os.fsencode(other), self.rounds, self.stop))

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.stop.value = 1
        self.process.join()
        assert self.process.exitcode == 0


def change_files(repo, number):
    """New content for the files of d, wherever the directory is just now, never through the link."""
    for base in (repo.path / "d", repo.path.parent / "link"):
        try:
            fd = os.open(base, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            for file in range(8):
                with open(os.open(f"f{file}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, dir_fd=fd),
                          "w") as opened:
                    opened.write(f"{number} {file}\n")
        finally:
            os.close(fd)


def has_landlock():
    return ctypes.CDLL(None).syscall(444, None, 0, 1) >= 2


RACES = {
    "add": [("git_add", {}), ("git_add", {"files": ["d"]}), ("git_add", {"files": ["d/f1", "d/secret"]})],
    "read": [("git_get_status", {}), ("git_diff", {}), ("git_diff", {"target": "one"})],
    "stash": [("git_stash", {"include_untracked": True}), ("git_stash", {"action": "pop"})],
    "checkout": [("git_checkout", {"branch_name": "one"}), ("git_checkout", {"branch_name": "two"})],
    "restore": [("git_restore", {"paths": ["."], "source": "one"}), ("git_restore", {"paths": ["d"], "source": "two"})],
    "reset": [("git_reset", {"mode": "hard", "target": "one", "confirm": True}),
              ("git_reset", {"mode": "hard", "target": "two", "confirm": True})],
}


@pytest.mark.skipif(not has_landlock(), reason="the kernel has no Landlock, which this rests on")
@pytest.mark.parametrize("race", RACES)
def test_directory_becomes_a_link_during_calls(race, tools, repo, roots):  # noqa: F811
    inside, outside = roots
    for branch in ("one", "two"):
        for file in range(8):
            repo.write(f"d/f{file}", f"{branch}\n")
        repo.git("add", "-A")
        repo.git("commit", "-qm", branch)
        repo.git("branch", branch)
    for name in [f"f{file}" for file in range(8)] + ["secret"]:
        (outside / name).write_text(f"{SECRET} {name}\n")
    os.symlink(outside, inside / "link")
    before = {name: (outside / name).stat()[:7] for name in os.listdir(outside)}
    answers = []
    with Swapper(repo.path / "d", inside / "link") as swapper:
        number = 0
        while swapper.rounds.value < ROUNDS or number < 60:
            if race in ("add", "read", "stash"):
                change_files(repo, number)
            for tool, args in RACES[race]:
                answers.append(tools.worker.result(tool, **args))
            number += 1
    assert SECRET not in json.dumps(answers)
    texts = [a["content"][0]["text"] for a in answers if a.get("isError")]
    assert [text for text in texts if text.startswith("internal")] == []
    words = {text.split(":")[0] for text in texts}
    assert words <= {"outside_roots", "repo_refused", "dirty_tree", "busy", "not_found", "permission_denied",
                     "nothing_to_stash", "merge_conflict"}, words
    assert {name: (outside / name).stat()[:7] for name in os.listdir(outside)} == before
    for name in before:
        assert (outside / name).read_text() == f"{SECRET} {name}\n"
    everything = subprocess.run(["git", "cat-file", "--batch-all-objects", "--batch"], cwd=repo.path, env=ENV,
                                capture_output=True, check=True).stdout
    assert SECRET.encode() not in everything
    if (repo.path / "d").is_symlink():
        os.rename(repo.path / "d", inside / "link2")


# Every argument of every tool

NONSENSE = {
    "string": ["A" * 244, "é" * 240, "A" * 60000, "", "\u202e\u2028x", "\x1b[31m", "x\ny", "HEAD@{9999999999999999999999}",
               "HEAD^{", "@{u}", "^", "~", "A..B..C", "HEAD^99999999999", "HEAD~99999999999999999999", ":0:a",
               "refs/heads/", "/" * 200, "\x00"],
    "integer": [-1, 2 ** 31, 2 ** 63, 1e300, 1.5, True, None, "1"],
    "boolean": ["true", 1, None],
    "array": [[], [""], ["A" * 5000], ["a\x01b"], [None], "x", [["x"]], ["\u202e"], ["x"] * 10001],
}


@pytest.mark.sanitizers
def test_nonsense_in_every_argument(tools, repo):  # noqa: F811
    """An answer to each, in words that are short, in one piece, and no copy of what was said."""
    usual = {"string": "x", "integer": 1, "boolean": True, "array": ["x"]}
    for tool in tools.worker.request("tools/list")["result"]["tools"]:
        properties = tool["inputSchema"]["properties"]
        needed = {name: properties[name].get("enum", [usual[properties[name]["type"]]])[0]
                  for name in tool["inputSchema"].get("required", ())}
        for name, schema in properties.items():
            for value in NONSENSE[schema["type"]]:
                response = tools.worker.request("tools/call", {
                    "name": tool["name"], "arguments": {**needed, name: value}})
                if "error" in response:
                    assert value == "\x00", (tool["name"], name, value)
                    continue
                text = response["result"]["content"][0]["text"]
                where = (tool["name"], name, str(value)[:40], text)
                assert "\x1b" not in text, where
                if response["result"].get("isError"):
                    assert len(text) < 1000 and "A" * 201 not in text and "é" * 201 not in text, where
                    assert not text.startswith("internal"), where
    assert repo.git("symbolic-ref", "HEAD").startswith("refs/heads/")
