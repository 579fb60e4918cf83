"""Below the messages: names without addresses, no TLS, handshakes and frames in pieces."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import EVENT_MARKET_TRADE
from foxtrot.simulator.binance import Limits
from foxtrot.simulator.proxy import HOST
from tests.support.binance_venue import BinanceUnderTest
from tests.support.faults import everything, healed
from tests.support.rig import Rig, eventually, running
from tests.support.tls_door import TlsDoor

HOSTILE = (
    '"\\u0000"',
    '"\\u202Egnp.exe"',
    '"two\\r\\nlines level=error"',
    '"\\ud83d\\ude00"',
    '"\\u001b[2J"',
    f'"{"x" * 10_000}"',
)
"""Words that a venue might use to write into our logs, as JSON."""
LINE = 500


def connect(rig: Rig, address: str, *, secure: bool = False) -> None:
    """Connect to the venue at another address."""
    tail = "s" if secure else ""
    urls = {"rest_url": f"http{tail}://{address}", "websocket_url": f"ws{tail}://{address}"}
    rig.engine.connect({**rig.venue.setting(), **urls}, rig.name)


def send(venue: BinanceUnderTest, payload: bytes) -> None:
    """Send a frame on every connection, whatever is in it."""
    loop = venue.sim._loop
    assert loop is not None
    for connection in venue.sim.connections:
        loop.call_soon_threadsafe(connection.send, payload)


def test_a_name_without_an_address_is_asked_for_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says so, and the venue is found once its name has an address."""

    async def nowhere(*args: object, **kwargs: object) -> list[object]:
        raise OSError("Name or service not known")

    with monkeypatch.context() as broken:
        broken.setattr(aiohttp.resolver.AsyncResolver, "resolve", nowhere)
        broken.setattr(aiohttp.resolver.ThreadedResolver, "resolve", nowhere)
        rig.subscribe("BTCUSDT")
        connect(rig, f"localhost:{rig.venue.sim.port}")  # type: ignore[attr-defined]
        rig.wait_state(S.RECONNECTING)
        assert set(rig.error_kinds()) == {"NameResolutionError"}
    rig.wait_state(S.READY)
    rig.wait_fresh("BTCUSDT")


def test_without_tls_there_is_no_talk(rig: Rig) -> None:
    """A venue that answers in plain text where TLS was asked for is not talked to; that is told."""
    rig.subscribe("BTCUSDT")
    sim = rig.venue.sim  # type: ignore[attr-defined]
    connect(rig, f"{HOST}:{sim.port}", secure=True)
    rig.wait_state(S.RECONNECTING)
    rig.wait_state(S.RECONNECTING, session="polling")
    assert set(rig.error_kinds()) == {"TlsError"}
    assert (sim.seen.connections, sim.seen.requests) == (0, [])


@pytest.mark.parametrize(
    "flaw", [{}, {"days": -1}, {"name": "venue.example"}], ids=["self-signed", "expired", "name"]
)
def test_a_certificate_that_proves_nothing_is_not_trusted(
    rig: Rig, tmp_path: Path, flaw: dict[str, object]
) -> None:
    """Nobody is talked to, however often it is tried; the error says that it is the TLS."""
    with TlsDoor(tmp_path, **flaw) as door:  # type: ignore[arg-type]
        rig.subscribe("BTCUSDT")
        connect(rig, f"{HOST}:{door.port}", secure=True)
        rig.wait_state(S.RECONNECTING)
        rig.wait_state(S.RECONNECTING, session="polling")
        assert set(rig.error_kinds()) == {"TlsError"}
        assert door.entered == 0


def test_an_oversized_frame_costs_the_connection_only() -> None:
    """Eleven megabytes in one frame are not read; all streams are back on a fresh connection."""
    venue = BinanceUnderTest(limits=Limits(send_buffer_bytes=None))
    venue.start()
    try:
        with running(venue) as rig:
            everything(rig)
            since = len(rig.log)
            send(venue, b'{"e":"' + b"x" * (11 << 20) + b'"}')
            rig.wait_state(S.RECONNECTING, since=since)
            rig.wait_state(S.READY, since=since)
            healed(rig)
    finally:
        venue.stop()


def test_data_that_nobody_asked_for_reaches_nobody(rig: Rig) -> None:
    """Trades of another symbol are ignored and counted, the own ones go on."""
    everything(rig)
    before = rig.fact("websocket.ignored")
    strange = b'{"e":"trade","E":1,"s":"NOBODY","t":1,"p":"1","q":"1","T":1,"m":true,"M":true}'
    for _ in range(5):
        send(rig.venue, strange)  # type: ignore[arg-type]
    eventually(lambda: rig.fact("websocket.ignored") == before + 5, "they are counted")
    healed(rig)
    told = {getattr(trade, "symbol", "") for trade in rig.log.of(EVENT_MARKET_TRADE)}
    assert told <= set(rig.venue.symbols)
    assert rig.venue.connections == 1


def test_hostile_words_are_words(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Control characters, line breaks and ten thousand letters disturb neither streams nor logs."""
    caplog.set_level("INFO", logger="foxtrot")
    everything(rig)
    before = rig.fact("websocket.ignored")
    for text in HOSTILE:
        send(rig.venue, f'{{"e":{text},"E":1,"s":{text}}}'.encode())  # type: ignore[arg-type]
    eventually(lambda: rig.fact("websocket.ignored") >= before + len(HOSTILE), "they are counted")
    send(rig.venue, b'{"e":"\xff\xfe","s":"BTCUSDT"}')  # type: ignore[arg-type]
    rig.wait_fact("websocket.malformed", 1)
    healed(rig)
    assert rig.venue.connections == 1
    lines = [line for line in caplog.messages if line.startswith("unknown_event")]
    assert len(lines) == len(HOSTILE)
    assert all(line.isprintable() and len(line) < LINE for line in lines)
