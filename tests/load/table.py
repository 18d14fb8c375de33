"""Turns the figures of one run into the Markdown table of docs/performance.md."""
import sys

MIB = 536870912 / 1e6  # megabytes in 512 MiB

figures, failed = {}, []
for line in open(sys.argv[1], encoding="utf-8"):
    name, *values = line.rstrip("\n").split("\t")
    figures[name] = values
    if name == "failed":
        failed.append(values[0])


def met(good):
    return "met" if good else "**missed**"


def row(what, ours, theirs="", ratio="", target="", verdict=""):
    print(f"| {what} | {ours} | {theirs} | {ratio} | {target} | {verdict} |")


def wrk(name, side):
    """Requests/s, median ms, p95 ms of one side; failures are told below the table."""
    values = figures[name][side].split() if len(figures[name]) > side else []
    if len(values) != 4:
        return None
    rate, p50, p95, errors = (float(v) for v in values)
    if errors:
        failed.append(f"{name}: {errors:.0f} requests of {'nginx' if side else 'ours'} did not succeed")
    return rate, p50, p95


def rates(name, what, target):
    ours, theirs = wrk(name, 0), wrk(name, 1)
    if ours is None or theirs is None:
        return row(what, "no figure")
    row(what, f"{ours[0]:,.0f} /s (p95 {ours[2]:.1f} ms)", f"{theirs[0]:,.0f} /s", f"{ours[0] / theirs[0]:.2f} ×", f"≥ {target:,} /s", met(ours[0] >= target))


print(f"Machine: {figures['machine'][0]}. Took {figures['took'][0]}.\n")
print("| what | appliance, encrypted at rest, durable when acknowledged | nginx, no encryption at rest, not durable, no sign-in | ratio | target | |")
print("|---|---:|---:|---:|---:|---|")
for name, what, target in (("large-up", "512 MiB up", 0.4), ("large-down", "512 MiB down", 0.7)):
    if name in figures:
        ours, theirs = (MIB / float(v) for v in figures[name])
        row(what, f"{ours:,.0f} MB/s", f"{theirs:,.0f} MB/s", f"{ours / theirs:.2f} ×", f"≥ {target} ×", met(ours / theirs >= target))
if "small-up" in figures:
    rates("small-up", "4 KiB up, 8 connections", 800)
    rates("small-down", "4 KiB down, 8 connections", 5000)
if "listing-1000" in figures:
    ours, theirs = wrk("listing-1000", 0), wrk("listing-1000", 1)
    row("a folder of 1,000 entries, median", f"{ours[1]:.1f} ms (p95 {ours[2]:.1f})", f"{theirs[1]:.1f} ms", f"{ours[1] / theirs[1]:.1f} ×", "≤ 5 ms", met(ours[1] <= 5))
    ours = wrk("listing-100000", 0)
    row("the first page of 100,000 entries, median", f"{ours[1]:.1f} ms (p95 {ours[2]:.1f})", target="≤ 20 ms", verdict=met(ours[1] <= 20))
if "search" in figures:
    ours = wrk("search", 0)
    row("search by name in 1,000,000 files, p95", f"{ours[2]:.1f} ms (median {ours[1]:.1f})", target="≤ 50 ms", verdict=met(ours[2] <= 50))
if "pages" in figures:
    rates("pages", "sign-in page, 8 connections", 4000)
if "idle" in figures:
    ours, theirs = (int(v) / 1024 for v in figures["idle"])
    row("memory (PSS) of the web process, idle after its start", f"{ours:.0f} MiB", f"{theirs:.0f} MiB", target="≤ 150 MiB", verdict=met(ours <= 150))
if "used" in figures:
    ours, theirs = (int(v) / 1024 for v in figures["used"])
    row("the same, idle after all of the above", f"{ours:.0f} MiB", f"{theirs:.0f} MiB", target="≤ 150 MiB", verdict=met(ours <= 150))
if "uploads16" in figures:
    before, peak, took = (int(v) for v in figures["uploads16"])
    row("16 uploads of 512 MiB at once, above idle", f"{(peak - before) / 1024:.0f} MiB (peak {peak / 1024:.0f}; {16 * MIB / (took / 1000):,.0f} MB/s)", target="≤ 96 MiB", verdict=met((peak - before) / 1024 <= 96))
if "start" in figures:
    took = int(figures["start"][0]) / 1000
    row("start to ready, warm", f"{took:.2f} s", target="≤ 5 s", verdict=met(took <= 5))
if "sealing" in figures:
    for what, value in zip(("sealing", "opening"), figures["sealing"]):
        row(f"{what} ÷ `openssl speed` AES-256-GCM", f"{value} ×", target="≥ 0.6 ×", verdict=met(float(value) >= 0.6))
if failed:
    print("\nFailed: " + "; ".join(failed) + ".")
