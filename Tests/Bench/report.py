"""Makes tables and JSON of what store.sh measured.

    report.py RESULTS --json FILE --baseline FILE --disk FOLDER --settings WORDS [--save]

RESULTS has a line of name=value pairs for each measurement: part, case, server, round, and figures. Each figure's median,
lowest and highest are shown. Key figures are compared with the baseline: a ratio where something was measured beside it in
the same round, else the figure itself. One is marked when it is worse by more than TOLERANCE and
even its best round is worse than the baseline: a hint, never a failure.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys

TOLERANCE = 0.15

# Part, prefix of the case: a key figure of such cases, and whether more of it is better.
KEYS = [
    ("put", "", "of_floor", True),
    ("shards", "", "of_4_shards", True),
    ("read", "tail", "p99_ms", False),
    ("read", "", "mb_per_server_cpu_s", True),
    ("idle", "empty", "rss_mib", False),
    ("idle", "", "kib_each", False),
    ("idle", "", "cpu_percent", False),
    ("open", "", "ready_s", False),
    ("open", "", "put_s", False),
    ("open", "", "read_s", False),
]

# What is asked of the store: part, case, figure, at least (or at most) this much, in words.
BARS = [
    ("put", "json-500x1024-c4", "of_floor", ">=", 0.7, "JSON, 500 x 1 KiB, 4 connections, of the floor"),
    ("put", "json-500x1024-c4", "of_redis", ">=", 2.5, "the same, x Redis Streams"),
    ("put", "json-500x1024-c4", "of_moto", ">=", 50, "the same, x moto"),
    ("put", "json-500x1024-c4", "of_nats", ">=", 1, "the same, x JetStream, a batch as one message"),
    ("put", "cbor-500x1024-c4", "of_floor", ">=", 0.9, "CBOR, 500 x 1 KiB, 4 connections, of the floor"),
    ("put", "cbor-500x1024-c4", "of_nats", ">=", 1, "the same, x JetStream, a batch as one message"),
    ("put", "json-1x1024-c64", "of_floor", ">=", 20, "PutRecord of 1 KiB, 64 connections, x a sync for each record"),
    ("put", "json-1x1024-c64-sync-2000-us", "of_floor", ">=", 20, "the same where a sync takes 2 ms more"),
    ("shards", "shards-1000", "of_4_shards", ">=", 0.7, "1,000 active shards, of the rate at 4"),
    ("read", "get-records-json", "mb_per_server_cpu_s", ">=", 400, "GetRecords, JSON, MB of data per core and second"),
    ("read", "subscribe-json", "mb_per_server_cpu_s", ">=", 400, "SubscribeToShard, MB of data per core and second"),
    ("open", "100-gb", "read_s", "<", 2, "100 GB open after SIGKILL, every shard read, s"),
    ("open", "100-gb", "put_s", "<", 2, "100 GB open after SIGKILL, every shard put into, s"),
]
PEAK = 512  # MiB
BUSY = 0.3  # cores that something else takes; the kernel's threads need some

# Differences below these are none, however large beside the figure.
SLACK = {"cpu_percent": 0.5, "ready_s": 0.02, "put_s": 0.05, "read_s": 0.05, "kib_each": 0.5}


def read_results(path):
    """Returns a list of dicts, numbers as floats."""
    rows = []
    for line in open(path, encoding="utf-8"):
        row = {}
        for pair in line.split():
            name, _, value = pair.partition("=")
            try:
                row[name] = float(value)
            except ValueError:
                row[name] = value
        rows.append(row)
    return rows


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "rounds": len(values)}


def derive(rows):
    """Adds ratios to what was measured in the same round, and figures per CPU-second of the server."""
    def beside(row, case, server):
        for other in rows:
            if other["part"] == row["part"] and other.get("round") == row.get("round"):
                if other["case"] == case and other["server"] == server and "records_per_s" in other:
                    return other["records_per_s"]
        return None

    for row in rows:
        rate, cpu = row.get("records_per_s"), row.get("server_cpu_s", 0)
        if rate is not None and row["part"] == "put":
            for server in ("floor", "null", "redis", "nats", "moto"):
                # Peers take bytes as they are, so that they stand beside both formats.
                base = beside(row, row["case"], server) or beside(row, row["case"].replace("cbor", "json"), server)
                if base and row["server"] == "collector":
                    row["of_" + server] = rate / base
        if rate is not None and row["part"] == "shards":
            base = beside(row, "shards-4", row["server"])
            if base:
                row["of_4_shards"] = rate / base
        if cpu > 0 and rate is not None:
            row["records_per_server_cpu_s"] = rate * row["seconds"] / cpu
        if "client_cpu_s" in row:
            row["client_cores"] = row["client_cpu_s"] / row["seconds"]
            row["server_cores"] = cpu / row["seconds"]
        if cpu > 0 and "data_mb" in row:
            row["mb_per_server_cpu_s"] = row["data_mb"] / cpu
    return rows


def gather(rows):
    """Returns {part: {case: {server: {figure: spread}}}}, in order of appearance."""
    found = {}
    for row in rows:
        place = found.setdefault(row["part"], {}).setdefault(str(row["case"]), {}).setdefault(row["server"], {})
        if "reason" in row:
            place["reason"] = str(row["reason"]).replace("_", " ")
            continue
        for name, value in row.items():
            if name not in ("part", "case", "server", "round", "reason") and isinstance(value, float):
                place.setdefault(name, []).append(value)
    for cases in found.values():
        for servers in cases.values():
            for figures in servers.values():
                for name, values in figures.items():
                    if name != "reason":
                        figures[name] = spread(values)
    return found


def key_figures(found):
    """Yields (case, figure's name, whether more is better, spread) of the collector, the case with its part in front."""
    for part, cases in found.items():
        for case, servers in cases.items():
            for key_part, prefix, name, more in KEYS:
                figure = servers.get("collector", {}).get(name)
                if key_part == part and case.startswith(prefix) and figure is not None:
                    yield part + "/" + case, name, more, figure


def compare(found, baseline):
    """Returns {part/case: text}."""
    remarks = {}
    for case, name, more, figure in key_figures(found):
        before = baseline.get("cases", {}).get(case, {}).get(name)
        if before is None or before["median"] == 0:
            continue
        change = figure["median"] / before["median"] - 1
        best = figure["max"] if more else figure["min"]
        is_worse = change < -TOLERANCE and best < before["median"] if more else change > TOLERANCE and best > before["median"]
        if abs(figure["median"] - before["median"]) < SLACK.get(name, 0):
            is_worse = False
        remarks.setdefault(case, []).append(f"{name} {change * 100:+.0f} %{' REGRESSION' if is_worse else ''}")
    return {case: ", ".join(texts) for case, texts in remarks.items()}


def machine(disk):
    model = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    memory = next(int(l.split()[1]) for l in open("/proc/meminfo") if l.startswith("MemTotal")) / 2**20
    kind = subprocess.run(["df", "--output=fstype", disk], capture_output=True, text=True).stdout.split()[-1]
    system = next((l.split("=", 1)[1].strip().strip('"') for l in open("/etc/os-release") if l.startswith("PRETTY_NAME")), "")
    return {
        "cpu": model, "cores": os.cpu_count(), "memory_gib": round(memory, 1), "kernel": platform.release(),
        "system": system, "filesystem": kind,
    }


def number(value):
    if value >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return "%.1f" % value if value >= 100 else "%.2f" % value


# Of the others the tables show the median alone; JSON has all.
WITH_SPREAD = {"records_per_s", "mb_per_s", "mb_per_server_cpu_s", "kib_each", "ready_s", "put_s", "read_s"}


def cell(figures, name):
    """median (lowest–highest)"""
    figure = figures.get(name)
    if figure is None:
        return ""
    if not (name in WITH_SPREAD or name.startswith("of_")) or figure["rounds"] == 1 or figure["min"] == figure["max"]:
        return number(figure["median"])
    return f"{number(figure['median'])} ({number(figure['min'])}–{number(figure['max'])})"


# Part, prefix of the case: columns of figure and title.
COLUMNS = {
    "put": [("records_per_s", "records/s"), ("mb_per_s", "MB/s"), ("of_floor", "of floor"), ("of_null", "of null"),
            ("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"), ("records_per_server_cpu_s", "records per CPU-s"),
            ("server_cores", "cores"), ("client_cores", "client's cores"), ("rest_cores", "rest"), ("server_peak_mib", "peak MiB")],
    "shards": [("records_per_s", "records/s"), ("mb_per_s", "MB/s"), ("of_4_shards", "of 4 shards"), ("p50_ms", "p50 ms"),
               ("p99_ms", "p99 ms"), ("records_per_server_cpu_s", "records per CPU-s"), ("rest_cores", "rest"),
               ("server_peak_mib", "peak MiB")],
    "read": [("mb_per_s", "MB/s"), ("mb_per_server_cpu_s", "MB per CPU-s"), ("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"),
             ("max_ms", "max ms"), ("writer_records_per_s", "others' records/s"), ("rest_cores", "rest"),
             ("server_peak_mib", "peak MiB")],
    "idle": [("rss_mib", "RSS MiB"), ("kib_each", "KiB for each"), ("cpu_percent", "% of a core"),
             ("records_per_s", "records/s"), ("server_peak_mib", "peak MiB")],
    "open": [("store_gb", "GB"), ("shards", "shards"), ("segments", "segments"), ("active_segments_mb", "active segments MB"), ("ready_s", "ready s"),
             ("put_s", "put on each s"), ("read_s", "read of each s"), ("server_cpu_s", "CPU s"),
             ("server_peak_mib", "peak MiB")],
}


def print_table(part, cases, remarks):
    columns = [c for c in COLUMNS[part] if any(c[0] in f for s in cases.values() for f in s.values())]
    head = ["case", "server"] + [title for _, title in columns] + ["against baseline"]
    lines = []
    for case, servers in cases.items():
        for server, figures in servers.items():
            if "reason" in figures:
                line = [case, server, "not measured: " + figures["reason"]] + [""] * (len(columns) - 1)
            else:
                line = [case, server] + [cell(figures, name) for name, _ in columns]
            remark = remarks.get(part + "/" + case, "") if server == "collector" else ""
            failed = "failed" in figures or figures.get("errors", {"max": 0})["max"] > 0
            lines.append(line + [remark + (" FAILED" if failed else "")])
    if not any(line[-1] for line in lines):
        head, lines = head[:-1], [line[:-1] for line in lines]
    print(f"\n### {part}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for line in lines:
        print("| " + " | ".join(line) + " |")
    if part == "put":
        print_multiples(cases)


def print_multiples(cases):
    """The collector beside its peers."""
    for case, servers in cases.items():
        figures = servers.get("collector", {})
        ratios = [f"{cell(figures, 'of_' + peer)} x {peer}" for peer in ("redis", "nats", "moto") if "of_" + peer in figures]
        if ratios:
            print(f"\n{case}: the collector stores " + ", ".join(ratios) + ".")


def print_bars(found):
    lines = []
    for part, case, name, sign, bar, words in BARS:
        figure = found.get(part, {}).get(case, {}).get("collector", {}).get(name)
        if figure is not None:
            is_met = figure["median"] >= bar if sign == ">=" else figure["median"] < bar
            lines.append((words, f"{sign} {bar}", number(figure["median"]), "yes" if is_met else "NO"))
    peaks = [servers["collector"]["server_peak_mib"]["max"] for cases in found.values() for servers in cases.values()
             if "server_peak_mib" in servers.get("collector", {})]
    if peaks:
        lines.append(("the collector's memory at its peak, MiB", f"< {PEAK}", number(max(peaks)), "yes" if max(peaks) < PEAK else "NO"))
    print("\n### bars\n\n| what | bar | median | met |\n|---|---|---|---|")
    for line in lines:
        print("| " + " | ".join(line) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("results")
    parser.add_argument("--json", required=True)
    parser.add_argument("--baseline", required=True)
    parser.add_argument("--disk", required=True)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    found = gather(derive(read_results(options.results)))
    here = machine(options.disk)
    baseline = {}
    if os.path.exists(options.baseline):
        baseline = json.load(open(options.baseline, encoding="utf-8"))
    remarks = compare(found, baseline)
    print(f"\n{here['cpu']}, {here['cores']} cores, {here['memory_gib']} GiB, {here['system']}, Linux {here['kernel']}, "
          f"{here['filesystem']}. {options.settings}: median (lowest–highest).")
    if baseline and baseline["machine"]["cpu"] != here["cpu"]:
        print(f"The baseline is of another machine: {baseline['machine']['cpu']}.")
    rest = [figures["rest_cores"]["median"] for cases in found.values() for servers in cases.values()
            for figures in servers.values() if "rest_cores" in figures]
    if rest and statistics.median(rest) > BUSY:
        print(f"\nSomething else took {statistics.median(rest):.1f} cores meanwhile: not what the machine can, and no baseline.")
    for part, cases in found.items():
        print_table(part, cases, remarks)
    print_bars(found)
    with open(options.json, "w", encoding="utf-8") as file:
        json.dump({"machine": here, "settings": options.settings, "parts": found, "against_baseline": remarks}, file, indent=1)
        file.write("\n")
    print(f"\nwritten to {options.json}")
    if options.save:
        cases = baseline.get("cases", {}) if baseline and baseline["machine"] == here else {}
        for case, name, _, figure in key_figures(found):
            cases.setdefault(case, {})[name] = figure
        with open(options.baseline, "w", encoding="utf-8") as file:
            json.dump({"machine": here, "cases": cases}, file, indent=1)
            file.write("\n")
    return 0


sys.exit(main())
