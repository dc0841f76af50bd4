"""The four revisions with a handshake, and what they share: lists, cancellation, progress, news."""

import json
import signal
import time

import pytest

import fleet as fleets

REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
LATEST = REVISIONS[-1]


@pytest.mark.parametrize("asked", REVISIONS)
def test_each_revision_is_granted(utils, asked):
    with utils.session(initialize=False) as session:
        assert session.initialize(asked)["protocolVersion"] == asked
        assert session.tools()


@pytest.mark.parametrize("asked", ["2026-07-28", "2099-01-01", "2024-11-06", "1.0", "", "x" * 5000])
def test_another_revision_gets_the_latest_of_ours(utils, asked):
    """Not an error: the client decides. The handshake cannot select a revision without handshake."""
    with utils.session(initialize=False) as session:
        assert session.initialize(asked)["protocolVersion"] == LATEST


@pytest.mark.parametrize("params", [{}, {"protocolVersion": 5}, {"protocolVersion": None}])
def test_initialize_without_a_revision(utils, params):
    with utils.session(initialize=False) as session:
        assert session.request("initialize", params)["error"]["code"] == -32602
        assert session.initialize()["protocolVersion"] == LATEST


def test_what_the_server_says_of_itself(utils):
    with utils.session(initialize=False) as session:
        result = session.initialize()
    assert result["capabilities"]["tools"] == {"listChanged": True}
    assert result["serverInfo"]["name"] and result["serverInfo"]["version"]
    # No capability is declared that does not exist.
    assert not {"prompts", "resources", "completions"} & set(result["capabilities"])


@pytest.mark.parametrize("asked", REVISIONS)
def test_revisions_on_stdio(start_stdio, asked):
    stdio = start_stdio({"utils": {}})
    assert stdio.initialize(asked)["protocolVersion"] == asked


BATCH = ('[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/no_such"},'
         '{"jsonrpc":"2.0","id":2,"method":"no/such"},7,{"jsonrpc":"2.0","id":3,"method":"initialize","params":{}},'
         '{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"calculator_add","arguments":{"a":1,"b":2}}},[]]')
# The first revision does not speak of batches: it has them on stdio, and not over HTTP+SSE.
BATCHES_ON_STDIO = [("2024-11-05", True), ("2025-03-26", True), ("2025-06-18", False), ("2025-11-25", False)]
BATCHES_OVER_SSE = [("2024-11-05", False), *BATCHES_ON_STDIO[1:]]


def check_batch_answers(answers):
    """One for each request and for each element that is none; they may come in any order."""
    found = {answer.get("id"): answer for answer in answers if answer.get("id") is not None}
    assert found[1]["result"] == {}
    assert found[2]["error"]["code"] == -32601
    assert found[3]["error"]["code"] == -32600
    assert found[4]["result"]["structuredContent"]["result"] == 3
    without_id = [answer["error"]["code"] for answer in answers if answer.get("id") is None]
    assert without_id == [-32600, -32600]


@pytest.mark.parametrize("asked, is_taken", BATCHES_ON_STDIO)
def test_batches_on_stdio(start_stdio, asked, is_taken):
    stdio = start_stdio({"utils": {}})
    stdio.initialize(asked)
    stdio.write(BATCH + "\n")
    if is_taken:
        check_batch_answers([stdio.read() for _ in range(6)])
    else:
        assert stdio.read()["error"]["code"] == -32600
    assert stdio.request(3, "ping")["result"] == {}


@pytest.mark.sanitizers
@pytest.mark.parametrize("asked, is_taken", BATCHES_OVER_SSE)
def test_batches_over_sse(utils, asked, is_taken):
    with utils.session(initialize=False) as session:
        session.initialize(asked)
        response = session.post(BATCH)
        if is_taken:
            assert response.status == 202
            check_batch_answers([session.stream.read_message().json() for _ in range(6)])
        else:
            assert response.status == 400
            assert response.json()["error"]["code"] == -32600
        assert session.request("ping")["result"] == {}


