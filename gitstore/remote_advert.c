/*
 * remote_advert.c - what a server says of itself and of its refs
 *
 * Version 0 tells all refs at once, capabilities behind the first one's name.
 * Version 2 tells capabilities, and refs when asked; a push is always in
 * version 0.  Over HTTPS a line "# service=..." and a flush stand in front.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "gitstore/remote_internal.h"

#define WORDS_MAX ((size_t)64 << 10)

struct reading {
	struct advert *a;
	const char *ref, *label;
	int lines;     /* of this section */
	int announced; /* "# service=" came */
	struct buffer words, fetch;
};

const char *advert_word(const char *words, const char *word)
{
	size_t size = strlen(word), n;

	while (words && *words) {
		words += *words == ' ';
		n = strcspn(words, " ");
		if (n >= size && !strncmp(words, word, size) &&
		    (n == size || words[size] == '='))
			return words + size;
		words += n;
	}
	return NULL;
}

static int unsound(const struct reading *r, const char *data, size_t size,
		   struct error *err)
{
	struct buffer line = BUFFER_INIT;

	server_text_join(&line, data, size);
	error_set(err, ERROR_NETWORK,
		  "the remote %s tells its refs in a way that git does not: "
		  "'%.80s'",
		  r->label, buffer_cstr(&line) ? line.data : "");
	buffer_release(&line);
	return -1;
}

/* "ID NAME", without capabilities and newline */
static int add_ref(struct reading *r, const char *data, size_t size,
		   struct error *err)
{
	const size_t hex = 2 * sizeof(struct object_id);
	const char *name = data + hex + 1;
	struct object_id id;
	size_t length;

	if (size < hex + 2 || data[hex] != ' ' ||
	    hex_decode(id.bytes, data, sizeof(id.bytes)) < 0)
		return unsound(r, data, size, err);
	length = size - hex - 1;
	if (length > 11 && !memcmp(name, "refs/heads/", 11))
		r->a->branches++;
	if (length == strlen(r->ref) && !memcmp(name, r->ref, length))
		r->a->id = id;
	return 0;
}

static int add_words(struct reading *r, const char *data, size_t size,
		     struct error *err)
{
	if (r->words.size + size > WORDS_MAX)
		return unsound(r, data, size, err);
	if (r->words.size)
		buffer_byte(&r->words, ' ');
	buffer_add(&r->words, data, size);
	return 0;
}

static int is_text(const char *data, size_t size, const char *text)
{
	return size == strlen(text) && !memcmp(data, text, size);
}

/* A line of the greeting in version 0. */
static int take_v0(struct reading *r, const char *data, size_t size,
		   struct error *err)
{
	const char *nul = memchr(data, '\0', size);

	if (size > 8 && !memcmp(data, "shallow ", 8))
		return 0;
	if (nul &&
	    add_words(r, nul + 1, (size_t)(data + size - nul - 1), err) < 0)
		return -1;
	return add_ref(r, data, nul ? (size_t)(nul - data) : size, err);
}

/* A capability in version 2. */
static int take_v2(struct reading *r, const char *data, size_t size,
		   struct error *err)
{
	if (size > 6 && !memcmp(data, "fetch=", 6))
		buffer_add(&r->fetch, data + 6, size - 6);
	return add_words(r, data, size, err);
}

static int take_greeting(void *payload, enum pkt kind, const char *data,
			 size_t size, struct error *err)
{
	struct reading *r = payload;

	if (kind == PKT_FLUSH && r->announced && !r->lines)
		return r->announced = 0;
	if (kind != PKT_LINE)
		return 1;
	size = pkt_trim(data, size);
	if (!r->lines && size > 10 && !memcmp(data, "# service=", 10)) {
		r->announced = 1;
		return 0;
	}
	if (!r->lines++) {
		if (is_text(data, size, "version 2"))
			r->a->version = 2;
		if (is_text(data, size, "version 2") ||
		    is_text(data, size, "version 1"))
			return 0;
	}
	return r->a->version == 2 ? take_v2(r, data, size, err)
				  : take_v0(r, data, size, err);
}

static int take_ref(void *payload, enum pkt kind, const char *data, size_t size,
		    struct error *err)
{
	if (kind != PKT_LINE)
		return 1;
	return add_ref(payload, data, pkt_trim(data, size), err);
}

/* All branches: how many there are tells an empty repository. */
static int list_refs(struct reading *r, struct channel *c,
		     struct pkt_reader *in, struct error *err)
{
	struct request q = { BUFFER_INIT, -1, 0 };
	int rc = -1;

	pkt_printf(&q.head, "command=ls-refs\n");
	pkt_printf(&q.head, "agent=dbstow/%s\n", DBSTOW_VERSION);
	if (advert_word(r->a->words, "object-format"))
		pkt_printf(&q.head, "object-format=sha1\n");
	pkt_delimiter(&q.head);
	pkt_printf(&q.head, "ref-prefix refs/heads/\n");
	pkt_printf(&q.head, "ref-prefix %s\n", r->ref);
	pkt_flush(&q.head);
	pkt_reader_init(in, r->label, take_ref, r);
	if (buffer_failed(&q.head))
		error_nomem(err);
	else
		rc = c->ask(c, &q, in, err);
	buffer_release(&q.head);
	return rc;
}

static int check_format(const struct reading *r, struct error *err)
{
	const char *format = advert_word(r->a->words, "object-format");

	if (format && strncmp(format, "=sha1", 5) != 0)
		return error_set(err, ERROR_FAILED,
				 "the remote %s uses SHA-256 object ids, which "
				 "dbstow cannot write yet",
				 r->label);
	return 0;
}

int advert_read(struct advert *a, struct remote *remote, struct channel *c,
		const char *ref, struct error *err)
{
	struct reading r = { .a = a, .ref = ref, .label = remote->label };
	struct pkt_reader *in = malloc(sizeof(*in));
	int rc = -1;

	memset(a, 0, sizeof(*a));
	if (!in)
		return error_nomem(err);
	pkt_reader_init(in, remote->label, take_greeting, &r);
	if (c->greet(c, in, err) < 0)
		goto done;
	/* "" where nothing was said, as for an empty repository long ago */
	buffer_str(&r.words, "");
	a->words = buffer_detach(&r.words);
	a->fetch = buffer_detach(&r.fetch);
	if (!a->words || !a->fetch)
		error_nomem(err);
	else if (!check_format(&r, err))
		rc = a->version == 2 ? list_refs(&r, c, in, err) : 0;
done:
	buffer_release(&r.words);
	buffer_release(&r.fetch);
	free(in);
	if (rc < 0)
		advert_release(a);
	return rc;
}

void advert_release(struct advert *a)
{
	free(a->words);
	free(a->fetch);
	memset(a, 0, sizeof(*a));
}
