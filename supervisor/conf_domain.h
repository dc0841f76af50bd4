/* One domain of the settings: who serves it, which keys it may have, what its worker is told. */
#pragma once

#include "supervisor/conf.h"
#include "supervisor/conf_yaml.h"

enum { CONF_DOMAIN_NAME_MAX = 32 };

/* Fills `domain` (zeroed) from the entry of `domains` that `node` is. Roots are left empty when none
 * are written. conf_domain_done() also after an error. */
int conf_domain_read(const struct conf_node *node, struct conf_domain *domain, struct fail *fail)
	must_check;
void conf_domain_done(struct conf_domain *domain);

/* Whether its worker has roots. */
bool conf_domain_has_roots(const struct conf_domain *domain);

/* Makes settings_json, when all else is set. */
void conf_domain_make_settings(const struct conf *conf, struct conf_domain *domain);
