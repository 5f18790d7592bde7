#!/usr/bin/env python3
"""faults.py FOLDER - servers that do HTTPS wrong, for tests/base/test_https.c:
prints a port for each, and ends when its standard input does."""
import gzip, os, ssl, sys, time, warnings
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from servers import *

warnings.simplefilter("ignore", DeprecationWarning)


def reply(connection, status="200 OK", body=b"", length=None, **headers):
    head = "HTTP/1.1 %s\r\nContent-Length: %d\r\n" % (status, len(body) if length is None else length)
    for name, value in headers.items():
        head += "%s: %s\r\n" % (name.replace("_", "-"), value)
    connection.sendall(head.encode() + b"\r\n" + body)


def paths(connection):
    while True:
        line, headers, body = read_request(connection)
        path = line.split(" ")[1].split("?")[0]
        if path == "/text":
            reply(connection, body=b"hello", Content_Type="text/plain; charset=utf-8", ETag='"e1"')
        elif path == "/echo":  # what we were told, back
            reply(connection, "403 Forbidden", Content_Type="text/plain", body=b"no:\r\n\x1b[31m" +
                  headers.get("authorization", "none").encode() + b"\x07 \xff")
        elif path == "/count":
            reply(connection, body=b"%d" % len(body), Content_Type="text/plain")
        elif path == "/gzip":
            reply(connection, body=gzip.compress(b"x" * 100000), Content_Encoding="gzip", Content_Type="text/plain")
        elif path == "/badgzip":
            reply(connection, body=b"this is no gzip", Content_Encoding="gzip")
        elif path == "/html":
            reply(connection, body=b"<html>Please log in", Content_Type="text/html")
        elif path == "/busy":
            reply(connection, "503 Service Unavailable", Retry_After="7", Content_Type="text/html", body=b"<html>")
        elif path == "/later":
            reply(connection, "429 Too Many Requests", Retry_After=time.strftime(
                "%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100)))
        elif path == "/away":
            reply(connection, "302 Found", Location="https://user:pw@elsewhere.example/x?token=1#f")
        elif path == "/nowhere":
            reply(connection, "302 Found")
        elif path == "/same":
            reply(connection, "304 Not Modified")
        elif path == "/cut":
            reply(connection, body=b"0123456789", length=100)
            return
        elif path == "/cutchunk":
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n01234")
            return
        elif path == "/nothing":
            return
        elif path == "/stall":
            reply(connection, body=b"0123456789", length=100)
            time.sleep(20)
        elif path == "/headers":
            while True:
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-More: and more\r\n" * 1000)
                for _ in range(50):
                    connection.sendall(b"X-More: and more\r\n" * 1000)


def silent(connection):
    time.sleep(20)


with Authority(os.path.join(sys.argv[1], "ca")) as ca:
    servers = [
        Tcp(paths, ca.certificate()),
        Tcp(paths, ca.certificate("expired", days=-1)),
        Tcp(paths, ca.certificate("other.example", names=("DNS:other.example",))),
        Tcp(paths, ca.certificate("old", kind="rsa"), versions=(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)),
        Tcp(silent),
        Tcp(paths),
    ]
    for s in servers:
        s.__enter__()
    print(" ".join(str(s.port) for s in servers), flush=True)
    sys.stdin.read()
