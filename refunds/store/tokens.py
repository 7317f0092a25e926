"""Bearer tokens: only their hash is kept."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from refunds.store import tables
from refunds.store.database import Tx


@dataclass(frozen=True, slots=True)
class Token:
    """Who may do what. The secret itself is known to nobody but its holder."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


def digest(secret: str) -> str:
    """SHA-256 of a token; tokens are 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def add(tx: Tx, *, token_id: str, name: str, secret: str, scopes: Sequence[str], now: datetime) -> None:
    """Keep a new token's hash."""
    tx.execute(
        insert(tables.tokens).values(
            id=token_id, name=name, hash=digest(secret), scopes=list(scopes), created_at=now
        ),
    )


def find(tx: Tx, secret: str) -> Token | None:
    """The token with this secret, unless it is unknown or revoked."""
    tokens = tables.tokens
    row = tx.execute(
        select(tokens).where(tokens.c.hash == digest(secret), tokens.c.revoked_at.is_(None)),
    ).one_or_none()
    return None if row is None else _token(row)


def revoke(tx: Tx, *, token_id: str, now: datetime) -> bool:
    """End a token; False if there is none of that id, or it is ended already."""
    tokens = tables.tokens
    done = tx.execute(
        update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=now),
    )
    return done.rowcount == 1


def list_all(tx: Tx) -> list[Token]:
    """Every token, oldest first."""
    return [_token(row) for row in tx.execute(select(tables.tokens).order_by(tables.tokens.c.id))]


def _token(row: Any) -> Token:
    return Token(row.id, row.name, tuple(row.scopes), row.created_at, row.revoked_at)
