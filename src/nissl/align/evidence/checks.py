"""Tests of whether a code is shared: at all, across days and individuals, conditions, few axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nissl.align.evidence.item import (
    ALPHA,
    Item,
    Verdict,
    exceeds,
    fewest,
    majority,
    untestable,
)
from nissl.align.evidence.transfer import Halves, Transfers, shuffles, transfers
from nissl.align.fragments import About, Floats
from nissl.align.latent.geometry import dissimilarities, rsa

KEPT = 0.9
"""Part of the transfer that few axes must carry."""
CHOSEN = 0.95
"""Part that they carry where their number is chosen; at `KEPT`, half of true claims would fail."""
N_RESAMPLED = 999
HERE = "these sources"


def shared(found: Transfers, ceiling: Floats) -> Item:
    """Item: whether these sources read each other in conditions left out.

    Parameters
    ----------
    found : Transfers
        With shuffles of each source apart: nothing is shared by any.
    ceiling : ndarray, shape (n,)
        Skill of each source's own halves.
    """
    skill, null = found.skill(), np.nanmean(found.null_skill(), axis=(0, 1))
    value = float(np.nanmean(skill))
    p = exceeds(value, null)
    low, high = _between(found)
    ok = p <= ALPHA
    n = len(skill)
    facts: dict[str, Any] = {"skill": skill.tolist(), "ceiling": ceiling.tolist()}
    facts["null"] = null.tolist()
    return Item(
        "shared",
        "Do these recordings code the conditions alike?",
        "supported" if ok else "not supported",
        f"A recording explains {value:.2f} of what tells conditions apart in another one, in "
        f"conditions left out; its own other half {float(np.mean(ceiling)):.2f}, chance "
        f"{float(null.mean()):.2f}.",
        "" if ok else "More windows per condition, if the recordings' own halves explain little.",
        "variance explained in conditions left out, mean over pairs",
        value,
        low,
        high,
        float(null.mean()),
        p,
        n=n,
        unit="sources",
        scope=HERE,
        facts=facts,
    )


def _between(found: Transfers, level: float = 0.9) -> tuple[float, float]:
    """Interval of the mean skill over resampled conditions."""
    rng = np.random.default_rng(0)  # of the interval alone, so that no order of checks matters
    n = found.totals.shape[1]
    weights = rng.multinomial(n, np.full(n, 1 / n), N_RESAMPLED)
    left = found.errors[:, :, :, -1] @ weights.T
    total = np.maximum(found.totals @ weights.T, 1e-12)
    with np.errstate(invalid="ignore"):
        means = np.nanmean(1 - left / total[None], axis=(0, 1))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def generalises(found: Transfers, about: Sequence[About], over: str) -> Item:
    """Item: whether the code holds in most days, or most individuals, that there are.

    Each unit is read through the others, and tested against orders of its own conditions, the
    others' kept; then the units that are read are counted.

    Parameters
    ----------
    found : Transfers
        With shuffles that are alike for all a source is read through.
    about : sequence of About
    over : {"days", "individuals"}
        Days are read through other days of the same individual, individuals through others.
    """
    asks = f"Does it hold in {over} that were not recorded?"
    subject = [a.subject for a in about]
    day = [a.session for a in about]
    own = list(zip(subject, day, strict=True)) if over == "days" else [(s, "") for s in subject]
    missing = [k for k, u in enumerate(own) if not u[0] or (over == "days" and not u[1])]
    if missing:
        what = "day" if over == "days" else "subject"
        needs = f"The {what} of each source: state it in the claim, or with nissl add --{what}."
        if over == "days":
            needs = "Subject and day of each source: state them in the claim."
        return untestable(over, asks, f"Of {len(missing)} sources nothing says which.", needs)
    units = sorted(set(own))
    names, p, values, nulls = [], [], [], []
    skill, null = found.skill(), found.null_skill()
    for unit in units:
        inside = np.array([u == unit for u in own])
        near = np.array([s == unit[0] for s in subject])
        others = near & ~inside if over == "days" else ~inside
        if not others.any():
            continue
        pairs = others[:, None] & inside[None]
        names.append(" ".join(part for part in unit if part))
        values.append(float(skill[pairs].mean()))
        nulls.append(null[pairs].mean(axis=0))
        p.append(exceeds(values[-1], nulls[-1]))
    n, enough = len(units), fewest()
    if not p:
        told = f"All recordings are of one {over[:-1]}; there is no other to read it through."
        if over == "days":
            told = "No individual was recorded on two days."
        needs = f"{enough} {over}."
        return untestable(over, asks, told, needs, n=n, unit=over, scope=over)
    if len(p) < n:  # individuals with one day say nothing about days
        n = len(p)
    share = majority(p)
    facts = {"units": names, "skill": values, "p": p}
    facts["null_high"] = [float(np.quantile(each, 0.95)) for each in nulls]
    words = over if n != 1 else over[:-1]
    told = (
        f"It holds in {share.holds} of {n} {words} "
        f"({share.low:.0%} to {share.high:.0%} of all, 90 % interval)."
    )
    common: dict[str, Any] = {"n": n, "unit": over, "scope": over, "facts": facts}
    common |= {"statistic": f"share of {over} in which it holds"}
    common |= {"value": share.holds / n, "low": share.low, "high": share.high}
    common |= {"null": 0.5 + 0.5 * ALPHA}
    if n < enough:
        needs = f"{enough} {over}; with {n}, even if all agree, it may be chance."
        return untestable(over, asks, told, needs, **common)
    ok = share.p <= ALPHA
    verdict: Verdict = "supported" if ok else "not supported"
    needs = "" if ok else _more(share.holds, n)
    return Item(over, asks, verdict, told, needs, p=share.p, **common)


def _more(holds: int, n: int) -> str:
    return f"More of them, if it holds in most: {holds} of {n} may be half of all."


def conditions(found: Transfers, names: Sequence[str] = ()) -> Item:
    """Item: whether it holds in most conditions, each read by maps fitted on the others.

    Parameters
    ----------
    found : Transfers
        With shuffles of each source apart.
    names : sequence of str
        Of conditions, where each is left out by itself.
    """
    asks = "Does it hold in conditions that nothing was fitted on?"
    gain = found.totals[None] - found.errors[:, :, :, -1]
    chance = found.totals[None, :, None] - found.null
    value = np.nansum(gain, axis=(0, 1))
    null = np.nansum(chance, axis=(0, 1))
    n = len(value)
    p = [exceeds(float(value[k]), null[:, k]) for k in range(n)]
    share = majority(p)
    n_from = max(len(found.totals) - 1, 1)
    total = np.maximum(found.totals.sum(axis=0) * n_from, 1e-12)
    facts = {
        "skill": (value / total).tolist(),
        "null_high": (np.quantile(null, 0.95, axis=0) / total).tolist(),
        "p": p,
        "units": list(names) if len(names) == n else [str(k + 1) for k in range(n)],
    }
    ok = share.p <= ALPHA
    return Item(
        "conditions",
        asks,
        "supported" if ok else "not supported",
        f"It holds in {share.holds} of {n} conditions (or stretches of a track) left out "
        f"({share.low:.0%} to {share.high:.0%} of all, 90 % interval).",
        "" if ok else _more(share.holds, n),
        "share of conditions in which it holds",
        share.holds / n,
        share.low,
        share.high,
        0.5 + 0.5 * ALPHA,
        share.p,
        n=n,
        unit="conditions",
        scope="conditions",
        facts=facts,
    )


def axes(found: Transfers, chosen: Transfers, claimed: int | None, transfer_p: float) -> Item:
    """Item: whether the transfer is carried by few axes.

    The number is the claim's, or else the fewest that carry `CHOSEN` of the transfer where only
    first halves are looked at; what it carries is measured in second halves.

    Parameters
    ----------
    found : Transfers
    chosen : Transfers
        Of first halves alone.
    claimed : int, optional
    transfer_p : float
        Of `shared`.
    """
    asks = "Is the transfer carried by a few shared axes?"
    n_ranks = found.errors.shape[3]
    curve = np.array([float(np.nanmean(found.skill(d + 1))) for d in range(n_ranks)])
    gains = np.maximum(np.diff(curve, prepend=0.0), 0.0)
    spread = float(gains.sum() ** 2 / max(float((gains**2).sum()), 1e-12))
    facts: dict[str, Any] = {"curve": curve.tolist(), "participation": spread}
    if transfer_p > ALPHA or curve[-1] <= 0:
        needs = "A transfer to take apart: see the item shared."
        return untestable("axes", asks, "Nothing is transferred.", needs, facts=facts)
    d = claimed or _fewest_axes(chosen)
    most = n_ranks // 2 if claimed is None else n_ranks - 1
    facts["axes"] = d
    if d > most:
        if claimed is not None:
            says = f"The claim of {d} axes leaves none to compare with: {n_ranks} are read."
            return untestable("axes", asks, says, "Claim fewer axes.", facts=facts)
        says = f"It takes {d} of {n_ranks} axes to carry {CHOSEN:.0%} of the transfer."
        return Item("axes", asks, "not supported", says, p=1.0, scope=HERE, facts=facts)
    rng = np.random.default_rng(0)
    n = found.totals.shape[1]
    weights = rng.multinomial(n, np.full(n, 1 / n), N_RESAMPLED).astype(np.float64)

    def part(w: Floats) -> Floats:
        total = np.maximum(found.totals @ w.T, 1e-12)[None]
        with np.errstate(invalid="ignore"):
            few, full = (
                np.nanmean(1 - found.errors[:, :, :, at] @ w.T / total, axis=(0, 1))
                for at in (d - 1, n_ranks - 1)
            )
        return np.asarray(few / np.maximum(full, 1e-3), float)

    value, draws = float(part(np.ones((1, n)))[0]), part(weights)
    p = (1 + int((draws <= KEPT).sum())) / (1 + len(draws))
    low, high = (float(v) for v in np.quantile(draws, [0.05, 0.95]))
    ok = p <= ALPHA
    said = "as claimed" if claimed else "chosen on the first halves"
    facts["best"] = float(curve.max())
    return Item(
        "axes",
        asks,
        "supported" if ok else "not supported",
        f"{d} of {n_ranks} axes ({said}) carry {value:.0%} of what all carry; the transfer is as "
        f"if spread over {spread:.1f} axes.",
        "" if ok else "More conditions, or more windows of each, if it is near.",
        f"transfer by {d} axes, in parts of that by {n_ranks}",
        value,
        low,
        high,
        KEPT,
        p,
        n=n,
        unit="conditions",
        scope=HERE,
        facts=facts,
    )


def _fewest_axes(found: Transfers) -> int:
    n_ranks = found.errors.shape[3]
    curve = np.array([float(np.nanmean(found.skill(d + 1))) for d in range(n_ranks)])
    return int(np.argmax(curve >= CHOSEN * curve.max())) + 1


def ceilings(data: Halves, rule: str = "linear") -> Floats:
    """Skill with which each source's first half predicts its second, shape (n,)."""
    out = []
    for one, other in zip(data.first, data.second, strict=True):
        both = Halves(
            ("first", "second"), (one, one), (one, other), data.block, data.step, data.fold,
            data.path,
        )  # fmt: skip
        found = transfers(both, np.random.default_rng(0), rule=rule)
        out.append(float(found.skill()[0, 1]))
    return np.array(out)


