"""What the cards share: a venue that runs, a rig against it, and the proof that nothing is left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

for card in ("base", "connection", "market_data", "modes", "history", "closing"):
    pytest.register_assert_rewrite(f"tests.conformance.{card}")
for card in ("orders", "outcomes", "reconciling", "conditions"):
    pytest.register_assert_rewrite(f"tests.conformance.{card}")

from tests.support.rig import nothing_left  # noqa: E402


@pytest.fixture(autouse=True)
def left(sdk: None) -> Iterator[None]:
    """No test leaves a thread or a descriptor behind."""
    with nothing_left():
        yield


@pytest.fixture(scope="session")
def sdk() -> None:
    """The SDKs are imported once, before anything is counted."""
    from foxtrot.adapter.binance import wire  # noqa: F401
    from foxtrot.adapter.futu.sdk import sdk

    sdk()  # its thread lives as long as the process
