/*
 * test_pack_read.c - our own reader of packs, on those of ours and of git
 */
#include <pthread.h>

#include "tests/gitstore/pack_by_hand.h"

static void what_was_written_is_read_in_any_order(void **state)
{
	struct fixture *f = *state;
	unsigned char *data = malloc(LIMIT);
	struct pack_cursor *r;
	struct object_id id;
	size_t i, k, size;

	write_pack(f, "p", 200);
	r = reader_of(f, "p");
	for (k = 0; k < 400; k++) {
		i = k < 200 ? k : k * 77 % 200;
		size = i < 40 ? i : i * i * i % 300000;
		fill(data, size, i);
		id = id_of(f, data, size);
		assert_int_equal(reads(f, r, PACK_BLOB, &id, data, size), 0);
	}
	id.bytes[19] ^= 1;
	assert_int_equal(reads(f, r, PACK_BLOB, &id, data, size), 1);
	pack_cursor_free(r);
	free(data);
}

static void another_type_and_what_is_too_big_are_left_alone(void **state)
{
	struct fixture *f = *state;
	struct object_id big, id = id_of(f, "", 0);
	struct buffer b = BUFFER_INIT;
	unsigned char data[39];
	struct pack_cursor *r;

	write_pack(f, "p", 40);
	fill(data, 39, 39);
	big = id_of(f, data, 39);
	r = reader_of(f, "p");
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "", 0), 0);
	assert_int_equal(reads(f, r, PACK_TREE, &id, "", 0), 1);
	assert_int_equal(pack_cursor_read(r, &big, PACK_BLOB, 38, &b, &f->err),
			 1);
	assert_null(b.data);
	assert_int_equal(pack_cursor_read(r, &big, PACK_BLOB, 39, &b, &f->err),
			 0);
	pack_cursor_free(r);
	buffer_release(&b);
}

static void no_folder_of_packs_is_none(void **state)
{
	struct fixture *f = *state;
	struct object_id id = id_of(f, "", 0);
	struct pack_cursor *r = reader_of(f, "nowhere");

	assert_int_equal(reads(f, r, PACK_BLOB, &id, "", 0), 1);
	pack_cursor_free(r);
}

/* ---- several packs ---- */

static void a_damaged_pack_has_a_sound_neighbour(void **state)
{
	struct fixture *f = *state;
	struct object_id id = id_of(f, "hello", 5);
	struct pack_cursor *r;

	assert_int_equal(reads_entry(f, "\x35", 1, "hello", "hello"), 0);
	assert_int_equal(repo_sh(f->folder, "mkdir q; mv p/pack-1.pack q/0.pack"
					    " && mv p/pack-1.idx q/0.idx"),
			 0);
	assert_int_equal(reads_entry(f, "\x35", 1, "HELLO", "hello"), 1);
	assert_int_equal(
		repo_sh(f->folder,
			"cp p/pack-1.pack q/1.pack; cp p/pack-1.idx q/1.idx; "
			"cp p/pack-1.idx q/2.idx; >q/3.idx; mkfifo q/4.idx; "
			"mkdir q/5.idx; ln -s /dev/zero q/6.idx"),
		0);
	r = reader_of(f, "q");
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "hello", 5), 0);
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "hello", 5), 0);
	pack_cursor_free(r);
}

static void a_hundred_packs_are_not_all_held_open(void **state)
{
	struct fixture *f = *state;
	struct object_id id = id_of(f, "hello", 5);
	struct pack_cursor *r;

	assert_int_equal(reads_entry(f, "\x35", 1, "hello", "hello"), 0);
	assert_int_equal(
		repo_sh(f->folder,
			"touch -d @1000 p/*; mkdir e; git init -q e/r; cd e; "
			"printf x >x; git -C r hash-object -w --stdin <x | git "
			"-C r pack-objects -q ../e >/dev/null; cd ..; for i in "
			"$(seq 100); do cp e/e-*.pack p/$i.pack; cp e/e-*.idx "
			"p/$i.idx; done"),
		0);
	r = reader_of(f, "p");
	/* the oldest is for libgit2 */
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "hello", 5), 1);
	id = id_of(f, "x", 1);
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "x", 1), 0);
	id = id_of(f, "y", 1);
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "y", 1), 1);
	assert_git(f, "128", "ls -l /proc/%ld/fd | grep -c '/p/[0-9]*[.]'",
		   (long)getpid());
	pack_cursor_free(r);
}

