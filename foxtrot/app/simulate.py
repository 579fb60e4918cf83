"""`foxtrot sim`: a simulated venue that other programs connect to."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec
import typer

from foxtrot.core import logs
from foxtrot.errors import ConfigurationError

if TYPE_CHECKING:
    from foxtrot.simulator.binance import SimulatedBinance
    from foxtrot.simulator.binance_keys import ApiKey
    from foxtrot.simulator.futu import SimulatedFutu
    from foxtrot.simulator.ib import SimulatedIb
    from foxtrot.simulator.proxy import TcpProxy


Serving = Coroutine[object, object, None]


class Plan(msgspec.Struct, frozen=True):
    """What is served, and for how long; without a port, at the usual one of the venue.

    `key` and `secret` are of Binance's customer; `to` is whom the proxy stands in front of.
    """

    port: int | None
    seed: int
    rate_hz: float
    symbols: list[str] | None
    full_speed: bool
    seconds: float | None
    json: bool
    key: str | None = None
    secret: str | None = None
    to: str | None = None


def open_binance(
    stack: ExitStack, symbols: Sequence[str], *, seed: int = 0, rate_hz: float = 10.0
) -> SimulatedBinance:
    """Open a venue on a thread of its own; the stack closes it."""
    from foxtrot.simulator.binance import SimulatedBinance, SimulatedBinanceThread

    _silence_server()
    venue = SimulatedBinance(symbols, seed=seed, rate_hz=rate_hz)
    stack.enter_context(SimulatedBinanceThread(venue))
    return venue


def open_ib(stack: ExitStack, *, seed: int = 0, rate_hz: float = 10.0) -> SimulatedIb:
    """Open a TWS gateway on a thread of its own; the stack closes it."""
    from foxtrot.simulator.ib import SimulatedIb, SimulatedIbThread

    venue = SimulatedIb(seed=seed, rate_hz=rate_hz)
    stack.enter_context(SimulatedIbThread(venue))
    return venue


def open_futu(stack: ExitStack, *, seed: int = 0, rate_hz: float = 10.0) -> SimulatedFutu:
    """Open an OpenD of Futu on a thread of its own; the stack closes it."""
    from foxtrot.simulator.futu import SimulatedFutu, SimulatedFutuThread

    venue = SimulatedFutu(seed=seed, rate_hz=rate_hz)
    stack.enter_context(SimulatedFutuThread(venue))
    return venue


def serve(name: str, plan: Plan) -> None:
    """Serve a venue until a signal or the deadline.

    Args:
        name: binance, ib or futu; or proxy, which stands in front of one of them.
        plan: How.

    Raises:
        ConfigurationError: There is no such venue, the port is taken, a symbol is none, there is a
            key where none is used, or futu-api is not installed.
    """
    if name not in _SERVED:
        raise ConfigurationError("command line", "venue", f"must be one of {', '.join(_SERVED)}")
    if name != "binance" and (plan.key or plan.secret):
        raise ConfigurationError("command line", "--key", "is for Binance alone")
    if (name == "proxy") != (plan.to is not None):
        raise ConfigurationError("command line", "--to", "is what the proxy needs, and no other")
    usual_port, serving = _SERVED[name]
    port = usual_port if plan.port is None else plan.port
    logs.configure(level="WARNING")
    _silence_server()
    asyncio.run(_until_told(plan.seconds, port, serving(plan, port)))


def _serve_binance(plan: Plan, port: int) -> Serving:
    """With the simulated key, if none is given."""
    from foxtrot.simulator.binance import SimulatedBinance
    from foxtrot.simulator.binance_keys import SIMULATED_KEY, SIMULATED_SECRET, ApiKey

    key = ApiKey(plan.key or SIMULATED_KEY, plan.secret or SIMULATED_SECRET)
    venue = SimulatedBinance(
        plan.symbols, seed=plan.seed, rate_hz=plan.rate_hz, port=port, keys=(key,)
    )
    if plan.full_speed:
        venue.blast()
    return venue.serve(lambda faults: _announce_binance(venue, faults, key, json=plan.json))


def _serve_ib(plan: Plan, port: int) -> Serving:
    from foxtrot.simulator.ib import SimulatedIb

    venue = SimulatedIb(plan.symbols, seed=plan.seed, rate_hz=plan.rate_hz, port=port)
    if plan.full_speed:
        venue.blast()
    return venue.serve(lambda faults: _announce_host(venue, faults, "TWS gateway", json=plan.json))


def _serve_futu(plan: Plan, port: int) -> Serving:
    from foxtrot.simulator.futu import SimulatedFutu
    from foxtrot.simulator.futu_accounts import SIMULATED_PASSWORD as PASSWORD

    venue = SimulatedFutu(plan.symbols, seed=plan.seed, rate_hz=plan.rate_hz, port=port)
    if plan.full_speed:
        venue.blast()
    return venue.serve(
        lambda faults: _announce_host(
            venue, faults, "Futu OpenD", json=plan.json, password=PASSWORD
        )
    )


def _serve_proxy(plan: Plan, port: int) -> Serving:
    from foxtrot.simulator.proxy import TcpProxy, serve

    host, _, number = (plan.to or "").rpartition(":")
    if not host or not number.isdecimal():
        raise ConfigurationError("command line", "--to", f"{plan.to!r} is no HOST:PORT")
    proxy = TcpProxy(int(number), host=host.strip("[]"), seed=plan.seed, listen=port)
    return serve(proxy, lambda toxics: _announce_proxy(proxy, toxics, json=plan.json))


_SERVED: Mapping[str, tuple[int, Callable[[Plan, int], Serving]]] = {
    "binance": (9001, _serve_binance),
    "ib": (9002, _serve_ib),
    "futu": (9003, _serve_futu),
    "proxy": (9004, _serve_proxy),
}
"""The venues, with the ports that they have unless another one is wanted."""


async def _until_told(seconds: float | None, port: int, serving: Serving) -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, task.cancel)
    try:
        async with asyncio.timeout(seconds):
            await serving
    except TimeoutError:
        return
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        problem = f"{port} is in use; choose another one, or 0 for any that is free"
        raise ConfigurationError("command line", "--port", problem) from None
    except asyncio.CancelledError:
        task.uncancel()


def _silence_server() -> None:
    """A client that goes away before its answer is no news here, but aiohttp reports each."""
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def _announce_binance(venue: SimulatedBinance, faults: str, key: ApiKey, *, json: bool) -> None:
    connect = {
        "environment": "simulated",
        "rest_url": venue.rest_url,
        "websocket_url": venue.websocket_url,
    }
    if json:
        facts = {
            "event": "open",
            **connect,
            "faults_url": faults,
            "connect": connect,
            "simulated_key": key.key,
            "simulated_secret": key.secret,
        }
        typer.echo(msgspec.json.encode(facts).decode())
        return
    setting = msgspec.json.encode(connect).decode()
    typer.echo(
        f"A SIMULATED Binance is open; Ctrl-C closes it.\n\n"
        f"  REST       {venue.rest_url}/api/v3\n"
        f"  websocket  {venue.websocket_url}/stream\n"
        f"  faults     {faults}\n"
        f"  ledger     {venue.rest_url}/control/ledger\n"
        f"  key        {key.key} (simulated)\n"
        f"  secret     {key.secret} (simulated)\n\n"
        f"{_handling(setting, faults)}"
    )


def _announce_host(
    venue: SimulatedIb | SimulatedFutu, faults: str, name: str, *, json: bool, password: str = ""
) -> None:
    connect = {"environment": "simulated", "host": venue.host, "port": venue.port}
    if json:
        facts = {"event": "open", **connect, "faults_url": faults, "connect": connect}
        if password:
            facts["simulated_password"] = password
        typer.echo(msgspec.json.encode(facts).decode())
        return
    secret = f"  password   {password} (simulated; unlocks trading)\n" if password else ""
    typer.echo(
        f"A SIMULATED {name} is open; Ctrl-C closes it.\n\n"
        f"  host       {venue.host}\n"
        f"  port       {venue.port}\n"
        f"  faults     {faults}\n"
        f"{secret}\n"
        f"{_handling(msgspec.json.encode(connect).decode(), faults)}"
    )


def _announce_proxy(proxy: TcpProxy, toxics: str, *, json: bool) -> None:
    if json:
        facts = {"event": "open", "host": "127.0.0.1", "port": proxy.port, "faults_url": toxics}
        typer.echo(msgspec.json.encode(facts).decode())
        return
    typer.echo(
        f"A proxy is open at 127.0.0.1:{proxy.port}; Ctrl-C closes it.\n\n"
        f'To make it late:       curl -d \'{{"name": "latency", "delay_s": 0.5}}\' {toxics}\n'
        f"To put it right again: curl -X DELETE {toxics}"
    )


def _handling(setting: str, faults: str) -> str:
    return (
        f"To connect to it:      {setting}\n"
        f'To break something:    curl -d \'{{"name": "rst"}}\' {faults}\n'
        f"To put it right again: curl -X DELETE {faults}"
    )
