"""Parts of a house that only tests have, and the account they mostly use."""

from datetime import time
from typing import Literal, cast

from refunds.domain.schedule import Policy
from refunds.flow.dispatch import Dispatcher
from refunds.ports import Delivery, Mail
from refunds.store.accounts import DEFAULT, Account


def account(
    *,
    zone: str = "UTC",
    run_at: time = time(9),
    retry_days: int = 3,
    permanent_failures: str = "notify",
    notify_emails: tuple[str, ...] = (),
    notify_domains: tuple[str, ...] = (),
) -> Account:
    """The default account, with some things otherwise."""
    manner = cast('Literal["notify", "retry"]', permanent_failures)
    return Account(DEFAULT, Policy(zone, run_at, retry_days, manner), notify_emails, notify_domains)


class Bell:
    """A wake-up that remembers who rang, and tells the dispatcher that is at work."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, str]] = []
        self.dispatcher: Dispatcher | None = None

    def ring(self, account: str, gateway: str) -> None:
        self.rung.append((account, gateway))
        if self.dispatcher is not None:
            self.dispatcher.ring(account, gateway)


class SilentChannel:
    """For tests that are not about mail: nothing may be delivered by it."""

    def deliver(self, mail: Mail) -> Delivery:
        raise AssertionError(f"nobody asked for mail to {mail.recipient}")

    def check(self) -> str | None:
        return None
