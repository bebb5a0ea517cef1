"""One venue's file: what it becomes, and every mistake once, with the line that tells it."""

import re
from datetime import date
from pathlib import Path

import pytest

from aggregator.config.venues import VenueSettings, load_venue, venue_from
from aggregator.domain.errors import ConfigurationRefused
from aggregator.domain.instrument import Fees, Instrument, Venue
from tests.config.texts import DEFUNCT, VENUE, spoiled


def mistakes() -> list[tuple[str, str, str]]:
    """The blocks of mistakes.txt after its first, with line breaks and the like written as in Python."""
    blocks = Path(__file__).with_name("mistakes.txt").read_text().split("\n\n")[1:]
    rows = (block.strip("\n").splitlines() for block in blocks)
    return [(plain(sound), plain(spoilt), fault) for sound, spoilt, fault in rows]


def plain(text: str) -> str:
    return "" if text == "(nothing)" else text.encode().decode("unicode_escape")


MISTAKES = mistakes()


def faults(raw: bytes, file: str = "example.yaml") -> list[str]:
    with pytest.raises(ConfigurationRefused) as refused:
        venue_from(raw, file)
    return list(refused.value.faults)


@pytest.mark.parametrize(("sound", "spoilt", "fault"), MISTAKES, ids=[row[2] for row in MISTAKES])
def test_each_mistake_is_told_where_it_is_with_what_would_be_right(sound, spoilt, fault):
    file = fault.partition(":")[0]
    text = VENUE if file == "example.yaml" else DEFUNCT
    assert faults(spoiled(text, (sound, spoilt)), file) == [fault]


CHANGED_TOGETHER = [
    "connector: binance",
    "https://api.example.org/v1",
    "book_channel: depth@100ms",
    "maker: 0.0008",
    "symbol: BTCUSDT",
    "instrument: BTC/USDT",
    "    tick: 0.01\n",
    "bases: [SOL, XRP]",
    "key: EXAMPLE_API_KEY",
    "silent: 500ms",
    "messages_per_second: 5",
    "snapshot_weight_per_minute: 3000",
]


def test_all_faults_of_a_file_are_told_at_once_in_its_order():
    chosen = {sound: (spoilt, fault) for sound, spoilt, fault in MISTAKES if sound in CHANGED_TOGETHER}
    assert len(chosen) == len(CHANGED_TOGETHER)
    told = faults(spoiled(VENUE, *((sound, spoilt) for sound, (spoilt, _) in chosen.items())))
    assert told == [chosen[sound][1] for sound in CHANGED_TOGETHER]


def test_every_value_arrives_in_the_record():
    venue = venue_from(VENUE.encode(), "example.yaml")
    assert (venue.venue, venue.name, venue.connector, venue.status) == ("example", "Example", "binance", "active")
    assert venue.endpoints.stream == "wss://stream.example.org/ws"
    assert venue.endpoints.feed == "ws://feed.example.org:8443/feed"
    assert venue.endpoints.rest == "https://api.example.org/v1"
    assert venue.book_channel == "depth@100ms"
    assert venue.fee_rates() == Fees(maker=80_000, taker=100_000)
    assert [rules.symbol for rules in venue.listings] == ["BTCUSDT", "ETHUSDT"]
    assert venue.secrets is not None
    assert (venue.secrets.key, venue.secrets.secret) == ("EXAMPLE_API_KEY", "EXAMPLE_API_SECRET")
    assert venue.secrets.passphrase == "EXAMPLE_PASSPHRASE"
    assert venue.freshness.silent_ns == 500_000_000
    assert venue.freshness.behind_ns == 120_000_000_000
    assert venue.freshness.frozen_ns is None
    assert (venue.display, venue.route) == (False, True)
    assert venue.limits.model_dump() == {
        "connections_per_5m": 300,
        "messages_per_second": 5,
        "weight_per_minute": 6000,
        "snapshot_weight_per_minute": 3000,
        "subscriptions_per_connection": 1024,
    }


def test_what_is_left_out_has_its_default():
    short = "venue: short\nname: Short\nconnector: short\nfees: {maker: 0, taker: 0}\n"
    venue = venue_from(f"{short}endpoints: {{stream: wss://a.b}}\nmarket_list: {{quotes: any}}".encode(), "short.yaml")
    assert (venue.status, venue.display, venue.route) == ("active", True, False)
    assert venue.freshness.silent_ns == venue.freshness.behind_ns == 10 * 10**9
    assert venue.freshness.frozen_ns == 60 * 10**9
    assert (venue.secrets, venue.book_channel, venue.listings) == (None, None, ())
    assert set(venue.limits.model_dump().values()) == {None}


def test_a_defunct_venue_says_since_when_and_why():
    venue = venue_from(DEFUNCT.encode(), "gone.yaml")
    assert venue.defunct is not None
    assert venue.defunct.since == date(2022, 11, 11)
    assert venue.as_venue() == Venue("gone", "ftx", "Gone", "since 2022-11-11: It filed for bankruptcy.")


def test_a_market_list_is_narrowed_by_quotes_bases_and_symbols():
    rule = venue_from(VENUE.encode(), "example.yaml").market_list
    assert rule is not None
    assert rule.takes("SOLUSDT", "SOL", "USDT")
    assert not rule.takes("SOLUSDC", "SOL", "USDC"), "excepted by its symbol"
    assert not rule.takes("SOLBTC", "SOL", "BTC"), "another quote"
    assert not rule.takes("BTCUSDT", "BTC", "USDT"), "another base"
    anything = venue_from(DEFUNCT.encode(), "gone.yaml").market_list
    assert anything is not None
    assert anything.takes("BTC-TRYB", "BTC", "TRYB")


