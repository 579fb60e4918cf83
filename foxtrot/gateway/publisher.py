"""Puts what an adapter has to tell on the EventEngine."""

from __future__ import annotations

import logging
import time

from foxtrot.core.event_engine import EventEngine
from foxtrot.model.constants import Lane
from foxtrot.model.events import (
    EVENT_ACCOUNT,
    EVENT_BAR,
    EVENT_CONTRACT,
    EVENT_DEPTH,
    EVENT_LOG,
    EVENT_MARKET_TRADE,
    EVENT_ORDER,
    EVENT_POSITION,
    EVENT_QUOTE,
    EVENT_TICK,
    EVENT_TRADE,
    Event,
)
from foxtrot.model.objects import (
    AccountData,
    BarData,
    ContractData,
    DepthData,
    LogData,
    MarketTradeData,
    OrderData,
    PositionData,
    QuoteData,
    TickData,
    TradeData,
)


class Publisher:
    """vnpy's `on_…` methods of a gateway: one for each noun. Callable from any thread."""

    def __init__(self, event_engine: EventEngine, adapter_name: str) -> None:
        self.event_engine, self.adapter_name = event_engine, adapter_name

    def on_event(
        self, type: str, data: object = None, topic: str = "", lane: Lane = Lane.RELIABLE
    ) -> None:
        """Put an event; with a topic it reaches the handlers of `type` and of `type + topic`."""
        self.event_engine.put(Event(type, data, topic, lane))

    def on_tick(self, tick: TickData, lane: Lane = Lane.LATEST) -> None:
        """Push a tick."""
        self.event_engine.put(Event(EVENT_TICK, tick, tick.source.vt_symbol, lane))

    def on_depth(self, depth: DepthData, lane: Lane = Lane.LATEST) -> None:
        """Push the best levels of a book."""
        self.event_engine.put(Event(EVENT_DEPTH, depth, depth.source.vt_symbol, lane))

    def on_market_trade(self, trade: MarketTradeData) -> None:
        """Push a print on the tape."""
        event = Event(EVENT_MARKET_TRADE, trade, trade.source.vt_symbol, Lane.BOUNDED)
        self.event_engine.put(event)

    def on_bar(self, bar: BarData) -> None:
        """Push a bar, closed or still moving."""
        self.event_engine.put(Event(EVENT_BAR, bar, bar.vt_symbol, Lane.BOUNDED))

    def on_order(self, order: OrderData) -> None:
        """Push an order."""
        self.on_event(EVENT_ORDER, order, order.vt_orderid)

    def on_trade(self, trade: TradeData) -> None:
        """Push a fill of ours."""
        self.on_event(EVENT_TRADE, trade, trade.vt_symbol)

    def on_position(self, position: PositionData) -> None:
        """Push a position."""
        self.on_event(EVENT_POSITION, position, position.vt_symbol)

    def on_account(self, account: AccountData) -> None:
        """Push an account."""
        self.on_event(EVENT_ACCOUNT, account, account.vt_accountid)

    def on_quote(self, quote: QuoteData) -> None:
        """Push a quote of ours."""
        self.on_event(EVENT_QUOTE, quote, quote.vt_symbol)

    def on_contract(self, contract: ContractData) -> None:
        """Push a contract."""
        self.on_event(EVENT_CONTRACT, contract)

    def on_log(self, entry: LogData) -> None:
        """Push a line for the people who watch."""
        self.on_event(EVENT_LOG, entry)

    def write_log(self, msg: str) -> None:
        """Push `msg` as a log line of this adapter."""
        self.on_log(LogData(self.adapter_name, msg, logging.INFO, time.time_ns()))
