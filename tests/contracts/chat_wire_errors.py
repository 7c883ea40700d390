"""The contract of wire formats: each documented error is one of the tree."""

import pickle
from datetime import timedelta

import pytest

from tollkeeper.contracts.chat_wire_suite import (
    BOTH,
    Broken,
    Caller,
    ChatWireSuite,
    asking,
    assert_is,
)
from tollkeeper.contracts.chat_wire_upstream import Kind, Spoken, Upstream
from tollkeeper.domain.completions import FinishReason
from tollkeeper.domain.errors import (
    ContentFiltered,
    ContextWindowExceeded,
    CredentialsRefused,
    NotFound,
    PortError,
    Rejected,
    Throttled,
    TollkeeperError,
    Unavailable,
)

SAID = Spoken(("one", " two", " three"))
WAITS = [("seconds", 7.0), ("date", 60.0), ("ms", 1.5)]


class ChatWireErrors(ChatWireSuite):
    """What the provider says when it fails."""

    async def _of_kind(
        self, caller: Caller, upstream: Upstream, kind: Kind, *, streamed: bool
    ) -> Broken:
        broken = await caller.fail(asking(upstream.play("failing", kind=kind)), streamed=streamed)
        assert_is(broken, upstream.failure(kind=kind))
        return broken

    @BOTH
    async def test_each_documented_status_is_its_error(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        wrong = []
        for status in upstream.statuses:
            model = upstream.play("status", number=status)
            broken = await caller.fail(asking(model), streamed=streamed)
            try:
                assert_is(broken, upstream.failure(status=status))
            except AssertionError as error:
                wrong.append(f"{status}: {error}")
        assert not wrong, "\n".join(wrong)

    @BOTH
    async def test_only_errors_that_may_pass_are_retryable(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        for status in upstream.statuses:
            model = upstream.play("status", number=status)
            error = (await caller.fail(asking(model), streamed=streamed)).error
            retryable = isinstance(error, PortError) and error.retryable
            assert retryable is (status in (408, 409, 429, 498) or status >= 500), status

    @BOTH
    async def test_a_context_window_that_is_full_is_known(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        broken = await self._of_kind(caller, upstream, "context_overflow", streamed=streamed)
        assert type(broken.error) is ContextWindowExceeded

    @BOTH
    async def test_content_that_the_policy_refuses_is_known(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        if "content_filter" in upstream.kinds:
            broken = await self._of_kind(caller, upstream, "content_filter", streamed=streamed)
            assert type(broken.error) is ContentFiltered
            return
        # Without an error for it, the provider says so in the reason alone.
        spoken = Spoken(finish=FinishReason.CONTENT_FILTER)
        answer = await caller.ask(asking(upstream.play("answered", spoken)), streamed=streamed)
        assert answer.finish_reason is FinishReason.CONTENT_FILTER

    @BOTH
    async def test_a_model_that_is_unknown_is_not_found(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        broken = await self._of_kind(caller, upstream, "unknown_model", streamed=streamed)
        assert type(broken.error) is NotFound
        assert broken.error.code == "model_not_found"

    @BOTH
    async def test_an_account_without_credit_is_told_apart_from_a_limited_one(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        broke = await self._of_kind(caller, upstream, "quota", streamed=streamed)
        assert type(broke.error) is CredentialsRefused
        assert broke.error.code == "provider_quota_exhausted"
        limited = await self._of_kind(caller, upstream, "rate_limit", streamed=streamed)
        assert type(limited.error) is Throttled

    @BOTH
    @pytest.mark.parametrize("kind", ["invalid_key", "no_key"])
    async def test_a_key_that_is_refused_is_known(
        self, caller: Caller, upstream: Upstream, kind: Kind, streamed: bool
    ) -> None:
        broken = await self._of_kind(caller, upstream, kind, streamed=streamed)
        assert type(broken.error) is CredentialsRefused
        assert broken.error.code == "credentials_refused"

    @BOTH
    async def test_a_provider_that_is_overloaded_is_unavailable(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        broken = await self._of_kind(caller, upstream, "overloaded", streamed=streamed)
        assert type(broken.error) is Unavailable

    @BOTH
    async def test_a_request_that_is_too_large_is_rejected(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("status", number=413)
        broken = await caller.fail(asking(model), streamed=streamed)
        assert type(broken.error) is Rejected
        assert broken.error.code == "request_too_large"
        assert broken.port_error.status == 413

    @BOTH
    @pytest.mark.parametrize(
        ("status", "body"),
        [(500, b""), (503, b"upstream connect error"), (500, b"[]"), (502, b'{"error": 7}')],
    )
    async def test_an_error_without_the_providers_body_is_known_by_its_status(
        self, caller: Caller, upstream: Upstream, status: int, body: bytes, streamed: bool
    ) -> None:
        model = upstream.play("bare_error", status=status, body=body)
        broken = await caller.fail(asking(model), streamed=streamed)
        assert type(broken.error) is Unavailable
        assert broken.port_error.status == status
        assert broken.port_error.retry_after is None

    @BOTH
    @pytest.mark.parametrize("status", [405, 418])
    async def test_a_status_that_nobody_documents_is_a_refusal(
        self, caller: Caller, upstream: Upstream, status: int, streamed: bool
    ) -> None:
        broken = await caller.fail(
            asking(upstream.play("status", number=status)), streamed=streamed
        )
        assert type(broken.error) is Rejected
        assert broken.port_error.status == status

    @BOTH
    @pytest.mark.parametrize(("wait", "seconds"), WAITS)
    async def test_how_long_to_wait_is_kept(
        self, caller: Caller, upstream: Upstream, wait: str, seconds: float, streamed: bool
    ) -> None:
        for number in (429, 503 if 503 in upstream.statuses else 529):
            model = upstream.play("status", number=number, wait=wait)
            broken = await caller.fail(asking(model), streamed=streamed)
            asked = broken.port_error.retry_after
            assert asked is not None
            assert timedelta(seconds=seconds - 3 * (wait == "date")) <= asked
            assert asked <= timedelta(seconds=seconds)

    @BOTH
    async def test_a_wait_that_makes_no_sense_is_no_wait(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("status", number=500, wait="nonsense")
        broken = await caller.fail(asking(model), streamed=streamed)
        assert type(broken.error) is Unavailable
        assert broken.port_error.retry_after is None

    @pytest.mark.parametrize("kind", ["overloaded", "rate_limit"])
    async def test_an_error_inside_a_stream_keeps_what_came(
        self, caller: Caller, upstream: Upstream, kind: Kind
    ) -> None:
        expected = upstream.failure(kind=kind)
        for k in range(1, upstream.events(SAID) - 2):
            model = upstream.play("error_inside", kind=kind, k=k)
            broken = await caller.fail(asking(model), streamed=True)
            assert broken.came.text == upstream.text_within(SAID, k), f"after {k} events"
            assert type(broken.error) is expected.error, f"after {k} events"
            assert broken.port_error.ambiguous or not broken.came.text, f"after {k} events"
            assert broken.came.finish_reason is None

    async def test_an_error_that_comes_first_in_a_stream_is_known(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        model = upstream.play("error_inside", kind="overloaded", k=0)
        broken = await caller.fail(asking(model), streamed=True)
        assert type(broken.error) is upstream.failure(kind="overloaded").error

    async def test_an_error_in_a_body_that_says_200_is_known(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        for kind in ("overloaded", "rate_limit", "context_overflow"):
            model = upstream.play("error_inside", kind=kind)
            broken = await caller.fail(asking(model), streamed=False)
            assert type(broken.error) is upstream.failure(kind=kind).error, kind

    async def test_an_error_can_be_sent_to_another_process(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        model = upstream.play("failing", kind="rate_limit", wait="seconds")
        error = (await caller.fail(asking(model), streamed=False)).port_error
        again = pickle.loads(pickle.dumps(error))
        assert isinstance(again, TollkeeperError)
        assert vars(again) == vars(error)
