"""The stateless revision (2026-07-28) over HTTP, as bytes on plain sockets: the order of its checks, its
statuses, its streams, and how it shares the path with the revisions that have sessions."""

import json
import socket

import pytest

import fleet as fleets
import streamable
from streamable import META, MODERN

pytestmark = pytest.mark.sanitizers


def door(fleet, target="/mcp"):
    return streamable.Modern(fleet.port, target, timeout=15 * fleets.SLOWNESS)


def legacy(fleet):
    new = streamable.Door(fleet.port, timeout=15 * fleets.SLOWNESS)
    new.open()
    return new


def code_of(response):
    return response.json()["error"]["code"]


def without(message, *keys):
    """The message with members of its _meta left out."""
    meta = {key: value for key, value in message["params"]["_meta"].items() if key not in keys}
    return {**message, "params": {**message["params"], "_meta": meta}}


def with_meta(message, **meta):
    meta = {META + key: value for key, value in meta.items()}
    return {**message, "params": {**message["params"], "_meta": {**message["params"]["_meta"], **meta}}}


# --- answers -----------------------------------------------------------------------------------------


def test_discover(utils):
    client = door(utils)
    response = client.post(client.request("server/discover"))
    assert (response.status, response.header("Content-Type")) == (200, "application/json")
    assert response.header("Mcp-Session-Id") is None
    result = response.json()["result"]
    assert result["supportedVersions"] == [MODERN]
    assert result["resultType"] == "complete" and result["ttlMs"] >= 0
    assert result["cacheScope"] in ("public", "private")
    assert utils.health()["sessions"] == 0


def test_tools_are_those_of_sessions(utils):
    client, old = door(utils), legacy(utils)
    result = client.post(client.request("tools/list")).json()["result"]
    assert result["tools"] == old.post(old.request("tools/list")).json()["result"]["tools"]
    assert result["resultType"] == "complete" and result["ttlMs"] >= 0
    assert result["cacheScope"] in ("public", "private")


def test_call(utils):
    client = door(utils)
    response = client.post(client.call("calculator_add", {"a": 1, "b": 2}))
    assert response.status == 200 and response.json()["result"]["resultType"] == "complete"
    response = client.post(client.call("no_such"))
    assert (response.status, code_of(response)) == (200, -32602)


def test_ids_come_back(utils):
    client = door(utils)
    for number in ("x", "", "ä\u0000", 0, 2**53 + 1, -5):
        response = client.post({**client.request("tools/list"), "id": number})
        assert response.json()["id"] == number


def test_one_domain(utils):
    client = door(utils, "/utils/mcp")
    assert client.post(client.request("tools/list")).status == 200
    client = door(utils, "/none/mcp")
    assert client.post(client.request("tools/list")).status == 404


def test_notifications_are_dropped(utils):
    client = door(utils)
    response = client.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
    assert (response.status, response.body) == (202, b"")


# --- the order of the checks -------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "resources/subscribe",
                                    "resources/unsubscribe", "unknown/method"])
def test_unknown_methods(utils, method):
    client = door(utils)
    message = client.request(method)
    response = client.post(message)
    assert (response.status, code_of(response), response.json()["id"]) == (404, -32601, message["id"])


@pytest.mark.parametrize("missing", ["protocolVersion", "clientCapabilities"])
def test_missing_meta(utils, missing):
    client = door(utils)
    response = client.post(without(client.request("tools/list"), META + missing))
    assert (response.status, code_of(response)) == (400, -32602)
    assert missing in response.json()["error"]["message"]


def test_no_meta_at_all(utils):
    client = door(utils)
    for params in ({}, {"_meta": {}}, {"_meta": 7}):
        for method in ("tools/list", "initialize"):
            response = client.post({"jsonrpc": "2.0", "id": 5, "method": method, "params": params})
            assert (response.status, code_of(response), response.json()["id"]) == (400, -32602, 5)
    response = client.post({"jsonrpc": "2.0", "id": 5, "method": "tools/list"})
    assert (response.status, code_of(response)) == (400, -32602)


