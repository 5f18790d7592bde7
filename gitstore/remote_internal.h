/*
 * remote_internal.h - what the files of gitstore/remote_*.c share
 *
 *   remote_url.c      URLs
 *   remote_pkt.c      pkt-lines and side bands
 *   remote_process.c  a channel through a program: ssh, git
 *   remote_https.c    a channel over HTTPS
 *   remote_advert.c   what a server says of itself and of its refs
 *   remote_have.c     what is here already
 *   remote_fetch.c    objects from there
 *   remote_plan.c     which objects a push has to send
 *   remote_pack.c     ... and the pack of them
 *   remote_push.c     sending it
 *   remote_readers.c  who can read it
 *   remote_rules.c    what GitHub says of a branch
 *   remote.c          the rest: opening, the transfer repository
 */
#ifndef GITSTORE_REMOTE_INTERNAL_H
#define GITSTORE_REMOTE_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "gitstore/gitstore_internal.h"
#include "gitstore/remote.h"

/* No byte for this long: a server works on big things, but says so meanwhile
 * (every 5 s, as git comes). */
#define REMOTE_STALL_S 45
/* A list of refs is short; a pack takes as long as a line takes that is worth
 * the name, which 2 GB within six hours (0.8 Mbit/s) is just about. */
#define REMOTE_REFS_S  55
#define REMOTE_TOTAL_S (6 * 3600)

/* ---- remote_url.c ---- */

struct remote_url {
	enum remote_kind kind;
	char *text; /* as it was given; without secrets, or it was refused */
	char *host; /* of ssh: "user@host"; NULL for a folder */
	char *port; /* or NULL */
	char *path; /* of ssh and folders, as the other side takes it */
};

int remote_url_parse(struct remote_url *out, const char *text,
		     int allow_http_loopback, struct error *err);
void remote_url_release(struct remote_url *u);

/** Append `text` with all but what URLs take as it is, and characters of
 *  `also`, as "%20". */
void remote_url_escape(struct buffer *out, const char *text, const char *also);

/* ---- remote_pkt.c ---- */

#define PKT_MAX 65520 /* its 4 digits included */

enum pkt { PKT_LINE, PKT_FLUSH, PKT_DELIMITER };

/** Takes bytes as they come, hands on lines. */
struct pkt_reader {
	/* @return 0: go on; 1: that was the last that is expected; -1 */
	int (*take)(void *payload, enum pkt kind, const char *data, size_t size,
		    struct error *err);
	void *payload;
	const char *label; /* of the remote */
	int done;          /* the last one came */
	size_t used;
	char bytes[PKT_MAX];
};

void pkt_reader_init(struct pkt_reader *p, const char *label,
		     int (*take)(void *payload, enum pkt kind, const char *data,
				 size_t size, struct error *err),
		     void *payload);

/** @return 0, or -1: what came is no pkt-line, "ERR", or take() failed */
int pkt_feed(struct pkt_reader *p, const void *data, size_t size,
	     struct error *err);

