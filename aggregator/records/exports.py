"""The order side's records as Parquet, by day, for whoever asks later: orders, children, fills, and every event of
Busan's own books. They are made by replaying the journal, so they hold what happened and nothing else.

Days are those of UTC. Decimals are strings, exactly as they were; times are ns since the Unix epoch, named `..._ns`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from aggregator.domain.documents import to_document
from aggregator.domain.effects import Effect, LocalHappened
from aggregator.domain.instrument import Instruments
from aggregator.domain.numbers import format_decimal
from aggregator.domain.order import ASSET_DECIMALS, Fill, ParentOrder
from aggregator.domain.order_events import OrderRequested
from aggregator.engine.engine import Engine
from aggregator.service.journal_file import JournalReader

Row = dict[str, Any]

TABLES: dict[str, tuple[str, ...]] = {
    "orders": (
        "order_id", "account", "client_order_id", "medium", "instrument", "side", "type", "time_in_force", "post_only",
        "quantity", "limit_price", "received_ns", "updated_ns", "state", "code", "reason", "filled", "notional",
        "arrival_mid",
    ),
    "children": (
        "child_id", "order_id", "venue", "instrument", "side", "quantity", "limit_price", "time_in_force", "sent_ns",
        "state", "venue_word", "venue_order_id", "filled", "reason",
    ),
    "fills": (
        "fill_id", "child_id", "venue", "instrument", "side", "price", "quantity", "fee", "fee_asset", "liquidity",
        "venue_time_ns", "received_ns",
    ),
    "local_events": (
        "sequence", "at_ns", "instrument", "event", "order_id", "account", "side", "price", "quantity", "priority_ns",
        "maker_id", "taker_id", "reason",
    ),
}  # fmt: skip
"""The columns of each table; what a row has not is null."""

INTEGERS = {"sequence", "priority_ns"}


@dataclass(slots=True)
class Records:
    """Rows by table. An order's row is how it stood at the end of the journal."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in TABLES})

    def frame(self, table: str) -> pd.DataFrame:
        return pd.DataFrame(self.rows[table], columns=list(TABLES[table]))


def replayed(journal: Path, instruments: Instruments) -> Records:
    """Everything that a journal holds. Raises JournalRefused for a file that is none."""
    records, engine, seen_orders = Records(), Engine(), dict[str, ParentOrder]()
    with JournalReader(journal) as reader:
        for entry in reader.read():
            event, seen = entry.restored(instruments)
            effects = engine.replay(event, seen)
            if isinstance(event, OrderRequested):
                parent = engine.orders.find(event.terms.account, event.terms.client_order_id)
                if parent is not None:
                    seen_orders.setdefault(parent.order_id, parent)
            _take_local(records, effects)
    for parent in seen_orders.values():
        records.rows["orders"].append(_order_row(parent))
        for child in parent.children.values():
            records.rows["children"].append(_child_row(to_document(child)))
            records.rows["fills"] += [_fill_row(fill) for fill in child.fills.values()]
    return records


def write(records: Records, folder: Path) -> list[Path]:
    """One file a table and day, `folder/table/day.parquet`, compressed; returns them. A file that is there is replaced
    whole."""
    written = []
    with duckdb.connect() as database:
        for table, columns in TABLES.items():
            for day, rows in sorted(_by_day(records.rows[table]).items()):
                path = folder / table / f"{day}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                waiting = path.with_suffix(".new")
                frame = _typed(pd.DataFrame(rows, columns=list(columns)))
                database.register("rows", frame)
                database.execute(f"COPY rows TO '{_quoted(waiting)}' (FORMAT PARQUET, COMPRESSION ZSTD)")
                database.unregister("rows")
                waiting.replace(path)
                written.append(path)
    return written


def read(folder: Path, table: str, days: str = "*") -> pd.DataFrame:
    """A table as pandas has it, in one call: of all days, or of those that a pattern such as `2022-11-*` names. Raises
    ValueError for a table that there is not, FileNotFoundError when nothing was exported."""
    if table not in TABLES:
        raise ValueError(f"there is no table {table!r}; there are {', '.join(TABLES)}")
    if not list((folder / table).glob(f"{days}.parquet")):
        raise FileNotFoundError(f"{folder / table} has no day {days}; make it with `aggregator export`")
    with duckdb.connect() as database:
        files = _quoted(folder / table / f"{days}.parquet")
        return database.execute(f"SELECT * FROM read_parquet('{files}') ORDER BY ALL").df()


def _take_local(records: Records, effects: Sequence[Effect]) -> None:
    for effect in effects:
        if isinstance(effect, LocalHappened):
            document = to_document(effect)["event"]
            records.rows["local_events"].append(_local_row(document))


def _local_row(document: Mapping[str, Any]) -> Row:
    """Whatever the kind, under the names that all kinds share."""
    row = {**document, "event": document["kind"], "quantity": document.get("quantity", document.get("remaining"))}
    if document["kind"] == "Refused":
        row["reason"] = f"{document['code']}: {document['detail']}"
    if document["kind"] == "Left":
        row["quantity"] = document["unfilled"]
    if document["kind"] == "Traded":
        row |= {"side": document["taker_side"], "account": document["taker_account"]}
    return {name: row.get(name) for name in TABLES["local_events"]}


def _order_row(parent: ParentOrder) -> Row:
    terms, instrument = to_document(parent.terms), parent.terms.instrument
    own = {name: value for name, value in to_document(parent).items() if isinstance(value, str | int | bool)}
    row = {**terms, **own, "notional": instrument.show_notional(parent.notional), "instrument": instrument.name}
    return {name: row.get(name) for name in TABLES["orders"]}


def _child_row(document: Mapping[str, Any]) -> Row:
    row = {**document["terms"], **{name: value for name, value in document.items() if name != "terms"}}
    return {name: row.get(name) for name in TABLES["children"]}


def _fill_row(fill: Fill) -> Row:
    row = {**to_document(fill), "fee": format_decimal(fill.fee, ASSET_DECIMALS)}
    return {name: row.get(name) for name in TABLES["fills"]}


def _by_day(rows: Sequence[Row]) -> dict[str, list[Row]]:
    days: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        at_ns = row.get("received_ns") or row.get("sent_ns") or row.get("at_ns") or 0
        days[datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y-%m-%d")].append(row)
    return days


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Every column of one type on every day, also where a day has nothing in it."""
    for name in frame.columns:
        if name.endswith("_ns") or name in INTEGERS:
            frame[name] = frame[name].astype("Int64")
        elif name == "post_only":
            frame[name] = frame[name].astype("boolean")
        else:
            frame[name] = frame[name].astype("string")
    return frame


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def days_of(folder: Path) -> Iterator[tuple[str, str]]:
    """What was exported: table and day."""
    for table in TABLES:
        for path in sorted((folder / table).glob("*.parquet")):
            yield table, path.stem
