"""Options of `nissl live` for sockets and triggers, made into sources and sinks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nissl.errors import BadArgumentError

if TYPE_CHECKING:
    from nissl.live.triggers import Chosen, Output, TriggerSink
    from nissl.live.zeromq import ZmqSink, ZmqSource

_ZMQ, _OPEN_EPHYS, _SERIAL = "zmq:", "openephys:", "serial:"
_UNIT = "unit="


def socket_source(told: str, *, wait_s: float, idle_s: float) -> ZmqSource | None:
    """The stream of an address; None where it is no address of ZeroMQ."""
    for scheme in (_ZMQ, _OPEN_EPHYS):
        if told.startswith(scheme):
            from nissl.live.zeromq import ZmqSource

            return ZmqSource(
                told.removeprefix(scheme),
                open_ephys=scheme == _OPEN_EPHYS,
                wait_s=wait_s,
                idle_s=idle_s,
            )
    return None


def publisher(address: str) -> ZmqSink:
    """A sink that others connect to."""
    from nissl.live.zeromq import ZmqSink

    return ZmqSink(address)


@dataclass(frozen=True)
class Triggering:
    """What was asked for.

    Parameters
    ----------
    to : str or None
        ``serial:PORT`` or ``zmq:ADDRESS``; None sends no triggers.
    on : str or None
        Labels and ``unit=N``, with commas between them.
    refractory_s, max_per_s : float
    kill_file : Path or None
    control : str or None
        Address that takes ``kill`` and ``arm``.
    """

    to: str | None
    on: str | None
    refractory_s: float
    max_per_s: float
    kill_file: Path | None
    control: str | None

    def sink(self, log: Path) -> TriggerSink | None:
        """The sink of triggers, which logs them in a file; None where none was asked for."""
        if self.to is None:
            return None
        from nissl.live.triggers import KillSwitch, Limits, TriggerLog, TriggerSink
        from nissl.live.zeromq import orders

        limits, chosen = Limits(self.refractory_s, self.max_per_s), chosen_of(self.on)
        control = None if self.control is None else orders(self.control)
        switch = KillSwitch(self.kill_file, control)
        return TriggerSink(_output(self.to), chosen, limits, switch, log=TriggerLog(log))


def chosen_of(told: str | None) -> Chosen:
    """Labels and units that fire.

    Raises
    ------
    BadArgumentError
        A unit is no number.
    """
    from nissl.live.triggers import Chosen

    parts = [each.strip() for each in (told or "").split(",") if each.strip()]
    numbers = [each.removeprefix(_UNIT) for each in parts if each.startswith(_UNIT)]
    bad = [each for each in numbers if not each.isdigit()]
    if bad:
        raise BadArgumentError("unit=N with a whole number", f"unit={bad[0]}", "Mend --trigger-on.")
    labels = frozenset(each for each in parts if not each.startswith(_UNIT))
    return Chosen(labels or None, frozenset(int(each) for each in numbers) or None)


def _output(told: str) -> Output:
    from nissl.live.triggers import SerialOutput, ZmqOutput

    if told.startswith(_SERIAL):
        return SerialOutput(told.removeprefix(_SERIAL))
    if told.startswith(_ZMQ):
        return ZmqOutput(told.removeprefix(_ZMQ))
    raise BadArgumentError("serial:PORT or zmq:tcp://*:PORT", repr(told), "Mend --trigger.")


__all__ = ["Triggering", "chosen_of", "publisher", "socket_source"]
