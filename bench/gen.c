/* gen.c - deterministic SQLite test database for backup benchmarks.
 *
 *   gen create OUT.db [--scale S] [--seed N]        scale 1 ~ 100 MB, 10 ~ 1 GB
 *   gen mutate DB [--mode spread|recent] [--percent P] [--seed N]
 *
 * create: 14 related tables of a small compute farm (users, machines, jobs,
 * queue, events, metrics ...): rowid tables, WITHOUT ROWID tables with text and
 * compound keys, self-referencing and nullable foreign keys, 64-bit integers,
 * reals (epoch seconds with a fraction, full-precision measurements), UTF-8
 * text with quotes / newlines / non-BMP characters, JSON text, small blobs,
 * NULLs. The same scale and seed give the same rows (with the same compiler:
 * the order in which arguments are evaluated is its choice).
 *
 * mutate: changes P percent of the rows (default 1): 60 % updates, 25 %
 * inserts, 15 % deletes.
 * - spread: rows picked uniformly over every big table (worst case for chunks)
 * - recent: the shape of a live application: nearly all inserts are appended,
 *   90 % of updates and deletes hit the newest 5 % of a table
 *
 * Foreign keys stay satisfied (PRAGMA foreign_key_check gives no row).
 *
 * Built by bench/run: cc -O2 -o gen gen.c -lsqlite3 -lm
 */
#include <math.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t rng_state;
static uint64_t rnd(void) /* splitmix64 */
{
	uint64_t z = (rng_state += 0x9E3779B97F4A7C15ull);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
	return z ^ (z >> 31);
}
static int64_t rint_(int64_t n)
{
	return n <= 0 ? 0 : (int64_t)(rnd() % (uint64_t)n);
}
static double rdbl(void)
{
	return (double)(rnd() >> 11) / 9007199254740992.0;
}
static int chance(int percent)
{
	return rint_(100) < percent;
}
static int64_t skew(int64_t n)
{
	double d = rdbl();
	return (int64_t)(d * d * d * (double)n);
} /* small values likelier */

static sqlite3 *db;
static void die(const char *w)
{
	fprintf(stderr, "gen: %s: %s\n", w, db ? sqlite3_errmsg(db) : "");
	exit(1);
}
static void run(const char *sql)
{
	if (sqlite3_exec(db, sql, 0, 0, 0))
		die(sql);
}
static sqlite3_stmt *prep(const char *sql)
{
	sqlite3_stmt *s;
	if (sqlite3_prepare_v2(db, sql, -1, &s, 0))
		die(sql);
	return s;
}

static const char *const WORDS[] = {
	"the",        "of",        "to",        "and",        "a",
	"in",         "is",        "it",        "for",        "on",
	"was",        "with",      "as",        "at",         "by",
	"this",       "that",      "from",      "be",         "not",
	"have",       "are",       "or",        "an",         "build",
	"job",        "queue",     "worker",    "machine",    "test",
	"result",     "failed",    "passed",    "retry",      "timeout",
	"disk",       "memory",    "network",   "branch",     "commit",
	"merge",      "release",   "package",   "version",    "update",
	"install",    "remove",    "config",    "option",     "default",
	"value",      "error",     "warning",   "message",    "request",
	"response",   "server",    "client",    "session",    "token",
	"user",       "group",     "access",    "denied",     "granted",
	"file",       "folder",    "path",      "name",       "size",
	"count",      "time",      "date",      "start",      "finish",
	"stop",       "wait",      "run",       "running",    "idle",
	"busy",       "ready",     "pending",   "done",       "lost",
	"found",      "missing",   "new",       "old",        "first",
	"last",       "next",      "previous",  "small",      "large",
	"fast",       "slow",      "high",      "low",        "open",
	"closed",     "read",      "write",     "copy",       "move",
	"delete",     "create",    "change",    "check",      "report",
	"note",       "issue",     "patch",     "review",     "comment",
	"author",     "owner",     "team",      "project",    "task",
	"plan",       "goal",      "step",      "phase",      "stage",
	"alpha",      "beta",      "gamma",     "delta",      "kernel",
	"driver",     "module",    "library",   "compiler",   "linker",
	"script",     "command",   "shell",     "process",    "thread",
	"signal",     "event",     "handler",   "callback",   "buffer",
	"cache",      "index",     "table",     "column",     "row",
	"record",     "field",     "key",       "hash",       "tree",
	"node",       "leaf",      "root",      "graph",      "edge",
	"list",       "array",     "string",    "number",     "integer",
	"float",      "double",    "byte",      "block",      "page",
	"chunk",      "segment",   "sector",    "cluster",    "volume",
	"mount",      "backup",    "restore",   "archive",    "snapshot",
	"schedule",   "weekly",    "daily",     "hourly",     "monthly",
	"morning",    "evening",   "north",     "south",      "east",
	"west",       "central",   "primary",   "secondary",  "replica",
	"leader",     "follower",  "election",  "quorum",     "latency",
	"throughput", "bandwidth", "capacity",  "usage",      "limit",
	"quota",      "exceeded",  "threshold", "average",    "median",
	"maximum",    "minimum",   "sample",    "metric",     "gauge",
	"counter",    "histogram", "label",     "target",     "source",
	"origin",     "mirror",    "upstream",  "downstream", "proxy",
	"gateway",    "router",    "switch",    "firewall",   "policy",
	"rule",       "filter",    "match",     "pattern",    "format",
	"encode",     "decode",    "parse",     "print",      "log",
	"trace",      "debug",     "info",      "notice",     "critical",
	"naïve",      "café",      "Größe",     "Straße",     "übung",
	"données",    "señal",     "тест",      "сборка",     "測試",
	"構建",       "ビルド"
};
enum { NWORDS = sizeof WORDS / sizeof *WORDS };

