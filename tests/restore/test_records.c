/*
 * test_records.c - an application's records into the tables it made
 */
#include "tests/restore/records_fixture.h"

/* As Django's migrations make them. */
static const char shop[] =
	"CREATE TABLE shop_author(id integer NOT NULL PRIMARY KEY "
	"AUTOINCREMENT, name varchar(20) NOT NULL, mentor_id integer NULL "
	"REFERENCES shop_author(id) DEFERRABLE INITIALLY DEFERRED, best_id "
	"varchar(9) NULL REFERENCES shop_book(isbn));"
	"CREATE TABLE shop_book(isbn varchar(9) NOT NULL PRIMARY KEY, "
	"author_id integer NOT NULL REFERENCES shop_author(id), price decimal "
	"NOT NULL, data text NULL CHECK ((JSON_VALID(\"data\") OR \"data\" IS "
	"NULL)));"
	"CREATE TABLE shop_tag(id char(32) NOT NULL PRIMARY KEY);"
	"CREATE TABLE shop_book_tags(id integer NOT NULL PRIMARY KEY "
	"AUTOINCREMENT, book_id varchar(9) NOT NULL REFERENCES "
	"shop_book(isbn), tag_id char(32) NOT NULL REFERENCES shop_tag(id));"
	"CREATE UNIQUE INDEX shop_book_tags_uniq ON shop_book_tags(book_id, "
	"tag_id);"
	"CREATE TABLE shop_author_friends(id integer NOT NULL PRIMARY KEY "
	"AUTOINCREMENT, from_author_id integer NOT NULL REFERENCES "
	"shop_author(id), to_author_id integer NOT NULL REFERENCES "
	"shop_author(id));";

#define TAG_A "00000000-0000-0000-0000-00000000000a"
#define TAG_B "00000000-0000-0000-0000-00000000000b"

static const struct given_model library[] = {
	{ "shop.author",
	  { "{\"pk\":1,\"fields\":{\"name\":\"Ada\",\"mentor\":2,\"best\":"
	    "\"x\",\"friends\":[2]}}",
	    "{\"pk\":2,\"fields\":{\"name\":\"Bob\",\"mentor\":null,\"best\":"
	    "null,\"friends\":[1]}}" } },
	{ "shop.book",
	  { "{\"pk\":\"x\",\"fields\":{\"author\":1,\"price\":\"10.50\","
	    "\"data\":{\"a\":[1]},\"tags\":[\"" TAG_B "\",\"" TAG_A "\"]}}" } },
	{ "shop.tag",
	  { "{\"pk\":\"" TAG_A "\",\"fields\":{}}",
	    "{\"pk\":\"" TAG_B "\",\"fields\":{}}" } },
	{ NULL, { NULL } }
};

static void app(void **state, const char *more)
{
	sql(in_folder(state, "app.db"), shop);
	sql(in_folder(state, "app.db"), more);
}

static const char *now(void **state, const char *query)
{
	return rows(in_folder(state, "app.db"), query);
}

static void records_become_rows_and_come_back(void **state)
{
	struct given g;

	app(state, "");
	given_models(&g, library);
	restores(state, &g,
		 "shop_author +2 ~0 -0, shop_book +1 ~0 -0, "
		 "shop_author_friends +2 ~0 -0, shop_tag +2 ~0 -0, "
		 "shop_book_tags +2 ~0 -0");
	assert_string_equal(now(state, "SELECT * FROM shop_author"),
			    "1|Ada|2|x/2|Bob|NULL|NULL");
	assert_string_equal(
		now(state, "SELECT *, typeof(price) FROM shop_book"),
		"x|1|10.5|{\"a\": [1]}|real");
	assert_string_equal(now(state, "SELECT * FROM shop_book_tags"),
			    "1|x|0000000000000000000000000000000b/"
			    "2|x|0000000000000000000000000000000a");
	assert_string_equal(now(state, "SELECT * FROM shop_author_friends"),
			    "1|1|2/2|2|1");
	assert_string_equal(
		now(state, "SELECT * FROM sqlite_sequence ORDER BY name"),
		"shop_author|2/shop_author_friends|2/shop_book_tags|2");
	reads_back(state, &g);
	restores(state, &g, "");
	given_release(&g);
}

