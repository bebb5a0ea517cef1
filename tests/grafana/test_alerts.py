"""Every alert fires from the fault that it is for, and is clear before and after; every one has its section in the
runbook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.grafana.prometheus import GRAFANA, promtool

STEP_S = 5
WELL = 60
"""Steps of five seconds before the fault, during it, and after it."""

RULES = {rule["alert"]: rule for rule in yaml.safe_load((GRAFANA / "alerts.yaml").read_text())["groups"][0]["rules"]}


class Fault(NamedTuple):
    """Series by name: its value while all is well, and while it is not."""

    series: dict[str, tuple[str, str]]


BINANCE = 'venue="binance"'
BOOK = f'{BINANCE}, instrument="BTC/USDT"'
FAULTS: dict[str, Fault] = {
    "ServiceGone": Fault({'up{job="aggregator"}': ("1", "0")}),
    "VenueStale": Fault(
        {
            f'aggregator_book_health{{{BOOK}, health="live"}}': ("1", "0"),
            f'aggregator_venue_state{{{BINANCE}, state="off"}}': ("0", "0"),
        }
    ),
    "BookCrossed": Fault({f'aggregator_book_health{{{BOOK}, health="crossed"}}': ("0", "1")}),
    "BookQuarantined": Fault({f'aggregator_book_health{{{BOOK}, health="quarantined"}}': ("0", "1")}),
    "OrderUnknown": Fault({"aggregator_oldest_unknown_age_seconds": ("0", "31")}),
    "VenueNotReconciled": Fault(
        {
            f"aggregator_venue_reconciled{{{BINANCE}}}": ("1", "0"),
            f'aggregator_venue_state{{{BINANCE}, state="off"}}': ("0", "0"),
        }
    ),
    "BalanceDiffers": Fault({'aggregator_alarms_total{code="balance_differs"}': ("0", "1")}),
    "CustodyShort": Fault({'aggregator_ledger_shortage{asset="BTC"}': ("0", "0.5")}),
    "InboxFilling": Fault({"aggregator_inbox_batches": ("3", "1500")}),
    "JournalLag": Fault({"aggregator_journal_waiting": ("2", "5000")}),
    "JournalFailed": Fault({"aggregator_journal_failed": ("0", "1")}),
    "Halted": Fault({"aggregator_halted": ("0", "1")}),
    "BreakerOpen": Fault({f"aggregator_venue_breaker_remaining_seconds{{{BINANCE}}}": ("0", "120")}),
    "ClockOff": Fault({f"aggregator_venue_clock_offset_seconds{{{BINANCE}}}": ("-0.02", "-3")}),
    # The clock of these tests begins at 0, so a list that was read a day before it began is old.
    "RulesOld": Fault({f"aggregator_venue_rules_read_timestamp_seconds{{{BINANCE}}}": ("100000", "1")}),
    "FilesRefused": Fault({"aggregator_configuration_faults": ("0", "2")}),
    "ServiceFaults": Fault({'aggregator_http_problems_total{code="internal_error"}': ("0", "1")}),
}

COUNTED = {"BalanceDiffers", "ServiceFaults"}
"""What has been counted stays counted: such an alert ends by itself."""


def firing(alert: str) -> str:
    return f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'


def unit_test(alert: str) -> str:
    """The rule test of promtool: well for five minutes, then not, then well again."""
    begins = 90_000 // STEP_S if alert == "RulesOld" else 0
    series = [
        {
            "series": name,
            "values": f"{well}x{begins + WELL} {ill}x{WELL} "
            + (f"{ill}x{4 * WELL}" if alert in COUNTED else f"{well}x{4 * WELL}"),
        }
        for name, (well, ill) in FAULTS[alert].series.items()
    ]
    times = {"before": WELL - 2, "during": 2 * WELL - 4, "after": 5 * WELL}
    document = {
        "rule_files": [str(GRAFANA / "alerts.yaml")],
        "evaluation_interval": f"{STEP_S}s",
        "tests": [
            {
                "interval": f"{STEP_S}s",
                "input_series": series,
                "promql_expr_test": [
                    {
                        "expr": firing(alert),
                        "eval_time": f"{(begins + step) * STEP_S}s",
                        "exp_samples": [{"labels": "{}", "value": 1}] if when == "during" else [],
                    }
                    for when, step in times.items()
                ],
            }
        ],
    }
    return yaml.safe_dump(document, sort_keys=False)


def test_every_alert_has_a_planted_fault_and_the_reverse() -> None:
    assert FAULTS.keys() == RULES.keys()


@pytest.mark.parametrize("alert", sorted(FAULTS))
def test_an_alert_fires_from_its_fault_and_clears(alert: str, tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    path.write_text(unit_test(alert))
    found = promtool("test", "rules", str(path))
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_venue_that_was_switched_off_alarms_nobody(tmp_path: Path) -> None:
    for alert in ("VenueStale", "VenueNotReconciled"):
        path = tmp_path / "test.yaml"
        off = FAULTS[alert].series | {f'aggregator_venue_state{{{BINANCE}, state="off"}}': ("1", "1")}
        text = unit_test(alert).replace('state="off"}\n  - ', "")
        document = yaml.safe_load(text)
        for row in document["tests"][0]["input_series"]:
            well, ill = off[row["series"]]
            row["values"] = f"{well}x{WELL} {ill}x{WELL} {well}x{4 * WELL}"
        for row in document["tests"][0]["promql_expr_test"]:
            row["exp_samples"] = []
        path.write_text(yaml.safe_dump(document))
        found = promtool("test", "rules", str(path))
        assert found.returncode == 0, found.stdout + found.stderr


def test_the_rules_and_the_configuration_are_sound() -> None:
    for arguments in (("check", "rules", "alerts.yaml"), ("check", "config", "prometheus.yaml")):
        found = promtool(*arguments[:2], str(GRAFANA / arguments[2]))
        assert found.returncode == 0, found.stdout + found.stderr


def test_every_alert_has_its_section_in_the_runbook_and_the_reverse() -> None:
    sections = re.findall(r"^## (\w+)$", (GRAFANA / "RUNBOOK.md").read_text(), re.MULTILINE)
    assert sections == list(RULES)
    for alert, rule in RULES.items():
        assert rule["annotations"]["runbook"].startswith(f"RUNBOOK.md#{alert.lower()}: ")
        assert rule["labels"]["severity"] in ("warning", "critical") and rule["annotations"]["summary"]
