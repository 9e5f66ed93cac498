"""The API as the commands ask it."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self

import httpx

from waybill.cli.output import ReportedError, problem
from waybill.settings import Settings

_TIMEOUT = httpx.Timeout(30.0, connect=3.0)
_STREAM_TIMEOUT = httpx.Timeout(30.0, connect=3.0, read=60.0)
_LINES = "application/x-ndjson"
_RECONNECT_S = 0.5
_RECONNECTS = 20
_CUT_BODY = 200


class Api:
    """Asks at WAYBILL_HTTP, with the key in WAYBILL_API_KEY; problems become ReportedError."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.http.url
        key = settings.api_key
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._client = httpx.Client(
            base_url=f"{self._url}/api", headers=headers, timeout=_TIMEOUT, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **query: str | int | None) -> dict[str, Any]:
        """The JSON at a path; what is None stays out of the query."""
        try:
            return _answer(self._client.get(path, params=_given(query)))
        except httpx.TransportError as error:
            raise self._unreachable(error) from None

    def lines(self, path: str, **query: str | int | None) -> Iterator[dict[str, Any]]:
        """The objects of a stream of JSON lines; one that breaks off ends with a problem."""
        return self._lines("GET", path, None, query)

    def post_lines(
        self, path: str, content: bytes, **query: str | int | None
    ) -> Iterator[dict[str, Any]]:
        """The same as the answer to a document, sent as it stands."""
        return self._lines("POST", path, content, query)

    def _lines(
        self, method: str, path: str, content: bytes | None, query: Mapping[str, str | int | None]
    ) -> Iterator[dict[str, Any]]:
        given = _given(query)
        headers = {"Accept": f"{_LINES}, application/json"}
        begun = False
        try:
            with self._client.stream(
                method,
                path,
                params=given,
                content=content,
                headers=headers,
                timeout=_STREAM_TIMEOUT,
            ) as response:
                if response.is_error:
                    response.read()
                    _answer(response)
                begun = True
                for line in response.iter_lines():
                    yield json.loads(line)
        except httpx.TransportError as error:
            if not begun:
                raise self._unreachable(error) from None
            detail = f"the API broke off in the middle: {str(error) or type(error).__name__}"
            remedy = "look at /readyz, and begin again"
            raise ReportedError(problem("incomplete", detail, remedy), exit_code=3) from None

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        **query: str | None,
    ) -> dict[str, Any]:
        """The answer to a JSON body; what is None stays out of the query."""
        given = _given(query)
        try:
            return _answer(self._client.post(path, json=body, headers=headers, params=given))
        except httpx.TransportError as error:
            raise self._unreachable(error) from None

    def patch(
        self,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        **query: str | None,
    ) -> dict[str, Any]:
        """The answer to members that change; what is None stays out of the query."""
        given = _given(query)
        try:
            return _answer(self._client.patch(path, json=body, headers=headers, params=given))
        except httpx.TransportError as error:
            raise self._unreachable(error) from None

    def put(
        self, path: str, content: bytes, headers: Mapping[str, str], **query: str
    ) -> dict[str, Any]:
        """The answer to a document, sent as it stands."""
        try:
            return _answer(self._client.put(path, content=content, headers=headers, params=query))
        except httpx.TransportError as error:
            raise self._unreachable(error) from None

    def delete(self, path: str, **query: str | None) -> dict[str, Any]:
        """The answer to a deletion; what is None stays out of the query."""
        try:
            return _answer(self._client.delete(path, params=_given(query)))
        except httpx.TransportError as error:
            raise self._unreachable(error) from None

    def submit(self, body: bytes) -> dict[str, Any]:
        """The answer to an order."""
        return self._order("/order", body)

    def preview(self, body: bytes) -> dict[str, Any]:
        """What an order would do."""
        return self._order("/order/preview", body)

    def order_id(self, given: str) -> str:
        """The id of the order that an id, reference or external id names."""
        if given.startswith("order-"):
            return given
        found = self.get("/orders", external_id=given, limit=2)["items"]
        found = found or self.get("/orders", q=given, limit=2)["items"]
        if not found:
            remedy = "check the id; `waybill orders` lists what is there"
            raise ReportedError(problem("not_found", f"there is no order {given!r}", remedy))
        if len(found) > 1:
            remedy = f"use an id; `waybill orders --search {given}` lists them"
            raise ReportedError(problem("ambiguous", f"several orders match {given!r}", remedy))
        return str(found[0]["id"])

    def events(self) -> Iterator[dict[str, Any]]:
        """The timeline as it grows, for ever; a lost connection is taken up where it broke."""
        seen: dict[str, str] = {}
        failures = 0
        while True:
            lost = "the stream ends again and again"
            try:
                for entry in self._stream(seen):
                    failures = 0
                    yield entry
            except httpx.TransportError as error:
                if not seen:
                    raise self._unreachable(error) from None
                lost = str(error) or type(error).__name__
            failures += 1
            if failures > _RECONNECTS:
                raise self._unreachable(lost)
            time.sleep(_RECONNECT_S)

    def _stream(self, seen: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Server-sent events; `seen` keeps the last id."""
        with self._client.stream(
            "GET", "/events", headers=seen, timeout=_STREAM_TIMEOUT
        ) as response:
            if response.is_error:
                response.read()
                _answer(response)
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    seen["Last-Event-ID"] = value
                elif name == "data":
                    yield json.loads(value)

    def _order(self, path: str, body: bytes) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        try:
            return _answer(self._client.post(path, content=body, headers=headers))
        except httpx.TransportError as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception | str) -> ReportedError:
        detail = f"no API answers at {self._url}: {str(error) or type(error).__name__}"
        remedy = "start it with `waybill up`, or say in WAYBILL_HTTP where it is"
        return ReportedError(problem("unreachable", detail, remedy), exit_code=3)


def _given(query: Mapping[str, str | int | None]) -> dict[str, str | int]:
    return {name: value for name, value in query.items() if value is not None}


def _answer(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict) and (response.is_success or "detail" in body):
        if response.is_success:
            return body
        raise ReportedError(body)
    raise ReportedError(_unexpected(response))


def _unexpected(response: httpx.Response) -> Mapping[str, Any]:
    detail = f"{response.url} answers {response.status_code}: {response.text[:_CUT_BODY]}"
    remedy = "check that WAYBILL_HTTP is Waybill's API"
    return problem("unexpected_answer", detail, remedy)
