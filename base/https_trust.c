/*
 * https_trust.c - certificate authorities besides the system's
 *
 * A file that libcurl is given replaces the system's authorities.  So both are
 * read and handed over together, from memory.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/https_internal.h"

#define BUNDLE_BYTES ((size_t)8 << 20)

/* Where this libcurl looks; NULL when it was built without a place. */
static const char *system_bundle(CURL *curl)
{
	const char *path = NULL;

	if (curl_easy_getinfo(curl, CURLINFO_CAINFO, &path))
		return NULL;
	return path;
}

int https_trust(struct https *h, struct error *err)
{
	struct buffer all = BUFFER_INIT;
	const char *system = system_bundle(h->curl);
	size_t theirs;
	int rc = -1;

	if (!h->cacert)
		return 0;
	/* none there: the user's file then is all that is trusted */
	if (system && file_read(system, BUNDLE_BYTES, &all, NULL) == 0)
		buffer_byte(&all, '\n');
	theirs = all.size;
	switch (file_read(h->cacert, BUNDLE_BYTES, &all, err)) {
	case 0:
		break;
	case 1:
		error_set(err, ERROR_USAGE,
			  "the file of certificate authorities '%s' does not "
			  "exist",
			  h->cacert);
		goto done;
	default:
		goto done;
	}
	if (!buffer_cstr(&all)) {
		error_nomem(err);
		goto done;
	}
	if (!strstr(all.data + theirs, "-----BEGIN CERTIFICATE-----")) {
		error_set(err, ERROR_USAGE,
			  "'%s' holds no certificate in PEM form", h->cacert);
		goto done;
	}
	h->authorities_size = all.size;
	h->authorities = buffer_detach(&all);
	rc = h->authorities ? 0 : error_nomem(err);
done:
	buffer_release(&all);
	return rc;
}
