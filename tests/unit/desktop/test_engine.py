"""vnpy's main engine, closed so that the last word of everybody is heard."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.desktop import Desk, main_engine_class, open_desk, require

require("vnpy", "talib", "loguru")

main_engine_class()

from vnpy.trader import constant  # noqa: E402
from vnpy.trader.engine import BaseEngine  # noqa: E402
from vnpy.trader.object import OrderRequest  # noqa: E402

from foxtrot.desktop import engine as engine_module  # noqa: E402
from foxtrot.desktop.engine import DesktopEngine  # noqa: E402
from foxtrot.desktop.gateway import as_vnpy_gateway  # noqa: E402
from foxtrot.desktop.host import host_of  # noqa: E402
from foxtrot.model.events import EVENT_CONNECTION  # noqa: E402
from tests.support.desktop_gateway import PlainGateway  # noqa: E402
from tests.support.fake_adapter import FakeAdapter  # noqa: E402
from tests.support.rig import nothing_left  # noqa: E402
from tests.support.sessions import HANG  # noqa: E402

LATE = "did not close in time, and is left to itself"


class Farewell(PlainGateway):
    """A gateway that cancels what rests when it is closed, and tells so."""

    default_name = "FAREWELL"

    def close(self) -> None:
        """Tell of each order, then close."""
        for orderid in self.orders:
            self.tell(orderid, constant.Status.CANCELLED)
        super().close()


class Tidy(BaseEngine):  # type: ignore[misc]
    """The engine of an app that cancels its order when it is closed, as strategies do."""

    def __init__(self, main_engine: Any, event_engine: Any) -> None:
        super().__init__(main_engine, event_engine, "Tidy")
        self.order: Any = None

    def close(self) -> None:
        """Cancel."""
        self.main_engine.cancel_order(self.order.create_cancel_request(), "PLAIN")


@pytest.fixture(scope="module")
def imports() -> None:
    """What lives as long as the process is made before anything is counted."""
    with open_desk():
        pass


@pytest.fixture
def desk(imports: None) -> Iterator[Desk]:
    """vnpy's engines in ours; nothing is left behind."""
    with nothing_left(), open_desk(engine_class=DesktopEngine) as desk:
        yield desk


def resting(desk: Desk, gateway_class: Any) -> Any:
    """A gateway with an order that rests; the order."""
    gateway = desk.engine.add_gateway(gateway_class)
    desk.engine.connect({}, gateway.gateway_name)
    contract = desk.wait("eContract.")
    request = OrderRequest(
        contract.symbol,
        contract.exchange,
        constant.Direction.LONG,
        constant.OrderType.LIMIT,
        1,
        98.0,
    )
    desk.engine.send_order(request, gateway.gateway_name)
    return desk.wait("eOrder.", lambda order: order.status is constant.Status.NOTTRADED)


def test_the_last_states_of_a_gateway_are_heard(desk: Desk) -> None:
    """Any gateway of vnpy is closed while its events still arrive, and once."""
    resting(desk, Farewell)
    desk.engine.close()
    desk.engine.close()
    assert desk.log.of("eOrder.")[-1].status is constant.Status.CANCELLED
    assert not desk.engine.event_engine.health().running
    assert [call for call, _ in desk.engine.get_gateway("FAREWELL").calls].count("close") == 1


def test_apps_are_closed_before_gateways(desk: Desk) -> None:
    """A strategy that stops can still cancel its orders, and everybody hears of it."""
    order = resting(desk, PlainGateway)
    desk.engine.add_engine(Tidy).order = order
    desk.engine.close()
    assert desk.log.of("eOrder.")[-1].status is constant.Status.CANCELLED
    calls = [call for call, _ in desk.engine.get_gateway("PLAIN").calls]
    assert calls.index("cancel_order") < calls.index("close")


def test_a_gateway_that_hangs_is_named_and_left(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One gateway that does not return keeps neither the others nor the desktop from closing."""
    monkeypatch.setattr(engine_module, "CLOSE_S", 0.2)
    hung, other = desk.engine.add_gateway(PlainGateway), desk.engine.add_gateway(Farewell)
    hung.go_on.clear()
    desk.engine.close()
    desk.wait_said(f"PLAIN {LATE}")
    assert [call for call, _ in other.calls] == ["close"]
    assert not desk.engine.event_engine.health().running
    hung.go_on.set()
    joined("foxtrot-close-PLAIN")


def test_a_venue_that_hangs_keeps_no_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """foxtrot's own gateways are closed side by side, too, though they share an engine."""
    monkeypatch.setattr(engine_module, "CLOSE_S", 0.5)
    monkeypatch.setattr("foxtrot.gateway.base.CLOSE_DEADLINE_S", 1.0)
    desk.engine.add_gateway(as_vnpy_gateway(FakeAdapter), "HUNG")
    desk.engine.add_gateway(as_vnpy_gateway(FakeAdapter), "WELL")
    for name in ("HUNG", "WELL"):
        desk.engine.connect({}, name)
        desk.wait(
            EVENT_CONNECTION,
            lambda s, name=name: (s.adapter_name, s.state.value) == (name, "ready"),
        )
    host_of(desk.engine.event_engine).engine.adapter("HUNG").streams.always["close"] = HANG
    desk.engine.close()
    desk.wait_said(f"HUNG {LATE}")
    last = {s.adapter_name: s.state.value for s in desk.log.of(EVENT_CONNECTION)}
    assert last["WELL"] == "disconnected"
    joined("foxtrot-close-HUNG")


def test_an_app_that_cannot_close_is_named(desk: Desk) -> None:
    """What an app raises is a line of the log, and all the others are closed."""
    desk.engine.add_engine(Tidy)
    gateway = desk.engine.add_gateway(Farewell)
    desk.engine.close()
    desk.wait_said("Tidy could not be closed: AttributeError")
    assert [call for call, _ in gateway.calls] == ["close"]


def joined(name: str) -> None:
    """Wait until a thread that was left to itself has ended."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(20)
            assert not thread.is_alive()
