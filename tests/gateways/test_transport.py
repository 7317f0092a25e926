"""One bounded exchange, and an honest word on whether anything was sent."""

import asyncio
import gzip
import ssl
from pathlib import Path

import pytest
import trustme

from refunds.gateways.transport import BODY_LIMIT, Lost, NotSent, Reply
from tests.gateways.exchange import BODY, answer, exchange, run, transport_to
from tests.gateways.raw_server import Visit, raw_server
from tests.servers.program import free_port


def test_a_whole_answer_comes_back_with_its_status_and_body() -> None:
    async def work() -> None:
        [reply], server = await exchange(answer)
        assert isinstance(reply, Reply)
        assert (reply.status, reply.document()) == (200, {"ok": True})
        [visit] = server.requests
        assert visit.head.startswith(b"POST /pay HTTP/1.1\r\n")
        assert b"authorization: bearer sandbox" in visit.head.lower()
        assert b'"amount_minor":' in visit.body.replace(b" ", b"")

    run(work())


def test_connections_are_kept_and_used_again() -> None:
    async def work() -> None:
        learned, server = await exchange(answer, times=5)
        assert [type(each) for each in learned] == [Reply] * 5
        assert (server.connections, len(server.requests)) == (1, 5)

    run(work())


def test_a_refused_connection_was_not_sent() -> None:
    async def work() -> None:
        async with transport_to(f"http://127.0.0.1:{free_port()}") as transport:
            told = await transport.send("POST", "/pay", body=BODY)
        assert isinstance(told, NotSent)
        assert told.code == "not_reached"

    run(work())


def test_a_name_that_does_not_resolve_was_not_sent() -> None:
    async def work() -> None:
        async with transport_to("http://no-such-host.test") as transport:
            told = await transport.send("POST", "/pay", body=BODY)
        assert isinstance(told, NotSent)
        assert told.code == "dns_failed"

    run(work())


def test_a_server_whose_certificate_nobody_vouches_for_was_sent_nothing(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def work() -> None:
        async with (
            raw_server(answer, tls=context) as server,
            transport_to(server.url("https")) as transport,
        ):
            told = await transport.send("POST", "/pay", body=BODY)
            assert isinstance(told, NotSent), told
            assert told.code == "tls_failed"
            assert server.requests == []

    run(work())


def test_a_server_that_speaks_no_tls_was_sent_nothing() -> None:
    async def work() -> None:
        async with raw_server(answer) as server, transport_to(server.url("https")) as transport:
            told = await transport.send("POST", "/pay", body=BODY)
            assert isinstance(told, NotSent), told
            assert server.requests == []

    run(work())


def test_a_server_that_accepts_and_never_finishes_tls_was_sent_nothing() -> None:
    async def work() -> None:
        async def silence(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(silence, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with transport_to(f"https://127.0.0.1:{port}", call_limit_seconds=0.3) as transport:
            told = await transport.send("POST", "/pay", body=BODY)
        assert isinstance(told, NotSent)
        assert told.code == "timeout"
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(work())


def test_what_may_not_be_sent_any_more_is_not_sent_and_the_server_sees_nothing() -> None:
    async def work() -> None:
        async with raw_server(answer) as server, transport_to(server.url()) as transport:
            for warm in (False, True):
                if warm:
                    assert isinstance(await transport.send("GET", "/warm"), Reply)
                told = await transport.send("POST", "/pay", body=BODY, may_send=lambda: False)
                assert isinstance(told, NotSent)
                assert told.code == "handed_back"
            assert [visit.head.split()[0] for visit in server.requests] == [b"GET"]

    run(work())


def test_the_question_whether_it_may_be_sent_is_asked_once_connected_and_only_then() -> None:
    async def work() -> None:
        asked: list[int] = []

        def may_send() -> bool:
            asked.append(server.connections)
            return True

        async with raw_server(answer) as server, transport_to(server.url()) as transport:
            assert isinstance(await transport.send("POST", "/pay", body=BODY, may_send=may_send), Reply)
        assert len(asked) == 1
        async with transport_to(f"http://127.0.0.1:{free_port()}") as transport:
            await transport.send("POST", "/pay", body=BODY, may_send=may_send)
        assert len(asked) == 1

    run(work())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    async def redirect(visit: Visit) -> None:
        await visit.answer(status=status, more="Location: /elsewhere\r\n")

    async def work() -> None:
        [reply], server = await exchange(redirect)
        assert isinstance(reply, Reply)
        assert reply.status == status
        assert len(server.requests) == 1

    run(work())


def test_the_largest_answer_that_is_taken_is_taken() -> None:
    async def large(visit: Visit) -> None:
        await visit.answer(b"x" * BODY_LIMIT)

    async def work() -> None:
        [reply], _ = await exchange(large)
        assert isinstance(reply, Reply)
        assert len(reply.body) == BODY_LIMIT
        assert reply.document() is None

    run(work())


def test_a_compressed_bomb_is_not_unpacked() -> None:
    async def bomb(visit: Visit) -> None:
        await visit.answer(gzip.compress(b"0" * (50 * BODY_LIMIT)), more="Content-Encoding: gzip\r\n")

    async def work() -> None:
        [told], _ = await exchange(bomb)
        assert not isinstance(told, NotSent)
        assert isinstance(told, Lost) or len(told.body) <= BODY_LIMIT

    run(work())


def test_cookies_and_the_environment_s_proxy_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")

    async def bake(visit: Visit) -> None:
        await visit.answer(more="Set-Cookie: a=b\r\n")

    async def work() -> None:
        learned, server = await exchange(bake, times=2)
        assert [type(each) for each in learned] == [Reply, Reply]
        assert all(b"cookie" not in visit.head.lower() for visit in server.requests)

    run(work())


def test_many_at_once_wait_for_a_connection_and_none_is_lost() -> None:
    async def work() -> None:
        async with (
            raw_server(answer) as server,
            transport_to(server.url(), call_limit_seconds=5) as transport,
        ):
            told = await asyncio.gather(*[transport.send("POST", f"/pay/{n}", body=BODY) for n in range(60)])
        assert [type(each) for each in told] == [Reply] * 60
        assert len({visit.head for visit in server.requests}) == 60
        assert server.connections <= 8

    run(work())
