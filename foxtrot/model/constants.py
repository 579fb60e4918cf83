"""Enums of the model. Names are vnpy's; foxtrot's own additions are marked."""

from __future__ import annotations

from enum import Enum, IntEnum


class _Constant(Enum):
    """Hashed by identity: Enum hashes by name, in Python, and keys of hot tables hold several."""

    __hash__ = object.__hash__


class Direction(_Constant):
    """Side of an order, trade or position."""

    LONG = "Long"
    SHORT = "Short"
    NET = "Net"


class Offset(_Constant):
    """Whether an order opens or closes a position."""

    NONE = ""
    OPEN = "Open"
    CLOSE = "Close"
    CLOSETODAY = "Close today"
    CLOSEYESTERDAY = "Close yesterday"


class Status(_Constant):
    """State of an order as strategies and desktops see it."""

    SUBMITTING = "Submitting"
    NOTTRADED = "Not traded"
    PARTTRADED = "Partly traded"
    ALLTRADED = "All traded"
    CANCELLED = "Cancelled"
    REJECTED = "Rejected"


ACTIVE_STATUSES = frozenset({Status.SUBMITTING, Status.NOTTRADED, Status.PARTTRADED})
"""Statuses of an order that may still trade."""


class Product(_Constant):
    """Kind of a contract."""

    EQUITY = "Equity"
    FUTURES = "Futures"
    OPTION = "Option"
    INDEX = "Index"
    FOREX = "Forex"
    SPOT = "Spot"
    ETF = "ETF"
    BOND = "Bond"
    WARRANT = "Warrant"
    SPREAD = "Spread"
    FUND = "Fund"
    CFD = "CFD"
    SWAP = "Swap"


class OrderType(_Constant):
    """Type of an order; STOP_LIMIT and POST_ONLY are foxtrot's additions."""

    LIMIT = "Limit"
    MARKET = "Market"
    STOP = "Stop"
    FAK = "FAK"
    FOK = "FOK"
    RFQ = "RFQ"
    ETF = "ETF"
    STOP_LIMIT = "Stop limit"
    POST_ONLY = "Post only"


class OptionType(_Constant):
    """Call or put."""

    CALL = "Call"
    PUT = "Put"


class Interval(_Constant):
    """Length of a bar, with vnpy's values; the others are foxtrot's additions."""

    SECOND_5 = "5s"
    MINUTE = "1m"
    MINUTE_5 = "5m"
    MINUTE_15 = "15m"
    HOUR = "1h"
    HOUR_4 = "4h"
    DAILY = "d"
    WEEKLY = "w"
    TICK = "tick"


class Exchange(_Constant):
    """Where a contract is traded; BINANCE is foxtrot's addition to vnpy's list."""

    # mainland China
    CFFEX = "CFFEX"
    SHFE = "SHFE"
    CZCE = "CZCE"
    DCE = "DCE"
    INE = "INE"
    GFEX = "GFEX"
    SSE = "SSE"
    SZSE = "SZSE"
    BSE = "BSE"
    SHHK = "SHHK"
    SZHK = "SZHK"
    SGE = "SGE"
    WXE = "WXE"
    CFETS = "CFETS"
    XBOND = "XBOND"
    # rest of the world
    SMART = "SMART"
    NYSE = "NYSE"
    NASDAQ = "NASDAQ"
    ARCA = "ARCA"
    EDGEA = "EDGEA"
    ISLAND = "ISLAND"
    BATS = "BATS"
    IEX = "IEX"
    AMEX = "AMEX"
    TSE = "TSE"
    NYMEX = "NYMEX"
    COMEX = "COMEX"
    GLOBEX = "GLOBEX"
    IDEALPRO = "IDEALPRO"
    CME = "CME"
    ICE = "ICE"
    SEHK = "SEHK"
    HKFE = "HKFE"
    SGX = "SGX"
    CBOT = "CBOT"
    CBOE = "CBOE"
    CFE = "CFE"
    DME = "DME"
    EUREX = "EUX"
    APEX = "APEX"
    LME = "LME"
    BMD = "BMD"
    TOCOM = "TOCOM"
    EUNX = "EUNX"
    KRX = "KRX"
    OTC = "OTC"
    IBKRATS = "IBKRATS"
    # crypto
    BINANCE = "BINANCE"
    # neither
    LOCAL = "LOCAL"
    GLOBAL = "GLOBAL"


class Environment(_Constant):
    """What a session talks to. Never defaults to LIVE."""

    SIMULATED = "simulated"
    TESTNET = "testnet"
    PAPER = "paper"
    LIVE = "live"


class Channel(_Constant):
    """What a subscription delivers."""

    TICK = "tick"
    DEPTH = "depth"
    TRADE = "trade"
    BAR = "bar"


class Mode(_Constant):
    """How a stream is served."""

    WEBSOCKET = "websocket"
    POLLING = "polling"


class ConnectionState(_Constant):
    """State of a session; `connectivity.lifecycle` holds the allowed transitions."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    SYNCING = "syncing"
    READY = "ready"
    DEGRADED = "degraded"
    RECONNECTING = "reconnecting"
    CLOSING = "closing"
    CLOSED = "closed"
    FAILED = "failed"


class StreamState(_Constant):
    """State of one subscription."""

    PENDING = "pending"
    ACTIVE = "active"
    QUIET = "quiet"
    STALE = "stale"
    POLLING = "polling"
    FAILED = "failed"


class Lane(IntEnum):
    """How the EventEngine treats an event under load.

    RELIABLE is never dropped. BOUNDED is never conflated; past the bound the oldest is dropped.
    LATEST keeps only the newest per (type, topic, adapter) once the backlog is old.
    """

    RELIABLE = 0
    BOUNDED = 1
    LATEST = 2
