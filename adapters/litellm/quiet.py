"""Import litellm, and call it, so that the host does not notice.

Importing litellm loads a ``.env`` file, fetches a price list from the network, adds handlers and
filters to loggers (its own and others', such as ``httpx``) and filters to ``warnings``; its
functions log. Nothing of that may reach the host, and ``os.environ`` may not be written. So:

* two small modules of litellm, which are asked before anything else, are put into
  ``sys.modules`` before the import: the one that loads ``.env`` does nothing, and the one that
  says whether litellm is offline says so *for our own doing alone*. A host that uses litellm too
  finds it as it is, but for the ``.env`` file, which litellm reads at its first import only;
* loggers, ``warnings.filters``, ``sys.excepthook`` and the one environment variable that litellm
  writes are put back as they were;
* litellm's loggers drop what is logged, and its one function that prints prints nothing, while we
  call it (a context variable says so).

A host that imported litellm itself before has had all this its own way; nothing is changed then
but the last.
"""

import importlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

_OWN_LOGGERS = ("LiteLLM", "LiteLLM Proxy", "LiteLLM Proxy.stdout", "LiteLLM Router")
_TOUCHED = frozenset(
    {
        *_OWN_LOGGERS,
        "apscheduler.executors.default",
        "apscheduler.scheduler",
        "asyncio",
        "backoff",
        "httpx",
        "uvicorn.access",
        "uvicorn.error",
    }
)
_PRINTS = "litellm.litellm_core_utils.get_llm_provider_logic"
_WRITTEN = "TIKTOKEN_CACHE_DIR"  # the one variable that litellm writes, when it first counts tokens
_DEFAULTS = "litellm._process_defaults"
_OFFLINE = "litellm.litellm_core_utils.offline_mode"
_ours: ContextVar[bool] = ContextVar("tollkeeper_calls_litellm", default=False)
_lock = threading.RLock()
_met: set[str] = set()


class _Silence(logging.Filter):
    """Drops what litellm says while we call it, and nothing else."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _ours.get()


_silence = _Silence()


@contextmanager
def quietly(first: str = "") -> Iterator[None]:
    """Let litellm work without a word.

    *first* names what is done: the first time that it is, litellm may import more of itself, and
    what that does to the process is undone.
    """
    token = _ours.set(True)
    try:
        if not first or first in _met:
            yield
        else:
            with _lock, _undone():
                yield
            _met.add(first)
    finally:
        _ours.reset(token)


def load(name: str) -> ModuleType:
    """Import *name*, a module of litellm.

    Raises:
        ImportError: litellm is not installed, or has no such module.
    """
    with _lock:
        for known in _OWN_LOGGERS:
            logger = logging.getLogger(known)
            if _silence not in logger.filters:
                logger.addFilter(_silence)
        with quietly(f"import {name}"):
            if "litellm" not in sys.modules:
                _prepare()
            module = importlib.import_module(name)
        known_printer = importlib.import_module(_PRINTS)
        known_printer.__dict__["print"] = _print
    return module


def _print(*values: Any, **options: Any) -> None:
    if not _ours.get():
        print(*values, **options)  # noqa: T201 - a host's own use of litellm prints as it would


def _prepare() -> None:
    """Stand in for what litellm asks about the process before it does anything."""
    defaults = ModuleType(_DEFAULTS)
    # A module that is made here has only the attributes that it is given: mypy knows none.
    defaults.apply_process_defaults = lambda: None  # type: ignore[attr-defined]
    offline = ModuleType(_OFFLINE)
    offline.is_offline_mode = _is_offline  # type: ignore[attr-defined]
    sys.modules[_DEFAULTS] = defaults
    sys.modules[_OFFLINE] = offline


def _is_offline() -> bool:
    """Say what litellm's own function would say, but for our own doing, which is offline."""
    return _ours.get() or os.environ.get("LITELLM_OFFLINE_MODE", "").strip().lower() == "true"


@contextmanager
def _undone() -> Iterator[None]:
    """Put back what the block changes in the process."""
    before = {name: _state_of(logger) for name, logger in _all_loggers().items()}
    written, hook = os.environ.get(_WRITTEN), sys.excepthook
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.excepthook = hook
        for name, logger in _all_loggers().items():
            if name in before or name in _TOUCHED:  # others are new, and their libraries' own
                _put_back(logger, before.get(name))
        if written is None:
            os.environ.pop(_WRITTEN, None)
        elif os.environ.get(_WRITTEN) != written:
            os.environ[_WRITTEN] = written


def _all_loggers() -> dict[str, logging.Logger]:
    known = logging.root.manager.loggerDict.items()
    found = {name: logger for name, logger in known if isinstance(logger, logging.Logger)}
    return {"": logging.root, **found}


def _state_of(logger: logging.Logger) -> tuple[Any, ...]:
    return (
        logger.level,
        logger.propagate,
        logger.disabled,
        list(logger.handlers),
        list(logger.filters),
    )


def _put_back(logger: logging.Logger, state: tuple[Any, ...] | None) -> None:
    level, propagate, disabled, handlers, filters = state or (logging.NOTSET, True, False, [], [])
    if logger.level != level:
        logger.setLevel(level)
    logger.propagate, logger.disabled = propagate, disabled
    if logger.handlers != handlers:
        logger.handlers[:] = handlers
    if logger.filters != filters:
        logger.filters[:] = filters
