"""Clients of any make, each over every door that it knows: they find the tools, call them, hear progress and errors."""

import json
import os
import tempfile

import pytest

import fleet as fleets
import sdk
import servers

LATEST, MODERN = "2025-11-25", "2026-07-28"
DOORS = ["stdio", "sse", "socket", "http"]
# As the client negotiates: by `initialize`, or by asking with `server/discover` first.
ERAS = ["legacy", "auto"]

pytestmark = pytest.mark.skipif(bool(os.environ.get("MCP_FLEET_WRAPPER")), reason="the same under valgrind")


@pytest.fixture(scope="module")
def domains(envs):
    """One of our own and one of others, called ext."""
    return {"utils": {}, "ext": servers.SERVERS["python-1"](envs, None).settings()}


@pytest.fixture(scope="module")
def standing(start_standing_fleet, domains):
    with tempfile.TemporaryDirectory(prefix="mcp-s-") as folder:
        yield start_standing_fleet(domains, settings={"local": {"path": f"{folder}/s"}})


@pytest.fixture(params=DOORS)
def way(request, domains, doors):
    """How a client gets at a fleet: at its own on stdio, else at one that others have visited before."""
    if request.param == "stdio":
        return doors.over_stdio(domains)
    fleet = request.getfixturevalue("standing")
    request.node.fleets = [fleet]
    fleet.settle()
    return sdk.way(request.param, fleet)


CALLS = [
    {"tool": "string_to_upper", "arguments": {"text": "grüße"}},
    {"tool": "ext_echo", "arguments": {"text": "a word"}},
    {"tool": "ext_no_such_tool", "arguments": {}},
]


def revision_of(way, era):
    """HTTP+SSE ends with the revision before the stateless one."""
    return MODERN if era == "auto" and "sse" not in way else LATEST


def check_tour(outcome, revision):
    assert outcome["revision"] == revision
    names = [tool["name"] for tool in outcome["tools"]]
    assert {"string_to_upper", "ext_echo", "ext_steps", "ext_ask"} <= set(names)
    upper, echo, unknown = outcome["answers"]
    assert upper["result"]["structuredContent"]["result"] == "GRÜSSE"
    assert text_of(echo) == "a word"
    assert "ext_no_such_tool" in unknown["raised"]
    assert text_of(outcome["steps"]) == "done"
    assert outcome["progress"] == [[step, 3, f"step {step}"] for step in (1, 2, 3)]


def text_of(answer):
    return answer["result"]["content"][0]["text"]


def tour(client, way, **plan):
    return client.run(way, "tour", calls=CALLS, steps="ext_steps", **plan)


def test_python_1(envs, way):
    check_tour(tour(sdk.python_client(envs, 1), way), LATEST)


@pytest.mark.parametrize("era", ERAS)
def test_python_2(envs, way, era):
    check_tour(tour(sdk.python_client(envs, 2), way, era=era), revision_of(way, era))


@pytest.mark.parametrize("era", ERAS)
def test_fastmcp(envs, way, era):
    check_tour(tour(sdk.fastmcp_client(envs), way, era=era), revision_of(way, era))


def test_typescript_1(envs, way):
    check_tour(tour(sdk.typescript_client(envs), way), LATEST)


@pytest.mark.parametrize("era", ERAS)
def test_typescript_2(envs, way, era):
    check_tour(tour(sdk.typescript_client(envs), way, era=era, major=2), revision_of(way, era))


# --- the command line of the MCP inspector --------------------------------------------------------


def inspect(envs, folder, way, era, *words):
    """What it prints for one method, and its exit status."""
    package = envs / "servers" / "node_modules" / "@modelcontextprotocol" / "inspector"
    command = [servers.node(envs), package / "clients" / "launcher" / "build" / "index.js", "--cli", "--protocol-era", era]
    if "stdio" in way:
        settings = folder / "inspector.json"
        settings.write_text(json.dumps({"mcpServers": {"fleet": {"type": "stdio", **way["stdio"]}}}))
        command += ["--config", settings, "--server", "fleet"]
    else:
        [(transport, url)] = way.items()
        command += ["--transport", transport, "--server-url", url]
    done = fleets.run([str(word) for word in [*command, *words]], env={**os.environ, "HOME": str(folder)})
    assert not fleets.REPORTS.search(done.stderr.decode(errors="replace")), done.stderr.decode(errors="replace")[-8000:]
    return done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")


@pytest.mark.parametrize("era", ERAS)
def test_inspector(envs, tmp_path, way, era):
    code, out, errors = inspect(envs, tmp_path, way, era, "--method", "tools/list")
    assert code == 0, errors[-3000:]
    assert {"string_to_upper", "ext_echo"} <= {tool["name"] for tool in json.loads(out)["tools"]}
    code, out, errors = inspect(envs, tmp_path, way, era, "--method", "tools/call", "--tool-name", "ext_echo",
                                "--tool-arg", "text=a word")
    assert code == 0, errors[-3000:]
    assert json.loads(out)["content"][0]["text"] == "a word"
