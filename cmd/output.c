/* output.c - a document into a file, a device or standard output */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/output.h"
#include "export/export.h"

struct out_file {
	FILE *file;
	const char *path;
};

static int write_out(void *payload, const void *data, size_t size,
		     struct error *err)
{
	struct out_file *f = payload;

	if (cmd_interrupted())
		return error_set(err, ERROR_INTERRUPTED,
				 "interrupted; '%s' was not written", f->path);
	if (size && fwrite(data, 1, size, f->file) != size)
		return error_errno(err, ERROR_FAILED, "cannot write '%s'",
				   f->path);
	return 0;
}

static int document_to(struct output *o, struct out_file *f, struct error *err)
{
	int rc = o->make ? o->make(o, write_out, f, err)
			 : export_document(o->db, o->catalog, o->info,
					   write_out, f, err);

	if (rc < 0)
		return -1;
	if (fflush(f->file))
		return error_errno(err, ERROR_FAILED, "cannot write '%s'",
				   f->path);
	return 0;
}

static int document_to_file(struct output *o, const char *path,
			    struct error *err)
{
	struct buffer temp = BUFFER_INIT;
	struct out_file f = { NULL, path };
	char *folder = NULL;
	int fd, rc = -1;

	buffer_printf(&temp, "%s.%ld.tmp", path, (long)getpid());
	folder = path_folder(path);
	if (!buffer_cstr(&temp) || !folder) {
		error_nomem(err);
		goto done;
	}
	fd = open(temp.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || !(f.file = fdopen(fd, "w"))) {
		error_errno(err, ERROR_FAILED, "cannot write '%s'", path);
		goto done;
	}
	rc = document_to(o, &f, err);
	if (fclose(f.file) && rc == 0)
		rc = error_errno(err, ERROR_FAILED, "cannot write '%s'", path);
	if (rc == 0)
		rc = file_sync(temp.data, err);
	if (rc == 0 && rename(temp.data, path))
		rc = error_errno(err, ERROR_FAILED, "cannot write '%s'", path);
	if (rc == 0)
		rc = file_sync(folder, err);
	if (rc < 0)
		unlink(temp.data);
done:
	free(folder);
	buffer_release(&temp);
	return rc;
}

/** A device or a pipe: a rename would put a file in its place. */
static int is_special(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int document_to_special(struct output *o, const char *path,
			       struct error *err)
{
	struct out_file f = { fopen(path, "we"), path };
	int rc;

	if (!f.file)
		return error_errno(err, ERROR_FAILED, "cannot write '%s'",
				   path);
	rc = document_to(o, &f, err);
	if (fclose(f.file) && rc == 0)
		rc = error_errno(err, ERROR_FAILED, "cannot write '%s'", path);
	return rc;
}

static int same_file(const struct stat *st, const char *db, const char *suffix)
{
	struct buffer name = BUFFER_INIT;
	struct stat other;
	int same;

	buffer_printf(&name, "%s%s", db, suffix);
	same = buffer_cstr(&name) && !stat(name.data, &other) &&
	       other.st_dev == st->st_dev && other.st_ino == st->st_ino;
	buffer_release(&name);
	return same;
}

int output_check(const char *output, const char *db, struct error *err)
{
	static const char *const suffixes[] = { "", "-wal", "-journal",
						"-shm" };
	static const char magic[] = "SQLite format 3";
	char head[sizeof(magic)];
	struct stat st;
	size_t got = 0;
	FILE *file;

	if (stat(output, &st) || !S_ISREG(st.st_mode))
		return 0;
	for (size_t i = 0; db && i < sizeof(suffixes) / sizeof(suffixes[0]);
	     i++) {
		if (same_file(&st, db, suffixes[i]))
			return error_set(err, ERROR_REFUSED,
					 "'%s' is the database itself; give "
					 "--output another name",
					 output);
	}
	file = fopen(output, "re");
	if (file) {
		got = fread(head, 1, sizeof(head), file);
		fclose(file);
	}
	if (got == sizeof(head) && !memcmp(head, magic, sizeof(magic)))
		return error_set(err, ERROR_REFUSED,
				 "'%s' is a SQLite database and was not "
				 "replaced; give --output another name",
				 output);
	return 0;
}

int output_write(struct output *o, const char *path, struct error *err)
{
	struct out_file f = { stdout, "standard output" };
	char *real;
	int rc;

	if (!strcmp(path, "-"))
		return document_to(o, &f, err);
	if (is_special(path))
		return document_to_special(o, path, err);
	real = realpath(path, NULL); /* a link stays one */
	rc = document_to_file(o, real ? real : path, err);
	free(real);
	return rc;
}
