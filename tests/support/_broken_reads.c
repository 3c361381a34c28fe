/* Reads that go wrong, for LD_PRELOAD: of a file whose name holds
 *   "-eio":   every read from offset 4096 on fails with EIO, as on a disk with a bad sector;
 *   "-grows": with every read the file is written to, through another descriptor.
 * What the program under test makes of it is its own affair; nothing of it is replaced. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int spoil(int descriptor, off_t at, ssize_t length)
{
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t n = readlink(link, name, sizeof name - 1);
    name[n < 0 ? 0 : n] = 0;
    if (strstr(name, "-eio") && at + length > 4096) {
        errno = EIO;
        return 1;
    }
    if (strstr(name, "-grows")) {
        int other = open(name, O_WRONLY | O_APPEND);
        if (other < 0 || write(other, "\0\0", 2) != 2)
            _exit(99);
        close(other);
    }
    return 0;
}

static ssize_t size_of(const struct iovec *pieces, int count)
{
    ssize_t size = 0;
    for (int i = 0; i < count; i++)
        size += pieces[i].iov_len;
    return size;
}

#define PREAD(name)                                                                               \
    ssize_t name(int descriptor, void *to, size_t length, off_t at)                               \
    {                                                                                             \
        ssize_t (*real)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, #name);                    \
        return spoil(descriptor, at, length) ? -1 : real(descriptor, to, length, at);             \
    }
#define PREADV(name)                                                                              \
    ssize_t name(int descriptor, const struct iovec *to, int count, off_t at)                     \
    {                                                                                             \
        ssize_t (*real)(int, const struct iovec *, int, off_t) = dlsym(RTLD_NEXT, #name);         \
        return spoil(descriptor, at, size_of(to, count)) ? -1 : real(descriptor, to, count, at);  \
    }

#define PREADV2(name)                                                                             \
    ssize_t name(int descriptor, const struct iovec *to, int count, off_t at, int flags)          \
    {                                                                                             \
        ssize_t (*real)(int, const struct iovec *, int, off_t, int) = dlsym(RTLD_NEXT, #name);    \
        if (spoil(descriptor, at, size_of(to, count)))                                            \
            return -1;                                                                            \
        return real(descriptor, to, count, at, flags);                                            \
    }

PREAD(pread)
PREAD(pread64)
PREADV(preadv)
PREADV(preadv64)
PREADV2(preadv2)
PREADV2(preadv64v2)
