"""The simulated venues' log: records of the logger "foxtrot.simulator"; it prints nothing."""

from __future__ import annotations

import logging

import structlog

_RENDER = structlog.processors.KeyValueRenderer(key_order=["event"])

log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    logging.getLogger("foxtrot.simulator"),
    wrapper_class=structlog.stdlib.BoundLogger,
    processors=[structlog.stdlib.filter_by_level, structlog.processors.format_exc_info, _RENDER],
)
