#!/usr/bin/env python3
"""Gesso against PyTorch on the same cores, in turns: python3 compare.py [--suite ops|models] [--case PATTERN] [--json FILE] [--markdown FILE]

Each case is prepared in both programs, then they take turns in short rounds, the first of a round changing, so that a slow spell of the machine hits
both. Medians over the rounds with the median absolute deviation; ratios are PyTorch / Gesso: above 1, Gesso is faster. Processor seconds
stand beside the clock's, for machines that are shared; how busy others kept the machine meanwhile is measured and said.
"""
import argparse
import datetime
import fnmatch
import json
import os
import platform
import select
import statistics
import subprocess
import sys
import tempfile
import time

import report

HERE = os.path.dirname(os.path.abspath(__file__))
MOST_RUNS = 100000   # a round, as gesso bench --rounds has it
MODELS = [f"cgan/{p}" for p in ("concat", "embed", "zn_mlp", "cdcgan", "ln", "paper")] + \
         [f"ugatit/{w}_{s}{lean}" for s in (128, 256) for w in ("light", "full") for lean in ("", "_lean")]


class Failed(Exception):
    pass


class Side:
    """One program that prepares cases and runs rounds, line by line."""

    def __init__(self, command, environment, limit):
        self.limit, self.errors = limit, tempfile.TemporaryFile(mode="w+")
        self.buffer = b""
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, env=environment)

    def read(self):
        until = time.monotonic() + self.limit
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))
            part = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not part:
                self.errors.seek(0)
                said = self.errors.read().strip().splitlines()
                raise Failed(said[-1] if ready and said else "it ended" if ready else f"no answer within {self.limit:.0f} s")
            self.buffer += part
        line, _, self.buffer = self.buffer.partition(b"\n")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def say(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass    # read() says why
        return self.read()

    def status(self, key):
        with open(f"/proc/{self.process.pid}/status") as f:
            for line in f:
                if line.startswith(key + ":"):
                    return int(line.split()[1])
        return 0

    def peak(self):
        """Most bytes that were resident at a time."""
        return self.status("VmHWM") * 1024

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Gesso(Side):
    def __init__(self, opt, case):
        environment = dict(os.environ, POCL_MAX_PTHREAD_COUNT=str(opt.threads))
        command = [opt.gesso, "bench", "--rounds", case] + (["--device", opt.device] if opt.device else [])
        super().__init__(command, environment, opt.limit)
        try:
            self.ready = self.read()
        except Failed:
            self.close()
            raise

    def runs(self, n):
        return self.say(str(n))


class Torch(Side):
    def __init__(self, opt):
        environment = dict(os.environ, OMP_NUM_THREADS=str(opt.threads), PYTHONWARNINGS="ignore")
        if opt.passive:
            environment.update(OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="0")
        super().__init__([sys.executable, os.path.join(HERE, opt.worker), "--threads", str(opt.threads)], environment, opt.limit)
        self.hello = self.read()

    def runs(self, n):
        return self.say(json.dumps({"runs": n}))


# ---- is the machine ours? ----

def machine_busy():
    """Processor seconds that the whole machine has been busy."""
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, softirq = (int(v) for v in f.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def own_busy(sides):
    total = 0
    for s in sides:
        with open(f"/proc/{s.process.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


class Watch:
    """What others took of the machine while a case ran, as a share of its processors; how often the sides were made to wait."""

    def __init__(self, sides):
        self.sides, self.start = sides, time.monotonic()
        self.busy, self.own, self.waits = machine_busy(), own_busy(sides), self.switches()

    def switches(self):
        return [s.status("nonvoluntary_ctxt_switches") for s in self.sides]

    def read(self):
        seconds = max(time.monotonic() - self.start, 1e-9)
        others = machine_busy() - self.busy - (own_busy(self.sides) - self.own)
        return {"others": min(max(0.0, others / (seconds * os.cpu_count())), 1.0), "load": os.getloadavg()[0],
                "waits": [b - a for a, b in zip(self.waits, self.switches())]}


# ---- one case ----

def spread(values):
    middle = statistics.median(values)
    return {"median": middle, "mad": statistics.median([abs(v - middle) for v in values]), "best": min(values), "samples": len(values)}


def take_turns(opt, gesso, torch):
    """Rounds of about opt.seconds a side, after one that finds out how many runs these are; where one run takes as long, that one counts."""
    sides = {"gesso": gesso, "torch": torch}
    counts, samples, done = {}, {name: {"seconds": [], "cpu_seconds": []} for name in sides}, opt.rounds
    watch = Watch(list(sides.values()))

    def keep(name, got):
        for key, values in samples[name].items():
            values.append(got[key] / got["runs"])

    for name, side in sides.items():
        got = side.runs(1)
        keep(name, got)
        first = got["seconds"]
        if first < opt.seconds / 4:
            n = max(1, min(MOST_RUNS, int(opt.seconds / 4 / max(first, 1e-7))))
            first = side.runs(n)["seconds"] / n
        counts[name] = max(1, min(MOST_RUNS, round(opt.seconds / max(first, 1e-7))))
    if max(counts.values()) == 1:
        done -= 1
    else:
        for name in sides:
            samples[name] = {"seconds": [], "cpu_seconds": []}
    for r in range(done):
        for name in sorted(sides, reverse=r % 2 == 1):
            keep(name, sides[name].runs(counts[name]))
    row = {name: {key: spread(v) for key, v in samples[name].items()} for name in sides}
    for key in ("seconds", "cpu_seconds"):
        pairs = [t / g for t, g in zip(samples["torch"][key], samples["gesso"][key]) if g > 0]
        row["ratio" if key == "seconds" else "ratio_cpu"] = spread(pairs) if pairs else None
    row["machine"] = watch.read()
    return row


def agree(ready, theirs):
    """The largest relative difference of what both computed; None where nothing can be compared."""
    ours = ready.get("digest", {})
    if ready.get("family") == "adam" or "sketch" not in ours:
        return None
    by_size = abs(ours["rms"] - theirs["rms"]) / max(theirs["rms"], 1e-30)
    # a sketch of many values is a few units; one of a single value is 1 or -1
    return max([by_size] + [abs(a - b) / max(1.0, abs(b)) for a, b in zip(ours["sketch"], theirs["sketch"])])


def op_row(opt, case, torch):
    gesso = Gesso(opt, case["id"])
    try:
        theirs = torch.say(json.dumps({"op": case}))
        row = take_turns(opt, gesso, torch)
        row.update(difference=agree(gesso.ready, theirs), flops=gesso.ready["flops"])
    finally:
        gesso.close()
    return row


def configuration(opt, name, folder):
    """The path of a U-GAT-IT configuration like `name`, with pictures that Gesso draws."""
    width, size = name.split("/")[1].split("_")[:2]
    faces = os.path.join(folder, "faces")
    if not os.path.isdir(faces):
        subprocess.run([opt.gesso, "data", "make", "faces", "-n", "8", "--test", "2", "-o", faces], check=True, stdout=subprocess.DEVNULL)
    path = os.path.join(folder, f"{width}_{size}.ini")
    with open(path, "w") as f:
        f.write(f"[model]\nsystem = ugatit\nsize = {size}\nlight = {int(width == 'light')}\n\n[data]\nroot = {faces}\n")
    return path


def model_row(opt, name, folder, floor):
    case = name if name.startswith("cgan/") else configuration(opt, name, folder)
    Gesso(opt, case).close()    # builds the kernels, once and for all; the compiler's memory is not the step's
    gesso = Gesso(opt, case)
    torch = None
    try:
        torch = Torch(opt)      # of its own, for its peak of memory
        torch.say(json.dumps({"model": name, "batch": gesso.ready["batch"]}))
        row = take_turns(opt, gesso, torch)
        row["batch"] = gesso.ready["batch"]
        row["memory"] = {"gesso_peak": gesso.peak(), "gesso_floor": floor, "gesso_planned": gesso.ready["bytes_planned"],
                         "torch_peak": torch.peak(), "torch_floor": torch.hello["baseline"]}
        m = row["memory"]
        m["ratio"] = (m["gesso_peak"] - floor) / max(1, m["torch_peak"] - m["torch_floor"])
        m["ratio_whole"] = m["gesso_peak"] / m["torch_peak"]
    finally:
        gesso.close()
        if torch:
            torch.close()
    return row


# ---- all ----

def cpu_name():
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def wanted(opt, name):
    return not opt.case or any(fnmatch.fnmatch(name, p) for p in opt.case)


def progress(text):
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)


def save(opt, result):
    if opt.json:
        with open(opt.json, "w") as f:
            json.dump(result, f, indent=1)


def options():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--suite", choices=("ops", "models"), action="append", help="default: both")
    a.add_argument("--case", action="append", metavar="PATTERN", help="only these ids; * and ? stand for any; may be repeated")
    a.add_argument("--gesso", default=os.path.join(HERE, "..", "..", "build", "gesso"), help="the program (default: build/gesso)")
    a.add_argument("--device", help="Gesso's device (default: what it would take)")
    a.add_argument("--worker", default="worker.py", help=argparse.SUPPRESS)
    a.add_argument("--threads", type=int, default=2, help="of both programs (default: 2)")
    a.add_argument("--passive", action="store_true", help="PyTorch's threads sleep while they wait: its processor time is then work alone, which a shared "
                   "machine wants; without it they wait in a loop, as they do by default")
    a.add_argument("--rounds", type=int, default=7)
    a.add_argument("--seconds", type=float, default=0.3, help="of a round of one side (default: 0.3); a step that takes longer is one round")
    a.add_argument("--limit", type=float, default=600, help="seconds to wait for an answer (default: 600)")
    a.add_argument("--total", type=float, default=3600, help="no case is begun after so many seconds (default: 3600)")
    a.add_argument("--json", metavar="FILE")
    a.add_argument("--markdown", metavar="FILE", help="the tables; default: standard output")
    opt = a.parse_args()
    if not os.access(opt.gesso, os.X_OK):
        a.error(f"{opt.gesso}: no such program; build it with make, or name it with --gesso")
    if opt.rounds < 1 or opt.threads < 1 or not opt.seconds > 0:
        a.error("--rounds, --threads and --seconds must be positive")
    return opt


def main():
    opt = options()
    suites = opt.suite or ["ops", "models"]
    listed = json.loads(subprocess.run([opt.gesso, "bench", "--list"], check=True, capture_output=True, text=True).stdout)
    todo = [("ops", c["id"], c) for c in listed["cases"] if "ops" in suites and wanted(opt, c["id"])]
    todo += [("models", m, None) for m in MODELS if "models" in suites and wanted(opt, m)]
    if not todo:
        sys.exit("no case has such a name; `gesso bench --list` shows the ops; models: " + ", ".join(MODELS))
    result = {"schema": "gesso-peers", "version": 1, "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
              "cpu": cpu_name(), "cores": os.cpu_count(), "system": platform.platform(), "threads": opt.threads, "python": platform.python_version(),
              "passive": opt.passive, "rounds": opt.rounds, "round_seconds": opt.seconds, "load_before": os.getloadavg(), "load_after": os.getloadavg(), "ops": [], "models": [], "skipped": []}
    smallest = Gesso(opt, "gemm/64x1x256_nt")   # a program with a device and nothing on it
    floor = smallest.peak()
    result.update({k: smallest.ready[k] for k in ("gesso", "device", "driver")})
    smallest.close()
    torch, start = Torch(opt), time.monotonic()
    result["torch"] = torch.hello["torch"]
    with tempfile.TemporaryDirectory() as folder:
        for i, (suite, name, case) in enumerate(todo):
            if time.monotonic() - start > opt.total:
                result["skipped"].append({"id": name, "why": "no time left: --total"})
                continue
            progress(f"{i + 1} of {len(todo)}, {name}")
            row = {"id": name}
            try:
                if suite == "ops":
                    row.update({k: case[k] for k in ("family", "op", "origin", "params")})
                    row.update(op_row(opt, case, torch))
                else:
                    row.update(model_row(opt, name, folder, floor))
            except Failed as e:
                row["failed"] = str(e)
                if torch.process.poll() is not None:
                    torch.close()
                    torch = Torch(opt)
            result[suite].append(row)
            result["load_after"] = os.getloadavg()
            save(opt, result)   # what was measured stays when the rest is stopped
    progress("")
    torch.close()
    save(opt, result)
    text = report.markdown(result)
    if opt.markdown:
        with open(opt.markdown, "w") as f:
            f.write(text)
    else:
        print(text)
    sys.exit(1 if any("failed" in r or report.differs(r) for r in result["ops"] + result["models"]) else 0)


if __name__ == "__main__":
    main()
