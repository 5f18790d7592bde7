#!/usr/bin/env python3
"""The command line itself: help, documents to every kind of file, questions on a
terminal, progress, signals."""
import json, os, re, select, signal, subprocess, sys, threading, time
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *


sql("app.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,'one')")
new_repo()
first = dbstow("export", "app.db", "--repo", "repo").out.strip()
sql("app.db", "INSERT INTO t VALUES(2,'two')")
second = dbstow("export", "app.db", "--repo", "repo").out.strip()

# help and version
check(run(DBSTOW).status == 2 and "usage: dbstow COMMAND" in run(DBSTOW).err, "no command")
check(dbstow("help").out == dbstow("--help").out and "export" in dbstow("help").out, "help")
check(re.fullmatch(r"dbstow \d+\.\d+\.\d+\n", dbstow("version").out), "version")
dbstow("help", "nothing", status=2, err="dbstow: unknown command 'nothing'")
dbstow("export", "app.db", "--repo", status=2, err="dbstow: option '--repo' needs a value; see 'dbstow help export'")
dbstow("list", "-x", status=2, err="dbstow: unknown option '-x'; see 'dbstow help list'")
dbstow("show", "a", "b", status=2, err="dbstow: unexpected argument 'b'; usage: dbstow show [SNAP] [options]")
dbstow("pin", status=2, err="dbstow: an argument is missing; usage: dbstow pin SNAP [options]")
dbstow("export", "app.db", "--name", "a\nb", "--repo", "repo", status=2, err="dbstow: --name must be one line of text")
dbstow("export", "app.db", "--timeout", "x", "--repo", "repo", status=2,
       err="dbstow: --timeout takes a whole number from 1 to 1000000, not 'x'")
dbstow("verify", "latest", "--all", "--repo", "repo", status=2, err="dbstow: give one of SNAP, --all and --from")
dbstow("restore", "latest", "--at", "2026-01-01", "--to", "x.db", "--repo", "repo", status=2,
       err="dbstow: give one of SNAP, --at and --from")
dbstow("restore", "--at", "soon", "--to", "x.db", "--repo", "repo", status=2,
       err="dbstow: --at takes a time like 2026-11-20T02:35Z, not 'soon'")
dbstow("restore", "--at", "1999-01-01", "--to", "x.db", "--repo", "repo", status=1, err="~dbstow: .*1999-01-01.*")

# settings from the environment and from .dbstow
check(dbstow("list", "--json", env={"DBSTOW_REPO": "repo"}).out == dbstow("list", "--json", "--repo", "repo").out, "DBSTOW_REPO")
dbstow("export", env={"DBSTOW_REPO": "repo", "DBSTOW_DB": "app.db"})
dbstow("export", env={"DBSTOW_REPO": "repo", "DATABASE_URL": "sqlite:///app.db"})
open("repo/.dbstow", "w").write("[dbstow]\n\tbranch = elsewhere\n\tkeep = 3\n")
dbstow("export", "app.db", "--repo", "repo")
check(tip(branch="elsewhere") and "keeping 3" in dbstow("list", "--repo", "repo").out, ".dbstow")
os.remove("repo/.dbstow")

# documents
document = dbstow("export", "app.db", "--output", "-").out
dbstow("export", "app.db", "-o", "doc.json", err="app.db: 1 table, 2 rows written to doc.json")
check(json.load(open("doc.json"))["end"]["rows"] == 2 and os.stat("doc.json").st_mode & 0o777 == 0o600, "document")
os.symlink("doc.json", "link.json")
dbstow("export", "app.db", "-o", "link.json")
check(os.path.islink("link.json"), "a link was replaced")
dbstow("export", "app.db", "-o", "/dev/null")
check(not os.path.isfile("/dev/null"), "/dev/null was replaced")
os.mkfifo("pipe")
read = []
reader = threading.Thread(target=lambda: read.append(open("pipe").read()))
reader.start()
dbstow("export", "app.db", "-o", "pipe")
reader.join()
check(json.loads(read[0])["end"] == json.loads(document)["end"], "through a pipe")
check(json.loads(dbstow("export", "app.db", "-o", "doc.json", "--json").out) == {"output": "doc.json", "tables": 1, "rows": 2}, "--json")
before = open("app.db", "rb").read()
sql("other.db", "CREATE TABLE o(x)")
dbstow("export", "app.db", "-o", "app.db", status=6, err="dbstow: 'app.db' is the database itself; give --output another name")
dbstow("export", "app.db", "-o", "other.db", status=6,
       err="dbstow: 'other.db' is a SQLite database and was not replaced; give --output another name")
