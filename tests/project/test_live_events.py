"""Point events of a journal become EVENTS, with their unit as the item."""

import numpy as np
from tests.live.crossings import Crossings

from nissl.data import Signal
from nissl.labels import Kind
from nissl.live import StreamInfo, offline
from nissl.live.sinks import Journal, head_of, read_journal
from nissl.project.living import labels_of


def test_spikes_of_a_journal_are_events_of_their_units(tmp_path):
    x = np.zeros((300, 2), np.float32)
    x[[40, 200], 1] = x[90, 0] = -150
    signal = Signal.from_array(x, 1000.0)
    method = Crossings(StreamInfo.of(signal), -100)
    claims = offline(method, signal)
    journal = Journal(tmp_path / "a.jsonl", head_of(method, {"fingerprint": "f" * 64}))
    journal.write(claims)
    journal.close()
    kept = read_journal(journal.path)
    assert list(kept.claims) == claims
    assert kept.claims[0].position == (0.0, 1.0)
    labels = labels_of(kept, "f" * 64, "signal")
    assert labels.kind is Kind.EVENTS
    assert labels.column("sample").tolist() == [40, 90, 200]
    assert labels.column("item").tolist() == [1, 0, 1]
    assert labels.column("amplitude").tolist() == [-150.0] * 3
    assert labels.column("x_um").tolist() == [c.position[0] for c in claims]
    assert labels.column("y_um").tolist() == [c.position[1] for c in claims]