/* Rows that stay keep their numbers, whatever order they lie in. */
static void what_is_there_already_is_not_touched(void **state)
{
	struct given g;

	app(state,
	    "INSERT INTO shop_author VALUES(1,'Ada',2,'x'),(2,'Bob',NULL,NULL),"
	    "(3,'Eve',NULL,NULL);"
	    "INSERT INTO shop_book(rowid,isbn,author_id,price,data) VALUES"
	    "(7,'x',1,10.5,'{\"a\": [1]}'),(8,'y',3,1,NULL);"
	    "INSERT INTO shop_tag(rowid,id) VALUES"
	    "(9,'0000000000000000000000000000000a');"
	    "INSERT INTO shop_book_tags VALUES"
	    "(5,'x','0000000000000000000000000000000a');"
	    "INSERT INTO shop_author_friends VALUES(8,2,1),(9,1,2)");
	given_models(&g, library);
	restores(state, &g,
		 "shop_author +0 ~0 -1, shop_book +0 ~0 -1, shop_tag +1 ~0 -0, "
		 "shop_book_tags +1 ~0 -0");
	assert_string_equal(now(state, "SELECT rowid, isbn FROM shop_book"),
			    "7|x");
	assert_string_equal(now(state, "SELECT rowid, id FROM shop_tag"),
			    "9|0000000000000000000000000000000a/"
			    "10|0000000000000000000000000000000b");
	assert_string_equal(now(state, "SELECT * FROM shop_book_tags"),
			    "5|x|0000000000000000000000000000000a/"
			    "6|x|0000000000000000000000000000000b");
	given_release(&g);
}

static void chosen_models_come_with_their_lists(void **state)
{
	const char *const names[] = { "shop.Tag", "shop_book" };
	struct given g;

	app(state, "INSERT INTO shop_author VALUES(1,'Another',NULL,NULL),"
		   "(9,'Zoe',NULL,NULL)");
	given_models(&g, library);
	g.how.models = names;
	g.how.model_count = 2;
	restores(state, &g,
		 "shop_book +1 ~0 -0, shop_tag +2 ~0 -0, shop_book_tags +2 ~0 "
		 "-0");
	assert_string_equal(now(state, "SELECT id, name FROM shop_author"),
			    "1|Another/9|Zoe");
	given_release(&g);
}

static void missing_parents_come_along(void **state)
{
	const char *const names[] = { "shop.Book" };
	struct given g;

	app(state, "INSERT INTO shop_author VALUES(2,'Another',NULL,NULL)");
	given_models(&g, library);
	g.how.models = names;
	g.how.model_count = 1;
	restores(state, &g,
		 "shop_book +1 ~0 -0, shop_book_tags +2 ~0 -0, shop_author +1 "
		 "~0 -0, shop_tag +2 ~0 -0");
	assert_string_equal(now(state, "SELECT id, name FROM shop_author"),
			    "1|Ada/2|Another");
	given_release(&g);
}

static void an_unknown_choice_is_told(void **state)
{
	const char *const names[] = { "shop.Author", "shop.Cat" };
	struct given g;

	app(state, "");
	given_models(&g, library);
	g.how.models = names;
	g.how.model_count = 2;
	refuses(state, &g, ERROR_USAGE,
		"the snapshot has no model 'shop.Cat'; it has 'shop.author', "
		"'shop.book', 'shop.tag'");
	given_release(&g);
}

/* Then the rows keep their keys, and the lists say the same once more. */
static void a_join_table_may_be_a_model_of_its_own(void **state)
{
	static const struct given_model both[] = {
		{ "shop.Author",
		  { "{\"pk\":1,\"fields\":{\"name\":\"Ada\",\"friends\":[1]}}" } },
		{ "shop.Author_friends",
		  { "{\"pk\":7,\"fields\":{\"from_author\":1,\"to_author\":1}}" } },
		{ NULL, { NULL } }
	};
	const char *const names[] = { "shop.Author" };
	struct given g;

	app(state, "");
	given_models(&g, both);
	g.how.models = names;
	g.how.model_count = 1;
	restores(state, &g,
		 "shop_author +1 ~0 -0, shop_author_friends +1 ~0 -0");
	assert_string_equal(now(state, "SELECT * FROM shop_author_friends"),
			    "7|1|1");
	reads_back(state, &g);
	given_release(&g);
}

/* Of a model that the snapshot has without records, no row stays. */
static void a_model_without_records_is_emptied(void **state)
{
	static const struct given_model empty[] = { { "shop.Book", { NULL } },
						    { "shop.Tag", { NULL } },
						    { NULL, { NULL } } };
	struct given g;

	app(state, "INSERT INTO shop_author VALUES(1,'Ada',NULL,NULL);"
		   "INSERT INTO shop_book VALUES('x',1,1,NULL);"
		   "INSERT INTO shop_tag VALUES('a');"
		   "INSERT INTO shop_book_tags VALUES(1,'x','a')");
	given_models(&g, empty);
	restores(state, &g,
		 "shop_book +0 ~0 -1, shop_tag +0 ~0 -1, shop_book_tags +0 ~0 "
		 "-1");
	given_release(&g);
}

