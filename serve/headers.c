/*
 * headers.c - what headers of requests mean
 *
 * RFC 9110: lists 5.6.1, quality values 12.4.2, Accept-Encoding 12.5.3,
 * entity tags 8.8.3, If-None-Match 13.1.2.
 */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "serve/serve_internal.h"

#define BLANKS " \t"

/* ---- Accept-Encoding ---- */

/* "0", "1.0", "0.125" -> thousandths; what is no such value counts as 0 */
static int quality(const char *text, size_t size)
{
	int thousandths, unit = 100;

	if (!size || (*text != '0' && *text != '1') ||
	    (size > 1 && text[1] != '.') || size > 5)
		return 0;
	thousandths = *text == '1' ? 1000 : 0;
	for (size_t i = 2; i < size; i++, unit /= 10) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		thousandths += (text[i] - '0') * unit;
	}
	return thousandths > 1000 ? 0 : thousandths;
}

/* The value of q in "; q=0.5; x=y", 1000 where there is none. */
static int quality_of(const char *parameters, size_t size)
{
	const char *end = parameters + size, *next;

	for (; parameters < end; parameters = next) {
		parameters++; /* the semicolon */
		next = memchr(parameters, ';', (size_t)(end - parameters));
		next = next ? next : end;
		while (parameters < next && strchr(BLANKS, *parameters))
			parameters++;
		if (next - parameters < 2 ||
		    strncasecmp(parameters, "q=", 2) != 0)
			continue;
		parameters += 2;
		size = (size_t)(next - parameters);
		while (size && strchr(BLANKS, parameters[size - 1]))
			size--;
		return quality(parameters, size);
	}
	return 1000;
}

static int is_word(const char *text, size_t size, const char *word)
{
	return size == strlen(word) && !strncasecmp(text, word, size);
}

enum coding headers_coding(const char *accept)
{
	/* -1: not named */
	int gzip = -1, identity = -1, any = -1, q;
	size_t size, name;

	for (const char *at = accept ? accept : ""; *at; at += size) {
		at += strspn(at, BLANKS ",");
		size = strcspn(at, ",");
		name = strcspn(at, " \t;,");
		q = quality_of(at + name + strspn(at + name, BLANKS),
			       size - name - strspn(at + name, BLANKS));
		if (is_word(at, name, "gzip") || is_word(at, name, "x-gzip"))
			gzip = q;
		else if (is_word(at, name, "identity"))
			identity = q;
		else if (is_word(at, name, "*"))
			any = q;
	}
	if (gzip < 0)
		gzip = any > 0 ? any : 0;
	if (gzip && gzip >= identity)
		return CODING_GZIP;
	/* without coding is fine unless it is forbidden */
	return identity == 0 || (identity < 0 && any == 0) ? CODING_NONE
							   : CODING_IDENTITY;
}

/* ---- If-None-Match ---- */

int headers_match(const char *list, const char *opaque)
{
	size_t length = strlen(opaque), size;
	const char *at = list ? list : "";

	at += strspn(at, BLANKS);
	if (*at == '*')
		return !at[1 + strspn(at + 1, BLANKS)];
	while (*at) {
		at += strspn(at, BLANKS ",");
		if (!strncmp(at, "W/", 2))
			at += 2;
		if (*at != '"')
			return 0;
		size = strcspn(++at, "\"");
		if (length && size == length && at[size] &&
		    !memcmp(at, opaque, size))
			return 1;
		at += size + (at[size] != '\0');
	}
	return 0;
}

/* ---- Authorization, Host, Content-Length ---- */

const char *headers_bearer(const char *authorization, size_t *size)
{
	const char *at = authorization;

	if (!at || strncasecmp(at, "Bearer", 6) != 0 || at[6] != ' ')
		return NULL;
	at += 6 + strspn(at + 6, " ");
	*size = strcspn(at, BLANKS);
	return *size && !at[*size] ? at : NULL;
}

/* Bytes of the name in "name:port", "[::1]:port", or 0 when it is none. */
static size_t host_name(const char *host)
{
	size_t size = *host == '[' ? strcspn(host, "]") + 1
				   : strcspn(host, ":");
	const char *port;

	if (!size || size > strlen(host))
		return 0;
	port = host + size;
	if (*port == ':' && strspn(port + 1, "0123456789") > 5)
		return 0;
	if (*port == ':')
		port += 1 + strspn(port + 1, "0123456789");
	return *port ? 0 : size;
}

int headers_host(const char *host, const char *own,
		 const struct serve_options *o)
{
	static const char *const local[] = { "localhost", "127.0.0.1",
					     "[::1]" };
	size_t size = host_name(host);

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
		if (size && is_word(host, size, local[i]))
			return 1;
	}
	for (size_t i = 0; i < o->host_count; i++) {
		if (size && is_word(host, size, o->hosts[i]))
			return 1;
	}
	return size && is_word(host, size, own);
}

int headers_length(const char *text, uint64_t *length)
{
	uint64_t n = 0;

	if (!*text || text[strspn(text, "0123456789")])
		return -1;
	for (; *text && n <= (UINT64_MAX - 9) / 10; text++)
		n = n * 10 + (uint64_t)(*text - '0');
	*length = *text ? UINT64_MAX : n;
	return 0;
}
