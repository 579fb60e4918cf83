"""What other programs are told."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from foxtrot.app import jsonlines
from foxtrot.model.constants import (
    Channel,
    ConnectionState,
    Direction,
    Exchange,
    Interval,
    Mode,
    StreamState,
)
from foxtrot.model.events import Event
from foxtrot.model.health import ConnectionStatus, StreamStatus
from foxtrot.model.objects import (
    AccountData,
    BarData,
    DayStatistics,
    DepthData,
    LogData,
    MarketTradeData,
    OrderData,
    Source,
    TickData,
    TradeData,
    utc,
)

OF = ("BINANCE", "BTCUSDT", Exchange.BINANCE)
SOURCE = Source.of("BTCUSDT", Exchange.BINANCE, "BINANCE")
AT_NS = 1_767_225_600_000_000_000  # 2026-01-01
TICK = TickData(SOURCE, AT_NS, AT_NS, 110.0, 1.0, 109.0, 2.0, 111.0, 3.0, DayStatistics(7.0))


def environment_of(adapter: str) -> str:
    """BINANCE is simulated; nothing else is known."""
    return {"BINANCE": "simulated"}.get(adapter, "")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("tick", TICK),
        ("order", OrderData(*OF, "fx-1", volume=1.0, datetime=utc(AT_NS))),
        ("fill", TradeData(*OF, "fx-1", "7", Direction.LONG, volume=1.0, datetime=utc(AT_NS))),
        ("depth", DepthData(SOURCE, AT_NS, AT_NS, ((1.0, 2.0),), ((3.0, 4.0),))),
        ("trade", MarketTradeData(SOURCE, AT_NS, AT_NS, "1", 2.0, 3.0, Direction.LONG)),
        (
            "bar",
            BarData(
                *("BINANCE", "BTCUSDT", Exchange.BINANCE),
                *(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), Interval.MINUTE),
            ),
        ),
        (
            "connection",
            ConnectionStatus(
                *("BINANCE", "websocket", ConnectionState.READY, ConnectionState.SYNCING),
                *("fine", AT_NS),
            ),
        ),
        (
            "stream",
            StreamStatus(
                *("BINANCE", Channel.TICK, "BTCUSDT", Exchange.BINANCE, StreamState.ACTIVE),
                *(Mode.WEBSOCKET, AT_NS),
            ),
        ),
        ("log", LogData("BINANCE", "words", ts_ns=AT_NS)),
    ],
)
def test_every_kind_is_a_flat_object(name: str, data: object) -> None:
    """Each line says what it is, in which environment, of which adapter, and when."""
    line = jsonlines.line(Event("any", data), environment_of)
    assert line is not None
    assert (line["event"], line["environment"]) == (name, "simulated")
    assert (line["adapter"], line["time"]) == ("BINANCE", "2026-01-01T00:00:00Z")
    assert msgspec.json.decode(msgspec.json.encode(line))["event"] == name


def test_an_unknown_change_is_null() -> None:
    """Without the day's open there is no change, and none is made up."""
    line = jsonlines.line(Event("any", TICK), environment_of)
    assert line is not None
    assert line["change_percent"] is None


def test_what_is_no_adapter_has_no_environment() -> None:
    """The words of a strategy are not labelled with a venue's environment."""
    line = jsonlines.line(Event("any", LogData("Trend", "up")), environment_of)
    assert line is not None
    assert "environment" not in line


def test_other_events_are_not_told() -> None:
    """An event without a form of its own is left out."""
    assert jsonlines.line(Event("eTimer"), environment_of) is None


def test_balances_are_told() -> None:
    """What is in the account, and what open orders hold of it."""
    line = jsonlines.line(Event("any", AccountData("BINANCE", "USDT", 5.0, 1.0)), environment_of)
    assert line is not None
    assert (line["event"], line["id"]) == ("account", "USDT")
    assert (line["balance"], line["frozen"]) == (5.0, 1.0)


def test_an_order_in_doubt_says_that_its_outcome_is_unknown() -> None:
    """A program that reads us can tell doubt from an order on its way."""
    order = OrderData(*OF, "fx-1", reason="no answer", extra={"outcome": "unknown"})
    line = jsonlines.line(Event("any", order), environment_of)
    assert line is not None
    assert (line["status"], line["outcome"]) == ("Submitting", "unknown")
