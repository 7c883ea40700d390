"""`tollkeeper transcribe`: a real recording in, its words out, its seconds charged."""

import pytest

from tests.infra.cli_runs import Cli, refused
from tollkeeper.infra.samples import recording, recording_text

HEAR = ("transcribe", "--account", "acme")


@pytest.fixture
def rich(cli: Cli) -> Cli:
    """Run commands where acme has credit, and the recording lies."""
    cli.credit()
    (cli.folder / "speech.wav").write_bytes(recording())
    return cli


def test_recording_is_written_down_and_charged(rich: Cli) -> None:
    ran = rich.process(*HEAR, "speech.wav")
    assert ran.code == 0
    assert ran.out.strip() == recording_text()
    assert "quality is low" in ran.err
    assert "charged 0.000329 USD" in ran.err
    assert rich.balance() == {"posted": "4.999671", "held": "0.00", "available": "4.999671"}


def test_recording_may_be_piped_in_by_the_holder_of_a_key(rich: Cli) -> None:
    token = rich.token("acme", "audio:transcribe")
    ran = rich.process("transcribe", "-", "--json", stdin=recording(), TOLLKEEPER_KEY=token)
    document = ran.json()
    assert document["text"] == recording_text()
    assert document["duration_seconds"] == document["billed_seconds"] == 3.29
    assert document["quality"] == "low"
    assert document["receipt"]["quantities"]["audio_milliseconds"] == 3290


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("nosuch.wav",), 2),
        ((".",), 2),
        (("empty.wav",), 2),
        (("text.wav",), 2),
        (("short.wav",), 2),
        (("speech.wav", "-m", "pocketsphinx"), 2),
        (("speech.wav", "-m", "pocketsphinx/xx-xx"), 4),
        (("speech.wav", "-m", "nosuch/model"), 4),
    ],
)
def test_bad_recording_is_one_line_and_costs_nothing(
    rich: Cli, options: tuple[str, ...], code: int
) -> None:
    (rich.folder / "empty.wav").write_bytes(b"")
    (rich.folder / "text.wav").write_text("These are words, and no sound.")
    (rich.folder / "short.wav").write_bytes(recording()[:2000])
    refused(rich.here(*HEAR, *options), code)
    assert rich.balance() == {"posted": "5.00", "held": "0.00", "available": "5.00"}


def test_somebody_must_pay(rich: Cli) -> None:
    refused(rich.here("transcribe", "speech.wav"), 2, "--key")
    refused(rich.here("transcribe", "speech.wav", "--key", rich.token()), 3, "audio:transcribe")
    refused(rich.here("transcribe", "speech.wav", "--account", "poor"), 3, "credit")
