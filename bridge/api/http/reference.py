"""The API reference as a page for people: HTML made of the OpenAPI and AsyncAPI documents, without a script.

Headings, lists and tables only, so that a keyboard, a screen reader and the browser's own search are all it takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

import orjson

from bridge.api.http.curl import curl_line, curl_note
from bridge.api.http.openapi import for_users
from bridge.api.http.schemas import NO_NUL, REF

Json = Mapping[str, Any]

_CODE: Final = re.compile(r"`+([^`]+)`+")
_PAGE: Final = """<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" type="image/svg+xml" href="{up}ops/icon.svg">
<link rel="stylesheet" href="{up}ops/base.css">
<link rel="stylesheet" href="{up}docs/docs.css">
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
{body}
</body>
</html>
"""
_FACTS: Final = (
    "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "minItems", "maxItems", "contentMediaType",
)  # fmt: skip


def page(title: str, body: str, up: str = "") -> str:
    """A whole page; ``body`` is HTML with a ``main``, ``up`` the way to the service's root."""
    return _PAGE.format(title=escape(title), body=body, up=up)


def reference(document: Json, messages: Json) -> str:
    """The page that tells what is in an OpenAPI 3.1 and in an AsyncAPI 3.0 document of this service."""
    groups = {tag["name"]: (tag, _operations(document, tag["name"])) for tag in document["tags"]}
    info, models = document["info"], document["components"]["schemas"]
    start = (
        f"<header><h1>{escape(info['title'])} <span>API {escape(info['version'])}</span></h1></header>"
        f'<div class="sides"><nav aria-label="Contents">{_contents(groups, messages, models)}</nav>'
        f'<main id="main" tabindex="-1">'
        f"<p>{prose(info['summary'])} The same as data: <a href='openapi.json'>OpenAPI 3.1</a>, and the messages over "
        "RabbitMQ as <a href='asyncapi.json'>AsyncAPI 3.0</a>.</p>"
        "<p>Send a token as <code>Authorization: Bearer …</code>; each operation names the roles that may call it.</p>"
        "<p>The lines for a shell work as they stand beside <code>make run</code>: set <code>API</code> to the address "
        "that it prints, and <code>TOKEN</code> to the token of the role; as a member, that of <code>m-1001</code>. "
        "Others, such as <code>ENTRY_ID</code>, are the <code>id</code> in an answer to a line before.</p>"
    )
    sections = "".join(_group(tag, operations, document) for tag, operations in groups.values())
    shapes = "".join(_model(name, models[name]) for name in sorted(models))
    models_section = f'<section><h2 id="models">Models</h2>{shapes}</section>'
    return page(f"{info['title']} API", f"{start}{sections}{_messages(messages)}{models_section}</main></div>")


def _operations(document: Json, tag: str) -> list[tuple[str, str, Json]]:
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if tag in operation["tags"]
    ]


def _contents(groups: Mapping[str, tuple[Json, Sequence[tuple[str, str, Json]]]], messages: Json, models: Json) -> str:
    def link(name: str, text: str) -> str:
        return f'<li><a href="#{escape(name)}">{escape(text)}</a></li>'

    def fold(name: str, links: Iterable[str]) -> str:
        return f"<details><summary>{escape(name)}</summary><ul>{''.join(links)}</ul></details>"

    folds = [
        fold(name, [link(o["operationId"], o["summary"]) for *_, o in operations])
        for name, (_, operations) in groups.items()
    ]
    names = messages["components"]["messages"].items()
    folds.append(fold("Messages", [link(f"message-{name}", message["title"]) for name, message in names]))
    return "".join([*folds, fold("Models", [link(f"model-{name}", name) for name in sorted(models)])])


def _group(tag: Json, operations: Sequence[tuple[str, str, Json]], document: Json) -> str:
    articles = "".join(_operation(*operation, document) for operation in operations)
    return f"<section><h2>{escape(tag['name'])}</h2><p>{prose(tag.get('description', ''))}</p>{articles}</section>"


