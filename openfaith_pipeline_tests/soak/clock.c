/* A wall clock that can be set forward: preloaded into every process, it adds the seconds in a shared file to what
   CLOCK_REALTIME says. Monotonic clocks stay true, as on a machine whose clock is set or that wakes from sleep.
   Deadlines that are given in wall-clock time are translated back, so that waits last as long as was meant. Except for
   the long waits of Dagster's daemon, which sleeps until the next full minute: they end when the clock is set beyond
   their end, so that a day does not take a minute of waiting. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t nothing;
static volatile int64_t *ahead = &nothing;
static int is_daemon;
enum { LONG_SECONDS = 10, SLICE_NANOSECONDS = 200000000 };

#define REAL(name) ((__typeof__(&name)) real(#name, &known_##name))
#define KNOWN(name) static void *known_##name
KNOWN(clock_gettime); KNOWN(gettimeofday); KNOWN(clock_nanosleep); KNOWN(sem_timedwait); KNOWN(sem_clockwait);
KNOWN(pthread_cond_timedwait); KNOWN(pthread_cond_clockwait); KNOWN(pthread_mutex_timedlock); KNOWN(syscall);

static void *real(const char *name, void **known) {
    /* The newest of several versions: dlsym would find the oldest pthread_cond_timedwait, which differs. */
    if (!*known) *known = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
    if (!*known) *known = dlsym(RTLD_NEXT, name);
    return *known;
}

__attribute__((constructor)) static void open_clock(void) {
    const char *path = getenv("SOAK_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *shared = mmap(0, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED) ahead = shared;
    close(file);
    char words[4096];
    file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, words, sizeof words);
    is_daemon = length > 0 && memmem(words, length, "dagster._daemon", 15) != 0;
    if (file >= 0) close(file);
}

static int is_wall(clockid_t id) { return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE; }

static const struct timespec *back(const struct timespec *deadline, struct timespec *space) {
    if (!deadline || deadline->tv_sec < *ahead) return deadline;
    *space = *deadline;
    space->tv_sec -= *ahead;
    return space;
}

int clock_gettime(clockid_t id, struct timespec *at) {
    int failed = REAL(clock_gettime)(id, at);
    if (!failed && is_wall(id)) at->tv_sec += *ahead;
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    int failed = REAL(gettimeofday)(at, zone);
    if (!failed) at->tv_sec += *ahead;
    return failed;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *until, struct timespec *left) {
    struct timespec space;
    return REAL(clock_nanosleep)(id, flags, is_wall(id) && flags & TIMER_ABSTIME ? back(until, &space) : until, left);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    struct timespec space;
    return REAL(sem_timedwait)(semaphore, back(until, &space));
}

/* Wait in slices, and no longer once the clock is set beyond the end. */
static int wait_by_clock(sem_t *semaphore, clockid_t id, const struct timespec *until, int64_t began_ahead) {
    for (;;) {
        struct timespec slice;
        REAL(clock_gettime)(id, &slice);
        if (slice.tv_sec + *ahead - began_ahead >= until->tv_sec) return errno = ETIMEDOUT, -1;
        slice.tv_nsec += SLICE_NANOSECONDS;
        if (slice.tv_nsec >= 1000000000) slice.tv_nsec -= 1000000000, slice.tv_sec++;
        if (!REAL(sem_clockwait)(semaphore, id, &slice)) return 0;
        if (errno != ETIMEDOUT) return -1;
    }
}

int sem_clockwait(sem_t *restrict semaphore, clockid_t id, const struct timespec *restrict until) {
    struct timespec space, now;
    if (is_daemon && !is_wall(id) && !REAL(clock_gettime)(id, &now) && until->tv_sec > now.tv_sec + LONG_SECONDS)
        return wait_by_clock(semaphore, id, until, *ahead);
    return REAL(sem_clockwait)(semaphore, id, is_wall(id) ? back(until, &space) : until);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
    struct timespec space;
    return REAL(pthread_mutex_timedlock)(mutex, back(until, &space));
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t id, const struct timespec *until) {
    struct timespec space;
    return REAL(pthread_cond_clockwait)(condition, mutex, id, is_wall(id) ? back(until, &space) : until);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    /* Which clock the condition goes by cannot be seen; seconds since the start are fewer than since 1970. */
    struct timespec space;
    int since_1970 = until->tv_sec > 1000000000;
    return REAL(pthread_cond_timedwait)(condition, mutex, since_1970 ? back(until, &space) : until);
}

long syscall(long number, ...) {
    long given[6];
    struct timespec space;
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++) given[i] = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_futex && given[1] & FUTEX_CLOCK_REALTIME)
        given[3] = (long) back((const struct timespec *) given[3], &space);
    long result = REAL(syscall)(number, given[0], given[1], given[2], given[3], given[4], given[5]);
    if (number == SYS_clock_gettime && !result && is_wall((clockid_t) given[0]))
        ((struct timespec *) given[1])->tv_sec += *ahead;
    return result;
}
