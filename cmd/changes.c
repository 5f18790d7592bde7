/* changes.c - what a replay of records changed, told */

#include "cmd/changes.h"

#include "cmd/cmd.h"
#include "cmd/snapshots.h"
#include "restore/restore.h"

void changes_note(const struct cmd *c, const struct restore_changes *changes,
		  int dry_run)
{
	const char *would = dry_run ? "would be " : "";

	for (size_t i = 0; i < changes->count; i++) {
		const struct restore_change *t = &changes->changes[i];

		cmd_note(c,
			 "%s: %llu %sinserted, %llu updated, %llu "
			 "deleted%s",
			 t->table, (unsigned long long)t->inserted, would,
			 (unsigned long long)t->updated,
			 (unsigned long long)t->deleted,
			 t->parent ? " (missing parents only)" : "");
	}
}

json_t *changes_json(const struct restore_changes *changes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < changes->count; i++) {
		const struct restore_change *t = &changes->changes[i];

		json_array_append_new(
			list,
			json_pack("{s:o, s:I, s:I, s:I, s:b}", "table",
				  json_text(t->table), "inserted",
				  (json_int_t)t->inserted, "updated",
				  (json_int_t)t->updated, "deleted",
				  (json_int_t)t->deleted, "parent", t->parent));
	}
	return list;
}