def _operation(method: str, path: str, operation: Json, document: Json) -> str:
    roles = [role for need in operation["security"] for role in need["bearer"]]
    roles_text = f"Roles: {', '.join(map(escape, roles))}." if roles else "Needs no token."
    line = curl_line(method, path, operation, document["components"]["schemas"])
    return (
        f'<article class="card"><h3 id="{operation["operationId"]}" tabindex="-1">{escape(operation["summary"])}</h3>'
        f'<p class="call"><b class="{method.lower()}">{method}</b> <code>{escape(path)}</code></p>'
        f"<p>{prose(operation.get('description', ''))} <span class='quiet'>{roles_text}</span></p>"
        f"{_parameters(operation, document)}{_body(operation)}{_responses(operation, document)}"
        f'<h4>In a shell</h4><pre class="curl">{escape(line)}</pre>'
        f"<p>{curl_note(path)}</p></article>"
    )


def _parameters(operation: Json, document: Json) -> str:
    rows = [_parameter(_resolved(parameter, document)) for parameter in operation["parameters"]]
    return _table("Parameters", ("Name", "Type", "What it is"), rows)


def _parameter(parameter: Json) -> Sequence[str]:
    name = _name(parameter["name"], required=parameter.get("required", False))
    where = f"{name} <span class=quiet>in the {escape(parameter['in'])}</span>"
    return where, _type(parameter["schema"]), prose(parameter.get("description", ""))


def _body(operation: Json) -> str:
    content: Json = operation.get("requestBody", {}).get("content", {})
    kinds = " or ".join(f"<code>{escape(kind)}</code>" for kind in content)
    shapes = {orjson.dumps(media): media for media in content.values()}.values()
    text = "".join(f"<p>{_type(media['schema'])}</p>{_example(media)}" for media in shapes)
    return f"<h4>Body</h4><p>{kinds}</p>{text}" if content else ""


def _example(media: Json) -> str:
    if "example" not in media:
        return ""
    return f'<p class="quiet">For example:</p>{_json(media["example"])}'


def _json(value: Any) -> str:
    return f"<pre>{escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())}</pre>"


def _responses(operation: Json, document: Json) -> str:
    responses = {status: _resolved(response, document) for status, response in operation["responses"].items()}
    rows = [
        (f"<code>{status}</code>", prose(response["description"]), " or ".join(_kinds(response.get("content", {}))))
        for status, response in sorted(responses.items())
    ]
    return _table("Answers", ("Status", "Meaning", "Content"), rows)


def _kinds(content: Json) -> Iterable[str]:
    for kind, media in content.items():
        is_json = kind.endswith("json")
        yield _type(media.get("schema", {})) if is_json else f"<code>{escape(kind)}</code>"


def _messages(document: Json) -> str:
    """What goes over RabbitMQ: where to send to and to take from, and each message."""
    operations = "".join(_channel(operation, document) for operation in document["operations"].values())
    articles = "".join(_message(name, message) for name, message in document["components"]["messages"].items())
    text = f"<p>{prose(document['info']['description'])}</p>"
    return f'<section><h2 id="messages">Messages</h2>{text}{operations}{_queues(document)}{articles}</section>'


def _channel(operation: Json, document: Json) -> str:
    channel = _resolved(operation["channel"], document)
    exchange = channel["bindings"]["amqp"]["exchange"]
    way = f"{exchange['type']} exchange <code>{escape(exchange['name'])}</code>"
    rows = [
        (f"<code>{escape(name)}</code>", ", ".join(map(_value, parameter["enum"])))
        for name, parameter in channel["parameters"].items()
    ]
    links = ", ".join(f'<a href="#message-{name}">{name}</a>' for name in channel["messages"])
    return (
        f'<article class="card"><h3>{escape(operation["title"])}</h3>'
        f'<p class="call"><b class="get">{operation["action"]}</b> <code>{escape(channel["address"])}</code> {way}</p>'
        f"<p>{prose(channel['description'])} {prose(operation['description'])}</p>"
        f"{_table('In the routing key', ('Name', 'One of'), rows)}<h4>Messages</h4><p>{links}</p></article>"
    )


