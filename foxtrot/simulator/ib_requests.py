"""What a client asks of TWS: one type for each message, named as the TWS API's client names it.

The order of the fields is that of the wire; `ib_parsing` reads them.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class ContractQuery(msgspec.Struct, frozen=True):
    """A contract as a client describes it: by `con_id`, or by as much as it cares to say."""

    con_id: int = 0
    symbol: str = ""
    sec_type: str = ""
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    multiplier: str = ""
    exchange: str = ""
    primary_exchange: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""


class Request(msgspec.Struct, frozen=True):
    """A message of a client. `kind` is what faults call it: one of `faults.REQUESTS`."""

    kind: ClassVar[str] = ""

    @property
    def error_id(self) -> int:
        """The id that an error about this request carries."""
        return -1


class Asked(Request, frozen=True):
    """A request with an id of the client's choice, which its answers carry."""

    req_id: int

    @property
    def error_id(self) -> int:
        """Its own."""
        return self.req_id


class Cancel(Asked, frozen=True):
    """Ends what a request with the same id began."""

    kind = "unsubscribe"


class StartApi(Request, frozen=True):
    """71: who the client is."""

    kind = "start_api"
    client_id: int
    capabilities: str


class ReqMktData(Asked, frozen=True):
    """1: the ticks of a contract, or one snapshot of them."""

    kind = "market_data"
    contract: ContractQuery
    generic_ticks: str
    snapshot: bool
    regulatory_snapshot: bool


class CancelMktData(Cancel, frozen=True):
    """2."""


class PlaceOrder(Request, frozen=True):
    """3: a new order, or another version of one. Prices are None where they are not set.

    `extras` are the names, in the API, of all else that it says and that would change its fate.
    """

    kind = "place"
    order_id: int
    contract: ContractQuery
    action: str
    quantity: float
    order_type: str
    limit_price: float | None
    aux_price: float | None
    tif: str
    oca_group: str
    account: str
    open_close: str
    origin: int
    order_ref: str
    transmit: bool
    parent_id: int
    outside_rth: bool
    hidden: bool
    good_after_time: str
    good_till_date: str
    model_code: str
    all_or_none: bool
    what_if: bool
    extras: tuple[str, ...] = ()

    @property
    def error_id(self) -> int:
        """The order's id."""
        return self.order_id


class CancelOrder(Request, frozen=True):
    """4."""

    kind = "cancel"
    order_id: int
    manual_time: str = ""

    @property
    def error_id(self) -> int:
        """The order's id."""
        return self.order_id


class ReqOpenOrders(Request, frozen=True):
    """5: the open orders of this client."""

    kind = "open_orders"


class ReqAccountUpdates(Request, frozen=True):
    """6: values and portfolio of one account, until it is ended."""

    kind = "account_updates"
    subscribe: bool
    account: str


class ReqExecutions(Asked, frozen=True):
    """7: the fills of today that the filter lets pass; an empty field lets all pass."""

    kind = "executions"
    client_id: int
    account: str
    time: str
    symbol: str
    sec_type: str
    exchange: str
    side: str


class ReqIds(Request, frozen=True):
    """8: the next valid order id."""

    kind = "order_ids"
    count: int


class ReqContractDetails(Asked, frozen=True):
    """9."""

    kind = "contract_details"
    contract: ContractQuery
    include_expired: bool
    sec_id_type: str
    sec_id: str
    issuer_id: str = ""


class ReqMktDepth(Asked, frozen=True):
    """10: the order book, as changes to its rows."""

    kind = "depth"
    contract: ContractQuery
    rows: int
    smart: bool
    options: str


class CancelMktDepth(Cancel, frozen=True):
    """11."""

    smart: bool


class SetServerLogLevel(Request, frozen=True):
    """14."""

    kind = "log_level"
    level: int


class ReqAutoOpenOrders(Request, frozen=True):
    """15: bind the orders of TWS's own window to this client."""

    kind = "auto_open_orders"
    bind: bool


class ReqAllOpenOrders(Request, frozen=True):
    """16: the open orders of all clients."""

    kind = "all_orders"


class ReqManagedAccts(Request, frozen=True):
    """17."""

    kind = "managed_accounts"


