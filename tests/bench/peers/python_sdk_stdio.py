"""The same echo-like tool on stdio: the child that supergateway and mcp-proxy start."""

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


async def list_tools(_context, _params):
    return ListToolsResult(tools=[Tool(name="string_reverse", description="Reverse.", input_schema=SCHEMA)])


async def call_tool(_context, params):
    return CallToolResult(content=[TextContent(type="text", text=params.arguments["text"][::-1])])


server = Server("bench-child", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


async def main():
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


anyio.run(main)
