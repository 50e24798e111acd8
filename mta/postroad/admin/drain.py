"""What the admin port answers to operators who drain this MTA, and to other MTAs that move messages here."""

import msgspec

from postroad.admin.http import AdminRequest, AdminRoute, Answer
from postroad.drain.drainer import Drainer
from postroad.drain.receiver import Receiver
from postroad.spool.errors import SpoolError

_MAX_ORDER = 64 << 10


class _Order(msgspec.Struct, forbid_unknown_fields=True):
    targets: list[str]


class _TakeBack(msgspec.Struct, forbid_unknown_fields=True):
    target: str


def drain_routes(drainer: Drainer, receiver: Receiver, *, max_batch: int) -> dict[tuple[str, str], AdminRoute]:
    """The routes of both sides of a drain."""

    async def begin(request: AdminRequest) -> Answer:
        try:
            await drainer.begin(msgspec.json.decode(bytes(request.body), type=_Order).targets)
        except (ValueError, SpoolError) as error:
            return _failed(error, '{"targets": ["HOST:PORT", …]}')
        return Answer.json(drainer.progress())

    async def cancel(_: AdminRequest) -> Answer:
        await drainer.cancel()
        return Answer.json(drainer.progress())

    async def take_back(request: AdminRequest) -> Answer:
        try:
            wanted = msgspec.json.decode(bytes(request.body), type=_TakeBack)
            count = await drainer.take_back(wanted.target)
        except ValueError as error:
            return _failed(error, '{"target": "HOST:PORT"}')
        return Answer.json({"taken_back": count, **drainer.progress()})

    return {
        ("GET", "/drain"): AdminRoute(lambda _: Answer.json(drainer.progress())),
        ("POST", "/drain"): AdminRoute(begin, max_body=_MAX_ORDER),
        ("DELETE", "/drain"): AdminRoute(cancel),
        ("POST", "/drain/take-back"): AdminRoute(take_back, max_body=_MAX_ORDER),
        ("GET", "/spool/receive"): AdminRoute(receiver.greet),
        ("POST", "/spool/receive"): AdminRoute(receiver.receive, max_body=max_batch),
        ("POST", "/spool/withdraw"): AdminRoute(receiver.withdraw, max_body=_MAX_ORDER),
    }


def _failed(error: Exception, wanted: str) -> Answer:
    if isinstance(error, SpoolError):
        return Answer.json({"error": str(error)}, 507)
    if isinstance(error, msgspec.MsgspecError):
        return Answer.json({"error": f"{error}: the body must be {wanted}"}, 400)
    return Answer.json({"error": f"a target must be {error}"}, 400)
