"""Times as people read them: UTC first, the local time besides it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


def moment(at: datetime, zone: str) -> str:
    """`Mon 17 Nov 2025 14:12 UTC (15:12 Europe/Paris)`; the local day too where it differs.

    A zone that is not known is left out: no mail fails over it.
    """
    utc = at.astimezone(UTC)
    shown = f"{utc:%a %d %b %Y %H:%M} UTC"
    try:
        local = utc.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError, OSError):
        return shown
    if local.utcoffset() == timedelta(0):
        return shown
    day = "" if local.date() == utc.date() else f"{local:%a %d %b} "
    return f"{shown} ({day}{local:%H:%M} {zone})"


def second(at: datetime) -> str:
    """`Mon 17 Nov 14:12:04 UTC`."""
    return f"{at.astimezone(UTC):%a %d %b %H:%M:%S} UTC"


def lapse(start: datetime, end: datetime) -> str:
    """`2 days 19 h`, `19 h`, `5 min`; never negative."""
    minutes = max(0, int((end - start).total_seconds()) // 60)
    days, hours = minutes // 1440, minutes % 1440 // 60
    match days, hours:
        case 0, 0:
            return f"{minutes} min"
        case 0, _:
            return f"{hours} h"
        case 1, _:
            return f"1 day {hours} h"
        case _:
            return f"{days} days {hours} h"
