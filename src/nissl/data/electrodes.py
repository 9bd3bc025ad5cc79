"""Electrodes: what channel names of EEG, MEG, PSG and intracranial recordings mean.

Names are normalised to the 10-05 system (Oostenveld & Praamstra 2001, Clin Neurophysiol
112:713), of which the 10-20 and 10-10 names are part. Conventions:

- Older names get the newer one: T3 T4 T5 T6 are T7 T8 P7 P8; the earlobes A1 A2 stand for the
  mastoids M1 M2; LOC and ROC are the eye electrodes E1 and E2 of the AASM manual.
- "EEG Fpz-Cz" is the electrode Fpz against the reference Cz. References that are no electrode
  are "REF" (whatever the amplifier used), "LE" (both ears or mastoids linked) and "AVG" (the
  average); "" where nothing is said.
- Contacts of one shaft or grid ("LA1", "POL LA1", "B'7") share letters. Letters that are also a
  scalp name are a shaft when the file holds contacts that no cap has (A3, C11); 32 of them are
  a BioSemi cap, and "E1" to "E8" and on the net of EGI. Whether a contact lies in depth or on
  the cortex cannot be told from a name for sure: letters with a G at the end and more than 20
  contacts count as a grid ("ecog"), the others as "seeg".
- A name that says nothing stays as it is, with the type "misc", and is not `known`.
- Types that a file states win over names; the given name is never changed in the file's table.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from nissl.data.electrode_names import (
    COMMON_REFERENCES,
    CONTACT,
    CTF,
    EARS,
    INTRACRANIAL,
    LOOSE,
    NAMED,
    NUMBERED,
    OTHER_EEG,
    PLAIN_MISC,
    PREFIX,
    PREFIXES,
    RENAMED,
    SCALP,
    SIDED,
    STATED,
)
from nissl.errors import BadMetadataError

_DEEPEST_SHAFT = 20
_CAP = 32
_NET = 8


@dataclass(frozen=True)
class Electrode:
    """One channel by its meaning.

    Parameters
    ----------
    given : str
        Name as the file has it.
    name : str
        Normalised name of the electrode or sensor; several channels may share one.
    type : str
        One of `nissl.data.electrode_names.TYPES`.
    reference : str
        Normalised name of what it was recorded against; "" where nothing says.
    known : bool
        Whether the name or the file's own type said what it is.
    """

    given: str
    name: str
    type: str
    reference: str
    known: bool = True


def electrodes(ids: Sequence[str], types: Sequence[str] = ()) -> tuple[Electrode, ...]:
    """Meaning of each channel of a stream.

    Parameters
    ----------
    ids : sequence of str
        Names as the file gives them; together, since contacts of one shaft explain each other.
    types : sequence of str
        Types as the file states them (of nissl, MNE or BIDS), "" where it does not; none at all
        by default.

    Returns
    -------
    tuple of Electrode
        In the order of `ids`.

    Raises
    ------
    BadMetadataError
        Another number of types than of names.
    """
    if types and len(types) != len(ids):
        raise BadMetadataError(
            f"{len(ids)} channel types, one per channel", f"{len(types)}", "Give one per channel."
        )
    shafts = _shafts(ids)
    stated = [STATED.get(t.strip().lower(), "") for t in types] or [""] * len(ids)
    return tuple(_electrode(i, t, shafts) for i, t in zip(ids, stated, strict=True))


def unknown(found: Sequence[Electrode]) -> tuple[str, ...]:
    """Names, as given, of the channels that nothing explains."""
    return tuple(e.given for e in found if not e.known)


def stream_kind(found: Sequence[Electrode]) -> str:
    """What a stream of these channels measures: "meg", "eeg", "ieeg", "exg" or "aux".

    The first of "meg", "eeg" and "ieeg" (depth, cortex, field potentials) of which there is a
    channel; "exg" are EOG, EMG and ECG alone.
    """
    types = {e.type for e in found}
    if "meg" in types:
        return "meg"
    if "eeg" in types:
        return "eeg"
    if types & set(INTRACRANIAL):
        return "ieeg"
    return "exg" if types & {"eog", "emg", "ecg"} else "aux"


def kind_by_names(ids: Sequence[str], otherwise: str) -> str:
    """Kind of a stream whose format does not say: "eeg" where all names are known and one is EEG.

    Parameters
    ----------
    ids : sequence of str
    otherwise : str
        What it is else.
    """
    found = electrodes(ids)
    return "eeg" if not unknown(found) and stream_kind(found) == "eeg" else otherwise


def _electrode(given: str, stated: str, shafts: dict[str, str]) -> Electrode:
    bare, prefixed = _without_prefix(given)
    if stated in INTRACRANIAL or stated == "meg":
        name, reference = _halves(bare)
        return Electrode(given, _compact(name), stated, _reference(reference, shafts))
    for part, reference in _readings(bare):
        meaning = _meaning(part, prefixed, shafts)
        if meaning is not None:
            name, type_ = meaning
            return Electrode(given, name, stated or type_, _reference(reference, shafts))
    name, reference = _halves(bare)
    loose = LOOSE.match(bare)
    type_ = stated or prefixed or (PREFIXES[loose.group(1).upper()] if loose else "misc")
    known = bool(stated) or type_ != "misc"
    return Electrode(given, name, type_, _reference(reference, shafts) if known else "", known)


def _without_prefix(given: str) -> tuple[str, str]:
    """Name without a leading type, and that type or ""; "EEG 001" keeps its number's prefix."""
    bare = re.sub(r" #\d+$", "", " ".join(given.split())).strip(". ")
    if bare.upper().endswith("_OFF"):  # the state of an electrode, not its signal
        return bare, ""
    match = PREFIX.match(bare)
    if match is None:
        return bare, ""
    rest, type_ = bare[match.end() :], PREFIXES[match.group(1).upper()]
    if type_ and re.fullmatch(r"\d+", rest):
        return f"{match.group(1).upper()}{rest}", type_
    if not type_ or type_ == "eeg" or type_ in INTRACRANIAL:
        return rest, type_
    return (bare if _named(bare) or _named(_halves(bare)[0]) else rest), type_


