"""The configuration file of ``dicomseal archive nightly``: TOML, every key known.

The keys of ``[verify]`` are the options of ``dicomseal archive verify``, by the same names, and are
parsed by that command. The other tables are `dicomseal.archive.nights.settings`.
"""

from __future__ import annotations

import difflib
import os
import re
import textwrap
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import click
import msgspec

from ...archive.find.folder_root import FolderRoot
from ...archive.find.list_root import is_list
from ...archive.find.roots import kind_of
from ...archive.nights.settings import Settings, keys, tables
from ...errors import UsageError
from ...policy import PRESETS
from .verify import command as verify

VERIFY = "verify"
# options of `archive verify` that a night sets itself, or that other tables have
_OTHERWISE = frozenset({"ledger", "resume", "metrics"})
_PATHS = frozenset({"FILE", "DIR", "FILE|DIR", "LEDGER", "CERT", "KEY CERT", "NAME|FILE"})
# options that read better with an example
_EXAMPLES = {
    "trust": '["ca.pem"]', "jobs": "4", "read-ahead": "8", "read-timeout": "120",
    "sign-run": '["run-key.pem", "run-cert.pem"]',
    "poe-ledger": '["ledger.db"]', "poe-signer": '["archive-cert.pem"]', "exclude": '["*.txt"]',
    "require": '["signature"]', "older-than": '"12h"', "sample": '"1%"', "policy": '"default"',
    "at": '"2027-01-31T00:00:00Z"', "scheduler": '"tcp://scheduler:8786"', "max-rate": "200",
    "fetch-cache": '"/var/cache/dicomseal"', "limit": '["seconds=60"]',
    "trust-password-env": '"P12_PASSWORD"', "require-signed": '["PatientName"]',
    "seed": '"2027"', "include": '["*.dcm"]', "transfer-syntax": '"1.2.840.10008.1.2"',
}  # fmt: skip


class Config(NamedTuple):
    """A configuration: the settings of the night, and the options of its run."""

    settings: Settings
    verify: dict[str, Any]


def options() -> dict[str, click.Option]:
    """Return the options of `archive verify` that are keys of ``[verify]``, by their names."""
    return {
        one.opts[-1].removeprefix("--"): one
        for one in verify.params
        if isinstance(one, click.Option) and one.name not in _OTHERWISE
    }


def read(path: str) -> Config:
    """Read a configuration file. Relative paths in it count from its folder.

    Raises:
        UsageError: it cannot be read, is not TOML, or has a key or a value that makes no sense;
            the message has the line.
    """
    try:
        with open(path, "rb") as file:
            text = file.read().decode("utf-8-sig")  # editors of Windows put a mark first
        tree = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise UsageError(f"{path}: this is not TOML: {error}") from None
    return _Reader(path, text, tree).config()


