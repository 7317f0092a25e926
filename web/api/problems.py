"""Problem details (RFC 9457): every error of this interface leaves through here."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from refunds.domain.redaction import redacted_text
from refunds.flow.refusal import Cause, FieldError, Refusal
from refunds.store.database import DatabaseUnavailableError
from web.api.kinds import KINDS, Fault, of_status

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
ERRORS_SHOWN = 20


class ProblemError(Exception):
    """Ends a request. `errors` point into the body; a parameter is named as if it stood there."""

    def __init__(
        self,
        fault: Cause | Fault,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail
        self.errors = errors
        self.headers = headers

    @classmethod
    def refused(cls, refusal: Refusal) -> "ProblemError":
        """The flow's refusal."""
        return cls(refusal.cause, refusal.detail, errors=refusal.errors)

    @classmethod
    def invalid(cls, entries: Iterable[Mapping[str, Any]]) -> "ProblemError":
        """What pydantic found wrong; each `loc` leads to a field."""
        errors = [_field_error(entry) for entry in entries]
        fields = ", ".join(sorted({error.pointer or "/" for error in errors}))
        return cls(Cause.INVALID, f"the request is not valid: {fields}", errors=errors)


def problem(request: Request, error: ProblemError) -> JSONResponse:
    """The answer to a request that ended so."""
    kind = KINDS[error.fault]
    return JSONResponse(
        {
            "type": f"/problems/{error.fault}",
            "title": kind.title,
            "status": kind.status,
            "detail": error.detail,
            "errors": [
                {"pointer": entry.pointer, "detail": entry.detail} for entry in error.errors[:ERRORS_SHOWN]
            ],
            "request_id": request.state.request_id,
        },
        status_code=kind.status,
        headers=error.headers,
        media_type=MEDIA_TYPE,
    )


def internal(request: Request) -> JSONResponse:
    """The answer when we fail: nothing of the failure shows."""
    return problem(request, ProblemError(Fault.INTERNAL, "the request could not be served"))


def unavailable(detail: str) -> ProblemError:
    """Not now: the caller is to try again."""
    return ProblemError(Fault.UNAVAILABLE, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def handle_problems(app: FastAPI) -> None:
    """Answer every exception that has a meaning by problem details, the framework's own included."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(DatabaseUnavailableError, _database)


# Starlette gives every handler any Exception; it calls each with its own.


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)  # noqa: S101
    return problem(request, error)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _methods(request) or headers.get("Allow", "")
    fault = of_status(error.status_code)
    return problem(request, ProblemError(fault, KINDS[fault].title, headers=headers))


async def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    entries = [{**entry, "loc": entry["loc"][1:]} for entry in error.errors()]  # without "query"
    return problem(request, ProblemError.invalid(entries))


async def _database(request: Request, error: Exception) -> JSONResponse:
    log.error("http.database_away", error=str(error))
    return problem(request, unavailable("the database does not answer"))


def _methods(request: Request) -> str:
    """The methods of this path; Starlette would name those of its first route only."""
    path = getattr(request.scope.get("route"), "path", "")
    return ", ".join(sorted(method.upper() for method in request.app.openapi()["paths"].get(path, {})))


def _field_error(entry: Mapping[str, Any]) -> FieldError:
    detail = str(entry["msg"]).removeprefix("Value error, ")
    if entry["type"] == "extra_forbidden":
        detail = "this field is not known"
    return FieldError(pointer(str(part) for part in entry["loc"]), detail)


def pointer(parts: Iterable[str]) -> str:
    """A JSON pointer (RFC 6901), each part of it bounded and harmless."""
    return "".join(f"/{redacted_text(part).replace('~', '~0').replace('/', '~1')[:100]}" for part in parts)
