/*
 * secret.c - tokens and keys: where they come from and where they never go
 */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/error.h"

/* Shorter ones stand in ordinary words. */
#define SMALLEST_SOUGHT 4

#define HIDDEN "***"

/* The ways in which a value may come back to us. */
enum form { AS_IT_IS, BASE64, BASE64_TOKEN, PERCENT, FORMS };

struct secret {
	struct secret *next;
	unsigned int users;
	char *where;
	char *value;
	char *forms[FORMS]; /* forms[AS_IT_IS] is `value` */
	int environment;    /* found again by `where` */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct secret *alive;

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void drop(struct secret *s)
{
	if (!s)
		return;
	for (int i = 0; i < FORMS; i++)
		wipe(s->forms[i]);
	free(s->where);
	free(s);
}

static char *base64_of(const char *user, const char *value)
{
	size_t a = user ? strlen(user) + 1 : 0, b = strlen(value);
	unsigned char *plain = malloc(a + b + 1);
	char *out = malloc(base64_size(a + b) + 1);

	if (plain && out) {
		if (user) {
			memcpy(plain, user, a - 1);
			plain[a - 1] = ':';
		}
		memcpy(plain + a, value, b);
		base64_encode(out, plain, a + b);
		out[base64_size(a + b)] = '\0';
	} else {
		free(out);
		out = NULL;
	}
	if (plain)
		explicit_bzero(plain, a + b);
	free(plain);
	return out;
}

static char *percent_of(const char *value)
{
	static const char hex[] = "0123456789ABCDEF";
	char *out = malloc(strlen(value) * 3 + 1), *p = out;

	for (; out && *value; value++) {
		unsigned char c = (unsigned char)*value;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || strchr("-._~", c)) {
			*p++ = (char)c;
		} else {
			*p++ = '%';
			*p++ = hex[c >> 4];
			*p++ = hex[c & 15];
		}
	}
	if (out)
		*p = '\0';
	return out;
}

static int check(const char *where, const char *value, size_t size,
		 struct error *err)
{
	unsigned char c;

	if (!size)
		return error_set(err, ERROR_USAGE, "%s is empty", where);
	if (size > SECRET_BYTES)
		return error_set(err, ERROR_USAGE,
				 "%s is longer than the %d characters a secret "
				 "may have",
				 where, SECRET_BYTES);
	for (size_t i = 0; i < size; i++) {
		c = (unsigned char)value[i];
		if (c < 0x20 || c == 0x7f)
			return error_set(err, ERROR_USAGE,
					 "%s holds a character that cannot "
					 "stand in a header; is it the token "
					 "and nothing else?",
					 where);
	}
	return 0;
}

int secret_new(struct secret **out, const char *where, const char *value,
	       size_t size, struct error *err)
{
	struct secret *s;

	*out = NULL;
	if (size && value[size - 1] == '\n') {
		size--;
		if (size && value[size - 1] == '\r')
			size--;
	}
	if (check(where, value, size, err) < 0)
		return -1;
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_nomem(err);
	s->users = 1;
	s->where = strdup(where);
	s->value = s->forms[AS_IT_IS] = strndup(value, size);
	if (s->value) {
		s->forms[BASE64] = base64_of(NULL, s->value);
		s->forms[BASE64_TOKEN] = base64_of("x-access-token", s->value);
		s->forms[PERCENT] = percent_of(s->value);
	}
	if (!s->where || !s->value || !s->forms[BASE64] ||
	    !s->forms[BASE64_TOKEN] || !s->forms[PERCENT]) {
		drop(s);
		return error_nomem(err);
	}
	pthread_mutex_lock(&lock);
	s->next = alive;
	alive = s;
	pthread_mutex_unlock(&lock);
	*out = s;
	return 0;
}

static struct secret *known_variable(const char *name)
{
	struct secret *s;

	pthread_mutex_lock(&lock);
	for (s = alive; s; s = s->next) {
		if (s->environment && !strcmp(s->where, name)) {
			s->users++;
			break;
		}
	}
	pthread_mutex_unlock(&lock);
	return s;
}

int secret_from_environment(struct secret **out, const char *name,
			    struct error *err)
{
	char *value;
	int rc;

	*out = known_variable(name);
	if (*out)
		return 0;
	value = getenv(name);
	if (!value || !*value)
		return 1;
	rc = secret_new(out, name, value, strlen(value), err);
	/* unsetenv() alone would leave it in /proc/PID/environ. */
	explicit_bzero(value, strlen(value));
	unsetenv(name);
	if (!rc) {
		(*out)->environment = 1;
		(*out)->users = 2; /* the list holds it until we end */
	}
	return rc;
}

