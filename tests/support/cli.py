"""cli.py - what the scripts in tests/cli share: running dbstow and git, and
saying exactly what was expected when it does not come."""
import os, pty, re, shutil, signal, sqlite3, subprocess, sys

DBSTOW = os.environ["DBSTOW"]
TESTS = os.environ["TESTS"]


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err


def run(*argv, env=None, stdin=None, timeout=300):
    p = subprocess.run(argv, capture_output=True, timeout=timeout,
                       env=dict(os.environ, **(env or {})),
                       stdin=subprocess.DEVNULL if stdin is None else stdin)
    # a coverage build complains where it cannot write its counters
    err = re.sub(r"(?m)^profiling:.*\n", "", p.stderr.decode("utf-8", "replace"))
    return Result(p.returncode, p.stdout.decode("utf-8", "replace"), err)


def dbstow(*argv, status=0, err=None, **kw):
    """Run dbstow; the exit status and, where given, the last line of stderr
    must be these.  A line starting with ~ is a regular expression."""
    r = run(DBSTOW, *argv, **kw)
    said = r.err.strip().splitlines()[-1] if r.err.strip() else ""
    ok = r.status == status
    if err is not None:
        ok = ok and (re.fullmatch(err[1:], said) if err[0] == "~" else said == err)
    if not ok:
        fail("dbstow %s\n  expected %s: %s\n  got      %s: %s\n%s" %
             (" ".join(argv), status, err, r.status, said, r.err))
    return r


def has_terminals():
    try:
        for fd in os.openpty():
            os.close(fd)
    except OSError:
        print("no terminals to be had here: what is asked and shown there not tried")
        return False
    return True


def terminal(*argv, answers=()):
    """Run dbstow on a terminal; answer each question, a regular expression,
    with a line; -> (status, all that was shown)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(DBSTOW, [DBSTOW] + list(argv))
    shown, answers, seen = b"", list(answers), 0
    while True:
        try:
            got = os.read(fd, 65536)
        except OSError:
            break
        if not got:
            break
        shown += got
        if answers and re.search(answers[0][0].encode(), shown[seen:]):
            seen = len(shown)
            os.write(fd, (answers.pop(0)[1] + "\n").encode())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    return status, shown.decode("utf-8", "replace")


def preload(source):
    """The environment in which functions of this C stand before the libraries'
    own; where there is no compiler the script ends."""
    if not shutil.which("cc"):
        print("no cc: nothing to spoil a run with; not tried")
        sys.exit(0)
    with open("preload.c", "w") as f:
        f.write(source)
    r = run("cc", "-shared", "-fPIC", "-o", "preload.so", "preload.c", "-ldl")
    check(r.status == 0, "cc: " + r.err)
    return {"LD_PRELOAD": os.path.abspath("preload.so"), "ASAN_OPTIONS": "verify_asan_link_order=0"}


# For preload(): some bytes in the pages of a database become others on their way
# to the disk, where SPOIL_PAGE tells them: "0102 0103" in hexadecimal.
SPOIL_PAGES = r"""
static size_t unhex(const char *hex, unsigned char *out)
{
	size_t n = 0;

	for (; *hex && *hex != ' ' && n < 99; hex += 2)
		sscanf(hex, "%2hhx", &out[n++]);
	return n;
}

/* The same data, or a copy that is spoilt, which the caller frees. */
static void *spoil_pages(const void *data, size_t size)
{
	const char *how = getenv("SPOIL_PAGE");
	unsigned char from[100], to[100];
	char *copy, *at;
	size_t n;

	if (!how || !size || size % 512)
		return (void *)data;
	n = unhex(how, from);
	unhex(strchr(how, ' ') + 1, to);
	if (!memmem(data, size, from, n))
		return (void *)data;
	copy = malloc(size);
	memcpy(copy, data, size);
	while ((at = memmem(copy, size, from, n)))
		memcpy(at, to, n);
	return copy;
}
"""


def git(*argv, repo="repo", status=0):
    r = run("git", "-C", repo, *argv)
    if r.status != status:
        fail("git %s: exit %d\n%s%s" % (" ".join(argv), r.status, r.out, r.err))
    return r.out.strip()


def fsck(repo="repo"):
    r = run("git", "-C", repo, "fsck", "--full", "--strict", "--no-dangling")
    noise = [l for l in (r.out + r.err).splitlines()
             if not re.match(r"notice: |Checking |dangling ", l)]
    if r.status or noise:
        fail("git fsck: exit %d\n%s" % (r.status, "\n".join(noise)))


def sql(path, script):
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.executescript(script)
    finally:
        db.close()


def query(path, text, *args):
    db = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        return db.execute(text, args).fetchall()
    finally:
        db.close()


def new_repo(path="repo", *options):
    r = run("git", "init", "-q", *options, path)
    if r.status:
        fail(r.err)


def tip(repo="repo", branch="database-backups"):
    r = run("git", "-C", repo, "rev-parse", "-q", "--verify",
            "refs/heads/" + branch)
    return r.out.strip() or None


def content(repo="repo", rev="database-backups"):
    return git("rev-parse", rev + ":data", repo=repo)


def rewrite(repo, snapshot, path, old, new, branch="database-backups"):
    """Change a file of a snapshot as somebody with git could, its message left as
    it was; @return the new id."""
    def run_git(*argv, stdin=None):
        p = subprocess.run(["git", "-C", repo, *argv], input=stdin, capture_output=True,
                           env=dict(os.environ, GIT_INDEX_FILE=os.path.abspath("rewrite.index")))
        if p.returncode:
            fail("git %s: %s" % (argv, p.stderr))
        return p.stdout

    run_git("read-tree", snapshot)
    data = run_git("show", snapshot + ":" + path)
    check(old in data, "%s does not hold %s" % (path, old))
    blob = run_git("hash-object", "-w", "--stdin", stdin=data.replace(old, new)).decode().strip()
    run_git("update-index", "--cacheinfo", "100644,%s,%s" % (blob, path))
    before, after = run_git("rev-parse", snapshot + "^{tree}").strip(), run_git("write-tree").strip()

    def written(commit):
        return run_git("hash-object", "-w", "-t", "commit", "--stdin", stdin=commit.replace(before, after, 1)).strip()

    commit = written(run_git("cat-file", "commit", snapshot))
    index = written(run_git("cat-file", "commit", branch).replace(snapshot.encode(), commit))
    run_git("update-ref", "refs/heads/" + branch, index.decode())
    os.remove("rewrite.index")
    return commit.decode()


def same(a, b):
    """Two databases hold the same (support/compare.py says so)."""
    r = run(sys.executable, os.path.join(TESTS, "support", "compare.py"), a, b)
    if r.status:
        fail("%s and %s differ:\n%s%s" % (a, b, r.out, r.err))


def tree(path):
    """Every file below `path` with its bytes, to see that nothing changed."""
    found = {}
    for folder, _, files in os.walk(path):
        for name in files:
            full = os.path.join(folder, name)
            if os.path.islink(full):
                found[full] = os.readlink(full)
            elif os.path.isfile(full):
                with open(full, "rb") as f:
                    found[full] = f.read()
    return found


def check(condition, message):
    if not condition:
        fail(message)


def fail(message):
    print("FAILED:", message)
    sys.exit(1)
