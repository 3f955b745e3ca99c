#!/usr/bin/env python3
"""Tables of what compare.py measured, in one run or several, whose medians count: python3 report.py RESULT.json..."""
import json
import statistics
import sys

LIMIT_DIFFERENCE = 1e-3     # of two fp32 results through sketches; Winograd's transforms differ by some 1e-5
IDLE = 0.05                 # of the machine: others take less than this where it is called idle
STEP, MEMORY = 1.5, 0.6     # targets of training steps


def target(row):
    """How many times as fast as PyTorch a case ought to be; None: its target is a share of the machine's peaks."""
    if "family" not in row:
        return STEP
    if row["family"] != "conv":
        return None
    p = row["params"]
    wide = p["k"] == 3 and p["stride"] == 1 and min(p["o"], p["x"][1]) >= 64
    return 1.5 if wide else 1.0


def differs(row):
    return row.get("difference") is not None and row["difference"] > LIMIT_DIFFERENCE


def shown(seconds):
    for unit, factor in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            break
    return f"{seconds * factor:.3g} {unit}"


def figure(stat):
    return f"{shown(stat['median'])} ± {100 * stat['mad'] / max(stat['median'], 1e-30):.0f} %"


def times(stat, aim=None):
    if not stat:
        return "-"
    text = f"{stat['median']:.2f}"
    return f"**{text}**" if aim and stat["median"] >= aim else text


def taken(result):
    """What others took of the machine, case by case."""
    return [r["machine"]["others"] for r in result["ops"] + result["models"] if "machine" in r]


def clock(result):
    """Which times are shown: the clock's, or processor seconds (all threads) where the machine was shared."""
    return "cpu_seconds" if max(taken(result), default=0) > IDLE else "seconds"


def head(result):
    loads = result["load_before"][0], result["load_after"][0]
    others = taken(result)
    lines = [f"{result['date']}, {result['cpu']}, {result['cores']} cores, {result['threads']} threads each; Gesso {result['gesso']} on "
             f"{result['device']} (driver {result['driver']}), PyTorch {result['torch']} (fp32, eager, oneDNN), Python {result['python']}.",
             f"{result['rounds']} rounds of {result['round_seconds']:g} s a side in turns; median ± median absolute deviation; ratios are PyTorch / Gesso. "
             f"Load average {loads[0]:.1f} before, {loads[1]:.1f} after."]
    if others and max(others) > IDLE:
        lines.append(f"**The machine was not idle:** others took {100 * sum(others) / len(others):.0f} % of its processors on average, {100 * max(others):.0f} % at "
                     "most. Times are processor seconds of all threads therefore, and the ratio by these is the better guide" +
                     ("; PyTorch's threads slept while they waited." if result.get("passive") else ", though PyTorch's includes threads that wait in a loop."))
    return lines


def share(row):
    return f"{100 * row['machine']['others']:.0f} %"


def op_table(rows, key):
    lines = ["| case | layer | Gesso | PyTorch | ratio | by processor | others |", "|---|---|---|---|---|---|---|"]
    for r in rows:
        if "failed" in r:
            lines.append(f"| {r['id']} | {r.get('origin', '')} | failed: {r['failed']} | | | | |")
            continue
        lines.append(f"| {r['id']}{' **DIFFERS**' if differs(r) else ''} | {r['origin']} | {figure(r['gesso'][key])} | {figure(r['torch'][key])} | "
                     f"{times(r['ratio'])} | {times(r['ratio_cpu'])} | {share(r)} |")
    return lines


def brief(row, key):
    """Gesso's time, both ratios."""
    if row is None or "failed" in row:
        return "failed" if row else ""
    aim, by_clock, by_cpu = target(row), row["ratio"], row["ratio_cpu"]
    return f"{shown(row['gesso'][key]['median'])} · {times(by_clock, aim)} · {times(by_cpu, aim)}{' DIFFERS' if differs(row) else ''}"


