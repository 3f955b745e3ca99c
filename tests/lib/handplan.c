#include "handplan.h"

gs_plan *gs_hand_plan(gs_device *d)
{
    gs_plan *p = gs_xalloc(sizeof *p);

    p->d = d;
    p->off_inplace = true;
    return p;
}

gs_value *gs_hand_value(gs_plan *p, const float *data, int64_t count)
{
    /* Tables are shared when equal; a result must not be, so the value is made here. */
    gs_value *v = gs__value_new(p, GS_PLACE_CONSTANT, count, GS_F32, "value %d", p->n_values);

    v->host = gs_xalloc(4 * (size_t)count);
    for (int64_t i = 0; i < count; i++) ((float *)v->host)[i] = data[i];
    return v;
}

gs_status gs_hand_bind(gs_plan *p)
{
    gs_status st = GS_OK;

    TRY(gs_store_new(p->d, 0, &p->store));
    p->own_store = true;
    TRY(gs__pass_memory(p));
    TRY(gs__plan_bind(p));
done:
    return st;
}

gs_status gs_hand_read(gs_plan *p, const gs_value *v, float *dst)
{
    size_t offset;
    gs_buffer *b = gs__plan_buffer(p, v, &offset);

    return p->d->drv->read(p->d, b, offset, dst, 4 * (size_t)v->count);
}
