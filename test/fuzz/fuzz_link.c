/* The value of a Link field. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "message/h2_link.h"

static size_t count_of(const char *text, char octet)
{
    size_t count = 0;

    for (; *text; ++text) {
        count += (*text == octet);
    }
    return count;
}

static void check_link(const h2_link *link, size_t length)
{
    FUZZ_CHECK(link->target && strlen(link->target) <= length);
    FUZZ_CHECK(!strpbrk(link->target, "<>"));
    FUZZ_CHECK(!link->as || (*link->as && strlen(link->as) <= length) || strchr("\\", *link->as));
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    const char *at = text;
    size_t links = 0;

    for (;;) {
        const char *before = at;
        h2_link link = {.target = "untouched"};

        if (!h2_link_next(&at, pool, &link)) {
            FUZZ_CHECK(!*at && !strcmp(link.target, "untouched"));
            break;
        }
        FUZZ_CHECK(at > before && at <= text + strlen(text));
        check_link(&link, (size_t)(at - before));
        ++links;
    }
    FUZZ_CHECK(links <= count_of(text, '<') && links <= count_of(text, ',') + 1);
    free(text);
}
