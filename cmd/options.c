/* options.c - parsing and help, both from one table */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cmd/cmd.h"

enum { OPTIONS_MAX = 40, LETTERS_MAX = 3 * OPTIONS_MAX };

/** The command's options and the common ones, as one array. */
static size_t gather(struct cmd *c, const struct cmd_option *own,
		     struct cmd_option out[OPTIONS_MAX])
{
	const struct cmd_option common[] = {
		{ .name = "repo",
		  .text = &c->repo,
		  .arg = "DIR",
		  .env = "DBSTOW_REPO",
		  .help = "git repository (default: the one that holds the "
			  "current folder)" },
		{ .name = "branch",
		  .text = &c->branch,
		  .arg = "NAME",
		  .env = "DBSTOW_BRANCH",
		  .help = "branch of the snapshots (default: "
			  "database-backups)" },
		{ .name = "json",
		  .flag = &c->json,
		  .help = "print JSON to stdout, errors too" },
		{ .name = "quiet",
		  .letter = 'q',
		  .flag = &c->quiet,
		  .help = "no notes and no progress on stderr" },
		{ .name = "help",
		  .letter = 'h',
		  .flag = &c->help,
		  .help = "show this text" },
	};
	size_t n = 0;

	for (; own && own->name; own++)
		out[n++] = *own;
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		out[n++] = common[i];
	return n;
}

static void print_help(const struct cmd *c, const struct cmd_option *options,
		       size_t count)
{
	printf("usage: dbstow %s %s\n\n", c->name, c->usage);
	for (size_t i = 0; i < count; i++) {
		const struct cmd_option *o = &options[i];
		char left[64], value[32] = "";

		if (o->otherwise)
			snprintf(value, sizeof(value), "[=%s]", o->arg);
		else if (o->arg)
			snprintf(value, sizeof(value), " %s", o->arg);
		if (o->letter)
			snprintf(left, sizeof(left), "-%c, --%s%s", o->letter,
				 o->name, value);
		else
			snprintf(left, sizeof(left), "    --%s%s", o->name,
				 value);
		printf("  %-24s %s%s%s%s\n", left, o->help, o->env ? " [" : "",
		       o->env ? o->env : "", o->env ? "]" : "");
	}
}

static int set_number(const struct cmd_option *o, const char *text,
		      struct error *err)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < 1 || n > 1000000)
		return error_set(err, ERROR_USAGE,
				 "--%s takes a whole number from 1 to 1000000, "
				 "not '%s'",
				 o->name, text);
	*o->number = (unsigned int)n;
	return 0;
}

static int list_add(struct cmd_list *l, const char *item, struct error *err)
{
	const char **items = realloc(l->items, (l->count + 1) * sizeof(*items));

	if (!items)
		return error_nomem(err);
	items[l->count++] = item;
	l->items = items;
	return 0;
}

void cmd_list_release(struct cmd_list *l)
{
	free(l->items);
	l->items = NULL;
	l->count = 0;
}

static int set(const struct cmd_option *o, const char *text, struct error *err)
{
	if (o->flag)
		*o->flag = 1;
	else if (o->number)
		return set_number(o, text, err);
	else if (o->list)
		return list_add(o->list, text, err);
	else
		*o->text = text ? text : o->otherwise;
	return 0;
}

/** Values from the environment for options that were left out. */
static int from_environment(const struct cmd_option *options, size_t count,
			    const int *seen, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		const char *value = options[i].env ? getenv(options[i].env)
						   : NULL;

		if (!seen[i] && value && *value &&
		    set(&options[i], value, err) < 0)
			return -1;
	}
	return 0;
}

static int usage_error(const struct cmd *c, char **argv, int at, int code,
		       struct error *err)
{
	char letter[3] = { '-', (char)optopt, '\0' };
	const char *word = argv[at > 0 ? at - 1 : 0];

	/* a cluster of letters is not done with when one is unknown */
	if (optopt > 0 && optopt < 256)
		word = letter;
	if (code == ':')
		return error_set(err, ERROR_USAGE,
				 "option '%s' needs a value; see 'dbstow help "
				 "%s'",
				 word, c->name);
	return error_set(err, ERROR_USAGE,
			 "unknown option '%s'; see 'dbstow help %s'", word,
			 c->name);
}

static int take_positional(const struct cmd *c, int argc, char **argv,
			   const char **positional, size_t min, size_t max,
			   struct error *err)
{
	size_t count = (size_t)(argc - optind);

	if (count > max)
		return error_set(err, ERROR_USAGE,
				 "unexpected argument '%s'; usage: dbstow %s "
				 "%s",
				 argv[optind + (int)max], c->name, c->usage);
	if (count < min)
		return error_set(err, ERROR_USAGE,
				 "an argument is missing; usage: dbstow %s %s",
				 c->name, c->usage);
	for (size_t i = 0; i < max; i++)
		positional[i] = i < count ? argv[optind + (int)i] : NULL;
	return 0;
}

int cmd_parse(struct cmd *c, const struct cmd_option *own, int argc,
	      char **argv, const char **positional, size_t min, size_t max,
	      struct error *err)
{
	struct cmd_option options[OPTIONS_MAX];
	struct option longs[OPTIONS_MAX + 1] = { { NULL, 0, NULL, 0 } };
	char letters[LETTERS_MAX] = ":";
	int seen[OPTIONS_MAX] = { 0 };
	size_t count = gather(c, own, options), at = 1;
	int code;

	for (size_t i = 0; i < count; i++) {
		longs[i].name = options[i].name;
		longs[i].has_arg = options[i].flag        ? no_argument
				   : options[i].otherwise ? optional_argument
							  : required_argument;
		longs[i].val = 256 + (int)i;
		if (options[i].letter) {
			letters[at++] = options[i].letter;
			if (!options[i].flag)
				letters[at++] = ':';
		}
	}
	letters[at] = '\0';

	optind = 0; /* from the beginning: a command may run another */
	opterr = 0;
	while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		size_t i;

		if (code == '?' || code == ':')
			return usage_error(c, argv, optind, code, err);
		for (i = 0; i < count; i++) {
			if (code == 256 + (int)i || code == options[i].letter)
				break;
		}
		seen[i] = 1;
		if (set(&options[i], optarg, err) < 0)
			return -1;
	}
	if (c->help) {
		print_help(c, options, count);
		return 1;
	}
	if (from_environment(options, count, seen, err) < 0)
		return -1;
	return take_positional(c, argc, argv, positional, min, max, err);
}
