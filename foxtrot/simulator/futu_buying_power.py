"""How much of a security an account of the simulated Futu could trade at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from foxtrot.simulator import futu_order_payloads as payloads
from foxtrot.simulator.futu_account_room import AccountRoom
from foxtrot.simulator.futu_accounts import FutuAccount, base_e8
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_contracts import FutuContract, Universe
from foxtrot.simulator.futu_dispatch import Handler, Room
from foxtrot.simulator.futu_order_room import OrderRoom
from foxtrot.simulator.futu_schema import Message, Proto
from foxtrot.simulator.futu_tickets import contract_of, limit_e8
from foxtrot.simulator.listings import E8


class Venue(Protocol):
    """What the room needs of OpenD."""

    universe: Universe

    def wake(self, symbol: str) -> None:
        """Bring a sleeping symbol to life."""


class BuyingPowerRoom(Room):
    """Answers what could be bought and sold, in whole lots.

    Args:
        venue: Where.
        orders: What is claimed already; an order that is to be changed claims nothing.
        accounts: Whose power it is.
    """

    def __init__(self, venue: Venue, orders: OrderRoom, accounts: AccountRoom) -> None:
        self._venue, self._orders, self._accounts = venue, orders, accounts

    def handlers(self) -> Mapping[Proto, Handler]:
        """See `Room`."""
        return {Proto.Trd_GetMaxTrdQtys: self._tell}

    def _tell(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        account = self._accounts.of(c2s.header)
        payloads.header(s2c.header, account, c2s.header.trdMarket)
        contract = contract_of(self._venue.universe, account.spec, c2s)
        self._venue.wake(contract.name)
        price_e8 = limit_e8(contract, c2s) if c2s.price else account.price_e8(contract.name)
        changed = self._orders.named(account, c2s) if c2s.orderIDEx or c2s.orderID else None
        booked = changed.booked if changed is not None else None
        cash_e8, power_e8 = account.power_e8(booked)
        held, free = _position(account, contract)
        most = s2c.maxTrdQtys
        most.maxCashBuy = _lots(contract, cash_e8, price_e8)
        most.maxCashAndMarginBuy = most.maxSellShort = _lots(contract, power_e8, price_e8)
        most.maxPositionSell = free if held > 0 else 0
        most.maxBuyBack = free if held < 0 else 0


def _position(account: FutuAccount, contract: FutuContract) -> tuple[float, float]:
    """What is held, and how much of that no open order claims."""
    holding = account.holdings.get(contract.name)
    if holding is None:
        return 0.0, 0.0
    return holding.quantity_e8 / E8, account.can_sell_e8(holding) / E8


def _lots(contract: FutuContract, money_e8: int, price_e8: int) -> float:
    """How many shares an amount of the base currency pays for."""
    in_base_e8 = base_e8(contract.place.asset, price_e8)
    return float(money_e8 // (in_base_e8 * contract.lot_size) * contract.lot_size)
