"""use_client_roots: the roots that a client tells narrow what the tools of the domain filesystem reach for it, over every
door, in both eras, and for nobody else."""

import json
import os
import time

import pytest

import fleet as fleets
import sdk
import stdio
import streamable
import wire

pytestmark = pytest.mark.sanitizers

ROOTS = {"roots": {"listChanged": True}}
KEY = "mcp-fleet-roots"


@pytest.fixture
def base(tmp_path):
    """work may be written, work/kept and docs only read."""
    for name in ("work/one/deep", "work/two", "work/kept/in", "docs/a b", "outside"):
        (tmp_path / "base" / name).mkdir(parents=True)
    for name in ("work", "work/one", "work/two", "work/kept/in", "docs/a b", "outside"):
        (tmp_path / "base" / name / "file").write_text(name)
    (tmp_path / "base/work/out").symlink_to("../outside")
    (tmp_path / "base/work/alias").symlink_to("kept")
    return tmp_path / "base"


def domain(base, **more):
    roots = [base / "work", {"path": base / "work/kept", "access": "read"}, {"path": base / "docs", "access": "read"}]
    return {"filesystem": json.loads(json.dumps({"roots": roots, "use_client_roots": True, **more}, default=str))}


@pytest.fixture
def fleet(start_fleet, base):
    # One process: what one client has must not be left over for the next.
    return start_fleet(domain(base, processes={"min": 1, "max": 1}), settings={"limits": {"input_timeout": "2s"}})


def result_of(roots):
    """What a client answers with; paths become URIs, all else stays as it is."""
    return {"roots": [{"uri": root if isinstance(root, str) else root.as_uri(), "name": "a root"} for root in roots]}


