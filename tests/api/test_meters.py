"""What is counted of requests, answers and connections."""

import re
from typing import Any

from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import generate_latest

from aggregator.api.meters import BUCKETS_S, Meters
from aggregator.api.problems import Code
from aggregator.service.metrics import registry
from tests.api.test_market import service


def exposed(meters: Meters) -> dict[str, float]:
    lines = generate_latest(registry(meters)).decode().splitlines()
    told = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in told}


async def test_requests_are_counted_by_route_and_status_and_problems_by_code() -> None:
    _, server = service()
    async with TestClient(TestServer(server.app)) as client:
        sizes = [len(await (await client.get("/v1/books/BTC-USDT")).read()) for _ in range(2)]
        refused = [
            await client.get("/v1/books/NOPE-USDT"),
            await client.get("/v1/made-up/7"),
            await client.request("PROPFIND", "/v1/books/BTC-USDT"),
            await client.post("/v1/quotes", data=b"[]"),
        ]
        sizes += [len(await answer.read()) for answer in refused]
        text = await (await client.get("/metrics")).text()
    requests = dict(re.findall(r"^aggregator_http_requests_total{(.*)} (.*)$", text, re.MULTILINE))
    assert requests == {
        'method="GET",route="/v1/books/{symbol}",status="200"': "2.0",
        'method="GET",route="/v1/books/{symbol}",status="404"': "1.0",
        'method="GET",route="unknown",status="404"': "1.0",
        'method="unknown",route="unknown",status="405"': "1.0",
        'method="POST",route="/v1/quotes",status="400"': "1.0",
    }
    problems = dict(re.findall(r'^aggregator_http_problems_total{code="(.*)"} (.*)$', text, re.MULTILINE))
    assert problems == {
        "unknown_instrument": "1.0",
        "unknown_route": "1.0",
        "method_not_allowed": "1.0",
        "bad_parameter": "1.0",
    }
    assert 'aggregator_http_request_seconds_count{method="GET",route="/v1/books/{symbol}"} 3.0' in text
    assert f"aggregator_http_sent_bytes_total {float(sum(sizes))}" in text
    assert "aggregator_http_received_bytes_total 2.0" in text


async def test_what_clients_make_up_is_no_label() -> None:
    """Else whoever asks for a thousand paths makes a thousand series."""
    _, server = service()

    async def series(client: Any) -> set[str]:
        text = await (await client.get("/metrics")).text()
        return set(re.findall(r"^(aggregator_http_\S+) ", text, re.MULTILINE))

    async with TestClient(TestServer(server.app)) as client:
        paths = ("/{}", "/v1/{}", "/v1/books/{}", "/v1/venues/{}", "/docs/{}", "/v1/books/BTC-USDT?{}=1")
        await client.get("/metrics")
        for path in paths:
            await client.get(path.format("first"))
        before = await series(client)
        for number in range(20):
            for path in paths:
                await client.get(path.format(number))
            await client.request("LOCK", f"/v1/{number}")
        assert {name for name in await series(client) if "LOCK" in name or "19" in name} == set()
        assert len(await series(client)) - len(before) <= 2 * len(BUCKETS_S)


def test_a_request_is_in_the_bucket_of_its_time() -> None:
    meters = Meters()
    for seconds in (0.0001, 0.0005, 0.003, 60):
        meters.answered("/health", "GET", 200, seconds, 3, 5)
    told = exposed(meters)
    name = 'aggregator_http_request_seconds_bucket{{le="{}",method="GET",route="/health"}}'
    assert [told[name.format(le)] for le in ("0.0005", "0.0025", "0.005", "10.0", "+Inf")] == [2, 2, 3, 3, 4]
    assert told['aggregator_http_request_seconds_sum{method="GET",route="/health"}'] == 60.0036
    assert (told["aggregator_http_received_bytes_total"], told["aggregator_http_sent_bytes_total"]) == (12, 20)


def test_everything_is_told_before_anything_has_happened() -> None:
    text = generate_latest(registry(Meters())).decode()
    assert len(re.findall("^# HELP aggregator_http_", text, re.MULTILINE)) == 7
    meters = Meters()
    meters.told_problem(Code.HALTED)
    assert exposed(meters)['aggregator_http_problems_total{code="halted"}'] == 1
