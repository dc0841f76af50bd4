/* The inside of loading: shared by conf.c (all of it, step by step), conf_auth.c and conf_listen.c. */
#pragma once

#include "supervisor/conf.h"
#include "supervisor/conf_files.h"

struct conf_loader {
	const struct conf_sources *src;
	struct conf *conf;
	struct conf_files files;
	unsigned default_port;
	struct fail *fail;
};

const char *conf_get_env(const struct conf_loader *ld, const char *name);

/* Steps, in this order; 0, or -errno with words. */
int conf_read_auth(struct conf_loader *ld) must_check;
int conf_read_listeners(struct conf_loader *ld) must_check;
int conf_read_admin(struct conf_loader *ld) must_check;
