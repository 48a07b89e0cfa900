/* A star from one process: one bridge here, N namespaces called sf1 ... sfN, each on it by a veth pair with an
 * address and a default route. What is left when nothing but the kernel's work is done: netlink by hand,
 * the four requests of a namespace in one send, the ports of the bridge brought up last.
 *
 *   star_floor up N | down N | wait N        down returns when the last port is gone, wait waits for that */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char out[65536], in[65536];
static size_t filled;
static unsigned sequence, waiting;

static void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static int open_socket(void)
{
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    must(s >= 0, "socket");
    return s;
}

static struct nlmsghdr *request(int type, int flags)
{
    struct nlmsghdr *h = (void *)(out + filled);
    memset(h, 0, 512);
    h->nlmsg_len = NLMSG_HDRLEN;
    h->nlmsg_type = type;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    h->nlmsg_seq = ++sequence;
    return h;
}

static void *append(struct nlmsghdr *h, size_t size)
{
    void *at = (char *)h + h->nlmsg_len;
    h->nlmsg_len += NLMSG_ALIGN(size);
    return at;
}

static struct rtattr *attribute(struct nlmsghdr *h, int type, const void *value, size_t size)
{
    struct rtattr *a = append(h, RTA_LENGTH(size));
    a->rta_type = type;
    a->rta_len = RTA_LENGTH(size);
    if (size)
        memcpy(RTA_DATA(a), value, size);
    return a;
}

static void text(struct nlmsghdr *h, int type, const char *value)
{
    attribute(h, type, value, strlen(value) + 1);
}

static void close_nest(struct nlmsghdr *h, struct rtattr *nest)
{
    nest->rta_len = (char *)h + h->nlmsg_len - (char *)nest;
}

static void queue(struct nlmsghdr *h)
{
    filled += NLMSG_ALIGN(h->nlmsg_len);
    waiting++;
}

static void flush(int s, const char *what)
{
    must(send(s, out, filled, 0) >= 0, "send");
    filled = 0;
    while (waiting) {
        ssize_t n = recv(s, in, sizeof in, 0);
        must(n >= 0, "recv");
        for (struct nlmsghdr *h = (void *)in; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
            if (h->nlmsg_type != NLMSG_ERROR)
                continue;
            errno = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
            must(!errno, what);
            waiting--;
        }
    }
}

static int index_of(int s, const char *name)
{
    struct nlmsghdr *h = request(RTM_GETLINK, 0);
    h->nlmsg_flags = NLM_F_REQUEST;
    append(h, sizeof(struct ifinfomsg));
    text(h, IFLA_IFNAME, name);
    must(send(s, out, h->nlmsg_len, 0) >= 0 && recv(s, in, sizeof in, 0) >= 0, name);
    h = (void *)in;
    return h->nlmsg_type == NLMSG_ERROR ? 0 : ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index;
}

static void raise_link(int index)
{
    struct nlmsghdr *h = request(RTM_NEWLINK, 0);
    struct ifinfomsg *link = append(h, sizeof *link);
    link->ifi_index = index;
    link->ifi_flags = link->ifi_change = IFF_UP;
    queue(h);
}

static void add_address(int index, const char *address)
{
    struct nlmsghdr *h = request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg *a = append(h, sizeof *a);
    struct in_addr ip;
    inet_pton(AF_INET, address, &ip);
    a->ifa_family = AF_INET;
    a->ifa_prefixlen = 16;
    a->ifa_index = index;
    attribute(h, IFA_LOCAL, &ip, 4);
    attribute(h, IFA_ADDRESS, &ip, 4);
    queue(h);
}

static void add_default_route(int index, const char *gateway)
{
    struct nlmsghdr *h = request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg *r = append(h, sizeof *r);
    struct in_addr ip;
    inet_pton(AF_INET, gateway, &ip);
    r->rtm_family = AF_INET;
    r->rtm_table = RT_TABLE_MAIN;
    r->rtm_protocol = RTPROT_BOOT;
    r->rtm_type = RTN_UNICAST;
    attribute(h, RTA_GATEWAY, &ip, 4);
    attribute(h, RTA_OIF, &index, 4);
    queue(h);
}

