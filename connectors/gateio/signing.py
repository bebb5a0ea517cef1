"""How Gate knows that a request is the account's: hexadecimal HMAC-SHA512 over a text that both sides can write.

Source: the venue's REST reference v4.106, whose two examples are in the tests, and its spot websocket document v4,
state of May 2026. Times are unix seconds, and may be a minute off the venue's.
"""

from __future__ import annotations

import hashlib
import hmac


def call_signature(secret: str, method: str, path: str, query: str, body: bytes, timestamp: str) -> str:
    """Of a REST call: five lines. `path` begins with /api/v4, `query` is as it is sent but not percent-encoded, and
    empty where there is none; the body comes in as its SHA-512, also when it is empty."""
    return _signed(secret, "\n".join((method, path, query, hashlib.sha512(body).hexdigest(), timestamp)))


def subscription_signature(secret: str, channel: str, event: str, time_s: int) -> str:
    """Of a request on the websocket for a private channel: each carries its own."""
    return _signed(secret, f"channel={channel}&event={event}&time={time_s}")


def _signed(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()
