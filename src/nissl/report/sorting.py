"""A verified sorting as a page, as Markdown with figures, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nissl import __version__
from nissl.annotators.spikes.verifying.verdict import LEAST_SPIKES, LEAST_UNITS, MOST_ECE
from nissl.annotators.spikes.verifying.verify import Verification
from nissl.labels.atomic import atomic_write, make_folder, write_bytes
from nissl.report import sorting_plots
from nissl.report.evidence import plain

METHODS = (
    "Units were added to the raw signal as it is read: samples, gain and type stay those of the "
    "file, which is not changed. Waveforms come from the recording's own units, moved to other "
    "contacts, or from a library; sizes are set over the noise of the best channel between 300 "
    "and 6000 Hz. Trains are log-normal with bursts and a refractory period of 2 ms, amplitudes "
    "vary from spike to spike, and spikes lie between samples. Added and found units were matched "
    "one to one by their spikes (0.4 ms; Magland et al. 2020), an added unit without a match has "
    "recall 0, and intervals are bootstrapped over units. What is known of single spikes: every "
    "spike of a unit that is mostly an added one is right if it was added and wrong if not; an "
    "added spike that a unit near by has taken is wrong, unless the first sorting had a spike "
    "there too. Nothing is known, and nothing said, of the recording's other spikes. Confidence "
    f"is called calibrated where at least {LEAST_UNITS} added units and {LEAST_SPIKES} spikes "
    f"could be judged, its debiased calibration error is at most {MOST_ECE:g}, and its "
    "Brier skill over the base rate is above 0 overall and in no band of size below it, by the "
    "95 % intervals and wherever 10 spikes or more are wrong."
)
RELIABILITY = ("band", "spikes", "mean confidence", "share right", "ECE", "Brier skill")
_BANDS = {
    "by_snr": "signal-to-noise ratio", "by_depth": "depth (um)",
    "by_amplitude": "amplitude (uV)", "by_origin": "waveform",
}  # fmt: skip


def write_sorting(found: Verification, folder: Path) -> tuple[Path, ...]:
    """Write report.html, report.md with its figures, and results.json.

    Parameters
    ----------
    found : Verification
    folder : Path
        Created when absent.
    """
    make_folder(folder / "figures")
    told: dict[str, Any] = plain(found.to_json() | {"nissl": __version__})
    pictures: dict[str, str] = {}
    names: dict[str, str] = {}
    for name in sorting_plots.FIGURES:
        with sorting_plots.drawn(name, told) as figure:
            if figure is None:
                continue
            names[name] = f"figures/{name}.png"
            pictures[name] = sorting_plots.inline(figure, name)
            with atomic_write(folder / names[name]) as file:
                figure.savefig(file, format="png", dpi=150, facecolor="white", transparent=False)
    page, text, facts = (folder / n for n in ("report.html", "report.md", "results.json"))
    write_bytes(page, html(told, pictures).encode())
    write_bytes(text, markdown(told, names).encode())
    write_bytes(facts, (json.dumps(told, indent=2, sort_keys=True) + "\n").encode())
    return page, text, facts


def html(told: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """One self-contained page."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nissl.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    good = told["verdict"]["state"] == "calibrated"
    return environment.get_template("sorting.html.j2").render(
        facts=told["facts"],
        verdict=told["verdict"],
        css="good" if good else "warning",
        summary=summary(told),
        figures=[(sorting_plots.FIGURES[name][0], Markup(svg)) for name, svg in pictures.items()],
        tables=[(title, band_rows(told[key])) for key, title in _BANDS.items()],
        lost=[u for u in told["units"] if u["fate"] != "found"],
        reliabilities=reliability_rows(told["confidence"]),
        counts=told["confidence"]["counts"],
        notes=told["notes"],
        methods=METHODS,
        parameters=json.dumps(told["facts"]["parameters"], indent=2, sort_keys=True),
        version=__version__,
        columns=RELIABILITY,
        number=number,
    )


