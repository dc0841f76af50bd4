"""mcp-fleetctl key: the keys file that it writes, and what it says; without a daemon, and of the daemon that runs."""

import fcntl
import hashlib
import json
import os
import re
import stat

import pytest

import ctl
import fleet as fleets

pytestmark = pytest.mark.sanitizers
BY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
NOBODY = 65534
KEY = re.compile(r"mcpf_[a-z2-7]{8}_[A-Za-z0-9_-]{43}\n")


class Keys:
    def __init__(self, path, socket):
        self.path, self.socket = path, socket

    def run(self, *args, file=True, **options):
        return ctl.run("key", *args, *(["--file", self.path] if file else []), socket=self.socket, **options)

    def add(self, name, *args):
        result = self.run("add", name, *args)
        assert result.code == 0, result
        return result.out.strip()

    def read(self):
        return {key["name"]: key for key in json.loads(self.path.read_text())["keys"]}


@pytest.fixture
def keys(tmp_path, socket_path):
    return Keys(tmp_path / "keys.json", socket_path)


def hash_of(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


# --- add ------------------------------------------------------------------------------------------


def test_add_prints_the_key_alone(keys):
    result = keys.run("add", "ci")
    assert result.code == 0 and KEY.fullmatch(result.out)
    assert "Authorization: Bearer KEY" in result.err and str(keys.path) in result.err
    assert "first key: from now on every client over HTTP has to show one" in result.err
    text = result.out.strip()
    stored = keys.read()["ci"]
    assert stored["hash"] == hash_of(text) and stored["id"] == text[5:13]
    assert text not in keys.path.read_text()
    assert sorted(stored) == ["created", "hash", "id", "name"]
    again = keys.run("add", "other")
    assert "first key" not in again.err and again.out != result.out


def test_add_with_all_options(keys):
    result = keys.run("add", "ci", "--domains", "git,fs-*", "--tools", "git_*", "--rate", "10", "--burst", "20",
                      "--sessions", "5", "--streams", "6", "--calls", "7", "--bytes-rate", "2MiB",
                      "--expires", "2999-01-31", "--certificate", "CN=ci,O=x", "--certificate", "ci.example.org",
                      "--admin", "--json")
    assert result.code == 0
    told = result.json()
    assert KEY.fullmatch(told["key"] + "\n") and told["path"] == str(keys.path)
    stored = keys.read()["ci"]
    del stored["hash"], stored["id"], stored["created"]
    assert stored == {"name": "ci", "domains": ["git", "fs-*"], "tools": ["git_*"], "rate": 10, "burst": 20,
                      "sessions": 5, "streams": 6, "calls": 7, "bytes_rate": 2097152, "admin": True,
                      "expires": "2999-01-31T00:00:00Z", "certificates": ["CN=ci,O=x", "ci.example.org"]}
    listed = keys.run("list", "--json").json()
    assert listed["path"] == str(keys.path)
    assert {name: told[name] for name in listed["keys"][0]} == listed["keys"][0]
    assert "hash" not in listed["keys"][0] and "key" not in listed["keys"][0]


def test_certificates_alone(keys):
    result = keys.run("add", "ci", "--no-key", "--certificate", "ci.example.org")
    assert result.code == 0 and result.out == ""
    assert "hash" not in keys.read()["ci"]
    taken = keys.run("add", "b", "--certificate", "ci.example.org")
    assert taken.code == 1 and 'the certificate "ci.example.org" is key ci already' in taken.err
    rotated = keys.run("rotate", "ci")
    assert rotated.code == 1 and "has no key that could be replaced" in rotated.err


@pytest.mark.parametrize(("args", "words"), [
    (["--no-key"], "--no-key leaves no way in"),
    (["--rate", "0"], "--rate: a whole number from 1 to 1000000"),
    (["--calls", "1000001"], "--calls: a whole number"),
    (["--burst", "-1"], "--burst: a whole number"),
    (["--bytes-rate", "2GiB"], "--bytes-rate: a size such as"),
    (["--domains", "git,,fs"], '--domains: "" is none'),
    (["--tools", ""], '--tools: "" is none'),
    (["--tools", "a\nb"], '--tools: "a\\nb" is none'),
    (["--expires", "2020-01-31"], "--expires: it must be to come"),
    (["--expires", "0s"], "--expires: it must be to come"),
    (["--expires", "2027-06-31"], "--expires: a duration such as 90d"),
    (["--expires", "90"], "--expires: a duration such as 90d"),
    (["--expires", "9000000d"], "--expires: a duration such as 90d"),
    (["--certificate", "a", "--certificate", "a"], "stands in the file twice"),
])
def test_wrong_options(keys, args, words):
    result = keys.run("add", "ci", *args)
    assert result.code == 1 and words in result.err, result
    assert result.out == "" and not keys.path.exists()


@pytest.mark.parametrize("args", [
    ["add"], ["add", ".x"], ["add", "a b"], ["add", "x" * 65], ["zebra"], ["list", "ci"], ["revoke"],
    ["revoke", "ci", "--rate", "3"], ["rotate", "ci", "--domains", "git"], ["list", "--grace", "1d"],
])
def test_wrong_lines(keys, args):
    result = keys.run(*args)
    assert result.code == 2 and result.err.startswith("mcp-fleetctl key: "), result
    assert not keys.path.exists()


def test_a_name_is_of_one_key(keys):
    keys.add("ci")
    before = keys.path.read_text()
    result = keys.run("add", "ci")
    assert result.code == 1 and "mcp-fleetctl key rotate ci" in result.err
    assert result.out == "" and keys.path.read_text() == before


# --- list, revoke, rotate ---------------------------------------------------------------------------


def test_list(keys):
    empty = keys.run("list")
    assert empty.code == 0 and empty.out == "" and "there is no such file" in empty.err
    keys.add("ci", "--domains", "git", "--rate", "10", "--bytes-rate", "1MiB")
    keys.add("soon", "--expires", "3d", "--admin")
    told = keys.run("list")
    assert "rate 10, bytes_rate 1MiB" in told.out and "admin" in told.out and "never" in told.out
    shown = ctl.run_pty("key", "list", "--file", keys.path, socket=keys.socket, columns=200)
    assert re.search(r"\x1b\[33m\d{4}-\d\d-\d\dT[\d:]+Z", shown.out)


def test_expired(keys):
    keys.add("ci", "--expires", "1d")
    keys.path.write_text(re.sub(r'"expires": "[^"]*"', '"expires": "2020-01-01T00:00:00Z"', keys.path.read_text()))
    assert "2020-01-01T00:00:00Z (expired)" in keys.run("list").out
    assert keys.run("list", "--json").json()["keys"][0]["expired"] is True
    refused = keys.run("rotate", "ci")
    assert refused.code == 1 and "--expires" in refused.err
    assert keys.run("rotate", "ci", "--expires", "2d").code == 0
    assert keys.run("list", "--json").json()["keys"][0]["expired"] is False


def test_revoke(keys):
    keys.add("a")
    keys.add("b")
    keys.add("c")
    result = keys.run("revoke", "b")
    assert (result.code, result.out, result.err) == (0, "Revoked.\n", "")
    assert list(keys.read()) == ["a", "c"]
    missing = keys.run("revoke", "b")
    assert missing.code == 1 and "there is no key b" in missing.err
    assert keys.run("revoke", "a", "--json").json() == {"revoked": "a", "path": str(keys.path), "left": 1}
    last = keys.run("revoke", "c")
    assert "no key is left, and a client over HTTP still has to show one" in last.err
    assert keys.read() == {}


def test_rotate(keys):
    first = keys.add("ci", "--domains", "git")
    created = keys.read()["ci"]["created"]
    second = keys.run("rotate", "ci", "--grace", "2h")
    assert second.code == 0 and KEY.fullmatch(second.out) and second.out.strip() != first
    assert "the one before it is taken until 20" in second.err
    stored = keys.read()["ci"]
    assert stored["hash"] == hash_of(second.out.strip()) and stored["rotated"]["hash"] == hash_of(first)
    assert stored["id"] == first[5:13] and stored["created"] == created and stored["domains"] == ["git"]
    third = keys.run("rotate", "ci", "--grace", "0s")
    assert "is taken no more" in third.err
    assert "rotated" not in keys.read()["ci"]
    wrong = keys.run("rotate", "ci", "--grace", "5")
    assert wrong.code == 1 and "--grace: a duration" in wrong.err
    assert keys.read()["ci"]["hash"] == hash_of(third.out.strip())


# --- the file ---------------------------------------------------------------------------------------


def test_mode_and_what_is_left_behind(keys):
    keys.add("ci")
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o640
    assert sorted(os.listdir(keys.path.parent)) == ["keys.json", "keys.json.lock"]
    for before, after in ((0o600, 0o600), (0o644, 0o640)):  # nobody gets to read it who could not
        keys.path.chmod(before)
        keys.add(f"key-{before:o}")
        assert stat.S_IMODE(keys.path.stat().st_mode) == after


@BY_ROOT
def test_owner_and_group(keys):
    os.chown(keys.path.parent, -1, 12345)
    keys.add("ci")
    assert (keys.path.stat().st_uid, keys.path.stat().st_gid) == (0, 12345)
    os.chown(keys.path, NOBODY, 23456)
    keys.add("more")
    assert (keys.path.stat().st_uid, keys.path.stat().st_gid) == (NOBODY, 23456)
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o640


def test_a_link_stays_one(keys, tmp_path):
    (tmp_path / "deep").mkdir()
    keys.path.symlink_to("deep/real.json")
    (tmp_path / "deep" / "real.json").write_text('{"version": 1, "keys": []}')
    keys.add("ci")
    assert keys.path.is_symlink() and list(keys.read()) == ["ci"]


def test_a_broken_file_is_not_touched(keys):
    keys.path.write_text('{"version": 1, "keys": [{"name": "ci"}]}')
    for args in (["add", "b"], ["list"], ["revoke", "ci"], ["rotate", "ci"]):
        result = keys.run(*args)
        assert result.code == 1 and str(keys.path) in result.err and "is missing" in result.err
    assert keys.path.read_text() == '{"version": 1, "keys": [{"name": "ci"}]}'


def test_no_folder(keys, tmp_path):
    result = ctl.run("key", "add", "ci", "--file", tmp_path / "none" / "keys.json", socket=keys.socket)
    assert result.code == 1 and result.out == ""
    assert "No such file or directory: make the folder" in result.err


@BY_ROOT
def test_not_allowed(keys):
    keys.add("ci")
    keys.path.parent.chmod(0o755)
    with ctl.open_to_all("mcp-fleetctl") as folder:
        result = fleets.run([folder / "mcp-fleetctl", "key", "revoke", "ci", "--file", keys.path], env=ctl.environment(keys.socket),
                            user=NOBODY, cwd="/")
    assert result.returncode == 1 and b"Permission denied: run this as root" in result.stderr
    assert list(keys.read()) == ["ci"]


def test_one_change_at_a_time(keys):
    keys.add("ci")
    with open(f"{keys.path}.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = keys.run("add", "b", "--timeout", "0.2")
        assert result.code == 1 and "another process is changing it" in result.err
        assert keys.run("list").code == 0
        waiting = fleets.spawn(ctl.command("key", "add", "b", "--file", keys.path), env=ctl.environment(keys.socket),
                               stdout=-1, stderr=-1)
        names = list(keys.read())
    waiting.communicate(timeout=30 * fleets.SLOWNESS)
    assert waiting.returncode == 0 and names == ["ci"]
    assert list(keys.read()) == ["ci", "b"]


def test_many_at_once(keys):
    running = [fleets.spawn(ctl.command("key", "add", f"k{n}", "--file", keys.path),
                            env=ctl.environment(keys.socket), stdout=-1, stderr=-1) for n in range(8)]
    for each in running:
        each.communicate(timeout=30 * fleets.SLOWNESS)
        assert each.returncode == 0
    assert sorted(keys.read()) == [f"k{n}" for n in range(8)]


# --- of the daemon ----------------------------------------------------------------------------------


def test_the_file_of_the_daemon(start_fleet):
    fleet = start_fleet({"utils": {}})
    path = fleet.settings_path.parent / "keys.json"
    status = ctl.run("status", "--json", socket=fleet.control_socket).json()
    assert status["keys_path"] == str(path)
    result = ctl.run("key", "add", "ci", "--json", socket=fleet.control_socket)
    assert result.code == 0 and result.json()["path"] == str(path) and path.exists()
    words = ctl.run("__complete", "mcp-fleetctl key rotate ", socket=fleet.control_socket)
    assert words.out == f"ci\t{result.json()['id']}\n"


def test_a_daemon_without_keys(keys):
    with ctl.FakeDaemon(keys.socket, hello={"keys_path": None}):
        result = keys.run("list", file=False)
    assert result.code == 1 and "the running daemon reads no keys: set auth.keys_file" in result.err


def test_a_daemon_that_hangs(keys):
    with ctl.FakeDaemon(keys.socket, listen=False) as daemon:
        daemon.listener.listen(16)
        result = keys.run("add", "ci", "--timeout", "0.3", file=False)
    assert result.code == 3 and "which keys file is in use is not known" in result.err


def test_completion_of_names(keys):
    keys.add("ci")
    keys.add("bob")
    words = ctl.run("__complete", f"mcp-fleetctl key revoke --file {keys.path} ", socket=keys.socket)
    assert [line.split("\t")[0] for line in words.lines()] == ["ci", "bob"]
    commands = ctl.run("__complete", "mcp-fleetctl key r", socket=keys.socket)
    assert [line.split("\t")[0] for line in commands.lines()] == ["revoke", "rotate"]


# --- doctor -----------------------------------------------------------------------------------------


def findings(keys, check, result):
    """Of a daemon that reads this file."""
    with ctl.FakeDaemon(keys.socket, {"status": {}}, hello={"keys_path": str(keys.path)}):
        told = ctl.run("doctor", "--json", socket=keys.socket).json()["findings"]
    return [each for each in told if each["check"] == check and each["result"] == result]


def test_doctor_without_keys(keys):
    assert "there is no such file" in findings(keys, "keys", "skip")[0]["text"]
    with ctl.FakeDaemon(keys.socket, {"status": {}}, hello={"keys_path": None}):
        told = ctl.run("doctor", "--json", socket=keys.socket).json()["findings"]
    assert "auth.keys_file says that there are none" in [each["text"] for each in told if each["check"] == "keys"]


def test_doctor_of_keys_that_end(keys):
    keys.add("always")
    keys.add("long", "--expires", "15d")
    assert findings(keys, "keys", "ok")[0]["text"] == "2, none of which has expired or will soon"
    keys.add("soon", "--expires", "13d")
    keys.add("gone", "--expires", "1d")
    text = keys.path.read_text().splitlines()
    keys.path.write_text("\n".join(
        re.sub(r'"expires": "[^"]*"', '"expires": "2020-01-01T00:00:00Z"', line) if '"gone"' in line else line
        for line in text))
    assert not findings(keys, "keys", "ok")
    soon, gone = findings(keys, "key", "warn")
    assert soon["subject"] == "soon" and soon["text"].startswith("it expires soon, at 20")
    assert gone["subject"] == "gone" and gone["text"] == "it has expired, at 2020-01-01T00:00:00Z"
    assert "key rotate gone --expires" in gone["remedy"]


@pytest.mark.parametrize(("mode", "result", "words"), [
    (0o660, "fail", "its mode is 0660: others than its owner may write it"),
    (0o642, "fail", "its mode is 0642"),
    (0o644, "warn", "its mode is 0644: everybody on this machine may read"),
])
def test_doctor_of_permissions(keys, mode, result, words):
    keys.add("ci")
    keys.path.chmod(mode)
    assert words in findings(keys, "keys", result)[0]["text"]


def test_doctor_of_a_broken_file(keys):
    keys.path.write_text("[]")
    keys.path.chmod(0o640)
    assert str(keys.path) in findings(keys, "keys", "fail")[0]["text"]
    keys.path.write_text('{"version": 1, "keys": []}')
    assert "there is no key in it" in findings(keys, "keys", "warn")[0]["text"]


@BY_ROOT
def test_doctor_of_a_daemon_that_may_not_read(keys):
    keys.add("ci")
    keys.path.chmod(0o600)
    keys.path.parent.chmod(0o755)
    sleeper = fleets.spawn(["sleep", "600"], user=NOBODY, group=NOBODY, extra_groups=[])
    try:
        with ctl.FakeDaemon(keys.socket, {"status": {}}, hello={"keys_path": str(keys.path), "pid": sleeper.pid}):
            told = ctl.run("doctor", "--json", socket=keys.socket).json()["findings"]
    finally:
        sleeper.kill()
        sleeper.wait()
    found = [each for each in told if each["check"] == "keys"]
    assert [each["result"] for each in found] == ["fail"] and f"user {NOBODY} may not read it" in found[0]["text"]
