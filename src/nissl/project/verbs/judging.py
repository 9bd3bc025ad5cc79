"""`Project.arrows` and `Project.evidence`: what drives what, and what speaks for a claim."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nissl.project import directing
from nissl.project.series import TABLES
from nissl.project.source import Source
from nissl.project.verbs.base import Opened


class Judging(Opened):
    """Tests of what was recorded, each with a verdict."""

    def arrows(
        self, sources: Sequence[Source | str | Path] | Source | str | Path, **options: Any
    ) -> directing.Directed:
        """Test which series drives which.

        Parameters
        ----------
        sources : Source, str, Path, or sequence of them
            Sources on one clock (channels, traces, latents, or units where they have spikes), or
            the path of one table (.csv, .tsv) with a column for each series.
        **options
            `method` ("gaussian", "ksg", "rdcm", "dcm" of series; "trains", "pointprocess" of
            spikes), `modality` ("fields", "bold", "spikes": what may feign a direction), `stream`,
            `channels`, `bin_s`, `interval_s` (of a table), `inputs` (a table, for causal models),
            `frequencies` (Granger causality by frequency too), `spectral` and `band_hz` (measures
            of mne-connectivity), `order`, `conditional`, `surrogates`, `alpha`, `seed`, `out` (a
            folder), `resolve` and `progress`.

        Returns
        -------
        Directed
            A verdict for each ordered pair, and the files: tables, picture and facts.
        """
        given = [sources] if isinstance(sources, Source | str | Path) else list(sources)
        found = [
            Path(s)
            if Path(str(s)).suffix.lower() in TABLES
            else self.source(str(s))
            if not isinstance(s, Source)
            else s
            for s in given
        ]
        return directing.arrows(self.store, found, **options)

    def _source_or_table(self, given: Source | str | Path) -> Source | Path:
        if isinstance(given, Source):
            return given
        return Path(given) if Path(given).suffix.lower() in TABLES else self.source(str(given))
