#!/usr/bin/env python3
"""dbstow init: from nothing to a proven backup off-site, in one command; with
flags, with answers on a terminal, again, and where something is in the way."""
import json, os, re, shutil, subprocess, sys, threading
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *
from servers import Authority, GitServer

CANARY = "ghp_CanaryThatMustAppearNowhere0123456789"
TEXTS = os.path.join(os.environ["TESTS"], "..", "docs", "workflows")
HERE = os.getcwd()
# the folder of a test lies on the disk of its repository
SAME_DISK = r"dbstow: attention: '.*' lies on the same disk as the repository: that is a copy, but not off-site"


def steps(r):
    """The report's lines up to what is next, without what differs."""
    text = re.sub(r"snapshot [0-9a-f]{8}", "snapshot ID", r.out.split("next:\n")[0])
    return [re.sub(r" +", " ", l) for l in re.sub(r"[0-9.]+ k?B\b|[0-9]+ bytes", "SIZE", text).splitlines()]


def next_of(r):
    return [l.strip() for l in r.out.split("next:\n")[1].splitlines()]


def fresh(name):
    os.chdir(HERE)
    os.mkdir(name)
    os.chdir(name)
    sql("app.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 'one')")


def nothing_happened(message):
    check(sorted(os.listdir(".")) == ["app.db"], "%s: %s is there" % (message, os.listdir(".")))


# ---- without a terminal: what is missing is named, and nothing is done ----
fresh("flags")
dbstow("init", status=2, err="dbstow: there is no terminal to ask on; give DB or URL, --remote NAME|URL|none, "
       "--workflow none|export|fetch")
dbstow("init", "--yes", status=2, err="dbstow: there is no terminal to ask on; give DB or URL")
dbstow("init", "app.db", "--workflow", "none", status=2,
       err="dbstow: there is no terminal to ask on; give --remote NAME|URL|none, or --yes for the defaults")
flags = ["--remote", "none", "--workflow", "none"]
dbstow("init", "app.db", "--remote", "none", "--workflow", "both", status=2,
       err="dbstow: --workflow takes 'none', 'export' or 'fetch', not 'both'")
dbstow("init", "app.db", "--remote", "none", "--workflow", "fetch", status=2,
       err="dbstow: the workflow 'fetch' needs the URL of an export, not a database")
dbstow("init", "https://h/x", "--remote", "none", "--workflow", "export", status=2,
       err="dbstow: the workflow 'export' needs a database, not a URL")
dbstow("init", "app.db", *flags, "--schedule", "hourly", status=2,
       err="dbstow: --schedule takes 'weekly' or 'daily', not 'hourly'")
dbstow("init", "app.db", *flags, "--push", status=2, err="dbstow: --push needs a --remote to push to")
dbstow("init", "none.db", *flags, "--yes", status=1, err="~dbstow: .*'none.db'.*")
dbstow("init", "app.db", *flags, status=6,
       err="dbstow: no git repository at '.'; run 'git init' there, name one with --repo, or add --yes to have it made")
dbstow("init", "http://h.example/x", *flags, "--yes", status=2, err="~dbstow: .*http://h.example/x.*")
nothing_happened("refused")

# ---- only here: defaults, and again ----
r = dbstow("init", "app.db", "--yes")
check(steps(r) == ["checked app.db: 1 table, SIZE", "made git repository .",
                   "stored snapshot ID, restorable: restored once and equal", "written .dbstow"], r.out)
check(next_of(r) == [
    "git remote add origin URL, then dbstow init again: there is no copy off-site",
    "git add .dbstow && git commit -m 'Database backups'",
    "cron: 7 0 * * 0  '%s' export '%s/flags/app.db' --repo '%s/flags' --quiet" % (DBSTOW, HERE, HERE),
    "dbstow status --max-age 8d: exit 7 when no fresh, proven snapshot is there",
    "to restore: dbstow restore --to NEW.db"], r.out)
check(open(".dbstow").read() == "[dbstow]\n\tkeep = 8\n", "settings")
check(tip(".") and "proven" in dbstow("list").out, "no snapshot")
r = dbstow("init", "app.db", *flags)
check(steps(r) == ["checked app.db: 1 table, SIZE", "there branch database-backups: 1 snapshot of 'app.db'",
                   "there snapshot ID, restorable: restored once and equal", "there .dbstow, as it should be"], r.out)
