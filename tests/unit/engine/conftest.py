"""A main engine with one tiny venue."""

from collections.abc import Iterator

import pytest

from foxtrot.engine.main_engine import MainEngine


@pytest.fixture
def engine() -> Iterator[MainEngine]:
    """A main engine that is closed at the end."""
    with MainEngine() as made:
        yield made
