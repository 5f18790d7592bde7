/*
 * test_catalog.c - canonical order of tables and entries
 */
#include "tests/snapshot/files.h"

#include "snapshot/catalog.h"

static struct table *add_table(struct catalog *c, const char *name,
			       const char *parents)
{
	struct table *t = catalog_add_table(c);

	assert_non_null(t);
	t->name = strdup(name);
	t->parents = calloc(8, sizeof(char *));
	for (; *parents; parents += strcspn(parents, " ")) {
		parents += strspn(parents, " ");
		t->parents[t->parent_count++] =
			strndup(parents, strcspn(parents, " "));
	}
	return t;
}

static struct entry *add_entry(struct catalog *c, enum entry_type type,
			       const char *name, const char *table)
{
	struct entry *e = catalog_add_entry(c);

	assert_non_null(e);
	e->type = type;
	e->name = strdup(name);
	e->table = strdup(table);
	e->sql = strdup("");
	return e;
}

static void assert_tables(const struct catalog *c, const char *expected)
{
	struct buffer names = BUFFER_INIT;

	for (size_t i = 0; i < c->table_count; i++)
		buffer_printf(&names, "%s%s", i ? " " : "", c->tables[i].name);
	assert_string_equal(buffer_cstr(&names), expected);
	buffer_release(&names);
}

static void assert_entries(const struct catalog *c, const char *expected)
{
	struct buffer names = BUFFER_INIT;

	for (size_t i = 0; i < c->entry_count; i++)
		buffer_printf(&names, "%s%s", i ? " " : "", c->entries[i].name);
	assert_string_equal(buffer_cstr(&names), expected);
	buffer_release(&names);
}

static struct catalog *arranged(struct catalog *c)
{
	struct error err = ERROR_INIT;

	assert_int_equal(catalog_arrange(c, &err), 0);
	assert_int_equal(err.code, ERROR_NONE);
	return c;
}

static void parents_come_before_children_and_names_decide_the_rest(void **state)
{
	struct catalog *c = catalog_new();

	(void)state;
	add_table(c, "orders", "users items");
	add_table(c, "zoo", "");
	add_table(c, "users", "");
	add_table(c, "items", "zoo");
	assert_tables(arranged(c), "users zoo items orders");
	assert_int_equal(c->cycle_count, 0);
	catalog_free(c);
}

static void parents_are_found_in_any_case_of_ascii_letters(void **state)
{
	struct catalog *c = catalog_new();

	(void)state;
	add_table(c, "a", "USERS");
	add_table(c, "b", "\xc3\x84pfel");
	add_table(c, "Users", "");
	add_table(c, "\xc3\xa4pfel", "");
	/* Ä and ä are two letters to SQLite: b has no parent here */
	assert_tables(arranged(c), "Users a b \xc3\xa4pfel");
	catalog_free(c);
}

static void missing_parents_and_oneself_are_no_matter(void **state)
{
	struct catalog *c = catalog_new();

	(void)state;
	add_table(c, "tree", "tree gone");
	add_table(c, "a", "gone");
	assert_tables(arranged(c), "a tree");
	assert_int_equal(c->cycle_count, 0);
	catalog_free(c);
}

static void cycles_are_named_with_their_tables_by_name(void **state)
{
	struct catalog *c = catalog_new();

	(void)state;
	add_table(c, "z", "x");
	add_table(c, "y", "x");
	add_table(c, "x", "y");
	add_table(c, "a", "b");
	add_table(c, "b", "c");
	add_table(c, "c", "a");
	assert_tables(arranged(c), "a b c x y z");
	assert_int_equal(c->cycle_count, 2);
	assert_int_equal(c->cycles[0].count, 3);
	assert_string_equal(c->cycles[0].tables[0], "a");
	assert_string_equal(c->cycles[0].tables[2], "c");
	assert_int_equal(c->cycles[1].count, 2);
	assert_string_equal(c->cycles[1].tables[0], "x");
	assert_string_equal(c->cycles[1].tables[1], "y");
	arranged(c); /* again: cycles are not doubled */
	assert_int_equal(c->cycle_count, 2);
	catalog_free(c);
}

