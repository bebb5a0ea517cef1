"""The house keeps to its floors, and each rule that says so would notice if it did not."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.architecture import rules
from tests.architecture.rules import RULES, Rule
from tests.paths import REPOSITORY


def name_of(rule: Rule) -> str:
    return rule.__name__


def plant(root: Path, sources: Mapping[str, str]) -> Path:
    for name, source in sources.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
    return root


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_the_tree_keeps(rule: Rule) -> None:
    faults = list(rule(REPOSITORY))
    assert not faults, "\n".join(["", *faults])


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_an_empty_tree_keeps(rule: Rule, tmp_path: Path) -> None:
    assert not list(rule(tmp_path))


SOUND = {
    "aggregator/__init__.py": '__version__ = "1"\n',
    "aggregator/__main__.py": "from aggregator.cli import main\n",
    "aggregator/assembly.py": "import importlib\nimportlib.import_module('connectors.binance')\n",
    "aggregator/cli.py": "from aggregator import __version__, assembly\n",
    "aggregator/domain/__init__.py": "from .numbers import Price\n",
    "aggregator/domain/numbers.py": (
        "from datetime import datetime\n"
        "def parse(text):\n"
        "    if isinstance(text, float):  # not money: a float is refused here\n"
        "        raise TypeError\n"
    ),
    "aggregator/books/ladder.py": ("from aggregator.domain import numbers\nfrom aggregator.books.rates import rate\n"),
    "aggregator/books/rates.py": "def rate(child):\n    return child.open()\n",
    "aggregator/service/clock.py": "import asyncio, time\nfrom aggregator.engine import engine\n",
    "aggregator/records/reports.py": "import pandas\n",
    "aggregator/client/calls.py": "import aiohttp\nfrom aggregator.client.errors import Refused\n",
    "connectors/contract.py": "from aggregator.domain import numbers\n",
    "connectors/link.py": "import aiohttp\nfrom connectors.contract import Send\n",
    "connectors/binance/simulator.py": "from ..simulation import exchange\nfrom . import wire\n",
    "connectors/binance/wire.py": (
        "from typing import TYPE_CHECKING\n"
        "from urllib.parse import urlencode\n"
        "from connectors.contract import Send\n"
        "if TYPE_CHECKING:\n"
        "    import ccxt\n"
    ),
    "connectors/ccxt_bridge/bridge.py": "import ccxt.pro\n",
    "connectors/simulation/exchange.py": "def witness():\n    import ccxt\n",
}


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_a_sound_tree_keeps(rule: Rule, tmp_path: Path) -> None:
    assert not list(rule(plant(tmp_path, SOUND)))


WIRE = "connectors/gateio/wire.py"
ENGINE = "aggregator/engine/engine.py"

# Each case: the rule, what is planted, and what the fault must name.
VIOLATIONS: list[tuple[Rule, dict[str, str], str]] = [
    (rules.every_room_has_a_floor, {"aggregator/utils/text.py": ""}, "aggregator.utils.text"),
    (rules.every_room_has_a_floor, {"aggregator/helpers.py": ""}, "aggregator.helpers"),
    (rules.no_import_upward, {ENGINE: "from aggregator.service import clock"}, "aggregator.service.clock"),
    (rules.no_import_upward, {ENGINE: "from aggregator import cli"}, "aggregator.cli"),
    (rules.no_import_upward, {ENGINE: "from ..api.server import serve"}, "aggregator.api.server.serve"),
    (rules.no_import_upward, {ENGINE: "def f():\n    import aggregator.assembly"}, ":2: "),
    (
        rules.no_import_upward,
        {ENGINE: "if TYPE_CHECKING:\n    from aggregator.records import reports"},
        ":2: ",
    ),
    (
        rules.no_import_across_rooms_of_a_floor,
        {"aggregator/books/ladder.py": "from aggregator.config import venues"},
        "aggregator.config.venues",
    ),
    (
        rules.no_import_across_rooms_of_a_floor,
        {"aggregator/dashboard/__init__.py": "import aggregator.api.market"},
        "aggregator.api.market",
    ),
    (
        rules.no_cycle,
        {
            "aggregator/books/a.py": "from . import b",
            "aggregator/books/b.py": "def f():\n    from aggregator.books.c import x",
            "aggregator/books/c.py": "import aggregator.books.a",
        },
        "aggregator.books.",
    ),
    (
        rules.no_cycle,
        {
            "connectors/binance/__init__.py": "from .wire import x",
            "connectors/binance/wire.py": "from . import y",
        },
        "connectors.binance.wire",
    ),
    (
        rules.aggregator_names_no_connector,
        {"aggregator/assembly.py": "from connectors.binance import market_data"},
        "connectors.binance.market_data",
    ),
    (
        rules.aggregator_names_no_connector,
        {"aggregator/service/runner.py": "from importlib import import_module\nimport_module('connectors')"},
        ":2: ",
    ),
    (
        rules.connectors_stand_on_floors_0_and_1,
        {"connectors/link.py": "from aggregator.service.clock import Clock"},
        "aggregator.service.clock.Clock",
    ),
    (
        rules.connectors_stand_on_floors_0_and_1,
        {"connectors/link.py": "from aggregator import __version__"},
        "aggregator.__version__",
    ),
    (
        rules.the_client_stands_on_the_domain_only,
        {"aggregator/client/calls.py": "from aggregator.books import depth"},
        "aggregator.books.depth",
    ),
    (
        rules.no_import_upward,
        {"aggregator/service/runner.py": "from aggregator.client import Client"},
        "aggregator.client.Client",
    ),
    (
        rules.venues_are_independent,
        {"connectors/binance/wire.py": "from ..huobi import wire", "connectors/huobi/wire.py": ""},
        "connectors.huobi.wire",
    ),
    (
        rules.venues_are_independent,
        {"connectors/link.py": "import connectors.huobi.wire", "connectors/huobi/wire.py": ""},
        "connectors.huobi.wire",
    ),
    (
        rules.domain_needs_only_the_standard_library,
        {"aggregator/domain/book.py": "import msgspec"},
        "msgspec",
    ),
    (
        rules.domain_needs_only_the_standard_library,
        {"aggregator/domain/book.py": "from connectors import contract"},
        "connectors.contract",
    ),
    *(
        (rules.pure_floors_touch_nothing_outside, {file: source}, named)
        for file in (ENGINE, WIRE, "connectors/sequencing.py", "aggregator/domain/order/ids.py")
        for source, named in (
            ("from time import time_ns", "time.time_ns"),
            ("import datetime\nat = datetime.datetime.now()", ".now"),
            ("from datetime import datetime as dt\nclock = dt.utcnow", ".utcnow"),
            ("from datetime import date\nat = date.today()", ".today"),
            ("import asyncio", "asyncio"),
            ("async def f(): pass", "waits"),
            ("f = (x async for x in y)", "waits"),
            ("def f():\n    import socket", "socket"),
            ("from urllib import request", "urllib.request"),
            ("from aiohttp import web", "aiohttp.web"),
            ("import websockets.asyncio.client", "websockets.asyncio.client"),
            ("with open('x') as f: pass", "opens a file"),
            ("from pathlib import Path", "pathlib.Path"),
            ("import random", "random"),
            ("from secrets import token_hex", "secrets.token_hex"),
            ("from uuid import uuid4", "uuid.uuid4"),
        )
    ),
    *(
        (rules.no_binary_float_near_money, {f"aggregator/{room}/x.py": source}, named)
        for room in ("domain", "books", "routing", "engine")
        for source, named in (
            ("fee = 0.001", "0.001"),
            ("price = float('1')", "float"),
            ("def cost(price: float): ...", "float"),
            ("fee = 1e-3  # not money:", "0.001"),  # a marker without its reason
        )
    ),
    *(
        (rules.heavy_modules_load_late, {file: source}, named)
        for file in ("aggregator/cli.py", "connectors/link.py")
        for source, named in (
            ("import ccxt.pro", "ccxt.pro"),
            ("try:\n    from pandas import DataFrame\nexcept ImportError:\n    pass", "pandas.DataFrame"),
            ("class Report:\n    import pandas", "pandas"),
            ("if TYPE_CHECKING:\n    pass\nelse:\n    import ccxt", "ccxt"),
            ("if not TYPE_CHECKING:\n    import ccxt", "ccxt"),
        )
    ),
]


@pytest.mark.parametrize(
    ("rule", "sources", "named"),
    VIOLATIONS,
    ids=[f"{name_of(rule)}-{number}" for number, (rule, _, _) in enumerate(VIOLATIONS)],
)
def test_a_planted_violation_is_found(rule: Rule, sources: dict[str, str], named: str, tmp_path: Path) -> None:
    faults = list(rule(plant(tmp_path, sources)))
    assert len(faults) == 1
    assert named in faults[0]


def test_every_rule_is_shown_to_bite() -> None:
    assert {rule for rule, _, _ in VIOLATIONS} == set(RULES)
