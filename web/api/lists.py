"""Lists, by keyset: the items, the cursor of the next page, and the same as a `Link` (RFC 8288)."""

from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import JSONResponse


def list_answer(request: Request, items: list[dict[str, Any]], following: str | None) -> JSONResponse:
    """One page; `following` is the `after` of the next one."""
    headers = {}
    if following is not None:
        query = urlencode({**request.query_params, "after": following})
        headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    return JSONResponse({"items": items, "next": following}, headers=headers)
