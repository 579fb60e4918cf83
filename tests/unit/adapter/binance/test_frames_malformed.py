"""Frames that cannot be read, and events nobody knows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.binance_frames import Routed, candle, day, depth, quote, text, trade

# -- malformed --------------------------------------------------------------------------------

GARBAGE = [
    b"", b"nonsense", b"\x00", b"\xff\xfe", b"[]", b"null", b"5", b'"text"', b"{", b'{"u":', b"}",
    quote(1)[:-1], day()[:-1], trade(1)[:-1], candle()[:-1], depth(1, 1)[:-1],
    b'{"u":1}', b'{"u":1,"s":"BTCUSDT"}', b'{"e":"trade"}', b'{"e":"kline","E":1,"s":"A"}',
    b'{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":1,"b":null,"a":[]}',
    b'{"e":5}', b'{"e":null}', b'{"e":"\xff"}', b'{"u":1,"s":"\xff"}',
    b'{"stream":"\xc3","data":1}', b'{"e":"\\ud800"}', b'{"stream":"x","data":null}',
    b'{"stream":"x","data":[]}',
    b"[" * 100_000, b'{"e":' * 100_000, b'{"u":' * 100_000, b'{"u":' + b"9" * 5_000 + b"}",
    b"\xef\xbb\xbf{}", "{}".encode("utf-16"),
]  # fmt: skip


@pytest.mark.parametrize("frame", GARBAGE, ids=range(len(GARBAGE)))
def test_a_frame_that_cannot_be_read_costs_itself_only(routed: Routed, frame: bytes) -> None:
    """It is counted, and the next good frame is told."""
    routed(frame)
    assert (routed.events, routed.counts) == ([], {"malformed": 1})
    routed(quote(1))
    assert len(routed.events) == 1


def test_malformed_frames_are_one_line_a_minute(
    routed: Routed, clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    """The line says how large it was and what is wrong, and shows nothing of its content."""
    with caplog.at_level("INFO", logger="foxtrot"):
        for _ in range(5):
            routed(b"signature=canary")
        clock(61.0)
        routed(b'{"e":"trade","x":"canary"}')
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "frame_type=other error_class=malformed action=drop" in lines[0]
    assert "frame_type=trade " in lines[1]
    assert "(16 bytes, sha256 " in lines[0]
    assert lines[0].endswith("not JSON")
    assert lines[1].endswith("wrong fields")
    assert "canary" not in caplog.text


def test_more_than_ten_malformed_frames_in_a_minute_end_the_session(
    routed: Routed, clock: Callable[[float], None]
) -> None:
    """Ten are borne; the eleventh says that the connection is rotten."""
    for _ in range(10):
        routed(b"nonsense")
        clock(5.9)
    assert routed.rotten == []
    routed(b"nonsense")
    (error,) = routed.rotten
    assert (error.venue, error.size, error.problem) == ("BINANCE", 8, "not JSON")


def test_malformed_frames_now_and_then_are_borne(
    routed: Routed, clock: Callable[[float], None]
) -> None:
    """Ten in every minute, for an hour."""
    for _ in range(600):
        routed(b"nonsense")
        clock(6.0)
    assert routed.rotten == []
    assert routed.counts == {"malformed": 600}


# -- other events -----------------------------------------------------------------------------


def test_an_announced_shutdown_is_passed_on(routed: Routed) -> None:
    """The session can move before the connection is cut."""
    routed(b'{"e":"serverShutdown","E":1}')
    assert routed.shutdowns == 1
    assert routed.counts == {"control": 1}


def test_an_unknown_event_is_logged_once_per_kind(
    routed: Routed, caplog: pytest.LogCaptureFixture
) -> None:
    """New kinds appear at venues; they are counted and do no harm."""
    with caplog.at_level("INFO", logger="foxtrot"):
        for kind in ("newKind", "newKind", "other"):
            routed(text({"e": kind, "s": "BTCUSDT", "u": 5}))
    assert [record.getMessage() for record in caplog.records] == [
        "unknown_event venue=BINANCE kind=newKind",
        "unknown_event venue=BINANCE kind=other",
    ]
    assert routed.counts == {"ignored": 3}


def test_a_venue_that_invents_kinds_does_not_flood_the_log(
    routed: Routed, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred kinds are enough to know."""
    with caplog.at_level("INFO", logger="foxtrot"):
        for number in range(300):
            routed(text({"e": f"kind{number}"}))
    assert len(caplog.records) == 100
    assert routed.counts == {"ignored": 300}


@pytest.mark.parametrize("hostile", ["\x1b[2J\x1b]0;x\x07", "a\nb", "\u202egnp", "x" * 100_000])
def test_hostile_text_reaches_no_terminal(
    routed: Routed, hostile: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A log line is one short printable line, whatever the venue calls its events."""
    with caplog.at_level("INFO", logger="foxtrot"):
        routed(text({"e": hostile}))
        routed(text({"u": 1, "s": hostile, "b": "1", "B": "1", "a": "2", "A": "1"}))
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.isprintable()
    assert len(line) < 400
