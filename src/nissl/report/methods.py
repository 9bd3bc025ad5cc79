"""The methods paragraph: what was done, in the words and with the sources a paper needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nissl import __version__
from nissl.labels import Kind
from nissl.report.words import words_of
from nissl.tasks import Dossier

CITATIONS: Mapping[str, str] = {
    "spikeinterface": "Buccino AP et al. (2020) SpikeInterface, a unified framework for spike "
    "sorting. eLife 9:e61834.",
    "mountainsort5": "Chung JE et al. (2017) A fully automated approach to spike sorting. "
    "Neuron 95:1381-1394.",
    "spykingcircus2": "Yger P et al. (2018) A spike sorting toolbox for up to thousands of "
    "electrodes validated with ground truth recordings in vitro and in vivo. eLife 7:e34518.",
    "kilosort4": "Pachitariu M et al. (2024) Spike sorting with Kilosort4. Nature Methods "
    "21:914-921.",
    "sliding_rp": "Hill DN, Mehta SB, Kleinfeld D (2011) Quality metrics to accompany spike "
    "sorting of extracellular signals. J Neurosci 31:8699-8705.",
    "aasm": "Berry RB et al. The AASM Manual for the Scoring of Sleep and Associated Events. "
    "American Academy of Sleep Medicine.",
    "yasa": "Vallat R, Walker MP (2021) An open-source, high-performance tool for automated sleep "
    "staging. eLife 10:e70092.",
    "sleep_edf": "Kemp B, Zwinderman AH, Tuk B, Kamphuisen HAC, Oberye JJL (2000) Analysis of a "
    "sleep-dependent neuronal feedback loop: the slow-wave microcontinuity of the EEG. IEEE Trans "
    "Biomed Eng 47:1185-1194.",
    "mne": "Gramfort A et al. (2013) MEG and EEG data analysis with MNE-Python. "
    "Front Neurosci 7:267.",
    "icalabel": "Pion-Tonachini L, Kreutz-Delgado K, Makeig S (2019) ICLabel: An automated "
    "electroencephalographic independent component classifier, dataset, and website. NeuroImage "
    "198:181-197.",
    "neo": "Garcia S et al. (2014) Neo: an object model for handling electrophysiology data in "
    "multiple formats. Front Neuroinform 8:10.",
}

_OF_TASK = {"sleep": ("aasm",), "components": ("mne",)}
_OF_METHOD = {
    "sleep/yasa": ("yasa",),
    "sleep/nissl": ("sleep_edf",),
    "components/icalabel": ("icalabel",),
    "sleep/combined": ("yasa", "sleep_edf"),
}
"""What the methods were published in, or the data that their weights learnt from."""


def paragraph(dossier: Dossier) -> str:
    """Sentences that say what was recorded, how it was annotated and judged."""
    return " ".join(s for s in (_recorded(dossier), _processed(dossier), _judged(dossier)) if s)


def citations(dossier: Dossier) -> list[str]:
    """References for what the paragraph names."""
    author = dossier.made_by.author.name.rpartition("/")[2]
    if dossier.labels.kind is not Kind.EVENTS:
        keys = list(_OF_TASK.get(dossier.labels.provenance.task, ()))
        keys += _OF_METHOD.get(dossier.made_by.author.name, ())
        return [CITATIONS[k] for k in dict.fromkeys(keys)]
    keys = ["neo", "spikeinterface", author, "sliding_rp"]
    return [CITATIONS[k] for k in keys if k in CITATIONS]


def _recorded(dossier: Dossier) -> str:
    stream = dossier.source.get("streams", {}).get(dossier.stream, {})
    if "channels" in stream:
        size = f"{len(stream['channels']['ids'])} channels"
    elif "shape" in stream:
        size = " × ".join(str(n) for n in stream["shape"] if n != 1) + " pixels"
    else:
        return "The labels were imported; the raw recording was not available."
    return (
        f"{words_of(dossier).signals} ({size}, {stream['rate_hz']:g} Hz, "
        f"{stream['duration_s'] / 60:.1f} min) were read with nissl {__version__} "
        f"({dossier.source.get('format', 'unknown format')})."
    )


def _processed(dossier: Dossier) -> str:
    provenance = dossier.made_by
    author, kind = provenance.author, dossier.labels.kind
    if author.kind == "person":
        done = "Units were assigned" if kind is Kind.EVENTS else words_of(dossier).done
        return f"{done} by {author.name}."
    versions = ", ".join(f"{k} {v}" for k, v in sorted(provenance.packages.items()))
    steps = [step["text"].rstrip(".") for step in dossier.log.get("preprocessing", [])]
    done = f"Preprocessing: {'; '.join(steps)}. " if steps else ""
    seed = f" with seed {provenance.seed}" if provenance.seed is not None else ""
    return (
        f"{done}{words_of(dossier).done} by {author.name} (version {author.version}){seed}"
        f"{f'; computed with {versions}' if versions else ''}."
    )


def _judged(dossier: Dossier) -> str:
    n = dossier.labels.items.size
    doubtful = len(
        {f.item for f in dossier.findings if f.item is not None and f.severity != "note"}
    )
    words = words_of(dossier)
    if dossier.labels.kind is not Kind.EVENTS:
        said = f"{n} {words.many} were labelled; "
    else:
        said = f"{n} units with {dossier.labels.n_rows} spikes were found; "
    said += f"{doubtful} of them carry at least one quality warning. "
    share = dossier.reviewed
    said += (
        f"No {words.one} was reviewed by a person."
        if share == 0
        else (f"{share:.0%} of the {words.many} were reviewed by a person.")
    )
    return said


def limits_used(dossier: Dossier) -> list[dict[str, Any]]:
    """Limits behind the findings, one row per check."""
    rows: dict[str, dict[str, Any]] = {}
    for finding in dossier.findings:
        if finding.limit is not None:
            rows.setdefault(
                finding.check,
                {"check": finding.check, "limit": finding.limit, "unit": finding.unit, "n": 0},
            )["n"] += 1
    return list(rows.values())