EXACT = [
    ("0.01", "0.01"),
    ("'0.01'", "0.01"),
    ('"0.0100"', "0.01"),
    ("0.00000001", "0.00000001"),
    ("1e-8", "0.00000001"),
    ("1E-08", "0.00000001"),
    ("1e3", "1000"),
    ("0.1000000000000000055511151231", None),
    ("0.123456789012345678901234", "0.123456789012345678901234"),
    ("123456789012345678.000000000000000000000001", "123456789012345678.000000000000000000000001"),
    ("9007199254740993", "9007199254740993"),
    ("010", "10"),
]


@pytest.mark.parametrize(("written", "exact"), EXACT)
def test_numbers_are_exact_however_they_are_written(written, exact):
    raw = spoiled(VENUE, ("    tick: 0.01\n", f"    tick: {written}\n"))
    if exact is None:
        assert "finer than any price" in faults(raw)[0]
    else:
        assert venue_from(raw, "example.yaml").listings[0].tick == exact


def test_fixed_listings_are_integers_on_the_scales_of_their_instruments():
    venue = venue_from(VENUE.encode(), "example.yaml")
    bitcoin, ether = venue.fixed_listings(
        lambda name: Instrument(name, "", "", price_decimals=12, quantity_decimals=14)
    )
    assert (bitcoin.venue, bitcoin.symbol, bitcoin.instrument.name) == ("example", "BTCUSDT", "BTC/USDT")
    assert (bitcoin.tick, bitcoin.lot, bitcoin.minimum_quantity) == (10**10, 10**9, 10**9)
    assert bitcoin.minimum_notional == 10 * 10 ** (12 + 14)
    assert bitcoin.fees == Fees(maker=80_000, taker=100_000)
    assert (ether.tick, ether.lot, ether.minimum_quantity, ether.minimum_notional) == (10**10, 0, 0, 0)


def test_a_rule_finer_than_its_scale_is_a_fault_where_the_rule_stands():
    venue = venue_from(VENUE.encode(), "example.yaml")
    with pytest.raises(ConfigurationRefused) as refused:
        venue.fixed_listings(lambda name: Instrument(name, price_decimals=1, quantity_decimals=5))
    advice = "needs 2 decimals, but its scale has 1; write a coarser number, or more decimals under `instruments`"
    assert refused.value.faults == (
        f"example.yaml:16:11: listings.0.tick: 0.01 {advice}",
        f"example.yaml:20:51: listings.1.tick: 0.01 {advice}",
    )


def test_later_faults_are_told_where_the_value_stands_or_is_lacking():
    venue = venue_from(VENUE.encode(), "example.yaml")
    assert venue.fault(("connector",), "unknown") == "example.yaml:3:12: connector: unknown"
    assert venue.fault(("limits", "nothing"), "missing") == "example.yaml:35:1: limits.nothing: missing"


def test_two_readings_are_equal_when_only_comments_and_spelling_differ():
    respelt = "# more\n" + VENUE.replace("1e-5", "0.000010").replace("2m", "120s")
    assert venue_from(respelt.encode(), "example.yaml") == venue_from(VENUE.encode(), "example.yaml")


@pytest.mark.parametrize("secret", ["made-up-key-0123456789abcdef", "MADEUPKEY0123456789ABCDEF", "s3cr3t", "[s3cr3t]"])
@pytest.mark.parametrize("written_for", ["EXAMPLE_API_KEY", "EXAMPLE_API_SECRET", "EXAMPLE_PASSPHRASE"])
def test_a_secret_written_for_its_name_is_never_repeated(written_for, secret):
    told = faults(spoiled(VENUE, (written_for, secret)))
    assert len(told) == 1
    assert secret.strip("[]") not in told[0]


def test_a_venue_is_loaded_from_its_file(tmp_path):
    file = tmp_path / "example.yaml"
    file.write_text(VENUE)
    assert isinstance(load_venue(file), VenueSettings)
    assert load_venue(file).file == str(file)
    with pytest.raises(ConfigurationRefused, match=re.escape(f"{tmp_path}/none.yaml:1:1: cannot be read")):
        load_venue(tmp_path / "none.yaml")


def test_json_is_read_as_yaml():
    sent = b'{"venue": "sent", "name": "Sent", "connector": "binance", "endpoints": {"stream": "wss://a.b"},'
    sent += b' "fees": {"maker": 0.001, "taker": "0.001"}, "market_list": {"quotes": ["USDT"]}, "route": true}'
    assert venue_from(sent, "sent.json").fee_rates() == Fees(100_000, 100_000)


def test_what_the_operator_allows_of_a_listing_is_in_its_terms() -> None:
    venue = venue_from(VENUE.encode(), "example.yaml")
    eth = Instrument.of("ETH", "USDT")
    terms = venue.terms(eth)
    assert (terms.maximum_quantity, terms.cap_notional) == (eth.quantity("5"), eth.notional("250000"))
    assert (terms.fixed_cost, terms.route) == (eth.notional("0.5"), venue.route)
    assert venue.terms(Instrument.of("BTC", "USDT")).maximum_quantity is None
    assert venue.terms(Instrument.of("SOL", "USDT")).fixed_cost == 0
