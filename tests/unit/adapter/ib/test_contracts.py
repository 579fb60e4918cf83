"""Contracts: looked up once, shared, named without ambiguity, and refused in words."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from foxtrot.adapter.ib.answers import REFUSAL_KEPT_S
from foxtrot.adapter.ib.contracts import AT_ONCE, Contracts
from foxtrot.adapter.ib.instruments import Instrument, RawDetails
from foxtrot.errors import (
    AmbiguousSymbol,
    ConnectionClosed,
    UnknownSymbol,
    VenueError,
    VenueUnavailable,
)
from foxtrot.model.constants import Exchange
from foxtrot.model.objects import ContractData
from tests.support.ib_answers import Scripted, contract, details
from tests.support.virtual_time import VirtualLoop, run_virtually

AAPL = "AAPL-USD-STK"


class Book:
    """IB's book of contracts; the rows for each symbol, and how long an answer takes."""

    def __init__(self, **rows: list[RawDetails]) -> None:
        self.rows, self.trouble, self.busy, self.most = rows, list[Exception](), 0, 0
        self.samples: dict[str, list[object]] = {}
        self.script = Scripted(
            {"reqContractDetails": self.details, "reqMatchingSymbols": self.matches}
        )
        self.client = self.script.client

    async def details(self, wanted: object) -> list[object]:
        """A tenth of a second later, what fits; error 200 if nothing does."""
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await asyncio.sleep(0.1)
        finally:
            self.busy -= 1
        if self.trouble:
            raise self.trouble.pop(0)
        key = getattr(wanted, "symbol", "") or f"id{getattr(wanted, 'conId', 0)}"
        if key not in self.rows:
            raise UnknownSymbol("IB", "200", "No security definition has been found")
        return list[object](self.rows[key])

    async def matches(self, pattern: str) -> list[object]:
        """What the search finds."""
        return [self.samples.get(pattern, [])]

    @property
    def questions(self) -> int:
        """How often details were asked for."""
        return self.script.count("reqContractDetails")


def aapl() -> Book:
    """A book with one stock."""
    return Book(AAPL=[details(265598, AAPL)], id265598=[details(265598, AAPL)])


async def test_many_askers_share_one_question() -> None:
    """A hundred subscriptions to a symbol cost one message, and later ones none."""
    book, told = aapl(), list[ContractData]()
    contracts = Contracts("IB", told=told.append)
    asking = [contracts.resolve(book.client, AAPL, Exchange.SMART) for _ in range(100)]
    found = await asyncio.gather(*asking)
    assert await contracts.resolve(book.client, AAPL, Exchange.SMART) is found[0]
    assert all(each is found[0] for each in found)
    assert book.questions == 1
    assert [data.vt_symbol for data in told] == [f"{AAPL}.SMART"]
    assert contracts.get(f"{AAPL}.SMART") is found[0]


async def test_who_asks_first_may_leave() -> None:
    """If the first asker is cancelled, the second gets his answer on his own connection."""
    first, second, contracts = aapl(), aapl(), Contracts("IB")
    leaving = asyncio.ensure_future(contracts.resolve(first.client, AAPL, Exchange.SMART))
    staying = asyncio.ensure_future(contracts.resolve(second.client, AAPL, Exchange.SMART))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).con_id == 265598
    assert (first.questions, second.questions) == (1, 1)
    with contextlib.suppress(asyncio.CancelledError):
        await leaving


async def test_who_waits_with_others_may_leave() -> None:
    """A waiting asker who is cancelled takes nobody's answer along."""
    book, contracts = aapl(), Contracts("IB")
    asking = [
        asyncio.ensure_future(contracts.resolve(book.client, AAPL, Exchange.SMART))
        for _ in range(3)
    ]
    await asyncio.sleep(0)
    asking[1].cancel()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(each) for each in outcomes] == [Instrument, asyncio.CancelledError, Instrument]
    assert book.questions == 1


