#!/usr/bin/env python3
"""A picture of what compare.py measured: python3 chart.py RESULT.json... -o FILE.png (wants matplotlib)."""
import argparse
import json

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import report

OURS, OTHER, AIM = "#c2571a", "#9aa5b1", "#333333"
FAMILIES = ("gemm", "conv", "norm", "elementwise", "reduce", "resample", "adam")
NAMES = {"gemm": "products", "conv": "convolutions", "norm": "norms", "elementwise": "elementwise", "reduce": "sums", "resample": "resampling", "adam": "Adam"}


def bars(ax, names, values, aim, title, faster_is_right):
    """One bar a training step; those that miss the aim are grey."""
    at = range(len(names))
    reached = [v >= aim if faster_is_right else v <= aim for v in values]
    ax.barh(at, values, color=[OURS if r else OTHER for r in reached], height=0.7)
    for i, v in zip(at, values):
        ax.text(v, i, f" {v:.2f}", va="center", fontsize=8)
    ax.axvline(aim, color=AIM, linewidth=1, linestyle="--")
    ax.axvline(1, color=AIM, linewidth=0.6)
    ax.set_yticks(at, names, fontsize=8)
    ax.invert_yaxis()
    ax.set_xlim(0, max(max(values), 1) * 1.18)
    ax.set_title(title, fontsize=9, loc="left")


def dots(ax, rows, key):
    """One dot an op, a line a family, on a logarithmic scale."""
    families = [f for f in FAMILIES if any(r["family"] == f for r in rows)]
    for i, family in enumerate(families):
        values = sorted(r[key]["median"] for r in rows if r["family"] == family)
        ax.scatter(values, [i + 0.5 * (k / len(values) - 0.5) for k in range(len(values))], s=10, color=OURS, linewidths=0)
        ax.plot([values[len(values) // 2]] * 2, [i - 0.35, i + 0.35], color=AIM, linewidth=1.2)
    ax.axvline(1, color=AIM, linewidth=0.6)
    ax.set_xscale("log")
    ticks = [0.5, 1, 2, 5, 10, 20]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks], fontsize=8)
    ax.minorticks_off()
    ax.set_yticks(range(len(families)), [NAMES[f] for f in families], fontsize=8)
    ax.invert_yaxis()
    ax.set_title("ops: speed, PyTorch = 1 (line: median)", fontsize=9, loc="left")


def draw(result, path):
    steps = [r for r in result["models"] if "failed" not in r]
    ops = [r for r in result["ops"] if "failed" not in r]
    key = "ratio" if report.clock(result) == "seconds" else "ratio_cpu"
    panels = (2 if steps else 0) + (1 if ops else 0)
    if not panels:
        raise SystemExit("chart.py: nothing was measured")
    fig, axes = plt.subplots(1, panels, figsize=(4 * panels, 3.4), squeeze=False)
    axes = list(axes[0])
    if steps:
        names = [r["id"].replace("cgan/", "cGAN ").replace("ugatit/", "U-GAT-IT ").replace("_", " ") for r in steps]
        bars(axes.pop(0), names, [r[key]["median"] for r in steps], report.STEP, "training step: speed, PyTorch = 1", True)
        bars(axes.pop(0), names, [r["memory"]["ratio"] for r in steps], report.MEMORY, "training step: memory, PyTorch = 1", False)
    if ops:
        dots(axes.pop(0), ops, key)
    for ax in fig.axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(axis="x", labelsize=8)
    fig.text(0.005, 0.01, f"{result['date'][:10]}, {result['cpu']}, {result['threads']} threads each; Gesso {result['gesso']}, PyTorch {result['torch']}, fp32; dashed: aim",
             fontsize=7, color=AIM)
    fig.tight_layout(rect=(0, 0.03, 1, 1))
    fig.savefig(path, dpi=110)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("results", nargs="+", metavar="RESULT.json")
    ap.add_argument("-o", "--out", required=True, metavar="FILE.png")
    args = ap.parse_args()
    results = []
    for path in args.results:
        with open(path, encoding="utf-8") as f:
            results.append(json.load(f))
    draw(report.merged(results), args.out)


if __name__ == "__main__":
    main()
