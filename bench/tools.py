"""tools.py - dbstow and the others it is measured beside: how each is prepared,
saves, and restores.

Each entry is shell text, run by `sh -c` in a box of its own (a folder that is
also HOME, so caches lie in it). $DB is the database, in folder $LIVE as
app.db; $N is 1 for the first save, 2 for the next; out/ is empty and takes the
restored file. `store` is the folder whose growth counts. Preparing an empty
repository is not timed.
"""
import shutil, subprocess

OURS = dict(
    needs=[], version='"$DBSTOW" --version', store="repo/.git",
    init="git init -q repo",
    save='"$DBSTOW" export -q --json --no-drill --repo repo "$DB"',
    restore='"$DBSTOW" restore -q --json --repo repo --to out/app.db')

TOOLS = {
    "dbstow": OURS,
    "dbstow, drill": dict(
        OURS, save=OURS["save"].replace(" --no-drill", "")),
    # Its store leaves app.sql in the work tree out: a bare repository can
    # be had for the price of a few lines.
    "dump+git": dict(
        needs=["sqlite3", "git"], store="repo/.git",
        version="sqlite3 --version | cut -d' ' -f1; git --version",
        init="git init -q repo && git -C repo config gc.auto 0",
        save='sqlite3 "$DB" .dump > repo/app.sql && git -C repo add -A && '
             "{ git -C repo diff --cached --quiet ||"
             " git -C repo commit -qm x; }",
        restore="git -C repo show HEAD:app.sql | sqlite3 out/app.db"),
    "restic": dict(
        needs=["restic"], version="restic version", store="repo",
        init="restic -q -r repo init",
        save='cd "$LIVE" && restic -q -r "$BOX/repo" backup app.db',
        restore="restic -q -r repo restore latest --target out"),
    "borg": dict(
        needs=["borg"], version="borg --version", store="repo",
        init="borg init -e none repo",
        save='cd "$LIVE" && borg create "$BOX/repo::$N" app.db',
        restore='cd out && borg extract "$BOX/repo::$N"'),
    "bup": dict(
        needs=["bup"], version="bup --version", store="repo",
        init="bup init",
        save='bup index "$DB" && bup save -q -n main "$DB"',
        restore='bup restore -q -C out "main/latest$DB"'),
    "vacuum+gzip": dict(
        needs=["sqlite3", "gzip"], version="gzip --version | head -1",
        store="repo", init="mkdir repo",
        save='sqlite3 "$DB" "VACUUM INTO \'repo/$N.db\'" && gzip repo/$N.db',
        restore="gzip -dc repo/$N.db.gz > out/app.db"),
}
PEERS = [name for name in TOOLS if not name.startswith("dbstow")]


def installed(name):
    return all(shutil.which(program) for program in TOOLS[name]["needs"])


def version(name, env):
    p = subprocess.run(["sh", "-c", TOOLS[name]["version"]], env=env,
                       capture_output=True, text=True)
    return ", ".join(p.stdout.split("\n")).strip(", ")
