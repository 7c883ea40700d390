"""What is wrong with the settings of keys, users, encryption and the audit log is said by name."""

from collections.abc import Mapping
from typing import Any

import pytest

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.settings import Settings

CANARY = "canary-7f3a91"
STRONG = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def faults(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Load what is wrong, and return what is said about it."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.load(environ={f"TOLLKEEPER_{name}": each for name, each in environ.items()})
    return refused.value.faults


WRONG: list[tuple[str, str, str]] = [
    ("ATTEMPTS_PER_CLIENT", "often", "attempts_per_client: 'often' is no rate limit"),
    ("ATTEMPTS_OVERALL", "0/minute", "attempts_overall: '0/minute' is no rate limit"),
    ("LIMIT_PROCESSES", "0", "limit_processes must be a whole number, 1 to 10000"),
    ("LIMIT_PROCESSES", "10001", "limit_processes must be a whole number, 1 to 10000"),
    ("KEY_CACHE_TTL", "301s", "key_cache_ttl must be 5 minutes at most"),
    ("KEY_PREFIX", "Tk_live", "key_prefix: a key prefix reads brand_environment"),
    ("AUDIT_KEY", CANARY, "audit_key is weak"),
    ("RETIRED_AUDIT_KEYS", CANARY, "one of retired_audit_keys is weak"),
    ("TOKEN_SECRET", CANARY, "token_secret is weak"),
    ("CIPHER", "rot13://", "cipher: no adapter is called rot13"),
    ("KEY_ENCRYPTION", "vault://", "key_encryption: no adapter is called vault"),
    ("TOKEN_VERIFIER", "saml://", "token_verifier: no adapter is called saml"),
    ("REPORT_VERIFIER", "nowhere", "report_verifier: an adapter is named by a URL"),
    ("TOKEN_ACCOUNT_CLAIM", "user_metadata.id", "token_account_claim: users write user_metadata"),
    ("TOKEN_ACCOUNT_CLAIM", "", "token_account_claim: a claim is named by"),
    ("TOKEN_SCOPES_CLAIM", "two words", "token_scopes_claim: a claim is named by"),
    ("TOKEN_ACCOUNT_PREFIX", "a b", "token_account_prefix: account_prefix is up to 64"),
    ("TOKEN_GRANTED_SCOPES", "chat", "token_granted_scopes: a scope must read resource:action"),
    ("TOKEN_ALLOWED_SCOPES", "chat:*", "token_allowed_scopes: a scope must read resource:action"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_each_fault_names_its_setting_and_shows_no_secret(name: str, value: str, said: str) -> None:
    (fault,) = faults({name: value})
    assert fault.startswith(said)
    assert CANARY not in fault


def test_all_faults_are_named_at_once() -> None:
    wrong = {name: value for name, value, _ in WRONG}
    said = faults(wrong)
    assert {name.lower() for name in wrong} == {
        name.lower() for name in wrong if any(name.lower() in fault for fault in said)
    }


def test_users_are_granted_no_more_than_they_are_allowed() -> None:
    wrong = {"TOKEN_GRANTED_SCOPES": "a:b c:d", "TOKEN_ALLOWED_SCOPES": "a:b"}
    assert faults(wrong) == (
        "token_granted_scopes: users are granted more than they are allowed: c:d",
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SECRET_SOURCE": "env://"}, ["audit_key is needed"]),
        ({"AUDIT_KEY": STRONG}, ["pepper_secret names a secret"]),
        (
            {"KEY_PEPPER": STRONG, "SECRET_SOURCE": "env://", "AUDIT_KEY": STRONG[::-1]},
            ["key_pepper and pepper_secret are both set"],
        ),
    ],
)
def test_a_pepper_in_a_secret_source_needs_what_goes_with_it(
    given: Mapping[str, str], said: list[str]
) -> None:
    found = faults({"PEPPER_SECRET": "KEY_PEPPER", **given})
    assert [fault[: len(start)] for fault, start in zip(found, said, strict=True)] == said


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_a_pepper_is_needed_where_keys_outlive_the_process(environment: str) -> None:
    with pytest.raises(ConfigurationError, match="key_pepper is needed in the environment"):
        Settings(environment=environment)
    with pytest.raises(ConfigurationError, match="a store that other processes share"):
        Settings(store="postgresql://127.0.0.1/tollkeeper")


def test_what_is_of_no_type_of_the_settings_is_named() -> None:
    wrong: Mapping[str, Any] = {
        "audit_key": STRONG,
        "retired_audit_keys": [STRONG],
        "pepper_secret": 5,
        "key_cache_ttl": 30,
        "attempts_per_client": "60/minute",
        "token_granted_scopes": "chat:complete",
        "token_account_claim": None,
        "key_encryption": 5,
    }
    with pytest.raises(ConfigurationError) as refused:
        Settings(**wrong)
    assert {fault.partition(" must be ")[0] for fault in refused.value.faults} == set(wrong)
    assert STRONG not in str(refused.value)


DEFAULT = Secret("super-secret-jwt-token-with-at-least-32-characters-long")


@pytest.mark.parametrize("name", ["key_pepper", "audit_key", "token_secret"])
def test_a_secret_that_stands_in_a_manual_stops_the_start(name: str) -> None:
    secrets: dict[str, Any] = {"key_pepper": Secret(STRONG), name: DEFAULT}
    with pytest.raises(ConfigurationError) as refused:
        Settings(environment="production", store="memory://", **secrets)
    (fault,) = refused.value.faults
    assert fault.startswith(f"{name} reads like a default that others know too")
    assert DEFAULT.reveal() not in fault
    assert Settings(environment="local", store="memory://", **secrets)  # a developer's own machine
