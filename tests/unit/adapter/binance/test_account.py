"""What an account holds is what the venue said last, in whatever order that arrives."""

from decimal import Decimal

import pytest

from foxtrot.adapter.binance.account import Holding, Ledger


def held(asset: str, free: str) -> Holding:
    """Some of an asset, all of it free."""
    return Holding(asset, Decimal(free), Decimal(0))


def amounts(ledger: Ledger) -> dict[str, float]:
    """What the ledger tells of each asset."""
    told = ledger.balances(ledger.assets, ()).accounts
    return {account.accountid: account.balance for account in told}


@pytest.fixture
def ledger() -> Ledger:
    """It was told of everything once."""
    ledger = Ledger("BINANCE")
    ledger.asking()
    ledger.answered([held("BTC", "1"), held("USDT", "100")])
    return ledger


def test_an_answer_ends_what_it_does_not_list(ledger: Ledger) -> None:
    """What the venue lists no more is held no more."""
    ledger.asking()
    ledger.answered([held("BTC", "2")])
    assert amounts(ledger) == {"BTC": 2.0, "USDT": 0.0}


def test_a_push_changes_what_it_names(ledger: Ledger) -> None:
    """Only what differs is told anew."""
    assert ledger.pushed([held("BTC", "2"), held("USDT", "100")], 11) == ["BTC"]
    assert amounts(ledger) == {"BTC": 2.0, "USDT": 100.0}


def test_a_push_that_was_overtaken_is_noticed(ledger: Ledger) -> None:
    """A late push behind a newer one is not the balance of now."""
    ledger.pushed([held("BTC", "3")], 12)
    assert ledger.overtaken([held("BTC", "2")], 11)
    assert not ledger.overtaken([held("USDT", "90")], 9)
    assert not ledger.overtaken([held("BTC", "4")], 12)
    assert not ledger.overtaken([held("BNB", "1")], 1)


def test_an_answer_does_not_overwrite_what_was_pushed_while_it_was_awaited(ledger: Ledger) -> None:
    """The answer may have been made before the push, and come after it."""
    ledger.asking()
    ledger.pushed([held("BTC", "3")], 12)
    ledger.answered([held("BTC", "1"), held("USDT", "50")])
    assert amounts(ledger) == {"BTC": 3.0, "USDT": 50.0}


def test_after_an_answer_the_clock_of_the_venue_may_be_another(ledger: Ledger) -> None:
    """A clock that was set back does not silence the pushes for good."""
    ledger.pushed([held("BTC", "3")], 1_000)
    ledger.asking()
    ledger.answered([held("BTC", "3")])
    assert not ledger.overtaken([held("BTC", "4")], 21)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e400", "-1e400", "1e1000000"])
def test_a_balance_that_is_no_number_is_not_believed(ledger: Ledger, amount: str) -> None:
    """NaN is nobody's balance, nor is one that no float can hold."""
    with pytest.raises(ValueError, match="BTC"):
        ledger.pushed([held("BTC", amount)], 12)
    assert amounts(ledger)["BTC"] == 1.0
