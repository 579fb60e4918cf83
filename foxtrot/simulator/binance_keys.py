"""Who may ask the simulated Binance for what: API keys, signatures and clocks."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping

import msgspec

from foxtrot.simulator.binance_params import Params, refusal, text_of

SIMULATED_KEY = "SIMULATED-KEY-OPENS-NOTHING"
# S105: a canary that opens nothing
SIMULATED_SECRET = "SIMULATED-SECRET-OPENS-NOTHING"  # noqa: S105
_RECV_WINDOW_MS, _RECV_WINDOW_MAX_MS, _AHEAD_MS = 5_000, 60_000, 1_000


class ApiKey(msgspec.Struct, frozen=True):
    """A key to an account; keys of the same `account` share orders and balances."""

    key: str = SIMULATED_KEY
    secret: str = SIMULATED_SECRET
    account: str = "main"
    may_trade: bool = True

    def __repr__(self) -> str:
        return f"ApiKey(account={self.account!r}, may_trade={self.may_trade})"


class Credentials(msgspec.Struct, frozen=True):
    """What a request shows at the door: its key, and the text that its signature is of."""

    key: str
    signed_text: str


class Keys:
    """The keys that the venue has given out.

    Args:
        keys: All of them.
    """

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys: Mapping[str, ApiKey] = {key.key: key for key in keys}

    def __repr__(self) -> str:
        return f"<Keys {len(self._keys)}>"

    def find(self, key: str) -> ApiKey | None:
        """The key of this name, whether or not the request is signed well."""
        return self._keys.get(key)

    def check(self, shown: Credentials, params: Params, now_ms: int, *, trading: bool) -> ApiKey:
        """The key of a request that is let in.

        Raises:
            web.HTTPException: -2014, -2015, -1102, -1021, -1022 or -1131, in Binance's words.
        """
        if not shown.key:
            raise refusal(-2014, "API-key format invalid.", status=401)
        signature = text_of(params, "signature")
        _check_time(params, now_ms)
        key = self._keys.get(shown.key)
        if key is None:
            raise _not_permitted()
        good = hmac.new(key.secret.encode(), shown.signed_text.encode(), hashlib.sha256)
        if not hmac.compare_digest(good.hexdigest().encode(), signature.lower().encode()):
            raise refusal(-1022, "Signature for this request is not valid.")
        if trading and not key.may_trade:
            raise _not_permitted()
        return key


def _not_permitted() -> Exception:
    return refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def _check_time(params: Params, now_ms: int) -> None:
    sent_ms = _whole(text_of(params, "timestamp"), "timestamp")
    window_ms = _whole(params.get("recvWindow", str(_RECV_WINDOW_MS)), "recvWindow")
    if window_ms > _RECV_WINDOW_MAX_MS:
        raise refusal(-1131, "recvWindow must be less than 60000")
    if sent_ms >= now_ms + _AHEAD_MS:
        raise refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - sent_ms > window_ms:
        raise refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def _whole(text: str, name: str) -> int:
    """A number of milliseconds; recvWindow may have three decimals."""
    whole, _, part = text.partition(".")
    good = whole.isascii() and whole.isdigit() and len(whole) <= 20
    if not good or (part and not (part.isdigit() and len(part) <= 3 and name == "recvWindow")):
        raise refusal(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.",
        )
    return int(whole)
