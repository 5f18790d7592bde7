/*
 * stand_ins.c - collations and functions that only the application has
 *
 * A scan never compares and never computes, so reading gets along with a
 * collation by bytes.  Building does both: there stand-ins are used only when
 * the caller allows them, and each is told.
 */
#include "base/error.h"
#include "database/sqlite_internal.h"
#include "snapshot/text.h"

#include <stdlib.h>
#include <string.h>

/* No schema's statement wants more functions. */
#define STAND_INS_MAX 200

#define SHOWN_MAX 300 /* bytes of what is told of one */

int names_has(const struct names *n, const char *name)
{
	size_t i;

	for (i = 0; i < n->count; i++)
		if (!sqlite3_stricmp(n->items[i], name))
			return 1;
	return 0;
}

int names_add(struct names *n, const char *name)
{
	char **items, *copy;

	if (names_has(n, name))
		return 0;
	copy = strdup(name);
	if (!copy)
		return -1;
	if (n->count == n->capacity) {
		size_t capacity = n->capacity ? 2 * n->capacity : 8;

		items = realloc(n->items, capacity * sizeof(*items));
		if (!items) {
			free(copy);
			return -1;
		}
		n->items = items;
		n->capacity = capacity;
	}
	n->items[n->count++] = copy;
	return 0;
}

void names_release(struct names *n)
{
	size_t i;

	for (i = 0; i < n->count; i++)
		free(n->items[i]);
	free(n->items);
	memset(n, 0, sizeof(*n));
}

int collation_is_built_in(const char *name)
{
	return !sqlite3_stricmp(name, "BINARY") ||
	       !sqlite3_stricmp(name, "NOCASE") ||
	       !sqlite3_stricmp(name, "RTRIM");
}

static int compare_bytes(void *payload, int a_size, const void *a, int b_size,
			 const void *b)
{
	int shorter = a_size < b_size ? a_size : b_size;
	int order = shorter ? memcmp(a, b, (size_t)shorter) : 0;

	(void)payload;
	return order ? order : (a_size > b_size) - (a_size < b_size);
}

void collation_needed(void *payload, sqlite3 *sql, int encoding,
		      const char *name)
{
	struct database *db = payload;

	/* In a UTF-16 database SQLite asks even for its own, before it falls
	 * back on their UTF-8 form. */
	if (collation_is_built_in(name))
		return;
	if (!db->stand_ins) {
		free(db->missing);
		db->missing = strdup(name);
		return;
	}
	if (names_add(&db->collations, name) == 0)
		sqlite3_create_collation_v2(sql, name, encoding, NULL,
					    compare_bytes, NULL);
}

static void return_null(sqlite3_context *context, int count,
			sqlite3_value **values)
{
	(void)count;
	(void)values;
	sqlite3_result_null(context);
}

/* The function that SQLite says it misses, in new memory, or NULL. */
static char *missing_function(const char *message)
{
	static const struct {
		const char *before, *behind;
	} forms[] = {
		{ "no such function: ", "" },
		{ "unknown function: ", "()" },
		{ "wrong number of arguments to function ", "()" },
	};
	size_t i, size, head, tail;

	for (i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		size = strlen(message);
		head = strlen(forms[i].before);
		tail = strlen(forms[i].behind);
		if (size > head + tail &&
		    !memcmp(message, forms[i].before, head) &&
		    !memcmp(message + size - tail, forms[i].behind, tail))
			return strndup(message + head, size - head - tail);
	}
	return NULL;
}

static int wanted(const char *what, const char *kind, const char *name,
		  struct error *err)
{
	return error_set(err, ERROR_STANDIN,
			 "%s needs the application's %s '%.200s'; restore with "
			 "--stand-ins and run REINDEX in the application",
			 what, kind, name);
}

int stand_in_after(struct database *db, sqlite3 *sql, const char *what,
		   int *tries, struct error *err)
{
	char *function;
	int rc = 0;

	if (db->missing)
		return wanted(what, "collation", db->missing, err);
	function = missing_function(sqlite3_errmsg(sql));
	if (!function || ++*tries > STAND_INS_MAX) {
		free(function);
		return 0;
	}
	if (!db->stand_ins) {
		rc = wanted(what, "function", function, err);
	} else if (names_add(&db->functions, function) < 0) {
		rc = error_nomem(err);
	} else if (sqlite3_create_function_v2(
			   sql, function, -1,
			   SQLITE_UTF8 | SQLITE_DETERMINISTIC |
				   SQLITE_INNOCUOUS,
			   NULL, return_null, NULL, NULL, NULL) == SQLITE_OK) {
		rc = 1;
	}
	free(function);
	return rc;
}

static void tell(struct buffer *out, const char *kind, const struct names *n)
{
	size_t i;

	for (i = 0; i < n->count; i++) {
		if (out->size)
			buffer_str(out, ", ");
		buffer_str(out, kind);
		text_display(out, n->items[i], strlen(n->items[i]), SHOWN_MAX);
		buffer_str(out, *kind ? "'" : "");
	}
}

const char *database_stand_ins(const struct database *db)
{
	/* the text is a cache: what it is made from stays as it is */
	struct buffer *told = &((struct database *)db)->told;

	buffer_clear(told);
	tell(told, "collation '", &db->collations);
	tell(told, "function '", &db->functions);
	tell(told, "", &db->left_out);
	tell(told, "", &db->violated);
	return told->size ? buffer_cstr(told) : NULL;
}
