"""What hunts for double payments do by hand: claim, look up, let leases end."""

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome
from refunds.flow.claim import Claimer
from refunds.store import claims
from refunds.store.accounts import DEFAULT
from refunds.store.claim import Claim
from refunds.store.database import clocks
from tests.house_of import House

HOPELESS = Answer(Outcome.DECLINED, "issuer_declined")

LOST = Answer(Outcome.UNKNOWN, "timeout")

FOUND = LookUpAnswer(Finding.REFUNDED, reference="sre_late")

PENDING = LookUpAnswer(Finding.ACCEPTED, reference="sre_late")

NOT_PAID = LookUpAnswer(Finding.DECLINED, "issuer_declined")


def claim_due(house: House, *, first: int = 5, again: int = 5, lease: float = 0.0) -> list[Claim]:
    with house.parts.database.begin() as tx:
        real, now = clocks(tx)
        return claims.claim_due(
            tx,
            account=DEFAULT,
            gateway="sandbox",
            first=first,
            again=again,
            worker="other",
            now=now,
            lease_until=real + timedelta(seconds=lease),
        )


def claim_look_ups(house: House, *, lease: float = 0.0) -> list[Claim]:
    with house.parts.database.begin() as tx:
        real, now = clocks(tx)
        until = real + timedelta(seconds=lease)
        return claims.claim_look_ups(
            tx, account=DEFAULT, gateway="sandbox", limit=9, now=now, real=real, lease_until=until
        )


def claimer(house: House) -> Claimer:
    return Claimer(house.parts, DEFAULT, "sandbox")


def set_lease(house: House, refund_id: str, seconds: float) -> None:
    with house.parts.database.begin() as tx:
        real = clocks(tx)[0] + timedelta(seconds=seconds)
        value: Any = real if tx.dialect.name == "postgresql" else real.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        tx.execute(text("UPDATE refunds SET lease_until = :u WHERE id = :i"), {"u": value, "i": refund_id})
