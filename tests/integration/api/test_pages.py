"""The service's own pages: health, metrics, the OpenAPI document and the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bridge.api.http import reference
from tests.integration.api.sample import SECRET, Client, Start, problem, raw


async def test_health(start: Start) -> None:
    """Live is always 200; ready names each dependency, and is 503 when one is down, without its words."""

    async def up() -> None: ...

    async def down() -> None:
        raise ConnectionError(SECRET)

    good, bad = await start(pings={"mongodb": up}), await start(pings={"mongodb": up, "rabbitmq": down})
    assert (await bad.get("/health/live")).status == 200
    assert await (await good.get("/health/ready")).json() == {
        "status": "ready",
        "dependencies": {"mongodb": {"state": "up"}},
    }
    response = await bad.get("/health/ready")
    assert response.status == 503
    assert (await response.json())["dependencies"]["rabbitmq"] == {"state": "down", "detail": "ConnectionError"}


async def test_metrics(client: Client, member: dict[str, str]) -> None:
    """Calls are counted by route template, method and status."""
    await client.get("/v1/notes/private-id", headers=member)
    text = await (await client.get("/metrics")).text()
    assert 'cpd_bridge_http_requests_total{method="GET",route="/v1/notes/{note_id}",status="404"}' in text
    assert "private-id" not in text


async def test_openapi(client: Client) -> None:
    """The document is cached by its ETag, its references resolve, its ids are unique, its schemas are 2020-12."""
    response = await client.get("/openapi.json")
    document = await response.json()
    again = await client.get("/openapi.json", headers={"If-None-Match": response.headers["ETag"]})
    assert (document["openapi"], again.status) == ("3.1.0", 304)
    for pointer in references(document):
        assert resolve(document, pointer), pointer
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    assert "NoteQuery" not in document["components"]["schemas"]
    assert "/v1/crash" not in document["paths"]


async def test_openapi_operations(client: Client) -> None:
    """An operation tells its roles, parameters, problems, headers and an example that fits."""
    document = await (await client.get("/openapi.json")).json()
    listing = document["paths"]["/v1/notes"]["get"]
    make = document["paths"]["/v1/notes"]["post"]
    change = document["paths"]["/v1/notes/{note_id}"]["patch"]
    assert make["security"] == [{"bearer": ["member"]}, {"bearer": ["support"]}]
    assert document["paths"]["/v1/ids"]["get"]["security"] == []
    parameters = {parameter.get("name"): parameter for parameter in listing["parameters"]}
    assert {"limit", "cursor", "sort", "day", "draft"} <= set(parameters)
    assert parameters["day"]["schema"] == {"title": "Day", "type": "string", "format": "date"}
    assert set(make["responses"]) == {"201", "400", "401", "403", "409", "413", "415", "422", "429", "503"}
    assert set(change["responses"]) >= {"404", "412", "428"}
    assert set(change["requestBody"]["content"]) == {"application/json", "application/merge-patch+json"}
    assert set(make["responses"]["201"]["headers"]) == {"X-Correlation-Id", "ETag", "Location"}
    example = make["requestBody"]["content"]["application/json"]["example"]
    schema = {"$ref": "#/components/schemas/NoteIn", "components": document["components"]}
    Draft202012Validator(schema).validate(example)  # pyright: ignore[reportUnknownMemberType] - jsonschema is partly typed


def references(value: Any) -> Iterator[str]:
    """Every ``$ref`` in a document."""
    if isinstance(value, dict):
        for key, part in value.items():  # pyright: ignore[reportUnknownVariableType] - any JSON
            if key == "$ref":
                yield part
            else:
                yield from references(part)
    elif isinstance(value, list):
        for part in value:  # pyright: ignore[reportUnknownVariableType] - any JSON
            yield from references(part)


def resolve(document: Any, reference: str) -> Any:
    """What a local reference points at; raises ``KeyError`` when there is nothing."""
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document


async def test_docs_page(client: Client) -> None:
    """The page tells each operation and model of the document, has no script, and loads only from here."""
    page = await client.get("/docs")
    text = await page.text()
    document = await (await client.get("/openapi.json")).json()
    assert '<html lang="en-GB">' in text
    assert "<script" not in text
    assert not re.search(r"""(?:src|href)=["']?(?:[a-z]+:|/)""", text)
    for operation in (operation for path in document["paths"].values() for operation in path.values()):
        assert f'id="{operation["operationId"]}"' in text
    for name in document["components"]["schemas"]:
        assert f'id="model-{name}"' in text
    links, ids = re.findall(r'href="#([^"]+)"', text), re.findall(r' id="([^"]+)"', text)
    assert set(links) <= set(ids)
    assert len(ids) == len(set(ids))
    assert "'unsafe" not in page.headers["Content-Security-Policy"]
    assert (await client.get("/docs", headers={"If-None-Match": page.headers["ETag"]})).status == 304
    assert (await client.get("/docs/docs.css")).content_type == "text/css"


@pytest.mark.parametrize("name", ["..%2f__init__.py", "%2e%2e%2f__init__.py", "LICENSE", "..%5c__init__.py"])
@pytest.mark.parametrize("page", ["docs", "ops"])
async def test_files_of_pages_are_few(client: Client, page: str, name: str) -> None:
    """No other file of the package is served."""
    head, _ = await raw(client, f"GET /{page}/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert head.startswith(b"HTTP/1.1 404")


MESSAGES: dict[str, Any] = {"operations": {}, "channels": {}, "components": {"messages": {}}}


def test_prose_of_a_reference_is_text() -> None:
    """Whatever a description or a form's label holds is shown as text, and what is in backticks as code."""
    evil = "<script>alert(1)</script> & `code`"
    operation = {"operationId": "a", "tags": [evil], "summary": evil, "description": evil, "security": []}
    schemas = {evil: {"type": "object", "properties": {evil: {"enum": [evil], "description": evil}}}}
    page = reference.reference(
        {
            "info": {"title": evil, "version": evil, "summary": evil},
            "tags": [{"name": evil, "description": evil}],
            "paths": {f"/{evil}": {"get": {**operation, "parameters": [], "responses": {}}}},
            "components": {"schemas": schemas},
        },
        {**MESSAGES, "info": {"description": evil}},
    )
    assert "<script" not in page
    assert "&amp; <code>code</code>" in page


@pytest.mark.parametrize("page", ["/docs", "/problems/record-frozen"])
async def test_no_page_names_our_rules(client: Client, page: str) -> None:
    """The numbers of the requirements say nothing to who builds on the API."""
    assert re.findall(r"\(R\d+[^)]*\)", await (await client.get(page)).text()) == []


async def test_problem_types_lead_somewhere(client: Client) -> None:
    """A problem's type can be read up on."""
    response = await client.get("/problems/stale-version")
    assert response.status == 200
    assert "If-Match" in await response.text()
    await problem(await client.get("/problems/nonsense"), 404, "not-found")
