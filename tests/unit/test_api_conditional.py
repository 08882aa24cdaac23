"""Entity tags, preconditions and merge patch."""

from __future__ import annotations

import pytest

from bridge.api.http.context import etag, expected_versions, not_modified
from bridge.errors import Malformed, PreconditionRequired, StaleVersion


@pytest.mark.parametrize(
    ("header", "versions"),
    [('"3"', {3}), (' "3" , "4"', {3, 4}), ('"3", W/"4", "abc"', {3}), ("*", None), (" * ", None)],
)
def test_versions_are_read(header: str, versions: set[int] | None) -> None:
    """One tag, a list, or any; weak and foreign tags in a list are passed over."""
    assert expected_versions(header) == versions


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (None, PreconditionRequired),
        ('W/"3"', StaleVersion),
        ('"03"', StaleVersion),
        ('"9999999999999999999"', StaleVersion),
        ("3", Malformed),
        ("", Malformed),
        ('"3', Malformed),
        ('"3" "4"', Malformed),
        ('"3",', Malformed),
    ],
)
def test_versions_are_refused(header: str | None, error: type[Exception]) -> None:
    """No header, tags that never match, and what is no list of tags each have their own error."""
    with pytest.raises(error):
        expected_versions(header)


def test_a_tag_is_read_back() -> None:
    """What ``etag`` writes, ``If-Match`` and ``If-None-Match`` read."""
    assert expected_versions(etag(7)) == {7}
    assert not_modified(etag(7), etag(7))
    assert not_modified(f'"1", W/{etag(7)}', etag(7))
    assert not_modified("*", etag(7))
    assert not not_modified(etag(8), etag(7))
    assert not not_modified(None, etag(7))
