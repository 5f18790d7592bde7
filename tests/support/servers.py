"""servers.py - real servers on loopback, for tests.

Each is a context manager that listens on 127.0.0.1 alone and is ended by its
own process id.  None is installed as a service: they run from a folder of the
test's.

    with Authority("ca") as ca, GitServer("web", ca, token="t") as web:
        web.new_repo("app.git")
        ... web.url("app.git"), ca.pem, web.requests()

    with Sshd("ssh") as ssh:
        ... ssh.url("/path/app.git"), env=ssh.env
"""
import getpass, os, shutil, signal, socket, ssl, subprocess, sys, threading, time

MISSING = 77  # ctest takes this exit status for "skipped"


def program(*names):
    """Where a server is; tests are skipped where it is not installed."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/usr/lib/git-core"
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return found
    if os.environ.get("CI"):
        print("FAILED: %s is not installed" % names[0])
        sys.exit(1)
    print("skipped: %s is not installed" % names[0])
    sys.exit(MISSING)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process, log, timeout=20):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    said = ""
    if os.path.exists(log):
        with open(log, errors="replace") as f:
            said = f.read()
    raise RuntimeError("no server on port %d:\n%s" % (port, said))


def start(argv, log, **kw):
    with open(log, "ab") as out:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                                stderr=out, start_new_session=True, **kw)


def end(process):
    """End a server and its own children, never another's."""
    if process is None or process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def openssl(*argv, **kw):
    p = subprocess.run([program("openssl"), *argv], capture_output=True, **kw)
    if p.returncode:
        raise RuntimeError("openssl %s: %s" % (" ".join(argv), p.stderr.decode()))
    return p.stdout


