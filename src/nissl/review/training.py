"""Training of new readers on gold items: feedback, a progress curve, and when they pass.

The state follows from edits alone: a reader's first answer to each gold item counts, in the order
of the journal; later answers to the same item come after the feedback and count for nothing.

Passing is a sequential test that may be looked at as often as one likes: look number k (after
every `STEP` answers) takes the Clopper-Pearson lower bound over the last `window` answers at the
error rate ``(1 - level) / (k (k + 1))``. These rates sum to ``1 - level``, so a reader who never
was better than the threshold passes with at most that probability however long they train.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nissl.errors import BadArgumentError
from nissl.labels import Edit, LabelSet
from nissl.review.readers import Answer, answers_of, first_hand
from nissl.trust.intervals import Interval, binomial_interval

STEP = 10
THRESHOLD = 0.8
WINDOW = 60


@dataclass(frozen=True)
class Feedback:
    """What a reader is told after a gold item.

    Parameters
    ----------
    item : int
    given : str or None
    right : str
    sentence : str
    """

    item: int
    given: str | None
    right: str
    sentence: str

    @property
    def correct(self) -> bool:
        """Whether the answer was right."""
        return self.given == self.right


@dataclass(frozen=True)
class Look:
    """The test after so many answers; `low` is the bound that the threshold is held against."""

    n: int
    recent: Interval
    low: float
    passed: bool


@dataclass(frozen=True)
class Training:
    """How far a reader has come.

    Parameters
    ----------
    reader : str
    threshold : float
        Accuracy that must be exceeded.
    feedback : tuple of Feedback
        Every counted answer, in order.
    looks : tuple of Look
        The progress curve, one point per `STEP` answers.
    confused : mapping of (str, str) to int
        Wrong answers by (right class, given class), the most frequent first.
    """

    reader: str
    threshold: float
    feedback: tuple[Feedback, ...]
    looks: tuple[Look, ...]
    confused: Mapping[tuple[str, str], int]

    @property
    def passed(self) -> bool:
        """Whether the reader has passed at any look."""
        return any(look.passed for look in self.looks)

    @property
    def passed_after(self) -> int | None:
        """Answers that it took to pass; None before that."""
        return next((look.n for look in self.looks if look.passed), None)

    @property
    def sentence(self) -> str:
        """Where the reader stands, in plain words."""
        n = len(self.feedback)
        if self.passed:
            return f"Passed after {self.passed_after} items."
        if not self.looks:
            return f"{n} items answered; the first look is after {STEP}."
        look = self.looks[-1]
        return (
            f"{100 * look.recent.estimate:.0f} % right of the last {look.recent.n}; sure to be "
            f"above {100 * look.low:.0f} %, and {100 * self.threshold:.0f} % are needed."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "reader": self.reader,
            "threshold": self.threshold,
            "passed": self.passed,
            "passed_after": self.passed_after,
            "sentence": self.sentence,
            "n": len(self.feedback),
            "looks": [
                {"n": k.n, "recent": k.recent.to_json(), "low": k.low, "passed": k.passed}
                for k in self.looks
            ],
            "confused": [
                {"right": right, "given": given, "n": n}
                for (right, given), n in self.confused.items()
            ],
            "feedback": [vars(f) | {"correct": f.correct} for f in self.feedback],
        }


def training(
    labels: LabelSet,
    edits: Iterable[Edit],
    reader: str,
    gold: Mapping[int, str],
    *,
    threshold: float = THRESHOLD,
    window: int = WINDOW,
    level: float = 0.95,
) -> Training:
    """Progress of a reader in training.

    Parameters
    ----------
    labels : LabelSet
        The set that the gold items belong to.
    edits : iterable of Edit
    reader : str
    gold : mapping of int to str
        Right class of each gold item.
    threshold : float
        Accuracy that a reader must be sure to exceed, 0 to 1.
    window : int
        Latest answers that a look judges, `STEP` or more.
    level : float
        One minus the probability that a reader no better than the threshold ever passes.

    Raises
    ------
    BadArgumentError
        Arguments outside their ranges, or a threshold that even `window` right answers in a
        row would not show to be exceeded at the first full look.
    """
    counted = first_answers(labels, edits, reader, gold)
    return judge(counted, reader, gold, threshold=threshold, window=window, level=level)


def judge(
    counted: Iterable[Answer],
    reader: str,
    gold: Mapping[int, str],
    *,
    threshold: float = THRESHOLD,
    window: int = WINDOW,
    level: float = 0.95,
) -> Training:
    """Progress from the answers that count (`first_answers`), perhaps of several sets together."""
    _check(threshold, window, level)
    told = tuple(feedback(a, gold[a.item]) for a in counted)
    right = [f.correct for f in told]
    looks = []
    for k in range(1, len(right) // STEP + 1):
        recent = right[max(0, k * STEP - window) : k * STEP]
        tail = (1 - level) / (k * (k + 1))
        low = binomial_interval(sum(recent), len(recent), level=1 - 2 * tail).low
        shown = binomial_interval(sum(recent), len(recent))
        looks.append(Look(k * STEP, shown, low, low > threshold))
    wrong = [(f.right, f.given or "unsure") for f in told if not f.correct]
    ordered = sorted(set(wrong), key=lambda pair: (-wrong.count(pair), pair))
    confused = {pair: wrong.count(pair) for pair in ordered}
    return Training(reader, threshold, told, tuple(looks), confused)


def feedback(answer: Answer, right: str) -> Feedback:
    """What to tell a reader about an answer to a gold item."""
    if answer.label == right:
        sentence = f"Right: {right}."
    elif answer.label is None:
        sentence = f"You were unsure; it is {right}."
    else:
        sentence = f"You said {answer.label}; it is {right}."
    return Feedback(answer.item, answer.label, right, sentence)


def first_answers(
    labels: LabelSet, edits: Iterable[Edit], reader: str, gold: Mapping[int, str]
) -> list[Answer]:
    """A reader's first answer to each gold item, those taken back too, in order."""
    first: dict[int, Answer] = {}
    for answer in first_hand(answers_of(labels, _first_said(edits))):
        if answer.reader == reader and answer.item in gold:
            first.setdefault(answer.item, answer)
    return list(first.values())


def _first_said(edits: Iterable[Edit]) -> list[Edit]:
    """Edits without undos: an answer taken back after its feedback was given all the same."""
    return [edit for edit in edits if edit.kind.value != "undo"]


def _check(threshold: float, window: int, level: float) -> None:
    if not 0 < threshold < 1 or not 0 < level < 1 or window < STEP:
        raise BadArgumentError(
            f"a threshold and a level between 0 and 1, a window of {STEP} or more",
            f"{threshold}, {level}, {window}",
            "Mend the arguments.",
        )
    looks = -(-window // STEP)
    best = ((1 - level) / (looks * (looks + 1))) ** (1 / window)
    if best <= threshold:
        raise BadArgumentError(
            f"a threshold below {best:.3f}, which {window} right answers in a row show",
            f"{threshold}",
            "Widen the window or lower the threshold.",
        )
