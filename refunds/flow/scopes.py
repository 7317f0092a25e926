"""Scopes: what a token lets its holder do."""

from collections.abc import Iterable, Mapping

REFUNDS_READ = "refunds:read"
REFUNDS_WRITE = "refunds:write"
PAYMENTS_READ = "payments:read"
PAYMENTS_WRITE = "payments:write"
QUEUE_READ = "queue:read"
OPERATE = "operate"

_READS = frozenset({REFUNDS_READ, PAYMENTS_READ, QUEUE_READ})
_WRITES = frozenset({REFUNDS_WRITE, PAYMENTS_WRITE})

SCOPES: Mapping[str, str] = {
    REFUNDS_READ: "see refunds",
    REFUNDS_WRITE: "ask for refunds",
    PAYMENTS_READ: "see payments and their balances",
    PAYMENTS_WRITE: "register payments",
    QUEUE_READ: "see how much waits, and since when",
    OPERATE: "retry, cancel, restart and resolve refunds, and see everything",
    "read": "see everything",
    "write": "ask for refunds, register payments, and see everything",
    "admin": "everything",
}
"""Every scope a token may have, and what it lets its holder do."""

_GRANTS: Mapping[str, frozenset[str]] = {
    **{scope: frozenset({scope}) for scope in _READS | _WRITES},
    OPERATE: _READS | {OPERATE},
    "read": _READS,
    "write": _READS | _WRITES,
    "admin": _READS | _WRITES | {OPERATE},
}


def allows(token_scopes: Iterable[str], wanted: str) -> bool:
    """Whether a token with these scopes may do what needs `wanted`; a scope nobody knows allows nothing."""
    return any(wanted in _GRANTS.get(scope, frozenset()) for scope in token_scopes)


def check(scopes: Iterable[str]) -> None:
    """Let known scopes pass. Raises ValueError naming the unknown ones, or if there are none at all."""
    given = list(scopes)
    unknown = sorted(set(given) - SCOPES.keys())
    if unknown:
        raise ValueError(f"unknown scope {', '.join(unknown)}; there are {', '.join(SCOPES)}")
    if not given:
        raise ValueError(f"a token needs a scope; there are {', '.join(SCOPES)}")
