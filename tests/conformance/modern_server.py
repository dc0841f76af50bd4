"""The fixture as a server of the newest revision only, 2026-07-28, by the official Python SDK 2.

usage: modern_server.py              on standard input and output
       modern_server.py --http PORT  over Streamable HTTP at /mcp, to try the suite without mcp-fleetd

The SDK would serve the older revisions too, to a client that begins with `initialize`. This server refuses
that, so that nobody takes the one for the other.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import warnings

import uvicorn
from mcp.server.caching import CACHEABLE_METHODS, CacheHint
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, PromptsListChanged, ResourceUpdated, ToolsListChanged
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError

import fixture

REVISION = "2026-07-28"
CAPABILITIES = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}
CHANGES = {"tools": ToolsListChanged, "prompts": PromptsListChanged}
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022

bus = InMemorySubscriptionBus()
key = secrets.token_bytes(32)


class InputRequired(Exception):
    """Ends a call that needs answers first."""


def sign(data):
    return base64.urlsafe_b64encode(hmac.digest(key, data.encode(), hashlib.sha256)).decode() + data


def verify(state):
    mac = state[:44]
    data = state[44:]
    if not hmac.compare_digest(sign(data)[:44].encode(), mac.encode()):
        raise fixture.Fault(fixture.INVALID_PARAMS, "requestState is none that this server has given out")
    return json.loads(data)


class Call:
    RESOURCE_NOT_FOUND = fixture.INVALID_PARAMS

    def __init__(self, ctx, name):
        self.ctx, self.name = ctx, name
        self.answers = {}
        if (state := ctx.params.get("requestState")) is not None:
            kept = verify(state)
            if kept["name"] != name:
                raise fixture.Fault(fixture.INVALID_PARAMS, "requestState belongs to another request")
            self.answers |= kept["answers"]
        self.answers |= ctx.params.get("inputResponses") or {}

    async def log(self, level, words):
        await self.ctx.session.send_log_message(level, words, logger="fixture", related_request_id=self.ctx.request_id)

    async def progress(self, done, total):
        await self.ctx.session.report_progress(done, total)

    async def list_changed(self, kind):
        await bus.publish(CHANGES[kind]())

    async def resource_updated(self, uri):
        await bus.publish(ResourceUpdated(uri))

    def can_ask(self, request):
        capabilities = self.ctx.session.client_capabilities
        return getattr(capabilities, CAPABILITIES[request["method"]]) is not None

    async def ask(self, **requests):
        lacking = {CAPABILITIES[request["method"]]: {} for request in requests.values() if not self.can_ask(request)}
        if lacking:
            raise fixture.Fault(MISSING_CAPABILITY, f"the client must support {', '.join(lacking)}",
                                {"requiredCapabilities": lacking})
        open_ones = {name: request for name, request in requests.items() if name not in self.answers}
        if open_ones:
            state = sign(json.dumps({"name": self.name, "answers": self.answers}))
            raise InputRequired({"resultType": "input_required", "inputRequests": open_ones, "requestState": state})
        return {name: self.answers[name] for name in requests}

    async def ask_if_possible(self, **requests):
        return await self.ask(**{name: request for name, request in requests.items() if self.can_ask(request)})


def answer(handle):
    """A handler of the SDK: handle(ctx) or an awaitable of it gives the result."""
    async def handler(ctx, params):
        try:
            result = handle(ctx)
            if asyncio.iscoroutine(result):
                result = await result
            return {"resultType": "complete", **result}
        except InputRequired as required:
            return required.args[0]
        except fixture.Fault as fault:
            raise MCPError(fault.code, fault.message, fault.data) from None
    return handler


async def call_tool(ctx):
    name = ctx.params["name"]
    return await fixture.call_tool(Call(ctx, name), name, ctx.params.get("arguments") or {})


async def get_prompt(ctx):
    name = ctx.params["name"]
    return await fixture.get_prompt(Call(ctx, name), name, ctx.params.get("arguments") or {})


async def refuse_initialize(ctx, call_next):
    if ctx.method == "initialize" and ctx.protocol_version != REVISION:
        raise MCPError(UNSUPPORTED_VERSION, f"this server speaks {REVISION} only",
                       {"supported": [REVISION], "requested": ctx.params.get("protocolVersion", "")})
    return await call_next(ctx)


def make_server():
    server = Server(
        fixture.INFO["name"], version=fixture.INFO["version"], instructions="Serves the conformance suite.",
        on_list_tools=answer(lambda ctx: fixture.list_tools()),
        on_call_tool=answer(call_tool),
        on_list_resources=answer(lambda ctx: fixture.list_resources()),
        on_list_resource_templates=answer(lambda ctx: fixture.list_resource_templates()),
        on_read_resource=answer(lambda ctx: fixture.read_resource(Call, ctx.params["uri"])),
        on_list_prompts=answer(lambda ctx: fixture.list_prompts()),
        on_get_prompt=answer(get_prompt),
        on_completion=answer(lambda ctx: fixture.complete(ctx.params["argument"])),
        on_subscriptions_listen=ListenHandler(bus),
        # Nobody can call this in the newest revision; but only with it is the capability `logging` declared.
        on_set_logging_level=answer(lambda ctx: {}),
        cache_hints={method: CacheHint(ttl_ms=1000) for method in CACHEABLE_METHODS},
        get_tool_input_schema=lambda name: fixture.TOOLS[name][0]["inputSchema"] if name in fixture.TOOLS else None)
    server.middleware.append(refuse_initialize)
    return server


async def serve_stdio():
    server = make_server()
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", type=int, metavar="PORT")
    args = parser.parse_args()
    # Logging is deprecated, and the suite asks for it all the same.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    if args.http is None:
        asyncio.run(serve_stdio())
    else:
        uvicorn.run(make_server().streamable_http_app(), host="127.0.0.1", port=args.http, log_level="warning")


if __name__ == "__main__":
    main()
