/*
 * banned.h - calls that this project does not make
 *
 * Included by the compiler's command line in front of every file of ours.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(name, instead) name##_is_banned_use_##instead

#undef strcpy
#define strcpy(a, b) BANNED(strcpy, memcpy_or_buffer_str)
#undef strcat
#define strcat(a, b) BANNED(strcat, buffer_str)
#undef strncpy
#define strncpy(a, b, n) BANNED(strncpy, memcpy)
#undef strncat
#define strncat(a, b, n) BANNED(strncat, buffer_add)
#undef sprintf
#define sprintf(...) BANNED(sprintf, snprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf, vsnprintf)
#undef strtok
#define strtok(a, b) BANNED(strtok, strchr)
#undef atoi
#define atoi(a) BANNED(atoi, strtoll)
#undef atol
#define atol(a) BANNED(atol, strtoll)
#undef atof
#define atof(a) BANNED(atof, real_parse)
#undef gmtime
#define gmtime(a) BANNED(gmtime, gmtime_r)
#undef localtime
#define localtime(a) BANNED(localtime, localtime_r)
#undef asctime
#define asctime(a) BANNED(asctime, clock_text)
#undef ctime
#define ctime(a) BANNED(ctime, clock_text)
#undef tmpnam
#define tmpnam(a) BANNED(tmpnam, scratch_make)
#undef system
#define system(a) BANNED(system, posix_spawn)

#endif /* BASE_BANNED_H */
