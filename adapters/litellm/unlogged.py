"""What litellm is given to log with."""

from typing import Any


class Unlogged:
    """Stands where litellm wants an object to log with; there is nothing to log."""

    def __init__(self) -> None:
        self.litellm_params: dict[str, Any] = {}
        self.optional_params: dict[str, Any] = {}
        self.model_call_details: dict[str, Any] = {}
        self.litellm_call_id = ""
        self.stream_options = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _nothing


def _nothing(*_: object, **__: object) -> None:
    return None
