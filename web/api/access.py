"""Who calls, and what for: bearer tokens, their scopes, and the idempotency key."""

import re
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from refunds.flow import reading, scopes
from refunds.flow.intake import KEY_LIMIT
from refunds.flow.parts import Parts
from refunds.store.tokens import Token
from web.api.kinds import Fault
from web.api.problems import ProblemError, unavailable


async def _parts(request: Request) -> Parts:
    return cast("Parts", request.app.state.parts)


OurParts = Annotated[Parts, Depends(_parts)]

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="`moneyback token create` makes one.")


@dataclass(frozen=True, slots=True)
class Needs:
    """Lets tokens with a scope pass. Raises ProblemError: 401 for no token of ours, 403 for a lesser one."""

    scope: str

    def __call__(
        self,
        request: Request,
        parts: OurParts,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> Token:
        """The caller's token."""
        if given is None:
            raise _unauthenticated("send a bearer token", 'Bearer realm="moneyback"')
        _check_migrated(request, parts)
        token = reading.authenticate(parts, given.credentials)
        if token is None:
            challenge = 'Bearer realm="moneyback", error="invalid_token"'
            raise _unauthenticated("this token is unknown, or was ended", challenge)
        if not scopes.allows(token.scopes, self.scope):
            challenge = f'Bearer realm="moneyback", error="insufficient_scope", scope="{self.scope}"'
            detail = f"this needs a token with the scope {self.scope}"
            raise ProblemError(Fault.FORBIDDEN, detail, headers={"WWW-Authenticate": challenge})
        return token


def signature(token: Token) -> str:
    """How people read who asked; fits every column that holds it."""
    return f"{token.name} ({token.id})"


async def idempotency_key(request: Request) -> str:
    """The key, without its quotes where it came as a quoted string (RFC 8941). Raises ProblemError: 400."""
    given = request.headers.getlist("idempotency-key")
    if not given:
        raise ProblemError(Fault.KEY_MISSING, "send a header Idempotency-Key")
    key = _unquoted(given[0])
    if len(given) > 1 or not _KEY.fullmatch(key):
        detail = f"one header Idempotency-Key of 1 to {KEY_LIMIT} printable ASCII characters is needed"
        raise ProblemError(Fault.KEY_INVALID, detail)
    return key


IdempotencyKey = Annotated[str, Depends(idempotency_key)]

_QUOTED = re.compile(r'"(?:[ !#-\[\]-~]|\\["\\])*"')
_KEY = re.compile(rf"[ -~]{{1,{KEY_LIMIT}}}")


def _unquoted(given: str) -> str:
    """Without quotes; nothing where a quote is left open."""
    if _QUOTED.fullmatch(given):
        return re.sub(r"\\(.)", r"\1", given[1:-1])
    return "" if given.startswith('"') else given


def _check_migrated(request: Request, parts: Parts) -> None:
    """Without tables there is nobody to know; once seen, they stay."""
    state = request.app.state
    if not state.migrated:
        state.migrated = reading.ready(parts).migrated
    if not state.migrated:
        raise unavailable("the database is away, or not migrated")


def _unauthenticated(detail: str, challenge: str) -> ProblemError:
    return ProblemError(Fault.UNAUTHENTICATED, detail, headers={"WWW-Authenticate": challenge})
