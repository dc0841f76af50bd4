"""Domains with a url: mcp-fleet-remote against servers of the official SDKs and our own daemon, and a fleet that
holds one, confined, while it is killed and comes back."""

import json
import os
import signal

import pytest

import fleet as fleets
import remote as remotes
from remote import text_of
from test_remote import start  # noqa: F401 (a fixture)

SCRIPT = fleets.HERE / "workers" / "remote_sdk.py"
PATHS = {"streamable-http": "/mcp", "sse": "/sse"}
SERVERS = [(1, "streamable-http"), (1, "sse"), (2, "streamable-http")]
NEWEST = (2, "streamable-http")


class Server:
    """One of an SDK, on a port that stays the same when it is started again."""

    def __init__(self, envs, folder, sdk, transport):
        self.python = envs / f"venv-sdk{sdk}" / "bin" / "python"
        self.log = folder / "server.log"
        self.transport = transport
        self.port = fleets.free_port()
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}{PATHS[self.transport]}"

    def start(self):
        self.process, _ = remotes.run_sdk(self.python, SCRIPT, self.port, self.transport, log=self.log)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def running(envs, tmp_path_factory):
    """running(sdk, transport): a server that lives as long as these tests, for those that leave it alone."""
    made = {}

    def get(*which):
        if which not in made:
            made[which] = Server(envs, tmp_path_factory.mktemp("sdk"), *which)
        return made[which]
    yield get
    for server in made.values():
        server.kill()


def check_everything(remote):
    tools = remote.request("t", "tools/list")["result"]["tools"]
    assert [tool["name"] for tool in tools] == ["add", "count"]
    assert text_of(remote.call(1, "add", a=2, b=3)) == "5"
    answer = remote.request(2, "tools/call", {"name": "count", "arguments": {"n": 3}, "_meta": {"progressToken": "p"}})
    assert text_of(answer) == "counted to 3"
    progress = [message["params"]["progress"] for message in remote.others if message["method"] == "notifications/progress"]
    assert progress == [1, 2, 3]
    assert remote.request(3, "resources/read", {"uri": "test://static"})["result"]["contents"][0]["text"] == "some words"
    prompt = remote.request(4, "prompts/get", {"name": "greet", "arguments": {"name": "you"}})
    assert prompt["result"]["messages"][0]["content"]["text"] == "Hello, you"
    assert "error" in remote.request(5, "no/such/method")


@pytest.mark.parametrize("which", SERVERS, ids=lambda which: f"sdk{which[0]}-{which[1]}")
def test_sdk(running, start, which):  # noqa: F811
    remote = start(running(*which).url)
    assert remote.open()["result"]["protocolVersion"] >= "2025-06-18"
    check_everything(remote)
    assert remote.end() == []


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_sdk_older_revisions(running, start, version):  # noqa: F811
    remote = start(running(*NEWEST).url)
    remote.send({**remotes.INITIALIZE, "params": {**remotes.INITIALIZE["params"], "protocolVersion": version}})
    assert remote.answer("initialize")["result"]["protocolVersion"] == version
    remote.send(remotes.INITIALIZED)
    assert text_of(remote.call(1, "add", a=2, b=3)) == "5"


def test_sdk_stateless_revision(running, start):  # noqa: F811
    remote = start(running(*NEWEST).url)
    remote.modern(1, "server/discover")
    assert "2026-07-28" in remote.answer(1)["result"]["supportedVersions"]
    remote.modern(2, "tools/list")
    assert len(remote.answer(2)["result"]["tools"]) == 2
    remote.modern(3, "tools/call", name="add", arguments={"a": 2, "b": 3})
    assert text_of(remote.answer(3)) == "5"
    remote.modern(4, "resources/read", uri="test://static")
    assert remote.answer(4)["result"]["contents"][0]["text"] == "some words"
    remote.modern(5, "no/such/method")
    assert remote.answer(5)["error"]["code"] == -32601
    remote.modern(6, "tools/list", version="2099-01-01")
    assert remote.answer(6)["error"]["code"] == -32022


@pytest.mark.sanitizers
def test_our_own_daemon(start_fleet, start):  # noqa: F811
    """HTTP+SSE as mcp-fleetd serves it, with its ping events."""
    fleet = start_fleet({"utils": {}}, {"sse": {"heartbeat": "50ms"}})
    remote = start(f"{fleet.url}/sse")
    remote.open()
    assert len(remote.request("t", "tools/list")["result"]["tools"]) > 10
    answer = remote.call(1, "string_to_upper", text="straße")
    assert json.loads(text_of(answer))["result"] == "STRASSE"
    assert remote.end() == []


# --- a fleet --------------------------------------------------------------------------------------


