"""The simulated venues' log: records of the logger "foxtrot.simulator"; it prints nothing.

The fields travel as foxtrot's other records carry them, in `record.foxtrot`, so that one formatter
shows both; the house's own loggers are out of this room's reach.
"""

from __future__ import annotations

import logging

import structlog
from structlog.typing import EventDict


def _to_record(
    _logger: object, _method: str, fields: EventDict
) -> tuple[tuple[str], dict[str, object]]:
    shown = " ".join(f"{name}={value}" for name, value in fields.items() if name != "event")
    return (f"{fields['event']} {shown}",), {"extra": {"foxtrot": dict(fields)}}


log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    logging.getLogger("foxtrot.simulator"),
    wrapper_class=structlog.stdlib.BoundLogger,
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.processors.format_exc_info,
        _to_record,
    ],
)