class _Reader:
    """A configuration file on its way into a `Config`.

    Args:
        path: of the file.
        text, tree: its content.
    """

    def __init__(self, path: str, text: str, tree: dict[str, Any]) -> None:
        self._path, self._text, self._tree = path, text, tree
        self._folder = os.path.dirname(os.path.abspath(path))

    def config(self) -> Config:
        given = self._tree.pop(VERIFY, {})
        known = tables()
        self._check_names("", self._tree, [*known, VERIFY])
        for name, table in self._tree.items():
            if not isinstance(table, dict):
                raise self._error("", name, f"{name} is a table: write [{name}]")
            self._check_names(name, table, keys(known[name]))
        if not isinstance(given, dict):
            raise self._error("", VERIFY, f"{VERIFY} is a table: write [{VERIFY}]")
        self._check_names(VERIFY, given, options())
        try:
            settings = msgspec.convert(self._resolved(), Settings)
        except msgspec.ValidationError as error:
            raise self._not_valid(str(error)) from None
        roots = [self._root(one) for one in settings.archive.roots]
        if not roots or "-" in roots:
            what = "name a root" if not roots else "standard input is not read at night"
            raise self._error("archive", "roots", f"[archive] roots: {what}")
        return Config(settings, self._options(given, roots))

    def _check_names(self, table: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
        names = list(known)
        for key in given:
            if key in names:
                continue
            where = f"[{table}] has no key {key!r}" if table else f"there is no table [{key}]"
            near = difflib.get_close_matches(key.replace("_", "-"), names, 1, 0.5)
            better = f"did you mean {near[0]!r}?" if near else f"it may be {', '.join(names)}"
            raise self._error(table, key, f"{where}: {better}")

    def _resolved(self) -> dict[str, dict[str, Any]]:
        """Return the tables with absolute paths."""
        known = tables()
        return {
            name: {
                key: self._absolute(value) if keys(known[name])[key].is_path else value
                for key, value in table.items()
            }
            for name, table in self._tree.items()
        }

    def _absolute(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._absolute(one) for one in value]
        if not isinstance(value, str) or not value or value.startswith("pkcs11:"):
            return value
        return os.path.normpath(os.path.join(self._folder, value))

    def _root(self, name: str) -> str:
        if is_list(name):
            return name if name == "-" else f"@{self._absolute(name[1:])}"
        return str(self._absolute(name)) if kind_of(name) is FolderRoot else name

    def _options(self, given: Mapping[str, Any], roots: list[str]) -> dict[str, Any]:
        """Return the keyword arguments of `requested`, by the parser of `archive verify`."""
        known = options()
        words = []
        for key, value in given.items():
            words += self._words(key, known[key], value)
        try:
            context = verify.make_context("verify", [*words, "--ledger", "ledger", "--", *roots])
        except click.ClickException as error:
            name = getattr(getattr(error, "param", None), "name", "") or ""
            key = next((one for one, option in known.items() if option.name == name), "")
            raise self._error(VERIFY, key, f"[verify] {key}: {error.format_message()}") from None
        return {name: one for name, one in context.params.items() if name not in _OTHERWISE}

    def _words(self, key: str, option: click.Option, value: Any) -> list[str]:
        """Return the words of the command line that a key stands for."""
        name = f"--{key}"
        if option.is_flag:
            if not isinstance(value, bool):
                raise self._error(VERIFY, key, f"[verify] {key} is true or false")
            return [name] if value else []
        several = option.multiple or option.nargs > 1
        values = value if several and isinstance(value, list) else [value]
        if any(isinstance(one, (bool, dict, list)) for one in values):
            what = "a list of texts" if several else "a text or a number"
            raise self._error(VERIFY, key, f"[verify] {key} is {what}")
        if _is_path(option):
            values = [
                one if one in PRESETS and option.metavar == "NAME|FILE" else self._absolute(one)
                for one in values
            ]
        texts = [str(one) for one in values]
        if option.nargs > 1:
            if len(texts) != option.nargs:
                raise self._error(VERIFY, key, f"[verify] {key} has {option.nargs} values")
            return [name, *texts]
        return [f"{name}={one}" for one in texts]

    def _not_valid(self, message: str) -> UsageError:
        what, _, where = message.partition(" - at `$")
        table, _, key = where.strip("`.").partition(".")
        key = re.sub(r"\[.*", "", key)
        if not table:
            return self._error("", "archive", f"{what}: [archive] names roots and a ledger")
        return self._error(table, key, f"[{table}] {key}: {what}".replace(" :", ":"))

    def _error(self, table: str, key: str, message: str) -> UsageError:
        line = self._line(table, key)
        return UsageError(f"{self._path}{f', line {line}' if line else ''}: {message}")

    def _line(self, table: str, key: str) -> int:
        """Return the line of a key or, without one, of a table; 0 if it is not found."""
        inside = ""
        for number, line in enumerate(self._text.splitlines(), 1):
            head = re.match(r"\s*\[+\s*([^\]]*?)\s*\]", line)
            if head:
                inside = head[1].strip("\"'")
                if inside == (table if table and not key else key) and (not table or not key):
                    return number
            name = re.match(r"\s*[\"']?([^\s=\"']+)[\"']?\s*=", line)
            if name and name[1] in ((key,) if inside == table else (f"{table}.{key}",)):
                return number
        return self._line(table, "") if table and key else 0


def _is_path(option: click.Option) -> bool:
    return option.metavar in _PATHS


def example() -> str:
    """Return an example of a configuration file, with every key and what it means."""
    parts = [
        "# The nights of an archive: dicomseal archive nightly --config archive.toml",
        "# Relative paths count from the folder of this file. What begins with # is not set.",
    ]
    for name, table in tables().items():
        text = (table.__doc__ or "").strip()
        parts += ["", f"# {text}", f"[{name}]"]
        for key in keys(table).values():
            parts += _documented(key.name, key.text, key.example, key.required)
        if name == "archive":
            parts += ["", "# How: the options of `dicomseal archive verify`.", f"[{VERIFY}]"]
            for key_name, option in options().items():
                parts += _documented(
                    key_name,
                    (option.help or "").replace("Repeatable.", "A list."),
                    _example_of(key_name, option),
                    key_name in ("trust", "jobs"),
                )
    return "\n".join(parts) + "\n"


def _documented(name: str, text: str, value: str, is_set: bool) -> list[str]:
    lines = textwrap.wrap(text, 96, break_on_hyphens=False)
    return ["", *(f"# {line}" for line in lines), f"{'' if is_set else '#'}{name} = {value}"]


def _example_of(name: str, option: click.Option) -> str:
    if name in _EXAMPLES:
        return _EXAMPLES[name]
    if option.is_flag:
        return "true"
    value = "example"
    if isinstance(option.type, click.Choice):
        value = str(option.type.choices[-1])
    elif _is_path(option):
        value = f"{name}.pem"
    text = f'"{value}"'
    return f"[{text}]" if option.multiple else text
