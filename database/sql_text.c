/*
 * sql_text.c - reading SQL text without running it
 *
 * Schema text comes from files that others can write.  SQLite compiles the
 * first statement of such a text and trusts that it makes what the row's type
 * and name say; where they differ the whole file can't be read any more.  So
 * they are compared before the text goes into a schema.
 */
#include "base/error.h"
#include "database/sqlite_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,   /* a keyword or a bare name */
	TOKEN_QUOTED, /* "x", 'x', `x` or [x] */
	TOKEN_OTHER,  /* one character */
	TOKEN_BAD     /* a quote that does not end */
};

struct token {
	enum token_kind kind;
	const char *start;
	size_t size;
};

struct lexer {
	const char *at, *end;
};

static int is_word(unsigned char c)
{
	return c >= 0x80 || c == '_' || c == '$' || (c >= '0' && c <= '9') ||
	       (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

/* Skip blanks and both kinds of comments; one that does not end goes on to
 * the end of the text, as in SQLite. */
static void skip_blanks(struct lexer *l)
{
	for (;;) {
		size_t left = (size_t)(l->end - l->at);

		if (left && is_blank(*l->at)) {
			l->at++;
		} else if (left >= 2 && l->at[0] == '-' && l->at[1] == '-') {
			while (l->at < l->end && *l->at != '\n')
				l->at++;
		} else if (left >= 3 && l->at[0] == '/' && l->at[1] == '*') {
			/* as SQLite: a comment has a third byte, and that
			 * may be the '*' of its end */
			const char *p = l->at + 3;

			while (p < l->end && !(p[0] == '/' && p[-1] == '*'))
				p++;
			l->at = p < l->end ? p + 1 : l->end;
		} else {
			return;
		}
	}
}

static void read_quoted(struct lexer *l, struct token *t)
{
	char close = *l->at == '[' ? ']' : *l->at;

	for (l->at++; l->at < l->end; l->at++) {
		if (*l->at != close)
			continue;
		l->at++;
		if (close == ']' || l->at == l->end || *l->at != close) {
			t->kind = TOKEN_QUOTED;
			t->size = (size_t)(l->at - t->start);
			return;
		}
	}
	t->kind = TOKEN_BAD;
	t->size = (size_t)(l->at - t->start);
}

static void next(struct lexer *l, struct token *t)
{
	skip_blanks(l);
	t->start = l->at;
	t->size = 0;
	t->kind = TOKEN_END;
	if (l->at == l->end)
		return;
	if (strchr("\"'`[", *l->at)) {
		read_quoted(l, t);
		return;
	}
	t->kind = TOKEN_OTHER;
	t->size = 1;
	if (is_word((unsigned char)*l->at)) {
		t->kind = TOKEN_WORD;
		while (l->at + t->size < l->end &&
		       is_word((unsigned char)l->at[t->size]))
			t->size++;
	}
	l->at += t->size;
}

static struct lexer lexer_of(const char *text, size_t size)
{
	struct lexer l = { text, text + size };

	return l;
}

static int is(const struct token *t, const char *word)
{
	return t->kind == TOKEN_WORD && t->size == strlen(word) &&
	       !strncasecmp(t->start, word, t->size);
}

static int is_char(const struct token *t, char c)
{
	return t->kind == TOKEN_OTHER && *t->start == c;
}

/* The name that a token stands for, in new memory; NULL: it is no name, or
 * memory ran out. */
static char *token_name(const struct token *t)
{
	struct buffer b = BUFFER_INIT;
	char close;
	size_t i;

	if (t->kind == TOKEN_WORD) {
		buffer_add(&b, t->start, t->size);
		return buffer_detach(&b);
	}
	if (t->kind != TOKEN_QUOTED)
		return NULL;
	close = t->start[0] == '[' ? ']' : t->start[0];
	for (i = 1; i + 1 < t->size; i++) {
		buffer_byte(&b, t->start[i]);
		if (t->start[i] == close)
			i++; /* it was doubled */
	}
	return buffer_detach(&b);
}

static int token_names(const struct token *t, const char *name)
{
	char *n = token_name(t);
	int same = n && !sqlite3_stricmp(n, name);

	free(n);
	return same;
}

int statement_is_blank(const char *text, size_t size)
{
	struct lexer l = lexer_of(text, size);
	struct token t;

	do
		next(&l, &t);
	while (is_char(&t, ';'));
	return t.kind == TOKEN_END;
}

/* Read what stands behind CREATE up to the name, leave the token behind it in
 * `t`.  @return "TABLE", "INDEX" ..., or NULL */
static const char *read_head(struct lexer *l, struct token *t,
			     struct token *name)
{
	static const char *const words[] = { "TABLE", "INDEX", "VIEW",
					     "TRIGGER" };
	const char *type = NULL;
	int virtual_table = 0, unique = 0;
	size_t i;

	next(l, t);
	if (!is(t, "CREATE"))
		return NULL;
	next(l, t);
	if (is(t, "VIRTUAL"))
		virtual_table = 1;
	else if (is(t, "UNIQUE"))
		unique = 1;
	if (virtual_table || unique)
		next(l, t);
	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (is(t, words[i]))
			type = words[i];
	if (!type || (virtual_table && strcmp(type, "TABLE") != 0) ||
	    (unique && strcmp(type, "INDEX") != 0))
		return NULL;
	next(l, name);
	next(l, t);
	if (is(name, "IF") && is(t, "NOT")) {
		next(l, t);
		next(l, name);
		next(l, t);
	}
	return virtual_table ? "VIRTUAL TABLE" : type;
}

/* The words from a trigger's name to its table. */
static int read_trigger_table(struct lexer *l, struct token *t,
			      struct token *table)
{
	if (is(t, "BEFORE") || is(t, "AFTER")) {
		next(l, t);
	} else if (is(t, "INSTEAD")) {
		next(l, t);
		next(l, t);
	}
	if (!is(t, "DELETE") && !is(t, "INSERT") && !is(t, "UPDATE"))
		return -1;
	while (t->kind != TOKEN_END && !is(t, "ON"))
		next(l, t);
	next(l, table);
	next(l, t);
	if (is_char(t, '.')) {
		next(l, table);
		next(l, t);
	}
	return 0;
}

/* To the end of a statement that has no ';' inside. */
static int ends_plainly(struct lexer *l, struct token *t)
{
	for (; t->kind != TOKEN_END; next(l, t)) {
		if (t->kind == TOKEN_BAD)
			return 0;
		if (is_char(t, ';'))
			return statement_is_blank(l->at,
						  (size_t)(l->end - l->at));
	}
	return 1;
}

/* A table's columns and constraints, then only words and commas: no AS. */
static int ends_as_table(struct lexer *l, struct token *t)
{
	size_t depth = 0;

	if (!is_char(t, '('))
		return 0;
	do {
		if (is_char(t, '('))
			depth++;
		else if (is_char(t, ')'))
			depth--;
		else if (t->kind == TOKEN_END || t->kind == TOKEN_BAD ||
			 is_char(t, ';'))
			return 0;
		next(l, t);
	} while (depth);
	while ((t->kind == TOKEN_WORD && !is(t, "AS")) || is_char(t, ','))
		next(l, t);
	return (t->kind == TOKEN_END || is_char(t, ';')) && ends_plainly(l, t);
}

/* A trigger ends with the END behind a ';' (one behind anything else belongs
 * to a CASE). */
static int ends_as_trigger(struct lexer *l, struct token *t)
{
	int after_semicolon = 0;

	for (; t->kind != TOKEN_END && t->kind != TOKEN_BAD; next(l, t)) {
		if (after_semicolon && is(t, "END"))
			return statement_is_blank(l->at,
						  (size_t)(l->end - l->at));
		after_semicolon = is_char(t, ';');
	}
	return 0;
}

static const char *type_word(const struct entry *e)
{
	switch (e->type) {
	case ENTRY_TABLE:
		return e->virtual_table ? "VIRTUAL TABLE" : "TABLE";
	case ENTRY_INDEX:
		return "INDEX";
	case ENTRY_VIEW:
		return "VIEW";
	case ENTRY_TRIGGER:
		return "TRIGGER";
	}
	return "";
}

static int disagrees(const struct entry *e, const char *why, struct error *err)
{
	return error_set(err, ERROR_DAMAGE,
			 "the schema's text of %s '%.200s' %s", type_word(e),
			 e->name, why);
}

int statement_check(const struct entry *e, struct error *err)
{
	struct lexer l = lexer_of(e->sql, e->sql_size);
	struct token t, name, table;
	const char *type;
	int ends;

	if (e->sql_size > INT32_MAX || memchr(e->sql, '\0', e->sql_size))
		return disagrees(e, "has a NUL inside", err);
	type = read_head(&l, &t, &name);
	if (!type || strcmp(type, type_word(e)) != 0)
		return disagrees(e, "makes something else", err);
	if (!token_names(&name, e->name))
		return disagrees(e, "makes one of another name", err);
	table = name;
	if (e->type == ENTRY_INDEX) {
		if (!is(&t, "ON"))
			return disagrees(e, "makes something else", err);
		next(&l, &table);
		next(&l, &t);
	} else if (e->type == ENTRY_TRIGGER &&
		   read_trigger_table(&l, &t, &table) < 0) {
		return disagrees(e, "makes something else", err);
	}
	if (!token_names(&table, e->table))
		return disagrees(e, "belongs to another table", err);
	if (e->type == ENTRY_TRIGGER)
		ends = ends_as_trigger(&l, &t);
	else if (e->type == ENTRY_TABLE && !e->virtual_table)
		ends = ends_as_table(&l, &t);
	else
		ends = ends_plainly(&l, &t);
	if (!ends)
		return disagrees(e, "is not one statement of its kind", err);
	return 0;
}

int statement_is_virtual(const char *text)
{
	struct lexer l = lexer_of(text, strlen(text));
	struct token t;

	next(&l, &t);
	if (!is(&t, "CREATE"))
		return 0;
	next(&l, &t);
	return is(&t, "VIRTUAL");
}

char *statement_module(const char *text)
{
	struct lexer l = lexer_of(text, strlen(text));
	struct token t, name;

	if (!read_head(&l, &t, &name) || !is(&t, "USING"))
		return NULL;
	next(&l, &t);
	return token_name(&t);
}

int statement_mentions(const char *text, const char *name)
{
	struct lexer l = lexer_of(text, strlen(text));
	struct token t;

	for (next(&l, &t); t.kind != TOKEN_END; next(&l, &t))
		if (token_names(&t, name))
			return 1;
	return 0;
}

/* From behind an AS or a '(': to the matching ')'. */
static int read_group(struct lexer *l, struct token *t, const char **start,
		      size_t *size)
{
	size_t depth = 0;

	*start = t->start;
	for (;; next(l, t)) {
		if (t->kind == TOKEN_END || t->kind == TOKEN_BAD)
			return -1;
		if (is_char(t, '('))
			depth++;
		else if (is_char(t, ')') && !--depth)
			break;
	}
	*size = (size_t)(l->at - *start);
	return 0;
}

const char *statement_where(const char *text)
{
	struct lexer l = lexer_of(text, strlen(text));
	const char *columns;
	struct token t;
	size_t size;

	do {
		next(&l, &t);
		if (t.kind == TOKEN_END || t.kind == TOKEN_BAD)
			return NULL;
	} while (!is_char(&t, '('));
	if (read_group(&l, &t, &columns, &size) < 0)
		return NULL;
	next(&l, &t);
	return is(&t, "WHERE") ? l.at : NULL;
}

/* The name that a token stands for in an expression, or NULL. */
static char *column_name(const struct token *t)
{
	if (t->kind == TOKEN_WORD &&
	    (sqlite3_keyword_check(t->start, (int)t->size) ||
	     (*t->start >= '0' && *t->start <= '9') || *t->start == '$'))
		return NULL;
	return t->size && *t->start != '\'' ? token_name(t) : NULL;
}

char *statement_null_test(const char *expression, int *null)
{
	struct lexer l = lexer_of(expression, strlen(expression));
	struct token name, t;

	next(&l, &name);
	next(&l, &t);
	if (!is(&t, "IS"))
		return NULL;
	next(&l, &t);
	*null = !is(&t, "NOT");
	if (!*null)
		next(&l, &t);
	if (!is(&t, "NULL") ||
	    !statement_is_blank(l.at, (size_t)(l.end - l.at)))
		return NULL;
	return column_name(&name);
}

int statement_generated(const char *text, size_t column, const char **start,
			size_t *size)
{
	struct lexer l = lexer_of(text, strlen(text));
	struct token t, name;
	size_t depth = 1;

	if (!read_head(&l, &t, &name) || !is_char(&t, '('))
		return -1;
	while (depth) {
		next(&l, &t);
		if (t.kind == TOKEN_END || t.kind == TOKEN_BAD)
			return -1;
		if (is_char(&t, '(')) {
			depth++;
		} else if (is_char(&t, ')')) {
			depth--;
		} else if (depth == 1 && is_char(&t, ',')) {
			if (!column--)
				return -1;
		} else if (depth == 1 && !column && is(&t, "AS")) {
			next(&l, &t);
			return is_char(&t, '(')
				       ? read_group(&l, &t, start, size)
				       : -1;
		}
	}
	return -1;
}
