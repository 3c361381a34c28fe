"""The command line as dcmsign reads it: options begin with + or -, ``@file`` adds more of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .exits import Exit, ExitError
from .options import BY_NAME, Option

_MAX_PARAMETERS = 2
# In a command file a quotation mark, anywhere in a word, keeps white space up to the next one of
# its kind, which ends the word; without a second one the rest of the file is the word.
_WORD = re.compile(r"""([^\s"']*)(?:"([^"]*)(?:"|$)|'([^']*)(?:'|$)|(?=\s|$))""")


class Given(NamedTuple):
    """One option on the command line: its definition, its place, and its values."""

    option: Option
    position: int
    values: tuple[str, ...]


class CommandLine(NamedTuple):
    """A parsed command line.

    Attributes:
        arguments: all of them, command files expanded and short names replaced.
        given: the options, in their order.
        parameters: the arguments that are not options: input and output.
    """

    arguments: list[str]
    given: list[Given]
    parameters: list[str]

    def has(self, long: str) -> bool:
        """Return whether an option is given."""
        return any(one.option.long == long for one in self.given)

    def all(self, long: str) -> Iterator[tuple[str, ...]]:
        """Yield the values of every use of an option."""
        return (one.values for one in self.given if one.option.long == long)

    def last(self, long: str) -> tuple[str, ...] | None:
        """Return the values of the last use of an option; None if it is not given."""
        return next((one.values for one in reversed(self.given) if one.option.long == long), None)

    def block(self, *names: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield those options of a block that take effect; the last of them decides.

        dcmsign searches for them in the order of its table, each only after the one it found
        before. So an option that a later one overrules may still take effect if it is earlier in
        the table.
        """
        behind = -1
        for name in names:
            for one in reversed(self.given):
                if one.position <= behind:
                    break
                if one.option.long == name:
                    behind = one.position
                    yield name, one.values
                    break

    def chosen(self, *names: str) -> str:
        """Return the option that decides; empty if none is given."""
        found = [name for name, _ in self.block(*names)]
        return found[-1] if found else ""


def usage_error(message: str) -> ExitError:
    """Return the exception for an error in the command line."""
    return ExitError(Exit.COMMAND_LINE, message, "usage")


def parse(argv: list[str]) -> CommandLine:
    """Read a command line, without the program's name.

    Raises:
        ExitError: an unknown option, a value that is missing, too many or too few parameters, or a
            command file that cannot be read. Nothing is checked beside an exclusive option.
    """
    expanded = [word for argument in argv for word in _expand(argument)]
    line = CommandLine([], [], [])
    position = 0
    while position < len(expanded):
        word = expanded[position]
        if not _is_option(word):
            line.parameters.append(word)
            line.arguments.append(word)
            position += 1
            continue
        option = BY_NAME.get(word)
        if option is None:
            raise usage_error(f"Unknown option {word}")
        values = tuple(expanded[position + 1 : position + 1 + option.values])
        if len(values) < option.values:
            raise usage_error(f"Missing value for option {option.long}")
        line.given.append(Given(option, position, values))
        line.arguments.extend((option.long, *values))
        position += 1 + option.values
    if expanded and not any(one.option.exclusive for one in line.given):
        if not line.parameters:
            raise usage_error("Missing parameter dcmfile-in")
        if len(line.parameters) > _MAX_PARAMETERS:
            raise usage_error("Too many parameters")
    return line


def _is_option(word: str) -> bool:
    """Return whether it is an option: a sign and a digit are a number, a sign alone a file."""
    return len(word) >= 2 and word[0] in "+-" and word[1] not in "0123456789"


def _expand(argument: str) -> list[str]:
    if len(argument) < 2 or argument[0] != "@":
        return [argument]
    try:
        with open(argument[1:], encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except (OSError, ValueError):
        raise usage_error(f"Cannot open command file '{argument[1:]}'") from None
    return _words(text)


def _words(text: str) -> list[str]:
    found = []
    for match in _WORD.finditer(text):
        word = "".join(match.groups(""))
        closed = match[0][len(match[1]) + 1 :].endswith(('"', "'"))
        if word or closed:  # two quotation marks without anything between are an empty word
            found.append(word)
    return found
