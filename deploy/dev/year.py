"""A year of plausible records (samples/year.json): what ``cpd-bridge dev`` fills its sample members with, once.

Completions go the way of all completions, as statements through the broker; the rest are calls of the public API, as a
portal makes them. A day in the file is a share of a membership year, of the days until today, so that it always fits.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from pydantic import SecretStr

from bridge.broker.publisher import Outgoing, publisher
from bridge.broker.topology import Topology
from bridge.domain.members.members import ONE_DAY, MembershipCalendar, MembershipYear
from deploy.dev.client import call
from deploy.dev.processes import ProcessFailed
from deploy.dev.samples import CATALOGUE_PREFIX, SampleMember, members
from deploy.dev.services import side_by_side
from deploy.dev.stack import Stack

_FILE = Path(__file__).parent / "samples" / "year.json"
_DRAFTED_WITHIN = 60.0  # seconds
_POLL = 0.05  # seconds between two looks at a log
_COMPLETED = {"id": "http://adlnet.gov/expapi/verbs/completed", "display": {"en": "completed"}}


class SampleActivity(TypedDict):
    """A piece of content of the Learning centre; ``type`` is an activity type's IRI."""

    name: str
    type: str
    minutes: int
    description: str


class SampleMoment(TypedDict):
    """A day: ``year`` is 0 for the current membership year and -1 for the last, ``at`` the share of it until today."""

    year: int
    at: float


class SampleCompletion(SampleMoment):
    """A completion of an activity; with a ``reflection`` of five fields the draft was finished afterwards."""

    activity: str
    reflection: NotRequired[Mapping[str, str]]
    plan: NotRequired[str]


class SampleEntry(SampleMoment):
    """An entry by hand: the form's fields, and the key of the plan item it is linked with."""

    fields: Mapping[str, object]
    plan: NotRequired[str]


class SamplePlanItem(TypedDict):
    """A plan item, with its dates as shares of the whole year; ``key`` names it within the file."""

    key: str
    year: int
    begins: float
    ends: float
    fields: Mapping[str, object]


class SampleComment(TypedDict):
    """A comment on a membership year."""

    year: int
    text: str


class SampleRecord(TypedDict):
    """The record of one member; ``audit`` is the year that the member is selected for."""

    plan: list[SamplePlanItem]
    completions: list[SampleCompletion]
    entries: list[SampleEntry]
    comments: list[SampleComment]
    audit: NotRequired[int]


class DraftRow(TypedDict):
    """What is needed of a row of the log: the draft that a completion became."""

    id: str
    title: str
    version: int


class SampleYear(TypedDict):
    """The whole file: activities by a short name, and records by member id."""

    activities: Mapping[str, SampleActivity]
    members: Mapping[str, SampleRecord]


@dataclass(frozen=True)
class Filling:
    """The filling of one member's record; ``years`` has the current membership year as 0 and the last one as -1."""

    base: str
    token: str
    member: SampleMember
    record: SampleRecord
    activities: Mapping[str, SampleActivity]
    years: Mapping[int, MembershipYear]
    today: date

    def call(self, method: str, path: str, body: object = None, if_match: str | None = None) -> Any:
        """Call the API as the member; raises ``ApiRefused``."""
        return call(self.base, method, path, self.token, body, if_match)

    def is_wanted(self) -> bool:
        """Whether the record is empty: what is there already stays as it is."""
        return not any(self.call("GET", f"/v1/{part}?period=all&limit=1")["total"] for part in ("log", "plan"))

    def statements(self) -> list[Mapping[str, object]]:
        """The completions as xAPI statements, whose ids stay the same."""
        return [self._statement(completion) for completion in self.record["completions"]]

    def _statement(self, completion: SampleCompletion) -> Mapping[str, object]:
        activity = self.activities[completion["activity"]]
        activity_id = f"{CATALOGUE_PREFIX}year/{completion['activity']}"
        moment = datetime.combine(self._day(completion), time_of_day(10), UTC)
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{activity_id}#{self.member.member_id}")),
            "actor": {"objectType": "Agent", **self.member.body["identifiers"][0]},
            "verb": _COMPLETED,
            "object": {"objectType": "Activity", "id": activity_id, "definition": _definition(activity)},
            "result": {"completion": True, "duration": f"PT{activity['minutes']}M"},
            "timestamp": min(moment, datetime.now(UTC)).isoformat(timespec="milliseconds"),
        }

    def _day(self, moment: SampleMoment) -> date:
        year = self.years[moment["year"]]
        return _day_at(year.start, min(year.end, self.today), moment["at"])

    def write(self) -> None:
        """Write all but the statements: plan, entries, reflections, links and comments."""
        item_ids = {item["key"]: self._plan(item) for item in self.record["plan"]}
        for entry in self.record["entries"]:
            body = {"date": self._day(entry).isoformat(), **entry["fields"]}
            self._link(self.call("POST", "/v1/log", body)["id"], entry.get("plan"), item_ids)
        drafts = self._drafts()
        for completion in self.record["completions"]:
            self._finish(drafts[self.activities[completion["activity"]]["name"]], completion, item_ids)
        for comment in self.record["comments"]:
            period_id = self.years[comment["year"]].id
            self.call("POST", f"/v1/periods/{period_id}/comments", {"text": comment["text"]})

    def _plan(self, item: SamplePlanItem) -> str:
        year = self.years[item["year"]]
        shares = {"start_date": item["begins"], "completion_date": item["ends"]}
        days = {name: _day_at(year.start, year.end, share).isoformat() for name, share in shares.items()}
        return self.call("POST", "/v1/plan", {**days, **item["fields"]})["id"]

    def _drafts(self) -> Mapping[str, DraftRow]:
        """Wait until every completion has its draft; rows of the log by their title."""
        deadline = time.monotonic() + _DRAFTED_WITHIN
        while time.monotonic() < deadline:
            rows: list[DraftRow] = self.call("GET", "/v1/log?period=all&limit=200&source=learning_centre")["items"]
            if len(rows) == len(self.record["completions"]):
                return {row["title"]: row for row in rows}
            time.sleep(_POLL)  # the API tells nobody when a draft arrives
        raise ProcessFailed(f"The drafts of {self.member.member_id} did not arrive within {_DRAFTED_WITHIN:.0f} s.")

    def _finish(self, row: DraftRow, completion: SampleCompletion, item_ids: Mapping[str, str]) -> None:
        if reflection := completion.get("reflection"):
            is_draft = len(reflection) < 4  # a member who began to reflect, and has not finished
            self.call("PATCH", f"/v1/log/{row['id']}", {**reflection, "draft": is_draft}, f'"{row["version"]}"')
        self._link(row["id"], completion.get("plan"), item_ids)

    def _link(self, entry_id: str, key: str | None, item_ids: Mapping[str, str]) -> None:
        if key is not None:
            self.call("PUT", f"/v1/log/{entry_id}/links/{item_ids[key]}")


