"""A state machine over the audit: two members, two reviewers, any order of steps (decision 3, invariants 4 to 6)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine, Generator
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bridge.settings import Settings
from tests.support.audit import DECLARATION_BODY, IN_PERIOD, PERIOD, Office, Person, Reply, open_office
from tests.support.searches import examples

R = TypeVar("R")

MEMBERS, REVIEWERS = ("a", "b"), ("jo", "al")
LEADS = {
    ("selected", "submit"): "submitted", ("returned", "submit"): "submitted",
    ("submitted", "return"): "returned", ("submitted", "close"): "closed",
    **{(state, "withdraw"): "withdrawn" for state in ("selected", "submitted", "returned")},
    **{(state, "satisfied_elsewhere"): "satisfied_elsewhere" for state in ("selected", "submitted", "returned")},
}  # fmt: skip
"""Decision 3 once more: what the service is compared with."""

member_ids, reviewers = st.sampled_from(MEMBERS), st.sampled_from(REVIEWERS)
decisions = st.sampled_from(["return", "close", "withdraw", "satisfied_elsewhere"])


class Model:
    """What a member's case has to be."""

    def __init__(self) -> None:
        self.case = ""
        self.state = "none"
        self.digest = ""
        self.entry = ""
        self.reads = 0
        self.is_pending = False
        self.extensions = 0


