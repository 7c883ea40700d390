"""A principal may do what its scopes name, and nothing else."""

import pytest

from tollkeeper.domain.errors import InvalidRequest, PermissionDenied
from tollkeeper.domain.principals import Principal


def test_a_scope_that_is_there_is_allowed() -> None:
    principal = Principal("acme", frozenset({"chat:complete", "audio:transcribe"}), "key-1")
    principal.require("chat:complete")
    principal.require("audio:transcribe")
    assert principal.key_id == "key-1"


@pytest.mark.parametrize("scope", ["chat:stream", "chat:*", "*", "chat", "", "CHAT:COMPLETE"])
def test_a_scope_that_is_not_there_is_refused(scope: str) -> None:
    with pytest.raises(PermissionDenied) as refused:
        Principal("acme", frozenset({"chat:complete"})).require(scope)
    assert refused.value.code == "missing_scope"


def test_scopes_are_kept_apart_from_the_set_they_came_in() -> None:
    scopes = {"chat:complete"}
    principal = Principal("acme", scopes)
    scopes.add("keys:write")
    assert principal.scopes == frozenset({"chat:complete"})


@pytest.mark.parametrize("account", ["", "a b", "-a", "x" * 129, None, 5, "a\n", "ä"], ids=repr)
def test_an_account_is_a_name(account: str) -> None:
    with pytest.raises(InvalidRequest):
        Principal(account, frozenset({"chat:complete"}))


@pytest.mark.parametrize(
    "scopes", ["chat:complete", set(), {"chat"}, {"chat:*"}, {5}, None, {"a:b": 1}, 5], ids=repr
)
def test_scopes_are_a_set_of_names(scopes: frozenset[str]) -> None:
    with pytest.raises(InvalidRequest):
        Principal("acme", scopes)


@pytest.mark.parametrize("key_id", [None, 5, "a\nb", b"key"], ids=repr)
def test_a_key_id_is_text(key_id: str) -> None:
    with pytest.raises(InvalidRequest):
        Principal("acme", frozenset({"chat:complete"}), key_id)
