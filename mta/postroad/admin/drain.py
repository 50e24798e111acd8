"""What the admin port answers to operators who drain this MTA, and to other MTAs that move messages here."""

import msgspec

from postroad.admin.api import Handlers
from postroad.admin.http import AdminRequest, Answer
from postroad.admin.models import DrainRequest, TakeBackRequest
from postroad.drain.drainer import Drainer
from postroad.drain.receiver import Receiver
from postroad.spool.errors import SpoolError


def drain_handlers(drainer: Drainer, receiver: Receiver) -> Handlers:
    """Who answers on both sides of a drain."""

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
        ("GET", "/drain"): lambda _: Answer.json(drainer.progress()),
        ("POST", "/drain"): begin,
        ("DELETE", "/drain"): cancel,
        ("POST", "/drain/take-back"): take_back,
        ("GET", "/spool/receive"): receiver.greet,
        ("POST", "/spool/receive"): receiver.receive,
        ("POST", "/spool/withdraw"): receiver.withdraw,
    }


def _failed(error: Exception, wanted: str) -> Answer:
    if isinstance(error, SpoolError):
        return Answer.json({"error": str(error)}, 507)
    if isinstance(error, msgspec.MsgspecError):
        return Answer.json({"error": f"{error}: the body must be {wanted}"}, 400)
    return Answer.json({"error": f"a target must be {error}"}, 400)
