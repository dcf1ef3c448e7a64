#include "base/h2_clock.h"

#include <time.h>

/* So that no time is near 0, which stands for "none", and the time since something that never was
 * is long: the system's clock of this kind may begin when the machine does. */
#define H2_CLOCK_START ((apr_time_t)1 << 42)

apr_time_t h2_clock_now(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        return apr_time_now();
    }
    return H2_CLOCK_START + apr_time_from_sec((apr_time_t)now.tv_sec) + now.tv_nsec / 1000;
}
