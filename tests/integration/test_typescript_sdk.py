"""The official TypeScript SDK as a client over SSE and over stdio."""

import pytest

import fleet as fleets
import sdk


@pytest.fixture
def client(envs):
    return sdk.typescript_client(envs)


def test_every_tool_of_utils(client, reach):
    sdk.every_tool_of_utils(client, reach({"utils": {}}))


def test_every_tool_of_git(client, reach, repository):
    sdk.every_tool_of_git(client, reach({"git": sdk.git_domain(repository)}), repository)


def test_every_tool_of_network(client, reach, hosts):
    sdk.every_tool_of_network(client, reach({"network": hosts.domain()}), hosts)


@pytest.mark.sanitizers
def test_every_tool_of_filesystem(client, reach, files):
    sdk.every_tool_of_filesystem(client, reach({"filesystem": sdk.filesystem_domain(files)}), files)


def test_progress(client, reach):
    sdk.progress(client, reach({"fake": fleets.fake_domain("fake")}))


def test_cancel(client, reach):
    sdk.cancel(client, reach({"fake": fleets.fake_domain("fake", concurrency=1)}))


@pytest.mark.slow
def test_a_hundred_clients(client, start_fleet):
    fleet = start_fleet({"utils": {"processes": {"min": 2, "max": 2}}})
    sdk.many(client, {"sse": f"{fleet.url}/utils/sse"}, 100)
