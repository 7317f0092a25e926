"""Refunds that have lived: paid, refused to the end, lost on the way and found, queued."""

from dataclasses import dataclass
from pathlib import Path

from tests.cli.stage import Stage, stage
from tests.sandbox_process import sandbox

_STEPS = {
    "paid": {"do": "ok"},
    "refused": {"do": "decline", "code": "card_closed", "times": None},
    "lost": {"do": "reset_after"},
    "queued": {"do": "decline", "code": "insufficient_funds", "times": None},
}


@dataclass(frozen=True)
class Lived:
    """Ids of refunds, each named for what became of it; the gateway is gone by now."""

    stage: Stage
    paid: str
    refused: str
    lost: str
    queued: str


def live(folder: Path) -> Lived:
    """Three refunds live through their days, then one more is refused for the first time."""
    with sandbox(ledger=folder / "ledger.db") as gateway:
        here = stage(folder / "data", MONEYBACK_SANDBOX_URL=gateway.url, MONEYBACK_POLL_SECONDS="0.05")
        gateway.put_payments(
            [
                {
                    "transaction_id": f"pay_{name}",
                    "currency": "GBP",
                    "captured_minor": 25500,
                    "script": {"steps": [step]},
                }
                for name, step in _STEPS.items()
            ],
        )
        ids = {name: here.create(name, reason=f"{name} parcel") for name in ("paid", "refused", "lost")}
        here.work(gateway, until_final=True)
        ids["queued"] = here.create("queued", reason="queued parcel", metadata={"till": "7"})
        here.work(gateway, until_final=False)
    return Lived(here, **ids)
