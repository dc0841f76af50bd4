"""Trace context: it goes through to the worker over every door, in `_meta` or in HTTP headers, and its trace
id into the log."""

import json
import sys
from pathlib import Path

import pytest

import fleet as fleets
import streamable
from stdio import Local

pytestmark = pytest.mark.sanitizers

SERVER = Path(__file__).parent / "workers" / "meta_server.py"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
CONTEXT = {"traceparent": PARENT, "tracestate": "a=1,b=2", "baggage": "user=alice"}
OTHER = "00-11111111111111111111111111111111-2222222222222222-00"


@pytest.fixture
def fleet(start_fleet, tmp_path):
    path = tmp_path / "mcp.sock"
    started = start_fleet(
        {"meta": {"command": [sys.executable, str(SERVER)]}},
        settings={"log": {"level": "debug"}, "local": {"path": str(path)}})
    started.local = path
    return started


def meta_of(answer):
    return json.loads(answer["result"]["content"][0]["text"])


def over_sse(fleet, headers, meta):
    session = fleet.session()
    session.number += 1
    params = {"name": "meta_meta", "arguments": {}, **({"_meta": meta} if meta else {})}
    response = session.post({"jsonrpc": "2.0", "id": session.number, "method": "tools/call", "params": params},
                            headers)
    assert response.status == 202
    return meta_of(session.wait(session.number))


def over_streamable(fleet, headers, meta):
    door = streamable.Door(fleet.port, timeout=15 * fleets.SLOWNESS)
    door.open()
    return meta_of(door.post(door.call("meta_meta", **meta), **headers).json())


def over_stateless(fleet, headers, meta):
    door = streamable.Modern(fleet.port, timeout=15 * fleets.SLOWNESS)
    return meta_of(door.post(door.call("meta_meta", **meta), **headers).json())


def over_socket(fleet, headers, meta):
    with Local(fleet.local) as client:
        client.initialize()
        return meta_of(client.request(5, "tools/call", {"name": "meta_meta", "arguments": {}, "_meta": meta}))


HTTP = [over_sse, over_streamable, over_stateless]


@pytest.mark.parametrize("ask", [*HTTP, over_socket])
def test_in_meta(fleet, ask):
    assert ask(fleet, {}, {**CONTEXT, "com.example/own": 1}) == {**CONTEXT, "com.example/own": 1}
    assert f"trace_id={TRACE_ID}" in fleet.log()


@pytest.mark.parametrize("ask", HTTP)
def test_in_headers(fleet, ask):
    assert ask(fleet, CONTEXT, {}) == CONTEXT
    assert f"trace_id={TRACE_ID}" in fleet.log()


@pytest.mark.parametrize("ask", HTTP)
def test_meta_wins(fleet, ask):
    assert ask(fleet, {**CONTEXT, "traceparent": OTHER}, {"traceparent": PARENT})["traceparent"] == PARENT


@pytest.mark.parametrize("ask", HTTP)
@pytest.mark.parametrize("parent", ["00-0-0-0", PARENT.upper(), "00-" + "0" * 32 + "-b7ad6b7169203331-01"])
def test_what_is_malformed_is_left_out(fleet, ask, parent):
    assert ask(fleet, {"traceparent": parent, "tracestate": "a=1"}, {}) == {}
    assert "trace_id=" not in fleet.log()