static char tb[8][16384]; /* text scratch, one per column slot */
static int words(char *o, int n)
{
	char *p = o;
	for (int i = 0; i < n; i++) {
		const char *w = WORDS[skew(NWORDS)];
		size_t l = strlen(w);
		if (i)
			*p++ = rint_(14)  ? ' '
			       : rint_(9) ? ','
			       : rint_(3) ? '\n'
					  : '"';
		memcpy(p, w, l);
		p += l;
	}
	if (rint_(40) == 0) {
		memcpy(p, " \xF0\x9F\x9A\x80", 5);
		p += 5;
	} /* a rocket: non-BMP */
	*p = 0;
	return (int)(p - o);
}
static int hexid(char *o, uint64_t a, int n)
{
	static const char h[] = "0123456789abcdef";
	for (int i = 0; i < n; i++) {
		if (i == 16)
			a = rnd();
		o[i] = h[a >> (4 * (i & 15)) & 15];
	}
	o[n] = 0;
	return n;
}
/* machine i's primary key: a uuid-like text that is a pure function of i */
static int machine_id(char *o, int64_t i)
{
	uint64_t s = rng_state;
	rng_state = 0xABCDEF12345ull + (uint64_t)i * 7919;
	uint64_t a = rnd(), b = rnd();
	rng_state = s;
	return sprintf(o, "%08x-%04x-4%03x-9%03x-%012llx", (unsigned)(a >> 32),
		       (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
		       (unsigned)(b >> 52),
		       (unsigned long long)(b & 0xffffffffffffull));
}
#define T0 1690000000.0
static double stamp(int64_t i, int64_t n)
{
	return floor((T0 + 31536000.0 * (double)i / (double)(n ? n : 1) +
		      rdbl() * 30) *
		     1e6) /
	       1e6;
}

/* bind helpers: fmt  i=int64 d=double t=char*,  T=char*,int len  b=void*,int
 * n=NULL  ? = int flag, then next arg is bound or NULL */
static void ins(sqlite3_stmt *s, const char *fmt, ...)
{
	va_list v;
	va_start(v, fmt);
	int c = 1, null = 0;
	for (; *fmt; fmt++) {
		switch (*fmt) {
		case '?':
			null = !va_arg(v, int);
			continue;
		case 'i': {
			int64_t x = va_arg(v, int64_t);
			if (null)
				sqlite3_bind_null(s, c);
			else
				sqlite3_bind_int64(s, c, x);
		} break;
		case 'd': {
			double x = va_arg(v, double);
			if (null)
				sqlite3_bind_null(s, c);
			else
				sqlite3_bind_double(s, c, x);
		} break;
		case 't': {
			const char *x = va_arg(v, char *);
			if (null)
				sqlite3_bind_null(s, c);
			else
				sqlite3_bind_text(s, c, x, -1, SQLITE_STATIC);
		} break;
		case 'b': {
			void *x = va_arg(v, void *);
			int l = va_arg(v, int);
			if (null)
				sqlite3_bind_null(s, c);
			else
				sqlite3_bind_blob(s, c, x, l, SQLITE_STATIC);
		} break;
		}
		c++;
		null = 0;
	}
	va_end(v);
	int r = sqlite3_step(s);
	if (r != SQLITE_DONE)
		die("insert");
	sqlite3_reset(s);
}
static void rblob(void *o, int n)
{
	unsigned char *p = o;
	for (int i = 0; i < n; i += 8) {
		uint64_t x = rnd();
		memcpy(p + i, &x, 8);
	}
}

static const char *const SCHEMA =
	"CREATE TABLE sites(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, region TEXT, lat REAL, lon REAL);"
	"CREATE TABLE users(id INTEGER PRIMARY KEY, login TEXT NOT NULL, email TEXT, created_at REAL NOT NULL, last_seen REAL, role TEXT NOT NULL DEFAULT 'user', active INTEGER NOT NULL, token BLOB);"
	"CREATE TABLE profiles(user_id INTEGER PRIMARY KEY REFERENCES users(id), display_name TEXT, bio TEXT, avatar BLOB, settings TEXT NOT NULL);"
	"CREATE TABLE machines(id TEXT PRIMARY KEY, site_id INTEGER NOT NULL REFERENCES sites(id), hostname TEXT NOT NULL, cpus INTEGER, mem_bytes INTEGER, os TEXT, state TEXT, heartbeat REAL, notes TEXT) WITHOUT ROWID;"
	"CREATE TABLE projects(id INTEGER PRIMARY KEY, owner_id INTEGER REFERENCES users(id), slug TEXT NOT NULL, title TEXT, description TEXT, created_at REAL);"
	"CREATE TABLE jobs(id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects(id), user_id INTEGER REFERENCES users(id), kind TEXT, params TEXT, priority INTEGER, created_at REAL, finished_at REAL, exit_code INTEGER, rev TEXT);"
	"CREATE TABLE queue_entries(id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES jobs(id), machine_id TEXT REFERENCES machines(id), state TEXT NOT NULL, enqueued REAL, started REAL, attempts INTEGER);"
	"CREATE TABLE events(id INTEGER PRIMARY KEY, ts REAL NOT NULL, machine_id TEXT REFERENCES machines(id), job_id INTEGER REFERENCES jobs(id), level TEXT, source TEXT, message TEXT);"
	"CREATE TABLE metrics(machine_id TEXT NOT NULL REFERENCES machines(id), name TEXT NOT NULL, ts INTEGER NOT NULL, value REAL, PRIMARY KEY(machine_id,name,ts)) WITHOUT ROWID;"
	"CREATE TABLE artifacts(id INTEGER PRIMARY KEY, job_id INTEGER REFERENCES jobs(id), name TEXT, sha256 BLOB, size INTEGER, mime TEXT, thumb BLOB);"
	"CREATE TABLE tags(id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
	"CREATE TABLE job_tags(job_id INTEGER NOT NULL REFERENCES jobs(id), tag_id INTEGER NOT NULL REFERENCES tags(id), PRIMARY KEY(job_id,tag_id)) WITHOUT ROWID;"
	"CREATE TABLE comments(id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES jobs(id), user_id INTEGER REFERENCES users(id), parent_id INTEGER REFERENCES comments(id), created_at REAL, body TEXT);"
	"CREATE TABLE audit(id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users(id), at TEXT NOT NULL, action TEXT, ip TEXT, detail TEXT);";
static const char *const INDEXES =
	"CREATE UNIQUE INDEX users_login ON users(login); CREATE INDEX users_email ON users(email);"
	"CREATE INDEX machines_site ON machines(site_id); CREATE INDEX projects_owner ON projects(owner_id);"
	"CREATE INDEX jobs_project ON jobs(project_id); CREATE INDEX jobs_created ON jobs(created_at);"
	"CREATE INDEX queue_job ON queue_entries(job_id); CREATE INDEX queue_state ON queue_entries(state,enqueued);"
	"CREATE INDEX events_ts ON events(ts); CREATE INDEX events_job ON events(job_id) WHERE job_id IS NOT NULL;"
	"CREATE INDEX artifacts_job ON artifacts(job_id); CREATE INDEX comments_job ON comments(job_id);"
	"CREATE INDEX audit_user ON audit(user_id);";

static int64_t NU, NM, NP, NJ, NQ, NE, NX, NA, NC, NAU, NT = 200, NS = 40;
static const char *pick(const char *const *a, int n)
{
	return a[skew(n)];
}
#define PICK(...)                                                              \
	pick((const char *const[]){ __VA_ARGS__ },                             \
	     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* one row of each kind; id < 0 lets SQLite choose */
static void row_event(sqlite3_stmt *s, int64_t id, int64_t i, int64_t n)
{
	char *m = tb[0], *d = tb[1], *h = tb[2];
	machine_id(m, rint_(NM));
	hexid(h, rnd(), 12);
	int hasjob = chance(55);
	int64_t job = 1 + rint_(NJ);
	switch (skew(6)) {
	case 0:
		sprintf(d,
			"job %lld finished with status %d in %.3f s (peak %lld kB)",
			(long long)job, (int)skew(4), rdbl() * 900,
			(long long)rint_(8000000));
		break;
	case 1:
		sprintf(d, "heartbeat ok: load %.2f %.2f, %lld MB free",
			rdbl() * 8, rdbl() * 6, (long long)rint_(64000));
		break;
	case 2:
		sprintf(d,
			"connection from 10.%d.%d.%d:%d accepted, session %.12s",
			(int)rint_(4), (int)rint_(256), (int)rint_(256),
			(int)(1024 + rint_(60000)), h);
		break;
	case 3: {
		int k = sprintf(d, "step \"%s\": ", WORDS[rint_(NWORDS)]);
		words(d + k, 6 + (int)rint_(18));
	} break;
	case 4:
		sprintf(d,
			"GET /api/v2/jobs/%lld?rev=%.12s HTTP/1.1\" 200 %lld",
			(long long)job, h, (long long)rint_(90000));
		break;
	default: {
		int k = sprintf(
			d,
			"Traceback (most recent call last):\n  File \"/srv/app/%s.py\", line %d\n",
			WORDS[24 + rint_(60)], (int)rint_(900));
		words(d + k, 20 + (int)rint_(60));
	}
	}
	ins(s, "?id?t?ittt", id > 0, id, stamp(i, n), chance(80), m, hasjob,
	    job, PICK("info", "debug", "warning", "error", "critical"),
	    PICK("scheduler", "worker", "api", "auth", "storage", "net"), d);
}
static void row_job(sqlite3_stmt *s, int64_t id, int64_t i, int64_t n)
{
	char *p = tb[0], *h = tb[1];
	hexid(h, rnd(), 40);
	int k = sprintf(
		p,
		"{\"branch\": \"%s/%s\", \"cores\": %d, \"env\": {\"CI\": \"1\", \"SEED\": \"%lld\"}, \"args\": [",
		PICK("main", "feature", "fix", "release"),
		WORDS[rint_(NWORDS - 12)], (int)(1 << skew(6)),
		(long long)rint_(1 << 30));
	int a = (int)rint_(6);
	for (int j = 0; j < a; j++)
		k += sprintf(p + k, "%s\"--%s=%d\"", j ? ", " : "",
			     WORDS[24 + rint_(NWORDS - 40)], (int)rint_(1000));
	sprintf(p + k, "]}");
	double t = stamp(i, n);
	int fin = chance(90);
	ins(s, "?ii?ittid?d?it", id > 0, id, 1 + skew(NP), chance(95),
	    1 + skew(NU), PICK("build", "test", "lint", "deploy", "bench"), p,
	    (int64_t)(rint_(11) - 5), t, fin, t + floor(rdbl() * 9e8) / 1e6,
	    fin, (int64_t)skew(4), h);
}
static void row_queue(sqlite3_stmt *s, int64_t id, int64_t i, int64_t n)
{
	double t = stamp(i, n);
	machine_id(tb[0], rint_(NM));
	int st = chance(93);
	ins(s, "?ii?ttd?di", id > 0, id, 1 + rint_(NJ), st, tb[0],
	    st ? PICK("done", "running", "failed") : "waiting", t, st,
	    t + floor(rdbl() * 6e7) / 1e6, (int64_t)(1 + skew(4)));
}
static void row_comment(sqlite3_stmt *s, int64_t id, int64_t i, int64_t n)
{
	words(tb[0], 4 + (int)skew(120));
	ins(s, "?ii?i?idt", id > 0, id, 1 + rint_(NJ), chance(98), 1 + skew(NU),
	    i > 10 && chance(40), (int64_t)1 + rint_(10), stamp(i, n), tb[0]);
}
static void row_audit(sqlite3_stmt *s, int64_t id, int64_t i, int64_t n)
{
	int64_t t = (int64_t)(31536000.0 * (double)i / (double)n);
	sprintf(tb[0], "2025-%02d-%02dT%02d:%02d:%02d.%03dZ",
		(int)(1 + t / 2628000 % 12), (int)(1 + t / 86400 % 28),
		(int)(t / 3600 % 24), (int)(t / 60 % 60), (int)(t % 60),
		(int)rint_(1000));
	sprintf(tb[1], "10.%d.%d.%d", (int)rint_(4), (int)rint_(256),
		(int)rint_(256));
	words(tb[2], 3 + (int)skew(30));
	ins(s, "?i?itt?t?t", id > 0, id, chance(97), 1 + skew(NU), tb[0],
	    PICK("login", "logout", "job.create", "job.cancel",
		 "profile.update", "token.rotate"),
	    chance(90), tb[1], chance(60), tb[2]);
}
static void row_artifact(sqlite3_stmt *s, int64_t id)
{
	int bl = 64 + (int)skew(1500);
	static unsigned char sha[32], th[4096];
	rblob(sha, 32);
	int hasth = chance(7);
	if (hasth)
		rblob(th, bl);
	sprintf(tb[0], "%s-%s-%lld.%s", WORDS[24 + rint_(NWORDS - 40)],
		WORDS[24 + rint_(NWORDS - 40)], (long long)rint_(5000),
		PICK("log", "tar.gz", "xml", "json", "png"));
	ins(s, "?i?itbit?b", id > 0, id, chance(99), 1 + rint_(NJ), tb[0], sha,
	    32, (int64_t)(rnd() >> (24 + rint_(36))),
	    PICK("text/plain", "application/gzip", "text/xml",
		 "application/json", "image/png"),
	    hasth, th, bl);
}
static void row_metric(sqlite3_stmt *s, int64_t m, int name, int64_t ts)
{
	static const char *const N[] = { "cpu.load", "mem.free", "net.rx",
					 "net.tx", "temp" };
	machine_id(tb[0], m);
	double v = rdbl() * 1000;
	if (chance(70))
		v = floor(v * 1000) / 1000;
	ins(s, "tti?d", tb[0], N[name], ts, chance(99), v);
}
static void row_user(sqlite3_stmt *u, sqlite3_stmt *p, int64_t id)
{
	static unsigned char tok[32], av[4096];
	rblob(tok, 32);
	sprintf(tb[0], "%s.%s%lld", WORDS[24 + rint_(NWORDS - 40)],
		WORDS[24 + rint_(NWORDS - 40)], (long long)id);
	sprintf(tb[1], "%.200s@%s.example.org", tb[0], WORDS[24 + rint_(100)]);
	ins(u, "it?td?dti?b", id, tb[0], chance(96), tb[1], stamp(id, NU),
	    chance(80), stamp(rint_(NU), NU), PICK("user", "admin", "operator"),
	    (int64_t)chance(92), chance(70), tok, 32);
	words(tb[2], 1 + (int)rint_(3));
	words(tb[3], 5 + (int)skew(90));
	sprintf(tb[4],
		"{\"theme\":\"%s\",\"lang\":\"%s\",\"tz\":%d,\"mail\":{\"digest\":%s,\"level\":%d},\"pins\":[%lld,%lld]}",
		PICK("dark", "light"), PICK("en", "de", "fr", "ru"),
		(int)rint_(25) - 12, chance(50) ? "true" : "false",
		(int)rint_(5), (long long)rint_(NP), (long long)rint_(NP));
	int bl = 200 + (int)skew(1800), ha = chance(8);
	if (ha)
		rblob(av, bl);
	ins(p, "it?t?bt", id, tb[2], chance(65), tb[3], ha, av, bl, tb[4]);
}

#define INS_USERS   "INSERT INTO users VALUES(?,?,?,?,?,?,?,?)"
#define INS_PROF    "INSERT INTO profiles VALUES(?,?,?,?,?)"
#define INS_JOBS    "INSERT INTO jobs VALUES(?,?,?,?,?,?,?,?,?,?)"
#define INS_QUEUE   "INSERT INTO queue_entries VALUES(?,?,?,?,?,?,?)"
#define INS_EVENTS  "INSERT INTO events VALUES(?,?,?,?,?,?,?)"
#define INS_METRICS "INSERT OR IGNORE INTO metrics VALUES(?,?,?,?)"
#define INS_ART     "INSERT INTO artifacts VALUES(?,?,?,?,?,?,?)"
#define INS_JT      "INSERT OR IGNORE INTO job_tags VALUES(?,?)"
#define INS_COM     "INSERT INTO comments VALUES(?,?,?,?,?,?)"
#define INS_AUD     "INSERT INTO audit VALUES(?,?,?,?,?,?)"

static void create(double scale)
{
	NU = (int64_t)(16000 * scale);
	NM = (int64_t)(400 * sqrt(scale));
	NP = (int64_t)(2500 * scale);
	NJ = (int64_t)(56000 * scale);
	NQ = (int64_t)(75000 * scale);
	NE = (int64_t)(236000 * scale);
	NX = (int64_t)(130000 * scale);
	NA = (int64_t)(36000 * scale);
	NC = (int64_t)(34000 * scale);
	NAU = (int64_t)(62000 * scale);
	if (NU < 20)
		NU = 20;
	if (NM < 5)
		NM = 5;
	if (NP < 5)
		NP = 5;
	if (NJ < 20)
		NJ = 20;
	run("PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-262144; BEGIN");
	run(SCHEMA);
	sqlite3_stmt *s, *p;
	s = prep("INSERT INTO sites VALUES(?,?,?,?,?)");
	for (int64_t i = 1; i <= NS; i++) {
		sprintf(tb[0], "site-%02lld", (long long)i);
		ins(s, "it?tdd", i, tb[0], chance(90), PICK("eu", "us", "ap"),
		    rdbl() * 180 - 90, rdbl() * 360 - 180);
	}
	s = prep(INS_USERS);
	p = prep(INS_PROF);
	for (int64_t i = 1; i <= NU; i++)
		row_user(s, p, i);
	s = prep("INSERT INTO machines VALUES(?,?,?,?,?,?,?,?,?)");
	for (int64_t i = 0; i < NM; i++) {
		machine_id(tb[0], i);
		sprintf(tb[1], "node%04lld.%s.example.net", (long long)i,
			WORDS[24 + rint_(60)]);
		words(tb[2], 3 + (int)rint_(12));
		ins(s, "titii?tt?d?t", tb[0], 1 + rint_(NS), tb[1],
		    (int64_t)1 << rint_(7), (int64_t)(1 + rint_(64)) << 32,
		    chance(95),
		    PICK("debian-12", "debian-13", "fedora-42", "freebsd-14"),
		    PICK("up", "down", "drain"), chance(97), stamp(i, NM),
		    chance(30), tb[2]);
	}
	s = prep("INSERT INTO projects VALUES(?,?,?,?,?,?)");
	for (int64_t i = 1; i <= NP; i++) {
		sprintf(tb[0], "%s-%lld", WORDS[24 + rint_(NWORDS - 40)],
			(long long)i);
		words(tb[1], 2 + (int)rint_(5));
		words(tb[2], 5 + (int)skew(150));
		ins(s, "i?itt?td", i, chance(97), 1 + rint_(NU), tb[0], tb[1],
		    chance(80), tb[2], stamp(i, NP));
	}
	s = prep("INSERT INTO tags VALUES(?,?)");
	for (int64_t i = 1; i <= NT; i++) {
		sprintf(tb[0], "%s-%lld", WORDS[24 + i % (NWORDS - 40)],
			(long long)i);
		ins(s, "it", i, tb[0]);
	}
	s = prep(INS_JOBS);
	for (int64_t i = 1; i <= NJ; i++)
		row_job(s, i, i, NJ);
	s = prep(INS_QUEUE);
	for (int64_t i = 1; i <= NQ; i++)
		row_queue(s, i, i, NQ);
	s = prep(INS_EVENTS);
	for (int64_t i = 1; i <= NE; i++)
		row_event(s, i, i, NE);
	s = prep(INS_METRICS);
	int64_t per = NX / NM / 5 + 1;
	for (int64_t m = 0; m < NM; m++)
		for (int k = 0; k < 5; k++)
			for (int64_t i = 0; i < per; i++)
				row_metric(s, m, k,
					   1690000000 + i * 300 + rint_(20));
	s = prep(INS_ART);
	for (int64_t i = 1; i <= NA; i++)
		row_artifact(s, i);
	s = prep(INS_JT);
	for (int64_t i = 1; i <= NJ; i++)
		for (int64_t k = skew(5); k > 0; k--)
			ins(s, "ii", i, 1 + skew(NT));
	s = prep(INS_COM);
	for (int64_t i = 1; i <= NC; i++)
		row_comment(s, i, i, NC);
	s = prep(INS_AUD);
	for (int64_t i = 1; i <= NAU; i++)
		row_audit(s, i, i, NAU);
	run(INDEXES);
	run("COMMIT");
}

static int64_t q1(const char *sql)
{
	sqlite3_stmt *s = prep(sql);
	sqlite3_step(s);
	int64_t v = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return v;
}

static void mutate(const char *mode, double percent)
{
	int recent = !strcmp(mode, "recent");
	run("PRAGMA synchronous=OFF; PRAGMA cache_size=-262144; BEGIN");
	NU = q1("SELECT max(id) FROM users");
	NM = q1("SELECT count(*) FROM machines");
	NP = q1("SELECT max(id) FROM projects");
	NJ = q1("SELECT min(max(id),(SELECT count(*) FROM jobs)) FROM jobs");
	struct {
		const char *t;
		const char *upd;
		int del;
		void (*row)(sqlite3_stmt *, int64_t, int64_t, int64_t);
		const char *insq;
	} T[] = {
		{ "users", "UPDATE users SET last_seen=?2 WHERE id=?1", 0, 0,
		  0 },
		{ "profiles", "UPDATE profiles SET bio=?3 WHERE user_id=?1", 0,
		  0, 0 },
		{ "jobs",
		  "UPDATE jobs SET finished_at=?2, exit_code=?4 WHERE id=?1", 0,
		  row_job, INS_JOBS },
		{ "queue_entries",
		  "UPDATE queue_entries SET state='done', started=?2, attempts=attempts+1 WHERE id=?1",
		  1, row_queue, INS_QUEUE },
		{ "events", "UPDATE events SET message=?3 WHERE id=?1", 1,
		  row_event, INS_EVENTS },
		{ "comments", "UPDATE comments SET body=?3 WHERE id=?1", 0,
		  row_comment, INS_COM },
		{ "audit", "UPDATE audit SET detail=?3 WHERE id=?1", 1,
		  row_audit, INS_AUD },
		{ "artifacts",
		  "UPDATE artifacts SET name=?3, size=?4 WHERE id=?1", 1, 0,
		  INS_ART },
	};
	int64_t nu = 0, ni = 0, nd = 0;
	for (size_t k = 0; k < sizeof T / sizeof *T; k++) {
		char b[200];
		const char *pk = strcmp(T[k].t, "profiles") ? "id" : "user_id";
		sprintf(b, "SELECT count(*) FROM %s", T[k].t);
		int64_t n = q1(b);
		sprintf(b, "SELECT max(%s) FROM %s", pk, T[k].t);
		int64_t mx = q1(b),
			tot = (int64_t)((double)n * percent / 100 + 0.5),
			up = tot * 60 / 100, de = T[k].del ? tot * 15 / 100 : 0,
			in = T[k].insq ? tot * 25 / 100 : 0;
#define ROW() (recent && chance(90) ? mx - rint_(mx / 20 + 1) : 1 + rint_(mx))
		sqlite3_stmt *s = prep(T[k].upd);
		for (int64_t i = 0; i < up; i++) {
			words(tb[0], 4 + (int)skew(30));
			int np = sqlite3_bind_parameter_count(s);
			sqlite3_bind_int64(s, 1, ROW());
			if (np >= 2)
				sqlite3_bind_double(s, 2,
						    stamp(rint_(1000), 1000));
			if (np >= 3)
				sqlite3_bind_text(s, 3, tb[0], -1,
						  SQLITE_STATIC);
			if (np >= 4)
				sqlite3_bind_int64(s, 4, rint_(99999));
			if (sqlite3_step(s) != SQLITE_DONE)
				die("update");
			sqlite3_reset(s);
			nu++;
		}
		sqlite3_finalize(s);
		if (de) {
			sprintf(b, "DELETE FROM %s WHERE %s=?", T[k].t, pk);
			s = prep(b);
			for (int64_t i = 0; i < de; i++) {
				sqlite3_bind_int64(s, 1, ROW());
				if (sqlite3_step(s) != SQLITE_DONE)
					die("delete");
				sqlite3_reset(s);
				nd += sqlite3_changes(db);
			}
			sqlite3_finalize(s);
		}
		if (in) {
			s = prep(T[k].insq);
			for (int64_t i = 0; i < in; i++) {
				if (T[k].row)
					T[k].row(s, -1, mx + i, mx);
				else
					row_artifact(s, -1);
				ni++;
			}
			sqlite3_finalize(s);
		}
	}
	/* metrics: new samples spread over every machine's key range (spread),
	 * or at each series' end (recent) */
	int64_t n = q1("SELECT count(*) FROM metrics"),
		tot = (int64_t)((double)n * percent / 100),
		mxts = q1("SELECT max(ts) FROM metrics");
	sqlite3_stmt *s = prep(INS_METRICS);
	for (int64_t i = 0; i < tot; i++) {
		row_metric(s, rint_(NM), (int)rint_(5),
			   recent ? mxts + rint_(3000)
				  : 1690000000 + rint_(mxts - 1690000000));
		ni++;
	}
	sqlite3_finalize(s);
	s = prep("UPDATE machines SET heartbeat=?2 WHERE id=?1");
	for (int64_t i = 0; i < NM / 10; i++) {
		machine_id(tb[0], rint_(NM));
		sqlite3_bind_text(s, 1, tb[0], -1, SQLITE_STATIC);
		sqlite3_bind_double(s, 2, stamp(i, NM));
		sqlite3_step(s);
		sqlite3_reset(s);
		nu++;
	}
	sqlite3_finalize(s);
	run("COMMIT");
	printf("mutated: %lld updates, %lld inserts, %lld deletes\n",
	       (long long)nu, (long long)ni, (long long)nd);
}

int main(int c, char **v)
{
	double scale = 1, percent = 1;
	uint64_t seed = 1;
	const char *mode = "spread";
	if (c < 3) {
		fprintf(stderr,
			"usage: gen create OUT.db [--scale S] [--seed N] | gen mutate DB [--mode spread|recent] [--percent P] [--seed N]\n");
		return 2;
	}
	for (int i = 3; i + 1 < c; i += 2) {
		if (!strcmp(v[i], "--scale"))
			scale = atof(v[i + 1]);
		else if (!strcmp(v[i], "--seed"))
			seed = strtoull(v[i + 1], 0, 10);
		else if (!strcmp(v[i], "--percent"))
			percent = atof(v[i + 1]);
		else if (!strcmp(v[i], "--mode"))
			mode = v[i + 1];
		else {
			fprintf(stderr, "gen: unknown option %s\n", v[i]);
			return 2;
		}
	}
	rng_state = seed * 0x2545F4914F6CDD1Dull + 99;
	int cr = !strcmp(v[1], "create");
	if (cr)
		remove(v[2]);
	if (sqlite3_open(v[2], &db))
		die("open");
	if (cr)
		create(scale);
	else
		mutate(mode, percent);
	return sqlite3_close_v2(db) ? 1 : 0;
}
