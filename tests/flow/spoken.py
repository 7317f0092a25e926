"""A gateway whose answers a test speaks itself, for what no server can be made to do on time."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from refunds.domain.abilities import Abilities
from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome
from refunds.ports import Call

PAID = Answer(Outcome.REFUNDED, reference="sre_spoken")
ABSENT = LookUpAnswer(Finding.ABSENT)


class SpokenGateway:
    """Answers in order, the last one for ever. `held`: no payment is answered before `let_go`.

    `during` is called on the event loop in the middle of each call; `wrong` is what a probe is told.
    """

    def __init__(
        self,
        answers: Sequence[Answer] = (PAID,),
        findings: Sequence[LookUpAnswer] = (ABSENT,),
        *,
        held: bool = False,
        key_life: timedelta | None = timedelta(hours=24),
        look_up: bool = True,
        during: Callable[[], None] = lambda: None,
        wrong: str | None = None,
        looks_first: bool = False,
    ) -> None:
        self.abilities = Abilities(
            key_life=key_life,
            look_up=look_up,
            settling=timedelta(seconds=0.2),
            final_within=timedelta(days=7),
            look_first=looks_first,
        )
        self.paid: list[Call] = []
        self.began: list[float] = []
        self.asked: list[Call] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._answers = list(answers)
        self._findings = list(findings)
        self.checked = 0
        self._wrong = wrong
        self._let_go = 0
        self._free = threading.Event()
        self.during = during
        if not held:
            self._free.set()

    def say(self, answers: Sequence[Answer], findings: Sequence[LookUpAnswer]) -> None:
        """Answer so from now on."""
        self._answers, self._findings = list(answers), list(findings)

    def let_go(self) -> None:
        """Answer what is held, and everything from now on."""
        self._free.set()

    def let_go_of(self, calls: int) -> None:
        """Answer so many of what is held."""
        self._let_go += calls

    def let_go_soon(self) -> None:
        """As let_go, when the caller has had time to stop the work."""
        threading.Timer(0.3, self._free.set).start()

    async def pay(self, call: Call) -> Answer:
        self.paid.append(call)
        self.began.append(time.monotonic())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.during()
        while not self._free.is_set() and not self._let_go:  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.005)
        self._let_go = max(self._let_go - 1, 0)
        self.in_flight -= 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    async def look_up(self, call: Call) -> LookUpAnswer:
        self.asked.append(call)
        self.during()
        return self._findings.pop(0) if len(self._findings) > 1 else self._findings[0]

    async def check(self) -> str | None:
        self.checked += 1
        return self._wrong

    async def close(self) -> None:
        self._free.set()
