"""Orders and fills in lists: newest first, page by page, and only the account's own."""

from aggregator.domain.lifecycle import Word
from aggregator.domain.order_events import About
from tests.api.desk import OTHER, READER, Desk, rest, trading


async def test_orders_are_listed_newest_first_page_by_page():
    desk = Desk()
    async with trading(desk) as client:
        names = [f"o{number}" for number in range(5)]
        for name in names:
            await rest(client, desk, client_order_id=name, quantity="0.01")
        await client.send("DELETE", "/v1/orders/client:o2")
        desk.tell(Word.ENDED, 2, About.STREAM, "CANCELED")

        async def page(query: str) -> tuple[list[str], str | None]:
            document = (await client.send("GET", f"/v1/orders{query}")).document
            return [order["client_order_id"] for order in document["orders"]], document["next"]

        assert (await page(""))[0] == names[::-1]
        assert await page("?status=ended") == (["o2"], None)
        first, after = await page("?status=open&limit=2")
        assert first == ["o4", "o3"]
        second, after = await page(f"?status=open&limit=2&after={after}")
        assert (second, after) == (["o1", "o0"], None)
        for query, detail in (
            ("status=done", "give open or ended"),
            ("limit=0", "from 1 to 200"),
            ("limit=201", "from 1 to 200"),
            ("after=abc", "give the `next` of the page before"),
        ):
            answer = await client.send("GET", f"/v1/orders?{query}")
            assert (answer.status, answer.document["code"]) == (400, "bad_parameter")
            assert detail in answer.document["detail"]


async def test_fills_are_listed_newest_first_of_all_orders_or_of_one():
    desk = Desk()
    async with trading(desk) as client:
        first = (await client.place(client_order_id="a", quantity="0.5")).document["order_id"]
        await client.place(client_order_id="b", quantity="0.5")
        desk.fill("0.1", "101", "0.0001", "BTC")
        desk.fill("0.2", "101", "0.0002", "BTC", number=1)
        desk.fill("0.3", "100.9", "0.0003", "BTC")
        fills = (await client.using(READER).send("GET", "/v1/fills")).document["fills"]
        assert [fill["quantity"] for fill in fills] == ["0.3", "0.2", "0.1"]
        newest = fills[0]
        assert (newest["order_id"], newest["venue"], newest["symbol"]) == (first, "binance", "BTC/USDT")
        assert (newest["price"], newest["notional"], newest["fee"], newest["fee_asset"], newest["liquidity"]) == (
            "100.9",
            "30.27",
            "0.0003",
            "BTC",
            "taker",
        )
        own = await client.send("GET", "/v1/fills?order=client:a&limit=1")
        assert [fill["quantity"] for fill in own.document["fills"]] == ["0.3"]
        rest_of_it = await client.send("GET", f"/v1/fills?order={first}&limit=1&after={own.document['next']}")
        assert [fill["quantity"] for fill in rest_of_it.document["fills"]] == ["0.1"]
        assert rest_of_it.document["next"] is None
        assert (await client.using(OTHER).send("GET", "/v1/fills")).document == {"fills": [], "next": None}
