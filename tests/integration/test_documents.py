"""Every command in the documents, run in a machine that has the package; every setting, JSON text and link in them.
How a document says what is to be done with a block is in documents.py.
"""

import collections
import errno
import json
import os
import pathlib
import re
import shutil

import certs
import documents
import fleet as fleets
import gateway as gateways
import machine as machines
import pytest

HERE = pathlib.Path(__file__).resolve().parent
ETC = documents.TOP / "etc"
GATEWAY = 4444
# How many blocks may be left out, for all reasons together.
LEFT_OUT = 12


def name_of(path):
    return str(path.relative_to(documents.TOP))


def wrong_links(path, top):
    """Those of a document that lead nowhere, or out of the folder that it is in."""
    wrong = []
    for line, target in documents.links(path):
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        if not found.is_relative_to(top) or not found.exists() or anchor and anchor not in documents.anchors(found):
            wrong.append(f"{path.relative_to(top)}:{line}: {target}")
    return wrong


# --- what needs no machine ------------------------------------------------------------------------


@pytest.mark.parametrize("path", documents.ALL, ids=name_of)
def test_links(path):
    assert not wrong_links(path, documents.TOP)


def test_links_installed(package, tmp_path):
    """In the folder of the package, too, where examples have another place and the changelog another name."""
    assert fleets.run(["dpkg-deb", "--extract", package, tmp_path]).returncode == 0
    top = tmp_path / "usr/share/doc/mcp-fleet"
    found = sorted(top.glob("**/*.md"))
    assert {path.name for path in documents.ALL} - {path.name for path in found} == {"CHANGELOG.md"}
    assert not [told for path in found for told in wrong_links(path, top)]


@pytest.mark.parametrize("path", documents.OPERATORS, ids=name_of)
def test_blocks(path):
    """Each says what it is in; JSON is JSON; what is not run says why."""
    for block in documents.read(path):
        assert block.language in documents.LANGUAGES, f"{block.where}: ```{block.language}"
        if block.note.startswith("not run"):
            assert block.note.removeprefix("not run: ") in documents.WHY, f"{block.where}: {block.note}"
        if block.language == "json":
            json_texts(block)


def json_texts(block):
    decoder, rest, texts = json.JSONDecoder(), block.text.strip(), []
    while rest:
        try:
            text, end = decoder.raw_decode(rest)
        except ValueError as error:
            raise AssertionError(f"{block.where}: {error}") from None
        texts.append(text)
        rest = rest[end:].strip()
    return texts


def test_few_are_left_out():
    """The list is shown; commands of other documents than these are never left out."""
    left = [block for path in documents.OPERATORS for block in documents.read(path) if block.is_left_out]
    print("\n".join(f"{block.where}: {block.note}" for block in left))
    assert len(left) <= LEFT_OUT
    run = collections.Counter(block.path for path in documents.OPERATORS for block in documents.read(path)
                              if block.language == "sh" and not block.is_left_out)
    assert sum(run.values()) > 3 * len(left)


def test_a_line_of_a_document_is_that_line_of_the_script(tmp_path):
    """And quotes, settings and what is left out come through as they are."""
    fake = tmp_path / "x.md"
    text = ("words\n```sh\necho \"it's\" $LINENO\n```\n<!-- goes on -->\n```sh\necho 'a b'; sleep 9\n```\n"
                    "```yaml\na: '$b'\n```\n<!-- not run: it wants a desktop -->\n```sh\nfalse\n```\n"
                    "```sh\ntrue\n\n%s\n```\n")
    fake.write_text(text % "false # here")
    lines = documents.script(fake).splitlines()
    assert lines[2] == "echo \"it's\" $LINENO" and lines[5:8] == ["goes_on '", "echo '\\''a b'\\''; sleep 9", "'"]
    assert lines[8:11] == [f"settings <<'{documents.HEREDOC}'", "a: '$b'", documents.HEREDOC]
    assert "false" not in lines[11:15]
    prelude = documents.PRELUDE.replace("cd /root\n", "") + "settings() { cat; }\n"
    for wrong, told in ("false # here", "x.sh:19: ended with 1: false"), ("false && true", "x.sh:20: ended with 1: [ $? = 0 ]"):
        fake.write_text(text % wrong)
        (tmp_path / "x.sh").write_text(documents.script(fake))
        ended = fleets.run(["bash", "-c", f"{prelude}. {tmp_path}/x.sh"], text=True)
        assert ended.returncode != 0 and ended.stdout.startswith("it's 3\na: '$b'\n"), ended
        assert f"{tmp_path}/{told}" in ended.stderr


