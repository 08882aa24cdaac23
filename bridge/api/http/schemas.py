"""The schemas of the OpenAPI document, made by pydantic from the models of the route table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema
from pydantic_core.core_schema import literal_schema

from bridge.api.http import problems
from bridge.api.http.routing import Route

Json = dict[str, Any]
Mode = Literal["validation", "serialization"]
REF = "#/components/schemas/"
NO_NUL = r"^[^\u0000]*$"


class OneOf:
    """The annotation of a text that is of a closed list of the domain's: its schema has the values."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = [str(value) for value in values]

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> CoreSchema:
        """Take these values alone."""
        return literal_schema(self._values)


Id = Annotated[str, Field(validation_alias=AliasChoices("_id", "id"))]
"""The id of an answer, under the name that the store or the service has for it."""


class _PlainNames(GenerateJsonSchema):
    """Component names that read as class names, since client generators make classes of them: ``LogRowList``."""

    def normalize_name(self, name: str) -> str:
        return super().normalize_name(re.sub(r"Page\[(\w+)\]", r"\1List", name))


class Schemas:
    """The schemas of all models at once, so that each is a component once."""

    def __init__(self, table: Sequence[Route]) -> None:
        adapters: dict[tuple[str, Mode], TypeAdapter[Any]] = {
            ("Problem", "serialization"): TypeAdapter(problems.Problem)
        }
        for route in table:
            for model in filter(None, (route.query, route.body)):
                adapters[_key(model), "validation"] = TypeAdapter(model)
            if route.answer is not None:
                adapters[_key(route.answer), "serialization"] = route.adapter
        inputs: list[tuple[str, Mode, TypeAdapter[Any]]] = [
            (key, mode, adapter) for (key, mode), adapter in adapters.items()
        ]
        self._schemas, rest = TypeAdapter.json_schemas(
            inputs, ref_template=REF + "{model}", schema_generator=_PlainNames
        )
        self.components: Json = rest.get("$defs", {})
        queries = {_key(route.query) for route in table if route.query is not None}
        self._queries = {key: self._take(key) for key in queries}
        for change in (route.body for route in table if route.method == "PATCH" and route.body is not None):
            self._leave_defaults_out(change)

    def _leave_defaults_out(self, change: type[BaseModel]) -> None:
        """A change has no defaults: what it leaves out stays as it is (RFC 7396), and a client may not fill it in."""
        name = str(self.of(change, "validation")["$ref"]).removeprefix(REF)
        for field in self.components[name]["properties"].values():
            field.pop("default", None)

    def _take(self, key: str) -> Json:
        """A query's schema leaves the components: its fields become parameters."""
        schema = self._schemas[key, "validation"]
        return self.components.pop(str(schema["$ref"]).removeprefix(REF)) if "$ref" in schema else schema

    def of(self, model: Any, mode: Mode) -> Json:
        """The schema of a body or an answer, as a reference where it is a component."""
        return self._schemas[_key(model), mode]

    def parameters(self, model: type[BaseModel]) -> list[Json]:
        """The query parameters that the fields of ``model`` are."""
        schema = self._queries[_key(model)]
        required_names = schema.get("required", [])
        return [
            _query_parameter(name, field, name in required_names)
            for name, field in schema.get("properties", {}).items()
        ]


def _key(model: Any) -> str:
    return f"{getattr(model, '__module__', '')}.{getattr(model, '__qualname__', '')}.{model!r}"


def _query_parameter(name: str, schema: Mapping[str, Any], required: bool) -> Json:
    rest = {key: value for key, value in schema.items() if key != "description"}
    description = {"description": schema["description"]} if "description" in schema else {}
    return {
        "name": name,
        "in": "query",
        "required": required,
        **description,
        "schema": _without_nul(_without_null(rest)),
    }


def _without_nul(schema: Json) -> Json:
    """An address holds no NUL, so that free text in it cannot either."""
    is_free = schema.get("type") == "string" and not {"enum", "format", "pattern"} & schema.keys()
    return {**schema, "pattern": NO_NUL} if is_free else schema


def _without_null(schema: Json) -> Json:
    """A parameter that is not given is absent, never null."""
    if schema.get("default", 0) is None:
        del schema["default"]
    branches = [branch for branch in schema.pop("anyOf", []) if branch != {"type": "null"}]
    return {**schema, **branches[0]} if len(branches) == 1 else {**schema, **({"anyOf": branches} if branches else {})}
