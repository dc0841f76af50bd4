/* See privileges.h. Source: capabilities(7), prctl(2). */
#include "workers/exec/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int privileges_freeze(struct fail *fail)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_set(fail, -errno, "cannot set no_new_privs");
	return 0;
}

static uint64_t kept(void)
{
	return UINT64_C(1) << CAP_CHOWN | UINT64_C(1) << CAP_DAC_OVERRIDE |
	       UINT64_C(1) << CAP_DAC_READ_SEARCH | UINT64_C(1) << CAP_FOWNER |
	       UINT64_C(1) << CAP_FSETID;
}

int privileges_drop(struct fail *fail)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return fail_set(fail, -errno, "cannot read the capabilities");
	if (data[0].permitted == 0 && data[1].permitted == 0)
		return 0;
	/* The bounding set first: it needs a capability that is dropped then. Beyond the last one the
	 * kernel knows it fails. */
	for (int cap = 0; cap < 64; cap++)
		if (!(kept() >> cap & 1) && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t keep = (uint32_t)(kept() >> 32 * i);

		data[i].effective &= keep;
		data[i].permitted &= keep;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return fail_set(fail, -errno, "cannot drop capabilities");
	return 0;
}
