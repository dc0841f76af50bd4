"""The fixture as a server of an older revision, 2025-06-18, by the official Python SDK 1.

usage: legacy_server.py              on standard input and output
       legacy_server.py --http PORT  over Streamable HTTP at /mcp, to try the suite without mcp-fleetd

A request to the client carries the key of its question in `_meta`, under INPUT_KEY: who turns the request into
the newest revision's `input_required` names it so towards its client.
"""

import argparse
import asyncio
import contextlib
import weakref

import uvicorn
from mcp import types
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import McpError
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.version import SUPPORTED_PROTOCOL_VERSIONS
from starlette.applications import Starlette
from starlette.routing import Mount

import fixture

REVISION = "2025-06-18"
INPUT_KEY = "mcp-fleet/inputKey"
LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
RESULTS = {"elicitation/create": types.ElicitResult, "sampling/createMessage": types.CreateMessageResult,
           "roots/list": types.ListRootsResult}
RESOURCE_NOT_FOUND = -32002

levels = weakref.WeakKeyDictionary()  # session -> the lowest level that it wants
watched = weakref.WeakKeyDictionary()  # session -> the URIs that it watches


class Call:
    RESOURCE_NOT_FOUND = RESOURCE_NOT_FOUND

    def __init__(self, ctx):
        self.ctx, self.session = ctx, ctx.session

    async def log(self, level, words):
        if LEVELS.index(level) >= LEVELS.index(levels.get(self.session, "info")):
            await self.session.send_log_message(level, words, logger="fixture", related_request_id=self.ctx.request_id)

    async def progress(self, done, total):
        token = self.ctx.meta.progressToken if self.ctx.meta else None
        if token is not None:
            await self.session.send_progress_notification(token, done, total, related_request_id=str(self.ctx.request_id))

    async def list_changed(self, kind):
        if kind == "tools":
            await self.session.send_tool_list_changed()
        else:
            await self.session.send_prompt_list_changed()

    async def resource_updated(self, uri):
        for session, uris in list(watched.items()):
            if uri in uris:
                await session.send_resource_updated(uri)

    async def ask_one(self, key, request):
        request = {**request, "params": {**request["params"], "_meta": {INPUT_KEY: key}}}
        result = await self.session.send_request(
            types.ServerRequest.model_validate(request), RESULTS[request["method"]],
            metadata=ServerMessageMetadata(related_request_id=self.ctx.request_id))
        return result.model_dump(by_alias=True, mode="json", exclude_none=True)

    async def ask(self, **requests):
        answers = await asyncio.gather(*(self.ask_one(key, request) for key, request in requests.items()))
        return dict(zip(requests, answers, strict=True))

    async def ask_if_possible(self, **requests):
        async def ask(key, request):
            with contextlib.suppress(McpError):
                return await self.ask_one(key, request)
            return None

        answers = await asyncio.gather(*(ask(key, request) for key, request in requests.items()))
        return {key: given for key, given in zip(requests, answers, strict=True) if given is not None}


def make_server():
    server = Server(fixture.INFO["name"], fixture.INFO["version"], instructions="Serves the conformance suite.")

    def answer(request_type, result_type, handle):
        async def handler(request):
            try:
                result = handle(Call(server.request_context), request.params)
                if asyncio.iscoroutine(result):
                    result = await result
                return types.ServerResult(result_type.model_validate(result))
            except fixture.Fault as fault:
                raise McpError(types.ErrorData(code=fault.code, message=fault.message, data=fault.data)) from None
        server.request_handlers[request_type] = handler

    def set_level(call, params):
        levels[call.session] = params.level
        return {}

    def subscribe(call, params):
        watched.setdefault(call.session, set()).add(str(params.uri))
        return {}

    def unsubscribe(call, params):
        watched.get(call.session, set()).discard(str(params.uri))
        return {}

    answer(types.ListToolsRequest, types.ListToolsResult, lambda call, params: fixture.list_tools())
    answer(types.CallToolRequest, types.CallToolResult,
           lambda call, params: fixture.call_tool(call, params.name, params.arguments or {}))
    answer(types.ListResourcesRequest, types.ListResourcesResult, lambda call, params: fixture.list_resources())
    answer(types.ListResourceTemplatesRequest, types.ListResourceTemplatesResult,
           lambda call, params: fixture.list_resource_templates())
    answer(types.ReadResourceRequest, types.ReadResourceResult,
           lambda call, params: fixture.read_resource(call, str(params.uri)))
    answer(types.SubscribeRequest, types.EmptyResult, subscribe)
    answer(types.UnsubscribeRequest, types.EmptyResult, unsubscribe)
    answer(types.ListPromptsRequest, types.ListPromptsResult, lambda call, params: fixture.list_prompts())
    answer(types.GetPromptRequest, types.GetPromptResult,
           lambda call, params: fixture.get_prompt(call, params.name, params.arguments or {}))
    answer(types.CompleteRequest, types.CompleteResult,
           lambda call, params: fixture.complete(params.argument.model_dump()))
    answer(types.SetLevelRequest, types.EmptyResult, set_level)
    return server


def options(server):
    """The SDK declares that nobody can subscribe to a resource, whatever handlers there are."""
    made = server.create_initialization_options(NotificationOptions(tools_changed=True, prompts_changed=True))
    made.capabilities.resources.subscribe = True
    return made


async def serve_stdio():
    server = make_server()
    async with stdio_server() as (read, write):
        await server.run(read, write, options(server))


def serve_http(port):
    server = make_server()
    made = options(server)
    server.create_initialization_options = lambda *args: made
    local = ["127.0.0.1:*", "localhost:*"]
    manager = StreamableHTTPSessionManager(server, security_settings=TransportSecuritySettings(
        allowed_hosts=local, allowed_origins=[f"http://{host}" for host in local]))

    @contextlib.asynccontextmanager
    async def lifespan(app):
        async with manager.run():
            yield

    app = Starlette(routes=[Mount("/mcp", app=manager.handle_request)], lifespan=lifespan)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", type=int, metavar="PORT")
    args = parser.parse_args()
    if args.http is None:
        # The SDK answers with its latest revision to whoever asks for one that is not in this list.
        types.LATEST_PROTOCOL_VERSION = REVISION
        SUPPORTED_PROTOCOL_VERSIONS[:] = [known for known in SUPPORTED_PROTOCOL_VERSIONS if known <= REVISION]
        asyncio.run(serve_stdio())
    else:
        serve_http(args.http)


if __name__ == "__main__":
    main()
