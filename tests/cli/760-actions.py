#!/usr/bin/env python3
"""The action's steps as a runner runs them, from a checkout of depth 1, with the
branch at a git server over HTTPS: export, fetch, verify, status; two jobs at
once; hostile names and servers; keys and tokens that must appear nowhere."""
import base64, glob, json, os, re, shutil, signal, sqlite3, subprocess, sys, tarfile, threading
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *
from servers import Authority, GitServer, Tcp, read_request, MISSING
import actions
if not actions.yaml:
    print("skipped: python3-yaml is not installed")
    sys.exit(1 if os.environ.get("CI") else MISSING)

TOP = os.path.dirname(TESTS)
BACKUP, NOTIFY = os.path.join(TOP, ".github/actions/backup"), os.path.join(TOP, ".github/actions/notify")
TOKEN, KEY = "ghs_CanaryTokenThatMustAppearNowhere", "canary-key-that-must-appear-nowhere"
DERIVED = base64.b64encode(("x-access-token:" + TOKEN).encode()).decode()
WRONG = ("wrong", base64.b64encode(b"x-access-token:wrong").decode())
T0, DAY = 1795219200, 86400  # 2026-11-21 00:00:00Z

# the action waits for remotes; a test need not
os.mkdir("python")
with open("python/sitecustomize.py", "w") as f:
    f.write("import time\ntime.sleep = lambda s: None\n")
os.mkdir("bin")
os.symlink(DBSTOW, "bin/dbstow")
PATH = os.path.abspath("bin") + ":" + os.environ["PATH"]

# ---- the application's repository, and what a job finds ----
new_repo("app")
with open("app/README", "w") as f:
    f.write("an application\n")
git("add", "README", repo="app")
git("commit", "-q", "-m", "one", repo="app"), git("commit", "-q", "--allow-empty", "-m", "two", repo="app")
jobs = 0


def insert(n):
    sql("app.db", "CREATE TABLE IF NOT EXISTS users(id INTEGER PRIMARY KEY, name); INSERT INTO users VALUES(%d, 'user %d')" % (n, n))


def job(at=T0, **env):
    """A fresh runner: a checkout of depth 1, nothing else."""
    global jobs
    jobs += 1
    here = "job-%d" % jobs
    workspace = os.path.join(here, "work")
    os.mkdir(here)
    r = run("git", "clone", "-q", "--depth", "1", "--branch", "main", "file://" + os.path.abspath(web.repo("owner/app")), workspace)
    check(r.status == 0, r.err)
    j = actions.Job(here, workspace, {
        "GITHUB_REPOSITORY": "owner/app", "GITHUB_SERVER_URL": web.url("")[:-1], "GITHUB_EVENT_NAME": "workflow_dispatch",
        "GITHUB_REF_NAME": "main", "GITHUB_SHA": "0" * 40, "GITHUB_RUN_ID": "7", "SOURCE_DATE_EPOCH": str(at),
        "PYTHONPATH": os.path.abspath("python"), **env})
    if os.path.exists("app.db"):
        shutil.copy("app.db", workspace)
    j.before = tree(j.workspace)
    return j


def closely(done, j, expect):
    """What holds for every run, whatever came of it."""
    if done.status != expect:
        fail("exit status %d, not %d\n%s\n%s" % (done.status, expect, done.raw, done.summary))
    for secret in (TOKEN, KEY, DERIVED):
        shown = [l for l in done.raw.splitlines() if secret in l and l != "::add-mask::" + secret]
        check(not shown and secret not in done.summary, "a secret is shown: %s" % shown)
        for name, data in tree(j.folder).items():
            check(secret.encode() not in (data.encode() if isinstance(data, str) else data), "a secret lies in " + name)
    after = tree(j.workspace)
    check(after == j.before, "the checkout was written to: %s" % [k for k in after if j.before.get(k) != after[k]])
    for name, properties, data in done.commands:
        good = (name == "add-mask" and data in (TOKEN, KEY, DERIVED, *WRONG)) or (
            name in ("error", "warning", "notice") and properties == {"title": "dbstow"})
        check(good, "a command that is not ours: %s" % ((name, properties, data),))
    return done


