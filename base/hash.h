/*
 * hash.h - SHA-1 and SHA-256 of OpenSSL's libcrypto, and a small mixing hash
 *
 * A hasher owns one context that is reused for every digest.  A hasher is
 * used by one thread at a time.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct error;
struct hasher;

enum hash_kind { HASH_SHA1, HASH_SHA256 };

#define HASH_SHA1_SIZE   20
#define HASH_SHA256_SIZE 32

/** @return 0, or -1 with ERROR_NOMEM in `err` and `*out` NULL */
int hasher_new(struct hasher **out, enum hash_kind kind, struct error *err);

/** NULL is allowed. */
void hasher_free(struct hasher *h);

/** Begin a digest, forgetting an unfinished one. */
void hasher_reset(struct hasher *h);
void hasher_add(struct hasher *h, const void *data, size_t size);

/** Write the digest (20 or 32 bytes) and begin anew. */
void hasher_final(struct hasher *h, unsigned char *digest);

/** Write 2 * `size` lower-case hex digits and a NUL to `out`. */
void hex_encode(char *out, const unsigned char *bytes, size_t size);

/** Read exactly `size` bytes from 2 * `size` lower-case hex digits;
 *  @return 0, or -1 when a character is none */
int hex_decode(unsigned char *out, const char *hex, size_t size);

/** Bijective mix of 64 bits (the finalizer of splitmix64). */
static inline uint64_t hash_mix64(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	x ^= x >> 31;
	return x;
}

/** FNV-1a over the bytes (offset 0xcbf29ce484222325, prime 0x100000001b3),
 *  then hash_mix64(). */
uint64_t hash_bytes64(const void *data, size_t size);

/** The same in steps: hash_mix64() of what the last one gave, and the first one
 *  goes on from HASH_BYTES64. */
uint64_t hash_bytes64_more(uint64_t so_far, const void *data, size_t size);
#define HASH_BYTES64 UINT64_C(0xcbf29ce484222325)

#endif /* BASE_HASH_H */
