"""The only place where concrete parts are joined: store, gateways, notifier, broker, from settings."""

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version

import dramatiq

from config.settings import GatewaySettings, Settings
from refunds.broker.health import RedisPulse
from refunds.broker.opening import open_broker
from refunds.broker.wakeup import BrokerWakeup
from refunds.domain.schedule import Policy
from refunds.flow.parts import GatewayPart, MailPart, Parts
from refunds.gateways.registry import open_gateway
from refunds.notifier.channel import open_channel
from refunds.process import refuse_second_host, refuse_unsafe_database
from refunds.store import accounts, schema
from refunds.store.accounts import DEFAULT, Account
from refunds.store.database import Database


@dataclass(frozen=True, slots=True)
class House:
    """The parts of one process, and what has to be closed at its end."""

    settings: Settings
    parts: Parts
    broker: dramatiq.Broker
    wakeup: BrokerWakeup

    def close(self) -> None:
        """Send the last wake-ups and close the database."""
        self.wakeup.close()
        self.parts.database.close()


def open_house(settings: Settings, *, role: str, socket_timeout_seconds: float = 5.0) -> House:
    """Join the parts for one process. `role` (web, worker, …) shows in leases and heartbeats."""
    broker = open_broker(settings.redis_url, socket_timeout_seconds=socket_timeout_seconds)
    wakeup = BrokerWakeup(broker)
    parts = Parts(
        database=Database(settings.database_url, pings=role != "worker"),  # pumps try again anyway
        gateways={gateway.name: _gateway(settings, gateway) for gateway in settings.gateways},
        wakeup=wakeup,
        channel=open_channel(settings.smtp_url, folder=settings.data_dir / "mail"),
        mail=MailPart(
            notify_emails=settings.notify_emails,
            sender=settings.mail_from,
            host=settings.mail_from.rpartition("@")[2],
            environment=settings.environment,
            version=version("moneyback"),
            public_url=settings.public_url,
        ),
        worker=f"{role}:{socket.gethostname()[:32]}:{os.getpid()}",
        default_gateway=settings.default_gateway,
        lease=timedelta(seconds=settings.lease_seconds),
        call_limit=timedelta(seconds=settings.call_limit_seconds),
        poll=timedelta(seconds=settings.poll_seconds),
        watch=timedelta(days=settings.watch_days),
        high_water=settings.data_dir / "high-water.json",
        redis_answers=RedisPulse(settings.redis_url).answers if settings.redis_url else None,
    )
    return House(settings, parts, broker, wakeup)


def prepare_database(house: House) -> schema.SchemaStatus:
    """Migrate, and write the default account as the settings have it; waiting retries move with it.

    Raises DatabaseUnavailableError, SecondHostError for an SQLite file that another host works on, and
    UnsafeDatabaseError for a database that may lose commits; then nothing was changed.
    """
    refuse_unsafe_database(house.parts)
    status = schema.upgrade(house.parts.database)
    refuse_second_host(house.parts)
    settings = house.settings
    policy = Policy(
        zone=settings.timezone,
        run_at=settings.retry_at,
        retry_days=settings.retry_days,
        permanent_failures=settings.permanent_failures,
    )
    with house.parts.database.begin() as tx:
        accounts.put(tx, Account(DEFAULT, policy, (), settings.notify_domains))
    return status


def _gateway(settings: Settings, wanted: GatewaySettings) -> GatewayPart:
    gateway = open_gateway(
        kind=wanted.kind,
        base_url=wanted.base_url,
        api_key=wanted.api_key.get_secret_value() if wanted.api_key else "",
        grade=wanted.grade,
        key_life=timedelta(hours=wanted.key_life_hours),
        settling=timedelta(seconds=wanted.settling_seconds),
        call_limit_seconds=settings.call_limit_seconds,
        max_in_flight=wanted.max_in_flight,
    )
    return GatewayPart(gateway, wanted.max_in_flight, wanted.calls_per_second)