check(open("app.db", "rb").read() == before, "the database was replaced")
dbstow("export", "app.db", "-o", "none/doc.json", status=1, err="dbstow: cannot write 'none/doc.json': No such file or directory")
if os.path.exists("/dev/full"):
    dbstow("export", "app.db", "-o", "/dev/full", status=1, err="dbstow: cannot write '/dev/full': No space left on device")
    with open("/dev/full", "w") as full:
        p = subprocess.run([DBSTOW, "list", "--repo", "repo"], stdout=full, stderr=subprocess.PIPE)
    check(p.returncode == 1 and b"cannot write to stdout" in p.stderr, "a full standard output")

# questions
terminals = has_terminals()
if terminals:
    status, shown = terminal("restore", "--repo", "repo", "--to", "new.db", answers=[("Which snapshot", "latest~1")])
    check(status == 0 and query("new.db", "SELECT count(*) FROM t") == [(1,)], "the chosen snapshot: " + shown)
    status, shown = terminal("restore", "--repo", "repo", "--to", "new.db",
                             answers=[("Which snapshot", ""), ("Type its name", "no")])
    check(status == 6 and query("new.db", "SELECT count(*) FROM t") == [(1,)], "a wrong name: " + shown)
    status, shown = terminal("restore", "latest", "--repo", "repo", "--to", "new.db", answers=[("Type its name", "new.db")])
    check(status == 0 and query("new.db", "SELECT count(*) FROM t") == [(2,)], "the right name: " + shown)
    status, shown = terminal("restore", "latest", "--repo", "repo", "--to", "new.db", answers=[("Type its name", "\x03")])
    check(status == 130, "Ctrl-C at a question: %d %s" % (status, shown))
    status, shown = terminal("restore", "--repo", "repo", "--to", "new.db", answers=[("Which snapshot", "\x03")])
    check(status == 130 and "will be changed" not in shown, "Ctrl-C at a choice: %d %s" % (status, shown))
    status, shown = terminal("delete", first, "--repo", "repo", answers=[("to confirm", first[:8] + "")])
    check(status == 0 and "deleted " + first in shown, "delete: " + shown)

# progress on a terminal, none elsewhere; signals
sql("big.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
    "WHERE i<2000000) INSERT INTO t SELECT i, 'some text '||i FROM n")
new_repo("big")
if terminals:
    status, shown = terminal("export", "big.db", "--repo", "big", "--no-drill")
    check(status == 0 and re.search(r"export: [0-9,]+ rows, [0-9,]+/s", shown), "no progress: " + shown)
check("\r" not in dbstow("export", "big.db", "--repo", "big", "--always").err, "progress in a file")
for name in (signal.SIGINT, signal.SIGTERM):
    old = tip("big")
    p = subprocess.Popen([DBSTOW, "export", "big.db", "--repo", "big", "--always"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(0.3)
    p.send_signal(name)
    said = p.communicate()[1].decode()
    check(p.returncode == 130 and "interrupted" in said and tip("big") == old, "%s: %d %s" % (name, p.returncode, said))
fsck("big")
check(not [n for n in os.listdir("big/.git/dbstow") if n.startswith(("tmp", "drill"))], "left behind")

# the user's own commands
dbstow("restore", "--repo", "repo", "--to", "new.db", "--yes")
dbstow("restore", "--repo", "repo", "--to", "new.db", "--yes", "--before", "kill -9 $$", status=1,
       err="dbstow: the --before command 'kill -9 $$' was ended by signal 9")
r = dbstow("restore", "--repo", "repo", "--to", "new.db", "--yes", "--after", "echo said; false", status=1,
           err="dbstow: 'new.db' was restored, but the --after command failed")
check("undo with: dbstow restore undo/" in r.err and r.out == "", "the way back is not told: " + r.err)
