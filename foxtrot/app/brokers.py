"""The commands that look at one venue: `foxtrot ib ...` and `foxtrot futu ...`."""

from __future__ import annotations

from typing import Annotated

import typer

from foxtrot.app import futu, ib
from foxtrot.app.futu import FutuPlace, OpendPlace
from foxtrot.app.ib import IbPlace
from foxtrot.app.options import AskedJson, BarLength, Csv, End, Start, query, show
from foxtrot.app.past import write_csv
from foxtrot.app.place import placed

ib_commands = typer.Typer(help="Look at Interactive Brokers: a TWS, its contracts, its client ids.")
futu_commands = typer.Typer(help="Look at Futu: an OpenD, its contracts, its quotas.")


@ib_commands.command("ids")
def ib_ids(json: AskedJson = False) -> None:
    """Say which process of this user has which client id."""
    show(ib.ids(json=json))


@ib_commands.command("status")
@placed
def ib_status(place: IbPlace, json: AskedJson = False) -> None:
    """Connect to a TWS under an id that does not trade, and say what it answers."""
    show(ib.status(place, json=json))


@ib_commands.command("contracts")
@placed
def ib_contracts(
    pattern: Annotated[
        str, typer.Argument(help="Begin of a symbol, or a word of a name.", show_default=False)
    ],
    place: IbPlace,
    json: AskedJson = False,
) -> None:
    """Search for contracts, and say how to name them here."""
    show(ib.contracts(place, pattern, json=json))


@ib_commands.command("history")
@placed
def ib_history(
    symbol: Annotated[str, typer.Argument(help="AAPL-USD-STK.SMART", show_default=False)],
    start: Start = None,
    end: End = None,
    interval: BarLength = "1m",
    *,
    place: IbPlace,
    csv: Csv = None,
) -> None:
    """Fetch bars of the past from a TWS as CSV; nothing is traded."""
    write_csv(query(symbol, start, end, interval), place.open_adapter, csv)


@futu_commands.command("status")
@placed
def futu_status(place: FutuPlace, json: AskedJson = False) -> None:
    """Connect to an OpenD, and say how it is, its accounts, and which of them would be traded."""
    show(futu.status(place, json=json))


@futu_commands.command("contracts")
@placed
def futu_contracts(
    symbols: Annotated[list[str], typer.Argument(help="00700.SEHK AAPL", show_default=False)],
    place: OpendPlace,
    json: AskedJson = False,
) -> None:
    """Say what OpenD knows of contracts: name, lot, price step; or why there is none."""
    show(futu.contracts(place, symbols, json=json))


@futu_commands.command("quota")
@placed
def futu_quota(place: OpendPlace, json: AskedJson = False) -> None:
    """Say what is used of OpenD's quotas of subscriptions and of the past, and what is left."""
    show(futu.quota(place, json=json))


@futu_commands.command("history")
@placed
def futu_history(
    symbol: Annotated[str, typer.Argument(help="00700.SEHK", show_default=False)],
    start: Start = None,
    end: End = None,
    interval: BarLength = "1m",
    *,
    place: OpendPlace,
    csv: Csv = None,
) -> None:
    """Fetch bars of the past from an OpenD as CSV; nothing is traded."""
    write_csv(query(symbol, start, end, interval), place.open_adapter, csv)
