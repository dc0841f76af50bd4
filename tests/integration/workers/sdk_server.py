"""A server of the official Python SDK, for the profile `python`: what such servers usually do."""

import asyncio
import concurrent.futures
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

from mcp.server.fastmcp import FastMCP

server = FastMCP("sdk-server")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


@server.tool()
def read(path: str) -> str:
    """Reads a file."""
    return pathlib.Path(path).read_text()


@server.tool()
def write(path: str, text: str) -> str:
    """Writes a file, by way of a temporary one beside it."""
    with tempfile.NamedTemporaryFile("w", dir=pathlib.Path(path).parent, delete=False) as file:
        file.write(text)
    pathlib.Path(file.name).replace(path)
    return "written"


@server.tool()
async def run(command: list[str]) -> str:
    """Runs a program and tells what it prints."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode()


@server.tool()
def run_self() -> str:
    """Runs the interpreter that we are run by, in a thread."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return pool.submit(subprocess.check_output, [sys.executable, "-c", "print(6 * 7)"], text=True).result()


@server.tool()
def get(url: str) -> str:
    """Loads a page."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


if __name__ == "__main__":
    server.run()
