"""A program that trades is killed at any line, or told to end: no order is forgotten or doubled.

Real processes, the real client and journal. `./scripts/faults --kill --seed S` plays one again.
"""

import signal
import statistics
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from foxtrot.adapter.binance.settings import BinanceSettings
from foxtrot.execution.journal import Journal
from foxtrot.execution.reports import FillReport, OrderIntent, OrderRecord, OrderState
from foxtrot.model.constants import Direction, Exchange, OrderType, Status
from foxtrot.model.requests import OrderRequest
from tests.faults.kill_child import POINTS, STATE, TRADED, Errand
from tests.faults.kill_play import END_S, WAIT_S, Child, play_kills
from tests.support.binance_venue import BinanceUnderTest
from tests.support.rig import eventually

pytestmark = pytest.mark.no_cover  # whoever is killed tells nobody what he covered

COUNT, AT_ONCE = 10, 5
LONG_COUNT, LONG_FIRST, LONG_AT_ONCE = 100, 1_000, 10
OPEN, ENDED = 1_000, 49_500
"""Orders in a large journal; those that ended have a fill each, which makes 100,000 records."""

Start = Callable[..., Child]


def check(seeds: range, request: pytest.FixtureRequest) -> None:
    """Kill and start again; how long each start took is handed in."""
    reports = list(play_kills(seeds))
    failed = [report for report in reports if report.problem]
    assert not failed, "\n".join(report.text for report in failed)
    starts = [each for report in reports for each in report.ready_s]
    figures = {"median": statistics.median(starts), "longest": max(starts)}
    request.node.user_properties.append(("seconds until ready after a kill", figures))


@pytest.mark.timeout(200)
@pytest.mark.parametrize("first", range(0, COUNT, AT_ONCE))
def test_a_killed_program_accounts_for_every_order(
    first: int, request: pytest.FixtureRequest
) -> None:
    """Whatever it was doing: after the restart it knows all, and nothing was sent twice."""
    check(range(first, first + AT_ONCE), request)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("first", range(LONG_FIRST, LONG_FIRST + LONG_COUNT, LONG_AT_ONCE))
def test_a_hundred_kills_cost_no_order(first: int, request: pytest.FixtureRequest) -> None:
    """The promise holds at points that nobody has looked at, each of them several times."""
    assert len(POINTS) * 3 <= LONG_COUNT
    check(range(first, first + LONG_AT_ONCE), request)


@pytest.fixture
def start(venue: BinanceUnderTest, tmp_path: Path) -> Iterator[Start]:
    """Starts the program on one journal, as often as it is called."""
    children: list[Child] = []

    def started(acts: int) -> Child:
        market = {symbol: venue.newest(symbol)[0] for symbol in venue.symbols}
        urls = venue.sim.rest_url, venue.sim.websocket_url
        children.append(Child(Errand(*urls, str(tmp_path), 1, market, acts=acts)))
        return children[-1]

    yield started
    for child in children:
        child.close()


@pytest.mark.timeout(90)
@pytest.mark.parametrize("hangs", [False, True], ids=["healthy", "venue hangs"])
def test_a_program_that_is_told_to_end_leaves_orders_as_they_are(
    venue: BinanceUnderTest, start: Start, hangs: bool
) -> None:
    """SIGTERM: it ends in time and in good order, and cancels nothing that nobody cancelled."""
    child = start(20)  # of few acts the last may cancel what the others sent
    eventually(lambda: child.said(TRADED), "it has traded", WAIT_S)
    eventually(lambda: bool(venue.sim.desk.account().open_orders), "orders rest")
    child.look()
    before = [order.order_id for order in venue.sim.desk.account().open_orders]
    if hangs:
        venue.faults.inject("mute", rest=True)
    child.process.terminate()
    assert child.process.wait(END_S) == 0, child.errors.decode()
    assert [order.order_id for order in venue.sim.desk.account().open_orders] == before


@pytest.mark.timeout(90)
def test_a_second_program_on_one_journal_is_refused_in_words(start: Start) -> None:
    """Two programs must not trade one account by one journal: the second says why it does not."""
    first = start(1)
    eventually(lambda: first.said(TRADED), "the first trades", WAIT_S)
    second = start(1)
    said = second.lines.wait_for(
        lambda line: (
            line.kind == STATE and b"is in use; stop the other foxtrot" in bytes(line.data)
        ),
        WAIT_S,
    )
    assert msgspec.json.decode(said.data, type=dict[str, str])["state"] != "ready"
    assert not second.ready_s
    first.look()
    for child in (second, first):
        child.end(signal.SIGTERM)
        assert child.process.returncode == 0, child.errors.decode()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_large_journal_is_no_reason_to_wait(
    venue: BinanceUnderTest, start: Start, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """With 1,000 open orders and 100,000 records it is ready soon; how soon is handed in."""
    write_large_journal(venue, tmp_path)
    child = start(0)
    eventually(lambda: child.said(TRADED), "it is ready", WAIT_S)
    active = [o for o in child.told.last.values() if o.status is Status.NOTTRADED]
    assert len(active) == OPEN
    figure = ("seconds until ready with a large journal", child.ready_s)
    request.node.user_properties.append(figure)


def write_large_journal(venue: BinanceUnderTest, directory: Path) -> None:
    """What a busy month leaves behind; the open orders rest at the venue, too."""
    settings = {**venue.setting(), **venue.keys()}
    account = BinanceSettings.parse(settings).account_key
    price = venue.resting_price("BTCUSDT")
    request = OrderRequest(
        "BTCUSDT", Exchange.BINANCE, Direction.LONG, OrderType.LIMIT, 0.001, price
    )
    with closing(Journal.open(directory, account)) as journal:
        begin_ns = journal.last_seen_ns
        records, fills = [], []
        for number in range(ENDED):
            intent = OrderIntent(journal.next_orderid(), request, begin_ns)
            records.append(
                OrderRecord(intent, OrderState.FILLED, begin_ns, str(number), Decimal("0.001"))
            )
            fills.append(_fill(intent, number))
        for at in range(0, ENDED, 5_000):
            journal.record(records[at : at + 5_000], fills[at : at + 5_000])
        for _ in range(OPEN):
            intent = OrderIntent(journal.next_orderid(), request, begin_ns)
            order = venue.sim.desk.place("BTCUSDT", "BUY", 0.001, price, client_id=intent.orderid)
            record = OrderRecord(intent, OrderState.ACCEPTED, begin_ns, str(order.order_id))
            journal.record([record])


def _fill(intent: OrderIntent, number: int) -> FillReport:
    request = intent.request
    return FillReport(
        str(number),
        str(number),
        intent.orderid,
        request.symbol,
        request.exchange,
        Direction.LONG,
        Decimal(repr(request.price)),
        Decimal("0.001"),
        intent.created_ns,
    )
