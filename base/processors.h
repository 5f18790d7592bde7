/*
 * processors.h - how many threads are worth having
 */
#ifndef BASE_PROCESSORS_H
#define BASE_PROCESSORS_H

#include <stddef.h>

/** Processors that we may use, at least 1. */
size_t processors_for_us(void);

#endif /* BASE_PROCESSORS_H */