def words_of_sources():
    """All string literals of the daemon, its workers and mcp-fleetctl; those that stand together are one."""
    paths = [path for folder in ("supervisor", "shared", "workers", "ctl") for path in (documents.TOP / folder).rglob("*.c")]
    return "\n".join(re.sub(r'"\s*\n?\s*"', "", path.read_text()) for path in paths)


def test_messages():
    """What doc/operating.md tells by its message is said in these words; … stands for what differs, of ours or the system's."""
    text = (documents.TOP / "doc/operating.md").read_text().split("\n## By the message\n")[1].split("\n## ")[0]
    rows = [row.split(" | ")[0] for row in text.splitlines() if row.startswith("| `")]
    told = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
    assert len(told) >= 20
    sources = words_of_sources()
    others = {os.strerror(number) for number in (errno.EADDRINUSE, errno.ENOENT, errno.EACCES, errno.EPERM)}
    missing = [(message, part) for message in told for part in message.split("…")
               if part.strip(" :.'") and part not in others and not is_said(part, sources, others)]
    assert not missing


def is_said(part, sources, others):
    for other in others:
        part = part.replace(other, "")
    return part.strip(": ") in sources


def prometheus_blocks():
    return [block for path in documents.OPERATORS for block in documents.read(path)
            if block.language == "yaml" and block.text.startswith(("scrape_configs:", "groups:"))]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.parametrize("block", prometheus_blocks(), ids=lambda block: block.where)
def test_prometheus(block, tmp_path):
    """With the rules of this tree in the place of those that the package installs."""
    rules = "/usr/share/doc/mcp-fleet/examples/mcp-fleet.rules.yml"
    path = tmp_path / "prometheus.yml"
    path.write_text(block.text.replace(rules, str(ETC / "prometheus/mcp-fleet.rules.yml")))
    ended = fleets.run(["promtool", "check", "config", path], text=True)
    assert ended.returncode == 0, f"{block.where}: {ended.stdout}{ended.stderr}"


# --- what does ------------------------------------------------------------------------------------

# What is installed is gone after each document, and what it changed.
PRISTINE = """
systemctl stop mcp-fleet.socket mcp-fleet
runuser -u me -- env XDG_RUNTIME_DIR=/run/user/$(id -u me) systemctl --user stop mcp-fleet
systemctl disable -q mcp-fleet.socket
rm -rf /etc/systemd/system/mcp-fleet.service.d /etc/systemd/system/mcp-fleet.socket.d /etc/mcp-fleet /var/lib/mcp-fleet \
	/home/me /srv /opt /tmp/* /etc/credstore
mkdir -p /etc/credstore
[ -x /usr/sbin/mcp-fleetd ] || apt-get install -y /root/mcp-fleet_*.deb
cp -a /root/pristine/. /
systemctl daemon-reload
systemctl reset-failed
systemctl enable -q mcp-fleet
systemctl start mcp-fleet
timeout 20 sh -c 'until mcp-fleetctl status; do sleep 0.1; done'
"""

