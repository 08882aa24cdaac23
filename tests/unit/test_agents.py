"""Identifiers of Agents as keys (xAPI-Data §2.4.2.3)."""

from __future__ import annotations

from hashlib import sha1, sha256
from typing import Any

import pytest

from bridge.domain.members.identifiers import actor_key, hashed, identifier_key, member_keys, tombstone

AS_GIVEN = sha1(b"mailto:Ann@Example.org").hexdigest()
BY_THE_STANDARD = "b27f8a9e317da11661bcf5e6ceb8195e25a1c256"
"""Of ``mailto:Bug.One@example.org``, the local part as it is and the domain in lower case, worked out elsewhere."""
LOWER = sha1(b"mailto:ann@example.org").hexdigest()


@pytest.mark.parametrize(
    ("agent", "key"),
    [
        ({"mbox": "mailto:Ann@Example.org", "name": "Ann"}, "mbox:mailto:ann@example.org"),
        ({"mbox_sha1sum": AS_GIVEN.upper()}, f"mbox_sha1sum:{AS_GIVEN}"),
        ({"openid": "https://id.example.org/Ann"}, "openid:https://id.example.org/Ann"),
        ({"account": {"name": "A7", "homePage": "https://a.example"}}, 'account:["https://a.example","A7"]'),
    ],
)
def test_each_identifier_has_its_key(agent: dict[str, Any], key: str):
    """Only the case of e-mail addresses and hashes is dropped."""
    assert identifier_key(agent) == actor_key(agent) == actor_key({"objectType": "Agent", **agent}) == key


def test_accounts_cannot_pass_for_each_other():
    """No name that contains the separator gives another account's key."""
    names = [("https://a", 'b","c'), ('https://a","b', "c"), ("https://a|b", "c"), ("https://a", "b|c")]
    assert len({identifier_key({"account": {"homePage": home, "name": name}}) for home, name in names}) == 4


def test_an_agent_without_identifier_is_refused():
    """The error says what an agent needs."""
    with pytest.raises(ValueError, match="give it an mbox, mbox_sha1sum, openid or account"):
        identifier_key({"name": "Ann"})


@pytest.mark.parametrize("domain", ["Example.org", "example.org", "EXAMPLE.ORG"])
def test_a_mailbox_identifies_by_the_hash_that_the_standard_asks_for(domain: str):
    """Whatever case the membership system writes the domain in (xAPI-Data 2.4.2.3)."""
    assert f"mbox_sha1sum:{BY_THE_STANDARD}" in member_keys([{"mbox": f"mailto:Bug.One@{domain}"}])


def test_a_mailbox_also_identifies_by_its_hashes():
    """A statement may carry the SHA-1 of the address in any usual case; each key comes once."""
    keys = member_keys([{"mbox": "mailto:Ann@Example.org"}, {"mbox_sha1sum": LOWER}, {"openid": "https://id.example"}])
    assert keys == (
        "mbox:mailto:ann@example.org",
        f"mbox_sha1sum:{AS_GIVEN}",
        f"mbox_sha1sum:{sha1(b'mailto:Ann@example.org').hexdigest()}",
        f"mbox_sha1sum:{LOWER}",
        "openid:https://id.example",
    )


@pytest.mark.parametrize(
    "group",
    [
        {"objectType": "Group", "member": [{"mbox": "mailto:ann@example.org"}]},
        {"objectType": "Group", "mbox": "mailto:team@example.org"},
    ],
)
def test_a_group_is_not_a_member(group: dict[str, Any]):
    """Neither an anonymous nor an identified Group has a key."""
    assert actor_key(group) is None


def test_a_tombstone_cannot_be_checked_without_the_secret():
    """It is no plain hash of the key, and another secret gives another one."""
    assert hashed("openid:x") == sha256(b"openid:x").hexdigest()
    assert len({hashed("openid:x"), tombstone(b"one", "openid:x"), tombstone(b"other", "openid:x")}) == 3
    assert tombstone(b"one", "openid:x") == tombstone(b"one", "openid:x")
