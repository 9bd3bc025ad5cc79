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

from nissl.errors import BadMetadataError

TYPES = (
    "eeg",
    "eog",
    "emg",
    "ecg",
    "resp",
    "meg",
    "seeg",
    "ecog",
    "lfp",
    "stim",
    "misc",
)
INTRACRANIAL = ("seeg", "ecog", "lfp")
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
        One of `TYPES`.
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
    stated = [_STATED.get(t.strip().lower(), "") for t in types] or [""] * len(ids)
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


def mapping_table(found: Sequence[Electrode]) -> str:
    """Given name, electrode, type and reference of each channel as aligned lines of text."""
    rows = [("given", "electrode", "type", "reference")]
    rows += [(e.given, e.name, e.type if e.known else "misc?", e.reference) for e in found]
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    lost = unknown(found)
    if lost:
        lines.append(f"unknown names, kept as they are: {', '.join(lost)}")
    return "\n".join(lines)


def _scalp() -> dict[str, str]:
    """Names of the 10-05 system by their capitals."""
    names = []
    for rows, numbers in (
        ("Fp O I N", (1, 2)),
        ("O", (9, 10)),
        ("C FC CP FCC CCP", range(1, 7)),
        ("T FT TP FTT TTP", range(7, 11)),
        ("AF F P PO AFF AFp PPO POO TPP NFp OI FFC FFT CPP", range(1, 11)),
    ):
        for row in rows.split():
            names += [f"{row}z"] + [f"{row}{n}{h}" for n in numbers for h in ("", "h")]
    return {name.upper(): name for name in names if name not in ("Tz", "FTz", "TPz")}


_SCALP = _scalp()
_RENAMED = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "A1": "M1", "A2": "M2"}
_EARS = {"M1", "M2"}
_OTHER_EEG = {"T1": "T1", "T2": "T2", "PG1": "Pg1", "PG2": "Pg2", "SP1": "Sp1", "SP2": "Sp2"}
_OTHER_EEG |= {"LM": "M1", "RM": "M2", "LMAST": "M1", "RMAST": "M2", "VREF": "VREF"}

_COMMON_REFERENCES = {"REF": "REF", "R": "REF", "REFERENCE": "REF"}
_COMMON_REFERENCES |= dict.fromkeys(("AVG", "AV", "AVE", "AVERAGE", "AVGREF", "AVREF", "AR"), "AVG")
_COMMON_REFERENCES |= dict.fromkeys(
    ("LE", "A1A2", "A12", "M1M2", "A1+A2", "M1+M2", "(A1+A2)/2", "(M1+M2)/2", "LER"), "LE"
)

_PREFIXES = {
    "EEG": "eeg",
    "EOG": "eog",
    "EMG": "emg",
    "ECG": "ecg",
    "EKG": "ecg",
    "RESP": "resp",
    "MEG": "meg",
    "SEEG": "seeg",
    "IEEG": "seeg",
    "ECOG": "ecog",
    "LFP": "lfp",
    "DBS": "lfp",
    "STI": "stim",
    "MISC": "misc",
    "POL": "",
}
_PREFIX = re.compile(rf"^({'|'.join(_PREFIXES)})(?:[ _:]+|(?=\d+$))(?=\S)", re.I)

