"""What is measured rather than proposed: `Project.evoked`, `traces`, `responses`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nissl.project.source import Source
from nissl.project.verbs.base import Opened

if TYPE_CHECKING:
    from nissl.annotators.events.erp import Component, Window
    from nissl.project import responding, tracing


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
        from nissl.project import evoked as evoking

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
        from nissl.project import tracing

        return tracing.traces(self.store, self.source(source), **options)

    def responses(
        self, source: Source | str, stimuli: str | Path, **options: Any
    ) -> responding.Answers:
        """Measure how neurons answer to stimuli.

        Parameters
        ----------
        source : Source or str
            Traces or rates, as `traces` or the tasks "cells" and "rates" derive them.
        stimuli : str or Path
            A table (.csv, .tsv) with `onset`, `duration` (seconds) and `stimulus`, or the name
            of a set of spans, or of one of its classes, of the traces or the recording that
            they were made from.
        **options
            `before_s`, `after_s` (what an answer is compared with, and how long one to the end
            lasts), `duration_s` (of stimuli whose end is not told), `outside` ("error" or
            "drop"), `permutations`, `q` (false discovery rate), `seed`, `stream`, `out` (a
            folder for tables and pictures) and `resolve`.

        Returns
        -------
        Answers
            Labels of the task "responses" with their numbers, kept in the project.
        """
        from nissl.project import responding

        return responding.respond(self.store, self.source(source), stimuli, **options)
