"""How mcp-fleetd chooses its transport, and how it ends when it cannot start."""

import os
import socket

import pytest

import fleet as fleets

OPTIONS = ["--transport", "--config", "--check-config", "--dump-config", "--listen", "--root", "--domain", "--help", "--version"]


@pytest.fixture
def daemon(tmp_path):
    """Runs mcp-fleetd to its end with empty standard input."""
    def run(*args, settings=None, **env):
        if settings is not None:
            path = tmp_path / "fleet.yaml"
            path.write_text(settings)
            args = ("--config", str(path), *args)
        base = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **fleets.sanitizer_environment()}
        return fleets.run([*fleets.daemon_command(), *args], env={**base, **env}, cwd=tmp_path,
                          stdin=-3, timeout=20 * fleets.SLOWNESS)
    return run


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("value", ["http", "SSE", "Stdio", "sse ", " stdio", "", "streamable-http", "1"])
def test_invalid_transport_is_an_error_that_names_both(daemon, value):
    ended = daemon(MCP_TRANSPORT=value)
    assert ended.returncode == 2
    assert ended.stdout == b""
    lines = ended.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    assert "MCP_TRANSPORT" in lines[0] and "stdio" in lines[0] and "sse" in lines[0]


def test_invalid_transport_option(daemon):
    ended = daemon("--transport", "http")
    assert ended.returncode == 2
    assert ended.stdout == b""
    assert b"stdio" in ended.stderr and b"sse" in ended.stderr


def test_stdio_is_the_default_and_port_does_not_change_that(daemon):
    port = fleets.free_port()
    ended = daemon(settings="domains: {utils: {}}\n", PORT=str(port))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == b""
    assert not listens(port)


def test_stdio_written_out(daemon):
    ended = daemon(settings="domains: {utils: {}}\n", MCP_TRANSPORT="stdio")
    assert (ended.returncode, ended.stdout) == (0, b"")


def test_port_places_the_listener_of_sse(start_fleet):
    """Without a listener in the settings PORT is the port on the loopback address."""
    fleet = start_fleet(start=False)
    fleet.env["PORT"] = str(fleet.port)
    fleet.write_settings = lambda: fleet.settings_path.write_text("domains: {utils: {}}\n")
    fleet.start()
    with fleet.session() as session:
        assert session.tools()


def test_command_line_wins_over_environment(start_fleet):
    fleet = start_fleet(args=["--transport", "sse"], env={"MCP_TRANSPORT": "stdio"})
    with fleet.session() as session:
        assert session.tools()


def test_listen_option_replaces_the_listeners(start_fleet):
    port = fleets.free_port()
    fleet = start_fleet(args=["--listen", f"127.0.0.1:{port}"], wait=False)
    in_the_file, fleet.port = fleet.port, port
    fleet.wait_ready()
    assert not listens(in_the_file)


def test_domain_option_serves_only_those(start_fleet):
    fleet = start_fleet(
        domains={"fake": fleets.fake_domain("fake"), "other": fleets.fake_domain("other")},
        args=["--domain", "other"])
    with fleet.session() as session:
        assert {tool["name"].split("_")[0] for tool in session.tools()} == {"other"}
    assert fleet.get("/fake/sse").status == 404


@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1e400", "0x10"])
def test_invalid_heartbeat(daemon, value):
    ended = daemon(settings="domains: {utils: {}}\n", MCP_TRANSPORT="sse", SSE_HEARTBEAT_SECONDS=value)
    assert ended.returncode == 2
    assert b"SSE_HEARTBEAT_SECONDS" in ended.stderr


@pytest.mark.parametrize("value", ["0", "65536", "-1", "x", "80 ", "8000x"])
def test_invalid_port(daemon, value):
    ended = daemon(settings="domains: {utils: {}}\n", MCP_TRANSPORT="sse", PORT=value)
    assert ended.returncode == 2
    assert b"PORT" in ended.stderr


def test_help_names_every_option(daemon):
    ended = daemon("--help")
    assert (ended.returncode, ended.stderr) == (0, b"")
    text = ended.stdout.decode()
    assert [option for option in OPTIONS if option not in text] == []


def test_version(daemon):
    ended = daemon("--version")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.startswith(b"mcp-fleetd ")


@pytest.mark.parametrize("args", [["--no-such-option"], ["operand"], ["--config"], ["--transport"]])
def test_wrong_usage(daemon, args):
    ended = daemon(*args)
    assert ended.returncode == 2
    assert ended.stdout == b""
    assert ended.stderr


def test_check_config_accepts_and_starts_nothing(daemon):
    port = fleets.free_port()
    ended = daemon("--check-config", settings=f"listen: [{{address: '127.0.0.1:{port}'}}]\ndomains: {{utils: {{}}}}\n")
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("text, place, words", [
    ("domains: {utils: {}}\nlimit: {sessions: 3}\n", ":2:1:", ["limit", "limits"]),
    ("limits:\n  sesions: 3\n", ":2:3:", ["sesions", "sessions"]),
    ("limits:\n  sessions: many\n", ":2:13:", ["limits.sessions"]),
    ("limits:\n  session_idle: 3 parsecs\n", ":2:17:", ["limits.session_idle"]),
    ("domains: {utils: {}\n", ":", ["fleet.yaml"]),
    ("domains: {mine: {}}\n", ":1:", ["mine", "command"]),
    ("limits: {sessions: 1}\nlimits: {sessions: 2}\n", ":2:1:", ["limits"]),
    ("", "", []),
])
def test_check_config_names_place_and_key(daemon, text, place, words):
    ended = daemon("--check-config", settings=text)
    if not text:
        assert ended.returncode == 0, ended.stderr
        return
    assert ended.returncode == 2
    error = ended.stderr.decode()
    assert "fleet.yaml" + place in error
    assert [word for word in words if word not in error] == []


def test_settings_that_are_wrong_do_not_start(daemon):
    ended = daemon(settings="no_such_key: 1\n", MCP_TRANSPORT="sse")
    assert ended.returncode == 2
    assert b"no_such_key" in ended.stderr
    assert ended.stdout == b""


def test_settings_that_are_missing(daemon, tmp_path):
    ended = daemon("--config", str(tmp_path / "absent.yaml"))
    assert ended.returncode == 2
    assert b"absent.yaml" in ended.stderr


def test_unknown_domain_option(daemon):
    ended = daemon("--domain", "nonsense", settings="domains: {utils: {}}\n")
    assert ended.returncode == 2
    assert b"nonsense" in ended.stderr


def test_a_public_address_needs_auth_none_written_out(daemon):
    settings = "listen: [{address: '%s0.0.0.0:%d'}]\ndomains: {utils: {}}\n"
    port = fleets.free_port()
    ended = daemon("--check-config", settings=settings % ("http://", port))
    assert ended.returncode == 2
    assert b"auth" in ended.stderr
    ended = daemon("--check-config", settings=settings % ("", port) + "auth: none\n")
    assert ended.returncode == 2
    assert b"TLS" in ended.stderr
    assert daemon("--check-config", settings=settings % ("http://", port) + "auth: none\n").returncode == 0


def test_a_port_that_is_taken(daemon):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = daemon(settings=f"listen: [{{address: '127.0.0.1:{port}'}}]\ndomains: {{utils: {{}}}}\n",
                       MCP_TRANSPORT="sse")
    assert ended.returncode == 1
    assert str(port).encode() in ended.stderr
