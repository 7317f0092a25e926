"""Scripts: what a payment does with the money requests that reach it, one step after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator
from pydantic_core import ErrorDetails

_Seconds = Annotated[float, Field(gt=0, le=366 * 86_400, allow_inf_nan=False)]
_Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    times: PositiveInt | None = 1
    days: PositiveInt | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if self.days is not None and "times" in self.model_fields_set:
            raise ValueError("times and days exclude each other")
        return self

    def lasts(self, *, used: int, first_used_on: date | None, today: date) -> bool:
        """Whether it applies once more, after `used` requests since `first_used_on`."""
        if self.days is not None:
            return first_used_on is None or today < first_used_on + timedelta(days=self.days)
        return self.times is None or used < self.times


class Ok(_Step):
    """Behaves normally."""

    do: Literal["ok"]


class Decline(_Step):
    """Refuses with 402 and this code, which need not be one of the sandbox's own."""

    do: Literal["decline"]
    code: _Code


class Reset(_Step):
    """Closes the connection without an answer, before or after the money moved."""

    do: Literal["reset_before", "reset_after"]


class Hang(_Step):
    """Gives no answer for so many real seconds, or until the client leaves, then closes."""

    do: Literal["hang_before", "hang_after"]
    seconds: _Seconds


class Fault(_Step):
    """Answers with a server error, before or after the money moved."""

    do: Literal["error_before", "error_after"]
    status: Annotated[int, Field(ge=500, le=599)] = 500


class LateCommit(_Step):
    """Closes the connection; the money moves later on the sandbox's clock, if enough is left then."""

    do: Literal["late_commit"]
    seconds: _Seconds


class Slow(_Step):
    """Moves the money at once and answers so many real seconds later."""

    do: Literal["slow"]
    seconds: _Seconds


class RateLimit(_Step):
    """Turns the request away with 429 and Retry-After in seconds."""

    do: Literal["rate_limit"]
    retry_after: Annotated[int, Field(ge=0, le=86_400)] = 1


class Shut(_Step):
    """Turns the request away with 503, or with 401 whatever the credentials."""

    do: Literal["unavailable", "unauthorized"]


class Async(_Step):
    """Promises the money now; it succeeds, or fails with the code, later on the sandbox's clock."""

    do: Literal["async"]
    final_after_seconds: _Seconds
    succeeds: bool = True
    code: _Code = "issuer_declined"


class LateFailure(_Step):
    """Succeeds now; the money comes back with the code later on the sandbox's clock."""

    do: Literal["late_failure"]
    after_seconds: _Seconds
    code: _Code = "account_closed"


class Garbled(_Step):
    """Moves the money, and answers a wrong amount, something that is no JSON, or half a body."""

    do: Literal["wrong_amount", "garbage", "half_answer"]


Step = (
    Ok | Decline | Reset | Hang | Fault | LateCommit | Slow | RateLimit | Shut | Async | LateFailure | Garbled
)


class Script(BaseModel):
    """Steps used in order; when all are used up the payment behaves normally."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    steps: Annotated[list[Annotated[Step, Field(discriminator="do")]], Field(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a payment is in its script: `used` times in `step`, the first time on that UTC date."""

    step: int = 0
    used: int = 0
    first_used_on: date | None = None


def advance(steps: Sequence[Step], progress: Progress, today: date) -> tuple[Step | None, Progress]:
    """The step for a money request that comes today (None: behave normally), and the progress after it."""
    while progress.step < len(steps):
        step = steps[progress.step]
        if step.lasts(used=progress.used, first_used_on=progress.first_used_on, today=today):
            return step, Progress(progress.step, progress.used + 1, progress.first_used_on or today)
        progress = Progress(progress.step + 1)
    return None, progress


def pointer(error: ErrorDetails) -> str:
    """JSON pointer of the field that a validation error is about, such as `/steps/0/do`."""
    location = error["loc"]
    # pydantic puts the name of the chosen kind of step after the step's number
    names = [str(name) for place, name in enumerate(location) if place < 2 or location[place - 2] != "steps"]  # noqa: PLR2004
    if error["type"].startswith("union_tag"):
        names.append("do")
    return "".join(f"/{name}" for name in names)
