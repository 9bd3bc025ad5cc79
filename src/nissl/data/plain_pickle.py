"""Plain values out of a pickle, without running it.

Suite2p and others keep dictionaries of numbers in ``.npy`` files, which are pickles inside.
Unpickling runs whatever the file says. Here the opcodes are read as data (``pickletools``
decodes them) on a stack machine that knows numbers, texts, containers and NumPy's arrays,
scalars and dtypes; nothing is imported and nothing is called. Any other object is an `Opaque`
that says only what it would have been.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import CorruptSourceError, NisslError

MOST_OPCODES = 50_000_000
_HEAD = b"\x93NUMPY"
_MARK = object()
_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_TEXTS = ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE")
_BYTES = ("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
_PUSH = frozenset((*_NUMBERS, *_TEXTS, *_BYTES))
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_SET": set,
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass
class Opaque:
    """An object that was not made.

    Parameters
    ----------
    name : str
        ``"module attribute"`` of its class or function.
    arguments : object
        What it would have been called with.
    state : object
        What would have been put into it.
    """

    name: str
    arguments: Any = None
    state: Any = None


def read_plain(path: Path) -> Any:
    """Value of an ``.npy`` file: an array of numbers, or what its pickle holds.

    A zero-dimensional array of one object gives that object; other arrays of objects give a
    list of them.

    Raises
    ------
    CorruptSourceError
        Not an npy file; truncated; it holds something that is not plain.
    """
    try:
        with path.open("rb") as file:
            return _value(file)
    except NisslError:
        raise
    except Exception as error:  # whatever a damaged file leads to
        said = " ".join(str(error).split())[:120]
        raise CorruptSourceError(
            f"plain values in {path.name}",
            f"{type(error).__name__}{f' ({said})' if said else ''}",
            "The file is damaged, or holds objects; it is not unpickled here.",
        ) from error


def loads(data: bytes) -> Any:
    """Value of a pickle; objects of unknown kinds are `Opaque`."""
    return _Machine().run(data)


def _value(file: io.BufferedReader) -> Any:
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        header = np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    if not dtype.hasobject:
        file.seek(0)
        return np.load(file, allow_pickle=False)
    inside = loads(file.read())
    if isinstance(inside, np.ndarray):
        inside = inside.tolist()
    if shape == () and isinstance(inside, list) and len(inside) == 1:
        return inside[0]
    return inside


class _Machine:
    """The stack of an unpickler, for plain values."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if number > MOST_OPCODES:
                raise ValueError("too long")
            if opcode.name == "STOP":
                return _made(self.stack.pop())
            self.step(opcode.name, argument)
        raise ValueError("no end")

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _PUSH:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name == "MARK":
            stack.append(_MARK)
        elif name in _TUPLES:
            n = _TUPLES[name]
            stack[-n:] = [tuple(stack[-n:])]
        else:
            handler = getattr(self, f"on_{name.lower()}", None)
            if handler is None:
                raise ValueError(f"the opcode {name}")
            handler(argument)

    def marked(self) -> list[Any]:
        """Take what lies above the last mark."""
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise ValueError("no mark")
        taken = self.stack[place + 1 :]
        del self.stack[place:]
        return taken

    def on_proto(self, argument: Any) -> None:
        pass

    def on_frame(self, argument: Any) -> None:
        pass

    def on_tuple(self, argument: Any) -> None:
        self.stack.append(tuple(self.marked()))

    def on_list(self, argument: Any) -> None:
        self.stack.append(self.marked())

    def on_dict(self, argument: Any) -> None:
        values = self.marked()
        self.stack.append(dict(zip(map(_made, values[::2]), values[1::2], strict=True)))

    def on_append(self, argument: Any) -> None:
        value = self.stack.pop()
        _as(list, self.stack[-1]).append(value)

    def on_appends(self, argument: Any) -> None:
        values = self.marked()
        _as(list, self.stack[-1]).extend(values)

    def on_setitem(self, argument: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _as(dict, self.stack[-1])[_made(key)] = value

    def on_setitems(self, argument: Any) -> None:
        values = self.marked()
        pairs = zip(map(_made, values[::2]), values[1::2], strict=True)
        _as(dict, self.stack[-1]).update(pairs)

    def on_additems(self, argument: Any) -> None:
        _as(set, self.stack[-1]).update(self.marked())

    def on_pop(self, argument: Any) -> None:
        self.stack.pop()

    def on_dup(self, argument: Any) -> None:
        self.stack.append(self.stack[-1])

    def on_memoize(self, argument: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def on_binput(self, argument: int) -> None:
        self.memo[argument] = self.stack[-1]

    on_long_binput = on_put = on_binput

    def on_binget(self, argument: int) -> None:
        self.stack.append(self.memo[argument])

    on_long_binget = on_get = on_binget

    def on_global(self, argument: str) -> None:
        self.stack.append(Opaque(argument))

    def on_stack_global(self, argument: Any) -> None:
        attribute, module = self.stack.pop(), self.stack.pop()
        self.stack.append(Opaque(f"{module} {attribute}"))

    def on_reduce(self, argument: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(Opaque(_as(Opaque, function).name, arguments))

    on_newobj = on_reduce

    def on_build(self, argument: Any) -> None:
        state = self.stack.pop()
        _as(Opaque, self.stack[-1]).state = state


def _as(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"a {type(value).__name__} where a {kind.__name__} should be")
    return value


def _made(value: Any, seen: dict[int, Any] | None = None) -> Any:
    """Replace what stands for NumPy's objects by arrays and numbers, in containers too.

    `seen` keeps what was made of each object: a value that is named twice is made once, or a
    file of a hundred bytes could stand for any number of values.
    """
    seen = {} if seen is None else seen
    if not isinstance(value, Opaque | dict | list | tuple):
        return value
    if id(value) not in seen:
        if isinstance(value, Opaque):
            made = _numpy(value, seen)
        elif isinstance(value, dict):
            made = {key: _made(each, seen) for key, each in value.items()}
        else:
            made = type(value)(_made(each, seen) for each in value)
        seen[id(value)] = made
    return seen[id(value)]


def _numpy(value: Opaque, seen: dict[int, Any]) -> Any:
    module, _, name = value.name.partition(" ")
    if module.split(".")[0] != "numpy":
        return _other(value, module, name)
    if name == "scalar" and isinstance(value.arguments, tuple) and len(value.arguments) == 2:
        dtype, data = value.arguments
        return np.frombuffer(_bytes(data), _dtype(dtype), 1)[0].item()
    if name == "_reconstruct" and isinstance(value.state, tuple) and len(value.state) == 5:
        _, shape, dtype, fortran, data = value.state
        return _array(data, _dtype(dtype), shape, "F" if fortran else "C", seen)
    if name == "_frombuffer" and isinstance(value.arguments, tuple):
        data, dtype, shape, order = value.arguments
        return _array(data, _dtype(dtype), shape, order, seen)
    return value


def _other(value: Opaque, module: str, name: str) -> Any:
    """Bytes as protocol 2 keeps them, and paths as texts."""
    arguments = value.arguments if isinstance(value.arguments, tuple) else ()
    if (module, name) == ("_codecs", "encode") and len(arguments) == 2:
        return str(arguments[0]).encode("latin-1")
    if (module, name) == ("__builtin__", "bytes") and not arguments:
        return b""
    if module.startswith("pathlib") and all(isinstance(each, str) for each in arguments):
        return "/".join(arguments)
    return value


def _bytes(value: Any) -> bytes:
    made = _made(value)
    if isinstance(made, str):  # protocol 2 of Python 2
        made = made.encode("latin-1")
    if not isinstance(made, bytes | bytearray):
        raise ValueError("no bytes")
    return bytes(made)


def _dtype(value: Any) -> np.dtype[Any]:
    """Type of numbers, truth values, texts or objects."""
    if not isinstance(value, Opaque) or value.name != "numpy dtype":
        raise ValueError("no dtype")
    order: Any = value.state[1] if isinstance(value.state, tuple) and len(value.state) > 1 else "|"
    dtype = np.dtype(str(value.arguments[0]))
    if dtype.fields is not None:
        raise ValueError("a record")
    return dtype.newbyteorder(order) if order in ("<", ">") else dtype


def _array(
    data: Any, dtype: np.dtype[Any], shape: Any, order: str, seen: dict[int, Any]
) -> npt.NDArray[Any]:
    shape = tuple(int(n) for n in shape)
    if not dtype.hasobject:
        flat = np.frombuffer(_bytes(data), dtype)
        return flat.reshape(shape, order="F" if order == "F" else "C").copy()
    values = _made(_as(list, data), seen)
    array = np.empty(len(values), dtype=object)
    for index, each in enumerate(values):
        array[index] = each
    return array.reshape(shape, order="F" if order == "F" else "C")