static void a_pack_that_came_later_is_found(void **state)
{
	struct fixture *f = *state;
	struct object_id id = id_of(f, "hello", 5);
	struct pack_cursor *r;

	assert_int_equal(repo_sh(f->folder, "mkdir -p p; touch -d @1000 p"), 0);
	r = reader_of(f, "p");
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "hello", 5), 1);
	assert_int_equal(reads_entry(f, "\x35", 1, "hello", "hello"), 0);
	assert_int_equal(reads(f, r, PACK_BLOB, &id, "hello", 5), 0);
	pack_cursor_free(r);
}

/* ---- in a store ---- */

static char *many_rows(int changed)
{
	struct buffer b = BUFFER_INIT;
	int i;

	for (i = 0; i < 2000; i++)
		buffer_printf(&b, "{\"id\":%d,\"x\":%d}\n", i,
			      i * 7919 + (i == changed));
	assert_non_null(buffer_cstr(&b));
	return b.data;
}

static void assert_rows(struct fixture *f, struct source *s, const char *want)
{
	struct buffer b = BUFFER_INIT;

	assert_ok(s->read(s, "data/tables/t/0.jsonl", &b, &f->err), &f->err);
	assert_string_equal(buffer_cstr(&b), want);
	buffer_release(&b);
}

static void a_repack_in_between_changes_nothing(void **state)
{
	struct fixture *f = *state;
	char *rows[3], *packed;
	struct object_id ids[3], blob;
	struct source *s[3];
	struct pack_cursor *r;
	int i, read = 0;

	for (i = 0; i < 3; i++) {
		rows[i] = many_rows(i * 500);
		ids[i] = add(f, rows[i], i);
	}
	for (i = 0; i < 3; i++) {
		assert_ok(gitstore_source(f->g, &ids[i], &s[i], &f->err),
			  &f->err);
		assert_rows(f, s[i], rows[i]);
	}
	assert_int_equal(repo_sh(f->repo, "git repack -adfq"), 0);
	for (i = 0; i < 3; i++) {
		assert_rows(f, s[i], rows[i]);
		source_free(s[i]);
	}
	reopen(f);
	r = reader_of(f, "r/.git/objects/pack");
	for (i = 0; i < 3; i++) {
		assert_ok(gitstore_source(f->g, &ids[i], &s[i], &f->err),
			  &f->err);
		assert_rows(f, s[i], rows[i]);
		blob = id_of(f, rows[i], strlen(rows[i]));
		read += !reads(f, r, PACK_BLOB, &blob, rows[i],
			       strlen(rows[i]));
	}
	/* one lies whole, the others are deltas */
	assert_git(f, "2",
		   "git verify-pack -v .git/objects/pack/*.idx | "
		   "grep -c ' blob .* [12] [0-9a-f]*$'");
	assert_int_equal(read, 3);
	pack_cursor_free(r);
	/* loose ones are for libgit2 */
	assert_int_equal(repo_sh(f->repo, "mv .git/objects/pack/*.pack ../x; rm"
					  " -f .git/objects/pack/*; git "
					  "unpack-objects -q <../x"),
			 0);
	reopen(f);
	packed = repo_out(f->repo, "git count-objects -v | grep in-pack");
	assert_string_equal(packed, "in-pack: 0");
	free(packed);
	for (i = 0; i < 3; i++) {
		source_free(s[i]);
		assert_ok(gitstore_source(f->g, &ids[i], &s[i], &f->err),
			  &f->err);
		assert_rows(f, s[i], rows[i]);
		source_free(s[i]);
		free(rows[i]);
	}
}

/* ---- several threads ---- */

#define VERSIONS 8

struct reading {
	pthread_t thread;
	struct pack_cursor *cursor;
	char **rows;
	const struct object_id *ids;
	unsigned int seed;
	size_t read, wrong;
};

static void *read_versions(void *payload)
{
	struct reading *r = payload;
	struct error err = ERROR_INIT;
	struct buffer b = BUFFER_INIT;
	size_t i, k;
	int rc;

	for (i = 0; i < 400; i++) {
		k = (i * 7 + r->seed) % VERSIONS;
		buffer_clear(&b);
		rc = pack_cursor_read(r->cursor, &r->ids[k], PACK_BLOB, LIMIT,
				      &b, &err);
		r->read += !rc;
		r->wrong += rc < 0 ||
			    (!rc && (b.size != strlen(r->rows[k]) ||
				     memcmp(b.data, r->rows[k], b.size) != 0));
	}
	buffer_release(&b);
	return NULL;
}

