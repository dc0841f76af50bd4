"""A fleet that is registered with a real gateway by mcp-fleetctl, and what has to hold of the two."""

import contextlib
import json
import os
import pathlib
import subprocess
import time

import ctl
import fleet as fleets
import metrics
import sdk

HERE = pathlib.Path(__file__).resolve().parent
DOMAINS = ("filesystem", "git", "network", "utils")
TAG = "mcp-fleet"
INTERVAL = 2.0
# It varies by a tenth, and what is put right then takes its requests, which a busy machine makes slow: so
# whether one interval was enough is seen by the number of rounds; the second and third have nothing to do
# but may be over before we have looked.
BOUND = INTERVAL * 1.1 + 10
ROUNDS = 3


def all_domains(repository):
    """The four workers, each listing all that it has: 105 tools."""
    return {"filesystem": {"roots": [str(repository.root)]}, "git": sdk.git_domain(repository), "network": {}, "utils": {}}


class Caller:
    """One process of the official Python SDK that calls tools through the gateway's MCP endpoint."""

    def __init__(self, envs):
        self.process = fleets.spawn(
            [envs / "venv-sdk1" / "bin" / "python", HERE / "clients" / "gateway_calls.py"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})

    def call(self, url, token, calls):
        plan = {"url": url, "token": token, "calls": [{"tool": tool, "arguments": arguments} for tool, arguments in calls]}
        self.process.stdin.write(json.dumps(plan).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Rig:
    """A gateway, a fleet, and the token's file between them."""

    def __init__(self, gateway, fleet, caller, token, repository=None, prefix="fleet-"):
        self.gateway, self.fleet, self.caller, self.repository, self.prefix = gateway, fleet, caller, repository, prefix
        self.secrets = []
        self.credential = {}  # what we show to the fleet
        self.token_file = fleet.folder / "gateway.token"
        self.write_token(token)
        self.listed = {}

    def start(self):
        self.fleet.start()
        self.fleet.base_fds += 4  # the registrar's, which runs once it is wanted
        return self

    def write_token(self, token):
        """In place of the old one, as a tool for secrets does it."""
        self.secrets.append(token)
        draft = self.token_file.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(token + "\n")
        draft.rename(self.token_file)

    @property
    def domains(self):
        return tuple(sorted(self.fleet.domains))

    @property
    def log_of_registrar(self):
        return "\n".join(line for line in self.fleet.log().splitlines() if "registrar" in line)

    def reload(self, **settings):
        """The daemon takes these settings over, and its domains as they are in `fleet` now."""
        self.fleet.settings = fleets.merge(self.fleet.settings, settings)
        self.fleet.write_settings()
        self.forget_tools()
        done = self.ctl("reload")
        assert done.code == 0, done

    # mcp-fleetctl ---------------------------------------------------------------------------------

    def ctl(self, *words, **options):
        return ctl.run(*words, socket=self.fleet.control_socket, timeout=90, **options)

    def register(self, *words, code=0, url=None):
        done = self.ctl("register", "--gateway", url or self.gateway.url, "--token-file", self.token_file, *words)
        assert done.code == code, done
        return done

    def report(self):
        """What mcp-fleetctl status says of the gateway."""
        done = self.ctl("status", "--json")
        assert done.code in (0, 4), done  # 4: a domain is not ready
        return done.json()["gateway"]

    def domain(self, name):
        return self.domain_of(self.report(), name)

    @staticmethod
    def domain_of(report, name):
        return {each["name"]: each for each in report["domains"]}[name]

    def wait_gateway(self, state, timeout=15.0):
        """Until the status says this of the gateway as a whole; the words for it."""
        found = {}

        def is_so():
            found.update(self.report()["gateway"])
            return found["state"] == state
        try:
            fleets.wait_until(is_so, timeout, f"the gateway is {state}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {found}") from None
        return found

    def wait_domain(self, name, state, timeout=BOUND):
        found = {}

        def is_so():
            found.update(self.domain(name))
            return found["state"] == state
        try:
            fleets.wait_until(is_so, timeout, f"{name} is {state}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {found}") from None
        return found

    def wait_rounds(self, n):
        before = self.report()["counters"]["rounds"]
        fleets.wait_until(lambda: self.report()["counters"]["rounds"] >= before + n, n * INTERVAL * 1.1 + 2, f"{n} rounds")

    def counters(self):
        """What was written up to now."""
        counters = self.report()["counters"]
        return {name: counters[name] for name in ("creates", "updates", "deletes")}

    # The truth ------------------------------------------------------------------------------------

    def tools(self, domain):
        """The names that the fleet itself lists; a test that changes them calls forget_tools()."""
        if domain not in self.listed:
            with self.fleet.session(f"/{domain}/sse", headers=self.credential) as session:
                self.listed[domain] = {tool["name"] for tool in session.tools()}
        return self.listed[domain]

    def fleet_tools(self, domain):
        self.forget_tools()
        return self.tools(domain)

    def forget_tools(self):
        self.listed.clear()

    def ours(self):
        """Our entries at the gateway, by name."""
        entries = [entry for entry in self.gateway.entries()
                   if TAG in {tag["id"] for tag in entry["tags"]} and entry["name"].startswith(self.prefix)]
        assert len({entry["name"] for entry in entries}) == len(entries), entries
        return {entry["name"]: entry for entry in entries}

    def entry(self, domain):
        return self.ours()[f"{self.prefix}{domain}"]

    def what_is_wrong(self, domains=None, report=None):
        """Words, or nothing when each domain is there once, switched on, with all its tools, and the status says so."""
        domains = domains or self.domains
        report, ours = report or self.report(), self.ours()
        if report["gateway"]["state"] != "connected":
            return f"the gateway is {report['gateway']}"
        if set(ours) != {f"{self.prefix}{domain}" for domain in domains}:
            return f"the entries are {sorted(ours)}"
        for domain in domains:
            entry, said = ours[f"{self.prefix}{domain}"], self.domain_of(report, domain)
            if not entry["enabled"] or said["state"] != "registered" or said["id"] != entry["id"]:
                return f"{domain}: {said}, enabled: {entry['enabled']}"
            if not said["tools_wanted"] == said["tools_found"] == len(self.tools(domain)):
                return f"{domain}: {said}"
            if set(self.gateway.tools(entry["id"])) != self.tools(domain):
                return f"{domain}: the gateway's tools are others"
        return None

    def wait_right(self, domains=None, timeout=BOUND):
        """As the task of the registrar is: within an interval."""
        deadline = time.monotonic() + timeout * fleets.SLOWNESS
        report = self.report()
        begin = report["counters"]["rounds"]
        while wrong := self.what_is_wrong(domains, report):
            assert time.monotonic() < deadline, f"after {timeout * fleets.SLOWNESS:g} s: {wrong}"
            time.sleep(0.25)  # each time it is asked costs the gateway more than that
            report = self.report()
            begin = min(begin, report["counters"]["rounds"])  # of another registrar
        assert report["counters"]["rounds"] <= begin + ROUNDS

    def records(self):
        """What any write at the gateway would change. An entry's updatedAt moves with each health check, too, and
        that of a tool when the gateway starts."""
        found = {}
        for entry in self.gateway.entries():
            status, tools = self.gateway.request("GET", f"/v1/tools?gateway_id={entry['id']}&limit=0&include_inactive=true")
            assert status == 200, tools
            found[entry["name"]] = (entry["id"], entry["version"], entry["modifiedUserAgent"], entry["createdAt"])
            found.update({(entry["name"], tool["id"]): (tool["version"], tool["updatedAt"]) for tool in tools})
        return found

    # Calls ----------------------------------------------------------------------------------------

    def steps(self):
        """One tool of each domain: its arguments, and what must be in the answer."""
        steps = {"net_parse_url": ({"url": "http://127.0.0.1/a?b=c"}, "address_refused"),
                 "string_to_upper": ({"text": "through the gateway"}, "THROUGH THE GATEWAY")}
        if self.repository:
            steps["code_list_directory"] = ({"path": str(self.repository.repo)}, "[DIR] .git")
            steps["git_get_status"] = ({"repo_path": str(self.repository.repo)}, "Branch: main")
        return steps

    def call_each(self, domains=None, path="/mcp/"):
        """A tool of each domain by the gateway's MCP endpoint; the names that it lists there."""
        names = {}
        for domain in domains or self.domains:
            names.update(self.gateway.tools(self.entry(domain)["id"]))
        steps = [(names[tool], *step) for tool, step in self.steps().items() if tool in names]
        assert len(steps) == len(set(domains or self.domains) & set(DOMAINS)) > 0
        outcome = self.caller.call(self.gateway.url + path, self.gateway.token, [step[:2] for step in steps])
        assert "failed" not in outcome, outcome
        assert set(names.values()) <= set(outcome["tools"])
        for (tool, _, expected), result in zip(steps, outcome["results"], strict=True):
            assert not result["isError"] and expected in result["content"][0]["text"], (tool, result)
        return outcome["tools"]

    # Secrets --------------------------------------------------------------------------------------

    def places(self):
        """Every text that somebody else could read, or that is kept."""
        yield "the log", self.fleet.log()
        for path in (self.fleet.folder / "state").rglob("*"):
            if path.is_file() and path.name != "gateway.token":
                yield str(path), path.read_text(errors="replace")
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                yield str(path), path.read_bytes().decode(errors="replace")
        if self.fleet.process.poll() is None:
            for words in (["status", "--json"], ["logs", "--json"], ["register", "--check", "--json"]):
                done = self.ctl(*words)
                yield " ".join(words), done.out + done.err
            yield "/metrics", metrics.fetch(self.fleet.admin)

    def check_secrets(self):
        for name, text in self.places():
            for secret in self.secrets:
                assert secret not in text, f"{name} has a secret"
