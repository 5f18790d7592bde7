/*
 * name.c - the folder of a table, from its name alone
 *
 *   users            users
 *   order-lines      order-lines
 *   CON              CON~...          (a device on Windows)
 *   Größe            Gr%C3%B6%C3%9Fe~...
 *   -x               %2Dx~...
 */
#include "snapshot/name.h"

#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/hash.h"

#define PLAIN_MAX   100 /* bytes of a name that is its own folder */
#define ENCODED_MAX 80  /* bytes before the '~' */
#define HASH_DIGITS 16
#define COMPONENT   255 /* longest name of a file nearly anywhere */

static int is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_';
}

static int is_device(const char *name, size_t size)
{
	static const char *const three[] = { "con", "prn", "aux", "nul" };
	size_t i;

	if (size == 3)
		for (i = 0; i < sizeof(three) / sizeof(three[0]); i++)
			if (!strncasecmp(name, three[i], 3))
				return 1;
	return size == 4 && name[3] >= '0' && name[3] <= '9' &&
	       (!strncasecmp(name, "com", 3) || !strncasecmp(name, "lpt", 3));
}

static int is_plain(const char *name, size_t size)
{
	size_t i;

	if (!size || size > PLAIN_MAX || !is_word(name[0]))
		return 0;
	for (i = 1; i < size; i++)
		if (!is_word(name[i]) && name[i] != '-')
			return 0;
	return !is_device(name, size);
}

/* Write the encoded name as far as it fits; @return its length */
static size_t encode(char *out, const char *name, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t used = 0, i;

	for (i = 0; i < size; i++) {
		unsigned char c = (unsigned char)name[i];

		if (is_word(name[i]) || (c == '-' && i > 0)) {
			if (used + 1 > ENCODED_MAX)
				break;
			out[used++] = name[i];
		} else {
			if (used + 3 > ENCODED_MAX)
				break;
			out[used++] = '%';
			out[used++] = digits[c >> 4];
			out[used++] = digits[c & 15];
		}
	}
	return used;
}

int name_folder(char out[NAME_FOLDER_SIZE], const char *name, size_t size,
		struct error *err)
{
	unsigned char digest[HASH_SHA256_SIZE];
	struct hasher *h;
	size_t used;

	if (is_plain(name, size)) {
		memcpy(out, name, size);
		out[size] = '\0';
		return 0;
	}
	if (hasher_new(&h, HASH_SHA256, err) < 0)
		return -1;
	hasher_add(h, name, size);
	hasher_final(h, digest);
	hasher_free(h);
	used = encode(out, name, size);
	out[used++] = '~';
	hex_encode(out + used, digest, HASH_DIGITS / 2);
	return 0;
}

int name_is_safe(const char *name)
{
	size_t i;

	if (!*name || *name == '.' || *name == '-')
		return 0;
	for (i = 0; name[i]; i++)
		if (i == COMPONENT ||
		    (!is_word(name[i]) && !strchr(".~%-", name[i])))
			return 0;
	return 1;
}
