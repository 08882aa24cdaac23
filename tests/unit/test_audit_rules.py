"""The rules of an audit case, of a sample, of the snapshot and of the notices (R53-R59, decisions 2 and 3)."""

from __future__ import annotations

import hashlib
import hmac
import random
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.audit import cases, notices
from bridge.domain.audit.cases import OPEN, Move, State
from bridge.domain.audit.sampling import Window, audited_period, draw, population_digest, size_of
from bridge.domain.audit.snapshots import canonical
from bridge.domain.members.members import MembershipCalendar, MembershipYear
from bridge.domain.privacy.access import TEAMS
from bridge.errors import Conflict
from schemas.languages import LANGUAGES
from schemas.notices import TEMPLATES

DUE_DATE = date(2026, 6, 30)


@pytest.mark.parametrize("move", list(Move))
@pytest.mark.parametrize("state", list(State))
def test_each_move_in_each_state(state: State, move: Move) -> None:
    """Decision 3, written out: where each step leads, and that every other is refused."""
    leads = {
        (State.SELECTED, Move.SUBMIT): State.SUBMITTED,
        (State.RETURNED, Move.SUBMIT): State.SUBMITTED,
        (State.SUBMITTED, Move.RETURN): State.RETURNED,
        (State.SUBMITTED, Move.CLOSE): State.CLOSED,
        **{(state, Move.WITHDRAW): State.WITHDRAWN for state in OPEN},
        **{(state, Move.SATISFIED_ELSEWHERE): State.SATISFIED_ELSEWHERE for state in OPEN},
    }
    if (state, move) in leads:
        assert cases.after(state, move) is leads[state, move]
    else:
        with pytest.raises(Conflict, match=state.value):
            cases.after(state, move)


@pytest.mark.parametrize(
    ("days_left", "sent_days", "expected"),
    [(31, [], None), (30, [], 30), (29, [30], None), (29, [], 30), (7, [30], 7), (5, [30], 7), (3, [30, 7], 3),
     (2, [30], 3), (0, [30, 7], 3), (0, [30, 7, 3], None), (-1, [30, 7], None)],
)  # fmt: skip
def test_which_reminder_is_due(days_left: int, sent_days: list[int], expected: int | None) -> None:
    """30, 7 and 3 days before; after a standstill the latest one alone, and none once it is past."""
    assert cases.reminder_due(DUE_DATE, sent_days, DUE_DATE - timedelta(days=days_left)) == expected


def test_a_short_notice_needs_no_reminder_of_longer() -> None:
    """Selected ten days before: the mail that says so is reminder enough until seven days before."""
    assert cases.reminders_passed(DUE_DATE, DUE_DATE - timedelta(days=10)) == [30]


def test_the_sample_is_drawn_by_the_published_recipe() -> None:
    """Anyone with the seed and the ids gets the same sample: HMAC-SHA-256 of each id, smallest first."""
    ids = [f"m-{number}" for number in range(1000)]
    expected = sorted(ids, key=lambda member_id: hmac.new(b"seed", member_id.encode(), hashlib.sha256).hexdigest())[:26]
    permutation = random.Random(1).sample(ids, len(ids))
    assert draw("seed", permutation, 26) == expected
    assert draw("other", ids, 26) != expected
    assert (
        population_digest(permutation)
        == hashlib.sha256("".join(f"{member_id}\n" for member_id in sorted(ids)).encode()).hexdigest()
    )


def test_a_sample_is_fair() -> None:
    """Over many seeds every member is drawn about as often as any other."""
    ids = [f"m-{number}" for number in range(20)]
    member_ids = [member_id for seed in range(2000) for member_id in draw(str(seed), ids, 5)]
    counts = [member_ids.count(member_id) for member_id in ids]
    assert 400 < min(counts) < max(counts) < 600, "500 expected; four standard deviations are 78"


@pytest.mark.parametrize(
    ("population", "rate", "count", "size"),
    [(1000, 0.026, None, 26), (1000, 0.015, None, 15), (1, 0.026, None, 1), (39, 0.026, None, 2), (0, 0.5, None, 0),
     (10, None, 3, 3), (2, None, 3, 2), (50, 0.02, None, 1)],
)  # fmt: skip
def test_how_many_are_drawn(population: int, rate: float | None, count: int | None, size: int) -> None:
    """A rate is rounded up, so that a small population has one; and nobody is drawn twice."""
    assert size_of(population, rate, count) == size


