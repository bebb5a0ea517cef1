"""Every record survives being written as JSON, whatever it holds, and what is no such record is refused by name."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.documents import KINDS, from_document, to_document
from aggregator.domain.effects import PlaceChild
from aggregator.domain.errors import BrokenInvariant, DocumentRefused, NumberRefused
from aggregator.domain.instrument import Instrument, Instruments, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.order import (
    ChildOrder,
    ChildTerms,
    Fill,
    Liquidity,
    Money,
    Notional,
    OrderTerms,
    OrderType,
    ParentOrder,
    Price,
    Quantity,
    Scale,
    TimeInForce,
)
from aggregator.domain.order_events import About, BalancesRead, ExecutionReport, FillReported, RiskLimits, Timer

BTC = Instrument.of("BTC", "USDT")
FINE = Instrument.of("SHIB", "KRW").widened(20, 24)
NAMED = Instrument("PERP-XYZ")

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**63),
    str: TEXTS,
    bool: st.booleans(),
    types.NoneType: st.none(),
    Instrument: st.sampled_from([BTC, FINE, NAMED]),
    Any: st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=5,
    ),
}


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Anything that a field of this annotation may hold."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in PLAIN:
        return PLAIN[annotation]
    if origin is Annotated:
        return st.integers(-(10**66), 10**66) if arguments[1] is Scale.ASSET else st.integers(0, 10**66)
    if origin in (Union, types.UnionType):
        return st.one_of(*map(values, arguments))
    if origin is list:
        return st.lists(values(arguments[0]), max_size=3)
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return st.dictionaries(TEXTS, values(arguments[1]), max_size=3)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    return records(annotation)


def records(kind: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind, include_extras=True)
    names = kind._fields if hasattr(kind, "_fields") else [field.name for field in fields(kind)]
    return st.builds(kind, **{name: values(hints[name]) for name in names})


def through_json(value: Any) -> Any:
    document = json.loads(json.dumps(to_document(value)))
    return from_document(
        type(value).__name__ if type(value).__name__ in KINDS else type(value), document, Instruments()
    )


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_survives_json_whatever_it_holds(kind: type) -> None:
    @given(value=records(kind))
    def survives(value: Any) -> None:
        assert through_json(value) == value

    survives()


TERMS = OrderTerms("desk", "c-1", BTC, Side.BUY, OrderType.LIMIT, BTC.quantity("1.5"), BTC.price("61000.01"))
CHILD = ChildTerms(
    "0-1", "0", "binance", "BTCUSDT", BTC, Side.BUY, BTC.quantity("0.5"), BTC.price("61000"), TimeInForce.IOC
)
FILL = Fill(
    "binance",
    "0-1",
    BTC,
    "77",
    Side.BUY,
    BTC.price("60999.9"),
    BTC.quantity("0.25"),
    -5,
    "USDT",
    Liquidity.MAKER,
    17,
    18,
)


def test_numbers_are_decimals_on_the_instruments_scales_and_times_stay_integers() -> None:
    assert to_document(FILL) == {
        "venue": "binance",
        "child_id": "0-1",
        "instrument": "BTC/USDT",
        "fill_id": "77",
        "side": "buy",
        "price": "60999.9",
        "quantity": "0.25",
        "fee": "-0.000000000000000000000000000000000000000000000005",
        "fee_asset": "USDT",
        "liquidity": "maker",
        "venue_time_ns": 17,
        "received_ns": 18,
    }


def test_a_parents_own_numbers_are_on_the_scales_of_what_was_asked() -> None:
    child = ChildOrder(CHILD, sent_ns=5, executed=BTC.quantity("0.25"), fills={"77": FILL})
    parent = ParentOrder("0", TERMS, 4, TERMS.quantity, None, children={"0-1": child}, notional=BTC.notional("7.5"))
    document = to_document(parent)
    assert (document["quantity"], document["limit_price"], document["notional"]) == ("1.5", None, "7.5")
    assert document["children"]["0-1"]["executed"] == "0.25"
    assert through_json(parent) == parent


def test_scales_that_are_not_the_usual_ones_stand_beside_the_name() -> None:
    event = replace(TERMS, instrument=FINE)
    document = to_document(event)["instrument"]
    assert document == {"name": "SHIB/KRW", "price_decimals": 20, "quantity_decimals": 24}
    assert to_document(TERMS)["instrument"] == "BTC/USDT"


def test_numbers_mean_the_same_on_other_scales() -> None:
    wide = Instruments([BTC.widened(15, 20)])
    read = from_document(OrderTerms, to_document(TERMS), wide)
    assert read.instrument.price_decimals == 15
    assert (read.quantity, read.limit_price) == (15 * 10**19, 6100001 * 10**13)


def test_a_field_that_is_missing_has_its_default() -> None:
    report = ExecutionReport("binance", "0-1", BTC, 5, Word.WORKING, About.ASK)
    document = to_document(report)
    for name in ("raw", "executed", "venue_order_id", "reason", "venue_time_ns"):
        del document[name]
    assert from_document("ExecutionReport", document, Instruments()) == report


REFUSED: list[tuple[str, Mapping[str, Any], str]] = [
    ("Snack", {}, "'Snack' is no kind of record; there are"),
    ("Timer", {"now_ns": 1, "zone": "KST"}, "Timer has no field zone; it has now_ns"),
    ("Timer", {}, "Timer.now_ns: missing"),
    ("Timer", {"now_ns": "1"}, "Timer.now_ns: '1' is not of type int"),
    ("Timer", {"now_ns": True}, "Timer.now_ns: True is not of type int"),
    ("FillReported", {"received_ns": 1, "fill": 3}, "FillReported.fill: Fill: 3 is not an object"),
    (
        "FillReported",
        {"received_ns": 1, "fill": {**to_document(FILL), "price": "1e-13"}},
        "FillReported.fill: Fill.price: '1e-13' is finer than this instrument's 12 decimals",
    ),
    (
        "FillReported",
        {"received_ns": 1, "fill": {**to_document(FILL), "price": 3}},
        "Fill.price: 3 is not a decimal as text",
    ),
    (
        "FillReported",
        {"received_ns": 1, "fill": {**to_document(FILL), "side": "long"}},
        "Fill.side: 'long' is none of buy, sell",
    ),
    (
        "FillReported",
        {"received_ns": 1, "fill": {**to_document(FILL), "instrument": 5}},
        "FillReported.fill.instrument: 5 is no instrument",
    ),
    ("OpenOrdersRead", {"venue": "a", "received_ns": 1, "child_ids": "a"}, "OpenOrdersRead.child_ids: 'a' is not a li"),
    ("OpenOrdersRead", {"venue": "a", "received_ns": 1, "child_ids": [3]}, "child_ids: 0: 3 is not of type str"),
    (
        "BalancesRead",
        {"venue": "a", "received_ns": 1, "balances": {"BTC": {"total": "-1", "free": "--1"}}},
        "BalancesRead.balances: BTC: Balance.free: '-1' is not a non-negative decimal",
    ),
]


@pytest.mark.parametrize(("kind", "document", "fault"), REFUSED)
def test_what_is_no_such_record_is_refused_by_name(kind: str, document: Mapping[str, Any], fault: str) -> None:
    with pytest.raises(DocumentRefused) as refused:
        from_document(kind, document, Instruments())
    assert fault in str(refused.value)


def test_an_instrument_that_is_kept_on_coarser_scales_now_is_refused() -> None:
    coarse = Instruments([Instrument.of("SHIB", "KRW")])
    with pytest.raises(DocumentRefused, match="SHIB/KRW is kept on 12 decimals of price") as refused:
        from_document(OrderTerms, to_document(replace(TERMS, instrument=FINE)), coarse)
    assert not isinstance(refused.value, NumberRefused)


def test_what_could_not_be_read_again_is_not_written() -> None:
    with pytest.raises(BrokenInvariant, match=r"a quantity of -0\.5"):
        to_document(PlaceChild(replace(CHILD, quantity=-BTC.quantity("0.5"))))


class Pair(NamedTuple):
    low: Price
    high: Price


@dataclass(frozen=True, slots=True)
class Mixed:
    instrument: Instrument
    word: Timer | FillReported
    pairs: list[Pair]
    by_name: dict[str, Quantity | None]
    total: Notional
    ratios: tuple[int, int]
    limits: Mapping[str, RiskLimits]
    spent: Money = 0


class TestARecordOfAnyClass:
    @given(value=records(Mixed))
    def test_survives_json(self, value: Mixed) -> None:
        assert through_json(value) == value

    def test_names_the_class_where_several_are_possible(self) -> None:
        document = to_document(Mixed(BTC, Timer(3), [Pair(1, 2)], {"a": None}, 1, (1, 2), {}))
        assert document["word"] == {"kind": "Timer", "now_ns": 3}
        assert document["pairs"] == [{"low": "0.000000000001", "high": "0.000000000002"}]
        document["word"] = {"kind": "Snack"}
        with pytest.raises(DocumentRefused, match=r"Mixed\.word: kind 'Snack' is none of Timer, FillReported"):
            from_document(Mixed, document, Instruments())

    def test_with_an_annotation_that_cannot_be_written_is_refused_when_it_is_first_met(self) -> None:
        @dataclass
        class Odd:
            moment: complex

        with pytest.raises(TypeError, match="complex"):
            to_document(Odd(1j))
        with pytest.raises(TypeError, match="neither a dataclass nor a NamedTuple"):
            to_document("text")

    def test_without_an_instrument_cannot_hold_a_price(self) -> None:
        with pytest.raises(TypeError, match="a price in a record without an instrument"):
            to_document(Pair(1, 2))
        with pytest.raises(DocumentRefused, match="a price where there is no instrument"):
            from_document(Pair, {"low": "1", "high": "2"}, Instruments())


def test_documents_are_plain() -> None:
    """No enum members and no tuples are left in them: what is written compares equal to what is read."""
    balances = BalancesRead("a", 1, {}, True)
    for value in (TERMS, FILL, PlaceChild(CHILD), ExecutionReport("a", "b", BTC, 1, Word.ENDED, About.ASK), balances):
        document = to_document(value)
        assert json.loads(json.dumps(document)) == document
        assert {type(held) for held in document.values()} <= {str, int, bool, dict, list, types.NoneType}
