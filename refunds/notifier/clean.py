"""Cleaning: no text from outside can end a header, move the cursor, turn the line or fill the mailbox."""

import re
from dataclasses import fields, replace
from enum import Enum
from typing import Any, Final

from refunds.domain.redaction import redacted_text
from refunds.notifier.facts import AttemptFact, NoticeFacts

TEXT_LIMIT: Final = 500
REFERENCE_LIMIT: Final = 320
WORD_LIMIT: Final = 100

_TEXTS: Final = frozenset({"why_recipient", "failure_text", "text", "certainty", "evidence", "reason"})
# By these the mail is sent and its refund is found: they are ours, and stay whole.
_OURS: Final = frozenset({"notice_id", "refund_id", "recipient", "thread_message_id", "public_url"})
_REFERENCES: Final = frozenset({"order_id", "transaction_id", "request_id"})
_READ_AT_MOST = 20_000
# Control characters, lone surrogates, and everything that is invisible or changes direction or layout
# (soft hyphen, zero width, bidi marks, overrides and isolates, byte order mark, annotations, tags).
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)


def clean_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """One line of at most `limit` visible characters; each kind of line break or blank becomes one space."""
    return clipped(_one_line(text), limit)


def harmless_text(text: str, limit: int) -> str:
    """As clean_text, without keys and tokens; a card number in it keeps its last four digits."""
    return clipped(redacted_text(_one_line(text), last_four=True), limit)


def clipped(text: str, limit: int) -> str:
    """The text, cut to `limit` characters with an ellipsis in place of the last."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def clean_facts(facts: NoticeFacts) -> NoticeFacts:
    """The same facts with every text cleaned, harmless and bounded."""
    attempts = tuple(replace(attempt, **_clean_fields(attempt)) for attempt in facts.attempts)
    return replace(facts, **_clean_fields(facts), attempts=attempts)


def _clean_fields(owner: NoticeFacts | AttemptFact) -> dict[str, Any]:
    values = ((field.name, getattr(owner, field.name)) for field in fields(owner))
    return {
        name: _clean_field(name, value)
        for name, value in values
        if isinstance(value, str) and not isinstance(value, Enum)
    }


def _clean_field(name: str, value: str) -> str:
    if name in _OURS:
        return clean_text(value, REFERENCE_LIMIT)
    if name in _REFERENCES:
        return harmless_text(value, REFERENCE_LIMIT)
    return harmless_text(value, TEXT_LIMIT if name in _TEXTS else WORD_LIMIT)


def _one_line(text: str) -> str:
    return " ".join(_UNPRINTABLE.sub("", text[:_READ_AT_MOST]).split())
