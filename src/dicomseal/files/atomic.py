"""Write a file so that a crash leaves either the old file or the new one, complete.

The new content goes to a temporary file in the same folder, is flushed to disk, and takes the
target's name in one step (rename). Everything that changes a file goes through `replacing`, or, of
many files, through `files.group`, which flushes them together.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from ..errors import SourceError
from .flush import NO_SUCH_THING, flush_folder

PREFIX, SUFFIX = ".dicomseal-", ".tmp"
NEW_MODE = 0o666  # what any new file asks for
NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_mark = ""  # after `PREFIX`, in the names of this process's files
FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NOFOLLOW"):
    FLAGS |= getattr(os, _flag, 0)
_ACL = "system.posix_acl_access"


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike[str],
    check: Callable[[], object] | None = None,
    original: os.stat_result | None = None,
) -> Iterator[IO[bytes]]:
    """Open a temporary file in the target's folder, which replaces the target at the end.

    It is flushed to disk before it is renamed, and the folder after that. A symbolic link is
    followed: the file that it points to is replaced. The new file gets the permissions, owner,
    group, POSIX ACL and user extended attributes of an existing target. If the block raises,
    nothing remains and the target is as it was.

    Args:
        path: the target.
        check: called when everything is on disk, just before the rename; it may still raise.
        original: the status of the file that this is a copy of, if it does not exist yet.

    Raises:
        SourceError: nothing was written. Code ``write``: the folder or the disk does not allow it;
            ``no_space``: the disk is full, or the quota used up; ``owner``: the process may not
            give the new file the owner and group of the old one.
            With the code ``not_synced``, and only then, the new file exists: the folder could not
            be flushed, and after a power failure the old one may be back.
    """
    try:
        name = os.fsdecode(path)
        if "\0" in name:
            raise ValueError("it contains a NUL")
        target = os.path.realpath(name)
    except (TypeError, ValueError) as error:
        raise SourceError(f"{path!r} is not a path: {error}", "write") from None
    folder = os.path.dirname(target)
    temporary = ""
    try:
        old = OldFile.of(target)
        # umask and a default ACL of the folder do the rest
        descriptor, temporary = _create(folder, mode_of_copy(original) if old is None else 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if old is None:
                keep_from_another_group(descriptor, original)
            yield file
            file.flush()
            if old is not None:
                old.pass_on(file.fileno(), name)
            os.fsync(file.fileno())
        if check is not None:
            check()
        os.replace(temporary, target)
        temporary = ""
    except OSError as error:
        raise not_written(name, error) from None
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
    _sync_folder(folder, name)


def mode_of_copy(original: os.stat_result | None) -> int:
    """Return the permissions that a copy of a file asks for: nobody else gets any by it.

    Its owner may write it, as a copy of a file that is write-protected is to be worked with.
    """
    return NEW_MODE if original is None else original.st_mode & 0o777 | 0o600


def keep_from_another_group(descriptor: int, original: os.stat_result | None) -> None:
    """Take from the group of a new copy what it may not do with the original, as anybody else."""
    if original is None or not hasattr(os, "fchmod"):
        return
    new = os.fstat(descriptor)
    mode = stat.S_IMODE(new.st_mode)
    allowed = mode & ~0o070 | mode & (mode & 0o007) << 3
    if new.st_gid != original.st_gid and mode != allowed:
        os.fchmod(descriptor, allowed)


def mark(text: str) -> None:
    """Put a text at the beginning of the names of this process's temporary files.

    A process that is killed leaves the temporary file that it was writing. A caller that gave the
    mark, and knows that the process has ended, may remove the file by it.
    """
    global _mark
    _mark = text


def temporary(folder: str, mode: int = 0o666) -> tuple[int, str]:
    """Create a temporary file in a folder, and return its descriptor and its path.

    Raises:
        OSError: it cannot be created.
    """
    return _create(folder, mode)


def is_temporary(name: str) -> bool:
    """Return whether a file of this name is one that `replacing` writes to."""
    return name.startswith(PREFIX) and name.endswith(SUFFIX)


def _create(folder: str, mode: int) -> tuple[int, str]:
    while True:
        path = os.path.join(folder, temporary_name())
        with contextlib.suppress(FileExistsError):
            return os.open(path, FLAGS, mode), path


def temporary_name() -> str:
    """Return a name for a temporary file that nobody can guess."""
    return f"{PREFIX}{_mark}{secrets.token_hex(8)}{SUFFIX}"


class OldFile(NamedTuple):
    """The properties of a replaced file, beside its name, that the new one gets."""

    status: os.stat_result
    attributes: dict[str, bytes]

    @classmethod
    def of(cls, target: str) -> OldFile | None:
        """Read the properties of the target; None if it does not exist yet."""
        try:
            status = os.lstat(target)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(status.st_mode):  # realpath could not resolve it
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if stat.S_ISDIR(status.st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(status.st_mode):  # a rename would replace, for example, /dev/null
            raise OSError(errno.EINVAL, "Not a regular file")
        return cls(status, _attributes(target))

    def pass_on(self, descriptor: int, name: str) -> None:
        """Give all properties to the new file.

        An error is better than a file of a patient that another group can read, or its own cannot.
        """
        if not hasattr(os, "fchown"):
            return
        old, new = self.status, os.fstat(descriptor)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            try:
                os.fchown(descriptor, old.st_uid, old.st_gid)
            except PermissionError:
                raise SourceError(
                    f"{name}: cannot be replaced: it belongs to user {old.st_uid} and group "
                    f"{old.st_gid}, which this process may not give to the new file; write to a "
                    "new path instead",
                    "owner",
                ) from None
        there = _attributes(descriptor)
        for key in there.keys() - self.attributes.keys():  # e.g. from a default ACL of the folder
            os.removexattr(descriptor, key)
        for key, value in self.attributes.items():
            if there.get(key) != value:
                os.setxattr(descriptor, key, value)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _attributes(file: str | int) -> dict[str, bytes]:
    """Return the POSIX ACL and the user extended attributes of a file.

    Other attributes are not copied: some describe the content (security.ima) or the place on the
    disk (lustre.lov).
    """
    if not hasattr(os, "listxattr"):
        return {}
    try:
        return {
            key: os.getxattr(file, key)
            for key in os.listxattr(file)
            if key.startswith("user.") or key == _ACL
        }
    except OSError as error:
        if error.errno in NO_SUCH_THING:
            return {}
        raise


def _sync_folder(folder: str, name: str) -> None:
    """Flush the rename to disk, if the file system can do that."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            flush_folder(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise not_synced(name, error) from None


def not_written(name: str, error: OSError) -> SourceError:
    """Return the error for a file that could not be written, and is as it was."""
    code = "no_space" if error.errno in NO_SPACE else "write"
    return SourceError(f"{name}: cannot be written: {error.strerror or error}", code)


def not_synced(name: str, error: OSError) -> SourceError:
    """Return the error for a file that was written, and that a power failure may undo."""
    return SourceError(
        f"{name}: was written, but its folder cannot be flushed to disk, so that a power "
        f"failure may bring back the old one: {error.strerror or error}",
        "not_synced",
    )
