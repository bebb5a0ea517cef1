"""A short search of every connector, and the proof that the search finds what it looks for."""

import pytest

from aggregator.domain.errors import FrameRefused
from aggregator.domain.events import BookDelta
from connectors.binance.market_data import BinanceMarketData
from connectors.books import Books
from connectors.contract import NOTHING, Answer
from tests.fuzz.__main__ import main
from tests.fuzz.dialects import DIALECTS
from tests.fuzz.fuzzer import Finding, Fuzzer, MakeMarketData, found_connectors

ROUNDS = range(12)
ENOUGH = range(200)


def first_finding(make: MakeMarketData, fault: str, seed: str) -> Finding:
    """The first that shows this fault. A defect may show in several ways."""
    for finding in Fuzzer(seed).rounds("binance", make, ENOUGH):
        if fault in finding.fault:
            return finding
    raise AssertionError(f"no finding with {fault!r} in {len(ENOUGH)} rounds")


@pytest.mark.parametrize("connector", sorted(found_connectors()))
def test_broken_input_neither_raises_nor_harms_a_book(connector: str) -> None:
    fuzzer = Fuzzer("1")
    assert [str(finding) for finding in fuzzer.rounds(connector, found_connectors()[connector], ROUNDS)] == []
    assert fuzzer.tally.rejected > 50
    if connector in DIALECTS:
        assert fuzzer.tally.proven > 200


def test_every_venue_that_can_be_written_is_searched() -> None:
    assert set(DIALECTS) <= set(found_connectors())


class Raising(BinanceMarketData):
    """Lets an error of its own through."""

    def read(self, frame: str | bytes, books: Books, now_ns: int) -> Answer:
        try:
            return super().read(frame, books, now_ns)
        except FrameRefused as error:
            raise KeyError(error.reason) from None


class HalfApplying(BinanceMarketData):
    """Moves the book on, and refuses the frame only then: what it held is gone, and nobody is told."""

    def read(self, frame: str | bytes, books: Books, now_ns: int) -> Answer:
        answer = super().read(frame, books, now_ns)
        if len(frame) % 5 == 0 and any(isinstance(event, BookDelta) for event in answer.events):
            raise FrameRefused("an afterthought")
        return answer


class Meddling(BinanceMarketData):
    """Gives up a book that the frame does not name."""

    def read(self, frame: str | bytes, books: Books, now_ns: int) -> Answer:
        try:
            return super().read(frame, books, now_ns)
        except FrameRefused:
            return Answer([event for book in books for event in book.lost("for no reason of its own", now_ns)])


class Forgetting(BinanceMarketData):
    """Loses a level of a sound change now and then."""

    def read(self, frame: str | bytes, books: Books, now_ns: int) -> Answer:
        answer = super().read(frame, books, now_ns)
        for event in answer.events:
            if isinstance(event, BookDelta) and len(event.asks.prices) > 1:
                event.asks.prices.pop()
                event.asks.quantities.pop()
        return answer


class StandingStill(BinanceMarketData):
    """After the first frame that it cannot read it reads nothing more, and its books stay live."""

    is_dead = False

    def read(self, frame: str | bytes, books: Books, now_ns: int) -> Answer:
        if self.is_dead:
            return NOTHING
        try:
            return super().read(frame, books, now_ns)
        except FrameRefused as error:
            self.is_dead = error.symbol is None
            raise


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (Raising, "KeyError"),
        (HalfApplying, "rejected, yet"),
        (Meddling, "by what does not name it"),
        (Forgetting, "not the true book"),
        (StandingStill, "was heard"),
    ],
)
class TestADefect:
    def test_is_found(self, broken: MakeMarketData, fault: str) -> None:
        assert first_finding(broken, fault, seed="1").connector == "binance"

    def test_is_found_again_by_what_is_printed(
        self, broken: MakeMarketData, fault: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first = first_finding(broken, fault, seed="5")
        again = ["--connector", "binance", "--seed", first.seed, "--round", str(first.round)]
        assert " ".join(["python -m tests.fuzz", *again]) in str(first)
        assert main(again, {"binance": broken}) == 1
        printed = capsys.readouterr().out
        assert repr(first.heard) in printed
        assert "a finding, seed 5" in printed


def test_a_search_without_a_finding_says_how_much_it_tried_and_its_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--connector", "binance", "--rounds", "2", "--seed", "7"], {"binance": BinanceMarketData}) == 0
    first = capsys.readouterr().out
    assert "binance: 2 rounds" in first
    assert first.rstrip().endswith("no finding, seed 7")
    main(["--connector", "binance", "--rounds", "2", "--seed", "7"], {"binance": BinanceMarketData})
    assert capsys.readouterr().out == first, "one seed, one search"
