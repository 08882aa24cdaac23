"""E-mail about the audit: to the member, in their language, once, with nothing of the record in it (R53)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from bridge import wiring
from bridge.clients.smtp import Mailer
from bridge.errors import SettingsError
from bridge.settings import Settings
from consumers.events import EventPublisher
from consumers.notices import MailSender, NoticeConsumer
from tests.support.audit import SECRET, Office, office
from tests.support.smtp import Mood, Post, post_office
from tests.support.storage import Rows, storage


@dataclass
class Desk:
    """The API, the relay of its events and the notifier, beside a mail server."""

    office: Office
    post: Post
    settings: Settings

    @property
    def notices(self) -> Rows:
        """The notices as they are stored."""
        return storage(self.office.services).notices

    async def states(self) -> dict[str, str]:
        """Kind of notice → its state."""
        return {row["kind"].removeprefix("audit."): row["state"] for row in await self.notices.all()}

    async def until(self, condition: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Wait until the states are as wanted."""
        async with asyncio.timeout(20):
            while not condition(states := await self.states()):
                await asyncio.sleep(0.02)  # the notifier is another party; the store is the only sign of it
        return states

    async def settled(self, kind: str, state: str) -> None:
        """Wait until the notice of a kind is in a state."""
        await self.until(lambda states: states.get(kind) == state)

    @asynccontextmanager
    async def notifier(self) -> AsyncGenerator[MailSender]:
        """Make and send notices meanwhile."""
        topology, mailer = wiring.topology(self.settings), Mailer(self.settings, self.post.url, data_timeout=5)
        sender = MailSender(self.settings, self.office.services.notices, mailer)
        consumer = NoticeConsumer(self.settings, topology, self.office.services.notices, sender)
        async with running(sender.run(), sender.stop), running(consumer.run(), consumer.stop):
            yield sender


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None], stop: Callable[[], None]) -> AsyncGenerator[None]:
    """Run something meanwhile, and stop it in order."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        stop()
        await task


@pytest.fixture
async def desk(settings: Settings) -> AsyncGenerator[Desk]:
    """All of it, but for the notifier."""
    async with post_office() as post:
        with_mail = settings.model_copy(
            update={
                "smtp_url": SecretStr(post.url),
                "smtp_from": "My CPD <cpd@example.org>",
                "portal_url": "https://cpd.example.org/audit?a=1&b=2",
            }
        )
        async with wiring.services(with_mail) as services:
            await services.stores.prepare()
            relay = EventPublisher(with_mail, wiring.topology(with_mail), services.stores.outbox)
            async with running(relay.run(), relay.stop), office(with_mail, services) as staff_office:
                yield Desk(staff_office, post, with_mail)


async def test_the_member_is_told_of_each_step(desk: Desk) -> None:
    """R53: selected, submitted, returned and closed reach the member, as text and HTML, without the record's words."""
    sam, team = await desk.office.add_member(email="sam@example.org"), desk.office.staff()
    await sam.record()
    async with desk.notifier():
        case = await team.select()
        await desk.settled("selected", "sent")
        receipt = await sam.submit(case)
        await desk.settled("submitted", "sent")
        await team.decide(case, "return", feedback=SECRET)
        await desk.settled("returned", "sent")
        await sam.submit(case)
        await team.decide(case, "close", feedback=SECRET)
        await desk.settled("closed", "sent")
    mails = desk.post.mails
    assert {mail["X-To"] for mail in mails} == {"sam@example.org"}
    assert {mail["From"] for mail in mails} == {"My CPD <cpd@example.org>"}
    assert len({mail["Message-ID"] for mail in mails}) == len(mails) == 5
    first, second = mails[:2]
    assert first["Subject"] == "You have been selected for the Register Audit"
    assert [part.get_content_type() for part in first.iter_parts()] == ["text/plain", "text/html"]
    text, html = (str(part.get_content()) for part in first.iter_parts())
    assert "1 April 2026 to 31 March 2027" in text
    assert "https://cpd.example.org/audit?a=1&b=2" in text
    assert 'href="https://cpd.example.org/audit?a=1&amp;b=2"' in html
    assert '<html lang="en">' in html
    assert receipt["receipt"] in str(second.get_body(("plain",)))
    assert SECRET not in "".join(mail.as_string() for mail in mails)