static void columns_that_no_record_tells_of_stay(void **state)
{
	static const struct given_model notes[] = {
		{ "app.Note",
		  { "{\"pk\":1,\"fields\":{\"text\":\"new\"}}",
		    "{\"pk\":2,\"fields\":{\"text\":\"b\",\"n\":5}}",
		    "{\"pk\":3,\"fields\":{\"text\":\"c\"}}" } },
		{ NULL, { NULL } }
	};
	struct given g;

	sql(in_folder(state, "app.db"),
	    "CREATE TABLE app_note(id integer PRIMARY KEY, text text NOT NULL, "
	    "n integer NOT NULL DEFAULT 7, extra text, size AS (length(text)));"
	    "INSERT INTO app_note VALUES(1, 'old', 1, 'kept')");
	given_models(&g, notes);
	restores(state, &g, "app_note +2 ~1 -0");
	assert_string_equal(now(state, "SELECT * FROM app_note"),
			    "1|new|7|kept|3/2|b|5|NULL|1/3|c|7|NULL|1");
	reads_back(state, &g);
	given_release(&g);
}

static void other_names_come_from_a_map(void **state)
{
	static const struct given_model orders[] = {
		{ "shop.Order",
		  { "{\"pk\":5,\"fields\":{\"buyer\":1,\"took\":\"1 "
		    "02:00:00\",\"who\":[1,2]}}" } },
		{ NULL, { NULL } }
	};
	char message[1200];
	struct given g;

	app(state, "CREATE TABLE old_orders(no integer PRIMARY KEY, b integer "
		   "REFERENCES shop_author(id), took bigint);"
		   "CREATE TABLE helpers(id integer PRIMARY KEY, o integer "
		   "REFERENCES old_orders(no), a integer REFERENCES "
		   "shop_author(id));"
		   "INSERT INTO shop_author VALUES(1,'Ada',NULL,NULL),(2,'Bob',"
		   "NULL,NULL)");
	given_models(&g, orders);
	snprintf(message, sizeof message,
		 "'%s' has no table for model 'shop.Order'; migrate it, or "
		 "name the table with --map",
		 in_folder(state, "app.db"));
	refuses(state, &g, ERROR_FAILED, message);
	given_map(&g, state,
		  "{\"models\":{\"shop.order\":{\"table\":\"old_orders\","
		  "\"fields\":{\"buyer\":\"b\",\"who\":\"helpers\"}}}}");
	restores(state, &g, "old_orders +1 ~0 -0, helpers +2 ~0 -0");
	assert_string_equal(now(state, "SELECT * FROM old_orders"),
			    "5|1|93600000000");
	assert_string_equal(now(state, "SELECT * FROM helpers"), "1|5|1/2|5|2");
	reads_back(state, &g);
	given_release(&g);
}

/* ---- what is refused ---- */

#define ONE(model, record)                                                     \
	{                                                                      \
		{ model, { record } },                                         \
		{                                                              \
			NULL,                                                  \
			{                                                      \
				NULL                                           \
			}                                                      \
		}                                                              \
	}

