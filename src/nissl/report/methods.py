"""The methods paragraph: what was done, in the words and with the sources a paper needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nissl import __version__
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
    "neo": "Garcia S et al. (2014) Neo: an object model for handling electrophysiology data in "
    "multiple formats. Front Neuroinform 8:10.",
}


def paragraph(dossier: Dossier) -> str:
    """Sentences that say what was recorded, how it was annotated and judged."""
    return " ".join(s for s in (_recorded(dossier), _processed(dossier), _judged(dossier)) if s)


def citations(dossier: Dossier) -> list[str]:
    """References for what the paragraph names."""
    author = dossier.labels.provenance.author.name.rpartition("/")[2]
    keys = ["neo", "spikeinterface", author, "sliding_rp"]
    return [CITATIONS[k] for k in keys if k in CITATIONS]


def _recorded(dossier: Dossier) -> str:
    stream = dossier.source.get("streams", {}).get(dossier.stream, {})
    if "channels" not in stream:
        return "The labels were imported; the raw recording was not available."
    n = len(stream["channels"]["ids"])
    return (
        f"Extracellular signals ({n} channels, {stream['rate_hz']:g} Hz, "
        f"{stream['duration_s'] / 60:.1f} min) were read with nissl {__version__} "
        f"({dossier.source.get('format', 'unknown format')})."
    )


def _processed(dossier: Dossier) -> str:
    provenance = dossier.labels.provenance
    author = provenance.author
    if author.kind == "person":
        return f"Units were assigned by {author.name}."
    versions = ", ".join(f"{k} {v}" for k, v in sorted(provenance.packages.items()))
    steps = [step["text"].rstrip(".") for step in dossier.log.get("preprocessing", [])]
    done = f"Preprocessing: {'; '.join(steps)}. " if steps else ""
    seed = f" with seed {provenance.seed}" if provenance.seed is not None else ""
    return (
        f"{done}Spikes were sorted by {author.name} (version {author.version}){seed}"
        f"{f'; computed with {versions}' if versions else ''}."
    )


def _judged(dossier: Dossier) -> str:
    n = dossier.labels.items.size
    doubtful = len(
        {f.item for f in dossier.findings if f.item is not None and f.severity != "note"}
    )
    said = f"{n} units with {dossier.labels.n_rows} spikes were found; "
    said += f"{doubtful} of them carry at least one quality warning. "
    share = dossier.reviewed
    said += (
        "No unit was reviewed by a person."
        if share == 0
        else (f"{share:.0%} of the units were reviewed by a person.")
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
