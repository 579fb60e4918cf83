"""What a line can suffer, as it is asked for."""

from __future__ import annotations

import pytest

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.toxics import TOXICS, ToxicBoard


def test_one_of_a_name_stands_for_each_way() -> None:
    """A toxic takes the place of the one before it; the other way keeps its own."""
    board = ToxicBoard()
    board.inject("latency", delay_s=1.0)
    board.inject("latency", delay_s=2.0, stream="upstream")
    board.inject("latency", delay_s=3.0)
    assert [(each.stream, each.delay_s) for each in board.faults()] == [
        ("upstream", 2.0),
        ("downstream", 3.0),
    ]


def test_toxics_go_by_name_or_all_at_once() -> None:
    """Who clears one leaves the others."""
    board = ToxicBoard()
    board.inject("down")
    board.inject("slicer", size_bytes=3)
    board.clear("down")
    assert [each.name for each in board.faults()] == ["slicer"]
    board.clear()
    assert board.faults() == ()


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("nothing", {}),
        ("latency", {"delay_s": -1.0}),
        ("latency", {"delay": 1.0}),
        ("latency", {"stream": "sideways"}),
        ("latency", {"toxicity": 1.5}),
        ("bandwidth", {}),
        ("slicer", {}),
        ("corrupt", {"size_bytes": "many"}),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(name: str, params: dict[str, object]) -> None:
    """The error says which toxic, and what is wrong with it."""
    with pytest.raises(ConfigurationError, match=name):
        ToxicBoard().inject(name, **params)


def test_a_share_of_the_connections_suffers_the_same_ones_for_the_same_seed() -> None:
    """A toxicity of a third strikes about a third, and never others when it is played again."""
    toxic = ToxicBoard().inject("latency", delay_s=1.0, toxicity=1 / 3)
    struck = [number for number in range(3_000) if toxic.strikes(7, number)]
    assert struck == [number for number in range(3_000) if toxic.strikes(7, number)]
    assert 800 < len(struck) < 1_200
    assert struck != [number for number in range(3_000) if toxic.strikes(8, number)]


def test_each_toxic_says_what_it_does() -> None:
    """The help is complete."""
    assert all(TOXICS.values())