static const struct {
	struct given_model models[2];
	const char *message;
} wrong[] = {
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{\"name\":\"x\",\"age\":"
			     "5}}"),
	  "model 'shop.author', pk 1, field 'age': table 'shop_author' has "
	  "neither such a column nor a join table for it; migrate the "
	  "database, or name it with --map" },
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{}}"),
	  "model 'shop.author', pk 1, field 'name': it is missing, and column "
	  "'name' takes no NULL" },
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{\"name\":null}}"),
	  "model 'shop.author', pk 1, field 'name': it is null, and column "
	  "'name' takes no NULL" },
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{\"name\":5}}"),
	  "model 'shop.author', pk 1, field 'name': '5' is no text" },
	{ ONE("shop.author", "{\"pk\":\"a\",\"fields\":{\"name\":\"x\"}}"),
	  "model 'shop.author', pk \"a\": 'a' is no integer" },
	{ ONE("shop.author", "{\"fields\":{\"name\":\"x\"}}"),
	  "model 'shop.author', no pk: records are told apart by their pk; "
	  "dump without --natural-primary" },
	{ ONE("shop.author", "{\"pk\":[1],\"fields\":{\"name\":\"x\"}}"),
	  "model 'shop.author', pk [1]: its pk is no single value" },
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{\"name\":\"x\",\"mentor\":"
			     "[\"Bob\"]}}"),
	  "model 'shop.author', pk 1, field 'mentor': it is a natural key; "
	  "dump without --natural-foreign" },
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{\"name\":\"x\","
			     "\"friends\":[[\"Bob\"]]}}"),
	  "model 'shop.author', pk 1, field 'friends': it lists natural keys; "
	  "dump without --natural-foreign" },
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{\"name\":\"x\","
			     "\"friends\":[1,1]}}"),
	  "model 'shop.author', pk 1, field 'friends': it lists the same "
	  "twice" },
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{\"name\":\"x\","
			     "\"friends\":null}}"),
	  "model 'shop.author', pk 1, field 'friends': it should be a list" },
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{\"name\":\"x\","
			     "\"friends\":[null]}}"),
	  "model 'shop.author', pk 1, field 'friends': it lists null" },
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{\"name\":\"x\",\"id\":2}}"),
	  "model 'shop.author', pk 1, field 'id': it is not the pk" },
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{\"name\":\"x\",\"mentor\":"
			     "1,\"mentor_id\":1}}"),
	  "model 'shop.author', pk 1, field 'mentor_id': another field goes "
	  "to the same column" },
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{\"name\":\"x\",\"mentor\":"
			     "5}}"),
	  "model 'shop.author', pk 1, field 'mentor': it leads to 5, and "
	  "there is no such row of table 'shop_author' in the snapshot" },
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{\"name\":\"x\",\"best\":"
			     "\"y\"}}"),
	  "model 'shop.author', pk 1, field 'best': it leads to y, and there "
	  "is no such row of table 'shop_book'; restore that model, too" },
	{ ONE("shop.author", "{\"pk\":1,\"fields\":{\"name\":\"x\","
			     "\"friends\":[8]}}"),
	  "model 'shop.author', pk 1, field 'friends': it leads to 8, and "
	  "there is no such row of table 'shop_author' in the snapshot" },
	{ ONE("shop.author", "{\"pk\":9223372036854775808,\"fields\":{}}"),
	  "model 'shop.author', pk 9223372036854775808: "
	  "'9223372036854775808' is an integer of more than 64 bits, which "
	  "SQLite does not have" },
	{ ONE("shop.tag", "{\"pk\":\"x\",\"fields\":{}}"),
	  "model 'shop.tag', pk \"x\": 'x' is no UUID" },
};

static void what_does_not_fit_is_named(void **state)
{
	/* it goes away, so that nothing can lead to it */
	app(state, "INSERT INTO shop_author VALUES(5,'Old',NULL,NULL)");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct given g;

		given_models(&g, wrong[i].models);
		refuses(state, &g, ERROR_FAILED, wrong[i].message);
		given_release(&g);
		assert_string_equal(now(state, "SELECT * FROM shop_author"),
				    "5|Old|NULL|NULL");
	}
}

static void records_that_a_table_takes_for_one_are_refused(void **state)
{
	static const struct given_model tags[] = {
		{ "shop.tag",
		  { "{\"pk\":\"" TAG_A "\",\"fields\":{}}",
		    "{\"pk\":\"0000000000000000000000000000000a\",\"fields\":"
		    "{}}" } },
		{ NULL, { NULL } }
	};
	static const struct given_model both[] = { { "Shop.Tag", { NULL } },
						   { "shop.tag", { NULL } },
						   { NULL, { NULL } } };
	struct given g;

	app(state, "");
	given_models(&g, tags);
	refuses(state, &g, ERROR_FAILED,
		"model 'shop.tag', pk \"0000000000000000000000000000000a\": "
		"another record has the same key, as the database sees it");
	given_release(&g);
	given_models(&g, both);
	refuses(state, &g, ERROR_FAILED,
		"models 'Shop.Tag' and 'shop.tag' are both in table "
		"'shop_tag'");
	given_release(&g);
}

