"""Reading what people type and the files that they name; every fault is an InvalidRequest."""

import json
import mimetypes
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.messages import AudioPart, FilePart, ImagePart
from tollkeeper.domain.tools import JsonSchema
from tollkeeper.infra.durations import parse_duration

STDIN = "-"
_MEBIBYTE = 1024 * 1024
LARGEST_PROMPT = 16 * _MEBIBYTE
LARGEST_IMAGE = 20 * _MEBIBYTE
LARGEST_FILE = 32 * _MEBIBYTE
LARGEST_RECORDING = 512 * _MEBIBYTE
_LONGEST_DURATION = timedelta(days=36_500)
_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_SOUNDS = {
    b"ID3": "mp3",
    b"\xff\xfb": "mp3",
    b"\xff\xf3": "mp3",
    b"\xff\xf2": "mp3",
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"\x1a\x45\xdf\xa3": "webm",
}


def read_duration(text: str | None, *, option: str) -> timedelta | None:
    """Read ``30d``, or nothing.

    Raises:
        InvalidRequest: *text* reads otherwise, or is longer than a hundred years.
    """
    if text is None:
        return None
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise InvalidRequest(f"{option}: {error}") from None
    if duration > _LONGEST_DURATION:
        raise InvalidRequest(f"{option} is at most a hundred years ({_LONGEST_DURATION.days}d)")
    return duration


def read_time(text: str | None, *, option: str) -> datetime | None:
    """Read ``2026-11-01`` or ``2026-11-01T12:00:00+01:00``; UTC where no zone is given.

    Raises:
        InvalidRequest: *text* reads otherwise.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            f"{option} is a date or a time, such as 2026-11-01 or 2026-11-01T12:00:00Z"
        ) from None


def read_bytes(name: str, *, what: str, most: int) -> bytes:
    """Read the file *name*, or standard input if it is ``-``.

    Raises:
        InvalidRequest: it cannot be read, is no file, or has more than *most* bytes.
    """
    try:
        if name == STDIN:
            data = sys.stdin.buffer.read(most + 1) if sys.stdin is not None else b""
        else:
            with Path(name).open("rb") as file:
                data = file.read(most + 1)
    except IsADirectoryError:
        raise InvalidRequest(f"{what}: {name} is a directory") from None
    except OSError as error:
        raise InvalidRequest(f"{what}: cannot read {name} ({error.strerror})") from None
    except ValueError:
        raise InvalidRequest(f"{what}: the name of the file is malformed") from None
    if len(data) > most:
        raise InvalidRequest(f"{what}: larger than {most // _MEBIBYTE} MiB")
    return data


def read_text(name: str, *, what: str, most: int = LARGEST_PROMPT) -> str:
    """Read a file of UTF-8 text.

    Raises:
        InvalidRequest: it cannot be read, is too large, or is no text.
    """
    try:
        text = read_bytes(name, what=what, most=most).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidRequest(f"{what}: {name} is no UTF-8 text") from None
    return checked_encodable(text, what=what)


def checked_encodable(text: str, *, what: str) -> str:
    """Return *text*, if it can be sent to anyone.

    Raises:
        InvalidRequest: it holds bytes that are no text.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"{what} is no UTF-8 text") from None
    if "\0" in text:
        raise InvalidRequest(f"{what} is binary, not text")
    return text


def read_prompt(argument: str | None, file: str | None) -> str:
    """Return the prompt: the *argument*, the *file*, or else what is piped in.

    Raises:
        InvalidRequest: there is none, it is empty or no text, or there are two.
    """
    if argument is not None and file is not None:
        raise InvalidRequest("give the prompt as an argument or as --prompt-file, not as both")
    if argument is not None and argument != STDIN:
        prompt = checked_encodable(argument, what="the prompt")
    else:
        source = file or STDIN
        if source == STDIN and (sys.stdin is None or sys.stdin.isatty()):
            raise InvalidRequest(
                "there is no prompt; write it as an argument, name a --prompt-file, or pipe it in"
            )
        prompt = read_text(source, what="the prompt")
    if not prompt.strip():
        raise InvalidRequest("the prompt is empty")
    return prompt


def read_image(text: str) -> ImagePart:
    """Read an image: a URL is left to the provider, a file is sent along.

    Raises:
        InvalidRequest: it cannot be read, or is no PNG, JPEG, GIF or WebP image.
    """
    if text.startswith(("http://", "https://")):
        return ImagePart(url=checked_encodable(text, what="the image's URL"))
    data = read_bytes(text, what="the image", most=LARGEST_IMAGE)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ImagePart(data=data, media_type="image/webp")
    for beginning, media_type in _IMAGES.items():
        if data.startswith(beginning):
            return ImagePart(data=data, media_type=media_type)
    raise InvalidRequest(f"the image: {text} is no PNG, JPEG, GIF or WebP file")


def read_sound(name: str) -> AudioPart:
    """Read a sound that goes along with the prompt.

    Raises:
        InvalidRequest: it cannot be read, or is no WAV, MP3, FLAC, Ogg, M4A or WebM.
    """
    data = read_bytes(name, what="the sound", most=LARGEST_FILE)
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return AudioPart(data, "wav")
    if data[4:8] == b"ftyp":
        return AudioPart(data, "m4a")
    for beginning, format_ in _SOUNDS.items():
        if data.startswith(beginning):
            return AudioPart(data, format_)
    raise InvalidRequest(f"the sound: {name} is no WAV, MP3, FLAC, Ogg, M4A or WebM file")


def read_file_part(text: str) -> FilePart:
    """Read a document that goes along with the prompt; a URL is left to the provider.

    Raises:
        InvalidRequest: it cannot be read, is empty, or its name does not say what it is.
    """
    name = Path(text).name or "file"
    media_type, _ = mimetypes.guess_type(name)
    if text.startswith(("http://", "https://")):
        url = checked_encodable(text, what="the file's URL")
        return FilePart(name, url=url, media_type=media_type or "application/pdf")
    data = read_bytes(text, what="the file", most=LARGEST_FILE)
    if data.startswith(b"%PDF-"):
        media_type = "application/pdf"
    if media_type is None:
        raise InvalidRequest(f"the file: {text} has no ending that says what it is, such as .pdf")
    return FilePart(name, data=data, media_type=media_type)


def read_schema(name: str) -> JsonSchema:
    """Read the JSON Schema of the answer; it is called as its file is.

    Raises:
        InvalidRequest: it cannot be read, or is no JSON object.
    """
    try:
        schema = json.loads(read_text(name, what="the schema"))
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidRequest(f"the schema: {name} is no JSON{where}") from None
    called = re.sub(r"[^A-Za-z0-9_-]", "_", Path(name).stem)[:64].strip("_")
    return JsonSchema(called or "answer", schema)