def test_who_may_be_drawn() -> None:
    """Audit facts: those who renew in the window and were registered long enough by then; for the year that ends."""
    window = Window(date(2026, 4, 1), date(2026, 4, 30), 12)
    april, june = MembershipCalendar(date(2020, 4, 15)), MembershipCalendar(date(2020, 6, 1))
    assert window.renewal_of(april, date(2025, 4, 15)) == date(2026, 4, 15)
    assert window.renewal_of(april, date(2025, 4, 16)) is None, "a day too late"
    assert window.renewal_of(april, None) is None, "not known to be long enough"
    assert window.renewal_of(june, date(2000, 1, 1)) is None, "renews at another time"
    assert Window(date(2026, 4, 1), date(2026, 4, 30), 0).renewal_of(april, None) == date(2026, 4, 15)
    assert audited_period(april, date(2026, 4, 15)) == MembershipYear(date(2025, 4, 15), date(2026, 4, 14))


@given(st.dictionaries(st.text(max_size=5), st.text() | st.integers(-(2**53), 2**53) | st.booleans() | st.none()))
def test_canonical_is_canonical(value: dict[str, object]) -> None:
    """Decision 2: the order in which a document was built does not show, and nothing is lost."""
    reversed_value = dict(reversed(list(value.items())))
    assert canonical(value) == canonical(reversed_value)
    assert orjson.loads(canonical(value)) == value


def test_canonical_times_and_fractions() -> None:
    """Decision 2: a time is written in one way, and what has several is refused."""
    at = datetime(2026, 5, 4, 10, 0, 0, 120_000, tzinfo=UTC)
    assert canonical({"at": [at]}) == b'{"at":["2026-05-04T10:00:00.120Z"]}'
    with pytest.raises(TypeError):
        canonical({"minutes": 1.5})


KINDS = ("selected", "submitted", "returned", "due", "closed", "withdrawn", "satisfied_elsewhere")
VALUES = {
    "name": "Sam <b>&amp; Co", "start": date(2026, 4, 1), "end": date(2027, 3, 31), "due_date": date(2027, 5, 1),
    "days": 7, "receipt": "ABC",
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_notice_is_there_in_every_language(kind: str, language: str) -> None:
    """R53: each notice is whole in each language, with a link where there is a portal, and names cannot be markup."""
    letter = notices.letter(kind, language, VALUES, "https://cpd.example.org/")
    assert not {"{", "}"} & {*letter.text, *letter.html.partition("<p>")[2], *letter.subject}
    assert "\n" not in letter.subject
    assert "Sam <b>&amp; Co" in letter.text
    assert "Sam &lt;b&gt;&amp;amp; Co" in letter.html
    assert '<a href="https://cpd.example.org/">' in letter.html
    assert f'<html lang="{language}">' in letter.html
    assert "https" not in notices.letter(kind, language, VALUES, None).html


def test_there_is_a_notice_of_each_kind() -> None:
    """Nothing is sent that has no words; the catalogues' test says that each language has all of them."""
    assert set(TEMPLATES) == set(KINDS)
    welsh = notices.letter("due", "cy", VALUES, None)
    assert welsh.subject == "Archwiliad y Gofrestr: mae angen cyflwyno eich cofnod DPP erbyn 1 Mai 2027"


def test_a_notice_is_given_up_after_some_days() -> None:
    """RFC 5321 §4.5.4.1: tried for four days, more and more rarely."""
    created_at = at = datetime(2026, 5, 4, tzinfo=UTC)
    tries = 0
    while (again := notices.next_try(tries + 1, created_at, at)) is not None:
        tries, at = tries + 1, again
    assert timedelta(days=3, hours=20) < at - created_at <= timedelta(days=4)
    assert 25 < tries < 40


def test_every_role_has_a_name_for_people() -> None:
    """R64: the member reads which team it was, whatever role it had."""
    assert set(TEAMS) == {"member", "register", "support", "platform", "privacy", "ops"}
