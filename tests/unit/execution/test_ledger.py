"""An order is found by every name it has, and no other order by one of them."""

from foxtrot.execution.ledger import Entry, Ledger
from foxtrot.execution.reports import OrderRecord
from foxtrot.execution.reports import OrderState as State
from tests.support.orders import BTC, ETH, NOW, fill, intent, report


def ledger_with(record: OrderRecord) -> Ledger:
    """A ledger that keeps one ended order and one fill of forgotten ones."""
    ledger = Ledger(keep_ended=1, keep_fills=1)
    ledger.put(Entry(record), record)
    return ledger


def test_our_name_counts_first_then_the_venues() -> None:
    """By client order id, else by the venue's id in that symbol."""
    ledger = ledger_with(OrderRecord(intent(), State.ACCEPTED, NOW, "7"))
    assert ledger.find(report()) is ledger.entries["fx-1"]
    assert ledger.find(report(orderid="")) is ledger.entries["fx-1"]
    assert ledger.find(report(orderid="x", venue_id="8")) is None
    assert ledger.find(report(orderid="", symbol=ETH)) is None
    assert ledger.find(report(symbol=ETH)) is None


def test_an_order_without_a_venue_id_is_found_by_its_name() -> None:
    """Before the acknowledgement the echo of our id is all there is."""
    ledger = ledger_with(OrderRecord(intent(), State.SENT, NOW))
    assert ledger.find(fill("1", "1")) is ledger.entries["fx-1"]
    assert ledger.find(report(venue_id="")) is ledger.entries["fx-1"]


def test_nothing_lives_under_the_name_of_a_refused_order() -> None:
    """That it was refused may be said again; anything more is another order."""
    ledger = ledger_with(OrderRecord(intent(), State.REJECTED, NOW))
    assert ledger.find(report(State.REJECTED)) is ledger.entries["fx-1"]
    assert ledger.find(report()) is None
    assert ledger.find(report(State.CANCELED, "0.1")) is None
    assert ledger.find(fill("1", "0.1")) is None


def test_only_a_nameless_one_of_the_same_side_may_be_ours() -> None:
    """What has a name, another symbol or a named order of ours is not in question."""
    ledger = ledger_with(OrderRecord(intent(), State.SENT, NOW))
    assert ledger.may_be_ours(report(orderid=""))
    assert not ledger.may_be_ours(report(orderid="web_1"))
    assert not ledger.may_be_ours(report(orderid="", symbol=ETH))
    ledger = ledger_with(OrderRecord(intent(), State.ACCEPTED, NOW, "8"))
    assert not ledger.may_be_ours(report(orderid=""))


def test_a_forgotten_order_leaves_only_the_keys_of_its_fills() -> None:
    """The bound holds for orders and for keys."""
    ledger = Ledger(keep_ended=1, keep_fills=1)
    for number in "123":
        entry = Entry(OrderRecord(intent(number), State.CANCELED, NOW, number))
        ledger.count(entry, fill(number, "1"))
        ledger.put(entry, entry.record)
    assert list(ledger.entries) == ["3"]
    assert list(ledger.by_venue) == [(BTC, "3")]
    assert [ledger.knows((BTC, each)) for each in "123"] == [False, True, True]
