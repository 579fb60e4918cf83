"""Futu's unmodified SDK, for tests of the simulated OpenD."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import queue
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from foxtrot.adapter.futu.sdk import sdk

DEADLINE_S = 5.0
"""Longest wait for anything OpenD answers or tells at once."""


@functools.cache
def load() -> ModuleType:
    """The SDK, imported as the adapter does it, and silent."""
    sdk()
    logger = importlib.import_module("futu.common.ft_logger").logger
    logger.file_level = logger.console_level = logging.CRITICAL + 1
    return importlib.import_module("futu")


@contextlib.contextmanager
def _opened(make: Callable[[], Any]) -> Iterator[Any]:
    """A context, closed at the end; the SDK's network thread lives as long as the process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = make()
    context.set_sync_query_connect_timeout(0)
    try:
        yield context
    finally:
        context.close()


class Trader:
    """A trade context, and what it is told. Every call raises what the SDK returns as an error.

    Args:
        context: The SDK's object.
    """

    def __init__(self, context: Any) -> None:
        self.context = context
        self.told: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """What a method of the context returns.

        Raises:
            SdkError: It returned an error.
        """
        code, data = getattr(self.context, name)(*args, **kwargs)
        if code != 0:
            raise SdkError(data)
        return data

    def rows(self, name: str, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        """The rows of the table that a method returns."""
        rows: list[dict[str, Any]] = self.call(name, *args, **kwargs).to_dict("records")
        return rows

    def next(self) -> tuple[str, dict[str, Any]]:
        """What it was told next: `order` or `deal`, and the row."""
        return self.told.get(timeout=DEADLINE_S)

    def orders_until(self, status: str) -> list[str]:
        """The statuses of the orders that it is told of, to the first of this status."""
        seen: list[str] = []
        while status not in seen:
            kind, row = self.next()
            if kind == "order":
                seen.append(row["order_status"])
        return seen


class SdkError(Exception):
    """What the SDK returned instead of an answer."""


@contextlib.contextmanager
def trading(port: int, market: str = "HK") -> Iterator[Trader]:
    """A trade context with its handlers set, connected; closed at the end."""
    futu = load()
    with _opened(lambda: futu.OpenSecTradeContext(market, "127.0.0.1", port)) as context:
        trader = Trader(context)
        _listen(trader, futu.TradeOrderHandlerBase, "order")
        _listen(trader, futu.TradeDealHandlerBase, "deal")
        yield trader


@contextlib.contextmanager
def quoting(port: int, rsa_file: Path | None = None) -> Iterator[Any]:
    """A quote context, connected; encrypted with the key in a file, if there is one."""
    futu = load()
    futu.SysConfig.set_init_rsa_file(rsa_file or "")
    try:
        encrypted = rsa_file is not None
        make = partial(futu.OpenQuoteContext, "127.0.0.1", port, is_encrypt=encrypted)
        with _opened(make) as context:
            yield context
    finally:
        futu.SysConfig.set_init_rsa_file("")


def listening(context: Any) -> queue.SimpleQueue[tuple[str, Any]]:
    """What a quote context is told from now on: quote, book, print or bar, and the SDK's data."""
    futu = load()
    told: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    for kind, base in (
        ("quote", futu.StockQuoteHandlerBase),
        ("book", futu.OrderBookHandlerBase),
        ("print", futu.TickerHandlerBase),
        ("bar", futu.CurKlineHandlerBase),
    ):
        context.set_handler(_teller(base, kind, told))
    return told


def _teller(base: Any, kind: str, told: queue.SimpleQueue[tuple[str, Any]]) -> Any:
    class Handler(base):  # type: ignore[misc]
        def on_recv_rsp(self, rsp_pb: Any) -> tuple[int, Any]:
            code, data = super().on_recv_rsp(rsp_pb)
            told.put((kind, data))
            return code, data

    return Handler()


def _listen(trader: Trader, base: Any, kind: str) -> None:
    class Handler(base):  # type: ignore[misc]
        def on_recv_rsp(self, rsp_pb: Any) -> tuple[int, Any]:
            code, table = super().on_recv_rsp(rsp_pb)
            for row in table.to_dict("records"):
                trader.told.put((kind, row))
            return code, table

    trader.context.set_handler(Handler())
