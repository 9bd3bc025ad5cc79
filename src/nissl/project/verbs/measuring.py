"""What is measured rather than proposed: `Project.evoked`, `traces`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nissl.annotators.events.erp import Component, Window
from nissl.project import evoked as evoking
from nissl.project import tracing
from nissl.project.source import Source
from nissl.project.verbs.base import Opened


class Measuring(Opened):
    """Numbers with their errors."""

    def evoked(
        self, source: Source | str, windows: Sequence[Window], **options: Any
    ) -> list[tuple[str, Component]]:
        """Amplitude and latency of evoked components, for each class of trials.

        Parameters
        ----------
        source : Source or str
        windows : sequence of nissl.annotators.events.erp.Window
        **options
            `trials` (name of the imported set), `stream`, `seed`, and `most_uv`: trials with a
            larger swing are left out.

        Returns
        -------
        list of (class, nissl.annotators.events.erp.Component)
            Scores with their standardised measurement errors.
        """
        return evoking.evoked(self.store, self.source(source), windows, **options)

    def traces(self, source: Source | str, **options: Any) -> tracing.Traced:
        """Extract the traces of a movie's cells or tracked neurons, as people left them.

        Parameters
        ----------
        source : Source or str
            The movie.
        **options
            `task` ("cells" or "tracks"; the one that there are labels of), `parameters` (of
            tracks: `model` "two-channel", "ratio" or "first", `channels`, `radius_um`,
            `spacing_um`; of cells those that they were found with), `resolve` (how several
            readers are combined) and `resources` (`Resources`).

        Returns
        -------
        Traced
            Names of the sources; "fluorescence" is what the task `rates` reads.
        """
        return tracing.traces(self.store, self.source(source), **options)
