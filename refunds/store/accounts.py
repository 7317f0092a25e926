"""Accounts: whose refunds these are, on which schedule, and who is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any, Literal, cast

from sqlalchemy import bindparam, insert, select, text, update

from refunds.domain.schedule import Policy, next_run
from refunds.store import tables
from refunds.store.database import Tx, now
from refunds.store.types import Instant

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Account:
    """A merchant's settings. `notify_domains` empty: requests may name addresses of any domain."""

    id: str
    policy: Policy
    notify_emails: tuple[str, ...]
    notify_domains: tuple[str, ...]


def get(tx: Tx, account: str) -> Account | None:
    """One account, or None."""
    row = tx.execute(select(tables.accounts).where(tables.accounts.c.id == account)).one_or_none()
    return None if row is None else _account(row)


def get_all(tx: Tx) -> dict[str, Account]:
    """Every account by its id."""
    return {row.id: _account(row) for row in tx.execute(select(tables.accounts))}


def put(tx: Tx, account: Account) -> None:
    """Write an account; a changed zone, run hour or count of days moves the waiting daily retries with it."""
    values: dict[str, Any] = {
        "zone": account.policy.zone,
        "run_at": account.policy.run_at.strftime("%H:%M"),
        "retry_days": account.policy.retry_days,
        "permanent_failures": account.policy.permanent_failures,
        "notify_emails": list(account.notify_emails),
        "notify_domains": list(account.notify_domains),
    }
    before = get(tx, account.id)
    if before is None:
        tx.execute(insert(tables.accounts).values(id=account.id, **values))
        return
    if before == account:
        return
    tx.execute(update(tables.accounts).where(tables.accounts.c.id == account.id).values(**values))
    if (before.policy.zone, before.policy.run_at) != (account.policy.zone, account.policy.run_at):
        _move_daily_retries(tx, account)


def _move_daily_retries(tx: Tx, account: Account) -> None:
    refunds = tables.refunds
    waiting = tx.execute(
        select(refunds.c.id, refunds.c.last_counted_at)
        .where(refunds.c.account == account.id, refunds.c.status == "queued", refunds.c.wait == "daily")
        .where(refunds.c.extra.is_(False), refunds.c.last_counted_at.is_not(None)),
    ).all()
    at = now(tx)
    if waiting:
        moved: Sequence[dict[str, Any]] = [
            {"id": row.id, "due": next_run(row.last_counted_at, account.policy, at)} for row in waiting
        ]
        tx.execute(
            text(
                "UPDATE refunds SET due_at = :due WHERE id = :id AND status = 'queued' AND wait = 'daily'",
            ).bindparams(bindparam("due", type_=Instant())),
            moved,
        )


def _account(row: Any) -> Account:
    return Account(
        id=row.id,
        policy=Policy(
            zone=row.zone,
            run_at=time.fromisoformat(row.run_at),
            retry_days=row.retry_days,
            permanent_failures=cast('Literal["notify", "retry"]', row.permanent_failures),
        ),
        notify_emails=tuple(row.notify_emails),
        notify_domains=tuple(row.notify_domains),
    )
