"""Tokens: who may call. The secret is shown once, when it is made; only its hash is kept."""

import secrets
from collections.abc import Sequence

from ulid import ULID

from refunds.domain.redaction import found_in
from refunds.flow.parts import Parts
from refunds.flow.scopes import check as check_scopes
from refunds.store import tokens
from refunds.store.database import real_now
from refunds.store.tokens import Token

PREFIX = "mb_"
"""By it log redaction and leak scanners know our tokens."""

NAME_LIMIT = 64


def create(parts: Parts, *, name: str, scopes: Sequence[str]) -> tuple[Token, str]:
    """Make a token; returns it with its secret: `mb_` and 43 URL-safe characters, 256 random bits.

    Raises ValueError for an unknown scope, or a name that is not one harmless line of 1 to 64 characters.
    """
    if not (1 <= len(name) <= NAME_LIMIT and name.isprintable() and name == name.strip()):
        raise ValueError(f"a token's name is one line of 1 to {NAME_LIMIT} characters")
    if what := found_in(name):
        raise ValueError(f"a token's name must not hold {what}")
    check_scopes(scopes)
    secret = PREFIX + secrets.token_urlsafe(32)
    kept = tuple(dict.fromkeys(scopes))
    with parts.database.begin() as tx:
        token = Token(id=f"tk_{ULID()}", name=name, scopes=kept, created_at=real_now(tx), revoked_at=None)
        tokens.add(tx, token_id=token.id, name=name, secret=secret, scopes=token.scopes, now=token.created_at)
    return token, secret


def revoke(parts: Parts, token_id: str) -> bool:
    """End a token at once; False if there is none of that id, or it is ended already."""
    with parts.database.begin() as tx:
        return tokens.revoke(tx, token_id=token_id, now=real_now(tx))


def list_tokens(parts: Parts) -> list[Token]:
    """Every token, the ended ones too, oldest first."""
    with parts.database.read() as tx:
        return tokens.list_all(tx)
