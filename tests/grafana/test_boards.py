"""The dashboards are what their description makes them, show only metrics that there are, and answer from a real
Prometheus that scrapes a running service."""

from __future__ import annotations

import importlib.util
import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from tests.browser.served import KEY, Served, served
from tests.grafana.prometheus import GRAFANA, scraping

SPEC = importlib.util.spec_from_file_location("boards", GRAFANA / "boards.py")
assert SPEC is not None and SPEC.loader is not None
BOARDS = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(BOARDS)

FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
README = (GRAFANA.parent / "README.md").read_text()

MAY_BE_EMPTY = re.compile(r"aggregator_(rejects|alarms)_total|clock_offset|ledger_shortage")
"""Nothing is rejected, raised or owed on a good day, and some venues tell no time."""


def documents() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in FILES]


def expressions() -> list[str]:
    """Of all panels, with every variable standing for all that it may be."""
    found = [target["expr"] for board in documents() for panel in board["panels"] for target in panel["targets"]]
    return [expression.replace("$instrument", ".+").replace("$venue", ".+") for expression in found]


def test_the_files_are_what_the_description_makes() -> None:
    assert {BOARDS.path_of(board) for board in BOARDS.BOARDS} == set(FILES)
    for board in BOARDS.BOARDS:
        assert BOARDS.path_of(board).read_text() == BOARDS.written(board), "run `python grafana/boards.py`"


def test_ids_are_unique_and_the_data_source_is_the_one_that_is_chosen() -> None:
    boards = documents()
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == len(boards)
    for board in boards:
        assert board["templating"]["list"][0]["type"] == "datasource"
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        for panel in board["panels"]:
            sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
            assert all(source["uid"] == "${datasource}" for source in sources)
            assert panel["description"] and panel["title"] and panel["fieldConfig"]["defaults"]["unit"]


def test_no_panel_lies_over_another_or_outside() -> None:
    for board in documents():
        cells = [
            {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            for at in (panel["gridPos"] for panel in board["panels"])
        ]
        assert all(not (one & other) for one, other in combinations(cells, 2))
        assert all(0 <= x < 24 for cell in cells for x, _ in cell)


def test_every_metric_on_a_board_and_in_an_alert_is_one_of_ours() -> None:
    rules = yaml.safe_load((GRAFANA / "alerts.yaml").read_text())["groups"][0]["rules"]
    used = set(re.findall(r"aggregator_\w+", " ".join([*expressions(), *(rule["expr"] for rule in rules)])))
    documented = set(re.findall(r"`(aggregator_\w+)`", README))
    assert {re.sub(r"_(sum|count)$", "", name) for name in used} <= documented


async def fill_the_local_book(there: Served) -> None:
    """A participant who bids and offers bitcoin in won."""
    account = KEY.account
    for entry in (
        {"act": "open", "account": account},
        *({"act": "custody", "asset": asset, "money": "10000000000"} for asset in ("BTC", "KRW")),
        {"act": "credit", "account": account, "asset": "BTC", "money": "5", "reference": "a test"},
        {"act": "credit", "account": account, "asset": "KRW", "money": "1000000000", "reference": "a test"},
    ):
        await there.ask("POST", "/v1/ledger", entry)
    for side, price in (("buy", "85000000"), ("sell", "86000000")):
        order = {
            "client_order_id": f"local-{side}",
            "symbol": "BTC/KRW",
            "side": side,
            "type": "limit",
            "quantity": "0.5",
            "limit_price": price,
            "time_in_force": "GTC",
            "venues": ["busan"],
        }
        placed = await there.ask("POST", "/v1/orders", order)
        assert placed["state"] == "working", placed


async def test_every_panel_and_alert_answers_from_a_real_prometheus(tmp_path: Path) -> None:
    """A service that trades is scraped; whatever a panel asks for is there."""
    async with served(tmp_path) as there, scraping(there.root, tmp_path) as prometheus:
        await prometheus.until_scraped(2)
        for number in range(3):
            order = {
                "client_order_id": f"c{number}",
                "symbol": "BTC/USDT",
                "side": "buy",
                "type": "market",
                "quantity": "0.5",
                "time_in_force": "IOC",
            }
            await there.ask("POST", "/v1/orders", order)
            await prometheus.until_scraped(4 + 2 * number)
        await fill_the_local_book(there)
        await prometheus.until_scraped(14)
        empty = [expression for expression in expressions() if not await prometheus.query(expression)]
        assert [expression for expression in empty if not MAY_BE_EMPTY.search(expression)] == []
        for rule in yaml.safe_load((GRAFANA / "alerts.yaml").read_text())["groups"][0]["rules"]:
            assert await prometheus.query(rule["expr"]) == [], f"{rule['alert']} is raised on a good day"
