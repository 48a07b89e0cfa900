// The floor of `nsnet add` of many names: one process, one loop, raw system calls.
//
//   add_floor N PREFIX    makes PREFIX1 … PREFIXN below /run/netns, lo up, and prints nothing
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void lo_up(void)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
	} request = {
		.head = { .nlmsg_len = sizeof request, .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.link = { .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP },
	};
	char answer[256];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0 || send(fd, &request, sizeof request, 0) < 0 || recv(fd, answer, sizeof answer, 0) < 0)
		fail("lo up");
	close(fd);
}

int main(int argc, char **argv)
{
	char path[64];
	if (argc != 3)
		return 2;
	for (int i = 1; i <= atoi(argv[1]); i++) {
		snprintf(path, sizeof path, "/run/netns/%s%d", argv[2], i);
		if (unshare(CLONE_NEWNET))
			fail("unshare");
		lo_up();
		int file = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
		if (file < 0)
			fail(path);
		close(file);
		if (mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL))
			fail("mount");
	}
	return 0;
}
