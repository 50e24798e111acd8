"""What a client may ask about notifications."""

import pytest
from postroad.smtp.envelope import DsnRequest, Notify, dsn_problem, is_envid, is_orcpt


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (b"QQ314159", True),
        (b"a+2Bb+3D", True),
        (b"x" * 100, True),
        (b"x" * 101, False),
        (b"", False),
        (b"a+2b", False),
        (b"a=b", False),
        (b"a b", False),
        (b"a\r\nb", False),
    ],
)
def test_envid(value: bytes, valid: bool) -> None:
    assert is_envid(value) is valid


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (b"rfc822;ann@x.test", True),
        (b"rfc822;a+2Bb@x.test", True),
        (b"utf-8;" + "ü@x.test".encode(), True),
        (b"rfc822;" + "ü@x.test".encode(), False),
        (b"utf-8;\xff@x.test", False),
        (b"ann@x.test", False),
        (b";ann@x.test", False),
        (b"rfc822;", False),
        (b"rfc822;a\r\nX: y", False),
    ],
)
def test_orcpt(value: bytes, valid: bool) -> None:
    assert is_orcpt(value) is valid


@pytest.mark.parametrize(
    ("dsn", "problem"),
    [
        (DsnRequest(), None),
        (DsnRequest("FULL", b"x", (Notify.NEVER, Notify.SUCCESS | Notify.DELAY), (b"", b"rfc822;a@b")), None),
        (DsnRequest("ALL"), "a RET or ENVID that is none"),
        (DsnRequest(envid=b"\r\n"), "a RET or ENVID that is none"),
        (DsnRequest(notify=(0,)), "NOTIFY or ORCPT of recipients that it doesn't have"),
        (DsnRequest(notify=(0, 3)), "a NOTIFY that is none"),
        (DsnRequest(notify=(0, 16)), "a NOTIFY that is none"),
        (DsnRequest(orcpt=(b"", b"\r\n")), "an ORCPT that is none"),
    ],
)
def test_a_request_of_another_host_is_judged(dsn: DsnRequest, problem: str | None) -> None:
    assert dsn_problem(dsn, 2) == problem