check(next_of(r)[1].startswith("cron: "), r.out)
before = open(".dbstow").read(), tip(".")
dbstow("init", "app.db", *flags, "--keep", "3", status=6,
       err="dbstow: '.dbstow' is there and says something else; nothing was changed; add --yes to change it")
check((open(".dbstow").read(), tip(".")) == before, "changed without consent")
open(".dbstow", "a").write("[other]\n\tx = y\n")
r = dbstow("init", "app.db", *flags, "--keep", "3", "--yes", "--schedule", "daily")
check("changed   .dbstow" in r.out.splitlines() and next_of(r)[2].startswith("cron: 7 0 * * * "), r.out)
check(git("config", "-f", ".dbstow", "dbstow.keep", repo=".") == "3" and "x = y" in open(".dbstow").read(), "settings")
shutil.copy("app.db", "other.db")
dbstow("init", "other.db", *flags, "--keep", "3", status=6, err="~dbstow: .*app.db.*")

# ---- from a folder in the work tree, and from elsewhere: what is next can be typed as it stands ----
fresh("deep")
new_repo(".")
os.mkdir("it's")
top = "'%s/deep'" % HERE
git_there = "git -C " + top
os.chdir("it's")
r = dbstow("init", "../app.db", *flags)
check(next_of(r)[:2] == [git_there + " remote add origin URL, then dbstow init again: there is no copy off-site",
                         "%s add .dbstow && %s commit -m 'Database backups'" % (git_there, git_there)], r.out)
check(run("sh", "-c", next_of(r)[1]).status == 0, "it cannot be typed")
os.chdir(HERE)
new_repo("deep.git", "--bare")
r = dbstow("init", "deep/app.db", "--repo", "deep", "--remote", "./deep.git", "--workflow", "none", "--yes")
check(next_of(r)[0] == "dbstow sync --repo 'deep'" and "dbstow status --repo 'deep' --max-age 8d: exit 7" in r.out and
      "dbstow restore --to NEW.db --repo 'deep', from anywhere" in r.out, r.out)

# ---- JSON ----
fresh("json")
d = json.loads(dbstow("init", "app.db", "--yes", "--json", "--branch", "other").out)
check([s["step"] for s in d["steps"]] == ["checked", "made", "stored", "written"], d)
check(d["files"] == [{"path": ".dbstow", "state": "written"}] and d["remotes"] is None and d["next"], d)
check(d["snapshot"]["drill"] == "ok" and d["snapshot"]["changed"], d)
check(tip(".", "other") and not tip("."), "another branch")
check(git("config", "-f", ".dbstow", "dbstow.branch", repo=".") == "other", "the branch is not remembered")
check(json.loads(dbstow("init", "--json", status=2).out)["error"]["code"] == "usage", "an error as JSON")

# ---- a folder for a remote; the branch that is there already is gone on with ----
fresh("folder")
new_repo("../far.git", "--bare")
r = dbstow("init", "app.db", "--yes", "--remote", "../far.git")
check(any(re.fullmatch(SAME_DISK, l) for l in r.err.splitlines()), r.err)
far = os.path.join(HERE, "far.git")
check("checked   remote '%s': reached, and would take a push" % far in r.out.splitlines(), r.out)
check("%s: a dry run, 1 snapshot to be there; would send 1 snapshot" % far in r.out, r.out)
check(next_of(r)[0] == "dbstow sync" and tip(far) is None, "pushed unasked: " + r.out)
check(git("config", "dbstow.remote", repo=".") == far, "the remote is not remembered")
r = dbstow("init", "app.db", "--yes", "--push")
check("%s: stored off-site, 1 snapshot there" % far in r.out and tip(far), r.out)
first = json.loads(dbstow("list", "--json").out)["snapshots"][0]["id"]
fresh("second")
r = dbstow("init", "app.db", "--yes", "--remote", far, "--push")
check("there     remote '%s': 1 snapshot" % far in r.out.splitlines() and "there     snapshot " + first[:8] in r.out, r.out)
check([s["id"] for s in json.loads(dbstow("list", "--json").out)["snapshots"]] == [first], "the list was not taken over")
fresh("stranger")
os.rename("app.db", "else.db")
dbstow("init", "else.db", "--yes", "--remote", far, status=6,
       err="dbstow: the branch 'database-backups' of the remote '%s' holds 'app.db', not 'else.db'; give this one another "
       "--branch, or the name with --source" % far)
