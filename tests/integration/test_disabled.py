"""Domains that are disabled: a note in the state folder says which, from run to run."""

import signal

import pytest

import fleet as fleets

NOTE = "mcp-fleet note 1\n"


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def start(start_fleet, state, note):
    (state / "disabled").write_text(note)
    (state / "disabled").chmod(0o600)
    return start_fleet({"utils": {}, "fake": fleets.fake_domain("fake")}, {"state_dir": str(state)})


def reload(fleet):
    fleet.write_settings()
    fleet.signal(signal.SIGHUP)


@pytest.mark.sanitizers
def test_it_offers_nothing_and_runs_nothing(start_fleet, state):
    fleet = start(start_fleet, state, NOTE + "fake\n")
    assert fleet.status()["ready"] and fleet.domain("fake")["state"] == "disabled"
    assert fleet.domain("fake")["processes"] == 0 and fleet.workers("fake") == []
    assert fleet.get("/fake/sse").status == 503
    with fleet.session() as session:
        names = [tool["name"] for tool in session.tools()]
        assert names and not [name for name in names if name.startswith("fake")]


def test_it_stays_so_over_reloads(start_fleet, state):
    fleet = start(start_fleet, state, NOTE + "fake\n")
    fleet.check_fds = False
    fleet.domains["fake"]["env"] = {"OTHER": "1"}
    fleet.domains["utils"]["processes"] = {"min": 2}
    reload(fleet)
    fleets.wait_until(lambda: fleet.domain("utils")["ready"] == 2, 10, "the new settings hold")
    assert fleet.domain("fake")["state"] == "disabled" and fleet.workers("fake") == []
    # One that goes and comes again is another one.
    fake = fleet.domains.pop("fake")
    reload(fleet)
    fleets.wait_until(lambda: "fake" not in fleet.status()["domains"], 10, "it has gone")
    fleets.wait_until(lambda: "fake" not in (state / "disabled").read_text(), 10, "the note is written")
    fleet.domains["fake"] = fake
    reload(fleet)
    fleets.wait_until(lambda: fleet.status()["domains"].get("fake", {}).get("state") == "up", 10, "it is there")


@pytest.mark.parametrize("note, mode", [
    ("fake\n", 0o600), (NOTE + "fake\n", 0o666), (NOTE + "other\n\n", 0o600), ("", 0o600)])
def test_a_note_that_does_not_count(start_fleet, state, note, mode):
    (state / "disabled").write_text(note)
    (state / "disabled").chmod(mode)
    fleet = start_fleet({"fake": fleets.fake_domain("fake")}, {"state_dir": str(state)})
    assert fleet.domain("fake")["state"] == "up"
    if "other" not in note:
        assert "ignoring it" in fleet.log()


def test_without_a_note_no_folder_is_made(start_fleet, tmp_path):
    fleet = start_fleet({"fake": fleets.fake_domain("fake")}, {"state_dir": str(tmp_path / "none")})
    assert fleet.domain("fake")["state"] == "up"
    assert not (tmp_path / "none").exists()
