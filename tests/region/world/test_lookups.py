"""Answers that are remembered."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad_region.world import lookups
from postroad_region.world.lookups import Remembered, domain_name


class Question:
    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_who_asks_at_once_gets_one_answer() -> None:
    remembered, question = Remembered[str](60), Question("a")
    assert await asyncio.gather(*(remembered.get("k", question) for _ in range(5))) == ["a"] * 5
    assert await remembered.get("k", question) == "a"
    assert question.asked == 1


async def test_an_answer_holds_for_its_time() -> None:
    remembered, question = Remembered[str](0), Question("a", "b")
    assert await remembered.get("k", question) == "a"
    await asyncio.sleep(0.001)
    assert await remembered.get("k", question) == "b"


async def test_who_hangs_up_does_not_take_the_answer_from_the_others() -> None:
    remembered, question = Remembered[str](60), Question("a")
    first = asyncio.create_task(remembered.get("k", question))
    second = asyncio.create_task(remembered.get("k", question))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "a"


async def test_a_failure_holds_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "_FAILED_SECONDS", 0.0)
    remembered = Remembered[str](60, failed=lambda answer: answer == "temperror")
    question = Question("temperror", ValueError("broken"), "pass")
    assert await remembered.get("k", question) == "temperror"
    await asyncio.sleep(0.001)
    with pytest.raises(ValueError, match="broken"):
        await remembered.get("k", question)
    await asyncio.sleep(0.001)
    assert [await remembered.get("k", question) for _ in range(3)] == ["pass"] * 3
    assert question.asked == 3


@pytest.mark.parametrize("text", ["a..b", "a" * 64 + ".test", "a." * 128, "\\9", "\ud800.test"])
def test_what_can_be_no_name_is_none(text: str) -> None:
    assert domain_name(text) is None


@given(st.text(max_size=80))
def test_no_text_breaks_a_name(text: str) -> None:
    name = domain_name(text)
    assert name is None or name.is_absolute()
