"""What the simulated TWS tells of accounts: positions, values, summaries and profit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from foxtrot.simulator import ib_order_payloads as wire
from foxtrot.simulator import ib_requests as asked
from foxtrot.simulator.accounts import Amount
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.ib_accounts import Holding, IbAccount, Values
from foxtrot.simulator.ib_connection import Connection
from foxtrot.simulator.ib_contracts import Universe
from foxtrot.simulator.ib_dispatch import Handlers, Room
from foxtrot.simulator.ib_limits import INVALID, text_of
from foxtrot.simulator.market import Market, Step


class Venue(Protocol):
    """What the account room needs of the gateway."""

    market: Market
    universe: Universe
    faults: FaultBoard

    def now_ms(self) -> int:
        """The venue's clock."""


class AccountRoom(Room):
    """Answers for positions, values, summaries and profit, and tells their subscribers.

    Args:
        venue: Whose customers these are.
        names: The accounts of the user who is logged in.
        cash: What each starts with, by currency.
    """

    def __init__(self, venue: Venue, names: Sequence[str], cash: Mapping[str, Amount]) -> None:
        self._venue, self._cash = venue, dict(cash)
        self.accounts = {name: self._opened(name) for name in names}
        self._positions: dict[int, Connection] = {}
        self._updates: dict[int, tuple[Connection, str]] = {}
        self._asked: dict[tuple[int, int], tuple[Connection, asked.Asked]] = {}
        self._told_s = 0

    def reset(self) -> None:
        """Every account is as it was in the beginning."""
        for name in self.accounts:
            self.accounts[name] = self._opened(name)

    def handlers(self) -> Handlers:
        """The requests about accounts."""
        return {
            asked.ReqPositions: self._ask_positions,
            asked.CancelPositions: self._end_positions,
            asked.ReqAccountUpdates: self._ask_updates,
            asked.ReqAccountUpdatesMulti: self._ask,
            asked.CancelAccountUpdatesMulti: self._end,
            asked.ReqAccountSummary: self._ask,
            asked.CancelAccountSummary: self._end,
            asked.ReqPnL: self._ask,
            asked.CancelPnL: self._end,
            asked.ReqPnLSingle: self._ask,
            asked.CancelPnLSingle: self._end,
        }

    def left(self, connection: Connection) -> None:
        """A connection is gone, and with it its subscriptions."""
        self._positions.pop(connection.number, None)
        self._updates.pop(connection.number, None)
        for key in [key for key in self._asked if key[0] == connection.number]:
            del self._asked[key]

    def step(self, step: Step) -> None:
        """The market moved: once a second, profits are told anew."""
        second = step.time_ms // 1_000
        if second == self._told_s:
            return
        self._told_s = second
        for connection, request in tuple(self._asked.values()):
            if isinstance(request, (asked.ReqPnL, asked.ReqPnLSingle)):
                self._tell(connection, request)

    def changed(self, account: IbAccount, name: str) -> None:
        """Tell of a position that has changed, and of what changes with it."""
        holding = account.holdings[name]
        for connection in tuple(self._positions.values()):
            connection.deliver(_position(account, holding))
        for connection, owner in tuple(self._updates.values()):
            if owner == account.name:
                connection.deliver(_portfolio(account, holding))
        self.revalued(account)

    def revalued(self, account: IbAccount) -> None:
        """Tell of the account's values, for example after a deposit."""
        for connection, owner in tuple(self._updates.values()):
            if owner == account.name:
                self._send_values(connection, account)
        for connection, request in tuple(self._asked.values()):
            self._tell(connection, request)

    def _opened(self, name: str) -> IbAccount:
        return IbAccount(name, self._cash, self._venue.universe, self._venue.market)

    def _ask_positions(self, connection: Connection, request: asked.ReqPositions) -> None:
        self._positions[connection.number] = connection
        if not self._lies(connection, request):
            for account in self.accounts.values():
                for holding in account.positions():
                    connection.deliver(_position(account, holding))
        connection.deliver(wire.positions_end())

    def _end_positions(self, connection: Connection, _: asked.CancelPositions) -> None:
        self._positions.pop(connection.number, None)

    def _ask_updates(self, connection: Connection, request: asked.ReqAccountUpdates) -> None:
        if not request.subscribe:
            self._updates.pop(connection.number, None)
            return
        account = self._named(connection, request, request.account)
        if account is None:
            return
        self._updates[connection.number] = (connection, account.name)
        if not self._lies(connection, request):
            self._send_values(connection, account)
            for holding in account.positions():
                connection.deliver(_portfolio(account, holding))
        connection.deliver(wire.account_end(account.name))

    def _lies(self, connection: Connection, request: asked.Request) -> bool:
        """Whether a fault makes this list empty."""
        path = connection.path
        return bool(self._venue.faults.take("empty_list", request=request.kind, path=path))

    def _ask(self, connection: Connection, request: asked.Asked) -> None:
        wanted = getattr(request, "account", "")
        if wanted and self._named(connection, request, wanted) is None:
            return
        self._asked[connection.number, request.req_id] = (connection, request)
        self._tell(connection, request)
        if isinstance(request, asked.ReqAccountSummary):
            connection.deliver(wire.summary_end(request.req_id))
        elif isinstance(request, asked.ReqAccountUpdatesMulti):
            connection.deliver(wire.account_end_of(request.req_id))

    def _end(self, connection: Connection, request: asked.Asked) -> None:
        self._asked.pop((connection.number, request.req_id), None)

    def _tell(self, connection: Connection, request: asked.Asked) -> None:
        """One answer to a question that stands."""
        number = request.req_id
        if isinstance(request, asked.ReqAccountSummary):
            for account in self.accounts.values():
                for row in _summary(account, request.tags):
                    connection.deliver(wire.summary(number, account.name, *row))
        elif isinstance(request, asked.ReqAccountUpdatesMulti):
            account = self._owner(request.account)
            for row in account.values():
                connection.deliver(wire.account_value_of(number, account.name, *row))
        elif isinstance(request, asked.ReqPnL):
            unrealized, realized = self._owner(request.account).profit_e8()
            connection.deliver(wire.pnl(number, unrealized + realized, unrealized, realized))
        elif isinstance(request, asked.ReqPnLSingle):
            self._tell_single(connection, request)

    def _tell_single(self, connection: Connection, request: asked.ReqPnLSingle) -> None:
        account = self._owner(request.account)
        for holding in account.holdings.values():
            if holding.contract.con_id == request.con_id:
                unrealized, realized = account.unrealized_e8(holding), holding.realized_e8
                profit = (unrealized + realized, unrealized, realized, account.value_e8(holding))
                quantity = holding.quantity_e8
                connection.deliver(wire.pnl_single(request.req_id, quantity, profit))

    def _send_values(self, connection: Connection, account: IbAccount) -> None:
        for key, value, currency in account.values():
            connection.deliver(wire.account_value(account.name, key, value, currency))
        connection.deliver(wire.account_time(self._venue.now_ms()))

    def _owner(self, name: str) -> IbAccount:
        return self.accounts.get(name) or next(iter(self.accounts.values()))

    def _named(self, connection: Connection, request: asked.Request, name: str) -> IbAccount | None:
        if name and name not in self.accounts:
            text = text_of(INVALID, f"Invalid account code '{name}'.")
            connection.error(request.error_id, INVALID, text)
            return None
        return self._owner(name)


def _position(account: IbAccount, holding: Holding) -> bytes:
    return wire.position(account.name, holding.row, holding.quantity_e8, holding.average_e8)


def _portfolio(account: IbAccount, holding: Holding) -> bytes:
    return wire.portfolio(
        account.name,
        holding.row,
        quantity_e8=holding.quantity_e8,
        price_e8=account.price_e8(holding.contract.name),
        value_e8=account.value_e8(holding),
        average_e8=holding.average_e8,
        unrealized_e8=account.unrealized_e8(holding),
        realized_e8=holding.realized_e8,
    )


def _summary(account: IbAccount, tags: str) -> Values:
    """The rows of the tags that were asked for; `$LEDGER` means the cash of each currency."""
    wanted = {tag.partition(":")[0] for tag in tags.split(",")}
    return [
        row
        for row in account.values()
        if row[0] in wanted or ("$LEDGER" in wanted and row[0] in ("CashBalance", "ExchangeRate"))
    ]
