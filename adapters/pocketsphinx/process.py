"""Runs the decoding process, from a thread that waits for it."""

import json
import subprocess
import sys
import threading

_BEGIN = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from tollkeeper.adapters.pocketsphinx.decoding import main; main()"
)


class DecodingFailed(Exception):
    """The process ended otherwise than it should; the text says how."""


class DecodingProcess:
    """One run of :mod:`tollkeeper.adapters.pocketsphinx.decoding`, which :meth:`end` cuts short."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def run(self, pcm: bytes) -> str:
        """Return the words in *pcm*, or only load the model if it is empty; blocks.

        Raises:
            DecodingFailed: there is no answer.
        """
        try:
            with self._lock:
                if self._ended:
                    raise DecodingFailed("it was cut short")
                self._process = self._start()
            output, complaint = self._process.communicate(pcm)
        except OSError as error:
            raise DecodingFailed(f"the process could not be started: {error}") from error
        if self._process.returncode != 0:
            last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
            raise DecodingFailed(f"the process ended with {self._process.returncode}: {last}")
        return str(json.loads(output)["text"])

    def end(self) -> None:
        """End the process at once; the thread that waits for it goes on."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                self._process.kill()

    @staticmethod
    def _start() -> "subprocess.Popen[bytes]":
        # Isolated from the environment, and with this process's own path: so that it imports
        # what this process would.
        return subprocess.Popen(  # noqa: S603 - the command is all our own
            [sys.executable or "python3", "-I", "-c", _BEGIN, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
