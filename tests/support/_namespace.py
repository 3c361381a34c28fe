"""A network of its own, with nothing in it but loopback, for servers that listen on all addresses.

Needs Linux, root, and iproute2. What runs in it reaches nobody, and nobody reaches it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET


def missing() -> str:
    """Why there can be none here, or nothing."""
    if shutil.which("ip") is None:
        return "there is no ip (iproute2)"
    if os.name != "posix" or os.geteuid() != 0:
        return "a network namespace needs root"
    return forbidden()


@functools.cache
def forbidden() -> str:
    """Why the system lets nobody make one, which no package could change, or nothing.

    A container without CAP_SYS_ADMIN is such a system.
    """
    if shutil.which("ip") is None or os.name != "posix" or os.geteuid() != 0:
        return ""  # that is said by `missing`, and is no excuse in CI
    name = f"dicomseal-{os.getpid()}-{secrets.token_hex(3)}"
    finished = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if finished.returncode == 0:
        finished = subprocess.run(
            ["ip", "netns", "exec", name, "true"], capture_output=True, text=True
        )
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    if finished.returncode == 0:
        return ""
    return f"this system makes no network namespaces: {finished.stderr.strip()}"


class Namespace:
    """Where commands and functions run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.prefix = ("ip", "netns", "exec", name)

    def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """What a function gives that is called inside, in a thread."""
        found: list[T] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                with open(f"/run/netns/{self._name}") as file:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(file.fileno(), _NEW_NETWORK):
                        raise OSError(ctypes.get_errno(), "setns")
                found.append(function(*arguments, **named))
            except BaseException as error:  # noqa: BLE001 - raised again below
                failed.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return found[0]


@contextlib.contextmanager
def namespace() -> Iterator[Namespace]:
    name = f"dicomseal-{os.getpid()}-{secrets.token_hex(3)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "netns", "exec", name, "ip", "link", "set", "lo", "up"], check=True)
        yield Namespace(name)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
