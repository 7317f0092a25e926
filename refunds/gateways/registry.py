"""Which adapter speaks to which kind of platform."""

from datetime import timedelta

from refunds.domain.abilities import Grade
from refunds.gateways.sandbox import SandboxGateway
from refunds.gateways.transport import Transport
from refunds.ports import Gateway


def open_gateway(
    *,
    kind: str,
    base_url: str,
    api_key: str,
    grade: str,
    key_life: timedelta,
    settling: timedelta,
    call_limit_seconds: float,
    max_in_flight: int,
) -> Gateway:
    """The gateway of this kind at this address. Raises ValueError for a kind nobody speaks."""
    if kind != "sandbox":
        raise ValueError(f"there is no gateway of kind {kind!r}; known: sandbox")
    transport = Transport(
        base_url,
        headers={"Authorization": f"Bearer {api_key}"},
        call_limit_seconds=call_limit_seconds,
        max_in_flight=max_in_flight,
    )
    return SandboxGateway(transport, grade=Grade(grade), key_life=key_life, settling=settling)
