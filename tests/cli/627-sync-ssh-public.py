#!/usr/bin/env python3
"""Repositories over ssh that the whole world can read over https, at hosts that
serve both: what github.com would say comes from a server of our own, to which a
proxy leads.  An alias of ssh's configuration; renamed ones; nobody to ask."""
import os, sys, threading
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *
from servers import *


class Tunnel:
    """A proxy on loopback that takes every host for the server on `port`; where
    that is None it refuses.  `asked`: the hosts."""

    def __init__(self, port):
        self.far, self.asked = port, []
        self.tcp = Tcp(self.serve)

    def pass_on(self, a, b):
        try:
            while data := a.recv(16384):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve(self, connection):
        first, _, _ = read_request(connection)
        self.asked.append(first.split()[1])
        if self.far is None:
            return connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        with socket.create_connection(("127.0.0.1", self.far)) as far:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self.pass_on, args=(far, connection))
            back.start()
            self.pass_on(connection, far)
            back.join()

    @property
    def env(self):
        return {"https_proxy": "http://127.0.0.1:%d" % self.tcp.port}

    def __enter__(self):
        self.tcp.__enter__()
        return self

    def __exit__(self, *_):
        return self.tcp.__exit__()


def refused(url):
    return ("dbstow: the remote '%s' can be read without a password: the whole world would see every row; make the "
            "repository private, or use --allow-public" % url)


def sync(url, *options, env, **kw):
    return dbstow("sync", url, "--repo", "a", "--push", *options, env=env, **kw)


def new_far():
    """The same repositories, empty, are what ssh and https show."""
    for name in ("owner/app.git", "owner/a+b c.git", "3135914.git"):
        shutil.rmtree(os.path.join("web", "repos", name), ignore_errors=True)
        far = web.new_repo(name)
    return web.repo("owner/app.git")


# runs git here instead of there; `Host gh` stands in this user's configuration
os.makedirs("bin")
with open("bin/ssh", "w") as f:
    f.write("""#!/bin/sh
echo "$*" >>'%s'
for last; do :; done
case " $* " in
*' -G git@gh ') printf 'user git\\nhostname github.com\\nport 22\\n' ;;
*' -G '*) printf 'user git\\nhostname %%s\\n' "${last#*@}" ;;
*) cd '%s' && eval "$(echo "$last" | sed "s,'/,',")" ;;
esac
""" % (os.path.abspath("ssh.log"), os.path.abspath("web/repos")))
os.chmod("bin/ssh", 0o755)

sql("app.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 'one')")
new_repo("a")
dbstow("export", "app.db", "--repo", "a")
URL = "git@github.com:owner/app.git"

