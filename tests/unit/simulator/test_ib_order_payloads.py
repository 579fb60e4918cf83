"""Messages about orders, as both SDKs' decoders read them at every server version."""

from __future__ import annotations

import datetime as dt

import pytest

from foxtrot.simulator import ib_order_payloads as wire
from foxtrot.simulator.accounts import Account, Order, Side, State, Ticket
from foxtrot.simulator.ib_contracts import Row
from foxtrot.simulator.ib_listings import contracts
from foxtrot.simulator.ib_orders import Execution, IbOrder, Terms
from foxtrot.simulator.listings import E8, to_e8
from tests.support.ib_trader import decoded, versions

TIME_MS = 1_795_271_472_345
TIME = dt.datetime(2026, 11, 21, 14, 31, 12, tzinfo=dt.UTC)
UNSET = 1.7976931348623157e308


def row(name: str = "AAPL") -> Row:
    """A contract at SMART, or where it is at home."""
    item = next(each for each in contracts(dt.date(2026, 11, 21)) if each.name == name)
    return Row(item, item.exchange)


def an_order(name: str = "AAPL", **fields: object) -> IbOrder:
    """A stop-limit order of which 4 of 10 are filled."""
    plain = {
        "perm_id": 77,
        "client_id": 3,
        "order_id": 9,
        "account": "DU1",
        "row": row(name),
        "side": Side.SELL,
        "ref": "ref \u00fc1",
        "terms": Terms(
            kind="STP LMT",
            quantity_e8=10 * E8,
            limit_e8=to_e8("150.25"),
            stop_e8=to_e8("151.5"),
            tif="GTC",
            outside_rth=True,
        ),
    }
    order = IbOrder(**{**plain, **fields})
    order.booked = Order(
        order_id=1,
        account=Account("DU1", {}),
        ticket=Ticket(symbol=name, side=Side.SELL),
        quantity_e8=10 * E8,
        created_ms=TIME_MS,
        updated_ms=TIME_MS,
        working_ms=TIME_MS,
        filled_e8=4 * E8,
        turnover_e8=to_e8("602"),
    )
    order.ended_ms = TIME_MS
    return order


def an_execution(order: IbOrder, **fields: object) -> Execution:
    """Its fill of 4."""
    plain = {
        "exec_id": "0001.02.01",
        "order": order,
        "exchange": "NASDAQ",
        "price_e8": to_e8("150.5"),
        "quantity_e8": 4 * E8,
        "total_e8": 4 * E8,
        "average_e8": to_e8("150.5"),
        "time_ms": TIME_MS,
        "maker": True,
        "commission_e8": to_e8("1.05"),
        "realized_e8": -3 * E8,
    }
    return Execution(**{**plain, **fields})


@pytest.fixture
async def loop() -> None:
    """One of the SDKs cannot be imported without."""


@pytest.mark.usefixtures("loop")
async def test_an_open_order_is_read_as_it_is_at_every_version(caplog) -> None:
    """Contract, terms, who placed it and its state arrive where they belong."""
    order = an_order()
    for version in versions():
        name, (order_id, contract, read, state) = decoded(
            wire.open_order(order, version), caplog, version
        )
        assert (name, order_id) == ("openOrder", 9)
        assert (contract.conId, contract.symbol, contract.exchange) == (265598, "AAPL", "SMART")
        assert (contract.localSymbol, contract.tradingClass) == ("AAPL", "NMS")
        assert (read.action, read.totalQuantity, read.orderType) == ("SELL", 10.0, "STP LMT")
        assert (read.lmtPrice, read.auxPrice, read.tif) == (150.25, 151.5, "GTC")
        assert (read.orderRef, read.account, read.outsideRth) == ("ref \u00fc1", "DU1", True)
        assert (read.orderId, read.clientId, read.permId) == (9, 3, 77)
        assert (read.whatIf, read.solicited, read.conditions) == (False, False, [])
        assert (read.duration, read.autoCancelParent) == (2147483647, False)
        assert (state.status, state.commission, state.warningText) == ("Submitted", UNSET, "")


@pytest.mark.usefixtures("loop")
async def test_a_completed_order_is_read_as_it_is_at_every_version(caplog) -> None:
    """It has its permId, its reference and what was filled, and no id of a client's."""
    order = an_order()
    order.booked.state = State.CANCELED
    for version in versions():
        name, (contract, read, state) = decoded(
            wire.completed_order(order, version), caplog, version
        )
        assert (name, contract.conId, contract.exchange) == ("completedOrder", 265598, "SMART")
        assert (read.permId, read.orderRef, read.filledQuantity) == (77, "ref \u00fc1", 4.0)
        assert (read.orderId, read.clientId, read.parentPermId) == (0, 0, 0)
        assert (read.lmtPrice, read.auxPrice, read.totalQuantity) == (150.25, 151.5, 10.0)
        assert (state.status, state.completedStatus) == ("Cancelled", "Cancelled by Trader")
        assert state.completedTime == "20261121 09:31:12 US/Eastern"