def _queues(document: Json) -> str:
    channels = [channel for channel in document["channels"].values() if "x-arguments" in channel]
    rows = [
        (f"<code>{escape(channel['address'])}</code>", prose(channel["description"]), _value(channel["x-arguments"]))
        for channel in channels
    ]
    return f'<article class="card"><h3>Queues</h3>{_table("Ours", ("Name", "Bound to", "Arguments"), rows)}</article>'


def _message(name: str, message: Json) -> str:
    data = message["payload"].get("properties", {}).get("data", {})
    headers = _table("Headers", ("Name", "Type", "What it is"), _fields(message["headers"]))
    (example,) = message["examples"]
    return (
        f'<article class="card"><h3 id="message-{name}" tabindex="-1">{escape(message["title"])}</h3>'
        f"<p>{prose(message['summary'])} <code>{escape(message['contentType'])}</code></p>"
        f"{_table('Data', ('Name', 'Type'), [row[:2] for row in _fields(data)])}{headers}"
        f"<p class='quiet'>{prose(example.get('summary', 'For example:'))}</p>{_json(example['payload'])}</article>"
    )


def _model(name: str, schema: Json) -> str:
    fields = _table("Fields", ("Name", "Type", "What it is"), _fields(schema))
    text = f"<p>{prose(schema.get('description', ''))}</p>{fields}"
    return f'<article class="card"><h3 id="model-{escape(name)}" tabindex="-1">{escape(name)}</h3>{text}</article>'


def _fields(schema: Json) -> list[Sequence[str]]:
    required_names = schema.get("required", ())
    return [
        (_name(name, required=name in required_names), _type(part), prose(part.get("description", "")))
        for name, part in schema.get("properties", {}).items()
    ]


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    lines = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    return f"<h4>{title}</h4><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _name(name: str, *, required: bool) -> str:
    return f"<code>{escape(name)}</code>{' <span class=needed>needed</span>' if required else ''}"


def _type(schema: Json) -> str:
    """What a schema takes, in a line; a model is a link to it."""
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).removeprefix(REF))
        return f'<a href="#model-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"]) + _default(schema)
    if "enum" in schema or "const" in schema:
        return ", ".join(_value(value) for value in schema.get("enum", [schema.get("const")])) + _default(schema)
    facts = [f"{name} {_value(schema[name])}" for name in _FACTS if schema.get(name, NO_NUL) != NO_NUL]
    return _kind(schema) + (f" <span class=quiet>({', '.join(facts)})</span>" if facts else "") + _default(schema)


def _kind(schema: Json) -> str:
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        return f"object of {_type(values)}"  # pyright: ignore[reportUnknownArgumentType] - of JSON
    if "properties" in schema:
        fields = [f"{_name(name, required=False)}: {_type(part)}" for name, part in schema["properties"].items()]
        return f"object of {', '.join(fields)}"
    kinds = schema.get("type", "anything")
    return escape(kinds if isinstance(kinds, str) else " or ".join(kinds))


def _default(schema: Json) -> str:
    return f", else {_value(schema['default'])}" if schema.get("default") not in (None, "") else ""


def _value(value: object) -> str:
    return f"<code>{escape(value if isinstance(value, str) else orjson.dumps(value).decode())}</code>"


def _resolved(part: Json, document: Json) -> Json:
    target: Any = part
    if "$ref" in part:
        target = document
        for step in str(part["$ref"]).removeprefix("#/").split("/"):
            target = target[step]
    return target


def prose(text: str) -> str:
    """Prose whose code is in backticks."""
    return _CODE.sub(r"<code>\1</code>", escape(for_users(text)))
