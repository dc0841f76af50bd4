"""What a client hears for each thing it can do wrong in JSON-RPC, and that ids come back as sent."""

import json

import pytest

import fleet as fleets

BAD_JSON = {
    "empty": b"",
    "blank": b"  \r\n ",
    "cut off": b'{"jsonrpc":"2.0","id":1,"method":"ping"',
    "trailing bytes": b'{"jsonrpc":"2.0","id":1,"method":"ping"}x',
    "two documents": b'{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}',
    "single quotes": b"{'jsonrpc':'2.0'}",
    "trailing comma": b'{"jsonrpc":"2.0","id":1,"method":"ping",}',
    "comment": b'{"jsonrpc":"2.0",/**/"id":1,"method":"ping"}',
    "NaN": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}',
    "leading zero": b'{"jsonrpc":"2.0","id":01,"method":"ping"}',
    "control character": b'{"jsonrpc":"2.0","id":"a\x01b","method":"ping"}',
    "raw line break in a string": b'{"jsonrpc":"2.0","id":"a\nb","method":"ping"}',
    "invalid UTF-8": b'{"jsonrpc":"2.0","id":"\xff","method":"ping"}',
    "overlong UTF-8": b'{"jsonrpc":"2.0","id":"\xc0\xaf","method":"ping"}',
    "surrogate in UTF-8": b'{"jsonrpc":"2.0","id":"\xed\xa0\x80","method":"ping"}',
    "lone surrogate": b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}',
    "UTF-16": '{"jsonrpc":"2.0","id":1,"method":"ping"}'.encode("utf-16"),
    "bad escape": b'{"jsonrpc":"2.0","id":"\\x41","method":"ping"}',
    "too deep": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "only brackets": b"[" * 100_000,
}
INVALID = {
    "number": b"42",
    "string": b'"x"',
    "null": b"null",
    "true": b"true",
    "empty object": b"{}",
    "empty batch": b"[]",
    "batch": b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
    "no method": b'{"jsonrpc":"2.0","id":1}',
    "method not a string": b'{"jsonrpc":"2.0","id":1,"method":7}',
    "no version": b'{"id":1,"method":"ping"}',
    "version 1.0": b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
    "version a number": b'{"jsonrpc":2.0,"id":1,"method":"ping"}',
    "null id": b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
    "true id": b'{"jsonrpc":"2.0","id":true,"method":"ping"}',
    "float id": b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
    "exponent id": b'{"jsonrpc":"2.0","id":1e3,"method":"ping"}',
    "array id": b'{"jsonrpc":"2.0","id":[1],"method":"ping"}',
    "object id": b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
    "result and error": b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}',
}


def assert_alive(session):
    assert session.request("ping")["result"] == {}


@pytest.mark.sanitizers
@pytest.mark.parametrize("name", BAD_JSON)
def test_malformed_json(utils, name):
    with utils.session() as session:
        response = session.post(BAD_JSON[name])
        assert response.status == 400
        assert response.header("Content-Type").split(";")[0] == "application/json"
        answer = response.json()
        assert answer["jsonrpc"] == "2.0"
        assert answer["error"]["code"] == -32700
        assert answer["error"]["message"]
        assert answer.get("id") is None
        assert_alive(session)


@pytest.mark.sanitizers
@pytest.mark.parametrize("name", INVALID)
def test_not_a_request(utils, name):
    with utils.session() as session:
        response = session.post(INVALID[name])
        assert response.status == 400
        answer = response.json()
        assert answer["jsonrpc"] == "2.0"
        assert answer["error"]["code"] == -32600
        assert_alive(session)


def test_an_invalid_request_is_answered_with_its_id(utils):
    with utils.session() as session:
        assert session.post('{"jsonrpc":"1.0","id":"mine","method":"ping"}').json()["id"] == "mine"
        assert session.post('{"jsonrpc":"2.0","id":12}').json()["id"] == 12


@pytest.mark.parametrize("method", ["no/such/method", "tools/lists", "", "Ping", "server/discover", "tools/call\\u0000"])
def test_unknown_method(utils, method):
    with utils.session() as session:
        session.send('{"jsonrpc":"2.0","id":77,"method":"%s","params":{}}' % method)
        answer = session.wait(77)
        assert answer["error"]["code"] == -32601
        assert_alive(session)


def test_unknown_notification_is_taken_and_ignored(utils):
    with utils.session() as session:
        session.notify("notifications/no_such_thing", {"x": 1})
        session.notify("no/such/method")
        assert_alive(session)


