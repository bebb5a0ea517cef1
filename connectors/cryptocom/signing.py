"""Crypto.com's signature of a request.

The hexadecimal HMAC-SHA256, under the secret, of method, id, key, parameters and nonce, with nothing between them.
Parameters are sorted by name, each name followed by its value. A list is its elements in their order, an object inside
is written like the whole, down to the third level; null is the word `null`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from connectors.trading import Credentials

LEVELS = 3


def signature(
    credentials: Credentials, method: str, request_id: int, params: Mapping[str, object], nonce_ms: int
) -> str:
    """`nonce_ms` is the time of signing: the venue accepts 60 seconds to either side of its own."""
    text = f"{method}{request_id}{credentials.key}{written(params)}{nonce_ms}"
    return hmac.new(credentials.secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def written(value: object, level: int = 0) -> str:
    """A value as it is signed."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Mapping() if level < LEVELS:
            return "".join(f"{name}{written(value[name], level + 1)}" for name in sorted(value))
        case list() | tuple() if level < LEVELS:
            return "".join(written(element, level) for element in value)
    return str(value)
