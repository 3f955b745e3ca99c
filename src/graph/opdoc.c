/* The op table as text: docs/ops.md and `gesso ops` are printed from it, so they cannot lag behind the code. */
#include "graph/graph.h"

#include <string.h>

static const char *kind_of(const gs_op *op)
{
    if (op->flags & GS_F_RANDOM) return "random";
    if (op->flags & GS_F_SOURCE) return "source";
    if (op->flags & GS_F_ELEMENTWISE) return "elementwise";
    if (op->flags & GS_F_VIEW) return "view";
    if (op->flags & GS_F_REDUCE) return "reduction";
    return "own kernel";
}

/* A bar would end the table's cell. */
static void cell(gs_str *s, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '|') gs_str_append(s, "\\", 1);
        gs_str_append(s, p, 1);
    }
}

static void inputs(gs_str *s, const gs_op *op)
{
    if (op->n_in < 0)
        gs_str_printf(s, "n");
    else
        gs_str_printf(s, "%d", op->n_in);
}

void gs_ops_markdown(gs_str *s)
{
    gs_str_printf(s, "# Ops\n\nPrinted from the op table (`gesso ops --markdown`); do not edit.\n\n"
                     "All else is composed of these %d. A gradient rule builds ops again, so every gradient can itself be\n"
                     "differentiated; where the last column gives a reason instead, the derivative is zero or does not exist.\n\n"
                     "| op | inputs | kind | formula | attributes | gradient |\n|---|---|---|---|---|---|\n",
                  (int)GS_OP_COUNT);
    for (int i = 0; i < GS_OP_COUNT; i++) {
        const gs_op *op = gs_op_table[i];

        gs_str_printf(s, "| `%s` | ", op->name);
        inputs(s, op);
        gs_str_printf(s, " | %s | ", kind_of(op));
        cell(s, op->formula);
        gs_str_printf(s, " | ");
        cell(s, op->attrs ? op->attrs : "");
        gs_str_printf(s, " | ");
        cell(s, op->flags & GS_F_NO_GRAD ? op->no_grad : "yes");
        gs_str_printf(s, " |\n");
    }
}

void gs_ops_text(gs_str *s)
{
    for (int i = 0; i < GS_OP_COUNT; i++) {
        const gs_op *op = gs_op_table[i];

        gs_str_printf(s, "%-17s %-12s %s%s%s\n", op->name, kind_of(op), op->formula,
                      op->flags & GS_F_NO_GRAD ? "   no gradient: " : "", op->flags & GS_F_NO_GRAD ? op->no_grad : "");
    }
}
