"""The journal and systemd themselves: mcp-fleetd as a service in a booted container, its lines with their fields read
back by journalctl, its status by systemctl."""

import json
import pathlib
import sys

import pytest

import container
import fleet as fleets

PROBE = pathlib.Path(__file__).parent / "workers" / "journal_probe.py"
PORT = 8000
MARK = "Pr1vate"

TARGET = """[Unit]
Requires=systemd-journald.service mcp-fleet.service
Wants=probe.service
After=systemd-journald.service
DefaultDependencies=no
"""

SERVICE = """[Unit]
DefaultDependencies=no
After=systemd-journald.socket
[Service]
Type=notify
NotifyAccess=main
ExecStart={build}/mcp-fleetd --config /test/fleet.yaml
ExecReload=kill -HUP $MAINPID
Environment=MCP_TRANSPORT=sse
RuntimeDirectory=mcp-fleet
StateDirectory=mcp-fleet
WatchdogSec=30
TimeoutStartSec=30
TimeoutStopSec=20
"""

PROBE_SERVICE = """[Unit]
DefaultDependencies=no
After=mcp-fleet.service
[Service]
Type=exec
ExecStart={python} {probe} {port}
"""


@pytest.fixture
def booted(tmp_path):
    """What the probe in the container has found: a dict, and the entries of the journal."""
    if not fleets.has_libsystemd():
        pytest.skip("built without libsystemd")
    if why := container.why_not():
        pytest.skip(why)
    folder = tmp_path / "test"
    folder.mkdir()
    words = {"build": fleets.build_dir(), "python": pathlib.Path(sys.executable).resolve(), "probe": PROBE, "port": PORT}
    (folder / "all.target").write_text(TARGET)
    (folder / "mcp-fleet.service").write_text(SERVICE.format(**words))
    (folder / "probe.service").write_text(PROBE_SERVICE.format(**words))
    (folder / "fleet.yaml").write_text(json.dumps({
        "listen": [{"address": f"127.0.0.1:{PORT}"}], "log": {"level": "debug"}, "audit": {"target": "log"},
        "domains": {"utils": {}}, "auth": {"keys_file": "/test/keys.json"}}))
    (folder / "key").write_text(fleets.make_key(folder / "keys.json", "ci"))
    status, console = container.Container(folder, "all.target", [fleets.build_dir(), PROBE]).run(50)
    trouble = folder / "trouble"
    assert status == 0, trouble.read_text() if trouble.exists() else console
    entries = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    told = json.loads((folder / "told.json").read_text())
    return {**told, "key": (folder / "key").read_text()}, entries


def of_daemon(told, entries):
    return [each for each in entries if each.get("_PID") == told["ready"]["MainPID"]]


def check_call(told, lines):
    """One line at debug, with the fields of the call."""
    calls = [each for each in lines if each["MESSAGE"].startswith("call ") and " ended: ok" in each["MESSAGE"]]
    over_http, over_socket = [each for each in calls if each.get("TOOL") == "string_reverse"]
    for line in over_http, over_socket:
        assert (line["DOMAIN"], line["WORKER"], line["PRIORITY"]) == ("utils", "utils/1", "7")
        assert int(line["CALL"]) > 0 and 0 < float(line["DURATION"]) < 60
    assert over_http["CLIENT_IP"] == "127.0.0.1" and "CLIENT_IP" not in over_socket
    assert over_http["KEY"] == "ci" and "KEY" not in over_socket
    assert over_http["SESSION_ID"] == told["session"][:8] and over_socket["SESSION_ID"] != over_http["SESSION_ID"]


def check_audit(told, lines):
    done, refused, local = [each for each in lines if "AUDIT" in each]
    for line in done, refused, local:
        assert line["PRIORITY"] == "6" and line["_SYSTEMD_UNIT"] == "mcp-fleet.service"
    record = json.loads(done["AUDIT"])
    assert (record["tool"], record["outcome"], record["session"]) == ("string_reverse", "ok", told["session"][:8])
    assert (record["kind"], record["key"]) == ("key", done["KEY"]) == ("key", "ci")
    assert record["arguments"] == [{"name": "text", "bytes": len(MARK) + 2}]
    assert (done["TOOL"], done["DOMAIN"], done["CALL"]) == (record["tool"], record["domain"], str(record["call"]))
    assert float(done["DURATION"]) == record["duration"]
    # What a client calls a tool is no field, and makes none.
    assert json.loads(refused["AUDIT"])["outcome"] == "error" and "TOOL" not in refused
    assert not [each for each in lines if "FORGED" in each]
    record = json.loads(local["AUDIT"])
    assert (record["kind"], record["uid"], record["transport"]) == ("local", 0, "local") and record["pid"] > 1


def check_session(told, lines):
    ended = [each for each in lines if each["MESSAGE"].startswith("session ended: ")]
    first, = [each for each in ended if each["SESSION_ID"] == told["session"][:8]]
    assert first["PRIORITY"] == "6" and float(first["DURATION"]) > 0 and "probe" in first["MESSAGE"]
    assert (first["KEY"], first["CLIENT_IP"]) == ("ci", "127.0.0.1")
    assert len(ended) == 2


def check_manager(told):
    assert told["ready"]["ActiveState"] == "active" and "1/1 domains up" in told["ready"]["StatusText"]
    assert "0 sessions" in told["status"]["StatusText"]
    assert told["reloaded"]["ActiveState"] == "active" and told["reloaded"]["MainPID"] == told["ready"]["MainPID"]
    stopped = told["stopped"]
    assert (stopped["ActiveState"], stopped["Result"], stopped["ExecMainStatus"]) == ("inactive", "success", "0")
    assert stopped["NRestarts"] == "0"


@pytest.mark.timeout(120)
def test_journal(booted):
    told, entries = booted
    lines = of_daemon(told, entries)
    assert {each["SYSLOG_IDENTIFIER"] for each in lines} == {"mcp-fleetd"}
    assert {each["_TRANSPORT"] for each in lines} == {"journal"}, "it wrote text to its standard error"
    check_call(told, lines)
    check_audit(told, lines)
    check_session(told, lines)
    check_manager(told)
    assert len(told["of_tool"].splitlines()) == 4  # two calls, two records
    everything = json.dumps(entries)
    assert told["key"] not in everything and told["key"][14:] not in everything
    assert MARK not in everything and told["session"] not in everything