class Legacy:
    """What the doors have in common: a client that answers roots/list with `answer`, a member of a response (None: not at
    all), and counts how often it was asked. The door has send(), request_of() and next_message()."""

    def open(self, capabilities=ROOTS, roots=()):
        self.answer, self.times_asked = {"result": result_of(roots)}, 0
        opened = self.ask("initialize", {"protocolVersion": "2025-06-18", "capabilities": capabilities,
                                         "clientInfo": {"name": "test", "version": "1"}})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert opened["result"]["protocolVersion"] == "2025-06-18"
        return self

    def tell(self, *roots):
        self.answer = {"result": result_of(roots)}
        self.send({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"})

    def start_request(self, method, params):
        self.numbers = getattr(self, "numbers", 0) + 1
        self.send({"jsonrpc": "2.0", "id": self.numbers, "method": method, "params": params})
        return self.numbers

    def start_call(self, tool, **arguments):
        return self.start_request("tools/call", {"name": tool, "arguments": arguments})

    def finish(self, *numbers):
        """The answers to these requests; meanwhile it answers what it is asked."""
        found = {}
        while set(numbers) - set(found):
            message = self.next_message()
            if message.get("method") == "roots/list":
                self.times_asked += 1
                if self.answer:
                    self.send({"jsonrpc": "2.0", "id": message["id"], **self.answer})
            elif "method" not in message:
                found[message["id"]] = message
        return [found[number] for number in numbers]

    def ask(self, method, params):
        return self.finish(self.start_request(method, params))[0]

    def call(self, tool, **arguments):
        return self.finish(self.start_call(tool, **arguments))[0]

    def text(self, tool, **arguments):
        return text_of(self.call(tool, **arguments))

    def roots(self):
        return roots_of(self.call("code_list_roots"))


class SseClient(Legacy, wire.Session):
    def __init__(self, fleet, target="/sse"):
        super().__init__(fleet.port, target, timeout=15 * fleets.SLOWNESS)

    def next_message(self):
        return self.stream.read_message().json()

    start_call = Legacy.start_call
    call = Legacy.call


class LineClient(Legacy):
    def __init__(self, lines):
        self.lines = lines

    def send(self, message):
        self.lines.send(message)

    def next_message(self):
        return self.lines.read()


def text_of(answer):
    return answer["result"]["content"][0]["text"]


def roots_of(answer):
    return [(root["path"], root["writable"]) for root in answer["result"]["structuredContent"]["roots"]]


@pytest.fixture
def open_client(fleet):
    clients = []

    def make(capabilities=ROOTS, roots=()):
        clients.append(SseClient(fleet).open(capabilities, roots))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


# --- clients with sessions ----------------------------------------------------------------------------


def test_one_root(open_client, base):
    client = open_client(roots=[base / "work/one"])
    assert client.roots() == [(str(base / "work/one"), True)]
    assert "one" in client.text("code_read", path="file")
    assert "one" in client.text("code_read", path=str(base / "work/one/file"))
    client.text("code_write", path="new", content="x")
    assert (base / "work/one/new").read_text() == "x"
    for path in ("../two/file", str(base / "work/two/file"), str(base / "work/file"), str(base / "docs/a b/file")):
        text = client.text("code_read", path=path)
        assert text.startswith("outside_roots: "), (path, text)
    assert text.count(str(base)) == 2 and str(base / "work/one") in text  # what was asked for, and what there is
    assert client.text("code_write", path=str(base / "work/two/new"), content="x").startswith("outside_roots: ")
    assert client.text("code_move", source="new", destination=str(base / "work/two/new")).startswith("outside_roots: ")
    assert not (base / "work/two/new").exists()
    assert client.times_asked == 1


def test_the_access_is_that_of_the_settings(open_client, base):
    client = open_client(roots=[base / "work/kept/in", base / "docs/a b"])
    assert client.roots() == [(str(base / "work/kept/in"), False), (str(base / "docs/a b"), False)]
    assert client.text("code_write", path="file", content="x").startswith("read_only: ")
    assert client.text("code_write", path=str(base / "docs/a b/file"), content="x").startswith("read_only: ")
    assert "docs/a b" in client.text("code_read", path=str(base / "docs/a b/file"))


def test_a_root_that_holds_those_of_the_settings(open_client, base):
    everything = [(str(base / "work"), True), (str(base / "work/kept"), False), (str(base / "docs"), False)]
    assert open_client(roots=[base]).roots() == everything
    assert open_client(roots=["file:///"]).roots() == everything
    client = open_client(roots=[base / "work"])
    assert client.roots() == everything[:2]
    assert client.text("code_write", path="kept/in/file", content="x").startswith("read_only: ")


def test_links_widen_nothing(open_client, base):
    client = open_client(roots=[base / "work/out", base / "work/alias"])
    assert client.roots() == [(str(base / "work/kept"), False)]
    assert client.text("code_write", path="in/file", content="x").startswith("read_only: ")
    assert client.text("code_read", path=str(base / "outside/file")).startswith("outside_roots: ")
    # One that leaves the narrow set, but not the whole one.
    (base / "work/one/link").symlink_to("../two/file")
    client = open_client(roots=[base / "work/one"])
    assert client.text("code_read", path="link").startswith("outside_roots: ")


def test_no_roots(open_client):
    client = open_client()
    assert client.roots() == []
    assert "No root that the client tells" in client.text("code_list_roots")
    for tool, arguments in calls_on("file"):
        text = client.text(tool, **arguments)
        assert "outside_roots: " in text and "no root that the client tells" in text, (tool, text)


def calls_on(path):
    """Each tool that takes a path, with this one; code_move and code_copy in both directions."""
    patch = "--- a/file\n+++ b/file\n@@ -1 +1 @@\n-two\n+three\n"
    return [
        ("code_read", {"path": path}),
        ("code_read_many", {"paths": [path]}),
        ("code_read_media", {"path": path}),
        ("code_write", {"path": path, "content": "x"}),
        ("code_edit", {"path": path, "edits": [{"old_text": "two", "new_text": "x"}]}),
        ("code_apply_patch", {"path": path, "patch": patch}),
        ("code_delete", {"path": path}),
        ("code_get_info", {"path": path}),
        ("code_list_files", {"path": path}),
        ("code_list_directory", {"path": path}),
        ("code_tree", {"path": path}),
        ("code_find_file", {"path": path, "name_pattern": "*"}),
        ("code_search_content", {"path": path, "query": "two"}),
        ("code_create_directory", {"path": path}),
        ("code_move", {"source": path, "destination": "moved"}),
        ("code_move", {"source": "file", "destination": path}),
        ("code_copy", {"source": path, "destination": "copied"}),
        ("code_copy", {"source": "file", "destination": path}),
        ("code_disk_usage", {"path": path}),
        ("code_lint", {"path": path}),
        ("code_format", {"path": path}),
        ("code_analyze", {"path": path}),
    ]


def test_every_tool_keeps_to_them(open_client, base):
    client = open_client(roots=[base / "work/one"])
    listed = {tool["name"] for tool in client.ask("tools/list", {})["result"]["tools"]}
    assert listed == {tool for tool, _ in calls_on("")} | {"code_list_roots", "code_check_tools"}
    (base / "work/two/more").mkdir()
    before = sorted((str(path), path.is_file() and path.read_text()) for path in base.rglob("*"))
    for path in (base / "work/two/file", base / "work/two/more", base / "work", base / "docs/a b/file"):
        for tool, arguments in calls_on(str(path)):
            assert "outside_roots: " in client.text(tool, **arguments), (tool, path)
    assert sorted((str(path), path.is_file() and path.read_text()) for path in base.rglob("*")) == before
    # All of them know the narrow set's own names.
    for tool, arguments in calls_on("none"):
        assert "outside_roots" not in client.text(tool, **arguments), tool


def test_roots_that_count_for_nothing(open_client, base):
    odd = [f"file://example.org{base}/work", f"http://localhost{base}/work", f"file:{base}/work", str(base / "work"),
           f"file://{base}/work%00", f"file://{base}%2Fwork", f"file://{base}/work?x", f"file://{base}/docs/none",
           f"file://{base}/work/file", f"file://{base}/wor", f"file://{base}/outside", "file:///proc/self/root", "x" * 5000]
    assert open_client(roots=odd).roots() == []
    client = open_client(roots=[*odd, f"file://localhost{base}/docs/a%20b/"])
    assert client.roots() == [(str(base / "docs/a b"), False)]


def test_more_roots_than_are_taken(open_client, base, fleet):
    client = open_client(roots=[f"file:///none/{index}" for index in range(64)] + [base / "work"])
    assert client.roots() == []
    assert "roots that a client told" in fleet.log()


def test_they_change(open_client, base):
    client = open_client(roots=[base / "work/one"])
    assert client.roots() == [(str(base / "work/one"), True)]
    client.tell(base / "work/two", base / "work/one")
    assert client.roots() == [(str(base / "work/two"), True), (str(base / "work/one"), True)]
    assert "two" in client.text("code_read", path="file")
    assert client.times_asked == 2
    # The directory is moved away: what has the name then is what counts.
    (base / "work/two").rename(base / "work/gone")
    assert client.roots() == [(str(base / "work/one"), True)]
    assert client.times_asked == 2


def test_an_error_and_silence(open_client, base):
    client = open_client()
    client.answer = {"error": {"code": -32603, "message": "no folder is open"}}
    error = client.call("code_list_roots")["error"]
    assert error["code"] == -32603 and "no folder is open" in error["message"]
    client.answer = None
    began = time.monotonic()
    error = client.call("code_list_roots")["error"]
    assert error["code"] == -31002 and "limits.input_timeout" in error["message"]
    assert time.monotonic() - began > 1
    client.tell(base / "work/one")
    assert client.roots() == [(str(base / "work/one"), True)]
    assert client.times_asked == 3


def test_without_the_capability(open_client, base):
    client = open_client(capabilities={"sampling": {}}, roots=[base / "work/one"])
    assert len(client.roots()) == 3
    assert client.times_asked == 0
    # Nor does it help to write there what only the supervisor may.
    answer = client.ask("tools/call", {"name": "code_list_roots", "_meta": {"mcp-fleet/roots": []}})
    assert len(roots_of(answer)) == 3
    narrow = open_client(roots=[base / "work/one"])
    answer = narrow.ask("tools/call", {"name": "code_list_roots", "_meta": {"mcp-fleet/roots": [base.as_uri()]}})
    assert roots_of(answer) == [(str(base / "work/one"), True)]


def test_clients_at_the_same_time(open_client, base):
    """Through one process: each has its own, in each call."""
    clients = [open_client(roots=[base / "work/one"]), open_client(roots=[base / "docs"]), open_client(capabilities={}),
               open_client()]
    for _ in range(10):
        numbers = [[client.start_call("code_list_roots") for _ in range(3)] for client in clients]
        found = [[roots_of(answer) for answer in client.finish(*own)] for client, own in zip(clients, numbers, strict=True)]
        assert found[0] == [[(str(base / "work/one"), True)]] * 3
        assert found[1] == [[(str(base / "docs"), False)]] * 3
        assert [len(each) for each in found[2]] == [3] * 3
        assert found[3] == [[]] * 3
    assert [client.times_asked for client in clients] == [1, 1, 0, 1]


def test_a_client_that_leaves_while_it_is_asked(fleet, base):
    client = SseClient(fleet).open()
    client.answer = None
    for _ in range(3):
        client.start_call("code_list_roots")
    while client.next_message().get("method") != "roots/list":
        pass
    client.close()
    fleets.wait_until(lambda: fleet.health()["sessions"] == 0, 10, "no session")
    with SseClient(fleet).open(roots=[base / "docs"]) as other:
        assert other.roots() == [(str(base / "docs"), False)]


def test_over_stdio(start_stdio, base):
    client = LineClient(start_stdio(domain(base))).open(roots=[base / "work/one"])
    assert client.roots() == [(str(base / "work/one"), True)]
    client.tell(base / "work/two")
    assert client.roots() == [(str(base / "work/two"), True)]


def test_at_the_local_socket(start_fleet, base, socket_path):
    start_fleet(domain(base), settings={"local": {"path": str(socket_path)}})
    with stdio.Local(socket_path) as lines:
        assert LineClient(lines).open(roots=[base / "docs/a b"]).roots() == [(str(base / "docs/a b"), False)]


def test_over_streamable_http(fleet, base):
    """It is asked on the stream of its call."""
    door = streamable.Door(fleet.port, version="2025-06-18", timeout=15 * fleets.SLOWNESS)
    door.open(ROOTS)
    with_roots = result_of([base / "work/one"])
    stream = door.stream("POST", door.call("code_list_roots"))
    events = (event.json() for event in iter(stream.read, None) if event.data)
    question = next(events)
    assert question["method"] == "roots/list"
    assert door.post({"jsonrpc": "2.0", "id": question["id"], "result": with_roots}).status == 202
    assert roots_of(next(events)) == [(str(base / "work/one"), True)]
    stream.close()
    assert roots_of(door.post(door.call("code_list_roots")).json()) == [(str(base / "work/one"), True)]


def test_a_reload_switches_it(start_fleet, base):
    fleet = start_fleet(domain(base, use_client_roots=False))
    with SseClient(fleet).open(roots=[base / "work/one"]) as client:
        assert len(client.roots()) == 3 and client.times_asked == 0
        fleet.domains = domain(base)
        fleet.write_settings()
        fleet.process.send_signal(1)
        fleets.wait_until(lambda: client.roots() == [(str(base / "work/one"), True)], 10, "it is narrow")
        assert client.times_asked == 1


# --- clients of the stateless revision -----------------------------------------------------------------


class Modern(streamable.Modern):
    def __init__(self, fleet, capabilities=ROOTS):
        super().__init__(fleet.port, timeout=15 * fleets.SLOWNESS)
        self.capabilities = {streamable.META + "clientCapabilities": capabilities}

    def call(self, tool, arguments=None, **params):
        return self.post(self.request("tools/call", {
            "name": tool, "arguments": arguments or {}, "_meta": self.capabilities, **params})).json()


def test_modern(fleet, base):
    client = Modern(fleet)
    for roots in ([base / "work/one"], [base / "docs"]):
        result = client.call("code_list_roots")["result"]
        assert result["resultType"] == "input_required"
        assert result["inputRequests"] == {KEY: {"method": "roots/list", "params": {}}}
        answer = client.call("code_list_roots", inputResponses={KEY: result_of(roots)})
        assert answer["result"]["resultType"] == "complete"
        assert [path for path, _ in roots_of(answer)] == [str(root) for root in roots]
    answer = client.call("code_read", {"path": str(base / "docs/a b/file")}, inputResponses={KEY: result_of([base / "work"])})
    assert text_of(answer).startswith("outside_roots: ")
    assert roots_of(client.call("code_list_roots", inputResponses={KEY: {"roots": []}})) == []
    assert client.call("code_list_roots", inputResponses={KEY: {"action": "decline"}})["error"]["code"] == -32602
    # What is in there for somebody else is not an answer.
    result = client.call("code_list_roots", inputResponses={"other": result_of([base])})["result"]
    assert result["resultType"] == "input_required"


def test_modern_without_the_capability(fleet):
    assert len(roots_of(Modern(fleet, {}).call("code_list_roots"))) == 3


# --- the official SDK ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("major", "era", "door"), [
    (1, None, "sse"), (1, None, "http"), (1, None, "stdio"), (2, "legacy", "sse"), (2, "legacy", "http"),
    (2, "legacy", "stdio"), (2, "auto", "http"), (2, "auto", "stdio")])
def test_python_sdk(fleet, envs, base, major, era, door):
    command = {"command": fleets.daemon_command()[0], "args": ["--config", str(fleet.settings_path)],
               "env": {**fleet.environment(), "MCP_TRANSPORT": "stdio", "PATH": os.environ["PATH"]}}
    transport = {"sse": {"sse": f"{fleet.url}/sse"}, "http": {"http": f"{fleet.url}/mcp"}, "stdio": {"stdio": command}}[door]
    plan = {"tool": "code_list_roots", "roots": [[(base / "work/one").as_uri()], [(base / "docs/a b").as_uri()]]}
    outcome = sdk.python_client(envs, major).run(transport, "roots", **plan, **({"era": era} if era else {}))
    found = [roots_of(answer) for answer in outcome["answers"]]
    assert found == [[(str(base / "work/one"), True)]] * 2 + [[(str(base / "docs/a b"), False)]] * 2, outcome
    is_modern = outcome["revision"] == streamable.MODERN
    assert is_modern == (era == "auto")
    assert outcome["times_asked"] == (4 if is_modern else 2)
