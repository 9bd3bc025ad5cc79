"""Who may speak to the server: the browser of whoever has the token, and nobody else.

`Guard` stands before every route and every static file. What it holds off:

- others on the machine or the network: the server listens on 127.0.0.1 and wants the token,
  as a cookie (HttpOnly, SameSite=Strict) or as ``Authorization: Bearer``;
- pages of other sites in the same browser: a request that names another ``Origin``, or that
  the browser marks as cross-site (``Sec-Fetch-Site``), is refused, and nothing answers CORS;
- DNS rebinding: ``Host`` must be this machine's own name for itself;
- requests that are too large, or whose body is not declared as JSON;
- pages that would load, frame or sniff: headers on every answer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlencode

from nissl.web.sessions import Keys

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BYTES = 32 * 1024 * 1024
"""The largest request: a split of a unit names its rows, ten bytes each."""

_HOST = re.compile(rb"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_WRITING = ("POST", "PUT", "PATCH", "DELETE")
_AGAIN = "again"

# A page that another site links to comes without our SameSite=Strict cookie. This one, once
# loaded, opens the page a second time, now from here; the fragment, which names the item, stays.
_BOUNCE_SCRIPT = (
    "var a=new URL(location.href);a.searchParams.delete('token');"
    f"a.searchParams.set('{_AGAIN}','1');location.replace(a.href)"
)
_BOUNCE = f"<!doctype html><title>nissl</title><script>{_BOUNCE_SCRIPT}</script>"
_BOUNCE_HASH = base64.b64encode(hashlib.sha256(_BOUNCE_SCRIPT.encode()).digest()).decode()

_POLICY = (
    "default-src 'self'; script-src 'self'{script}; style-src 'self'; img-src 'self' data: blob:; "
    "worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}

_NO_TOKEN = (
    "the token of this server",
    "none, or another one",
    "Open the address that `nissl review` printed; it ends in ?token=...",
)


class Guard:
    """ASGI application that lets only permitted requests through to another.

    Parameters
    ----------
    app : ASGI application
    keys : Keys
    most_bytes : int
        Largest body of a request.
    """

    def __init__(self, app: App, keys: Keys, *, most_bytes: int = MOST_BYTES) -> None:
        self._app = app
        self._keys = keys
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"a request over {scope['type']!r}, which nothing here answers")
        headers = _Headers(scope)
        refusal = self._fault(scope, headers)
        if refusal is not None:
            await _answer(send, *refusal, scope=scope)
        elif self._keys_in(headers):
            api = scope["path"].startswith("/api")
            await self._app(scope, receive, _hardened(send, api=api))
        else:
            await self._stranger(scope, headers, send)

    def _fault(self, scope: Scope, headers: _Headers) -> tuple[int, tuple[str, str, str]] | None:
        """Status and error of a request that nobody may make, token or not."""
        hosts = headers.all(b"host")
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            return 421, (
                "a request to 127.0.0.1 or localhost",
                "another Host, or none",
                "Open the address that `nissl review` printed; forward its port by ssh.",
            )
        if not _own_origin(headers, hosts[0]) or not _own_page(scope, headers):
            return 403, (
                "a request from this server's own pages",
                "one from another site",
                "Open the address that `nissl review` printed in a window of its own.",
            )
        return self._bad_body(headers) if scope["method"] in _WRITING else None

    def _bad_body(self, headers: _Headers) -> tuple[int, tuple[str, str, str]] | None:
        length = headers.one(b"content-length")
        if headers.all(b"transfer-encoding") or not length.isdigit():
            return 411, ("a body of stated length", "none", "Send Content-Length.")
        if int(length) > self._most_bytes:
            most = f"a body of at most {self._most_bytes} bytes"
            return 413, (most, f"{int(length)} bytes", "Send the decisions in several parts.")
        kind = headers.one(b"content-type").split(b";")[0].strip().lower()
        if kind != b"application/json":
            return 415, ("a body of application/json", "another type", "Set Content-Type.")
        return None

    def _keys_in(self, headers: _Headers) -> bool:
        scheme, _, given = headers.one(b"authorization").partition(b" ")
        if scheme.lower() == b"bearer" and self._keys.fits(given.strip().decode("latin-1")):
            return True
        return any(self._keys.fits(v) for v in headers.cookies(self._keys.cookie))

    async def _stranger(self, scope: Scope, headers: _Headers, send: Send) -> None:
        """Let somebody in who brings the token in the address; send everybody else away."""
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        page = scope["method"] == "GET" and not scope["path"].startswith("/api")
        elsewhere = headers.one(b"sec-fetch-site") in (b"cross-site", b"same-site")
        given = query.pop("token", [""])[0]
        if page and given and self._keys.admits(given):
            cookie = f"{self._keys.cookie}={self._keys.token}; Path=/; HttpOnly; SameSite=Strict"
            more = {"set-cookie": cookie}
            if elsewhere:
                await _bounce(send, more)
                return
            left = urlencode(query, doseq=True)
            more["location"] = "/" + scope["path"].lstrip("/\\") + (f"?{left}" if left else "")
            await _send(send, 303, b"", "text/plain", more)
        elif page and elsewhere and _AGAIN not in query and not given:
            await _bounce(send, {})
        else:
            await _answer(send, 401, _NO_TOKEN, scope=scope)


class _Headers:
    """Headers of a request; a name may come several times."""

    def __init__(self, scope: Scope) -> None:
        self._pairs: list[tuple[bytes, bytes]] = scope["headers"]

    def all(self, name: bytes) -> list[bytes]:
        return [v.strip() for k, v in self._pairs if k.lower() == name]

    def one(self, name: bytes) -> bytes:
        """Only value of a header; empty where there is none, or several."""
        found = self.all(name)
        return found[0] if len(found) == 1 else b""

    def cookies(self, name: str) -> list[str]:
        parts = [p for line in self.all(b"cookie") for p in line.decode("latin-1").split(";")]
        pairs = (part.strip().partition("=") for part in parts)
        return [value for key, _, value in pairs if key == name]


def _own_origin(headers: _Headers, host: bytes) -> bool:
    origins = headers.all(b"origin")
    return all(o.lower() == b"http://" + host.lower() for o in origins)


def _own_page(scope: Scope, headers: _Headers) -> bool:
    """Whether a request comes from our page, or opens a page in a window."""
    if headers.one(b"sec-fetch-site") not in (b"cross-site", b"same-site"):
        return True
    opens = headers.one(b"sec-fetch-mode") == b"navigate"
    framed = headers.one(b"sec-fetch-dest") not in (b"document", b"")
    return bool(
        scope["method"] == "GET" and opens and not framed and not scope["path"].startswith("/api")
    )


def _hardened(send: Send, *, api: bool) -> Send:
    ours = _all()

    async def send_hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            held = [(k, v) for k, v in message["headers"] if k.lower().decode() not in ours]
            if api and not any(k.lower() == b"cache-control" for k, _ in held):
                held.append((b"cache-control", b"no-store"))
            message = {**message, "headers": held + _encoded(ours)}
        await send(message)

    return send_hardened


def _all(script: str = "") -> dict[str, str]:
    return {"content-security-policy": _POLICY.format(script=script), **_HEADERS}


def _encoded(headers: MutableMapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(k.encode(), v.encode("latin-1")) for k, v in headers.items()]


async def _bounce(send: Send, more: dict[str, str]) -> None:
    script = f" 'sha256-{_BOUNCE_HASH}'"
    await _send(send, 200, _BOUNCE.encode(), "text/html; charset=utf-8", more, script=script)


async def _answer(send: Send, status: int, error: tuple[str, str, str], *, scope: Scope) -> None:
    expected, got, remedy = error
    if scope["path"].startswith("/api"):
        body = json.dumps({"error": {"expected": expected, "got": got, "remedy": remedy}}).encode()
        await _send(send, status, body, "application/json", {})
    else:
        text = f"Expected {expected}, got {got}.\n{remedy}\n"
        await _send(send, status, text.encode(), "text/plain; charset=utf-8", {})


async def _send(
    send: Send, status: int, body: bytes, kind: str, more: dict[str, str], *, script: str = ""
) -> None:
    headers = {"content-type": kind, "content-length": str(len(body)), "cache-control": "no-store"}
    start = {"type": "http.response.start", "status": status}
    await send({**start, "headers": _encoded({**headers, **_all(script), **more})})
    await send({"type": "http.response.body", "body": body})
