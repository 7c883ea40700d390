"""The corpus, played by a server.

::

    server.script("recorded", recorded(example))
"""

from tests.servers.http_player import Play
from tests.servers.wire.scenarios import Scenario
from tests.wire.corpus import Example


def recorded(example: Example) -> Scenario:
    """Answer with *example*: its stream where one is asked for and it has one, else its body."""
    return lambda scene: play_of(example, streamed=scene.streamed)


def play_of(example: Example, *, streamed: bool) -> Play:
    """Make the play of *example*; what it does not have in one form it has in the other."""
    if example.stream is not None and (streamed or example.body is None):
        parts = [part + b"\n\n" for part in example.stream.split(b"\n\n")[:-1]]
        return Play(
            tuple(parts),
            status=example.status,
            headers=example.headers,
            content_type="text/event-stream; charset=utf-8",
        )
    assert example.body is not None
    return Play(
        (example.body,),
        status=example.status,
        headers=example.headers,
        content_type=example.content_type,
        framing="length",
    )
