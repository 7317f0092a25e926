"""Restore: a database that is older than the gateways' answers pays nobody again.

An old backup has forgotten what was paid after it was made. From then on every refund that may still be paid
is looked up before anything is sent, first attempts too; where the gateway cannot be asked, a person is.
"""

import json
from datetime import timedelta
from pathlib import Path

import structlog

from refunds.flow.parts import Parts
from refunds.store import restores
from refunds.store.database import Tx, clocks
from refunds.store.restores import Restore

log = structlog.get_logger(__name__)

REMEMBERED = timedelta(days=30)
"""So long after a restore new requests are looked up first: callers hand over again what was forgotten."""

_ONCE = timedelta(minutes=10)


def note_restored(parts: Parts, *, by: str, why: str) -> int:
    """Put every open refund into look-up-first; returns how many. Workers should be stopped meanwhile."""
    with parts.database.begin() as tx:
        marked = restores.note(tx, by=by, why=why, now=clocks(tx)[1], working=False)
    log.error("database.restored", by=by, why=why, refunds=marked)
    return marked


def found_restored(parts: Parts, tx: Tx, *, why: str) -> None:
    """The same, found out by ourselves; once, however many workers find it."""
    last, now = restores.latest(tx), clocks(tx)[1]
    if last is None or now - last.at > _ONCE:
        marked = restores.note(tx, by=parts.worker, why=why, now=now, working=True)
        log.error("database.restored", by=parts.worker, why=why, refunds=marked)


def is_remembered(tx: Tx) -> bool:
    """Whether a backup was restored not long ago."""
    last = restores.latest(tx)
    return last is not None and clocks(tx)[1] - last.at < REMEMBERED


def last_restore(parts: Parts) -> Restore | None:
    """When a backup was last restored, or None."""
    with parts.database.read() as tx:
        return restores.latest(tx)


def check_high_water(parts: Parts) -> None:
    """Compare this database with the mark that processes of this host left; an older one was restored."""
    if parts.high_water is None:
        return
    with parts.database.begin() as tx:
        name, stands = restores.name_of(tx), restores.high_water(tx)
        before = _read(parts.high_water, name)
        if before > stands:
            why = f"this database ends at line {stands} of its history, it had {before} before"
            found_restored(parts, tx, why=why)
    if before > stands:
        _write(parts.high_water, name, stands)


def keep_high_water(parts: Parts) -> None:
    """Leave the mark: how far this database's history has come."""
    if parts.high_water is None:
        return
    with parts.database.read() as tx:
        name, stands = restores.name_of(tx), restores.high_water(tx)
    if stands > _read(parts.high_water, name):
        _write(parts.high_water, name, stands)


def _read(mark: Path, name: str) -> int:
    try:
        kept = json.loads(mark.read_text("utf-8"))
        return int(kept["history"]) if kept["database"] == name else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _write(mark: Path, name: str, stands: int) -> None:
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        fresh = mark.with_name(f"{mark.name}.new")
        fresh.write_text(json.dumps({"database": name, "history": stands}), "utf-8")
        fresh.replace(mark)
    except OSError as error:
        log.warning("high_water.not_kept", error=str(error))