def call(session, a):
    return session.call("far_add", {"a": a, "b": 1}, timeout=30 * fleets.SLOWNESS)


def bridges(fleet):
    return [pid for pid in fleet.processes() if "mcp-fleet-remote" in " ".join(fleets.command_line(pid))]


def works(session):
    answer = call(session, 1)
    return "result" in answer and not answer["result"].get("isError") and answer["result"]["content"][0]["text"] == "2"


def test_a_fleet_with_a_url_of_the_older_transport(running, start_fleet):
    session = start_fleet({"far": {"url": running(1, "sse").url}}).session("/far/sse")
    assert {"far_add", "far_count"} <= {tool["name"] for tool in session.tools()}
    assert works(session)


def test_a_fleet_with_a_url(envs, tmp_path, start_fleet):
    """Listed, called, confined; the server is killed, and comes back, while the fleet stays as it is."""
    server = Server(envs, tmp_path, *NEWEST)
    try:
        fleet = start_fleet({"far": {"url": server.url}, "utils": {}})
        session = fleet.session("/far/sse")
        assert {"far_add", "far_count"} <= {tool["name"] for tool in session.tools()}
        assert works(session)
        assert fleet.domain("far")["sandbox"] == "remote"
        bridge = bridges(fleet)
        assert len(bridge) == 1 and str(server.port) not in " ".join(fleets.command_line(bridge[0]))
        server.kill()
        answer = call(session, 1)
        assert "error" in answer and "127.0.0.1" in answer["error"]["message"]
        assert "result" in fleet.session("/utils/sse").call("string_to_upper", {"text": "x"})
        server.start()
        fleets.wait_until(lambda: works(session), 60, "it works again")
        assert {"far_add", "far_count"} <= {tool["name"] for tool in session.tools()}
        assert bridges(fleet) == bridge  # nothing was restarted
    finally:
        server.kill()


@pytest.mark.sanitizers
def test_a_fleet_whose_server_is_not_there_yet(start_fleet):
    peer = remotes.Peer()
    peer.stop()
    fleet = start_fleet({"far": {"url": peer.url}, "utils": {}}, wait=False)
    fleet.wait_listening()
    assert "result" in fleet.session("/utils/sse").call("string_to_upper", {"text": "x"})
    fleets.wait_until(lambda: "cannot be reached" in fleet.log(), 10, "the log says why")
    peer.start()
    try:
        fleet.wait_ready(60)
        assert "result" in fleet.session("/far/sse").call("far_echo", {})
    finally:
        peer.stop()


@pytest.mark.sanitizers
def test_headers_of_a_fleet(start_fleet, tmp_path):
    """From inside the sandbox; a file that is put in its place is read after a start of the worker alone."""
    peer = remotes.Peer()
    path = tmp_path / "headers"
    path.write_text("Authorization: Bearer one\n")
    path.chmod(0o600)
    try:
        fleet = start_fleet({"far": {"url": peer.url, "headers_file": str(path)}})
        session = fleet.session("/far/sse")
        assert "result" in session.call("far_echo", {})
        new = tmp_path / "new"
        new.write_text("Authorization: Bearer two\n")
        new.chmod(0o600)
        os.replace(new, path)

        def is_new():
            session.call("far_echo", {})
            return peer.of("tools/call")[-1].headers["Authorization"] == "Bearer two"
        fleets.wait_until(is_new, 20, "the new header is sent")
        assert peer.of("tools/call")[0].headers["Authorization"] == "Bearer one"
        assert "Bearer" not in fleet.log()
    finally:
        peer.stop()


def test_https(tmp_path, start, start_fleet):  # noqa: F811
    """Certificates are checked; ca_file names the one that is trusted."""
    import ssl
    peer = remotes.Peer()
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    fleets.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(cert),
                "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]).check_returncode()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    peer.server.socket = context.wrap_socket(peer.server.socket, server_side=True)
    url = f"https://localhost:{peer.port}/mcp"
    try:
        untrusted = start(url)
        untrusted.send(remotes.INITIALIZE)
        fleets.wait_until(lambda: "certificate" in untrusted.stderr(), 10, "it is refused")
        assert peer.requests == []
        trusted = start(url, ca_file=str(cert))
        assert "result" in trusted.open()
        assert "result" in trusted.call(1)
        wrong_name = start(url.replace("localhost", "127.0.0.1"), ca_file=str(cert))
        wrong_name.send(remotes.INITIALIZE)
        fleets.wait_until(lambda: "127.0.0.1" in wrong_name.stderr(), 10, "it is refused too")
        fleet = start_fleet({"far": {"url": url, "ca_file": str(cert)}})
        assert "result" in fleet.session("/far/sse").call("far_echo", {})
    finally:
        peer.stop()
