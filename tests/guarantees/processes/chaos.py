"""Chaos: seeded faults at seeded moments, each done to real processes, servers and links, and counted."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import redis
from sqlalchemy import text

from refunds.store.database import DatabaseUnavailableError
from tests.guarantees.processes.city import ADDRESSES, LEASE_SECONDS, City
from tests.guarantees.processes.proxy import FAIR, Weather
from tests.guarantees.processes.resident import Ending, Resident
from tests.servers.mail_ledger import Fault as MailFault

Act = Literal[
    "kill", "freeze", "sigterm", "postgres_stop", "flush", "valkey_kill", "network_fault", "mail_fault"
]

_AT_ONCE = 10
_PATIENCE_SECONDS = 1.5
_IN_HAND = text(
    """SELECT 1 FROM refunds r JOIN attempts a ON a.refund_id = r.id AND a.number = r.attempts
    WHERE r.status = 'attempting' AND a.worker LIKE :worker LIMIT 1"""
)
_LONGEST_FAULT_SECONDS = 4.0
"""Less than the settling time by far: what a link holds back is late, but not later than gateways say."""


@dataclass
class Diary:
    """What was really done, and how processes ended."""

    counts: Counter[str] = field(default_factory=Counter)
    endings: list[Ending] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def note(self, act: str, what: str, number: int = 1) -> None:
        """It happened."""
        with self._guard:
            self.counts[act] += number
            self.lines.append(f"{time.monotonic() - self.began:7.2f} {act}: {what}")


class Chaos:
    """Does what a plan says to a city. Whatever it breaks it mends itself, a little later."""

    def __init__(self, city: City, diary: Diary, *, seed: int) -> None:
        self._city = city
        self._diary = diary
        self._chance = random.Random(f"{seed}:chaos")
        self._servers = threading.Lock()
        self._links: set[str] = set()
        self._guard = threading.Lock()
        self._acts: dict[Act, Callable[[random.Random], None]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "sigterm": self._sigterm,
            "postgres_stop": self._stop_postgres,
            "flush": self._flush,
            "valkey_kill": self._kill_valkey,
            "network_fault": self._spoil_link,
            "mail_fault": self._spoil_mail,
        }

    def storm(self, acts: Sequence[Act], *, seconds: float) -> None:
        """Do all of this spread over so many seconds; returns when all of it is over and mended."""
        plan = list(acts)
        self._chance.shuffle(plan)
        moments = sorted(self._chance.uniform(0, seconds) for _ in plan)
        pause, began = threading.Event(), time.monotonic()
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="chaos") as pool:
            done = []
            for moment, act in zip(moments, plan, strict=True):
                pause.wait(max(0.0, began + moment - time.monotonic()))
                chance = random.Random(self._chance.random())
                done.append(pool.submit(self._acts[act], chance))
            for each in done:
                each.result()

    def _victim(self, chance: random.Random, *roles: str) -> Resident | None:
        """One of these that nothing else is being done to, held; None if all are."""
        residents = self._city.of_role(*roles)
        chance.shuffle(residents)
        return next((each for each in residents if each.held.acquire(blocking=False)), None)

    def _with_victim(
        self, chance: random.Random, roles: Sequence[str], act: Callable[[Resident], None]
    ) -> None:
        pause = threading.Event()
        for _ in range(200):
            victim = self._victim(chance, *roles)
            if victim is not None:
                try:
                    act(victim)
                finally:
                    victim.held.release()
                return
            pause.wait(0.1)

    def _wait_for_work(self, victim: Resident) -> bool:
        """Wait a moment until a worker has a refund in hand: dying and freezing are dull without."""
        if victim.role != "worker":
            return False
        pause, deadline = threading.Event(), time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                with self._city.database.read() as tx:
                    if tx.execute(_IN_HAND, {"worker": f"worker:%:{victim.pid}"}).first():
                        return True
            except DatabaseUnavailableError:
                pass
            pause.wait(0.02)
        return False

    def _kill(self, chance: random.Random) -> None:
        def kill(victim: Resident) -> None:
            works = self._wait_for_work(victim)
            if victim.kill():
                self._diary.note("kills", victim.name)
                self._diary.counts["kills_with_work"] += works
            threading.Event().wait(chance.uniform(0, 1))
            victim.start()
            victim.wait_until_ready(seconds=chance.choice([0.0, 10.0]))  # some die while they start

        self._with_victim(chance, ["web", "worker", "worker", "scheduler"], kill)

    def _freeze(self, chance: random.Random) -> None:
        seconds = LEASE_SECONDS + chance.uniform(0.5, 2)

        def freeze(victim: Resident) -> None:
            victim.wait_until_ready(seconds=10)
            works = self._wait_for_work(victim)
            if victim.freeze(seconds):
                self._diary.counts["freezes_with_work"] += works
                self._diary.note("freezes", f"{victim.name} for {seconds:.1f} s")

        self._with_victim(chance, chance.choice([["worker"], ["worker"], ["web", "scheduler"]]), freeze)

    def _sigterm(self, chance: random.Random) -> None:
        def stop(victim: Resident) -> None:
            if victim.wait_until_ready(seconds=15):
                ending = victim.terminate(when_slow=self._city.sessions)
                self._diary.endings.append(ending)
                self._diary.note("sigterms", f"{ending.process}: {ending.code} in {ending.seconds:.1f} s")
            victim.start()

        self._with_victim(chance, ["web", "worker", "scheduler"], stop)

    def _stop_postgres(self, chance: random.Random) -> None:
        postgres = self._city.postgres
        assert postgres is not None
        with self._servers:
            postgres.crash()
            threading.Event().wait(chance.choice([0.0, 0.0, 0.5, 1.5]))
            postgres.start()
            self._diary.note("postgres_stops", f"ready again in {postgres.ready_seconds:.1f} s")

    def _flush(self, _chance: random.Random) -> None:
        with self._servers, redis.Redis.from_url(self._city.valkey.url(), socket_timeout=5) as client:
            client.flushall()
            self._diary.note("flushes", "FLUSHALL")

    def _kill_valkey(self, chance: random.Random) -> None:
        with self._servers:
            self._city.valkey.kill()
            threading.Event().wait(chance.uniform(0.2, 2))
            self._city.valkey.start()
            self._diary.note("valkey_kills", "killed and started again, empty")

    def _spoil_link(self, chance: random.Random) -> None:
        with self._guard:
            free = sorted(set(self._city.proxy.ports) - self._links)
            if not free:
                return
            [link] = chance.choices(free, weights=[1 if "valkey" in each else 3 for each in free])
            self._links.add(link)
        weather = chance.choice(_BAD_WEATHER)(chance)
        self._city.proxy.change(link, weather)
        threading.Event().wait(chance.uniform(0.5, _LONGEST_FAULT_SECONDS))
        touched = self._city.proxy.change(link, FAIR)
        self._diary.note("network_faults", f"{link}: {weather}, {touched} touched")
        self._diary.counts["network_faults_felt"] += touched > 0
        with self._guard:
            self._links.discard(link)

    def _spoil_mail(self, chance: random.Random) -> None:
        kinds = [MailFault.REFUSE_4XX, MailFault.DROP_BEFORE_DATA, MailFault.DROP_AFTER_DATA]
        kind, times = chance.choice(kinds), chance.randrange(1, 4)
        self._city.sink.set_fault(chance.choice(ADDRESSES), kind, times=times)
        self._diary.note("mail_faults", f"{kind}, {times} times", times)


_BAD_WEATHER: tuple[Callable[[random.Random], Weather], ...] = (
    lambda chance: Weather(latency_ms=chance.uniform(20, 300), jitter_ms=chance.uniform(0, 300)),
    lambda chance: Weather(slice_bytes=chance.randrange(1, 40), latency_ms=chance.uniform(0, 20)),
    lambda chance: Weather(bytes_per_second=chance.uniform(2_000, 20_000)),
    lambda _: Weather(black_hole=True),
    lambda _: Weather(black_hole=True),
    lambda chance: Weather(answer_bytes=chance.randrange(0, 400)),
    lambda chance: Weather(answer_bytes=chance.randrange(0, 4000)),
    lambda _: Weather(reset=True),
    lambda _: Weather(refuse=True),
    lambda chance: Weather(slow_close_seconds=chance.uniform(0.5, 3)),
)