async def test_a_lost_connection_is_nobody_elses_trouble() -> None:
    """A line that drops fails its own asker; who waited with him asks on a line that lives."""
    dead, alive, contracts = aapl(), aapl(), Contracts("IB")
    dead.trouble.append(ConnectionClosed(1006))
    one, two = await asyncio.gather(
        contracts.resolve(dead.client, AAPL, Exchange.SMART),
        contracts.resolve(alive.client, AAPL, Exchange.SMART),
        return_exceptions=True,
    )
    assert isinstance(one, ConnectionClosed)
    assert isinstance(two, Instrument)


def test_a_refusal_is_kept_for_seconds_only() -> None:
    """A storm of the same mistake is one question; a contract listed later is found."""

    async def play() -> None:
        book, contracts = Book(), Contracts("IB")
        for _ in range(10):
            with pytest.raises(UnknownSymbol):
                await contracts.resolve(book.client, AAPL, Exchange.SMART)
        assert book.questions == 1
        await asyncio.sleep(REFUSAL_KEPT_S)
        book.rows["AAPL"] = [details(265598, AAPL)]
        assert (await contracts.resolve(book.client, AAPL, Exchange.SMART)).con_id == 265598

    run_virtually(play(), VirtualLoop())


def test_a_misspelt_symbol_comes_with_what_was_meant() -> None:
    """The error names what the search finds, of the same kind first."""

    async def play() -> None:
        book, contracts = Book(), Contracts("IB")
        samples = [contract(1, "AAPL-USD-IND", "CBOE"), contract(265598, AAPL, "")]
        book.samples["AAPLE"[:-1]] = [_Sample(each) for each in samples]
        with pytest.raises(UnknownSymbol, match=r"did you mean AAPL-USD-STK.SMART\?"):
            await contracts.resolve(book.client, "AAPLE-USD-STK", Exchange.SMART)

    run_virtually(play(), VirtualLoop())


async def test_a_month_without_a_future_comes_with_those_that_have_one() -> None:
    """The next months are named, as they can be ordered; expired ones are not."""
    listed = [f"ES-{day}-USD-FUT" for day in ("20270319", "20260918", "20261218")]
    rows = [details(number, each, "CME") for number, each in enumerate(listed, 1)]
    book, contracts = Book(ES=rows), Contracts("IB")
    fits = book.details

    async def none_this_month(wanted: object) -> list[object]:
        expiry = getattr(wanted, "lastTradeDateOrContractMonth", "")
        return await fits(wanted) if not expiry else []

    book.script.answers["reqContractDetails"] = none_this_month
    meant = r"did you mean ES-20261218-USD-FUT.CME, ES-20270319-USD-FUT.CME\?"
    with pytest.raises(UnknownSymbol, match=meant):
        await contracts.resolve(book.client, "ES-202611-USD-FUT", Exchange.CME)


async def test_a_strike_without_an_option_comes_with_the_nearest() -> None:
    """Of the same day and right, as they can be ordered."""
    listed = [f"AAPL-20261218-C-{strike}-100-USD-OPT" for strike in (150, 210, 195)]
    rows = [details(number, each) for number, each in enumerate(listed, 1)]
    book, contracts = Book(AAPL=rows), Contracts("IB")
    fits = book.details

    async def none_at_it(wanted: object) -> list[object]:
        return [] if getattr(wanted, "strike", 0.0) else await fits(wanted)

    book.script.answers["reqContractDetails"] = none_at_it
    meant = "did you mean AAPL-20261218-C-195-100-USD-OPT.SMART, AAPL-20261218-C-210-"
    with pytest.raises(UnknownSymbol, match=meant):
        await contracts.resolve(book.client, "AAPL-20261218-C-200-100-USD-OPT", Exchange.SMART)


async def test_a_misspelt_type_comes_with_what_is_known() -> None:
    """Without a question, the contracts that were looked up give advice."""
    book, contracts = aapl(), Contracts("IB")
    await contracts.resolve(book.client, AAPL, Exchange.SMART)
    with pytest.raises(UnknownSymbol, match=r"did you mean AAPL-USD-STK.SMART\?"):
        await contracts.resolve(book.client, "AAPL-USD-STOCK", Exchange.SMART)
    assert book.questions == 1


class _Sample:
    """One row of an answer to a search."""

    def __init__(self, found: object) -> None:
        self.contract, self.derivativeSecTypes = found, ["OPT"]


