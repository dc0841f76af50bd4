"""A server of the official Python SDK, 1.x or 2.x, over HTTP: PORT TRANSPORT."""

import sys

try:
    from mcp.server.mcpserver import Context, MCPServer
except ImportError:
    from mcp.server.fastmcp import Context, FastMCP

port, transport = int(sys.argv[1]), sys.argv[2]
old = "FastMCP" in globals()
server = FastMCP("remote-sdk", host="127.0.0.1", port=port) if old else MCPServer("remote-sdk")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


@server.tool()
async def count(n: int, ctx: Context) -> str:
    """Counts, with progress."""
    for i in range(n):
        await ctx.report_progress(i + 1, n)
    return f"counted to {n}"


@server.resource("test://static")
def static() -> str:
    """Some words."""
    return "some words"


@server.prompt()
def greet(name: str) -> str:
    """Greets."""
    return f"Hello, {name}"


if old:
    server.run(transport=transport)
else:
    server.run(transport=transport, host="127.0.0.1", port=port)