check(tip(".") is None and not os.path.exists(".dbstow"), "something was stored")
dbstow("init", "else.db", "--yes", "--remote", "elsewhere", status=2, err="~dbstow: there is no remote 'elsewhere'; .*")
dbstow("init", "else.db", "--yes", "--remote", os.path.join(HERE, "none.git"), status=5)
check(tip(".") is None and not os.path.exists(".dbstow"), "something was stored")

# ---- over HTTPS: the token, and who can read it ----
fresh("web")
new_repo(".")
with Authority("../ca") as ca, GitServer("../web-server", ca, token=CANARY) as web:
    far, url = web.new_repo("app.git"), web.url("app.git")
    git("remote", "add", "origin", url, repo=".")
    r = dbstow("init", "app.db", "--yes", "--cacert", ca.pem, status=5)
    r = dbstow("init", "app.db", "--yes", "--cacert", ca.pem, status=5, env={"DBSTOW_TOKEN": "wrong"})
    check("DBSTOW_TOKEN" in r.err and tip(".") is None, r.err)
    r = dbstow("init", "app.db", "--yes", "--cacert", ca.pem, "--push", env={"DBSTOW_TOKEN": CANARY})
    check("checked   remote 'origin' (%s): reached, and would take a push" % url in r.out.splitlines(), r.out)
    check("origin: stored off-site, 1 snapshot there" in r.out and tip(far) == tip("."), r.out)
    check(next_of(r)[-1] == "to restore: dbstow restore --to NEW.db, from anywhere with --remote '%s'" % url, r.out)
    check(open(".dbstow").read() == "[dbstow]\n\tkeep = 8\n", "settings")
    cron = [l for l in next_of(r) if l.startswith("cron: ")][0]
    check(cron.endswith(" --cacert '%s' --quiet --push" % ca.pem), cron)
    check("cron does not know the token: write it to a file of mode 0600 and add --token-file FILE" in next_of(r), r.out)
    for name, data in list(tree(".").items()) + [("output", r.out + r.err)]:
        data = data.encode() if isinstance(data, str) else data
        check(CANARY.encode() not in data, "the token lies in " + name)

# ---- GitHub's rules for a branch, where GitHub can be asked ----
import ssl
from http.server import BaseHTTPRequestHandler, HTTPServer
asked, rules = [], []


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append((self.path, self.headers.get("Authorization")))
        body = json.dumps(rules[-1]).encode()
        self.send_response(200 if isinstance(rules[-1], list) else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


fresh("hosted")
with Authority("../ca4") as ca, GitServer("../github", ca, token=CANARY) as web:
    web.new_repo("some/app.git")
    url = web.url("some/app.git")
    api = HTTPServer(("127.0.0.1", 0), Api)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ca.certificate())
    api.socket = context.wrap_socket(api.socket, server_side=True)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    env = {"DBSTOW_TOKEN": CANARY, "DBSTOW_CACERT": ca.pem}
    here = dict(env, GITHUB_SERVER_URL=web.url().rstrip("/"), GITHUB_API_URL="https://localhost:%d" % api.server_port)
    init = ["init", "app.db", "--yes", "--remote", url, "--branch", "of/mine"]
    rules.append([{"type": "deletion"}, {"type": "required_signatures", "parameters": {}}, {"type": "non_fast_forward"}, {}, 7])
    r = dbstow(*init, env=here, status=7)
    check("dbstow: attention: the rules of '%s' for the branch 'of/mine' may stand in the way: no force pushes, signed "
          "commits; let them not hold for it" % url in r.err.splitlines(), r.err)
    check(asked == [("/repos/some/app/rules/branches/of%2Fmine?per_page=100", "Bearer " + CANARY)], asked)
    rules.append([{"type": "deletion"}])
    r = dbstow(*init, env=here)
    check("checked   remote '%s': no rule stands in the way of 'of/mine'" % url in r.out.splitlines(), r.out)
    # what cannot be told is no obstacle, and a stranger is not asked
    rules.append({"message": "Not Found"})
    r = dbstow(*init, env=here)
    check("rule" not in r.out + r.err, r.out)
    del asked[:]
    r = dbstow(*init, env=env)
    r = dbstow(*init, env=dict(here, GITHUB_SERVER_URL="https://elsewhere.example"))
    check(asked == [] and "rule" not in r.out + r.err, asked)

