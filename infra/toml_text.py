"""Parsing TOML that people wrote: whatever is wrong with it is theirs to hear, on one line."""

import tomllib
from typing import Any

from tollkeeper.domain.errors import ConfigurationError


def parse_toml(text: str, *, what: str) -> dict[str, Any]:
    """Parse *text*, which *what* names in the error.

    Raises:
        ConfigurationError: it is no TOML, or is nested too deeply.
    """
    try:
        return tomllib.loads(text)
    # Also plain ValueErrors: a number may have more digits than Python reads.
    except ValueError as error:
        raise ConfigurationError(f"{what} is no TOML: {error}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{what} is nested too deeply") from error
