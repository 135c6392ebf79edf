/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* errors.c - see errors.h. */
#include "errors.h"
#include "path.h"
#include "translate.h"

void vsockenc_post_error(GstVsockEnc *self, GError *error)
{
    vsockenc_translate_error(error);
    vsockenc_tell_no_path(self, error->message);
    gst_element_message_full(GST_ELEMENT(self), GST_MESSAGE_ERROR, error->domain, error->code, g_strdup(error->message),
                             NULL, __FILE__, __func__, __LINE__);
    g_error_free(error);
}
