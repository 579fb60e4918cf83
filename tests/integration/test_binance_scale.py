"""A thousand symbols with churn: what stays is never asked for again."""

from __future__ import annotations

from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.health import StreamKey
from tests.support.binance_venue import BinanceUnderTest
from tests.support.rig import eventually, running

BASES = [f"{a}{b}{c}" for a in "ABCDEFGHIJ" for b in "KLMNOPQRST" for c in "UVWXYZABCD"]
SYMBOLS = [f"{base}USDT" for base in BASES]


def ticks(symbols: list[str]) -> set[StreamKey]:
    return {StreamKey(Channel.TICK, symbol, Exchange.BINANCE) for symbol in symbols}


def test_a_thousand_symbols_with_churn() -> None:
    """Three connections carry two thousand streams; a change moves the difference and no more."""
    venue = BinanceUnderTest(SYMBOLS)
    venue.start()
    first, later = SYMBOLS[:900], SYMBOLS[900:]
    try:
        with running(venue, {"subscribe.timeout_s": 10.0}) as rig:
            rig.ready(*first)
            assert venue.live() == ticks(first)
            assert venue.connections == 2
            for symbol in first[:100]:
                rig.unsubscribe(symbol)
            for symbol in later:
                rig.subscribe(symbol)
            rig.wait_served()
            assert venue.live() == ticks(first[100:] + later)
            assert sorted(venue.asked(), key=str) == sorted(ticks(SYMBOLS), key=str)
            assert sorted(venue.returned(), key=str) == sorted(ticks(first[:100]), key=str)
            rig.wait_fresh(later[-1], first[-1])
            venue.faults.inject("rst")
            eventually(lambda: S.RECONNECTING in rig.states(), "lost")
            rig.wait_served()
            assert venue.live() == ticks(first[100:] + later)
            rig.wait_fresh(later[0], first[100])
    finally:
        venue.stop()
