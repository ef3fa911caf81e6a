# SPDX-License-Identifier: BSD-3-Clause
"""Charts of a report, drawn by gnuplot as PNG files."""

import pathlib
import shutil
import subprocess

from .workloads import ALL, SORTED_SIZES

COLOURS = ("#1f5fa8", "#c8553d", "#e0a030", "#5b8c5a", "#7d6b91", "#444444", "#3aa6a6", "#b0b0b0")
PEERS = ("vmswitch", "ovs-normal", "ovs-mac-flows", "ovs-port-to-port", "testpmd",
         "ovs-normal-tso", "testpmd-tso", "vmswitch-nap0")
# They are drawn where the settings above are not.
COLOURS_OF = {"ovs-normal-tap": COLOURS[2], "linux-bridge": COLOURS[6],
              "linux-bridge-rps": COLOURS[5]}
DASHES = {"near": 1, "far": 2, "mixed": 3}
# With more labels than that they are written aslant.
LABELS_LEVEL = 5
WIDTH, WIDTH_OF_BAR = 960, 16
HEAD = """set terminal pngcairo size {width},540 font "DejaVu Sans,11" background "white"
set output "{out}"
set title "{title}"
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
set key outside top center horizontal
set yrange [0:*]
"""


def table(report, metric, only=None):
    """Rows of a metric that have a median."""
    return [row for row in report["results"] if row["metric"] == metric
            and row["median"] is not None and (only is None or only(row))]


def quote(text):
    """A string as gnuplot reads it."""
    return '"' + str(text).replace('"', "'").replace("_", "-") + '"'


def bars(rows, value, low, high, labels):
    """Data of a bar chart with error bars: a block per peer, a line per label."""
    blocks, peers = [], list(dict.fromkeys(row["peer"] for row in rows))
    width = 0.8 / max(1, len(peers))
    for n, peer in enumerate(peers):
        lines = []
        for row in rows:
            if row["peer"] != peer:
                continue
            place = labels.index(label_of(row)) + (n - (len(peers) - 1) / 2) * width
            lines.append(f"{place} {value(row)} {low(row)} {high(row)} {width * 0.9}")
        blocks.append((peer, lines))
    return blocks


def colour_of(peer, number):
    """A peer has one colour in all charts; others take what their number gives."""
    if peer in COLOURS_OF:
        return COLOURS_OF[peer]
    return COLOURS[(PEERS.index(peer) if peer in PEERS else number) % len(COLOURS)]


def label_of(row):
    """Workload and bin, the two things that hold figures apart."""
    return f"{row['workload']} {row['bin']}"


def bar_script(rows, out, title, ylabel, value, low, high, line_at=None):
    """gnuplot's input for a bar chart."""
    labels = list(dict.fromkeys(label_of(row) for row in rows))
    text = HEAD.format(out=out, title=title, width=max(WIDTH, WIDTH_OF_BAR * len(rows)))
    text += f"set ylabel {quote(ylabel)}\n"
    text += "set xtics (" + ", ".join(f"{quote(label)} {n}" for n, label in enumerate(labels))
    if len(labels) > LABELS_LEVEL:
        text = text.replace("set xtics (", "set bmargin 8\nset xtics rotate by -35 (")
    text += f")\nset xrange [-0.6:{len(labels) - 0.4}]\nset style fill solid 0.9\n"
    if line_at is not None:
        text += f"set arrow from graph 0, first {line_at} to graph 1, first {line_at} nohead\n"
    blocks, plots = bars(rows, value, low, high, labels), []
    for n, (peer, lines) in enumerate(blocks):
        text += f"$d{n} << EOD\n" + "\n".join(lines) + "\nEOD\n"
        colour = colour_of(peer, n)
        plots.append(f"$d{n} using 1:2:5 with boxes lc rgb '{colour}' title {quote(peer)}")
        plots.append(f"$d{n} using 1:2:3:4 with yerrorbars lc rgb '#222222' ps 0 notitle")
    return text + "plot " + ", ".join(plots) + "\n"


def line_script(series, out, title, xlabel, ylabel, more=""):
    """gnuplot's input for lines: {name: [(x, y)]}."""
    text = HEAD.format(out=out, title=title, width=WIDTH) + more
    text += f"set xlabel {quote(xlabel)}\nset ylabel {quote(ylabel)}\n"
    plots = []
    for n, (name, points) in enumerate(series.items()):
        text += f"$d{n} << EOD\n" + "\n".join(f"{x} {y}" for x, y in sorted(points)) + "\nEOD\n"
        peer, _, where = name.partition(" ")
        plots.append(f"$d{n} using 1:2 with linespoints lw 2 pt 7 dt {DASHES.get(where, 1)} "
                     f"lc rgb '{colour_of(peer, n)}' title {quote(name)}")
    return text + "plot " + ", ".join(plots) + "\n"


def series_of(rows, x, y):
    """{peer and bin: points} of rows that make a line."""
    found = {}
    for row in rows:
        found.setdefault(f"{row['peer']} {row['bin']}", []).append((x(row), y(row)))
    return found


