#!/usr/bin/env python3
"""The release's tarball: all that the program needs but glibc, their licences,
and a whole round trip where nothing but glibc is installed."""
import glob, hashlib, os, re, shutil, subprocess, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *
from servers import Authority, Tcp, program, read_request

TOP = os.path.dirname(TESTS)
PACK = os.path.join(TOP, ".github", "release.sh")
program("patchelf"), program("dpkg-query"), program("objdump")

r = run(PACK, DBSTOW, "out")
check(r.status == 0, "release.sh: " + r.out + r.err)
tarball, = glob.glob("out/*.tar.gz")
name = os.path.basename(tarball)[:-len(".tar.gz")]
version = dbstow("version").out.split()[1]
check(r.out == tarball + "\n" and name == "dbstow-%s-linux-%s" % (version, os.uname().machine), r.out)
check(run("sh", "-c", "cd out && sha256sum -c *.sha256").status == 0, "sha256")
check(run(PACK, DBSTOW, "again").status == 0, "again")
with open(tarball, "rb") as f, open("again/%s.tar.gz" % name, "rb") as g:
    check(f.read() == g.read(), "two packings differ")

# ---- what is in it ----
os.makedirs("some where")
subprocess.run(["tar", "-C", "some where", "-xzf", tarball], check=True)
top = os.path.abspath(os.path.join("some where", name))
modes = {os.path.relpath(p, top): os.lstat(p).st_mode for p in glob.glob(top + "/**", recursive=True)}
check(not [p for p, m in modes.items() if m & 0o022 or (m & 0o170000) not in (0o100000, 0o040000)], "modes: %s" % modes)
with open(os.path.join(top, "README")) as f:
    readme = f.read()
glibc = re.search(r"^dbstow %s for Linux on \S+, glibc 2\.(\d+) or newer$" % re.escape(version), readme, re.M)
check(glibc and 17 <= int(glibc.group(1)) < 60, "README: " + readme)
packages = re.findall(r"^(\S+) \S+ \(source: \S+ \S+\)$", readme, re.M)
check("libsqlite3-0" in packages or "libsqlite3-0t64" in packages, "README: " + readme)
for package in packages + ["dbstow"]:
    check(os.path.getsize(os.path.join(top, "licences", package)) > 500, "no licence: " + package)
libraries = os.listdir(os.path.join(top, "lib"))
check(any(l.startswith("libgit2.so") for l in libraries) and not [l for l in libraries if re.match(r"(libc|libm|ld-.*)\.so", l)],
      "libraries: %s" % libraries)

# ---- a program that is not whole is not packed ----
os.mkdir("bin")
with open("bin/ldd", "w") as f:
    f.write("#!/bin/sh\necho '	libgone.so.1 => not found'\n")
os.chmod("bin/ldd", 0o755)
r = run(PACK, DBSTOW, "never", env={"PATH": os.path.abspath("bin") + ":" + os.environ["PATH"]})
check(r.status == 1 and "'libgone.so.1' is not found" in r.err and not glob.glob("never/*"), "packed: " + r.err)

# ---- from anywhere, by a link, whatever the environment says ----
os.symlink(os.path.join(top, "bin", "dbstow"), "link")
for path in (os.path.join(top, "bin", "dbstow"), os.path.abspath("link")):
    p = subprocess.run([path, "version"], capture_output=True, env={"LD_LIBRARY_PATH": os.path.abspath("bin"), "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")})
    check(p.stdout == b"dbstow %s\n" % version.encode(), "%s: %s" % (path, p.stderr))

# ---- where there is glibc and nothing else ----
sql("app.db", """CREATE TABLE team(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE member(id INTEGER PRIMARY KEY, team REFERENCES team, photo BLOB);
INSERT INTO team VALUES(1, 'one'), (2, 'zwei ü'); INSERT INTO member VALUES(1, 2, x'00ff'), (2, 1, NULL);""")
shutil.copytree(top, "root/opt")
for folder in ("proc", "tmp", "data"):
    os.makedirs("root/" + folder)
for line in run("ldd", DBSTOW).out.splitlines():
    found = re.match(r"\s*(?:(\S+) => )?(/\S+) \(0x", line)
    if found and re.match(r"(ld-linux.*|lib(c|m|dl|pthread|rt|resolv))\.so", os.path.basename(found.group(2))):
        os.makedirs("root" + os.path.dirname(found.group(2)), exist_ok=True)
        shutil.copy(found.group(2), "root" + found.group(2))
run("git", "init", "-q", "--bare", "root/data/repo")
shutil.copy("app.db", "root/data/app.db")
# Where a container allows no mount, there is no /proc, from which the loader
# knows where the program lies.
WAYS = (["unshare", "-rm", "sh", "-c", 'mount --rbind /proc root/proc && exec chroot root "$@"', "sh"],
        ["env", "LD_LIBRARY_PATH=/opt/lib", "chroot", "root"])


def inside(*argv, way=None, **env):
    return subprocess.run([*way, "/opt/bin/dbstow", *argv], capture_output=True, text=True, timeout=120,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": "/tmp", **env})


ways = [w for w in WAYS if shutil.which(w[0], path=os.environ["PATH"] + ":/usr/sbin") and inside("version", way=w).returncode == 0]
if not ways:
    print("not tried in a root of its own: this machine allows neither unshare nor chroot")
    sys.exit(0)


def there(*argv, status=0, said=""):
    r = inside(*argv, way=ways[0])
    check(r.returncode == status and said in r.stderr, "%s in the empty root: %d: %s%s" % (argv, r.returncode, r.stdout, r.stderr))
    return r.stdout.strip()


made = there("export", "/data/app.db", "--repo", "/data/repo")
check(made == tip("root/data/repo") or len(made) == 40, made)
there("verify", "--all", "--drill", "--repo", "/data/repo")
there("restore", "--repo", "/data/repo", "--to", "/data/new.db")
same("app.db", "root/data/new.db")
run("git", "init", "-q", "--bare", "root/data/far.git")
there("sync", "/data/far.git", "--repo", "/data/repo", status=1, said="cannot run 'git': No such file or directory")

# ---- https: authorities are found where the system keeps them ----
there("export", "/data/app.db", "--output", "/data/app.json")
with open("root/data/app.json", "rb") as f:
    document = f.read()


def serve(c):
    read_request(c)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(document) + document)


with Authority("ca") as ca, Tcp(serve, ca.certificate()) as web:
    url = web.url("export", host="127.0.0.1")
    FETCH = ("fetch", url, "--repo", "/data/repo", "--source", "app.db")
    there(*FETCH, status=5, said="this machine has no list of certificate authorities; install the package ca-certificates")
    for place in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"):
        os.makedirs("root" + os.path.dirname(place), exist_ok=True)
        shutil.copy(ca.pem, "root" + place)
        there(*FETCH, said="unchanged")
        os.unlink("root" + place)