async def test_in_the_members_language(desk: Desk) -> None:
    """R53: a member whose language is Welsh is written to in Welsh; one of another language in English."""
    for member_id, language in (("m-1", "cy-GB"), ("m-2", "fr")):
        await desk.office.add_member(member_id, email=f"{member_id}@example.org", language=language)
    async with desk.notifier():
        for member_id in ("m-1", "m-2"):
            await desk.office.staff().select(member_id)
        await desk.post.until(2)
    mails = {mail["X-To"]: mail for mail in desk.post.mails}
    welsh = mails["m-1@example.org"]
    assert (welsh["Content-Language"], mails["m-2@example.org"]["Content-Language"]) == ("cy", "en")
    assert "1 Ebrill 2026" in str(welsh.get_body(("plain",)).get_content())  # pyright: ignore[reportOptionalMemberAccess] - it has one


async def test_an_event_that_comes_again_sends_nothing(desk: Desk) -> None:
    """At least once in, once out: the notice is known by the event's id."""
    await desk.office.add_member(email="sam@example.org")
    async with desk.notifier():
        await desk.office.staff().select()
        await desk.settled("selected", "sent")
        outbox = storage(desk.office.services).outbox
        await outbox.set({}, pending=True)
        await outbox.unset({}, "delivered_at")
        while await outbox.count({"pending": True}):
            await asyncio.sleep(0.02)  # the relay is another party
    async with desk.notifier():
        await desk.office.add_member("m-2", email="kim@example.org")
        await desk.office.staff().select("m-2")
        await desk.post.until(2)
    assert [mail["X-To"] for mail in desk.post.mails] == ["sam@example.org", "kim@example.org"]


@pytest.mark.parametrize(
    ("mood", "state", "status"),
    [("refuses", "refused", "550 5.1.1"), ("refuses data", "refused", "554 5.7.1"), ("busy", "pending", "451 4.3.0")],
)
async def test_what_the_server_says_is_visible(desk: Desk, mood: Mood, state: str, status: str) -> None:
    """Refusals are seen by operations as codes, never with the address that the server's sentence names."""
    await desk.office.add_member(email="sam@example.org")
    desk.post.mood = mood
    async with desk.notifier():
        await desk.office.staff().select()
        await desk.post.until(1)
        async with asyncio.timeout(10):
            while not await desk.notices.has({"status": status}):
                await asyncio.sleep(0.02)  # as above
    row = await desk.notices.first()
    assert (row["state"], row["attempts"]) == (state, 1)
    ops = desk.office.staff("ops")
    (answer,) = (await ops.good("GET", f"/v1/ops/notices?state={state}"))["items"]
    assert (answer["status"], "sam@" in str(answer)) == (status, False)


async def test_a_busy_server_is_tried_again(desk: Desk) -> None:
    """A fault that may pass is tried again later, with the same Message-ID; operations can hurry a refusal."""
    await desk.office.add_member(email="sam@example.org")
    desk.post.mood = "busy"
    async with desk.notifier():
        await desk.office.staff().select()
        await desk.until(lambda states: states.get("selected") == "pending" and desk.post.tries == 1)
        desk.post.mood = "good"
        row = await desk.notices.first()
        assert row["next_at"] > row["created_at"]
        await desk.notices.set({}, next_at=row["created_at"])
    async with desk.notifier():
        await desk.settled("selected", "sent")
    assert len(desk.post.mails) == 1


async def test_a_dropped_connection_is_tried_again(desk: Desk) -> None:
    """RFC 5321: without an answer the server has taken nothing on; a repeat has the same Message-ID, to be told by."""
    await desk.office.add_member(email="sam@example.org")
    desk.post.mood = "drops after"
    async with desk.notifier():
        await desk.office.staff().select()
        async with asyncio.timeout(10):
            while not await desk.notices.has({"state": "pending", "attempts": 1}):
                await asyncio.sleep(0.02)  # as above
        row = await desk.notices.first()
        desk.post.mood = "good"
        await desk.notices.set({}, next_at=row["created_at"])
    async with desk.notifier():
        await desk.settled("selected", "sent")
    first, second = desk.post.mails
    assert first["Message-ID"] == second["Message-ID"]


