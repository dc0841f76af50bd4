"""nginx in front of the daemon, with the file that operators copy (etc/nginx.conf): what it lets through and what
not, streams that stay open, and whom the daemon takes for its client. And the hook of certbot for the daemon's own TLS."""

import json
import os
import re
import signal
import socket
import ssl
import time

import certs
import doorkeys
import fleet as fleets
import pytest
import sdk
import wire
from nginx import CONFIGURATION, Nginx
from proxies import NAME, PRIVATE, Behind, replace, sessions_of, settings_behind
from streamable import BOTH, Door, Modern

MIB = 1024 * 1024
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
SHORT_HEARTBEAT = {"SSE_HEARTBEAT_SECONDS": "0.5"}
# The daemon asks nginx with each stream not to hold it back; without that it is as the file says.
UNASKED = {"proxy_cache off;": "proxy_cache off; proxy_ignore_headers X-Accel-Buffering;"}
CLIENT, OTHER = "127.0.0.2", "127.0.0.3"
sanitizers = pytest.mark.sanitizers


@pytest.fixture
def authority(tmp_path):
    return certs.Authority(tmp_path)


@pytest.fixture
def start_nginx(start_fleet, tmp_path, authority):
    """start_nginx(fleet, …) before it; ended before the fleets are, which counts their descriptors."""
    started = []

    def start(*daemons, **options):
        new = Nginx(tmp_path, authority, [each if isinstance(each, int) else each.port for each in daemons], **options)
        started.append(new)
        return new.start()

    yield start
    wire.close_all()
    for each in started:
        each.stop()


@pytest.fixture
def keys(tmp_path):
    return doorkeys.Keys(tmp_path).add("client").add("boss", admin=True).save()


@pytest.fixture
def behind(start_fleet, start_nginx, keys, tmp_path):
    def start(settings=None, changes=None, env=None, name=NAME):
        fleet = start_fleet({"utils": {}, "fake": fleets.fake_domain("fake")}, fleets.merge(
            settings_behind(tmp_path, name), settings or {}), env)
        return Behind(fleet, start_nginx(fleet, changes=changes, name=name), keys, tmp_path / "audit.jsonl")
    return start


def echo(session, text="x"):
    assert json.loads(session.call("fake_echo", {"text": text})["result"]["content"][0]["text"])["text"] == text


def text_of(response):
    assert response.status == 200, response
    return response.json()["result"]["content"][0]["text"]


# --- streams --------------------------------------------------------------------------------------


@sanitizers
def test_events_are_not_held_back(behind):
    """Each is there while the stream stays open, the first one too."""
    with behind(changes=UNASKED, env=SHORT_HEARTBEAT).session() as session:
        assert [session.stream.read_event().name for _ in range(3)] == ["ping"] * 3
        echo(session)
        assert session.stream.read_event().name == "ping"


def test_without_the_setting_they_would_be(behind):
    """That the test above can fail."""
    started = behind(changes={**UNASKED, "proxy_buffering off;": "proxy_buffering on;"}, env=SHORT_HEARTBEAT)
    with started.proxy.connect() as connection:
        connection.request("GET", "/sse", {"Accept": "text/event-stream", **started.key})
        with pytest.raises(TimeoutError):
            connection.take_until(b"event: ", time.monotonic() + 2)


SECONDS = {"s": 1, "m": 60, "h": 3600}
BYTES = {"k": 1024, "KiB": 1024, "m": MIB, "MiB": MIB}


def numbers(path, pattern, units):
    """All values of a setting in a file."""
    found = re.findall(rf"{pattern}[: ]+(\d+)(\w+)", path.read_text())
    assert found, f"{path.name} has no {pattern}"
    return [int(number) * units[unit] for number, unit in found]


def test_numbers_fit_the_daemon():
    """Those of the file, and the daemon's defaults (tests/unit/test_conf_docs.c has etc/fleet.yaml compared with them)."""
    def default(key, units=SECONDS):
        return max(numbers(CONFIGURATION.with_name("fleet.yaml"), rf"#{key}", units))

    def ours(pattern, units=SECONDS):
        return min(numbers(CONFIGURATION, pattern, units))

    assert ours("proxy_read_timeout") >= 4 * default("heartbeat")
    assert ours("proxy_read_timeout") > default("call_timeout")
    assert ours(r"keepalive 32;\s+keepalive_timeout") < default("keepalive_timeout")
    assert default("request_bytes", BYTES) < ours("client_max_body_size", BYTES) <= 2 * default("request_bytes", BYTES)
    assert ours("large_client_header_buffers 4", BYTES) >= default("header_bytes", BYTES)