def test_a_response_nobody_asked_for_is_taken_and_ignored(utils):
    with utils.session() as session:
        session.send({"jsonrpc": "2.0", "id": 5, "result": {}})
        session.send({"jsonrpc": "2.0", "id": "x", "error": {"code": 1, "message": "no"}})
        assert_alive(session)


@pytest.mark.parametrize("params", [
    {},
    {"arguments": {}},
    {"name": 5, "arguments": {}},
    {"name": None},
    {"name": "string_to_upper", "arguments": []},
    {"name": "string_to_upper", "arguments": "text"},
    {"name": "string_to_upper", "arguments": 5},
])
def test_bad_params_of_a_call(utils, params):
    with utils.session() as session:
        answer = session.request("tools/call", params)
        assert answer["error"]["code"] == -32602
        assert answer["error"]["message"]
        assert_alive(session)


@pytest.mark.parametrize("params", ["[]", "[1,2]", '"x"', "5", "null"])
def test_params_that_are_no_object(utils, params):
    """The answer may be an HTTP refusal or come on the stream; the code is what counts."""
    with utils.session() as session:
        response = session.post('{"jsonrpc":"2.0","id":9,"method":"tools/call","params":%s}' % params)
        answer = session.wait(9) if response.status == 202 else response.json()
        assert answer["id"] == 9
        assert answer["error"]["code"] == -32602
        assert_alive(session)


@pytest.mark.parametrize("name", ["no_such_tool", "", "string_to_upper ", "x" * 10_000, "\u0000", "../git"])
def test_unknown_tool(utils, name):
    with utils.session() as session:
        answer = session.call(name)
        assert answer["error"]["code"] == -32602
        assert len(answer["error"]["message"]) < 1000
        if name == "no_such_tool":
            assert answer["error"]["message"] == "Unknown tool: no_such_tool"
        assert_alive(session)


def test_bad_cursor(utils):
    with utils.session() as session:
        assert session.request("tools/list", {"cursor": "nonsense"})["error"]["code"] == -32602
        assert session.request("tools/list", {"cursor": 5})["error"]["code"] == -32602


@pytest.mark.parametrize("tool, arguments, field", [
    ("string_to_upper", {}, "text"),
    ("string_to_upper", {"text": 5}, "text"),
    ("string_to_upper", {"text": "x", "txet": "y"}, "txet"),
    ("calculator_add", {"a": "1", "b": 2}, "a"),
    ("uuid_generate_uuid4", {"count": 101}, "count"),
    ("uuid_generate_uuid4", {"count": 1.5}, "count"),
    ("encoding_encode", {"text": "x", "encoding": "rot13"}, "encoding"),
])
def test_arguments_against_the_schema(utils, tool, arguments, field):
    """A result, not a protocol error, so that the model can mend its call."""
    with utils.session() as session:
        answer = session.call(tool, arguments)
        assert "error" not in answer
        assert answer["result"]["isError"] is True
        text = answer["result"]["content"][0]["text"]
        assert field in text and "invalid_argument" in text


def test_arguments_missing_or_null_are_empty(utils):
    with utils.session() as session:
        for params in ({"name": "uuid_generate_uuid4"}, {"name": "uuid_generate_uuid4", "arguments": None}):
            answer = session.request("tools/call", params)
            assert not answer["result"].get("isError"), answer


# --- ids ------------------------------------------------------------------------------------------

IDS = [
    "0", "1", "-1", "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "18446744073709551616", "123456789012345678901234567890",
    '""', '" "', '"1"', '"abc"', '"\\u0041"', '"\\/"', '"\\""', '"\\\\"', '"é"', '"\\u00e9"', '"😀"', '"\\ud83d\\ude00"',
    '"\\u0000"', '"\\u2028"', '"<script>"', '"%s%n"', '"' + "x" * 1000 + '"',
]


@pytest.mark.sanitizers
@pytest.mark.parametrize("method, params", [
    ("ping", "{}"),
    ("tools/list", "{}"),
    ("no/such", "{}"),
    ("tools/call", '{"name":"calculator_add","arguments":{"a":1,"b":2}}'),
    ("tools/call", '{"name":"no_such_tool"}'),
], ids=["ping", "list", "unknown-method", "call", "unknown-tool"])
def test_ids_come_back_byte_for_byte(utils, method, params):
    with utils.session() as session:
        for number in IDS:
            session.send('{"jsonrpc":"2.0","id":%s,"method":"%s","params":%s}' % (number, method, params))
            data = session.stream.read_message().data
            assert json.loads(data)["id"] == json.loads(number)
            assert f'"id":{number},' in data or data.endswith(f'"id":{number}}}'), (number, data[:300])


