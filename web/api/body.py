"""Reading a body: bounded in bytes, time and depth, and taken only where its JSON means one thing."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from itertools import islice
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.requests import ClientDisconnect

from refunds.domain.redaction import redacted_text
from refunds.flow.refusal import Cause, FieldError
from web.api.kinds import Fault
from web.api.problems import ERRORS_SHOWN, ProblemError, pointer

BYTES_LIMIT = 256 * 1024
DEPTH_LIMIT = 32
NUMBER_LIMIT = 20
"""Characters of a number; whatever counts as an amount has fewer."""


async def raw_body(request: Request) -> bytes:
    """The body's bytes. Raises ProblemError: 415 for another type, 413 if too large, 408 if too slow."""
    _check_type(request)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < NUMBER_LIMIT and int(declared) > BYTES_LIMIT:
        raise _too_large()
    content = bytearray()
    try:
        async with asyncio.timeout(request.app.state.body_seconds):
            async for chunk in request.stream():
                content += chunk
                if len(content) > BYTES_LIMIT:
                    raise _too_large()
    except TimeoutError:
        detail = f"the body took longer than {request.app.state.body_seconds:g} s"
        raise ProblemError(Fault.TOO_SLOW, detail, headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise ProblemError(Fault.MALFORMED_BODY, "the body ended early") from None
    return bytes(content)


RawBody = Annotated[bytes, Depends(raw_body)]


def read_document(content: bytes) -> dict[str, Any]:
    """The body's JSON object.

    Raises ProblemError: 400 for what is no JSON in UTF-8; 422 for what is JSON but not one clear thing:
    a name twice in an object, a number with a fraction, half a surrogate pair, too deep, no object.
    """
    try:
        document = json.loads(
            content.decode(),
            object_pairs_hook=_object,
            parse_int=_whole_number,
            parse_float=_fraction,
            parse_constant=_no_number,
        )
    except UnicodeDecodeError as error:
        raise ProblemError(Fault.MALFORMED_BODY, f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        detail = f"not JSON in line {error.lineno}, column {error.colno}: {error.msg}"
        raise ProblemError(Fault.MALFORMED_BODY, detail) from None
    except RecursionError:
        raise ProblemError(Cause.INVALID, _TOO_DEEP, errors=[FieldError("", _TOO_DEEP)]) from None
    errors = list(islice(_complaints(document, []), ERRORS_SHOWN))
    if not errors and not isinstance(document, dict):
        errors = [FieldError("", "the request must be a JSON object")]
    if errors:
        detail = errors[0].detail
        raise ProblemError(Cause.INVALID, f"the body cannot be taken: {detail}", errors=errors)
    clean: dict[str, Any] = document
    return clean


_TOO_DEEP = f"lists and objects may be {DEPTH_LIMIT} deep"
_BROKEN = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Unclear:
    """Stands in the document where something cannot be taken."""

    why: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Unclear:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
    return _Unclear(f"{redacted_text(name)[:100]!r} stands twice in this object")


def _whole_number(token: str) -> int | _Unclear:
    return int(token) if len(token) <= NUMBER_LIMIT else _Unclear("the number is too long")


def _fraction(_token: str) -> _Unclear:
    return _Unclear("a number must be whole: amounts with decimals are text")


def _no_number(token: str) -> _Unclear:
    return _Unclear(f"{token} is no number")


def _complaints(value: Any, path: list[str]) -> Iterator[FieldError]:
    match value:
        case _Unclear():
            yield FieldError(pointer(path), value.why)
        case str() if _BROKEN.search(value):
            yield FieldError(pointer(path), "holds half a surrogate pair")
        case dict() | list() if len(path) >= DEPTH_LIMIT:
            yield FieldError(pointer(path), _TOO_DEEP)
        case dict():
            for name, item in value.items():
                if _BROKEN.search(name):
                    yield FieldError(pointer(path), "a name in it holds half a surrogate pair")
                else:
                    yield from _complaints(item, [*path, name])
        case list():
            for index, item in enumerate(value):
                yield from _complaints(item, [*path, str(index)])


def _check_type(request: Request) -> None:
    header = Message()
    header["Content-Type"] = ", ".join(request.headers.getlist("content-type"))
    charset = header.get_param("charset", "utf-8")
    encoding = request.headers.get("content-encoding", "identity")
    if (
        header.get_content_type() != "application/json"
        or str(charset).lower() not in {"utf-8", "utf8"}
        or encoding.lower() != "identity"
    ):
        raise ProblemError(Fault.MEDIA_TYPE, "the body must be application/json in UTF-8, not compressed")


def _too_large() -> ProblemError:
    return ProblemError(Fault.BODY_TOO_LARGE, f"the body may have {BYTES_LIMIT} bytes")
