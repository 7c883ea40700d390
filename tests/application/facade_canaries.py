"""A facade in which every secret is a canary, and every call of it, to be made to fail."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from cryptography.hazmat.primitives.asymmetric import ec

from tests.adapters.test_cryptography_report_verifier import pem, publish
from tests.application.world import EVERYTHING, settings_in
from tests.servers.http_player import Play, SeenRequest, http_player
from tollkeeper import (
    Money,
    Plan,
    Principal,
    Secret,
    Tollkeeper,
    open_tollkeeper,
)
from tollkeeper.adapters.cryptography.keyring_file import new_keyring
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.contracts.token_verifier import AUDIENCE, ISSUER
from tollkeeper.domain.errors import Unavailable
from tollkeeper.infra.settings import Settings
from tollkeeper.ports.store import Store

ACCOUNT = "acme"
MODEL = "tokens/m"
SCOPES = EVERYTHING | {
    *("keys:read", "keys:write"),
    *("credentials:read", "credentials:write", "credentials:use"),
}
PRINCIPAL = Principal(ACCOUNT, SCOPES)
PARTS = tuple(name for name in vars(Store) if not name.startswith("_"))


def canary(kind: str) -> Secret:
    """Make a secret like no other; *kind* says in a failing test what it is."""
    return Secret(f"sk-{kind}-{os.urandom(24).hex()}")


@define
class Outage:
    """Which call to the store fails, and which calls there were."""

    broken: str = ""
    calls: list[str] = field(factory=list)


@frozen
class Part:
    """One port of a store; where it is *broken* it fails after its work, as a database does."""

    inner: Any
    name: str
    outage: Outage

    def __getattr__(self, method: str) -> Any:
        found = getattr(self.inner, method)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            answer = await found(*args, **kwargs)
            called = f"{self.name}.{method}"
            self.outage.calls.append(called)
            if called != self.outage.broken:
                return answer
            try:
                raise OSError(f"broken pipe: {method}{args}{kwargs} -> {answer}")
            except OSError as error:
                raise Unavailable("away", port=self.name, adapter="test") from error

        return call


class BrokenStore:
    """A store whose parts fail as *outage* says."""

    def __init__(self, store: Any, outage: Outage) -> None:
        for name in PARTS:
            setattr(self, name, Part(getattr(store, name), name, outage))


@define
class Guarded:
    """A facade full of secrets, and what must show none of them."""

    tk: Tollkeeper
    settings: Settings
    outage: Outage
    report_key: ec.EllipticCurvePrivateKey
    user_secret: Secret
    canaries: list[str]
    places: list[object]
    made: int = 0

    def hide(self, secret: Secret) -> Secret:
        """Look for *secret* in the end."""
        self.canaries.append(secret.reveal())
        return secret


def _echo(request: SeenRequest) -> Play:
    """Refuse the credential, and repeat it, as providers do."""
    said = {"error": {"message": f"Incorrect API key provided: {request.headers}"}}
    return Play((json.dumps(said).encode(),), status=401)


@asynccontextmanager
async def open_guarded(folder: Path, **more: Any) -> AsyncIterator[Guarded]:
    """Open a facade on SQLite in *folder* with every secret there is; *more* are settings."""
    report_key = ec.generate_private_key(ec.SECP256R1())
    publish(folder / "reporters.json", {"key-1": pem(report_key.public_key())}, age=60)
    new_keyring(folder / "kek.keyring", at=datetime.now(UTC))
    keyring = (folder / "kek.keyring").read_text()
    secrets: dict[str, Any] = {
        "key_pepper": canary("pepper"),
        "retired_key_peppers": (canary("former-pepper"),),
        "audit_key": canary("audit"),
        "retired_audit_keys": (canary("former-audit"),),
        "token_secret": canary("users"),
        "api_keys": {"tokens": canary("house")},
    }
    outage = Outage()
    with http_player(_echo) as player:
        url = f"openai+{player.origin}/v1"
        settings = settings_in(
            folder,
            telemetry=f"jsonl://{folder}/spans.jsonl",
            key_encryption=f"keyring://{folder}/kek.keyring",
            token_verifier=f"jwt+hs256://?issuer={ISSUER}&audience={AUDIENCE}",
            token_granted_scopes=["chat:complete"],
            report_verifier=f"report-keys://{folder}/reporters.json",
            chat_models={"tokens": url},
            embedders={"tokens": url},
            tries=1,
            **{**secrets, **more},
        )
        async with AsyncExitStack() as stack:
            sqlite = SqliteStore.from_url(f"sqlite:///{folder}/guarded.db")
            store: Any = BrokenStore(await stack.enter_async_context(sqlite), outage)
            tk = await stack.enter_async_context(open_tollkeeper(settings, store=store))
            texts = [*_texts(secrets), *_keys_of(keyring)]
            guarded = Guarded(tk, settings, outage, report_key, secrets["token_secret"], texts, [])
            await tk.grant_credit(
                account=ACCOUNT, amount=Money.of("9", "USD"), idempotency_key="first"
            )
            await tk.define_plan(Plan("pro"))
            yield guarded


def _texts(secrets: Mapping[str, Any]) -> list[str]:
    flat: list[Any] = []
    for each in secrets.values():
        flat += each.values() if isinstance(each, dict) else each if type(each) is tuple else [each]
    return [secret.reveal() for secret in flat]


def _keys_of(keyring: str) -> list[str]:
    """Return the keys in a keyring: what is 32 bytes in base64."""
    return re.findall(r"(?<![\w+/-])[\w+/-]{43}=?", keyring)