def test_members_in_any_order_with_blanks(utils):
    with utils.session() as session:
        session.send('\r\n { "params" : { } ,\n\t"method":\r\n"p\\u0069ng", "id" :\t"x" , "extra":[1,{"id":2}],"jsonrpc":"2.0" } \n')
        assert session.stream.read_message().json() == {"jsonrpc": "2.0", "id": "x", "result": {}}


def test_an_answer_is_one_line(utils):
    """Line breaks of a text stay escapes; an SSE event has one data line."""
    with utils.session() as session:
        session.start_call("string_to_upper", {"text": "a\nb\r\nc\u2028d\r"})
        event = session.stream.read_message()
        assert event.raw.count(b"\n") == 1
        assert json.loads(event.json()["result"]["content"][0]["text"])["result"] == "A\nB\r\nC\u2028D\r"


def test_same_id_twice_in_flight_is_refused(fake):
    with fake.session() as session:
        call = {"jsonrpc": "2.0", "id": "same", "method": "tools/call",
                "params": {"name": "fake_sleep", "arguments": {"seconds": 0.5}}}
        session.send(call)
        response = session.post(call)
        assert response.status == 400
        answer = response.json()
        assert (answer["error"]["code"], answer["id"]) == (-32600, "same")
        # The first one is answered as if nothing had been, once.
        assert "result" in session.wait("same")
        # And afterwards the id is free again.
        session.send({**call, "method": "ping"})
        assert session.wait("same")["result"] == {}
        assert_alive(session)


def test_ids_that_are_equal_in_another_spelling_are_the_same(fake):
    with fake.session() as session:
        sleep = '{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"fake_sleep","arguments":{"seconds":0.5}}}'
        session.send(sleep % '"A"')
        assert session.post(sleep % '"\\u0041"').status == 400
        # A string and an integer are different ids.
        session.send(sleep % "1001")
        session.send(sleep % '"1001"')
        ids = [session.stream.read_message().json()["id"] for _ in range(3)]
        assert sorted(map(repr, ids)) == sorted(map(repr, ["A", 1001, "1001"]))


@pytest.mark.sanitizers
def test_equal_ids_in_many_sessions(fake):
    """Each session hears its own answers, though all use the same ids at the same time."""
    sessions = [fake.session() for _ in range(20)]
    for round_ in range(5):
        numbers = [session.start_call("fake_echo", {"text": f"{index}/{round_}"}) for index, session in enumerate(sessions)]
        assert len(set(numbers)) == 1
        for index, (session, number) in enumerate(zip(sessions, numbers)):
            answer = session.wait(number)
            assert json.loads(answer["result"]["content"][0]["text"])["text"] == f"{index}/{round_}"
    for session in sessions:
        session.close()


def test_ping_before_initialize(utils):
    with utils.session(initialize=False) as session:
        assert session.request("ping")["result"] == {}
        assert session.initialize()["protocolVersion"]


def test_too_many_calls_in_flight(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake")}, settings={"limits": {"calls_per_session": 4}})
    with fleet.session() as session:
        for _ in range(4):
            session.start_call("fake_sleep", {"seconds": 1})
        session.number += 1
        message = {"jsonrpc": "2.0", "id": session.number, "method": "tools/call", "params": {"name": "fake_echo"}}
        response = session.post(message)
        answer = session.wait(session.number) if response.status == 202 else response.json()
        assert answer["error"]["code"] == -31003
        assert answer["id"] == session.number
        waiting = {2, 3, 4, 5}
        while waiting:
            answer = session.stream.read_message().json()
            assert "result" in answer
            waiting.remove(answer["id"])
        assert "result" in session.call("fake_echo")


def test_the_queue_of_a_domain_is_bounded(start_fleet):
    fleet = start_fleet({"fake": fleets.fake_domain("fake", concurrency=1, queue=3)})
    with fleet.session() as session:
        numbers = [session.start_call("fake_sleep", {"seconds": 0.4}) for _ in range(10)]
        answers = {}
        while len(answers) < 10:
            answer = session.stream.read_message().json()
            assert answer["id"] not in answers
            answers[answer["id"]] = answer
        assert sorted(answers) == numbers
        refused = [answer for answer in answers.values() if "error" in answer]
        assert len(refused) == 6
        assert {answer["error"]["code"] for answer in refused} == {-31003}
