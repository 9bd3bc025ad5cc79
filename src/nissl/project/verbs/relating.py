"""`Project.align` and `Project.sync`: one source and another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nissl.project.source import Source
from nissl.project.verbs.base import Opened

if TYPE_CHECKING:
    from nissl.project import syncing
    from nissl.project.relating import (
        aligning,
        carrying,
        comparing,
        coupling,
        mapping,
        translating,
        waveforming,
    )


class Relating(Opened):
    """What relates two sources."""

    def align(
        self,
        a: Source | str,
        b: Source | str,
        *,
        by: str = "cells",
        everything: bool = False,
        activity: bool = False,
        out: str | Path | None = None,
    ) -> aligning.Alignment | waveforming.UnitAlignment:
        """Find the same cells in two sources of one field of view, or the same units of one probe.

        Parameters
        ----------
        a, b : Source or str
            Each with labels of the task "cells" (or "spikes"), taken as people left them.
        by : {"cells", "waveform"}
            "waveform": the same units of two sortings, from the raw data of both.
        everything : bool
            Also regions that are called no cells, or units that are called noise.
        activity : bool
            Take how the cells fired as evidence too; not where stability of activity is studied,
            and never with waveforms, whose check it is.
        out : str or Path, optional
            Of waveforms: folder for the figures; below reports/ by default.

        Returns
        -------
        Alignment or UnitAlignment
            LINKS with the probability of each, kept in the project, and how the field or the
            probe moved.
        """
        from nissl.project.relating import aligning

        first, second = self.source(a), self.source(b)
        return aligning.align(
            self.store,
            first,
            second,
            by=by,
            everything=everything,
            activity=activity,
            out=None if out is None else Path(out),
        )

    def overlap(
        self,
        a: Source | str,
        b: Source | str | Sequence[Source | str],
        windows: Sequence[str | Path] | str | Path,
        **options: Any,
    ) -> comparing.Overlap:
        """Bring the populations of sources into one space over windows that all have.

        Parameters
        ----------
        a : Source or str
            The reference, with labels of the task "spikes", as people left them, or derived traces
            or rates.
        b : Source, str, or sequence of them
            One or several others. No unit has to be the same.
        windows : str, Path, or sequence of them
            Trials, laps or rests: one for all, or one each; a table (.csv, .tsv) with
            `onset`, `duration` and `stimulus`, or the name of a set of spans.
        **options
            `method` (see `nissl.align.latent.aligners.ALIGNERS`; "transport" needs no labels),
            `space` ("pca", "fa" or "gpfa"), `labels` (False hides the conditions of windows from
            the aligner), `behaviour` (channels or tables, one for all or one each: decoders are
            compared), `onnx` (maps as models too), `bin_s`, `n_axes`, `smooth_s`, `duration_s`
            (of windows whose end is not told), `seed`, `out` (a folder) and `resolve`.

        Returns
        -------
        Overlap
            Latents of all as derived sources, the maps, which axes are the same ones, how alike
            the geometries are beside chance, and what speaks against the match.
        """
        from nissl.project.relating import comparing

        others = [b] if isinstance(b, Source | str) else list(b)
        chosen = [self.source(s) for s in (a, *others)]
        given = [windows] if isinstance(windows, str | Path) else windows
        return comparing.overlap(self.store, chosen, given, **options)

    def errormap(
        self,
        windows: Sequence[str | Path] | str | Path,
        sources: Sequence[Source | str] | None = None,
        **options: Any,
    ) -> mapping.Compared:
        """Predict every source's population from every other one, where it was not fitted.

        Parameters
        ----------
        windows : str, Path, or sequence of them
            As in `overlap`; three or more conditions that all sources have, two windows each.
        sources : sequence of Source or str, optional
            All that have spikes, by default.
        **options
            `rule` ("linear" or "rotation"), `halves` ("turns" or "time"), `group` (fields of
            what is known of sources), `about` (a table of that), `everything` (units called
            noise too), `bin_s`, `duration_s`, `permutations`, `seed`, `out` (a folder),
            `resolve` and `resources`.

        Returns
        -------
        Compared
            Skill of each ordered pair with interval, null and p, and why the worst pair is lost.
        """
        from nissl.project.relating import mapping

        chosen = self.annotated("spikes") if sources is None else sources
        given = [windows] if isinstance(windows, str | Path) else windows
        return mapping.error_map_of(self.store, [self.source(s) for s in chosen], given, **options)

    def translate(
        self,
        a: Source | str,
        b: Source | str,
        windows: Sequence[str | Path] | str | Path,
        **options: Any,
    ) -> translating.Translated:
        """Predict one source from another that was recorded at the same time.

        Parameters
        ----------
        a, b : Source or str
            What is read, and what is predicted; as in `overlap`.
        windows : str, Path, or sequence of them
            On the first source's clock, of which it is known how it relates to the second's
            (one recording, or `sync`); or one for each.
        **options
            `method` ("ridge", or a network over lags: "tcn", "transformer"), `bin_s`, `lags` (bins
            by which the first is later), `streams` and `bands` (of each, for slow signals: a stream
            instead of spikes, and the envelope of a band such as "8-12"), `same_clock` (both are of
            one clock), `duration_s`, `permutations`, `seed`, `out` (a folder) and `resolve`.

        Returns
        -------
        Translated
            The map, its skill in windows left out beside two nulls, and where it fails.
        """
        from nissl.project.relating import translating

        first, second = self.source(a), self.source(b)
        given = [windows] if isinstance(windows, str | Path) else windows
        return translating.translate_sources(self.store, first, second, given, **options)

    def carry(
        self,
        a: Source | str,
        b: Source | str,
        windows: Sequence[str | Path] | str | Path,
        **options: Any,
    ) -> carrying.CarriedOver:
        """Learn in each of two sources how its population goes on, and predict the other by it.

        Nothing was recorded at the same time, and no unit has to be the same.

        Parameters
        ----------
        a, b : Source or str
            As in `overlap`.
        windows : str, Path, or sequence of them
            As in `overlap`; ten windows or more in each.
        **options
            `method` (the aligner, "transport" by default), `bin_s`, `n_axes`, `smooth_s`, `n_steps`
            (bins ahead), `adapt_on` (windows), `duration_s`, `permutations`, `seed`, `out` (a
            folder) and `resolve`.

        Returns
        -------
        CarriedOver
            Skill of the unchanged and of the adapted rule beside the source's own, both ways, with
            nulls, and where a rule does not carry over.
        """
        from nissl.project.relating import carrying

        first, second = self.source(a), self.source(b)
        given = [windows] if isinstance(windows, str | Path) else windows
        return carrying.carry_sources(self.store, first, second, given, **options)

    def couple(
        self,
        windows: Sequence[str | Path] | str | Path,
        sources: Sequence[Source | str] | None = None,
        **options: Any,
    ) -> coupling.Coupled:
        """Choose round by round what to refine or which windows to use, until none pays.

        Parameters
        ----------
        windows : str, Path, or sequence of them
            As in `overlap`, with three or more conditions that sources share.
        sources : sequence of Source or str, optional
            All that have spikes, by default.
        **options
            `bin_s`, `duration_s`, `first` (windows of each condition to begin with), `step`,
            `budget` (windows), `enough` (part of what all windows are expected to reach), `axes`
            and `smooth_s` (to begin with), `seed`, `out` (a folder), `resolve`, `progress` and
            `told` (called with each round).

        Returns
        -------
        Coupled
            Rounds, the skill on a part that no choice has seen, pairs that do not match, and what
            to record next. The same call goes on where an earlier one was interrupted.
        """
        from nissl.project.relating import coupling

        chosen = self.annotated("spikes") if sources is None else sources
        given = [windows] if isinstance(windows, str | Path) else windows
        return coupling.couple_sources(
            self.store, [self.source(s) for s in chosen], given, **options
        )

    def sync(self, a: Source | str, b: Source | str, **options: Any) -> syncing.Synchrony:
        """Match the pulses that two devices share and map their clocks onto each other."""
        from nissl.project import syncing

        return syncing.sync(self.store, self.source(a), self.source(b), **options)
