/* See log_use_journal() in log.h. */
#include "shared/log.h"

#include "config.h"

#ifdef HAVE_SYSTEMD
/* Our lines carry the fields that matter; the place in the source is not one of them. */
#	define SD_JOURNAL_SUPPRESS_LOCATION
#	include <systemd/sd-journal.h>

static void send_fields(const struct iovec *fields, int n)
{
	(void)sd_journal_sendv(fields, n);
}

void log_use_journal(void)
{
	log_set_journal(send_fields);
}

#else

void log_use_journal(void)
{
}

#endif
