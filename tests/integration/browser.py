"""A browser for tests of pages: Chromium, driven by clients/browser.mjs."""

import json
import os
import pathlib
import selectors
import shutil
import subprocess
import tempfile

import fleet as fleets
import servers

DRIVER = pathlib.Path(__file__).resolve().parent / "clients" / "browser.mjs"


def find_chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "chromium is needed: packaging/needs tests"
    return found


class Browser:
    """One browser with one page at a time."""

    def __init__(self, envs):
        # Not the test's, whose name is too long for the path of a Unix socket below it.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="browser-"))
        self.log = (self.folder / "browser.log").open("wb")
        self.process = fleets.spawn(
            # What Chromium leaves behind while it runs is the driver's child, and none of a fleet's left-overs.
            [servers.node(envs), str(DRIVER), find_chromium()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.log, preexec_fn=fleets.adopt_orphans, env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder),
                                  "MCP_FLEET_ENVS": str(envs)})

    def ask(self, command, timeout=30.0, **options):
        self.process.stdin.write(json.dumps({"command": command, **options}).encode() + b"\n")
        self.process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(timeout * fleets.SLOWNESS), f"the browser does not answer: {command} {options}"
        line = self.process.stdout.readline()
        assert line, (self.folder / "browser.log").read_text()
        answer = json.loads(line)
        assert "error" not in answer, f"{command} {options}: {answer['error']}"
        return answer["result"]

    def open(self, url, **options):
        """width, height, scheme ("light", "dark"), scripts, login ({"username", "password"})."""
        assert self.ask("open", url=url, **options) == 200

    def evaluate(self, code):
        return self.ask("evaluate", code=code)

    def wait(self, code, seconds=10.0):
        """Until `code` is true in the page."""
        self.ask("wait", code=code, ms=seconds * 1000 * fleets.SLOWNESS)

    def text(self, selector="body"):
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText")

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20 * fleets.SLOWNESS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()
        fleets.reap_adopted()
        shutil.rmtree(self.folder, ignore_errors=True)
