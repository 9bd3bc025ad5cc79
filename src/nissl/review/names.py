"""Names of readers: any printable text, so that people need not have ASCII names."""

from __future__ import annotations

import unicodedata

from nissl.errors import BadArgumentError

MAX_LENGTH = 80


def reader_name(name: str) -> str:
    """Return a reader's name without space around it.

    Raises
    ------
    BadArgumentError
        Empty, longer than 80 characters, or with control characters. Markup is allowed: it
        is shown as text.
    """
    cleaned = unicodedata.normalize("NFC", name).strip()
    bad = [c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")]
    if not cleaned or len(cleaned) > MAX_LENGTH or bad:
        raise BadArgumentError(
            f"a reader's name of 1 to {MAX_LENGTH} printable characters",
            repr(name)[:100],
            "Give another name.",
        )
    return cleaned