with Authority("ca") as ca:
    github = ca.certificate("github.com", ("DNS:github.com", "DNS:gist.github.com", "DNS:gitlab.com", "DNS:bitbucket.org"))
    env = {"DBSTOW_CACERT": ca.pem, "GIT_SSH_COMMAND": os.path.abspath("bin/ssh"), "DBSTOW_TOKEN": "t0ken"}

    # ---- the world can read it: nothing is sent ----
    with GitServer("web", ca, public=True, certificate=github) as web, Tunnel(web.port) as tunnel:
        env.update(tunnel.env)
        far = new_far()
        for url, host in ((URL, "github.com"), ("github.com:/owner/app", "github.com"),
                          ("ssh://git@GitHub.com/owner/app.git/", "github.com"),
                          ("ssh://git@ssh.github.com:443/owner/app", "github.com"),
                          ("git@gist.github.com:3135914.git", "gist.github.com"),
                          ("git@altssh.gitlab.com:owner/app.git", "gitlab.com"),
                          ("git@bitbucket.org:owner/a+b c.git", "bitbucket.org"),
                          ("git@gh:owner/app.git", "github.com")):
            del tunnel.asked[:]
            sync(url, env=env, status=6, err=refused(url))
            check(tunnel.asked == [host + ":443"], "%s: asked %s" % (url, tunnel.asked))
            check(all(q[2] == "-" for q in web.requests()), "%s: asked with credentials" % url)
            check(not any(tip(os.path.join("web", "repos", name)) for name in ("owner/app.git", "owner/a+b c.git", "3135914.git")),
                  "%s: the world has it" % url)
        log = open("ssh.log").read()
        check("receive-pack" not in log and " github.com -G" not in log and "-G git@github.com" not in log, log)
        dbstow("export", "app.db", "--repo", "a", "--push=" + URL, env=env, status=6)
        check(tip(far) is None, "the world has it by export")
        os.makedirs("i")
        init = ["init", os.path.abspath("app.db"), "--repo", "i", "--yes", "--workflow", "none", "--remote", URL]
        dbstow(*init, env=env, status=6, err=refused(URL))
        r = dbstow(*init, "--allow-public", env=env)
        check("dbstow: attention: the whole world can read '%s'\n" % URL in r.err, r.err)
        # other hosts are not asked
        del tunnel.asked[:]
        sync("git@example.org:owner/app.git", env=env)
        check(tip(far) == tip("a") and tunnel.asked == [], tunnel.asked)
        far = new_far()
        sync(URL, "--allow-public", env=env)
        check(tip(far) == tip("a") and tunnel.asked == [], "--allow-public: %s" % tunnel.asked)

    # ---- it was renamed, which ssh does not tell; elsewhere is not looked ----
    for to, status in (("https://github.com/owner/app.git/info/refs?service=git-upload-pack", 6),
                       ("https://gitlab.com/owner/app.git/info/refs?service=git-upload-pack", 0),
                       ("https://github.com.example.org/owner/app.git/info/refs?service=git-upload-pack", 0)):
        shutil.rmtree("web")
        with GitServer("web", ca, public=True, certificate=github,
                       more="location = /owner/old.git/info/refs { return 301 %s; }" % to) as web, \
                Tunnel(web.port) as tunnel:
            env.update(tunnel.env)
            new_far()
            far = web.new_repo("owner/old.git")
            sync("git@github.com:owner/old.git", env=env, status=status)
            check({a.split(":")[0] for a in tunnel.asked} == {"github.com"}, tunnel.asked)
            check((tip(far) is None) == (status == 6), "renamed: %s" % tip(far))

    # ---- it is private, or says so; a page to log in is no repository ----
    for more in ("", "location ~ info/refs { return 403; }", "location ~ info/refs { return 404; }",
                 "location ~ info/refs { auth_basic off; default_type text/html; return 200 'Log in'; }"):
        shutil.rmtree("web")
        with GitServer("web", ca, certificate=github, more=more) as web, Tunnel(web.port) as tunnel:
            env.update(tunnel.env)
            far = new_far()
            r = sync(URL, env=env)
            check(tunnel.asked == ["github.com:443"] and len(web.requests()) == 1, "%s: %s" % (tunnel.asked, web.requests()))
            check(tip(far) == tip("a") and r.err == "", "%s: %s" % (more, r.err))
            shutil.rmtree("i")
            os.makedirs("i")
            r = dbstow(*init, env=env)
            check(("could not be asked" in r.err) == ("Log in" in more), "%s: %s" % (more, r.err))

    # ---- nobody can be asked: ssh works all the same ----
    with Tunnel(None) as no, Tcp(lambda c: time.sleep(20)) as silent, GitServer("elsewhere", ca) as other, \
            Tunnel(other.port) as wrong, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        ports = {"refuses": no.tcp.port, "is silent": silent.port, "leads to another": wrong.tcp.port,
                 "is not there": nobody.getsockname()[1]}
        for what, port in ports.items():
            env["https_proxy"] = "http://127.0.0.1:%d" % port
            far = new_far()
            r = sync(URL, env=env)
            check(tip(far) == tip("a") and r.err == "", "a proxy that %s: %s" % (what, r.err))
            if what == "is silent":
                continue
            shutil.rmtree("i")
            os.makedirs("i")
            r = dbstow(*init, env=env)
            check("dbstow: attention: it could not be asked whether the whole world can read '%s'; see that the repository "
                  "is private\n" % URL in r.err, "a proxy that %s: %s" % (what, r.err))
        # ... nor where --cacert, which ssh does not need, names nothing
        far = new_far()
        sync(URL, env=dict(env, DBSTOW_CACERT=os.path.abspath("nothing.pem")))
        check(tip(far) == tip("a"), "--cacert")
