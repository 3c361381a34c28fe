"""Debian's Orthanc, with its Python and DICOMweb plugins, in a network of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _namespace
from _namespace import Namespace

import dicomseal

PLUGINS = Path("/usr/share/orthanc/plugins")
SCRIPT = Path(__file__).parents[2] / "contrib" / "orthanc" / "dicomseal_orthanc.py"
PATIENCE = 60.0
_ports = itertools.count(8042)  # nobody else is in that network


def missing() -> str:
    """Why it cannot run here, or nothing."""
    for name in ("libOrthancPython.so", "libOrthancDicomWeb.so"):
        if shutil.which("Orthanc") is None or not (PLUGINS / name).exists():
            return "there is no Orthanc with its Python and DICOMweb plugins"
    return _namespace.missing()


def python_version() -> str:
    """Of the Python that Orthanc's plugin has in it, e.g. ``3.11``."""
    done = subprocess.run(
        ["ldd", PLUGINS / "libOrthancPython.so"], capture_output=True, text=True, check=True
    )
    found = re.search(r"libpython(3\.\d+)", done.stdout)
    return found[1] if found else ""


def skipped() -> str:
    """Why tests with it are skipped.

    In CI only for a Python of another version, and where the system makes no network namespaces.
    """
    why = missing()
    if why:
        return _namespace.forbidden() if os.environ.get("CI") else why
    if python_version() != f"{sys.version_info[0]}.{sys.version_info[1]}":
        return f"Orthanc has Python {python_version()}, for which nothing is built here"
    return ""


def python_path() -> str:
    """Where that Python finds this dicomseal and what it needs."""
    folders = [Path(dicomseal.__file__).parents[1]]
    for name in ("cryptography", "msgspec", "pydicom"):
        found = importlib.util.find_spec(name)
        assert found is not None and found.origin is not None
        folders.append(Path(found.origin).parents[1])
    return os.pathsep.join(dict.fromkeys(map(str, folders)))


class Orthanc:
    """A running one."""

    def __init__(
        self, folder: Path, inside: Namespace, http: int, dicom: int, environment: Any
    ) -> None:
        self.folder, self.inside, self.http, self.dicom = folder, inside, http, dicom
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [*inside.prefix, "Orthanc", str(folder / "orthanc.json")],
            stdout=self._log, stderr=subprocess.STDOUT, env=environment,
        )  # fmt: skip

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def ask(self, method: str, path: str, data: bytes | None = None, **headers: str) -> Any:
        """Status and body of an answer of its HTTP server."""

        def work() -> tuple[int, bytes]:
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.http}{path}", data,
                {name.replace("_", "-"): value for name, value in headers.items()}, method=method,
            )  # fmt: skip
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            try:
                with opener.open(request, timeout=30) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read()

        return self.inside.call(work)

    def instances(self) -> list[str]:
        return json.loads(self.ask("GET", "/instances")[1])

    def empty(self) -> None:
        for one in self.instances():
            self.ask("DELETE", f"/instances/{one}")

    def rest(self, data: bytes) -> int:
        """The HTTP status with which it takes an object."""
        status: int = self.ask("POST", "/instances", data)[0]
        return status

    def stow(self, data: bytes) -> list[str]:
        """SOP Instance UIDs that it says to have stored."""
        kind = 'multipart/related; type="application/dicom"; boundary=of-a-part'
        whole = (
            b"--of-a-part\r\nContent-Type: application/dicom\r\n\r\n%s\r\n--of-a-part--\r\n" % data
        )
        _, body = self.ask(
            "POST", "/dicom-web/studies", whole, Content_Type=kind, Accept="application/dicom+json"
        )
        stored = json.loads(body).get("00081199", {}).get("Value", [])
        return [one["00081155"]["Value"][0] for one in stored]

    def stop(self) -> None:
        self.process.kill()  # asked to stop it takes three seconds, and nothing of it is kept
        self.process.wait(PATIENCE)
        self._log.close()


@contextlib.contextmanager
def orthanc(
    folder: Path, inside: Namespace, section: Any = None, script: Path | None = SCRIPT,
    path: str | None = None, **more: Any,
) -> Iterator[Orthanc]:  # fmt: skip
    """One with a section ``Dicomseal`` in its configuration, and without what was stored before."""
    folder.mkdir(parents=True, exist_ok=True)
    http, dicom = next(_ports), next(_ports)
    plugins = ["libOrthancDicomWeb.so", *(["libOrthancPython.so"] if script else [])]
    data = str(folder / "db")
    configuration: dict[str, Any] = {
        "Name": "test", "StorageDirectory": data, "IndexDirectory": data,
        "Plugins": [str(PLUGINS / name) for name in plugins], "HttpPort": http, "DicomPort": dicom,
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "OverwriteInstances": True,
        "DicomCheckCalledAet": False, "DicomWeb": {"Enable": True}, **more,
    }  # fmt: skip
    if script is not None:
        configuration["PythonScript"] = str(script)
    if section is not None:
        configuration["Dicomseal"] = section
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    environment = {**os.environ, "PYTHONPATH": python_path() if path is None else path}
    running = Orthanc(folder, inside, http, dicom, environment)
    try:
        end = time.monotonic() + PATIENCE
        while "Orthanc has started" not in running.log:
            assert running.process.poll() is None and time.monotonic() < end, running.log
            time.sleep(0.05)
        yield running
    finally:
        running.stop()
