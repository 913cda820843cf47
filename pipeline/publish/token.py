"""OAuth tokens for SASL OAUTHBEARER (RFC 7628): from a file, or from a token endpoint.

aiokafka asks for a token once for each connection it opens.
"""

from __future__ import annotations

import json
from base64 import b64encode
from http.client import HTTPException
from time import monotonic
from urllib.error import URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from pipeline.core.files import HANDMADE, content
from pipeline.core.threads import in_thread
from pipeline.publish.options import Sasl

_TIMEOUT = 10.0
_MARGIN = 30.0
_SCHEMES = ("https", "http")


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Reads the token file anew each time, or asks the endpoint when the last answer is about to expire."""

    def __init__(self, sasl: Sasl) -> None:
        self._sasl = sasl
        self._kept = ""
        self._until = 0.0

    async def token(self) -> str:
        """Give a token that is valid now.

        Raises:
            OSError: the file cannot be read.
            KafkaConnectionError: the endpoint did not give a token.
        """
        if self._sasl.token_file is not None:
            return await in_thread(self._from_file)
        if monotonic() > self._until:
            self._kept, seconds = await in_thread(self._from_endpoint)
            self._until = monotonic() + max(0.0, seconds - _MARGIN)
        return self._kept

    def _from_file(self) -> str:
        if self._sasl.token_file is None:
            raise KafkaConnectionError("OAUTHBEARER has neither a token file nor a token URL.")
        return content(self._sasl.token_file, HANDMADE).decode("ascii").strip()

    def _from_endpoint(self) -> tuple[str, float]:
        url = self._sasl.token_url or ""
        if urlsplit(url).scheme not in _SCHEMES:
            raise KafkaConnectionError(f"The OAuth token URL {url!r} is neither https nor http.")
        try:
            with urlopen(_client_credentials(self._sasl, url), timeout=_TIMEOUT) as response:  # noqa: S310
                answer = json.load(response)
            return str(answer["access_token"]), float(answer.get("expires_in", 0))
        except (URLError, OSError, HTTPException, ValueError, KeyError, TypeError) as problem:
            # Only the error's kind: its text may hold what the endpoint was sent.
            raise KafkaConnectionError(
                f"The OAuth token endpoint {url} gave no token ({type(problem).__name__}). Check the URL, the client's "
                "id and its secret."
            ) from None


def _client_credentials(sasl: Sasl, url: str) -> Request:
    """Build the request of RFC 6749 section 4.4.2; the client's id and secret travel as section 2.3.1 says."""
    form = {"grant_type": "client_credentials"}
    if sasl.token_scope:
        form["scope"] = sasl.token_scope
    name = quote(sasl.username() if sasl.username else "", safe="")
    secret = quote(sasl.password() if sasl.password else "", safe="")
    headers = {
        "Authorization": "Basic " + b64encode(f"{name}:{secret}".encode()).decode("ascii"),
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    return Request(url, urlencode(form).encode("ascii"), headers)  # noqa: S310
