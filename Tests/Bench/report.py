"""Makes tables and JSON of what store.sh measured.

    report.py RESULTS --json FILE --baseline FILE --disk FOLDER [--save]

RESULTS has a line of name=value pairs for each measurement: part, case, server, round, and figures. Each figure's median,
lowest and highest are shown. A case has one key figure, by which it is compared with the baseline: a ratio where something
was measured beside it in the same round, else the figure itself. It is marked when it is worse by more than TOLERANCE and
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

# Part, prefix of the case: the key figure, and whether more of it is better.
KEYS = [
    ("put", "", "of_floor", True),
    ("shards", "", "of_4_shards", True),
    ("read", "tail", "p99_ms", False),
    ("read", "", "mb_per_server_cpu_s", True),
    ("idle", "", "value", False),
    ("open", "", "seconds", False),
]


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
    """Returns {part/case: (name, is_more_better, spread)} of the collector."""
    keys = {}
    for part, cases in found.items():
        for case, servers in cases.items():
            for key_part, prefix, name, more in KEYS:
                if key_part == part and case.startswith(prefix):
                    figure = servers.get("collector", {}).get(name)
                    if figure is not None:
                        keys[part + "/" + case] = (name, more, figure)
                    break
    return keys


def compare(found, baseline):
    """Returns {part/case: text}."""
    remarks = {}
    for case, (name, more, figure) in key_figures(found).items():
        before = baseline.get("cases", {}).get(case)
        if before is None or before["figure"] != name or before["median"] == 0:
            continue
        change = figure["median"] / before["median"] - 1
        best = figure["max"] if more else figure["min"]
        is_worse = change < -TOLERANCE and best < before["median"] if more else change > TOLERANCE and best > before["median"]
        remarks[case] = "%+.0f %%%s" % (change * 100, "  REGRESSION" if is_worse else "")
    return remarks


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
    if value >= 1000:
        return f"{value:,.0f}"
    return "%.1f" % value if value >= 100 else "%.2f" % value


def cell(figures, name):
    """median (lowest–highest)"""
    figure = figures.get(name)
    if figure is None:
        return ""
    if figure["rounds"] == 1 or figure["min"] == figure["max"]:
        return number(figure["median"])
    return f"{number(figure['median'])} ({number(figure['min'])}–{number(figure['max'])})"


# Part, prefix of the case: columns of figure and title.
COLUMNS = {
    "put": [("records_per_s", "records/s"), ("mb_per_s", "MB/s"), ("of_floor", "of floor"), ("of_null", "of null"),
            ("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"), ("records_per_server_cpu_s", "records per CPU-s"),
            ("server_peak_mib", "peak MiB")],
    "shards": [("records_per_s", "records/s"), ("mb_per_s", "MB/s"), ("of_4_shards", "of 4 shards"), ("p50_ms", "p50 ms"),
               ("p99_ms", "p99 ms"), ("records_per_server_cpu_s", "records per CPU-s"), ("server_peak_mib", "peak MiB")],
    "read": [("mb_per_s", "MB/s"), ("mb_per_server_cpu_s", "MB per CPU-s"), ("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"),
             ("max_ms", "max ms"), ("writer_records_per_s", "others' records/s"), ("server_peak_mib", "peak MiB")],
    "idle": [("value", "value"), ("server_peak_mib", "peak MiB")],
    "open": [("seconds", "seconds"), ("server_peak_mib", "peak MiB")],
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("results")
    parser.add_argument("--json", required=True)
    parser.add_argument("--baseline", required=True)
    parser.add_argument("--disk", required=True)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    found = gather(derive(read_results(options.results)))
    here = machine(options.disk)
    baseline = {}
    if os.path.exists(options.baseline):
        baseline = json.load(open(options.baseline, encoding="utf-8"))
    remarks = compare(found, baseline)
    print(f"\n{here['cpu']}, {here['cores']} cores, {here['memory_gib']} GiB, {here['system']}, Linux {here['kernel']}, "
          f"{here['filesystem']}. Median (lowest–highest) of the rounds.")
    if baseline and baseline["machine"]["cpu"] != here["cpu"]:
        print(f"The baseline is of another machine: {baseline['machine']['cpu']}.")
    for part, cases in found.items():
        print_table(part, cases, remarks)
    with open(options.json, "w", encoding="utf-8") as file:
        json.dump({"machine": here, "parts": found, "against_baseline": remarks}, file, indent=1)
        file.write("\n")
    print(f"\nwritten to {options.json}")
    if options.save:
        cases = baseline.get("cases", {}) if baseline and baseline["machine"] == here else {}
        for case, (name, _, figure) in key_figures(found).items():
            cases[case] = {"figure": name, **figure}
        with open(options.baseline, "w", encoding="utf-8") as file:
            json.dump({"machine": here, "cases": cases}, file, indent=1)
            file.write("\n")
    return 0


sys.exit(main())
