"""A fuzz over the described API, with the token: whatever is sent, nothing breaks.

Schemathesis makes requests from the server's own OpenAPI description, fitting ones and others.
Every answer must be below 500 and name what was expected; afterwards the journal reads whole.
Fitting requests name a desk, an item and a reader that exist, half of the others do too. It goes on
for the time given, and where a busy machine was slow until enough operations were answered, at most
`PATIENCE` times as long.
"""

import json
import time

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from nissl.web.app import create_app

SECONDS = 20.0
PATIENCE = 6
MUST = {"/api/decisions", "/api/edits", "/api/queue", "/api/project", "/api/settings"}


def operations(schema):
    return [result.ok() for result in schema.get_all_operations()]


@pytest.mark.slow
def test_no_request_breaks_the_server_for_twenty_seconds(talk, room, study):
    fuzz(talk, room, study, SECONDS, least=8)


def test_no_request_breaks_the_server(talk, room, study):
    fuzz(talk, room, study, 4.0, least=2)


def fuzz(talk, room, study, seconds, *, least):
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", create_app(room))
    found = operations(schema)
    assert {operation.path for operation in found} >= MUST
    cases = [
        st.tuples(st.just(mode is GenerationMode.POSITIVE), op.as_strategy(generation_mode=mode))
        for op in found
        for mode in GenerationMode
    ]
    real = {
        "key": st.sampled_from([study.units, study.spans, study.classes]),
        "item": st.sampled_from(["1", "2", "3"]),
    }
    broken: list[str] = []
    answered: set[str] = set()
    n = 0

    @given(data=st.data(), made=st.sampled_from(cases))
    @settings(
        max_examples=100,
        deadline=None,
        database=None,
        derandomize=False,  # else, under CI, every call sends the same hundred
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(data, made):
        nonlocal n
        try:
            fits, case = data.draw(made)
        except schemathesis.errors.SchemathesisError:
            reject()  # nothing about this operation can be wrong
        operation = case.operation
        path = {name: str(value) for name, value in dict(case.path_parameters or {}).items()}
        for name in real:  # behind the door, too
            if name in path and (fits or data.draw(st.booleans())):
                path[name] = data.draw(real[name])
        query = dict(case.query) if isinstance(case.query, dict) else {}
        if "reader" in query and (fits or data.draw(st.booleans())):
            query["reader"] = "Ana"
        writes = operation.method.upper() in ("POST", "PUT")
        try:
            answer = talk.client.request(
                operation.method.upper(),
                operation.path.format(**path),
                params=query,
                content=_bytes(case.body) if writes else None,
                headers={"content-type": "application/json"} if writes else {},
            )
        except httpx2.InvalidURL:
            reject()  # longer than a client can ask
        n += 1
        if answer.status_code == 200:
            answered.add(operation.path)
        if answer.status_code >= 500:
            broken.append(
                f"{operation.method} {answer.url}\n{answer.text[:300]}\n{case.body!r:.300}"
            )
        elif answer.status_code >= 400:
            assert set(answer.json()["error"]) == {"expected", "got", "remedy"}

    begun = time.monotonic()
    while (spent := time.monotonic() - begun) < seconds or (
        len(answered) < least and spent < PATIENCE * seconds
    ):
        send()
    assert not broken, "\n".join(dict.fromkeys(broken))
    assert n >= 100
    assert len(answered) >= least, sorted(answered)  # it comes past the door
    assert room.store.verify() == []
    talk.decide(talk.edit("accept", study.spans, [1]))


def _bytes(body):
    if isinstance(body, bytes):
        return body
    try:
        return json.dumps(body).encode()
    except (TypeError, ValueError):  # no body, or none that JSON can hold
        return b""