def summary(told: Mapping[str, Any]) -> list[str]:
    """The results as sentences."""
    whole, facts = told["overall"], told["facts"]
    found = whole["fates"].get("found", 0)
    out = [
        f"{facts['method']} found {found} of {whole['units']} added units; mean recall "
        f"{interval(whole['recall'])}, precision of those found {interval(whole['precision'])}.",
    ]
    for name, say in (("halves", "Halves of the time"), ("sorters", "Two sorters")):
        each = told[name]
        if each is not None:
            out.append(
                f"{say} ({each['a']}: {each['units_a']} units, {each['b']}: {each['units_b']}): "
                f"{interval(each['share'])} of the units of the first have a partner, mean "
                f"agreement {interval(each['mean'])}."
            )
    return out


def markdown(told: Mapping[str, Any], figures: Mapping[str, str]) -> str:
    """The report as Markdown; figures are named by their files."""
    facts = told["facts"]
    sentences = (told["verdict"]["sentence"], *summary(told), *told["notes"])
    lines = [
        f"# Sorting verified: {facts['method']}",
        "",
        f"{facts['channels']} channels, {facts['duration_s']:.0f} s, noise {facts['noise_uv']:.1f} "
        f"uV; the first sorting found {facts['units_first']} units.",
        "",
        *(f"- {sentence}" for sentence in sentences),
    ]
    for name, path in figures.items():
        title = sorting_plots.FIGURES[name][0]
        lines += ["", f"## {title}", "", f"![{title}]({path})"]
    for key, title in _BANDS.items():
        lines += ["", f"## By {title}", "", "| band | units | recall | precision | fates |",
                  "|:--|--:|:--|:--|:--|"]  # fmt: skip
        lines += [f"| {' | '.join(row)} |" for row in band_rows(told[key])]
    lost = [u for u in told["units"] if u["fate"] != "found"]
    if lost:
        lines += ["", "## Added units that were not found", ""]
        lines += [f"- {lost_sentence(u)}" for u in lost]
    rows = reliability_rows(told["confidence"])
    if rows:
        lines += ["", "## Confidence of single spikes", "", f"| {' | '.join(RELIABILITY)} |",
                  "|:--|--:|--:|:--|--:|:--|"]  # fmt: skip
        lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", "## Judged spikes", ""]
    lines += [f"- {name}: {n}" for name, n in told["confidence"]["counts"].items()]
    lines += ["", "## Methods", "", METHODS, "", f"Written by nissl {__version__}.", ""]
    return "\n".join(lines)


def lost_sentence(unit: Mapping[str, Any]) -> str:
    """What became of an added unit that no found unit counts as."""
    others = ", ".join(str(i) for i in unit["others"])
    what = {
        "split": f"split over units {others}",
        "merged": f"merged into unit {others}",
        "part": f"found in part, in unit {others}",
        "missed": "missed",
    }[unit["fate"]]
    return (
        f"{unit['name']} (round {unit['round'] + 1}, SNR {unit['snr']:g}, "
        f"{unit['amplitude_uv']:.0f} uV, depth {unit['y_um']:.0f} um): {what}."
    )


def band_rows(bands: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Cells of the rows of a table of bands."""
    return [
        (
            b["band"],
            str(b["units"]),
            interval(b["recall"]),
            interval(b["precision"]),
            ", ".join(f"{n} {fate}" for fate, n in b["fates"].items()),
        )
        for b in bands
    ]


def reliability_rows(confidence: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Cells of a table of reliabilities, columns `RELIABILITY`; none without confidences."""
    if confidence["overall"] is None:
        return []
    named = [("all", confidence["overall"])]
    for key, title in (("by_snr", "SNR"), ("by_depth", "depth"), ("by_amplitude", "amplitude")):
        named += [(f"{title} {name}", each) for name, each in confidence[key].items()]
    return [
        (
            name,
            str(each["n"]),
            number(each["mean_confidence"]),
            interval(each["accuracy"]),
            f"{each['ece']:.3f}",
            interval(each["brier_skill"]),
        )
        for name, each in named
    ]


def interval(value: Mapping[str, Any]) -> str:
    """A mean with its interval in words; a dash where it could not be computed."""
    if value["estimate"] is None:
        return "–"
    if value["low"] is None or value["high"] is None:
        return number(value["estimate"])
    return f"{number(value['estimate'])} ({number(value['low'])} to {number(value['high'])})"


def number(value: float | None) -> str:
    """Two decimals, or a dash."""
    return "–" if value is None else f"{value:.2f}"