/* What only the database finds out, when it is written. */
static void what_the_target_refuses_is_named_as_a_record(void **state)
{
	static const struct given_model authors[] = {
		{ "shop.author",
		  { "{\"pk\":1,\"fields\":{\"name\":\"Ada\"}}",
		    "{\"pk\":2,\"fields\":{\"name\":\"Ada\"}}" } },
		{ NULL, { NULL } }
	};
	struct given g;

	app(state, "CREATE UNIQUE INDEX shop_author_name ON "
		   "shop_author(name)");
	given_models(&g, authors);
	refuses(state, &g, ERROR_FAILED,
		"model 'shop.author', pk 2: the target refuses it: UNIQUE "
		"constraint failed: shop_author.name; nothing was changed");
	given_release(&g);
	/* the pk is not the rowid */
	sql(in_folder(state, "app.db"),
	    "CREATE TRIGGER no BEFORE INSERT ON shop_tag BEGIN SELECT 1; END;"
	    "DROP INDEX shop_author_name; DROP TABLE shop_tag;"
	    "CREATE TABLE shop_tag(id char(32) NOT NULL PRIMARY KEY CHECK (id "
	    "NOT LIKE '%b'));");
	given_models(&g, library);
	refuses(state, &g, ERROR_FAILED,
		"model 'shop.tag', pk 0000000000000000000000000000000b: the "
		"target refuses it: CHECK constraint failed: id NOT LIKE '%b'; "
		"nothing was changed");
	given_release(&g);
	/* and a list's rows are their record's */
	sql(in_folder(state, "app.db"),
	    "DROP TABLE shop_tag;"
	    "CREATE TABLE shop_tag(id char(32) NOT NULL PRIMARY KEY);"
	    "CREATE UNIQUE INDEX one ON shop_book_tags(book_id)");
	given_models(&g, library);
	refuses(state, &g, ERROR_FAILED,
		"model 'shop.book', pk x, field 'tags': the target refuses it: "
		"UNIQUE constraint failed: shop_book_tags.book_id; nothing was "
		"changed");
	given_release(&g);
}

/* As loaddata takes them. */
static void integers_may_come_as_text(void **state)
{
	static const struct given_model authors[] = {
		{ "shop.author",
		  { "{\"pk\":\"1\",\"fields\":{\"name\":\"Ada\",\"mentor\":"
		    "\"2\",\"friends\":[\"2\"]}}",
		    "{\"pk\":\"2\",\"fields\":{\"name\":\"Bob\",\"mentor\":"
		    "1,\"friends\":[]}}" } },
		{ NULL, { NULL } }
	};
	struct error err = ERROR_INIT;
	struct given g;

	app(state, "");
	given_models(&g, authors);
	restores(state, &g,
		 "shop_author +2 ~0 -0, shop_author_friends +1 ~0 -0");
	assert_string_equal(now(state, "SELECT id, typeof(id), mentor_id, "
				       "typeof(mentor_id) FROM shop_author"),
			    "1|integer|2|integer/2|integer|1|integer");
	assert_int_equal(restore_records_check(g.records,
					       in_folder(state, "app.db"),
					       &g.how, &err),
			 0);
	given_release(&g);
}

/* A field that only a later record has, and none may lack. */
static void an_earlier_record_without_the_field_is_named(void **state)
{
	static const struct given_model authors[] = {
		{ "app.note",
		  { "{\"pk\":1,\"fields\":{}}",
		    "{\"pk\":2,\"fields\":{\"text\":\"x\"}}" } },
		{ NULL, { NULL } }
	};
	struct given g;

	sql(in_folder(state, "app.db"),
	    "CREATE TABLE app_note(id integer PRIMARY KEY, text text NOT NULL)");
	given_models(&g, authors);
	refuses(state, &g, ERROR_FAILED,
		"model 'app.note', pk 1, field 'text': it is missing, and "
		"column 'text' takes no NULL");
	given_release(&g);
}

/* Rows that others refer to are not taken from under them. */
static void what_would_leave_an_orphan_is_refused(void **state)
{
	static const struct given_model tags[] = {
		{ "shop.tag", { "{\"pk\":\"" TAG_A "\",\"fields\":{}}" } },
		{ NULL, { NULL } }
	};
	struct given g;

	app(state, "INSERT INTO shop_author VALUES(1,'Ada',NULL,NULL);"
		   "INSERT INTO shop_book VALUES('x',1,1,NULL);"
		   "INSERT INTO shop_tag VALUES('b');"
		   "INSERT INTO shop_book_tags VALUES(1,'x','b')");
	given_models(&g, tags);
	refuses(state, &g, ERROR_REFUSED,
		"row 1 of table 'shop_book_tags' would be an orphan: nothing "
		"in table 'shop_tag' has its tag_id = 'b'; nothing was "
		"changed; change or delete that row first");
	given_release(&g);
}

