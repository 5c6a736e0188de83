/*
 * The least that starting one container can cost: the system calls and helper programs that the kernel demands,
 * and nothing else. No image store, no records, no monitor, no log, no error messages worth the name. What `pod run`
 * takes longer than this is what `pod` itself costs.
 *
 *     limit [--net none|host|pasta|slirp4netns] [--seccomp FILE] [--single] [--times] --work DIR --lower DIR[:DIR...]
 *           COMMAND [ARG...]
 *
 * --work     an existing directory for upper, work and merged
 * --lower    layers, uppermost first
 * --seccomp  struct sock_filter[] (cargo run --example seccomp_dump)
 * --single   map one id by a plain write instead of newuidmap and newgidmap
 * --times    microseconds of each step, on stderr
 *
 * Needs no privilege. The exit status is the command's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static const char *net = "none", *work, *lower, *seccomp_file;
static int single, times;
static struct sock_filter filter[4096];
static struct sock_fprog program = { 0, filter };

static void die(const char *what)
{
	fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void check(long result, const char *what)
{
	if (result < 0)
		die(what);
}

static void step(const char *name)
{
	static struct timespec last;
	struct timespec now;

	if (!times)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (last.tv_sec)
		fprintf(stderr, "%-28s %8ld\n", name,
			(now.tv_sec - last.tv_sec) * 1000000 + (now.tv_nsec - last.tv_nsec) / 1000);
	last = now;
}

static pid_t start(char *const argv[])
{
	pid_t pid;

	errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (errno)
		die(argv[0]);
	return pid;
}

static void finish(pid_t pid, const char *what)
{
	int status;

	check(waitpid(pid, &status, 0), what);
	if (status) {
		fprintf(stderr, "limit: %s failed: status %#x\n", what, status);
		exit(125);
	}
}

/* The first subordinate range of this user: "name:first:count". */
static int range(const char *file, char first[16], char count[16])
{
	struct passwd *me = getpwuid(getuid());
	char line[256], name[64];
	FILE *in = fopen(file, "r");

	while (in && me && fgets(line, sizeof line, in))
		if (sscanf(line, "%63[^:]:%15[0-9]:%15[0-9]", name, first, count) == 3 && !strcmp(name, me->pw_name)) {
			fclose(in);
			return 1;
		}
	if (in)
		fclose(in);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	check(fd, path);
	check(write(fd, text, strlen(text)), path);
	close(fd);
}

static void map_ids(pid_t child)
{
	char pid[16], path[64], line[64];
	char ufirst[16], ucount[16], gfirst[16], gcount[16], uid[16], gid[16];

	snprintf(pid, sizeof pid, "%d", child);
	snprintf(uid, sizeof uid, "%d", getuid());
	snprintf(gid, sizeof gid, "%d", getgid());
	if (single) {
		snprintf(path, sizeof path, "/proc/%s/setgroups", pid);
		write_file(path, "deny");
		snprintf(path, sizeof path, "/proc/%s/uid_map", pid);
		snprintf(line, sizeof line, "0 %s 1", uid);
		write_file(path, line);
		snprintf(path, sizeof path, "/proc/%s/gid_map", pid);
		snprintf(line, sizeof line, "0 %s 1", gid);
		write_file(path, line);
		return;
	}
	if (!range("/etc/subuid", ufirst, ucount) || !range("/etc/subgid", gfirst, gcount)) {
		fprintf(stderr, "limit: no subordinate ids; try --single\n");
		exit(125);
	}
	pid_t u = start((char *[]){ "newuidmap", pid, "0", uid, "1", "1", ufirst, ucount, NULL });
	pid_t g = start((char *[]){ "newgidmap", pid, "0", gid, "1", "1", gfirst, gcount, NULL });
	finish(u, "newuidmap");
	finish(g, "newgidmap");
}

static void in(char *path, const char *name)
{
	snprintf(path, 4096, "%s/merged%s", work, name);
}

static void mount_at(const char *type, const char *at, unsigned long flags, const char *data)
{
	char path[4096];

	in(path, at);
	check(mount(type, path, type, flags, data), at);
}

static void bind_at(const char *source, const char *at, unsigned long flags)
{
	char path[4096];

	in(path, at);
	check(mount(source, path, NULL, MS_BIND | (flags & MS_REC), NULL), at);
	if (flags & ~MS_REC)
		check(mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | (flags & ~MS_REC), NULL), at);
}

static void make_file(const char *at)
{
	char path[4096];

	in(path, at);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	check(fd, at);
	close(fd);
}

static void make_dir(const char *at)
{
	char path[4096];

	in(path, at);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		die(at);
}

