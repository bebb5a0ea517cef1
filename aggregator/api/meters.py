"""The metrics of the API. Counting is adding to a number; the families are made when someone scrapes."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from aggregator.api.problems import Code

BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Up to these many seconds, and one more bucket beyond."""

_BUCKET_LABELS = (*map(floatToGoString, BUCKETS_S), "+Inf")

UNKNOWN = "unknown"
"""The route, or the method, of a request that has none that is known: what clients make up is no label."""

METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"})


class Meters(Collector):
    """Requests by route template, method and status; their time by route; problems by code; bytes; connections."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets: dict[tuple[str, str], list[int]] = {}
        self._seconds: Counter[tuple[str, str]] = Counter()
        self._problems: Counter[Code] = Counter()
        self._received = 0
        self._sent = 0
        self.open_connections = 0
        self.refused_connections = 0

    def answered(self, route: str, method: str, status: int, seconds: float, received: int, sent: int) -> None:
        """One request; bytes are those of its body and of its answer's."""
        name = (route, method if method in METHODS else UNKNOWN)
        self._requests[*name, status] += 1
        buckets = self._buckets.get(name)
        if buckets is None:
            buckets = self._buckets[name] = [0] * len(_BUCKET_LABELS)
        buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self._seconds[name] += seconds  # type: ignore[assignment] # a Counter adds any number
        self._received += received
        self._sent += sent

    def told_problem(self, code: Code) -> None:
        self._problems[code] += 1

    def collect(self) -> Iterator[Metric]:
        yield from self._answers()
        problems = CounterMetricFamily(
            "aggregator_http_problems", "Requests that were answered with a problem, by its code.", labels=("code",)
        )
        for code, count in self._problems.items():
            problems.add_metric((code.value,), count)
        yield problems
        yield CounterMetricFamily("aggregator_http_received_bytes", "Bytes of requests' bodies.", self._received)
        yield CounterMetricFamily("aggregator_http_sent_bytes", "Bytes of answers' bodies.", self._sent)
        yield GaugeMetricFamily("aggregator_http_open_connections", "Connections that stand.", self.open_connections)
        yield CounterMetricFamily(
            "aggregator_http_refused_connections",
            "Connections beyond what all, or one address, may have.",
            self.refused_connections,
        )

    def _answers(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "aggregator_http_requests", "Requests that were answered.", labels=("route", "method", "status")
        )
        for (route, method, status), count in self._requests.items():
            requests.add_metric((route, method, str(status)), count)
        yield requests
        seconds = HistogramMetricFamily(
            "aggregator_http_request_seconds",
            "Time from a request's head to its answer; a WebSocket's is its whole life.",
            labels=("route", "method"),
        )
        for name, buckets in self._buckets.items():
            seconds.add_metric(name, _cumulated(buckets), self._seconds[name])
        yield seconds


def _cumulated(buckets: list[int]) -> list[tuple[str, float]]:
    total, result = 0, []
    for label, count in zip(_BUCKET_LABELS, buckets, strict=True):
        total += count
        result.append((label, float(total)))
    return result
