"""A client of one era and a worker of the other, in what the conformance suite does not try: states that somebody
has changed or used up, questions of two calls at the same time, clients that cannot or do not answer, a worker
that dies while it waits for an answer, and the older revisions, which the suite never negotiates."""

import json
import os
import signal

import pytest

import conformance
import fleet as fleets
import streamable

pytestmark = pytest.mark.sanitizers

ELICITATION, SAMPLING, ROOTS = {"elicitation": {}}, {"sampling": {}}, {"roots": {}}
EVERYTHING = {**ELICITATION, **SAMPLING, **ROOTS}
ADA = {"action": "accept", "content": {"name": "Ada"}}
BOB = {"action": "accept", "content": {"name": "Bob"}}
ASKING = "test_input_required_result_elicitation"
TWO_ROUNDS = "test_input_required_result_multi_round"
# What they answer with, so that nobody has to guess where an answer came from.
ANSWERS = {"elicitation/create": ADA,
           "sampling/createMessage": {"role": "assistant", "model": "m", "content": {"type": "text", "text": "Paris"}},
           "roots/list": {"roots": [{"uri": "file:///srv"}]}}


@pytest.fixture
def start_form(start_fleet, envs):
    def start(form, protocol):
        # Said, so that nothing has to be found out first; that is what the suite's tests leave to the daemon.
        return start_fleet({"fixture": {**conformance.domain(envs, form), "protocol": protocol}})
    return start


def text_of(answer):
    result = answer["result"]
    assert not result.get("isError"), result
    return json.loads(result["content"][0]["text"])


# --- a client of the newest revision, a worker of an older one ---------------------------------------


class NewClient(streamable.Modern):
    def __init__(self, fleet, capabilities=EVERYTHING):
        super().__init__(fleet.port, timeout=15 * fleets.SLOWNESS)
        self.capabilities = {streamable.META + "clientCapabilities": capabilities}

    def message(self, tool, arguments=None, **params):
        return self.request("tools/call", {"name": tool, "arguments": arguments or {}, "_meta": self.capabilities, **params})

    def ask_tool(self, tool, arguments=None, **params):
        """The answer, from JSON or from a stream."""
        response = self.post(self.message(tool, arguments, **params))
        if response.header("Content-Type") == "application/json":
            return response.json()
        lines = [line for line in response.body.decode().split("\n") if line.startswith("data:")]
        return json.loads(lines[-1].removeprefix("data:"))


@pytest.fixture
def older(start_form):
    return start_form("older", "legacy")


def asked(answer):
    """The key and the state of an answer that asks one thing."""
    result = answer["result"]
    assert result["resultType"] == "input_required", result
    (key, request), = result["inputRequests"].items()
    assert request["method"] == "elicitation/create"
    return key, result["requestState"]


def error_of(answer):
    assert "error" in answer, answer
    return answer["error"]["code"]


def test_question_and_answer(older):
    client = NewClient(older)
    key, state = asked(client.ask_tool(ASKING))
    answer = client.ask_tool(ASKING, inputResponses={key: ADA}, requestState=state)
    assert answer["result"]["resultType"] == "complete"
    assert text_of(answer) == {"user_name": ADA}


def test_what_is_missing_is_asked_again(older):
    client = NewClient(older)
    key, state = asked(client.ask_tool(ASKING))
    again, state = asked(client.ask_tool(ASKING, inputResponses={"other": ADA}, requestState=state))
    assert again == key
    assert text_of(client.ask_tool(ASKING, inputResponses={key: ADA}, requestState=state)) == {"user_name": ADA}


def test_state_is_used_once(older):
    client = NewClient(older)
    key, state = asked(client.ask_tool(ASKING))
    assert text_of(client.ask_tool(ASKING, inputResponses={key: ADA}, requestState=state)) == {"user_name": ADA}
    assert error_of(client.ask_tool(ASKING, inputResponses={key: BOB}, requestState=state)) == -32602


