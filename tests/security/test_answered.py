"""What gateways and mail servers say: kept and told without card data and secrets."""

import quopri
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome, Reason
from refunds.flow.intake import Accepted, Asked, take_in
from refunds.flow.notify import deliver_due
from refunds.flow.payments import register
from refunds.notifier.content import build
from refunds.notifier.folder import FolderChannel
from refunds.ports import Call
from tests.flow.spoken import SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually
from tests.notifier.sample import FAILED
from tests.security.listening import listening
from tests.security.planted import cards, codes, keys
from tests.security.searching import hits, hits_in_folder, hits_in_tables

RAISE = "raise"
MAILED = 100


def told() -> list[str]:
    """A gateway's words, one for each card: all its spellings, a security code and a key, in turns first."""
    words = []
    for number, (card, code, key) in enumerate(zip(cards(), codes(), keys(), strict=True)):
        parts = [*card.spelt.values(), code.text, key.text]
        turn = number % len(parts)
        words.append("Refused by the issuer | " + " | ".join([*parts[turn:], *parts[:turn]]))
    return words


class _TellingGateway(SpokenGateway):
    """Answers as spoken, and breaks where it is told to."""

    async def pay(self, call: Call) -> Answer:
        answer = await super().pay(call)
        if answer.code == RAISE:
            raise RuntimeError(answer.text) from ValueError(answer.text)
        return answer


def _answers() -> list[Answer]:
    answers = []
    for number, (text, card, key) in enumerate(zip(told(), cards(), keys(), strict=True)):
        spelt = list(card.spelt.values())
        passing = Answer(
            Outcome.DECLINED,
            spelt[number % len(spelt)],
            text,
            reason=Reason.PASSING,
            request_id=f"{key.text} {spelt[-number % len(spelt)]}",
        )
        match number % 10:
            case 0 | 1:
                answers.append(replace(passing, reason=Reason.PERMANENT))
            case 2:
                answers.append(Answer(Outcome.UNKNOWN, card.number, text))
            case 3:
                answers.append(Answer(Outcome.UNKNOWN, RAISE, text))
            case 4:
                answers.append(Answer(Outcome.REFUNDED, reference=f"sre_{number} {card.spelt['spaces']}"))
            case _:
                answers.append(passing)
    return answers


def _take_in(house: House, count: int) -> None:
    payments = [
        {
            "order_id": f"o{number}",
            "transaction_id": f"t{number}",
            "captured_amount": "9.00",
            "currency": "GBP",
        }
        for number in range(count)
    ]
    register(house.parts, payments)
    asked = [
        Asked(f"k{number}", {"transaction_id": f"t{number}", "amount": "1.00"}) for number in range(count)
    ]
    taken = take_in(house.parts, asked, caller="shop", source="test")
    assert all(isinstance(answer, Accepted) for answer in taken)


@pytest.mark.parametrize("kept_in", ["sqlite", "postgresql"])
def test_what_a_gateway_repeats_is_neither_kept_nor_logged_nor_mailed(
    kept_in: str, open_house: HouseMaker, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url: str = request.getfixturevalue("sqlite_url" if kept_in == "sqlite" else "postgres_database")
    findings = [
        LookUpAnswer(Finding.UNCLEAR, card.number, text) for card, text in zip(cards(), told(), strict=True)
    ]
    gateway = _TellingGateway(_answers(), findings)
    house = open_house(url, gateway=gateway, channel=FolderChannel(tmp_path / "mail"))
    _take_in(house, len(cards()))
    with listening("json" if kept_in == "sqlite" else "text") as log:
        with house.working():
            eventually(lambda: _all_answered(house))
            eventually(lambda: house.count("look_ups") > 0)
        while house.count("notices") and deliver_due(house.parts, limit=100):
            pass

    assert len(list((tmp_path / "mail").glob("*.eml"))) >= MAILED
    assert hits_in_tables(house.parts.database) == set()
    assert hits_in_folder(tmp_path) == set()
    assert {"refund.queued", "attempt.adapter_failed", "Traceback"} <= _seen(log.getvalue())
    assert hits(log.getvalue()) == set()
    assert "Refused by the issuer | [card …" in "".join(row["text"] or "" for row in _attempts(house))


def _all_answered(house: House) -> bool:
    house.reopen_lanes()
    return all(row["outcome"] for row in _attempts(house)) and house.count("attempts") >= len(cards())


def _attempts(house: House) -> list[dict[str, str]]:
    with house.parts.database.read() as tx:
        return [dict(row) for row in tx.execute(sql("SELECT outcome, code, text FROM attempts")).mappings()]


def _seen(log: str) -> set[str]:
    words = {word for word in ("refund.queued", "attempt.adapter_failed") if word in log}
    return words | ({"Traceback"} if "Traceback" in log or '"frames"' in log else set())


def test_no_mail_tells_it_whatever_its_facts_hold() -> None:
    written = b""
    for number, text in enumerate(told()):
        card, key = cards()[number], keys()[number]
        spelt = list(card.spelt.values())
        facts = replace(
            FAILED,
            order_id=spelt[number % len(spelt)],
            transaction_id=key.text,
            requested_by=card.spelt["plain"],
            reason=codes()[number].text,
            failure_code="" if number % 2 else card.spelt["dashes"],
            failure_text=text,
            evidence=card.spelt["track"],
            attempts=tuple(
                replace(attempt, code=card.number, text=text, request_id=card.spelt["spaces"])
                for attempt in FAILED.attempts[:1]
            ),
        )
        broken = replace(facts, currency="?")  # nothing can be built from it but the plain fallback
        for each in (facts, broken) if number % 10 == 0 else (facts,):
            written += build(each, sender="moneyback@shop.test", host="shop.test").content
    assert b"[card" in written
    assert _hits_in_mail(written) == set()


def _hits_in_mail(content: bytes) -> set[str]:
    return hits(content) | hits(quopri.decodestring(content))
