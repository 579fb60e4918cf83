"""The fault board over HTTP: `/control/faults`, the same for every simulated venue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.faults import fault_from_json

PATH = "/control/faults"


class Board(Protocol):
    """Where faults are switched: of a venue, or of a line."""

    def faults(self) -> Sequence[msgspec.Struct]:
        """Those that stand."""

    def inject(self, name: str, /, **params: object) -> msgspec.Struct:
        """Switch one on."""

    def clear(self, name: str | None = None) -> None:
        """Switch them off."""


def fault_routes(faults: Board) -> Sequence[web.RouteDef]:
    """GET lists the faults that stand, POST injects one, DELETE clears all or those of a name."""

    async def show(_request: web.Request) -> web.Response:
        return _json(faults.faults())

    async def inject(request: web.Request) -> web.Response:
        try:
            name, params = fault_from_json(await request.read())
            return _json(faults.inject(name, **params), status=201)
        except ConfigurationError as error:
            return _json({"error": str(error)}, status=400)

    async def clear(request: web.Request) -> web.Response:
        try:
            faults.clear(request.match_info.get("name"))
        except ConfigurationError as error:
            return _json({"error": str(error)}, status=400)
        return _json(faults.faults())

    return (
        web.get(PATH, show),
        web.post(PATH, inject),
        web.delete(PATH, clear),
        web.delete(PATH + "/{name}", clear),
    )


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )
