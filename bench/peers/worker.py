#!/usr/bin/env python3
"""The PyTorch side of compare.py: a process that lives through many cases, so that starting Python counts nowhere.

One line of JSON in, one out. First it says {"torch", "threads", ...}; then {"op": CASE} or {"model": NAME, "batch": N} prepares and runs
once, {"runs": N} runs N times and answers {"runs", "seconds", "cpu_seconds"}. A failure answers {"error"}.
"""
import argparse
import json
import os
import resource
import sys
import time


def status(key):
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    return 0


def cpu_seconds():
    """Processor seconds of all threads."""
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def prepare_model(name, batch):
    """A training step: cgan/PROFILE, ugatit/light_128 and the like, with "_lean" behind it without the original's waste."""
    from models import cgan, ugatit
    system, _, profile = name.partition("/")
    if system == "cgan":
        training = cgan.Training(profile, batch)
    else:
        width, size, *lean = profile.split("_")
        training = ugatit.Training(int(size), light=width == "light", waste=not lean)
    feed = training.feed()
    return training.batch, lambda: training.step(*feed)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--threads", type=int, default=2)
    opt = args.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(opt.threads))
    import torch
    torch.set_num_threads(opt.threads)
    torch.manual_seed(0)
    import ops
    answer = lambda o: print(json.dumps(o), flush=True)
    answer({"torch": torch.__version__, "threads": torch.get_num_threads(), "mkldnn": torch.backends.mkldnn.is_available(),
            "baseline": status("VmRSS")})
    run = None
    for line in sys.stdin:
        try:
            ask = json.loads(line)
            if "op" in ask:
                run = ops.prepare(ask["op"])
                rms, sketch = ops.digest(run())
                answer({"rms": rms, "sketch": sketch})
            elif "model" in ask:
                batch, run = prepare_model(ask["model"], ask.get("batch"))
                losses = run()
                answer({"batch": batch, "losses": losses})
            else:
                cpu, start = cpu_seconds(), time.perf_counter()
                for _ in range(ask["runs"]):
                    run()
                answer({"runs": ask["runs"], "seconds": time.perf_counter() - start, "cpu_seconds": cpu_seconds() - cpu})
        except Exception as e:  # the driver lists it and goes on
            answer({"error": f"{type(e).__name__}: {e}"})


if __name__ == "__main__":
    main()
