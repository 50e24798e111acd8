"""Records of messages and their outcomes, from the objects that they describe."""

from postroad.spool.message import Delivery, Message, Outcome
from postroad.spool.record import MessageMeta, OutcomeMeta, RecordKind, encode_record


def message_record(message: Message, check: int) -> bytes:
    """Header and meta of a message's record; its body follows."""
    meta = MessageMeta(message.received, message.sender, message.recipients, message.eight_bit, message.smtputf8)
    return encode_record(RecordKind.MESSAGE, message.id, meta, message.size, check)


def outcome_record(delivery: Delivery, outcome: Outcome) -> bytes:
    """What became of a delivery's recipients; once nothing of its message is open, only that."""
    message = delivery.message
    if not message.deliveries:
        return encode_record(RecordKind.FINISHED, message.id)
    return encode_record(RecordKind.OUTCOME, message.id, _meta(delivery, outcome))


def state_records(message: Message) -> bytes:
    """What is known of a message's recipients, for a copy of it in another segment."""
    open_ones = {index for delivery in message.deliveries for index in delivery.recipients}
    finished = tuple(index for index in range(len(message.recipients)) if index not in open_ones)
    records = []
    if finished:
        records.append(encode_record(RecordKind.OUTCOME, message.id, OutcomeMeta(delivered=finished)))
    for delivery in message.deliveries:
        if delivery.attempts:
            records.append(encode_record(RecordKind.OUTCOME, message.id, _meta(delivery, Outcome.DEFERRED)))
    return b"".join(records)


def _meta(delivery: Delivery, outcome: Outcome) -> OutcomeMeta:
    recipients = delivery.recipients
    match outcome:
        case Outcome.DELIVERED:
            return OutcomeMeta(delivered=recipients)
        case Outcome.BOUNCED:
            return OutcomeMeta(bounced=recipients)
        case Outcome.DEFERRED:
            return OutcomeMeta((), (), recipients, delivery.attempts, delivery.due, delivery.reply)
