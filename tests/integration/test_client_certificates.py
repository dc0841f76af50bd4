"""Certificates of clients: whom they stand for, what they may do, who is not talked to, whose a session is, and what
happens when a certificate is revoked or its key taken away."""

import contextlib
import json
import pathlib
import signal
import socket
import ssl
import time

import certs
import doorkeys
import fleet as fleets
import pytest
import wire
from cryptography import x509
from streamable import Door, Modern
from tlsdoor import connect, door

pytestmark = pytest.mark.sanitizers

REVOKED = "its certificate has been revoked (tls.client_crl_file)"
NO_LIST = "there is no valid list of what its authority has revoked (tls.client_crl_file)"
STRANGER = {"Authorization": "Bearer mcpf_aaaaaaaa_" + "A" * 43}


@pytest.fixture
def keys(tmp_path):
    return doorkeys.Keys(tmp_path)


@pytest.fixture
def start(start_tls, authority, keys):
    """A fleet that asks for certificates, with the keys that the test has made."""
    def make(mode="optional", settings=None, **tls):
        keys.save()
        return start_tls({"client_ca_file": authority.path, "client_certs": mode, **tls}, settings)
    return make


def ask_as(fleet, authority, client, headers=(), target="/mcp"):
    """The answer that a client with this certificate gets to tools/list; None: TLS has refused it."""
    request = Modern(0).request("tools/list")
    try:
        with connect(fleet, authority.context(client)) as connection:
            connection.request("POST", target, Modern(0).headers(Mcp_Method="tools/list", **dict(headers)), json.dumps(request))
            return connection.read_response()
    except (ssl.SSLError, ConnectionError):
        return None


def twin_of(authority):
    """Another one of the same name."""
    folder = authority.folder / "twin"
    folder.mkdir()
    return certs.Authority(folder, "Test authority")


def status_as(*args, **options):
    answer = ask_as(*args, **options)
    return answer and answer.status


def tools_as(*args, **options):
    return {tool["name"] for tool in ask_as(*args, **options).json()["result"]["tools"]}


def wait_for(fleet, words):
    """A client may hear of its refusal before the log does."""
    fleets.wait_until(lambda: words in fleet.log(), 10, words)


def reload(fleet, words):
    """SIGHUP, and what the log must say then."""
    at = len(fleet.log())
    fleet.signal(signal.SIGHUP)
    fleets.wait_until(lambda: words in fleet.log()[at:], 10, words)


# --- who is let in --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["optional", "required"])
def test_who_is_let_in(start, tmp_path, authority, keys, mode):
    keys.add("bearer").add("ci", certificates=["ci.example.org"]).add("late", certificates=["late"], expires=doorkeys.when(-5))
    other = certs.Authority(tmp_path, "Other authority")
    twin = twin_of(authority)  # the name of ours, and another key
    fleet = start(mode)
    without = 401 if mode == "optional" else None
    assert status_as(fleet, authority, authority.write_client("ci.example.org")) == 200
    assert status_as(fleet, authority, None) == without
    assert status_as(fleet, authority, None, keys.bearer("bearer")) == (200 if mode == "optional" else None)
    for unknown in ("nobody.example.org", "CI.example.org", "ci.example.org.", "*.example.org", "late"):
        answer = ask_as(fleet, authority, authority.write_client(unknown))
        assert answer.status == 401, unknown
        assert answer.header("WWW-Authenticate").startswith("Bearer ")
    refused = {
        "expired": authority.write_client("old.example.org", [x509.DNSName("ci.example.org")], days=(-10, -1)),
        "of tomorrow": authority.write_client("new.example.org", [x509.DNSName("ci.example.org")], days=(1, 10)),
        "foreign": other.write_client("ci.example.org"),
        "of a twin": twin.write_client("ci.example.org"),
        "a server's": authority.write_server(tmp_path / "other-server.pem"),
    }
    for kind, shown in refused.items():
        assert status_as(fleet, authority, shown) is None, kind
        assert status_as(fleet, authority, shown, keys.bearer("bearer")) is None, kind
    wait_for(fleet, "not vouched for (tls.client_ca_file), or not valid")
    assert ("it shows no certificate (tls.client_certs)" in fleet.log()) == (mode == "required")


