"""`Project.windows`, `needed`, `held`: what sources share, how much it takes, how long it holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nissl.project.source import Source
from nissl.project.verbs.base import Opened

if TYPE_CHECKING:
    from nissl.project.relating import needing
    from nissl.project.relating import windowing as finding


class Windowing(Opened):
    """Windows by which sources can be compared."""

    def windows(
        self, sources: Sequence[Source | str] | None = None, **options: Any
    ) -> finding.Windowed:
        """Find and describe windows that sources share, and keep them as spans of each.

        Parameters
        ----------
        sources : sequence of Source or str, optional
            Two or more; all that have spikes, by default.
        **options
            `kinds` (of "rest", "stimulus", "movement", "both modalities"), `trials` (one set of
            spans or table for all, or one each), `rest` (name of spans that somebody marked),
            `movement` (a source with a signal of movement), `least_s`, `bin_s`, `duration_s` (of
            trials whose end is not told), `same_clock` (both count the same seconds), `out` (a
            folder) and `resolve`.

        Returns
        -------
        Windowed
            Descriptions, label sets, and what is doubtful or not known.
        """
        from nissl.project.relating import windowing as finding

        chosen = self.annotated("spikes") if sources is None else sources
        return finding.find_windows(self.store, [self.source(s) for s in chosen], **options)

    def needed(
        self,
        a: Source | str,
        b: Source | str,
        trials: Sequence[str | Path] | str | Path,
        **options: Any,
    ) -> needing.Needed:
        """How many windows two sources need to be compared, by what those at hand teach.

        Parameters
        ----------
        a, b : Source or str
        trials : str, Path, or sequence of them
            As windows in `overlap`; with conditions.
        **options
            `measure` ("skill", "turn" or "likeness"), `goal`, `power`, `subsets` (of the
            interval), `bin_s`, `duration_s`, `seed`, `out` (a folder) and `resolve`.

        Returns
        -------
        Needed
            Windows and minutes with an interval, the curve, and a sentence.
        """
        from nissl.project.relating import needing

        given = [trials] if isinstance(trials, str | Path) else trials
        first, second = self.source(a), self.source(b)
        return needing.windows_needed(self.store, first, second, given, **options)

    def held(self, source: Source | str, **options: Any) -> needing.Held:
        """How long a source's geometry and dynamics hold, piece by piece.

        Parameters
        ----------
        source : Source or str
            Hours of the same units.
        **options
            `minutes` (of a piece), `bin_s`, `n_axes`, `smooth_s`, `permutations`, `seed`, `out`
            (a folder) and `resolve`.

        Returns
        -------
        Held
            Measures of each piece against the first beside chance and the piece's own halves.
        """
        from nissl.project.relating import needing

        return needing.windows_hold(self.store, self.source(source), **options)
