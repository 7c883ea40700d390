"""Whether a secret of ours, which others must not guess, looks like one."""

from tollkeeper.domain.secret import Secret

SHORTEST = 32
"""Characters, of which each of ``openssl rand -hex 32`` holds four random bits."""
_FEWEST_DIFFERENT = 10
REMEDY = "what `openssl rand -hex 32` prints"


def is_weak(secret: Secret) -> bool:
    """Whether *secret* is too short, repeats a few characters, or holds what nobody can type."""
    text = secret.reveal()
    return len(text) < SHORTEST or len(set(text)) < _FEWEST_DIFFERENT or not text.isprintable()
