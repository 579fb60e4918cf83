"""Whoever asks how we are gets an answer at once, whatever else goes on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import msgspec
import pytest

from foxtrot.model.constants import Channel, ConnectionState, Exchange, Mode, Status, StreamState
from foxtrot.model.health import Health
from foxtrot.model.requests import SubscribeRequest
from tests.support.binance_venue import BinanceUnderTest
from tests.support.events import WAIT_S
from tests.support.fake_adapter import FakeAdapter
from tests.support.locks import all_held
from tests.support.rig import eventually
from tests.support.trading_rig import TradingRig, trading


@pytest.fixture
def rig() -> Iterator[TradingRig]:
    """A rig that trades at the simulated Binance."""
    venue = BinanceUnderTest()
    venue.start()
    with ExitStack() as stack:
        stack.callback(venue.stop)
        made = stack.enter_context(trading(venue))
        made.subscribe("ETHUSDT", Channel.DEPTH)
        made.trade("BTCUSDT")
        yield made


def test_nobody_who_holds_a_lock_holds_up_the_answer(rig: TradingRig) -> None:
    """With every lock of foxtrot's in another's hands, health() and diagnostics() still answer."""
    rig.rest()
    engine, adapter = rig.engine, rig.adapter
    idle = engine.add_adapter(FakeAdapter)
    engine.subscribe(SubscribeRequest("A", Exchange.BINANCE), idle.adapter_name)
    with all_held(engine) as ways, ThreadPoolExecutor(1) as other:
        assert any("_asking" in way for way in ways), "the way to the locks is found"
        assert any("_handlers" in way for way in ways)
        assert any("journal" in way for way in ways)
        health = other.submit(engine.health).result(WAIT_S)
        facts = other.submit(adapter.diagnostics).result(WAIT_S)
    assert health.problems == ()
    assert health.adapters[0].state is ConnectionState.READY
    assert [each.vt_symbol for each in health.adapters[1].streams] == ["A.BINANCE"]
    assert facts["state"] == "ready"


def test_health_tells_how_each_stream_and_each_order_fares(rig: TradingRig) -> None:
    """State, since when, mode with its reason, last data, what ended how, what is left to ask."""
    rig.wait_fresh("BTCUSDT")
    rig.cancel(rig.rest())
    refused = rig.send(volume=1e9)
    rig.wait_order(refused, Status.REJECTED)
    eventually(lambda: trading_of(rig).get("canceled") == 1, "the cancel is told")
    assert trading_of(rig)["refused"] == 1
    rig.engine.override_mode(rig.name, Mode.POLLING)
    eventually(lambda: modes(rig) == {Mode.POLLING}, "all is polled")
    health = rig.engine.health()
    adapter = health.adapters[0]
    (tick,) = [each for each in adapter.streams if each.channel is Channel.TICK]
    assert (tick.mode, tick.reason) == (Mode.POLLING, "websocket.enabled is off")
    assert tick.last_data_ns > 0
    assert 0 < adapter.facts["limits.weight.left"] < adapter.facts["limits.weight.most"]
    assert next(each for each in adapter.sessions if each.name == "trading").up_s > 0
    assert adapter.since_ns > 0
    assert health.rollouts[rig.name].stage == "polling"
    assert health.engine.latency[rig.name].handled_s.count > 0
    assert health.process.memory_bytes > 10_000_000
    assert "foxtrot-events" in health.process.threads
    assert msgspec.convert(msgspec.to_builtins(health), Health) == health, "it can be made JSON"
    rig.engine.override_mode(rig.name, None)
    eventually(lambda: modes(rig) == {Mode.WEBSOCKET}, "all is streamed again")


def trading_of(rig: TradingRig) -> dict[str, int]:
    """How the orders ended."""
    trading = rig.adapter.health().trading
    assert trading is not None
    return trading.outcomes


def modes(rig: TradingRig) -> set[Mode]:
    """How the streams are served, once all are."""
    streams = rig.adapter.health().streams
    served = {StreamState.ACTIVE, StreamState.QUIET, StreamState.POLLING}
    return {each.mode for each in streams} if {each.state for each in streams} <= served else set()
