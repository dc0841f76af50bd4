"""What the public conformance suite asks a server for: tools, resources, prompts, completion.

This is no server. legacy_server.py and modern_server.py serve it, each with an SDK that speaks other
revisions of the protocol; what is here knows neither SDK nor revision. A handler gets a `call`, by which
it reaches the client that called:

    await call.log(level, text)           a log message, if the client wants those of that level
    await call.progress(done, total)      progress, if the client gave a token
    await call.list_changed(kind)         "tools" or "prompts" are others now
    await call.resource_updated(uri)      tells those who watch it
    await call.ask(key=request, ...)      asks the client; {key: result}
    await call.ask_if_possible(...)       the same; what this client cannot answer is missing in the result

How a question reaches the client differs. The older revisions send a request in the middle of the call. The
newest ends the call with the result `input_required`, and the client repeats it with the answers: then the
handler runs from its start again, and ask() returns at once what is there already. A handler therefore does
nothing before its last question that must not be done twice.

The names, and what each must do, are the suite's: each scenario's description tells it. What is here besides is
marked so.
"""

import asyncio
import base64
import inspect
import json
import re

INFO = {"name": "conformance-fixture", "version": "1"}

INVALID_PARAMS = -32602

# A picture of one pixel, and a sound of no samples.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
WAV = base64.b64encode(b"RIFF" + (36).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
                       + b"\1\0\1\0" + (8000).to_bytes(4, "little") * 2 + b"\1\0\x08\0" + b"data\0\0\0\0").decode()


class Fault(Exception):
    """Becomes a JSON-RPC error."""

    def __init__(self, code, message, data=None):
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


# --- building blocks --------------------------------------------------------------------------------


def text(words):
    return {"type": "text", "text": words}


def image():
    return {"type": "image", "data": PNG, "mimeType": "image/png"}


def embedded(uri, mime_type, words):
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "text": words}}


def content(*blocks):
    return {"content": list(blocks)}


def messages(*blocks):
    return {"messages": [{"role": "user", "content": block} for block in blocks]}


def form(message, required=(), **properties):
    """An elicitation/create that asks the user for these properties."""
    schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}}


def sampling(prompt):
    return {"method": "sampling/createMessage",
            "params": {"messages": [{"role": "user", "content": text(prompt)}], "maxTokens": 100}}


def roots():
    return {"method": "roots/list", "params": {}}


# --- tools ------------------------------------------------------------------------------------------

TOOLS = {}  # name -> (definition, handler)
hidden = {"test_changing_tool", "test_changing_prompt"}  # what is not listed now


def tool(description, schema=None, required=(), **properties):
    def register(handler):
        input_schema = schema or {"type": "object", "properties": properties}
        if required:
            input_schema["required"] = list(required)
        TOOLS[handler.__name__] = (
            {"name": handler.__name__, "description": description, "inputSchema": input_schema}, handler)
        return handler
    return register


@tool("Returns one text.")
async def test_simple_text(call):
    return content(text("A simple text."))


@tool("Returns a picture.")
async def test_image_content(call):
    return content(image())


@tool("Returns a sound.")
async def test_audio_content(call):
    return content({"type": "audio", "data": WAV, "mimeType": "audio/wav"})


@tool("Returns a resource inside its answer.")
async def test_embedded_resource(call):
    return content(embedded("test://embedded-resource", "text/plain", "The words of an embedded resource."))


@tool("Returns a text, a picture and a resource.")
async def test_multiple_content_types(call):
    return content(text("Three kinds of content:"), image(),
                   embedded("test://mixed-content-resource", "application/json", json.dumps({"number": 3})))


@tool("Fails.")
async def test_error_handling(call):
    return {**content(text("This tool always fails.")), "isError": True}


@tool("Reports its progress in three steps.")
async def test_tool_with_progress(call):
    await call.progress(0, 100)
    for done in (50, 100):
        await asyncio.sleep(0.05)
        await call.progress(done, 100)
    return content(text("All steps are done."))


async def log_three_times(call):
    await call.log("info", "started")
    for words in ("working", "finished"):
        await asyncio.sleep(0.05)
        await call.log("info", words)
    return content(text("Three messages were logged."))


@tool("Logs three messages.")
async def test_tool_with_logging(call):
    return await log_three_times(call)


@tool("Logs three messages, if the caller wants any.")
async def test_logging_tool(call):
    return await log_three_times(call)


@tool("Answers after a while, so that the stream of its call can break before that.")
async def test_reconnection(call):
    # Something before the answer, so that there is a stream.
    await call.log("info", "started")
    await asyncio.sleep(0.1)
    return content(text("The answer."))


