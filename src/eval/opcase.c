/* Op cases: the parser and the values; the builders stand in opcase_build.c. */
#include "eval/opcase_int.h"

#include <stdlib.h>
#include <string.h>

/* ---- parsing ---- */

static gs_status bad(int line, const char *what, const char *word)
{
    return gs_fail(GS_EFORMAT, "op cases, line %d: %s: \"%s\"", line, what, word);
}

/* "2,3,9", "scalar" */
static bool parse_shape(const char *text, gs_shape *s)
{
    char word[96];
    char *save = NULL;

    *s = (gs_shape){ 0 };
    if (strcmp(text, "scalar") == 0) return true;
    if (strlen(text) >= sizeof word) return false;
    strcpy(word, text);
    for (char *p = strtok_r(word, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        if (s->rank == GS_MAX_DIMS || !gs_parse_i64(p, &s->dim[s->rank])) return false;
        s->rank++;
    }
    return s->rank > 0;
}

static const char *const kinds[] = { "any", "pos", "perm", "ties", "cond", "i32", "index", "wild" };

/* Operand k of the builder: [KIND:]DIMS. */
static gs_status parse_operand(gs_opcase *c, int k, const char *value)
{
    gs_opcase_operand *o = &c->operand[c->n_operands];
    const char *colon = strchr(value, ':');
    const char *kind = c->builder->operand[k].kind;
    bool known = false;

    o->name = c->builder->operand[k].name;
    if (colon) {
        if ((size_t)(colon - value) >= sizeof o->kind) return bad(c->line, "unknown kind of values", value);
        memcpy(o->kind, value, (size_t)(colon - value));
        value = colon + 1;
    } else {
        snprintf(o->kind, sizeof o->kind, "%s", kind);
    }
    for (size_t i = 0; i < GS_COUNT(kinds); i++) known = known || strcmp(kinds[i], o->kind) == 0;
    if (!known) return bad(c->line, "unknown kind of values", o->kind);
    o->dtype = strcmp(o->kind, "i32") == 0 || strcmp(o->kind, "index") == 0 || strcmp(o->kind, "wild") == 0 ? GS_I32 : GS_F32;
    if (!parse_shape(value, &o->shape)) return bad(c->line, "bad dims", value);
    for (int i = 0; i < o->shape.rank; i++)
        if (o->shape.dim[i] < 1 || o->shape.dim[i] > 1 << 20) return bad(c->line, "bad dims", value);
    if (gs_shape_count(o->shape) > 1 << 22) return bad(c->line, "too large", value);
    c->n_operands++;
    return GS_OK;
}

static bool known_option(const gs_opcase_builder *b, const char *name)
{
    const size_t n = strlen(name);

    for (const char *p = b->options; *p;) {
        const size_t len = strcspn(p, " ");

        if (len == n && strncmp(p, name, n) == 0) return true;
        p += len + strspn(p + len, " ");
    }
    return false;
}

static gs_status parse_word(gs_opcase *c, char *word)
{
    char *value = strchr(word, '=');
    gs_opcase_option *o = &c->option[c->n_options];

    if (!value) return bad(c->line, "NAME=VALUE is wanted", word);
    *value++ = '\0';
    for (int k = 0; k < GS_OPCASE_OPERANDS && c->builder->operand[k].name; k++) {
        if (strcmp(word, c->builder->operand[k].name) != 0) continue;
        if (k < c->n_operands) return bad(c->line, "an operand twice or out of order", word);
        return parse_operand(c, k, value);
    }
    if (!known_option(c->builder, word)) return bad(c->line, "no such operand or option", word);
    if (c->n_options == GS_OPCASE_OPTIONS || strlen(word) >= sizeof o->name || strlen(value) >= sizeof o->value)
        return bad(c->line, "too long", word);
    strcpy(o->name, word);
    strcpy(o->value, value);
    c->n_options++;
    return GS_OK;
}

/* After the arrow: DIMS [tol=X], or: error "TEXT" */
static gs_status parse_result(gs_opcase *c, char *text)
{
    char *save = NULL, *word;

    text += strspn(text, " ");
    if (strncmp(text, "error ", 6) == 0) {
        const char *from = strchr(text, '"'), *to = from ? strchr(from + 1, '"') : NULL;

        if (!to || to == from + 1 || (size_t)(to - from) >= sizeof c->error)
            return bad(c->line, "error \"TEXT\" is wanted", text);
        memcpy(c->error, from + 1, (size_t)(to - from - 1));
        return GS_OK;
    }
    word = strtok_r(text, " ", &save);
    if (!word || !parse_shape(word, &c->shape)) return bad(c->line, "bad dims", word ? word : "");
    while ((word = strtok_r(NULL, " ", &save)))
        if (strncmp(word, "tol=", 4) != 0 || !gs_parse_f64(word + 4, &c->tol) || c->tol <= 0)
            return bad(c->line, "tol=NUMBER is wanted", word);
    return GS_OK;
}

gs_status gs_opcase_parse(const char *text, int line, gs_opcase *out)
{
    char *copy = gs_xstrdup(text), *arrow = strstr(copy, "->"), *save = NULL, *word;
    gs_status st = GS_OK;

    *out = (gs_opcase){ .line = line, .text = gs_xstrdup(text) };
    if (!arrow) TRY(bad(line, "no ->", text));
    *arrow = '\0';
    word = strtok_r(copy, " ", &save);
    out->builder = word ? gs__opcase_find(word) : NULL;
    if (!out->builder) TRY(bad(line, "no such builder", word ? word : ""));
    while ((word = strtok_r(NULL, " ", &save))) TRY(parse_word(out, word));
    for (int k = out->n_operands; k < GS_OPCASE_OPERANDS && out->builder->operand[k].name; k++)
        if (!out->builder->operand[k].optional) TRY(bad(line, "operand is missing", out->builder->operand[k].name));
    TRY(parse_result(out, arrow + 2));
done:
    free(copy);
    if (st != GS_OK) gs_opcase_free(out);
    return st;
}

void gs_opcase_free(gs_opcase *c)
{
    free(c->text);
    *c = (gs_opcase){ 0 };
}

gs_status gs_opcases_parse(const char *text, gs_opcase **cases, int *n)
{
    char *copy = gs_xstrdup(text), *line = copy;
    gs_status st = GS_OK;
    int cap = 0;

    *cases = NULL;
    *n = 0;
    for (int number = 1; line; number++) {
        char *end = strchr(line, '\n');
        gs_opcase c;

        if (end) *end = '\0';
        if (line[strspn(line, " \t\r")] && line[strspn(line, " \t\r")] != '#') {
            TRY(gs_opcase_parse(line, number, &c));
            GS_PUSH(*cases, *n, cap, c);
        }
        line = end ? end + 1 : NULL;
    }
done:
    free(copy);
    if (st != GS_OK) {
        gs_opcases_free(*cases, *n);
        *cases = NULL;
        *n = 0;
    }
    return st;
}

void gs_opcases_free(gs_opcase *cases, int n)
{
    for (int i = 0; i < n; i++) gs_opcase_free(&cases[i]);
    free(cases);
}

const char *gs_opcase_name(const gs_opcase *c)
{
    return c->builder->name;
}

/* ---- options ---- */

const char *gs__opcase_word(const gs_opcase *c, const char *name, const char *otherwise)
{
    for (int i = 0; i < c->n_options; i++)
        if (strcmp(c->option[i].name, name) == 0) return c->option[i].value;
    return otherwise;
}

double gs__opcase_real(const gs_opcase *c, const char *name, double otherwise)
{
    const char *word = gs__opcase_word(c, name, NULL);
    double v;

    return word && gs_parse_f64(word, &v) ? v : otherwise;
}

int gs__opcase_int(const gs_opcase *c, const char *name, int otherwise)
{
    return (int)gs__opcase_real(c, name, otherwise);
}

gs_shape gs__opcase_shape(const gs_opcase *c, const char *name)
{
    gs_shape s;

    return parse_shape(gs__opcase_word(c, name, "scalar"), &s) ? s : GS_SCALAR;
}

/* ---- values ---- */

static gs_rng generator(const gs_opcase *c, uint64_t which)
{
    return (gs_rng){ .seed = gs_hash_str(c->text), .stream = which };
}

/* How many rows an index may choose from. */
static int64_t index_range(const gs_opcase *c)
{
    const int n = gs__opcase_int(c, "n", gs__opcase_int(c, "v", 0));

    return n > 0 ? n : c->operand[0].shape.rank ? c->operand[0].shape.dim[0] : 1;
}

static void fill_int(const gs_opcase *c, gs_rng *r, const char *kind, int64_t count, int32_t *dst)
{
    const int32_t range = (int32_t)index_range(c);

    for (int64_t i = 0; i < count; i++) {
        if (strcmp(kind, "i32") == 0)
            dst[i] = (int32_t)gs_rng_below(r, 41) - 20;
        else if (strcmp(kind, "index") == 0)
            dst[i] = (int32_t)gs_rng_below(r, (uint32_t)range);
        else
            dst[i] = (int32_t)gs_rng_below(r, (uint32_t)range + 4) - 2;
    }
}

void gs_opcase_values(const gs_opcase *c, int i, void *dst)
{
    const gs_opcase_operand *o = &c->operand[i];
    const int64_t count = gs_shape_count(o->shape);
    gs_rng r = generator(c, (uint64_t)i);
    float *f = dst;

    if (o->dtype == GS_I32) {
        fill_int(c, &r, o->kind, count, dst);
    } else if (strcmp(o->kind, "perm") == 0) {
        int32_t *order = gs_xalloc((size_t)count * sizeof *order);

        gs_rng_permute(&r, order, (int)count);
        for (int64_t k = 0; k < count; k++) f[k] = (float)(4 * (order[k] + 0.5) / (double)count - 2);
        free(order);
    } else {
        for (int64_t k = 0; k < count; k++) {
            const uint32_t u = gs_rng_u32(&r);

            if (strcmp(o->kind, "ties") == 0)
                f[k] = (float)(u % 3) - 1;
            else if (strcmp(o->kind, "cond") == 0)
                f[k] = (float)(u % 2);
            else if (strcmp(o->kind, "pos") == 0)
                f[k] = (float)(0.5 + (u >> 8) * 0x1p-23);
            else /* steps of 1/64, shifted by 1/128 and a little more for each operand: neither kinks nor ties */
                f[k] = (float)((int)(u % 256) - 128) / 64 + 1.0f / 128 + (float)i / 1024;
        }
    }
}

void gs_opcase_direction(const gs_opcase *c, int which, int64_t count, float *dst)
{
    gs_rng r = generator(c, 1000 + (uint64_t)which);

    for (int64_t i = 0; i < count; i++) dst[i] = (float)((gs_rng_u32(&r) >> 8) + 0.5) * 0x1p-23f - 1;
}

bool gs_opcase_wants_grad(const gs_opcase *c, int i)
{
    return c->operand[i].dtype == GS_F32 && strcmp(c->operand[i].kind, "cond") != 0;
}

bool gs_opcase_smooth(const gs_opcase *c)
{
    if (strcmp(gs_opcase_name(c), "detach") == 0) return false; /* its gradient is not its derivative */
    for (int i = 0; i < c->n_operands; i++)
        if (strcmp(c->operand[i].kind, "ties") == 0) return false;
    return true;
}

double gs_opcase_tolerance(const gs_opcase *c)
{
    return c->tol > 0 ? c->tol : c->builder->tol > 0 ? c->builder->tol : 2e-7; /* three units in the last place */
}

gs_node *gs_opcase_build(const gs_opcase *c, gs_graph *g, gs_node *const *operand)
{
    return c->builder->build(c, g, operand);
}
