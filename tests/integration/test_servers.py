"""MCP servers of any make as workers: each serves, and none of its troubles is more than its own.

Killed, frozen, noisy, slow to start, never ready, gone for good: for each of them, for every server of servers.py.
"""

import os
import signal

import pytest

import fleet as fleets
import servers

WORKER_DIED, DEADLINE, UNAVAILABLE = -31001, -31002, -31004
pytestmark = pytest.mark.skipif(bool(os.environ.get("MCP_FLEET_WRAPPER")), reason="the same under valgrind")


@pytest.fixture(params=servers.SERVERS)
def server(request, envs, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    return servers.SERVERS[request.param](envs, folder)


def processes(fleet, server):
    """Those that run the server's command itself."""
    return [pid for pid in fleet.processes() if fleets.command_line(pid)[1:] == [str(word) for word in server.command[1:]]]


def wait_for_another(fleet, server, before):
    return fleets.wait_until(lambda: [pid for pid in processes(fleet, server) if pid not in before], 20, "another process")


def call(session, server, domain="ext"):
    return session.call(f"{domain}_{server.tool}", server.arguments, timeout=30 * fleets.SLOWNESS)


def text_of(answer):
    return "".join(block.get("text", "") for block in answer["result"]["content"])


def check_call(session, server, domain="ext"):
    answer = call(session, server, domain)
    assert "result" in answer, answer
    assert server.says in text_of(answer) and not answer["result"].get("isError"), answer


def check_others(session):
    assert "ABC" in text_of(session.call("string_to_upper", {"text": "abc"}))


def may_run_again(session, server):
    [tool] = [tool for tool in session.tools() if tool["name"] == f"ext_{server.tool}"]
    hints = tool.get("annotations", {})
    return bool(hints.get("readOnlyHint") or hints.get("idempotentHint"))


# --- what it offers -------------------------------------------------------------------------------


def test_serves(start_fleet, server):
    """Its tools, under the domain's prefix; arguments, results and progress as they are."""
    fleet = start_fleet({"ext": server.settings(), "utils": {}})
    with fleet.session() as session:
        names = {tool["name"] for tool in session.tools()}
        assert {f"ext_{name}" for name in server.tools} <= names
        assert "string_to_upper" in names
        check_call(session, server)
        assert session.call("ext_no_such_tool")["error"]["code"] == -32602
        if server.echoes:
            check_echo(session, server)
        if server.steps:
            for token in ("tok", 7, ""):
                check_progress(session, token)
        if server.note:
            check_resources_and_prompts(session, server)
    assert (fleet.domain("ext")["state"], fleet.domain("ext")["restarts"]) == ("up", 0)


def check_echo(session, server):
    text = '"quotes" \\ \t \u2028 \U0001f600 ' + "x" * 70000
    answer = session.call("ext_echo", {server.echoes: text}, timeout=30 * fleets.SLOWNESS)
    assert text_of(answer).removeprefix("Echo: ") == text


def check_progress(session, token):
    aside = []
    number = session.start_call("ext_steps", {"count": 3}, {"progressToken": token})
    assert text_of(session.wait(number, 30 * fleets.SLOWNESS, aside)) == "done"
    told = [message["params"] for message in aside if message["method"] == "notifications/progress"]
    assert [(params["progressToken"], params["progress"], params["message"]) for params in told] \
        == [(token, step, f"step {step}") for step in (1, 2, 3)]
    assert all(type(params["progressToken"]) is type(token) for params in told)


def check_resources_and_prompts(session, server):
    def ask(method, **params):
        return session.request(method, params, 30 * fleets.SLOWNESS)

    [note] = ask("resources/list")["result"]["resources"]
    assert (note["uri"], note["name"]) == ("ext+test://note", "note")
    [content] = ask("resources/read", uri=note["uri"])["result"]["contents"]
    assert (content["uri"], content["text"]) == (note["uri"], "noted")
    assert ask("resources/read", uri="ext+test://none")["error"]["code"] in (-32602, -32002, 0)
    [prompt] = ask("prompts/list")["result"]["prompts"]
    assert (prompt["name"], [argument["name"] for argument in prompt["arguments"]]) == ("ext_greet", ["name"])
    [message] = ask("prompts/get", name="ext_greet", arguments={"name": "Ada"})["result"]["messages"]
    assert message["content"]["text"] == "Hello, Ada"
    if server.item:
        [template] = ask("resources/templates/list")["result"]["resourceTemplates"]
        assert template["uriTemplate"] == "ext+test://item/{number}"
        [content] = ask("resources/read", uri="ext+test://item/4")["result"]["contents"]
        assert (content["uri"], content["text"]) == ("ext+test://item/4", "item 4")
    completed = ask("completion/complete", ref={"type": "ref/prompt", "name": "ext_greet"}, argument={"name": "name", "value": "A"})
    if server.completes:
        assert completed["result"]["completion"]["values"] == ["Ada", "Alan"]
    else:
        assert completed["error"]["code"] == -32601


# --- its troubles ---------------------------------------------------------------------------------


def test_killed(start_fleet, server):
    """With a call in flight: run again if the tool says that it may be, else an error says what happened."""
    ext = start_fleet({"ext": server.settings(), "utils": {}})
    with ext.session() as session:
        again = may_run_again(session, server)
        before = processes(ext, server)
        assert len(before) == 1
        # Frozen, so that it cannot have answered before it is killed.
        os.kill(before[0], signal.SIGSTOP)
        number = session.start_call(f"ext_{server.tool}", server.arguments)
        check_others(session)
        os.kill(before[0], signal.SIGKILL)
        wait_for_another(ext, server, before)
        answer = session.wait(number, 30 * fleets.SLOWNESS)
        if again:
            assert server.says in text_of(answer)
        else:
            assert answer["error"]["code"] == WORKER_DIED
            assert "effect" in answer["error"]["message"]
        check_call(session, server)
        check_others(session)


def test_frozen(start_fleet, server):
    ext = start_fleet({"ext": server.settings(call_timeout="1s", cancel_grace="300ms"), "utils": {}})
    with ext.session() as session:
        before = processes(ext, server)
        os.kill(before[0], signal.SIGSTOP)
        number = session.start_call(f"ext_{server.tool}", server.arguments)
        check_others(session)
        assert session.wait(number, 10 * fleets.SLOWNESS)["error"]["code"] == DEADLINE
        wait_for_another(ext, server, before)
        assert not fleets.is_alive(before[0])
        fleets.wait_until(lambda: ext.domain("ext")["state"] == "up", 20, "it is ready again")
        check_call(session, server)


def test_noisy_and_slow_to_start(start_fleet, server):
    fleet = start_fleet({"noisy": server.settings("noisy"), "slow": server.settings("slow", "1.5"), "utils": {}}, wait=False)
    fleet.wait_listening()
    assert fleet.get("/ready").status == 503
    fleet.wait_ready(60)
    with fleet.session() as session:
        check_others(session)
        for domain in ("noisy", "slow"):
            check_call(session, server, domain)
        assert fleet.domain("noisy")["restarts"] == 0
    assert "Welcome!" in fleet.log()


def test_never_ready(start_fleet):
    never = servers.of_2024(None, None)
    fleet = start_fleet({"never": never.settings("never", start_timeout="300ms"), "utils": {}}, wait=False)
    fleet.wait_listening()
    fleets.wait_until(lambda: fleet.domain("never")["state"] == "parked", 20, "it is parked")
    assert fleet.get("/ready").status == 503
    with fleet.session() as session:
        assert not [tool for tool in session.tools() if tool["name"].startswith("never_")]
        assert call(session, never, "never")["error"]["code"] in (-32602, UNAVAILABLE)
        check_others(session)
    fleet.processes()


def test_gone_for_good(start_fleet, server, tmp_path):
    """It serves, dies, and cannot start any more: its tools leave the list, and clients are told."""
    fleet = start_fleet({"gone": server.settings("once", tmp_path / "once"), "utils": {}})
    with fleet.session() as session:
        check_call(session, server, "gone")
        os.kill(processes(fleet, server)[0], signal.SIGKILL)
        fleets.wait_until(lambda: fleet.domain("gone")["state"] == "parked", 20, "it is parked")
        event = session.stream.read_message(5 * fleets.SLOWNESS)
        assert event.json()["method"] == "notifications/tools/list_changed"
        names = {tool["name"] for tool in session.tools()}
        assert "string_to_upper" in names and not [name for name in names if name.startswith("gone_")]
        assert call(session, server, "gone")["error"]["code"] in (-32602, UNAVAILABLE)
        check_others(session)
    assert "gone for good" in fleet.log()
