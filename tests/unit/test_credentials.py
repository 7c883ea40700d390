"""A credential is bound to one place, and shows itself nowhere else."""

import copy
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import CredentialsRefused, InvalidRequest
from tollkeeper.domain.secret import Secret

TEXT = "sk-hidden-0123456789"
OPENAI = "https://api.openai.com/v1"
CREDENTIAL = Credential("openai", OPENAI, Secret(TEXT))
PLACES = st.sampled_from(
    [
        *("openai", "groq", "openai ", "OpenAI", "", OPENAI, f"{OPENAI}/", f"{OPENAI}/x"),
        *(
            "https://api.openai.com",
            "http://api.openai.com/v1",
            "https://api.openai.com.evil.io/v1",
        ),
        *("https://api.openai.com:8443/v1", "https://evil.io/?https://api.openai.com/v1"),
    ]
)


def credential(**changes: Any) -> Credential:
    return attrs.evolve(CREDENTIAL, **changes)


def shown(error: BaseException) -> str:
    """Show the error as a log with local values would, without the frame of the test itself."""
    assert error.__traceback__ is not None
    inside = error.__traceback__.tb_next
    told = traceback.TracebackException(type(error), error, inside, capture_locals=True)
    return "".join(told.format())


def test_it_is_revealed_to_the_place_that_it_is_bound_to() -> None:
    for base_url in (OPENAI, f"{OPENAI}/"):
        place = {"provider": "openai", "base_url": base_url, "adapter": "openai"}
        assert CREDENTIAL.revealed_to(**place) == TEXT
        assert credential(base_url=f"{OPENAI}/").revealed_to(**place) == TEXT


@given(PLACES, PLACES)
def test_it_is_revealed_to_no_other_place(provider: str, base_url: str) -> None:
    if provider == "openai" and base_url.rstrip("/") == OPENAI:
        assert CREDENTIAL.is_for(provider, base_url)
        return
    assert not CREDENTIAL.is_for(provider, base_url)
    with pytest.raises(CredentialsRefused) as refused:
        CREDENTIAL.revealed_to(provider=provider, base_url=base_url, adapter="litellm")
    error = refused.value
    assert (error.code, error.port, error.adapter) == (
        "credential_bound_elsewhere",
        "chat_model",
        "litellm",
    )
    assert not error.retryable
    assert not error.ambiguous
    assert TEXT not in shown(error)


SHOWN_BY: dict[str, Callable[[], object]] = {
    "repr": lambda: repr(CREDENTIAL),
    "str": lambda: str(CREDENTIAL),
    "format": lambda: f"{CREDENTIAL}",
    "its parts": lambda: attrs.asdict(CREDENTIAL),
    "a list": lambda: [CREDENTIAL],
    "a copy": lambda: copy.copy(CREDENTIAL),
}


@pytest.mark.parametrize("show", SHOWN_BY.values(), ids=SHOWN_BY)
def test_nothing_shows_the_secret(show: Callable[[], object]) -> None:
    assert TEXT not in f"{show()} {show()!r}"


def test_its_repr_names_what_it_is_for() -> None:
    assert repr(credential(label="pool-2")) == (
        f"Credential(provider='openai', base_url='{OPENAI}', label='pool-2')"
    )


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_does_not_leave_the_process(protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(CREDENTIAL, protocol)
    with pytest.raises(TypeError):
        copy.deepcopy(CREDENTIAL)


def test_it_is_a_tenants_unless_it_says_otherwise() -> None:
    assert CREDENTIAL.label == "tenant"
    assert credential() == CREDENTIAL
    assert credential(secret=Secret("sk-other")) != CREDENTIAL
    assert len({CREDENTIAL, credential(), credential(label="default")}) == 2


@pytest.mark.parametrize("secret", [Secret(""), None, "", TEXT, TEXT.encode()], ids=repr)
def test_a_secret_that_is_empty_or_bare_is_refused(secret: object) -> None:
    with pytest.raises(InvalidRequest, match="the credential for openai is empty") as refused:
        credential(secret=secret)
    assert refused.value.code == "empty_credential"


@pytest.mark.parametrize(
    "text",
    [
        f"{TEXT}\n",
        f" {TEXT}",
        f"{TEXT} x",
        f"{TEXT}\r\nX-Admin: 1",
        f"{TEXT}\0",
        f"{TEXT}é",
        f"\ufeff{TEXT}",
        f"{TEXT}\ud83d",
    ],
    ids=ascii,
)
def test_a_secret_that_no_header_can_hold_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(InvalidRequest, match="copy it again") as refused:
        credential(secret=Secret(text))
    assert refused.value.code == "invalid_credential"
    assert TEXT not in shown(refused.value)


@pytest.mark.parametrize("place", ["", None, 5, b"openai"], ids=repr)
def test_a_credential_for_nowhere_is_refused(place: str) -> None:
    for changes in ({"provider": place}, {"base_url": place}):
        with pytest.raises(InvalidRequest, match="is bound to a provider and its base URL"):
            credential(**changes)
