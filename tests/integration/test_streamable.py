"""Streamable HTTP with sessions (2025-03-26 to 2025-11-25), as bytes on plain sockets."""

import json
import re
import socket
import time

import pytest

import fleet as fleets
import streamable
import wire

pytestmark = pytest.mark.sanitizers

REVISIONS = ["2025-03-26", "2025-06-18", "2025-11-25"]
UNKNOWN = "00000000-0000-4000-8000-000000000000"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
NEWS = {"jsonrpc": "2.0", "method": "notifications/no_such"}


def door(fleet, target="/mcp", version="2025-11-25", opened=True):
    new = streamable.Door(fleet.port, target, version, timeout=15 * fleets.SLOWNESS)
    if opened:
        new.open()
    return new


def raw(fleet, data, method):
    """The answer to exact bytes."""
    with fleet.connect(timeout=10 * fleets.SLOWNESS) as connection:
        connection.send(data)
        return connection.read_response(method)


def code_of(response):
    return response.json()["error"]["code"]


def wait_for_call(fake):
    fleets.wait_until(lambda: any(message.get("method") == "tools/call" for message in fake.messages()),
                      what="the call has arrived")


# --- opening ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", REVISIONS)
def test_session_of_each_revision(utils, version):
    client = door(utils, version=version, opened=False)
    assert client.open()["protocolVersion"] == version
    assert re.fullmatch(r"[!-~]+", client.id)
    response = client.post(client.call("calculator_add", {"a": 1, "b": 2}))
    assert (response.status, response.header("Content-Type")) == (200, "application/json")
    assert response.json()["id"] == client.last_number
    assert response.header("Mcp-Session-Id") is None
    assert client.end().status == 204


@pytest.mark.parametrize("asked", ["2026-07-28", "2099-01-01"])
def test_another_revision_is_answered_with_the_latest(utils, asked):
    assert door(utils, version=asked, opened=False).open()["protocolVersion"] == "2025-11-25"


def test_initialize_that_fails_opens_no_session(utils):
    client = door(utils, opened=False)
    response = client.post(client.request("initialize", {}))
    assert (response.status, code_of(response)) == (200, -32602)
    assert response.header("Mcp-Session-Id") is None


def test_two_sessions_with_the_same_ids(fake):
    first, second = door(fake), door(fake)
    one = first.send("POST", {"jsonrpc": "2.0", "id": 7, "method": "tools/call",
                              "params": {"name": "fake_echo", "arguments": {"text": "one"}}})
    two = second.send("POST", {"jsonrpc": "2.0", "id": 7, "method": "tools/call",
                               "params": {"name": "fake_echo", "arguments": {"text": "two"}}})
    assert b"one" in one.read_response("POST").body
    assert b"two" in two.read_response("POST").body


def test_limit_of_sessions(start_fleet):
    fleet = start_fleet(settings={"limits": {"sessions": 2}})
    first, _ = door(fleet), door(fleet)
    client = door(fleet, opened=False)
    response = client.post(client.request("initialize", {"protocolVersion": "2025-11-25"}))
    assert (response.status, response.header("Retry-After")) == (503, "1")
    assert first.end().status == 204
    client.open()


def test_idle_session_ends(start_fleet):
    fleet = start_fleet(settings={"limits": {"session_idle": "1s", "sweep": "100ms"}})
    client = door(fleet)
    fleets.wait_until(lambda: fleet.health()["sessions"] == 0, what="the idle session is gone")
    assert client.post(PING).status == 404


# --- session ids and endpoints -----------------------------------------------------------------------


@pytest.mark.parametrize("method,body", [("POST", PING), ("POST", NEWS), ("POST", [PING]), ("GET", None),
                                         ("HEAD", None), ("DELETE", None),
                                         ("POST", {"jsonrpc": "2.0", "id": 1, "result": {}})])
def test_session_ids(utils, method, body):
    client = door(utils)
    for header, status in ((None, 400), (UNKNOWN, 404), ("x", 404), ("", 404)):
        assert client.ask(method, body, Mcp_Session_Id=header).status == status
    ended = door(utils)
    ended.end()
    assert ended.ask(method, body).status == 404


