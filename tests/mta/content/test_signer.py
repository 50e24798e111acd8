"""Signatures are made beside the event loop, each asker gets an answer once, and none after the end."""

import asyncio
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from postroad.content.dkim import Canonical, DkimKey, Unsigned
from postroad.content.signer import MAX_THREADS, Signer, spare_threads

RSA = DkimKey("x.test", "r", rsa.generate_private_key(public_exponent=65537, key_size=2048))
ED25519 = DkimKey("x.test", "e", ed25519.Ed25519PrivateKey.generate())
MESSAGE = Canonical.of(b"From: a@x.test\r\n\r\nhello\r\n")


async def signed(signer: Signer, *unsigned: Unsigned) -> tuple[list[bytes] | Exception, threading.Thread]:
    answer: asyncio.Future[tuple[list[bytes] | Exception, threading.Thread]] = (
        asyncio.get_running_loop().create_future()
    )
    signer.sign(unsigned, lambda made: answer.set_result((made, threading.current_thread())))
    return await answer


async def test_all_keys_sign_in_their_order_and_the_loop_is_told() -> None:
    signer = Signer(threads=2)
    wanted = [RSA.prepare(MESSAGE, now=1.0), ED25519.prepare(MESSAGE, now=1.0)]
    made, thread = await signed(signer, *wanted)
    # Both kinds are deterministic (RFC 8017 8.2, RFC 8032).
    assert made == [each.signed() for each in wanted]
    assert thread is threading.main_thread()
    signer.close()


async def test_what_takes_no_time_is_signed_at_once_without_a_thread() -> None:
    signer = Signer(threads=2)
    before = threading.active_count()
    told: list[object] = []
    signer.sign([ED25519.prepare(MESSAGE, now=1.0)], told.append)
    assert len(told) == 1
    assert threading.active_count() == before
    signer.close()


@pytest.mark.parametrize(("cores", "threads"), [(1, 0), (2, 0), (3, 1), (4, 2), (6, 4), (64, MAX_THREADS)])
def test_threads_sign_where_cores_are_to_spare(cores: int, threads: int) -> None:
    assert spare_threads(cores) == threads


async def test_without_threads_the_loop_signs_at_once() -> None:
    signer = Signer(threads=0)
    told: list[object] = []
    wanted = RSA.prepare(MESSAGE, now=1.0)
    signer.sign([wanted], told.append)
    assert told == [[wanted.signed()]]
    signer.close()


async def test_many_that_wait_get_each_its_own() -> None:
    signer = Signer(threads=2)
    wanted = [RSA.prepare(MESSAGE, now=float(number)) for number in range(40)]
    answers = await asyncio.gather(*(signed(signer, each) for each in wanted))
    assert [made for made, _ in answers] == [[each.signed()] for each in wanted]
    signer.close()


async def test_a_key_that_cannot_sign_is_told_and_the_next_is_signed() -> None:
    tiny = DkimKey("x.test", "t", rsa.generate_private_key(public_exponent=65537, key_size=1024))
    broken = Unsigned(tiny.key, b"", None)  # type: ignore[arg-type]
    signer = Signer(threads=2)
    made, _ = await signed(signer, broken)
    assert isinstance(made, TypeError)
    made, _ = await signed(signer, tiny.prepare(MESSAGE, now=1.0))
    assert isinstance(made, list)
    signer.close()


@pytest.mark.parametrize("waiting", [0, 50])
async def test_after_the_end_nobody_is_told_and_no_thread_is_left(waiting: int) -> None:
    signer = Signer(threads=2)
    await signed(signer, RSA.prepare(MESSAGE, now=1.0))
    told: list[object] = []
    for number in range(waiting):
        signer.sign([RSA.prepare(MESSAGE, now=float(number))], told.append)
    signer.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert told == []
    assert not [thread for thread in threading.enumerate() if thread.name == "dkim-sign"]
