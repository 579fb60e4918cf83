"""Capabilities say what may be asked for."""

from foxtrot.gateway.capabilities import Capabilities
from foxtrot.model.constants import Channel


def test_a_channel_may_be_served_by_either_way() -> None:
    """What is streamed or polled can be subscribed."""
    capabilities = Capabilities(
        streamed=frozenset({Channel.TICK, Channel.DEPTH}), polled=frozenset({Channel.TICK})
    )
    assert capabilities.channels == {Channel.TICK, Channel.DEPTH}


def test_nothing_is_offered_by_default() -> None:
    """An adapter has to say what it can."""
    assert Capabilities().channels == frozenset()
    assert not Capabilities().history
    assert Capabilities().orders == frozenset()
