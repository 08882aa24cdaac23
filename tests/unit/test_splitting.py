"""JSON text taken apart byte for byte, and each part judged by itself."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.statements.bodies import Unkeepable, decoded, lenient
from bridge.domain.statements.dispositions import BodyTooLarge, UnreadableBody
from bridge.domain.statements.json_parts import elements, members
from bridge.domain.statements.results import statement_result
from tests.support.statements import completed

PLACE = "/result/extensions/https:~1~1e.org~1x"
TOO_DEEP = b"[" * 300 + b"]" * 300


def holding(part: bytes) -> bytes:
    """A statement, valid else, whose extension is this text."""
    raw = orjson.dumps(completed(result={"extensions": {"https://e.org/x": "here"}}))
    return raw.replace(b'"here"', part)


JSON_ALL_THE_SAME = {
    "half an emoji": rb'"cut off \ud83d"',
    "the other half": rb'"\ude00 x"',
    "half an emoji in a name": rb'{"\ud83d": 1}',
    "half an emoji deep inside": b"[" * 30 + rb'"\ud83d"' + b"]" * 30,
    "a number beyond a float": b"1e400",
    "a negative one": b"-1.5E+999",
    "a number of 5000 digits": b"9" * 5000,
    "a number deep inside": b'{"Sam Smith": [1e999]}',
    "deep nesting": TOO_DEEP,
    "deeper than the reader": b'{"a":' * 1100 + b"1" + b"}" * 1100,
    "very deep nesting": b"[" * 100_000 + b"]" * 100_000,
}
NO_JSON = {
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "a newline in a text": b'"a\nb"',
    "no UTF-8": b'"caf\xe9"',
    "half an emoji in bytes": b'"\xed\xa0\xbd"',
    "a comma too many": b"[1,]",
    "no value": b"",
    "a word": b"None",
    "a bad escape": rb'"\x41"',
    "a leading zero": b"007",
}
UNUSUAL_JSON = {
    "a name twice": b'{"a": 1, "a": "]}"}',
    "a large whole number": b"123456789012345678901234567890",
    "a tiny number": b"1e-400",
    "brackets and quotes in texts": rb'"]},{[\"\\"',
    "a whole emoji": rb'"\ud83d\ude00"',
    "nothing": rb'"\u0000"',
    "some depth": b"[" * 200 + b"]" * 200,
}


@pytest.mark.parametrize("part", [*JSON_ALL_THE_SAME.values(), *NO_JSON.values(), *UNUSUAL_JSON.values()])
def test_whatever_an_element_holds_it_is_told_from_its_neighbours(part: bytes) -> None:
    """Each element comes byte for byte, wherever it stands."""
    odd, plain = holding(part), orjson.dumps(completed())
    for around in ([odd, plain, plain], [plain, odd, plain], [plain, plain, odd], [odd], [odd, odd]):
        assert elements(b" [ " + b" ,\r\n".join(around) + b" ]\n") == around
    page = b'{"more": "", "statements": [' + plain + b", " + odd + b"]}"
    assert statement_result(page, None).statements == [plain, odd]


@pytest.mark.parametrize("case", JSON_ALL_THE_SAME)
def test_what_is_json_and_cannot_be_kept_says_where(case: str) -> None:
    """The pointer leads to the part, and no further than names that tell of nobody."""
    with pytest.raises(Unkeepable) as refusal:
        decoded(holding(JSON_ALL_THE_SAME[case]))
    assert refusal.value.pointer.startswith(PLACE)
    assert "Sam" not in str(refusal.value)


@pytest.mark.parametrize("case", [name for name in NO_JSON if name != "no value"])
def test_what_is_no_json_says_where_reading_failed(case: str) -> None:
    """It is not taken for JSON that cannot be kept."""
    with pytest.raises(UnreadableBody, match=f"{PLACE}.* JSON was expected; reading failed at character"):
        decoded(holding(NO_JSON[case]))


@pytest.mark.parametrize("case", UNUSUAL_JSON)
def test_unusual_json_is_taken(case: str) -> None:
    """What can be read and kept is read."""
    raw = holding(UNUSUAL_JSON[case])
    assert decoded(raw) == orjson.loads(raw)


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"[", b"[1", b"[1,]", b"[,1]", b"[1,,2]", b"[1]]", b"[1] x", b"[1}", b'["a]', b'[{"a": [1}]', b"{}"],
)
def test_what_cannot_be_taken_apart_is_unreadable(body: bytes) -> None:
    """There is no telling where a part ends."""
    with pytest.raises(UnreadableBody):
        elements(body)


def test_what_is_too_much_is_said() -> None:
    """501 are too many, 500 are not."""
    assert len(elements(orjson.dumps([1] * 500))) == 500
    with pytest.raises(BodyTooLarge):
        elements(orjson.dumps([1] * 501))


@pytest.mark.parametrize("unit", ['["a],', "[[]],", '{"a":', '{"a":["', '[x"', '"a[":{},', '[""],', '["\\\\', "[", "]"])
def test_hostile_input_is_taken_apart_in_linear_time(unit: str) -> None:
    """A megabyte takes a few seconds at most on a slow machine."""
    started = time.process_time()
    with suppress(UnreadableBody):
        elements(b"[" + unit.encode() * (2**20 // len(unit)), limit=None)
    assert time.process_time() - started < 5


def test_a_part_that_would_fill_the_memory_costs_the_others_nothing() -> None:
    """It is split off without being read: by brackets, of which commas and numbers have none."""
    wide = b"[%s]" % b",".join([b"0.5"] * 1_000_000)
    assert elements(b'["good", %s, {"a": "]"}]' % wide) == [b'"good"', wide, b'{"a": "]"}']


def test_a_statement_that_would_fill_the_memory_ends_no_page() -> None:
    """It is for whoever takes it to refuse, whatever of it is large."""
    many = b"[%s]" % b",".join([b"[]"] * 700_000)
    plain, stored = orjson.dumps(completed()), b'{"stored": "2026-05-04T10:00:00Z"}'
    heavy_ones = [b'{"stored": %s}' % many, b'{"result": %s}' % many]
    result = statement_result(b'{"more": "", "statements": [%s]}' % b", ".join([plain, stored, *heavy_ones]), None)
    assert result.statements == [plain, stored, *heavy_ones]
    assert result.last_stored == "2026-05-04T10:00:00Z"


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@given(listed=st.lists(values, max_size=5), indent=st.sampled_from([None, 1, "\t"]), ascii_only=st.booleans())
def test_the_parts_are_the_elements(listed: list[Any], indent: int | str | None, *, ascii_only: bool) -> None:
    """Of any array and any object, however it is written, as Python's own reader has them."""
    text = json.dumps(listed, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert [json.loads(part) for part in elements(text)] == listed
    values_by_name = {str(number): value for number, value in enumerate(listed)}
    text = json.dumps(values_by_name, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert {name: json.loads(part) for name, part in members(text).items()} == values_by_name


def test_what_is_shown_of_a_body_has_gaps() -> None:
    """A dead letter is shown, and found by whom it is about, though it could not be taken."""
    values = lenient(holding(rb'["half \ud83d", NaN, 1e400, 12345678901234567890123, 5]'))
    assert isinstance(values, dict)
    assert values["result"]["extensions"]["https://e.org/x"] == ["half ?", None, None, 1.2345678901234568e22, 5]
