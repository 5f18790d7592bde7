#!/usr/bin/env python3
"""restore.py OUT.json - the records of this snapshot as one JSON list.

That is what Django's dumpdata writes and its loaddata takes.  Run it from a
plain checkout or an unpacked archive of the branch.  It needs Python 3.7 or
newer and nothing else, checks the files before it believes them, and never
touches a file that is there.  Records have no schema: a database's tables come
from the application.
"""
import hashlib
import json
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def fail(message):
    sys.exit("restore.py: " + message)


def content(*path):
    """The bytes of a file of the snapshot."""
    path = os.path.join(HERE, *path)
    if os.path.islink(path) or not os.path.isfile(path):
        fail("file '%s' is missing" % path)
    with open(path, "rb") as f:
        return f.read()


def chunks(folder):
    """The files with a model's records, in order."""
    for name in content(folder, "chunks").decode().split("\n")[:-1]:
        if not re.fullmatch(r"[0-9a-f]+(-[0-9]+)?(\.jsonl)?", name):
            fail("'%s' in '%s' does not belong there" % (name, folder))
        path = os.path.join(folder, name)
        yield from chunks(path) if os.path.isdir(path) else [path]


def lines(model):
    """The lines of a model's records; at the end: are they all, are they
    right?"""
    digest, count = hashlib.sha256(), 0
    if not re.fullmatch(r"[\w%][\w%~-]*", model["dir"], re.A):
        fail("'%s' is no model's folder" % model["dir"])
    folder = os.path.join(HERE, "data", "tables", model["dir"])
    for path in chunks(folder) if model["rows"] else []:
        data = content(path)
        digest.update(data)
        for line in data.split(b"\n")[:-1]:
            count += 1
            yield line
    if (count, digest.hexdigest()) != (model["rows"], model["sha256"]):
        fail("model '%s': the files do not hold the records that the manifest "
             "names (were line endings changed?)" % model["name"])


def write(out, models):
    """The lines are JSON already: only the model goes in front, so that every
    number keeps its digits."""
    between = b"[\n"
    for model in models:
        head = json.dumps(model["name"]).encode()
        for line in lines(model):
            out.write(between + b'{"model":' + head + b"," + line[1:])
            between = b",\n"
    out.write(b"\n]\n")


def main():
    if len(sys.argv) != 2:
        fail("usage: python3 restore.py OUT.json (records have no schema: the "
             "application makes the tables, loaddata or dbstow fills them)")
    target = os.path.abspath(sys.argv[1])
    if os.path.lexists(target):
        fail("'%s' is there; give another name" % target)
    manifest = json.loads(content("data", "manifest.json").decode())
    if manifest["format"] != "dbstow-records/1":
        fail("this is '%s', made by a newer dbstow" % manifest["format"])
    aside, path = tempfile.mkstemp(prefix=".restore-",
                                   dir=os.path.dirname(target))
    try:
        with os.fdopen(aside, "wb") as out:
            write(out, manifest["tables"])
            out.flush()
            os.fsync(out.fileno())
        if os.path.lexists(target):
            fail("'%s' is there now" % target)
        os.rename(path, target)
    except BaseException:
        os.unlink(path)
        raise
    print("'%s': %d models, %d records" % (
        sys.argv[1], len(manifest["tables"]),
        sum(m["rows"] for m in manifest["tables"])))
    for name, why in sorted(manifest.get("partial", {}).items()):
        print("note, left out when it was made: %s: %s" % (name, why))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, LookupError, TypeError) as e:
        fail("%s: %s; dbstow can tell more" % (type(e).__name__, e))
