"""Every parser at the boundary, as a function of bytes: only documented errors come out.

What is read has to be sane, too: one fate for each frame, finite numbers, and the next good frame
is told.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from foxtrot.adapter.binance.evidence import OK, Reply, cancelled, placed, refusal, words_of
from foxtrot.adapter.futu.schema import Proto, push_class, read
from foxtrot.adapter.futu.wire import Reader
from foxtrot.core.settings import Settings
from foxtrot.errors import ConfigurationError, FoxtrotError, StreamingError
from foxtrot.execution.reports import OrderRecord, OrderState
from foxtrot.model.constants import Channel
from foxtrot.simulator.faults import FaultBoard, fault_from_json
from foxtrot.simulator.toxics import ToxicBoard
from tests.property.test_binance_frames import fed, usable
from tests.support import futu_feed, ib_feed
from tests.support.orders import intent

Target = Callable[[bytes], None]

_PUSHES = (
    Proto.Qot_UpdateBasicQot,
    Proto.Qot_UpdateOrderBook,
    Proto.Qot_UpdateTicker,
    Proto.Qot_UpdateKL,
)
_STATUSES = (OK, 400, 403, 409, 418, 429, 503)
_GOOD_PRICE = 10.0


def settings(data: bytes) -> None:
    """The settings file."""
    with contextlib.suppress(ConfigurationError):
        Settings.parse(data, "fuzz")


def control(data: bytes) -> None:
    """What the control endpoint of the simulators is told."""
    for board in (FaultBoard(), ToxicBoard()):
        try:
            name, params = fault_from_json(data)
            board.inject(name, **params)
        except ConfigurationError:
            continue


def binance_frame(data: bytes) -> None:
    """A text frame of a websocket: one fate, and the next is told."""
    assert all(usable(event) for event in fed(data))


def binance_answer(data: bytes) -> None:
    """A REST answer about an order, whatever its status: judged, never believed half."""
    status = _STATUSES[data[0] % len(_STATUSES)] if data else OK
    reply = Reply(status, {"retry-after": data[1:5].decode("latin-1")}, data[1:])
    placed(reply, "fx1")
    cancelled(reply, OrderRecord(intent("fx1"), OrderState.ACCEPTED, 1, venue_id="7"))
    words_of(reply)
    assert isinstance(refusal(reply, "BINANCE", "fuzz"), FoxtrotError)


def tws_message(data: bytes) -> None:
    """A whole message of TWS, whatever is in it: it costs no other."""
    feed = ib_feed.Feed()
    feed(len(data).to_bytes(4, "big") + data)
    feed(ib_feed.price(1, _GOOD_PRICE, 1))
    assert feed.tick_slot.bid == _GOOD_PRICE


def tws_bytes(data: bytes) -> None:
    """What TWS's socket brings, lengths and all, in two pieces."""
    feed, middle = ib_feed.Feed(), len(data) // 2
    for piece in (data[:middle], data[middle:]):
        feed(piece)
    for event in feed.events:
        assert "nan" not in repr(event.data)


def opend_bytes(data: bytes) -> None:
    """What OpenD's socket brings: frames, or an end."""
    try:
        for proto, _, body in Reader().feed(data):
            assert isinstance(proto, int)
            assert isinstance(body, bytes)
    except StreamingError:
        return


def opend_push(data: bytes) -> None:
    """The body of a push of quotes, a book, prints or bars.

    A ValueError says that it cannot be read: the line counts it as such.
    """
    if not data:
        return
    feed = futu_feed.Feed(*Channel)
    proto = _PUSHES[data[0] % len(_PUSHES)]
    ticks = feed.ticks
    take = {
        Proto.Qot_UpdateBasicQot: ticks.on_quotes,
        Proto.Qot_UpdateOrderBook: ticks.on_book,
        Proto.Qot_UpdateTicker: ticks.on_prints,
        Proto.Qot_UpdateKL: ticks.on_bars,
    }[proto]
    with contextlib.suppress(ValueError):
        take(read(push_class(proto), data[1:]).s2c)
    for event in feed.events:
        data_told = event.data
        assert math.isfinite(getattr(data_told, "last_price", getattr(data_told, "price", 0.0)))


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.__name__: target
        for target in (
            settings,
            control,
            binance_frame,
            binance_answer,
            tws_message,
            tws_bytes,
            opend_bytes,
            opend_push,
        )
    }
)
