"""What `connect` takes for Binance, validated."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from foxtrot.core.credentials import Secret, resolve
from foxtrot.errors import ConfigurationError, CredentialError
from foxtrot.gateway.base import Setting
from foxtrot.model.constants import Environment

REST_PATH = "/api/v3"
WEBSOCKET_PATH = "/stream/ws"
TRADING_PATH = "/ws-api/v3"

ENDPOINTS = {
    Environment.LIVE: (
        "https://api.binance.com/api/v3",
        "wss://stream.binance.com:9443/ws",
        "wss://ws-api.binance.com:443/ws-api/v3",
    ),
    Environment.TESTNET: (
        "https://testnet.binance.vision/api/v3",
        "wss://stream.testnet.binance.vision/ws",
        "wss://ws-api.testnet.binance.vision/ws-api/v3",
    ),
}
"""REST, streams and trading websocket of each environment that has fixed ones."""

FIELDS = (
    "environment",
    "api_key",
    "secret",
    "rest_url",
    "websocket_url",
    "trading_url",
    "allow_custom_endpoints",
    "depth_levels",
)
_URL_FIELDS = ("rest_url", "websocket_url", "trading_url")
DEPTH_LEVELS = (5, 10, 20)
_WHERE = "connect"


@dataclass(frozen=True, slots=True)
class BinanceSettings:
    """A validated connect setting. `rest_url` ends in /api/v3, `trading_url` in /ws-api/v3."""

    environment: Environment
    rest_url: str
    websocket_url: str
    trading_url: str
    api_key: Secret | None = None
    secret: Secret | None = None
    depth_levels: int = 20

    @property
    def account(self) -> str:
        """Names the account's journal: where it trades and a hash of its key; empty without.

        Each simulated venue counts its orders anew, so each is an account of its own.
        """
        if self.api_key is None:
            return ""
        place = self.endpoint if self.environment is Environment.SIMULATED else ""
        digest = hashlib.sha256(f"{place}/{self.api_key.reveal()}".encode()).hexdigest()[:12]
        return f"binance-{self.environment.value}-{digest}"

    @property
    def endpoint(self) -> str:
        """Host and port, fit to be shown."""
        return urlsplit(self.rest_url).netloc

    @classmethod
    def parse(cls, setting: Setting) -> BinanceSettings:
        """Validate what a user gave to `connect`.

        Raises:
            ConfigurationError: Names the field and what is allowed.
        """
        for field in setting:
            if field not in FIELDS:
                raise _wrong(field, f"is not known; allowed: {', '.join(FIELDS)}")
        environment = _environment(setting)
        rest, websocket, trading = _endpoints(setting, environment)
        api_key, secret = _secret(setting, "api_key"), _secret(setting, "secret")
        if (api_key is None) != (secret is None):
            missing = "secret" if secret is None else "api_key"
            raise CredentialError(_WHERE, missing, "is missing; give both or neither")
        return cls(environment, rest, websocket, trading, api_key, secret, _levels(setting))


def _wrong(field: str, problem: str) -> ConfigurationError:
    return ConfigurationError(_WHERE, field, problem)


def _text(setting: Setting, field: str) -> str:
    value = setting.get(field, "")
    if isinstance(value, list):  # a desktop's choice: the first is the default
        value = value[0] if value else ""
    if not isinstance(value, str):
        raise _wrong(field, f"must be text, was {type(value).__name__}")
    return value.strip()


def _environment(setting: Setting) -> Environment:
    allowed = [Environment.SIMULATED, *reversed(ENDPOINTS)]
    names = ", ".join(each.value for each in allowed)
    text = _text(setting, "environment").lower()
    if not text:
        raise _wrong("environment", f"is missing; choose one of: {names}")
    for each in allowed:
        if text == each.value:
            return each
    raise _wrong("environment", f"is not one of: {names}")


def _endpoints(setting: Setting, environment: Environment) -> tuple[str, str, str]:
    rest = _text(setting, "rest_url")
    websocket, trading = _text(setting, "websocket_url"), _text(setting, "trading_url")
    if environment is Environment.SIMULATED:
        if not rest:
            advice = "is missing; start a venue with: foxtrot sim binance --port 9001, and give "
            raise _wrong("rest_url", advice + "http://127.0.0.1:9001")
        host = rest.rstrip("/").removesuffix(REST_PATH)
        websocket = websocket or "ws" + host.removeprefix("http")
        trading = trading or _host_of(websocket)
    elif not (rest or websocket or trading):
        return ENDPOINTS[environment]
    else:
        known = ENDPOINTS[environment]
        rest, websocket = rest or known[0], websocket or known[1]
        trading = trading or (known[2] if websocket == known[1] else _host_of(websocket))
        if (rest, websocket, trading) == known:
            return known
        if not _flag(setting, "allow_custom_endpoints"):
            problem = "differs from the venue's own; set allow_custom_endpoints if you mean it"
            given = dict(zip(_URL_FIELDS, (rest, websocket, trading), strict=True))
            own = dict(zip(_URL_FIELDS, known, strict=True))
            raise _wrong(
                next(field for field in _URL_FIELDS if given[field] != own[field]), problem
            )
    _check_url("rest_url", rest, ("https", "http"), environment)
    _check_url("websocket_url", websocket, ("wss", "ws"), environment)
    _check_url("trading_url", trading, ("wss", "ws"), environment)
    paths = (rest, REST_PATH), (websocket, WEBSOCKET_PATH), (trading, TRADING_PATH)
    rest, websocket, trading = (_with_path(url, path) for url, path in paths)
    return rest, websocket, trading


def _host_of(websocket: str) -> str:
    """Scheme, host and port of the streams, where the trading websocket is too unless told."""
    scheme, separator, rest = websocket.partition("://")
    return f"{scheme}{separator}{rest.partition('/')[0]}"


def _check_url(field: str, url: str, schemes: tuple[str, str], environment: Environment) -> None:
    secure, plain = schemes
    if not url.isprintable() or " " in url:  # urlsplit would look past them
        raise _wrong(field, "is not a URL")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise _wrong(field, "is not a URL") from None
    if parts.scheme not in schemes or not host:
        raise _wrong(field, f"must start with {secure}:// (or {plain}:// on this machine)")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _wrong(field, "must hold scheme, host, port and path only")
    local = _is_loopback(host)
    if parts.scheme == plain and not local:
        raise _wrong(field, f"must use {secure}:// beyond this machine")
    if environment is Environment.SIMULATED and not local:
        problem = "must be an address of this machine while environment is simulated"
        raise _wrong(field, problem)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _with_path(url: str, path: str) -> str:
    url = url.rstrip("/")
    return url if urlsplit(url).path else url + path


def _secret(setting: Setting, field: str) -> Secret | None:
    reference = _text(setting, field)
    return resolve(reference, where=_WHERE, field=field) if reference else None


def _flag(setting: Setting, field: str) -> bool:
    """A yes or no; as text too, since a desktop's form knows no booleans."""
    value = setting.get(field, False)
    if isinstance(value, list):
        value = value[0] if value else False
    words = {True: True, False: False, "true": True, "false": False, "": False}
    key = value.strip().lower() if isinstance(value, str) else value
    if isinstance(key, bool | str) and key in words:
        return words[key]
    raise _wrong(field, "must be true or false")


def _levels(setting: Setting) -> int:
    value = setting.get("depth_levels", max(DEPTH_LEVELS))
    if isinstance(value, list):
        value = value[0] if value else max(DEPTH_LEVELS)
    allowed = {str(levels): levels for levels in DEPTH_LEVELS}
    if isinstance(value, bool) or str(value) not in allowed:
        raise _wrong("depth_levels", f"must be one of: {', '.join(allowed)}")
    return allowed[str(value)]
