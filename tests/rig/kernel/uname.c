// Copyright (c) 2026, the kubegpu.nodes authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// A kernel in a costume. All containers have their machine's kernel; this library, which a host loads into each of its
// programs (/etc/ld.so.preload), has uname() say another release of it, RELEASE, or another machine under it, MACHINE.

#define _GNU_SOURCE
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SAY(field, text)                                                                                               \
    do {                                                                                                               \
        memset(field, 0, sizeof field);                                                                                \
        strncpy(field, text, sizeof field - 1);                                                                        \
    } while (0)

int uname(struct utsname *name)
{
    int status = (int)syscall(SYS_uname, name);
    if (status == 0) {
#ifdef RELEASE
        SAY(name->release, RELEASE);
#endif
#ifdef MACHINE
        SAY(name->machine, MACHINE);
#endif
    }
    return status;
}
