/*
 * remote_push.c - receive-pack: send a pack and have a ref moved
 *
 * The old value goes along, and the server compares it once more under its
 * lock, so nobody's push is lost between our look and our word.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "gitstore/remote_internal.h"

struct report {
	struct remote *r;
	const struct remote_push *push;
	struct remote_push_result *out;
	struct server_text said;
	struct pkt_reader *inner; /* of band 1 */
	int unpacked, told;       /* "unpack ok" and "ok REF" came */
	int band;
};

/* ---- the report ---- */

static int set_reason(struct report *r, const char *prefix, const char *data,
		      size_t size, struct error *err)
{
	struct buffer text = BUFFER_INIT;

	if (r->out->reason)
		return 0; /* the first says most */
	buffer_str(&text, prefix);
	server_text_join(&text, data, size);
	r->out->reason = buffer_detach(&text);
	return r->out->reason ? 0 : error_nomem(err);
}

/* "unpack ok", "unpack WHY", "ok REF", "ng REF WHY" */
static int take_report(void *payload, enum pkt kind, const char *data,
		       size_t size, struct error *err)
{
	struct report *r = payload;
	size_t n = strlen(r->push->ref);

	if (kind != PKT_LINE)
		return kind == PKT_FLUSH;
	size = pkt_trim(data, size);
	if (size == 9 && !memcmp(data, "unpack ok", 9)) {
		r->unpacked = 1;
		return 0;
	}
	if (size > 7 && !memcmp(data, "unpack ", 7))
		return set_reason(r, "", data + 7, size - 7, err);
	if (size == n + 3 && !memcmp(data, "ok ", 3) &&
	    !memcmp(data + 3, r->push->ref, n)) {
		r->told = 1;
		return 0;
	}
	if (size > n + 3 && !memcmp(data, "ng ", 3) &&
	    !memcmp(data + 3, r->push->ref, n) && data[n + 3] == ' ')
		return set_reason(r, "", data + n + 4, size - n - 4, err);
	return 0; /* "option ..." and what may come */
}

static int gave_up(struct report *r, const char *data, size_t size,
		   struct error *err)
{
	server_text_add(&r->said, data, size);
	return set_reason(r, "", data, size, err) < 0 ? -1 : 1;
}

/* Some servers take side bands and then send the report outside of them. */
static int take(void *payload, enum pkt kind, const char *data, size_t size,
		struct error *err)
{
	struct report *r = payload;

	if (kind != PKT_LINE || !size || !r->band || (unsigned char)*data > 3)
		return take_report(r, kind, data, size, err);
	if (data[0] == 1)
		return pkt_feed(r->inner, data + 1, size - 1, err);
	if (data[0] == 3)
		return gave_up(r, data + 1, size - 1, err);
	server_text_add(&r->said, data + 1, size - 1);
	return 0;
}

/* ---- the command ---- */

static int add_command(const struct report *r, const struct advert *a,
		       struct buffer *out, struct error *err)
{
	char old[OBJECT_HEX_SIZE], id[OBJECT_HEX_SIZE];
	struct buffer line = BUFFER_INIT;

	object_hex(old, &r->push->old);
	object_hex(id, &r->push->id);
	buffer_printf(&line, "%s %s %s", old, id, r->push->ref);
	buffer_byte(&line, '\0');
	buffer_printf(&line, " report-status%s%s%s agent=dbstow/%s",
		      r->band ? " side-band-64k" : "",
		      advert_word(a->words, "quiet") ? " quiet" : "",
		      advert_word(a->words, "object-format")
			      ? " object-format=sha1"
			      : "",
		      DBSTOW_VERSION);
	if (line.size > PKT_MAX - 4) {
		buffer_release(&line);
		return error_set(err, ERROR_USAGE, "'%.80s...' is too long",
				 r->push->ref);
	}
	buffer_printf(out, "%04zx", line.size + 4);
	buffer_add(out, line.data, line.size);
	pkt_flush(out);
	if (buffer_failed(&line))
		out->failed = 1;
	buffer_release(&line);
	return buffer_failed(out) ? error_nomem(err) : 0;
}

