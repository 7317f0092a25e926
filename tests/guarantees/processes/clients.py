"""Clients over real HTTP: they post, repeat what got no answer, and keep books of their own."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx

from tests.guarantees.processes.book import Ask, Order
from tests.guarantees.processes.city import City

_ANSWER_SECONDS = 3.0
_REPEATS = 40
_THREADS = 10


@dataclass
class Books:
    """What clients know, independent of the product."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    """Refund ids by key, as the first 202 named them."""
    other_ids: list[str] = field(default_factory=list)
    """A line for each key that was answered with two different refunds."""
    refused: dict[str, str] = field(default_factory=dict)
    """Codes of final refusals by key."""
    asks: dict[str, Ask] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def unanswered(self) -> list[str]:
        """Keys that never got a final answer: nothing was promised of them."""
        return [key for key in self.asks if key not in self.acknowledged and key not in self.refused]

    def by_payment(self) -> dict[str, list[Ask]]:
        """Acknowledged asks of each payment."""
        found: dict[str, list[Ask]] = defaultdict(list)
        for order in self.orders.values():
            found[order.transaction_id] += [ask for ask in order.asks if ask.key in self.acknowledged]
        return found


class Clients:
    """A few callers of one shop, at a given pace; between `pause` and `go_on` they ask nothing new."""

    def __init__(self, city: City, book: Iterator[Order], *, seed: int, per_second: float) -> None:
        self.books = Books()
        self._city = city
        self._book = book
        self._chance = random.Random(f"{seed}:clients")
        self._every_seconds = 1 / per_second
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="client")
        self._open = threading.Event()
        self._ending = threading.Event()
        self._asked: list[Future[None]] = []
        self._selling = threading.Lock()
        headers = {"Authorization": f"Bearer {city.token}"}
        self._http = httpx.Client(
            base_url=city.web, headers=headers, timeout=_ANSWER_SECONDS, trust_env=False
        )
        self._shop = threading.Thread(target=self._sell, name="shop")
        self._shop.start()

    def go_on(self) -> None:
        """Ask at the pace."""
        self._open.set()

    def pause(self) -> None:
        """Ask nothing new, and wait for the answers that are due."""
        self._open.clear()
        with self._selling:
            for asked in self._asked:
                asked.result()
            self._asked.clear()

    def end(self) -> Books:
        """No more; returns the books."""
        self.pause()
        self._ending.set()
        self._shop.join()
        self._pool.shutdown()
        self._http.close()
        return self.books

    def _sell(self) -> None:
        while not self._ending.is_set():
            if not self._open.wait(0.1):
                continue
            with self._selling:
                asks = self._take(next(self._book)) if self._open.is_set() else ()
            self._ending.wait(self._every_seconds * len(asks))

    def _take(self, order: Order) -> tuple[Ask, ...]:
        """Pay at the sandbox, then ask back, all parts at once."""
        self._city.bank.put_payments([order.payment])
        self.books.orders[order.transaction_id] = order
        for ask in order.asks:
            self.books.asks[ask.key] = ask
            for _ in range(ask.times):
                self._asked.append(self._pool.submit(self._ask, ask, self._chance.random()))
        return order.asks

    def _ask(self, ask: Ask, chance: float) -> None:
        """Until a final answer comes; an answer that was lost is asked for again under the same key."""
        for _ in range(_REPEATS):
            if not self._post(ask):
                break
            self.books.counts["repeated after a lost answer"] += 1
            self._ending.wait(0.2 + chance / 2)
        else:
            return
        if chance < 0.1 and ask.key in self.books.acknowledged:
            self.books.counts["repeated after an answer"] += 1
            self._post(ask)

    def _post(self, ask: Ask) -> bool:
        """Once; True if it has to be asked again."""
        began = time.monotonic()
        try:
            answer = self._http.post("/v1/refunds", json=ask.body, headers={"Idempotency-Key": ask.key})
            document = answer.json()
        except (httpx.HTTPError, ValueError):
            return True
        with self.books.guard:
            self.books.counts[f"answers {answer.status_code}"] += 1
            if answer.status_code == httpx.codes.ACCEPTED:
                first = self.books.acknowledged.setdefault(ask.key, document["id"])
                if first != document["id"]:
                    self.books.other_ids.append(f"{ask.key} is {first} and {document['id']}")
                # A refusal leaves no row over HTTP: what was too much before may be taken later.
                self.books.refused.pop(ask.key, None)
                self.books.counts["slow answers"] += time.monotonic() - began > 1
                return False
            if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or answer.status_code in _AGAIN:
                return True
            self.books.refused[ask.key] = str(document.get("type", "")).rpartition("/")[2]
            if ask.key in self.books.acknowledged:
                self.books.other_ids.append(f"{ask.key} was taken, then refused with {document}")
        return False


_AGAIN = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT}
