"""A settings file to begin with."""

import contextlib
import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from tollkeeper.domain.errors import Conflict, InvalidRequest
from tollkeeper.infra.cli.output import say
from tollkeeper.infra.cli.session import Chosen
from tollkeeper.infra.settings_file import STANDARD_FILE

TEMPLATE = """\
# Tollkeeper's settings. Each table is an environment, chosen with `tollkeeper -e production …`
# or Settings.load(environment="production"); it inherits from [default]. A variable
# TOLLKEEPER_<FIELD> overrides a field (TOLLKEEPER_STORE), TOLLKEEPER_<TABLE>__<ENTRY> an entry
# (TOLLKEEPER_API_KEYS__OPENAI). See what works with `tollkeeper doctor`.

[default]
currency = "USD"
# default_max_tokens = 1024    # what a completion may write if its caller does not say
# call_timeout = "2m"          # the longest that a call may take
# hold_ttl = "10m"             # when the hold of a call whose process died is given back
# price_book = "prices.toml"   # prices of your own, beside this file
# catalogue = "models.toml"    # models of your own: aliases, windows, quirks
# tries = 3                    # how often one model is asked before its fallbacks are
# response_ttl = "1h"          # give the same account the same answer again, at no charge

# Models by provider: a model is written provider/name, and the URL's scheme names the adapter.
# anthropic, gemini, groq, morph, openai, openrouter and xai need no line here: their key will do.
[default.chat_models]
offline = "offline://"         # deterministic, needs no network: for development and tests
# local = "openai+http://localhost:8000/v1"   # whatever speaks OpenAI's format
# mistral = "litellm+https://api.mistral.ai/v1"   # whatever litellm reaches

# Whom to ask when a model is out of order, before the first word of its answer.
# [default.fallbacks]
# "openai/*" = ["anthropic/claude-sonnet-4-5"]

[default.transcribers]
pocketsphinx = "pocketsphinx://"   # needs no network; low quality

# What is charged, as a flagged default, for models that the price book does not know. Without
# this table such models are refused.
# [default.default_price]
# input_tokens = "5.00 per 1000000"
# output_tokens = "15.00 per 1000000"

# On this machine: one file, no server, no key. The secret that API keys are checked with is made
# on first use and kept beside it.
[local]
store = "sqlite:///tollkeeper.db"

# Where money moves. Secrets stand in variables ("env:NAME") or files ("file:/run/secrets/name"),
# never here.
[production]
store = "sqlite:////var/lib/tollkeeper/tollkeeper.db"
telemetry = "null://"
key_prefix = "tk_live"                    # how API keys begin
key_pepper = "env:TOLLKEEPER_KEY_PEPPER"  # 32 bytes or more: `openssl rand -hex 32`
# retired_key_peppers = ["env:OLD_PEPPER"]  # still accepted for keys issued under them
# audit_key = "env:TOLLKEEPER_AUDIT_KEY"    # the audit log's own, so that it outlives peppers
# broadcast = "redis://127.0.0.1:6379/0"    # tells all processes at once that a key was revoked
# key_encryption = "keyring:///etc/tollkeeper/kek.keyring"   # for credentials of your customers

# [production.api_keys]
# openai = "env:OPENAI_API_KEY"
# anthropic = "env:ANTHROPIC_API_KEY"
"""


def init(
    ctx: typer.Context,
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a commented tollkeeper.toml into the working directory, or the --file that you name."""
    chosen = (ctx.find_object(Chosen) or Chosen()).file
    path = Path(STANDARD_FILE) if chosen is None else chosen
    if not path.name or "\0" in str(path):
        raise InvalidRequest("--file names no file")
    aside = path.with_name(f".tollkeeper.{os.getpid()}")
    try:
        if path.exists() and not force:
            raise Conflict(f"{path} is there already; --force overwrites it")
        # Written aside first: a full disk must not leave half a file, or none of the old one.
        aside.write_text(TEMPLATE, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise InvalidRequest(f"cannot write {path} ({error.strerror})") from None
    option = "" if chosen is None else f" --file {shlex.quote(str(path))}"
    say(f"wrote {path}; next: tollkeeper{option} doctor, tollkeeper{option} demo")
