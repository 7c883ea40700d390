"""A facade says in a line what it is made of, and shows no secret."""

import pytest
from attrs import evolve

from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.bootstrap import make_container, make_facade, open_tollkeeper
from tollkeeper.infra.settings import Settings
from tollkeeper.infra.sync_facade import open_tollkeeper_sync

PEPPER = Secret("1f6fb2b8e6a94a5d9a38c70d2e4b51f00c9d77aa")
IN_MEMORY = Settings(environment="staging", store="memory://", transcribers={}, key_pepper=PEPPER)
SAID = (
    "staging store=memory cache=memory rate_limiter=memory lock=memory event_log=memory "
    "broadcast=memory telemetry=null "
    "schema_validator=jsonschema chat_models=offline:offline embedders=offline:offline "
    "transcribers="
)


@pytest.mark.anyio
async def test_a_facade_says_its_environment_and_its_adapters() -> None:
    async with open_tollkeeper(IN_MEMORY) as tk:
        assert repr(tk) == str(tk) == f"<Tollkeeper {SAID}>"
        assert tk.parts.environment == "staging"
        assert tk.parts.adapters["store"] == "memory"
        with pytest.raises(TypeError):
            tk.parts.adapters["store"] = "sqlite"  # type: ignore[index]


def test_the_blocking_facade_says_it_too() -> None:
    with open_tollkeeper_sync(IN_MEMORY) as tk:
        assert repr(tk) == f"<SyncTollkeeper {SAID}>"


def test_what_was_lent_stands_in_the_place_of_the_settings() -> None:
    lent = {"clock": MemoryClock(), "chat_models": {"house": MemoryChatModel()}}
    facade = make_facade(make_container(IN_MEMORY, **lent), **lent)  # type: ignore[arg-type]
    assert "chat_models=house:lent,offline:offline" in repr(facade)
    assert "clock=lent" in repr(facade)


def test_the_cipher_is_a_part_where_it_encrypts() -> None:
    settings = evolve(IN_MEMORY, key_encryption="keyring://./kek.keyring")
    parts = make_facade(make_container(settings)).parts.adapters
    assert (parts["cipher"], parts["key_encryption"]) == ("aes256-gcm", "keyring")


def test_no_secret_and_no_address_is_shown() -> None:
    settings = Settings(
        store="memory://",
        chat_models={"house": "openai+https://llm.internal.example/v1?connect_timeout=7"},
        api_keys={"house": Secret("sk-of-the-house")},
        key_pepper=PEPPER,
        transcribers={},
    )
    shown = repr(make_facade(make_container(settings)))
    assert "house:openai+https" in shown
    for hidden in ("internal", "sk-", PEPPER.reveal(), "connect_timeout", "//", "?", "@"):
        assert hidden not in shown
    assert len(shown) < 300