def fill_records(dev_stack: Stack) -> None:
    """Fill the records of the sample members that are empty; raises ``ApiRefused`` or ``ProcessFailed``."""
    sample = sample_year()
    fillings = [_filling(dev_stack, member, sample) for member in members()]
    if empty := [filling for filling in fillings if filling.is_wanted()]:
        asyncio.run(_publish(dev_stack, [statement for filling in empty for statement in filling.statements()]))
        side_by_side(*(filling.write for filling in empty))
        for filling in empty:
            _select(dev_stack, filling)


def _filling(dev_stack: Stack, member: SampleMember, sample: SampleYear) -> Filling:
    token = dev_stack.token(member.member_id, "member")
    current = call(dev_stack.http_url, "GET", "/v1/periods/current", token)
    return filling_of(dev_stack.http_url, token, member, sample, date.fromisoformat(current["elapsed"]["as_of"]))


def filling_of(base: str, token: str, member: SampleMember, sample: SampleYear, today: date) -> Filling:
    """Return the filling of a member's record as it is on a day."""
    calendar = MembershipCalendar(renewal=date.fromisoformat(member.body["renewal_date"]))
    this_year = calendar.period_for(today)
    years = {0: this_year, -1: calendar.period_for(this_year.start - ONE_DAY)}
    return Filling(base, token, member, sample["members"][member.member_id], sample["activities"], years, today)


def sample_year() -> SampleYear:
    """Return what is in the file."""
    return json.loads(_FILE.read_text(encoding="utf-8"))


async def _publish(dev_stack: Stack, statements: list[Mapping[str, object]]) -> None:
    """Publish the statements as one message, as the Learning centre may (up to 500 in each)."""
    exchange = Topology(dev_stack.settings.amqp_namespace, dev_stack.settings.verbs).statements
    broker_url = SecretStr(dev_stack.services.amqp_url)
    async with publisher(dev_stack.settings.model_copy(update={"amqp_url": broker_url}), "samples") as out:
        await out.publish([Outgoing(exchange, "statement.completed", json.dumps(statements).encode())])


def _select(dev_stack: Stack, filling: Filling) -> None:
    """Select the member for the Register Audit, where the file says so."""
    if (audit_year := filling.record.get("audit")) is not None:
        body = {"member_id": filling.member.member_id, "period_id": filling.years[audit_year].id}
        call(dev_stack.http_url, "POST", "/v1/register/cases", dev_stack.token("dev-register", "register"), body)


def _definition(activity: SampleActivity) -> Mapping[str, object]:
    words = {"name": {"en": activity["name"]}, "description": {"en": activity["description"]}}
    return {"type": activity["type"], **words}


def _day_at(first: date, last: date, share: float) -> date:
    return first + timedelta(days=int(share * (last - first).days))
