/*
 * safety.h - what a database held before a restore touched it
 */
#ifndef CMD_SAFETY_H
#define CMD_SAFETY_H

struct cmd;
struct error;

/**
 * Keep the content of `target`: under refs/dbstow/undo/ of the repository,
 * outside the branch and its retention; without a repository as a copy
 * NAME.pre-restore-TIME beside it.
 *
 * @param undo  receives the command that brings it back, in new memory
 */
int safety_keep(const struct cmd *c, const char *target, char **undo,
		struct error *err);

/** The schema revision of a database, in new memory, or NULL. */
char *safety_schema_revision(const char *target);

#endif /* CMD_SAFETY_H */
