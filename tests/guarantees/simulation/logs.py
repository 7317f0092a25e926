"""The product's log events, counted and not written: what no ledger outside can tell."""

from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog


@contextmanager
def counted_logs() -> Iterator[Counter[str]]:
    """How often each event was logged meanwhile."""
    counts: Counter[str] = Counter()

    def count(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        counts[str(event["event"])] += 1
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[count])
    try:
        yield counts
    finally:
        structlog.configure(**before)
