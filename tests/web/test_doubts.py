"""The routes of doubts: answered without enough decisions, refused where they make no sense."""


def test_without_decisions_the_page_is_told_what_is_missing(talk):
    told = talk.get("/api/doubts", task="curation")
    assert told["suspects"] == told["classes"] == []
    assert "at least 30 decided items" in told["refused"]["error"]


def test_asking_again_needs_decisions_and_a_reader(talk):
    answer = talk.client.post("/api/doubts/ask", json={"task": "curation", "reader": "Ana"})
    assert 400 <= answer.status_code < 500
    assert "30 decided items" in answer.json()["error"]["expected"]
    nobody = talk.client.post("/api/doubts/ask", json={"task": "curation", "reader": ""})
    assert 400 <= nobody.status_code < 500


def test_a_task_that_does_not_learn_is_refused(talk):
    for task in ("spikes", "nowhere", ""):
        answer = talk.client.get("/api/doubts", params={"task": task})
        assert 400 <= answer.status_code < 500, answer.text


def test_suspects_are_listed_and_asked_once(talk, monkeypatch):
    from nissl.review.doubts import Suspect
    from nissl.web.routes import doubts

    one = Suspect(talk.study.units, 2, "session", "good", "noise", 0.9)
    monkeypatch.setattr(doubts, "suspects", lambda *_args, **_more: [one])
    told = talk.get("/api/doubts", task="curation")
    assert told["refused"] is None
    assert told["suspects"] == [one.to_json()]
    for n in (1, 0):
        answer = talk.client.post("/api/doubts/ask", json={"task": "curation", "reader": "Ana"})
        assert answer.json() == {"asked": n}
    first = talk.get("/api/queue")["entries"][0]
    assert (first["desk"], first["item"], first["policy"]) == (talk.study.units, 2, "recheck")
