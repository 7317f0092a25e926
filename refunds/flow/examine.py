"""Examine: one look at everything moneyback leans on, each finding with the line that mends it."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from refunds.broker.health import redis_health
from refunds.domain.abilities import Abilities
from refunds.flow.parts import GatewayPart, Parts
from refunds.flow.restore import REMEMBERED
from refunds.store import accounts, health, lanes, restores, schema, ticks
from refunds.store.database import DatabaseUnavailableError, Tx, now, real_now

SILENT_AFTER = timedelta(minutes=1)
"""A process that gave no sign of life for so long counts as gone."""

MOST_SKEW = timedelta(seconds=2)
LEAST_FREE_BYTES = 200 * 1024 * 1024


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one thing; `fix` is the next thing to do, empty where all is well."""

    subject: str
    level: Level
    what: str
    fix: str = ""


def examine(parts: Parts, *, redis_url: str | None, data_dir: Path) -> list[Finding]:
    """Look at everything, changing nothing but probe files that are taken away again.

    Never raises for anything the outside does. The gateways of `parts` are asked on an event loop of this
    call's own and closed: they must be fresh, and are of no use afterwards.
    """
    return [
        *_database(parts),
        *_redis(redis_url),
        *_mail(parts),
        *_gateways(parts),
        *_folder(data_dir),
    ]


def _database(parts: Parts) -> Iterator[Finding]:
    url = parts.database.url.render_as_string(hide_password=True)
    try:
        status = schema.status(parts.database)
        with parts.database.read() as tx:
            yield Finding("database", Level.OK, f"reached: {url}")
            yield from _sqlite(tx) if parts.database.sqlite else _postgres(tx, parts)
            yield _migrations(status)
            if status.up_to_date:
                yield from _own_clock(tx) if parts.database.sqlite else ()
                yield from _zones(tx)
                yield from _processes(tx)
                yield from _restored(tx)
                yield from _paused(tx)
    except DatabaseUnavailableError as error:
        fix = "start the database or mend DATABASE_URL, then run moneyback doctor again"
        yield Finding("database", Level.FAIL, f"cannot be reached: {url}: {error}", fix)


def _sqlite(tx: Tx) -> Iterator[Finding]:
    found = health.sqlite_health(tx)
    if not found.is_new_enough and (fault := found.fault()):
        yield Finding("sqlite version", Level.FAIL, fault.what, fault.fix)
    race = "sound" if found.wal_is_sound else "not sound (the WAL-reset race can lose commits)"
    what = f"SQLite {found.version}, journal {found.journal}; WAL in this version is {race}"
    if found.journal_is_safe:
        yield Finding("journal", Level.OK, what)
    else:
        fix = "end every process that has the file open, then start moneyback again: it sets the journal"
        yield Finding("journal", Level.FAIL, what, fix)
    what = f"synchronous is {found.synchronous}"
    if found.is_durable:
        yield Finding("synchronous", Level.OK, what)
    else:
        yield Finding(
            "synchronous", Level.FAIL, what, "PRAGMA synchronous must be FULL: mend the SQLite build"
        )


def _postgres(tx: Tx, parts: Parts) -> Iterator[Finding]:
    before = datetime.now(UTC)
    found = health.postgres_health(tx)
    after = datetime.now(UTC)
    what = f"PostgreSQL {found.version}, fsync {'on' if found.fsync else 'off'}"
    what += f", synchronous_commit {found.synchronous_commit}"
    fault = found.fault()
    if fault is None:
        yield Finding("durability", Level.OK, what)
    else:
        level = Level.WARN if parts.mail.environment == "test" else Level.FAIL
        yield Finding("durability", level, f"{what}: commits can be lost", fault.fix)
    skew = max(before - found.clock, found.clock - after, timedelta())
    what = f"the database's clock and this host's are {skew.total_seconds():.1f} s apart"
    if skew <= MOST_SKEW:
        yield Finding("clock", Level.OK, what)
    else:
        yield Finding("clock", Level.WARN, what, "let both hosts keep time by NTP (chrony)")


def _own_clock(tx: Tx) -> Iterator[Finding]:
    """SQLite runs on this host's clock: it is wrong for certain if it was later before."""
    last = max((beat.at for beat in ticks.beats(tx)), default=None)
    ahead = last - real_now(tx) if last is not None else timedelta()
    if ahead <= MOST_SKEW:
        yield Finding("clock", Level.OK, "SQLite runs on this host's clock, and that did not go back")
    else:
        what = f"this host's clock went back by {ahead.total_seconds():.1f} s since the last sign of life"
        yield Finding("clock", Level.WARN, what, "let this host keep time by NTP (chrony)")


def _migrations(status: schema.SchemaStatus) -> Finding:
    if status.up_to_date:
        return Finding("migrations", Level.OK, f"at {status.current}")
    what = f"at {status.current or 'nothing'}, this version wants {status.wanted}"
    return Finding("migrations", Level.FAIL, what, "moneyback db upgrade")


def _zones(tx: Tx) -> Iterator[Finding]:
    for zone in sorted({account.policy.zone for account in accounts.get_all(tx).values()}):
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            fix = "install the tzdata package (Python's or the system's)"
            yield Finding("time zone", Level.FAIL, f"no data for {zone}", fix)
        else:
            yield Finding("time zone", Level.OK, f"{zone} is known")