static int check_private(int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, ERROR_FAILED, "cannot read '%s'", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_FAILED, "'%s' is no regular file",
				 path);
	if (st.st_uid != geteuid())
		return error_set(err, ERROR_REFUSED,
				 "the secret in '%s' belongs to user %u, and "
				 "we are %u; make a copy of your own",
				 path, (unsigned int)st.st_uid,
				 (unsigned int)geteuid());
	if (st.st_mode & 077)
		return error_set(err, ERROR_REFUSED,
				 "others can read the secret in '%s' (mode "
				 "%04o); run: chmod 600 '%s'",
				 path, (unsigned int)(st.st_mode & 07777),
				 path);
	return 0;
}

int secret_file_read(const char *path, void *out, size_t room, size_t *used,
		     struct error *err)
{
	ssize_t n = 0;
	int fd, rc = -1;

	*used = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return error_errno(err, ERROR_FAILED, "cannot read '%s'", path);
	if (check_private(fd, path, err) < 0)
		goto done;
	while (*used < room &&
	       (n = read(fd, (char *)out + *used, room - *used)) > 0)
		*used += (size_t)n;
	rc = 0;
	if (n < 0)
		rc = error_errno(err, ERROR_FAILED, "cannot read '%s'", path);
done:
	close(fd);
	return rc;
}

int secret_from_file(struct secret **out, const char *path, struct error *err)
{
	char value[SECRET_BYTES + 3]; /* one more, and CR LF */
	size_t used;
	int rc;

	*out = NULL;
	rc = secret_file_read(path, value, sizeof(value), &used, err);
	if (rc == 0)
		rc = secret_new(out, path, value, used, err);
	explicit_bzero(value, sizeof(value));
	return rc;
}

int secret_header(struct secret **out, const struct secret *s,
		  const char *prefix, const char *user, struct error *err)
{
	char *coded = user ? base64_of(user, s->value) : strdup(s->value);
	size_t a = strlen(prefix), b = coded ? strlen(coded) : 0;
	char *text = coded ? malloc(a + b + 1) : NULL;
	int rc;

	*out = NULL;
	if (text) {
		memcpy(text, prefix, a);
		memcpy(text + a, coded, b + 1);
		rc = secret_new(out, s->where, text, a + b, err);
	} else {
		rc = error_nomem(err);
	}
	wipe(text);
	wipe(coded);
	return rc;
}

const char *secret_value(const struct secret *s)
{
	return s->value;
}

const char *secret_where(const struct secret *s)
{
	return s->where;
}

void secret_free(struct secret *s)
{
	struct secret **at;
	unsigned int left;

	if (!s)
		return;
	pthread_mutex_lock(&lock);
	left = --s->users;
	for (at = &alive; !left && *at; at = &(*at)->next) {
		if (*at == s) {
			*at = s->next;
			break;
		}
	}
	pthread_mutex_unlock(&lock);
	if (!left)
		drop(s);
}

/* Longer ones first would matter only where one secret holds another; then
 * what is left of the longer one is no secret by itself. */
static void hide(char *text, const char *what)
{
	size_t size = strlen(what);
	char *at = text;

	if (size < SMALLEST_SOUGHT)
		return;
	while ((at = strstr(at, what))) {
		memcpy(at, HIDDEN, strlen(HIDDEN));
		at += strlen(HIDDEN);
		memmove(at, at + size - strlen(HIDDEN),
			strlen(at + size - strlen(HIDDEN)) + 1);
	}
}

/* Does the text end in the first characters of `what`? */
static void hide_cut(char *text, const char *what)
{
	size_t size = strlen(text), n = strlen(what);

	if (n < SMALLEST_SOUGHT)
		return;
	for (n = n - 1 < size ? n - 1 : size; n >= SMALLEST_SOUGHT; n--) {
		if (!memcmp(text + size - n, what, n)) {
			memcpy(text + size - n, HIDDEN, sizeof(HIDDEN));
			return;
		}
	}
}

static void redact(char *text, void (*one)(char *, const char *))
{
	pthread_mutex_lock(&lock);
	for (struct secret *s = alive; s; s = s->next) {
		for (int i = FORMS; i-- > 0;)
			one(text, s->forms[i]);
	}
	pthread_mutex_unlock(&lock);
}

void secret_redact(char *text)
{
	redact(text, hide);
}

void secret_redact_cut(char *text)
{
	redact(text, hide);
	redact(text, hide_cut);
}
