"""Orders in TWS's words and back: what its times mean."""

from __future__ import annotations

import pytest

from foxtrot.adapter.ib import order_mapping

AT_NS = 1_762_265_604_000_000_000


@pytest.mark.parametrize(
    ("told", "at_ns"),
    [
        ("20251104 14:13:24 UTC", AT_NS),
        ("20251104-14:13:24", AT_NS),
        ("20251104-14:13:24 UTC", AT_NS),
        ("20251104 09:13:24 US/Eastern", AT_NS),
        ("20251104  09:13:24 US/Eastern", AT_NS),
        ("20251104 23:13:24 JST (Japan Standard Time)", AT_NS),
        ("20251104  14:13:24", 0),
        ("20251304 14:13:24 UTC", 0),
        ("00010101 00:00:00 Asia/Tokyo", 0),
        ("", 0),
        ("soon", 0),
    ],
)
def test_a_time_is_read_however_tws_writes_it(told: str, at_ns: int) -> None:
    """With a zone, or with a dash for UTC; what cannot be read is no time, and no error."""
    assert order_mapping.moment(told) == at_ns
