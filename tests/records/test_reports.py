"""Reports: every figure is reckoned again from the raw rows by a second, naive way, and agrees to the last digit."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest

from aggregator.cli import main
from aggregator.domain.instrument import Instruments, Side
from aggregator.records import archive, exports
from aggregator.records.reports import execution, liquidity, made, venues
from aggregator.records.reports.figures import Span
from aggregator.records.reports.report import Report, Table
from aggregator.records.reports.texts import LANGUAGES, texts
from aggregator.records.reports.writing import as_document, as_page, grouped, write
from aggregator.service.archive import Archive
from aggregator.service.clock import NS
from aggregator.service.parquet import frame_of
from tests.engine.test_local_orders import KRW
from tests.engine.test_other_quotes import STATED, Routed
from tests.records.test_exports import journaled

DAY = date(2022, 11, 11)
SPAN = Span(DAY, DAY)
START_NS = SPAN.start_ns
Frames = dict[str, pd.DataFrame]
Rows = list[tuple[Any, ...]]


def frames(**rows: Rows) -> Frames:
    return {table: frame_of(columns, rows.get(table, [])) for table, columns in archive.TABLES.items()}


def table(report: Report, name: str) -> Table:
    (found,) = [one for one in report.tables if one.name == name]
    return found


def rounded(number: Fraction, places: int) -> str:
    """Half to even, by hand, without zeros at the end."""
    scaled = number * 10**places
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    twice = 2 * rest
    if twice > scaled.denominator or (twice == scaled.denominator and whole % 2):
        whole += 1
    sign, digits = "-" if whole < 0 else "", str(abs(whole)).rjust(places + 1, "0")
    text = f"{digits[:-places]}.{digits[-places:]}".rstrip("0").rstrip(".")
    return text if text == "0" else sign + text


def average(numbers: Iterable[Fraction]) -> Fraction:
    known = list(numbers)
    return sum(known, Fraction(0)) / len(known)


def a_random_day(seed: int) -> Rows:
    """Rows of `liquidity`: two instruments at two venues and together, every ten minutes or so."""
    random, rows = Random(seed), Rows()
    for number in range(200):
        at_ns = START_NS + number * 400 * NS + random.randrange(NS)
        for instrument in ("BTC/USDT", "ETH/USDT"):
            for venue in ("", "alpha", "beta"):
                if random.randrange(10) == 0:
                    continue
                bid = random.randrange(10**6, 2 * 10**6)
                ask = bid + random.randrange(-50, 2000)
                bests = [None if random.randrange(20) == 0 else f"{value / 100:.2f}" for value in (bid, ask)]
                depths = [f"{random.randrange(10**7)}e-6" for _ in range(6)]
                shown = [str(Fraction(depth).limit_denominator(10**6).__float__()) for depth in depths]
                rows.append((at_ns, instrument, venue, *bests, "1", "1", *shown))
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_liquidity_is_what_the_samples_come_to(seed: int) -> None:
    rows = a_random_day(seed)
    report = liquidity.report(SPAN, frames(liquidity=rows, runs=[(START_NS, "started", None)]))
    told = {(row[0], row[1]): row for row in table(report, "by_venue").rows}
    hourly = {(row[0], row[1], row[2]): row for row in table(report, "by_hour").rows}
    groups: defaultdict[tuple[str, ...], Rows] = defaultdict(list)
    for row in rows:
        hour = f"2022-11-11T{(row[0] - START_NS) // (3600 * NS):02}"
        groups[row[1], row[2] or "all"].append(row)
        groups[hour, row[1], row[2] or "all"].append(row)
    assert {key for key in groups if len(key) == 2} == told.keys()
    assert {key for key in groups if len(key) == 3} == hourly.keys()
    for key, own in groups.items():
        found = (told if len(key) == 2 else hourly)[key]  # type: ignore[index]
        cells = found[len(key) :]
        spreads = [naive_spread(row) for row in own if row[3] is not None and row[4] is not None]
        assert cells[0] == len(own)
        assert cells[1] == (rounded(average(spreads), 2) if spreads else None)
        assert cells[2] == (rounded(max(spreads), 2) if spreads else None)
        for number in range(3):
            both = [Fraction(row[7 + 2 * number]) + Fraction(row[8 + 2 * number]) for row in own]
            assert cells[3 + number] == rounded(average(both), 8)
        whole = [r for other, rs in groups.items() if other[:-1] == key[:-1] and other[-1] != "all" for r in rs]
        mine = whole if key[-1] == "all" else own
        total = sum((Fraction(row[9]) + Fraction(row[10]) for row in whole), Fraction(0))
        part = sum((Fraction(row[9]) + Fraction(row[10]) for row in mine), Fraction(0))
        assert cells[6] == (rounded(part * 100 / total, 3) if total else None)


def naive_spread(row: tuple[Any, ...]) -> Fraction:
    """Rounded as a sample's is, before it is averaged."""
    bid, ask = Fraction(row[3]), Fraction(row[4])
    return Fraction(rounded((ask - bid) * 2 * 10_000 / (ask + bid), 2))


