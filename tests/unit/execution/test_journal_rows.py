"""What is in a row can be read back as it was, whatever was in it."""

import math
from decimal import Decimal

import msgspec
import pytest

from foxtrot.errors import Action, JournalError
from foxtrot.execution.reports import OrderState
from tests.support.journals import Opener, fill, intent, outcome


def test_what_cannot_be_read_back_is_not_written(opened: Opener) -> None:
    """A number that is not finite, or half a character, would spoil the whole file."""
    journal = opened()
    order = intent(journal.next_orderid())
    for change in ({"volume": math.nan}, {"price": math.inf}, {"reference": "\ud800"}):
        request = msgspec.structs.replace(order.request, **change)
        with pytest.raises(JournalError, match="too large, or half a character") as refusal:
            journal.intend(msgspec.structs.replace(order, request=request))
        assert refusal.value.action is Action.STOP
    bad = msgspec.structs.replace(outcome(order, OrderState.ACCEPTED), traded=Decimal("NaN"))
    good = outcome(intent("ext-7"), OrderState.ACCEPTED)
    journal.record([bad, good], [fill("\udfff", 1), fill("ext-7", 2**63)])
    journal.close()
    journal = opened()
    assert journal.set_aside is None
    assert journal.open_records() == [good]


def test_hostile_text_is_kept_as_it_is(opened: Opener) -> None:
    """Names of symbols and reasons come from outside."""
    journal = opened()
    text = "a\x00b'\"; DROP TABLE orders; \u202e\U0001f600\r\n" + "x" * 5000
    record = outcome(intent("ext-\x00'", symbol=text), OrderState.ACCEPTED)
    journal.record([msgspec.structs.replace(record, reason=text)], [fill(text, 1, symbol=text)])
    journal.close()
    journal = opened()
    assert journal.open_records()[0].reason == text
    assert journal.fills_of([text]) == [fill(text, 1, symbol=text)]
