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
    imports,
    links,
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
from bridge.api import forms as forms_resource
from bridge.api import log as log_resource
from bridge.api.app import Parts, everything
from bridge.api.http import openapi
from bridge.api.http.routing import Routes
from bridge.domain.forms import STANDARD, Forms

RESOURCES = (
    me.routes,
    forms_resource.routes,
    plan.routes,
    log_resource.routes,
    links.routes,
    comments.routes,
    evidence.routes,
    exports.routes,
    imports.routes,
    members.routes,
    ops.routes,
    statements.routes,
    audit.routes,
    support.routes,
    register.routes,
    samples.routes,
    reports.routes,
    staff_reads.routes,
    notices.routes,
    erasures.routes,
)


def resources(forms: Forms) -> list[Routes]:
    """Return the resources, with bodies and answers that have the fields of the forms."""
    models = forms_resource.models_of(forms)
    return [routes.with_models(models) for routes in RESOURCES]


def reference(forms: Forms, public_url: str | None = None) -> bytes:
    """Return the OpenAPI document as a file: indented JSON, so that a change shows as lines in a review."""
    document = openapi.describe(everything(Parts(resources(forms))), public_url)
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    sys.stdout.buffer.write(reference(STANDARD))
