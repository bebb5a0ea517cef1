"""What Busan lists: the file, the rules that it becomes, its hours, and each mistake with the line that tells it."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.calendars import Calendar
from aggregator.config.files import Configuration, check_file, load_configuration
from aggregator.config.listings import Listings, listing_relations, read_listings_file
from aggregator.config.schema import read_text
from aggregator.domain.errors import ConfigurationRefused
from aggregator.domain.instrument import Fees, Instrument
from aggregator.domain.local import BookState, SelfTrade
from tests.config.texts import DEFUNCT, LISTINGS, VENUE, spoiled
from tests.paths import REPOSITORY


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "venues").mkdir()
    (tmp_path / "venues" / "example.yaml").write_text(VENUE)
    (tmp_path / "venues" / "gone.yaml").write_text(DEFUNCT)
    (tmp_path / "aggregator.yaml").write_text("listings: listings.yaml")
    (tmp_path / "listings.yaml").write_text(LISTINGS)
    return tmp_path


def loaded() -> Configuration:
    return load_configuration(Path("aggregator.yaml"))


def listings() -> Listings:
    return read_listings_file(Path("listings.yaml")).sound()


@pytest.mark.usefixtures("folder")
def test_a_listing_becomes_the_rules_of_a_local_book():
    bitcoin, dollars = loaded().local_rules()
    btc = Instrument.of("BTC", "KRW")
    assert bitcoin.instrument == btc
    assert (bitcoin.lot, bitcoin.minimum_quantity) == (btc.quantity("0.00000001"), btc.quantity("0.00001"))
    assert bitcoin.maximum_quantity == btc.quantity("100")
    assert bitcoin.minimum_notional == btc.notional("5000")
    assert bitcoin.reference_price == btc.price("85714000")
    assert (bitcoin.price_band_bps, bitcoin.market_bound_bps) == (3000, 100)
    assert (bitcoin.fees, bitcoin.self_trade) == (Fees(40_000, 50_000), SelfTrade.DECREMENT)
    assert dollars.minimum_quantity == dollars.lot, "a lot is the least that there is"
    assert (dollars.maximum_quantity, dollars.minimum_notional, dollars.fees) == (0, 0, Fees())
    assert dollars.self_trade is SelfTrade.CANCEL_NEWEST


@pytest.mark.parametrize(
    ("price", "tick"),
    [("0", "0.1"), ("99.9", "0.1"), ("100", "1"), ("999999", "1"), ("1000000", "1000"), ("1e11", "1000")],
)
@pytest.mark.usefixtures("folder")
def test_a_band_rules_from_its_first_price_on(price, tick):
    bitcoin = loaded().local_rules()[0]
    show = bitcoin.instrument.price
    assert bitcoin.tick_at(show(price)) == show(tick)


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        ("0.000009", "0.00000001"),
        ("0.00001", "0.0000001"),
        ("9.99", "0.01"),
        ("10", "0.1"),
        ("100", "1"),
        ("4999", "1"),
        ("5000", "5"),
        ("10000", "10"),
        ("50000", "50"),
        ("100000", "100"),
        ("500000", "500"),
        ("1000000", "1000"),
        ("150000000", "1000"),
    ],
)
def test_the_committed_table_is_the_one_that_won_is_quoted_in(price, tick):
    configuration = load_configuration(REPOSITORY / "config" / "demo.yaml")
    for rules in configuration.local_rules():
        assert rules.instrument.show_price(rules.tick_at(rules.instrument.price(price))) == tick


def test_the_committed_listings_are_sound_in_themselves():
    configuration = load_configuration(REPOSITORY / "config" / "demo.yaml")
    rules = configuration.local_rules()
    assert [each.instrument.name for each in rules] == ["BTC/KRW", "ETH/KRW"]
    for each in rules:
        assert each.reference_price % each.tick_at(each.reference_price) == 0
        least_notional = each.minimum_quantity * each.reference_price * (10_000 - each.price_band_bps) // 10_000
        assert least_notional < each.minimum_notional < each.maximum_quantity * each.reference_price
        assert each.fees.taker >= each.fees.maker > 0
    assert configuration.listings is not None
    assert all(listing.state_at(0) is BookState.OPEN for listing in configuration.listings.listings)


@pytest.mark.usefixtures("folder")
def test_scales_widen_to_hold_every_number_and_may_be_too_coarse_when_given_by_hand():
    Path("listings.yaml").write_bytes(spoiled(LISTINGS, ("{tick: 0.1}", "{tick: 1e-15}"), ("lot: 1e-8", "lot: 1e-20")))
    bitcoin = loaded().local_rules()[0]
    assert (bitcoin.instrument.price_decimals, bitcoin.instrument.quantity_decimals) == (15, 20)
    assert (bitcoin.ticks[0].tick, bitcoin.lot) == (1, 1)
    coarse = "listings: listings.yaml\ninstruments: {BTC/KRW: {price_decimals: 14, quantity_decimals: 4}}"
    Path("aggregator.yaml").write_text(coarse)
    with pytest.raises(ConfigurationRefused) as refused:
        loaded()
    assert [line.partition("; ")[0] for line in refused.value.faults] == [
        "listings.yaml:3:14: tick_tables.krw.0.tick: 1e-15 needs 15 decimals, but BTC/KRW has 14".replace(
            "1e-15", "0.000000000000001"
        ),
        "listings.yaml:11:10: listings.0.lot: 0.00000000000000000001 needs 20 decimals, but BTC/KRW has 4",
        "listings.yaml:12:23: listings.0.minimum_quantity: 0.00001 needs 5 decimals, but BTC/KRW has 4",
    ]


def at_ns(text: str) -> int:
    """A time in Seoul."""
    return int(datetime.fromisoformat(f"{text}+09:00").astimezone(UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("at", "state"),
    [
        ("2026-11-22T00:00", BookState.CLOSED),
        ("2026-11-22T08:29:59", BookState.CLOSED),
        ("2026-11-22T08:30", BookState.PRE_OPEN),
        ("2026-11-22T08:59:59", BookState.PRE_OPEN),
        ("2026-11-22T09:00", BookState.OPEN),
        ("2026-11-22T23:29:59", BookState.OPEN),
        ("2026-11-22T23:30", BookState.CLOSED),
    ],
)
@pytest.mark.usefixtures("folder")
def test_hours_say_what_a_book_is_in_seoul(at, state):
    assert listings().listings[1].state_at(at_ns(at)) is state
    assert listings().listings[0].state_at(at_ns(at)) is BookState.PRE_OPEN, "without hours, what is written"


@pytest.mark.usefixtures("folder")
def test_the_turns_of_a_day_follow_one_another():
    hours = listings().listings[1].hours
    assert hours is not None
    calendar, now_ns, turns = hours.as_calendar(), at_ns("2026-12-31T23:00"), []
    for _ in range(4):
        now_ns, state = calendar.next_turn(now_ns)
        turns.append((now_ns, state))
        assert calendar.state_at(now_ns) is state
        assert calendar.state_at(now_ns - 1) is not state
    assert turns == [
        (at_ns("2026-12-31T23:30"), BookState.CLOSED),
        (at_ns("2027-01-01T08:30"), BookState.PRE_OPEN),
        (at_ns("2027-01-01T09:00"), BookState.OPEN),
        (at_ns("2027-01-01T23:30"), BookState.CLOSED),
    ]


def test_without_a_pre_opening_a_book_opens_at_once():
    hours = datetime.fromisoformat("2026-01-01T09:00").time(), datetime.fromisoformat("2026-01-01T15:30").time()
    calendar = Calendar(*hours)
    assert calendar.next_turn(at_ns("2026-01-01T08:00")) == (at_ns("2026-01-01T09:00"), BookState.OPEN)
    assert calendar.state_at(at_ns("2026-01-01T08:59:59")) is BookState.CLOSED


@pytest.mark.parametrize(
    ("sound", "spoilt", "fault"),
    [
        ("{tick: 0.1}", "{from: 1, tick: 0.1}", "3:14: tick_tables.krw.0.from: the first row begins at 0"),
        ("from: 100,", "from: 2e6,", "5:14: tick_tables.krw.2.from: not above the row before"),
        ("from: 1e6", "from: 1000500", "5:14: tick_tables.krw.2.from: not a multiple of its own tick"),
        (
            "tick: 0.1}",
            "tick: 0.3}",
            "4:14: tick_tables.krw.1.from: not a multiple of its own tick and of the tick below",
        ),
        ("tick: 1}", "tick: 0}", "4:25: tick_tables.krw.1.tick: 0 rules nothing out"),
        ("tick: 1}", "tock: 1}", "4:19: tick_tables.krw.1.tock: unknown key; did you mean tick?"),
        ("from: 100,", "from: -1,", "4:14: tick_tables.krw.1.from: '-1' is not a positive decimal number"),
        ("\n    - {from: 0, tick: 0.01}", " []", "6:10: tick_tables.plain: an empty table; write at least one row"),
        (
            "\nlistings:",
            "\n  Won: [{tick: 1}]\nlistings:",
            "8:3: tick_tables.Won: 'Won' is not a name of small letters, digits and _",
        ),
        ("ticks: krw", "ticks: won", "10:12: listings.0.ticks: no tick table is called won; known here: krw, plain"),
        ("USDC/KRW", "BTC/KRW", "23:17: listings.1.instrument: BTC/KRW is listed a second time, first on line 9"),
        ("minimum_quantity: 0.00001", "minimum_quantity: 1.5e-8", "12:23: listings.0.minimum_quantity: not a multiple"),
        ("maximum_quantity: 100", "maximum_quantity: 1e-6", "13:23: listings.0.maximum_quantity: less than minimum_q"),
        ("    reference_price: 1390\n", "", "23:5: listings.1.reference_price: missing; for example"),
        ("price_band_bps: 500", "price_band_bps: 5 %", "27:21: listings.1.price_band_bps: '5 %' is not a whole"),
        ("self_trade: decrement", "self_trade: allow", "19:17: listings.0.self_trade: 'allow' is none of: cancel_new"),
        ("state: pre_open", "state: opened", "20:12: listings.0.state: 'opened' is none of: pre_open, open, halted"),
        ("route: [example]", "route: [busan]", "22:13: listings.0.route.0: busan is the local book itself"),
        ("route: [example]", "route: [gone, gone]", "22:19: listings.0.route.1: gone is named a second time"),
        ("route: [example]", "route: [example, bithumb]", "22:22: listings.0.route.1: no venue is called bithumb; "),
        ("[example, gone]", "[example, upbit]", "21:24: listings.0.display.1: no venue is called upbit; known here: e"),
        ('"09:00"', "9:00", "30:38: listings.1.hours.open: '9:00' is not a time of the day; write it as 09"),
        ('"09:00"', "24:00", "30:38: listings.1.hours.open: '24:00' is not a time of the day"),
        ("23:30", "08:45", "30:54: listings.1.hours.close: not after open; write times of one day"),
        ("    hours:", "    state: open\n    hours:", "30:12: listings.1.state: given beside hours, which decide it"),
        ("hours: {pre", "hour: {pre", "30:5: listings.1.hour: unknown key; did you mean hours?"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_each_mistake_is_told_where_it_is(sound, spoilt, fault):
    Path("listings.yaml").write_bytes(spoiled(LISTINGS, (sound, spoilt)))
    faults = check_file(Path("aggregator.yaml"))
    assert [line[: len(f"listings.yaml:{fault}")] for line in faults] == [f"listings.yaml:{fault}"]
    if "no venue is called" not in fault:
        assert check_file(Path("listings.yaml")) == faults, "alone it is checked for all but what others know"


@pytest.mark.usefixtures("folder")
def test_the_local_book_is_no_venue_of_a_file():
    Path("venues/busan.yaml").write_bytes(spoiled(DEFUNCT, ("venue: gone", "venue: busan")))
    (fault,) = check_file(Path("aggregator.yaml"))
    assert fault.startswith("venues/busan.yaml:1:8: venue: busan is the local book, which no file describes")


ODD = st.sampled_from(["", "~", "{}", "[]", "[[]]", "[a]", "{a: b}", "-1", "1e99", "0", "x", "'", "24:00", "한국"])
LINES = LISTINGS.splitlines(keepends=True)
TOKENS = [token.span() for token in re.finditer(r"[^\s,{}\[\]:-][^\s,{}\[\]]*", LISTINGS)]


def is_whole(text: str) -> None:
    """Sound, or refused with faults that lie in the file."""
    reading = read_text(text.encode(), "listings.yaml", Listings, listing_relations)
    if reading.record is None:
        assert reading.faults
        assert all(re.match(r"listings\.yaml:\d+:\d+: ", fault) for fault in reading.faults)
        return
    try:
        reading.record.local_rules(lambda name: Instrument.of(*name.split("/")))
    except ConfigurationRefused as refused:
        assert all("decimals, but" in fault for fault in refused.faults)


@given(st.sampled_from(TOKENS), ODD)
def test_however_a_word_is_spoilt_the_file_is_sound_or_refused_whole(span, odd):
    is_whole(LISTINGS[: span[0]] + odd + LISTINGS[span[1] :])


@given(st.integers(0, len(LINES) - 1))
def test_a_line_that_is_lost_or_repeated_is_refused_or_harmless(index):
    is_whole("".join(LINES[:index] + LINES[index + 1 :]))
    is_whole("".join(LINES[: index + 1] + LINES[index:]))