def test_refusals_carry_the_id(utils):
    response = door(utils, opened=False).post({"jsonrpc": "2.0", "id": "ä", "method": "ping"})
    assert (response.status, response.json()["id"]) == (400, "ä")
    response = door(utils).post(NEWS, Mcp_Session_Id=UNKNOWN)
    assert response.status == 404 and "id" not in response.json()


def test_session_is_known_where_it_was_opened(utils):
    whole, domain = door(utils), door(utils, "/utils/mcp")
    assert domain.post(PING).status == 200
    for client, target in ((whole, "/utils/mcp"), (domain, "/mcp")):
        other = door(utils, target, opened=False)
        other.id = client.id
        for method, body in (("POST", PING), ("POST", NEWS), ("GET", None), ("DELETE", None)):
            assert other.ask(method, body).status == 404
    assert domain.post(PING).status == whole.post(PING).status == 200
    assert door(utils, "/none/mcp", opened=False).post(PING).status == 404


def test_sessions_of_the_other_door(utils):
    with utils.session() as sse:
        client = door(utils)
        own, client.id = client.id, sse.endpoint.split("session_id=")[1]
        assert client.post(PING).status == client.ask("GET").status == client.end().status == 404
        sse.endpoint = f"/messages?session_id={own}"
        assert sse.post(PING).status == 404


# --- headers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept,status", [
    (streamable.BOTH, 200), ("text/event-stream,application/json", 200), ("*/*", 200), (None, 200),
    ("APPLICATION/JSON, Text/Event-Stream;q=0.5", 200), ("application/json", 200), ("application/*", 200),
    ("text/html", 406), ("*/*;q=0", 406), ("application/json;q=0, text/event-stream;q=0", 406), ("", 406),
])
def test_accept(utils, accept, status):
    assert door(utils).post(PING, Accept=accept).status == status


def test_accept_of_streams_alone(utils):
    client = door(utils)
    events = client.stream("POST", PING, Accept="text/event-stream").rest()
    assert events[-1].json() == {"jsonrpc": "2.0", "id": 1, "result": {}}


@pytest.mark.parametrize("accept,status", [
    ("text/event-stream", 200), ("*/*", 200), (None, 200), ("text/*", 200), (streamable.BOTH, 200),
    ("application/json", 406), ("text/event-stream;q=0", 406)])
def test_accept_on_get(utils, accept, status):
    with door(utils).send("GET", Accept=accept) as connection:
        assert connection.read_head().status == status


@pytest.mark.parametrize("kind,status", [
    ("application/json", 200), ("Application/JSON; Charset=UTF-8", 200), ("application/json;charset=utf-8", 200),
    ("text/plain", 415), ("application/jsonp", 415), (None, 415), ("", 415)])
def test_content_type(utils, kind, status):
    assert door(utils).post(PING, Content_Type=kind).status == status


@pytest.mark.parametrize("version,status", [
    (None, 200), ("2025-03-26", 200), ("2025-06-18", 200), ("2025-11-25", 200), (" 2025-11-25\t", 200),
    ("1999-01-01", 400), ("", 400), ("2025-11-25, 2025-11-25", 400)])
def test_version_header(utils, version, status):
    client = door(utils)
    assert client.post(PING, MCP_Protocol_Version=version).status == status
    with client.send("GET", MCP_Protocol_Version=version) as connection:
        assert connection.read_head().status == status
    assert client.ask("DELETE", MCP_Protocol_Version=version).status == (204 if status == 200 else 400)


def test_headers_that_come_twice(utils):
    client = door(utils)
    for header in (f"Mcp-Session-Id: {client.id}", "MCP-Protocol-Version: 2025-11-25"):
        for method in ("POST", "GET", "DELETE"):
            body = json.dumps(PING) if method == "POST" else ""
            lines = [f"{method} /mcp HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json",
                     f"Mcp-Session-Id: {client.id}", "MCP-Protocol-Version: 2025-11-25", header,
                     f"Content-Length: {len(body)}"]
            response = raw(utils, "\r\n".join(lines) + "\r\n\r\n" + body, method)
            assert response.status == 400


