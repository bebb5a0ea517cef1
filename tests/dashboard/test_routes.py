"""The page's files: whole, of the right type, cached safely, and closed to everyone else's script."""

import gzip
import re

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from aggregator.dashboard.routes import POLICY, TYPES, Dashboard
from tests.paths import REPOSITORY

FOLDER = REPOSITORY / "aggregator" / "dashboard"
FILES = sorted(
    path.relative_to(FOLDER).as_posix()
    for path in FOLDER.rglob("*")
    if path.suffix.removeprefix(".") in TYPES and path.name != "index.html"
)


@pytest.fixture
async def client():
    app = web.Application()
    app.add_routes(Dashboard().routes())
    async with TestClient(TestServer(app), auto_decompress=False) as client:
        yield client


async def base(client) -> str:
    text = await (await client.get("/", headers={"Accept-Encoding": ""})).text()
    found = re.search(r'"(/static/[0-9a-f]+)/app\.js"', text)
    assert found
    return found[1]


async def test_the_page_is_asked_for_anew_and_costs_nothing_while_it_is_the_same(client):
    first = await client.get("/", headers={"Accept-Encoding": ""})
    assert (first.status, first.content_type, first.headers["Cache-Control"]) == (200, "text/html", "no-cache")
    again = await client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")
    assert "{{" not in await first.text()


@pytest.mark.parametrize("name", FILES)
async def test_each_file_is_served_whole_with_its_type_for_ever(client, name):
    path = f"{await base(client)}/{name}"
    plain = await client.get(path, headers={"Accept-Encoding": ""})
    packed = await client.get(path, headers={"Accept-Encoding": "gzip"})
    content = (FOLDER / name).read_bytes()
    assert await plain.read() == content
    body = await packed.read()
    assert (gzip.decompress(body) if packed.headers.get("Content-Encoding") == "gzip" else body) == content
    assert plain.content_type == TYPES[name.rpartition(".")[2]]
    assert "immutable" in plain.headers["Cache-Control"]
    assert plain.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", ["/", "app.js", "style.css"])
async def test_nothing_but_our_own_files_may_run_and_nobody_may_frame_us(client, path):
    answer = await client.get(path if path == "/" else f"{await base(client)}/{path}")
    policy = answer.headers["Content-Security-Policy"]
    assert policy == POLICY
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; ")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_page_has_no_inline_script_or_style_and_names_no_other_host(client):
    text = await (await client.get("/", headers={"Accept-Encoding": ""})).text()
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\bstyle=|\son\w+=", text) == []
    for name in FILES:
        source = (FOLDER / name).read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?://[\w.]", source), name


@pytest.mark.parametrize(
    "path",
    ["nothing.js", "routes.py", "__init__.py", "index.html", "../routes.py", "%2e%2e/routes.py", "texts", "texts/"],
)
async def test_what_is_no_file_of_the_page_is_not_there(client, path):
    assert (await client.get(f"{await base(client)}/{path}")).status == 404


async def test_files_of_another_version_are_not_there(client):
    assert (await client.get("/static/00000000000000000000/app.js")).status == 404


def test_the_same_files_have_the_same_paths_after_every_start():
    assert vars(Dashboard()) == vars(Dashboard())
