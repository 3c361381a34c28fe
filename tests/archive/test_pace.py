"""Whether files are near or far, by a clock of ours."""

from __future__ import annotations

import pytest

from dicomseal.archive.find import pace
from dicomseal.archive.find.ahead import ReadAhead, Reading
from dicomseal.archive.find.folder_root import file_at


class Clock:
    """The time of a thread, in place of the system's."""

    def __init__(self, monkeypatch):
        self.now, self.ran, self.in_line, self.sleeps = 100.0, 10.0, 1.0, 0
        monkeypatch.setattr(pace.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(pace.Pace, "_look", lambda _: self._look())

    def _look(self):
        return pace.Look(self.now, self.ran, self.in_line, self.sleeps)

    def goes_on(self, seconds, asleep=0.0, in_line=0.0):
        self.now += seconds
        self.ran += seconds - asleep - in_line
        self.in_line += in_line
        self.sleeps += asleep > 0


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def far_at(clock, one, stretches):
    """Say after which of the stretches (milliseconds, of them asleep, in line) files are far."""
    for number, (wall, asleep, in_line) in enumerate(stretches):
        clock.goes_on(wall / 1e3, asleep / 1e3, in_line / 1e3)
        if one.is_far():
            return number
    return None


def test_far_is_what_is_slept_for_again_and_again(clock):
    one = pace.Pace()
    assert one.is_near()
    one.begin()
    assert far_at(clock, one, [(0.4, 0, 0)] * 100) is None
    assert far_at(clock, one, [(50, 0, 49)] * 9) is None  # interrupted by others, for long
    assert far_at(clock, one, [(10, 0.9, 0)] * 9) is None
    assert far_at(clock, one, [(6, 5, 0)] * 9) == 2
    assert not one.is_near()


@pytest.mark.parametrize("between", [3, 50])
def test_a_sleep_now_and_then_is_not_far(clock, between):
    """So it is where another thread has the GIL, and waits for a processor."""
    one = pace.Pace()
    one.begin()
    assert far_at(clock, one, ([(9, 8, 0)] + [(2.5, 0, 0)] * between) * 40) is None
    assert far_at(clock, one, [(9, 8, 0)] * 3) in (1, 2)


def test_far_is_looked_at_again_less_and_less_often(clock):
    one, pauses = pace.Pace(), []
    for number in range(9):
        one.begin()
        # what was far a moment ago is known by the first file
        assert far_at(clock, one, [(21, 20, 0)] * 3) == (0 if number else 2)
        start = clock.now
        while not one.is_near():
            clock.goes_on(0.01)
        pauses.append(round(clock.now - start, 2))
    assert pauses == sorted(pauses)
    assert pauses[0] <= 0.04
    assert 7 < pauses[-1] < 9
    assert far_at(clock, one, [(2000, 0, 0)] * 10) is None  # they have been near for a while
    assert far_at(clock, one, [(21, 20, 0)] * 3) == 2
    clock.goes_on(0.04)
    assert one.is_near()


def test_an_error_is_not_repeated_by_one_more_sleep(clock):
    one = pace.Pace()
    one.begin()
    assert far_at(clock, one, [(3, 1.5, 0)] * 3) == 2
    clock.goes_on(0.03)
    one.begin()
    assert far_at(clock, one, [(3, 0, 0), *[(3, 1.5, 0)] * 2, *[(3, 0, 0)] * 20]) is None


class Interrupted:
    """The clocks of the system; the thread is interrupted between two of them, as often as said."""

    def __init__(self, monkeypatch, times):
        self.now, self.in_line, self.times = 5.0, 0.0, times
        monkeypatch.setattr(pace.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(pace.time, "thread_time", self._ran)
        monkeypatch.setattr(pace.os, "pread", lambda *_: b"1 %d 1" % (self.in_line * 1e9))

    def _ran(self):
        if self.times:
            self.times -= 1
            self.now += 0.008
            self.in_line += 0.008
        return 2.0


@pytest.mark.parametrize("times", [0, 1, 3])
def test_clocks_are_of_one_moment(monkeypatch, times):
    one = pace.Pace()
    one._statistics = 0
    system = Interrupted(monkeypatch, times)
    found = one._look()
    one._statistics = -1
    assert found[:3] == (system.now, 2.0, pytest.approx(system.in_line))
    assert system.times == 0


@pytest.fixture
def files(tmp_path):
    for number in range(600):
        (tmp_path / f"{number:03}").write_bytes(bytes(1000))
    return [file_at(str(tmp_path / f"{number:03}")) for number in range(600)]


@pytest.mark.usefixtures("whole")
def test_an_error_costs_a_few_files(clock, files):
    """Those that are near after all are read by the worker again, in the same batch."""
    reader, by_itself, seen = ReadAhead(Reading()), [], []
    for place, _ in reader.each(files):
        seen.append(place)
        by_itself.append(reader.now is not None)
        if len(seen) in (10, 14, 18):
            clock.goes_on(0.003, asleep=0.0015)
        else:
            clock.goes_on(0.0008 if by_itself[-1] else 0.0013)
    assert sorted(seen) == list(range(600))
    assert by_itself[:18] == [True] * 18
    assert 10 <= by_itself.count(False) <= 60
    assert by_itself[-500:] == [True] * 500


@pytest.mark.usefixtures("whole")
def test_what_is_far_stays_ahead(clock, files):
    reader, by_itself = ReadAhead(Reading()), []
    for _, _fetched in reader.each(files):
        by_itself.append(reader.now is not None)
        if by_itself[-1]:
            clock.goes_on(0.006, asleep=0.005)
        else:
            clock.goes_on(0.0013)
    assert by_itself[:3] == [True] * 3
    # one again after each pause; the last one is not over yet
    assert by_itself.count(True) == 3 + 2
