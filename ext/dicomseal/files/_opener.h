/* Threads that open files, so that another one need not wait for it. They know nothing of Python:
 * to hand a file over costs no turn of the GIL. A thread that does not come back is left alone.
 *
 * Of a request, `state` says whose it is: everything else of it is the thread's while it is
 * SEAL_OPENING, and the caller's before and after. All of a pool is guarded by its lock. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* not in one condition: where there is no such macro (musl), its call is a syntax error */
#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 26)
#define SEAL_PREADV2
#endif
#endif
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif
#define SEAL_IDLE 10 /* seconds, after which a thread without work ends */
#define SEAL_STACK (256 << 10)
#define SEAL_STEP (256 << 10) /* bytes, from one look into a file to the next */
#define SEAL_PIECE (64 << 10)

enum { SEAL_WAITS, SEAL_OPENING, SEAL_THERE, SEAL_GIVEN_UP };

typedef struct seal_request {
    struct seal_request *next;
    void *of;
    int state;
    int descriptor; /* -1: it is not usual, or cannot be read without waiting for it */
    int may_wait;   /* the file system does not say whether the bytes are there */
    long long size, modified, changed;
    double seconds;
    char path[];
} seal_request;

typedef struct {
    seal_request *first, **end;
} seal_line;

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    seal_line waiting, there;
    int held; /* requests that are not freed, each of which may have a file open */
    int threads, idle, stuck, most;
    int called; /* somebody else has something for the one who waits */
    int waits;
    int ends;
    long long largest; /* bytes; a larger file is not usual */
} seal_pool;

static inline double seal_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static inline long long seal_ns(const struct timespec *at)
{
    return (long long) at->tv_sec * 1000000000 + at->tv_nsec;
}

static inline struct timespec seal_in(double seconds)
{
    double at = seal_now() + seconds;
    struct timespec until = {(time_t) at, (long) ((at - (double) (time_t) at) * 1e9)};
    return until;
}

static inline void seal_append(seal_line *line, seal_request *one)
{
    one->next = NULL;
    *line->end = one;
    line->end = &one->next;
}

static inline seal_request *seal_take(seal_line *line)
{
    seal_request *one = line->first;
    if (one && !(line->first = one->next))
        line->end = &line->first;
    return one;
}

static inline int seal_remove(seal_line *line, seal_request *one)
{
    seal_request **at = &line->first;
    while (*at && *at != one)
        at = &(*at)->next;
    if (!*at)
        return 0;
    if (!(*at = one->next))
        line->end = at;
    return 1;
}

static inline ssize_t seal_read_now(int descriptor, void *to, size_t length, long long at)
{
    struct iovec piece = {to, length};
#ifdef SEAL_PREADV2
    return preadv2(descriptor, &piece, 1, (off_t) at, RWF_NOWAIT);
#elif defined(SYS_preadv2)
    const int half = 4 * sizeof(long);
    return syscall(SYS_preadv2, descriptor, &piece, 1, (long) at, (long) (at >> half >> half),
                   RWF_NOWAIT);
#else
    errno = ENOSYS;
    return -1;
#endif
}

/* Read a file, of which bytes are missing in the page cache; what comes is for the next reader. */
static inline int seal_touch(int descriptor, long long size)
{
    char bytes[SEAL_PIECE];
    posix_fadvise(descriptor, 0, size, POSIX_FADV_WILLNEED);
    for (long long at = 0; at < size;) {
        ssize_t n = pread(descriptor, bytes, sizeof bytes, (off_t) at);
        if (n <= 0)
            return 0;
        at += n;
    }
    return 1;
}

/* Have the bytes of a file in the page cache, if the file system tells whether they are there. One
 * of each step is asked for: of those between them it is seen when they are read. */
static inline int seal_fetch(int descriptor, long long size, int *may_wait)
{
    char byte;
    for (long long at = size - 1; at >= 0; at -= SEAL_STEP) {
        ssize_t n = seal_read_now(descriptor, &byte, 1, at);
        if (n == 1)
            continue;
        if (n < 0 && errno == EAGAIN)
            return seal_touch(descriptor, size);
        *may_wait = n < 0;
        return 0;
    }
    return 1;
}

static inline void seal_open_one(seal_request *one, long long largest)
{
    struct stat status;
    double begun = seal_now();
    if (one->descriptor >= 0) { /* once more: bytes were missing */
        if (!seal_touch(one->descriptor, one->size)) {
            close(one->descriptor);
            one->descriptor = -1;
        }
        one->seconds += seal_now() - begun;
        return;
    }
    int descriptor = open(one->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor >= 0) {
        if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0
            && status.st_size <= largest) {
            one->size = status.st_size;
            one->modified = seal_ns(&status.st_mtim);
            one->changed = seal_ns(&status.st_ctim);
            if (seal_fetch(descriptor, one->size, &one->may_wait)) {
                one->descriptor = descriptor;
                descriptor = -1;
            }
        }
        if (descriptor >= 0)
            close(descriptor);
    }
    one->seconds = seal_now() - begun;
}

static inline void seal_free(seal_pool *pool, seal_request *one)
{
    __atomic_sub_fetch(&pool->held, 1, __ATOMIC_SEQ_CST);
    if (one->descriptor >= 0)
        close(one->descriptor);
    free(one);
}

