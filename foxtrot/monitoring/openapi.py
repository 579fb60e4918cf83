"""The OpenAPI document, made of what the API really answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import msgspec

from foxtrot.monitoring import answers
from foxtrot.monitoring.answers import Answer, Failure

if TYPE_CHECKING:
    from fastapi import FastAPI

_TOLD = {
    400: "It could not be read.",
    401: "The token was not shown.",
    404: "There is no such thing.",
    408: "It took too long.",
    409: "It does not fit the present state.",
    413: "It is too large.",
    421: "The Host header is not ours.",
    422: "A parameter is wrong.",
    429: "Too many requests in a second.",
    500: "Unexpected.",
    503: "No answer in time.",
}
_ALWAYS = (400, 401, 408, 421, 422, 429, 500, 503)
_TEMPLATE = "#/components/schemas/{name}"
_VIEWS = (
    answers.AdaptersView,
    answers.ConfigView,
    answers.DataView,
    answers.Done,
    answers.FactsView,
    answers.HealthView,
    answers.Life,
    answers.OrdersView,
    answers.PoolsView,
    answers.StreamsView,
)


class Shown(TypedDict):
    """What a route says of itself."""

    responses: dict[int | str, dict[str, Any]]
    openapi_extra: dict[str, Any]


def shows(view: type[msgspec.Struct], *statuses: int, token: bool = True) -> Shown:
    """The documentation of a route that shows `view`, and may fail with `statuses` as well."""
    failed: dict[int | str, dict[str, Any]] = {
        status: _response(Failure.__name__, _TOLD[status]) for status in _ALWAYS
    }
    failed |= {status: _response(Failure.__name__, _TOLD[status]) for status in statuses}
    shown = _response(_name(view), (view.__doc__ or "").strip())
    if not token:
        del failed[401]
        failed[503] = shown
    return Shown(
        responses={200: shown, **failed},
        openapi_extra={"security": [{"token": []}] if token else []},
    )


def _response(schema: str, text: str) -> dict[str, Any]:
    reference = {"$ref": _TEMPLATE.format(name=schema)}
    return {"description": text, "content": {"application/json": {"schema": reference}}}


def _name(view: type[msgspec.Struct]) -> str:
    return f"Answer_{view.__name__}_"


def document(app: FastAPI) -> bytes:
    """The document as JSON."""
    described = app.openapi()
    components = described.setdefault("components", {})
    _, schemas = msgspec.json.schema_components(
        [Failure, *(Answer[view] for view in _VIEWS)],  # type: ignore[valid-type]
        ref_template=_TEMPLATE,
    )
    components["schemas"] = {**components.get("schemas", {}), **schemas}
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return msgspec.json.encode(described)
