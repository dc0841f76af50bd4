"""mcp-fleetctl import, add, remove and connect: the files that they write, in a pipe and on a terminal."""

import json
import os
import pathlib
import shutil
import stat
import sys

import ctl
import fleet as fleets
import pytest
import sdk

HERE = pathlib.Path(__file__).resolve().parent
CLIENTS = HERE.parent / "data" / "clients"
WORKERS = HERE / "workers"
APPS = {
    "claude-desktop": (".config/Claude/claude_desktop_config.json", "mcpServers"),
    "claude-code": (".claude.json", "mcpServers"),
    "cursor": (".cursor/mcp.json", "mcpServers"),
    "vscode": (".config/Code/User/mcp.json", "servers"),
}


@pytest.fixture
def conf(tmp_path):
    """A settings file with one domain, and its conf.d."""
    (tmp_path / "fleet.yaml").write_text("domains:\n  utils: {}\n")
    folder = tmp_path / "conf.d"
    folder.mkdir()
    return folder


def write_config(path, servers, **more):
    path.write_text(json.dumps({"mcpServers": servers, **more}))
    return path


def server(name, **more):
    return {"command": sys.executable, "args": [str(WORKERS / name)], **more}


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# --- import ---------------------------------------------------------------------------------------


def test_import_previews_in_a_pipe(tmp_path, conf):
    config = write_config(tmp_path / "c.json", {"one": server("counter_server.py", env={"API_TOKEN": "hunter2"})})
    result = ctl.run("import", config, "--conf-dir", conf)
    assert result.code == 0
    assert "one: becomes the domain one" in result.out and "API_TOKEN=********" in result.out
    assert "hunter2" not in result.out + result.err
    assert result.err == "mcp-fleetctl: nothing was written: --yes writes it\n"
    assert names(conf) == []


def test_import_writes(tmp_path, conf):
    config = write_config(tmp_path / "c.json", {
        "My Server": server("counter_server.py", env={"API_TOKEN": "hunter2\nx", "MODE": "no"}),
        "far": {"type": "http", "url": "https://h.example/mcp", "headers": {"Authorization": "Bearer hunter3"}},
        "off": server("counter_server.py", disabled=True),
    })
    result = ctl.run("import", config, "--conf-dir", conf, "--yes", "--json")
    assert result.code == 0
    told = result.json()
    assert [(each["name"], each["state"]) for each in told["servers"]] == \
        [("My Server", "new"), ("far", "new"), ("off", "disabled")]
    assert told["written"] and not told["reloaded"]
    assert told["servers"][0]["secrets"] == ["API_TOKEN"]
    assert "hunter" not in result.out + result.err
    assert names(conf) == ["far.headers", "far.yaml", "my-server.env", "my-server.yaml"]
    assert mode(conf / "far.headers") == mode(conf / "my-server.env") == 0o600
    assert mode(conf / "far.yaml") == mode(conf / "my-server.yaml") == 0o644
    assert (conf / "my-server.env").read_text() == 'API_TOKEN="hunter2\\nx"\n'
    assert (conf / "far.headers").read_text() == "Authorization: Bearer hunter3\n"
    assert "hunter" not in (conf / "my-server.yaml").read_text() + (conf / "far.yaml").read_text()
    # A second time nothing is new.
    again = ctl.run("import", config, "--conf-dir", conf, "--yes", "--json").json()
    assert [each["state"] for each in again["servers"]] == ["unchanged", "unchanged", "disabled"]
    assert not again["written"]


def test_import_dry_run(tmp_path, conf):
    config = write_config(tmp_path / "c.json", {"one": server("counter_server.py")})
    assert ctl.run("import", config, "--conf-dir", conf, "--yes", "--dry-run").code == 0
    assert names(conf) == []


