"""Certificates for tests, good and bad in one way each, as PEM files."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HERE = ("127.0.0.1", "localhost")
USES = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, apart and (as Kafka wants it) in one file."""

    certificate: Path
    key: Path
    together: Path

    def become(self, other: "Identity") -> None:
        """Take over the other's content under our own file names: what a rotation does on disk."""
        for mine, theirs in (
            (self.key, other.key),
            (self.certificate, other.certificate),
            (self.together, other.together),
        ):
            mine.write_bytes(theirs.read_bytes())


class Authority:
    """A certificate authority of one test run."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.file = folder / f"{name}.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(f"Headrace tests {name}")
        builder = _builder(self._name, self._name, self._key.public_key(), timedelta(days=30))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(authority=True), critical=True)
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
        )
        self.file.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(self, name: str, *, hosts: Sequence[str] = HERE, expires_in: timedelta = timedelta(days=30)) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(name), self._name, key.public_key(), expires_in)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(authority=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(USES), critical=False)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False
        )
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = builder.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())
        return self._write(name, certificate.public_bytes(Encoding.PEM), key)

    def _write(self, name: str, certificate: bytes, key: ec.EllipticCurvePrivateKey) -> Identity:
        made = Identity(*(self.folder / f"{name}{end}" for end in (".pem", ".key", "-with-key.pem")))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        made.certificate.write_bytes(certificate)
        made.key.write_bytes(private)
        made.together.write_bytes(private + certificate)
        return made


class Certificates:
    """All that a TLS test needs; `server` and `client` are the good ones."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder, "ca")
        self.other_authority = Authority(folder / "other", "other-ca")
        expired = timedelta(days=-1)
        self.server = self.authority.issue("server")
        self.server_wrong_name = self.authority.issue("server-wrong-name", hosts=["broker.example"])
        self.server_expired = self.authority.issue("server-expired", expires_in=expired)
        self.server_wrong_authority = self.other_authority.issue("server-wrong-authority")
        self.client = self.authority.issue("client")
        self.client_expired = self.authority.issue("client-expired", expires_in=expired)
        self.client_wrong_authority = self.other_authority.issue("client-wrong-authority")

    @property
    def ca(self) -> Path:
        return self.authority.file


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, expires_in: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3))
        .not_valid_after(now + expires_in)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
