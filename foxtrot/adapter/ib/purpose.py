"""What a connection to a TWS is for. Its client id and the way it is shared depend on it."""

from __future__ import annotations

from enum import Enum


class Purpose(Enum):
    """What a connection is for."""

    TRADING = "trading"
    STREAMING = "streaming"
    HISTORY = "history"
    API = "api"

    @classmethod
    def _missing_(cls, value: object) -> Purpose | None:
        return cls.HISTORY if value == "data_fetch" else None

    @property
    def is_shared(self) -> bool:
        """Whether a connection serves one holder after the other; the rest belong to a session."""
        return self in {Purpose.HISTORY, Purpose.API}
