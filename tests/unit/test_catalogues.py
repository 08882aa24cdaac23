"""What members read is in the catalogues, whole, and says the same in each language (R86)."""

from __future__ import annotations

import ast
import copy
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from babel.messages.catalog import Message

from bridge.api.http.problems import kinds
from bridge.texts import Text, TextByLanguage, counted, match
from schemas.languages import HERE
from tests import catalogues
from tests.catalogues import ROOT

FILES = catalogues.languages()
NOT_FOR_MEMBERS = (
    *("bridge/broker/", "bridge/commands/", "bridge/documents/backups.py", "bridge/clients/lrs.py"),
    *("bridge/lrs/", "bridge/domain/lrs/", "bridge/services/lrs/"),
    *("bridge/api/http/connections.py", "bridge/api/http/docs.py", "bridge/api/pages/"),
    *("bridge/api/members.py", "bridge/domain/members/messages.py", "bridge/services/members/"),
    "bridge/domain/audit/cases.py",
    *(f"bridge/services/audit/{name}.py" for name in ("notices", "register", "review", "selection")),
    *("bridge/services/operations/", "bridge/services/privacy/", "bridge/services/statements/"),
    "bridge/store/operations/",
)
"""Code whose words no member is shown: staff's, operations', the LRS's, the command line's, those of start-up."""

PLACE = re.compile(r"\{(\w+)\}|\$(\w+)")


@pytest.fixture(scope="module")
def messages() -> catalogues.Catalog:
    """Every message of the code, the forms and the models."""
    return catalogues.template()


def test_the_template_has_every_message(messages: catalogues.Catalog) -> None:
    """A message that is in no catalogue shows as a change of ``messages.pot``."""
    assert (HERE / "messages.pot").read_text(encoding="utf-8") == catalogues.as_text(messages), "run: make languages"


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_each_language_has_every_message(path: Path, messages: catalogues.Catalog) -> None:
    """A language's file is in line with the code, with nothing left to translate."""
    assert path.read_text(encoding="utf-8") == catalogues.updated(path, messages), "run: make languages"
    missing = [message.id for message in catalogues.untranslated(path)]
    assert not missing, f"{path.name} has no translation of {len(missing)} messages; the first: {missing[:3]}"


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_each_translation_has_the_same_places(path: Path) -> None:
    """Values keep their places: as many of each, whatever their order, in each plural form."""
    for message in catalogues.translations(path):
        places = Counter(PLACE.findall(ids(message)[-1]))
        for text in filter(None, catalogues.strings(message)):
            assert Counter(PLACE.findall(text)) == places, f"{text!r} has other places than {message.id!r}"


def test_nobody_is_refused_in_a_string_of_no_catalogue() -> None:
    """What an error or the fault of a field says is a ``Text``, unless no member ever reads it."""
    refusals = {kind.__name__ for kind in kinds()} | {"FieldError"}
    strings = [
        f"{path}:{call.lineno}"
        for path in sorted(file.relative_to(ROOT).as_posix() for file in (ROOT / "bridge").rglob("*.py"))
        if not path.startswith(NOT_FOR_MEMBERS)
        for call in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and _name(call.func) in refusals and any(map(_is_sentence, call.args))
    ]
    assert not strings, "write Text(...), then make languages"


def _name(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))


def _is_sentence(argument: ast.expr) -> bool:
    is_words = isinstance(argument, ast.Constant) and isinstance(argument.value, str) and " " in argument.value
    return is_words or (isinstance(argument, ast.JoinedStr) and " " in ast.unparse(argument))


def test_a_text_is_put_into_a_language_with_its_values() -> None:
    """Days, times, numbers, texts and lists of choices are written as the language writes them (Unicode CLDR)."""
    text = Text("Choose one of: {choices}.", choices=(Text("Low"), Text("Medium"), Text("High")))
    assert (str(text), text.to("cy")) == (
        "Choose one of: Low, Medium or High.",
        "Dewiswch un o'r rhain: Isel, Canolig neu Uchel.",
    )
    values = Text("{day}; {time}; {n}", day=date(2026, 4, 1), time=datetime(2026, 4, 1, 14, 30, tzinfo=UTC), n=12345)
    assert str(values) == "1 April 2026; 1 April 2026, 14:30 UTC; 12,345"
    assert values.to("cy") == "1 Ebrill 2026; 1 Ebrill 2026, 14:30 UTC; 12,345"


def test_the_guide_s_command_begins_a_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adding a language is adding a file: what the guide's command makes is read, and English fills what it lacks."""
    guide = (ROOT / "docs/guides/adding-a-language.md").read_text(encoding="utf-8")
    command = re.search(r"`\.venv/bin/pybabel (.*?)`", guide)
    assert command is not None
    file = tmp_path / "gv.po"  # Manx: the Irish file may be there, of whoever follows the guide
    arguments = re.sub(r"\bga\b", "gv", command[1].replace("schemas/languages/ga.po", str(file))).split()
    subprocess.run([sys.executable, "-m", "babel.messages.frontend", *arguments], cwd=ROOT, check=True)
    text = file.read_text(encoding="utf-8").replace(
        'msgid "Not found"\nmsgstr ""', 'msgid "Not found"\nmsgstr "Gan aimsiú"'
    )
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr("schemas.languages.HERE", tmp_path)
    assert (Text("Not found").to("gv"), Text("Title").to("gv")) == ("Gan aimsiú", "Title")


def test_a_text_of_no_catalogue_stays_english() -> None:
    """What nobody has translated is better than nothing; a text of a body's own has its languages with it."""
    assert Text("Nobody translated {n} of these.", n=2).to("cy") == "Nobody translated 2 of these."
    assert counted("{n} owl", "{n} owls", 1).to("cy") == "1 owl"
    label = copy.deepcopy(TextByLanguage({"en": "Venue", "cy": "Lleoliad"}))
    assert (str(label), label.to("cy"), label.to("ga")) == ("Venue", "Lleoliad", "Venue")


@pytest.mark.parametrize(
    ("tags", "language"),
    [(["cy-GB", "en"], "cy"), (["fr", "CY"], "cy"), (["fr", "en-GB", "cy"], "en"), (["fr"], "en"), ([], "en")],
)
def test_a_reader_s_language(tags: list[str], language: str) -> None:
    """The best of what a reader prefers that there is (RFC 4647 lookup), else English."""
    assert match(tags) == language


def ids(message: Message) -> list[str]:
    """Return singular and plural."""
    return [message.id] if isinstance(message.id, str) else [*message.id]
