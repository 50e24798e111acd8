"""The description of the admin port says what there is."""

import msgspec
from postroad.admin.http import AdminRoute, Answer
from postroad.admin.openapi import with_description


class Body(msgspec.Struct):
    """A body."""

    wanted: int


ROUTES = {
    ("GET", "/ready"): AdminRoute(lambda _: Answer.text("ready"), open=True, text=True, about="Ready?"),
    ("POST", "/orders/lift"): AdminRoute(lambda _: Answer.json({}), takes=Body, max_body=100, about="Lift."),
    ("GET", "/message"): AdminRoute(lambda _: Answer.json({}), query={"id": "which"}, about="One."),
    ("POST", "/spool"): AdminRoute(lambda _: Answer.json({}), max_body=100, about="Octets."),
}


def test_each_route_is_described() -> None:
    routes = with_description(ROUTES, version="1.2.3")
    answer = routes["GET", "/openapi.json"].handler(None)  # type: ignore[arg-type]
    assert isinstance(answer, Answer)
    document = msgspec.json.decode(answer.body)
    assert document["info"]["version"] == "1.2.3"
    assert set(document["paths"]) == {"/ready", "/orders/lift", "/message", "/spool", "/openapi.json"}
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] for operation in operations)
    assert "security" not in document["paths"]["/ready"]["get"]
    assert document["paths"]["/message"]["get"]["security"] == [{"token": []}]
    assert document["paths"]["/message"]["get"]["parameters"][0]["name"] == "id"
    body = document["paths"]["/orders/lift"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Body"}
    assert document["components"]["schemas"]["Body"]["required"] == ["wanted"]
    assert "application/octet-stream" in document["paths"]["/spool"]["post"]["requestBody"]["content"]