def _readings(bare: str) -> list[tuple[str, str]]:
    """Ways to cut a name into electrode and reference: whole, at a dash, at a known end."""
    readings = [(bare, ""), _halves(bare)]
    joined = re.fullmatch(r"(.+?)[ _]?([AM][12]|A1A2|M1M2|REF|LE|AVG)", bare, re.I)
    if joined and joined.group(1).upper() in SCALP:
        readings.append((joined.group(1), joined.group(2)))
    name, _, other = bare.partition("_")
    if name.upper() in SCALP and other.upper() in SCALP:
        readings.append((name, other))
    return readings


def _halves(bare: str) -> tuple[str, str]:
    if CTF.match(bare):
        return bare.split("-")[0], ""
    name, _, reference = re.sub(r"\s*[-:–/]\s*", "-", bare, count=1).partition("-")
    return (name.strip(". "), reference.strip(". ")) if name else (bare, "")


def _meaning(part: str, prefixed: str, shafts: dict[str, str]) -> tuple[str, str] | None:
    """Normalised name and type of one name without its reference, or None."""
    if prefixed in INTRACRANIAL or prefixed == "meg":
        return _compact(part), prefixed
    if prefixed and re.fullmatch(r"[A-Z]+\d{2,}", part):
        return part, prefixed
    contact = CONTACT.match(part)
    shaft = shafts.get(contact.group(1)) if contact and not prefixed else None
    if shaft is not None:
        return _compact(part), shaft
    scalp = _scalp_name(part)
    if scalp is not None and prefixed in ("", "eeg"):
        return scalp, "eeg"
    named = _named(part)
    if named is not None:
        mixed = prefixed == "eeg" and named[0] not in ("E1", "E2", "annotations", "status")
        mixed = mixed or (prefixed == "eeg" and part.upper() in ("LOC", "ROC"))
        return named[0], named[1] if prefixed in ("", "misc") or mixed else prefixed
    if CTF.match(part):
        return part.split("-")[0], "meg"
    if not prefixed and re.fullmatch(r"MEG ?\d{3,4}", part, re.I):
        return _compact(part).upper(), "meg"
    if PLAIN_MISC.match(part):
        return _compact(part), "misc"
    if not prefixed and SIDED.match(part):
        return part, "seeg"
    return (part, prefixed) if prefixed and re.fullmatch(r"[A-Z]+\d+", part) else None


def _scalp_name(part: str) -> str | None:
    key = part.upper()
    key = RENAMED.get(key, key)
    return key if key in EARS else SCALP.get(key, OTHER_EEG.get(key))


def _named(part: str) -> tuple[str, str] | None:
    return next(((n, t) for pattern, t, n in NAMED if pattern.match(part)), None)


def _reference(part: str, shafts: dict[str, str]) -> str:
    part = re.sub(r"-\d+$", "", part)  # a running number behind two equal names
    if not part:
        return ""
    common = COMMON_REFERENCES.get(re.sub(r"[ _.]", "", part).upper())
    if common is not None:
        return common
    contact = CONTACT.match(part)
    if contact and contact.group(1) in shafts:
        return _compact(part)
    scalp, named = _scalp_name(part), _named(part)
    return scalp or (named[0] if named else part)


def _compact(part: str) -> str:
    return part.replace(" ", "")


def _shafts(ids: Sequence[str]) -> dict[str, str]:
    """Type of each set of letters that are the contacts of one shaft, grid, cap or net."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for given in ids:
        bare, prefixed = _without_prefix(given)
        if prefixed:
            continue
        for part in _halves(bare):
            contact = CONTACT.match(part)
            if contact:
                numbers[contact.group(1)].add(int(contact.group(2)))
    kinds = ((letters, _shaft_type(letters, found)) for letters, found in numbers.items())
    return {letters: kind for letters, kind in kinds if kind}


def _shaft_type(letters: str, found: set[int]) -> str:
    capitals = letters.upper()
    if capitals == "E" and len(found) >= _NET:
        return "eeg"
    if capitals in tuple("ABCDEFGH") and found == set(range(1, _CAP + 1)):
        return "eeg"
    names = [f"{letters}{n}" for n in found]
    if len(found) < 3 or all(_explained(name, capitals) for name in names):
        return ""
    grid = len(found) > _DEEPEST_SHAFT or re.search(r"G(RID)?$", capitals)
    return "ecog" if grid else "seeg"


def _explained(name: str, letters: str) -> bool:
    """Whether a name with a number is no contact of a shaft."""
    if letters in ("LAT", "RAT"):  # three of them are a strip, not a leg
        return False
    if letters in NUMBERED or PLAIN_MISC.match(name) or CTF.match(name):
        return True
    return _scalp_name(name) is not None or _named(name) is not None
