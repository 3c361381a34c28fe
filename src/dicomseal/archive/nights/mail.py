"""What a person is told of a night: a subject, and a text that fits into a mail."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from email.message import EmailMessage

from ...errors import SourceError
from ...report import harmless
from ..reports.expiry import SIGNER, Expiring
from ..reports.groups import Group
from .alarms import BUSY, NEW_TROUBLE, QUIET, STOPPED, UNDECIDED, Alarms
from .night import Night, name_of
from .settings import ALWAYS, Archive, Mail

_MAX_GROUPS = 15
_ROLES = {"anchor": "a trust anchor", "tsa": "a trust anchor of timestamps"}
_PATIENCE = 120.0  # seconds, for the command


def subject(night: Night) -> str:
    """Return the one line that says most."""
    return harmless(f"dicomseal, archive {night.name}: {_headline(night)}")


def _headline(night: Night) -> str:
    alarms = night.alarms or Alarms()
    if night.code == BUSY:
        return "ANOTHER NIGHT IS AT WORK"
    if night.failure and not alarms.new:
        return "THE NIGHT FAILED"
    if night.away or (alarms.most_is_away and night.code != NEW_TROUBLE):
        return "STORAGE AWAY"
    if night.findings:
        return "THE LEDGER WAS CHANGED"
    if night.code == NEW_TROUBLE:
        return f"NEW TROUBLE with {_files(alarms.new)}"
    if alarms.missing:
        return f"NOT READ: {_files(alarms.missing)}"
    if night.code == STOPPED:
        return "stopped; the next night resumes it"
    if night.code == UNDECIDED:
        return f"not decided: {_files(alarms.new)}"
    if night.code != QUIET:
        return "NOT READ"
    soon = len([one for one in night.expiring if one.days >= 0])
    if not soon:
        return "nothing new"
    return f"nothing new; {'1 certificate expires' if soon == 1 else f'{soon} certificates expire'}"


def text(night: Night) -> str:
    """Return the whole text, about a page, with a line end."""
    lines = [subject(night).removeprefix("dicomseal, "), f"exit code {night.code}", ""]
    lines += _run(night)
    if night.failure:
        lines += ["", f"The night could not be carried out to its end: {night.failure}"]
    if night.away:
        lines += ["", "The storage is away. Nothing was verified, and nothing counts as removed:"]
        lines += [f"  {one.root + ': ' if one.root else ''}{one.why}" for one in night.away]
    if night.alarms:
        lines += _alarms(night.alarms)
    lines += _expiring(night.expiring)
    lines += _ledger(night)
    lines += [f"note: {one}" for one in night.notes]
    lines += [f"written: {one}" for one in night.written]
    return "\n".join(map(harmless, lines)) + "\n"


def begun(archive: Archive, now: float) -> str:
    """Return what stands in the place of the text until the night ends."""
    return harmless(f"archive {name_of(archive)}: THE NIGHT DID NOT COME TO ITS END") + (
        f"\nit began at {_moment(now)}; the next one resumes its run\n"
    )


def _run(night: Night) -> list[str]:
    span = f"{_moment(night.started)} to {_moment(night.ended)}"
    if not night.run:
        return [f"no run in {night.ledger}, {span}"]
    state = "complete" if night.complete else "NOT COMPLETE"
    resumed = ", resumed" if night.resumed else ""
    verdicts = ", ".join(f"{count:,} {name}" for name, count in night.verdicts.items())
    lines = [
        f"run {night.run} in {night.ledger}{resumed}: {state}, {span}",
        f"{_files(night.files)}, {night.bytes:,} bytes: {verdicts or 'nothing to do'}",
    ]
    if night.alarms:
        changed = ", ".join(f"{count:,} {name}" for name, count in night.alarms.changed.items())
        before = night.alarms.compared_with
        lines.append(
            f"compared with run {before}: {changed or 'no change'}"
            if before
            else "the first run: there is none to compare with"
        )
    return lines


def _alarms(alarms: Alarms) -> list[str]:
    lines = []
    if alarms.trouble:
        lines += ["", "New trouble:", *_groups(alarms.trouble)]
    if alarms.not_given:
        what = "Most of the archive is missing: the storage is taken to be away, nothing to be"
        title = f"{what} removed:" if alarms.most_is_away else "Not given by the storage:"
        lines += ["", title, *_groups(alarms.not_given)]
    if alarms.still:
        lines += ["", f"{_files(alarms.still)} of these an earlier night has told already"]
    if alarms.known:
        lines += ["", f"{_files(alarms.known)} in trouble that the baseline knows"]
    return lines


def _groups(groups: list[Group]) -> list[str]:
    lines = []
    told = set()
    for group in groups[:_MAX_GROUPS]:
        reason = f" ({group.reason})" if group.reason else ""
        lines.append(f"* {group.kind}, {group.title}{reason}")
        folders = ", ".join(f"{name} ({count:,})" for name, count in group.folders.items())
        if group.left_out:
            lines.append(f"    in {folders}")
        lines += [f"    {path}" for path in group.paths]
        if group.remedy and group.reason not in told:
            told.add(group.reason)
            lines.append(f"    to do: {group.remedy.partition('; ')[0]}")
    rest = groups[_MAX_GROUPS:]
    if rest:
        files = sum(one.files for one in rest)
        lines.append(f"* {_files(files)} for {len(rest):,} other causes")
    return lines


def _expiring(found: list[Expiring]) -> list[str]:
    if not found:
        return []
    lines = ["", "Certificates that expire:"]
    for one in found:
        day = "1 day" if one.days == 1 else f"{one.days} days"
        when = f"expires in {day}" if one.days >= 0 else "has expired"
        many = (
            "1 signature depends"
            if one.signatures == 1
            else f"{one.signatures:,} signatures depend"
        )
        what = f"{many} on it" if one.role == SIGNER else _ROLES.get(one.role, one.role)
        lines.append(f"  {one.not_after[:10]}  {one.name} {when}: {what}")
    return lines


def _ledger(night: Night) -> list[str]:
    lines = []
    if night.findings:
        lines += ["", "The ledger is not as it was written:"]
        lines += [f"  {one}" for one in night.findings]
    elif night.audited:
        lines += ["", f"ledger: intact, head {night.head}"]
    elif night.head:
        lines += ["", f"ledger: not audited tonight, head {night.head}"]
    return lines


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def is_due(mail: Mail, night: Night) -> bool:
    """Return whether somebody is to be told of this night."""
    return mail.when == ALWAYS or night.code != QUIET


def send(mail: Mail, night: Night) -> None:
    """Give a mail to the command of the settings.

    Raises:
        SourceError: it cannot be started, does not end, or ends with another code than 0.
    """
    message = EmailMessage()
    message["Subject"] = subject(night)
    for name, value in (("From", mail.sender), ("To", mail.to)):
        if value:
            message[name] = value
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no program is to answer
    message["X-Dicomseal-Exit-Code"] = str(night.code)
    message.set_content(text(night))
    what = f"the mail by {mail.command[0]}"
    try:
        done = subprocess.run(  # noqa: S603 - the command of the administrator
            mail.command, input=message.as_bytes(), timeout=_PATIENCE, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceError(f"{what} was not sent: {error}", "write") from None
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip()[:500]
        raise SourceError(
            f"{what} was not sent: it ended with the code {done.returncode}: {said}", "write"
        )
