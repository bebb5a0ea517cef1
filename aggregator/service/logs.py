"""Log lines on stderr: text for people, one JSON object a line for programs."""

from __future__ import annotations

import logging
import sys
from typing import Any

import msgspec

from aggregator.config.settings import Log

FIELDS = ("venue", "instrument", "health")
"""What may be given to a log call as `extra`, and appears as a key of its own."""

_json = msgspec.json.Encoder()


class JsonLines(logging.Formatter):
    """`at_ns`, `level`, `logger`, `message`, and whatever of FIELDS the line carries."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at_ns": int(record.created * 1_000_000) * 1_000,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({name: getattr(record, name) for name in FIELDS if hasattr(record, name)})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _json.encode(line).decode()


def start_logging(settings: Log) -> None:
    as_text = settings.format == "text" or (settings.format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s") if as_text else JsonLines())
    root = logging.getLogger("aggregator")
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    root.propagate = False
