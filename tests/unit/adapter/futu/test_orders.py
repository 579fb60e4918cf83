"""The trading session: what it does by itself while it lives."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import cast

import pytest

from foxtrot.adapter.futu.orders import BALANCES_S, OrderSession, _Parts
from foxtrot.adapter.futu.session import Venue
from foxtrot.errors import Action, PermissionDenied
from foxtrot.execution.reports import Unknown
from foxtrot.gateway.counters import FeedCounters
from foxtrot.gateway.trading import Balances, TradingListener
from tests.support.virtual_time import VirtualLoop, run_virtually

REFUSED = PermissionDenied("FUTU", "-1", "no")


@pytest.mark.parametrize(
    ("unknown", "asked"), [(Unknown("no answer in time"), 2), (Unknown(str(REFUSED), REFUSED), 1)]
)
def test_what_is_held_is_asked_for_until_it_is_told(unknown: Unknown, asked: int) -> None:
    """A fill changes it, and the first question fails: it is asked again, unless for nothing."""

    async def play() -> None:
        told = list[Balances]()
        answers: list[Balances | Unknown] = [unknown, Balances()]
        venue = SimpleNamespace(settings=SimpleNamespace(endpoint="127.0.0.1:1"))
        listener = cast("TradingListener", SimpleNamespace(on_balances=told.append))
        session = OrderSession(
            cast("Venue", venue), FeedCounters(), listener, lambda orderid: None, lambda orderid: ""
        )
        changed = asyncio.Event()
        session._parts = cast("_Parts", SimpleNamespace(feed=SimpleNamespace(changed=changed)))

        async def balances() -> Balances | Unknown:
            return answers.pop(0)

        session.balances = balances  # type: ignore[method-assign]
        keeping = asyncio.ensure_future(session._keep_balances())
        changed.set()
        await asyncio.sleep(3 * BALANCES_S)
        assert (len(told), 2 - len(answers)) == (asked - 1, asked)
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping

    assert REFUSED.action is Action.STOP
    run_virtually(play(), VirtualLoop())
