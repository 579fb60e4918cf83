"""A loop that stands still is noticed, named and shown, and so is its going on."""

import threading

import pytest

from foxtrot.core.bridge import AsyncThreadBridge


def block_here(until: threading.Event) -> None:
    """Stand still on the loop, where the stack shows it."""
    assert until.wait(10.0)


class Told:
    """Waits for words in the log."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.blocked, self.again = threading.Event(), threading.Event()
        self.fields: dict[str, object] = {}

        def error(event: str, **fields: object) -> None:
            self.fields = {"event": event, **fields}
            self.blocked.set()

        monkeypatch.setattr("foxtrot.core.loop_watch.log.error", error)
        monkeypatch.setattr(
            "foxtrot.core.loop_watch.log.warning", lambda event, **fields: self.again.set()
        )


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What the watch says, soon."""
    monkeypatch.setattr("foxtrot.core.loop_watch.BEAT_S", 0.01)
    monkeypatch.setattr("foxtrot.core.loop_watch.BLOCKED_AFTER_S", 0.1)
    return Told(monkeypatch)


def test_a_blocked_loop_is_named_with_the_place_that_blocks_it(told: Told) -> None:
    """Health says for how long, the log shows the stack, and both say when it turns again."""
    until = threading.Event()
    with AsyncThreadBridge() as bridge:
        assert bridge.health().blocked_s == 0.0
        bridge.call_soon(block_here, until)
        assert told.blocked.wait(10.0)
        assert told.fields["event"] == "loop_blocked"
        stack = told.fields["stack"]
        assert isinstance(stack, list)
        assert any("block_here" in line for line in stack)
        assert bridge.health().blocked_s > 0.0
        until.set()
        assert told.again.wait(10.0)


def test_a_bridge_stops_while_its_loop_is_watched(told: Told) -> None:
    """No thread of the watch is left."""
    with AsyncThreadBridge() as bridge:
        name = bridge.health().running
    assert name
    assert not [each for each in threading.enumerate() if each.name.endswith("-watch")]
