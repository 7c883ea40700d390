"""The ports that share one durable store."""

from typing import Protocol, runtime_checkable

from tollkeeper.ports.attempt_log import AttemptLog
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.credential_store import CredentialStore
from tollkeeper.ports.data_key_store import DataKeyStore
from tollkeeper.ports.key_store import KeyStore
from tollkeeper.ports.ledger import Ledger
from tollkeeper.ports.outbox import Outbox
from tollkeeper.ports.plan_store import PlanStore
from tollkeeper.ports.quota_counter import QuotaCounter
from tollkeeper.ports.usage_log import UsageLog


@runtime_checkable
class Store(Protocol):
    """One place for all that must never be lost; what each part writes, the others see."""

    @property
    def key_store(self) -> KeyStore:
        """Where API keys live."""

    @property
    def ledger(self) -> Ledger:
        """Who has how much."""

    @property
    def usage_log(self) -> UsageLog:
        """What was used; the ledger's captures append to it."""

    @property
    def plan_store(self) -> PlanStore:
        """Where plans live."""

    @property
    def audit_log(self) -> AuditLog:
        """Who changed what."""

    @property
    def attempt_log(self) -> AttemptLog:
        """What was asked of providers; the ledger appends to it."""

    @property
    def outbox(self) -> Outbox:
        """What must be delivered."""

    @property
    def quota_counter(self) -> QuotaCounter:
        """How much each key has used of its quota."""

    @property
    def data_key_store(self) -> DataKeyStore:
        """Where the data keys of accounts live, wrapped."""

    @property
    def credential_store(self) -> CredentialStore:
        """Where accounts' own provider credentials live, encrypted."""
