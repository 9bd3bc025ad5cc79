"""Error map: how well each fragment is predicted from each other one, where it was not fitted.

For every ordered pair an explicit map is fitted from the first population's latents to the second
population's activity, on one half of the second's windows and nine tenths of the conditions (or
places); it predicts the left-out tenth in the other half. Skill is the part of the variance that
is explained there: 1 is perfect, 0 as good as the mean, below 0 worse. Beside each stands its null,
where the first population's conditions are in another order (its paths shifted and turned), an
interval over conditions, and what the second population's own other half explains, the most that
can be asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nissl.align.errormap.reading import N_AXES, N_NULL, Plan, planned, read_row
from nissl.align.errormap.responses import Responses
from nissl.align.fragments import Floats, Ints
from nissl.run.chunks import Chunk
from nissl.run.context import Context
from nissl.run.execute import run_chunks
from nissl.run.progress import Progress, Silent
from nissl.run.results import Arrays, stage_key
from nissl.trust.discoveries import benjamini_hochberg

STAGE = "error map"


@dataclass(frozen=True, eq=False)
class ErrorMap:
    """Skill of every ordered pair of fragments.

    Parameters
    ----------
    names : tuple of str
    skill : ndarray, shape (n, n)
        Row: read from; column: predicted. The diagonal predicts a fragment's second half from its
        own first.
    low, high : ndarray, shape (n, n)
        90 % interval, by resampling blocks of conditions.
    null : ndarray, shape (n, n)
        Mean skill where conditions are in another order.
    p, q : ndarray, shape (n, n)
        Permutation p, and its false discovery rate over the pairs off the diagonal (1 on it).
    """

    names: tuple[str, ...]
    skill: Floats
    low: Floats
    high: Floats
    null: Floats
    p: Floats
    q: Floats

    @property
    def ceiling(self) -> Floats:
        """Skill of each fragment's own halves, shape (n,)."""
        return np.diag(self.skill).copy()

    @property
    def relative(self) -> Floats:
        """Skill in parts of what the predicted fragment's own half explains; NaN where nothing."""
        top = np.where(self.ceiling > 0.02, self.ceiling, np.nan)
        return np.asarray(self.skill / top[None], float)

    @property
    def asymmetry(self) -> Floats:
        """How much better the row predicts the column than the other way round, relative skill."""
        return np.asarray(self.relative - self.relative.T, float)

    def distance(self) -> Floats:
        """Symmetric distance, 0 for fragments that predict each other as themselves."""
        both = np.nan_to_num((self.relative + self.relative.T) / 2, nan=0.0)
        out = 1 - np.clip(both, 0.0, 1.0)
        np.fill_diagonal(out, 0.0)
        return out

    def order(self) -> Ints:
        """Fragments in an order that puts those together that predict each other."""
        from scipy.cluster.hierarchy import leaves_list

        if len(self.names) < 3:
            return np.arange(len(self.names))
        return np.asarray(leaves_list(self.tree()), np.int64)

    def tree(self) -> Floats:
        """Average linkage of three or more fragments, as SciPy writes it."""
        from scipy.cluster.hierarchy import linkage
        from scipy.spatial.distance import squareform

        distance = squareform(self.distance(), checks=False)
        return np.asarray(linkage(distance, "average", optimal_ordering=True), float)


def error_map(
    fragments: Sequence[Responses],
    rng: np.random.Generator,
    *,
    rule: str = "linear",
    n_axes: int = N_AXES,
    n_null: int = N_NULL,
    progress: Progress | None = None,
    context: Context | None = None,
    each: Callable[[int, Arrays], None] | None = None,
) -> ErrorMap:
    """Predict every fragment from every other.

    Parameters
    ----------
    fragments : sequence of Responses
        Two or more, of the same rows.
    rng : numpy.random.Generator
    rule : {"linear", "rotation"}
        What the map may do. Any smooth code of the same thing can be read from any other by a
        linear map; a rotation with one scale asks for the same geometry too.
    n_axes : int
        Of the population that is read; with rotations, of both.
    n_null : int
    progress : Progress, optional
        Told of each fragment that has been read.
    context : Context, optional
        Processes or a cluster; rows that are finished are kept in its folder, and the same call
        goes on with the others. The numbers are the same everywhere.
    each : callable, optional
        Given the number of every row and what `read_row` tells of it, in order.

    Raises
    ------
    BadArgumentError
        Of one fragment, or of rows that are not the same.
    """
    plan = planned(fragments, rng, rule=rule, n_axes=n_axes, n_null=n_null)
    n = len(plan.fragments)
    found: dict[str, list[Floats]] = {k: [] for k in ("skill", "low", "high", "null", "p")}
    for i, row in enumerate(_rows(plan, context, progress or Silent())):
        for name, values in found.items():
            values.append(row[name])
        if each is not None:
            each(i, row)
    skill, low, high, null, p = (np.array(values) for values in found.values())
    off = ~np.eye(n, dtype=bool)
    q = np.ones((n, n))
    q[off] = benjamini_hochberg(p[off])
    return ErrorMap(tuple(f.name for f in fragments), skill, low, high, null, p, q)


def _rows(plan: Plan, context: Context | None, progress: Progress) -> Iterator[Arrays]:
    chunks = tuple(Chunk(k, k, k + 1, k, k + 1) for k in range(len(plan.fragments)))
    if context is not None:
        key = stage_key("errormap", {"plan": plan.digest})
        memory = plan.bytes_per_row
        yield from run_chunks(
            read_row, chunks, plan, context, key=key, memory_per_chunk=memory, stage=STAGE
        )
        return
    progress.start(STAGE, len(chunks), "fragments")
    for chunk in chunks:
        yield read_row(plan, chunk)
        progress.advance(STAGE, 1)
    progress.finish(STAGE)