def way_of(row):
    """What lies between the stations of a row's workload; empty: nothing but one switch."""
    one = ALL.get(row["workload"])
    return one.way if one else ""


def low_of(row):
    """Lower end of a spread."""
    return row["spread"][0]


def high_of(row):
    """Upper end of a spread."""
    return row["spread"][1]


def scripts(report, folder):
    """[(file name, gnuplot's input)] of all charts that have data."""
    guests = report["guests"]
    rates = table(report, "mpps", lambda row: "x" not in row and row["workload"] != "pair-tso")
    ways = [row for row in rates if way_of(row)]
    rates = [row for row in rates if not way_of(row)]
    bits = table(report, "gbps", lambda row: "x" not in row)
    found = []
    if rates:
        def per_vm(of):
            return lambda row: of(row) / guests.get(row["workload"], 2)
        found.append(("throughput.png", bar_script(
            rates, folder / "throughput.png", "Throughput per VM (median, quartiles)",
            "million frames per second and VM", per_vm(lambda row: row["median"]),
            per_vm(low_of), per_vm(high_of))))
    if ways:
        found.append(("ways.png", bar_script(
            ways, folder / "ways.png", "Host ports and uplinks (median, quartiles)",
            "million frames per second, both ways", lambda row: row["median"], low_of, high_of)))
    ratios = [row for row in rates + ways if row.get("ratio") is not None]
    if ratios:
        found.append(("ratio.png", bar_script(
            ratios, folder / "ratio.png", f"{report['ours']} / peer, paired runs in one bin",
            "ratio of throughput", lambda row: row["ratio"], lambda row: row["ratio_spread"][0],
            lambda row: row["ratio_spread"][1], line_at=1)))
    if bits:
        found.append(("bits.png", bar_script(
            bits, folder / "bits.png", "Throughput of all guests: TSO frames, virtual machines",
            "Gbit/s", lambda row: row["median"], low_of, high_of)))
    cycles = table(report, "cycles_per_frame", lambda row: "x" not in row)
    if cycles:
        found.append(("cycles.png", bar_script(
            cycles, folder / "cycles.png", "Busy cycles of the switch per frame", "TSC cycles",
            lambda row: row["median"], low_of, high_of)))
    stood = table(report, "blocked_ms_restart")
    if stood:
        found.append(("restart.png", bar_script(
            stood, folder / "restart.png", "Switch killed and started again at half rate",
            "traffic stood still, ms", lambda row: row["median"], low_of, high_of)))
    return found + line_scripts(report, folder)


def line_scripts(report, folder):
    """Scaling, latency, loss."""
    found = []
    scale = table(report, "mpps", lambda row: row["workload"].startswith("scale-")
                  and "x" in row)
    if scale:
        found.append(("scaling.png", line_script(
            series_of(scale, lambda row: row["x"], lambda row: row["median"]),
            folder / "scaling.png", "Throughput of all guests, 64 bytes", "guests",
            "million frames per second", "set logscale x 2\n")))
    for size, text in SORTED_SIZES:
        rows = table(report, "mpps", lambda row, of=f"vmq-{size}-": row["workload"].startswith(of))
        if rows:
            name = f"queues-{size}.png"
            found.append((name, line_script(
                series_of(rows, lambda row: row["x"], lambda row: row["median"]), folder / name,
                f"Sorted for guests: {text}", "guests", "million frames per second",
                "set logscale x 2\n")))
    parts = {"latency_p50_ns": 50, "latency_p99_ns": 99, "latency_p999_ns": 99.9}
    latency = [row for metric in parts for row in table(report, metric)]
    if latency:
        series = series_of(latency, lambda row: 1 / (1 - parts[row["metric"]] / 100),
                           lambda row: row["median"] / 1000)
        found.append(("latency.png", line_script(
            series, folder / "latency.png", "Latency at half rate", "percentile", "microseconds",
            'set logscale x\nset xtics ("50" 2, "99" 100, "99.9" 1000)\nset xrange [1.5:1500]\n')))
    loss = table(report, "loss", lambda row: "x" in row)
    if loss:
        found.append(("loss.png", line_script(
            series_of(loss, lambda row: row["x"], lambda row: 100 * row["median"]),
            folder / "loss.png", "Loss at fixed offered rates, 64 bytes",
            "offered, million frames per second", "lost, %")))
    return found


def draw(report, folder):
    """Draw everything; returns (paths, why something is missing or an empty string)."""
    if shutil.which("gnuplot") is None:
        return [], "no charts: package gnuplot-nox is not installed"
    folder, paths, why = pathlib.Path(folder).resolve(), [], ""
    for name, script in scripts(report, folder):
        try:
            done = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True,
                                  timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            why = f"{name}: {error}"
            continue
        if done.returncode or not (folder / name).exists():
            why = f"{name}: gnuplot: {done.stderr.strip()[-300:]}"
        else:
            paths.append(folder / name)
    return paths, why
