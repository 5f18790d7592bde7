#!/usr/bin/env python3
"""restore.py NEW.db - rebuild the SQLite database of this snapshot.

Run it from a plain checkout or an unpacked archive of the branch.  It needs
Python 3.7 or newer and nothing else, checks the files before it believes them
and the database before it gives it out, and never touches a file that is
there.  What it cannot bring back exactly it refuses; dbstow can do more.
"""
import base64
import hashlib
import json
import os
import re
import shutil
import sqlite3
import sys
import tempfile

ENCODINGS = {"UTF-8": "utf-8", "UTF-16le": "utf-16-le", "UTF-16be": "utf-16-be"}
HINT = "dbstow can restore this"
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


def quoted(name):
    if not isinstance(name, str):
        fail("a name in the schema is not UTF-8; " + HINT)
    return '"' + name.replace('"', '""') + '"'


def chunks(folder):
    """The files with a table's rows, in order."""
    names = sorted(n for n in os.listdir(folder) if n != "values")
    if "chunks" in names:
        names = content(folder, "chunks").decode().split("\n")[:-1]
    for name in names:
        if not re.fullmatch(r"[0-9a-f]+(-[0-9]+)?(\.jsonl)?", name):
            fail("'%s' in '%s' does not belong there" % (name, folder))
        path = os.path.join(folder, name)
        yield from chunks(path) if os.path.isdir(path) else [path]


def lines(table):
    """The lines of a table's rows; at the end: are they all, are they right?"""
    digest, count = hashlib.sha256(), 0
    if not re.fullmatch(r"[\w%][\w%~-]*", table["dir"], re.A):
        fail("'%s' is no table's folder" % table["dir"])
    folder = os.path.join(HERE, "data", "tables", table["dir"])
    for path in chunks(folder) if table["rows"] else []:
        data = content(path)
        digest.update(data)
        for line in data.split(b"\n")[:-1]:
            count += 1
            yield line
    if (count, digest.hexdigest()) != (table["rows"], table["sha256"]):
        fail("table '%s': the files do not hold the rows that the manifest "
             "names (were line endings changed?)" % table["name"])


def tagged(value, table):
    """A value that JSON has no form for: its class, and itself or its bytes."""
    (tag, inner), = value.items()
    if tag == "$int":
        return "value", int(inner)
    if tag == "$real" and inner in ("inf", "-inf"):
        return "value", float(inner)
    if tag in ("$text", "$text16", "$blob"):
        return tag[1:], base64.b64decode(inner, validate=True)
    if tag != "$file":
        fail("table '%s': unknown tag '%s'" % (table["name"], tag))
    if not all(re.fullmatch(r"values/[0-9a-f/]+-[0-9]+", p)
               for p in inner["parts"]):
        fail("table '%s': a part lies where none can be" % table["name"])
    data = b"".join(content("data", "tables", table["dir"], p)
                    for p in inner["parts"])
    if hashlib.sha256(data).hexdigest() != inner["sha256"]:
        fail("table '%s': a value's parts are damaged" % table["name"])
    return inner["class"], data


def to_sql(value, table, encoding):
    """(SQL expression with one ?, what to bind, what must be read back)"""
    kind = "value"
    if isinstance(value, str):
        kind, value = "text", value.encode()
    elif isinstance(value, dict):
        kind, value = tagged(value, table)
    if kind == "blob":
        return "?", value, value.hex().upper()
    if kind == "value":
        return "?", value, value
    if kind == "text" and encoding != "utf-8":
        value = value.decode().encode(encoding)
    if encoding == "utf-8":
        return "CAST(? AS TEXT)", value, value
    try:  # in a UTF-16 database only a literal keeps all bytes as they are
        text = value.decode(encoding)
    except UnicodeDecodeError:
        text = "\uffff"
    if "\ufffe" in text or "\uffff" in text:
        literal = "coalesce(CAST(x'%s' AS TEXT), ?)" % value.hex()
        return literal, None, value
    return "?", text, value


def fingerprint(row):
    digest = hashlib.sha256(repr(row).encode()).digest()
    return int.from_bytes(digest, "big")


def load(con, table, encoding):
    """Insert a table's rows, then read them back: the sum of the rows'
    fingerprints must be the same."""
    if not all(isinstance(n, str) for n in [table["name"]] + table["columns"]):
        fail("a table or column has a name that is not UTF-8, which Python's "
             "sqlite3 cannot say; dbstow can")
    computed = sum(table.get("generated", {}).values(), [])
    columns = [c for c in table["columns"] if c not in computed]
    if table.get("rowid") not in [None] + columns:
        columns.insert(0, table["rowid"])
    name, names = quoted(table["name"]), [quoted(c) for c in columns]
    wanted = found = 0
    for line in lines(table):
        row = json.loads(line.decode())
        if not set(row) <= set(columns):
            fail("table '%s': a row has unknown columns" % table["name"])
        sql, bound, back = zip(*[to_sql(row.get(c), table, encoding)
                                 for c in columns])
        con.execute("INSERT INTO main.%s (%s) VALUES (%s)" % (
            name, ", ".join(names), ", ".join(sql)), bound)
        wanted += fingerprint(back)
    for row in con.execute("SELECT %s FROM main.%s" % (", ".join(
            "CASE typeof({0}) WHEN 'text' THEN CAST({0} AS BLOB) WHEN 'blob' "
            "THEN hex({0}) ELSE {0} END".format(n) for n in names), name)):
        found += fingerprint(row)
    if wanted != found:
        fail("table '%s': some values came back changed; %s" % (
            table["name"], HINT))