/* ---- reading back ---- */

static void a_difference_is_named(void **state)
{
	static const struct {
		const char *sql, *message;
	} changes[] = {
		{ "UPDATE shop_author SET name = 'Eve' WHERE id = 1",
		  "model 'shop.author', pk 1, field 'name': it came back "
		  "changed: recorded as \"Ada\", restored as \"Eve\"" },
		{ "UPDATE shop_book SET price = 10.51",
		  "model 'shop.book', pk \"x\", field 'price': it came back "
		  "changed: recorded as \"10.50\", restored as \"10.51\"" },
		{ "UPDATE shop_book SET data = '{\"a\": [2]}'",
		  "model 'shop.book', pk \"x\", field 'data': it came back "
		  "changed: recorded as {\"a\":[1]}, restored as "
		  "{\"a\":[2]}" },
		{ "UPDATE shop_book SET price = 'x'",
		  "model 'shop.book', pk \"x\", field 'price': holds 'x', which "
		  "is no decimal" },
		{ "DELETE FROM shop_book_tags WHERE id = 1",
		  "model 'shop.book', pk \"x\", field 'tags': it came back "
		  "changed: recorded as [\"" TAG_B "\",\"" TAG_A
		  "\"], restored as [\"" TAG_A "\"]" },
		{ "DELETE FROM shop_author_friends; INSERT INTO "
		  "shop_author_friends VALUES(1,1,2),(2,2,1),(3,2,2)",
		  "model 'shop.author', pk 2, field 'friends': it came back "
		  "changed: recorded as [1], restored as [1,2]" },
		{ "DELETE FROM shop_tag",
		  "model 'shop.tag', pk \"" TAG_A "\": it did not come back" },
		{ "INSERT INTO shop_author VALUES(3,'Zoe',NULL,NULL)",
		  "model 'shop.author': the snapshot has 2 records, the "
		  "restored table 3 rows" },
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct restore_changes c;
		struct error err = ERROR_INIT;
		struct given g;

		unlink(in_folder(state, "app.db"));
		app(state, "");
		given_models(&g, library);
		assert_int_equal(staged_into(state, &g, 0, &c, &err), 0);
		restore_changes_release(&c);
		sql(in_folder(state, "app.db"), changes[i].sql);
		differs_as(state, &g, changes[i].message);
		given_release(&g);
	}
}

static void a_utf_16_database_keeps_every_character(void **state)
{
	static const struct given_model notes[] = {
		{ "app.note",
		  { "{\"pk\":\"\\ufeff\xef\xbf\xbe\",\"fields\":{\"text\":"
		    "\"\\ufeffa\\u0000\xf0\x9f\x98\x80\xef\xbf\xbf\"}}" } },
		{ NULL, { NULL } }
	};
	struct given g;

	sql(in_folder(state, "app.db"),
	    "PRAGMA encoding = 'UTF-16le';"
	    "CREATE TABLE app_note(id text NOT NULL PRIMARY KEY, text text)");
	given_models(&g, notes);
	restores(state, &g, "app_note +1 ~0 -0");
	assert_string_equal(now(state, "SELECT hex(CAST(id AS BLOB)), "
				       "hex(CAST(text AS BLOB)) FROM app_note"),
			    "FFFEFEFF|FFFE610000003DD800DEFFFF");
	reads_back(state, &g);
	restores(state, &g, "");
	given_release(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(records_become_rows_and_come_back),
		FOLDER_TEST(what_is_there_already_is_not_touched),
		FOLDER_TEST(chosen_models_come_with_their_lists),
		FOLDER_TEST(missing_parents_come_along),
		FOLDER_TEST(an_unknown_choice_is_told),
		FOLDER_TEST(a_join_table_may_be_a_model_of_its_own),
		FOLDER_TEST(a_model_without_records_is_emptied),
		FOLDER_TEST(columns_that_no_record_tells_of_stay),
		FOLDER_TEST(other_names_come_from_a_map),
		FOLDER_TEST(what_does_not_fit_is_named),
		FOLDER_TEST(records_that_a_table_takes_for_one_are_refused),
		FOLDER_TEST(what_the_target_refuses_is_named_as_a_record),
		FOLDER_TEST(integers_may_come_as_text),
		FOLDER_TEST(an_earlier_record_without_the_field_is_named),
		FOLDER_TEST(what_would_leave_an_orphan_is_refused),
		FOLDER_TEST(a_difference_is_named),
		FOLDER_TEST(a_utf_16_database_keeps_every_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
