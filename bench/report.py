"""report.py - what bench/run measured, as a table of ratios and as a chart."""
from html import escape
from statistics import median

ROWS = ["first", "drill", "same", "restore", "spread", "recent"]
LABELS = {
    "first": "first export, `--no-drill`", "drill": "first export with drill",
    "same": "no change", "restore": "restore, verified",
    "spread": "1 % spread, `--no-drill`", "recent": "1 % recent, `--no-drill`",
}
MEASURES = ["wall", "cpu", "peak", "stored"]
COLOURS = ["#2a6fbb", "#8a8a8a", "#c2913a", "#6b9a57", "#a0628f", "#b5b5b5"]


def medians(samples):
    """{row: {tool: [sample, ...]}} to {row: {tool: {measure: median}}}; the
    drill's row borrows the peers' first save: they have no such thing."""
    figures = {row: {tool: {m: median(s[m] for s in runs) for m in MEASURES}
                     for tool, runs in tools.items()}
               for row, tools in samples.items()}
    if "first" in figures:
        drill = figures["first"].pop("dbstow, drill")
        figures["drill"] = dict(figures["first"], dbstow=drill)
    return {row: figures[row] for row in ROWS if row in figures}


def megabytes(size):
    return "%.2f" % (size / 1e6) if size < 1e7 else "%.1f" % (size / 1e6)


def cell(ours, theirs):
    """Nothing stored by either side gives nothing to divide."""
    parts = []
    for measure in MEASURES:
        a, b = ours[measure], theirs[measure]
        if measure == "stored" and min(a, b) < 1000:
            parts.append("–")
        else:
            parts.append(("%.3f" if a < b / 10 else "%.2f") % (a / b))
    return " · ".join(parts)


def table(figures, peers):
    lines = ["| dbstow | wall s | CPU s | peak MB | stored MB |",
             "|---|---|---|---|---|"]
    for row, tools in figures.items():
        own = tools["dbstow"]
        stored = "–" if row == "restore" else megabytes(own["stored"])
        lines.append("| %s | %.2f | %.2f | %.0f | %s |" % (
            LABELS[row], own["wall"], own["cpu"], own["peak"] / 1e6, stored))
    if not peers:
        return "\n".join(lines)
    lines += ["", "dbstow / other: wall · CPU · peak memory · stored", "",
              "| | %s |" % " | ".join(peers), "|---" * (len(peers) + 1) + "|"]
    for row, tools in figures.items():
        lines.append("| %s | %s |" % (LABELS[row], " | ".join(
            cell(tools["dbstow"], tools[peer]) for peer in peers)))
    return "\n".join(lines)


def chart(figures, title):
    """Bars of wall time; in each row the slowest is the full width."""
    left, width, bar = 170, 420, 11
    parts, y = [], 34
    for row, tools in figures.items():
        slowest = max(f["wall"] for f in tools.values())
        label = LABELS[row].replace("`", "")
        parts.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (
            left - 8, y + len(tools) * bar / 2 + 4, label))
        for i, (tool, f) in enumerate(tools.items()):
            length = max(1, width * f["wall"] / slowest)
            parts.append('<rect x="%d" y="%d" width="%.1f" height="%d" '
                         'fill="%s"/>' % (left, y, length, bar - 2,
                                          COLOURS[i % len(COLOURS)]))
            parts.append('<text x="%.1f" y="%d" class="s">%s %.2f s</text>' % (
                left + length + 4, y + bar - 3, tool, f["wall"]))
            y += bar
        y += 14
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="740" height="%d" '
            'font-family="sans-serif" font-size="11">\n'
            '<style>.s{font-size:8px;fill:#444}</style>\n'
            '<rect width="100%%" height="100%%" fill="#fff"/>\n'
            '<text x="8" y="18" font-size="13">%s</text>\n%s\n</svg>\n' % (
                y, escape(title), "\n".join(parts)))
