"""The member feed takes what its schema takes, and an identifier is what a statement may name its actor by."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from bridge.domain.members.mailboxes import SCHEMA, normal_form
from consumers.members import BODIES, RejectedMessage, checked
from schemas.messages import MEMBER
from schemas.xapi import is_valid
from tests.support.statements import completed, member

HOME = "https://learn.example.org"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ADDRESSES = st.sampled_from(
    [
        *(
            "a@example.org",
            "A.b@Example.ORG",
            "a,b@example.org",
            "a..b@example.org",
            "a@example.org?x=1",
            "a@b\n",
            "a@",
        ),
        *("evil>b@c.d", "é@bücher.example", '"a b"@c.d', "a(x)@c.d", "a@[127.0.0.1]", "a@b@c.d", "a@-b.d", "a@b"),
    ]
) | st.builds("{}@{}".format, st.text("aB.+_'-, <>\"(\\", max_size=4), st.text("aB.-_1[", max_size=5))
IRIS = st.sampled_from(
    [
        *(HOME, "HTTPS://id.example.org/a", "http:learn", f"{HOME}/%zz", f"{HOME}/é", "xri://=example", "urn:x", "x"),
        *(f"{HOME}/\n", "https://", f"{HOME}/#a#b", "a b:c", ""),
    ]
)
HASHES = st.sampled_from(["0aF" * 13 + "0", "0" * 39, "g" * 40, "0" * 40 + "\n"])
ACCOUNTS: st.SearchStrategy[Any] = st.fixed_dictionaries({"homePage": IRIS, "name": TEXTS}) | st.sampled_from(
    [{"homePage": HOME}, {"homePage": HOME, "name": "x", "more": 1}, {"homePage": HOME, "name": 1}, {}, [], None]
)
IDENTIFIERS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "mbox": st.builds("{}{}".format, st.sampled_from(["mailto:", "MAILTO:", ""]), ADDRESSES) | st.none(),
        "mbox_sha1sum": HASHES,
        "openid": IRIS | st.none(),
        "account": ACCOUNTS,
    },
).filter(lambda identifiers: len(identifiers) < 3)
DAYS: st.SearchStrategy[Any] = st.sampled_from(
    ["2026-04-01", "2028-02-29", "2026-02-29", "2026-04-01T00:00:00Z", "20260401", "", 1, None]
)
YEARS: st.SearchStrategy[Any] = st.sampled_from(
    [[{"start": "2026-04-01", "end": "2027-03-31"}], [], None, [{}], [{"start": "2026-04-01"}], {}]
)
LEAVE: st.SearchStrategy[Any] = st.sampled_from(
    [
        [{"from": "2026-09-01", "to": "2026-09-01"}],
        [],
        None,
        [{}],
        [{"from": "2026-04-01"}],
        {},
        [{"start": "2026-04-01"}],
    ]
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "member_id": st.sampled_from(["m-1", "m 1", "m-1\n", "-m", "", 1, None]),
    "revision": st.sampled_from([0, 7, 7.0, 7.5, -1, -1.0, "7", True, None, 2**53 - 1, 2**53, float(2**53), 1e300]),
    "name": st.sampled_from(["N", "", "n" * 500, "n" * 501, None, 1]),
    "email": ADDRESSES | st.none(),
    "language": st.sampled_from(["cy", "en-GB", "english", "cy\n", "", None]),
    "registered": st.sampled_from([True, False, 1, "true", None]),
    "registered_since": DAYS,
    "renewal_date": DAYS,
    "periods": YEARS,
    "leave": LEAVE,
    "identifiers": st.lists(IDENTIFIERS, max_size=2) | st.none(),
    "nickname": st.just("Sam"),
}
WHOLE = {"member_id": "m-1", "revision": 7, **member()}


def validator(schema: dict[str, Any]) -> Any:
    """A validator that checks formats too; the library leaves its types open."""
    return Draft202012Validator(schema, format_checker=FormatChecker())


CHECKS = {key: validator({**MEMBER, "anyOf": [{"$ref": f"#/$defs/{key}"}]}) for key in BODIES}


def taken(body: Any, key: str) -> bool:
    """Whether the feed takes a body."""
    try:
        checked(body, BODIES[key])
    except RejectedMessage:
        return False
    return True


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A good body with up to three fields otherwise, and perhaps one away."""
    names = draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=3, unique=True))
    body = {**WHOLE, **{name: draw(FIELDS[name]) for name in names}}
    missing_part = draw(st.sampled_from(["", "", *WHOLE]))
    return {name: value for name, value in body.items() if name != missing_part}


@given(bodies(), st.sampled_from(sorted(BODIES)))
@example({**WHOLE, "revision": 7.0}, "member.upserted")
@example({"member_id": "m-1", "revision": 7.0}, "member.left")
@example({**WHOLE, "periods": None}, "member.upserted")
@example({**WHOLE, "email": None, "language": None}, "member.upserted")
@example({**WHOLE, "identifiers": [{"mbox": None}]}, "member.upserted")
@example({**WHOLE, "identifiers": [{}]}, "member.upserted")
def test_the_feed_takes_what_its_schema_takes(body: dict[str, Any], key: str) -> None:
    """One truth: neither takes a body that the other refuses."""
    assert taken(body, key) is CHECKS[key].is_valid(body)


@given(IDENTIFIERS)
@example({"account": {"homePage": HOME, "name": ""}})
@example({"openid": "xri://=example"})
@example({"mbox": "mailto:a,b@example.org"})
@example({"account": {"homePage": HOME, "name": "n" * 3000}})
def test_an_identifier_is_what_a_statement_may_name_its_actor_by(identifier: dict[str, Any]) -> None:
    """One definition for the membership system and for statements (xAPI-Data 2.4.2)."""
    assert taken({**WHOLE, "identifiers": [identifier]}, "member.upserted") is is_valid(completed(actor=identifier))


@given(ADDRESSES | st.emails() | st.from_regex(re.compile(r"[a-z.]{1,70}@[a-z.-]{1,70}", re.ASCII), fullmatch=True))
def test_an_address_is_read_as_its_schema_says(address: str) -> None:
    """Of any ASCII address but Punycode; and its normal form is one, and stays as it is."""
    assume(not re.search(r"[@.]..--", address))
    try:
        normal = normal_form(address)
    except ValueError:
        assert not address.isascii() or not validator(SCHEMA).is_valid(address)
    else:
        assert validator(SCHEMA).is_valid(address)
        assert normal_form(normal) == normal
        assert normal.casefold() == address.casefold() or not address.isascii()
