/*
 * init_files.c - .dbstow and workflows, from the texts in docs/workflows
 *
 * The texts are used as they stand there; a few lines in them are told apart
 * by their exact words and get what the user chose.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "cmd/init.h"
#include "gitstore/sync.h"
#include "snapshot/text.h"

#define FILE_MAX ((size_t)1 << 20)

/* ---- lines of a workflow ---- */

/* Put `with` in place of `line`, or behind it. @return how often it was there
 */
static size_t edit(struct buffer *text, const char *line, const char *with,
		   int behind)
{
	struct buffer out = BUFFER_INIT;
	const char *p = text->data, *end = p + text->size, *newline;
	size_t size = strlen(line), found = 0;

	for (; p < end; p = newline + 1) {
		newline = memchr(p, '\n', (size_t)(end - p));
		if (!newline)
			newline = end;
		if ((size_t)(newline - p) < size || memcmp(p, line, size) ||
		    (!behind && (size_t)(newline - p) != size)) {
			buffer_add(&out, p, (size_t)(newline - p));
		} else {
			if (behind) {
				buffer_add(&out, p, (size_t)(newline - p));
				buffer_byte(&out, '\n');
			}
			buffer_str(&out, with);
			found++;
		}
		buffer_byte(&out, '\n');
	}
	buffer_release(text);
	*text = out;
	return found;
}

/* A line of the text must be there: else it has changed, and this with it. */
static int replace(struct init_file *f, const char *line, const char *with,
		   struct error *err)
{
	if (edit(&f->text, line, with, 0))
		return 0;
	return error_set(err, ERROR_FAILED,
			 "the workflow '%s' has no line '%s'", f->path, line);
}

/* Text of the user's as YAML, in quotes.  What GitHub would take for an
 * expression cannot be written so. */
static int put_quoted(struct buffer *out, const char *what, const char *text,
		      struct error *err)
{
	if (strstr(text, "${{") ||
	    text_json_string(out, text, strlen(text)) != 0)
		return error_set(err, ERROR_USAGE,
				 "the %s '%s' cannot be written into a "
				 "workflow",
				 what, text);
	return 0;
}

/* The database as the job finds it: in the work tree, or where it is. */
static char *database_path(const struct init *in)
{
	const char *top = gitstore_work_tree(in->store);
	char *real = realpath(in->database, NULL);
	char *root = top ? realpath(top, NULL) : NULL;
	size_t size = root ? strlen(root) : 0;
	char *out = NULL;

	if (real && root && !strncmp(real, root, size) && real[size] == '/')
		out = strdup(real + size + 1);
	else if (real)
		out = strdup(real);
	free(real);
	free(root);
	return out;
}

static int edit_database(struct init *in, struct init_file *f,
			 struct error *err)
{
	struct buffer line = BUFFER_INIT;
	char *path = database_path(in);
	int rc = -1;

	if (!path) {
		error_errno(err, ERROR_FAILED, "cannot find '%s'",
			    in->database);
		goto done;
	}
	buffer_str(&line, "          db: ");
	if (put_quoted(&line, "path", path, err) == 0)
		rc = buffer_cstr(&line) ? replace(f, "          db: app.db",
						  line.data, err)
					: error_nomem(err);
done:
	buffer_release(&line);
	free(path);
	return rc;
}

static int edit_keep(struct init *in, struct init_file *f, struct error *err)
{
	char line[64];

	snprintf(line, sizeof(line), "          keep: %u", in->keep);
	return replace(f, "          keep: 8", line, err);
}

/* One more input, for each step with a mode. */
static int add_input(struct init_file *f, const char *name, const char *value,
		     struct error *err)
{
	struct buffer line = BUFFER_INIT;
	int rc = -1;

	buffer_printf(&line, "          %s: ", name);
	if (put_quoted(&line, name, value, err) < 0)
		goto done;
	if (!buffer_cstr(&line))
		error_nomem(err);
	else if (!edit(&f->text, "          mode: ", line.data, 1))
		error_set(err, ERROR_FAILED,
			  "the workflow '%s' has no line with a mode", f->path);
	else
		rc = 0;
done:
	buffer_release(&line);
	return rc;
}

/* A remote that is not the repository that the workflow runs in. */
static int add_remote(struct init *in, struct init_file *f, struct error *err)
{
	const char *token = "          token: ${{ secrets.DBSTOW_TOKEN }}";

	if (in->place != PLACE_NAMED)
		return 0;
	/* nothing is written to the own repository then */
	edit(&f->text, "      contents: write", "      contents: read", 0);
	edit(&f->text, "          mode: ", token, 1);
	return add_input(f, "remote", in->url, err);
}

