"""The ops of `gesso bench --list` in PyTorch: from a case's description to a function that runs it once.

Operands are Gesso's test data (uniform in [-1,1), made from the operand's name), so results can be held against each other. Where Gesso measures a gradient alone,
so does this where PyTorch has an operator for it; normalisation runs forward and backward, since the backward operators want what the
forward kept. Letters: N C H W batch, channels, rows, columns; O output channels; K kernel side.
"""
import numpy as np
import torch
import torch.nn.functional as F

aten = torch.ops.aten
U64 = (1 << 64) - 1


def mix(i):
    """splitmix64 of an array of uint64."""
    with np.errstate(over="ignore"):
        i = i + np.uint64(0x9E3779B97F4A7C15)
        i = (i ^ (i >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        i = (i ^ (i >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return i ^ (i >> np.uint64(31))


def name_hash(name):
    """src/base/hash.c over the name's bytes, from seed 0."""
    h = 0xCBF29CE484222325
    for c in name.encode():
        h = ((h ^ c) * 0x100000001B3) & U64
    return h


def data(name, *shape):
    i = np.arange(int(np.prod(shape)), dtype=np.uint64)
    with np.errstate(over="ignore"):
        bits = mix(i + np.uint64(name_hash(name))) >> np.uint64(40)
    return torch.from_numpy((bits.astype(np.float64) * 2.0 ** -23 - 1).astype(np.float32).reshape(shape))


def digest(results):
    """Root mean square and sketch of tensors, as src/bench/digest.c computes them."""
    square, signs, count = 0.0, [0.0] * 4, 0
    for r in results:
        v = r.detach().numpy().astype(np.float64).ravel()
        bits = mix(np.arange(count, count + v.size, dtype=np.uint64))
        square += float(v @ v)
        for k in range(4):
            up = (bits >> np.uint64(13 * k)) & np.uint64(1)
            signs[k] += float(v[up == 1].sum() - v[up == 0].sum())
        count += v.size
    norm = square ** 0.5
    return norm / max(count, 1) ** 0.5, [s / norm if norm > 0 else 0.0 for s in signs]


# Each maker gets the case and returns a function without arguments that returns a tuple of results, in Gesso's order.

def gemm(case):
    p = case["params"]
    n, m, k, b = p["n"], p["m"], p["k"], p["batch"]
    lead = (b,) if b > 1 else ()
    x = data("a", *lead, *((k, m) if p["ta"] else (m, k)))
    y = data("b", *lead, *((n, k) if p["tb"] else (k, n)))
    x = x.transpose(-1, -2) if p["ta"] else x
    y = y.transpose(-1, -2) if p["tb"] else y
    return lambda: (torch.matmul(x, y),)


def conv(case):
    p = case["params"]
    n, c, h, w = p["x"]
    o, k, s, pad, reflect, transposed = p["o"], p["k"], p["stride"], p["pad"], p["reflect"], p["transposed"]
    x = data("x", n, c, h, w)
    weight = data("w", *((c, o) if transposed else (o, c)), k, k)
    zero = 0 if reflect else pad
    if transposed:
        forward = lambda: F.conv_transpose2d(x, weight, None, s, pad)
    elif reflect and pad:
        forward = lambda: F.conv2d(F.pad(x, (pad,) * 4, mode="reflect"), weight, None, s)
    else:
        forward = lambda: F.conv2d(x, weight, None, s, zero)
    if case["op"] == "y":
        return lambda: (forward(),)
    by_x = case["op"] == "dx"
    dy = data("dy", *forward().shape)
    padded = F.pad(x, (pad,) * 4, mode="reflect") if reflect and pad else x     # a step keeps it from the forward pass
    mask = [by_x, not by_x, False]
    backward = lambda: aten.convolution_backward(dy, padded, weight, None, [s, s], [zero, zero], [1, 1], transposed, [0, 0], 1, mask)
    if not by_x:
        return lambda: (backward()[1],)
    if padded is x:
        return lambda: (backward()[0],)
    return lambda: (aten.reflection_pad2d_backward(backward()[0], x, (pad,) * 4),)


def forward_backward(function, x, *others):
    """Gradients by the others, then by x, as Gesso's cases give them out."""
    leaves = [t.requires_grad_(True) for t in (x, *others)]
    dy = data("dy", *function(*leaves).shape)

    def run():
        with torch.enable_grad():
            by_x, *by_others = torch.autograd.grad(function(*leaves), leaves, dy)
            return (*by_others, by_x)
    return run


def per_channel(t, like):
    return t.view(1, -1, *([1] * (like.dim() - 2)))


def batch_norm(x, w, b):
    return F.batch_norm(x, None, None, w, b, True, 0.1, 1e-5)


def moments(x, dims):
    return x.mean(dims, keepdim=True), x.var(dims, unbiased=False, keepdim=True)


def spade_norm(x, gamma, beta):
    return F.leaky_relu(F.batch_norm(x, None, None, None, None, True, 0.1, 1e-5) * (1 + gamma) + beta, 0.2)


def adalin(x, gamma, beta, rho):
    mean_i, mean_l = torch.mean(x, (2, 3), keepdim=True), torch.mean(x, (1, 2, 3), keepdim=True)
    a = (x - mean_i) / torch.sqrt(torch.var(x, (2, 3), keepdim=True) + 1e-5)
    b = (x - mean_l) / torch.sqrt(torch.var(x, (1, 2, 3), keepdim=True) + 1e-5)
    return (rho * a + (1 - rho) * b) * gamma[:, :, None, None] + beta[:, :, None, None]


def tensor(case):
    """Normalisation, elementwise, reductions, resampling."""
    shape, op = case["params"]["x"], case["op"]
    x = data("x", *shape)
    c = shape[1]
    w, b = (lambda: data("w", c)), (lambda: data("b", c))
    like = lambda name: data(name, *shape)
    dy = lambda y: data("dy", *y.shape)
    if op == "batch_norm_grad":
        return forward_backward(batch_norm, x, w(), b())
    if op == "layer_norm_grad":
        return forward_backward(lambda x, w, b: F.layer_norm(x, (c,), w, b), x, w(), b())
    if op == "instance_norm_grad":
        return forward_backward(F.instance_norm, x)
    if op == "nearest2_grad":
        g = data("dy", shape[0], c, 2 * shape[2], 2 * shape[3])
        return lambda: (aten.upsample_nearest2d_backward(g, [2 * shape[2], 2 * shape[3]], list(shape), 2.0, 2.0),)
    if op == "avg_pool2_grad":
        g = data("dy", shape[0], c, shape[2] // 2, shape[3] // 2)
        return lambda: (aten.avg_pool2d_backward(g, x, [2, 2], [2, 2], [0, 0], False, True, None),)
    if op == "leaky_relu_grad":
        g = like("dy")
        return lambda: (aten.leaky_relu_backward(g, x, 0.2, False),)
    makers = {
        "batch_norm": lambda w=w, b=b: (batch_norm, w(), b()),
        "instance_norm_relu": lambda: (lambda x: F.relu(F.instance_norm(x)),),
        "adalin": lambda: (adalin, data("gamma", shape[0], c), data("beta", shape[0], c), data("rho", 1, c, 1, 1)),
        "spade_norm": lambda: (spade_norm, like("gamma"), like("beta")),
        "layer_norm": lambda: (lambda x, w, b: F.layer_norm(x, (c,), w, b), w(), b()),
        "softmax": lambda: (lambda x: F.softmax(x, 1),),
        "bias_leaky_relu": lambda: (lambda x, b: F.leaky_relu(x + per_channel(b, x), 0.2), b()),
        "add": lambda: (torch.add, like("x2")),
        "tanh": lambda: (torch.tanh,),
        "modulate": lambda: (lambda x, g, b: F.leaky_relu(x * (1 + g) + b, 0.2), like("gamma"), like("beta")),
        "l1_loss": lambda: (F.l1_loss, like("target")),
        "sum_hw": lambda: (lambda x: x.sum((2, 3)),),
        "sum_bias": lambda: (lambda x: x.sum([d for d in range(x.dim()) if d != 1]),),
        "nearest2": lambda: (lambda x: F.interpolate(x, scale_factor=2, mode="nearest"),),
        "bilinear": lambda: (lambda x: F.interpolate(x, (299, 299), mode="bilinear", align_corners=False),),
        "avg_pool2": lambda: (lambda x: F.avg_pool2d(x, 2),),
        "avg_pool3s2": lambda: (lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),),
        "max_pool2": lambda: (lambda x: F.max_pool2d(x, 2),),
        "reflect1": lambda: (lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"),),
    }
    if op not in makers:
        raise ValueError(f"no peer for op {op}")
    function, *others = makers[op]()
    return lambda: (function(x, *others),)


def adam(case):
    p = [torch.nn.Parameter(data(f"p{i}", *s)) for i, s in enumerate(case["params"]["tensors"])]
    for i, q in enumerate(p):
        q.grad = data(f"g{i}", *q.shape)
    optimiser = torch.optim.Adam(p, 1e-3, (0.5, 0.999))

    def run():
        optimiser.step()
        return tuple(q.detach() for q in p)
    return run


def prepare(case):
    """A function that runs the case once and returns its results."""
    family = case["family"]
    run = {"gemm": gemm, "conv": conv, "adam": adam}.get(family, tensor)(case)

    def quietly():
        with torch.no_grad():
            return run()
    return quietly
