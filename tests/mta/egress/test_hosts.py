from postroad.egress.hosts import UNREACHABLE_FOR, HostMemory

HOST = "192.0.2.1"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_broken_connection_is_chance_and_two_are_not() -> None:
    hosts = HostMemory(clock=Clock())
    hosts.overlap_failed(HOST)
    assert hosts.overlaps(HOST)
    hosts.overlap_failed(HOST)
    assert not hosts.overlaps(HOST)
    assert hosts.overlaps("192.0.2.2")


def test_a_success_between_two_failures_forgives_the_first() -> None:
    hosts = HostMemory(clock=Clock())
    hosts.overlap_failed(HOST)
    hosts.overlap_worked(HOST)
    hosts.overlap_failed(HOST)
    assert hosts.overlaps(HOST)


def test_what_broke_is_tried_again_after_an_hour() -> None:
    clock = Clock()
    hosts = HostMemory(clock=clock)
    for _ in range(2):
        hosts.overlap_failed(HOST)
    hosts.tls_broke(HOST)
    clock.now = 3599.0
    assert not hosts.overlaps(HOST)
    assert hosts.plain(HOST)
    clock.now = 3600.0
    assert hosts.overlaps(HOST)
    assert not hosts.plain(HOST)


def test_an_address_that_took_no_connection_is_remembered_for_a_short_time() -> None:
    clock = Clock()
    hosts = HostMemory(clock=clock)
    hosts.failed(HOST, "timed out")
    assert hosts.unreachable(HOST) == "timed out"
    hosts.reached(HOST)
    assert hosts.unreachable(HOST) is None
    hosts.failed(HOST, "timed out")
    clock.now = UNREACHABLE_FOR
    assert hosts.unreachable(HOST) is None


def test_chunks_go_to_who_took_the_message_before_and_never_broke_at_them() -> None:
    hosts = HostMemory(clock=Clock())
    assert not hosts.chunks(HOST)
    hosts.accepts(HOST, taken=True)
    assert hosts.chunks(HOST)
    hosts.accepts(HOST, taken=False)
    assert not hosts.chunks(HOST)
    hosts.accepts(HOST, taken=True)
    hosts.chunking_broke(HOST)
    assert not hosts.chunks(HOST)
