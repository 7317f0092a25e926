"""Intake by message: the message is at its end only when its refund, or its parked refusal, is committed."""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from refunds.domain.redaction import redacted, redacted_text
from refunds.flow.intake import Asked, take_in
from refunds.flow.parts import Parts
from refunds.flow.refusal import Refusal
from refunds.flow.request import not_kept
from refunds.store import requests
from refunds.store.database import DatabaseUnavailableError, now

log = structlog.get_logger(__name__)

VERSION = 1
CALLER = "message"
PAUSE_SECONDS = 1.0


def take_message(parts: Parts, kwargs: Mapping[str, Any], *, stopping: threading.Event) -> bool:
    """Take in one `request_refund` message; True when it is kept, as a refund or as a parked refusal.

    While the database is away it waits; False if the process has to stop before it came back.
    """
    return _until_kept(lambda: _take(parts, kwargs), stopping=stopping)


def park_message(parts: Parts, *, raw: str, why: str, stopping: threading.Event) -> bool:
    """Keep a body (base64) that could not be read; waits and answers as take_message."""
    body = base64.b64decode(raw).decode(errors="backslashreplace")
    return _until_kept(lambda: _park(parts, _harmless(body), why), stopping=stopping)


def _until_kept(keep: Callable[[], None], *, stopping: threading.Event) -> bool:
    """Nothing but success ends it: a message whose actor ends is acknowledged, and so would be lost."""
    while True:
        try:
            keep()
        except DatabaseUnavailableError as error:
            log.warning("message.waits_for_database", error=str(error))
        except Exception:  # a standby, a missing right, a full disk: whatever it is, the message is kept
            log.exception("message.waits")
        else:
            return True
        if stopping.wait(PAUSE_SECONDS):
            return False


def _take(parts: Parts, kwargs: Mapping[str, Any]) -> None:
    raw = _raw(kwargs)
    version, key, request = (kwargs.get(name) for name in ("version", "idempotency_key", "request"))
    unknown = sorted(set(kwargs) - {"version", "idempotency_key", "request"})
    if version != VERSION or not isinstance(key, str) or not isinstance(request, Mapping) or unknown:
        told = redacted_text(f"{unknown}")
        _park(parts, raw, f"needs version {VERSION}, idempotency_key and request; unknown: {told}"[:500])
        return
    try:
        [taken] = take_in(parts, [Asked(key, request)], caller=CALLER, source="message", keep_refusals=True)
    except DatabaseUnavailableError:
        raise
    except Exception as error:  # a message nobody foresaw must block nobody and is kept for a person
        log.exception("message.not_understood", idempotency_key=key)
        _park(parts, raw, f"could not be taken in: {type(error).__name__}")
        return
    if isinstance(taken, Refusal):
        _park(parts, raw, f"refused: {taken.cause}: {taken.detail}"[:500])
    else:
        log.info("message.taken", refund_id=taken.refund.id, repeated=taken.repeated)


def _raw(kwargs: Mapping[str, Any]) -> str:
    """The message as text, without card data and secrets.

    What is nested so deep that it cannot be written down is kept by its key.
    """
    try:
        return _written(dict(kwargs))
    except RecursionError:
        key = redacted_text(str(kwargs.get("idempotency_key")))[:300]
        return f"nested too deep to be kept; idempotency_key {key!r}"


def _written(document: Any) -> str:
    """JSON, harmless in each of its values; read as text where that is too deep to go into."""
    try:
        return json.dumps(redacted(document, most_deep=_MOST_DEEP))
    except RecursionError:
        return redacted_text(json.dumps(document, default=str, ensure_ascii=False))


_MOST_DEEP = 10_000


def _harmless(body: str) -> str:
    """A body as it came, or written anew where something in it must not be kept."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return redacted_text(body)
    return _written(document) if not_kept(document) else redacted_text(body)


def _park(parts: Parts, raw: str, why: str) -> None:
    raw, why = raw.replace("\x00", "\\x00"), redacted_text(why)
    digest = hashlib.sha256(raw.encode(errors="surrogatepass")).hexdigest()
    text = raw.encode(errors="backslashreplace").decode()
    with parts.database.begin() as tx:
        new = requests.park(tx, digest=digest, source=CALLER, raw=text, why=why, now=now(tx))
    if new:
        log.error("message.parked", why=why, digest=digest)
