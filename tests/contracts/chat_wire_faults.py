"""The contract of wire formats: answers that are none, and places where nobody answers."""

from typing import Any

import pytest

from tollkeeper.contracts.chat_wire_suite import BOTH, Caller, ChatWireSuite, Opened, asking
from tollkeeper.contracts.chat_wire_upstream import Scenario, Spoken, Upstream
from tollkeeper.domain.errors import CorruptResponse, PortError, TollkeeperError, Unavailable

FAULTS: dict[str, tuple[Scenario, dict[str, Any]]] = {
    "error": ("failing", {"kind": "overloaded"}),
    "break": ("breaks", {"ending": "reset", "k": 2}),
    "nothing": ("at_once", {"ending": "cut"}),
    "json": ("invalid_json", {"k": 1}),
    "inside": ("error_inside", {"kind": "overloaded", "k": 3}),
    "page": ("html", {"status": 200}),
}


class ChatWireFaults(ChatWireSuite):
    """What is not in the provider's format."""

    async def test_a_whole_answer_that_is_no_json_is_corrupt(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        broken = await caller.fail(asking(upstream.play("invalid_json")), streamed=False)
        assert type(broken.error) is CorruptResponse

    @pytest.mark.parametrize("k", [0, 1, 4])
    async def test_an_event_that_is_no_json_is_corrupt(
        self, caller: Caller, upstream: Upstream, k: int
    ) -> None:
        model = upstream.play("invalid_json", k=k)
        broken = await caller.fail(asking(model), streamed=True)
        assert type(broken.error) is CorruptResponse
        assert broken.came.text == upstream.text_within(Spoken(("one", " two", " three")), k)

    @BOTH
    async def test_bytes_that_are_no_utf8_are_corrupt(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        broken = await caller.fail(asking(upstream.play("invalid_utf8")), streamed=streamed)
        assert type(broken.error) is CorruptResponse

    @BOTH
    async def test_a_web_page_is_no_answer(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        broken = await caller.fail(asking(upstream.play("html", status=200)), streamed=streamed)
        assert type(broken.error) is CorruptResponse
        assert "nginx" not in broken.error.public_message

    @BOTH
    @pytest.mark.parametrize("status", [502, 503])
    async def test_the_page_of_a_gateway_says_that_the_provider_is_down(
        self, caller: Caller, upstream: Upstream, status: int, streamed: bool
    ) -> None:
        broken = await caller.fail(asking(upstream.play("html", status=status)), streamed=streamed)
        assert type(broken.error) is Unavailable
        assert broken.port_error.status == status

    @BOTH
    async def test_what_says_gzip_and_is_none_is_corrupt(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        broken = await caller.fail(asking(upstream.play("not_gzip")), streamed=streamed)
        assert type(broken.error) in (CorruptResponse, Unavailable)

    @BOTH
    async def test_a_redirect_is_not_followed(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        broken = await caller.fail(asking(upstream.play("redirect")), streamed=streamed)
        assert isinstance(broken.error, PortError)
        assert not broken.error.retryable
        assert upstream.count == 1, "the key goes to the base URL alone"

    @BOTH
    async def test_an_empty_body_is_corrupt(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("bare_error", status=200, body=b"")
        broken = await caller.fail(asking(model), streamed=streamed)
        assert type(broken.error) is CorruptResponse

    @BOTH
    @pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"{}", b'{"choices": "x"}'])
    async def test_json_of_another_shape_is_corrupt(
        self, caller: Caller, upstream: Upstream, body: bytes, streamed: bool
    ) -> None:
        model = upstream.play("bare_error", status=200, body=body)
        broken = await caller.fail(asking(model), streamed=streamed)
        assert type(broken.error) is CorruptResponse

    @BOTH
    async def test_a_refused_connection_is_a_failure_that_cost_nothing(
        self, opened: Opened, upstream: Upstream, nowhere: str, streamed: bool
    ) -> None:
        caller = Caller(await opened(base_url=nowhere), upstream.secret_words)
        broken = await caller.fail(asking(upstream.echo), streamed=streamed)
        assert type(broken.error) is Unavailable
        assert not broken.port_error.ambiguous
        assert broken.port_error.status is None

    @BOTH
    @pytest.mark.parametrize("fault", FAULTS)
    async def test_the_model_answers_again_after_each_fault(
        self, caller: Caller, upstream: Upstream, fault: str, streamed: bool
    ) -> None:
        scenario, how = FAULTS[fault]
        for _ in range(2):
            model = upstream.play(scenario, **how)
            with pytest.raises(TollkeeperError):
                await caller.ask(asking(model), streamed=streamed)
        assert (await caller.ask(asking(upstream.echo), streamed=streamed)).text
        assert upstream.count == 3, "one call is one request"
