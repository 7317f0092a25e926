"""Admission: what neither this gateway nor this account can do is refused, never dropped in silence."""

from urllib.parse import urlsplit

from refunds.domain.status import Kind
from refunds.flow.parts import Parts
from refunds.flow.refusal import Cause, Refusal
from refunds.flow.request import RefundForm
from refunds.store.accounts import Account
from refunds.store.payments import Payment


def not_possible(
    parts: Parts,
    form: RefundForm,
    account: Account,
    payment: Payment,
    *,
    kind: Kind,
) -> Refusal | None:
    """Why this request cannot be carried out on this payment, or None."""
    if payment.gateway not in parts.gateways:
        detail = f"the payment's gateway {payment.gateway!r} is not configured here"
        return Refusal.of(Cause.GATEWAY_UNKNOWN, "/gateway", detail)
    can = parts.gateways[payment.gateway].gateway.abilities
    asks = (
        ("/mode", form.mode == "offline", can.offline),
        ("/cancel_order", form.cancel_order, can.cancel_order),
        ("/return_to_stock", form.return_to_stock, can.items),
        ("/notify_customer", form.notify_customer, can.items),
        ("/kind", kind is Kind.VOID, can.void),
    )
    for pointer, wanted, able in asks:
        if wanted and not able:
            return Refusal.of(Cause.NOT_SUPPORTED, pointer, f"gateway {payment.gateway!r} cannot do this")
    return _bad_address(form, account) or _bad_callback(form, parts.callback_hosts)


def _bad_address(form: RefundForm, account: Account) -> Refusal | None:
    for index, address in enumerate(form.notify):
        domain = address.rpartition("@")[2].casefold()
        if account.notify_domains and domain not in account.notify_domains:
            detail = f"addresses of {domain} may not be named for account {account.id!r}"
            return Refusal.of(Cause.INVALID, f"/notify/{index}", detail)
    return None


def _bad_callback(form: RefundForm, hosts: frozenset[str]) -> Refusal | None:
    if form.callback_url is None or urlsplit(form.callback_url).hostname in hosts:
        return None
    return Refusal.of(Cause.INVALID, "/callback_url", "this host is not configured for callbacks")