static void make_root(int own_net)
{
	static const char *devices[] = { "null", "zero", "full", "random", "urandom", "tty" };
	static const char *links[][2] = { { "/proc/self/fd", "/dev/fd" }, { "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" }, { "/proc/kcore", "/dev/core" },
		{ "pts/ptmx", "/dev/ptmx" } };
	static const char *files[] = { "/etc/hosts", "/etc/hostname", "/etc/resolv.conf" };
	static const char *masked[] = { "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
		"/sys/fs/selinux", "/sys/dev/block" };
	static const char *read_only[] = { "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
		"/proc/sysrq-trigger" };
	const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	char data[8192], path[4096], node[32];
	struct stat st;
	size_t i;

	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make / private");
	snprintf(data, sizeof data, "userxattr,lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower, work, work);
	mount_at("overlay", "", 0, data);
	step("overlay");

	make_dir("/proc"), make_dir("/dev"), make_dir("/sys"), make_dir("/etc");
	mount_at("proc", "/proc", safe, NULL);
	mount_at("tmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=755,size=65536k");
	for (i = 0; i < sizeof devices / sizeof *devices; i++) {
		snprintf(node, sizeof node, "/dev/%s", devices[i]);
		make_file(node);
		bind_at(node, node, 0);
	}
	make_dir("/dev/pts"), make_dir("/dev/shm"), make_dir("/dev/mqueue");
	for (i = 0; i < sizeof links / sizeof *links; i++) {
		in(path, links[i][1]);
		check(symlink(links[i][0], path), links[i][1]);
	}
	mount_at("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
	mount_at("tmpfs", "/dev/shm", safe, "mode=1777,size=65536000");
	mount_at("mqueue", "/dev/mqueue", safe, NULL);
	if (own_net) {
		mount_at("sysfs", "/sys", safe | MS_RDONLY, NULL);
		in(path, "/sys/fs/cgroup");
		mount("cgroup2", path, "cgroup2", safe | MS_RDONLY, NULL); /* not there beside cgroup v1 */
	} else {
		bind_at("/sys", "/sys", MS_REC);
	}
	step("proc, dev, sys");

	for (i = 0; i < sizeof files / sizeof *files; i++) {
		make_file(files[i]);
		bind_at("/etc/hostname", files[i], 0);
	}
	step("binds");

	for (i = 0; i < sizeof masked / sizeof *masked; i++) {
		in(path, masked[i]);
		if (stat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			check(mount("tmpfs", path, "tmpfs", MS_RDONLY, "size=0k"), path);
		else
			check(mount("/dev/null", path, NULL, MS_BIND, NULL), path);
	}
	for (i = 0; i < sizeof read_only / sizeof *read_only; i++) {
		in(path, read_only[i]);
		if (stat(path, &st) == 0)
			bind_at(path, read_only[i], safe | MS_RDONLY);
	}
	step("masks");

	in(path, "");
	check(chdir(path), path);
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "detach the old root");
	check(chdir("/"), "/");
	step("pivot_root");
}

static void lo_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	check(fd, "socket");
	check(ioctl(fd, SIOCSIFFLAGS, &lo), "lo up");
	close(fd);
}

/* Podman's eleven. The filter goes in before the capability for it is gone. */
static void confine(void)
{
	const uint32_t keep = 0x800405fb;
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { keep, keep, 0 }, { 0, 0, 0 } };
	int cap;

	for (cap = 0; cap < 41; cap++)
		if (cap > 31 || !(keep >> cap & 1))
			check(prctl(PR_CAPBSET_DROP, cap), "drop a capability");
	if (program.len)
		check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), "seccomp");
	step("seccomp");
	check(syscall(SYS_capset, &header, data), "capset");
}

static int child(int maps, int network, int own_net, char **argv)
{
	char byte;

	step("");
	if (read(maps, &byte, 1) != 1)
		_exit(125);
	check(setresgid(0, 0, 0), "setresgid");
	check(setresuid(0, 0, 0), "setresuid");
	if (!single)
		check(setgroups(0, NULL), "setgroups");
	step("wait for the maps");
	make_root(own_net);
	check(sethostname("limit", 5), "sethostname");
	if (own_net)
		lo_up();
	if (network >= 0 && read(network, &byte, 1) != 1)
		_exit(125);
	step("hostname, lo, network");
	confine();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
	execvp(argv[0], argv);
	die(argv[0]);
	return 127;
}

/* Starts a network helper with the write end of a pipe as descriptor `at`, and waits until it writes there. */
static pid_t start_helper(char *const argv[], int at)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t usual;
	pid_t helper;
	char byte;
	int fds[2];

	check(pipe2(fds, O_CLOEXEC), "pipe");
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&files, fds[1], at);
	posix_spawnattr_init(&attributes);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE); /* pasta of 2023 takes an ignored SIGPIPE for an error */
	posix_spawnattr_setsigdefault(&attributes, &usual);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	errno = posix_spawnp(&helper, argv[0], &files, &attributes, argv, environ);
	if (errno)
		die(argv[0]);
	close(fds[1]);
	if (read(fds[0], &byte, 1) != 1) {
		fprintf(stderr, "limit: %s did not become ready\n", argv[0]);
		exit(125);
	}
	close(fds[0]);
	return helper;
}

