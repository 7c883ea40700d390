"""Things of the domain that the suites store: valid, unlike one another, named by chance."""

import uuid
from datetime import datetime, timedelta
from ipaddress import ip_network

from tollkeeper.domain.api_keys import ApiKey, KeySeal, KeySecret
from tollkeeper.domain.attempts import Attempt, Billed, Outcome, Settlement
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.encryption import AES_256_GCM, DataKey, DataKeyState, WrappedKey
from tollkeeper.domain.key_limits import KeyLimit, OnOutage, Quota, QuotaPeriod
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.rate_limits import RateLimit
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


def a_full_api_key(account: str, *, at: datetime) -> ApiKey:
    """Make a key that has something in every field, but that it is not revoked."""
    return ApiKey(
        id=new_id("key"),
        account=account,
        name=ODD_TEXT,
        scopes=frozenset({"chat:complete", "audio:transcribe", "mail:send"}),
        prefix="tk_test",
        secrets=(a_key_secret(at=at), a_key_secret(at=at, lives=timedelta(days=1))),
        created_at=at + timedelta(microseconds=123_456),
        expires_at=at + timedelta(days=365, microseconds=1),
        description=f"{ODD_TEXT} " * 3,
        disabled_at=at + timedelta(hours=1, microseconds=7),
        limits=(
            KeyLimit(RateLimit(7, timedelta(milliseconds=1)), OnOutage.OPEN),
            KeyLimit(RateLimit(60, timedelta(seconds=90, microseconds=1)), OnOutage.LOCAL),
            KeyLimit(RateLimit(999_999_999, timedelta(days=365)), OnOutage.CLOSED),
        ),
        quota=Quota(10**18 - 1, QuotaPeriod.DAY),
        networks=tuple(
            map(
                ip_network,
                ("203.0.113.7/32", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "::1/128"),
            )
        ),
        metadata={"team": "search", ODD_TEXT: ODD_TEXT, "empty": "", "a": "[1, null]"},
        seal=KeySeal("pepper-of-the-contract", bytes(range(32))),
    )


def a_data_key(
    account: str,
    *,
    at: datetime,
    id: str | None = None,  # noqa: A002 - the field's own name
    state: DataKeyState = DataKeyState.PRIMARY,
) -> DataKey:
    """Make a data key, wrapped as if by a key-encryption key."""
    random = uuid.uuid4()
    return DataKey(
        id=id or new_id("dek"),
        account=account,
        algorithm=AES_256_GCM,
        wrapped=WrappedKey("local/2001-01", random.bytes * 4),
        commitment=random.bytes,
        state=state,
        created_at=at,
    )


def a_stored_credential(
    account: str,
    *,
    at: datetime,
    data_key_id: str,
    id: str | None = None,  # noqa: A002 - the field's own name
    label: str = "default",
) -> StoredCredential:
    """Make a credential, sealed as if under the data key."""
    return StoredCredential(
        id=id or new_id("credential"),
        account=account,
        provider="openai",
        base_url="https://api.example.com/v1",
        label=label,
        sealed=b"\x01\x01" + uuid.uuid4().bytes * 4,
        data_key_id=data_key_id,
        created_at=at,
    )
