"""github.py - what a step tells the runner: lines of the log, annotations,
outputs, the summary.

The runner takes a line that begins with '::', and any '##[' within one, for a
command.  What comes from databases and servers reaches it through plain(),
escaped() or markdown() alone.
"""
import os, secrets, sys

ANNOTATIONS = 10  # of a kind in a step; GitHub shows no more
SUMMARY_BYTES = 1 << 20  # of a step; GitHub takes no more, and then none of it

told = {"error": 0, "warning": 0, "notice": 0}
sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def plain(text):
    """A line in which nothing is a command: the runner ends lines at a carriage
    return, too."""
    text = "".join(c if c.isprintable() else "\\x%02x" % ord(c) if c < "\x80" else "\\u%04x" % ord(c) for c in text)
    return text.replace("##[", "## [")


def write(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def log(text):
    """Blanks at the start of a line are passed over by the runner: the bar is
    what keeps '::' from its beginning."""
    write("| " + plain(text))


def escaped(text):
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def annotate(kind, text):
    """An 'error', 'warning' or 'notice' where people look first."""
    told[kind] += 1
    if told[kind] < ANNOTATIONS:
        write("::%s title=dbstow::%s" % (kind, escaped(plain(text))))
    elif told[kind] == ANNOTATIONS:
        write("::%s title=dbstow::there are more: see the log" % kind)
    if told[kind] >= ANNOTATIONS:
        log(text)


def mask(secret):
    """From here on the runner shows *** for it."""
    for line in secret.splitlines():
        if line.strip():
            write("::add-mask::" + escaped(line))


def put(name, value):
    """An output of the step."""
    end = "end-" + secrets.token_hex(16)
    with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as f:
        f.write("%s<<%s\n%s\n%s\n" % (name, end, value, end))


def markdown(text, longest=200):
    """A text as itself: no table ends in it, no link, image or tag begins."""
    text = plain(text)
    if len(text) > longest:
        text = text[:longest] + "…"
    return "".join(c if c.isalnum() or c in " -,…" or c > "\x7f" else "&#%d;" % ord(c) for c in text)


def summarize(lines):
    """Whole lines, as many as GitHub takes."""
    room = SUMMARY_BYTES - 100
    with open(os.environ["GITHUB_STEP_SUMMARY"], "ab") as f:
        for line in lines:
            data = (line + "\n").encode("utf-8", "replace")
            room -= len(data)
            if room < 0:
                f.write("\nThere is more; this is all that a summary holds.\n".encode())
                break
            f.write(data)
