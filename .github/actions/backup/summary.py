"""summary.py - the page of a run: what was done, what changed, what is wrong"""
import calendar, json, os, subprocess, time
from github import markdown

NUMBERS = ("Rows", "Added", "Changed", "Removed")
TABLES = 200  # rows of a table that anybody reads
IDLE_DAYS = 45  # of 60, after which schedules end


def now():
    return int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())


def count(n, what):
    return "%s %s%s" % (format(n, ","), what, "" if n == 1 else "s")


def size(n):
    for unit in ("bytes", "kB", "MB", "GB"):
        if n < 1000:
            break
        n /= 1000
    else:
        unit = "TB"
    return ("%d %s" if unit == "bytes" or n >= 10 else "%.1f %s") % (n, unit)


def age(then):
    """'2026-11-21T00:07:11Z' -> '3 days ago'"""
    try:
        s = now() - calendar.timegm(time.strptime(then, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return ""
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if s >= 2 * unit:
            return ", %d %ss ago" % (s // unit, name)
    return ", just now"


def when(then):
    return markdown(then) + age(then) if then else "never"


# ---- a schedule that will end ----

def on_default_branch():
    """What a schedule runs is the default branch; else the event tells."""
    if os.environ.get("GITHUB_EVENT_NAME") == "schedule":
        return True
    try:
        with open(os.environ["GITHUB_EVENT_PATH"], encoding="utf-8") as f:
            return os.environ["GITHUB_REF_NAME"] == json.load(f)["repository"]["default_branch"]
    except (KeyError, OSError, TypeError, ValueError):
        return False


def idle_days():
    """How old the newest commit of the default branch is, where that is known
    and matters; else None."""
    p = subprocess.run(["git", "-C", os.environ.get("GITHUB_WORKSPACE", "."), "log", "-1", "--format=%ct", "HEAD"],
                       capture_output=True)
    if not on_default_branch() or p.returncode or not p.stdout.strip().isdigit():
        return None
    days = (now() - int(p.stdout)) // 86400
    return days if days >= IDLE_DAYS else None


def idle_text(days):
    return ("the newest commit on the default branch is %d days old: in public repositories GitHub ends schedules 60 days "
            "after it, and says so by mail alone; commit something there, or enable the workflow again" % days)


# ---- parts of the page ----

def title(facts):
    answer, mode = facts.get("answer", {}), facts.get("settings", {}).get("mode")
    if facts.get("outcome") == "failed":
        return "failed"
    if mode == "verify":
        return count(len(answer.get("results", [])), "snapshot") + " verified"
    if mode == "status":
        return "needs attention" if answer.get("attention") else "fresh and proven"
    return "a new snapshot" if answer.get("changed") else "unchanged"


def table(head, rows):
    yield "| %s |" % " | ".join(head)
    yield "|%s" % "".join(" ---: |" if name in NUMBERS else " --- |" for name in head)
    for row in rows:
        yield "| %s |" % " | ".join(row)
    yield ""


def drill(text):
    return "ok: restored once, and equal" if text == "ok" else markdown(text)


def about_snapshot(facts):
    a, shown = facts["answer"], facts.get("shown", {})
    yield "Snapshot", "`%s`" % a["snapshot"]
    yield "Content", "`%s`" % a["content"]
    if shown.get("source"):
        yield "Source", markdown(shown["source"])
        yield "Taken", when(shown["created_at"])
    yield "Holds", "%s in %s, %s of JSON" % (count(a["rows"], "row"), count(a["tables"], "table"), size(a["bytes"]))
    yield "Drill", drill(a["drill"])


def about_remote(facts):
    pushed = facts.get("pushed")
    if pushed is None:
        yield "Off-site", "**no**"
    for r in (pushed or {}).get("remotes", []):
        yield "Off-site", "%s: %s%s" % (markdown(r["remote"]), count(r["snapshots"], "snapshot"),
                                        "; sent " + size(r["bytes"]) if r["pushed"] else "")
        if r["dropped"]:
            yield "Retention", "dropped %s" % count(r["dropped"], "snapshot")
    if "error" in (pushed or {}):
        yield "Off-site", "**no**: " + markdown(pushed["error"]["message"], 2000)


def about_status(a):
    yield "Branch", "%s of %s" % (count(a["snapshots"], "snapshot"), markdown(a["source"] or "?"))
    for name, key, seen in (("Newest", "newest", "seen_at"), ("Proven", "proven", "proven_at")):
        one = a[key]
        yield name, "`%s` of %s; last seen %s" % (one["id"][:8], markdown(one["created_at"]), when(a[seen])) if one else "none"
    if a["sizes"]:
        yield "Sizes", ", ".join(size(n) for n in a["sizes"][:10])


def changed_tables(facts):
    """Rows added, changed and removed; where that is not known, how many there
    are."""
    rows = {t["name"]: t["rows"] for t in facts.get("shown", {}).get("table_list", []) if t["kind"] != "internal"}
    diff = facts.get("diff", {}).get("tables")
    if diff is None:
        found = [(markdown(n), format(c, ",")) for n, c in rows.items()]
        head = ["Table", "Rows"]
    else:
        found = [(markdown(t["name"]), format(rows.get(t["name"], 0), ","), *("%s%s" % (sign if t[k] else "", format(t[k], ","))
                  for sign, k in (("+", "added"), ("", "changed"), ("−", "removed"))))
                 for t in diff if t["added"] or t["changed"] or t["removed"]]
        head = ["Table", "Rows", "Added", "Changed", "Removed"]
    if found:
        yield from table(head, found[:TABLES])
    if len(found) > TABLES:
        yield "… and %s.\n" % count(len(found) - TABLES, "more table")


def schema(facts):
    """What differs in the schema and the settings."""
    found = facts.get("diff", {}).get("schema", [])
    if found:
        yield from table(["Schema", ""], [("%s %s" % (markdown(c["type"]), markdown(c["name"])), markdown(c["change"]))
                                          for c in found[:TABLES]])
    if len(found) > TABLES:
        yield "… and %s.\n" % count(len(found) - TABLES, "more change")


def results(facts):
    return [("`%s`" % markdown(r["snapshot"]), "**damaged**" if r["result"] == "damaged" else markdown(r["result"]),
             markdown(r.get("message", ""), 500)) for r in facts["answer"].get("results", [])]


def body(facts):
    answer, mode = facts.get("answer", {}), facts.get("settings", {}).get("mode")
    if mode == "status" and "snapshots" in answer:
        yield from table(["", ""], about_status(answer))
    elif answer.get("snapshot"):
        yield from table(["", ""], [*about_snapshot(facts), *about_remote(facts)])
        yield from changed_tables(facts)
        yield from schema(facts)
    elif answer.get("results"):
        yield from table(["Snapshot", "Result", ""], results(facts))


def lines(facts, idle):
    yield "### dbstow: %s\n" % title(facts)
    yield from body(facts)
    for message in facts.get("messages", []):
        yield "- ⚠️ %s" % markdown(message, 2000)
    if idle is not None:
        yield "- ⏳ %s" % markdown(idle_text(idle), 2000)
    yield ""


def nothing():
    return ["### dbstow: failed\n", "The action did not begin; the log says why.", ""]