def test_import_partly(tmp_path, conf):
    config = write_config(tmp_path / "c.json", {
        "git": server("counter_server.py"), "utils": server("counter_server.py"), "a b": server("counter_server.py"),
        "a-b": server("counter_server.py"), "none": {}, "alwaysAllow": server("counter_server.py", alwaysAllow=[]),
    })
    result = ctl.run("import", config, "--conf-dir", conf, "--yes")
    assert result.code == 4
    assert 'git: not taken: the name "git": the domain of this name is built in; give another with --rename git=NEW' \
        in result.out
    assert "a-b: not taken: another one in this file becomes the domain a-b too" in result.out
    assert "not carried over: alwaysAllow" in result.out
    assert names(conf) == ["a-b.yaml", "alwaysallow.yaml"]
    result = ctl.run("import", config, "--conf-dir", conf, "--yes", "--name", "git", "--rename", "git=forge")
    assert result.code == 0 and "forge.yaml" in names(conf)
    assert ctl.run("import", config, "--conf-dir", conf, "--yes", "--name", "none").code == 1


def test_import_keeps_what_is_there(tmp_path, conf):
    (conf / "mine.yaml").write_text("domains: {one: {command: [x]}}\n")
    config = write_config(tmp_path / "c.json", {"one": server("counter_server.py")})
    result = ctl.run("import", config, "--conf-dir", conf, "--yes")
    assert result.code == 1
    assert f"there is a domain one already, in {conf}/mine.yaml:1" in result.out
    assert names(conf) == ["mine.yaml"]


def test_files_of_others_are_not_overwritten(tmp_path, conf):
    config = write_config(tmp_path / "c.json", {"one": server("counter_server.py")})
    for name, text in ("one.yaml", "domains: {other: {command: [x]}}\n"), ("one.headers", "A: b\n"):
        (conf / name).write_text(text)
        result = ctl.run("import", config, "--conf-dir", conf, "--yes")
        assert result.code == 1 and f"{conf}/{name} is there already, with something else in it" in result.out
        result = ctl.run("add", "one", "--conf-dir", conf, "--", "x")
        assert result.code == 1 and f"{conf}/{name} is there already" in result.err
        assert (conf / name).read_text() == text and names(conf) == [name]
        (conf / name).unlink()


def test_remove_mends_broken_settings(conf):
    assert ctl.run("add", "one", "--conf-dir", conf, "--env", "API_KEY=x", "--", "x").code == 0
    (conf / "one.env").unlink()
    assert ctl.run("add", "two", "--conf-dir", conf, "--", "x").code == 1
    assert ctl.run("remove", "one", "--conf-dir", conf, "--yes").code == 0
    assert names(conf) == []


def test_import_takes_back(tmp_path, conf):
    """What the loader refuses (here: more domains than there may be) leaves nothing behind."""
    config = write_config(tmp_path / "c.json", {
        f"s{i}": server("counter_server.py", env={"T_TOKEN": "x"}) for i in range(64)})
    before = names(conf)
    result = ctl.run("import", config, "--conf-dir", conf, "--yes")
    assert result.code == 1
    assert "nothing was changed: the daemon would not take it: " in result.err and "more than 64 domains" in result.err
    assert names(conf) == before


def test_import_refuses_broken_settings(tmp_path, conf):
    (conf / "bad.yaml").write_text("domains: {x: {}}\n")
    config = write_config(tmp_path / "c.json", {"one": server("counter_server.py")})
    result = ctl.run("import", config, "--conf-dir", conf, "--yes")
    assert result.code == 1
    assert result.err.startswith(f"mcp-fleetctl: the settings are wrong already, nothing was changed: {conf}/bad.yaml:1:")


@pytest.mark.parametrize("text,words", [
    ("{\n  'a': 1}", "c.json:2:3: a name in double quotes is expected here"),
    ("{}", "c.json: no servers are in it"),
    ("", "c.json: nothing is in it"),
    ("[" * 100000, "c.json:1:129: more than 128 levels"),
    ('{"mcpServers": {"a": 1, "a": 2}}', 'the name "a" stands here a second time'),
], ids=["broken", "no-servers", "empty", "deep", "twice"])
def test_import_of_nonsense(tmp_path, conf, text, words):
    (tmp_path / "c.json").write_text(text)
    result = ctl.run("import", tmp_path / "c.json", "--conf-dir", conf, "--yes")
    assert result.code == 1 and words in result.err


