"""Who may speak to the server, asked of the guard alone: every refusal has its reason."""

import asyncio
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.web.security import Guard
from nissl.web.sessions import Keys

HOST = {"host": "127.0.0.1:8477"}


class Answer:
    """What the guard, or the application behind it, said."""

    def __init__(self, messages):
        self.status = messages[0]["status"]
        pairs = [(k.decode(), v.decode()) for k, v in messages[0]["headers"]]
        self.headers = dict(pairs)
        self.n_headers = len(pairs)
        self.body = b"".join(m.get("body", b"") for m in messages[1:])


async def behind(scope, receive, send):
    """An application that lets anybody in and would like to be framed."""
    headers = [(b"content-type", b"text/plain"), (b"X-Frame-Options", b"ALLOWALL")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"inside"})


class Door:
    def __init__(self):
        self.keys = Keys()
        self.guard = Guard(behind, self.keys, most_bytes=1000)

    def __call__(self, path="/", headers=None, *, method="GET", query="", raw=None, own=True):
        pairs = [(k.encode(), v.encode("latin-1")) for k, v in (HOST | (headers or {})).items()]
        if own:
            pairs.append((b"authorization", b"Bearer " + self.keys.token.encode()))
        scope = {
            "type": "http", "method": method, "path": path, "query_string": query.encode(),
            "headers": pairs if raw is None else raw,
        }  # fmt: skip
        said = []

        async def send(message):
            said.append(message)

        asyncio.run(self.guard(scope, None, send))
        return Answer(said)

    @property
    def cookie(self):
        return {"cookie": f"other=1; {self.keys.cookie}={self.keys.token}"}


@pytest.fixture
def door():
    return Door()


def json_body(n=2):
    return {"content-type": "application/json", "content-length": str(n)}


# --- the token -------------------------------------------------------------------------------


def test_the_token_opens_as_header_and_as_cookie(door):
    assert door("/api/project").body == b"inside"
    assert door("/api/project", door.cookie, own=False).body == b"inside"
    assert door("/assets/app.js", door.cookie, own=False).body == b"inside"


@pytest.mark.parametrize("path", ["/", "/index.html", "/assets/app.js", "/api/project", "/api/x"])
def test_nothing_opens_without_it(door, path):
    cookie = {"cookie": f"{door.keys.cookie}=x{door.keys.token}"}
    for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Basic eDp4"}, cookie):
        answer = door(path, headers, own=False)
        assert answer.status == 401
        assert b"nissl review" in answer.body
    if path.startswith("/api"):
        assert set(json.loads(answer.body)["error"]) == {"expected", "got", "remedy"}


@given(st.text(max_size=60))
def test_no_guess_opens(guess):
    keys = Keys()
    assert not keys.fits(guess)
    assert not keys.admits(guess)
    assert keys.admits(keys.token)


def test_an_address_with_the_token_leaves_a_cookie_and_forgets_the_token(door):
    answer = door("/", query=f"token={door.keys.token}&tour=1", own=False)
    assert (answer.status, answer.headers["location"]) == (303, "/?tour=1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert door.keys.token not in answer.headers["location"]
    held = {"cookie": cookie.partition(";")[0]}
    assert door("/", held, own=False).body == b"inside"


def test_the_way_back_never_leaves_the_server(door):
    for path in ("//evil.example/", "/\\evil.example", "///evil.example"):
        answer = door(path, query=f"token={door.keys.token}", own=False)
        assert re.fullmatch(r"/[^/\\].*", answer.headers["location"])


def test_the_token_in_an_address_does_not_open_the_api(door):
    assert door("/api/project", query=f"token={door.keys.token}", own=False).status == 401
    posted = door("/", json_body(), method="POST", query=f"token={door.keys.token}", own=False)
    assert posted.status == 401


def test_a_ticket_opens_once_and_not_for_ever():
    now = [0.0]
    keys = Keys(now=lambda: now[0])
    first, second = keys.ticket(), keys.ticket()
    assert not keys.fits(first)
    assert keys.admits(first)
    assert not keys.admits(first)
    now[0] = 1e4
    assert not keys.admits(second)


# --- other sites -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "192.168.0.4:8477",
     "[::2]", "127.0.0.1@evil.example", "127.0.0.1:80:80", "", "0.0.0.0:8477"],
)  # fmt: skip
def test_a_name_that_was_rebound_is_refused(door, host):
    assert door("/api/project", {"host": host}).status == 421
    assert door("/", {"host": host}, query=f"token={door.keys.token}", own=False).status == 421


def test_a_request_without_a_host_or_with_two_is_refused(door):
    own = (b"authorization", b"Bearer " + door.keys.token.encode())
    host = (b"host", b"localhost")
    assert door(raw=[own]).status == 421
    assert door(raw=[own, host, host]).status == 421
    assert door(raw=[own, host]).status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "[::1]:65535", "LOCALHOST:9000"])
def test_any_forwarded_port_is_fine(door, host):
    assert door("/api/project", {"host": host}).status == 200
    assert door("/api/project", {"host": host, "origin": f"http://{host}"}).status == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:8477", "http://127.0.0.1:9", ""]
)
def test_another_origin_is_refused_even_with_the_token(door, origin):
    for method in ("GET", "POST", "OPTIONS"):
        answer = door("/api/decisions", {"origin": origin} | json_body(), method=method)
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_what_the_browser_marks_as_coming_from_elsewhere_is_refused(door):
    for site in ("cross-site", "same-site"):
        fetch = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}
        frame = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
        window = {
            "sec-fetch-site": site,
            "sec-fetch-mode": "navigate",
            "sec-fetch-dest": "document",
        }
        assert door("/assets/app.js", fetch).status == 403
        assert door("/", frame).status == 403
        assert door("/api/project", window).status == 403
        assert door("/", window).status == 200
    assert door("/api/project", {"sec-fetch-site": "same-origin"}).status == 200


def test_a_link_from_elsewhere_is_opened_a_second_time_from_here(door):
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    first = door("/", link, own=False)
    assert first.status == 200
    assert b"location.replace" in first.body
    assert "sha256-" in first.headers["content-security-policy"]
    assert "set-cookie" not in first.headers
    assert door("/", link, query="again=1", own=False).status == 401  # it does not go round
    opened = door("/", link, query=f"token={door.keys.ticket()}", own=False)
    assert door.keys.token in opened.headers["set-cookie"]


# --- what is sent and answered ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (json_body(), 200),
        ({"content-type": "application/json; charset=utf-8", "content-length": "2"}, 200),
        ({"content-type": "text/plain", "content-length": "2"}, 415),
        ({"content-type": "application/x-www-form-urlencoded", "content-length": "2"}, 415),
        ({"content-length": "2"}, 415),
        ({"content-type": "application/json"}, 411),
        (json_body(-1), 411),
        ({"content-type": "application/json", "transfer-encoding": "chunked"}, 411),
        (json_body(1001), 413),
        (json_body(10**30), 413),
    ],
)
def test_bodies_are_small_and_declared(door, headers, status):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert door("/api/decisions", headers, method=method).status == status


def test_every_answer_is_hardened(door):
    own = door("/")
    strange, refused = door("/", own=False), door("/", {"host": "evil.example"})
    for answer in (own, strange, refused):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
    assert own.n_headers == len(own.headers)  # the application's own wish is replaced
    assert "cache-control" not in own.headers
    assert door("/api/project").headers["cache-control"] == "no-store"


def test_a_websocket_is_not_answered(door):
    with pytest.raises(ValueError, match="websocket"):
        asyncio.run(door.guard({"type": "websocket"}, None, None))
