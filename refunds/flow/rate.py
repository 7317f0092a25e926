"""Calls per second of one lane in one process; what was not used is saved up for one second."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Rate:
    """`per_second` None: no limit."""

    per_second: float | None
    elapsed: Callable[[], float]
    _saved: float = 1.0
    _saved_at: float = field(init=False)

    def __post_init__(self) -> None:
        """It begins to save now."""
        self._saved_at = self.elapsed()

    def take(self, wanted: int, *, at_most: int) -> int:
        """How many of `wanted` calls may begin now; no more than `at_most` are charged."""
        if self.per_second is None:
            return wanted
        now = self.elapsed()
        most_saved = max(self.per_second, 1.0)
        self._saved = min(self._saved + (now - self._saved_at) * self.per_second, most_saved)
        self._saved_at = now
        allowed = min(wanted, int(self._saved), at_most)
        self._saved -= allowed
        return allowed
