"""Things of the domain that the suites store: valid, unlike one another, named by chance."""

import uuid
from datetime import datetime, timedelta

from tollkeeper.domain.api_keys import ApiKey, KeySecret
from tollkeeper.domain.attempts import Attempt, Billed, Outcome, Settlement
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent

ODD_TEXT = 'Ünïcode ✓ \'; DROP TABLE entries; -- "%s" {0} \\ 🚀'
"""Text that a store which pastes or re-encodes text does not give back."""


def new_id(kind: str) -> str:
    """Name something that no store has seen before."""
    return f"{kind}_{uuid.uuid4().hex}"


def usd(amount: str | int) -> Money:
    """Write *amount* whole US dollars."""
    return Money.of(amount, "USD")


def a_usage_event(
    account: str,
    *,
    at: datetime,
    id: str | None = None,  # noqa: A002 - the field's own name
    quantity: int = 10,
    charge: Money | None = None,
    meter: Meter = Meter.INPUT_TOKENS,
    model: str = "offline/echo",
    operation: str = "chat:complete",
    provenance: Provenance = Provenance.REPORTED,
) -> UsageEvent:
    """Measure something that costs nothing, unless *charge* says otherwise."""
    charge = charge if charge is not None else usd(0)
    call_id = new_id("call")
    return UsageEvent(
        id=id or f"{call_id}:{meter}",
        account=account,
        key_id="key_of_the_contract",
        call_id=call_id,
        operation=operation,
        model=model,
        meter=meter,
        quantity=quantity,
        provenance=provenance,
        cost=charge,
        charge=charge,
        price_id="offline/echo@2001-01-01",
        occurred_at=at,
    )


def an_attempt(
    account: str,
    *,
    at: datetime,
    id: str | None = None,  # noqa: A002 - the field's own name
    call_id: str | None = None,
    number: int = 1,
) -> Attempt:
    """Ask a provider once, and get an answer."""
    call_id = call_id or new_id("call")
    return Attempt(
        id=id or f"{call_id}#{number}",
        call_id=call_id,
        account=account,
        number=number,
        provider="offline",
        model="offline/echo",
        credential="default",
        started_at=at,
        lasted=timedelta(seconds=1),
        outcome=Outcome.ANSWERED,
        billed=Billed.YES,
        settlement=Settlement.CHARGED,
        provenance=Provenance.REPORTED,
        quantities={Meter.REQUESTS: 1, Meter.INPUT_TOKENS: 10},
        cost=usd("0.01"),
        price_id="offline/echo@2001-01-01",
    )


def an_audit_entry(account: str, *, at: datetime, action: str = "contract.run") -> AuditEntry:
    """Say that the suite did *action*."""
    return AuditEntry(
        id=new_id("audit"),
        at=at,
        account=account,
        actor="contract",
        action=action,
        subject="contract",
        details={"because": ODD_TEXT},
    )


def a_key_secret(*, at: datetime, lives: timedelta | None = None) -> KeySecret:
    """Make what a store keeps of a secret."""
    random = uuid.uuid4()
    return KeySecret(
        kid=random.hex[:16],
        verifier=random.bytes * 2,
        pepper_id=random.hex[20:],
        not_before=at,
        not_after=None if lives is None else at + lives,
    )


def an_api_key(account: str, *, at: datetime, name: str = "a key") -> ApiKey:
    """Make a key with one secret."""
    return ApiKey(
        id=new_id("key"),
        account=account,
        name=name,
        scopes=frozenset({"chat:complete", "audio:transcribe"}),
        prefix="tk_test",
        secrets=(a_key_secret(at=at),),
        created_at=at,
    )
