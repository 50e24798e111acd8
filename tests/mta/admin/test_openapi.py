"""The description of the admin port says what there is."""

import msgspec
from postroad.admin.http import Answer
from postroad.admin.openapi import Operation, describe


class Body(msgspec.Struct):
    """A body."""

    wanted: int


OPERATIONS = {
    ("GET", "/ready"): Operation("Ready?", open=True, text=True),
    ("POST", "/orders/lift"): Operation("Lift.", takes=Body),
    ("GET", "/message"): Operation("One.", query={"id": "which"}),
    ("POST", "/spool"): Operation("Octets.", octets=True),
    ("GET", "/openapi.json"): Operation("This."),
}


def test_each_operation_is_described() -> None:
    document = msgspec.json.decode(Answer.json(describe(OPERATIONS, version="1.2.3")).body)
    assert document["info"]["version"] == "1.2.3"
    assert set(document["paths"]) == {"/ready", "/orders/lift", "/message", "/spool", "/openapi.json"}
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] for operation in operations)
    assert "security" not in document["paths"]["/ready"]["get"]
    assert document["paths"]["/message"]["get"]["security"] == [{"token": []}, {"certificate": []}]
    assert document["paths"]["/message"]["get"]["parameters"][0]["name"] == "id"
    body = document["paths"]["/orders/lift"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Body"}
    assert document["components"]["schemas"]["Body"]["required"] == ["wanted"]
    assert "application/octet-stream" in document["paths"]["/spool"]["post"]["requestBody"]["content"]
