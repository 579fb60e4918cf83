"""The commands that look at one venue: `foxtrot ib ...` and `foxtrot futu ...`."""

from __future__ import annotations

from typing import Annotated

import typer

from foxtrot.app.options import (
    Account,
    BarLength,
    Config,
    Csv,
    End,
    Host,
    Json,
    Port,
    Remote,
    Start,
    Venue,
    World,
    query,
    show,
)

ib = typer.Typer(help="Look at Interactive Brokers: a TWS, its contracts, its client ids.")
futu = typer.Typer(help="Look at Futu: an OpenD, its contracts, its quotas.")

ClientId = Annotated[
    int | None,
    typer.Option("--client-id", min=0, help="Of the connection that trades; or 1."),
]
Market = Annotated[str, typer.Option("--market", help="HK, US or CN: whose account is traded.")]
KeyFile = Annotated[
    str, typer.Option("--rsa-key-file", help="OpenD's private key, if it encrypts.")
]


@ib.command("ids")
def ib_ids(json: Json = False) -> None:
    """Say which process of this user has which client id."""
    from foxtrot.app.ib import ids

    show(ids(json=json))


@ib.command("status")
def ib_status(
    config: Config = None,
    venue: Venue = "",
    host: Host = "",
    port: Port = 0,
    allow_remote: Remote = False,
    client_id: ClientId = None,
    environment: World = "",
    account: Account = "",
    json: Json = False,
) -> None:
    """Connect to a TWS under an id that does not trade, and say what it answers."""
    from foxtrot.app.ib import IbPlace, status

    place = IbPlace(
        config=config,
        venue=venue,
        host=host,
        port=port,
        allow_remote=allow_remote,
        environment=environment,
        account=account,
        client_id=client_id,
    )
    show(status(place, json=json))


@ib.command("contracts")
def ib_contracts(
    pattern: Annotated[
        str, typer.Argument(help="Begin of a symbol, or a word of a name.", show_default=False)
    ],
    config: Config = None,
    venue: Venue = "",
    host: Host = "",
    port: Port = 0,
    allow_remote: Remote = False,
    client_id: ClientId = None,
    environment: World = "",
    account: Account = "",
    json: Json = False,
) -> None:
    """Search for contracts, and say how to name them here."""
    from foxtrot.app.ib import IbPlace, contracts

    place = IbPlace(
        config=config,
        venue=venue,
        host=host,
        port=port,
        allow_remote=allow_remote,
        environment=environment,
        account=account,
        client_id=client_id,
    )
    show(contracts(place, pattern, json=json))


@ib.command("history")
def ib_history(
    symbol: Annotated[str, typer.Argument(help="AAPL-USD-STK.SMART", show_default=False)],
    start: Start = None,
    end: End = None,
    interval: BarLength = "1m",
    config: Config = None,
    venue: Venue = "",
    host: Host = "",
    port: Port = 0,
    allow_remote: Remote = False,
    client_id: ClientId = None,
    environment: World = "",
    account: Account = "",
    csv: Csv = None,
) -> None:
    """Fetch bars of the past from a TWS as CSV; nothing is traded."""
    from foxtrot.app.ib import IbPlace
    from foxtrot.app.past import write_csv

    place = IbPlace(
        config=config,
        venue=venue,
        host=host,
        port=port,
        allow_remote=allow_remote,
        environment=environment,
        account=account,
        client_id=client_id,
    )
    write_csv(query(symbol, start, end, interval), place.open_adapter, csv)


@futu.command("status")
def futu_status(
    config: Config = None,
    venue: Venue = "",
    host: Host = "",
    port: Port = 0,
    allow_remote: Remote = False,
    environment: World = "",
    account: Account = "",
    market: Market = "",
    rsa_key_file: KeyFile = "",
    json: Json = False,
) -> None:
    """Connect to an OpenD, and say how it is, its accounts, and which of them would be traded."""
    from foxtrot.app.futu import FutuPlace, status

    place = FutuPlace(
        config=config,
        venue=venue,
        host=host,
        port=port,
        allow_remote=allow_remote,
        environment=environment,
        account=account,
        market=market,
        rsa_key_file=rsa_key_file,
    )
    show(status(place, json=json))


@futu.command("contracts")
def futu_contracts(
    symbols: Annotated[list[str], typer.Argument(help="00700.SEHK AAPL", show_default=False)],
    config: Config = None,
    venue: Venue = "",
    host: Host = "",
    port: Port = 0,
    allow_remote: Remote = False,
    rsa_key_file: KeyFile = "",
    json: Json = False,
) -> None:
    """Say what OpenD knows of contracts: name, lot, price step; or why there is none."""
    from foxtrot.app.futu import FutuPlace, contracts

    place = FutuPlace(
        config=config,
        venue=venue,
        host=host,
        port=port,
        allow_remote=allow_remote,
        rsa_key_file=rsa_key_file,
    )
    show(contracts(place, symbols, json=json))


@futu.command("quota")
def futu_quota(
    config: Config = None,
    venue: Venue = "",
    host: Host = "",
    port: Port = 0,
    allow_remote: Remote = False,
    rsa_key_file: KeyFile = "",
    json: Json = False,
) -> None:
    """Say what is used of OpenD's quotas of subscriptions and of the past, and what is left."""
    from foxtrot.app.futu import FutuPlace, quota

    place = FutuPlace(
        config=config,
        venue=venue,
        host=host,
        port=port,
        allow_remote=allow_remote,
        rsa_key_file=rsa_key_file,
    )
    show(quota(place, json=json))


@futu.command("history")
def futu_history(
    symbol: Annotated[str, typer.Argument(help="00700.SEHK", show_default=False)],
    start: Start = None,
    end: End = None,
    interval: BarLength = "1m",
    config: Config = None,
    venue: Venue = "",
    host: Host = "",
    port: Port = 0,
    allow_remote: Remote = False,
    rsa_key_file: KeyFile = "",
    csv: Csv = None,
) -> None:
    """Fetch bars of the past from an OpenD as CSV; nothing is traded."""
    from foxtrot.app.futu import FutuPlace
    from foxtrot.app.past import write_csv

    place = FutuPlace(
        config=config,
        venue=venue,
        host=host,
        port=port,
        allow_remote=allow_remote,
        rsa_key_file=rsa_key_file,
    )
    write_csv(query(symbol, start, end, interval), place.open_adapter, csv)
