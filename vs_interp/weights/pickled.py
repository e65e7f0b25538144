"""Interpret a pickle without running what it names.

Python's own unpickler calls whatever a pickle names, and even one that is kept from that reserves memory by numbers in
the file.  This one follows the opcodes that ``torch.save`` uses, and hands every name to its caller.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import IO, Any

Call = Callable[..., Any]

_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    "BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINSTRING", "SHORT_BINSTRING", "STRING", "BINBYTES",
    "SHORT_BINBYTES", "BINBYTES8",
}  # fmt: skip
_EMPTY: Mapping[str, type[Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": list}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class PickleError(ValueError):
    """What is no pickle, or one that does what files of tensors never do."""


class RefusedError(Exception):
    """A name in a pickle that stands for nothing known."""


def interpret(file: IO[bytes] | Any, find: Callable[[str], Any], persistent: Callable[[Any], Any]) -> Any:
    """Return what the pickle makes that begins at the file's position; the file is left behind it.

    ``find`` gives what stands for a global (``"collections.OrderedDict"``), ``persistent`` what stands for a persistent
    identity.  Raises :class:`PickleError`, and what the two raise.
    """
    machine = _Machine(find, persistent)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.step(opcode.name, argument)
    except (IndexError, KeyError, AttributeError, UnicodeError, OverflowError) as error:
        raise PickleError(f"a pickle that uses what it does not have: {error!r}") from error
    raise PickleError("a pickle without an end")


class _Machine:
    def __init__(self, find: Callable[[str], Any], persistent: Callable[[Any], Any]) -> None:
        self.find, self.persistent = find, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Follow one opcode."""
        stack = self.stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"):
            self.memo[len(self.memo) if name == "MEMOIZE" else int(argument)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self.memo[int(argument)])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self._name(argument)
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(stack[-_TUPLES[name] :])]
        elif name in ("TUPLE", "LIST", "FROZENSET"):
            items = self._marked()
            stack.append(tuple(items) if name == "TUPLE" else items)
        elif name == "DICT":
            items = self._marked()
            stack.append(_paired(items))
        else:
            self._change(name)

    def _name(self, argument: str | None) -> None:
        """Put what stands for a global onto the stack."""
        if argument is None:
            last, module = self.stack.pop(), self.stack.pop()
            argument = f"{module} {last}"
        self.stack.append(self.find(argument.replace(" ", ".")))

    def _change(self, name: str) -> None:
        """Follow an opcode that does something to what is on the stack."""
        stack = self.stack
        if name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            self._container(dict)[key] = value
        elif name == "SETITEMS":
            items = self._marked()
            self._container(dict).update(_paired(items))
        elif name == "APPEND":
            item = stack.pop()
            self._container(list).append(item)
        elif name in ("APPENDS", "ADDITEMS"):
            items = self._marked()
            self._container(list).extend(items)
        elif name == "BINPERSID":
            stack.append(self.persistent(stack.pop()))
        elif name == "REDUCE":
            self._reduce()
        elif name in ("BUILD", "POP"):  # what is built are a dictionary's attributes, such as a state_dict's _metadata
            stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise PickleError(f"a pickle with the opcode {name}, which files of tensors do not have")

    def _reduce(self) -> None:
        """Replace what stands for a global, and its arguments, by what it makes of them."""
        arguments, called = self.stack.pop(), self.stack.pop()
        if not callable(called) or not isinstance(arguments, tuple):
            raise PickleError("a pickle that calls what cannot be called")
        self.stack.append(called(*arguments))

    def _marked(self) -> list[Any]:
        """Take what lies above the last mark."""
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                items = self.stack[index + 1 :]
                del self.stack[index:]
                return items
        raise PickleError("a pickle without the mark that it looks for")

    def _container(self, kind: type[Any]) -> Any:
        if type(self.stack[-1]) is not kind:
            raise PickleError(f"a pickle that fills a {type(self.stack[-1]).__name__} as a {kind.__name__}")
        return self.stack[-1]


def _paired(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise PickleError("a pickle with a key without its value")
    return dict(zip(items[::2], items[1::2], strict=True))
