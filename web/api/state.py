"""How things stand: the queue, life and readiness."""

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from refunds.flow import reading
from refunds.flow.reading import Readiness
from refunds.flow.scopes import QUEUE_READ
from web.api import contract, documents
from web.api.access import Needs, OurParts

router = APIRouter(tags=["state"])


@router.get(
    "/v1/queue",
    summary="Show what waits",
    description="Needs `queue:read`. Depth, sums by currency and oldest age, by status.",
    response_model=documents.Queue,
    responses=contract.answers(),
    dependencies=[Depends(Needs(QUEUE_READ))],
)
def show_queue(parts: OurParts) -> JSONResponse:
    """The queue."""
    return JSONResponse(reading.queue_depth(parts))


# On the loop, not on a thread: it is to tell that the loop turns, however busy the threads are.
@router.get("/livez", summary="Is the process alive?", response_model=documents.Life)
async def livez() -> JSONResponse:
    """Alive."""
    return JSONResponse({"alive": True})


@router.get(
    "/readyz",
    summary="Can the process serve?",
    description="200 when the database answers and is migrated. Gateways and Redis never decide.",
    response_model=documents.Readiness,
    responses={503: {"model": documents.Readiness, "description": "The database is away or not migrated"}},
)
def readyz(parts: OurParts) -> JSONResponse:
    """Ready or not, and why."""
    found = reading.ready(parts)
    return JSONResponse(_readiness(found), status_code=200 if found.migrated else 503)


def _readiness(found: Readiness) -> dict[str, object]:
    schema, at = found.schema, found.at
    processes: dict[str, dict[str, float]] = {}
    last_tick_age = None
    if at is not None:
        for beat in found.beats:  # newest first
            signs = processes.setdefault(
                beat.role,
                {"processes": 0, "last_beat_age_seconds": round((at - beat.at).total_seconds(), 1)},
            )
            signs["processes"] += 1
        if found.last_tick_at is not None:
            last_tick_age = round((at - found.last_tick_at).total_seconds(), 1)
    return {
        "ready": found.migrated,
        "database": {
            "answers": at is not None,
            "skew_seconds": None if at is None else round(found.skew_seconds, 3),
        },
        "migrations": {
            "current": schema.current if schema else None,
            "wanted": schema.wanted if schema else None,
            "up_to_date": found.migrated,
        },
        "processes": processes,
        "last_tick_age_seconds": last_tick_age,
        "redis": _redis(found),
    }


def _redis(found: Readiness) -> str:
    if found.redis is None:
        return "not configured"
    return "reachable" if found.redis else "unreachable"