def test_client_info_is_optional(utils):
    client = door(utils)
    assert client.post(without(client.request("tools/list"), META + "clientInfo")).status == 200


@pytest.mark.parametrize("headers", [
    {"MCP_Protocol_Version": None}, {"MCP_Protocol_Version": "2025-11-25"}, {"MCP_Protocol_Version": "v999"},
    {"Mcp_Method": None}, {"Mcp_Method": "tools/call"}, {"Mcp_Method": "Tools/List"}, {"Mcp_Method": ""}])
def test_headers_that_differ(utils, headers):
    client = door(utils)
    message = client.request("tools/list")
    response = client.post(message, **headers)
    assert (response.status, code_of(response), response.json()["id"]) == (400, -32020, message["id"])


@pytest.mark.parametrize("name,code", [
    ("calculator_add", None), (" calculator_add\t", None), ("=?base64?Y2FsY3VsYXRvcl9hZGQ=?=", None),
    (None, -32020), ("calculator_sub", -32020), ("=?base64?Y2Fs!?=", -32020), ("=?base64?Y2Fs?=", -32020)])
def test_name_header(utils, name, code):
    client = door(utils)
    response = client.post(client.call("calculator_add", {"a": 1, "b": 2}), Mcp_Name=name)
    assert (response.status, response.json().get("error", {}).get("code")) == (400 if code else 200, code)


def test_unsupported_versions(utils):
    client = door(utils)
    for version in ("v999", "2025-11-25"):
        response = client.post(with_meta(client.request("tools/list"), protocolVersion=version),
                               MCP_Protocol_Version=version)
        error = response.json()["error"]
        assert (response.status, error["code"]) == (400, -32022)
        assert error["data"] == {"supported": [MODERN], "requested": version}
    # What differs is told before what is unknown.
    response = client.post(with_meta(client.request("tools/list"), protocolVersion="v999"))
    assert (response.status, code_of(response)) == (400, -32020)


def test_headers_that_come_twice(utils):
    client = door(utils)
    message = client.request("tools/list")
    body = json.dumps(message)
    for twice in ("MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/list"):
        with utils.connect() as connection:
            connection.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                            f"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n{twice}\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}")
            response = connection.read_response("POST")
        assert (response.status, code_of(response), response.json()["id"]) == (400, -32020, message["id"])


def test_batches_and_responses(utils):
    client = door(utils)
    response = client.post([client.request("tools/list")])
    assert (response.status, code_of(response)) == (400, -32600)
    response = client.post([client.request("tools/list")], MCP_Protocol_Version=None)
    assert (response.status, code_of(response)) == (400, -32600)
    response = client.post({"jsonrpc": "2.0", "id": 1, "result": {}})
    assert (response.status, code_of(response)) == (400, -32600)


@pytest.mark.parametrize("body,code", [("{", -32700), ("42", -32600),
                                       ('{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}', -32600)])
def test_what_is_no_message(utils, body, code):
    response = door(utils).post(body)
    assert (response.status, code_of(response)) == (400, code)


def test_media_types_come_first(utils):
    client = door(utils)
    assert client.post("{", Accept="text/html").status == 406
    assert client.post("{", Content_Type="text/plain").status == 415
    assert client.post("{", Origin="http://evil.example").status == 403


def test_verbs(utils):
    client = door(utils)
    for method in ("GET", "DELETE"):
        response = client.ask(method)
        assert (response.status, response.header("Allow")) == (405, "POST")


# --- beside sessions ---------------------------------------------------------------------------------


def test_session_ids_are_ignored(utils):
    client, old = door(utils), legacy(utils)
    for session in (old.id, "nonsense"):
        response = client.post(client.request("tools/list"), Mcp_Session_Id=session)
        assert response.status == 200 and response.header("Mcp-Session-Id") is None


def test_both_kinds_on_one_connection(utils):
    client, old = door(utils), legacy(utils)
    with utils.connect() as connection:
        for _ in range(3):
            assert client.post(client.request("tools/list"), connection=connection).status == 200
            assert old.post(old.request("ping"), connection=connection).json()["result"] == {}