def test_import_files(tmp_path, conf):
    missing = ctl.run("import", tmp_path / "none.json", "--conf-dir", conf)
    assert missing.code == 1 and "No such file or directory" in missing.err
    with (tmp_path / "big.json").open("wb") as big:
        big.truncate(9 << 20)
    large = ctl.run("import", tmp_path / "big.json", "--conf-dir", conf)
    assert large.code == 1 and "larger than 8 MiB" in large.err
    config = write_config(tmp_path / "c.json", {"one": server("counter_server.py")})
    other = ctl.run("import", config, "--conf-dir", tmp_path)
    assert other.code == 1 and "the daemon reads the folder conf.d beside its settings" in other.err
    assert ctl.run("import").code == 2


def test_import_keeps_built_in_domains(tmp_path, conf):
    (tmp_path / "fleet.yaml").write_text("")
    config = write_config(tmp_path / "c.json", {"one": server("counter_server.py")})
    assert ctl.run("import", config, "--conf-dir", conf, "--yes").code == 0
    assert names(conf) == ["00-built-in.yaml", "one.yaml"]
    done = fleets.run([*fleets.daemon_command(), "--check-config", "-c", str(tmp_path / "fleet.yaml"), "--root", "/tmp"])
    assert b"domains: 5" in done.stdout


def test_import_asks_on_a_terminal(tmp_path, conf):
    config = tmp_path / "mcp.json"
    shutil.copy(CLIENTS / "vscode_mcp.json", config)
    with ctl.Pty("import", config, "--conf-dir", conf) as terminal:
        terminal.wait_for("Region (eu, us) [eu]: ")
        terminal.press("us\n")
        terminal.wait_for("Perplexity API key: ")
        assert not terminal.is_restored()  # no echo
        terminal.press("hunter2\n")
        terminal.wait_for("Write this? [y/N] ")
        assert terminal.is_restored()
        terminal.press("y\n")
        assert terminal.wait() == 0
    assert "hunter2" not in terminal.text
    assert '"--region=us"' in (conf / "perplexity-search.yaml").read_text()
    assert (conf / "perplexity-search.env").read_text() == "PERPLEXITY_API_KEY=hunter2\n"
    assert mode(conf / "perplexity-search.env") == 0o600


def test_import_answered_with_no(tmp_path, conf):
    config = write_config(tmp_path / "c.json", {"one": server("counter_server.py")})
    with ctl.Pty("import", config, "--conf-dir", conf) as terminal:
        terminal.wait_for("Write this? [y/N] ")
        terminal.press("\n")
        assert terminal.wait() == 0
    assert names(conf) == []


def test_interrupted_question_restores_the_terminal(tmp_path, conf):
    with ctl.Pty("import", CLIENTS / "vscode_mcp.json", "--conf-dir", conf) as terminal:
        terminal.wait_for("Region (eu, us) [eu]: ")
        terminal.press("\n")
        terminal.wait_for("Perplexity API key: ")
        assert not terminal.is_restored()
        terminal.press("\x03")
        assert terminal.wait() == -2
        assert terminal.is_restored()
    assert names(conf) == []


def test_inputs_in_a_pipe(tmp_path, conf):
    config = CLIENTS / "vscode_mcp.json"
    result = ctl.run("import", config, "--conf-dir", conf)
    assert result.code == 4 and 'the input "perplexity-key" has no value: give --input perplexity-key=VALUE' in result.out
    result = ctl.run("import", config, "--conf-dir", conf, "--input", "perplexity-key=hunter2", "--yes")
    assert result.code == 0 and "hunter2" not in result.out + result.err


# What is imported is served.