async def test_a_slow_server_is_waited_for(desk: Desk) -> None:
    """A server that scans a message is not given it twice, and stopping waits for its answer."""
    await desk.office.add_member(email="sam@example.org")
    desk.post.mood = "waits"
    async with desk.notifier() as notifier:
        await desk.office.staff().select()
        await desk.post.until(1)
        notifier.stop()
        assert await desk.states() == {"selected": "sending"}
        desk.post.gate.set()
    assert await desk.states() == {"selected": "sent"}
    assert len(desk.post.mails) == 1


async def test_a_sender_that_dies_leaves_no_second_mail(desk: Desk) -> None:
    """Between sending and noting it nobody knows: it is not sent again by itself, operations see it and decide."""
    await desk.office.add_member(email="sam@example.org")
    desk.post.mood = "waits"
    async with desk.notifier() as notifier:
        await desk.office.staff().select()
        await desk.post.until(1)
        row = await desk.notices.first()
        await desk.notices.set({}, claimed_at=row["claimed_at"] + timedelta(seconds=1))
        desk.post.gate.set()  # the note of this claim is lost, as if the process had died before it
        notifier.stop()
    assert await desk.states() == {"selected": "sending"}
    desk.post.mood = "good"
    await desk.notices.set({}, claimed_until=row["created_at"])
    async with desk.notifier():
        await desk.settled("selected", "uncertain")
        assert len(desk.post.mails) == 1
        ops = desk.office.staff("ops")
        await ops.good("POST", f"/v1/ops/notices/{row['_id']}/again")
        await desk.settled("selected", "sent")
    assert (await ops("POST", f"/v1/ops/notices/{row['_id']}/again")).status == 404, "what was sent stays sent"
    assert len(desk.post.mails) == 2


async def test_two_senders_send_once(desk: Desk) -> None:
    """A notice is claimed before it is sent, whichever worker is first."""
    for number in range(6):
        await desk.office.add_member(f"m-{number}", email=f"m{number}@example.org")
    async with desk.notifier(), desk.notifier():
        for number in range(6):
            await desk.office.staff().select(f"m-{number}")
        await desk.post.until(6)
        async with asyncio.timeout(20):
            while await desk.notices.count({"state": "sent"}) < 6:
                await asyncio.sleep(0.02)  # as above
    assert sorted(mail["X-To"] for mail in desk.post.mails) == [f"m{n}@example.org" for n in range(6)]


async def test_what_nobody_is_to_get_is_not_sent(desk: Desk) -> None:
    """A member without an address, and a request that the case has overtaken, end without a mail."""
    sam = await desk.office.add_member()
    await desk.office.add_member("m-2", email="kim@example.org")
    team = desk.office.staff()
    await team.select()
    await team.decide(await team.select("m-2"), "withdraw")
    async with desk.notifier():
        async with asyncio.timeout(20):
            while {"no_address", "superseded"} - {row["state"] for row in await desk.notices.all()}:
                await asyncio.sleep(0.02)  # as above
        await desk.settled("closed", "sent")
    assert [mail["Subject"] for mail in desk.post.mails] == ["You are no longer in the Register Audit"]
    assert sam.subject == "m-1"


@pytest.mark.parametrize("url", ["http://mail.example.org", "smtp://", "smtp://host:port", "mail.example.org"])
def test_a_wrong_address_of_the_server_is_a_setting_to_mend(settings: Settings, url: str) -> None:
    """A URL that is none of smtp and smtps is named at start."""
    with pytest.raises(SettingsError, match="BRIDGE_SMTP_URL"):
        Mailer(settings, url)


@pytest.mark.parametrize("address", ["a,b@example.org", "evil>b@example.org", "a@example.org\r\nBcc: b@example.org"])
async def test_nothing_is_sent_to_what_is_not_one_mailbox(desk: Desk, address: str) -> None:
    """An address that an earlier release stored is read as strictly as a new one."""
    await desk.office.add_member(email="sam@example.org")
    await storage(desk.office.services).members.set({"_id": "m-1"}, email=address)
    async with desk.notifier():
        await desk.office.staff().select()
        await desk.settled("selected", "refused")
    assert desk.post.mails == []
