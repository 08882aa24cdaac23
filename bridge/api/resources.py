"""Every resource of the API, and the OpenAPI document of them: what can be told without a store or a broker."""

from __future__ import annotations

import sys

import orjson

from bridge.api import (
    audit,
    comments,
    erasures,
    evidence,
    exports,
    forms,
    imports,
    links,
    log,
    me,
    members,
    notices,
    ops,
    plan,
    register,
    reports,
    samples,
    staff_reads,
    statements,
    support,
)
from bridge.api.app import Parts, everything
from bridge.api.http import openapi
from bridge.api.http.routing import Routes
from bridge.domain.forms import STANDARD, Forms

_RECORD = (me, forms, plan, log, links, comments, evidence, exports, imports)
_STAFF = (members, ops, statements, audit, support, register, samples, reports, staff_reads, notices, erasures)

RESOURCES = tuple(module.routes for module in (*_RECORD, *_STAFF))
"""In the order of the reference."""


def resources(own_forms: Forms) -> list[Routes]:
    """Return the resources, with bodies and answers that have the fields of the forms."""
    models = forms.models_of(own_forms)
    return [routes.with_models(models) for routes in RESOURCES]


def reference(own_forms: Forms, public_url: str | None = None) -> bytes:
    """Return the OpenAPI document as a file: indented JSON, so that a change shows as lines in a review."""
    document = openapi.describe(everything(Parts(resources(own_forms))), public_url)
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    sys.stdout.buffer.write(reference(STANDARD))