def test_batches_have_a_bound(utils):
    with utils.session(initialize=False) as session:
        session.initialize("2025-03-26")
        for batch in ("[]", "[" + ",".join(['{"jsonrpc":"2.0","id":1,"method":"ping"}'] * 65) + "]"):
            response = session.post(batch)
            assert response.status == 400
            assert response.json()["error"]["code"] == -32600
        assert session.request("ping")["result"] == {}


# --- lists ----------------------------------------------------------------------------------------


def test_the_list_is_the_same_everywhere(start_fleet, start_stdio):
    """Over every transport, endpoint, session and revision: the same bytes in the same order."""
    domains = {"utils": {}, "fake": fleets.fake_domain("fake")}
    fleet = start_fleet(domains)
    texts = set()
    for revision in REVISIONS:
        with fleet.session(initialize=False) as session:
            session.initialize(revision)
            session.send('{"jsonrpc":"2.0","id":99,"method":"tools/list"}')
            texts.add(session.stream.read_message().data)
    assert len(texts) == 1
    whole = json.loads(texts.pop())["result"]["tools"]
    parts = []
    for domain in sorted(domains):
        with fleet.session(f"/{domain}/sse") as session:
            parts += session.tools()
    assert parts == whole
    stdio = start_stdio(domains)
    stdio.initialize()
    assert stdio.tools() == whole
    one = start_stdio(domains, args=["--domain", "utils"])
    one.initialize()
    assert one.tools() == [tool for tool in whole if not tool["name"].startswith("fake_")]


def test_the_list_is_one_page(utils):
    with utils.session() as session:
        result = session.request("tools/list")["result"]
    assert "nextCursor" not in result
    assert len(result["tools"]) == len({tool["name"] for tool in result["tools"]})


def test_pages(start_fleet):
    fleet = start_fleet(settings={"tools": {"page_size": 7}})
    with fleet.session() as session:
        tools, params, pages = [], {}, 0
        while True:
            result = session.request("tools/list", params)["result"]
            assert 0 < len(result["tools"]) <= 7
            tools += result["tools"]
            pages += 1
            if "nextCursor" not in result:
                break
            assert isinstance(result["nextCursor"], str)
            params = {"cursor": result["nextCursor"]}
        assert pages == (len(tools) + 6) // 7
        assert len({tool["name"] for tool in tools}) == len(tools) > 7
        assert session.request("tools/list", {"cursor": "nonsense"})["error"]["code"] == -32602


def test_what_the_settings_deny_is_neither_listed_nor_called(start_fleet):
    fleet = start_fleet({"utils": {"tools": {"allow": ["string_*", "hash_*"], "deny": ["string_trim"]}}})
    with fleet.session() as session:
        names = {tool["name"] for tool in session.tools()}
        assert "string_reverse" in names and "hash_compute" in names
        assert not {"string_trim", "calculator_add"} & names
        for denied in ("string_trim", "string-trim", "string.trim", "calculator_add"):
            assert session.call(denied, {"text": "x"})["error"]["code"] == -32602


def test_read_only_domain(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake", tools={"read_only": True})})
    with fleet.session() as session:
        tools = session.tools()
        assert {"fake_echo", "fake_sleep_read"} <= {tool["name"] for tool in tools}
        assert all(tool["annotations"]["readOnlyHint"] for tool in tools)
        assert session.call("fake_sleep")["error"]["code"] == -32602


@pytest.mark.parametrize("spelling", ["string-reverse", "string.reverse", "string_reverse"])
def test_other_spellings_of_a_name(utils, spelling):
    with utils.session() as session:
        answer = session.call(spelling, {"text": "abc"})
        assert answer["result"]["structuredContent"]["result"] == "cba"


def test_aliases(start_fleet):
    fleet = start_fleet()
    with fleet.session() as session:
        assert "convert_time" not in {tool["name"] for tool in session.tools()}
        answer = session.call("convert_time", {"source_timezone": "UTC", "time": "12:00", "target_timezone": "UTC"})
        assert answer["result"]["structuredContent"]["success"] is True


def test_aliases_off(start_fleet):
    fleet = start_fleet(settings={"tools": {"aliases": "off"}})
    with fleet.session() as session:
        answer = session.call("convert_time", {"source_timezone": "UTC", "time": "12:00", "target_timezone": "UTC"})
        assert answer["error"]["code"] == -32602


def test_aliases_brought_back_by_a_reload(start_fleet):
    """The list of tools stays the same, so only the answer to initialize tells of the aliases."""
    fleet = start_fleet(settings={"tools": {"aliases": "off"}})
    arguments = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "UTC"}
    with fleet.session() as session:
        assert session.call("convert_time", arguments)["error"]["code"] == -32602
        fleet.settings["tools"] = {"aliases": "hidden"}
        fleet.write_settings()
        fleet.signal(signal.SIGHUP)
        fleets.wait_until(lambda: "result" in session.call("convert_time", arguments), 5, "the alias is known")


