"""The application: routes, problem details, the envelope around every answer."""

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from refunds.flow.parts import Parts
from web.api import contract, payments, refunds, state
from web.api.envelope import Envelope
from web.api.kinds import Fault, named, page
from web.api.problems import ProblemError, handle_problems

_DESCRIPTION = """Hand over refunds; each is kept, paid at most once, tried again once a day for three days.

Errors are problem details (RFC 9457). Every answer has an `X-Request-Id`: the request's own where it sent a
safe one. Amounts are text in the currency's own decimals, or whole minor units; never a JSON fraction."""


def create_app(parts: Parts, *, body_seconds: float = 10.0) -> FastAPI:
    """The HTTP interface of these parts, which stay the caller's to close.

    A body that takes longer than `body_seconds` to arrive is given up.
    """
    app = FastAPI(
        title="moneyback",
        version=version("moneyback"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.parts = parts
    app.state.migrated = False
    app.state.body_seconds = body_seconds
    app.add_middleware(Envelope)
    handle_problems(app)
    for routes in (refunds, payments, state):
        app.include_router(routes.router)
    app.add_api_route("/problems/{name}", _problem_page, include_in_schema=False)
    contract.describe(app)
    return app


def _problem_page(name: str) -> PlainTextResponse:
    fault = named(name)
    if fault is None:
        raise ProblemError(Fault.NOT_FOUND, "there is no such problem")
    return PlainTextResponse(page(fault))
