"""The file of keys: read by nobody but its owner, and never repeated in what is said about it."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from aggregator.config.files import check_file, load_configuration
from aggregator.config.keys import read_key_file
from aggregator.domain.errors import ConfigurationRefused
from aggregator.domain.numbers import parse_decimal
from aggregator.domain.order import ASSET_DECIMALS
from tests.config.texts import KEY_FILE, spoiled

SECRET = "the-desk-1-secret-is-not-known-to-others"


def written(folder: Path, content: str | bytes, mode: int = 0o600) -> Path:
    file = folder / "keys.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    file.chmod(mode)
    return file


def test_keys_belong_to_accounts_and_have_scopes(tmp_path):
    keys = read_key_file(written(tmp_path, KEY_FILE)).sound().api_keys
    assert [(key.key, key.account, key.scopes) for key in keys] == [
        ("desk-1", "desk", ("read", "trade")),
        ("risk", "house", ("read", "admin")),
        ("tight", "fund", ("trade",)),
    ]
    assert keys[0].secret == SECRET
    assert (keys[0].requests_per_second, keys[0].order_notional, keys[0].addresses) == (None, None, None)


def test_a_key_may_be_limited_by_itself(tmp_path):
    tight = read_key_file(written(tmp_path, KEY_FILE)).sound().api_keys[2]
    assert tight.requests_per_second == 5
    assert tight.order_notional == {"USDT": parse_decimal("1000.5", ASSET_DECIMALS)}
    assert tight.addresses == (ip_network("203.0.113.7/32"), ip_network("2001:db8::/32"))


def test_a_secret_is_in_no_representation(tmp_path):
    reading = read_key_file(written(tmp_path, KEY_FILE))
    assert SECRET not in repr(reading.sound()) + str(reading.sound().api_keys) + repr(reading.sound().api_keys[0])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_may_open_is_refused(tmp_path, mode):
    file = written(tmp_path, KEY_FILE, mode)
    (fault,) = check_file(file)
    assert fault.startswith(f"{file}:1:1: others than its owner may open this file (mode {mode:04o}); run `chmod 600 ")
    (tmp_path / "aggregator.yaml").write_text("keys: keys.yaml")
    with pytest.raises(ConfigurationRefused, match="others than its owner"):
        load_configuration(tmp_path / "aggregator.yaml")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ((SECRET, "short-secret-000"), "3:13: api_keys.0.secret: not a secret of 32 to 128 characters"),
        ((f"secret: {SECRET}", f"secret: [{SECRET}]"), "3:13: api_keys.0.secret: a list where a secret belongs"),
        ((f"    secret: {SECRET}\n", ""), "2:5: api_keys.0.secret: missing"),
        (("key: risk", "key: desk-1"), "6:11: api_keys.1.key: desk-1 is given a second time, first on line 2"),
        (("account: desk", "account: the desk"), "4:14: api_keys.0.account: 'the desk' is not an account"),
        (("account: desk", "account: '*'"), "4:14: api_keys.0.account: '*' is not an account"),
        (("[read, trade]", "[read, write]"), "5:20: api_keys.0.scopes.1: 'write' is none of: read, trade, admin"),
        (("[read, trade]", "[]"), "5:13: api_keys.0.scopes: an empty list; name at least one"),
        (("[read, trade]", "[oversight, trade]"), "5:13: api_keys.0.scopes: oversight and trade in one key"),
        (
            ("[203.0.113.7,", "[203.0.113.7/24,"),
            "13:17: api_keys.2.addresses.0: '203.0.113.7/24' is not an address such",
        ),
        (("[203.0.113.7,", "[desk.example,"), "13:17: api_keys.2.addresses.0: 'desk.example' is not an address such"),
        (('[203.0.113.7, "2001:db8::/32"]', "[]"), "13:16: api_keys.2.addresses: an empty list; name at least one"),
        (("requests_per_second: 5", "requests_per_second: 0"), "11:26: api_keys.2.requests_per_second: "),
        (("USDT: 1000.5", "USDT: -1"), "12:28: api_keys.2.order_notional.USDT: "),
        (("scopes: [read, trade]", "scope: [read]"), "5:5: api_keys.0.scope: unknown key; did you mean scopes?"),
    ],
)
def test_a_mistake_is_told_where_it_is_without_its_secret(tmp_path, change, fault):
    file = written(tmp_path, spoiled(KEY_FILE, change))
    (told,) = check_file(file)
    assert told.startswith(f"{file}:{fault}")
    assert "short-secret" not in told
    assert SECRET not in told


@pytest.mark.parametrize(
    ("listen", "is_refused"),
    [
        ("{host: 0.0.0.0}", True),
        ("{host: '::'}", True),
        ("{host: aggregator.example.org}", True),
        ("{host: 0.0.0.0, behind_proxy: false}", True),
        ("{host: 0.0.0.0, behind_proxy: true}", False),
        ("{host: 127.0.0.1}", False),
        ("{host: '::1'}", False),
        ("{host: localhost}", False),
        ("{}", False),
    ],
)
def test_signed_requests_come_in_from_elsewhere_only_through_a_proxy(tmp_path, listen, is_refused):
    written(tmp_path, KEY_FILE)
    (tmp_path / "venues").mkdir()
    venue = "venue: a\nname: A\nconnector: binance\nendpoints: {stream: wss://a.example}\nfees: {maker: 0, taker: 0}\n"
    (tmp_path / "venues" / "a.yaml").write_text(venue + "market_list: {quotes: any}\n")
    file = tmp_path / "aggregator.yaml"
    file.write_text(f"listen: {listen}\nkeys: keys.yaml\n")
    faults = check_file(file)
    assert [line for line in faults if "would take signed requests in the clear" in line] == faults
    assert bool(faults) == is_refused
    file.write_text(f"listen: {listen}\n")
    assert check_file(file) == [], "without keys no order comes in"