def _processes(tx: Tx) -> Iterator[Finding]:
    since = real_now(tx) - SILENT_AFTER
    alive = [beat for beat in ticks.beats(tx) if beat.at >= since]
    for role in ("worker", "scheduler"):
        # `up` is all roles in one process, under one name.
        names = [beat.process for beat in alive if beat.role == role]
        if names:
            yield Finding(role, Level.OK, f"alive: {', '.join(names)}")
        else:
            fix = f"moneyback {role} (or moneyback up)"
            yield Finding(role, Level.WARN, "no sign of life in the last minute", fix)


def _restored(tx: Tx) -> Iterator[Finding]:
    last = restores.latest(tx)
    if last is not None and now(tx) - last.at < REMEMBERED:
        what = f"an older backup was restored at {last.at:%Y-%m-%d %H:%M} UTC, by the word of {last.by}"
        fix = "see moneyback refund list --status needs_review; every refund is looked up first meanwhile"
        yield Finding("backup", Level.WARN, f"{what}: {last.why}", fix)


def _paused(tx: Tx) -> Iterator[Finding]:
    for pause in lanes.get_pauses(tx):
        everything = pause.gateway == lanes.EVERY_GATEWAY
        what = f"no attempt begins at {'any gateway' if everything else pause.gateway}, since"
        what += f" {pause.at:%Y-%m-%d %H:%M} UTC, by {pause.by}: {pause.reason}"
        fix = f"when that is over: moneyback gateway resume {'--all' if everything else pause.gateway}"
        yield Finding("pause", Level.WARN, what, fix)


def _redis(url: str | None) -> Iterator[Finding]:
    if url is None:
        return
    match redis_health(url):
        case str(why):
            fix = "start Redis or mend REDIS_URL; until then workers find their work by looking"
            yield Finding("redis", Level.FAIL, f"cannot be reached: {why}", fix)
        case found:
            what = f"Redis {found.version}, maxmemory-policy {found.eviction or 'not told'}"
            if found.eviction == "noeviction":
                yield Finding("redis", Level.OK, what)
            else:
                fix = "set maxmemory-policy noeviction: another may drop messages"
                yield Finding("redis", Level.WARN, what, fix)


def _mail(parts: Parts) -> Iterator[Finding]:
    wrong = parts.channel.check()
    if wrong is None:
        yield Finding("mail", Level.OK, f"can leave; always told: {', '.join(parts.mail.notify_emails)}")
    else:
        fix = "mend SMTP_URL, the mail server, or the rights of the mail folder: failures must be told"
        yield Finding("mail", Level.FAIL, wrong, fix)


def _gateways(parts: Parts) -> Iterator[Finding]:
    if not parts.gateways:
        level = Level.FAIL if parts.mail.environment == "production" else Level.WARN
        yield Finding("gateway", level, "none is configured", "add [gateways.NAME] to moneyback.toml")
        return
    wrong = asyncio.run(check_gateways(parts.gateways, within_seconds=parts.call_limit.total_seconds()))
    for name, part in sorted(parts.gateways.items()):
        what = told_abilities(part.gateway.abilities)
        if wrong[name] is None:
            yield Finding(f"gateway {name}", Level.OK, what)
        else:
            fix = f"mend [gateways.{name}] base_url or its key, or start the gateway; refunds wait meanwhile"
            yield Finding(f"gateway {name}", Level.FAIL, f"{wrong[name]} ({what})", fix)


async def check_gateways(
    gateways: Mapping[str, GatewayPart], *, within_seconds: float
) -> dict[str, str | None]:
    """What is wrong with each gateway, or None. They are closed, and of no use afterwards."""

    async def check(part: GatewayPart) -> str | None:
        try:
            async with asyncio.timeout(within_seconds):
                return await part.gateway.check()
        except TimeoutError:
            return f"no answer within {within_seconds:g} s"
        finally:
            await part.gateway.close()

    found = await asyncio.gather(*(check(part) for part in gateways.values()))
    return dict(zip(gateways, found, strict=True))


def told_abilities(abilities: Abilities) -> str:
    """Grade and abilities in words."""
    life = abilities.key_life
    words = [
        f"grade {abilities.grade.value}",
        f"keys live {life.total_seconds() / 3600:g} h" if life is not None else "no keys",
        "look-up" if abilities.look_up else "no look-up",
        *(
            word
            for word in ("partial", "void", "cancel_order", "offline", "items")
            if getattr(abilities, word)
        ),
    ]
    return ", ".join(words)


def _folder(folder: Path) -> Iterator[Finding]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\n")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        fix = "give this user the right to write there, or set MONEYBACK_DATA_DIR"
        yield Finding("data folder", Level.FAIL, f"cannot write into {folder}: {error.strerror}", fix)
        return
    what = f"{folder} can be written, {free / 1024**3:.1f} GiB free"
    if free >= LEAST_FREE_BYTES:
        yield Finding("data folder", Level.OK, what)
    else:
        yield Finding("data folder", Level.WARN, what, "make room on that disk")
