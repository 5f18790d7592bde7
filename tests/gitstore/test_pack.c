/*
 * test_pack.c - ids, deflate, packs and their indexes, as git reads them
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/hash.h"
#include "tests/gitstore/store.h"

static void fill(unsigned char *out, size_t size, uint64_t seed)
{
	size_t i;

	for (i = 0; i < size; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		out[i] = (unsigned char)(seed >> 56);
	}
}

static struct object_id nth_id(uint64_t n)
{
	struct object_id id;

	fill(id.bytes, sizeof(id.bytes), n + 1);
	return id;
}

static void a_set_has_what_was_added_and_nothing_else(void **state)
{
	struct id_set s = { NULL, 0, 0 };
	struct error err = ERROR_INIT;
	struct object_id id = nth_id(7), zero;
	uint64_t i;

	(void)state;
	memset(&zero, 0, sizeof(zero));
	assert_int_equal(id_set_has(&s, &id), 0);
	for (i = 0; i < 5000; i++) {
		id = nth_id(i);
		assert_int_equal(id_set_add(&s, &id, &err), 1);
		assert_int_equal(id_set_add(&s, &id, &err), 0);
	}
	for (i = 0; i < 10000; i++) {
		id = nth_id(i);
		assert_int_equal(id_set_has(&s, &id), i < 5000);
	}
	assert_int_equal(s.count, 5000);
	assert_int_equal(id_set_add(&s, &zero, &err), 0);
	assert_int_equal(id_set_has(&s, &zero), 0);
	id_set_release(&s);
}

static int append(void *payload, const void *data, size_t size,
		  struct error *err)
{
	buffer_add(payload, data, size);
	return buffer_failed(payload) ? error_nomem(err) : 0;
}

static int refuse(void *payload, const void *data, size_t size,
		  struct error *err)
{
	(void)payload;
	(void)data;
	(void)size;
	return error_set(err, ERROR_NOSPACE, "full");
}

static void zlib_reads_back_what_was_deflated(void **state)
{
	static const size_t sizes[] = { 0,     1,     2,      100,    65535,
					65536, 65537, 655360, 655361, 5000000 };
	struct error err = ERROR_INIT;
	struct deflater *d;
	size_t i, k;

	(void)state;
	assert_ok(deflater_new(&d, &err), &err);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (k = 0; k < 2; k++) {
			unsigned char *in = malloc(sizes[i] + 1);
			unsigned char *back = malloc(sizes[i] + 1);
			struct buffer out = BUFFER_INIT;
			uLongf size = (uLongf)sizes[i] + 1;

			fill(in, sizes[i], i);
			if (k) /* easy to compress */
				memset(in, 'a', sizes[i]);
			assert_ok(deflater_run(d, in, sizes[i], append, &out,
					       &err),
				  &err);
			assert_int_equal(uncompress(back, &size,
						    (Bytef *)out.data,
						    (uLong)out.size),
					 Z_OK);
			assert_int_equal(size, sizes[i]);
			assert_memory_equal(in, back, sizes[i]);
			assert_true(!k || out.size < 64 + sizes[i] / 50);
			buffer_release(&out);
			free(in);
			free(back);
		}
	assert_refused(deflater_run(d, "x", 1, refuse, NULL, &err), &err,
		       ERROR_NOSPACE, "full");
	deflater_free(d);
}

/* Past 24 MiB another way may be taken. */
static void much_is_read_back_too(void **state)
{
	enum { SIZE = 600000 };
	struct error err = ERROR_INIT;
	unsigned char *in = malloc(SIZE), *back = malloc(SIZE);
	struct deflater *d;

	(void)state;
	assert_true(in && back);
	fill(in, SIZE, 7);
	memset(in, 'a', SIZE / 2);
	assert_ok(deflater_new(&d, &err), &err);
	for (int i = 0; i < 60; i++) {
		struct buffer out = BUFFER_INIT;
		uLongf size = SIZE;

		assert_ok(deflater_run(d, in, SIZE, append, &out, &err), &err);
		assert_true(out.size < SIZE * 2 / 3);
		if (i % 20 == 0 || i > 50) {
			assert_int_equal(uncompress(back, &size,
						    (Bytef *)out.data,
						    (uLong)out.size),
					 Z_OK);
			assert_int_equal(size, SIZE);
			assert_memory_equal(in, back, SIZE);
		}
		buffer_release(&out);
	}
	deflater_free(d);
	free(in);
	free(back);
}

