#!/usr/bin/env python3
"""tinygrad on OpenCL in worker.py's place: products and convolutions, each captured by its TinyJit. The same lines of JSON in and out.

DEV=CL is set unless DEV is; which OpenCL device that is, tinygrad decides (CL_PLATFORM and the like).
"""
import json
import os
import sys
import time

from worker import cpu_seconds, status


def prepare(case, tinygrad):
    import ops
    Tensor = tinygrad.Tensor
    p = case["params"]
    tensor = lambda name, *shape: Tensor(ops.data(name, *shape).numpy()).realize()
    if case["family"] == "gemm":
        lead = (p["batch"],) if p["batch"] > 1 else ()
        a = tensor("a", *lead, *((p["k"], p["m"]) if p["ta"] else (p["m"], p["k"])))
        b = tensor("b", *lead, *((p["n"], p["k"]) if p["tb"] else (p["k"], p["n"])))
        turn = lambda t, yes: t.transpose(-1, -2) if yes else t
        return tinygrad.TinyJit(lambda a, b: turn(a, p["ta"]).matmul(turn(b, p["tb"])).realize()), (a, b)
    if case["family"] != "conv":
        raise ValueError("only products and convolutions are run with tinygrad")
    c, o, k, pad = p["x"][1], p["o"], p["k"], p["pad"]
    x, w = tensor("x", *p["x"]), tensor("w", *((c, o) if p["transposed"] else (o, c)), k, k)

    def forward(x, w):
        if p["transposed"]:
            return x.conv_transpose2d(w, stride=p["stride"], padding=pad)
        if p["reflect"] and pad:
            return x.pad((pad,) * 4, mode="reflect").conv2d(w, stride=p["stride"])
        return x.conv2d(w, stride=p["stride"], padding=pad)

    if case["op"] == "y":
        return tinygrad.TinyJit(lambda x, w: forward(x, w).realize()), (x, w)
    dy = tensor("dy", *forward(x, w).shape)
    by = (lambda x, w: x) if case["op"] == "dx" else (lambda x, w: w)
    return tinygrad.TinyJit(lambda x, w, dy: forward(x, w).gradient(by(x, w), gradient=dy)[0].realize()), (x, w, dy)


def main():
    os.environ.setdefault("DEV", "CL")
    import importlib.metadata
    import tinygrad
    import ops
    device = tinygrad.Device[tinygrad.Device.DEFAULT]
    answer = lambda o: print(json.dumps(o), flush=True)
    answer({"torch": "none; tinygrad " + importlib.metadata.version("tinygrad") + " on " + tinygrad.Device.DEFAULT, "threads": 0, "baseline": status("VmRSS")})
    run = operands = None
    for line in sys.stdin:
        try:
            ask = json.loads(line)
            if "op" in ask:
                run, operands = prepare(ask["op"], tinygrad)
                for _ in range(3):      # the second call captures, the third replays
                    result = run(*operands)
                rms, sketch = ops.digest([ops.torch.from_numpy(result.numpy().copy())])
                answer({"rms": rms, "sketch": sketch})
            elif "runs" in ask:
                cpu, start = cpu_seconds(), time.perf_counter()
                for _ in range(ask["runs"]):
                    run(*operands)
                device.synchronize()
                answer({"runs": ask["runs"], "seconds": time.perf_counter() - start, "cpu_seconds": cpu_seconds() - cpu})
            else:
                answer({"error": "only products and convolutions are run with tinygrad"})
        except Exception as e:  # the driver lists it and goes on
            answer({"error": f"{type(e).__name__}: {e}"})


if __name__ == "__main__":
    main()
