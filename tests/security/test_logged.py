"""What is logged: every value of every event, in both forms, with exceptions and what libraries say."""

import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import structlog

from tests.security.listening import listening
from tests.security.planted import cards, codes, keys
from tests.security.searching import hits


def _events() -> Iterator[dict[str, Any]]:
    for card, code, key in zip(cards(), codes(), keys(), strict=True):
        for text in card.spelt.values():
            yield {"text": text}
        yield {"pan_first": card.halves[0], "pan_last": card.halves[1]}
        yield {"card": {"parts": list(card.halves)}, "raw": card.spelt["spaces"].encode()}
        yield {"whole": int(card.number), "exact": Decimal(card.number), "path": Path(card.number)}
        yield {card.spelt["dashes"]: 1, "deep": [{"deeper": ({card.spelt["spaces"]},)}]}
        yield {"text": code.text, "cvv": code.digits, "security_code": int(code.digits)}
        yield {"text": key.text, "api_key": key.secret, "headers": {"Authorization": key.secret}}
        yield {"error": ValueError(card.number, key.text, code.text)}


def test_no_event_shows_any_of_it(log_format: str) -> None:
    with listening(log_format) as written:
        log = structlog.get_logger("tests")
        for number, event in enumerate(_events()):
            log.info("planted", number=number, **event)
        library = logging.getLogger("library")
        for card, code, key in zip(cards(), codes(), keys(), strict=True):
            for text in (*card.spelt.values(), code.text, key.text):
                library.warning("it said %s", text)
    lines = written.getvalue().splitlines()
    assert len(lines) == number + 1 + len(cards()) * 9
    assert not [line for line in lines if "unprintable" in line]
    assert hits(written.getvalue()) == set()


def test_no_traceback_shows_any_of_it(log_format: str) -> None:
    with listening(log_format) as written:
        log = structlog.get_logger("tests")
        for number, (card, key) in enumerate(zip(cards(), keys(), strict=True)):
            text = list(card.spelt.values())[number % 7]
            try:
                try:
                    raise KeyError(text)  # noqa: TRY301
                except KeyError as error:
                    error.add_note(key.text)
                    raise RuntimeError(f"{text} and {key.text}") from error
            except RuntimeError:
                log.exception("it.broke", number=number)
    assert written.getvalue().count("RuntimeError") >= len(cards())
    assert hits(written.getvalue()) == set()


def test_what_people_need_to_read_stays() -> None:
    said = {
        "refund_id": "rf_01KA8Y1T5B6N0QZ4R7S2V9WXEH",
        "request_id": "3f2a9c10-4111-1111-1111-111111111111",
        "reference": "sre_4111111111111111x",
        "order_id": "4111111111111112",
        "when": "2026-01-02T10:11:12.123456Z 2026-01-02 2026-01-03 20260102101112",
        "millis": 1764026706123,
        "amount_minor": 4111111111111111,
        "asked": "GBP 48.26 asked, GBP 17.40 of GBP 50.00 is refundable now",
        "url": "http://127.0.0.1:8010/v1/payments/pay_7001/refunds",
        "text": "authorization expired; security check passed; verification failed",
        "idempotency_key": "shop/order-1001/return-1-1764026706123",
    }
    with listening("text") as written:
        structlog.get_logger("tests").info("refund.queued", **said)
    for value in said.values():
        assert str(value) in written.getvalue()
