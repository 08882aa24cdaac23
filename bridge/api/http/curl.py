"""The ``curl`` line of an operation, as it works against ``make run``: address, token and ids are shell variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from bridge.api.http.schemas import REF

Json = Mapping[str, Any]

SAMPLES: Final = {"member_id": "m-1001", "period_id": "current", "form": "log", "slug": "not-found"}
"""Path parameter → what ``make run`` always has; every other is a variable, such as ``$ENTRY_ID``."""

NOTES: Final = {
    "notice_id": "Expect 404 where no notice went wrong; without a mail server there are none.",
    "sample_id": "Expect 404 after a dry run, which keeps nothing.",
}
"""Path parameter → what to know where there may be no such thing."""

FILE: Final = "printf 'My notes' | "
UPLOAD: Final = "-F 'file=@-;filename=notes.txt;type=text/plain'"
CSV: Final = "printf 'title,date\\nA day on grief,2026-05-04\\n' | "
DATA: Final = "-H 'Content-Type: text/csv' --data-binary @-"


def curl_line(method: str, path: str, operation: Json, models: Json) -> str:
    """Return the line; what is sent is the example of the operation's body, or of the model that it is."""
    before, body = _body(operation, models)
    verb = () if method == "GET" or (method == "POST" and body) else ("-X", method)
    address = f'"$API{_filled(path)}"'
    return before + " ".join(("curl", *verb, address, *_headers(operation), *_target(path, operation), *body))


def curl_note(path: str) -> str:
    """Return what to expect of the line besides success, or nothing."""
    return " ".join(note for name, note in NOTES.items() if f"{{{name}}}" in path)


def _filled(path: str) -> str:
    parts = path.split("/")
    return "/".join(SAMPLES.get(part[1:-1], f"${part[1:-1].upper()}") if part[:1] == "{" else part for part in parts)


def _headers(operation: Json) -> Iterable[str]:
    if operation["security"]:
        yield '-H "Authorization: Bearer $TOKEN"'
    if any("if_match" in parameter.get("$ref", "") for parameter in operation["parameters"]):
        yield "-H 'If-Match: *'"


def _target(path: str, operation: Json) -> Iterable[str]:
    """A file is written to one of its name, since a terminal can show none."""
    kinds = operation["responses"].get("200", {}).get("content", {})
    if any(kind in kinds for kind in ("application/pdf", "application/zip", "*/*", "application/octet-stream")):
        name = path.rpartition("/")[2]
        yield f"-o {'file' if name.startswith('{') else name}"


def _body(operation: Json, models: Json) -> tuple[str, tuple[str, ...]]:
    content: Json = operation.get("requestBody", {}).get("content", {})
    if "text/csv" in content:
        return CSV, (DATA,)
    if "multipart/form-data" in content:
        return FILE, (UPLOAD,)
    examples = [example for media in content.values() for example in _examples(media, models)]
    if not examples:
        return "", ()
    text = orjson.dumps(examples[0]).decode().replace("'", r"\u0027")  # which JSON reads as the same
    return "", ("-H 'Content-Type: application/json'", f"-d '{text}'")


def _examples(media: Json, models: Json) -> list[Any]:
    if "example" in media:
        return [media["example"]]
    name = media["schema"].get("$ref", "").removeprefix(REF)
    return models.get(name, {}).get("examples", [])
