"""`Project.align` and `Project.sync`: one source and another."""

from __future__ import annotations

from typing import Any

from nissl.project import aligning, syncing
from nissl.project.source import Source
from nissl.project.verbs.base import Opened


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
    ) -> aligning.Alignment:
        """Find the same cells in two sources of one field of view.

        Parameters
        ----------
        a, b : Source or str
            Each with labels of the task "cells", taken as people left them.
        by : {"cells"}
        everything : bool
            Also regions that are called no cells.
        activity : bool
            Take how the cells fired as evidence too; not where stability of activity is studied.

        Returns
        -------
        Alignment
            LINKS with the probability of each, kept in the project, and the registration.
        """
        first, second = self.source(a), self.source(b)
        return aligning.align(
            self.store, first, second, by=by, everything=everything, activity=activity
        )

    def sync(self, a: Source | str, b: Source | str, **options: Any) -> syncing.Synchrony:
        """Match the pulses that two devices share and map their clocks onto each other."""
        return syncing.sync(self.store, self.source(a), self.source(b), **options)
