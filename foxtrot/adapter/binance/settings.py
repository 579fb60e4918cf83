"""What `connect` takes for Binance, validated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

from foxtrot.core.credentials import Secret
from foxtrot.errors import CredentialError
from foxtrot.gateway.connect_fields import (
    WHERE,
    ConnectFields,
    Setting,
    is_loopback,
    wrong,
)
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
    def account_key(self) -> str:
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
        fields = ConnectFields(setting, FIELDS)
        environment = fields.environment((Environment.SIMULATED, *reversed(ENDPOINTS)))
        rest, websocket, trading = _endpoints(fields, environment)
        api_key, secret = fields.secret("api_key"), fields.secret("secret")
        if (api_key is None) != (secret is None):
            missing = "secret" if secret is None else "api_key"
            raise CredentialError(WHERE, missing, "is missing; give both or neither")
        return cls(environment, rest, websocket, trading, api_key, secret, _levels(fields))


def _endpoints(fields: ConnectFields, environment: Environment) -> tuple[str, str, str]:
    rest = fields.text("rest_url")
    websocket, trading = fields.text("websocket_url"), fields.text("trading_url")
    if environment is Environment.SIMULATED:
        if not rest:
            advice = "is missing; start a venue with: foxtrot sim binance --port 9001, and give "
            raise wrong("rest_url", advice + "http://127.0.0.1:9001")
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
        if not fields.flag("allow_custom_endpoints"):
            problem = "differs from the venue's own; set allow_custom_endpoints if you mean it"
            given = dict(zip(_URL_FIELDS, (rest, websocket, trading), strict=True))
            own = dict(zip(_URL_FIELDS, known, strict=True))
            raise wrong(next(field for field in _URL_FIELDS if given[field] != own[field]), problem)
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
        raise wrong(field, "is not a URL")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise wrong(field, "is not a URL") from None
    if parts.scheme not in schemes or not host:
        raise wrong(field, f"must start with {secure}:// (or {plain}:// on this machine)")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise wrong(field, "must hold scheme, host, port and path only")
    local = is_loopback(host)
    if parts.scheme == plain and not local:
        raise wrong(field, f"must use {secure}:// beyond this machine")
    if environment is Environment.SIMULATED and not local:
        problem = "must be an address of this machine while environment is simulated"
        raise wrong(field, problem)


def _with_path(url: str, path: str) -> str:
    url = url.rstrip("/")
    return url if urlsplit(url).path else url + path


def _levels(fields: ConnectFields) -> int:
    value = fields.scalar("depth_levels")
    allowed = {"": max(DEPTH_LEVELS), **{str(levels): levels for levels in DEPTH_LEVELS}}
    if isinstance(value, bool) or str(value) not in allowed:
        raise wrong("depth_levels", f"must be one of: {', '.join(map(str, DEPTH_LEVELS))}")
    return allowed[str(value)]
