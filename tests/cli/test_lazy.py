"""Commands are imported when they are called, without a look for garbage meanwhile."""

from __future__ import annotations

import gc
import subprocess
import sys

import click
import pytest

from dicomseal.cli.lazy import Lazy

MODULE = "import click, gc\nwas_on = gc.isenabled()\ncommand = click.Command('one')\n"


@pytest.fixture
def group(tmp_path, monkeypatch):
    package = tmp_path / "lazy_commands"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text(MODULE)
    (package / "bad.py").write_text("raise ImportError('it is not there')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Lazy("group", listed={"one": "", "bad": ""}, package=package.name)
    for name in [name for name in sys.modules if name.startswith(package.name)]:
        del sys.modules[name]
    gc.unfreeze()


def test_a_command_is_imported_once_and_without_a_look_for_garbage(group):
    gc.unfreeze()
    with click.Context(group) as context:
        assert "lazy_commands.one" not in sys.modules
        command = group.get_command(context, "one")
        assert command.name == "one"
        assert sys.modules["lazy_commands.one"].was_on is False
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
        gc.unfreeze()
        assert group.get_command(context, "one") is command
        assert gc.get_freeze_count() == 0  # garbage of a caller's own is not kept each time
        assert group.get_command(context, "two") is None


def test_garbage_is_collected_again_after_an_import_that_failed(group):
    with click.Context(group) as context, pytest.raises(ImportError, match="it is not there"):
        group.get_command(context, "bad")
    assert gc.isenabled()


def test_it_stays_off_if_it_was_off(group):
    gc.disable()
    try:
        with click.Context(group) as context:
            assert group.get_command(context, "one")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_at_its_end_a_command_does_not_look_for_garbage():
    code = (
        "import atexit, gc, sys\n"
        "atexit.register(lambda: print(gc.get_freeze_count()))\n"  # called after the later one
        "from dicomseal.cli import main\n"
        "sys.argv = ['dicomseal', '--version']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 1000
