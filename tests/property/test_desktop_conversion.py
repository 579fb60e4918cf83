"""Whatever a vnpy gateway or app may hand over comes back as it was."""

from __future__ import annotations

import dataclasses
import datetime as dt
import types
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.desktop import require

require("vnpy")

from vnpy.trader import constant  # noqa: E402
from vnpy.trader import object as theirs  # noqa: E402

from foxtrot.desktop.conversion import to_foxtrot, to_vnpy  # noqa: E402

NOUNS = (
    theirs.TickData,
    theirs.BarData,
    theirs.OrderData,
    theirs.TradeData,
    theirs.PositionData,
    theirs.AccountData,
    theirs.ContractData,
    theirs.QuoteData,
    theirs.LogData,
)
REQUESTS = (
    theirs.SubscribeRequest,
    theirs.OrderRequest,
    theirs.CancelRequest,
    theirs.HistoryRequest,
)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1, max_size=12)
SYMBOLS = TEXT | TEXT.map(lambda text: f"{text}_SPOT_BINANCE") | st.just("_SPOT_BINANCE")
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**9), 10**9)
ZONES = (dt.UTC, dt.timezone(dt.timedelta(hours=8)))
LONG_AGO = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
MOMENTS = st.builds(
    lambda since, zone: (LONG_AGO + since).astimezone(zone),
    st.timedeltas(dt.timedelta(0), dt.timedelta(days=40_000)),
    st.sampled_from(ZONES),
)
EXTRAS = st.none() | st.dictionaries(
    st.sampled_from(["reason", "type", "fee", "any"]),
    st.text(max_size=5) | st.integers() | st.sampled_from(["STOP_LIMIT", "POST_ONLY"]),
)
VALUES: dict[object, st.SearchStrategy[object]] = {
    str: st.text(max_size=8),
    int: st.integers(0, 10**9),
    float: NUMBERS,
    bool: st.booleans(),
    dt.datetime: MOMENTS,
    type(None): st.none(),
}


def value_of(kind: object) -> st.SearchStrategy[object]:
    """Anything that vnpy's annotation allows."""
    if isinstance(kind, types.UnionType):
        return st.one_of([value_of(each) for each in typing.get_args(kind)])
    if isinstance(kind, type) and kind.__module__ == constant.__name__:
        return st.sampled_from(list(kind))
    return VALUES[kind]


def made(kind: type) -> st.SearchStrategy[object]:
    """Objects of vnpy's, all of their fields filled."""
    hints = typing.get_type_hints(kind)
    fields = [each.name for each in dataclasses.fields(kind) if each.init]
    values = {name: SYMBOLS if name == "symbol" else value_of(hints[name]) for name in fields}
    if "extra" not in hints:
        return st.builds(kind, **values)
    return st.builds(lambda extra, **rest: _with(kind(**rest), extra), EXTRAS, **values)


def _with(noun: object, extra: object) -> object:
    noun.extra = extra  # type: ignore[attr-defined]
    return noun


@pytest.mark.parametrize("kind", NOUNS, ids=lambda kind: kind.__name__)
def test_every_object_of_vnpy_comes_back_equal(kind: type) -> None:
    """An object that goes through foxtrot has every field, the derived ids too, as it had."""

    @given(made(kind))
    def round_trip(noun: object) -> None:
        back = to_vnpy(to_foxtrot(noun, object))  # type: ignore[arg-type]
        assert type(back) is kind
        assert vars(back) == vars(noun)

    round_trip()


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.__name__)
def test_every_request_of_vnpy_comes_back_equal(kind: type) -> None:
    """A request asks for the same on the other side; history without an interval is of minutes."""

    @given(made(kind))
    def round_trip(request: object) -> None:
        if getattr(request, "interval", "") is None:
            request.interval = constant.Interval.MINUTE  # type: ignore[attr-defined]
        back = to_vnpy(to_foxtrot(request, object))  # type: ignore[arg-type]
        assert vars(back) == vars(request)

    round_trip()
