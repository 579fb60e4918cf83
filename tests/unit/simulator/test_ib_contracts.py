"""What a description of a contract means to the simulated gateway."""

from __future__ import annotations

import datetime as dt

import pytest

from foxtrot.errors import ConfigurationError, UnknownSymbol
from foxtrot.simulator.ib_contracts import Universe
from foxtrot.simulator.ib_requests import ContractQuery

UNIVERSE = Universe.of(today=dt.date(2026, 11, 21))
APPLE = ContractQuery(symbol="AAPL", sec_type="STK", exchange="SMART", currency="USD")


def ask(**fields: object) -> ContractQuery:
    return ContractQuery(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (APPLE, "AAPL"),
        (ask(con_id=265598, exchange="SMART"), "AAPL"),
        (ask(con_id=265598, exchange="ARCA"), "AAPL"),
        (ask(symbol="AAPL", sec_type="STK", exchange="SMART", primary_exchange="EBS"), "AAPL@EBS"),
        (ask(symbol="AAPL", sec_type="STK", exchange="MEXI"), "AAPL@MEXI"),
        (ask(symbol="EUR", sec_type="CASH", exchange="IDEALPRO", currency="USD"), "EUR.USD"),
        (ask(symbol="ES", sec_type="FUT", exchange="CME", expiry="202612"), "ESZ6"),
        (ask(symbol="ES", sec_type="FUT", exchange="CME", expiry="20261218"), "ESZ6"),
        (ask(local_symbol="NQH7", sec_type="FUT", exchange="CME"), "NQH7"),
        (ask(symbol="SPX", sec_type="IND", exchange="CBOE"), "SPX"),
        (
            ask(
                symbol="AAPL",
                sec_type="OPT",
                exchange="SMART",
                expiry="20261218",
                strike=220.0,
                right="CALL",
                multiplier="100.0",
            ),
            "AAPL261218C220",
        ),
        (
            ask(local_symbol="AAPL  261218P00220000", sec_type="OPT", exchange="CBOE"),
            "AAPL261218P220",
        ),
    ],
)
def test_a_description_that_says_enough_means_one_contract(query: ContractQuery, name: str) -> None:
    """By id, by symbol, by local symbol, with as much as is needed."""
    row = UNIVERSE.one(query)
    assert (row.contract.name, row.exchange) == (name, query.exchange)


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        (ask(symbol="AAPL", sec_type="STK", exchange="SMART"), "200", "for AAPL is ambiguous"),
        (ask(symbol="ES", sec_type="FUT", exchange="CME"), "200", "for ES is ambiguous"),
        (ask(symbol="AAPLE", sec_type="STK", exchange="SMART"), "200", "No security definition"),
        (ask(symbol="AAPL", sec_type="STK", exchange="IDEALPRO"), "200", "No security definition"),
        (ask(symbol="ES", sec_type="FUT", exchange="CME", multiplier="5"), "200", "No security"),
        (ask(symbol="ES", sec_type="FUT", exchange="CME", expiry="202609"), "200", "No security"),
        (ask(con_id=1, exchange="SMART"), "200", "No security definition"),
        (ask(symbol="BTC", sec_type="CRYPTO", exchange="PAXOS"), "200", "No security definition"),
        (ask(sec_type="STK", exchange="SMART"), "200", "No security definition"),
        (ask(symbol="AAPL", exchange="SMART"), "321", "valid security type"),
        (ask(symbol="AAPL", sec_type="STK", currency="USD"), "321", "Please enter exchange"),
    ],
)
def test_what_means_none_or_many_is_refused_as_tws_does(
    query: ContractQuery, code: str, text: str
) -> None:
    """With its code and its words."""
    with pytest.raises(UnknownSymbol, match=text) as caught:
        UNIVERSE.one(query)
    assert caught.value.code == code


def test_what_is_left_out_may_be_anything() -> None:
    """Details are a row for each contract and exchange; an id alone has its usual exchange."""
    rows = UNIVERSE.find(ask(symbol="AAPL", sec_type="STK"))
    assert {row.contract.currency for row in rows} == {"USD", "MXN", "CHF"}
    assert {row.exchange for row in rows} > {"SMART", "NASDAQ", "ARCA", "MEXI", "EBS"}
    chain = UNIVERSE.find(ask(symbol="ES", sec_type="FUT", exchange="CME"))
    assert [row.contract for row in chain] == UNIVERSE.futures("ES")
    for con_id, exchange in ((265598, "SMART"), (12087792, "IDEALPRO")):
        (row,) = UNIVERSE.find(ask(con_id=con_id))
        assert (row.contract.con_id, row.exchange) == (con_id, exchange)


def test_what_expired_is_found_by_those_who_ask_for_it() -> None:
    """And by nobody else, whether by date or by id."""
    query = ask(symbol="ES", sec_type="FUT", exchange="CME", expiry="202609")
    row = UNIVERSE.one(query, include_expired=True)
    assert row.contract.name == "ESU6"
    by_id = ask(con_id=row.contract.con_id, exchange="CME")
    assert UNIVERSE.one(by_id, include_expired=True) == row
    with pytest.raises(UnknownSymbol):
        UNIVERSE.one(by_id)


def test_a_search_finds_beginnings_of_symbols_and_names() -> None:
    """The symbol itself comes first; nothing is found for nothing."""
    found = UNIVERSE.samples("aapl")
    assert (found[0].symbol, found[0].con_id, found[0].derived) == (
        "AAPL",
        265598,
        ("CFD", "OPT", "BAG"),
    )
    assert {(row.symbol, row.currency) for row in UNIVERSE.samples("Micro")} == {
        ("MSFT", "USD"),
        ("MSFT", "MXN"),
    }
    (root,) = [row for row in UNIVERSE.samples("ES") if row.sec_type == "IND"]
    assert (root.con_id, root.primary_exchange) == (11004968, "CME")
    assert root.con_id == UNIVERSE.futures("ES")[0].under_con_id
    assert UNIVERSE.samples("zzz") == UNIVERSE.samples(" ") == []


def test_names_are_those_of_the_universe() -> None:
    """A venue can be made of some; an unknown one is said with those that there are."""
    assert list(Universe.of(["ESZ6", "AAPL", "T007"], today=dt.date(2026, 11, 21)).contracts) == [
        "ESZ6",
        "AAPL",
        "T007",
    ]
    with pytest.raises(ConfigurationError, match=r"'APPL'.*AAPL"):
        Universe.of(["APPL"], today=dt.date(2026, 11, 21))
