#!/usr/bin/env python3
"""Records of a real Django application: dumped by it, kept, restored into tables that its migrations made; and its
database written so that its own loaddata takes it."""
import json, os, sys
sys.path.insert(0, os.path.join(os.environ["TESTS"], "support"))
from cli import *

for PYTHON in (sys.executable, "/usr/bin/python3"):
    if run(PYTHON, "-c", "import django").status == 0:
        break
else:
    print("python3-django is not installed: skipped")
    sys.exit(77)

# ---- an application ----

SETTINGS = """
import os
SECRET_KEY = "x"
USE_TZ = os.environ.get("ZONE", "1") == "1"
TIME_ZONE = "America/Chicago"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DB"]}}
"""
MODELS = """
from django.db import models


class Tag(models.Model):
    name = models.CharField(max_length=20, primary_key=True)


class Author(models.Model):
    id = models.UUIDField(primary_key=True)
    name = models.TextField()
    mentor = models.ForeignKey("self", null=True, on_delete=models.SET_NULL)
    best = models.ForeignKey("Book", null=True, on_delete=models.SET_NULL, related_name="+")
    friends = models.ManyToManyField("self")
    follows = models.ManyToManyField("self", symmetrical=False, related_name="fans")


class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    tags = models.ManyToManyField(Tag)
    price = models.DecimalField(max_digits=20, decimal_places=2)
    at = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    time = models.TimeField(null=True)
    took = models.DurationField(null=True)
    data = models.JSONField(null=True)
    raw = models.BinaryField(null=True)
    ok = models.BooleanField(default=False)
    maybe = models.BooleanField(null=True)
    text = models.TextField(default="")
    big = models.BigIntegerField(default=0)
    number = models.FloatField(null=True)
    ip = models.GenericIPAddressField(null=True)
    file = models.FileField(default="")
    slug = models.SlugField(null=True)
    small = models.PositiveSmallIntegerField(default=1)


class Novel(Book):
    pages = models.IntegerField()


class Profile(models.Model):
    author = models.OneToOneField(Author, on_delete=models.CASCADE, primary_key=True)
    bio = models.TextField()


class Order(models.Model):
    ref = models.CharField(max_length=9, db_column="order_ref", unique=True)
    buyer = models.ForeignKey(Author, on_delete=models.CASCADE, db_column="who")
    books = models.ManyToManyField(Book, through="Line")
    gifts = models.ManyToManyField(Book, related_name="given")

    class Meta:
        db_table = "legacy_orders"


class Line(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    book = models.ForeignKey(Book, on_delete=models.CASCADE)
    count = models.IntegerField()
"""
# what DecimalField, DateTimeField ... do to values is the application's own business: it saves through its models
SETUP = """
import datetime as d, json, os, sys, uuid
from decimal import Decimal
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
sys.path.insert(0, os.getcwd())
django.setup()
from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from shop.models import *
zone = d.timezone.utc if settings.USE_TZ else None
"""
FILL = SETUP + r"""
user = User.objects.create_user("ada", password="secret")
group = Group.objects.create(name="staff")
user.groups.add(group)
group.permissions.add(*Permission.objects.filter(codename__startswith="add_"))
a = Author.objects.create(id=uuid.UUID(int=5), name="q'\"\\ \u2028 \U0001f600 \x01 \x7f")
b = Author.objects.create(id=uuid.UUID(int=2 ** 128 - 1), name="", mentor=a)
a.friends.add(b)
b.follows.add(a, b)
tags = [Tag.objects.create(name=n) for n in ("x'\"\u20ac", "b", "10", "9")]
json_value = {"b": [1, 1.0, 1e20, 10 ** 30, "\u20ac\x7f/\n\"\\", None, True], "a": {}, "": [[]]}
rows = [
    dict(price="10.50", at=d.datetime(2026, 1, 2, 3, 4, 5, 678000, zone), day=d.date(2024, 2, 29), time=d.time(3, 4, 5, 678000),
         took=d.timedelta(days=-1, microseconds=5), data=json_value, raw=b"\x00\xff", ok=True, text="\u2028\x00x",
         big=2 ** 63 - 1, number=5e-324, ip="::1", file="a/b.txt", slug="s-l"),
    dict(price="0.00", at=d.datetime(1969, 12, 31, 23, 59, 59, 1000, zone), day=d.date(1, 1, 1), time=d.time(0, 0),
         took=d.timedelta(days=1, hours=2), data="str", raw=b"", maybe=False, big=-2 ** 63, number=-1e308, ip="10.0.0.1"),
    dict(price="123456789012.34", at=d.datetime(9999, 12, 31, 23, 59, 59, 0, zone), day=d.date(9999, 12, 31), time=d.time(23, 59, 59, 1000),
         took=d.timedelta(0), data=5, maybe=True, number=0.1 + 0.2, small=32767),
    dict(price="-0.01", data=[], number=0.0), dict(price="10.00", data=False, number=1.0), dict(price="99999999999.99"),
]
books = []
for row in rows:
    row["price"] = Decimal(row["price"])
    books.append(Book.objects.create(author=a, **row))
books[0].tags.add(*tags)
books[1].tags.add(tags[1])
b.best = books[1]
b.save()
Novel.objects.create(author=b, price=1, pages=300).tags.add(tags[0])
Profile.objects.create(author=b, bio="x" * 70000)
order = Order.objects.create(ref="r-1", buyer=b)
order.gifts.add(books[2])
Line.objects.create(order=order, book=books[0], count=2)
Book.objects.create(author=b, price=1).delete()
"""
ANSWERS = SETUP + r"""
from django.contrib.auth import authenticate
from django.db.models import Sum, F
answers = {
    "login": authenticate(username="ada", password="secret") is not None,
    "allowed": sorted(User.objects.get(username="ada").get_all_permissions()),
    "books": [{f.name: repr(bytes(v) if isinstance(v := getattr(b, f.attname), memoryview) else v) for f in Book._meta.concrete_fields}
              for b in Book.objects.order_by("pk")],
    "tags": [(b.pk, sorted(t.name for t in b.tags.all())) for b in Book.objects.order_by("pk")],
    "authors": [(str(x.pk), x.name, str(x.mentor_id), x.best_id, sorted(str(y.pk) for y in x.friends.all()),
                 sorted(str(y.pk) for y in x.follows.all()), sorted(str(y.pk) for y in x.fans.all())) for x in Author.objects.order_by("pk")],
    "json": list(Book.objects.filter(data__b__1=1.0).values_list("pk", flat=True)),
    "early": list(Book.objects.filter(at__lt=d.datetime(2000, 1, 1, tzinfo=zone)).values_list("pk", flat=True)),
    "longer": list(Book.objects.filter(took__gt=d.timedelta(hours=1)).values_list("pk", flat=True)),
    "sum": str(Book.objects.aggregate(Sum("price"))["price__sum"]),
    "dearest": list(Book.objects.order_by("-price").values_list("pk", flat=True)),
    "novels": [(n.pk, n.pages, str(n.author_id)) for n in Novel.objects.all()],
    "orders": [(o.ref, o.buyer.name, [b.pk for b in o.gifts.all()], [(l.book_id, l.count) for l in o.line_set.all()]) for o in Order.objects.all()],
    "bio": [len(p.bio) for p in Profile.objects.all()],
    "next": Book.objects.create(author=Author.objects.first(), price=1).pk if len(sys.argv) > 1 else None,
}
print(json.dumps(answers, sort_keys=True))
"""
os.mkdir("shop")
for name, text in {"settings.py": SETTINGS, "shop/__init__.py": "", "shop/models.py": MODELS, "fill.py": FILL, "answers.py": ANSWERS,
                   "manage.py": "import sys\nfrom django.core.management import execute_from_command_line as e\ne(sys.argv)\n"}.items():
    with open(name, "w") as f:
        f.write(text)
