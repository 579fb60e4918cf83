"""What may be shown of a text: no secret, and an account only by a name of ours."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from foxtrot.core.redaction import scrub

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

_NUMBER = re.compile(r"[A-Za-z]{0,4}\d{5,20}")
_OF_IB = r"D?[UFI]\d{6,9}"
"""Accounts of Interactive Brokers, which a refused connect names before anything knows them."""

_TEXT_LIMIT = 1024
_KEPT_S, _MOST_TEXTS = 10.0, 20_000


class Veil:
    """Hides secrets and account numbers in everything that goes out.

    The names of accounts are other ones in every process, as a hash that stays the same can be
    searched for: there are only so many numbers.

    Thread safety: any thread.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._cloth = _Cloth({}, self.name)

    def name(self, account: str) -> str:
        """What an account is called outside, as long as this process lives."""
        digest = hmac.new(self._key, account.encode(), hashlib.sha256).hexdigest()
        return f"account-{digest[:8]}"

    def over(self, data: object, accounts: Iterable[str]) -> object:
        """The same data, made of dicts, lists and scalars, with every text cleaned."""
        names = {account: self.name(account) for account in accounts}
        if not self._cloth.fits(names):
            self._cloth = _Cloth(names, self.name)
        return self._cloth.over(data)


class _Cloth:
    """Cleans texts, each once: most are told again and again."""

    def __init__(self, names: dict[str, str], name: Callable[[str], str]) -> None:
        self._names, self._name = names, name
        known = [re.escape(each) for each in sorted(names, key=len, reverse=True)]
        pattern = "|".join([*known, _OF_IB])
        self._accounts = re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])")
        self._seen: dict[str, str] = {}
        self._until = time.monotonic() + _KEPT_S

    def fits(self, names: dict[str, str]) -> bool:
        """Whether it still hides all there is to hide; new secrets are known a little later."""
        fresh = time.monotonic() < self._until and len(self._seen) < _MOST_TEXTS
        return fresh and names == self._names

    def over(self, data: object) -> object:
        if isinstance(data, str):
            return self._seen.get(data) or self._text(data)
        if isinstance(data, dict):
            return {self._text(str(key)): self.over(value) for key, value in data.items()}
        if isinstance(data, list | tuple):
            return [self.over(value) for value in data]
        return data

    def _text(self, text: str) -> str:
        clean = self._seen.get(text)
        if clean is None:
            clean = scrub(text, limit=_TEXT_LIMIT)
            clean = self._accounts.sub(lambda match: self._name(match[0]), clean)
            self._seen[text] = clean
        return clean


def accounts_of(engine: MainEngine) -> frozenset[str]:
    """The account numbers that the process knows, from its settings and its venues."""
    return frozenset(each for each in _candidates(engine) if _NUMBER.fullmatch(each))


def _candidates(engine: MainEngine) -> Iterator[str]:
    for account in engine.get_all_accounts():
        yield account.accountid.partition(".")[0]
    for entry in engine.settings.venues.values():
        yield str(entry.connect.get("account", ""))
