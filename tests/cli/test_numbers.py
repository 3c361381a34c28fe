"""Numbers as the values of options."""

from __future__ import annotations

import click
import pytest

from dicomseal.cli import group


def options(command):
    """Every option of a command, and of the commands below it."""
    context = click.Context(command)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from options(command.get_command(context, name))
    yield from (one for one in command.params if isinstance(one, click.Option))


FLOATS = [
    one
    for one in options(group)
    if isinstance(one.type, (click.FloatRange, click.types.FloatParamType))
]


def test_there_are_such_options():
    assert {"--max-rate", "--read-timeout", "--tsa-timeout", "--settle"} <= {
        name for one in FLOATS for name in one.opts
    }


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_number_is_finite(value):
    for one in FLOATS:
        with pytest.raises(click.BadParameter):
            one.type.convert(value, one, None)
        assert one.type.convert("7.5", one, None) == 7.5


@pytest.mark.parametrize("option", ["--max-rate", "--read-timeout"])
def test_no_run_is_begun(run, work, option):
    code, out, err = run("archive", "verify", ".", "--ledger", "ledger.db", option, "nan")
    assert (code, out) == (2, "")
    assert f"Invalid value for '{option}': 'nan' is not a number of this range." in err
    assert not (work / "ledger.db").exists()


@pytest.mark.parametrize(("option", "least"), [("--jobs", 1), ("--read-ahead", 0)])
def test_a_number_or_auto(run, work, option, least):
    for value in ("Auto", "x", "1.5", str(least - 1)):
        code, _, err = run("archive", "verify", ".", "--ledger", "ledger.db", option, value)
        assert code == 2
        assert f"{value!r} is neither auto nor a number of at least {least}." in err