# What the documents take for granted: a user, repositories, a server of somebody's own, files of desktop clients.
FURNISH = r"""
useradd --create-home --shell /bin/bash me
loginctl enable-linger me
install -d -o mcp-fleet -g mcp-fleet /srv/repos /srv/docs /srv/work
install -d /opt/notes /opt/cortex
install -m 755 /root/documents/notes_server.py /opt/notes/server
git init -q -b main /srv/repos/project
cd /srv/repos/project
printf '# Project\n' >README.md
git add README.md
git -c user.name=Ada -c user.email=ada@example.org commit -q -m 'Add readme'
chown -R mcp-fleet:mcp-fleet /srv/repos
mkdir -p /home/me/.config/Claude /home/me/.cursor /home/me/src /home/me/.config/mcp-fleet
echo '{"mcpServers": {"notes": {"command": "/opt/notes/server", "args": ["/srv/docs"]}}}' |
	tee /home/me/.cursor/mcp.json >/home/me/.config/Claude/claude_desktop_config.json
git init -q -b main /home/me/src
chown -R me:me /home/me
mkdir -p /root/pristine
cd /
cp -a --parents etc/mcp-fleet var/lib/mcp-fleet home/me srv opt /root/pristine
"""


@pytest.fixture(scope="module")
def machine(package, envs, tmp_path_factory):
    """Booted, with the package beside it but not installed."""
    new = machines.Machine(machines.root_for(package, envs), tmp_path_factory.mktemp("machine"))
    there = new.root / "root/documents"
    try:
        (there / "doc").mkdir(parents=True)
        (there / "prelude").write_text(documents.PRELUDE)
        shutil.copy(HERE / "workers/notes_server.py", there)
        for path in documents.OPERATORS:
            (there / name_of(path)).write_text(documents.script(path))
        shutil.copy(package, new.root / "root")
        yield new.boot()
    finally:
        new.close()


@pytest.fixture(scope="module")
def furnished(machine, tmp_path_factory):
    """With the package installed, and what the documents speak of."""
    machine.run("sh", "-c", "[ -x /usr/sbin/mcp-fleetd ] || apt-get install -y /root/mcp-fleet_*.deb")
    put_secrets(machine.root / "etc/mcp-fleet", tmp_path_factory.mktemp("authority"))
    machine.run("chgrp", "-R", "mcp-fleet", "/etc/mcp-fleet")
    machine.run("bash", "-e", "-c", FURNISH)
    return machine


def put_secrets(folder, scratch):
    """Certificates, tokens and headers at the places that the documents name."""
    authority = certs.Authority(scratch)
    cert, key = authority.server()
    for name, text in {"fleet.pem": cert + key, "fleet.key": key, "clients.pem": pathlib.Path(authority.path).read_bytes(),
                       "revoked.pem": authority.crl(), "search.headers": b"Authorization: Bearer x\n",
                       "otlp/headers": b"Authorization: Bearer x\n", "otlp/ca.pem": cert, "gateway.token": b"x\n",
                       "gateway.key": b"x\n"}.items():
        path = folder / name
        path.parent.mkdir(mode=0o750, exist_ok=True)
        path.write_bytes(text)
        path.chmod(0o640)


@pytest.fixture(scope="module")
def gateway(furnished, envs, tmp_path_factory):
    """A real one, at home in the machine's network; documents that name its port have it to themselves."""
    new = gateways.Gateway(tmp_path_factory.mktemp("gateway") / "g", envs / "venv-gateway", PORT=str(GATEWAY),
                           APP_DOMAIN=f"http://127.0.0.1:{GATEWAY}")
    new.port = GATEWAY
    try:
        with furnished.network():
            new.start()
        yield new
    finally:
        new.stop(grace=2)


@pytest.fixture
def fresh(furnished):
    """As it was when it was furnished."""
    furnished.run("bash", "-c", PRISTINE)
    return furnished


def run_document(machine, path):
    ended = machine.run("env", "HOME=/root", *documents.command(f"/root/documents/{name_of(path)}"), check=False, timeout=240)
    said = f"{ended.stdout}{ended.stderr}".replace("/root/documents/", "")
    print(said)
    assert ended.returncode == 0, "\n".join(said.splitlines()[-25:])


