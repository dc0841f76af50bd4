/* Lists of revoked certificates: which files are taken, what is known of them, and who is let in. Certificates are made
 * here; the handshakes go over a pair of sockets, in one process. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "shared/cleanup.h"
#include "shared/fd.h"
#include "supervisor/front/tls.h"

enum {
	DAY_S = 24 * 60 * 60,
	MAX_STEPS = 50, /* of a handshake */
	SERVER_SERIAL = 2,
	CLIENT_SERIAL = 77,
};

struct party {
	X509 *cert;
	EVP_PKEY *key;
};

static struct {
	char folder[32];
	struct party ours; /* the authority */
	struct party other;
	struct party server;
	struct party client;
	char paths[4][64];
} world;

static const char *const files[] = { "server.pem", "clients.pem", "revoked.pem", "none.pem" };
enum { SERVER_FILE, CLIENTS_FILE, LISTS_FILE, NO_FILE };

/* --- certificates -------------------------------------------------------------------------------- */

static struct party make_party(
	const char *name, const struct party *issuer, long serial, bool is_authority)
{
	struct party made = { .cert = X509_new(), .key = EVP_EC_gen("P-256") };
	X509_NAME *subject = X509_get_subject_name(made.cert);
	X509_EXTENSION *basic = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
		is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");

	assert_non_null(made.key);
	assert_int_equal(X509_set_version(made.cert, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(made.cert), serial), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(made.cert), -DAY_S));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(made.cert), DAY_S));
	assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
				 (const unsigned char *)name, -1, -1, 0),
		1);
	assert_int_equal(X509_set_issuer_name(
				 made.cert, issuer ? X509_get_subject_name(issuer->cert) : subject),
		1);
	assert_int_equal(X509_set_pubkey(made.cert, made.key), 1);
	assert_int_equal(X509_add_ext(made.cert, basic, -1), 1);
	X509_EXTENSION_free(basic);
	assert_true(X509_sign(made.cert, issuer ? issuer->key : made.key, EVP_sha256()) > 0);
	return made;
}

static void free_party(struct party *party)
{
	X509_free(party->cert);
	EVP_PKEY_free(party->key);
}

/* `serial` 0: it has revoked nothing. */
static void add_list(
	FILE *file, const struct party *authority, long serial, long begins_s, long ends_s)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *when = X509_gmtime_adj(NULL, begins_s);
	X509_REVOKED *revoked = X509_REVOKED_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();

	assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
	assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(authority->cert)), 1);
	assert_int_equal(X509_CRL_set1_lastUpdate(crl, when), 1);
	assert_int_equal(ASN1_INTEGER_set(number, serial), 1);
	assert_int_equal(X509_REVOKED_set_serialNumber(revoked, number), 1);
	assert_int_equal(X509_REVOKED_set_revocationDate(revoked, when), 1);
	if (serial)
		assert_int_equal(X509_CRL_add0_revoked(crl, revoked), 1);
	else
		X509_REVOKED_free(revoked);
	assert_non_null(X509_gmtime_adj(when, ends_s));
	assert_int_equal(X509_CRL_set1_nextUpdate(crl, when), 1);
	assert_true(X509_CRL_sign(crl, authority->key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509_CRL(file, crl), 1);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(when);
	X509_CRL_free(crl);
}

static FILE *open_file(int which)
{
	FILE *file = fopen(world.paths[which], "we");

	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	return file;
}