ENV = {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": os.getcwd(), "PYTHONDONTWRITEBYTECODE": "1"}


def python(db, *argv, zone="1"):
    r = run(PYTHON, *argv, env=dict(ENV, DB=db, ZONE=zone))
    check(r.status == 0, "%s on %s: %s%s" % (" ".join(argv), db, r.out, r.err))
    return r.out


def manage(db, *argv, **kw):
    return python(db, "manage.py", *argv, **kw)


def migrated(db, **kw):
    if os.path.exists(db):
        os.remove(db)
    manage(db, "migrate", "-v0", **kw)
    return db


def dumped(db, **kw):
    return sorted(json.loads(manage(db, "dumpdata", **kw)), key=lambda r: (r["model"], str(r["pk"])))


def answers(db, *argv, **kw):
    return json.loads(python(db, "answers.py", *argv, **kw))


def sorted_lists(records):
    """The order of many-to-many lists is the database's business."""
    for r in records:
        for name, value in r["fields"].items():
            if isinstance(value, list) and name != "data":
                value.sort(key=str)
    return records


def write(path, value):
    with open(path, "w") as f:
        f.write(value if isinstance(value, str) else json.dumps(value))


MAP = {"models": {"shop.Order": {"table": "legacy_orders", "fields": {"ref": "order_ref", "buyer": "who"}},
                  "shop.Book": {"fields": {"took": {"type": "duration"}}}}}
write("map.json", MAP)
manage("app.db", "makemigrations", "-v0", "shop")
migrated("app.db")
python("app.db", "fill.py")
BEFORE, RECORDS = answers("app.db"), dumped("app.db")
check(BEFORE["login"] and len(BEFORE["books"]) == 7 and BEFORE["json"] == [1], "the application itself: %r" % BEFORE)
write("dump.json", manage("app.db", "dumpdata"))

# ---- dumped by Django, kept, proven in a copy of an empty database, restored ----

new_repo()
migrated("empty.db")
empty = open("empty.db", "rb").read()
r = dbstow("import", "dump.json", "--repo", "repo", "--source", "app", "--schema-db", "empty.db", "--map", "map.json")
check("restorable: restored once and equal" in r.err, r.err)
check(open("empty.db", "rb").read() == empty and not [n for n in os.listdir(".") if n.startswith("empty.db-")], "the drill changed the database")
check(json.loads(dbstow("list", "--repo", "repo", "--json").out)["snapshots"][0]["drill"] == "ok", "the drill is not recorded")

migrated("new.db")
r = dbstow("restore", "--into", "--to", "new.db", "--map", "map.json", "--repo", "repo", "--dry-run")
check("shop_book: 7 would be inserted" in r.err and dumped("new.db") == dumped("empty.db"), r.err)
dbstow("restore", "--into", "--to", "new.db", "--repo", "repo", status=6, err="~dbstow: 'new.db' exists and was not touched; .*")
r = dbstow("restore", "--into", "--to", "new.db", "--map", "map.json", "--repo", "repo", "--yes")
check(answers("new.db") == BEFORE, "the application gives other answers:\n%s\n%s" % (answers("new.db"), BEFORE))
check(sorted_lists(dumped("new.db")) == sorted_lists(RECORDS), "a second dumpdata differs")
check(query("new.db", "PRAGMA foreign_key_check") == [] and query("new.db", "PRAGMA integrity_check") == [("ok",)], "unsound")
check(query("new.db", "SELECT group_concat(typeof(price)), group_concat(at) FROM shop_book") ==
      query("app.db", "SELECT group_concat(typeof(price)), group_concat(at) FROM shop_book"), "stored otherwise than Django does")
check(query("new.db", "SELECT data, took, hex(raw), price FROM shop_book") == query("app.db", "SELECT data, took, hex(raw), price FROM shop_book"),
      "stored otherwise than Django does")
r = dbstow("restore", "--into", "--to", "new.db", "--map", "map.json", "--repo", "repo", "--yes")
check("all were there" in r.err, r.err)
check(answers("new.db", "insert")["next"] == 8, "the next key is taken: %r" % answers("new.db", "insert")["next"])

# what the snapshot does not have goes, the safety copy brings it back
before = answers("new.db")
r = dbstow("restore", "--into", "--to", "new.db", "--map", "map.json", "--repo", "repo", "--yes")
check("shop_book: 0 inserted, 0 updated, 2 deleted" in r.err and answers("new.db") == BEFORE, r.err)
undo = [l for l in r.err.splitlines() if l.startswith("undo with: dbstow ")][0].split()
dbstow(*[w.strip("'") for w in undo[3:]])
check(answers("new.db") == before, "undone, and other answers")

# one model, and its lists
migrated("new.db")
r = dbstow("restore", "--table", "shop.Tag", "--table", "auth.group", "--to", "new.db", "--map", "map.json", "--repo", "repo", "--yes")
check(sorted(l.split(":")[0] for l in r.err.splitlines() if " inserted, " in l) == ["auth_group", "auth_group_permissions", "shop_tag"], r.err)
dbstow("restore", "--table", "shop.Cat", "--to", "new.db", "--map", "map.json", "--repo", "repo", "--yes", status=2,
       err="~dbstow: the snapshot has no model 'shop.Cat'; it has 'auth.group', .*")

# a list has no order: links that migrations made are no hindrance for the drill
migrated("linked.db")
dbstow("restore", "--into", "--from", "dump.json", "--to", "linked.db", "--map", "map.json", "--yes", "--repo", "repo")
lists = [t for (t,) in query("linked.db", "SELECT m.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table' "
                             "AND m.name LIKE '%\\_%\\_%' ESCAPE '\\' AND m.name NOT LIKE 'django%' GROUP BY m.name HAVING count(*) = 3")]
check("shop_book_tags" in lists, lists)
for t in lists:
    sql("linked.db", "UPDATE %s SET id = -id; UPDATE %s SET id = id + 1000" % (t, t))
r = dbstow("import", "dump.json", "--always", "--repo", "repo", "--source", "app", "--schema-db", "linked.db", "--map", "map.json")
check("restorable: restored once and equal" in r.err, r.err)
dbstow("delete", "latest", "--yes", "--repo", "repo")

# rows that migrate makes itself come out as they were recorded
migrated("new.db")
sql("new.db", "UPDATE auth_permission SET id = id + 100; UPDATE django_content_type SET id = id + 50;"
              "UPDATE auth_permission SET content_type_id = content_type_id + 50")
dbstow("restore", "--into", "--from", "dump.json", "--to", "new.db", "--map", "map.json", "--yes", "--repo", "repo")
check(sorted_lists(dumped("new.db")) == sorted_lists(RECORDS) and answers("new.db") == BEFORE, "content types")

# ---- the other shapes ----

manage("app.db", "dumpdata", "--format", "jsonl", "-o", "dump.jsonl")
check("same" in dbstow("import", "dump.jsonl", "--repo", "repo", "--source", "app").err or
      len(json.loads(dbstow("list", "--repo", "repo", "--json").out)["snapshots"]) == 1, "JSON lines hold something else")
models = {}
for r in RECORDS:
    app, model = r["model"].split(".")
    models.setdefault(app + "." + model.capitalize(), []).append({"fields": r["fields"], "pk": r["pk"]})
write("models.json", {"export_date": "2026-11-20T02:35:22Z", "django_version": "3.2", "models": models})
migrated("new.db")
new_repo("repo2")
for more, drill in (((), "none (no schema)"), (("--schema-db", "empty.db", "--map", "map.json"), "ok"), ((), "ok")):
    r = json.loads(dbstow("import", "models.json", "--repo", "repo2", "--source", "app", "--json", *more).out)
    check(r["drill"] == drill, "the drill that was asked for: %r" % r)
dbstow("restore", "--into", "--to", "new.db", "--map", "map.json", "--repo", "repo2", "--yes")
check(answers("new.db") == BEFORE and sorted_lists(dumped("new.db")) == sorted_lists(RECORDS), "model document")

# what the application could not export is said, and left alone
write("partial.json", {"models": dict(models, **{"shop.Line": {"error": "timed out"}})})
new_repo("repo4")
dbstow("import", "partial.json", "--repo", "repo4", "--source", "app", "--schema-db", "empty.db", "--map", "map.json", "--allow-partial", status=7)
r = dbstow("restore", "--into", "--to", "new.db", "--map", "map.json", "--repo", "repo4", "--yes")
check("note: the application left out model 'shop.Line'; its table stays as it is" in r.err and answers("new.db") == BEFORE, r.err)

# ---- our export, loaded by Django ----

sql("app.db", "UPDATE shop_book SET number = 9e999, at = '2026-01-02 03:04:05.678901' WHERE id = 6")
wanted = answers("app.db")
r = dbstow("export", "app.db", "--output", "ours.json", "--format", "dumpdata", "--map", "map.json")
check("left out" not in r.err, r.err)
migrated("new.db")
manage("new.db", "loaddata", "-v0", "ours.json")
check(answers("new.db") == wanted, "loaddata of our export:\n%s\n%s" % (answers("new.db"), wanted))
same_tables = [t for (t,) in query("app.db", "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
                                   "AND name <> 'django_migrations'")]
for t in same_tables:
    key = "id" if t not in ("shop_tag", "shop_novel", "shop_profile", "django_session") else "1"
    columns = "*" if not t.endswith(("_tags", "_friends", "_follows", "_gifts", "_permissions", "_groups")) else \
        ", ".join(c[1] for c in query("app.db", "PRAGMA table_info(%s)" % t) if c[1] != "id")
    a, b = [sorted(map(repr, query(db, "SELECT %s FROM %s" % (columns, t)))) for db in ("app.db", "new.db")]
    check(a == b, "table %s differs after loaddata:\n%s\n%s" % (t, a, b))
# and kept and restored by us
migrated("new.db")
r = dbstow("restore", "--into", "--from", "ours.json", "--to", "new.db", "--map", "map.json", "--yes", "--repo", "repo")
check(answers("new.db") == wanted, "restore of our export")
dbstow("export", "new.db", "--output", "again.json", "--format", "dumpdata", "--map", "map.json")
check(open("ours.json").read() == open("again.json").read(), "there and back is not the same")
r = dbstow("export", "app.db", "--output", "x.json", "--format", "dumpdata")
check("note: table 'legacy_orders' was left out: it is no model that django_content_type or --map tells" in r.err, r.err)
dbstow("export", "app.db", "--output", "x.json", "--format", "xml", status=2, err="dbstow: --format is dbstow or dumpdata, not 'xml'")
dbstow("export", "app.db", "--format", "dumpdata", "--repo", "repo", status=2, err="dbstow: --format is for what --output writes")
dbstow("export", "app.db", "--map", "map.json", "--repo", "repo", status=2, err="dbstow: --map is for --format dumpdata")
dbstow("export", "app.db", "--output", "x.json", "--format", "dumpdata", "--map", "none.json", status=2, err="dbstow: there is no file 'none.json'")

# ---- integers as text, as whoever writes records by hand has them ----

texts = json.loads(json.dumps(RECORDS))
for r in texts:
    r["pk"] = str(r["pk"])
    for name in ("best", "book", "order", "count", "pages", "small"):
        if isinstance(r["fields"].get(name), int):
            r["fields"][name] = str(r["fields"][name])
    r["fields"].update((n, list(map(str, r["fields"][n]))) for n in ("gifts", "groups") if n in r["fields"])
check(texts != RECORDS, "nothing is text")
write("texts.json", texts)
migrated("new.db")
manage("new.db", "loaddata", "-v0", "texts.json")
check(answers("new.db") == BEFORE, "loaddata of integers as text:\n%s\n%s" % (answers("new.db"), BEFORE))
migrated("new.db")
dbstow("restore", "--into", "--from", "texts.json", "--to", "new.db", "--map", "map.json", "--yes", "--repo", "repo")
check(answers("new.db") == BEFORE, "integers as text")

# ---- dates without a zone ----

migrated("local.db", zone="0")
python("local.db", "fill.py", zone="0")
wanted = answers("local.db", zone="0")
write("local.json", manage("local.db", "dumpdata", zone="0"))
migrated("new.db", zone="0")
dbstow("restore", "--into", "--from", "local.json", "--to", "new.db", "--map", "map.json", "--yes", "--repo", "repo")
check(answers("new.db", zone="0") == wanted, "USE_TZ = False")
write("local_map.json", dict(MAP, use_tz=False))
dbstow("export", "local.db", "--output", "ours.json", "--format", "dumpdata", "--map", "local_map.json")
migrated("new.db", zone="0")
manage("new.db", "loaddata", "-v0", "ours.json", zone="0")
check(answers("new.db", zone="0") == wanted, "loaddata, USE_TZ = False")

# ---- what does not fit ----

migrated("new.db")
before = tree(".")


def refused(record, message, status=1, *more):
    write("bad.json", [r for r in RECORDS if (r["model"], r["pk"]) != (record["model"], record["pk"])] + [record])
    dbstow("restore", "--into", "--from", "bad.json", "--to", "new.db", "--map", "map.json", "--yes", "--repo", "repo", *more,
           status=status, err="dbstow: " + message)
    os.remove("bad.json")
    check(tree(".") == before, "changed although refused: " + message)


tag = {"model": "shop.tag", "pk": "t", "fields": {}}
book = [r for r in RECORDS if r["model"] == "shop.book"][0]
refused(dict(tag, fields={"color": 1}), "model 'shop.tag', pk \"t\", field 'color': table 'shop_tag' has neither such a column nor a join "
        "table for it; migrate the database, or name it with --map; nothing was changed")
refused(dict(tag, model="shop.cat"), "'new.db' has no table for model 'shop.cat'; migrate it, or name the table with --map; nothing was changed")
refused(dict(book, fields=dict(book["fields"], author=["Ada"])), "model 'shop.book', pk 1, field 'author': it is a natural key; dump without "
        "--natural-foreign; nothing was changed")
refused(dict(book, fields=dict(book["fields"], at="soon")), "model 'shop.book', pk 1, field 'at': 'soon' is no date and time; nothing was changed")
refused(dict(book, fields=dict(book["fields"], big=2 ** 63)), "model 'shop.book', pk 1, field 'big': '9223372036854775808' is an integer of "
        "more than 64 bits, which SQLite does not have; nothing was changed")
refused(dict(book, fields={k: v for k, v in book["fields"].items() if k != "price"}), "model 'shop.book', pk 1, field 'price': it is missing, "
        "and column 'price' takes no NULL; nothing was changed")
refused(dict(book, fields=dict(book["fields"], tags=["nowhere"])), "model 'shop.book', pk 1, field 'tags': it leads to nowhere, and there is "
        "no such row of table 'shop_tag' in the snapshot; nothing was changed")
dbstow("restore", "--to", "other.db", "--repo", "repo", status=2, err="~dbstow: snapshot .* holds records, which have no schema; .*add --into")
dbstow("restore", "--into", "--to", "other.db", "--repo", "repo", status=6,
       err="~dbstow: 'other.db' is no database to restore records into; let the application make it first \\(migrate\\)")
check(not os.path.exists("other.db"), "made a file")

# a drill that does not come out even stores nothing
tip_before = tip()
manage("old.db", "migrate", "-v0", "auth")
dbstow("import", "dump.json", "--always", "--repo", "repo", "--source", "app", "--schema-db", "old.db", "--map", "map.json", status=2,
       err="dbstow: 'map.json': model 'shop.Order': the database has no table 'legacy_orders'")
dbstow("import", "dump.json", "--repo", "repo", "--source", "app", "--schema-db", "none.db", status=2,
       err="dbstow: there is no database 'none.db' for --schema-db; let the application make it (migrate)")
dbstow("import", "dump.json", "--repo", "repo", "--source", "app", "--map", "map.json", status=2, err="dbstow: --map is for what --schema-db does")
sql("plain.db", "CREATE TABLE shop_tag(name varchar(20) PRIMARY KEY, size integer)")
write("tags.json", [dict(tag, fields={"size": None}), dict(tag, pk="T", fields={"size": 1})])
sql("checked.db", "CREATE TABLE shop_tag(name varchar(20) PRIMARY KEY, size integer CHECK (size > 1))")
new_repo("repo3")
dbstow("import", "tags.json", "--repo", "repo3", "--source", "app", "--schema-db", "checked.db", status=3,
       err="~dbstow: drill: model 'shop.tag', pk [^ ]+: the target refuses it: CHECK constraint failed: .*; nothing was stored")
check(tip("repo3") is None, "stored")
dbstow("import", "tags.json", "--repo", "repo3", "--source", "app", "--schema-db", "plain.db")
dbstow("import", "dump.json", "--always", "--repo", "repo", "--source", "app", "--schema-db", "old.db", status=3,
       err="dbstow: drill: 'old.db' has no table for model 'shop.author'; migrate it, or name the table with --map; nothing was stored")
check(tip() == tip_before, "the branch moved")
fsck()
