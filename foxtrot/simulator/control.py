"""A port beside the simulated venue's own, where a person switches faults on: HTTP and JSON."""

from __future__ import annotations

from aiohttp import web

from foxtrot.simulator.fault_routes import PATH, Board, fault_routes

_STOP_S = 2.0


class Control:
    """A fault board over HTTP.

    Args:
        faults: What is switched.
        host: A loopback address.
    """

    def __init__(self, faults: Board, host: str) -> None:
        self.url = ""
        self._faults, self._host = faults, host
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Control:
        app = web.Application()
        app.add_routes(fault_routes(self._faults))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_S)
        await runner.setup()
        await web.TCPSite(runner, self._host, 0).start()
        self._runner = runner
        host, port = runner.addresses[0][:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"
        return self

    async def __aexit__(self, *_exception: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