@pytest.mark.parametrize("seed", range(5))
def test_uptime_is_reckoned_second_by_second(seed: int) -> None:
    random = Random(seed)
    runs: Rows = [(START_NS + 10 * NS, "started", None), (START_NS + 500 * NS, "stopped", None)]
    runs += [(START_NS + 800 * NS, "started", None), (START_NS + 1500 * NS, "stopped", None)]
    words: Rows = []
    for start, end in ((10, 500), (800, 1500)):
        seconds = sorted({start, *(random.randrange(start, end) for _ in range(15))})
        words += [
            (START_NS + at * NS, "BTC/USDT", "alpha", random.choice(("live", "stale", "syncing")), "why")
            for at in seconds
        ]
    report = liquidity.report(SPAN, frames(health=words, runs=runs))
    spent: defaultdict[str, int] = defaultdict(int)
    lost, before = 0, ""
    for second in [*range(10, 500), *range(800, 1500)]:
        state = [word[3] for word in words if word[0] <= START_NS + second * NS][-1]
        spent[state] += 1
        lost += before == "live" and state != "live" and second != 800
        before = state
    states = {row[2]: row[3] for row in table(report, "states").rows}
    assert states == {state: str(seconds) for state, seconds in spent.items()}
    (row,) = table(report, "by_venue").rows
    assert (row[-2], row[-1]) == (rounded(Fraction(spent["live"] * 100, 1190), 3), lost)


def test_resilience_is_how_long_depth_was_gone() -> None:
    """Down from 10 to 4, and back above 9 after 30 s; down again at the end, and not back."""
    rows: Rows = [
        (START_NS + at * NS, "BTC/USDT", "alpha", "100", "101", "1", "1", *[str(depth), "0"] * 3)
        for at, depth in ((0, 10), (10, 4), (20, 6), (30, 8), (40, 9), (50, 9), (60, 1))
    ]
    report = liquidity.report(SPAN, frames(liquidity=rows))
    (row,) = table(report, "resilience").rows
    assert row == ("BTC/USDT", "alpha", 2, "30", "30", 1)


def traded_day(tmp_path: Path) -> tuple[Routed, Frames]:
    busan = Routed(STATED)
    busan.dollars("alpha", "59900", "60050", "0.3")
    busan.dollars("beta", "59900", "60200", "5")
    busan.order("ann", "c1", Side.SELL, "0.5", "84000000")
    parent = busan.order("bob", "c2", Side.BUY, "1.5", None)
    busan.fill(parent, "alpha", "18.015")
    busan.fill(parent, "beta", "40", "BTC")
    busan.order("bob", "c3", Side.SELL, "0.2", "83000000", venues=("alpha",))
    busan.order("bob", "c4", Side.BUY, "0.1", "80000001")
    records = exports.replayed(journaled(busan, tmp_path / "journal.db"), Instruments([KRW]))
    return busan, frames() | {name: records.frame(name) for name in exports.TABLES}


