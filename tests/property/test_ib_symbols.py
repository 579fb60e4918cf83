"""Symbols of Interactive Brokers: what is written is read back, whatever the contract."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from foxtrot.adapter.ib.symbols import OPTIONS, PLAIN, TYPES, Spec, format_symbol, parse
from foxtrot.errors import ConfigurationError

PARTS = {"symbol", "type", "currency", "expiry", "right", "strike", "multiplier", "conId"}

roots = st.from_regex(r"[A-Z0-9.]([A-Z0-9 .&/+'!_]{0,8}[A-Z0-9.])?", fullmatch=True)
currencies = st.from_regex(r"[A-Z]{3}", fullmatch=True)
days = st.dates(dt.date(1970, 1, 1), dt.date(2199, 12, 31))
expiries = st.builds(lambda day, length: f"{day:%Y%m%d}"[:length], days, st.sampled_from([6, 8]))
numbers = st.decimals("0.0001", "99999999", places=4).map(lambda each: f"{each.normalize():f}")
strikes = numbers.map(float)

plain = st.builds(Spec, roots, st.sampled_from(PLAIN), currencies)
futures = st.builds(
    Spec,
    roots,
    st.just("FUT"),
    currencies,
    expiries,
    multiplier=st.just("") | numbers,
)
options = st.builds(
    Spec,
    roots,
    st.sampled_from(OPTIONS),
    currencies,
    expiries,
    st.sampled_from("CP"),
    strikes,
    numbers,
)
by_con_id = st.builds(Spec, con_id=st.integers(1, 9_999_999_999))


@given(plain | futures | options | by_con_id)
def test_what_is_written_is_read_back(spec: Spec) -> None:
    """A contract's symbol says all of it, for every type."""
    assert parse(format_symbol(spec)) == spec


pieces = st.sampled_from(["AAPL", "ES", "20261218", "202613", "C", "200", "-1", "USD", "usd", ""])
texts = st.text(max_size=24) | st.builds(
    lambda front, sec_type: "-".join([*front, sec_type]),
    st.lists(pieces, max_size=7),
    st.sampled_from(TYPES),
)


@given(texts)
def test_any_text_is_a_symbol_or_a_named_mistake(text: str) -> None:
    """Whatever a person types, he gets a contract, or is told which part of it is wrong."""
    mistake = _mistake(text)
    if mistake is None:
        assert parse(format_symbol(parse(text))) == parse(text)
    else:
        assert mistake.field in PARTS
        assert repr(text) in str(mistake)


def _mistake(text: str) -> ConfigurationError | None:
    try:
        parse(text)
    except ConfigurationError as error:
        return error
    return None
