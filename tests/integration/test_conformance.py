"""The public conformance suite of MCP, server side, at each revision that it knows.

mcp-fleetd is in between: the suite's client talks to it over Streamable HTTP, and what the suite asks for is
offered by a worker (tests/conformance) that mcp-fleetd runs as an external server. The worker comes in two
forms, of which neither can do what the other does: one speaks an older revision only, one the newest only.
So the daemon has to translate between the eras in both directions.

A form and a revision are one run of the suite: all its scenarios of that revision. Each scenario is a test
of its own, with what the suite has found in its failure. Whichever test comes first has the suite run,
in whichever process of pytest-xdist; the others read what it left.

There is no list of failures that are expected. A warning, and a check that the suite skips, is a failure
too, but for those in TOLERATED.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess

import pytest

import conformance
import fleet as fleets

# Which scenario is for which revisions. `conformance list --server` says it; a test compares.
SCENARIOS = {
    ("2025-03-26", "2025-06-18", "2025-11-25"): ["server-session-lifecycle"],
    ("2025-06-18", "2025-11-25"): [
        "server-initialize", "logging-set-level", "ping", "tools-call-with-logging", "tools-call-sampling",
        "tools-call-elicitation", "resources-subscribe", "resources-unsubscribe",
    ],
    ("2025-06-18", "2025-11-25", "2026-07-28"): [
        "completion-complete", "tools-list", "tools-call-simple-text", "tools-call-image", "tools-call-audio",
        "tools-call-embedded-resource", "tools-call-mixed-content", "tools-call-error", "tools-call-with-progress",
        "resources-list", "resources-read-text", "resources-read-binary", "resources-templates-read", "prompts-list",
        "prompts-get-simple", "prompts-get-with-args", "prompts-get-embedded-resource", "prompts-get-with-image",
    ],
    ("2025-11-25",): ["elicitation-sep1034-defaults", "elicitation-sep1330-enums", "server-sse-polling"],
    ("2025-11-25", "2026-07-28"): ["json-schema-2020-12", "server-sse-multiple-streams", "dns-rebinding-protection"],
    ("2026-07-28",): [
        "server-stateless", "sep-2164-resource-not-found", "caching", "http-header-validation",
        "http-custom-header-server-validation", "input-required-result-basic-elicitation",
        "input-required-result-basic-sampling", "input-required-result-basic-list-roots",
        "input-required-result-request-state", "input-required-result-multiple-input-requests",
        "input-required-result-multi-round", "input-required-result-missing-input-response",
        "input-required-result-non-tool-request", "input-required-result-result-type",
        "input-required-result-unsupported-methods", "input-required-result-tampered-state",
        "input-required-result-capability-check", "input-required-result-ignore-extra-params",
        "input-required-result-validate-input",
    ],
}
REVISIONS = sorted({revision for revisions in SCENARIOS for revision in revisions})
# Scenarios of extensions, which no revision has: tasks as of SEP-2663, and skills.
EXTENSIONS = re.compile(r"tasks-|sep-2640-skills-")

# Checks that do not succeed: (form, scenario, id of the check): why that cannot be otherwise.
TOLERATED = {}


def scenarios_of(revision):
    return [name for revisions, names in SCENARIOS.items() if revision in revisions for name in names]


def suite(envs):
    """The command that runs the suite. It needs Node 22 and does not say so."""
    modules = envs / "node" / "node_modules"
    node = [str(path) for path in modules.glob("node-linux-*/bin/node")] or [shutil.which("node")]
    version = subprocess.run([*node[:1], "--version"], capture_output=True, text=True, check=True).stdout
    assert int(version.strip("v").split(".")[0]) >= 22, f"the suite needs Node 22, this is {version.strip()}"
    return [node[0], str(modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js")]


# --- one run ------------------------------------------------------------------------------------------


def run_suite(envs, folder, form, revision):
    """Starts the daemon, has the suite run, stops the daemon: {trouble, log, output, checks}."""
    fleet = fleets.Fleet(folder, {"fixture": conformance.domain(envs, form)})
    trouble, output = [], ""
    try:
        fleet.start()
        output = run_scenarios(envs, folder, fleet.url + conformance.FORMS[form].endpoint, revision)
    except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
        trouble.append(f"{error}")
    try:
        fleet.stop()
    except (AssertionError, subprocess.TimeoutExpired) as error:
        trouble.append(f"at the end: {error}")
    return {"trouble": trouble, "log": fleet.log(), "output": output, "checks": read_checks(folder / "out")}


def run_scenarios(envs, folder, url, revision):
    done = fleets.run([*suite(envs), "server", "--url", url, "--suite", "all", "--spec-version", revision,
                       "--timeout", str(int(10000 * fleets.SLOWNESS)), "-o", str(folder / "out")], cwd=folder,
                      timeout=80 * fleets.SLOWNESS)
    return (done.stdout + done.stderr).decode(errors="replace")


def read_checks(out):
    """scenario -> its checks, from the folders server-<scenario>-<time>."""
    return {re.sub(r"^server-(.*?)-\d{4}-\d\d-\d\dT.*", r"\1", path.parent.name): json.loads(path.read_text())
            for path in out.glob("*/checks.json")}


@pytest.fixture(scope="session")
def outcome(envs, tmp_path_factory):
    """outcome(form, revision): what that run has found; it is made when the first test asks for it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def get(form, revision):
        folder = shared / f"conformance-{form}-{revision}"
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            kept = folder / "outcome.json"
            if not kept.exists():
                found = run_suite(envs, folder, form, revision)
                kept.write_text(json.dumps(found))
            return json.loads(kept.read_text())

    return get