@pytest.mark.parametrize("kind", ["sse", "http"])
def test_heartbeats_keep_streams_open(behind, kind):
    """Longer than nginx waits for anything to come."""
    started = behind(changes={"proxy_read_timeout 5m;": "proxy_read_timeout 2s;"}, env=SHORT_HEARTBEAT)
    if kind == "sse":
        with started.session() as session:
            session.call("fake_sleep", {"seconds": 5})
            echo(session)
    else:
        door = started.door()
        door.open()
        listening = door.listen()
        stream = door.stream("POST", door.call("fake_sleep", {"seconds": 5}))
        assert [event.json()["id"] for event in stream.rest() if event.data] == [door.last_number]
        assert stream.comments >= 3
        door.post(door.call("fake_add_tool", {"name": "later"}))
        event = listening.read()
        while not event.data:  # the first one is there to be carried on from
            event = listening.read()
        assert event.json()["method"] == "notifications/tools/list_changed"
        listening.close()
        stream.close()


def test_a_stream_without_heartbeats_is_cut(behind):
    """That the test above can fail."""
    started = behind(changes={"proxy_read_timeout 5m;": "proxy_read_timeout 1s;"})
    with started.session() as session:
        assert session.stream.has_ended(10)


@sanitizers
def test_a_client_that_leaves(behind):
    started = behind()
    session = started.session()
    assert started.sessions() == 1
    session.close()
    fleets.wait_until(lambda: started.sessions() == 0, 10, "its session has ended")


def test_a_client_that_does_not_read(behind):
    """nginx keeps nothing for it, so that the daemon notices, and closes its session."""
    started = behind()
    session = started.session()
    session.timeout = 30
    for number in range(8):
        session.post({"jsonrpc": "2.0", "id": 100 + number, "method": "tools/call", "params": {
            "name": "fake_big", "arguments": {"bytes": 3 * MIB}}})
    fleets.wait_until(lambda: started.sessions() == 0, 20, "its session has ended")


def test_a_client_that_sends_slowly(behind):
    """It holds up nginx; the daemon hears of it when all is there."""
    started = behind()
    fds = fleets.count_fds(started.fleet.pid)
    body = json.dumps(Modern(0).request("tools/list")).encode()
    with started.proxy.connect() as connection:
        headers = started.door(Modern).headers(Mcp_Method="tools/list")
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.send(f"POST /mcp HTTP/1.1\r\nHost: {NAME}\r\n{head}Content-Length: {len(body)}\r\n\r\n")
        connection.send(body[:20])
        assert fleets.stays(lambda: fleets.count_fds(started.fleet.pid) == fds, 1)
        connection.send(body[20:])
        assert connection.read_response().status == 200


# --- calls ----------------------------------------------------------------------------------------


@sanitizers
def test_every_transport(behind):
    """Progress on the way, large answers and small ones."""
    started = behind()
    with started.session() as session:
        echo(session)
        assert session.call("fake_big", {"bytes": 3 * MIB})["result"]["content"][0]["text"] == "x" * 3 * MIB
    for kind in (Door, Modern):
        door = started.door(kind)
        if kind is Door:
            door.open()
        assert json.loads(text_of(door.post(door.call("fake_echo", {"text": "y"}))))["text"] == "y"
        assert text_of(door.post(door.call("fake_big", {"bytes": 3 * MIB}))) == "x" * 3 * MIB
        stream = door.stream("POST", door.call("fake_progress", {"steps": 3}, progressToken="t"))
        *progress, answer = [event.json() for event in stream.rest() if event.data]
        assert [each["params"]["progress"] for each in progress] == [1, 2, 3]
        assert answer["result"]["content"][0]["text"] == "done"
        stream.close()
        if kind is Door:
            assert door.end().status == 204
    for path in ("/utils/mcp", "/fake/mcp"):
        door = started.door(target=path)
        door.open()
        assert door.post(door.request("tools/list")).status == 200


