"""Lists: ``limit``, ``cursor`` and ``sort`` in, ``items``, ``next`` and ``total`` out.

A cursor says which row was last, by its sort values and id, and which query it belongs to. The client keeps it unread;
one that is forged brings no operator and no other type into the store's query.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypedDict, TypeVar, cast

import orjson
from pydantic import BaseModel, Field

from bridge.api.http.inputs import InputModel
from bridge.errors import FieldError, ValidationFailed
from bridge.store import Listing
from bridge.texts import Text

T = TypeVar("T")
R = TypeVar("R", bound=Mapping[str, Any])

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
Scalar = str | bool
"""What a cursor holds; dates, times and numbers go in as text that sorts as they do."""

_NOT_FILTERS = {"limit", "cursor"}

Sort = Annotated[str, Field(max_length=200, pattern=r"^[a-z_, -]*$")]
"""The order of a list, as a query names it."""


class PageQuery(InputModel):
    """The query of any list; add filters in a subclass, so that a cursor is bound to them."""

    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Rows a page.")
    cursor: str | None = Field(
        default=None,
        max_length=4096,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="`next` of the page before, with the same query.",
    )
    sort: Sort = Field(default="", description="Fields, best first, `-` for descending: `-date,title`.")


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(description="The cursor of the page after, or null when this is the last.")
    total: int = Field(ge=0, description="Rows on all pages.")


def parse_sort(text: str, sortable: Collection[str]) -> list[tuple[str, bool]]:
    """``-date,title`` as ``[("date", True), ("title", False)]`` (field, descending); no text gives an empty list.

    Raises ``ValidationFailed`` for a field not in ``sortable`` or named twice.
    """
    parts = [part.strip() for part in text.split(",")] if text else []
    fields = [(part.removeprefix("-"), part.startswith("-")) for part in parts]
    names = [name for name, _ in fields]
    if names and not sortable:
        raise _fault("sort", Text("Sort"), Text("This list has one order: leave sort out."))
    if not set(names) <= set(sortable) or len(set(names)) < len(names):
        message = Text("Sort by any of {fields}, each once; put - before one for descending.")
        raise _fault("sort", Text("Sort"), message.filled(fields=", ".join(sorted(sortable))))
    return fields


def encode_cursor(values: Sequence[Scalar], scope: str, query: PageQuery) -> str:
    """The cursor after the row with these sort ``values`` (its id last), for this query within ``scope``.

    ``scope`` names the list and whose it is, for example ``log:<member id>``.
    """
    payload = orjson.dumps([_fingerprint(scope, query), *values], option=orjson.OPT_PASSTHROUGH_DATETIME)
    return base64.urlsafe_b64encode(payload).rstrip(b"=").decode("ascii")


class PageBody(TypedDict):
    """A page before ``Page`` has shaped it."""

    items: Sequence[Any]
    next: str | None
    total: int


def paged(page: Listing[R], scope: str, query: PageQuery, show: Callable[[R], Any] | None = None) -> PageBody:
    """Return a page of the store as ``Page`` has it, each row as ``show`` says."""
    following = encode_cursor(page.next, scope, query) if page.next else None
    return {"items": [show(row) if show else row for row in page.items], "next": following, "total": page.total}


def ordered(scope: str, query: PageQuery, sortable: Collection[str]) -> tuple[list[tuple[str, bool]], list[Any] | None]:
    """The order of a list, as ``parse_sort`` gives it, and the last row's values in it, as ``decode_cursor`` does.

    A cursor holds for each sort field whether it is empty, and its key; then the id.
    """
    sort = parse_sort(query.sort or type(query).model_fields["sort"].default, sortable)
    return sort, decode_cursor(scope, query, (*(bool, str) * len(sort), str))


def position(scope: str, query: PageQuery, shape: Sequence[type] = (bool, str, str)) -> list[Any] | None:
    """The last row's values in a list that has one order; raises ``ValidationFailed`` for a sort, or a cursor."""
    parse_sort(query.sort, ())
    return decode_cursor(scope, query, shape)


def decode_cursor(scope: str, query: PageQuery, shape: Sequence[type]) -> list[Any] | None:
    """The last row's values, which are of the types of ``shape``, or ``None`` on the first page.

    A ``datetime`` comes as ISO 8601 text and is returned in UTC.
    Raises ``ValidationFailed`` for a cursor that is not ours or belongs to another query.
    """
    if query.cursor is None:
        return None
    fingerprint, *values = _unpacked(query.cursor) or [None]
    if fingerprint == _fingerprint(scope, query):
        with suppress(TypeError, ValueError, OverflowError):
            return [_typed(value, kind) for value, kind in zip(values, shape, strict=True)]
    message = Text("This cursor is not from this list with this query: start without a cursor.")
    raise _fault("cursor", Text("Cursor"), message)


def _typed(value: Any, kind: type) -> Any:
    if kind is datetime:
        return datetime.fromisoformat(value).astimezone(UTC)
    if type(value) is not kind:
        raise TypeError
    return value


def _unpacked(cursor: str) -> list[object]:
    try:
        padded_bytes = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        values = orjson.loads(base64.b64decode(padded_bytes, altchars=b"-_", validate=True))
    except ValueError:  # not ASCII, not base64url, or not JSON
        return []
    return cast("list[object]", values) if isinstance(values, list) else []


def _fingerprint(scope: str, query: PageQuery) -> str:
    filters = query.model_dump_json(exclude=_NOT_FILTERS)
    return hashlib.sha256(f"{scope}\n{filters}".encode()).hexdigest()[:16]


def _fault(name: str, label: Text, message: Text) -> ValidationFailed:
    return ValidationFailed(message, field_errors=[FieldError(f"?{name}", label, message)])