static int add_inputs(struct init *in, struct init_file *f, struct error *err)
{
	const char *branch = gitstore_branch(in->store);

	if (add_remote(in, f, err) < 0)
		return -1;
	return strcmp(branch, GITSTORE_BRANCH)
		       ? add_input(f, "branch", branch, err)
		       : 0;
}

/* As the first snapshot was taken: else the next would be another source's, or
 * its key would not be found. */
static int add_storing_inputs(struct init *in, struct init_file *f,
			      struct error *err)
{
	struct buffer option = BUFFER_INIT;
	int rc = 0;

	if (in->source)
		rc = add_input(f, "source", in->source, err);
	if (rc == 0 && in->kind == WORKFLOW_FETCH && in->header) {
		buffer_printf(&option, "--header=%s", in->header);
		rc = buffer_cstr(&option)
			     ? add_input(f, "options", option.data, err)
			     : error_nomem(err);
	}
	buffer_release(&option);
	return rc;
}

/* Put a word in place of another, wherever it stands. */
static int replace_word(struct init_file *f, const char *word, const char *with,
			struct error *err)
{
	struct buffer out = BUFFER_INIT;
	const char *p = f->text.data, *end = p + f->text.size, *at;
	const size_t size = strlen(word);

	while ((at = memmem(p, (size_t)(end - p), word, size))) {
		buffer_add(&out, p, (size_t)(at - p));
		buffer_str(&out, with);
		p = at + size;
	}
	buffer_add(&out, p, (size_t)(end - p));
	buffer_release(&f->text);
	f->text = out;
	return buffer_failed(&out) ? error_nomem(err) : 0;
}

/* ---- what is there ---- */

/* "https://host/o/r.git" and "git@host:o/r" are one place. @return new memory
 */
static char *place_of(const char *url)
{
	const char *rest = strstr(url, "://");
	const char *at;
	char *out, *colon;
	size_t size;

	rest = rest ? rest + 3 : url;
	at = memchr(rest, '@', strcspn(rest, "/"));
	out = strdup(at ? at + 1 : rest);
	if (!out)
		return NULL;
	colon = strchr(out, ':');
	if (!strstr(url, "://") && colon && colon < out + strcspn(out, "/"))
		*colon = '/';
	size = strlen(out);
	while (size && out[size - 1] == '/')
		out[--size] = '\0';
	if (size > 4 && !strcmp(out + size - 4, ".git"))
		out[size - 4] = '\0';
	return out;
}

/* Where the workflows push to: of themselves, to the repository they run in,
 * which is the work tree's origin. */
static int find_place(struct init *in, struct error *err)
{
	struct sync_names origin;
	char *a, *b;
	int rc = 0;

	in->place = PLACE_HERE;
	if (sync_names_find(in->store, "origin", &origin, NULL) < 0)
		return 0;
	in->has_origin = 1;
	a = place_of(origin.urls[0]);
	b = in->url ? place_of(in->url) : NULL;
	if (!a || (in->url && !b))
		rc = error_nomem(err);
	else if (b && strcasecmp(a, b) != 0)
		in->place = strncmp(in->url, "https://", 8) ? PLACE_OTHERWISE
							    : PLACE_NAMED;
	free(a);
	free(b);
	sync_names_release(&origin);
	return rc;
}

/* "uses: OWNER/dbstow/.github/actions/backup@v1"; NULL: none */
static char *owner_in(const struct buffer *text)
{
	static const char action[] = "/dbstow/.github/actions/backup@";
	const char *end, *p;

	if (!text->size)
		return NULL;
	p = end = memmem(text->data, text->size, action, sizeof(action) - 1);
	while (p && p > text->data && p[-1] &&
	       strchr(INIT_OWNER_CHARACTERS, p[-1]))
		p--;
	return p && p < end ? strndup(p, (size_t)(end - p)) : NULL;
}

