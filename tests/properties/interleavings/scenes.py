"""What was before, and what may be done at once then: few operations, so that those that concern each other meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.properties.interleavings.interleaving import Switches
from tests.properties.interleavings.operations import (
    Add,
    Comment,
    Decide,
    Delete,
    Edit,
    Erase,
    FollowUp,
    Link,
    Operation,
    Put,
    Record,
    Restore,
    Select,
    Submit,
)

MOST: Final = 4
"""Operations at once, and processes."""


@dataclass(frozen=True)
class Scene:
    """Operations that were done before, and those that may meet then; one that is there twice is likelier."""

    before: Sequence[Operation]
    likely: Sequence[Operation]


ANN, BEN = Put("ann", ("acc-ann",)), Put("ben", ("acc-ben",))
ANN_WITH_CYD, BEN_WITH_CYD = Put("ann", ("acc-ann", "acc-cyd")), Put("ben", ("acc-ben", "acc-cyd"))
ANN_IN_MAY = Put("ann", ("acc-ann",), "2026-05-05")
OUT_OF_YEAR, INTO_YEAR = Edit("ann", "own", "date", "2025-06-02"), Edit("ann", "own", "date", "2026-05-05")
SUBMITTED = (ANN, BEN, Select("ann"), Record(("a1", "a3")), OUT_OF_YEAR, Submit("ann"))

SCENES: Final[Mapping[str, Scene]] = {
    "nobody is known": Scene(
        (),
        (
            *(ANN, ANN_WITH_CYD, BEN_WITH_CYD, Erase("ann"), Record(("a1",)), Record(("a1", "a2"))),
            *(Record(("c1",)), Record(("c1", "c2")), Record(("void a1", "a1"))),
        ),
    ),
    "entries are there": Scene(
        (ANN_WITH_CYD, BEN, Record(("a1", "a3", "b1")), Link("ann", "a1")),
        (
            *(Record(("a2", "a2")), Record(("a5", "b2")), Record(("c1", "c2")), Record(("a4", "c2"))),
            *(Record(("void a1",)), Record(("void b1",)), Record(("void a1", "a1"))),
            *(Edit("ann", "a1", "learning", "Much."), Delete("ann", "a1"), Restore("ann", "a1"), Link("ann", "own")),
            *(Add("ann"), ANN, ANN_IN_MAY, BEN_WITH_CYD, Select("ann"), Erase("ann"), Erase("ben")),
        ),
    ),
    "statements are voided before they come": Scene(
        (ANN, BEN, Record(("void a1", "void b1"))),
        (
            *(Record(("a1",)), Record(("b1", "a5")), Record(("a1", "b1")), Record(("a2", "a1")), Add("ann")),
            *(Record(("void a2", "a2")), ANN_IN_MAY, ANN_WITH_CYD, Erase("ann"), Erase("ben")),
        ),
    ),
    "ann is selected": Scene(
        (ANN_WITH_CYD, BEN, Select("ann"), Record(("a1", "a3")), OUT_OF_YEAR, Delete("ann", "a3")),
        (
            *(Submit("ann"), Submit("ann"), INTO_YEAR, Restore("ann", "a3"), Comment("ann"), Link("ann", "a1")),
            *(
                Record(("a5",)),
                Record(("c2", "a2")),
                Record(("a4", "a5")),
                Record(("void a1",)),
                ANN_IN_MAY,
                Erase("ann"),
            ),
        ),
    ),
    "ann has submitted": Scene(
        (*SUBMITTED, Record(("a2", "void a3"))),
        (
            *(Decide("ann", "return"), Decide("ann", "return"), Decide("ann", "close"), Submit("ann"), FollowUp("ann")),
            *(Record(("a5",)), Record(("a4", "void a4")), Record(("void a1",)), Record(("void a2", "a5"))),
            *(INTO_YEAR, Comment("ann"), Delete("ann", "a3"), ANN_IN_MAY, Erase("ann")),
        ),
    ),
    "statements wait for a freeze that has ended": Scene(
        (*SUBMITTED, Record(("a2", "void a3", "b1")), Decide("ann", "return")),
        (
            *(FollowUp("ann"), FollowUp("ann"), Submit("ann"), Submit("ann"), Comment("ann"), INTO_YEAR),
            *(Record(("a5",)), Record(("a5", "void a2")), Record(("void a1",)), Delete("ann", "a3")),
            *(ANN_IN_MAY, Erase("ann")),
        ),
    ),
}


CHOICES: Final = (*SCENES, "nobody is known", "ann is selected")
"""Names of scenes; in these two there is the least that may meet, so they come twice."""


@dataclass(frozen=True)
class Schedule:
    """When the processes switch, and after how many calls the first one crashes, if it does."""

    switches: Switches
    crash_after: int | None


def meeting(scene: Scene, chance: Random) -> list[Operation]:
    """Draw operations that run at once, now and then one of them twice: a message that came again."""
    operations = chance.sample(scene.likely, MOST)
    return operations if chance.random() > 0.1 else [*operations[1:], operations[-1]]


def schedule(chance: Random) -> Schedule:
    """Draw a schedule: the processes take turns of a few calls each, or of many."""
    longest = chance.choice((3, 6, 12))
    switches = [(chance.randint(1, longest), chance.randrange(MOST - 1)) for _ in range(chance.randint(1, 10))]
    return Schedule(switches, chance.randint(1, 10) if chance.random() < 0.3 else None)
