"""Contracts are looked up once, many at a time, and one that does not exist costs no other."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from foxtrot.adapter.futu.contracts import Contracts
from foxtrot.adapter.futu.instruments import Instrument, instrument
from foxtrot.adapter.futu.schema import Message, Proto
from foxtrot.adapter.futu.symbols import QotMarket, Security
from foxtrot.errors import PermissionDenied, UnknownSymbol, VenueError
from foxtrot.model.constants import Exchange, Product
from foxtrot.model.objects import ContractData
from foxtrot.simulator.futu import SimulatedFutu
from tests.support.futu_line import opened
from tests.support.futu_venue import running_futu

TENCENT, APPLE = ("00700", Exchange.SEHK), ("AAPL", Exchange.NASDAQ)
NOPE = ("NOPE", Exchange.SMART)


@pytest.fixture
def venue() -> Iterator[SimulatedFutu]:
    """An OpenD."""
    with running_futu() as opend:
        yield opend


async def test_a_contract_has_lot_and_step_and_is_told_once(venue: SimulatedFutu) -> None:
    """Lots from OpenD's description, the price step from a snapshot; asked for once."""
    told: list[ContractData] = []
    contracts = Contracts("FUTU", told.append)
    async with opened(venue.port) as client:
        found = await contracts.resolve(client, *TENCENT)
        asked = client.received
        assert await contracts.resolve(client, *TENCENT) is found
        assert client.received == asked
    assert (found.lot_size, found.price_step, found.trd_sec_market) == (100, 0.5, 1)
    assert [(each.vt_symbol, each.min_volume, each.pricetick) for each in told] == [
        ("00700.SEHK", 100.0, 0.5)
    ]
    assert contracts.get(*TENCENT) is found
    assert found.data.least_pricetick == 0.001


async def test_one_unknown_name_costs_no_other(venue: SimulatedFutu) -> None:
    """OpenD refuses a whole list for one bad code; each good one is found all the same."""
    contracts = Contracts("FUTU")
    bad = ("700", Exchange.SEHK)
    async with opened(venue.port) as client:
        answers = await contracts.resolve_all(client, [TENCENT, NOPE, APPLE, bad, TENCENT])
    assert list(answers) == [TENCENT, NOPE, APPLE, bad]
    assert isinstance(answers[TENCENT], Instrument)
    assert isinstance(answers[APPLE], Instrument)
    assert isinstance(answers[NOPE], UnknownSymbol)
    assert isinstance(answers[bad], UnknownSymbol)


async def test_who_asks_at_once_is_answered_by_one_question(venue: SimulatedFutu) -> None:
    """Ten who want the same contract cause one lookup: a description and a snapshot."""
    contracts = Contracts("FUTU")
    async with opened(venue.port) as client:
        before = client.received
        found = await asyncio.gather(*(contracts.resolve(client, *APPLE) for _ in range(10)))
        assert client.received == before + 2
    assert len(set(map(id, found))) == 1


async def test_an_unknown_name_comes_with_the_nearest(venue: SimulatedFutu) -> None:
    """The stocks of the market are asked for once; where OpenD does not tell, there is no hint."""
    contracts = Contracts("FUTU")
    async with opened(venue.port) as client:
        for code, hint in (("APPL", r"did you mean AAPL \(Apple\)\?"), ("NVDIA", "mean NVDA")):
            asked = client.received
            with pytest.raises(UnknownSymbol, match=hint):
                await contracts.resolve(client, code, Exchange.SMART)
        assert client.received == asked + 1
        venue.faults.inject("error_ack", request="contract_details", body="未知股票", count=2)
        with pytest.raises(UnknownSymbol) as caught:
            await contracts.resolve(client, "00701", Exchange.SEHK)
        assert "mean" not in str(caught.value)


async def test_an_unknown_name_is_an_error(venue: SimulatedFutu) -> None:
    """Asked for alone, it raises, and names what is not traded where."""
    async with opened(venue.port) as client:
        with pytest.raises(UnknownSymbol, match="'NOPE' is not traded at SMART"):
            await Contracts("FUTU").resolve(client, *NOPE)


async def test_a_market_without_rights_costs_no_other_its_price_steps(
    venue: SimulatedFutu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may not look at the US is told the steps of Hong Kong all the same."""
    async with opened(venue.port) as client:
        ask = client.ask

        async def asked(proto: Proto, c2s: Message, **named: object) -> Message:
            if (
                proto is Proto.Qot_GetSecuritySnapshot
                and c2s.securityList[-1].market == QotMarket.US
            ):
                raise PermissionDenied("FUTU", "-1", "无权限")
            return await ask(proto, c2s)

        monkeypatch.setattr(client, "ask", asked)
        found = await Contracts("FUTU").resolve_all(client, [TENCENT, APPLE])
    steps = {name: each.price_step for name, each in found.items() if isinstance(each, Instrument)}
    assert steps == {TENCENT: 0.5, APPLE: 0.01}


async def test_no_turn_for_the_question_is_no_verdict(venue: SimulatedFutu) -> None:
    """OpenD that says "too often" has not said that there is no such contract."""
    contracts = Contracts("FUTU")
    async with opened(venue.port) as client:
        venue.faults.inject("error_ack", request="contract_details", body="频率太高", count=1)
        with pytest.raises(VenueError) as caught:
            await contracts.resolve(client, *TENCENT)
        assert not isinstance(caught.value, UnknownSymbol)
        await contracts.resolve(client, *TENCENT)


async def test_pushes_are_named_as_they_were_asked_for(venue: SimulatedFutu) -> None:
    """A push of a contract bears the name it was first looked up by, else one by its market."""
    contracts = Contracts("FUTU")
    assert contracts.name_of(11, "AAPL") == ("AAPL", Exchange.SMART)
    async with opened(venue.port) as client:
        await contracts.resolve(client, *APPLE)
        fund = await contracts.resolve(client, "SPY", Exchange.SMART)
    assert contracts.name_of(11, "AAPL") == APPLE
    assert contracts.name_of(22, "000002") == ("000002", Exchange.SZSE)
    assert contracts.name_of(99, "X") == ("X", Exchange.GLOBAL)
    assert (fund.data.product, fund.listed_at) == (Product.ETF, Exchange.AMEX)


@pytest.mark.parametrize("step", [0.0, -0.5, math.nan, math.inf])
def test_a_step_that_no_price_can_have_is_not_told(step: float) -> None:
    """An order would be refused for it whatever its price; a cent is the usual step."""
    static = SimpleNamespace(lotSize=0, secType=3, name="", exchType=1)
    found = instrument("FUTU", TENCENT, Security(1, "00700"), static, step, None)
    assert (found.data.pricetick, found.data.min_volume) == (0.01, 1.0)


def test_an_option_is_traded_by_the_piece() -> None:
    """What OpenD calls its lot is the multiplier: an order for one contract is one contract."""
    static = SimpleNamespace(lotSize=100, secType=8, name="", exchType=5)
    name = ("AAPL261218C200000", Exchange.SMART)
    found = instrument("FUTU", name, Security(11, name[0]), static, 0.01, None)
    assert (found.data.min_volume, found.data.volume_step, found.lot_size) == (1.0, 1.0, 1)
    assert (found.data.size, found.data.product) == (100.0, Product.OPTION)
