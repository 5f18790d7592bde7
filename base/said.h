/*
 * said.h - words of servers and programs, for a line of ours
 */
#ifndef BASE_SAID_H
#define BASE_SAID_H

#include <stddef.h>

/**
 * Make one line of what somebody else said: lines are parted by "; ", runs of
 * blanks become one, escape sequences and control characters go, what is no
 * UTF-8 becomes '?', secrets become "***".
 *
 * @param out   receives the line, NUL-terminated, cut at a character's end
 * @param room  its size, above 0
 */
void said_line(char *out, size_t room, const char *data, size_t size);

#endif /* BASE_SAID_H */
