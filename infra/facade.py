"""The one door for hosts: an object whose attributes are the use cases."""

from collections.abc import Mapping
from types import MappingProxyType

from attrs import field, frozen

from tollkeeper.application.account_credentials import CredentialsOf
from tollkeeper.application.authenticate_key import AuthenticateKey
from tollkeeper.application.authenticate_user import AuthenticateUser
from tollkeeper.application.bind_credential import BindCredential
from tollkeeper.application.broadcasts import Broadcasts
from tollkeeper.application.cached_values import CachedValues
from tollkeeper.application.charge_usage import ChargeUsage
from tollkeeper.application.check_health import CheckHealth
from tollkeeper.application.complete import Complete
from tollkeeper.application.delete_key import DeleteKey
from tollkeeper.application.embed import Embed
from tollkeeper.application.event_logs import EventLogs
from tollkeeper.application.expire_holds import ExpireHolds
from tollkeeper.application.forget_account import ForgetAccount
from tollkeeper.application.get_key import GetKey
from tollkeeper.application.grant_credit import GrantCredit
from tollkeeper.application.issue_key import IssueKey
from tollkeeper.application.list_attempts import ListAttempts
from tollkeeper.application.list_audit import ListAudit
from tollkeeper.application.list_entries import ListEntries
from tollkeeper.application.list_keys import ListKeys
from tollkeeper.application.locks import Locks
from tollkeeper.application.manage_plans import DefinePlan, SubscribeAccount
from tollkeeper.application.outbox_messages import OutboxMessages
from tollkeeper.application.own_keys import KeysOf
from tollkeeper.application.report_leaked_keys import ReportLeakedKeys
from tollkeeper.application.report_usage import ReportUsage
from tollkeeper.application.revoke_key import RevokeKey
from tollkeeper.application.rotate_encryption import RotateEncryption
from tollkeeper.application.rotate_key import RotateKey
from tollkeeper.application.run_tools import RunTools
from tollkeeper.application.seal_keys import SealKeys
from tollkeeper.application.stream_completion import StreamCompletion
from tollkeeper.application.switch_key import DisableKey, EnableKey
from tollkeeper.application.transcribe import Transcribe
from tollkeeper.application.update_key import UpdateKey
from tollkeeper.application.verify_audit import VerifyAudit
from tollkeeper.domain.catalogue import Catalogue
from tollkeeper.domain.price_book import PriceBook
from tollkeeper.ports.tables import Tables


def _kept(adapters: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(adapters))


@frozen
class Parts:
    """What a facade is made of: its *environment*, and by port the *adapters* in use.

    An adapter is named by the scheme of its URL, or ``lent``; where a port has one for each
    provider, all of them stand there. No URL is kept, so that none can be shown.
    """

    environment: str
    adapters: Mapping[str, str] = field(converter=_kept)

    def __str__(self) -> str:
        return " ".join([self.environment, *(f"{p}={name}" for p, name in self.adapters.items())])


@frozen(repr=False)
class Tollkeeper:
    """Every use case, wired: ``await tk.complete(…)``.

    Made by :func:`open_tollkeeper`; works while its block is open.
    """

    issue_key: IssueKey
    authenticate_key: AuthenticateKey
    authenticate_user: AuthenticateUser
    get_key: GetKey
    list_keys: ListKeys
    update_key: UpdateKey
    disable_key: DisableKey
    enable_key: EnableKey
    revoke_key: RevokeKey
    delete_key: DeleteKey
    rotate_key: RotateKey
    seal_keys: SealKeys
    report_leaked_keys: ReportLeakedKeys
    keys: KeysOf
    grant_credit: GrantCredit
    complete: Complete
    embed: Embed
    run_tools: RunTools
    bind_credential: BindCredential
    credentials: CredentialsOf
    forget_account: ForgetAccount
    rotate_encryption: RotateEncryption
    stream_completion: StreamCompletion
    transcribe: Transcribe
    charge_usage: ChargeUsage
    report_usage: ReportUsage
    list_entries: ListEntries
    list_attempts: ListAttempts
    list_audit: ListAudit
    verify_audit: VerifyAudit
    expire_holds: ExpireHolds
    check_health: CheckHealth
    cache: CachedValues
    locks: Locks
    events: EventLogs
    outbox: OutboxMessages
    broadcast: Broadcasts
    tables: Tables
    define_plan: DefinePlan
    subscribe_account: SubscribeAccount
    price_book: PriceBook
    catalogue: Catalogue
    parts: Parts

    def __repr__(self) -> str:
        return f"<Tollkeeper {self.parts}>"
