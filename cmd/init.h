/*
 * init.h - what the files of dbstow init share
 */
#ifndef CMD_INIT_H
#define CMD_INIT_H

#include <jansson.h>
#include <stddef.h>

#include "base/buffer.h"
#include "cmd/cmd.h"
#include "gitstore/gitstore.h"

/** Files that init writes at most: .dbstow and workflows. */
#define INIT_FILES_MAX 4

/** What a name on GitHub is made of. */
#define INIT_OWNER_CHARACTERS                                                  \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"

enum init_workflow { WORKFLOW_NONE, WORKFLOW_EXPORT, WORKFLOW_FETCH };

enum init_state {
	FILE_NEW,
	FILE_SAME,     /* it is there, as it would be written */
	FILE_DIFFERENT /* it is there, and says something else */
};

struct init_file {
	const char *path; /* below the work tree */
	char *owned;      /* the same, to be freed; or NULL */
	struct buffer text;
	enum init_state state;
};

/** Where workflows that run in this repository push to. */
enum init_place {
	PLACE_HERE,     /* to this repository's origin, which is the remote */
	PLACE_NAMED,    /* to the remote, which they name */
	PLACE_OTHERWISE /* to origin, as they cannot reach the remote */
};

/** What workflows that are there already say. */
struct init_before {
	const char *workflow; /* "export", "fetch"; NULL: there is none */
	const char *schedule; /* "weekly", "daily" */
	char *owner;          /* owned; or NULL */
};

struct init {
	struct cmd *cmd;
	/* flags and answers; NULL: not known yet */
	const char *what; /* database or URL */
	const char *remote, *workflow, *schedule;
	const char *action; /* whose dbstow the workflows use */
	const char *source, *key_file, *header, *scratch;
	unsigned int keep;
	int push, yes, allow_public, allow_http;
	int key_in_environment, token_in_environment; /* at first */

	/* what they come to */
	const char *database; /* its file; NULL: a URL is fetched from */
	int asking;           /* on a terminal */
	char *answers[16];    /* owned */
	size_t answer_count;
	struct init_before before;
	int database_checked;
	enum init_place place;
	int has_origin;
	enum init_workflow kind;
	int daily;
	int no_remote;
	const char *configured; /* dbstow.remote; or NULL */
	char *url;              /* of the first remote */
	int branch_there;       /* the remote has the branch */

	struct gitstore *store;
	struct init_file files[INIT_FILES_MAX];
	size_t file_count;
	json_t *steps, *next, *snapshot, *remotes;
	int status;
};

/** One line of the report: "checked   app.db: 12 tables". */
void init_say(struct init *in, const char *step, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** What is left to the user: a command or a sentence. */
void init_next(struct init *in, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- init_ask.c ---- */

/** Ask for what no flag said; without a terminal: defaults with --yes, else
 *  ERROR_USAGE that names the flags. */
int init_ask(struct init *in, struct error *err);

/** @return 1: yes, by --yes or typed; 0; -1: interrupted */
int init_agree(const struct init *in, const char *question, struct error *err);

/* ---- init_check.c ---- */

/** The remotes as sync_run() takes them: one, or those of the configuration.
 *  @return how many stand in in->remote */
size_t init_remotes(const struct init *in);

/** Can the database be read?  Once is enough. */
int init_check_database(struct init *in, struct error *err);

/** All that can be found out before anything is written. */
int init_check(struct init *in, struct error *err);

/* ---- init_files.c ---- */

/** A text of docs/workflows, put in by CMake. */
struct workflow_text {
	const char *name; /* "weekly-fetch.yml" */
	const unsigned char *bytes;
	size_t size;
};

extern const struct workflow_text workflow_texts[];
extern const size_t workflow_text_count;

/** Look at the workflows that are there. */
int init_files_before(struct init *in, struct error *err);

/** Make the files' texts and compare them with what is there. */
int init_files_plan(struct init *in, struct error *err);
/** Write those that are not there yet, or differ. */
int init_files_write(struct init *in, struct error *err);
void init_files_release(struct init *in);

/* ---- init_next.c ---- */

/** Tell what is left to the user, in the order in which it is to be done. */
void init_next_steps(struct init *in);

#endif /* CMD_INIT_H */
