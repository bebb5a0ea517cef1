"""A small synchronous client of the API, for commands."""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

PATIENCE_S = 5


class Unreachable(Exception):
    """Nobody answered."""


class Answered(Exception):
    """The service answered with an error; the text is its own explanation."""


class Api:
    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/")

    def book(self, symbol: str, depth: int, view: str) -> dict[str, Any]:
        return self.get(f"/v1/books/{quote(symbol.replace('/', '-'), safe='')}?depth={depth}&view={view}")

    def quote(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.send("POST", "/v1/quotes", request)

    def get(self, path: str) -> dict[str, Any]:
        return self.send("GET", path)

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Raises Unreachable when no answer comes, Answered for an error."""
        content = json.dumps(body).encode() if body is not None else None
        try:
            request = Request(self._root + path, content, {"Content-Type": "application/json"}, method=method)
            with urlopen(request, timeout=PATIENCE_S) as response:
                document: dict[str, Any] = json.load(response)
                return document
        except HTTPError as error:
            raise Answered(_explained(error)) from None
        except (URLError, HTTPException, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise Unreachable(
                f"{self._root} does not answer: {reason}; start it with `make run`, or name another with --url"
            ) from None


def _explained(error: HTTPError) -> str:
    try:
        problem = json.load(error)
        return str(problem.get("detail") or problem.get("error") or error)
    except (ValueError, AttributeError):
        return str(error)
