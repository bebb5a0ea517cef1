"""How recording fares: what was taken, what was dropped, what waits, and whether anything can be written."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aggregator.service.archive import Archive
from aggregator.service.recorder import Recorder

TRAFFIC = "traffic"


class RecordCollector(Collector):
    def __init__(self, archive: Archive, traffic: Recorder | None) -> None:
        self._archive = archive
        self._traffic = traffic

    def collect(self) -> Iterator[Metric]:
        archive, traffic = self._archive, self._traffic
        taken = CounterMetricFamily(
            "aggregator_records", "Samples, and frames of traffic, that were taken to be written.", labels=("table",)
        )
        dropped = CounterMetricFamily(
            "aggregator_records_dropped",
            "What was dropped because the disk is slow or cannot be written: samples, rows of samples, or frames.",
            labels=("table",),
        )
        counted = [(taken, archive.recorded), (dropped, archive.dropped)]
        for family, counts in counted:
            for table, count in sorted(counts.items()):
                family.add_metric((table,), count)
        if traffic is not None:
            taken.add_metric((TRAFFIC,), traffic.recorded)
            dropped.add_metric((TRAFFIC,), traffic.dropped)
        yield from (taken, dropped)
        yield GaugeMetricFamily("aggregator_records_waiting", "Samples that are not written yet.", archive.waiting)
        failing = archive.failure is not None or (traffic is not None and traffic.failure is not None)
        yield GaugeMetricFamily(
            "aggregator_records_failed", "1 while records, or traffic, cannot be written.", int(failing)
        )
