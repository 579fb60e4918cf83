"""Search for contracts: kept, shared, no faster than once a second, and advice that never waits."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine

import pytest

from foxtrot.adapter.ib.search import GAP_S, KEPT_S, NEAR_TIMEOUT_S, Match, Search
from foxtrot.errors import ConfigurationError, VenueUnavailable
from foxtrot.model.constants import Exchange, Product
from tests.support.ib_answers import Scripted, contract
from tests.support.virtual_time import VirtualLoop, run_virtually


class Sample:
    """One row of an answer."""

    def __init__(self, con_id: int, symbol: str, primary: str, *derivatives: str) -> None:
        self.contract = contract(con_id, symbol, "", primaryExchange=primary)
        self.derivativeSecTypes = list(derivatives)


class Index:
    """Finds out of a list, and keeps when it was asked."""

    def __init__(self, answer_s: float = 0.05) -> None:
        self.rows: dict[str, list[object]] = {}
        self.at: list[tuple[str, float]] = []
        self._answer_s = answer_s
        self.client = Scripted({"reqMatchingSymbols": self.matches}).client

    async def matches(self, pattern: str) -> list[object]:
        """What there is for a pattern."""
        self.at.append((pattern, asyncio.get_running_loop().time()))
        await asyncio.sleep(self._answer_s)
        return [self.rows.get(pattern, [])]


def virtually(play: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run a play on a loop whose waits cost nothing."""

    async def whole() -> None:
        await play()

    run_virtually(whole(), VirtualLoop())


def test_what_is_found_can_be_subscribed() -> None:
    """A match has the name that works here, what it is, and what is traded upon it."""

    async def play() -> None:
        index = Index()
        index.rows["AAPL"] = [Sample(265598, "AAPL-USD-STK", "NASDAQ", "CFD", "OPT")]
        (match,) = await Search().find(index.client, " aapl ")
        assert match == Match(
            "AAPL-USD-STK", Exchange.SMART, 265598, "STK", "USD", "NASDAQ", "", ("CFD", "OPT")
        )
        assert (match.vt_symbol, match.product) == ("AAPL-USD-STK.SMART", Product.EQUITY)

    virtually(play)


def test_searches_keep_a_second_between_them() -> None:
    """Many patterns at once do not run into the venue's limit."""

    async def play() -> None:
        index, search = Index(), Search()
        await asyncio.gather(*(search.find(index.client, f"A{number}") for number in range(40)))
        times = [at for _, at in index.at]
        assert len(times) == 40
        assert min(b - a for a, b in itertools.pairwise(times)) >= GAP_S - 1e-6

    virtually(play)


def test_what_was_found_is_kept_for_an_hour() -> None:
    """The same pattern, in any spelling, is asked for once an hour."""

    async def play() -> None:
        index, search = Index(), Search()
        for spelling in ("apple inc", "APPLE  INC", "Apple Inc "):
            await search.find(index.client, spelling)
        assert len(index.at) == 1
        await asyncio.sleep(KEPT_S)
        await search.find(index.client, "apple inc")
        assert len(index.at) == 2

    virtually(play)


@pytest.mark.parametrize("pattern", ["", "   ", "A" * 65])
def test_a_pattern_that_cannot_be_is_named(pattern: str) -> None:
    """Nothing is asked for an empty or endless pattern."""

    async def play() -> None:
        index = Index()
        with pytest.raises(ConfigurationError, match="pattern"):
            await Search().find(index.client, pattern)
        assert not index.at

    virtually(play)


def test_advice_comes_soon_or_not_at_all() -> None:
    """A search that hangs delays the error about a symbol by seconds, and only one of many."""

    async def play() -> None:
        index, search = Index(answer_s=60.0), Search()
        before = asyncio.get_running_loop().time()
        advice = await asyncio.gather(*(search.near(index.client, f"A{n}") for n in range(50)))
        assert set(advice) == {()}
        assert len(index.at) == 1
        assert asyncio.get_running_loop().time() - before <= NEAR_TIMEOUT_S + 0.001

    virtually(play)


def test_advice_survives_a_venue_that_refuses() -> None:
    """An error of the search is not shown in place of the error about the symbol."""

    async def refuse(_pattern: str) -> list[object]:
        raise VenueUnavailable("IB", "", "symbolSamples was not answered")

    async def play() -> None:
        assert await Search().near(Scripted({"reqMatchingSymbols": refuse}).client, "A") == ()

    virtually(play)