/* What git's own reader of indexes says of entries with far offsets. */
static void offsets_past_2_gib_go_through_the_table_of_64_bits(void **state)
{
	struct fixture *f = *state;
	static const uint64_t offsets[] = { 12,
					    0x7fffffff,
					    0x80000000,
					    0xffffffff,
					    UINT64_C(0x100000000),
					    UINT64_C(0x123456789abc) };
	struct pack_entry entries[6];
	unsigned char hash[20] = { 0 };
	struct buffer want = BUFFER_INIT;
	char hex[OBJECT_HEX_SIZE];
	char *path = path_join(f->folder, "x.idx");
	size_t i;

	for (i = 0; i < 6; i++) {
		/* given unsorted */
		memset(entries[i].id.bytes, (int)(6 - i) * 16, 20);
		entries[i].crc32 = (uint32_t)(i * 0x11111111);
		entries[i].offset = offsets[5 - i];
	}
	assert_ok(pack_index_write(path, entries, 6, hash, &f->err), &f->err);
	for (i = 0; i < 6; i++) {
		object_hex(hex, &entries[i].id);
		buffer_printf(&want, "%s%llu %s (%08x)", i ? "\n" : "",
			      (unsigned long long)offsets[i], hex,
			      entries[i].crc32);
	}
	assert_git(f, buffer_cstr(&want), "git show-index <../x.idx");
	buffer_release(&want);
	free(path);
}

static void an_index_of_nothing_is_sound(void **state)
{
	struct fixture *f = *state;
	unsigned char hash[20] = { 0 };
	char *path = path_join(f->folder, "x.idx");

	assert_ok(pack_index_write(path, NULL, 0, hash, &f->err), &f->err);
	assert_git(f, "", "git show-index <../x.idx");
	assert_git(f, "1072", "stat -c %%s ../x.idx");
	free(path);
}

/* A pack of 2 GiB and more that takes no room: a hole between two objects. */
static void git_reads_an_object_behind_2_gib(void **state)
{
	struct fixture *f = *state;
	static const unsigned char header[12] = { 'P', 'A', 'C', 'K', 0, 0,
						  0,   2,   0,   0,   0, 2 };
	const off_t at = (off_t)UINT64_C(0x80000010);
	struct pack_entry entries[2];
	struct buffer raw = BUFFER_INIT;
	struct deflater *d;
	struct hasher *h;
	char hex[OBJECT_HEX_SIZE];
	char *path = path_join(f->folder, "pack");
	char *idx = path_join(f->folder, "idx");
	unsigned char hash[20] = { 7 };
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	buffer_byte(&raw, 0x35); /* blob, 5 bytes */
	assert_ok(deflater_new(&d, &f->err), &f->err);
	assert_ok(deflater_run(d, "hello", 5, append, &raw, &f->err), &f->err);
	assert_ok(hasher_new(&h, HASH_SHA1, &f->err), &f->err);
	object_hash(h, "blob", "hello", 5, &entries[0].id);
	object_hash(h, "blob", "", 0, &entries[1].id);
	entries[0].crc32 = entries[1].crc32 = 0;
	entries[0].offset = (uint64_t)at;
	entries[1].offset = 12;
	assert_int_equal(pwrite(fd, header, 12, 0), 12);
	assert_int_equal(pwrite(fd, raw.data, raw.size, at), raw.size);
	assert_int_equal(pwrite(fd, hash, 20, at + (off_t)raw.size), 20);
	assert_ok(pack_index_write(idx, entries, 2, hash, &f->err), &f->err);
	object_hex(hex, &entries[entries[0].offset == 12].id);
	assert_int_equal(repo_sh(f->repo,
				 "mv ../pack .git/objects/pack/pack-%s.pack && "
				 "mv ../idx .git/objects/pack/pack-%s.idx",
				 hex, hex),
			 0);
	assert_git(f, "hello", "git cat-file blob %s", hex);
	close(fd);
	hasher_free(h);
	deflater_free(d);
	buffer_release(&raw);
	free(path);
	free(idx);
}

static void git_verifies_our_pack(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = { 0,    1,     15,     16,     2047,
					2048, 70000, 262144, 3000000 };
	struct sink *s = gitstore_sink(f->g, &f->err);
	struct gitstore_snapshot snapshot = snapshot_of("ok", T0);
	struct gitstore_result r;
	unsigned char *data = malloc(3000000);
	struct object_id id;
	struct source *source;
	struct buffer out = BUFFER_INIT;
	struct tree t = { NULL, 0, 0 };
	char name[16];
	size_t i;

	assert_non_null(s);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		fill(data, sizes[i], i);
		assert_ok(s->put(s, OBJECT_BLOB, NULL, data, sizes[i], &id,
				 &f->err),
			  &f->err);
		snprintf(name, sizeof(name), "f%zu", i);
		assert_ok(tree_add(&t, name, 0, &id, &f->err), &f->err);
	}
	assert_ok(tree_put(&t, s, &id, &f->err), &f->err);
	assert_ok(gitstore_publish(f->g, &f->err), &f->err);
	snapshot.tree = id;
	assert_ok(gitstore_commit(f->g, &snapshot, &r, &f->err), &f->err);
	assert_int_equal(
		repo_sh(f->repo, "git verify-pack .git/objects/pack/*.idx"), 0);
	assert_git(f, "12",
		   "git show-index <$(ls .git/objects/pack/*.idx) | wc -l");
	/* the index is, byte for byte, the one that git makes */
	assert_int_equal(
		repo_sh(f->repo,
			"git index-pack --strict -o ../theirs.idx "
			"$(ls .git/objects/pack/*.pack) && cmp ../theirs.idx "
			".git/objects/pack/*.idx"),
		0);
	assert_git(f, "444 444",
		   "echo $(stat -c %%a "
		   ".git/objects/pack/*.[ip][da][xc]*)");
	assert_ok(gitstore_tree_source(f->g, &id, &source, &f->err), &f->err);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		fill(data, sizes[i], i);
		buffer_clear(&out);
		snprintf(name, sizeof(name), "f%zu", i);
		assert_int_equal(source->read(source, name, &out, &f->err), 0);
		assert_int_equal(out.size, sizes[i]);
		if (sizes[i])
			assert_memory_equal(out.data, data, sizes[i]);
	}
	source_free(source);
	buffer_release(&out);
	free(data);
}

