"""The completions of mcp-fleetctl, by real shells: what a Tab makes of a line that is typed."""

import contextlib
import os
import re
import shutil

import pytest

import ctl
import fleet as fleets

STATUS = {"ready": True, "domains": [{"name": "git", "state": "up"}, {"name": "utils", "state": "up"},
                                     {"name": "$(touch /tmp/never)", "state": "up"}]}
TOOLS = {"tools": [{"name": "git_log", "description": "History.", "inputSchema": {"properties": {
    "max_count": {"description": "How many."}, "path": {}}}}]}
SESSIONS = {"sessions": [{"id": "0a1b2c", "client": "x"}]}

SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(mcp-fleetctl completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -U compinit; compinit -u -D; eval "$(mcp-fleetctl completion zsh)"'),
}


@pytest.fixture
def daemon(socket_path):
    with ctl.FakeDaemon(socket_path, {"status": STATUS, "tools": TOOLS, "sessions": SESSIONS}) as fake:
        yield fake


@pytest.fixture(params=SHELLS)
def shell(request, daemon, tmp_path):
    """An interactive shell that has loaded the script; mcp-fleetctl is in its PATH."""
    argv, setup = SHELLS[request.param]
    if not shutil.which(argv[0]):
        pytest.skip(f"{argv[0]} is not installed")
    (tmp_path / "mcp-fleetctl").symlink_to(fleets.build_dir() / "mcp-fleetctl")
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PS1": "> ", "TERM": "dumb", "HOME": str(tmp_path)}
    with ctl.Pty(socket=daemon.path, env=env, argv=argv, columns=200) as pty:
        pty.wait_for("> ")
        pty.press(setup + "; echo load''ed\n")
        pty.wait_for("loaded")
        pty.wait_for("> ")
        yield pty
        with contextlib.suppress(OSError):
            pty.press("\x03exit\n")


@pytest.mark.parametrize("typed, wanted", [
    ("mcp-fleetctl versi", "mcp-fleetctl version "),
    ("mcp-fleetctl status --js", "mcp-fleetctl status --json "),
    ("mcp-fleetctl status gi", "mcp-fleetctl status git "),
    ("mcp-fleetctl --json status ut", "mcp-fleetctl --json status utils "),
    ("mcp-fleetctl logs --level=w", "mcp-fleetctl logs --level=warning "),
    ("mcp-fleetctl logs --level w", "mcp-fleetctl logs --level warning "),
    ("mcp-fleetctl call git_l", "mcp-fleetctl call git_log "),
    ("mcp-fleetctl call git_log max", "mcp-fleetctl call git_log max_count="),
    ("mcp-fleetctl call git_log max_count=5 pa", "mcp-fleetctl call git_log max_count=5 path="),
    ("mcp-fleetctl sessions close 0a", "mcp-fleetctl sessions close 0a1b2c "),
    ("mcp-fleetctl status --socket /etc/host", "mcp-fleetctl status --socket /etc/host"),
    ("mcp-fleetctl completion z", "mcp-fleetctl completion zsh "),
])
def test_tab(shell, typed, wanted):
    shell.text = ""
    shell.press(typed + "\t")
    # What follows shows that the Tab is done, and whether a blank was set behind the word.
    shell.wait_for(typed)
    shell.press("@")
    shell.wait_for(wanted)
    fleets.wait_until(lambda: "@" in shell.read(), 5, "the shell takes keys again")
    # zsh draws a blank anew that it would take away again.
    line = re.sub(".\x08", "", shell.plain().replace("\r", "").split("> ")[-1])
    assert wanted in line
    if not wanted.endswith("/host"):
        assert line.rstrip().endswith(wanted + "@")
    shell.press("\x15")


def test_both_domains_are_listed(shell):
    shell.text = ""
    shell.press("mcp-fleetctl status \t\t")
    shell.wait_for("utils")
    assert "git" in shell.plain() and "never" not in shell.plain()
    shell.press("\x15")


@pytest.mark.parametrize("words", [["status", ""], ["call", ""], ["sessions", "close", ""]])
def test_no_daemon_is_no_noise(words, socket_path):
    result = ctl.run("__complete", "--", " ".join(["mcp-fleetctl", *words]), socket=socket_path)
    assert (result.code, result.out, result.err) == (0, "", "")


def test_a_daemon_that_hangs_is_not_waited_for_long(socket_path):
    with ctl.FakeDaemon(socket_path) as fake:
        fake.serve = lambda connection: None
        result = ctl.run("__complete", "--", "mcp-fleetctl status ", socket=socket_path)
    assert (result.code, result.out, result.err) == (0, "", "")


def test_scripts_are_right_for_their_shell(tmp_path):
    for name in SHELLS:
        script = tmp_path / name
        script.write_text(ctl.run("completion", name).out)
        if shutil.which(name):
            done = fleets.run([name, "-n", str(script)])
            assert (done.returncode, done.stderr) == (0, b"")
    if shutil.which("shellcheck"):
        done = fleets.run(["shellcheck", "-s", "bash", "-S", "warning", str(tmp_path / "bash")])
        assert done.returncode == 0, done.stdout.decode()
