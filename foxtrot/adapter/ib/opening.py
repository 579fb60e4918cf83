"""Opening a connection to TWS, with the real cause when it does not open."""

from __future__ import annotations

import asyncio

from foxtrot.adapter.ib.errors import translate
from foxtrot.adapter.ib.sdk import RawClient
from foxtrot.adapter.ib.settings import IbSettings
from foxtrot.core.redaction import TEXT_LIMIT, scrub
from foxtrot.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionClosed,
    ConnectTimeout,
    FoxtrotError,
    StreamingError,
)
from foxtrot.model.constants import Environment


async def connect(
    venue: str,
    raw: RawClient,
    settings: IbSettings,
    client_id: int,
    lost: asyncio.Future[FoxtrotError],
    timeout_s: float,
) -> None:
    """The SDK's connect, which alone would go on waiting when TWS has said no already.

    Args:
        venue: Name of the adapter.
        raw: Unopened.
        settings: Where to connect to.
        client_id: Under which TWS is to know the connection.
        lost: Set by whoever hears that TWS says no, or that the line has ended.
        timeout_s: For everything.

    Raises:
        ConnectError: Refused, closed, or not answered in time.
        FoxtrotError: What TWS said.
    """
    dialled = raw.connectAsync(settings.host, settings.port, client_id, 0)
    connecting = asyncio.ensure_future(dialled)
    either: tuple[asyncio.Future[None] | asyncio.Future[FoxtrotError], ...]
    either = connecting, lost
    try:
        await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        answered = raw.serverVersion() > 0
        cause = lost.result() if lost.done() else None
    finally:
        connecting.cancel()
        (result,) = await asyncio.gather(connecting, return_exceptions=True)
    if cause is not None:
        raise _no_welcome(cause, settings.endpoint, client_id)
    if isinstance(result, asyncio.CancelledError):
        what = "order id and accounts" if answered else "handshake"
        raise ConnectTimeout(settings.endpoint, timeout_s, what)
    if result is not None:
        error = translate(result, venue, settings.endpoint, timeout_s=timeout_s)
        raise _no_welcome(error, settings.endpoint, client_id) from None


def _no_welcome(cause: FoxtrotError, endpoint: str, client_id: int) -> FoxtrotError:
    if type(cause) is StreamingError:
        return ConnectError(endpoint, "what answers there is no TWS; is this its API port?")
    if not isinstance(cause, ConnectionClosed):
        return cause
    reason = (
        "closed before it was open; TWS does so to an address that is not among its trusted"
        f" ones, and when client id {client_id} is in use"
    )
    return ConnectError(endpoint, reason)


def check_accounts(settings: IbSettings, accounts: tuple[str, ...]) -> None:
    """See that TWS is logged in to what the setting says.

    Paper accounts begin with D. Source: IB's guide, "Paper Trading Account".

    Raises:
        ConfigurationError: It has accounts of another kind, or not the one that is named.
    """
    environment, account = settings.environment, settings.account
    paper = environment is not Environment.LIVE
    shown = scrub(", ".join(accounts), limit=TEXT_LIMIT)
    if any(name.startswith("D") is not paper for name in accounts):
        kind = "live" if paper else "paper"
        problem = f"is {environment.value}, but TWS is logged in to {kind} account {shown}"
        raise ConfigurationError("connect", "environment", problem)
    if account and account not in accounts:
        raise ConfigurationError("connect", "account", f"is not one of TWS's: {shown}")
