"""The OpenAPI document: what FastAPI finds, and what it cannot see because we read bodies ourselves."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from refunds.flow.refusal import Cause
from refunds.flow.request import PaymentForm, RefundForm
from web.api.documents import Payment, Problem, Refund
from web.api.forms import Decision, Resolution
from web.api.kinds import KINDS, Fault
from web.api.problems import MEDIA_TYPE

_WRITTEN_BY_US = (RefundForm, PaymentForm, Decision, Resolution, Problem, Refund, Payment)
"""FastAPI does not see the forms, and leaves every null out of an example."""

_REF = "#/components/schemas/{model}"
_BEHIND_A_TOKEN = (Fault.UNAUTHENTICATED, Fault.FORBIDDEN, Fault.UNAVAILABLE)
_WITH_A_BODY = (
    Fault.MALFORMED_BODY,
    Fault.TOO_SLOW,
    Fault.BODY_TOO_LARGE,
    Fault.MEDIA_TYPE,
    Cause.INVALID,
)

Declared = dict[int | str, dict[str, Any]]


def answers(
    *faults: Cause | Fault, body: bool = False, also: Mapping[int, Mapping[str, Any]] | None = None
) -> Declared:
    """`responses` of a route behind a token: these faults, and those of every such route (with a `body`)."""
    by_status: dict[int, list[Cause | Fault]] = defaultdict(list)
    for fault in dict.fromkeys((*_BEHIND_A_TOKEN, *(_WITH_A_BODY if body else ()), *faults)):
        by_status[KINDS[fault].status].append(fault)
    declared: Declared = {status: _problems(status, found) for status, found in sorted(by_status.items())}
    return {**declared, **{status: dict(more) for status, more in (also or {}).items()}}


def takes(
    form: type[BaseModel], *parameters: Mapping[str, Any], examples: Mapping[str, object]
) -> dict[str, Any]:
    """`openapi_extra` of a route that reads such a body."""
    shown = {name: {"value": example} for name, example in examples.items()}
    content = {"schema": {"$ref": _REF.format(model=form.__name__)}, "examples": shown}
    return {
        "requestBody": {"required": True, "content": {"application/json": content}},
        "parameters": list(parameters),
    }


def header(description: str) -> dict[str, Any]:
    """A header of an answer."""
    return {"description": description, "schema": {"type": "string"}}


def describe(app: FastAPI) -> None:
    """Let the app answer our document; it is put together once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            app.openapi_schema = _complete(found)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    for form in _WRITTEN_BY_US:
        schema = form.model_json_schema(ref_template=_REF)
        schemas |= schema.pop("$defs", {}) | {form.__name__: schema}
    for path in document["paths"].values():
        for operation in path.values():
            # FastAPI adds its own 422 to every route with a parameter.
            operation["responses"] = {
                status: answer
                for status, answer in operation["responses"].items()
                if "HTTPValidationError" not in str(answer)
            }
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def _problems(status: int, faults: Iterable[Cause | Fault]) -> dict[str, Any]:
    examples = {str(fault): {"value": _example(fault)} for fault in faults}
    schema = {"$ref": _REF.format(model=Problem.__name__)}
    declared: dict[str, Any] = {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(examples)}",
        "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }
    if status == HTTPStatus.UNAUTHORIZED:
        declared["headers"] = {"WWW-Authenticate": header("RFC 6750")}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        declared["headers"] = {"Retry-After": header("seconds")}
    return declared


def _example(fault: Cause | Fault) -> dict[str, Any]:
    kind = KINDS[fault]
    return {
        "type": f"/problems/{fault}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.meaning,
        "errors": [],
        "request_id": "01JZ8XQ6G4T2M8K0V5N3C7B9DG",
    }
