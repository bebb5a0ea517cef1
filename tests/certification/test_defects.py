"""A certification fails a connector with any of these defects, and names the defect."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import count
from typing import Any

import pytest

from aggregator.domain.book import Levels
from aggregator.domain.certificate import Outcome
from aggregator.domain.events import BookDelta, BookLost, BookSnapshot
from aggregator.domain.instrument import Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.order_events import BalancesRead, ExecutionReport, FillReported
from connectors.certification import TRIALS
from connectors.certification.subject import carried_out
from connectors.contract import Answer, Send
from connectors.sequencing import Verdict as Sequenced
from connectors.trading import Call, CallRefused, Errand, Purpose, Told
from tests.certification.subjects import subject

LEVELS = (BookDelta, BookSnapshot)


class Around:
    """A protocol with something wrong in it."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Blind(Around):
    """A numbering that takes every update for the next one."""

    def offer(self, previous: int, last: int, delta: Any) -> Any:
        verdict = self._inner.offer(previous, last, delta)
        if verdict is Sequenced.GAP:
            self._inner.restart(last)
            return Sequenced.NEXT
        return verdict


class Blinded(Around):
    def numbering(self) -> Any:
        return Blind(self._inner.numbering())


class Reading(Around):
    """What comes of a frame or a reply is `changed`."""

    def read(self, frame: Any, books: Any, now_ns: int) -> Answer:
        return self.changed(self._inner.read(frame, books, now_ns), books, now_ns)

    def read_reply(self, reply: Any, books: Any, now_ns: int) -> Answer:
        return self.changed(self._inner.read_reply(reply, books, now_ns), books, now_ns)

    def changed(self, answer: Answer, books: Any, now_ns: int) -> Answer:
        for event in answer.events:
            if isinstance(event, LEVELS):
                self.spoil(event)
        return answer

    def spoil(self, event: Any) -> None:
        """Nothing by default."""


class Floats(Reading):
    def spoil(self, event: Any) -> None:
        event.bids, event.asks = (
            Levels(list(side.prices), [int(float(quantity)) for quantity in side.quantities])
            for side in (event.bids, event.asks)
        )


class Inverted(Reading):
    def spoil(self, event: Any) -> None:
        event.bids, event.asks = event.asks, event.bids


class KeepsWhatIsGone(Reading):
    def spoil(self, event: Any) -> None:
        event.bids, event.asks = (_standing(side) for side in (event.bids, event.asks))


def _standing(side: Levels) -> Levels:
    kept = [(price, quantity) for price, quantity in zip(*side, strict=True) if quantity]
    return Levels([price for price, _ in kept], [quantity for _, quantity in kept])


class OwnClock(Reading):
    def spoil(self, event: Any) -> None:
        event.venue_time_ns = event.received_ns


class Deaf(Reading):
    """Answers no heartbeat."""

    def changed(self, answer: Answer, books: Any, now_ns: int) -> Answer:
        asked = [request for request in answer.requests if not (isinstance(request, Send) and request.urgent)]
        return answer._replace(requests=asked)


class NeverAsksAgain(Around):
    def ask_snapshot(self, symbol: str, now_ns: int) -> Sequence[Any]:
        return []


class TakesAllDown(Reading):
    """A gap in one book costs every book."""

    def changed(self, answer: Answer, books: Any, now_ns: int) -> Answer:
        if any(isinstance(event, BookLost) and event.gap for event in answer.events):
            others = [lost for book in books for lost in book.lost("another book had a gap", now_ns)]
            return answer._replace(events=[*answer.events, *others])
        return answer


class Raises(Reading):
    def read(self, frame: Any, books: Any, now_ns: int) -> Answer:
        text = frame.decode("latin-1") if isinstance(frame, bytes) else frame
        if text.startswith("{]"):
            raise KeyError("data")
        return super().read(frame, books, now_ns)


class Ordering(Around):
    """What is asked of the account, and what is told of it, is changed."""

    def call(self, errand: Errand, now_ns: int) -> Call:
        called: Call = self._inner.call(self.asked(errand), now_ns)
        return called

    def read(self, errand: Errand, reply: Any, now_ns: int) -> Told:
        return self.told(self._inner.read(errand, reply, now_ns))

    def read_frame(self, frame: Any, now_ns: int) -> Told:
        return self.told(self._inner.read_frame(frame, now_ns))

    def asked(self, errand: Errand) -> Errand:
        return errand

    def told(self, told: Told) -> Told:
        return told._replace(events=[self.event(event) for event in told.events])

    def event(self, event: Any) -> Any:
        return event


class WrongSide(Ordering):
    def asked(self, errand: Errand) -> Errand:
        if errand.purpose is not Purpose.PLACE or errand.terms is None:
            return errand
        other = Side.SELL if errand.terms.side is Side.BUY else Side.BUY
        return errand._replace(terms=replace(errand.terms, side=other))