@pytest.mark.usefixtures("loop")
async def test_a_fill_is_read_as_it_is_at_every_version(caplog) -> None:
    """With the second of TWS's own zone, and all that names its order."""
    execution = an_execution(an_order())
    for version in versions():
        name, (req_id, contract, read) = decoded(
            wire.exec_details(execution, version, req_id=5), caplog, version
        )
        assert (name, req_id, contract.conId) == ("execDetails", 5, 265598)
        assert (read.execId, read.time, read.acctNumber) == ("0001.02.01", TIME, "DU1")
        assert (read.side, read.shares, read.price) == ("SLD", 4.0, 150.5)
        assert (read.permId, read.clientId, read.orderId) == (77, 3, 9)
        assert (read.cumQty, read.avgPrice, read.lastLiquidity) == (4.0, 150.5, 1)
        assert (read.orderRef, read.exchange) == ("ref \u00fc1", "NASDAQ")


@pytest.mark.usefixtures("loop")
async def test_status_and_cost_are_read_as_they_are(caplog) -> None:
    """What closes nothing realizes nothing, which is not the same as zero."""
    order = an_order()
    order.executions.append(an_execution(order))
    status = ("orderStatus", (9, "Submitted", 4.0, 6.0, 150.5, 77, 0, 150.5, 3, "", 0.0))
    assert decoded(wire.order_status(order), caplog) == status
    _, (report,) = decoded(wire.commission_report(an_execution(order)), caplog)
    assert (report.execId, report.commission, report.currency) == ("0001.02.01", 1.05, "USD")
    assert report.realizedPNL == -3.0
    _, (opening,) = decoded(wire.commission_report(an_execution(order, realized_e8=None)), caplog)
    assert opening.realizedPNL == UNSET
    for version in (157, 166):
        message = wire.order_error(9, 202, "Order Canceled", version)
        assert decoded(message, caplog, version) == ("error", (9, 202, "Order Canceled", ""))


@pytest.mark.usefixtures("loop")
async def test_positions_and_values_are_read_as_they_are(caplog) -> None:
    """A position's contract has no exchange, as TWS has it; a portfolio's has the primary one."""
    future = next(each.name for each in contracts(dt.date(2026, 11, 21)) if each.symbol == "ES")
    name, (account, contract, quantity, cost) = decoded(
        wire.position("DU1", row(future), -2 * E8, to_e8("297500.5")), caplog
    )
    assert (name, account, quantity, cost) == ("position", "DU1", -2.0, 297500.5)
    assert (contract.secType, contract.exchange, contract.multiplier) == ("FUT", "", "50")
    _, (contract, *amounts) = decoded(
        wire.portfolio(
            "DU1",
            row(),
            quantity_e8=E8,
            price_e8=2 * E8,
            value_e8=3 * E8,
            average_e8=4 * E8,
            unrealized_e8=-5 * E8,
            realized_e8=6 * E8,
        ),
        caplog,
    )
    assert (contract.primaryExchange, amounts) == ("NASDAQ", [1, 2, 3, 4, -5, 6, "DU1"])
    value = wire.account_value("DU1", "NetLiquidation", "1.5", "USD")
    told = ("updateAccountValue", ("NetLiquidation", "1.5", "USD", "DU1"))
    assert decoded(value, caplog) == told
    row_of = wire.account_value_of(4, "DU1", "NetLiquidation", "1.5", "USD")
    told = ("accountUpdateMulti", (4, "DU1", "", "NetLiquidation", "1.5", "USD"))
    assert decoded(row_of, caplog) == told
    assert decoded(wire.account_time(TIME_MS), caplog) == ("updateAccountTime", ("09:31",))
    profit = wire.pnl_single(4, E8, (E8, 2 * E8, 3 * E8, 4 * E8))
    assert decoded(profit, caplog) == ("pnlSingle", (4, 1.0, 1.0, 2.0, 3.0, 4.0))


def test_amounts_are_written_exactly() -> None:
    """Down to the last of eight decimals, and below zero."""
    assert [wire.plain(value) for value in (0, 1, -150, E8, -3 * E8 // 2)] == [
        "0",
        "0.00000001",
        "-0.0000015",
        "1",
        "-1.5",
    ]


def test_the_layout_has_as_many_fields_as_tws_sends() -> None:
    """At version 176: 136 for a plain order, 101 completed, 12, 31 and 8; a fill grows at 178."""
    order = an_order()
    messages = {
        136: wire.open_order(order, 176),
        101: wire.completed_order(order, 176),
        12: wire.order_status(order),
        31: wire.exec_details(an_execution(order), 176),
        8: wire.commission_report(an_execution(order)),
        16: wire.position("DU1", row(), E8, E8),
    }
    assert {count: message.count(b"\0", 4) for count, message in messages.items()} == {
        count: count for count in messages
    }
    newer = [wire.exec_details(an_execution(order), version) for version in (177, 178)]
    assert [message.count(b"\0", 4) for message in newer] == [31, 32]
