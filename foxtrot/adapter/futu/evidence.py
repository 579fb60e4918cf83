"""What an answer of OpenD proves of an order or a cancel. The one table of it; pure.

Only positive evidence rejects: Futu's own refusal, or a request that never left. Everything else
leaves the outcome open, and the order in doubt until Futu is asked.
"""

from __future__ import annotations

from foxtrot.errors import RateLimited, VenueError, VenueUnavailable
from foxtrot.gateway.trading import Doubtful, NotSent, Refused


def of_request(error: Exception, *, sent: bool) -> Refused | NotSent | Doubtful:
    """What it proves of a new order or a cancel that there was no good answer.

    That Futu's servers did not answer OpenD, or are away (`VenueUnavailable`), proves nothing:
    they may have the order.

    Args:
        error: What came instead of a good answer.
        sent: Whether the request may have left.
    """
    if not sent:
        return NotSent(str(error) or "its turn did not come in time")
    words = str(error) or "no answer in time"
    if isinstance(error, RateLimited):
        return Refused(words, error.retry_after_s)
    if isinstance(error, VenueError) and not isinstance(error, VenueUnavailable):
        return Refused(f"{error.code}: {error.text}")
    return Doubtful(f"no proof: {words}")
