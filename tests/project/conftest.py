"""A project with a small recording, and a quick method that counts how often it runs."""

import json
import uuid
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from nissl.labels import Author, Edit, EditKind, ItemTable, Kind, LabelSet, Provenance
from nissl.project import open_project
from nissl.tasks import ANNOTATORS, TASKS, Finding, Promises, Result, Task
from nissl.testing.dossiers import RATE_HZ, spike_dossier

METHOD = "spikes/crossings"


class Crossings:
    """Threshold crossings, one unit per channel: a real, simple method of the task spikes."""

    name = METHOD
    version = "1"
    promises = Promises(chunked=False, deterministic=True, memory="measured")
    calls = 0
    error: BaseException | None = None

    def missing(self):
        return {}

    def packages(self):
        return {"numpy": np.__version__}

    def defaults(self):
        return {"threshold_uv": 40.0, "freq_min_hz": 300.0, "freq_max_hz": 6000.0}

    def annotate(self, inputs, parameters, context):
        self.calls += 1
        if self.error is not None:
            raise self.error
        signal = inputs.signal
        uv = signal.read(0, signal.n_samples)
        best = uv.argmin(axis=1)
        deepest = uv[np.arange(len(uv)), best]
        inner = np.r_[False, (deepest[1:-1] < deepest[:-2]) & (deepest[1:-1] <= deepest[2:]), False]
        sample = np.flatnonzero(inner & (deepest < -parameters["threshold_uv"]))
        far = np.diff(sample, prepend=-100) > 30
        sample = sample[far]
        labels = LabelSet.build(
            Kind.EVENTS,
            {
                "sample": sample,
                "item": best[sample],
                "amplitude": deepest[sample].astype(np.float32),
                "channel": best[sample].astype(np.int32),
            },
            ("unit",),
            Provenance(
                "spikes",
                inputs.recording.fingerprint,
                Author("model", METHOD, "1"),
                inputs.stream,
                dict(parameters),
                context.seed,
                packages=self.packages(),
            ),
        )
        return Result((labels,), (self.facts(labels, signal),), log={"wall_s": 0.1})

    @staticmethod
    def facts(labels, signal):

        items, counts = np.unique(labels.column("item"), return_counts=True)
        table = pa.table(
            {
                "item": items,
                "n_spikes": counts,
                "channel": items.astype(np.int32),
                "firing_rate_hz": counts / signal.duration_s,
            }
        )
        context = {"rate_hz": signal.rate_hz, "channel_ids": list(signal.channels.ids)}
        return ItemTable(labels.digest, table, {"firing_rate_hz": "Hz"}, {}, context)


def quick_check(labels, items, inputs, context):
    return [Finding("quick", "warning", "Looked at quickly.", item=int(labels.items[0]), value=1.0)]


@pytest.fixture
def crossings(monkeypatch):
    """The registered method; its calls are counted, `error` is raised when set."""
    spikes = TASKS.get("spikes")
    fast = Task(**{**vars(spikes), "check": quick_check})
    method = Crossings()
    monkeypatch.setitem(TASKS._targets, "spikes", fast)
    monkeypatch.setitem(ANNOTATORS._targets, METHOD, method)
    return method


@pytest.fixture
def raw(tmp_path):
    """``raw(seed=0, folder="rig", **size)``: a raw int16 file with its probe, and how to add it."""

    def make(seed=0, folder="rig", duration_s=2.0):
        signal = spike_dossier(seed, duration_s=duration_s).recording.signal
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        path = place / f"night{seed}.bin"
        np.rint(signal.read_raw() * 4).astype(np.int16).tofile(path)
        probe = place / "probe.json"
        probe.write_text(json.dumps(_probe(signal.n_channels)))
        options = {
            "rate_hz": RATE_HZ,
            "n_channels": signal.n_channels,
            "dtype": "int16",
            "gain_uv": 0.25,
            "probe": probe,
        }
        return SimpleNamespace(path=path, probe=probe, options=options)

    return make


def _probe(n):
    return {
        "specification": "probeinterface",
        "version": "0.2.21",
        "probes": [
            {
                "ndim": 2,
                "si_units": "um",
                "annotations": {},
                "contact_positions": [[0.0, 25.0 * k] for k in range(n)],
                "contact_shapes": ["circle"] * n,
                "contact_shape_params": [{"radius": 6.0}] * n,
                "device_channel_indices": list(range(n)),
            }
        ],
    }


@pytest.fixture
def project(tmp_path):
    with open_project(tmp_path / "study") as opened:
        yield opened


@pytest.fixture
def night(project, raw, crossings):
    """A recording in the project, annotated by the quick method."""
    made = raw()
    source = project.add(made.path, subject="M1", session="day1", **made.options)
    draft = project.annotate(source, METHOD)
    return SimpleNamespace(source=source, draft=draft, file=made, method=crossings)


@pytest.fixture
def edit():
    """``edit(kind, labels, items, reviewer="ana", **payload)``."""
    count = iter(range(1, 10**6))

    def make(kind, labels, items, reviewer="ana", **payload):
        n = next(count)
        return Edit(
            uuid=uuid.UUID(int=n),
            kind=EditKind(kind),
            base=labels.digest,
            items=tuple(items),
            reviewer=reviewer,
            when_s=1.7e9 + n,
            payload=payload,
        )

    return make
