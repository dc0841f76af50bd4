"""What a key sees and may use: tools, resources, templates, prompts, completion, by its domains and tools, over every
door and in both eras; and what its open sessions hear when it is changed, revoked, or expires."""

import fnmatch
import json

import ctl
import doorkeys
import fleet as fleets
import pytest
import servers
import wire
from streamable import Door, Modern

LISTS = {"tools/list": "tools", "resources/list": "resources", "resources/templates/list": "resourceTemplates",
         "prompts/list": "prompts"}

# By name: the globs of the key, the domains of which it sees something, the globs of the tools that it sees.
KEYS = {
    "all": ({}, {"ext", "fake", "utils"}, ["*"]),
    "ext": ({"domains": ["ext"]}, {"ext"}, ["ext_*"]),
    "two": ({"domains": ["f*", "ext"]}, {"ext", "fake"}, ["ext_*", "fake_*"]),
    "echo": ({"tools": ["*_echo"]}, {"ext", "fake"}, ["*_echo"]),
    "one": ({"domains": ["fake"], "tools": ["fake_echo", "ext_echo"]}, {"fake"}, ["fake_echo"]),
    "nothing": ({"domains": ["utils"], "tools": ["fake_*"]}, set(), []),
    "strange": ({"domains": ["no-such"]}, set(), []),
}


@pytest.fixture
def keys(tmp_path):
    made = doorkeys.Keys(tmp_path)
    for name, (globs, _, _) in KEYS.items():
        made.add(name, **globs)
    return made.save()


@pytest.fixture
def fleet(start_fleet, envs, keys):
    return start_fleet({"ext": servers.SERVERS["python-1"](envs, None).settings(), "fake": fleets.fake_domain("fake"), "utils": {}})


class Sse:
    """A session over HTTP+SSE as a Door is used."""

    def __init__(self, fleet, credential):
        self.session = wire.Session(fleet.port, headers=credential, timeout=15 * fleets.SLOWNESS)
        self.session.initialize()

    def ask(self, method, params):
        return self.session.request(method, params)


class Http:
    def __init__(self, fleet, credential, kind=Door):
        self.door = kind(fleet.port, timeout=15 * fleets.SLOWNESS)
        self.door.credential = credential
        if kind is Door:
            self.door.open()

    def ask(self, method, params):
        answer = self.door.post(self.door.request(method, params))
        assert answer.status in (200, 404), answer  # the latter for a method that is not there
        return json.loads(answer.body)


def stateless(fleet, credential):
    return Http(fleet, credential, Modern)


DOORS = {"sse": Sse, "http": Http, "stateless": stateless}


def list_of(door, method):
    """None: the method is not there, as where nothing has such a list."""
    answer = door.ask(method, {})
    return None if answer.get("error", {}).get("code") == -32601 else answer["result"][LISTS[method]]


def names_of(door, method):
    items = list_of(door, method) or []
    return {item.get("name") if method in ("tools/list", "prompts/list") else item.get("uri", item.get("uriTemplate"))
            for item in items}


@pytest.mark.parametrize("kind", DOORS)
def test_lists(fleet, keys, kind):
    whole = {method: names_of(DOORS[kind](fleet, keys.bearer("all")), method) for method in LISTS}
    assert all(whole.values())
    for name, (_, domains, tools) in KEYS.items():
        door = DOORS[kind](fleet, keys.bearer(name))
        wanted = {tool for tool in whole["tools/list"] if any(fnmatch.fnmatchcase(tool, glob) for glob in tools)}
        assert names_of(door, "tools/list") == wanted, name
        for method in ("resources/list", "resources/templates/list", "prompts/list"):
            wanted = whole[method] if "ext" in domains else set()
            assert names_of(door, method) == wanted, (name, method)


@pytest.mark.parametrize("kind", DOORS)
def test_what_is_not_for_it_does_not_exist(fleet, keys, kind):
    """Word for word the answers about what there is not."""
    own = DOORS[kind](fleet, keys.bearer("ext"))
    assert own.ask("tools/call", {"name": "ext_echo", "arguments": {"text": "x"}})["result"]
    assert own.ask("prompts/get", {"name": "ext_greet", "arguments": {"name": "Ada"}})["result"]
    assert own.ask("resources/read", {"uri": "ext+test://note"})["result"]["contents"][0]["text"] == "noted"
    assert own.ask("resources/read", {"uri": "ext+test://item/7"})["result"]["contents"][0]["text"] == "item 7"
    completion = {"ref": {"type": "ref/prompt", "name": "ext_greet"}, "argument": {"name": "name", "value": "A"}}
    assert own.ask("completion/complete", completion)["result"]["completion"]["values"] == ["Ada", "Alan"]
    other = DOORS[kind](fleet, keys.bearer("one"))
    assert other.ask("tools/call", {"name": "fake_echo", "arguments": {"text": "x"}})["result"]
    for method, params in (
            ("tools/call", {"name": "ext_echo", "arguments": {"text": "x"}}),
            ("tools/call", {"name": "fake_big", "arguments": {"bytes": 1}}),
            ("tools/call", {"name": "calculator_add", "arguments": {"a": 1, "b": 2}}),
            ("prompts/get", {"name": "ext_greet", "arguments": {"name": "Ada"}}),
            ("resources/read", {"uri": "ext+test://note"}),
            ("resources/read", {"uri": "ext+test://item/7"}),
            ("completion/complete", completion)):
        hidden = error_of(other, method, params)
        text = json.dumps(params)
        for known in ("ext_echo", "fake_big", "calculator_add", "ext_greet", "ext+test://note", "ext+test://item/7"):
            text = text.replace(known, "no-such")
        unknown = error_of(other, method, json.loads(text))
        assert json.dumps(hidden).replace(params.get("name", params.get("uri", "ext_greet")), "no-such") == json.dumps(unknown), method