def client_file(app, folder):
    """A file as this client has it, with one server: the path, and further options of import."""
    entry = server("counter_server.py", env={"MODE": "no", "X_TOKEN": "hunter2"})
    in_workspace = {**entry, "args": ["${workspaceFolder}/counter_server.py"]}
    text = {
        "claude-desktop": json.dumps({"mcpServers": {"Count Er": entry}}),
        "claude-code": json.dumps({"mcpServers": {"Count Er": {
            "type": "stdio", **entry, "env": {"MODE": "${NO_SUCH:-no}", "X_TOKEN": "${SECRET}"}}}}),
        "cursor": "\ufeff" + json.dumps({"mcpServers": {"Count Er": in_workspace}}, indent="\t").replace("\n", "\r\n"),
        "vscode": "// servers\n" + json.dumps({
            "inputs": [{"id": "x", "type": "promptString", "password": True}],
            "servers": {"Count Er": {**in_workspace, "env": {"MODE": "no", "X_TOKEN": "${input:x}"}}}})[:-1] + ",}",
        "vscode-settings": '{ "editor.tabSize": 8, // wide\n "mcp": {"servers": {"Count Er": %s,},}, }' % json.dumps(entry),
    }[app]
    path = folder / ("settings.json" if app == "vscode-settings" else "client.json")
    path.write_text(text)
    return [path, "--workspace", WORKERS, "--input", "x=hunter2"]


@pytest.mark.sanitizers
@pytest.mark.parametrize("app", ["claude-desktop", "claude-code", "cursor", "vscode", "vscode-settings"])
def test_import_into_a_running_daemon(start_fleet, tmp_path, app):
    fleet = start_fleet({"utils": {}})
    fleet.check_fds = False
    result = ctl.run("import", *client_file(app, tmp_path), "--yes", "--reload", "--json", socket=fleet.control_socket,
                     env={"SECRET": "hunter2"})
    assert result.code == 0 and result.json()["reloaded"], result
    assert result.json()["conf_dir"] == f"{tmp_path}/conf.d" and "hunter2" not in result.out + result.err
    fleets.wait_until(lambda: "count-er" in fleet.status()["domains"], 10, "the domain is there")
    fleet.wait_ready()
    with fleet.session() as session:
        answer = session.call("count_er_counter_count", {})
        worker = json.loads(answer["result"]["content"][0]["text"])["pid"]
        environment = pathlib.Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
    assert b"MODE=no" in environment and b"X_TOKEN=hunter2" in environment
    # And away again.
    result = ctl.run("remove", "count-er", "--yes", "--reload", "--json", socket=fleet.control_socket)
    assert result.code == 0 and result.json()["reloaded"], result
    fleets.wait_until(lambda: "count-er" not in fleet.status()["domains"], 10, "the domain is gone")
    assert names(tmp_path / "conf.d") == []


# --- add and remove -------------------------------------------------------------------------------


def test_add_and_remove(conf):
    result = ctl.run("add", "one", "--conf-dir", conf, "--env", "MODE=fast", "--env", "API_KEY=hunter2",
                     "--secret", "OTHER", "--sandbox", "strict", "--processes", "3", "--cwd", "/tmp",
                     "--", sys.executable, "--flag", "--", "x", env={"OTHER": "hunter3"})
    assert result.code == 0, result
    assert "hunter" not in result.out + result.err
    assert (conf / "one.env").read_text() == "API_KEY=hunter2\nOTHER=hunter3\n"
    text = (conf / "one.yaml").read_text()
    assert f'command: [{sys.executable}, "--flag", "--", x]' in text and "sandbox: strict" in text
    again = ctl.run("add", "one", "--conf-dir", conf, "--", "x")
    assert again.code == 1 and f"there is a domain one already, in {conf}/one.yaml:3" in again.err
    asked = ctl.run("remove", "one", "--conf-dir", conf)
    assert asked.code == 1 and "nothing was removed: --yes removes it" in asked.err
    assert names(conf) == ["one.env", "one.yaml"]
    removed = ctl.run("remove", "one", "--conf-dir", conf, "--yes", "--json")
    assert removed.code == 0
    assert removed.json()["removed"] == [f"{conf}/one.yaml", f"{conf}/one.env"]
    assert names(conf) == []
    gone = ctl.run("remove", "one", "--conf-dir", conf, "--yes")
    assert gone.code == 1 and "there is no domain" in gone.err


