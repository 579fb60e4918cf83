"""What befalls the process and its words, at every venue alike."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from foxtrot.adapter.futu.schema import sdk
from foxtrot.core.directories import DATA_VARIABLE
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import Status
from tests.support.ib_house import House
from tests.support.lines import VENUES, Behind, behind
from tests.support.rig import eventually
from tests.support.trading_rig import TRADING

SESSIONS = ("websocket", TRADING)
HOSTILE = (
    "\u202egnp.exe",
    "two\r\nlines level=error",
    "\U0001f600",
    "\x1b[2J",
    "额度不足",
    "x" * 10_000,
)
"""Words by which a venue might write into our logs; a NUL ends a field of TWS."""
LINE = 1_000
TURNS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89)
"""So often the loop turns before a connect is taken back."""


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """The network thread of Futu's SDK lives as long as the process: it is there before all."""
    sdk()


@pytest.fixture(params=VENUES)
def line(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    """A venue behind a proxy that does nothing yet."""
    with behind(request.param, monkeypatch) as line:
        yield line


@contextmanager
def no_descriptors() -> Iterator[None]:
    """The process may open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_hostile_words_are_words(line: Behind, caplog: pytest.LogCaptureFixture) -> None:
    """F35: an order is refused in words that would break a log: they are kept, the log is whole."""
    caplog.set_level("INFO", logger="foxtrot")
    with line.living({}) as rig:
        line.ready(rig)
        for text in HOSTILE:
            line.refuse(text)
            orderid = line.send(rig)
            assert rig.refused(orderid)
        assert all(each.isprintable() and len(each) < LINE for each in caplog.messages)
        line.healed(rig)
        assert S.RECONNECTING not in (*rig.states(), *rig.states(TRADING))


def test_without_a_descriptor_it_waits(line: Behind) -> None:
    """F96: no file can be opened: typed errors and backoff, no busy loop; then all is back."""
    with line.living({"websocket.fallback_on_error": False}) as rig:
        line.ready(rig)
        since = len(rig.log)
        with no_descriptors():
            line.proxy.toxics.inject("reset_peer")
            for session in SESSIONS:
                rig.wait_state(S.RECONNECTING, since=since, session=session)
            eventually(lambda: rig.attempts() >= 2, "it is tried again in vain")
        delays = [s.delay_s for s in rig.statuses(TRADING, since) if s.state is S.RECONNECTING]
        assert min(delays) > 0.0
        line.healed(rig)


@pytest.mark.parametrize("hung", [False, True], ids=["healthy", "hung"])
def test_an_end_is_an_end(line: Behind, hung: bool) -> None:
    """F91: closing ends in time and leaves nothing, also while the venue says nothing at all."""
    with line.living({}) as rig:
        line.ready(rig)
        orderid = line.rest(rig)
        if hung:
            for stream in ("downstream", "upstream"):
                line.proxy.toxics.inject("timeout", stream=stream)
        rig.engine.close()
        assert rig.tasks() == ()
        assert rig.held(orderid).open


def test_a_connect_may_be_taken_back_at_any_moment(line: Behind) -> None:
    """F102: after any number of turns of the loop nothing is left, and all can begin anew."""
    with line.living({}) as rig:

        async def turn(count: int) -> None:
            for _ in range(count):
                await asyncio.sleep(0)

        for count in TURNS:
            line.connect(rig)
            rig.engine.bridge.run(turn(count), timeout=5.0)
            rig.adapter.disconnect()
            eventually(lambda: not rig.tasks(), f"nothing runs: {rig.tasks()}")
        line.connect(rig)
        line.healed(rig)


def test_data_of_no_request_reaches_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """F33: TWS sends a price for a request that nobody made: it is no price of anything."""
    with behind("ib", monkeypatch) as line, line.living({}) as rig:
        line.ready(rig)
        assert isinstance(line.venue, House)
        sim, since = line.venue.sim, len(rig.log)
        sim.on_loop(lambda: [each.send(1, 6, 987_654, 1, 1.25, 5, 0) for each in sim.connections])
        rig.wait_fresh(line.venue.symbols[0])
        told = rig.ticks(line.venue.symbols[0], since)
        assert 1.25 not in {each.bid_price_1 for each in told}
        assert S.RECONNECTING not in (*rig.states(), *rig.states(TRADING))


def test_a_journal_that_is_damaged_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, data_directory: Path
) -> None:
    """F94: it is set aside and told; what rests is found at the venue, nothing is sent twice."""
    assert os.environ[DATA_VARIABLE] == str(data_directory)
    with behind("binance", monkeypatch) as line:
        with line.living({}) as rig:
            line.ready(rig)
            orderid = line.rest(rig)
        (file,) = data_directory.rglob("*.db")
        file.write_bytes(b"not what it was" * 1_000)
        with line.living({}) as rig:
            line.ready(rig)
            rig.wait_log("the journal was damaged")
            assert list(file.parent.glob("*.damaged-*"))
            eventually(lambda: any(o.is_active() for o in rig.orders()), "what rests is told")
            rig.wait_order(line.rest(rig), Status.NOTTRADED)
            assert set(rig.venue.received().values()) == {1}
            assert rig.held(orderid).open