static void what_is_put_twice_is_stored_once(void **state)
{
	struct fixture *f = *state;
	struct sink *s = gitstore_sink(f->g, &f->err);
	struct object_id a, b;

	assert_ok(s->put(s, OBJECT_BLOB, NULL, "x", 1, &a, &f->err), &f->err);
	assert_ok(s->put(s, OBJECT_BLOB, NULL, "x", 1, &b, &f->err), &f->err);
	assert_same(&a, &b);
	assert_ok(gitstore_publish(f->g, &f->err), &f->err);
	assert_git(f, "1",
		   "git show-index <$(ls .git/dbstow/tmp*/*.idx) | "
		   "wc -l");
}

static void what_the_branch_holds_is_not_stored_again(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0 + 1);

	add(f, "one\n", 0);
	assert_int_equal(repo_sh(f->repo, "git repack -adq"), 0);
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	/* snapshot.json and the root */
	assert_git(f, "2",
		   "git show-index <$(ls .git/dbstow/tmp*/new1.idx) | wc -l");
}

static void a_blob_that_the_repository_lost_is_stored_again(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0 + 1);
	struct gitstore_result r;

	add(f, "one\n", 0);
	/* the pack becomes loose objects, and one of them gets lost */
	assert_int_equal(
		repo_sh(f->repo,
			"mv .git/objects/pack/*.pack ../p && rm -f "
			".git/objects/pack/* && git unpack-objects -q <../p && "
			"h=$(git rev-parse "
			"database-backups:data/tables/t/0.jsonl) && rm -f "
			".git/objects/$(echo $h | cut -c1-2)/$(echo $h | cut "
			"-c3-)"),
		0);
	reopen(f);
	s.always = 1;
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_ok(gitstore_commit(f->g, &s, &r, &f->err), &f->err);
	assert_git(f, "", FSCK);
}

static void a_full_disk_is_told_and_nothing_stays(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct rlimit before, limit;
	unsigned char *data = malloc(4000000);
	struct sink *sink = gitstore_sink(f->g, &f->err);
	struct object_id id;
	int rc;

	signal(SIGXFSZ, SIG_IGN);
	fill(data, 4000000, 1);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 100000;
	setrlimit(RLIMIT_FSIZE, &limit);
	rc = sink->put(sink, OBJECT_BLOB, NULL, data, 4000000, &id, &f->err);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(rc, -1);
	assert_non_null(strstr(f->err.message, "/new0.pack': File too large"));
	error_clear(&f->err);
	/* the writer does not go on as if nothing had been */
	assert_int_equal(publish(f->g, "one\n", &s, &f->err), -1);
	error_clear(&f->err);
	assert_int_equal(gitstore_publish(f->g, &f->err), -1);
	error_clear(&f->err);
	reopen(f);
	assert_git(f, "0", "find .git/objects -type f | wc -l");
	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	free(data);
}

static void a_file_too_big_for_a_snapshot_is_refused(void **state)
{
	struct fixture *f = *state;
	struct sink *s = gitstore_sink(f->g, &f->err);
	struct object_id id;

	assert_refused(s->put(s, OBJECT_BLOB, "data/x", "", SOURCE_FILE_MAX + 1,
			      &id, &f->err),
		       &f->err, ERROR_FAILED,
		       "'data/x' would have 100663297 bytes, more than a "
		       "snapshot's file may have");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_set_has_what_was_added_and_nothing_else, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			zlib_reads_back_what_was_deflated, setup, teardown),
		cmocka_unit_test_setup_teardown(much_is_read_back_too, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			offsets_past_2_gib_go_through_the_table_of_64_bits,
			setup, teardown),
		cmocka_unit_test_setup_teardown(an_index_of_nothing_is_sound,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			git_reads_an_object_behind_2_gib, setup, teardown),
		cmocka_unit_test_setup_teardown(git_verifies_our_pack, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			what_is_put_twice_is_stored_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_the_branch_holds_is_not_stored_again, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_blob_that_the_repository_lost_is_stored_again, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_full_disk_is_told_and_nothing_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_file_too_big_for_a_snapshot_is_refused, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
