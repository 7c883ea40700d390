"""What of one facade has to do with keys, plans and the audit log."""

from dependency_injector import providers

from tollkeeper.application.account_credentials import CredentialsOf
from tollkeeper.application.audit_trail import AuditTrail
from tollkeeper.application.authenticate_key import AuthenticateKey
from tollkeeper.application.authenticate_user import AuthenticateUser
from tollkeeper.application.bind_credential import BindCredential
from tollkeeper.application.data_key_news import DataKeyNews
from tollkeeper.application.delete_key import DeleteKey
from tollkeeper.application.forget_account import ForgetAccount
from tollkeeper.application.get_key import GetKey
from tollkeeper.application.issue_key import IssueKey
from tollkeeper.application.key_changes import KeyChanges
from tollkeeper.application.key_minting import KeyMint
from tollkeeper.application.key_news import KeyNews
from tollkeeper.application.key_reads import KeyReads
from tollkeeper.application.key_renewal import KeyRenewal
from tollkeeper.application.key_upkeep import KeyUpkeep
from tollkeeper.application.key_uses import KeyUses
from tollkeeper.application.known_keys import KnownKeys
from tollkeeper.application.leaked_keys import LeakedKeysOfStore
from tollkeeper.application.list_audit import ListAudit
from tollkeeper.application.list_keys import ListKeys
from tollkeeper.application.manage_plans import DefinePlan, SubscribeAccount
from tollkeeper.application.own_keys import KeysOf, KeyUseCases
from tollkeeper.application.refusals import Refusals
from tollkeeper.application.report_leaked_keys import ReportLeakedKeys
from tollkeeper.application.revoke_key import RevokeKey
from tollkeeper.application.rotate_encryption import RotateEncryption
from tollkeeper.application.rotate_key import RotateKey
from tollkeeper.application.seal_keys import SealKeys
from tollkeeper.application.switch_key import DisableKey, EnableKey
from tollkeeper.application.update_key import UpdateKey
from tollkeeper.application.verify_audit import VerifyAudit
from tollkeeper.infra import access
from tollkeeper.infra.access_settings import claims_rule
from tollkeeper.infra.container_ports import Ports


class Access(Ports):
    """Who may do what, on the ports of one facade."""

    peppers = providers.ThreadSafeSingleton(
        access.peppers, Ports.settings, Ports.secret_source, Ports.clock
    )
    trail = providers.ThreadSafeSingleton(
        AuditTrail,
        Ports.audit_log,
        Ports.clock,
        Ports.identifiers,
        providers.Callable(access.audit_keys, Ports.settings, peppers),
    )
    known_keys = providers.ThreadSafeSingleton(
        KnownKeys, providers.Callable(access.key_cache_ttl, Ports.settings, Ports.lent_names)
    )
    key_uses = providers.ThreadSafeSingleton(KeyUses, Ports.key_store)
    refusals = providers.ThreadSafeSingleton(Refusals, trail)
    key_upkeep = providers.ThreadSafeSingleton(
        KeyUpkeep, known_keys, Ports.broadcast, key_uses, refusals, peppers
    )
    mint = providers.ThreadSafeSingleton(
        KeyMint,
        Ports.identifiers,
        Ports.settings.provided.key_prefix,
        peppers,
    )
    key_news = providers.Factory(KeyNews, known_keys, Ports.broadcast)
    key_changes = providers.Factory(KeyChanges, Ports.key_store, mint, trail, Ports.clock, key_news)
    key_reads = providers.ThreadSafeSingleton(
        KeyReads, Ports.key_store, mint, known_keys, Ports.clock
    )

    issue_key = providers.Factory(
        IssueKey, Ports.key_store, mint, trail, Ports.clock, Ports.identifiers, key_news
    )
    authenticate_key = providers.Factory(
        AuthenticateKey,
        key_reads,
        mint,
        Ports.clock,
        providers.ThreadSafeSingleton(access.attempt_limits, Ports.settings, Ports.clock),
        refusals,
        key_uses,
        providers.Factory(KeyRenewal, Ports.key_store, mint, trail, key_news),
    )
    get_key = providers.Factory(GetKey, Ports.key_store, Ports.quota_counter, Ports.clock)
    list_keys = providers.Factory(ListKeys, Ports.key_store)
    update_key = providers.Factory(UpdateKey, key_changes)
    disable_key = providers.Factory(DisableKey, key_changes)
    enable_key = providers.Factory(EnableKey, key_changes)
    revoke_key = providers.Factory(RevokeKey, key_changes)
    delete_key = providers.Factory(DeleteKey, key_changes)
    rotate_key = providers.Factory(RotateKey, key_changes, mint, Ports.clock)
    seal_keys = providers.Factory(SealKeys, Ports.key_store, mint, trail, key_news, Ports.clock)
    keys = providers.Factory(
        KeysOf,
        providers.Factory(
            KeyUseCases,
            issue=issue_key,
            get=get_key,
            list=list_keys,
            update=update_key,
            disable=disable_key,
            enable=enable_key,
            revoke=revoke_key,
            delete=delete_key,
            rotate=rotate_key,
        ),
    )
    list_audit = providers.Factory(ListAudit, Ports.audit_log)
    verify_audit = providers.Factory(VerifyAudit, Ports.audit_log, trail.provided.keys)
    define_plan = providers.Factory(DefinePlan, Ports.plan_store, trail)
    subscribe_account = providers.Factory(SubscribeAccount, Ports.plan_store, trail, Ports.clock)
    report_leaked_keys = providers.Factory(
        ReportLeakedKeys,
        Ports.report_verifier,
        providers.Factory(LeakedKeysOfStore, Ports.key_store, mint, revoke_key),
        Ports.clock,
    )
    authenticate_user = providers.Factory(
        AuthenticateUser,
        Ports.token_verifier,
        providers.Callable(claims_rule, Ports.settings),
    )
    data_keys = providers.ThreadSafeSingleton(
        access.data_keys,
        Ports.settings,
        Ports.key_encryption,
        Ports.cipher.provider,
        Ports.data_key_store,
        trail,
        Ports.clock,
        Ports.identifiers,
    )
    data_key_news = providers.ThreadSafeSingleton(DataKeyNews, data_keys, Ports.broadcast)
    account_cipher = providers.Factory(access.account_cipher, data_keys)
    bind_credential = providers.Factory(BindCredential, Ports.chat_models, Ports.embedders)
    credentials = providers.Factory(
        CredentialsOf,
        Ports.credential_store,
        account_cipher,
        bind_credential,
        trail,
        Ports.clock,
        Ports.identifiers,
    )
    forget_account = providers.Factory(ForgetAccount, Ports.credential_store, data_key_news, trail)
    rotate_encryption = providers.Factory(
        RotateEncryption,
        Ports.data_key_store,
        Ports.credential_store,
        data_keys,
        trail,
        data_key_news,
    )
