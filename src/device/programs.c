/* Programs of a device, each built once: by file and options for those of cl/, by source and options for generated ones. */
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "device/kernels.h"

struct gs_program_entry {
    struct gs_program_entry *next;
    char *label, *options;
    uint64_t source; /* hash of generated source, 0 for a file by itself */
    gs_program *program;
};

struct gs_unbuilt {
    struct gs_unbuilt *next;
    char *name, *why;
};

enum { MAX_TEXT = 1 << 22 }; /* bytes of a kernel file that GESSO_KERNELS offers */
enum { LOG_LINES = 12, LOG_CHARS = 1200 }; /* of a compiler's log that go into a message */

gs_status gs_kernel_text(const char *file, char **text)
{
    const char *dir = getenv("GESSO_KERNELS");

    *text = NULL;
    if (dir && *dir) {
        char *path = gs_path_join(dir, file);
        const bool there = gs_file_exists(path);
        uint8_t *data;
        size_t size;
        gs_status st = there ? gs_file_read(path, MAX_TEXT, &data, &size) : GS_OK;

        free(path);
        if (st != GS_OK) return gs_fail_in(st, "GESSO_KERNELS");
        if (there) {
            *text = (char *)data; /* gs_file_read ends it with a NUL */
            return GS_OK;
        }
    }
    for (const gs_kernel_file *f = gs__kernel_files; f->name; f++) {
        if (strcmp(f->name, file)) continue;
        *text = gs_xstrdup(f->text);
        return GS_OK;
    }
    return gs_fail(GS_EBUILD, "cl/%s: no such kernel file in this build", file);
}

/* Compilers get one text and know no folder, so headers are put in here. */
gs_status gs_kernel_source(const char *file, char **source)
{
    static const char include[] = "#include \"";
    gs_str whole = {0};
    char *text;
    int number = 0;
    gs_status st = gs_kernel_text(file, &text);

    *source = NULL;
    if (st != GS_OK) return st;
    for (const char *line = text, *end; *line && st == GS_OK; line = end) {
        const char *name = line + sizeof include - 1;

        end = strchr(line, '\n');
        end = end ? end + 1 : line + strlen(line);
        number++;
        if (strncmp(line, include, sizeof include - 1)) {
            gs_str_append(&whole, line, (size_t)(end - line));
        } else {
            gs_str header = {0};
            char *shared;

            gs_str_append(&header, name, strcspn(name, "\"\n"));
            st = gs_kernel_text(gs_str_c(&header), &shared);
            if (st == GS_OK) gs_str_printf(&whole, "#line 1 \"%s\"\n%s\n#line %d \"%s\"\n", gs_str_c(&header), shared, number + 1, file);
            else gs_fail_in(st, "cl/%s:%d", file, number);
            gs_str_free(&header);
            free(shared);
        }
    }
    free(text);
    if (st == GS_OK) *source = gs_xstrdup(gs_str_c(&whole));
    gs_str_free(&whole);
    return st;
}

static gs_program *find(const gs_device *d, const char *label, uint64_t source, const char *options)
{
    for (const struct gs_program_entry *e = d->programs; e; e = e->next)
        if (e->source == source && !strcmp(e->label, label) && !strcmp(e->options, options)) return e->program;
    return NULL;
}

static gs_status build(gs_device *d, const char *label, uint64_t hash, const char *source, const char *options, gs_program **out)
{
    const gs_status st = d->drv->build(d, label, source, options, out);
    struct gs_program_entry *e;

    if (st != GS_OK) return st;
    e = gs_xalloc(sizeof *e);
    *e = (struct gs_program_entry){d->programs, gs_xstrdup(label), gs_xstrdup(options), hash, *out};
    d->programs = e;
    return GS_OK;
}

gs_status gs_program_get(gs_device *d, const char *file, const char *options, gs_program **out)
{
    return gs_program_with(d, file, NULL, options, out);
}

gs_status gs_program_with(gs_device *d, const char *file, const char *before, const char *options, gs_program **out)
{
    const uint64_t hash = before ? gs_hash_str(before) | 1 : 0;
    gs_str whole = {0};
    gs_status st;
    char *text;

    options = options ? options : "";
    *out = find(d, file, hash, options);
    if (*out) return GS_OK;
    st = gs_kernel_source(file, &text);
    if (st == GS_OK) {
        gs_str_printf(&whole, "%s%s", before ? before : "", text);
        st = build(d, file, hash, gs_str_c(&whole), options, out);
    }
    gs_str_free(&whole);
    free(text);
    return st;
}

gs_status gs_program_source(gs_device *d, const char *label, const char *source, const char *options, gs_program **out)
{
    const uint64_t hash = gs_hash_str(source) | 1; /* never 0 */

    options = options ? options : "";
    *out = find(d, label, hash, options);
    return *out ? GS_OK : build(d, label, hash, source, options, out);
}

bool gs_unbuilt_add(gs_device *d, const char *name, const char *why)
{
    struct gs_unbuilt *u;

    if (gs_unbuilt_find(d, name)) return false;
    u = gs_xalloc(sizeof *u);
    *u = (struct gs_unbuilt){d->unbuilt, gs_xstrdup(name), gs_xstrdup(why)};
    d->unbuilt = u;
    return true;
}

const char *gs_unbuilt_find(const gs_device *d, const char *name)
{
    for (const struct gs_unbuilt *u = d->unbuilt; u; u = u->next)
        if (!strcmp(u->name, name)) return u->why;
    return NULL;
}

void gs__programs_free(gs_device *d)
{
    while (d->unbuilt) {
        struct gs_unbuilt *u = d->unbuilt;

        d->unbuilt = u->next;
        free(u->name);
        free(u->why);
        free(u);
    }
    while (d->programs) {
        struct gs_program_entry *e = d->programs;

        d->programs = e->next;
        d->drv->free_program(d, e->program);
        free(e->label);
        free(e->options);
        free(e);
    }
}

void gs__log_head(char *log)
{
    int lines = 0;
    size_t i = 0;

    while (log[i] && i < LOG_CHARS && !(log[i] == '\n' && ++lines == LOG_LINES)) i++;
    log[i] = '\0';
    while (i > 0 && (log[i - 1] == '\n' || log[i - 1] == ' ')) log[--i] = '\0';
}