/** Append a line; its 4 digits are added. */
void pkt_printf(struct buffer *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void pkt_flush(struct buffer *out);
void pkt_delimiter(struct buffer *out);

/** A line's size without a newline at its end. */
size_t pkt_trim(const char *data, size_t size);

/** What a server tells people, as it may be shown: whole lines, bounded,
 *  without control characters and without those that were overwritten. */
struct server_text {
	struct buffer lines, line;
};

void server_text_add(struct server_text *t, const char *data, size_t size);
/** @return what was said, in new memory, lines end in '\n'; NULL: nothing */
char *server_text_detach(struct server_text *t);
/** Append it as one line. */
void server_text_join(struct buffer *out, const char *data, size_t size);

/* ---- channels: remote_process.c, remote_https.c ---- */

enum remote_service { SERVICE_FETCH, SERVICE_PUSH };

/** What is asked: `head`, then `body_size` bytes of `body_fd` from 0. */
struct request {
	struct buffer head;
	int body_fd;
	uint64_t body_size;
};

/** One talk with one service of a remote. */
struct channel {
	/* Begin: feed the advertisement to `in` until it is done. */
	int (*greet)(struct channel *c, struct pkt_reader *in,
		     struct error *err);
	/* Ask, and feed the answer to `in` until it is done. */
	int (*ask)(struct channel *c, const struct request *q,
		   struct pkt_reader *in, struct error *err);
	void (*close)(struct channel *c);
};

int channel_open(struct channel **out, struct remote *r,
		 enum remote_service service, struct error *err);
void channel_close(struct channel *c);

int process_channel(struct channel **out, struct remote *r,
		    enum remote_service service, struct error *err);
int https_channel(struct channel **out, struct remote *r,
		  enum remote_service service, struct error *err);

/**
 * What the user's ssh connects to for r's host, which may be an alias in its
 * configuration.  Nothing is connected.
 *
 * @param out  receives the name in new memory
 * @return 0; 1: it does not say; -1
 */
int remote_ssh_host(struct remote *r, char **out, struct error *err);

/** Have r->https. */
int remote_https_open(struct remote *r, struct error *err);

/* ---- remote_advert.c ---- */

struct advert {
	int version;         /* 0 or 2 */
	char *words;         /* capabilities between blanks */
	char *fetch;         /* version 2: those of its fetch */
	struct object_id id; /* of the ref that was asked for; or zero */
	size_t branches;
};

/** Greet and read what is said; in version 2, ask for the refs.
 *  @param ref  in full */
int advert_read(struct advert *a, struct remote *r, struct channel *c,
		const char *ref, struct error *err);
void advert_release(struct advert *a);

/** Is `word` (or "WORD=...") among the words?  NULL for none.
 *  @return what stands behind it, "" or "=...", borrowed; or NULL */
const char *advert_word(const char *words, const char *word);

/** Can a commit be asked for that is no ref's tip? */
int advert_any_commit(const struct advert *a);
/** Can commits be had without files? */
int advert_filters(const struct advert *a);

/* ---- remote_have.c ---- */

/** Add a tree and all that it reaches to `ids`, as far as it can be read.
 *  @return 0; 1: something of it is not there; -1 */
int tree_ids(struct remote *r, const struct object_id *tree, struct id_set *ids,
	     struct error *err);

/** A commit, its files and, where `parents`, theirs are all there?
 *  @return 0: yes; 1: no; -1 */
int commit_is_whole(struct remote *r, const struct object_id *id, int parents,
		    struct error *err);

struct id_list {
	struct object_id *ids;
	size_t count, capacity;
};

int id_list_add(struct id_list *l, const struct object_id *id,
		struct error *err);

/** The snapshots that we have with all their files. */
int haves_find(struct id_list *out, struct remote *r, struct error *err);

/* ---- remote_plan.c, remote_pack.c ---- */

struct plan_object {
	struct object_id id, base; /* all zero: whole */
	enum pack_type type;
};

/** What a push has to send, bases in front of what is made from them. */
struct plan {
	struct plan_object *objects;
	size_t count, capacity;
	int outside; /* a base is only at the other side: a thin pack */
	size_t largest_folder;
};

/** @param thin  bases may be objects that only the other side has */
int plan_make(struct plan *out, struct remote *r, const struct remote_push *p,
	      int thin, struct error *err);
void plan_release(struct plan *p);

/**
 * Write the pack into a file without a name.
 *
 * @param fd_out  receives its descriptor, which the caller closes
 * @param out     receives the figures
 */
int remote_pack(struct remote *r, const struct remote_push *p,
		const struct plan *plan, int *fd_out,
		struct remote_push_result *out, struct error *err);

/* ---- remote.c ---- */

/** A pack in the transfer repository. */
struct fetched {
	char *stem;       /* its path without ".pack" */
	int commits_only; /* their files were left out */
};

struct remote {
	struct gitstore *g;        /* the user's */
	struct gitstore *transfer; /* or NULL until needed */
	char *folder;              /* its scratch folder */
	struct remote_url url;
	char *label;
	char *cacert, *token_file;
	int allow_http_loopback;
	int (*interrupted)(void);
	struct https *https;             /* or NULL until needed */
	struct credentials *credentials; /* the same */
	struct fetched *fetched;         /* packs that are not kept yet */
	size_t fetched_count;
};

/** The transfer repository's objects/pack; new memory. */
char *remote_pack_folder(struct remote *r, struct error *err);

/** Remember a pack that arrived; `stem` becomes the remote's. */
int remote_add_fetched(struct remote *r, char *stem, int commits_only,
		       struct error *err);

/** Read an object of ours or of what was fetched, after what `out` holds.
 *  @return 0; 1: it is not there, or is damaged; -1 */
int remote_object(struct remote *r, const struct object_id *id,
		  enum pack_type type, struct buffer *out, struct error *err);

#endif /* GITSTORE_REMOTE_INTERNAL_H */
