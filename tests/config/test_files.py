"""A whole configuration: the process file, the venue files that it names, and what must hold between them."""

from pathlib import Path

import pytest

from aggregator.config.document import read_document
from aggregator.config.files import check_file, kind_of, load_configuration
from aggregator.domain.errors import ConfigurationRefused
from aggregator.domain.instrument import PRICE_DECIMALS, QUANTITY_DECIMALS
from aggregator.domain.order import ASSET_DECIMALS
from aggregator.domain.order_events import RiskLimits
from tests.config.texts import DEFUNCT, KEY_FILE, LISTINGS, SETTINGS, VENUE, spoiled
from tests.paths import REPOSITORY

CONFIG = REPOSITORY / "config"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sound configuration; its paths are short, since it is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "venues").mkdir()
    (tmp_path / "venues" / "example.yaml").write_text(VENUE)
    (tmp_path / "venues" / "gone.yaml").write_text(DEFUNCT)
    (tmp_path / "aggregator.yaml").write_text(SETTINGS)
    (tmp_path / "listings.yaml").write_text(LISTINGS)
    (tmp_path / "keys.yaml").write_text(KEY_FILE)
    (tmp_path / "keys.yaml").chmod(0o600)
    return tmp_path


def faults() -> list[str]:
    with pytest.raises(ConfigurationRefused) as refused:
        load_configuration(Path("aggregator.yaml"))
    assert check_file(Path("aggregator.yaml")) == list(refused.value.faults)
    return list(refused.value.faults)


def write(file: str, text: str | bytes) -> None:
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_bytes(text.encode() if isinstance(text, str) else text)


@pytest.mark.usefixtures("folder")
def test_a_configuration_is_the_settings_the_venues_and_their_instruments():
    configuration = load_configuration(Path("aggregator.yaml"))
    settings = configuration.settings
    assert (settings.listen.host, settings.listen.port) == ("0.0.0.0", 9000)
    assert (settings.display_rate_per_second, settings.seed) == (25, 7)
    assert (settings.log.level, settings.log.format) == ("debug", "json")
    assert [venue.venue for venue in configuration.venues] == ["example", "gone"]
    assert sorted(configuration.instruments) == ["BTC/KRW", "BTC/USDT", "ETH/USDT", "USDC/KRW"]