def act(inputs, expect=0, at=T0, token=TOKEN, env=None, **kw):
    j = job(at, **(env or {}))
    done = j.use(BACKUP, dict({"cacert": ca.pem}, **inputs), token=token, path=PATH, **kw)
    return closely(done, j, expect)


def listed():
    return json.loads(dbstow("list", "--json", "--repo", web.repo("owner/app")).out)["snapshots"]


def ids():
    return [s["id"] for s in listed()]


answers = {}  # path -> (status, headers, body) of the application
stalled = threading.Event()
sent = []  # what it was sent to know who asks


def serve(c):
    first, headers, _ = read_request(c)
    sent.append(headers.get("authorization"))
    if first.split()[1] == "/stall":
        stalled.set()
        return c.recv(1)
    status, more, body = answers.get(first.split()[1], ("401 Unauthorized", ["WWW-Authenticate: Basic"], b""))
    if headers.get("authorization") != "Bearer " + KEY:
        status, more, body = "401 Unauthorized", [], b'{"detail":"::error::who?"}'
    if first.split()[1].startswith("/busy/"):
        status = "503 Service Unavailable"
    head = ["HTTP/1.1 " + status, "Content-Type: application/json", "Content-Length: %d" % len(body), "Connection: close"]
    c.sendall("\r\n".join(head + more).encode() + b"\r\n\r\n" + body)


