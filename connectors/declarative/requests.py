"""What is sent and fetched: declared texts with their blanks filled in, and back from an address to its symbol."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import count
from urllib.parse import parse_qs, quote, urlsplit

from aggregator.config.declared import Message
from aggregator.config.templates import fill
from connectors.contract import Send

MS, SECOND = 1_000_000, 1_000_000_000


class Writer:
    """Fills in what is sent. Requests are numbered from 1."""

    def __init__(self) -> None:
        self._ids = count(1)

    def text(self, template: str, now_ns: int) -> str:
        return fill(template, self._common(now_ns))

    def messages(self, declared: Sequence[Message], symbols: Sequence[str], now_ns: int) -> list[Send]:
        return [Send(text) for message in declared for text in self._texts(message, symbols, now_ns)]

    def _texts(self, message: Message, symbols: Sequence[str], now_ns: int) -> Iterator[str]:
        if message.each is None:
            for symbol in symbols:
                yield fill(message.message, self._common(now_ns) | _spelt(symbol))
            return
        share = message.at_most or len(symbols)
        for start in range(0, len(symbols), share or 1):
            group = symbols[start : start + share]
            each = ",".join(fill(message.each, _spelt(symbol)) for symbol in group)
            yield fill(message.message, self._common(now_ns) | _spelt(group[0]) | {"each": each})

    def _common(self, now_ns: int) -> dict[str, str]:
        return {"id": str(next(self._ids)), "time_s": str(now_ns // SECOND), "time_ms": str(now_ns // MS)}


def _spelt(symbol: str) -> dict[str, str]:
    """Within a JSON string."""
    text = json.dumps(symbol)[1:-1]
    return {"symbol": text, "symbol:lower": text.lower(), "symbol:upper": text.upper()}


class BookPath:
    """A path with a symbol in it, to be fetched, and known again in the address of a reply."""

    def __init__(self, template: str) -> None:
        self._template = template
        path, _, query = template.partition("?")
        literal = "".join(
            "([^/?]+)" if part.startswith("<") else re.escape(part) for part in re.split("(<[^<>]*>)", path)
        )
        self._path = re.compile(f".*{literal}")
        self._key = next((key for key, values in parse_qs(query).items() if "<" in values[0]), None)

    def of(self, symbol: str) -> str:
        names = {"symbol": symbol, "symbol:lower": symbol.lower(), "symbol:upper": symbol.upper()}
        return fill(self._template, {name: quote(text, safe="") for name, text in names.items()})

    def symbol_in(self, url: str, symbols: Sequence[str]) -> str | None:
        """The symbol that an address of this path is about, in the venue's own case; None for any other address."""
        parts = urlsplit(url)
        found = self._path.fullmatch(parts.path)
        if found is None:
            return None
        text = parse_qs(parts.query).get(self._key, [""])[0] if self._key is not None else found[1]
        return next((symbol for symbol in symbols if symbol.lower() == text.lower()), text)
