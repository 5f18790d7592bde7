"""backup.py - the steps of the action: install, take, push, summary

What a step finds out is in a folder of RUNNER_TEMP, for the next ones: the
settings, the answers of dbstow, and a bare repository.  The checkout is not
written to: it may be shallow, another user's, or not there at all.
"""
import base64, glob, hashlib, json, os, re, shutil, signal, subprocess, sys, tarfile, tempfile, threading, time, urllib.error, urllib.request
import github, summary

SECRETS = ("DBSTOW_FETCH_KEY", "DBSTOW_TOKEN", "GITHUB_TOKEN")
DAMAGE, ATTENTION = 3, 7
WAITS_S = (1, 4, 10)  # before a remote is asked again
TARBALL_BYTES = 200 << 20


class Failed(Exception):
    def __init__(self, message, status=1):
        super().__init__(message)
        self.status = status


# ---- what the steps know of each other ----

class State:
    """A dictionary in a file of the folder that STATE names."""

    def __init__(self, folder):
        self.folder = folder
        self.path = os.path.join(folder, "state.json")
        self.store = os.path.join(folder, "store.git")
        self.facts = {}
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as f:
                self.facts = json.load(f)

    def save(self, **facts):
        self.facts.update(facts)
        with open(self.path, "w", encoding="utf-8") as f:
            json.dump(self.facts, f)

    def setting(self, name):
        return self.facts["settings"][name]


def state():
    folder = os.environ.get("STATE")
    if not folder:
        raise Failed("the action's first step did not come to its end")
    return State(folder)


# ---- running programs ----

def environment(*secrets):
    """Ours, with those secrets alone: nobody is told what it does not need."""
    env = {k: v for k, v in os.environ.items() if k not in SECRETS and not k.startswith("INPUT_")}
    env.update((k, os.environ[k]) for k in secrets if os.environ.get(k))
    return env


def relay(stream, said):
    for line in stream:
        line = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
        github.log(line)
        said.append(line)
        del said[:-1000]


def run(argv, secrets=()):
    """Run a program, what it says into the log at once.
    @return (exit status, stdout, last lines of stderr)"""
    said = []
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment(*secrets)) as p:
        reader = threading.Thread(target=relay, args=(p.stderr, said))
        reader.start()
        try:
            out = p.stdout.read()
        except KeyboardInterrupt:  # the job is cancelled
            p.terminate()
            raise
        finally:
            reader.join()
    return p.returncode, out.decode("utf-8", "backslashreplace"), said


def dbstow(s, command, *options, secrets=(), store=True):
    """@return (exit status, what it answered, what needs attention)"""
    argv = [s.facts["dbstow"], command, "--json"]
    if store:
        argv += ["--repo", s.store]
        if s.setting("branch"):
            argv += ["--branch", s.setting("branch")]
    status, out, said = run(argv + list(options), secrets)
    attention = [l[len("dbstow: attention: "):] for l in said if l.startswith("dbstow: attention: ")]
    try:
        answer = json.loads(out)
    except ValueError:
        answer = {}
    if status not in (0, ATTENTION) and "error" not in answer:
        last = [l for l in said if l.startswith("dbstow: ")][-1:]
        why = last[0][len("dbstow: "):] if last else ("ended by signal %d" % -status if status < 0 else "no reason given")
        answer["error"] = {"code": "failed", "message": "dbstow %s: %s" % (command, why)}
    return status, answer, attention


# no later answer would be another
REFUSED = re.compile(r"' refused .* \(40[13] |' wants to know who we are \(|there is no git repository at |Permission denied|"
                     r"key verification failed")


def insist(s, *options, secrets=("DBSTOW_TOKEN", "GITHUB_TOKEN")):
    """dbstow sync.  What a runner holds is gone with it, so a remote that is
    out of reach (5) or busy with others (4) is asked again."""
    access = ["--cacert", s.setting("cacert")] if s.setting("cacert") else []
    for wait_s in WAITS_S + (0,):
        status, answer, attention = dbstow(s, "sync", *options, *access, "--", s.setting("remote"), secrets=secrets)
        if status not in (4, 5) or not wait_s or REFUSED.search(answer["error"]["message"]):
            return status, answer, attention
        github.log("asking again in %d s" % wait_s)
        time.sleep(wait_s)


# ---- install: settings, and a dbstow ----

def flag(name):
    value = os.environ.get("INPUT_" + name, "").strip().lower()
    if value not in ("", "true", "false"):
        raise Failed("the input '%s' is 'true' or 'false', not '%s'" % (name.lower().replace("_", "-"), value), 2)
    return value == "true"


