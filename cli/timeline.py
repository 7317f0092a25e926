"""The timeline of one refund: every row about it, in order, as (when, what, detail)."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cli.wording import stamp
from refunds.flow.overview import Overview

Row = Mapping[str, Any]


def timeline(found: Overview) -> list[tuple[datetime, str, str]]:
    """Look-ups, moves, tries, mails and finds, oldest first; what happened at one instant in that order."""
    entries = [*_look_ups(found), *_history(found), *_attempts(found), *_notices(found), *_evidence(found)]
    return sorted(entries, key=lambda entry: entry[0])


def told(row: Row) -> str:
    """What the gateway answered: its code and its words."""
    return ": ".join(part for part in (row["code"], row["text"]) if part)


def _history(found: Overview) -> Iterator[tuple[datetime, str, str]]:
    for row in found.history:
        old, new = row["old"], row["new"]
        move = f"{old} → {new}" if old and old != new else new
        yield row["at"], move, f"{row['why']} (by {row['actor']})"


def _attempts(found: Overview) -> Iterator[tuple[datetime, str, str]]:
    for row in found.attempts:
        counted = row["counted_number"]
        place = f"counted {counted} of {found.most_counted}" if counted else "not counted"
        facts = [
            row["outcome"] or ("no answer heard" if row["sending_at"] else "not sent"),
            told(row),
            f"HTTP {row['http_status']}" if row["http_status"] else "",
            f"{row['duration_ms']} ms" if row["duration_ms"] is not None else "",
            f"request {row['request_id']}" if row["request_id"] else "",
            f"key {row['key']}",
            f"answer at {stamp(row['finished_at'])}" if row["finished_at"] else "",
        ]
        at = row["sending_at"] or row["claimed_at"]
        yield at, f"attempt {row['number']} ({place})", ", ".join(fact for fact in facts if fact)


def _look_ups(found: Overview) -> Iterator[tuple[datetime, str, str]]:
    for row in found.look_ups:
        facts = [row["finding"], told(row), f"{row['duration_ms']} ms"]
        yield row["at"], "look-up", ", ".join(fact for fact in facts if fact)


def _notices(found: Overview) -> Iterator[tuple[datetime, str, str]]:
    for row in found.notices:
        facts = [
            f"to {row['address']}, who {row['why']}: {row['status']}",
            f"after {row['tries']} tries" if row["tries"] > 1 else "",
            row["response"] or "",
            f"Message-ID {row['message_id']}" if row["message_id"] else "",
        ]
        at = row["delivered_at"] or row["decided_at"]
        yield at, f"mail ({row['kind']})", ", ".join(fact for fact in facts if fact)


def _evidence(found: Overview) -> Iterator[tuple[datetime, str, str]]:
    for row in found.evidence:
        yield row["at"], f"evidence ({row['source']})", json.dumps(row["content"])
