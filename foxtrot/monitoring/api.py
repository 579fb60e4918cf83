"""The HTTP API: what foxtrot shows of itself, and the few things that may be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from foxtrot.core.logs import get_logger
from foxtrot.core.redaction import scrub
from foxtrot.errors import ConfigurationError, FoxtrotError
from foxtrot.monitoring import views
from foxtrot.monitoring.access import Token
from foxtrot.monitoring.acts import Acts, acting
from foxtrot.monitoring.answers import (
    AdaptersView,
    Answer,
    ConfigView,
    DataView,
    FactsView,
    Freshness,
    HealthView,
    Life,
    OrdersView,
    PoolsView,
    StreamsView,
    StreamView,
    failure,
)
from foxtrot.monitoring.door import App, Receive, Scope, Send
from foxtrot.monitoring.login import entering
from foxtrot.monitoring.metrics import registry
from foxtrot.monitoring.openapi import document, shows
from foxtrot.monitoring.readings import NoAnswer, Readings, View

if TYPE_CHECKING:
    from foxtrot.engine.main_engine import MainEngine

log = get_logger("foxtrot.monitoring")

PREFIX = "/api/v1"
_NOTHING_SUCH = "no venue of this process has that"


class StreamsQuery(BaseModel):
    """Which streams are wanted."""

    model_config = ConfigDict(extra="forbid")
    adapter: str = Field(default="", max_length=32, description="Of this venue alone.")
    freshness: Freshness | None = Field(default=None, description="Such alone.")

    def fits(self, stream: StreamView) -> bool:
        """Whether this one is."""
        named = not self.adapter or stream.adapter_name.upper() == self.adapter.upper()
        return named and self.freshness in (None, stream.freshness)


class OrdersQuery(BaseModel):
    """Which orders are wanted."""

    model_config = ConfigDict(extra="forbid")
    active: bool = Field(default=False, description="Only those that may still trade.")
    limit: int = Field(default=200, ge=1, le=views.MOST_ORDERS)


def make_app(engine: MainEngine, readings: Readings, acts: Acts, token: Token) -> FastAPI:
    """The application behind the door, for one engine."""
    exposed = registry(engine)
    app = FastAPI(title="foxtrot", openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(_reading(readings), prefix=PREFIX)
    app.include_router(_pools(readings), prefix=PREFIX)
    app.include_router(acting(acts), prefix=PREFIX)
    app.include_router(entering(token))
    app.include_router(_around(readings, app, partial(generate_latest, exposed)))
    app.exception_handler(HTTPException)(_on_http)
    app.exception_handler(RequestValidationError)(_on_invalid)
    app.exception_handler(FoxtrotError)(_on_foxtrot)
    app.exception_handler(NoAnswer)(_on_no_answer)
    app.exception_handler(Exception)(_on_unexpected)
    return app


class Shortcut:
    """Answers what needs nothing but a reading, past the application, which costs five times more.

    Args:
        app: The application; it serves, and documents, all of this too.
        readings: Where the answers are.
    """

    _VIEWS: ClassVar[Mapping[str, View[object]]] = {
        f"{PREFIX}/health": views.health,
        f"{PREFIX}/adapters": views.adapters,
        f"{PREFIX}/streams": views.streams,
        f"{PREFIX}/system/config": views.config,
        f"{PREFIX}/data/info": views.data,
    }

    def __init__(self, app: App, readings: Readings) -> None:
        self._app, self._readings = app, readings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        view = self._VIEWS.get(str(scope.get("path")))
        plain = scope.get("method") == "GET" and not scope.get("query_string")
        if view is None or not plain or not self._readings.has(view):
            await self._app(scope, receive, send)
            return
        body = (await self._readings.of(view)).body
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def json_answer(body: bytes, status: int = 200) -> Response:
    """A response of JSON that nobody keeps."""
    return Response(body, status, {"cache-control": "no-store"}, "application/json")


def _reading(readings: Readings) -> APIRouter:
    router = APIRouter(tags=["state"])

    async def show(view: View[object]) -> Response:
        return json_answer((await readings.of(view)).body)

    @router.get("/health", **shows(HealthView))
    async def health() -> Response:
        """The state of everything: threads, venues, sessions, streams, trading, errors."""
        return await show(views.health)

    @router.get("/adapters", **shows(AdaptersView))
    async def adapters() -> Response:
        """The venues with their facts, and what can be asked of each."""
        return await show(views.adapters)

    @router.get("/streams", **shows(StreamsView))
    async def streams(wanted: Annotated[StreamsQuery, Query()]) -> Response:
        """Every stream: fresh, stale, polling or dead."""
        reading = await readings.of(views.streams)
        if wanted == StreamsQuery():
            return json_answer(reading.body)
        chosen = tuple(each for each in reading.data.streams if wanted.fits(each))
        return _success(StreamsView(reading.data.counts, chosen))

    @router.get("/orders", **shows(OrdersView))
    async def orders(wanted: Annotated[OrdersQuery, Query()]) -> Response:
        """The orders; those in doubt first, then the open ones, then the newest."""
        seen = (await readings.of(views.orders)).data
        chosen = [each for each in seen.orders if each.active or not wanted.active]
        return _success(msgspec.structs.replace(seen, orders=tuple(chosen[: wanted.limit])))

    @router.get("/system/config", **shows(ConfigView))
    async def config() -> Response:
        """The settings in force, without what is secret."""
        return await show(views.config)

    @router.get("/data/info", **shows(DataView))
    async def data() -> Response:
        """What is in the cache, what is subscribed, and where the data is kept."""
        return await show(views.data)

    return router


def _pools(readings: Readings) -> APIRouter:
    router = APIRouter(prefix="/ib", tags=["Interactive Brokers"])

    async def show(view: Callable[[MainEngine], FactsView | PoolsView]) -> Response:
        reading = await readings.of(view)
        if not reading.data.adapters:
            raise HTTPException(404, _NOTHING_SUCH)
        return json_answer(reading.body)

    @router.get("/pool/status", **shows(FactsView, 404))
    async def pool_status() -> Response:
        """The pool of connections as it is now."""
        return await show(views.pool_status)

    @router.get("/pool/metrics", **shows(FactsView, 404))
    async def pool_metrics() -> Response:
        """What the pool of connections has done since it began."""
        return await show(views.pool_metrics)

    @router.get("/pool/health", **shows(PoolsView, 404))
    async def pool_health() -> Response:
        """Whether the pool does its work."""
        return await show(views.pool_health)

    @router.get("/pace/status", **shows(FactsView, 404))
    async def pace_status() -> Response:
        """What of the venue's allowance is used now, and who waits."""
        return await show(views.pace_status)

    @router.get("/pace/stats", **shows(FactsView, 404))
    async def pace_stats() -> Response:
        """What was sent, and what had to wait, since it began."""
        return await show(views.pace_stats)

    return router