def test_add_with_paths(conf, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    result = ctl.run("add", "one", "--conf-dir", conf, "--sandbox", "python", "--write", "link", "--write", "/tmp",
                     "--read", tmp_path, "--", "x", cwd=tmp_path)
    assert result.code == 0, result
    assert (conf / "one.yaml").read_text().split("sandbox:\n")[1] == (
        f"      profile: python\n      read: [{tmp_path}]\n      write: [{tmp_path}/data, /tmp]\n")
    result = ctl.run("add", "far", "--conf-dir", conf, "--url", "http://h/", "--read", "/etc")
    assert result.code == 0 and "read: [/etc]" in (conf / "far.yaml").read_text(), result


@pytest.mark.parametrize("args,words", [
    (["--write", "/nowhere", "--sandbox", "strict", "--", "x"], "--write: /nowhere: No such file or directory"),
    (["--read", "", "--sandbox", "strict", "--", "x"], "--read: : No such file or directory"),
    (["--read", "/", "--", "x"], "nothing confines this server to them; give --sandbox strict, node or python, too"),
    (["--read", "/", "--sandbox", "auto", "--", "x"], "nothing confines this server to them; give"),
    (["--write", "/", "--sandbox", "none", "--", "x"], "nothing confines this server to them; give"),
    (["--write", "/", "--sandbox", "none", "--url", "http://h/"], "to them; leave --sandbox none out"),
    (["--read", "/", "--sandbox", "node", "--url", "http://h/"], "a domain with a url has a profile of its own"),
])
def test_add_refuses_paths(conf, args, words):
    result = ctl.run("add", "--conf-dir", conf, "x", *args)
    assert result.code == 1 and words in result.err, result
    assert names(conf) == []


def test_add_refuses_a_path_that_is_not_utf8(conf, tmp_path):
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    result = ctl.run("add", "--conf-dir", conf, "x", "--sandbox", "strict", "--read", os.fsdecode(b"\xff"), "--", "x",
                     cwd=tmp_path)
    assert result.code == 1 and "--read: the path is not UTF-8" in result.err
    assert names(conf) == []


@pytest.mark.skipif(bool(os.environ.get("LSAN_OPTIONS") or os.environ.get("MCP_FLEET_WRAPPER")),
                    reason="as test_sandbox.py says")
def test_what_is_added_reaches_its_paths(start_fleet, tmp_path):
    folder, program = tmp_path / "notes", tmp_path / "server"
    folder.mkdir()
    program.write_text("#!/usr/bin/python3\n" + (WORKERS / "notes_server.py").read_text())
    program.chmod(0o755)
    fleet = start_fleet({"utils": {}})
    fleet.check_fds = False
    for name, *options in ("one",), ("two", "--write", folder):
        result = ctl.run("add", name, "--sandbox", "python", *options, "--reload", "--wait", "--", program, folder,
                         socket=fleet.control_socket)
        assert result.code == 0, result
    with fleet.session() as session:
        assert "result" not in session.call("one_add", {"text": "a note"})  # it dies of it
        assert names(folder) == []
        assert "result" in session.call("two_add", {"text": "a note"})
    assert (folder / "notes.txt").read_text() == "a note\n"


def test_add_and_wait(start_fleet, tmp_path):
    fleet = start_fleet({"utils": {}})
    fleet.check_fds = False
    result = ctl.run("add", "one", "--reload", "--wait", "--json", "--", *fleets.fake_domain("one")["command"],
                     socket=fleet.control_socket)
    assert result.code == 0 and result.json()["reloaded"], result
    assert result.json()["waited"] == [{"domain": "one", "ok": True}]
    with fleet.session() as session:
        assert "result" in session.call("one_echo", {"text": "x"})
    result = ctl.run("add", "two", "--reload", "--wait", "--", "/nowhere/server", socket=fleet.control_socket)
    assert result.code == 1 and "The daemon has read its settings again." in result.out
    assert "mcp-fleetctl: two: does not come up: two/1: " in result.err and "/nowhere/server" in result.err
    config = write_config(tmp_path / "c.json", {"three": server("counter_server.py"), "four": {"command": "/nowhere/x"}})
    result = ctl.run("import", config, "--yes", "--reload", "--wait", socket=fleet.control_socket)
    assert result.code == 4 and "domain three: added, and serves" in result.out
    assert "mcp-fleetctl: four: does not come up: " in result.err


def test_add_url(conf):
    result = ctl.run("add", "far", "--conf-dir", conf, "--url", "https://h.example/mcp?key=hunter2",
                     "--header", "X-Key: hunter3", "--transport", "sse", "--json")
    assert result.code == 0 and "hunter" not in result.out
    assert mode(conf / "far.yaml") == 0o600  # a key in the url
    assert (conf / "far.headers").read_text() == "X-Key: hunter3\n"


@pytest.mark.parametrize("args,code,words", [
    (["x"], 2, "a command behind --, or --url, is expected"),
    (["Bad", "--", "x"], 1, "not a domain's name"),
    (["../x", "--", "x"], 1, "not a domain's name"),
    (["git", "--", "x"], 1, "built in"),
    (["mcp", "--", "x"], 1, "endpoint"),
    (["x", "--env", "9=1", "--", "x"], 1, "not a variable's name"),
    (["x", "--env", "NO_SUCH", "--", "x"], 1, "NO_SUCH is not set here"),
    (["x", "--secret", "NO_SUCH", "--", "x"], 1, "NO_SUCH is not set in the environment"),
    (["x", "--concurrency", "0", "--", "x"], 1, "domains.x.concurrency: 0 is out of range"),
    (["x", "--url", "http://h/", "--", "x"], 1, "a command and a url"),
    (["x", "--transport", "sse", "--", "x"], 1, "--transport: there is no --url"),
    (["x", "--header", "A: b", "--", "x"], 1, "headers are for a url"),
    (["x", "--url", "http://h/", "--header", "Host: b"], 1, "belongs to the protocol"),
    (["x", "--url", "ftp://h/"], 1, "is not http://HOST/PATH"),
    (["x", "--", "./nowhere/x"], 1, "neither an absolute path nor a name"),
])
def test_add_refuses(conf, args, code, words):
    result = ctl.run("add", *args, "--conf-dir", conf) if "--" not in args else \
        ctl.run("add", "--conf-dir", conf, *args)
    assert result.code == code and words in result.err, result
    assert names(conf) == []


def test_add_asks_for_a_secret(conf):
    with ctl.Pty("add", "one", "--conf-dir", conf, "--secret", "API_KEY", "--", "x") as terminal:
        terminal.wait_for("API_KEY: ")
        terminal.press("hunter2\n")
        assert terminal.wait() == 0
        assert terminal.is_restored()
    assert "hunter2" not in terminal.text
    assert (conf / "one.env").read_text() == "API_KEY=hunter2\n"


def test_remove_of_what_is_not_ours(conf):
    (conf / "two.yaml").write_text("domains:\n  two: {command: [x]}\n  three: {command: [x]}\n")
    for name, line in ("two", 2), ("three", 3):
        result = ctl.run("remove", name, "--conf-dir", conf, "--yes")
        assert result.code == 1 and f"the domain {name} stands in {conf}/two.yaml:{line}, among other settings" in result.err
    result = ctl.run("remove", "utils", "--conf-dir", conf, "--yes")
    assert result.code == 1 and "fleet.yaml:2" in result.err
    assert names(conf) == ["two.yaml"]


def test_remove_on_a_terminal(conf):
    assert ctl.run("add", "one", "--conf-dir", conf, "--", "x").code == 0
    for key, left in ("n\n", ["one.yaml"]), ("y\n", []):
        with ctl.Pty("remove", "one", "--conf-dir", conf) as terminal:
            terminal.wait_for("Remove the domain one? [y/N] ")
            terminal.press(key)
            assert terminal.wait() == (0 if not left else 1)
        assert names(conf) == left


def test_add_needs_settings(tmp_path):
    (tmp_path / "conf.d").mkdir()
    result = ctl.run("add", "one", "--conf-dir", tmp_path / "conf.d", "--", "x")
    assert result.code == 1 and f"{tmp_path}/fleet.yaml is not there" in result.err


def test_add_finds_the_settings_of_the_daemon(tmp_path, conf):
    socket = tmp_path / "c.sock"
    with ctl.FakeDaemon(socket, {"reload": {}}, hello={"settings": str(tmp_path / "fleet.yaml")}) as daemon:
        result = ctl.run("add", "one", "--reload", "--", "x", socket=socket)
        assert result.code == 0, result
        assert "reload" in daemon.methods()
    assert names(conf) == ["one.yaml"]


# --- connect --------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def connect(home, *args, **options):
    return ctl.run("connect", *args, env={"HOME": str(home)}, **options)


@pytest.mark.parametrize("app", APPS)
def test_connect_makes_the_file(home, app):
    path, member = APPS[app]
    preview = connect(home, app)
    assert preview.code == 0 and '+   "mcp-fleet": {' in preview.out and "--yes" in preview.err
    assert list(home.iterdir()) == []
    assert connect(home, app, "--yes").code == 0
    entry = json.loads((home / path).read_text())[member]["mcp-fleet"]
    assert entry["command"].endswith("/mcp-fleetctl") and os.path.isabs(entry["command"])
    assert entry["args"] == ["stdio"]
    assert mode(home / path) == 0o600
    again = connect(home, app, "--yes", "--json")
    assert again.code == 0 and again.json()["state"] == "unchanged"
    assert connect(home, app, "--undo", "--yes", "--json").json()["state"] == "removed"
    assert not (home / path).exists()
    assert connect(home, app, "--undo", "--yes", "--json").json()["state"] == "not_connected"


@pytest.mark.parametrize("name", sorted(path.name for path in CLIENTS.iterdir()))
@pytest.mark.parametrize("app", APPS)
def test_connect_and_undo_byte_for_byte(home, app, name):
    path = home / APPS[app][0]
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(CLIENTS / name, path)
    os.chmod(path, 0o640)
    before = path.read_bytes()
    assert connect(home, app, "--yes").code == 0
    assert path.read_bytes() != before and mode(path) == 0o640
    assert (path.parent / (path.name + ".mcp-fleet-backup")).read_bytes() == before
    assert connect(home, app, "--undo", "--yes", "--json").json()["state"] == "restored"
    assert path.read_bytes() == before and mode(path) == 0o640
    assert names(path.parent) == [path.name]


def test_undo_after_a_change_takes_only_the_entry(home):
    path = home / ".claude.json"
    path.write_text('{\n  // mine\n  "mcpServers": {\n    "a": {"command": "x"}\n  }\n}\n')
    before = path.read_text()
    assert connect(home, "claude-code", "--yes").code == 0
    path.write_text(path.read_text().replace("// mine", "// mine, changed"))
    result = connect(home, "claude-code", "--undo", "--yes", "--json")
    assert result.json()["state"] == "taken_out"
    assert path.read_text() == before.replace("// mine", "// mine, changed")


def test_connect_follows_links(home):
    (home / "dotfiles").mkdir()
    (home / "dotfiles" / "claude.json").write_text("{}")
    (home / ".claude.json").symlink_to("dotfiles/claude.json")
    assert connect(home, "claude-code", "--yes").code == 0
    assert (home / ".claude.json").is_symlink()
    assert "mcp-fleet" in (home / "dotfiles" / "claude.json").read_text()
    assert connect(home, "claude-code", "--undo", "--yes").code == 0
    assert (home / "dotfiles" / "claude.json").read_text() == "{}"


def test_connect_respects_what_is_there(home):
    path = home / ".claude.json"
    path.write_text('{"mcpServers": {"mcp-fleet": {"command": "other"}}}')
    before = path.read_bytes()
    refused = connect(home, "claude-code", "--yes")
    assert refused.code == 1 and "has an entry mcp-fleet that is not this fleet's" in refused.err
    assert connect(home, "claude-code", "--undo", "--yes").code == 1
    assert path.read_bytes() == before
    assert connect(home, "claude-code", "--yes", "--name", "fleet").code == 0
    assert connect(home, "claude-code", "--undo", "--yes", "--name", "fleet").code == 0
    assert connect(home, "claude-code", "--yes", "--replace").code == 0
    assert "other" not in path.read_text()
    assert connect(home, "claude-code", "--undo", "--yes").code == 0
    assert path.read_bytes() == before


def test_connect_again_with_other_arguments(home):
    path = home / ".cursor" / "mcp.json"
    path.parent.mkdir()
    path.write_text('{"mcpServers":{"a":{"command":"x"}}}')
    before = path.read_bytes()
    assert connect(home, "cursor", "--yes").code == 0
    assert connect(home, "cursor", "--yes", "--url", "https://h.example/mcp").code == 0
    assert json.loads(path.read_text())["mcpServers"]["mcp-fleet"]["args"][-1] == "https://h.example/mcp"
    assert connect(home, "cursor", "--undo", "--yes", "--json").json()["state"] == "restored"
    assert path.read_bytes() == before


@pytest.mark.parametrize("text,words", [
    ('{\n  "mcpServers": {,}\n}', ".claude.json:2:18: a name in double quotes is expected here"),
    ("[]", ".claude.json:1:1: an object is expected here"),
    ('{"mcpServers": []}', ".claude.json:1:16: an object is expected here"),
    ('{"a": "\udcff"}', ".claude.json:1:8: this string is not JSON"),
], ids=["broken", "list", "servers", "bytes"])
def test_connect_leaves_nonsense_alone(home, text, words):
    path = home / ".claude.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    result = connect(home, "claude-code", "--yes")
    assert result.code == 1 and words in result.err
    assert path.read_bytes() == text.encode(errors="surrogateescape")
    assert names(home) == [".claude.json"]


def test_connect_prints_no_secrets(home):
    path = home / ".claude.json"
    path.write_text('{"mcpServers": {"a": {"command": "x", "env": {"TOKEN": "hunter2"}}}}')
    result = connect(home, "claude-code", "--yes")
    assert result.code == 0 and "hunter2" not in result.out + result.err


def test_connect_print(home):
    key = home / "key"
    key.write_text("k")
    result = connect(home, "vscode", "--print", "--url", "https://h.example/mcp", "--key-file", key, "--name", "far")
    entry = result.json()["servers"]["far"]
    assert entry["type"] == "stdio" and entry["args"] == ["stdio", "--key-file", str(key), "https://h.example/mcp"]
    assert names(home) == ["key"]
    inside = connect(home, "vscode", "--print", "--file", "x/settings.json").json()
    assert list(inside["mcp"]["servers"]) == ["mcp-fleet"]
    assert connect(home, "emacs").code == 2
    assert connect(home, "vscode", "--key-file", key).code == 2


def test_connect_on_a_terminal(home):
    for key, there in ("n\n", False), ("y\n", True):
        with ctl.Pty("connect", "cursor", env={"HOME": str(home)}) as terminal:
            terminal.wait_for("Write this? [y/N] ")
            terminal.press(key)
            assert terminal.wait() == 0
        assert (home / ".cursor" / "mcp.json").exists() == there


@pytest.mark.parametrize("app", ["claude-desktop", "vscode"])
def test_what_connect_wrote_is_a_server(start_fleet, envs, tmp_path, home, app):
    """The command of the entry, started as the client would, by the Python SDK."""
    fleet = start_fleet({"utils": {}})
    assert connect(home, app, "--yes", "--mcp-socket", fleet.local_socket).code == 0
    path, member = APPS[app]
    entry = json.loads((home / path).read_text())[member]["mcp-fleet"]
    done = sdk.python_client(envs, 1).run(
        {"stdio": {"command": entry["command"], "args": entry["args"]}}, "calls",
        calls=[{"tool": "calculator_add", "arguments": {"a": 2, "b": 3}}])
    assert json.loads(done["results"][0]["result"]["content"][0]["text"])["result"] == 5


def test_connect_without_a_home():
    result = ctl.run("connect", "cursor", "--yes", env={"HOME": ""})
    assert result.code == 1 and "HOME is not set" in result.err
