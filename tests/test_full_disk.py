"""When the journal cannot be written any more, no order is taken, and the market is followed on."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path
from typing import Any

import pytest

from aggregator.api.client import Answered
from tests.lives import INSTRUMENTS, VENUES, House, Life, housed, until

RESTS = {"symbol": "BTC/USDT", "side": "buy", "type": "limit", "quantity": "0.1", "time_in_force": "GTC"}


async def test_on_a_full_disk_orders_are_refused_and_the_market_goes_on(tmp_path: Path) -> None:
    async with housed(tmp_path / "service", seed=3) as house:
        life = await house.begin()
        await until(house.is_ready)
        bid = (await asyncio.to_thread(house.api.book, "BTC/USDT", 1, "gross"))["bids"][0][0]
        terms = {**RESTS, "limit_price": str(int(bid.partition(".")[0]) * 9 // 10), "post_only": True}
        await asyncio.to_thread(house.api.place, {**terms, "client_order_id": "before"})
        await until(lambda: is_resting(house, 1))

        fill_the_disk(house, life)
        for client_order_id in ("during", "during", "another"):
            await is_refused(house, {**terms, "client_order_id": client_order_id})
        ready = await asyncio.to_thread(house.api.get, "/ready")
        assert (ready["ready"], ready["no_orders"]) == (True, "the journal cannot be written; the log says why")
        assert open_at_venues(house) == 1
        assert "no order leaves any more" in life.told
        assert "aggregator_journal_failed 1.0" in await asyncio.to_thread(house.metrics)
        await the_market_goes_on(house)

        assert await life.stop() == 0, life.told
        await house.begin()
        await until(house.is_ready)
        orders = (await asyncio.to_thread(house.api.orders, "open"))["orders"]
        assert [order["client_order_id"] for order in orders] == ["before"]
        await asyncio.to_thread(house.api.place, {**terms, "client_order_id": "during"})
        await until(lambda: is_resting(house, 2))
        answer = await asyncio.to_thread(house.api.cancel_all)
        assert (answer["still_open"], open_at_venues(house)) == (0, 0)


def fill_the_disk(house: House, life: Life) -> None:
    """No file of that process may grow past the length of its log of writes: as good as a full disk."""
    length = house.journal.with_name("journal.db-wal").stat().st_size
    _, hard = resource.prlimit(life.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(life.pid, resource.RLIMIT_FSIZE, (length, hard))


async def is_refused(house: House, request: dict[str, Any]) -> None:
    with pytest.raises(Answered, match=r"journal\.db") as refusal:
        await asyncio.to_thread(house.api.place, request)
    assert refusal.value.code == "journal_failed"


async def is_resting(house: House, count: int) -> bool:
    orders = (await asyncio.to_thread(house.api.orders, "open"))["orders"]
    working = [child for order in orders for child in order["children"] if child["state"] == "working"]
    return len(working) == count == open_at_venues(house)


def open_at_venues(house: House) -> int:
    return sum(len(account.open_orders()) for account in house.venues.accounts.values())


async def the_market_goes_on(house: House) -> None:
    """Every book has changed since, and is live."""

    async def updates() -> dict[str, int]:
        told = {venue: await asyncio.to_thread(house.api.get, f"/v1/venues/{venue}") for venue in VENUES}
        books = [(venue, name, book) for venue, state in told.items() for name, book in state["books"].items()]
        assert all(book["health"] == "live" for _, _, book in books)
        return {f"{venue} {name}": book["updates"] for venue, name, book in books}

    before = await updates()
    assert len(before) == len(VENUES) * len(INSTRUMENTS)

    async def have_all_changed() -> bool:
        now = await updates()
        return all(now[name] > count for name, count in before.items())

    await until(have_all_changed)