class CutsDigits(Ordering):
    def asked(self, errand: Errand) -> Errand:
        terms = errand.terms
        if errand.purpose is not Purpose.PLACE or terms is None:
            return errand
        tick = terms.instrument.price("1")
        return errand._replace(terms=replace(terms, limit_price=terms.limit_price - terms.limit_price % tick))


class DeclaresDead(Ordering):
    """A server's failure is taken for a rejection."""

    def read(self, errand: Errand, reply: Any, now_ns: int) -> Told:
        told = super().read(errand, reply, now_ns) if reply.status < 500 else None
        if told is not None:
            return told
        terms = errand.terms
        assert terms is not None
        word = Word.REJECTED
        report = ExecutionReport(terms.venue, terms.child_id, terms.instrument, now_ns, word, _about(errand), "500")
        return Told([report])


def _about(errand: Errand) -> Any:
    return import_module("connectors.outcomes").ABOUT[errand.purpose]


class NewIds(Ordering):
    """Every word of a fill counts as another one."""

    numbers = count(1)

    def event(self, event: Any) -> Any:
        if isinstance(event, FillReported):
            return replace(event, fill=replace(event.fill, fill_id=f"made-up-{next(self.numbers)}"))
        return event


class ForgetsFees(Ordering):
    def event(self, event: Any) -> Any:
        return replace(event, fill=replace(event.fill, fee=0)) if isinstance(event, FillReported) else event


class HalvesBalances(Ordering):
    def event(self, event: Any) -> Any:
        if not isinstance(event, BalancesRead):
            return event
        halved = {asset: replace(held, total=held.total // 2) for asset, held in event.balances.items()}
        return replace(event, balances=halved)


class NeverCancels(Ordering):
    def asked(self, errand: Errand) -> Errand:
        if errand.purpose is Purpose.CANCEL:
            raise CallRefused("not today")
        return errand


Defect = Callable[[Any], Any]

BOOKS: list[tuple[str, Defect, str, str]] = [
    ("binance", Blinded, "gap", "shown as live, and is not the venue's book"),
    ("huobi", Floats, "start", "a quantity is rounded"),
    ("binance", Inverted, "start", "is not below best ask"),
    ("gateio", KeepsWhatIsGone, "start", "bids differ"),
    ("huobi", OwnClock, "clock", "clock"),
    ("huobi", Deaf, "heartbeat", "a heartbeat was not answered"),
    ("cryptocom", Deaf, "heartbeat", "a heartbeat was not answered"),
    ("cryptocom", NeverAsksAgain, "gap", "not every book was live"),
    ("binance", TakesAllDown, "gap", "only BTCUSDT was struck, and ETHUSDT, XRPUSDT went out with it"),
    ("binance", Raises, "garbage", "the connector raised KeyError"),
]

ORDERS: list[tuple[str, Defect, str, str]] = [
    ("binance", WrongSide, "fills", "could be filled at once was not"),
    ("gateio", CutsDigits, "precision", "came to the venue as"),
    ("binance", DeclaresDead, "order 5xx", "it could be sent again"),
    ("huobi", NewIds, "fills once", "fills were told, and the venue made 1"),
    ("cryptocom", ForgetsFees, "fills", "fee 0 units"),
    ("gateio", HalvesBalances, "balances", "told as"),
    ("binance", NeverCancels, "order life", "not today"),
]


def seen(venue: str, name: str, market: Defect | None = None, orders: Defect | None = None) -> tuple[Outcome, str]:
    """What one check comes to with a spoiled connector."""
    sound = subject(venue)
    new_market_data, new_order_entry = sound.new_market_data, sound.new_order_entry
    assert new_order_entry is not None
    if market is not None:
        sound = replace(sound, new_market_data=lambda: market(new_market_data()))
    if orders is not None:
        sound = replace(sound, new_order_entry=lambda *given: orders(new_order_entry(*given)))
    (trial,) = [trial for trial in TRIALS if trial.name == name]
    check = carried_out(trial, sound)
    return check.outcome, check.seen


def named(case: object) -> str | None:
    return getattr(case, "__name__", None)


@pytest.mark.parametrize(("venue", "defect", "check", "defects_name"), BOOKS, ids=named)
def test_a_defect_in_following_books_is_found_and_named(
    venue: str, defect: Defect, check: str, defects_name: str
) -> None:
    outcome, told = seen(venue, check, market=defect)
    assert outcome is Outcome.FAILED and defects_name in told, told


@pytest.mark.parametrize(("venue", "defect", "check", "defects_name"), ORDERS, ids=named)
def test_a_defect_in_trading_is_found_and_named(venue: str, defect: Defect, check: str, defects_name: str) -> None:
    outcome, told = seen(venue, check, orders=defect)
    assert outcome is Outcome.FAILED and defects_name in told, told
