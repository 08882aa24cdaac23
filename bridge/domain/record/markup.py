"""Markup in a statement's name or description reduced to readable text (decision 12).

The scanner is our own: the standard library's parser takes minutes over 100 kB of unclosed tags, and prose must
survive it, so that only the elements of HTML count as tags and ``a < b``, ``List<String>`` and ``<3`` stay.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from html.entities import html5
from typing import NamedTuple

# What stands for layout until the end; control characters, since none is left in the text by then.
_LINE, _PARAGRAPH, _ITEM = "\x01", "\x02", "\x03"
_BREAKING = frozenset({"\n", _LINE, _PARAGRAPH, _ITEM})
_COMMENT = "!--"
_DECLARATION = "!"

DROPPED = frozenset({_COMMENT, "head", "script", "style", "svg", "template"})
"""What goes together with all that it holds."""

_INLINE = (
    "a abbr acronym applet area audio b base bdi bdo big blink button canvas cite code col colgroup data datalist del"
    " dfn em embed font i iframe img input ins kbd label link map mark marquee meta meter nobr noscript o:p object"
    " output param picture progress q rp rt ruby s samp select slot small source span strike strong sub sup textarea"
    " time track tt u var video wbr"
)
_LINES = (
    "address article aside body caption center dd details dialog dir div dl dt fieldset figcaption figure footer form"
    " header hgroup hr html legend main menu nav ol optgroup option section summary tbody tfoot thead title tr ul xml"
)
_PARAGRAPHS = "blockquote h1 h2 h3 h4 h5 h6 p pre table"
LAYOUT: dict[str, str] = {
    _DECLARATION: "",
    **dict.fromkeys(DROPPED, ""),
    **dict.fromkeys(_INLINE.split(), ""),
    **dict.fromkeys(_LINES.split(), _LINE),
    **dict.fromkeys(_PARAGRAPHS.split(), _PARAGRAPH),
    **dict.fromkeys(("td", "th"), " "),
    "br": "\n",
    "li": _ITEM,
}
"""Every element that counts as markup, and what it leaves behind."""

# No part of a tag matches a further "<", so that no stretch of the text is looked at from more than one start.
_TAG = re.compile(
    r"<!--|-->|<!(?:doctype|\[(?:if|endif))[^<>]*+>|<\?xml[^<>]*+>"
    r"""|<(?P<end>/?)(?P<name>[a-z][a-z0-9:]*+)(?=[\s/>])(?P<rest>(?:=\s*+"[^"<]*+"|=\s*+'[^'<]*+'|[^<>])*+)>""",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"[!-%'-;=?-~]++(?: [!-%'-;=?-~]++)*+")  # ASCII words: no tag, no entity, single blanks
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_NEWLINE = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_BLANKS = re.compile(r"[^\S\n]+")
_GAP = re.compile(f"[ \n{_LINE}{_PARAGRAPH}{_ITEM}]+")

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs", "Mn", "Me"})
# What shows nothing though its category does not say so: the Hangul fillers, the empty Braille pattern and musical
# note head, stand-ins for what is lost, and what Unicode reserves for more of the kind (Default_Ignorable_Code_Point).
_FILLER = re.compile("[\u115f\u1160\u2065\u2800\u3164\uffa0\ufff0-\ufff8\ufffc\ufffd\U0001d159\U000e0000-\U000e0fff]")


class _Tag(NamedTuple):
    start: int
    end: int
    name: str
    closing: bool


def readable(text: str) -> str:
    """The text without markup, control characters and lone surrogates; takes any input, in time linear in its length.

    Blocks and ``br`` become newlines, paragraphs get a blank line (never two), list items ``- ``; scripts, styles and
    heads go with what they hold, if they are closed. Newlines stay unless the markup itself breaks lines. Entities
    count only with their semicolon, so that ``?a=1&copy=2`` stays. The result is never longer than the input.
    """
    if _PLAIN.fullmatch(text):
        return text
    text = _clean(text)
    breaks_lines = False
    last_closing: dict[str, int] = {}
    for tag in _tags(text):
        breaks_lines = breaks_lines or LAYOUT[tag.name] in _BREAKING
        if tag.closing:
            last_closing[tag.name] = tag.start
    newline = " " if breaks_lines else "\n"
    return _laid_out("".join(_pieces(text, newline, last_closing)))


def is_visible(text: str) -> bool:
    """Say whether a text shows anything: more than blanks, controls, joiners, marks without a letter, and fillers."""
    return any(map(_shows, text))


def _shows(character: str) -> bool:
    return unicodedata.category(character) not in _UNSEEN and not _FILLER.match(character)


def _clean(text: str) -> str:
    """The text with the line feed as its only newline, and no control character but that and the tab."""
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _CONTROL.sub("", _NEWLINE.sub("\n", text))


def _tags(text: str) -> Iterator[_Tag]:
    for match in _TAG.finditer(text):
        if match[0] in {"<!--", "-->"}:
            yield _Tag(*match.span(), _COMMENT, match[0] == "-->")
        elif match["name"] is None:
            yield _Tag(*match.span(), _DECLARATION, False)
        elif _is_element(match["name"].lower(), match["rest"]):
            yield _Tag(*match.span(), match["name"].lower(), bool(match["end"]))


def _is_element(name: str, rest: str) -> bool:
    """Whether it is HTML; one letter needs an attribute's ``=`` or nothing, as in ``if a <b and c> d`` it is prose."""
    return name in LAYOUT and (len(name) > 1 or "=" in rest or not rest.strip(" /\t\n"))


def _pieces(text: str, newline: str, last_closing: dict[str, int]) -> Iterator[str]:
    """The text between the tags, decoded, and what the tags leave behind, in order."""
    position, inside = 0, ""
    for tag in _tags(text):
        if inside:
            inside = "" if tag.closing and tag.name == inside else inside
        elif tag.name == _COMMENT and (tag.closing or not _ends(tag, last_closing)):
            continue  # an arrow in the text, or words about comments
        else:
            yield _decoded(text[position : tag.start]).replace("\n", newline)
            yield _LINE if tag.closing and tag.name == "li" else LAYOUT[tag.name]
            if tag.name in DROPPED and not tag.closing and _ends(tag, last_closing):
                inside = tag.name
        position = tag.end
    yield _decoded(text[position:]).replace("\n", newline)


def _ends(tag: _Tag, last_closing: dict[str, int]) -> bool:
    return last_closing.get(tag.name, -1) > tag.start


def _decoded(text: str) -> str:
    return _ENTITY.sub(_character, text)


def _character(entity: re.Match[str]) -> str:
    reference = entity[0]
    if reference[1] == "#":
        return _clean(html.unescape(reference))
    return html5.get(reference[1:], reference)


def _laid_out(text: str) -> str:
    text = _BLANKS.sub(" ", text).rstrip(f" \n{_LINE}{_PARAGRAPH}{_ITEM}")
    return _GAP.sub(_gap, text).strip()


def _gap(run: re.Match[str]) -> str:
    """The white space that a run of blanks and layout comes to."""
    before, item, _ = run[0].rpartition(_ITEM)
    layout = before if item else run[0]
    newlines = 2 if _PARAGRAPH in layout else min(layout.count("\n"), 2)
    if not newlines and (item or _LINE in layout):
        newlines = 1
    return "\n" * newlines + ("- " if item else "" if newlines else " ")