@pytest.mark.parametrize("client", ["python 1 sse", "python 1 http", "python 2 http", "typescript sse", "typescript http"])
def test_sdks(behind, envs, authority, monkeypatch, client):
    """They look up the name, so it is one that this machine has."""
    monkeypatch.setenv("SSL_CERT_FILE", authority.path)
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", authority.path)
    monkeypatch.setenv("NO_PROXY", "*")
    started = behind(settings={"auth": "none"}, name="localhost")
    language, *major, transport = client.split()
    program = sdk.python_client(envs, int(major[0])) if major else sdk.typescript_client(envs)
    url = f"https://localhost:{started.proxy.port}/{'mcp' if transport == 'http' else 'sse'}"
    said = program.run({transport: url}, "calls", calls=[
        {"tool": "fake_echo", "arguments": {"text": language}}, {"tool": "fake_big", "arguments": {"bytes": 100_000}}])
    first, second = (result["result"]["content"][0]["text"] for result in said["results"])
    assert json.loads(first)["text"] == language
    assert second == "x" * 100_000


def test_http_2(behind):
    """As the file says to add it."""
    started = behind(changes={"listen 443 ssl;": "listen 443 ssl http2;"})
    nginx = started.proxy
    ended = fleets.run(["curl", "-sSN", "--http2", "--noproxy", "*", "--max-time", "2", "--insecure",
                        "--resolve", f"{NAME}:{nginx.port}:127.0.0.1", "-H", f"Authorization: {started.key['Authorization']}",
                        "-D", "-", f"https://{NAME}:{nginx.port}/sse"])
    assert ended.stdout.startswith(b"HTTP/2 200"), ended
    assert b"event: endpoint\ndata: /messages?session_id=" in ended.stdout
    assert ended.returncode == 28, ended  # the stream was open until curl had enough


# --- what goes through ----------------------------------------------------------------------------