EXPORT = {"mode": "export", "db": "app.db"}
with Authority("ca") as ca, GitServer("web", ca, token=TOKEN) as web, Tcp(serve, ca.certificate()) as application:
    far = web.new_repo("owner/app")
    git("push", "-q", far, "HEAD:refs/heads/main", repo="app")
    git("symbolic-ref", "HEAD", "refs/heads/main", repo=far)

    # ---- first run, again, changed ----
    insert(1)
    done = act(dict(EXPORT, keep="2"))
    first = done.outputs["snapshot-id"]
    check(ids() == [first] and done.outputs["changed"] == "true", "first: %s" % done.outputs)
    check(done.outputs["content-id"] == content(far), "content id: %s" % done.outputs)
    check("### dbstow: a new snapshot\n" in done.summary and "| `%s` |" % first in done.summary and
          "| Drill | ok: restored once, and equal |" in done.summary and "1 snapshot; sent " in done.summary and
          "| users | 1 |" in done.summary, done.summary)
    check(set(done.said("add-mask")) == {TOKEN, DERIVED} and not done.said("error") + done.said("warning"), "%s" % done.commands)
    author = git("log", "-1", "--format=%an", "database-backups", repo=far)
    check(author == "github-actions[bot]", author)
    done = act(EXPORT, at=T0 + DAY)
    check(done.outputs["snapshot-id"] == first and done.outputs["changed"] == "false" and ids() == [first], "unchanged: %s" % done.outputs)
    check("### dbstow: unchanged\n" in done.summary, done.summary)
    check(json.loads(dbstow("list", "--json", "--repo", far).out)["checked_at"] == "2026-11-22T00:00:00Z", "it is not noted")
    insert(2), insert(3)
    done = act(EXPORT, at=T0 + 2 * DAY, env={"GITHUB_EVENT_NAME": "schedule"})
    second = done.outputs["snapshot-id"]
    check(ids() == [second, first] and done.outputs["changed"] == "true", "changed: %s" % done.outputs)
    check(listed()[0]["kind"] == "scheduled" and listed()[1]["kind"] == "manual", "kinds: %s" % listed())
    check("| users | 3 | +2 | 0 | 0 |" in done.summary and "| Schema |" not in done.summary, done.summary)
    insert(4)
    third = act(EXPORT, at=T0 + 3 * DAY).outputs["snapshot-id"]
    check(ids() == [third, second], "'keep' travels with the branch: %s" % ids())
    fsck(far)

    # ---- two jobs at once: both snapshots are kept ----
    dbstow("export", "app.db", "--repo", far, "--keep", "8", "--set-policy", env={"SOURCE_DATE_EPOCH": str(T0 + 3 * DAY)})
    runs = []
    for n in (5, 6):
        insert(n)
        j, done = job(T0 + (n - 1) * DAY), actions.Done()
        runs.append((j, done, j.steps(BACKUP, dict(EXPORT, cacert=ca.pem), done, TOKEN, path=PATH)))
    for name in ("Install dbstow", "Take or look at a snapshot", "Bring it off-site"):
        check([next(steps) for _, _, steps in runs] == [name, name], "steps")
    for j, done, steps in runs:
        list(steps)
        closely(done, j, 0)
    both = [done.outputs["snapshot-id"] for _, done, _ in runs]
    check(set(both) < set(ids()) and len(ids()) == 4, "lost: %s of %s" % (both, ids()))
    fsck(far)

    # ---- fetch ----
    insert(7)
    dbstow("export", "app.db", "--output", "app.json")
    with open("app.json", "rb") as f:
        answers["/export"] = ("200 OK", [], f.read())
    FETCH = {"mode": "fetch", "url": application.url("export"), "key": KEY}
    done = act(FETCH, at=T0 + 7 * DAY)
    fetched = done.outputs["snapshot-id"]
    check(ids()[0] == fetched and done.outputs["changed"] == "true", "fetch: %s" % done.outputs)
    check(set(done.said("add-mask")) == {TOKEN, DERIVED, KEY}, "masks: %s" % done.said("add-mask"))
    before = tip(far)

    # ---- nobody is told a secret that it does not need ----
    with open("bin/spy", "w") as f:
        f.write("""#!/bin/sh
echo "$1 ${DBSTOW_FETCH_KEY:+key} ${DBSTOW_TOKEN:+token} ${GITHUB_TOKEN:+github}" >>'%s'
exec '%s' "$@"
""" % (os.path.abspath("told"), DBSTOW))
    os.chmod("bin/spy", 0o755)
    act(dict(FETCH, dbstow=os.path.abspath("bin/spy"), token=TOKEN), at=T0 + 7 * DAY)
    act({"mode": "verify", "snapshot": "latest", "dbstow": os.path.abspath("bin/spy"), "key": KEY}, at=T0 + 7 * DAY)
    with open("told") as f:
        told = {" ".join(l.split()) for l in f}
    check(told == {"version", "sync token github", "fetch key", "show", "list", "sync github", "verify"}, "told: %s" % told)
    before = tip(far)

    # ---- what goes wrong: an annotation, nothing stored ----
    def failing(inputs, expect, said, **kw):
        done = act(inputs, expect=expect, at=T0 + 8 * DAY, **kw)
        errors = done.said("error")
        check(len(errors) == 1 and re.search(said, errors[0]), "%s: %s" % (said, errors))
        check("### dbstow: failed\n" in done.summary and "⚠️" in done.summary, done.summary)
        check(tip(far) == before, "the branch moved")
        return done

    failing(dict(FETCH, key=""), 5, "give a key with DBSTOW_FETCH_KEY or --key-file; here: the input 'key'; is the secret set.$")
    r = failing(dict(FETCH, key="wrong"), 5, "answered 401 .Unauthorized.: .*::error::who")
    check(r.outputs["snapshot-id"] == "" and r.outputs["changed"] == "false", "outputs: %s" % r.outputs)
    answers["/broken"] = ("500 X", [], b"::error::pwned\r\n##[add-mask]root %0A::set-output name=a::b\n::stop-commands::x")
    r = failing(dict(FETCH, url=application.url("broken")), 5, "answered 500 ")
    check(any("## [add-mask]" in l for l in r.log), "not in the log: %s" % r.log)
    answers["/cut"] = ("200 OK", [], answers["/export"][2][:-30])
    failing(dict(FETCH, url=application.url("cut")), 3, "is incomplete: it ends in line")
    failing(EXPORT, 5, "refused the token in GITHUB_TOKEN", token="wrong")
    failing(dict(EXPORT, db="missing.db", source="app.db"), 1, "missing.db")
    done = act(dict(EXPORT, db="missing.db", source="app.db"), expect=1, at=T0 - 3 * DAY)
    check(len(done.said("warning")) == 1 and "which is yet to come" in done.said("warning")[0] and
          done.summary.count("which is yet to come") == 1, "what a pull says: %s" % done.commands)
    failing(dict(EXPORT, db="::error::x\n::error::y", source="app.db"), 1, "error")
    failing(dict(EXPORT, options="--no-such\n--option"), 2, "no-such")
    failing({"mode": "Export"}, 2, "the input 'mode' is 'export', 'fetch', 'verify' or 'status', not 'Export'")
    failing({"mode": "fetch"}, 2, "with 'mode: fetch' the input 'url' is needed; is the variable set that it comes from.$")
    failing(dict(EXPORT, strict="yes"), 2, "the input 'strict' is 'true' or 'false', not 'yes'")
    sent.clear()
    failing(dict(EXPORT, remote=application.url("owner/app")), 5,
            "there is no token.*; here: the input 'token'; is the secret set.$")
    failing(dict(EXPORT, remote=application.url("owner/app"), token="wrong"), 5,
            "refused the token in DBSTOW_TOKEN.*; here: the input 'token'$")
    check(sent == [None, "Basic " + WRONG[1]], "asked again: %s" % sent)
    sent.clear()
    failing(dict(EXPORT, remote=application.url("busy")), 5, "answered 503 ")
    check(len(sent) == 4, "not asked again: %s" % sent)

    # ---- a job that is cancelled ends what it runs, without a traceback ----
    j, done = job(), actions.Done()
    next(j.steps(BACKUP, dict(FETCH, url=application.url("stall"), cacert=ca.pem), done, TOKEN, path=PATH))
    state, = glob.glob(os.path.join(j.temp, "dbstow-*"))
    p = subprocess.Popen(["python3", "-B", os.path.join(BACKUP, "backup.py"), "take"], cwd=j.workspace, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, env=dict(
                             os.environ, **j.env, STATE=state, GITHUB_OUTPUT=j.file(), DBSTOW_FETCH_KEY=KEY, GITHUB_TOKEN=TOKEN))
    check(stalled.wait(120), "it does not fetch")
    p.send_signal(signal.SIGTERM)
    out = p.communicate(timeout=120)[0]
    check(p.returncode == 130 and out.splitlines()[-1] == "::error title=dbstow::interrupted" and "Traceback" not in out, out)
    check("| dbstow: interrupted" in out, "dbstow was not told: " + out)

    # ---- the push is refused: said, as the runner's copy goes away ----
    insert(8)
    git("config", "receive.denyNonFastForwards", "true", repo=far)
    failing(EXPORT, 6, "use --history append; once, by hand, with 'dbstow sync'; the snapshot was taken, but is not stored off-site, and is gone with this runner")
    git("config", "receive.denyNonFastForwards", "false", repo=far)

    # ---- hostile names ----
    shutil.copy("app.db", "kept.db")
    for name in ("::error::table", "a|b`<img src=x>[l](http://x)", "x\n::set-output name=a::b\r##[error]y", "%0A::error::z",
                 "\x1b[31m \u202e red", "ünï 🌱", "n" * 500):
        sql("app.db", 'CREATE TABLE "%s"(x); INSERT INTO "%s" VALUES(1)' % (name, name))
    done = act(dict(EXPORT, source="app.db"), at=T0 + 9 * DAY)
    check("<img" not in done.summary and "](" not in done.summary and "`a" not in done.summary, done.summary)
    check("| &#58;&#58;error&#58;&#58;table | 1 | +1 | 0 | 0 |\n" in done.summary, done.summary)
    check("| table &#58;&#58;error&#58;&#58;table | added |\n" in done.summary, done.summary)
    cells = {l.count("|") for l in done.summary.splitlines() if l.startswith("|")}
    check(cells == {3, 6}, "cells: %s" % done.summary)
    check("ünï 🌱" in done.summary, done.summary)
    for source in ("::error::s", "##[error]s"):
        r = act(dict(EXPORT, source=source, branch="b-" + source[-6:-1].strip(":[]")), at=T0 + 9 * DAY)
    shutil.copy("kept.db", "app.db")

    # ---- what needs attention: a warning, or with 'strict' a failure; stored either way ----
    db = sqlite3.connect("app.db")
    db.create_collation("mine", lambda a, b: (a > b) - (a < b))
    db.executescript("CREATE TABLE c(x TEXT COLLATE mine PRIMARY KEY); INSERT INTO c VALUES('a')")
    db.close()
    done = act(EXPORT, at=T0 + 10 * DAY)
    check(len(done.said("warning")) == 1 and "stored, but not proven restorable" in done.said("warning")[0], "%s" % done.commands)
    check(ids()[0] == done.outputs["snapshot-id"] and "| Drill | none " in done.summary and "⚠️" in done.summary, done.summary)
    done = act(dict(EXPORT, strict="true", options="--always"), expect=7, at=T0 + 10 * DAY + 1)
    check(len(done.said("error")) == 1 and not done.said("warning") and ids()[0] == done.outputs["snapshot-id"], "%s" % done.commands)

    # ---- status: fresh, stale, unproven; read access and no checkout of the branch ----
    STATUS = {"mode": "status", "max-age": "8d"}
    done = act(STATUS, at=T0 + 11 * DAY)
    check(done.outputs["snapshot-id"] == ids()[0] and "never restored" in done.said("warning")[0], "%s" % done.commands)
    shutil.copy("kept.db", "app.db")
    proven = act(EXPORT, at=T0 + 12 * DAY).outputs["snapshot-id"]
    done = act(dict(STATUS, strict="true"), at=T0 + 13 * DAY)
    check(not done.said("warning") and "### dbstow: fresh and proven\n" in done.summary and
          "| Newest | `%s` of " % proven[:8] in done.summary, done.summary)
    done = act(dict(STATUS, strict="true"), expect=7, at=T0 + 30 * DAY)
    check(done.said("error") == ["stale: the database was last looked at 18 days ago; is the schedule still running?"], "%s" % done.commands)
    check("### dbstow: needs attention\n" in done.summary, done.summary)
    check(len(act(STATUS, at=T0 + 30 * DAY).said("warning")) == 1, "stale")
    before = tip(far)
    failing(dict(STATUS, remote=web.url("owner/none")), 5, "none")
    done = act(dict(STATUS, branch="other", strict="true"), expect=7)
    check("has no branch 'other'" in done.said("error")[0], "%s" % done.commands)

    # ---- verify ----
    done = act({"mode": "verify", "snapshot": "latest"})
    check("### dbstow: 1 snapshot verified\n" in done.summary and "| `%s` | restorable |  |" % proven in done.summary, done.summary)
    done = act({"mode": "verify"})
    check("### dbstow: %d snapshots verified\n" % len(ids()) in done.summary and len(done.said("warning")) == 2, done.summary)
    done = act({"mode": "verify", "strict": "true"}, expect=7)
    check(len(done.said("error")) == 2, "%s" % done.commands)
    check(tip(far) == before, "only read")

    # ---- damage: which snapshot, and what is wrong; the others are looked at all the same ----
    users, WRONG_ROWS = "data/tables/users/0.jsonl", "table 'users': its rows do not have the SHA-256 that the manifest names"
    for bad, good in ((ids()[1], proven), (proven, ids()[1])):
        bad = rewrite(far, bad, users, b"user 1", b"user !")
        done = act({"mode": "verify"}, expect=3)
        check(done.said("error") == ["%s: %s" % (bad[:8], WRONG_ROWS)], "%s" % done.commands)
        check("### dbstow: failed\n" in done.summary and "| `%s` | **damaged** | table &#39;users&#39;" % bad in done.summary and
              "| `%s` | " % good in done.summary and done.summary.count("damaged") == 1, done.summary)
        check("| %s  damaged" % bad[:8] in done.log, "%s" % done.log)
        if good != proven:
            done = act({"mode": "verify", "snapshot": "latest"}, expect=3)
            check(done.said("error") == ["latest: " + WRONG_ROWS], "%s" % done.commands)
        git("update-ref", "refs/heads/database-backups", before, repo=far)
    # what the branch holds is what is compared with, and not what it says to hold
    rewrite(far, proven, users, b"user 1", b"user !")
    done = act(EXPORT, at=T0 + 13 * DAY)
    check(done.outputs["changed"] == "true" and done.outputs["snapshot-id"] == ids()[0], "%s" % done.commands)
    check("| users | 8 | 0 | 1 | 0 |" in done.summary, done.summary)
    git("update-ref", "refs/heads/database-backups", before, repo=far)

    # ---- settings of the checkout; a schedule that will end ----
    with open("app/.dbstow", "w") as f:
        f.write("[dbstow]\n\tbranch = elsewhere\n\tkeep = 3\n\tremote = https://evil.example/\n")
    git("add", ".dbstow", repo="app"), git("commit", "-q", "-m", "settings", repo="app", )
    git("push", "-q", far, "HEAD:refs/heads/main", repo="app")
    done = act(EXPORT, at=T0 + 60 * DAY, env={"GITHUB_EVENT_NAME": "schedule"})
    check(tip(far, "elsewhere") is not None, "branch of .dbstow")
    check(json.loads(dbstow("list", "--json", "--branch", "elsewhere", "--repo", far).out)["keep"] == 3, "keep of .dbstow")
    made = int(git("log", "-1", "--format=%ct", repo="app"))
    for days, n in ((44, 0), (46, 1)):
        done = act(EXPORT, at=made + days * DAY + 60, env={"GITHUB_EVENT_NAME": "schedule"})
        check(len(done.said("notice")) == n and done.summary.count("⏳") == n, "idle: %s" % done.commands)
        check(not n or "is 46 days old" in done.said("notice")[0], "%s" % done.commands)
    check(not act(EXPORT, at=made + 46 * DAY + 60).said("notice"), "another branch, perhaps")

    # ---- dbstow is downloaded, and is what it should be ----
    machine = os.uname().machine
    os.makedirs("release/dbstow-9.9.9-linux-%s/bin" % machine)
    program = "release/dbstow-9.9.9-linux-%s/bin/dbstow" % machine
    with open(program, "w") as f:
        f.write('#!/bin/sh\nexec "%s" "$@"\n' % DBSTOW)
    os.chmod(program, 0o755)
    name = "dbstow-9.9.9-linux-%s.tar.gz" % machine
    subprocess.run(["tar", "-C", "release", "-czf", name, "dbstow-9.9.9-linux-" + machine], check=True)
    digest = run("sha256sum", name).out.split()[0]
    with open(name, "rb") as f:
        files = {"/v9.9.9/" + name: f.read(), "/v9.9.9/%s.sha256" % name: ("%s  %s\n" % (digest, name)).encode()}
    asked = []

    def release(c):
        path = read_request(c)[0].split()[1]
        asked.append(path)
        body = files.get(path)
        if path.startswith("/moved"):
            c.sendall(b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            c.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" %
                      (b"200 OK" if body else b"404 Not Found", len(body or b"")) + (body or b""))

    with Tcp(release, ca.certificate()) as releases:
        plain_path = os.environ["PATH"]
        TAKE = dict(EXPORT, version="v9.9.9", releases=releases.url("")[:-1], branch="released", cacert=ca.pem)
        trust = {"SSL_CERT_FILE": ca.pem}

        def with_release(inputs, expect, said=None, env=trust):
            j = job()
            done = closely(j.use(BACKUP, inputs, token=TOKEN, path=plain_path, env=env), j, expect)
            check(not said or len(done.said("error")) == 1 and re.search(said, done.said("error")[0]), "%s" % done.commands)
            return done

        done = with_release(TAKE, 0)
        check(tip(far, "released") is not None and asked == sorted(files), "asked: %s" % asked)
        with_release(dict(TAKE, sha256=digest.upper()), 0)
        with_release(dict(TAKE, sha256="0" * 64), 3, "hashes to %s, not to what the input 'sha256' says" % digest)
        with_release(dict(TAKE, version="9.9.8"), 5, "404 Not Found; give the input 'version', or 'dbstow'")
        with_release(dict(TAKE, releases=releases.url("moved")), 5, "redirects to where there is no https")
        with_release(TAKE, 5, "certificate", env={})
        with_release(dict(TAKE, dbstow="/nonexistent"), 1, "cannot run '/nonexistent'")
        files["/v9.9.9/%s.sha256" % name] = b"0" * 64
        with_release(TAKE, 3, "hashes to %s, not to what '%s.sha256' says" % (digest, name))

