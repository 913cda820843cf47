"""TLS and secrets: what a feed and Kafka have in common.

Each secret may be given in place (better: `${NAME}` from the environment) or in a file, never both. A file is read when
the connection is made, so that a rotated secret is found; `headrace check` says beforehand whether it can be read.
"""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from pipeline.config.values import FileName, Section
from pipeline.core.errors import StartError
from pipeline.core.files import content

_LARGEST = 65_536


class Tls(Section):
    """Certificates, as PEM files. Without a section an encrypted connection trusts the system's authorities."""

    ca_file: FileName | None = Field(default=None, examples=["/etc/headrace/ca.pem"])
    """The authorities that are trusted instead of the system's."""
    cert_file: FileName | None = Field(default=None, examples=["/etc/headrace/client.pem"])
    """The client's certificate, with its chain."""
    key_file: FileName | None = Field(default=None, examples=["/etc/headrace/client.key"])
    """The client certificate's private key, if it is not in `cert_file`."""
    key_password: SecretStr | None = Field(default=None, examples=["${KEY_PASSWORD}"])
    """What the private key is encrypted with."""
    key_password_file: FileName | None = Field(default=None, examples=["/run/secrets/key-password"])
    """The file that holds it, instead of `key_password`."""
    check_hostname: bool = Field(default=True, examples=[True])
    """Whether the server's certificate must be for the host that the config names."""

    @model_validator(mode="after")
    def _complete(self) -> Tls:
        at_most_one(self, "key_password", "key_password_file")
        if self.cert_file is None and (self.key_file or self.key_password or self.key_password_file):
            raise ValueError("has a private key but no `cert_file`: a client shows its certificate with the key")
        return self


def at_most_one(section: Section, *names: str) -> None:
    """Raise ValueError if more than one of the keys is given."""
    given = [name for name in names if getattr(section, name) is not None]
    if len(given) > 1:
        raise ValueError(f"has both `{given[0]}` and `{given[1]}`: give one of them")


def read_secret(value: SecretStr | None, file: str | None) -> str | None:
    """Return a secret, from its file if it has one (without the line's end); None if there is none.

    Raises StartError if the file cannot be read or is empty; the text names the file, never its content.
    """
    if file is None:
        return None if value is None else value.get_secret_value()
    try:
        text = content(file, _LARGEST).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
        raise StartError(f"The secret in {file} cannot be read: {why}.") from None
    if not text:
        raise StartError(f"The secret in {file} is empty.")
    return text