def geometry(data: Halves, rng: np.random.Generator, n_null: int = 199) -> Item:
    """Item: whether conditions lie alike, by representational similarity beside its ceiling.

    Parameters
    ----------
    data : Halves
    rng : numpy.random.Generator
    n_null : int
        Orders of conditions.
    """
    asks = "Are the same relations between conditions re-expressed (RSA)?"
    n, n_blocks = len(data.names), int(data.block.max()) + 1
    first, second = (
        [np.array([x[data.block == k].ravel() for k in range(n_blocks)]) for x in half]
        if data.path is None
        else list(half)
        for half in (data.first, data.second)
    )
    own = np.array([rsa(a, b) for a, b in zip(first, second, strict=True)])
    ranks = np.array([_ranks(x) for x in second])
    upper = np.triu_indices(len(ranks[0]), 1)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]

    def alike(orders: list[Any]) -> Floats:
        rows = np.array([r[np.ix_(o, o)][upper] for r, o in zip(ranks, orders, strict=True)])
        return np.array([np.corrcoef(rows[i], rows[j])[0, 1] for i, j in pairs])

    straight = [np.arange(len(ranks[0]))] * n
    each = alike(straight)
    null = []
    for _ in range(n_null):
        null.append(float(alike([_order(data, rng) for _ in range(n)]).mean()))
    value, chance = float(each.mean()), np.array(null)
    top = float(np.mean([np.sqrt(max(own[i], 0.0) * max(own[j], 0.0)) for i, j in pairs]))
    facts = {"pairs": [[*map(int, pair)] for pair in pairs], "rsa": each.tolist(), "null": null}
    facts["ceiling"] = top
    if top < 0.1:
        says = f"Two halves of one recording have little in common themselves ({top:.2f})."
        needs = "More windows per condition, or more units."
        return untestable("geometry", asks, says, needs, facts=facts)
    p = exceeds(value, chance)
    low, high = _without_one(ranks, pairs)
    return Item(
        "geometry",
        asks,
        "supported" if p <= ALPHA else "not supported",
        f"Dissimilarities of conditions correlate by {value:.2f} between recordings; two halves "
        f"of one recording by {top:.2f}, chance {chance.mean():.2f}.",
        "",
        "rank correlation of dissimilarities, mean over pairs",
        value,
        low,
        high,
        float(chance.mean()),
        p,
        n=len(ranks[0]),
        unit="conditions",
        scope=HERE,
        facts=facts,
    )


