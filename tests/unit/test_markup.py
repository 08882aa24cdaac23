"""Markup reduced to readable text, and prose left alone (decision 12)."""

from __future__ import annotations

import time

import pytest

from bridge.domain.record.markup import readable


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One <b>bo</b>ld &amp; <i>two</i></p>\n<p>Three</p>", "One bold & two\n\nThree"),
        ("<div>a\nb</div><div>c<br>d<br/><br />e</div>", "a b\nc\nd\n\ne"),
        ("<p></p><p>&nbsp;</p><br><br><br>x<p></p>", "x"),
        ("<ul><li>a</li> <li> b<ol><li>c</ol></ul>end", "- a\n- b\n- c\nend"),
        ("Do:<ul><li><p>a</p></li><li></li></ul>", "Do:\n- a"),
        ("Do:<li>a<li>b", "Do:\n- a\n- b"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>", "a b\nc"),
        ("<html><head><title>t</title></head><body>x</body></html>", "x"),
        ("a<script>if (a<b) x('</p>')</script><STYLE>p{}</STYLE >b", "ab"),
        ("a<!-- <p>gone</p> -->b<!DOCTYPE html><![if x]><?xml v='1'?>c", "abc"),
        ("<a href='x?a>b' title=\"&quot;>\">link</a><o:p></o:p>", "link"),
        ("&lt;p&gt; is &eacute;l&#233;gant &#x1F600;&#55357;", "<p> is élégant \U0001f600\ufffd"),
        ("<p>a&#10;b&NewLine;c</p>", "a b c"),
    ],
)
def test_markup_becomes_text(markup: str, text: str):
    """Blocks, lists, tables, dropped elements, comments, attributes and entities."""
    assert readable(markup) == text


@pytest.mark.parametrize(
    "text",
    [
        "a < b && c",
        "<3",
        "R&D",
        "a<b and c>d",
        "if i <p and q> r",
        "List<String>",
        "<your name>",
        "x --> y",
        "<p",
        "< p >",
        "see ?a=1&copy=2&region=uk",
        "&nosuch; &;",
        "how <!-- begins",
        "a\nb\n\nc",
        "- one\n- two",
        "5 > 4",
        "</",
        "<>",
    ],
)
def test_prose_survives(text: str):
    """Text that merely contains ``<``, ``>`` or ``&`` and text with lines of its own stay as they are."""
    assert readable(text) == text


def test_a_dropped_element_that_never_ends_takes_nothing_with_it():
    """A title that speaks of a script element keeps its words."""
    assert readable("How the <script> element works") == "How the element works"


def test_inline_markup_leaves_lines_as_they_are():
    """Newlines mean something unless the markup breaks lines by itself."""
    assert readable("One\r\nTwo \t <b>bold</b>\r\r\r\rThree") == "One\nTwo bold\n\nThree"


def test_control_characters_and_lone_surrogates_go():
    """What no display can show is removed or replaced, pairs of surrogates are joined."""
    assert (
        readable("a\x00b\x1b\x7f\x85c\x0bd \ud83dx \ude00 \ud83d\ude00&#0;")
        == "ab\nc\nd \ufffdx \ufffd \U0001f600\ufffd"
    )


@pytest.mark.parametrize(
    "unit",
    [
        "<",
        "<a",
        "<a ",
        "</a",
        "<!--",
        "-->",
        "<a x='",
        '<a =" ',
        "<p>",
        "<li>",
        "<script>",
        "<style></style>",
        "&",
        "&#65;",
        " ",
        "\n",
        "<div>",
        "<!doctype",
        "&lt",
        "=\"='",
    ],
)
def test_hostile_input_takes_linear_time(unit: str):
    """A megabyte takes a few seconds at most on a slow machine; quadratic work would take hours."""
    started = time.process_time()
    readable("<a " + unit * (2**20 // len(unit)))
    assert time.process_time() - started < 5
