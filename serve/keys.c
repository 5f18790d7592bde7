/*
 * keys.c - who may have the document
 *
 * A key itself is gone as soon as it was read: what is kept is its SHA-256,
 * which needs no salt, as keys are random and long.  Several at once are how
 * keys are changed without a gap.
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/secret.h"
#include "serve/serve_internal.h"

#define FILE_BYTES ((size_t)64 << 10)
#define DIGEST     "sha256:"

struct key {
	char name[KEY_NAME_SIZE];
	unsigned char digest[HASH_SHA256_SIZE];
};

struct keys {
	struct hasher *hasher;
	size_t count;
	struct key key[KEYS_MOST];
};

/* Not isalnum(): that depends on the locale. */
static int is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

/* RFC 6750, section 2.1: what a Bearer token may hold. */
static int is_token(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!is_letter_or_digit(text[i]) &&
		    (!text[i] || !strchr("-._~+/=", text[i])))
			return 0;
	}
	return 1;
}

static int is_name(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!is_letter_or_digit(text[i]) &&
		    (!text[i] || !strchr("-._", text[i])))
			return 0;
	}
	return size && size < KEY_NAME_SIZE;
}

static int begins(const char *text, size_t size, const char *with)
{
	return size >= strlen(with) && !memcmp(text, with, strlen(with));
}

static int take_digest(struct key *key, const char *where, size_t number,
		       const char *text, size_t size, struct error *err)
{
	if (size != 2 * HASH_SHA256_SIZE ||
	    hex_decode(key->digest, text, HASH_SHA256_SIZE) < 0)
		return error_set(err, ERROR_USAGE,
				 "key %zu of %s has " DIGEST
				 " without 64 lower-case hex digits behind it",
				 number, where);
	return 0;
}

static int take_value(struct keys *k, struct key *key, const char *where,
		      const char *text, size_t size, struct error *err)
{
	size_t number = k->count + 1;

	if (begins(text, size, DIGEST))
		return take_digest(key, where, number, text + strlen(DIGEST),
				   size - strlen(DIGEST), err);
	if (!is_token(text, size))
		return error_set(err, ERROR_USAGE,
				 "key %zu of %s holds a character that cannot "
				 "stand in a Bearer token; make one with: "
				 "openssl rand -hex 32",
				 number, where);
	if (size < KEY_SHORTEST || size > KEY_LONGEST)
		return error_set(err, ERROR_USAGE,
				 "key %zu of %s has not %d to %d characters; "
				 "make one with: openssl rand -hex 32",
				 number, where, KEY_SHORTEST, KEY_LONGEST);
	hasher_reset(k->hasher);
	hasher_add(k->hasher, text, size);
	hasher_final(k->hasher, key->digest);
	return 0;
}

/* The name is not shown either when it is wrong: it may be half of a key. */
static int take_key(struct keys *k, const char *where, const char *text,
		    size_t size, struct error *err)
{
	const char *colon =
		begins(text, size, DIGEST) ? NULL : memchr(text, ':', size);
	size_t name = colon ? (size_t)(colon - text) : 0;
	struct key *key;

	if (k->count == KEYS_MOST)
		return error_set(err, ERROR_USAGE, "%s holds more than %d keys",
				 where, KEYS_MOST);
	key = &k->key[k->count];
	snprintf(key->name, sizeof(key->name), "key-%zu", k->count + 1);
	if (colon && !is_name(text, name))
		return error_set(err, ERROR_USAGE,
				 "the name of key %zu of %s is not 1 to %d "
				 "letters, digits, dots, dashes or underscores",
				 k->count + 1, where, KEY_NAME_SIZE - 1);
	if (colon) {
		memcpy(key->name, text, name);
		key->name[name] = '\0';
		text += name + 1;
		size -= name + 1;
	}
	if (take_value(k, key, where, text, size, err) < 0)
		return -1;
	k->count++;
	return 0;
}

static int take_line(struct keys *k, const char *where, const char *at,
		     const char *end, struct error *err)
{
	const char *from;

	while (at < end) {
		while (at < end && strchr(" \t\r,", *at) && *at)
			at++;
		for (from = at; at < end && (!*at || !strchr(" \t\r,", *at));)
			at++;
		if (from < at && *from == '#')
			return 0;
		if (from < at &&
		    take_key(k, where, from, (size_t)(at - from), err) < 0)
			return -1;
	}
	return 0;
}

int keys_parse(struct keys **out, const char *where, const char *text,
	       size_t size, struct error *err)
{
	const char *end = text + size, *newline;
	struct keys *k = calloc(1, sizeof(*k));
	int rc = -1;

	*out = NULL;
	if (!k)
		return error_nomem(err);
	rc = hasher_new(&k->hasher, HASH_SHA256, err);
	while (rc == 0 && text < end) {
		newline = memchr(text, '\n', (size_t)(end - text));
		newline = newline ? newline : end;
		rc = take_line(k, where, text, newline, err);
		text = newline + (newline < end);
	}
	if (rc == 0 && !k->count)
		rc = error_set(err, ERROR_USAGE,
			       "%s holds no key; make one with: openssl rand "
			       "-hex 32",
			       where);
	if (rc == 0)
		*out = k;
	else
		keys_free(k);
	return rc;
}

static int from_file(struct keys **out, const char *file, struct error *err)
{
	char *text = malloc(FILE_BYTES);
	char where[512];
	size_t used;
	int rc;

	if (!text)
		return error_nomem(err);
	snprintf(where, sizeof(where), "'%s'", file);
	rc = secret_file_read(file, text, FILE_BYTES, &used, err);
	if (rc == 0 && used == FILE_BYTES)
		rc = error_set(err, ERROR_USAGE, "%s is too big for keys",
			       where);
	if (rc == 0)
		rc = keys_parse(out, where, text, used, err);
	explicit_bzero(text, FILE_BYTES);
	free(text);
	return rc;
}

int keys_load(struct keys **out, const char *file, struct error *err)
{
	char *value = getenv(SERVE_KEYS_VARIABLE);
	int rc = 0;

	*out = NULL;
	if (file)
		rc = from_file(out, file, err);
	else if (value && *value)
		rc = keys_parse(out, SERVE_KEYS_VARIABLE, value, strlen(value),
				err);
	else
		rc = error_set(
			err, ERROR_USAGE,
			"no key is configured, and without one anybody "
			"could have the database; set " SERVE_KEYS_VARIABLE
			" or give --keys-file FILE");
	if (value) {
		/* unsetenv() alone would leave it in /proc/PID/environ */
		explicit_bzero(value, strlen(value));
		unsetenv(SERVE_KEYS_VARIABLE);
	}
	return rc;
}

size_t keys_count(const struct keys *k)
{
	return k->count;
}

const char *keys_find(struct keys *k, const char *token, size_t size)
{
	unsigned char digest[HASH_SHA256_SIZE];
	const char *found = NULL;

	if (size < KEY_SHORTEST || size > KEY_LONGEST)
		return NULL;
	hasher_reset(k->hasher);
	hasher_add(k->hasher, token, size);
	hasher_final(k->hasher, digest);
	for (size_t i = 0; i < k->count; i++) {
		if (!CRYPTO_memcmp(digest, k->key[i].digest, sizeof(digest)))
			found = k->key[i].name;
	}
	return found;
}

void keys_free(struct keys *k)
{
	if (!k)
		return;
	hasher_free(k->hasher);
	free(k);
}
