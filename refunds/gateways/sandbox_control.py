"""The sandbox's own levers: payments, scripts, clock, ledger. For demos, training and tests."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx


class SandboxControlError(Exception):
    """The sandbox cannot be reached or refused."""


class SandboxControl:
    """Admin calls to one sandbox server."""

    def __init__(self, base_url: str) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=60, trust_env=False)

    def is_there(self) -> bool:
        """Whether a sandbox answers at this address."""
        try:
            return self._client.get("/sandbox/clock", timeout=2).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def put_payments(self, payments: Sequence[Mapping[str, Any]]) -> None:
        """Make payments known, with what they do when they are refunded."""
        for start in range(0, len(payments), 10_000):
            self._put("/sandbox/payments", list(payments[start : start + 10_000]))

    def set_offset(self, seconds: float) -> None:
        """Move the sandbox's clock."""
        self._put("/sandbox/clock", {"offset_seconds": seconds})

    def ledger(self) -> dict[str, Any]:
        """Counts and sums as the sandbox's own ledger has them."""
        try:
            document: dict[str, Any] = self._client.get("/sandbox/ledger").raise_for_status().json()
        except httpx.HTTPError as error:
            raise SandboxControlError(str(error)) from error
        return document

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _put(self, path: str, body: Any) -> None:
        try:
            self._client.put(path, json=body).raise_for_status()
        except httpx.HTTPError as error:
            raise SandboxControlError(str(error)) from error
