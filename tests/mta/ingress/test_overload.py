from postroad.ingress.overload import Overload


class Host:
    """What an overload looks at."""

    def __init__(self) -> None:
        self.now = 0.0
        self.resident = 50
        self.idle = 0
        self.room = True
        self.looks = self.trims = 0
        self.overload = Overload(
            memory=100, resident=self.look, trim=self.trim, has_room=lambda: self.room, clock=lambda: self.now
        )

    def look(self) -> int:
        self.looks += 1
        return self.resident

    def trim(self) -> None:
        self.trims += 1
        self.resident -= self.idle
        self.idle = 0

    def reason(self) -> str:
        shortage = self.overload.shortage()
        return shortage.reason if shortage is not None else ""


def test_memory_is_looked_at_once_a_second() -> None:
    host = Host()
    assert [host.reason() for _ in range(5)] == [""] * 5
    assert host.looks == 1
    host.resident = 101
    assert host.reason() == ""
    host.now = 1
    assert host.reason() == "memory"
    host.resident = 100
    host.now = 2
    assert host.reason() == ""


def test_memory_that_only_looks_held_is_given_back_first() -> None:
    host = Host()
    host.resident, host.idle = 150, 60
    assert host.reason() == ""
    assert host.trims == 1
    host.now, host.resident, host.idle = 1, 150, 60
    assert host.reason() == "memory"
    host.now = 10
    assert host.reason() == ""
    assert host.trims == 2


def test_a_spool_without_room_is_a_shortage_too() -> None:
    host = Host()
    host.room = False
    assert host.reason() == "full"
    assert not host.overload.short_of_memory()
