"""A declared market list to rows of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Raw

from aggregator.config.declared import MarketRules
from aggregator.config.templates import fill
from connectors.declarative.shapes import ABSENT, Items, Leaf, Shape, scalar
from connectors.decoding import Whole
from connectors.levels import number
from connectors.markets import Market

_DECIMALS = Whole | None


class MarketRows:
    """Reads a venue's market list. A symbol that is not spelt as the venue spells them is left out where its assets
    have to be taken from it."""

    def __init__(self, declared: MarketRules, spelling: str) -> None:
        self._rows = Shape([Leaf(declared.rows)]) if declared.rows is not None else None
        self._tradable = list(declared.tradable.values())
        rules = (declared.tick, declared.lot, declared.minimum_quantity, declared.minimum_notional)
        decimals = (declared.tick_decimals, declared.lot_decimals)
        self._items = Items(
            [
                Leaf(declared.symbol, str),
                *(Leaf(path, str) if path is not None else None for path in (declared.base, declared.quote)),
                *(Leaf(path, Raw, ABSENT) if path is not None else None for path in rules),
                *(Leaf(path, _DECIMALS, None) if path is not None else None for path in decimals),
                *(Leaf(path, Raw, ABSENT) for path in declared.tradable),
            ]
        )
        groups = {"base": "(?P<base>.+)", "quote": "(?P<quote>.+)"}
        self._spelling = re.compile(fill(re.sub(r"[^<>\w]", lambda found: re.escape(found[0]), spelling), groups))

    def read(self, body: bytes) -> Iterator[Market]:
        """Raises FrameRefused for a reply that is no such list."""
        rows = body if self._rows is None else bytes(self._rows.read(body)[0])
        for symbol, stated_base, stated_quote, *rules in self._items.read(rows):
            assets = (stated_base, stated_quote) if stated_base is not None else self._assets_of(symbol)
            if assets is None:
                continue
            base, quote = assets
            tick, lot, quantity, notional, tick_decimals, lot_decimals, *tests = rules
            yield Market(
                symbol,
                base.upper(),
                quote.upper(),
                tick=_rule(tick, tick_decimals),
                lot=_rule(lot, lot_decimals),
                minimum_quantity=_rule(quantity, None),
                minimum_notional=_rule(notional, None),
                tradable=all(scalar(found) == wanted for found, wanted in zip(tests, self._tradable, strict=False)),
            )

    def _assets_of(self, symbol: str) -> tuple[str, str] | None:
        spelt = self._spelling.fullmatch(symbol)
        return (spelt["base"], spelt["quote"]) if spelt is not None else None


def _rule(stated: Raw | None, decimals: int | None) -> str:
    if decimals is not None:
        return f"1e-{decimals}"
    text = number(stated) if stated is not None else b""
    return "0" if text in (b"", b"null") else text.decode("utf-8", "replace")
