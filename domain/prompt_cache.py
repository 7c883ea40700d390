"""Prompt caching: which prefixes of a conversation the provider should keep.

Providers that cache on demand take up to four marks; each says "keep everything up to here". The
policy marks what stays the same in every call (tools and system) and a rolling tail, so that the
next turn finds the prefix of this one.
"""

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.messages import Message, Role, TextPart

if TYPE_CHECKING:
    from tollkeeper.domain.chat import ChatRequest

MOST_BREAKPOINTS = 4
_BYTES_PER_TOKEN = 4


@frozen
class PromptCache:
    """Ask the provider to keep prefixes for *ttl*; those under *minimum_tokens* are not marked.

    *tail* is how many of the last turns are marked, besides the system's.
    """

    ttl: Literal["5m", "1h"] = "5m"
    minimum_tokens: int = 1024
    tail: int = field(default=2)

    def __attrs_post_init__(self) -> None:
        if self.ttl not in ("5m", "1h"):
            raise InvalidRequest("a prompt cache's ttl is 5m or 1h")
        if type(self.minimum_tokens) is not int or self.minimum_tokens < 0:
            raise InvalidRequest("minimum_tokens is a whole number, 0 or more")
        if type(self.tail) is not int or not 0 <= self.tail < MOST_BREAKPOINTS:
            raise InvalidRequest(f"tail is 0 to {MOST_BREAKPOINTS - 1}")


def _says_something(message: Message) -> bool:
    # Providers refuse a mark on an empty text.
    return any(not isinstance(part, TextPart) or part.text for part in message.content)


def breakpoints(request: "ChatRequest") -> tuple[int, ...]:
    """Return the places of the messages after which the provider should keep the prefix.

    At most four, in order: the last of the leading system messages, and the last *tail* turns of
    the user or the tools. What follows one another without an answer in between is one turn: the
    results of parallel calls, say. Whatever is shorter than the policy's minimum is left out;
    sizes are estimated at four bytes a token.
    """
    policy = request.prompt_cache
    if policy is None:
        return ()
    sizes: list[int] = []
    size = sum(len(repr(dict(tool.parameters))) + len(tool.description) for tool in request.tools)
    for message in request.messages:
        size += len(message.text.encode("utf-8", "surrogatepass"))
        size += sum(len(call.arguments) for call in message.tool_calls)
        sizes.append(size)
    marks: set[int] = set()
    for place, message in enumerate(request.messages):
        if message.role is not Role.SYSTEM:
            break
        if _says_something(message):
            marks = {place}
    turns: list[int] = []
    asked = False
    for place, message in enumerate(request.messages):
        if message.role not in (Role.USER, Role.TOOL):
            asked = False
        elif _says_something(message):
            if asked:
                turns.pop()
            turns.append(place)
            asked = True
    marks.update(turns[len(turns) - min(policy.tail, len(turns)) :])
    least = policy.minimum_tokens * _BYTES_PER_TOKEN
    return tuple(sorted(place for place in marks if sizes[place] >= least))[-MOST_BREAKPOINTS:]
