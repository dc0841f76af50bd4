"""The official Python SDK's SSE server (major version 2) with one echo-like tool, in one process."""

import sys

import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


async def list_tools(_context, _params):
    return ListToolsResult(tools=[Tool(name="string_reverse", description="Reverse.", input_schema=SCHEMA)])


async def call_tool(_context, params):
    result = params.arguments["text"][::-1]
    return CallToolResult(
        content=[TextContent(type="text", text='{"success":true,"result":"%s"}' % result)],
        structured_content={"success": True, "result": result},
    )


server = Server("bench", version="1", on_list_tools=list_tools, on_call_tool=call_tool)
transport = SseServerTransport("/messages/")


async def sse(request):
    async with transport.connect_sse(request.scope, request.receive, request._send) as streams:
        await server.run(streams[0], streams[1], server.create_initialization_options())
    return Response()


app = Starlette(routes=[Route("/sse", sse), Mount("/messages/", app=transport.handle_post_message)])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="critical", access_log=False)