@pytest.mark.parametrize(("subject", "names", "is_known"), [
    ("ci", [], True),  # by its CN alone
    ("someone", [x509.DNSName("ci")], True),
    ("someone", [x509.UniformResourceIdentifier("spiffe://example.org/ci")], True),
    ("someone", [x509.RFC822Name("ci@example.org")], True),
    ("someone", [x509.DNSName("a.example.org"), x509.DNSName("ci")], True),
    ("someone", [x509.DNSName(f"n{i}.example.org") for i in range(40)] + [x509.DNSName("ci")], False),  # too many to read
    ("ci\0.example.org", [], False),
    ("ci\n", [], False),
    ("x" * 60, [], False),
])
def test_names(start, authority, keys, subject, names, is_known):
    keys.add("ci", certificates=["ci", "spiffe://example.org/ci", "ci@example.org"])
    fleet = start()
    shown = certs.write_private(authority.folder / "client.pem", b"".join(
        authority.issue(subject, x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH, names)))
    assert status_as(fleet, authority, shown) == (200 if is_known else 401)


def test_rights_and_limits(start, authority, keys):
    keys.add("ci", certificates=["ci"], domains=["utils"], tools=["calculator_*"], rate=1, burst=3).add("all", certificates=["all"])
    fleet = start()
    ci, everything = authority.write_client("ci"), authority.write_client("all")
    seen = tools_as(fleet, authority, ci)
    assert seen and all(name.startswith("calculator_") for name in seen)
    assert seen < tools_as(fleet, authority, everything)
    assert status_as(fleet, authority, ci, target="/fake/mcp") == 403
    with connect(fleet, authority.context(ci)) as connection:
        for _ in range(6):
            connection.request("HEAD", "/sse")
        statuses = [connection.read_response("HEAD").status for _ in range(6)]
    assert 429 in statuses and set(statuses) <= {200, 429}
    assert {status_as(fleet, authority, everything) for _ in range(6)} == {200}  # its own share


def test_what_is_shown_on_purpose_counts(start, authority, keys):
    """A key beside a certificate is judged, and the certificate is not fallen back to."""
    keys.add("ci", certificates=["ci"], tools=["calculator_*"]).add("narrow", tools=["fake_*"])
    fleet = start()
    ci = authority.write_client("ci")
    assert all(name.startswith("fake_") for name in tools_as(fleet, authority, ci, keys.bearer("narrow")))
    assert all(name.startswith("fake_") for name in tools_as(fleet, authority, ci, keys.header("narrow")))
    assert status_as(fleet, authority, ci, STRANGER) == 401
    assert status_as(fleet, authority, ci, {"Authorization": "Basic abc"}) == 401
    assert status_as(fleet, authority, authority.write_client("nobody"), keys.bearer("narrow")) == 200


def test_whose_a_session_is(start, authority, keys):
    keys.add("ci", certificates=["ci", "ci-2"]).add("thief", certificates=["thief"], admin=True)
    fleet = start()
    owner, twin, thief = (authority.context(authority.write_client(name)) for name in ("ci", "ci-2", "thief"))
    at = door(fleet, context=owner)
    at.open()
    ping = at.request("ping")
    unknown = Door(fleet.tls_port, tls=thief)
    unknown.id = "00000000-0000-4000-8000-000000000000"
    at.options["tls"] = thief
    stolen = at.post(ping)
    assert (stolen.status, stolen.body) == (404, unknown.post(ping).body)
    assert at.end().status == 404
    at.options["tls"] = authority.context()
    assert at.post(ping).status == 401
    for allowed in (owner, twin):  # another certificate of the same key is the same client
        at.options["tls"] = allowed
        assert at.post(ping).status == 200
    wait_for(fleet, "showed the id of a session that belongs to ci")


def test_over_sse(start, authority, keys):
    keys.add("ci", certificates=["ci"]).add("thief", certificates=["thief"])
    fleet = start("required")
    with wire.Session(fleet.tls_port, tls=authority.context(authority.write_client("ci"))) as session:
        session.initialize()
        assert session.call("fake_echo", {"text": "x"})["result"]
        session.poster.close()
        session.poster, session.tls = None, authority.context(authority.write_client("thief"))
        assert session.post({"jsonrpc": "2.0", "id": 9, "method": "ping"}).status == 404