def _order(data: Halves, rng: np.random.Generator) -> Any:
    if data.path is None:
        return rng.permutation(int(data.block.max()) + 1)
    return shuffles(data, 1, rng)[0]


def _ranks(x: Floats) -> Floats:
    """Ranks of dissimilarities as a symmetric matrix, shape (n_conditions, n_conditions)."""
    from scipy.stats import rankdata

    out = np.zeros((len(x), len(x)))
    upper = np.triu_indices(len(x), 1)
    out[upper] = rankdata(dissimilarities(x))
    return np.asarray(out + out.T, float)


def _without_one(ranks: Floats, pairs: list[tuple[int, int]]) -> tuple[float, float]:
    """90 % interval of the mean similarity, by leaving out each condition (jackknife)."""
    n, values = ranks.shape[1], []
    upper = np.triu_indices(n - 1, 1)
    for left in range(n):
        kept = np.delete(np.arange(n), left)
        rows = ranks[:, kept][:, :, kept][:, upper[0], upper[1]]
        alike = np.asarray(np.corrcoef(rows), np.float64)
        values.append(float(np.mean([alike[i, j] for i, j in pairs])))
    each = np.array(values)
    spread = 1.645 * np.sqrt((n - 1) * float(each.var()))
    middle = float(each.mean())
    return max(middle - spread, -1.0), min(middle + spread, 1.0)
