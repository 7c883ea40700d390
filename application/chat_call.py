"""A completion on its way: what is asked, which models may answer, and what it is worth."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from attrs import define, frozen

from tollkeeper.application.admission import Admission
from tollkeeper.application.asked import Asked, Choice
from tollkeeper.application.chat_options import CallOptions, ChatOptions
from tollkeeper.application.chat_requests import request_along
from tollkeeper.application.credentials import own_credentials
from tollkeeper.application.metered_call import MeteredCall
from tollkeeper.application.policy import Policy
from tollkeeper.application.routes import Route
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.checks import checked_duration
from tollkeeper.domain.completions import Completion, TokenUsage
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.token_counts import estimate_usage
from tollkeeper.ports.chat_model import ChatModel

MOST_TOKENS = 10**9
"""No call reads or writes more in any pool; a report of more is a fault of the provider's."""


def measured(request: ChatRequest, answer: Completion) -> tuple[TokenUsage, Provenance]:
    """Return what the provider reported, or else an estimate from what was seen.

    A report of nothing at all is none: the messages alone are some tokens, and nothing is free by
    accident.
    """
    usage = answer.usage
    if usage is not None and usage.total and usage.largest <= MOST_TOKENS:
        # A stream whose provider said nothing ends with our own estimate.
        return usage, answer.provenance or Provenance.REPORTED
    return estimate_usage(request, answer), Provenance.ESTIMATED


def checked_timeout(given: timedelta | None, policy: Policy) -> timedelta:
    """Return how long the whole call may take.

    Raises:
        InvalidRequest: *given* is no duration, or longer than the settings allow.
    """
    if given is None:
        return policy.call_timeout
    checked_duration(given, field="timeout", shortest=timedelta(milliseconds=1))
    if given > policy.call_timeout:
        raise InvalidRequest(f"timeout is at most {policy.call_timeout} (call_timeout)")
    return given


def checked_call(options: CallOptions, policy: Policy) -> tuple[timedelta, timedelta | None]:
    """Check how a call is to be made; return its timeout, and after how long it is hedged.

    Raises:
        InvalidRequest: an option is malformed, or longer than the settings allow.
    """
    own_credentials(options.get("credentials"))
    hedge_after = options.get("hedge_after")
    if hedge_after is not None:
        checked_duration(hedge_after, field="hedge_after", shortest=timedelta(0))
    return checked_timeout(options.get("timeout"), policy), hedge_after


@frozen(eq=False)
class AdmittedChat:
    """A completion that the account may have; nothing is set aside for it yet.

    *choices* are the models that may answer, in order, *larger* and *unfiltered* those for a
    request that a model refuses for its length or content, by that model.
    """

    request: ChatRequest
    choices: tuple[Choice[ChatModel], ...]
    larger: Mapping[str, Choice[ChatModel]]
    unfiltered: Mapping[str, Choice[ChatModel]]
    timeout: timedelta
    hedge_after: timedelta | None
    options: ChatOptions

    @property
    def admission(self) -> Admission:
        """The admission of the model that was asked for."""
        return self.choices[0].admission

    @property
    def may_be_kept(self) -> bool:
        """Whether an answer to an earlier question of the same words will do."""
        return self.options.get("cache", True) and self.options.get("idempotency_key") is None

    def all_choices(self) -> Iterable[Choice[ChatModel]]:
        """Return every model that may answer."""
        yield from self.choices
        yield from self.larger.values()
        yield from self.unfiltered.values()


@define(eq=False)
class ChatCall:
    """A completion whose hold is placed, and which may now be made."""

    admitted: AdmittedChat
    metered: MeteredCall

    @property
    def request(self) -> ChatRequest:
        """What is asked of the first model."""
        return self.admitted.request

    @property
    def keep_answer(self) -> bool:
        """Whether a replay may ask for the answer again."""
        return self.admitted.options.get("idempotency_key") is not None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The requests that were made, once the call is settled."""
        return self.metered.attempts

    def asked(self, *, deadline: float) -> Asked[ChatModel]:
        """Say what is asked of whom until *deadline*, a moment of the event loop's clock."""
        admitted = self.admitted
        return Asked(
            port="chat_model",
            choices=admitted.choices,
            records=self.metered.records,
            measure=self.measure,
            deadline=deadline,
            larger=admitted.larger,
            unfiltered=admitted.unfiltered,
            credentials=own_credentials(admitted.options.get("credentials")),
            hedge_after=admitted.hedge_after,
        )

    def measure(self, answer: Completion) -> tuple[dict[Meter, int], Provenance]:
        """Say what an attempt used that brought *answer*."""
        usage, provenance = measured(self.request, answer)
        return usage.quantities(), provenance

    def along(self, route: Route[ChatModel]) -> ChatRequest:
        """Return the request as it is put to the model of *route*."""
        return request_along(self.request, route, first=self.admitted.choices[0].route)
