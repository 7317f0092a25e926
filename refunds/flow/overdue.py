"""Overdue: what has been unknown for too long is for a person, even where nobody gets to ask about it.

A lane that stays closed, a gateway that is configured no more, a look-up that takes its workers down: none of
them may keep an unknown outcome in silence.
"""

from datetime import timedelta

from refunds.domain.schedule import DOUBT_LIMIT
from refunds.flow.parts import Parts
from refunds.flow.stop import ask_a_person
from refunds.store import overdue
from refunds.store.database import clocks

GRACE = timedelta(days=1)
"""Beyond the time after which the look-ups themselves give up."""

BATCH = 200


def ask_about_overdue(parts: Parts) -> int:
    """Take what is overdue to a person; returns how many. The money keeps its place on the payment."""
    finals = {name: part.gateway.abilities.final_within for name, part in parts.gateways.items()}
    with parts.database.begin() as tx:
        real, now = clocks(tx)
        ids = overdue.unknown_since(tx, before=now - DOUBT_LIMIT - GRACE, real=real, limit=BATCH)
        late = [
            refund_id
            for refund_id, gateway, since in ids
            if since < now - max(DOUBT_LIMIT, finals.get(gateway, DOUBT_LIMIT)) - GRACE
        ]
        lost = overdue.sent_to_unknown_gateways(tx, known=list(parts.gateways), real=real, limit=BATCH)
        ask_a_person(parts, tx, late, why="nobody could tell in time")
        ask_a_person(parts, tx, lost, why="sent, and its gateway is configured no more")
    return len(late) + len(lost)
