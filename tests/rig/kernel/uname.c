// Copyright (c) 2026, the kubegpu.nodes authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// A kernel in a costume. All containers have their machine's kernel; this library, which a host loads into each of its
// programs (/etc/ld.so.preload), has uname() say another release of it: RELEASE.

#define _GNU_SOURCE
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

int uname(struct utsname *name)
{
    int status = (int)syscall(SYS_uname, name);
    if (status == 0) {
        memset(name->release, 0, sizeof name->release);
        strncpy(name->release, RELEASE, sizeof name->release - 1);
    }
    return status;
}
