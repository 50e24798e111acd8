"""Images on the machine, while others come and go."""

import pytest
from postroad_region.errors import RegionError
from postroad_region.hypervisor import images

VANISHED = RegionError('`podman images` failed with 125: Error: retrieving size of image "4c": image not known')
FOUND = '[{"Id": "4c", "Labels": {"postroad.region.ami": "ami-1"}, "Names": ["localhost/postroad-ami:ami-1"]}]'


def answering(monkeypatch: pytest.MonkeyPatch, *answers: str | RegionError) -> None:
    left = list(answers)

    def run(_: list[str]) -> str:
        answer = left.pop(0)
        if isinstance(answer, RegionError):
            raise answer
        return answer

    monkeypatch.setattr(images, "run", run)


def test_an_image_that_goes_during_the_listing_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, VANISHED, VANISHED, FOUND)
    assert images.made() == {"4c": ("ami-1", "localhost/postroad-ami:ami-1")}


def test_a_listing_that_fails_otherwise_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, RegionError("`podman images` failed with 125: no space left"), FOUND)
    with pytest.raises(RegionError, match="no space left"):
        images.made()
