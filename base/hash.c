/*
 * hash.c - digests of OpenSSL's libcrypto, hex, and a small mixing hash
 */
#include "base/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/error.h"

struct hasher {
	EVP_MD *md;
	EVP_MD_CTX *context;
};

int hasher_new(struct hasher **out, enum hash_kind kind, struct error *err)
{
	const char *name = kind == HASH_SHA1 ? "SHA1" : "SHA256";
	struct hasher *h = calloc(1, sizeof(*h));

	*out = NULL;
	if (!h)
		return error_nomem(err);
	h->context = EVP_MD_CTX_new();
	if (!h->context) {
		hasher_free(h);
		return error_nomem(err);
	}
	h->md = EVP_MD_fetch(NULL, name, NULL);
	if (!h->md || !EVP_DigestInit_ex2(h->context, h->md, NULL)) {
		hasher_free(h);
		return error_set(err, ERROR_FAILED,
				 "libcrypto offers no '%s'; look at the "
				 "OpenSSL configuration of this machine",
				 name);
	}
	*out = h;
	return 0;
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->context);
	EVP_MD_free(h->md);
	free(h);
}

/*
 * A digest of bytes in memory has no way to fail once its context is set up;
 * should it all the same, a wrong digest must not leave this file.
 */
static void must(int ok)
{
	if (!ok)
		abort(); /* uncovered: libcrypto is broken */
}

void hasher_reset(struct hasher *h)
{
	must(EVP_DigestInit_ex2(h->context, NULL, NULL));
}

void hasher_add(struct hasher *h, const void *data, size_t size)
{
	if (size)
		must(EVP_DigestUpdate(h->context, data, size));
}

void hasher_final(struct hasher *h, unsigned char *digest)
{
	must(EVP_DigestFinal_ex(h->context, digest, NULL));
	hasher_reset(h);
}

void hex_encode(char *out, const unsigned char *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < size; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * size] = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int hex_decode(unsigned char *out, const char *hex, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		int high = digit(hex[2 * i]), low;

		/* The NUL of a text that is too short is no digit either. */
		if (high < 0)
			return -1;
		low = digit(hex[2 * i + 1]);
		if (low < 0)
			return -1;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}

uint64_t hash_bytes64_more(uint64_t so_far, const void *data, size_t size)
{
	const unsigned char *p = data;
	size_t i;

	for (i = 0; i < size; i++)
		so_far = (so_far ^ p[i]) * UINT64_C(0x100000001b3);
	return so_far;
}

uint64_t hash_bytes64(const void *data, size_t size)
{
	return hash_mix64(hash_bytes64_more(HASH_BYTES64, data, size));
}
