"""Requests as bytes, and the least client that can send them."""

from __future__ import annotations

import json
import socket
from typing import NamedTuple

_END = b"\r\n\r\n"
_LENGTH = b"Content-Length: "


class Line:
    """A connection that is kept open."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> None:
        self._socket.sendall(request)

    def answer(self) -> bytes:
        """The body of the next answer. Raises ValueError for one that is none."""
        told = b""
        while _END not in told:
            told += self._receive()
        head, _, body = told.partition(_END)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ValueError(f"not an answer to go by: {told[:300]!r}")
        length = int(head.partition(_LENGTH)[2].partition(b"\r\n")[0])
        parts, left = [body], length - len(body)
        while left > 0:
            part = self._receive()
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        part = self._socket.recv(65536)
        if not part:
            raise ValueError("the server hung up")
        return part


class Request(NamedTuple):
    content: bytes

    def sent_to(self, port: int) -> bytes:
        """Its answer, by a connection of its own."""
        line = Line(port)
        try:
            line.send(self.content)
            return line.answer()
        finally:
            line.close()


def _request(method: str, path: str, body: bytes = b"") -> Request:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return Request(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n".encode() + body)


BOOK = _request("GET", "/v1/books/BTC-USDT?depth=50")
QUOTE = _request("POST", "/v1/quotes", json.dumps({"symbol": "BTC/USDT", "side": "buy", "quantity": "5"}).encode())
