"""What is told to other programs: one flat JSON object for each thing that happens. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

from foxtrot.app.screen import change_percent
from foxtrot.app.stop import Stop
from foxtrot.app.version import version
from foxtrot.model.events import Event
from foxtrot.model.health import ConnectionStatus, Health, StreamStatus
from foxtrot.model.objects import (
    AccountData,
    BarData,
    DepthData,
    LogData,
    MarketTradeData,
    OrderData,
    TickData,
    TradeData,
    utc,
)

Fields = dict[str, object]
EnvironmentOf = Callable[[str], str]
"""The environment of an adapter; empty for what is no adapter."""


def start(title: str) -> Fields:
    """The first line."""
    return {"event": "start", "program": f"foxtrot {title}", "version": version()}


def summary(health: Health, stop: Stop, *, ticks: int, unwritten: int, open_orders: int) -> Fields:
    """The last line."""
    engine = health.engine
    environments = [each.environment.value for each in health.adapters if each.environment]
    return {
        "event": "summary",
        "environment": "+".join(dict.fromkeys(environments)),
        "reason": stop.reason,
        "seconds": round(stop.running_s, 3),
        "ticks": ticks,
        "received": engine.received,
        "delivered": engine.delivered,
        "conflated": engine.conflated,
        "dropped": engine.dropped,
        "unwritten": unwritten,
        "handler_errors": engine.handler_errors,
        "open_orders": open_orders,
    }


def line(event: Event, environment_of: EnvironmentOf) -> Fields | None:
    """The object for an event; None for a kind that is not told."""
    data = event.data
    convert = _CONVERTERS.get(type(data))
    if convert is None:
        return None
    name, fields = convert(data)
    adapter = str(fields.get("adapter", ""))
    environment = environment_of(adapter)
    return {"event": name, **({"environment": environment} if environment else {}), **fields}


def _time(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _tick(tick: TickData) -> tuple[str, Fields]:
    change = change_percent(tick)
    return "tick", {
        "adapter": tick.adapter_name,
        "vt_symbol": tick.vt_symbol,
        "time": _time(tick.datetime),
        "received": _time(tick.localtime),
        "last": tick.last_price,
        "bid": tick.bid_price_1,
        "bid_volume": tick.bid_volume_1,
        "ask": tick.ask_price_1,
        "ask_volume": tick.ask_volume_1,
        "volume": tick.volume,
        "change_percent": None if change is None else round(change, 4),
    }


def _depth(depth: DepthData) -> tuple[str, Fields]:
    return "depth", {
        "adapter": depth.adapter_name,
        "vt_symbol": depth.vt_symbol,
        "time": _time(depth.datetime),
        "bids": depth.bids,
        "asks": depth.asks,
    }


def _trade(trade: MarketTradeData) -> tuple[str, Fields]:
    return "trade", {
        "adapter": trade.adapter_name,
        "vt_symbol": trade.vt_symbol,
        "time": _time(trade.datetime),
        "id": trade.tradeid,
        "price": trade.price,
        "volume": trade.volume,
        "direction": trade.direction.value,
    }


def _bar(bar: BarData) -> tuple[str, Fields]:
    return "bar", {
        "adapter": bar.adapter_name,
        "vt_symbol": bar.vt_symbol,
        "time": _time(bar.datetime),
        "interval": bar.interval.value if bar.interval else None,
        "open": bar.open_price,
        "high": bar.high_price,
        "low": bar.low_price,
        "close": bar.close_price,
        "volume": bar.volume,
        "closed": bar.closed,
    }


def _order(order: OrderData) -> tuple[str, Fields]:
    return "order", {
        "adapter": order.adapter_name,
        "vt_symbol": order.vt_symbol,
        "time": _time(order.datetime) if order.datetime else None,
        "orderid": order.orderid,
        "type": order.type.value,
        "direction": order.direction.value if order.direction else None,
        "price": order.price,
        "volume": order.volume,
        "traded": order.traded,
        "status": order.status.value,
        "reason": order.reason,
        "outcome": (order.extra or {}).get("outcome", "known"),
    }


def _fill(trade: TradeData) -> tuple[str, Fields]:
    return "fill", {
        "adapter": trade.adapter_name,
        "vt_symbol": trade.vt_symbol,
        "time": _time(trade.datetime) if trade.datetime else None,
        "id": trade.tradeid,
        "orderid": trade.orderid,
        "direction": trade.direction.value if trade.direction else None,
        "price": trade.price,
        "volume": trade.volume,
    }


def _account(account: AccountData) -> tuple[str, Fields]:
    return "account", {
        "adapter": account.adapter_name,
        "id": account.accountid,
        "balance": account.balance,
        "frozen": account.frozen,
    }


def _connection(status: ConnectionStatus) -> tuple[str, Fields]:
    return "connection", {
        "adapter": status.adapter_name,
        "time": _time(utc(status.since_ns)),
        "session": status.session,
        "state": status.state.value,
        "previous": status.previous.value,
        "reason": status.reason,
        "attempt": status.attempt,
        "delay_s": round(status.delay_s, 3),
    }


def _stream(status: StreamStatus) -> tuple[str, Fields]:
    return "stream", {
        "adapter": status.adapter_name,
        "time": _time(utc(status.since_ns)) if status.since_ns else None,
        "symbol": status.symbol,
        "exchange": status.exchange.value,
        "channel": status.channel.value,
        "detail": status.detail,
        "state": status.state.value,
        "mode": status.mode.value,
        "reason": status.reason,
    }


def _log(entry: LogData) -> tuple[str, Fields]:
    return "log", {
        "adapter": entry.adapter_name,
        "time": _time(entry.time),
        "text": entry.msg,
    }


_CONVERTERS: Mapping[type, Callable[..., tuple[str, Fields]]] = {
    TickData: _tick,
    DepthData: _depth,
    MarketTradeData: _trade,
    BarData: _bar,
    OrderData: _order,
    TradeData: _fill,
    AccountData: _account,
    ConnectionStatus: _connection,
    StreamStatus: _stream,
    LogData: _log,
}
