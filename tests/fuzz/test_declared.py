"""The search of `test_fuzz`, on venues that only their files describe."""

from pathlib import Path

import pytest

from aggregator.config.venues import load_venue
from connectors.contract import MarketData
from connectors.declarative import MarketData as Declared
from tests.fuzz.fuzzer import Fuzzer
from tests.paths import REPOSITORY, needs_shared

ROUNDS = range(16)
BINANCE = REPOSITORY / "tests" / "connectors" / "declared" / "binance.yaml"


def declared(file: Path) -> MarketData:
    declaration = load_venue(file).declared
    assert declaration is not None
    return Declared(declaration)


def test_broken_input_neither_raises_nor_harms_a_book_of_binance() -> None:
    fuzzer = Fuzzer("1")
    findings = fuzzer.rounds("binance", lambda: declared(BINANCE), ROUNDS)
    assert [str(finding) for finding in findings] == []
    assert fuzzer.tally.rejected > 50
    assert fuzzer.tally.proven > 200


@needs_shared
@pytest.mark.parametrize("name", ["upbit", "bithumb", "probit", "gateio_v3"])
def test_broken_recordings_neither_raise_nor_harm_a_book(name: str) -> None:
    file = REPOSITORY / "config" / "venues" / f"{name}.yaml"
    fuzzer = Fuzzer("1")
    assert [str(finding) for finding in fuzzer.rounds(name, lambda: declared(file), ROUNDS)] == []
    assert fuzzer.tally.rejected > 20
