"""Questions to a magistrate server over HTTP, with the standard library alone.

Each exchange has one connection and one time limit. Redirects and proxies are not followed, so texts and the key reach
the configured address only.
"""

import asyncio
import http.client
import io
import json
import math
import os
import re
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

DEFAULT_URL = 'http://127.0.0.1:8787'
DEFAULT_TIMEOUT = 5.0
ATTEMPTS = 3
"""Most exchanges for one question. Only an overloaded server is asked again."""
LONGEST_ANSWER = 4 << 20
LARGEST_BATCH = 512 << 10
"""Most bytes of text in one request for several texts. Above it, each text has a request of its own."""


@dataclass(frozen=True)
class Question:
    """A text to judge under a policy."""

    text: str = field(repr=False)
    policy: str
    effort: str = 'none'


@dataclass(frozen=True)
class Failure:
    """The reason for a missing probability. It never contains a text."""

    reason: str
    of_text: bool
    """True if the server works, but has no verdict on this text."""
    splits: bool = False
    """True if a request for several texts was refused, and each text alone may be accepted."""
    pause: float | None = None
    """Seconds after which an overloaded server wants to be asked again."""


Answer = float | Failure


@dataclass(frozen=True)
class Settings:
    """The address of the server, the key and the time limit, from `MAGISTRATE_*` variables."""

    host: str
    port: int
    tls: bool
    path: str
    key: str = field(repr=False)
    timeout: float

    @classmethod
    def from_environment(cls) -> 'Settings':
        """Returns the settings, or raises `ValueError` with the name of the unusable variable."""
        try:
            url = urlsplit(os.environ.get('MAGISTRATE_URL') or DEFAULT_URL)
            port = url.port or (443 if url.scheme == 'https' else 80)
        except ValueError:
            raise ValueError('MAGISTRATE_URL is not a URL') from None
        if url.scheme not in ('http', 'https') or not url.hostname or '@' in url.netloc:
            raise ValueError('MAGISTRATE_URL needs the form http://HOST:PORT')
        path = url.path.rstrip('/') + '/v1/check'
        key = os.environ.get('MAGISTRATE_API_KEY', '')
        if not all('!' <= letter <= '~' for letter in key):
            raise ValueError('MAGISTRATE_API_KEY has a character that no key has')
        if not all('!' <= letter <= '~' for letter in url.netloc + path):
            raise ValueError('MAGISTRATE_URL has a character that no URL has')
        return cls(url.hostname, port, url.scheme == 'https', path, key, _timeout())

    @property
    def authority(self) -> str:
        host = f'[{self.host}]' if ':' in self.host else self.host
        return f'{host}:{self.port}'


def _timeout() -> float:
    try:
        timeout = float(os.environ.get('MAGISTRATE_TIMEOUT') or DEFAULT_TIMEOUT)
    except ValueError:
        timeout = math.nan
    if not 0 < timeout <= 3600:
        raise ValueError('MAGISTRATE_TIMEOUT is not a number of seconds')
    return timeout


def request_bytes(settings: Settings, questions: Sequence[Question], seconds_left: float) -> bytes:
    """Returns the request for one text, or for several under the policy and the effort of the first."""
    texts = [_well_formed(question.text) for question in questions]
    body: dict[str, object] = {'policy': questions[0].policy, 'effort': questions[0].effort}
    body |= {'text': texts[0]} if len(texts) == 1 else {'texts': texts}
    body |= {'fields': ['status', 'verdict', 'probability', 'error']}
    body |= {'deadline_ms': max(1, int(seconds_left * 1000))}
    content = json.dumps(body).encode()
    lines = [
        f'POST {settings.path} HTTP/1.1',
        f'Host: {settings.authority}',
        'Content-Type: application/json',
        f'Content-Length: {len(content)}',
        'Accept: application/json',
        'Connection: close',
    ]
    if settings.key:
        lines.append(f'Authorization: Bearer {settings.key}')
    return '\r\n'.join([*lines, '', '']).encode('ascii') + content


def _well_formed(text: str) -> str:
    """Replaces lone surrogates. Without it, one of them would make the server refuse the whole request."""
    return text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')


def read_answers(received: bytes, count: int) -> list[Answer]:
    """Returns one answer for each of `count` texts from the bytes of a response."""
    try:
        status, retry_after, body = _parse(received)
    except (http.client.HTTPException, ValueError, OSError):
        return [Failure('the answer is not HTTP', of_text=False)] * count
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if status != 200:
        return [_refusal(status, retry_after, value)] * count
    rows = [value] if count == 1 else _entry(value, 'rows')
    if not isinstance(rows, list) or len(rows) != count:
        return [Failure('the answer has not one row for each text', of_text=False)] * count
    return [_row(row) for row in rows]


class _Received:
    """Bytes in the place of a socket, for `http.client`."""

    def __init__(self, received: bytes):
        self._received = received

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._received)


def _parse(received: bytes) -> tuple[int, str | None, bytes]:
    response = http.client.HTTPResponse(_Received(received), method='POST')  # type: ignore[arg-type]
    response.begin()
    return response.status, response.headers.get('Retry-After'), response.read()


