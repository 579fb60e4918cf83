"""Event types keep vnpy's values."""

import msgspec
import pytest

from foxtrot.model import events
from foxtrot.model.constants import Lane
from foxtrot.model.events import Event

VNPY = {
    "EVENT_TIMER": "eTimer",
    "EVENT_TICK": "eTick.",
    "EVENT_TRADE": "eTrade.",
    "EVENT_ORDER": "eOrder.",
    "EVENT_POSITION": "ePosition.",
    "EVENT_ACCOUNT": "eAccount.",
    "EVENT_QUOTE": "eQuote.",
    "EVENT_CONTRACT": "eContract.",
    "EVENT_LOG": "eLog",
}


@pytest.mark.parametrize(("name", "value"), VNPY.items())
def test_a_type_has_vnpys_value(name: str, value: str) -> None:
    """vnpy's code registers for these strings."""
    assert getattr(events, name) == value


def test_no_two_types_are_the_same() -> None:
    """Nor does one begin another, so that type + topic is never another type."""
    values = [value for name, value in vars(events).items() if name.startswith("EVENT_")]
    assert len(values) == len(set(values))
    dotted = [value for value in values if value.endswith(".")]
    assert not [(a, b) for a in dotted for b in values if a != b and b.startswith(a)]


def test_an_event_without_more_is_reliable_and_has_no_topic() -> None:
    """As vnpy's own code makes them: Event(type, data)."""
    event = Event("eCustom", 1)
    assert (event.topic, event.lane) == ("", Lane.RELIABLE)
    with pytest.raises(AttributeError):
        event.data = 2  # type: ignore[misc]
    assert isinstance(event, msgspec.Struct)