fresh("web2")
new_repo(".")
with Authority("../ca2") as ca, GitServer("../open", ca, token=CANARY, public=True) as web:
    far, url = web.new_repo("app.git"), web.url("app.git")
    env = {"DBSTOW_TOKEN": CANARY, "DBSTOW_CACERT": ca.pem}
    dbstow("init", "app.db", "--yes", "--remote", url, "--push", status=6, env=env,
           err="dbstow: the remote '%s' can be read without a password: the whole world would see every row; make the "
           "repository private, or use --allow-public" % url)
    check(tip(far) is None and tip(".") is None and not os.path.exists(".dbstow"), "something was stored")
    # who may read may not push yet
    dbstow("init", "app.db", "--yes", "--remote", url, "--allow-public", status=5,
           env={"DBSTOW_CACERT": ca.pem, "DBSTOW_TOKEN": "wrong"})
    check(tip(".") is None, "something was stored")
    r = dbstow("init", "app.db", "--yes", "--remote", url, "--push", "--allow-public", env=env)
    check("the whole world can read" in r.err and tip(far) == tip("."), r.err)

# ---- an application's export ----
fresh("fetched")
dbstow("export", "app.db", "--output", "app.json")
document, seen = open("app.json", "rb").read(), []
os.remove("app.json")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        seen.append(self.headers.get("Authorization") or "Bearer " + self.headers.get("X-Key", ""))
        good = seen[-1] == "Bearer " + CANARY
        body = document if good else b'{"detail":"who are you?"}'
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = "http://127.0.0.1:%d/export?x=it's" % server.server_port
git("init", "-q", ".", repo=".")
fetch = ["init", url, "--allow-http", "--remote", "none"]
r = dbstow(*fetch, "--workflow", "none", status=5)
check("no key is set (DBSTOW_FETCH_KEY or --key-file)" in r.err and "401" in r.err, r.err)
check(tip(".") is None and not os.path.exists(".dbstow"), "something was stored")
env = {"DBSTOW_FETCH_KEY": CANARY}
r = dbstow(*fetch, "--workflow", "none", env=env)
check(tip(".") and seen[-1] == "Bearer " + CANARY and CANARY not in r.out + r.err, r.out)
quoted = "'" + url.replace("'", "'\\''") + "'"
check("cron: 7 0 * * 0  '%s' fetch %s --repo '%s/fetched' --allow-http --quiet" % (DBSTOW, quoted, HERE) in next_of(r), r.out)
check("cron does not know DBSTOW_FETCH_KEY: write the key to a file of mode 0600 and add --key-file FILE" in next_of(r), r.out)

# what was given here is given there, too; to cron a '%' ends the line
with open("key 50%", "w") as f:
    f.write(CANARY + "\n")
os.chmod("key 50%", 0o600)
r = dbstow(*fetch, "--workflow", "none", "--key-file", "key 50%", "--source", "app.db")
check("cron: 7 0 * * 0  '%s' fetch %s --repo '%s/fetched' --source 'app.db' --key-file '%s/fetched/key 50\\%%' --allow-http "
      "--quiet" % (DBSTOW, quoted, HERE, HERE) in next_of(r) and "does not know" not in r.out, r.out)
os.remove("key 50%")

