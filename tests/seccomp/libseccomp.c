/*
 * Compiles a profile with libseccomp, for tests/seccomp_differential.rs.
 *
 * stdin: words, one rule a line:
 *     default ACTION
 *     arch TOKEN                         (SCMP_ARCH_* as a number; the native one is there already)
 *     rule NAME ACTION COUNT (INDEX OP A B)*
 * stdout: the program as struct sock_filter[].
 * stderr: "unknown NAME" for each name that this libseccomp does not know on any architecture.
 */
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>

static scmp_filter_ctx ctx;

static int fail(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	return 1;
}

static int rule(void)
{
	char name[64];
	uint32_t action;
	unsigned count, i;
	struct scmp_arg_cmp args[6];

	if (scanf("%63s %" SCNu32 " %u", name, &action, &count) != 3 || count > 6)
		return fail("rule", -EINVAL);
	for (i = 0; i < count; i++) {
		unsigned index, op;
		uint64_t a, b;

		if (scanf("%u %u %" SCNu64 " %" SCNu64, &index, &op, &a, &b) != 4)
			return fail("argument", -EINVAL);
		args[i] = SCMP_CMP(index, op, a, b);
	}
	int number = seccomp_syscall_resolve_name(name);
	if (number == __NR_SCMP_ERROR) {
		fprintf(stderr, "unknown %s\n", name);
		return 0;
	}
	/* EINVAL is a rule on arguments that one of the architectures hides behind socketcall or ipc. */
	int err = seccomp_rule_add_array(ctx, action, number, count, args);
	if (err != 0 && err != -EEXIST && err != -EINVAL)
		return fail(name, err);
	return 0;
}

int main(void)
{
	char word[16];
	uint32_t value;
	int err;

	while (scanf("%15s", word) == 1) {
		if (strcmp(word, "rule") == 0) {
			if (rule() != 0)
				return 1;
			continue;
		}
		if (scanf("%" SCNu32, &value) != 1)
			return fail(word, -EINVAL);
		if (strcmp(word, "default") == 0)
			ctx = seccomp_init(value);
		else if ((err = seccomp_arch_add(ctx, value)) != 0 && err != -EEXIST)
			return fail("arch", err);
	}
	if (ctx == NULL || (err = seccomp_export_bpf(ctx, 1)) != 0)
		return fail("export", ctx ? err : -EINVAL);
	return 0;
}
