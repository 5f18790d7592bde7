"""serving.py - dbstow serve, run for a test, and requests byte by byte."""
import os, re, signal, socket, subprocess, time
from cli import DBSTOW, check, fail


class Answer:
    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        self.status = int(words[1]) if len(words) > 1 and words[1].isdigit() else None
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self.whole = True
        if self.headers.get("transfer-encoding") == "chunked":
            self.body, self.whole = unchunked(self.body)

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")


def unchunked(data):
    out, at = [], 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return b"".join(out), False
        size = int(data[at:end], 16)
        out.append(data[end + 2:end + 2 + size])
        if not size:
            return b"".join(out), True
        at = end + 2 + size + 2


def listening(said):
    return re.search(r"dbstow: serving '.*' on (http://([0-9.]+|\[::1\]):(\d+)|unix:(\S+)), (\d+) keys?\n", said)


class Serving:
    """A running dbstow serve; what it says is kept in the file `log`."""

    def __init__(self, db, *argv, keys=None, env=None, log="serve.log", listen="127.0.0.1:0", handed=None):
        self.log = os.path.abspath(log)
        more = ["--listen", listen] if listen else []
        environment = dict(os.environ, **(env or {}))
        if keys is not None:
            environment["DBSTOW_SERVE_KEYS"] = keys
        # as systemd hands over a socket: as the third file, and to that process
        prefix = ["sh", "-c", 'exec 3<&%d; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"' % handed, "sh"] if handed else []
        with open(self.log, "w") as out:
            self.process = subprocess.Popen([*prefix, DBSTOW, "serve", db, *more, *argv], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, env=environment, start_new_session=True,
                                            pass_fds=[handed] if handed else ())
        end = time.monotonic() + 30
        while not listening(self.said()):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                fail("dbstow serve did not begin:\n" + self.said())
            time.sleep(0.02)
        found = listening(self.said())
        self.port, self.path = int(found[3] or 0), found[4]

    def said(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def wait_for(self, text, seconds=30):
        """Until its log holds `text`, a regular expression."""
        end = time.monotonic() + seconds
        while not re.search(text, self.said()):
            check(time.monotonic() < end, "'%s' was not logged:\n%s" % (text, self.said()))
            time.sleep(0.02)

    def connect(self, timeout=60):
        if self.path:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(timeout)
            s.connect(self.path)
            return s
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def send(self, data, timeout=60):
        """Send these bytes and take all that comes back."""
        out = bytearray()
        with self.connect(timeout) as s:
            try:
                s.sendall(data)
                while True:
                    piece = s.recv(1 << 20)
                    if not piece:
                        break
                    out += piece
            except ConnectionError:
                pass
        return Answer(bytes(out))

    def head(self, method="GET", path="/export", key=None, host="127.0.0.1", headers=()):
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: " + host, *headers]
        if key:
            lines.append("Authorization: Bearer " + key)
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def ask(self, path="/export", method="GET", timeout=60, **kw):
        return self.send(self.head(method, path, **kw), timeout)

    def check_files(self, expected, seconds=20):
        """As many are open as there were; what is being closed has a while."""
        end = time.monotonic() + seconds
        while self.files() != expected:
            check(time.monotonic() < end, "%d files are open, %d were" % (self.files(), expected))
            time.sleep(0.02)

    def files(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def memory_kb(self):
        with open("/proc/%d/status" % self.process.pid) as f:
            return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1])

    def stop(self, how=signal.SIGTERM, timeout=60):
        """@return its exit status"""
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                fail("it did not end:\n" + self.said())
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        status = self.stop()
        check(kind or status == 0, "dbstow serve ended with %d:\n%s" % (status, self.said()))
        check("Sanitizer" not in self.said(), self.said())
        return False