# ---- an issue about a run that failed ----
new_repo("empty")
with open("bin/gh", "w") as f:
    f.write("""#!/usr/bin/env python3
import json, os, sys
with open(os.environ["GH_LOG"], "a") as f:
    f.write(json.dumps(sys.argv[1:]) + "\\n")
assert os.environ["GH_TOKEN"] and os.environ["GH_REPO"] == "owner/app"
if sys.argv[2] == "list":
    print(os.environ.get("GH_OPEN", ""))
""")
os.chmod("bin/gh", 0o755)
for number in ("", "12"):
    j = actions.Job("notify" + number, "empty", {
        "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "owner/app", "GITHUB_RUN_ID": "77",
        "GH_LOG": os.path.abspath("gh" + number), "GH_OPEN": number})
    done = j.use(NOTIFY, {"title": "it's \"down\" $(id)"}, token=TOKEN, path=PATH)
    check(done.status == 0, done.raw)
    with open("gh" + number) as f:
        calls = [json.loads(l) for l in f]
    text = "[This run](https://github.com/owner/app/actions/runs/77) failed: its page tells why."
    check(calls[-1] == (["issue", "comment", "12", "--body", text] if number else
                        ["issue", "create", "--title", "it's \"down\" $(id)", "--body", text]), "gh: %s" % calls)

