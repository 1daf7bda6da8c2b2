// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: tap-run [FLAG]... NAME COMMAND [ARG]...
 *
 * Opens the tap interface NAME and runs COMMAND with the descriptors 10, 11, ... of it.
 *
 *   persist     it stays when nobody has it open any more
 *   queues=N    so many descriptors, in multi-queue mode
 *   no-header   without IFF_VNET_HDR
 *   tun         a tun interface instead
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FIRST_FD 10

static int die(const char *what)
{
	fprintf(stderr, "tap-run: %s: %s\n", what, strerror(errno));
	return 126;
}

int main(int argc, char **argv)
{
	short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	unsigned int queues = 0;
	struct ifreq ifr = {0};
	int persist = 0, i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "persist"))
			persist = 1;
		else if (!strncmp(argv[i], "queues=", 7))
			queues = atoi(argv[i] + 7);
		else if (!strcmp(argv[i], "no-header"))
			flags &= ~IFF_VNET_HDR;
		else if (!strcmp(argv[i], "tun"))
			flags = (flags & ~IFF_TAP) | IFF_TUN;
		else
			break;
	}
	if (argc - i < 2) {
		fprintf(stderr, "usage: tap-run [FLAG]... NAME COMMAND [ARG]...\n");
		return 126;
	}
	if (queues)
		flags |= IFF_MULTI_QUEUE;
	strncpy(ifr.ifr_name, argv[i], IFNAMSIZ - 1);
	for (unsigned int n = 0; n < (queues ? queues : 1); n++) {
		int fd = open("/dev/net/tun", O_RDWR);

		if (fd < 0)
			return die("/dev/net/tun");
		ifr.ifr_flags = flags;
		if (ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETPERSIST, persist) < 0)
			return die(argv[i]);
		if (dup2(fd, FIRST_FD + n) < 0)
			return die("dup2");
		close(fd);
	}
	execvp(argv[i + 1], argv + i + 1);
	return die(argv[i + 1]);
}
