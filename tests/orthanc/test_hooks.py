"""The hooks of Orthanc's plugin with a stand-in for its module: nothing leaves them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from _gate import file_of, trust_file

from dicomseal import orthanc as plugin
from dicomseal.errors import UsageError

DICOM, REST = 2, 3


class Module:
    """As Orthanc's, as far as the plugin uses it."""

    ReceivedInstanceAction = SimpleNamespace(KEEP_AS_IS=1, MODIFY=2, DISCARD=3)
    InstanceOrigin = SimpleNamespace(DICOM_PROTOCOL=DICOM, REST_API=REST)

    def __init__(self, section):
        self.section = section
        self.log: list[str] = []
        self.put: list[tuple[str, bytes]] = []

    def GetConfiguration(self):
        return json.dumps(
            {"Name": "x"} | ({} if self.section is None else {"Dicomseal": self.section})
        )

    def LogWarning(self, text):
        self.log.append(text)

    LogError = LogWarning

    def RegisterReceivedInstanceCallback(self, hook):
        self.received = hook

    def RegisterIncomingCStoreInstanceFilter(self, hook):
        self.filtered = hook

    def RegisterOnStoredInstanceCallback(self, hook):
        self.stored = hook

    def RestApiPut(self, path, data):
        self.put.append((path, data))


def instance(data):
    return SimpleNamespace(GetInstanceData=lambda: data)


@pytest.fixture
def start_plugin(tmp_path):
    def make(**section):
        module = Module({"Trust": [trust_file(tmp_path)]} | section)
        plugin.register(module)
        return module

    return make


def test_each_hook_has_its_part(start_plugin):
    module = start_plugin(Mode="refuse")
    good, bad = file_of("good"), file_of("altered")
    assert module.received(good, REST) == (1, None)
    assert module.received(good, DICOM) == (1, None) and module.filtered(instance(good)) == 0
    assert module.received(bad, REST)[0] == 2
    assert module.received(bad, DICOM) == (1, None) and module.filtered(instance(bad)) == 0xA900


def test_an_object_is_verified_once_for_all_hooks(start_plugin, monkeypatch):
    module, judged = start_plugin(Mode="refuse"), []
    judge = plugin.judge
    monkeypatch.setattr(plugin, "judge", lambda *given: judged.append(1) or judge(*given))
    module.received(file_of("good"), DICOM)
    module.filtered(instance(file_of("good")))
    module.stored(instance(file_of("good")), "id")
    assert judged == [1]
    for number in range(300):
        module.received(file_of("unsigned", number), DICOM)
    module.received(file_of("good"), DICOM)
    assert len(judged) == 302  # what is remembered is bounded


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize(("mode", "kept", "status"), [("refuse", 2, 0xA700), ("observe", 1, 0)])
def test_nothing_leaves_a_hook(start_plugin, monkeypatch, error, mode, kept, status):
    """Not even what ends a program: Orthanc would store the object."""
    module = start_plugin(Mode=mode)

    def broken(*_):
        raise error("as asked")

    monkeypatch.setattr(plugin, "judge", broken)
    for origin in (DICOM, REST):
        assert module.received(b"x", origin)[0] == kept
    assert module.filtered(instance(b"x")) == status
    module.stored(instance(b"x"), "id")
    assert "as asked" in module.log[-1]


@pytest.mark.parametrize("mode", ["refuse", "quarantine"])
def test_a_log_that_cannot_be_written_refuses_too(start_plugin, tmp_path, mode):
    """What is said in an emergency must not be what stores the object."""
    module = start_plugin(Mode=mode, Quarantine=str(tmp_path / "q"))

    def full(text):
        raise OSError(28, "No space left on device")

    module.LogWarning = module.LogError = full
    assert module.received(file_of("altered"), REST)[0] in (2, 3)
    assert module.received("no bytes", REST)[0] == 2
    assert module.filtered(instance(file_of("altered"))) in (0xA900, 0xA700)
    assert module.filtered(SimpleNamespace()) == 0xA700
    # and at the start: without the hooks Orthanc would go on, and store everything
    for section in ({"Mode": mode}, {"Mode": "observe"}):
        other = Module(section)
        other.LogWarning = other.LogError = full
        plugin.register(other)
        assert other.received(b"x", REST)[0] == (1 if section["Mode"] == "observe" else 2)


def test_what_is_not_utf_8_can_be_said(start_plugin, monkeypatch):
    module = start_plugin(Mode="refuse")
    module.LogError = lambda text: module.log.append(text.encode().decode())

    def broken(*_):
        raise ValueError("a name: \udcff")

    monkeypatch.setattr(plugin, "judge", broken)
    assert module.received(b"x", REST)[0] == 2
    assert "a name: " in module.log[-1]


def test_what_was_decided_does_not_hold_for_ever(start_plugin, monkeypatch):
    """A certificate may have expired when the same object comes again."""
    module, judged, now = start_plugin(Mode="refuse"), [], [1000.0]
    judge = plugin.judge
    monkeypatch.setattr(plugin, "judge", lambda *given: judged.append(1) or judge(*given))
    monkeypatch.setattr(plugin.time, "monotonic", lambda: now[0])
    for moment, count in ((1000.0, 1), (1030.0, 1), (1100.0, 2), (1130.0, 2)):
        now[0] = moment
        module.received(file_of("good"), REST)
        assert len(judged) == count


def test_a_quarantine_that_is_full_refuses(start_plugin, tmp_path, monkeypatch):
    module = start_plugin(Mode="quarantine", Quarantine=str(tmp_path / "q"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dicomseal.gate.quarantine.Quarantine.put", full)
    assert module.received(file_of("altered"), DICOM)[0] == 2
    assert module.filtered(instance(file_of("altered"))) == 0xA700
    assert list((tmp_path / "q").iterdir()) == []


@pytest.mark.parametrize(
    "section",
    [None, [], "refuse", {}, {"Mode": 1}, {"Mode": "refuse"}, {"Mode": "observe", "Metadata": 1},
     {"Mode": "observe", "x": 1}, {"Mode": "observe", "OnFailed": "no"},
     {"Mode": "observe", "Require": ["no"]}, {"Mode": "observe", "Trust": ["/nowhere"]}],
)  # fmt: skip
def test_settings_that_make_no_sense(section):
    module = Module(section)
    plugin.register(module)
    assert "everything is refused" in module.log[0]
    assert module.received(file_of("good"), REST)[0] == 2
    assert module.received(file_of("good"), DICOM)[0] == 2
    assert module.filtered(instance(file_of("good"))) == 0xA700
    assert not hasattr(module, "stored")


def test_no_json_at_all():
    with pytest.raises(UsageError):
        plugin.settings_of("{")


def test_metadata_that_cannot_be_set(start_plugin, monkeypatch):
    """It is tried for a while, and said; the next object has its own."""
    module, tried = start_plugin(Mode="observe"), []
    monkeypatch.setattr(plugin.time, "sleep", lambda _: None)

    def put(path, data):
        tried.append(path)
        if "/one/" in path:
            raise RuntimeError("unknown resource")

    module.RestApiPut = put
    module.stored(instance(file_of("good")), "one")
    module.stored(instance(file_of("good")), "two")
    import time

    end = time.monotonic() + 20
    while not tried or "/two/" not in tried[-1]:
        assert time.monotonic() < end
    assert tried == ["/instances/one/metadata/4711"] * 50 + ["/instances/two/metadata/4711"]
    assert any("one is not in its metadata" in line for line in module.log)
