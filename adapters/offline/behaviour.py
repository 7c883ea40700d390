"""The offline models: how each behaves, by its name. Pure."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

from attrs import evolve, frozen

from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import (
    ContentFiltered,
    ContextWindowExceeded,
    CorruptResponse,
    CredentialsRefused,
    NotFound,
    PortError,
    Rejected,
    Throttled,
    Timeout,
    Unavailable,
)

PORT = "chat_model"
ADAPTER = "offline"
BASE_URL = "offline://"

FAILURES: Mapping[str, type[PortError]] = {
    "unavailable": Unavailable,
    "timeout": Timeout,
    "throttled": Throttled,
    "rejected": Rejected,
    "filtered": ContentFiltered,
    "context": ContextWindowExceeded,
    "credentials": CredentialsRefused,
    "corrupt": CorruptResponse,
}
MODELS = (
    "echo",
    "slow, slow-MILLISECONDS",
    "long, long-WORDS",
    "thinking, thinking-WORDS",
    "silent-usage",
    "break, break-after-WORDS",
    *(f"fail-{name}" for name in FAILURES),
)


@frozen
class Behaviour:
    """How a model answers.

    *delay* comes before each word. *break_after* so many words the answer breaks off; *fails*
    raises before the first. *long* says that many words; *thinks* comes before what it says, in as
    many words.
    """

    delay: timedelta = timedelta(0)
    break_after: int | None = None
    reports_usage: bool = True
    long: int | None = None
    fails: str | None = None
    thinks: int | None = None


_NUMBERED: Mapping[str, tuple[int, Callable[[Behaviour, int], Behaviour]]] = {
    "slow": (100, lambda b, number: evolve(b, delay=timedelta(milliseconds=number))),
    "long": (1_000, lambda b, number: evolve(b, long=number)),
    "thinking": (8, lambda b, number: evolve(b, thinks=number)),
    "break": (3, lambda b, number: evolve(b, break_after=number)),
    "break-after": (3, lambda b, number: evolve(b, break_after=number)),
}
_NAME = re.compile(r"([a-z]+(?:-[a-z]+)?)(?:-(\d{1,6}))?")


def behaviour_of(model: str, usual: Behaviour) -> Behaviour:
    """Find how *model* behaves; what its name leaves open is as *usual*.

    Raises:
        NotFound: there is no such model; the message lists those there are.
    """
    found = _NAME.fullmatch(model)
    name, number = found.groups() if found else (model, None)
    if number is None:
        if name == "echo":
            return usual
        if name == "silent-usage":
            return evolve(usual, reports_usage=False)
        if name.startswith("fail-") and name[5:] in FAILURES:
            return evolve(usual, fails=name[5:])
    if name in _NUMBERED:
        default, behave = _NUMBERED[name]
        return behave(usual, default if number is None else int(number))
    raise NotFound(
        f"there is no such offline model; there are {'; '.join(MODELS)}", code="model_not_found"
    )


def failure(name: str, *, port: str = PORT) -> PortError:
    """Make the error that ``fail-NAME`` raises at *port*."""
    kind = FAILURES[name]
    return kind(
        f"the offline model fail-{name} was asked to fail",
        port=port,
        adapter=ADAPTER,
        ambiguous=kind is Timeout,
        retry_after=timedelta(seconds=1) if kind is Throttled else None,
    )


def checked_credential(credential: Credential | None, *, port: str = PORT) -> None:
    """Refuse a *credential* that is bound elsewhere; one that is bound to here is not used.

    Raises:
        CredentialsRefused: it is bound to another provider or base URL.
    """
    if credential is not None:
        try:
            credential.revealed_to(provider=ADAPTER, base_url=BASE_URL, adapter=ADAPTER)
        except CredentialsRefused as error:
            error.port = port
            raise


def break_off() -> Unavailable:
    """Make the error for an answer that breaks off on purpose."""
    return Unavailable(
        "the offline model broke off, as it was asked to",
        port=PORT,
        adapter=ADAPTER,
        ambiguous=True,
    )
