"""The contracts that annotators, learners and checks fulfil.

A Task says what a kind of annotation needs and gives; an Annotator is one method for it; a
Learner is an annotator that can be fitted. Everything generic is written over these.
"""

from nissl.tasks.contracts import SEVERITIES, Annotator, Finding, Inputs, Promises, Result
from nissl.tasks.learner import Examples, Learner, Prediction
from nissl.tasks.registered import ANNOTATORS, TASKS, resolve
from nissl.tasks.task import Dossier, Match, Task

__all__ = [
    "ANNOTATORS",
    "SEVERITIES",
    "TASKS",
    "Annotator",
    "Dossier",
    "Examples",
    "Finding",
    "Inputs",
    "Learner",
    "Match",
    "Prediction",
    "Promises",
    "Result",
    "Task",
    "resolve",
]
