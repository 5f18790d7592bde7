#!/usr/bin/env python3
"""Snapshots of every format version so far (tests/golden/VERSION) are read, and
those of version 1 are still written to the same bytes."""
import json, os, subprocess, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

golden = os.path.join(os.environ["TESTS"], "golden")
versions = sorted(v for v in os.listdir(golden) if v.isdigit())
check(versions, "no golden snapshots")
for version in versions:
    snapshot = os.path.join(golden, version, "snapshot")
    source = "source-%s.db" % version
    with open(os.path.join(golden, version, "source.sql"), "rb") as script:
        subprocess.run(["sqlite3", source], stdin=script, check=True)
    check(dbstow("verify", "--from", snapshot, "--drill").out == snapshot + "  restorable\n", version + ": verify")
    dbstow("restore", "--from", snapshot, "--to", "restored-%s.db" % version)
    same(source, "restored-%s.db" % version)

new_repo()
dbstow("export", "source-1.db", "--repo", "repo")
with open(os.path.join(golden, "1", "snapshot", "snapshot.json")) as f:
    recorded = json.load(f)["content"]
check(content() == recorded, "the same database gives content id %s, not %s as before" % (content(), recorded))

# records, which have no schema
source, snapshot = (os.path.join(golden, "records-1", name) for name in ("source.json", "snapshot"))
check(dbstow("verify", "--from", snapshot).out == snapshot + "  intact\n", "records: verify")
new_repo("records")
dbstow("import", source, "--repo", "records", "--source", "golden")
with open(os.path.join(snapshot, "snapshot.json")) as f:
    recorded = json.load(f)["content"]
check(content("records") == recorded, "the same records give content id %s, not %s as before" % (content("records"), recorded))