@pytest.mark.parametrize("change", ["other tool", "other arguments", "bit", "cut", "empty", "long"])
def test_state_of_something_else(older, change):
    client = NewClient(older)
    key, state = asked(client.ask_tool(ASKING))
    tool, arguments = ASKING, {}
    if change == "other tool":
        tool = "test_input_required_result_request_state"
    elif change == "other arguments":
        arguments = {"more": 1}
    else:
        middle = len(state) // 2
        flipped = "B" if state[middle] == "A" else "A"
        changed = {"bit": state[:middle] + flipped + state[middle + 1:], "cut": state[:-1], "empty": "",
                   "long": state * 1000}[change]
        assert error_of(client.ask_tool(tool, arguments, inputResponses={key: ADA}, requestState=changed)) == -32602
        # The right one still holds.
        assert text_of(client.ask_tool(ASKING, inputResponses={key: ADA}, requestState=state)) == {"user_name": ADA}
        return
    assert error_of(client.ask_tool(tool, arguments, inputResponses={key: ADA}, requestState=state)) == -32602


def test_questions_of_two_clients_do_not_cross(older):
    first, second = NewClient(older), NewClient(older)
    one = asked(first.ask_tool(TWO_ROUNDS))
    two = asked(second.ask_tool(TWO_ROUNDS))
    three = asked(second.ask_tool(TWO_ROUNDS, inputResponses={two[0]: BOB}, requestState=two[1]))
    four = asked(first.ask_tool(TWO_ROUNDS, inputResponses={one[0]: ADA}, requestState=one[1]))
    red, blue = ({"action": "accept", "content": {"color": color}} for color in ("red", "blue"))
    answer = first.ask_tool(TWO_ROUNDS, inputResponses={four[0]: red}, requestState=four[1])
    assert text_of(answer) == {"step1": ADA, "step2": red}
    answer = second.ask_tool(TWO_ROUNDS, inputResponses={three[0]: blue}, requestState=three[1])
    assert text_of(answer) == {"step1": BOB, "step2": blue}


@pytest.mark.parametrize(("tool", "capability"), [
    (ASKING, "elicitation"), ("test_input_required_result_sampling", "sampling"),
    ("test_input_required_result_list_roots", "roots")])
def test_client_that_cannot_answer(older, tool, capability):
    client = NewClient(older, {name: {} for name in EVERYTHING if name != capability})
    response = client.post(client.message(tool))
    assert (response.status, error_of(response.json())) == (400, -32021)
    assert list(response.json()["error"]["data"]["requiredCapabilities"]) == [capability]


def test_worker_dies_while_it_waits(older):
    client = NewClient(older)
    key, state = asked(client.ask_tool(ASKING))
    pids = older.processes()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    fleets.wait_until(lambda: not any(map(fleets.is_alive, pids)), what="the worker is dead")
    answer = client.ask_tool(ASKING, inputResponses={key: ADA}, requestState=state)
    assert "error" in answer and answer["error"]["message"], answer
    fleets.wait_until(lambda: older.domain("fixture")["ready"], 20, "there is another worker")
    key, state = asked(client.ask_tool(ASKING))
    assert text_of(client.ask_tool(ASKING, inputResponses={key: ADA}, requestState=state)) == {"user_name": ADA}


def test_subscription(older):
    client = NewClient(older)
    stream = client.stream("POST", client.request("subscriptions/listen", {
        "notifications": {"resourceSubscriptions": ["test://watched-resource"]}, "_meta": client.capabilities}))
    listening = client.last_number
    assert stream.read().json()["method"] == "notifications/subscriptions/acknowledged"
    assert "result" in client.ask_tool("test_touch_watched_resource")
    told = stream.read().json()
    assert told["method"] == "notifications/resources/updated"
    assert told["params"] == {"uri": "test://watched-resource",
                              "_meta": {streamable.META + "subscriptionId": listening}}
    stream.close()


# --- a client of an older revision, a worker of the newest ---------------------------------------------


