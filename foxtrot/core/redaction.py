"""Takes secrets and terminal tricks out of texts, before anybody sees them.

Thread safety: every function may be called from any thread.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from urllib.parse import quote

REDACTED = "<redacted>"
TEXT_LIMIT = 256
"""Longest text of one log field."""

_SHORTEST_VALUE = 4  # anything shorter would tear every line to shreds
_SHORTEST_LINE = 16
_MOST_VALUES = 512

_NAMES = (
    r"signature|listen_?key|(?:x-mbx-)?api_?-?key|api_?secret|secret_?key|private_?key|secret"
    r"|passw(?:or)?d|passphrase|(?:access_?|refresh_?|auth_?|id_?)?token|authorization|cookie"
)
# Every quantifier over text that a venue may choose is anchored or bounded: linear time.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # a dict or JSON, perhaps escaped once more: "apiKey": "…"
    (
        re.compile(
            rf"""(?is)(\\{{0,3}}(["'])[\w.-]{{0,64}}(?:{_NAMES})\\{{0,3}}\2\s{{0,8}}:\s{{0,8}}"""
            rf"""b?\\{{0,3}}(["'])).*?(?=\\{{0,3}}\3|\Z)"""
        ),
        rf"\1{REDACTED}",
    ),
    # a query string or keyword: signature=…, api_key='…'
    (re.compile(rf"""(?is)((?:{_NAMES})=b?(["'])).*?(?=\2|\Z)"""), rf"\1{REDACTED}"),
    (re.compile(rf"""(?i)((?:{_NAMES})=)[^&\s"'<>,;)\]}}]+"""), rf"\1{REDACTED}"),
    # headers as text
    (
        re.compile(r"""(?i)((?:authorization|x-mbx-apikey|cookie)\s{0,8}:\s{0,8})[^\r\n"'<]+"""),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(?i)\b(bearer\s{1,8})[\w.~+/=-]{8,}"), rf"\1{REDACTED}"),
    # https://user:password@host
    (re.compile(r"(://)[^/\s@]{1,512}@"), rf"\1{REDACTED}@"),
    # stream keys in a path, and anything that looks like a key of 60 characters
    (re.compile(r"(/(?:ws|stream)/)[A-Za-z0-9_-]{24,}"), rf"\1{REDACTED}"),
    (re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{60,}"), REDACTED),
)

# Texts without any of these match no pattern above; most field values are such.
_KEY_LENGTH = 60
_SUSPICIOUS = re.compile(r"[=:/\"']|[Bb][Ee][Aa][Rr][Ee][Rr]")

_SECRET_FIELD = re.compile(rf"(?i)(?:^|[_.-])(?:{_NAMES})s?$|apikey$|listenkey$")

# controls, soft hyphen, zero-width and bidirectional marks, line separators, BOM, surrogates
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


class _KnownValues:
    """The newest secret values of this process, in every spelling a text may show them in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._order: OrderedDict[str, None] = OrderedDict()
        self.spellings: tuple[str, ...] = ()

    def add(self, value: str) -> None:
        if len(value) < _SHORTEST_VALUE:
            return
        with self._lock:
            known = len(self._order)
            for text in _spellings(value):
                self._order[text] = None
                self._order.move_to_end(text)
            if len(self._order) == known:
                return
            while len(self._order) > _MOST_VALUES:
                self._order.popitem(last=False)
            self.spellings = tuple(sorted(self._order, key=len, reverse=True))


def _spellings(value: str) -> Iterator[str]:
    yield value
    yield quote(value, safe="", errors="replace")
    yield repr(value)[1:-1]
    if "\n" in value:
        lines = (line.strip() for line in value.splitlines())
        yield from (x for x in lines if len(x) >= _SHORTEST_LINE and not x.startswith("-----"))


_known = _KnownValues()


def register_secret(value: str) -> None:
    """Have `scrub` remove `value` from every text from now on; the newest 512 spellings count."""
    _known.add(value)


def is_secret_field(name: str) -> bool:
    """Whether a field of this name holds a secret, whatever its value looks like."""
    return _SECRET_FIELD.search(name) is not None


def scrub(text: str, *, limit: int | None = None, keep_newlines: bool = False) -> str:
    """Remove secrets from `text` and escape what could play tricks on a terminal or a log.

    Args:
        text: Anything, also a foreign exception's words.
        limit: Cut the result to so many characters; None for no limit.
        keep_newlines: Leave line feeds and tabs alone, for tracebacks.
    """
    for value in _known.spellings:
        if value in text:
            text = _without(text, value)
    if len(text) >= _KEY_LENGTH or _SUSPICIOUS.search(text):
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
    text = _UNPRINTABLE.sub(_keep_layout if keep_newlines else _escape, text)
    if limit is not None and len(text) > limit:
        return text[: max(limit - 1, 0)] + "…"
    return text


def printable(text: str) -> str:
    """Escape what could play tricks on a terminal; line feeds and tabs stay."""
    return _UNPRINTABLE.sub(_keep_layout, text)


def _without(text: str, value: str) -> str:
    if not value.isdecimal():
        return text.replace(value, REDACTED)
    # A password of six digits is not what it happens to be a part of: a price, an order's number.
    return re.sub(rf"(?<!\d){value}(?!\d)", REDACTED, text)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def _keep_layout(match: re.Match[str]) -> str:
    return match[0] if match[0] in "\n\t" else _escape(match)
