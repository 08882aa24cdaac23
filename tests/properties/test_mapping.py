"""Whatever a valid completed statement holds, its draft is one that the log can show (R29, decisions 9 and 12)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from hypothesis import given, strategies

from bridge import wiring
from bridge.domain.forms import STANDARD
from bridge.domain.members.members import MembershipCalendar
from bridge.domain.statements.completions import Completion, automatic_draft
from bridge.domain.statements.dispositions import Outcome, Reason
from bridge.domain.statements.ledger import arrival
from bridge.settings import load
from schemas import xapi
from tests.support.statements import completed

RULES = wiring.rules(load())
LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
texts = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=60)
maps = strategies.dictionaries(strategies.sampled_from(["en-GB", "en", "cy", "fr", "ar", "und"]), texts, max_size=3)
times = strategies.datetimes(datetime(1990, 1, 1), datetime(2026, 11, 21), timezones=strategies.timezones())  # noqa: DTZ001 - bounds take none
durations = strategies.one_of(
    strategies.none(), strategies.builds("PT{}H{}M".format, strategies.integers(0, 99), strategies.integers(0, 59))
)


def _statement(name: dict[str, str], description: dict[str, str], at: datetime, duration: str | None) -> dict[str, Any]:
    definition = {"name": name, "description": description}
    activity = {"id": "https://learning.example.org/course/7", "definition": definition}
    result = {"completion": True, **({"duration": duration} if duration else {})}
    seconds = at.astimezone(UTC).replace(microsecond=0)
    return completed(object=activity, result=result, at=seconds.isoformat())


@given(maps, maps, times, durations)
def test_a_draft_can_be_shown(
    name: dict[str, str], description: dict[str, str], at: datetime, duration: str | None
) -> None:
    """The draft has a title, the local day, its period, minutes if any, and the same id on every delivery."""
    statement = _statement(name, description, at, duration)
    assert xapi.is_valid(statement)
    raw = orjson.dumps(statement)
    first, again = (arrival(statement, raw, NOW, RULES) for _ in range(2))
    assert first == again
    assert isinstance(first.meaning, Completion)
    calendar = MembershipCalendar(date(2024, 2, 29))
    draft = automatic_draft(first.meaning, "m-1", calendar, first.statement_id, NOW, STANDARD.current("log"), 7)
    assert draft.get("title", "").strip()
    assert (draft.get("reference"), draft.get("listed"), draft["linked"]) == ("L7", True, False)
    day = datetime.fromisoformat(statement["timestamp"]).astimezone(LONDON).date()
    assert (draft.get("date"), draft["period_id"]) == (day.isoformat(), calendar.period_for(day).id)
    assert draft.get("minutes", 1) >= 1
    assert (draft["draft"], draft["complete"], draft["source"]) == (True, False, "learning_centre")


@given(times, strategies.integers(1, 400))
def test_what_lies_ahead_is_no_completion(at: datetime, days_ahead: int) -> None:
    """Decision 9: a timestamp beyond the clock skew is refused, one within it is not."""
    received_at = at.astimezone(UTC)
    skew = RULES.skew
    near = _statement({}, {}, received_at + skew - timedelta(seconds=2), None)
    far = _statement({}, {}, received_at + skew + timedelta(days=days_ahead), None)
    assert isinstance(arrival(near, b"", received_at, RULES).meaning, Completion)
    assert not isinstance(arrival(far, b"", received_at, RULES).meaning, Completion)


@given(times, times)
def test_automatic_recording_starts_at_go_live(at: datetime, go_live: datetime) -> None:
    """R31, decision 15: what was completed before the setting says is ignored, anything later is not."""
    begins = go_live.astimezone(UTC).replace(microsecond=0)
    statement = _statement({}, {}, at, None)
    early = datetime.fromisoformat(statement["timestamp"]) < begins
    meaning = arrival(statement, b"", NOW, replace(RULES, go_live=begins)).meaning
    assert meaning == Outcome.ignored(Reason.BEFORE_GO_LIVE) if early else isinstance(meaning, Completion)
