/* Files that are far away, for LD_PRELOAD: every file below $SLOW_OPENS_UNDER is opened after
 * $SLOW_OPENS_MS milliseconds, as over NFS, from a busy disk array or an HSM. Of a file there
 * whose name holds
 *   "-hangs":  open never returns, as on a server that is dead;
 *   "-stalls": a read from offset 4096 on never returns.
 * What never returns hears no signal but SIGKILL. The file $SLOW_OPENS_COUNT, of eight bytes, tells
 * how many opens wait just now, and how many did so at once at most. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *under;
static double milliseconds;
static struct counts { int now, most; } alone, *count = &alone;

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("SLOW_OPENS_MS");
    under = getenv("SLOW_OPENS_UNDER");
    milliseconds = text ? atof(text) : 0;
    int file = getenv("SLOW_OPENS_COUNT") ? open(getenv("SLOW_OPENS_COUNT"), O_RDWR) : -1;
    if (file >= 0) {
        count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        close(file);
    }
}

static void never(void)
{
    for (;;)
        pause();
}

static void far_away(const char *path)
{
    if (!under || strncmp(path, under, strlen(under)) != 0)
        return;
    if (strstr(path, "-hangs"))
        never();
    if (milliseconds > 0) {
        struct timespec left = {(time_t) (milliseconds / 1e3),
                                (long) (milliseconds * 1e6) % 1000000000};
        int now = __atomic_add_fetch(&count->now, 1, __ATOMIC_SEQ_CST);
        int most = __atomic_load_n(&count->most, __ATOMIC_SEQ_CST);
        while (most < now && !__atomic_compare_exchange_n(&count->most, &most, now, 0,
                                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            ;
        while (nanosleep(&left, &left) != 0)
            ;
        __atomic_sub_fetch(&count->now, 1, __ATOMIC_SEQ_CST);
    }
}

static void stalled(int descriptor, off_t at, size_t length)
{
    char link[64], name[4096];
    if (!under || at + (off_t) length <= 4096)
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t n = readlink(link, name, sizeof name - 1);
    name[n < 0 ? 0 : n] = 0;
    if (strncmp(name, under, strlen(under)) == 0 && strstr(name, "-stalls"))
        never();
}

#define MODE(flags)                                                                               \
    mode_t mode = 0;                                                                              \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                        \
        va_list rest;                                                                             \
        va_start(rest, flags);                                                                    \
        mode = va_arg(rest, mode_t);                                                              \
        va_end(rest);                                                                             \
    }
#define OPEN(name)                                                                                \
    int name(const char *path, int flags, ...)                                                    \
    {                                                                                             \
        static int (*real)(const char *, int, ...);                                               \
        if (!real)                                                                                \
            real = dlsym(RTLD_NEXT, #name);                                                       \
        MODE(flags)                                                                               \
        if (!(flags & O_DIRECTORY))                                                               \
            far_away(path);                                                                       \
        return real(path, flags, mode);                                                           \
    }
#define OPENAT(name)                                                                              \
    int name(int folder, const char *path, int flags, ...)                                        \
    {                                                                                             \
        static int (*real)(int, const char *, int, ...);                                          \
        if (!real)                                                                                \
            real = dlsym(RTLD_NEXT, #name);                                                       \
        MODE(flags)                                                                               \
        if (!(flags & O_DIRECTORY))                                                               \
            far_away(path);                                                                       \
        return real(folder, path, flags, mode);                                                   \
    }
#define PREAD(name)                                                                               \
    ssize_t name(int descriptor, void *to, size_t length, off_t at)                               \
    {                                                                                             \
        static ssize_t (*real)(int, void *, size_t, off_t);                                       \
        if (!real)                                                                                \
            real = dlsym(RTLD_NEXT, #name);                                                       \
        stalled(descriptor, at, length);                                                          \
        return real(descriptor, to, length, at);                                                  \
    }
#define PREADV(name)                                                                              \
    ssize_t name(int descriptor, const struct iovec *to, int count, off_t at)                     \
    {                                                                                             \
        static ssize_t (*real)(int, const struct iovec *, int, off_t);                            \
        size_t length = 0;                                                                        \
        if (!real)                                                                                \
            real = dlsym(RTLD_NEXT, #name);                                                       \
        for (int i = 0; i < count; i++)                                                           \
            length += to[i].iov_len;                                                              \
        stalled(descriptor, at, length);                                                          \
        return real(descriptor, to, count, at);                                                   \
    }

#define PREADV2(name)                                                                             \
    ssize_t name(int descriptor, const struct iovec *to, int count, off_t at, int flags)          \
    {                                                                                             \
        static ssize_t (*real)(int, const struct iovec *, int, off_t, int);                       \
        size_t length = 0;                                                                        \
        if (!real)                                                                                \
            real = dlsym(RTLD_NEXT, #name);                                                       \
        for (int i = 0; i < count; i++)                                                           \
            length += to[i].iov_len;                                                              \
        stalled(descriptor, at, length);                                                          \
        return real(descriptor, to, count, at, flags);                                            \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
PREAD(pread)
PREAD(pread64)
PREADV(preadv)
PREADV(preadv64)
PREADV2(preadv2)
PREADV2(preadv64v2)
