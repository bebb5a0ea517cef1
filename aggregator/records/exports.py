"""The order side's records as Parquet, by day, for whoever asks later: orders, children, fills, and every event of
Busan's own books. They are made by replaying the journal, so they hold what happened and nothing else.

Days are those of UTC. Decimals are strings, exactly as they were; times are ns since the Unix epoch, named `..._ns`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from aggregator.domain.documents import to_document
from aggregator.domain.effects import Effect, LocalHappened, ParentChanged
from aggregator.domain.instrument import Instruments
from aggregator.domain.numbers import format_decimal
from aggregator.domain.order import ASSET_DECIMALS, Fill, ParentOrder
from aggregator.domain.order_events import OrderEvent, OrderRequested
from aggregator.domain.plan import BPS_DECIMALS, NET_DECIMALS
from aggregator.engine.engine import Engine
from aggregator.records.what_if import exclusions_cost
from aggregator.routing.record import Seen
from aggregator.service.clock import day_of
from aggregator.service.journal_file import JournalReader
from aggregator.service.parquet import frame_of, write_rows

Row = dict[str, Any]

TABLES: dict[str, tuple[str, ...]] = {
    "orders": (
        "order_id", "account", "client_order_id", "medium", "instrument", "side", "type", "time_in_force", "post_only",
        "quantity", "limit_price", "received_ns", "updated_ns", "state", "code", "reason", "filled", "notional",
        "arrival_mid",
    ),
    "children": (
        "child_id", "order_id", "venue", "instrument", "side", "quantity", "limit_price", "time_in_force", "sent_ns",
        "state", "venue_word", "venue_order_id", "filled", "reason", "rate", "rate_source",
    ),
    "plans": (
        "at_ns", "order_id", "plan_index", "instrument", "side", "quantity", "filled_by_plan", "average_price",
        "net_price", "best_single_venue", "saving_bps", "optimality_gap_bps", "proven", "exclusions_cost_bps",
        "market_bound_bps", "book_digest", "document",
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


@dataclass(slots=True)
class Records:
    """Rows by table. An order's row is how it stood at the end of the journal."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in TABLES})

    def frame(self, table: str) -> pd.DataFrame:
        return frame_of(TABLES[table], self.rows[table])


def replayed(journal: Path, instruments: Instruments) -> Records:
    """Everything that a journal holds. Raises JournalRefused for a file that is none."""
    records, engine, seen_orders = Records(), Engine(), dict[str, ParentOrder]()
    known_plans: defaultdict[str, int] = defaultdict(int)
    with JournalReader(journal) as reader:
        for entry in reader.read():
            event, seen = entry.restored(instruments)
            effects = engine.replay(event, seen)
            if isinstance(event, OrderRequested):
                parent = engine.orders.find(event.terms.account, event.terms.client_order_id)
                if parent is not None:
                    seen_orders.setdefault(parent.order_id, parent)
            _take_local(records, effects)
            for parent in _touched(engine, effects):
                new = parent.plans[known_plans[parent.order_id] :]
                records.rows["plans"] += _plan_rows(parent, new, event, seen)
                known_plans[parent.order_id] += len(new)
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
    for table, columns in TABLES.items():
        for day, rows in sorted(_by_day(records.rows[table]).items()):
            path = folder / table / f"{day}.parquet"
            write_rows(path, columns, rows)
            written.append(path)
    return written


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


def _touched(engine: Engine, effects: Sequence[Effect]) -> Iterator[ParentOrder]:
    for effect in effects:
        if isinstance(effect, ParentChanged) and effect.order_id in engine.orders.parents:
            yield engine.orders.parents[effect.order_id]


def _plan_rows(
    parent: ParentOrder, plans: Sequence[Mapping[str, Any]], event: OrderEvent, seen: Sequence[Seen]
) -> Iterator[Row]:
    """What exclusions cost is told of an order's first plan, which is made with the request."""
    cost = None
    if plans and isinstance(event, OrderRequested) and seen:
        cost = format_decimal(exclusions_cost(parent, seen[0]), BPS_DECIMALS)
    first = len(parent.plans) - len(plans)
    for index, document in enumerate(plans, first):
        own = {
            "at_ns": event.received_ns,
            "order_id": parent.order_id,
            "plan_index": index,
            "instrument": document["symbol"],
            "exclusions_cost_bps": cost if index == 0 else None,
            "market_bound_bps": str(seen[-1].policy.market_bound_bps) if seen else None,
            "document": json.dumps(document),
        }
        row = {**document, **own}
        yield {name: row.get(name) for name in TABLES["plans"]}


def _child_row(document: Mapping[str, Any]) -> Row:
    terms = document["terms"]
    rate = terms["rate"] or {"value": None, "source": None}
    own = {name: value for name, value in document.items() if name != "terms"}
    value = None if rate["value"] is None else format_decimal(rate["value"], NET_DECIMALS)
    row = {**terms, **own, "rate": value, "rate_source": rate["source"]}
    return {name: row.get(name) for name in TABLES["children"]}


def _fill_row(fill: Fill) -> Row:
    row = {**to_document(fill), "fee": format_decimal(fill.fee, ASSET_DECIMALS)}
    return {name: row.get(name) for name in TABLES["fills"]}


def _by_day(rows: Sequence[Row]) -> dict[str, list[Row]]:
    days: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        at_ns = row.get("received_ns") or row.get("sent_ns") or row.get("at_ns") or 0
        days[day_of(at_ns)].append(row)
    return days
