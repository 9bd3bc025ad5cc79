"""What of a file's metadata may be copied.

Rule: names of persons, birth dates, hospital numbers, experimenters, notes and operator's
comments are never read out of a header. Ids of subjects and sessions in a header are kept as
they are only where the file states a species other than human; otherwise they are replaced by
a pseudonym that is the same for the same id ("sub-" and eight hexadecimal digits of its
SHA-256). Short ids can be guessed back from such a pseudonym: it keeps identifiers out of
reports and exports, it does not make a recording anonymous. ``--keep-identifiers`` keeps the
ids, and is recorded with the source. Where a session is named after its file (SpikeGLX, Intan,
Blackrock), the name is the user's own; ``--session`` gives another. Of EDF+ and FIF files even
the patient's code is read only with ``--keep-identifiers``. Annotations within a recording are not
its header: short ones are kept, long ones lose their words (see `nissl.io.annotations`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from nissl.data.recording import UNKNOWN, Session, Subject

_HUMAN = ("homo sapiens", "human", "h. sapiens", "9606")
_SPECIES = re.compile(r"[A-Za-z0-9 .:/_-]{2,80}")
_AGE = re.compile(r"P[0-9.YMWDTHS]+(/(P[0-9.YMWDTHS]+)?)?")
_SEXES = frozenset({"M", "F", "U", "O", "XX", "XY", "XO"})


def is_human(species: str | None) -> bool:
    """Whether a species is human, or not stated at all."""
    if species is None or not species.strip():
        return True
    return any(word in species.lower() for word in _HUMAN)


def pseudonym(prefix: str, identifier: str) -> str:
    """Pseudonym of an identifier, the same for the same identifier: "sub-1b4f0e98"."""
    return f"{prefix}-{hashlib.sha256(identifier.strip().encode()).hexdigest()[:8]}"


def protect(
    subject: Subject, session: Session, *, keep_identifiers: bool = False
) -> tuple[Subject, Session]:
    """Subject and session of a header without what could identify a person.

    Free text survives only where it has the form of its field (an ISO 8601 age, a sex, the
    name of a species); the genotype is dropped for people.
    """
    species = _matching(subject.species, _SPECIES)
    human = is_human(species)
    subject = replace(
        subject,
        species=species,
        sex=subject.sex if subject.sex in _SEXES else None,
        age=_matching(subject.age, _AGE),
        genotype=None if human else subject.genotype,
    )
    if keep_identifiers or not human:
        return subject, session
    if subject.id != UNKNOWN:
        subject = replace(subject, id=pseudonym("sub", subject.id))
    if session.id != UNKNOWN:
        session = replace(session, id=pseudonym("ses", session.id))
    return subject, session


def _matching(value: str | None, form: re.Pattern[str]) -> str | None:
    return value if value is not None and form.fullmatch(value) else None
