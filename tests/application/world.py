"""A facade to test use cases with: real adapters, prices that make the sums easy to follow."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from tollkeeper import Money, Principal, Secret, Settings, Tollkeeper, open_tollkeeper

EVERYTHING = frozenset({"chat:complete", "audio:transcribe", "embeddings:create"})
PRICES = """
version = "test"

[[prices]]
model = "offline/*"
effective_from = 2000-01-01
source = "one cent a call: what is held is what is charged"
requests = "0.01 per 1"

[[prices]]
model = "tokens/*"
effective_from = 2000-01-01
source = "one micro-dollar a token read, two a token written"
input_tokens = "0.000001 per 1"
output_tokens = "0.000002 per 1"

[[prices]]
model = "spare/*"
effective_from = 2000-01-01
source = "ten times as much"
input_tokens = "0.00001 per 1"
output_tokens = "0.00002 per 1"

[[prices]]
model = "foreign/*"
effective_from = 2000-01-01
source = "in another currency"
currency = "EUR"
input_tokens = "0.000001 per 1"
output_tokens = "0.000002 per 1"

[[prices]]
model = "sound/*"
effective_from = 2000-01-01
source = "a cent a second"
audio_milliseconds = "0.01 per 1000"
"""


PEPPER = Secret("0123456789abcdef" * 4)
"""One for all: processes that share a store need the same."""


@frozen
class World:
    """A facade, an account with credit, and who calls for it."""

    tk: Tollkeeper
    principal: Principal

    async def grant(self, amount: str) -> None:
        """Give the account *amount* more."""
        await self.tk.grant_credit(
            account=self.principal.account,
            amount=Money.of(amount, "USD"),
            idempotency_key=f"grant of {amount}",
        )

    async def balance(self) -> tuple[str, str]:
        """Return what is posted and what is held."""
        report = await self.tk.report_usage(account=self.principal.account)
        return report.balances[0].posted.amount, report.balances[0].held.amount


def settings_in(folder: Path, *, store: str = "memory://", **more: object) -> Settings:
    """Make settings with the prices of these tests."""
    prices = folder / "prices.toml"
    prices.write_text(PRICES)
    more = {"transcribers": {}, "embedders": {}, "key_pepper": PEPPER, **more}
    return Settings(environment="test", store=store, price_book=str(prices), **more)  # type: ignore[arg-type]


@asynccontextmanager
async def open_world(
    folder: Path,
    *,
    store: str = "memory://",
    credit: str = "1.00",
    options: Mapping[str, object] | None = None,
    **lent: Any,
) -> AsyncIterator[World]:
    """Open a facade on the *store* of that URL with an account that has *credit*.

    *options* are further settings.
    """
    settings = settings_in(folder, store=store, **(options or {}))
    async with open_tollkeeper(settings, **lent) as tk:
        world = World(tk, Principal(account="acme", scopes=EVERYTHING))
        if credit != "0":
            await world.grant(credit)
        yield world
