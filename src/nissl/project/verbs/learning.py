"""`Project.learn` and the models that it gives."""

from __future__ import annotations

from typing import Any

from nissl.project import learning
from nissl.project.verbs.base import Opened


class Learning(Opened):
    """Models that learn from decisions."""

    def learn(self, task: str, **options: Any) -> learning.Learned:
        """Fit a new model to people's decisions; it is kept with its card and not yet in use.

        Parameters
        ----------
        task : str
        **options
            `seed`, `progress`, and `resolve` (how readers who disagree are combined).
        """
        return learning.learn(self.store, task, **options)

    def models(self, task: str) -> list[learning.ModelState]:
        """Models of a task, the shipped weights first."""
        return learning.models(self.store, task)

    def model(self, task: str, digest: str = "") -> learning.ModelState:
        """Model by the beginning of its digest, or "shipped"; the one in use by default."""
        return learning.find(self.store, task, digest)

    def use_model(self, task: str, digest: str, *, by: str) -> learning.Used:
        """Put a model into use: new proposals everywhere, decisions carried over to them."""
        return learning.use(self.store, task, self.model(task, digest).digest, by=by)

    def rollback_model(self, task: str, *, by: str) -> learning.Used:
        """Put the model back that was in use before."""
        return learning.rollback(self.store, task, by=by)
