/* What commands print: JSON, and the check that it arrived. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include "cli/cli.h"

void cli_print_json(cJSON *json)
{
    char *text = cJSON_Print(json);

    if (text) printf("%s\n", text);
    cJSON_free(text);
    cJSON_Delete(json);
}

void cli_json_shape(cJSON *object, const char *key, const int64_t *dim, int rank)
{
    cJSON *list = cJSON_AddArrayToObject(object, key);

    for (int i = 0; i < rank; i++) cJSON_AddItemToArray(list, cJSON_CreateNumber((double)dim[i]));
}

gs_status cli_flush(bool *quiet)
{
    *quiet = false;
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return GS_OK;
    *quiet = errno == EPIPE;
    return gs_fail(GS_EIO, "standard output: %s", errno ? strerror(errno) : "a write failed");
}
