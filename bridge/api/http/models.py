"""The bodies and answers that have a form's fields: made once the forms are known, in place of those declared."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from bridge.api import log, plan
from bridge.api.forms import showing_fields, with_fields
from bridge.domain.record.forms import Forms


def models(forms: Forms) -> Mapping[type[BaseModel], type[BaseModel]]:
    """Return the model to use for each that a route of the plan or the log is declared with."""
    return {
        plan.PlanItemIn: with_fields(plan.PlanItemIn, forms, "plan", plan.EXAMPLE),
        plan.PlanItemPatch: with_fields(plan.PlanItemPatch, forms, "plan", plan.EXAMPLE_PATCH),
        plan.PlanItem: showing_fields(plan.PlanItem, forms, "plan"),
        log.LogEntryIn: with_fields(log.LogEntryIn, forms, "log", log.EXAMPLE),
        log.LogEntryPatch: with_fields(log.LogEntryPatch, forms, "log", log.EXAMPLE_PATCH),
        log.LogEntry: showing_fields(log.LogEntry, forms, "log"),
    }
