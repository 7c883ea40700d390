"""Whether a secret of ours, which others must not guess, looks like one."""

import re

from tollkeeper.domain.secret import Secret

SHORTEST = 32
"""Characters, of which each of ``openssl rand -hex 32`` holds four random bits."""
_FEWEST_DIFFERENT = 10
_DEFAULTS = re.compile(
    "change.?(me|this|it)|place.?holder|your[-_. ]|example|default|password|passphrase|insert[-_. ]"
    "|replace[-_. ]|super.?secret|secret.?(key|token|jwt|value)|do.?not.?use",
    re.IGNORECASE,
)
REMEDY = "what `openssl rand -hex 32` prints"


def is_weak(secret: Secret) -> bool:
    """Whether *secret* is too short, repeats a few characters, or holds what nobody can type."""
    text = secret.reveal()
    return len(text) < SHORTEST or len(set(text)) < _FEWEST_DIFFERENT or not text.isprintable()


def is_default(secret: Secret) -> bool:
    """Whether *secret* reads like one from a manual or a template, which others know too."""
    return _DEFAULTS.search(secret.reveal()) is not None