class AuditMachine(RuleBasedStateMachine):
    """Steps that anybody may try at any time; ``office`` and ``loop`` come from the test."""

    office: Office
    loop: asyncio.AbstractEventLoop
    runs = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).runs += 1
        self.models = {name: Model() for name in MEMBERS}

    def wait(self, work: Coroutine[Any, Any, R]) -> R:
        """Run one step to its end."""
        return self.loop.run_until_complete(work)

    def person(self, name: str) -> Person:
        """A member of this run."""
        return self.office.member(f"{name}-{self.runs}")

    def staff(self, name: str) -> Person:
        """A reviewer."""
        return self.office.staff(subject=name)

    @initialize()
    def members(self) -> None:
        """Both members are there, with an entry each."""
        for name, model in self.models.items():
            self.wait(self.office.add_member(f"{name}-{self.runs}"))
            model.entry = self.wait(self.person(name).entry())

    @rule(name=member_ids, reviewer=reviewers)
    def select(self, name: str, reviewer: str) -> None:
        """A reviewer selects a member, who may be in a case already."""
        model = self.models[name]
        going_on = model.state in {"selected", "submitted", "returned"}
        body = {"member_id": f"{name}-{self.runs}", "period_id": PERIOD}
        reply = self.wait(self.staff(reviewer)("POST", "/v1/register/cases", body))
        self.expect(reply, 409 if going_on or model.state not in {"none", "withdrawn"} else 201)
        if reply.status == 201:
            model.case, model.state, model.is_pending = reply.body["id"], "selected", False

    @rule(name=member_ids, by=member_ids)
    def submit(self, name: str, by: str) -> None:
        """A member submits a case, which may be the other's."""
        model = self.models[name]
        reply = self.wait(self.person(by)("POST", f"/v1/audit/{model.case or 'none'}/submission", DECLARATION_BODY))
        if by != name or model.state == "none":
            assert reply.status in {404, 409}
        elif model.state == "submitted":
            self.expect(reply, 200)
            assert reply.body["digest"] == model.digest
        else:
            self.expect(reply, 201 if (model.state, "submit") in LEADS else 409)
        if reply.status == 201:
            model.state, model.digest = "submitted", reply.body["digest"]

    @rule(name=member_ids, reviewer=reviewers, decision=decisions)
    def decide(self, name: str, reviewer: str, decision: str) -> None:
        """A reviewer decides, whatever the state."""
        model = self.models[name]
        extra_fields: dict[str, Any] = {"return": {"feedback": "More."}, "close": {"outcome": "met"}}.get(decision, {})
        path = f"/v1/register/cases/{model.case or 'none'}/decisions"
        reply = self.wait(self.staff(reviewer)("POST", path, {"decision": decision, **extra_fields}))
        leads = LEADS.get((model.state, decision))
        self.expect(reply, 404 if not model.case else 200 if leads else 409)
        model.state = leads or model.state

    @rule(name=member_ids, text=st.text(max_size=20))
    def edit(self, name: str, text: str) -> None:
        """A member edits the entry, and adds another."""
        model, frozen = self.models[name], self.models[name].state == "submitted"
        person = self.person(name)
        patch_reply = self.wait(person("PATCH", f"/v1/log/{model.entry}", {"learning": text or None}))
        self.expect(patch_reply, 409 if frozen else 200)
        post_reply = self.wait(person("POST", "/v1/log", {"title": "More", "date": IN_PERIOD}))
        self.expect(post_reply, 409 if frozen else 201)

    @rule(name=member_ids, until=st.integers(50, 90))
    def ask_for_time(self, name: str, until: int) -> None:
        """A member asks for more time, perhaps twice."""
        model = self.models[name]
        day = self.office.today().toordinal() + until + 41 * model.extensions  # later than what was granted before
        body = {"until": f"{self.office.today().fromordinal(day)}", "reason": "Ill."}
        reply = self.wait(self.person(name)("POST", f"/v1/audit/{model.case or 'none'}/extension-requests", body))
        self.expect(reply, 201 if model.state in {"selected", "returned"} and not model.is_pending else 409)
        model.is_pending = model.is_pending or reply.status == 201

    @rule(name=member_ids, grants=st.booleans())
    def decide_on_time(self, name: str, grants: bool) -> None:
        """A reviewer grants or declines it, asked or not."""
        model = self.models[name]
        path = f"/v1/register/cases/{model.case or 'none'}/decisions"
        body = {"decision": "grant_extension" if grants else "decline_extension"}
        reply = self.wait(self.staff("jo")("POST", path, body))
        possible = model.is_pending and model.state in {"selected", "returned"}
        self.expect(reply, 404 if not model.case else 200 if possible else 409)
        model.extensions += grants and reply.status == 200
        model.is_pending = model.is_pending and reply.status != 200

    @rule(name=member_ids, reviewer=reviewers)
    def read(self, name: str, reviewer: str) -> None:
        """A reviewer tries to read the record; what is shown matches the digest of the last submission."""
        model = self.models[name]
        reply = self.wait(self.staff(reviewer)("GET", f"/v1/register/cases/{model.case or 'none'}/record"))
        self.expect(reply, 200 if model.state == "submitted" else 404)
        if reply.status == 200:
            assert hashlib.sha256(reply.raw).hexdigest() == model.digest
        model.reads += bool(model.case)

    @invariant()
    def the_chain_verifies(self) -> None:
        """The access log is whole after every step, and each member sees every look at their record."""
        assert self.wait(self.office.services.access.verify()).faults == []
        for name, model in self.models.items():
            if model.reads:
                page = self.wait(self.person(name).good("GET", "/v1/access-history?limit=200"))
                assert page["total"] >= model.reads

    @invariant()
    def the_member_sees_the_state(self) -> None:
        """What ``/v1/audit`` says is what the steps led to."""
        for name, model in self.models.items():
            if model.case:
                newest = self.wait(self.person(name).good("GET", "/v1/audit"))["items"][0]
                assert (newest["id"], newest["state"]) == (model.case, model.state)

    def expect(self, reply: Reply, status: int) -> None:
        """Compare with the model."""
        assert reply.status == status, reply.raw


@pytest.fixture
def loop() -> Generator[asyncio.AbstractEventLoop]:
    """A loop that the machine's steps run on, one after another."""
    event_loop = asyncio.new_event_loop()
    yield event_loop
    event_loop.close()


@pytest.mark.timeout(600)
def test_the_audit_machine(settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
    """Illegal steps are refused, freezes hold, digests match, and the chain verifies, after any steps in any order."""
    stack = AsyncExitStack()
    AuditMachine.loop = loop
    AuditMachine.office = loop.run_until_complete(stack.enter_async_context(open_office(settings)))
    try:
        run_state_machine_as_test(  # pyright: ignore[reportUnknownMemberType] - hypothesis leaves its type open
            AuditMachine,
            settings=profile(
                max_examples=examples(6, 15),
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    finally:
        loop.run_until_complete(stack.aclose())
