"""What Hypothesis draws: fates of money requests, amounts, times, decisions."""

from hypothesis import strategies as st

from refunds.domain.outcome import Reason
from refunds.domain.status import Status
from tests.guarantees.simulation.fates import LATEST_SECONDS
from tests.guarantees.simulation.steps import PAY, Act, Fault, Moves, Step, declined

_LATE = st.floats(0, LATEST_SECONDS, width=16)

FATES: st.SearchStrategy[Step] = st.one_of(
    st.just(PAY),
    st.just(declined()),
    st.sampled_from([declined(f"code_{reason.value}", reason) for reason in Reason]),
    st.sampled_from([Step(act) for act in (Act.TURN_AWAY, Act.NOT_REACHED, Act.CREDENTIALS)]),
    st.builds(Step, fault=st.sampled_from(Fault), moves=st.sampled_from((Moves.BEFORE, Moves.NEVER))),
    st.builds(Step, fault=st.sampled_from(Fault), moves=st.just(Moves.LATE_COMMIT), late_seconds=_LATE),
    st.builds(
        Step,
        fault=st.sampled_from((Fault.TIMEOUT, Fault.RESET)),
        moves=st.just(Moves.LATE_ARRIVAL),
        late_seconds=_LATE,
    ),
    st.builds(
        Step,
        act=st.just(Act.ACCEPT),
        fault=st.sampled_from((None, Fault.TIMEOUT)),
        final=st.booleans(),
        final_seconds=st.sampled_from((60.0, 86_400.0, 5 * 86_400.0)),
    ),
    st.just(Step(act=Act.DECLINE, fault=Fault.TIMEOUT)),
    st.builds(Step, taken_back_seconds=st.sampled_from((60.0, 90_000.0))),
)

ONE_FATE_OR_TWO = st.lists(FATES, min_size=1, max_size=2)

SECONDS = st.sampled_from((1.0, 20.0, 61.0, 600.0, 3600.0, 86_400.0, 4 * 86_400.0))

WHICH = st.integers(0, 7)

DECISIONS = st.sampled_from((Status.QUEUED, Status.FAILED, Status.CANCELLED, Status.REFUNDED_EXTERNALLY))
