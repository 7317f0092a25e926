"""Scenes about what gateways do: pay, decline, time out, come late, take back."""

from datetime import timedelta

from refunds.domain.abilities import Grade
from refunds.domain.outcome import Reason
from refunds.domain.status import Kind
from refunds.flow.pauses import pause, resume
from refunds.flow.unpaid import tell_long_unpaid
from tests.guarantees.crashes.acts import BANK, wants
from tests.guarantees.crashes.scene import Scene
from tests.guarantees.crashes.stage import Stage
from tests.guarantees.simulation.bank import Weather
from tests.guarantees.simulation.steps import PAY, Act, Fault, Moves, Step, declined

DECLINED = declined()
NEVER_CAME = Step(fault=Fault.TIMEOUT, moves=Moves.NEVER)
PAID_UNSEEN = Step(fault=Fault.TIMEOUT)
DAY = 86_400.0
WATCH = timedelta(days=8)


def _of_steps(name: str, *steps: Step, grade: Grade = Grade.KEY_AND_LOOK_UP, watched: bool = False) -> Scene:
    return Scene(
        name, lambda stage: wants(stage, *steps), grade=grade, watch=WATCH if watched else timedelta()
    )


def _disputed_between_tries(stage: Stage) -> None:
    transaction_id = wants(stage, DECLINED, PAY)
    stage.at(3600.0, lambda: stage.banks[BANK].dispute(transaction_id))


def _taken_back_for_good(stage: Stage) -> None:
    stage.banks[BANK].taken_back_for = Reason.PERMANENT
    wants(stage, Step(taken_back_seconds=3600.0))


def _outage(stage: Stage) -> None:
    wants(stage, Step(Act.TURN_AWAY, retry_after_seconds=900.0), Step(Act.TURN_AWAY), PAY)


def _breaker(stage: Stage) -> None:
    stage.banks[BANK].weather.append(Weather(0.0, 90.0, Step(Act.TURN_AWAY)))
    for number in range(3):
        wants(stage, PAY, key=f"key-{number}")


def _still_unpaid(stage: Stage) -> None:
    stage.act(0.0, lambda: pause(stage.web, BANK, actor="person", reason="looks odd"))
    wants(stage, PAY, at=1.0)
    for days in (3.05, 3.1):
        stage.act(days * DAY, lambda: tell_long_unpaid(stage.schedulers[0]))
    stage.act(3.2 * DAY, lambda: resume(stage.web, BANK, actor="person"))


_GRADES = {
    "a key and a look-up": Grade.KEY_AND_LOOK_UP,
    "a look-up only": Grade.LOOK_UP,
    "a key only": Grade.KEY,
    "neither key nor look-up": Grade.NEITHER,
}

SCENES = (
    _of_steps("a refund is accepted and paid", PAY),
    _of_steps("declined today, paid tomorrow", DECLINED, PAY),
    _of_steps("declined four times, failed, everybody is told", DECLINED),
    *(
        _of_steps(f"the request never came, with {words}", NEVER_CAME, PAY, grade=grade)
        for words, grade in _GRADES.items()
    ),
    *(
        _of_steps(f"paid, and the answer timed out, with {words}", PAID_UNSEEN, PAY, grade=grade)
        for words, grade in _GRADES.items()
    ),
    _of_steps(
        "the money moves minutes after the line broke",
        Step(fault=Fault.RESET, moves=Moves.LATE_COMMIT, late_seconds=300.0),
        PAY,
    ),
    _of_steps(
        "the request itself arrives minutes late",
        Step(fault=Fault.TIMEOUT, moves=Moves.LATE_ARRIVAL, late_seconds=240.0),
        PAY,
    ),
    _of_steps("paid, and the answer is an error", Step(fault=Fault.ERROR), PAY),
    _of_steps("paid, and the answer breaks the adapter", Step(fault=Fault.RAISES), PAY),
    _of_steps("accepted, final an hour later", Step(Act.ACCEPT, final_seconds=3600.0), PAY),
    _of_steps(
        "accepted, refused an hour later, paid tomorrow",
        Step(Act.ACCEPT, final_seconds=3600.0, final=False),
        PAY,
    ),
    _of_steps(
        "paid and taken back, paid again in a new episode", Step(taken_back_seconds=3600.0), PAY, watched=True
    ),
    Scene("paid and taken back for good, a person decides", _taken_back_for_good, watch=WATCH),
    _of_steps(
        "failed, and found paid days later",
        *(DECLINED,) * 3,
        Step(fault=Fault.TIMEOUT, moves=Moves.LATE_ARRIVAL, late_seconds=2 * DAY),
        watched=True,
    ),
    Scene("a dispute is opened between two tries", _disputed_between_tries),
    _of_steps(
        "the gateway says it was refunded elsewhere", declined("elsewhere", Reason.REFUNDED_ELSEWHERE), PAY
    ),
    _of_steps(
        "the card is closed: told on the first day", declined("closed", Reason.PERMANENT), DECLINED, PAY
    ),
    Scene("an outage with a wish to wait", _outage),
    Scene("the breaker closes, probes and opens slowly", _breaker),
    Scene("still unpaid after three days of pause", _still_unpaid),
    Scene("a void is carried out", lambda stage: wants(stage, PAY, kind=Kind.VOID)),
    Scene("a void comes too late", lambda stage: wants(stage, declined("captured"), kind=Kind.VOID)),
    Scene("a void whose answer is lost", lambda stage: wants(stage, PAID_UNSEEN, PAY, kind=Kind.VOID)),
)
