"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def require() -> Callable[[str, str], None]:
    """``require(name, reason)``: skip, or fail when NISSL_REQUIRE (a comma list) has the name.

    Call it where something optional ("postgresql", "root", "browser") turns out to be absent;
    the reason names the command that brings it.
    """
    required = {name.strip() for name in os.environ.get("NISSL_REQUIRE", "").split(",")}

    def absent(name: str, reason: str) -> None:
        if name in required:
            pytest.fail(f"NISSL_REQUIRE has {name!r}, but: {reason}")
        pytest.skip(reason)

    return absent
