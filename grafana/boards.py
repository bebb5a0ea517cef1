"""The dashboards, written down once: `python grafana/boards.py` writes dashboards/*.json, and a test holds them equal.

A panel is a title, a unit, what it shows in words, and its queries with their legends. Panels flow from left to right,
two to a row unless they are told to be wide.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS, HEIGHT = 24, 8


class Panel(NamedTuple):
    title: str
    unit: str
    told: str
    queries: Sequence[tuple[str, str]]
    kind: str = "timeseries"
    wide: bool = False
    stacked: bool = False


class Board(NamedTuple):
    uid: str
    title: str
    panels: Sequence[Panel]
    variables: Sequence[tuple[str, str]] = ()
    """Names, and the series whose label of that name they choose among."""


INSTRUMENT = ("instrument", "aggregator_spread_bps")
VENUE = ("venue", "aggregator_venue_frames_total")
AT = 'instrument=~"$instrument"'
OF = 'venue=~"$venue"'

LIQUIDITY = Board(
    "aggregator-liquidity",
    "Liquidity",
    (
        Panel(
            "Depth within 10 bps",
            "none",
            "What can be traded no further than 10 bps from the consolidated middle, in base, over all live venues.",
            ((f'sum by (instrument, side) (aggregator_depth_base{{{AT}, bps="10"}})', "{{instrument}} {{side}}"),),
        ),
        Panel(
            "Depth within 50 and 100 bps",
            "none",
            "The same, further from the middle.",
            (
                (
                    f'sum by (instrument, side, bps) (aggregator_depth_base{{{AT}, bps=~"50|100"}})',
                    "{{instrument}} {{side}} {{bps}} bps",
                ),
            ),
        ),
        Panel(
            "Share of depth by venue",
            "percentunit",
            "Whose depth within 50 bps it is. A venue that falls to nothing is out: its board says why.",
            (
                (
                    f'sum by (venue) (aggregator_depth_base{{{AT}, bps="50"}})'
                    f' / scalar(sum(aggregator_depth_base{{{AT}, bps="50"}}))',
                    "{{venue}}",
                ),
            ),
            stacked=True,
        ),
        Panel(
            "Spread",
            "none",
            "Best offer less best bid over all venues, in bps. Below zero it is crossed, mostly within the fees.",
            ((f"aggregator_spread_bps{{{AT}}}", "{{instrument}}"),),
        ),
        Panel(
            "Middle price",
            "none",
            "Between the consolidated best bid and offer, in quote.",
            ((f"aggregator_middle_price{{{AT}}}", "{{instrument}}"),),
        ),
        Panel(
            "Premium of local books",
            "none",
            "How far Busan's middle is above the partners' in won, in bps. A criterion of market supervision in Korea.",
            (("aggregator_local_premium_bps", "{{instrument}}"),),
        ),
    ),
    (INSTRUMENT,),
)

ROUTING = Board(
    "aggregator-routing",
    "Routing",
    (
        Panel(
            "Saving against the best single venue",
            "none",
            "What first plans save on average, in bps.",
            (
                (
                    "rate(aggregator_plan_saving_bps_sum[5m]) / (rate(aggregator_plan_saving_bps_count[5m]) > 0)",
                    "saving",
                ),
            ),
        ),
        Panel(
            "Distance from the optimum",
            "none",
            "How far first plans may be from the best ones, on average, in bps. 0 is proven to be the best.",
            (("rate(aggregator_plan_gap_bps_sum[5m]) / (rate(aggregator_plan_gap_bps_count[5m]) > 0)", "gap"),),
        ),
        Panel(
            "Slippage against the plan",
            "none",
            "How much worse than planned orders were filled, on average, in bps; below zero is better.",
            (
                (
                    "rate(aggregator_order_slippage_bps_sum[5m]) / (rate(aggregator_order_slippage_bps_count[5m]) > 0)",
                    "slippage",
                ),
            ),
        ),
        Panel(
            "Fill ratio",
            "percentunit",
            "Which part was filled of the orders that ended.",
            (
                (
                    "rate(aggregator_order_fill_ratio_sum[5m]) / (rate(aggregator_order_fill_ratio_count[5m]) > 0)",
                    "filled",
                ),
            ),
        ),
        Panel(
            "Time of a plan",
            "s",
            "Of applying an event for which the market was looked at, on average.",
            (
                (
                    "rate(aggregator_planning_seconds_sum[5m]) / (rate(aggregator_planning_seconds_count[5m]) > 0)",
                    "plan",
                ),
            ),
        ),
        Panel(
            "Children under way",
            "none",
            "By state. What is unknown keeps its quantity reserved, and only the venue's word moves it.",
            (("sum by (state) (aggregator_live_children)", "{{state}}"),),
            stacked=True,
        ),
        Panel(
            "Oldest unknown outcome",
            "s",
            "How long a child has been in doubt. Above half a minute somebody should look.",
            (("aggregator_oldest_unknown_age_seconds", "age"),),
        ),
        Panel(
            "Fills and rejects",
            "none",
            "A second, by venue.",
            (
                ("rate(aggregator_fills_total[5m])", "fills {{venue}}"),
                ("rate(aggregator_rejects_total[5m])", "rejects {{venue}}"),
            ),
        ),
        Panel(
            "Journal",
            "none",
            "Entries that are not on disk yet; what they cause has not left.",
            (("aggregator_journal_waiting", "waiting"),),
        ),
        Panel(
            "Alarms",
            "none",
            "What contradicts the order side, in the last five minutes, by code.",
            (("increase(aggregator_alarms_total[5m])", "{{code}}"),),
        ),
    ),
)

CONNECTORS = Board(
    "aggregator-connectors",
    "Connectors",
    (
        Panel(
            "Books by health",
            "none",
            "How many books of the venue are in each state. Only live ones are merged and routed on.",
            ((f"sum by (venue, health) (aggregator_book_health{{{OF}}})", "{{venue}} {{health}}"),),
            stacked=True,
        ),
        Panel("Frames", "none", "A second.", ((f"rate(aggregator_venue_frames_total{{{OF}}}[1m])", "{{venue}}"),)),
        Panel(
            "Oldest book by the three clocks",
            "s",
            "Since bytes came, since the venue's own newest time, since a level changed.",
            (
                (f"max by (venue) (aggregator_book_received_age_seconds{{{OF}}})", "{{venue}} bytes"),
                (f"max by (venue) (aggregator_book_venue_time_age_seconds{{{OF}}})", "{{venue}} venue's time"),
                (f"max by (venue) (aggregator_book_changed_age_seconds{{{OF}}})", "{{venue}} change"),
            ),
        ),
        Panel(
            "Gaps, resyncs, crossed",
            "none",
            "In five minutes.",
            (
                (f"sum by (venue) (increase(aggregator_book_gaps_total{{{OF}}}[5m]))", "{{venue}} gaps"),
                (f"sum by (venue) (increase(aggregator_book_resyncs_total{{{OF}}}[5m]))", "{{venue}} resyncs"),
                (f"sum by (venue) (increase(aggregator_book_crossed_total{{{OF}}}[5m]))", "{{venue}} crossed"),
            ),
        ),
        Panel(
            "Refused frames",
            "none",
            "Frames that could not be understood, in five minutes.",
            ((f"sum by (venue) (increase(aggregator_book_rejected_frames_total{{{OF}}}[5m]))", "{{venue}}"),),
        ),
        Panel(
            "Connections",
            "none",
            "Websockets that stand, and how many were opened in five minutes.",
            (
                (f"aggregator_venue_open_connections{{{OF}}}", "{{venue}} open"),
                (f"increase(aggregator_venue_connects_total{{{OF}}}[5m])", "{{venue}} opened"),
            ),
        ),
        Panel(
            "Request weight",
            "none",
            "Spent in the last minute, and requests that wait for their budget.",
            (
                (f"aggregator_venue_weight_used{{{OF}}}", "{{venue}} used"),
                (f"aggregator_venue_fetches_waiting{{{OF}}}", "{{venue}} waiting"),
            ),
        ),
        Panel(
            "Breakers",
            "s",
            "Time until a venue that refused us by rate may be asked again.",
            ((f"aggregator_venue_breaker_remaining_seconds{{{OF}}}", "{{venue}}"),),
        ),
        Panel(
            "Clock offset",
            "s",
            "The venue's clock less ours, where it tells its time.",
            ((f"aggregator_venue_clock_offset_seconds{{{OF}}}", "{{venue}}"),),
        ),
        Panel(
            "Age of rules",
            "s",
            "Since the venue's market list was last read.",
            ((f"time() - (aggregator_venue_rules_read_timestamp_seconds{{{OF}}} > 0)", "{{venue}}"),),
        ),
        Panel(
            "Use and reconciliation",
            "none",
            "1 for a venue that is followed, and 1 for one whose balances and orders are known.",
            (
                (f'aggregator_venue_state{{{OF}, state="active"}}', "{{venue}} active"),
                (f"aggregator_venue_reconciled{{{OF}}}", "{{venue}} reconciled"),
            ),
        ),
        Panel(
            "Inbox and API",
            "none",
            "Batches that wait for the engine; requests a second by status; readers of the stream.",
            (
                ("aggregator_inbox_batches", "inbox"),
                ("sum by (status) (rate(aggregator_http_requests_total[5m]))", "requests {{status}}"),
                ("aggregator_stream_readers", "readers"),
            ),
        ),
    ),
    (VENUE,),
)

LOCAL = Board(
    "aggregator-local-book",
    "Busan's local book",
    (
        Panel(
            "Local depth",
            "none",
            "What rests in Busan's own books within 10, 50 and 100 bps of the middle, in base.",
            (
                (
                    'sum by (instrument, side, bps) (aggregator_depth_base{venue="busan"})',
                    "{{instrument}} {{side}} {{bps}} bps",
                ),
            ),
            wide=True,
        ),
        Panel(
            "Local spread",
            "none",
            "In bps.",
            (('aggregator_spread_bps{instrument=~".*/KRW"}', "{{instrument}}"),),
        ),
        Panel(
            "Premium over the partners",
            "none",
            "In bps, at the market's rate.",
            (("aggregator_local_premium_bps", "{{instrument}}"),),
        ),
        Panel(
            "Changes of the book",
            "none",
            "A second.",
            (('rate(aggregator_book_updates_total{venue="busan"}[1m])', "{{instrument}}"),),
        ),
        Panel(
            "Custody lacks",
            "none",
            "What custody's last count is short of what accounts own, by asset. Anything above zero is an emergency.",
            (("aggregator_ledger_shortage", "{{asset}}"),),
        ),
        Panel(
            "Orders and the switch",
            "none",
            "Parent orders that have not ended, and 1 while nothing new may leave.",
            (("aggregator_open_parents", "open"), ("aggregator_halted", "halted")),
        ),
        Panel(
            "Health of the local books",
            "none",
            "1 for the state that each is in.",
            (('aggregator_book_health{venue="busan"} > 0', "{{instrument}} {{health}}"),),
        ),
    ),
)

BOARDS = (LIQUIDITY, ROUTING, CONNECTORS, LOCAL)


def document(board: Board) -> dict[str, Any]:
    """The board as Grafana reads it."""
    return {
        "uid": board.uid,
        "title": board.title,
        "tags": ["aggregator"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_datasource(), *(_variable(*variable) for variable in board.variables)]},
        "panels": list(_placed(board.panels)),
    }


def _placed(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    placed, x, y = [], 0, 0
    for number, panel in enumerate(panels, 1):
        width = COLUMNS if panel.wide else COLUMNS // 2
        if x + width > COLUMNS:
            x, y = 0, y + HEIGHT
        placed.append(_panel(panel, number, {"x": x, "y": y, "w": width, "h": HEIGHT}))
        x += width
    return placed


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    stacking = {"mode": "normal" if panel.stacked else "none"}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.told,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "custom": {"stacking": stacking, "fillOpacity": 20 if panel.stacked else 0, "showPoints": "never"},
            },
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": DATASOURCE, "expr": query, "legendFormat": legend}
            for index, (query, legend) in enumerate(panel.queries)
        ],
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _variable(label: str, series: str) -> dict[str, Any]:
    return {
        "name": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": f"label_values({series}, {label})",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": "All", "value": "$__all"},
    }


def written(board: Board) -> str:
    return json.dumps(document(board), indent=2) + "\n"


def path_of(board: Board) -> Path:
    return HERE / "dashboards" / f"{board.uid.removeprefix('aggregator-')}.json"


def main() -> None:
    for board in BOARDS:
        path_of(board).parent.mkdir(exist_ok=True)
        path_of(board).write_text(written(board))


if __name__ == "__main__":
    main()
