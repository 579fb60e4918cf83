"""A running program follows its settings file: the modes of Binance change under way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot import EVENT_LOG, EVENT_TICK, MainEngine, SubscribeRequest
from foxtrot.adapter.binance import BinanceAdapter
from foxtrot.model.constants import Mode
from tests.support.binance_venue import BinanceUnderTest
from tests.support.events import EventLog
from tests.support.rig import QUICK, eventually

WAIT_S = 20.0


@pytest.fixture
def venue() -> Iterator[BinanceUnderTest]:
    """A venue whose market moves by itself."""
    venue = BinanceUnderTest(rate_hz=20)
    venue.start()
    try:
        yield venue
    finally:
        venue.stop()


def write(path: Path, **flags: object) -> None:
    """Write the quick settings with these over them."""
    named = {name.replace("__", "."): value for name, value in flags.items()}
    path.write_text(json.dumps({**QUICK, **named}))


def modes(engine: MainEngine) -> set[Mode]:
    """How the streams are served."""
    return {stream.mode for stream in engine.adapter("BINANCE").health().streams}


def wait_mode(engine: MainEngine, log: EventLog, mode: Mode) -> None:
    """Wait until all is served that way, and ticks of every symbol come."""
    eventually(lambda: modes(engine) == {mode}, f"all are {mode}", WAIT_S)
    for symbol in BinanceUnderTest.symbols:
        since = len(log)
        log.wait_type(EVENT_TICK, WAIT_S, since=since, where=lambda t, s=symbol: t.symbol == s)


@pytest.mark.timeout(90)
def test_the_settings_file_changes_the_mode(venue: BinanceUnderTest, tmp_path: Path) -> None:
    """Off goes to polling, a broken file changes nothing, on goes back to streams."""
    path = tmp_path / "settings.json"
    write(path)
    with MainEngine(settings=path) as engine:
        log = EventLog(engine.event_engine, EVENT_TICK, EVENT_LOG)
        engine.add_adapter(BinanceAdapter)
        for symbol in venue.symbols:
            engine.subscribe(SubscribeRequest(symbol, venue.exchange), "BINANCE")
        engine.connect(venue.setting(), "BINANCE")
        wait_mode(engine, log, Mode.WEBSOCKET)
        write(path, websocket__enabled=False)
        wait_mode(engine, log, Mode.POLLING)
        since = len(log)
        path.write_text("{broken")
        log.wait_type(EVENT_LOG, WAIT_S, since=since, where=lambda line: "refused" in line.msg)
        wait_mode(engine, log, Mode.POLLING)
        write(path, websocket__enabled=True)
        wait_mode(engine, log, Mode.WEBSOCKET)
        assert len(engine.adapter("BINANCE").subscriptions()) == len(venue.symbols)
