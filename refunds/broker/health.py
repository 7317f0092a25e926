"""Whether Redis answers, and whether it may throw away messages under memory pressure."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RedisHealth:
    """The server as it answers. `eviction` is its maxmemory-policy; None where it does not tell."""

    version: str
    eviction: str | None


def redis_health(url: str) -> RedisHealth | str:
    """Ask the server, for a few seconds at most; a text says why it cannot be used."""
    import redis  # noqa: PLC0415 - redis is an extra

    try:
        with redis.Redis.from_url(
            url, socket_timeout=2, socket_connect_timeout=1, decode_responses=True
        ) as client:
            version = str(client.info("server").get("redis_version", "?"))
            try:
                eviction = client.config_get("maxmemory-policy").get("maxmemory-policy")
            except redis.ResponseError:  # hosted servers forbid CONFIG
                eviction = None
            return RedisHealth(version, eviction)
    except (redis.RedisError, OSError) as error:
        return str(error)


class RedisPulse:
    """Whether Redis answers. It is asked once in APART_SECONDS, however many want to know."""

    APART_SECONDS = 5.0
    WITHIN_SECONDS = 0.5

    def __init__(self, url: str) -> None:
        self._url = url
        self._guard = threading.Lock()
        self._ask_at = 0.0
        self._asking = threading.Thread()
        self._answered = False

    def answers(self) -> bool:
        """True if it answered when last asked. Waits for WITHIN_SECONDS at most, never raises."""
        with self._guard:
            if time.monotonic() >= self._ask_at and not self._asking.is_alive():
                self._answered = False
                self._ask_at = time.monotonic() + self.APART_SECONDS
                # On a thread: neither the look-up of its name nor a slow dribble of bytes heeds a time-out.
                self._asking = threading.Thread(target=self._ask, name="redis-pulse", daemon=True)
                self._asking.start()
                self._asking.join(self.WITHIN_SECONDS)
            return self._answered

    def _ask(self) -> None:
        import redis  # noqa: PLC0415 - redis is an extra

        with (
            suppress(redis.RedisError, OSError),
            redis.Redis.from_url(self._url, socket_timeout=2, socket_connect_timeout=1) as client,
        ):
            self._answered = bool(client.ping())