class ReqHistoricalData(Asked, frozen=True):
    """20: bars of the past."""

    kind = "history"
    contract: ContractQuery
    include_expired: bool
    end: str
    bar_size: str
    duration: str
    use_rth: bool
    what_to_show: str
    format_date: int
    keep_up_to_date: bool
    options: str


class CancelHistoricalData(Cancel, frozen=True):
    """25."""


class ReqCurrentTime(Request, frozen=True):
    """49."""

    kind = "current_time"


class ReqRealTimeBars(Asked, frozen=True):
    """50: bars of five seconds."""

    kind = "real_time_bars"
    contract: ContractQuery
    bar_size: int
    what_to_show: str
    use_rth: bool
    options: str


class CancelRealTimeBars(Cancel, frozen=True):
    """51."""


class ReqGlobalCancel(Request, frozen=True):
    """58: cancel every open order, whoever placed it."""

    kind = "cancel_all"


class ReqMarketDataType(Request, frozen=True):
    """59: 1 live, 2 frozen, 3 delayed, 4 delayed and frozen."""

    kind = "market_data_type"
    market_data_type: int


class ReqPositions(Request, frozen=True):
    """61: the positions of all accounts, until it is ended."""

    kind = "positions"


class ReqAccountSummary(Asked, frozen=True):
    """62."""

    kind = "account_summary"
    group: str
    tags: str


class CancelAccountSummary(Cancel, frozen=True):
    """63."""


class CancelPositions(Request, frozen=True):
    """64."""

    kind = "unsubscribe"


class ReqAccountUpdatesMulti(Asked, frozen=True):
    """76."""

    kind = "account_updates"
    account: str
    model_code: str
    ledger_and_nlv: bool


class CancelAccountUpdatesMulti(Cancel, frozen=True):
    """77."""


class ReqScannerParameters(Request, frozen=True):
    """24: what can be scanned for."""

    kind = "scanner_parameters"


class ReqSecDefOptParams(Asked, frozen=True):
    """78: expiries and strikes of the options on something."""

    kind = "option_chains"
    symbol: str
    exchange: str
    sec_type: str
    con_id: int


class ReqSmartComponents(Asked, frozen=True):
    """83: which letter stands for which exchange."""

    kind = "smart_components"
    bbo_exchange: str


class ReqNewsProviders(Request, frozen=True):
    """85: whose news the user has."""

    kind = "news_providers"


class ReqUserInfo(Asked, frozen=True):
    """104: under which brand the user is a customer."""

    kind = "user_info"


class ReqMatchingSymbols(Asked, frozen=True):
    """81: the stocks whose symbol or name begins like this."""

    kind = "symbol_samples"
    pattern: str


class ReqMktDepthExchanges(Request, frozen=True):
    """82."""

    kind = "depth_exchanges"


class ReqHeadTimeStamp(Asked, frozen=True):
    """87: when the data of a contract begins."""

    kind = "head_timestamp"
    contract: ContractQuery
    include_expired: bool
    use_rth: bool
    what_to_show: str
    format_date: int


class CancelHeadTimeStamp(Cancel, frozen=True):
    """90."""


class ReqMarketRule(Request, frozen=True):
    """91: the price increments of a rule."""

    kind = "market_rule"
    rule_id: int


class ReqPnL(Asked, frozen=True):
    """92."""

    kind = "pnl"
    account: str
    model_code: str


class CancelPnL(Cancel, frozen=True):
    """93."""


class ReqPnLSingle(Asked, frozen=True):
    """94."""

    kind = "pnl"
    account: str
    model_code: str
    con_id: int


class CancelPnLSingle(Cancel, frozen=True):
    """95."""


class ReqHistoricalTicks(Asked, frozen=True):
    """96."""

    kind = "history_ticks"
    contract: ContractQuery
    include_expired: bool
    start: str
    end: str
    count: int
    what_to_show: str
    use_rth: bool
    ignore_size: bool
    options: str


class ReqTickByTickData(Asked, frozen=True):
    """97: every print or quote: Last, AllLast, BidAsk or MidPoint."""

    kind = "tick_by_tick"
    contract: ContractQuery
    tick_type: str
    count: int
    ignore_size: bool


class CancelTickByTickData(Cancel, frozen=True):
    """98."""


class ReqCompletedOrders(Request, frozen=True):
    """99: the orders that ended today."""

    kind = "completed_orders"
    api_only: bool
