"""Interactive Brokers, through ib_async or ib_insync."""

from foxtrot.adapter.ib.adapter import IbAdapter

__all__ = ["IbAdapter"]
