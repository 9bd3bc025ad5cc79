"""What can be chosen about motion correction."""

from __future__ import annotations

from dataclasses import dataclass

from nissl.errors import BadArgumentError

OPTICS = ("two-photon", "one-photon")


@dataclass(frozen=True)
class MotionSettings:
    """Settings of motion correction.

    Parameters
    ----------
    optics : {"two-photon", "one-photon"}
        One photon: structures wider than `wide_px` are taken away before anything is compared,
        for the background hardly moves with the tissue.
    reach : float
        Largest displacement of a frame, as part of its shorter side.
    block_px : int
        Side of the blocks that may move apart from the whole frame, pixels; they overlap by half.
        0 corrects frames as a whole.
    local_px : float
        Largest displacement of a block apart from the whole frame, pixels.
    stiffness_px : float, optional
        By how much places a block apart move apart, typically: what is expected before a frame is
        seen; smaller values smooth more. Measured on sampled frames by default.
    passes : int
        Passes over the whole movie; after each but the last the template is made anew.
    sample : int
        Frames that the first template is made of.
    bidirectional : bool
        Move odd lines back by the offset that was measured. It is measured and told in any case.
    wide_px : float, optional
        Width above which structures do not count; 60 for two photons and 20 for one, by default.
    """

    optics: str = "two-photon"
    reach: float = 0.1
    block_px: int = 128
    local_px: float = 5.0
    stiffness_px: float | None = None
    passes: int = 1
    sample: int = 200
    bidirectional: bool = False
    wide_px: float | None = None

    def __post_init__(self) -> None:
        if self.optics not in OPTICS:
            raise BadArgumentError(f"optics among {OPTICS}", repr(self.optics), "Choose one.")
        wrong = [
            f"{name} = {getattr(self, name)!r}"
            for name, good in (
                ("reach", 0 < self.reach <= 0.4),
                ("block_px", self.block_px == 0 or self.block_px >= 32),
                ("local_px", self.local_px > 0),
                ("stiffness_px", self.stiffness_px is None or self.stiffness_px > 0),
                ("passes", self.passes >= 1),
                ("sample", self.sample >= 1),
                ("wide_px", self.wide_px is None or self.wide_px > 2),
            )
            if not good
        ]
        if wrong:
            raise BadArgumentError(
                "reach above 0 and up to 0.4, blocks of at least 32 pixels or 0, at least one "
                "pass and one sampled frame, and positive widths",
                ", ".join(wrong),
                "Change these settings.",
            )

    @property
    def widest_px(self) -> float:
        """Width above which structures do not count, pixels."""
        if self.wide_px is not None:
            return self.wide_px
        return 20.0 if self.optics == "one-photon" else 60.0


__all__ = ["OPTICS", "MotionSettings"]