static void threads_read_while_git_repacks(void **state)
{
	struct fixture *f = *state;
	struct reading r[4];
	struct object_id ids[VERSIONS];
	char *rows[VERSIONS];
	int i;

	for (i = 0; i < VERSIONS; i++) {
		rows[i] = many_rows(i * 50);
		ids[i] = id_of(f, rows[i], strlen(rows[i]));
		add(f, rows[i], i);
	}
	for (i = 0; i < 4; i++) {
		memset(&r[i], 0, sizeof(r[i]));
		r[i].rows = rows;
		r[i].ids = ids;
		r[i].seed = (unsigned int)i;
		assert_ok(store_cursor_new(f->g, &r[i].cursor, &f->err),
			  &f->err);
	}
	/* a cursor outlives what the store knows of packs */
	assert_ok(store_look_again(f->g, &f->err), &f->err);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&r[i].thread, NULL,
						read_versions, &r[i]),
				 0);
	assert_int_equal(repo_sh(f->repo, "git repack -adq; git repack -adfq"),
			 0);
	for (i = 0; i < 4; i++) {
		pthread_join(r[i].thread, NULL);
		pack_cursor_free(r[i].cursor);
		assert_int_equal(r[i].wrong, 0);
		/* whatever is not there this moment is for libgit2 */
		assert_in_range(r[i].read, 300, 400);
	}
	for (i = 0; i < VERSIONS; i++)
		free(rows[i]);
}

static void what_was_published_is_read_before_it_is_placed(void **state)
{
	struct fixture *f = *state;
	struct gitstore_snapshot s = snapshot_of("ok", T0);
	struct object_id id = id_of(f, "one\n", 4);
	struct buffer b = BUFFER_INIT;

	assert_ok(publish(f->g, "one\n", &s, &f->err), &f->err);
	assert_int_equal(store_read(f->g, &id, PACK_BLOB, LIMIT, &b, &f->err),
			 0);
	assert_string_equal(buffer_cstr(&b), "one\n");
	publish_forget(f->g);
	assert_int_equal(store_read(f->g, &id, PACK_BLOB, LIMIT, &b, &f->err),
			 1);
	buffer_release(&b);
}

static void damage_in_a_pack_is_told(void **state)
{
	struct fixture *f = *state;
	struct object_id id = add(f, "one\n", 0);
	struct buffer b = BUFFER_INIT;
	struct source *s;

	/* in front of the deflated "one" lie 2 bytes of zlib's */
	assert_int_equal(
		repo_sh(f->repo,
			"b=$(git rev-parse "
			"database-backups:data/tables/t/0.jsonl); at=$(git "
			"verify-pack -v .git/objects/pack/*.idx | grep $b | "
			"cut -d' ' -f6); chmod 600 .git/objects/pack/*.pack; "
			"printf '\\377\\377' | dd of=$(ls "
			".git/objects/pack/*.pack) bs=1 seek=$((at + 4)) "
			"conv=notrunc 2>/dev/null"),
		0);
	reopen(f);
	assert_ok(gitstore_source(f->g, &id, &s, &f->err), &f->err);
	assert_int_equal(s->read(s, "data/tables/t/0.jsonl", &b, &f->err), -1);
	assert_int_equal(f->err.code, ERROR_DAMAGE);
	assert_non_null(strstr(f->err.message, "'data/tables/t/0.jsonl' of "
					       "snapshot "));
	assert_int_equal(b.size, 0);
	error_clear(&f->err);
	/* ... unless it can be had elsewhere, be that looked at later */
	assert_int_equal(
		repo_sh(f->folder,
			"git init -q e; cd e; echo one | git hash-object -w "
			"--stdin | git pack-objects -q pack >/dev/null; touch "
			"-d @1000 pack-*; mv pack-* ../r/.git/objects/pack"),
		0);
	assert_ok(s->read(s, "data/tables/t/0.jsonl", &b, &f->err), &f->err);
	assert_string_equal(buffer_cstr(&b), "one\n");
	buffer_release(&b);
	source_free(s);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_was_written_is_read_in_any_order),
		CASE(another_type_and_what_is_too_big_are_left_alone),
		CASE(no_folder_of_packs_is_none),
		CASE(a_damaged_pack_has_a_sound_neighbour),
		CASE(a_hundred_packs_are_not_all_held_open),
		CASE(a_pack_that_came_later_is_found),
		CASE(a_repack_in_between_changes_nothing),
		CASE(threads_read_while_git_repacks),
		CASE(what_was_published_is_read_before_it_is_placed),
		CASE(damage_in_a_pack_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
