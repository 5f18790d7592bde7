#!/usr/bin/env python3
# A remote behind real servers: nginx with git's own backend, sshd, and some
# that misbehave.
import os, re, subprocess, sys

sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from servers import Authority, GitServer, Sshd

talk_program = os.environ["DBSTOW"]
NETWORK = "error 6: "  # ERROR_NETWORK
TOKEN = "canary-2b7e151628aed2a6"


def talk(*argv, repo="r", fails=False, **env):
    p = subprocess.run([talk_program, repo, *argv], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True,
                       env={**os.environ, **env})
    if fails != (p.returncode == 1):
        raise AssertionError("%s: %d\n%s%s" % (argv, p.returncode, p.stdout, p.stderr))
    assert TOKEN not in p.stdout + p.stderr, p.stdout + p.stderr
    return p.stdout


def git(repo, *argv):
    return subprocess.run(["git", "-C", repo, *argv], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout.strip()


def same(got, want):
    assert got == want, "%r is not %r" % (got, want)


def contains(text, part):
    assert part in text, "%r is not in %r" % (part, text)


def tip(repo):
    return git(repo, "rev-parse", "database-backups")


def round_trip(url, path, **env):
    """First push, update, whole fetch, one old snapshot."""
    contains(talk("refs", url, **env), "none empty=1")
    contains(talk("push", url, **env), "pushed objects=8 deltas=0 ")
    same(tip(path), tip("r"))
    contains(talk("refs", url, **env), tip("r") + " empty=0 ")
    talk("add", "1")
    out = talk("push", url, **env)
    contains(out, "pushed objects=8 deltas=1 ")
    assert int(re.search(r"bytes=(\d+)", out).group(1)) < 1500, out
    same(tip(path), tip("r"))
    git(path, "fsck", "--full", "--strict")
    same(talk("fetch", url, "whole", repo="fresh", **env), "fetched whole=1 packs=1\n")
    same(talk("fetch", url, "list", repo="fresh", **env), "fetched whole=0 packs=1\n")


def new():
    subprocess.run("rm -rf r fresh; git init -q r; git init -q fresh", shell=True, check=True)
    talk("add", "0")


with Authority("ca") as ca:
    with GitServer("web", ca, token=TOKEN) as web:
        new()
        path = web.new_repo("a.git")
        url = web.url("a.git")
        good = {"CACERT": ca.pem, "DBSTOW_TOKEN": TOKEN}
        round_trip(url, path, **good)
        old = git("r", "rev-parse", "database-backups^1")
        out = talk("fetch", url, "tip", old, repo="fresh", **good)
        same(out, "fetched whole=1 packs=1\n")
        same(talk("public", url, **good), "private\n")
        # one attempt with a wrong token
        web.forget_requests()
        out = talk("refs", url, fails=True, CACERT=ca.pem, DBSTOW_TOKEN="wrong-token-123")
        same(out, NETWORK + "'%s' refused the token in DBSTOW_TOKEN (401 Unauthorized); has it "
             "expired, or may it not do this here?\n" % url)
        same([r[0] for r in web.requests()], [401])
        # no such repository
        other = web.url("b.git")
        same(talk("refs", other, fails=True, **good),
             NETWORK + "there is no git repository at '%s', or it is not shown to who asks with "
             "the token in DBSTOW_TOKEN\n" % other)
        # nobody knows the authority
        same(talk("refs", url, fails=True, DBSTOW_TOKEN=TOKEN),
             NETWORK + "the certificate of 'localhost:%d' is from an unknown authority; name its "
             "certificate with --cacert FILE if you trust it\n" % web.port)
        # a hook
        hook = os.path.join(path, "hooks", "pre-receive")
        with open(hook, "w") as f:
            f.write("#!/bin/sh\necho 'too \033[1mlarge' >&2\nexit 1\n")
        os.chmod(hook, 0o755)
        talk("add", "2")
        out = talk("push", url, **good)
        contains(out, "rejected ")
        contains(out, "reason=pre-receive hook declined\ntoo [1mlarge\n")
        os.unlink(hook)
        # the lease
        out = talk("push", url, "-", **good)
        contains(out, "moved ")
        git(path, "config", "receive.denyNonFastForwards", "true")
        out = talk("push", url, **good)
        contains(out, "rejected ")
        contains(out, "reason=non-fast-forward")
    with GitServer("public", ca, token=TOKEN, public=True) as web:
        web.new_repo("a.git")
        same(talk("public", web.url("a.git"), CACERT=ca.pem), "public\n")
    with GitServer("refuses", ca, token=TOKEN, more="""
            location ~ /git-receive-pack$ { client_max_body_size 4k; return 413; }""") as web:
        new()
        web.new_repo("a.git")
        url = web.url("a.git")
        same(talk("push", url, fails=True, CACERT=ca.pem, DBSTOW_TOKEN=TOKEN),
             NETWORK + "'%s/git-receive-pack' answered 413 (Content Too Large)\n" % url)

with Sshd("ssh") as ssh:
    new()
    path = os.path.abspath("there it's.git")
    subprocess.run(["git", "init", "-q", "--bare", path], check=True)
    round_trip(ssh.scp_url(path), path, **ssh.env)
    url = ssh.url(os.path.abspath("nowhere.git"))
    contains(talk("refs", url, fails=True, **ssh.env),
             NETWORK + "cannot talk to the remote '%s': fatal: " % url)
    contains(talk("refs", url, fails=True, **ssh.env),
             "nowhere.git' does not appear to be a git repository")
    ssh.write("known_hosts", "")
    contains(talk("refs", url, fails=True, **ssh.env), "Host key verification failed.")

# What a clone was made of stays as it was, but for our own files.
def state(repo):
    out = {}
    for folder, _, files in os.walk(repo):
        for name in files:
            path = os.path.join(folder, name)
            if "/.git/dbstow" not in path:
                with open(path, "rb") as f:
                    out[path] = f.read()
    return out


new()
talk("add", "1")
subprocess.run(["git", "clone", "-q", "--bare", "r", "there.git"], check=True)
git("there.git", "config", "uploadpack.allowFilter", "true")
talk("add", "2")
talk("push", "there.git")
url = "file://" + os.path.abspath("there.git")
for how in (["--depth=1"], ["--filter=blob:none", "--no-checkout"]):
    subprocess.run(["git", "clone", "-q", "-b", "database-backups", *how, url, "clone"],
                   check=True)
    before = state("clone")
    same(talk("fetch", url, "whole", repo="clone"), "fetched whole=1 packs=1\n")
    same(talk("fetch", url, "tip", repo="clone")[:14], "fetched whole=")
    same(state("clone"), before)
    same([n for n in os.listdir("clone/.git/dbstow") if n.startswith("tmp")], [])
    subprocess.run(["rm", "-rf", "clone"], check=True)

# A connection that is cut: in the refs, at the begin of the pack, in it.
wrapper = """#!/usr/bin/env python3
import os, subprocess, sys
p = subprocess.Popen(["git-upload-pack", %r], stdout=subprocess.PIPE)
left = %d
while True:
    data = os.read(p.stdout.fileno(), 4096)
    if not data: break
    sys.stdout.buffer.write(data[:max(left, 0)]); sys.stdout.buffer.flush()
    left -= len(data)
    if left <= 0: p.kill(); break
"""
for limit in (100, 1000, 9000):
    with open("fake-ssh", "w") as f:
        f.write(wrapper % (os.path.abspath("there.git"), limit))
    os.chmod("fake-ssh", 0o755)
    subprocess.run("rm -rf fresh; git init -q fresh", shell=True, check=True)
    same(talk("fetch", "host:x.git", "whole", repo="fresh", fails=True,
              GIT_SSH=os.path.abspath("fake-ssh")),
         NETWORK + "the remote 'host:x.git' ended the connection in the middle of an answer\n")
    same([n for n in os.listdir("fresh/.git/dbstow") if n.startswith("tmp")]
         if os.path.isdir("fresh/.git/dbstow") else [], [])
