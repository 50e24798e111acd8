"""Records of messages and their outcomes, from the objects that they describe."""

from collections.abc import Iterable, Sequence

from postroad.spool.message import Delivery, Location, Message, Outcome
from postroad.spool.record import MessageMeta, OutcomeMeta, RecordKind, check_of, encode_record
from postroad.spool.segment import Segment


def lay_out(
    contents: Iterable[tuple[Message, Sequence[bytes]]], segment: Segment
) -> tuple[list[bytes], list[tuple[Message, Location]]]:
    """What to append to a segment for new messages and copies of others, and where each will lie."""
    offset = segment.size
    pieces: list[bytes] = []
    placed: list[tuple[Message, Location]] = []
    for message, content in contents:
        if message.location is not None and not message.deliveries:
            continue  # finished while its copy waited
        check = check_of(content) if message.location is None else message.location.check
        head = message_record(message, check)
        placed.append((message, Location(segment.number, offset + len(head), message.size, check)))
        state = state_records(message) if message.location is not None else b""
        pieces.append(head)
        pieces.extend(content)
        if state:
            pieces.append(state)
        offset += len(head) + message.size + len(state)
    return pieces, placed


def message_record(message: Message, check: int) -> bytes:
    """Header and meta of a message's record; its body follows."""
    origin = message.origin
    meta = MessageMeta(
        message.received,
        message.sender,
        message.recipients,
        message.eight_bit,
        message.smtputf8,
        message.accepted_as,
        origin,
        state_of(message) if origin is not None else (),
        message.tenant,
        message.campaign,
        message.dsn,
    )
    return encode_record(RecordKind.MESSAGE, message.id, meta, message.size, check)


def finished_record(message: Message) -> bytes:
    """Nothing of a message is open here any more."""
    return encode_record(RecordKind.FINISHED, message.id)


def outcome_record(delivery: Delivery, outcome: Outcome) -> bytes:
    """What became of a delivery's recipients; once nothing of its message is open, only that."""
    message = delivery.message
    if not message.deliveries:
        return finished_record(message)
    return encode_record(RecordKind.OUTCOME, message.id, _meta(delivery, outcome))


def state_of(message: Message) -> tuple[OutcomeMeta, ...]:
    """What is known of a message's recipients."""
    open_ones = {index for delivery in message.deliveries for index in delivery.recipients}
    finished = tuple(index for index in range(len(message.recipients)) if index not in open_ones)
    known = [OutcomeMeta(delivered=finished)] if finished else []
    known += [_meta(delivery, Outcome.DEFERRED) for delivery in message.deliveries if delivery.attempts]
    return tuple(known)


def state_records(message: Message) -> bytes:
    """The same as records, for a copy of a message in another segment."""
    return b"".join(encode_record(RecordKind.OUTCOME, message.id, meta) for meta in state_of(message))


def _meta(delivery: Delivery, outcome: Outcome) -> OutcomeMeta:
    recipients = delivery.recipients
    match outcome:
        case Outcome.DELIVERED:
            return OutcomeMeta(delivered=recipients)
        case Outcome.BOUNCED:
            return OutcomeMeta(bounced=recipients)
        case Outcome.DEFERRED:
            return OutcomeMeta((), (), recipients, delivery.attempts, delivery.due, delivery.reply)