static int exchange(struct report *r, struct channel *c, const struct advert *a,
		    int fd, struct error *err)
{
	struct request q = { BUFFER_INIT, fd, r->out->bytes };
	struct pkt_reader *in = malloc(2 * sizeof(*in));
	int rc = -1;

	if (!in)
		return error_nomem(err);
	r->band = advert_word(a->words, "side-band-64k") != NULL;
	r->inner = in + 1;
	pkt_reader_init(in, r->r->label, take, r);
	pkt_reader_init(in + 1, r->r->label, take_report, r);
	if (!add_command(r, a, &q.head, err))
		rc = c->ask(c, &q, in, err);
	r->out->messages = server_text_detach(&r->said);
	buffer_release(&q.head);
	free(in);
	return rc;
}

/* ---- the outcome ---- */

/*
 * "failed to update ref" may mean that somebody was quicker, or that the server
 * can't write: where the ref is now tells.  It may even be where we wanted it,
 * when another one merged the same.
 */
static int why_not(struct report *r, struct error *err)
{
	struct remote_ref now;

	if (remote_refs(r->r, r->push->ref, &now, err) < 0)
		return -1;
	if (object_same(&now.id, &r->push->id))
		r->out->outcome = REMOTE_PUSHED;
	else if (!object_same(&now.id, &r->push->old))
		r->out->outcome = REMOTE_MOVED;
	else
		r->out->outcome = REMOTE_REJECTED;
	return 0;
}

static int conclude(struct report *r, struct error *err)
{
	static const char silent[] = "it did not say why";

	if (r->unpacked && r->told) {
		r->out->outcome = REMOTE_PUSHED;
		return 0;
	}
	if (set_reason(r, "", silent, sizeof(silent) - 1, err) < 0)
		return -1;
	return why_not(r, err);
}

static int make(struct remote *r, const struct remote_push *p, int thin,
		struct plan *plan, int *fd, struct remote_push_result *out,
		struct error *err)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	out->deltas = 0;
	plan_release(plan);
	if (plan_make(plan, r, p, thin, err) < 0)
		return -1;
	out->largest_folder = plan->largest_folder;
	return remote_pack(r, p, plan, fd, out, err);
}

static int talk(struct remote *r, const struct remote_push *p,
		struct plan *plan, int *fd, struct remote_push_result *out,
		struct error *err)
{
	struct report report = { .r = r, .push = p, .out = out };
	struct channel *c = NULL;
	struct advert a;
	int rc;

	if (channel_open(&c, r, SERVICE_PUSH, err) < 0)
		return -1;
	rc = advert_read(&a, r, c, p->ref, err);
	if (rc < 0) {
		channel_close(c);
		return -1;
	}
	if (!object_same(&a.id, &p->old)) {
		out->outcome = object_same(&a.id, &p->id) ? REMOTE_PUSHED
							  : REMOTE_MOVED;
		goto done;
	}
	if (plan->outside && advert_word(a.words, "no-thin"))
		rc = make(r, p, 0, plan, fd, out, err);
	if (!rc)
		rc = exchange(&report, c, &a, *fd, err);
	channel_close(c);
	c = NULL;
	if (!rc)
		rc = conclude(&report, err);
done:
	advert_release(&a);
	channel_close(c);
	return rc;
}

int remote_push(struct remote *r, const struct remote_push *p,
		struct remote_push_result *out, struct error *err)
{
	struct plan plan = { NULL, 0, 0, 0, 0 };
	int fd = -1, rc;

	memset(out, 0, sizeof(*out));
	rc = make(r, p, 1, &plan, &fd, out, err);
	if (!rc && p->made)
		p->made(p->payload, out);
	if (!rc && !p->dry_run)
		rc = talk(r, p, &plan, &fd, out, err);
	if (fd >= 0)
		close(fd);
	plan_release(&plan);
	return rc;
}

int remote_may_push(struct remote *r, const char *ref, struct error *err)
{
	struct channel *c = NULL;
	struct advert a;
	int rc;

	if (channel_open(&c, r, SERVICE_PUSH, err) < 0)
		return -1;
	rc = advert_read(&a, r, c, ref, err);
	if (rc == 0)
		advert_release(&a);
	channel_close(c);
	return rc < 0 ? -1 : 0;
}

void remote_push_result_release(struct remote_push_result *out)
{
	free(out->reason);
	free(out->messages);
	memset(out, 0, sizeof(*out));
}
