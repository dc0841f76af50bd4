"""MCP servers that others wrote, as workers: how each is started, what it offers, and one call of it."""

import dataclasses
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
WORKERS = HERE / "workers"


@dataclasses.dataclass
class Server:
    """A server and what is known of it."""

    command: list
    tools: set  # some of the names it lists, as it calls them
    tool: str  # one of them
    arguments: dict
    says: str  # part of the text it answers
    echoes: str = ""  # the argument of the tool `echo`, if it has one
    steps: bool = False  # has the tool `steps`, with progress
    note: bool = False  # has the resource test://note and the prompt `greet`
    item: bool = False  # has the template test://item/{number}
    completes: bool = False  # knows names for `greet`

    def settings(self, *trouble, **over):
        """Settings of a domain; with words of workers/troubled.py in front of the command."""
        wrapper = [sys.executable, WORKERS / "troubled.py", *trouble] if trouble else []
        return {"command": [str(word) for word in [*wrapper, *self.command]], "concurrency": 4,
                "env": {"PYTHONDONTWRITEBYTECODE": "1"}, "start_timeout": "60s",
                "restart": {"first": "50ms", "cap": "200ms", "park_after": 2}, **over}


def full(*command):
    """Those that workers/full_server.py describes."""
    return Server(command, {"echo", "steps", "ask"}, "echo", {"text": "a word"}, "a word", "text",
                  steps=True, note=True, item=True, completes="fastmcp" not in command)


def make_repository(folder):
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    subprocess.run(["git", "-C", folder, "-c", "user.name=A", "-c", "user.email=a@example.test", "commit", "-q",
                    "--allow-empty", "-m", "the first commit"], check=True)
    return folder


def of_fastmcp(envs, folder):
    return full(envs / "venv-servers" / "bin" / "python", WORKERS / "full_server.py", "fastmcp")


def of_python_sdk(major):
    return lambda envs, folder: full(envs / f"venv-sdk{major}" / "bin" / "python", WORKERS / "full_server.py", "sdk")


def of_typescript_sdk(major):
    modules = {1: "node", 2: "servers"}[major]
    return lambda envs, folder: full(node(envs), WORKERS / "full_server.mjs", str(major), envs / modules)


def of_filesystem(envs, folder):
    (folder / "a-file").write_text("its words")
    return Server([node(envs), package(envs, "server-filesystem"), folder],
                  {"read_text_file", "write_file", "list_allowed_directories"},
                  "read_text_file", {"path": str(folder / "a-file")}, "its words")


def of_everything(envs, folder):
    return Server([node(envs), package(envs, "server-everything")], {"echo", "get-sum", "trigger-long-running-operation"},
                  "get-sum", {"a": 40, "b": 2}, "42", "message")


def of_git(envs, folder):
    repository = make_repository(folder / "repository")
    return Server([envs / "venv-servers" / "bin" / "python", "-m", "mcp_server_git", "--repository", repository],
                  {"git_status", "git_log", "git_commit"}, "git_log", {"repo_path": str(repository)}, "the first commit")


def of_time(envs, folder):
    return Server([envs / "venv-servers" / "bin" / "python", "-m", "mcp_server_time", "--local-timezone", "UTC"],
                  {"get_current_time", "convert_time"}, "convert_time",
                  {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}, "21:00")


def of_2024(envs, folder):
    return Server([sys.executable, WORKERS / "old_server.py"], {"echo", "add"}, "add", {"a": 40, "b": 2}, "42", "text", note=True)


SERVERS = {
    "fastmcp": of_fastmcp, "python-1": of_python_sdk(1), "python-2": of_python_sdk(2),
    "typescript-1": of_typescript_sdk(1), "typescript-2": of_typescript_sdk(2),
    "filesystem": of_filesystem, "everything": of_everything, "git": of_git, "time": of_time, "2024-11-05": of_2024,
}


def node(envs):
    """The Node of the environments where there is one, else that of the system."""
    brought = sorted(envs.glob("*/node_modules/node-linux-*/bin/node"))
    found = str(brought[0]) if brought else shutil.which("node")
    assert found, "node is needed"
    return found


def package(envs, name):
    return envs / "servers" / "node_modules" / "@modelcontextprotocol" / name / "dist" / "index.js"
