/* staging.c - records as rows, for a restore and for a drill */

#include "cmd/staging.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/error.h"
#include "snapshot/model_map.h"
#include "snapshot/records.h"

static int tick(struct restore_progress *p, const char *model, uint64_t rows)
{
	return cmd_progress_tick(&((struct staging *)p)->shown, model, rows);
}

int staging_open(struct staging *s, const struct cmd *c, struct source *from,
		 const char *map, struct error *err)
{
	s->base.tick = tick;
	s->shown.cmd = c;
	if (map && model_map_read(&s->map, map, err) < 0)
		return -1;
	s->how.map = s->map;
	s->how.progress = &s->base;
	return records_open(&s->records, from, err);
}

int staging_make(struct staging *s, const char *target, const char *path,
		 struct error *err)
{
	int rc;

	cmd_progress_begin(&s->shown, s->shown.cmd, "stage", 0);
	rc = restore_records(s->records, target, path, &s->how, &s->staged,
			     err);
	cmd_progress_end(&s->shown);
	return rc;
}

static int replay(struct staging *s, const char *staged, const char *target,
		  struct error *err)
{
	const struct restore_selection all = { .records = &s->staged };
	struct restore_changes changes;

	if (restore_into(staged, s->staged.catalog, target, &all, &changes,
			 err) < 0)
		return -1;
	restore_changes_release(&changes);
	return 0;
}

static int compare(struct staging *s, const char *path, struct error *err)
{
	int rc;

	cmd_progress_begin(&s->shown, s->shown.cmd, "compare", 0);
	rc = restore_records_check(s->records, path, &s->how, err);
	cmd_progress_end(&s->shown);
	return rc;
}

int staging_drill(struct staging *s, const char *copy, struct error *err)
{
	struct buffer staged = BUFFER_INIT;
	int rc = -1;

	/* applications' migrations fill join tables, too */
	s->how.new_links = 1;
	buffer_printf(&staged, "%s.records", copy);
	if (!buffer_cstr(&staged))
		error_nomem(err);
	else if (staging_make(s, copy, staged.data, err) == 0 &&
		 replay(s, staged.data, copy, err) == 0)
		rc = compare(s, copy, err);
	buffer_release(&staged);
	return rc;
}

void staging_release(struct staging *s)
{
	staged_records_release(&s->staged);
	records_free(s->records);
	model_map_free(s->map);
}