static void *seal_serve(void *of)
{
    seal_pool *pool = of;
    pthread_mutex_lock(&pool->lock);
    while (!pool->ends) {
        seal_request *one = seal_take(&pool->waiting);
        if (!one) {
            struct timespec until = seal_in(SEAL_IDLE);
            pool->idle++;
            int over = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
            pool->idle--;
            if (over && !pool->waiting.first)
                break;
            continue;
        }
        one->state = SEAL_OPENING;
        pthread_mutex_unlock(&pool->lock);
        seal_open_one(one, pool->largest);
        pthread_mutex_lock(&pool->lock);
        if (one->state == SEAL_GIVEN_UP) { /* nobody else has it any more */
            pool->stuck--;
            pthread_mutex_unlock(&pool->lock);
            seal_free(pool, one);
            pthread_mutex_lock(&pool->lock);
            continue;
        }
        one->state = SEAL_THERE;
        seal_append(&pool->there, one);
        if (pool->waits)
            pthread_cond_signal(&pool->done);
    }
    int last = --pool->threads == 0 && pool->ends;
    pthread_mutex_unlock(&pool->lock);
    if (last)
        free(pool);
    return NULL;
}

static inline seal_pool *seal_new_pool(int most, long long largest)
{
    seal_pool *pool = calloc(1, sizeof *pool);
    pthread_condattr_t clock;
    if (!pool)
        return NULL;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, &clock);
    pthread_cond_init(&pool->done, &clock);
    pthread_condattr_destroy(&clock);
    pool->waiting.end = &pool->waiting.first;
    pool->there.end = &pool->there.first;
    pool->most = most;
    pool->largest = largest;
    return pool;
}

/* Begin with a thread more; with the lock. Signals are for other threads. */
static inline int seal_begin_thread(seal_pool *pool)
{
    pthread_attr_t how;
    pthread_t thread;
    sigset_t all, before;
    if (pool->threads >= pool->most)
        return 0;
    pthread_attr_init(&how);
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&how, SEAL_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int begun = pthread_create(&thread, &how, seal_serve, pool) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&how);
    pool->threads += begun;
    return begun;
}

/* Put a request in line; return whether there is a thread that will take it. */
static inline int seal_put(seal_pool *pool, seal_request *one)
{
    int in_line = 1, good = 1;
    pthread_mutex_lock(&pool->lock);
    for (seal_request *other = pool->waiting.first; other; other = other->next)
        in_line++;
    if (pool->idle < in_line && !seal_begin_thread(pool))
        good = pool->threads > pool->stuck;
    if (good) {
        one->state = SEAL_WAITS;
        seal_append(&pool->waiting, one);
        if (pool->idle)
            pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return good;
}

/* Have a file opened; NULL if there is no memory, or no thread that could do it. */
static inline seal_request *seal_submit(seal_pool *pool, const char *path, size_t length, void *of)
{
    seal_request *one = calloc(1, sizeof *one + length + 1);
    if (!one)
        return NULL;
    memcpy(one->path, path, length);
    one->of = of;
    one->descriptor = -1;
    if (!seal_put(pool, one)) {
        free(one);
        return NULL;
    }
    __atomic_add_fetch(&pool->held, 1, __ATOMIC_SEQ_CST);
    return one;
}

/* Return a request that is over; NULL if none is in so many seconds, or somebody called. */
static inline seal_request *seal_next(seal_pool *pool, double seconds)
{
    struct timespec until = seal_in(seconds);
    const int waited = seconds > 0;
    seal_request *one;
    pthread_mutex_lock(&pool->lock);
    while (!(one = seal_take(&pool->there)) && !pool->called && seconds > 0) {
        pool->waits = 1;
        if (pthread_cond_timedwait(&pool->done, &pool->lock, &until))
            seconds = 0;
        pool->waits = 0;
    }
    if (waited)
        pool->called = 0;
    pthread_mutex_unlock(&pool->lock);
    return one;
}

static inline void seal_call(seal_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->called = 1;
    if (pool->waits)
        pthread_cond_signal(&pool->done);
    pthread_mutex_unlock(&pool->lock);
}

/* Wait for a request no longer; return whether it was still open, and never comes now. If a thread
 * hangs with it, it is that thread's to free, and `*one` is NULL. */
static inline int seal_give_up(seal_pool *pool, seal_request **one)
{
    pthread_mutex_lock(&pool->lock);
    int open = (*one)->state != SEAL_THERE;
    if ((*one)->state == SEAL_OPENING) {
        (*one)->state = SEAL_GIVEN_UP;
        pool->stuck++;
        *one = NULL;
    } else if (open) {
        seal_remove(&pool->waiting, *one);
        (*one)->state = SEAL_GIVEN_UP;
    }
    pthread_mutex_unlock(&pool->lock);
    return open;
}

/* The same for one that nobody has any more. */
static inline void seal_drop(seal_pool *pool, seal_request *one)
{
    seal_give_up(pool, &one);
    if (one) {
        pthread_mutex_lock(&pool->lock);
        seal_remove(&pool->there, one);
        pthread_mutex_unlock(&pool->lock);
        seal_free(pool, one);
    }
}

static inline void seal_end_pool(seal_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->ends = 1;
    int unused = pool->threads == 0;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    if (unused)
        free(pool);
}

/* Read a file whole, without waiting for it. Return -2, and leave it open, if bytes are missing in
 * the page cache; -1 if it cannot be read, or was changed since it was opened. */
static inline long long seal_read_opened(seal_request *one, void *to)
{
    struct stat status;
    long long done = 0;
    ssize_t n = 1;
    while (done < one->size && n > 0) {
        n = seal_read_now(one->descriptor, (char *) to + done, one->size - done, done);
        done += n > 0 ? n : 0;
    }
    if (n < 0 && errno == EAGAIN)
        return -2;
    if (fstat(one->descriptor, &status) != 0 || seal_ns(&status.st_ctim) != one->changed
        || status.st_size != one->size)
        done = -1;
    close(one->descriptor);
    one->descriptor = -1;
    return done == one->size ? done : -1;
}
