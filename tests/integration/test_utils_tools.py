"""The utils worker as a whole: what every failure says, and answers that programs rely on."""

import json
import os
import pathlib
import re

import pytest

from stdio_worker import StdioWorker

PROGRAM = pathlib.Path(os.environ.get("MCP_FLEET_BUILD", ".")).resolve() / "worker-utils"

# Code, what failed on what, and in a sentence of its own what to do.
COMPLETE = re.compile(r"[a-z_]+: .*\w\W*[.] [A-Z].*[.?]$", re.DOTALL)

FAILURES = [
    ("time_get_current_time", {"timezone_name": "Nope/Nowhere"}, "unknown_timezone"),
    ("time_get_current_time", {"timezone_name": "europe/berlin"}, "unknown_timezone"),
    ("time_get_current_time", {"timezone_name": "../../etc/passwd"}, "unknown_timezone"),
    ("time_get_timezone_info", {"timezone_name": "posix/UTC"}, "unknown_timezone"),
    ("time_convert", {"source_timezone": "X", "time": "12:00", "target_timezone": "UTC"}, "unknown_timezone"),
    ("time_convert", {"source_timezone": "UTC", "time": "24:00", "target_timezone": "UTC"}, "invalid_argument"),
    ("time_convert", {"source_timezone": "UTC", "time": "12:00:00.5", "target_timezone": "UTC"},
     "invalid_argument"),
    ("time_convert", {"source_timezone": "Europe/Berlin", "time": "2026-03-29T02:30", "target_timezone": "UTC"},
     "invalid_argument"),
    ("time_convert", {"source_timezone": "UTC", "time": "9999-12-31T23:59:59",
                      "target_timezone": "Pacific/Kiritimati"}, "invalid_argument"),
    ("time_difference", {"start": "x", "end": "0"}, "invalid_argument"),
    ("time_difference", {"start": "0", "end": "2026-02-30"}, "invalid_argument"),
    ("calculator_add", {"a": 1e308, "b": 1e308}, "overflow"),
    ("calculator_multiply", {"a": 1e200, "b": 1e200}, "overflow"),
    ("calculator_divide", {"a": 1, "b": 0}, "division_by_zero"),
    ("uuid_generate_uuid5", {"namespace": "zz", "name": "a"}, "invalid_argument"),
    ("string_to_upper", {"text": "\u0390" * 1000000}, "too_large"),
    ("string_replace", {"text": "a" * 100000, "old": "a", "new": "b" * 100}, "too_large"),
    ("hash_compute", {}, "invalid_argument"),
    ("hash_compute", {"text": "", "data_base64": ""}, "invalid_argument"),
    ("hash_compute", {"data_base64": "YQ"}, "invalid_argument"),
    ("encoding_decode", {"text": "YQ", "encoding": "base64"}, "invalid_argument"),
    ("encoding_decode", {"text": "!", "encoding": "base64url"}, "invalid_argument"),
    ("encoding_decode", {"text": "%zz", "encoding": "url"}, "invalid_argument"),
    ("json_format", {"json": "[1,"}, "bad_json"),
    ("json_format", {"json": '{"a":1,"\\u0061":2}'}, "bad_json"),
    ("json_format", {"json": "[" * 513 + "]" * 513}, "bad_json"),
    ("json_query", {"json": "{", "pointer": ""}, "bad_json"),
    ("json_query", {"json": "{}", "pointer": "a"}, "invalid_argument"),
    ("json_to_yaml", {"json": "nul"}, "bad_json"),
    ("yaml_to_json", {"yaml": "a: b: c"}, "bad_yaml"),
    ("yaml_to_json", {"yaml": "a: .inf"}, "bad_yaml"),
    ("yaml_to_json", {"yaml": "a: &a [*a]"}, "bad_yaml"),
    ("yaml_to_json", {"yaml": "!!python/object/apply:os.system [id]"}, "bad_yaml"),
    ("yaml_to_json", {"yaml": "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))}, "too_large"),
    ("regex_match", {"pattern": "(", "text": ""}, "bad_regex"),
    ("regex_match", {"pattern": "(*LIMIT_MATCH=9)a", "text": ""}, "bad_regex"),
    ("regex_match", {"pattern": "(?C1)a", "text": ""}, "bad_regex"),
    ("regex_match", {"pattern": "(a+)+$", "text": "a" * 40 + "b"}, "regex_limit"),
    ("regex_match", {"pattern": "a", "text": "", "flags": "q"}, "invalid_argument"),
    ("regex_replace", {"pattern": "a", "text": "a", "replacement": "$5"}, "invalid_argument"),
    ("regex_replace", {"pattern": "a", "text": "a", "replacement": "$"}, "invalid_argument"),
    ("regex_replace", {"pattern": "a", "text": "a", "replacement": "${x}"}, "invalid_argument"),
    ("regex_replace", {"pattern": "a", "text": "a" * 1000000, "replacement": "b" * 100}, "too_large"),
    ("number_convert_base", {"value": "12", "from_base": 2, "to_base": 10}, "invalid_argument"),
    ("ip_subnet_info", {"cidr": "1.2.3"}, "invalid_argument"),
    ("ip_subnet_info", {"cidr": "1.2.3.4/33"}, "invalid_argument"),
    ("jwt_decode", {"token": "a.b"}, "invalid_argument"),
    ("jwt_decode", {"token": "e30.e30.!!"}, "invalid_argument"),
]

EXPRESSIONS = [
    ("", "bad_expression"), ("1+", "bad_expression"), ("(1", "bad_expression"), ("1)", "bad_expression"),
    ("2^3", "bad_expression"), ("x", "bad_expression"), ("1==1", "bad_expression"), ("5!", "bad_expression"),
    ("'a'", "bad_expression"), ("[1]", "bad_expression"), ("round(1, 2, 3)", "bad_expression"),
    ("round(1.5, 0.5)", "bad_expression"), ("1" * 4097, "bad_expression"), ("(" * 201, "bad_expression"),
    ("1/0", "division_by_zero"), ("0**-1", "division_by_zero"), ("sqrt(-1)", "domain_error"),
    ("log(0)", "domain_error"), ("acos(2)", "domain_error"), ("(-8)**0.5", "domain_error"),
    ("2**4096", "overflow"), ("9**9**9**9", "overflow"), ("1e308*10", "overflow"), ("exp(1000)", "overflow"),
]


@pytest.fixture(scope="module")
def worker():
    with StdioWorker(PROGRAM) as started:
        yield started


def failure_of(worker, tool, arguments):
    result = worker.request("tools/call", {"name": tool, "arguments": arguments})["result"]
    assert result["isError"], result
    failure = json.loads(result["content"][0]["text"])
    assert failure["success"] is False and set(failure) == {"success", "code", "error"}
    assert failure["error"].startswith(failure["code"] + ": ")
    return failure


@pytest.mark.sanitizers
def test_every_failure_says_what_to_do(worker):
    for tool, arguments, code in FAILURES:
        failure = failure_of(worker, tool, arguments)
        assert failure["code"] == code, (tool, failure)
        assert COMPLETE.match(failure["error"]), (tool, failure["error"])
        assert len(failure["error"]) < 500


@pytest.mark.sanitizers
def test_every_expression_that_fails_says_what_to_do(worker):
    for expression, code in EXPRESSIONS:
        failure = failure_of(worker, "calculator_calculate", {"expression": expression})
        assert failure["code"] == code, (expression, failure)
        assert COMPLETE.match(failure["error"]), (expression, failure["error"])


def test_words_that_mislead(worker):
    """A factorial is no comparison; a time of day has no fraction; places are counted from one."""
    assert "comparison" not in failure_of(worker, "calculator_calculate", {"expression": "5!"})["error"]
    assert "comparison" in failure_of(worker, "calculator_calculate", {"expression": "5!=4"})["error"]
    clock = {"source_timezone": "UTC", "time": "12:00:00.5", "target_timezone": "UTC"}
    assert "fraction" not in failure_of(worker, "time_convert", clock)["error"]
    digit = {"value": "2", "from_base": 2, "to_base": 10}
    assert "character 1 " in failure_of(worker, "number_convert_base", digit)["error"]
    group = {"pattern": "a", "text": "a", "replacement": "$5"}
    assert "write $$" in failure_of(worker, "regex_replace", group)["error"]


@pytest.mark.parametrize("listed", ["hidden", "listed", "off"])
def test_aliases(listed):
    """get_current_time and convert_time as the reference server has them (tools.md, section 10)."""
    with StdioWorker(PROGRAM, settings={"aliases": listed}) as worker:
        tools = {tool["name"]: tool for tool in worker.request("tools/list")["result"]["tools"]}
        assert ("get_current_time" in tools, "convert_time" in tools) == (listed == "listed",) * 2
        if listed == "off":
            answer = worker.request("tools/call", {"name": "get_current_time", "arguments": {"timezone": "UTC"}})
            assert answer["error"]["code"] == -32602
            return
        if listed == "listed":
            schema = tools["get_current_time"]["inputSchema"]
            assert list(schema["properties"]) == ["timezone"] and schema["required"] == ["timezone"]
            assert "default" not in schema["properties"]["timezone"]
        for name in ("get_current_time", "get-current-time", "get.current_time"):
            assert worker.data(name, timezone="Asia/Tokyo")["utc_offset"] == "+09:00"
        failure_of(worker, "get_current_time", {})
        failure_of(worker, "get_current_time", {"timezone_name": "UTC"})
        failure_of(worker, "time_get_current_time", {"timezone": "UTC"})
        arguments = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Kolkata"}
        assert worker.data("convert_time", **arguments) == worker.data("time_convert", **arguments)


def ask(stdio, number, name, **arguments):
    return stdio.request(number, "tools/call", {"name": name, "arguments": arguments})


def is_unknown(answer):
    return answer.get("error", {}).get("code") == -32602


def test_aliases_through_the_daemon(start_stdio):
    """What an alias stands for decides whether it may be called, whatever it is called by."""
    stdio = start_stdio(domains={"utils": {"tools": {"deny": ["time_get_*"]}}})
    stdio.initialize()
    names = {tool["name"] for tool in stdio.tools()}
    assert "time_convert" in names and not {"time_get_current_time", "get_current_time", "convert_time"} & names
    arguments = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "UTC"}
    for number, name in enumerate(["convert_time", "convert-time", "convert.time", "time.convert"]):
        assert "result" in ask(stdio, number, name, **arguments), name
    for number, name in enumerate(["get_current_time", "get-current-time", "time_get_current_time",
                                   "time.get.current.time"], 10):
        assert is_unknown(ask(stdio, number, name, timezone="UTC")), name


def test_federated_names_through_the_daemon(start_stdio, tmp_path):
    more = tmp_path / "more.yaml"
    more.write_text("tools: {federation_prefix: sanctuary, aliases: listed}\ndomains: {utils: {}}\n")
    stdio = start_stdio(args=["--config", str(more)])
    stdio.initialize()
    assert {"get_current_time", "convert_time"} <= {tool["name"] for tool in stdio.tools()}
    assert "result" in ask(stdio, 2, "sanctuary.utils.calculator_add", a=1, b=2)
    assert "result" in ask(stdio, 3, "sanctuary.utils.calculator.add", a=1, b=2)
    assert is_unknown(ask(stdio, 4, "sanctuary.git.calculator_add", a=1, b=2))
    assert is_unknown(ask(stdio, 5, "other.utils.calculator_add", a=1, b=2))
