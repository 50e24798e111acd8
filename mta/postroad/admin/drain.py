"""What the admin port answers to operators who drain this MTA, and to other MTAs that move messages here."""

import msgspec

from postroad.admin.http import AdminRequest, AdminRoute, Answer
from postroad.drain.drainer import Drainer
from postroad.drain.receiver import Receiver
from postroad.spool.errors import SpoolError

_MAX_ORDER = 64 << 10


class DrainRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Where the messages go; to nobody: they are only delivered."""

    targets: list[str]


class TakeBackRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A target that is gone."""

    target: str


def drain_routes(drainer: Drainer, receiver: Receiver, *, max_batch: int) -> dict[tuple[str, str], AdminRoute]:
    """The routes of both sides of a drain."""

    async def begin(request: AdminRequest) -> Answer:
        try:
            await drainer.begin(msgspec.json.decode(bytes(request.body), type=DrainRequest).targets)
        except (ValueError, SpoolError) as error:
            return _failed(error, '{"targets": ["HOST:PORT", …]}')
        return Answer.json(drainer.progress())

    async def cancel(_: AdminRequest) -> Answer:
        await drainer.cancel()
        return Answer.json(drainer.progress())

    async def take_back(request: AdminRequest) -> Answer:
        try:
            wanted = msgspec.json.decode(bytes(request.body), type=TakeBackRequest)
            count = await drainer.take_back(wanted.target)
        except ValueError as error:
            return _failed(error, '{"target": "HOST:PORT"}')
        return Answer.json({"taken_back": count, **drainer.progress()})

    return {
        ("GET", "/drain"): AdminRoute(lambda _: Answer.json(drainer.progress()), about="How far the drain is."),
        ("POST", "/drain"): AdminRoute(
            begin,
            max_body=_MAX_ORDER,
            takes=DrainRequest,
            about="Move everything to other MTAs: the host may go then.",
        ),
        ("DELETE", "/drain"): AdminRoute(cancel, about="End the drain: take mail and deliver again."),
        ("POST", "/drain/take-back"): AdminRoute(
            take_back,
            max_body=_MAX_ORDER,
            takes=TakeBackRequest,
            about="Deliver from here what was offered to a target that is gone for good.",
        ),
        ("GET", "/spool/receive"): AdminRoute(receiver.greet, about="For other MTAs: which spool this is."),
        ("POST", "/spool/receive"): AdminRoute(
            receiver.receive, max_body=max_batch, about="For other MTAs: take a batch of messages."
        ),
        ("POST", "/spool/withdraw"): AdminRoute(
            receiver.withdraw, max_body=_MAX_ORDER, about="For other MTAs: what was taken of a batch; no more of it is."
        ),
    }


def _failed(error: Exception, wanted: str) -> Answer:
    if isinstance(error, SpoolError):
        return Answer.json({"error": str(error)}, 507)
    if isinstance(error, msgspec.MsgspecError):
        return Answer.json({"error": f"{error}: the body must be {wanted}"}, 400)
    return Answer.json({"error": f"a target must be {error}"}, 400)
