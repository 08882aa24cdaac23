"""A member's whole life in the service: something in every collection, planted words in every field of free text."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bridge.domain.operations.letters import DeadLetterFilter
from bridge.services.lrs.credentials import hash_secret
from bridge.settings import Settings, load
from tests.integration.lrs.client import Lrs, attachment, part
from tests.support.audit import BEFORE, IN_PERIOD, OTHER_PERIOD, PERIOD, Office, Person, office
from tests.support.journey import Journey, journey
from tests.support.portal import LOG_TEXTS, PLAN_TEXTS, full_entry, full_item
from tests.support.statements import account, activity_of, completed, member, voided
from tests.support.storage import Storage

MARK = "xylocarp"
"""In every planted word, and nowhere else."""

MEMBER, SECOND_MEMBER = "m-1", "m-2"
MAIL = {"mbox": f"mailto:{MARK}.mail@example.org"}
ACTOR = {**account(f"{MARK}-1001"), "name": f"{MARK}-actor"}


def word(place: str) -> str:
    """A word that only this place holds."""
    return f"{MARK}-{place}"


def with_lrs(settings: Settings, directory: Path) -> Settings:
    """The settings with an LRS that one credential, ``all``, may use."""
    file = directory / "credentials.json"
    authority = {"account": {"homePage": "https://lrs.example.org", "name": "all"}}
    credential = {"key": "all", "secret_hash": hash_secret("secret"), "authority": authority, "scopes": ["all"]}
    file.write_text(json.dumps([credential]))
    fields = {name: getattr(settings, name) for name in settings.model_fields_set}
    return load(**{**fields, "lrs_credentials_file": file})


@dataclass
class Life:
    """The running parts; ``ids`` holds what was made, by name."""

    bridge: Journey
    office: Office
    ids: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def me(self) -> Person:
        """The member as a caller."""
        return self.office.member(MEMBER)

    @property
    def lrs(self) -> Lrs:
        """The LRS as a content package calls it."""
        return Lrs(self.office.client)

    @property
    def storage(self) -> Storage:
        """What is stored."""
        return Storage(self.bridge.services.stores.database)

    async def live(self) -> None:
        """Do everything once; at the end no audit case of the member goes on."""
        await self.join()
        await self.learn()
        await self.write()
        await self.be_looked_at()
        await self.be_audited()
        await self.use_the_lrs()
        await self.leave_traces()

    async def join(self) -> None:
        """Make the member, and another, known."""
        fields: dict[str, Any] = {
            "name": word("name"),
            "email": f"{MARK}.notices@example.org",
            "identifiers": [MAIL, account_of(ACTOR)],
            "leave": [{"from": "2026-09-01", "to": "2026-09-30"}],
        }
        await self.bridge.add_member(MEMBER, member(**fields))
        await self.bridge.add_member(SECOND_MEMBER, member("2002"))

    async def learn(self) -> None:
        """Send statements that end in every way, some of them about the member without being the member's."""
        fields: dict[str, Any] = {"actor": ACTOR, "object": activity_of("course/1", word("activity"))}
        current, former = completed(**fields), completed(at=f"{BEFORE}T10:00:00Z", **fields)
        mentions = completed("2002", context={"instructor": {**MAIL, "name": word("instructor")}})
        unfinished_statement = completed(**fields, result={"completion": False, "response": word("response")})
        unknown = completed(actor={"mbox": f"mailto:{MARK}.unknown@example.org", "name": word("unknown")})
        await self.bridge.send(current, former, mentions, unfinished_statement, unknown)
        await self.bridge.send(voided(former["id"]), key="statement.voided")
        bad = {**completed(**fields), "verb": {"id": "no iri"}}
        other_body = {**current, "result": {"response": word("conflict")}}
        await self.bridge.send(bad, other_body)
        self.ids |= {"kept": current["id"], "unfinished": unfinished_statement["id"], "mentions": mentions["id"]}
        self.ids |= {"gone": former["id"], "unknown": unknown["id"]}
        self.completion, self.attempt = current, unfinished_statement

    async def write(self) -> None:
        """Write a plan, a log, links, comments and files, and delete some of it."""
        texts = {name: word(name) for name in (*LOG_TEXTS, *PLAN_TEXTS)}
        entry = {name: texts[name] for name in LOG_TEXTS}
        key = {"Idempotency-Key": "once"}
        answer = await self.me.good("POST", "/v1/log", full_entry(title=word("entry"), **entry), **key)
        item = {name: texts[name] for name in PLAN_TEXTS}
        plan_answer = await self.me.good("POST", "/v1/plan", full_item(title=word("item"), **item))
        await self.me.good("PUT", f"/v1/log/{answer['id']}/links/{plan_answer['id']}")
        await self.me.good("POST", f"/v1/plan/{plan_answer['id']}/carry-forward")
        comment = {"text": word("comment"), "refers_to": answer["id"]}
        await self.me.good("POST", f"/v1/periods/{PERIOD}/comments", comment)
        file = await self.me.file(answer["id"], word("evidence") * 1000)
        deleted = await self.me.entry(IN_PERIOD, title=word("deleted"))
        deleted_file = await self.me.file(deleted, word("dropped"))
        await self.me.good("DELETE", f"/v1/evidence/{deleted_file}")
        await self.me.good("DELETE", f"/v1/log/{deleted}")
        self.ids |= {"entry": answer["id"], "item": plan_answer["id"], "file": file, "deleted": deleted}

    async def be_looked_at(self) -> None:
        """Let the support team in, and be asked for by somebody who may not."""
        grant = {"reason": word("grant"), "hours": 1}
        await self.me.good("POST", "/v1/support-grants", grant)
        await self.office.staff("support").good("GET", f"/v1/members/{MEMBER}/log")
        await self.office.staff("ops")("GET", f"/v1/members/{MEMBER}/log")

    async def be_audited(self) -> None:
        """Go through a case: more time, submitted, a completion held, returned, submitted, closed."""
        register = self.office.staff()
        case = await register.select(MEMBER)
        body = {"until": "2030-01-01", "reason": word("extension")}
        await self.me.good("POST", f"/v1/audit/{case}/extension-requests", body)
        await register.decide(case, "grant_extension", feedback=word("granted"))
        await self.me.submit(case)
        held = completed(actor=ACTOR, object=activity_of("course/2", word("held")))
        await self.bridge.send(held)
        await register.decide(case, "return", feedback=word("feedback"))
        await self.me.submit(case)
        await register.good("GET", f"/v1/register/cases/{case}/record")
        await register.decide(case, "close", feedback=word("closing"))
        second = await register.select(SECOND_MEMBER, OTHER_PERIOD)
        await self.office.member(SECOND_MEMBER).submit(second)
        await self.bridge.send(completed("2002", "course/9", at=f"{BEFORE}T09:00:00Z"))
        window = {"renewal_from": "2026-01-01", "renewal_to": "2026-12-31", "count": 1, "seed": "s"}
        sample_request = {**window, "minimum_months_registered": 0, "dry_run": False}
        sample = await register.good("POST", "/v1/register/samples", sample_request)
        for drawn_case in sample["cases"]:
            await register.decide(drawn_case["id"], "withdraw")
        self.ids["sample"] = sample["id"]
        self.ids |= {"case": case, "other_case": second}

    async def use_the_lrs(self) -> None:
        """Store a statement with an attachment, and documents of each kind, over HTTP."""
        notes = word("attachment").encode()
        fields = {"actor": ACTOR, "verb": {"id": "https://verbs.example.org/read"}, "attachments": [attachment(notes)]}
        statements = {
            **fields,
            "object": {"id": "https://things.example.org/book"},
            "result": {"response": word("answer")},
        }
        answer = await self.lrs.post_parts(statements, [part(notes)])
        assert answer.status == 200, await answer.text()
        self.ids["lrs"] = (await answer.json())[0]
        agent = json.dumps(account_of(ACTOR))
        about = {"agent": agent, "activityId": "https://things.example.org/book", "stateId": "place"}
        for path, params in (
            ("activities/state", about),
            ("agents/profile", {"agent": agent, "profileId": "likes"}),
        ):
            stored = await self.lrs.call("PUT", path, params, json={"said": word(path)}, headers={"If-None-Match": "*"})
            assert stored.status == 204, await stored.text()

    async def leave_traces(self) -> None:
        """Leave what other processes keep: notices, a departure, the mirror of the dead letters."""
        values = {"case_id": self.ids["case"], "state": "selected", "due_date": "2030-01-01", "receipt": None}
        await self.bridge.services.notices.create_from_event("event-1", "audit.selected", MEMBER, values)
        await self.bridge.services.stores.departures.note(MEMBER, 1)
        await self.bridge.services.operations.list(DeadLetterFilter(), [("failed_at", True)], 10, None)

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        """Collection → its documents in the order of their ids."""
        return await self.storage.everything()

    async def holding(self, text: str) -> dict[str, list[dict[str, Any]]]:
        """Collection → the documents in which a text stands anywhere, in whatever case."""
        holding_rows = {
            name: [row for row in rows if holds(row, text)] for name, rows in (await self.everything()).items()
        }
        return {name: rows for name, rows in holding_rows.items() if rows}


def account_of(agent: Mapping[str, Any]) -> dict[str, Any]:
    """An Agent without its name."""
    return {"account": agent["account"]}


def holds(value: Any, text: str) -> bool:
    """Whether a text stands anywhere in a stored value, be it bytes or a key."""
    if isinstance(value, bytes):
        return text.encode().lower() in value.lower()
    if isinstance(value, Mapping):
        return any(holds(part, text) for pair in value.items() for part in pair)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, list):
        return any(holds(part, text) for part in value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return text.lower() in str(value).lower()


@asynccontextmanager
async def open_life(settings: Settings, directory: Path) -> AsyncGenerator[Life]:
    """Run worker, API and LRS meanwhile."""
    changed_settings = with_lrs(settings, directory)
    async with journey(changed_settings) as bridge, office(changed_settings, bridge.services) as desk:
        yield Life(bridge, desk)


def as_json(value: Any) -> bytes:
    """A value as JSON, for a message."""
    return orjson.dumps(value, default=str)
