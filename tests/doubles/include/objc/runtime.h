/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything is in message.h. */
#include <objc/message.h>
