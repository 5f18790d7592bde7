/* exit_status.c - from errors to exit statuses */

#include <stddef.h>

#include "base/error.h"
#include "cmd/cmd.h"

static const struct {
	enum error_code code;
	int status;
	const char *name;
} statuses[] = {
	{ ERROR_USAGE, 2, "usage" },
	{ ERROR_DAMAGE, 3, "damage" },
	{ ERROR_CONFLICT, 4, "conflict" },
	{ ERROR_NETWORK, 5, "network" },
	{ ERROR_REFUSED, 6, "refused" },
	{ ERROR_STANDIN, 1, "stand-in" },
	{ ERROR_NOSPACE, 1, "no-space" },
	{ ERROR_NOBRANCH, 1, "no-branch" },
	{ ERROR_INTERRUPTED, 130, "interrupted" },
};

int cmd_exit_status(enum error_code code, const char **name)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (statuses[i].code != code)
			continue;
		*name = statuses[i].name;
		return statuses[i].status;
	}
	*name = "failed";
	return 1;
}