# ---- workflows ----
if os.path.exists(TEXTS):
    def text(name):
        return open(os.path.join(TEXTS, name)).read()

    def written(name):
        return open(os.path.join(".github", "workflows", name)).read()

    def changed(name):
        """What is another line in the workflow than in its text."""
        a, b = text(name).splitlines(), written(name).splitlines()
        return [l for l in b if l not in a], [l for l in a if l not in b]

    r = dbstow(*fetch, "--workflow", "fetch", env=env)
    names = ["freshness-watch.yml", "monthly-drill.yml", "weekly-fetch.yml"]
    check(sorted(os.listdir(".github/workflows")) == names, "workflows")
    check(all(written(n) == text(n) for n in names), "the texts were changed without need")
    check("gh variable set DBSTOW_URL --body " + quoted in next_of(r) and "gh secret set DBSTOW_FETCH_KEY" in next_of(r), r.out)
    n = next_of(r)
    check(n.index("put the owner of the dbstow repository in place of <owner> in the workflows") <
          n.index("git add .dbstow .github/workflows && git commit -m 'Database backups'"), "in order: %s" % n)
    r = dbstow(*fetch, "--workflow", "fetch", env=env)
    check(len([l for l in steps(r) if l.endswith("as it should be")]) == 4 and not [l for l in next_of(r) if "git add" in l], r.out)

    r = dbstow(*fetch, "--workflow", "fetch", "--yes", "--header", "X-Key", env=env)
    check(changed("weekly-fetch.yml") == (['          options: "--header=X-Key"'], []), "%s" % (changed("weekly-fetch.yml"),))

    fresh("workflows")
    os.mkdir("data")
    os.rename("app.db", 'data/a "b".db')
    r = dbstow("init", 'data/a "b".db', "--yes", "--workflow", "export", "--keep", "20", "--schedule", "daily", "--branch", "b/x")
    check(changed("weekly-export.yml") == (
        [text("weekly-export.yml").splitlines()[0].replace("Every Sunday", "Every day"),
         '    - cron: "7 0 * * *" # UTC; full hours are crowded', '          branch: "b/x"', '          db: "data/a \\"b\\".db"',
         "          keep: 20"],
        [text("weekly-export.yml").splitlines()[0],
         '    - cron: "7 0 * * 0" # UTC; full hours are crowded', "          db: app.db", "          keep: 8"]), "export")
    check(changed("monthly-drill.yml") == (['          branch: "b/x"'], []), "drill")
    check(changed("freshness-watch.yml") == (['          branch: "b/x"', "          max-age: 2d"],
                                             ["          max-age: 8d # a week and a day"]), "watch")
    check("the workflow runs daily at 00:07 UTC, and when started by hand: gh workflow run weekly-export.yml" in next_of(r), r.out)
    check("put the owner of the dbstow repository in place of <owner> in the workflows" in next_of(r), r.out)
    check("put into .github/workflows/weekly-export.yml how the job gets 'a \"b\".db', unless it lies in the repository" in
          next_of(r), r.out)
    again = ["init", 'data/a "b".db', "--remote", "none", "--workflow", "export", "--keep", "20", "--schedule", "daily"]
    dbstow(*again)
    with open(".github/workflows/monthly-drill.yml", "a") as f:
        f.write("# mine\n")
    before = tree(".github"), tip(".", "b/x")
    sql('data/a "b".db', "INSERT INTO t VALUES(2, 'two')")
    dbstow(*again, status=6, err="dbstow: '.github/workflows/monthly-drill.yml' is there and says something else; nothing was "
           "changed; add --yes to change it")
    check((tree(".github"), tip(".", "b/x")) == before, "something was changed")
    r = dbstow(*again, "--yes")
    check("changed   .github/workflows/monthly-drill.yml" in r.out.splitlines() and "mine" not in written("monthly-drill.yml"), r.out)
    r = dbstow(*again, "--yes", "--action", "some-one")
    check(written("monthly-drill.yml") == text("monthly-drill.yml").replace("<owner>", "some-one").replace(
        "mode: verify\n", 'mode: verify\n          branch: "b/x"\n') and not [l for l in next_of(r) if "owner" in l], r.out)
    # what the user put in place of <owner> stays
    r = dbstow(*again)
    check(len([l for l in steps(r) if l.endswith("as it should be")]) == 4, r.out)
    dbstow(*again, "--action", "some/one", status=2, err="dbstow: --action takes the name of an owner on GitHub, not 'some/one'")
    dbstow("init", 'data/a "b".db', "--yes", "--workflow", "export", "--branch", "${{x}}", status=2,
           err="dbstow: the branch '${{x}}' cannot be written into a workflow")
    new_repo("../bare.git", "--bare")
    dbstow("init", 'data/a "b".db', "--yes", "--workflow", "export", "--repo", "../bare.git", status=2,
           err="dbstow: a bare repository has no place for a workflow; use --workflow none, or run init in a clone")
    os.remove(".github/workflows/monthly-drill.yml")
    shutil.move(".github", "../elsewhere")
    os.symlink("../elsewhere", ".github")
    r = dbstow(*again, "--yes", status=1, err="dbstow: '.github' is no folder")
    check(not os.path.exists("../elsewhere/workflows/monthly-drill.yml"), "written through a link")

    # ---- the remote is another repository than the one that the workflows run in ----
    fresh("elsewhere2")
    new_repo(".")
    with Authority("../ca5") as ca, GitServer("../web5", ca, token=CANARY) as web:
        web.new_repo("own.git"), web.new_repo("backups.git")
        env = {"DBSTOW_TOKEN": CANARY, "DBSTOW_CACERT": ca.pem}
        url = web.url("backups.git")
        init = ["init", "app.db", "--yes", "--workflow", "export", "--source", "the app"]
        # without an origin, this is to be it
        r = dbstow(*init, "--remote", url, env=env)
        n = next_of(r)
        at = n.index("git remote add origin '%s'" % url)
        check(n[at + 1] == "git add .dbstow .github/workflows && git commit -m 'Database backups' && git push -u origin HEAD", r.out)
        check("dbstow status --remote '%s' --max-age 8d: exit 7 when no fresh, proven snapshot is there" % url in n, r.out)
        check(changed("weekly-export.yml") == (['          source: "the app"', '          db: "app.db"'], ["          db: app.db"]),
              "%s" % (changed("weekly-export.yml"),))
        # the same place by another name
        git("remote", "add", "origin", url[:-4] + "/", repo=".")
        r = dbstow(*init, "--remote", url, env=env)
        check(len([l for l in steps(r) if l.endswith("as it should be")]) == 4 and "git remote add" not in r.out, r.out)
        git("remote", "set-url", "origin", web.url("own.git"), repo=".")
        r = dbstow(*init, "--remote", url, env=env)
        more = ['          remote: "%s"' % url, "          token: ${{ secrets.DBSTOW_TOKEN }}"]
        check(changed("weekly-export.yml") == (["      contents: read", *more, '          source: "the app"', '          db: "app.db"'],
                                               ["      contents: write", "          db: app.db"]), "export")
        check(changed("monthly-drill.yml") == (more, []) and changed("freshness-watch.yml") == (more, []), "others")
        check("gh secret set DBSTOW_TOKEN # may push to '%s'" % url in next_of(r), r.out)
        check("git add .dbstow .github/workflows && git commit -m 'Database backups' && git push -u origin HEAD" in next_of(r), r.out)
        new_repo("../far5.git", "--bare")
        r = dbstow(*init, "--remote", "../far5.git", env=env)
        check("the workflows push to the repository that they run in, not to '%s/far5.git'" % HERE in next_of(r) and
              "remote:" not in "".join(changed("weekly-export.yml")[0]), r.out)