def test_headers(start_nginx):
    """As the daemon gets them. What a client writes itself is not among them where nginx knows better."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        nginx = start_nginx(server.getsockname()[1])
        sent = {
            "Authorization": "Bearer " + "t" * 9000, "X-API-Key": "k", "Origin": "https://app.example.org",
            "Mcp-Session-Id": "s", "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "=?base64?eA==?=",
            "Mcp-Param-tenant_id": "7", "Mcp-Param-a.b": "8", "Last-Event-ID": "9", "Accept": BOTH,
            "Content-Type": "application/json", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        forged = {"X-Forwarded-For": "192.0.2.1", "x-forwarded-for": "192.0.2.2", "X-Forwarded-Proto": "http", "Connection": "close"}
        with nginx.connect(CLIENT) as client:
            client.request("POST", "/mcp?a=%20", {**sent, **forged}, "{}")
            with server.accept()[0] as upstream:
                upstream.settimeout(10)
                head, body = upstream.recv(65536).decode().split("\r\n\r\n")
                upstream.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
                assert client.read_response().status == 202
        first, *lines = head.split("\r\n")
        assert (first, body) == ("POST /mcp?a=%20 HTTP/1.1", "{}")
        got = [line.split(": ", 1) for line in lines]
        assert len(dict(got)) == len(got), got
        assert dict(got) == {**sent, "Host": NAME, "X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https",
                             "Content-Length": "2"}


@sanitizers
def test_what_is_private(behind):
    """Also for who may see it, and where the daemon would show it to clients."""
    started = behind({"admin": {"public": True}})
    boss = started.keys.bearer("boss")
    for path in ("/metrics", "/status", "/ready"):
        assert started.fleet.get(path, **boss).status == 200
    for path in PRIVATE:
        response = started.proxy.get(path, boss)
        assert response.status in (400, 404, 405), (path, response)
        assert b"mcp_fleet_" not in response.body and b"mcp-fleet" not in response.body, (path, response)
    assert started.proxy.get("/health").status == 200


def test_refusals_of_the_daemon(behind):
    """Whole: status, headers, body."""
    started = behind({"limits": {"per_address": {"rate": 1, "burst": 4}}})
    nginx = started.proxy
    refused = nginx.get("/mcp")
    assert refused.status == 401
    assert refused.header("WWW-Authenticate").startswith("Bearer")
    assert "a key or token is wanted" in refused.json()["error"]["message"]
    statuses = [nginx.get("/sse", {"Authorization": "Bearer x"}, OTHER) for _ in range(8)]
    limited = [answer for answer in statuses if answer.status == 429]
    assert limited and int(limited[0].header("Retry-After")) >= 1
    assert "limits.per_address.rate" in limited[0].json()["error"]
    unknown = started.post(PING, CLIENT, **{"Mcp-Session-Id": "00000000-0000-4000-8000-000000000000"})
    assert unknown.status == 404 and "error" in unknown.json()
    assert nginx.get("/health").header("Strict-Transport-Security")


@sanitizers
def test_large_bodies(behind):
    """What the daemon takes, what it refuses itself, and what nginx refuses."""
    started = behind()
    door = started.door()
    door.open()

    def post(size):
        body = json.dumps({**PING, "params": {"pad": ""}}).encode()
        return door.post(body.replace(b'""', b'"' + b"p" * (size - len(body)) + b'"'))

    assert post(4 * MIB).status == 200
    refused = post(4 * MIB + 1)
    assert refused.status == 413
    assert "limits.request_bytes" in refused.json()["error"]
    assert post(5 * MIB + 1).status == 413
    assert post(100).status == 200


def test_other_names_and_plain_http(behind):
    started = behind()
    nginx = started.proxy
    for name in ("other.example.org", "127.0.0.1"):
        with pytest.raises(ssl.SSLError, match="unrecognized name"):
            with nginx.connect(name=name):
                pass
    with nginx.connect() as connection:  # one name for TLS, another for HTTP
        connection.send("GET /sse HTTP/1.1\r\nHost: other.example.org\r\n\r\n")
        assert connection.read_response().status in (400, 404, 421)
    with wire.Connection(nginx.plain_port) as connection:
        connection.request("GET", "/sse", started.key)
        refused = connection.read_response()
        assert refused.status == 403
        assert "https://" in refused.json()["error"]
        (nginx.folder / "acme" / ".well-known" / "acme-challenge" / "abc").write_text("proof")
        connection.request("GET", "/.well-known/acme-challenge/abc")
        assert connection.read_response().body == b"proof"
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        nginx.context.minimum_version = nginx.context.maximum_version = version
        assert nginx.get("/health").status == 200
    old = fleets.run(["openssl", "s_client", "-connect", f"127.0.0.1:{nginx.port}", "-servername", NAME, "-tls1_1",
                      "-cipher", "ALL:@SECLEVEL=0"], input=b"")
    assert old.returncode != 0 and b"alert protocol version" in old.stderr, old


def test_ids_of_sessions_are_in_no_log(behind):
    started = behind()
    with started.session() as session:
        echo(session)
        number = session.endpoint.split("session_id=")[1]
    fleets.wait_until(lambda: "POST /messages HTTP/1.1" in started.proxy.log(), 5, "the line")
    assert number not in started.proxy.log()


# --- who the client is ----------------------------------------------------------------------------


FORGERIES = [{}, {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "192.0.2.1, 127.0.0.1"},
             {"X-Forwarded-For": "192.0.2.1, 127.0.0.1", "x-forwarded-for": "127.0.0.1"},
             {"Forwarded": "for=192.0.2.1", "X-Real-IP": "192.0.2.1", "X-Forwarded-For": "nonsense"}]


@sanitizers
@pytest.mark.parametrize("is_trusted", [True, False])
def test_the_client(behind, is_trusted):
    """It is who has connected to nginx, whatever it says; to a daemon that does not trust nginx, nginx."""
    started = behind({} if is_trusted else {"http": {"trusted_proxies": ["192.0.2.99"]}})
    # A client on the machine of nginx has an address that is trusted.
    for source in (CLIENT, OTHER, "127.0.0.1"):
        for forged in FORGERIES:
            door = started.door(Modern, source=source)
            door.credential = {**door.credential, **forged}
            assert door.post(door.call("fake_echo", {"text": "x"})).status == 200
            last = source if is_trusted else "127.0.0.1"
            fleets.wait_until(lambda: started.clients()[-1:] == [last], 5, f"the record; {forged}: {started.clients()}")
    assert len(started.clients()) == 3 * len(FORGERIES)
    assert set(started.clients()) == ({CLIENT, OTHER, "127.0.0.1"} if is_trusted else {"127.0.0.1"})
    assert started.proxy.get("/mcp", source=CLIENT).status == 401
    fleets.wait_until(lambda: "refused GET" in started.fleet.log(), 5, "the line")
    refusals = [json.loads(line) for line in started.fleet.log().splitlines() if "refused GET" in line]
    assert refusals[-1]["client_ip"] == (CLIENT if is_trusted else "127.0.0.1")


def test_limits_of_each_client(behind):
    """Whoever writes other addresses has no more for it."""
    started = behind({"limits": {"per_address": {"rate": 1, "burst": 2, "sessions": 1}}})
    statuses = [started.proxy.get("/mcp", {"X-Forwarded-For": f"192.0.2.{n}"}, CLIENT).status for n in range(6)]
    assert statuses[:2] == [401, 401] and statuses.count(429) >= 2
    assert started.proxy.get("/mcp", source=OTHER).status == 401
    with started.stream(source="127.0.0.4"):
        assert started.proxy.get("/sse", started.key, "127.0.0.4").status == 429
        with started.stream(source="127.0.0.5") as stream:
            assert stream.read_event().name == "endpoint"


def test_connections_of_each_client(behind):
    """Those with a request or stream are nginx's to count: to the daemon all come from one address."""
    started = behind()
    held = [started.stream(source=CLIENT) for _ in range(64)]
    assert {stream.read_event().name for stream in held} == {"endpoint"}
    assert started.proxy.get("/health", source=CLIENT).status == 429
    assert started.proxy.get("/health", source=OTHER).status == 200
    held.pop().close()
    fleets.wait_until(lambda: started.proxy.get("/health", source=CLIENT).status == 200, 5, "a place is free")


