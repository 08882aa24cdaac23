"""Operations one after another, whose end is known: what the state machine found once stays found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pytest

from bridge.settings import Settings
from tests.properties.interleavings.cluster import cluster
from tests.properties.interleavings.invariants import INVARIANTS
from tests.properties.interleavings.operations import Decide, Erase, FollowUp, Operation, Record, Select, Submit
from tests.properties.interleavings.scenes import ANN, ANN_WITH_CYD, BEN, BEN_WITH_CYD
from tests.properties.interleavings.statements import STATEMENTS

KNOWN = (ANN_WITH_CYD, BEN)


@dataclass(frozen=True)
class Story:
    """Operations, the dispositions of statements in the end, and the statements that live entries have behind them."""

    operations: Sequence[Operation]
    dispositions: Mapping[str, str]
    live: tuple[str, ...] = ()


STORIES: Final[Mapping[str, Story]] = {
    "held for the entry that it joins, and voided": Story(
        [
            *(*KNOWN, Select("ann"), Record(("a3",)), Submit("ann")),
            *(Record(("a4", "void a4")), Decide("ann", "return")),
        ],
        {"a3": "recorded", "a4": "withdrawn"},
        ("a3",),
    ),
    "a voiding waits, and meets the next submission": Story(
        [
            *(*KNOWN, Select("ann"), Record(("a1",)), Submit("ann"), Record(("void a1",))),
            *(Decide("ann", "return"), Submit("ann"), FollowUp("ann"), FollowUp("ann")),
        ],
        {"a1": "recorded", "void a1": "withdrawn"},
        ("a1",),
    ),
    "a voiding waits, and its sender is erased": Story(
        [
            *(*KNOWN, Select("ben"), Record(("b1",)), Submit("ben"), Record(("void b1",))),
            *(Erase("ann"), Decide("ben", "return")),
        ],
        {"b1": "withdrawn", "void b1": "ignored"},
    ),
    "voided by somebody who was erased": Story(
        [*KNOWN, Record(("b1",)), Erase("ann"), Record(("void b1",))],
        {"b1": "withdrawn", "void b1": "ignored"},
    ),
    "voided, then its actor is erased, then it comes": Story(
        [*KNOWN, Record(("void a1",)), Erase("ann"), Record(("a1",))],
        {"a1": "ignored"},
    ),
    "parked, and held once its actor is known": Story(
        [ANN, Select("ann"), Record(("c1", "c2")), Submit("ann"), ANN_WITH_CYD],
        {"c1": "held", "c2": "held"},
    ),
    "recorded, and again when the account is another's": Story(
        [ANN, BEN, ANN_WITH_CYD, Record(("c1",)), ANN, BEN_WITH_CYD, Record(("c1", "c2"))],
        {"c1": "recorded", "c2": "recorded"},
        (
            "c1",
            "c2",
        ),
    ),
}


@pytest.mark.usefixtures("scheduled")
@pytest.mark.parametrize("name", STORIES)
async def test_a_story(settings: Settings, name: str) -> None:
    """Invariants 1, 2, 4 and 8, decisions 4, 8 and 10."""
    story = STORIES[name]
    async with cluster(settings, 1) as opened:
        await opened.begin([])
        for operation in story.operations:
            await opened.answer(operation)
            await opened.read()
        contents = (await opened.finish()).contents
    dispositions = {row["_id"]: row.get("disposition") for row in contents["statements"]}
    assert {name: dispositions[STATEMENTS[name]["id"]] for name in story.dispositions} == story.dispositions
    names = {statement["id"]: name for name, statement in STATEMENTS.items()}
    entries = [entry for entry in contents["log_entries"] if entry.get("listed") and "provenance" in entry]
    assert sorted(names[key] for entry in entries for key in entry["provenance"]["statement_ids"]) == list(story.live)
    for check in INVARIANTS:
        check(contents)