# ---- a token that may only read ----
fresh("readonly")
new_repo(".")
READ_ONLY = "location ~ git-receive-pack$ { return 403; }\n if ($arg_service = git-receive-pack) { return 403; }\n"
with Authority("../ca6") as ca, GitServer("../web6", ca, token=CANARY, more=READ_ONLY) as web:
    web.new_repo("app.git")
    url = web.url("app.git")
    dbstow("init", "app.db", "--yes", "--remote", url, status=5, env={"DBSTOW_TOKEN": CANARY, "DBSTOW_CACERT": ca.pem},
           err="dbstow: the remote '%s' can be read, but would take no push: '%s' refused the token in DBSTOW_TOKEN (403 "
           "Forbidden); has it expired, or may it not do this here?" % (url, url))
    check(tip(".") is None and not os.path.exists(".dbstow"), "something was stored")

# ---- asked on a terminal ----
terminals = has_terminals()
if terminals:
    fresh("asked")
    status, shown = terminal("init", answers=[("Database file", ""), ("Database file", "app.db"), ("Git remote.*none\\]", ""),
                                              ("Branch.*database-backups\\]", "mine"), ("How many.*8\\]", "5"),
                                              ("GitHub workflow.*none\\]", ""), ("Make one\\? \\[y/N\\]", "y")])
    check(status == 0 and "restored once and equal" in shown, shown)
    check(open(".dbstow").read() == "[dbstow]\n\tkeep = 5\n\tbranch = mine\n" and tip(".", "mine"), "the answers")
    # what was answered once is what is proposed
    status, shown = terminal("init", "app.db", "--remote", "none", "--workflow", "none",
                             answers=[("Branch.*\\[mine\\]", ""), ("How many.*\\[5\\]", "6"), ("Change it\\? \\[y/N\\]", "n")])
    check(status == 6 and "says something else" in shown, shown)
    status, shown = terminal("init", "app.db", "--remote", "none", "--workflow", "none",
                             answers=[("Branch", ""), ("How many", "6"), ("Change it", "yes")])
    check(status == 0 and "keep = 6" in open(".dbstow").read(), shown)
    status, shown = terminal("init", "app.db", answers=[("Git remote", "\x03")])
    check(status == 130 and "nothing was changed" in shown, shown)
    status, shown = terminal("init", "app.db", "--remote", "none", "--workflow", "none",
                             answers=[("Branch", ""), ("How many", "7"), ("Change it", "\x03")])
    check(status == 130 and "nothing was changed" in shown, shown)

    # an answer that is none is told at once, and asked for again
    fresh("wrong")
    new_repo("../far7.git", "--bare")
    wrong = [("Database file", "nope.db"), ("database 'nope.db' does not exist[^$]*Database file", "app.db"),
             ("checked .*app.db[^$]*Git remote", "far"),
             ("there is no remote 'far'; give a URL, or a path with a '/' in it[^$]*Git remote", "../far7.git"),
             ("Branch", "a b"), ("'a b' cannot be the name of a branch[^$]*Branch", ""), ("How many", "0"),
             ("'0' is not a whole number from 1 to 1000000[^$]*How many", ""), ("workflow", "yes"), ("not 'yes'[^$]*workflow", "fetch"),
             ("needs the URL of an export, not a database[^$]*workflow", "none"), ("at once", "perhaps"),
             ("'perhaps' is not 'yes' or 'no'[^$]*at once.*\\[yes\\]", ""), ("Make one", "y")]
    status, shown = terminal("init", answers=wrong)
    check(status == 0 and "stored off-site, 1 snapshot there" in shown and tip("../far7.git") and shown.count("checked   app.db") == 1, shown)
    status, shown = terminal("init", "none.db", answers=[("Git remote", "none")])
    check(status == 1 and "Git remote" not in shown, shown)
    if os.path.exists(TEXTS):
        # what is there is what is proposed
        status, shown = terminal("init", "app.db", answers=[
            ("Git remote", "none"), ("Branch", ""), ("How many", ""), ("workflow.*none\\]", "export"), ("How often.*weekly\\]", "daily"),
            ("Owner.*later\\]", "a/b"), ("not 'a/b'[^$]*Owner", "")])
        check(status == 0 and "<owner>" in written("weekly-export.yml"), shown)
        for name in os.listdir(".github/workflows"):
            with open(".github/workflows/" + name) as f:
                lines = f.read().replace("<owner>", "some-one")
            with open(".github/workflows/" + name, "w") as f:
                f.write(lines)
        status, shown = terminal("init", "app.db", "--remote", "none", answers=[
            ("Branch", ""), ("How many", ""), ("workflow.*export\\]", ""), ("How often.*daily\\]", ""), ("Owner.*some-one\\]", "")])
        check(status == 0 and shown.count("as it should be") == 4 and "cron:" not in shown, shown)
        r = dbstow("init", "app.db", "--yes", "--remote", "none")
        check("cron:" not in r.out and ".github" not in r.out, r.out)
    fresh("unasked")
    status, shown = terminal("init", "app.db", "--remote", "none", "--workflow", "none",
                             answers=[("Branch", ""), ("How many", ""), ("Make one", "")])
    check(status == 6, shown)
    nothing_happened("no repository was wanted")