@pytest.mark.usefixtures("folder")
def test_limits_are_exact_money_by_account_and_asset():
    configuration = load_configuration(Path("aggregator.yaml"))
    one = 10**ASSET_DECIMALS
    assert configuration.settings.risk_limits() == {
        "*": RiskLimits(
            order_notional={"USDT": 50_000 * one, "KRW": 70_000_000 * one},
            open_notional={"USDT": 100_000 * one + one // 2},
            venue_open_notional={"USDT": 0},
            orders_per_second=5,
            collar_bps=250,
        ),
        "desk": RiskLimits(collar_bps=500),
    }
    routing = configuration.settings.routing
    assert (routing.market_bound_bps, routing.search_limit) == (50, 3000)
    assert configuration.journal == Path("journal.db")


@pytest.mark.usefixtures("folder")
def test_an_empty_mapping_of_settings_is_all_defaults():
    write("aggregator.yaml", "{}")
    settings = load_configuration(Path("aggregator.yaml")).settings
    assert (settings.venues, settings.display_rate_per_second) == (("venues/",), 10)
    assert (settings.listen.host, settings.listen.port, settings.seed) == ("127.0.0.1", 8080, None)
    assert (settings.log.level, settings.log.format) == ("info", "auto")
    configuration = load_configuration(Path("aggregator.yaml"))
    assert (configuration.keys, configuration.journal, settings.risk_limits()) == ((), None, {})
    assert (configuration.listings, configuration.local_rules(), settings.rate_sources()) == (None, [], ())


@pytest.mark.usefixtures("folder")
def test_scales_are_overridden_or_follow_from_the_finest_listing():
    finer = (
        VENUE.replace("venue: example", "venue: finer")
        .replace("1e-5", "1e-15")
        .replace("tick: 0.01, ", "tick: 1e-20, ")
    )
    write("venues/finer.yaml", finer)
    write("aggregator.yaml", "instruments: {BTC/USDT: {quantity_decimals: 15}, SOL/USDT: {price_decimals: 4}}")
    configuration = load_configuration(Path("aggregator.yaml"))
    scales = {
        name: (instrument.price_decimals, instrument.quantity_decimals)
        for name, instrument in configuration.instruments.items()
    }
    assert scales == {
        "BTC/USDT": (PRICE_DECIMALS, 15),
        "SOL/USDT": (4, QUANTITY_DECIMALS),
        "ETH/USDT": (20, QUANTITY_DECIMALS),
    }
    assert configuration.instrument("SOL/USDT").price_decimals == 4
    assert configuration.instrument("XRP/USDT").quote == "USDT"
    assert configuration.instrument("XRPUSDT").quote == ""


@pytest.mark.usefixtures("folder")
def test_a_rule_finer_than_the_scale_given_to_its_instrument_is_a_fault():
    write("aggregator.yaml", "instruments: {BTC/USDT: {price_decimals: 1, quantity_decimals: 4}}")
    assert [line.partition(", but")[0] for line in faults()] == [
        "venues/example.yaml:16:11: listings.0.tick: 0.01 needs 2 decimals",
        "venues/example.yaml:17:10: listings.0.lot: 0.00001 needs 5 decimals",
        "venues/example.yaml:18:23: listings.0.minimum_quantity: 0.00001 needs 5 decimals",
    ]


@pytest.mark.usefixtures("folder")
def test_the_faults_of_all_files_are_told_at_once():
    write("aggregator.yaml", spoiled(SETTINGS, ("port: 9000", "port: 90000")))
    write("venues/example.yaml", spoiled(VENUE, ("display: false", "display: no")))
    write("venues/gone.yaml", spoiled(DEFUNCT, ("2022-11-11", "2022")))
    assert faults() == [
        "aggregator.yaml:5:9: listen.port: '90000' is not a whole number from 0 to 65535, written in digits only",
        "venues/example.yaml:33:10: display: 'no' is neither true nor false",
        "venues/gone.yaml:5:18: defunct.since: '2022' is not a day; write it as 2022-11-11",
    ]


@pytest.mark.usefixtures("folder")
def test_a_venue_is_described_by_one_file():
    write("more/gone.yaml", DEFUNCT)
    write("aggregator.yaml", "venues: [venues/, more/gone.yaml]")
    assert faults() == ["more/gone.yaml:1:8: venue: described by venues/gone.yaml too; keep one of the two"]
    write("aggregator.yaml", "venues: [venues/gone.yaml, venues/gone.yaml]")
    assert faults() == ["venues/gone.yaml:1:8: venue: described by venues/gone.yaml too; keep one of the two"]


ADVICE = "name a .yaml file, or a folder of them, relative to this file"


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("venues: none.yaml", f"1:9: venues: nothing is at none.yaml; {ADVICE}"),
        ("venues: [venues/, none]", f"1:19: venues.1: nothing is at none; {ADVICE}"),
        ("venues: empty/", f"1:9: venues: no venue file is in empty; {ADVICE}"),
        ("venues: []", "1:9: venues: an empty list; name at least one"),
        ("venues: {}", "1:9: venues: a mapping where a list belongs; write [a, b], or one `- a` to a line"),
        ("venues:", "1:1: venues: has no value; give one or remove the key"),
        ("risk: {desk: {order_notional: {usdt: 5}}}", "1:32: risk.desk.order_notional.usdt: 'usdt' is not an asset in"),
        (
            "risk: {desk: {order_notional: {USDT: -5}}}",
            "1:38: risk.desk.order_notional.USDT: '-5' is not a decimal numb",
        ),
        ("risk: {desk: {open_notional: {USDT: 1e15}}}", "1:37: risk.desk.open_notional.USDT: '1e15' is more than any"),
        ("risk: {desk: {collar: 5}}", "1:15: risk.desk.collar: unknown key; did you mean collar_bps?"),
        ("risk: {desk 1: {collar_bps: 5}}", "1:8: risk.desk 1: 'desk 1' is not an account, or"),
        ("routing: {market_bound_bps: 10001}", "1:29: routing.market_bound_bps: '10001' is not a whole number from 0"),
        ("keys: none.yaml", "1:7: keys: nothing is at none.yaml; name a file of keys, relative to this file, or"),
        ("listings: none.yaml", "1:11: listings: nothing is at none.yaml; name a file of listings, relative to this"),
        ("files: venues/", "1:1: files: unknown key; known here: venues, added, listen, "),
        ("listen: {prot: 1}", "1:10: listen.prot: unknown key; did you mean port?"),
        ("listen: {port: 80a}", "1:16: listen.port: '80a' is not a whole number from 0 to 65535"),
        ("listen: {anonymous: [trade]}", "1:22: listen.anonymous.0: 'trade' is none of: read"),
        ("listen: 8080", "1:9: listen: a single value where a mapping of host, port, behind_proxy, anonymous belongs"),
        ("display_rate_per_second: 2.5", "1:26: display_rate_per_second: '2.5' is not a whole number from 1 to 1000"),
        ("seed: -1", "1:7: seed: '-1' is not a whole number from 0 to 9223372036854775807"),
        ("log: {level: loud}", "1:14: log.level: 'loud' is none of: debug, info, warning, error"),
        ("log: {format: [json]}", "1:15: log.format: a list is none of: auto, json, text"),
        ("instruments: [BTC/USDT]", "1:14: instruments: a list where a mapping belongs"),
        ("instruments: {BTC: {}}", "1:15: instruments.BTC: 'BTC' is not an instrument, base and quote in capitals"),
        (
            "instruments: {BTC/USDT: {price_decimals: 25}}",
            "1:42: instruments.BTC/USDT.price_decimals: '25' is not a whole number from 0 to 24",
        ),
        (
            "instruments: {BTC/USDT: {prices: 5}}",
            "1:26: instruments.BTC/USDT.prices: unknown key; known here: price_decimals, quantity_decimals",
        ),
        ("- venues", "1:1: a list where a mapping of venues, added, listen, "),
        ("", "1:1: the file is empty; write at least its required keys"),
        ("{", "1:2: not YAML: "),
    ],
)
@pytest.mark.usefixtures("folder")
def test_each_mistake_in_the_settings_is_told_where_it_is(settings, fault):
    Path("empty").mkdir()
    write("empty/.hidden.yaml", VENUE)
    write("aggregator.yaml", settings)
    assert len(faults()) == 1
    assert faults()[0].startswith(f"aggregator.yaml:{fault}")