def test_equal_ids_at_once(fake):
    client = door(fake)
    calls = [client.send("POST", {**client.call("fake_echo", {"text": str(index)}), "id": 1}) for index in range(10)]
    for index, connection in enumerate(calls):
        text = connection.read_response("POST").json()["result"]["content"][0]["text"]
        assert json.loads(text)["text"] == str(index)
        connection.close()


# --- streams -----------------------------------------------------------------------------------------


def test_progress(fake):
    client = door(fake)
    with client.connect() as connection:
        stream = client.stream("POST", client.call("fake_progress", {"steps": 3}, progressToken="t"),
                               connection=connection)
        events = stream.rest()
        assert [event.id for event in events] == [None] * 4  # there is nothing to come back for
        messages = [event.json() for event in events]
        assert [message["params"]["progress"] for message in messages[:3]] == [1, 2, 3]
        assert messages[3]["result"]["resultType"] == "complete"
        assert client.post(client.request("tools/list"), connection=connection).status == 200


def test_silence_becomes_a_stream_with_comments(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake")}, {"sse": {"heartbeat": "200ms"}})
    client = door(fleet)
    stream = client.stream("POST", client.call("fake_sleep", {"seconds": 1}))
    events = stream.rest()
    assert stream.comments >= 2 and len(events) == 1 and events[0].id is None


@pytest.mark.parametrize("half", [False, True])
def test_leaving_is_cancelling(fake, half):
    client = door(fake)
    held = client.send("POST", client.call("fake_sleep", {"seconds": 60}))
    stream = client.stream("POST", client.call("fake_progress", {"steps": 1000, "delay": 0.05}, progressToken=1))
    stream.read()
    fleets.wait_until(lambda: sum(message.get("method") == "tools/call" for message in fake.messages()) == 2,
                      what="both calls have arrived")
    for connection in (held, stream.connection):
        if half:
            connection.socket.shutdown(socket.SHUT_WR)
        else:
            connection.close()
    fleets.wait_until(lambda: len(fake.cancellations()) == 2, what="both calls are cancelled")


def test_listen(fake):
    client = door(fake)
    message = {**client.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}), "id": "ä"}
    with client.connect() as connection:
        stream = client.stream("POST", message, connection=connection)
        first = stream.read()
        assert first.id is None and first.json()["method"] == "notifications/subscriptions/acknowledged"
        assert client.post(client.call("fake_add_tool", {"name": "later"})).status == 200
        news = stream.read().json()
        assert news["method"] == "notifications/tools/list_changed"
        assert news["params"]["_meta"][META + "subscriptionId"] == "ä"


def test_listen_stays_awake_and_ends_with_a_result(start_fleet):
    fleet = start_fleet(settings={"sse": {"heartbeat": "100ms"}})
    client = door(fleet)
    message = client.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    stream = client.stream("POST", message)
    assert stream.read().json()["method"] == "notifications/subscriptions/acknowledged"
    with pytest.raises(TimeoutError):
        stream.read(0.5)
    assert stream.comments >= 2
    fleet.signal(15)
    assert fleet.process.wait(20 * fleets.SLOWNESS) == 0
    last = stream.rest()[-1].json()
    assert last["id"] == message["id"] and last["result"]["resultType"] == "complete"
    assert stream.ended


def test_slow_reader_misses_progress_and_not_its_answer(fake):
    """Of a stream that nobody reads no more than limits.session_queue_messages is kept."""
    client, other = door(fake), door(fake)
    connection = client.connect()
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.send("POST", client.call("fake_progress", {"steps": 20_000, "delay": 0}, progressToken="t" * 1000),
                connection=connection)
    stream = streamable.Stream(connection, connection.read_head())
    # A call that is answered after it: all progress has come to the daemon by then.
    assert other.post(other.call("fake_sleep", {"seconds": 2})).status == 200
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    messages = [event.json() for event in stream.rest()]
    steps = [message["params"]["progress"] for message in messages[:-1]]
    assert steps == sorted(set(steps)) and 0 < len(steps) < 20_000
    assert "result" in messages[-1]
