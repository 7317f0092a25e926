"""The mail sink's own process: takes mail, writes the ledger, misbehaves as the ledger's faults say.

Run by `tests.servers.smtp` with one JSON argument; it lives until its standard input closes.
"""

import asyncio
import json
import ssl
import sys
from pathlib import Path
from typing import Any, assert_never

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers.mail_ledger import Fault, MailLedger

_BEFORE_DATA = frozenset(Fault) - {Fault.DROP_AFTER_DATA}


def main() -> None:
    """Serve as told: {"ledger", "port", "tls", "certificate", "login": [user, password] or null}."""
    asyncio.run(_serve(json.loads(sys.argv[1])))


async def _serve(options: dict[str, Any]) -> None:
    sink = Sink(MailLedger(Path(options["ledger"])))
    starttls = options["tls"] == "starttls"
    context = None
    if options["tls"] != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options["certificate"])

    def authenticate(_: SMTP, _session: Session, _envelope: Envelope, _way: str, data: Any) -> AuthResult:
        given = [data.login.decode(), data.password.decode()] if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == options["login"], handled=False)

    def session() -> SMTP:
        return SMTP(
            sink,
            hostname="localhost",
            enable_SMTPUTF8=True,
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=authenticate,
            auth_required=options["login"] is not None,
            # aiosmtpd knows of STARTTLS only: with implicit TLS it would refuse every login.
            auth_require_tls=starttls,
        )

    server = await asyncio.get_running_loop().create_server(
        session,
        "127.0.0.1",
        options["port"],
        ssl=context if options["tls"] == "tls" else None,
    )
    async with server:
        await asyncio.to_thread(sys.stdin.read)


class Sink:
    """aiosmtpd's handler: what is taken is in the ledger before the client hears of it."""

    def __init__(self, ledger: MailLedger) -> None:
        self._ledger = ledger

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd looks for
        self,
        server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Take the recipient, or do as its next fault says."""
        fault = self._ledger.take_fault(address, _BEFORE_DATA)
        if fault is not None:
            self._ledger.record(
                mail_from=envelope.mail_from or "",
                recipients=[address],
                raw=b"",
                accepted=False,
                dropped=fault is Fault.DROP_BEFORE_DATA,
            )
        match fault:
            case None:
                envelope.rcpt_tos.append(address)
                return "250 2.1.5 recipient taken"
            case Fault.REFUSE_4XX:
                return "451 4.3.0 not now, try again later"
            case Fault.REFUSE_5XX:
                return "550 5.1.1 no such mailbox"
            case Fault.HANG:
                return await _silence()
            case Fault.DROP_BEFORE_DATA | Fault.DROP_AFTER_DATA:
                return await _cut(server)
        assert_never(fault)

    async def handle_DATA(  # noqa: N802 - the name aiosmtpd looks for
        self,
        server: SMTP,
        _session: Session,
        envelope: Envelope,
    ) -> str:
        """Take the message for all its recipients; cut the connection if a fault of one of them says so."""
        faults = [self._ledger.take_fault(address, {Fault.DROP_AFTER_DATA}) for address in envelope.rcpt_tos]
        dropped = any(fault is not None for fault in faults)
        self._ledger.record(
            mail_from=envelope.mail_from or "",
            recipients=envelope.rcpt_tos,
            raw=envelope.original_content or b"",
            accepted=True,
            dropped=dropped,
        )
        return await _cut(server) if dropped else "250 2.0.0 message taken"


async def _cut(server: SMTP) -> str:
    # After STARTTLS the socket belongs to the transport from before it.
    transport = server._original_transport or server.transport
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
    return await _silence()


async def _silence() -> str:
    """No answer: aiosmtpd cancels this when the connection is gone."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return await answer


if __name__ == "__main__":
    main()
