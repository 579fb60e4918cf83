"""The engine behind the gateways of a desktop."""

from __future__ import annotations

import pytest

from tests.support.desktop import require

require("vnpy", "talib", "loguru")

from foxtrot.desktop.events import DesktopEventEngine  # noqa: E402
from foxtrot.desktop.host import Host  # noqa: E402
from foxtrot.model.constants import Exchange  # noqa: E402
from foxtrot.model.events import Event  # noqa: E402
from foxtrot.model.objects import OrderData, Source, TickData  # noqa: E402
from tests.support.fake_adapter import FakeAdapter  # noqa: E402

TICK = TickData(Source.of("A", Exchange.BINANCE, "FAKE"), 1, 1, 2.0)


class Deaf:
    """A gateway that takes nothing."""

    def told(self, event: Event) -> None:
        """Fail."""
        raise ValueError(event.type)


def test_what_is_not_told_is_named_and_of_orders_alone_halts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A price that a window cannot show must not end trading; an order that it misses does."""
    desk = DesktopEventEngine()
    host = Host(desk)
    adapter = host.join(FakeAdapter, "FAKE", Deaf())
    try:
        adapter.on_tick(TICK)
        assert host.engine.event_engine.drain()
        assert not host.engine.halted
        assert "desktop_not_told" in caplog.text
        adapter.on_order(OrderData("FAKE", "A", Exchange.BINANCE, "1"))
        assert host.engine.event_engine.drain()
        assert host.engine.halted == "the desktop was not told of an order: ValueError"
    finally:
        host.leave("FAKE")
