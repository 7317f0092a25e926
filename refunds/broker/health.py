"""Whether Redis is there, and whether it may throw away messages under memory pressure."""

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