def stored(con, name=None):
    """The schema as it is in the file, or what there is of one name."""
    return {(row[0], row[1]): row[2] for row in con.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND "
        "(? IS NULL OR name = ?)", (name, name))}


def create(con, entry):
    if not re.match(r"CREATE\s", entry["sql"], re.I):
        fail("'%s' is not made by CREATE" % entry["name"])
    con.execute(entry["sql"])  # one statement: Python refuses a second


def build(con, manifest, schema, info):
    settings = manifest["settings"]
    for setting in ("page_size = %d" % info.get("page_size", 4096),
                    "auto_vacuum = %d" % info.get("auto_vacuum", 0),
                    "encoding = '%s'" % settings["encoding"],
                    "journal_mode = OFF", "synchronous = OFF",
                    "foreign_keys = OFF", "ignore_check_constraints = ON",
                    "writable_schema = ON"):
        con.execute("PRAGMA " + setting)
    con.execute("CREATE TABLE t (x)")  # else the encoding is not written
    con.execute("DROP TABLE t")
    con.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY
                       if action == sqlite3.SQLITE_ATTACH
                       else sqlite3.SQLITE_OK)
    ours = {t["name"] for t in manifest["tables"]}
    con.execute("BEGIN")
    for entry in schema:  # SQLite makes sqlite_sequence itself
        if entry["name"] in ours and entry["type"] == "table" and \
                ("table", entry["name"]) not in stored(con, entry["name"]):
            create(con, entry)
    for table in manifest["tables"]:
        if table["kind"] == "internal":
            con.execute("DELETE FROM main." + quoted(table["name"]))
        try:
            load(con, table, ENCODINGS[settings["encoding"]])
        except sqlite3.Error as e:
            fail("table '%s': %s; %s" % (table["name"], e, HINT))
    for entry in schema:
        if entry["type"] == "index":
            create(con, entry)
        elif entry["name"] not in ours or entry["type"] != "table":
            # views, triggers, virtual tables: nothing runs, all stays as it is
            con.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, 0, ?)", (
                entry["type"], entry["name"], entry["table"], entry["sql"]))
    con.execute("COMMIT")
    con.execute("PRAGMA user_version = %d" % settings["user_version"])
    con.execute("PRAGMA application_id = %d" % settings["application_id"])


def check(con, manifest, schema, info):
    """Look at the finished file as a new connection sees it."""
    if stored(con) != {(e["type"], e["name"]): e["sql"] for e in schema}:
        fail("the schema came back changed; " + HINT)
    con.execute("PRAGMA ignore_check_constraints = ON")
    for (note,) in con.execute("PRAGMA integrity_check"):
        if note != "ok":
            print("note, may be so in the original too: " + note)
    if info.get("wal"):
        con.execute("PRAGMA journal_mode = WAL")


def main():
    if len(sys.argv) != 2:
        fail("usage: python3 restore.py NEW.db")
    target = os.path.abspath(sys.argv[1])
    for suffix in "", "-wal", "-journal", "-shm":
        if os.path.lexists(target + suffix):
            fail("'%s' is there; give another name" % (target + suffix))
    manifest = json.loads(content("data", "manifest.json").decode())
    if manifest["format"] != "dbstow-snapshot/1":
        fail("this is '%s', made by a newer dbstow" % manifest["format"])
    schema = json.loads(content("data", "schema.json").decode())
    info = json.loads(content("snapshot.json").decode())
    aside = tempfile.mkdtemp(prefix=".restore-", dir=os.path.dirname(target))
    try:
        new = os.path.join(aside, "new.db")
        for step in build, check:
            con = sqlite3.connect(new, isolation_level=None)
            step(con, manifest, schema, info)
            con.close()
        with open(new, "rb+") as f:
            os.fsync(f.fileno())
        if os.path.lexists(target):
            fail("'%s' is there now" % target)
        os.rename(new, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    print("'%s': %d tables, %d rows, each value read back" % (
        sys.argv[1], sum(t["kind"] != "internal" for t in manifest["tables"]),
        sum(t["rows"] for t in manifest["tables"])))


if __name__ == "__main__":
    try:
        main()
    except (sqlite3.Error, sqlite3.Warning, OSError, ValueError, LookupError,
            TypeError) as e:
        fail("%s: %s; dbstow can tell more" % (type(e).__name__, e))
