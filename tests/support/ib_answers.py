"""An IbClient that answers out of a script: what was asked, and what comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

from foxtrot.adapter.ib.client import IbClient, RawClient, RawContract
from foxtrot.adapter.ib.instruments import RawDetails, raw_contract
from foxtrot.adapter.ib.symbols import parse

Answer = Callable[..., Awaitable[list[object]]]


class _Recorder:
    """Stands for the SDK's client: keeps the one message that is sent."""

    def __init__(self) -> None:
        self.sent: tuple[str, tuple[Any, ...]] = ("", ())

    def __getattr__(self, name: str) -> Callable[..., None]:
        def keep(_number: int, *args: object) -> None:
            self.sent = (name, args)

        return keep


@dataclass
class Scripted:
    """Answers each message by the function of its name; `asked` keeps the messages.

    Attributes:
        answers: From the SDK's method, such as reqContractDetails, to an async function that gets
            the arguments and returns the rows.
    """

    answers: dict[str, Answer]
    asked: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    @property
    def client(self) -> IbClient:
        """As the adapter's rooms want it."""
        return cast("IbClient", self)

    async def ask(
        self,
        what: str,
        send: Callable[[RawClient, int], None],
        *,
        timeout_s: float | None = None,
        cancel: Callable[[RawClient, int], None] | None = None,
    ) -> list[object]:
        """Send one message into the script."""
        recorder = _Recorder()
        send(cast("RawClient", recorder), 1)
        self.asked.append(recorder.sent)
        name, args = recorder.sent
        return await self.answers[name](*args)

    def count(self, name: str) -> int:
        """How often this message was sent."""
        return sum(asked == name for asked, _ in self.asked)


@dataclass
class Details:
    """What IB says of a contract."""

    contract: RawContract
    minTick: float = 0.01
    orderTypes: str = "LMT,MKT,STP"
    priceMagnifier: int = 1
    longName: str = "APPLE INC"
    timeZoneId: str = "US/Eastern"
    tradingHours: str = "20261120:0400-20261120:2000"
    liquidHours: str = "20261120:0930-20261120:1600"
    stockType: str = "COMMON"
    underSymbol: str = ""
    minSize: float = 1.0
    sizeIncrement: float = 1.0


def contract(con_id: int, text: str, place: str = "SMART", **more: str) -> RawContract:
    """One of the SDK's contracts, from a symbol of ours; `more` are fields of its."""
    made = raw_contract(parse(text), place)
    made.conId, made.tradingClass = con_id, more.pop("tradingClass", made.symbol)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def details(con_id: int, text: str, place: str = "SMART", **more: str) -> RawDetails:
    """What IB says of a contract, from a symbol of ours."""
    return Details(contract(con_id, text, place, **more))