@sanitizers
@pytest.mark.parametrize("is_trusted", [True, False])
def test_https_is_seen(behind, tmp_path, is_trusted):
    """Where clients are sent for a token, and how an endpoint is named."""
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("a secret of the tests, of 32 bytes and more")
    started = behind({
        "auth": {"issuer": "https://issuer.example.org", "audience": ["fleet"], "secret_file": str(secret)},
        "http": {} if is_trusted else {"trusted_proxies": ["192.0.2.99"]}})
    scheme = "https" if is_trusted else "http"
    for forged in ({}, {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "ftp", "X-Forwarded-Host": "evil.example.org"}):
        challenge = started.proxy.get("/mcp", forged).header("WWW-Authenticate")
        assert f'resource_metadata="{scheme}://{NAME}/.well-known/oauth-protected-resource/mcp"' in challenge
        meta = started.proxy.get("/.well-known/oauth-protected-resource/mcp", forged)
        assert meta.json()["resource"] == f"{scheme}://{NAME}/mcp"
    domain = started.proxy.get("/.well-known/oauth-protected-resource/utils/sse")
    assert domain.json()["resource"] == f"{scheme}://{NAME}/utils/sse"
    with started.session() as session:
        assert session.endpoint.startswith("/messages?session_id=")


def test_pages(behind):
    """Of the same origin; of another one only where it is named."""
    started = behind({"http": {"allowed_origins": ["https://app.example.org"]}})
    for origin, status in ((f"https://{NAME}", 401), ("https://app.example.org", 401), ("https://evil.example.org", 403)):
        answer = started.proxy.get("/mcp", {"Origin": origin})
        assert answer.status == status
        assert answer.header("Access-Control-Allow-Origin") == (origin if status == 401 else None)


# --- restarts -------------------------------------------------------------------------------------


def test_nginx_is_reloaded(behind):
    """An open stream goes on with the old workers."""
    started = behind()
    with started.session() as session:
        echo(session)
        started.proxy.reload()
        assert session.poster.is_closed()  # nothing was asked there
        session.poster = None
        echo(session, "over the new ones, heard from the old one")
        with started.session() as other:
            echo(other)
        echo(session)
        fleets.wait_until(lambda: started.sessions() == 1, 5, "the other has left")


def test_the_daemon_is_restarted(behind):
    """While it is away nginx says so; then all is as before, but for the sessions."""
    started = behind()
    started.fleet.check_fds = False  # nginx keeps connections
    session = started.session()
    door = started.door()
    door.open()
    started.fleet.stop()
    assert session.stream.has_ended(10)
    session.close()
    assert started.proxy.get("/health").status == 502
    assert started.post(PING).status == 502
    started.fleet.start()
    started.fleet.check_fds = False
    assert started.proxy.get("/health").status == 200
    assert door.post(door.request("ping")).status == 404  # by which a client knows to open a new one
    door.id = None
    door.open()
    with started.session() as session:
        echo(session)


# --- several daemons ------------------------------------------------------------------------------


SEVERAL = {"#hash $remote_addr consistent;": "hash $remote_addr consistent;",
           "#server 127.0.0.1:8001;": "server 127.0.0.1:8001;"}


