"""The adapter's own part: what is kept, and what it says of itself, before anything connects."""

from __future__ import annotations

import pytest

from foxtrot.adapter.ib import IbAdapter
from foxtrot.core.event_engine import EventEngine
from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.gateway.connect_fields import Setting
from foxtrot.gateway.registry import adapter_class
from foxtrot.model.constants import Channel, Environment, Exchange, Interval, Mode, OrderType
from foxtrot.model.health import StreamKey
from foxtrot.model.requests import SubscribeRequest

PAPER: Setting = {"environment": "paper", "port": 7497}


@pytest.fixture
def adapter() -> IbAdapter:
    """Never connected."""
    return IbAdapter(EventEngine())


def test_its_form_is_a_valid_setting(adapter: IbAdapter) -> None:
    """What a desktop shows first can be taken as it is, and is not live."""
    adapter.configure(adapter.default_setting)
    assert adapter.environment is Environment.PAPER
    assert adapter.endpoint == "127.0.0.1:7497"


def test_is_installed_by_name() -> None:
    """Settings files call it "ib"."""
    assert adapter_class("ib") is IbAdapter


def test_says_what_it_can_do(adapter: IbAdapter) -> None:
    """Streams of every kind, ticks and bars by polling, four types of orders and two more."""
    able = adapter.capabilities
    assert able.streamed == set(Channel)
    assert able.polled == {Channel.TICK, Channel.BAR}
    assert {Interval.MINUTE, Interval.HOUR, Interval.DAILY} <= able.intervals
    assert able.history
    assert able.orders >= {
        OrderType.LIMIT,
        OrderType.MARKET,
        OrderType.STOP,
        OrderType.STOP_LIMIT,
        OrderType.FAK,
        OrderType.FOK,
    }
    assert {Exchange.SMART, Exchange.IDEALPRO, Exchange.CME, Exchange.CBOE} <= set(
        adapter.exchanges
    )


def test_a_wrong_setting_changes_nothing(adapter: IbAdapter) -> None:
    """After a mistake the former setting is in force."""
    adapter.configure(PAPER)
    with pytest.raises(ConfigurationError):
        adapter.configure({"environment": "paper"})
    assert adapter.endpoint == "127.0.0.1:7497"


def test_has_an_account_unless_it_only_reads(adapter: IbAdapter) -> None:
    """Without an account there is no journal, and no order can be sent."""
    assert adapter.account == ""
    adapter.configure(PAPER)
    assert adapter.account.startswith("ib-paper-")
    adapter.configure({**PAPER, "read_only": True})
    assert adapter.account == ""


def test_knows_nothing_before_it_is_connected(adapter: IbAdapter) -> None:
    """Questions before the first connect have empty answers, or say what is missing."""
    key = StreamKey(Channel.TICK, "AAPL-USD-STK", Exchange.SMART)
    assert adapter.last_tick("AAPL-USD-STK", Exchange.SMART) is None
    assert adapter.last_data_ns(key) == 0
    assert (adapter.environment, adapter.endpoint) == (None, "")
    with pytest.raises(InvalidState):
        adapter.make_session(Mode.WEBSOCKET)


async def test_what_is_known_of_a_tws_is_kept(adapter: IbAdapter) -> None:
    """A new setting for the same TWS keeps its contracts; another TWS has its own."""
    adapter.configure(PAPER)
    first = adapter._configured()
    adapter.configure({**PAPER, "client_id": 5})
    second = adapter._configured()
    assert second.contracts is first.contracts
    assert second.marks is first.marks
    adapter.configure({**PAPER, "port": 4002})
    assert adapter._configured().contracts is not first.contracts


async def test_gives_back_the_connections_of_every_setting(adapter: IbAdapter) -> None:
    """Pools of former settings are closed together with the newest one's."""
    adapter.configure(PAPER)
    pools = [adapter._configured().pool]
    adapter.configure({**PAPER, "port": 4002})
    pools.append(adapter._configured().pool)
    await adapter.release()
    for pool in pools:
        with pytest.raises(InvalidState):
            await pool.take(next(iter(pool._lanes)))
    assert adapter._configured().pool not in pools


@pytest.mark.parametrize("symbol", ["AAPL", "AAPL-USD-STK.MOON", "ES-USD-FUT"])
def test_a_symbol_that_cannot_be_one_is_refused_at_once(adapter: IbAdapter, symbol: str) -> None:
    """Nobody has to wait for TWS to hear of a spelling; what is good needs TWS to be judged."""
    with pytest.raises(ConfigurationError, match=rf"subscribe: symbol: '{symbol}'.*such as"):
        adapter.subscribe(SubscribeRequest(symbol, Exchange.SMART))
    adapter.subscribe(SubscribeRequest("AAPX-USD-STK", Exchange.SMART))
    assert [each.symbol for each in adapter.subscriptions()] == ["AAPX-USD-STK"]


def test_tells_what_is_left_of_its_lines(adapter: IbAdapter) -> None:
    """Of the market data lines that the setting allows; nothing before there is one."""
    assert adapter.facts() == {}
    adapter.configure({**PAPER, "market_data_lines": 10})
    for symbol in ("AAPL-USD-STK", "MSFT-USD-STK"):
        adapter.subscribe(SubscribeRequest(symbol, Exchange.SMART))
    adapter.subscribe(SubscribeRequest("IBM-USD-STK", Exchange.SMART, Channel.DEPTH))
    facts = adapter.facts()
    assert facts["limits.market_data_lines.left"] == 8
    assert facts["limits.market_data_lines.most"] == 10
