"""Log lines: structured, on standard error, without personal data. What may be logged is chosen where it is logged;
nothing here redacts after the fact.
"""

from __future__ import annotations

import logging
import sys
import traceback

import structlog


def log_to_stderr() -> None:
    """Set logging up for a program that stays up."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    # httpx logs every URL it fetches at INFO, and image links are secrets
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # uvicorn warns of every malformed request: strangers would fill the log
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
    ]
    structlog.configure(processors=processors, logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def place_of(error: BaseException) -> str:
    """Where an exception was raised, as `file.py:line`: all that may be logged beside its type."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown"
