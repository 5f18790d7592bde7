/* main.c - the table of commands, and the way from errors to exit statuses */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cmd/cmd.h"

static const struct command {
	const char *name;
	int (*run)(struct cmd *c, int argc, char **argv, struct error *err);
	const char *usage;
	const char *summary;
} commands[] = {
	{ "init", cmd_init, "[DB|URL] [options]",
	  "set up backups: checks, the first snapshot, a schedule" },
	{ "export", cmd_export, "DB [options]",
	  "put a snapshot of a database on the branch" },
	{ "fetch", cmd_fetch, "URL [options]",
	  "a running application's export onto the branch, over HTTPS" },
	{ "import", cmd_import, "FILE|- [options]",
	  "put the snapshot that a document holds on the branch" },
	{ "list", cmd_list, "[options]", "the snapshots on the branch" },
	{ "show", cmd_show, "[SNAP] [options]", "one snapshot and its tables" },
	{ "diff", cmd_diff, "[A [B]] [options]",
	  "what changed between two snapshots" },
	{ "verify", cmd_verify, "[SNAP | --all | --from PATH] [options]",
	  "read a snapshot back and check every hash" },
	{ "restore", cmd_restore,
	  "[SNAP | --at TIME | --from PATH] --to DB [options]",
	  "bring a snapshot back as a database" },
	{ "serve", cmd_serve, "DB [options]",
	  "the endpoint that fetch asks, for applications without one" },
	{ "status", cmd_status, "[options]",
	  "is there a fresh, proven snapshot?" },
	{ "sync", cmd_sync, "[REMOTE]... [options]",
	  "the branch to a git remote and back" },
	{ "pin", cmd_pin, "SNAP [options]", "keep a snapshot for ever" },
	{ "unpin", cmd_unpin, "SNAP [options]", "let retention decide again" },
	{ "delete", cmd_delete, "SNAP [options]",
	  "take a snapshot off the branch" },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *out)
{
	fputs("dbstow keeps a database safe in git.\n\n"
	      "usage: dbstow COMMAND [options]\n\n",
	      out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-9s %s\n", commands[i].name,
			commands[i].summary);
	fputs("  help      show the options of a command: dbstow help export\n"
	      "  version   show the version\n\n"
	      "exit status: 0 done, 1 failed, 2 usage, 3 damage or mismatch, "
	      "4 conflict,\n"
	      "5 network, 6 refused for safety, 7 done but needs attention, "
	      "130 interrupted\n",
	      out);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static int report(const struct error *err, int json)
{
	const char *name;
	int status = cmd_exit_status(err->code, &name);

	if (json) {
		json_t *o = json_pack("{s:{s:s,s:i,s:s%}}", "error", "code",
				      name, "exit", status, "message",
				      err->message, strlen(err->message));

		if (o)
			json_dumpf(o, stdout, JSON_INDENT(2));
		else /* not UTF-8: say at least what kind it was */
			printf("{\"error\": {\"code\": \"%s\", \"exit\": %d}}",
			       name, status);
		putchar('\n');
		json_decref(o);
	}
	fprintf(stderr, "dbstow: %s\n", err->message);
	return status;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct cmd c = { .name = command->name, .usage = command->usage };
	struct error err = ERROR_INIT;
	int rc;

	/* so that a wrong option in front of it is told as JSON, too */
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		c.json |= !strcmp(argv[i], "--json");
	cmd_catch_signals();
	rc = command->run(&c, argc, argv, &err);
	if (rc < 0)
		return report(&err, c.json);
	if (fflush(stdout) || ferror(stdout)) {
		error_errno(&err, ERROR_FAILED, "cannot write to stdout");
		return report(&err, 0);
	}
	return rc;
}

static int help(int argc, char **argv)
{
	const struct command *command;
	char *ask[] = { argv[0], (char[]){ "--help" }, NULL };

	if (argc < 3) {
		print_usage(stdout);
		return 0;
	}
	command = find_command(argv[2]);
	if (!command) {
		fprintf(stderr, "dbstow: unknown command '%s'\n", argv[2]);
		return 2;
	}
	return run(command, 2, ask);
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_usage(stderr);
		return 2;
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") ||
	    !strcmp(argv[1], "-h"))
		return help(argc, argv);
	if (!strcmp(argv[1], "version") || !strcmp(argv[1], "--version")) {
		puts("dbstow " DBSTOW_VERSION);
		return 0;
	}
	command = find_command(argv[1]);
	if (!command) {
		fprintf(stderr,
			"dbstow: unknown command '%s'; see 'dbstow help'\n",
			argv[1]);
		return 2;
	}
	return run(command, argc - 1, argv + 1);
}
