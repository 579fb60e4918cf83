"""Orders and fills to write down, and what a journal's file looks like after a kill."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from foxtrot.execution.journal import Journal
from foxtrot.execution.reports import FillReport, OrderIntent, OrderRecord, OrderState
from foxtrot.model.constants import Direction, Exchange, OrderType
from foxtrot.model.requests import OrderRequest

Opener = Callable[..., Journal]
"""Opens the journal of an account, "main" by default; takes the options of `Journal.open`."""

TIMEOUT_S = 20


def run(code: str, *arguments: str) -> list[str]:
    """The lines that `code` prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT_S,
    )
    return done.stdout.splitlines()


def intent(orderid: str, *, symbol: str = "BTCUSDT", created_ns: int = 1) -> OrderIntent:
    """An order for half a bitcoin."""
    request = OrderRequest(
        symbol, Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 0.5, 100.25, reference="toy"
    )
    return OrderIntent(orderid, request, created_ns)


def intend(journal: Journal, *, symbol: str = "BTCUSDT", created_ns: int = 1) -> OrderIntent:
    """Write down such an order under a new id."""
    order = intent(journal.next_orderid(), symbol=symbol, created_ns=created_ns)
    journal.intend(order)
    return order


def outcome(order: OrderIntent, state: OrderState, *, updated_ns: int = 2) -> OrderRecord:
    """What became of `order`."""
    return OrderRecord(order, state, updated_ns, venue_id="8", reason="as the venue said")


def fill(orderid: str, number: int, *, symbol: str = "BTCUSDT") -> FillReport:
    """Fill `number` of an order; its venue time is `number` too."""
    return FillReport(
        str(number),
        "8",
        orderid,
        symbol,
        Exchange.BINANCE,
        Direction.LONG,
        Decimal("100.10"),
        Decimal("0.1"),
        number,
    )


def as_after_a_kill(journal: Journal, directory: Path) -> Path:
    """Copy the files of an open journal to another data directory, as a kill would leave them."""
    target = directory / "journal"
    target.mkdir(parents=True, exist_ok=True)
    for source in journal.path.parent.glob(f"{journal.path.name}*"):
        shutil.copy(source, target)
    return target / journal.path.name