static void write_text(int which, const char *text)
{
	FILE *file = open_file(which);

	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void write_list(const struct party *authority, long serial, long begins_s, long ends_s)
{
	FILE *file = open_file(LISTS_FILE);

	add_list(file, authority, serial, begins_s, ends_s);
	assert_int_equal(fclose(file), 0);
}

static void write_authorities(bool with_other)
{
	FILE *file = open_file(CLIENTS_FILE);

	assert_int_equal(PEM_write_X509(file, world.ours.cert), 1);
	if (with_other)
		assert_int_equal(PEM_write_X509(file, world.other.cert), 1);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **unused)
{
	FILE *file;

	(void)snprintf(world.folder, sizeof(world.folder), "%s", "/tmp/test-crl-XXXXXX");
	assert_non_null(mkdtemp(world.folder));
	for (size_t i = 0; i < N_ELEMENTS(files); i++)
		(void)snprintf(
			world.paths[i], sizeof(world.paths[i]), "%s/%s", world.folder, files[i]);
	world.ours = make_party("ours", NULL, 1, true);
	world.other = make_party("other", NULL, 1, true);
	world.server = make_party("server", &world.ours, SERVER_SERIAL, false);
	world.client = make_party("client", &world.ours, CLIENT_SERIAL, false);
	file = open_file(SERVER_FILE);
	assert_int_equal(PEM_write_X509(file, world.server.cert), 1);
	assert_int_equal(
		PEM_write_PrivateKey(file, world.server.key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(file), 0);
	write_authorities(false);
	return 0;
}

static int tear_down(void **unused)
{
	for (size_t i = 0; i < N_ELEMENTS(files); i++)
		(void)unlink(world.paths[i]);
	assert_int_equal(rmdir(world.folder), 0);
	free_party(&world.ours);
	free_party(&world.other);
	free_party(&world.server);
	free_party(&world.client);
	return 0;
}

static int load_from(int lists, struct tls **ret, struct fail *fail)
{
	const struct tls_rules rules = { .cert_file = world.paths[SERVER_FILE],
		.key_file = "",
		.client_ca_file = world.paths[CLIENTS_FILE],
		.client_crl_file = lists < 0 ? "" : world.paths[lists],
		.client_certs_required = true };

	*fail = (struct fail){ 0 };
	return tls_new(&rules, ret, fail);
}

static struct tls *load(void)
{
	struct tls *tls = NULL;
	struct fail fail;

	assert_int_equal(load_from(LISTS_FILE, &tls, &fail), 0);
	return tls;
}

/* --- a handshake --------------------------------------------------------------------------------- */

struct meeting {
	int fds[2];
	struct tls_conn *conn;
	SSL_CTX *ctx;
	SSL *client;
};

static bool step(struct meeting *m, ssize_t *ret_n)
{
	enum tls_wait wait;
	char byte;

	(void)SSL_do_handshake(m->client);
	*ret_n = tls_conn_read(m->conn, &byte, 1, &wait);
	return *ret_n == -EAGAIN && !tls_conn_is_established(m->conn);
}

/* What the server's side says of it: -EAGAIN: it stands. */
static ssize_t meet(struct meeting *m, struct tls *tls)
{
	ssize_t n = 0;

	*m = (struct meeting){ 0 };
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, m->fds), 0);
	m->ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_use_certificate(m->ctx, world.client.cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(m->ctx, world.client.key), 1);
	m->client = SSL_new(m->ctx);
	assert_int_equal(SSL_set_fd(m->client, m->fds[1]), 1);
	SSL_set_connect_state(m->client);
	m->conn = tls_conn_new(tls, m->fds[0]);
	for (int i = 0; i < MAX_STEPS && step(m, &n); i++) {}
	return n;
}

static void part(struct meeting *m)
{
	tls_conn_free(m->conn);
	SSL_free(m->client);
	SSL_CTX_free(m->ctx);
	(void)fd_close(m->fds[0]);
	(void)fd_close(m->fds[1]);
}

static void check_refused(struct tls *tls, const char *words)
{
	struct meeting m;

	assert_int_equal(meet(&m, tls), -EPROTO);
	assert_non_null(strstr(tls_conn_get_trouble(m.conn), words));
	assert_true(tls_conn_has_bad_cert(m.conn));
	part(&m);
}

static void check_taken(struct tls *tls)
{
	struct meeting m;

	assert_int_equal(meet(&m, tls), -EAGAIN);
	assert_true(tls_conn_is_established(m.conn));
	assert_non_null(tls_conn_get_names(m.conn));
	assert_false(tls_conn_has_bad_cert(m.conn));
	part(&m);
}

/* --- tests --------------------------------------------------------------------------------------- */

static void test_who_is_let_in(void **unused)
{
	auto_(tls_unrefp) struct tls *without = NULL;
	auto_(tls_unrefp) struct tls *with = NULL;
	struct fail fail;

	write_list(&world.ours, CLIENT_SERIAL + 1, -60, DAY_S);
	with = load();
	assert_int_equal(load_from(-1, &without, &fail), 0);
	check_taken(with);
	check_taken(without);
	tls_unref(with);
	write_list(&world.ours, CLIENT_SERIAL, -60, DAY_S);
	with = load();
	check_refused(with, "has been revoked (tls.client_crl_file)");
	check_taken(without);
}

static void test_no_valid_list(void **unused)
{
	const struct {
		const struct party *authority;
		long begins_s;
		long ends_s;
	} cases[] = {
		{ &world.ours, -2L * DAY_S, -60 }, /* it has ended */
		{ &world.ours, 60, DAY_S },        /* it does not begin yet */
		{ &world.other, -60, DAY_S },      /* it is another's */
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_(tls_unrefp) struct tls *tls = NULL;

		write_list(cases[i].authority, 0, cases[i].begins_s, cases[i].ends_s);
		tls = load();
		check_refused(tls, "no valid list of what its authority has revoked");
	}
}

