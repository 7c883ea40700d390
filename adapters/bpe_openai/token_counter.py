"""OpenAI's own tokenizers, without asking OpenAI."""

import re
from collections.abc import Callable, Mapping
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from threading import Lock
from types import TracebackType
from typing import Self

from anyio import to_thread

from tollkeeper.domain.errors import ConfigurationError

# What OpenAI has published for each family; what it has not is not guessed at.
_ENCODINGS = (
    (
        "o200k_base",
        re.compile(r"(?:ft:)?(?:chatgpt-4o|gpt-4o|gpt-4\.[15]|gpt-5|gpt-oss|o[134])(?![0-9a-z])"),
    ),
    (
        "cl100k_base",
        re.compile(
            r"(?:ft:)?(?:gpt-4|gpt-3\.5|gpt-35|text-embedding-3|text-embedding-ada-002)(?![.0-9a-z])"
        ),
    ),
)
_PROVIDER = "openai/"
_PACKAGE = "bpe_openai"
_Count = Callable[[str], int]


def encoding_of(model: str) -> str | None:
    """Name the encoding of *model* (``openai/name``); None where OpenAI published none."""
    if not model.startswith(_PROVIDER):
        return None
    name = model.removeprefix(_PROVIDER)
    return next((encoding for encoding, pattern in _ENCODINGS if pattern.match(name)), None)


class BpeOpenaiTokenCounter:
    """Counts as OpenAI does, in time that grows with the length of the text.

    The vocabularies come with the package ``bpe-openai``. Loading them takes a tenth of a second
    and 100 MB, once for a process: opening the counter does that in a thread, one that was not
    opened does it at its first count. It may be used from any number of threads.
    """

    def __init__(self) -> None:
        self._counts: Mapping[str, _Count] | None = None
        self._loading = Lock()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make one from ``bpe-openai://``.

        Raises:
            ConfigurationError: *url* says anything more, or the package is missing.
        """
        if url != "bpe-openai://":
            raise ConfigurationError("token_counter: write bpe-openai://, and nothing more")
        if find_spec(_PACKAGE) is None:
            raise _missing()
        return cls()

    async def __aenter__(self) -> Self:
        await to_thread.run_sync(self._loaded)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Keep what is loaded: it is the process's own."""

    async def health(self) -> str:
        """Count a word with each tokenizer.

        Raises:
            ConfigurationError: the package is missing.
        """
        counts = await to_thread.run_sync(self._loaded)
        return ", ".join(name for name, count in counts.items() if count("Tollkeeper"))

    def count(self, text: str, *, model: str) -> int | None:
        """Count the tokens of *text*; None for a model that OpenAI has published nothing about.

        Half of a surrogate pair counts as the sign that JSON parsers put in its place.

        Raises:
            ConfigurationError: the package is missing.
        """
        encoding = encoding_of(model)
        if encoding is None:
            return None
        count = (self._counts or self._loaded())[encoding]
        try:
            return count(text)
        except UnicodeEncodeError:
            return count(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))

    def _loaded(self) -> Mapping[str, _Count]:
        with self._loading:
            if self._counts is None:
                self._counts = _load()
            return self._counts


def _load() -> Mapping[str, _Count]:
    # The package's Python part reads all vocabularies once more in Python, which takes a second
    # and 60 MB, with a deprecated function, and refuses long texts. What it wraps does neither.
    package = find_spec(_PACKAGE)
    places = package.submodule_search_locations if package is not None else None
    found = PathFinder.find_spec(f"{_PACKAGE}._bindings", places) if places else None
    if found is None or found.loader is None:
        raise _missing()
    bindings = module_from_spec(found)
    try:
        found.loader.exec_module(bindings)
    except ImportError as error:
        raise _missing() from error
    return {name: bindings.tokenizer_for_encoding(name).count for name, _ in _ENCODINGS}


def _missing() -> ConfigurationError:
    return ConfigurationError(
        "token_counter: bpe-openai is not installed, or not for this machine; run: pip install -U "
        "'tollkeeper[bpe-openai]'",
        code="extra_missing",
    )
