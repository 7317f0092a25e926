"""What a command stands on: settings, a log on stderr, and the parts on a database that is ready."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager

from cli.exits import CommandError, Exit
from config.logging import configure
from config.settings import Settings, load
from refunds.bootstrap import House, open_house, prepare_database
from refunds.store import schema


def settings_of_process() -> Settings:
    """The settings of a process that runs on, its log set up as they say. Raises SettingsError."""
    settings = load()
    configure(log_format=settings.log_format, level=settings.log_level)
    return settings


def settings_of_command() -> Settings:
    """The settings of a command that ends by itself: its log tells of trouble alone, or all with debug.

    Raises SettingsError.
    """
    settings = load()
    level = "warning" if settings.log_level == "info" else settings.log_level
    configure(log_format=settings.log_format, level=level)
    return settings


@contextmanager
def opened() -> Iterator[House]:
    """The parts for one command on a migrated database; an embedded one is migrated on the way.

    Raises SettingsError, DatabaseUnavailableError, and CommandError where the database is not migrated.
    """
    with joined(settings_of_command()) as house:
        status = schema.status(house.parts.database)
        if not status.up_to_date:
            if not house.settings.embedded_database:
                raise CommandError(Exit.DOWN, "the database is not migrated", "next: moneyback db upgrade")
            prepare_database(house)
        yield house


@contextmanager
def joined(settings: Settings) -> Iterator[House]:
    """The parts for one command, whatever the state of the database; closed at the end."""
    try:
        house = open_house(settings, role="cli", socket_timeout_seconds=1)
    except ValueError as error:
        raise CommandError(Exit.USAGE, "the settings cannot be used:", str(error)) from error
    except OSError as error:
        what = f"the data folder cannot be used: {error.filename}: {error.strerror}"
        raise CommandError(Exit.DOWN, what, "next: moneyback doctor") from error
    try:
        yield house
    finally:
        house.close()


def caller() -> str:
    """Who is at the keyboard, as the history has it: `cli:anna`. Idempotency keys are this user's own."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        user = f"uid-{os.getuid()}"
    return f"cli:{''.join(char for char in user if char.isprintable())[:64]}"
