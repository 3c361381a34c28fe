/* Reading at an offset, where the platform has it; -1 sends the caller the slow way round. */
#ifdef _WIN32
#include <stddef.h>
static inline long long seal_pread(int descriptor, void *to, size_t length, unsigned long long at)
{
    (void) descriptor; (void) to; (void) length; (void) at;
    return -1;
}
static inline int seal_open(const char *path, unsigned long long *size, long long *changed)
{
    (void) path; (void) size; (void) changed;
    return -1;
}
static inline long long seal_changed_ns(int descriptor) { (void) descriptor; return -1; }
static inline void seal_close(int descriptor) { (void) descriptor; }
static inline int seal_status(const char *path, long long *size, long long *modified)
{
    (void) path; (void) size; (void) modified;
    return -1;
}
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
static inline long long seal_pread(int descriptor, void *to, size_t length, unsigned long long at)
{
    return pread(descriptor, to, length, (off_t) at);
}
/* When it was last changed, in ns: every write moves it. */
static inline long long seal_changed_of(const struct stat *status)
{
#ifdef __APPLE__
    return (long long) status->st_ctimespec.tv_sec * 1000000000 + status->st_ctimespec.tv_nsec;
#else
    return (long long) status->st_ctim.tv_sec * 1000000000 + status->st_ctim.tv_nsec;
#endif
}
/* The same of an open file; -1 if that cannot be known. */
static inline long long seal_changed_ns(int descriptor)
{
    struct stat status;
    return fstat(descriptor, &status) == 0 ? seal_changed_of(&status) : -1;
}
/* A regular file only, and never waiting for one: O_NONBLOCK is for FIFOs. */
static inline int seal_open(const char *path, unsigned long long *size, long long *changed)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return -1;
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(descriptor);
        return -1;
    }
    *size = (unsigned long long) status.st_size;
    *changed = seal_changed_of(&status);
    return descriptor;
}
static inline void seal_close(int descriptor) { close(descriptor); }
/* Of what is at a path, with links resolved: its size, and when it was last modified, in ns. */
static inline int seal_status(const char *path, long long *size, long long *modified)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return -1;
    *size = (long long) status.st_size;
#ifdef __APPLE__
    *modified = (long long) status.st_mtimespec.tv_sec * 1000000000 + status.st_mtimespec.tv_nsec;
#else
    *modified = (long long) status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
#endif
    return 0;
}
#endif
