"""What lines do to their two ends, the same for every venue: a proxy stands between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foxtrot.adapter.futu.schema import sdk
from foxtrot.model.constants import ConnectionState as S
from tests.support.lines import VENUES, Behind, behind
from tests.support.rig import eventually
from tests.support.trading_rig import TRADING, TradingRig

WEBSOCKET = "websocket"
SESSIONS = (WEBSOCKET, TRADING)
IMPATIENT: dict[str, object] = {"liveness.probe_s": 0.4, "websocket.fallback_on_error": False}
HURRIED: dict[str, object] = {"connect.timeout_s": 0.4, "websocket.fallback_on_error": False}
BOTH = ("downstream", "upstream")


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """The network thread of Futu's SDK lives as long as the process: it is there before all."""
    sdk()


@pytest.fixture(params=VENUES)
def line(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    """A venue behind a proxy that does nothing yet."""
    with behind(request.param, monkeypatch) as line:
        yield line


def wait_lost(rig: TradingRig, since: int = 0) -> None:
    """Wait until both sessions say that they are not there."""
    for session in SESSIONS:
        rig.wait_state(S.RECONNECTING, since=since, session=session)


def kept(rig: TradingRig) -> bool:
    """Whether no session was lost."""
    return all(S.RECONNECTING not in rig.states(session) for session in SESSIONS)


def test_a_port_that_nobody_holds_open(line: Behind) -> None:
    """F01: asked again with backoff, each attempt a typed error; served when somebody listens."""
    line.proxy.toxics.inject("down")
    with line.living(IMPATIENT) as rig:
        line.connect(rig)
        wait_lost(rig)
        assert set(rig.error_kinds()) == {"ConnectError"}
        line.healed(rig)


def test_a_port_that_is_closed_for_a_while(line: Behind) -> None:
    """F01: a line that served is cut and refused; all of it is back when it is let in."""
    with line.living(IMPATIENT) as rig:
        line.ready(rig)
        since = len(rig.log)
        line.proxy.toxics.inject("down")
        wait_lost(rig, since)
        eventually(lambda: rig.attempts() >= 2, "it is tried again in vain")
        line.healed(rig)


def test_a_handshake_that_nobody_answers(line: Behind) -> None:
    """F04: bytes go into the dark: given up at the deadline, and tried again."""
    for stream in BOTH:
        line.proxy.toxics.inject("timeout", stream=stream)
    with line.living(HURRIED) as rig:
        line.connect(rig)
        wait_lost(rig)
        assert "ConnectTimeout" in rig.error_kinds()
        assert S.READY not in (*rig.states(), *rig.states(TRADING))
        rig.adapter.disconnect()
        line.proxy.toxics.clear()


def test_a_handshake_byte_by_byte(line: Behind) -> None:
    """F05: something comes all the time, but the deadline is for the whole."""
    line.proxy.toxics.inject("slicer", size_bytes=1, delay_s=0.1)
    with line.living(HURRIED) as rig:
        line.connect(rig)
        rig.wait_state(S.RECONNECTING)
        assert "ConnectTimeout" in rig.error_kinds()
        assert S.READY not in rig.states()


def test_a_line_that_is_reset(line: Behind) -> None:
    """F11: both sessions are lost and come back, and nothing of an order is."""
    with line.living(IMPATIENT) as rig:
        line.ready(rig)
        orderid = line.rest(rig)
        since = len(rig.log)
        line.proxy.toxics.inject("reset_peer")
        wait_lost(rig, since)
        line.healed(rig)
        assert rig.held(orderid).open


def test_a_line_that_is_half_open(line: Behind) -> None:
    """F20: the other end is gone and nobody says so: a probe finds it, fresh lines are made."""
    with line.living(IMPATIENT) as rig:
        line.ready(rig)
        line.rest(rig)
        since = len(rig.log)
        line.proxy.toxics.inject("half_open")
        wait_lost(rig, since)
        assert "HeartbeatTimeout" in rig.error_kinds()
        line.proxy.toxics.inject("down")  # the venue, too, finds out that nobody is there
        line.healed(rig)


def test_a_line_in_pieces(line: Behind) -> None:
    """F30: one to seven bytes at a time, both ways: nothing is seen."""
    for stream in BOTH:
        line.proxy.toxics.inject("slicer", size_bytes=4, variation_bytes=3, stream=stream)
    with line.living({}) as rig:
        line.ready(rig)
        line.rest(rig)
        line.healed(rig)
        assert kept(rig)
        assert (rig.adapter.health().malformed, rig.error_kinds()) == (0, [])


def test_a_line_that_is_late_and_narrow(line: Behind) -> None:
    """F72: late by a changing time, and slow: all of it comes, and no session is lost."""
    for stream in BOTH:
        line.proxy.toxics.inject("latency", delay_s=0.03, jitter_s=0.03, stream=stream)
    line.proxy.toxics.inject("bandwidth", rate_bytes_s=1_000_000)
    with line.living({"connect.timeout_s": 10.0}) as rig:
        line.ready(rig)
        orderid = line.rest(rig)
        rig.venue.fill(orderid)
        rig.wait_fresh(line.venue.symbols[0])
        rig.wait_trades(orderid)
        line.healed(rig)
        assert kept(rig)


def test_a_line_that_ends_in_the_middle_of_a_message(line: Behind) -> None:
    """F11: cut after so many bytes, wherever that is, again and again; then it holds."""
    with line.living(IMPATIENT) as rig:
        line.ready(rig)
        since = len(rig.log)
        line.proxy.toxics.inject("limit_data", size_bytes=1_001)
        for _ in range(20):
            rig.venue.move(line.venue.symbols[0], 5)
        rig.wait_state(S.RECONNECTING, since=since)
        line.healed(rig)
        assert "AdapterError" not in rig.error_kinds()


def test_a_line_with_wrong_bits(line: Behind) -> None:
    """F31: whatever they do to lengths and messages, a fresh line over a sound one serves all."""
    with line.living(IMPATIENT) as rig:
        line.ready(rig)
        line.proxy.toxics.inject("corrupt", size_bytes=40)
        for _ in range(20):
            rig.venue.move(line.venue.symbols[0], 5)
        line.proxy.toxics.inject("down")
        line.healed(rig)
