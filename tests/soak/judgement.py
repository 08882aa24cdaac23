"""What the looks of a soak mean: whether anything grew, waited, or came out otherwise than foretold."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import combinations

from tests.soak.watch import Look

GROWTH = 24.0
"""MiB by which a process may be larger in the last quarter than in the second: caches fill, a leak goes on."""

FILES = 25
"""Open files by which it may: connections to the store come and go."""

DRAIN_WITHIN = 60.0
"""Seconds after the last statement until nothing waits."""

BEHIND = 10.0
"""Seconds' worth of statements that may wait at any time in the second half."""


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median of the slopes between any two points (Theil and Sen): a few jumps do not move it."""
    step = max(1, len(points) // 60)
    rises = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points[::step], 2)]
    return statistics.median(rises) if rises else 0.0


def quarters(values: Sequence[float]) -> tuple[float, float]:
    """Return the medians of the second and the last quarter; the first is warming up."""
    quarter = max(1, len(values) // 4)
    return statistics.median(values[quarter : 2 * quarter] or values), statistics.median(values[-quarter:])


def growth(looks: Sequence[Look]) -> list[str]:
    """Print each process's memory, open files and CPU; return which grew."""
    wrong: list[str] = []
    for name in looks[0].memory:
        steady = looks[len(looks) // 4 :]
        hourly = 3600 * slope([(look.at, look.memory[name]) for look in steady])
        before, after = quarters([look.memory[name] for look in looks])
        quarter_files = quarters([look.files[name] for look in looks])
        busy = (looks[-1].cpu[name] - looks[0].cpu[name]) / (looks[-1].at - looks[0].at)
        print(
            f"{name:<8} {before:6.1f} -> {after:6.1f} MiB (slope {hourly:+.1f} MiB/h), "
            f"open files {quarter_files[0]:.0f} -> {quarter_files[1]:.0f}, {busy:.0%} of a core"
        )
        if after - before > GROWTH:
            wrong.append(f"{name} grew by {after - before:.0f} MiB")
        if quarter_files[1] - quarter_files[0] > FILES:
            wrong.append(f"{name} holds {quarter_files[1] - quarter_files[0]:.0f} more files open")
    return wrong


def backlog(looks: Sequence[Look], last: Look, rate: float) -> list[str]:
    """Print how far behind the worker was; return what waited too long, or was left, or is a dead letter."""
    limit = max(look.behind for look in looks[len(looks) // 2 :])
    print(f"behind by at most {limit} in the second half; at the end by {last.behind}, {last.outbox} in the outbox")
    wrong = [f"{limit} statements waited at once"] if limit > BEHIND * rate else []
    if last.behind or last.outbox:
        wrong.append(f"{last.behind} statements and {last.outbox} events were left {DRAIN_WITHIN:.0f} s after the last")
    return wrong + ([f"{last.dead} dead letters"] if last.dead else [])


def unlike(expected: dict[str, int], recorded_counts: dict[str, int]) -> list[str]:
    """Say when the dispositions are not those foretold; what was recorded before it was voided counts as withdrawn."""
    print(f"dispositions: {recorded_counts}")

    def joined(counts: dict[str, int]) -> dict[str, int]:
        together = counts.get("recorded", 0) + counts.get("withdrawn", 0)
        return {**{name: count for name, count in counts.items() if count}, "recorded": together, "withdrawn": together}

    return [] if joined(recorded_counts) == joined(expected) else [f"dispositions are not those expected: {expected}"]
