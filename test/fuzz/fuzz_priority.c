/* The value of a priority field, which is a dictionary of structured fields. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "message/h2_priority.h"

static int is_blank(const char *text, size_t length)
{
    while (length && *text == ' ') {
        ++text;
        --length;
    }
    return !length;
}

/* With another member behind it, it means the same but for that. */
static void check_with_more(const h2_priority *known, const char *text, size_t length)
{
    static const char more[] = " , u=5;a=\"b\", zz=(1 ?1 :YQ==:);q";
    char *longer = malloc(length + sizeof(more) - 1);
    h2_priority priority;

    memcpy(longer, text, length);
    memcpy(longer + length, more, sizeof(more) - 1);
    h2_priority_init(&priority);
    FUZZ_CHECK(h2_priority_parse(&priority, longer, length + sizeof(more) - 1));
    FUZZ_CHECK(priority.urgency == 5 && priority.is_incremental == known->is_incremental);
    free(longer);
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    char *text = fuzz_copy(data, size);
    h2_priority priority, other = {6, 1};

    (void)pool;
    h2_priority_init(&priority);
    if (h2_priority_parse(&priority, text, size)) {
        FUZZ_CHECK(priority.urgency >= 0 && priority.urgency <= H2_URGENCY_MAX);
        if (!is_blank(text, size)) {
            check_with_more(&priority, text, size);
        }
        FUZZ_CHECK(h2_priority_parse(&other, text, size));
        FUZZ_CHECK(other.urgency == priority.urgency || other.urgency == 6);
    }
    else {
        FUZZ_CHECK(priority.urgency == H2_URGENCY_DEFAULT && !priority.is_incremental);
        FUZZ_CHECK(!h2_priority_parse(&other, text, size));
        FUZZ_CHECK(other.urgency == 6 && other.is_incremental);
    }
    free(text);
}