@pytest.mark.usefixtures("folder")
def test_a_file_that_cannot_be_read_is_a_fault():
    assert check_file(Path("none.yaml")) == [
        "none.yaml:1:1: cannot be read: No such file or directory; name a YAML file that is there"
    ]
    assert check_file(Path("venues"))[0].startswith("venues:1:1: cannot be read: ")
    with pytest.raises(ConfigurationRefused, match=r"none\.yaml:1:1: cannot be read"):
        load_configuration(Path("none.yaml"))
    write("aggregator.yaml", f"venues: {'v' * 300}")
    assert len(faults()) == 2, "too long for a text and for a file's name, but still only faults"


@pytest.mark.usefixtures("folder")
def test_either_kind_of_file_is_checked_alone():
    assert check_file(Path("aggregator.yaml")) == check_file(Path("venues/example.yaml")) == []
    assert check_file(Path("keys.yaml")) == check_file(Path("listings.yaml")) == []
    write("venues/example.yaml", spoiled(VENUE, ("venue: example\n", "")))
    assert check_file(Path("venues/example.yaml")) == [
        "venues/example.yaml:1:1: venue: missing; for example `venue: gateio`"
    ]


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("venues/a.yaml", VENUE, "venue"),
        ("a.yaml", VENUE, "venue"),
        ("venues/a.yaml", SETTINGS, "aggregator"),
        ("a.yaml", "name: A\nfees: {}", "venue"),
        ("venues/a.yaml", KEY_FILE, "keys"),
        ("venues/a.yaml", LISTINGS, "listings"),
        ("listings.yaml", "listings: []", "listings"),
        ("a.yaml", "listings: []", "aggregator"),
        ("a.yaml", "keys: keys.yaml", "aggregator"),
        ("venues/a.yaml", "- a", "venue"),
        ("a.yaml", "- a", "aggregator"),
    ],
)
def test_the_kind_of_a_file_is_seen_from_its_keys_then_from_its_folder(path, text, kind):
    assert kind_of(Path(path), read_document(text.encode(), path)) == kind


@pytest.mark.parametrize("file", sorted(CONFIG.rglob("*.yaml")), ids=lambda file: str(file.relative_to(CONFIG)))
def test_the_committed_files_are_sound(file):
    assert check_file(file) == []


def test_the_committed_configuration_is_the_four_live_venues_and_keeps_two_that_are_gone():
    configuration = load_configuration(CONFIG / "aggregator.yaml")
    assert [venue.venue for venue in configuration.venues] == ["binance", "huobi", "cryptocom", "gateio"]
    for venue in configuration.venues:
        listings = {listing.symbol: listing for listing in venue.fixed_listings(configuration.instrument)}
        assert len(listings) == 10
        bitcoin = next(listing for listing in listings.values() if listing.instrument.name == "BTC/USDT")
        assert bitcoin.symbol.replace("_", "").upper() == "BTCUSDT"
        assert bitcoin.fees.taker >= bitcoin.fees.maker > 0
    assert not any(venue.route for venue in configuration.venues), "an operator switches routing on"
    everything = CONFIG / "venues"
    assert {"binance_us", "ftx", "ftx_us"} <= {file.stem for file in everything.iterdir()}
