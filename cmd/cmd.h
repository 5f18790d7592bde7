/*
 * cmd.h - commands, and what they share
 *
 * A command is a table of options and a short story.  Adding one: a file
 * cmd_NAME.c, a line here, a line in main.c's table, a script in tests/cli/.
 *
 * A command returns an exit status (0, or 7 when all was done but something
 * needs attention), or -1 with `err` set; main.c prints the error and turns
 * its code into a status.  Data goes to stdout, everything else to stderr.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct gitstore;
struct history;
struct json_t;

#define EXIT_ATTENTION 7

/** How remotes are reached. */
struct remote_access {
	const char *remote; /* to read from, instead of the local branch */
	const char *cacert, *token_file;
};

/** What a command is given. */
struct cmd {
	const char *name;
	const char *usage; /* "DB [--repo DIR] ..." */
	/* common options */
	const char *repo;
	const char *branch;
	int json;
	int quiet;
	int help;
	unsigned int jobs;      /* --jobs where a command has it; 0: left out */
	struct json_t **report; /* who runs it as a part wants its JSON here,
				   and nothing on stdout; else NULL */
	/* options of some */
	struct remote_access access;
};

int cmd_delete(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_diff(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_export(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_fetch(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_import(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_init(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_list(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_pin(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_restore(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_serve(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_sync(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_show(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_status(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_unpin(struct cmd *c, int argc, char **argv, struct error *err);
int cmd_verify(struct cmd *c, int argc, char **argv, struct error *err);

/* ---- options.c ---- */

struct cmd_list {
	const char **items; /* freed by cmd_list_release(), texts borrowed */
	size_t count;
};

/** One option; exactly one of the four places is set. */
struct cmd_option {
	const char *name;
	char letter; /* short form, or 0 */
	int *flag;
	const char **text;
	unsigned int *number;
	struct cmd_list *list;
	const char *arg;       /* "NAME"; NULL for flags */
	const char *otherwise; /* of a text: its value where "=NAME" is left
				  out, which it then may be */
	const char *env; /* variable that gives the value where the option is
			    left out, or NULL */
	const char *help;
};

/**
 * Parse options and positional arguments, print the help where asked.
 *
 * @param options     ends with a zeroed one; the common options are added
 * @param positional  receives up to `max` arguments, NULL for missing ones
 * @return 0; 1 when help was printed; -1 with ERROR_USAGE
 */
int cmd_parse(struct cmd *c, const struct cmd_option *options, int argc,
	      char **argv, const char **positional, size_t min, size_t max,
	      struct error *err);
void cmd_list_release(struct cmd_list *l);

/* Options of commands that talk to remotes ... */
#define CMD_ACCESS_OPTIONS(c)                                                  \
	{ .name = "cacert",                                                    \
	  .text = &(c)->access.cacert,                                         \
	  .arg = "FILE",                                                       \
	  .env = "DBSTOW_CACERT",                                              \
	  .help = "more certificate authorities, for https" },                 \
	{                                                                      \
		.name = "token-file", .text = &(c)->access.token_file,         \
		.arg = "FILE", .env = "DBSTOW_TOKEN_FILE",                     \
		.help = "file with the token for https; mode 0600"             \
	}
/* ... and of those that can read from one. */
#define CMD_REMOTE_OPTIONS(c)                                                  \
	{ .name = "remote",                                                    \
	  .text = &(c)->access.remote,                                         \
	  .arg = "REMOTE",                                                     \
	  .help = "read the branch at this git remote, a name or a URL" },     \
		CMD_ACCESS_OPTIONS(c)

/* ---- exit_status.c ---- */

/** The exit status of an error, and its name in JSON. */
int cmd_exit_status(enum error_code code, const char **name);

/* ---- support.c ---- */

/** Open the repository that --repo, DBSTOW_REPO or the current folder names,
 *  on the branch that --branch, DBSTOW_BRANCH or the configuration names. */
int cmd_open_store(const struct cmd *c, struct gitstore **out,
		   struct error *err);

/**
 * The file that a database argument names: a path, "sqlite:PATH", or a URL as
 * applications configure it ("sqlite:///relative.db", "sqlite:////absolute").
 *
 * @param path  borrowed from `text`
 * @return 0, or -1 with ERROR_USAGE for another engine's URL; the message
 *         holds the engine's name only, as such URLs carry passwords
 */
int cmd_database(const char *text, const char **path, struct error *err);

/** A note for people on stderr, unless --quiet. */
void cmd_note(const struct cmd *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** Something that needs attention: on stderr also with --quiet. */
void cmd_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** "15,607" */
#define CMD_NUMBER_SIZE 32
const char *cmd_number(char out[CMD_NUMBER_SIZE], uint64_t n);
/** "2.1 MB" (1 MB is 10^6 bytes) */
const char *cmd_bytes(char out[CMD_NUMBER_SIZE], uint64_t bytes);

/** "500", "64k", "10M", "2G" (powers of 1000). @return 0; -1: it is none */
int cmd_bytes_parse(uint64_t *out, const char *text);
/** "1 row", "15,607 rows" */
const char *cmd_count(char out[CMD_NUMBER_SIZE * 2], uint64_t n,
		      const char *what);

/** Ask on the terminal until `expected` is typed; @return 1 typed, 0 not (or
 *  no terminal). */
int cmd_confirm(const char *question, const char *expected);

/** The line that is typed, without its end, in new memory; NULL: none, or
 *  interrupted. */
char *cmd_answer(void);

/** Catch SIGINT and SIGTERM; afterwards cmd_interrupted() tells. */
void cmd_catch_signals(void);
int cmd_interrupted(void);

/** Begin a thread; signals stay the main thread's.
 *  @return 1, or 0: it goes without */
int cmd_thread(pthread_t *out, void *(*work)(void *payload), void *payload);

/** Progress on a terminal: rows, rate, time left. */
struct cmd_progress {
	const struct cmd *cmd;
	const char *what; /* "export" */
	uint64_t total;   /* rows expected, 0: unknown */
	uint64_t done_before;
	int64_t started_ms, shown_ms;
	int shown;
};
void cmd_progress_begin(struct cmd_progress *p, const struct cmd *c,
			const char *what, uint64_t total);
/** @return 0, or 1 when interrupted */
int cmd_progress_tick(struct cmd_progress *p, const char *table, uint64_t rows);
void cmd_progress_end(struct cmd_progress *p);

#endif /* CMD_CMD_H */
