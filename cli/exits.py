"""How a command ends: exit codes, and the errors that were foreseen."""

from enum import IntEnum
from typing import assert_never

from refunds.flow.refusal import Cause, Refusal


class Exit(IntEnum):
    """What the shell is told; the numbers are promised to scripts."""

    OK = 0
    FAILED = 1
    USAGE = 2
    """Usage, input or settings that cannot be taken."""
    NOT_FOUND = 3
    REFUSED = 4
    """Refused by the state of the refund or by the payment's balance."""
    DOWN = 6
    """Something moneyback depends on is not there."""


class CommandError(Exception):
    """A foreseen end of a command: the exit code, and lines for a person, the first says what is wrong."""

    def __init__(self, code: Exit, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.code = code
        self.lines = lines


def refused(refusal: Refusal) -> CommandError:
    """The end that a refusal of the flow means here."""
    from refunds.domain.redaction import redacted_text  # noqa: PLC0415 - only a command that has failed pays

    fields = [f"  {error.pointer or '/'}: {error.detail}" for error in refusal.errors]
    told = any(error.detail == refusal.detail for error in refusal.errors)
    head = f"{refusal.cause.value}: {refusal.detail}"
    lines = [head, *(() if told and len(fields) == 1 else fields)]
    return CommandError(exit_of(refusal.cause), *map(redacted_text, lines))


def exit_of(cause: Cause) -> Exit:
    """The exit code of a cause."""
    match cause:
        case (
            Cause.INVALID
            | Cause.KEY_REUSED
            | Cause.PAYMENT_AMBIGUOUS
            | Cause.GATEWAY_UNKNOWN
            | Cause.ACCOUNT_UNKNOWN
            | Cause.CURRENCY_MISMATCH
            | Cause.NOT_SUPPORTED
        ):
            return Exit.USAGE
        case Cause.PAYMENT_UNKNOWN | Cause.REFUND_UNKNOWN:
            return Exit.NOT_FOUND
        case (
            Cause.PAYMENT_MISMATCH
            | Cause.EXCEEDS_CAPTURED
            | Cause.EXCEEDS_REMAINING
            | Cause.STALE_BALANCE
            | Cause.NOT_VOIDABLE
            | Cause.WRONG_STATUS
        ):
            return Exit.REFUSED
        case _:
            assert_never(cause)


def foreseen(error: Exception) -> CommandError | None:
    """The error as the end of a command; None for one that nobody foresaw."""
    if isinstance(error, CommandError):
        return error
    # Only a command that has failed in another way pays for these imports.
    from cli.replaying import NotInProductionError  # noqa: PLC0415
    from cli.sandbox_child import SandboxNotStartedError  # noqa: PLC0415
    from config.settings import SettingsError  # noqa: PLC0415
    from refunds.flow.days import StuckError  # noqa: PLC0415
    from refunds.flow.replay import ReplayFileError  # noqa: PLC0415
    from refunds.gateways.sandbox_control import SandboxControlError  # noqa: PLC0415
    from refunds.process import SecondHostError, UnsafeDatabaseError  # noqa: PLC0415
    from refunds.store.database import DatabaseUnavailableError  # noqa: PLC0415

    plain_codes = {
        NotInProductionError: Exit.USAGE,
        ReplayFileError: Exit.USAGE,
        SandboxNotStartedError: Exit.DOWN,
        SandboxControlError: Exit.DOWN,
        SecondHostError: Exit.DOWN,
        UnsafeDatabaseError: Exit.DOWN,
        StuckError: Exit.FAILED,
    }
    match error:
        case SettingsError():
            return CommandError(Exit.USAGE, "the settings cannot be used:", *error.problems)
        case DatabaseUnavailableError():
            return CommandError(
                Exit.DOWN, f"the database cannot be reached: {error}", "next: moneyback doctor"
            )
        case ModuleNotFoundError(name="redis" | "psycopg" as name):
            extra = "redis" if name == "redis" else "postgres"
            return CommandError(
                Exit.DOWN, f"{name} is not installed", f"next: pip install 'moneyback[{extra}]'"
            )
        case UnicodeEncodeError():
            return CommandError(Exit.USAGE, "an argument holds bytes that are not text in UTF-8")
        case _:
            code = plain_codes.get(type(error))
            return None if code is None else CommandError(code, str(error))
