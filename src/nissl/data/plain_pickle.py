"""Pickled NumPy files (Suite2p, Cellpose) read as data, without unpickling.

A pickle is a program, and running a stranger's is running their code. Here its opcodes are read
with `pickletools` and interpreted by a small machine that knows numbers, text, lists, tuples,
dictionaries, sets and NumPy arrays. Whatever else a file names is never imported, called or made:
an `Opaque` stands in its place, so that a strange entry that nobody asks for costs nothing and
one that is asked for is seen.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from nissl.errors import CorruptSourceError, NisslError, SourceNotFoundError

_LARGEST_BYTES = 8 * 2**30
_DEEPEST = 100
_KINDS = "biufcSUO"
_OPEN = object()  # stands for a value that is being made


@dataclass(frozen=True)
class Opaque:
    """Something that a file names and that was not made.

    Parameters
    ----------
    name : str
        As the file names it.
    """

    name: str


class _Mark:
    """Where a group of values on the stack begins."""


@dataclass(eq=False)
class _Array:
    """An array that is being put together; the memo may know it before its content is there."""

    state: Any = None
    given: npt.NDArray[Any] | None = None


@dataclass(eq=False)
class _Dtype:
    text: str
    order: str = "="


@dataclass(eq=False)
class _Machine:
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def pop(self) -> Any:
        return self.stack.pop()

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def since_mark(self) -> list[Any]:
        """Values above the last mark, which is taken away with them."""
        place = len(self.stack) - 1
        while not isinstance(self.stack[place], _Mark):
            place -= 1
            if place < 0:
                raise ValueError("a group without a beginning")
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values


def read_plain(path: Path) -> Any:
    """Content of a .npy file, pickled or not.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ndarray, or what stands in an array without axes
        Arrays of objects hold dictionaries, lists, text, numbers, arrays, None and `Opaque`.

    Raises
    ------
    SourceNotFoundError, CorruptSourceError
        No such file; damaged, or built of opcodes that plain data do not need.
    """
    try:
        return _content(path)
    except FileNotFoundError as error:
        raise SourceNotFoundError(
            f"a NumPy file at {path}", "no such file", "Check the path."
        ) from error
    except NisslError:
        raise
    except Exception as error:  # whatever a damaged file leads to
        said = " ".join(str(error).split())[:120]
        raise CorruptSourceError(
            f"a NumPy file of plain data at {path}",
            f"{type(error).__name__}{f' ({said})' if said else ''}",
            "The file is damaged, or holds objects; it is not unpickled here.",
        ) from error


def _content(path: Path) -> Any:
    with open(path, "rb") as file:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes")
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else _header_2
        shape, _, dtype = header(file)
        if not dtype.hasobject:
            array = np.load(path, allow_pickle=False)
        else:
            value = _interpreted(file)
            array = value if isinstance(value, np.ndarray) else boxed(value)
            if array.shape != shape:
                raise ValueError(f"an array of shape {array.shape}, its header says {shape}")
        return array.item() if array.shape == () else array


def boxed(value: Any) -> npt.NDArray[Any]:
    """Any value as an array of objects without axes."""
    box = np.empty((), object)
    box[()] = value
    return box


def _header_2(file: BinaryIO) -> Any:
    return np.lib.format.read_array_header_2_0(file)


def _interpreted(file: BinaryIO) -> Any:
    machine = _Machine()
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "STOP":
            return _resolved(machine.pop(), {}, 0)
        step = _STEPS.get(opcode.name)
        if step is None:
            raise ValueError(f"the opcode {opcode.name}, which plain data do not need")
        step(machine, argument)
    raise ValueError("no end")


def _push(machine: _Machine, argument: Any) -> None:
    machine.push(argument)


def _constant(value: Any) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(value)


def _fresh(kind: type) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(kind())


def _tuple(n: int) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, _: Any) -> None:
        values = [machine.pop() for _ in range(n)]
        machine.push(tuple(reversed(values)))

    return step


def _grouped(kind: Callable[[list[Any]], Any]) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(kind(machine.since_mark()))


def _pop_mark(machine: _Machine, _: Any) -> None:
    machine.since_mark()


def _append(machine: _Machine, _: Any) -> None:
    value = machine.pop()
    _extend(machine.stack[-1], [value])


def _appends(machine: _Machine, _: Any) -> None:
    values = machine.since_mark()
    _extend(machine.stack[-1], values)


def _extend(target: Any, values: list[Any]) -> None:
    if isinstance(target, list):
        target.extend(values)
    elif isinstance(target, set):
        target.update(values)
    elif not isinstance(target, Opaque):
        raise ValueError("values for what is no list")


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = machine.pop(), machine.pop()
    _update(machine.stack[-1], [key, value])


def _set_items(machine: _Machine, _: Any) -> None:
    values = machine.since_mark()
    _update(machine.stack[-1], values)


def _update(target: Any, values: list[Any]) -> None:
    if isinstance(target, dict):
        target.update(_pairs(values))
    elif not isinstance(target, Opaque):
        raise ValueError("entries for what is no dictionary")


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))


def _global(machine: _Machine, argument: str) -> None:
    machine.push(Opaque(argument.replace(" ", ".", 1)))


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.pop(), machine.pop()
    machine.push(Opaque(f"{module}.{name}"))


def _reduce(machine: _Machine, _: Any) -> None:
    """A call: arrays, types of numbers and numbers are made, all else is left opaque."""
    arguments, function = machine.pop(), machine.pop()
    name = function.name if isinstance(function, Opaque) else repr(function)[:80]
    short = name.replace("numpy._core.", "numpy.core.")
    made = _CALLS.get(short)
    machine.push(Opaque(name) if made is None else made(*arguments))


def _build(machine: _Machine, _: Any) -> None:
    state = machine.pop()
    target = machine.stack[-1]
    if isinstance(target, _Array):
        target.state = state
    elif isinstance(target, _Dtype):
        target.order = _text(state[1])
        if state[2] is not None or state[3] is not None:
            raise ValueError("an array of structures")
    elif not isinstance(target, Opaque):
        raise ValueError("a state for plain data")


def _new_object(machine: _Machine, _: Any) -> None:
    machine.pop()
    kind = machine.pop()
    machine.push(kind if isinstance(kind, Opaque) else Opaque("object"))


def _remember(machine: _Machine, argument: int | None) -> None:
    machine.memo[len(machine.memo) if argument is None else int(argument)] = machine.stack[-1]


def _recall(machine: _Machine, argument: int) -> None:
    machine.push(machine.memo[int(argument)])


def _dtype(text: Any, *_: Any) -> _Dtype:
    return _Dtype(_text(text))


def _scalar(dtype: _Dtype, content: Any = b"") -> Any:
    kind = _numpy_type(dtype)
    return np.frombuffer(_bytes(content), kind, count=1)[0].item()


def _buffer(content: Any, dtype: _Dtype, shape: tuple[int, ...], order: str = "C") -> _Array:
    flat = np.frombuffer(_bytes(content), _numpy_type(dtype))
    return _Array(given=flat.reshape(shape, order="F" if order == "F" else "C").copy())


_CALLS: dict[str, Callable[..., Any]] = {
    "numpy.core.multiarray._reconstruct": lambda *_: _Array(),
    "numpy.core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _buffer,
    "numpy.dtype": _dtype,
    "collections.OrderedDict": lambda pairs=(): dict(pairs),
    **dict.fromkeys(("builtins.set", "__builtin__.set"), lambda values=(): set(values)),
    **dict.fromkeys(("builtins.bytes", "__builtin__.bytes"), lambda *_: b""),
    "_codecs.encode": lambda text, *_: _text(text).encode("latin1"),
}

_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda *_: None),
    **dict.fromkeys(
        (
            "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
            "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE",
            "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
            "BYTEARRAY8",
        ),
        _push,
    ),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "MARK": lambda machine, _: machine.push(_Mark()),
    "POP": lambda machine, _: machine.pop(),
    "POP_MARK": _pop_mark,
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    "EMPTY_LIST": _fresh(list),
    "EMPTY_DICT": _fresh(dict),
    "EMPTY_SET": _fresh(set),
    "EMPTY_TUPLE": _constant(()),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "TUPLE": _grouped(tuple),
    "LIST": _grouped(list),
    "DICT": _grouped(_pairs),
    "FROZENSET": _grouped(set),
    "APPEND": _append,
    "APPENDS": _appends,
    "ADDITEMS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "BUILD": _build,
    "NEWOBJ": _new_object,
    "MEMOIZE": _remember,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _remember),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _recall),
}  # fmt: skip


def _resolved(value: Any, done: dict[int, Any], depth: int) -> Any:
    """The value with its arrays; what is named twice is made once."""
    if depth > _DEEPEST:
        raise ValueError(f"data nested more than {_DEEPEST} deep")
    if not isinstance(value, _Array | list | tuple | dict):
        return str(value.text) if isinstance(value, _Dtype) else value
    if id(value) in done:
        if done[id(value)] is _OPEN:
            raise ValueError("a value within itself")
        return done[id(value)]
    done[id(value)] = _OPEN
    made: Any
    if isinstance(value, _Array):
        made = _numpy_array(value, done, depth)
    elif isinstance(value, dict):
        made = {k: _resolved(v, done, depth + 1) for k, v in value.items()}
    elif isinstance(value, list):
        made = [_resolved(v, done, depth + 1) for v in value]
    else:
        made = tuple(_resolved(v, done, depth + 1) for v in value)
    done[id(value)] = made
    return made


def _numpy_array(array: _Array, done: dict[int, Any], depth: int) -> npt.NDArray[Any]:
    if array.given is not None:
        return array.given
    if array.state is None:
        raise ValueError("an array without content")
    _, shape, dtype, fortran, content = array.state
    order = "F" if fortran else "C"
    kind = _numpy_type(dtype)
    if kind.hasobject:
        if len(content) != int(np.prod(shape)):
            raise ValueError(f"{len(content)} objects for an array of shape {shape}")
        flat = np.empty(len(content), object)
        for k, each in enumerate(content):
            flat[k] = _resolved(each, done, depth + 1)
        return flat.reshape(shape, order=order)  # type: ignore[call-overload,no-any-return]
    raw = np.frombuffer(_bytes(content), kind)
    return raw.reshape(shape, order=order).copy()  # type: ignore[call-overload,no-any-return]


def _numpy_type(dtype: Any) -> np.dtype[Any]:
    if not isinstance(dtype, _Dtype):
        raise ValueError("an array of an unknown type")
    kind = np.dtype(dtype.text)
    if kind.kind not in _KINDS:
        raise ValueError(f"an array of type {dtype.text!r}")
    if dtype.order == ">":
        return kind.newbyteorder(">")
    return kind.newbyteorder("<") if dtype.order == "<" else kind


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _bytes(value: Any) -> bytes:
    """Raw content; pickles of Python 2 hold it as text."""
    if isinstance(value, str):
        return value.encode("latin1")
    if not isinstance(value, bytes | bytearray):
        raise ValueError("an array whose content is no bytes")
    return bytes(value)


__all__ = ["Opaque", "boxed", "read_plain"]