# --- tests ----------------------------------------------------------------------------------------------


def describe(check):
    details = json.dumps(check.get("details", {}))
    return (f"{check['status']} {check['id']}: {check.get('errorMessage', '')}\n"
            f"    {check.get('description', '')}\n    {details[:2000]}")


@pytest.mark.parametrize("form", conformance.FORMS)
@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.sanitizers
def test_the_run_itself(outcome, form, revision):
    """The daemon came up, lived through the suite and ended in order; every scenario ran, and no other."""
    found = outcome(form, revision)
    words = f"\n--- the suite\n{found['output'][-4000:]}\n--- mcp-fleetd\n{found['log'][-16000:]}"
    assert not found["trouble"], "\n".join(found["trouble"]) + words
    assert sorted(found["checks"]) == sorted(scenarios_of(revision)), words


@pytest.mark.parametrize(("form", "revision", "scenario"), [
    pytest.param(form, revision, scenario, id=f"{form}-{revision}-{scenario}")
    for form in conformance.FORMS for revision in REVISIONS for scenario in scenarios_of(revision)])
@pytest.mark.sanitizers
def test_scenario(outcome, form, revision, scenario):
    found = outcome(form, revision)
    if scenario not in found["checks"]:
        pytest.fail(f"it did not run: {' '.join(found['trouble'])[:300]}; see test_the_run_itself", pytrace=False)
    checks = [check for check in found["checks"][scenario] if check["status"] != "INFO"]
    failed = [check for check in checks
              if check["status"] != "SUCCESS" and (form, scenario, check["id"]) not in TOLERATED]
    if failed:
        pytest.fail("\n".join(map(describe, failed)), pytrace=False)
    assert checks, "the suite could check nothing"


def test_every_scenario_of_the_suite_is_run(envs):
    """The suite has no scenario for a server that is not in the table above."""
    done = fleets.run([*suite(envs), "list", "--server"])
    listed = dict(re.findall(r"^  - (\S+) \[([^]]+)\]$", done.stdout.decode(), re.MULTILINE))
    assert listed, done
    expected = {name: ",".join(revisions) for revisions, names in SCENARIOS.items() for name in names}
    assert {name: revisions for name, revisions in listed.items() if not EXTENSIONS.match(name)} == expected
    assert all(revisions == "extension" for name, revisions in listed.items() if EXTENSIONS.match(name))