@tool("Takes an argument that HTTP clients mirror in a header.",
      region={"type": "string", "description": "Where to do it.", "x-mcp-header": "Region"})
async def test_custom_header(call, region=""):
    return content(text(f"Done in {region}."))


@tool("Has a schema that uses what JSON Schema 2020-12 offers.", schema={
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": {"$anchor": "addressDef", "type": "object",
                          "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
    "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"},
                   "contactMethod": {"type": "string", "enum": ["phone", "email"]},
                   "phone": {"type": "string"}, "email": {"type": "string"}},
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
})
async def json_schema_2020_12_tool(call, **arguments):
    return content(text(json.dumps(arguments)))


@tool("Is listed or not, by turns.")
async def test_changing_tool(call):
    return content(text("Listed."))


async def show_or_hide(call, kind, name):
    hidden.symmetric_difference_update({name})
    await call.list_changed(kind)
    return content(text(f"The {kind} are others now."))


@tool("Changes the list of tools.")
async def test_trigger_tool_change(call):
    return await show_or_hide(call, "tools", "test_changing_tool")


@tool("Changes the list of prompts.")
async def test_trigger_prompt_change(call):
    return await show_or_hide(call, "prompts", "test_changing_prompt")


@tool("Not of the suite: changes the resource that somebody may watch.")
async def test_touch_watched_resource(call):
    await call.resource_updated("test://watched-resource")
    return content(text("The resource is another now."))


# --- tools that ask the client ------------------------------------------------------------------------


def say(answers):
    return content(text(json.dumps(answers, sort_keys=True)))


@tool("Lets the client's model answer.", prompt={"type": "string"}, required=["prompt"])
async def test_sampling(call, prompt):
    return say(await call.ask(answer=sampling(prompt)))


@tool("Asks the user.", message={"type": "string"}, required=["message"])
async def test_elicitation(call, message):
    return say(await call.ask(user=form(
        message, ["username", "email"], username={"type": "string"}, email={"type": "string"})))


@tool("Asks the user, with a default for every kind of value.")
async def test_elicitation_sep1034_defaults(call):
    return say(await call.ask(user=form(
        "Please check these.",
        name={"type": "string", "default": "John Doe"},
        age={"type": "integer", "default": 30},
        score={"type": "number", "default": 95.5},
        status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        verified={"type": "boolean", "default": True})))


def titled(*values):
    return [{"const": value, "title": value.capitalize()} for value in values]


