"""What comes in besides the flow's own forms: filters of lists, and why a person decided something."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from refunds.domain.status import Kind, Status
from refunds.flow.refusal import Cause
from refunds.flow.request import Line, not_kept
from web.api.problems import ProblemError

Limit = Annotated[int, Field(ge=1, le=200, description="items of a page")]


class _List(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Limit = 50

    @property
    def filters(self) -> dict[str, str]:
        """The filters given, by column."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"limit", "after"})


class RefundQuery(_List):
    """Filters and place of a list of refunds. A filter that is not known is refused, not passed over."""

    after: Annotated[
        str | None, Field(pattern="^rf_[0-9A-Z]{26}$", description="`next` of the page before")
    ] = None
    status: Status | None = None
    kind: Kind | None = None
    account: Line | None = None
    gateway: Line | None = None
    currency: Annotated[str | None, Field(pattern="^[A-Z]{3}$")] = None
    order_id: Line | None = None
    transaction_id: Line | None = None


class PaymentQuery(_List):
    """Filters and place of a list of payments."""

    after: Annotated[
        str | None, Field(pattern="^pm_[0-9A-Z]{26}$", description="`next` of the page before")
    ] = None
    order_id: Line | None = None
    transaction_id: Line | None = None
    account: Line | None = None
    gateway: Line | None = None


class Decision(BaseModel):
    """Why a person acts on a refund; it stands in the refund's history."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    reason: Line


class Resolution(Decision):
    """What became of a refund that needs review, by a person's word."""

    as_: Annotated[
        Literal["refunded", "voided", "failed", "cancelled", "refunded_externally", "queued"],
        Field(alias="as", description="`queued`: send it again under a new key"),
    ]
    reference: Annotated[Line | None, Field(description="of what was paid, at the gateway or the bank")] = (
        None
    )


Form = TypeVar("Form", bound=Decision)


def read_decision(form: type[Form], document: dict[str, Any]) -> Form:
    """The form filled. Raises ProblemError: 422, for card data, keys and tokens too."""
    if held := not_kept(document):
        raise ProblemError(Cause.INVALID, held[0].detail, errors=held)
    try:
        return form.model_validate(document)
    except ValidationError as error:
        raise ProblemError.invalid(error.errors(include_url=False, include_input=False)) from None
