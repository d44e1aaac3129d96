/* The cable between two network namespaces: a TUN device in each, IP packets through the links.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ternlink.h"

enum { PACKET_LARGEST = 65536, ROUNDS = 256, DEVICE_QUEUE = 10000 };

static const char *const addresses[2] = {"10.77.0.1", "10.77.0.2"};
static const char netmask[] = "255.255.255.252";

static struct ifreq request(void)
{
    struct ifreq r;
    memset(&r, 0, sizeof r);
    (void)snprintf(r.ifr_name, sizeof r.ifr_name, "tern0");
    return r;
}

static void set_address(int control, unsigned long code, const char *text)
{
    struct ifreq r = request();
    struct sockaddr_in sin = {.sin_family = AF_INET};
    (void)inet_pton(AF_INET, text, &sin.sin_addr);
    memcpy(&r.ifr_addr, &sin, sizeof sin);
    if (ioctl(control, code, &r) != 0) {
        fail("cannot give tern0 the address", text);
    }
}

/* The device's own queue is long, so that packets are lost in the link alone, where it is told. */
static void bring_up(const char *address, size_t mtu)
{
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (control < 0) {
        fail("cannot open", "a control socket");
    }
    set_address(control, SIOCSIFADDR, address);
    set_address(control, SIOCSIFNETMASK, netmask);
    struct ifreq r = request();
    r.ifr_qlen = DEVICE_QUEUE;
    (void)ioctl(control, SIOCSIFTXQLEN, &r);
    r = request();
    r.ifr_mtu = (int)mtu;
    if (mtu > 0 && ioctl(control, SIOCSIFMTU, &r) != 0) {
        fail("cannot set the MTU of", "tern0");
    }
    r = request();
    if (ioctl(control, SIOCGIFFLAGS, &r) != 0) {
        fail("cannot read the state of", "tern0");
    }
    r.ifr_flags = (short)(r.ifr_flags | IFF_UP | IFF_RUNNING);
    if (ioctl(control, SIOCSIFFLAGS, &r) != 0) {
        fail("cannot bring up", "tern0");
    }
    (void)close(control);
}

static void enter_netns(const char *name)
{
    char path[512];
    bool is_path = strchr(name, '/') != NULL;
    (void)snprintf(path, sizeof path, "%s%s", is_path ? "" : "/run/netns/", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) {
        fail("cannot enter the network namespace", path);
    }
    (void)close(fd);
}

static int open_device(const char *netns, const char *address, size_t mtu)
{
    enter_netns(netns);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        fail("cannot open", "/dev/net/tun");
    }
    struct ifreq r = request();
    r.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(fd, TUNSETIFF, &r) != 0) {
        fail("cannot create tern0 in", netns);
    }
    bring_up(address, mtu);
    return fd;
}

/* Reads what the device has, bounded so that packets that are due do not wait. */
static void enter(struct wires *wires, int direction, int fd)
{
    static uint8_t packet[PACKET_LARGEST];
    tern_time now = clock_now();
    for (int i = 0; i < ROUNDS; i++) {
        ssize_t len = read(fd, packet, sizeof packet);
        if (len < 0) {
            return;
        }
        if (tern_link_send(wires->link[direction], packet, (size_t)len, 0, 0, now) != 0) {
            errno = ENOMEM;
            fail("cannot keep", "a packet");
        }
    }
}

static void leave(struct wires *wires, int direction, int fd, tern_time now)
{
    static uint8_t packet[PACKET_LARGEST];
    size_t len = 0;
    uint8_t ecn = 0;
    uint64_t tag = 0;
    while (tern_link_receive(wires->link[direction], packet, sizeof packet, &len, &ecn, &tag, now) >
           0) {
        ssize_t written = write(fd, packet, len);
        (void)written; /* what the kernel refuses (a corrupt header) is lost, as on a wire */
    }
}

void run_tun(const struct options *options)
{
    struct options links = *options;
    struct pollfd fds[2];
    struct wires wires;
    for (int i = 0; i < 2; i++) {
        /* TCP must learn the MTU from its own device: a wire sends no ICMP. */
        int fd = open_device(options->netns[i], addresses[i], options->link[i].mtu);
        fds[i] = (struct pollfd){.fd = fd, .events = POLLIN};
        links.link[i].mtu = 0;
    }
    wires_open(&wires, &links, 0);
    fprintf(stderr, "ternlink: forwarding between %s (%s) and %s (%s)\n", options->netns[0],
            addresses[0], options->netns[1], addresses[1]);
    for (tern_time now; wires_go_on(&wires, now = clock_now());) {
        leave(&wires, UP, fds[1].fd, now);
        leave(&wires, DOWN, fds[0].fd, now);
        wires_wait(&wires, fds, 2, wires_next(&wires, TERN_TIME_NEVER));
        wires_answer(&wires, options);
        if (fds[0].revents != 0) {
            enter(&wires, UP, fds[0].fd);
        }
        if (fds[1].revents != 0) {
            enter(&wires, DOWN, fds[1].fd);
        }
    }
    wires_close(&wires, options);
    (void)close(fds[0].fd);
    (void)close(fds[1].fd);
}