@tool("Asks the user to choose, in every way in which a choice can be described.")
async def test_elicitation_sep1330_enums(call):
    return say(await call.ask(user=form(
        "Please choose.",
        untitledSingle={"type": "string", "enum": ["option1", "option2", "option3"]},
        titledSingle={"type": "string", "oneOf": titled("value1", "value2", "value3")},
        legacyEnum={"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]},
        untitledMulti={"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
        titledMulti={"type": "array", "items": {"anyOf": titled("value1", "value2", "value3")}})))


@tool("Needs the client's model.")
async def test_missing_capability(call):
    return say(await call.ask(answer=sampling("Anything.")))


def name_form():
    return form("What is your name?", ["name"], name={"type": "string"})


@tool("Asks the user in the middle of its work.")
async def test_streaming_elicitation(call):
    return say(await call.ask(user_name=name_form()))


@tool("Asks for the user's name.")
async def test_input_required_result_elicitation(call):
    return say(await call.ask(user_name=name_form()))


@tool("Asks the client's model.")
async def test_input_required_result_sampling(call):
    return say(await call.ask(capital_question=sampling("What is the capital of France?")))


@tool("Asks for the client's roots.")
async def test_input_required_result_list_roots(call):
    return say(await call.ask(client_roots=roots()))


def confirmation():
    return form("Shall I?", ["ok"], ok={"type": "boolean"})


@tool("Asks, and keeps a state meanwhile.")
async def test_input_required_result_request_state(call):
    return say(await call.ask(confirm=confirmation()))


@tool("Asks three kinds of questions at the same time.")
async def test_input_required_result_multiple_inputs(call):
    return say(await call.ask(user_name=name_form(), greeting=sampling("Say hello."), client_roots=roots()))


@tool("Asks twice, one after the other.")
async def test_input_required_result_multi_round(call):
    first = await call.ask(step1=name_form())
    second = await call.ask(step2=form("Which colour?", ["color"], color={"type": "string"}))
    return say(first | second)


@tool("Keeps a state that nobody else may write.")
async def test_input_required_result_tampered_state(call):
    return say(await call.ask(confirm=confirmation()))


@tool("Asks what the client can answer.")
async def test_input_required_result_capabilities(call):
    return say(await call.ask_if_possible(user_name=name_form(), greeting=sampling("Say hello.")))


# --- prompts ------------------------------------------------------------------------------------------

PROMPTS = {}


def prompt(description, *arguments):
    def register(handler):
        definition = {"name": handler.__name__, "description": description}
        if arguments:
            definition["arguments"] = [
                {"name": name, "description": f"The {name}.", "required": True} for name in arguments]
        PROMPTS[handler.__name__] = (definition, handler)
        return handler
    return register


@prompt("One message.")
async def test_simple_prompt(call):
    return messages(text("A simple prompt."))


@prompt("Repeats its arguments.", "arg1", "arg2")
async def test_prompt_with_arguments(call, arg1, arg2):
    return messages(text(f"The arguments are '{arg1}' and '{arg2}'."))


@prompt("Has a resource in it.", "resourceUri")
async def test_prompt_with_embedded_resource(call, resourceUri):
    return messages(embedded(resourceUri, "text/plain", "The words of an embedded resource."),
                    text("Read this resource."))


@prompt("Has a picture in it.")
async def test_prompt_with_image(call):
    return messages(image(), text("Look at this picture."))


@prompt("Asks the user first.")
async def test_input_required_result_prompt(call):
    answers = await call.ask(user_context=form("What is it about?", ["context"], context={"type": "string"}))
    return messages(text(f"It is about this: {json.dumps(answers['user_context'])}"))


@prompt("Is listed or not, by turns.")
async def test_changing_prompt(call):
    return messages(text("Listed."))


# --- resources ----------------------------------------------------------------------------------------

RESOURCES = {
    "test://static-text": {"mimeType": "text/plain", "text": "The words of a resource."},
    "test://static-binary": {"mimeType": "image/png", "blob": PNG},
    "test://watched-resource": {"mimeType": "text/plain", "text": "Somebody may watch this."},
}
TEMPLATE = {"uriTemplate": "test://template/{id}/data", "name": "template", "mimeType": "application/json",
            "description": "Data for any id."}


def get_resource(uri):
    """Its contents, or None."""
    if uri in RESOURCES:
        return {"uri": uri, **RESOURCES[uri]}
    if found := re.fullmatch(r"test://template/([^/]+)/data", uri):
        return {"uri": uri, "mimeType": TEMPLATE["mimeType"], "text": json.dumps({"id": found[1]})}
    return None


# --- what the servers call ------------------------------------------------------------------------------


def listed(table):
    return [definition for name, (definition, _) in table.items() if name not in hidden]


def list_tools():
    return {"tools": listed(TOOLS)}


def list_prompts():
    return {"prompts": listed(PROMPTS)}


def list_resources():
    return {"resources": [
        {"uri": uri, "name": uri.removeprefix("test://"), "description": f"What is at {uri}.",
         "mimeType": resource["mimeType"]} for uri, resource in RESOURCES.items()]}


def list_resource_templates():
    return {"resourceTemplates": [TEMPLATE]}


def read_resource(call, uri):
    found = get_resource(uri)
    if found is None:
        raise Fault(call.RESOURCE_NOT_FOUND, "no such resource", {"uri": uri})
    return {"contents": [found]}


def complete(argument):
    """Values for whatever argument of whatever prompt or template."""
    known = ["paris", "park", "party"]
    values = [value for value in known if value.startswith(argument["value"])]
    return {"completion": {"values": values, "total": len(values), "hasMore": False}}


def look_up(kind, table, name):
    if name not in table:
        raise Fault(INVALID_PARAMS, f"no {kind} has the name '{name}'")
    return table[name][1]


def bind(handler, call, arguments):
    """The handler with its arguments; TypeError: they are not those that it takes."""
    bound = inspect.signature(handler).bind(call, **arguments)
    return lambda: handler(*bound.args, **bound.kwargs)


async def call_tool(call, name, arguments):
    handler = look_up("tool", TOOLS, name)
    try:
        run = bind(handler, call, arguments)
    except TypeError as error:
        return {**content(text(f"{name}: {error}")), "isError": True}
    return await run()


async def get_prompt(call, name, arguments):
    handler = look_up("prompt", PROMPTS, name)
    try:
        run = bind(handler, call, arguments)
    except TypeError as error:
        raise Fault(INVALID_PARAMS, f"{name}: {error}") from None
    return await run()
