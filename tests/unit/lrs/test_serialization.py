"""How a statement's text is kept, extended and shown; times, languages, clauses."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bridge.domain.lrs import serialization
from bridge.domain.lrs.spec_refs import cite_data
from bridge.errors import Malformed
from bridge.lrs.documents import read_precondition
from bridge.texts import accepted

AUTHORITY = {"mbox": "mailto:lrs@example.org"}
RAW = b' {"actor":{"mbox":"mailto:ada@example.org"},"verb":{"id":"v:1"},"object":{"id":"t:1"}} \n'


def test_a_text_is_extended_without_touching_it() -> None:
    """The id goes in front when there is none, what the LRS assigns to the end; nothing between moves."""
    statement = orjson.loads(RAW)
    stored_raw = serialization.with_id(RAW, statement, "one")
    assigned_fields = serialization.assigned_properties(statement, 0, AUTHORITY, "1.0.0")
    output = serialization.exact_text(stored_raw, assigned_fields, reshape=False, reader="1.0.3")
    assert RAW.strip()[1:-1] in output
    assert orjson.loads(output) == {
        "id": "one",
        **statement,
        "stored": "1970-01-01T00:00:00.000000Z",
        "authority": AUTHORITY,
        "version": "1.0.0",
    }


@pytest.mark.parametrize(
    "statement_fields", [{}, {"stored": "2001-01-01T00:00:00Z"}, {"authority": {"mbox": "mailto:x@y.z"}}]
)
def test_what_is_published_has_no_time_of_ours(statement_fields: dict[str, object]) -> None:
    """On the exchange a statement has our ``stored`` and ``authority``, and no timestamp that it was not sent with."""
    statement = {**orjson.loads(RAW), **statement_fields}
    assigned_fields = serialization.assigned_properties(statement, 0, AUTHORITY, "1.0.0")
    message = orjson.loads(serialization.message_text(orjson.dumps(statement), statement, assigned_fields))
    assert (message["stored"], message["authority"]) == ("1970-01-01T00:00:00.000000Z", AUTHORITY)
    assert "timestamp" not in message


@given(st.integers(min_value=0, max_value=253_402_300_799_999_999))
def test_microseconds_come_back(at: int) -> None:
    """Every microsecond until the end of 9999 is written and read without loss."""
    assert serialization.parse_time(serialization.format_time(at)) == at


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_times_out_of_the_calendar(text: str) -> None:
    """A valid timestamp that UTC has no year for is a ``ValueError``."""
    with pytest.raises(ValueError, match="between the years"):
        serialization.parse_time(text)


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("fr, en;q=0.5", ("fr", "en")),
        ("en;q=0.1,de;q=0.9,*;q=0.5", ("de", "en")),
        ("en;q=0", ()),
        ("", ()),
        (";;,e n", ()),
    ],
)
def test_accepted_languages(header: str, tags: tuple[str, ...]) -> None:
    """Accept-Language is read by weight; what cannot be read, or is not wanted, is left out (RFC 9110 §12.5.4)."""
    assert accepted(header) == tags


def test_entity_tags() -> None:
    """Strong, weak and bare tags, lists and the asterisk are read (RFC 9110 §13.1)."""
    condition = read_precondition(CIMultiDict({"If-Match": '"a", W/"b"', "If-None-Match": "*"}))
    assert (condition.match, condition.none_match) == (['"a"', 'W/"b"'], ("*",))
    assert read_precondition(CIMultiDict([("If-Match", '"a"'), ("If-Match", '"*"')])).match == ['"a"', '"*"']
    assert read_precondition(CIMultiDict({"If-Match": "abc123"})).match == ['"abc123"']
    assert not read_precondition(CIMultiDict[str]()).exists
    for wrong in ("", '"a', '"a" "b"', 'a "b"', '*, "a"'):
        with pytest.raises(Malformed):
            read_precondition(CIMultiDict({"If-Match": wrong}))


@pytest.mark.parametrize(
    ("pointer", "old", "new"),
    [
        ("/actor/mbox", "xAPI-Data §2.4.2", "IEEE 9274.1.1 §4.2.2.1"),
        ("", "xAPI-Data §2.2", "IEEE 9274.1.1 §4.2.1"),
        ("/nobody", "xAPI-Data §2.2", "IEEE 9274.1.1 §4.2.1"),
    ],
)
def test_clauses(pointer: str, old: str, new: str) -> None:
    """A fault's place leads to its clause in the version that was spoken."""
    assert (cite_data(pointer, "1.0.3"), cite_data(pointer, "2.0.0")) == (old, new)