def test_federation_prefix(start_fleet):
    fleet = start_fleet(settings={"tools": {"federation_prefix": "sanctuary"}})
    with fleet.session() as session:
        for name in ("sanctuary.utils.calculator_add", "calculator.add"):
            assert session.call(name, {"a": 1, "b": 2})["result"]["structuredContent"]["result"] == 3
        assert session.call("other.utils.calculator_add", {"a": 1, "b": 2})["error"]["code"] == -32602


# --- cancellation ---------------------------------------------------------------------------------


@pytest.mark.sanitizers
@pytest.mark.parametrize("number", [7, "seven", 2**60])
def test_cancel(fake, number):
    """It reaches the worker under the number the worker knows, and no answer follows."""
    with fake.session() as session:
        session.send({"jsonrpc": "2.0", "id": number, "method": "tools/call",
                      "params": {"name": "fake_sleep", "arguments": {"seconds": 30}}})
        fleets.wait_until(lambda: any(m.get("method") == "tools/call" for m in fake.messages()), 3, "the call is there")
        session.notify("notifications/cancelled", {"requestId": number, "reason": "enough"})
        [cancellation] = fleets.wait_until(fake.cancellations, 3, "the cancellation is there")
        [call] = [m for m in fake.messages() if m.get("method") == "tools/call"]
        assert cancellation["params"]["requestId"] == call["id"]
        # The next message on the stream is the next answer: nothing came for the cancelled call.
        assert "result" in session.call("fake_echo")
        with pytest.raises(TimeoutError):
            session.stream.read_message(0.3)


def test_cancel_in_the_queue(start_fleet, tmp_path):
    """A call that waits for a free worker is simply forgotten."""
    fleet = start_fleet({"fake": fleets.fake_domain("fake", "--log", tmp_path / "fake.log", concurrency=1)})
    with fleet.session() as session:
        first = session.start_call("fake_sleep", {"seconds": 0.7})
        second = session.start_call("fake_echo", {"text": "never"})
        session.notify("notifications/cancelled", {"requestId": second})
        assert "result" in session.wait(first)
        assert "result" in session.call("fake_echo", {"text": "third"})
    assert "never" not in (tmp_path / "fake.log").read_text()


@pytest.mark.parametrize("params", [{"requestId": 12345}, {"requestId": "x"}, {"requestId": None}, {"requestId": [1]}, {}, None])
def test_cancel_of_what_is_not_there_is_ignored(fake, params):
    with fake.session() as session:
        number = session.start_call("fake_sleep", {"seconds": 0.3})
        session.notify("notifications/cancelled", params)
        assert "result" in session.wait(number)


def test_cancel_of_another_sessions_call_is_ignored(fake):
    with fake.session() as mine, fake.session() as other:
        number = mine.start_call("fake_sleep", {"seconds": 0.5})
        other.notify("notifications/cancelled", {"requestId": number})
        assert "result" in mine.wait(number)


