/* Learning-rate and momentum schedules, on the host in double: the results are fed as scalars. */
#include <math.h>

#include "gesso/nn.h"

double gs_lr_steps(double lr, double gamma, const int *steps, int n, int epoch)
{
    for (int i = 0; i < n; i++) {
        if (epoch >= steps[i]) lr *= gamma;
    }
    return lr;
}

double gs_lr_linear(double lr, int64_t start, int64_t end, int64_t step)
{
    if (step <= start) return lr;
    if (step >= end) return 0;
    return lr * (double)(end - step) / (double)(end - start);
}

double gs_lr_exponential(double lr, double factor, double floor, int64_t t)
{
    return fmax(lr * exp(-(double)t * log(factor)), floor);
}

double gs_momentum_ramp(double first, double last, int saturate, int epoch)
{
    if (epoch <= 1 && saturate > 1) return first;
    if (epoch >= saturate) return last;
    return first + (last - first) * (epoch - 1) / (saturate - 1);
}