def text(name):
    return os.environ.get("INPUT_" + name, "").strip()


def of_checkout(key):
    """A setting of the file .dbstow: the folder may be another user's, and then
    git would not open it as a repository."""
    path = os.path.join(os.environ.get("GITHUB_WORKSPACE", "."), ".dbstow")
    if not os.path.isfile(path) or os.path.islink(path):
        return ""
    p = subprocess.run(["git", "config", "--file", path, "--get", "dbstow." + key], capture_output=True)
    return p.stdout.decode("utf-8", "replace").strip() if p.returncode == 0 else ""


def settings():
    s = {name.lower(): text(name) for name in ("MODE", "DB", "URL", "REMOTE", "BRANCH", "SOURCE", "KEEP", "MAX_AGE",
                                               "SNAPSHOT", "CACERT", "JOBS")}
    s["options"] = [l.strip() for l in text("OPTIONS").splitlines() if l.strip()]
    s["strict"], s["allow_public"] = flag("STRICT"), flag("ALLOW_PUBLIC")
    if s["mode"] not in ("export", "fetch", "verify", "status"):
        raise Failed("the input 'mode' is 'export', 'fetch', 'verify' or 'status', not '%s'" % s["mode"], 2)
    for mode, need in (("export", "db"), ("fetch", "url")):
        if s["mode"] == mode and not s[need]:
            raise Failed("with 'mode: %s' the input '%s' is needed; is the variable set that it comes from?" % (mode, need), 2)
    s["remote"] = s["remote"] or "%s/%s" % (os.environ["GITHUB_SERVER_URL"], os.environ["GITHUB_REPOSITORY"])
    s["branch"] = s["branch"] or of_checkout("branch")
    s["keep"] = s["keep"] or of_checkout("keep")
    return s


def home():
    """The repository that this action lies in, as "OWNER/NAME".  Its name is not
    always there in a composite action's step; the folder's path tells, too."""
    path = os.environ.get("GITHUB_ACTION_PATH", "")
    found = re.search(r"/_actions/([^/]+/[^/]+)/[^/]", path)
    return os.environ.get("ACTION_REPOSITORY") or (found.group(1) if found else os.environ["GITHUB_REPOSITORY"])


def own_version():
    """The version of the sources that this action lies in."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "CMakeLists.txt")
    try:
        with open(path, encoding="utf-8") as f:
            found = re.search(r"^project\(dbstow VERSION ([0-9.]+)", f.read(), re.M)
    except OSError:
        found = None
    if not found:
        raise Failed("no release is known; give the input 'version' or 'dbstow'", 2)
    return found.group(1)


class HttpsOnly(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if not newurl.lower().startswith("https://"):
            raise Failed("'%s' redirects to where there is no https" % req.full_url, 5)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(url):
    """A release's file; releases are small and public, so no secret goes along."""
    if not url.startswith("https://"):
        raise Failed("'%s' is not https" % url, 2)
    opener = urllib.request.build_opener(HttpsOnly)
    for wait_s in WAITS_S + (0,):
        try:
            with opener.open(url, timeout=60) as r:
                data = r.read(TARBALL_BYTES + 1)
            if len(data) > TARBALL_BYTES:
                raise Failed("'%s' is too big for a release" % url, 5)
            return data
        except urllib.error.HTTPError as e:
            if e.code < 500 or not wait_s:
                raise Failed("cannot download '%s': %d %s; give the input 'version', or 'dbstow'" % (url, e.code, e.reason), 5)
        except OSError as e:
            if not wait_s:
                raise Failed("cannot download '%s': %s" % (url, getattr(e, "reason", e)), 5)
        time.sleep(wait_s)


def unpack(data, folder):
    path = os.path.join(folder, "release.tar.gz")
    with open(path, "wb") as f:
        f.write(data)
    with tarfile.open(path) as t:
        for member in t.getmembers():
            if member.name.startswith("/") or ".." in member.name.split("/") or not (member.isfile() or member.isdir()):
                raise Failed("the release's tarball holds '%s'" % member.name, 3)
        t.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    os.unlink(path)
    found = glob.glob(os.path.join(folder, "*", "bin", "dbstow"))
    if len(found) != 1:
        raise Failed("the release's tarball holds no program", 3)
    return found[0]


