"""Pickled attributes of PyTables and pandas: the plain values in them, read without unpickling.

Pure; no I/O. Loading a pickle runs what its author wrote into it, so none is ever loaded. Its instructions are only
listed (``pickletools.genops``) and followed as far as they build plain values; whatever they would import or call
becomes a `Foreign`: its name and arguments, nothing imported, nothing called.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from types import NoneType
from typing import Any

import numpy as np

__all__ = ["Foreign", "PickleError", "is_label", "parse_pickle"]


class PickleError(ValueError):
    """The bytes are no pickle, or one that holds more than values, objects and references to them."""


@dataclass(eq=False, slots=True)
class Foreign:
    """What a pickle would import (``name``), call (with ``arguments``) and change (by ``state``); none of it is done.

    Equal only to itself: what it stands for is not known.
    """

    name: str
    arguments: tuple[Any, ...] | None = None
    state: Any = None


def parse_pickle(raw: bytes) -> Any:
    """The value that a pickle describes; `Foreign` where it is not a plain one.

    Raises
    ------
    PickleError
        If the bytes are no pickle that could be followed.

    Examples
    --------
    >>> parse_pickle(b"(lp0\\nVone\\np1\\naI2\\na.")
    ['one', 2]
    >>> parse_pickle(b"cposix\\nsystem\\np0\\n(Vecho\\np1\\ntp2\\nRp3\\n.")
    Foreign(name='posix system', arguments=('echo',), state=None)
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(raw):
            if opcode.name == "STOP":
                return machine.top()
            machine.follow(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise PickleError(f"no pickle that can be followed: {error}") from error
    raise PickleError("the pickle has no end")


_MARK = object()
_LITERALS = frozenset(
    {
        *("INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    }
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING = frozenset({"PROTO", "FRAME"})
_LONGEST_NAME = 200


class _Machine:
    """The stack of a pickle, on which its instructions work, and its memory (pickletools.py describes both)."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[Any, Any] = {}

    def top(self) -> Any:
        return self._stack[-1]

    def follow(self, name: str, argument: Any) -> None:
        """Follow one instruction."""
        if name in _LITERALS:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self._stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            self._stack[-count:] = [tuple(self._stack[-count:])]
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name not in _NOTHING:
            raise ValueError(f"instruction {name}")

    def _mark(self, _: Any) -> None:
        self._stack.append(_MARK)

    def _since_mark(self) -> list[Any]:
        at = len(self._stack) - 1
        while self._stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("no mark")
        found = self._stack[at + 1 :]
        del self._stack[at:]
        return found

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._since_mark()))

    def _list(self, _: Any) -> None:
        self._stack.append(self._since_mark())

    def _dict(self, _: Any) -> None:
        self._stack.append(_pairs(self._since_mark()))

    def _append(self, _: Any) -> None:
        self._extend([self._stack.pop()])

    def _appends(self, _: Any) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[Any]) -> None:
        # Subclasses of lists are made by calls: what is added to them is not known either.
        if not isinstance(self.top(), Foreign):
            self.top().extend(items)

    def _set_item(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._update([key, value])

    def _set_items(self, _: Any) -> None:
        self._update(self._since_mark())

    def _update(self, items: list[Any]) -> None:
        if not isinstance(self.top(), Foreign):
            self.top().update(_pairs(items))

    def _put(self, argument: Any) -> None:
        self._memo[argument] = self.top()

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self.top()

    def _get(self, argument: Any) -> None:
        self._stack.append(self._memo[argument])

    def _global(self, argument: Any) -> None:
        self._stack.append(Foreign(str(argument)))

    def _stack_global(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._stack.append(Foreign(f"{module} {name}"))

    def _call(self, _: Any) -> None:
        arguments, called = self._stack.pop(), self._stack.pop()
        self._stack.append(Foreign(_name_of_called(called), tuple(arguments)))

    def _instance(self, argument: Any) -> None:
        self._stack.append(Foreign(str(argument), tuple(self._since_mark())))

    def _build(self, _: Any) -> None:
        state = self._stack.pop()
        self.top().state = state


def _name_of_called(called: Foreign) -> str:
    """The name of what is called; old protocols name a method by a call of ``getattr``."""
    match called.name, called.arguments:
        # One name may be called often: a long one would fill memory.
        case "__builtin__ getattr" | "builtins getattr", (Foreign(arguments=None) as owner, str(method)):
            return f"{owner.name}.{method}" if len(owner.name) + len(method) < _LONGEST_NAME else called.name
    return called.name


def is_label(value: Any) -> bool:
    """Whether a value is a plain name or number, or a tuple of some: what columns and levels are called.

    Tuples inside of tuples may be nested so deep that to hash or write them out would end the process.
    """
    return all(isinstance(each, _LABELS) for each in value) if isinstance(value, tuple) else isinstance(value, _LABELS)


_LABELS = (str, int, float, bytes, NoneType, np.generic)


def _pairs(items: list[Any]) -> dict[Hashable, Any]:
    if not all(map(is_label, items[::2])):
        raise ValueError("a key is no plain value")
    return dict(zip(items[::2], items[1::2], strict=True))


_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine._mark,
    "TUPLE": _Machine._tuple,
    "LIST": _Machine._list,
    "DICT": _Machine._dict,
    "APPEND": _Machine._append,
    "APPENDS": _Machine._appends,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._set_items,
    "PUT": _Machine._put,
    "BINPUT": _Machine._put,
    "LONG_BINPUT": _Machine._put,
    "MEMOIZE": _Machine._memoize,
    "GET": _Machine._get,
    "BINGET": _Machine._get,
    "LONG_BINGET": _Machine._get,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._call,
    "NEWOBJ": _Machine._call,
    "INST": _Machine._instance,
    "BUILD": _Machine._build,
}
