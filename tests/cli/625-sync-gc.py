#!/usr/bin/env python3
"""git collects garbage, and leaves nothing of it for a moment, while a sync is
at work: at the remote, which loses nothing that it took, and here."""
import os, shutil, subprocess, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

ENV = "unset $(git rev-parse --local-env-vars); "
far = os.path.abspath("far.git")
new_repo("far.git", "--bare", "-b", "main")
new_repo("a")
git("remote", "add", "origin", far, repo="a")


def insert(n):
    os.environ["SOURCE_DATE_EPOCH"] = str(1780000000 + n)
    sql("app.db", "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(%d, 'row')" % n)


def hook(name, script):
    path = "far.git/hooks/" + name
    if os.path.exists(path):
        os.remove(path)
    if script:
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + ENV + script)
        os.chmod(path, 0o755)


# ---- the remote prunes when it has the objects, and before the branch moves ----
insert(1)
dbstow("export", "app.db", "--repo", "a")
hook("update", "cd '%s' && git prune --expire=now && git repack -adq && git prune --expire=now\n" % far)
for n in 2, 3:
    insert(n)
    dbstow("export", "app.db", "--repo", "a", "--push")
    check(tip("far.git") == tip("a"), "the two tips differ")
    fsck("far.git")
hook("update", None)

# ---- it prunes what is still on its way: sent again, and again, and told ----
prune = "cd '%s' && git prune --expire=now\n" % far
taken = ("dbstow: the remote 'origin' (%s) lost what was sent before its branch 'database-backups' could move (%s), as "
         "happens while 'git gc --prune=now' or 'git prune' runs there; nothing is lost here, sync again when that is "
         "done; if it stays so, run 'git fsck' there")
insert(4)
hook("pre-receive", "cd '%s' && test -e once && exit 0; touch once; %s" % (far, prune))
dbstow("export", "app.db", "--repo", "a", "--push")
check(os.path.exists("far.git/once"), "the hook did not run")
check(tip("far.git") == tip("a"), "the second push")
insert(5)
hook("pre-receive", "echo x >> '%s/count'; %s" % (far, prune))
before = tip("far.git")
dbstow("export", "app.db", "--repo", "a")
dbstow("sync", "--repo", "a", status=4, err=taken % (far, "unable to migrate objects to permanent storage"))
check(os.path.getsize("far.git/count") == 2 * 3, "three pushes")
check(tip("far.git") == before, "the branch moved")
fsck("far.git")
hook("pre-receive", None)
dbstow("sync", "--repo", "a")
check(tip("far.git") == tip("a"), "after the prune")

# ---- git's own words tell a prune from a full disk ----
os.mkdir("mock")
with open("mock/git", "w") as f:
    f.write(r"""#!%s
import os, sys
if "receive-pack" not in sys.argv:
    os.execv(%r, ["git"] + sys.argv[1:])
def pkt(data):
    return b"%%04x" %% (len(data) + 4) + data
def say(*parts):
    sys.stdout.buffer.write(b"".join(parts) + b"0000")
    sys.stdout.buffer.flush()
ref = b"refs/heads/database-backups"
say(pkt(os.environb[b"TIP"] + b" " + ref + b"\0report-status side-band-64k\n"))
sys.stdin.buffer.read(int(sys.stdin.buffer.read(4), 16))
say(pkt(b"\2" + os.environb[b"SAID"] + b"\n"),
    pkt(b"\1" + pkt(b"unpack index-pack abnormal exit\n") + pkt(b"ng " + ref + b" unpacker error\n") + b"0000"))
sys.stdin.buffer.read()
""" % (sys.executable, shutil.which("git")))
os.chmod("mock/git", 0o755)
insert(55)
dbstow("export", "app.db", "--repo", "a")
mock = {"PATH": os.path.abspath("mock") + ":" + os.environ["PATH"], "TIP": tip("far.git")}
for said in ("fatal: --stdin requires a git repository", "fatal: unable to rename temporary '*.pack' file to 'x'",
             "fatal: Unable to create temporary file 'x': No such file or directory", "fatal: unresolved deltas left"):
    dbstow("sync", "--repo", "a", "--push", status=4, err=taken % (far, "index-pack abnormal exit"),
           env=dict(mock, SAID=said))
dbstow("sync", "--repo", "a", "--push", status=1, err="dbstow: the remote 'origin' (%s) could not store what was sent: "
       "index-pack abnormal exit; is its disk full?" % far, env=dict(mock, SAID="fatal: No space left on device"))

# ---- the remote lost more than that ----
dbstow("export", "app.db", "--repo", "a", "--always", "--push")
lost = tip("far.git")
os.mkdir("packs")
for name in os.listdir("far.git/objects/pack"):
    shutil.move("far.git/objects/pack/" + name, "packs/" + name)
for name in os.listdir("packs"):
    if name.endswith(".pack"):
        with open("packs/" + name, "rb") as f:
            subprocess.run(["git", "-C", "far.git", "unpack-objects", "-q"], stdin=f, check=True)
os.remove("far.git/objects/%s/%s" % (lost[:2], lost[2:]))
insert(6)
dbstow("export", "app.db", "--repo", "a")
dbstow("sync", "--repo", "a", status=4, err=taken % (far, "missing necessary objects"))
new_repo("b")
git("remote", "add", "origin", far, repo="b")
dbstow("sync", "--repo", "b", status=3, err="dbstow: the branch 'database-backups' of the remote 'origin' (%s) points "
       "to commit %s, which is not there any more; run 'git fsck' there, and 'git update-ref -d "
       "refs/heads/database-backups' there to have all that is here stored anew by the next sync" % (far, lost[:7]))
git("update-ref", "-d", "refs/heads/database-backups", repo="far.git")
dbstow("sync", "--repo", "a")
check(tip("far.git") == tip("a"), "stored anew")
fsck("far.git")

# ---- what cannot be read while packs are replaced here is read again ----
# (a bad pack stands for it: its cause cannot be told from that of a good one, a base of whose deltas is on its way)
dbstow("sync", "--repo", "b")
insert(7)
dbstow("export", "app.db", "--repo", "b", "--push")
with open("spoil", "w") as f:
    f.write("""#!/bin/sh
echo x >> "$FOLDER/calls"
"$@" > "$FOLDER/sent"
test $(wc -l < "$FOLDER/calls") -gt $SPOIL && exec cat "$FOLDER/sent"
%sgit -C "$FOLDER/a" $COMMAND >&2
head -c -20 "$FOLDER/sent"
head -c 20 /dev/zero
""" % ENV)
os.chmod("spoil", 0o755)
os.environ.update(FOLDER=os.getcwd(), SPOIL="9", COMMAND="count-objects -q")
run("git", "config", "--global", "uploadpack.packObjectsHook", os.path.abspath("spoil"))
dbstow("sync", "--repo", "a", status=3, err="~dbstow: cannot take what the remote 'origin' .* sends: .*")
check(os.path.getsize("calls") == 2, "packs that are as they were: asked again")
os.remove("calls")
os.environ.update(SPOIL="1", COMMAND="repack -adq")
dbstow("sync", "--repo", "a")
check(os.path.getsize("calls") > 2, "not asked again")
check(tip("far.git") == tip("a") == tip("b"), "three tips")
fsck("a")