def _around(readings: Readings, app: FastAPI, exposition: Callable[[], bytes]) -> APIRouter:
    router = APIRouter()

    @router.get("/live", tags=["state"], **shows(Life, 503, token=False))
    async def live() -> Response:
        """Whether the process works; the one thing that is told without the token."""
        reading = await readings.of(views.life)
        return json_answer(reading.body, 200 if reading.data.ok else 503)

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        """Everything in Prometheus' text format."""
        text = await readings.shared(exposition, exposition)
        return Response(text, 200, {"cache-control": "no-store"}, CONTENT_TYPE_PLAIN_0_0_4)

    @router.get(f"{PREFIX}/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        """This API as OpenAPI describes it."""
        return json_answer(document(app))

    return router


def _success(data: object) -> Response:
    return json_answer(msgspec.json.encode(Answer(True, data)))


# -- what goes wrong --------------------------------------------------------------------------

_CODES = {404: "not_found", 405: "method_not_allowed", 400: "bad_request"}


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "refused")
    response = json_answer(failure(code, str(error.detail)), error.status_code)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    told = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()[:5]]
    return json_answer(failure("invalid", scrub("; ".join(told), limit=512)), 422)


async def _on_foxtrot(request: Request, error: Exception) -> Response:
    unknown = isinstance(error, ConfigurationError) and error.field == "adapter_name"
    return json_answer(failure("refused", scrub(str(error), limit=512)), 404 if unknown else 409)


async def _on_no_answer(request: Request, error: Exception) -> Response:
    text = "no answer in time: something in the process stands still"
    return json_answer(failure("no_answer", text), 503)


async def _on_unexpected(request: Request, error: Exception) -> Response:
    log.error("monitor_failed", path=request.url.path, error=type(error).__name__)
    return json_answer(failure("internal", "unexpected; the log says more"), 500)
