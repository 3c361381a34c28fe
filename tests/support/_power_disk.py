"""A disk with a write cache that is lost when the power fails: images served by FUSE, and a log.

Run as a program: ``_power_disk.py FOLDER LOG IMAGE...`` mounts a folder in which each image is a
file, and serves them until it is unmounted. A loop device on such a file is a disk whose cache is
written back by a flush, and by nothing else: every write and every flush of the images goes to the
log, in the order in which the kernel sent them. From the log the state of all disks at any moment
is made again (`Disks`): everything up to the last flush of each, and of what was written since
then nothing, or some of it. While there is a file ``LOG.broken``, the first image takes no write.

The protocol is that of linux/fuse.h, version 7.31, as far as a loop device needs it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
from contextlib import suppress

(LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, RELEASE, FSYNC, FLUSH, INIT, BATCH_FORGET) = (
    1, 2, 3, 4, 14, 15, 16, 18, 20, 25, 26, 42,
)  # fmt: skip
MAX_WRITE, BIG_WRITES, DIRECT_IO = 1 << 17, 1 << 5, 1
SECTOR = 4096  # is written whole or not at all
ENTRY = struct.Struct("<BBQI")  # of the log: image, whether it is a write, offset, size


class Server:
    def __init__(self, device, log, images):
        self.device, self.log, self.broken = device, log, f"{log.name}.broken"
        self.names = [os.path.basename(image).encode() for image in images]
        self.data = []
        for image in images:
            with open(image, "rb") as file:
                self.data.append(bytearray(file.read()))

    def serve(self):
        while True:
            try:
                request = os.read(self.device, MAX_WRITE + 4096)
            except OSError as error:
                if error.errno == errno.ENODEV:  # unmounted
                    return
                if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    continue
                raise
            _, code, unique, node = struct.unpack_from("<IIQQ", request)
            if code in (FORGET, BATCH_FORGET):
                continue
            number, answer = 0, b""
            try:
                answer = self.answer(code, node, memoryview(request)[40:])
            except OSError as error:
                number = -error.errno
            os.write(self.device, struct.pack("<IiQ", 16 + len(answer), number, unique) + answer)

    def answer(self, code, node, body):
        image = node - 2  # node 1 is the folder
        if code == INIT:
            ahead = struct.unpack_from("<4I", body)[2]
            return struct.pack("<4I2H2I2HI7I", 7, 31, ahead, BIG_WRITES, 16, 12, MAX_WRITE, 1,
                               MAX_WRITE // 4096, 0, *[0] * 8)  # fmt: skip
        if code == LOOKUP:
            name = bytes(body).rstrip(b"\0")
            if name not in self.names:
                raise OSError(errno.ENOENT, "")
            node = 2 + self.names.index(name)
            return struct.pack("<QQQQII", node, 0, 3600, 3600, 0, 0) + self.attributes(node)
        if code in (GETATTR, SETATTR):
            return struct.pack("<QII", 3600, 0, 0) + self.attributes(node)
        if code == OPEN:
            return struct.pack("<QII", 0, DIRECT_IO, 0)
        if code == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return bytes(self.data[image][offset : offset + size])
        if code in (WRITE, FSYNC) and image == 0 and os.path.exists(self.broken):
            raise OSError(errno.EIO, "")
        if code == WRITE:
            _, offset, size = struct.unpack_from("<QQI", body)
            data = body[40 : 40 + size]
            self.data[image][offset : offset + size] = data
            self.log.write(ENTRY.pack(image, 1, offset, size) + data)
            return struct.pack("<II", size, 0)
        if code == FSYNC:
            self.log.write(ENTRY.pack(image, 0, 0, 0))
            return b""
        if code in (FLUSH, RELEASE):
            return b""
        raise OSError(errno.ENOSYS, "")

    def attributes(self, node):
        size = 0 if node == 1 else len(self.data[node - 2])
        mode = stat.S_IFDIR | 0o700 if node == 1 else stat.S_IFREG | 0o600
        return struct.pack("<6Q10I", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0,
                           4096, 0)  # fmt: skip


def main():
    folder, log, *images = sys.argv[1:]
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"power", folder.encode(), b"fuse", 0, options):
        raise SystemExit(f"cannot mount: {os.strerror(ctypes.get_errno())}")
    print("mounted", flush=True)
    with open(log, "wb") as file:
        Server(device, file, images).serve()


class Disks:
    """The images at any moment of a log; moments are asked for in ascending order.

    Attributes:
        entries: of the log: image, whether it is a write, offset and data.
    """

    def __init__(self, log, images):
        self.entries = []
        with open(log, "rb") as file:
            data = file.read()
        at = 0
        while at < len(data):
            image, write, offset, size = ENTRY.unpack_from(data, at)
            at += ENTRY.size
            self.entries.append((image, bool(write), offset, data[at : at + size]))
            at += size
        self._flushed = []
        for path in images:
            with open(path, "rb") as file:
                self._flushed.append(bytearray(file.read()))
        self._since = [[] for _ in images]  # writes in the cache of each
        self._at = 0

    def cut(self, moment, chance=None):
        """The images after so many entries, as the power fails.

        Args:
            moment: how many.
            chance: a `random.Random`: some of what is in the cache was written, in sectors of the
                disk; None: nothing of it.
        """
        for image, write, offset, data in self.entries[self._at : moment]:
            if write:
                self._since[image].append((offset, data))
                continue
            for start, part in self._since[image]:
                self._flushed[image][start : start + len(part)] = part
            self._since[image] = []
        self._at = moment
        found = []
        for flushed, since in zip(self._flushed, self._since, strict=True):
            image = bytearray(flushed)
            for offset, data in since if chance else ():
                for start in range(offset - offset % SECTOR, offset + len(data), SECTOR):
                    if chance.random() < 0.5:
                        first, last = max(start, offset), min(start + SECTOR, offset + len(data))
                        image[first:last] = data[first - offset : last - offset]
            found.append(image)
        return found


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
