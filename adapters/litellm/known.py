"""What litellm knows: its list of providers, read when it is first needed."""

from typing import Any

from tollkeeper.adapters.litellm.quiet import load
from tollkeeper.domain.errors import ConfigurationError


def known_provider(name: str) -> Any:
    """Return litellm's own value for the provider *name*; import litellm for it.

    Raises:
        ConfigurationError: litellm is not installed, or does not know the provider.
    """
    try:
        litellm: Any = load("litellm")
    except ImportError as error:
        raise ConfigurationError(
            "the litellm adapter needs litellm: pip install 'tollkeeper[litellm]'"
        ) from error
    known = {each.value: each for each in litellm.LlmProviders}
    if name not in known:
        raise ConfigurationError(
            f"litellm knows no provider {name!r}: give its own prefix for it, as in "
            "litellm+https://host/path?provider=mistral"
        )
    return known[name]
