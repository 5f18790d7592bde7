/*
 * changes.h - what a replay of records changed, told
 */
#ifndef CMD_CHANGES_H
#define CMD_CHANGES_H

#include <jansson.h>

struct cmd;
struct restore_changes;

/** A note for each table.
 *  @param dry_run  nothing was changed */
void changes_note(const struct cmd *c, const struct restore_changes *changes,
		  int dry_run);

/** "changes" of restore --json. */
json_t *changes_json(const struct restore_changes *changes);

#endif /* CMD_CHANGES_H */
