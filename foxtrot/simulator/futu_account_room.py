"""The simulated Futu's accounts: which there are, what they hold, the lock, and who is told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol

from foxtrot.simulator import futu_order_payloads as payloads
from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.futu_accounts import CURRENCIES, AccountSpec, FutuAccount
from foxtrot.simulator.futu_connection import Connection
from foxtrot.simulator.futu_contracts import Universe
from foxtrot.simulator.futu_dispatch import Handler, Room
from foxtrot.simulator.futu_limits import Refused, Windows
from foxtrot.simulator.futu_order_reports import Reports
from foxtrot.simulator.futu_schema import Message, Proto
from foxtrot.simulator.market import Market

WRONG_PASSWORD = "解锁失败，交易密码错误"  # noqa: S105 - the words, not a password
NO_ACCOUNT = "账户不存在，或与交易环境、市场权限不匹配"


class Venue(Protocol):
    """What the account room needs of OpenD."""

    faults: FaultBoard
    windows: Windows
    market: Market
    universe: Universe


class AccountRoom(Room):
    """Answers for accounts, and keeps the lock that they share.

    Args:
        venue: Whose accounts they are.
        specs: As what they were opened.
        password: What unlocks trading.
    """

    def __init__(self, venue: Venue, specs: Sequence[AccountSpec], password: str) -> None:
        self._venue, self._specs = venue, tuple(specs)
        self.change_password(password)
        self.reports = Reports(venue)
        self.unlocked = False
        self.unlocks = 0
        """How often somebody tried to unlock it."""
        self.reset()

    def reset(self) -> None:
        """Every account is as it was in the beginning."""
        universe, market = self._venue.universe, self._venue.market
        self.accounts = {spec.acc_id: FutuAccount(spec, universe, market) for spec in self._specs}

    def change_password(self, password: str) -> None:
        """Unlock trading for who knows this one from now on."""
        self._key = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()

    def handlers(self) -> Mapping[Proto, Handler]:
        """See `Room`."""
        return {
            Proto.Trd_GetAccList: self._list,
            Proto.Trd_UnlockTrade: self._unlock,
            Proto.Trd_SubAccPush: self._subscribe,
            Proto.Trd_GetFunds: self._funds,
            Proto.Trd_GetPositionList: self._positions,
        }

    def left(self, connection: Connection) -> None:
        """A connection is gone, and with it its subscription."""
        self.reports.left(connection)

    def of(self, header: Message) -> FutuAccount:
        """The account that a `TrdHeader` names.

        Raises:
            Refused: There is none, or it is of another environment or market.
        """
        account = self.accounts.get(header.accID)
        if (
            account is None
            or account.spec.env != header.trdEnv
            or header.trdMarket not in account.spec.markets
        ):
            raise Refused(NO_ACCOUNT)
        return account

    def refreshed(self, account: FutuAccount, c2s: Message) -> None:
        """Count a list that is not to come from OpenD's memory.

        Raises:
            Refused: It is one too many.
        """
        if c2s.refreshCache:
            self._venue.windows.admit("orders", (c2s.DESCRIPTOR.full_name, account.spec.acc_id))

    def _list(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        if self._venue.faults.take("empty_list", request="managed_accounts"):
            return
        for account in self.accounts.values():
            payloads.account(s2c.accList.add(), account)

    def _unlock(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        if not c2s.unlock:
            self.unlocked = False
            return
        self.unlocks += 1
        self._venue.windows.admit("unlock")
        if c2s.pwdMD5 != self._key:
            raise Refused(WRONG_PASSWORD)
        self.unlocked = True

    def _subscribe(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        wanted = frozenset(c2s.accIDList)
        if not wanted <= self.accounts.keys():
            raise Refused(NO_ACCOUNT)
        self.reports.subscribe(connection, wanted)

    def _funds(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        account = self.of(c2s.header)
        self.refreshed(account, c2s)
        currency = account.currency
        if len(account.spec.markets) > 1:
            if c2s.currency not in CURRENCIES:
                raise Refused("综合账户必须指定货币种类")
            currency = CURRENCIES[c2s.currency]
        payloads.header(s2c.header, account, c2s.header.trdMarket)
        payloads.funds(s2c.funds, account, currency)

    def _positions(self, connection: Connection, c2s: Message, s2c: Message) -> None:
        account = self.of(c2s.header)
        self.refreshed(account, c2s)
        payloads.header(s2c.header, account, c2s.header.trdMarket)
        if self._venue.faults.take("empty_list", request="positions", path=connection.path):
            return
        conditions = c2s.filterConditions
        for holding in account.positions():
            contract = holding.contract
            if conditions.codeList and contract.code not in conditions.codeList:
                continue
            if conditions.filterMarket not in (0, account.spec.market_of(contract)):
                continue
            payloads.position(s2c.positionList.add(), account, holding)
