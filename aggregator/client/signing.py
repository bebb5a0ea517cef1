"""How a request is signed: see `aggregator/api/auth.py`, which is the other end."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable


class Signer:
    """Signs as one key. No two of its signatures are of the same time, so none is taken for a repetition."""

    def __init__(self, key: str, secret: str, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self.key = key
        self._secret = secret.encode()
        self._clock_ns = clock_ns
        self._last_ns = 0

    def sign(self, method: str, path: str, body: bytes = b"") -> tuple[str, str]:
        """The time and the signature; `path` has its query, both as they are sent."""
        self._last_ns = max(self._clock_ns(), self._last_ns + 1)
        signed = f"{self._last_ns}\n{method}\n{path}\n".encode() + body + b"\n"
        return str(self._last_ns), hmac.new(self._secret, signed, hashlib.sha256).hexdigest()

    def headers(self, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        timestamp, signature = self.sign(method, path, body)
        return {"X-API-Key": self.key, "X-Timestamp-Ns": timestamp, "X-Signature": signature}
