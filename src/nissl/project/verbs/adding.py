"""`Project.add` and what is imported beside recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nissl.labels import LabelSet
from nissl.project import adding, importing, points, regions
from nissl.project.source import Source
from nissl.project.verbs.base import Opened


class Adding(Opened):
    """Recordings, and work done elsewhere."""

    def add(self, path: str | Path, **options: Any) -> Source:
        """Add a recording, or a folder of work done elsewhere, modifying neither.

        Parameters
        ----------
        path : str or Path
        **options
            As for `nissl.read`: `subject`, `session`, `probe`, `rate_hz`, ...; `reviewer` names
            the person behind imported human labels.
        """
        return adding.add(self.store, adding.prepare(Path(path), **options))

    def add_labels(self, source: Source | str, path: str | Path, **options: Any) -> LabelSet:
        """Import a table of trials, events or behaviour (CSV, BIDS events.tsv, NWB) to a source."""
        return adding.add_table(self.store, self.source(source), Path(path), **options)

    def add_annotations(
        self, source: Source | str, path: str | Path, **options: Any
    ) -> tuple[LabelSet, ...]:
        """Import annotations that people have (EDF+, Wonambi, MNE, SzCORE, BIDS, hypnograms).

        Parameters
        ----------
        source : Source or str
        path : str or Path
        **options
            `format`, `name` (the task), `author`, `stream`, `outside` ("error" or "cut"),
            `together` (both begin together, whatever they state), and `start`, `epoch_s`,
            `coding` where the format needs them.

        Returns
        -------
        tuple of LabelSet
            One for each author, kind and task in the file; the largest first.
        """
        return importing.add_annotations(self.store, self.source(source), Path(path), **options)

    def add_regions(
        self, source: Source | str, path: str | Path, **options: Any
    ) -> tuple[LabelSet, ...]:
        """Import regions of a movie (Suite2p, CaImAn, Cellpose, ImageJ, label images, Neurofinder).

        Parameters
        ----------
        source : Source or str
            The movie.
        path : str or Path
        **options
            `format`, `author` (who outlined or judged them) and `stream`.

        Returns
        -------
        tuple of LabelSet
            What a program found, then what a person made of it; traces become sources.
        """
        return regions.add_regions(self.store, self.source(source), Path(path), **options)

    def add_points(
        self, source: Source | str, path: str | Path, **options: Any
    ) -> tuple[LabelSet, ...]:
        """Import places of neurons in volumes (targettrack, tables), people's before networks'.

        Options are those of `add_regions`.
        """
        return points.add_points(self.store, self.source(source), Path(path), **options)
