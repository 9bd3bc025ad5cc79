"""What is measured of a source rather than proposed: `Project.evoked`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nissl.annotators.events.erp import Component, Window
from nissl.project import evoked as evoking
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
