"""Addresses backwards: net_dns_lookup asks for the names of those only that may be connected to."""

import os
import pathlib

import pytest

from netpeers import A, CNAME, PTR, NameServer
from stdio_worker import StdioWorker, ToolFailed

WORKER = pathlib.Path(os.environ.get("MCP_FLEET_BUILD", "build")) / "worker-network"


@pytest.fixture
def start():
    started = []

    def make(**settings):
        started.append(StdioWorker(WORKER, settings=settings))
        return started[-1]

    yield make
    for each in started:
        assert each.close() == 0


BACKWARDS = {
    "8.8.8.8.in-addr.arpa": [(PTR, "public.test")],
    "5.0.0.10.in-addr.arpa": [(PTR, "secret.test")],
    "alias.test": [(CNAME, "5.0.0.10.in-addr.arpa"), (PTR, "secret.test")],
    "good.test": [(CNAME, "8.8.8.8.in-addr.arpa"), (PTR, "public.test")],
}


@pytest.fixture
def names():
    started = NameServer(lambda name, kind, n: BACKWARDS.get(name))
    yield started
    started.close()


@pytest.mark.sanitizers
def test_private_addresses_are_not_looked_up_backwards(start, names):
    """Else the names of a whole network could be read one after the other."""
    worker = start(dns_servers=[names.address])
    for name in ("10.0.0.5", "5.0.0.10.in-addr.arpa", "5.0.0.10.IN-ADDR.arpa.", "::1", "::ffff:10.0.0.5",
                 "fe80::1", "127.0.0.2"):
        with pytest.raises(ToolFailed, match="^address_refused: .*domains.network.allow"):
            worker.call("net_dns_lookup", name=name, type="PTR")
    assert names.questions == {}
    assert worker.data("net_dns_lookup", name="8.8.8.8", type="PTR")["answers"][0]["data"] == "public.test"
    assert len(worker.data("net_dns_lookup", name="good.test", type="PTR")["answers"]) == 2
    with pytest.raises(ToolFailed, match="^address_refused: 10.0.0.5 "):
        worker.call("net_dns_lookup", name="alias.test", type="PTR")


def test_addresses_that_are_allowed_or_denied_backwards(start, names):
    worker = start(dns_servers=[names.address], allow=["10.0.0.0/24"], deny=["8.8.8.0/24"])
    assert worker.data("net_dns_lookup", name="10.0.0.5", type="PTR")["answers"][0]["data"] == "secret.test"
    assert worker.error_code("net_dns_lookup", name="10.0.1.5", type="PTR") == "address_refused"
    assert worker.error_code("net_dns_lookup", name="8.8.8.8", type="PTR") == "address_refused"


def test_a_private_answer_is_shown(start):
    """It is how one finds out why a page is refused."""
    dns = NameServer(lambda name, kind, n: [(A, "10.0.0.5")])
    worker = start(dns_servers=[dns.address])
    assert worker.data("net_dns_lookup", name="inside.test")["answers"][0]["data"] == "10.0.0.5"
    assert worker.error_code("fetch_url", url="http://inside.test/") == "address_refused"
    dns.close()
