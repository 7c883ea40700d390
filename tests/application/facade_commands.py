"""Every call of a facade full of secrets, with arguments that are good."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.adapters.test_cryptography_report_verifier import signed as report_signed
from tests.application.facade_canaries import ACCOUNT, MODEL, PRINCIPAL, Guarded, canary
from tests.canary import canaries_of_token
from tests.servers.jwks_server import signed
from tollkeeper import KeyLimit, Money, Plan, Quota, Secret, Tollkeeper, ToolFunction, user
from tollkeeper.contracts.token_verifier import claims_at
from tollkeeper.domain.tools import Tool

Command = tuple[Callable[..., Awaitable[object]], dict[str, Any]]


async def commands(guarded: Guarded) -> dict[str, Command]:
    """Make every call with arguments that are good; what it needs is made before."""
    tk, guarded.made = guarded.tk, guarded.made + 1
    number = str(guarded.made)
    issued = await tk.issue_key(
        account=ACCOUNT, scopes={"chat:complete"}, name="web", quota=Quota(9)
    )
    token = issued.token.reveal()
    guarded.canaries += canaries_of_token(token)
    guarded.places += [issued]
    own = tk.credentials.of(PRINCIPAL)
    kept = await own.store(provider="tokens", label=number, secret=guarded.hide(canary("tenant")))
    loaded = await own.load(kept.id)
    guarded.places += [kept, loaded]
    claims = claims_at(datetime.now(UTC))
    user_token = Secret(signed(claims, "HS256", guarded.user_secret.reveal().encode(), {}))
    guarded.canaries.append(user_token.reveal()[-40:])
    report = json.dumps([{"token": token, "type": "t", "url": "u", "source": "s"}]).encode()
    key = {"account": ACCOUNT, "key_id": issued.key.id, "issuer": None}
    of = {**key, "actor": "host"}
    profile = {
        "name": "web",
        "description": "",
        "scopes": {"chat:complete"},
        "expires_at": None,
        "limits": [KeyLimit.parse("60/minute")],
        "quota": Quota(1000),
        "networks": ["10.0.0.0/8"],
        "metadata": {"a": "b"},
    }
    chat = {"principal": PRINCIPAL, "model": MODEL, "messages": [user("hello")]}
    chat["credentials"] = [loaded]
    keys = tk.keys.of(PRINCIPAL)
    own_key = {"key_id": issued.key.id}
    return {
        "issue_key": (
            tk.issue_key,
            {"account": ACCOUNT, "expires_in": None, "issuer": None, "actor": "a", **profile},
        ),
        "authenticate_key": (tk.authenticate_key, {"token": token, "client_address": None}),
        "authenticate_user": (tk.authenticate_user, {"token": user_token}),
        "get_key": (tk.get_key, key),
        "get_key.quota_use": (tk.get_key.quota_use, key),
        "list_keys": (
            tk.list_keys,
            {"account": ACCOUNT, "limit": 1, "after": issued.key.id, "issuer": None},
        ),
        "update_key": (tk.update_key, {**of, **profile}),
        "disable_key": (tk.disable_key, of),
        "enable_key": (tk.enable_key, of),
        "revoke_key": (tk.revoke_key, of),
        "delete_key": (tk.delete_key, of),
        "rotate_key": (tk.rotate_key, {**of, "overlap": timedelta(1), "compromised": False}),
        "seal_keys": (tk.seal_keys, {"actor": "a"}),
        "report_leaked_keys": (
            tk.report_leaked_keys,
            {
                "body": report,
                "key_id": "key-1",
                "signature": report_signed(guarded.report_key, report),
            },
        ),
        "keys.issue": (keys.issue, {"expires_in": None, **profile}),
        "keys.get": (keys.get, own_key),
        "keys.quota_use": (keys.quota_use, own_key),
        "keys.list": (keys.list, {"limit": 1, "after": issued.key.id}),
        "keys.update": (keys.update, {**own_key, **profile}),
        "keys.disable": (keys.disable, own_key),
        "keys.enable": (keys.enable, own_key),
        "keys.revoke": (keys.revoke, own_key),
        "keys.delete": (keys.delete, own_key),
        "keys.rotate": (keys.rotate, {**own_key, "overlap": timedelta(1), "compromised": True}),
        "grant_credit": (
            tk.grant_credit,
            {"account": ACCOUNT, "amount": Money.of("1", "USD"), "idempotency_key": number},
        ),
        "complete": (tk.complete, chat),
        "stream_completion": (_streamed(tk), chat),
        "run_tools": (tk.run_tools, {**chat, "functions": [_TOOL]}),
        "embed": (
            tk.embed,
            {"principal": PRINCIPAL, "model": MODEL, "texts": ["x"]},
        ),
        "transcribe": (
            tk.transcribe,
            {"principal": PRINCIPAL, "model": "sound/m", "audio": b"x"},
        ),
        "bind_credential": (
            tk.bind_credential,
            {"provider": "tokens", "secret": loaded.secret, "label": "x"},
        ),
        "credentials.store": (
            own.store,
            {"provider": "tokens", "secret": loaded.secret, "label": f"{number} b"},
        ),
        "credentials.load": (own.load, {"credential_id": kept.id}),
        "credentials.list": (own.list, {"limit": 1, "after": kept.id}),
        "credentials.replace": (
            own.replace,
            {"credential_id": kept.id, "secret": loaded.secret},
        ),
        "credentials.remove": (own.remove, {"credential_id": kept.id}),
        "rotate_encryption": (tk.rotate_encryption, {"new_data_keys": True, "actor": "a"}),
        "forget_account": (tk.forget_account, {"account": ACCOUNT, "actor": "a"}),
        "charge_usage": (
            tk.charge_usage,
            {
                "account": ACCOUNT,
                "model": MODEL,
                "operation": "chat:complete",
                "quantities": {"input_tokens": 1},
                "idempotency_key": number,
            },
        ),
        "report_usage": (tk.report_usage, {"account": ACCOUNT, "since": None, "until": None}),
        "list_entries": (tk.list_entries, {"account": ACCOUNT, "after": 0, "limit": 1}),
        "list_attempts": (tk.list_attempts, {"account": ACCOUNT, "limit": 1, "after": None}),
        "list_audit": (tk.list_audit, {"account": ACCOUNT, "limit": 1, "after": None}),
        "verify_audit": (tk.verify_audit, {"account": ACCOUNT, "known": None}),
        "expire_holds": (tk.expire_holds, {}),
        "check_health": (tk.check_health, {"timeout": timedelta(seconds=5)}),
        "define_plan": (tk.define_plan, {"plan": Plan("pro"), "actor": "a"}),
        "subscribe_account": (
            tk.subscribe_account,
            {"account": ACCOUNT, "plan": "pro", "runs_for": timedelta(1), "actor": "a"},
        ),
    }


_TOOL = ToolFunction(Tool("tool", "does it"), lambda **_: "done")


def _streamed(tk: Tollkeeper) -> Callable[..., Awaitable[object]]:
    async def call(**given: Any) -> object:
        async with tk.stream_completion(**given) as stream:
            return [delta async for delta in stream]

    return call
