"""The journal's records as Parquet: what pandas reads back is what happened, to the last digit."""

import asyncio
from pathlib import Path

import pytest

from aggregator.domain.instrument import Instruments, Side
from aggregator.records.archive import days_of, read
from aggregator.records.exports import TABLES, replayed, write
from aggregator.service.journal import Journal
from tests.engine.test_local_orders import KRW, Busan


def journaled(busan: Busan, path: Path) -> Path:
    async def keep() -> None:
        journal = Journal(path)
        journal.start(lambda failure: None)
        for event, seen, effects in busan.journal:
            journal.append(event, seen, effects, lambda failure: None)
        await journal.flush()
        journal.close()

    asyncio.run(keep())
    return path


def a_day() -> Busan:
    busan = Busan()
    busan.order("ann", "c1", Side.SELL, "0.5", "80000000")
    busan.order("bob", "c2", Side.BUY, "0.2", "80500000")
    busan.order("bob", "c3", Side.BUY, "0.1", "80000001")
    return busan


def test_orders_fills_and_local_events_come_back_in_one_call(tmp_path: Path) -> None:
    busan = a_day()
    records = replayed(journaled(busan, tmp_path / "journal.db"), Instruments([KRW]))
    assert {path.parent.name for path in write(records, tmp_path / "records")} == set(TABLES)
    orders = read(tmp_path / "records", "orders").set_index("client_order_id")
    assert dict(orders["state"]) == {"c1": "working", "c2": "filled", "c3": "rejected"}
    assert orders.loc["c3", "code"] == "off_tick", "rejected ones are on record as well"
    fills = read(tmp_path / "records", "fills")
    told = {(fill.fill_id, fill.side.value) for parent in busan.engine.orders.parents.values()
            for child in parent.children.values() for fill in child.fills.values()}  # fmt: skip
    assert {(row.fill_id, row.side) for row in fills.itertuples()} == told
    assert sorted(fills["fee"]) == ["16000", "8000"] and set(fills["price"]) == {"80000000"}
    events = read(tmp_path / "records", "local_events")
    assert list(events["event"]) == ["StateChanged", "Entered", "Rested", "Entered", "Traded", "Left"]
    assert list(events["sequence"]) == [1, 2, 3, 4, 5, 6]


def test_what_was_not_exported_says_how(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="aggregator export"):
        read(tmp_path, "orders")
    with pytest.raises(ValueError, match="there are orders"):
        read(tmp_path, "nothing")
    assert list(days_of(tmp_path)) == []
