/* processors.c - how many threads are worth having */

#include "base/processors.h"

#include <sched.h>

size_t processors_for_us(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (size_t)CPU_COUNT(&set);
}