def conv_table(rows, key):
    """A line a layer: forward and both gradients."""
    layers = {}
    for r in rows:
        layers.setdefault(r["id"].rpartition("/")[0], {})[r["op"]] = r
    lines = ["| convolution | layer | aim | y | dx | dw |", "|---|---|---|---|---|---|"]
    for name, ops in layers.items():
        some = next(iter(ops.values()))
        lines.append(f"| {name} | {some['origin']} | {target(some)} | " + " | ".join(brief(ops.get(op), key) for op in ("y", "dx", "dw")) + " |")
    return lines


def mib(n):
    return f"{n / 2 ** 20:.0f}"


def model_table(rows, key):
    lines = ["| step | batch | Gesso | PyTorch | ratio | by processor | memory, MiB: Gesso | planned | PyTorch | ratio | others |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for r in rows:
        if "failed" in r:
            lines.append(f"| {r['id']} | | failed: {r['failed']} | | | | | | | | |")
            continue
        m = r["memory"]
        ratio = f"{m['ratio']:.2f}"
        lines.append(f"| {r['id']} | {r['batch']} | {figure(r['gesso'][key])} | {figure(r['torch'][key])} | {times(r['ratio'], STEP)} | "
                     f"{times(r['ratio_cpu'], STEP)} | {mib(m['gesso_peak'] - m['gesso_floor'])} | {mib(m['gesso_planned'])} | "
                     f"{mib(m['torch_peak'] - m['torch_floor'])} | {'**' + ratio + '**' if m['ratio'] <= MEMORY else ratio} | {share(r)} |")
    return lines


def markdown(result):
    lines = head(result)
    if result["models"]:
        lines += ["", "### Training steps", "", f"Aims: ratio {STEP}, memory {MEMORY}; bold: reached. Memory is what a program's peak lies above the same program with nothing "
                  "to do.", ""] + model_table(result["models"], clock(result))
    if result["ops"]:
        convs, others = ([r for r in result["ops"] if (r["family"] == "conv") == yes] for yes in (True, False))
        if convs:
            lines += ["", "### Convolutions", "", "Gesso's time · ratio by the clock · ratio by processor time; bold: the aim is reached.", ""] + conv_table(convs, clock(result))
        if others:
            lines += ["", "### Other ops", ""] + op_table(others, clock(result))
    lines += [f"- not measured: {s['id']} ({s['why']})" for s in result["skipped"]]
    return "\n".join(lines) + "\n"


def middle(stats):
    """One statistic of several measurements of the same: the median of their medians, and how far these lie from it."""
    value = statistics.median(s["median"] for s in stats)
    return {"median": value, "mad": statistics.median(abs(s["median"] - value) for s in stats), "best": min(s["best"] for s in stats),
            "samples": sum(s["samples"] for s in stats)}


def together(rows):
    """One row of a case's rows in several results: so a slow spell of the machine in one of them does not count."""
    sound = [r for r in rows if "failed" not in r]
    if len(sound) < 2:
        return (sound or rows)[-1]
    row = dict(sound[-1])
    for side in ("gesso", "torch"):
        row[side] = {key: middle([r[side][key] for r in sound]) for key in ("seconds", "cpu_seconds")}
    for key in ("ratio", "ratio_cpu"):
        if all(r.get(key) for r in sound):
            row[key] = middle([r[key] for r in sound])
    row["machine"] = dict(row["machine"], others=max(r["machine"]["others"] for r in sound))
    return row


def merged(results):
    """One result of several of the same programs: all cases, those of several results by the medians of these."""
    whole = dict(results[0])
    for r in results[1:]:
        for key in ("gesso", "device", "driver", "torch", "cpu", "threads", "passive"):
            if r.get(key) != whole.get(key):
                sys.exit(f"the results differ in {key}: {whole.get(key)} and {r.get(key)}")
    for suite in ("ops", "models"):
        cases = {}
        for r in results:
            for row in r[suite]:
                cases.setdefault(row["id"], []).append(row)
        whole[suite] = [together(rows) for rows in cases.values()]
    whole["skipped"] = [s for r in results for s in r["skipped"]]
    whole["load_after"] = results[-1]["load_after"]
    return whole


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    loaded = []
    for path in sys.argv[1:]:
        with open(path) as f:
            loaded.append(json.load(f))
    print(markdown(merged(loaded)), end="")
