"""A request that was written is never called `not sent`, and never goes out twice."""

import asyncio

import pytest

from refunds.gateways.transport import BODY_LIMIT, Lost, NotSent, Reply
from tests.gateways.exchange import BODY, answer, exchange, run, transport_to
from tests.gateways.raw_server import Manner, Visit, raw_server


async def cut(visit: Visit) -> None:
    visit.cut()


async def close(visit: Visit) -> None:
    visit.writer.close()


async def cut_in_the_head(visit: Visit) -> None:
    visit.writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await visit.writer.drain()
    visit.cut()


async def cut_in_the_body(visit: Visit) -> None:
    visit.writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id"')
    await visit.writer.drain()
    visit.writer.close()


async def cut_in_a_chunk(visit: Visit) -> None:
    visit.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nabc")
    await visit.writer.drain()
    visit.cut()


async def nonsense(visit: Visit) -> None:
    visit.writer.write(b"\x00\x01\x02 what is this\r\n\r\n")
    await visit.writer.drain()


async def bad_length(visit: Visit) -> None:
    visit.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}")
    await visit.writer.drain()


async def silence(_visit: Visit) -> None:
    await asyncio.Event().wait()


async def drip(visit: Visit) -> None:
    visit.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        visit.writer.write(b" ")
        await visit.writer.drain()
        await asyncio.sleep(0.01)


async def drip_the_head(visit: Visit) -> None:
    visit.writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(10_000):
        visit.writer.write(f"X-{number}: x\r\n".encode())
        await visit.writer.drain()
        await asyncio.sleep(0.01)


async def endless(visit: Visit) -> None:
    visit.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        visit.writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await visit.writer.drain()


async def promised_too_much(visit: Visit) -> None:
    await visit.answer(b"x" * (BODY_LIMIT + 1))


LOSSES: list[Manner] = [
    *(cut, close, cut_in_the_head, cut_in_the_body, cut_in_a_chunk, nonsense, bad_length),
    *(silence, drip, drip_the_head, endless, promised_too_much),
]


@pytest.mark.parametrize("manner", LOSSES, ids=lambda manner: manner.__name__)
def test_whatever_goes_wrong_after_the_request_was_written_is_lost_and_nothing_is_sent_twice(
    manner: Manner,
) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        [told], server = await exchange(manner, call_limit_seconds=0.4)
        assert isinstance(told, Lost), told
        assert len(server.requests) == 1
        assert loop.time() - began < 3

    run(work())


@pytest.mark.parametrize("manner", LOSSES, ids=lambda manner: manner.__name__)
def test_whatever_goes_wrong_on_a_kept_connection_is_lost_and_nothing_is_sent_twice(manner: Manner) -> None:
    """httpx's aiohttp transport calls a connection that died after the request a connect time-out."""

    async def first_well(visit: Visit) -> None:
        await (answer(visit) if visit.number == 1 else manner(visit))

    async def work() -> None:
        learned, server = await exchange(first_well, times=2, call_limit_seconds=0.4)
        assert isinstance(learned[0], Reply)
        assert isinstance(learned[1], Lost), learned[1]
        assert (server.connections, len(server.requests)) == (1, 2)

    run(work())


def test_a_kept_connection_that_is_dead_already_never_makes_a_request_go_out_twice() -> None:
    """The server closes right after its answer: whether the next request is written at all is a race."""

    async def answer_and_close(visit: Visit) -> None:
        await visit.answer()
        visit.writer.close()

    async def work() -> None:
        async with raw_server(answer_and_close) as server, transport_to(server.url()) as transport:
            for number in range(20):
                before = len(server.requests)
                told = await transport.send("POST", f"/pay/{number}", body=BODY)
                seen = [visit for visit in server.requests if f"/pay/{number} ".encode() in visit.head]
                assert len(seen) == len(server.requests) - before <= 1
                assert isinstance(told, Reply) == bool(seen)
                if not seen:
                    assert isinstance(told, (Lost, NotSent))

    run(work())


def test_a_look_up_on_a_dead_kept_connection_says_lost_or_answers() -> None:
    async def cut_every_second(visit: Visit) -> None:
        await (answer(visit) if visit.number % 2 else cut(visit))

    async def work() -> None:
        async with raw_server(cut_every_second) as server, transport_to(server.url()) as transport:
            told = [await transport.send("GET", "/look") for _ in range(4)]
        assert all(isinstance(each, (Reply, Lost)) for each in told)

    run(work())


def test_what_waited_too_long_for_a_connection_was_not_sent_if_it_is_said_so() -> None:
    """Those that wait may still get a place in the very moment in which the others give theirs up."""

    async def work() -> None:
        async with raw_server(silence) as server, transport_to(server.url(), call_limit_seconds=0.4) as way:
            told = await asyncio.gather(*[way.send("POST", f"/pay/{n}", body=BODY) for n in range(40)])
            lost = {f"/pay/{n}".encode() for n, each in enumerate(told) if isinstance(each, Lost)}
            async with asyncio.timeout(5):
                while len(server.requests) < len(lost):  # noqa: ASYNC110 - the server tells nobody
                    await asyncio.sleep(0.005)
        assert {visit.head.split()[1] for visit in server.requests} == lost
        assert 8 <= len(lost) < 40
        assert sum(isinstance(each, NotSent) for each in told) == 40 - len(lost)

    run(work())
