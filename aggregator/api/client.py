"""A small synchronous client of the API, for commands. It signs what it sends when it has a key."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from aggregator.api.auth import signature

DEFAULT_URL = "http://127.0.0.1:8080"
PATIENCE_S = 5
CANCEL_ALL_PATIENCE_S = 15
"""The service itself waits for its venues first."""


class Unreachable(Exception):
    """Nobody answered: what was asked for may have been done, or not."""


class Answered(Exception):
    """The service answered with an error; the text is its own explanation, the code says which it is."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class Access(NamedTuple):
    """Where a service is, and what to sign with; without a key nothing is signed."""

    root: str
    key: str = ""
    secret: str = ""

    def __repr__(self) -> str:
        return f"Access({self.root!r}, {self.key!r}, ...)"


def find_access(url: str | None, environment: Mapping[str, str], left: Path) -> Access:
    """The service at `url`, or at AGGREGATOR_URL, or the demo that left its access in a file, or the usual address.
    The key is that of AGGREGATOR_KEY and AGGREGATOR_SECRET, or else the demo's, which goes to the demo only."""
    demo = read_access(left)
    root = url or environment.get("AGGREGATOR_URL") or (demo.root if demo else DEFAULT_URL)
    key, secret = environment.get("AGGREGATOR_KEY", ""), environment.get("AGGREGATOR_SECRET", "")
    if key and secret:
        return Access(root, key, secret)
    return demo if demo and demo.root == root.rstrip("/") else Access(root)


def read_access(file: Path) -> Access | None:
    """What a demo has left, None when there is nothing of the kind."""
    try:
        document = json.loads(file.read_text())
        return Access(str(document["root"]), str(document["key"]), str(document["secret"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_access(file: Path, access: Access) -> None:
    """Leave it where `find_access` looks; nobody but the owner can read it. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        json.dump(access._asdict(), opened)


class Api:
    """Every call raises Unreachable when no answer comes, Answered for an error."""

    def __init__(self, access: Access) -> None:
        self._access = access._replace(root=access.root.rstrip("/"))

    def book(self, symbol: str, depth: int, view: str) -> dict[str, Any]:
        return self.get(f"/v1/books/{_part(symbol.replace('/', '-'))}?depth={depth}&view={view}")

    def converted(self, symbol: str) -> dict[str, Any]:
        """Partners' depth in the quote of one of Busan's own listings."""
        return self.get(f"/v1/books/{_part(symbol.replace('/', '-'))}/converted")

    def quote(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.send("POST", "/v1/quotes", request)

    def place(self, request: dict[str, Any]) -> dict[str, Any]:
        """Safe to repeat: the same client order id never makes a second order."""
        return self.send("POST", "/v1/orders", request)

    def orders(self, status: str | None = None, limit: int | None = None, after: str | None = None) -> dict[str, Any]:
        return self.get("/v1/orders" + _query(status=status, limit=limit, after=after))

    def order(self, order: str) -> dict[str, Any]:
        """By order id, or by `client:` and the client order id."""
        return self.get(f"/v1/orders/{_part(order)}")

    def amend(self, order: str, changes: dict[str, Any]) -> dict[str, Any]:
        return self.send("PATCH", f"/v1/orders/{_part(order)}", changes)

    def cancel(self, order: str) -> dict[str, Any]:
        return self.send("DELETE", f"/v1/orders/{_part(order)}")

    def cancel_all(self, symbol: str | None = None) -> dict[str, Any]:
        return self.send("DELETE", "/v1/orders" + _query(symbol=symbol), patience_s=CANCEL_ALL_PATIENCE_S)

    def fills(self, order: str | None = None, limit: int | None = None, after: str | None = None) -> dict[str, Any]:
        return self.get("/v1/fills" + _query(order=order, limit=limit, after=after))

    def balances(self) -> dict[str, Any]:
        return self.get("/v1/balances")

    def halt(self) -> dict[str, Any]:
        return self.get("/v1/halt")

    def switch_halt(self, reason: str | None) -> dict[str, Any]:
        """On with a reason, off without one."""
        return self.send("DELETE", "/v1/halt") if reason is None else self.send("POST", "/v1/halt", {"reason": reason})

    def get(self, path: str) -> dict[str, Any]:
        return self.send("GET", path)

    def send(
        self, method: str, path: str, body: dict[str, Any] | None = None, patience_s: int = PATIENCE_S
    ) -> dict[str, Any]:
        content = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json", **self._signed(method, path, content or b"")}
        try:
            request = Request(self._access.root + path, content, headers, method=method)
            with urlopen(request, timeout=patience_s) as response:
                document: dict[str, Any] = json.load(response)
                return document
        except HTTPError as error:
            raise _explained(error) from None
        except (URLError, HTTPException, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise Unreachable(
                f"{self._access.root} does not answer: {reason}; start it with `make run`, or name another with --url"
            ) from None

    def _signed(self, method: str, path: str, body: bytes) -> dict[str, str]:
        if not self._access.key:
            return {}
        timestamp = str(time.time_ns())
        told = signature(self._access.secret, timestamp, method, path, body)
        return {"X-API-Key": self._access.key, "X-Timestamp-Ns": timestamp, "X-Signature": told}


def _part(text: str) -> str:
    return quote(text, safe="")


def _query(**parameters: str | int | None) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _explained(error: HTTPError) -> Answered:
    try:
        problem = json.load(error)
        return Answered(str(problem.get("detail") or problem.get("error") or error), str(problem.get("code", "")))
    except (ValueError, AttributeError):
        return Answered(str(error))
