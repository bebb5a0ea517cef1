"""A report as a page that needs no network, as CSV by table, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Any

from aggregator.records.reports.pictures import drawn, legend
from aggregator.records.reports.report import Picture, Report, Table
from aggregator.records.reports.texts import Language, texts

ROWS_SHOWN = 200
"""Of a table on the page; its CSV file has all."""

DIGITS_READ = 8

LEFT_ALIGNED = {
    "instrument", "venue", "hour", "source", "reasons", "state", "at", "change", "day", "account", "reason", "from",
    "until", "order_id", "side", "excluded", "fees",
}  # fmt: skip

STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def write(report: Report, folder: Path, language: Language) -> list[Path]:
    """`name.html`, `name.json` and a CSV file a table. Returns what was written; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    page, data = folder / f"{report.name}.html", folder / f"{report.name}.json"
    page.write_text(as_page(report, language), encoding="utf-8")
    data.write_text(json.dumps(as_document(report), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    written = [page, data]
    for table in report.tables:
        path = folder / f"{report.name}-{table.name}.csv"
        table.frame().to_csv(path, index=False)
        written.append(path)
    return written


def as_document(report: Report) -> dict[str, Any]:
    """Names are the keys of the texts, so it is the same in every language."""
    return {
        "report": report.name,
        "from": report.span.first.isoformat(),
        "to": report.span.last.isoformat(),
        "headline": dict(report.headline),
        "notes": [{"note": key, **values} for key, values in report.notes],
        "tables": {table.name: table.frame().to_dict("records") for table in report.tables},
    }


def as_page(report: Report, language: Language) -> str:
    title, span = texts(language).titles[report.name], report.span
    days = texts(language).notes["days"].format(first=span.first, last=span.last)
    return "".join(
        [
            f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)} {escape(days)}</title><style>{STYLE}</style></head><body>",
            f'<h1>{escape(title)}</h1><p class="span">{escape(days)}</p>',
            *_headline(report, language),
            *(f'<p class="note">{escape(texts(language).notes[key].format(**told))}</p>' for key, told in report.notes),
            '<div class="pictures">',
            *(_figure(picture, language) for picture in report.pictures),
            "</div>",
            *(part for table in report.tables for part in _section(table, language)),
            f'<p class="note">{escape(texts(language).notes["units"])}</p></body></html>\n',
        ]
    )


def _headline(report: Report, language: Language) -> Iterator[str]:
    yield "<dl>"
    for key, value in report.headline:
        yield f"<div><dt>{escape(texts(language).columns[key])}</dt><dd>{escape(value)}</dd></div>"
    yield "</dl>"


def _figure(picture: Picture, language: Language) -> str:
    title = " ".join(filter(None, [picture.about, texts(language).titles[picture.name]]))
    return f"<figure><h3>{escape(title)}</h3>{drawn(picture, title)}{legend(picture)}</figure>"


def _section(table: Table, language: Language) -> Iterator[str]:
    yield f"<h2>{escape(texts(language).titles[table.name])}</h2>"
    yield f'<p class="about">{escape(texts(language).definitions[table.name])}</p>'
    if not table.rows:
        yield f'<p class="note">{escape(texts(language).notes["empty"])}</p>'
        return
    yield '<div class="wide"><table><thead><tr>'
    yield from (f"<th{_side(name)}>{escape(texts(language).columns[name])}</th>" for name in table.columns)
    yield "</tr></thead><tbody>"
    for row in table.rows[:ROWS_SHOWN]:
        yield "<tr>"
        yield from (_cell(name, cell) for name, cell in zip(table.columns, row, strict=True))
        yield "</tr>"
    yield "</tbody></table></div>"
    if len(table.rows) > ROWS_SHOWN:
        told = texts(language).notes["rows_left_out"].format(shown=ROWS_SHOWN, all=len(table.rows))
        yield f'<p class="note">{escape(told)}</p>'


def _side(name: str) -> str:
    return ' class="left"' if name in LEFT_ALIGNED else ""


def _cell(name: str, cell: str | int | None) -> str:
    text = "" if cell is None else str(cell)
    if name in LEFT_ALIGNED:
        long = " long" if len(text) > 40 else ""
        return f'<td class="left{long}">{escape(text)}</td>'
    return f"<td>{escape(grouped(text))}</td>"


def grouped(text: str) -> str:
    """A number for the eye: thousands apart, and with no more digits than anybody reads. The CSV has all."""
    whole, _, fraction = text.partition(".")
    digits = whole.lstrip("-")
    if not digits.isdigit():
        return text
    places = max(0, DIGITS_READ - len(digits))
    number = Decimal(text)
    return f"{round(number, places) if len(fraction) > places else number:,f}"
