"""What sets the six chat-completions dialects apart.

Sources: https://platform.openai.com/docs/api-reference/chat (openai),
https://console.groq.com/docs/api-reference (groq),
https://openrouter.ai/docs/api-reference/overview (openrouter),
https://docs.x.ai/docs/api-reference (xai),
https://docs.morphllm.com/api-reference (morph),
https://ai.google.dev/gemini-api/docs/openai (gemini).
"""

from typing import Literal

import attrs
from attrs import field, frozen

from tests.servers.wire.answer import Answer, Finish, Json, Pools
from tests.servers.wire.errors import CHAT_ERRORS as ERRORS
from tests.servers.wire.errors.table import ErrorTable

UsagePlace = Literal["extra", "beside x_groq", "after", "each", "last"]


@frozen
class Dialect:
    """One provider's way with the format.

    *usage* says where a stream reports it: in an ``extra`` chunk without choices where asked
    for; there and always in ``x_groq``; ``after`` the reason, with a choice that says nothing;
    with ``each`` chunk; or with the ``last`` chunk where asked for.
    """

    name: str
    root: str
    errors: ErrorTable = field(repr=False)
    usage: UsagePlace
    id_prefix: str = "chatcmpl-"
    always: Json = field(factory=dict)
    """Fields of each body and each chunk."""
    refuses: bool = False
    """Has a field ``refusal`` that is filled."""
    reasoning: str = ""
    """The field of the reasoning; without one it is not shown."""
    reasoning_counted: bool = True
    """``completion_tokens_details`` says how much was reasoning."""
    reasoning_beside: bool = False
    """``completion_tokens`` is without the reasoning; ``total_tokens`` is with it."""
    cache_writes: bool = False
    """``prompt_tokens_details`` says what was written to the cache."""
    logprobs: bool = False
    signs: bool = False
    """Calls bear a signature, come whole, and all have the index 0."""
    comments: bool = False
    """Comments keep the connection open before the first chunk."""

    def usage_of(self, pools: Pools) -> Json:
        """Write *pools* as a ``usage`` object."""
        completion = pools.output + (0 if self.reasoning_beside else pools.reasoning)
        read: Json = {"cached_tokens": pools.cached_input}
        if self.cache_writes:
            read["cache_write_tokens"] = pools.cache_write
        usage: Json = {
            "prompt_tokens": pools.read,
            "completion_tokens": completion,
            "total_tokens": pools.total,
            "prompt_tokens_details": read,
        }
        if self.reasoning_counted:
            usage["completion_tokens_details"] = {"reasoning_tokens": pools.reasoning}
        usage.update(_MORE_USAGE.get(self.name, {}))
        return usage

    def heard(self, answer: Answer) -> Answer:
        """Leave out of *answer* what this dialect has no field for."""
        finish: Finish = answer.finish
        if finish == "refusal":
            finish = "stop" if self.refuses else "content_filter"
        elif finish == "paused":
            finish = "stop"
        pools = answer.usage
        if pools is not None and not self.cache_writes:
            pools = attrs.evolve(pools, input=pools.input + pools.cache_write, cache_write=0)
        if pools is not None and not (self.reasoning_counted or self.reasoning_beside):
            pools = attrs.evolve(pools, output=pools.output + pools.reasoning, reasoning=0)
        calls = tuple(
            attrs.evolve(call, signature=call.signature if self.signs else "")
            for call in answer.calls
        )
        return attrs.evolve(
            answer,
            reasoning=answer.reasoning if self.reasoning else (),
            signature=answer.signature if self.reasoning and self.comments else "",
            redacted="",
            calls=calls,
            refusal=answer.refusal if self.refuses else "",
            finish=finish,
            usage=pools,
            logprobs=answer.logprobs if self.logprobs else None,
            stopped_at="",
            window_full=False,
        )


_MORE_USAGE: dict[str, Json] = {
    "groq": {
        "queue_time": 0.018,
        "prompt_time": 0.002,
        "completion_time": 0.04,
        "total_time": 0.06,
    },
    "openrouter": {
        "cost": 0.00014,
        "is_byok": False,
        "cost_details": {"upstream_inference_cost": None},
    },
    "xai": {"num_sources_used": 0},
}

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect(
            "openai",
            "/v1",
            ERRORS["openai"],
            "extra",
            always={"service_tier": "default", "system_fingerprint": "fp_44709d6fcb"},
            refuses=True,
            logprobs=True,
        ),
        Dialect(
            "groq",
            "/openai/v1",
            ERRORS["groq"],
            "beside x_groq",
            always={"service_tier": "on_demand", "system_fingerprint": "fp_3400102b8b"},
            reasoning="reasoning",
        ),
        Dialect(
            "openrouter",
            "/api/v1",
            ERRORS["openrouter"],
            "after",
            id_prefix="gen-",
            always={"provider": "Echo", "system_fingerprint": None},
            reasoning="reasoning",
            cache_writes=True,
            logprobs=True,
            comments=True,
        ),
        Dialect(
            "xai",
            "/v1",
            ERRORS["xai"],
            "each",
            id_prefix="",
            always={"system_fingerprint": "fp_0d42a4eb3d"},
            reasoning="reasoning_content",
            reasoning_beside=True,
            logprobs=True,
        ),
        Dialect("morph", "/v1", ERRORS["morph"], "extra", reasoning_counted=False),
        Dialect(
            "gemini",
            "/v1beta/openai",
            ERRORS["gemini"],
            "last",
            id_prefix="",
            reasoning_counted=False,
            reasoning_beside=True,
            signs=True,
        ),
    )
}