@pytest.mark.timeout(600)
def test_the_first_hour(machine):
    """README.md begins without the package."""
    machine.run("install", "-D", "/root/documents/notes_server.py", "/opt/notes/server")
    run_document(machine, documents.TOP / "README.md")
    machine.run("apt-get", "purge", "-y", "mcp-fleet")
    machine.run("rm", "-rf", "/var/lib/mcp-fleet", "/srv/repos")


WITH_COMMANDS = [path for path in documents.OPERATORS if path != documents.TOP / "README.md"
                 and any(block.language in ("sh", "yaml") for block in documents.read(path))]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", WITH_COMMANDS, ids=name_of)
def test_document(fresh, path, request):
    if f":{GATEWAY}" not in path.read_text():
        run_document(fresh, path)
        return
    gateway = request.getfixturevalue("gateway")
    with fresh.network():
        token = gateway.make_api_token(path.name)[1]
    (fresh.root / "etc/mcp-fleet/gateway.token").write_text(token)
    (fresh.root / "root/session").write_text(gateway.token)
    run_document(fresh, path)
    with fresh.network():
        gateway.empty()


CLIENTS = documents.TOP / "doc/clients.md"
FILES_OF_CLIENTS = [text for block in documents.read(CLIENTS) if block.language == "json" for text in json_texts(block)]
ENTRIES = [entry for text in FILES_OF_CLIENTS for entry in text.get("mcpServers", text.get("servers")).values()]
INITIALIZE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "entry", "version": "1"}}})


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.get("command", entry.get("url")))
def test_entry(fresh, entry):
    """As a client does that a user has started: by the program, for which membership in the group is said to do, or by HTTP."""
    as_me = ["runuser", "-u", "me", "--", "env", "HOME=/home/me"]
    fresh.run("usermod", "-G", "mcp-fleet" if entry.get("args") == ["stdio"] else "", "me")
    if "command" in entry:
        (settings,) = [block.text for block in documents.read(CLIENTS) if ">~/fleet.yaml" in block.text]
        fresh.run(*as_me, "bash", "-e", "-c", settings)
        command = [*as_me, entry["command"], *entry["args"]]
    else:
        key = fresh.run("mcp-fleetctl", "key", "add", "entry").stdout.strip()
        headers = [f"{name}: {re.sub('[$]{.*}', key, value)}" for name, value in entry["headers"].items()]
        headers += ["Content-Type: application/json", "Accept: application/json, text/event-stream"]
        command = ["curl", "-sf", "-d", "@-", *(word for header in headers for word in ("-H", header)), entry["url"]]
    told = fresh.run(*command, input=INITIALIZE + "\n").stdout
    assert '"serverInfo":{"name":"mcp-fleet"' in told


@pytest.mark.parametrize("client", ["claude-desktop", "claude-code", "cursor", "vscode"])
def test_entry_of_connect(fresh, client):
    assert json.loads(fresh.run("mcp-fleetctl", "connect", client, "--print").stdout) in FILES_OF_CLIENTS


SNIPPETS = [block for path in documents.OPERATORS for block in documents.read(path) if block.language in ("python", "js")]


@pytest.mark.parametrize("block", SNIPPETS, ids=lambda block: block.where)
def test_program(fresh, envs, tmp_path, block):
    """Out here, where the SDKs are, with a key of the fleet in the machine."""
    key = fresh.run("mcp-fleetctl", "key", "add", "snippet").stdout.strip()
    if block.language == "python":
        command = [envs / "venv-sdk2/bin/python", tmp_path / "program.py"]
    else:
        command = ["node", tmp_path / "program.mjs"]
        (tmp_path / "node_modules").symlink_to(envs / "node/node_modules")
    pathlib.Path(command[1]).write_text(block.text)
    with fresh.network():
        ended = fleets.run(command, text=True, cwd=tmp_path, env={"PATH": os.environ["PATH"], "FLEET_KEY": key, "NO_PROXY": "*"})
    assert ended.returncode == 0 and "HELLO" in ended.stdout, f"{block.where}: {ended}"
