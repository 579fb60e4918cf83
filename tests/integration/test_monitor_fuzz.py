"""The API does what its own OpenAPI document says, whatever it is asked."""

from __future__ import annotations

import itertools

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks

from tests.support.monitor import Monitored

WANTED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
)
EXAMPLES = 5


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOXTROT_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        with Monitored(per_s=100_000) as monitored:
            yield monitored


def described(monitored: Monitored) -> dict[str, object]:
    reply = monitored.get("/api/v1/openapi.json")
    document: dict[str, object] = msgspec.json.decode(reply.body)
    return document


def test_the_document_names_every_path_and_refers_to_nothing_that_lacks(served: Monitored) -> None:
    """Who makes a client of it gets one that works."""
    document = described(served)
    assert {"/live", "/api/v1/health", "/api/v1/streams", "/api/v1/halt"} <= set(document["paths"])  # type: ignore[call-overload]
    schemas = document["components"]["schemas"]  # type: ignore[index,call-overload]

    def references(node: object) -> set[str]:
        if isinstance(node, dict):
            own = {str(node["$ref"])} if isinstance(node.get("$ref"), str) else set()
            return own.union(*(references(each) for each in node.values()))
        if isinstance(node, list):
            return set().union(*(references(each) for each in node))
        return set()

    assert {each.rpartition("/")[2] for each in references(document)} <= set(schemas)


def test_every_operation_answers_as_documented(served: Monitored) -> None:
    """Good requests, bad ones, and some without the token."""
    load_all_checks()
    checks = [CHECKS.get_one(name) for name in WANTED]
    schema = schemathesis.openapi.from_dict(described(served))
    tried = set()

    operations = [found.ok() for found in schema.get_all_operations()]
    for operation, mode in itertools.product(operations, schemathesis.GenerationMode):

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(mode, headers=served.authorization))
        def play(case: schemathesis.Case) -> None:
            tried.add(f"{case.method} {case.path}")
            response = case.call(base_url=served.server.url, headers=served.authorization)
            case.validate_response(response, checks=checks, headers=served.authorization)

        try:
            play()
        except Unsatisfiable:
            assert mode is schemathesis.GenerationMode.NEGATIVE, "nothing of it can be wrong"
    assert len(tried) >= 16
