"""mcp-fleet-registrar driven directly over its standard input and output, in the place of mcp-fleetd."""

import json
import queue
import subprocess
import threading

import fleet as fleets


class Registrar:
    """One running registrar. tell() and ask() send; `report` is the last state that it told."""

    def __init__(self, folder, gateway, peers, **settings):
        self.folder = folder
        self.peers = peers  # domain -> list of tool objects
        self.report = None
        self.reports = 0
        self.number = 0
        self.answers = {}
        self.arrived = threading.Condition()
        self.token_file = folder / "token"
        if gateway and not self.token_file.exists():
            self.write_token(gateway.token)
        self.settings = {
            "url": f"http://127.0.0.1:{gateway.port}" if gateway else "",
            "token_file": str(self.token_file),
            "interval_ms": 2000, "state_file": str(folder / "registration.json"),
            "domains": sorted(peers), **settings}
        self.environment = {}
        self.log_path = folder / "registrar.log"
        self.process = None
        self.start()

    def write_token(self, token):
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(token + "\n")

    def start(self):
        self.lines = queue.Queue()
        environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **fleets.sanitizer_environment(), **self.environment}
        with self.log_path.open("ab") as log:
            self.process = fleets.spawn(
                [*fleets.daemon_command()[:-1], fleets.build_dir() / "mcp-fleet-registrar"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment)
        self.report = None
        self.reader = threading.Thread(target=self.read, args=(self.process.stdout,), daemon=True)
        self.reader.start()
        answer = self.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}})
        assert answer["result"]["serverInfo"]["name"] == "mcp-fleet-registrar"
        return self

    def read(self, stream):
        for line in stream:
            message = json.loads(line)
            with self.arrived:
                if "method" in message:
                    assert message["method"] == "registrar/state", message
                    self.report = message["params"]
                    self.reports += 1
                else:
                    self.answers[message.get("id")] = message
                self.arrived.notify_all()

    def send(self, message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def start_request(self, method, params=None):
        self.number += 1
        self.send({"id": self.number, "method": method, "params": params or {}})
        return self.number

    def wait(self, number, timeout=60.0):
        with self.arrived:
            assert self.arrived.wait_for(lambda: number in self.answers, timeout * fleets.SLOWNESS), self.log()
            return self.answers.pop(number)

    def ask(self, method, params=None, timeout=60.0):
        return self.wait(self.start_request(method, params), timeout)

    def result(self, method, params=None, timeout=60.0):
        answer = self.ask(method, params, timeout)
        assert "result" in answer, answer
        return answer["result"]

    # What mcp-fleetd tells --------------------------------------------------------------------------

    def tell_settings(self, **over):
        self.settings.update(over)
        self.tell("registrar/settings", self.settings)

    def tell_domain(self, name, is_ready=True, **over):
        self.tell("registrar/domain", {
            "name": name, "is_ready": is_ready, "reason": "" if is_ready else "it is starting",
            "description": f"The domain {name}", "tools": self.peers[name], **over})

    def tell_all(self):
        self.tell_settings()
        for name in self.settings["domains"]:
            self.tell_domain(name)

    # What it tells ----------------------------------------------------------------------------------

    def domain(self, name, report=None):
        return {each["name"]: each for each in (report or self.report)["domains"]}[name]

    def states(self, report=None):
        report = report or self.report
        return {each["name"]: each["state"] for each in report["domains"]} if report else {}

    def wait_state(self, condition, timeout=20.0, what="a state"):
        """Until condition(report) is true of the last report."""
        with self.arrived:
            assert self.arrived.wait_for(
                lambda: self.report and condition(self.report), timeout * fleets.SLOWNESS), \
                f"{what}: {json.dumps(self.report, indent=1)}\n{self.log()}"
            return self.report

    def wait_registered(self, *names, timeout=20.0):
        names = names or tuple(self.settings["domains"])
        return self.wait_state(lambda report: report["gateway"]["state"] == "connected" and all(
            self.is_complete(self.domain(name, report)) for name in names), timeout, f"{names} registered")

    @staticmethod
    def is_complete(domain):
        return domain["state"] == "registered" and domain["tools_found"] == domain["tools_wanted"] > 0

    def wait_round(self, timeout=20.0):
        """Until two more rounds are over, so that at least one of them began after now."""
        rounds = self.report["counters"]["rounds"] + 2
        return self.wait_state(lambda report: report["counters"]["rounds"] >= rounds, timeout, "two rounds")

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        """The input ends, and so does it."""
        if self.process is None:
            return
        self.process.stdin.close()
        try:
            assert self.process.wait(10 * fleets.SLOWNESS) == 0
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(5)
            self.reader.join(5)
            self.process.stdout.close()
            self.process = None
        found = [line for line in self.log().splitlines() if fleets.REPORTS.search(line)]
        assert not found, "\n".join(found[:20])
