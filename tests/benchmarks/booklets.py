"""What PDF booklets cost: ``python -m tests.benchmarks.booklets [entries …]``, by default 60 and 500.

Each size is typeset in a fresh process, once cold and five times warm with other words each time. Prints CPU seconds,
pages, bytes and the process's peak memory. Where WeasyPrint can be imported (it is no dependency of ours), the same
record goes through it as plain HTML, for comparison.
"""

from __future__ import annotations

import html
import importlib.util
import io
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pypdf import PdfReader

from tests.support.records import LOREM, entry, forms, header

WARM = 5
LONG = ("description", "reason", "learning", "evaluation", "impact_on_practice")


def record(entries: int, seed: int) -> list[dict[str, Any]]:
    """A log with other words for each seed, so that nothing typeset before is of use."""
    chance, words = random.Random(seed), LOREM.split()
    texts = [{name: " ".join(chance.choices(words, k=70)) for name in LONG} for _ in range(entries)]
    return [header(), *forms(), *(entry(number, **text) for number, text in enumerate(texts))]


def typst(directory: Path) -> Callable[[list[dict[str, Any]]], bytes]:
    """Our own typesetter, started."""
    from bridge.documents.typesetting import Typesetter  # noqa: PLC0415 - its start is measured

    return Typesetter(directory).pdf


def weasyprint(_: Path) -> Callable[[list[dict[str, Any]]], bytes]:
    """WeasyPrint on plain HTML of the same answers, tagged as it can."""
    module: Any = importlib.import_module("weasyprint")

    def pdf(lines: list[dict[str, Any]]) -> bytes:
        entries = [line["entry"] for line in lines if "entry" in line]
        body = "".join(
            f"<h2>{html.escape(entry['title'])}</h2>"
            + "".join(f"<p>{html.escape(str(entry[name]))}</p>" for name in LONG)
            for entry in entries
        )
        page = f"<html lang=en><title>CPD log</title><style>body{{font:10pt sans-serif}}</style><h1>CPD log</h1>{body}"
        return module.HTML(string=page).write_pdf(pdf_variant="pdf/ua-1")

    return pdf


def measure(name: str, entries: int) -> None:
    """Print the figures of one typesetter and one size, of this process."""
    with TemporaryDirectory() as directory:
        start = time.process_time()
        pdf = globals()[name](Path(directory))
        started = time.process_time() - start
        cpu_times: list[float] = []
        booklet = b""
        for seed in range(1 + (WARM if entries <= 100 else 0)):
            lines = record(entries, seed)
            start = time.process_time()
            booklet = pdf(lines)
            cpu_times.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    warm = f"{sum(cpu_times[1:]) / len(cpu_times[1:]):.2f}" if cpu_times[1:] else "-"
    pages = len(PdfReader(io.BytesIO(booklet)).pages)
    print(
        f"{name:<10} {entries:>5} entries: start {started:.2f} s, cold {cpu_times[0]:.2f} s, warm {warm} s CPU; "
        f"{pages} pages, {len(booklet):,} bytes, {peak:.0f} MiB peak"
    )


def main(sizes: list[int]) -> None:
    """Measure each size in a process of its own."""
    names = ["typst", *(["weasyprint"] if importlib.util.find_spec("weasyprint") else [])]
    for entries in sizes or [60, 500]:
        for name in names:
            subprocess.run([sys.executable, "-m", "tests.benchmarks.booklets", name, str(entries)], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] in (["typst"], ["weasyprint"]):
        measure(sys.argv[1], int(sys.argv[2]))
    else:
        main([int(size) for size in sys.argv[1:]])
