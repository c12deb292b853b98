"""Verdicts from a server."""

from __future__ import annotations

import contextlib
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ._errors import MagistrateError, ServerError, TextRefused
from ._label import Judged, whole
from ._policy import Policy, PolicyLike
from ._types import Progress

LINES = 256
"""Texts of one request. The lines of a request wait for places in the server, so it is not overloaded."""

TRIES = 6
"""Requests to a busy server, before its answer becomes an error."""

REFUSED = {"too_long", "no_text", "too_large"}
"""Codes of errors that concern one text alone."""

FAILED = {"fault", "deadline"}
"""Codes of lines that get a row with an error, beside those."""


class Connection:
    """A server at an address."""

    def __init__(self, url: str, key: Optional[str], timeout: float) -> None:
        self.url, self.key, self.timeout = url.rstrip("/"), key, timeout

    def check(self, text: str, policies: Sequence[PolicyLike], settings: Mapping[str, Any]) -> Dict[str, Any]:
        """Returns the rows of one text by policy."""
        if fault := _fault(text):
            raise TextRefused(fault["message"], None, None, fault["code"])
        rows: Dict[str, Any] = {}
        for request, id in _requests(policies, settings):
            with self._open(json.dumps({"text": text, **request}), "application/json") as response:
                rows.update(_verdicts(json.load(response), id))
        return rows

    def label(
        self,
        texts: Sequence[Any],
        policies: Sequence[PolicyLike],
        fields: Sequence[str],
        settings: Mapping[str, Any],
        progress: Progress,
    ) -> List[Judged]:
        """Returns the results for texts, in order."""
        options = {**settings, "fields": whole(["verdict", *fields])}
        requests = list(_requests(policies, options))
        judged: List[Judged] = []
        for start in range(0, len(texts), LINES):
            part: List[Judged] = [{"verdicts": {}, "error": _fault(text)} for text in texts[start : start + LINES]]
            sent = [(one, text) for one, text in zip(part, texts[start:]) if not one["error"]]
            for request, id in requests if sent else []:
                lines = (json.dumps({"text": text, **request}) for _, text in sent)
                with self._open("\n".join(lines), "application/x-ndjson") as response:
                    answers = [json.loads(line) for line in response if line.strip()]
                if len(answers) != len(sent):
                    raise ServerError(f"{len(sent)} texts have {len(answers)} answers", "ask again")
                for (one, _), answer in zip(sent, answers):
                    one["verdicts"].update(_verdicts(answer, id))
                    one["error"] = answer.get("error") or one["error"]
                    if one["error"] and one["error"]["code"] not in REFUSED | FAILED:
                        raise _error(400, one["error"])
            judged += part
            if callable(progress):
                progress(len(judged), len(texts))
        return judged

    def _open(self, body: str, kind: str) -> Any:
        """Sends a request, and returns the response. Waits for a busy server."""
        headers = {"content-type": kind, **({"authorization": f"Bearer {self.key}"} if self.key else {})}
        request = urllib.request.Request(f"{self.url}/v1/check", body.encode("ascii"), headers)
        is_local = urllib.parse.urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")
        # No proxy leads to this machine.
        opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if is_local else []))
        for left in reversed(range(TRIES)):
            try:
                return opener.open(request, timeout=self.timeout)
            except urllib.error.HTTPError as error:
                if error.code in (429, 503) and left:
                    time.sleep(min(float(error.headers.get("retry-after") or 1), 60))
                    continue
                about: Mapping[str, Any] = {}
                with contextlib.suppress(ValueError, AttributeError):
                    about = json.loads(error.read()).get("error") or {}
                raise _error(error.code, about) from None
            except OSError as error:
                reason = getattr(error, "reason", error)
                raise ServerError(f"{self.url} gives no answer: {reason}", "magistrate serve starts a server") from None
        raise AssertionError


def _error(status: int, about: Mapping[str, Any]) -> MagistrateError:
    """Returns the error of a request that was refused."""
    message, code = about.get("message") or f"the server answered with status {status}", about.get("code")
    if code in REFUSED:
        return TextRefused(message, None, None, code)
    hint = "key= is the server's key" if status == 401 else None
    return ServerError(message, hint, None, code, status)


def _fault(text: Any) -> Optional[Dict[str, str]]:
    """Returns the error of a value that cannot be sent as a text."""
    if not isinstance(text, str):
        return {"code": "wrong-type", "message": "the text is missing, or not a string"}
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return {"code": "not-utf8", "message": "the text has half of a surrogate pair, which is no character"}
    return None


def _requests(
    policies: Sequence[PolicyLike], settings: Mapping[str, Any]
) -> Iterator[Tuple[Dict[str, Any], Optional[str]]]:
    """Returns the requests about a text. A policy of the caller is sent, in a request of its own, with its id."""
    common = {**settings, "by_policy": True}
    if all(isinstance(policy, str) for policy in policies):
        yield {**common, "policy": list(policies)}, None
        return
    for policy in policies:
        if isinstance(policy, str):
            yield {**common, "policy": [policy]}, None
        else:
            sent = policy if isinstance(policy, Policy) else Policy.from_file(policy)
            yield {**common, "policy": sent.asked()}, sent.given_id


def _verdicts(answer: Mapping[str, Any], id: Optional[str]) -> Dict[str, Any]:
    """Returns the rows of an answer, by policy. A policy without an id of its own has the one that is given here."""
    verdicts = answer.get("verdicts", {})
    return {id or name: row for name, row in verdicts.items()}
