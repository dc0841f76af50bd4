"""The worker that offers what the conformance suite asks for (tests/conformance), as a domain."""

from dataclasses import dataclass

import fleet as fleets

FIXTURE = fleets.HERE.parent / "conformance"


@dataclass
class Form:
    """One form of the worker; they differ in the revisions that they speak."""

    environment: str
    program: str
    endpoint: str  # where the suite finds it: both are to work


FORMS = {
    "older": Form("venv-sdk1", "legacy_server.py", "/mcp"),
    "newest": Form("venv-sdk2", "modern_server.py", "/fixture/mcp"),
}


def domain(envs, form):
    """Settings of the domain that the worker of this form serves."""
    chosen = FORMS[form]
    return {
        "command": [str(envs / chosen.environment / "bin" / "python"), str(FIXTURE / chosen.program)],
        "env": {"PYTHONDONTWRITEBYTECODE": "1"},
        "names": "plain",
        # Calls that the suite leaves when it was asked for input keep their places for a while.
        "concurrency": 32,
    }
