"""Tasks of 2025-11-25 in a server that others wrote: through every door, for one session and for no other."""

import json
import os
import signal

import pytest

import fleet as fleets
import servers
import streamable

pytestmark = pytest.mark.skipif(bool(os.environ.get("MCP_FLEET_WRAPPER")), reason="the same under valgrind")

TOOL = "ext_simulate-research-query"
RELATED = "io.modelcontextprotocol/related-task"
TIMEOUT = 20 * fleets.SLOWNESS


@pytest.fixture
def everything(start_fleet, envs, tmp_path):
    def start(**settings):
        server = servers.of_everything(envs, tmp_path)
        # One place: whoever waits for a result must not keep others from it.
        return start_fleet({"ext": {**server.settings(), "concurrency": 1, **settings}})
    return start


def begin(session, ambiguous=False):
    answer = session.request("tools/call", {"name": TOOL, "arguments": {"topic": "python", "ambiguous": ambiguous},
                                            "task": {"ttl": 60000}}, timeout=TIMEOUT)
    task = answer["result"]["task"]
    assert task["status"] == "working" and task["createdAt"], task
    return task["taskId"]


def ask(session, method, task=None, timeout=TIMEOUT):
    return session.request("tasks/" + method, {"taskId": task} if task else {}, timeout=timeout)


def statuses(messages, task):
    told = [message["params"] for message in messages if message["method"] == "notifications/tasks/status"]
    assert all(params["taskId"] == task for params in told), told
    return [params["status"] for params in told]


def test_life_of_a_task(everything):
    fleet = everything()
    with fleet.session(initialize=False) as session, fleet.session() as other:
        capabilities = session.initialize()["capabilities"]
        assert capabilities["tasks"] == {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}
        task = begin(session)
        foreign = begin(other)
        assert task != foreign
        waiting = session.start("tasks/result", {"taskId": task})
        aside = []
        state = session.wait(session.start("tasks/get", {"taskId": task}), TIMEOUT, aside)["result"]
        assert (state["taskId"], state["status"]) == (task, "working")
        assert "result" in session.wait(session.start_call("ext_get-sum", {"a": 1, "b": 2}), TIMEOUT, aside)
        answer = session.wait(waiting, TIMEOUT, aside)["result"]
        assert "Research Report: python" in answer["content"][0]["text"]
        assert answer["_meta"][RELATED] == {"taskId": task}
        statuses(aside, task)
        assert [each["taskId"] for each in ask(session, "list")["result"]["tasks"]] == [task]
        assert ask(session, "get", task)["result"]["status"] == "completed"
        assert ask(session, "cancel", task)["error"]["code"] == -32602
        for method in ("get", "result", "cancel"):
            assert ask(session, method, foreign)["error"]["code"] == -32602


def test_cancelled(everything):
    fleet = everything()
    with fleet.session() as session:
        task = begin(session)
        answer = ask(session, "cancel", task)["result"]
        assert (answer["taskId"], answer["status"]) == (task, "cancelled")
        assert ask(session, "get", task)["result"]["status"] == "cancelled"


def test_needs_a_task(everything):
    """What the server says to a call that is none, and to a client whose revision has no tasks."""
    fleet = everything()
    with fleet.session() as session, fleet.session(initialize=False) as older:
        assert "tasks" not in older.initialize("2025-06-18")["capabilities"]
        assert older.request("tasks/list")["error"]["code"] == -32601
        for each in (session, older):
            answer = each.request("tools/call", {"name": TOOL, "arguments": {"topic": "x"}}, timeout=TIMEOUT)
            assert "error" in answer or answer["result"]["isError"], answer
        answer = older.request("tools/call", {"name": TOOL, "arguments": {"topic": "x"}, "task": {}}, timeout=TIMEOUT)
        assert "error" in answer or answer["result"]["isError"], answer
    modern = streamable.Modern(fleet.port)
    response = modern.post(modern.request("tasks/get", {"taskId": "x"}))
    assert (response.status, response.json()["error"]["code"]) == (404, -32601)


def test_the_process_of_a_task_dies(everything):
    fleet = everything()
    with fleet.session() as session:
        task = begin(session)
        waiting = session.start("tasks/result", {"taskId": task})
        assert ask(session, "get", task)["result"]["status"] == "working"
        for pid in fleet.processes():
            os.kill(pid, signal.SIGKILL)
        aside = []
        assert session.wait(waiting, TIMEOUT, aside)["error"]["code"] == -31001
        # Told when the process has ended, which may be after the calls that it had.
        state = ask(session, "get", task)["result"]
        assert state["status"] == "failed" and state["statusMessage"], state
        assert ask(session, "result", task)["error"]["code"] == -31001
        fleets.wait_until(lambda: fleet.domain("ext")["state"] == "up", 20, "another process")
        assert begin(session) != task


@pytest.mark.sanitizers
def test_question_of_a_task(everything):
    """Over Streamable HTTP it comes on the stream of tasks/result, as the specification has it."""
    fleet = everything(isolation="session")
    client = streamable.Door(fleet.port, timeout=TIMEOUT)
    opened = client.post(client.request("initialize", {
        "protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "test", "version": "1"}}))
    client.id = opened.header("Mcp-Session-Id")
    client.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
    created = client.post(client.request("tools/call", {
        "name": TOOL, "arguments": {"topic": "python", "ambiguous": True}, "task": {"ttl": 60000}})).json()
    task = created["result"]["task"]["taskId"]
    stream = client.stream("POST", client.request("tasks/result", {"taskId": task}))
    number, seen, told = client.last_number, [], []
    for event in iter(stream.read, None):
        if not event.data:
            continue
        message = event.json()
        if message.get("id") == number and "method" not in message:
            break
        if message["method"] == "elicitation/create":
            seen.append(message)
            assert message["params"]["_meta"][RELATED] == {"taskId": task}
            reply = {"jsonrpc": "2.0", "id": message["id"], "result": {
                "action": "accept", "content": {"interpretation": "snake"}, "_meta": {RELATED: {"taskId": task}}}}
            assert client.post(reply).status == 202
        else:
            told.append(message)
    assert len(seen) == 1
    assert "snake" in message["result"]["content"][0]["text"], json.dumps(message)
    assert statuses(told, task)
    assert client.post(client.request("tasks/get", {"taskId": task})).json()["result"]["status"] == "completed"
    assert client.end().status in (200, 204)


def test_several_processes(everything):
    """Each task is asked about where it is."""
    fleet = everything(processes={"min": 2, "max": 2})
    with fleet.session() as session:
        running = session.start_call("ext_trigger-long-running-operation", {"duration": 3, "steps": 1})
        tasks = [begin(session)]
        assert "result" in session.wait(running, TIMEOUT, [])
        tasks.append(begin(session))
        for task in tasks * 2:
            assert ask(session, "get", task)["result"]["taskId"] == task
        waiting = [session.start("tasks/result", {"taskId": task}) for task in tasks]
        answers = {}
        for _ in waiting:
            message = next(message for message in (session.stream.read_message(TIMEOUT).json() for _ in range(99))
                           if "method" not in message)
            answers[message["id"]] = message["result"]["_meta"][RELATED]["taskId"]
        assert [answers[number] for number in waiting] == tasks