def test_several_daemons(start_fleet, start_nginx, keys, tmp_path):
    """Each client keeps its own; when that is away, another one takes it in."""
    daemons = []
    for number in range(2):
        fleet = start_fleet(settings={"auth": {"keys_file": str(keys.path)}, "http": {
            "allowed_hosts": [NAME], "trusted_proxies": ["127.0.0.1"]}}, start=False)
        fleet.settings_path = tmp_path / f"fleet-{number}.yaml"
        fleet.check_fds = False
        daemons.append(fleet.start())
        fleet.check_fds = False
    nginx = start_nginx(*daemons, changes=SEVERAL)
    key = keys.bearer("client")
    sources = [f"127.0.0.{n}" for n in range(10, 26)]
    sessions = [nginx.session(key, source) for source in sources]
    doors = [nginx.door(Door, key, source) for source in sources]
    for session, door in zip(sessions, doors, strict=True):
        door.open()
        for _ in range(3):
            session.poster = session.poster and session.poster.close()  # over another connection each time
            assert session.request("ping")["result"] == {}
            assert door.post(door.request("ping")).status == 200
    counts = [sessions_of(fleet) for fleet in daemons]
    assert sum(counts) == 2 * len(sources) and all(counts), counts
    daemons[0].stop()
    gone = [session.stream.has_ended(0.2) for session in sessions]
    assert sum(gone) * 2 == counts[0]
    for is_gone, session, door in zip(gone, sessions, doors, strict=True):
        answer = door.post(door.request("ping"))
        if is_gone and answer.status == 502:  # the one try that found out
            answer = door.post(door.request("ping"))
        assert answer.status == (404 if is_gone else 200)
        session.close()
        door.id = None
        door.open()
        with nginx.session(key, door.options["source"]) as again:
            assert again.request("ping")["result"] == {}


# --- TLS of the daemon itself ---------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="the hook gives a file of root's to a group: run as root")
def test_the_hook_of_certbot(start_fleet, authority, tmp_path):
    """etc/certbot/mcp-fleet, with only its name, file and group replaced, and a systemctl that knows one unit."""
    lineage = tmp_path / "live" / NAME
    lineage.mkdir(parents=True)
    file = tmp_path / "fleet.pem"
    authority.write_server(file, serial=1)
    fleet = start_fleet(start=False)
    fleet.settings = {"listen": [{"address": f"https://127.0.0.1:{fleet.port}"}], "tls": {"cert_file": str(file)}}
    fleet.start(wait=False)
    programs = tmp_path / "bin"
    programs.mkdir()
    systemctl = programs / "systemctl"
    systemctl.write_text(f"#!/bin/sh\n[ \"$*\" = 'try-reload-or-restart mcp-fleet.service' ] && kill -HUP {fleet.pid}\n")
    systemctl.chmod(0o755)
    source = CONFIGURATION.parent / "certbot" / "mcp-fleet"
    hook = tmp_path / "hook"

    def serial():
        try:
            with wire.Connection(fleet.port, tls=authority.context()) as connection:
                return certs.serial_of(connection)
        except ConnectionRefusedError:
            return None

    def renew(number, name=NAME, group="root"):
        hook.write_text(replace(source.read_text(), {
            "file=/etc/mcp-fleet/fleet.pem": f"file={file}", "group=mcp-fleet": f"group={group}"}))
        cert, key = authority.server(serial=number)
        (lineage / "fullchain.pem").write_bytes(cert)
        certs.write_private(lineage / "privkey.pem", key)
        return fleets.run(["sh", str(hook)], env={"PATH": f"{programs}:{os.environ['PATH']}",
                                                  "RENEWED_LINEAGE": str(lineage.with_name(name))})

    fleets.wait_until(lambda: serial() == 1, 20, "the daemon listens")
    ended = renew(2)
    assert ended.returncode == 0, ended
    fleets.wait_until(lambda: serial() == 2, 5, "the new certificate")
    assert file.stat().st_mode & 0o777 == 0o640
    assert renew(3, name="other.example.org").returncode == 0
    assert renew(4, group="no-such-group").returncode != 0
    assert not list(tmp_path.glob("fleet.pem.*"))
    fleet.signal(signal.SIGHUP)
    fleets.wait_until(lambda: fleet.log().count("reload") >= 2, 5, "the reload")
    assert serial() == 2
