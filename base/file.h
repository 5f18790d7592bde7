/*
 * file.h - whole files, folders, scratch folders, free space
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

struct buffer;
struct error;

/**
 * Append the content of a regular file to `out`.
 *
 * @param limit  refuse more bytes than this
 * @return 0; 1 when there is no such file (no error recorded); -1 with an
 *         error that names `path`; symbolic links, folders and devices are
 *         errors
 */
int file_read(const char *path, size_t limit, struct buffer *out,
	      struct error *err);

/** Write `data` to `path` by way of a new file beside it, synced and renamed:
 *  `path` is the old or the new file at any instant.  Mode 0600 or as given. */
int file_write(const char *path, const void *data, size_t size,
	       unsigned int mode, struct error *err);

/** fsync a file, or a folder so that renames in it last. */
int file_sync(const char *path, struct error *err);

/** @return 1 if something (of any kind, a dangling link too) is there, else 0
 */
int file_exists(const char *path);

/** Bytes free for us on the file system that holds `path` (a folder). */
int file_free_bytes(const char *path, uint64_t *bytes, struct error *err);

/** @return "a/b" in new memory; the caller frees it; NULL: out of memory */
char *path_join(const char *folder, const char *name);

/** The folder that holds `path` ("." if it names none), in new memory. */
char *path_folder(const char *path);

/** The last component of `path`, borrowed from it. */
const char *path_base(const char *path);

/**
 * Make a folder of our own, mode 0700, named PREFIX.PID-RANDOM in `parent`.
 * Its name carries our process id and the boot id's first digits, so that
 * scratch_sweep() can tell what a killed run left.
 *
 * @param out  receives the path; the caller frees it
 */
int scratch_make(char **out, const char *parent, const char *prefix,
		 struct error *err);

/** Remove a scratch folder and all in it; NULL is allowed. Never follows
 *  symbolic links. */
void scratch_remove(const char *path);

/** Remove the scratch folders with `prefix` in `parent` whose process is gone
 *  (another boot, or no such process). Errors are ignored. */
void scratch_sweep(const char *parent, const char *prefix);

/** The id of this boot (/proc/sys/kernel/random/boot_id, without dashes),
 *  or "0" where there is none. Borrowed, valid for the process. */
const char *boot_id(void);

#endif /* BASE_FILE_H */