def test_execution_is_what_the_fills_come_to(tmp_path: Path) -> None:
    busan, own = traded_day(tmp_path)
    day = date.fromisoformat("2026-05-28")
    report = execution.report(Span(day, day), own)
    orders = {row[1]: dict(zip(execution.ORDER_COLUMNS, row, strict=True)) for row in table(report, "orders").rows}
    assert orders.keys() == busan.engine.orders.parents.keys()
    planned_worse = arrival_worse = planned_all = arrival_all = Fraction(0)
    for parent in busan.engine.orders.parents.values():
        row, sign = orders[parent.order_id], 1 if parent.terms.side is Side.BUY else -1
        fills = [(fill, child) for child in parent.children.values() for fill in child.fills.values()]
        filled = sum(Fraction(KRW.show_quantity(fill.quantity)) for fill, _ in fills)
        worth = Fraction(0)
        for fill, child in fills:
            rate = 1400 if child.terms.rate is not None else 1
            worth += Fraction(KRW.show_price(fill.price)) * Fraction(KRW.show_quantity(fill.quantity)) * rate
        assert Fraction(str(row["filled"])) == filled and row["state"] == parent.state.value
        if not filled:
            assert row["average_price"] is None and row["slippage_planned"] is None
            continue
        assert row["average_price"] == rounded(worth / filled, 8)
        if parent.plans[0]["average_price"] is None:
            assert row["slippage_planned"] is None, "it rested, and was taken"
        else:
            planned = Fraction(parent.plans[0]["average_price"])
            worse = (worth - planned * filled) * sign
            assert row["slippage_planned"] == rounded(worse * 10_000 / (planned * filled), 2)
            planned_worse, planned_all = planned_worse + worse, planned_all + planned * filled
        if parent.arrival_mid is not None:
            mid = Fraction(KRW.show_price(parent.arrival_mid))
            arrival_worse += (worth - mid * filled) * sign
            arrival_all += mid * filled
    headline = dict(report.headline)
    assert headline["slippage_planned"] == rounded(planned_worse * 10_000 / planned_all, 2)
    assert headline["orders"] == "4" and headline["rejected"] == "1"
    if arrival_all:
        assert headline["slippage_arrival"] == rounded(arrival_worse * 10_000 / arrival_all, 2)
    bought = orders[next(p.order_id for p in busan.engine.orders.parents.values() if p.terms.client_order_id == "c2")]
    assert bought["fees"] == "40 BTC, 42000 KRW, 18.015 USDT"


def test_what_an_exclusion_cost_is_said(tmp_path: Path) -> None:
    """alpha is halted by its own account: its cheaper book stands there, and is not used."""
    busan = Routed(STATED)
    busan.engine.orders.state.venues["alpha"].is_reconciled = False
    busan.dollars("alpha", "59900", "60000", "5")
    busan.dollars("beta", "59900", "60600", "5")
    busan.order("bob", "c1", Side.BUY, "1", None)
    records = exports.replayed(journaled(busan, tmp_path / "journal.db"), Instruments([KRW]))
    (cost,) = records.frame("plans").exclusions_cost_bps
    # 60,600 dollars instead of 60,000, both with 0.1 % on top: 600 of 60,600.
    assert cost == rounded(Fraction(600 * 10_000, 60_600), 4)


def test_a_day_without_anything_says_so() -> None:
    for make in (liquidity.report, execution.report, venues.report):
        report = make(SPAN, frames(), None)
        page = as_page(report, "en")
        assert re.search("Nothing was recorded|no orders", page) and "Nothing." in page
        assert "None" not in page and "nan" not in page


def test_a_day_with_a_crash_in_it_is_read_up_to_the_crash() -> None:
    """Killed 100 s after its start, and started again 50 s later: the time between is not on record."""
    words: Rows = [(START_NS + at * NS, "BTC/USDT", "alpha", "live", None) for at in (0, 100, 150)]
    runs: Rows = [(START_NS, "started", None), (START_NS + 150 * NS, "started", None)]
    runs.append((START_NS + 250 * NS, "stopped", None))
    report = liquidity.report(SPAN, frames(health=words, runs=runs))
    assert [key for key, _ in report.notes] == ["run_broken", "run_whole"]
    (state,) = table(report, "states").rows
    assert state[2:] == ("live", "200", "100")
    assert "did not say that it ended" in as_page(report, "en")