def _refusal(status: int, retry_after: str | None, value: object) -> Failure:
    reason = f'HTTP {status}{_code(_entry(value, "error"))}'
    pause = float(retry_after) if status in (429, 503) and retry_after and retry_after.isdecimal() else None
    # These two refuse a text: it is too large, too long, or has no verdict. Other refusals are about the setup.
    return Failure(reason, of_text=status in (413, 422), splits=status in (400, 413, 422), pause=pause)


def _row(row: object) -> Answer:
    status, probability = _entry(row, 'status'), _entry(row, 'probability')
    if status == 'ok':
        is_number = isinstance(probability, (int, float)) and not isinstance(probability, bool)
        if is_number and 0 <= probability <= 1:
            return float(probability)
    if status in ('unresolved', 'error'):
        error = _entry(row, 'error')
        faulty = _entry(error, 'code') in ('fault', 'engine')
        return Failure(f'{status}{_code(error)}', of_text=not faulty)
    return Failure('the row has no status or no probability', of_text=False)


def _entry(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _code(error: object) -> str:
    """Returns an error's code in parentheses. Messages are left out: they could quote a text."""
    code = _entry(error, 'code')
    return f' ({code})' if isinstance(code, str) and re.fullmatch('[a-z0-9_.-]{1,40}', code) else ''


def _again(answers: list[Answer], attempt: int, deadline: float) -> float | None:
    """Returns the seconds to wait before another attempt, or nothing where the answers are final."""
    first = answers[0]
    pause = first.pause if isinstance(first, Failure) else None
    if pause is None or attempt == ATTEMPTS or time.monotonic() + pause >= deadline:
        return None
    return pause


def _parts(questions: Sequence[Question]) -> list[Sequence[Question]]:
    size = sum(len(question.text.encode('utf-8', 'surrogatepass')) for question in questions)
    return [questions] if size <= LARGEST_BATCH else [[question] for question in questions]


def _failed(error: Exception, count: int) -> list[Answer]:
    """Returns the answers of an exchange that failed. Only the kind of the error is kept."""
    timed_out = isinstance(error, TimeoutError)
    reason = 'no answer within the time limit' if timed_out else f'no answer ({type(error).__name__})'
    return [Failure(reason, of_text=False)] * count


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def ask(questions: Sequence[Question]) -> list[Answer]:
    """Returns one answer for each question, in order, and never raises. All share one policy and one effort."""
    try:
        settings = Settings.from_environment()
    except ValueError as error:
        return [Failure(str(error), of_text=False)] * len(questions)
    deadline = time.monotonic() + settings.timeout
    return [answer for part in _parts(questions) for answer in _ask(settings, part, deadline)]


def _ask(settings: Settings, questions: Sequence[Question], deadline: float) -> list[Answer]:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            received = _exchange(settings, questions, deadline)
            answers = read_answers(received, len(questions))
        except (OSError, ValueError) as error:
            answers = _failed(error, len(questions))
        pause = _again(answers, attempt, deadline)
        if pause is None:
            break
        time.sleep(pause)
    if len(questions) > 1 and isinstance(answers[0], Failure) and answers[0].splits:
        return [answer for question in questions for answer in _ask(settings, [question], deadline)]
    return answers


def _exchange(settings: Settings, questions: Sequence[Question], deadline: float) -> bytes:
    received = bytearray()
    with socket.create_connection((settings.host, settings.port), _left(deadline)) as plain:
        stream = plain
        if settings.tls:
            stream = ssl.create_default_context().wrap_socket(plain, server_hostname=settings.host)
        with stream:
            stream.sendall(request_bytes(settings, questions, _left(deadline)))
            while len(received) <= LONGEST_ANSWER:
                stream.settimeout(_left(deadline))
                chunk = stream.recv(65536)
                if not chunk:
                    return bytes(received)
                received += chunk
    raise OSError('the answer is too long')


async def ask_async(questions: Sequence[Question]) -> list[Answer]:
    """Does the work of `ask` on the running event loop. A cancellation closes the connection."""
    try:
        settings = Settings.from_environment()
    except ValueError as error:
        return [Failure(str(error), of_text=False)] * len(questions)
    deadline = time.monotonic() + settings.timeout
    parts = [await _ask_async(settings, part, deadline) for part in _parts(questions)]
    return [answer for part in parts for answer in part]


async def _ask_async(settings: Settings, questions: Sequence[Question], deadline: float) -> list[Answer]:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with asyncio.timeout(_left(deadline)):
                received = await _exchange_async(settings, questions, deadline)
            answers = read_answers(received, len(questions))
        except (OSError, ValueError) as error:
            answers = _failed(error, len(questions))
        pause = _again(answers, attempt, deadline)
        if pause is None:
            break
        await asyncio.sleep(pause)
    if len(questions) > 1 and isinstance(answers[0], Failure) and answers[0].splits:
        return [answer for question in questions for answer in await _ask_async(settings, [question], deadline)]
    return answers


async def _exchange_async(settings: Settings, questions: Sequence[Question], deadline: float) -> bytes:
    received = bytearray()
    context = ssl.create_default_context() if settings.tls else None
    reader, writer = await asyncio.open_connection(settings.host, settings.port, ssl=context)
    try:
        writer.write(request_bytes(settings, questions, _left(deadline)))
        await writer.drain()
        while len(received) <= LONGEST_ANSWER:
            chunk = await reader.read(65536)
            if not chunk:
                return bytes(received)
            received += chunk
    finally:
        writer.transport.abort()
    raise OSError('the answer is too long')