static void add_bridge(int s)
{
    struct nlmsghdr *h = request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    struct ifinfomsg *link = append(h, sizeof *link);
    link->ifi_flags = link->ifi_change = IFF_UP;
    text(h, IFLA_IFNAME, "sfbridge");
    struct rtattr *info = attribute(h, IFLA_LINKINFO, NULL, 0);
    text(h, IFLA_INFO_KIND, "bridge");
    close_nest(h, info);
    queue(h);
    flush(s, "bridge");
}

static void add_pair(int s, const char *port, int bridge, int ns)
{
    struct nlmsghdr *h = request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    append(h, sizeof(struct ifinfomsg));
    text(h, IFLA_IFNAME, port);
    attribute(h, IFLA_MASTER, &bridge, 4);
    struct rtattr *info = attribute(h, IFLA_LINKINFO, NULL, 0);
    text(h, IFLA_INFO_KIND, "veth");
    struct rtattr *data = attribute(h, IFLA_INFO_DATA, NULL, 0);
    struct rtattr *peer = attribute(h, VETH_INFO_PEER, NULL, 0);
    struct ifinfomsg *far = append(h, sizeof *far);
    far->ifi_index = 2;
    text(h, IFLA_IFNAME, "eth0");
    attribute(h, IFLA_NET_NS_FD, &ns, 4);
    close_nest(h, peer);
    close_nest(h, data);
    close_nest(h, info);
    queue(h);
    flush(s, "pair");
}

static void up(int n)
{
    int s = open_socket(), home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    char path[64], name[32], address[32];
    mkdir("/run/netns", 0755);
    add_bridge(s);
    int bridge = index_of(s, "sfbridge");
    add_address(bridge, "10.78.255.254");
    flush(s, "address");
    for (int i = 1; i <= n; i++) {
        snprintf(path, sizeof path, "/run/netns/sf%d", i);
        close(open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0));
        must(!unshare(CLONE_NEWNET), "unshare");
        must(!mount("/proc/self/ns/net", path, "none", MS_BIND, NULL), path);
        int ns = open(path, O_RDONLY | O_CLOEXEC), inside = open_socket();
        must(!setns(home, CLONE_NEWNET), "setns");
        snprintf(name, sizeof name, "sfport%d", i);
        add_pair(s, name, bridge, ns);
        snprintf(address, sizeof address, "10.78.%d.%d", i / 250, i % 250 + 2);
        raise_link(1);
        add_address(2, address);
        raise_link(2);
        add_default_route(2, "10.78.255.254");
        flush(inside, "inside");
        close(inside);
        close(ns);
    }
    for (int i = 1; i <= n; i++) {
        snprintf(name, sizeof name, "sfport%d", i);
        raise_link(index_of(s, name));
        flush(s, "port");
    }
}

static void down(int n)
{
    int s = open_socket();
    char text[64];
    for (int i = 1; i <= n; i++) {
        snprintf(text, sizeof text, "/run/netns/sf%d", i);
        umount2(text, MNT_DETACH);
        unlink(text);
    }
    int bridge = index_of(s, "sfbridge");
    must(bridge, "sfbridge");
    struct nlmsghdr *h = request(RTM_DELLINK, 0);
    struct ifinfomsg *link = append(h, sizeof *link);
    link->ifi_index = bridge;
    queue(h);
    flush(s, "bridge");
}

static void await(int n)
{
    int s = open_socket();
    char text[64];
    for (int i = 1; i <= n; i++) {
        snprintf(text, sizeof text, "sfport%d", i);
        while (index_of(s, text))
            nanosleep(&(struct timespec){ 0, 200000 }, NULL);
    }
}

int main(int count, char **words)
{
    if (count != 3)
        return 2;
    int n = atoi(words[2]);
    if (words[1][0] == 'u')
        up(n);
    if (words[1][0] == 'd')
        down(n);
    if (words[1][0] != 'u')
        await(n);
    return 0;
}