def test_a_day_across_a_change_of_rules_names_it() -> None:
    runs: Rows = [(START_NS, "started", None), (START_NS + NS, "rules", "binance BTC/USDT: tick 0.01 -> 0.05")]
    for make in (liquidity.report, execution.report):
        report = make(SPAN, frames(runs=runs), None)
        ((_, change),) = table(report, "rules").rows
        assert change == "binance BTC/USDT: tick 0.01 -> 0.05"
        assert "tick 0.01 -&gt; 0.05" in as_page(report, "ko")


def test_a_venues_card_counts_what_became_of_its_orders(tmp_path: Path) -> None:
    _, own = traded_day(tmp_path)
    day = date.fromisoformat("2026-05-28")
    report = venues.report(Span(day, day), own)
    cards = {row[0]: dict(zip(venues.COLUMNS, row, strict=True)) for row in table(report, "cards").rows}
    for venue, card in cards.items():
        children = own["children"][own["children"].venue == venue]
        assert card["children"] == len(children)
        immediate = children[children.time_in_force != "GTC"]
        wanted = sum((Fraction(text) for text in immediate.quantity), Fraction(0))
        filled = sum((Fraction(text) for text in immediate.filled), Fraction(0))
        assert card["filled_to_plan"] == (rounded(filled * 100 / wanted, 3) if wanted else None)
    assert cards["alpha"]["fees"] == "18.015 USDT" and cards["beta"]["fees"] == "40 BTC"


def test_every_language_says_everything(tmp_path: Path) -> None:
    _, own = traded_day(tmp_path)
    keys = [[sorted(part) for part in texts(language)] for language in LANGUAGES]
    assert all(found == keys[0] for found in keys)
    used = texts("en")
    for make in (liquidity.report, execution.report, venues.report):
        report = make(SPAN, own, None)
        assert {one.name for one in report.tables} <= used.definitions.keys() & used.titles.keys()
        for one in report.tables:
            assert set(one.columns) <= used.columns.keys()
        for language in LANGUAGES:
            page = as_page(report, language)
            assert "<script" not in page and "http" not in page, "it is read without a network"
            assert f'<html lang="{language}">' in page


def test_a_report_is_a_page_a_document_and_a_table_each(tmp_path: Path) -> None:
    _, own = traded_day(tmp_path)
    day = date.fromisoformat("2026-05-28")
    report = execution.report(Span(day, day), own, "bob")
    written = write(report, tmp_path / "out", "en")
    assert {path.suffix for path in written} == {".html", ".json", ".csv"}
    orders = pd.read_csv(tmp_path / "out" / "execution-orders.csv", dtype="string")
    assert set(orders.account) == {"bob"} and len(orders) == 3
    assert json.loads((tmp_path / "out" / "execution.json").read_text()) == as_document(report)


def test_what_a_client_wrote_cannot_break_the_page() -> None:
    runs: Rows = [(START_NS, "started", None), (START_NS + 1, "rules", "<script>alert(1)</script>")]
    assert "<script" not in as_page(liquidity.report(SPAN, frames(runs=runs)), "en")


def test_the_command_reports_on_records_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Archive(tmp_path / "records", 10**18 * 9, lambda: START_NS) as recording:
        recording.put("runs", START_NS, lambda: [(START_NS, "started", None), (START_NS + 60 * NS, "stopped", None)])
    out = tmp_path / "out"
    day = ["--from", "2022-11-11", "--records", str(tmp_path / "records"), "--out", str(out)]
    assert main(["report", "liquidity", *day]) == 0
    assert str(out / "liquidity.html") in capsys.readouterr().out
    assert "2022-11-11 00:01:00 UTC (09:01:00 KST)" in (out / "liquidity.html").read_text()
    assert main(["report", "liquidity", *day, "--to", "2022-11-10"]) == 2
    assert "turn them round" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["report", "venue", *day[:-1], str(tmp_path / "file")]) == 2
    assert "--out" in capsys.readouterr().err
    found = made.report("venue", SPAN, tmp_path / "records", None)
    assert dict(found.headline)["venues"] == "0"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1234567.891", "1,234,567.9"),
        ("-0.5", "-0.5"),
        ("0", "0"),
        ("12", "12"),
        ("-1234", "-1,234"),
        ("0.123456785", "0.1234568"),
        ("n/a", "n/a"),
    ],
)
def test_numbers_on_the_page_are_for_the_eye(text: str, shown: str) -> None:
    assert grouped(text) == shown
