"""Rates in the settings: what they become, and every mistake once, with the line that tells it."""

from pathlib import Path

import pytest

from aggregator.config.files import check_file
from aggregator.config.settings import read_settings_file
from aggregator.domain.plan import NET_ONE
from aggregator.domain.rates import BookRate, Peg, RateSource, StatedRate
from tests.config.texts import SETTINGS, VENUE

SECOND = 10**9
THE_20TH_NS = 1_795_100_400 * SECOND
"""Midnight of 20 November 2026 in Seoul."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "venues").mkdir()
    (tmp_path / "venues" / "example.yaml").write_text(VENUE)
    return tmp_path


def sources(text: str) -> tuple[RateSource, ...]:
    Path("aggregator.yaml").write_text(text)
    return read_settings_file(Path("aggregator.yaml")).sound().rate_sources()


@pytest.mark.usefixtures("folder")
def test_rates_become_exact_sources_in_the_order_in_which_they_are_written():
    assert sources(SETTINGS) == (
        StatedRate("official", "USD", "KRW", 13_905 * NET_ONE // 10, THE_20TH_NS, 96 * 3600 * SECOND),
        StatedRate("fixed", "USDT", "USD", NET_ONE),
        BookRate("market", "USDT", "KRW", "example", 10 * SECOND, Peg(1390 * NET_ONE, 300)),
        BookRate("local", "USDC", "KRW", "busan", 120 * SECOND),
    )


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("value: 0", "1:57: rates.0.value: '0' is no rate"),
        ("value: 1e-17", "1:57: rates.0.value: '1e-17' is not a decimal number such as 1390.5, of at most 16 decimals"),
        ("value: 1e31", "1:57: rates.0.value: '1e31' is no rate"),
        ("value: 1, quote: USDT", "1:60: rates.0.quote: given a second time"),
        ("vlaue: 1", "1:50: rates.0.vlaue: unknown key; did you mean value?"),
        ("as_of: 2026-11-20, max_age: 1h", "1:9: rates.0.value: missing; for example `value: 1390.5`"),
        ("value: 1, venue: example, max_age: 1s", "1:67: rates.0.venue: given beside a value; keep one of the two"),
        ("venue: example", "1:9: rates.0.max_age: missing; for example `max_age: 10s`"),
        ("venue: example, max_age: off", "1:75: rates.0.max_age: off would believe it however old it is"),
        ("venue: example, max_age: 1s, as_of: 2026-11-20", "1:86: rates.0.as_of: a book says itself how old it is"),
        ("value: 1, as_of: 2026-11-20", "1:9: rates.0.max_age: missing; for example `max_age: 96h`"),
        ("value: 1, max_age: 1h", "1:69: rates.0.max_age: nothing says how old the value is"),
        ("value: 1, as_of: yesterday, max_age: 1h", "1:67: rates.0.as_of: 'yesterday' is not a day"),
        ("value: 1, reference: 1", "1:9: rates.0.depeg_bps: missing; for example `depeg_bps: 200`"),
        ("value: 1, depeg_bps: 100", "1:9: rates.0.reference: missing; for example `reference: 1`"),
        ("venue: bithumb, max_age: 1s", "1:57: rates.0.venue: no venue is called bithumb; known here: example"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_each_mistake_is_told_where_it_is(rule, fault):
    Path("aggregator.yaml").write_text(f"rates: [{{source: market, base: USDT, quote: KRW, {rule}}}]")
    faults = check_file(Path("aggregator.yaml"))
    assert [line[: len(f"aggregator.yaml:{fault}")] for line in faults] == [f"aggregator.yaml:{fault}"]


@pytest.mark.usefixtures("folder")
def test_an_asset_has_no_rate_to_itself():
    Path("aggregator.yaml").write_text("rates: [{source: same, base: USDT, quote: USDT, value: 1}]")
    (fault,) = check_file(Path("aggregator.yaml"))
    assert fault.startswith("aggregator.yaml:1:43: rates.0.quote: the same as base")
