"""Interpret a pickle without running the functions that it names.

Python's own unpickler calls whatever a pickle names.  Even a subclass that prevents this allocates memory by sizes in
the file.  This interpreter supports only the opcodes that ``torch.save`` uses, and passes every name to its caller.
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
    """A file that is not a pickle, or a pickle that does what files of tensors never do."""


class RefusedError(Exception):
    """A pickle that names an unknown class or function."""


def interpret(file: IO[bytes] | Any, find: Callable[[str], Any], persistent: Callable[[Any], Any]) -> Any:
    """Return the value of the pickle at the file's position, which moves to its end.

    ``find`` returns what to use for a global such as ``"collections.OrderedDict"``, ``persistent`` what to use for a
    persistent id.  Raises :class:`PickleError`, and any error of these two.
    """
    machine = _Machine(find, persistent)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.step(opcode.name, argument)
    except (IndexError, KeyError, AttributeError, UnicodeError, OverflowError) as error:
        raise PickleError(f"a damaged pickle: {type(error).__name__}: {error}") from error
    raise PickleError("a pickle without an end")


class _Machine:
    """The stack machine that pickles are written for."""

    def __init__(self, find: Callable[[str], Any], persistent: Callable[[Any], Any]) -> None:
        self.find, self.persistent = find, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Execute one opcode."""
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
            self._push_global(argument)
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(stack[-_TUPLES[name] :])]
        elif name in ("TUPLE", "LIST", "FROZENSET"):
            items = self._pop_to_mark()
            stack.append(tuple(items) if name == "TUPLE" else items)
        elif name == "DICT":
            items = self._pop_to_mark()
            stack.append(_paired(items))
        else:
            self._modify(name)

    def _push_global(self, argument: str | None) -> None:
        """Push what is used for a global, whose name is the argument or on the stack."""
        if argument is None:
            last, module = self.stack.pop(), self.stack.pop()
            argument = f"{module} {last}"
        self.stack.append(self.find(argument.replace(" ", ".")))

    def _modify(self, name: str) -> None:
        """Execute an opcode that modifies what is on the stack."""
        stack = self.stack
        if name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            self._container(dict)[key] = value
        elif name == "SETITEMS":
            items = self._pop_to_mark()
            self._container(dict).update(_paired(items))
        elif name == "APPEND":
            item = stack.pop()
            self._container(list).append(item)
        elif name in ("APPENDS", "ADDITEMS"):
            items = self._pop_to_mark()
            self._container(list).extend(items)
        elif name == "BINPERSID":
            stack.append(self.persistent(stack.pop()))
        elif name == "REDUCE":
            self._reduce()
        elif name in ("BUILD", "POP"):  # BUILD sets attributes of a dictionary, such as a state_dict's _metadata
            stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise PickleError(f"a pickle with the opcode {name}, which files of tensors do not have")

    def _reduce(self) -> None:
        """Call what is used for a global with its arguments, and push the result."""
        arguments, called = self.stack.pop(), self.stack.pop()
        if not callable(called) or not isinstance(arguments, tuple):
            raise PickleError("a pickle that calls what cannot be called")
        self.stack.append(called(*arguments))

    def _pop_to_mark(self) -> list[Any]:
        """Pop everything above the last mark, and the mark."""
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                items = self.stack[index + 1 :]
                del self.stack[index:]
                return items
        raise PickleError("a pickle without a mark that it needs")

    def _container(self, kind: type[Any]) -> Any:
        """Return the top of the stack, which must be of that type."""
        if type(self.stack[-1]) is not kind:
            raise PickleError(f"a pickle that fills a {type(self.stack[-1]).__name__} as a {kind.__name__}")
        return self.stack[-1]


def _paired(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise PickleError("a pickle with a key without a value")
    return dict(zip(items[::2], items[1::2], strict=True))
