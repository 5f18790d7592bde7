#!/usr/bin/env python3
"""compare.py A.db B.db - do two SQLite databases hold the same?

Looks at them with Python's sqlite3 module and nothing of ours: settings,
schema texts, and the class and exact bytes of every stored value with its
rowid.  Virtual tables are compared by the tables that hold their data.
Prints the first differences; exits 0 when there are none, 1 otherwise.
"""
import itertools
import sqlite3
import struct
import sys

SETTINGS = ["encoding", "user_version", "application_id", "page_size",
            "auto_vacuum", "journal_mode"]
SHOWN = 20


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def exact(value):
    """A value so that == means the same bits."""
    if isinstance(value, float):
        return struct.pack(">d", value)
    return value


class Database:
    def __init__(self, path):
        self.con = sqlite3.connect("file:%s?mode=rw" % path.replace("?", "%3f"),
                                   uri=True, isolation_level=None)

    def all(self, sql):
        return self.con.execute(sql).fetchall()

    def settings(self):
        return {s: self.all("PRAGMA " + s)[0][0] for s in SETTINGS}

    def schema(self):
        """The entries with a text, and the triggers in firing order."""
        entries = self.all("SELECT type, name, tbl_name, CAST(sql AS BLOB) "
                           "FROM sqlite_schema WHERE sql IS NOT NULL")
        triggers = self.all("SELECT tbl_name, name FROM sqlite_schema "
                            "WHERE type = 'trigger'")
        return set(entries), sorted(triggers, key=lambda t: t[0])

    def tables(self):
        """name -> (WITHOUT ROWID?, columns) of tables with a b-tree."""
        stored = {n for n, in self.all(
            "SELECT name FROM sqlite_schema "
            "WHERE type = 'table' AND rootpage <> 0")}
        without = {t[1]: t[4] for t in self.all("PRAGMA main.table_list")}
        return {n: (without.get(n, 0), [c[1] for c in self.all(
            "PRAGMA main.table_xinfo(%s)" % quoted(n))])
            for n in stored}

    def rows(self, name, without_rowid, columns):
        """Rows in a fixed order: classes, values and bytes of each column."""
        taken = {c.lower() for c in columns}
        free = [r for r in ("rowid", "_rowid_", "oid") if r not in taken]
        keep = free and not without_rowid and not name.startswith("sqlite_")
        # CAST AS BLOB gives a text's bytes as they are stored
        wanted = [free[0]] if keep else []
        for c in map(quoted, columns):
            wanted.append("typeof(%s)" % c)
            wanted.append("CASE typeof({0}) WHEN 'text' THEN CAST({0} AS BLOB)"
                          " ELSE {0} END".format(c))
        rows = self.con.execute("SELECT %s FROM main.%s NOT INDEXED%s" % (
            ", ".join(wanted), quoted(name),
            " ORDER BY " + free[0] if keep else ""))
        rows = (tuple(map(exact, row)) for row in rows)
        return rows if keep else iter(sorted(rows, key=repr))


def differences(a, b):
    for name, value in a.settings().items():
        if b.settings()[name] != value:
            yield "%s: %s / %s" % (name, value, b.settings()[name])
    (entries_a, order_a), (entries_b, order_b) = a.schema(), b.schema()
    for e in sorted(entries_a ^ entries_b, key=repr):
        yield "schema, only in %s: %r" % ("AB"[e in entries_b], e)
    if order_a != order_b:
        yield "order of triggers: %s / %s" % (order_a, order_b)
    tables_a, tables_b = a.tables(), b.tables()
    for name in sorted(tables_a.keys() ^ tables_b.keys()):
        yield "table only in %s: %s" % ("AB"[name in tables_b], name)
    for name in sorted(tables_a.keys() & tables_b.keys()):
        pairs = itertools.zip_longest(a.rows(name, *tables_a[name]),
                                      b.rows(name, *tables_b[name]))
        for number, (x, y) in enumerate(pairs, 1):
            if x != y:
                yield "table %s, row %d:\n  %r\n  %r" % (name, number, x, y)
                break


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: compare.py A.db B.db")
    found = list(itertools.islice(
        differences(Database(sys.argv[1]), Database(sys.argv[2])), SHOWN))
    for line in found:
        print(line)
    sys.exit(1 if found else 0)


main()
