"""What holds of everything that is stored, whatever was done before, once nothing is left to do.

Each function takes the contents of the store and asserts one thing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Final

import orjson

from bridge.domain.audit.snapshots import Scope, canonical, digest, snapshot
from bridge.domain.forms import STANDARD
from bridge.domain.members.members import calendar_of, frozen_on
from tests.properties.interleavings.cluster import Contents, Document

SCOPE: Final = ("log", "plan", "links", "comments", "evidence")
"""The parts of a submission that are the member's record."""


def by_id(documents: Iterable[Document]) -> dict[str, Document]:
    """Return id → document."""
    return {document["_id"]: document for document in documents}


def holding(contents: Contents, statement_id: str) -> list[Document]:
    """Return the entries that a statement stands behind."""
    automatic = [entry for entry in contents["log_entries"] if "provenance" in entry]
    return [entry for entry in automatic if statement_id in entry["provenance"]["statement_ids"]]


def each_statement_is_in_one_place(contents: Contents) -> None:
    """Invariants 1 and 2: one disposition each, and an entry or a place to wait exactly where that says so."""
    for row in contents["statements"]:
        entries = holding(contents, row["_id"])
        match row.get("disposition"):
            case "recorded" | "merged":
                assert [entry["_id"] for entry in entries] == [row["entry_id"]]
            case "withdrawn":
                assert "voided_by" in row or orjson.loads(row["raw"])["verb"]["id"].endswith("voided")
                assert all(entry.get("withdrawn_at") for entry in entries)
            case None:
                assert row.keys() == {"_id", "voided_by"}, "only a voiding was before its statement"
            case _:
                assert entries == []
    waiting = {
        "parked": {row["_id"] for row in contents["parked"]},
        "held": {row["_id"] for row in contents["held"] if "target" not in row},
    }
    for disposition, statement_ids in waiting.items():
        rows = [row for row in contents["statements"] if row.get("disposition") == disposition]
        assert {row["_id"] for row in rows} == statement_ids


def what_waits_has_a_reason(contents: Contents) -> None:
    """Decisions 4 and 10: parked while nobody has the identifier, held while the period is frozen."""
    owned = {row["_id"] for row in contents["identifiers"] if "member_id" in row}
    assert all(row["actor_key"] not in owned for row in contents["parked"])
    members = by_id(contents["members"])
    for row in contents["held"]:
        assert row["period_id"] in [freeze["period_id"] for freeze in members[row["member_id"]]["frozen"]]


def a_voiding_leaves_nothing_live(contents: Contents) -> None:
    """Decision 8: what only voided statements stand behind is gone or flagged, or a freeze ends before that is done."""
    waiting = {row["target"] for row in contents["held"] if "target" in row}
    for row in contents["statements"]:
        for entry in holding(contents, row["_id"]) if "voided_by" in row else ():
            is_flagged = row["_id"] in entry["provenance"].get("voided_ids", ())
            waits = row["_id"] in waiting and ("frozen" in entry or "listed" not in entry)
            assert entry.get("withdrawn_at") or is_flagged or waits
            is_alone = entry["provenance"]["statement_ids"] == [row["_id"]] and not entry.get("touched_at")
            assert not (is_flagged and is_alone), "an untouched draft is withdrawn"


def entries_are_where_they_belong(contents: Contents) -> None:
    """Decision 7, R48, R82: one entry a merge key, the numbers from 1 without a gap, each in the year of its date."""
    for member in contents["members"]:
        entries = [entry for entry in contents["log_entries"] if entry["member_id"] == member["_id"]]
        keys = [key for entry in entries for key in entry.get("merge_keys", ())]
        assert len(keys) == len(set(keys))
        references = sorted(entry["reference"] for entry in entries)
        assert references == sorted(f"L{number + 1}" for number in range(member.get("numbers", {}).get("log", 0)))
        for entry in entries:
            if not entry.get("frozen"):
                assert entry["period_id"] == calendar_of(member).period_for(date.fromisoformat(entry["date"])).id


def links_agree(contents: Contents) -> None:
    """R47: each side of a link between live records names the other."""
    entries = [entry for entry in contents["log_entries"] if entry.get("listed")]
    items = [item for item in contents["plan_items"] if item.get("listed")]
    of_entries = {(entry["_id"], item) for entry in entries for item in entry["plan_ids"]}
    assert of_entries == {(entry, item["_id"]) for item in items for entry in item["log_ids"]}


