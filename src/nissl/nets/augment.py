"""Augmentations of windows, each with the invariance that it assumes; none is on by default.

Where the assumption is false an augmentation teaches what is wrong, so each is refused where
that is known: the sign of a P300 or of an interictal spike is its meaning; a steady-state
response lives at its frequency and in its phase; motor imagery is mirrored with its label; the
size of a spike, and of slow waves, is what people score them by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Trials = npt.NDArray[Any]
Codes = npt.NDArray[np.int64]

PARADIGMS = ("other", "motor_imagery", "p300", "ssvep", "interictal", "sleep")
SHIFT_CYCLES = 0.1
"""Largest shift of a steady-state response, in cycles of its fastest frequency."""
STOP_HALF_HZ = 2.0
MOST_GAIN = 0.3
"""Largest standard deviation of the logarithm of a gain where size is part of the definition."""


@dataclass(frozen=True)
class Setting:
    """What is known of the trials.

    Parameters
    ----------
    rate_hz : float
    paradigm : str
        One of `PARADIGMS`.
    channels : tuple of str
        Names, for mirroring; 10-20 names: odd numbers left, even right, z in the middle.
    classes : tuple of str
        Names of the classes, for mirroring.
    frequencies_hz : tuple of float
        Of stimulation, for `paradigm` "ssvep".
    """

    rate_hz: float
    paradigm: str = "other"
    channels: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    frequencies_hz: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.paradigm not in PARADIGMS:
            raise BadArgumentError(f"a paradigm among {PARADIGMS}", self.paradigm, "Choose one.")


Change = Callable[[Trials, Codes, np.random.Generator], tuple[Trials, Codes]]


@dataclass(frozen=True)
class Augmentation:
    """A change of trials under which the label is assumed to stay (or to swap).

    Parameters
    ----------
    name : str
    assumes : str
        The invariance, in words.
    make : callable
        ``(setting, amount) -> Change``; raises `BadArgumentError` where it is refused.
    amount : float
        Usual size.
    """

    name: str
    assumes: str
    make: Callable[[Setting, float], Change]
    amount: float


def time_shift(setting: Setting, seconds: float) -> Change:
    """Move each trial by up to `seconds` to either side, zeros coming in."""
    if setting.paradigm == "ssvep":
        limit = SHIFT_CYCLES / max(setting.frequencies_hz, default=np.inf)
        if not setting.frequencies_hz or seconds > limit * (1 + 1e-9):
            raise _refused(
                f"shifts of at most {SHIFT_CYCLES:g} of a cycle ({limit:.4f} s)",
                f"{seconds:g} s for SSVEP at {setting.frequencies_hz} Hz",
            )
    most = int(np.floor(seconds * setting.rate_hz + 1e-9))

    def change(x: Trials, y: Codes, rng: np.random.Generator) -> tuple[Trials, Codes]:
        out = np.zeros_like(x)
        n = x.shape[2]
        for row, by in enumerate(rng.integers(-most, most + 1, len(x)).tolist()):
            a, b = max(by, 0), n + min(by, 0)
            out[row, :, a:b] = x[row, :, a - by : b - by]
        return out, y

    return change


def sign_flip(setting: Setting, share: float) -> Change:
    """Turn a share of the trials upside down."""
    if setting.paradigm in ("p300", "interictal"):
        raise _refused("the sign kept, for it is what the deflection means", setting.paradigm)

    def change(x: Trials, y: Codes, rng: np.random.Generator) -> tuple[Trials, Codes]:
        sign = np.where(rng.random(len(x)) < share, -1.0, 1.0)
        return x * sign[:, None, None], y

    return change


def gain(setting: Setting, spread: float) -> Change:
    """Make each trial larger or smaller by a factor whose logarithm has that spread."""
    if setting.paradigm in ("interictal", "sleep") and spread > MOST_GAIN:
        raise _refused(
            f"a spread of at most {MOST_GAIN:g}, for size is part of the definition",
            f"{spread:g} for {setting.paradigm}",
        )

    def change(x: Trials, y: Codes, rng: np.random.Generator) -> tuple[Trials, Codes]:
        return x * np.exp(rng.normal(0, spread, len(x)))[:, None, None], y

    return change


def channel_dropout(setting: Setting, share: float) -> Change:
    """Set a share of the channels of each trial to zero."""
    del setting

    def change(x: Trials, y: Codes, rng: np.random.Generator) -> tuple[Trials, Codes]:
        return x * (rng.random(x.shape[:2]) >= share)[:, :, None], y

    return change


def fewer_channels(setting: Setting, share: float) -> Change:
    """Take a share of the channels of each trial away (NaN), never all of them.

    For networks to which a channel with NaN is one that is not there.
    """
    del setting

    def change(x: Trials, y: Codes, rng: np.random.Generator) -> tuple[Trials, Codes]:
        score = rng.random(x.shape[:2])
        gone = (score < share) & (score < score.max(axis=1, keepdims=True))
        return np.where(gone[:, :, None], np.nan, x), y

    return change


def mirror(setting: Setting, share: float) -> Change:
    """Swap left and right channels of a share of the trials; left and right labels with them."""
    order = mirrored_channels(setting.channels)
    swapped = np.arange(max(len(setting.classes), 1))
    if setting.paradigm == "motor_imagery":
        swapped = mirrored_classes(setting.classes)

    def change(x: Trials, y: Codes, rng: np.random.Generator) -> tuple[Trials, Codes]:
        turned = rng.random(len(x)) < share
        out, label = x.copy(), y.copy()
        out[turned] = x[turned][:, order]
        if setting.paradigm == "motor_imagery":
            label[turned] = swapped[y[turned]]
        return out, label

    return change


def band_stop(setting: Setting, half_hz: float) -> Change:
    """Take a random band of twice `half_hz` out of each call's trials.

    For steady-state responses the band never touches a frequency of stimulation or its second
    harmonic; where no such band is left it is refused.
    """
    from scipy.signal import butter, sosfiltfilt

    top = setting.rate_hz / 2 - 2 * half_hz
    centres = np.arange(2 * half_hz, top, 1.0)
    if setting.paradigm == "ssvep":
        kept = [m * f for f in setting.frequencies_hz for m in (1, 2)]
        free = np.all([np.abs(centres - f) > 2 * half_hz for f in kept], axis=0)
        centres = centres[free] if kept else centres[:0]
    if not centres.size:
        raise _refused("a band that holds no frequency of stimulation", f"{half_hz:g} Hz to a side")

    def change(x: Trials, y: Codes, rng: np.random.Generator) -> tuple[Trials, Codes]:
        centre = float(rng.choice(centres))
        edges = (centre - half_hz, centre + half_hz)
        sections = butter(2, edges, "bandstop", fs=setting.rate_hz, output="sos")
        reach = min(x.shape[2] - 1, 15)
        return np.asarray(sosfiltfilt(sections, x, axis=2, padlen=reach)), y

    return change


AUGMENTATIONS: Mapping[str, Augmentation] = {
    each.name: each
    for each in (
        Augmentation("time_shift", "when exactly it happens says nothing", time_shift, 0.004),
        Augmentation("sign_flip", "a trial upside down means the same", sign_flip, 0.5),
        Augmentation("gain", "the same waves somewhat larger mean the same", gain, 0.2),
        Augmentation("channel_dropout", "no channel is needed alone", channel_dropout, 0.1),
        Augmentation("fewer_channels", "each channel alone can tell", fewer_channels, 0.4),
        Augmentation("mirror", "left and right are alike, or swap their labels", mirror, 0.5),
        Augmentation("band_stop", "no narrow band is needed alone", band_stop, STOP_HALF_HZ),
    )
}


def augmenter(names: Sequence[str], setting: Setting) -> Change:
    """Chain of augmentations with their usual amounts.

    Raises
    ------
    BadArgumentError
        An unknown name, or one that the paradigm refuses.
    """
    unknown = sorted(set(names) - set(AUGMENTATIONS))
    if unknown:
        raise BadArgumentError(
            f"augmentations among {sorted(AUGMENTATIONS)}", f"{unknown}", "Choose among them."
        )
    changes = [AUGMENTATIONS[n].make(setting, AUGMENTATIONS[n].amount) for n in names]

    def change(x: Trials, y: Codes, rng: np.random.Generator) -> tuple[Trials, Codes]:
        for each in changes:
            x, y = each(x, y, rng)
        return x, y

    return change


def by_epoch(change: Change) -> Change:
    """The same change for windows that stand in sequences, (n, n_epochs, n_channels, n_samples)."""

    def changed(x: Trials, y: Codes, rng: np.random.Generator) -> tuple[Trials, Codes]:
        n, e = x.shape[:2]
        out, label = change(x.reshape(n * e, *x.shape[2:]), y.reshape(n * e), rng)
        return out.reshape(n, e, *out.shape[1:]), label.reshape(n, e)

    return changed


def mirrored_channels(names: Sequence[str]) -> npt.NDArray[np.intp]:
    """Index of the channel on the other side, for each channel.

    Raises
    ------
    BadArgumentError
        A channel without a partner (10-20 names: C3 and C4, Fp1 and Fp2, Cz by itself).
    """
    place = {name.lower(): k for k, name in enumerate(names)}
    partners = [_other_side(name.lower()) for name in names]
    lacking = [name for name, other in zip(names, partners, strict=True) if other not in place]
    if lacking or not names:
        raise _refused("channels with a partner on the other side", f"{lacking or 'no names'}")
    return np.array([place[other] for other in partners], np.intp)


def mirrored_classes(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Code of the class that is meant on the other side, for each class."""
    swap = {"left": "right", "right": "left"}
    out = []
    for name in names:
        words = name.lower().replace("-", "_").replace(" ", "_").split("_")
        other = "_".join(swap.get(w, w) for w in words)
        plain = ["_".join(n.lower().replace("-", "_").split()) for n in names]
        if other not in plain:
            raise _refused("classes that have a counterpart on the other side", f"{list(names)}")
        out.append(plain.index(other))
    if not out or out == list(range(len(out))):
        raise _refused("classes named by their side (left, right)", f"{list(names)}")
    return np.array(out, np.int64)


def _other_side(name: str) -> str:
    digits = "".join(c for c in name if c.isdigit())
    if not digits:
        return name
    number = int(digits)
    return name.replace(digits, str(number + 1 if number % 2 else number - 1))


def _refused(expected: str, got: str) -> BadArgumentError:
    return BadArgumentError(expected, got, "Leave this augmentation out, or make it smaller.")