int init_files_before(struct init *in, struct error *err)
{
	static const char *const kinds[] = { "export", "fetch" };
	const char *top = in->store ? gitstore_work_tree(in->store) : NULL;
	static const char daily[] = "- cron: \"7 0 * * *\"";
	char name[64], *path;

	in->before.schedule = "weekly";
	for (size_t i = 0; top && i < 2 && !in->before.workflow; i++) {
		struct buffer text = BUFFER_INIT;

		snprintf(name, sizeof(name), ".github/workflows/weekly-%s.yml",
			 kinds[i]);
		path = path_join(top, name);
		if (!path)
			return error_nomem(err);
		/* what is wrong with it is told when it is to be written */
		if (file_read(path, FILE_MAX, &text, NULL) == 0) {
			in->before.workflow = kinds[i];
			in->before.owner = owner_in(&text);
			if (text.size && memmem(text.data, text.size, daily,
						sizeof(daily) - 1))
				in->before.schedule = "daily";
		}
		buffer_release(&text);
		free(path);
	}
	return 0;
}

/* ---- which files ---- */

static int take_text(struct init_file *f, const char *name, struct error *err)
{
	size_t i;

	for (i = 0; i < workflow_text_count; i++) {
		const struct workflow_text *t = &workflow_texts[i];

		if (strcmp(t->name, name) != 0)
			continue;
		buffer_add(&f->text, t->bytes, t->size);
		return buffer_failed(&f->text) ? error_nomem(err) : 0;
	}
	return error_set(err, ERROR_FAILED,
			 "this dbstow was built without the workflow '%s'",
			 name);
}

/* Is the file there, and what does it say? */
static int look(struct init *in, struct init_file *f, struct error *err)
{
	struct buffer there = BUFFER_INIT;
	char *path = path_join(gitstore_work_tree(in->store), f->path);
	int rc;

	if (!path)
		return error_nomem(err);
	rc = file_read(path, FILE_MAX, &there, err);
	if (rc > 0)
		f->state = FILE_NEW;
	else if (rc == 0)
		f->state = there.size == f->text.size &&
					   !memcmp(there.data, f->text.data,
						   there.size)
				   ? FILE_SAME
				   : FILE_DIFFERENT;
	buffer_release(&there);
	free(path);
	return rc < 0 ? -1 : 0;
}

static int plan_workflow(struct init *in, const char *name, struct error *err)
{
	struct init_file *f = &in->files[in->file_count++];
	const char *weekly = "    - cron: \"7 0 * * 0\" # UTC; full hours are "
			     "crowded";
	int rc;

	f->owned = path_join(".github/workflows", name);
	f->path = f->owned;
	if (!f->path)
		return error_nomem(err);
	rc = take_text(f, name, err);
	if (rc == 0 && !strncmp(name, "weekly-", 7)) {
		rc = edit_keep(in, f, err);
		if (rc == 0 && in->kind == WORKFLOW_EXPORT)
			rc = edit_database(in, f, err);
		if (rc == 0)
			rc = add_storing_inputs(in, f, err);
		if (rc == 0 && in->daily)
			rc = replace(f, weekly,
				     "    - cron: \"7 0 * * *\" # UTC; full "
				     "hours are crowded",
				     err);
	}
	if (rc == 0 && in->daily && !strncmp(name, "freshness-", 10))
		rc = replace(f, "          max-age: 8d # a week and a day",
			     "          max-age: 2d", err);
	if (rc == 0)
		rc = add_inputs(in, f, err);
	if (rc == 0 && in->daily)
		rc = replace_word(f, "# Every Sunday ", "# Every day ", err);
	if (rc == 0 && in->action) /* whose the workflow uses */
		rc = replace_word(f, "<owner>", in->action, err);
	if (rc == 0 && buffer_failed(&f->text))
		rc = error_nomem(err);
	return rc < 0 ? -1 : look(in, f, err);
}

/* ---- .dbstow ---- */

/* What the file is to say; a value of NULL: nothing. */
struct setting {
	const char *key, *value;
};

static void settings_of(const struct init *in, char keep[16],
			struct setting out[3])
{
	const char *branch = gitstore_branch(in->store);
	int named = !in->no_remote && !strpbrk(in->remote, "/:");

	snprintf(keep, 16, "%u", in->keep);
	out[0] = (struct setting){ "dbstow.keep", keep };
	out[1] = (struct setting){ "dbstow.branch",
				   strcmp(branch, GITSTORE_BRANCH) ? branch
								   : NULL };
	/* a URL is none of the file's matters: it comes with the work tree */
	out[2] = (struct setting){ "dbstow.remote",
				   named && strcmp(in->remote, "origin") != 0
					   ? in->remote
					   : NULL };
}

