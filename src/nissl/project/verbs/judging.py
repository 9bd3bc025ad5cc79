"""`Project.arrows`, `evidence`, `verify_sorting`: what drives what, and what can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nissl.errors import BadArgumentError
from nissl.project.source import Source
from nissl.project.verbs.base import Opened

if TYPE_CHECKING:
    from nissl.align.evidence.claim import Claim
    from nissl.annotators.spikes.verifying.verdict import Verdict
    from nissl.project import sortings
    from nissl.project.relating import directing, evidencing


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
        from nissl.project.relating import directing

        given = [sources] if isinstance(sources, Source | str | Path) else list(sources)
        found = [self._source_or_table(each) for each in given]
        return directing.arrows(self.store, found, **options)

    def claim(
        self,
        name: str,
        says: str,
        sources: Sequence[str],
        windows: Sequence[str] | str,
        **options: Any,
    ) -> Path:
        """Keep a claim in the study: that populations of sources code conditions alike.

        Parameters
        ----------
        name, says : str
        sources : sequence of str
        windows : str, or sequence of str
            One for all, or one each, whose names are the conditions.
        **options
            `bin_s`, `rule` ("linear", "rotation"), `axes`, `interventions`, `drives`; see
            `nissl.align.evidence.claim.Claim`.

        Returns
        -------
        Path
            Its file, to which metadata may be added.
        """
        from nissl.align.evidence.claim import Claim, Recorded
        from nissl.project.relating import evidencing

        given = [windows] if isinstance(windows, str) else list(windows)
        if len(given) not in (1, len(sources)):
            raise BadArgumentError(
                f"windows for all, or for each of {len(sources)} sources",
                f"{len(given)}",
                "Name a set of spans that all have, or one table each.",
            )
        each = given * (len(sources) if len(given) == 1 else 1)
        folder = self.path / evidencing.FOLDER
        parts = tuple(
            Recorded(self.source(s).name, evidencing.relative(w, folder))
            for s, w in zip(sources, each, strict=True)
        )
        return evidencing.keep_claim(self.store, Claim(name, says, parts, **options))

    def evidence(self, claim: str | Path | Claim, **options: Any) -> evidencing.Evidence:
        """Test a claim item by item, on windows that nothing was chosen or fitted on.

        Parameters
        ----------
        claim : str, Path or Claim
            A name in the study, a file (.json, or .yaml where PyYAML is installed), or a claim.
        **options
            `duration_s` (of windows whose end is not told), `permutations`, `seed`, `out` (a
            folder), `resolve` and `progress`.

        Returns
        -------
        Evidence
            The checklist, and its files: page, Markdown with figures, JSON, tables.
        """
        from nissl.project.relating import evidencing

        return evidencing.evidence(self.store, claim, **options)

    def _source_or_table(self, given: Source | str | Path) -> Source | Path:
        from nissl.project.relating.series import TABLES

        if isinstance(given, Source):
            return given
        return Path(given) if Path(given).suffix.lower() in TABLES else self.source(str(given))

    def verify_sorting(
        self, source: Source | str, method: str = "spikes", **options: Any
    ) -> sortings.Verified:
        """Add known units to a recording, sort it again, and keep what that says of the method.

        Parameters
        ----------
        source : Source or str
        method : str
            "spikes", or "spikes/tridesclous2".
        **options
            `stream`, `out` (a folder), `options` (`nissl.project.sortings.Options`), `resources`.
        """
        from nissl.project import sortings

        return sortings.verify_source(self.store, self.source(source), method, **options)

    def calibration_of(self, source: Source | str, method: str, **options: Any) -> Verdict:
        """Tell whether a method's confidence of single spikes is a probability on a source."""
        from nissl.project import sortings

        return sortings.calibration_of(self.store, self.source(source), method, **options)
