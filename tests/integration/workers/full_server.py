"""A server that offers a little of everything: tools with progress, logs and a question to the user, a resource,
a template, a prompt with completion.

The first argument says who carries it: `fastmcp`, or `sdk`, the official Python SDK of whichever major version is
installed. full_server.mjs offers the same.
"""

import sys
from importlib.metadata import version

import anyio
from pydantic import BaseModel

if sys.argv[1] == "fastmcp":
    from fastmcp import Context, FastMCP
    server = FastMCP("full-fastmcp", instructions="For tests.")
elif version("mcp").startswith("1."):
    from mcp.server.fastmcp import Context, FastMCP
    server = FastMCP("full-sdk1", instructions="For tests.")
else:
    from mcp.server.mcpserver import Context, MCPServer
    server = MCPServer("full-sdk2", instructions="For tests.")


class Name(BaseModel):
    """What the user is asked for."""
    name: str


@server.tool()
def echo(text: str) -> str:
    """Gives back what it gets."""
    return text


@server.tool()
async def steps(count: int, ctx: Context) -> str:
    """Reports progress and logs at every step."""
    for step in range(1, count + 1):
        await ctx.report_progress(step, count, f"step {step}")
        await ctx.info(f"step {step}")
        await anyio.sleep(0.02)  # some clients lose progress that comes with the answer
    return "done"


@server.tool()
async def ask(ctx: Context) -> str:
    """Asks the user for a name."""
    option = "response_type" if sys.argv[1] == "fastmcp" else "schema"
    answer = await ctx.elicit("Who are you?", **{option: Name})
    return f"{answer.action} {answer.data.name if answer.action == 'accept' else ''}"


@server.resource("test://note", mime_type="text/plain")
def note() -> str:
    """A note."""
    return "noted"


@server.resource("test://item/{number}", mime_type="text/plain")
def item(number: str) -> str:
    """An item."""
    return f"item {number}"


@server.prompt()
def greet(name: str) -> str:
    """Greets."""
    return f"Hello, {name}"


if sys.argv[1] == "sdk":
    @server.completion()
    async def complete(ref, argument, context):
        """Names that begin with what is there."""
        Completion = sys.modules["mcp_types" if "mcp_types" in sys.modules else "mcp.types"].Completion
        return Completion(values=[name for name in ("Ada", "Alan", "Grace") if name.startswith(argument.value)])


if __name__ == "__main__":
    server.run(**({"show_banner": False} if sys.argv[1] == "fastmcp" else {}))