_NAMED = tuple(
    (re.compile(rf"^(?:{pattern})$", re.I), type_, name)
    for type_, name, pattern in (
        ("stim", "annotations", r"[EB]DF ?annotations?"),
        ("stim", "status", r"status|trig(ger)?s?\d*|sti(m(ulus)?)?\d*|events?( ?marker)?|mkr?\d?"),
        ("eog", "E1", r"E1|LOC\d?|LEOG|EOG ?[-_(]?(L|left|1)\)?|left ?(eye|eog)|Lo1|lio"),
        ("eog", "E2", r"E2|ROC\d?|REOG|EOG ?[-_(]?(R|right|2)\)?|right ?(eye|eog)|Ro2|rio"),
        ("eog", "HEOG", r"H[-_ ]?EOG\w?|EOG ?[-_]?(h|horiz(ontal)?)|EOGH"),
        ("eog", "VEOG", r"V[-_ ]?EOG\w?|EOG ?[-_]?(v|vert(ical)?)|EOGV"),
        ("eog", "EOG", r"EOG"),
        ("emg", "Chin", r"(EMG ?[-_]?)?((sub)?ment(al(is)?|um)?|chin)( ?EMG)?[ _]?[123lrcz]?"),
        ("emg", "LAT", r"(EMG ?)?(LAT|L(eft)? ?[-_./]?(leg|tib\w*)|(leg|tib)[/_ ]?(L|left))\d?"),
        ("emg", "RAT", r"(EMG ?)?(RAT|R(ight)? ?[-_./]?(leg|tib\w*)|(leg|tib)[/_ ]?(R|right))\d?"),
        ("emg", "Leg", r"(EMG ?)?(legs?|tib(ialis)?( ?anterior)?)[ _]?\d?"),
        ("emg", "EMG", r"EMG[-_ ]?\d?"),
        ("ecg", "ECG", r"E[CK]G[-_ ]?(\d|I{1,3}|[LR]|V\d)?|E[CK]G ?[LR]\d?"),
        ("resp", "Flow", r"(air ?)?flow|nasal( ?(flow|pressure|therm\w*))?|(resp )?oro-?nasal"
                         r"|therm(istor)?|n?pres{1,2}(ure)?|cannula|cpap( ?flow)?|p?flo"),
        ("resp", "Thorax", r"thor(ax|acic)?( ?(res|effort|belt))?|chest|tho"),
        ("resp", "Abdomen", r"abd(o|omen|ominal)?( ?(res|effort|belt))?"),
        ("resp", "Resp", r"resp(iration|iratory)?[-_ ]?\d?|(sum )?effort"),
        ("misc", "SpO2", r"s[ap]o2|osat|sao2|oxy\w*"),
        ("misc", "Pulse", r"pulse( ?rate)?|pleth\w*|ppg|hr|heart ?rate|pr"),
        ("misc", "Position", r"pos(ition)?|body( ?pos(ition)?)?"),
        ("misc", "Snore", r"snor(e|ing)|mic(rophone)?"),
        ("misc", "Temperature", r"temp(erature)?( rectal| body)?"),
        ("misc", "Light", r"lights?"),
        ("misc", "CO2", r"(et)?co2"),
    )
)  # fmt: skip
_PLAIN_MISC = re.compile(
    r"^(DC ?\d+|EXG ?\d|BIO ?\d+|AUX ?\d+|MISC ?\d+|GSR\d?|ACC_?[XYZ]?)$", re.I
)
_NUMBERED = frozenset(("CH", "CHAN", "EEG", "X", "DC", "AUX", "IN", "U", "ADC", "V"))
_CTF = re.compile(r"^M[LRZ][CFOPT]\d{2}(?:-\d+)?$")
_CONTACT = re.compile(r"^([A-Za-z]{1,5}['’]?)[ _]?(\d{1,3})$")
_LOOSE = re.compile(r"^(EEG|EOG|EMG|E[CK]G)\W", re.I)
_SIDED = re.compile(r"^[LR][A-Z]{1,3}['’]?\d{1,2}$")

_STATED = {t: t for t in TYPES} | {
    "mag": "meg",
    "grad": "meg",
    "ref_meg": "meg",
    "megmag": "meg",
    "meggradaxial": "meg",
    "meggradplanar": "meg",
    "megrefmag": "meg",
    "megrefgradaxial": "meg",
    "megrefgradplanar": "meg",
    "dbs": "lfp",
    "heog": "eog",
    "veog": "eog",
    "ieeg": "seeg",
    "trig": "stim",
    "bio": "misc",
    "gsr": "misc",
    "ppg": "misc",
    "temp": "misc",
    "temperature": "misc",
    "syst": "misc",
    "sysclock": "misc",
    "other": "misc",
    "audio": "misc",
    "eyegaze": "misc",
    "pupil": "misc",
}


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
    loose = _LOOSE.match(bare)
    type_ = stated or prefixed or (_PREFIXES[loose.group(1).upper()] if loose else "misc")
    known = bool(stated) or type_ != "misc"
    return Electrode(given, name, type_, _reference(reference, shafts) if known else "", known)


