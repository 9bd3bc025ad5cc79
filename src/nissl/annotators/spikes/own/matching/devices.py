"""Where templates are matched: by compiled code on the processor, or by PyTorch on a device."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from nissl.errors import BadArgumentError, MissingDependencyError
from nissl.nets.backend import INSTALL, pytorch

CPU = "cpu"
DEVICES = ("auto", CPU, "cuda", "mps", "torch:cpu")
"""Names of `chosen`; "torch:cpu" is for tests, and slower than "cpu"."""


def chosen(name: str) -> str:
    """Device that a name stands for, once it is known to be there.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps", "torch:cpu"}
        "auto" is "cuda" where PyTorch sees a graphics processor of that kind, otherwise "cpu":
        the compiled code. The others compute through PyTorch.

    Returns
    -------
    str
        One of these, not "auto".

    Raises
    ------
    BadArgumentError
        Another name, or a device that is not there.
    MissingDependencyError
        PyTorch is needed, and not installed.
    """
    if name == "auto":
        return "cuda" if _is_worth_asking() and pytorch().cuda.is_available() else CPU
    if name not in DEVICES:
        raise BadArgumentError(f"device among {list(DEVICES)}", repr(name), "Choose one of them.")
    if name == CPU:
        return name
    instead = "take device=auto or device=cpu, which need none"
    if find_spec("torch") is None:
        raise MissingDependencyError(
            f"the package torch, for device={name}",
            "no such package",
            f"Install it ({INSTALL}), or {instead}.",
        )
    torch = pytorch()
    there = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if name in there and not there[name]():
        raise BadArgumentError(
            f"a graphics processor that PyTorch {torch.__version__} can use, for device={name}",
            "none",
            f"Install a build of PyTorch and a driver that fit this machine, or {instead}.",
        )
    return name


def _is_worth_asking() -> bool:
    """Whether PyTorch could see CUDA: importing it takes seconds and 200 MB."""
    if sys.platform == "darwin" or find_spec("torch") is None:
        return False
    try:
        return not version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return True


def told(device: str) -> str:
    """What the log says of a device, from `chosen`: its model, and the version of PyTorch."""
    if device == CPU:
        return device
    torch = pytorch()
    model = f"{torch.cuda.get_device_name()}, " if device == "cuda" else ""
    return f"{device} ({model}PyTorch {torch.__version__})"
