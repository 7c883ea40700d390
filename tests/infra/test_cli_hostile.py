"""What careless or hostile people do to the command: it says one line, and shows no escapes."""

import os
import pty
import shutil
import signal
import subprocess

import pytest

from tests.infra.cli_runs import COMMAND, Cli, clean_environ, refused

USAGE = ("usage", "--account", "acme")
DEEP = "a=" + "[" * 50_000


def test_deeply_nested_toml_is_one_line(cli: Cli) -> None:
    (cli.folder / "deep.toml").write_text(DEEP)
    refused(cli.here("--file", "deep.toml", *USAGE), 2, "deep.toml is nested too deeply")
    refused(
        cli.here(*USAGE, TOLLKEEPER_PRICE_BOOK="deep.toml"),
        2,
        "price book deep.toml is nested too deeply",
    )


def test_number_that_python_does_not_read_is_one_line(cli: Cli) -> None:
    (cli.folder / "long.toml").write_text("a=" + "9" * 5000)
    refused(cli.here("--file", "long.toml", *USAGE), 2, "long.toml is no TOML")


def test_store_with_too_long_a_name_is_one_line(cli: Cli) -> None:
    refused(cli.process(*USAGE, TOLLKEEPER_STORE="sqlite:///" + "x" * 5000), 2, "too long")
    pepper = "0123456789abcdef0123456789abcdef"
    refused(
        cli.process(
            *USAGE, TOLLKEEPER_STORE="sqlite:///" + "x" * 5000, TOLLKEEPER_KEY_PEPPER=pepper
        ),
        2,
        "store: the name of the file is too long",
    )


def test_deleted_working_directory_is_one_line(cli: Cli) -> None:
    gone = cli.folder / "gone"
    gone.mkdir()
    remove_and_run = 'rmdir "$PWD"; "$@"; code=$?; mkdir "$PWD"; exit $code'
    for more in ({}, {"TOLLKEEPER_TELEMETRY": "jsonl://./spans.jsonl"}):
        done = subprocess.run(
            ["sh", "-c", remove_and_run, "sh", *COMMAND, *USAGE],
            cwd=gone,
            env=clean_environ(**more),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert "the working directory does not exist any more" in line


@pytest.mark.parametrize("columns", ["0", "", "²", "wide", "9" * 5000])
def test_size_that_is_none_leaves_the_help(cli: Cli, columns: str) -> None:
    usual = cli.process("--help", COLUMNS="80")
    assert usual.code == 0
    assert "Commands" in usual.out
    assert cli.process("--help", COLUMNS=columns, LINES=columns) == usual


@pytest.mark.parametrize("columns", ["0", "1", "19"])
def test_width_that_is_none_is_eighty(cli: Cli, columns: str) -> None:
    cli.credit()
    assert cli.here(*USAGE, COLUMNS=columns) == cli.here(*USAGE, COLUMNS="80")
    assert "5.00" in cli.here(*USAGE, COLUMNS=columns).out


def test_errors_show_no_escapes(cli: Cli) -> None:
    refused(cli.here("-e", "\x1b[31mred", *USAGE), 2, r"\x1b[31mred")
    refused(cli.here("--file", "\x1b]0;x\x07.toml", *USAGE), 2, r"\x1b]0;x\x07.toml")
    (cli.folder / "prices.toml").write_text(
        'version = "1"\n[[prices]]\nmodel = "\\u001b[2Jx/y"\ninput_tokens = "free"\n'
    )
    refused(cli.here(*USAGE, TOLLKEEPER_PRICE_BOOK="prices.toml"), 2, r"\x1b[2Jx/y")


def on_terminal(cli: Cli, *arguments: str) -> str:
    """Run a command whose standard output is a terminal, and return what it showed."""
    ours, its = pty.openpty()
    try:
        with subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cli.folder,
            env=clean_environ(TERM="dumb"),
            stdin=subprocess.DEVNULL,
            stdout=its,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.wait(timeout=60) == 0
        return os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(its)


@pytest.mark.parametrize("more", [(), ("--stream",)])
def test_model_paints_no_terminal(cli: Cli, more: tuple[str, ...]) -> None:
    cli.credit()
    ask = ("complete", "--account", "acme", *more, "a\tred \x1b[31m \x9b1m é\nword")
    assert "a\tred \\x1b[31m \\x9b1m é\r\nword" in on_terminal(cli, *ask)
    assert "a\tred \x1b[31m \x9b1m é\nword" in cli.process(*ask).out


def test_empty_name_of_an_environment_is_refused(cli: Cli) -> None:
    refused(cli.here("-e", "", *USAGE), 2, "the environment's name is empty")
    refused(cli.here(*USAGE, TOLLKEEPER_ENVIRONMENT=""), 2, "the environment's name is empty")
    refused(cli.here("-e", "", "demo"), 2, "the environment's name is empty")
    assert cli.here("-e", "local", *USAGE, TOLLKEEPER_ENVIRONMENT="").code == 0


def test_init_writes_the_file_that_is_named(cli: Cli) -> None:
    ran = cli.here("--file", "other file.toml", "init")
    assert (ran.code, ran.err) == (0, "")
    assert "tollkeeper --file 'other file.toml' doctor" in ran.out
    assert [path.name for path in cli.folder.iterdir()] == ["other file.toml"]
    assert cli.here("--file", "other file.toml", *USAGE).code == 0
    refused(cli.here("--file", "other file.toml", "init"), 4, "--force")
    refused(cli.here("--file", "no/such.toml", "init"), 2, "cannot write no/such.toml")
    refused(cli.here("--file", ".", "init"), 2, "--file names no file")


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("usage", "--help"), ()])
def test_help_whose_reader_left(cli: Cli, words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=cli.folder,
            env=clean_environ(),
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


SLOW = (
    *("complete", "--account", "acme", "--stream", "-m", "offline/slow-100"),
    "a b c d e f g h i j k l m n o p q r s t u v w x y z",
)


def test_nohup_goes_on(cli: Cli) -> None:
    cli.credit()
    nohup = shutil.which("nohup")
    assert nohup is not None
    process = subprocess.Popen(
        [nohup, *COMMAND, *SLOW[:-1], "a b c d e"],
        cwd=cli.folder,
        env=clean_environ(PYTHONUNBUFFERED="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    process.stdout.read(1)
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.endswith(b"e\n")
