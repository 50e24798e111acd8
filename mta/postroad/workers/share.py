"""Shares: what of the MTA's limits one worker may use, so that all together keep them."""

from postroad.memory import allowance
from postroad.settings.mta import MtaSettings


def share(limit: int, workers: int, number: int) -> int:
    """What worker `number`, from 1, has of a limit; the first ones have one more where it isn't even, and all have one.

    The shares add up to the limit, or to one each where there are more workers than that.
    """
    whole, rest = divmod(limit, workers)
    return max(1, whole + (number <= rest))


def settings_of_worker(settings: MtaSettings, workers: int, number: int) -> MtaSettings:
    """The settings of an MTA with every limit cut down to a worker's share."""

    def part(limit: int) -> int:
        return share(limit, workers, number)

    listeners = {
        name: listener.model_copy(
            update={
                "max_sessions": part(listener.max_sessions),
                "max_sessions_per_client": part(listener.max_sessions_per_client),
            }
        )
        for name, listener in settings.listeners.items()
    }
    egress = settings.egress
    limits = {
        "max_connections": part(egress.max_connections),
        "max_connections_per_site": part(egress.max_connections_per_site),
        "content_memory": part(egress.content_memory),
    }
    memory = settings.limits.memory or allowance()
    # The largest message must be able to come in at every worker.
    largest = max(listener.max_message_size for listener in listeners.values())
    held = {"memory": part(memory), "unfinished_messages": max(largest, part(settings.limits.unfinished_messages))}
    return settings.model_copy(
        update={
            "listeners": listeners,
            "egress": egress.model_copy(update=limits),
            "limits": settings.limits.model_copy(update=held),
            # Operators are the supervisor's: a worker answers nobody else.
            "admin": settings.admin.model_copy(update=dict.fromkeys(("tls_certificate", "tls_key", "tls_client_ca"))),
        }
    )