def identifiers_are_of_members(contents: Contents) -> None:
    """R82: an identifier is one member's, who says the same."""
    owners = {row["_id"]: row["member_id"] for row in contents["identifiers"] if "member_id" in row}
    assert owners == {key: member["_id"] for member in contents["members"] for key in member["keys"]}


def events_are_in_order(contents: Contents) -> None:
    """Events of a member have places of their own, and each follows the one that it depends on."""
    places = [(event["member_id"], event["act"], event["n"]) for event in contents["outbox"]]
    assert len(places) == len(set(places))
    ordered = sorted(contents["outbox"], key=lambda event: (event["act"], event["n"]))
    of_entries, of_cases = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for event in ordered:
        kind, data = event["type"].removeprefix("log.").removeprefix("audit."), event["data"]
        if "entry_id" in data:
            of_entries[data["entry_id"]].append(kind)
        if "case_id" in data:
            of_cases[data["case_id"]].append(kind)
    assert {entry["_id"] for entry in contents["log_entries"] if "provenance" in entry} == of_entries.keys()
    assert all(re.fullmatch("drafted( withdrawn)?", " ".join(kinds)) for kinds in of_entries.values())
    whole = "selected( submitted returned)*( submitted)?( closed)?"
    assert all(re.fullmatch(whole, " ".join(kinds)) for kinds in of_cases.values())


def nothing_frozen_changes(contents: Contents) -> None:
    """Invariant 4: what is frozen is what was submitted, as its digest says, and nothing else is marked."""
    frozen: set[str] = set()
    for case in contents["audit_cases"]:
        if case["state"] != "submitted":
            continue
        submission = by_id(contents["submissions"])[case["receipt"]]
        text = b"".join(piece["data"] for piece in _pieces(contents, submission["_id"]))
        assert digest(text) == submission["digest"]
        scope = _scope(contents, case)
        frozen |= {record["_id"] for record in (*scope.log, *scope.plan)}
        member, at = by_id(contents["members"])[case["member_id"]], submission["submitted_at"]
        now = snapshot(case, submission["_id"], member, case["declarations"], at, scope, STANDARD)
        live, sent = orjson.loads(canonical(now)), orjson.loads(text)
        for name in SCOPE:
            assert sorted(map(str, live[name])) == sorted(map(str, sent[name])), name
    records = (*contents["log_entries"], *contents["plan_items"])
    assert {record["_id"] for record in records if record.get("frozen")} == frozen


def nothing_new_is_in_a_frozen_year(contents: Contents) -> None:
    """Invariant 4: a live entry on a frozen day is frozen itself."""
    members = by_id(contents["members"])
    for entry in contents["log_entries"]:
        if entry.get("listed") and frozen_on(members[entry["member_id"]], date.fromisoformat(entry["date"])):
            assert entry.get("frozen")


def nobody_erased_is_named(contents: Contents) -> None:
    """Invariant 8: nothing but the event names a member who was erased, or their account."""
    erased = {event["member_id"] for event in contents["outbox"] if event["type"] == "member.erased"}
    others = [event for event in contents["outbox"] if event["type"] != "member.erased"]
    text = str({**contents, "outbox": others})
    for member_id in erased:
        assert f"'{member_id}'" not in text
        assert f"acc-{member_id}" not in text


INVARIANTS: Final = (
    each_statement_is_in_one_place,
    what_waits_has_a_reason,
    a_voiding_leaves_nothing_live,
    entries_are_where_they_belong,
    links_agree,
    identifiers_are_of_members,
    events_are_in_order,
    nothing_frozen_changes,
    nothing_new_is_in_a_frozen_year,
    nobody_erased_is_named,
)


def _pieces(contents: Contents, submission_id: str) -> list[Document]:
    pieces = [piece for piece in contents["submission_pieces"] if piece["submission_id"] == submission_id]
    return sorted(pieces, key=lambda piece: piece["n"])


def _scope(contents: Contents, case: Document) -> Scope:
    def marked(name: str) -> list[Document]:
        own = [record for record in contents[name] if record["member_id"] == case["member_id"]]
        return [record for record in own if "frozen" in record and record["frozen"]["case_id"] == case["_id"]]

    own = [comment for comment in contents["comments"] if comment["member_id"] == case["member_id"]]
    comments = [comment for comment in own if case["start"] <= comment["day"] <= case["end"]]
    return Scope(marked("log_entries"), marked("plan_items"), comments)
