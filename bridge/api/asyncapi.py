"""The AsyncAPI 3.0 document: every message over RabbitMQ, made of the topology, the schemas and the examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final

import orjson
from aiohttp import web

from bridge.api.asyncapi_schemas import SCHEMA_REF, event_schema, schemas
from bridge.api.http.auth import PUBLIC
from bridge.api.http.context import Call
from bridge.api.http.routing import Routes
from bridge.api.pages import PageFile
from bridge.broker.dead_letters import outgoing_dead_letter
from bridge.broker.publisher import PUBLISHED_AT
from bridge.broker.topology import MEMBER_KEYS, BoundQueue, Topology, routing_key
from bridge.domain.events import EVENT_MEDIA_TYPE, EVENT_TYPES, EventType, cloud_event, event
from bridge.domain.operations import DeadLetter, Origin
from bridge.domain.statements import DEAD_LETTER_REASONS, MOST_STATEMENTS, Reason
from bridge.tracing import HEADER
from schemas.messages import EXAMPLES

Json = dict[str, Any]

BINDING: Final = "0.3.0"
"""Version of the AMQP bindings (AsyncAPI bindings, amqp)."""

JSON: Final = "application/json"
AT: Final = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
"""When the examples happened."""

CORRELATION_ID: Final = "3f2b8c1e9a7d4e65b0c1d2e3f4a5b6c7"

_TRACE: Final[Json] = {
    HEADER: {"type": "string", "description": "The trace that the message belongs to (W3C Trace Context)."},
    PUBLISHED_AT: {"type": "integer", "description": "When it was published, in milliseconds since 1970."},
}
_DEAD: Final[Json] = {
    "x-reason": {"type": "string", "enum": sorted(DEAD_LETTER_REASONS), "description": "Why; also the routing key."},
    "x-detail": {"type": "string", "description": "What was expected and where; never quotes the message."},
    "x-original-exchange": {"type": "string", "description": "Where it came from; a replay puts it back there."},
    "x-original-routing-key": {"type": "string", "description": "The key it came with."},
    "x-correlation-id": {"type": "string", "description": "The `correlation_id` it came with, or one made of it."},
    "x-failed-at": {"type": "string", "format": "date-time", "description": "When, in UTC."},
    "x-attempts": {"type": "integer", "minimum": 1, "description": "How often it was tried."},
}


routes = Routes("Service")

MESSAGES: Final = web.AppKey[Callable[[], PageFile]]("messages")
"""Makes the document when it is first asked for, and keeps it."""


@routes.get("/asyncapi.json", roles=PUBLIC, gives={"application/json": {"type": "object"}})
async def asyncapi_json(call: Call) -> web.Response:
    """The messages as AsyncAPI."""
    return call.service(MESSAGES)().answer(call)


def document(topology: Topology) -> bytes:
    """Return the document as a file: indented JSON, so that a change shows as lines in a review."""
    return orjson.dumps(describe(topology), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def describe(topology: Topology) -> Json:
    """Return the AsyncAPI 3.0 document as JSON data."""
    messages = _messages()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "CPD bridge: messages",
            "version": version("cpd-bridge"),
            "description": "What goes over RabbitMQ: completions and members in, events and dead letters out.",
        },
        "defaultContentType": JSON,
        "servers": {
            "rabbitmq": {
                "host": "{host}",
                "protocol": "amqp",
                "protocolVersion": "0-9-1",
                "description": "RabbitMQ 3.10 to 4, as BRIDGE_AMQP_URL names it.",
                "variables": {"host": {"default": "127.0.0.1:5672", "description": "Host and port."}},
            }
        },
        "channels": _channels(topology),
        "operations": _operations(topology),
        "components": {"messages": messages, "schemas": schemas()},
    }


_MESSAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "statements": ("statement", "voiding", "statements"),
    "membership": MEMBER_KEYS,
    "events": tuple(kind.name for kind in EVENT_TYPES),
    "deadLetters": ("deadLetter",),
}
"""Channel → the messages that go over it."""


def _channels(topology: Topology) -> Json:
    names = {
        topology.statements: "statements",
        topology.membership: "membership",
        topology.events: "events",
        topology.dead_letters: "deadLetters",
    }
    kinds = {names[name]: (name, kind.value) for name, kind in topology.exchanges}
    verbs = [key.partition(".")[2] for key in topology.statement_keys]
    changes = [key.partition(".")[2] for key in MEMBER_KEYS]
    exchanges = {
        "statements": _exchange(
            *kinds["statements"], "xAPI statements, from the Learning centre.", "statement.{verb}", {"verb": verbs}
        ),
        "membership": _exchange(
            *kinds["membership"], "Members, from the membership system.", "member.{change}", {"change": changes}
        ),
        "events": _exchange(
            *kinds["events"],
            "Our events: CloudEvents 1.0, at least once, in order for each member. Bind a queue of your own to it.",
            "{type}",
            {"type": _MESSAGES["events"]},
        ),
        "deadLetters": _exchange(
            *kinds["deadLetters"],
            "Messages that a person should look at.",
            "{reason}",
            {"reason": sorted(DEAD_LETTER_REASONS)},
        ),
    }
    return {
        **{name: {**channel, "messages": _refs(_MESSAGES[name])} for name, channel in exchanges.items()},
        **{f"{names[queue.exchange]}Queue": _queue(queue, names[queue.exchange]) for queue in topology.queues},
    }


def _exchange(name: str, kind: str, description: str, address: str, parameters: Mapping[str, Sequence[str]]) -> Json:
    """Return an exchange as a channel; the address is its routing key."""
    exchange = {"name": name, "type": kind, "durable": True, "autoDelete": False, "vhost": "/"}
    return {
        "address": address,
        "title": f"Exchange {name}",
        "description": description,
        "parameters": {key: {"enum": list(values)} for key, values in parameters.items()},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDING}},
    }


def _queue(queue: BoundQueue, channel: str) -> Json:
    """Return a queue as a channel of its own, with the messages of the exchange that it is bound to."""
    facts = {"name": queue.name, "durable": True, "exclusive": False, "autoDelete": False, "vhost": "/"}
    return {
        "address": queue.name,
        "title": f"Queue {queue.name}",
        "description": f"Bound to {queue.exchange} by {', '.join(queue.keys)}.",
        "messages": _refs(_MESSAGES[channel]),
        "bindings": {"amqp": {"is": "queue", "queue": facts, "bindingVersion": BINDING}},
        "x-arguments": queue.arguments,
    }


def _refs(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _operations(topology: Topology) -> Json:
    return {
        "takeStatements": _operation(
            "receive",
            "statements",
            "Take completions",
            f"Through the queue {topology.completions}. Each statement gets exactly one disposition; a message is "
            "acknowledged when those of all its statements are on disk. Publish persistent messages with the mandatory "
            "flag, and wait for the confirm.",
        ),
        "takeMembers": _operation(
            "receive",
            "membership",
            "Take members",
            f"Through the queue {topology.members}. A revision that is not newer than the last changes nothing.",
        ),
        "sendEvents": _operation("send", "events", "Tell what happened", "Ids, states and dates only, never text."),
        "sendDeadLetters": _operation(
            "send",
            "deadLetters",
            "Put aside what cannot be taken",
            f"The body stays byte for byte. It waits in the queue {topology.dead_queue}, until somebody sends it again "
            "or discards it.",
        ),
        "publishStatements": _operation(
            "send",
            "statements",
            "Publish what came over HTTP",
            "A statement that the LRS at `/xapi/` accepted goes to the same exchange as the Learning centre's own.",
        ),
    }


def _operation(action: str, channel: str, title: str, description: str) -> Json:
    binding = {"ack": True} if action == "receive" else {"deliveryMode": 2, "mandatory": channel != "events"}
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "title": title,
        "description": description,
        "bindings": {"amqp": {**binding, "bindingVersion": BINDING}},
    }


def _messages() -> Json:
    completed, voided = EXAMPLES["statement.completed"], EXAMPLES["statement.voided"]
    return {
        "statement": _message(
            "A statement", "One xAPI statement of version 1.0.3 or 2.0.", _ref("Statement"), completed,
            routing_key("completed"),
        ),
        "voiding": _message(
            "A voiding", "A statement that takes another back.", _ref("Statement"), voided,
            routing_key("voided"),
        ),
        "statements": _message(
            "Several statements",
            f"An array of up to {MOST_STATEMENTS} statements, each settled by itself. `content_encoding` may be "
            "`gzip`, `deflate` or `zstd`.",
            {"type": "array", "items": _ref("Statement"), "maxItems": MOST_STATEMENTS},
            [completed, voided],
            routing_key("completed"),
        ),
        "member.upserted": _message(
            "A member",
            "The whole member, as `PUT /v1/members/{member_id}` takes it, with id and a revision that grows.",
            _ref("MemberUpserted"),
            EXAMPLES["member.upserted"],
            "member.upserted",
        ),
        "member.left": _message(
            "A member left",
            "The record stays for as long as the retention settings say.",
            _ref("MemberLeft"),
            EXAMPLES["member.left"],
            "member.left",
        ),
        **{kind.name: _event(kind) for kind in EVENT_TYPES},
        "deadLetter": _dead_letter(),
    }  # fmt: skip


def _message(title: str, summary: str, payload: Json, example: Any, key: str) -> Json:
    """Return a message that others send, its example with the routing key."""
    return {
        "title": title,
        "summary": summary,
        "contentType": JSON,
        "headers": {"type": "object", "properties": _TRACE},
        "payload": payload,
        "bindings": {"amqp": {"messageType": key, "bindingVersion": BINDING}},
        "examples": [{"name": key, "summary": f"Send it with the routing key `{key}`.", "payload": example}],
    }


def _ref(name: str) -> Json:
    return {"$ref": f"{SCHEMA_REF}{name}"}


def _event(kind: EventType[Any]) -> Json:
    row = event(kind, "1", "m-1001", (1, 1), AT, kind.example)
    return {
        "title": kind.name,
        "summary": kind.summary,
        "contentType": EVENT_MEDIA_TYPE,
        "headers": {"type": "object", "properties": _TRACE},
        "payload": event_schema(kind),
        "bindings": {"amqp": {"messageType": kind.name, "bindingVersion": BINDING}},
        "examples": [{"name": "example", "payload": cloud_event(row, "urn:cpd-bridge")}],
    }


def _dead_letter() -> Json:
    origin = Origin("xapi.statements", "statement.completed", CORRELATION_ID, JSON)
    detail = "/verb/id: an absolute IRI with a scheme, such as https://example.org/course/1"
    letter = DeadLetter(b"", Reason.INVALID_STATEMENT, detail, origin, AT)
    headers = outgoing_dead_letter(letter, Topology("", ())).headers
    bad_statement = {**EXAMPLES["statement.completed"], "verb": {"id": "completed"}}
    return {
        "title": "A dead letter",
        "summary": "The message or the one statement of it that was refused, with the cause in its headers.",
        "contentType": JSON,
        "headers": {"type": "object", "required": list(_DEAD), "properties": {**_DEAD, **_TRACE}},
        "payload": {"description": "As it came: any bytes, most often a statement."},
        "examples": [{"name": "example", "headers": headers, "payload": bad_statement}],
    }