@pytest.mark.parametrize(
    ("symbol", "exchange", "words"),
    [
        ("AAPL-USD-STOCK", Exchange.SMART, "type"),
        ("AAPL", Exchange.SMART, "such as 265598"),
        (AAPL, Exchange.BINANCE, "no exchange of Interactive Brokers"),
    ],
)
async def test_what_cannot_be_a_contract_is_not_asked_for(
    symbol: str, exchange: Exchange, words: str
) -> None:
    """A symbol that cannot be read is refused at once, and the text says which part is wrong."""
    book = aapl()
    with pytest.raises(UnknownSymbol, match=words):
        await Contracts("IB").resolve(book.client, symbol, exchange)
    assert book.questions == 0


async def test_an_ambiguous_symbol_lists_what_can_be_named() -> None:
    """Two contracts of a month are both shown, and each can be had by the name that is shown."""
    big = details(1001, "SI-20261229-5000-USD-FUT", "COMEX")
    small = details(1002, "SI-20261229-1000-USD-FUT", "COMEX", tradingClass="SIL")
    book, contracts = Book(SI=[big, small], id1002=[small]), Contracts("IB")
    with pytest.raises(AmbiguousSymbol) as caught:
        await contracts.resolve(book.client, "SI-202612-USD-FUT", Exchange.COMEX)
    assert caught.value.candidates == (
        "1001.COMEX (SI FUT 20261229 USD at COMEX times 5000)",
        "1002.COMEX (SI FUT 20261229 USD at COMEX times 1000 class SIL)",
    )
    found = await contracts.resolve(book.client, "1002", Exchange.COMEX)
    assert (found.vt_symbol, found.multiplier) == ("1002.COMEX", 1000.0)


async def test_a_contract_of_many_exchanges_is_not_ambiguous() -> None:
    """Rows of the same conId are one contract."""
    rows = [details(265598, AAPL, place) for place in ("SMART", "NASDAQ", "ARCA")]
    found = await Contracts("IB").resolve(Book(AAPL=rows).client, AAPL, Exchange.SMART)
    assert (found.con_id, found.contract.exchange) == (265598, "SMART")


async def test_other_troubles_are_not_called_unknown() -> None:
    """A question that nobody answered says nothing of the symbol."""
    book = aapl()
    book.trouble.append(VenueUnavailable("IB", "", "contractDetails was not answered"))
    with pytest.raises(VenueUnavailable):
        await Contracts("IB").resolve(book.client, AAPL, Exchange.SMART)


async def test_pushes_are_named_as_the_user_names_them() -> None:
    """A position has the symbol that somebody subscribed to, and the canonical one otherwise."""
    book, contracts = aapl(), Contracts("IB")
    pushed = contract(265598, AAPL, "")
    assert contracts.name_of(pushed) == (AAPL, Exchange.SMART)
    await contracts.resolve(book.client, "265598", Exchange.SMART)
    await contracts.resolve(book.client, AAPL, Exchange.NASDAQ)
    assert contracts.name_of(pushed) == ("265598", Exchange.SMART)
    routed = contract(265598, AAPL, "NASDAQ")
    assert contracts.name_of(routed) == (AAPL, Exchange.NASDAQ)


async def test_a_name_never_means_two_contracts() -> None:
    """Namesakes of another trading class, or of another listing, get names of their own."""
    contracts = Contracts("IB")
    pushes = [
        contract(1, "SPX-20261218-C-6000-100-USD-OPT"),
        contract(2, "SPX-20261218-C-6000-100-USD-OPT", tradingClass="SPXW"),
        contract(3, "SI-20261229-5000-USD-FUT", "COMEX"),
        contract(4, "SI-20261229-1000-USD-FUT", "COMEX", tradingClass="SIL"),
        contract(5, "ABC-USD-STK"),
        contract(6, "ABC-USD-STK"),
    ]
    named = [contracts.name_of(each)[0] for each in pushes]
    assert named == [
        "SPX-20261218-C-6000-100-USD-OPT",
        "2",
        "SI-20261229-USD-FUT",
        "SI-20261229-1000-USD-FUT",
        "ABC-USD-STK",
        "6",
    ]
    assert [contracts.name_of(each)[0] for each in pushes] == named


