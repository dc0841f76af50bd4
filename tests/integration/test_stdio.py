"""The whole fleet, or one domain, on standard input and output for the client that started it."""

import json
import time

import pytest

import fleet as fleets


@pytest.mark.sanitizers
def test_the_whole_fleet(start_stdio):
    stdio = start_stdio()
    assert stdio.initialize()["protocolVersion"] == "2025-11-25"
    names = {tool["name"] for tool in stdio.tools()}
    assert {"fake_echo", "string_to_upper"} <= names
    answer = stdio.request(1, "tools/call", {"name": "string_to_upper", "arguments": {"text": "straße"}})
    assert json.loads(answer["result"]["content"][0]["text"])["result"] == "STRASSE"
    assert "result" in stdio.request(2, "tools/call", {"name": "fake_echo"})
    assert stdio.end() == []


def test_one_domain(start_stdio):
    stdio = start_stdio(args=["--domain", "utils"])
    stdio.initialize()
    assert not [tool for tool in stdio.tools() if tool["name"].startswith("fake_")]
    assert "result" in stdio.request(1, "tools/call", {"name": "string_to_upper", "arguments": {"text": "x"}})
    assert stdio.fleet.workers("fake") == []


@pytest.mark.sanitizers
def test_calls_in_flight_are_answered_before_the_end(start_stdio):
    """A script pipes its requests in and closes: it gets every answer, then the stream ends."""
    stdio = start_stdio()
    stdio.initialize()
    for number in range(5):
        stdio.send({"jsonrpc": "2.0", "id": number, "method": "tools/call",
                    "params": {"name": "fake_sleep", "arguments": {"seconds": 0.5}}})
    rest = stdio.end()
    assert sorted(message["id"] for message in rest) == list(range(5))
    assert all("result" in message for message in rest)


def test_everything_at_once_from_a_pipe(start_stdio):
    """Requests that are there before any worker is ready wait for it."""
    stdio = start_stdio()
    requests = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "fake_echo", "arguments": {"text": "a"}}},
        {"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {"name": "string_to_upper", "arguments": {"text": "a"}}},
    ]
    stdio.write("".join(json.dumps(request) + "\n" for request in requests))
    answers = {message["id"]: message for message in stdio.end() if "id" in message}
    assert sorted(answers) == [1, 2, 3, 4]
    assert {"fake_echo", "string_to_upper"} <= {tool["name"] for tool in answers[2]["result"]["tools"]}
    assert "result" in answers[3] and "result" in answers[4]


def test_a_last_line_without_its_end_is_not_a_message(start_stdio):
    stdio = start_stdio({"utils": {}})
    stdio.initialize()
    stdio.write('{"jsonrpc":"2.0","id":1,"method":"ping"}')
    rest = stdio.end()
    assert rest == [] or rest == [{"jsonrpc": "2.0", "id": 1, "result": {}}]


@pytest.mark.parametrize("line, code", [
    (b"nonsense", -32700), (b"{", -32700), (b"[]", -32600), (b"42", -32600), (b'{"jsonrpc":"2.0","id":1}', -32600),
    (b'{"jsonrpc":"2.0","id":"\xff","method":"ping"}', -32700),
])
def test_errors_come_as_lines(start_stdio, line, code):
    stdio = start_stdio({"utils": {}})
    stdio.initialize()
    stdio.write(line + b"\n")
    assert stdio.read()["error"]["code"] == code
    assert stdio.request(7, "ping")["result"] == {}


def test_empty_lines_and_carriage_returns(start_stdio):
    """Blank lines are no messages; a line may end with CR LF."""
    stdio = start_stdio({"utils": {}})
    stdio.initialize()
    stdio.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\r\n')
    assert stdio.read() == {"jsonrpc": "2.0", "id": 1, "result": {}}


def test_the_same_id_twice_in_flight(start_stdio):
    stdio = start_stdio({"fake": fleets.fake_domain("fake")})
    stdio.initialize()
    call = {"jsonrpc": "2.0", "id": "same", "method": "tools/call",
            "params": {"name": "fake_sleep", "arguments": {"seconds": 0.5}}}
    stdio.send(call)
    stdio.send(call)
    first, second = stdio.read(), stdio.read()
    assert (first["id"], first["error"]["code"]) == ("same", -32600)
    assert (second["id"], "result" in second) == ("same", True)


def test_a_large_message_both_ways(start_stdio):
    stdio = start_stdio({"utils": {}})
    stdio.initialize()
    text = "ab\n" * 300_000
    answer = stdio.request(1, "tools/call", {"name": "string_to_upper", "arguments": {"text": text}})
    assert json.loads(answer["result"]["content"][0]["text"])["result"] == text.upper()


def test_a_line_over_the_limit(start_stdio):
    """Answered with an error and skipped, or the end; never a growing buffer."""
    stdio = start_stdio({"utils": {}})
    stdio.initialize()
    try:
        stdio.write(b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"' + b"y" * (20 << 20) + b'"}\n')
    except BrokenPipeError:
        pass
    message = stdio.read()
    assert message is None or "error" in message
    if message is None:
        stdio.fleet.expected_exit = stdio.process.wait(5)


def test_log_goes_to_standard_error_only(start_stdio):
    stdio = start_stdio({"fake": fleets.fake_domain("fake")})
    stdio.initialize()
    stdio.request(1, "tools/call", {"name": "fake_stderr", "arguments": {"text": "words of a worker"}})
    fleets.wait_until(lambda: "words of a worker" in stdio.fleet.log(), 3, "the words are in the log")


def test_a_client_that_stops_reading_and_goes(start_stdio):
    """Its output pipe is gone: the daemon ends, with all its workers, and says so by no signal."""
    stdio = start_stdio({"fake": fleets.fake_domain("fake")})
    stdio.initialize()
    stdio.fleet.processes()
    for number in range(10):
        stdio.send({"jsonrpc": "2.0", "id": number, "method": "tools/call",
                    "params": {"name": "fake_big", "arguments": {"bytes": 200_000}}})
    stdio.process.stdout.close()
    stdio.process.stdin.close()
    code = stdio.process.wait(15 * fleets.SLOWNESS)
    assert code in (0, 1)
    stdio.fleet.expected_exit = code


def test_sigterm(start_stdio):
    stdio = start_stdio({"fake": fleets.fake_domain("fake")})
    stdio.initialize()
    stdio.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": {"name": "fake_sleep", "arguments": {"seconds": 0.7}}})
    time.sleep(0.2)
    stdio.process.terminate()
    assert "result" in stdio.read()
    assert stdio.read() is None
    stdio.process.wait(10 * fleets.SLOWNESS)
    assert "session ended: the fleet is stopping (stdio" in stdio.fleet.log()


def test_the_end_of_input_is_the_end_of_the_session(start_stdio):
    """The fleet stops since its client has left, and the log does not say it the other way round."""
    stdio = start_stdio({"fake": fleets.fake_domain("fake")})
    stdio.initialize()
    stdio.end_input()
    stdio.process.wait(10 * fleets.SLOWNESS)
    assert "session ended: its client has left (stdio" in stdio.fleet.log()
