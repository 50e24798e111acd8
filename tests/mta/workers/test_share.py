"""Workers keep the MTA's limits together."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from postroad.settings.mta import MtaSettings
from postroad.workers.share import settings_of_worker, share


@given(st.integers(1, 10_000), st.integers(1, 64))
def test_shares_add_up_to_the_limit(limit: int, workers: int) -> None:
    shares = [share(limit, workers, number) for number in range(1, workers + 1)]
    assert sum(shares) == max(limit, workers)
    assert max(shares) - min(shares) <= 1


def test_a_worker_has_a_part_of_every_limit(tmp_path: Path) -> None:
    settings = MtaSettings.model_validate(
        {
            "workers": 3,
            "listeners": {"a": {"address": "127.0.0.1:0", "max_sessions": 100}},
            "spool": {"path": str(tmp_path)},
            "egress": {"max_connections": 10, "max_connections_per_site": 2, "content_memory": "3MiB"},
        }
    )
    first, last = settings_of_worker(settings, 3, 1), settings_of_worker(settings, 3, 3)
    assert (first.listeners["a"].max_sessions, last.listeners["a"].max_sessions) == (34, 33)
    assert (first.egress.max_connections, last.egress.max_connections) == (4, 3)
    assert (first.egress.max_connections_per_site, last.egress.max_connections_per_site) == (1, 1)
    assert last.egress.content_memory == 1 << 20


def test_the_largest_message_comes_in_at_every_worker(tmp_path: Path) -> None:
    settings = MtaSettings.model_validate(
        {
            "listeners": {"a": {"address": "127.0.0.1:0", "max_message_size": "50MiB"}},
            "spool": {"path": str(tmp_path)},
            "limits": {"unfinished_messages": "100MiB"},
        }
    )
    assert settings_of_worker(settings, 2, 1).limits.unfinished_messages == 50 << 20
    assert settings_of_worker(settings, 8, 1).limits.unfinished_messages == 50 << 20
