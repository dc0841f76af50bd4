"""The official Python SDK, major versions 1 and 2, as a client over SSE and over stdio."""

import pytest

import doorkeys
import fleet as fleets
import sdk


@pytest.fixture(params=[1, 2], ids=["sdk1", "sdk2"])
def client(request, envs):
    return sdk.python_client(envs, request.param)


def each_way(sanitized):
    """Each client over each door. Under sanitizers one way of the four will do: there a tool's own code is looked at,
    which is the same whoever calls it; and the tests together have each client and each door there, too."""
    return pytest.mark.parametrize(("client", "reach"), [
        pytest.param(major, door, id=f"sdk{major}-{door}",
                     marks=[pytest.mark.sanitizers] if (major, door) == sanitized else [])
        for major in (1, 2) for door in ("sse", "stdio")], indirect=True)


@each_way(sanitized=(1, "stdio"))
def test_every_tool_of_utils(client, reach):
    sdk.every_tool_of_utils(client, reach({"utils": {}}))


@each_way(sanitized=(1, "sse"))
def test_every_tool_of_git(client, reach, repository):
    sdk.every_tool_of_git(client, reach({"git": sdk.git_domain(repository)}), repository)


@each_way(sanitized=(2, "stdio"))
def test_every_tool_of_network(client, reach, hosts):
    sdk.every_tool_of_network(client, reach({"network": hosts.domain()}), hosts)


@each_way(sanitized=(2, "sse"))
def test_every_tool_of_filesystem(client, reach, files):
    sdk.every_tool_of_filesystem(client, reach({"filesystem": sdk.filesystem_domain(files)}), files)


def test_progress(client, reach):
    sdk.progress(client, reach({"fake": fleets.fake_domain("fake")}))


def test_cancel(client, reach):
    sdk.cancel(client, reach({"fake": fleets.fake_domain("fake", concurrency=1)}))


@pytest.mark.parametrize(("door", "path"), [("sse", "/sse"), ("http", "/mcp")])
def test_with_a_key(client, start_fleet, tmp_path, door, path):
    """As a client's settings have it: a header beside the address."""
    keys = doorkeys.Keys(tmp_path).add("sdk").save()
    fleet = start_fleet()
    way = {door: fleet.url + path}
    sdk.every_tool_of_utils(client, {**way, "headers": keys.bearer("sdk")})
    assert "refused" not in fleet.log()
    with pytest.raises(AssertionError):
        client.run(way, "calls", calls=[])
    assert "with 401: a key or token is wanted" in fleet.log()


@pytest.mark.slow
def test_a_hundred_clients(client, start_fleet):
    fleet = start_fleet({"utils": {"processes": {"min": 2, "max": 2}}})
    sdk.many(client, {"sse": f"{fleet.url}/utils/sse"}, 100)
