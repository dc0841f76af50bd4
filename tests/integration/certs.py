"""Certificates for the tests: an authority that signs for servers and clients, and what shows and judges them."""

import datetime
import ipaddress
import pathlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMES = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def write_private(path, data):
    """In one step, as whoever renews a certificate should; readable by us alone."""
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(data)
    fresh.rename(path)
    return str(path)


class Authority:
    """Signs certificates into `folder`; its own is in the file `path`, signed by itself or by another one."""

    def __init__(self, folder, title="Test authority", above=None):
        self.folder = pathlib.Path(folder)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name(title)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        self.cert = (above or self).build(self.name, self.key, days=(-2, 30), extensions=[
            x509.BasicConstraints(ca=True, path_length=None), usage])
        self.path = str(self.folder / f"{title.replace(' ', '-')}.pem")
        pathlib.Path(self.path).write_bytes(self.cert.public_bytes(serialization.Encoding.PEM))

    def build(self, subject, key, days, extensions, serial=None):
        now = datetime.datetime.now(datetime.UTC)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
                   .serial_number(serial or x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(days=days[0]))
                   .not_valid_after(now + datetime.timedelta(days=days[1])))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, (x509.BasicConstraints, x509.KeyUsage)))
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, subject, usage, names, days=(-1, 20), serial=None):
        """The certificate and its key, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        extensions = [x509.BasicConstraints(ca=False, path_length=None), x509.ExtendedKeyUsage([usage])]
        if names:
            extensions.append(x509.SubjectAlternativeName(names))
        cert = self.build(name(subject), key, days, extensions, serial)
        return cert.public_bytes(serialization.Encoding.PEM), key_pem(key)

    def server(self, serial=None, names=NAMES, **options):
        return self.issue("localhost", ExtendedKeyUsageOID.SERVER_AUTH, names, serial=serial, **options)

    def write_server(self, path, serial=None, **options):
        """Certificate and key in one file."""
        return write_private(pathlib.Path(path), b"".join(self.server(serial, **options)))

    def write_client(self, subject, names=None, chain=(), **options):
        """The same of a client, with the certificates of the authorities of `chain` behind."""
        names = [x509.DNSName(subject)] if names is None else names
        parts = self.issue(subject, ExtendedKeyUsageOID.CLIENT_AUTH, names, **options)
        data = b"".join([*parts, *(pathlib.Path(authority.path).read_bytes() for authority in chain)])
        return write_private(self.folder / f"client-{subject}.pem", data)

    def crl(self, *revoked, hours=(-1, 24 * 7)):
        """A list of these serial numbers, PEM."""
        now = datetime.datetime.now(datetime.UTC)
        builder = (x509.CertificateRevocationListBuilder().issuer_name(self.name)
                   .last_update(now + datetime.timedelta(hours=hours[0]))
                   .next_update(now + datetime.timedelta(hours=hours[1])))
        for serial in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def write_crl(self, *revoked, **options):
        """In one step, into a file of this authority's."""
        return write_private(self.folder / "revoked.pem", self.crl(*revoked, **options))

    def context(self, client=None):
        """What a client judges by, and, with the file `client`, shows."""
        context = ssl.create_default_context(cafile=self.path)
        if client:
            context.load_cert_chain(client)
        return context


def serial_of(connection):
    """Of the certificate that the peer of this wire.Connection has shown."""
    return x509.load_der_x509_certificate(connection.socket.getpeercert(binary_form=True)).serial_number


def client_hello(version=None):
    """What a client sends first."""
    context = ssl.create_default_context()
    if version:
        context.maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a peer")
