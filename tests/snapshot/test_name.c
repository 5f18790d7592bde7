/*
 * test_name.c - the folder of a table, from its name alone
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "snapshot/name.h"

static void folder_is(const char *name, const char *expected)
{
	struct error err = ERROR_INIT;
	char out[NAME_FOLDER_SIZE];

	memset(out, '!', sizeof(out));
	assert_int_equal(name_folder(out, name, strlen(name), &err), 0);
	assert_string_equal(out, expected);
	assert_true(name_is_safe(out) || out[0] == '~');
}

static void word_is_its_own_folder(void **state)
{
	(void)state;
	folder_is("users", "users");
	folder_is("Order_Lines-2", "Order_Lines-2");
	folder_is("_", "_");
	folder_is("0", "0");
	folder_is("sqlite_sequence", "sqlite_sequence");
}

static void
other_bytes_are_escaped_and_the_name_is_told_by_its_hash(void **state)
{
	(void)state;
	folder_is("a b", "a%20b~c8687a08aa5d6ed2");
	folder_is("Gr\xc3\xb6\xc3\x9f"
		  "e",
		  "Gr%C3%B6%C3%9Fe~aedc3f80989a6546");
	folder_is("../x", "%2E%2E%2Fx~d6b96a97d147daaa");
	folder_is(".git", "%2Egit~4d0a4dff1f762e59");
	folder_is("a.b", "a%2Eb~2e7336dc8eba87ef");
	folder_is("100%", "100%25~32e48995f98ce3b7");
	folder_is("", "~e3b0c44298fc1c14");
}

static void leading_dash_is_escaped_and_no_other(void **state)
{
	(void)state;
	folder_is("-rf", "%2Drf~686c39acd6327bbd");
	folder_is("--x", "%2D-x~ce52a17a2c9f9538");
	folder_is("a-", "a-");
}

static void devices_of_windows_are_no_folders(void **state)
{
	(void)state;
	folder_is("CON", "CON~a3dbc4b644a9a2c5");
	folder_is("con", "con~1143da2bc54c495c");
	folder_is("Prn", "Prn~0d399452bee3ede7");
	folder_is("aux", "aux~321f68140efca2b3");
	folder_is("NUL", "NUL~ae6de1827cfc8111");
	folder_is("com0", "com0~21c4ae06f0b323f5");
	folder_is("COM9", "COM9~c7e9a036421495ce");
	folder_is("lpt1", "lpt1~cfbdeb88d77292b5");
	folder_is("com", "com");
	folder_is("com10", "com10");
	folder_is("comx", "comx");
	folder_is("conn", "conn");
	folder_is("nul_", "nul_");
}

static void long_names_are_cut_to_80_bytes(void **state)
{
	char name[200], expected[200];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[100] = '\0';
	folder_is(name, name);
	name[100] = 'a';
	name[101] = '\0';
	memset(expected, 'a', 80);
	memcpy(expected + 80, "~9d0793397991b57a", 18);
	folder_is(name, expected);
}

static void name_is_never_cut_inside_an_escape(void **state)
{
	char name[64] = "a", expected[128] = "a";
	int i;

	(void)state;
	for (i = 0; i < 30; i++) {
		memcpy(name + 1 + i, "!", 2);
		if (i < 26)
			memcpy(expected + 1 + 3 * i, "%21", 4);
	}
	memcpy(expected + 79, "~65fcf667d5845d90", 18);
	folder_is(name, expected);
	memcpy(name, "ab", 2);
	name[28] = '\0'; /* 26 more: 80 bytes exactly */
	memcpy(expected, "ab", 2);
	for (i = 0; i < 26; i++)
		memcpy(expected + 2 + 3 * i, "%21", 4);
	memcpy(expected + 80, "~8134de21c3755c79", 18);
	folder_is(name, expected);
}

static void safe_names_are_one_component(void **state)
{
	char name[257];

	(void)state;
	assert_true(name_is_safe("a"));
	assert_true(name_is_safe("0.jsonl"));
	assert_true(name_is_safe("%2Drf~0123456789abcdef"));
	assert_true(name_is_safe("~x"));
	assert_true(name_is_safe("A_b-C.9"));
	assert_false(name_is_safe(""));
	assert_false(name_is_safe("."));
	assert_false(name_is_safe(".."));
	assert_false(name_is_safe(".git"));
	assert_false(name_is_safe("-x"));
	assert_false(name_is_safe("a/b"));
	assert_false(name_is_safe("a\\b"));
	assert_false(name_is_safe("a b"));
	assert_false(name_is_safe("a\n"));
	assert_false(name_is_safe("\xc3\xb6"));
	assert_false(name_is_safe("a:b"));
	memset(name, 'x', 256);
	name[256] = '\0';
	assert_false(name_is_safe(name));
	name[255] = '\0';
	assert_true(name_is_safe(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(word_is_its_own_folder),
		cmocka_unit_test(
			other_bytes_are_escaped_and_the_name_is_told_by_its_hash),
		cmocka_unit_test(leading_dash_is_escaped_and_no_other),
		cmocka_unit_test(devices_of_windows_are_no_folders),
		cmocka_unit_test(long_names_are_cut_to_80_bytes),
		cmocka_unit_test(name_is_never_cut_inside_an_escape),
		cmocka_unit_test(safe_names_are_one_component),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
