"""The venues of the demo, each against its simulated venue where it matters."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import pytest

from foxtrot.app import stages
from foxtrot.app.demo import Demo
from foxtrot.app.stages import BinanceStage, FutuStage, IbStage, Stage, chosen, shared_out
from foxtrot.core.event_engine import EventEngine
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import ConnectionState
from foxtrot.model.events import EVENT_CONNECTION, EVENT_LOG, EVENT_TICK
from tests.support.events import EventLog

WAIT_S = 20.0


def names(found: Sequence[Stage]) -> list[str]:
    return [each.name for each in found]


def without_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "find_spec", lambda name: None)


def wait(log: EventLog, type_: str, **fields: object) -> bool:
    """Wait for an event whose data has these fields."""

    def meant(data: object) -> bool:
        return all(getattr(data, name) == value for name, value in fields.items())

    return log.wait_type(type_, WAIT_S, where=meant) is not None


def test_all_venues_are_shown_unless_some_are_named() -> None:
    """Names go without regard to case, and each counts once."""
    assert names(chosen(())) == ["BINANCE", "IB", "FUTU"]
    assert names(chosen(["ib", "IB"])) == ["IB"]


def test_an_unknown_venue_is_answered_with_those_there_are() -> None:
    """The line says what to write instead."""
    with pytest.raises(ConfigurationError, match="--venues: 'okx' is none of binance, ib, futu"):
        chosen(["okx"])


def test_a_symbol_goes_to_the_venue_of_its_exchange() -> None:
    """Without an exchange the first venue's; else theirs who are at home there, or spell it so."""
    stages = binance, ib, futu = chosen(())
    mixed = ["BTCUSDT", "IBM-USD-STK.SMART", "IBM.SMART", "EUR-USD-CASH.IDEALPRO", "300750.SZSE"]
    assert shared_out(stages, mixed) == {
        binance: ["BTCUSDT.BINANCE"],
        ib: ["IBM-USD-STK.SMART", "EUR-USD-CASH.IDEALPRO"],
        futu: ["IBM.SMART", "300750.SZSE"],
    }
    assert list(shared_out([binance, ib], ["IBM-USD-STK.SMART"])) == [ib]
    assert list(shared_out([binance, ib], ["IBM.SMART"])) == [ib], "which then says what is wrong"


def test_without_symbols_each_venue_shows_its_own() -> None:
    """What strategies trade is among them."""
    for stage, symbols in shared_out(chosen(()), ()).items():
        assert symbols == list(stage.symbols)
        assert set(stage.traded) <= set(symbols)


def test_a_venue_without_its_sdk_is_left_out_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asked for it, so the others are shown, and it is said what to install."""
    without_sdk(monkeypatch)
    demo = Demo(["BTCUSDT"])
    with ExitStack() as stack:
        engine = demo.open(stack)
        told = EventLog(engine.event_engine, EVENT_LOG)
        demo.start(engine)
        for advice in ("pip install ib_async", "pip install futu-api"):
            told.wait_type(EVENT_LOG, where=lambda entry, advice=advice: advice in str(entry))
        assert names(demo.stages) == ["BINANCE"]


def test_a_venue_that_was_asked_for_is_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo ends with what to install."""
    without_sdk(monkeypatch)
    for name, package in (("ib", "ib_async"), ("futu", "futu-api")):
        with pytest.raises(ConfigurationError, match=f"--venues: .* pip install {package}"):
            Demo(venues=["binance", name])


@pytest.mark.parametrize(
    ("venue", "symbol", "strategy"),
    [("IB", "AAPL-USD-STK.SMART", "MaCross-AAPL"), ("FUTU", "TSLA.NASDAQ", "MarketMaker-TSLA")],
)
def test_a_stage_brings_ticks_and_trades(venue: str, symbol: str, strategy: str) -> None:
    """Its ticks come, its account is in step with the venue, and a strategy is there."""
    demo = Demo([symbol], venues=[venue.lower()], rate_hz=50)
    with ExitStack() as stack:
        engine = demo.open(stack)
        log = EventLog(engine.event_engine, EVENT_TICK, EVENT_CONNECTION)
        demo.start(engine)
        assert wait(log, EVENT_TICK, vt_symbol=symbol)
        assert wait(log, EVENT_CONNECTION, session="trading", state=ConnectionState.READY)
        strategies = {each.name for each in engine.get_all_strategies()}
        assert strategies == {f"TrendWatcher-{venue}", strategy}


@pytest.mark.parametrize("kind", [BinanceStage, IbStage, FutuStage])
def test_who_only_reads_cannot_trade(kind: type[Stage]) -> None:
    """The setting to read opens no session of the account."""
    stage = kind()
    with ExitStack() as stack:
        stage.open(stack, stage.symbols[:1], 0, 10.0)
        adapter = stage.adapter()(EventEngine(), stage.name)
        adapter.configure(stage.to_read())
        assert adapter.account == ""
        adapter.configure(stage.to_trade(lambda name, value: value))
        assert adapter.account != ""