class Authority:
    """A certificate authority of the test's own: `pem` is what trusts it."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.pem, self.key = self.path("ca.pem"), self.path("ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-days", "30", "-subj", "/CN=dbstow test authority",
                "-keyout", self.key, "-out", self.pem)

    def path(self, name):
        return os.path.join(self.folder, name)

    def certificate(self, name="localhost", names=("DNS:localhost", "IP:127.0.0.1"),
                    days=30, kind="ec"):
        """Paths of a certificate for `names` and of its key; expired where
        `days` is negative."""
        stem = "%s-%d-%s" % (name, days, kind)
        key, request, pem = (self.path(stem + e) for e in (".key", ".csr", ".pem"))
        how = (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec"
               else ["-newkey", "rsa:2048"])
        openssl("req", "-new", *how, "-nodes", "-subj", "/CN=" + name,
                "-keyout", key, "-out", request)
        with open(self.path(stem + ".ext"), "w") as f:
            f.write("subjectAltName=%s\n" % ",".join(names))
        openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key,
                "-CAcreateserial", "-days", str(days), "-extfile", f.name, "-out", pem)
        return pem, key

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


class GitServer:
    """git-http-backend behind nginx with TLS and basic authentication.

    token    the password (for any of `users`); None: no authentication
    public   reading needs no authentication, pushing does
    more     lines put in front of the place of the repositories: redirects,
             "return 403;", client_max_body_size ...
    """

    def __init__(self, folder, authority, token="token", users=("x-access-token", "user"),
                 public=False, more="", certificate=None, protocols="TLSv1.2 TLSv1.3"):
        self.folder = os.path.abspath(folder)
        self.authority, self.token, self.users = authority, token, users
        self.public, self.more, self.protocols = public, more, protocols
        self.certificate = certificate or authority.certificate()
        self.nginx = self.fcgi = self.port = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def repo(self, name):
        return os.path.join(self.folder, "repos", name)

    def url(self, name="", host="localhost"):
        return "https://%s:%d/%s" % (host, self.port, name)

    def new_repo(self, name, *config):
        """An empty bare repository; `config`: "receive.denyDeletes=true" ..."""
        subprocess.run(["git", "init", "-q", "--bare", self.repo(name)], check=True)
        for pair in config:
            subprocess.run(["git", "-C", self.repo(name), "config", *pair.split("=", 1)], check=True)
        return self.repo(name)

    def requests(self):
        """What came: (status, "METHOD URI", value of Authorization or "-",
        bytes of the request's body)"""
        with open(self.path("access.log"), errors="replace") as f:
            rows = [line.rstrip("\n").split("\t") for line in f]
        return [(int(r[0]), r[1], r[2], int(r[3].strip("-") or 0)) for r in rows]

    def forget_requests(self):
        os.truncate(self.path("access.log"), 0)

    def head(self):
        """What stands in front of the servers of nginx.conf."""
        temporary = "\n".join("%s_temp_path %s;" % (n, self.path("tmp-" + n)) for n in
                              ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return """%(user)s
daemon off;
master_process off;
worker_processes 1;
pid %(folder)s/nginx.pid;
error_log %(folder)s/error.log;
events { worker_connections 64; }
http {
    %(temporary)s
    log_format test '$status\t$request_method $request_uri\t$http_authorization\t$content_length';
    access_log %(folder)s/access.log test;
""" % {"user": "user root;" if os.getuid() == 0 else "", "folder": self.folder, "temporary": temporary}

    def configuration(self):
        realm = "off" if self.token is None else "$realm"
        return self.head() + """
    client_max_body_size 0;
    map "$uri?$arg_service" $realm {
        default %(read)s;
        ~git-receive-pack git;
    }
    server {
        listen 127.0.0.1:%(port)d ssl;
        ssl_certificate %(pem)s;
        ssl_certificate_key %(key)s;
        ssl_protocols %(protocols)s;
        auth_basic %(realm)s;
        auth_basic_user_file %(folder)s/users;
        %(more)s
        location / {
            fastcgi_pass unix:%(folder)s/fcgi;
            fastcgi_param SCRIPT_FILENAME %(backend)s;
            fastcgi_param GIT_PROJECT_ROOT %(folder)s/repos;
            fastcgi_param GIT_HTTP_EXPORT_ALL "";
            fastcgi_param PATH_INFO $uri;
            fastcgi_param REMOTE_USER $remote_user;
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
            fastcgi_param HTTP_GIT_PROTOCOL $http_git_protocol;
            fastcgi_read_timeout 120s;
        }
    }
}
""" % {"folder": self.folder, "read": "off" if self.public else "git",
            "port": self.port, "pem": self.certificate[0], "key": self.certificate[1],
            "protocols": self.protocols, "realm": realm, "more": self.more,
            "backend": program("git-http-backend")}

    def __enter__(self):
        nginx, wrap = program("nginx"), program("fcgiwrap")
        os.makedirs(self.path("repos"), exist_ok=True)
        with open(self.path("users"), "w") as f:
            f.writelines("%s:{PLAIN}%s\n" % (u, self.token) for u in self.users)
        try:
            self.fcgi = start([wrap, "-f", "-c", "4", "-s", "unix:" + self.path("fcgi")],
                              self.path("fcgi.log"))
            self.start_nginx(nginx)
        except BaseException:
            self.__exit__()
            raise
        return self

    def start_nginx(self, nginx):
        for attempt in range(5):  # somebody may be quicker to take the port
            self.port = free_port()
            with open(self.path("nginx.conf"), "w") as f:
                f.write(self.configuration())
            self.nginx = start([nginx, "-p", self.folder, "-e", self.path("error.log"),
                                "-c", self.path("nginx.conf")], self.path("error.log"))
            try:
                return wait_for(self.port, self.nginx, self.path("error.log"))
            except RuntimeError:
                end(self.nginx)
                if attempt == 4:
                    raise

    def __exit__(self, *_):
        end(self.nginx)
        end(self.fcgi)
        return False


class Proxy(GitServer):
    """nginx with TLS in front of an HTTP server: `upstream` is "127.0.0.1:8790"
    or "unix:/path"."""

    def __init__(self, folder, authority, upstream):
        super().__init__(folder, authority)
        self.upstream = upstream

    def configuration(self):
        return self.head() + """
    server {
        listen 127.0.0.1:%d ssl;
        ssl_certificate %s;
        ssl_certificate_key %s;
        location / {
            proxy_pass http://%s;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }
    }
}
""" % (self.port, *self.certificate, self.upstream)

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        self.start_nginx(program("nginx"))
        return self


class Sshd:
    """OpenSSH's server with a host key, a user key and known_hosts of its own;
    `env` makes git and dbstow use them."""

    def __init__(self, folder, kind="ed25519"):
        self.folder, self.kind = os.path.abspath(folder), kind
        self.process = self.port = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def url(self, path):
        return "ssh://test-host" + os.path.abspath(path)

    def scp_url(self, path):
        return "test-host:" + os.path.abspath(path)

    def key(self, name, kind):
        subprocess.run([program("ssh-keygen"), "-q", "-t", kind, "-N", "", "-C", name,
                        "-f", self.path(name)], check=True)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), 0o600)

    @property
    def env(self):
        return {"GIT_SSH_COMMAND": "ssh -F '%s'" % self.path("config")}

    def log(self):
        with open(self.path("log"), errors="replace") as f:
            return f.read()

    def __enter__(self):
        sshd = program("sshd")
        os.makedirs(self.folder, exist_ok=True)
        if os.getuid() == 0:  # where it wants to be when it runs as root
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.key("host", "ed25519")
        self.key("user", self.kind)
        shutil.copy(self.path("user.pub"), self.path("authorized"))
        for attempt in range(5):
            self.port = free_port()
            self.configure()
            self.process = start([sshd, "-D", "-e", "-f", self.path("sshd_config")], self.path("log"))
            try:
                wait_for(self.port, self.process, self.path("log"))
                return self
            except RuntimeError:
                end(self.process)
                if attempt == 4:
                    raise

    def configure(self):
        self.write("sshd_config", """Port %d
ListenAddress 127.0.0.1
HostKey %s
AuthorizedKeysFile %s
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
""" % (self.port, self.path("host"), self.path("authorized")))
        with open(self.path("host.pub")) as f:
            self.write("known_hosts", "[127.0.0.1]:%d %s" % (self.port, f.read()))
        self.write("config", """Host test-host
    HostName 127.0.0.1
    Port %d
    User %s
    IdentityFile %s
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile %s
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
""" % (self.port, getpass.getuser(), self.path("user"), self.path("known_hosts")))

    def __exit__(self, *_):
        end(self.process)
        return False


class Tcp:
    """A server that does wrong what a real one does right: `serve(connection)`
    runs in a thread for each connection, after the TLS handshake where there is
    a certificate.

    versions  (lowest, highest) of ssl.TLSVersion, to offer old ones
    """

    def __init__(self, serve, certificate=None, versions=None):
        self.serve, self.context = serve, None
        self.stopping = threading.Event()
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        if versions:
            self.context.set_ciphers("ALL:@SECLEVEL=0")
            self.context.minimum_version, self.context.maximum_version = versions
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def url(self, path="", host="localhost"):
        return "%s://%s:%d/%s" % ("https" if self.context else "http", host, self.port, path)

    def accept(self):
        while not self.stopping.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        try:
            connection.settimeout(60)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            self.serve(connection)
        except (OSError, ValueError):
            pass
        finally:
            connection.close()

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.socket.close()
        return False


def read_request(connection):
    """(first line, headers by lower-case name, body) of one HTTP request"""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise OSError("no request")
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, value = line.split(":", 1)
        headers[name.lower()] = value.strip()
    while len(body) < int(headers.get("content-length", 0)):
        piece = connection.recv(65536)
        if not piece:
            raise OSError("no body")
        body += piece
    return lines[0], headers, body
