"""Binance's signatures: HMAC-SHA256 in lower-case hex over the parameters, by their order in the request.

1. A REST request is signed as it is sent: percent-encoded, query and body joined without anything between them.
   The signature is its last parameter.
2. A request on the websocket API is signed over its parameters sorted by name, with the key, and not encoded.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlencode


def signature(secret: str, payload: str) -> str:
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def signed_text(secret: str, parameters: Mapping[str, str]) -> str:
    """The query or form body of a REST request, ready to be sent (rule 1)."""
    text = urlencode(parameters)
    return f"{text}&signature={signature(secret, text)}"


def signed_parameters(secret: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a request on the websocket API, the key among them (rule 2)."""
    text = "&".join(f"{name}={value}" for name, value in sorted(parameters.items()))
    return {**parameters, "signature": signature(secret, text)}
