#!/usr/bin/env python3
"""Are the modules of models/ what they should be? python3 verify.py GOLDEN_FOLDER [PATTERN]

Counts trainable values, and repeats golden cases: cgan/*-train* without masks (losses of each step) and ugatit/ugatit_light_tiny_*
(pictures; losses of each step and weights after the last). PATTERN picks files: "paper*". A comparison with a wrong peer would be worth nothing.
"""
import fnmatch
import json
import os
import struct
import sys
import zlib

import numpy as np
import torch

from models import cgan, ugatit

TYPES = {"F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "u1"}
failures = 0


def read(path):
    with open(path, "rb") as f:
        data = f.read()
    (n,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8:8 + n])
    meta = head.pop("__metadata__")
    body = data[8 + n:]
    return meta, {k: np.frombuffer(body[v["data_offsets"][0]:v["data_offsets"][1]], TYPES[v["dtype"]]).reshape(v["shape"])
                  for k, v in head.items()}


def say(right, text):
    global failures
    failures += not right
    print(("ok    " if right else "WRONG ") + text)


def hashed(key, shape):
    i = np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.uint64).astype(np.uint32)
    h = np.uint32(zlib.crc32(key.encode())) ^ (i * np.uint32(0x9E3779B9))
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h ^= h >> np.uint32(shift)
        h *= np.uint32(factor)
    h ^= h >> np.uint32(16)
    return (2 * (h >> np.uint32(8)).astype("f8") / 2 ** 24 - 1).reshape(shape)


def filled(key, shape):
    """The golden format's rule for state that a file does not store."""
    r = hashed(key, shape)
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape)
    if len(shape) >= 2:
        return r * np.sqrt(3 / np.prod(shape[1:]))
    return 1 + 0.1 * r if key.endswith(("running_var", "weight")) else 0.1 * r


def load(net, name, tensors):
    state = net.state_dict()
    for k, t in state.items():
        key = f"state.{name}.{k}"
        value = tensors[key] if key in tensors else filled(key, tuple(t.shape))
        state[k] = torch.tensor(np.asarray(value), dtype=t.dtype).reshape(t.shape)
    net.load_state_dict(state)


def distance(got, want):
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30))


def picked(tensors, name, value):
    value = value.detach().numpy()
    return value.flatten()[tensors["pick." + name]] if "pick." + name in tensors else value


class Recorded(cgan.Training):
    """The noise of a file instead of drawn one, dropout off, and the losses kept."""

    def step_of(self, tensors, i):
        get = lambda n: torch.from_numpy(tensors[f"feed.{i}.{n}"].copy())
        labels = lambda n: get(n).long()
        draws = [(get("z"), labels("y_fake"))]
        if self.order == "d_first_fresh":
            draws.insert(0, (get("z_d"), labels("y_fake_d")))
        self.noise = lambda: draws.pop(0)
        return self.step(get("real"), labels("y"))


def check_cgan(path):
    meta, tensors = read(path)
    config = dict(line.split(" = ") for line in meta["config"].splitlines())
    if any("mask" in k for k in tensors) or config.get("paper_joint") == "concat":
        return
    t = Recorded(config["profile"])
    for name, net in (("G", t.G), ("D", t.D)):
        load(net, name, tensors)
        for m in net.modules():
            if isinstance(m, torch.nn.Dropout):
                m.p = 0.0
    for o in (t.opt_g, t.opt_d):
        o.param_groups[0]["lr"] = float(config["lr"])
    worst = 0
    for i in range(int(meta["steps"])):
        for got, name in zip(t.step_of(tensors, i), ("g", "d")):
            worst = max(worst, distance(np.float32(got), tensors[f"loss.{i}.{name}"]))
    say(worst < 1e-3, f"{os.path.basename(path)}: losses within {worst:.1e}")


def check_ugatit(path):
    meta, tensors = read(path)
    config = dict(line.split(" = ") for line in meta["config"].splitlines() if "=" in line)
    t = ugatit.Training(int(config["size"]), int(config["ch"]), int(config["n_res"]), config["light"] == "1")
    for name in meta["nets"].split():
        load(getattr(t, name), name, tensors)
    pair = [torch.from_numpy(tensors[f"feed.0.real_{d}"].copy()) for d in "AB"]
    if meta["kind"] == "forward":
        fake, cam, heat = t.genA2B(pair[0])
        worst = max(distance(picked(tensors, n, v), tensors["out.0." + n]) for n, v in
                    (("fake_A2B", fake), ("fake_A2B_cam_logit", cam), ("fake_A2B_heatmap", heat)))
        say(worst < 1e-4, f"{os.path.basename(path)}: generator within {worst:.1e}")
        return
    lean = ugatit.Training(int(config["size"]), int(config["ch"]), int(config["n_res"]), config["light"] == "1", waste=False)
    for name in meta["nets"].split():
        load(getattr(lean, name), name, tensors)
    for what, training in (("as the original", t), ("lean", lean)):
        worst = 0
        for i in range(int(meta["steps"])):
            g, d = training.step(*(torch.from_numpy(tensors[f"feed.{i}.real_{x}"].copy()) for x in "AB"))
            worst = max(worst, distance(np.float32(g), tensors[f"loss.{i}.Generator_loss"]),
                        distance(np.float32(d), tensors[f"loss.{i}.Discriminator_loss"]))
        for name in meta["nets"].split():
            for k, p in getattr(training, name).named_parameters():
                key = f"{name}.{k}"
                if "after." + key in tensors:
                    worst = max(worst, distance(picked(tensors, key, p), tensors["after." + key]))
        say(worst < 1e-3, f"{os.path.basename(path)}, {what}: losses and weights within {worst:.1e}")


def main():
    if len(sys.argv) not in (2, 3) or not os.path.isdir(sys.argv[1]):
        sys.exit(__doc__)
    torch.set_num_threads(2)
    pattern = sys.argv[2] if len(sys.argv) > 2 else "*"
    size = lambda net: sum(p.numel() for p in net.parameters())
    for profile, want in cgan.COUNTS.items():
        t = cgan.Training(profile)
        say((size(t.G), size(t.D)) == want, f"cgan {profile}: {size(t.G)} and {size(t.D)} trainable values")
    with torch.device("meta"):
        counts = (size(ugatit.Generator()), size(ugatit.Generator(light=False)), size(ugatit.Discriminator()), size(ugatit.Discriminator(layers=5)))
    say(counts == ugatit.COUNTS, f"ugatit: {counts} trainable values")
    for folder, check, wanted in (("cgan", check_cgan, "-train"), ("ugatit", check_ugatit, "_tiny_")):
        base = os.path.join(sys.argv[1], folder)
        for name in sorted(os.listdir(base)):
            if wanted in name and fnmatch.fnmatch(name, pattern):
                check(os.path.join(base, name))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