def install_release(folder):
    version = text("VERSION").lstrip("v") or own_version()
    base = text("RELEASES") or "%s/%s/releases/download" % (os.environ["GITHUB_SERVER_URL"], home())
    name = "dbstow-%s-linux-%s.tar.gz" % (version, os.uname().machine)
    url = "%s/v%s/%s" % (base.rstrip("/"), version, name)
    github.log("downloading " + url)
    data = download(url)
    got = hashlib.sha256(data).hexdigest()
    if text("SHA256") and text("SHA256").lower() != got:
        raise Failed("'%s' hashes to %s, not to what the input 'sha256' says" % (url, got), 3)
    if download(url + ".sha256").decode("ascii", "replace").split()[:1] != [got]:
        raise Failed("'%s' hashes to %s, not to what '%s.sha256' says" % (url, got, name), 3)
    return unpack(data, folder)


def find_dbstow(folder):
    named = text("DBSTOW")
    path = named or (not text("VERSION") and shutil.which("dbstow")) or install_release(folder)
    path = os.path.abspath(path)
    try:
        p = subprocess.run([path, "version"], capture_output=True, env=environment())
        said = (p.stdout or p.stderr).decode("utf-8", "backslashreplace").strip()
        failed = p.returncode
    except OSError as e:
        said, failed = e.strerror, 1
    if failed:
        raise Failed("cannot run '%s': %s" % (path, said.splitlines()[-1] if said else "it says nothing"))
    github.log("%s: %s" % (path, said))
    return path


def make_store(s):
    """A bare repository: nothing there can be anybody's checkout."""
    for argv in (["init", "-q", "--bare", "--template=", "--object-format=sha1", s.store],
                 ["-C", s.store, "config", "user.name", "github-actions[bot]"],
                 ["-C", s.store, "config", "user.email", "41898282+github-actions[bot]@users.noreply.github.com"]):
        status, _, said = run(["git"] + argv)
        if status:
            raise Failed("git %s: %s" % (argv[0], said[-1] if said else "failed"))


def install():
    folder = tempfile.mkdtemp(prefix="dbstow-", dir=os.environ["RUNNER_TEMP"])
    os.environ["STATE"] = folder
    s = State(folder)
    github.put("state", folder)
    s.save(outcome="failed", messages=[])
    s.save(settings=settings())
    s.save(dbstow=find_dbstow(folder))
    make_store(s)


# ---- what dbstow advises, for those who write a workflow ----

ADVICE = ((r"or use --allow-public", "here: the input 'allow-public'"),
          (r"set DBSTOW_TOKEN or name a file", "here: the input 'token'; is the secret set?"),
          (r"give a key with DBSTOW_FETCH_KEY", "here: the input 'key'; is the secret set?"),
          (r"refused the token in GITHUB_TOKEN \(403 ", "does the job have 'contents: write'?"),
          (r"refused the token in DBSTOW_TOKEN", "here: the input 'token'"),
          (r"use --history append$", "once, by hand, with 'dbstow sync'"))


def advice(message):
    return message + "".join("; " + more for pattern, more in ADVICE if re.search(pattern, message))


# ---- take: export, fetch, verify, status ----

def mask_secrets():
    """GitHub knows its secrets; a key may come from elsewhere, and what git
    sends is not the token itself."""
    for name in SECRETS:
        value = os.environ.get(name, "").strip()
        if value:
            github.mask(value)
            if name != "DBSTOW_FETCH_KEY":
                github.mask(base64.b64encode(("x-access-token:" + value).encode()).decode())


def pull(s):
    """What is there already: retention goes on from it, and content that is
    equal is found to be so."""
    status, answer, attention = insist(s, "--pull")
    if status and answer["error"]["code"] == "no-branch":
        github.log("there is no branch yet: this is the first snapshot")
    elif status:
        raise Failed(advice(answer["error"]["message"]), status)
    return attention


def storing_options(s):
    found = []
    for option in ("keep", "source", "jobs"):
        if s.setting(option):
            found += ["--" + option, s.setting(option)]
    if os.environ.get("GITHUB_EVENT_NAME") == "schedule":
        found += ["--kind", "scheduled"]
    return found + s.setting("options")


def take_export(s):
    seen = pull(s)
    status, answer, attention = dbstow(s, "export", *storing_options(s), "--", s.setting("db"))
    return status, answer, seen + attention


def take_fetch(s):
    seen = pull(s)
    access = ["--cacert", s.setting("cacert")] if s.setting("cacert") else []
    status, answer, attention = dbstow(s, "fetch", *storing_options(s), *access, "--", s.setting("url"),
                                       secrets=["DBSTOW_FETCH_KEY"])
    return status, answer, seen + attention


