/* The op table, in the order of ops.list. */
#include "graph/graph.h"

#include <assert.h>

const gs_op *const gs_op_table[GS_OP_COUNT] = {
#define OP(name) [GS_OP_##name] = &gs_op_##name,
#include "graph/ops.list"
#undef OP
};

gs_op_id gs_op_id_of(const gs_op *op)
{
    int i = 0;

    while (i < GS_OP_COUNT && gs_op_table[i] != op) i++;
    assert(i < GS_OP_COUNT && "an op outside the table");
    return (gs_op_id)i;
}
