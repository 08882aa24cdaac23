"""A CSV file becomes rows, and every cell that cannot be read is named."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.csv_rows import MAX_FAULTS, Row, refuse, template
from bridge.domain.forms import STANDARD
from bridge.domain.record.csv_import import columns, read
from bridge.errors import BridgeError, FieldError, Malformed, TooLarge, ValidationFailed

FORM = STANDARD.current("log")


def rows(text: str, max_rows: int = 1000) -> list[Row]:
    """Read a file."""
    return read(text.encode(), FORM, max_rows)


def faults(text: str) -> list[tuple[str, str]]:
    """Return pointer and label of each fault of a file that has some."""
    try:
        row_faults = [fault for row in rows(text) for fault in row.faults]
    except ValidationFailed as error:
        row_faults = list(error.field_errors)
    return [(fault.pointer, fault.label) for fault in row_faults]


def test_template_is_the_form() -> None:
    """The template has a column for each field of the form, and for the draft mark (R40)."""
    assert (
        template(columns(FORM))
        == ",".join(f'"{name}"' for name in [*(field.name for field in FORM.fields), "draft"]) + "\r\n"
    )
    assert template(columns(FORM)).startswith('"title","type","date",')


def test_cells() -> None:
    """Each cell is read by its field's type; what is empty is left out, and words are kept byte for byte."""
    text = (
        "\ufeffdate, minutes ,participatory,tags,title,description,draft,url\r\n"
        ' 2026-05-04 , 90 ,Yes," grief; groups ;;","  A ""day"", on grief ",'
        '"one\r\ntwo\nthree",no, https://x.example \r\n'
        "2026-05-05,,false,,,,,\r\n"
    )
    assert rows(text) == [
        Row(
            2,
            {
                "date": "2026-05-04",
                "minutes": 90,
                "participatory": True,
                "tags": ["grief", "groups"],
                "title": '  A "day", on grief ',
                "description": "one\r\ntwo\nthree",
                "draft": False,
                "url": "https://x.example",
            },
        ),
        Row(3, {"date": "2026-05-05", "participatory": False}),
    ]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_row_numbers(ending: str) -> None:
    """Rows count as in a spreadsheet, whatever ends them; empty rows are passed over and counted."""
    text = ending.join(["title,minutes", "one,1", "", ",", "four,x"])
    assert [row.number for row in rows(text)] == [2, 5]
    assert faults(text) == [("/rows/5/minutes", "Row 5, Time spent, in minutes")]


def test_guards_are_taken_off() -> None:
    """The quote that keeps a spreadsheet from calculating is taken off again; any other quote stays."""
    cells = ["'=1+1", "'-5 degrees", "'@home", "'+", "'\tx", "'tis", "''=", "="]
    text = "title\r\n" + "".join(f'"{cell}"\r\n' for cell in cells)
    assert [row.values["title"] for row in rows(text)] == [
        "=1+1",
        "-5 degrees",
        "@home",
        "+",
        "\tx",
        "'tis",
        "'=",
        "=",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("/rows/1", "Row 1")]),
        ("\r\n", [("/rows/1", "Row 1")]),
        ("title\r\n", [("/rows/1", "Row 1")]),
        ("title\r\n\r\n,,\r\n", [("/rows/1", "Row 1")]),
        ("title,a/b~c,title\r\nx,y,z\r\n", [("/rows/1/title", "Row 1, title"), ("/rows/1/a~1b~0c", "Row 1, a/b~c")]),
        ("title;date\r\nx;y\r\n", [("/rows/1/title;date", "Row 1, title;date")]),
        ("title,\r\nx,y\r\n", [("/rows/1/", "Row 1, a column without a name")]),
        ("source,complete\r\nx,y\r\n", [("/rows/1/source", "Row 1, source"), ("/rows/1/complete", "Row 1, complete")]),
        ("title,date\r\nx\r\n", [("/rows/2", "Row 2")]),
        ("title\r\nx,y\r\n", [("/rows/2", "Row 2")]),
        ("minutes\r\n1.5\r\n", [("/rows/2/minutes", "Row 2, Time spent, in minutes")]),
        ("minutes\r\n\u0661\r\n", [("/rows/2/minutes", "Row 2, Time spent, in minutes")]),
        ("participatory\r\nmaybe\r\n", [("/rows/2/participatory", "Row 2, Together with others")]),
        ("draft\r\n1\r\n", [("/rows/2/draft", "Row 2, Draft")]),
    ],
)
def test_faults(text: str, expected: list[tuple[str, str]]) -> None:
    """What is wrong is told by row and column, a wrong header before anything else."""
    assert sorted(faults(text)) == sorted(expected)


@pytest.mark.parametrize(
    "raw",
    [
        "title\r\ncafé\r\n".encode("latin-1"),
        "title\r\nx\r\n".encode("utf-16"),
        b'title\r\n"open\r\n',
        b'title\r\n"a"b\r\n',
        b"title\r\n" + b"x" * 200_000,
    ],
)
def test_not_csv(raw: bytes) -> None:
    """What is not CSV in UTF-8 cannot be read at all, and says what to do or where."""
    with pytest.raises(Malformed, match=r"CSV UTF-8|Line \d"):
        read(raw, FORM, 1000)


def test_too_many_rows() -> None:
    """As many rows as allowed are read, one more is too large."""
    text = "title\r\n" + "x\r\n" * 5
    assert len(rows(text, 5)) == 5
    with pytest.raises(TooLarge, match="up to 4 rows"):
        rows(text, 4)


def test_many_faults_are_counted() -> None:
    """No more than 200 faults are listed, and all are counted."""
    many = [FieldError(f"/rows/{number}/date", "", "") for number in range(MAX_FAULTS + 1)]
    with pytest.raises(ValidationFailed, match=r"201 faults were found.*first 200") as refusal:
        refuse(many)
    assert len(refusal.value.field_errors) == MAX_FAULTS
    with pytest.raises(ValidationFailed, match=r"1 fault was found, and nothing was imported\.$"):
        refuse(many[:1])
    refuse([])


@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    """Whatever comes is read or refused, never another error."""
    for content in (raw, b"title,minutes\r\n" + raw):
        try:
            read(content, FORM, 10)
        except BridgeError as refused:
            assert refused.status in {400, 413, 422}  # noqa: PT017 - either outcome is right


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=1, max_size=5))
def test_texts_come_through(titles: list[str]) -> None:
    """A text that a CSV writer wrote is read as it was, unless it looks guarded or is blank."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([["title", "minutes"], *([title, "1"] for title in titles)])
    read_titles = [row.values.get("title") for row in rows(buffer.getvalue())]
    prefixes = tuple(f"'{sign}" for sign in "=+-@\t\r")
    assert read_titles == [title[title.startswith(prefixes) :] if title.strip() else None for title in titles]


def test_columns_are_named_once() -> None:
    """No field of the form is called as the column that is not of the form."""
    names = [column.name for column in columns(FORM)]
    assert len(set(names)) == len(names)
