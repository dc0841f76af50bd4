"""GET /metrics on the listener of admin.listen: the format, and that the numbers are those of the report."""

import pytest

import fleet as fleets
import wire
from metrics import read

pytestmark = pytest.mark.sanitizers


@pytest.fixture
def admin():
    return fleets.free_port()


def test_without_a_gateway(start_fleet, admin):
    fleet = start_fleet(settings={"admin": {"listen": f"127.0.0.1:{admin}"}})
    samples = read(admin)
    assert samples["mcp_fleet_ready"] == 1
    assert samples["mcp_fleet_uptime_seconds"] >= 0
    assert sum(name.startswith("mcp_fleet_build_info") for name in samples) == 1
    assert not any("gateway" in name for name in samples)
    with wire.Connection(admin) as connection:
        for target, status in (("/health", 200), ("/ready", 200), ("/sse", 404), ("/mcp", 404), ("/utils/sse", 404)):
            connection.request("GET", target)
            assert connection.read_response().status == status, target
    assert fleet.get("/metrics").status == 404


def test_a_gateway_that_is_not_there(start_fleet, admin, tmp_path):
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("secret-of-the-gateway\n")
    fleet = start_fleet(settings={
        "admin": {"listen": f"127.0.0.1:{admin}"},
        "gateway": {"url": f"http://127.0.0.1:{fleets.free_port()}", "token_file": str(token), "interval": "1s"}})
    fleet.check_fds = False
    fleets.wait_until(lambda: read(admin).get("mcp_fleet_gateway_errors_total"), 10, "a request has failed")
    samples = read(admin)
    assert samples["mcp_fleet_gateway_connected"] == 0
    assert samples['mcp_fleet_gateway_tools_found{domain="utils"}'] == 0
    assert samples['mcp_fleet_gateway_tools_wanted{domain="utils"}'] == 36
    assert samples["mcp_fleet_gateway_creates_total"] == 0
    assert samples["mcp_fleet_registrar_restarts_total"] == 0
    states = [name for name in samples if name.startswith("mcp_fleet_gateway_domain_state{")]
    assert len(states) == 1, states


def test_only_loopback(tmp_path):
    fleet = fleets.Fleet(tmp_path, {"utils": {}}, {"admin": {"listen": "0.0.0.0:9464"}})
    fleet.write_settings()
    done = fleets.run([*fleets.daemon_command(), "--check-config", "--config", str(fleet.settings_path)],
                      env=fleet.environment())
    assert done.returncode == 2
    assert b"admin.listen: 0.0.0.0:9464 is not a loopback address" in done.stderr


def test_the_port_is_taken(utils, tmp_path):
    (tmp_path / "other").mkdir()
    other = fleets.Fleet(tmp_path / "other", {"utils": {}}, {"admin": {"listen": f"127.0.0.1:{utils.port}"}})
    other.runtime.mkdir()
    other.write_settings()
    done = fleets.run([*fleets.daemon_command(), "--config", str(other.settings_path)], env=other.environment())
    other.kill_everything()
    assert done.returncode == 1
    assert b"Address already in use" in done.stderr
