"""The few things that may be asked over HTTP: to halt and resume, to switch modes, to clean up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from foxtrot.core.aside import aside
from foxtrot.core.logs import correlated, get_logger
from foxtrot.core.settings_model import ADAPTER_NAME
from foxtrot.model.constants import Mode
from foxtrot.monitoring.answers import Answer, Done
from foxtrot.monitoring.openapi import shows
from foxtrot.monitoring.readings import NoAnswer, Readings
from foxtrot.monitoring.views import adapters_of

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

log = get_logger("foxtrot.monitoring")

CLEANUP = "pool.cleanup"
_DEADLINE_S = 3.0

AdapterName = Annotated[str, Path(pattern=f"^{ADAPTER_NAME}$", description="Such as BINANCE.")]
ActionName = Annotated[str, Path(pattern=r"^[a-z][a-z_.]{0,31}$", description="One it offers.")]


class HaltRequest(BaseModel):
    """Why trading is halted."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(default="asked to over HTTP", min_length=1, max_length=200)


_IN_A_HURRY = HaltRequest()
"""Who halts need not say why."""


class ModeRequest(BaseModel):
    """How a venue, or one symbol of it, is to be served: null leaves it to the settings again."""

    model_config = ConfigDict(extra="forbid")
    mode: Mode | None
    vt_symbol: str = Field(default="", max_length=128, description="Such as BTCUSDT.BINANCE.")


class Acts:
    """Does what is asked, off the server's loop and within a deadline.

    Args:
        engine: Of whom it is asked.
        readings: What is shown next must tell of it.
    """

    def __init__(self, engine: MainEngine, readings: Readings) -> None:
        self._engine, self._readings = engine, readings

    async def halt(self, reason: str) -> Done:
        """Block new orders everywhere and cancel the open ones."""
        await self._do("halt", lambda: self._engine.halt(reason))
        return Done("halt", tuple(self._engine.get_all_adapter_names()))

    async def resume(self) -> Done:
        """Let new orders pass again."""
        await self._do("resume", self._engine.resume)
        return Done("resume", tuple(self._engine.get_all_adapter_names()))

    async def switch(self, adapter_name: str, mode: Mode | None, vt_symbol: str = "") -> Done:
        """Serve a venue's streams by `mode`, or those of one symbol.

        Raises:
            ConfigurationError: There is no such adapter, or the symbol is not subscribed there.
            NotSupported: The venue cannot serve them so.
        """
        name = self._engine.adapter(adapter_name).adapter_name
        await self._do("mode", lambda: self._engine.override_mode(name, mode, vt_symbol))
        return Done(f"mode {mode.value if mode else 'by the settings'}", (name,))

    async def act(self, adapter_name: str, action: str) -> Done:
        """Do one of what an adapter offers now.

        Raises:
            ConfigurationError: There is no such adapter.
            HTTPException: It does not offer that now.
        """
        adapter = self._engine.adapter(adapter_name)
        work = adapter.actions().get(action)
        if work is None:
            offered = ", ".join(sorted(adapter.actions())) or "nothing"
            raise HTTPException(409, f"{adapter.adapter_name} offers {offered} at present")
        await self._do(action, work)
        return Done(action, (adapter.adapter_name,))

    async def clean(self) -> Done:
        """Close the pooled connections that nobody uses.

        Raises:
            HTTPException: No adapter has any.
        """
        offers = {n: a.actions().get(CLEANUP) for n, a in adapters_of(self._engine).items()}
        found = {name: work for name, work in offers.items() if work is not None}
        if not found:
            raise HTTPException(404, "no venue of this process has a pool of connections now")
        for work in found.values():
            await self._do(CLEANUP, work)
        return Done(CLEANUP, tuple(found))

    async def _do(self, what: str, work: Callable[[], object]) -> None:
        with correlated(f"api.{what}"):
            log.info("asked_over_http", what=what)
            context = copy_context()
        try:
            async with asyncio.timeout(_DEADLINE_S):
                await aside(lambda: context.run(work), "monitor-act")
        except TimeoutError:
            raise NoAnswer from None
        finally:
            self._readings.forget()


def acting(acts: Acts) -> APIRouter:
    """The routes of what may be asked."""
    router = APIRouter(tags=["actions"])

    @router.post("/halt", **shows(Done, 409, 413))
    async def halt(request: HaltRequest = _IN_A_HURRY) -> Response:
        """Block new orders everywhere at once, and cancel every open order of ours."""
        return _done(await acts.halt(request.reason))

    @router.post("/resume", **shows(Done, 409))
    async def resume() -> Response:
        """Let new orders pass again, after a halt."""
        return _done(await acts.resume())

    @router.post("/adapters/{name}/mode", **shows(Done, 404, 409, 413))
    async def mode(name: AdapterName, request: ModeRequest) -> Response:
        """Serve a venue's streams by websocket or by polling, until asked otherwise."""
        return _done(await acts.switch(name, request.mode, request.vt_symbol))

    @router.post("/adapters/{name}/actions/{action}", **shows(Done, 404, 409))
    async def action(name: AdapterName, action: ActionName) -> Response:
        """Do one of what an adapter offers; `/adapters` lists it."""
        return _done(await acts.act(name, action))

    @router.post("/ib/pool/cleanup", **shows(Done, 404, 409))
    async def cleanup() -> Response:
        """Close the pooled connections that nobody uses."""
        return _done(await acts.clean())

    return router


def _done(done: Done) -> Response:
    body = msgspec.json.encode(Answer(True, done))
    return Response(body, 200, {"cache-control": "no-store"}, "application/json")
