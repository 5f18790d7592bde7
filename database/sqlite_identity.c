/*
 * sqlite_identity.c - what tells one state of a database file from another
 *
 * An export of a database that nobody wrote to since the last one need not
 * read it.  Whether anybody did is told by
 *
 * - the file: device, inode, size, and mtime and ctime to the nanosecond;
 * - the change counter, version-valid-for and version in its header
 *   (https://sqlite.org/fileformat2.html, section 1.3).  Alone they would not
 *   do: in WAL mode commits leave the counter as it is, and so does the
 *   checkpoint of the last connection;
 * - with frames in the WAL, its file in the same way, but for its ctime, which
 *   changes when root opens it (SQLite gives it the database's owner); and the
 *   header of its index: salts, last frame, checksum over all frames, and a
 *   counter of commits;
 * - the machine's boot: after an unclean end a file may not hold what its times
 *   tell of.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "base/file.h"
#include "base/hash.h"
#include "database/sqlite_pages.h"

/*
 * A file system's times advance in steps: a write right after the one that we
 * saw may leave the same.  Only times this far back are final: where they have
 * fractions of a millisecond, the steps are the kernel's ticks of at most 10
 * ms; others may count two seconds at a time.
 */
#define SETTLED_FINE_NS   (INT64_C(100) * 1000 * 1000)
#define SETTLED_COARSE_NS (INT64_C(2100) * 1000 * 1000)

/*
 * On these the times come from this machine's clock at the moment of each
 * write.  Elsewhere (NFS, SMB, FUSE, file systems that several machines share)
 * they may come from another clock or a cache.
 */
static int has_own_times(const char *path)
{
	static const uint32_t local[] = {
		0xef53,     /* ext2, ext3, ext4 */
		0x58465342, /* XFS */
		0x9123683e, /* Btrfs */
		0x01021994, /* tmpfs */
		0x858458f6, /* ramfs */
		0x794c7630, /* overlayfs */
		0x2fc12fc1, /* ZFS */
		0xf2f52010, /* F2FS */
		0xca451a4e, /* bcachefs */
		0x3153464a, /* JFS */
		0x52654973, /* ReiserFS */
		0x3434,     /* NILFS2 */
		0x4d44,     /* FAT */
		0x2011bab0, /* exFAT */
		0x7366746e, /* NTFS3 */
	};
	struct statfs s;

	if (statfs(path, &s) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
		if ((uint32_t)s.f_type == local[i])
			return 1;
	}
	return 0;
}

static int64_t nanoseconds(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* When a file's times are final, if that is later than `*final_ns`. */
static void note_time(int64_t when_ns, int64_t *final_ns)
{
	when_ns += when_ns % 1000000 ? SETTLED_FINE_NS : SETTLED_COARSE_NS;
	if (*final_ns < when_ns)
		*final_ns = when_ns;
}

static int add_file(struct buffer *out, const char *what, const char *path,
		    int with_ctime, int64_t *final_ns)
{
	struct stat s;
	int64_t changed, modified;

	if (stat(path, &s) < 0 || !S_ISREG(s.st_mode))
		return -1;
	changed = nanoseconds(&s.st_ctim);
	modified = nanoseconds(&s.st_mtim);
	note_time(modified, final_ns);
	if (with_ctime)
		note_time(changed, final_ns);
	buffer_printf(out, "%s %llu %llu %lld %lld", what,
		      (unsigned long long)s.st_dev,
		      (unsigned long long)s.st_ino, (long long)s.st_size,
		      (long long)modified);
	if (with_ctime)
		buffer_printf(out, " %lld", (long long)changed);
	buffer_byte(out, '\n');
	return 0;
}

static void add_hex(struct buffer *out, const char *what,
		    const unsigned char *bytes, size_t size)
{
	char hex[2 * INDEX_HEADER + 1];

	hex_encode(hex, bytes, size);
	buffer_printf(out, "%s %s\n", what, hex);
}

static int add_wal(struct buffer *out, const struct database *db,
		   int64_t *final_ns)
{
	struct buffer path = BUFFER_INIT;
	uint32_t last;
	int rc = -1;

	memcpy(&last, db->view.index + 16, sizeof(last));
	if (!last) {
		/* all is in the database file */
		buffer_str(out, "wal -\n");
		return 0;
	}
	buffer_printf(&path, "%s-wal", db->path);
	if (buffer_cstr(&path))
		rc = add_file(out, "wal", path.data, 0, final_ns);
	add_hex(out, "index", db->view.index, INDEX_HEADER);
	buffer_release(&path);
	return rc;
}

/* Is the file that we read still the one at the path? */
static int is_in_place(const struct database *db)
{
	int moved = 1;

	return sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_HAS_MOVED,
				    &moved) == SQLITE_OK &&
	       !moved;
}

int database_identity(struct database *db, struct buffer *out, int *settled)
{
	const struct pages *p = database_pages(db);
	unsigned char header[100];
	struct timespec now;
	int64_t final_ns = 0;

	*settled = 0;
	if (db->copy || !p || !has_own_times(db->path) ||
	    !strcmp(boot_id(), "0"))
		return 1;
	buffer_printf(out, "boot %s\n", boot_id());
	if (add_file(out, "file", db->path, 1, &final_ns) < 0 ||
	    !is_in_place(db) ||
	    p->file->pMethods->xRead(p->file, header, sizeof(header), 0) !=
		    SQLITE_OK)
		return 1;
	add_hex(out, "counter", header + 24, 4);
	add_hex(out, "valid", header + 92, 8);
	if (db->view.journal == JOURNAL_WAL && add_wal(out, db, &final_ns) < 0)
		return 1;
	clock_gettime(CLOCK_REALTIME, &now);
	*settled = nanoseconds(&now) > final_ns;
	return buffer_failed(out) ? 1 : 0;
}
