"""The strategies of the settings file, and the limits that a strategy keeps to."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from foxtrot.core.settings_model import (
    ADAPTER_NAME,
    SETTLED,
    ConnectSettings,
    NamedValues,
    Symbol,
)

STRATEGY_NAME: Final = r"[A-Za-z0-9_.-]{1,64}"
_CLASS = re.compile(r"[A-Za-z0-9_.-]+|[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)


def _name(text: str) -> str:
    if not re.fullmatch(STRATEGY_NAME, text):
        raise PydanticCustomError("problem", "must be 1 to 64 letters, digits, - _ and .")
    return text


def _class(text: str) -> str:
    if not _CLASS.fullmatch(text):
        problem = "must be the name of an installed strategy, or package.module:Class"
        raise PydanticCustomError("problem", problem)
    return text


def _adapter(text: str) -> str:
    if text and not re.fullmatch(ADAPTER_NAME, text):
        raise PydanticCustomError("problem", "must be a venue's name, such as BINANCE")
    return text


class RiskLimits(BaseModel):
    """What one strategy may do at most; 0 is no limit."""

    model_config = SETTLED

    max_position: float = Field(
        default=0.0,
        description="Largest position in one symbol to either side, in units of the contract; "
        "what open orders may still trade counts as if it had. 0: no limit.",
        ge=0,
        le=1e15,
    )
    max_loss: float = Field(
        default=0.0,
        description="Loss since its start, at the last prices and without fees, from which on "
        "only orders that reduce a position pass; in the quote currency. 0: no limit.",
        ge=0,
        le=1e15,
    )
    max_open_orders: int = Field(
        default=0, description="Orders that may be open at once; 0: no limit.", ge=0, le=10_000
    )


class StrategyEntry(BaseModel):
    """One strategy that is started with the program."""

    model_config = ConfigDict(**SETTLED, arbitrary_types_allowed=True)

    class_: Annotated[str, AfterValidator(_class)] = Field(
        alias="class",
        min_length=1,
        max_length=256,
        description="Name under which it is installed (entry points of foxtrot.strategies), or "
        "package.module:Class.",
    )
    name: Annotated[str, AfterValidator(_name)] = Field(
        min_length=1, max_length=64, description="Its name in logs and orders."
    )
    symbols: tuple[Symbol, ...] = Field(
        strict=False,
        min_length=1,
        max_length=1024,
        description="What it watches and trades, such as BTCUSDT.BINANCE.",
    )
    adapter: Annotated[str, AfterValidator(_adapter)] = Field(
        default="",
        max_length=32,
        description="The venue where it trades; not needed where only one serves its symbols.",
    )
    params: NamedValues = Field(
        default_factory=lambda: ConnectSettings({}),
        description="Its parameters; the others keep their defaults.",
    )
    risk: RiskLimits = Field(default_factory=RiskLimits, description="What it may do at most.")
