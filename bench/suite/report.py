# SPDX-License-Identifier: BSD-3-Clause
"""Writes a report: report.json (its schema stands in doc/bench.md), PNG charts, and report.html
with the charts inside."""

import base64
import html
import json
import pathlib
import time

from . import charts, results
from .workloads import ALL, SAMPLE, absent

CSS = """body{font:15px/1.5 sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;
text-align:right}td:first-child,th:first-child,td.t{text-align:left}img{max-width:100%}
code{font-size:12px;word-break:break-all}.worse{color:#a02020}.better{color:#207020}
.small{font-size:13px;color:#555}"""


def build(session, lab, machine, calibration, skipped, wanted, versions):
    """The report as a dictionary."""
    ours = session.peers[0].name if session.peers else "vmswitch"
    # The ceiling was taken with vsgen's usual options.
    sizes = {name: one.ceiling() for name, one in ALL.items()
             if one.options in ((), SAMPLE) and not one.interfaces()}
    ceilings = {size: one["bins"] for size, one in calibration["ceilings"].items()}
    return {
        "schema": results.SCHEMA, "mode": session.mode.name, "ours": ours,
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(session.clock() - session.begin, 1),
        "machine": {**machine, "hugepages": lab.hugepages}, "calibration": calibration,
        "peers": {p.name: {"title": p.title, "version": versions.get(p.name, "")}
                  for p in session.peers},
        "skipped": skipped, "absent": absent(wanted), "left_out": session.left_out,
        "failures": session.failures,
        "trials": {"made": lab.trials, "thrown": lab.thrown,
                   "published_disturbed": lab.published},
        "guests": {name: ALL[name].guests for name in wanted},
        "results": results.rows(session.samples, ours, session.labels, session.command, ceilings,
                                sizes),
        "samples": session.samples, "runs": session.runs,
    }


def write(report, folder):
    """Write all files; returns what could not be drawn, or an empty string."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "report.json.part"
    part.write_text(json.dumps(report, indent=1) + "\n")
    part.replace(folder / "report.json")
    pictures, why = charts.draw(report, folder)
    (folder / "report.html").write_text(page(report, pictures, why))
    return why


def number(value):
    """A figure with three digits that count."""
    if value is None:
        return "–"
    if value and abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def cell(text, name=""):
    """A cell of a table."""
    mark = f' class="{name}"' if name else ""
    return f"<td{mark}>{html.escape(str(text))}</td>"


def result_rows(report):
    """The rows of the big table."""
    lines = []
    for row in report["results"]:
        workload = row["workload"] + (f" @ {row['x']:g}" if "x" in row else "")
        low, high = row["spread"]
        ratio = number(row.get("ratio"))
        if row.get("ratio") is not None:
            ratio += " ({}–{}, {} pairs)".format(*map(number, row["ratio_spread"]), row["pairs"])
        lines.append("<tr>" + cell(workload, "t") + cell(row["peer"], "t") + cell(row["bin"], "t")
                     + cell(row["metric"], "t") + cell(f"{number(row['median'])} {row['unit']}")
                     + cell(f"{number(low)}–{number(high)}") + cell(row["runs"]) + cell(ratio)
                     + cell(row.get("verdict", ""), row.get("verdict", ""))
                     + cell("; ".join(row["labels"]), "t") + "</tr>")
    return "\n".join(lines)


def listing(title, items):
    """A heading with a list, nothing without items."""
    if not items:
        return ""
    return f"<h2>{title}</h2><ul>" + "".join(f"<li>{html.escape(i)}</li>" for i in items) + "</ul>"


def calibration_items(report):
    """Calibration for people."""
    found = report["calibration"]
    line = found["core_to_core_ns"]
    items = [f"cache line from core to core and back: median {number(line['median'])} ns, "
             f"{number(line['min'])}–{number(line['max'])} ns in {line['probes']} probes",
             f"rate of one core with the other busy: {number(found['interference'])} of alone",
             f"stolen during calibration: {found['steal']:.2%}"]
    items += [f"copying blocks of {size} bytes: {number(rate)} GB/s"
              for size, rate in found["copy_gb_s"].items()]
    items += [f"generator against nothing, {size}: {number(one['mpps'])} Mpps"
              for size, one in found["ceilings"].items()]
    items += [f"generator against nothing, {size}: not known: {why}"
              for size, why in found["ceiling_errors"].items()]
    return items


def page(report, pictures, why):
    """report.html: nothing outside of it is needed."""
    images = "".join(
        f'<p><img alt="{path.stem}" src="data:image/png;base64,'
        f'{base64.b64encode(path.read_bytes()).decode()}"></p>' for path in pictures)
    machine = report["machine"]
    commands = {line for row in report["results"] for line in row["command"]}
    return f"""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<title>vmswitch benchmark</title><style>{CSS}</style></head><body>
<h1>vmswitch benchmark</h1>
<p>{html.escape(results.summary(report))}</p>
<p class="small">{html.escape(report['written'])}, mode {html.escape(report['mode'])},
{report['seconds']} s. {html.escape(machine['cpu'])}, {machine['cpus']} CPUs, kernel
{html.escape(machine['kernel'])}; switch on CPU {machine['switch_cpu']}, generator on CPU
{machine['generator_cpu']}; hugepages for DPDK: {'yes' if machine['hugepages'] else 'no'}.
A ratio is {html.escape(report['ours'])}'s value divided by the peer's, of paired runs in one bin.
</p>{images}<p>{html.escape(why)}</p>
<h2>Results</h2><table><tr><th>workload</th><th>peer</th><th>bin</th><th>metric</th><th>median</th>
<th>quartiles</th><th>runs</th><th>ratio</th><th>verdict</th><th>labels</th></tr>
{result_rows(report)}</table>
{listing("Peers", [f"{n}: {p['title']}, {p['version']}" for n, p in report['peers'].items()])}
{listing("Calibration", calibration_items(report))}
{listing("Peers that are missing", [f"{s['peer']}: {s['reason']}" for s in report['skipped']])}
{listing("Workloads that wait", [f"{a['workload']}: {a['feature']}" for a in report['absent']])}
{listing("Left out", report['left_out'])}
{listing("Failed runs", [f"{f['workload']} {f['peer']}: {f['error']}" for f in report['failures']])}
<h2>Commands</h2><code>{'<br>'.join(html.escape(line) for line in sorted(commands))}</code>
</body></html>
"""
