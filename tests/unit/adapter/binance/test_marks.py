"""How far a stream was told, over sessions."""

from foxtrot.adapter.binance.marks import RESYNC_NS, Mark, Marks, Overlap, day_of
from foxtrot.model.constants import Channel, Exchange
from foxtrot.model.health import StreamKey

KEY = StreamKey(Channel.TICK, "BTCUSDT", Exchange.BINANCE)


def test_the_first_number_is_never_old() -> None:
    """Whatever the venue begins with."""
    assert not Mark().is_old(0, 0)


def test_the_same_and_the_lower_numbers_are_old() -> None:
    """Only a higher number is news."""
    mark = Mark()
    mark.at = 10
    assert mark.is_old(10, 0)
    assert mark.is_old(9, 0)
    assert not mark.is_old(11, 0)


def test_a_venue_that_counts_anew_needs_time_and_several_witnesses() -> None:
    """Neither many old frames at once nor two far apart are enough."""
    burst = Mark()
    burst.at = 10
    assert all(burst.is_old(1, 0) for _ in range(1_000))
    rare = Mark()
    rare.at = 10
    assert rare.is_old(1, 0)
    assert rare.is_old(2, 10 * RESYNC_NS)
    assert not rare.is_old(3, 10 * RESYNC_NS)


def test_doubts_end_when_something_new_is_told() -> None:
    """They are counted anew against each mark."""
    mark = Mark()
    mark.at = 10
    assert mark.is_old(1, 0)
    assert mark.is_old(1, 0)
    mark.at = 11
    assert mark.is_old(1, 10 * RESYNC_NS)
    assert mark.is_old(1, 11 * RESYNC_NS)


def test_a_stream_has_one_mark_for_each_of_its_parts() -> None:
    """Every session finds the same one, until nobody wants the stream."""
    marks = Marks()
    mark, day = marks.of(KEY), marks.of(day_of(KEY))
    other = marks.of(StreamKey(Channel.TICK, "ETHUSDT", Exchange.BINANCE))
    assert mark is not day
    assert marks.of(KEY) is mark
    marks.forget(KEY)
    assert marks.of(KEY) is not mark
    assert marks.of(day_of(KEY)) is not day
    assert marks.of(StreamKey(Channel.TICK, "ETHUSDT", Exchange.BINANCE)) is other


def test_a_stream_was_heard_when_any_of_its_parts_was() -> None:
    """The latest counts; of what nobody wants nothing is known."""
    marks = Marks()
    assert marks.heard_ns(KEY) == 0
    marks.of(KEY).heard_ns, marks.of(day_of(KEY)).heard_ns = 5, 7
    assert marks.heard_ns(KEY) == 7
    marks.of(KEY).heard_ns = 9
    assert marks.heard_ns(KEY) == 9
    marks.forget(KEY)
    assert marks.heard_ns(KEY) == 0


def test_what_comes_late_in_an_overlap_is_news_once() -> None:
    """Numbers from before are not, nor is one that was told."""
    overlap = Overlap(10)
    assert not overlap.is_news(10)
    for number in (14, 11, 13, 12):
        assert overlap.is_news(number)
        overlap.told(number)
        assert not overlap.is_news(number)


def test_an_overlap_remembers_a_bounded_number() -> None:
    """Of more than ten thousand the oldest count as told: rather one lost than one twice."""
    overlap = Overlap(0)
    for number in range(2, 10_004):
        overlap.told(number)
    assert not any(overlap.is_news(number) for number in range(10_004))
    assert overlap.is_news(10_004)
    assert len(overlap._told) == 10_000