def take_verify(s):
    status, answer, attention = insist(s, "--pull")
    if status:
        return status, answer, attention
    what = s.setting("snapshot") or "all"
    jobs = ["--jobs", s.setting("jobs")] if s.setting("jobs") else []
    which = ["--all"] if what == "all" else ["--", what]
    status, answer, attention = dbstow(s, "verify", "--drill", *jobs, *s.setting("options"), *which)
    if status == DAMAGE and "error" in answer:
        answer["error"]["message"] = "%s: %s" % (what, answer["error"]["message"])
    return status, answer, attention


def take_status(s):
    access = ["--cacert", s.setting("cacert")] if s.setting("cacert") else []
    age = ["--max-age", s.setting("max_age")] if s.setting("max_age") else []
    return dbstow(s, "status", "--remote", s.setting("remote"), *age, *access, *s.setting("options"),
                  secrets=["DBSTOW_TOKEN", "GITHUB_TOKEN"])


def damaged(answer):
    return [r["snapshot"][:8] + ": " + r["message"] for r in answer.get("results", []) if r["result"] == "damaged"]


def tell(s, status, answer, attention):
    """Errors and warnings where they are seen, and kept for the summary."""
    failed = status not in (0, ATTENTION)
    errors = damaged(answer) or ([advice(answer["error"]["message"])] if failed else [])
    attention = [message for message in attention if message not in s.facts["messages"]]
    for r in answer.get("results", []):
        github.log("%s  %s" % (r["snapshot"][:8], r["result"]))
    for message in errors:
        github.annotate("error", message)
    for message in attention:
        github.annotate("error" if status == ATTENTION and s.setting("strict") else "warning", message)
    s.save(messages=s.facts["messages"] + errors + attention)


def take():
    s = state()
    mask_secrets()
    mode = s.setting("mode")
    status, answer, attention = globals()["take_" + mode](s)
    tell(s, status, answer, attention)
    s.save(status=status, answer=answer, outcome="taken" if status in (0, ATTENTION) else "failed")
    newest = answer.get("newest") or {}
    github.put("snapshot-id", answer.get("snapshot") or newest.get("id") or "")
    github.put("content-id", answer.get("content") or newest.get("content") or "")
    github.put("changed", "true" if answer.get("changed") else "false")
    return 0 if status == ATTENTION else status


# ---- push ----

LOST = "; the snapshot was taken, but is not stored off-site, and is gone with this runner"


def push():
    s = state()
    mask_secrets()
    public = ["--allow-public"] if s.setting("allow_public") else []
    status, answer, attention = insist(s, *public)
    if status:
        answer["error"]["message"] = advice(answer["error"]["message"]) + LOST
    tell(s, status, answer, attention)
    s.save(pushed=answer, outcome="failed" if status else "stored")
    return status


# ---- summary ----

def compare(s, facts):
    """What is in the snapshot, and what changed since the one before."""
    answer = facts.get("answer", {})
    if not answer.get("snapshot"):
        return
    status, facts["shown"], _ = dbstow(s, "show", "--", answer["snapshot"])
    status, listed, _ = dbstow(s, "list")
    ids = [one["id"] for one in listed.get("snapshots", [])]
    if status or answer["snapshot"] not in ids:
        return
    before = ids[ids.index(answer["snapshot"]) + 1:][:1]
    if before and answer.get("changed"):
        status, facts["diff"], _ = dbstow(s, "diff", "--stat", "--", before[0], answer["snapshot"])


def finish():
    """The summary, and the exit status of what needs attention."""
    if not os.environ.get("STATE"):
        github.summarize(summary.nothing())
        return 0
    s = state()
    if s.facts.get("dbstow"):
        compare(s, s.facts)
    age = summary.idle_days()
    if age is not None:
        github.annotate("notice", summary.idle_text(age))
    github.summarize(summary.lines(s.facts, age))
    if s.facts.get("status") == ATTENTION and s.setting("strict"):
        return ATTENTION
    return 0


STEPS = {"install": install, "take": take, "push": push, "summary": finish}


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return STEPS[sys.argv[1]]() or 0
    except Failed as e:
        github.annotate("error", str(e))
        if os.environ.get("STATE"):
            s = state()
            s.save(messages=s.facts.get("messages", []) + [str(e)], outcome="failed")
        return e.status
    except KeyboardInterrupt:
        github.annotate("error", "interrupted")
        return 130
    except Exception as e:  # a traceback would go into the log as it is
        import traceback
        for line in traceback.format_exc().splitlines():
            github.log(line)
        github.annotate("error", "the action failed: %s: %s" % (type(e).__name__, e))
        return 1


if __name__ == "__main__":
    sys.exit(main())
