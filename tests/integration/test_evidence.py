"""Evidence over HTTP: files in and out, limits, and what is refused (R66-R70)."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientResponse, FormData
from motor.motor_asyncio import AsyncIOMotorGridFSBucket

from bridge.errors import Unavailable
from bridge.services.record.evidence import GIVEN_UP_AFTER, Upload
from bridge.settings import Settings
from tests.support import documents
from tests.support.member_client import BEFORE, MemberClient, serving
from tests.support.storage import storage

PDF = documents.PDF
ENCODED_NAMES = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n"
)


@pytest.fixture
async def me(settings: Settings) -> AsyncGenerator[MemberClient]:
    """Serve the API with small limits."""
    small = settings.model_copy(update={"evidence_max_bytes": 600_000, "evidence_quota_bytes": 1_000_000})
    async with serving(small) as member:
        yield member


def pdf(size: int) -> bytes:
    """Return something like a PDF of this many bytes."""
    return PDF + bytes(size - len(PDF))


async def kept(response: ClientResponse) -> dict[str, Any]:
    """Return the item of an upload that was taken."""
    assert response.status == 201, await response.text()
    return await response.json()


async def refused(response: ClientResponse, status: int, slug: str) -> dict[str, Any]:
    """Return the problem of a call that was refused."""
    problem = await response.json(content_type="application/problem+json")
    assert (response.status, problem["type"]) == (status, f"/problems/{slug}"), problem
    return problem


async def left_over(me: MemberClient) -> list[int]:
    """Count what the store holds of evidence: files, chunks and loose rows."""
    rows = storage(me.services)
    return [await part.count() for part in (rows.evidence_files, rows.evidence_chunks, rows.evidence_loose)]


async def test_upload_and_download(me: MemberClient) -> None:
    """A file comes back byte for byte as an attachment, and is listed with its facts (R66)."""
    entry, content = await me.entry(), pdf(540_000)
    response = await me.upload(entry, "Zeugnis für “Mich”.pdf", content)
    item = await kept(response)
    assert response.headers["Location"] == f"/v1/evidence/{item['id']}"
    assert item["size"] == len(content)
    assert item["sha256"] == hashlib.sha256(content).hexdigest()
    assert (item["name"], item["state"]) == ("Zeugnis für “Mich”.pdf", "clean")
    assert item["media_type"] == "application/pdf"
    assert await me.get(f"/v1/log/{entry}/evidence") == {"items": [item], "next": None, "total": 1}
    response = await me.call("GET", f"/v1/evidence/{item['id']}")
    assert await response.read() == content
    headers = response.headers
    assert headers["Content-Type"] == "application/pdf"
    assert headers["Content-Length"] == str(len(content))
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "private, no-store"
    assert headers["Content-Security-Policy"].startswith("sandbox;")
    header_value = "filename*=UTF-8''Zeugnis%20f%C3%BCr%20%E2%80%9CMich%E2%80%9D.pdf"
    assert headers["Content-Disposition"] == f'attachment; filename="Zeugnis f_r _Mich_.pdf"; {header_value}'
    assert headers["ETag"] == '"1"'


async def test_conditional_and_head(me: MemberClient) -> None:
    """HEAD tells of a file without sending it, and who has it need not fetch it again."""
    item = await kept(await me.upload(await me.entry(), "a.txt", b"hello"))
    head = await me.call("HEAD", f"/v1/evidence/{item['id']}")
    assert (head.status, head.headers["Content-Length"], await head.read()) == (200, "5", b"")
    assert head.headers["Content-Type"] == "text/plain; charset=utf-8"
    again = await me.call("GET", f"/v1/evidence/{item['id']}", {"If-None-Match": head.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")


async def test_stored_as_gridfs(me: MemberClient) -> None:
    """What is stored is GridFS as the driver reads it, under a generated name."""
    content = pdf(540_000)
    item = await kept(await me.upload(await me.entry(), "a.pdf", content))
    bucket = AsyncIOMotorGridFSBucket(me.services.stores.database.raw, "evidence")
    stored = await bucket.open_download_stream(item["id"])
    assert await stored.read() == content
    assert stored.filename == item["id"]


VBA = documents.relationship("http://schemas.microsoft.com/office/2006/relationships/vbaProject", "x")


KINDS_REFUSED: list[tuple[str, bytes, str]] = [
    ("a.exe", b"MZ", "ending"),
    ("a.pdf", b"hello", "content"),
    ("a.png", PDF, "content"),
    ("a.txt", b"\xff\xfe", "content"),
    ("a.docx", documents.odt(), "content"),
    ("a.docx", documents.docx({"_rels/.rels": VBA, "word/a.png": bytes(400_000)}), "macros"),
    ("a.docx", documents.docx({"word/a.png": bytes(250_000), "_rels/.rels": VBA, "b": bytes(300_000)}), "macros"),
]


async def test_kinds(me: MemberClient, subtests: pytest.Subtests) -> None:
    """What is not on the list, or is not what its ending says, is 415 and tells what is taken."""
    for name, content, detail in KINDS_REFUSED:
        with subtests.test(name):
            problem = await refused(await me.upload(await me.entry(), name, content), 415, "unsupported-media-type")
            assert detail in problem["detail"]
            assert "PDF (.pdf)" in problem["errors"][0]["message"]
            assert await left_over(me) == [0, 0, 0]


async def test_a_document_of_several_chunks_is_read_again_and_kept(me: MemberClient) -> None:
    """What its parts say is found wherever they are, and nothing is amiss."""
    content = documents.docx({"word/a.png": bytes(250_000), "_rels/.rels": "<x/>", "b": bytes(300_000)})
    assert (await kept(await me.upload(await me.entry(), "a.docx", content)))["size"] == len(content)


async def test_size_limit(me: MemberClient) -> None:
    """A file at the limit is taken, one byte more is 413, announced or not."""
    entry = await me.entry()
    await kept(await me.upload(entry, "a.pdf", pdf(600_000)))

    async def unannounced() -> AsyncGenerator[bytes]:
        yield pdf(600_000)
        yield b"x"

    for content in (pdf(600_001), pdf(700_000), unannounced()):
        problem = await refused(await me.upload(entry, "a.pdf", content), 413, "too-large")
        assert "smaller" in problem["detail"]
    assert await left_over(me) == [1, 3, 0]


async def test_quota(me: MemberClient) -> None:
    """A member's files together stay within the quota, whichever come at once; what is left is told in words."""
    entry = await me.entry()
    answers = await asyncio.gather(*(me.upload(entry, f"{number}.pdf", pdf(400_000)) for number in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 201, 413, 413, 413]
    problem = await refused(next(a for a in answers if a.status == 413), 413, "too-large")
    assert "195.3 kB of that are left" in problem["detail"]
    assert await left_over(me) == [2, 4, 0]
    colleague = await me.other()
    await kept(await colleague.upload(await colleague.entry(), "a.pdf", pdf(400_000)))


async def test_deleting(me: MemberClient) -> None:
    """A deleted file is gone for good and gives its room back; deleting needs the version."""
    entry = await me.entry()
    item = await kept(await me.upload(entry, "a.pdf", pdf(600_000)))
    path = f"/v1/evidence/{item['id']}"
    await refused(await me.call("DELETE", path), 428, "precondition-required")
    await refused(await me.call("DELETE", path, {"If-Match": '"7"'}), 412, "stale-version")
    assert (await me.call("DELETE", path, {"If-Match": '"1"'})).status == 204
    await refused(await me.call("GET", path), 404, "not-found")
    await refused(await me.call("DELETE", path, {"If-Match": "*"}), 404, "not-found")
    assert await left_over(me) == [0, 0, 0]
    await kept(await me.upload(entry, "b.pdf", pdf(600_000)))


async def test_frozen(me: MemberClient) -> None:
    """While a period is frozen its evidence is read, not changed; other periods stay open (R56)."""
    frozen, open_entry = await me.entry(), await me.entry(BEFORE)
    item = await kept(await me.upload(frozen, "a.txt", b"hello"))
    await me.freeze()
    problem = await refused(await me.upload(frozen, "b.txt", b"more"), 409, "record-frozen")
    assert "case-1" in problem["detail"]
    await refused(await me.upload(frozen, "b.txt", b"more", {"Idempotency-Key": "k"}), 409, "record-frozen")
    await refused(await me.call("DELETE", f"/v1/evidence/{item['id']}", {"If-Match": "*"}), 409, "record-frozen")
    assert await (await me.call("GET", f"/v1/evidence/{item['id']}")).read() == b"hello"
    await kept(await me.upload(open_entry, "b.txt", b"more"))


async def test_entry_takes_notice(me: MemberClient) -> None:
    """Evidence gives its entry a new version, and never makes it complete or incomplete (R68, R69)."""
    entry = await me.entry()
    before = await me.services.log.get(me.member_id, entry)
    item = await kept(await me.upload(entry, "a.txt", b"hello"))
    after = await me.services.log.get(me.member_id, entry)
    await me.call("DELETE", f"/v1/evidence/{item['id']}", {"If-Match": "*"})
    last = await me.services.log.get(me.member_id, entry)
    assert before["version"] < after["version"] < last["version"]
    assert before["missing_fields"] == after["missing_fields"] == last["missing_fields"]


async def test_deleted_with_its_entry(me: MemberClient) -> None:
    """The evidence of a deleted entry goes out of sight with it, and comes back with it (decision 5)."""
    entry = await me.entry()
    item = await kept(await me.upload(entry, "a.txt", b"hello"))
    await me.services.log.delete(me.member_id, entry, lambda _: None)
    await refused(await me.call("GET", f"/v1/evidence/{item['id']}"), 404, "not-found")
    await refused(await me.upload(entry, "b.txt", b"more"), 404, "not-found")
    await me.services.log.restore(me.member_id, entry)
    assert await (await me.call("GET", f"/v1/evidence/{item['id']}")).read() == b"hello"


async def test_what_is_not_mine(me: MemberClient) -> None:
    """Another member's entry and evidence are not found, whatever is done to them."""
    entry = await me.entry()
    item = await kept(await me.upload(entry, "a.txt", b"hello"))
    colleague = await me.other()
    calls = [
        colleague.call("GET", f"/v1/log/{entry}/evidence"),
        colleague.upload(entry, "a.txt", b"hello"),
        colleague.upload(entry, "a.txt", b"hello", {"Idempotency-Key": "k"}),
        colleague.call("GET", f"/v1/evidence/{item['id']}"),
        colleague.call("DELETE", f"/v1/evidence/{item['id']}", {"If-Match": "*"}),
    ]
    for call in calls:
        await refused(await call, 404, "not-found")
    assert await left_over(me) == [1, 1, 0]


async def test_repeated(me: MemberClient) -> None:
    """The same key and file give the same answer and one file; the same key with another file is 409."""
    entry, key = await me.entry(), {"Idempotency-Key": "once"}
    first = await kept(await me.upload(entry, "a.txt", b"hello", key))
    assert await kept(await me.upload(entry, "a.txt", b"hello", key)) == first
    await refused(await me.upload(entry, "a.txt", b"other", key), 409, "conflict")
    await me.freeze()
    assert await kept(await me.upload(entry, "a.txt", b"hello", key)) == first
    assert await left_over(me) == [1, 1, 0]


async def test_pages(me: MemberClient) -> None:
    """The list comes in pages, oldest first or newest first."""
    entry = await me.entry()
    items = [await kept(await me.upload(entry, f"{number}.txt", b"x")) for number in range(5)]
    path = f"/v1/log/{entry}/evidence"
    page = await me.get(path, limit="3")
    rest = await me.get(path, limit="3", cursor=page["next"])
    assert page["items"] + rest["items"] == items
    assert (page["total"], rest["next"]) == (5, None)
    assert (await me.get(path, sort="-uploaded_at"))["items"] == items[::-1]
    await refused(await me.call("GET", path, params={"sort": "name"}), 422, "validation")


async def test_entry_shows_its_evidence(me: MemberClient) -> None:
    """What an entry lists as its evidence is its own, in the order of the uploads."""
    first, second = await me.entry(), await me.entry()
    items = [await kept(await me.upload(first, f"{number}.txt", b"x")) for number in range(3)]
    foreign = [await kept(await me.upload(second, "a.txt", b"x"))]
    evidence = me.services.stores.evidence
    listing = await evidence.of_entries(me.member_id, [first, second, "none"])
    assert {key: [file["id"] for file in files] for key, files in listing.items()} == {
        first: [item["id"] for item in items],
        second: [item["id"] for item in foreign],
    }
    assert await evidence.of_entries("somebody-else", [first]) == {}


def form(*parts: tuple[str, str | None]) -> FormData:
    """Return a form of parts: name and file name."""
    multipart = FormData(default_to_multipart=True)
    for name, filename in parts:
        multipart.add_field(name, "x", filename=filename)
    return multipart


NO_FORMS: list[tuple[Any, str | None, int, str]] = [
    (form(("other", "a.txt")), None, 422, "validation"),
    (form(("file", None)), None, 422, "validation"),
    (form(("file", "a.txt"), ("file", "b.txt")), None, 422, "validation"),
    (form(("file", "a.txt"), ("note", None)), None, 422, "validation"),
    (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n\r\n--b--\r\n',
        "multipart/form-data; boundary=b",
        422,
        "validation",
    ),
    (b"{}", "application/json", 415, "unsupported-media-type"),
    (b"x", "multipart/form-data", 400, "malformed"),
    (b"x", "multipart/form-data; boundary=b", 400, "malformed"),
    (b"", "multipart/form-data; boundary=b", 400, "malformed"),
    (b"--b--\r\n", "multipart/form-data; boundary=b", 422, "validation"),
    (b"--b\r\nbad\r\n", "multipart/form-data; boundary=b", 400, "malformed"),
    (b"--b\r\n\xff: \xff\r\n\r\n", "multipart/form-data; boundary=b", 400, "malformed"),
    (b"--b\r\n" + b"x" * 20_000, "multipart/form-data; boundary=b", 400, "malformed"),
    (b"--b\r\n" + b"X: y\r\n" * 2000, "multipart/form-data; boundary=b", 400, "malformed"),
    (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nbroken off',
        "multipart/form-data; boundary=b",
        400,
        "malformed",
    ),
    (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename*0="it\'s.txt"\r\n\r\nx\r\n--b--\r\n',
        "multipart/form-data; boundary=b",
        400,
        "malformed",
    ),
    (
        ENCODED_NAMES,
        "multipart/form-data; boundary=b",
        415,
        "unsupported-media-type",
    ),
    (
        b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\n",
        "multipart/form-data; boundary=b",
        422,
        "validation",
    ),
    (
        b"--b\r\nContent-Type: multipart/mixed\r\n\r\nx\r\n--b--\r\n",
        "multipart/form-data; boundary=b",
        400,
        "malformed",
    ),
]


async def test_bodies_that_are_no_form(me: MemberClient, subtests: pytest.Subtests) -> None:
    """A body that is not one form with one file is told what it lacks, and leaves nothing behind."""
    for body, content_type, status, slug in NO_FORMS:
        with subtests.test(type=content_type, status=status):
            headers = {"Content-Type": content_type} if content_type else {}
            response = await me.call("POST", f"/v1/log/{await me.entry()}/evidence", headers, data=body)
            await refused(response, status, slug)
            assert await left_over(me) == [0, 0, 0]


async def test_broken_off(me: MemberClient, lines: io.BytesIO) -> None:
    """An upload whose line breaks leaves nothing behind, and is no crash."""
    entry, arrival_event = await me.entry(), asyncio.Event()

    async def breaking() -> AsyncGenerator[bytes]:
        yield pdf(540_000)
        while (await left_over(me))[1] == 0:
            await asyncio.sleep(0.01)
        arrival_event.set()
        await asyncio.Event().wait()

    sending = asyncio.create_task(me.upload(entry, "a.pdf", breaking()))
    await arrival_event.wait()
    sending.cancel()
    async with asyncio.timeout(30):
        while await left_over(me) != [0, 0, 0] or b"/evidence" not in lines.getvalue():
            await asyncio.sleep(0.01)
    assert b"crashed" not in lines.getvalue()


async def test_slow_uploads_are_given_up(settings: Settings) -> None:
    """An upload that takes too long is 503, and leaves nothing behind."""
    async with serving(settings.model_copy(update={"transfer_timeout": 0.5})) as me:

        async def slow() -> AsyncGenerator[bytes]:
            yield pdf(1000)
            await asyncio.Event().wait()

        await refused(await me.upload(await me.entry(), "a.pdf", slow()), 503, "unavailable")
        assert await left_over(me) == [0, 0, 0]


async def test_sweeping(me: MemberClient) -> None:
    """What a process that died left behind is removed after a while, and can no longer become evidence."""
    loose = storage(me.services).evidence_loose

    async def stalled() -> AsyncGenerator[bytes]:
        yield pdf(540_000)
        assert await me.services.evidence.sweep() == 0
        assert await left_over(me) == [0, 2, 1]
        await loose.set({}, at=datetime.now(UTC) - 2 * GIVEN_UP_AFTER)
        assert await me.services.evidence.sweep() == 1
        assert await left_over(me) == [0, 0, 0]

    with pytest.raises(Unavailable, match="given up"):
        await me.services.evidence.add(me.member_id, await me.entry(), Upload("a.pdf", stalled(), lambda _: None))