static int plan_settings(struct init *in, struct error *err)
{
	struct init_file *f = &in->files[in->file_count++];
	struct setting settings[3];
	char keep[16], *value, *path;
	int there, rc = 0;

	f->path = ".dbstow";
	path = path_join(gitstore_work_tree(in->store), f->path);
	if (!path)
		return error_nomem(err);
	there = file_exists(path);
	free(path);
	f->state = there ? FILE_SAME : FILE_NEW;
	settings_of(in, keep, settings);
	for (size_t i = 0; rc == 0 && i < 3; i++) {
		if (!settings[i].value)
			continue;
		rc = gitstore_work_tree_config(in->store, settings[i].key,
					       &value, err);
		if (there && (!value || strcmp(value, settings[i].value) != 0))
			f->state = FILE_DIFFERENT;
		free(value);
	}
	return rc;
}

static int write_settings(struct init *in, struct error *err)
{
	struct setting settings[3];
	char keep[16];

	settings_of(in, keep, settings);
	for (size_t i = 0; i < 3; i++)
		if (settings[i].value &&
		    gitstore_work_tree_set(in->store, settings[i].key,
					   settings[i].value, err) < 0)
			return -1;
	return 0;
}

/* ---- all of them ---- */

/* Files that say something else are asked for before anything is done. */
static int agree(struct init *in, struct error *err)
{
	char question[512];
	int agreed;

	for (size_t i = 0; i < in->file_count; i++) {
		const struct init_file *f = &in->files[i];

		if (f->state != FILE_DIFFERENT)
			continue;
		snprintf(question, sizeof(question),
			 "'%s' is there and says something else. Change it?",
			 f->path);
		agreed = init_agree(in, question, err);
		if (agreed < 0)
			return -1;
		if (!agreed)
			return error_set(err, ERROR_REFUSED,
					 "'%s' is there and says something "
					 "else; nothing was changed; add --yes "
					 "to change it",
					 f->path);
	}
	return 0;
}

int init_files_plan(struct init *in, struct error *err)
{
	int rc;

	if (!gitstore_work_tree(in->store)) {
		if (in->kind != WORKFLOW_NONE)
			return error_set(err, ERROR_USAGE,
					 "a bare repository has no place for a "
					 "workflow; use --workflow none, or "
					 "run init in a clone");
		return 0;
	}
	rc = find_place(in, err);
	if (rc == 0)
		rc = plan_settings(in, err);
	if (rc == 0 && in->kind == WORKFLOW_EXPORT)
		rc = plan_workflow(in, "weekly-export.yml", err);
	if (rc == 0 && in->kind == WORKFLOW_FETCH)
		rc = plan_workflow(in, "weekly-fetch.yml", err);
	if (rc == 0 && in->kind != WORKFLOW_NONE)
		rc = plan_workflow(in, "monthly-drill.yml", err);
	if (rc == 0 && in->kind != WORKFLOW_NONE)
		rc = plan_workflow(in, "freshness-watch.yml", err);
	return rc < 0 ? -1 : agree(in, err);
}

/* Never through a link: that could lead out of the work tree. */
static int make_folder(const char *top, const char *name, struct error *err)
{
	char *path = path_join(top, name);
	struct stat st;
	int rc = 0;

	if (!path)
		return error_nomem(err);
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		rc = error_errno(err, ERROR_FAILED, "cannot make '%s'", name);
	else if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		rc = error_set(err, ERROR_FAILED, "'%s' is no folder", name);
	free(path);
	return rc;
}

static int write_workflow(struct init *in, const struct init_file *f,
			  struct error *err)
{
	const char *top = gitstore_work_tree(in->store);
	char *path = path_join(top, f->path);
	int rc = -1;

	if (!path)
		return error_nomem(err);
	if (make_folder(top, ".github", err) == 0 &&
	    make_folder(top, ".github/workflows", err) == 0)
		rc = file_write(path, f->text.data, f->text.size, 0644, err);
	free(path);
	return rc;
}

int init_files_write(struct init *in, struct error *err)
{
	for (size_t i = 0; i < in->file_count; i++) {
		const struct init_file *f = &in->files[i];

		if (f->state == FILE_SAME) {
			init_say(in, "there", "%s, as it should be", f->path);
			continue;
		}
		if (i == 0 ? write_settings(in, err) < 0
			   : write_workflow(in, f, err) < 0)
			return -1;
		init_say(in, f->state == FILE_NEW ? "written" : "changed", "%s",
			 f->path);
	}
	return 0;
}

void init_files_release(struct init *in)
{
	for (size_t i = 0; i < in->file_count; i++) {
		buffer_release(&in->files[i].text);
		free(in->files[i].owned);
	}
	in->file_count = 0;
}