def test_a_worker_that_does_not_stop_is_replaced(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake", cancel_grace="500ms")})
    with fleet.session() as session:
        [before] = fleet.workers("fake")
        number = session.start_call("fake_block", {"seconds": 30})
        time.sleep(0.3)
        session.notify("notifications/cancelled", {"requestId": number})
        fleets.wait_until(lambda: not fleets.is_alive(before), 5, "the worker was killed")
        assert "result" in session.call("fake_echo", timeout=10)


# --- progress -------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [5, "mine", 2**60, "ü\n\"", ""])
def test_progress_comes_under_the_askers_token(fake, token):
    with fake.session() as session, fake.session() as other:
        aside = []
        number = session.start_call("fake_progress", {"steps": 4}, meta={"progressToken": token})
        assert "result" in session.wait(number, aside=aside)
        assert [note["method"] for note in aside] == ["notifications/progress"] * 4
        assert [note["params"]["progress"] for note in aside] == [1, 2, 3, 4]
        assert all(note["params"]["progressToken"] == token for note in aside)
        assert all(type(note["params"]["progressToken"]) is type(token) for note in aside)
        assert aside[0]["params"]["total"] == 4 and aside[0]["params"]["message"] == "step 1"
        assert "result" in other.request("ping")


def test_equal_tokens_in_two_sessions(fake):
    with fake.session() as first, fake.session() as second:
        notes = {}
        numbers = {session: session.start_call("fake_progress", {"steps": steps}, meta={"progressToken": "same"})
                   for session, steps in ((first, 3), (second, 5))}
        for session, number in numbers.items():
            notes[session] = []
            session.wait(number, aside=notes[session])
        assert (len(notes[first]), len(notes[second])) == (3, 5)


def test_no_progress_unless_asked_for(fake):
    with fake.session() as session:
        aside = []
        session.wait(session.start_call("fake_progress", {"steps": 3}), aside=aside)
        assert aside == []


# --- list_changed ---------------------------------------------------------------------------------


def wait_list_changed(session, timeout=10):
    deadline = time.monotonic() + timeout * fleets.SLOWNESS
    while True:
        message = session.stream.read_message(max(deadline - time.monotonic(), 0.001)).json()
        if message.get("method") == "notifications/tools/list_changed":
            return message


def test_list_changed_when_a_worker_says_so(fake):
    with fake.session() as session, fake.session("/other/sse") as stranger:
        aside = []
        session.wait(session.start_call("fake_add_tool", {"name": "late"}), aside=aside)
        if not [note for note in aside if note["method"] == "notifications/tools/list_changed"]:
            wait_list_changed(session)
        assert "fake_late" in {tool["name"] for tool in session.tools()}
        # Who sees another domain only is not disturbed.
        with pytest.raises(TimeoutError):
            stranger.stream.read_message(0.3)


def test_list_changed_when_a_domain_is_parked_and_returns(start_fleet, tmp_path):
    healed = tmp_path / "healed"
    healed.touch()
    fleet = start_fleet({
        "fake": fleets.fake_domain("fake", "--exit-at-start", "3", "--unless", healed,
                                   restart={"first": "50ms", "cap": "100ms", "park_after": 2, "park": "1s"}),
        "other": fleets.fake_domain("other"),
    })
    with fleet.session() as session:
        assert "fake_echo" in {tool["name"] for tool in session.tools()}
        healed.unlink()
        session.start_call("fake_die", {})
        wait_list_changed(session)
        assert "fake_echo" not in {tool["name"] for tool in session.tools()}
        assert fleet.get("/ready").status == 503
        healed.touch()
        wait_list_changed(session)
        assert "fake_echo" in {tool["name"] for tool in session.tools()}
        fleets.wait_until(lambda: fleet.get("/ready").status == 200, 5, "ready again")


def test_list_changed_waits_for_initialized(fake):
    """A session that has not finished its handshake hears nothing but its answers."""
    with fake.session(initialize=False) as silent, fake.session() as session:
        session.start_call("fake_add_tool", {"name": "more"})
        wait_list_changed(session)
        with pytest.raises(TimeoutError):
            silent.stream.read_message(0.3)