def _without_prefix(given: str) -> tuple[str, str]:
    """Name without a leading type, and that type or ""; "EEG 001" keeps its number's prefix."""
    bare = re.sub(r" #\d+$", "", " ".join(given.split())).strip(". ")
    match = _PREFIX.match(bare)
    if match is None:
        return bare, ""
    rest, type_ = bare[match.end() :], _PREFIXES[match.group(1).upper()]
    if type_ and re.fullmatch(r"\d+", rest):
        return f"{match.group(1).upper()}{rest}", type_
    if not type_ or type_ == "eeg" or type_ in INTRACRANIAL:
        return rest, type_
    return (bare if _named(bare) or _named(_halves(bare)[0]) else rest), type_


def _readings(bare: str) -> list[tuple[str, str]]:
    """Ways to cut a name into electrode and reference: whole, at a dash, at a known end."""
    readings = [(bare, ""), _halves(bare)]
    joined = re.fullmatch(r"(.+?)[ _]?([AM][12]|A1A2|M1M2|REF|LE|AVG)", bare, re.I)
    if joined and joined.group(1).upper() in _SCALP:
        readings.append((joined.group(1), joined.group(2)))
    return readings


def _halves(bare: str) -> tuple[str, str]:
    if _CTF.match(bare):
        return bare.split("-")[0], ""
    name, _, reference = re.sub(r"\s*[-:–/]\s*", "-", bare, count=1).partition("-")
    return (name.strip(". "), reference.strip(". ")) if name else (bare, "")


def _meaning(part: str, prefixed: str, shafts: dict[str, str]) -> tuple[str, str] | None:
    """Normalised name and type of one name without its reference, or None."""
    if prefixed in INTRACRANIAL or prefixed == "meg":
        return _compact(part), prefixed
    if prefixed and re.fullmatch(r"[A-Z]+\d{2,}", part):
        return part, prefixed
    contact = _CONTACT.match(part)
    shaft = shafts.get(contact.group(1)) if contact and not prefixed else None
    if shaft is not None:
        return _compact(part), shaft
    scalp = _scalp_name(part)
    if scalp is not None and prefixed in ("", "eeg"):
        return scalp, "eeg"
    named = _named(part)
    if named is not None:
        return named[0], named[1] if prefixed in ("", "misc") else prefixed
    if _CTF.match(part):
        return part.split("-")[0], "meg"
    if not prefixed and re.fullmatch(r"MEG ?\d{3,4}", part, re.I):
        return _compact(part).upper(), "meg"
    if _PLAIN_MISC.match(part):
        return _compact(part), "misc"
    if not prefixed and _SIDED.match(part):
        return part, "seeg"
    return (part, prefixed) if prefixed and re.fullmatch(r"[A-Z]+\d+", part) else None


def _scalp_name(part: str) -> str | None:
    key = part.upper()
    key = _RENAMED.get(key, key)
    return key if key in _EARS else _SCALP.get(key, _OTHER_EEG.get(key))


def _named(part: str) -> tuple[str, str] | None:
    return next(((n, t) for pattern, t, n in _NAMED if pattern.match(part)), None)


def _reference(part: str, shafts: dict[str, str]) -> str:
    if not part:
        return ""
    common = _COMMON_REFERENCES.get(re.sub(r"[ _.]", "", part).upper())
    if common is not None:
        return common
    contact = _CONTACT.match(part)
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
            contact = _CONTACT.match(part)
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
    if letters in _NUMBERED or _PLAIN_MISC.match(name) or _CTF.match(name):
        return True
    return _scalp_name(name) is not None or _named(name) is not None
