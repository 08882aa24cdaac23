"""Log entries that come in a file, all of them or none (R33)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TypedDict

from bridge.domain.csv_rows import MAX_FAULTS, in_row, refuse
from bridge.domain.forms import Form, Forms, Values
from bridge.domain.record import entries
from bridge.errors import FieldError, RecordFrozen
from bridge.services.record.log import Log
from bridge.services.unit_of_work import Attempt, UnitOfWork, UnitsOfWork
from bridge.texts import Text, counted


class ImportResult(TypedDict):
    """What an import made."""

    created: int
    ids: list[str]  # in the order of the rows


@dataclass(frozen=True, slots=True)
class NewEntry:
    """One entry to make: the row it stood in, the fields of the form, and whether it is a draft."""

    number: int
    values: Values
    draft: bool


class LogImports:
    """Makes many entries in one transaction."""

    def __init__(self, units: UnitsOfWork, log: Log, forms: Forms) -> None:
        self._units = units
        self._log = log
        self._forms = forms

    async def run(self, member_id: str, rows: Sequence[NewEntry], attempt: Attempt | None) -> ImportResult:
        """Make an entry of each row and return what was made.

        Raises ``ValidationFailed`` and ``RecordFrozen``, each naming every row that is at fault, and ``Conflict``.
        """
        work = partial(self._run, rows=rows)
        return await self._units.run(member_id, work, attempt)

    async def _run(self, unit: UnitOfWork, rows: Sequence[NewEntry]) -> ImportResult:
        form, today = self._forms.current("log"), unit.today
        refuse([in_row(row.number, fault) for row in rows for fault in _faults(form, row, today)])
        _refuse_frozen(unit, form, rows)
        created = await self._log.create_in(unit, [(row.values, row.draft) for row in rows], "import")
        return {"created": len(created), "ids": [entry["_id"] for entry in created]}


def _faults(form: Form, row: NewEntry, today: date) -> list[FieldError]:
    return entries.faults(form, row.values, row.values, today)


def _refuse_frozen(unit: UnitOfWork, form: Form, rows: Sequence[NewEntry]) -> None:
    """Raise ``RecordFrozen`` that names each row whose day lies in a period that is frozen (R56)."""
    field = form.field("date")
    message = Text(
        "This day lies in a period that was submitted for the Register Audit and is frozen: leave the row out."
    )
    fault = FieldError("/date", field.label if field else "", message)
    dated_rows = [(row.number, date.fromisoformat(row.values["date"])) for row in rows if row.values.get("date")]
    frozen = [number for number, day in dated_rows if unit.freeze_on(day)]
    if frozen:
        faults = [in_row(number, fault) for number in frozen[:MAX_FAULTS]]
        raise RecordFrozen(
            counted(
                "{n} row lies in a frozen period, and nothing was imported.",
                "{n} rows lie in a frozen period, and nothing was imported.",
                len(frozen),
            ),
            field_errors=faults,
        )