/* In the foreground it need not fork its 200 MB; its pid file tells that it is ready. */
static pid_t start_pasta(pid_t child)
{
	char userns[64], netns[64];

	snprintf(userns, sizeof userns, "/proc/%d/ns/user", child);
	snprintf(netns, sizeof netns, "/proc/%d/ns/net", child);
	return start_helper((char *[]){ "pasta", "-q", "-f", "--config-net", "--no-map-gw", "-t", "none", "-u", "none",
		"-T", "none", "-U", "none", "-P", "/proc/self/fd/1", "--userns", userns, "--netns", netns, NULL }, 1);
}

/* Shut in as pod and podman start it: it is part of the least that is safe. */
static pid_t start_slirp4netns(pid_t child)
{
	char pid[16];

	snprintf(pid, sizeof pid, "%d", child);
	return start_helper((char *[]){ "slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback",
		"--enable-sandbox", "--enable-seccomp", "-r", "3", pid, "tap0", NULL }, 3);
}

/* What starting has left: mount points in upper, overlay's own directory in work. What the command wrote stays. */
static void clean_up(void)
{
	static const char *names[] = { "upper/etc/hosts", "upper/etc/hostname", "upper/etc/resolv.conf", "upper/etc",
		"upper/proc", "upper/dev", "upper/sys", "upper", "work/work", "work", "merged" };
	char path[4096];
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", work, names[i]);
		remove(path);
	}
}

static void load_filter(void)
{
	int fd = open(seccomp_file, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	check(fd, seccomp_file);
	check(got = read(fd, filter, sizeof filter), seccomp_file);
	program.len = got / sizeof *filter;
	close(fd);
}

static char **options(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--single"))
			single = 1;
		else if (!strcmp(argv[i], "--times"))
			times = 1;
		else if (i + 1 < argc && !strcmp(argv[i], "--net"))
			net = argv[++i];
		else if (i + 1 < argc && !strcmp(argv[i], "--work"))
			work = argv[++i];
		else if (i + 1 < argc && !strcmp(argv[i], "--lower"))
			lower = argv[++i];
		else if (i + 1 < argc && !strcmp(argv[i], "--seccomp"))
			seccomp_file = argv[++i];
		else
			break;
	}
	if (!work || !lower || i >= argc || !strncmp(argv[i], "--", 2)) {
		fprintf(stderr, "usage: limit [--net MODE] [--seccomp FILE] [--single] [--times] "
				"--work DIR --lower DIR[:DIR...] COMMAND [ARG...]\n");
		exit(125);
	}
	return argv + i;
}

int main(int argc, char **argv)
{
	char **command = options(argc, argv);
	int own_net = strcmp(net, "host") != 0;
	int helped = own_net && strcmp(net, "none") != 0;
	int maps[2], network[2] = { -1, -1 }, status;
	char path[4096];
	pid_t helper = 0;

	step("");
	if (seccomp_file)
		load_filter();
	snprintf(path, sizeof path, "%s/upper", work);
	check(mkdir(path, 0755), path);
	snprintf(path, sizeof path, "%s/work", work);
	check(mkdir(path, 0755), path);
	snprintf(path, sizeof path, "%s/merged", work);
	check(mkdir(path, 0755), path);
	check(pipe2(maps, O_CLOEXEC), "pipe");
	if (helped)
		check(pipe2(network, O_CLOEXEC), "pipe");
	step("directories");

	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
			(own_net ? CLONE_NEWNET : 0),
		.exit_signal = SIGCHLD,
	};
	pid_t pid = syscall(SYS_clone3, &args, sizeof args);
	check(pid, "clone3");
	if (pid == 0) {
		close(maps[1]);
		_exit(child(maps[0], network[0], own_net, command));
	}
	step("clone3");
	map_ids(pid);
	step("id maps");
	check(write(maps[1], "m", 1), "tell the maps");
	if (!strcmp(net, "pasta"))
		helper = start_pasta(pid);
	else if (!strcmp(net, "slirp4netns"))
		helper = start_slirp4netns(pid);
	if (helped) {
		step(net);
		check(write(network[1], "n", 1), "tell the network");
	}
	check(waitpid(pid, &status, 0), "wait");
	step("until the end of the program");
	if (helper)
		kill(helper, SIGKILL); /* its end need not be waited for */
	clean_up();
	step("clean up");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