def test_the_key_is_taken_away(start, authority, keys):
    """The connection stays, and what it carries ends."""
    keys.add("ci", certificates=["ci"]).add("other")
    fleet = start()
    context = authority.context(authority.write_client("ci"))
    with wire.Session(fleet.tls_port, tls=context) as session:
        session.initialize()
        with connect(fleet, context) as kept:
            kept.request("HEAD", "/sse")
            assert kept.read_response("HEAD").status == 200
            del keys.entries["ci"]
            keys.save()
            assert session.stream.has_ended(10 * fleets.SLOWNESS)
            kept.request("HEAD", "/sse")
            assert kept.read_response("HEAD").status == 401


def test_resumed_by_a_ticket(start, authority, keys):
    """The identity comes with the ticket; after a reload a full handshake is wanted again."""
    keys.add("ci", certificates=["ci"])
    fleet = start()
    context = authority.context(authority.write_client("ci"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # the ticket is there when the handshake is done
    with connect(fleet, context) as first:
        ticket = first.socket.session
    assert resume(fleet, context, ticket) == (True, 200)
    reload(fleet, "reload: ")
    assert resume(fleet, context, ticket) == (False, 200)


def resume(fleet, context, ticket):
    """Whether the session was resumed, and what a request over it got."""
    with connect(fleet) as outer:  # only for its host header and its address
        host, address = outer.host_header, outer.socket.getpeername()
    with contextlib.closing(socket.create_connection(address, 10)) as plain, \
            context.wrap_socket(plain, server_hostname="127.0.0.1", session=ticket) as wrapped:
        wrapped.sendall(f"HEAD /sse HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head = wrapped.recv(4096)
        return wrapped.session_reused, int(head.split()[1])


# --- revoked certificates -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["optional", "required"])
def test_a_revoked_certificate(start, authority, keys, mode):
    keys.add("ci", certificates=["ci", "old"]).add("bearer")
    fleet = start(mode, client_crl_file=authority.write_crl(77))
    assert status_as(fleet, authority, authority.write_client("ci")) == 200
    old = authority.write_client("old", serial=77)
    assert status_as(fleet, authority, old) is None
    assert status_as(fleet, authority, old, keys.bearer("bearer")) is None
    wait_for(fleet, REVOKED)
    code = fleets.run(["openssl", "s_client", "-connect", f"127.0.0.1:{fleet.tls_port}", "-tls1_2", "-cert", old, "-key", old],
                      input=b"")
    assert b"alert certificate revoked" in code.stdout + code.stderr


def test_the_list_is_read_again(start, authority, keys):
    """What was opened with a certificate that the new list has ends; everybody else goes on."""
    keys.add("ci", certificates=["ci"]).add("old", certificates=["old"])
    fleet = start(client_crl_file=authority.write_crl())
    ci, old = (authority.context(authority.write_client(name, serial=serial)) for name, serial in (("ci", 76), ("old", 77)))
    with wire.Session(fleet.tls_port, tls=ci) as stays, wire.Session(fleet.tls_port, tls=old) as ends, connect(fleet) as plain:
        stays.initialize()
        ends.initialize()
        authority.write_crl(77)
        reload(fleet, "reload: the lists in tls.client_crl_file are others")
        assert ends.stream.has_ended(10 * fleets.SLOWNESS)
        assert stays.call("fake_echo", {"text": "x"})["result"]
        plain.request("GET", "/health")
        assert plain.read_response().status == 200
    assert "its certificate is not taken any more" in fleet.log()
    authority.write_crl()
    reload(fleet, "reload: the lists in tls.client_crl_file are others")
    assert status_as(fleet, authority, authority.folder / "client-old.pem") == 200
    reload(fleet, "reload: nothing changed")


def test_a_list_of_each_authority(start, tmp_path, authority, keys):
    """Those between the client and the root are looked up, too; one without a list vouches for nobody."""
    keys.add("ci", certificates=["ci"])
    between = certs.Authority(tmp_path, "Between", above=authority)
    shown = between.write_client("ci", chain=[between])
    fleet = start(client_crl_file=authority.write_crl())
    assert status_as(fleet, authority, shown) is None
    wait_for(fleet, NO_LIST)
    certs.write_private(tmp_path / "revoked.pem", authority.crl() + between.crl())
    reload(fleet, "reload: the lists")
    assert status_as(fleet, authority, shown) == 200
    certs.write_private(tmp_path / "revoked.pem", authority.crl(between.cert.serial_number) + between.crl())
    reload(fleet, "reload: the lists")
    assert status_as(fleet, authority, shown) is None
    wait_for(fleet, REVOKED)


@pytest.mark.parametrize(("hours", "said"), [
    ((-48, -1), "has ended on"),
    ((1, 48), None),
])
def test_a_list_that_does_not_hold(start, authority, keys, hours, said):
    """Fail closed for certificates, not for the rest: the daemon starts, and keys are taken."""
    keys.add("ci", certificates=["ci"]).add("bearer")
    fleet = start(client_crl_file=authority.write_crl(hours=hours))
    assert status_as(fleet, authority, authority.write_client("ci")) is None
    assert status_as(fleet, authority, None, keys.bearer("bearer")) == 200
    wait_for(fleet, NO_LIST)
    assert not said or f"the list of what CN=Test authority has revoked {said}" in fleet.log()
    authority.write_crl()
    reload(fleet, "reload: the lists")
    assert status_as(fleet, authority, authority.write_client("ci")) == 200


def test_a_list_that_ends_while_we_run(start, authority, keys):
    keys.add("ci", certificates=["ci"])
    ci = authority.write_client("ci")
    fleet = start(client_crl_file=authority.write_crl(hours=(-1, (6 * fleets.SLOWNESS) / 3600)))
    assert "has revoked ends on" in fleet.log()
    assert status_as(fleet, authority, ci) == 200
    fleets.wait_until(lambda: "the list of what CN=Test authority has revoked has ended on" in fleet.log(), 20, "the end is said")
    assert status_as(fleet, authority, ci) is None


def test_an_authority_without_a_list(start, tmp_path, authority, keys):
    keys.add("ci", certificates=["ci"])
    other = certs.Authority(tmp_path, "Other authority")
    with pathlib.Path(authority.path).open("ab") as file:
        file.write(pathlib.Path(other.path).read_bytes())
    fleet = start(client_crl_file=authority.write_crl())
    assert "there is no list of CN=Other authority in tls.client_crl_file: its clients are refused" in fleet.log()
    assert status_as(fleet, authority, other.write_client("ci")) is None


BROKEN = {
    "gone": (None, "cannot read"),
    "empty": (b"", "there is no list of revoked certificates"),
    "garbage": (b"-----BEGIN X509 CRL-----\nnonsense\n-----END X509 CRL-----\n", "there is no list of revoked certificates"),
    "DER": (b"\x30\x82\x01\x00", "openssl crl -inform DER"),
}


def test_a_broken_list(start, tmp_path, authority, keys):
    """At a reload what was stays; at the start it is no start."""
    keys.add("ci", certificates=["ci"])
    fleet = start(client_crl_file=authority.write_crl(77))
    path = tmp_path / "revoked.pem"
    twin = twin_of(authority)
    cases = {**BROKEN, "of a twin": (twin.crl(), "is not signed by the authority of that name in tls.client_ca_file"),
             "cut off": (authority.crl() + authority.crl()[:-60], "a list of revoked certificates cannot be read")}
    for kind, (data, words) in cases.items():
        path.unlink(missing_ok=True)
        if data is not None:
            path.write_bytes(data)
        at = len(fleet.log())
        reload(fleet, "reload refused, the old settings stay")
        assert "tls.client_crl_file" in fleet.log()[at:] and words in fleet.log()[at:], (kind, fleet.log()[at:])
        assert status_as(fleet, authority, authority.write_client("ci")) == 200
        assert status_as(fleet, authority, authority.write_client("old", serial=77)) is None
    ended = fleets.run([*fleets.daemon_command(), "--config", str(fleet.settings_path), "--check-config"], env=fleet.environment())
    assert ended.returncode != 0 and b"cut off" not in ended.stderr and b"tls.client_crl_file" in ended.stderr


def test_many_revoked(start, authority, keys):
    """20,000 of them cost the reading once, not each handshake."""
    keys.add("ci", certificates=["ci"])
    fleet = start(client_crl_file=authority.write_crl(*range(1000, 21000)))
    ci = authority.write_client("ci", serial=5)
    began = time.monotonic()
    assert {status_as(fleet, authority, ci) for _ in range(20)} == {200}
    assert time.monotonic() - began < 20 * fleets.SLOWNESS
    assert status_as(fleet, authority, authority.write_client("ci", serial=20999)) is None