static void internal_tables_come_last_by_name(void **state)
{
	struct catalog *c = catalog_new();

	(void)state;
	add_table(c, "sqlite_stat1", "")->kind = TABLE_INTERNAL;
	add_table(c, "sqlite_sequence", "")->kind = TABLE_INTERNAL;
	add_table(c, "zoo", "sqlite_stat1");
	add_table(c, "fts_data", "")->kind = TABLE_SHADOW;
	assert_tables(arranged(c), "fts_data zoo sqlite_sequence sqlite_stat1");
	catalog_free(c);
}

static void entries_get_their_canonical_order(void **state)
{
	struct catalog *c = catalog_new();

	(void)state;
	add_entry(c, ENTRY_TRIGGER, "t2_first", "t2");
	add_entry(c, ENTRY_VIEW, "view_b", "view_b");
	add_entry(c, ENTRY_TABLE, "search", "search")->virtual_table = 1;
	/* SQLite keeps a trigger's table as it was spelled */
	add_entry(c, ENTRY_TRIGGER, "z_made_first", "T1");
	add_entry(c, ENTRY_TRIGGER, "a_made_later", "t1");
	add_entry(c, ENTRY_INDEX, "a_of_t2", "t2");
	add_entry(c, ENTRY_TABLE, "t1", "t1");
	add_entry(c, ENTRY_INDEX, "c_of_t1", "t1");
	add_entry(c, ENTRY_INDEX, "b_of_t1", "t1");
	add_entry(c, ENTRY_TABLE, "t2", "t2");
	add_entry(c, ENTRY_VIEW, "view_a", "view_a");
	add_entry(c, ENTRY_TABLE, "geo", "geo")->virtual_table = 1;
	add_entry(c, ENTRY_TABLE, "sqlite_sequence", "sqlite_sequence");
	add_table(c, "t1", "t2");
	add_table(c, "t2", "");
	add_table(c, "sqlite_sequence", "")->kind = TABLE_INTERNAL;
	assert_entries(arranged(c),
		       "t2 t1 sqlite_sequence geo search b_of_t1 c_of_t1 "
		       "a_of_t2 view_a view_b z_made_first a_made_later "
		       "t2_first");
	catalog_free(c);
}

static void an_empty_catalog_is_in_order(void **state)
{
	struct catalog *c = catalog_new();

	(void)state;
	assert_tables(arranged(c), "");
	assert_null(catalog_table(c, "users"));
	catalog_free(c);
	catalog_free(NULL);
}

static void a_thousand_tables_and_columns_fit(void **state)
{
	struct catalog *c = catalog_new();
	char name[16];

	(void)state;
	for (int i = 999; i >= 0; i--) {
		snprintf(name, sizeof(name), "t%03d", i);
		add_table(c, name, i ? "t000" : "");
	}
	arranged(c);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "t%03d", i);
		assert_string_equal(c->tables[i].name, name);
		assert_int_equal(c->tables[i].rowid_column, -1);
		assert_non_null(table_add_column(&c->tables[0]));
	}
	assert_ptr_equal(catalog_table(c, "t500"), &c->tables[500]);
	/* room for one more where the array was put into order */
	add_table(c, "u", "");
	assert_int_equal(c->table_count, 1001);
	catalog_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			parents_come_before_children_and_names_decide_the_rest),
		cmocka_unit_test(
			parents_are_found_in_any_case_of_ascii_letters),
		cmocka_unit_test(missing_parents_and_oneself_are_no_matter),
		cmocka_unit_test(cycles_are_named_with_their_tables_by_name),
		cmocka_unit_test(internal_tables_come_last_by_name),
		cmocka_unit_test(entries_get_their_canonical_order),
		cmocka_unit_test(an_empty_catalog_is_in_order),
		cmocka_unit_test(a_thousand_tables_and_columns_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