/* A connection that stands is judged by what holds now. */
static void test_vouched_by(void **unused)
{
	auto_(tls_unrefp) struct tls *before = NULL;
	auto_(tls_unrefp) struct tls *after = NULL;
	auto_(tls_unrefp) struct tls *foreign = NULL;
	struct meeting m;
	FILE *file;

	write_list(&world.ours, 0, -60, DAY_S);
	before = load();
	write_list(&world.ours, CLIENT_SERIAL, -60, DAY_S);
	after = load();
	assert_false(tls_has_same_lists(before, after));
	assert_int_equal(meet(&m, before), -EAGAIN);
	assert_true(tls_conn_is_vouched_by(m.conn, before));
	assert_false(tls_conn_is_vouched_by(m.conn, after));
	file = open_file(CLIENTS_FILE);
	assert_int_equal(PEM_write_X509(file, world.other.cert), 1);
	assert_int_equal(fclose(file), 0);
	write_list(&world.other, 0, -60, DAY_S);
	foreign = load();
	assert_false(tls_conn_is_vouched_by(m.conn, foreign));
	part(&m);
}

static void test_what_is_known(void **unused)
{
	auto_(tls_unrefp) struct tls *tls = NULL;
	auto_(tls_unrefp) struct tls *same = NULL;
	auto_(tls_unrefp) struct tls *both = NULL;
	int64_t now = (int64_t)time(NULL);
	FILE *file;

	write_list(&world.ours, 0, -60, DAY_S);
	tls = load();
	same = load();
	assert_in_range(tls_get_list_end(tls), now + DAY_S - 60, now + DAY_S + 60);
	assert_string_equal(tls_get_list_issuer(tls), "CN=ours");
	assert_null(tls_get_unlisted(tls));
	assert_true(tls_has_same_lists(tls, same));
	/* Of two lists of one authority the later end counts, of two authorities the earlier. */
	write_authorities(true);
	file = open_file(LISTS_FILE);
	add_list(file, &world.ours, 0, -60, 60);
	add_list(file, &world.ours, 0, -60, 3L * DAY_S);
	add_list(file, &world.other, 0, -60, 2L * DAY_S);
	assert_int_equal(fclose(file), 0);
	both = load();
	assert_string_equal(tls_get_list_issuer(both), "CN=other");
	assert_in_range(tls_get_list_end(both), now + 2 * DAY_S - 60, now + 2 * DAY_S + 60);
	tls_unref(both);
	write_list(&world.ours, 0, -60, DAY_S);
	both = load();
	assert_string_equal(tls_get_unlisted(both), "CN=other");
}

static void check_file(int which, int r, const char *words)
{
	struct tls *tls = NULL;
	struct fail fail;

	assert_int_equal(load_from(which, &tls, &fail), r);
	assert_null(tls);
	assert_non_null(strstr(fail.text, "tls.client_crl_file: "));
	assert_non_null(strstr(fail.text, words));
}

static void test_files_that_are_wrong(void **unused)
{
	struct party twin = make_party("ours", NULL, 1, true);
	FILE *file;

	check_file(NO_FILE, -ENOENT, "cannot read");
	write_text(LISTS_FILE, "");
	check_file(LISTS_FILE, -EINVAL, "there is no list of revoked certificates");
	check_file(CLIENTS_FILE, -EINVAL, "openssl crl -inform DER");
	write_list(&world.ours, 0, -60, DAY_S);
	file = fopen(world.paths[LISTS_FILE], "ae");
	assert_non_null(file);
	assert_true(fputs("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
	check_file(LISTS_FILE, -EINVAL, "a list of revoked certificates cannot be read");
	write_list(&twin, 0, -60, DAY_S);
	check_file(LISTS_FILE, -EINVAL, "is not signed by the authority of that name");
	free_party(&twin);
}

static void test_too_many(void **unused)
{
	FILE *file = open_file(LISTS_FILE);

	for (int i = 0; i < 257; i++)
		add_list(file, &world.ours, i, -60, DAY_S);
	assert_int_equal(fclose(file), 0);
	check_file(LISTS_FILE, -E2BIG, "more than 256 lists");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_who_is_let_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_valid_list, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_vouched_by, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_files_that_are_wrong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