# ---- the parts alone: what a runner would take for a command, and limits ----
sys.dont_write_bytecode = True
sys.path.insert(0, BACKUP)
import backup, github, io
check(backup.advice("'h' refused the token in GITHUB_TOKEN (403 Forbidden); x?").endswith("x?; does the job have 'contents: write'?") and
      backup.advice("'h' refused the token in GITHUB_TOKEN (401 Unauthorized)").endswith(")"), "advice")
sys.stdout, shown = io.StringIO(), sys.stdout
for line in ("::error::x", "  ::error::x", "\u00a0::error::x", "a ##[error]x", "a\r::error::x", "a\n::error::x", "\u2028::error::x"):
    github.log(line)
for n in range(15):
    github.annotate("warning", "50%%\r\n::error::n %d: a, b" % n)
github.annotate("error", "%0A")
text, sys.stdout = sys.stdout.getvalue(), shown
found = [actions.command(l) for l in re.split(r"\r\n|\r|\n", text)]
found = [c for c in found if c]
check([c[0] for c in found] == ["warning"] * 10 + ["error"], "commands: %s" % found)
check(found[0][2] == "50%\\x0d\\x0a::error::n 0: a, b" and found[9][2] == "there are more: see the log" and
      found[10][2] == "%0A" and "::error title=dbstow::%250A\n" in text, "escaped: %s" % found)
check(github.escaped("5%\r\n") == "5%25%0D%0A", "escaped")
os.environ["GITHUB_OUTPUT"], os.environ["GITHUB_STEP_SUMMARY"] = "output", "summary"
github.put("a", "one\ntwo\nb<<c\nc"), github.put("b", "")
check(actions.outputs("output") == {"a": "one\ntwo\nb<<c\nc", "b": ""}, "outputs")
github.summarize("line %d: %s" % (n, "ü" * 400) for n in range(3000))
check((1 << 20) - 2000 < os.path.getsize("summary") <= 1 << 20, "summary: %d" % os.path.getsize("summary"))
with open("summary") as f:
    check(f.read().endswith("this is all that a summary holds.\n"), "the end is missing")
