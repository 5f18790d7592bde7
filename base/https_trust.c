/*
 * https_trust.c - the system's certificate authorities, and the user's besides
 *
 * A file that libcurl is given replaces the system's authorities.  So both are
 * read and handed over together, from memory.  A libcurl that came with us from
 * another system looks for its own in the wrong place.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/https_internal.h"

#define BUNDLE_BYTES ((size_t)8 << 20)

/* Where it is on other systems than the one that libcurl was built on. */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Arch */
	"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
	"/etc/ssl/ca-bundle.pem",             /* openSUSE */
};

/* The system's authorities; NULL: libcurl finds them itself, or there are none.
 */
static const char *system_bundle(CURL *curl, int wanted)
{
	const char *path = NULL;

	if (!curl_easy_getinfo(curl, CURLINFO_CAINFO, &path) && path &&
	    file_exists(path))
		return wanted ? path : NULL;
	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++)
		if (file_exists(bundles[i]))
			return bundles[i];
	return NULL;
}

static int add_users(struct https *h, struct buffer *all, struct error *err)
{
	size_t theirs = all->size;

	switch (file_read(h->cacert, BUNDLE_BYTES, all, err)) {
	case 0:
		break;
	case 1:
		return error_set(err, ERROR_USAGE,
				 "the file of certificate authorities '%s' "
				 "does not exist",
				 h->cacert);
	default:
		return -1;
	}
	if (!buffer_cstr(all))
		return error_nomem(err);
	if (!strstr(all->data + theirs, "-----BEGIN CERTIFICATE-----"))
		return error_set(err, ERROR_USAGE,
				 "'%s' holds no certificate in PEM form",
				 h->cacert);
	return 0;
}

int https_trust(struct https *h, struct error *err)
{
	const char *system = system_bundle(h->curl, h->cacert != NULL);
	struct buffer all = BUFFER_INIT;
	int rc = -1;

	if (!h->cacert && !system)
		return 0;
	/* none there: the user's file then is all that is trusted */
	if (system && file_read(system, BUNDLE_BYTES, &all, NULL) == 0)
		buffer_byte(&all, '\n');
	if (h->cacert && add_users(h, &all, err) < 0)
		goto done;
	if (all.size) {
		h->authorities_size = all.size;
		h->authorities = buffer_detach(&all);
		rc = h->authorities ? 0 : error_nomem(err);
	} else {
		rc = 0; /* libcurl will say that there are none */
	}
done:
	buffer_release(&all);
	return rc;
}