def test_a_header_name_in_any_case(utils):
    client = door(utils)
    body = json.dumps(PING)
    response = raw(utils, f"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                          f"mCP-sESSION-iD:{client.id}\r\ncontent-length: {len(body)}\r\n\r\n{body}", "POST")
    assert response.status == 200


@pytest.mark.parametrize("method,body", [("POST", PING), ("GET", None), ("DELETE", None)])
def test_origin_and_host(utils, method, body):
    client = door(utils)
    for origin in ("http://evil.example", "null", "http://127.0.0.1.evil.example"):
        assert client.ask(method, body, Origin=origin).status == 403
    for line in ("evil.example", "127.0.0.1.evil.example:80"):
        response = raw(utils, f"{method} /mcp HTTP/1.1\r\nHost: {line}\r\nMcp-Session-Id: {client.id}\r\n"
                              "Content-Length: 0\r\n\r\n", method)
        assert response.status == 421
    assert client.post(PING, Origin=f"http://localhost:{utils.port}").status == 200


# --- verbs -------------------------------------------------------------------------------------------


def test_other_verbs(utils):
    client = door(utils)
    for method in ("PUT", "PATCH"):
        response = client.ask(method, PING)
        assert response.status == 405
        assert re.split(", ", response.header("Allow")) == ["GET", "HEAD", "POST", "DELETE"]
    response = client.ask("OPTIONS", Access_Control_Request_Method="POST")
    assert response.status == 204 and "POST" in response.header("Allow")
    assert not [name for name, _ in response.headers if name.lower().startswith("access-control")]


def test_head_opens_no_stream(utils):
    client = door(utils)
    with client.connect() as connection:
        assert client.ask("HEAD", connection=connection).status == 200
        assert client.post(PING, connection=connection).json()["id"] == 1  # nothing in between


def test_verbs_with_the_modern_version(utils):
    client = door(utils)
    for method in ("GET", "DELETE", "HEAD"):
        response = client.ask(method, MCP_Protocol_Version=streamable.MODERN)
        assert (response.status, response.header("Allow")) == (405, "POST")
    assert client.post(PING).status == 200


# --- messages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body,code", [
    ("", -32700), ("{", -32700), ("nope", -32700), ('{"a":1}{"b":2}', -32700), ("\ufeff{}", -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', -32700), ("42", -32600), ('"x"', -32600), ("null", -32600),
    ("{}", -32600), ('{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600), ("[" * 100000, -32700),
    ('{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600), ('{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
])
def test_what_is_no_message(utils, body, code):
    client = door(utils)
    response = client.post(body)
    assert (response.status, code_of(response)) == (400, code)
    assert client.post(PING).status == 200


def test_errors_of_legacy_requests_are_answers(utils):
    client = door(utils)
    for message, code in ((client.request("no/such"), -32601), (client.call("no_such"), -32602),
                          (client.request("tools/call", []), -32602)):
        response = client.post(message)
        assert (response.status, code_of(response), response.json()["id"]) == (200, code, message["id"])


def test_what_wants_no_answer(utils):
    client = door(utils)
    for body in (NEWS, {"jsonrpc": "2.0", "id": 9, "result": {}},
                 {"jsonrpc": "2.0", "id": 9, "error": {"code": 1, "message": "x"}},
                 {"jsonrpc": "2.0", "method": "notifications/x", "params": []}):
        response = client.post(body)
        assert (response.status, response.body, response.header("Content-Type")) == (202, b"", None)


def test_too_large(start_fleet):
    fleet = start_fleet(settings={"limits": {"request_bytes": "4KiB"}})
    assert door(fleet).post(" " * 5000).status == 413


def test_the_same_id_twice_at_once(fake):
    client = door(fake)
    message = client.call("fake_sleep", {"seconds": 1})
    with client.send("POST", message) as first:
        wait_for_call(fake)
        response = client.post(message)
        assert (response.status, code_of(response)) == (400, -32600)
        assert first.read_response("POST").status == 200


# --- batches -----------------------------------------------------------------------------------------


BATCH = [PING, NEWS, {"jsonrpc": "2.0", "id": 2, "method": "no/such"}, 7,
         {"jsonrpc": "2.0", "id": 3, "method": "initialize", "params": {}}]


def check_batch(answers):
    by_id = {answer.get("id"): answer for answer in answers}
    assert len(answers) == 4 and set(by_id) == {1, 2, 3, None}
    assert by_id[1]["result"] == {}
    assert [by_id[number]["error"]["code"] for number in (2, 3, None)] == [-32601, -32600, -32600]


def test_batches_of_their_revision(utils):
    client = door(utils, version="2025-03-26")
    response = client.post(BATCH)
    assert response.header("Content-Type") == "application/json"
    check_batch(response.json())
    assert client.post([NEWS, NEWS]).status == 202
    response = client.post([])
    assert (response.status, code_of(response)) == (400, -32600)
    assert client.post([PING]).json() == [{"jsonrpc": "2.0", "id": 1, "result": {}}]


def test_batch_as_a_stream(fake):
    client = door(fake, version="2025-03-26")
    stream = client.stream("POST", [PING, client.call("fake_progress", {"steps": 2}, progressToken="t")])
    messages = [event.json() for event in stream.rest()]
    assert messages[0] == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert [message["params"]["progress"] for message in messages[1:3]] == [1, 2]
    assert messages[3]["id"] == client.last_number and len(messages) == 4


@pytest.mark.parametrize("version", REVISIONS[1:])
def test_no_batches_later(utils, version):
    response = door(utils, version=version).post(BATCH)
    assert (response.status, code_of(response)) == (400, -32600)


# --- streams of requests -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", REVISIONS)
def test_progress_makes_a_stream(fake, version):
    client = door(fake, version=version)
    with client.connect() as connection:
        stream = client.stream("POST", client.call("fake_progress", {"steps": 3}, progressToken="t"),
                               connection=connection)
        events = stream.rest()
        if version == "2025-11-25":  # older ones choke on an event without data
            priming = events.pop(0)
            assert priming.id and priming.data == "" and priming.retry
        assert not [event for event in events if event.retry or not event.data or not event.id]
        assert len({event.id for event in events}) == 4
        messages = [event.json() for event in events]
        assert [message["params"]["progress"] for message in messages[:3]] == [1, 2, 3]
        assert {message["params"]["progressToken"] for message in messages[:3]} == {"t"}
        assert messages[3]["id"] == client.last_number  # the answer is the last
        assert client.post(PING, connection=connection).status == 200  # the connection lives on


def test_json_client_gets_json(fake):
    client = door(fake)
    response = client.post(client.call("fake_progress", {"steps": 3}, progressToken="t"), Accept="application/json")
    assert (response.header("Content-Type"), response.json()["id"]) == ("application/json", client.last_number)


def test_silence_becomes_a_stream_with_comments(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake")}, {"sse": {"heartbeat": "200ms"}})
    client = door(fleet)
    stream = client.stream("POST", client.call("fake_sleep", {"seconds": 1.5}))
    events = stream.rest()
    assert stream.comments >= 2
    assert (events[0].data, events[1].json()["id"], len(events)) == ("", client.last_number, 2)


def test_http10_gets_no_chunks(fake):
    client = door(fake)
    body = json.dumps(client.call("fake_progress", {"steps": 1}, progressToken="t"))
    with fake.connect() as connection:
        connection.send(f"POST /mcp HTTP/1.0\r\nMcp-Session-Id: {client.id}\r\nContent-Type: application/json\r\n"
                        f"Connection: keep-alive\r\nContent-Length: {len(body)}\r\n\r\n{body}")
        response = connection.read_response("POST")
    assert response.header("Transfer-Encoding") is None and response.header("Connection") == "close"
    assert response.body.count(b"event: message\n") == 2


def test_pipelined_requests_are_answered_in_order(fake):
    client = door(fake)
    with client.connect() as connection:
        client.send("POST", client.call("fake_sleep", {"seconds": 0.3}), connection=connection)
        client.send("POST", client.call("fake_progress", {"steps": 1}, progressToken=1), connection=connection)
        client.send("POST", PING, connection=connection)
        assert connection.read_response("POST").json()["id"] == client.last_number - 1
        assert b"notifications/progress" in connection.read_response("POST").body
        assert connection.read_response("POST").json()["id"] == 1


def test_half_closed_client_gets_its_answer(fake):
    client = door(fake)
    with client.send("POST", client.call("fake_sleep", {"seconds": 0.3})) as connection:
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.read_response("POST").json()["id"] == client.last_number
        assert connection.is_closed()
    with client.send("POST", client.call("fake_progress", {"steps": 3}, progressToken=1)) as connection:
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.read_response("POST").body.count(b"event: message") == 4


def test_cancelled_call_is_answered_too(fake):
    client = door(fake)
    with client.send("POST", client.call("fake_sleep", {"seconds": 60})) as connection:
        wait_for_call(fake)
        number = client.last_number
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}
        assert client.post(cancel).status == 202
        response = connection.read_response("POST")
        assert response.json()["id"] == number and "cancelled" in response.json()["error"]["message"]
        fleets.wait_until(fake.cancellations, what="the worker hears of it")
        assert client.post(cancel).status == 202  # it is over: ignored


# --- the GET stream ----------------------------------------------------------------------------------


def add_tool(client, name):
    assert client.post(client.call("fake_add_tool", {"name": name})).status == 200


def test_list_changed_goes_on_the_get_stream_only(fake):
    client, deaf = door(fake, version="2025-06-18"), door(fake)
    add_tool(client, "before")  # nobody listens: it is not kept
    time.sleep(0.2)
    stream = client.listen()
    with deaf.send("POST", deaf.call("fake_sleep", {"seconds": 1})) as connection:
        fleets.wait_until(lambda: any(message.get("params", {}).get("name") == "fake_sleep"
                                      for message in fake.messages()), what="the call has arrived")
        add_tool(client, "after")
        event = stream.read()
        assert event.json()["method"] == "notifications/tools/list_changed" and event.id
        assert connection.read_response("POST").header("Content-Type") == "application/json"


def test_second_stream_takes_over(fake):
    client = door(fake, version="2025-06-18")
    first = client.listen()
    second = client.listen()
    assert first.read() is None
    add_tool(client, "one")
    assert second.read().json()["method"] == "notifications/tools/list_changed"


def test_get_stream_of_each_revision(start_fleet):
    fleet = start_fleet(settings={"sse": {"heartbeat": "100ms"}})
    for version in REVISIONS:
        stream = door(fleet, version=version).listen()
        if version == "2025-11-25":
            priming = stream.read()
            assert priming.id and priming.data == "" and priming.retry
        with pytest.raises(TimeoutError):
            stream.read(0.5)
        assert stream.comments >= 1


def test_delete_ends_the_streams(fake):
    client = door(fake)
    listening = client.listen()
    running = client.stream("POST", client.call("fake_progress", {"steps": 1000, "delay": 0.1}, progressToken=1))
    held = client.send("POST", client.call("fake_sleep", {"seconds": 60}))
    fleets.wait_until(lambda: len(fake.messages()) >= 5, what="both calls have arrived")
    assert client.end().status == 204
    listening.rest()
    running.rest()
    assert listening.ended and running.ended
    assert held.read_response("POST").status == 404
    fleets.wait_until(lambda: len(fake.cancellations()) == 2, what="both calls are cancelled")


# --- resuming ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", REVISIONS)
def test_resuming_a_stream_that_broke(fake, version):
    client = door(fake, version=version)
    stream = client.stream("POST", client.call("fake_progress", {"steps": 20, "delay": 0.05}, progressToken="t"))
    number = client.last_number
    seen = [stream.read() for _ in range(4)]
    stream.close()
    resumed = client.listen(seen[-1].id)
    rest = resumed.rest()
    messages = [event.json() for event in seen + rest if event.data]
    assert [message["params"]["progress"] for message in messages[:-1]] == list(range(1, 21))
    assert messages[-1]["id"] == number
    assert not fake.cancellations()  # a broken connection is none
    again = client.listen(rest[-2].id).rest()  # it is kept for a while
    assert again[-1].json()["id"] == number


def test_resuming_in_the_middle_of_an_answer(fake):
    """The answer is larger than what the sockets hold: the connection breaks within it."""
    client = door(fake)
    connection = client.connect()
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    size = 5_000_000
    client.send("POST", client.call("fake_big", {"bytes": size}, progressToken=1), connection=connection,
                Accept="text/event-stream")
    stream = streamable.Stream(connection, connection.read_head())
    first = stream.read()
    assert first.data == ""
    assert stream.connection.take(1000, time.monotonic() + 10)
    stream.close()
    answer = client.listen(first.id).rest()[-1].json()
    assert len(answer["result"]["content"][0]["text"]) == size


def test_unknown_event_ids(fake):
    client = door(fake, version="2025-06-18")
    add_tool(client, "zero")
    for last in ("x", "7-7", "99999999999999999999-1", "-", "0-55"):
        stream = client.listen(last)
        assert stream.response.status == 200
    add_tool(client, "one")
    assert stream.read().json()["method"] == "notifications/tools/list_changed"


def test_events_of_another_session(fake):
    mine, other = door(fake, version="2025-06-18"), door(fake, version="2025-06-18")
    stream = mine.stream("POST", mine.call("fake_progress", {"steps": 1}, progressToken="secret"))
    event = stream.rest()[0]
    with pytest.raises(TimeoutError):
        other.listen(event.id).read(0.5)


def test_replay_is_bounded(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake")},
                        {"limits": {"session_replay_events": 3, "session_replay_bytes": "64KiB"}})
    client = door(fleet, version="2025-06-18")
    events = client.stream("POST", client.call("fake_progress", {"steps": 20}, progressToken=1)).rest()
    assert [event.id for event in client.listen(events[0].id).rest()] == [event.id for event in events[-3:]]


def test_slow_reader_loses_its_session(fake):
    """Two answers that nobody reads are more than limits.session_queue_bytes."""
    client, other = door(fake), door(fake)
    connections = [client.connect() for _ in range(2)]
    for connection in connections:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send("POST", client.call("fake_big", {"bytes": 6_000_000}), connection=connection,
                    Accept="text/event-stream")
    fleets.wait_until(lambda: fake.health()["sessions"] == 1, 20, "the client's session is closed")
    assert "limits.session_queue_bytes" in fake.log()
    assert client.post(PING).status == 404
    assert other.post(PING).status == 200


# --- many --------------------------------------------------------------------------------------------


def test_many_clients_do_not_cross(fake):
    """Each of 20 sessions, all with the same ids and tokens, gets what it asked for."""
    clients = [door(fake) for _ in range(20)]
    for round_number in range(5):
        sent = []
        for index, client in enumerate(clients):
            client.last_number = 100 * round_number
            sent.append(client.send("POST", client.call("fake_echo", {"text": f"{index}/{round_number}"},
                                                        progressToken="t")))
        for index, connection in enumerate(sent):
            answer = connection.read_response("POST").json()
            assert answer["id"] == 100 * round_number + 1
            assert json.loads(answer["result"]["content"][0]["text"])["text"] == f"{index}/{round_number}"
            connection.close()


def test_stopping_answers_what_is_held(fake):
    client = door(fake)
    stream = client.listen()
    with client.send("POST", client.call("fake_sleep", {"seconds": 0.5})) as connection:
        wait_for_call(fake)
        fake.signal(15)
        assert connection.read_response("POST").json()["id"] == client.last_number
    assert fake.process.wait(20 * fleets.SLOWNESS) == 0
    stream.rest()
    assert stream.ended


def test_second_signal_ends_what_is_held(fake):
    """What is held is told that it has ended, in words that send no client another way, and nothing waits."""
    client = door(fake)
    listening = client.listen()
    running = client.stream("POST", client.call("fake_progress", {"steps": 1000, "delay": 0.1}, progressToken=1))
    held = client.send("POST", client.call("fake_sleep", {"seconds": 60}))
    modern = streamable.Modern(fake.port, timeout=client.timeout)
    stateless = modern.send("POST", modern.call("fake_sleep", {"seconds": 60}))
    fleets.wait_until(lambda: str(fake.messages()).count("fake_sleep") == 2, what="the calls have arrived")
    fake.signal(15)
    fleets.wait_until(lambda: "stopping on SIGTERM" in fake.log(), what="it stops")
    fake.signal(15)
    assert held.read_response("POST").status == 404
    assert stateless.read_response("POST").status == 503
    listening.rest()
    running.rest()
    assert fake.process.wait(20 * fleets.SLOWNESS) == 0


def test_one_catalog(utils):
    """The same tools as over HTTP+SSE."""
    with utils.session() as sse:
        expected = sse.tools()
    for version in REVISIONS:
        client = door(utils, version=version)
        assert client.post(client.request("tools/list")).json()["result"]["tools"] == expected


def test_wire_error_in_helper():
    """The reader of events refuses what is none."""
    class Fake:
        timeout, buffer = 1, b"data: x\nnonsense\n\n"

        def fill(self, deadline):
            return False
    with pytest.raises(wire.WireError):
        streamable.Stream(Fake(), wire.Response(200, "OK", [])).read()
