"""The subscription book against a model, in any order of what users and venue do."""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from foxtrot.connectivity.subscriptions import SubscriptionManager
from foxtrot.model.constants import StreamState
from tests.support.sessions import tick

KEYS = [tick(name) for name in "ABCDEF"]
some = st.lists(st.sampled_from(KEYS), unique=True)
states = st.sampled_from([StreamState.ACTIVE, StreamState.POLLING])


class Book(RuleBasedStateMachine):
    """What is wanted, held and refused, kept beside the book as three plain sets."""

    def __init__(self) -> None:
        super().__init__()
        self.book = SubscriptionManager()
        self.wanted: set[object] = set()
        self.held: set[object] = set()
        self.failed: set[object] = set()
        self.now = 0

    @rule(keys=some)
    def want(self, keys: list) -> None:
        """A user asks."""
        fresh = self.book.want(keys, self.now)
        assert fresh == [k for k in keys if k not in self.wanted or k in self.failed]
        self.wanted |= set(keys)
        self.failed -= set(keys)

    @rule(keys=some)
    def drop(self, keys: list) -> None:
        """A user takes back."""
        assert self.book.drop(keys) == [k for k in keys if k in self.wanted]
        self.wanted -= set(keys)
        self.failed -= set(keys)

    @rule(state=states, answered=st.data())
    def subscribe(self, state: StreamState, answered: st.DataObject) -> None:
        """The venue gives some of what is asked for, refuses some and is silent on the rest."""
        asked = self.book.difference().add
        fates = [answered.draw(st.sampled_from(["held", "refused", "silent"])) for _ in asked]
        by_fate = {
            fate: [k for k, each in zip(asked, fates, strict=True) if each == fate]
            for fate in ("held", "refused", "silent")
        }
        self.book.holds(by_fate["held"], state, self.now)
        for key in by_fate["refused"]:
            self.book.refused(key, "no", self.now)
        self.book.unanswered(by_fate["silent"], "no answer")
        self.held |= set(by_fate["held"])
        self.failed |= set(by_fate["refused"])

    @rule(keys=some, state=states)
    def answer_late(self, keys: list, state: StreamState) -> None:
        """An answer for a request that was overtaken by the user's change of mind."""
        late = [key for key in keys if key not in self.failed]
        self.book.holds(late, state, self.now)
        self.held |= set(late)

    @rule()
    def unsubscribe(self) -> None:
        """The venue takes back what is wanted no more."""
        remove = self.book.difference().remove
        self.book.released(remove)
        self.held -= set(remove)

    @rule()
    def lose(self) -> None:
        """The session is gone."""
        self.book.lost(self.now, "lost")
        self.held.clear()

    @rule()
    def begin_anew(self) -> None:
        """A new session tries the refused streams once more."""
        self.book.lost(self.now, "lost")
        self.book.retry_refused(self.now)
        self.held.clear()
        self.failed.clear()

    @rule()
    def close_the_difference(self) -> None:
        """One round with a venue that gives everything leaves nothing to do."""
        difference = self.book.difference()
        self.book.released(difference.remove)
        self.book.holds(difference.add, StreamState.ACTIVE, self.now)
        self.held = (self.held - set(difference.remove)) | set(difference.add)
        assert not self.book.difference()
        assert self.book.complete == (not self.failed)

    @invariant()
    def nothing_wanted_is_forgotten(self) -> None:
        """The book wants what the users want."""
        self.now += 1
        assert set(self.book.wanted) == self.wanted
        assert len(self.book) == len(self.wanted)

    @invariant()
    def the_difference_is_the_gap(self) -> None:
        """To add: wanted, not held, not refused. To remove: held, not wanted. Each once."""
        add, remove = self.book.difference().add, self.book.difference().remove
        assert sorted(add, key=str) == sorted(self.wanted - self.held - self.failed, key=str)
        assert sorted(remove, key=str) == sorted(self.held - self.wanted, key=str)

    @invariant()
    def states_tell_the_truth(self) -> None:
        """Shown as served if and only if the venue gives it."""
        for key, entry in self.book.wanted.items():
            served = entry.state in (StreamState.ACTIVE, StreamState.POLLING)
            assert served == (key in self.held and key not in self.failed)
            assert (entry.state is StreamState.FAILED) == (key in self.failed)


Book.TestCase.settings = settings(stateful_step_count=40)
TestBook = Book.TestCase