class OldClient(streamable.Door):
    def __init__(self, fleet, version, capabilities=EVERYTHING):
        super().__init__(fleet.port, "/mcp", version, timeout=15 * fleets.SLOWNESS)
        response = self.post(self.request("initialize", {
            "protocolVersion": version, "capabilities": capabilities, "clientInfo": {"name": "test", "version": "1"}}))
        self.id = response.header("Mcp-Session-Id")
        assert response.json()["result"]["protocolVersion"] == version
        assert self.post({"jsonrpc": "2.0", "method": "notifications/initialized"}).status == 202

    def run(self, tool, answer, arguments=None):
        """Calls the tool; answer(request) gives the members of a response. The requests, and the answer."""
        stream = self.stream("POST", self.call(tool, arguments))
        number, requests = self.last_number, []
        for event in iter(stream.read, None):
            if not event.data:
                continue
            message = event.json()
            if message.get("id") == number and "method" not in message:
                assert stream.read() is None
                return requests, message
            assert "id" in message, message
            requests.append(message)
            reply = {"jsonrpc": "2.0", "id": message["id"], **answer(message)}
            accepted = self.post(reply)
            assert (accepted.status, accepted.body) == (202, b"")
        raise AssertionError(f"no answer on the stream of the call; {requests}")


def give(request):
    return {"result": ANSWERS[request["method"]]}


@pytest.fixture
def newest(start_form):
    return start_form("newest", "modern")


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
def test_question_in_the_middle_of_the_call(newest, version):
    client = OldClient(newest, version)
    requests, answer = client.run(ASKING, give)
    assert [request["method"] for request in requests] == ["elicitation/create"]
    assert text_of(answer) == {"user_name": ADA}
    assert "resultType" not in answer["result"] or answer["result"]["resultType"] == "complete"


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", "2025-11-25"])
def test_sampling_in_each_revision(newest, version):
    requests, answer = OldClient(newest, version).run("test_input_required_result_sampling", give)
    assert [request["method"] for request in requests] == ["sampling/createMessage"]
    assert text_of(answer)["capital_question"] == ANSWERS["sampling/createMessage"]


def test_three_questions_at_once(newest):
    client = OldClient(newest, "2025-11-25")
    requests, answer = client.run("test_input_required_result_multiple_inputs", give)
    assert sorted(request["method"] for request in requests) == sorted(ANSWERS)
    assert len({request["id"] for request in requests}) == 3
    assert text_of(answer) == {"user_name": ADA, "greeting": ANSWERS["sampling/createMessage"],
                               "client_roots": ANSWERS["roots/list"]}


def test_two_rounds(newest):
    requests, answer = OldClient(newest, "2025-11-25").run(TWO_ROUNDS, give)
    assert [request["method"] for request in requests] == ["elicitation/create"] * 2
    assert text_of(answer) == {"step1": ADA, "step2": ADA}


def test_client_refuses_a_question(newest):
    client = OldClient(newest, "2025-11-25")
    requests, answer = client.run(ASKING, lambda request: {"error": {"code": -1, "message": "I will not say"}})
    assert len(requests) == 1
    words = json.dumps(answer)
    assert "error" in answer or answer["result"]["isError"]
    assert "I will not say" in words
    assert text_of(client.run(ASKING, give)[1]) == {"user_name": ADA}


@pytest.mark.parametrize(("version", "capabilities"), [("2025-11-25", SAMPLING), ("2025-03-26", EVERYTHING)])
def test_session_that_cannot_be_asked(newest, version, capabilities):
    """Elicitation came with 2025-06-18: who says earlier that it can do that cannot be meant."""
    client = OldClient(newest, version, capabilities)
    answer = client.post(client.call(ASKING)).json()
    assert "elicitation" in json.dumps(answer)
    assert "error" in answer or answer["result"]["isError"]


def test_subscription_of_a_session(newest):
    client = OldClient(newest, "2025-11-25")
    stream = client.listen()
    assert client.post(client.request("resources/subscribe", {"uri": "test://watched-resource"})).json()["result"] == {}
    client.post(client.call("test_touch_watched_resource"))
    told = next(event.json() for event in iter(stream.read, None) if event.data)
    assert told == {"jsonrpc": "2.0", "method": "notifications/resources/updated",
                    "params": {"uri": "test://watched-resource"}}
    stream.close()