async def test_a_push_without_an_exchange_is_looked_up_by_its_con_id() -> None:
    """A position in a future names no exchange; the contract is asked for once, and known then."""
    name = "ES-20261218-USD-FUT"
    book, contracts = Book(id77=[details(77, name, "CME")]), Contracts("IB")
    found = await asyncio.gather(*(contracts.by_con_id(book.client, 77) for _ in range(5)))
    assert {each.vt_symbol for each in found} == {f"{name}.CME"}
    assert await contracts.by_con_id(book.client, 77) is found[0]
    assert contracts.name_of(contract(77, name, "")) == (name, Exchange.CME)
    assert book.questions == 1
    with pytest.raises(UnknownSymbol, match="conId 78"):
        await contracts.by_con_id(book.client, 78)


async def test_positions_are_placed_before_they_are_told() -> None:
    """Of a list of positions only those are looked up that name no exchange, each once."""
    future = contract(77, "ES-20261218-USD-FUT", "")
    gone = contract(78, "NQ-20261218-USD-FUT", "")
    book, contracts = Book(id77=[details(77, "ES-20261218-USD-FUT", "CME")]), Contracts("IB")
    held = [contract(265598, AAPL, ""), future, gone, future]
    assert [await contracts.complete(book.client, held) for _ in range(2)] == [True, False]
    assert contracts.name_of(future)[1] is Exchange.CME
    assert contracts.name_of(gone)[1] is Exchange.GLOBAL
    assert book.questions == 2


def test_positions_that_nobody_can_place_are_waited_for_together() -> None:
    """While IB's contract data is away each costs a deadline: one after the other, too many."""

    async def play() -> None:
        book, contracts = Book(), Contracts("IB")
        book.trouble = [VenueUnavailable("IB", "", "not answered within 10 s") for _ in range(8)]
        held = [contract(n, f"ES-202{n}1218-USD-FUT", "") for n in range(1, 9)]
        assert not await contracts.complete(book.client, held)
        assert asyncio.get_running_loop().time() < 0.2, "as long as a single answer takes"

    run_virtually(play(), VirtualLoop())


async def test_a_lost_connection_ends_the_placing_of_positions() -> None:
    """Without a connection there is nothing to be known of any of them."""
    book, contracts = Book(), Contracts("IB")
    book.trouble = [ConnectionClosed(1006, "cut") for _ in range(3)]
    held = [contract(n, f"ES-202{n}1218-USD-FUT", "") for n in range(1, 4)]
    with pytest.raises(ConnectionClosed):
        await contracts.complete(book.client, held)


def test_many_symbols_are_validated_a_few_at_a_time() -> None:
    """Each name has its contract or its reason, in the order asked, and progress is told."""

    async def play() -> None:
        roots = [f"A{number}" for number in range(40)]
        rows = {root: [details(n + 1, f"{root}-USD-STK")] for n, root in enumerate(roots)}
        book, contracts, told = Book(**rows), Contracts("IB"), list[tuple[int, int]]()
        wanted = [f"{root}-USD-STK.SMART" for root in roots] + ["X-USD-STK.SMART", "A1", "A1.XX"]
        found = await contracts.validate(
            book.client, [*wanted, wanted[0]], lambda done, of: told.append((done, of))
        )
        assert list(found) == wanted
        assert book.most == AT_ONCE
        good = [each for each in found.values() if isinstance(each, Instrument)]
        bad = [each for each in found.values() if isinstance(each, VenueError)]
        assert (len(good), len(bad)) == (40, 3)
        assert told == [(n, 43) for n in range(1, 44)]

    run_virtually(play(), VirtualLoop())


async def test_a_validation_ends_with_its_connection() -> None:
    """What was not asked is not called unknown: a lost line is an error of the whole."""
    book, contracts = aapl(), Contracts("IB")
    book.trouble.append(ConnectionClosed(1006))
    with pytest.raises(ConnectionClosed):
        await contracts.validate(book.client, [f"{AAPL}.SMART", "B-USD-STK.SMART"])
