"""Names of electrodes and other channels, as recorders and laboratories write them.

A table, without rules: `nissl.data.electrodes` says how the names are read. The spellings are
those of public EEG and polysomnography recordings and of common recorders.
"""

from __future__ import annotations

import re

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


SCALP = _scalp()
RENAMED = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "A1": "M1", "A2": "M2"}
EARS = {"M1", "M2"}
OTHER_EEG = {"T1": "T1", "T2": "T2", "PG1": "Pg1", "PG2": "Pg2", "SP1": "Sp1", "SP2": "Sp2"}
OTHER_EEG |= {"LM": "M1", "RM": "M2", "LMAST": "M1", "RMAST": "M2", "VREF": "VREF"}

COMMON_REFERENCES = {"REF": "REF", "R": "REF", "REFERENCE": "REF"}
COMMON_REFERENCES |= dict.fromkeys(("AVG", "AV", "AVE", "AVERAGE", "AVGREF", "AVREF", "AR"), "AVG")
COMMON_REFERENCES |= dict.fromkeys(
    ("LE", "A1A2", "A12", "M1M2", "A1+A2", "M1+M2", "(A1+A2)/2", "(M1+M2)/2", "LER", "CLE"), "LE"
)

PREFIXES = {
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
PREFIX = re.compile(rf"^({'|'.join(PREFIXES)})(?:[ _:]+|(?=\d+$))(?=\S)", re.I)

_ALTERNATIVES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("stim", "annotations", (r"[EB]DF ?annotations?",)),
    ("stim", "status", (r"status", r"trig(ger)?s?\d*", r"sti(m(ulus)?)?\d*")),
    ("stim", "status", (r"events?( ?marker)?", r"mk?(r|ark)?\d?", r"photic")),
    ("eeg", "EEG", (r"EEG",)),
    ("eog", "E1", (r"E1", r"LOC\d?", r"LEOG", r"left ?(eye|eog)", r"Lo1", r"lio")),
    ("eog", "E1", (r"EOG ?[-_(]?(L|left|sx|1)\)?( ?horiz)?",)),
    ("eog", "E2", (r"E2", r"ROC\d?", r"REOG", r"right ?(eye|eog)", r"Ro2", r"rio")),
    ("eog", "E2", (r"EOG ?[-_(]?(R|right|dx|2)\)?( ?horiz)?",)),
    ("eog", "HEOG", (r"H[-_ ]?EOG\w?", r"EOG ?[-_]?(h|horiz(ontal)?)", r"EOGH")),
    ("eog", "VEOG", (r"V[-_ ]?EOG\w?", r"EOG ?[-_]?(v|vert(ical)?)", r"EOGV")),
    ("eog", "EOG", (r"EOG",)),
    (
        "emg",
        "Chin",
        (r"(EMG ?[-_]?)?((sub)?ment(al(is)?|um)?|[lrc]? ?chin)( ?EMG)?[ _]?[123lrcz]?",),
    ),
    ("emg", "LAT", (r"(EMG ?)?(LAT|SX|PLMl|L(eft)? ?[-_./]?(leg|tib\w*))\d?",)),
    ("emg", "LAT", (r"(EMG ?)?(leg|tib)[/_ ]?(L|left)\d?",)),
    ("emg", "RAT", (r"(EMG ?)?(RAT|DX|PLMr|R(ight)? ?[-_./]?(leg|tib\w*))\d?",)),
    ("emg", "RAT", (r"(EMG ?)?(leg|tib)[/_ ]?(R|right)\d?",)),
    ("emg", "Leg", (r"(EMG ?)?(legs?|tib(ialis)?( ?anterior)?)[ _]?\d?",)),
    ("emg", "EMG", (r"EMG[-_ ]?\d?",)),
    ("ecg", "ECG", (r"E[CK]G[-_ ]?(\d|I{1,3}|[LR]|V\d)?", r"E[CK]G ?[LR]\d?")),
    ("resp", "Flow", (r"(air ?|new ?)?(flow|flusso|air)", r"p?flo", r"cpap( ?flow)?", r"cannula")),
    ("resp", "Flow", (r"nas(al)?( ?(flow|press(ure)?|therm\w*))?", r"(resp )?oro-?nasal")),
    ("resp", "Flow", (r"therm(istor)?", r"termistore", r"n?pres{1,2}(ure)?")),
    ("resp", "Thorax", (r"thor(ax|acic)?( ?(res|effort|belt))?", r"chest", r"tho", r"torace")),
    ("resp", "Abdomen", (r"abd(o|omen|ominal)?( ?(res|effort|belt))?", r"addome")),
    ("resp", "Resp", (r"resp(iration|iratory)?[-_ ]?\d?", r"(sum )?effort")),
    ("misc", "SpO2", (r"s[ap]o2", r"osat", r"ox(y\w*|[ _]?stat(us)?)")),
    ("misc", "Pulse", (r"pulse( ?rate)?", r"pleth\w*", r"ppg", r"d?hr", r"h\.r", r"rr", r"pr")),
    ("misc", "Pulse", (r"heart ?rate",)),
    ("misc", "Position", (r"pos(ition)?", r"body( ?pos(ition)?)?")),
    ("misc", "Snore", (r"snor(e|ing)", r"mic(rophone)?", r"sound", r"audio( ?volume)?")),
    ("misc", "Temperature", (r"temp(erature)?( rectal| body)?",)),
    ("misc", "Light", (r"lights?",)),
    ("misc", "CO2", (r"(et)?co2",)),
)

NAMED = tuple(
    (re.compile(rf"^(?:{'|'.join(patterns)})$", re.I), type_, name)
    for type_, name, patterns in _ALTERNATIVES
)
"""Pattern of a whole name, the type it means, and the normalised name."""

PLAIN_MISC = re.compile(
    r"^(DC ?\d+|EXG ?\d|BIO ?\d+|AUX ?\d+|MISC ?\d+|GSR\d?|ACC_?[XYZ]?|.*_OFF|IBI|BURSTS|SUPPR)$",
    re.I,
)
NUMBERED = frozenset(("CH", "CHAN", "EEG", "X", "DC", "AUX", "IN", "U", "ADC", "V"))
CTF = re.compile(r"^M[LRZ][CFOPT]\d{2}(?:-\d+)?$")
CONTACT = re.compile(r"^([A-Za-z]{1,5}['’]?)[ _]?(\d{1,3})$")
LOOSE = re.compile(r"^(EEG|EOG|EMG|E[CK]G)\W", re.I)
SIDED = re.compile(r"^[LR][A-Z]{1,3}['’]?\d{1,2}$")

STATED = {t: t for t in TYPES} | {
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