def error_of(door, method, params):
    return door.ask(method, params)["error"]


def test_endpoints_of_domains(fleet, keys):
    for name, (_, domains, _) in KEYS.items():
        for domain in ("ext", "fake", "utils"):
            door = Modern(fleet.port, f"/{domain}/mcp")
            door.credential = keys.bearer(name)
            answer = door.post(door.request("tools/list"))
            globs = KEYS[name][0].get("domains", ["*"])
            if not any(fnmatch.fnmatchcase(domain, glob) for glob in globs):
                assert answer.status == 403, (name, domain)
                continue
            seen = {tool["name"] for tool in answer.json()["result"]["tools"]}
            assert bool(seen) == (domain in domains), (name, domain)
            assert seen <= names_of(stateless(fleet, keys.bearer(name)), "tools/list")


# --- keys that change -----------------------------------------------------------------------------


def read_methods(stream, n):
    """The methods of the next n messages."""
    return [stream.read_message(10 * fleets.SLOWNESS).json()["method"] for _ in range(n)]


def methods_of(stream, n):
    """The same of a stream of Streamable HTTP, whose first event may be only for its id."""
    made = []
    while len(made) < n:
        event = stream.read(10 * fleets.SLOWNESS)
        made += [event.json()["method"]] if event.data else []
    return made


CHANGED = [f"notifications/{kind}/list_changed" for kind in ("tools", "resources", "prompts")]


@pytest.fixture
def fakes(start_fleet, keys):
    """Without lists of anything but tools; starts quickly."""
    return start_fleet({"fake": fleets.fake_domain("fake"), "utils": {}})


def change(keys, name, **globs):
    for member in ("domains", "tools"):
        keys.entries[name].pop(member, None)
    keys.entries[name].update(globs)
    keys.save()


def test_rights_that_change(fleet, keys):
    """Sessions of this key hear of it, at each door and in both eras; those of others do not."""
    with wire.Session(fleet.port, headers=keys.bearer("ext")) as session, \
            wire.Session(fleet.port, headers=keys.bearer("echo")) as other:
        session.initialize()
        other.initialize()
        door = Http(fleet, keys.bearer("ext")).door
        stream = door.listen()
        modern = Modern(fleet.port)
        modern.credential = keys.bearer("ext")
        listen = modern.stream("POST", modern.request("subscriptions/listen", {
            "notifications": {"toolsListChanged": True, "promptsListChanged": True}}))
        assert methods_of(listen, 1) == ["notifications/subscriptions/acknowledged"]
        change(keys, "ext", domains=["ext", "fake"])
        assert read_methods(session.stream, 3) == CHANGED
        assert methods_of(stream, 3) == CHANGED
        assert methods_of(listen, 2) == [CHANGED[0], CHANGED[2]]
        assert "fake_echo" in {tool["name"] for tool in session.tools()}
        change(keys, "ext", domains=["fake"])  # what it could see before is gone: that is a change, too
        assert read_methods(session.stream, 3) == CHANGED
        assert "error" in session.call("ext_echo", {"text": "x"})
        assert session.call("fake_echo", {"text": "x"})["result"]
        change(keys, "ext", domains=["fake"], rate=5)  # no other rights
        keys.add("new").save()
        assert session.call("fake_echo", {"text": "x"})["result"]
        aside = []
        assert session.wait(session.start("ping"), aside=aside) and aside == []
        assert other.wait(other.start("ping"), aside=aside) and aside == []
        stream.close()
        listen.close()


@pytest.mark.sanitizers
def test_a_revoked_key(fakes, keys, socket_path):
    """By mcp-fleetctl: its streams end, its session does not exist any more, a call under way with it."""
    own = keys.bearer("two")
    with wire.Session(fakes.port, headers=own) as session, wire.Session(fakes.port, headers=keys.bearer("all")) as stays:
        session.initialize()
        stays.initialize()
        door = Http(fakes, own).door
        stream = door.listen()
        session.start_call("fake_sleep", {"seconds": 30})
        said = ctl.run("key", "revoke", "two", "--file", keys.path, socket=socket_path)
        assert said.code == 0, said
        assert session.stream.has_ended(10 * fleets.SLOWNESS)
        assert not [event for event in stream.rest() if event.data]
        assert door.post(door.request("ping")).status == 401
        door.credential = keys.bearer("all")
        assert door.post(door.request("ping")).status == 404
        assert stays.call("fake_echo", {"text": "x"})["result"]
    assert "its key was revoked, or its key or token has expired" in fakes.log()


@pytest.mark.sanitizers
def test_a_key_of_the_same_name_is_somebody_else(fakes, keys):
    with wire.Session(fakes.port, headers=keys.bearer("all")) as session:
        session.initialize()
        before = keys.bearer("all")
        keys.add("all").save()  # another id, another text
        assert session.stream.has_ended(10 * fleets.SLOWNESS)
        with fakes.connect() as connection:
            connection.request("HEAD", "/sse", before)
            assert connection.read_response("HEAD").status == 401


@pytest.mark.sanitizers
def test_a_key_that_expires(fakes, keys):
    keys.add("short", expires=doorkeys.when(4 * fleets.SLOWNESS)).save()
    fleets.wait_until(lambda: is_known(fakes, keys.bearer("short")), 3, "the key is known")
    door = Http(fakes, keys.bearer("short")).door
    stream = door.listen()
    assert not [event for event in stream.rest() if event.data]
    assert door.post(door.request("ping")).status == 401
    assert not is_known(fakes, keys.bearer("short"))


def is_known(fleet, credential):
    with fleet.connect() as connection:
        connection.request("HEAD", "/sse", credential)
        return connection.read_response("HEAD").status == 200
